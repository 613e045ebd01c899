/* Shows what a deadline is worth before the device is known: a new streamer on simulated devices, from an SD card to a
 * fast NVMe drive, is given what an engine's first frames may want. A false alarm is a LATE for a request that is ready
 * in time; silence is a request that is not, without a LATE before its deadline. All on a virtual clock. */
#include "unit.h"

#include "test_pack.h"

#include <leat/leat.h>
#include <leat/sim.h>

#include <stdio.h>
#include <unistd.h>

#define STEP_NS (NS_PER_MS / 2)
#define ASSET_BYTES 65536u /* one chunk each */
#define ASSET_COUNT 1024u
#define WISH_COUNT_MAX 16384u

typedef struct wish {
    uint64_t submitted_ns, deadline_ns;
    bool announced; /* before its deadline */
} wish;

typedef struct tally {
    uint32_t wished, missed, alarms, silent;
} tally;

typedef struct cold {
    leat_streamer *s;
    leat_pack pack;
    uint8_t *memory;
    uint64_t random, now_ns;
    wish wishes[WISH_COUNT_MAX];
    tally tally;
    uint32_t ended;
} cold;

static test_pack pack;
static char path[SCRATCH_SIZE];

static void want(cold *c, leat_priority priority, uint64_t deadline_after_ns)
{
    uint32_t number = c->tally.wished++;
    assert_true(number < WISH_COUNT_MAX);
    c->wishes[number] = (wish){ .submitted_ns = c->now_ns, .deadline_ns = c->now_ns + deadline_after_ns };
    leat_read_desc read = { .asset = leat_asset_at(c->s, c->pack, (uint32_t)unit_below(&c->random, ASSET_COUNT)),
                            .priority = priority,
                            .deadline_ns = c->wishes[number].deadline_ns,
                            .bind = LEAT_BIND_CALLER,
                            .memory = c->memory, /* of all: nobody looks at the bytes */
                            .memory_size = ASSET_BYTES,
                            .user = number };
    assert_int_equal(leat_read(c->s, &read, NULL), LEAT_OK);
}

typedef struct device {
    const char *name;
    uint64_t bytes_per_second; /* that it gives of reads all over the pack */
    uint64_t frame_ns; /* shorter for fast ones, so that a run reads no more than the test has time for */
    uint32_t frames;
} device;

static const device devices[] = {
    { "sd", 8000000, 16 * NS_PER_MS, 60 },      { "hdd", 8000000, 16 * NS_PER_MS, 60 },
    { "sata", 480000000, 16 * NS_PER_MS, 20 },  { "nvme", 3300000000, 4 * NS_PER_MS, 20 },
    { "nvme7", 6600000000, 3 * NS_PER_MS, 20 },
};

typedef enum wants {
    WANTS_LIGHT, /* all at once, half of what can be done in time */
    WANTS_HEAVY, /* all at once, twice as much */
    WANTS_CLASSES, /* all at once, high and prefetches, as much together */
    WANTS_FRAMES_80, /* frames, 80 % of what the device gives */
    WANTS_FRAMES_150,
    WANTS_FEW, /* one request a frame */
    WANTS_COUNT
} wants;

static const char *const wants_text[] = { "burst, 50 %",  "burst, 200 %",  "burst, classes",
                                          "frames, 80 %", "frames, 150 %", "one a frame" };

static void want_burst(cold *c, const device *d, wants kind)
{
    uint64_t total_ns = d->frames * d->frame_ns;
    uint64_t count = d->bytes_per_second / 1000 * (total_ns / NS_PER_US) / 1000 / ASSET_BYTES;
    uint64_t last_ns = kind == WANTS_LIGHT ? 2 * total_ns : kind == WANTS_HEAVY ? total_ns / 2 : total_ns;
    for (uint64_t i = 0; i < count; ++i) {
        want(c, kind == WANTS_CLASSES ? (i % 2 == 0 ? LEAT_HIGH : LEAT_PREFETCH) : LEAT_NORMAL,
             NS_PER_MS + unit_below(&c->random, last_ns));
    }
}

