/* Shows that each mode of io_uring can be on or off, alone and in combination, that the bytes are the same, that
 * leat_info says what was granted and why the rest was not, and that older kernels, tight limits and refusals are
 * fallen back from as documented. Older kernels and limits are played by a shim (unit_ring.h). */
#include "unit_ring.h"

#include "unit_limits.h"
#include "uring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

#define OPEN_FILES_OF_A_RING 256u /* no more places may be in its table */
#define COMBINATION_COUNT (getenv("LEAT_TEST_LONG") != NULL ? 500u : 25u)

/* ---- Switches ---- */

static void check_told(const unit_io *u)
{
    leat_info info = unit_ring_info(u);
    assert_int_equal(info.backend, LEAT_BACKEND_URING);
    for (uint32_t i = 0; i < LEAT_MODE_COUNT; ++i) {
        const leat_mode_info *m = &info.modes[i];
        assert_int_equal(m->asked, io_mode_asked(&u->desc.uring, (leat_mode)i));
        assert_true(m->asked || !m->granted);
        assert_int_equal(m->granted, m->why[0] == '\0'); /* one or the other, always */
        assert_string_not_equal(leat_mode_text((leat_mode)i), "?");
        assert_string_not_equal(leat_mode_fallback_text((leat_mode)i), "?");
    }
    assert_string_equal(leat_mode_text(LEAT_MODE_COUNT), "?");
}

static void each_mode_alone_on_and_off(void **state)
{
    unit_io *u = *state;
    for (uint32_t i = 0; i < LEAT_MODE_COUNT; ++i) {
        for (uint32_t on = 0; on < 2; ++on) {
            u->desc.uring = (leat_uring_desc){ 0 };
            *io_mode_switch(&u->desc.uring, (leat_mode)i) = on ? LEAT_ON : LEAT_OFF;
            unit_ring_open(u);
            unit_ring_exercise(u);
            check_told(u);
            assert_int_equal(unit_ring_info(u).modes[i].asked, on);
            unit_io_close(u);
        }
    }
}

static void modes_combined(void **state)
{
    unit_io *u = *state;
    uint64_t seed = 2026;
    for (uint32_t n = 0; n < COMBINATION_COUNT + 2; ++n) {
        u->desc.uring = (leat_uring_desc){ 0 };
        for (uint32_t i = 0; i < LEAT_MODE_COUNT; ++i) {
            bool on = n == COMBINATION_COUNT || (n < COMBINATION_COUNT && unit_below(&seed, 2) == 1);
            *io_mode_switch(&u->desc.uring, (leat_mode)i) = on ? LEAT_ON : LEAT_OFF;
        }
        u->desc.uring.entries = n % 5 == 0 ? 4 : 64;
        u->desc.uring.completion_entries = n % 10 == 0 ? 4 : 0;
        u->desc.uring.batch_wait_us = n % 4 == 0 ? 200 : 0;
        u->desc.uring.sqpoll_core = n % 3 == 0 ? 1 : 0;
        unit_ring_open(u);
        unit_ring_exercise(u);
        check_told(u);
        unit_io_close(u);
    }
}

static bool granted(const unit_io *u, leat_mode mode)
{
    return unit_ring_info(u).modes[mode].granted;
}

static bool why_says(const unit_io *u, leat_mode mode, const char *part)
{
    leat_info info = unit_ring_info(u);
    bool says = strstr(info.modes[mode].why, part) != NULL;
    if (!says) {
        printf("%s: \"%s\" does not say \"%s\"\n", leat_mode_text(mode), info.modes[mode].why, part);
    }
    return says;
}

/* What the flags say is what the kernel was asked for, not only what is told. */
static void flags_are_in_force(void **state)
{
    unit_io *u = *state;
    static const struct {
        leat_uring_desc desc;
        uint32_t flags;
    } rows[] = {
        { { 0 }, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN },
        { { .defer_taskrun = LEAT_OFF }, IORING_SETUP_COOP_TASKRUN },
        { { .defer_taskrun = LEAT_OFF, .coop_taskrun = LEAT_OFF }, 0 },
        { { .sqpoll = LEAT_ON }, IORING_SETUP_SQPOLL },
        { { .sqpoll = LEAT_ON, .sqpoll_core = 1 }, IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF },
    };
    const uint32_t looked_at = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN |
                               IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF;
    for (size_t i = 0; i < COUNT_OF(rows); ++i) {
        u->desc.uring = rows[i].desc;
        unit_ring_open(u);
        assert_int_equal(shim.ring->flags & looked_at, rows[i].flags);
        assert_int_equal(unit_ring_info(u).uring_setup_flags & looked_at, rows[i].flags);
        unit_io_close(u);
    }
}

