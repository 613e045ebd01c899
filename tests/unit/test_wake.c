/* Shows when the I/O thread is woken and when it is left asleep, and that no wake is lost: what may wait for the next
 * update costs no system call, what somebody waits for is told at once, and each call that is saved is made up for.
 *
 * A streamer with threads is watched through its own words (src/streamer.h): the thread sleeps when `sleep` says so. In
 * what depth it sleeps is written over by hand where a device would have to be held up for it; the thread is as deep
 * asleep in each. Time is only a limit for broken builds: whoever is not woken waits for ever. */
#include "stream_fixture.h"

#include "streamer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WAIT_NS (UINT64_C(30) * 1000000000)
#define WAIT_MS 30000
#define COUNT 64u
#define ROUNDS 50u
#define ASSET_BYTES 4096u
#define LENT_BYTES MIB(2)
#define NEAR_NS NS_PER_MS /* a deadline that hurries, and one that does not */
#define FAR_NS (3600 * NS_PER_S)

static void setup(stream_fixture *f, uint32_t asset_bytes)
{
    leat_desc desc = { .backend = LEAT_BACKEND_THREADS,
                       .worker_count = 1,
                       .io_thread_count = 1,
                       .memory_bytes_max = MIB(32),
                       .pool_bytes = MIB(4),
                       .lent_bytes = LENT_BYTES,
                       .logger = { .log = fixture_quiet } };
    test_pack_desc pack = { .seed = 3, .asset_count = COUNT, .size_min = asset_bytes, .size_max = asset_bytes };
    fixture_open(f, &pack, &desc);
}

/* Until the I/O thread has nothing left to do and sleeps. The order matters: who has taken the mail was awake then, so
 * that a sleep which is seen after it is the one that follows. */
static void await_sleep(const stream_fixture *f)
{
    uint64_t end_ns = streamer_now(f->s) + WAIT_NS;
    while (!mpsc_is_empty(&f->s->mail) || !command_queue_is_empty(&f->s->commands) ||
           atomic_load(&f->s->sleep) == SLEEP_AWAKE) {
        assert_true(streamer_now(f->s) < end_ns);
        sched_yield();
    }
}

static uint64_t wakes(const stream_fixture *f)
{
    leat_stats stats;
    leat_stats_get(f->s, &stats);
    return stats.wake_calls;
}

/* A request that stays where it is: its memory is asked for, and nobody answers. */
static leat_request submit_until(stream_fixture *f, uint32_t position, leat_priority priority,
                                 uint64_t deadline_after_ns)
{
    leat_request handle;
    leat_read_desc read = { .asset = fixture_asset(f, position),
                            .bind = LEAT_BIND_LATE,
                            .deadline_ns = deadline_after_ns == 0 ? 0 : streamer_now(f->s) + deadline_after_ns,
                            .priority = priority };
    assert_int_equal(leat_read(f->s, &read, &handle), LEAT_OK);
    return handle;
}

static leat_request submit(stream_fixture *f, uint32_t position, leat_priority priority)
{
    return submit_until(f, position, priority, 0);
}

static uint32_t cancelled_of(leat_events events)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < events.count; ++i) {
        leat_event_type type = events.items[i].type;
        assert_true(type == LEAT_EVENT_CANCELLED || type == LEAT_EVENT_NEEDS_MEMORY || type == LEAT_EVENT_LATE);
        count += events.items[i].type == LEAT_EVENT_CANCELLED;
    }
    return count;
}

/* Takes events until so many have ended as cancelled. */
static void await_cancelled(stream_fixture *f, uint32_t count)
{
    while (count > 0) {
        leat_events events = leat_wait(f->s, WAIT_NS);
        assert_true(events.count > 0);
        count -= cancelled_of(events);
    }
}

/* ---- What may wait ---- */

static void cancels_wait_for_the_update(void **state)
{
    (void)state;
    stream_fixture f;
    leat_request requests[COUNT];
    setup(&f, ASSET_BYTES);
    for (uint32_t i = 0; i < COUNT; ++i) {
        requests[i] = submit(&f, i, LEAT_NORMAL);
    }
    await_sleep(&f);
    uint64_t before = wakes(&f);
    for (uint32_t i = 0; i < COUNT; ++i) {
        assert_int_equal(leat_cancel(f.s, requests[i]), LEAT_OK);
        assert_int_equal(leat_reprioritise(f.s, requests[i], LEAT_HIGH, 0), LEAT_OK);
    }
    assert_int_equal(wakes(&f), before);
    assert_int_not_equal(atomic_load(&f.s->sleep), SLEEP_AWAKE);
    uint32_t cancelled = cancelled_of(leat_update(f.s, NULL)); /* the thread may be that fast */
    assert_int_equal(wakes(&f), before + 1);
    await_cancelled(&f, COUNT - cancelled);
    fixture_close(&f);
}

