/* pack_chunks.c - see pack_chunks.h.
 *
 * A level (mip, LOD) above the tail begins a new chunk, so that reading "mip k and everything smaller" reads little
 * else; a level is cut into pieces of LEAT_PACK_CHUNK_RAW_DEFAULT. Zeros fill the last chunk of an asset up to
 * LEAT_PACK_RAW_ALIGNMENT, where the next asset begins. */
#include "pack_chunks.h"
#include "base.h"

#include <lz4.h>
#include <lz4frame.h>
#include <lz4hc.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SAVING_MIN_PERCENT 5u
#define FRAME_WORD_SIZE 4u /* before the block: its size; little-endian */
#define FRAME_BLOCK_SIZE_MAX (4u << 20)
#define FRAME_BLOCK_STORED (1u << 31) /* in that word */

/* These three: into chunk->packed, which has room for `room` bytes. chunk->packed_size 0: LZ4 makes it no smaller.
 * False: out of memory. */
static bool compress_for_size(const uint8_t *raw, uint32_t raw_size, int level, size_t room, packed_chunk *chunk)
{
    int size =
        LZ4_compress_HC((const char *)raw, (char *)chunk->packed, (int)raw_size, (int)u64_min(room, INT32_MAX), level);
    chunk->packed_size = (uint32_t)size;
    return size > 0; /* there is always room */
}

/* As an LZ4 frame of one block, from which the block is taken: only so does liblz4 offer sequences that are few and
 * easy to copy. */
static bool compress_for_speed(const uint8_t *raw, uint32_t raw_size, int level, size_t room, packed_chunk *chunk)
{
    LZ4F_preferences_t how = { .frameInfo = { .blockSizeID = LZ4F_max4MB, .blockMode = LZ4F_blockIndependent },
                               .compressionLevel = level,
                               .favorDecSpeed = 1 };
    ASSERT(raw_size <= FRAME_BLOCK_SIZE_MAX);
    size_t frame_size = LZ4F_compressFrame(chunk->packed, room, raw, raw_size, &how);
    if (LZ4F_isError(frame_size)) {
        return false;
    }
    const uint8_t *word = chunk->packed + LZ4F_headerSize(chunk->packed, frame_size);
    uint32_t size = word[0] | (uint32_t)word[1] << 8 | (uint32_t)word[2] << 16 | (uint32_t)word[3] << 24;
    chunk->packed_size = (size & FRAME_BLOCK_STORED) != 0 ? 0 : size;
    memmove(chunk->packed, word + FRAME_WORD_SIZE, chunk->packed_size);
    return true;
}

static bool compress(const uint8_t *raw, uint32_t raw_size, int level, size_t room, packed_chunk *chunk)
{
    return level < PACK_LEVEL_FOR_SPEED ? compress_for_size(raw, raw_size, level, room, chunk)
                                        : compress_for_speed(raw, raw_size, level, room, chunk);
}

bool packed_chunk_make(const uint8_t *raw, uint32_t raw_size, int level, packed_chunk *chunk)
{
    size_t room = u64_max((uint64_t)LZ4_compressBound((int)raw_size), LZ4F_compressFrameBound(raw_size, NULL));
    *chunk = (packed_chunk){ .packed = malloc(room), .raw_size = raw_size, .codec = LEAT_PACK_CODEC_LZ4 };
    if (chunk->packed == NULL || !compress(raw, raw_size, level, room, chunk)) {
        free(chunk->packed);
        *chunk = (packed_chunk){ 0 };
        return false;
    }
    bool worth = (uint64_t)chunk->packed_size * 100 <= (uint64_t)raw_size * (100 - SAVING_MIN_PERCENT);
    if (chunk->packed_size == 0 || !worth) {
        memcpy(chunk->packed, raw, raw_size);
        chunk->packed_size = raw_size;
        chunk->codec = LEAT_PACK_CODEC_STORED;
    }
    uint8_t *fitted = realloc(chunk->packed, chunk->packed_size); /* results wait in memory for their turn */
    chunk->packed = fitted != NULL ? fitted : chunk->packed;
    chunk->hash = XXH3_64bits(chunk->packed, chunk->packed_size);
    return true;
}

/* Where the piece that begins at `at` ends. padded_size: of the asset, filled up. */
static uint64_t piece_end(const import_asset *asset, uint64_t padded_size, uint64_t at)
{
    uint64_t end = padded_size;
    for (uint32_t i = 0; i < asset->cut_count; ++i) {
        uint64_t cut = asset->cuts[i];
        if (cut <= at || cut >= asset->raw_size) {
            continue;
        }
        end = cut;
        if (at != 0 || i + 1 >= asset->cut_count || asset->cuts[i + 1] > PACK_TAIL_RAW_MAX) {
            break;
        }
    }
    return u64_min(end, at + LEAT_PACK_CHUNK_RAW_DEFAULT);
}

static bool cut_and_pack(packed_asset *out, int level)
{
    import_asset *asset = &out->asset;
    uint64_t padded_size = align_up(asset->raw_size, LEAT_PACK_RAW_ALIGNMENT);
    uint8_t *padded = realloc(asset->raw, padded_size);
    if (padded == NULL) {
        return false;
    }
    asset->raw = padded;
    memset(padded + asset->raw_size, 0, padded_size - asset->raw_size);
    uint64_t count_max = padded_size / LEAT_PACK_CHUNK_RAW_DEFAULT + asset->cut_count + 2;
    out->chunks = calloc(count_max, sizeof(*out->chunks));
    for (uint64_t at = 0; out->chunks != NULL && at < padded_size;) {
        uint64_t end = piece_end(asset, padded_size, at);
        ASSERT(out->chunk_count < count_max);
        if (!packed_chunk_make(padded + at, (uint32_t)(end - at), level, &out->chunks[out->chunk_count])) {
            return false;
        }
        ++out->chunk_count;
        at = end;
    }
    free(asset->raw);
    asset->raw = NULL;
    return out->chunks != NULL;
}

bool packed_asset_make(import_asset *asset, int level, packed_asset *out)
{
    *out = (packed_asset){ .asset = *asset };
    *asset = (import_asset){ 0 };
    XXH128_hash_t identity = XXH3_128bits(out->asset.raw, out->asset.raw_size);
    out->identity[0] = identity.low64;
    out->identity[1] = identity.high64;
    out->content_hash = XXH3_64bits(out->asset.raw, out->asset.raw_size);
    if (out->asset.raw_size >= PACK_TAIL_RAW_MAX && !cut_and_pack(out, level)) {
        packed_asset_free(out);
        return false;
    }
    return true;
}

void packed_asset_free(packed_asset *asset)
{
    for (uint32_t i = 0; i < asset->chunk_count; ++i) {
        free(asset->chunks[i].packed);
    }
    free(asset->chunks);
    import_asset_free(&asset->asset);
    *asset = (packed_asset){ 0 };
}
