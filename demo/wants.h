/* wants.h - what the camera sees and will see: the draw list of a frame, and the wants that follow from it. Pure. */
#ifndef VIEW_WANTS_H
#define VIEW_WANTS_H

#include "catalog.h"
#include "residency.h"
#include "world.h"

typedef struct view_camera {
    vec3 eye, forward;
    float fov_y;
    uint32_t width, height; /* pixels */
    uint32_t hall;
    mat4 view_projection;
} view_camera;

typedef struct wants_drawn {
    uint32_t exhibit;
    float pixels; /* of the longer side of a picture, or of a mesh's diameter */
    float distance; /* metres from the eye to its nearest point */
} wants_drawn;

#define WANTS_HALLS_MAX 64u

typedef struct wants {
    world_visible halls[WANTS_HALLS_MAX];
    uint32_t hall_count;
    wants_drawn *drawn; /* has room for every exhibit */
    uint32_t drawn_count;
} wants;

/* Finds what is in view, and tells residency of it and of what is near or ahead. */
void wants_collect(const world *w, const catalog *c, const view_camera *camera, residency *r, wants *out);

/* What one looks at: of what is drawn, the exhibit nearest to the middle of the picture, and the part of the screen
 * that it covers. WORLD_NONE: nothing is near it. */
uint32_t wants_focus(const world *w, const view_camera *camera, const wants *seen, screen_rect *rect);

/* The finest LOD whose error stays below a pixel's worth when the mesh's diameter covers `pixels`. */
uint32_t wants_lod_for(const catalog_mesh *mesh, float pixels);

#endif
