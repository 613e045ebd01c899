/* Shows that leat_estimate, which any thread may ask and which sees only what the I/O thread has published, says what
 * admission then predicts for the same request: idle, behind a queue of each class with and without deadlines, after a
 * rush that is over; and that on an idle device the request is ready when it said. */
#include "stepped.h"

#include <string.h>

#define QUEUE_COUNT 600u

static stepped_ends ends;

/* How long from now, by leat_estimate and by the admission of the same desc, in nanoseconds. The request is cancelled
 * again, so that it changes nothing for the next one. */
static void ask_both(stepped *f, leat_read_desc read, double *asked_ns, double *admitted_ns)
{
    leat_estimate_info info;
    uint64_t now_ns = streamer_now(f->s);
    assert_int_equal(leat_estimate(f->s, &read, &info), LEAT_OK);
    leat_request handle = stepped_read(f, read);
    stepped_pump(f);
    *asked_ns = (double)(info.ready_ns - now_ns);
    *admitted_ns = (double)(f->s->requests[handle.index].predicted_ns - now_ns);
    assert_int_equal(leat_cancel(f->s, handle), LEAT_OK);
    stepped_pump(f);
}

/* A queue in which all classes have some with deadlines, spread over a second, and some without. */
static void fill_queue(stepped *f)
{
    uint64_t random = 3, now_ns = streamer_now(f->s);
    for (uint32_t i = 0; i < QUEUE_COUNT; ++i) {
        leat_read_desc read = { .asset = stepped_asset(f, (uint32_t)unit_below(&random, f->pack.asset_count)),
                                .part = { .kind = LEAT_PART_BYTES, .size = 1 + unit_below(&random, CHUNK_SIZE) },
                                .priority = i % 3 == 0   ? LEAT_HIGH
                                            : i % 3 == 1 ? LEAT_NORMAL
                                                         : LEAT_PREFETCH,
                                .user = i };
        if (i % 2 == 0) {
            read.deadline_ns = now_ns + NS_PER_MS + unit_below(&random, NS_PER_S);
        }
        stepped_read(f, read);
    }
    stepped_pump(f);
}

static void it_says_what_admission_says(void **state)
{
    (void)state;
    static const leat_priority priorities[] = { LEAT_URGENT, LEAT_HIGH, LEAT_NORMAL, LEAT_PREFETCH };
    static const uint64_t left_ms[] = { 1, 7, 30, 100, 333, 900, 3000, 20000 };
    static const uint64_t sizes[] = { 100, 20000, 4 * CHUNK_SIZE };
    stepped f = { .sim = leat_sim_preset("sata") };
    stepped_open(&f, 100, 4 * CHUNK_SIZE, (leat_desc){ .memory_bytes_max = MIB(256), .lent_bytes = MIB(64) });
    for (uint32_t moment = 0; moment < 3; ++moment) { /* before any read; with a queue; long after it */
        if (moment == 1) {
            fill_queue(&f);
        } else if (moment == 2) {
            leat_cancel_where(f.s, &(leat_selection){ .all = true });
            leat_update(f.s, &(leat_tick){ .now_ns = streamer_now(f.s) + 400 * NS_PER_MS });
        }
        double worst = 0;
        for (uint32_t i = 0; i < COUNT_OF(priorities) * COUNT_OF(left_ms) * COUNT_OF(sizes); ++i) {
            double asked_ns, admitted_ns;
            ask_both(&f,
                     (leat_read_desc){ .asset = stepped_asset(&f, i % f.pack.asset_count),
                                       .part = { .kind = LEAT_PART_BYTES, .size = sizes[i % COUNT_OF(sizes)] },
                                       .priority = priorities[i / COUNT_OF(sizes) % COUNT_OF(priorities)],
                                       .deadline_ns = streamer_now(f.s) +
                                                      left_ms[i / COUNT_OF(sizes) / COUNT_OF(priorities)] * NS_PER_MS },
                     &asked_ns, &admitted_ns);
            double error = (asked_ns > admitted_ns ? asked_ns - admitted_ns : admitted_ns - asked_ns) / admitted_ns;
            worst = error > worst ? error : worst;
        }
        print_message("moment %u: %.1f %% apart at most\n", moment, worst * 100);
        assert_true(worst < 0.15);
    }
    stepped_close(&f);
}

