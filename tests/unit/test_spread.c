/* Shows what spread.h promises: a thread that finds another on its core goes to a free one, but not again at once, and
 * stays where it is where there is no other core. Skipped where this process may use only one core. */
#include "unit.h"

#include "spread.h"

#include <sched.h>

#define LATER_NS NS_PER_S

typedef struct fixture {
    spread spread;
    cpu_set_t allowed;
    int cores[2];
} fixture;

static void bind_to(int core)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(sched_getcpu(), core);
}

static int setup(void **state)
{
    static fixture f;
    f = (fixture){ .cores = { -1, -1 } };
    if (sched_getaffinity(0, sizeof(f.allowed), &f.allowed) != 0 || CPU_COUNT(&f.allowed) < 2) {
        print_message("only one core may be used here\n");
        exit(77);
    }
    for (int core = 0; core < CPU_SETSIZE && f.cores[1] < 0; ++core) {
        if (CPU_ISSET(core, &f.allowed)) {
            f.cores[f.cores[0] < 0 ? 0 : 1] = core;
        }
    }
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    return sched_setaffinity(0, sizeof(f->allowed), &f->allowed);
}

/* Two places stand for two threads: the first was last seen on a core when the second comes to it. */
static void who_shares_a_core_goes(void **state)
{
    fixture *f = *state;
    spread_place first = { 0 }, second = { 0 };
    bind_to(f->cores[0]);
    spread_look(&f->spread, &first, LATER_NS);
    assert_int_equal(first.core, f->cores[0] + 1);
    cpu_set_t two; /* of which one is taken */
    CPU_ZERO(&two);
    CPU_SET(f->cores[0], &two);
    CPU_SET(f->cores[1], &two);
    assert_int_equal(sched_setaffinity(0, sizeof(two), &two), 0);
    spread_look(&f->spread, &second, LATER_NS);
    assert_int_equal(second.core, f->cores[1] + 1);
    assert_int_equal(atomic_load(&f->spread.threads[f->cores[0]]), 1);
    assert_int_equal(atomic_load(&f->spread.threads[f->cores[1]]), 1);
}

static void not_again_at_once(void **state)
{
    fixture *f = *state;
    spread_place first = { 0 }, second = { .moved_ns = LATER_NS };
    bind_to(f->cores[0]);
    spread_look(&f->spread, &first, LATER_NS);
    spread_look(&f->spread, &second, LATER_NS + 1);
    assert_int_equal(second.core, f->cores[0] + 1);
    assert_int_equal(second.moved_ns, LATER_NS);
    assert_int_equal(atomic_load(&f->spread.threads[f->cores[0]]), 2);
}

static void who_may_go_nowhere_stays(void **state)
{
    fixture *f = *state;
    spread_place first = { 0 }, second = { 0 };
    bind_to(f->cores[0]);
    spread_look(&f->spread, &first, LATER_NS);
    spread_look(&f->spread, &second, LATER_NS);
    assert_int_equal(second.core, f->cores[0] + 1);
    assert_int_equal(sched_getcpu(), f->cores[0]);
    cpu_set_t after;
    assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
    assert_int_equal(CPU_COUNT(&after), 1); /* what it may use is as it was */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_shares_a_core_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(not_again_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(who_may_go_nowhere_stays, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
