/* guard.c - a small, fixed amount of streaming whose instructions tests/guard/run.sh counts under callgrind.
 *
 * One streamer without threads, over the simulated device: the same calls in the same order each time, so the counts
 * depend on the code and the compiler alone. Each phase is one function that is not inlined; callgrind collects in the
 * phases only. A phase that is a loop over one call of the API is counted as a whole. What happens inside the streamer
 * is counted by the inclusive cost of its functions. The program prints what is to be counted, and by what to divide:
 *
 *     NAME FUNCTION UNITS
 *
 * It checks that the work was done (a path that does nothing would be a fast one): exit 1 if not. */
#include "test_pack.h"

#include <leat/leat.h>
#include <leat/sim.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PHASE __attribute__((noipa)) static /* kept as a symbol of its own, neither inlined nor cloned */

#define REQUEST_COUNT 2048u
#define GROUP 64u /* requests of one call that takes an array */
#define GROUPED_COUNT (REQUEST_COUNT / 2) /* the others are submitted one by one */
#define CHANGED_COUNT 1024u /* requests whose priority is changed: half of them in arrays, as of the cancelled ones */
#define CANCELLED_COUNT 512u
#define READY_COUNT (REQUEST_COUNT - CANCELLED_COUNT)
#define ASSET_BYTES 4096u /* one chunk each */
#define STEPS_MAX 100000u

typedef struct guard {
    leat_streamer *s;
    leat_read_desc descs[REQUEST_COUNT];
    leat_request handles[REQUEST_COUNT]; /* as submitted; of the ready ones at the end */
    leat_reprioritise_desc orders[CHANGED_COUNT];
    uint32_t refused; /* calls that were not answered with OK */
    uint32_t ready_count, cancelled_count, other_count; /* events */
    uint64_t now_ns;
} guard;

/* ---- Phases ---- */

PHASE void guard_submit(guard *g)
{
    for (uint32_t i = 0; i < GROUPED_COUNT; i += GROUP) {
        g->refused += leat_submit(g->s, &g->descs[i], GROUP, &g->handles[i], NULL) != LEAT_OK;
    }
}

PHASE void guard_submit_one(guard *g)
{
    for (uint32_t i = GROUPED_COUNT; i < REQUEST_COUNT; ++i) {
        g->refused += leat_read(g->s, &g->descs[i], &g->handles[i]) != LEAT_OK;
    }
}

/* The last ones: the first are being read. */
PHASE void guard_reprioritise(guard *g)
{
    for (uint32_t i = 0; i < CHANGED_COUNT / 2; i += GROUP) {
        g->refused += leat_reprioritise_many(g->s, &g->orders[i], GROUP, NULL) != LEAT_OK;
    }
}

PHASE void guard_reprioritise_one(guard *g)
{
    for (uint32_t i = CHANGED_COUNT / 2; i < CHANGED_COUNT; ++i) {
        g->refused += leat_reprioritise(g->s, g->orders[i].request, LEAT_PREFETCH, 0) != LEAT_OK;
    }
}

PHASE void guard_cancel(guard *g)
{
    for (uint32_t i = READY_COUNT; i < READY_COUNT + CANCELLED_COUNT / 2; i += GROUP) {
        g->refused += leat_cancel_many(g->s, &g->handles[i], GROUP, NULL) != LEAT_OK;
    }
}

PHASE void guard_cancel_one(guard *g)
{
    for (uint32_t i = READY_COUNT + CANCELLED_COUNT / 2; i < REQUEST_COUNT; ++i) {
        g->refused += leat_cancel(g->s, g->handles[i]) != LEAT_OK;
    }
}

PHASE void guard_release(guard *g)
{
    for (uint32_t i = 0; i < g->ready_count; ++i) {
        g->refused += leat_release(g->s, g->handles[i]) != LEAT_OK;
    }
}

static void count_events(guard *g, leat_events events)
{
    for (uint32_t i = 0; i < events.count; ++i) {
        const leat_event *e = &events.items[i];
        if (e->type == LEAT_EVENT_READY && g->ready_count < REQUEST_COUNT) {
            g->handles[g->ready_count++] = e->request;
        } else if (e->type == LEAT_EVENT_CANCELLED) {
            ++g->cancelled_count;
        } else {
            ++g->other_count;
        }
    }
}

/* What the I/O thread does with the mail of a phase, one function each so that they are counted apart. */
static void settle(guard *g)
{
    count_events(g, leat_update(g->s, &(leat_tick){ .now_ns = g->now_ns, .event_count_max = 1 }));
}

PHASE void guard_admit(guard *g)
{
    settle(g);
}

PHASE void guard_reprioritise_io(guard *g)
{
    settle(g);
}

PHASE void guard_cancel_io(guard *g)
{
    settle(g);
}

PHASE void guard_release_io(guard *g)
{
    settle(g);
}

