/* handles.c - see handles.h. */
#include "handles.h"

static uint64_t pair(uint32_t high, uint32_t low)
{
    return (uint64_t)high << 32 | low;
}

bool handles_init(handle_table *table, uint32_t capacity, memory *m)
{
    *table = (handle_table){ .capacity = capacity };
    table->slots = memory_allocate(m, capacity, sizeof(*table->slots), CACHE_LINE_SIZE);
    table->next_free = memory_allocate(m, capacity, sizeof(*table->next_free), CACHE_LINE_SIZE);
    if (table->slots == NULL || table->next_free == NULL) {
        handles_free(table, m);
        return false;
    }
    for (uint32_t i = 0; i < capacity; ++i) {
        atomic_init(&table->slots[i].control, pair(1, 0));
        atomic_init(&table->next_free[i], i + 1 < capacity ? i + 1 : HANDLE_FREE_END);
    }
    atomic_init(&table->free_head, pair(0, 0));
    return true;
}

void handles_free(handle_table *table, memory *m)
{
    memory_free(m, table->next_free, table->capacity, sizeof(*table->next_free));
    memory_free(m, table->slots, table->capacity, sizeof(*table->slots));
    table->next_free = NULL;
    table->slots = NULL;
}

uint32_t handles_acquire_many(handle_table *table, uint32_t wanted, uint32_t *indices)
{
    /* Acquire pairs with the release in handles_release_many: we see next_free and the new generations. The tag changes
     * with every pop, so a head that has come back meanwhile is noticed; what was read of the chain before that may be
     * nonsense, but each number in it is below the capacity. */
    uint64_t head = atomic_load_explicit(&table->free_head, memory_order_acquire);
    uint64_t rest;
    uint32_t count;
    do {
        uint32_t next = (uint32_t)head;
        for (count = 0; count < wanted && next != HANDLE_FREE_END; ++count) {
            indices[count] = next;
            fetch_to_write(&table->slots[next]);
            next = atomic_load_explicit(&table->next_free[next], memory_order_relaxed);
        }
        if (count == 0) {
            return 0;
        }
        rest = pair((uint32_t)(head >> 32) + 1, next);
    } while (!atomic_compare_exchange_weak_explicit(&table->free_head, &head, rest, memory_order_acquire,
                                                    memory_order_acquire));
    for (uint32_t i = 0; i < count; ++i) {
        _Atomic uint64_t *control = &table->slots[indices[i]].control;
        uint64_t seen = atomic_load_explicit(control, memory_order_relaxed);
        atomic_store_explicit(control, seen | HANDLE_FLAG_LIVE, memory_order_release);
    }
    return count;
}

bool handles_acquire(handle_table *table, uint32_t *index, uint32_t *generation)
{
    if (handles_acquire_many(table, 1, index) == 0) {
        return false;
    }
    *generation = handles_generation_at(table, *index);
    return true;
}

static void end_generation(handle_slot *slot)
{
    uint64_t control = atomic_load_explicit(&slot->control, memory_order_relaxed);
    ASSERT((uint32_t)control & HANDLE_FLAG_LIVE);
    uint32_t generation = (uint32_t)(control >> 32) + (CANARY(GENERATION) ? 0 : 1);
    if (generation == 0) {
        generation = 1; /* 0 is the null handle */
    }
    atomic_store_explicit(&slot->control, pair(generation, 0), memory_order_release);
}

void handles_release_many(handle_table *table, const uint32_t *indices, uint32_t count)
{
    if (count == 0) {
        return;
    }
    for (uint32_t i = 0; i < count; ++i) {
        end_generation(&table->slots[indices[i]]);
        if (i > 0) {
            atomic_store_explicit(&table->next_free[indices[i - 1]], indices[i], memory_order_relaxed);
        }
    }
    _Atomic uint32_t *last = &table->next_free[indices[count - 1]];
    uint64_t head = atomic_load_explicit(&table->free_head, memory_order_relaxed);
    uint64_t wanted;
    do {
        atomic_store_explicit(last, (uint32_t)head, memory_order_relaxed);
        wanted = pair((uint32_t)(head >> 32), indices[0]);
    } while (!atomic_compare_exchange_weak_explicit(&table->free_head, &head, wanted, memory_order_release,
                                                    memory_order_relaxed));
}

void handles_release(handle_table *table, uint32_t index)
{
    handles_release_many(table, &index, 1);
}

uint32_t handles_flags(const handle_table *table, uint32_t index, uint32_t generation)
{
    if (index >= table->capacity || generation == 0) {
        return 0;
    }
    uint64_t control = atomic_load_explicit(&table->slots[index].control, memory_order_acquire);
    return (uint32_t)(control >> 32) == generation ? (uint32_t)control : 0;
}

/* Sets or adds. */
static inline bool change(handle_table *table, uint32_t index, uint32_t generation, uint32_t set, uint32_t add,
                          uint32_t unless)
{
    if (index >= table->capacity || generation == 0) {
        return false;
    }
    _Atomic uint64_t *control = &table->slots[index].control;
    uint64_t seen = atomic_load_explicit(control, memory_order_acquire);
    do {
        if ((uint32_t)(seen >> 32) != generation || !((uint32_t)seen & HANDLE_FLAG_LIVE) || ((uint32_t)seen & unless) ||
            ((uint32_t)seen & ~HANDLE_FLAG_LIVE) + add >= HANDLE_FLAG_LIVE) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(control, &seen, (seen | set) + add, memory_order_acq_rel,
                                                    memory_order_acquire));
    return true;
}

bool handles_set(handle_table *table, uint32_t index, uint32_t generation, uint32_t flags, uint32_t unless)
{
    return change(table, index, generation, flags, 0, unless);
}

bool handles_add(handle_table *table, uint32_t index, uint32_t generation, uint32_t amount, uint32_t unless)
{
    return change(table, index, generation, 0, amount, unless);
}
