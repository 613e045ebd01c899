/* loose.c - see loose.h. */
#include "loose.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define LOOSE_CHUNK_COUNT_MAX (1u << 30)

bool loose_same(const loose_stamp *a, const loose_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size && a->changed_ns == b->changed_ns;
}

uint64_t loose_hash(const loose_stamp *stamp)
{
    return XXH3_64bits(stamp, sizeof(*stamp)); /* four words, no padding */
}
_Static_assert(sizeof(loose_stamp) == 32, "no padding in what is hashed");

static int by_hash(const void *a, const void *b)
{
    uint64_t x = ((const loose_file *)a)->name_hash, y = ((const loose_file *)b)->name_hash;
    return x < y ? -1 : x > y;
}

uint32_t loose_sort(loose_file *files, uint32_t count)
{
    if (count == 0) {
        return 0;
    }
    qsort(files, count, sizeof(*files), by_hash);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < count; ++i) {
        if (files[i].name_hash != files[kept - 1].name_hash) {
            files[kept++] = files[i];
        }
    }
    return kept;
}

static uint64_t pieces(uint64_t size)
{
    return (size + LOOSE_CHUNK_SIZE - 1) / LOOSE_CHUNK_SIZE;
}

static uint64_t raw_size_of(const loose_file *file)
{
    const dds *d = &file->texels;
    return file->texture ? pack_mips_size(d->format, d->width, d->height, d->layer_count, d->mip_count)
                         : file->stamp.size;
}

static uint64_t chunk_count_of(const loose_file *file)
{
    const dds *d = &file->texels;
    if (!file->texture) {
        return pieces(file->stamp.size);
    }
    uint64_t count = 0;
    for (uint32_t mip = 0; mip < d->mip_count; ++mip) {
        count += d->layer_count * pieces(pack_mip_size(d->format, d->width, d->height, 1, mip));
    }
    return count;
}

typedef struct builder {
    leat_pack_asset_record *assets;
    leat_pack_chunk_record *chunks;
    uint8_t *metadata;
    uint32_t asset_count, chunk_count;
    uint64_t metadata_size, raw_size;
} builder;

/* `size` bytes at `offset` of the file are the next of the raw space. */
static void add_run(builder *b, uint64_t offset, uint64_t size)
{
    while (size > 0) {
        uint32_t one = (uint32_t)u64_min(size, LOOSE_CHUNK_SIZE);
        b->chunks[b->chunk_count++] = (leat_pack_chunk_record){ .file_offset = offset,
                                                                .raw_offset = b->raw_size,
                                                                .packed_size = one,
                                                                .raw_size = one,
                                                                .codec = LEAT_PACK_CODEC_STORED,
                                                                .flags = PACK_CHUNK_LOOSE,
                                                                .parameter = b->asset_count };
        offset += one;
        size -= one;
        b->raw_size += one;
    }
}

/* As the packer guesses: formats that are chosen for their alpha. */
static bool has_alpha(uint32_t format)
{
    return format == LEAT_FORMAT_BC2_SRGB || format == LEAT_FORMAT_BC3_SRGB || format == LEAT_FORMAT_BC7_SRGB ||
           format == LEAT_FORMAT_RGBA8_SRGB;
}

static void add_texture(builder *b, const dds *d, leat_pack_asset_record *asset)
{
    asset->type = LEAT_ASSET_TEXTURE;
    asset->metadata_offset = (uint32_t)b->metadata_size;
    asset->metadata_size = sizeof(leat_pack_texture_metadata);
    leat_pack_texture_metadata metadata = { .width = d->width,
                                            .height = d->height,
                                            .mip_count = (uint16_t)d->mip_count,
                                            .layer_count = (uint16_t)d->layer_count,
                                            .format = d->format,
                                            .flags = (d->cube ? LEAT_TEXTURE_CUBE : 0u) |
                                                     (has_alpha(d->format) ? LEAT_TEXTURE_ALPHA : 0u) };
    memcpy(b->metadata + b->metadata_size, &metadata, sizeof(metadata));
    b->metadata_size += sizeof(metadata);
    for (uint32_t mip = d->mip_count; mip-- > 0;) {
        uint64_t size = pack_mip_size(d->format, d->width, d->height, 1, mip);
        for (uint32_t layer = 0; layer < d->layer_count; ++layer) {
            add_run(b, d->data + dds_level_offset(d, layer, mip), size);
        }
    }
}

static void add_file(builder *b, const loose_file *file)
{
    leat_pack_asset_record *asset = &b->assets[b->asset_count];
    *asset = (leat_pack_asset_record){ .name_hash = file->name_hash,
                                       .content_hash = loose_hash(&file->stamp),
                                       .raw_size = raw_size_of(file),
                                       .name_offset = file->name_offset,
                                       .name_size = (uint16_t)file->name_size,
                                       .type = LEAT_ASSET_BLOB };
    if (asset->raw_size > 0) {
        asset->raw_offset = b->raw_size;
        asset->chunk_first = b->chunk_count;
    }
    if (file->texture) {
        add_texture(b, &file->texels, asset);
    } else {
        add_run(b, 0, file->stamp.size);
    }
    ++b->asset_count;
}

leat_result loose_build(memory *m, const loose_file *files, uint32_t count, const char *names, uint64_t names_size,
                        uint64_t bytes_max, pack_index *index, loose_tables *tables)
{
    *index = (pack_index){ 0 };
    *tables = (loose_tables){ 0 };
    uint64_t chunk_count = 0;
    for (uint32_t i = 0; i < count; ++i) {
        chunk_count += chunk_count_of(&files[i]); /* < 2^52 each: sizes fit an off_t */
        tables->file_bytes += files[i].stamp.size;
        if (chunk_count > LOOSE_CHUNK_COUNT_MAX) {
            return LEAT_ERROR_LIMIT;
        }
    }
    uint64_t assets_size = (uint64_t)count * sizeof(leat_pack_asset_record);
    uint64_t metadata_size = (uint64_t)count * sizeof(leat_pack_texture_metadata); /* were all of them textures */
    uint64_t chunks_size = chunk_count * sizeof(leat_pack_chunk_record);
    tables->block_size = assets_size + metadata_size + chunks_size + CACHE_LINE_SIZE; /* never nothing */
    if (tables->block_size > bytes_max) {
        return LEAT_ERROR_LIMIT;
    }
    tables->block = memory_allocate(m, tables->block_size, 1, CACHE_LINE_SIZE);
    if (tables->block == NULL) {
        return LEAT_ERROR_MEMORY;
    }
    uint8_t *at = tables->block;
    builder b = { .assets = (void *)at,
                  .metadata = at + assets_size,
                  .chunks = (void *)(at + assets_size + metadata_size) };
    uint64_t hash = 0;
    for (uint32_t i = 0; i < count; ++i) {
        add_file(&b, &files[i]);
        hash = XXH3_64bits_withSeed(&b.assets[i].content_hash, sizeof(uint64_t), hash);
    }
    ASSERT(b.chunk_count == chunk_count);
    tables->content_hash = hash;
    *index = (pack_index){ .assets = b.assets,
                           .chunks = b.chunks,
                           .names = names,
                           .metadata = b.metadata,
                           .asset_count = count,
                           .chunk_count = b.chunk_count,
                           .names_size = names_size,
                           .metadata_size = b.metadata_size,
                           .raw_size = b.raw_size,
                           .loose = true };
    return LEAT_OK;
}

void loose_free(memory *m, loose_tables *tables)
{
    memory_free(m, tables->block, tables->block_size, 1);
    *tables = (loose_tables){ 0 };
}
