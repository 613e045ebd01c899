/* sim_region.c - region.c's place in the simulator: regions whose pages stay from seed to seed.
 *
 * To have some hundred pages made anew takes longer than a seed. A region that is had again is filled with a byte that
 * is in no pack's favour, so that no seed sees what another has left. One thread. */
#include "bounds.h"
#include "region.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_COUNT_MAX 4u /* pool, lent memory, scratch memory, and one in case */
#define FILL_BYTES_MAX KIB(512) /* what is larger is scratch memory, which is written to before it is read */
#define FILL_BYTE 0xa5

static region kept[KEPT_COUNT_MAX];

bool region_map(uint64_t size, bool huge, region *r)
{
    *r = (region){ 0 };
    ASSERT(size % REGION_UNIT == 0);
    for (uint32_t i = 0; i < KEPT_COUNT_MAX && r->memory == NULL; ++i) {
        if (kept[i].size == size) {
            *r = kept[i];
            kept[i] = (region){ 0 };
        }
    }
    if (r->memory == NULL && posix_memalign(&r->memory, REGION_UNIT, size) == 0) {
        r->size = size;
    }
    r->huge = huge;
    if (r->memory != NULL && size <= FILL_BYTES_MAX) {
        memset(r->memory, FILL_BYTE, size);
    }
    return r->memory != NULL;
}

bool region_create(uint64_t size, bool huge, region *r)
{
    return region_map(size, huge, r);
}

void region_destroy(region *r)
{
    for (uint32_t i = 0; i < KEPT_COUNT_MAX && r->memory != NULL; ++i) {
        if (kept[i].memory == NULL) {
            kept[i] = *r;
            r->memory = NULL;
        }
    }
    free(r->memory);
    *r = (region){ 0 };
}
