/* pack_writer.c - see pack_writer.h.
 *
 * Large assets come with chunks of their own and are written as they come. Small ones gather in a group of up to
 * LEAT_PACK_CHUNK_RAW_DEFAULT, which becomes one chunk when it is full. The raw space grows with the chunks, so an
 * asset's place in it ("placement") is known when its chunk is written. Tables: names (no name twice) and placements
 * (no content twice), open addressing, keyed by hashes. */
#include "pack_writer.h"
#include "pack_file.h"
#include "pack_index_write.h"
#include "whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define FILE_BUFFER_SIZE (1u << 20)
/* Stored chunks of whole blocks are aligned so that they can be read into their destination; as long as padding stays
 * below this share of the file, and only where the chunk is large enough for it to pay. */
#define STORED_ALIGN_FROM (64u << 10)
#define STORED_PADDING_PARTS 100u /* 1 / 100 */

#define FD_PATH_SIZE 32u
#define LINKS_MAX 40u /* as the kernel's */

struct pack_writer {
    char *path;
    whole_file file;
    interrupt *interrupt;
    int level;
    uint64_t file_offset, raw_offset;
    pack_tables tables;
    uint8_t *group; /* raw bytes of small assets, LEAT_PACK_CHUNK_RAW_DEFAULT */
    uint32_t group_size;
    uint32_t group_first; /* placements from here on may wait for the group */
    pack_writer_stats stats;
};

/* ---- Writing ---- */

static leat_result write_error(const pack_writer *w, const char *what, leat_error *error)
{
    int number = errno;
    const char *advice = number == ENOSPC   ? "; make room there, or pack to another disk"
                         : number == EDQUOT ? "; the quota is used up"
                         : number == ENOENT ? "; its folder is not there: make it first"
                                            : "";
    return error_set(error, LEAT_ERROR_OS, number, "%s: cannot be %s: %s%s", w->path, what, strerror(number), advice);
}

static leat_result write_bytes(pack_writer *w, const void *bytes, uint64_t size, leat_error *error)
{
    if (size > 0 && fwrite(bytes, 1, size, w->file.stream) != size) {
        return write_error(w, "written", error);
    }
    w->file_offset += size;
    return LEAT_OK;
}

static leat_result write_padding(pack_writer *w, uint64_t alignment, leat_error *error)
{
    static const uint8_t zeros[LEAT_PACK_ALIGNMENT];
    uint64_t size = align_up(w->file_offset, alignment) - w->file_offset;
    w->stats.padding_size += size;
    return write_bytes(w, zeros, size, error);
}

static uint64_t chunk_alignment(const pack_writer *w, const packed_chunk *chunk)
{
    if (chunk->packed_size >= LEAT_PACK_ALIGN_FROM) {
        return LEAT_PACK_ALIGNMENT;
    }
    bool whole = chunk->codec == LEAT_PACK_CODEC_STORED && chunk->raw_size % LEAT_PACK_ALIGNMENT == 0 &&
                 chunk->raw_size >= STORED_ALIGN_FROM;
    bool cheap = w->stats.padding_size + LEAT_PACK_ALIGNMENT <= w->file_offset / STORED_PADDING_PARTS;
    return whole && cheap ? LEAT_PACK_ALIGNMENT : LEAT_PACK_CHUNK_ALIGNMENT;
}

static leat_result write_chunk(pack_writer *w, const packed_chunk *chunk, leat_error *error)
{
    leat_result result = write_padding(w, chunk_alignment(w, chunk), error);
    if (result != LEAT_OK) {
        return result;
    }
    leat_pack_chunk_record record = {
        .file_offset = w->file_offset,
        .raw_offset = w->raw_offset,
        .hash = chunk->hash,
        .packed_size = chunk->packed_size,
        .raw_size = chunk->raw_size,
        .codec = chunk->codec,
    };
    if (!pack_tables_add_chunk(&w->tables, &record)) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "%s: out of memory for the chunk table", w->path);
    }
    w->raw_offset += chunk->raw_size;
    w->stats.packed_size += chunk->packed_size;
    w->stats.stored_count += chunk->codec == LEAT_PACK_CODEC_STORED;
    return write_bytes(w, chunk->packed, chunk->packed_size, error);
}

