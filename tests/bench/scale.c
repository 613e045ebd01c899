/* scale.c - submit, cancel and re-prioritise while a thousand, and a million, requests wait.
 *
 * All requests bind their memory late, and nobody answers, so that they stay queued: what is measured is the caller's
 * thread alone, in batches of 64 single calls on requests picked at random, with the queue at its level. A batch begins
 * when the I/O thread has nothing left to do and sleeps, so that the call that wakes it is in each of them, at a
 * thousand as at a million. Cancelled requests are replaced by new ones. A figure is the median of its batches' means.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#define CALLS 64u
#define BATCHES 400u
#define SMALL_COUNT 1000u
#define LARGE_COUNT 1000000u
#define ASSET_COUNT 4096u

typedef struct costs {
    samples submit, cancel, reprioritise; /* ns per call */
    uint32_t full; /* re-prioritisations that were answered "full" */
    uint32_t stale; /* calls that met no request: must stay 0, or the costs are of nothing */
    double bytes; /* of the streamer with its tables, without the pools */
} costs;

/* Only assets with bytes: the others would be ready at once. */
static uint32_t position_of(const uint32_t *assets, uint64_t number)
{
    return assets[number % ASSET_COUNT];
}

/* Until all mail and all commands are taken and the I/O thread sleeps: its rounds stand still. The events of requests
 * that were asked for their memory are taken and not answered. */
static void settle(leat_streamer *s)
{
    uint64_t rounds = UINT64_MAX;
    for (uint32_t still = 0, i = 0; still < 3 && i < 100000; ++i) {
        leat_stats stats;
        leat_update(s, NULL);
        bench_sleep_ns(100000);
        leat_stats_get(s, &stats);
        still = stats.io_rounds == rounds ? still + 1 : 0;
        rounds = stats.io_rounds;
    }
}

/* Takes events until `wanted` requests have ended; the slots are free after it. */
static bool take_cancelled(leat_streamer *s, uint32_t wanted)
{
    for (uint32_t tries = 0; wanted > 0 && tries < 100000; ++tries) {
        leat_events events = leat_update(s, NULL);
        for (uint32_t i = 0; i < events.count; ++i) {
            wanted -= events.items[i].type == LEAT_EVENT_CANCELLED;
        }
        bench_sleep_ns(10000);
    }
    return wanted == 0;
}

static bool fill_up(leat_streamer *s, leat_pack pack, const uint32_t *assets, leat_request *handles, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        uint32_t position = position_of(assets, i);
        leat_read_desc read = { .asset = leat_asset_at(s, pack, position),
                                .bind = LEAT_BIND_LATE,
                                .priority = LEAT_NORMAL };
        if (leat_read(s, &read, &handles[i]) != LEAT_OK) {
            return false;
        }
    }
    settle(s);
    return true;
}

static void measure(leat_streamer *s, leat_pack pack, const uint32_t *assets, leat_request *handles, uint32_t count,
                    costs *c)
{
    uint64_t random = 5;
    for (uint32_t batch = 0; batch < BATCHES; ++batch) {
        uint32_t picked[CALLS];
        leat_request chosen[CALLS]; /* or the misses of our own table would be measured */
        leat_read_desc reads[CALLS];
        for (uint32_t i = 0; i < CALLS; ++i) {
            picked[i] = (uint32_t)((bench_random(&random) % (count / CALLS)) * CALLS + i); /* each once */
            chosen[i] = handles[picked[i]];
            uint32_t position = position_of(assets, bench_random(&random));
            reads[i] = (leat_read_desc){ .asset = leat_asset_at(s, pack, position), .bind = LEAT_BIND_LATE };
        }
        settle(s);
        uint64_t begin_ns = bench_now_ns();
        for (uint32_t i = 0; i < CALLS; ++i) {
            leat_result result = leat_reprioritise(s, chosen[i], (leat_priority)(i % LEAT_PRIORITY_COUNT), 0);
            c->full += result == LEAT_ERROR_FULL;
            c->stale += result == LEAT_ERROR_STALE;
        }
        samples_add(&c->reprioritise, (double)(bench_now_ns() - begin_ns) / CALLS);
        settle(s);
        begin_ns = bench_now_ns();
        for (uint32_t i = 0; i < CALLS; ++i) {
            c->stale += leat_cancel(s, chosen[i]) != LEAT_OK;
        }
        samples_add(&c->cancel, (double)(bench_now_ns() - begin_ns) / CALLS);
        if (!take_cancelled(s, CALLS)) {
            return;
        }
        settle(s);
        begin_ns = bench_now_ns();
        uint32_t taken = 0;
        for (uint32_t i = 0; i < CALLS; ++i) {
            taken += leat_read(s, &reads[i], &handles[picked[i]]) == LEAT_OK;
        }
        samples_add(&c->submit, (double)(bench_now_ns() - begin_ns) / CALLS);
        if (taken < CALLS) {
            return;
        }
    }
}

