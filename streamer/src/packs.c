/* packs.c - packs are opened, found and closed, on any thread.
 *
 * A leat_pack names a mount, and a mount shows a slot: one version of the pack's content (swap.c shows another). The
 * mount's word holds the generation of its handle and the slot. A slot counts references: one is its own as long as it
 * is shown (and until a swap has been announced), one more for each request, and one for each call that looks at the
 * index. Closing raises the mount's generation, so that no new reference can be had, and drops the slot's own; the I/O
 * thread frees the slot when the count is zero, because only it may take a file out of the backend. No lock, and no
 * reader ever waits. */
#include "streamer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_COUNT_DEFAULT 65536u
#define READ_PIECE_BYTES (UINT64_C(2) << 20)
#define TOUCH_BYTES 4096u /* the smallest page that there is; larger ones are touched more than once */

static bool slot_retain(pack_slot *slot, uint32_t count)
{
    /* Acquire pairs with the release in pack_slot_start: we see the whole index. */
    uint32_t references = atomic_load_explicit(&slot->references, memory_order_acquire);
    do {
        if (references == 0) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&slot->references, &references, references + count,
                                                    memory_order_acquire, memory_order_acquire));
    return true;
}

bool pack_alive(const leat_streamer *s, leat_pack pack)
{
    return pack.index < s->desc.pack_count_max &&
           atomic_load_explicit(&s->mounts[pack.index].view, memory_order_relaxed) >> 32 == pack.generation;
}

pack_slot *pack_acquire_many(const leat_streamer *s, leat_pack pack, uint32_t count)
{
    if (pack.generation == 0 || pack.index >= s->desc.pack_count_max) {
        return NULL;
    }
    const pack_mount *mount = &s->mounts[pack.index];
    for (;;) {
        uint64_t view = atomic_load_explicit(&mount->view, memory_order_acquire);
        if ((uint32_t)(view >> 32) != pack.generation || (uint32_t)view == 0) {
            return NULL;
        }
        pack_slot *slot = &s->packs[(uint32_t)view - 1];
        if (!slot_retain(slot, count)) {
            continue; /* swapped or closed just now: the mount's word says so by now */
        }
        /* Between the look and the reference the slot may have been freed and filled for somebody else. Whoever did
         * that had changed the mount's word before, and we have acquired the count that was written after it. */
        if (atomic_load_explicit(&mount->view, memory_order_acquire) == view) {
            return slot;
        }
        pack_release_many((leat_streamer *)s, slot, count);
    }
}

pack_slot *pack_acquire_version(const leat_streamer *s, leat_asset asset)
{
    for (uint32_t i = 0; i < s->slot_count; ++i) {
        pack_slot *slot = &s->packs[i];
        uint32_t position;
        if (!slot_retain(slot, 1)) {
            continue;
        }
        if (slot->handle.index == asset.pack.index && slot->handle.generation == asset.pack.generation &&
            asset_locate(slot, asset, &position) == LEAT_OK) {
            return slot;
        }
        pack_release((leat_streamer *)s, slot);
    }
    return NULL;
}

pack_slot *pack_acquire(const leat_streamer *s, leat_pack pack)
{
    return pack_acquire_many(s, pack, 1);
}

void pack_release_many(leat_streamer *s, pack_slot *slot, uint32_t count)
{
    /* Release: our reads of the index come before the I/O thread's free (acquire in packs_retire). */
    if (atomic_fetch_sub_explicit(&slot->references, count, memory_order_acq_rel) == count) {
        atomic_fetch_add_explicit(&s->pack_chores, 1, memory_order_seq_cst); /* as mail is (pump_sleep) */
        streamer_wake(s, WAKE_NOW); /* it is shown no more, and we were the last: the I/O thread frees it */
    }
}

void pack_release(leat_streamer *s, pack_slot *slot)
{
    pack_release_many(s, slot, 1);
}

void pack_let_go(leat_streamer *s, pack_slot *slot)
{
    atomic_store_explicit(&slot->stage, PACK_CLOSING, memory_order_release);
    pack_release(s, slot);
}

