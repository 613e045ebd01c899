/* throughput.c - a whole pack and random assets through Leat, cold and warm, against what the machine can do. */
#include "peers.h"
#include "rss.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RANDOM_COUNT 1000u
#define PASS_RAW_MIN (512u << 20) /* what is less is loaded again and again, each time cold where it is to be */
#define PASS_ROUNDS_MAX 64u

typedef struct pass {
    double raw_per_s, cpu_s_per_gb, copied_ratio, calls_per_read;
    double peak_rss; /* bytes, of what came with the streamer; < 0: the kernel does not say */
} pass;

/* With everything that Leat chooses by itself. */
static bool run_pass(bench *b, const uint32_t *assets, uint32_t count, leat_backend backend, bool cold, pass *p)
{
    leat_streamer *s;
    leat_pack pack;
    uint64_t rss_before = rss_peak_reset() ? rss_bytes() : 0;
    if (leat_create(&(leat_desc){ .backend = backend }, &s) != LEAT_OK) {
        return false;
    }
    if (leat_pack_open(s, b->pack_path, NULL, &pack) != LEAT_OK) {
        leat_destroy(s);
        return false;
    }
    uint64_t passed_ns = 0, cpu_ns = 0, bytes = 0;
    bool ok = true;
    for (uint32_t i = 0; i < PASS_ROUNDS_MAX && ok && bytes < PASS_RAW_MIN; ++i) {
        (cold ? bench_cold : bench_warm)(b->pack_path);
        uint64_t begin_ns = bench_now_ns(), begin_cpu_ns = bench_cpu_ns();
        ok = bench_load(s, pack, assets, count, &bytes);
        passed_ns += bench_now_ns() - begin_ns;
        cpu_ns += bench_cpu_ns() - begin_cpu_ns;
    }
    leat_stats stats;
    leat_stats_get(s, &stats);
    *p = (pass){ .raw_per_s = (double)bytes * 1e9 / (double)passed_ns,
                 .cpu_s_per_gb = (double)cpu_ns / (double)bytes,
                 .copied_ratio = (double)stats.bytes_copied / (double)bytes,
                 .calls_per_read =
                     (double)(stats.io_submit_calls + stats.io_wait_calls) / (double)u64_max(stats.reads_completed, 1),
                 .peak_rss = rss_before == 0 ? -1 : (double)rss_peak_bytes() - (double)rss_before };
    leat_destroy(s);
    return ok;
}

typedef struct series {
    samples rate, cpu, copied, calls, rss;
} series;

static bool add(bench *b, const uint32_t *assets, uint32_t count, leat_backend backend, bool cold, series *out)
{
    pass p;
    if (!run_pass(b, assets, count, backend, cold, &p)) {
        fprintf(stderr, "leat-bench: a read failed\n");
        return false;
    }
    samples_add(&out->rate, p.raw_per_s);
    samples_add(&out->cpu, p.cpu_s_per_gb);
    samples_add(&out->copied, p.copied_ratio);
    samples_add(&out->calls, p.calls_per_read);
    samples_add(&out->rss, p.peak_rss);
    return true;
}

/* The other design, by hand, on as many workers as there are cores: a pass over the same pack, cold. */
static bool add_ring_per_worker(const bench_pack *pack, samples *rate, samples *cpu)
{
    uint64_t bytes;
    stopwatch watch;
    bench_cold(pack->path);
    if (!ring_per_worker_run(pack, (uint32_t)sysconf(_SC_NPROCESSORS_ONLN), &bytes, &watch)) {
        return false;
    }
    samples_add(rate, (double)bytes * 1e9 / (double)watch.ns);
    samples_add(cpu, (double)watch.cpu_ns / (double)bytes);
    return true;
}

static void print_row(const char *name, series *s)
{
    printf("  %-28s %8.0f MB/s decoded (%.0f .. %.0f)   %.3f CPU s/GB   %.2f calls/read\n", name,
           samples_median(&s->rate) / 1e6, samples_quantile(&s->rate, 0) / 1e6, samples_quantile(&s->rate, 1) / 1e6,
           samples_median(&s->cpu), samples_median(&s->calls));
}

/* The most that any pass took. */
static void figure_peak_rss(bench *b, const char *name, const series *s)
{
    double peak = samples_quantile(&s->rss, 1);
    if (peak >= 0) {
        bench_figure(b, name, peak / 1048576.0, "MiB", GOAL_NONE, 0);
    } else {
        printf("  %s: not here, the kernel's peak cannot be set back\n", name);
    }
}

/* "bc" or "rgba8": what most bytes of the pack's textures are. */
static const char *texel_kind(const bench_pack *pack)
{
    uint64_t bytes[2] = { 0 };
    for (uint32_t i = 0; i < pack->index.asset_count; ++i) {
        const leat_pack_asset_record *a = &pack->index.assets[i];
        if (a->type == LEAT_ASSET_TEXTURE) {
            const leat_pack_texture_metadata *t = (const void *)(pack->index.metadata + a->metadata_offset);
            bytes[leat_format_block_edge((leat_format)t->format) == 1] += a->raw_size;
        }
    }
    return bytes[1] > bytes[0] ? "rgba8" : "bc";
}

