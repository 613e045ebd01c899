/* main.c - leat-view: opens packs, builds the museum, and runs the loop.
 *
 * A frame: input or flight -> leat_update -> what is in view -> plan -> submit, cancel, drop -> uploads within a byte
 * budget -> draw. No step of it waits for I/O. */
#include "catalog.h"
#include "flight.h"
#include "gpu.h"
#include "hud.h"
#include "jump.h"
#include "options.h"
#include "reload.h"
#include "renderer.h"
#include "report.h"
#include "screenshot.h"
#include "stream.h"
#include "wants.h"
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRACE_RECORDS (1u << 19) /* some minutes of flight */

#define FIELD_OF_VIEW 1.08f
#define EYE_HEIGHT 1.75f
#define WALK_SPEED 3.2f
#define WALK_FAST 4.0f
#define TURN_PER_PIXEL 0.0024f
#define UPLOAD_BYTES_FRAME (8u << 20)
#define HEADLESS_STEP (1.0f / 30.0f)
#define STEP_SECONDS_MAX 0.1f

typedef struct view {
    options o;
    window window;
    leat_streamer *streamer;
    leat_pack packs[OPTIONS_PACKS_MAX];
    catalog c;
    world w;
    gpu g;
    residency r;
    stream s;
    reload reload;
    wants wants;
    renderer renderer;
    flight flight;
    hud hud;
    report report;
    jump jump;
    view_camera camera;
    float yaw, pitch, seconds;
    uint32_t frame, screenshot_count;
    bool flying, paused, help, hud_on, mips, lods, quit;
    bool failed; /* a screenshot could not be written */
} view;

/* One line on stderr. Always false, so that whoever gives up does so in one line. */
__attribute__((format(printf, 1, 2))) static bool say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("leat-view: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return false;
}

/* ---- Start ---- */

/* What is read next comes from the disk, as on a machine that has just started. What the kernel will not let go stays.
 */
static void packs_forget(const view *v)
{
    for (uint32_t i = 0; i < v->o.pack_count; ++i) {
        int fd = open(v->o.packs[i], O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
            close(fd);
        }
    }
}

static bool packs_open(view *v)
{
    leat_error error = { 0 };
    leat_desc desc = { .backend = v->o.backend,
                       .error = &error,
                       .trace_event_count = v->o.trace != NULL ? TRACE_RECORDS : 0 };
    leat_result result = leat_create(&desc, &v->streamer);
    if (result == LEAT_OK && v->o.trace != NULL) {
        result = leat_trace_start(v->streamer);
    }
    if (result != LEAT_OK) {
        return say("%s", error.text[0] != '\0' ? error.text : leat_result_text(result));
    }
    for (uint32_t i = 0; i < v->o.pack_count; ++i) {
        leat_pack_desc pack_desc = { .layer = (int32_t)i,
                                     .error = &error,
                                     .watch = v->o.watch_off ? LEAT_OFF : LEAT_ON };
        error = (leat_error){ 0 };
        result = leat_pack_open(v->streamer, v->o.packs[i], &pack_desc, &v->packs[i]);
        if (result != LEAT_OK) {
            return error.text[0] != '\0' ? say("%s", error.text)
                                         : say("%s: %s", v->o.packs[i], leat_result_text(result));
        }
    }
    return true;
}

static bool catalog_make(view *v)
{
    if (!catalog_create(v->streamer, v->packs, v->o.pack_count, &v->c)) {
        return say("%s", "out of memory for the list of assets");
    }
    if (v->c.texture_count + v->c.mesh_count > 0) {
        return true;
    }
    leat_pack_info info;
    return leat_pack_info_get(v->streamer, v->packs[0], &info) == LEAT_OK && info.folder
               ? say("%s: no DDS textures in there, so there is nothing to look at; other content has to be packed "
                     "(leat pack FOLDER -o OUT.leat)",
                     v->o.packs[0])
               : say("%s: no textures and no meshes in there, so there is nothing to look at", v->o.packs[0]);
}

