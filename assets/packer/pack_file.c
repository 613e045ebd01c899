/* pack_file.c - see pack_file.h. */
#include "pack_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const pack_limits tool_limits = { .index_bytes_max = MIB(4096), .asset_bytes_max = UINT64_MAX };

static leat_result read_at(const pack_file *file, void *bytes, uint64_t size, uint64_t offset, leat_error *error)
{
    for (uint64_t done = 0; done < size;) {
        ssize_t got = pread(file->fd, (uint8_t *)bytes + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return error_set(error, LEAT_ERROR_OS, errno, "%s: cannot be read at offset %llu: %s", file->path,
                             (unsigned long long)(offset + done), strerror(errno));
        }
        if (got == 0) {
            return error_set(error, LEAT_ERROR_TRUNCATED, 0, "%s: ends at offset %llu, before its data does",
                             file->path, (unsigned long long)(offset + done));
        }
        done += (uint64_t)got;
    }
    return LEAT_OK;
}

static leat_result open_descriptor(pack_file *file, leat_error *error)
{
    struct stat info;
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0 || fstat(file->fd, &info) != 0) {
        return error_set(error, errno == ENOENT ? LEAT_ERROR_NOT_FOUND : LEAT_ERROR_OS, errno,
                         "%s: cannot be opened: %s", file->path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return error_set(error, LEAT_ERROR_FORMAT, 0, "%s: is not a Leat pack (it is not a regular file)", file->path);
    }
    file->file_size = (uint64_t)info.st_size;
    if (file->file_size < sizeof(file->header)) {
        return error_set(error, LEAT_ERROR_FORMAT, 0, "%s: is not a Leat pack (it has %llu bytes)", file->path,
                         (unsigned long long)file->file_size);
    }
    return LEAT_OK;
}

static leat_result open_index(pack_file *file, leat_error *error)
{
    leat_result result = read_at(file, &file->header, sizeof(file->header), 0, error);
    if (result == LEAT_OK) {
        result = pack_header_check(&file->header, file->file_size, &tool_limits, file->path, error);
    }
    if (result != LEAT_OK) {
        return result;
    }
    file->index_bytes = malloc(u64_max(file->header.index_size, 8)); /* malloc aligns to 16 */
    if (file->index_bytes == NULL) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "%s: no memory for its index of %llu bytes", file->path,
                         (unsigned long long)file->header.index_size);
    }
    result = read_at(file, file->index_bytes, file->header.index_size, file->header.index_offset, error);
    if (result != LEAT_OK) {
        return result;
    }
    return pack_index_check(&file->header, file->index_bytes, &tool_limits, NULL, &file->index, file->path, error);
}

leat_result pack_file_open(const char *path, pack_file *file, leat_error *error)
{
    *file = (pack_file){ .fd = -1, .path = strdup(path) };
    if (file->path == NULL) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "%s: out of memory", path);
    }
    leat_result result = open_descriptor(file, error);
    if (result == LEAT_OK) {
        result = open_index(file, error);
    }
    if (result != LEAT_OK) {
        pack_file_close(file);
    }
    return result;
}

void pack_file_close(pack_file *file)
{
    if (file->fd >= 0) {
        close(file->fd);
    }
    free(file->index_bytes);
    free(file->path);
    *file = (pack_file){ .fd = -1 };
}

leat_result pack_file_chunk(const pack_file *file, uint32_t chunk, void *raw, leat_error *error)
{
    const leat_pack_chunk_record *k = &file->index.chunks[chunk];
    uint8_t *packed = malloc(k->packed_size);
    if (packed == NULL) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "%s: out of memory for a chunk", file->path);
    }
    leat_result result = read_at(file, packed, k->packed_size, k->file_offset, error);
    if (result == LEAT_OK && pack_chunk_decode(k, packed, raw) != LEAT_OK) {
        result = error_set(error, LEAT_ERROR_DAMAGED, 0, "%s: chunk %u (offset %llu, %u bytes) is damaged", file->path,
                           chunk, (unsigned long long)k->file_offset, k->packed_size);
    }
    free(packed);
    return result;
}

/* The part of chunk `chunk` that the asset has, copied to where it belongs. */
static leat_result chunk_part(const pack_file *file, const leat_pack_asset_record *asset, uint32_t chunk,
                              pack_file_room *room, uint8_t *bytes, leat_error *error)
{
    const leat_pack_chunk_record *k = &file->index.chunks[chunk];
    if (!room->filled || room->chunk != chunk) {
        room->filled = false;
        leat_result result = pack_file_chunk(file, chunk, room->raw, error);
        if (result != LEAT_OK) {
            return result;
        }
        room->filled = true;
        room->chunk = chunk;
    }
    uint64_t begin = u64_max(k->raw_offset, asset->raw_offset);
    uint64_t end = u64_min(k->raw_offset + k->raw_size, asset->raw_offset + asset->raw_size);
    memcpy(bytes + (begin - asset->raw_offset), room->raw + (begin - k->raw_offset), end - begin);
    return LEAT_OK;
}

uint8_t *pack_file_asset(const pack_file *file, const leat_pack_asset_record *asset, pack_file_room *room,
                         leat_error *error)
{
    uint8_t *bytes = malloc(u64_max(asset->raw_size, 1));
    room->raw = room->raw != NULL ? room->raw : malloc(LEAT_PACK_CHUNK_RAW_MAX);
    leat_result result = LEAT_OK;
    if (bytes == NULL || room->raw == NULL) {
        result = error_set(error, LEAT_ERROR_MEMORY, 0, "%s: out of memory for an asset of %llu bytes", file->path,
                           (unsigned long long)asset->raw_size);
    }
    uint64_t end = asset->raw_offset + asset->raw_size;
    for (uint32_t chunk = asset->chunk_first; result == LEAT_OK && asset->raw_size > 0; ++chunk) {
        if (chunk >= file->index.chunk_count || file->index.chunks[chunk].raw_offset >= end) {
            break;
        }
        result = chunk_part(file, asset, chunk, room, bytes, error);
    }
    if (result != LEAT_OK) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

void pack_file_room_free(pack_file_room *room)
{
    free(room->raw);
    *room = (pack_file_room){ 0 };
}

int pack_file_compare_names(const pack_file *f, const leat_pack_asset_record *a, const pack_file *g,
                            const leat_pack_asset_record *b)
{
    int order = memcmp(pack_file_name(f, a), pack_file_name(g, b), u32_min(a->name_size, b->name_size));
    return order != 0 ? order : (int)a->name_size - (int)b->name_size;
}

static int position_compare(const void *a, const void *b, void *user)
{
    const pack_file *file = user;
    const uint32_t *x = a, *y = b;
    return pack_file_compare_names(file, &file->index.assets[*x], file, &file->index.assets[*y]);
}

uint32_t *pack_file_by_name(const pack_file *file)
{
    uint32_t *positions = malloc(((size_t)file->index.asset_count + 1) * sizeof(*positions));
    for (uint32_t i = 0; positions != NULL && i < file->index.asset_count; ++i) {
        positions[i] = i;
    }
    if (positions != NULL) {
        qsort_r(positions, file->index.asset_count, sizeof(*positions), position_compare, (void *)(uintptr_t)file);
    }
    return positions;
}
