/* report.h - what was measured over a run, and its JSON. */
#ifndef VIEW_REPORT_H
#define VIEW_REPORT_H

#include "stream.h"

typedef struct report_series {
    float *values;
    uint32_t count, capacity;
} report_series;

typedef struct report {
    report_series frame_ms, update_ms, upload_ms, submit_ms;
    report_series sharp_ms; /* from the start and from each jump or drop until all in view was as fine as wanted */
    report_series redrawn_ms; /* from the change of a file to the end of the first frame that shows it */
    uint32_t reloads, rebuilds; /* changed, added or removed exhibits; times that the museum was built anew for them */
    uint64_t start_ns;
    uint64_t first_texture_ns; /* since the start; 0: not yet */
    uint64_t all_resident_ns; /* since the start, everything in view at the wanted detail; 0: not yet */
    uint32_t frames, frames_complete,
        frames_with_gaps; /* nothing missing or coarse in view / something without anything */
    uint32_t frames_waited; /* in which the render thread waited for I/O: nothing in the viewer can make it grow */
    uint64_t gpu_bytes_max;
} report;

typedef struct report_context {
    const char *renderer;
    const catalog *c;
    const residency *r;
    const stream *s;
    const leat_streamer *streamer;
    uint32_t hall_count, width, height, samples;
    uint64_t budget_bytes;
} report_context;

void report_series_add(report_series *series, float value);
void report_frame(report *p, uint64_t frame_ns, const stream *s, const residency *r, uint32_t textures_resident);
bool report_write(report *p, const report_context *context, const char *path);
void report_destroy(report *p);

#endif
