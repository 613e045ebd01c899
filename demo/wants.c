/* wants.c - from the camera to wants: halls through doors, exhibits in the frustum, mips and LODs by size on the
 * screen.
 *
 * The cost of a frame is that of the halls in view and the next two; all other halls are not looked at. */
#include "wants.h"

#define AHEAD_DISTANCE 26.0f /* metres; beyond, what is out of view is not prefetched */
#define AHEAD_MIPS 1u /* coarser than if it were in view */
#define LOD_ERROR_PIXELS 0.8f
#define FOCUS_OFFSET_MAX 0.6f /* from the middle of the picture, of half its width or height */

uint32_t wants_lod_for(const catalog_mesh *mesh, float pixels)
{
    float diameter = 0;
    for (int i = 0; i < 3; ++i) {
        float side = mesh->info.bounds_max[i] - mesh->info.bounds_min[i];
        diameter += side * side;
    }
    diameter = sqrtf(diameter);
    for (uint32_t lod = mesh->info.lod_count; lod-- > 1;) {
        if (mesh->lods[lod].error * pixels <= LOD_ERROR_PIXELS * diameter) {
            return lod;
        }
    }
    return 0;
}

static void texture_want(residency *r, const catalog *c, uint32_t texture, float pixels, uint32_t coarser,
                         residency_class wanted_class, float score)
{
    if (texture == CATALOG_NONE) {
        return;
    }
    const leat_texture_info *info = &c->textures[texture].info;
    uint32_t mip = residency_mip_for(info->width, info->height, info->mip_count, pixels);
    residency_want(r, texture, mip + coarser, wanted_class, score);
}

static void exhibit_want(const world_exhibit *e, const catalog *c, residency *r, float pixels, float distance,
                         residency_class wanted_class)
{
    uint32_t coarser = wanted_class == RESIDENCY_AHEAD ? AHEAD_MIPS : 0;
    /* What is larger on the screen matters more than what is merely near. */
    float score = distance + 200.0f / f_max(pixels, 1.0f);
    if (e->kind == WORLD_TEXTURE) {
        texture_want(r, c, e->item, pixels, coarser, wanted_class, score);
        return;
    }
    uint32_t mesh_index = e->item - c->texture_count;
    const catalog_mesh *mesh = &c->meshes[mesh_index];
    uint32_t lod = wants_lod_for(mesh, pixels) + coarser;
    residency_want(r, e->item, lod < mesh->info.lod_count ? lod : mesh->info.lod_count - 1u, wanted_class, score);
    for (uint32_t slot = 0; slot < mesh->info.material_count; ++slot) {
        if (mesh->materials[slot] == CATALOG_NONE) {
            continue;
        }
        const catalog_material *m = &c->materials[mesh->materials[slot]];
        texture_want(r, c, m->base_color, pixels, coarser, wanted_class, score);
        texture_want(r, c, m->normal, pixels, coarser, wanted_class, score + 1);
        texture_want(r, c, m->metallic_roughness, pixels, coarser + 1, wanted_class, score + 2);
        texture_want(r, c, m->emissive, pixels, coarser, wanted_class, score + 1);
        texture_want(r, c, m->occlusion, pixels, coarser + 1, wanted_class, score + 2);
    }
}

/* Pixels that a length covers at a distance, looking straight at it. */
static float pixels_of(const view_camera *camera, float length, float distance)
{
    float per_metre = (float)camera->height * 0.5f / tanf(camera->fov_y * 0.5f);
    return length * per_metre / f_max(distance, 0.4f);
}