/* An array of calls costs one wake, and none where single calls would cost none. */
static void an_array_costs_one_wake(void **state)
{
    (void)state;
    stream_fixture f;
    leat_request requests[COUNT];
    leat_reprioritise_desc orders[COUNT];
    setup(&f, ASSET_BYTES);
    for (uint32_t i = 0; i < COUNT; ++i) {
        requests[i] = submit(&f, i, LEAT_NORMAL);
        orders[i] = (leat_reprioritise_desc){ .request = requests[i], .priority = (leat_priority)(i % 4) };
    }
    await_sleep(&f);
    uint64_t before = wakes(&f);
    assert_int_equal(leat_reprioritise_many(f.s, orders, COUNT, NULL), LEAT_OK);
    assert_int_equal(leat_cancel_many(f.s, requests, COUNT, NULL), LEAT_OK);
    assert_int_equal(wakes(&f), before);
    assert_int_not_equal(atomic_load(&f.s->sleep), SLEEP_AWAKE);
    uint32_t cancelled = cancelled_of(leat_update(f.s, NULL));
    assert_int_equal(wakes(&f), before + 1);
    await_cancelled(&f, COUNT - cancelled);
    fixture_close(&f);
}

/* All wait for their memory: to become urgent changes nothing now. */
static void an_urgent_order_of_nothing_waits(void **state)
{
    (void)state;
    stream_fixture f;
    setup(&f, ASSET_BYTES);
    leat_request one = submit(&f, 0, LEAT_NORMAL);
    await_sleep(&f);
    uint64_t before = wakes(&f);
    assert_int_equal(leat_reprioritise(f.s, one, LEAT_URGENT, 0), LEAT_OK);
    assert_int_equal(wakes(&f), before);
    leat_update(f.s, NULL);
    assert_int_equal(wakes(&f), before + 1);
    fixture_close(&f);
}

/* Fills our memory with one request, and lets another wait for it. Returns the first, which is ready. */
static leat_request fill_lent_memory(stream_fixture *f)
{
    leat_stats stats;
    for (uint32_t i = 0; i < 2; ++i) {
        leat_read_desc read = { .asset = fixture_asset(f, i) };
        assert_int_equal(leat_read(f->s, &read, NULL), LEAT_OK);
    }
    leat_events events = leat_wait(f->s, WAIT_NS);
    assert_int_equal(events.count, 1);
    assert_int_equal(events.items[0].type, LEAT_EVENT_READY);
    leat_request ready = events.items[0].request;
    await_sleep(f);
    leat_stats_get(f->s, &stats);
    assert_int_equal(stats.requests_waiting_memory, 1);
    return ready;
}

/* Requests wait for our memory: another one like them would wait as well. What is urgent, or brings its memory, or is
 * asked for it, is told at once; so is one that was put off and has become urgent. */
