/* memory.c - the resident memory of the process over a long flight, against what was configured.
 *
 * A camera flies over the assets of the pack and turns at random; what comes near is wanted, what stays behind is
 * cancelled or given back. Some wants have memory of the caller's, some change their priority on the way. Meanwhile the
 * exact RSS is sampled (smaps_rollup), and the kernel notes the peak between two samples (VmHWM, set back first). What
 * the process had before the streamer was created is taken off. */
#include "bench.h"
#include "rss.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WISH_COUNT 512u
#define WISHES_PER_FRAME 24u
#define CALLER_EVERY 4u /* one wish of so many has memory of the caller's */
#define CALLER_BYTES (64u << 10)
#define VIEW_COUNT 200u /* assets to each side of the camera that are in view */
#define FRAME_NS (2 * NS_PER_MS) /* at most, waiting for events */
#define SAMPLE_NS (50 * NS_PER_MS)
#define MIB_BYTES 1048576.0

typedef enum wish_state { WISH_FREE = 0, WISH_LIVE, WISH_LENT } wish_state;

typedef struct wish {
    wish_state state;
    leat_request handle;
    uint32_t position; /* of the asset */
    bool cancelled;
} wish;

typedef struct flight {
    leat_streamer *s;
    leat_pack pack;
    uint32_t asset_count;
    wish wishes[WISH_COUNT];
    uint8_t *caller_memory; /* CALLER_BYTES for each wish */
    uint64_t random;
    double camera, speed; /* in assets, a frame */
    uint64_t failed;
} flight;

/* ---- The flight ---- */

static uint64_t below(flight *f, uint64_t bound)
{
    return bench_random(&f->random) % bound;
}

static bool in_view(const flight *f, uint32_t position)
{
    double distance = (double)position - f->camera;
    return distance <= VIEW_COUNT && distance >= -(double)VIEW_COUNT;
}

static void move(flight *f)
{
    f->camera += f->speed;
    if (below(f, 200) == 0 || f->camera < 0 || f->camera >= f->asset_count) {
        f->camera = f->camera < 0 ? 0 : f->camera >= f->asset_count ? f->asset_count - 1 : f->camera;
        f->speed = (double)below(f, 1000) / 100 * (below(f, 2) == 0 ? 1 : -1);
    }
}

/* What is out of view is cancelled, or its memory given back. */
static void leave_behind(flight *f)
{
    for (uint32_t i = 0; i < WISH_COUNT; ++i) {
        wish *w = &f->wishes[i];
        if (w->state == WISH_FREE || in_view(f, w->position)) {
            continue;
        }
        if (w->state == WISH_LENT) {
            leat_release(f->s, w->handle);
            w->state = WISH_FREE;
        } else if (!w->cancelled) {
            w->cancelled = leat_cancel(f->s, w->handle) == LEAT_OK;
        }
    }
}

static void want(flight *f, uint32_t slot)
{
    wish *w = &f->wishes[slot];
    double offset = (double)below(f, 2 * VIEW_COUNT + 1) - VIEW_COUNT;
    double position = f->camera + offset;
    if (position < 0 || position >= f->asset_count) {
        return;
    }
    leat_read_desc desc = { .asset = leat_asset_at(f->s, f->pack, (uint32_t)position),
                            .priority = (leat_priority)below(f, LEAT_PRIORITY_COUNT),
                            .user = slot };
    uint64_t offset_bytes, size;
    if (slot % CALLER_EVERY == 0 && leat_asset_part(f->s, desc.asset, &desc.part, &offset_bytes, &size) == LEAT_OK) {
        desc.part = (leat_part){ .kind = LEAT_PART_BYTES, .size = u64_min(size, CALLER_BYTES) };
        desc.bind = LEAT_BIND_CALLER;
        desc.memory = f->caller_memory + (size_t)slot * CALLER_BYTES;
        desc.memory_size = CALLER_BYTES;
    }
    if (leat_read(f->s, &desc, &w->handle) == LEAT_OK) {
        w->state = WISH_LIVE;
        w->position = (uint32_t)position;
        w->cancelled = false;
    }
}

static void frame(flight *f)
{
    move(f);
    leave_behind(f);
    for (uint32_t i = 0; i < WISHES_PER_FRAME; ++i) {
        uint32_t slot = (uint32_t)below(f, WISH_COUNT);
        wish *w = &f->wishes[slot];
        if (w->state == WISH_FREE) {
            want(f, slot);
        } else if (w->state == WISH_LIVE) {
            leat_reprioritise(f->s, w->handle, (leat_priority)below(f, LEAT_PRIORITY_COUNT), 0);
        } else if (below(f, 8) == 0) { /* the engine has used it up */
            leat_release(f->s, w->handle);
            w->state = WISH_FREE;
        }
    }
    leat_events events = leat_wait(f->s, FRAME_NS);
    for (uint32_t i = 0; i < events.count; ++i) {
        const leat_event *e = &events.items[i];
        wish *w = &f->wishes[e->user];
        if (e->type == LEAT_EVENT_READY) {
            bool lent = e->user % CALLER_EVERY != 0 && e->size > 0;
            w->state = lent ? WISH_LENT : WISH_FREE;
        } else if (e->type == LEAT_EVENT_FAILED || e->type == LEAT_EVENT_CANCELLED) {
            f->failed += e->type == LEAT_EVENT_FAILED;
            w->state = WISH_FREE;
        }
    }
}

