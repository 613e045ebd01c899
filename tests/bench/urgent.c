/* urgent.c - small urgent reads under load.
 *
 * A background of ordinary requests for random assets never runs dry, in Leat's own memory. Every 5 to 15 ms (jittered,
 * so that nothing beats in time with anything) one urgent read of 64 KiB of raw bytes goes out; measured is the time
 * from submit to its READY event, which the engine's thread waits for with leat_wait. The same without background is
 * "idle". The closed loop and the fixed windows take turns. A host that is shared takes processors away for
 * milliseconds; so each turn has a p99 of its own, and the median of them counts. "busy machine" is idle once more,
 * with a thread per core that only computes, and plain threads that read from the disk: what of the tail is the
 * machine's, whoever keeps it busy; and where threads above all others may be had (witness.h), how long some core was
 * away, and the p99 of the reads that met none of it. The same small reads in the class high, and of the normal class
 * with a deadline, show what others wait who are in a hurry; also from the page cache ("warm"), where reads cost
 * nothing and the workers are what all wait for. */
#include "bench.h"

#include "witness.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define URGENT_BYTES (64u << 10)
#define BACKGROUND_DEPTH 400u /* requests that wait at any time */
#define WINDOW_COUNT 10u
#define TURN_STRIDE 5u /* of the rotation, from round to round */
#define DEADLINE_NS (30 * NS_PER_MS) /* from now, of those that have one */

typedef struct outcome {
    samples latency_ms;
    samples bandwidth; /* packed bytes per second, per turn */
    samples p99; /* per turn */
    samples window;
    samples undisturbed_ms; /* of latency_ms, those during which no core was away */
    samples away; /* share of the time, per turn */
} outcome;

/* What a turn is to be. */
typedef struct setting {
    const char *name;
    uint64_t window; /* 0: closed loop */
    bool background;
    bool warm; /* from the page cache */
    leat_priority priority; /* of the small reads */
    bool deadline; /* they have one */
} setting;

typedef struct turn {
    const setting *is;
    leat_streamer *s;
    leat_pack pack;
    bench_pack plain;
    uint32_t *assets;
    uint32_t asset_count, next;
    uint32_t background; /* in flight */
    bool urgent_out;
    uint64_t urgent_at_ns;
    samples urgent_began; /* of each that has ended, in seconds, beside its latency */
    void *urgent_memory;
    uint64_t random;
    bool failed; /* a request did not become ready */
} turn;

/* Whether there is something to ask urgent reads of. */
static bool has_large_asset(const pack_index *index)
{
    for (uint32_t i = 0; i < index->asset_count; ++i) {
        if (index->assets[i].raw_size >= URGENT_BYTES) {
            return true;
        }
    }
    return false;
}

static bool submit_urgent(turn *t)
{
    uint32_t position;
    const leat_pack_asset_record *a;
    do {
        position = (uint32_t)(bench_random(&t->random) % t->plain.index.asset_count);
        a = &t->plain.index.assets[position];
    } while (a->raw_size < URGENT_BYTES);
    uint64_t offset = (bench_random(&t->random) % (a->raw_size - URGENT_BYTES + 1)) / 4096 * 4096;
    leat_read_desc read = { .asset = leat_asset_at(t->s, t->pack, position),
                            .part = { .kind = LEAT_PART_BYTES, .offset = offset, .size = URGENT_BYTES },
                            .priority = t->is->priority,
                            .bind = LEAT_BIND_CALLER,
                            .memory = t->urgent_memory,
                            .memory_size = URGENT_BYTES,
                            .user = 1 };
    t->urgent_at_ns = bench_now_ns();
    read.deadline_ns = t->is->deadline ? t->urgent_at_ns + DEADLINE_NS : 0;
    t->urgent_out = leat_read(t->s, &read, NULL) == LEAT_OK;
    return t->urgent_out;
}

static void feed(turn *t)
{
    while (t->background < BACKGROUND_DEPTH) {
        leat_read_desc read = { .asset = leat_asset_at(t->s, t->pack, t->assets[t->next]), .priority = LEAT_NORMAL };
        if (leat_read(t->s, &read, NULL) != LEAT_OK) {
            return;
        }
        t->next = (t->next + 1) % t->asset_count;
        ++t->background;
    }
}

static void take(turn *t, leat_events events, samples *latency_ms)
{
    for (uint32_t i = 0; i < events.count; ++i) {
        const leat_event *e = &events.items[i];
        if (e->type == LEAT_EVENT_LATE) {
            continue;
        }
        t->failed |= e->type != LEAT_EVENT_READY; /* which takes another time, and is no read */
        if (e->user == 1) {
            samples_add(latency_ms, (double)(bench_now_ns() - t->urgent_at_ns) / 1e6);
            samples_add(&t->urgent_began, (double)t->urgent_at_ns);
            t->urgent_out = false;
        } else {
            --t->background;
            leat_release(t->s, e->request);
        }
    }
}