static void who_would_wait_for_memory_waits_for_the_update(void **state)
{
    (void)state;
    stream_fixture f;
    static uint8_t own[LENT_BYTES];
    setup(&f, LENT_BYTES / 2 + 1);
    fill_lent_memory(&f);
    leat_request put_off;
    leat_read_desc read = { .asset = fixture_asset(&f, 2) };
    uint64_t before = wakes(&f);
    assert_int_equal(leat_read(f.s, &read, &put_off), LEAT_OK);
    assert_int_equal(wakes(&f), before);
    assert_true(atomic_load(&f.s->wake_owed));
    assert_int_equal(leat_reprioritise(f.s, put_off, LEAT_URGENT, 0), LEAT_OK);
    assert_int_equal(wakes(&f), ++before);
    await_sleep(&f);
    leat_request seen = put_off;
    assert_int_equal(leat_read(f.s, &read, &put_off), LEAT_OK);
    assert_int_equal(leat_reprioritise(f.s, put_off, LEAT_NORMAL, 0), LEAT_OK);
    assert_int_equal(wakes(&f), before);
    leat_reprioritise_desc orders[] = { { .request = seen, .priority = LEAT_URGENT },
                                        { .request = put_off, .priority = LEAT_HIGH },
                                        { .request = seen, .priority = LEAT_URGENT } };
    assert_int_equal(leat_reprioritise_many(f.s, orders, 1, NULL), LEAT_OK);
    assert_int_equal(wakes(&f), before);
    assert_int_equal(leat_reprioritise_many(f.s, orders, COUNT_OF(orders), NULL), LEAT_OK);
    assert_int_equal(wakes(&f), ++before);
    await_sleep(&f);
    assert_int_equal(leat_read(f.s, &read, NULL), LEAT_OK);
    assert_int_equal(wakes(&f), before);
    leat_update(f.s, NULL);
    assert_int_equal(wakes(&f), ++before);
    await_sleep(&f);
    submit(&f, 3, LEAT_NORMAL);
    assert_int_equal(wakes(&f), ++before);
    await_sleep(&f);
    read.bind = LEAT_BIND_CALLER;
    read.memory = own;
    read.memory_size = sizeof(own);
    assert_int_equal(leat_read(f.s, &read, NULL), LEAT_OK);
    assert_int_equal(wakes(&f), ++before);
    fixture_close(&f);
}

/* The next submit brings all of it along, and then nothing is owed any more. */
static void a_submit_pays_what_is_owed(void **state)
{
    (void)state;
    stream_fixture f;
    setup(&f, ASSET_BYTES);
    leat_request first = submit(&f, 0, LEAT_NORMAL);
    await_sleep(&f);
    assert_int_equal(leat_cancel(f.s, first), LEAT_OK);
    assert_true(atomic_load(&f.s->wake_owed));
    uint64_t before = wakes(&f);
    submit(&f, 1, LEAT_NORMAL);
    await_sleep(&f);
    assert_false(atomic_load(&f.s->wake_owed));
    leat_update(f.s, NULL);
    assert_int_equal(wakes(&f), before + 1);
    fixture_close(&f);
}

/* What comes to a thread that sleeps so deep, and whether it must wake it. */
typedef struct depth_case {
    sleep_state depth;
    leat_priority priority;
    uint64_t deadline_after_ns; /* 0: none */
    bool wakes;
} depth_case;

static void each_depth_has_its_own(void **state)
{
    (void)state;
    static const depth_case cases[] = {
        { SLEEP_LIGHT, LEAT_PREFETCH, 0, true },     { SLEEP_LIGHT, LEAT_NORMAL, 0, true },
        { SLEEP_SHORT, LEAT_NORMAL, 0, false },      { SLEEP_SHORT, LEAT_NORMAL, FAR_NS, false },
        { SLEEP_SHORT, LEAT_NORMAL, NEAR_NS, true }, { SLEEP_SHORT, LEAT_HIGH, 0, true },
        { SLEEP_SHORT, LEAT_URGENT, 0, true },       { SLEEP_NAP, LEAT_NORMAL, 0, false },
        { SLEEP_NAP, LEAT_NORMAL, FAR_NS, false },   { SLEEP_NAP, LEAT_NORMAL, NEAR_NS, true },
        { SLEEP_NAP, LEAT_HIGH, 0, true },           { SLEEP_NAP, LEAT_URGENT, 0, true },
        { SLEEP_DEEP, LEAT_NORMAL, 0, false },       { SLEEP_DEEP, LEAT_NORMAL, NEAR_NS, false },
        { SLEEP_DEEP, LEAT_HIGH, 0, false },         { SLEEP_DEEP, LEAT_URGENT, 0, true },
    };
    stream_fixture f;
    setup(&f, ASSET_BYTES);
    for (uint32_t i = 0; i < COUNT_OF(cases); ++i) {
        submit(&f, 0, LEAT_URGENT);
        await_sleep(&f);
        atomic_store(&f.s->sleep, cases[i].depth);
        uint64_t before = wakes(&f);
        leat_request handle = submit_until(&f, 1 + i, cases[i].priority, cases[i].deadline_after_ns);
        assert_int_equal(wakes(&f), before + cases[i].wakes);
        if (!cases[i].wakes && cases[i].depth == SLEEP_SHORT) {
            leat_update(f.s, NULL); /* at the latest */
            assert_int_equal(wakes(&f), before + 1);
        }
        if (!cases[i].wakes && cases[i].depth != SLEEP_SHORT) {
            submit(&f, 0, LEAT_URGENT);
        }
        await_sleep(&f);
        assert_int_equal(leat_cancel(f.s, handle), LEAT_OK);
        await_cancelled(&f, 1);
    }
    fixture_close(&f);
}