/* The queue that is in its way is: more of it for a lower class and for a later deadline. */
static void more_is_ahead_of_the_less_urgent(void **state)
{
    (void)state;
    stepped f = { .sim = leat_sim_preset("sata") };
    stepped_open(&f, 100, 4 * CHUNK_SIZE, (leat_desc){ .memory_bytes_max = MIB(256), .lent_bytes = MIB(64) });
    fill_queue(&f);
    leat_estimate_info info, last = { 0 };
    static const struct {
        leat_priority priority;
        uint64_t left_ms;
    } asks[] = { { LEAT_URGENT, 0 },  { LEAT_HIGH, 100 },   { LEAT_HIGH, 800 },     { LEAT_HIGH, 0 },
                 { LEAT_NORMAL, 50 }, { LEAT_NORMAL, 500 }, { LEAT_PREFETCH, 900 }, { LEAT_PREFETCH, 0 } };
    for (size_t i = 0; i < COUNT_OF(asks); ++i) {
        leat_read_desc read = { .asset = stepped_asset(&f, 0), .priority = asks[i].priority };
        read.deadline_ns = asks[i].left_ms == 0 ? 0 : streamer_now(f.s) + asks[i].left_ms * NS_PER_MS;
        assert_int_equal(leat_estimate(f.s, &read, &info), LEAT_OK);
        assert_true(info.ready_ns > last.ready_ns);
        assert_true(i == 0 || info.bytes_ahead > last.bytes_ahead);
        last = info;
    }
    assert_int_equal(leat_estimate(f.s, &(leat_read_desc){ .asset = stepped_asset(&f, 0), .client = 99 }, &info),
                     LEAT_ERROR_ARGUMENT);
    assert_int_equal(leat_estimate(f.s, &(leat_read_desc){ 0 }, &info), LEAT_ERROR_STALE);
    stepped_close(&f);
}

/* When the device is known and idle, it is ready when it said, within a quarter. */
static void an_idle_device_keeps_the_word(void **state)
{
    (void)state;
    stepped f = { .sim = leat_sim_preset("sd") };
    stepped_open(&f, 50, CHUNK_SIZE, (leat_desc){ .read_bytes_max = CHUNK_SIZE });
    ends = (stepped_ends){ 0 };
    for (uint32_t i = 0; i < 50; ++i) {
        leat_estimate_info info;
        leat_read_desc read = { .asset = stepped_asset(&f, i), .user = i };
        uint64_t now_ns = streamer_now(f.s);
        assert_int_equal(leat_estimate(f.s, &read, &info), LEAT_OK);
        stepped_read(&f, read);
        leat_events events = leat_wait(f.s, NS_PER_S);
        assert_int_equal(events.count, 1);
        double said_ns = (double)(info.ready_ns - now_ns), took_ns = (double)events.items[0].latency_ns;
        if (i >= 40) { /* until then it learns */
            assert_true(said_ns > took_ns * 0.75 && said_ns < took_ns * 1.25);
        }
        stepped_take(&f, events, &ends, true);
        leat_update(f.s, &(leat_tick){ .now_ns = streamer_now(f.s) + 200 * NS_PER_MS });
    }
    stepped_close(&f);
}

/* When a request of the lowest class would be ready behind a burst of a higher one, if another one came so long before
 * that; 0: none did. */
static uint64_t ready_behind_burst(uint64_t before_ns)
{
    memory m = unit_memory(NULL);
    sched_desc queue = { .memory = &m, .capacity = 1, .ageing_ns = NS_PER_S, .client_weights = { 1 } };
    sched *s = sched_create(&queue);
    window *w = window_create(&(window_desc){ .memory = &m, .bytes_max = MIB(1) });
    assert_true(s != NULL && w != NULL);
    uint64_t now_ns = 60 * NS_PER_S;
    estimate e = { 0 };
    if (before_ns != 0) {
        estimate_admit(&e, 1, 1, now_ns - before_ns);
    }
    estimate_admit(&e, 1, MIB(10), now_ns);
    estimate_query query = {
        .rank = 3, .deadline_ns = NO_DEADLINE, .packed_size = MIB(10), .decode_bytes_per_second = 1
    };
    uint64_t ready_ns = estimate_ready(&e, s, w, &query, now_ns).ready_ns - now_ns;
    window_destroy(w);
    sched_destroy(s);
    return ready_ns;
}

/* What comes all at once is much, and no flow that goes on: as in a first frame, so after a pause. */
static void a_burst_after_a_pause_is_no_flow(void **state)
{
    (void)state;
    uint64_t first_ns = ready_behind_burst(0);
    assert_int_equal(ready_behind_burst(10 * NS_PER_S), first_ns);
    assert_true(ready_behind_burst(100 * NS_PER_MS) > 2 * first_ns); /* one that has gone on is */
}

/* A device that gives a byte per second, or next to none, makes it late, not early. */
static void long_waits_stay_waits(void **state)
{
    (void)state;
    estimate_levels levels = { .now_ns = 7, .bandwidth = 1, .in_flight = UINT64_C(1) << 60 };
    estimate_query query = { .rank = 1, .deadline_ns = NO_DEADLINE, .packed_size = 4096, .raw_size = 4096 };
    uint64_t ahead = 0;
    assert_int_equal(estimate_from_levels(&levels, &query, 7, &ahead), 7 + (UINT64_C(1) << 62));
    assert_int_equal(ahead, UINT64_C(1) << 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_what_admission_says),   cmocka_unit_test(more_is_ahead_of_the_less_urgent),
        cmocka_unit_test(an_idle_device_keeps_the_word), cmocka_unit_test(a_burst_after_a_pause_is_no_flow),
        cmocka_unit_test(long_waits_stay_waits),
    };
    return cmocka_run_group_tests_name("estimate", tests, NULL, NULL);
}
