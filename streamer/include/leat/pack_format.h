/* clang-format off */ /* columns are kept by hand */
/* leat/pack_format.h - the bytes of a Leat pack, version 1.
 *
 * assets/FORMAT.md explains the layout in prose; this header is its C form, shared by the packer that writes packs and
 * the streamer that reads them. Everything is little-endian and naturally aligned; the structs have no padding, and the
 * static assertions at the end hold them to their sizes.
 *
 *     0                4096                         index_offset                    file_size
 *     | pack_header    | chunks (packed bytes) ...  | assets chunks names metadata references |
 *
 * A pack holds one linear space of raw bytes, which the chunks tile without gaps: chunk i holds raw bytes
 * [raw_offset, raw_offset + raw_size). An asset is a range of that space, so a small asset is a part of a chunk, and a
 * large one a run of chunks. Assets with the same content are the same range.
 *
 * All of these bytes are hostile until a reader has checked them (leat_pack_open does; assets/FORMAT.md says what).
 */
#ifndef LEAT_PACK_FORMAT_H
#define LEAT_PACK_FORMAT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The first eight bytes. As in PNG, the line ends and the 0x1a show a transfer in text mode. */
#define LEAT_PACK_MAGIC "LEAT\r\n\x1a\n"
#define LEAT_PACK_MAGIC_SIZE 8u

/* The version a writer writes. A reader accepts versions 1 .. LEAT_PACK_VERSION and refuses newer ones by name. */
#define LEAT_PACK_VERSION 1u

/* Size of the header, and the unit in which the file is read past the page cache (O_DIRECT). */
#define LEAT_PACK_ALIGNMENT 4096u

/* A chunk is at most this large, raw or packed; writers use LEAT_PACK_CHUNK_RAW_DEFAULT. */
#define LEAT_PACK_CHUNK_RAW_MAX (1u << 20)
#define LEAT_PACK_CHUNK_RAW_DEFAULT (256u << 10)

/* Packed chunks start at multiples of this; those of at least LEAT_PACK_ALIGN_FROM packed bytes at multiples of
 * LEAT_PACK_ALIGNMENT, which bounds the padding below 2 % and lets a stored chunk be read into its destination. */
#define LEAT_PACK_CHUNK_ALIGNMENT 16u
#define LEAT_PACK_ALIGN_FROM (208u << 10)

/* Raw ranges of assets start at multiples of this within the raw space. */
#define LEAT_PACK_RAW_ALIGNMENT 16u

/* Names: UTF-8, 1 .. 1023 bytes, '/'-separated, no empty, "." or ".." part, no leading '/', no backslash, no
 * control character (below U+0020, U+007F to U+009F). */
#define LEAT_PACK_NAME_SIZE_MAX 1023u

/* Sections of the index, in this order in the file, each at a multiple of 8 from the start of the index. */
enum {
    LEAT_PACK_SECTION_ASSETS = 0,     /* leat_pack_asset_record, sorted by name_hash, strictly ascending */
    LEAT_PACK_SECTION_CHUNKS = 1,     /* leat_pack_chunk_record, sorted by raw_offset; tiles the raw space */
    LEAT_PACK_SECTION_NAMES = 2,      /* bytes; assets point into it */
    LEAT_PACK_SECTION_METADATA = 3,   /* bytes; typed records, each at a multiple of 8 and of one asset */
    LEAT_PACK_SECTION_REFERENCES = 4, /* leat_pack_reference_record */
    LEAT_PACK_SECTION_COUNT = 5,
    LEAT_PACK_SECTION_MAX = 16        /* room in the header */
};

/* Offset from the start of the index, size in bytes (a multiple of the record size for tables). */
typedef struct leat_pack_section {
    uint64_t offset;
    uint64_t size;
} leat_pack_section;

typedef struct leat_pack_header {
    uint8_t magic[8];
    uint32_t version;
    uint32_t header_size;    /* LEAT_PACK_ALIGNMENT */
    uint64_t file_size;      /* of the whole pack; a shorter file is truncated */
    uint64_t index_offset;   /* a multiple of LEAT_PACK_ALIGNMENT, behind the last chunk */
    uint64_t index_size;     /* index_offset + index_size == file_size */
    uint64_t index_hash;     /* XXH3-64 (seed 0) of the index bytes */
    uint64_t raw_size;       /* of the raw space: the end of the last chunk */
    uint64_t content_hash;   /* XXH3-64 of the content hashes of the assets in table order: names this content */
    uint32_t chunk_raw_size; /* what the writer cut at */
    uint32_t section_count;  /* >= LEAT_PACK_SECTION_COUNT; readers ignore sections that they do not know */
    leat_pack_section sections[LEAT_PACK_SECTION_MAX];
    uint64_t base_content_hash; /* 0; the pack that a delta applies to, in a later version */
    uint8_t reserved[3752];     /* 0 */
    uint64_t header_hash;       /* XXH3-64 of the header bytes before this field */
} leat_pack_header;

/* One asset. raw_offset is a multiple of LEAT_PACK_RAW_ALIGNMENT. An empty asset has raw_size 0 and raw_offset 0. */
typedef struct leat_pack_asset_record {
    uint64_t name_hash;    /* leat_name_hash() of its name */
    uint64_t content_hash; /* XXH3-64 of its raw bytes */
    uint64_t raw_offset;   /* in the pack's raw space */
    uint64_t raw_size;
    uint32_t chunk_first; /* the chunk that holds raw_offset (0 for an empty asset) */
    uint32_t name_offset; /* in the names section */
    uint16_t name_size;
    uint8_t type;  /* leat_asset_type */
    uint8_t flags; /* 0 */
    uint32_t metadata_offset; /* in the metadata section; a multiple of 8 */
    uint32_t metadata_size;
    uint32_t reference_first; /* in the references section */
    uint32_t reference_count;
    uint32_t reserved; /* 0 */
} leat_pack_asset_record;

