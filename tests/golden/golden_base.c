/* golden_base.c - the valid pack that all rows of the table start from, and how a row changes it. See golden.h. */
#include "golden.h"

#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define CHUNK_COUNT 3u
#define RAW_MAX 1024u
#define LOD_COUNT 2u
#define SUBMESH_COUNT 2u

typedef struct mesh_records {
    leat_pack_mesh_metadata mesh;
    leat_pack_lod_record lods[LOD_COUNT];
    leat_pack_submesh_record submeshes[LOD_COUNT * SUBMESH_COUNT];
} mesh_records;

typedef struct base {
    uint8_t raw[RAW_MAX];
    uint64_t raw_size;
    leat_pack_asset_record assets[GOLDEN_ASSET_COUNT];
    const char *names[GOLDEN_ASSET_COUNT];
    leat_pack_texture_metadata texture, cube;
    mesh_records mesh;
    leat_pack_material_metadata material;
} base;

/* ---- Assets ---- */

static void asset_range(base *b, golden_asset which, uint64_t size)
{
    leat_pack_asset_record *a = &b->assets[which];
    a->raw_offset = align_up(b->raw_size, LEAT_PACK_RAW_ALIGNMENT);
    a->raw_size = size;
    b->raw_size = a->raw_offset + size;
}

static void make_blob(base *b)
{
    b->assets[GOLDEN_BLOB].type = LEAT_ASSET_BLOB;
    asset_range(b, GOLDEN_BLOB, 128);
    memset(b->raw, 'A', 128); /* as lz4_run() packs it */
    b->assets[GOLDEN_EMPTY].type = LEAT_ASSET_BLOB;
}

static void make_textures(base *b)
{
    b->texture = (leat_pack_texture_metadata){
        .width = 16,
        .height = 16,
        .mip_count = 5,
        .layer_count = 1,
        .format = LEAT_FORMAT_BC1_SRGB,
        .flags = LEAT_TEXTURE_ALPHA | LEAT_TEXTURE_CUTOUT,
        .alpha_cutoff = 0.5f,
    };
    b->assets[GOLDEN_TEXTURE].type = LEAT_ASSET_TEXTURE;
    asset_range(b, GOLDEN_TEXTURE, (16 + 4 + 1 + 1 + 1) * 8);
    b->cube = (leat_pack_texture_metadata){
        .width = 2,
        .height = 2,
        .mip_count = 2,
        .layer_count = 6,
        .format = LEAT_FORMAT_RGBA8_UNORM,
        .flags = LEAT_TEXTURE_CUBE,
    };
    b->assets[GOLDEN_CUBE].type = LEAT_ASSET_TEXTURE;
    asset_range(b, GOLDEN_CUBE, (4 + 1) * 4 * 6);
    for (uint64_t i = b->assets[GOLDEN_TEXTURE].raw_offset; i < b->raw_size; ++i) {
        b->raw[i] = (uint8_t)(i * 7 + (i >> 3));
    }
}

/* LOD 1: one triangle of three vertices, in its first submesh. LOD 0: a fourth vertex, and a triangle in each. */
static void make_mesh(base *b)
{
    mesh_records *m = &b->mesh;
    m->mesh = (leat_pack_mesh_metadata){ .lod_count = LOD_COUNT,
                                         .submesh_count = SUBMESH_COUNT,
                                         .vertex_stride = sizeof(leat_vertex),
                                         .index_size = 2,
                                         .flags = LEAT_MESH_HAS_UV,
                                         .material_count = 2,
                                         .bounds_max = { 1, 1, 0 } };
    m->lods[1] = (leat_pack_lod_record){ .vertex_count = 3, .index_count = 3, .error = 0.25f, .raw_size = 104 };
    m->lods[0] = (leat_pack_lod_record){
        .vertex_first = 3, .vertex_count = 1, .index_first = 3, .index_count = 6, .raw_offset = 104, .raw_size = 44
    };
    m->submeshes[0] = (leat_pack_submesh_record){ .index_count = 3 };
    m->submeshes[1] = (leat_pack_submesh_record){ .index_first = 3, .index_count = 3, .material = 1 };
    m->submeshes[2] = (leat_pack_submesh_record){ .index_count = 3 };
    m->submeshes[3] = (leat_pack_submesh_record){ .index_first = 3, .material = 1 };
    b->assets[GOLDEN_MESH].type = LEAT_ASSET_MESH;
    asset_range(b, GOLDEN_MESH, 148);
    uint8_t *at = b->raw + b->assets[GOLDEN_MESH].raw_offset;
    leat_vertex vertex = { .normal = { 0, 0, 32767, 0 }, .color = { 255, 255, 255, 255 } };
    static const uint16_t coarse[3] = { 0, 1, 2 }, fine[6] = { 0, 1, 3, 3, 1, 2 };
    for (uint32_t i = 0; i < 4; ++i) {
        vertex.position[0] = vertex.uv[0] = (float)(i & 1);
        vertex.position[1] = vertex.uv[1] = (float)(i >> 1);
        memcpy(at + (i < 3 ? i * sizeof(vertex) : 104), &vertex, sizeof(vertex));
    }
    memcpy(at + 96, coarse, sizeof(coarse));
    memcpy(at + 104 + 32, fine, sizeof(fine));
}