static void slot_free_memory(leat_streamer *s, pack_slot *slot)
{
    memory_free(&s->memory, slot->directory, slot->directory_count, sizeof(*slot->directory));
    memory_free(&s->memory, slot->wants, slot->want_count, sizeof(*slot->wants));
    memory_free(&s->memory, slot->index_bytes, slot->index_size, 1);
    memory_free(&s->memory, slot->path, slot->path_size, 1);
    folder_close(&s->memory, &slot->folder);
    asset_ids_free(&s->memory, &slot->ids);
    reload_changes_free(&s->memory, &slot->changes);
    slot->directory = NULL;
    slot->wants = NULL;
    slot->index_bytes = NULL;
    slot->path = NULL;
}

void packs_retire(leat_streamer *s)
{
    for (uint32_t i = 0; i < s->slot_count; ++i) {
        pack_slot *slot = &s->packs[i];
        if (atomic_load_explicit(&slot->stage, memory_order_acquire) != PACK_CLOSING ||
            atomic_load_explicit(&slot->references, memory_order_acquire) != 0) {
            continue;
        }
        if (slot->io_file != IO_FILE_NONE) {
            s->io_ops->file_remove(s->io, slot->io_file);
        }
        file_close(&slot->file);
        slot_free_memory(s, slot);
        atomic_fetch_sub_explicit(&s->pack_chores, 1, memory_order_relaxed);
        atomic_store_explicit(&slot->stage, PACK_FREE, memory_order_release);
    }
}

void packs_free(leat_streamer *s)
{
    for (uint32_t i = 0; i < s->slot_count; ++i) {
        pack_slot *slot = &s->packs[i];
        uint32_t stage = atomic_load_explicit(&slot->stage, memory_order_acquire);
        if (stage == PACK_OPEN || stage == PACK_CLOSING) {
            file_close(&slot->file);
            slot_free_memory(s, slot);
        }
    }
}

/* ---- Opening ---- */

/* The kernel copies faster into pages that are there than into those that it has to make while it copies. */
static void touch_pages(uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size; i += TOUCH_BYTES) {
        ((volatile uint8_t *)at)[i] = 0;
    }
}

/* A piece at a time: what touching has cleared is still in the cache when it is read into. */
static leat_result read_fully(int fd, void *block, uint64_t size, uint64_t offset, const char *path, leat_error *error)
{
    uint8_t *at = block;
    while (size > 0) {
        size_t piece = (size_t)u64_min(size, READ_PIECE_BYTES);
        touch_pages(at, piece);
        ssize_t got = file_read_at(fd, at, piece, offset);
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

static bool allocate_directory(leat_streamer *s, pack_slot *slot, uint64_t asset_count)
{
    slot->directory_count = pack_directory_size(asset_count);
    slot->directory = memory_allocate(&s->memory, slot->directory_count, sizeof(*slot->directory), CACHE_LINE_SIZE);
    return slot->directory != NULL;
}

/* Reads the index once into private memory: what was checked cannot change any more. */
static leat_result read_index(leat_streamer *s, pack_slot *slot, leat_error *error)
{
    pack_limits limits = { .index_bytes_max = s->desc.pack_index_bytes_max,
                           .asset_bytes_max = s->desc.asset_bytes_max,
                           .chunk_ratio_max = s->desc.chunk_ratio_max };
    leat_pack_header header;
    if (slot->file.size < sizeof(header)) {
        return error_set(error, LEAT_ERROR_FORMAT, 0, "%s: is not a Leat pack (%llu bytes are less than a header)",
                         slot->path, (unsigned long long)slot->file.size);
    }
    leat_result result = read_fully(slot->file.fd_buffered, &header, sizeof(header), 0, slot->path, error);
    if (result == LEAT_OK) {
        result = pack_header_check(&header, slot->file.size, &limits, slot->path, error);
    }
    if (result != LEAT_OK) {
        return result;
    }
    slot->index_size = u64_max(header.index_size, 1); /* a pack of nothing has an index of no bytes */
    slot->content_hash = header.content_hash;
    slot->index_bytes = memory_allocate_uncleared(&s->memory, slot->index_size, 1, LEAT_PACK_ALIGNMENT);
    uint64_t asset_count = header.sections[LEAT_PACK_SECTION_ASSETS].size / sizeof(leat_pack_asset_record);
    if (slot->index_bytes == NULL || !allocate_directory(s, slot, asset_count)) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "%s: no memory for its index of %llu bytes", slot->path,
                         (unsigned long long)header.index_size);
    }
    result = read_fully(slot->file.fd_buffered, slot->index_bytes, header.index_size, header.index_offset, slot->path,
                        error);
    if (result == LEAT_OK) {
        result =
            pack_index_check(&header, slot->index_bytes, &limits, slot->directory, &slot->index, slot->path, error);
    }
    return result;
}