/* Writes the waiting small assets as one chunk, which settles their placements. */
static leat_result group_flush(pack_writer *w, leat_error *error)
{
    if (w->group_size == 0) {
        w->group_first = w->tables.placement_count;
        return LEAT_OK;
    }
    packed_chunk chunk;
    if (!packed_chunk_make(w->group, w->group_size, w->level, &chunk)) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "%s: out of memory for a chunk", w->path);
    }
    for (uint32_t i = w->group_first; i < w->tables.placement_count; ++i) {
        pack_placement *p = &w->tables.placements[i];
        if (p->waits) {
            p->raw_offset += w->raw_offset;
            p->chunk_first = w->tables.chunk_count;
            p->waits = false;
        }
    }
    leat_result result = write_chunk(w, &chunk, error);
    free(chunk.packed);
    w->group_size = 0;
    w->group_first = w->tables.placement_count;
    return result;
}

/* ---- Adding ---- */

static leat_result place_small(pack_writer *w, const packed_asset *a, pack_placement *p, leat_error *error)
{
    uint32_t at = (uint32_t)align_up(w->group_size, LEAT_PACK_RAW_ALIGNMENT);
    if (at + a->asset.raw_size > LEAT_PACK_CHUNK_RAW_DEFAULT) {
        leat_result result = group_flush(w, error);
        if (result != LEAT_OK) {
            return result;
        }
        at = 0;
    }
    uint32_t end = (uint32_t)align_up(at + a->asset.raw_size, LEAT_PACK_RAW_ALIGNMENT);
    memset(w->group + at, 0, end - at);
    memcpy(w->group + at, a->asset.raw, a->asset.raw_size);
    w->group_size = end; /* a multiple of the alignment: the raw space goes on aligned */
    p->raw_offset = at;
    p->waits = true;
    return LEAT_OK;
}

static leat_result place_large(pack_writer *w, const packed_asset *a, pack_placement *p, leat_error *error)
{
    p->raw_offset = w->raw_offset;
    p->chunk_first = w->tables.chunk_count;
    for (uint32_t i = 0; i < a->chunk_count; ++i) {
        leat_result result = write_chunk(w, &a->chunks[i], error);
        if (result != LEAT_OK) {
            return result;
        }
    }
    return LEAT_OK;
}

/* Finds where the same content lies already, or puts it there. UINT32_MAX in *placement for empty assets. */
static leat_result asset_place(pack_writer *w, const packed_asset *a, uint32_t *placement, leat_error *error)
{
    *placement = UINT32_MAX;
    if (a->asset.raw_size == 0) {
        return LEAT_OK;
    }
    *placement = pack_tables_find_placement(&w->tables, a->identity, a->asset.raw_size);
    if (*placement != UINT32_MAX) {
        ++w->stats.duplicate_count;
        w->stats.duplicate_size += a->asset.raw_size;
        return LEAT_OK;
    }
    pack_placement p = { .identity = { a->identity[0], a->identity[1] }, .raw_size = a->asset.raw_size };
    leat_result result = a->chunks == NULL ? place_small(w, a, &p, error) : place_large(w, a, &p, error);
    if (result != LEAT_OK) {
        return result;
    }
    *placement = pack_tables_add_placement(&w->tables, &p);
    return *placement != UINT32_MAX
               ? LEAT_OK
               : error_set(error, LEAT_ERROR_MEMORY, 0, "%s: out of memory for its tables", w->path);
}

static leat_result name_check(const pack_writer *w, const import_asset *asset, leat_error *error)
{
    size_t size = strlen(asset->name);
    if (!pack_name_valid(asset->name, size)) {
        return error_set(error, LEAT_ERROR_ARGUMENT, 0,
                         "cannot be the asset \"%.300s\": names are UTF-8 of at most %u bytes without control "
                         "characters and backslashes; rename it",
                         asset->name, LEAT_PACK_NAME_SIZE_MAX);
    }
    const pack_entry *other = pack_tables_find_name(&w->tables, leat_name_hash(asset->name, size));
    if (other == NULL) {
        return LEAT_OK;
    }
    if (strcmp(other->asset.name, asset->name) == 0) {
        return error_set(error, LEAT_ERROR_ARGUMENT, 0,
                         "is left out, as another source is the asset \"%.300s\" already; rename one", asset->name);
    }
    return error_set(error, LEAT_ERROR_ARGUMENT, 0,
                     "is left out: its name \"%.200s\" has the hash of \"%.200s\"; rename one", asset->name,
                     other->asset.name);
}

leat_result pack_writer_add(pack_writer *w, packed_asset *a, leat_error *error)
{
    uint32_t placement = UINT32_MAX;
    leat_result result = name_check(w, &a->asset, error);
    if (result == LEAT_OK) {
        result = asset_place(w, a, &placement, error);
    }
    if (result == LEAT_OK) {
        ++w->stats.asset_count;
        w->stats.raw_size += a->asset.raw_size;
        pack_entry entry = { .content_hash = a->content_hash, .placement = placement };
        free(a->asset.raw);
        a->asset.raw = NULL;
        entry.asset = a->asset;
        a->asset = (import_asset){ 0 };
        if (!pack_tables_add_entry(&w->tables, &entry)) {
            result = error_set(error, LEAT_ERROR_MEMORY, 0, "%s: out of memory for its tables", w->path);
        }
    }
    packed_asset_free(a);
    return result;
}