static bool museum_plan(view *v)
{
    uint32_t count = v->c.texture_count + v->c.mesh_count;
    world_item *items = calloc(count, sizeof *items);
    if (items == NULL) {
        return say("%s", "out of memory for the museum");
    }
    for (uint32_t i = 0; i < v->c.texture_count; ++i) {
        const catalog_texture *texture = &v->c.textures[i];
        float height = (float)(texture->info.height > 0 ? texture->info.height : 1);
        items[i] =
            (world_item){ .name = texture->name, .kind = WORLD_TEXTURE, .aspect = (float)texture->info.width / height };
    }
    for (uint32_t i = 0; i < v->c.mesh_count; ++i) {
        world_item *item = &items[v->c.texture_count + i];
        *item = (world_item){ .name = v->c.meshes[i].name, .kind = WORLD_MESH };
        memcpy(item->bounds_min, v->c.meshes[i].info.bounds_min, sizeof item->bounds_min);
        memcpy(item->bounds_max, v->c.meshes[i].info.bounds_max, sizeof item->bounds_max);
    }
    bool ok = world_create(items, count, &v->w);
    free(items);
    v->wants.drawn = calloc(count, sizeof *v->wants.drawn);
    ok = ok && v->wants.drawn != NULL && flight_create(&v->w, v->o.seed, &v->flight);
    return ok || say("%s", "out of memory for the museum");
}

static uint32_t samples_of(const view *v)
{
    return v->o.samples != UINT32_MAX ? v->o.samples : v->window.software ? 1 : 4;
}

static bool gpu_prepare(view *v)
{
    if (!gpu_create(&v->c, v->window.software, &v->g) ||
        !residency_create(&v->r, v->c.texture_count + v->c.mesh_count, v->o.budget_bytes, v->o.budget_bytes / 2)) {
        return say("%s", "out of memory for textures and meshes");
    }
    leat_info info;
    leat_info_get(v->streamer, &info);
    uint64_t read_bytes_max = info.lent_bytes > 0 ? info.lent_bytes / 2 : 32u << 20;
    stream_items_describe(&v->c, &v->g, read_bytes_max, &v->r);
    if (!stream_create(v->streamer, &v->c, &v->g, &v->r, read_bytes_max, &v->s) ||
        !reload_create(&v->s, v->packs, v->o.packs, v->o.pack_count, &v->report.redrawn_ms, &v->reload)) {
        return say("%s", "out of memory for requests");
    }
    if (!renderer_create(&v->c, &v->w, &v->g, &v->renderer) ||
        !renderer_resize(&v->renderer, v->window.width, v->window.height, samples_of(v))) {
        return say("%s", v->renderer.error);
    }
    return true;
}

/* All that hangs on the catalogue, and may be built again. */
static void view_tear_down(view *v)
{
    stream_destroy(&v->s);
    reload_destroy(&v->reload);
    residency_destroy(&v->r);
    renderer_destroy(&v->renderer);
    gpu_destroy(&v->g);
    flight_destroy(&v->flight);
    free(v->wants.drawn);
    v->wants = (wants){ 0 };
    world_destroy(&v->w);
    catalog_destroy(&v->c);
}

/* The packs hold other things now: builds the museum anew around the walker, who stays where they are. */
static bool museum_rebuild(view *v)
{
    (void)leat_cancel_where(v->streamer, &(leat_selection){ .all = true });
    uint64_t generation = v->s.generation;
    stream_counts counts = v->s.counts;
    v->report.reloads += v->reload.reload_count;
    ++v->report.rebuilds;
    view_tear_down(v);
    if (!catalog_make(v) || !museum_plan(v) || !gpu_prepare(v)) {
        return false;
    }
    v->s.generation = generation + 1;
    v->s.counts = counts;
    v->s.reload = &v->reload;
    v->s.waterfall = &v->jump.waterfall;
    if (v->camera.hall >= v->w.hall_count) {
        v->camera.hall = 0;
        v->camera.eye = v3(v->w.halls[0].x0 + 1.3f, EYE_HEIGHT, (v->w.halls[0].z0 + v->w.halls[0].z1) * 0.5f);
    }
    return true;
}

