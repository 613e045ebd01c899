/* hud_focus.c - why is this blurry, what is streaming now, and how long the last jump took.
 *
 * What is looked at is what is in the middle of the picture. A mesh is explained together with that of its textures
 * which is furthest from what it should be. */
#include "hud.h"

#include <stdio.h>
#include <string.h>

#define ROW_HEIGHT 18
#define LETTER_SIZE 15
#define PANEL_WIDTH 356
#define UNDER_WAY_ROWS 6u

static const uint8_t *tint_of(residency_reason reason)
{
    static const uint8_t *const tints[RESIDENCY_REASON_COUNT] = {
        [RESIDENCY_FINEST] = hud_teal,    [RESIDENCY_SHARP] = hud_teal,   [RESIDENCY_READING] = hud_blue,
        [RESIDENCY_UPLOADING] = hud_blue, [RESIDENCY_WAITING] = hud_gold, [RESIDENCY_OVER_BUDGET] = hud_rose,
        [RESIDENCY_PAUSED] = hud_rose,    [RESIDENCY_LIMITED] = hud_rose, [RESIDENCY_FAILED] = hud_rose,
    };
    return tints[reason];
}

static const char *name_of(const hud_context *context, uint32_t item)
{
    const catalog *c = context->c;
    return catalog_name_tail(item < c->texture_count ? c->textures[item].name
                                                     : c->meshes[item - c->texture_count].name);
}

static bool is_texture(const hud_context *context, uint32_t item)
{
    return item < context->c->texture_count;
}

/* "mip 2: 256 x 256 of 1024 x 1024", or "LOD 1 of 0 to 4". */
static void state_text(const hud_context *context, uint32_t item, char *state, size_t state_size)
{
    const residency_item *i = &context->r->items[item];
    if (i->failed || i->resident >= i->level_count) {
        snprintf(state, state_size, "nothing to show%s", i->failed ? "" : " yet");
    } else if (is_texture(context, item)) {
        const leat_texture_info *info = &context->c->textures[item].info;
        uint32_t width = info->width >> i->resident, height = info->height >> i->resident;
        snprintf(state, state_size, "mip %u: %u x %u of %u x %u", i->resident, width > 0 ? width : 1,
                 height > 0 ? height : 1, info->width, info->height);
    } else {
        snprintf(state, state_size, i->level_count > 1 ? "LOD %u of 0 to %u" : "LOD %u, its only one", i->resident,
                 i->level_count - 1u);
    }
}

/* The texture of a mesh that is furthest from what it should be, the first of equals; CATALOG_NONE: it has none. */
static uint32_t worst_texture(const hud_context *context, const catalog_mesh *mesh)
{
    uint32_t worst = CATALOG_NONE;
    for (uint32_t slot = 0; slot < mesh->info.material_count; ++slot) {
        if (mesh->materials[slot] == CATALOG_NONE) {
            continue;
        }
        const catalog_material *m = &context->c->materials[mesh->materials[slot]];
        const uint32_t textures[] = { m->base_color, m->normal, m->metallic_roughness, m->emissive };
        for (uint32_t i = 0; i < sizeof textures / sizeof *textures; ++i) {
            if (textures[i] != CATALOG_NONE && (worst == CATALOG_NONE || residency_missing(context->r, textures[i]) >
                                                                             residency_missing(context->r, worst))) {
                worst = textures[i];
            }
        }
    }
    return worst;
}

/* The items that explain an exhibit: itself, and for a mesh its worst texture. Returns how many. */
static uint32_t focus_items(const hud_context *context, const world_exhibit *e, uint32_t items[2])
{
    items[0] = e->item;
    items[1] = e->kind == WORLD_MESH ? worst_texture(context, &context->c->meshes[e->item - context->c->texture_count])
                                     : CATALOG_NONE;
    return items[1] != CATALOG_NONE ? 2 : 1;
}

