/* Shows what happens at each bound of the README's table: "full" is an answer or the rest waits its turn, nothing is
 * lost, and all goes on when there is room again. One streamer on a virtual clock, stopped at the bound. */
#include "stepped.h"

#include <string.h>

static stepped_ends ends;

/* A value that a queue of commands cannot take is refused; what needs no value is taken all the same. */
static void a_full_command_queue_says_so(void **state)
{
    (void)state;
    stepped f = { 0 };
    stepped_open(&f, 8, 1000, (leat_desc){ .request_count_max = 8 });
    ends = (stepped_ends){ 0 };
    leat_request requests[8];
    for (uint32_t i = 0; i < 8; ++i) {
        requests[i] = stepped_read(&f, (leat_read_desc){ .asset = stepped_asset(&f, i), .user = i });
    }
    leat_reprioritise_desc orders[64]; /* the least that there is room for */
    uint32_t taken = 0;
    for (uint32_t i = 0; i < 64; ++i) {
        orders[i] = (leat_reprioritise_desc){ .request = requests[i % 8], .priority = LEAT_HIGH };
    }
    assert_int_equal(leat_reprioritise(f.s, requests[0], LEAT_HIGH, 0), LEAT_OK);
    orders[1].request = (leat_request){ 0 }; /* takes no room */
    assert_int_equal(leat_reprioritise_many(f.s, orders, 2, &taken), LEAT_ERROR_STALE);
    assert_int_equal(taken, 2);
    assert_int_equal(leat_reprioritise_many(f.s, orders, 64, &taken), LEAT_ERROR_FULL);
    assert_int_equal(taken, 63);
    assert_int_equal(leat_reprioritise_many(f.s, orders + taken, 1, &taken), LEAT_ERROR_FULL);
    assert_int_equal(taken, 0);
    assert_int_equal(leat_reprioritise(f.s, requests[0], LEAT_HIGH, 0), LEAT_ERROR_FULL);
    assert_int_equal(leat_cancel_where(f.s, &(leat_selection){ .all = true }), LEAT_ERROR_FULL);
    assert_int_equal(leat_bind(f.s, requests[0], &f, sizeof(f)), LEAT_ERROR_FULL);
    assert_int_equal(leat_cancel(f.s, requests[0]), LEAT_OK);
    assert_int_equal(leat_cancel_many(f.s, &requests[2], 2, NULL), LEAT_OK);
    stepped_pump(&f);
    assert_int_equal(leat_reprioritise_many(f.s, orders + 63, 1, &taken), LEAT_OK);
    assert_int_equal(taken, 1);
    stepped_finish(&f, &ends, 8);
    for (uint32_t i = 0; i < 8; ++i) {
        bool cancelled = i == 0 || i == 2 || i == 3;
        assert_int_equal(ends.type[i], cancelled ? LEAT_EVENT_CANCELLED : LEAT_EVENT_READY);
    }
    stepped_close(&f);
}

/* A read of a whole asset to memory at an odd place, so that its bytes go through the pool. */
static void read_through_pool(stepped *f, uint8_t *block, uint32_t i, leat_priority priority)
{
    stepped_read(f, (leat_read_desc){ .asset = stepped_asset(f, i),
                                      .priority = priority,
                                      .bind = LEAT_BIND_CALLER,
                                      .memory = block + (size_t)i * CHUNK_SIZE + 1,
                                      .memory_size = CHUNK_SIZE,
                                      .user = i });
}

/* A window wider than the pool: reads go out until seven eighths of it are taken; the rest is for urgent ones. */
static void the_pool_keeps_room_for_urgent_reads(void **state)
{
    (void)state;
    stepped f = { 0 };
    stepped_open(&f, 100, CHUNK_SIZE, (leat_desc){ .window_bytes = MIB(64), .read_bytes_max = CHUNK_SIZE });
    ends = (stepped_ends){ 0 };
    uint8_t *block = aligned_alloc(4096, 101 * CHUNK_SIZE);
    for (uint32_t i = 0; i < 99; ++i) {
        read_through_pool(&f, block, i, LEAT_NORMAL);
    }
    stepped_pump(&f);
    leat_stats before = stepped_stats(&f);
    assert_true(before.pool_bytes_used <= MIB(4) - MIB(4) / 8);
    assert_true(before.pool_bytes_used > MIB(4) - MIB(4) / 8 - 2 * CHUNK_SIZE);
    assert_true(before.requests_queued > 0);
    stepped_pump(&f);
    assert_int_equal(stepped_stats(&f).reads_issued, before.reads_issued); /* full is full */
    read_through_pool(&f, block, 99, LEAT_URGENT);
    stepped_pump(&f);
    assert_int_equal(stepped_stats(&f).reads_issued, before.reads_issued + 1);
    stepped_finish(&f, &ends, 100);
    assert_int_equal(stepped_stats(&f).pool_bytes_used, 0);
    free(block);
    stepped_close(&f);
}

