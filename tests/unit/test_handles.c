/* Shows that a handle is alive from acquire to release and never after, also when threads fight for the slots, and that
 * a flag can only be set through a live handle. */
#include "unit.h"

#include "handles.h"

#include <pthread.h>

static void stale_handles_are_refused(void **state)
{
    (void)state;
    uint64_t live = 0;
    memory m = unit_memory(&live);
    handle_table table;
    assert_true(handles_init(&table, 2, &m));
    uint32_t a, a_generation, b, b_generation, c, c_generation;
    assert_true(handles_acquire(&table, &a, &a_generation));
    assert_true(handles_acquire(&table, &b, &b_generation));
    assert_false(handles_acquire(&table, &c, &c_generation));
    assert_true(handles_set(&table, a, a_generation, 1, 0));
    assert_false(handles_set(&table, a, a_generation, 2, 1)); /* `unless` */
    assert_int_equal(handles_flags(&table, a, a_generation), HANDLE_FLAG_LIVE | 1u);
    assert_int_equal(handles_flags(&table, a, 0), 0);
    assert_int_equal(handles_flags(&table, 99, 1), 0);
    handles_release(&table, a);
    assert_int_equal(handles_flags(&table, a, a_generation), 0);
    assert_false(handles_set(&table, a, a_generation, 1, 0));
    assert_true(handles_acquire(&table, &c, &c_generation));
    assert_int_equal(c, a);
    assert_int_not_equal(c_generation, a_generation);
    assert_int_equal(handles_flags(&table, c, c_generation), HANDLE_FLAG_LIVE); /* the flags begin anew */
    handles_free(&table, &m);
    assert_int_equal(live, 0);
}

#define THREAD_COUNT 4
#define ROUND_COUNT 50000
#define SLOT_COUNT 8

typedef struct fight {
    handle_table table;
    _Atomic uint32_t owners[SLOT_COUNT];
    _Atomic uint32_t conflicts;
} fight;

static void *fighter(void *argument)
{
    fight *f = argument;
    for (uint32_t i = 0; i < ROUND_COUNT; ++i) {
        uint32_t index, generation;
        if (!handles_acquire(&f->table, &index, &generation)) {
            continue;
        }
        if (atomic_fetch_add(&f->owners[index], 1) != 0 || !handles_set(&f->table, index, generation, 4, 4)) {
            atomic_fetch_add(&f->conflicts, 1);
        }
        atomic_fetch_sub(&f->owners[index], 1);
        handles_release(&f->table, index);
    }
    return NULL;
}

static void threads_never_share_a_slot(void **state)
{
    (void)state;
    memory m = unit_memory(NULL);
    fight *f = aligned_alloc(64, (sizeof(fight) + 63) / 64 * 64);
    *f = (fight){ 0 };
    assert_true(handles_init(&f->table, SLOT_COUNT, &m));
    pthread_t threads[THREAD_COUNT];
    for (int i = 0; i < THREAD_COUNT; ++i) {
        assert_int_equal(pthread_create(&threads[i], NULL, fighter, f), 0);
    }
    for (int i = 0; i < THREAD_COUNT; ++i) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(f->conflicts, 0);
    uint32_t all[SLOT_COUNT + 1];
    assert_int_equal(handles_acquire_many(&f->table, SLOT_COUNT + 1, all), SLOT_COUNT); /* none was lost */
    handles_free(&f->table, &m);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stale_handles_are_refused),
        cmocka_unit_test(threads_never_share_a_slot),
    };
    return cmocka_run_group_tests_name("handles", tests, NULL, NULL);
}
