/* fuzz_memory.c - see fuzz_memory.h. */
#include "fuzz_memory.h"

#include "base.h"
#include "region.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#endif
#ifdef POISONS
#include <sanitizer/asan_interface.h>
#define POISON(at, size) __asan_poison_memory_region(at, size)
#define UNPOISON(at, size) __asan_unpoison_memory_region(at, size)
#else
#define POISON(at, size) ((void)(at), (void)(size))
#define UNPOISON(at, size) ((void)(at), (void)(size))
#endif

#define ARENA_BYTES MIB(16)
#define GAP_BYTES 64u

#define REGION_BYTES MIB(8)
#define REGION_FILL_BYTES KIB(256) /* of each region: blocks are taken from its front */

static _Alignas(HUGE_PAGE_SIZE) uint8_t arena[ARENA_BYTES]; /* so that an aligned offset is an aligned address */
static _Alignas(HUGE_PAGE_SIZE) uint8_t regions[REGION_BYTES];
static uint64_t regions_used;
static uint64_t used;
static int64_t live;

static void *take(size_t size, size_t alignment, void *user)
{
    (void)user;
    uint64_t begin = align_up(used, u64_max(alignment, 16));
    if (begin + size + GAP_BYTES > sizeof(arena)) {
        return NULL;
    }
    used = begin + size + GAP_BYTES;
    live += (int64_t)size;
    UNPOISON(arena + begin, size);
    return arena + begin;
}

static void give_back(void *block, size_t size, void *user)
{
    (void)user;
    live -= (int64_t)size;
    POISON(block, size);
}

void fuzz_memory_reset(void)
{
    POISON(arena, used == 0 ? sizeof(arena) : used);
    used = GAP_BYTES;
    live = 0;
    regions_used = 0;
}

/* In place of region.c (the linker's --wrap): the same pages each time, with other bytes in front. */
bool __wrap_region_map(uint64_t size, bool huge, region *r);
bool __wrap_region_create(uint64_t size, bool huge, region *r);
void __wrap_region_destroy(region *r);

bool __wrap_region_map(uint64_t size, bool huge, region *r)
{
    *r = (region){ 0 };
    if (size > sizeof(regions) - regions_used) {
        return false;
    }
    *r = (region){ .memory = regions + regions_used, .size = size, .huge = huge };
    regions_used += size;
    memset(r->memory, 0xa5, u64_min(size, REGION_FILL_BYTES));
    return true;
}

bool __wrap_region_create(uint64_t size, bool huge, region *r)
{
    return __wrap_region_map(size, huge, r);
}

void __wrap_region_destroy(region *r)
{
    *r = (region){ 0 };
}

int64_t fuzz_memory_live(void)
{
    return live;
}

leat_allocator fuzz_memory_allocator(void)
{
    return (leat_allocator){ .allocate = take, .free = give_back };
}
