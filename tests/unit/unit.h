/* unit.h - what all unit tests include: cmocka with its prerequisites, a plain memory, and a seeded generator. */
#ifndef LEAT_TEST_UNIT_H
#define LEAT_TEST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka last: it needs the four above */
#include <cmocka.h>

#include "base.h"

static inline void *unit_allocate(size_t size, size_t alignment, void *user)
{
    (void)user;
    void *block = NULL;
    return posix_memalign(&block, alignment < sizeof(void *) ? sizeof(void *) : alignment, size) == 0 ? block : NULL;
}

static inline void unit_free(void *block, size_t size, void *user)
{
    (void)size;
    (void)user;
    free(block);
}

/* For memory whose user is a count of allocations: that many succeed, and then none does. */
static inline void *unit_allocate_some(size_t size, size_t alignment, void *user)
{
    uint32_t *left = user;
    if (*left == 0) {
        return NULL;
    }
    --*left;
    return unit_allocate(size, alignment, NULL);
}

static inline memory unit_memory(uint64_t *live)
{
    return (memory){ .allocator = { .allocate = unit_allocate, .free = unit_free }, .bytes_live = live };
}

/* SplitMix64 (Steele, Lea, Flood 2014): the tests' randomness, from a seed that they print when they fail. */
static inline uint64_t unit_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t unit_below(uint64_t *state, uint64_t bound)
{
    return unit_random(state) % bound;
}

#endif