static void camera_place(view *v)
{
    const world_hall *hall = &v->w.halls[0];
    v->camera.eye = v3(hall->x0 + 1.3f, EYE_HEIGHT, (hall->z0 + hall->z1) * 0.5f);
    v->camera.forward = v3(1, 0, 0);
    v->yaw = v->pitch = 0;
    v->flying = v->o.autofly;
    v->hud_on = !v->o.hud_off;
    v->mips = v->o.mips;
    v->lods = v->o.lods;
}

/* ---- A frame ---- */

/* Who walks on looks where the flight did. */
static void camera_turn(view *v)
{
    v->yaw = atan2f(v->camera.forward.z, v->camera.forward.x);
    v->pitch = asinf(f_clamp(v->camera.forward.y, -1, 1));
}

static void budget_scale(view *v, bool more)
{
    for (uint32_t i = 0; i < RESIDENCY_GROUP_COUNT; ++i) {
        uint64_t bytes = v->r.budgets[i].bytes_max;
        bytes = more ? bytes + bytes / 2 : bytes - bytes / 3;
        v->r.budgets[i].bytes_max = bytes < (2u << 20) ? 2u << 20 : bytes;
    }
}

/* The eye is elsewhere, and wants all that is there at once. */
static void view_jump(view *v)
{
    flight_jump(&v->flight);
    flight_step(&v->flight, &v->w, 0, v->o.speed, &v->camera.eye, &v->camera.forward);
    camera_turn(v);
    jump_begin(&v->jump, "jump", v->streamer);
}

/* Of what is to happen every so many frames; 0: never. */
static bool is_due(const view *v, uint32_t every)
{
    return every > 0 && v->frame > 0 && v->frame % every == 0;
}

static void input_take(view *v, const window_input *in)
{
    v->quit = v->quit || in->quit;
    v->help ^= in->toggle_help;
    v->mips ^= in->toggle_mips;
    v->lods ^= in->toggle_lods;
    v->paused ^= in->toggle_pause;
    v->hud_on ^= in->toggle_hud;
    if (in->toggle_flight) {
        v->flying = !v->flying;
    }
    if (in->budget_more || in->budget_less) {
        budget_scale(v, in->budget_more);
    }
    if (in->drop || is_due(v, v->o.drop_every)) {
        if (in->drop_cache) {
            packs_forget(v);
        }
        stream_reset(&v->s);
        jump_begin(&v->jump, in->drop_cache ? "dropped, cold" : "dropped, warm", v->streamer);
    }
    if (in->jump || is_due(v, v->o.jump_every)) {
        view_jump(v);
    }
    if (in->resized && !renderer_resize(&v->renderer, v->window.width, v->window.height, samples_of(v))) {
        (void)say("%s", v->renderer.error);
        v->quit = v->failed = true;
    }
}

static void camera_walk(view *v, const window_input *in, float seconds)
{
    v->yaw += in->turn * TURN_PER_PIXEL;
    v->pitch = f_clamp(v->pitch - in->pitch * TURN_PER_PIXEL, -1.45f, 1.45f);
    vec3 forward = v3(cosf(v->pitch) * cosf(v->yaw), sinf(v->pitch), cosf(v->pitch) * sinf(v->yaw));
    vec3 right = v3_normalize(v3_cross(forward, v3(0, 1, 0)));
    vec3 step = v3_add(v3_add(v3_scale(forward, in->forward), v3_scale(right, in->right)), v3(0, in->up, 0));
    float speed = WALK_SPEED * (in->fast ? WALK_FAST : 1.0f);
    v->camera.forward = forward;
    v->camera.eye = world_move(&v->w, v->camera.eye, v3_add(v->camera.eye, v3_scale(step, speed * seconds)));
}