/* The same depths for who is given a new class or deadline, singly or in an array. All wait for their memory, and
 * whoever sleeps lightly has nothing that could go out: there, it can wait. */
static void a_new_order_wakes_as_a_submit_would(void **state)
{
    (void)state;
    static const depth_case cases[] = {
        { SLEEP_LIGHT, LEAT_PREFETCH, 0, false },
        { SLEEP_LIGHT, LEAT_HIGH, 0, false },
        { SLEEP_LIGHT, LEAT_NORMAL, NEAR_NS, false },
        { SLEEP_LIGHT, LEAT_URGENT, 0, false },
        { SLEEP_SHORT, LEAT_NORMAL, 0, false },
        { SLEEP_SHORT, LEAT_NORMAL, FAR_NS, false },
        { SLEEP_SHORT, LEAT_NORMAL, NEAR_NS, true },
        { SLEEP_SHORT, LEAT_HIGH, 0, true },
        { SLEEP_SHORT, LEAT_URGENT, 0, true },
        { SLEEP_NAP, LEAT_NORMAL, 0, false },
        { SLEEP_NAP, LEAT_NORMAL, FAR_NS, false },
        { SLEEP_NAP, LEAT_NORMAL, NEAR_NS, true },
        { SLEEP_NAP, LEAT_HIGH, 0, true },
        { SLEEP_NAP, LEAT_URGENT, 0, true },
        { SLEEP_DEEP, LEAT_NORMAL, 0, false },
        { SLEEP_DEEP, LEAT_NORMAL, NEAR_NS, false },
        { SLEEP_DEEP, LEAT_HIGH, 0, false },
        { SLEEP_DEEP, LEAT_URGENT, 0, true },
    };
    stream_fixture f;
    setup(&f, ASSET_BYTES);
    leat_request first = submit(&f, 0, LEAT_NORMAL), last = submit(&f, 1, LEAT_NORMAL);
    for (uint32_t i = 0; i < 2 * COUNT_OF(cases); ++i) {
        leat_priority priority = cases[i / 2].priority;
        uint64_t after_ns = cases[i / 2].deadline_after_ns;
        submit(&f, 2, LEAT_URGENT);
        await_sleep(&f);
        atomic_store(&f.s->sleep, cases[i / 2].depth);
        uint64_t before = wakes(&f), deadline_ns = after_ns == 0 ? 0 : streamer_now(f.s) + after_ns;
        if (i % 2 == 0) {
            assert_int_equal(leat_reprioritise(f.s, last, priority, deadline_ns), LEAT_OK);
        } else { /* the one in the greatest hurry is not the last */
            leat_reprioritise_desc orders[] = { { .request = last, .priority = priority, .deadline_ns = deadline_ns },
                                                { .request = first, .priority = LEAT_PREFETCH } };
            assert_int_equal(leat_reprioritise_many(f.s, orders, 2, NULL), LEAT_OK);
        }
        assert_int_equal(wakes(&f), before + cases[i / 2].wakes);
    }
    fixture_close(&f);
}

/* As if the workers had enough to do. */
static void who_is_in_a_hurry_ends_a_nap(void **state)
{
    (void)state;
    stream_fixture f;
    setup(&f, ASSET_BYTES);
    atomic_fetch_add(&f.s->decode_bytes, f.s->decode_bytes_low);
    submit(&f, 0, LEAT_URGENT);
    await_sleep(&f);
    assert_int_equal(atomic_load(&f.s->sleep), SLEEP_NAP);
    uint64_t before = wakes(&f);
    submit(&f, 1, LEAT_NORMAL);
    assert_int_equal(wakes(&f), before);
    leat_request late = submit(&f, 2, LEAT_NORMAL);
    assert_int_equal(leat_reprioritise(f.s, late, LEAT_NORMAL, 0), LEAT_OK);
    assert_int_equal(wakes(&f), before);
    assert_int_equal(leat_reprioritise(f.s, late, LEAT_HIGH, 0), LEAT_OK);
    assert_int_equal(wakes(&f), ++before);
    await_sleep(&f);
    assert_int_equal(atomic_load(&f.s->sleep), SLEEP_NAP);
    assert_int_equal(f.s->requests[late.index].rank, sched_rank(LEAT_HIGH));
    submit(&f, 4, LEAT_HIGH);
    assert_int_equal(wakes(&f), before + 1);
    await_sleep(&f);
    assert_int_equal(atomic_load(&f.s->sleep), SLEEP_NAP);
    atomic_fetch_sub(&f.s->decode_bytes, f.s->decode_bytes_low);
    submit(&f, 3, LEAT_URGENT);
    await_sleep(&f);
    assert_int_equal(atomic_load(&f.s->sleep), SLEEP_LIGHT);
    fixture_close(&f);
}

