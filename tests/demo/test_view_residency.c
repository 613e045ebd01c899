/* test_view_residency.c - the plan of a frame against a model of the world: reads come coarse first and nearest first,
 * the budget holds at every moment, what left the view is cancelled or dropped, and a standing camera comes to rest. */
#include "residency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#define LEVELS 8u
#define FIRST 6u /* level of the tail */

/* Level k has 4^(LEVELS - 1 - k) KiB of its own: 16 MiB in all for level 0. */
static void items_fill(residency *r, residency_group group)
{
    for (uint32_t i = 0; i < r->item_count; ++i) {
        residency_item *item = &r->items[i];
        *item = (residency_item){ .group = (uint8_t)group,
                                  .level_count = LEVELS,
                                  .level_first = FIRST,
                                  .resident = LEVELS,
                                  .target = LEVELS,
                                  .older = RESIDENCY_NONE,
                                  .newer = RESIDENCY_NONE };
        for (uint32_t k = LEVELS; k-- > 0;) {
            item->bytes_from[k] = item->bytes_from[k + 1] + (UINT64_C(1024) << (2 * (LEVELS - 1 - k)));
        }
    }
}

static uint64_t bytes_true(const residency *r)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < r->item_count; ++i) {
        const residency_item *item = &r->items[i];
        bytes += item->bytes_from[item->target < item->resident ? item->target : item->resident] + item->former_bytes;
    }
    return bytes;
}

static void books_check(const residency *r)
{
    assert_true(bytes_true(r) == r->budgets[0].bytes + r->budgets[1].bytes);
    assert_true(r->budgets[0].bytes <= r->budgets[0].bytes_max);
    uint32_t listed = 0, held = 0;
    for (uint32_t i = r->oldest; i != RESIDENCY_NONE; i = r->items[i].newer) {
        assert_true(r->items[i].listed);
        ++listed;
    }
    for (uint32_t i = 0; i < r->item_count; ++i) {
        held += r->items[i].resident < LEVELS || r->items[i].target < LEVELS || r->items[i].former_bytes > 0;
    }
    assert_int_equal(listed, held);
}

/* Everything that was read arrives and is uploaded. */
static void all_arrive(residency *r)
{
    for (uint32_t i = 0; i < r->item_count; ++i) {
        if (r->items[i].reading) {
            residency_uploaded(r, i);
        }
    }
}

static void test_coarse_first(void **state)
{
    (void)state;
    residency r;
    assert_true(residency_create(&r, 1, 64 << 20, 1 << 20));
    items_fill(&r, RESIDENCY_TEXTURES);
    uint8_t expected = LEVELS;
    for (uint32_t frame = 0; frame < 10 && r.items[0].resident > 0; ++frame) {
        residency_begin(&r);
        residency_want(&r, 0, 0, RESIDENCY_VISIBLE, 3);
        residency_plan(&r, false);
        assert_int_equal(r.action_count, 1);
        assert_int_equal(r.actions[0].kind, RESIDENCY_READ);
        assert_true(r.actions[0].level < expected);
        assert_int_equal(r.actions[0].level + r.actions[0].count, expected);
        if (frame == 0) {
            assert_int_equal(r.actions[0].level, FIRST);
            assert_int_equal(r.actions[0].wanted_class, RESIDENCY_BARE);
        }
        expected = r.actions[0].level;
        books_check(&r);
        all_arrive(&r);
        assert_int_equal(r.items[0].resident, expected);
    }
    assert_int_equal(r.items[0].resident, 0);
    residency_begin(&r);
    residency_want(&r, 0, 0, RESIDENCY_VISIBLE, 3);
    residency_plan(&r, false);
    assert_int_equal(r.action_count, 0);
    assert_int_equal(r.bare_count + r.coarse_count, 0);
    residency_destroy(&r);
}