/* Median of the samples from one part of the flight to another, of 1. */
static double median_between(const samples *s, double from, double to)
{
    samples part = { 0 };
    for (uint32_t i = (uint32_t)(from * s->count); i < (uint32_t)(to * s->count); ++i) {
        samples_add(&part, s->values[i]);
    }
    double median = samples_median(&part);
    samples_free(&part);
    return median;
}

static void fly(bench *b, flight *f, samples *rss)
{
    uint64_t begin_ns = bench_now_ns(), next_ns = begin_ns;
    uint64_t end_ns = begin_ns + (uint64_t)(b->seconds * 1e9);
    for (uint64_t now_ns = begin_ns; now_ns < end_ns; now_ns = bench_now_ns()) {
        frame(f);
        if (now_ns >= next_ns) {
            samples_add(rss, (double)rss_bytes() / MIB_BYTES);
            next_ns = now_ns + SAMPLE_NS;
        }
    }
}

/* ---- Report ---- */

typedef struct baseline {
    double rss; /* MiB, of the process before the streamer */
    bool peak_known; /* the kernel's peak was set back */
} baseline;

static void figure(bench *b, const char *name, double mib)
{
    bench_figure(b, name, mib, "MiB", GOAL_NONE, 0);
}

static void report(bench *b, const flight *f, const baseline *before, samples *rss)
{
    leat_stats stats;
    leat_pack_info info = { 0 };
    const leat_desc *desc = leat_resolved_desc(f->s);
    leat_stats_get(f->s, &stats);
    double index = leat_pack_info_get(f->s, f->pack, &info) == LEAT_OK ? (double)info.index_bytes / MIB_BYTES : 0;
    double configured = (double)desc->memory_bytes_max / MIB_BYTES, counted = (double)stats.memory_bytes / MIB_BYTES;
    double pool = (double)desc->pool_bytes / MIB_BYTES, lent = (double)desc->lent_bytes / MIB_BYTES;
    double growth = median_between(rss, 0.75, 1) - median_between(rss, 0.25, 0.5);
    bench_raw(b, "memory/rss_mib", rss);
    double peak = samples_quantile(rss, 1);
    if (before->peak_known) {
        double kernel_peak = (double)rss_peak_bytes() / MIB_BYTES;
        peak = kernel_peak > peak ? kernel_peak : peak;
    } else {
        printf("  the peak cannot be set back here: peaks between samples are not seen\n");
    }
    bench_figure(b, "flight_ready", (double)stats.requests_ready, "requests", GOAL_NONE, 0);
    bench_figure(b, "flight_cancelled", (double)stats.requests_cancelled, "requests", GOAL_NONE, 0);
    bench_figure(b, "flight_delivered", (double)stats.bytes_delivered / 1e9, "GB", GOAL_NONE, 0);
    figure(b, "rss_before_create", before->rss);
    figure(b, "rss_peak", peak);
    figure(b, "memory_configured", configured);
    figure(b, "memory_index", index);
    figure(b, "memory_pool", pool);
    figure(b, "memory_lent", lent);
    figure(b, "memory_tables", counted - pool - lent - index);
    figure(b, "memory_counted_by_leat", counted);
    /* Goals: within what was configured; nothing that Leat does not count; nothing that grows. */
    bench_figure(b, "peak_rss_beyond_configured", peak - before->rss - configured - index, "MiB", GOAL_AT_MOST, 16);
    bench_figure(b, "peak_rss_beyond_counted", peak - before->rss - counted, "MiB", GOAL_AT_MOST, 16);
    bench_figure(b, "rss_growth", growth, "MiB", GOAL_AT_MOST, 1);
}

bool suite_memory(bench *b)
{
    flight *f = calloc(1, sizeof(*f));
    uint8_t *caller_memory = malloc((size_t)WISH_COUNT * CALLER_BYTES);
    if (f == NULL || caller_memory == NULL) {
        free(caller_memory);
        free(f);
        return false;
    }
    *f = (flight){ .caller_memory = caller_memory, .random = 11, .speed = 1 };
    memset(caller_memory, 1, (size_t)WISH_COUNT * CALLER_BYTES); /* resident before the streamer is */
    malloc_trim(0); /* what earlier suites have freed would be used again, unseen */
    samples rss = { 0 };
    bool ok = rss_bytes() > 0; /* the first call takes the memory that the later ones use */
    baseline before = { .peak_known = rss_peak_reset() };
    before.rss = (double)rss_bytes() / MIB_BYTES;
    if (!ok) {
        fprintf(stderr, "leat-bench: memory: /proc/self/smaps_rollup cannot be read here\n");
    }
    ok = ok && leat_create(NULL, &f->s) == LEAT_OK;
    ok = ok && leat_pack_open(f->s, b->pack_path, NULL, &f->pack) == LEAT_OK;
    leat_pack_info info = { 0 };
    ok = ok && leat_pack_info_get(f->s, f->pack, &info) == LEAT_OK && info.asset_count > 0;
    f->asset_count = info.asset_count;
    if (ok) {
        fly(b, f, &rss);
        report(b, f, &before, &rss);
        if (f->failed > 0) {
            fprintf(stderr, "leat-bench: memory: %llu requests have failed\n", (unsigned long long)f->failed);
            ok = false;
        }
    }
    leat_destroy(f->s);
    samples_free(&rss);
    free(caller_memory);
    free(f);
    return ok;
}
