/* renderer.c - forward rendering in one pass, tone mapping in each shader, so that software GL can afford it.
 *
 * Order of a frame: halls as the doors reveal them, shadows on them, pictures, meshes, labels, then the HUD. */
#include "renderer.h"
#include "shaders_data.h" /* made by the build from shaders/ */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_DISTANCE 15.0f

typedef struct frame_block {
    float view_projection[16], eye[4], sun[4], screen[4];
} frame_block;
typedef struct hall_block {
    float box_min[4], box_max[4], skylight[4], wall[4], reserved[8];
} hall_block;

enum { PICTURE_CENTER, PICTURE_RIGHT, PICTURE_UP, PICTURE_LOOK, PICTURE_OVERLAY, PICTURE_NORMAL };
enum { MESH_ORIGIN, MESH_TURN, MESH_COLOR, MESH_EMISSIVE, MESH_SURFACE, MESH_LAMP, MESH_OVERLAY, MESH_APPEAR };
enum { TEXT_FLAT };

/* ---- Programs ----------------------------------------------------------------------------------------------------
 */

static GLuint shader_compile(renderer *r, GLenum kind, const char *defines, const char *source, const char *name)
{
    const char *stage = kind == GL_FRAGMENT_SHADER ? "#define FRAGMENT\n" : "";
    const char *parts[] = { "#version 330 core\n", stage, defines, shader_common_glsl, source };
    GLuint shader = glCreateShader(kind);
    glShaderSource(shader, 5, parts, NULL);
    glCompileShader(shader);
    GLint ok = 0;
    glGetShaderiv(shader, GL_COMPILE_STATUS, &ok);
    if (!ok) {
        char log[400];
        glGetShaderInfoLog(shader, sizeof log, NULL, log);
        snprintf(r->error, sizeof r->error, "the OpenGL driver does not compile %s: %s", name, log);
        glDeleteShader(shader);
        return 0;
    }
    return shader;
}

static bool program_create(renderer *r, renderer_program *p, const char *defines, const char *vertex,
                           const char *fragment, const char *name, const char *const *uniforms, uint32_t uniform_count)
{
    GLuint v = shader_compile(r, GL_VERTEX_SHADER, defines, vertex, name);
    GLuint f = v != 0 ? shader_compile(r, GL_FRAGMENT_SHADER, defines, fragment, name) : 0;
    if (f == 0) {
        glDeleteShader(v);
        return false;
    }
    p->name = glCreateProgram();
    glAttachShader(p->name, v);
    glAttachShader(p->name, f);
    glLinkProgram(p->name);
    glDeleteShader(v);
    glDeleteShader(f);
    GLint ok = 0;
    glGetProgramiv(p->name, GL_LINK_STATUS, &ok);
    if (!ok) {
        char log[400];
        glGetProgramInfoLog(p->name, sizeof log, NULL, log);
        snprintf(r->error, sizeof r->error, "the OpenGL driver does not link %s: %s", name, log);
        return false;
    }
    const char *const blocks[] = { "Frame", "Hall" };
    for (GLuint i = 0; i < 2; ++i) {
        GLuint block = glGetUniformBlockIndex(p->name, blocks[i]);
        if (block != GL_INVALID_INDEX) {
            glUniformBlockBinding(p->name, block, i);
        }
    }
    for (uint32_t i = 0; i < uniform_count; ++i) {
        p->uniforms[i] = glGetUniformLocation(p->name, uniforms[i]);
    }
    const char *const samplers[] = { "base_map", "normal_map", "surface_map", "emissive_map" };
    glUseProgram(p->name);
    for (GLint i = 0; i < 4; ++i) {
        GLint location = glGetUniformLocation(p->name, samplers[i]);
        if (location >= 0) {
            glUniform1i(location, i);
        }
    }
    return true;
}

