/* reload.h - two versions of a pack's content: which assets differ, and how their handles stay the same. Pure.
 *
 * Assets lie in an index by the hash of their name, so that a name that comes or goes moves all behind it. Handles must
 * not move. The index in a leat_asset is therefore an id: at first the position itself (no table at all); once a
 * version with other names has come, a table from ids to positions, and one back. An id belongs to its name for as long
 * as the pack is mounted: a name that vanishes leaves its id without a position, and finds it again if it comes back.
 */
#ifndef LEAT_RELOAD_H
#define LEAT_RELOAD_H

#include "base.h"
#include "pack_index.h"

#define ASSET_NONE UINT32_MAX
#define ASSET_ID_COUNT_MAX (1u << 28) /* of one mount, vanished names included */

typedef struct asset_ids {
    uint32_t count; /* of ids; those of vanished names included */
    uint32_t position_count; /* of assets in the index */
    uint32_t *positions; /* of ids; ASSET_NONE: has vanished. NULL, as the next two: id and position are the same */
    uint32_t *of_positions;
    uint64_t *names; /* hashes, of ids */
} asset_ids;

typedef struct reload_change {
    uint32_t id;
    leat_change change;
} reload_change;

typedef struct reload_changes {
    reload_change *items;
    uint32_t count;
} reload_changes;

/* The position of an id that is below count, or ASSET_NONE; and the id of a position that is below position_count. */
static inline uint32_t asset_position(const asset_ids *ids, uint32_t id)
{
    return ids->positions == NULL ? id : ids->positions[id];
}
static inline uint32_t asset_id(const asset_ids *ids, uint32_t position)
{
    return ids->of_positions == NULL ? position : ids->of_positions[position];
}

/* Ids where position and id are the same: of a pack that was just opened. */
void asset_ids_init(asset_ids *ids, uint32_t asset_count);
/* Ids of a new version: those of the old one, and new ones for new names. LIMIT: more than id_count_max; MEMORY. */
leat_result asset_ids_renew(memory *m, const pack_index *before, const asset_ids *ids_before, const pack_index *after,
                            uint32_t id_count_max, asset_ids *ids);
void asset_ids_free(memory *m, asset_ids *ids);

/* What is different: bytes (by their hash), type, metadata or references. In the order of ids. False: no memory. */
bool reload_diff(memory *m, const pack_index *before, const asset_ids *ids_before, const pack_index *after,
                 const asset_ids *ids_after, reload_changes *changes);
void reload_changes_free(memory *m, reload_changes *changes);

#endif
