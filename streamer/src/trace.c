/* trace.c - see trace.h. */
#include "trace.h"

#define CAPACITY_MIN 1024u /* many more than threads: none is a lap behind while it writes, unless it sleeps */
#define SEAL_FACTOR UINT64_C(0x9fb21c651e98df25)
#define GENERATION_MASK 0xffffffu /* what fits beside kind and index; enough to tell neighbours in time apart */

bool trace_init(trace *t, uint32_t record_count, memory *m)
{
    atomic_init(&t->on, false);
    atomic_init(&t->next, 0);
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

void trace_write(trace *t, trace_kind kind, uint64_t time_ns, uint32_t index, uint32_t generation, uint64_t value,
                 uint64_t more)
{
    uint64_t ticket = atomic_fetch_add_explicit(&t->next, 1, memory_order_relaxed);
    trace_record *r = &t->records[ticket & (t->capacity - 1)];
    uint64_t subject = (uint64_t)kind << 56 | (uint64_t)(generation & GENERATION_MASK) << 32 | index;
    /* Relaxed, all of them: in whatever order they are seen, only all of them together fit the seal. */
    atomic_store_explicit(&r->time_ns, time_ns, memory_order_relaxed);
    atomic_store_explicit(&r->subject, subject, memory_order_relaxed);
    atomic_store_explicit(&r->value, value, memory_order_relaxed);
    atomic_store_explicit(&r->more, more, memory_order_relaxed);
    atomic_store_explicit(&r->seal, seal_of(ticket, time_ns, subject, value, more), memory_order_relaxed);
}

void trace_range(const trace *t, uint64_t *first, uint64_t *end)
{
    *end = atomic_load_explicit(&t->next, memory_order_acquire);
    *first = u64_max(t->begin_ticket, *end > t->capacity ? *end - t->capacity : 0);
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
        .time_ns = time_ns,
        .value = value,
        .more = more,
        .index = (uint32_t)subject,
        .generation = (uint32_t)(subject >> 32) & GENERATION_MASK,
        .kind = (trace_kind)(subject >> 56),
    };
    return seal == seal_of(ticket, time_ns, subject, value, more);
}
