/* Shows that a pack may be closed at any point of the I/O thread's round: what the same thread has submitted before is
 * cancelled, and the I/O thread does not sleep past it. The pack is closed from within calls that the round makes of
 * the backend, whose table is replaced for that, so that each test is at its point every time. */
#include "stepped.h"

#include "clock.h"
#include "threads.h"

#include <sched.h>

#define WAIT_NS (30 * NS_PER_S) /* a limit for broken builds: a thread that is not woken sleeps for ever */
#define ASSET_BYTES 4096u

static stream_fixture f;
static const io_ops *real_ops;
static io_ops hooked_ops;
static _Atomic uint32_t calls_left; /* of the hook: the last one closes */

static bool is_time(void)
{
    return atomic_load(&calls_left) > 0 && atomic_fetch_sub(&calls_left, 1) == 1;
}

static void submit(void)
{
    leat_read_desc read = { .asset = fixture_asset(&f, 0), .bind = LEAT_BIND_LATE };
    assert_int_equal(leat_read(f.s, &read, NULL), LEAT_OK);
}

static void hook_ops(void)
{
    real_ops = f.s->io_ops;
    hooked_ops = *real_ops;
    f.s->io_ops = &hooked_ops;
}

/* The round has taken the mail, and not yet looked at packs that were closed. */
static uint32_t reap_and_close(io_backend *io, io_completion *completions, uint32_t count, uint64_t now_ns)
{
    if (is_time()) {
        submit();
        assert_int_equal(leat_pack_close(f.s, f.handle), LEAT_OK);
    }
    return real_ops->reap(io, completions, count, now_ns);
}

static void what_was_submitted_before_is_cancelled(void **state)
{
    (void)state;
    stepped_open(&f, 1, ASSET_BYTES, (leat_desc){ 0 });
    hook_ops();
    hooked_ops.reap = reap_and_close;
    atomic_store(&calls_left, 1);
    leat_events events = leat_update(f.s, NULL);
    assert_int_equal(atomic_load(&calls_left), 0);
    assert_int_equal(events.count, 1);
    assert_int_equal(events.items[0].type, LEAT_EVENT_CANCELLED);
    stepped_close(&f);
}

/* The round has looked at packs that were closed, and found nothing to do: the thread sleeps next. */
static void count_and_close(const io_backend *io, io_stats *stats)
{
    real_ops->stats(io, stats);
    if (is_time()) {
        leat_pack_close(f.s, f.handle);
    }
}

/* A stepped streamer gets its I/O thread late, so that the table is replaced before anybody reads it. */
static void start_thread(void)
{
    f.s->desc.stepped = false;
    f.s->io_thread_runs = thread_start(&f.s->io_thread, pump_main, f.s, "leat-io");
    assert_true(f.s->io_thread_runs);
}

static void await(leat_event_type type)
{
    leat_events events = leat_wait(f.s, WAIT_NS);
    assert_int_equal(events.count, 1);
    assert_int_equal(events.items[0].type, type);
}

static void await_sleep(void)
{
    for (uint64_t end_ns = clock_now_ns() + WAIT_NS; atomic_load(&f.s->sleep) == SLEEP_AWAKE;) {
        assert_true(clock_now_ns() < end_ns);
        sched_yield();
    }
}

static void the_thread_does_not_sleep_past_a_close(void **state)
{
    (void)state;
    test_pack_desc pack = { .seed = 5, .asset_count = 1, .size_min = ASSET_BYTES, .size_max = ASSET_BYTES };
    fixture_open(&f, &pack, &(leat_desc){ .backend = LEAT_BACKEND_THREADS, .stepped = true, .io_thread_count = 1 });
    hook_ops();
    hooked_ops.stats = count_and_close;
    start_thread();
    submit();
    await(LEAT_EVENT_NEEDS_MEMORY);
    await_sleep();
    atomic_store(&calls_left, 1); /* a round without work, so none follows it by itself */
    streamer_wake(f.s, WAKE_NOW);
    await(LEAT_EVENT_CANCELLED);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_submitted_before_is_cancelled),
        cmocka_unit_test(the_thread_does_not_sleep_past_a_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