/* How the packed bytes of a chunk become its raw bytes. */
enum {
    LEAT_PACK_CODEC_STORED = 0, /* packed_size == raw_size: the raw bytes */
    LEAT_PACK_CODEC_LZ4 = 1,    /* one LZ4 block, as LZ4_decompress_safe reads it */
    LEAT_PACK_CODEC_COUNT = 2
};

typedef struct leat_pack_chunk_record {
    uint64_t file_offset; /* a multiple of LEAT_PACK_CHUNK_ALIGNMENT, >= header_size */
    uint64_t raw_offset;
    uint64_t hash; /* XXH3-64 of the packed bytes */
    uint32_t packed_size;
    uint32_t raw_size;
    uint8_t codec;
    uint8_t filter;     /* 0; what is undone after the codec (vertex, index, block-split), in a later version */
    uint16_t flags;     /* 0 */
    uint32_t parameter; /* 0; of the filter */
} leat_pack_chunk_record;

/* From an asset to another, by name, so that it resolves over all packs that are mounted (layers, patches). */
typedef struct leat_pack_reference_record {
    uint64_t name_hash;
    uint32_t role; /* leat_reference_role */
    uint32_t slot; /* for LEAT_REFERENCE_MATERIAL: the mesh's material slot */
} leat_pack_reference_record;

/* Metadata of a texture. Levels lie smallest first, tightly packed: level k of mip_count levels is
 * max(1, width >> k) x max(1, height >> k) texels, in blocks of 4 x 4 for BC formats; "mip k and everything smaller" is
 * the first bytes of the asset. With layer_count > 1, a level holds its layers (array slices; six for a cube) in turn. */
typedef struct leat_pack_texture_metadata {
    uint32_t width;
    uint32_t height;
    uint16_t mip_count;
    uint16_t layer_count;
    uint32_t format;      /* leat_format */
    uint32_t flags;       /* leat_texture_flags */
    float alpha_cutoff;   /* for LEAT_TEXTURE_CUTOUT; else 0 */
    uint32_t reserved[2]; /* 0 */
} leat_pack_texture_metadata;

/* Metadata of a mesh: this header, then lod_count lods, then lod_count x submesh_count submeshes (by lod, then by
 * submesh). LOD 0 is the finest. The raw bytes hold, coarsest LOD first: the vertices which that LOD adds, then its
 * indices. A LOD uses the vertices that it and the coarser LODs have added, so "LOD k and everything coarser" is the
 * first bytes of the asset, and a finer LOD is appended to the vertex and index buffers of the coarser. */
typedef struct leat_pack_mesh_metadata {
    uint32_t lod_count;
    uint32_t submesh_count;
    uint32_t vertex_stride; /* bytes: 32 in version 1, as leat_vertex */
    uint32_t index_size;    /* bytes: 2 or 4 */
    uint32_t flags;         /* leat_mesh_flags */
    uint32_t material_count; /* of material slots */
    float bounds_min[3];
    float bounds_max[3];
} leat_pack_mesh_metadata;

typedef struct leat_pack_lod_record {
    uint32_t vertex_first; /* = the number of vertices of all coarser LODs */
    uint32_t vertex_count; /* vertices which this LOD adds */
    uint32_t index_first;  /* = the number of indices of all coarser LODs */
    uint32_t index_count;
    float error; /* largest distance from the finest LOD, in units of the mesh */
    uint32_t reserved;
    uint64_t raw_offset; /* of this LOD in the asset: vertices at once, then indices; multiple of 4 */
    uint64_t raw_size;   /* vertex_count * vertex_stride + index_count * index_size, rounded up to 4 */
} leat_pack_lod_record;

typedef struct leat_pack_submesh_record {
    uint32_t index_first; /* from the LOD's first index */
    uint32_t index_count;
    uint32_t material; /* slot: < material_count */
    uint32_t reserved;
} leat_pack_submesh_record;

/* Metadata of a material; it has no raw bytes. Its textures are references, by role. */
typedef struct leat_pack_material_metadata {
    float base_color[4]; /* linear; multiplies the base color texture */
    float emissive[3];
    float metallic;
    float roughness;
    float normal_scale;
    float alpha_cutoff;
    uint32_t alpha_mode; /* leat_alpha_mode */
    uint32_t flags;      /* leat_material_flags */
    uint32_t reserved[3];
} leat_pack_material_metadata;

#ifdef __cplusplus
#define LEAT_PACK_ASSERT(condition, text) static_assert(condition, text)
#else
#define LEAT_PACK_ASSERT(condition, text) _Static_assert(condition, text)
#endif
LEAT_PACK_ASSERT(sizeof(leat_pack_header) == LEAT_PACK_ALIGNMENT, "header is one block");
LEAT_PACK_ASSERT(sizeof(leat_pack_asset_record) == 64, "no padding");
LEAT_PACK_ASSERT(sizeof(leat_pack_chunk_record) == 40, "no padding");
LEAT_PACK_ASSERT(sizeof(leat_pack_reference_record) == 16, "no padding");
LEAT_PACK_ASSERT(sizeof(leat_pack_texture_metadata) == 32, "no padding");
LEAT_PACK_ASSERT(sizeof(leat_pack_mesh_metadata) == 48, "no padding");
LEAT_PACK_ASSERT(sizeof(leat_pack_lod_record) == 40, "no padding");
LEAT_PACK_ASSERT(sizeof(leat_pack_submesh_record) == 16, "no padding");
LEAT_PACK_ASSERT(sizeof(leat_pack_material_metadata) == 64, "no padding");

#ifdef __cplusplus
}
#endif

#endif
