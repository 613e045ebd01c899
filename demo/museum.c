/* museum.c - builds halls out of boxes. */
#include "museum.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t white_tint[3] = { 222, 216, 206 };
static const uint8_t stone_tint[3] = { 205, 200, 192 };

vec3 museum_paint(uint32_t hall)
{
    /* Deep, quiet colours, as pictures like to hang on. */
    static const float paints[][3] = { { 0.155f, 0.245f, 0.235f }, { 0.335f, 0.105f, 0.085f },
                                       { 0.46f, 0.36f, 0.20f },    { 0.115f, 0.165f, 0.275f },
                                       { 0.245f, 0.295f, 0.185f }, { 0.31f, 0.205f, 0.265f },
                                       { 0.44f, 0.395f, 0.335f } };
    const float *p = paints[hall % (sizeof paints / sizeof *paints)];
    return v3(p[0], p[1], p[2]);
}

void museum_skylight(const world_hall *hall, float skylight[4])
{
    float middle = (hall->z0 + hall->z1) * 0.5f;
    skylight[0] = hall->x0 + 1.6f;
    skylight[1] = hall->x1 - 1.6f;
    skylight[2] = middle - WORLD_SKYLIGHT_HALF;
    skylight[3] = middle + WORLD_SKYLIGHT_HALF;
}

static bool array_grow(void **array, uint32_t *capacity, uint32_t needed, size_t size)
{
    if (needed <= *capacity) {
        return true;
    }
    uint32_t larger = *capacity < 1024 ? 1024 : *capacity;
    while (larger < needed) {
        larger *= 2;
    }
    void *grown = realloc(*array, larger * size);
    if (grown == NULL) {
        return false;
    }
    *array = grown;
    *capacity = larger;
    return true;
}

/* Corners go round counter-clockwise as seen from the side that the normal points to. */
static void quad_add(museum *m, const vec3 corners[4], vec3 normal, museum_kind kind, const uint8_t tint[3])
{
    if (!array_grow((void **)&m->vertices, &m->vertex_capacity, m->vertex_count + 4, sizeof *m->vertices) ||
        !array_grow((void **)&m->indices, &m->index_capacity, m->index_count + 6, sizeof *m->indices)) {
        m->out_of_memory = true;
        return;
    }
    for (int i = 0; i < 4; ++i) {
        m->vertices[m->vertex_count + (uint32_t)i] = (museum_vertex){
            { corners[i].x, corners[i].y, corners[i].z },
            { (int8_t)(normal.x * 127), (int8_t)(normal.y * 127), (int8_t)(normal.z * 127), (int8_t)kind },
            { tint[0], tint[1], tint[2], 255 },
        };
    }
    static const uint32_t order[6] = { 0, 1, 2, 0, 2, 3 };
    for (int i = 0; i < 6; ++i) {
        m->indices[m->index_count++] = m->vertex_count + order[i];
    }
    m->vertex_count += 4;
}

/* One face of the box [lo, hi]: axis 0..2, on its high or low side, seen from outside it (or, inward, from within). */
static void face_add(museum *m, vec3 lo, vec3 hi, int axis, bool high, bool inward, museum_kind kind,
                     const uint8_t tint[3])
{
    float l[3] = { lo.x, lo.y, lo.z }, h[3] = { hi.x, hi.y, hi.z };
    int u = (axis + 1) % 3, v = (axis + 2) % 3;
    vec3 corners[4];
    bool flip = high == inward;
    for (int i = 0; i < 4; ++i) {
        float p[3];
        int k = flip ? 3 - i : i;
        p[axis] = high ? h[axis] : l[axis];
        p[u] = k == 1 || k == 2 ? h[u] : l[u];
        p[v] = k >= 2 ? h[v] : l[v];
        corners[i] = v3(p[0], p[1], p[2]);
    }
    float n[3] = { 0, 0, 0 };
    n[axis] = high == inward ? -1.0f : 1.0f;
    quad_add(m, corners, v3(n[0], n[1], n[2]), kind, tint);
}

static void box_add(museum *m, vec3 lo, vec3 hi, museum_kind kind, const uint8_t tint[3])
{
    for (int axis = 0; axis < 3; ++axis) {
        for (int high = 0; high < 2; ++high) {
            if (axis == 1 && high == 0 && lo.y <= 0.001f) {
                continue; /* stands on the floor */
            }
            face_add(m, lo, hi, axis, high == 1, false, kind, tint);
        }
    }
}

