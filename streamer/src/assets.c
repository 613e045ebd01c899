/* assets.c - what the index of a pack says of an asset: its type, its parts, and where they lie.
 *
 * Pure look-ups in checked records (pack_index.c): no offset is checked again here, only the caller's positions. The
 * parts of textures and meshes are prefixes or runs of the asset's bytes, since both are stored coarsest first. */
#include "streamer.h"

#include <string.h>

#define TEXTURE_MIPS_MAX 32u /* shifts of 32-bit edges; packs have at most 17 */

static const leat_pack_asset_record *record_of(const pack_slot *slot, uint32_t asset)
{
    return &slot->index.assets[asset];
}

static const void *metadata_of(const pack_slot *slot, uint32_t asset)
{
    return slot->index.metadata + record_of(slot, asset)->metadata_offset;
}

leat_result asset_locate(const pack_slot *slot, leat_asset asset, uint32_t *position)
{
    if (asset.index == 0 || asset.index > slot->ids.count) {
        return LEAT_ERROR_ARGUMENT;
    }
    *position = asset_position(&slot->ids, asset.index - 1);
    return *position == ASSET_NONE ? LEAT_ERROR_NOT_FOUND : LEAT_OK;
}

/* The checked slot and position of an asset handle of this type; NULL and *result otherwise. */
static pack_slot *acquire(const leat_streamer *s, leat_asset asset, uint32_t type, uint32_t *position,
                          leat_result *result)
{
    pack_slot *slot = pack_acquire(s, asset.pack);
    *result = LEAT_ERROR_STALE;
    if (slot == NULL) {
        return NULL;
    }
    *result = asset_locate(slot, asset, position);
    if (*result == LEAT_OK && type != LEAT_ASSET_TYPE_COUNT && record_of(slot, *position)->type != type) {
        *result = LEAT_ERROR_ARGUMENT;
    }
    if (*result != LEAT_OK) {
        pack_release((leat_streamer *)s, slot);
        return NULL;
    }
    return slot;
}

static void release(const leat_streamer *s, pack_slot *slot)
{
    pack_release((leat_streamer *)s, slot);
}

static void texture_info_of(const leat_pack_texture_metadata *meta, leat_texture_info *info)
{
    *info = (leat_texture_info){
        .width = meta->width,
        .height = meta->height,
        .mip_count = meta->mip_count,
        .layer_count = meta->layer_count,
        .format = (leat_format)meta->format,
        .flags = meta->flags,
        .alpha_cutoff = meta->alpha_cutoff,
    };
}

static const leat_pack_lod_record *lods_of(const leat_pack_mesh_metadata *meta)
{
    return (const leat_pack_lod_record *)(const void *)(meta + 1);
}

static const leat_pack_submesh_record *submeshes_of(const leat_pack_mesh_metadata *meta)
{
    return (const leat_pack_submesh_record *)(const void *)(lods_of(meta) + meta->lod_count);
}

/* ---- Parts ---- */

static leat_result mips_part(const leat_pack_texture_metadata *meta, const leat_part *part, uint64_t *offset,
                             uint64_t *size)
{
    uint32_t count = part->count;
    if (part->first >= meta->mip_count || count > meta->mip_count - part->first) {
        return LEAT_ERROR_ARGUMENT;
    }
    uint32_t after = count == 0 ? meta->mip_count : part->first + count; /* the first coarser mip that is not wanted */
    *offset = 0;
    for (uint32_t mip = meta->mip_count; mip-- > after;) {
        *offset += pack_mip_size(meta->format, meta->width, meta->height, meta->layer_count, mip);
    }
    *size = 0;
    for (uint32_t mip = after; mip-- > part->first;) {
        *size += pack_mip_size(meta->format, meta->width, meta->height, meta->layer_count, mip);
    }
    return LEAT_OK;
}

static leat_result lods_part(const leat_pack_mesh_metadata *meta, const leat_part *part, uint64_t *offset,
                             uint64_t *size)
{
    uint32_t count = part->count;
    if (part->first >= meta->lod_count || count > meta->lod_count - part->first) {
        return LEAT_ERROR_ARGUMENT;
    }
    const leat_pack_lod_record *lods = lods_of(meta);
    const leat_pack_lod_record *finest = &lods[part->first];
    *offset = count == 0 ? 0 : lods[part->first + count - 1].raw_offset;
    *size = finest->raw_offset + finest->raw_size - *offset;
    return LEAT_OK;
}