static void want_frame(cold *c, const device *d, wants kind, double *owed)
{
    if (kind == WANTS_FEW) {
        want(c, LEAT_NORMAL, NS_PER_MS << unit_below(&c->random, 7));
        return;
    }
    double load = kind == WANTS_FRAMES_80 ? 0.8 : 1.5;
    for (*owed += load * (double)d->bytes_per_second * (double)d->frame_ns / (double)NS_PER_S; *owed > 0;
         *owed -= ASSET_BYTES) {
        want(c, LEAT_NORMAL, d->frame_ns / 2 + unit_below(&c->random, 4 * d->frame_ns));
    }
}

static void take(cold *c, leat_events events)
{
    for (uint32_t i = 0; i < events.count; ++i) {
        const leat_event *e = &events.items[i];
        wish *w = &c->wishes[e->user];
        if (e->type == LEAT_EVENT_LATE) {
            assert_false(w->announced);
            w->announced = c->now_ns <= w->deadline_ns + STEP_NS; /* the clock moves in steps */
            continue;
        }
        assert_int_equal(e->type, LEAT_EVENT_READY);
        bool missed = w->submitted_ns + e->latency_ns > w->deadline_ns;
        c->tally.missed += missed;
        c->tally.alarms += !missed && w->announced;
        c->tally.silent += missed && !w->announced;
        ++c->ended;
    }
}

/* From the first request of a streamer to the end of the last. */
static tally run(const device *d, wants kind)
{
    static cold c;
    c = (cold){ .random = 4, .memory = aligned_alloc(4096, ASSET_BYTES), .now_ns = NS_PER_S };
    leat_sim_desc sim = leat_sim_preset(d->name);
    sim.seed = 9;
    leat_desc desc = { .backend = LEAT_BACKEND_SIM, .stepped = true, .sim = &sim, .ageing_ns = 60 * NS_PER_S };
    assert_int_equal(leat_create(&desc, &c.s), LEAT_OK);
    assert_int_equal(leat_pack_open(c.s, path, NULL, &c.pack), LEAT_OK);
    leat_update(c.s, &(leat_tick){ .now_ns = c.now_ns });
    double owed = 0;
    uint64_t end_ns = c.now_ns + d->frames * d->frame_ns;
    if (kind <= WANTS_CLASSES) {
        want_burst(&c, d, kind);
    }
    while (c.now_ns < end_ns || c.ended < c.tally.wished) {
        if (kind > WANTS_CLASSES && c.now_ns < end_ns && (end_ns - c.now_ns) % d->frame_ns == 0) {
            want_frame(&c, d, kind, &owed);
        }
        take(&c, leat_update(c.s, &(leat_tick){ .now_ns = c.now_ns }));
        c.now_ns += STEP_NS;
    }
    leat_destroy(c.s);
    free(c.memory);
    return c.tally;
}

/* What can be done in time is not called late; what cannot is, but for what is over before it can be known. */
static void promises_hold_from_the_first_frame(void **state)
{
    (void)state;
    test_pack_make(&(test_pack_desc){ .seed = 3,
                                      .asset_count = ASSET_COUNT,
                                      .size_min = ASSET_BYTES,
                                      .size_max = ASSET_BYTES,
                                      .stored_every = 1 },
                   &pack);
    test_pack_write(&pack, path);
    print_message("%-6s %-15s %8s %8s %12s %8s\n", "device", "wanted", "requests", "missed", "false alarms", "silence");
    for (uint32_t i = 0; i < COUNT_OF(devices); ++i) {
        for (uint32_t kind = 0; kind < WANTS_COUNT; ++kind) {
            tally t = run(&devices[i], (wants)kind);
            print_message("%-6s %-15s %8u %8u %12u %8u\n", devices[i].name, wants_text[kind], t.wished, t.missed,
                          t.alarms, t.silent);
            bool feasible = kind == WANTS_LIGHT || kind == WANTS_FRAMES_80 || kind == WANTS_FEW;
            assert_true(t.alarms <= t.wished / (feasible ? 100 : 6));
            assert_true(t.silent <= 15 + t.missed / 20);
        }
    }
    unlink(path);
    test_pack_free(&pack);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(promises_hold_from_the_first_frame) };
    return cmocka_run_group_tests_name("cold", tests, NULL, NULL);
}
