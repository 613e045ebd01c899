/* startup.c - opening packs of 10^3 to 10^6 assets from the page cache; create and destroy. */
#include "bench.h"

#include "region.h"
#include "test_pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SMALL_ASSET_BYTES 16u

static bool measure_open(bench *b, uint32_t count, samples *ms)
{
    const test_pack_desc desc = {
        .seed = count, .asset_count = count, .size_min = SMALL_ASSET_BYTES, .size_max = SMALL_ASSET_BYTES
    };
    char path[BENCH_PATH_SIZE];
    int fd = bench_pack_make(&desc, path);
    bool ok = fd >= 0;
    for (uint32_t round = 0; round < b->rounds && ok; ++round) {
        leat_streamer *s;
        leat_pack handle;
        bench_warm(path);
        ok = leat_create(NULL, &s) == LEAT_OK;
        uint64_t begin_ns = bench_now_ns();
        ok = ok && leat_pack_open(s, path, NULL, &handle) == LEAT_OK;
        samples_add(ms, (double)(bench_now_ns() - begin_ns) / 1e6);
        leat_destroy(s);
    }
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

bool suite_startup(bench *b)
{
    bool ok = true;
    uint32_t most = b->quick ? 10000 : 1000000;
    for (uint32_t count = 1000; count <= most && ok; count *= 10) {
        samples ms = { 0 };
        char name[64];
        ok = measure_open(b, count, &ms);
        snprintf(name, sizeof(name), "open_%u_assets", count);
        bench_figure(b, name, samples_median(&ms), "ms", count == 1000000 ? GOAL_AT_MOST : GOAL_NONE, 50);
        samples_free(&ms);
    }
    samples both_ms = { 0 }, pools_ms = { 0 };
    for (uint32_t i = 0; i < 20 && ok; ++i) {
        leat_streamer *s;
        uint64_t begin_ns = bench_now_ns();
        ok = leat_create(NULL, &s) == LEAT_OK;
        uint64_t pool = ok ? leat_resolved_desc(s)->pool_bytes : 0, lent = ok ? leat_resolved_desc(s)->lent_bytes : 0;
        leat_destroy(s);
        samples_add(&both_ms, (double)(bench_now_ns() - begin_ns) / 1e6);
        begin_ns = bench_now_ns();
        region a = { 0 }, c = { 0 };
        ok = ok && region_create(pool, true, &a) && region_create(lent, true, &c);
        region_destroy(&a);
        region_destroy(&c);
        samples_add(&pools_ms, (double)(bench_now_ns() - begin_ns) / 1e6);
    }
    bench_figure(b, "create_destroy", samples_median(&both_ms), "ms", GOAL_NONE, 0);
    bench_figure(b, "create_destroy_beyond_pools", samples_median(&both_ms) - samples_median(&pools_ms), "ms",
                 GOAL_AT_MOST, 5);
    samples_free(&both_ms);
    samples_free(&pools_ms);
    return ok;
}
