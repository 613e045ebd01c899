/* Shows that reads go on whatever the kernel answers: calls interrupted or refused for lack of memory, completions that
 * are short, cancelled, dropped or more than the queue holds, and a ring that is closed, taken over or forbidden at
 * each of its calls. Each read completes exactly once, with the bytes of the file. Faults are put in by a shim
 * (unit_ring.h), and once for real, by a seccomp filter in a child. */
#include "stream_fixture.h"
#include "unit_ring.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- Calls that fail and may be repeated ---- */

static void calls_that_fail_are_made_again(void **state)
{
    unit_io *u = *state;
    static const int causes[] = { -EINTR, -EAGAIN, -EBUSY };
    for (size_t c = 0; c < COUNT_OF(causes); ++c) {
        for (uint32_t first = 1; first <= 4; first += 3) {
            for (uint32_t every = 1; every <= 3; every += 2) { /* 1: twenty in a row */
                shim.fail_first = first;
                shim.fail_every = every;
                shim.fail_count = 20;
                shim.fail_with = causes[c];
                u->desc.uring.entries = 8; /* submissions happen in the middle of submit() too */
                unit_ring_open(u);
                unit_ring_exercise(u);
                assert_true(shim.fail_count < 20);
                assert_int_equal(unit_ring_info(u).backend, LEAT_BACKEND_URING);
                assert_int_equal(unit_ring_stats(u).ring_losses, 0);
                unit_io_close(u);
            }
        }
    }
}

/* The poll on the eventfd has to be armed again, the queue is full of reads that take their time, and the kernel takes
 * nothing; but by the next call it does. Fails by never coming to an end. */
static void a_wake_is_heard_though_its_poll_has_no_entry(void **state)
{
    unit_io *u = *state;
    uint8_t bytes[9];
    io_completion completion;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    u->desc.uring.entries = 8;
    u->desc.uring.multishot_poll = LEAT_OFF;
    unit_ring_open(u);
    uint32_t empty = u->ops->file_add(u->io, &(io_file_desc){ .fd_buffered = ends[0], .fd_direct = -1, .size = 9 });
    u->ops->wake(u->io);
    u->ops->wait(u->io, IO_WAIT_FOREVER);
    io_read reads[COUNT_OF(bytes)];
    for (uint32_t i = 0; i < COUNT_OF(reads); ++i) {
        reads[i] = (io_read){ .op = IO_OP_READ, .file = empty, .size = 1, .memory = &bytes[i] };
    }
    shim.fail_first = shim.calls + 1;
    shim.fail_count = 3;
    shim.fail_with = -EBUSY;
    assert_int_equal(u->ops->submit(u->io, reads, COUNT_OF(reads), 0), 8);
    assert_int_equal(u->ops->reap(u->io, &completion, 1, 0), 0); /* takes the poll's completion */
    assert_int_equal(shim.fail_count, 1);
    u->ops->wake(u->io);
    u->ops->wait(u->io, IO_WAIT_FOREVER);
    assert_int_equal(shim.fail_count, 0);
    u->ops->wake(u->io);
    u->ops->wait(u->io, IO_WAIT_FOREVER);
    assert_int_equal(write(ends[1], "12345678", 8), 8);
    for (uint32_t i = 0; i < 8; ++i) {
        assert_int_equal(unit_io_reap(u, &completion, 1), 1);
        assert_int_equal(completion.result, 1);
    }
    u->ops->file_remove(u->io, empty);
    close(ends[0]);
    close(ends[1]);
}

/* ---- The ring's table of files ---- */

static void a_table_that_refuses_a_file_keeps_no_other_open(void **state)
{
    unit_io *u = *state;
    static const int answers[] = { -EMFILE, 1 }; /* 1: the buffered descriptor, but not the direct one */
    for (size_t i = 0; i < COUNT_OF(answers); ++i) {
        unit_ring_open(u);
        uint32_t without = unit_io_count_registered();
        shim.update_gives = answers[i];
        uint32_t second = u->ops->file_add(u->io, &u->file);
        shim.update_gives = 0;
        assert_false(unit_ring_info(u).fixed_files);
        uint32_t first = u->file_number;
        unit_ring_exercise(u);
        u->file_number = second;
        unit_ring_exercise(u);
        u->ops->file_remove(u->io, first);
        assert_int_equal(unit_io_count_registered(), without - 1 - (u->file.fd_direct >= 0) + (answers[i] > 0));
        unit_io_close(u);
    }
}