/* The corners of a frame around it. */
static void mark_draw(text *t, const hud_context *context, screen_rect rect, float unit, const uint8_t tint[4])
{
    float width = (float)context->width, height = (float)context->height, margin = 6 * unit;
    float x0 = f_clamp((rect.x0 + 1) * 0.5f * width, margin, width - margin);
    float x1 = f_clamp((rect.x1 + 1) * 0.5f * width, margin, width - margin);
    float y0 = f_clamp((1 - rect.y1) * 0.5f * height, margin, height - margin);
    float y1 = f_clamp((1 - rect.y0) * 0.5f * height, margin, height - margin);
    float line = f_max(2 * unit, 1), length = f_min(16 * unit, f_min(x1 - x0, y1 - y0) * 0.3f);
    for (int corner = 0; corner < 4; ++corner) {
        float x = corner & 1 ? x1 : x0, y = corner & 2 ? y1 : y0;
        text_box(t, corner & 1 ? x - length : x, corner & 2 ? y - line : y, length, line, tint);
        text_box(t, corner & 1 ? x - line : x, corner & 2 ? y - length : y, line, length, tint);
    }
}

static float explain_draw(text *t, const hud_context *context, const world_exhibit *e, float x, float y, float unit)
{
    uint32_t items[2], count = focus_items(context, e, items);
    float width = PANEL_WIDTH * unit, size = LETTER_SIZE * unit, inside = width - 24 * unit;
    float height = ((float)count * (3 * ROW_HEIGHT + 4) + 12) * unit;
    text_box(t, x, y, width, height, hud_panel);
    float row = y + 7 * unit;
    for (uint32_t i = 0; i < count; ++i) {
        char state[96];
        state_text(context, items[i], state, sizeof state);
        residency_reason reason = residency_reason_of(context->r, items[i], context->paused);
        text_screen_within(t, x + 12 * unit, row, size, inside, hud_gold, name_of(context, items[i]));
        text_screen(t, x + 12 * unit, row + ROW_HEIGHT * unit, size, hud_ink, state);
        text_screen(t, x + 12 * unit, row + 2 * ROW_HEIGHT * unit, size, tint_of(reason),
                    residency_reason_text(reason));
        row += (3 * ROW_HEIGHT + 4) * unit;
    }
    return y + height;
}

static void under_way_draw(text *t, const hud_context *context, float x, float y, float unit)
{
    uint32_t items[UNDER_WAY_ROWS], all = residency_under_way(context->r, items, UNDER_WAY_ROWS);
    uint32_t rows = all < UNDER_WAY_ROWS ? all : UNDER_WAY_ROWS;
    float width = PANEL_WIDTH * unit, size = LETTER_SIZE * unit;
    text_box(t, x, y, width, ((float)(rows + 1) * ROW_HEIGHT + 14) * unit, hud_panel);
    y += 7 * unit;
    char right[64];
    snprintf(right, sizeof right, all > rows ? "%u in view or near, first %u:" : all > 0 ? "%u" : "nothing", all, rows);
    text_screen(t, x + 12 * unit, y, size, hud_dim, "streaming now");
    text_screen(t, x + width - 12 * unit - text_width(right, size), y, size, hud_dim, right);
    for (uint32_t i = 0; i < rows; ++i) {
        y += ROW_HEIGHT * unit;
        const residency_item *item = &context->r->items[items[i]];
        char state[64];
        snprintf(state, sizeof state, "%s %u, %.0f KiB, %s", is_texture(context, items[i]) ? "mip" : "LOD",
                 item->target, (double)(item->bytes_from[item->target] - item->bytes_from[item->resident]) / 1024.0,
                 item->reading ? "read" : "upload");
        float state_width = text_width(state, size);
        text_screen(t, x + width - 12 * unit - state_width, y, size, item->reading ? hud_blue : hud_teal, state);
        text_screen_within(t, x + 12 * unit, y, size, width - 36 * unit - state_width, hud_ink,
                           name_of(context, items[i]));
    }
}

