/* arena.h - cuts one region into blocks: the buffer pool's slots, and the memory that is lent to the engine.
 *
 * Two-level segregated fit (Masmano et al., "TLSF: a new dynamic memory allocator for real-time systems", 2004) over
 * fixed units, with its book-keeping beside the region instead of in it: allocate and free are O(1), neighbours merge
 * at once, and a kernel or an engine that writes past its block cannot harm the lists. One thread (the I/O thread). */
#ifndef LEAT_ARENA_H
#define LEAT_ARENA_H

#include "base.h"

typedef struct arena arena;

typedef struct arena_desc {
    memory *memory;
    void *base; /* of the region, which is the caller's */
    uint64_t size; /* a multiple of unit_size */
    uint32_t unit_size; /* power of two: size and alignment of what is handed out */
} arena_desc;

arena *arena_create(const arena_desc *desc);
void arena_destroy(arena *a);

/* At least `size` (> 0) bytes at a multiple of unit_size, or NULL. */
void *arena_allocate(arena *a, uint64_t size);
/* The same at a multiple of `alignment` (a power of two, of which the base is a multiple too), if a block with room for
 * that is there. */
void *arena_allocate_aligned(arena *a, uint64_t size, uint64_t alignment);
/* A block from arena_allocate. */
void arena_free(arena *a, void *block);
uint64_t arena_bytes_used(const arena *a);
/* True if a block of this size could be had at once. */
bool arena_can_allocate(const arena *a, uint64_t size);

#endif