static bool programs_create(renderer *r)
{
    static const char *const picture[] = { "center", "right", "up", "look", "overlay", "normal" };
    static const char *const mesh[] = { "origin_scale", "turn", "base_color", "emissive",
                                        "surface",      "lamp", "overlay",    "appear" };
    static const char *const text_uniforms[] = { "flat_screen" };
    static const char *const variants[MESH_VARIANTS] = { "", "#define BUMPS\n", "#define DISCARDS\n",
                                                         "#define BUMPS\n#define DISCARDS\n" };
    bool ok = program_create(r, &r->solid, "", shader_solid_vert, shader_solid_frag, "solid", NULL, 0) &&
              program_create(r, &r->shadow, "", shader_shadow_vert, shader_shadow_frag, "shadow", NULL, 0) &&
              program_create(r, &r->picture, "", shader_picture_vert, shader_picture_frag, "picture", picture, 6) &&
              program_create(r, &r->text_program, "", shader_text_vert, shader_text_frag, "text", text_uniforms, 1);
    for (int i = 0; ok && i < MESH_VARIANTS; ++i) {
        ok = program_create(r, &r->meshes[i], variants[i], shader_mesh_vert, shader_mesh_frag, "mesh", mesh, 8);
    }
    return ok;
}

/* ---- What does not change -------------------------------------------------------------------------------------------
 */

static GLuint buffer_with(GLenum target, const void *data, size_t size)
{
    GLuint name = 0;
    glGenBuffers(1, &name);
    glBindBuffer(target, name);
    glBufferData(target, (GLsizeiptr)(size > 0 ? size : 4), data, GL_STATIC_DRAW);
    return name;
}

static void museum_upload(renderer *r, const museum *m, const uint32_t *shadow_indices)
{
    glGenVertexArrays(1, &r->museum_array);
    glBindVertexArray(r->museum_array);
    r->museum_vertices = buffer_with(GL_ARRAY_BUFFER, m->vertices, m->vertex_count * sizeof *m->vertices);
    r->museum_indices = buffer_with(GL_ELEMENT_ARRAY_BUFFER, m->indices, m->index_count * sizeof *m->indices);
    GLsizei stride = sizeof(museum_vertex);
    glVertexAttribPointer(0, 3, GL_FLOAT, GL_FALSE, stride, (const void *)offsetof(museum_vertex, position));
    glVertexAttribPointer(1, 4, GL_BYTE, GL_TRUE, stride, (const void *)offsetof(museum_vertex, normal));
    glVertexAttribPointer(2, 4, GL_UNSIGNED_BYTE, GL_TRUE, stride, (const void *)offsetof(museum_vertex, tint));
    for (GLuint i = 0; i < 3; ++i) {
        glEnableVertexAttribArray(i);
    }
    glGenVertexArrays(1, &r->shadow_array);
    glBindVertexArray(r->shadow_array);
    r->shadow_vertices =
        buffer_with(GL_ARRAY_BUFFER, m->shadow_vertices, m->shadow_count * 4 * sizeof *m->shadow_vertices);
    r->shadow_indices =
        buffer_with(GL_ELEMENT_ARRAY_BUFFER, shadow_indices, m->shadow_count * 6 * sizeof *shadow_indices);
    stride = sizeof(museum_shadow_vertex);
    glVertexAttribPointer(0, 3, GL_FLOAT, GL_FALSE, stride, (const void *)offsetof(museum_shadow_vertex, position));
    glVertexAttribPointer(1, 4, GL_FLOAT, GL_FALSE, stride, (const void *)offsetof(museum_shadow_vertex, place));
    glVertexAttribPointer(2, 2, GL_FLOAT, GL_FALSE, stride, (const void *)offsetof(museum_shadow_vertex, strength));
    for (GLuint i = 0; i < 3; ++i) {
        glEnableVertexAttribArray(i);
    }
    glBindVertexArray(0);
}

static bool museum_prepare(renderer *r)
{
    museum m;
    if (!museum_create(r->w, &m)) {
        return false;
    }
    uint32_t *shadow_indices = malloc((m.shadow_count * 6u + 1u) * sizeof *shadow_indices);
    bool ok = shadow_indices != NULL;
    if (ok) {
        static const uint32_t order[6] = { 0, 1, 2, 1, 3, 2 };
        for (uint32_t i = 0; i < m.shadow_count * 6; ++i) {
            shadow_indices[i] = i / 6 * 4 + order[i % 6];
        }
        museum_upload(r, &m, shadow_indices);
        r->ranges = m.ranges;
        r->shadow_ranges = m.shadow_ranges;
        m.ranges = m.shadow_ranges = NULL;
    }
    free(shadow_indices);
    museum_destroy(&m);
    return ok;
}

