/* golden_table.c - the ways to break a pack, and what is said to each. See golden.h.
 *
 * One row for each check of pack_index.c, in the order of that file; a check of several conditions has a row for each.
 * Values are absolute: the base pack never changes. Add rows; do not change them: their files are golden. */
#include "golden.h"

#define FIELD_SIZE(type, field) sizeof(((type *)0)->field)
#define PATCH(where, which, type, field, to)                                                                           \
    {                                                                                                                  \
        .place = where, .item = which, .offset = offsetof(type, field), .size = FIELD_SIZE(type, field), .value = to   \
    }
#define HEADER(field, to) PATCH(GOLDEN_IN_HEADER, 0, leat_pack_header, field, to)
#define SECTION(i, field, to) PATCH(GOLDEN_IN_HEADER, 0, leat_pack_header, sections[i].field, to)
#define ASSET(which, field, to) PATCH(GOLDEN_IN_ASSET, GOLDEN_##which, leat_pack_asset_record, field, to)
#define CHUNK(i, field, to) PATCH(GOLDEN_IN_CHUNK, i, leat_pack_chunk_record, field, to)
#define TEXTURE(field, to) PATCH(GOLDEN_IN_METADATA, GOLDEN_TEXTURE, leat_pack_texture_metadata, field, to)
#define CUBE(field, to) PATCH(GOLDEN_IN_METADATA, GOLDEN_CUBE, leat_pack_texture_metadata, field, to)
#define MESH(field, to) PATCH(GOLDEN_IN_METADATA, GOLDEN_MESH, leat_pack_mesh_metadata, field, to)
#define LOD(i, field, to) PATCH(GOLDEN_IN_LOD, i, leat_pack_lod_record, field, to)
#define SUBMESH(lod, i, field, to) PATCH(GOLDEN_IN_SUBMESH, (lod)*2 + (i), leat_pack_submesh_record, field, to)
#define MATERIAL(field, to) PATCH(GOLDEN_IN_METADATA, GOLDEN_MATERIAL, leat_pack_material_metadata, field, to)
#define REFERENCE(i, field, to) PATCH(GOLDEN_IN_REFERENCE, i, leat_pack_reference_record, field, to)
#define FILE_BYTE(at, to)                                                                                              \
    {                                                                                                                  \
        .place = GOLDEN_IN_FILE, .offset = at, .size = 1, .value = to                                                  \
    }

#define FORMAT .result = LEAT_ERROR_FORMAT
#define NAN_BITS 0x7fc00000u
#define INFINITY_BITS 0x7f800000u
#define MINUS_ONE_BITS 0xbf800000u
#define TWO_BITS 0x40000000u

/* What is said where a check has several conditions. */
#define SECTION_TEXT "does not fit"
#define INDEX_TEXT "does not end with the file"
#define MISPLACED_TEXT "which is misplaced"
#define HOLDS_TEXT "holds raw bytes"
#define NAME_TEXT "has no valid name"
#define RANGE_TEXT "are not in the pack"
#define METADATA_TEXT "metadata contradicts itself or its size"
#define TEXTURE_ROW(called, ...)                                                                                       \
    {                                                                                                                  \
        .name = "texture-" called, FORMAT, .text = "grün.png: its " METADATA_TEXT, .patches = { __VA_ARGS__ }          \
    }
#define CUBE_ROW(called, ...)                                                                                          \
    {                                                                                                                  \
        .name = "cube-" called, FORMAT, .text = "sky.dds: its " METADATA_TEXT, .patches = { __VA_ARGS__ }              \
    }
#define MESH_ROW(called, ...)                                                                                          \
    {                                                                                                                  \
        .name = "mesh-" called, FORMAT, .text = "flag.obj: its " METADATA_TEXT, .patches = { __VA_ARGS__ }             \
    }
#define MATERIAL_ROW(called, ...)                                                                                      \
    {                                                                                                                  \
        .name = "material-" called, FORMAT, .text = "cloth: its " METADATA_TEXT, .patches = { __VA_ARGS__ }            \
    }
#define NAME_ROW(called, ...)                                                                                          \
    {                                                                                                                  \
        .name = "name-" called, FORMAT, .text = NAME_TEXT, .blob_name = __VA_ARGS__                                    \
    }