static bool run(bench *b, uint32_t count, costs *c)
{
    leat_desc desc = { .request_count_max = count + 4096, .memory_bytes_max = 64u << 20 };
    leat_streamer *s;
    leat_pack pack;
    bench_pack plain;
    if (leat_create(&desc, &s) != LEAT_OK) {
        return false;
    }
    if (leat_pack_open(s, b->pack_path, NULL, &pack) != LEAT_OK || !bench_pack_open(b->pack_path, &plain)) {
        leat_destroy(s);
        return false;
    }
    leat_request *handles = calloc(count, sizeof(*handles));
    uint32_t *assets = bench_pick(&plain.index, ASSET_COUNT, 3);
    leat_stats stats;
    leat_stats_get(s, &stats);
    c->bytes = (double)(stats.memory_bytes - leat_resolved_desc(s)->pool_bytes - leat_resolved_desc(s)->lent_bytes);
    bool ok = handles != NULL && fill_up(s, pack, assets, handles, count);
    if (ok) {
        measure(s, pack, assets, handles, count, c);
    }
    free(assets);
    free(handles);
    bench_pack_close(&plain);
    leat_destroy(s);
    return ok;
}

static void report(bench *b, const char *name, samples *small, samples *large)
{
    char text[64];
    double few = samples_median(small), many = samples_median(large);
    snprintf(text, sizeof(text), "%s_thousand", name);
    bench_figure(b, text, few, "ns", GOAL_AT_MOST, 300);
    snprintf(text, sizeof(text), "%s_million", name);
    bench_figure(b, text, many, "ns", GOAL_AT_MOST, 300);
    snprintf(text, sizeof(text), "%s_ratio", name);
    bench_figure(b, text, many / few, "", GOAL_AT_MOST, 2);
}

bool suite_scale(bench *b)
{
    costs small = { 0 }, large = { 0 };
    uint32_t many = b->quick ? 20000 : LARGE_COUNT;
    for (uint32_t round = 0; round < b->rounds; ++round) {
        if (!run(b, SMALL_COUNT, &small) || !run(b, many, &large)) {
            fprintf(stderr, "leat-bench: scale: %u requests cannot be queued here\n", many);
            return false;
        }
    }
    report(b, "submit", &small.submit, &large.submit);
    report(b, "cancel", &small.cancel, &large.cancel);
    report(b, "reprioritise", &small.reprioritise, &large.reprioritise);
    bench_figure(b, "bytes_per_request", (large.bytes - small.bytes) / (many - SMALL_COUNT), "bytes", GOAL_NONE, 0);
    bench_figure(b, "reprioritise_full_answers", small.full + large.full, "", GOAL_NONE, 0);
    bench_figure(b, "calls_that_met_no_request", small.stale + large.stale, "", GOAL_AT_MOST, 0);
    bench_raw(b, "submit_million_ns", &large.submit);
    return true;
}