static bool hall_blocks_prepare(renderer *r)
{
    GLint alignment = 256;
    glGetIntegerv(GL_UNIFORM_BUFFER_OFFSET_ALIGNMENT, &alignment);
    alignment = alignment < 1 ? 1 : alignment;
    r->hall_stride = ((GLint)sizeof(hall_block) + alignment - 1) / alignment * alignment;
    size_t size = (size_t)r->hall_stride * r->w->hall_count;
    uint8_t *blocks = calloc(1, size + 1);
    if (blocks == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < r->w->hall_count; ++i) {
        const world_hall *hall = &r->w->halls[i];
        vec3 paint = museum_paint(i);
        hall_block block = { { hall->x0, 0, hall->z0, 0 },
                             { hall->x1, WORLD_HALL_HEIGHT, hall->z1, 0 },
                             { 0 },
                             { paint.x, paint.y, paint.z, 1 },
                             { 0 } };
        museum_skylight(hall, block.skylight);
        memcpy(blocks + (size_t)r->hall_stride * i, &block, sizeof block);
    }
    r->hall_blocks = buffer_with(GL_UNIFORM_BUFFER, blocks, size);
    free(blocks);
    return true;
}

bool renderer_create(const catalog *c, const world *w, gpu *g, renderer *r)
{
    *r = (renderer){ .c = c, .w = w, .g = g };
    snprintf(r->error, sizeof r->error, "out of memory");
    if (!text_create(&r->text) || !programs_create(r) || !museum_prepare(r) || !hall_blocks_prepare(r)) {
        return false;
    }
    glGenBuffers(1, &r->frame_block);
    glGenVertexArrays(1, &r->empty_array);
    r->error[0] = '\0';
    return true;
}

static void target_destroy(renderer *r)
{
    GLuint buffers[3] = { r->target_color, r->target_depth, r->resolved_color };
    GLuint frames[2] = { r->target, r->resolved };
    if (r->target != 0) {
        glDeleteRenderbuffers(3, buffers);
        glDeleteFramebuffers(2, frames);
    }
    r->target = r->resolved = r->target_color = r->target_depth = r->resolved_color = 0;
}

void renderer_destroy(renderer *r)
{
    target_destroy(r);
    text_destroy(&r->text);
    free(r->ranges);
    free(r->shadow_ranges);
    if (r->frame_block != 0) {
        GLuint buffers[] = { r->frame_block,    r->hall_blocks,     r->museum_vertices,
                             r->museum_indices, r->shadow_vertices, r->shadow_indices };
        glDeleteBuffers(6, buffers);
        GLuint arrays[] = { r->museum_array, r->shadow_array, r->empty_array };
        glDeleteVertexArrays(3, arrays);
    }
    GLuint programs[] = { r->solid.name,     r->shadow.name,    r->picture.name,   r->text_program.name,
                          r->meshes[0].name, r->meshes[1].name, r->meshes[2].name, r->meshes[3].name };
    for (size_t i = 0; i < sizeof programs / sizeof *programs; ++i) {
        if (programs[i] != 0) {
            glDeleteProgram(programs[i]);
        }
    }
    *r = (renderer){ 0 };
}

static GLuint renderbuffer_create(GLenum format, uint32_t width, uint32_t height, uint32_t samples)
{
    GLuint name = 0;
    glGenRenderbuffers(1, &name);
    glBindRenderbuffer(GL_RENDERBUFFER, name);
    glRenderbufferStorageMultisample(GL_RENDERBUFFER, (GLsizei)(samples > 1 ? samples : 0), format, (GLsizei)width,
                                     (GLsizei)height);
    return name;
}

bool renderer_resize(renderer *r, uint32_t width, uint32_t height, uint32_t samples)
{
    GLint samples_max = 1;
    glGetIntegerv(GL_MAX_SAMPLES, &samples_max);
    samples = samples > (uint32_t)samples_max ? (uint32_t)samples_max : samples;
    target_destroy(r);
    r->width = width;
    r->height = height;
    r->samples = samples;
    glGenFramebuffers(1, &r->target);
    glGenFramebuffers(1, &r->resolved);
    r->target_color = renderbuffer_create(GL_SRGB8_ALPHA8, width, height, samples);
    r->target_depth = renderbuffer_create(GL_DEPTH_COMPONENT24, width, height, samples);
    r->resolved_color = renderbuffer_create(GL_SRGB8_ALPHA8, width, height, 1);
    glBindFramebuffer(GL_FRAMEBUFFER, r->target);
    glFramebufferRenderbuffer(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_RENDERBUFFER, r->target_color);
    glFramebufferRenderbuffer(GL_FRAMEBUFFER, GL_DEPTH_ATTACHMENT, GL_RENDERBUFFER, r->target_depth);
    bool ok = glCheckFramebufferStatus(GL_FRAMEBUFFER) == GL_FRAMEBUFFER_COMPLETE;
    glBindFramebuffer(GL_FRAMEBUFFER, r->resolved);
    glFramebufferRenderbuffer(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_RENDERBUFFER, r->resolved_color);
    ok = ok && glCheckFramebufferStatus(GL_FRAMEBUFFER) == GL_FRAMEBUFFER_COMPLETE;
    if (!ok) {
        snprintf(r->error, sizeof r->error, "the OpenGL driver has no target of %u x %u pixels", width, height);
    }
    return ok;
}

