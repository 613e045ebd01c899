/* test_view_world.c - the museum's layout, for packs of many shapes: every asset has one place, nothing overlaps, doors
 * lead from each hall to the next, and the flight stays inside. */
#include "flight.h"
#include "museum.h"
#include "wants.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define ITEMS_MAX 6000u

typedef struct items {
    world_item *list;
    char (*names)[64];
    uint32_t count;
} items;

static items items_make(void)
{
    items made = { calloc(ITEMS_MAX, sizeof(world_item)), calloc(ITEMS_MAX, 64), 0 };
    assert_non_null(made.list);
    assert_non_null(made.names);
    return made;
}

static void items_free(items *made)
{
    free(made->list);
    free(made->names);
}

static void item_add(items *made, world_kind kind, const char *folder, float a, float b)
{
    uint32_t i = made->count++;
    snprintf(made->names[i], 64, "%s%s%04u", folder, folder[0] != '\0' ? "/" : "", i);
    made->list[i] = (world_item){ .name = made->names[i], .kind = kind, .aspect = a };
    if (kind == WORLD_MESH) {
        made->list[i].bounds_min[0] = -a;
        made->list[i].bounds_max[0] = a;
        made->list[i].bounds_max[1] = b;
        made->list[i].bounds_min[2] = -1;
        made->list[i].bounds_max[2] = 3;
    }
}

static bool boxes_overlap(float a0, float a1, float b0, float b1)
{
    return a0 < b1 - 1e-3f && b0 < a1 - 1e-3f;
}

static void exhibits_check(const world *w, uint32_t count)
{
    uint8_t *placed = calloc(count, 1);
    assert_non_null(placed);
    uint32_t in_halls = 0;
    for (uint32_t h = 0; h < w->hall_count; ++h) {
        const world_hall *hall = &w->halls[h];
        in_halls += hall->exhibit_count;
        for (uint32_t i = 0; i < hall->exhibit_count; ++i) {
            const world_exhibit *e = &w->exhibits[hall->exhibit_first + i];
            assert_int_equal(e->hall, h);
            assert_true(e->item < count);
            assert_int_equal(placed[e->item]++, 0);
            float rx = e->kind == WORLD_TEXTURE ? e->half_width : WORLD_PLINTH_HALF;
            float rz = e->kind == WORLD_TEXTURE ? 0.01f : WORLD_PLINTH_HALF;
            assert_true(e->center.x - rx > hall->x0 && e->center.x + rx < hall->x1);
            assert_true(e->center.z - rz > hall->z0 && e->center.z + rz < hall->z1);
            assert_true(e->center.y < WORLD_HALL_HEIGHT && e->center.y > 0);
            for (uint32_t k = 0; k < i; ++k) {
                const world_exhibit *o = &w->exhibits[hall->exhibit_first + k];
                if (o->kind != e->kind || fabsf(o->center.z - e->center.z) > 1) {
                    continue;
                }
                float ox = o->kind == WORLD_TEXTURE ? o->half_width : WORLD_PLINTH_HALF;
                float ey = e->kind == WORLD_TEXTURE ? e->half_height : 1,
                      oy = e->kind == WORLD_TEXTURE ? o->half_height : 1;
                bool x = boxes_overlap(e->center.x - rx, e->center.x + rx, o->center.x - ox, o->center.x + ox);
                bool y = e->kind == WORLD_MESH ||
                         boxes_overlap(e->center.y - ey, e->center.y + ey, o->center.y - oy, o->center.y + oy);
                assert_false(x && y);
            }
        }
    }
    assert_int_equal(in_halls, count);
    assert_int_equal(w->exhibit_count, count);
    free(placed);
}

static void halls_check(const world *w)
{
    for (uint32_t a = 0; a < w->hall_count; ++a) {
        const world_hall *x = &w->halls[a];
        assert_true(x->x1 - x->x0 > 5 && x->z1 > x->z0);
        for (uint32_t b = 0; b < a; ++b) {
            const world_hall *y = &w->halls[b];
            assert_false(boxes_overlap(x->x0, x->x1, y->x0, y->x1) && boxes_overlap(x->z0, x->z1, y->z0, y->z1));
        }
    }
}

