/* catalog.h - what the mounted packs hold, as plain arrays: textures, meshes, materials and how they refer to each
 * other.
 *
 * Made once after the packs are open, from their indices alone: no asset is read for it. The rest of the viewer knows
 * assets by their position in these arrays. Hostile metadata was checked by the library; references that lead nowhere
 * are CATALOG_NONE here. */
#ifndef VIEW_CATALOG_H
#define VIEW_CATALOG_H

#include <leat/leat.h>

#define CATALOG_NONE UINT32_MAX

typedef struct catalog_texture {
    leat_asset asset;
    const char *name;
    leat_texture_info info;
    bool is_color; /* some material uses it as colour, or it holds sRGB */
} catalog_texture;

typedef struct catalog_material {
    const char *name;
    leat_material_info info;
    uint32_t base_color, normal, metallic_roughness, emissive, occlusion; /* textures, or CATALOG_NONE */
} catalog_material;

typedef struct catalog_mesh {
    leat_asset asset;
    const char *name;
    leat_mesh_info info;
    leat_lod_info *lods; /* lod_count, finest first */
    leat_submesh_info *submeshes; /* [lod * submesh_count + submesh] */
    uint32_t *materials; /* by slot: a material, or CATALOG_NONE */
} catalog_mesh;

typedef struct catalog {
    catalog_texture *textures;
    catalog_mesh *meshes;
    catalog_material *materials;
    uint32_t texture_count, mesh_count, material_count, blob_count;
    uint32_t reference_missing_count; /* references that no mounted pack answers */
    uint64_t bytes_raw;
    struct catalog_block *blocks; /* all memory of the above */
} catalog;

/* Returns false if memory ran out or an asset could not be asked for; the catalogue is empty then. */
bool catalog_create(const leat_streamer *streamer, const leat_pack *packs, uint32_t pack_count, catalog *c);
void catalog_destroy(catalog *c);

/* The file name part of an asset name. */
const char *catalog_name_tail(const char *name);

#endif
