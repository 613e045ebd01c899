/* stress.c - many threads at once on one streamer, for as long as is asked; made for ThreadSanitizer.
 *
 *     stress BACKEND [--seconds N]      BACKEND: uring, threads; N: 4
 *
 * Three threads submit, cancel, re-prioritise (single requests, arrays and selections), make batches and read
 * statistics; one opens and closes packs, of which one is damaged; the main thread updates, with limits that change,
 * binds, compares and releases. Each request must end exactly once and READY must bring the right bytes; only what
 * comes from the damaged pack may fail. All ways to end must be taken in good measure. Time is only how long it goes
 * on: nothing is measured. */
#include "test_pack.h"

#include <leat/leat.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SUBMITTER_COUNT 3u
#define WISH_COUNT 512u /* of each submitter: a slot is used again when its request has ended */
#define PACK_COUNT 4u
#define PACK_DAMAGED 3u /* the position of the one that is damaged: */
#define DAMAGED_EVERY 3u /* each third chunk */
#define WISH_BYTES_MAX 20000u
#define REQUESTS_PER_PACK 5000u /* between two closings, so that most requests come through */
#define READY_PER_CENT_MIN 20u /* of all that end; the rest of the shares likewise */
#define CANCELLED_PER_CENT_MIN 2u
#define FAILED_PER_CENT_MIN 1u

typedef enum wish_stage { WISH_IDLE = 0, WISH_LIVE } wish_stage;

typedef struct wish {
    _Atomic uint32_t stage; /* IDLE: the submitter's; LIVE: the main thread's, which ends it (release) */
    leat_request handle; /* the submitter's */
    uint32_t asset;
    leat_bind_kind bind;
    bool damaged; /* its pack is */
    uint8_t memory[WISH_BYTES_MAX];
} wish;

typedef struct world {
    leat_streamer *s;
    test_pack pack;
    char path[SCRATCH_SIZE], damaged_path[SCRATCH_SIZE];
    _Atomic uint64_t packs[PACK_COUNT]; /* handles, as generation << 32 | index; all of the same content */
    _Atomic bool stop;
    _Atomic uint64_t submitted;
    wish *wishes; /* SUBMITTER_COUNT * WISH_COUNT */
} world;

typedef struct submitter {
    world *w;
    uint32_t number;
    uint64_t random;
} submitter;

static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15)); /* SplitMix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint32_t below(uint64_t *state, uint32_t bound)
{
    return (uint32_t)(draw(state) % bound);
}

static _Noreturn void broken(const char *what, uint64_t number)
{
    fprintf(stderr, "request %llu: %s\n", (unsigned long long)number, what);
    abort();
}

static void quiet(leat_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

static leat_pack pack_at(world *w, uint32_t i)
{
    uint64_t value = atomic_load(&w->packs[i]);
    return (leat_pack){ .index = (uint32_t)value, .generation = (uint32_t)(value >> 32) };
}

/* ---- Submitters ---- */

static bool submit(submitter *t, leat_batch batch)
{
    world *w = t->w;
    uint32_t number = t->number * WISH_COUNT + below(&t->random, WISH_COUNT);
    wish *one = &w->wishes[number];
    if (atomic_load_explicit(&one->stage, memory_order_acquire) != WISH_IDLE) {
        return false;
    }
    one->asset = below(&t->random, w->pack.asset_count);
    one->bind = (leat_bind_kind)below(&t->random, 3);
    uint32_t pack = below(&t->random, PACK_COUNT);
    one->damaged = pack == PACK_DAMAGED;
    leat_read_desc read = { .asset = leat_asset_at(w->s, pack_at(w, pack), one->asset),
                            .priority = (leat_priority)below(&t->random, LEAT_PRIORITY_COUNT),
                            .client = below(&t->random, 3),
                            .bind = one->bind,
                            .memory = one->bind == LEAT_BIND_CALLER ? one->memory : NULL,
                            .memory_size = one->bind == LEAT_BIND_CALLER ? WISH_BYTES_MAX : 0,
                            .batch = batch,
                            .tag = t->number + 1,
                            .user = number };
    atomic_store_explicit(&one->stage, WISH_LIVE, memory_order_relaxed); /* submit's release publishes it */
    if (leat_read(w->s, &read, &one->handle) == LEAT_OK) {
        atomic_fetch_add_explicit(&w->submitted, 1, memory_order_relaxed);
        return true;
    }
    atomic_store_explicit(&one->stage, WISH_IDLE, memory_order_relaxed);
    return false;
}