static void test_order(void **state)
{
    (void)state;
    residency r;
    assert_true(residency_create(&r, 4, 64 << 20, 1 << 20));
    items_fill(&r, RESIDENCY_TEXTURES);
    residency_begin(&r);
    residency_want(&r, 0, 3, RESIDENCY_AHEAD, 1);
    residency_want(&r, 1, 3, RESIDENCY_VISIBLE, 9);
    residency_want(&r, 2, 3, RESIDENCY_VISIBLE, 2);
    residency_want(&r, 3, 5, RESIDENCY_AHEAD, 4);
    residency_want(&r, 3, 4, RESIDENCY_VISIBLE, 5); /* wanted twice: the more urgent and the finer */
    residency_plan(&r, false);
    assert_int_equal(r.action_count, 4);
    static const uint32_t order[4] = { 2, 3, 1, 0 };
    for (uint32_t i = 0; i < 4; ++i) {
        assert_int_equal(r.actions[i].item, order[i]);
    }
    assert_int_equal(r.items[3].wanted, 4);
    residency_destroy(&r);
}

static void test_cancel_and_promote(void **state)
{
    (void)state;
    residency r;
    assert_true(residency_create(&r, 2, 64 << 20, 1 << 20));
    items_fill(&r, RESIDENCY_TEXTURES);
    residency_begin(&r);
    residency_want(&r, 0, 3, RESIDENCY_AHEAD, 1);
    residency_want(&r, 1, 3, RESIDENCY_AHEAD, 1);
    residency_plan(&r, false);
    assert_int_equal(r.action_count, 2);
    residency_begin(&r);
    residency_want(&r, 0, 3, RESIDENCY_VISIBLE, 1);
    residency_plan(&r, false);
    assert_int_equal(r.action_count, 1);
    assert_int_equal(r.actions[0].kind, RESIDENCY_PROMOTE);
    assert_int_equal(r.actions[0].item, 0);
    bool cancelled = false;
    for (uint32_t frame = 0; frame < 100 && !cancelled; ++frame) {
        residency_begin(&r);
        residency_want(&r, 0, 3, RESIDENCY_VISIBLE, 1);
        residency_plan(&r, false);
        cancelled = r.action_count == 1 && r.actions[0].kind == RESIDENCY_CANCEL && r.actions[0].item == 1;
    }
    assert_true(cancelled);
    residency_ended(&r, 1, false);
    assert_int_equal(r.items[1].target, LEVELS);
    books_check(&r);
    residency_destroy(&r);
}

static void test_damage(void **state)
{
    (void)state;
    residency r;
    assert_true(residency_create(&r, 2, 64 << 20, 1 << 20));
    items_fill(&r, RESIDENCY_TEXTURES);
    for (uint32_t frame = 0; frame < 20; ++frame) {
        residency_begin(&r);
        residency_want(&r, 0, 0, RESIDENCY_VISIBLE, 1);
        residency_want(&r, 1, 0, RESIDENCY_VISIBLE, 1);
        residency_plan(&r, false);
        for (uint32_t i = 0; i < 2; ++i) {
            if (r.items[i].reading && (i == 0 || r.items[i].resident < LEVELS)) {
                residency_ended(&r, i, true); /* 0 at once, 1 when it refines */
            }
        }
        all_arrive(&r);
        books_check(&r);
    }
    assert_true(r.items[0].failed);
    assert_false(r.items[1].failed);
    assert_int_equal(r.items[1].resident, FIRST);
    assert_int_equal(r.action_count, 0); /* no asking again */
    residency_destroy(&r);
}

/* A camera that jumps about, reads that end in any order or fail, content that changes: the budget holds and the books
 * balance throughout. */
