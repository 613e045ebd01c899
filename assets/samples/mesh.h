// A mesh under construction, and the solids it is put together from.
//
// Metres, y up, right-handed, counter-clockwise outside; texture coordinates as glTF has them (v runs down). A mesh has
// parts, one for each material; primitives go to the part chosen last, through the current placement. Memory that runs
// out sets `failed` and drops what comes after, so that builders need not check each call. One thread per mesh.
#ifndef SAMPLES_MESH_H
#define SAMPLES_MESH_H

#include "surface.h"

#include <stddef.h>

enum { MESH_PARTS_MAX = 12, MESH_POLYGON_MAX = 64, MESH_PROFILE_MAX = 64, MESH_PATH_MAX = 256 };

struct vec3 {
    float x, y, z;
};

struct mesh_vertex {
    struct vec3 position, normal;
    float u, v;
};

struct mesh_part {
    const struct surface *surface;
    struct mesh_vertex *vertices;
    uint32_t *indices;
    size_t vertex_count, vertex_room, index_count, index_room;
};

struct mesh {
    struct mesh_part parts[MESH_PARTS_MAX];
    size_t part_count, current;
    float density; // repeats of the texture per metre
    struct vec3 origin, axis_x, axis_y, axis_z; // placement of what is added; the axes may scale
    uint32_t random; // state of mesh_random
    bool failed;
};

void mesh_start(struct mesh *mesh, uint32_t seed);
void mesh_free(struct mesh *mesh);

// What follows gets this material; `density` in repeats per metre.
void mesh_material(struct mesh *mesh, const char *folder, const char *name, float density);

// What follows is put at (x, y, z), turned about y by `turn` turns and scaled.
void mesh_place(struct mesh *mesh, struct vec3 at, float turn, float scale);
// The same with a chosen up direction.
void mesh_place_along(struct mesh *mesh, struct vec3 at, struct vec3 up, float turn, float scale);

// At most one call in an expression: the order in which arguments are evaluated differs between compilers.
float mesh_random(struct mesh *mesh, float low, float high);
int mesh_choose(struct mesh *mesh, int count);

// Convex, flat, counter-clockwise seen from outside; textured by its main direction.
void mesh_polygon(struct mesh *mesh, const struct vec3 *points, size_t count);
// Corners: the lower four counter-clockwise seen from above, then the upper four over them.
void mesh_hexahedron(struct mesh *mesh, const struct vec3 corners[8]);
void mesh_box(struct mesh *mesh, struct vec3 low, struct vec3 high);
// A profile of (radius, height) points from the bottom up, turned about y. `flutes` grooves of `depth`.
struct lathe_profile {
    float radius[MESH_PROFILE_MAX], height[MESH_PROFILE_MAX];
    size_t count;
    int segments, flutes;
    float depth;
};
void lathe_point(struct lathe_profile *profile, float radius, float height);
void mesh_lathe(struct mesh *mesh, const struct lathe_profile *profile);
// A round tube along points with a radius each; closed joins the last to the first, else the ends are open.
void mesh_tube(struct mesh *mesh, const struct vec3 *points, const float *radii, size_t count, int sides, bool closed);
// A rectangle of a cut-out surface, seen from both sides: lower edge around `base`, up along `up`.
void mesh_card(struct mesh *mesh, struct vec3 base, struct vec3 right, struct vec3 up);
// A sphere of six grids, moved to where `shape` puts each direction; textured by main direction.
typedef struct vec3 mesh_shape(const void *context, struct vec3 direction);
void mesh_blob(struct mesh *mesh, int cells, mesh_shape *shape, const void *context);

// Writers; false with errno set on failure. NAME has no ending. Images are referred to as
// ../<folder>/<name>_albedo.png.
bool mesh_write_gltf(const struct mesh *mesh, const char *folder, const char *name);
bool mesh_write_obj(const struct mesh *mesh, const char *folder, const char *name);

static inline struct vec3 vec3_add(struct vec3 a, struct vec3 b)
{
    return (struct vec3){ a.x + b.x, a.y + b.y, a.z + b.z };
}

static inline struct vec3 vec3_scale(struct vec3 a, float factor)
{
    return (struct vec3){ a.x * factor, a.y * factor, a.z * factor };
}

static inline struct vec3 vec3_subtract(struct vec3 a, struct vec3 b)
{
    return (struct vec3){ a.x - b.x, a.y - b.y, a.z - b.z };
}

static inline float vec3_dot(struct vec3 a, struct vec3 b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

static inline struct vec3 vec3_cross(struct vec3 a, struct vec3 b)
{
    return (struct vec3){ a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x };
}

struct vec3 vec3_normal(struct vec3 a);

#endif