/* From the middle of each hall one can walk through the door into the next, and nothing hangs in the door. */
static void doors_check(const world *w)
{
    for (uint32_t d = 0; d + 1 < w->hall_count; ++d) {
        vec3 door = w->doors[d].center;
        door.y = 1.7f;
        vec3 step = w->doors[d].along_z ? v3(0, 0, 1.5f) : v3(w->halls[d].reversed ? -1.5f : 1.5f, 0, 0);
        vec3 before = v3_sub(door, step), after = v3_add(door, step);
        assert_int_equal(world_hall_at(w, before, WORLD_NONE), d);
        assert_int_equal(world_hall_at(w, after, WORLD_NONE), d + 1);
        vec3 p = before;
        for (int i = 0; i < 60; ++i) {
            p = world_move(w, p, v3_add(p, v3_scale(step, 0.05f)));
        }
        assert_int_equal(world_hall_at(w, p, WORLD_NONE), d + 1);
        for (uint32_t side = 0; side < 2; ++side) {
            const world_hall *hall = &w->halls[d + side];
            for (uint32_t i = 0; w->doors[d].along_z && i < hall->exhibit_count; ++i) {
                const world_exhibit *e = &w->exhibits[hall->exhibit_first + i];
                float half = e->kind == WORLD_TEXTURE ? e->half_width : WORLD_PLINTH_HALF;
                assert_true(fabsf(e->center.x - door.x) > WORLD_DOOR_WIDTH * 0.5f + half);
            }
        }
    }
}

static void flight_check(const world *w)
{
    flight f;
    assert_true(flight_create(w, 0, &f));
    vec3 eye, forward, before = { 0, 0, 0 };
    for (uint32_t i = 0; i < 4000; ++i) {
        flight_step(&f, w, 0.1f, 3.0f, &eye, &forward);
        assert_true(isfinite(eye.x) && isfinite(forward.x));
        assert_true(fabsf(v3_length(forward) - 1) < 1e-3f);
        assert_true(eye.y > 0.3f && eye.y < WORLD_HALL_HEIGHT);
        if (i > 0) {
            assert_true(v3_length(v3_sub(eye, before)) < 1.2f); /* no jump */
        }
        before = eye;
        const world_hall *hall = &w->halls[world_hall_at(w, eye, WORLD_NONE)];
        float out = f_max(f_max(hall->x0 - eye.x, eye.x - hall->x1), f_max(hall->z0 - eye.z, eye.z - hall->z1));
        assert_true(out < WORLD_WALL_THICKNESS); /* in a hall, or in a door */
    }
    flight_destroy(&f);
}

static void world_check(items *made)
{
    world w;
    assert_true(world_create(made->list, made->count, &w));
    exhibits_check(&w, made->count);
    halls_check(&w);
    doors_check(&w);
    flight_check(&w);
    museum m;
    assert_true(museum_create(&w, &m));
    for (uint32_t i = 0; i < m.index_count; ++i) {
        assert_true(m.indices[i] < m.vertex_count);
    }
    museum_destroy(&m);
    world_destroy(&w);
    items_free(made);
}

static void test_one(void **state)
{
    (void)state;
    items made = items_make();
    item_add(&made, WORLD_TEXTURE, "", 1, 0);
    world_check(&made);
}

/* Little to see is seen: who flies through a cabinet has an exhibit before them, but while they turn round, and each in
 * its turn. */