/* ---- A frame
 * ---------------------------------------------------------------------------------------------------------- */

static void hall_bind(const renderer *r, uint32_t hall)
{
    glBindBufferRange(GL_UNIFORM_BUFFER, 1, r->hall_blocks, (GLintptr)r->hall_stride * (GLintptr)hall,
                      sizeof(hall_block));
}

static void frame_begin(renderer *r, const renderer_frame *frame)
{
    const view_camera *camera = frame->camera;
    vec3 sun = v3_normalize(v3(0.44f, 0.78f, 0.50f));
    frame_block block = { .eye = { camera->eye.x, camera->eye.y, camera->eye.z, 0.92f },
                          .sun = { sun.x, sun.y, sun.z, 2.6f },
                          .screen = { (float)r->width, (float)r->height, frame->seconds, 0 } };
    memcpy(block.view_projection, camera->view_projection.m, sizeof block.view_projection);
    glBindBuffer(GL_UNIFORM_BUFFER, r->frame_block);
    glBufferData(GL_UNIFORM_BUFFER, sizeof block, &block, GL_STREAM_DRAW);
    glBindBufferBase(GL_UNIFORM_BUFFER, 0, r->frame_block);

    glBindFramebuffer(GL_FRAMEBUFFER, r->target);
    glViewport(0, 0, (GLsizei)r->width, (GLsizei)r->height);
    glEnable(GL_FRAMEBUFFER_SRGB);
    glEnable(GL_DEPTH_TEST);
    glDepthFunc(GL_LESS);
    glDepthMask(GL_TRUE);
    glDisable(GL_BLEND);
    glClearColor(0.05f, 0.05f, 0.06f, 1);
    glClear(GL_COLOR_BUFFER_BIT | GL_DEPTH_BUFFER_BIT);
    glEnable(GL_CULL_FACE);
    r->draw_count = r->triangle_count = 0;
}

static void halls_draw(renderer *r, const renderer_frame *frame)
{
    glUseProgram(r->solid.name);
    glBindVertexArray(r->museum_array);
    for (uint32_t i = 0; i < frame->wants->hall_count; ++i) {
        uint32_t hall = frame->wants->halls[i].hall;
        hall_bind(r, hall);
        glDrawElements(GL_TRIANGLES, (GLsizei)r->ranges[hall].count, GL_UNSIGNED_INT,
                       (const void *)(uintptr_t)(r->ranges[hall].first * sizeof(uint32_t)));
        r->triangle_count += r->ranges[hall].count / 3;
        ++r->draw_count;
    }
    glUseProgram(r->shadow.name);
    glBindVertexArray(r->shadow_array);
    glDisable(GL_CULL_FACE);
    glEnable(GL_BLEND);
    glBlendFunc(GL_SRC_ALPHA, GL_ONE_MINUS_SRC_ALPHA);
    glDepthMask(GL_FALSE);
    for (uint32_t i = 0; i < frame->wants->hall_count; ++i) {
        uint32_t hall = frame->wants->halls[i].hall;
        hall_bind(r, hall);
        glDrawElements(GL_TRIANGLES, (GLsizei)(r->shadow_ranges[hall].count * 6), GL_UNSIGNED_INT,
                       (const void *)(uintptr_t)(r->shadow_ranges[hall].first * 6 * sizeof(uint32_t)));
        ++r->draw_count;
    }
    glDepthMask(GL_TRUE);
    glDisable(GL_BLEND);
}

/* Green is as fine as its size on the screen needs, yellow to red is coarser, blue is nothing yet, and what cannot be
 * had is as its checker. */
