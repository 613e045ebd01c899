/* Shows that who is in a hurry does not wait for what others have filled: a request that is high, or whose deadline is
 * near, is read although the workers have enough to do, and while it waits for the window or for a read that is out
 * already, the I/O thread may not nap. And that reads are long only where nobody has been in a hurry for long. One
 * streamer on a virtual clock, its stages called one by one. */
#include "stepped.h"

#define COUNT 100u
#define WINDOW_BYTES (4 * CHUNK_SIZE)
#define FAR_NS (NS_PER_S)
#define NEAR_NS (10 * NS_PER_MS)

static stepped_ends ends;

typedef struct fixture {
    stepped f;
    uint8_t *memory;
    uint32_t submitted;
} fixture;

static void setup(fixture *x)
{
    *x = (fixture){ .memory = aligned_alloc(4096, (COUNT + 1) * CHUNK_SIZE) };
    ends = (stepped_ends){ 0 };
    stepped_open(
        &x->f, COUNT, CHUNK_SIZE,
        (leat_desc){ .window_bytes = WINDOW_BYTES, .read_bytes_max = CHUNK_SIZE, .ageing_ns = 1000 * NS_PER_S });
}

static void finish(fixture *x)
{
    stepped_finish(&x->f, &ends, x->submitted);
    assert_int_equal(x->f.s->reads_eager, 0);
    free(x->memory);
    stepped_close(&x->f);
}

/* A whole asset, one chunk, to memory at an odd place, so that it goes through the pool. */
static void submit(fixture *x, uint32_t asset, leat_priority priority, uint64_t deadline_after_ns)
{
    uint32_t number = x->submitted++;
    assert_true(number < COUNT);
    stepped_read(&x->f,
                 (leat_read_desc){ .asset = stepped_asset(&x->f, asset),
                                   .priority = priority,
                                   .deadline_ns = deadline_after_ns == 0 ? 0 : streamer_now(x->f.s) + deadline_after_ns,
                                   .bind = LEAT_BIND_CALLER,
                                   .memory = x->memory + (size_t)number * CHUNK_SIZE + 1,
                                   .memory_size = CHUNK_SIZE,
                                   .user = number });
}

/* All that can go out goes and comes back; nobody decodes it. */
static void read_all(fixture *x)
{
    stepped_pump(&x->f);
    while (x->f.s->reads_in_flight > 0) {
        stepped_complete(&x->f);
    }
}

static uint64_t issued(const fixture *x)
{
    return stepped_stats(&x->f).reads_issued;
}

static uint64_t decode_bytes(const fixture *x)
{
    return atomic_load(&x->f.s->decode_bytes);
}

/* How many more reads there are for one more request. */
static uint64_t reads_for(fixture *x, leat_priority priority, uint64_t deadline_after_ns)
{
    uint64_t before = issued(x);
    submit(x, x->submitted, priority, deadline_after_ns);
    read_all(x);
    return issued(x) - before;
}

static void a_full_decode_stage_has_room_for_a_hurry(void **state)
{
    (void)state;
    fixture x;
    setup(&x);
    uint64_t full = x.f.s->decode_bytes_high;
    while (decode_bytes(&x) < full) {
        assert_int_equal(reads_for(&x, LEAT_NORMAL, 0), 1);
    }
    assert_int_equal(reads_for(&x, LEAT_NORMAL, 0), 0);
    assert_int_equal(reads_for(&x, LEAT_NORMAL, FAR_NS), 0);
    submit(&x, x.submitted, LEAT_NORMAL, NEAR_NS);
    submit(&x, x.submitted, LEAT_HIGH, 0);
    uint64_t before = issued(&x);
    read_all(&x);
    assert_int_equal(issued(&x), before + 2);
    /* What was far when it was put off goes out when it is near. */
    atomic_fetch_add(&x.f.s->now_ns, FAR_NS - NEAR_NS);
    read_all(&x);
    assert_int_equal(issued(&x), before + 3);
    while (decode_bytes(&x) < full + full / 2) {
        assert_int_equal(reads_for(&x, LEAT_HIGH, 0), 1);
    }
    assert_int_equal(reads_for(&x, LEAT_HIGH, 0), 0);
    assert_int_equal(reads_for(&x, LEAT_URGENT, 0), 1);
    finish(&x);
}

