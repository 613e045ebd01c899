/* hud.h - figures over the picture: frame times, streams of bytes, queues, memory, states; and the list of keys. */
#ifndef VIEW_HUD_H
#define VIEW_HUD_H

#include "stream.h"
#include "text.h"

#define HUD_FRAMES 240u

typedef struct hud {
    float frame_ms[HUD_FRAMES];
    float update_ms[HUD_FRAMES];
    float latency_ms[HUD_FRAMES]; /* of the slowest request that became ready in that frame */
    uint32_t frame_next;
    uint64_t rate_ns, rate_read, rate_delivered; /* where the last rate was taken */
    float read_rate, delivered_rate; /* bytes a second */
    float read_history[HUD_FRAMES];
    uint32_t read_next;
} hud;

typedef struct hud_context {
    const char *place, *renderer;
    const stream *s;
    const residency *r;
    const leat_streamer *streamer;
    uint32_t width, height, draw_count, triangle_count, drawn_count;
    bool paused, help, flying;
} hud_context;

void hud_frame(hud *h, uint64_t frame_ns, const stream *s);
void hud_draw(hud *h, text *t, const hud_context *context);

#endif