/* What the rounds have given. */
typedef struct results {
    series cold, warm, cold_random, cold_threads;
    samples device, decode, lz4, limit; /* `limit`: the lesser of the first two, as raw bytes, of the same round */
    samples rings, rings_cpu;
    uint32_t random_count;
    bool rings_here;
} results;

static bool run_round(bench *b, const bench_pack *pack, const uint32_t *all, uint32_t all_count, const uint32_t *random,
                      results *r)
{
    limits l;
    bool ok = limits_measure(b, &l) && add(b, all, all_count, LEAT_BACKEND_AUTO, true, &r->cold) &&
              add(b, random, r->random_count, LEAT_BACKEND_AUTO, true, &r->cold_random) &&
              add(b, all, all_count, LEAT_BACKEND_THREADS, true, &r->cold_threads) &&
              add(b, all, all_count, LEAT_BACKEND_AUTO, false, &r->warm);
    if (!ok) {
        return false;
    }
    r->rings_here = r->rings_here && add_ring_per_worker(pack, &r->rings, &r->rings_cpu);
    double device_raw = l.device_packed_per_s * l.ratio;
    samples_add(&r->device, device_raw);
    samples_add(&r->decode, l.decode_raw_per_s);
    samples_add(&r->lz4, l.lz4_cpu_s_per_raw_byte);
    samples_add(&r->limit, device_raw < l.decode_raw_per_s ? device_raw : l.decode_raw_per_s);
    return true;
}

static double ratio_of_medians(samples *over, samples *under)
{
    return samples_median(over) / samples_median(under);
}

static void report(bench *b, const bench_pack *pack, results *r)
{
    char row[64], name[64];
    snprintf(row, sizeof(row), "cold, %u random assets", r->random_count);
    print_row("cold, whole pack", &r->cold);
    print_row(row, &r->cold_random);
    print_row("cold, whole pack, threads", &r->cold_threads);
    print_row("warm, whole pack", &r->warm);
    bench_figure(b, "device_decoded", samples_median(&r->device) / 1e6, "MB/s", GOAL_NONE, 0);
    bench_figure(b, "decode_all_cores", samples_median(&r->decode) / 1e6, "MB/s", GOAL_NONE, 0);
    snprintf(name, sizeof(name), "cold_%s_ratio_to_limit", texel_kind(pack));
    if (samples_median(&r->limit) > 0) {
        bench_figure(b, name, ratio_of_medians(&r->cold.rate, &r->limit), "", GOAL_AT_LEAST, 0.95);
        bench_figure(b, "cold_random_ratio_to_limit", ratio_of_medians(&r->cold_random.rate, &r->limit), "", GOAL_NONE,
                     0);
    } else { /* nothing divided by nothing meets every goal */
        printf("  %s: not here, the device is measured by io_uring, which is refused\n", name);
    }
    if (r->rings_here) {
        bench_figure(b, "ring_per_worker_cold", samples_median(&r->rings) / 1e6, "MB/s", GOAL_NONE, 0);
        bench_figure(b, "ring_per_worker_cpu", samples_median(&r->rings_cpu), "CPU s/GB", GOAL_NONE, 0);
        bench_figure(b, "cold_ratio_to_ring_per_worker", ratio_of_medians(&r->cold.rate, &r->rings), "", GOAL_NONE, 0);
    }
    bench_figure(b, "warm_ratio_to_limit", ratio_of_medians(&r->warm.rate, &r->decode), "", GOAL_AT_LEAST, 0.95);
    bench_figure(b, "cpu_ratio_to_lz4", ratio_of_medians(&r->cold.cpu, &r->lz4) / 1e9, "", GOAL_AT_MOST, 1.15);
    bench_figure(b, "cpu_cold", samples_median(&r->cold.cpu), "CPU s/GB", GOAL_NONE, 0);
    bench_figure(b, "cpu_warm", samples_median(&r->warm.cpu), "CPU s/GB", GOAL_NONE, 0);
    bench_figure(b, "calls_per_read_cold", samples_median(&r->cold.calls), "", GOAL_NONE, 0);
    figure_peak_rss(b, "peak_rss_cold", &r->cold);
    figure_peak_rss(b, "peak_rss_warm", &r->warm);
    bench_figure(b, "copied_bytes_per_byte", samples_median(&r->cold.copied), "", GOAL_NONE, 0);
    bench_round_by_round("cold to the limit, round by round", &r->cold.rate, &r->limit);
    bench_round_by_round("warm to the limit, round by round", &r->warm.rate, &r->decode);
    bench_raw(b, "cold_raw_per_s", &r->cold.rate);
    bench_raw(b, "warm_raw_per_s", &r->warm.rate);
    bench_raw(b, "limit_raw_per_s", &r->limit);
}

bool suite_throughput(bench *b)
{
    bench_pack pack;
    if (!bench_pack_open(b->pack_path, &pack)) {
        return false;
    }
    results r = { .random_count = RANDOM_COUNT, .rings_here = true };
    uint32_t all_count, *all = bench_distinct(&pack.index, &all_count);
    uint32_t *random = bench_pick_distinct(&pack.index, &r.random_count, 17);
    bool ok = true;
    for (uint32_t round = 0; round < b->rounds && ok; ++round) {
        ok = run_round(b, &pack, all, all_count, random, &r);
    }
    if (ok) {
        report(b, &pack, &r);
    }
    free(random);
    free(all);
    bench_pack_close(&pack);
    return ok;
}
