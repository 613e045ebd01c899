// Building meshes from solids; see mesh.h.
#include "mesh.h"
#include "catalog.h"
#include "noise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vec3 vec3_normal(struct vec3 a)
{
    float length = sqrtf(vec3_dot(a, a));
    return length > 1e-12f ? vec3_scale(a, 1 / length) : (struct vec3){ 0, 1, 0 };
}

void mesh_start(struct mesh *mesh, uint32_t seed)
{
    *mesh = (struct mesh){ .density = 1, .random = seed };
    mesh_place(mesh, (struct vec3){ 0 }, 0, 1);
}

void mesh_free(struct mesh *mesh)
{
    for (size_t i = 0; i < mesh->part_count; i++) {
        free(mesh->parts[i].vertices);
        free(mesh->parts[i].indices);
    }
}

void mesh_material(struct mesh *mesh, const char *folder, const char *name, float density)
{
    const struct surface *surface = catalog_find(folder, name);
    mesh->density = density;
    for (size_t i = 0; i < mesh->part_count; i++) {
        if (mesh->parts[i].surface == surface) {
            mesh->current = i;
            return;
        }
    }
    if (surface == NULL || mesh->part_count == MESH_PARTS_MAX) {
        fprintf(stderr, "leat-samples: no room for, or no such surface as %s/%s\n", folder, name);
        abort(); // a mistake in the list of meshes
    }
    mesh->current = mesh->part_count++;
    mesh->parts[mesh->current].surface = surface;
}

void mesh_place(struct mesh *mesh, struct vec3 at, float turn, float scale)
{
    float c = cos_turns(turn) * scale, s = sin_turns(turn) * scale;
    mesh->origin = at;
    mesh->axis_x = (struct vec3){ c, 0, -s };
    mesh->axis_y = (struct vec3){ 0, scale, 0 };
    mesh->axis_z = (struct vec3){ s, 0, c };
}

void mesh_place_along(struct mesh *mesh, struct vec3 at, struct vec3 up, float turn, float scale)
{
    struct vec3 y = vec3_normal(up), helper = fabsf(y.x) < 0.7f ? (struct vec3){ 1, 0, 0 } : (struct vec3){ 0, 0, 1 };
    struct vec3 z = vec3_normal(vec3_cross(helper, y)), x = vec3_cross(y, z);
    float c = cos_turns(turn) * scale, s = sin_turns(turn) * scale;
    mesh->origin = at;
    mesh->axis_x = vec3_subtract(vec3_scale(x, c), vec3_scale(z, s));
    mesh->axis_y = vec3_scale(y, scale);
    mesh->axis_z = vec3_add(vec3_scale(x, s), vec3_scale(z, c));
}

float mesh_random(struct mesh *mesh, float low, float high)
{
    mesh->random = mesh->random * 1664525u + 1013904223u;
    return mixf(low, high, noise_unit(mesh->random, 5));
}

int mesh_choose(struct mesh *mesh, int count)
{
    int chosen = (int)mesh_random(mesh, 0, (float)count);
    return chosen < count ? chosen : count - 1;
}

static struct vec3 place_direction(const struct mesh *mesh, struct vec3 v)
{
    return vec3_add(vec3_add(vec3_scale(mesh->axis_x, v.x), vec3_scale(mesh->axis_y, v.y)),
                    vec3_scale(mesh->axis_z, v.z));
}

static bool grow(void **array, size_t *room, size_t needed, size_t element_size)
{
    if (needed <= *room) {
        return true;
    }
    size_t larger = *room * 2 > needed ? *room * 2 : needed + 256;
    void *moved = realloc(*array, larger * element_size);
    if (moved == NULL) {
        return false;
    }
    *array = moved;
    *room = larger;
    return true;
}