/* Reads, decodes and ends everything that is left; the events stay where they are, but for one a step. */
PHASE void guard_stream(guard *g)
{
    leat_stats stats = { 0 };
    for (uint32_t i = 0; i < STEPS_MAX && stats.chunks_decoded < READY_COUNT; ++i) {
        g->now_ns += NS_PER_MS;
        settle(g);
        leat_stats_get(g->s, &stats);
    }
}

PHASE leat_events guard_update(guard *g)
{
    return leat_update(g->s, &(leat_tick){ .now_ns = g->now_ns });
}

/* ---- The run ---- */

static bool run(guard *g, leat_pack pack)
{
    for (uint32_t i = 0; i < REQUEST_COUNT; ++i) {
        g->descs[i] = (leat_read_desc){ .asset = leat_asset_at(g->s, pack, i), .user = i, .tag = i };
    }
    g->now_ns = 1; /* time stands still, and the device completes nothing, until guard_stream */
    guard_submit(g);
    guard_submit_one(g);
    guard_admit(g);
    for (uint32_t i = 0; i < CHANGED_COUNT; ++i) {
        g->orders[i] =
            (leat_reprioritise_desc){ .request = g->handles[REQUEST_COUNT - 1 - i], .priority = LEAT_PREFETCH };
    }
    guard_reprioritise(g);
    guard_reprioritise_one(g);
    guard_reprioritise_io(g);
    guard_cancel(g);
    guard_cancel_one(g);
    guard_cancel_io(g);
    guard_stream(g);
    leat_stats stats;
    leat_stats_get(g->s, &stats);
    uint32_t before = g->ready_count + g->cancelled_count;
    count_events(g, guard_update(g));
    uint32_t updated = g->ready_count + g->cancelled_count - before;
    guard_release(g);
    guard_release_io(g);
    leat_stats after;
    leat_stats_get(g->s, &after);

    if (g->refused != 0 || g->other_count != 0 || g->ready_count != READY_COUNT ||
        g->cancelled_count != CANCELLED_COUNT || stats.chunks_decoded != READY_COUNT || after.lent_bytes_used != 0) {
        fprintf(stderr,
                "guard: not all was done: %u calls refused, %u of %u ready, %u of %u cancelled, %u other events, "
                "%llu chunks decoded, %llu bytes lent\n",
                g->refused, g->ready_count, READY_COUNT, g->cancelled_count, CANCELLED_COUNT, g->other_count,
                (unsigned long long)stats.chunks_decoded, (unsigned long long)after.lent_bytes_used);
        return false;
    }
    printf("submit guard_submit %u\n", GROUPED_COUNT);
    printf("submit_one guard_submit_one %u\n", REQUEST_COUNT - GROUPED_COUNT);
    printf("admit guard_admit %u\n", REQUEST_COUNT);
    printf("reprioritise guard_reprioritise %u\n", CHANGED_COUNT / 2);
    printf("reprioritise_one guard_reprioritise_one %u\n", CHANGED_COUNT / 2);
    printf("reprioritise_io guard_reprioritise_io %u\n", CHANGED_COUNT);
    printf("cancel guard_cancel %u\n", CANCELLED_COUNT / 2);
    printf("cancel_one guard_cancel_one %u\n", CANCELLED_COUNT / 2);
    printf("cancel_io guard_cancel_io %u\n", CANCELLED_COUNT);
    printf("plan reads_issue %u\n", READY_COUNT);
    printf("complete reads_reap %u\n", READY_COUNT);
    printf("decode_push decode_push %u\n", READY_COUNT);
    printf("finish_task finish_task %u\n", READY_COUNT);
    printf("io_thread pump_run %u\n", READY_COUNT);
    printf("update guard_update %u\n", updated);
    printf("release guard_release %u\n", READY_COUNT);
    printf("release_io guard_release_io %u\n", READY_COUNT);
    return true;
}

static void silent(leat_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

int main(void)
{
    static guard g;
    test_pack content;
    char path[SCRATCH_SIZE];
    test_pack_make(&(test_pack_desc){ .seed = 1,
                                      .asset_count = REQUEST_COUNT,
                                      .size_min = ASSET_BYTES,
                                      .size_max = ASSET_BYTES,
                                      .chunk_raw_size = ASSET_BYTES },
                   &content);
    test_pack_write(&content, path);
    test_pack_free(&content);
    leat_desc desc = { .backend = LEAT_BACKEND_SIM,
                       .stepped = true,
                       .sim = &(leat_sim_desc){ .seed = 1 },
                       .window_bytes = 256u << 10,
                       .event_count_max = REQUEST_COUNT,
                       .logger = { .log = silent } };
    leat_pack pack;
    bool ok = leat_create(&desc, &g.s) == LEAT_OK && leat_pack_open(g.s, path, NULL, &pack) == LEAT_OK;
    if (!ok) {
        fprintf(stderr, "guard: a simulated streamer over %s cannot be had\n", path);
    }
    ok = ok && run(&g, pack);
    leat_destroy(g.s);
    unlink(path);
    return ok ? 0 : 1;
}