/* A soft dark patch in the plane of x and y (unit vectors): a thing of half sizes hx, hy casts it. */
static void shadow_add(museum *m, vec3 center, vec3 x, vec3 y, float hx, float hy, float strength, float softness)
{
    if (!array_grow((void **)&m->shadow_vertices, &m->shadow_capacity, (m->shadow_count + 1) * 4,
                    sizeof *m->shadow_vertices)) {
        m->out_of_memory = true;
        return;
    }
    for (int i = 0; i < 4; ++i) {
        float u = (i & 1 ? 1.0f : -1.0f) * (hx + softness), v = (i & 2 ? 1.0f : -1.0f) * (hy + softness);
        vec3 p = v3_add(center, v3_add(v3_scale(x, u), v3_scale(y, v)));
        m->shadow_vertices[m->shadow_count * 4 + (uint32_t)i] =
            (museum_shadow_vertex){ { p.x, p.y, p.z }, { u, v, hx, hy }, { strength, softness } };
    }
    ++m->shadow_count;
}

static void wall_tint(uint32_t hall, uint8_t tint[3])
{
    vec3 paint = museum_paint(hall);
    tint[0] = (uint8_t)(sqrtf(paint.x) * 255);
    tint[1] = (uint8_t)(sqrtf(paint.y) * 255);
    tint[2] = (uint8_t)(sqrtf(paint.z) * 255);
}

/* A wall of a hall along x or z, at `plane`, from a to b, facing `sign` along its normal; with a door around `door`. */
typedef struct wall_run {
    bool along_x;
    float plane, a, b, sign;
    bool has_door;
    float door;
} wall_run;

static void wall_piece(museum *m, const wall_run *run, float a, float b, float y0, float y1, float depth,
                       museum_kind kind, const uint8_t tint[3])
{
    if (b - a < 0.001f) {
        return;
    }
    float inner = run->plane + run->sign * depth;
    float lo = f_min(run->plane, inner), hi = f_max(run->plane, inner);
    vec3 l = run->along_x ? v3(a, y0, lo) : v3(lo, y0, a), h = run->along_x ? v3(b, y1, hi) : v3(hi, y1, b);
    if (depth > 0) {
        box_add(m, l, h, kind, tint);
    } else {
        face_add(m, l, h, run->along_x ? 2 : 0, run->sign > 0, false, kind, tint);
    }
}

static void wall_add(museum *m, const wall_run *run, const uint8_t paint[3])
{
    float half = WORLD_DOOR_WIDTH * 0.5f, top = WORLD_HALL_HEIGHT;
    float d0 = run->has_door ? run->door - half : run->b, d1 = run->has_door ? run->door + half : run->b;
    float spans[2][2] = { { run->a, d0 }, { d1, run->b } };
    for (int i = 0; i < 2; ++i) {
        wall_piece(m, run, spans[i][0], spans[i][1], 0, top, 0, MUSEUM_WALL, paint);
        float inset = run->has_door ? 0.16f : 0; /* the door's frame is there */
        float a = spans[i][0] + (i == 1 ? inset : 0), b = spans[i][1] - (i == 0 ? inset : 0);
        wall_piece(m, run, a, b, 0, 0.17f, 0.035f, MUSEUM_POLISHED, white_tint);
        wall_piece(m, run, a, b, 0.74f, 0.79f, 0.025f, MUSEUM_MATT, white_tint);
    }
    wall_piece(m, run, run->a, run->b, top - 0.22f, top, 0.16f, MUSEUM_MATT, white_tint);
    wall_piece(m, run, run->a, run->b, top - 0.34f, top - 0.22f, 0.07f, MUSEUM_MATT, white_tint);
    if (run->has_door) {
        wall_piece(m, run, d0, d1, WORLD_DOOR_HEIGHT, top, 0, MUSEUM_WALL, paint);
        wall_piece(m, run, d0 - 0.16f, d0, 0, WORLD_DOOR_HEIGHT + 0.16f, 0.07f, MUSEUM_MATT, white_tint);
        wall_piece(m, run, d1, d1 + 0.16f, 0, WORLD_DOOR_HEIGHT + 0.16f, 0.07f, MUSEUM_MATT, white_tint);
        wall_piece(m, run, d0, d1, WORLD_DOOR_HEIGHT, WORLD_DOOR_HEIGHT + 0.16f, 0.07f, MUSEUM_MATT, white_tint);
        wall_piece(m, run, d0 - 0.22f, d1 + 0.22f, WORLD_DOOR_HEIGHT + 0.16f, WORLD_DOOR_HEIGHT + 0.22f, 0.11f,
                   MUSEUM_MATT, white_tint);
    }
}