leat_result asset_part(const pack_slot *slot, uint32_t asset, const leat_part *part, uint64_t *offset, uint64_t *size)
{
    const leat_pack_asset_record *record = record_of(slot, asset);
    switch (part->kind) {
    case LEAT_PART_ALL:
        *offset = 0;
        *size = record->raw_size;
        return LEAT_OK;
    case LEAT_PART_MIPS:
        return record->type == LEAT_ASSET_TEXTURE ? mips_part(metadata_of(slot, asset), part, offset, size)
                                                  : LEAT_ERROR_ARGUMENT;
    case LEAT_PART_LODS:
        return record->type == LEAT_ASSET_MESH ? lods_part(metadata_of(slot, asset), part, offset, size)
                                               : LEAT_ERROR_ARGUMENT;
    case LEAT_PART_BYTES:
        *offset = part->offset;
        *size = part->size;
        return part->offset <= record->raw_size && part->size <= record->raw_size - part->offset ? LEAT_OK
                                                                                                 : LEAT_ERROR_ARGUMENT;
    }
    return LEAT_ERROR_ARGUMENT;
}

/* The kind of part that has levels in this asset, and how many there are; 0: it has none. */
static uint32_t levels_of(const pack_slot *slot, uint32_t asset, leat_part_kind *kind)
{
    const leat_pack_asset_record *record = record_of(slot, asset);
    if (record->type == LEAT_ASSET_TEXTURE) {
        *kind = LEAT_PART_MIPS;
        return ((const leat_pack_texture_metadata *)metadata_of(slot, asset))->mip_count;
    }
    if (record->type == LEAT_ASSET_MESH) {
        *kind = LEAT_PART_LODS;
        return ((const leat_pack_mesh_metadata *)metadata_of(slot, asset))->lod_count;
    }
    *kind = LEAT_PART_ALL;
    return 0;
}

uint16_t asset_level(const leat_part *part)
{
    if (part->kind == LEAT_PART_ALL) {
        return 0;
    }
    bool levels = part->kind == LEAT_PART_MIPS || part->kind == LEAT_PART_LODS;
    return levels && part->count == 0 && part->first < LEVEL_NONE ? (uint16_t)part->first : LEVEL_NONE;
}

bool asset_level_size(const pack_slot *slot, uint32_t asset, uint16_t level, uint64_t *size)
{
    leat_part part = { .first = level };
    uint64_t offset;
    return level < levels_of(slot, asset, &part.kind) && asset_part(slot, asset, &part, &offset, size) == LEAT_OK &&
           *size > 0 && offset == 0;
}

leat_part asset_level_part(const pack_slot *slot, uint32_t asset, uint16_t level)
{
    leat_part part = { .first = level };
    levels_of(slot, asset, &part.kind);
    return part;
}

leat_result leat_asset_part(const leat_streamer *s, leat_asset asset, const leat_part *part, uint64_t *offset,
                            uint64_t *size)
{
    *offset = *size = 0;
    leat_result result;
    uint32_t at;
    pack_slot *slot = acquire(s, asset, LEAT_ASSET_TYPE_COUNT, &at, &result);
    if (slot != NULL) {
        result = asset_part(slot, at, part, offset, size);
        release(s, slot);
    }
    return result;
}

/* ---- Infos ---- */

leat_result leat_asset_info_get(const leat_streamer *s, leat_asset asset, leat_asset_info *info)
{
    *info = (leat_asset_info){ 0 };
    leat_result result;
    uint32_t at;
    pack_slot *slot = acquire(s, asset, LEAT_ASSET_TYPE_COUNT, &at, &result);
    if (slot != NULL) {
        const leat_pack_asset_record *record = record_of(slot, at);
        *info = (leat_asset_info){
            .type = (leat_asset_type)record->type,
            .name_hash = record->name_hash,
            .content_hash = record->content_hash,
            .size = record->raw_size,
            .reference_count = record->reference_count,
            .name_size = record->name_size,
            .name = slot->index.names + record->name_offset,
        };
        release(s, slot);
    }
    return result;
}

leat_result leat_asset_texture(const leat_streamer *s, leat_asset asset, leat_texture_info *info)
{
    *info = (leat_texture_info){ 0 };
    leat_result result;
    uint32_t at;
    pack_slot *slot = acquire(s, asset, LEAT_ASSET_TEXTURE, &at, &result);
    if (slot != NULL) {
        texture_info_of(metadata_of(slot, at), info);
        release(s, slot);
    }
    return result;
}

bool leat_texture_mip(const leat_texture_info *info, uint32_t mip, leat_mip_info *mip_info)
{
    *mip_info = (leat_mip_info){ 0 };
    uint32_t edge = leat_format_block_edge(info->format);
    uint32_t mip_count = u32_min(info->mip_count, TEXTURE_MIPS_MAX); /* the caller may have made info up */
    if (mip >= mip_count || edge == 0) {
        return false;
    }
    mip_info->width = u32_max(info->width >> mip, 1);
    mip_info->height = u32_max(info->height >> mip, 1);
    mip_info->size = pack_mip_size(info->format, info->width, info->height, info->layer_count, mip);
    for (uint32_t coarser = mip + 1; coarser < mip_count; ++coarser) {
        mip_info->offset += pack_mip_size(info->format, info->width, info->height, info->layer_count, coarser);
    }
    mip_info->row_size = (mip_info->width + edge - 1) / edge * leat_format_block_size(info->format);
    return true;
}