/* ---- What somebody waits for ---- */

typedef struct waiter {
    stream_fixture *f;
    pthread_mutex_t lock;
    pthread_cond_t seen;
    uint32_t cancelled; /* that it has seen */
    bool failed; /* it waited in vain: nobody woke the I/O thread */
} waiter;

static void *waiter_main(void *argument)
{
    waiter *w = argument;
    uint32_t cancelled = 0;
    bool failed = false;
    while (cancelled < ROUNDS && !failed) {
        leat_events events = leat_wait(w->f->s, WAIT_NS);
        cancelled += cancelled_of(events);
        failed = events.count == 0;
        pthread_mutex_lock(&w->lock);
        w->cancelled = cancelled;
        w->failed = failed;
        pthread_cond_signal(&w->seen);
        pthread_mutex_unlock(&w->lock);
    }
    return NULL;
}

/* The other thread is about to wait, waits, or has just waited, as it comes. */
static void who_waits_is_served(void **state)
{
    (void)state;
    stream_fixture f;
    setup(&f, ASSET_BYTES);
    waiter w = { .f = &f, .lock = PTHREAD_MUTEX_INITIALIZER, .seen = PTHREAD_COND_INITIALIZER };
    bool failed = false;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, waiter_main, &w), 0);
    for (uint32_t i = 0; i < ROUNDS && !failed; ++i) {
        leat_request handle = submit(&f, i % COUNT, LEAT_NORMAL);
        if (i % 2 == 0) {
            await_sleep(&f);
        }
        assert_int_equal(leat_cancel(f.s, handle), LEAT_OK);
        pthread_mutex_lock(&w.lock);
        while (w.cancelled <= i && !w.failed) {
            pthread_cond_wait(&w.seen, &w.lock);
        }
        failed = w.failed;
        pthread_mutex_unlock(&w.lock);
    }
    pthread_join(thread, NULL);
    assert_false(failed);
    fixture_close(&f);
}

static void who_polls_is_served(void **state)
{
    (void)state;
    stream_fixture f;
    setup(&f, ASSET_BYTES);
    struct pollfd wait_for = { .fd = leat_event_fd(f.s), .events = POLLIN };
    if (wait_for.fd < 0) {
        fixture_close(&f);
        skip();
    }
    for (uint32_t i = 0; i < ROUNDS; ++i) {
        leat_request handle = submit(&f, i % COUNT, LEAT_NORMAL);
        assert_int_equal(leat_cancel(f.s, handle), LEAT_OK);
        bool ended = false;
        while (!ended) {
            assert_int_equal(poll(&wait_for, 1, WAIT_MS), 1);
            leat_events events = leat_update(f.s, NULL);
            for (uint32_t k = 0; k < events.count; ++k) {
                ended |= events.items[k].type == LEAT_EVENT_CANCELLED;
            }
        }
    }
    fixture_close(&f);
}

/* ---- Between the words and the descriptor ---- */

/* The calls of update.c on the descriptor of events, by the linker (--wrap): what a thread that is held up just there
 * lets others do meanwhile is done by the test. */
static struct {
    stream_fixture *_Atomic f; /* NULL: nothing is done */
    leat_request cancelled_before_read; /* the update thread's */
    _Atomic bool hold_write, hold_written; /* before it, behind it */
    _Atomic uint32_t refusals; /* so many writes are refused, to the descriptor of events or to the other one */
    bool refuse_events;
    int refuse_with; /* errno */
    sem_t begun, done; /* of the write that is held up */
} between;

ssize_t __real_read(int fd, void *bytes, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size)
{
    stream_fixture *f = atomic_load(&between.f);
    if (f != NULL && fd == atomic_load(&f->s->event_fd) && between.cancelled_before_read.generation != 0) {
        assert_int_equal(leat_cancel(f->s, between.cancelled_before_read), LEAT_OK);
        between.cancelled_before_read = (leat_request){ 0 };
        await_sleep(f); /* it is posted */
    }
    return __real_read(fd, bytes, size);
}