static void camera_update(view *v, const window_input *in, float seconds)
{
    view_camera *camera = &v->camera;
    bool moved = in->forward < 0 || in->forward > 0 || in->right < 0 || in->right > 0;
    if (v->flying && moved) {
        v->flying = false;
    }
    if (v->flying) {
        flight_step(&v->flight, &v->w, seconds, v->o.speed, &camera->eye, &camera->forward);
        camera_turn(v);
    } else {
        camera_walk(v, in, seconds);
    }
    camera->fov_y = FIELD_OF_VIEW;
    camera->width = v->renderer.width;
    camera->height = v->renderer.height;
    camera->hall = world_hall_at(&v->w, camera->eye, camera->hall);
    mat4 projection = mat4_perspective(camera->fov_y, (float)camera->width / (float)camera->height, 0.08f, 400.0f);
    mat4 look = mat4_look(camera->eye, camera->forward);
    camera->view_projection = mat4_multiply(&projection, &look);
}

static void frame_draw(view *v, float seconds)
{
    renderer_frame frame = { .camera = &v->camera,
                             .wants = &v->wants,
                             .r = &v->r,
                             .seconds = v->seconds,
                             .seconds_step = seconds,
                             .mip_overlay = v->mips,
                             .lod_wireframe = v->lods };
    renderer_draw(&v->renderer, &frame);
    if (v->hud_on || v->help) {
        hud_context context = { .place = v->w.halls[v->camera.hall].name,
                                .renderer = v->window.renderer,
                                .s = &v->s,
                                .r = &v->r,
                                .c = &v->c,
                                .w = &v->w,
                                .wants = &v->wants,
                                .camera = &v->camera,
                                .jump = &v->jump,
                                .streamer = v->streamer,
                                .width = v->renderer.width,
                                .height = v->renderer.height,
                                .draw_count = v->renderer.draw_count,
                                .triangle_count = v->renderer.triangle_count,
                                .paused = v->paused,
                                .figures = v->hud_on,
                                .help = v->help,
                                .mips = v->mips };
        hud_draw(&v->hud, &v->renderer.text, &context);
        renderer_draw_screen(&v->renderer);
    }
    renderer_finish(&v->renderer, !v->o.headless, v->window.width, v->window.height);
}

static void screenshot_take(view *v, const char *path)
{
    uint8_t *pixels = malloc((size_t)v->renderer.width * v->renderer.height * 3);
    if (pixels != NULL) {
        renderer_read(&v->renderer, pixels);
    }
    if (pixels == NULL || !screenshot_write(path, v->renderer.width, v->renderer.height, pixels)) {
        v->failed = !say("%s cannot be written: %s", path, strerror(errno));
    } else {
        ++v->screenshot_count;
    }
    free(pixels);
}

/* "shots/a.png" and 12 become "shots/a-0012.png". */
static void screenshot_name(const char *path, uint32_t number, char *name, size_t name_size)
{
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    size_t stem = dot != NULL && (slash == NULL || dot > slash) ? (size_t)(dot - path) : strlen(path);
    snprintf(name, name_size, "%.*s-%04u%s", (int)stem, path, number, path + stem);
}

static void screenshots_due(view *v, bool last, bool key)
{
    char name[4096];
    if (v->o.screenshot_every > 0 && v->frame % v->o.screenshot_every == 0) {
        screenshot_name(v->o.screenshot, v->frame, name, sizeof name);
        screenshot_take(v, name);
    }
    if (last && v->o.screenshot != NULL) {
        screenshot_take(v, v->o.screenshot);
    }
    if (key) {
        screenshot_name("leat-view.png", v->screenshot_count + 1, name, sizeof name);
        screenshot_take(v, name);
        (void)say("wrote %s", name);
    }
}

static uint32_t textures_resident(const view *v)
{
    for (uint32_t i = 0; v->report.first_texture_ns == 0 && i < v->c.texture_count; ++i) {
        if (v->g.textures[i].name != 0) {
            return 1;
        }
    }
    return 0;
}