/* Nobody decodes: what has been read holds its buffers, and nothing more is read than they can hold. */
static void workers_that_lag_stop_the_reads(void **state)
{
    (void)state;
    stepped f = { 0 };
    stepped_open(&f, 300, CHUNK_SIZE, (leat_desc){ .window_bytes = MIB(64), .lent_bytes = MIB(32) });
    ends = (stepped_ends){ 0 };
    uint8_t *block = aligned_alloc(4096, 301 * CHUNK_SIZE);
    for (uint32_t i = 0; i < 300; ++i) {
        read_through_pool(&f, block, i, LEAT_NORMAL);
    }
    stepped_pump(&f);
    while (stepped_stats(&f).reads_in_flight > 0) {
        stepped_complete(&f);
    }
    leat_stats stats = stepped_stats(&f);
    assert_true(stats.decode_queued > 0 && stats.decode_queued * (uint64_t)CHUNK_SIZE <= MIB(4));
    assert_true(stats.requests_queued > 0);
    assert_true(decode_step(f.s->decode));
    stepped_finish(&f, &ends, 300);
    free(block);
    stepped_close(&f);
}

/* One chunk that more requests want than there are outputs. */
static void outputs_run_out_and_come_back(void **state)
{
    (void)state;
    enum { COUNT = OUTPUT_COUNT_MAX + 3000 };
    stepped f = { 0 };
    stepped_open(&f, 1, CHUNK_SIZE, (leat_desc){ .request_count_max = COUNT, .event_count_max = COUNT });
    ends = (stepped_ends){ 0 };
    uint8_t *block = calloc(COUNT, 2);
    for (uint32_t i = 0; i < COUNT; ++i) {
        stepped_read(&f, (leat_read_desc){ .asset = stepped_asset(&f, 0),
                                           .part = { .kind = LEAT_PART_BYTES, .offset = i, .size = 2 },
                                           .bind = LEAT_BIND_CALLER,
                                           .memory = block + (size_t)i * 2,
                                           .memory_size = 2,
                                           .user = i });
    }
    stepped_pump(&f);
    assert_null(f.s->output_free);
    assert_int_equal(stepped_stats(&f).requests_queued, COUNT - OUTPUT_COUNT_MAX);
    stepped_finish(&f, &ends, COUNT);
    for (uint32_t i = 0; i < COUNT; ++i) {
        assert_memory_equal(block + (size_t)i * 2, f.pack.raw + i, 2);
    }
    free(block);
    stepped_close(&f);
}

static void more_events_come_with_the_next_update(void **state)
{
    (void)state;
    stepped f = { 0 };
    stepped_open(&f, 10, 1000, (leat_desc){ .event_count_max = 4 });
    ends = (stepped_ends){ 0 };
    for (uint32_t i = 0; i < 10; ++i) {
        stepped_read(&f, (leat_read_desc){ .asset = stepped_asset(&f, i), .user = i });
    }
    uint64_t now_ns = NS_PER_S;
    static const struct {
        uint32_t asked, expected;
    } updates[] = { { 0, 4 }, { 3, 3 }, { 100, 3 }, { 0, 0 } };
    for (size_t i = 0; i < COUNT_OF(updates); ++i) {
        leat_events events = leat_update(f.s, &(leat_tick){ .now_ns = now_ns, .event_count_max = updates[i].asked });
        assert_int_equal(events.count, updates[i].expected);
        stepped_take(&f, events, &ends, true);
    }
    assert_int_equal(ends.count, 10);
    stepped_close(&f);
}