static void a_core_that_is_not_there_is_no_obstacle(void **state)
{
    unit_io *u = *state;
    u->desc.uring.sqpoll = LEAT_ON;
    u->desc.uring.sqpoll_core = 8000;
    unit_ring_open(u);
    unit_ring_exercise(u);
    assert_true(granted(u, LEAT_MODE_SQPOLL));
    assert_int_equal(shim.ring->flags & IORING_SETUP_SQ_AFF, 0);
    assert_int_equal(unit_ring_count(u->log, "sqpoll_core 8000"), 1);
}

/* ---- Older kernels ---- */

#define FLAGS_5_10                                                                                                     \
    (IORING_SETUP_IOPOLL | IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP |      \
     IORING_SETUP_ATTACH_WQ | IORING_SETUP_R_DISABLED)
#define FLAGS_5_19 (FLAGS_5_10 | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG)
#define FLAGS_6_1 (FLAGS_5_19 | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)
#define FEATURE_MIN_WAIT (1u << 15)

typedef struct old_kernel {
    const char *name;
    uint32_t flags, features_hidden;
    bool no_multishot;
    int workers_fail;
    bool defer, coop, links, timeouts, min_wait, workers;
} old_kernel;

static const old_kernel old_kernels[] = {
    { "5.10", FLAGS_5_10, FEATURE_MIN_WAIT | IORING_FEAT_EXT_ARG | IORING_FEAT_LINKED_FILE | IORING_FEAT_CQE_SKIP, true,
      -EINVAL, false, false, false, false, false, false },
    { "5.15", FLAGS_5_10, FEATURE_MIN_WAIT | IORING_FEAT_LINKED_FILE | IORING_FEAT_CQE_SKIP, false, 0, false, false,
      false, true, false, true },
    { "5.19", FLAGS_5_19, FEATURE_MIN_WAIT, false, 0, false, true, true, true, false, true },
    { "6.1", FLAGS_6_1, FEATURE_MIN_WAIT, false, 0, true, false, true, true, false, true },
};

static void wake_and_wait(unit_io *u);

static void older_kernels_are_fallen_back_for(void **state)
{
    unit_io *u = *state;
    unit_needs_open_files(OPEN_FILES_OF_A_RING);
    for (size_t i = 0; i < COUNT_OF(old_kernels); ++i) {
        const old_kernel *k = &old_kernels[i];
        shim.setup_flags_known = k->flags;
        shim.features_hidden = k->features_hidden;
        shim.no_multishot = k->no_multishot;
        shim.workers_fail = k->workers_fail;
        u->desc.uring = (leat_uring_desc){ .batch_wait_us = i % 2 == 0 ? 300 : 0 };
        unit_ring_open(u);
        unit_ring_exercise(u);
        wake_and_wait(u);
        check_told(u);
        assert_int_equal(granted(u, LEAT_MODE_DEFER_TASKRUN), k->defer);
        assert_int_equal(granted(u, LEAT_MODE_COOP_TASKRUN), k->coop);
        assert_int_equal(granted(u, LEAT_MODE_LINKS), k->links);
        assert_int_equal(granted(u, LEAT_MODE_TIMEOUTS), k->timeouts);
        assert_int_equal(granted(u, LEAT_MODE_MIN_WAIT), k->min_wait);
        assert_int_equal(granted(u, LEAT_MODE_WORKER_LIMIT), k->workers);
        assert_int_equal(granted(u, LEAT_MODE_MULTISHOT_POLL), !k->no_multishot);
        assert_true(k->defer || why_says(u, LEAT_MODE_DEFER_TASKRUN, "6.1"));
        assert_true(k->links || why_says(u, LEAT_MODE_LINKS, "direct_descriptors"));
        assert_true(k->links || why_says(u, LEAT_MODE_DIRECT_DESCRIPTORS, "5.17"));
        unit_io_close(u);
    }
}

