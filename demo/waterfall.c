/* waterfall.c - see waterfall.h. */
#include "waterfall.h"

#include <string.h>

void waterfall_begin(waterfall *w, uint64_t now_ns)
{
    w->from_ns = now_ns;
    w->until_ns = UINT64_MAX;
    w->count = 0;
}

void waterfall_end(waterfall *w, uint64_t now_ns)
{
    w->until_ns = now_ns;
}

void waterfall_add(waterfall *w, const waterfall_row *row)
{
    if (row->begin_ns < w->from_ns || row->begin_ns > w->until_ns) {
        return;
    }
    uint32_t at = w->count;
    while (at > 0 && w->rows[at - 1].order > row->order) {
        --at;
    }
    if (at == WATERFALL_ROWS_MAX) {
        return;
    }
    w->count += w->count < WATERFALL_ROWS_MAX;
    memmove(&w->rows[at + 1], &w->rows[at], (w->count - 1 - at) * sizeof *w->rows);
    w->rows[at] = *row;
}

uint64_t waterfall_place(const waterfall *w, waterfall_span *spans)
{
    uint64_t until_ns = w->count > 0 ? w->rows[0].begin_ns : 0; /* of those so far, the last was there */
    uint64_t cut_ns = until_ns;
    for (uint32_t i = 0; i < w->count; ++i) {
        const waterfall_row *row = &w->rows[i];
        if (row->begin_ns > until_ns) {
            cut_ns += row->begin_ns - until_ns;
            until_ns = row->begin_ns;
        }
        until_ns = row->end_ns > until_ns ? row->end_ns : until_ns;
        spans[i] = (waterfall_span){ (float)(row->begin_ns - cut_ns), (float)(row->end_ns - cut_ns) };
    }
    uint64_t busy_ns = until_ns - cut_ns;
    for (uint32_t i = 0; i < w->count && busy_ns > 0; ++i) {
        spans[i].begin /= (float)busy_ns;
        spans[i].end /= (float)busy_ns;
    }
    return busy_ns;
}
