/* Shows that desc_resolve makes a desc of zeros one that works, that each field is refused one below its least and one
 * above its most value, by its name, as is a switch that is neither default, off nor on, and that the default allocator
 * and logger do what they stand for. */
#include "unit.h"

#include "unit_syscalls.h"

#include "io.h"
#include "resolve.h"

#include <leat/sim.h>

#include <stdio.h>

#define FIELD(field) sizeof(((leat_desc *)0)->field) == 8, offsetof(leat_desc, field), #field
#define NO_LEAST UINT64_MAX /* below the least value is 0, which means the default */

static void zeros_are_defaults(void **state)
{
    (void)state;
    leat_desc a, b;
    assert_int_equal(desc_resolve(NULL, &a, NULL), LEAT_OK);
    assert_int_equal(desc_resolve(&(leat_desc){ 0 }, &b, NULL), LEAT_OK);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_equal(a.logger.level, LEAT_LOG_WARNING);
    assert_true(a.pool_bytes + a.lent_bytes <= a.memory_bytes_max);
    assert_in_range(a.worker_count, 1, 256);
    for (uint32_t i = 0; i < LEAT_CLIENT_COUNT; ++i) {
        assert_int_equal(a.client_weights[i], 1);
    }
}

/* One worker for each core that the process may use, which can be fewer than there are. */
static void workers_are_as_many_as_usable_cores(void **state)
{
    (void)state;
    leat_desc d;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    assert_int_equal(desc_resolve(NULL, &d, NULL), LEAT_OK);
    assert_int_equal(d.worker_count, CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (uint32_t core = 0; CPU_COUNT(&one) == 0; ++core) {
        if (CPU_ISSET(core, &before)) {
            CPU_SET(core, &one);
        }
    }
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(desc_resolve(NULL, &d, NULL), LEAT_OK);
    assert_int_equal(d.worker_count, 1);
    assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
    unit_call_fails(CALL_SCHED_GETAFFINITY, 0, EINVAL); /* more cores than the set has room for */
    unit_call_fails(CALL_SYSCONF, 0, 300);
    assert_int_equal(desc_resolve(NULL, &d, NULL), LEAT_OK);
    assert_int_equal(d.worker_count, 256);
    unit_call_fails(CALL_SCHED_GETAFFINITY, 0, EINVAL);
    unit_call_fails(CALL_SYSCONF, 0, -1); /* a system that does not tell its cores */
    assert_int_equal(desc_resolve(NULL, &d, NULL), LEAT_OK);
    assert_int_equal(d.worker_count, 1);
    assert_true(unit_calls_done());
}

static void what_is_said_stays(void **state)
{
    (void)state;
    leat_desc said = { .logger = { .level = LEAT_LOG_ERROR }, .worker_count = 3, .pool_bytes = MIB(7) + 1 };
    leat_desc d;
    assert_int_equal(desc_resolve(&said, &d, NULL), LEAT_OK);
    assert_int_equal(d.worker_count, 3);
    assert_int_equal(d.logger.level, LEAT_LOG_ERROR);
    assert_int_equal(d.pool_bytes, MIB(6)); /* whole huge pages */
    assert_int_equal(desc_resolve(&d, &said, NULL), LEAT_OK);
    assert_memory_equal(&d, &said, sizeof(d)); /* resolved once is resolved */
}

static void fields_have_bounds(void **state)
{
    (void)state;
    static const struct {
        bool wide;
        size_t offset;
        const char *name;
        uint64_t below, above;
    } rows[] = {
        { FIELD(pool_bytes), MIB(3), MIB(1026) },
        { FIELD(lent_bytes), MIB(1), (UINT64_C(64) << 30) + MIB(2) },
        { FIELD(request_count_max), NO_LEAST, (1u << 22) + 1 },
        { FIELD(batch_count_max), NO_LEAST, (1u << 20) + 1 },
        { FIELD(pack_count_max), NO_LEAST, 4097 },
        { FIELD(event_count_max), NO_LEAST, (1u << 20) + 1 },
        { FIELD(worker_count), NO_LEAST, 257 },
        { FIELD(io_thread_count), NO_LEAST, 257 },
        { FIELD(read_bytes_max), 4095, (4u << 20) + 1 },
        { FIELD(read_gap_max), NO_LEAST, (4u << 20) + 1 },
        { FIELD(uring.entries), NO_LEAST, 32769 },
        { FIELD(uring.completion_entries), NO_LEAST, 65537 },
        { FIELD(uring.sqpoll_idle_ms), NO_LEAST, 60001 },
        { FIELD(uring.sqpoll_core), NO_LEAST, 8193 },
        { FIELD(uring.worker_count_max), NO_LEAST, 4097 },
        { FIELD(uring.batch_wait_us), NO_LEAST, 1000001 },
        { FIELD(trace_event_count), NO_LEAST, (1u << 26) + 1 },
        { FIELD(backend), NO_LEAST, LEAT_BACKEND_SIM + 1 },
        { FIELD(logger.level), NO_LEAST, LEAT_LOG_DEBUG + 1 },
        { FIELD(direct), NO_LEAST, LEAT_ON + 1 },
        { FIELD(huge_pages), NO_LEAST, UINT32_MAX },
        { FIELD(memory_bytes_max), MIB(6) - 1, (UINT64_C(128) << 30) + 1 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); ++i) {
        const uint64_t values[] = { rows[i].below, rows[i].above };
        for (size_t k = 0; k < COUNT_OF(values); ++k) {
            if (values[k] == NO_LEAST) {
                continue;
            }
            leat_desc desc = { .memory_bytes_max = MIB(512) }, d;
            leat_error error = { 0 };
            memcpy((uint8_t *)&desc + rows[i].offset, &values[k], rows[i].wide ? 8 : 4);
            assert_int_equal(desc_resolve(&desc, &d, &error), LEAT_ERROR_ARGUMENT);
            assert_int_equal(error.result, LEAT_ERROR_ARGUMENT);
            char said[64]; /* with the value that was given, not one that was rounded since */
            snprintf(said, sizeof(said), "leat_desc.%s is %llu;", rows[i].name, (unsigned long long)values[k]);
            assert_non_null(strstr(error.text, said));
        }
    }
}

/* Each mode's switch is checked, and named. */
static void switches_are_default_off_or_on(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < LEAT_MODE_COUNT; ++i) {
        leat_desc desc = { 0 }, d;
        leat_error error = { 0 };
        char field[64];
        snprintf(field, sizeof(field), "leat_desc.uring.%s is 3;", leat_mode_text((leat_mode)i));
        *io_mode_switch(&desc.uring, (leat_mode)i) = LEAT_ON;
        assert_int_equal(desc_resolve(&desc, &d, &error), LEAT_OK);
        *io_mode_switch(&desc.uring, (leat_mode)i) = (leat_switch)(LEAT_ON + 1);
        assert_int_equal(desc_resolve(&desc, &d, &error), LEAT_ERROR_ARGUMENT);
        assert_non_null(strstr(error.text, field));
    }
}

