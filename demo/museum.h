/* museum.h - the fixed geometry of the world: floors, walls, roofs, frames, plinths, and the soft shadows on them.
 *
 * Pure: vertices and indices in memory, a range for each hall, so that only halls in view are drawn. */
#ifndef VIEW_MUSEUM_H
#define VIEW_MUSEUM_H

#include "world.h"

/* As in solid.frag. */
typedef enum museum_kind {
    MUSEUM_FLOOR = 0,
    MUSEUM_WALL = 1,
    MUSEUM_GLASS = 2,
    MUSEUM_POLISHED = 3,
    MUSEUM_MATT = 4,
    MUSEUM_METAL = 5
} museum_kind;

typedef struct museum_vertex {
    float position[3];
    int8_t normal[4]; /* [3]: museum_kind */
    uint8_t tint[4]; /* square roots of linear */
} museum_vertex;

typedef struct museum_shadow_vertex {
    float position[3];
    float place[4];
    float strength[2];
} museum_shadow_vertex;

typedef struct museum_range {
    uint32_t first, count; /* of indices */
} museum_range;

typedef struct museum {
    museum_vertex *vertices;
    uint32_t *indices;
    museum_shadow_vertex *shadow_vertices; /* four a shadow, as a strip each */
    uint32_t vertex_count, index_count, shadow_count;
    uint32_t vertex_capacity, index_capacity, shadow_capacity;
    museum_range *ranges, *shadow_ranges; /* by hall */
    bool out_of_memory;
} museum;

bool museum_create(const world *w, museum *m);
void museum_destroy(museum *m);

/* The paint of a hall's walls, linear. */
vec3 museum_paint(uint32_t hall);
/* The glass of a hall's roof: x0, x1, z0, z1. */
void museum_skylight(const world_hall *hall, float skylight[4]);

#endif