static bool open_turn(bench *b, const setting *is, turn *t)
{
    leat_desc desc = { .window_bytes = is->window,
                       .direct = is->warm ? LEAT_DEFAULT : LEAT_ON,
                       .memory_bytes_max = 512u << 20,
                       .trace_event_count = b->trace_path != NULL ? BENCH_TRACE_RECORDS : 0 };
    *t = (turn){ .is = is, .random = bench_now_ns(), .asset_count = 4096 };
    if (leat_create(&desc, &t->s) != LEAT_OK || leat_pack_open(t->s, b->pack_path, NULL, &t->pack) != LEAT_OK ||
        !bench_pack_open(b->pack_path, &t->plain)) {
        leat_destroy(t->s);
        return false;
    }
    if (!has_large_asset(&t->plain.index)) {
        fprintf(stderr, "leat-bench: urgent: %s: no asset has %u KiB\n", b->pack_path, URGENT_BYTES >> 10);
        bench_pack_close(&t->plain);
        leat_destroy(t->s);
        return false;
    }
    t->assets = bench_pick(&t->plain.index, t->asset_count, t->random);
    t->urgent_memory = malloc(URGENT_BYTES);
    return t->urgent_memory != NULL;
}

static void close_turn(turn *t)
{
    leat_destroy(t->s);
    bench_pack_close(&t->plain);
    free(t->assets);
    free(t->urgent_memory);
    samples_free(&t->urgent_began);
}

/* Before `latency_ms` is sorted. */
static void keep_undisturbed(const turn *t, const samples *latency_ms, const witness *w, outcome *o)
{
    for (uint32_t i = 0; i < latency_ms->count; ++i) {
        uint64_t begin_ns = (uint64_t)t->urgent_began.values[i];
        if (!witness_saw_absence(w, begin_ns, begin_ns + (uint64_t)(latency_ms->values[i] * 1e6))) {
            samples_add(&o->undisturbed_ms, latency_ms->values[i]);
        }
    }
    samples_add(&o->away, witness_share_away(w));
}

/* One contestant's turn of `seconds`, after a warm-up of a fifth of that. */
static bool run_turn(bench *b, const setting *is, outcome *o)
{
    turn t;
    double seconds = b->seconds;
    bool traced = is->background && b->trace_path != NULL && !b->trace_written;
    if (is->warm) {
        bench_warm(b->pack_path);
    }
    if (!open_turn(b, is, &t)) {
        return false;
    }
    samples mine = { 0 };
    witness *w = witness_start();
    uint64_t begin_ns = bench_now_ns();
    uint64_t measure_ns = begin_ns + (uint64_t)(seconds * 0.2e9), end_ns = begin_ns + (uint64_t)(seconds * 1.2e9);
    uint64_t next_ns = measure_ns;
    leat_stats before = { 0 }, after;
    bool measuring = false;
    for (uint64_t now_ns = begin_ns; now_ns < end_ns; now_ns = bench_now_ns()) {
        if (!measuring && now_ns >= measure_ns) {
            measuring = true;
            if (traced && leat_trace_start(t.s) != LEAT_OK) {
                return false;
            }
            leat_stats_get(t.s, &before);
            measure_ns = now_ns;
        }
        if (is->background) {
            feed(&t);
        }
        if (measuring && !t.urgent_out && now_ns >= next_ns) {
            submit_urgent(&t);
            next_ns = now_ns + 5 * NS_PER_MS + bench_random(&t.random) % (10 * NS_PER_MS);
        }
        uint64_t until_ns = t.urgent_out ? NS_PER_MS : next_ns > now_ns ? next_ns - now_ns : 0;
        take(&t, leat_wait(t.s, u64_min(until_ns, NS_PER_MS)), &mine);
    }
    uint64_t passed_ns = bench_now_ns() - measure_ns;
    if (traced && !bench_trace_stop(b, t.s)) {
        return false;
    }
    leat_stats_get(t.s, &after);
    samples_add(&o->bandwidth, (double)(after.bytes_read - before.bytes_read) * 1e9 / (double)passed_ns);
    samples_add(&o->window, (double)after.window_bytes);
    witness_stop(w);
    if (w != NULL) {
        keep_undisturbed(&t, &mine, w, o);
        witness_free(w);
    }
    samples_add(&o->p99, samples_quantile(&mine, 0.99));
    for (uint32_t i = 0; i < mine.count; ++i) {
        samples_add(&o->latency_ms, mine.values[i]);
    }
    samples_free(&mine);
    if (t.failed) {
        fprintf(stderr, "leat-bench: urgent: %s: a read failed\n", b->pack_path);
    }
    close_turn(&t);
    return !t.failed;
}