/* The thread that is here is held up until between.done, if that was asked for. */
static void hold(stream_fixture *f, int fd, _Atomic bool *asked)
{
    if (f != NULL && fd == atomic_load(&f->s->event_fd) && atomic_exchange(asked, false)) {
        sem_post(&between.begun);
        while (sem_wait(&between.done) != 0) {
        }
    }
}

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    stream_fixture *f = atomic_load(&between.f);
    if (f != NULL && (fd == atomic_load(&f->s->event_fd)) == between.refuse_events &&
        atomic_load(&between.refusals) > 0) { /* one thread writes to each */
        atomic_fetch_sub(&between.refusals, 1);
        errno = between.refuse_with;
        return -1;
    }
    hold(f, fd, &between.hold_write);
    ssize_t wrote = __real_write(fd, bytes, size);
    hold(f, fd, &between.hold_written);
    return wrote;
}

static bool is_readable(int fd, int wait_ms)
{
    return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, wait_ms) == 1;
}

/* Ends one more request, and its event makes the descriptor readable. */
static void the_next_event_is_signalled(stream_fixture *f, int fd)
{
    leat_request handle = submit(f, 1, LEAT_NORMAL);
    assert_int_equal(leat_cancel(f->s, handle), LEAT_OK);
    for (uint32_t cancelled = 0; cancelled == 0;) {
        assert_true(is_readable(fd, WAIT_MS));
        cancelled = cancelled_of(leat_update(f->s, NULL));
    }
}

/* A streamer whose events are polled for. The descriptor; skips where there is none. */
static int setup_polled(stream_fixture *f)
{
    setup(f, ASSET_BYTES);
    int fd = leat_event_fd(f->s);
    if (fd < 0) {
        fixture_close(f);
        skip();
    }
    return fd;
}

/* An update has seen the signal, and another event comes before it reads the descriptor. */
static void a_post_before_the_read_is_not_lost(void **state)
{
    (void)state;
    stream_fixture f;
    int fd = setup_polled(&f);
    leat_request handle = submit(&f, 0, LEAT_NORMAL);
    await_sleep(&f); /* its memory is asked for, and that is signalled */
    atomic_store(&between.f, &f);
    between.cancelled_before_read = handle;
    uint32_t cancelled = 0;
    while (cancelled == 0) {
        assert_true(is_readable(fd, WAIT_MS));
        cancelled = cancelled_of(leat_update(f.s, NULL));
    }
    assert_int_equal(between.cancelled_before_read.generation, 0);
    atomic_store(&between.f, NULL);
    the_next_event_is_signalled(&f, fd);
    fixture_close(&f);
}

/* A request whose first event is taken by an update while the one who signals it is held up. */
static void submit_held(stream_fixture *f, _Atomic bool *asked)
{
    leat_update(f->s, NULL); /* what making the descriptor has signalled */
    assert_int_equal(sem_init(&between.begun, 0, 0), 0);
    assert_int_equal(sem_init(&between.done, 0, 0), 0);
    atomic_store(asked, true);
    atomic_store(&between.f, f);
    submit(f, 0, LEAT_NORMAL);
    while (sem_wait(&between.begun) != 0) {
    }
    leat_events events = leat_update(f->s, NULL);
    assert_int_equal(events.count, 1);
    assert_int_equal(events.items[0].type, LEAT_EVENT_NEEDS_MEMORY);
}

/* After sem_post(&between.done). */
static void let_go(stream_fixture *f)
{
    await_sleep(f); /* the signalling is over */
    atomic_store(&between.f, NULL);
    sem_destroy(&between.begun);
    sem_destroy(&between.done);
}

/* Who signals is held up before the write, and an update takes the event meanwhile: the write comes too late, makes one
 * more update, in vain, and no more than that. */
static void a_write_that_comes_late_is_read(void **state)
{
    (void)state;
    stream_fixture f;
    int fd = setup_polled(&f);
    submit_held(&f, &between.hold_write);
    sem_post(&between.done);
    assert_true(is_readable(fd, WAIT_MS));
    let_go(&f);
    assert_int_equal(leat_update(f.s, NULL).count, 0);
    assert_false(is_readable(fd, 0));
    the_next_event_is_signalled(&f, fd);
    fixture_close(&f);
}

/* Who signals is held up behind the write: the update reads the descriptor empty all the same, or who polls would spin
 * until the other goes on. */