pack_slot *pack_slot_claim(leat_streamer *s)
{
    for (uint32_t i = 0; i < s->slot_count; ++i) {
        uint32_t expected = PACK_FREE;
        if (atomic_compare_exchange_strong_explicit(&s->packs[i].stage, &expected, PACK_OPENING, memory_order_acq_rel,
                                                    memory_order_relaxed)) {
            return &s->packs[i];
        }
    }
    return NULL;
}

static leat_result fill_from_folder(leat_streamer *s, pack_slot *slot, const slot_source *source, bool *watched,
                                    leat_error *error)
{
    folder_desc desc = { .memory = &s->memory,
                         .log = &s->log,
                         .path = slot->path,
                         .before =
                             source->before != NULL && source->before->index.loose ? &source->before->folder : NULL,
                         .watch_fd = source->watch_fd,
                         .file_count_max = slot->options.file_count_max,
                         .asset_bytes_max = s->desc.asset_bytes_max,
                         .index_bytes_max = s->desc.pack_index_bytes_max };
    leat_result result = folder_scan(&desc, &slot->folder, &slot->index, watched, error);
    if (result != LEAT_OK) {
        return result;
    }
    slot->content_hash = slot->folder.tables.content_hash;
    slot->file.size = slot->folder.tables.file_bytes;
    if (!allocate_directory(s, slot, slot->index.asset_count)) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "%s: no memory for the list of its files", slot->path);
    }
    pack_index_directory(&slot->index, slot->directory);
    return LEAT_OK;
}

leat_result pack_slot_fill(leat_streamer *s, pack_slot *slot, const slot_source *source, bool *watched,
                           leat_error *error)
{
    *watched = source->watch_fd >= 0;
    slot->file = (disk_file){ .fd_buffered = -1, .fd_direct = -1 };
    slot->index_size = 0;
    slot->path_size = strlen(source->path) + 1;
    slot->path = memory_allocate(&s->memory, slot->path_size, 1, 16);
    if (slot->path == NULL) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "%s: no memory", source->path);
    }
    memcpy(slot->path, source->path, slot->path_size);
    leat_result result;
    if (folder_open(slot->path, &slot->folder.fd)) {
        result = fill_from_folder(s, slot, source, watched, error);
    } else {
        result = file_open(slot->path, s->desc.direct != LEAT_OFF, &s->log, &slot->file, error);
        result = result == LEAT_OK ? read_index(s, slot, error) : result;
    }
    if (result != LEAT_OK) {
        return result;
    }
    slot->want_count = u64_max(slot->index.chunk_count, 1);
    slot->wants = memory_allocate(&s->memory, slot->want_count, sizeof(*slot->wants), CACHE_LINE_SIZE);
    if (slot->wants == NULL) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "%s: no memory for its %u chunks", slot->path,
                         slot->index.chunk_count);
    }
    asset_ids_init(&slot->ids, slot->index.asset_count);
    return LEAT_OK;
}

void pack_slot_drop(leat_streamer *s, pack_slot *slot)
{
    file_close(&slot->file);
    slot_free_memory(s, slot);
    atomic_store_explicit(&slot->stage, PACK_FREE, memory_order_release);
}

void pack_slot_start(leat_streamer *s, pack_slot *slot, leat_pack handle)
{
    slot->handle = handle;
    slot->order = atomic_fetch_add_explicit(&s->pack_order, 1, memory_order_relaxed);
    slot->change_next = 0;
    slot->io_file = IO_FILE_NONE;
    slot->direct = slot->file.fd_direct >= 0 ||
                   (!slot->index.loose && s->desc.backend == LEAT_BACKEND_SIM && s->desc.direct != LEAT_OFF);
    slot->cached_score = slot->cached_skip = 0;
    atomic_store_explicit(&slot->stage, PACK_OPEN, memory_order_release);
    atomic_store_explicit(&slot->references, 1, memory_order_release);
}

