/* renderer.h - draws a frame of the museum into an off-screen sRGB target, and the HUD over it. */
#ifndef VIEW_RENDERER_H
#define VIEW_RENDERER_H

#include "gpu.h"
#include "museum.h"
#include "text.h"
#include "wants.h"

typedef struct renderer_program {
    GLuint name;
    GLint uniforms[16]; /* by the enum of its user in renderer.c */
} renderer_program;

enum { MESH_PLAIN = 0, MESH_BUMPS = 1, MESH_DISCARDS = 2, MESH_VARIANTS = 4 };

typedef struct renderer {
    const catalog *c;
    const world *w;
    gpu *g;
    text text;
    renderer_program solid, shadow, picture, text_program, meshes[MESH_VARIANTS];
    GLuint frame_block, hall_blocks;
    GLint hall_stride;
    GLuint museum_array, museum_vertices, museum_indices;
    GLuint shadow_array, shadow_vertices, shadow_indices;
    museum_range *ranges, *shadow_ranges;
    GLuint empty_array;
    GLuint target, target_color, target_depth; /* multisampled, or the same as resolved */
    GLuint resolved, resolved_color;
    uint32_t width, height, samples;
    uint32_t draw_count, triangle_count; /* of the last frame */
    char error[512];
} renderer;

typedef struct renderer_frame {
    const view_camera *camera;
    const wants *wants;
    const residency *r;
    float seconds; /* since the start */
    float seconds_step; /* of this frame */
    bool mip_overlay, lod_wireframe;
} renderer_frame;

/* False with a text in r->error: no memory, or shaders that the driver does not take. */
bool renderer_create(const catalog *c, const world *w, gpu *g, renderer *r);
void renderer_destroy(renderer *r);
/* Makes the target. samples 0 or 1: no multisampling. */
bool renderer_resize(renderer *r, uint32_t width, uint32_t height, uint32_t samples);

void renderer_draw(renderer *r, const renderer_frame *frame);
/* What the HUD put into r->text.screen. */
void renderer_draw_screen(renderer *r);
/* Resolves; then the window's back buffer gets it, if there is one. */
void renderer_finish(renderer *r, bool to_window, uint32_t window_width, uint32_t window_height);
/* RGB, top row first; pixels has room for width * height * 3. */
void renderer_read(renderer *r, uint8_t *pixels);

#endif