/* One that no update reaches is none, however the clock stands. */
static void the_longest_time_for_events_is_no_limit(void **state)
{
    (void)state;
    enum { COUNT = 40 }; /* the time is looked at after every sixteenth */
    stepped f = { 0 };
    stepped_open(&f, COUNT, 1000, (leat_desc){ 0 });
    for (uint32_t i = 0; i < COUNT; ++i) {
        stepped_read(&f, (leat_read_desc){ .asset = stepped_asset(&f, i) });
    }
    leat_tick tick = { .now_ns = NS_PER_S, .time_ns_max = UINT64_MAX };
    assert_int_equal(leat_update(f.s, &tick).count, COUNT);
    stepped_close(&f);
}

static void lent_memory_is_waited_for_in_order(void **state)
{
    (void)state;
    stepped f = { 0 };
    stepped_open(&f, 5, 900000, (leat_desc){ .lent_bytes = MIB(2) });
    ends = (stepped_ends){ 0 };
    leat_request requests[5];
    leat_read_desc read = { 0 };
    for (uint32_t i = 0; i < 5; ++i) {
        read.asset = stepped_asset(&f, i);
        read.user = i;
        read.priority = i == 4 ? LEAT_HIGH : LEAT_NORMAL;
        requests[i] = stepped_read(&f, read);
        stepped_take(&f, leat_update(f.s, &(leat_tick){ .now_ns = (i + 1) * 10 * NS_PER_MS }), &ends, false);
    }
    assert_int_equal(ends.count, 2);
    assert_int_equal(stepped_stats(&f).requests_waiting_memory, 3);
    assert_int_equal(leat_release(f.s, requests[0]), LEAT_OK);
    stepped_take(&f, leat_wait(f.s, NS_PER_S), &ends, false);
    assert_int_equal(ends.count, 3);
    assert_int_equal(ends.order[2], 4); /* the best of those that wait */
    assert_int_equal(leat_release(f.s, requests[1]), LEAT_OK);
    assert_int_equal(leat_release(f.s, requests[4]), LEAT_OK);
    stepped_finish(&f, &ends, 5);
    stepped_close(&f);
}

#define LATE_SIZE (5u << 20)
#define LATE_ASKED_MAX 12u /* of 64 MiB */

typedef struct late_world {
    leat_request asked[64];
    uint32_t count;
} late_world;

static void take_late(leat_events events, late_world *w)
{
    for (uint32_t i = 0; i < events.count; ++i) {
        if (events.items[i].type == LEAT_EVENT_NEEDS_MEMORY) {
            w->asked[w->count++] = events.items[i].request;
        }
    }
}

/* A long queue asks for no more memory than some frames' worth of reads. */
static void needs_memory_is_asked_for_ahead_by_64_mib(void **state)
{
    (void)state;
    stepped f = { 0 };
    stepped_open(&f, 1, LATE_SIZE, (leat_desc){ 0 });
    ends = (stepped_ends){ 0 };
    late_world w = { .count = 0 };
    uint8_t *block = malloc(LATE_SIZE);
    for (uint32_t i = 0; i < 20; ++i) {
        stepped_read(&f, (leat_read_desc){ .asset = stepped_asset(&f, 0), .bind = LEAT_BIND_LATE, .user = i });
    }
    take_late(stepped_update(&f), &w);
    assert_int_equal(w.count, LATE_ASKED_MAX);
    assert_int_equal(stepped_stats(&f).requests_waiting_memory, 20 - LATE_ASKED_MAX);
    take_late(stepped_update(&f), &w);
    assert_int_equal(w.count, LATE_ASKED_MAX);
    assert_int_equal(leat_bind(f.s, w.asked[0], block, LATE_SIZE), LEAT_OK);
    take_late(stepped_update(&f), &w);
    assert_int_equal(w.count, LATE_ASKED_MAX + 1); /* each answer makes room for one */
    assert_int_equal(leat_cancel(f.s, w.asked[1]), LEAT_OK);
    take_late(stepped_update(&f), &w);
    assert_int_equal(w.count, LATE_ASKED_MAX + 2); /* so does a cancel */
    free(block);
    leat_cancel_where(f.s, &(leat_selection){ .all = true });
    leat_update(f.s, &(leat_tick){ .now_ns = streamer_now(f.s) + NS_PER_S });
    stepped_close(&f);
}