static void cabinet_check(uint32_t pictures, uint32_t meshes)
{
    items made = items_make();
    for (uint32_t i = 0; i < pictures + meshes; ++i) {
        item_add(&made, i < pictures ? WORLD_TEXTURE : WORLD_MESH, "", 1, 0.5f);
    }
    world w;
    flight f;
    assert_true(world_create(made.list, made.count, &w));
    assert_true(flight_create(&w, 0, &f));
    assert_true(w.cabinet);
    uint32_t met = 0, bare = 0, turns_round = pictures > 4 || meshes > 4 || (pictures > 0 && meshes > 0);
    for (uint32_t i = 0; i < 900; ++i) {
        vec3 eye, forward;
        flight_step(&f, &w, 0.1f, 2.4f, &eye, &forward);
        float nearest = -1;
        for (uint32_t k = 0; k < w.exhibit_count; ++k) {
            float middle = v3_dot(v3_normalize(v3_sub(w.exhibits[k].center, eye)), forward);
            met |= (uint32_t)(middle > 0.97f) << k;
            nearest = f_max(nearest, middle);
        }
        bare += nearest < 0.6f;
    }
    assert_true(bare <= (turns_round ? 180 : 0));
    assert_int_equal(met, (1u << w.exhibit_count) - 1);
    flight_destroy(&f);
    world_destroy(&w);
    world_check(&made);
}

static void test_cabinets(void **state)
{
    (void)state;
    for (uint32_t pictures = 0; pictures <= 8; ++pictures) {
        for (uint32_t meshes = pictures == 0; pictures + meshes <= 8; ++meshes) {
            cabinet_check(pictures, meshes);
        }
    }
}

static void test_flat_and_many(void **state)
{
    (void)state;
    items made = items_make();
    for (uint32_t i = 0; i < 3000; ++i) {
        item_add(&made, WORLD_TEXTURE, "all", i % 7 == 0 ? 8.0f : i % 5 == 0 ? 0.1f : 1.0f, 0);
    }
    world_check(&made);
}

static void test_mixed(void **state)
{
    (void)state;
    static const char *const folders[] = { "a", "a/b", "a/b/c", "d", "d/e f", "z/y/x/w", "" };
    items made = items_make();
    for (uint32_t i = 0; i < 900; ++i) {
        item_add(&made, i % 3 == 0 ? WORLD_MESH : WORLD_TEXTURE, folders[i * 13 % 7], 0.2f + (float)(i % 9),
                 (float)(i % 11));
    }
    world_check(&made);
}

static void test_many_small_folders(void **state)
{
    (void)state;
    items made = items_make();
    for (uint32_t i = 0; i < 600; ++i) {
        char folder[32];
        snprintf(folder, sizeof folder, "obj/set%03u/model", i / 3);
        item_add(&made, i % 3 == 0 ? WORLD_MESH : WORLD_TEXTURE, folder, 1, 1);
    }
    world w;
    assert_true(world_create(made.list, made.count, &w));
    assert_true(w.hall_count < 60); /* neighbours share halls: not one for each folder */
    world_destroy(&w);
    world_check(&made);
}

/* Bounds and sizes that only a broken or hostile pack has. */
static void test_hostile_numbers(void **state)
{
    (void)state;
    items made = items_make();
    item_add(&made, WORLD_TEXTURE, "h", 1e30f, 0);
    item_add(&made, WORLD_TEXTURE, "h", 0, 0);
    item_add(&made, WORLD_MESH, "h", 0, 0);
    item_add(&made, WORLD_MESH, "h", 1e30f, 1e30f);
    item_add(&made, WORLD_MESH, "h", NAN, NAN);
    world w;
    assert_true(world_create(made.list, made.count, &w));
    for (uint32_t i = 0; i < w.exhibit_count; ++i) {
        assert_true(isfinite(w.exhibits[i].scale) && isfinite(w.exhibits[i].radius) &&
                    isfinite(w.exhibits[i].center.y));
        assert_true(isfinite(w.exhibits[i].origin.x) && isfinite(w.exhibits[i].half_width));
    }
    world_destroy(&w);
    items_free(&made);
}

