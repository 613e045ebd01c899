/* trace.c - see trace.h. */
#include "trace.h"

#define CAPACITY_MIN 1024u /* many more than threads: none is a lap behind while it writes, unless it sleeps */
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

void trace_write(trace *t, trace_kind kind, uint64_t time_ns, uint32_t index, uint32_t generation, uint64_t value,
                 uint64_t more)
{
    uint64_t ticket = atomic_fetch_add_explicit(&t->next, 1, memory_order_relaxed);
    trace_record *r = &t->records[ticket & (t->capacity - 1)];
    uint64_t subject = (uint64_t)kind << 56 | (uint64_t)(generation & GENERATION_MASK) << 32 | index;
    /* A reader that sees one of the new words must not find the old ticket behind it: the words are stored with
     * release, after the ticket was taken back. */
    atomic_store_explicit(&r->ticket, 0, memory_order_relaxed);
    atomic_store_explicit(&r->time_ns, time_ns, memory_order_release);
    atomic_store_explicit(&r->subject, subject, memory_order_release);
    atomic_store_explicit(&r->value, value, memory_order_release);
    atomic_store_explicit(&r->more, more, memory_order_release);
    atomic_store_explicit(&r->ticket, ticket + 1, memory_order_release); /* pairs with trace_read */
}

void trace_range(const trace *t, uint64_t *first, uint64_t *end)
{
    *end = atomic_load_explicit(&t->next, memory_order_acquire);
    *first = u64_max(t->begin_ticket, *end > t->capacity ? *end - t->capacity : 0);
}

bool trace_read(const trace *t, uint64_t ticket, trace_entry *entry)
{
    const trace_record *r = &t->records[ticket & (t->capacity - 1)];
    if (atomic_load_explicit(&r->ticket, memory_order_acquire) != ticket + 1) {
        return false;
    }
    uint64_t subject = atomic_load_explicit(&r->subject, memory_order_acquire);
    *entry = (trace_entry){
        .time_ns = atomic_load_explicit(&r->time_ns, memory_order_acquire),
        .value = atomic_load_explicit(&r->value, memory_order_acquire),
        .more = atomic_load_explicit(&r->more, memory_order_acquire),
        .index = (uint32_t)subject,
        .generation = (uint32_t)(subject >> 32) & GENERATION_MASK,
        .kind = (trace_kind)(subject >> 56),
    };
    /* Acquire loads above: if none of them saw a later writer's word, the ticket is still the one that was there. */
    return atomic_load_explicit(&r->ticket, memory_order_relaxed) == ticket + 1;
}