static void a_write_that_is_not_said_is_read(void **state)
{
    (void)state;
    stream_fixture f;
    int fd = setup_polled(&f);
    submit_held(&f, &between.hold_written);
    assert_false(is_readable(fd, 0));
    sem_post(&between.done);
    let_go(&f);
    the_next_event_is_signalled(&f, fd);
    fixture_close(&f);
}

/* Both ways, to the I/O thread and to who polls for events: a call that is refused for a moment is made again. */
static void a_write_that_is_refused_is_made_again(void **state)
{
    (void)state;
    static const int causes[] = { EINTR, EAGAIN };
    for (uint32_t i = 0; i < 2 * COUNT_OF(causes); ++i) {
        stream_fixture f;
        int fd = setup_polled(&f);
        leat_update(f.s, NULL); /* what making the descriptor has signalled */
        await_sleep(&f);
        between.refuse_with = causes[i / 2];
        between.refuse_events = i % 2 == 1;
        atomic_store(&between.refusals, 3);
        atomic_store(&between.f, &f);
        submit(&f, 0, LEAT_NORMAL);
        bool told = is_readable(fd, WAIT_MS);
        atomic_store(&between.f, NULL);
        assert_true(told);
        assert_int_equal(atomic_load(&between.refusals), 0);
        fixture_close(&f);
    }
}

/* Memory that comes free is told at once if a request waits for it, and nobody needs to call leat_update. */
static void a_release_that_is_waited_for_wakes(void **state)
{
    (void)state;
    stream_fixture f;
    setup(&f, LENT_BYTES / 2 + 1);
    leat_request ready = fill_lent_memory(&f);
    leat_stats stats;
    leat_stats_get(f.s, &stats);
    uint64_t decoded = stats.chunks_decoded;
    assert_int_equal(leat_release(f.s, ready), LEAT_OK);
    for (uint64_t end_ns = streamer_now(f.s) + WAIT_NS; stats.chunks_decoded == decoded;) {
        assert_true(streamer_now(f.s) < end_ns);
        sched_yield();
        leat_stats_get(f.s, &stats);
    }
    assert_int_equal(leat_wait(f.s, WAIT_NS).count, 1);
    fixture_close(&f);
}

/* ---- A wake that goes nowhere ---- */

#define FD_COUNT_MAX 256

/* As a program does that closes a number which is not its own any more. */
static uint32_t close_event_fds(void)
{
    uint32_t closed = 0;
    for (int fd = 0; fd < FD_COUNT_MAX; ++fd) {
        char link[64], what[64];
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t size = readlink(link, what, sizeof(what) - 1);
        what[size > 0 ? size : 0] = 0;
        if (strcmp(what, "anon_inode:[eventfd]") == 0) {
            close(fd);
            ++closed;
        }
    }
    return closed;
}

static void count_errors(leat_log_level level, const char *text, void *user)
{
    (void)text;
    atomic_fetch_add((_Atomic uint32_t *)user, level == LEAT_LOG_ERROR);
}

/* The thread sleeps on, and nobody can wake it. Said when it was found, and of what was left behind. */
static void destroy_ends_though_nobody_can_be_woken(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    print_message(
        "not under ThreadSanitizer: what it would report, a number that is closed while another thread reads it "
        "and a thread that is left behind, is what this is about\n");
    skip();
#endif
    static _Atomic uint32_t errors;
    static const leat_backend backends[] = { LEAT_BACKEND_THREADS, LEAT_BACKEND_AUTO };
    for (uint32_t i = 0; i < COUNT_OF(backends); ++i) {
        stream_fixture f;
        leat_desc desc = { .backend = backends[i],
                           .worker_count = 1,
                           .io_thread_count = 1,
                           .memory_bytes_max = MIB(32),
                           .pool_bytes = MIB(4),
                           .lent_bytes = LENT_BYTES,
                           .logger = { .log = count_errors, .user = &errors } };
        test_pack_desc pack = { .seed = 3, .asset_count = 1, .size_min = ASSET_BYTES, .size_max = ASSET_BYTES };
        fixture_open(&f, &pack, &desc);
        leat_pack_desc watched = { .watch = i == 0 ? LEAT_ON
                                                   : LEAT_OFF }; /* another thread, which sleeps on one of its own */
        leat_pack second;
        assert_int_equal(leat_pack_open(f.s, f.path, &watched, &second), LEAT_OK);
        await_sleep(&f);
        atomic_store(&errors, 0);
        assert_true(close_event_fds() > 0);
        submit(&f, 0, LEAT_URGENT);
        assert_int_equal(atomic_load(&errors), 1);
        fixture_close(&f);
        /* A thread that had said that it sleeps, and had not begun to, finds the number closed and is not left behind.
         */
        assert_in_range(atomic_load(&errors), 1, 2);
    }
}