/* Sides, top and floor of the passage through a wall. */
static void passage_add(museum *m, const world_door *door)
{
    float half = WORLD_DOOR_WIDTH * 0.5f, deep = WORLD_WALL_THICKNESS * 0.5f;
    vec3 size = door->along_z ? v3(half, 0, deep) : v3(deep, 0, half);
    vec3 lo = v3_sub(door->center, size), hi = v3_add(door->center, size);
    lo.y = 0;
    hi.y = WORLD_DOOR_HEIGHT;
    int axis = door->along_z ? 0 : 2;
    face_add(m, lo, hi, axis, false, true, MUSEUM_MATT, white_tint);
    face_add(m, lo, hi, axis, true, true, MUSEUM_MATT, white_tint);
    face_add(m, lo, hi, 1, true, true, MUSEUM_MATT, white_tint);
    face_add(m, lo, hi, 1, false, true, MUSEUM_FLOOR, stone_tint);
}

/* Mouldings along [a, b] of a wall, up to `top`, where no picture hangs; not across a door. */
static void panels_add(museum *m, const wall_run *run, float a, float b, float top)
{
    uint32_t count = b - a > 1.8f ? (uint32_t)f_max((b - a) / 3.4f, 1) : 0;
    float pitch = count > 0 ? (b - a) / (float)count : 0, bar = 0.06f, low = 1.12f, deep = 0.03f;
    for (uint32_t i = 0; i < count; ++i) {
        float middle = a + pitch * ((float)i + 0.5f), half = pitch * 0.5f - 0.3f;
        if (run->has_door && fabsf(run->door - middle) < half + WORLD_DOOR_WIDTH * 0.5f + 0.4f) {
            continue;
        }
        wall_piece(m, run, middle - half, middle - half + bar, low, top, deep, MUSEUM_MATT, white_tint);
        wall_piece(m, run, middle + half - bar, middle + half, low, top, deep, MUSEUM_MATT, white_tint);
        wall_piece(m, run, middle - half, middle + half, low, low + bar, deep, MUSEUM_MATT, white_tint);
        wall_piece(m, run, middle - half, middle + half, top - bar, top, deep, MUSEUM_MATT, white_tint);
    }
}

/* The long walls before the first picture and behind the last, and the end walls beside and between doors. */
static void walls_panel(museum *m, const world *w, uint32_t index, const wall_run runs[4])
{
    const world_hall *hall = &w->halls[index];
    for (int i = 0; i < 2; ++i) {
        float half = WORLD_DOOR_WIDTH * 0.5f + 0.2f, top = WORLD_DOOR_HEIGHT + 0.22f;
        if (runs[i].has_door) {
            panels_add(m, &runs[i], runs[i].a + 0.2f, runs[i].door - half, top);
            panels_add(m, &runs[i], runs[i].door + half, runs[i].b - 0.2f, top);
        } else {
            panels_add(m, &runs[i], runs[i].a + 0.2f, runs[i].b - 0.2f, top);
        }
    }
    for (int i = 2; i < 4; ++i) {
        float first = hall->x1, last = hall->x0, top = WORLD_HALL_HEIGHT - 1.05f;
        for (uint32_t k = 0; k < hall->exhibit_count; ++k) {
            const world_exhibit *e = &w->exhibits[hall->exhibit_first + k];
            if (e->kind == WORLD_TEXTURE && (e->normal.z < 0) == (i == 3)) {
                first = f_min(first, e->center.x - e->half_width - 0.2f);
                last = f_max(last, e->center.x + e->half_width + 0.2f);
            }
        }
        if (last < first) {
            panels_add(m, &runs[i], hall->x0 + 0.2f, hall->x1 - 0.2f, top);
        } else {
            panels_add(m, &runs[i], hall->x0 + 0.2f, first, top);
            panels_add(m, &runs[i], last, hall->x1 - 0.2f, top);
        }
    }
}

