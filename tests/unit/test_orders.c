/* Shows what is said of a deadline that a request is given after its submit, by leat_reprioritise: the same as if it
 * had been submitted with it, once for each deadline, at most so many looked at in a round of the I/O thread, and
 * counted as met or missed by the last one. On a simulated SATA drive that is known by then, and a virtual clock. */
#include "stepped.h"

#include <stdlib.h>

#define WISH_COUNT 400u
#define STEP_NS (NS_PER_MS / 4)
#define JUDGED_A_ROUND_MAX 256u /* deadlines.c */
#define BYTES_PER_SECOND 200000000u

typedef struct wish {
    uint64_t deadline_ns;
    uint32_t late_count;
    bool missed;
} wish;

typedef struct world {
    stepped f;
    leat_request handles[WISH_COUNT + 1];
    wish wishes[WISH_COUNT + 1];
    uint64_t submitted_ns;
    uint32_t ended;
} world;

static uint8_t block[CHUNK_SIZE]; /* of all: nobody looks at the bytes */

static void take(world *w, leat_events events)
{
    for (uint32_t i = 0; i < events.count; ++i) {
        const leat_event *e = &events.items[i];
        wish *of = &w->wishes[e->user];
        if (e->type == LEAT_EVENT_LATE) {
            ++of->late_count;
            continue;
        }
        assert_int_equal(e->type, LEAT_EVENT_READY);
        of->missed = w->submitted_ns + e->latency_ns > of->deadline_ns;
        ++w->ended;
    }
}

static void step(world *w)
{
    take(w, leat_update(w->f.s, &(leat_tick){ .now_ns = streamer_now(w->f.s) + STEP_NS }));
}

static void submit(world *w, uint32_t number, leat_read_desc read)
{
    read.bind = LEAT_BIND_CALLER;
    read.memory = block;
    read.memory_size = sizeof(block);
    read.user = number;
    w->handles[number] = stepped_read(&w->f, read);
}

static void finish(world *w, uint32_t count)
{
    while (w->ended < count) {
        step(w);
    }
}

/* A streamer that knows its device, and has got mail of all the requests. */
static void begin(world *w)
{
    *w = (world){ .f = { .sim = leat_sim_preset("sata") } };
    w->f.sim.bytes_per_second = BYTES_PER_SECOND;
    stepped_open(&w->f, WISH_COUNT, CHUNK_SIZE, (leat_desc){ .ageing_ns = 60 * NS_PER_S });
    for (uint32_t i = 0; i < WISH_COUNT; ++i) {
        submit(w, i, (leat_read_desc){ .asset = stepped_asset(&w->f, i) });
    }
    finish(w, WISH_COUNT);
    assert_int_equal(window_knows(w->f.s->window), WINDOW_KNOWS);
    w->ended = 0;
    for (uint32_t i = 0; i < 40; ++i) { /* what came then is forgotten as a flow of more to come */
        leat_update(w->f.s, &(leat_tick){ .now_ns = streamer_now(w->f.s) + 100 * NS_PER_MS });
    }
    w->submitted_ns = streamer_now(w->f.s);
    for (uint32_t i = 0; i < WISH_COUNT; ++i) {
        submit(w, i, (leat_read_desc){ .asset = stepped_asset(&w->f, i) });
    }
}

typedef struct tally {
    uint32_t missed, announced, alarms, silent; /* announced, and ready in time; missed, and not announced */
} tally;

static tally count(const world *w)
{
    tally t = { 0 };
    for (uint32_t i = 0; i < WISH_COUNT; ++i) {
        const wish *of = &w->wishes[i];
        assert_true(of->late_count <= 1);
        t.missed += of->missed;
        t.announced += of->late_count;
        t.alarms += of->late_count > 0 && !of->missed;
        t.silent += of->late_count == 0 && of->missed;
    }
    return t;
}

/* All at once, each its own deadline, or all the same. */
static void give_deadlines(world *w, uint64_t last_ns, bool same)
{
    leat_reprioritise_desc orders[WISH_COUNT];
    uint64_t random = 7, taken_ns = streamer_now(w->f.s);
    for (uint32_t i = 0; i < WISH_COUNT; ++i) {
        w->wishes[i].deadline_ns = taken_ns + (same ? last_ns : NS_PER_MS + unit_below(&random, last_ns));
        orders[i] = (leat_reprioritise_desc){ .request = w->handles[i], .deadline_ns = w->wishes[i].deadline_ns };
    }
    assert_int_equal(leat_reprioritise_many(w->f.s, orders, WISH_COUNT, NULL), LEAT_OK);
}

