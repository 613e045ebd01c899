/* pack_walk.c - see pack_walk.h. */
#include "pack_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALK_RAW_MAX MIB(64) /* a pack of few bytes may hold many: what a walk decodes */

static uint8_t sum_of(const void *bytes, uint64_t size)
{
    uint8_t sum = 0;
    for (uint64_t i = 0; i < size; ++i) {
        sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
    }
    return sum;
}

static const char *walk_chunks(const pack_index *index, const leat_pack_header *header)
{
    uint64_t raw = 0, file = sizeof(*header);
    for (uint32_t i = 0; i < index->chunk_count; ++i) {
        const leat_pack_chunk_record *k = &index->chunks[i];
        if (k->raw_offset != raw || k->raw_size == 0 || k->raw_size > LEAT_PACK_CHUNK_RAW_MAX) {
            return "chunks do not tile the raw space";
        }
        if (k->file_offset < file || k->packed_size == 0 || k->packed_size > LEAT_PACK_CHUNK_RAW_MAX ||
            k->file_offset > header->index_offset || k->packed_size > header->index_offset - k->file_offset) {
            return "a chunk lies outside of the chunks' part of the file";
        }
        if (pack_index_chunk_at(index, raw) != i || pack_index_chunk_at(index, raw + k->raw_size - 1) != i) {
            return "a chunk is not found by its offset";
        }
        raw += k->raw_size;
        file = k->file_offset + k->packed_size;
    }
    return raw == index->raw_size ? NULL : "chunks do not fill the raw space";
}

static const char *walk_texture(const leat_pack_texture_metadata *m, uint64_t raw_size)
{
    uint64_t sum = 0;
    for (uint32_t mip = 0; mip < m->mip_count; ++mip) {
        uint64_t size = pack_mip_size(m->format, m->width, m->height, m->layer_count, mip);
        if (size == 0 || size > raw_size - sum) {
            return "a mip lies outside of its texture";
        }
        sum += size;
    }
    return sum == raw_size ? NULL : "mips do not fill their texture";
}

static const char *walk_mesh(const leat_pack_mesh_metadata *m, uint64_t raw_size)
{
    const leat_pack_lod_record *lods = (const void *)(m + 1);
    const leat_pack_submesh_record *submeshes = (const void *)(lods + m->lod_count);
    for (uint32_t i = 0; i < m->lod_count; ++i) {
        const leat_pack_lod_record *l = &lods[i];
        uint64_t bytes = (uint64_t)l->vertex_count * m->vertex_stride + (uint64_t)l->index_count * m->index_size;
        if (l->raw_offset > raw_size || l->raw_size > raw_size - l->raw_offset || bytes > l->raw_size ||
            l->vertex_first > UINT32_MAX - l->vertex_count || l->index_first > UINT32_MAX - l->index_count) {
            return "a LOD lies outside of its mesh";
        }
        for (uint32_t k = 0; k < m->submesh_count; ++k) {
            const leat_pack_submesh_record *s = &submeshes[(uint64_t)i * m->submesh_count + k];
            if (s->index_first > l->index_count || s->index_count > l->index_count - s->index_first) {
                return "a submesh lies outside of its LOD";
            }
        }
    }
    return NULL;
}

static const char *walk_asset(const pack_index *index, uint32_t i)
{
    const leat_pack_asset_record *a = &index->assets[i];
    if (pack_index_find(index, a->name_hash) != i) {
        return "an asset is not found by its name";
    }
    if ((uint64_t)a->name_offset + a->name_size > index->names_size ||
        (uint64_t)a->metadata_offset + a->metadata_size > index->metadata_size ||
        (uint64_t)a->reference_first + a->reference_count > index->reference_count) {
        return "an asset's records lie outside of their sections";
    }
    sum_of(index->names + a->name_offset, a->name_size);
    sum_of(index->metadata + a->metadata_offset, a->metadata_size);
    if (a->raw_size > 0 && (a->raw_size > index->raw_size || a->raw_offset > index->raw_size - a->raw_size ||
                            pack_index_chunk_at(index, a->raw_offset) != a->chunk_first)) {
        return "an asset lies outside of the raw space";
    }
    const void *metadata = index->metadata + a->metadata_offset;
    return a->type == LEAT_ASSET_TEXTURE ? walk_texture(metadata, a->raw_size)
           : a->type == LEAT_ASSET_MESH  ? walk_mesh(metadata, a->raw_size)
                                         : NULL;
}

const char *pack_walk(const pack_index *index, const leat_pack_header *header)
{
    const char *broken = walk_chunks(index, header);
    for (uint32_t i = 0; i < index->asset_count && broken == NULL; ++i) {
        broken = walk_asset(index, i);
    }
    return broken;
}

static leat_result decode_all(const uint8_t *bytes, const pack_index *index, uint8_t **raw, leat_error *error)
{
    if (index->raw_size == 0 || index->raw_size > WALK_RAW_MAX) {
        return LEAT_OK;
    }
    *raw = malloc(index->raw_size);
    for (uint32_t i = 0; i < index->chunk_count && *raw != NULL; ++i) {
        const leat_pack_chunk_record *k = &index->chunks[i];
        if (pack_chunk_decode(k, bytes + k->file_offset, *raw + k->raw_offset) != LEAT_OK) {
            free(*raw);
            *raw = NULL;
            return error_set(error, LEAT_ERROR_DAMAGED, 0, "chunk %u is damaged", i);
        }
    }
    return LEAT_OK;
}

leat_result pack_walk_all(const uint8_t *bytes, uint64_t size, const pack_limits *limits, pack_index *index,
                          uint8_t **index_bytes, uint8_t **raw, leat_error *error)
{
    const pack_limits defaults = { .index_bytes_max = MIB(1024), .asset_bytes_max = MIB(4096) };
    limits = limits != NULL ? limits : &defaults;
    *index_bytes = *raw = NULL;
    *index = (pack_index){ 0 };
    leat_pack_header header;
    if (size < sizeof(header)) {
        return error_set(error, LEAT_ERROR_FORMAT, 0, "is not a Leat pack");
    }
    memcpy(&header, bytes, sizeof(header));
    leat_result result = pack_header_check(&header, size, limits, "pack", error);
    if (result != LEAT_OK) {
        return result;
    }
    *index_bytes = malloc(u64_max(header.index_size, 1)); /* of its very size, so that sanitizers see the end */
    memcpy(*index_bytes, bytes + header.index_offset, header.index_size);
    uint64_t asset_count = header.sections[LEAT_PACK_SECTION_ASSETS].size / sizeof(leat_pack_asset_record);
    uint32_t *directory = malloc(pack_directory_size(asset_count) * sizeof(*directory));
    result = pack_index_check(&header, *index_bytes, limits, directory, index, "pack", error);
    const char *broken = NULL;
    for (uint32_t pass = 0; pass < 2 && result == LEAT_OK && broken == NULL; ++pass) {
        broken = pack_walk(index, &header);
        index->directory = NULL; /* the second time by binary search */
    }
    free(directory);
    if (broken != NULL) {
        fprintf(stderr, "an index was accepted, but %s\n", broken);
        abort();
    }
    return result == LEAT_OK ? decode_all(bytes, index, raw, error) : result;
}