// Adds a vertex through the placement; returns its index in the part.
static uint32_t add_vertex(struct mesh *mesh, struct vec3 position, struct vec3 normal, float u, float v)
{
    struct mesh_part *part = &mesh->parts[mesh->current];
    mesh->failed |= !grow((void **)&part->vertices, &part->vertex_room, part->vertex_count + 1, sizeof *part->vertices);
    if (mesh->failed) {
        return 0;
    }
    part->vertices[part->vertex_count] = (struct mesh_vertex){
        .position = vec3_add(mesh->origin, place_direction(mesh, position)),
        .normal = vec3_normal(place_direction(mesh, normal)),
        .u = u,
        .v = v,
    };
    return (uint32_t)part->vertex_count++;
}

static void add_triangle(struct mesh *mesh, uint32_t a, uint32_t b, uint32_t c)
{
    struct mesh_part *part = &mesh->parts[mesh->current];
    mesh->failed |= !grow((void **)&part->indices, &part->index_room, part->index_count + 3, sizeof *part->indices);
    if (!mesh->failed && a != b && b != c && a != c) {
        part->indices[part->index_count++] = a;
        part->indices[part->index_count++] = b;
        part->indices[part->index_count++] = c;
    }
}

static void add_quad(struct mesh *mesh, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    add_triangle(mesh, a, b, c);
    add_triangle(mesh, a, c, d);
}

// Coordinates by the main direction of `normal`, so that courses of brick run level and grain upright on walls.
static void box_coordinates(struct vec3 p, struct vec3 normal, float density, float *u, float *v)
{
    float ax = fabsf(normal.x), ay = fabsf(normal.y), az = fabsf(normal.z);
    if (ay >= ax && ay >= az) {
        *u = p.x * density;
        *v = p.z * density * (normal.y > 0 ? 1.0f : -1.0f);
    } else if (ax > az) {
        *u = -p.z * density * (normal.x > 0 ? 1.0f : -1.0f);
        *v = -p.y * density;
    } else {
        *u = p.x * density * (normal.z > 0 ? 1.0f : -1.0f);
        *v = -p.y * density;
    }
}

void mesh_polygon(struct mesh *mesh, const struct vec3 *points, size_t count)
{
    struct vec3 sum = { 0 };
    for (size_t i = 0; i < count; i++) {
        sum = vec3_add(sum, vec3_cross(points[i], points[(i + 1) % count]));
    }
    struct vec3 normal = vec3_normal(sum);
    uint32_t index[MESH_POLYGON_MAX];
    for (size_t i = 0; i < count && i < MESH_POLYGON_MAX; i++) {
        float u, v;
        box_coordinates(points[i], normal, mesh->density, &u, &v);
        index[i] = add_vertex(mesh, points[i], normal, u, v);
        if (i >= 2) {
            add_triangle(mesh, index[0], index[i - 1], index[i]);
        }
    }
}

void mesh_hexahedron(struct mesh *mesh, const struct vec3 corners[8])
{
    // Lower corners are counter-clockwise from above, so the bottom face takes them backwards.
    static const int faces[6][4] = { { 3, 2, 1, 0 }, { 4, 5, 6, 7 }, { 0, 1, 5, 4 },
                                     { 1, 2, 6, 5 }, { 2, 3, 7, 6 }, { 3, 0, 4, 7 } };
    for (int f = 0; f < 6; f++) {
        struct vec3 points[4];
        for (int i = 0; i < 4; i++) {
            points[i] = corners[faces[f][i]];
        }
        mesh_polygon(mesh, points, 4);
    }
}

void mesh_box(struct mesh *mesh, struct vec3 low, struct vec3 high)
{
    mesh_hexahedron(mesh, (struct vec3[8]){ { low.x, low.y, high.z },
                                            { high.x, low.y, high.z },
                                            { high.x, low.y, low.z },
                                            { low.x, low.y, low.z },
                                            { low.x, high.y, high.z },
                                            { high.x, high.y, high.z },
                                            { high.x, high.y, low.z },
                                            { low.x, high.y, low.z } });
}

void lathe_point(struct lathe_profile *profile, float radius, float height)
{
    if (profile->count < MESH_PROFILE_MAX) {
        profile->radius[profile->count] = radius;
        profile->height[profile->count++] = height;
    }
}