static void test_random_walk(void **state)
{
    (void)state;
    residency r;
    const uint32_t count = 300;
    assert_true(residency_create(&r, count, 40 << 20, 1 << 20));
    items_fill(&r, RESIDENCY_TEXTURES);
    uint32_t seed = 12345;
    for (uint32_t frame = 0; frame < 3000; ++frame) {
        uint32_t place = frame / 60 * 37 % count;
        residency_begin(&r);
        for (uint32_t i = 0; i < 40; ++i) {
            residency_want(&r, (place + i) % count, i / 6, i < 25 ? RESIDENCY_VISIBLE : RESIDENCY_AHEAD, (float)i);
        }
        residency_plan(&r, frame % 500 > 450);
        books_check(&r);
        for (uint32_t i = 0; i < r.action_count; ++i) {
            assert_false(r.actions[i].kind == RESIDENCY_READ && frame % 500 > 450);
            if (r.actions[i].kind == RESIDENCY_CANCEL) {
                residency_ended(&r, r.actions[i].item, false);
            }
        }
        for (uint32_t i = 0; i < count; ++i) {
            seed = seed * 1664525u + 1013904223u;
            if (r.items[i].reading && seed >> 30 == 0) {
                if (seed >> 24 == 7) {
                    residency_ended(&r, i, false);
                } else {
                    residency_arrived(&r, i);
                    residency_uploaded(&r, i);
                }
            }
            if (seed >> 20 == 1) {
                residency_ended(&r, i, false);
                residency_outdate(&r, i);
            }
        }
        books_check(&r);
    }
    assert_true(r.budgets[0].bias > 0); /* 25 in view at up to 16 MiB each do not fit */
    residency_destroy(&r);
}

static void test_comes_to_rest(void **state)
{
    (void)state;
    residency r;
    assert_true(residency_create(&r, 60, 24 << 20, 1 << 20));
    items_fill(&r, RESIDENCY_TEXTURES);
    uint32_t busy_after = 0;
    for (uint32_t frame = 0; frame < 400; ++frame) {
        residency_begin(&r);
        for (uint32_t i = 0; i < 60; ++i) {
            residency_want(&r, i, 1, i < 40 ? RESIDENCY_VISIBLE : RESIDENCY_AHEAD, (float)i);
        }
        residency_plan(&r, false);
        busy_after += frame >= 200 ? r.action_count : 0;
        all_arrive(&r);
        books_check(&r);
    }
    assert_int_equal(busy_after, 0); /* no flicker between two plans */
    assert_int_equal(r.bare_count, 0);
    assert_int_equal(r.coarse_count, 0);
    residency_destroy(&r);
}

static void test_budget_shrinks(void **state)
{
    (void)state;
    residency r;
    assert_true(residency_create(&r, 20, 64 << 20, 1 << 20));
    items_fill(&r, RESIDENCY_TEXTURES);
    for (uint32_t frame = 0; frame < 100; ++frame) {
        if (frame == 50) {
            r.budgets[0].bytes_max = 4 << 20;
        }
        residency_begin(&r);
        for (uint32_t i = 0; i < 10; ++i) {
            residency_want(&r, i, 1, RESIDENCY_VISIBLE, (float)i);
        }
        residency_plan(&r, false);
        all_arrive(&r);
    }
    books_check(&r);
    assert_int_equal(r.bare_count, 0);
    residency_destroy(&r);
}

/* Item 0 and 1 are there, and their content changes; 1 stays in view. */
static void outdate_two(residency *r)
{
    assert_true(residency_create(r, 4, 64 << 20, 1 << 20));
    items_fill(r, RESIDENCY_TEXTURES);
    for (uint32_t frame = 0; frame < 10; ++frame) {
        residency_begin(r);
        for (uint32_t i = 0; i < 2; ++i) {
            residency_want(r, i, 1, RESIDENCY_VISIBLE, 1);
        }
        residency_plan(r, false);
        all_arrive(r);
    }
    uint64_t bytes = r->budgets[0].bytes;
    assert_true(bytes == 2 * r->items[0].bytes_from[1]);
    residency_outdate(r, 0);
    residency_outdate(r, 1);
    residency_outdate(r, 1); /* and once more, before anything of it came */
    assert_true(r->budgets[0].bytes == bytes);
    assert_int_equal(r->items[1].resident, LEVELS);
    books_check(r);
}

