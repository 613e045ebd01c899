/* test_pack.c - see test_pack.h. */
#include "test_pack.h"

#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define CHUNK_RAW_DEFAULT (64u << 10)

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
}

static void *need(size_t size)
{
    void *block = calloc(1, size == 0 ? 1 : size);
    if (block == NULL) {
        abort();
    }
    return block;
}

/* Bytes that LZ4 halves, about: runs of a random byte. */
static void fill(uint8_t *at, uint64_t size, uint64_t *random)
{
    for (uint64_t i = 0; i < size;) {
        uint64_t value = next_random(random);
        uint64_t run = 1 + (value >> 8) % 24;
        for (; run > 0 && i < size; --run) {
            at[i++] = (uint8_t)value;
        }
    }
}

static uint64_t mips_size(uint32_t edge, uint32_t mip_count)
{
    uint64_t size = 0;
    for (uint32_t mip = 0; mip < mip_count; ++mip) {
        uint64_t e = u32_max(edge >> mip, 1);
        size += e * e * 4;
    }
    return size;
}

#define MESH_LOD_COUNT 3u

typedef struct mesh_metadata {
    leat_pack_mesh_metadata mesh;
    leat_pack_lod_record lods[MESH_LOD_COUNT];
    leat_pack_submesh_record submeshes[MESH_LOD_COUNT];
} mesh_metadata;

typedef struct draft {
    leat_pack_asset_record record;
    union {
        leat_pack_texture_metadata texture;
        mesh_metadata mesh;
    } meta;
    char name[32];
} draft;

static int by_hash(const void *a, const void *b)
{
    uint64_t x = ((const draft *)a)->record.name_hash, y = ((const draft *)b)->record.name_hash;
    return x < y ? -1 : x > y;
}

/* Returns its size. */
static uint64_t make_texture(const test_pack_desc *desc, draft *d, uint32_t i)
{
    uint32_t edge_log2_max = desc->texture_edge_log2_max == 0 ? 8 : desc->texture_edge_log2_max;
    uint32_t edge_log2 = 4 + i % (edge_log2_max - 3);
    d->meta.texture = (leat_pack_texture_metadata){ .width = 1u << edge_log2,
                                                    .height = 1u << edge_log2,
                                                    .layer_count = 1,
                                                    .mip_count = (uint16_t)(edge_log2 + 1),
                                                    .format = LEAT_FORMAT_RGBA8_UNORM };
    d->record.type = LEAT_ASSET_TEXTURE;
    d->record.metadata_size = sizeof(d->meta.texture);
    return mips_size(1u << edge_log2, edge_log2 + 1);
}

/* Each LOD has some more vertices and triangles than the coarser one before it. */
static uint64_t make_mesh(draft *d, uint32_t i)
{
    mesh_metadata *m = &d->meta.mesh;
    m->mesh = (leat_pack_mesh_metadata){
        .lod_count = MESH_LOD_COUNT, .submesh_count = 1, .vertex_stride = sizeof(leat_vertex), .index_size = 2
    };
    uint32_t vertices = 0, indices = 0;
    uint64_t size = 0;
    for (uint32_t lod = MESH_LOD_COUNT; lod-- > 0;) {
        uint32_t vertex_count = (4 + i % 5) << (MESH_LOD_COUNT - lod), index_count = 3 * vertex_count;
        m->lods[lod] = (leat_pack_lod_record){
            .vertex_first = vertices,
            .vertex_count = vertex_count,
            .index_first = indices,
            .index_count = index_count,
            .raw_offset = size,
            .raw_size = align_up(vertex_count * m->mesh.vertex_stride + index_count * m->mesh.index_size, 4)
        };
        m->submeshes[lod].index_count = index_count;
        vertices += vertex_count;
        indices += index_count;
        size += m->lods[lod].raw_size;
    }
    d->record.type = LEAT_ASSET_MESH;
    d->record.metadata_size = sizeof(*m);
    return size;
}