static tally run(uint64_t last_ns, bool same)
{
    world *w = calloc(1, sizeof(*w));
    begin(w);
    give_deadlines(w, last_ns, same);
    finish(w, WISH_COUNT);
    tally t = count(w);
    print_message("%s within %3u ms: %u missed, %u announced, %u false alarms, %u silent\n",
                  same ? "all the same," : "each its own,", (uint32_t)(last_ns / NS_PER_MS), t.missed, t.announced,
                  t.alarms, t.silent);
    assert_int_equal(stepped_stats(&w->f).deadlines_missed, t.missed);
    stepped_close(&w->f);
    free(w);
    return t;
}

/* All that is wanted takes 131 ms. */
static void an_order_is_judged_as_a_submit(void **state)
{
    (void)state;
    tally t = run(80 * NS_PER_MS, false);
    assert_true(t.missed > WISH_COUNT / 2 && t.alarms + t.silent <= WISH_COUNT / 20);
    t = run(200 * NS_PER_MS, false);
    assert_true(t.missed == 0 && t.alarms <= WISH_COUNT / 20);
}

/* Who of those is late is decided by the order on disk, and not known; how many are, is. */
static void of_equal_deadlines_the_first_can_be_met(void **state)
{
    (void)state;
    tally t = run(60 * NS_PER_MS, true);
    assert_true(t.missed > WISH_COUNT / 3 && t.missed < WISH_COUNT * 2 / 3);
    assert_true(t.announced + WISH_COUNT / 10 >= t.missed && t.announced <= t.missed + WISH_COUNT / 10);
    assert_int_equal(run(200 * NS_PER_MS, true).announced, 0);
}

static void order(world *w, uint32_t number, leat_priority priority, uint64_t deadline_ns)
{
    w->wishes[number].deadline_ns = deadline_ns;
    assert_int_equal(leat_reprioritise(w->f.s, w->handles[number], priority, deadline_ns), LEAT_OK);
}

static void it_is_said_once_for_each_deadline(void **state)
{
    (void)state;
    world *w = calloc(1, sizeof(*w));
    begin(w);
    wish *last = &w->wishes[WISH_COUNT - 1];
    step(w);
    uint64_t now_ns = streamer_now(w->f.s);
    for (uint32_t i = 0; i < 3; ++i) { /* each nearer than the one before, and told twice */
        for (uint32_t twice = 0; twice < 2; ++twice) {
            order(w, WISH_COUNT - 1, LEAT_PREFETCH, now_ns + (80 - i) * NS_PER_MS);
            step(w);
            assert_int_equal(last->late_count, i + 1);
        }
    }
    order(w, WISH_COUNT - 1, LEAT_HIGH, now_ns + 70 * NS_PER_MS); /* this can be met */
    step(w);
    assert_int_equal(last->late_count, 3);
    order(w, WISH_COUNT - 1, LEAT_PREFETCH, now_ns + 70 * NS_PER_MS); /* the same in a lower class cannot */
    step(w);
    assert_int_equal(last->late_count, 4);
    order(w, WISH_COUNT - 1, LEAT_PREFETCH, now_ns + 10 * NS_PER_S);
    step(w);
    order(w, WISH_COUNT - 1, LEAT_PREFETCH, 0);
    step(w);
    assert_int_equal(last->late_count, 4);
    stepped_close(&w->f);
    free(w);
}

/* Two of them before the engine looks: there is room for one in the ring of posts (post_ring.h). */
static void what_was_not_taken_yet_is_told_once(void **state)
{
    (void)state;
    world *w = calloc(1, sizeof(*w));
    begin(w);
    for (uint32_t i = 0; i < 3; ++i) {
        order(w, WISH_COUNT - 1, LEAT_PREFETCH, streamer_now(w->f.s) + (3 - i) * NS_PER_MS);
        stepped_pump(&w->f);
    }
    assert_int_equal(stepped_stats(&w->f).deadlines_announced, 3);
    assert_int_equal(stepped_stats(&w->f).events_waiting, 1);
    take(w, stepped_update(&w->f));
    assert_int_equal(w->wishes[WISH_COUNT - 1].late_count, 1);
    stepped_close(&w->f);
    free(w);
}