/* What one sees through doors shrinks, and a wall hides the rest. */
static void test_visibility(void **state)
{
    (void)state;
    items made = items_make();
    for (uint32_t i = 0; i < 400; ++i) {
        item_add(&made, WORLD_TEXTURE, "all", 1, 0);
    }
    world w;
    assert_true(world_create(made.list, made.count, &w));
    assert_true(w.hall_count > 3);
    mat4 projection = mat4_perspective(1.0f, 1.5f, 0.1f, 300);
    vec3 eye = v3(w.halls[0].x0 + 2, 1.7f, (w.halls[0].z0 + w.halls[0].z1) * 0.5f);
    mat4 ahead = mat4_look(eye, v3(1, 0, 0)), back = mat4_look(eye, v3(-1, 0, 0));
    ahead = mat4_multiply(&projection, &ahead);
    back = mat4_multiply(&projection, &back);
    world_visible seen[16];
    uint32_t count = world_see(&w, eye, &ahead, 0, seen, 16);
    assert_true(count >= 2 && count < w.hall_count + 1);
    assert_int_equal(seen[0].hall, 0);
    assert_int_equal(seen[1].hall, 1);
    assert_true(seen[1].rect.x1 - seen[1].rect.x0 < 1.0f);
    assert_int_equal(world_see(&w, eye, &back, 0, seen, 16), 1);
    world_destroy(&w);
    items_free(&made);
}

/* Who looks straight at an exhibit is told of that one; who looks past all of them, of none. */
static void test_focus(void **state)
{
    (void)state;
    items made = items_make();
    for (uint32_t i = 0; i < 30; ++i) {
        item_add(&made, i % 3 == 0 ? WORLD_MESH : WORLD_TEXTURE, "all", 1, 1);
    }
    world w;
    assert_true(world_create(made.list, made.count, &w));
    wants seen = { .drawn = calloc(made.count, sizeof(wants_drawn)), .drawn_count = made.count };
    assert_non_null(seen.drawn);
    for (uint32_t i = 0; i < made.count; ++i) {
        seen.drawn[i].exhibit = i;
    }
    mat4 projection = mat4_perspective(1.0f, 1.5f, 0.1f, 300);
    for (uint32_t i = 0; i < w.exhibit_count; ++i) {
        const world_exhibit *e = &w.exhibits[i];
        view_camera camera = { .eye = v3_add(e->center, v3_scale(e->normal, 2)) };
        camera.forward = v3_scale(e->normal, -1);
        mat4 look = mat4_look(camera.eye, camera.forward);
        camera.view_projection = mat4_multiply(&projection, &look);
        screen_rect rect = { 0 };
        assert_int_equal(wants_focus(&w, &camera, &seen, &rect), i);
        assert_true(rect.x0 < 0 && rect.x1 > 0 && rect.y0 < 0 && rect.y1 > 0);
    }
    view_camera up = { .eye = v3(w.halls[0].x0 + 2, 1.7f, w.halls[0].z0 + 7), .forward = v3(0.01f, 1, 0) };
    mat4 look = mat4_look(up.eye, up.forward);
    up.view_projection = mat4_multiply(&projection, &look);
    screen_rect rect;
    assert_int_equal(wants_focus(&w, &up, &seen, &rect), WORLD_NONE);
    free(seen.drawn);
    world_destroy(&w);
    items_free(&made);
}

static void test_nothing(void **state)
{
    (void)state;
    world w;
    assert_true(world_create(NULL, 0, &w));
    assert_int_equal(w.hall_count, 0);
    assert_int_equal(world_hall_at(&w, v3(0, 0, 0), 3), WORLD_NONE);
    world_destroy(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),         cmocka_unit_test(test_one),
        cmocka_unit_test(test_cabinets),        cmocka_unit_test(test_flat_and_many),
        cmocka_unit_test(test_mixed),           cmocka_unit_test(test_many_small_folders),
        cmocka_unit_test(test_hostile_numbers), cmocka_unit_test(test_visibility),
        cmocka_unit_test(test_focus),
    };
    return cmocka_run_group_tests_name("view.world", tests, NULL, NULL);
}
