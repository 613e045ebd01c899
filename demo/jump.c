/* jump.c - see jump.h. */
#include "jump.h"

#include <stdio.h>

void jump_begin(jump *j, const char *what, const leat_streamer *streamer)
{
    *j = (jump){ .begin_ns = clock_ns() };
    snprintf(j->what, sizeof j->what, "%s", what);
    waterfall_begin(&j->waterfall, j->begin_ns);
    leat_stats_get(streamer, &j->begin);
}

bool jump_frame(jump *j, const stream *s)
{
    if (j->sharp_ns != 0) {
        return false;
    }
    leat_stats stats;
    leat_stats_get(s->streamer, &stats);
    uint64_t since_ns = clock_ns() - j->begin_ns;
    ++j->frames;
    j->requests = stats.requests_ready - j->begin.requests_ready;
    j->bytes_read = stats.bytes_read - j->begin.bytes_read;
    j->reads = stats.reads_completed - j->begin.reads_completed;
    j->reads_cached = stats.reads_cached - j->begin.reads_cached;
    j->slowest_ns = s->counts.latency_ns_last > j->slowest_ns ? s->counts.latency_ns_last : j->slowest_ns;
    if (s->r->wanted_count == 0 || s->r->bare_count > 0) {
        return false;
    }
    if (j->shown_ns == 0) {
        j->shown_ns = since_ns;
        j->frames_shown = j->frames;
    }
    if (s->r->coarse_count > 0) {
        return false;
    }
    waterfall_end(&j->waterfall, clock_ns());
    j->sharp_ns = since_ns;
    j->frames_sharp = j->frames;
    return true;
}
