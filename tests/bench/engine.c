/* engine.c - a frame of an engine: a thousand small requests submitted, a thousand events taken.
 *
 * Measured on the engine's thread: leat_submit of the frame's requests, and leat_update with a thousand events in it.
 * In turns with it, on the same thread and after the same sleep, a loop of arithmetic that takes as long as the goal
 * (GOAL_NS) where nothing disturbs it: what the machine adds to that, it adds to leat_update as well.
 * Counted: calls of the allocator after warm-up (malloc and its kin are wrapped for the whole process, and the
 * streamer's allocator is counted as well), and system calls by the streamer's own counters;
 * tests/bench/count_syscalls.sh checks those with strace. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_REQUESTS 1000u
#define REQUEST_BYTES 4096u
#define WARM_FRAMES 10u
#define RUN_READS 1000000u /* a thousand frames: their p99 is ten of them, not one */
#define GOAL_NS 50000.0
#define CALIBRATIONS 101u

static _Atomic uint64_t allocations;

/* The linker sends malloc, calloc, realloc and posix_memalign of leat-bench and of the static libleat through here
 * (--wrap in CMakeLists.txt). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
int __real_posix_memalign(void **block, size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
int __wrap_posix_memalign(void **block, size_t alignment, size_t size);

void *__wrap_malloc(size_t size)
{
    ++allocations;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    ++allocations;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    ++allocations;
    return __real_realloc(block, size);
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t size)
{
    ++allocations;
    return __real_posix_memalign(block, alignment, size);
}

/* ---- A loop that takes as long as the goal ---- */

static double loop_ns(uint64_t steps)
{
    uint64_t begin_ns = bench_now_ns();
    for (uint64_t i = 0; i < steps; ++i) {
        __asm__ volatile("" ::: "memory"); /* a step must not be optimised away */
    }
    return (double)(bench_now_ns() - begin_ns);
}

/* How many steps those are, by the median of some. */
static uint64_t loop_calibrate(void)
{
    uint64_t steps = 10000;
    for (uint32_t round = 0; round < 3; ++round) {
        samples ns = { 0 };
        for (uint32_t i = 0; i < CALIBRATIONS; ++i) {
            samples_add(&ns, loop_ns(steps));
        }
        steps = (uint64_t)((double)steps * GOAL_NS / samples_median(&ns)) + 1;
        samples_free(&ns);
    }
    return steps;
}

/* ---- Frames ---- */

typedef struct frame_samples {
    samples submit_us, update_us, loop_us;
} frame_samples;

static void frame_samples_free(frame_samples *t)
{
    samples_free(&t->submit_us);
    samples_free(&t->update_us);
    samples_free(&t->loop_us);
}

typedef struct frame_state {
    leat_streamer *s;
    leat_pack pack;
    bench_pack plain;
    uint8_t *memory;
    uint64_t random;
    uint64_t counted; /* allocations inside Leat's calls */
    uint64_t loop_steps;
} frame_state;

static void fill(frame_state *f, leat_read_desc *reads)
{
    for (uint32_t i = 0; i < FRAME_REQUESTS; ++i) {
        uint32_t position = (uint32_t)(bench_random(&f->random) % f->plain.index.asset_count);
        uint64_t raw = f->plain.index.assets[position].raw_size;
        uint64_t size = u64_min(raw, REQUEST_BYTES);
        reads[i] = (leat_read_desc){ .asset = leat_asset_at(f->s, f->pack, position),
                                     .part = { .kind = LEAT_PART_BYTES, .size = size },
                                     .bind = LEAT_BIND_CALLER,
                                     .memory = f->memory + (size_t)i * REQUEST_BYTES,
                                     .memory_size = REQUEST_BYTES };
    }
}

/* Until an update would take as many, without taking them. */
static bool wait_for_events(const leat_streamer *s, uint32_t count)
{
    leat_stats stats = { 0 };
    for (uint32_t tries = 0; stats.events_waiting < count && tries < 50000; ++tries) {
        bench_sleep_ns(200000);
        leat_stats_get(s, &stats);
    }
    return stats.events_waiting >= count;
}

