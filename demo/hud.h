/* hud.h - figures over the picture: frame times, streams of bytes, queues, memory, states; what is looked at, and why
 * it looks as it does; what is streamed now; and the list of keys. */
#ifndef VIEW_HUD_H
#define VIEW_HUD_H

#include "jump.h"
#include "stream.h"
#include "text.h"
#include "wants.h"

#define HUD_FRAMES 240u

typedef struct hud {
    float frame_ms[HUD_FRAMES];
    float update_ms[HUD_FRAMES];
    float class_ms[LEAT_PRIORITY_COUNT]
                  [HUD_FRAMES]; /* by leat_priority: of the slowest that became ready in that frame */
    uint32_t frame_next;
    uint64_t rate_ns, rate_read, rate_delivered, rate_reads, rate_cached; /* where the last rate was taken */
    float read_rate, delivered_rate; /* bytes a second */
    float cached_part; /* of the reads: through the page cache */
    float read_history[HUD_FRAMES];
    uint32_t read_next;
} hud;

typedef struct hud_context {
    const char *place, *renderer;
    const stream *s;
    const residency *r;
    const catalog *c;
    const world *w;
    const wants *wants;
    const view_camera *camera;
    const jump *jump;
    const leat_streamer *streamer;
    uint32_t width, height, draw_count, triangle_count;
    bool paused, figures, help, mips;
} hud_context;

void hud_frame(hud *h, uint64_t frame_ns, const stream *s);
void hud_draw(hud *h, text *t, const hud_context *context);

/* ---- Inside: between hud.c and hud_focus.c ---- */

/* Of the classes, in the table of figures and in the picture of a jump. */
const uint8_t *hud_class_tint(uint8_t priority);

extern const uint8_t hud_ink[4], hud_dim[4], hud_gold[4], hud_teal[4], hud_rose[4], hud_blue[4], hud_panel[4];

/* The exhibit that is looked at: marked in the picture, and explained in a panel at the top right, with what is
 * streamed now below it. */
void hud_focus_draw(text *t, const hud_context *context, float unit);
/* The same of the exhibit in one line, for pictures that have no room for a panel. "": nothing is looked at. */
void hud_focus_line(const hud_context *context, char *line, size_t line_size);
/* How long the last jump took, and each of its requests, at the bottom right. */
void hud_jump_draw(text *t, const hud_context *context, float unit);
/* What the colours of the overlay mean, and how much in view has each; at the bottom right. */
void hud_legend_draw(text *t, const hud_context *context, float unit, bool above_jump);

#endif
