/* reload.c - see reload.h. All is linear in the number of assets: each name is looked up once. */
#include "reload.h"

#include <string.h>

/* ---- Ids ---- */

void asset_ids_init(asset_ids *ids, uint32_t asset_count)
{
    *ids = (asset_ids){ .count = asset_count, .position_count = asset_count };
}

void asset_ids_free(memory *m, asset_ids *ids)
{
    memory_free(m, ids->names, ids->count, sizeof(*ids->names));
    memory_free(m, ids->positions, ids->count, sizeof(*ids->positions));
    memory_free(m, ids->of_positions, ids->position_count, sizeof(*ids->of_positions));
    *ids = (asset_ids){ 0 };
}

static bool same_names(const pack_index *before, const pack_index *after)
{
    bool same = before->asset_count == after->asset_count;
    for (uint32_t i = 0; same && i < after->asset_count; ++i) {
        same = before->assets[i].name_hash == after->assets[i].name_hash;
    }
    return same;
}

static uint64_t name_of_id(const pack_index *index, const asset_ids *ids, uint32_t id)
{
    return ids->names == NULL ? index->assets[id].name_hash : ids->names[id];
}

static uint32_t count_known(const pack_index *before, const asset_ids *ids_before, const pack_index *after)
{
    uint32_t known = 0;
    for (uint32_t id = 0; id < ids_before->count; ++id) {
        known += pack_index_find(after, name_of_id(before, ids_before, id)) != UINT32_MAX;
    }
    return known;
}

leat_result asset_ids_renew(memory *m, const pack_index *before, const asset_ids *ids_before, const pack_index *after,
                            uint32_t id_count_max, asset_ids *ids)
{
    asset_ids_init(ids, after->asset_count);
    if (ids_before->positions == NULL && same_names(before, after)) {
        return LEAT_OK;
    }
    uint64_t count = (uint64_t)ids_before->count + after->asset_count - count_known(before, ids_before, after);
    if (count > id_count_max) {
        return LEAT_ERROR_LIMIT;
    }
    ids->count = (uint32_t)count;
    if (count == 0) { /* nothing before and nothing now */
        return LEAT_OK;
    }
    ids->names = memory_allocate(m, count, sizeof(*ids->names), CACHE_LINE_SIZE);
    ids->positions = memory_allocate(m, count, sizeof(*ids->positions), CACHE_LINE_SIZE);
    ids->of_positions = memory_allocate(m, u32_max(after->asset_count, 1), sizeof(*ids->of_positions), CACHE_LINE_SIZE);
    ids->position_count = u32_max(after->asset_count, 1);
    if (ids->names == NULL || ids->positions == NULL || ids->of_positions == NULL) {
        asset_ids_free(m, ids);
        return LEAT_ERROR_MEMORY;
    }
    memset(ids->of_positions, 0xff, (uint64_t)ids->position_count * sizeof(*ids->of_positions)); /* ASSET_NONE */
    uint32_t next = 0;
    for (; next < ids_before->count; ++next) {
        ids->names[next] = name_of_id(before, ids_before, next);
        ids->positions[next] = pack_index_find(after, ids->names[next]); /* UINT32_MAX is ASSET_NONE */
        if (ids->positions[next] != ASSET_NONE) {
            ids->of_positions[ids->positions[next]] = next;
        }
    }
    for (uint32_t position = 0; position < after->asset_count; ++position) {
        if (ids->of_positions[position] == ASSET_NONE) {
            ids->names[next] = after->assets[position].name_hash;
            ids->positions[next] = position;
            ids->of_positions[position] = next++;
        }
    }
    ASSERT(next == count);
    return LEAT_OK;
}

/* ---- Differences ---- */

static bool same_references(const pack_index *a, const leat_pack_asset_record *x, const pack_index *b,
                            const leat_pack_asset_record *y)
{
    bool same = x->reference_count == y->reference_count;
    for (uint32_t i = 0; same && i < x->reference_count; ++i) {
        const leat_pack_reference_record *r = &a->references[x->reference_first + i];
        const leat_pack_reference_record *q = &b->references[y->reference_first + i];
        same = r->name_hash == q->name_hash && r->role == q->role && r->slot == q->slot;
    }
    return same;
}

/* A material has no bytes, and a texture may change its size and keep them: the metadata counts as well. */
static bool same_asset(const pack_index *a, uint32_t x_position, const pack_index *b, uint32_t y_position)
{
    const leat_pack_asset_record *x = &a->assets[x_position];
    const leat_pack_asset_record *y = &b->assets[y_position];
    return x->content_hash == y->content_hash && x->raw_size == y->raw_size && x->type == y->type &&
           x->metadata_size == y->metadata_size &&
           (x->metadata_size == 0 ||
            memcmp(a->metadata + x->metadata_offset, b->metadata + y->metadata_offset, x->metadata_size) == 0) &&
           same_references(a, x, b, y);
}

bool reload_diff(memory *m, const pack_index *before, const asset_ids *ids_before, const pack_index *after,
                 const asset_ids *ids_after, reload_changes *changes)
{
    *changes = (reload_changes){ 0 };
    for (int pass = 0; pass < 2; ++pass) { /* counts, then writes */
        uint32_t count = 0;
        for (uint32_t id = 0; id < ids_after->count; ++id) {
            uint32_t old = id < ids_before->count ? asset_position(ids_before, id) : ASSET_NONE;
            uint32_t new = asset_position(ids_after, id);
            bool differs = old == ASSET_NONE || new == ASSET_NONE ? old != new : !same_asset(before, old, after, new);
            if (!differs || (CANARY(RELOAD) && new == ASSET_NONE)) {
                continue;
            }
            if (pass == 1) {
                changes->items[count] = (reload_change){ .id = id,
                                                         .change = old == ASSET_NONE   ? LEAT_CHANGE_ADDED
                                                                   : new == ASSET_NONE ? LEAT_CHANGE_REMOVED
                                                                                       : LEAT_CHANGE_CHANGED };
            }
            ++count;
        }
        if (count == 0) {
            return true;
        }
        if (pass == 0) {
            changes->count = count;
            changes->items = memory_allocate(m, count, sizeof(*changes->items), CACHE_LINE_SIZE);
            if (changes->items == NULL) {
                changes->count = 0;
                return false;
            }
        }
    }
    return true;
}

void reload_changes_free(memory *m, reload_changes *changes)
{
    memory_free(m, changes->items, changes->count, sizeof(*changes->items));
    *changes = (reload_changes){ 0 };
}