leat_result leat_asset_mesh(const leat_streamer *s, leat_asset asset, leat_mesh_info *info)
{
    *info = (leat_mesh_info){ 0 };
    leat_result result;
    uint32_t at;
    pack_slot *slot = acquire(s, asset, LEAT_ASSET_MESH, &at, &result);
    if (slot != NULL) {
        const leat_pack_mesh_metadata *meta = metadata_of(slot, at);
        const leat_pack_lod_record *finest = lods_of(meta);
        *info = (leat_mesh_info){
            .lod_count = meta->lod_count,
            .submesh_count = meta->submesh_count,
            .material_count = meta->material_count,
            .vertex_stride = meta->vertex_stride,
            .index_size = meta->index_size,
            .vertex_count = finest->vertex_first + finest->vertex_count,
            .index_count = finest->index_first + finest->index_count,
            .flags = meta->flags,
        };
        memcpy(info->bounds_min, meta->bounds_min, sizeof(info->bounds_min));
        memcpy(info->bounds_max, meta->bounds_max, sizeof(info->bounds_max));
        release(s, slot);
    }
    return result;
}

leat_result leat_asset_lod(const leat_streamer *s, leat_asset asset, uint32_t lod, leat_lod_info *info)
{
    *info = (leat_lod_info){ 0 };
    leat_result result;
    uint32_t at;
    pack_slot *slot = acquire(s, asset, LEAT_ASSET_MESH, &at, &result);
    if (slot != NULL) {
        const leat_pack_mesh_metadata *meta = metadata_of(slot, at);
        if (lod < meta->lod_count) {
            const leat_pack_lod_record *record = &lods_of(meta)[lod];
            *info = (leat_lod_info){
                .vertex_first = record->vertex_first,
                .vertex_count = record->vertex_count,
                .index_first = record->index_first,
                .index_count = record->index_count,
                .error = record->error,
                .offset = record->raw_offset,
                .size = record->raw_size,
            };
        } else {
            result = LEAT_ERROR_ARGUMENT;
        }
        release(s, slot);
    }
    return result;
}

leat_result leat_asset_submesh(const leat_streamer *s, leat_asset asset, uint32_t lod, uint32_t submesh,
                               leat_submesh_info *info)
{
    *info = (leat_submesh_info){ 0 };
    leat_result result;
    uint32_t at;
    pack_slot *slot = acquire(s, asset, LEAT_ASSET_MESH, &at, &result);
    if (slot != NULL) {
        const leat_pack_mesh_metadata *meta = metadata_of(slot, at);
        if (lod < meta->lod_count && submesh < meta->submesh_count) {
            const leat_pack_submesh_record *record = &submeshes_of(meta)[(uint64_t)lod * meta->submesh_count + submesh];
            *info = (leat_submesh_info){
                .index_first = lods_of(meta)[lod].index_first + record->index_first,
                .index_count = record->index_count,
                .material = record->material,
            };
        } else {
            result = LEAT_ERROR_ARGUMENT;
        }
        release(s, slot);
    }
    return result;
}

leat_result leat_asset_material(const leat_streamer *s, leat_asset asset, leat_material_info *info)
{
    *info = (leat_material_info){ 0 };
    leat_result result;
    uint32_t at;
    pack_slot *slot = acquire(s, asset, LEAT_ASSET_MATERIAL, &at, &result);
    if (slot != NULL) {
        const leat_pack_material_metadata *meta = metadata_of(slot, at);
        *info = (leat_material_info){
            .metallic = meta->metallic,
            .roughness = meta->roughness,
            .normal_scale = meta->normal_scale,
            .alpha_cutoff = meta->alpha_cutoff,
            .alpha_mode = (leat_alpha_mode)meta->alpha_mode,
            .flags = meta->flags,
        };
        memcpy(info->base_color, meta->base_color, sizeof(info->base_color));
        memcpy(info->emissive, meta->emissive, sizeof(info->emissive));
        release(s, slot);
    }
    return result;
}

leat_result leat_asset_reference(const leat_streamer *s, leat_asset asset, uint32_t position, leat_reference *reference)
{
    *reference = (leat_reference){ 0 };
    leat_result result;
    uint32_t at;
    pack_slot *slot = acquire(s, asset, LEAT_ASSET_TYPE_COUNT, &at, &result);
    if (slot != NULL) {
        const leat_pack_asset_record *record = record_of(slot, at);
        if (position < record->reference_count) {
            const leat_pack_reference_record *r = &slot->index.references[record->reference_first + position];
            *reference =
                (leat_reference){ .name_hash = r->name_hash, .role = (leat_reference_role)r->role, .slot = r->slot };
        } else {
            result = LEAT_ERROR_ARGUMENT;
        }
        release(s, slot);
    }
    return result;
}
