/* jump.h - how long it takes until all that is in view is there: from the start, from a jump to somewhere else, or from
 * when everything was dropped. */
#ifndef VIEW_JUMP_H
#define VIEW_JUMP_H

#include "stream.h"

typedef struct jump {
    char what[48];
    uint64_t begin_ns;
    uint64_t shown_ns, sharp_ns; /* from then on until everything shows something, is as fine as wanted; 0: not yet */
    uint32_t frames, frames_shown, frames_sharp;
    leat_stats begin; /* counts as they were */
    uint64_t requests, bytes_read, reads, reads_cached; /* since, until sharp */
    uint64_t slowest_ns; /* of these requests */
    waterfall waterfall; /* of what was asked for since, until sharp */
} jump;

void jump_begin(jump *j, const char *what, const leat_streamer *streamer);
/* At the end of a frame. True in the one in which everything has become sharp. */
bool jump_frame(jump *j, const stream *s);

#endif