/* ---- Opening and finishing ---- */

/* A link stays one, and the pack goes to where it leads, also if there is nothing yet. malloc'ed; NULL: errno says why.
 */
static char *path_resolve(const char *path)
{
    char *at = strdup(path), target[PATH_MAX];
    for (uint32_t n = 0; at != NULL; ++n) {
        ssize_t size = readlink(at, target, sizeof(target));
        if (size < 0) {
            return at; /* no link */
        }
        char *next = NULL;
        const char *slash = target[0] == '/' ? NULL : strrchr(at, '/');
        errno = ELOOP;
        if (n < LINKS_MAX &&
            asprintf(&next, "%.*s%.*s", slash == NULL ? 0 : (int)(slash - at) + 1, at, (int)size, target) < 0) {
            next = NULL;
            errno = ENOMEM;
        }
        free(at);
        at = next;
    }
    return NULL;
}

/* What replaces a pack is as open to others as that was, and belongs to the same, as far as we may say so and the file
 * system knows of it. Who gives a file away may lose the right to change it or to name it: so it first gets the rights
 * that are right for any owner and group, then its name, then its owner, and then what only that group may. */
static mode_t rights_for_any(const struct stat *old)
{
    mode_t others = old->st_mode >> 3 & old->st_mode & S_IRWXO; /* who is of the group now may be one of them then */
    return (old->st_mode & S_IRWXU) | others << 3 | others;
}

static void rights_keep(int fd, const struct stat *old)
{
    struct stat new;
    if (fstat(fd, &new) != 0) {
        return;
    }
    bool kept = (new.st_uid == old->st_uid &&new.st_gid == old->st_gid) || fchown(fd, old->st_uid, old->st_gid) == 0 ||
                fchown(fd, (uid_t)-1, old->st_gid) == 0;
    int ignored = kept && (old->st_mode & 0777) != (new.st_mode & 07777) ? fchmod(fd, old->st_mode & 0777) : 0;
    (void)ignored;
}

/* Gives the file its name and its rights, and puts it into its place. */
static bool file_place(pack_writer *w)
{
    struct stat old;
    int fd = stat(w->path, &old) == 0 ? dup(fileno(w->file.stream)) : -1;
    int ignored = fd >= 0 ? fchmod(fd, rights_for_any(&old)) : 0;
    (void)ignored;
    bool ok = whole_file_end(&w->file);
    int cause = errno;
    if (ok && fd >= 0) {
        rights_keep(fd, &old);
    }
    if (fd >= 0) {
        close(fd);
    }
    errno = cause;
    return ok && whole_file_place(&w->file, true);
}

/* Whether what is there now may go: nothing, an empty file, a pack. Anything else was not meant: a source, where -o has
 * got the wrong argument, exists nowhere else. */
static bool may_replace(const char *path, leat_error *error)
{
    struct stat info;
    char magic[LEAT_PACK_MAGIC_SIZE] = "";
    if (stat(path, &info) != 0) {
        return true;
    }
    if (!S_ISREG(info.st_mode)) {
        error_set(error, LEAT_ERROR_ARGUMENT, 0, "%s: exists and is not a file; name another output", path);
        return false;
    }
    int fd = info.st_size > 0 ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    ssize_t got = fd >= 0 ? pread(fd, magic, sizeof(magic), 0) : 0;
    if (fd >= 0) {
        close(fd);
    }
    if (info.st_size == 0 || (got == (ssize_t)sizeof(magic) && memcmp(magic, LEAT_PACK_MAGIC, sizeof(magic)) == 0)) {
        return true;
    }
    error_set(error, LEAT_ERROR_ARGUMENT, 0,
              "%s: exists and is not a pack (or cannot be read); name another output, or remove it first", path);
    return false;
}