/* Some of its own requests in one call, some of them twice. */
static void disturb_many(submitter *t)
{
    enum { COUNT = 100 };
    world *w = t->w;
    leat_request handles[COUNT];
    leat_reprioritise_desc orders[COUNT];
    uint32_t cancelled = UINT32_MAX, taken = UINT32_MAX;
    for (uint32_t i = 0; i < COUNT; ++i) {
        handles[i] = w->wishes[t->number * WISH_COUNT + below(&t->random, WISH_COUNT)].handle;
        orders[i] = (leat_reprioritise_desc){ .request = handles[i],
                                              .priority = (leat_priority)below(&t->random, LEAT_PRIORITY_COUNT) };
    }
    leat_result result = leat_reprioritise_many(w->s, orders, COUNT, &taken);
    if (result == LEAT_ERROR_ARGUMENT || (taken < COUNT) != (result == LEAT_ERROR_FULL)) {
        broken("of an array of orders, so many were taken", taken);
    }
    result = leat_cancel_many(w->s, handles, below(&t->random, 16), &cancelled);
    if (cancelled > COUNT || (result != LEAT_OK && result != LEAT_ERROR_STALE)) {
        broken("of an array of handles, so many were cancelled", cancelled);
    }
}

static void disturb(submitter *t)
{
    world *w = t->w;
    /* Its own requests: live, ended, or from before; a stale handle is an answer. */
    leat_request handle = w->wishes[t->number * WISH_COUNT + below(&t->random, WISH_COUNT)].handle;
    leat_selection selection = { .tag_mask = UINT64_MAX, .tag = t->number + 1 };
    leat_stats stats;
    uint32_t chance = below(&t->random, 1024);
    if (chance < 1) {
        leat_cancel_where(w->s, &selection);
    } else if (chance < 4) {
        leat_reprioritise_where(w->s, &selection, LEAT_HIGH, 0);
    } else if (chance < 20) {
        leat_stats_get(w->s, &stats);
    } else if (chance < 100) {
        disturb_many(t);
    } else if (chance < 512) {
        leat_cancel(w->s, handle);
    } else {
        leat_reprioritise(w->s, handle, (leat_priority)below(&t->random, LEAT_PRIORITY_COUNT), 0);
    }
}

static void *submitter_main(void *argument)
{
    submitter *t = argument;
    while (!atomic_load_explicit(&t->w->stop, memory_order_relaxed)) {
        leat_batch batch = { 0 };
        if (below(&t->random, 8) == 0 && leat_batch_begin(t->w->s, NULL, &batch) != LEAT_OK) {
            batch = (leat_batch){ 0 };
        }
        bool some = false;
        for (uint32_t i = below(&t->random, 16); i > 0; --i) {
            some |= submit(t, batch);
        }
        if (batch.generation != 0 && leat_batch_end(t->w->s, batch) != LEAT_OK) {
            broken("its batch cannot be ended", t->number);
        }
        if (some) {
            disturb(t);
        }
    }
    return NULL;
}

/* ---- Packs ---- */

static const char *path_of(const world *w, uint32_t position)
{
    return position == PACK_DAMAGED ? w->damaged_path : w->path;
}

static void damaged_write(world *w)
{
    for (uint32_t i = 0; i < w->pack.chunk_count; i += DAMAGED_EVERY) {
        w->pack.bytes[w->pack.chunks[i].file_offset] ^= 1u;
    }
    test_pack_write(&w->pack, w->damaged_path);
}

