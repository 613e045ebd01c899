/* handles.c - see handles.h. */
#include "handles.h"

static uint64_t pair(uint32_t high, uint32_t low)
{
    return (uint64_t)high << 32 | low;
}

bool handles_init(handle_table *table, uint32_t capacity, memory *m)
{
    *table = (handle_table){ .capacity = capacity };
    table->slots = memory_allocate(m, capacity, sizeof(handle_slot), CACHE_LINE_SIZE);
    if (table->slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < capacity; ++i) {
        atomic_init(&table->slots[i].control, pair(1, 0));
        atomic_init(&table->slots[i].next_free, i + 1 < capacity ? i + 1 : HANDLE_FREE_END);
    }
    atomic_init(&table->free_head, pair(0, 0));
    atomic_init(&table->live_count, 0);
    return true;
}

void handles_free(handle_table *table, memory *m)
{
    memory_free(m, table->slots, table->capacity, sizeof(handle_slot));
    table->slots = NULL;
}

bool handles_acquire(handle_table *table, uint32_t *index, uint32_t *generation)
{
    /* Acquire pairs with the release in handles_release: we see next_free and the new generation. The tag changes with
     * every pop, so a head that has come back meanwhile is noticed. */
    uint64_t head = atomic_load_explicit(&table->free_head, memory_order_acquire);
    for (;;) {
        uint32_t slot = (uint32_t)head;
        if (slot == HANDLE_FREE_END) {
            return false;
        }
        uint32_t next = atomic_load_explicit(&table->slots[slot].next_free, memory_order_relaxed);
        uint64_t wanted = pair((uint32_t)(head >> 32) + 1, next);
        if (atomic_compare_exchange_weak_explicit(&table->free_head, &head, wanted, memory_order_acquire,
                                                  memory_order_acquire)) {
            *index = slot;
            break;
        }
    }
    atomic_fetch_add_explicit(&table->live_count, 1, memory_order_relaxed);
    uint64_t control = atomic_load_explicit(&table->slots[*index].control, memory_order_relaxed);
    *generation = (uint32_t)(control >> 32);
    atomic_store_explicit(&table->slots[*index].control, pair(*generation, HANDLE_FLAG_LIVE), memory_order_release);
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
            atomic_store_explicit(&table->slots[indices[i - 1]].next_free, indices[i], memory_order_relaxed);
        }
    }
    handle_slot *last = &table->slots[indices[count - 1]];
    uint64_t head = atomic_load_explicit(&table->free_head, memory_order_relaxed);
    uint64_t wanted;
    do {
        atomic_store_explicit(&last->next_free, (uint32_t)head, memory_order_relaxed);
        wanted = pair((uint32_t)(head >> 32), indices[0]);
    } while (!atomic_compare_exchange_weak_explicit(&table->free_head, &head, wanted, memory_order_release,
                                                    memory_order_relaxed));
    atomic_fetch_sub_explicit(&table->live_count, count, memory_order_relaxed);
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

bool handles_set(handle_table *table, uint32_t index, uint32_t generation, uint32_t flags, uint32_t unless)
{
    if (index >= table->capacity || generation == 0) {
        return false;
    }
    _Atomic uint64_t *control = &table->slots[index].control;
    uint64_t seen = atomic_load_explicit(control, memory_order_acquire);
    do {
        if ((uint32_t)(seen >> 32) != generation || !((uint32_t)seen & HANDLE_FLAG_LIVE) || ((uint32_t)seen & unless)) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(control, &seen, seen | flags, memory_order_acq_rel,
                                                    memory_order_acquire));
    return true;
}