static void test_former_content_is_counted(void **state)
{
    (void)state;
    residency r;
    outdate_two(&r);
    uint64_t each = r.items[0].former_bytes;
    residency_begin(&r);
    residency_want(&r, 1, 1, RESIDENCY_VISIBLE, 1);
    residency_plan(&r, false);
    assert_int_equal(r.action_count, 1); /* there is room for both, and what is new of one of them */
    assert_int_equal(r.actions[0].kind, RESIDENCY_READ);
    assert_int_equal(r.actions[0].item, 1);
    assert_true(r.budgets[0].bytes == 2 * each + r.items[1].bytes_from[FIRST]);
    all_arrive(&r); /* of the one the new content is there */
    assert_true(r.budgets[0].bytes == each + r.items[1].bytes_from[FIRST]);
    books_check(&r);
    residency_forget(&r, 0);
    assert_true(r.budgets[0].bytes == r.items[1].bytes_from[FIRST]);
    books_check(&r);
    residency_destroy(&r);
}

/* Before anything that may be wanted again; of what is in view, last of all. */
static void test_former_content_goes_first(void **state)
{
    (void)state;
    residency r;
    outdate_two(&r);
    uint64_t each = r.items[0].former_bytes;
    for (uint32_t frame = 0; frame < 10; ++frame) { /* 2 comes, and will leave the view like 0 */
        residency_begin(&r);
        residency_want(&r, 2, 1, RESIDENCY_VISIBLE, 1);
        residency_plan(&r, false);
        all_arrive(&r);
    }
    assert_true(r.items[2].resident == 1 && r.budgets[0].bytes == 3 * each);
    r.budgets[0].bytes_max = 3 * each - 1;
    residency_begin(&r);
    residency_want(&r, 1, 1, RESIDENCY_VISIBLE, 1);
    residency_plan(&r, true);
    assert_int_equal(r.action_count, 1);
    assert_int_equal(r.actions[0].kind, RESIDENCY_DROP_FORMER);
    assert_int_equal(r.actions[0].item, 0);
    r.budgets[0].bytes_max = each + each / 2;
    residency_begin(&r);
    residency_want(&r, 1, 1, RESIDENCY_VISIBLE, 1);
    residency_plan(&r, true);
    assert_int_equal(r.action_count, 1);
    assert_int_equal(r.actions[0].kind, RESIDENCY_DROP); /* 2 is not in view, 1 is */
    assert_int_equal(r.actions[0].item, 2);
    r.budgets[0].bytes_max = each - 1;
    residency_begin(&r);
    residency_want(&r, 1, 1, RESIDENCY_VISIBLE, 1);
    residency_plan(&r, true);
    assert_int_equal(r.actions[r.action_count - 1].kind, RESIDENCY_DROP_FORMER);
    assert_int_equal(r.actions[r.action_count - 1].item, 1);
    books_check(&r);
    residency_destroy(&r);
}

static void test_mip_for(void **state)
{
    (void)state;
    assert_int_equal(residency_mip_for(1024, 512, 11, 1024), 0);
    assert_int_equal(residency_mip_for(1024, 512, 11, 400), 1);
    assert_int_equal(residency_mip_for(1024, 1024, 11, 1), 9);
    assert_int_equal(residency_mip_for(64, 64, 1, 1), 0);
    assert_int_equal(residency_mip_for(64, 64, 7, 1e9f), 0);
}

/* One frame in which item 0 is wanted at a level. */
static residency_reason reason_after(residency *r, uint32_t level, bool paused)
{
    residency_begin(r);
    residency_want(r, 0, level, RESIDENCY_VISIBLE, 1);
    residency_plan(r, paused);
    return residency_reason_of(r, 0, paused);
}

