/* region.c - see region.h. */
#include "region.h"

#include <sys/mman.h>

#define TOUCH_STRIDE 4096u

bool region_map(uint64_t size, bool huge, region *r)
{
    *r = (region){ 0 };
    ASSERT(size % HUGE_PAGE_SIZE == 0);
    uint64_t mapped = size + HUGE_PAGE_SIZE; /* mmap aligns to small pages: cut our own alignment out of more */
    if (size == 0 || mapped < size) {
        return false;
    }
    uint8_t *raw = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED) {
        return false;
    }
    uint8_t *begin = (uint8_t *)align_up((uint64_t)(uintptr_t)raw, HUGE_PAGE_SIZE);
    uint64_t before = (uint64_t)(begin - raw);
    if (before > 0) {
        munmap(raw, before);
    }
    if (before < HUGE_PAGE_SIZE) {
        munmap(begin + size, HUGE_PAGE_SIZE - before);
    }
    r->memory = begin;
    r->size = size;
    r->huge = huge && madvise(begin, size, MADV_HUGEPAGE) == 0;
    madvise(begin, size, MADV_DONTFORK); /* refused by nothing that matters */
    return true;
}

bool region_create(uint64_t size, bool huge, region *r)
{
    if (!region_map(size, huge, r)) {
        return false;
    }
    for (uint64_t at = 0; at < size; at += TOUCH_STRIDE) {
        *((volatile uint8_t *)r->memory + at) = 0;
    }
    return true;
}

void region_destroy(region *r)
{
    if (r->memory != NULL) {
        munmap(r->memory, r->size);
    }
    *r = (region){ 0 };
}
