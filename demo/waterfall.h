/* waterfall.h - when each request of a jump was asked for, and when it was there: a picture of who passed whom. Pure.
 *
 * A row is a request, in the order of asking. Time in which none was under way (the wait for the next frame) is cut
 * out, so that what is left is what the streamer took. */
#ifndef VIEW_WATERFALL_H
#define VIEW_WATERFALL_H

#include <stdbool.h>
#include <stdint.h>

#define WATERFALL_ROWS_MAX 512u /* the first ones; later ones are left out */

typedef struct waterfall_row {
    uint64_t order; /* of asking; time does not go back in it */
    uint64_t begin_ns, end_ns; /* asked for, and there */
    uint8_t priority; /* leat_priority: the last that it was given */
} waterfall_row;

typedef struct waterfall {
    uint64_t from_ns, until_ns; /* rows that begin within are taken */
    uint32_t count;
    waterfall_row rows[WATERFALL_ROWS_MAX]; /* by order */
} waterfall;

/* Where a row lies: parts of the time in which something was under way. */
typedef struct waterfall_span {
    float begin, end; /* 0 .. 1 */
} waterfall_span;

/* Nothing so far, and what is asked for from now on. */
void waterfall_begin(waterfall *w, uint64_t now_ns);
/* And nothing that is asked for later. */
void waterfall_end(waterfall *w, uint64_t now_ns);
/* In any order. */
void waterfall_add(waterfall *w, const waterfall_row *row);
/* A span for each row. Returns for how long something was under way. */
uint64_t waterfall_place(const waterfall *w, waterfall_span *spans);

#endif