/* Both kinds of memory have run out, and the best of those that wait wants ours: an answer of the engine's moves the
 * next one that waits for an answer, and a release the next one that waits for a release. */
static void one_kind_of_memory_does_not_hold_back_the_other(void **state)
{
    (void)state;
    stepped f = { 0 };
    stepped_open(&f, 1, LATE_SIZE, (leat_desc){ .lent_bytes = MIB(6) });
    ends = (stepped_ends){ 0 };
    late_world w = { .count = 0 };
    uint8_t *block = malloc(LATE_SIZE);
    leat_read_desc lent = { .asset = stepped_asset(&f, 0), .priority = LEAT_HIGH, .user = 0 };
    leat_read_desc late = { .asset = lent.asset, .bind = LEAT_BIND_LATE, .user = 100 };
    leat_request first = stepped_read(&f, lent);
    stepped_take(&f, leat_wait(f.s, NS_PER_S), &ends, false);
    assert_int_equal(ends.type[0], LEAT_EVENT_READY); /* and not released: 1 MiB is left */
    lent.user = 1;
    stepped_read(&f, lent);
    for (uint32_t i = 0; i < LATE_ASKED_MAX + 1; ++i) {
        late.user = 100 + i;
        stepped_read(&f, late);
    }
    take_late(stepped_update(&f), &w);
    assert_int_equal(w.count, LATE_ASKED_MAX);
    assert_int_equal(stepped_stats(&f).requests_waiting_memory, 2);
    assert_int_equal(leat_bind(f.s, w.asked[0], block, LATE_SIZE), LEAT_OK);
    take_late(stepped_update(&f), &w);
    assert_int_equal(w.count, LATE_ASKED_MAX + 1);
    assert_int_equal(stepped_stats(&f).requests_waiting_memory, 1);
    assert_int_equal(leat_release(f.s, first), LEAT_OK);
    for (uint32_t i = 0; i < 10 && ends.type[1] == 0; ++i) {
        stepped_take(&f, leat_wait(f.s, NS_PER_S), &ends, true);
    }
    assert_int_equal(ends.type[1], LEAT_EVENT_READY);
    leat_cancel_where(f.s, &(leat_selection){ .all = true });
    leat_update(f.s, &(leat_tick){ .now_ns = streamer_now(f.s) + NS_PER_S });
    stepped_close(&f);
    free(block);
}

/* A request that was woken because there is room for it, and is cancelled before it has taken the room, leaves it to
 * the next one: else that one would wait for a release that may never come. */
static void room_that_is_not_taken_is_for_the_next(void **state)
{
    (void)state;
    stepped f = { 0 };
    stepped_open(&f, 5, 900000, (leat_desc){ .lent_bytes = MIB(2) });
    ends = (stepped_ends){ 0 };
    leat_request requests[5];
    for (uint32_t i = 0; i < 5; ++i) {
        requests[i] = stepped_read(&f, (leat_read_desc){ .asset = stepped_asset(&f, i), .user = i });
        stepped_take(&f, leat_update(f.s, &(leat_tick){ .now_ns = (i + 1) * 10 * NS_PER_MS }), &ends, false);
    }
    assert_int_equal(ends.count, 2);
    assert_int_equal(stepped_stats(&f).requests_waiting_memory, 3);
    assert_int_equal(leat_release(f.s, requests[0]), LEAT_OK); /* wakes 2 and 3 */
    assert_int_equal(leat_cancel(f.s, requests[2]), LEAT_OK); /* in the same round */
    assert_int_equal(leat_cancel(f.s, requests[3]), LEAT_OK);
    for (uint32_t i = 0; i < 4; ++i) {
        stepped_take(&f, leat_wait(f.s, NS_PER_S), &ends, false);
    }
    assert_int_equal(ends.count, 5);
    assert_int_equal(ends.type[3], LEAT_EVENT_CANCELLED);
    assert_int_equal(ends.type[4], LEAT_EVENT_READY);
    stepped_close(&f);
}

