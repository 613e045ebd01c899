/* clang-format off */ /* columns are kept by hand, and a declaration stands in one line */
/* leat/assets.h - what an asset is: its type, and by type what a pack's index says of it, known without a read. Included by
 * leat/leat.h, which says how assets are found (leat_asset_find) and read.
 *
 * All calls here: any thread, at any time. Errors of those that take a leat_asset: STALE, NOT_FOUND (a swap has removed it),
 * ARGUMENT (an asset of another type; a LOD, submesh or position that is not there). *info is zeroed then. */
#ifndef LEAT_PUBLIC_ASSETS_H
#define LEAT_PUBLIC_ASSETS_H

#include <leat/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- All assets --------------------------------------------------------------------------------------------------- */

/* 64-bit FNV-1a of the name with the finaliser of MurmurHash3. Compilers fold it for literals. */
static inline uint64_t leat_name_hash(const char *name, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; ++i) {
        hash = (hash ^ (uint8_t)name[i]) * 0x100000001b3u;
    }
    hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdu;
    hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53u;
    return hash ^ (hash >> 33);
}
#define LEAT_NAME(literal) leat_name_hash("" literal, sizeof(literal) - 1)

typedef enum leat_asset_type {
    LEAT_ASSET_BLOB = 0, /* bytes that Leat does not interpret */
    LEAT_ASSET_TEXTURE = 1,
    LEAT_ASSET_MESH = 2,
    LEAT_ASSET_MATERIAL = 3, /* metadata and references, no bytes */
    LEAT_ASSET_TYPE_COUNT = 4
} leat_asset_type;

typedef struct leat_asset_info {
    leat_asset_type type;
    uint64_t name_hash, content_hash;
    uint64_t size; /* raw bytes */
    uint32_t reference_count;
    uint32_t name_size;
    const char *name; /* UTF-8, NOT zero-terminated; valid while the pack is open, or until the leat_update after the
                         one that returned the last RELOADED event of a swap */
} leat_asset_info;
LEAT_API LEAT_CHECK leat_result leat_asset_info_get(const leat_streamer *streamer, leat_asset asset, leat_asset_info *info);

/* Other assets that this one uses. */
typedef enum leat_reference_role {
    LEAT_REFERENCE_MATERIAL = 0, /* of a mesh: slot is the material slot */
    LEAT_REFERENCE_BASE_COLOR = 1,
    LEAT_REFERENCE_NORMAL = 2,
    LEAT_REFERENCE_METALLIC_ROUGHNESS = 3, /* roughness in G, metallic in B (glTF) */
    LEAT_REFERENCE_EMISSIVE = 4,
    LEAT_REFERENCE_OCCLUSION = 5,
    LEAT_REFERENCE_OTHER = 6
} leat_reference_role;
typedef struct leat_reference {
    uint64_t name_hash; /* for leat_asset_find */
    leat_reference_role role;
    uint32_t slot;
} leat_reference;
/* position: 0 .. leat_asset_info.reference_count - 1. */
LEAT_API LEAT_CHECK leat_result leat_asset_reference(const leat_streamer *streamer, leat_asset asset, uint32_t position,
                                                     leat_reference *reference);

/* ---- Textures ----------------------------------------------------------------------------------------------------- */

/* Texel formats. The numbers are part of the pack format: they never change. */
typedef enum leat_format {
    LEAT_FORMAT_NONE = 0,
    LEAT_FORMAT_RGBA8_UNORM = 1,
    LEAT_FORMAT_RGBA8_SRGB = 2,
    LEAT_FORMAT_R8_UNORM = 3,
    LEAT_FORMAT_RG8_UNORM = 4,
    LEAT_FORMAT_RGBA16_FLOAT = 5,
    LEAT_FORMAT_BC1_UNORM = 16,
    LEAT_FORMAT_BC1_SRGB = 17,
    LEAT_FORMAT_BC2_UNORM = 18,
    LEAT_FORMAT_BC2_SRGB = 19,
    LEAT_FORMAT_BC3_UNORM = 20,
    LEAT_FORMAT_BC3_SRGB = 21,
    LEAT_FORMAT_BC4_UNORM = 22,
    LEAT_FORMAT_BC4_SNORM = 23,
    LEAT_FORMAT_BC5_UNORM = 24,
    LEAT_FORMAT_BC5_SNORM = 25,
    LEAT_FORMAT_BC6H_UFLOAT = 26,
    LEAT_FORMAT_BC6H_SFLOAT = 27,
    LEAT_FORMAT_BC7_UNORM = 28,
    LEAT_FORMAT_BC7_SRGB = 29
} leat_format;

