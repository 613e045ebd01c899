/* hud.c - lays the HUD out for 1280 x 720 and scales it with the picture: by its height, or its width if it is narrow.
 */
#include "hud.h"

#include <stdio.h>
#include <string.h>

#define ERROR_NS UINT64_C(8000000000)
#define RATE_NS UINT64_C(250000000)

/* Where the panel does not fit above the foot, its charts and Leat's own memory are left out, and the panel at the
 * right becomes a line. */
#define PANEL_WIDTH 320.0f
#define PANEL_HEIGHT 541.0f
#define CHARTS_HEIGHT 126.0f /* of it, with Leat's memory */
#define FOOT_HEIGHT 35.0f
#define FOCUS_WIDTH_MIN 820.0f /* for both panels and something between them */
#define HELP_WIDTH 590.0f
#define HELP_LINE_HEIGHT 24.0f
#define MARGIN 14.0f
#define UNIT_MIN 0.75f /* smaller letters are illegible */

const uint8_t hud_ink[4] = { 244, 240, 232, 255 }, hud_dim[4] = { 186, 180, 170, 255 };
const uint8_t hud_gold[4] = { 248, 206, 120, 255 }, hud_teal[4] = { 96, 214, 196, 255 };
const uint8_t hud_rose[4] = { 240, 110, 110, 255 }, hud_blue[4] = { 120, 170, 240, 255 };
const uint8_t hud_panel[4] = { 26, 25, 27, 226 };
static const uint8_t track[4] = { 96, 94, 96, 190 };

const uint8_t *hud_class_tint(uint8_t priority)
{
    switch ((leat_priority)priority) {
    case LEAT_URGENT:
        return hud_rose;
    case LEAT_HIGH:
        return hud_gold;
    case LEAT_NORMAL:
        return hud_teal;
    default:
        return hud_blue;
    }
}

void hud_frame(hud *h, uint64_t frame_ns, const stream *s)
{
    h->frame_ms[h->frame_next] = (float)frame_ns * 1e-6f;
    h->update_ms[h->frame_next] = (float)(s->counts.update_ns_last + s->counts.submit_ns_last) * 1e-6f;
    for (uint32_t i = 0; i < LEAT_PRIORITY_COUNT; ++i) {
        h->class_ms[i][h->frame_next] = (float)s->counts.class_latency_ns_last[i] * 1e-6f;
    }
    h->frame_next = (h->frame_next + 1) % HUD_FRAMES;
    uint64_t now = clock_ns();
    leat_stats stats;
    leat_stats_get(s->streamer, &stats);
    if (h->rate_ns == 0 || now - h->rate_ns >= RATE_NS) {
        if (h->rate_ns != 0) {
            float seconds = (float)(now - h->rate_ns) * 1e-9f;
            h->read_rate = (float)(stats.bytes_read - h->rate_read) / seconds;
            h->delivered_rate = (float)(stats.bytes_delivered - h->rate_delivered) / seconds;
            uint64_t reads = stats.reads_completed - h->rate_reads;
            h->cached_part = reads > 0 ? (float)(stats.reads_cached - h->rate_cached) / (float)reads : 0;
        }
        h->rate_ns = now;
        h->rate_read = stats.bytes_read;
        h->rate_delivered = stats.bytes_delivered;
        h->rate_reads = stats.reads_completed;
        h->rate_cached = stats.reads_cached;
    }
    h->read_history[h->read_next] = h->delivered_rate;
    h->read_next = (h->read_next + 1) % HUD_FRAMES;
}

static void graph(text *t, float x, float y, float width, float height, const float *values, uint32_t next, float full,
                  const uint8_t tint[4])
{
    text_box(t, x, y, width, height, track);
    float step = width / (float)HUD_FRAMES;
    for (uint32_t i = 0; i < HUD_FRAMES; ++i) {
        float part = f_clamp(values[(next + i) % HUD_FRAMES] / full, 0, 1);
        if (part > 0) {
            text_box(t, x + step * (float)i, y + height * (1 - part), step, height * part, tint);
        }
    }
}

static float largest(const float *values)
{
    float most = 0;
    for (uint32_t i = 0; i < HUD_FRAMES; ++i) {
        most = f_max(most, values[i]);
    }
    return most;
}

typedef struct column {
    text *t;
    float x, y, width, unit;
    bool charts;
} column;

