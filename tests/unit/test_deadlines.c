/* Shows what deadlines are worth, on a simulated SATA drive and a virtual clock, through the whole streamer: at 80 %
 * load none is missed; at 150 % only the lowest class misses, and 99 % of those that do were told at admission; and a
 * request that may degrade takes the coarser part that can come in time, also where that is known only some reads after
 * it was admitted, or when it has waited for memory. What a cold start is told on other devices: test_cold.c. */
#include "unit.h"

#include "test_pack.h"

#include <leat/leat.h>
#include <leat/sim.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STEP_NS NS_PER_MS
#define DEVICE_BYTES_PER_SECOND 200000000.0
#define ASSET_BYTES 65536u /* one chunk each */

typedef struct tally {
    uint32_t submitted[LEAT_PRIORITY_COUNT], missed[LEAT_PRIORITY_COUNT];
    uint32_t missed_announced, announced;
} tally;

typedef struct wish {
    uint64_t deadline_ns;
    leat_priority priority;
    bool announced;
} wish;

static void quiet(leat_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

static leat_streamer *create(const leat_sim_desc *sim)
{
    leat_streamer *s;
    leat_desc desc = { .backend = LEAT_BACKEND_SIM,
                       .stepped = true,
                       .sim = sim,
                       .memory_bytes_max = MIB(512),
                       .lent_bytes = MIB(400),
                       .read_bytes_max = 128u << 10,
                       .ageing_ns = 60 * NS_PER_S,
                       .logger = { .log = quiet } };
    assert_int_equal(leat_create(&desc, &s), LEAT_OK);
    return s;
}

static void take(leat_streamer *s, leat_events events, wish *wishes, uint64_t now_ns, tally *t)
{
    for (uint32_t i = 0; i < events.count; ++i) {
        const leat_event *e = &events.items[i];
        wish *w = &wishes[e->user];
        if (e->type == LEAT_EVENT_LATE) {
            w->announced = true;
            ++t->announced;
            continue;
        }
        assert_int_equal(e->type, LEAT_EVENT_READY);
        if (now_ns > w->deadline_ns + STEP_NS) { /* the clock moves in steps */
            ++t->missed[w->priority];
            t->missed_announced += w->announced;
        }
        leat_release(s, e->request);
    }
}

/* Requests arrive evenly, one tenth urgent-free: a quarter high, a third normal, the rest prefetch. */
static void run(double load, uint64_t seconds, tally *t)
{
    test_pack pack;
    char path[SCRATCH_SIZE];
    test_pack_make(
        &(test_pack_desc){
            .seed = 3, .asset_count = 400, .size_min = ASSET_BYTES, .size_max = ASSET_BYTES, .stored_every = 1 },
        &pack);
    test_pack_write(&pack, path);
    leat_sim_desc sim = leat_sim_preset("sata");
    sim.bytes_per_second = (uint64_t)DEVICE_BYTES_PER_SECOND;
    sim.seed = 9;
    leat_streamer *s = create(&sim);
    leat_pack handle;
    assert_int_equal(leat_pack_open(s, path, NULL, &handle), LEAT_OK);
    uint64_t random = 4, now_ns = 0;
    double owed = 0;
    wish *wishes = calloc(200000, sizeof(*wishes));
    uint32_t count = 0;
    *t = (tally){ 0 };
    for (; now_ns < seconds * NS_PER_S; now_ns += STEP_NS) {
        for (owed += load * DEVICE_BYTES_PER_SECOND * (double)STEP_NS / (double)NS_PER_S; owed > 0; owed -= 66000) {
            uint64_t die = unit_below(&random, 100);
            wishes[count] = (wish){ .priority = die < 25   ? LEAT_HIGH
                                                : die < 58 ? LEAT_NORMAL
                                                           : LEAT_PREFETCH,
                                    .deadline_ns = now_ns + 100 * NS_PER_MS + unit_below(&random, 300 * NS_PER_MS) };
            ++t->submitted[wishes[count].priority];
            leat_read_desc read = { .asset = leat_asset_at(s, handle, (uint32_t)unit_below(&random, 400)),
                                    .priority = wishes[count].priority,
                                    .deadline_ns = wishes[count].deadline_ns,
                                    .user = count };
            assert_int_equal(leat_read(s, &read, NULL), LEAT_OK);
            ++count;
        }
        take(s, leat_update(s, &(leat_tick){ .now_ns = now_ns }), wishes, now_ns, t);
    }
    leat_stats stats;
    leat_stats_get(s, &stats);
    while (stats.requests_ready < count) { /* the rest, late as it is */
        now_ns += STEP_NS;
        take(s, leat_update(s, &(leat_tick){ .now_ns = now_ns }), wishes, now_ns, t);
        leat_stats_get(s, &stats);
    }
    print_message("load %.0f %%: %u high, %u normal, %u prefetch; missed %u, %u, %u; %u announced, %u of the missed\n",
                  load * 100, t->submitted[LEAT_HIGH], t->submitted[LEAT_NORMAL], t->submitted[LEAT_PREFETCH],
                  t->missed[LEAT_HIGH], t->missed[LEAT_NORMAL], t->missed[LEAT_PREFETCH], t->announced,
                  t->missed_announced);
    leat_destroy(s);
    free(wishes);
    unlink(path);
    test_pack_free(&pack);
}

static void nothing_is_missed_at_80_percent(void **state)
{
    (void)state;
    tally t;
    run(0.8, 3, &t);
    assert_int_equal(t.missed[LEAT_HIGH] + t.missed[LEAT_NORMAL] + t.missed[LEAT_PREFETCH], 0);
    assert_true(t.announced * 100 <= t.submitted[LEAT_HIGH] + t.submitted[LEAT_NORMAL] + t.submitted[LEAT_PREFETCH]);
}

static void the_lowest_class_misses_and_was_told_at_150_percent(void **state)
{
    (void)state;
    tally t;
    run(1.5, 3, &t);
    assert_int_equal(t.missed[LEAT_HIGH] + t.missed[LEAT_NORMAL], 0);
    assert_true(t.missed[LEAT_PREFETCH] > 100);
    assert_true(t.missed_announced * 100 >= t.missed[LEAT_PREFETCH] * 99);
}

/* What can be had coarser. */
static const test_pack_desc textures = { .seed = 3,
                                         .asset_count = 20,
                                         .size_min = 10,
                                         .size_max = 1000,
                                         .textures = true,
                                         .chunk_raw_size = 16u << 10,
                                         .stored_every = 1 };

static void a_request_may_degrade(void **state)
{
    (void)state;
    test_pack pack;
    char path[SCRATCH_SIZE];
    test_pack_make(&textures, &pack);
    test_pack_write(&pack, path);
    leat_sim_desc sim = leat_sim_preset("sd");
    leat_streamer *s = create(&sim);
    leat_pack handle;
    assert_int_equal(leat_pack_open(s, path, NULL, &handle), LEAT_OK);
    uint32_t largest = 0;
    for (uint32_t i = 0; i < pack.asset_count; ++i) {
        largest = pack.assets[i].raw_size > pack.assets[largest].raw_size ? i : largest;
    }
    leat_asset asset = leat_asset_at(s, handle, largest);
    leat_events events;
    for (uint32_t i = 0; i < 40; ++i) { /* so that the device is known */
        assert_int_equal(leat_read(s, &(leat_read_desc){ .asset = asset }, NULL), LEAT_OK);
        events = leat_wait(s, 10 * NS_PER_S);
        assert_int_equal(events.count, 1);
        leat_release(s, events.items[0].request);
    }
    uint64_t now_ns = 60 * NS_PER_S;
    leat_update(s, &(leat_tick){ .now_ns = now_ns });
    leat_read_desc read = { .asset = asset, .deadline_ns = now_ns + 30 * NS_PER_MS, .flags = LEAT_READ_DEGRADE };
    assert_int_equal(leat_read(s, &read, NULL), LEAT_OK);
    events = leat_wait(s, 10 * NS_PER_S);
    assert_int_equal(events.count, 1);
    const leat_event *e = &events.items[0];
    assert_int_equal(e->type, LEAT_EVENT_READY);
    assert_int_equal(e->part_possible.kind, LEAT_PART_MIPS);
    assert_true(e->part_possible.first > 0);
    assert_true(e->size < pack.assets[largest].raw_size && e->size > 0);
    assert_memory_equal(e->data, pack.raw + pack.assets[largest].raw_offset, e->size);
    leat_release(s, e->request);
    read.flags = 0; /* without leave it is told, and gets all, late */
    read.deadline_ns += 10 * NS_PER_S;
    leat_update(s, &(leat_tick){ .now_ns = read.deadline_ns - 30 * NS_PER_MS });
    assert_int_equal(leat_read(s, &read, NULL), LEAT_OK);
    events = leat_update(s, NULL);
    assert_int_equal(events.count, 1);
    assert_int_equal(events.items[0].type, LEAT_EVENT_LATE);
    assert_true(events.items[0].part_possible.first > 0);
    events = leat_wait(s, 10 * NS_PER_S);
    assert_int_equal(events.items[0].size, pack.assets[largest].raw_size);
    leat_destroy(s);
    unlink(path);
    test_pack_free(&pack);
}

/* The first requests of a streamer: one texture behind many others, whose deadline nobody can judge yet. When it ends
 * if its deadline is so far away; 0: none. */
static uint64_t run_cold(const char *path, const test_pack *pack, uint64_t deadline_ns, uint32_t flags, leat_event *end,
                         uint32_t *late_count)
{
    leat_sim_desc sim = leat_sim_preset("sd");
    leat_streamer *s = create(&sim);
    leat_pack handle;
    assert_int_equal(leat_pack_open(s, path, NULL, &handle), LEAT_OK);
    uint32_t largest = 0, ended = 0;
    for (uint32_t i = 0; i < pack->asset_count; ++i) {
        largest = pack->assets[i].raw_size > pack->assets[largest].raw_size ? i : largest;
    }
    leat_update(s, &(leat_tick){ .now_ns = NS_PER_S });
    for (uint32_t i = 0; i < pack->asset_count; ++i) {
        leat_read_desc read = { .asset = leat_asset_at(s, handle, i), .priority = LEAT_HIGH, .user = i };
        if (i == largest) {
            read.priority = LEAT_PREFETCH;
            read.deadline_ns = deadline_ns == 0 ? 0 : NS_PER_S + deadline_ns;
            read.flags = flags;
        }
        assert_int_equal(leat_read(s, &read, NULL), LEAT_OK);
    }
    *late_count = 0;
    assert_int_equal(leat_update(s, NULL).count, 0); /* nothing is said of what is not known */
    while (ended < pack->asset_count) {
        leat_events events = leat_wait(s, 10 * NS_PER_S);
        assert_int_not_equal(events.count, 0);
        for (uint32_t i = 0; i < events.count; ++i) {
            const leat_event *e = &events.items[i];
            bool late = e->type == LEAT_EVENT_LATE;
            assert_true(late ? e->user == largest && e->part_possible.first > 0 : e->type == LEAT_EVENT_READY);
            *late_count += late;
            ended += !late;
            *end = !late && e->user == largest ? *e : *end;
            if (!late) {
                leat_release(s, e->request);
            }
        }
    }
    leat_destroy(s);
    return end->latency_ns;
}

static void what_was_not_known_is_said_when_it_is(void **state)
{
    (void)state;
    test_pack pack;
    char path[SCRATCH_SIZE];
    test_pack_make(&(test_pack_desc){ .seed = 3,
                                      .asset_count = 40,
                                      .size_min = 10,
                                      .size_max = 1000,
                                      .textures = true,
                                      .texture_edge_log2_max = 10,
                                      .chunk_raw_size = 16u << 10,
                                      .stored_every = 1 },
                   &pack);
    test_pack_write(&pack, path);
    leat_event whole = { 0 }, told = { 0 }, part = { 0 };
    uint32_t late_count;
    uint64_t took_ns = run_cold(path, &pack, 0, 0, &whole, &late_count);
    assert_int_equal(late_count, 0);
    uint64_t deadline_ns = took_ns - 60 * NS_PER_MS;
    run_cold(path, &pack, deadline_ns, 0, &told, &late_count);
    assert_int_equal(late_count, 1);
    assert_int_equal(told.size, whole.size);
    assert_true(run_cold(path, &pack, deadline_ns, LEAT_READ_DEGRADE, &part, &late_count) <= deadline_ns);
    assert_int_equal(late_count, 0);
    assert_int_equal(part.part_possible.kind, LEAT_PART_MIPS);
    assert_true(part.part_possible.first > 0 && part.size > 0 && part.size < whole.size);
    unlink(path);
    test_pack_free(&pack);
}

/* ---- Who waits for memory ---- */

#define WAIT_DEADLINE_NS (400 * NS_PER_MS) /* ten times what the read takes */

typedef struct memory_wait {
    leat_streamer *s;
    leat_asset asset;
    uint64_t size;
    leat_request held;
    uint8_t *memory;
} memory_wait;

/* A device that is known, and no lent memory for one more. */
static void let_wait(memory_wait *w, const char *path, const test_pack *pack, uint64_t ageing_ns)
{
    leat_sim_desc sim = leat_sim_preset("sd");
    leat_desc desc = { .backend = LEAT_BACKEND_SIM,
                       .stepped = true,
                       .sim = &sim,
                       .lent_bytes = MIB(2),
                       .ageing_ns = ageing_ns,
                       .logger = { .log = quiet } };
    leat_pack handle;
    assert_int_equal(leat_create(&desc, &w->s), LEAT_OK);
    assert_int_equal(leat_pack_open(w->s, path, NULL, &handle), LEAT_OK);
    uint32_t largest = 0;
    for (uint32_t i = 0; i < pack->asset_count; ++i) {
        largest = pack->assets[i].raw_size > pack->assets[largest].raw_size ? i : largest;
    }
    w->asset = leat_asset_at(w->s, handle, largest);
    w->size = pack->assets[largest].raw_size;
    w->memory = malloc(w->size);
    for (uint32_t i = 0;; ++i) {
        leat_request request;
        leat_stats stats;
        assert_int_equal(leat_read(w->s, &(leat_read_desc){ .asset = w->asset }, &request), LEAT_OK);
        leat_events events = leat_wait(w->s, NS_PER_S);
        leat_stats_get(w->s, &stats);
        if (stats.requests_waiting_memory > 0) {
            assert_int_equal(leat_cancel(w->s, request), LEAT_OK);
            break;
        }
        assert_int_equal(events.count, 1);
        w->held = request;
        if (i < 40) { /* from then on it is kept */
            leat_release(w->s, request);
        }
    }
    assert_int_equal(leat_update(w->s, &(leat_tick){ .now_ns = 60 * NS_PER_S }).count, 1);
}

/* One that gets its memory so long after its submit. *late_count: how often it was called late, in time. */
static leat_event get_after(memory_wait *w, leat_bind_kind bind, uint32_t flags, uint64_t after_ns,
                            uint32_t *late_count)
{
    uint64_t begin_ns = 60 * NS_PER_S;
    leat_read_desc read = { .asset = w->asset,
                            .priority = LEAT_PREFETCH,
                            .deadline_ns = begin_ns + WAIT_DEADLINE_NS,
                            .bind = bind,
                            .flags = flags };
    leat_request request;
    *late_count = 0;
    assert_int_equal(leat_read(w->s, &read, &request), LEAT_OK);
    leat_events events = leat_update(w->s, NULL); /* nothing is late so far */
    assert_int_equal(events.count, bind == LEAT_BIND_LATE);
    events = leat_update(w->s, &(leat_tick){ .now_ns = begin_ns + after_ns });
    assert_int_equal(events.count, 0);
    if (bind == LEAT_BIND_LATE) {
        assert_int_equal(leat_bind(w->s, request, w->memory, w->size), LEAT_OK);
    } else {
        leat_release(w->s, w->held);
    }
    events = leat_update(w->s, NULL);
    for (;;) {
        for (uint32_t i = 0; i < events.count; ++i) {
            const leat_event *e = &events.items[i];
            assert_int_equal(e->request.index, request.index);
            if (e->type == LEAT_EVENT_READY) {
                return *e;
            }
            assert_int_equal(e->type, LEAT_EVENT_LATE);
            assert_true(e->part_possible.first > 0);
            ++*late_count;
        }
        events = leat_wait(w->s, 10 * NS_PER_S);
    }
}

static void who_has_waited_for_memory_is_judged_again(void **state)
{
    (void)state;
    test_pack pack;
    char path[SCRATCH_SIZE];
    test_pack_make(&textures, &pack);
    test_pack_write(&pack, path);
    static const struct {
        leat_bind_kind bind;
        uint32_t flags;
        uint64_t after_ns;
        bool late, degrades;
        uint64_t ageing_ns; /* less than after_ns: it is its turn before all others */
    } cases[] = { { LEAT_BIND_LEAT, 0, 200 * NS_PER_MS, false, false, NS_PER_S },
                  { LEAT_BIND_LEAT, 0, 380 * NS_PER_MS, true, false, NS_PER_S },
                  { LEAT_BIND_LEAT, 0, 380 * NS_PER_MS, true, false, 100 * NS_PER_MS },
                  { LEAT_BIND_LEAT, LEAT_READ_DEGRADE, 380 * NS_PER_MS, false, true, NS_PER_S },
                  { LEAT_BIND_LATE, 0, 200 * NS_PER_MS, false, false, NS_PER_S },
                  { LEAT_BIND_LATE, 0, 380 * NS_PER_MS, true, false, NS_PER_S } };
    for (uint32_t i = 0; i < COUNT_OF(cases); ++i) {
        memory_wait w;
        uint32_t late_count;
        let_wait(&w, path, &pack, cases[i].ageing_ns);
        leat_event end = get_after(&w, cases[i].bind, cases[i].flags, cases[i].after_ns, &late_count);
        print_message("bind %d, flags %u, memory after %u ms: %u times called late, %u of %u bytes after %u ms\n",
                      (int)cases[i].bind, cases[i].flags, (uint32_t)(cases[i].after_ns / NS_PER_MS), late_count,
                      (uint32_t)end.size, (uint32_t)w.size, (uint32_t)(end.latency_ns / NS_PER_MS));
        assert_int_equal(late_count, cases[i].late);
        assert_int_equal(end.latency_ns > WAIT_DEADLINE_NS, cases[i].late);
        assert_int_equal(end.size < w.size, cases[i].degrades);
        leat_destroy(w.s);
        free(w.memory);
    }
    unlink(path);
    test_pack_free(&pack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_missed_at_80_percent),
        cmocka_unit_test(the_lowest_class_misses_and_was_told_at_150_percent),
        cmocka_unit_test(a_request_may_degrade),
        cmocka_unit_test(what_was_not_known_is_said_when_it_is),
        cmocka_unit_test(who_has_waited_for_memory_is_judged_again),
    };
    return cmocka_run_group_tests_name("deadlines", tests, NULL, NULL);
}
