/* doctor_leat.c - a streamer with nothing asked for, on the pack or on a trial pack: what it took, and a read through
 * it.
 *
 * The trial pack is one asset of random bytes, which LZ4 cannot shrink, so that as much is read as is delivered. It is
 * put out of the page cache first; a pack of the user's is read as it is. */
#include "doctor.h"
#include "base.h"
#include "pack_chunks.h"
#include "pack_index_write.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRIAL_BYTES MIB(2)
#define TRIAL_LEVEL 1
#define READ_BYTES_MAX MIB(32) /* in all */
#define PART_BYTES_MAX MIB(1)
#define READS_MAX 256u
#define WAIT_NS_MAX (5 * NS_PER_S)

/* ---- The trial pack ---- */

static bool trial_asset(packed_asset *asset)
{
    import_asset a = { .name = strdup("trial"), .raw = malloc(TRIAL_BYTES), .raw_size = TRIAL_BYTES };
    if (a.name == NULL || a.raw == NULL) {
        free(a.name);
        free(a.raw);
        return false;
    }
    uint64_t state = 1;
    for (uint64_t i = 0; i < TRIAL_BYTES; ++i) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        a.raw[i] = (uint8_t)(state >> 56);
    }
    return packed_asset_make(&a, TRIAL_LEVEL, asset);
}

/* Tables and bytes of a pack that holds this asset alone. */
static uint8_t *trial_assemble(packed_asset *asset, pack_tables *tables, uint64_t *size)
{
    uint64_t at = LEAT_PACK_ALIGNMENT, raw = 0;
    uint8_t *bytes = calloc(1, LEAT_PACK_ALIGNMENT + asset->chunk_count * (uint64_t)LEAT_PACK_CHUNK_RAW_MAX);
    for (uint32_t i = 0; bytes != NULL && i < asset->chunk_count; ++i) {
        const packed_chunk *c = &asset->chunks[i];
        leat_pack_chunk_record record = { .file_offset = at,
                                          .raw_offset = raw,
                                          .hash = c->hash,
                                          .packed_size = c->packed_size,
                                          .raw_size = c->raw_size,
                                          .codec = c->codec };
        if (!pack_tables_add_chunk(tables, &record)) {
            free(bytes);
            return NULL;
        }
        memcpy(bytes + at, c->packed, c->packed_size);
        at = align_up(at + c->packed_size, LEAT_PACK_ALIGNMENT);
        raw += c->raw_size;
    }
    pack_placement placement = { .identity = { asset->identity[0], asset->identity[1] }, .raw_size = raw };
    pack_entry entry = { .asset = asset->asset, .content_hash = asset->content_hash, .placement = 0 };
    asset->asset = (import_asset){ 0 };
    leat_pack_header header;
    uint8_t *index = NULL;
    bool ok = bytes != NULL && pack_tables_add_placement(tables, &placement) != UINT32_MAX;
    ok = pack_tables_add_entry(tables, &entry) && ok; /* takes the asset in any case */
    index = ok ? pack_index_build(tables, at, raw, &header) : NULL;
    uint8_t *whole = index != NULL ? realloc(bytes, at + header.index_size) : NULL;
    if (whole == NULL) {
        free(index);
        free(bytes);
        return NULL;
    }
    memcpy(whole, &header, sizeof(header));
    memcpy(whole + at, index, header.index_size);
    *size = at + header.index_size;
    free(index);
    return whole;
}

uint8_t *doctor_trial_pack(uint64_t *size)
{
    packed_asset asset;
    pack_tables tables = { 0 };
    if (!trial_asset(&asset)) {
        return NULL;
    }
    uint8_t *bytes = trial_assemble(&asset, &tables, size);
    packed_asset_free(&asset);
    pack_tables_free(&tables);
    return bytes;
}

/* ---- The streamer ---- */

typedef struct log_taker {
    pthread_mutex_t lock; /* lines come from any thread */
    doctor_leat *leat;
} log_taker;