pack_writer *pack_writer_open(const char *path, int level, interrupt *i, leat_error *error)
{
    static const uint8_t room[LEAT_PACK_ALIGNMENT]; /* the header's, filled in at the end */
    struct stat old;
    pack_writer *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        error_set(error, LEAT_ERROR_MEMORY, 0, "%s: out of memory", path);
        return NULL;
    }
    w->level = level;
    w->interrupt = i;
    w->path = path_resolve(path);
    if (w->path == NULL && errno == ELOOP) {
        error_set(error, LEAT_ERROR_ARGUMENT, ELOOP, "%s: is a link that leads back to itself; remove it", path);
        goto failed;
    }
    w->group = malloc(LEAT_PACK_CHUNK_RAW_DEFAULT);
    if (w->path == NULL || w->group == NULL) {
        error_set(error, LEAT_ERROR_MEMORY, 0, "%s: out of memory", path);
        goto failed;
    }
    if (!may_replace(path, error)) {
        goto failed;
    }
    interrupt_hold(i); /* an interrupt finds the file and its name, or neither */
    /* Nobody reads in what is being written who may not read the pack; we do, to see that it is one. */
    mode_t mode = stat(w->path, &old) == 0 ? rights_for_any(&old) | S_IRUSR | S_IWUSR : WHOLE_FILE_MODE;
    bool begun = whole_file_begin(&w->file, AT_FDCWD, w->path, mode, NULL);
    int cause = errno;
    interrupt_file_set(i, w->file.temporary != NULL ? w->file.temporary : "");
    interrupt_release(i);
    if (!begun) {
        errno = cause;
        write_error(w, "made", error);
        goto failed;
    }
    setvbuf(w->file.stream, NULL, _IOFBF, FILE_BUFFER_SIZE);
    if (write_bytes(w, room, sizeof(room), error) != LEAT_OK) {
        goto failed;
    }
    return w;
failed:
    pack_writer_abandon(w);
    return NULL;
}

static leat_result write_index(pack_writer *w, leat_error *error)
{
    leat_result result = write_padding(w, LEAT_PACK_ALIGNMENT, error);
    if (result != LEAT_OK) {
        return result;
    }
    leat_pack_header header;
    uint8_t *index = pack_index_build(&w->tables, w->file_offset, w->raw_offset, &header);
    if (index == NULL) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "%s: its index is too large, or there is no memory for it",
                         w->path);
    }
    result = write_bytes(w, index, header.index_size, error);
    free(index);
    if (result != LEAT_OK) {
        return result;
    }
    FILE *stream = w->file.stream;
    if (fflush(stream) != 0 || pwrite(fileno(stream), &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
        fsync(fileno(stream)) != 0) {
        return write_error(w, "written", error);
    }
    w->stats.file_size = header.file_size;
    w->stats.chunk_count = w->tables.chunk_count;
    return LEAT_OK;
}

/* What was written must be what a reader takes: better no pack than a bad one. */
static leat_result reopen(const pack_writer *w, leat_error *error)
{
    pack_file file;
    leat_error why = { 0 };
    char through[FD_PATH_SIZE];
    snprintf(through, sizeof(through), "/proc/self/fd/%d", fileno(w->file.stream));
    leat_result result = pack_file_open(w->file.temporary != NULL ? w->file.temporary : through, &file, &why);
    if (result != LEAT_OK) {
        return error_set(error, result, why.os_error, "%.300s: what was written cannot be read back: %s", w->path,
                         why.text);
    }
    pack_file_close(&file);
    return LEAT_OK;
}

static leat_result folder_sync(const pack_writer *w, leat_error *error)
{
    char *copy = strdup(w->path);
    int fd = copy == NULL ? -1 : open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* EINVAL: a file system that does not sync folders has done what it can */
    bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
    leat_result result = ok ? LEAT_OK : write_error(w, "made lasting (its folder cannot be synced)", error);
    if (fd >= 0) {
        close(fd);
    }
    free(copy);
    return result;
}

leat_result pack_writer_finish(pack_writer *w, pack_writer_stats *stats, leat_error *error)
{
    leat_result result = group_flush(w, error);
    if (result == LEAT_OK) {
        result = write_index(w, error);
    }
    if (result == LEAT_OK) {
        result = reopen(w, error);
    }
    if (result != LEAT_OK) {
        return result;
    }
    interrupt_hold(w->interrupt);
    if (!file_place(w)) {
        result = write_error(w, "put in its place", error);
    } else {
        interrupt_written_set(w->interrupt);
        result = folder_sync(w, error);
    }
    interrupt_release(w->interrupt);
    *stats = w->stats;
    return result;
}

void pack_writer_abandon(pack_writer *w)
{
    if (w == NULL) {
        return;
    }
    interrupt_hold(w->interrupt);
    whole_file_abandon(&w->file);
    interrupt_file_set(w->interrupt, "");
    interrupt_release(w->interrupt);
    pack_tables_free(&w->tables);
    free(w->group);
    free(w->path);
    free(w);
}
