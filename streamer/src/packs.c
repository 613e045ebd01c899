/* packs.c - packs are opened, found and closed, on any thread.
 *
 * A slot's control word holds its generation and a count of references: one is the pack's own until it is closed, one
 * more for each request, and one for each call that looks at the index. Closing raises the generation, so that no new
 * reference can be had, and drops the pack's own; the I/O thread frees the slot when the count is zero, because only it
 * may take a file out of the backend. No lock, and no reader ever waits. */
#include "streamer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t control_of(uint32_t generation, uint32_t references)
{
    return (uint64_t)generation << 32 | references;
}

bool pack_alive(const leat_streamer *s, leat_pack pack)
{
    return pack.index < s->desc.pack_count_max &&
           atomic_load_explicit(&s->packs[pack.index].control, memory_order_relaxed) >> 32 == pack.generation;
}

pack_slot *pack_acquire_many(const leat_streamer *s, leat_pack pack, uint32_t count)
{
    if (pack.generation == 0 || pack.index >= s->desc.pack_count_max) {
        return NULL;
    }
    pack_slot *slot = &s->packs[pack.index];
    /* Acquire pairs with the release in leat_pack_open: we see the whole index. */
    uint64_t control = atomic_load_explicit(&slot->control, memory_order_acquire);
    do {
        if ((uint32_t)(control >> 32) != pack.generation || (uint32_t)control == 0) {
            return NULL;
        }
    } while (!atomic_compare_exchange_weak_explicit(&slot->control, &control, control + count, memory_order_acquire,
                                                    memory_order_acquire));
    return slot;
}

pack_slot *pack_acquire(const leat_streamer *s, leat_pack pack)
{
    return pack_acquire_many(s, pack, 1);
}

void pack_release_many(leat_streamer *s, pack_slot *slot, uint32_t count)
{
    /* Release: our reads of the index come before the I/O thread's free (acquire in packs_retire). */
    uint64_t before = atomic_fetch_sub_explicit(&slot->control, count, memory_order_acq_rel);
    if ((uint32_t)before == count) {
        streamer_wake(s, true); /* it was closed, and we were the last: the I/O thread frees it */
    }
}

void pack_release(leat_streamer *s, pack_slot *slot)
{
    pack_release_many(s, slot, 1);
}

static void slot_free_memory(leat_streamer *s, pack_slot *slot)
{
    memory_free(&s->memory, slot->directory, slot->directory_count, sizeof(*slot->directory));
    memory_free(&s->memory, slot->index_bytes, slot->header.index_size, 1);
    memory_free(&s->memory, slot->path, slot->path_size, 1);
    slot->directory = NULL;
    slot->index_bytes = NULL;
    slot->path = NULL;
}

void packs_retire(leat_streamer *s)
{
    for (uint32_t i = 0; i < s->desc.pack_count_max; ++i) {
        pack_slot *slot = &s->packs[i];
        if (atomic_load_explicit(&slot->stage, memory_order_acquire) != PACK_CLOSING ||
            (uint32_t)atomic_load_explicit(&slot->control, memory_order_acquire) != 0) {
            continue;
        }
        if (slot->io_file != IO_FILE_NONE) {
            s->io_ops->file_remove(s->io, slot->io_file);
        }
        file_close(&slot->file);
        slot_free_memory(s, slot);
        atomic_fetch_sub_explicit(&s->packs_closing, 1, memory_order_relaxed);
        atomic_store_explicit(&slot->stage, PACK_FREE, memory_order_release);
    }
}

void packs_free(leat_streamer *s)
{
    for (uint32_t i = 0; i < s->desc.pack_count_max; ++i) {
        pack_slot *slot = &s->packs[i];
        uint32_t stage = atomic_load_explicit(&slot->stage, memory_order_acquire);
        if (stage == PACK_OPEN || stage == PACK_CLOSING) {
            file_close(&slot->file);
            slot_free_memory(s, slot);
        }
    }
}

/* ---- Opening ---- */

static leat_result read_fully(int fd, void *block, uint64_t size, uint64_t offset, const char *path, leat_error *error)
{
    uint8_t *at = block;
    while (size > 0) {
        ssize_t got = pread(fd, at, size < (1u << 30) ? size : 1u << 30, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return error_set(error, LEAT_ERROR_OS, errno, "%s: cannot be read at offset %llu: %s", path,
                             (unsigned long long)offset, strerror(errno));
        }
        if (got == 0) {
            return error_set(error, LEAT_ERROR_TRUNCATED, 0,
                             "%s: ends at offset %llu, in the middle of its index; copy or pack it again", path,
                             (unsigned long long)offset);
        }
        at += got;
        offset += (uint64_t)got;
        size -= (uint64_t)got;
    }
    return LEAT_OK;
}