/* One frame: all submitted, all ended; then one update that finds a thousand events. */
static bool frame(frame_state *f, frame_samples *t)
{
    leat_read_desc reads[FRAME_REQUESTS];
    fill(f, reads);
    uint64_t before = allocations;
    uint64_t begin_ns = bench_now_ns();
    bool ok = leat_submit(f->s, reads, FRAME_REQUESTS, NULL, NULL) == LEAT_OK;
    uint64_t submitted_ns = bench_now_ns();
    ok = ok && wait_for_events(f->s, FRAME_REQUESTS);
    bench_sleep_ns(500000); /* whoever has posted the last one is done with it */
    uint64_t update_ns = bench_now_ns();
    uint32_t count = leat_update(f->s, NULL).count;
    uint64_t end_ns = bench_now_ns();
    f->counted += allocations - before;
    samples_add(&t->submit_us, (double)(submitted_ns - begin_ns) / 1e3);
    samples_add(&t->update_us, (double)(end_ns - update_ns) / 1e3);
    bench_sleep_ns(500000);
    samples_add(&t->loop_us, loop_ns(f->loop_steps) / 1e3);
    if (!ok || count != FRAME_REQUESTS) {
        fprintf(stderr, "leat-bench: engine: %u of %u requests have ended\n", count, FRAME_REQUESTS);
        return false;
    }
    return true;
}

static void report(bench *b, const frame_state *f, frame_samples *t, double requests, const leat_stats *before,
                   const leat_stats *after)
{
    double reads = (double)u64_max(after->reads_completed - before->reads_completed, 1);
    double io_calls =
        (double)(after->io_submit_calls + after->io_wait_calls - before->io_submit_calls - before->io_wait_calls);
    bench_figure(b, "update_1000_events_p99", samples_quantile(&t->update_us, 0.99) / 1e3, "ms", GOAL_AT_MOST, 0.05);
    bench_figure(b, "update_1000_events_p90", samples_quantile(&t->update_us, 0.9) / 1e3, "ms", GOAL_NONE, 0);
    bench_figure(b, "update_1000_events_p50", samples_median(&t->update_us) / 1e3, "ms", GOAL_NONE, 0);
    bench_figure(b, "update_1000_events_min", samples_quantile(&t->update_us, 0) / 1e3, "ms", GOAL_NONE, 0);
    bench_figure(b, "loop_of_0.05_ms_p99", samples_quantile(&t->loop_us, 0.99) / 1e3, "ms", GOAL_NONE, 0);
    bench_figure(b, "loop_of_0.05_ms_p90", samples_quantile(&t->loop_us, 0.9) / 1e3, "ms", GOAL_NONE, 0);
    bench_figure(b, "loop_of_0.05_ms_p50", samples_median(&t->loop_us) / 1e3, "ms", GOAL_NONE, 0);
    bench_figure(b, "submit_1000_p99", samples_quantile(&t->submit_us, 0.99) / 1e3, "ms", GOAL_NONE, 0);
    bench_figure(b, "submit_1000_p50", samples_median(&t->submit_us) / 1e3, "ms", GOAL_NONE, 0);
    bench_figure(b, "allocations", (double)f->counted, "", GOAL_AT_MOST, 0);
    bench_figure(b, "engine_calls_per_1000_requests",
                 (double)(after->wake_calls - before->wake_calls) * 1000 / requests, "", GOAL_AT_MOST, 5);
    bench_figure(b, "io_calls_per_read", io_calls / reads, "", GOAL_AT_MOST, 0.25);
    bench_raw(b, "update_us", &t->update_us);
    bench_raw(b, "loop_us", &t->loop_us);
    bench_raw(b, "submit_us", &t->submit_us);
}

bool suite_engine(bench *b)
{
    frame_state f = { .random = 1,
                      .plain = { .fd = -1 },
                      .memory = malloc((size_t)FRAME_REQUESTS * REQUEST_BYTES),
                      .loop_steps = loop_calibrate() };
    if (f.memory == NULL || leat_create(NULL, &f.s) != LEAT_OK) {
        free(f.memory);
        return false;
    }
    bool ok = leat_pack_open(f.s, b->pack_path, NULL, &f.pack) == LEAT_OK && bench_pack_open(b->pack_path, &f.plain);
    frame_samples warm = { 0 }, t = { 0 };
    uint32_t frames = b->quick ? 5 : RUN_READS / FRAME_REQUESTS;
    bench_warm(b->pack_path);
    for (uint32_t i = 0; i < WARM_FRAMES && ok; ++i) {
        ok = frame(&f, &warm);
    }
    frame_samples_free(&warm);
    f.counted = 0;
    leat_stats before, after;
    leat_stats_get(f.s, &before);
    for (uint32_t i = 0; i < frames && ok; ++i) {
        ok = frame(&f, &t);
    }
    leat_stats_get(f.s, &after);
    if (ok) {
        report(b, &f, &t, (double)frames * FRAME_REQUESTS, &before, &after);
    }
    frame_samples_free(&t);
    bench_pack_close(&f.plain);
    leat_destroy(f.s);
    free(f.memory);
    return ok;
}