static void a_round_looks_at_so_many(void **state)
{
    (void)state;
    world *w = calloc(1, sizeof(*w));
    begin(w);
    give_deadlines(w, NS_PER_MS, true); /* too soon for all of them but some */
    assert_true(pump_run(w->f.s, streamer_now(w->f.s))); /* it does not sleep before it has looked at all */
    uint64_t announced = stepped_stats(&w->f).deadlines_announced;
    assert_true(announced > JUDGED_A_ROUND_MAX / 2 && announced <= JUDGED_A_ROUND_MAX);
    stepped_pump(&w->f);
    announced = stepped_stats(&w->f).deadlines_announced;
    assert_true(announced > JUDGED_A_ROUND_MAX && announced <= WISH_COUNT);
    stepped_close(&w->f);
    free(w);
}

static void the_last_deadline_is_the_one_that_counts(void **state)
{
    (void)state;
    world *w = calloc(1, sizeof(*w));
    begin(w);
    leat_read_desc read = { .asset = stepped_asset(&w->f, 0), .deadline_ns = streamer_now(w->f.s) + NS_PER_MS };
    submit(w, WISH_COUNT, read); /* behind all others */
    order(w, WISH_COUNT, LEAT_PREFETCH, streamer_now(w->f.s) + 10 * NS_PER_S);
    order(w, 0, LEAT_PREFETCH, streamer_now(w->f.s) + NS_PER_MS);
    order(w, 1, LEAT_PREFETCH, streamer_now(w->f.s) + NS_PER_MS);
    order(w, 1, LEAT_PREFETCH, 0);
    finish(w, WISH_COUNT + 1);
    assert_int_equal(stepped_stats(&w->f).deadlines_met, 1);
    assert_int_equal(stepped_stats(&w->f).deadlines_missed, 1);
    stepped_close(&w->f);
    free(w);
}

/* ---- Coarser parts ---- */

#define LENT_BYTES MIB(2)

typedef struct textures {
    stream_fixture f;
    uint32_t largest;
} textures;

static void textures_begin(textures *x)
{
    *x = (textures){ .f.sim = leat_sim_preset("sd") };
    test_pack_desc pack = { .seed = 3,
                            .asset_count = 40,
                            .size_min = 10,
                            .size_max = 1000,
                            .textures = true,
                            .texture_edge_log2_max = 9,
                            .chunk_raw_size = 16u << 10,
                            .stored_every = 1 };
    leat_desc desc = { .backend = LEAT_BACKEND_SIM,
                       .stepped = true,
                       .sim = &x->f.sim,
                       .logger.log = fixture_quiet,
                       .lent_bytes = LENT_BYTES };
    fixture_open(&x->f, &pack, &desc);
    for (uint32_t i = 0; i < x->f.pack.asset_count; ++i) {
        x->largest = x->f.pack.assets[i].raw_size > x->f.pack.assets[x->largest].raw_size ? i : x->largest;
    }
    for (uint32_t i = 0; i < 40; ++i) { /* so that the device is known */
        stepped_read(&x->f, (leat_read_desc){ .asset = fixture_asset(&x->f, x->largest) });
        leat_events events = leat_wait(x->f.s, 10 * NS_PER_S);
        assert_int_equal(events.count, 1);
        leat_release(x->f.s, events.items[0].request);
    }
    leat_update(x->f.s, &(leat_tick){ .now_ns = 60 * NS_PER_S });
}

/* The next event, when the texture was asked for without a deadline and gets this one. */
static leat_event after_order(textures *x, leat_read_desc read, uint64_t after_ns)
{
    read.asset = fixture_asset(&x->f, x->largest);
    leat_request handle = stepped_read(&x->f, read);
    if (read.bind == LEAT_BIND_LATE) {
        assert_int_equal(leat_update(x->f.s, NULL).items[0].type, LEAT_EVENT_NEEDS_MEMORY);
    }
    uint64_t deadline_ns = streamer_now(x->f.s) + after_ns;
    assert_int_equal(leat_reprioritise(x->f.s, handle, LEAT_NORMAL, deadline_ns), LEAT_OK);
    leat_events events = leat_wait(x->f.s, 10 * NS_PER_S);
    assert_int_equal(events.count, 1);
    return events.items[0];
}