/* ---- Completions ---- */

static void cancelled_entries_are_read_again(void **state)
{
    unit_io *u = *state;
    shim.change_rate = 100;
    shim.change_to = -ECANCELED; /* of chains, any of the three */
    unit_ring_open(u);
    unit_ring_exercise(u);
    assert_true(shim.changed > 10);
    assert_int_equal(unit_ring_info(u).backend, LEAT_BACKEND_URING);
}

static void a_chain_that_would_block_is_read_by_a_thread(void **state)
{
    unit_io *u = *state;
    unit_ring_open(u);
    shim.change_rate = 1000;
    shim.change_to = -EAGAIN;
    uint8_t *pool = u->pool.memory;
    io_read item = { .op = IO_OP_READ_PATH, .folder_fd = u->folder_fd, .path = "big", .size = 512, .memory = pool };
    /* Open, read and close all say EAGAIN: then the step that failed first is the open, which a thread tries again. */
    assert_int_equal(unit_io_read_one(u, item).result, 512);
    assert_memory_equal(pool, u->bytes, 512);
    /* A read of a file that says so is told to the pump, which reissues it. */
    item = (io_read){ .file = u->file_number, .size = 512, .memory = pool };
    assert_int_equal(unit_io_read_one(u, item).result, -EAGAIN);
}

static void a_short_queue_of_completions_loses_none(void **state)
{
    unit_io *u = *state;
    u->desc.uring.entries = 4;
    u->desc.uring.completion_entries = 4;
    unit_ring_open(u);
    assert_int_equal(unit_ring_info(u).uring_completion_entries, 4);
    unit_ring_exercise(u);
    io_stats stats = unit_ring_stats(u);
    assert_true(stats.cq_overflows > 0);
    assert_int_equal(stats.ring_losses, 0);
}

static void dropped_completions_are_read_again(void **state)
{
    unit_io *u = *state;
    for (uint32_t at = 1; at < 100; at += 33) {
        shim.lose_at = at;
        unit_ring_open(u);
        unit_ring_exercise(u);
        assert_true(shim.seen >= at);
        assert_int_equal(unit_ring_stats(u).ring_losses, 1);
        assert_int_equal(unit_ring_info(u).backend, LEAT_BACKEND_THREADS);
        unit_io_close(u);
    }
}

static void levels_of_the_queues_are_told(void **state)
{
    unit_io *u = *state;
    u->desc.uring.entries = 16;
    unit_ring_open(u);
    io_completion completion;
    while (u->ops->reap(u->io, &completion, 1, 0) > 0 ||
           unit_ring_stats(u).sq_ready > 0) { /* the poll is handed over */
    }
    io_read reads[5];
    io_completion some[5];
    uint32_t completed = 0;
    for (uint32_t i = 0; i < 5; ++i) {
        reads[i] = (io_read){ .file = u->file_number, .size = 512, .memory = (uint8_t *)u->pool.memory + i * 512 };
    }
    assert_int_equal(u->ops->submit(u->io, reads, 5, 0), 5);
    assert_int_equal(unit_ring_stats(u).sq_ready, 5);
    assert_int_equal(unit_ring_stats(u).sq_space, 11);
    uint64_t calls = unit_ring_stats(u).submit_calls + unit_ring_stats(u).wait_calls;
    u->ops->wait(u->io, IO_WAIT_FOREVER); /* what is in the page cache completes with the call that hands it over */
    if (unit_ring_stats(u).cq_ready < 5) { /* but not on tmpfs, which has no reads that do not block */
        printf("skipped: reads of this file system complete one by one\n");
        while (completed < 5) {
            completed += u->ops->reap(u->io, some, 5, 0);
        }
        skip();
    }
    assert_int_equal(unit_ring_stats(u).sq_ready, 0);
    assert_int_equal(unit_ring_stats(u).sq_space, 16);
    assert_true(unit_ring_stats(u).submit_calls + unit_ring_stats(u).wait_calls > calls);
    assert_int_equal(u->ops->reap(u->io, some, 5, 0), 5);
    assert_int_equal(unit_ring_stats(u).cq_ready, 0);
}

/* ---- A ring that is lost ---- */

typedef struct loss {
    const char *name;
    int with; /* -errno of every call from then on; 0: the descriptor is closed */
    bool replaced; /* and its number is given to another file */
} loss;

static const loss losses[] = { { "closed", 0, false },
                               { "replaced", 0, true },
                               { "forbidden", -EPERM, false },
                               { "not there any more", -ENXIO, false } };

