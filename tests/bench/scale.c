/* scale.c - submit, cancel and re-prioritise while a thousand, and a million, requests wait.
 *
 * All requests bind their memory late, and nobody answers, so that they stay queued: what is measured is the caller's
 * thread alone, in batches of 64 calls, with the queue at its level. Cancelled requests are replaced by new ones. */
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
} costs;

/* Only assets with bytes: the others would be ready at once. */
static uint32_t position_of(const uint32_t *assets, uint64_t number)
{
    return assets[number % ASSET_COUNT];
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
    for (uint32_t i = 0; i < 20000; ++i) { /* until the I/O thread has taken them all */
        leat_stats stats;
        leat_update(s, &(leat_tick){ .event_count_max = 1024 });
        leat_stats_get(s, &stats);
        if (stats.requests_queued + stats.requests_waiting_memory + 65536u >= count &&
            stats.events_waiting >= count / 2) {
            return true;
        }
        bench_sleep_ns(NS_PER_MS);
    }
    return true;
}

static void measure(leat_streamer *s, leat_pack pack, const uint32_t *assets, leat_request *handles, uint32_t count,
                    costs *c)
{
    uint64_t random = 5;
    for (uint32_t batch = 0; batch < BATCHES; ++batch) {
        uint32_t picked[CALLS];
        leat_read_desc reads[CALLS];
        for (uint32_t i = 0; i < CALLS; ++i) {
            picked[i] = (uint32_t)((bench_random(&random) % (count / CALLS)) * CALLS + i); /* each once */
            uint32_t position = position_of(assets, bench_random(&random));
            reads[i] = (leat_read_desc){ .asset = leat_asset_at(s, pack, position), .bind = LEAT_BIND_LATE };
        }
        uint64_t begin_ns = bench_now_ns();
        for (uint32_t i = 0; i < CALLS; ++i) {
            leat_result result = leat_reprioritise(s, handles[picked[i]], (leat_priority)(i % LEAT_PRIORITY_COUNT), 0);
            c->full += result == LEAT_ERROR_FULL;
            c->stale += result == LEAT_ERROR_STALE;
        }
        samples_add(&c->reprioritise, (double)(bench_now_ns() - begin_ns) / CALLS);
        begin_ns = bench_now_ns();
        for (uint32_t i = 0; i < CALLS; ++i) {
            c->stale += leat_cancel(s, handles[picked[i]]) != LEAT_OK;
        }
        samples_add(&c->cancel, (double)(bench_now_ns() - begin_ns) / CALLS);
        for (uint32_t freed = 0, tries = 0; freed < CALLS && tries < 10000;
             ++tries) { /* the slots come back as events */
            freed += leat_update(s, NULL).count;
            bench_sleep_ns(10000);
        }
        leat_update(s, NULL);
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
    bench_figure(b, "reprioritise_full_answers", small.full + large.full, "", GOAL_NONE, 0);
    bench_figure(b, "calls_that_met_no_request", small.stale + large.stale, "", GOAL_AT_MOST, 0);
    bench_raw(b, "submit_million_ns", &large.submit);
    return true;
}