/* The exhibit, and why it looks as it does: the worse of its items speaks. NULL: nothing is looked at. */
static const world_exhibit *focus_of(const hud_context *context, screen_rect *rect, uint32_t *speaks)
{
    uint32_t index = wants_focus(context->w, context->camera, context->wants, rect);
    if (index == WORLD_NONE) {
        return NULL;
    }
    const world_exhibit *e = &context->w->exhibits[index];
    uint32_t items[2], count = focus_items(context, e, items);
    bool texture = count == 2 && residency_missing(context->r, items[1]) > residency_missing(context->r, items[0]);
    *speaks = items[texture ? 1 : 0];
    return e;
}

void hud_focus_draw(text *t, const hud_context *context, float unit)
{
    float x = (float)context->width - (14 + PANEL_WIDTH) * unit, y = 14 * unit;
    screen_rect rect;
    uint32_t speaks;
    const world_exhibit *e = focus_of(context, &rect, &speaks);
    if (e != NULL) {
        mark_draw(t, context, rect, unit, tint_of(residency_reason_of(context->r, speaks, context->paused)));
        y = explain_draw(t, context, e, x, y, unit) + 8 * unit;
    }
    under_way_draw(t, context, x, y, unit);
}

void hud_focus_line(const hud_context *context, char *line, size_t line_size)
{
    screen_rect rect;
    uint32_t speaks;
    line[0] = '\0';
    if (focus_of(context, &rect, &speaks) != NULL) {
        snprintf(line, line_size, "%s: %s", name_of(context, speaks),
                 residency_reason_text(residency_reason_of(context->r, speaks, context->paused)));
    }
}

/* "5 frames of 17 ms": at the pace of frames, since what is coarse is asked for in one and shown in a later one. */
static void took_text(uint32_t frames, uint64_t ns, char *line, size_t line_size)
{
    if (ns == 0) {
        snprintf(line, line_size, "not yet");
    } else {
        snprintf(line, line_size, "%u frame%s of %.0f ms", frames, frames == 1 ? "" : "s", (double)ns * 1e-6 / frames);
    }
}

#define JUMP_ROWS 5u
#define FOOT_ROOM 66 /* with the line above it that tells of errors */
#define FALL_HEIGHT 96
#define FALL_ROW_MAX 3
#define JUMP_HEIGHT (JUMP_ROWS * ROW_HEIGHT + FALL_HEIGHT + 20)

/* Each request a line from when it was asked for to when it was there, where it is bright; the first one on top. */
static void fall_draw(text *t, const waterfall *w, const waterfall_span *spans, float x, float y, float width,
                      float unit)
{
    float line = f_min(FALL_HEIGHT * unit / f_max((float)w->count, 1), FALL_ROW_MAX * unit);
    float thick = f_max(floorf(line), 1), end_width = f_max(2 * unit, 1);
    for (uint32_t i = 0; i < w->count; ++i) {
        const uint8_t *tint = hud_class_tint(w->rows[i].priority);
        float top = floorf(y + line * (float)i), end = x + (width - end_width) * spans[i].end;
        float begin = x + (width - end_width) * spans[i].begin;
        /* Opaque, since lines that are thinner than a pixel lie over each other. */
        const uint8_t waits[4] = { (uint8_t)(tint[0] / 2), (uint8_t)(tint[1] / 2), (uint8_t)(tint[2] / 2), 255 };
        text_box(t, begin, top, end - begin, thick, waits);
        text_box(t, end, top, end_width, thick, tint);
    }
}

