/* gpu.h - textures and meshes in GL, filled level by level from the bytes that the streamer delivers.
 *
 * An object in GL always holds exactly the levels that are resident: to refine is to make a larger one, copy the
 * coarser levels on the GPU, upload the finer ones in bands over as many frames as the byte budget needs, and swap. So
 * a budget in bytes is a budget of memory, and what is drawn is always complete. One thread, the one with the GL
 * context. */
#ifndef VIEW_GPU_H
#define VIEW_GPU_H

#include "catalog.h"

#include <epoxy/gl.h>

typedef struct gpu_format {
    GLenum internal, internal_srgb, format, type; /* format is 0 for block-compressed ones */
    uint32_t block_size, block_edge; /* on the GPU */
    bool supported;
    bool decoded; /* the driver lacks the format: blocks become RGBA8 on the CPU, on the way up */
} gpu_format;

typedef struct gpu_texture {
    GLuint name;
    uint8_t level; /* finest mip in it; meaningless without a name */
    float fade; /* mips still to blend in, for TEXTURE_MIN_LOD */
    float fade_set;
    float appear; /* 0 .. 1 since the first mip */
    GLuint pending;
    GLuint former; /* of content that has changed: drawn until something of the new one is here */
} gpu_texture;

typedef struct gpu_mesh {
    GLuint array, vertices, indices;
    uint8_t level; /* finest LOD in it */
    float appear;
    GLuint pending_vertices, pending_indices;
} gpu_mesh;

/* One delivery on its way up: levels [level, level + count) of an item, coarsest first in data. */
typedef struct gpu_upload {
    uint32_t index; /* of the texture or mesh */
    bool is_mesh;
    uint8_t level, count;
    const uint8_t *data;
    uint64_t size;
    bool refused; /* by gpu_upload_step: the bytes are not what they should be */
    /* cursor */
    bool begun;
    uint8_t levels_done;
    uint32_t row; /* of blocks, in the level under way; for meshes, bytes / GPU_MESH_BAND */
} gpu_upload;

typedef struct gpu {
    const catalog *c;
    gpu_texture *textures;
    gpu_mesh *meshes;
    GLuint white, flat_normal, checker, paper; /* stand-ins: 1, no bumps, "failed", "not here yet" */
    bool has_copy_image, has_storage;
    float anisotropy;
    GLint texture_size_max;
    uint8_t *scratch; /* a band of decoded blocks */
    uint64_t scratch_size;
} gpu;

bool gpu_create(const catalog *c, bool software, gpu *g);
void gpu_destroy(gpu *g);

/* How a texture of the catalogue is held; supported is false if GL and the viewer have no way to show it. */
gpu_format gpu_format_of(const gpu *g, const catalog_texture *texture);
/* GPU bytes of one mip (layer 0). */
uint64_t gpu_mip_bytes(const gpu *g, const catalog_texture *texture, uint32_t mip);

/* Uploads at most *bytes_left more bytes of u (and takes them off). True when it is complete and drawn from now on, or
 * refused, and nothing has changed. */
bool gpu_upload_step(gpu *g, gpu_upload *u, uint64_t *bytes_left);
/* Frees all levels finer than `level`; level_count and up frees everything. */
void gpu_texture_drop(gpu *g, uint32_t texture, uint32_t level);
/* As if everything were freed, but what it showed is drawn until something of its new content is here, */
void gpu_texture_outdate(gpu *g, uint32_t texture);
/* or until now. */
void gpu_texture_drop_former(gpu *g, uint32_t texture);
/* What is to be drawn; 0: nothing. */
static inline GLuint gpu_texture_shown(const gpu_texture *t)
{
    return t->name != 0 ? t->name : t->former;
}
void gpu_mesh_drop(gpu *g, uint32_t mesh, uint32_t level);

/* Advances fades by seconds; for what is drawn only. */
void gpu_texture_fade(gpu *g, uint32_t texture, float seconds);
void gpu_mesh_fade(gpu *g, uint32_t mesh, float seconds);

#endif
