/* Shows what a deadline is worth where many requests want the same bytes: the same asset, or small ones that share a
 * chunk. What is read once for all of them is ahead of the others once: a false alarm is a LATE for a request that is
 * ready in time. What must be read again, because too much is read in between or because who it would have been read
 * with was cancelled, counts again: silence is a request that is late without a LATE before its deadline. Simulated
 * devices that are known by then, on a virtual clock. */
#include "unit.h"

#include "test_pack.h"

#include <leat/leat.h>
#include <leat/sim.h>

#include <stdio.h>
#include <unistd.h>

#define CHUNK_BYTES (64u << 10)
#define ASSET_BYTES 4096u
#define ASSETS_A_CHUNK (CHUNK_BYTES / ASSET_BYTES)
#define CHUNK_COUNT 512u
#define WISH_COUNT_MAX 16384u
#define KNOWN_AFTER 8u /* times all chunks were read */

typedef struct wish {
    uint64_t submitted_ns, deadline_ns;
    bool announced, cancelled; /* announced before its deadline */
    leat_request request;
} wish;

typedef struct tally {
    uint32_t wished, missed, alarms, silent;
} tally;

typedef struct device {
    const char *name;
    uint64_t latency_ns; /* at most, of a read with nothing before it */
    uint64_t chunk_ns; /* in which it gives one more of those that lie anywhere */
} device;

static const device devices[] = { { "sd", 9 * NS_PER_MS, 9 * NS_PER_MS },
                                  { "sata", 300 * NS_PER_US, 140 * NS_PER_US },
                                  { "nvme", 200 * NS_PER_US, 20 * NS_PER_US } };

typedef struct shared {
    const device *device;
    leat_streamer *s;
    leat_pack pack;
    uint8_t *memory;
    uint64_t random, now_ns;
    wish wishes[WISH_COUNT_MAX];
    tally tally;
    uint32_t ended;
} shared;

static test_pack pack;
static char path[SCRATCH_SIZE];

/* Some asset of the chunk, wanted in the time of a read and so many chunks; 0: at any time. */
static void want(shared *x, uint32_t chunk, leat_priority priority, double chunks)
{
    uint32_t number = x->tally.wished++;
    assert_true(number < WISH_COUNT_MAX);
    wish *w = &x->wishes[number];
    uint64_t after_ns = x->device->latency_ns + (uint64_t)(chunks * (double)x->device->chunk_ns);
    *w = (wish){ .submitted_ns = x->now_ns, .deadline_ns = chunks == 0 ? UINT64_MAX : x->now_ns + after_ns };
    uint32_t asset = chunk * ASSETS_A_CHUNK + (uint32_t)unit_below(&x->random, ASSETS_A_CHUNK);
    leat_read_desc read = { .asset = leat_asset_at(x->s, x->pack, 0),
                            .priority = priority,
                            .deadline_ns = chunks == 0 ? 0 : w->deadline_ns,
                            .bind = LEAT_BIND_CALLER,
                            .memory = x->memory, /* of all: nobody looks at the bytes */
                            .memory_size = ASSET_BYTES,
                            .user = number };
    read.part = (leat_part){ .kind = LEAT_PART_BYTES, .offset = (uint64_t)asset * ASSET_BYTES, .size = ASSET_BYTES };
    assert_int_equal(leat_read(x->s, &read, &w->request), LEAT_OK);
}

static void look(shared *x, uint64_t step_ns)
{
    x->now_ns += step_ns;
    leat_events events = leat_update(x->s, &(leat_tick){ .now_ns = x->now_ns });
    for (uint32_t i = 0; i < events.count; ++i) {
        const leat_event *e = &events.items[i];
        wish *w = &x->wishes[e->user];
        if (e->type == LEAT_EVENT_LATE) {
            assert_false(w->announced);
            w->announced = x->now_ns <= w->deadline_ns + step_ns; /* the clock moves in steps */
            continue;
        }
        ++x->ended;
        assert_int_equal(e->type, w->cancelled ? LEAT_EVENT_CANCELLED : LEAT_EVENT_READY);
        if (!w->cancelled) {
            bool missed = w->submitted_ns + e->latency_ns > w->deadline_ns;
            x->tally.missed += missed;
            x->tally.alarms += !missed && w->announced;
            x->tally.silent += missed && !w->announced;
        }
    }
}

static void step(shared *x)
{
    look(x, x->device->chunk_ns / 8);
}

static uint32_t any_of(shared *x, uint32_t chunk_count)
{
    return (uint32_t)unit_below(&x->random, chunk_count) * (CHUNK_COUNT / chunk_count); /* not beside each other */
}