static void *packs_main(void *argument)
{
    world *w = argument;
    uint64_t random = 99, next = REQUESTS_PER_PACK;
    while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
        struct timespec pause = { .tv_nsec = 1000000 };
        nanosleep(&pause, NULL);
        uint32_t i = 0;
        while (i < PACK_COUNT && pack_at(w, i).generation != 0) {
            ++i;
        }
        if (i == PACK_COUNT) { /* all are open */
            if (atomic_load_explicit(&w->submitted, memory_order_relaxed) < next) {
                continue;
            }
            next += REQUESTS_PER_PACK;
            i = below(&random, PACK_COUNT);
            if (leat_pack_close(w->s, pack_at(w, i)) != LEAT_OK) {
                broken("its pack cannot be closed", i);
            }
        }
        leat_pack pack;
        leat_result result = leat_pack_open(w->s, path_of(w, i), NULL, &pack);
        if (result != LEAT_OK && result != LEAT_ERROR_FULL) { /* full: tried again at once */
            broken(leat_result_text(result), i);
        }
        atomic_store(&w->packs[i], (uint64_t)pack.generation << 32 | pack.index);
    }
    return NULL;
}

/* ---- The update thread ---- */

static bool take(world *w, const leat_event *e)
{
    if (e->type == LEAT_EVENT_BATCH) {
        return false;
    }
    wish *one = &w->wishes[e->user];
    if (atomic_load_explicit(&one->stage, memory_order_relaxed) != WISH_LIVE) {
        broken("an event after its end", e->user);
    }
    const leat_pack_asset_record *asset = &w->pack.assets[one->asset];
    if (e->type == LEAT_EVENT_NEEDS_MEMORY) {
        while (leat_bind(w->s, e->request, one->memory, WISH_BYTES_MAX) == LEAT_ERROR_FULL) { /* of orders */
            sched_yield();
        }
        return false;
    }
    if (e->type == LEAT_EVENT_LATE) {
        return false;
    }
    if (e->type == LEAT_EVENT_FAILED && !(one->damaged && e->result == LEAT_ERROR_DAMAGED)) {
        broken(leat_result_text(e->result), e->user);
    }
    if (e->type == LEAT_EVENT_READY) {
        if (e->size != asset->raw_size || memcmp(e->data, w->pack.raw + asset->raw_offset, e->size) != 0) {
            broken("wrong bytes", e->user);
        }
        leat_release(w->s, e->request);
    }
    atomic_store_explicit(&one->stage, WISH_IDLE, memory_order_release);
    return true;
}

static uint64_t update(world *w, uint64_t *random)
{
    leat_tick tick = { .event_count_max = below(random, 4) == 0 ? 1 + below(random, 20) : 0,
                       .time_ns_max = below(random, 4) == 0 ? 1000 : 0 };
    leat_events events = below(random, 8) == 0 ? leat_wait(w->s, NS_PER_MS) : leat_update(w->s, &tick);
    uint64_t ended = 0;
    for (uint32_t i = 0; i < events.count; ++i) {
        ended += take(w, &events.items[i]);
    }
    return ended;
}

static bool share_reaches(uint64_t part, uint64_t whole, uint64_t per_cent)
{
    return part > 0 && part * 100 >= whole * per_cent;
}