static void check_lost(unit_io *u)
{
    leat_info info = unit_ring_info(u);
    assert_int_equal(info.backend, LEAT_BACKEND_THREADS);
    assert_non_null(strstr(info.backend_text, "midway"));
    assert_non_null(strstr(info.modes[LEAT_MODE_FIXED_FILES].why, "midway"));
    assert_false(info.modes[LEAT_MODE_FIXED_FILES].granted || info.fixed_files || info.fixed_buffers);
    assert_int_equal(unit_ring_count(u->log, "gave up the ring"), 1);
    io_stats stats = unit_ring_stats(u);
    assert_int_equal(stats.ring_losses, 1);
    assert_int_equal(stats.sq_ready + stats.cq_ready + stats.sq_space, 0);
}

/* The number of a file that replaced the ring's must not be closed with the ring. */
static void check_replacement(int number, const struct stat *other)
{
    struct stat now;
    assert_int_equal(fstat(number, &now), 0);
    assert_int_equal(now.st_ino, other->st_ino);
    close(number);
}

static void lose_at(unit_io *u, const loss *l, uint32_t call)
{
    int other = openat(u->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat other_stat;
    assert_int_equal(fstat(other, &other_stat), 0);
    shim.fail_first = call;
    shim.fail_every = 1;
    shim.fail_count = l->with == 0 ? 1 : UINT32_MAX;
    shim.fail_with = l->with;
    shim.fail_by_closing = l->with == 0;
    shim.replace_with = l->replaced ? other : -1;
    unit_ring_open(u);
    int number = shim.ring->ring_fd;
    for (uint32_t i = 0; i < call && shim.calls < call; ++i) { /* each makes one call at least, but few */
        unit_ring_exercise(u);
    }
    assert_true(shim.calls >= call);
    check_lost(u);
    unit_ring_exercise(u); /* and on */
    assert_int_equal(unit_ring_stats(u).ring_losses, 1);
    unit_io_close(u);
    if (l->replaced) {
        check_replacement(number, &other_stat);
    }
    close(other);
}

static void a_ring_that_is_lost_at_any_call_loses_no_read(void **state)
{
    unit_io *u = *state;
    const uint32_t call_count = getenv("LEAT_TEST_LONG") != NULL ? 30 : 5;
    for (size_t i = 0; i < COUNT_OF(losses); ++i) {
        for (uint32_t call = 1; call <= call_count; ++call) {
            lose_at(u, &losses[i], call);
        }
    }
}

static void a_ring_that_is_lost_with_other_modes_loses_no_read(void **state)
{
    unit_io *u = *state;
    static const leat_uring_desc descs[] = {
        { .defer_taskrun = LEAT_OFF }, { .defer_taskrun = LEAT_OFF, .coop_taskrun = LEAT_OFF },
        { .fixed_files = LEAT_OFF },   { .fixed_buffers = LEAT_OFF },
        { .links = LEAT_OFF },         { .entries = 4, .completion_entries = 4 },
        { .batch = LEAT_OFF },         { .batch_wait_us = 100 },
    };
    for (size_t d = 0; d < COUNT_OF(descs); ++d) {
        u->desc.uring = descs[d];
        lose_at(u, &losses[d % COUNT_OF(losses)], (uint32_t)(1 + d % 4));
    }
}

static void a_lost_ring_without_threads_reads_by_itself(void **state)
{
    unit_io *u = *state;
    shim.no_threads = true;
    lose_at(u, &losses[2], 2);
}

/* A table that is refused leaves no pipe in it, which would tell when the kernel has let go: then time must tell. */
static void a_lost_ring_without_a_pipe_is_waited_for_whatever_signals_come(void **state)
{
    unit_io *u = *state;
    shim.files_fail = -ENOSYS;
    shim.waits_interrupted = 3;
    lose_at(u, &losses[2], 1);
    assert_int_equal(shim.waits_interrupted, 0);
}

static void wake_and_deadline_work_without_the_ring(void **state)
{
    unit_io *u = *state;
    shim.fail_first = 1;
    shim.fail_count = UINT32_MAX;
    shim.fail_with = -EPERM;
    unit_ring_open(u);
    unit_ring_exercise(u);
    u->ops->wake(u->io);
    u->ops->wait(u->io, IO_WAIT_FOREVER);
    u->ops->wait(u->io, 1);
}

/* ---- For real: a sandbox that is put up while reads are out ---- */

static bool forbid_enter(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_enter, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = COUNT_OF(rules), .filter = rules };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

#define CHILD_NO_SECCOMP 77

static void sandboxed_child(unit_io *u)
{
    unit_ring_open(u);
    unit_ring_exercise(u);
    if (!forbid_enter()) {
        _exit(CHILD_NO_SECCOMP);
    }
    unit_ring_exercise(u);
    check_lost(u);
    unit_io_close(u);
    _exit(0);
}

static void a_sandbox_put_up_midway_stops_no_read(void **state)
{
    unit_io *u = *state;
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        sandboxed_child(u);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CHILD_NO_SECCOMP) {
        printf("skipped: no seccomp filter can be set here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- Through the whole streamer ---- */

static void all_assets_arrive(void)
{
    static const test_pack_desc ordinary = {
        .seed = 3, .asset_count = 60, .size_min = 1, .size_max = 200000, .stored_every = 4
    };
    stream_fixture f;
    leat_desc desc = { .backend = LEAT_BACKEND_URING,
                       .worker_count = 1,
                       .direct = LEAT_ON, /* past the page cache, which has the file that was just written */
                       .logger = { .log = fixture_quiet } };
    fixture_open(&f, &ordinary, &desc);
    for (uint32_t i = 0; i < f.pack.asset_count; ++i) {
        leat_read_desc read = { .asset = fixture_asset(&f, i), .user = i };
        assert_int_equal(leat_read(f.s, &read, NULL), LEAT_OK);
    }
    for (uint32_t ended = 0; ended < f.pack.asset_count;) {
        leat_events events = leat_wait(f.s, 20 * NS_PER_S); /* a limit for broken builds */
        assert_true(events.count > 0);
        for (uint32_t i = 0; i < events.count; ++i, ++ended) {
            const leat_event *e = &events.items[i];
            assert_int_equal(e->type, LEAT_EVENT_READY);
            assert_memory_equal(e->data, fixture_raw(&f, (uint32_t)e->user), e->size);
            assert_int_equal(leat_release(f.s, e->request), LEAT_OK);
        }
    }
    fixture_close(&f);
}

#define TURNS_MAX 20u

static void assets_arrive_whatever_completions_say(void **state)
{
    (void)state;
    static const int32_t changes[] = { -EAGAIN, -EINTR, -ECANCELED, 1 };
    for (size_t i = 0; i < COUNT_OF(changes); ++i) {
        shim.change_rate = 200;
        shim.change_to = changes[i];
        shim.changed = 0;
        for (uint32_t turn = 0; turn < TURNS_MAX && shim.changed == 0; ++turn) { /* a pack may be a few large reads */
            all_assets_arrive();
        }
        assert_true(shim.changed > 0);
    }
}

static void assets_arrive_though_the_ring_is_lost(void **state)
{
    (void)state;
    for (uint32_t call = 1; call < 10; call += 4) {
        shim.fail_first = shim.calls + call;
        shim.fail_every = 1;
        shim.fail_count = UINT32_MAX;
        shim.fail_with = -EPERM;
        all_assets_arrive();
        /* Where all is read in fewer calls, there was none to fail; there is a first one anywhere. */
        assert_true(shim.fail_count < UINT32_MAX || (call > 1 && shim.calls < shim.fail_first));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_ring_setup, unit_ring_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_that_fail_are_made_again),
        TEST(a_wake_is_heard_though_its_poll_has_no_entry),
        TEST(a_table_that_refuses_a_file_keeps_no_other_open),
        TEST(cancelled_entries_are_read_again),
        TEST(a_chain_that_would_block_is_read_by_a_thread),
        TEST(a_short_queue_of_completions_loses_none),
        TEST(dropped_completions_are_read_again),
        TEST(levels_of_the_queues_are_told),
        TEST(a_ring_that_is_lost_at_any_call_loses_no_read),
        TEST(a_ring_that_is_lost_with_other_modes_loses_no_read),
        TEST(a_lost_ring_without_threads_reads_by_itself),
        TEST(a_lost_ring_without_a_pipe_is_waited_for_whatever_signals_come),
        TEST(wake_and_deadline_work_without_the_ring),
        TEST(a_sandbox_put_up_midway_stops_no_read),
        TEST(assets_arrive_whatever_completions_say),
        TEST(assets_arrive_though_the_ring_is_lost),
    };
    if (!unit_ring_is_there()) {
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