static pack_mount *claim_mount(leat_streamer *s)
{
    for (uint32_t i = 0; i < s->desc.pack_count_max; ++i) {
        uint32_t expected = MOUNT_FREE;
        if (atomic_compare_exchange_strong_explicit(&s->mounts[i].stage, &expected, MOUNT_OPENING, memory_order_acq_rel,
                                                    memory_order_relaxed)) {
            return &s->mounts[i];
        }
    }
    return NULL;
}

static pack_options options_of(const leat_pack_desc *desc, bool loose)
{
    pack_options options = { .watched = loose, .file_count_max = FILE_COUNT_DEFAULT };
    if (desc != NULL) {
        options.layer = desc->layer;
        options.watched = desc->watch == LEAT_DEFAULT ? loose : desc->watch == LEAT_ON;
        options.file_count_max = desc->file_count_max != 0 ? desc->file_count_max : FILE_COUNT_DEFAULT;
    }
    return options;
}

static bool is_folder(const char *path)
{
    struct stat status;
    return file_stat_at(AT_FDCWD, path, &status, 0) == 0 && S_ISDIR(status.st_mode);
}

/* Fills a slot and shows it under the mount. What is watched is watched from before it is looked at. */
static leat_result open_mount(leat_streamer *s, pack_mount *mount, pack_slot *slot, const char *path, leat_pack *pack,
                              leat_error *error)
{
    bool loose = is_folder(path), watched = false;
    watch_source watch = slot->options.watched ? watch_open(path, loose) : (watch_source){ .fd = -1 };
    if (slot->options.watched && watch.fd < 0) {
        watch_refused(&s->log, path, -watch.fd, "");
    }
    slot_source source = { .path = path, .watch_fd = watch.fd };
    leat_result result = pack_slot_fill(s, slot, &source, &watched, error);
    if (watch.fd >= 0 && (result != LEAT_OK || !watched)) {
        close(watch.fd);
    }
    if (result != LEAT_OK) {
        return result;
    }
    uint32_t generation = (uint32_t)(atomic_load_explicit(&mount->view, memory_order_relaxed) >> 32);
    *pack = (leat_pack){ .index = (uint32_t)(mount - s->mounts), .generation = generation };
    pack_slot_start(s, slot, *pack);
    atomic_store_explicit(&mount->stage, MOUNT_OPEN, memory_order_release);
    atomic_store_explicit(&mount->view, mount_view(generation, (uint32_t)(slot - s->packs)), memory_order_release);
    if (watched) {
        pthread_mutex_lock(&s->swap_lock);
        if (watch_start(s)) {
            watch_set(s, *pack, watch, loose);
        } else {
            close(watch.fd);
            log_line(&s->log, LEAT_LOG_WARNING, "%s: is not watched for changes: no thread can be had", path);
        }
        pthread_mutex_unlock(&s->swap_lock);
        watch_wake(s);
    }
    return LEAT_OK;
}

/* A free mount and a free slot for it, or neither. */
static leat_result open_new(leat_streamer *s, const char *path, const leat_pack_desc *desc, leat_pack *pack,
                            leat_error *error)
{
    if (desc != NULL && (uint32_t)desc->watch > LEAT_ON) {
        return error_set(error, LEAT_ERROR_ARGUMENT, 0,
                         "%s: leat_pack_desc.watch is %u; it must be LEAT_DEFAULT, LEAT_OFF or LEAT_ON", path,
                         (uint32_t)desc->watch);
    }
    pack_mount *mount = claim_mount(s);
    if (mount == NULL) {
        return error_set(error, LEAT_ERROR_FULL, 0, "%s: %u packs are open; raise leat_desc.pack_count_max", path,
                         s->desc.pack_count_max);
    }
    pack_slot *slot = pack_slot_claim(s);
    leat_result result;
    if (slot == NULL) {
        result = error_set(error, LEAT_ERROR_FULL, 0,
                           "%s: packs that were closed or replaced are still in use; take events and try again", path);
    } else {
        slot->options = options_of(desc, is_folder(path));
        result = open_mount(s, mount, slot, path, pack, error);
        if (result != LEAT_OK && !CANARY(UNDO)) {
            pack_slot_drop(s, slot);
        }
    }
    if (result != LEAT_OK) {
        atomic_store_explicit(&mount->stage, MOUNT_FREE, memory_order_release);
    }
    return result;
}