static void a_full_window_is_watched_for_who_is_in_a_hurry(void **state)
{
    (void)state;
    fixture x;
    setup(&x);
    for (uint32_t i = 0; i < 8; ++i) {
        submit(&x, i, LEAT_NORMAL, 0);
    }
    stepped_pump(&x.f);
    assert_true(x.f.s->issue_blocked);
    assert_false(x.f.s->eager_waits);
    submit(&x, 8, LEAT_HIGH, 0);
    stepped_pump(&x.f);
    assert_true(x.f.s->eager_waits);
    while (x.f.s->eager_waits) { /* the completion of a read that nobody is in a hurry for is what it waits for */
        assert_int_equal(x.f.s->reads_eager, 0);
        stepped_complete(&x.f);
    }
    assert_int_equal(x.f.s->reads_eager, 1);
    finish(&x);
}

static void a_read_that_is_out_is_watched_for_who_joins_it(void **state)
{
    (void)state;
    fixture x;
    setup(&x);
    submit(&x, 0, LEAT_PREFETCH, 0);
    stepped_pump(&x.f);
    assert_int_equal(x.f.s->reads_in_flight, 1);
    submit(&x, 0, LEAT_PREFETCH, FAR_NS);
    stepped_pump(&x.f);
    assert_int_equal(x.f.s->reads_eager, 0);
    submit(&x, 0, LEAT_NORMAL, NEAR_NS);
    submit(&x, 0, LEAT_HIGH, 0); /* counted once */
    stepped_pump(&x.f);
    assert_int_equal(x.f.s->reads_eager, 1);
    assert_int_equal(stepped_stats(&x.f).chunks_shared, 3);
    assert_int_equal(issued(&x), 1);
    finish(&x);
}

/* So is a read whose only request gets into a hurry; an urgent one makes the workers offer their cores, until it ends.
 */
static void a_read_that_is_out_is_watched_for_who_is_raised(void **state)
{
    (void)state;
    static const leat_priority classes[] = { LEAT_NORMAL, LEAT_HIGH, LEAT_URGENT };
    for (uint32_t i = 0; i < COUNT_OF(classes); ++i) {
        fixture x;
        setup(&x);
        leat_request only = stepped_read(
            &x.f,
            (leat_read_desc){ .asset = stepped_asset(&x.f, 0), .priority = LEAT_PREFETCH, .user = x.submitted++ });
        stepped_pump(&x.f);
        assert_int_equal(x.f.s->reads_in_flight, 1);
        uint64_t far_ns = streamer_now(x.f.s) + FAR_NS, near_ns = streamer_now(x.f.s) + NEAR_NS;
        assert_int_equal(leat_reprioritise(x.f.s, only, LEAT_NORMAL, far_ns), LEAT_OK);
        stepped_pump(&x.f);
        assert_int_equal(x.f.s->reads_eager, 0);
        assert_int_equal(leat_reprioritise(x.f.s, only, classes[i], i == 0 ? near_ns : 0), LEAT_OK);
        assert_int_equal(leat_reprioritise(x.f.s, only, classes[i], i == 0 ? near_ns : 0), LEAT_OK);
        stepped_pump(&x.f);
        assert_int_equal(x.f.s->reads_eager, 1);
        assert_int_equal(atomic_load(&x.f.s->urgent_live), classes[i] == LEAT_URGENT ? 1 : 0);
        assert_int_equal(issued(&x), 1);
        stepped_complete(&x.f);
        assert_int_equal(decode_queued(x.f.s->decode), 1);
        assert_int_equal(leat_reprioritise(x.f.s, only, LEAT_URGENT, 0), LEAT_OK); /* if it is not by now */
        stepped_pump(&x.f);
        assert_int_equal(atomic_load(&x.f.s->urgent_live), 1);
        stepped_finish(&x.f, &ends, x.submitted);
        assert_int_equal(atomic_load(&x.f.s->urgent_live), 0);
        finish(&x);
    }
}