static void overlay_set(GLint uniform, bool on, uint32_t missing)
{
    static const float shades[RESIDENCY_SHADE_COUNT][3] = { { 0.05f, 0.75f, 0.15f }, { 0.75f, 0.65f, 0.05f },
                                                            { 0.9f, 0.33f, 0.03f },  { 0.8f, 0.06f, 0.05f },
                                                            { 0.15f, 0.2f, 0.9f },   { 0.7f, 0.02f, 0.6f } };
    const float *c = shades[residency_shade(missing)];
    glUniform4f(uniform, c[0], c[1], c[2], on ? 0.6f : 0);
}

static GLuint texture_or(const renderer *r, const residency *res, uint32_t texture, GLuint standin)
{
    if (texture == CATALOG_NONE) {
        return standin;
    }
    const gpu_texture *t = &r->g->textures[texture];
    GLuint shown = gpu_texture_shown(t);
    return t->name == 0 && res->items[texture].failed ? r->g->checker : shown != 0 ? shown : standin;
}

static float picture_look(const leat_texture_info *info, bool is_color)
{
    switch (info->format) {
    case LEAT_FORMAT_BC5_UNORM:
    case LEAT_FORMAT_BC5_SNORM:
    case LEAT_FORMAT_RG8_UNORM:
        return 2;
    case LEAT_FORMAT_RGBA8_SRGB:
    case LEAT_FORMAT_BC1_SRGB:
    case LEAT_FORMAT_BC2_SRGB:
    case LEAT_FORMAT_BC3_SRGB:
    case LEAT_FORMAT_BC7_SRGB:
    case LEAT_FORMAT_RGBA16_FLOAT:
    case LEAT_FORMAT_BC6H_UFLOAT:
    case LEAT_FORMAT_BC6H_SFLOAT:
        return 0;
    case LEAT_FORMAT_RGBA8_UNORM:
    case LEAT_FORMAT_BC1_UNORM:
    case LEAT_FORMAT_BC2_UNORM:
    case LEAT_FORMAT_BC3_UNORM:
    case LEAT_FORMAT_BC7_UNORM:
        return is_color ? 0 : 1;
    default:
        return 1;
    }
}

static void picture_draw(renderer *r, const renderer_frame *frame, const world_exhibit *e)
{
    const catalog_texture *texture = &r->c->textures[e->item];
    const gpu_texture *t = &r->g->textures[e->item];
    gpu_texture_fade(r->g, e->item, frame->seconds_step);
    vec3 right = v3_scale(v3_cross(v3(0, 1, 0), e->normal), e->half_width);
    const GLint *u = r->picture.uniforms;
    glUniform3f(u[PICTURE_CENTER], e->center.x, e->center.y, e->center.z);
    glUniform3f(u[PICTURE_RIGHT], right.x, right.y, right.z);
    glUniform3f(u[PICTURE_UP], 0, e->half_height, 0);
    glUniform3f(u[PICTURE_NORMAL], e->normal.x, e->normal.y, e->normal.z);
    bool failed = frame->r->items[e->item].failed;
    glUniform4f(u[PICTURE_LOOK], failed ? 0 : picture_look(&texture->info, texture->is_color),
                failed || t->former != 0 ? 1
                : t->name != 0           ? t->appear
                                         : 0,
                texture->info.flags & LEAT_TEXTURE_ALPHA ? 1.0f : 0.0f, 0);
    overlay_set(u[PICTURE_OVERLAY], frame->mip_overlay, residency_missing(frame->r, e->item));
    glBindTexture(GL_TEXTURE_2D, texture_or(r, frame->r, e->item, r->g->paper));
    glDrawArrays(GL_TRIANGLE_STRIP, 0, 4);
    ++r->draw_count;
    r->triangle_count += 2;
}

/* A mesh that cannot be had: a checker stands on its plinth, turned to the eye. */
static void missing_mesh_draw(renderer *r, const renderer_frame *frame, const world_exhibit *e)
{
    const float half = 0.5f;
    vec3 forward = frame->camera->forward;
    vec3 right = v3_normalize(v3_cross(v3(forward.x, 0, forward.z), v3(0, 1, 0)));
    const GLint *u = r->picture.uniforms;
    glUniform3f(u[PICTURE_CENTER], e->center.x, WORLD_PLINTH_HEIGHT + half + 0.05f, e->center.z);
    glUniform3f(u[PICTURE_RIGHT], right.x * half, 0, right.z * half);
    glUniform3f(u[PICTURE_UP], 0, half, 0);
    glUniform3f(u[PICTURE_NORMAL], -forward.x, 0, -forward.z);
    glUniform4f(u[PICTURE_LOOK], 0, 1, 0, 0);
    glUniform4f(u[PICTURE_OVERLAY], 0, 0, 0, 0);
    glBindTexture(GL_TEXTURE_2D, r->g->checker);
    glDrawArrays(GL_TRIANGLE_STRIP, 0, 4);
    ++r->draw_count;
    r->triangle_count += 2;
}