/* What lies behind the desc's pointer is the desc's as well. */
static void a_fault_that_is_none_is_refused(void **state)
{
    (void)state;
    struct leat_sim_desc sim = { .fault = LEAT_SIM_FAULT_BIT_FLIP };
    leat_desc desc = { .sim = &sim }, d;
    leat_error error = { 0 };
    assert_int_equal(desc_resolve(&desc, &d, &error), LEAT_OK);
    sim.fault = (leat_sim_fault)(LEAT_SIM_FAULT_BIT_FLIP + 1);
    assert_int_equal(desc_resolve(&desc, &d, &error), LEAT_ERROR_ARGUMENT);
    assert_non_null(strstr(error.text, "leat_desc.sim->fault is 6;"));
}

static void *refuse(size_t size, size_t alignment, void *user)
{
    (void)size;
    (void)alignment;
    (void)user;
    return NULL;
}

/* Parts that fit each alone do not fit together: the message names all three. */
static void parts_fit_into_the_whole(void **state)
{
    (void)state;
    leat_desc d;
    leat_error error = { 0 };
    leat_desc desc = { .memory_bytes_max = MIB(32), .pool_bytes = MIB(20), .lent_bytes = MIB(14) };
    assert_int_equal(desc_resolve(&desc, &d, &error), LEAT_ERROR_ARGUMENT);
    assert_non_null(strstr(error.text, "memory_bytes_max is 33554432"));
    assert_non_null(strstr(error.text, "20971520 + 14680064"));
    desc.lent_bytes = MIB(12);
    assert_int_equal(desc_resolve(&desc, &d, &error), LEAT_OK);
}

/* Half an allocator is a mistake. */
static void allocators_are_whole(void **state)
{
    (void)state;
    const leat_allocator halves[] = { { .allocate = refuse }, { .free = unit_free } };
    leat_desc d;
    for (size_t i = 0; i < COUNT_OF(halves); ++i) {
        leat_error error = { 0 };
        assert_int_equal(desc_resolve(&(leat_desc){ .allocator = halves[i] }, &d, &error), LEAT_ERROR_ARGUMENT);
        assert_non_null(strstr(error.text, "allocator"));
    }
    assert_int_equal(desc_resolve(NULL, &d, NULL), LEAT_OK);
    void *block = d.allocator.allocate(100, 1, NULL);
    assert_non_null(block);
    d.allocator.free(block, 100, NULL);
    block = d.allocator.allocate(100, 4096, NULL);
    assert_int_equal((uintptr_t)block % 4096, 0);
    d.allocator.free(block, 100, NULL);
    unit_call_fails(CALL_POSIX_MEMALIGN, 0, ENOMEM);
    assert_null(d.allocator.allocate(100, 64, NULL));
    assert_true(unit_calls_done());
    assert_int_equal(desc_resolve(&(leat_desc){ .allocator = { .allocate = refuse, .free = unit_free } }, &d, NULL),
                     LEAT_OK);
    assert_null(d.allocator.allocate(100, 64, NULL));
}

static void the_default_log_is_stderr(void **state)
{
    (void)state;
    leat_desc d;
    assert_int_equal(desc_resolve(NULL, &d, NULL), LEAT_OK);
    int pipe_fds[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(dup2(pipe_fds[1], STDERR_FILENO), STDERR_FILENO);
    d.logger.log(LEAT_LOG_ERROR, "one", d.logger.user);
    d.logger.log(LEAT_LOG_WARNING, "two", d.logger.user);
    fflush(stderr);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
    close(pipe_fds[1]);
    char text[100] = "";
    size_t used = 0;
    for (ssize_t got = 1; got > 0 && used < sizeof(text) - 1; used += (size_t)got) {
        got = read(pipe_fds[0], text + used, sizeof(text) - 1 - used);
        assert_true(got >= 0);
    }
    close(pipe_fds[0]);
    assert_string_equal(text, "leat: error: one\nleat: two\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeros_are_defaults),
        cmocka_unit_test(workers_are_as_many_as_usable_cores),
        cmocka_unit_test(what_is_said_stays),
        cmocka_unit_test(fields_have_bounds),
        cmocka_unit_test(switches_are_default_off_or_on),
        cmocka_unit_test(a_fault_that_is_none_is_refused),
        cmocka_unit_test(parts_fit_into_the_whole),
        cmocka_unit_test(allocators_are_whole),
        cmocka_unit_test(the_default_log_is_stderr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