static void log_take(leat_log_level level, const char *text, void *user)
{
    log_taker *taker = user;
    (void)level;
    pthread_mutex_lock(&taker->lock);
    if (taker->leat->log_count < DOCTOR_LOG_LINES_MAX) {
        snprintf(taker->leat->log[taker->leat->log_count++], sizeof(taker->leat->log[0]), "%.199s", text);
    }
    pthread_mutex_unlock(&taker->lock);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Asks for parts of the first assets; returns how many. */
static uint32_t reads_submit(leat_streamer *s, leat_pack pack, uint32_t asset_count)
{
    uint64_t bytes = 0;
    uint32_t submitted = 0;
    for (uint32_t i = 0; i < asset_count && submitted < READS_MAX; ++i) {
        leat_asset asset = leat_asset_at(s, pack, i);
        leat_asset_info info;
        if (leat_asset_info_get(s, asset, &info) != LEAT_OK) {
            break;
        }
        for (uint64_t at = 0; at < info.size && bytes < READ_BYTES_MAX && submitted < READS_MAX;) {
            uint64_t size = u64_min(info.size - at, PART_BYTES_MAX);
            leat_read_desc desc = { .asset = asset, .part = { .kind = LEAT_PART_BYTES, .offset = at, .size = size } };
            if (leat_read(s, &desc, NULL) != LEAT_OK) {
                return submitted;
            }
            ++submitted;
            bytes += size;
            at += size;
        }
    }
    return submitted;
}

static void reads_wait(leat_streamer *s, uint32_t count, doctor_leat *l)
{
    uint64_t end_ns = now_ns() + WAIT_NS_MAX;
    while (count > 0 && now_ns() < end_ns) {
        leat_events events = leat_wait(s, NS_PER_S);
        for (uint32_t i = 0; i < events.count; ++i) {
            const leat_event *e = &events.items[i];
            bool failed = e->type == LEAT_EVENT_FAILED || e->type == LEAT_EVENT_CANCELLED;
            if (e->type == LEAT_EVENT_READY) {
                l->read_bytes += e->size;
                leat_release(s, e->request);
            } else if (failed && l->failure[0] == '\0') {
                leat_event_text(s, e, l->failure, sizeof(l->failure));
            }
            count -= failed || e->type == LEAT_EVENT_READY ? 1 : 0;
        }
    }
    if (count > 0 && l->failure[0] == '\0') {
        snprintf(l->failure, sizeof(l->failure), "%u reads have not come back in %llu s", count,
                 (unsigned long long)(WAIT_NS_MAX / NS_PER_S));
    }
}

static void pack_read(leat_streamer *s, const doctor_path *p, doctor_leat *l)
{
    leat_pack pack;
    leat_pack_info info = { 0 };
    leat_error error = { 0 };
    const char *path = p->kind == DOCTOR_PACK ? p->path : p->trial_pack;
    if (p->kind != DOCTOR_PACK) {
        posix_fadvise(p->pack_fd, 0, 0, POSIX_FADV_DONTNEED);
    }
    l->read_tried = true;
    if (leat_pack_open(s, path, &(leat_pack_desc){ .error = &error }, &pack) != LEAT_OK ||
        leat_pack_info_get(s, pack, &info) != LEAT_OK) {
        snprintf(l->failure, sizeof(l->failure), "%.255s", error.text);
        return;
    }
    l->direct = info.direct;
    uint64_t begin_ns = now_ns();
    reads_wait(s, reads_submit(s, pack, info.asset_count), l);
    l->read_ns = now_ns() - begin_ns;
    leat_stats stats;
    leat_stats_get(s, &stats);
    l->reads = stats.reads_completed;
    l->reads_cached = stats.reads_cached;
    l->io_calls = stats.io_submit_calls + stats.io_wait_calls;
}

void doctor_probe_leat(const doctor_path *p, doctor_leat *l)
{
    *l = (doctor_leat){ 0 };
    log_taker taker = { .leat = l };
    pthread_mutex_init(&taker.lock, NULL);
    leat_streamer *s = NULL;
    leat_desc desc = { .error = &l->error, .logger = { .log = log_take, .user = &taker, .level = LEAT_LOG_INFO } };
    l->created = leat_create(&desc, &s) == LEAT_OK;
    if (l->created) {
        leat_info_get(s, &l->info);
        if (p->kind == DOCTOR_PACK || p->trial_pack[0] != '\0') {
            pack_read(s, p, l);
            leat_info_get(s, &l->info); /* some modes are known once a file was read */
        }
    }
    leat_destroy(s);
    pthread_mutex_destroy(&taker.lock);
}