#define SIXTEEN "0123456789abcdef"
#define HUNDRED_TWENTY_EIGHT SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN
#define THOUSAND_TWENTY_FOUR                                                                                           \
    HUNDRED_TWENTY_EIGHT HUNDRED_TWENTY_EIGHT HUNDRED_TWENTY_EIGHT HUNDRED_TWENTY_EIGHT HUNDRED_TWENTY_EIGHT           \
        HUNDRED_TWENTY_EIGHT HUNDRED_TWENTY_EIGHT HUNDRED_TWENTY_EIGHT

const golden_row golden_rows[] = {
    /* ---- The file and its header ---- */
    { .name = "file-empty", FORMAT, .text = "is not a Leat pack", .cut = true, .size = 0 },
    { .name = "file-shorter-than-header", FORMAT, .text = "is not a Leat pack", .cut = true, .size = 4095 },
    { .name = "magic", FORMAT, .text = "its first bytes are others", .patches = { HEADER(magic[4], '\n') } },
    { .name = "version-newer", .result = LEAT_ERROR_VERSION, .text = "update Leat", .patches = { HEADER(version, 2) } },
    { .name = "version-zero", FORMAT, .text = "which there is not", .patches = { HEADER(version, 0) } },
    { .name = "header-size", FORMAT, .text = "which there is not", .patches = { HEADER(header_size, 512) } },
    { .name = "header-hash",
      .result = LEAT_ERROR_DAMAGED,
      .text = "header does not match its hash",
      .seal = GOLDEN_SEAL_NONE,
      .patches = { HEADER(content_hash, 1) } },
    { .name = "file-truncated",
      .result = LEAT_ERROR_TRUNCATED,
      .text = "copy or pack it again",
      .cut = true,
      .size = 9000 },
    { .name = "file-longer", FORMAT, .text = INDEX_TEXT, .cut = true, .size = 9500 },
    { .name = "index-offset-unaligned", FORMAT, .text = INDEX_TEXT, .patches = { HEADER(index_offset, 8200) } },
    { .name = "index-offset-in-header", FORMAT, .text = INDEX_TEXT, .patches = { HEADER(index_offset, 0) } },
    { .name = "index-end-overflows", FORMAT, .text = INDEX_TEXT, .patches = { HEADER(index_size, UINT64_MAX - 8191) } },
    { .name = "index-end-elsewhere", FORMAT, .text = INDEX_TEXT, .patches = { HEADER(index_size, 1024) } },
    { .name = "limit-index",
      .result = LEAT_ERROR_LIMIT,
      .text = "pack_index_bytes_max is 512",
      .limits = { .index_bytes_max = 512 } },
    { .name = "reserved-base", FORMAT, .text = "that version 1 reserves", .patches = { HEADER(base_content_hash, 1) } },
    { .name = "reserved-first", FORMAT, .text = "that version 1 reserves", .patches = { HEADER(reserved[0], 1) } },
    { .name = "reserved-last", FORMAT, .text = "that version 1 reserves", .patches = { HEADER(reserved[3751], 0x80) } },
    { .name = "sections-too-few", FORMAT, .text = "has 4 index sections", .patches = { HEADER(section_count, 4) } },
    { .name = "sections-too-many", FORMAT, .text = "has 17 index sections", .patches = { HEADER(section_count, 17) } },
    { .name = "section-beyond-count", FORMAT, .text = "that it does not have", .patches = { SECTION(5, size, 8) } },
    { .name = "section-last-beyond-count",
      FORMAT,
      .text = "that it does not have",
      .patches = { SECTION(15, offset, 8) } },
    { .name = "section-unaligned", FORMAT, .text = "section 2 (offset 508", .patches = { SECTION(2, offset, 508) } },
    { .name = "section-overlaps", FORMAT, .text = "section 1 (offset 0", .patches = { SECTION(1, offset, 0) } },
    { .name = "section-end-overflows", FORMAT, .text = SECTION_TEXT, .patches = { SECTION(4, size, UINT64_MAX - 15) } },
    { .name = "section-beyond-index", FORMAT, .text = SECTION_TEXT, .patches = { SECTION(4, size, 160) } },
    { .name = "section-part-of-record", FORMAT, .text = SECTION_TEXT, .patches = { SECTION(0, size, 380) } },
    { .name = "index-hash",
      .result = LEAT_ERROR_DAMAGED,
      .text = "index does not match its hash",
      .seal = GOLDEN_SEAL_HEADER,
      .patches = { CHUNK(0, hash, 1) } },

    /* ---- Chunks ---- */
    { .name = "chunk-raw-gap", FORMAT, .text = "chunk 1 " HOLDS_TEXT, .patches = { CHUNK(1, raw_offset, 144) } },
    { .name = "chunk-raw-overlaps", FORMAT, .text = "chunk 1 " HOLDS_TEXT, .patches = { CHUNK(1, raw_offset, 112) } },
    { .name = "chunk-raw-first-not-zero",
      FORMAT,
      .text = "chunk 0 " HOLDS_TEXT,
      .patches = { CHUNK(0, raw_offset, 16) } },
    { .name = "chunk-raw-empty", FORMAT, .text = "chunk 0 " HOLDS_TEXT, .patches = { CHUNK(0, raw_size, 0) } },
    { .name = "chunk-raw-over-cap",
      FORMAT,
      .text = "at most 1048576",
      .patches = { CHUNK(0, raw_size, (1u << 20) + 1) } },
    { .name = "chunk-packed-empty", FORMAT, .text = MISPLACED_TEXT, .patches = { CHUNK(0, packed_size, 0) } },
    { .name = "chunk-packed-over-cap",
      FORMAT,
      .text = MISPLACED_TEXT,
      .patches = { CHUNK(0, packed_size, (1u << 20) + 1) } },
    { .name = "chunk-unaligned", FORMAT, .text = MISPLACED_TEXT, .patches = { CHUNK(0, file_offset, 4104) } },
    { .name = "chunk-in-header", FORMAT, .text = MISPLACED_TEXT, .patches = { CHUNK(0, file_offset, 4080) } },
    { .name = "chunk-overlaps", FORMAT, .text = "chunk 1 lies", .patches = { CHUNK(1, file_offset, 4096) } },
    { .name = "chunk-out-of-order", FORMAT, .text = "chunk 2 lies", .patches = { CHUNK(2, file_offset, 4112) } },
    { .name = "chunk-end-overflows",
      FORMAT,
      .text = MISPLACED_TEXT,
      .patches = { CHUNK(2, file_offset, UINT64_MAX - 15) } },
    { .name = "chunk-in-index", FORMAT, .text = MISPLACED_TEXT, .patches = { CHUNK(2, file_offset, 8176) } },
    { .name = "chunk-codec", FORMAT, .text = "has codec 2 and filter 0", .patches = { CHUNK(1, codec, 2) } },
    { .name = "chunk-filter", FORMAT, .text = "has codec 0 and filter 1", .patches = { CHUNK(1, filter, 1) } },
    { .name = "chunk-flags", FORMAT, .text = "which version 1 does not know", .patches = { CHUNK(1, flags, 0x8000) } },
    { .name = "chunk-parameter",
      FORMAT,
      .text = "which version 1 does not know",
      .patches = { CHUNK(1, parameter, 1) } },
    { .name = "chunk-stored-sizes-differ",
      FORMAT,
      .text = "chunk 1 cannot grow",
      .patches = { CHUNK(1, packed_size, 271) } },
    { .name = "chunk-grows-too-much",
      FORMAT,
      .text = "chunk 0 cannot grow",
      .patches = { CHUNK(0, raw_size, 11 * 255 + 65) } },
    { .name = "limit-chunk-ratio",
      .result = LEAT_ERROR_LIMIT,
      .text = "chunk_ratio_max is 10",
      .limits = { .chunk_ratio_max = 10 } },
    { .name = "chunks-do-not-fill", FORMAT, .text = "its header says 1000", .patches = { HEADER(raw_size, 1000) } },
    { .name = "chunks-none", FORMAT, .text = "its chunks hold 0 raw bytes", .patches = { SECTION(1, size, 0) } },

    /* ---- Assets ---- */
    { .name = "name-outside", FORMAT, .text = NAME_TEXT, .patches = { ASSET(BLOB, name_offset, UINT32_MAX) } },
    { .name = "name-end-outside", FORMAT, .text = NAME_TEXT, .patches = { ASSET(MATERIAL, name_size, 23) } },
    { .name = "name-empty", FORMAT, .text = NAME_TEXT, .patches = { ASSET(BLOB, name_size, 0) } },
    { .name = "name-of-another-hash", FORMAT, .text = NAME_TEXT, .patches = { ASSET(BLOB, name_offset, 1) } },
    NAME_ROW("too-long", THOUSAND_TWENTY_FOUR),
    NAME_ROW("absolute", "/etc/passwd"),
    NAME_ROW("parent", "../../home"),
    NAME_ROW("parent-within", "a/../../b"),
    NAME_ROW("parent-at-end", "a/.."),
    NAME_ROW("self", "./a"),
    NAME_ROW("self-at-end", "a/."),
    NAME_ROW("part-empty", "a//b"),
    NAME_ROW("slash-at-end", "a/"),
    NAME_ROW("backslash", "..\\a"),
    NAME_ROW("control", "a\x1b[2J"),
    NAME_ROW("delete", "a\x7f"),
    NAME_ROW("zero-byte", "a\0b", .blob_name_size = 3),
    NAME_ROW("utf8-continuation", "a\x80"),
    NAME_ROW("utf8-cut", "a\xe2\x82"),
    NAME_ROW("utf8-broken", "a\xc3(b"),
    NAME_ROW("utf8-overlong-2", "a\xc0\xaf"),
    NAME_ROW("utf8-overlong-3", "a\xe0\x80\xaf"),
    NAME_ROW("utf8-overlong-4", "a\xf0\x80\x80\xaf"),
    NAME_ROW("utf8-surrogate", "a\xed\xa0\x80"),
    NAME_ROW("utf8-beyond", "a\xf4\x90\x80\x80"),
    NAME_ROW("utf8-beyond-5", "a\xf8\x88\x80\x80\x80"),
    { .name = "names-twice", FORMAT, .text = "is out of order or there twice", .blob_name = "empty.bin" },
    { .name = "names-out-of-order", FORMAT, .text = "is out of order or there twice", .swap = true },
    { .name = "asset-type", FORMAT, .text = "type 4 is not known", .patches = { ASSET(BLOB, type, 4) } },
    { .name = "asset-flags", FORMAT, .text = "is not known to version 1", .patches = { ASSET(BLOB, flags, 1) } },
    { .name = "asset-reserved", FORMAT, .text = "is not known to version 1", .patches = { ASSET(BLOB, reserved, 1) } },
    { .name = "empty-with-offset", FORMAT, .text = RANGE_TEXT, .patches = { ASSET(EMPTY, raw_offset, 16) } },
    { .name = "empty-with-chunk", FORMAT, .text = RANGE_TEXT, .patches = { ASSET(EMPTY, chunk_first, 1) } },
    { .name = "asset-unaligned", FORMAT, .text = RANGE_TEXT, .patches = { ASSET(BLOB, raw_offset, 8) } },
    { .name = "asset-end-overflows",
      FORMAT,
      .text = RANGE_TEXT,
      .patches = { ASSET(BLOB, raw_offset, 16), ASSET(BLOB, raw_size, UINT64_MAX - 15) } },
    { .name = "asset-beyond-raw-space", FORMAT, .text = RANGE_TEXT, .patches = { ASSET(BLOB, raw_size, 597) } },
    { .name = "asset-chunk-outside", FORMAT, .text = RANGE_TEXT, .patches = { ASSET(BLOB, chunk_first, 3) } },
    { .name = "asset-chunk-after", FORMAT, .text = RANGE_TEXT, .patches = { ASSET(BLOB, chunk_first, 1) } },
    { .name = "asset-chunk-before", FORMAT, .text = RANGE_TEXT, .patches = { ASSET(TEXTURE, chunk_first, 0) } },
    { .name = "limit-asset",
      .result = LEAT_ERROR_LIMIT,
      .text = "asset_bytes_max is 127",
      .limits = { .asset_bytes_max = 127 } },
    { .name = "references-outside",
      FORMAT,
      .text = "its references are not in the table",
      .patches = { ASSET(BLOB, reference_first, 3) } },
    { .name = "references-end-outside",
      FORMAT,
      .text = "its references are not in the table",
      .patches = { ASSET(MATERIAL, reference_count, 2) } },
    { .name = "references-end-wraps",
      FORMAT,
      .text = "its references are not in the table",
      .patches = { ASSET(MATERIAL, reference_count, UINT32_MAX) } },
    { .name = "reference-role", FORMAT, .text = "reference 1 has role 7", .patches = { REFERENCE(1, role, 7) } },
    { .name = "reference-slot", FORMAT, .text = "and slot 65536", .patches = { REFERENCE(0, slot, 65536) } },
    { .name = "metadata-unaligned", FORMAT, .text = METADATA_TEXT, .patches = { ASSET(TEXTURE, metadata_offset, 4) } },
    { .name = "metadata-outside",
      FORMAT,
      .text = METADATA_TEXT,
      .patches = { ASSET(TEXTURE, metadata_offset, UINT32_MAX - 7) } },
    { .name = "metadata-of-blob",
      FORMAT,
      .text = "blob.bin: its " METADATA_TEXT,
      .patches = { ASSET(BLOB, metadata_size, 8) } },

    /* ---- Textures ---- */
    TEXTURE_ROW("metadata-size", ASSET(TEXTURE, metadata_size, 40)),
    TEXTURE_ROW("width-zero", TEXTURE(width, 0)),
    TEXTURE_ROW("height-zero", TEXTURE(height, 0)),
    TEXTURE_ROW("width-over-cap", TEXTURE(width, 65537)),
    TEXTURE_ROW("height-over-cap", TEXTURE(height, UINT32_MAX)),
    TEXTURE_ROW("mips-none", TEXTURE(mip_count, 0)),
    TEXTURE_ROW("mips-too-many", TEXTURE(mip_count, 6)),
    TEXTURE_ROW("mips-of-another-size", TEXTURE(mip_count, 4)),
    TEXTURE_ROW("dimensions-of-another-size", TEXTURE(width, 32)),
    TEXTURE_ROW("format-of-another-size", TEXTURE(format, LEAT_FORMAT_BC3_SRGB)),
    TEXTURE_ROW("format-unknown", TEXTURE(format, 6)),
    TEXTURE_ROW("layers-none", TEXTURE(layer_count, 0)),
    TEXTURE_ROW("layers-over-cap", TEXTURE(layer_count, 2049)),
    TEXTURE_ROW("flags", TEXTURE(flags, 16)),
    TEXTURE_ROW("cutoff-nan", TEXTURE(alpha_cutoff, NAN_BITS)),
    TEXTURE_ROW("cutoff-negative", TEXTURE(alpha_cutoff, MINUS_ONE_BITS)),
    TEXTURE_ROW("cutoff-over-one", TEXTURE(alpha_cutoff, TWO_BITS)),
    TEXTURE_ROW("reserved-0", TEXTURE(reserved[0], 1)),
    TEXTURE_ROW("reserved-1", TEXTURE(reserved[1], 1)),
    TEXTURE_ROW("without-bytes", ASSET(TEXTURE, raw_size, 0), ASSET(TEXTURE, raw_offset, 0),
                ASSET(TEXTURE, chunk_first, 0)),
    TEXTURE_ROW("raw-size", ASSET(TEXTURE, raw_size, 192)),
    CUBE_ROW("layers", CUBE(layer_count, 5)),
    CUBE_ROW("not-square", CUBE(width, 4)),

    /* ---- Meshes ---- */
    MESH_ROW("metadata-short", ASSET(MESH, metadata_size, 40)),
    MESH_ROW("metadata-size", ASSET(MESH, metadata_size, 184)),
    MESH_ROW("lods-none", MESH(lod_count, 0)),
    MESH_ROW("lods-over-cap", MESH(lod_count, 17)),
    MESH_ROW("submeshes-none", MESH(submesh_count, 0)),
    MESH_ROW("submeshes-over-cap", MESH(submesh_count, 65537)),
    MESH_ROW("submeshes-of-another-size", MESH(submesh_count, 3)),
    MESH_ROW("materials-over-cap", MESH(material_count, 65537)),
    MESH_ROW("stride", MESH(vertex_stride, 16)),
    MESH_ROW("index-size", MESH(index_size, 3)),
    MESH_ROW("flags", MESH(flags, 8)),
    MESH_ROW("bounds-nan", MESH(bounds_min[2], NAN_BITS)),
    MESH_ROW("bounds-infinite", MESH(bounds_max[0], INFINITY_BITS)),
    MESH_ROW("bounds-inside-out", MESH(bounds_min[1], TWO_BITS)),
    MESH_ROW("lod-vertices-apart", LOD(0, vertex_first, 4)),
    MESH_ROW("lod-indices-apart", LOD(0, index_first, 0)),
    MESH_ROW("lod-indices-no-triangles", LOD(1, index_count, 4)),
    MESH_ROW("lod-offset", LOD(0, raw_offset, 108)),
    MESH_ROW("lod-size", LOD(1, raw_size, 102)),
    MESH_ROW("lod-error-nan", LOD(1, error, NAN_BITS)),
    MESH_ROW("lod-error-negative", LOD(1, error, MINUS_ONE_BITS)),
    MESH_ROW("lod-reserved", LOD(1, reserved, 1)),
    MESH_ROW("vertices-beyond-16-bits", LOD(1, vertex_count, 65537), LOD(1, raw_size, 65537 * 32 + 8)),
    MESH_ROW("vertices-over-cap", MESH(index_size, 4), LOD(1, vertex_count, (1u << 28) + 1),
             LOD(1, raw_size, (UINT64_C(1) << 33) + 32 + 12)),
    MESH_ROW("indices-over-cap", LOD(1, index_count, UINT32_MAX), LOD(1, raw_size, 96 + UINT64_C(8589934592)),
             LOD(0, index_first, UINT32_MAX), LOD(0, raw_offset, 96 + UINT64_C(8589934592))),
    MESH_ROW("raw-size", ASSET(MESH, raw_size, 147)),
    MESH_ROW("submesh-outside", SUBMESH(0, 1, index_first, 7)),
    MESH_ROW("submesh-end-outside", SUBMESH(0, 1, index_count, 6)),
    MESH_ROW("submesh-end-wraps", SUBMESH(0, 1, index_count, UINT32_MAX)),
    MESH_ROW("submesh-no-triangles", SUBMESH(0, 0, index_count, 2)),
    MESH_ROW("submesh-material", SUBMESH(1, 0, material, 2)),
    MESH_ROW("submesh-material-of-none", MESH(material_count, 0)),
    MESH_ROW("submesh-reserved", SUBMESH(1, 1, reserved, 1)),

    /* ---- Materials ---- */
    MATERIAL_ROW("metadata-size", ASSET(MATERIAL, metadata_size, 56)),
    MATERIAL_ROW("with-bytes", ASSET(MATERIAL, raw_size, 16)),
    MATERIAL_ROW("base-color-nan", MATERIAL(base_color[3], NAN_BITS)),
    MATERIAL_ROW("emissive-infinite", MATERIAL(emissive[0], INFINITY_BITS)),
    MATERIAL_ROW("metallic-nan", MATERIAL(metallic, NAN_BITS)),
    MATERIAL_ROW("roughness-nan", MATERIAL(roughness, NAN_BITS)),
    MATERIAL_ROW("normal-scale-nan", MATERIAL(normal_scale, NAN_BITS)),
    MATERIAL_ROW("cutoff-nan", MATERIAL(alpha_cutoff, NAN_BITS)),
    MATERIAL_ROW("alpha-mode", MATERIAL(alpha_mode, 3)),
    MATERIAL_ROW("flags", MATERIAL(flags, 4)),
    MATERIAL_ROW("reserved", MATERIAL(reserved[2], 1)),

    /* ---- Found when a chunk is read: the index is in order ---- */
    { .name = "read-hash",
      .result = LEAT_ERROR_DAMAGED,
      .text = "chunk 1",
      .stage = GOLDEN_AT_READ,
      .seal = GOLDEN_SEAL_INDEX_AND_HEADER,
      .patches = { FILE_BYTE(4112, 0xff) } },
    { .name = "read-lz4-match-before-begin",
      .result = LEAT_ERROR_DAMAGED,
      .text = "chunk 0",
      .stage = GOLDEN_AT_READ,
      .patches = { FILE_BYTE(4096 + 3, 0xff) } },
    { .name = "read-lz4-too-short",
      .result = LEAT_ERROR_DAMAGED,
      .text = "chunk 0",
      .stage = GOLDEN_AT_READ,
      .patches = { FILE_BYTE(4096 + 4, 102) } },
    { .name = "read-lz4-too-long",
      .result = LEAT_ERROR_DAMAGED,
      .text = "chunk 0",
      .stage = GOLDEN_AT_READ,
      .patches = { FILE_BYTE(4096 + 4, 104) } },
    { .name = "read-lz4-literals-beyond-end",
      .result = LEAT_ERROR_DAMAGED,
      .text = "chunk 2",
      .stage = GOLDEN_AT_READ,
      .patches = { FILE_BYTE(4384 + 1, 255) } },

    /* ---- Found when a mesh's indices are used ---- */
    { .name = "use-index-beyond-vertices",
      .result = LEAT_ERROR_DAMAGED,
      .text = "an index names a vertex that is not there",
      .stage = GOLDEN_AT_USE,
      .patches = { FILE_BYTE(4384 + 2 + 48 + 104 + 32 + 4, 4) } },
};
const uint32_t golden_row_count = COUNT_OF(golden_rows);