static void hall_collect(const world *w, const catalog *c, const view_camera *camera, const world_hall *hall,
                         const screen_rect *rect, residency *r, wants *out)
{
    vec3 right = v3_normalize(v3_cross(camera->forward, v3(0, 1, 0))), up = v3_cross(right, camera->forward);
    for (uint32_t i = 0; i < hall->exhibit_count; ++i) {
        uint32_t index = hall->exhibit_first + i;
        const world_exhibit *e = &w->exhibits[index];
        bool picture = e->kind == WORLD_TEXTURE;
        float distance = f_max(v3_length(v3_sub(e->center, camera->eye)) - e->radius, 0.3f);
        float length = picture ? 2 * f_max(e->half_width, e->half_height) : 2 * e->radius;
        float pixels = pixels_of(camera, length, distance);
        bool seen = false;
        if (rect != NULL) {
            screen_rect box = world_sphere_rect(&camera->view_projection, e->center, e->radius, right, up);
            bool faces = !picture || v3_dot(v3_sub(camera->eye, e->center), e->normal) > 0;
            seen = faces && !screen_rect_empty(screen_rect_intersect(box, *rect));
        }
        if (seen) {
            out->drawn[out->drawn_count++] = (wants_drawn){ index, pixels, distance };
            exhibit_want(e, c, r, pixels, distance, RESIDENCY_VISIBLE);
        } else if (distance < AHEAD_DISTANCE) {
            exhibit_want(e, c, r, pixels, distance, RESIDENCY_AHEAD);
        }
    }
}

void wants_collect(const world *w, const catalog *c, const view_camera *camera, residency *r, wants *out)
{
    out->drawn_count = 0;
    out->hall_count = world_see(w, camera->eye, &camera->view_projection, camera->hall, out->halls, WANTS_HALLS_MAX);
    for (uint32_t i = 0; i < out->hall_count; ++i) {
        hall_collect(w, c, camera, &w->halls[out->halls[i].hall], &out->halls[i].rect, r, out);
    }
    /* The halls beside this one are where the camera can be next, seen or not. */
    for (uint32_t step = 0; step < 2; ++step) {
        uint32_t hall = step == 0 ? camera->hall + 1 : camera->hall - 1;
        bool seen = false;
        for (uint32_t i = 0; i < out->hall_count; ++i) {
            seen = seen || out->halls[i].hall == hall;
        }
        if (!seen && hall < w->hall_count) {
            hall_collect(w, c, camera, &w->halls[hall], NULL, r, out);
        }
    }
}

/* The part of the screen that a picture covers: tighter than its sphere's. */
static screen_rect picture_rect(const view_camera *camera, const world_exhibit *e, screen_rect sphere)
{
    vec3 corners[4];
    world_picture_corners(e, corners);
    screen_rect box = { INFINITY, INFINITY, -INFINITY, -INFINITY };
    for (int i = 0; i < 4; ++i) {
        float clip[4];
        mat4_project(&camera->view_projection, corners[i], clip);
        if (clip[3] < 0.05f) {
            return sphere;
        }
        box.x0 = f_min(box.x0, clip[0] / clip[3]);
        box.x1 = f_max(box.x1, clip[0] / clip[3]);
        box.y0 = f_min(box.y0, clip[1] / clip[3]);
        box.y1 = f_max(box.y1, clip[1] / clip[3]);
    }
    return box;
}

uint32_t wants_focus(const world *w, const view_camera *camera, const wants *seen, screen_rect *rect)
{
    vec3 right = v3_normalize(v3_cross(camera->forward, v3(0, 1, 0))), up = v3_cross(right, camera->forward);
    uint32_t found = WORLD_NONE;
    float nearest = FOCUS_OFFSET_MAX * FOCUS_OFFSET_MAX;
    for (uint32_t i = 0; i < seen->drawn_count; ++i) {
        const world_exhibit *e = &w->exhibits[seen->drawn[i].exhibit];
        screen_rect box = world_sphere_rect(&camera->view_projection, e->center, e->radius, right, up);
        box = e->kind == WORLD_TEXTURE ? picture_rect(camera, e, box) : box;
        float clip[4];
        mat4_project(&camera->view_projection, e->center, clip);
        if (screen_rect_empty(box) || clip[3] <= 0) {
            continue;
        }
        float x = clip[0] / clip[3], y = clip[1] / clip[3];
        if (x * x + y * y < nearest) {
            nearest = x * x + y * y;
            found = seen->drawn[i].exhibit;
            *rect = box;
        }
    }
    return found;
}