/* Asks for memory: an event that the I/O thread posts. */
static void post_one(const stream_fixture *f)
{
    leat_read_desc read = { .asset = fixture_asset(f, 0), .bind = LEAT_BIND_LATE };
    assert_int_equal(leat_read(f->s, &read, NULL), LEAT_OK);
    pump_run(f->s, streamer_now(f->s));
}

/* Without threads: what wakes whom is called by the test. */
static void setup_stepped(stream_fixture *f, _Atomic uint32_t *errors)
{
    *f = (stream_fixture){ .sim = leat_sim_preset("nvme") };
    leat_desc desc = { .backend = LEAT_BACKEND_SIM,
                       .stepped = true,
                       .sim = &f->sim,
                       .memory_bytes_max = MIB(32),
                       .logger = { .log = count_errors, .user = errors } };
    test_pack_desc pack = { .seed = 3, .asset_count = 1, .size_min = ASSET_BYTES, .size_max = ASSET_BYTES };
    fixture_open(f, &pack, &desc);
}

/* Whoever polls the descriptor sleeps past that one event, not past all that follow; leat_wait looks by itself. */
static void after_a_refused_signal_the_next_post_tries_again(void **state)
{
    (void)state;
    _Atomic uint32_t errors = 0;
    stream_fixture f;
    setup_stepped(&f, &errors);
    int fd = leat_event_fd(f.s), refuses = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && refuses >= 0);
    leat_update(f.s, NULL);
    assert_false(is_readable(fd, 0));
    atomic_store(&f.s->event_fd, refuses);
    post_one(&f);
    assert_int_equal(atomic_load(&errors), 1);
    atomic_store(&f.s->event_fd, fd);
    assert_false(is_readable(fd, 0));
    post_one(&f);
    assert_true(is_readable(fd, 0));
    assert_int_equal(leat_update(f.s, NULL).count, 2);
    assert_false(is_readable(fd, 0));
    posts_await(f.s, fd, UINT64_MAX); /* returns, though nobody posts */
    assert_int_equal(atomic_load(&errors), 1);
    close(refuses);
    fixture_close(&f);
}

/* leat_wait must not turn around a descriptor that somebody has closed, which poll answers for at once. */
static void a_closed_descriptor_of_events_is_noticed(void **state)
{
    (void)state;
    _Atomic uint32_t errors = 0;
    stream_fixture f;
    setup_stepped(&f, &errors);
    int closed = dup(leat_event_fd(f.s));
    leat_update(f.s, NULL);
    close(closed);
    posts_await(f.s, closed, UINT64_MAX);
    posts_await(f.s, closed, UINT64_MAX);
    assert_true(atomic_load(&f.s->event_fd_refused));
    assert_int_equal(atomic_load(&errors), 1);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancels_wait_for_the_update),
        cmocka_unit_test(an_array_costs_one_wake),
        cmocka_unit_test(a_submit_pays_what_is_owed),
        cmocka_unit_test(each_depth_has_its_own),
        cmocka_unit_test(a_new_order_wakes_as_a_submit_would),
        cmocka_unit_test(who_is_in_a_hurry_ends_a_nap),
        cmocka_unit_test(who_waits_is_served),
        cmocka_unit_test(an_urgent_order_of_nothing_waits),
        cmocka_unit_test(who_would_wait_for_memory_waits_for_the_update),
        cmocka_unit_test(who_polls_is_served),
        cmocka_unit_test(a_post_before_the_read_is_not_lost),
        cmocka_unit_test(a_write_that_comes_late_is_read),
        cmocka_unit_test(a_write_that_is_not_said_is_read),
        cmocka_unit_test(a_write_that_is_refused_is_made_again),
        cmocka_unit_test(a_release_that_is_waited_for_wakes),
        cmocka_unit_test(after_a_refused_signal_the_next_post_tries_again),
        cmocka_unit_test(a_closed_descriptor_of_events_is_noticed),
        cmocka_unit_test(destroy_ends_though_nobody_can_be_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