#define CORE_COUNT_MAX 64u
#define READER_COUNT 4u
#define READER_BYTES (256u << 10)

/* Others that keep the machine busy. */
typedef struct others {
    _Atomic bool stop;
    const char *path;
    pthread_t threads[CORE_COUNT_MAX + READER_COUNT];
    uint32_t count;
} others;

static void *compute(void *argument)
{
    others *o = argument;
    while (!atomic_load_explicit(&o->stop, memory_order_relaxed)) {
    }
    return NULL;
}

static void *read_the_disk(void *argument)
{
    others *o = argument;
    int fd = open(o->path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    void *block = aligned_alloc(READER_BYTES, READER_BYTES);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    uint64_t random = bench_now_ns();
    while (block != NULL && size > (off_t)READER_BYTES && !atomic_load_explicit(&o->stop, memory_order_relaxed)) {
        uint64_t place = bench_random(&random) % ((uint64_t)size / READER_BYTES);
        if (pread(fd, block, READER_BYTES, (off_t)(place * READER_BYTES)) < 0) {
            break;
        }
    }
    free(block);
    if (fd >= 0) {
        close(fd);
    }
    return NULL;
}

/* A turn without background, while others keep the machine busy. */
static bool run_busy_turn(bench *b, outcome *o)
{
    others all = { .path = b->pack_path };
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t core_count = cores < 1 ? 1 : cores > (long)CORE_COUNT_MAX ? CORE_COUNT_MAX : (uint32_t)cores;
    while (all.count < core_count + READER_COUNT &&
           pthread_create(&all.threads[all.count], NULL, all.count < core_count ? compute : read_the_disk, &all) == 0) {
        ++all.count;
    }
    static const setting idle = { .priority = LEAT_URGENT };
    bool ok = run_turn(b, &idle, o);
    atomic_store_explicit(&all.stop, true, memory_order_relaxed);
    while (all.count > 0) {
        pthread_join(all.threads[--all.count], NULL);
    }
    return ok;
}

static double undisturbed_p99(outcome *o)
{
    return samples_quantile(&o->undisturbed_ms, 0.99);
}

static void print_row(const char *name, outcome *o)
{
    printf("  %-16s p50 %7.3f p90 %7.3f p99 %7.3f ms   background %8.1f MB/s   window %7.2f MiB", name,
           samples_median(&o->latency_ms), samples_quantile(&o->latency_ms, 0.9), samples_median(&o->p99),
           samples_median(&o->bandwidth) / 1e6, samples_median(&o->window) / (1 << 20));
    if (o->away.count > 0) {
        printf("   away %2.0f %%, p99 without %7.3f ms", samples_median(&o->away) * 100, undisturbed_p99(o));
    }
    printf("\n");
}

static void free_outcome(outcome *o)
{
    samples_free(&o->latency_ms);
    samples_free(&o->bandwidth);
    samples_free(&o->p99);
    samples_free(&o->window);
    samples_free(&o->undisturbed_ms);
    samples_free(&o->away);
}

/* Who else is in a hurry. */
#define HURRIED_COUNT 5u
static const setting hurried_settings[HURRIED_COUNT] = {
    { .name = "high", .background = true, .priority = LEAT_HIGH },
    { .name = "deadline", .background = true, .priority = LEAT_NORMAL, .deadline = true },
    { .name = "warm_urgent", .background = true, .warm = true, .priority = LEAT_URGENT },
    { .name = "warm_high", .background = true, .warm = true, .priority = LEAT_HIGH },
    { .name = "warm_deadline", .background = true, .warm = true, .priority = LEAT_NORMAL, .deadline = true },
};

static bool run_hurried(bench *b, outcome *outcomes)
{
    for (uint32_t i = 0; i < HURRIED_COUNT; ++i) {
        if (!run_turn(b, &hurried_settings[i], &outcomes[i])) {
            return false;
        }
    }
    return true;
}

static void report_hurried(bench *b, outcome *outcomes)
{
    for (uint32_t i = 0; i < HURRIED_COUNT; ++i) {
        char text[64];
        print_row(hurried_settings[i].name, &outcomes[i]);
        snprintf(text, sizeof(text), "%s_p50", hurried_settings[i].name);
        bench_figure(b, text, samples_median(&outcomes[i].latency_ms), "ms", GOAL_NONE, 0);
        snprintf(text, sizeof(text), "%s_p99", hurried_settings[i].name);
        bench_figure(b, text, samples_median(&outcomes[i].p99), "ms", GOAL_NONE, 0);
        free_outcome(&outcomes[i]);
    }
}

bool suite_urgent(bench *b)
{
    static const uint64_t windows[WINDOW_COUNT] = { 256u << 10, 512u << 10, 1u << 20,  3u << 19,  2u << 20,
                                                    4u << 20,   8u << 20,   16u << 20, 32u << 20, 64u << 20 };
    outcome idle = { 0 }, busy = { 0 }, closed = { 0 }, fixed[WINDOW_COUNT] = { { .latency_ms = { 0 } } };
    outcome hurried[HURRIED_COUNT] = { { .latency_ms = { 0 } } };
    uint32_t fixed_count = b->quick ? 2 : WINDOW_COUNT;
    for (uint32_t round = 0; round < b->rounds; ++round) {
        uint32_t turn_count = fixed_count + 3;
        for (uint32_t i = 0; i < turn_count; ++i) { /* nobody has always the same one before it */
            uint32_t who = (i + round * TURN_STRIDE) % turn_count;
            setting is = { .window = who < 3 ? 0 : windows[who - 3], .background = who >= 2, .priority = LEAT_URGENT };
            bool ok = who == 1 ? run_busy_turn(b, &busy)
                               : run_turn(b, &is,
                                          who == 0   ? &idle
                                          : who == 2 ? &closed
                                                     : &fixed[who - 3]);
            if (!ok) {
                return false;
            }
        }
        if (!run_hurried(b, hurried)) {
            return false;
        }
    }
    printf("  latencies of small reads, urgent where no class is named; away: part of the time in which the host kept "
           "a core "
           "from us,\n  without: the reads that met none of it\n");
    print_row("idle", &idle);
    print_row("busy machine", &busy);
    print_row("closed loop", &closed);
    double best = 0;
    for (uint32_t i = 0; i < fixed_count; ++i) {
        char name[32];
        snprintf(name, sizeof(name), "fixed %.2f MiB", (double)windows[i] / (1 << 20));
        print_row(name, &fixed[i]);
        double bandwidth = samples_median(&fixed[i].bandwidth);
        best = bandwidth > best ? bandwidth : best;
    }
    double p99 = samples_median(&closed.p99), idle_p99 = samples_median(&idle.p99);
    double bandwidth = samples_median(&closed.bandwidth);
    uint32_t better = 0;
    for (uint32_t i = 0; i < fixed_count; ++i) {
        better += samples_median(&fixed[i].p99) < p99 && samples_median(&fixed[i].bandwidth) > bandwidth;
    }
    bench_figure(b, "urgent_p99", p99, "ms", GOAL_NONE, 0);
    bench_figure(b, "urgent_idle_p99", idle_p99, "ms", GOAL_NONE, 0);
    bench_figure(b, "urgent_p50_ratio_to_idle", samples_median(&closed.latency_ms) / samples_median(&idle.latency_ms),
                 "", GOAL_NONE, 0);
    bench_figure(b, "urgent_p90_ratio_to_idle",
                 samples_quantile(&closed.latency_ms, 0.9) / samples_quantile(&idle.latency_ms, 0.9), "", GOAL_NONE, 0);
    bench_figure(b, "urgent_p99_ratio_to_busy_machine", p99 / samples_median(&busy.p99), "", GOAL_NONE, 0);
    bench_figure(b, "urgent_p99_ratio_to_idle", p99 / idle_p99, "", GOAL_AT_MOST, 1.5);
    if (closed.away.count > 0 && idle.away.count > 0) {
        bench_figure(b, "urgent_cores_away", samples_median(&closed.away), "of the time", GOAL_NONE, 0);
        bench_figure(b, "urgent_p99_undisturbed", undisturbed_p99(&closed), "ms", GOAL_NONE, 0);
        bench_figure(b, "urgent_p99_undisturbed_ratio_to_idle", undisturbed_p99(&closed) / undisturbed_p99(&idle), "",
                     GOAL_NONE, 0);
    }
    bench_figure(b, "background_ratio_to_best", bandwidth / best, "", GOAL_AT_LEAST, 0.9);
    bench_figure(b, "fixed_windows_better_in_both", better, "", GOAL_AT_MOST, 0);
    report_hurried(b, hurried);
    bench_raw(b, "urgent_closed_ms", &closed.latency_ms);
    bench_raw(b, "urgent_idle_ms", &idle.latency_ms);
    for (uint32_t i = 0; i < WINDOW_COUNT; ++i) {
        free_outcome(&fixed[i]);
    }
    free_outcome(&idle);
    free_outcome(&busy);
    free_outcome(&closed);
    return true;
}