// The direction of the outside in the profile's plane at the piece that starts at point i.
static void profile_normal(const struct lathe_profile *profile, size_t i, float *out, float *up)
{
    float dr = profile->radius[i + 1] - profile->radius[i], dh = profile->height[i + 1] - profile->height[i];
    float length = sqrtf(dr * dr + dh * dh);
    *out = length > 1e-9f ? dh / length : 1;
    *up = length > 1e-9f ? -dr / length : 0;
}

// The normal at an end of piece i: smoothed with the neighbour unless the edge between them is sharp.
static void profile_smooth(const struct lathe_profile *profile, size_t i, bool end, float *out, float *up)
{
    profile_normal(profile, i, out, up);
    size_t other = end ? i + 1 : i - 1;
    if ((end && i + 2 >= profile->count) || (!end && i == 0)) {
        return;
    }
    float other_out, other_up;
    profile_normal(profile, other, &other_out, &other_up);
    if (*out * other_out + *up * other_up > 0.72f) {
        *out += other_out;
        *up += other_up;
    }
}

void mesh_lathe(struct mesh *mesh, const struct lathe_profile *profile)
{
    float widest = 0, run = 0;
    for (size_t i = 0; i < profile->count; i++) {
        widest = profile->radius[i] > widest ? profile->radius[i] : widest;
    }
    float around = floorf(6.2832f * widest * mesh->density + 0.5f); // whole repeats, so that the seam closes
    around = around < 1 ? 1 : around;
    for (size_t i = 0; i + 1 < profile->count; i++) {
        float dr = profile->radius[i + 1] - profile->radius[i], dh = profile->height[i + 1] - profile->height[i];
        float length = sqrtf(dr * dr + dh * dh), out[2], up[2];
        profile_smooth(profile, i, false, &out[0], &up[0]);
        profile_smooth(profile, i, true, &out[1], &up[1]);
        uint32_t before[2] = { 0 };
        for (int s = 0; s <= profile->segments; s++) {
            float turn = (float)s / (float)profile->segments, c = cos_turns(turn), z = -sin_turns(turn);
            // Flutes: sharp ridges between round hollows, |sin|; the normal leans by its slope.
            float half = turn * (float)profile->flutes * 0.5f, wave = sin_turns(half), slope = cos_turns(half);
            float groove = 1 - profile->depth * fabsf(wave);
            float lean = 0.5f * profile->depth * (float)profile->flutes * (wave < 0 ? -slope : slope);
            uint32_t now[2];
            for (size_t e = 0; e < 2; e++) {
                float radius = profile->radius[i + e] * groove;
                struct vec3 normal = { c * out[e] + z * lean, up[e], z * out[e] - c * lean };
                now[e] = add_vertex(mesh, (struct vec3){ c * radius, profile->height[i + e], z * radius }, normal,
                                    turn * around, -(run + (e ? length : 0)) * mesh->density);
            }
            if (s > 0) {
                add_quad(mesh, before[0], now[0], now[1], before[1]);
            }
            before[0] = now[0];
            before[1] = now[1];
        }
        run += length;
    }
}

void mesh_tube(struct mesh *mesh, const struct vec3 *points, const float *radii, size_t count, int sides, bool closed)
{
    struct vec3 side = { 0 };
    float run = 0, around = floorf(6.2832f * radii[0] * mesh->density + 0.5f);
    around = around < 1 ? 1 : around;
    size_t rings = closed ? count + 1 : count;
    uint32_t before = 0;
    for (size_t r = 0; r < rings; r++) {
        size_t i = r % count,
               next = closed          ? (i + 1) % count
                      : i + 1 < count ? i + 1
                                      : i,
               last = closed  ? (i + count - 1) % count
                      : i > 0 ? i - 1
                              : i;
        struct vec3 ahead = vec3_normal(vec3_subtract(points[next], points[last]));
        if (r == 0) {
            side = vec3_normal(
                vec3_cross(ahead, fabsf(ahead.y) < 0.9f ? (struct vec3){ 0, 1, 0 } : (struct vec3){ 1, 0, 0 }));
        } else {
            struct vec3 step = vec3_subtract(points[i], points[(i + count - 1) % count]);
            run += sqrtf(vec3_dot(step, step));
            side = vec3_normal(vec3_subtract(side, vec3_scale(ahead, vec3_dot(side, ahead))));
        }
        struct vec3 other = vec3_cross(ahead, side);
        uint32_t first = 0;
        for (int s = 0; s <= sides; s++) {
            float turn = (float)s / (float)sides;
            struct vec3 out = vec3_add(vec3_scale(side, cos_turns(turn)), vec3_scale(other, sin_turns(turn)));
            uint32_t index = add_vertex(mesh, vec3_add(points[i], vec3_scale(out, radii[i])), out, turn * around,
                                        -run * mesh->density);
            first = s == 0 ? index : first;
            if (r > 0 && s > 0) {
                add_quad(mesh, before + (uint32_t)s - 1, before + (uint32_t)s, index, index - 1);
            }
        }
        before = first;
    }
}

