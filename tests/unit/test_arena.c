/* Shows that the arena never hands out what is in use, merges all that comes back, and finds what fits: random
 * allocations and frees against a map of who owns which unit. */
#include "unit.h"

#include "arena.h"

#include <string.h>

#define UNIT 4096u
#define UNIT_COUNT 512u
#define BLOCK_COUNT 128u

static void random_blocks_never_overlap(void **state)
{
    (void)state;
    uint64_t live = 0;
    memory m = unit_memory(&live);
    uint8_t *base = aligned_alloc(UNIT, (size_t)UNIT * UNIT_COUNT);
    arena *a = arena_create(
        &(arena_desc){ .memory = &m, .base = base, .size = (uint64_t)UNIT * UNIT_COUNT, .unit_size = UNIT });
    assert_non_null(a);
    void *blocks[BLOCK_COUNT] = { 0 };
    uint64_t sizes[BLOCK_COUNT] = { 0 };
    uint8_t owner[UNIT_COUNT] = { 0 };
    uint64_t seed = 7, used = 0;
    for (uint32_t round = 0; round < 200000; ++round) {
        uint32_t i = (uint32_t)unit_below(&seed, BLOCK_COUNT);
        if (blocks[i] != NULL) {
            uint64_t first = (uint64_t)((uint8_t *)blocks[i] - base) / UNIT;
            memset(owner + first, 0, sizes[i]);
            arena_free(a, blocks[i]);
            used -= sizes[i];
            blocks[i] = NULL;
        } else {
            uint64_t size = 1 + unit_below(&seed, UNIT * (1 + unit_below(&seed, 64)));
            bool could = arena_can_allocate(a, size);
            blocks[i] = arena_allocate(a, size);
            assert_int_equal(could, blocks[i] != NULL);
            if (blocks[i] != NULL) {
                sizes[i] = (size + UNIT - 1) / UNIT;
                uint64_t first = (uint64_t)((uint8_t *)blocks[i] - base) / UNIT;
                assert_int_equal(((uint8_t *)blocks[i] - base) % UNIT, 0);
                assert_true(first + sizes[i] <= UNIT_COUNT);
                for (uint64_t u = first; u < first + sizes[i]; ++u) {
                    assert_int_equal(owner[u], 0);
                    owner[u] = 1;
                }
                used += sizes[i];
            }
        }
        assert_int_equal(arena_bytes_used(a), used * UNIT);
    }
    for (uint32_t i = 0; i < BLOCK_COUNT; ++i) {
        if (blocks[i] != NULL) {
            arena_free(a, blocks[i]);
        }
    }
    /* Everything merged: the whole region is one block again. */
    void *whole = arena_allocate(a, (uint64_t)UNIT * UNIT_COUNT);
    assert_ptr_equal(whole, base);
    assert_null(arena_allocate(a, 1));
    arena_free(a, whole);
    arena_destroy(a);
    free(base);
    assert_int_equal(live, 0);
}

static void too_large_is_refused(void **state)
{
    (void)state;
    memory m = unit_memory(NULL);
    uint8_t *base = aligned_alloc(UNIT, UNIT * 3);
    arena *a = arena_create(&(arena_desc){ .memory = &m, .base = base, .size = UNIT * 3, .unit_size = UNIT });
    assert_null(arena_allocate(a, UNIT * 3 + 1));
    assert_null(arena_allocate(a, UINT64_MAX / 2));
    assert_null(arena_allocate(a, UINT64_MAX)); /* which would wrap if it were rounded up first */
    assert_false(arena_can_allocate(a, UINT64_MAX));
    assert_false(arena_can_allocate(a, UNIT * 4));
    void *x = arena_allocate(a, UNIT * 2);
    assert_non_null(x);
    assert_null(arena_allocate(a, UNIT * 2));
    assert_non_null(arena_allocate(a, UNIT));
    arena_destroy(a);
    free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_blocks_never_overlap),
        cmocka_unit_test(too_large_is_refused),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