/* Who is urgent no more makes nobody offer a core, wherever it is by then: in the queue, being read, or read. */
static void who_is_lowered_is_urgent_no_more(void **state)
{
    (void)state;
    for (uint32_t stage = 0; stage < 3; ++stage) {
        fixture x;
        setup(&x);
        _Atomic uint32_t *urgent = &x.f.s->urgent_live;
        leat_request only = stepped_read(&x.f, (leat_read_desc){ .asset = stepped_asset(&x.f, 0),
                                                                 .priority = LEAT_URGENT,
                                                                 .bind = stage == 0 ? LEAT_BIND_LATE : LEAT_BIND_LEAT,
                                                                 .user = x.submitted++ });
        stepped_pump(&x.f);
        if (stage == 2) {
            stepped_complete(&x.f);
            assert_int_equal(decode_queued(x.f.s->decode), 1);
        }
        assert_int_equal(x.f.s->reads_eager, stage == 1 ? 1 : 0);
        assert_int_equal(atomic_load(urgent), 1);
        assert_int_equal(leat_reprioritise(x.f.s, only, LEAT_PREFETCH, 0), LEAT_OK);
        stepped_pump(&x.f);
        assert_int_equal(atomic_load(urgent), 0);
        assert_int_equal(x.f.s->reads_eager, 0);
        assert_int_equal(leat_reprioritise(x.f.s, only, LEAT_URGENT, 0), LEAT_OK); /* it may be so again */
        stepped_pump(&x.f);
        assert_int_equal(atomic_load(urgent), 1);
        if (stage == 0) {
            assert_int_equal(leat_bind(x.f.s, only, x.memory, CHUNK_SIZE), LEAT_OK);
        }
        stepped_finish(&x.f, &ends, x.submitted);
        assert_int_equal(atomic_load(urgent), 0);
        finish(&x);
    }
}

/* How often a waiting chunk was asked for its order. */
static uint32_t keys_asked;

static decode_key count_key(void *streamer, const decode_task *task)
{
    ++keys_asked;
    return reads_task_key(streamer, task);
}

static void count_keys(leat_streamer *s)
{
    decode_stop(s->decode);
    decode_destroy(s->decode);
    s->decode = decode_create(&(decode_desc){ .memory = &s->memory,
                                              .task_count_max = READ_COUNT_MAX * READ_TASK_COUNT_MAX,
                                              .hurry = &s->urgent_live,
                                              .owner = s,
                                              .wanted = finish_wanted,
                                              .fetch = finish_fetch,
                                              .done = finish_task,
                                              .key = count_key });
    assert_non_null(s->decode);
    keys_asked = 0;
}

/* An engine gives all requests of a full decode stage another order in one frame: what waits is looked through once,
 * not once for each. All are decoded in the new order, of which the last is the first. */
static void many_orders_are_one_look_at_what_waits(void **state)
{
    (void)state;
    enum { WAITING = 60 };
    fixture x;
    leat_reprioritise_desc orders[WAITING];
    setup(&x);
    count_keys(x.f.s);
    for (uint32_t i = 0; i < WAITING; ++i) {
        leat_read_desc read = { .asset = stepped_asset(&x.f, i), .priority = LEAT_NORMAL, .user = x.submitted++ };
        orders[i] = (leat_reprioritise_desc){ .request = stepped_read(&x.f, read),
                                              .priority = LEAT_HIGH,
                                              .deadline_ns = NS_PER_S * (1 + WAITING - i) };
        read_all(&x);
    }
    uint32_t waiting = decode_queued(x.f.s->decode);
    assert_in_range(waiting, WAITING / 2, WAITING);
    assert_int_equal(leat_reprioritise_many(x.f.s, orders, waiting, NULL), LEAT_OK);
    stepped_pump(&x.f);
    assert_int_equal(keys_asked, waiting);
    for (uint32_t i = 0; i < waiting; ++i) {
        assert_true(decode_step(x.f.s->decode));
    }
    stepped_take(&x.f, leat_update(x.f.s, &(leat_tick){ .now_ns = streamer_now(x.f.s) }), &ends, true);
    for (uint32_t i = 0; i < waiting; ++i) {
        assert_int_equal(ends.order[i], waiting - 1 - i);
    }
    finish(&x);
}

/* Chunks that were thought to be in the page cache, and were not: they wait to be read by the device, one at a time. */
static void expect_cached(fixture *x, leat_request *requests, uint32_t count)
{
    leat_streamer *s = x->f.s;
    pack_slot *slot = &s->packs[0];
    s->desc.backend = LEAT_BACKEND_THREADS; /* the simulated device says that it has none */
    slot->cached_score = 16;
    slot->cached_skip = count;
    for (uint32_t i = 0; i < count; ++i) {
        requests[i] = stepped_read(&x->f, (leat_read_desc){ .asset = stepped_asset(&x->f, i), .user = x->submitted++ });
        stepped_pump(&x->f);
    }
    s->desc.backend = LEAT_BACKEND_SIM;
    assert_int_equal(decode_queued(s->decode), count);
    int fd = slot->file.fd_buffered;
    slot->file.fd_buffered = -1;
    while (decode_step(s->decode)) {
    }
    slot->file.fd_buffered = fd;
    stepped_pump(&x->f);
    assert_int_equal(s->again_count + s->reads_in_flight, count);
}