static void shell_add(museum *m, const world *w, uint32_t index)
{
    const world_hall *hall = &w->halls[index];
    vec3 lo = v3(hall->x0, 0, hall->z0), hi = v3(hall->x1, WORLD_HALL_HEIGHT, hall->z1);
    face_add(m, lo, hi, 1, false, true, MUSEUM_FLOOR, stone_tint);
    float sky[4];
    museum_skylight(hall, sky);
    /* The ceiling around the glass, a rim below it, and the glass. */
    face_add(m, lo, v3(hi.x, hi.y, sky[2]), 1, true, true, MUSEUM_MATT, white_tint);
    face_add(m, v3(lo.x, 0, sky[3]), hi, 1, true, true, MUSEUM_MATT, white_tint);
    face_add(m, v3(lo.x, 0, sky[2]), v3(sky[0], hi.y, sky[3]), 1, true, true, MUSEUM_MATT, white_tint);
    face_add(m, v3(sky[1], 0, sky[2]), v3(hi.x, hi.y, sky[3]), 1, true, true, MUSEUM_MATT, white_tint);
    face_add(m, v3(sky[0], 0, sky[2]), v3(sky[1], hi.y, sky[3]), 1, true, true, MUSEUM_GLASS, white_tint);
    float rim = 0.16f, drop = hi.y - 0.14f;
    box_add(m, v3(sky[0] - rim, drop, sky[2] - rim), v3(sky[1] + rim, hi.y, sky[2]), MUSEUM_MATT, white_tint);
    box_add(m, v3(sky[0] - rim, drop, sky[3]), v3(sky[1] + rim, hi.y, sky[3] + rim), MUSEUM_MATT, white_tint);
    box_add(m, v3(sky[0] - rim, drop, sky[2]), v3(sky[0], hi.y, sky[3]), MUSEUM_MATT, white_tint);
    box_add(m, v3(sky[1], drop, sky[2]), v3(sky[1] + rim, hi.y, sky[3]), MUSEUM_MATT, white_tint);

    uint8_t paint[3];
    wall_tint(index, paint);
    wall_run runs[4] = { { .plane = hall->x0, .a = hall->z0, .b = hall->z1, .sign = 1 },
                         { .plane = hall->x1, .a = hall->z0, .b = hall->z1, .sign = -1 },
                         { .along_x = true, .plane = hall->z0, .a = hall->x0, .b = hall->x1, .sign = 1 },
                         { .along_x = true, .plane = hall->z1, .a = hall->x0, .b = hall->x1, .sign = -1 } };
    for (uint32_t d = index > 0 ? index - 1 : 0; d <= index && d + 1 < w->hall_count; ++d) {
        const world_door *door = &w->doors[d];
        int run = door->along_z ? (door->center.z < hall->z0 ? 2 : 3) : (door->center.x < hall->x0 ? 0 : 1);
        runs[run].has_door = true;
        runs[run].door = door->along_z ? door->center.x : door->center.z;
        if (d == index) {
            passage_add(m, door);
        }
    }
    for (int i = 0; i < 4; ++i) {
        wall_add(m, &runs[i], paint);
    }
    walls_panel(m, w, index, runs);
}

static void frame_add(museum *m, const world_exhibit *e)
{
    static const uint8_t tints[4][3] = { { 196, 156, 84 }, { 92, 64, 46 }, { 58, 54, 52 }, { 182, 142, 76 } };
    uint32_t look = (e->item * 2654435761u >> 28) & 3;
    museum_kind kind = look == 0 || look == 3 ? MUSEUM_METAL : MUSEUM_POLISHED;
    const uint8_t *tint = tints[look];
    float bar = f_clamp(0.06f * (e->half_width + e->half_height), 0.05f, 0.11f), sign = e->normal.z;
    float wall = e->center.z - sign * 0.045f;
    float z0 = f_min(wall, wall + sign * 0.085f), z1 = f_max(wall, wall + sign * 0.085f);
    float x0 = e->center.x - e->half_width, x1 = e->center.x + e->half_width;
    float y0 = e->center.y - e->half_height, y1 = e->center.y + e->half_height;
    box_add(m, v3(x0 - bar, y0 - bar, z0), v3(x0, y1 + bar, z1), kind, tint);
    box_add(m, v3(x1, y0 - bar, z0), v3(x1 + bar, y1 + bar, z1), kind, tint);
    box_add(m, v3(x0, y0 - bar, z0), v3(x1, y0, z1), kind, tint);
    box_add(m, v3(x0, y1, z0), v3(x1, y1 + bar, z1), kind, tint);
    shadow_add(m, v3(e->center.x, e->center.y - 0.07f, wall + sign * 0.004f), v3(1, 0, 0), v3(0, 1, 0),
               e->half_width + bar * 0.8f, e->half_height + bar * 0.8f, 0.55f, 0.22f);
}