static void the_part_that_is_possible_is_told_or_taken(void **state)
{
    (void)state;
    textures x;
    textures_begin(&x);
    uint64_t whole = x.f.pack.assets[x.largest].raw_size;
    leat_event e = after_order(&x, (leat_read_desc){ 0 }, 12 * NS_PER_MS);
    assert_int_equal(e.type, LEAT_EVENT_LATE);
    assert_int_equal(e.part_possible.kind, LEAT_PART_MIPS);
    assert_true(e.part_possible.first > 0);
    e = leat_wait(x.f.s, 10 * NS_PER_S).items[0];
    assert_int_equal(e.size, whole);
    leat_release(x.f.s, e.request);
    e = after_order(&x, (leat_read_desc){ .flags = LEAT_READ_DEGRADE }, 12 * NS_PER_MS);
    assert_int_equal(e.type, LEAT_EVENT_READY);
    assert_true(e.part_possible.first > 0 && e.size > 0 && e.size < whole);
    assert_memory_equal(e.data, fixture_raw(&x.f, x.largest), e.size);
    leat_release(x.f.s, e.request);
    /* Where memory was asked for by the size, that stays. */
    e = after_order(&x, (leat_read_desc){ .bind = LEAT_BIND_LATE, .flags = LEAT_READ_DEGRADE }, 12 * NS_PER_MS);
    assert_int_equal(e.type, LEAT_EVENT_LATE);
    assert_int_equal(e.part_possible.kind, LEAT_PART_ALL);
    fixture_close(&x.f);
}

/* Behind many others it stays queued while its deadline is changed: each nearer one takes more away, and a farther one
 * gives nothing back. */
static void what_was_given_up_stays_so(void **state)
{
    (void)state;
    textures x;
    textures_begin(&x);
    for (uint32_t i = 0; i < x.f.pack.asset_count; ++i) {
        if (i != x.largest) {
            stepped_read(&x.f, (leat_read_desc){ .asset = fixture_asset(&x.f, i), .priority = LEAT_HIGH });
        }
    }
    leat_read_desc read = { .asset = fixture_asset(&x.f, x.largest), .flags = LEAT_READ_DEGRADE };
    leat_request handle = stepped_read(&x.f, read);
    uint64_t now_ns = streamer_now(x.f.s), before = UINT64_MAX;
    static const struct {
        uint64_t after_ns;
        bool less;
    } ORDERS[] = { { 20 * NS_PER_MS, true }, { 10 * NS_PER_S, false }, { 4 * NS_PER_MS, true }, { NS_PER_US, false } };
    for (uint32_t i = 0; i < COUNT_OF(ORDERS); ++i) {
        assert_int_equal(leat_reprioritise(x.f.s, handle, LEAT_NORMAL, now_ns + ORDERS[i].after_ns), LEAT_OK);
        stepped_pump(&x.f);
        uint64_t size = x.f.s->requests[handle.index].size;
        assert_true(ORDERS[i].less ? size < before : size == before);
        before = size;
    }
    leat_event last = { 0 };
    uint32_t late_count = 0;
    while (last.type != LEAT_EVENT_READY) {
        leat_events events = leat_wait(x.f.s, 10 * NS_PER_S);
        for (uint32_t i = 0; i < events.count; ++i) {
            late_count += events.items[i].type == LEAT_EVENT_LATE;
            last = events.items[i].request.index == handle.index ? events.items[i] : last;
        }
    }
    assert_int_equal(late_count, 1); /* of the last deadline, for which nothing is coarse enough */
    assert_int_equal(last.size, before);
    assert_int_equal(last.part_possible.kind, LEAT_PART_MIPS);
    uint64_t offset, size;
    assert_int_equal(leat_asset_part(x.f.s, last.asset, &last.part_possible, &offset, &size), LEAT_OK);
    assert_true(offset == 0 && size == before);
    fixture_close(&x.f);
}

/* Who was degraded was told nothing: with a lower class there is more ahead of it, and it is judged again. */
static void who_was_degraded_is_judged_in_a_lower_class(void **state)
{
    (void)state;
    textures x;
    textures_begin(&x);
    for (uint32_t i = 0; i < x.f.pack.asset_count; ++i) { /* most are ahead of it now, all of them later */
        if (i != x.largest) {
            leat_priority priority = i % 4 != 0 ? LEAT_HIGH : LEAT_NORMAL;
            stepped_read(&x.f, (leat_read_desc){ .asset = fixture_asset(&x.f, i), .priority = priority });
        }
    }
    leat_read_desc read = { .asset = fixture_asset(&x.f, x.largest),
                            .flags = LEAT_READ_DEGRADE,
                            .deadline_ns = streamer_now(x.f.s) + 20 * NS_PER_MS };
    leat_request handle = stepped_read(&x.f, read);
    stepped_pump(&x.f);
    const request *r = &x.f.s->requests[handle.index];
    assert_true(r->degraded && r->size < x.f.pack.assets[x.largest].raw_size);
    assert_int_equal(r->verdict, VERDICT_OPEN);
    uint64_t before_ns = r->predicted_ns;
    assert_int_equal(leat_reprioritise(x.f.s, handle, LEAT_PREFETCH, read.deadline_ns), LEAT_OK);
    stepped_pump(&x.f);
    assert_true(r->predicted_ns != before_ns);
    fixture_close(&x.f);
}

