/* stream_case.c - see stream_case.h. */
#include "stream_case.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_COUNT_MAX 256u
#define IDLE_WAITS_MAX 60u /* of a second each without an event: a limit for broken builds, not a measure */

typedef struct wish {
    leat_request handle;
    leat_bind_kind bind;
    uint8_t *memory; /* ours, for CALLER and LATE */
    bool live, cancelled;
} wish;

static void *case_allocate(size_t size, size_t alignment, void *user)
{
    stream_case *c = user;
    void *block = NULL;
    if (posix_memalign(&block, alignment < sizeof(void *) ? sizeof(void *) : alignment, size) != 0) {
        return NULL;
    }
    __atomic_fetch_add(&c->allocated, (int64_t)size, __ATOMIC_RELAXED);
    return block;
}

static void case_free(void *block, size_t size, void *user)
{
    stream_case *c = user;
    __atomic_fetch_sub(&c->allocated, (int64_t)size, __ATOMIC_RELAXED);
    free(block);
}

static void quiet(leat_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

void stream_pack_fill(test_pack *pack)
{
    test_pack_desc desc = {
        .seed = 11, .asset_count = 24, .size_min = 0, .size_max = 60000, .chunk_raw_size = 16u << 10, .stored_every = 5
    };
    test_pack_make(&desc, pack);
}

void stream_pack_make(test_pack *pack, char path[SCRATCH_SIZE])
{
    stream_pack_fill(pack);
    test_pack_write(pack, path);
}

uint32_t descriptor_count(void)
{
    uint32_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) {
        abort();
    }
    while (readdir(folder) != NULL) {
        ++count;
    }
    closedir(folder);
    return count;
}

/* ---- Opening and closing ---- */

static void desc_fill(stream_case *c)
{
    c->desc.allocator = (leat_allocator){ .allocate = case_allocate, .free = case_free, .user = c };
    c->desc.logger = (leat_logger){ .log = quiet };
    c->desc.error = &c->error;
    c->desc.memory_bytes_max = c->desc.memory_bytes_max == 0 ? MIB(8) : c->desc.memory_bytes_max;
    c->desc.pool_bytes = c->desc.pool_bytes == 0 ? MIB(4) : c->desc.pool_bytes;
    c->desc.lent_bytes = c->desc.lent_bytes == 0 ? MIB(2) : c->desc.lent_bytes;
    c->desc.request_count_max = c->desc.request_count_max == 0 ? 32 : c->desc.request_count_max;
    c->desc.batch_count_max = c->desc.batch_count_max == 0 ? 4 : c->desc.batch_count_max;
    c->desc.event_count_max = c->desc.event_count_max == 0 ? 32 : c->desc.event_count_max;
    c->desc.pack_count_max = c->desc.pack_count_max == 0 ? 2 : c->desc.pack_count_max;
    c->desc.worker_count = c->desc.worker_count == 0 ? 2 : c->desc.worker_count;
    c->desc.io_thread_count = c->desc.io_thread_count == 0 ? 2 : c->desc.io_thread_count;
    c->desc.read_bytes_max = c->desc.read_bytes_max == 0 ? 32u << 10 : c->desc.read_bytes_max;
}

stream_case stream_case_of(leat_backend backend, const test_pack *pack, const char *path, const leat_sim_desc *sim)
{
    stream_case c = { .desc = { .backend = backend }, .pack = pack, .path = path };
    if (backend == LEAT_BACKEND_SIM) {
        c.desc.stepped = true;
        c.desc.sim = sim;
    }
    return c;
}

bool stream_open(stream_case *c)
{
    desc_fill(c);
    c->error = (leat_error){ 0 };
    leat_result result = leat_create(&c->desc, &c->s);
    if (result != LEAT_OK) {
        STREAM_CHECK(c, c->s == NULL, "create failed, but gave a streamer");
        STREAM_CHECK(c, c->error.result == result && c->error.text[0] != '\0', "create failed without a word");
        STREAM_CHECK(c, c->allocated == 0, "create failed, and left %lld bytes", (long long)c->allocated);
        return false;
    }
    result = leat_pack_open(c->s, c->path, &(leat_pack_desc){ .error = &c->error }, &c->handle);
    if (result != LEAT_OK) {
        STREAM_CHECK(c, c->handle.generation == 0, "pack_open failed, but gave a handle");
        STREAM_CHECK(c, c->error.result == result && strstr(c->error.text, c->path) != NULL,
                     "pack_open failed without naming %s: %s", c->path, c->error.text);
        stream_close(c);
        return false;
    }
    return true;
}

void stream_close(stream_case *c)
{
    if (c->handle.generation != 0) {
        STREAM_CHECK(c, leat_pack_close(c->s, c->handle) == LEAT_OK, "a pack cannot be closed");
    }
    leat_destroy(c->s);
    c->s = NULL;
    c->handle = (leat_pack){ 0 };
    STREAM_CHECK(c, c->allocated == 0, "%lld bytes are left after destroy", (long long)c->allocated);
}

/* ---- Streaming ---- */