static void make_material(base *b)
{
    b->assets[GOLDEN_MATERIAL].type = LEAT_ASSET_MATERIAL;
    b->material = (leat_pack_material_metadata){ .base_color = { 1, 1, 1, 1 },
                                                 .roughness = 1,
                                                 .normal_scale = 1,
                                                 .alpha_cutoff = 0.5f,
                                                 .alpha_mode = LEAT_ALPHA_MASK,
                                                 .flags = LEAT_MATERIAL_DOUBLE_SIDED };
}

/* ---- Chunks ---- */

/* 128 equal bytes as an LZ4 block: one literal, a match of 122 at distance 1, five literals. Inlined, gcc 12 takes the
 * copy for one that runs over header_hash. */
static __attribute__((noinline)) uint32_t lz4_run(uint8_t *out)
{
    static const uint8_t block[] = { 0x1f, 'A', 1, 0, 122 - 4 - 15, 0x50, 'A', 'A', 'A', 'A', 'A' };
    memcpy(out, block, sizeof(block));
    return sizeof(block);
}

/* An LZ4 block of literals alone, of 15 or more bytes. */
static uint32_t lz4_literals(uint8_t *out, const uint8_t *raw, uint32_t size)
{
    uint32_t at = 0, rest = size - 15;
    out[at++] = 0xf0;
    for (; rest >= 255; rest -= 255) {
        out[at++] = 255;
    }
    out[at++] = (uint8_t)rest;
    memcpy(out + at, raw, size);
    return at + size;
}

static void make_chunks(const base *b, golden_pack *pack, leat_pack_chunk_record *chunks)
{
    const uint64_t ends[CHUNK_COUNT] = { 128, 400, b->raw_size };
    uint64_t raw = 0, file = sizeof(leat_pack_header);
    for (uint32_t i = 0; i < CHUNK_COUNT; ++i) {
        leat_pack_chunk_record *k = &chunks[i];
        *k = (leat_pack_chunk_record){ .file_offset = file,
                                       .raw_offset = raw,
                                       .raw_size = (uint32_t)(ends[i] - raw),
                                       .codec = i == 1 ? LEAT_PACK_CODEC_STORED : LEAT_PACK_CODEC_LZ4 };
        if (i == 1) {
            memcpy(pack->bytes + file, b->raw + raw, k->raw_size);
            k->packed_size = k->raw_size;
        } else {
            k->packed_size =
                i == 0 ? lz4_run(pack->bytes + file) : lz4_literals(pack->bytes + file, b->raw + raw, k->raw_size);
        }
        raw = ends[i];
        file = align_up(file + k->packed_size, LEAT_PACK_CHUNK_ALIGNMENT);
    }
}

/* ---- Index ---- */

static uint8_t *section_begin(golden_pack *pack, uint32_t section)
{
    leat_pack_header *h = (void *)pack->bytes;
    uint64_t before = section == 0 ? 0 : h->sections[section - 1].offset + h->sections[section - 1].size;
    h->sections[section].offset = align_up(before, 8);
    return pack->bytes + h->index_offset + h->sections[section].offset;
}

static void section_end(golden_pack *pack, uint32_t section, uint64_t size)
{
    leat_pack_header *h = (void *)pack->bytes;
    h->sections[section].size = size;
    h->index_size = h->sections[section].offset + size;
}

static void write_names(base *b, golden_pack *pack, uint64_t blob_name_size)
{
    uint8_t *names = section_begin(pack, LEAT_PACK_SECTION_NAMES);
    uint32_t at = 0;
    for (uint32_t i = 0; i < GOLDEN_ASSET_COUNT; ++i) {
        leat_pack_asset_record *a = &b->assets[i];
        a->name_offset = at;
        a->name_size = (uint16_t)(i == GOLDEN_BLOB ? blob_name_size : strlen(b->names[i]));
        a->name_hash = leat_name_hash(b->names[i], a->name_size);
        memcpy(names + at, b->names[i], a->name_size);
        at += a->name_size;
    }
    section_end(pack, LEAT_PACK_SECTION_NAMES, at);
}

