/* Shows what spread.h promises: a thread that finds another on its core goes to a free one, but not again at once, and
 * stays where it is where there is no other core. Skipped where this process may use only one core. */
#include "unit.h"

#include "spread.h"

#include <errno.h>
#include <sched.h>

#define LATER_NS NS_PER_S

/* ---- The kernel's answers ---- */

static uint32_t calls_granted = UINT32_MAX, calls_refused; /* the latter come after the former */
static int core_told = -1; /* -1: the true one */

int __real_sched_getcpu(void);
int __wrap_sched_getcpu(void);
int __wrap_sched_getcpu(void)
{
    return core_told >= 0 ? core_told : __real_sched_getcpu();
}

int __real_sched_setaffinity(pid_t thread, size_t size, const cpu_set_t *set);
int __wrap_sched_setaffinity(pid_t thread, size_t size, const cpu_set_t *set);
int __wrap_sched_setaffinity(pid_t thread, size_t size, const cpu_set_t *set)
{
    if (calls_granted == 0 && calls_refused > 0) {
        --calls_refused;
        errno = ENOMEM;
        return -1;
    }
    calls_granted -= calls_granted > 0 && calls_granted < UINT32_MAX;
    return __real_sched_setaffinity(thread, size, set);
}

/* ---- The tests ---- */

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
    calls_granted = UINT32_MAX;
    core_told = -1;
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

static int usable_count(void)
{
    cpu_set_t usable;
    assert_int_equal(sched_getaffinity(0, sizeof(usable), &usable), 0);
    return CPU_COUNT(&usable);
}

static void what_is_not_given_back_is_asked_for_again(void **state)
{
    fixture *f = *state;
    spread_place first = { 0 }, second = { 0 };
    int all = usable_count();
    uint64_t now_ns = LATER_NS;
    core_told = f->cores[0];
    spread_look(&f->spread, &first, now_ns);
    calls_granted = 1; /* it goes */
    calls_refused = 2;
    spread_look(&f->spread, &second, now_ns);
    assert_int_equal(usable_count(), 1);
    spread_look(&f->spread, &second, ++now_ns); /* too soon */
    assert_int_equal(calls_refused, 1);
    spread_look(&f->spread, &second, now_ns += LATER_NS);
    assert_int_equal(calls_refused, 0);
    assert_int_equal(usable_count(), 1);
    spread_look(&f->spread, &second, now_ns += LATER_NS);
    assert_int_equal(usable_count(), all);
    assert_false(second.bound);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_shares_a_core_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(not_again_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(who_may_go_nowhere_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_given_back_is_asked_for_again, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
