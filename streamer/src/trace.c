/* trace.c - see trace.h. */
#include "trace.h"

#define CAPACITY_MIN 1024u /* many more than threads: none is a lap behind while it writes, unless it sleeps */
#define SEAL_FACTOR UINT64_C(0x9fb21c651e98df25)
#define GENERATION_MASK 0xffffffu /* what fits beside kind and index; enough to tell neighbours in time apart */
#define BLOCK_COUNT_MAX 64u /* tickets */
#define FETCH_AHEAD 8u /* records: a ring is in no cache when its turn comes again */

/* Tickets that this thread has taken for a trace and not used: with one for each record, all threads would fight for
 * the counter, and for lines that they share. A block is as large as what was used of those before it. */
typedef struct ticket_block {
    uint64_t trace_id;
    uint64_t next, end;
    uint32_t count;
} ticket_block;

static _Thread_local ticket_block own;
static _Atomic uint64_t trace_id_last;

bool trace_init(trace *t, uint32_t record_count, memory *m)
{
    atomic_init(&t->on, false);
    atomic_init(&t->next, 0);
    atomic_init(&t->begin_ticket, 0);
    t->id = atomic_fetch_add_explicit(&trace_id_last, 1, memory_order_relaxed) + 1;
    t->capacity = 0;
    t->records = NULL;
    if (record_count == 0) { /* not asked for */
        return true;
    }
    uint32_t capacity = CAPACITY_MIN;
    while (capacity < record_count) {
        capacity *= 2;
    }
    t->records = memory_allocate(m, capacity, sizeof(*t->records), CACHE_LINE_SIZE);
    t->capacity = t->records != NULL ? capacity : 0;
    return t->records != NULL;
}

void trace_free(trace *t, memory *m)
{
    memory_free(m, t->records, t->capacity, sizeof(*t->records));
    t->records = NULL;
    t->capacity = 0;
}

/* A hash over all of a record. The factor is odd, so that one other word is always another seal; what several others
 * come to is as good as random. Never 0 for a record that was never written: all of it is 0 then, but for the ticket.
 */
static uint64_t seal_of(uint64_t ticket, uint64_t time_ns, uint64_t subject, uint64_t value, uint64_t more)
{
    uint64_t seal = (ticket + 1) * SEAL_FACTOR + time_ns;
    seal = seal * SEAL_FACTOR + subject;
    seal = seal * SEAL_FACTOR + value;
    return seal * SEAL_FACTOR + more;
}

/* A block that was taken long ago is left: its places belong to later tickets, or soon will. A thread that writes to
 * several traces in turns begins with blocks of one each time, and so leaves nothing unused. */
static uint64_t take_ticket(trace *t)
{
    bool same = own.trace_id == t->id && own.next >= atomic_load_explicit(&t->begin_ticket, memory_order_relaxed) &&
                atomic_load_explicit(&t->next, memory_order_relaxed) - own.next <= t->capacity / 2;
    if (!same || own.next == own.end) {
        own.count = same ? u32_min(own.count * 2, BLOCK_COUNT_MAX) : 1;
        own.trace_id = t->id;
        own.next = atomic_fetch_add_explicit(&t->next, own.count, memory_order_relaxed);
        own.end = own.next + own.count;
    }
    return own.next++;
}

void trace_write(trace *t, trace_kind kind, uint64_t time_ns, uint32_t index, uint32_t generation, uint64_t value,
                 uint64_t more)
{
    uint64_t ticket = take_ticket(t);
    fetch_to_write(&t->records[(ticket + FETCH_AHEAD) & (t->capacity - 1)]);
    trace_record *r = &t->records[ticket & (t->capacity - 1)];
    uint64_t subject = (uint64_t)kind << 56 | (uint64_t)(generation & GENERATION_MASK) << 32 | index;
    /* Relaxed, all of them: in whatever order they are seen, only all of them together fit the seal. */
    atomic_store_explicit(&r->time_ns, time_ns, memory_order_relaxed);
    atomic_store_explicit(&r->subject, subject, memory_order_relaxed);
    atomic_store_explicit(&r->value, value, memory_order_relaxed);
    atomic_store_explicit(&r->more, more, memory_order_relaxed);
    atomic_store_explicit(&r->seal, seal_of(ticket, time_ns, subject, value, more), memory_order_relaxed);
}

void trace_begin(trace *t, uint64_t now_ns)
{
    atomic_store_explicit(&t->begin_ticket, atomic_load_explicit(&t->next, memory_order_relaxed), memory_order_relaxed);
    t->began_ns = now_ns;
}

void trace_range(const trace *t, uint64_t *first, uint64_t *end)
{
    *end = atomic_load_explicit(&t->next, memory_order_acquire);
    *first = u64_max(atomic_load_explicit(&t->begin_ticket, memory_order_relaxed),
                     *end > t->capacity ? *end - t->capacity : 0);
}

bool trace_read(const trace *t, uint64_t ticket, trace_entry *entry)
{
    const trace_record *r = &t->records[ticket & (t->capacity - 1)];
    uint64_t time_ns = atomic_load_explicit(&r->time_ns, memory_order_relaxed);
    uint64_t subject = atomic_load_explicit(&r->subject, memory_order_relaxed);
    uint64_t value = atomic_load_explicit(&r->value, memory_order_relaxed);
    uint64_t more = atomic_load_explicit(&r->more, memory_order_relaxed);
    uint64_t seal = atomic_load_explicit(&r->seal, memory_order_relaxed);
    *entry = (trace_entry){
        .ticket = ticket,
        .time_ns = time_ns,
        .value = value,
        .more = more,
        .index = (uint32_t)subject,
        .generation = (uint32_t)(subject >> 32) & GENERATION_MASK,
        .kind = (trace_kind)(subject >> 56),
    };
    return seal == seal_of(ticket, time_ns, subject, value, more);
}