static void write_metadata(base *b, golden_pack *pack)
{
    const struct {
        golden_asset asset;
        const void *bytes;
        uint32_t size;
    } parts[] = { { GOLDEN_TEXTURE, &b->texture, sizeof(b->texture) },
                  { GOLDEN_CUBE, &b->cube, sizeof(b->cube) },
                  { GOLDEN_MESH, &b->mesh, sizeof(b->mesh) },
                  { GOLDEN_MATERIAL, &b->material, sizeof(b->material) } };
    uint8_t *metadata = section_begin(pack, LEAT_PACK_SECTION_METADATA);
    uint32_t at = 0;
    for (uint32_t i = 0; i < COUNT_OF(parts); ++i) {
        b->assets[parts[i].asset].metadata_offset = at;
        b->assets[parts[i].asset].metadata_size = parts[i].size;
        memcpy(metadata + at, parts[i].bytes, parts[i].size);
        at += parts[i].size;
    }
    section_end(pack, LEAT_PACK_SECTION_METADATA, at);
}

static void write_references(base *b, golden_pack *pack)
{
    const leat_pack_reference_record references[] = {
        { .name_hash = b->assets[GOLDEN_MATERIAL].name_hash, .role = LEAT_REFERENCE_MATERIAL, .slot = 1 },
        { .name_hash = b->assets[GOLDEN_TEXTURE].name_hash, .role = LEAT_REFERENCE_BASE_COLOR },
    };
    b->assets[GOLDEN_MESH].reference_count = 1;
    b->assets[GOLDEN_MATERIAL].reference_first = 1;
    b->assets[GOLDEN_MATERIAL].reference_count = 1;
    memcpy(section_begin(pack, LEAT_PACK_SECTION_REFERENCES), references, sizeof(references));
    section_end(pack, LEAT_PACK_SECTION_REFERENCES, sizeof(references));
}

