/* catalog.c - collects what the mounted packs hold.
 *
 * Two passes over the assets of all packs: the first counts and names them, the second resolves references by name hash
 * through a sorted table (so that thousands of assets cost n log n, once). Assets that a higher layer hides are left
 * out. */
#include "catalog.h"

#include <stdlib.h>
#include <string.h>

typedef struct catalog_block {
    struct catalog_block *next;
} catalog_block;

typedef struct name_entry {
    uint64_t hash;
    uint32_t kind; /* leat_asset_type */
    uint32_t index;
} name_entry;

typedef struct builder {
    const leat_streamer *streamer;
    catalog *c;
    name_entry *names;
    uint32_t name_count;
} builder;

static void *catalog_allocate(catalog *c, uint64_t count, uint64_t size)
{
    catalog_block *block =
        count > (SIZE_MAX / 2) / (size + 1) ? NULL : calloc(1, sizeof(catalog_block) + 16 + count * size);
    if (block == NULL) {
        return NULL;
    }
    block->next = c->blocks;
    c->blocks = block;
    return (char *)block + 16;
}

const char *catalog_name_tail(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash != NULL ? slash + 1 : name;
}

static char *name_copy(catalog *c, const leat_asset_info *info)
{
    char *name = catalog_allocate(c, info->name_size + 1u, 1);
    if (name != NULL && info->name_size > 0) {
        memcpy(name, info->name, info->name_size);
    }
    return name;
}

static bool mesh_read(builder *b, leat_asset asset, catalog_mesh *mesh)
{
    if (leat_asset_mesh(b->streamer, asset, &mesh->info) != LEAT_OK) {
        return false;
    }
    uint32_t lod_count = mesh->info.lod_count, submesh_count = mesh->info.submesh_count;
    mesh->lods = catalog_allocate(b->c, lod_count, sizeof *mesh->lods);
    mesh->submeshes = catalog_allocate(b->c, (uint64_t)lod_count * submesh_count, sizeof *mesh->submeshes);
    mesh->materials = catalog_allocate(b->c, mesh->info.material_count, sizeof *mesh->materials);
    if (mesh->lods == NULL || mesh->submeshes == NULL || mesh->materials == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < mesh->info.material_count; ++i) {
        mesh->materials[i] = CATALOG_NONE;
    }
    for (uint32_t lod = 0; lod < lod_count; ++lod) {
        if (leat_asset_lod(b->streamer, asset, lod, &mesh->lods[lod]) != LEAT_OK) {
            return false;
        }
        for (uint32_t s = 0; s < submesh_count; ++s) {
            leat_submesh_info *submesh = &mesh->submeshes[(uint64_t)lod * submesh_count + s];
            if (leat_asset_submesh(b->streamer, asset, lod, s, submesh) != LEAT_OK) {
                return false;
            }
        }
    }
    return true;
}

/* First pass: one asset into its array. An asset whose metadata cannot be had is left out, not fatal. */
static bool asset_add(builder *b, leat_asset asset, const leat_asset_info *info)
{
    catalog *c = b->c;
    char *name = name_copy(c, info);
    if (name == NULL) {
        return false;
    }
    uint32_t index = 0;
    c->bytes_raw += info->size;
    if (info->type == LEAT_ASSET_TEXTURE) {
        catalog_texture *texture = &c->textures[c->texture_count];
        *texture = (catalog_texture){ .asset = asset, .name = name };
        if (leat_asset_texture(b->streamer, asset, &texture->info) != LEAT_OK) {
            return true;
        }
        index = c->texture_count++;
    } else if (info->type == LEAT_ASSET_MESH) {
        catalog_mesh *mesh = &c->meshes[c->mesh_count];
        *mesh = (catalog_mesh){ .asset = asset, .name = name };
        if (!mesh_read(b, asset, mesh)) {
            return true;
        }
        index = c->mesh_count++;
    } else if (info->type == LEAT_ASSET_MATERIAL) {
        catalog_material *material = &c->materials[c->material_count];
        *material = (catalog_material){ .name = name,
                                        .base_color = CATALOG_NONE,
                                        .normal = CATALOG_NONE,
                                        .metallic_roughness = CATALOG_NONE,
                                        .emissive = CATALOG_NONE,
                                        .occlusion = CATALOG_NONE };
        if (leat_asset_material(b->streamer, asset, &material->info) != LEAT_OK) {
            return true;
        }
        index = c->material_count++;
    } else {
        ++c->blob_count;
        return true;
    }
    b->names[b->name_count++] = (name_entry){ info->name_hash, (uint32_t)info->type, index };
    return true;
}