static void make_assets(const test_pack_desc *desc, test_pack *pack, draft *drafts)
{
    uint64_t random = desc->seed;
    uint32_t edge_log2_max = desc->texture_edge_log2_max == 0 ? 8 : desc->texture_edge_log2_max;
    uint32_t size_max = u32_max(desc->size_max, desc->textures ? (4u << 2 * edge_log2_max) * 2 : 0);
    size_max = u32_max(size_max, desc->meshes ? 8u << 10 : 0);
    uint64_t room = (uint64_t)desc->asset_count * (size_max + 16u) + 16;
    pack->raw = need(room);
    for (uint32_t i = 0; i < desc->asset_count; ++i) {
        draft *d = &drafts[i];
        snprintf(d->name, sizeof(d->name), "folder%u/asset_%u", i % 7, i);
        uint64_t size = desc->size_min + next_random(&random) % (desc->size_max - desc->size_min + 1);
        if (desc->textures && i % 2 == 0) {
            size = make_texture(desc, d, i);
        } else if (desc->meshes && i % 4 == 1) {
            size = make_mesh(d, i);
        }
        d->record.name_hash = leat_name_hash(d->name, strlen(d->name));
        d->record.raw_size = size;
        d->record.raw_offset = size == 0 ? 0 : pack->raw_size;
        fill(pack->raw + pack->raw_size, size, &random);
        if (desc->variant != 0 && i % desc->variant_every == 0) {
            uint64_t other = desc->variant * 1000003 + i;
            fill(pack->raw + pack->raw_size, size, &other);
        }
        d->record.content_hash = XXH3_64bits(pack->raw + d->record.raw_offset, size);
        pack->raw_size = align_up(pack->raw_size + size, LEAT_PACK_RAW_ALIGNMENT);
    }
}

/* Cuts the raw space at fixed places and packs the chunks behind the header. Returns the end. */
static uint64_t make_chunks(const test_pack_desc *desc, test_pack *pack)
{
    uint32_t cut = desc->chunk_raw_size == 0 ? CHUNK_RAW_DEFAULT : desc->chunk_raw_size;
    pack->chunk_count = (uint32_t)((pack->raw_size + cut - 1) / cut);
    pack->chunks = need(pack->chunk_count * sizeof(*pack->chunks));
    uint64_t at = sizeof(leat_pack_header);
    for (uint32_t i = 0; i < pack->chunk_count; ++i) {
        leat_pack_chunk_record *c = &pack->chunks[i];
        c->raw_offset = (uint64_t)i * cut;
        c->raw_size = (uint32_t)u64_min(cut, pack->raw_size - c->raw_offset);
        const char *raw = (const char *)pack->raw + c->raw_offset;
        bool stored = desc->stored_every != 0 && i % desc->stored_every == 0;
        int packed = stored ? 0
                            : LZ4_compress_default(raw, (char *)pack->bytes + at, (int)c->raw_size,
                                                   LZ4_compressBound((int)c->raw_size));
        if (packed <= 0 || (uint32_t)packed >= c->raw_size) {
            at = align_up(at, stored ? LEAT_PACK_ALIGNMENT : LEAT_PACK_CHUNK_ALIGNMENT);
            memcpy(pack->bytes + at, raw, c->raw_size);
            packed = (int)c->raw_size;
            c->codec = LEAT_PACK_CODEC_STORED;
        } else {
            c->codec = LEAT_PACK_CODEC_LZ4;
        }
        c->file_offset = at;
        c->packed_size = (uint32_t)packed;
        c->hash = XXH3_64bits(pack->bytes + at, (size_t)packed);
        at = align_up(at + (uint32_t)packed, LEAT_PACK_CHUNK_ALIGNMENT);
    }
    return align_up(at, LEAT_PACK_ALIGNMENT);
}