leat_result leat_pack_open(leat_streamer *s, const char *path, const leat_pack_desc *desc, leat_pack *pack)
{
    *pack = (leat_pack){ 0 };
    leat_error local;
    leat_error *error = desc != NULL && desc->error != NULL ? desc->error : &local;
    leat_result result = path == NULL || path[0] == '\0'
                             ? error_set(error, LEAT_ERROR_ARGUMENT, 0, "leat_pack_open: the path is empty")
                             : open_new(s, path, desc, pack, error);
    if (result != LEAT_OK && error == &local) { /* words that the caller did not ask for */
        log_line(&s->log, LEAT_LOG_ERROR, "%s", error->text);
    }
    return result;
}

leat_result leat_pack_close(leat_streamer *s, leat_pack pack)
{
    if (pack.generation == 0 || pack.index >= s->desc.pack_count_max) {
        return LEAT_ERROR_STALE;
    }
    pack_mount *mount = &s->mounts[pack.index];
    uint64_t view = atomic_load_explicit(&mount->view, memory_order_acquire);
    uint32_t generation = pack.generation + 1;
    do {
        if ((uint32_t)(view >> 32) != pack.generation || (uint32_t)view == 0) {
            return LEAT_ERROR_STALE;
        }
    } while (!atomic_compare_exchange_weak_explicit(&mount->view, &view, (uint64_t)(generation + !generation) << 32,
                                                    memory_order_acq_rel, memory_order_acquire));
    mount->closing = pack.generation;
    atomic_store_explicit(&mount->stage, MOUNT_CLOSING, memory_order_release); /* pairs with the acquire in pump.c */
    atomic_fetch_add_explicit(&s->pack_chores, 1, memory_order_seq_cst); /* as mail is (pump_sleep) */
    pack_let_go(s, &s->packs[(uint32_t)view - 1]);
    streamer_wake(s, WAKE_NOW);
    watch_wake(s); /* if it was watched, that ends */
    return LEAT_OK;
}

/* ---- Finding ---- */

/* The handle of a position; null for ASSET_NONE. */
static leat_asset handle_of(const pack_slot *slot, uint32_t position)
{
    return position == ASSET_NONE ? (leat_asset){ 0 }
                                  : (leat_asset){ .pack = slot->handle, .index = asset_id(&slot->ids, position) + 1 };
}

leat_asset leat_asset_find_in(const leat_streamer *s, leat_pack pack, uint64_t name_hash)
{
    pack_slot *slot = pack_acquire(s, pack);
    if (slot == NULL) {
        return (leat_asset){ 0 };
    }
    leat_asset asset = handle_of(slot, pack_index_find(&slot->index, name_hash));
    pack_release((leat_streamer *)s, slot);
    return asset;
}

leat_asset leat_asset_find(const leat_streamer *s, uint64_t name_hash)
{
    leat_asset best = { 0 };
    int32_t best_layer = 0;
    uint64_t best_order = 0;
    for (uint32_t i = 0; i < s->desc.pack_count_max; ++i) {
        uint64_t view = atomic_load_explicit(&s->mounts[i].view, memory_order_acquire);
        if ((uint32_t)view == 0) {
            continue;
        }
        leat_pack pack = { .index = i, .generation = (uint32_t)(view >> 32) };
        pack_slot *slot = pack_acquire(s, pack);
        if (slot == NULL) {
            continue;
        }
        leat_asset asset = handle_of(slot, pack_index_find(&slot->index, name_hash));
        if (asset.index != 0 && (best.index == 0 || CANARY(LAYER) || slot->options.layer > best_layer ||
                                 (slot->options.layer == best_layer && slot->order > best_order))) {
            best = asset;
            best_layer = slot->options.layer;
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
    leat_asset asset = handle_of(slot, position < slot->index.asset_count ? position : ASSET_NONE);
    pack_release((leat_streamer *)s, slot);
    return asset;
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
        .index_bytes = slot->index.loose ? slot->folder.tables.block_size : slot->index_size,
        .content_hash = slot->content_hash,
        .layer = slot->options.layer,
        .direct = slot->file.fd_direct >= 0,
        .folder = slot->index.loose,
        .watched = atomic_load_explicit(&s->mounts[pack.index].watched, memory_order_relaxed) == pack.generation,
    };
    pack_release((leat_streamer *)s, slot);
    return LEAT_OK;
}
