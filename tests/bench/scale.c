/* scale.c - submit, cancel and re-prioritise while a thousand, and a million, requests wait.
 *
 * All requests bind their memory late, and nobody answers, so that they stay queued, and a new one
 * would have to wait behind them (so that it costs no wake: how many there were is printed): what is measured is the
 * caller's thread alone, in batches of 64 on requests picked at random, with the queue at its level. A batch begins
 * when the I/O thread has nothing left to do and sleeps, so that the call that wakes it is in each that makes one, at a
 * thousand as at a million: "submit", "cancel" and "reprioritise" are one call with an array of 64; "read",
 * "cancel_one" and "reprioritise_one" are 64 calls, in turns with it. Re-prioritised and cancelled are different
 * requests, so that no call finds in the cache what another has brought there. The wake that cancelling and
 * re-prioritising put off is made by the next leat_update, which is measured as well, and what a bare wake costs here.
 * Cancelled requests are replaced by new ones. A figure is the median of its batches' means. */
#include "bench.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CALLS 64u
#define BATCHES 400u
#define SMALL_COUNT 1000u
#define LARGE_COUNT 1000000u
#define ASSET_COUNT 4096u

typedef struct costs {
    samples submit, cancel, reprioritise; /* ns per request: in an array */
    samples read, cancel_one, reprioritise_one; /* one by one */
    samples owed; /* ns of the leat_update that makes the wake which the cancels have put off */
    uint32_t full; /* re-prioritisations that were answered "full" */
    uint64_t wakes; /* of the I/O thread within what is measured, but for that update */
    uint32_t stale; /* calls that met no request: must stay 0, or the costs are of nothing */
    double bytes; /* of the streamer with its tables, without the pools */
    double huge_share; /* of the memory in use, how much the kernel has put on huge pages */
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

static uint32_t cancelled_of(leat_events events)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < events.count; ++i) {
        count += events.items[i].type == LEAT_EVENT_CANCELLED;
    }
    return count;
}

/* Takes events until `wanted` requests have ended; the slots are free after it. */
static bool take_cancelled(leat_streamer *s, uint32_t wanted)
{
    for (uint32_t tries = 0; wanted > 0 && tries < 100000; ++tries) {
        bench_sleep_ns(10000);
        wanted -= cancelled_of(leat_update(s, NULL));
    }
    return wanted == 0;
}