static void make_index(test_pack *pack, draft *drafts, uint32_t cut, uint64_t index_offset)
{
    leat_pack_header *header = (leat_pack_header *)(void *)pack->bytes;
    memcpy(header->magic, LEAT_PACK_MAGIC, LEAT_PACK_MAGIC_SIZE);
    header->version = LEAT_PACK_VERSION;
    header->header_size = sizeof(*header);
    header->index_offset = index_offset;
    header->raw_size = pack->raw_size;
    header->chunk_raw_size = cut;
    header->section_count = LEAT_PACK_SECTION_COUNT;
    uint8_t *index = pack->bytes + index_offset;
    uint64_t assets_size = pack->asset_count * sizeof(leat_pack_asset_record);
    uint64_t chunks_size = pack->chunk_count * sizeof(leat_pack_chunk_record);
    uint64_t names_at = assets_size + chunks_size, names = 0;
    for (uint32_t i = 0; i < pack->asset_count; ++i) {
        draft *d = &drafts[i];
        d->record.name_offset = (uint32_t)names;
        d->record.name_size = (uint16_t)strlen(d->name);
        d->record.chunk_first = d->record.raw_size == 0 ? 0 : (uint32_t)(d->record.raw_offset / cut);
        memcpy(index + names_at + names, d->name, d->record.name_size);
        names += d->record.name_size;
    }
    uint64_t metadata_at = align_up(names_at + names, 8), metadata = 0;
    XXH64_hash_t *contents = need(pack->asset_count * sizeof(*contents));
    for (uint32_t i = 0; i < pack->asset_count; ++i) {
        draft *d = &drafts[i];
        if (d->record.metadata_size > 0) {
            d->record.metadata_offset = (uint32_t)metadata;
            memcpy(index + metadata_at + metadata, &d->meta, d->record.metadata_size);
            metadata += align_up(d->record.metadata_size, 8);
        }
        memcpy(index + i * sizeof(d->record), &d->record, sizeof(d->record));
        memcpy(pack->names[i], d->name, sizeof(d->name));
        pack->assets[i] = d->record;
        contents[i] = d->record.content_hash;
    }
    memcpy(index + assets_size, pack->chunks, chunks_size);
    header->sections[LEAT_PACK_SECTION_ASSETS] = (leat_pack_section){ 0, assets_size };
    header->sections[LEAT_PACK_SECTION_CHUNKS] = (leat_pack_section){ assets_size, chunks_size };
    header->sections[LEAT_PACK_SECTION_NAMES] = (leat_pack_section){ names_at, names };
    header->sections[LEAT_PACK_SECTION_METADATA] = (leat_pack_section){ metadata_at, metadata };
    header->sections[LEAT_PACK_SECTION_REFERENCES] = (leat_pack_section){ metadata_at + metadata, 0 };
    header->index_size = metadata_at + metadata;
    header->file_size = header->index_offset + header->index_size;
    header->content_hash = XXH3_64bits(contents, pack->asset_count * sizeof(*contents));
    free(contents);
    pack->size = header->file_size;
    test_pack_rehash(pack->bytes);
}

void test_pack_rehash(uint8_t *bytes)
{
    leat_pack_header *header = (leat_pack_header *)(void *)bytes;
    header->index_hash = XXH3_64bits(bytes + header->index_offset, header->index_size);
    header->header_hash = XXH3_64bits(bytes, offsetof(leat_pack_header, header_hash));
}

void test_pack_make(const test_pack_desc *desc, test_pack *pack)
{
    *pack = (test_pack){ .asset_count = desc->asset_count };
    draft *drafts = need(desc->asset_count * sizeof(*drafts));
    pack->assets = need(desc->asset_count * sizeof(*pack->assets));
    pack->names = need(desc->asset_count * sizeof(*pack->names));
    make_assets(desc, pack, drafts);
    qsort(drafts, desc->asset_count, sizeof(*drafts), by_hash);
    uint32_t cut = desc->chunk_raw_size == 0 ? CHUNK_RAW_DEFAULT : desc->chunk_raw_size;
    uint64_t chunk_count = pack->raw_size / cut + 1;
    uint64_t room = pack->raw_size + chunk_count * (2 * LEAT_PACK_ALIGNMENT + cut / 200 + 64) + 4 * LEAT_PACK_ALIGNMENT;
    room += desc->asset_count * (128u + sizeof(drafts->meta)) + chunk_count * sizeof(leat_pack_chunk_record);
    pack->bytes = need(room);
    uint64_t index_offset = make_chunks(desc, pack);
    make_index(pack, drafts, cut, index_offset);
    free(drafts);
}

void test_pack_free(test_pack *pack)
{
    free(pack->bytes);
    free(pack->raw);
    free(pack->assets);
    free(pack->chunks);
    free(pack->names);
    *pack = (test_pack){ 0 };
}

void test_pack_write(const test_pack *pack, char path[SCRATCH_SIZE])
{
    int fd = scratch_file_make("leat-test", path);
    for (uint64_t done = 0; done < pack->size;) {
        ssize_t wrote = write(fd, pack->bytes + done, pack->size - done);
        if (wrote <= 0) {
            abort();
        }
        done += (uint64_t)wrote;
    }
    close(fd);
}