/* What the page cache did not have fills the window. Who is urgent goes out on top of it, as ever, whether it is new or
 * one of those that wait, and the others in the order in which they came back. */
static void what_was_not_cached_keeps_nobody_urgent_waiting(void **state)
{
    (void)state;
    enum { LOST = 9 };
    fixture x;
    leat_request requests[LOST];
    setup(&x);
    expect_cached(&x, requests, LOST);
    uint32_t full = x.f.s->reads_in_flight;
    assert_in_range(full, 1, LOST - 2);
    submit(&x, LOST, LEAT_URGENT, 0);
    submit(&x, LOST + 1, LEAT_HIGH, 0);
    stepped_pump(&x.f);
    assert_int_equal(x.f.s->reads_in_flight, full + 1);
    assert_int_equal(leat_reprioritise(x.f.s, requests[LOST - 1], LEAT_URGENT, 0), LEAT_OK);
    stepped_pump(&x.f);
    assert_int_equal(x.f.s->reads_in_flight, full + 2);
    assert_int_equal(x.f.s->again_count, LOST - full - 1);
    assert_true(x.f.s->eager_waits);
    finish(&x);
}

/* One device, and how many reads it takes to bring 2 MiB of neighbours, after some that have shown how quick it is. */
static void learn(stepped *f, uint64_t bytes_per_second)
{
    ends = (stepped_ends){ 0 };
    f->sim.bytes_per_second = bytes_per_second;
    stepped_open(f, 2 * COUNT, CHUNK_SIZE, (leat_desc){ .pool_bytes = MIB(8) });
    for (uint32_t i = 0; i < COUNT; ++i) {
        stepped_read(f, (leat_read_desc){ .asset = stepped_asset(f, stepped_on_disk(f, i)), .user = i });
    }
    stepped_finish(f, &ends, COUNT);
}

static uint64_t reads_for_2_mib(stepped *f)
{
    uint64_t before = stepped_stats(f).reads_issued;
    ends = (stepped_ends){ 0 };
    for (uint32_t i = 0; i < MIB(2) / CHUNK_SIZE; ++i) {
        stepped_read(f, (leat_read_desc){ .asset = stepped_asset(f, stepped_on_disk(f, COUNT + i)), .user = i });
    }
    stepped_finish(f, &ends, MIB(2) / CHUNK_SIZE);
    return stepped_stats(f).reads_issued - before;
}

static void long_reads_are_for_the_calm(void **state)
{
    (void)state;
    stepped f = { 0 };
    learn(&f, UINT64_C(3500000000));
    assert_int_equal(reads_for_2_mib(&f), 2);
    stepped_read(&f, (leat_read_desc){ .asset = stepped_asset(&f, 0), .priority = LEAT_HIGH });
    ends = (stepped_ends){ 0 };
    stepped_finish(&f, &ends, 1);
    assert_int_equal(reads_for_2_mib(&f), 4);
    atomic_fetch_add(&f.s->now_ns, 11 * NS_PER_S);
    assert_int_equal(reads_for_2_mib(&f), 2);
    stepped_close(&f);
}

static void a_slow_device_gets_short_reads(void **state)
{
    (void)state;
    stepped f = { 0 };
    learn(&f, UINT64_C(500000000));
    assert_in_range(reads_for_2_mib(&f), 4, 6);
    stepped_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_decode_stage_has_room_for_a_hurry),
        cmocka_unit_test(a_full_window_is_watched_for_who_is_in_a_hurry),
        cmocka_unit_test(a_read_that_is_out_is_watched_for_who_joins_it),
        cmocka_unit_test(a_read_that_is_out_is_watched_for_who_is_raised),
        cmocka_unit_test(many_orders_are_one_look_at_what_waits),
        cmocka_unit_test(who_is_lowered_is_urgent_no_more),
        cmocka_unit_test(what_was_not_cached_keeps_nobody_urgent_waiting),
        cmocka_unit_test(long_reads_are_for_the_calm),
        cmocka_unit_test(a_slow_device_gets_short_reads),
    };
    return cmocka_run_group_tests_name("hurry", tests, NULL, NULL);
}