static void missing_opcodes_are_fallen_back_for(void **state)
{
    unit_io *u = *state;
    static const struct {
        int opcode;
        leat_mode mode;
        bool links;
    } rows[] = { { IORING_OP_OPENAT2, LEAT_MODE_OPENAT2, false },
                 { IORING_OP_CLOSE, LEAT_MODE_CLOSE, false },
                 { IORING_OP_FADVISE, LEAT_MODE_FADVISE, true } };
    unit_needs_open_files(OPEN_FILES_OF_A_RING);
    u->desc.uring.fadvise = LEAT_ON;
    for (size_t i = 0; i < COUNT_OF(rows); ++i) {
        shim.opcodes_hidden = UINT64_C(1) << rows[i].opcode;
        unit_ring_open(u);
        unit_ring_exercise(u);
        assert_false(granted(u, rows[i].mode));
        assert_true(why_says(u, rows[i].mode, "not in this kernel"));
        assert_int_equal(granted(u, LEAT_MODE_LINKS), rows[i].links);
        unit_io_close(u);
    }
}

/* ---- Limits and refusals ---- */

static void limits_are_fallen_back_for(void **state)
{
    unit_io *u = *state;
    shim.buffers_max = UNIT_POOL_SIZE / 2;
    unit_ring_open(u);
    unit_ring_exercise(u);
    assert_true(granted(u, LEAT_MODE_FIXED_BUFFERS));
    assert_int_equal(unit_ring_info(u).fixed_bytes, UNIT_POOL_SIZE / 2);
    unit_io_close(u);

    shim.buffers_max = 4096;
    unit_ring_open(u);
    unit_ring_exercise(u);
    assert_true(why_says(u, LEAT_MODE_FIXED_BUFFERS, "RLIMIT_MEMLOCK"));
    assert_int_equal(unit_ring_info(u).fixed_bytes, 0);
    unit_io_close(u);

    shim.buffers_fail = -EOPNOTSUPP; /* memory of a kind that cannot be pinned */
    unit_ring_open(u);
    unit_ring_exercise(u);
    assert_false(granted(u, LEAT_MODE_FIXED_BUFFERS));
    unit_io_close(u);
    shim.buffers_fail = 0;
    shim.buffers_max = 0;

    shim.files_max = UNIT_FILE_COUNT_MAX * 2 + 1;
    unit_ring_open(u);
    unit_ring_exercise(u);
    assert_true(granted(u, LEAT_MODE_FIXED_FILES));
    assert_true(why_says(u, LEAT_MODE_DIRECT_DESCRIPTORS, "RLIMIT_NOFILE"));
    unit_io_close(u);

    shim.files_max = 0;
    shim.files_fail = -ENOSYS;
    unit_ring_open(u);
    unit_ring_exercise(u);
    assert_false(granted(u, LEAT_MODE_FIXED_FILES));
    assert_true(why_says(u, LEAT_MODE_LINKS, "direct_descriptors"));
    unit_io_close(u);
    shim.files_fail = 0;

    shim.entries_max = 16;
    u->desc.uring.entries = 256;
    unit_ring_open(u);
    unit_ring_exercise(u);
    assert_int_equal(unit_ring_info(u).uring_entries, 16);
}

static void a_refused_ring_says_why(void **state)
{
    unit_io *u = *state;
    static const struct {
        int fails;
        const char *says;
    } rows[] = {
        { -EPERM, "seccomp" }, { -ENOSYS, "not in this kernel" }, { -EACCES, "security" }, { -ENOMEM, "RLIMIT_MEMLOCK" }
    };
    for (size_t i = 0; i < COUNT_OF(rows); ++i) {
        for (uint32_t sqpoll = 0; sqpoll < 2; ++sqpoll) {
            shim.setup_fails = rows[i].fails;
            u->desc.uring.sqpoll = sqpoll ? LEAT_ON : LEAT_OFF;
            assert_int_equal(unit_io_open(u), LEAT_ERROR_UNSUPPORTED);
            assert_int_equal(u->error.os_error, -rows[i].fails);
            assert_non_null(strstr(u->error.text, rows[i].says));
            unit_io_close(u);
        }
    }
    leat_streamer *s = NULL;
    leat_desc desc = { .logger = { .log = unit_io_log, .user = u, .level = LEAT_LOG_WARNING } };
    shim.setup_fails = -EPERM;
    u->log[0] = '\0';
    assert_int_equal(leat_create(&desc, &s), LEAT_OK);
    leat_info info;
    leat_info_get(s, &info);
    assert_int_equal(info.backend, LEAT_BACKEND_THREADS);
    assert_non_null(strstr(info.modes[LEAT_MODE_SQPOLL].why, "seccomp"));
    assert_non_null(strstr(info.backend_text, "seccomp"));
    assert_int_equal(unit_ring_count(u->log, "\n"), 1); /* in one line */
    leat_destroy(s);
}

/* ---- Waking and waiting ---- */