static double evenly(shared *x, double from, double to)
{
    return from + (to - from) * (double)unit_below(&x->random, 1000) / 1000;
}

/* ---- What is wanted ---- */

/* One chunk by many, in the time of a dozen. */
static void one_chunk(shared *x)
{
    for (uint32_t i = 0; i < 300; ++i) {
        want(x, 7, LEAT_NORMAL, evenly(x, 10, 14));
    }
}

/* The same by some in each of many frames: it is on its way already, or is read again. */
static void one_chunk_in_frames(shared *x)
{
    for (uint32_t i = 0; i < 100; ++i) {
        for (uint32_t k = 0; k < 20; ++k) {
            want(x, 7, LEAT_NORMAL, evenly(x, 4, 6));
        }
        step(x);
    }
}

/* Few by many, in more time than it takes. */
static void few_chunks(shared *x)
{
    for (uint32_t i = 0; i < 600; ++i) {
        want(x, any_of(x, 32), LEAT_NORMAL, 60);
    }
}

/* Each of many chunks by four, whose deadlines are alike. */
static void frames(shared *x, double load)
{
    double owed = 0;
    for (uint32_t i = 0; i < 40; ++i) {
        for (owed += load * 16; owed > 0; owed -= 1) {
            uint32_t chunk = any_of(x, CHUNK_COUNT);
            double chunks = evenly(x, 16, 64);
            for (uint32_t k = 0; k < 4; ++k) {
                want(x, chunk, LEAT_NORMAL, chunks);
            }
        }
        for (uint32_t k = 0; k < 16 * 8; ++k) {
            step(x);
        }
    }
}

static void frames_80(shared *x)
{
    frames(x, 0.8);
}

static void frames_150(shared *x)
{
    frames(x, 1.5);
}

/* Those of a higher class want few chunks, each many times and at any time: these are read once. */
static void below_a_higher_class(shared *x)
{
    for (uint32_t i = 0; i < 600; ++i) {
        want(x, any_of(x, 16), LEAT_HIGH, 0);
    }
    for (uint32_t i = 0; i < 100; ++i) {
        want(x, any_of(x, 16) + 1, LEAT_NORMAL, 60);
    }
}

static void every_other(shared *x, uint32_t first, leat_priority priority, double chunks)
{
    for (uint32_t i = first; i < CHUNK_COUNT; i += 2) {
        want(x, i, priority, chunks);
    }
}

/* The same chunks again, so much later that they are not there any more: half of them cannot be read in time. */
static void again_later(shared *x)
{
    every_other(x, 0, LEAT_NORMAL, 300);
    every_other(x, 1, LEAT_NORMAL, 500);
    every_other(x, 0, LEAT_NORMAL, 590);
}

/* Each is wanted by two. Then one of them goes away, or has time: it is read for the other all the same, and of those
 * that come behind it half are late. */
typedef enum change { CANCEL_FIRST, CANCEL_SECOND, PUT_OFF_FIRST, PUT_OFF_SECOND } change;

static void change_of_two(shared *x, change kind)
{
    uint32_t first = x->tally.wished, count = CHUNK_COUNT / 2;
    every_other(x, 0, LEAT_NORMAL, 300);
    every_other(x, 0, LEAT_NORMAL, 300);
    look(x, 0);
    first += kind == CANCEL_SECOND || kind == PUT_OFF_SECOND ? count : 0;
    for (uint32_t i = first; i < first + count; ++i) { /* the first ones have been read by then */
        wish *w = &x->wishes[i];
        if (kind == PUT_OFF_FIRST || kind == PUT_OFF_SECOND) {
            uint64_t later_ns = x->now_ns + (kind == PUT_OFF_FIRST ? 900 : 500) * x->device->chunk_ns;
            leat_result result = leat_reprioritise(x->s, w->request, LEAT_PREFETCH, later_ns);
            w->deadline_ns = result == LEAT_OK ? later_ns : w->deadline_ns;
        } else {
            w->cancelled = leat_cancel(x->s, w->request) == LEAT_OK;
        }
    }
    look(x, 0);
    if (kind == PUT_OFF_SECOND) { /* these are read again */
        every_other(x, 1, LEAT_PREFETCH, 590);
    } else {
        every_other(x, 1, LEAT_NORMAL, 350);
    }
}

static void first_cancelled(shared *x)
{
    change_of_two(x, CANCEL_FIRST);
}

static void second_cancelled(shared *x)
{
    change_of_two(x, CANCEL_SECOND);
}