static int run(world *w, const leat_desc *desc, uint64_t seconds)
{
    if (leat_create(desc, &w->s) != LEAT_OK) {
        printf("SKIPPED: %s\n", desc->error->text);
        return 77;
    }
    for (uint32_t i = 0; i < PACK_COUNT; ++i) {
        leat_pack pack;
        if (leat_pack_open(w->s, path_of(w, i), NULL, &pack) != LEAT_OK) {
            return 1;
        }
        atomic_store(&w->packs[i], (uint64_t)pack.generation << 32 | pack.index);
    }
    pthread_t threads[SUBMITTER_COUNT + 1];
    submitter submitters[SUBMITTER_COUNT];
    for (uint32_t i = 0; i < SUBMITTER_COUNT; ++i) {
        submitters[i] = (submitter){ .w = w, .number = i, .random = i };
        pthread_create(&threads[i], NULL, submitter_main, &submitters[i]);
    }
    pthread_create(&threads[SUBMITTER_COUNT], NULL, packs_main, w);
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    time_t end_s = t.tv_sec + (time_t)seconds;
    uint64_t random = 7, ended = 0;
    while (t.tv_sec < end_s) {
        ended += update(w, &random);
        clock_gettime(CLOCK_MONOTONIC, &t);
    }
    atomic_store(&w->stop, true);
    for (uint32_t i = 0; i <= SUBMITTER_COUNT; ++i) {
        pthread_join(threads[i], NULL);
    }
    for (uint32_t idle = 0; ended < atomic_load(&w->submitted) && idle < 60;) {
        leat_events events = leat_wait(w->s, NS_PER_S);
        idle = events.count > 0 ? 0 : idle + 1;
        for (uint32_t i = 0; i < events.count; ++i) {
            ended += take(w, &events.items[i]);
        }
    }
    leat_stats stats;
    leat_stats_get(w->s, &stats);
    leat_destroy(w->s);
    printf("%llu requests, %llu ended: %llu ready, %llu cancelled, %llu failed; %llu reads\n",
           (unsigned long long)w->submitted, (unsigned long long)ended, (unsigned long long)stats.requests_ready,
           (unsigned long long)stats.requests_cancelled, (unsigned long long)stats.requests_failed,
           (unsigned long long)stats.reads_completed);
    bool all = ended == atomic_load(&w->submitted);
    bool mixed = share_reaches(stats.requests_ready, ended, READY_PER_CENT_MIN) &&
                 share_reaches(stats.requests_cancelled, ended, CANCELLED_PER_CENT_MIN) &&
                 share_reaches(stats.requests_failed, ended, FAILED_PER_CENT_MIN);
    if (!all) {
        fprintf(stderr,
                "some requests have not ended: %u are queued, %u wait for memory, %u for a decode, %u reads are out\n",
                stats.requests_queued, stats.requests_waiting_memory, stats.decode_queued, stats.reads_in_flight);
    } else if (!mixed) {
        fprintf(stderr, "one of the ways to end was hardly taken\n");
    }
    return all && mixed ? 0 : 1;
}

int main(int argc, char **argv)
{
    bool uring = argc > 1 && strcmp(argv[1], "uring") == 0;
    if (argc < 2 || (!uring && strcmp(argv[1], "threads") != 0)) {
        fprintf(stderr, "usage: stress uring|threads [--seconds N]\n");
        return 2;
    }
    uint64_t seconds = argc > 3 && strcmp(argv[2], "--seconds") == 0 ? strtoull(argv[3], NULL, 10) : 4;
    static world w;
    leat_error error = { 0 };
    test_pack_desc pack = { .seed = 3, .asset_count = 60, .size_max = WISH_BYTES_MAX, .chunk_raw_size = 8192 };
    test_pack_make(&pack, &w.pack);
    test_pack_write(&w.pack, w.path);
    damaged_write(&w); /* from here on, pack.raw is what is right, not pack.bytes */
    w.wishes = calloc(SUBMITTER_COUNT * WISH_COUNT, sizeof(*w.wishes));
    leat_desc desc = { .backend = uring ? LEAT_BACKEND_URING : LEAT_BACKEND_THREADS,
                       .logger = { .log = quiet },
                       .error = &error,
                       .worker_count = 2,
                       .io_thread_count = 3,
                       .memory_bytes_max = MIB(16),
                       .pool_bytes = MIB(4),
                       .lent_bytes = MIB(2), /* runs out now and then */
                       .request_count_max = 1024, /* full now and then */
                       .event_count_max = 256,
                       .pack_count_max = PACK_COUNT + 2,
                       .read_bytes_max = 32u << 10 };
    int result = w.wishes == NULL ? 1 : run(&w, &desc, seconds);
    unlink(w.path);
    unlink(w.damaged_path);
    free(w.wishes);
    test_pack_free(&w.pack);
    return result;
}
