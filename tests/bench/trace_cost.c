/* trace_cost.c - what it costs to record a trace.
 *
 * The same requests, all assets of the pack from the page cache, with tracing on and off in turns; small reads of one
 * chunk each beside them, where a record weighs most. What counts is processor time, which a shared host disturbs less
 * than time. LZ4 is most of it, and differs by some per cent from one turn to the next: so the ratio is that of two
 * neighbours, and there are many. Off costs one relaxed load a point and is not to be told from nothing: so it is the
 * measure. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#define TRACE_RECORDS (1u << 18)
#define DEPTH 256u
#define SMALL_BYTES 4096u
#define TURNS_PER_ROUND 16u
#define TURNS_PER_ROUND_QUICK 1u

typedef struct mode {
    const char *name;
    bool small;
    double cpu_ns[2], time_ns[2]; /* of the last turns: off, on */
    samples cpu, time; /* on / off */
} mode;

static bool run(leat_streamer *s, leat_pack pack, uint32_t asset_count, bool small)
{
    uint32_t next = 0, out = 0;
    while (next < asset_count || out > 0) {
        while (next < asset_count && out < DEPTH) {
            leat_asset_info info;
            leat_asset asset = leat_asset_at(s, pack, next);
            if (leat_asset_info_get(s, asset, &info) != LEAT_OK) {
                return false;
            }
            leat_part part = { .kind = LEAT_PART_BYTES, .size = info.size < SMALL_BYTES ? info.size : SMALL_BYTES };
            leat_read_desc read = { .asset = asset, .part = small ? part : (leat_part){ 0 } };
            if (info.size > 0 && leat_read(s, &read, NULL) != LEAT_OK) {
                break; /* full: take events first */
            }
            out += info.size > 0;
            ++next;
        }
        leat_events events = leat_wait(s, NS_PER_S);
        for (uint32_t i = 0; i < events.count; ++i) {
            leat_release(s, events.items[i].request);
        }
        out -= events.count;
    }
    return true;
}

static bool turn(bench *b, leat_streamer *s, leat_pack pack, mode *m, uint32_t assets, bool traced)
{
    if (traced && leat_trace_start(s) != LEAT_OK) {
        return false;
    }
    uint64_t cpu_ns = bench_cpu_ns(), begin_ns = bench_now_ns();
    uint32_t times = m->small ? 8 : 1; /* so that a turn is long enough to be measured */
    bool ok = true;
    for (uint32_t i = 0; i < times && ok; ++i) {
        ok = run(s, pack, assets, m->small);
    }
    m->time_ns[traced] = (double)(bench_now_ns() - begin_ns);
    m->cpu_ns[traced] = (double)(bench_cpu_ns() - cpu_ns);
    return ok && (!traced || bench_trace_stop(b, s));
}

bool suite_trace(bench *b)
{
    leat_streamer *s = NULL;
    leat_pack pack;
    leat_pack_info info;
    leat_desc desc = { .trace_event_count = TRACE_RECORDS };
    mode modes[] = { { .name = "trace_cost_whole_assets" }, { .name = "trace_cost_small_reads", .small = true } };
    bool ok = leat_create(&desc, &s) == LEAT_OK && leat_pack_open(s, b->pack_path, NULL, &pack) == LEAT_OK &&
              leat_pack_info_get(s, pack, &info) == LEAT_OK;
    bench_warm(b->pack_path);
    ok = ok && run(s, pack, info.asset_count, false);
    uint32_t turns = b->rounds * (b->quick ? TURNS_PER_ROUND_QUICK : TURNS_PER_ROUND);
    for (uint32_t round = 0; round < turns && ok; ++round) {
        for (uint32_t i = 0; i < COUNT_OF(modes) && ok; ++i) {
            mode *m = &modes[i];
            bool first = round % 2 == 1; /* who is first is not always the same */
            ok = turn(b, s, pack, m, info.asset_count, first) && turn(b, s, pack, m, info.asset_count, !first);
            samples_add(&m->cpu, m->cpu_ns[1] / m->cpu_ns[0]);
            samples_add(&m->time, m->time_ns[1] / m->time_ns[0]);
        }
    }
    for (uint32_t i = 0; i < COUNT_OF(modes); ++i) {
        mode *m = &modes[i];
        if (ok) {
            printf("  %-24s on/off: time %.3f; quartiles of processor time %.3f and %.3f\n", m->name,
                   samples_median(&m->time), samples_quantile(&m->cpu, 0.25), samples_quantile(&m->cpu, 0.75));
            bench_figure(b, m->name, samples_median(&m->cpu), "", GOAL_AT_MOST, 1.03);
        }
        samples_free(&m->cpu);
        samples_free(&m->time);
    }
    leat_destroy(s);
    return ok;
}