/* Reads the index once into private memory: what was checked cannot change any more. */
static leat_result read_index(leat_streamer *s, pack_slot *slot, leat_error *error)
{
    pack_limits limits = { .index_bytes_max = s->desc.pack_index_bytes_max,
                           .asset_bytes_max = s->desc.asset_bytes_max };
    if (slot->file.size < sizeof(slot->header)) {
        return error_set(error, LEAT_ERROR_FORMAT, 0, "%s: is no Leat pack (%llu bytes are less than a header)",
                         slot->path, (unsigned long long)slot->file.size);
    }
    leat_result result = read_fully(slot->file.fd_buffered, &slot->header, sizeof(slot->header), 0, slot->path, error);
    if (result == LEAT_OK) {
        result = pack_header_check(&slot->header, slot->file.size, &limits, slot->path, error);
    }
    if (result != LEAT_OK) {
        slot->header.index_size = 0;
        return result;
    }
    slot->index_bytes = memory_allocate(&s->memory, slot->header.index_size, 1, LEAT_PACK_ALIGNMENT);
    slot->directory_count =
        pack_directory_size(slot->header.sections[LEAT_PACK_SECTION_ASSETS].size / sizeof(leat_pack_asset_record));
    slot->directory = memory_allocate(&s->memory, slot->directory_count, sizeof(*slot->directory), CACHE_LINE_SIZE);
    if (slot->index_bytes == NULL || slot->directory == NULL) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "%s: no memory for its index of %llu bytes", slot->path,
                         (unsigned long long)slot->header.index_size);
    }
    result = read_fully(slot->file.fd_buffered, slot->index_bytes, slot->header.index_size, slot->header.index_offset,
                        slot->path, error);
    if (result == LEAT_OK) {
        result = pack_index_check(&slot->header, slot->index_bytes, &limits, slot->directory, &slot->index, slot->path,
                                  error);
    }
    return result;
}

static pack_slot *claim_slot(leat_streamer *s)
{
    for (uint32_t i = 0; i < s->desc.pack_count_max; ++i) {
        uint32_t expected = PACK_FREE;
        if (atomic_compare_exchange_strong_explicit(&s->packs[i].stage, &expected, PACK_OPENING, memory_order_acq_rel,
                                                    memory_order_relaxed)) {
            return &s->packs[i];
        }
    }
    return NULL;
}

static leat_result open_slot(leat_streamer *s, pack_slot *slot, const char *path, leat_error *error)
{
    slot->path_size = strlen(path) + 1;
    slot->path = memory_allocate(&s->memory, slot->path_size, 1, 16);
    if (slot->path == NULL) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "%s: no memory", path);
    }
    memcpy(slot->path, path, slot->path_size);
    leat_result result = file_open(path, s->desc.direct != LEAT_OFF, &s->log, &slot->file, error);
    if (result != LEAT_OK) {
        return result;
    }
    result = read_index(s, slot, error);
    if (result != LEAT_OK) {
        file_close(&slot->file);
    }
    return result;
}

leat_result leat_pack_open(leat_streamer *s, const char *path, const leat_pack_desc *desc, leat_pack *pack)
{
    *pack = (leat_pack){ 0 };
    leat_error local;
    leat_error *error = desc != NULL && desc->error != NULL ? desc->error : &local;
    pack_slot *slot = claim_slot(s);
    if (slot == NULL) {
        return error_set(error, LEAT_ERROR_FULL, 0, "%s: %u packs are open; raise leat_desc.pack_count_max", path,
                         s->desc.pack_count_max);
    }
    leat_result result = open_slot(s, slot, path, error);
    if (result != LEAT_OK) {
        log_line(&s->log, LEAT_LOG_ERROR, "%s", error->text);
        slot_free_memory(s, slot);
        atomic_store_explicit(&slot->stage, PACK_FREE, memory_order_release);
        return result;
    }
    slot->layer = desc != NULL ? desc->layer : 0;
    slot->order = atomic_fetch_add_explicit(&s->pack_order, 1, memory_order_relaxed);
    slot->io_file = IO_FILE_NONE;
    slot->direct = slot->file.fd_direct >= 0 || (s->desc.backend == LEAT_BACKEND_SIM && s->desc.direct != LEAT_OFF);
    slot->cached_score = slot->cached_skip = 0;
    uint32_t generation = (uint32_t)(atomic_load_explicit(&slot->control, memory_order_relaxed) >> 32);
    atomic_store_explicit(&slot->swept, false, memory_order_relaxed);
    atomic_store_explicit(&slot->stage, PACK_OPEN, memory_order_release);
    atomic_store_explicit(&slot->control, control_of(generation, 1), memory_order_release);
    *pack = (leat_pack){ .index = (uint32_t)(slot - s->packs), .generation = generation };
    return LEAT_OK;
}