static void row(column *c, const char *name, const char *value)
{
    text_screen(c->t, c->x, c->y, 15 * c->unit, hud_dim, name);
    text_screen(c->t, c->x + c->width - text_width(value, 15 * c->unit), c->y, 15 * c->unit, hud_ink, value);
    c->y += 18 * c->unit;
}

static void bar(column *c, const char *name, double value, double full, const uint8_t tint[4])
{
    char amount[64];
    snprintf(amount, sizeof amount, "%.1f / %.0f MiB", value / 1048576.0, full / 1048576.0);
    row(c, name, amount);
    text_box(c->t, c->x, c->y, c->width, 5 * c->unit, track);
    text_box(c->t, c->x, c->y, c->width * f_clamp((float)(value / (full > 0 ? full : 1)), 0, 1), 5 * c->unit, tint);
    c->y += 11 * c->unit;
}

static void chart(column *c, float height, const float *values, uint32_t next, float full, const uint8_t tint[4])
{
    if (c->charts) {
        graph(c->t, c->x, c->y, c->width, height * c->unit, values, next, full, tint);
        c->y += (height + 6) * c->unit;
    }
}

static void times_draw(hud *h, column *c, const hud_context *context)
{
    uint32_t last = (h->frame_next + HUD_FRAMES - 1) % HUD_FRAMES;
    char value[96];
    float most = largest(h->frame_ms), full = most > 66 ? most : most > 33 ? 66.7f : 33.3f;
    snprintf(value, sizeof value, "%.1f ms  (max %.0f)", (double)h->frame_ms[last], (double)most);
    row(c, "frame", value);
    chart(c, 34, h->frame_ms, h->frame_next, full, hud_gold);
    snprintf(value, sizeof value, "%.3f ms  (max %.2f)", (double)h->update_ms[last], (double)largest(h->update_ms));
    row(c, "of that in Leat", value);
    snprintf(value, sizeof value, "%.2f ms", (double)context->s->counts.upload_ns_last * 1e-6);
    row(c, "uploads to the GPU", value);
    c->y += 5 * c->unit;
}

/* A line of four columns. */
static void cells(column *c, const uint8_t name_tint[4], const uint8_t tint[4], const char *const texts[4])
{
    static const float right[] = { 0, 0.56f, 0.76f, 1 };
    float size = 15 * c->unit;
    text_screen(c->t, c->x, c->y, size, name_tint, texts[0]);
    for (uint32_t i = 1; i < 4; ++i) {
        text_screen(c->t, c->x + right[i] * c->width - text_width(texts[i], size), c->y, size, tint, texts[i]);
    }
    c->y += 18 * c->unit;
}

/* That urgent requests overtake the others is seen here. */
static void classes_draw(hud *h, column *c, const hud_context *context)
{
    static const struct {
        leat_priority priority;
        const char *name;
    } classes[] = {
        { LEAT_URGENT, "urgent" }, { LEAT_HIGH, "high" }, { LEAT_NORMAL, "normal" }, { LEAT_PREFETCH, "prefetch" }
    };
    uint32_t reading[LEAT_PRIORITY_COUNT] = { 0 };
    for (uint32_t i = 0; i < context->r->wanted_count; ++i) {
        uint32_t item = context->r->wanted[i];
        reading[context->s->asked[item].priority] += context->r->items[item].reading;
    }
    c->y += 5 * c->unit;
    cells(c, hud_dim, hud_dim, (const char *const[]){ "requests", "under way", "ready", "slowest" });
    for (uint32_t i = 0; i < LEAT_PRIORITY_COUNT; ++i) {
        leat_priority priority = classes[i].priority;
        char under_way[16], ready[24], slowest[32] = "-";
        float most = largest(h->class_ms[priority]);
        snprintf(under_way, sizeof under_way, "%u", reading[priority]);
        snprintf(ready, sizeof ready, "%llu", (unsigned long long)context->s->counts.class_ready[priority]);
        if (most > 0) {
            snprintf(slowest, sizeof slowest, "%.1f ms", (double)most);
        }
        cells(c, hud_class_tint((uint8_t)priority), reading[priority] > 0 ? hud_teal : hud_ink,
              (const char *const[]){ classes[i].name, under_way, ready, slowest });
    }
}

