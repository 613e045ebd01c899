/* world.h - the museum: halls by folder, doors between them, a place for every asset. Pure: no GL, no clock, no
 * library.
 *
 * The halls form one walk: an enfilade along +x, then a turn through the side wall, and back along -x in the next row,
 * so that consecutive halls always share a door, and rows never overlap. Each hall has textures in frames on its two
 * long walls and meshes on plinths along its axis. What fits a small room gets one: a cabinet. Same input, same museum.
 *
 * Metres, +y up, the floor is y = 0. */
#ifndef VIEW_WORLD_H
#define VIEW_WORLD_H

#include "math3d.h"

#include <stdint.h>

#define WORLD_NONE UINT32_MAX
#define WORLD_HALL_NAME_SIZE 96
#define WORLD_HALL_WIDTH 15.0f
#define WORLD_HALL_HEIGHT 6.4f
#define WORLD_WALL_THICKNESS 0.5f
#define WORLD_DOOR_WIDTH 3.2f
#define WORLD_DOOR_HEIGHT 3.9f
#define WORLD_PLINTH_HEIGHT 0.95f
#define WORLD_PLINTH_HALF 0.72f
#define WORLD_SKYLIGHT_HALF 2.3f

typedef enum world_kind { WORLD_TEXTURE = 0, WORLD_MESH = 1 } world_kind;

typedef struct world_item {
    const char *name; /* with '/'; decides the hall */
    world_kind kind;
    float aspect; /* texture: width / height */
    float bounds_min[3], bounds_max[3]; /* mesh */
} world_item;

typedef struct world_exhibit {
    uint32_t item;
    world_kind kind;
    uint32_t hall;
    vec3 center; /* of the picture, or of the mesh as it stands */
    float radius;
    vec3 normal; /* texture: away from the wall; mesh: to the aisle */
    float half_width, half_height; /* of a picture; of a mesh's footprint along its own x and z */
    float scale; /* mesh: world = origin + scale * (mesh turned by `turn`) */
    vec3 origin;
    float turn; /* radians about +y */
} world_exhibit;

/* A door joins hall i and i + 1 and is door i. */
typedef struct world_door {
    vec3 center; /* of the opening, at floor level, in the middle of the wall */
    bool along_z; /* one walks through it along z (a turn), else along x */
} world_door;

typedef struct world_hall {
    char name[WORLD_HALL_NAME_SIZE];
    float x0, x1, z0, z1;
    uint32_t exhibit_first, exhibit_count;
    bool reversed; /* one walks it along -x */
} world_hall;

typedef struct world {
    world_hall *halls;
    world_door *doors; /* hall_count - 1 */
    world_exhibit *exhibits;
    uint32_t hall_count, exhibit_count;
    bool cabinet; /* a single small hall: one does not walk through it, but looks around */
} world;

/* False if memory ran out. No items give a world with no halls. */
bool world_create(const world_item *items, uint32_t count, world *w);
void world_destroy(world *w);

/* The hall that a point is in, or the nearest one. hint is tried first. */
uint32_t world_hall_at(const world *w, vec3 point, uint32_t hint);

/* Moves as far as the walls allow: slides along them, passes through doors. */
vec3 world_move(const world *w, vec3 from, vec3 to);

/* The halls that can be seen from a point through doors, nearest first, each with the part of the screen that it can
 * cover. Returns their count, at most visible_max. */
typedef struct world_visible {
    uint32_t hall;
    screen_rect rect;
} world_visible;
uint32_t world_see(const world *w, vec3 eye, const mat4 *view_projection, uint32_t hall, world_visible *visible,
                   uint32_t visible_max);

/* The four corners of a picture: top left, top right, bottom left, bottom right as one sees it. */
void world_picture_corners(const world_exhibit *exhibit, vec3 corners[4]);

/* The part of the screen that a sphere covers; everything if it reaches behind the eye. */
screen_rect world_sphere_rect(const mat4 *view_projection, vec3 center, float radius, vec3 right, vec3 up);

#endif