static int name_entry_compare(const void *a, const void *b)
{
    const name_entry *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static uint32_t name_find(const builder *b, uint64_t hash, leat_asset_type kind)
{
    name_entry key = { .hash = hash };
    const name_entry *found = bsearch(&key, b->names, b->name_count, sizeof *b->names, name_entry_compare);
    return found != NULL && found->kind == (uint32_t)kind ? found->index : CATALOG_NONE;
}

static void material_resolve(builder *b, leat_asset asset, uint32_t reference_count, catalog_material *material)
{
    for (uint32_t i = 0; i < reference_count; ++i) {
        leat_reference reference;
        if (leat_asset_reference(b->streamer, asset, i, &reference) != LEAT_OK) {
            continue;
        }
        uint32_t texture = name_find(b, reference.name_hash, LEAT_ASSET_TEXTURE);
        if (texture == CATALOG_NONE) {
            ++b->c->reference_missing_count;
            continue;
        }
        switch (reference.role) {
        case LEAT_REFERENCE_BASE_COLOR:
            material->base_color = texture;
            b->c->textures[texture].is_color = true;
            break;
        case LEAT_REFERENCE_NORMAL:
            material->normal = texture;
            break;
        case LEAT_REFERENCE_METALLIC_ROUGHNESS:
            material->metallic_roughness = texture;
            break;
        case LEAT_REFERENCE_EMISSIVE:
            material->emissive = texture;
            b->c->textures[texture].is_color = true;
            break;
        case LEAT_REFERENCE_OCCLUSION:
            material->occlusion = texture;
            break;
        default:
            break;
        }
    }
}

static void mesh_resolve(builder *b, leat_asset asset, uint32_t reference_count, catalog_mesh *mesh)
{
    for (uint32_t i = 0; i < reference_count; ++i) {
        leat_reference reference;
        if (leat_asset_reference(b->streamer, asset, i, &reference) != LEAT_OK ||
            reference.role != LEAT_REFERENCE_MATERIAL || reference.slot >= mesh->info.material_count) {
            continue;
        }
        mesh->materials[reference.slot] = name_find(b, reference.name_hash, LEAT_ASSET_MATERIAL);
        b->c->reference_missing_count += mesh->materials[reference.slot] == CATALOG_NONE;
    }
}

/* Walks all assets that are not hidden; second pass resolves references. */
static bool packs_walk(builder *b, const leat_pack *packs, uint32_t pack_count, bool resolve)
{
    for (uint32_t p = 0; p < pack_count; ++p) {
        leat_pack_info pack_info;
        if (leat_pack_info_get(b->streamer, packs[p], &pack_info) != LEAT_OK) {
            return false;
        }
        for (uint32_t i = 0; i < pack_info.asset_count; ++i) {
            leat_asset asset = leat_asset_at(b->streamer, packs[p], i);
            leat_asset_info info;
            if (leat_asset_info_get(b->streamer, asset, &info) != LEAT_OK) {
                return false;
            }
            leat_asset top = leat_asset_find(b->streamer, info.name_hash);
            if (top.pack.index != asset.pack.index || top.index != asset.index) {
                continue;
            }
            if (!resolve) {
                if (!asset_add(b, asset, &info)) {
                    return false;
                }
                continue;
            }
            uint32_t index = name_find(b, info.name_hash, info.type);
            if (index != CATALOG_NONE && info.type == LEAT_ASSET_MATERIAL) {
                material_resolve(b, asset, info.reference_count, &b->c->materials[index]);
            } else if (index != CATALOG_NONE && info.type == LEAT_ASSET_MESH) {
                mesh_resolve(b, asset, info.reference_count, &b->c->meshes[index]);
            }
        }
    }
    return true;
}

bool catalog_create(const leat_streamer *streamer, const leat_pack *packs, uint32_t pack_count, catalog *c)
{
    *c = (catalog){ 0 };
    uint64_t asset_count = 0;
    for (uint32_t p = 0; p < pack_count; ++p) {
        leat_pack_info info;
        if (leat_pack_info_get(streamer, packs[p], &info) != LEAT_OK) {
            return false;
        }
        asset_count += info.asset_count;
    }
    builder b = { .streamer = streamer, .c = c };
    /* One array a type of the largest size possible: simple, and small beside the textures themselves. */
    c->textures = catalog_allocate(c, asset_count, sizeof *c->textures);
    c->meshes = catalog_allocate(c, asset_count, sizeof *c->meshes);
    c->materials = catalog_allocate(c, asset_count, sizeof *c->materials);
    b.names = malloc((asset_count + 1) * sizeof *b.names);
    bool ok = c->textures != NULL && c->meshes != NULL && c->materials != NULL && b.names != NULL &&
              packs_walk(&b, packs, pack_count, false);
    if (ok) {
        qsort(b.names, b.name_count, sizeof *b.names, name_entry_compare);
        ok = packs_walk(&b, packs, pack_count, true);
    }
    free(b.names);
    if (!ok) {
        catalog_destroy(c);
    }
    return ok;
}

void catalog_destroy(catalog *c)
{
    while (c->blocks != NULL) {
        catalog_block *next = c->blocks->next;
        free(c->blocks);
        c->blocks = next;
    }
    *c = (catalog){ 0 };
}
