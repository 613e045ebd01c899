/* handles.h - slots with generations: which numbers are free, and whether a handle still means what it meant.
 *
 * One 64-bit control word a slot holds the generation (high half) and the flags of its present object (low half), so
 * that "if this handle is still alive, set this flag" is one compare-and-swap: it can never hit a later object in the
 * same slot. The free slots form a lock-free stack whose head carries a tag against the ABA problem. Any thread may
 * call anything.
 *
 * A slot also holds one link for mail about its object (mpsc.h), which is its owner's: a cancel sets a flag and posts,
 * and of a million slots both are in no cache, so that it matters that they are one miss and not two. */
#ifndef LEAT_HANDLES_H
#define LEAT_HANDLES_H

#include "base.h"
#include "mpsc.h"

#include <stdatomic.h>

#define HANDLE_FREE_END UINT32_MAX
#define HANDLE_FLAG_LIVE (1u << 31) /* set while an object uses the slot; the other bits are its owner's */

typedef struct handle_slot {
    _Atomic uint64_t control; /* generation << 32 | flags */
    mpsc_link mail;
} handle_slot;

typedef struct handle_table {
    /* constant after handles_init; apart from the head, which all threads write */
    handle_slot *slots;
    _Atomic uint32_t *next_free; /* of a slot, while it is free */
    uint32_t capacity;
    _Alignas(CACHE_LINE_SIZE) _Atomic uint64_t free_head; /* tag << 32 | index */
} handle_table;

bool handles_init(handle_table *table, uint32_t capacity, memory *m);
void handles_free(handle_table *table, memory *m);

/* Takes free slots, live from now on, with one pop: `wanted` of them or as many as there are. Returns how many. */
uint32_t handles_acquire_many(handle_table *table, uint32_t wanted, uint32_t *indices);
/* The slot that is likely to be taken next, or HANDLE_FREE_END: to be fetched before it is needed. */
static inline uint32_t handles_next(const handle_table *table)
{
    return (uint32_t)atomic_load_explicit(&table->free_head, memory_order_relaxed);
}
/* One free slot, with its generation; false if there is none. */
bool handles_acquire(handle_table *table, uint32_t *index, uint32_t *generation);
/* Ends the object: its handles are stale from now on. The slot must be live. */
void handles_release(handle_table *table, uint32_t index);
/* The same for many, with one push. */
void handles_release_many(handle_table *table, const uint32_t *indices, uint32_t count);

/* The flags of a live handle, or 0 for a stale, null or foreign one. Acquire. */
uint32_t handles_flags(const handle_table *table, uint32_t index, uint32_t generation);
/* Sets flags of a live handle; false if it is stale, or if any of `unless` is set already. */
bool handles_set(handle_table *table, uint32_t index, uint32_t generation, uint32_t flags, uint32_t unless);
/* Adds to the flags, for an owner that counts in the upper ones of them; false also if there is no room for more. */
bool handles_add(handle_table *table, uint32_t index, uint32_t generation, uint32_t amount, uint32_t unless);

/* For the owner of a live slot, who needs no check. */
static inline uint32_t handles_flags_at(const handle_table *table, uint32_t index)
{
    return (uint32_t)atomic_load_explicit(&table->slots[index].control, memory_order_acquire);
}
static inline uint32_t handles_generation_at(const handle_table *table, uint32_t index)
{
    return (uint32_t)(atomic_load_explicit(&table->slots[index].control, memory_order_relaxed) >> 32);
}
static inline void handles_set_at(handle_table *table, uint32_t index, uint32_t flags)
{
    atomic_fetch_or_explicit(&table->slots[index].control, flags, memory_order_acq_rel);
}

#endif