static void flow_draw(hud *h, column *c, const hud_context *context, const leat_stats *stats)
{
    char value[96];
    int used = snprintf(value, sizeof value, "%.1f MB/s", (double)h->read_rate * 1e-6);
    if (h->read_rate > 0) {
        snprintf(value + used, sizeof value - (size_t)used, ", %.0f %% cached", (double)h->cached_part * 100);
    }
    row(c, "read", value);
    snprintf(value, sizeof value, "%.1f MB/s", (double)h->delivered_rate * 1e-6);
    row(c, "decoded", value);
    chart(c, 22, h->read_history, h->read_next, f_max(largest(h->read_history), 1e6f), hud_teal);
    snprintf(value, sizeof value, "%u reads, %.2f of %.2f MiB", stats->reads_in_flight,
             (double)stats->bytes_in_flight / 1048576.0, (double)stats->window_bytes / 1048576.0);
    row(c, "in the window", value);
    snprintf(value, sizeof value, "%u queued, %u decoding, %u to upload", stats->requests_queued, stats->decode_queued,
             context->s->arrival_count);
    row(c, "queues", value);
    classes_draw(h, c, context);
    snprintf(value, sizeof value, "%llu met, %llu missed", (unsigned long long)stats->deadlines_met,
             (unsigned long long)stats->deadlines_missed);
    row(c, "deadlines", value);
    c->y += 5 * c->unit;
}

static void memory_draw(column *c, const hud_context *context, const leat_stats *stats)
{
    leat_info info;
    leat_info_get(context->streamer, &info);
    const residency_budget *textures = &context->r->budgets[RESIDENCY_TEXTURES];
    const residency_budget *meshes = &context->r->budgets[RESIDENCY_MESHES];
    bar(c, textures->bias > 0 ? "textures, held coarse" : "textures", (double)textures->bytes,
        (double)textures->bytes_max, textures->bias > 0 ? hud_rose : hud_gold);
    bar(c, "meshes", (double)meshes->bytes, (double)meshes->bytes_max, hud_gold);
    if (c->charts) {
        bar(c, "read pool", (double)stats->pool_bytes_used, (double)info.pool_bytes, hud_blue);
        bar(c, "lent by Leat", (double)stats->lent_bytes_used, (double)info.lent_bytes, hud_blue);
    }
    c->y += 3 * c->unit;
}

static void states_draw(column *c, const hud_context *context)
{
    char value[96];
    const stream_counts *counts = &context->s->counts;
    snprintf(value, sizeof value, "%u: %u bare, %u coarse", context->r->wanted_count, context->r->bare_count,
             context->r->coarse_count);
    row(c, "wanted", value);
    snprintf(value, sizeof value, "%llu cancelled, %llu failed, %llu dropped", (unsigned long long)counts->cancelled,
             (unsigned long long)counts->failed, (unsigned long long)counts->evictions);
    row(c, "", value);
    snprintf(value, sizeof value, "%u draws, %.0f k triangles", context->draw_count,
             (double)context->triangle_count * 1e-3);
    row(c, "drawn", value);
}

/* All of it, however small the letters; beside the figures where there is room. */
static void help_draw(text *t, const hud_context *context, float hud_unit)
{
    static const char *const keys[][2] = {
        { "W A S D, Q E", "walk, down and up (Shift: faster)" },
        { "Mouse", "click to look around, Esc lets go" },
        { "F", "automatic flight" },
        { "M", "colour by what is missing: green nothing, blue all" },
        { "L", "wireframe of the meshes' levels of detail" },
        { "P", "pause streaming" },
        { "+  -", "texture budget up and down" },
        { "T", "jump somewhere else" },
        { "R, C", "stream it all again; C: cold, from the disk" },
        { "Tab", "figures on and off" },
        { "F12", "screenshot" },
        { "F1", "this list" },
        { "Esc", "quit" },
    };
    uint32_t count = sizeof keys / sizeof *keys;
    float lines = (float)count * HELP_LINE_HEIGHT + 34;
    float unit = f_min(hud_unit, f_min((float)context->width / HELP_WIDTH, (float)context->height / lines));
    float width = HELP_WIDTH * unit, height = lines * unit, beside = (PANEL_WIDTH + 2 * MARGIN) * hud_unit;
    float x = ((float)context->width - width) * 0.5f, y = ((float)context->height - height) * 0.5f;
    if (beside + width <= (float)context->width) {
        x = f_max(x, beside);
    }
    text_box(t, x, y, width, height, (const uint8_t[]){ 26, 26, 30, 242 });
    for (uint32_t i = 0; i < count; ++i) {
        text_screen(t, x + 22 * unit, y + (17 + (float)i * HELP_LINE_HEIGHT) * unit, 17 * unit, hud_gold, keys[i][0]);
        text_screen(t, x + 160 * unit, y + (17 + (float)i * HELP_LINE_HEIGHT) * unit, 17 * unit, hud_ink, keys[i][1]);
    }
}