static void *waker(void *argument)
{
    unit_io *u = argument;
    u->ops->wake(u->io);
    return NULL;
}

/* Woken before, while and after it begins to wait; ended by a deadline. Hangs if a wake is lost. */
static void wake_and_wait(unit_io *u)
{
    io_completion none;
    for (uint32_t i = 0; i < 10; ++i) {
        u->ops->wake(u->io);
        u->ops->wait(u->io, IO_WAIT_FOREVER);
        assert_int_equal(u->ops->reap(u->io, &none, 1, 0), 0);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, waker, u), 0);
        u->ops->wait(u->io, IO_WAIT_FOREVER); /* the wake before it may end this one, and this one's the next */
        assert_int_equal(u->ops->reap(u->io, &none, 1, 0), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    u->ops->wait(u->io, 1); /* long past */
}

static void waits_are_woken_in_all_modes(void **state)
{
    unit_io *u = *state;
    static const leat_uring_desc descs[] = {
        { 0 },
        { .multishot_poll = LEAT_OFF },
        { .sqpoll = LEAT_ON },
        { .sqpoll = LEAT_ON, .multishot_poll = LEAT_OFF },
        { .iopoll = LEAT_ON },
        { .timeouts = LEAT_OFF },
        { .defer_taskrun = LEAT_OFF },
        { .timeouts = LEAT_OFF, .multishot_poll = LEAT_OFF, .defer_taskrun = LEAT_OFF, .coop_taskrun = LEAT_OFF },
    };
    for (size_t i = 0; i < COUNT_OF(descs); ++i) {
        u->desc.uring = descs[i];
        unit_ring_open(u);
        wake_and_wait(u);
        unit_ring_exercise(u);
        wake_and_wait(u);
        unit_io_close(u);
    }
}

/* ---- SQPOLL ---- */

static bool kernel_thread_sleeps(void)
{
    return (__atomic_load_n(shim.ring->sq.kflags, __ATOMIC_ACQUIRE) & IORING_SQ_NEED_WAKEUP) != 0;
}

static void the_kernels_thread_is_woken_when_it_sleeps(void **state)
{
    unit_io *u = *state;
    u->desc.uring.sqpoll = LEAT_ON;
    u->desc.uring.sqpoll_idle_ms = 1;
    unit_ring_open(u);
    /* It says that it sleeps, and looks once more before it does: what it finds then it takes without a wake. */
    for (uint32_t i = 0; i < 1000 && unit_ring_stats(u).sqpoll_wakeups < 5; ++i) {
        while (!kernel_thread_sleeps()) {
            u->ops->wait(u->io, 1);
        }
        uint64_t offset = (i % 8 + 1) * 512;
        io_read item = { .file = u->file_number, .size = 512, .offset = offset, .memory = u->pool.memory };
        assert_int_equal(unit_io_read_one(u, item).result, 512);
        assert_memory_equal(u->pool.memory, u->bytes + offset, 512);
    }
    assert_true(unit_ring_stats(u).sqpoll_wakeups >= 5);
}

typedef struct looker {
    unit_io *u;
    _Atomic bool woken;
} looker;

static void *wake_while_looking(void *argument)
{
    looker *l = argument;
    while (atomic_load(&l->u->io->asleep)) { /* until it looks for completions, without a call that would be woken */
    }
    atomic_store(&l->woken, true); /* first: whoever does not see it yet and waits is woken by what comes next */
    l->u->ops->wake(l->u->io);
    return NULL;
}

/* With a read out that does not complete: of a pipe that nobody has written to yet. */
static void a_wake_ends_the_looking_for_completions(void **state)
{
    unit_io *u = *state;
    looker l = { .u = u };
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    u->desc.uring.sqpoll = LEAT_ON;
    u->desc.uring.sqpoll_idle_ms = 60000;
    unit_ring_open(u);
    uint32_t file = u->ops->file_add(u->io, &(io_file_desc){ .fd_buffered = ends[0], .fd_direct = -1, .size = 16 });
    io_read item = { .file = file, .size = 16, .memory = u->pool.memory, .user_data = 5 };
    assert_int_equal(u->ops->submit(u->io, &item, 1, 0), 1);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_while_looking, &l), 0);
    io_completion completion = { 0 };
    while (!atomic_load(&l.woken)) { /* hangs if the wake is lost */
        u->ops->wait(u->io, IO_WAIT_FOREVER);
        assert_int_equal(u->ops->reap(u->io, &completion, 1, 0), 0);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(write(ends[1], "0123456789abcdef", 16), 16);
    assert_int_equal(unit_io_reap(u, &completion, 1), 1);
    assert_int_equal(completion.result, 16);
    assert_int_equal(completion.user_data, 5);
    u->ops->file_remove(u->io, file);
    close(ends[0]);
    close(ends[1]);
}