static void plinth_add(museum *m, const world_exhibit *e)
{
    vec3 spot = v3(e->center.x, 0, e->center.z);
    float half = WORLD_PLINTH_HALF, top = WORLD_PLINTH_HEIGHT;
    box_add(m, v3(spot.x - half - 0.05f, 0, spot.z - half - 0.05f),
            v3(spot.x + half + 0.05f, 0.10f, spot.z + half + 0.05f), MUSEUM_POLISHED, stone_tint);
    box_add(m, v3(spot.x - half, 0.10f, spot.z - half), v3(spot.x + half, top - 0.07f, spot.z + half), MUSEUM_POLISHED,
            white_tint);
    box_add(m, v3(spot.x - half - 0.06f, top - 0.07f, spot.z - half - 0.06f),
            v3(spot.x + half + 0.06f, top, spot.z + half + 0.06f), MUSEUM_POLISHED, stone_tint);
    shadow_add(m, v3(spot.x, 0.004f, spot.z), v3(1, 0, 0), v3(0, 0, 1), half - 0.05f, half - 0.05f, 0.72f, 0.62f);
    /* What stands on it darkens the top: by its footprint, turned as it is, within the edges of the top. */
    float edge = half + 0.06f, c = cosf(e->turn), n = sinf(e->turn);
    float softness = f_clamp(e->radius * 0.3f, 0.06f, 0.3f);
    shadow_add(m, v3(spot.x, top + 0.003f, spot.z), v3(1, 0, 0), v3(0, 0, 1), edge - softness, edge - softness, 0.62f,
               softness);
    if (!m->out_of_memory) {
        museum_shadow_vertex *corners = &m->shadow_vertices[(size_t)(m->shadow_count - 1) * 4];
        for (int i = 0; i < 4; ++i) {
            float x = corners[i].place[0], z = corners[i].place[1];
            corners[i].place[0] = c * x - n * z;
            corners[i].place[1] = n * x + c * z;
            corners[i].place[2] = f_max(e->half_width - softness * 0.5f, 0.01f);
            corners[i].place[3] = f_max(e->half_height - softness * 0.5f, 0.01f);
        }
    }
}

/* Something to sit on where the middle of a hall would be empty. */
static void benches_add(museum *m, const world_hall *hall)
{
    static const uint8_t leather[3] = { 96, 58, 40 }, wood[3] = { 84, 62, 48 };
    float z = (hall->z0 + hall->z1) * 0.5f;
    uint32_t count = (uint32_t)((hall->x1 - hall->x0) / 9.0f);
    for (uint32_t i = 0; i < count; ++i) {
        float x = hall->x0 + (hall->x1 - hall->x0) * ((float)i + 0.5f) / (float)count;
        box_add(m, v3(x - 1.1f, 0.36f, z - 0.36f), v3(x + 1.1f, 0.47f, z + 0.36f), MUSEUM_POLISHED, leather);
        box_add(m, v3(x - 0.95f, 0, z - 0.28f), v3(x - 0.8f, 0.36f, z + 0.28f), MUSEUM_POLISHED, wood);
        box_add(m, v3(x + 0.8f, 0, z - 0.28f), v3(x + 0.95f, 0.36f, z + 0.28f), MUSEUM_POLISHED, wood);
        shadow_add(m, v3(x, 0.004f, z), v3(1, 0, 0), v3(0, 0, 1), 0.9f, 0.16f, 0.6f, 0.45f);
    }
}

bool museum_create(const world *w, museum *m)
{
    *m = (museum){ 0 };
    m->ranges = calloc(w->hall_count + 1u, sizeof *m->ranges);
    m->shadow_ranges = calloc(w->hall_count + 1u, sizeof *m->shadow_ranges);
    if (m->ranges == NULL || m->shadow_ranges == NULL) {
        museum_destroy(m);
        return false;
    }
    for (uint32_t i = 0; i < w->hall_count; ++i) {
        const world_hall *hall = &w->halls[i];
        m->ranges[i].first = m->index_count;
        m->shadow_ranges[i].first = m->shadow_count;
        shell_add(m, w, i);
        bool has_mesh = false;
        for (uint32_t k = 0; k < hall->exhibit_count; ++k) {
            const world_exhibit *e = &w->exhibits[hall->exhibit_first + k];
            has_mesh = has_mesh || e->kind == WORLD_MESH;
            if (e->kind == WORLD_MESH) {
                plinth_add(m, e);
            } else {
                frame_add(m, e);
            }
        }
        if (!has_mesh) {
            benches_add(m, hall);
        }
        m->ranges[i].count = m->index_count - m->ranges[i].first;
        m->shadow_ranges[i].count = m->shadow_count - m->shadow_ranges[i].first;
    }
    if (m->out_of_memory) {
        museum_destroy(m);
        return false;
    }
    return true;
}

void museum_destroy(museum *m)
{
    free(m->vertices);
    free(m->indices);
    free(m->shadow_vertices);
    free(m->ranges);
    free(m->shadow_ranges);
    *m = (museum){ 0 };
}