static void pictures_draw(renderer *r, const renderer_frame *frame)
{
    glUseProgram(r->picture.name);
    glBindVertexArray(r->empty_array);
    uint32_t hall = WORLD_NONE;
    for (uint32_t i = 0; i < frame->wants->drawn_count; ++i) {
        const world_exhibit *e = &r->w->exhibits[frame->wants->drawn[i].exhibit];
        bool missing = e->kind == WORLD_MESH && frame->r->items[e->item].failed;
        if (e->kind != WORLD_TEXTURE && !missing) {
            continue;
        }
        if (e->hall != hall) {
            hall = e->hall;
            hall_bind(r, hall);
        }
        if (missing) {
            missing_mesh_draw(r, frame, e);
        } else {
            picture_draw(r, frame, e);
        }
    }
}

static const catalog_material *material_of(const renderer *r, const catalog_mesh *mesh, uint32_t slot)
{
    uint32_t material = slot < mesh->info.material_count ? mesh->materials[slot] : CATALOG_NONE;
    return material != CATALOG_NONE ? &r->c->materials[material] : NULL;
}

/* Of the mesh, or of the one of its maps that lacks most. */
static uint32_t material_missing(const residency *r, const catalog_material *m, uint32_t mesh)
{
    uint32_t missing = residency_missing(r, mesh);
    if (m != NULL) {
        const uint32_t maps[] = { m->base_color, m->normal, m->metallic_roughness, m->emissive };
        for (uint32_t i = 0; i < sizeof maps / sizeof *maps; ++i) {
            uint32_t of_map = maps[i] != CATALOG_NONE ? residency_missing(r, maps[i]) : 0;
            missing = of_map > missing ? of_map : missing;
        }
    }
    return missing;
}

static void map_bind(renderer *r, const renderer_frame *frame, GLenum unit, uint32_t texture, GLuint standin)
{
    glActiveTexture(GL_TEXTURE0 + unit);
    if (texture != CATALOG_NONE) {
        gpu_texture_fade(r->g, texture, frame->seconds_step);
        glBindTexture(GL_TEXTURE_2D, texture_or(r, frame->r, texture, standin));
        GLint wrap = GL_REPEAT;
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, wrap);
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, wrap);
    } else {
        glBindTexture(GL_TEXTURE_2D, standin);
    }
    glActiveTexture(GL_TEXTURE0);
}

static void material_bind(renderer *r, const renderer_frame *frame, const catalog_material *m, const world_exhibit *e,
                          const gpu_mesh *mesh)
{
    bool textured = m != NULL && m->base_color != CATALOG_NONE;
    bool bumps = m != NULL && m->normal != CATALOG_NONE && gpu_texture_shown(&r->g->textures[m->normal]) != 0;
    bool masks = m != NULL && m->info.alpha_mode != LEAT_ALPHA_OPAQUE;
    bool discards = masks || mesh->appear < 1;
    const renderer_program *p = &r->meshes[(bumps ? MESH_BUMPS : 0) | (discards ? MESH_DISCARDS : 0)];
    glUseProgram(p->name);
    const GLint *u = p->uniforms;
    glUniform4f(u[MESH_ORIGIN], e->origin.x, e->origin.y, e->origin.z, e->scale);
    glUniform2f(u[MESH_TURN], cosf(e->turn), sinf(e->turn));
    glUniform4f(u[MESH_LAMP], e->center.x + 0.9f, 5.4f, e->center.z + e->normal.z * 2.0f, 1.15f);
    glUniform1f(u[MESH_APPEAR], mesh->appear);
    if (m != NULL) {
        const leat_material_info *info = &m->info;
        glUniform4fv(u[MESH_COLOR], 1, info->base_color);
        glUniform4f(u[MESH_EMISSIVE], info->emissive[0], info->emissive[1], info->emissive[2],
                    info->flags & LEAT_MATERIAL_UNLIT ? 1.0f : 0.0f);
        float cutoff = info->alpha_mode == LEAT_ALPHA_MASK ? info->alpha_cutoff : masks ? 0.35f : 0;
        glUniform4f(u[MESH_SURFACE], info->metallic, info->roughness, info->normal_scale, cutoff);
    } else {
        glUniform4f(u[MESH_COLOR], 0.75f, 0.72f, 0.68f, 1);
        glUniform4f(u[MESH_EMISSIVE], 0, 0, 0, 0);
        glUniform4f(u[MESH_SURFACE], 0, 0.7f, 1, 0);
    }
    overlay_set(u[MESH_OVERLAY], frame->mip_overlay, material_missing(frame->r, m, e->item));
    map_bind(r, frame, 0, textured ? m->base_color : CATALOG_NONE, textured ? r->g->paper : r->g->white);
    map_bind(r, frame, 1, m != NULL ? m->normal : CATALOG_NONE, r->g->flat_normal);
    map_bind(r, frame, 2, m != NULL ? m->metallic_roughness : CATALOG_NONE, r->g->white);
    map_bind(r, frame, 3, m != NULL ? m->emissive : CATALOG_NONE, r->g->white);
    if (m != NULL && m->info.flags & LEAT_MATERIAL_DOUBLE_SIDED) {
        glDisable(GL_CULL_FACE);
    } else {
        glEnable(GL_CULL_FACE);
    }
}