static void figures_draw(hud *h, text *t, const hud_context *context, float unit, bool charts)
{
    leat_stats stats;
    leat_info info;
    leat_stats_get(context->streamer, &stats);
    leat_info_get(context->streamer, &info);
    float margin = MARGIN * unit, width = (PANEL_WIDTH - 24) * unit;
    text_box(t, margin, margin, PANEL_WIDTH * unit, (PANEL_HEIGHT - (charts ? 0 : CHARTS_HEIGHT)) * unit, hud_panel);
    column c = { t, margin + 12 * unit, margin + 8 * unit, width, unit, charts };
    text_screen(t, c.x, c.y, 22 * unit, hud_gold, "Leat");
    const char *backend = info.backend == LEAT_BACKEND_URING ? "io_uring" : "pread threads";
    char state[80];
    snprintf(state, sizeof state, "%s%s", backend, context->paused ? ", PAUSED" : "");
    text_screen(t, c.x + width - text_width(state, 15 * unit), c.y + 4 * unit, 15 * unit,
                context->paused ? hud_rose : hud_dim, state);
    c.y += 30 * unit;
    times_draw(h, &c, context);
    flow_draw(h, &c, context, &stats);
    memory_draw(&c, context, &stats);
    states_draw(&c, context);
}

/* Where one is, at the left; at the right what there is room for. */
static void foot_draw(text *t, const hud_context *context, float unit, bool explain)
{
    float margin = MARGIN * unit, size = 14 * unit, y = (float)context->height - 30 * unit;
    float room = (float)context->width - 4 * margin - text_width(context->place, 18 * unit);
    text_box(t, 0, y - 5 * unit, (float)context->width, FOOT_HEIGHT * unit, hud_panel);
    text_screen_within(t, margin, y, 18 * unit, (float)context->width - 2 * margin, hud_ink, context->place);
    char right[256], focus[160] = "";
    snprintf(right, sizeof right, "%s     F1: keys", context->renderer);
    if (explain) {
        hud_focus_line(context, focus, sizeof focus);
        snprintf(right, sizeof right, "%s", focus);
    }
    if (text_width(right, size) > room && !explain) {
        snprintf(right, sizeof right, "F1: keys");
    }
    float width = f_min(text_width(right, size), room);
    if (room > 60 * unit) {
        text_screen_within(t, (float)context->width - margin - width, y + 2 * unit, size, width,
                           explain ? hud_ink : hud_dim, right);
    }
    if (context->s->error_text[0] != '\0' && clock_ns() - context->s->error_ns < ERROR_NS) {
        text_box(t, 0, y - 29 * unit, (float)context->width, 24 * unit, (const uint8_t[]){ 150, 40, 50, 210 });
        text_screen_within(t, margin, y - 26 * unit, size, (float)context->width - 2 * margin, hud_ink,
                           context->s->error_text);
    }
}

void hud_draw(hud *h, text *t, const hud_context *context)
{
    float fits = f_min((float)context->height / 720.0f, (float)context->width / (PANEL_WIDTH + 2 * MARGIN));
    float unit = f_max(fits, UNIT_MIN);
    bool charts = (PANEL_HEIGHT + FOOT_HEIGHT + 20) * unit <= (float)context->height;
    bool beside = (PANEL_WIDTH + 2 * MARGIN + HELP_WIDTH) * unit <= (float)context->width;
    bool two = FOCUS_WIDTH_MIN * unit <= (float)context->width; /* else the legend takes the place of the figures, */
    bool panels = charts && two;
    bool legend = context->mips && (two || !context->help); /* and the keys take its own */
    if (context->figures) {
        if ((!context->help || beside) && (!legend || two)) {
            figures_draw(h, t, context, unit, charts);
        }
        if (panels) {
            hud_focus_draw(t, context, unit);
            hud_jump_draw(t, context, unit);
        }
        if (legend) {
            hud_legend_draw(t, context, unit, panels);
        }
        foot_draw(t, context, unit, !panels);
    }
    if (context->help) {
        help_draw(t, context, unit);
    }
}