/* All of it would have to wait until memory comes free; what can come in time has room. */
static void less_may_fit_into_what_memory_there_is(void **state)
{
    (void)state;
    textures x;
    textures_begin(&x);
    uint64_t whole = x.f.pack.assets[x.largest].raw_size;
    uint64_t lent = 0;
    while (lent + whole <= LENT_BYTES) {
        stepped_read(&x.f, (leat_read_desc){ .asset = fixture_asset(&x.f, x.largest) });
        assert_int_equal(leat_wait(x.f.s, 10 * NS_PER_S).count, 1);
        lent = stepped_stats(&x.f).lent_bytes_used;
    }
    assert_true(lent < LENT_BYTES);
    leat_read_desc read = { .asset = fixture_asset(&x.f, x.largest), .flags = LEAT_READ_DEGRADE };
    leat_request handle = stepped_read(&x.f, read);
    assert_int_equal(leat_update(x.f.s, NULL).count, 0);
    assert_int_equal(stepped_stats(&x.f).requests_waiting_memory, 1);
    uint64_t deadline_ns = streamer_now(x.f.s) + 15 * NS_PER_MS;
    assert_int_equal(leat_reprioritise(x.f.s, handle, LEAT_NORMAL, deadline_ns), LEAT_OK);
    leat_events events = leat_wait(x.f.s, 10 * NS_PER_S);
    assert_int_equal(events.count, 1);
    assert_int_equal(events.items[0].type, LEAT_EVENT_READY);
    assert_true(events.items[0].part_possible.first > 0);
    fixture_close(&x.f);
}

/* What is freed is too little for the first of those that wait, who keeps it from the second. When it wants less, there
 * is room for both. */
static void who_waits_behind_a_degraded_one_is_looked_at(void **state)
{
    (void)state;
    textures x;
    textures_begin(&x);
    leat_read_desc small = { .asset = fixture_asset(&x.f, x.largest),
                             .part = { .kind = LEAT_PART_BYTES, .size = 65000 } };
    leat_request lent[64];
    uint32_t count = 0;
    do {
        assert_true(count < COUNT_OF(lent));
        lent[count++] = stepped_read(&x.f, small);
        leat_wait(x.f.s, 50 * NS_PER_MS);
    } while (stepped_stats(&x.f).requests_waiting_memory == 0);
    leat_read_desc large = { .asset = small.asset, .flags = LEAT_READ_DEGRADE, .priority = LEAT_HIGH };
    leat_request first = stepped_read(&x.f, large);
    leat_update(x.f.s, NULL);
    assert_int_equal(stepped_stats(&x.f).requests_waiting_memory, 2);
    for (uint32_t i = 0; i < 4; ++i) {
        assert_int_equal(leat_release(x.f.s, lent[i]), LEAT_OK);
    }
    assert_int_equal(leat_wait(x.f.s, 50 * NS_PER_MS).count, 0);
    assert_int_equal(leat_reprioritise(x.f.s, first, LEAT_HIGH, streamer_now(x.f.s) + 8 * NS_PER_MS), LEAT_OK);
    uint32_t ready = 0; /* before ageing would look */
    for (uint32_t i = 0; i < 4; ++i) {
        leat_events events = leat_wait(x.f.s, 50 * NS_PER_MS);
        for (uint32_t k = 0; k < events.count; ++k) {
            ready += events.items[k].type == LEAT_EVENT_READY;
        }
    }
    assert_int_equal(ready, 2);
    fixture_close(&x.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_is_judged_as_a_submit),
        cmocka_unit_test(of_equal_deadlines_the_first_can_be_met),
        cmocka_unit_test(it_is_said_once_for_each_deadline),
        cmocka_unit_test(what_was_not_taken_yet_is_told_once),
        cmocka_unit_test(a_round_looks_at_so_many),
        cmocka_unit_test(the_last_deadline_is_the_one_that_counts),
        cmocka_unit_test(the_part_that_is_possible_is_told_or_taken),
        cmocka_unit_test(what_was_given_up_stays_so),
        cmocka_unit_test(who_was_degraded_is_judged_in_a_lower_class),
        cmocka_unit_test(who_waits_behind_a_degraded_one_is_looked_at),
        cmocka_unit_test(less_may_fit_into_what_memory_there_is),
    };
    return cmocka_run_group_tests_name("orders", tests, NULL, NULL);
}