/* While the kernel's thread is awake, reads and wakes cost no call at all: counted by the backend, and by the shim. */
static void reads_of_an_awake_thread_cost_no_call(void **state)
{
    unit_io *u = *state;
    u->desc.uring.sqpoll = LEAT_ON;
    u->desc.uring.sqpoll_idle_ms = 60000; /* however slow the device, and the machine */
    unit_ring_open(u);
    io_read first = { .file = u->file_number, .size = 512, .memory = u->pool.memory };
    assert_int_equal(unit_io_read_one(u, first).result, 512); /* the thread is awake now */
    io_stats before = unit_ring_stats(u);
    uint32_t calls = shim.calls;
    enum { COUNT = 500 };
    io_read reads[COUNT];
    io_completion completions[COUNT];
    for (uint32_t i = 0; i < COUNT; ++i) {
        bool direct = u->file.fd_direct >= 0;
        reads[i] = (io_read){ .file = u->file_number, .size = 4096, .offset = i * UINT64_C(4096), .user_data = i };
        reads[i].memory = (uint8_t *)u->pool.memory + i * 4096;
        reads[i].flags = direct ? IO_READ_DIRECT : 0;
    }
    unit_io_run(u, reads, COUNT, completions);
    io_stats after = unit_ring_stats(u);
    assert_int_equal(shim.calls, calls);
    assert_int_equal(after.submit_calls + after.wait_calls, before.submit_calls + before.wait_calls);
    for (uint32_t i = 0; i < COUNT; ++i) {
        assert_int_equal(completions[i].result, 4096);
        assert_memory_equal(reads[i].memory, u->bytes + reads[i].offset, 4096);
    }
}

/* ---- System calls of batches ---- */

/* Has this file system no reads that do not block? */
static bool reads_block(const unit_io *u)
{
    char byte;
    struct iovec part = { .iov_base = &byte, .iov_len = 1 };
    int fd = openat(u->folder_fd, "big", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    bool block = preadv2(fd, &part, 1, 0, RWF_NOWAIT) < 0 && errno == EOPNOTSUPP;
    close(fd);
    return block;
}

static void a_batch_costs_few_calls_and_single_reads_one_each(void **state)
{
    unit_io *u = *state;
    if (reads_block(u)) { /* on tmpfs and overlayfs each completes from a thread of the kernel's */
        printf("skipped: reads of this file system complete one by one\n");
        skip();
    }
    enum { COUNT = 500 };
    io_read reads[COUNT];
    io_completion completions[COUNT];
    for (uint32_t i = 0; i < COUNT; ++i) { /* in the page cache: all complete in the call that hands them over */
        reads[i] = (io_read){ .file = u->file_number, .size = 4096, .offset = i * UINT64_C(4096), .user_data = i };
        reads[i].memory = (uint8_t *)u->pool.memory + i * 4096;
    }
    for (uint32_t each = 0; each < 2; ++each) {
        u->desc.uring.batch = each ? LEAT_OFF : LEAT_ON;
        unit_ring_open(u);
        uint32_t before = shim.calls;
        unit_io_run(u, reads, COUNT, completions);
        io_stats stats = unit_ring_stats(u);
        uint32_t calls = shim.calls - before;
        assert_true(stats.submit_calls + stats.wait_calls >= calls); /* none uncounted */
        assert_true(each ? calls >= COUNT : calls <= COUNT / 20);
        unit_io_close(u);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_ring_setup, unit_ring_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_mode_alone_on_and_off),
        TEST(modes_combined),
        TEST(flags_are_in_force),
        TEST(a_core_that_is_not_there_is_no_obstacle),
        TEST(older_kernels_are_fallen_back_for),
        TEST(missing_opcodes_are_fallen_back_for),
        TEST(limits_are_fallen_back_for),
        TEST(a_refused_ring_says_why),
        TEST(waits_are_woken_in_all_modes),
        TEST(the_kernels_thread_is_woken_when_it_sleeps),
        TEST(a_wake_ends_the_looking_for_completions),
        TEST(reads_of_an_awake_thread_cost_no_call),
        TEST(a_batch_costs_few_calls_and_single_reads_one_each),
    };
    if (!unit_ring_is_there()) {
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