static void an_answer_that_is_not_needed_is_for_the_next(void **state)
{
    (void)state;
    stepped f = { 0 };
    stepped_open(&f, 1, LATE_SIZE, (leat_desc){ 0 });
    late_world w = { .count = 0 };
    leat_request requests[LATE_ASKED_MAX + 2];
    for (uint32_t i = 0; i < LATE_ASKED_MAX + 2; ++i) {
        requests[i] =
            stepped_read(&f, (leat_read_desc){ .asset = stepped_asset(&f, 0), .bind = LEAT_BIND_LATE, .user = i });
    }
    take_late(stepped_update(&f), &w);
    assert_int_equal(w.count, LATE_ASKED_MAX);
    assert_int_equal(leat_cancel(f.s, requests[0]), LEAT_OK); /* wakes the first that waits */
    assert_int_equal(leat_cancel(f.s, requests[LATE_ASKED_MAX]), LEAT_OK);
    take_late(stepped_update(&f), &w);
    assert_int_equal(w.count, LATE_ASKED_MAX + 1);
    assert_int_equal(w.asked[LATE_ASKED_MAX].index, requests[LATE_ASKED_MAX + 1].index);
    leat_cancel_where(f.s, &(leat_selection){ .all = true });
    leat_update(f.s, &(leat_tick){ .now_ns = streamer_now(f.s) + NS_PER_S });
    stepped_close(&f);
}

/* A device that only ever says "again" is asked again so often and no more. */
static void retries_come_to_an_end(void **state)
{
    (void)state;
    stepped f = { .sim = { .eagain_rate = 1000 } };
    stepped_open(&f, 1, 1000, (leat_desc){ 0 });
    ends = (stepped_ends){ 0 };
    stepped_read(&f, (leat_read_desc){ .asset = stepped_asset(&f, 0), .user = 0 });
    stepped_finish(&f, &ends, 1);
    assert_int_equal(ends.type[0], LEAT_EVENT_FAILED);
    assert_in_range(stepped_stats(&f).reads_retried, READ_RETRY_COUNT_MAX, READ_RETRY_COUNT_MAX + 1);
    stepped_close(&f);
}

/* Members of a silent batch are taken up to the bound as well, and make no event: a wait goes on to what is behind. */
static void a_wait_passes_what_makes_no_event(void **state)
{
    (void)state;
    enum { MEMBER_COUNT = 20, SIZE = 100 };
    static uint8_t bytes[MEMBER_COUNT][SIZE];
    stepped f = { .sim = leat_sim_preset("nvme") };
    stepped_open(&f, MEMBER_COUNT, SIZE, (leat_desc){ .event_count_max = MEMBER_COUNT / 4 });
    leat_batch silent;
    assert_int_equal(leat_batch_begin(f.s, &(leat_batch_desc){ .only_end = true }, &silent), LEAT_OK);
    for (uint32_t i = 0; i < MEMBER_COUNT; ++i) {
        stepped_read(&f, (leat_read_desc){ .asset = stepped_asset(&f, i),
                                           .bind = LEAT_BIND_CALLER,
                                           .memory = bytes[i],
                                           .memory_size = SIZE,
                                           .batch = silent });
    }
    assert_int_equal(leat_batch_end(f.s, silent), LEAT_OK);
    leat_events events = leat_wait(f.s, UINT64_MAX);
    assert_int_equal(events.count, 1);
    assert_int_equal(events.items[0].type, LEAT_EVENT_BATCH);
    assert_int_equal(events.items[0].count, MEMBER_COUNT);
    stepped_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_command_queue_says_so),
        cmocka_unit_test(the_pool_keeps_room_for_urgent_reads),
        cmocka_unit_test(workers_that_lag_stop_the_reads),
        cmocka_unit_test(outputs_run_out_and_come_back),
        cmocka_unit_test(more_events_come_with_the_next_update),
        cmocka_unit_test(the_longest_time_for_events_is_no_limit),
        cmocka_unit_test(lent_memory_is_waited_for_in_order),
        cmocka_unit_test(room_that_is_not_taken_is_for_the_next),
        cmocka_unit_test(an_answer_that_is_not_needed_is_for_the_next),
        cmocka_unit_test(needs_memory_is_asked_for_ahead_by_64_mib),
        cmocka_unit_test(one_kind_of_memory_does_not_hold_back_the_other),
        cmocka_unit_test(retries_come_to_an_end),
        cmocka_unit_test(a_wait_passes_what_makes_no_event),
    };
    return cmocka_run_group_tests_name("bounds", tests, NULL, NULL);
}