static void submit(stream_case *c, wish *w, uint32_t asset)
{
    uint64_t size = c->pack->assets[asset].raw_size;
    *w = (wish){ .bind = (leat_bind_kind)(asset % 3) };
    leat_read_desc read = { .asset = leat_asset_at(c->s, c->handle, asset),
                            .priority = (leat_priority)(asset % LEAT_PRIORITY_COUNT),
                            .bind = w->bind,
                            .user = asset };
    if (w->bind != LEAT_BIND_LEAT) {
        w->memory = malloc(size + 1);
        if (w->memory == NULL) {
            return; /* the engine's own memory has failed */
        }
    }
    if (w->bind == LEAT_BIND_CALLER) {
        read.memory = w->memory;
        read.memory_size = size;
    }
    leat_result result = leat_read(c->s, &read, &w->handle);
    STREAM_CHECK(c, result == LEAT_OK, "asset %u: submit: %s", asset, leat_result_text(result));
    w->live = result == LEAT_OK;
    if (w->live && asset % 7 == 3) {
        STREAM_CHECK(c, leat_cancel(c->s, w->handle) == LEAT_OK, "asset %u: cancel was refused", asset);
        w->cancelled = true;
    }
}

static void ended(stream_case *c, wish *w, const leat_event *e)
{
    const leat_pack_asset_record *asset = &c->pack->assets[e->user];
    unsigned number = (unsigned)e->user;
    w->live = false;
    c->ready += e->type == LEAT_EVENT_READY;
    c->failed += e->type == LEAT_EVENT_FAILED;
    c->cancelled += e->type == LEAT_EVENT_CANCELLED;
    STREAM_CHECK(c, w->cancelled == (e->type == LEAT_EVENT_CANCELLED), "asset %u: ended with event %d", number,
                 (int)e->type);
    if (e->type == LEAT_EVENT_FAILED) {
        char text[512];
        c->failed_result = e->result;
        c->failed_os_error = e->os_error;
        leat_event_text(c->s, e, text, sizeof(text));
        STREAM_CHECK(c, strstr(text, c->path) != NULL, "asset %u: failed without naming the pack: %s", number, text);
    }
    if (e->type != LEAT_EVENT_READY) {
        return;
    }
    bool right =
        e->size == asset->raw_size && (e->size == 0 || memcmp(e->data, c->pack->raw + asset->raw_offset, e->size) == 0);
    STREAM_CHECK(c, right, "asset %u: wrong bytes", number);
    leat_release(c->s, e->request);
}

static void take(stream_case *c, wish *wishes, const leat_event *e, uint32_t *live)
{
    wish *w = &wishes[e->user];
    STREAM_CHECK(c, w->live, "asset %u: event %d after its end", (unsigned)e->user, (int)e->type);
    if (e->type == LEAT_EVENT_NEEDS_MEMORY) {
        leat_result result = leat_bind(c->s, e->request, w->memory, c->pack->assets[e->user].raw_size + 1);
        STREAM_CHECK(c, result == LEAT_OK || w->cancelled, "asset %u: bind: %s", (unsigned)e->user,
                     leat_result_text(result));
    } else if (w->live) {
        ended(c, w, e);
        --*live;
    }
}

/* Nothing comes any more. Says where the requests are; and to destroy the streamer might not end either. */
static _Noreturn void give_up(stream_case *c, uint32_t live)
{
    leat_stats stats;
    leat_stats_get(c->s, &stats);
    fprintf(stderr,
            "no event for %u s of waiting, and %u requests have not ended: %u are queued, %u wait for memory, %u for a "
            "decode, %u reads are out; the I/O thread was woken %llu times, and did %llu rounds\n",
            IDLE_WAITS_MAX, live, stats.requests_queued, stats.requests_waiting_memory, stats.decode_queued,
            stats.reads_in_flight, (unsigned long long)stats.wake_calls, (unsigned long long)stats.io_rounds);
    abort();
}

void stream_round(stream_case *c)
{
    static wish wishes[REQUEST_COUNT_MAX];
    ASSERT(c->pack->asset_count <= REQUEST_COUNT_MAX);
    uint32_t live = 0;
    c->ready = c->failed = c->cancelled = 0;
    c->failed_result = LEAT_OK;
    c->failed_os_error = 0;
    for (uint32_t i = 0; i < c->pack->asset_count; ++i) {
        submit(c, &wishes[i], i);
        live += wishes[i].live;
    }
    for (uint32_t idle = 0; live > 0 && idle < IDLE_WAITS_MAX;) {
        leat_events events = leat_wait(c->s, NS_PER_S);
        idle = events.count > 0 ? 0 : idle + 1;
        for (uint32_t i = 0; i < events.count; ++i) {
            take(c, wishes, &events.items[i], &live);
        }
    }
    if (live > 0) {
        give_up(c, live);
    }
    leat_events last = leat_update(c->s, &(leat_tick){ .now_ns = 0 });
    STREAM_CHECK(c, last.count == 0, "an event after the last");
    for (uint32_t i = 0; i < c->pack->asset_count; ++i) {
        free(wishes[i].memory);
        wishes[i].memory = NULL;
    }
}