leat_result leat_pack_close(leat_streamer *s, leat_pack pack)
{
    if (pack.generation == 0 || pack.index >= s->desc.pack_count_max) {
        return LEAT_ERROR_STALE;
    }
    pack_slot *slot = &s->packs[pack.index];
    uint64_t control = atomic_load_explicit(&slot->control, memory_order_acquire);
    uint64_t closed;
    do {
        if ((uint32_t)(control >> 32) != pack.generation || (uint32_t)control == 0) {
            return LEAT_ERROR_STALE;
        }
        uint32_t generation = pack.generation + 1;
        closed = control_of(generation == 0 ? 1 : generation, (uint32_t)control);
    } while (!atomic_compare_exchange_weak_explicit(&slot->control, &control, closed, memory_order_acq_rel,
                                                    memory_order_acquire));
    atomic_fetch_add_explicit(&s->packs_closing, 1, memory_order_release);
    atomic_store_explicit(&slot->stage, PACK_CLOSING, memory_order_release);
    pack_release(s, slot);
    streamer_wake(s, true);
    return LEAT_OK;
}

/* ---- Finding ---- */

leat_asset leat_asset_find_in(const leat_streamer *s, leat_pack pack, uint64_t name_hash)
{
    pack_slot *slot = pack_acquire(s, pack);
    if (slot == NULL) {
        return (leat_asset){ 0 };
    }
    uint32_t position = pack_index_find(&slot->index, name_hash);
    pack_release((leat_streamer *)s, slot);
    return position == UINT32_MAX ? (leat_asset){ 0 } : (leat_asset){ .pack = pack, .index = position + 1 };
}

leat_asset leat_asset_find(const leat_streamer *s, uint64_t name_hash)
{
    leat_asset best = { 0 };
    int32_t best_layer = 0;
    uint64_t best_order = 0;
    for (uint32_t i = 0; i < s->desc.pack_count_max; ++i) {
        uint64_t control = atomic_load_explicit(&s->packs[i].control, memory_order_acquire);
        if ((uint32_t)control == 0) {
            continue;
        }
        leat_pack pack = { .index = i, .generation = (uint32_t)(control >> 32) };
        pack_slot *slot = pack_acquire(s, pack);
        if (slot == NULL) {
            continue;
        }
        bool open = atomic_load_explicit(&slot->stage, memory_order_acquire) == PACK_OPEN;
        uint32_t position = open ? pack_index_find(&slot->index, name_hash) : UINT32_MAX;
        if (position != UINT32_MAX &&
            (best.index == 0 || slot->layer > best_layer || (slot->layer == best_layer && slot->order > best_order))) {
            best = (leat_asset){ .pack = pack, .index = position + 1 };
            best_layer = slot->layer;
            best_order = slot->order;
        }
        pack_release((leat_streamer *)s, slot);
    }
    return best;
}

leat_asset leat_asset_at(const leat_streamer *s, leat_pack pack, uint32_t position)
{
    pack_slot *slot = pack_acquire(s, pack);
    if (slot == NULL) {
        return (leat_asset){ 0 };
    }
    bool there = position < slot->index.asset_count;
    pack_release((leat_streamer *)s, slot);
    return there ? (leat_asset){ .pack = pack, .index = position + 1 } : (leat_asset){ 0 };
}

leat_result leat_pack_info_get(const leat_streamer *s, leat_pack pack, leat_pack_info *info)
{
    pack_slot *slot = pack_acquire(s, pack);
    if (slot == NULL) {
        *info = (leat_pack_info){ 0 };
        return LEAT_ERROR_STALE;
    }
    *info = (leat_pack_info){
        .asset_count = slot->index.asset_count,
        .chunk_count = slot->index.chunk_count,
        .file_bytes = slot->file.size,
        .raw_bytes = slot->index.raw_size,
        .index_bytes = slot->header.index_size,
        .content_hash = slot->header.content_hash,
        .layer = slot->layer,
        .direct = slot->file.fd_direct >= 0,
    };
    pack_release((leat_streamer *)s, slot);
    return LEAT_OK;
}