static void first_put_off(shared *x)
{
    change_of_two(x, PUT_OFF_FIRST);
}

static void second_put_off(shared *x)
{
    change_of_two(x, PUT_OFF_SECOND);
}

/* Chunks that are on their way are wanted again, at the end of a queue: they are read again. */
static void on_its_way(shared *x)
{
    uint32_t before = x->ended, first = 0;
    every_other(x, 0, LEAT_NORMAL, 300);
    while (first < 200) {
        step(x);
        for (; first < x->ended - before; ++first) {
            want(x, 2 * (x->ended - before), LEAT_PREFETCH, 450.0 - first);
        }
    }
    every_other(x, 1, LEAT_PREFETCH, 350);
}

static const struct {
    const char *name;
    void (*wants)(shared *x);
    uint32_t alarms_percent; /* at most; 1: all can be met */
} wants[] = { { "one chunk", one_chunk, 1 },
              { "one, in frames", one_chunk_in_frames, 1 },
              { "few chunks", few_chunks, 1 },
              { "frames, 80 %", frames_80, 1 },
              { "frames, 150 %", frames_150, 15 },
              { "below a class", below_a_higher_class, 1 },
              { "again, later", again_later, 2 },
              { "first cancelled", first_cancelled, 2 },
              { "second cancelled", second_cancelled, 2 },
              { "first put off", first_put_off, 2 },
              { "second put off", second_put_off, 2 },
              { "on its way, later", on_its_way, 60 } };

static tally run(const device *d, void (*wish_for)(shared *x))
{
    static shared x;
    x = (shared){ .device = d, .random = 4, .memory = aligned_alloc(4096, ASSET_BYTES), .now_ns = NS_PER_S };
    leat_sim_desc sim = leat_sim_preset(d->name);
    sim.seed = 9;
    leat_desc desc = { .backend = LEAT_BACKEND_SIM,
                       .stepped = true,
                       .sim = &sim,
                       .ageing_ns = 60 * NS_PER_S,
                       .read_bytes_max = CHUNK_BYTES };
    assert_int_equal(leat_create(&desc, &x.s), LEAT_OK);
    assert_int_equal(leat_pack_open(x.s, path, NULL, &x.pack), LEAT_OK);
    leat_update(x.s, &(leat_tick){ .now_ns = x.now_ns });
    for (uint32_t i = 0; i < KNOWN_AFTER * CHUNK_COUNT; ++i) {
        want(&x, i % CHUNK_COUNT, LEAT_NORMAL, 0);
        while (i % CHUNK_COUNT == CHUNK_COUNT - 1 && x.ended < x.tally.wished) {
            step(&x);
        }
    }
    x.now_ns += 5 * NS_PER_S; /* the rate of what came is forgotten */
    leat_update(x.s, &(leat_tick){ .now_ns = x.now_ns });
    wish_for(&x);
    while (x.ended < x.tally.wished) {
        step(&x);
    }
    leat_destroy(x.s);
    free(x.memory);
    x.tally.wished -= KNOWN_AFTER * CHUNK_COUNT;
    return x.tally;
}

static void what_is_read_once_counts_once(void **state)
{
    (void)state;
    test_pack_make(&(test_pack_desc){ .seed = 3,
                                      .asset_count = 1,
                                      .size_min = CHUNK_COUNT * CHUNK_BYTES,
                                      .size_max = CHUNK_COUNT * CHUNK_BYTES,
                                      .chunk_raw_size = CHUNK_BYTES,
                                      .stored_every = 1 },
                   &pack);
    test_pack_write(&pack, path);
    print_message("%-6s %-17s %8s %8s %12s %8s\n", "device", "wanted", "requests", "missed", "false alarms", "silence");
    for (uint32_t i = 0; i < COUNT_OF(devices); ++i) {
        for (uint32_t k = 0; k < COUNT_OF(wants); ++k) {
            tally t = run(&devices[i], wants[k].wants);
            print_message("%-6s %-17s %8u %8u %12u %8u\n", devices[i].name, wants[k].name, t.wished, t.missed, t.alarms,
                          t.silent);
            assert_true(t.alarms * 100 <= t.wished * wants[k].alarms_percent);
            assert_true(t.silent <= 15 + t.missed / 20);
            assert_true(wants[k].alarms_percent == 1 || t.missed > 50);
        }
    }
    unlink(path);
    test_pack_free(&pack);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_read_once_counts_once) };
    return cmocka_run_group_tests_name("shared", tests, NULL, NULL);
}
