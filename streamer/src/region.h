/* region.h - one large mapping on huge pages, touched beforehand.
 *
 * Reads into 4 KiB pages cost the kernel 45 us of pinning and translating per MiB, into 2 MiB pages 7 us; and memory
 * that faults in while it is written to halves the rate of a whole pipeline. So the buffer pool and the memory that is
 * lent are one region each: aligned to 2 MiB, advised to be huge, written to once, and not given to forked children
 * (the device may be writing into it). */
#ifndef LEAT_REGION_H
#define LEAT_REGION_H

#include "base.h"

typedef struct region {
    void *memory; /* NULL: none */
    uint64_t size;
    bool huge; /* the kernel took the advice */
} region;

/* size is a multiple of HUGE_PAGE_SIZE. Zeroed. False, and an empty region, if it cannot be mapped. */
bool region_create(uint64_t size, bool huge, region *r);
/* The same, but its pages come when they are first written to. */
bool region_map(uint64_t size, bool huge, region *r);
void region_destroy(region *r); /* an empty one is allowed */

#endif