static void run(view *v)
{
    v->s.reload = &v->reload;
    v->s.waterfall = &v->jump.waterfall;
    v->report.start_ns = clock_ns();
    v->hud.rate_ns = v->report.start_ns;
    jump_begin(&v->jump, v->o.cold ? "start, cold" : "start", v->streamer);
    uint64_t last = v->report.start_ns;
    bool done = false;
    while (!done) {
        window_input in;
        window_poll(&v->window, &in);
        uint64_t begin = clock_ns();
        float seconds = v->o.headless ? HEADLESS_STEP : f_min((float)(begin - last) * 1e-9f, STEP_SECONDS_MAX);
        last = begin;
        if (v->reload.rebuild && !museum_rebuild(v)) {
            v->failed = true;
            return;
        }
        input_take(v, &in);
        v->seconds += seconds;
        camera_update(v, &in, seconds);

        stream_update(&v->s); /* first, so that what changed on disk is asked for in this frame */
        residency_begin(&v->r);
        wants_collect(&v->w, &v->c, &v->camera, &v->r, &v->wants);
        residency_plan(&v->r, v->paused);
        stream_carry_out(&v->s);
        stream_upload(&v->s, UPLOAD_BYTES_FRAME);

        frame_draw(v, seconds);
        ++v->frame;
        done = v->quit || (v->o.frames > 0 && v->frame >= v->o.frames);
        screenshots_due(v, done, in.screenshot);
        if (v->o.headless) {
            glFinish();
        } else {
            window_present(&v->window);
        }
        uint64_t frame_ns = clock_ns() - begin;
        reload_frame_end(&v->reload);
        report_frame(&v->report, frame_ns, &v->s, &v->r, textures_resident(v));
        hud_frame(&v->hud, frame_ns, &v->s);
        if (jump_frame(&v->jump, &v->s)) {
            report_series_add(&v->report.sharp_ms, (float)v->jump.sharp_ns * 1e-6f);
        }
    }
}

static bool finish(view *v)
{
    v->report.reloads += v->reload.reload_count;
    leat_error error = { 0 };
    if (v->o.trace != NULL && leat_trace_stop(v->streamer, v->o.trace, &error) != LEAT_OK) {
        return say("%s", error.text);
    }
    if (v->o.report == NULL || v->c.texture_count + v->c.mesh_count == 0) {
        return !v->failed;
    }
    report_context context = { .renderer = v->window.renderer,
                               .c = &v->c,
                               .r = &v->r,
                               .s = &v->s,
                               .streamer = v->streamer,
                               .hall_count = v->w.hall_count,
                               .width = v->renderer.width,
                               .height = v->renderer.height,
                               .samples = v->renderer.samples,
                               .budget_bytes = v->o.budget_bytes };
    if (!report_write(&v->report, &context, v->o.report)) {
        return say("%s cannot be written: %s", v->o.report, strerror(errno));
    }
    return !v->failed;
}

int main(int argc, char **argv)
{
    static view v; /* large, and zero at the start */
    options_result parsed = options_parse(argc, argv, &v.o);
    if (parsed == OPTIONS_DONE) { /* the only one that prints on standard output */
        bool printed = fflush(stdout) == 0 && ferror(stdout) == 0;
        return printed || say("%s", "standard output cannot be written") ? 0 : 1;
    }
    if (parsed != OPTIONS_RUN) {
        return 2;
    }
    if (v.o.cold) {
        packs_forget(&v);
    }
    bool ok = packs_open(&v) && catalog_make(&v) && museum_plan(&v);
    if (ok && !window_create(v.o.headless, v.o.width, v.o.height, &v.window)) {
        ok = say("%s", v.window.error);
    }
    bool has_gl = ok;
    ok = ok && gpu_prepare(&v);
    if (ok) {
        camera_place(&v);
        run(&v);
        ok = finish(&v);
    }
    if (has_gl) {
        view_tear_down(&v);
        window_destroy(&v.window);
    }
    leat_destroy(v.streamer);
    flight_destroy(&v.flight);
    free(v.wants.drawn);
    world_destroy(&v.w);
    catalog_destroy(&v.c);
    report_destroy(&v.report);
    return ok ? 0 : 1;
}