/* Each reason why something looks as it does, in the order in which it goes through them. */
static void test_reasons(void **state)
{
    (void)state;
    residency r;
    assert_true(residency_create(&r, 2, 64 << 20, 1 << 20));
    items_fill(&r, RESIDENCY_TEXTURES);
    uint32_t way[1] = { 77 };
    assert_int_equal(reason_after(&r, 2, true), RESIDENCY_PAUSED);
    assert_int_equal(residency_missing(&r, 0), RESIDENCY_LEVELS_MAX);
    assert_int_equal(residency_under_way(&r, way, 1), 0);
    assert_int_equal(reason_after(&r, 2, false), RESIDENCY_READING);
    assert_int_equal(residency_under_way(&r, way, 1), 1);
    assert_int_equal(way[0], 0);
    assert_int_equal(residency_under_way(&r, way, 0), 1); /* counted, not written */
    residency_arrived(&r, 0);
    assert_int_equal(residency_reason_of(&r, 0, false), RESIDENCY_UPLOADING);
    residency_uploaded(&r, 0);
    r.bytes_reading = r.bytes_reading_max; /* of others */
    assert_int_equal(reason_after(&r, 2, false), RESIDENCY_WAITING);
    assert_int_equal(residency_missing(&r, 0), r.items[0].resident - 2);
    r.bytes_reading = 0;
    for (uint32_t frame = 0; frame < 5 && r.items[0].resident > 2; ++frame) {
        (void)reason_after(&r, 2, false);
        residency_uploaded(&r, 0);
    }
    assert_int_equal(reason_after(&r, 2, false), RESIDENCY_SHARP);
    assert_int_equal(residency_missing(&r, 0), 0);
    r.budgets[RESIDENCY_TEXTURES].bytes_max = r.items[0].bytes_from[2];
    assert_int_equal(reason_after(&r, 0, false), RESIDENCY_OVER_BUDGET);
    assert_int_equal(residency_missing(&r, 0), 2); /* against what the screen needs, not what the budget allows */
    r.budgets[RESIDENCY_TEXTURES].bytes_max = 64 << 20;
    r.budgets[RESIDENCY_TEXTURES].bias = 0;
    assert_int_equal(reason_after(&r, 0, false), RESIDENCY_READING);
    residency_ended(&r, 0, true); /* what is finer is damaged */
    assert_int_equal(reason_after(&r, 0, false), RESIDENCY_LIMITED);
    r.items[0].level_finest = 0;
    for (uint32_t frame = 0; frame < 9 && r.items[0].resident > 0; ++frame) {
        (void)reason_after(&r, 0, false);
        residency_uploaded(&r, 0);
    }
    assert_int_equal(reason_after(&r, 0, false), RESIDENCY_FINEST);
    residency_begin(&r);
    residency_want(&r, 1, 0, RESIDENCY_VISIBLE, 1);
    residency_plan(&r, false);
    residency_ended(&r, 1, true);
    assert_int_equal(residency_reason_of(&r, 1, false), RESIDENCY_FAILED);
    for (uint32_t i = 0; i < RESIDENCY_REASON_COUNT; ++i) {
        assert_string_not_equal(residency_reason_text((residency_reason)i), "?");
    }
    assert_string_equal(residency_reason_text(RESIDENCY_REASON_COUNT), "?");
    assert_int_equal(residency_missing(&r, 1), RESIDENCY_LEVELS_MAX + 1);
    const uint32_t shades[][2] = {
        { 0, 0 }, { 1, 1 }, { 2, 2 }, { 3, 3 }, { 15, 3 }, { RESIDENCY_LEVELS_MAX, 4 }, { RESIDENCY_LEVELS_MAX + 1, 5 }
    };
    for (uint32_t i = 0; i < sizeof shades / sizeof *shades; ++i) {
        assert_int_equal(residency_shade(shades[i][0]), shades[i][1]);
    }
    residency_destroy(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coarse_first),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_cancel_and_promote),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_random_walk),
        cmocka_unit_test(test_comes_to_rest),
        cmocka_unit_test(test_budget_shrinks),
        cmocka_unit_test(test_mip_for),
        cmocka_unit_test(test_former_content_is_counted),
        cmocka_unit_test(test_former_content_goes_first),
    };
    return cmocka_run_group_tests_name("view.residency", tests, NULL, NULL);
}