/* "BC1_SRGB" and so on; "?" for a number that is no format. */
LEAT_API const char *leat_format_text(leat_format format);
/* Bytes of one block, and its edge in texels (4 for BC formats, else 1); 0 for a number that is no format. */
LEAT_API uint32_t leat_format_block_size(leat_format format);
LEAT_API uint32_t leat_format_block_edge(leat_format format);

typedef enum leat_texture_flags {
    LEAT_TEXTURE_NORMAL_MAP = 1 << 0, /* tangent-space normals, +Y up; BC5 holds x and y */
    LEAT_TEXTURE_ALPHA = 1 << 1,      /* some texel is not opaque */
    LEAT_TEXTURE_CUTOUT = 1 << 2,     /* alpha is nearly binary; coverage is kept over mips at alpha_cutoff */
    LEAT_TEXTURE_CUBE = 1 << 3
} leat_texture_flags;

typedef struct leat_texture_info {
    uint32_t width, height, mip_count, layer_count;
    leat_format format;
    uint32_t flags; /* leat_texture_flags */
    float alpha_cutoff;
} leat_texture_info;
LEAT_API LEAT_CHECK leat_result leat_asset_texture(const leat_streamer *streamer, leat_asset asset, leat_texture_info *info);

/* Where mip `mip` lies in the asset's bytes (all layers). Pure. Returns false for a mip that is not there. */
typedef struct leat_mip_info {
    uint32_t width, height;
    uint64_t offset, size; /* in the asset; smallest mip first, tightly packed */
    uint32_t row_size;     /* bytes of a row of blocks */
} leat_mip_info;
LEAT_API bool leat_texture_mip(const leat_texture_info *info, uint32_t mip, leat_mip_info *mip_info);

/* ---- Meshes ------------------------------------------------------------------------------------------------------- */

/* The vertex of packed meshes. Right-handed, +Y up, counter-clockwise front faces; v = 0 is the top row of a texture. */
typedef struct leat_vertex {
    float position[3];
    int16_t normal[4]; /* snorm; [3] is 0 */
    float uv[2];
    uint8_t color[4]; /* unorm, linear; white where the source has none */
} leat_vertex;

typedef enum leat_mesh_flags {
    LEAT_MESH_HAS_UV = 1 << 0,
    LEAT_MESH_HAS_NORMALS = 1 << 1, /* the source had them; else they were generated */
    LEAT_MESH_HAS_COLORS = 1 << 2
} leat_mesh_flags;

typedef struct leat_mesh_info {
    uint32_t lod_count, submesh_count, material_count;
    uint32_t vertex_stride, index_size; /* of a leat_vertex (32); of an index, 2 or 4 */
    uint32_t vertex_count, index_count; /* over all LODs: sizes for the buffers */
    uint32_t flags;                     /* leat_mesh_flags */
    float bounds_min[3], bounds_max[3];
} leat_mesh_info;
LEAT_API LEAT_CHECK leat_result leat_asset_mesh(const leat_streamer *streamer, leat_asset asset, leat_mesh_info *info);

typedef struct leat_lod_info {
    uint32_t vertex_first, vertex_count; /* vertices which this LOD appends */
    uint32_t index_first, index_count;   /* indices which this LOD appends; they use vertices below first + count */
    float error;                         /* in units of the mesh */
    uint64_t offset, size;               /* in the asset: vertices, then indices */
} leat_lod_info;
LEAT_API LEAT_CHECK leat_result leat_asset_lod(const leat_streamer *streamer, leat_asset asset, uint32_t lod, leat_lod_info *info);

typedef struct leat_submesh_info {
    uint32_t index_first; /* in the mesh's index buffer */
    uint32_t index_count;
    uint32_t material; /* slot */
} leat_submesh_info;
LEAT_API LEAT_CHECK leat_result leat_asset_submesh(const leat_streamer *streamer, leat_asset asset, uint32_t lod, uint32_t submesh,
                                                   leat_submesh_info *info);

/* ---- Materials ---------------------------------------------------------------------------------------------------- */

typedef enum leat_alpha_mode { LEAT_ALPHA_OPAQUE = 0, LEAT_ALPHA_MASK = 1, LEAT_ALPHA_BLEND = 2 } leat_alpha_mode;
typedef enum leat_material_flags { LEAT_MATERIAL_DOUBLE_SIDED = 1 << 0, LEAT_MATERIAL_UNLIT = 1 << 1 } leat_material_flags;

typedef struct leat_material_info {
    float base_color[4]; /* linear */
    float emissive[3];
    float metallic, roughness, normal_scale, alpha_cutoff;
    leat_alpha_mode alpha_mode;
    uint32_t flags; /* leat_material_flags */
} leat_material_info;
/* Its textures are its references. */
LEAT_API LEAT_CHECK leat_result leat_asset_material(const leat_streamer *streamer, leat_asset asset, leat_material_info *info);

#ifdef __cplusplus
}
#endif

#endif