static void mesh_draw(renderer *r, const renderer_frame *frame, const world_exhibit *e, float pixels)
{
    uint32_t index = e->item - r->c->texture_count;
    const catalog_mesh *mesh = &r->c->meshes[index];
    const gpu_mesh *m = &r->g->meshes[index];
    if (m->vertices == 0) {
        return;
    }
    gpu_mesh_fade(r->g, index, frame->seconds_step);
    uint32_t lod = wants_lod_for(mesh, pixels);
    lod = lod < m->level ? m->level : lod;
    glBindVertexArray(m->array);
    GLenum type = mesh->info.index_size == 2 ? GL_UNSIGNED_SHORT : GL_UNSIGNED_INT;
    for (uint32_t s = 0; s < mesh->info.submesh_count; ++s) {
        const leat_submesh_info *submesh = &mesh->submeshes[(size_t)lod * mesh->info.submesh_count + s];
        if (submesh->index_count == 0) {
            continue;
        }
        material_bind(r, frame, material_of(r, mesh, submesh->material), e, m);
        glDrawElements(GL_TRIANGLES, (GLsizei)submesh->index_count, type,
                       (const void *)((uintptr_t)submesh->index_first * mesh->info.index_size));
        ++r->draw_count;
        r->triangle_count += submesh->index_count / 3;
    }
}

static void meshes_draw(renderer *r, const renderer_frame *frame)
{
    uint32_t hall = WORLD_NONE;
    if (frame->lod_wireframe) {
        glPolygonMode(GL_FRONT_AND_BACK, GL_LINE);
    }
    for (uint32_t i = 0; i < frame->wants->drawn_count; ++i) {
        const wants_drawn *drawn = &frame->wants->drawn[i];
        const world_exhibit *e = &r->w->exhibits[drawn->exhibit];
        if (e->kind != WORLD_MESH) {
            continue;
        }
        if (e->hall != hall) {
            hall = e->hall;
            hall_bind(r, hall);
        }
        mesh_draw(r, frame, e, drawn->pixels);
    }
    glPolygonMode(GL_FRONT_AND_BACK, GL_FILL);
}

/* A hall's name over its doors, as one reads it from within. */
static void hall_title(renderer *r, const world_hall *hall)
{
    static const uint8_t gold[4] = { 236, 214, 170, 235 };
    float z = (hall->z0 + hall->z1) * 0.5f, y = WORLD_DOOR_HEIGHT + 0.85f;
    text_world(&r->text, v3(hall->x0 + 0.02f, y, z), v3(0, 0, -1), v3(0, 1, 0), 0.62f, 12, gold, hall->name);
    text_world(&r->text, v3(hall->x1 - 0.02f, y, z), v3(0, 0, 1), v3(0, 1, 0), 0.62f, 12, gold, hall->name);
}