/* In the order of their hashes, by insertion. */
static void write_assets(const base *b, golden_pack *pack)
{
    leat_pack_header *h = (void *)pack->bytes;
    leat_pack_asset_record *table = (void *)(pack->bytes + h->index_offset);
    uint32_t order[GOLDEN_ASSET_COUNT];
    for (uint32_t i = 0; i < GOLDEN_ASSET_COUNT; ++i) {
        uint32_t at = i;
        for (; at > 0 && b->assets[order[at - 1]].name_hash > b->assets[i].name_hash; --at) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    XXH64_hash_t contents[GOLDEN_ASSET_COUNT];
    for (uint32_t i = 0; i < GOLDEN_ASSET_COUNT; ++i) {
        table[i] = b->assets[order[i]];
        pack->positions[order[i]] = i;
        contents[i] = table[i].content_hash;
    }
    h->content_hash = XXH3_64bits(contents, sizeof(contents));
}

void golden_base(golden_pack *pack, const char *blob_name, uint64_t blob_name_size)
{
    base b = { .names = { blob_name != NULL ? blob_name : "blob.bin", "empty.bin", "textures/grün.png", "sky.dds",
                          "models/flag.obj", "models/flag.obj#cloth" } };
    *pack = (golden_pack){ 0 };
    make_blob(&b);
    make_textures(&b);
    make_mesh(&b);
    make_material(&b);
    leat_pack_header *h = (void *)pack->bytes;
    *h = (leat_pack_header){ .version = 1,
                             .header_size = sizeof(*h),
                             .raw_size = b.raw_size,
                             .chunk_raw_size = 512,
                             .section_count = LEAT_PACK_SECTION_COUNT,
                             .index_offset = 2 * sizeof(*h) };
    memcpy(h->magic, LEAT_PACK_MAGIC, LEAT_PACK_MAGIC_SIZE);
    section_end(pack, LEAT_PACK_SECTION_ASSETS, sizeof(b.assets));
    leat_pack_chunk_record *chunks = (void *)section_begin(pack, LEAT_PACK_SECTION_CHUNKS);
    make_chunks(&b, pack, chunks);
    section_end(pack, LEAT_PACK_SECTION_CHUNKS, CHUNK_COUNT * sizeof(*chunks));
    write_names(&b, pack, blob_name == NULL || blob_name_size == 0 ? strlen(b.names[0]) : blob_name_size);
    write_metadata(&b, pack);
    write_references(&b, pack);
    for (uint32_t i = 0; i < GOLDEN_ASSET_COUNT; ++i) {
        leat_pack_asset_record *a = &b.assets[i];
        a->content_hash = XXH3_64bits(b.raw + a->raw_offset, a->raw_size);
        while (a->raw_size > 0 &&
               chunks[a->chunk_first].raw_offset + chunks[a->chunk_first].raw_size <= a->raw_offset) {
            ++a->chunk_first;
        }
    }
    write_assets(&b, pack);
    pack->size = h->file_size = h->index_offset + h->index_size;
    golden_seal_pack(pack, GOLDEN_SEAL_ALL);
}

/* ---- Rows ---- */

void golden_seal_pack(golden_pack *pack, golden_seal seal)
{
    leat_pack_header *h = (void *)pack->bytes;
    const uint64_t index_offset = 2 * sizeof(*h); /* not what the header says: a row may have changed that */
    if (seal == GOLDEN_SEAL_ALL) {
        leat_pack_chunk_record *chunks =
            (void *)(pack->bytes + index_offset + sizeof(leat_pack_asset_record) * GOLDEN_ASSET_COUNT);
        for (uint32_t i = 0; i < CHUNK_COUNT; ++i) {
            bool inside =
                chunks[i].file_offset <= index_offset && chunks[i].packed_size <= index_offset - chunks[i].file_offset;
            chunks[i].hash = inside ? XXH3_64bits(pack->bytes + chunks[i].file_offset, chunks[i].packed_size) : 0;
        }
    }
    if (seal <= GOLDEN_SEAL_INDEX_AND_HEADER && pack->size >= index_offset) {
        uint64_t rest = pack->size - index_offset;
        h->index_hash = XXH3_64bits(pack->bytes + index_offset, h->index_size <= rest ? h->index_size : rest);
    }
    if (seal <= GOLDEN_SEAL_HEADER) {
        h->header_hash = XXH3_64bits(pack->bytes, offsetof(leat_pack_header, header_hash));
    }
}

/* Offset in the file of a patch's record, in the pack as it was before any patch. */
static uint64_t place_of(const golden_pack *pack, const golden_patch *p)
{
    const leat_pack_header *h = (const void *)pack->bytes;
    const leat_pack_asset_record *assets = (const void *)(pack->bytes + h->index_offset);
    uint64_t chunks = h->index_offset + h->sections[LEAT_PACK_SECTION_CHUNKS].offset;
    uint64_t metadata = h->index_offset + h->sections[LEAT_PACK_SECTION_METADATA].offset;
    uint64_t references = h->index_offset + h->sections[LEAT_PACK_SECTION_REFERENCES].offset;
    uint64_t mesh = metadata + assets[pack->positions[GOLDEN_MESH]].metadata_offset;
    switch (p->place) {
    case GOLDEN_IN_ASSET:
        return h->index_offset + pack->positions[p->item] * sizeof(*assets);
    case GOLDEN_IN_CHUNK:
        return chunks + p->item * sizeof(leat_pack_chunk_record);
    case GOLDEN_IN_METADATA:
        return metadata + assets[pack->positions[p->item]].metadata_offset;
    case GOLDEN_IN_LOD:
        return mesh + offsetof(mesh_records, lods) + p->item * sizeof(leat_pack_lod_record);
    case GOLDEN_IN_SUBMESH:
        return mesh + offsetof(mesh_records, submeshes) + p->item * sizeof(leat_pack_submesh_record);
    case GOLDEN_IN_REFERENCE:
        return references + p->item * sizeof(leat_pack_reference_record);
    default:
        return 0;
    }
}

void golden_row_make(const golden_row *row, golden_pack *pack)
{
    golden_pack before;
    golden_base(&before, row->blob_name, row->blob_name_size);
    *pack = before;
    for (uint32_t i = 0; i < GOLDEN_PATCH_MAX && row->patches[i].place != GOLDEN_NOWHERE; ++i) {
        const golden_patch *p = &row->patches[i];
        memcpy(pack->bytes + place_of(&before, p) + p->offset, &p->value, p->size); /* little-endian, as the format */
    }
    if (row->swap) {
        leat_pack_asset_record *assets = (void *)(pack->bytes + 2 * sizeof(leat_pack_header)), first = assets[0];
        assets[0] = assets[1];
        assets[1] = first;
    }
    golden_seal_pack(pack, row->seal);
    if (row->cut) {
        pack->size = row->size;
    }
}

pack_limits golden_row_limits(const golden_row *row)
{
    pack_limits limits = row->limits;
    limits.index_bytes_max = limits.index_bytes_max == 0 ? MIB(1024) : limits.index_bytes_max;
    limits.asset_bytes_max = limits.asset_bytes_max == 0 ? MIB(4096) : limits.asset_bytes_max;
    limits.chunk_ratio_max = limits.chunk_ratio_max == 0 ? 255 : limits.chunk_ratio_max;
    return limits;
}