/* A level of the process in kB, by its name in the kernel's list; 0 if it is not there. */
static double level_kb(const char *name)
{
    char line[128];
    double kb = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            kb = strtod(line + strlen(name), NULL);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kb;
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

static uint64_t wakes_of(const leat_streamer *s)
{
    leat_stats stats;
    leat_stats_get(s, &stats);
    return stats.wake_calls;
}

typedef struct stage {
    leat_streamer *s;
    leat_pack pack;
    const uint32_t *assets;
    leat_request *handles;
    uint32_t count;
    uint64_t random;
} stage;

/* Different requests, one of each stretch of the table, and their handles; so that no miss of our own is measured. */
static void pick(stage *t, uint32_t *picked, leat_request *chosen)
{
    for (uint32_t i = 0; i < CALLS; ++i) {
        picked[i] = (uint32_t)((bench_random(&t->random) % (t->count / CALLS)) * CALLS + i);
        chosen[i] = t->handles[picked[i]];
    }
}

static void reprioritise(stage *t, const leat_request *chosen, bool one_by_one, costs *c)
{
    leat_reprioritise_desc orders[CALLS];
    uint32_t taken = CALLS;
    for (uint32_t i = 0; i < CALLS; ++i) {
        orders[i] =
            (leat_reprioritise_desc){ .request = chosen[i], .priority = (leat_priority)(i % LEAT_PRIORITY_COUNT) };
    }
    uint64_t begin_ns = bench_now_ns();
    if (one_by_one) {
        for (uint32_t i = 0; i < CALLS; ++i) {
            leat_result result = leat_reprioritise(t->s, orders[i].request, orders[i].priority, 0);
            c->full += result == LEAT_ERROR_FULL;
            c->stale += result == LEAT_ERROR_STALE;
        }
    } else {
        c->stale += leat_reprioritise_many(t->s, orders, CALLS, &taken) == LEAT_ERROR_STALE;
    }
    samples_add(one_by_one ? &c->reprioritise_one : &c->reprioritise, (double)(bench_now_ns() - begin_ns) / CALLS);
    c->full += CALLS - taken;
}

static void measure_reprioritise(stage *t, bool one_by_one, costs *c)
{
    uint32_t picked[CALLS];
    leat_request chosen[CALLS];
    pick(t, picked, chosen);
    settle(t->s);
    uint64_t wakes = wakes_of(t->s);
    reprioritise(t, chosen, one_by_one, c);
    c->wakes += wakes_of(t->s) - wakes;
}

/* All of them, and the update that makes the wake; returns when they have ended and their slots are free. */
static bool cancel(stage *t, const leat_request *chosen, bool one_by_one, costs *c)
{
    uint32_t cancelled = 0;
    settle(t->s);
    uint64_t begin_ns = bench_now_ns();
    if (one_by_one) {
        for (uint32_t i = 0; i < CALLS; ++i) {
            cancelled += leat_cancel(t->s, chosen[i]) == LEAT_OK;
        }
    } else {
        leat_cancel_many(t->s, chosen, CALLS, &cancelled);
    }
    uint64_t end_ns = bench_now_ns();
    samples_add(one_by_one ? &c->cancel_one : &c->cancel, (double)(end_ns - begin_ns) / CALLS);
    leat_events events = leat_update(t->s, NULL);
    samples_add(&c->owed, (double)(bench_now_ns() - end_ns));
    c->stale += CALLS - cancelled;
    return take_cancelled(t->s, CALLS - cancelled_of(events));
}

static bool submit(stage *t, const leat_read_desc *reads, bool one_by_one, leat_request *fresh, costs *c)
{
    uint32_t taken = 0;
    settle(t->s);
    uint64_t wakes = wakes_of(t->s);
    uint64_t begin_ns = bench_now_ns();
    if (one_by_one) {
        for (uint32_t i = 0; i < CALLS; ++i) {
            taken += leat_read(t->s, &reads[i], &fresh[i]) == LEAT_OK;
        }
    } else if (leat_submit(t->s, reads, CALLS, fresh, &taken) != LEAT_OK) {
        return false;
    }
    samples_add(one_by_one ? &c->read : &c->submit, (double)(bench_now_ns() - begin_ns) / CALLS);
    c->wakes += wakes_of(t->s) - wakes;
    return taken == CALLS;
}

/* Puts as many new ones in the place of those it cancels. */
static bool measure_cancel_and_submit(stage *t, bool one_by_one, costs *c)
{
    uint32_t picked[CALLS];
    leat_request chosen[CALLS], fresh[CALLS];
    leat_read_desc reads[CALLS];
    pick(t, picked, chosen);
    for (uint32_t i = 0; i < CALLS; ++i) {
        uint32_t position = position_of(t->assets, bench_random(&t->random));
        reads[i] = (leat_read_desc){ .asset = leat_asset_at(t->s, t->pack, position), .bind = LEAT_BIND_LATE };
    }
    if (!cancel(t, chosen, one_by_one, c) || !submit(t, reads, one_by_one, fresh, c)) {
        return false;
    }
    for (uint32_t i = 0; i < CALLS; ++i) {
        t->handles[picked[i]] = fresh[i];
    }
    return true;
}

static bool measure(stage *t, costs *c)
{
    bool ok = true;
    for (uint32_t batch = 0; batch < BATCHES && ok; ++batch) {
        bool one_by_one = batch % 2 == 1;
        measure_reprioritise(t, one_by_one, c);
        ok = measure_cancel_and_submit(t, one_by_one, c);
    }
    return ok;
}

/* ---- What a wake costs here, whoever makes it ---- */

static void *sleeper_main(void *argument)
{
    int fd = *(int *)argument;
    for (uint64_t value = 0; value != UINT32_MAX;) {
        struct pollfd wait_for = { .fd = fd, .events = POLLIN };
        poll(&wait_for, 1, -1);
        if (read(fd, &value, sizeof(value)) < 0) {
            value = 0; /* taken already */
        }
    }
    return NULL;
}

static double bare_wake_ns(void)
{
    samples ns = { 0 };
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_t sleeper;
    if (fd < 0 || pthread_create(&sleeper, NULL, sleeper_main, &fd) != 0) {
        return 0;
    }
    bool ok = true;
    for (uint32_t i = 0; i < BATCHES && ok; ++i) {
        uint64_t one = 1;
        bench_sleep_ns(300000);
        uint64_t begin_ns = bench_now_ns();
        ok = write(fd, &one, sizeof(one)) == sizeof(one);
        samples_add(&ns, (double)(bench_now_ns() - begin_ns));
    }
    bench_sleep_ns(10000000); /* the last one is taken: the next value comes alone */
    uint64_t last = UINT32_MAX;
    if (write(fd, &last, sizeof(last)) == sizeof(last)) {
        pthread_join(sleeper, NULL);
    }
    close(fd);
    double median = samples_median(&ns);
    samples_free(&ns);
    return median;
}

/* ---- A run ---- */

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
        c->huge_share = level_kb("AnonHugePages:") / (level_kb("Rss:") + 1);
        stage t = { .s = s, .pack = pack, .assets = assets, .handles = handles, .count = count, .random = 5 };
        ok = measure(&t, c);
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
    report(b, "read", &small.read, &large.read);
    report(b, "cancel", &small.cancel, &large.cancel);
    report(b, "cancel_one", &small.cancel_one, &large.cancel_one);
    report(b, "reprioritise", &small.reprioritise, &large.reprioritise);
    report(b, "reprioritise_one", &small.reprioritise_one, &large.reprioritise_one);
    bench_figure(b, "update_that_wakes", samples_median(&large.owed), "ns", GOAL_NONE, 0);
    bench_figure(b, "batches_measured", (double)(4 * BATCHES * b->rounds), "", GOAL_NONE, 0);
    bench_figure(b, "wakes_within_them", (double)(small.wakes + large.wakes), "", GOAL_NONE, 0);
    bench_figure(b, "bare_wake", bare_wake_ns(), "ns", GOAL_NONE, 0);
    bench_figure(b, "huge_pages", large.huge_share, "of all", GOAL_NONE, 0);
    bench_figure(b, "bytes_per_request", (large.bytes - small.bytes) / (many - SMALL_COUNT), "bytes", GOAL_NONE, 0);
    bench_figure(b, "reprioritise_full_answers", small.full + large.full, "", GOAL_NONE, 0);
    bench_figure(b, "calls_that_met_no_request", small.stale + large.stale, "", GOAL_AT_MOST, 0);
    bench_raw(b, "submit_million_ns", &large.submit);
    return true;
}
