/* steady.c - a steady run: an engine that streams without a pause, a frame of 1/60 s at a time.
 *
 * Each frame takes its events, gives their memory back, and tops its requests up again with one leat_submit; then the
 * engine's thread sleeps until the next frame. So there is always more wanted than the disk can give, as when a player
 * moves through a world. Counted, by the streamer's counters: the system calls that the engine's thread makes inside
 * Leat, for 1,000 requests, and those of the I/O thread, for a read; cold (past the page cache) and warm.
 *
 * count_syscalls.sh holds the counters against strace: it counts between the two marks of a run, which are calls of
 * access() on paths that are not there. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FRAME_NS (NS_PER_S / 60)
#define WANTED 1024u /* requests that are not yet ready: what a disk gives in some frames */
#define MEMORY_BYTES (UINT64_C(1) << 30) /* so that the disk is what there is too little of */
#define FRAMES_BEFORE 10u /* before the counting begins */

typedef struct steady {
    leat_streamer *s;
    leat_pack pack;
    uint32_t *assets;
    uint32_t asset_count, asset_next;
    uint32_t live; /* submitted, and not ended yet */
    uint64_t ended;
} steady;

static bool top_up(steady *t)
{
    static const leat_read_desc none = { 0 };
    leat_read_desc reads[WANTED];
    uint32_t count = WANTED - t->live;
    for (uint32_t i = 0; i < count; ++i) {
        reads[i] = none;
        reads[i].asset = leat_asset_at(t->s, t->pack, t->assets[t->asset_next]);
        t->asset_next = (t->asset_next + 1) % t->asset_count;
    }
    uint32_t taken = 0;
    bool ok = leat_submit(t->s, reads, count, NULL, &taken) == LEAT_OK;
    t->live += taken;
    return ok;
}

static bool frame(steady *t)
{
    leat_events events = leat_update(t->s, NULL);
    for (uint32_t i = 0; i < events.count; ++i) {
        if (events.items[i].type != LEAT_EVENT_READY) {
            fprintf(stderr, "leat-bench: steady: a request has failed\n");
            return false;
        }
        leat_release(t->s, events.items[i].request);
    }
    t->live -= events.count;
    t->ended += events.count;
    return top_up(t);
}

static bool frames(steady *t, uint32_t count)
{
    uint64_t next_ns = bench_now_ns();
    bool ok = true;
    for (uint32_t i = 0; i < count && ok; ++i) {
        ok = frame(t);
        next_ns += FRAME_NS;
        uint64_t now_ns = bench_now_ns();
        if (next_ns > now_ns) {
            bench_sleep_ns(next_ns - now_ns);
        }
    }
    return ok;
}

static void mark(const char *name, const char *what)
{
    char path[64];
    snprintf(path, sizeof(path), "/leat-bench/%s/%s", name, what);
    if (access(path, F_OK) == 0) {
        fprintf(stderr, "leat-bench: steady: %s is there\n", path);
    }
}

static void report(bench *b, const char *name, const leat_stats *before, const leat_stats *after, double requests,
                   double seconds)
{
    struct {
        const char *what;
        double value;
        const char *unit;
        goal_kind kind;
        double goal;
    } figures[] = {
        { "engine_calls_per_1000_requests", (double)(after->wake_calls - before->wake_calls) * 1000 / requests, "",
          GOAL_AT_MOST, 5 },
        { "io_calls_per_read",
          (double)(after->io_submit_calls + after->io_wait_calls - before->io_submit_calls - before->io_wait_calls) /
              (double)u64_max(after->reads_issued - before->reads_issued, 1),
          "", GOAL_AT_MOST, 0.25 },
        { "worker_wakes_per_read",
          (double)(after->worker_wake_calls - before->worker_wake_calls) /
              (double)u64_max(after->reads_issued - before->reads_issued, 1),
          "", GOAL_NONE, 0 },
        { "wakes", (double)(after->wake_calls - before->wake_calls), "", GOAL_NONE, 0 },
        { "requests", requests, "", GOAL_NONE, 0 },
        { "reads", (double)(after->reads_issued - before->reads_issued), "", GOAL_NONE, 0 },
        { "delivered", (double)(after->bytes_delivered - before->bytes_delivered) / 1e6 / seconds, "MB/s", GOAL_NONE,
          0 },
    };
    for (size_t i = 0; i < COUNT_OF(figures); ++i) {
        char text[64];
        snprintf(text, sizeof(text), "%s_%s", name, figures[i].what);
        bench_figure(b, text, figures[i].value, figures[i].unit, figures[i].kind, figures[i].goal);
    }
}

static bool run(bench *b, const char *name, leat_switch direct, const bench_pack *plain)
{
    leat_desc desc = { .direct = direct, .memory_bytes_max = MEMORY_BYTES };
    steady t = { .asset_count = plain->index.asset_count };
    if (leat_create(&desc, &t.s) != LEAT_OK) {
        return false;
    }
    bool ok = leat_pack_open(t.s, b->pack_path, NULL, &t.pack) == LEAT_OK;
    t.assets = bench_pick(&plain->index, t.asset_count, 7);
    ok = ok && frames(&t, FRAMES_BEFORE);
    t.ended = 0;
    leat_stats before, after;
    leat_stats_get(t.s, &before);
    uint64_t begin_ns = bench_now_ns();
    mark(name, "begin");
    ok = ok && frames(&t, (uint32_t)(b->seconds * (double)NS_PER_S / (double)FRAME_NS) + 1);
    mark(name, "end");
    double seconds = (double)(bench_now_ns() - begin_ns) / (double)NS_PER_S;
    leat_stats_get(t.s, &after);
    if (ok) {
        report(b, name, &before, &after, (double)u64_max(t.ended, 1), seconds);
    }
    free(t.assets);
    leat_destroy(t.s);
    return ok;
}

bool suite_steady(bench *b)
{
    bench_pack plain;
    if (!bench_pack_open(b->pack_path, &plain)) {
        return false;
    }
    bench_cold(b->pack_path);
    bool ok = run(b, "cold", LEAT_ON, &plain);
    bench_warm(b->pack_path);
    ok = ok && run(b, "warm", LEAT_DEFAULT, &plain);
    bench_pack_close(&plain);
    return ok;
}