void mesh_card(struct mesh *mesh, struct vec3 base, struct vec3 right, struct vec3 up)
{
    struct vec3 half = vec3_scale(right, 0.5f), face = vec3_normal(vec3_cross(right, up));
    struct vec3 left_low = vec3_subtract(base, half), right_low = vec3_add(base, half);
    for (int side = 0; side < 2; side++) {
        struct vec3 normal = side ? vec3_scale(face, -1) : face;
        uint32_t a = add_vertex(mesh, left_low, normal, 0, 1), b = add_vertex(mesh, right_low, normal, 1, 1);
        uint32_t c = add_vertex(mesh, vec3_add(right_low, up), normal, 1, 0),
                 d = add_vertex(mesh, vec3_add(left_low, up), normal, 0, 0);
        if (side) {
            add_quad(mesh, d, c, b, a);
        } else {
            add_quad(mesh, a, b, c, d);
        }
    }
}

void mesh_blob(struct mesh *mesh, int cells, mesh_shape *shape, const void *context)
{
    static const struct vec3 faces[6] = { { 1, 0, 0 },  { -1, 0, 0 }, { 0, 1, 0 },
                                          { 0, -1, 0 }, { 0, 0, 1 },  { 0, 0, -1 } };
    for (int f = 0; f < 6; f++) {
        struct vec3 out = faces[f],
                    right = fabsf(out.y) > 0.5f ? (struct vec3){ 1, 0, 0 } : (struct vec3){ out.z, 0, -out.x };
        struct vec3 up = vec3_cross(out, right);
        uint32_t first = 0;
        for (int j = 0; j <= cells; j++) {
            for (int i = 0; i <= cells; i++) {
                float a = 2 * (float)i / (float)cells - 1, b = 2 * (float)j / (float)cells - 1;
                struct vec3 cube = vec3_add(out, vec3_add(vec3_scale(right, a), vec3_scale(up, b)));
                struct vec3 direction = vec3_normal(cube), point = shape(context, direction);
                // The normal from two points close by on the displaced surface: the same on both sides of a face's
                // edge.
                struct vec3 helper = fabsf(direction.y) < 0.9f ? (struct vec3){ 0, 1, 0 } : (struct vec3){ 1, 0, 0 };
                struct vec3 s = vec3_normal(vec3_cross(helper, direction)), t = vec3_cross(direction, s);
                float near = 0.7f / (float)cells;
                struct vec3 ps = shape(context, vec3_normal(vec3_add(direction, vec3_scale(s, near))));
                struct vec3 pt = shape(context, vec3_normal(vec3_add(direction, vec3_scale(t, near))));
                struct vec3 normal = vec3_normal(vec3_cross(vec3_subtract(ps, point), vec3_subtract(pt, point)));
                float u, v;
                box_coordinates(point, out, mesh->density, &u, &v);
                uint32_t index = add_vertex(mesh, point, normal, u, v);
                first = i == 0 && j == 0 ? index : first;
                if (i > 0 && j > 0) {
                    uint32_t row = (uint32_t)cells + 1;
                    add_quad(mesh, index - row - 1, index - row, index, index - 1);
                }
            }
        }
    }
}