static void labels_draw(renderer *r, const renderer_frame *frame)
{
    static const uint8_t pale[4] = { 238, 232, 220, 225 }, dark[4] = { 74, 66, 58, 235 };
    for (uint32_t i = 0; i < frame->wants->drawn_count; ++i) {
        const wants_drawn *drawn = &frame->wants->drawn[i];
        const world_exhibit *e = &r->w->exhibits[drawn->exhibit];
        if (drawn->distance > LABEL_DISTANCE) {
            continue;
        }
        if (e->kind == WORLD_TEXTURE) {
            vec3 right = v3_cross(v3(0, 1, 0), e->normal);
            vec3 spot = v3_add(e->center, v3_scale(e->normal, -0.039f));
            spot.y -= e->half_height + 0.22f;
            text_world(&r->text, spot, right, v3(0, 1, 0), 0.125f, 2.3f, pale,
                       catalog_name_tail(r->c->textures[e->item].name));
        } else {
            vec3 right = v3_cross(v3(0, 1, 0), e->normal);
            vec3 spot =
                v3(e->center.x, WORLD_PLINTH_HEIGHT * 0.6f, e->center.z + e->normal.z * (WORLD_PLINTH_HALF + 0.006f));
            text_world(&r->text, spot, right, v3(0, 1, 0), 0.11f, WORLD_PLINTH_HALF * 1.8f, dark,
                       catalog_name_tail(r->c->meshes[e->item - r->c->texture_count].name));
        }
    }
    for (uint32_t i = 0; i < frame->wants->hall_count && i < 3; ++i) {
        hall_title(r, &r->w->halls[frame->wants->halls[i].hall]);
    }
    glEnable(GL_BLEND);
    glBlendFunc(GL_SRC_ALPHA, GL_ONE_MINUS_SRC_ALPHA);
    glDepthMask(GL_FALSE);
    glDisable(GL_CULL_FACE);
    glUseProgram(r->text_program.name);
    glUniform4f(r->text_program.uniforms[TEXT_FLAT], 0, 0, 0, 0);
    text_flush(&r->text, &r->text.world);
    glDepthMask(GL_TRUE);
    glDisable(GL_BLEND);
}

void renderer_draw(renderer *r, const renderer_frame *frame)
{
    frame_begin(r, frame);
    halls_draw(r, frame);
    glDisable(GL_CULL_FACE);
    pictures_draw(r, frame);
    glEnable(GL_CULL_FACE);
    meshes_draw(r, frame);
    labels_draw(r, frame);
}

void renderer_draw_screen(renderer *r)
{
    glDisable(GL_DEPTH_TEST);
    glDisable(GL_CULL_FACE);
    glEnable(GL_BLEND);
    glBlendFunc(GL_SRC_ALPHA, GL_ONE_MINUS_SRC_ALPHA);
    glUseProgram(r->text_program.name);
    glUniform4f(r->text_program.uniforms[TEXT_FLAT], 2.0f / (float)r->width, 2.0f / (float)r->height, 1, 0);
    text_flush(&r->text, &r->text.screen);
    glDisable(GL_BLEND);
}

void renderer_finish(renderer *r, bool to_window, uint32_t window_width, uint32_t window_height)
{
    glBindFramebuffer(GL_READ_FRAMEBUFFER, r->target);
    glBindFramebuffer(GL_DRAW_FRAMEBUFFER, r->resolved);
    GLint width = (GLint)r->width, height = (GLint)r->height;
    glBlitFramebuffer(0, 0, width, height, 0, 0, width, height, GL_COLOR_BUFFER_BIT, GL_NEAREST);
    if (to_window) {
        /* Encoded values go to the window as they are: no conversion on the way. */
        glDisable(GL_FRAMEBUFFER_SRGB);
        glBindFramebuffer(GL_READ_FRAMEBUFFER, r->resolved);
        glBindFramebuffer(GL_DRAW_FRAMEBUFFER, 0);
        glBlitFramebuffer(0, 0, width, height, 0, 0, (GLint)window_width, (GLint)window_height, GL_COLOR_BUFFER_BIT,
                          width == (GLint)window_width ? GL_NEAREST : GL_LINEAR);
    }
}

void renderer_read(renderer *r, uint8_t *pixels)
{
    glBindFramebuffer(GL_READ_FRAMEBUFFER, r->resolved);
    size_t row = (size_t)r->width * 3;
    for (uint32_t y = 0; y < r->height; ++y) {
        glReadPixels(0, (GLint)(r->height - 1 - y), (GLsizei)r->width, 1, GL_RGB, GL_UNSIGNED_BYTE, pixels + row * y);
    }
}