void hud_jump_draw(text *t, const hud_context *context, float unit)
{
    static waterfall_span spans[WATERFALL_ROWS_MAX];
    const jump *j = context->jump;
    uint64_t busy_ns = waterfall_place(&j->waterfall, spans);
    char values[JUMP_ROWS][64], asked[64];
    const char *names[JUMP_ROWS] = { j->what, "everything shows, after", "and sharply, after", "slowest request",
                                     asked };
    float width = PANEL_WIDTH * unit, size = LETTER_SIZE * unit, height = JUMP_HEIGHT * unit;
    float x = (float)context->width - 14 * unit - width, y = (float)context->height - FOOT_ROOM * unit - height;
    snprintf(asked, sizeof asked, "%llu requests, first on top", (unsigned long long)j->requests);
    snprintf(values[0], sizeof values[0], "%.1f MiB, %.0f %% cached", (double)j->bytes_read / 1048576.0,
             j->reads > 0 ? 100.0 * (double)j->reads_cached / (double)j->reads : 0);
    took_text(j->frames_shown, j->shown_ns, values[1], sizeof values[1]);
    took_text(j->frames_sharp, j->sharp_ns, values[2], sizeof values[2]);
    snprintf(values[3], sizeof values[3], "%.1f ms", (double)j->slowest_ns * 1e-6);
    snprintf(values[4], sizeof values[4], "under way %.1f ms", (double)busy_ns * 1e-6);
    text_box(t, x, y, width, height, hud_panel);
    y += 7 * unit;
    for (uint32_t i = 0; i < JUMP_ROWS; ++i, y += ROW_HEIGHT * unit) {
        text_screen(t, x + 12 * unit, y, size, i == 0 ? hud_gold : hud_dim, names[i]);
        text_screen(t, x + width - 12 * unit - text_width(values[i], size), y, size, hud_ink, values[i]);
    }
    fall_draw(t, &j->waterfall, spans, x + 12 * unit, y + 4 * unit, width - 24 * unit, unit);
}

void hud_legend_draw(text *t, const hud_context *context, float unit, bool above_jump)
{
    static const struct {
        uint8_t tint[4];
        const char *name;
    } shades[RESIDENCY_SHADE_COUNT] = { { { 60, 205, 105, 255 }, "as fine as the screen needs" },
                                        { { 222, 202, 70, 255 }, "one level too coarse" },
                                        { { 230, 150, 50, 255 }, "two levels" },
                                        { { 222, 74, 62, 255 }, "three or more" },
                                        { { 96, 116, 232, 255 }, "nothing of it yet" },
                                        { { 220, 60, 208, 255 }, "cannot be had: damaged or unknown" } };
    uint32_t counts[RESIDENCY_SHADE_COUNT] = { 0 };
    for (uint32_t i = 0; i < context->wants->drawn_count; ++i) {
        const world_exhibit *e = &context->w->exhibits[context->wants->drawn[i].exhibit];
        uint32_t items[2], count = focus_items(context, e, items);
        uint32_t own = residency_missing(context->r, items[0]);
        uint32_t map = count == 2 ? residency_missing(context->r, items[1]) : 0;
        ++counts[residency_shade(own > map ? own : map)];
    }
    float width = PANEL_WIDTH * unit, size = LETTER_SIZE * unit;
    float height = (RESIDENCY_SHADE_COUNT * ROW_HEIGHT + 14) * unit;
    float x = (float)context->width - 14 * unit - width, y = (float)context->height - FOOT_ROOM * unit - height;
    y -= above_jump ? (JUMP_HEIGHT + 8) * unit : 0;
    text_box(t, x, y, width, height, hud_panel);
    y += 7 * unit;
    for (uint32_t i = 0; i < RESIDENCY_SHADE_COUNT; ++i, y += ROW_HEIGHT * unit) {
        char count[16];
        snprintf(count, sizeof count, "%u", counts[i]);
        text_box(t, x + 12 * unit, y + 3 * unit, 12 * unit, 12 * unit, shades[i].tint);
        text_screen(t, x + 34 * unit, y, size, counts[i] > 0 ? hud_ink : hud_dim, shades[i].name);
        text_screen(t, x + width - 12 * unit - text_width(count, size), y, size, counts[i] > 0 ? hud_ink : hud_dim,
                    count);
    }
}
