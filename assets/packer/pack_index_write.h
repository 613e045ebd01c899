/* pack_index_write.h - the tables that a writer gathers, and the index made of them. One thread. */
#ifndef LEAT_PACKER_PACK_INDEX_WRITE_H
#define LEAT_PACKER_PACK_INDEX_WRITE_H

#include "base.h"
#include "import.h"

/* Where content lies; shared by all assets that have it. */
typedef struct pack_placement {
    uint64_t identity[2];
    uint64_t raw_offset; /* within the group while it waits */
    uint64_t raw_size;
    uint32_t chunk_first;
    bool waits; /* its chunk is not written yet */
} pack_placement;

typedef struct pack_entry {
    import_asset asset; /* without raw */
    uint64_t name_hash; /* set by pack_tables_add_entry */
    uint64_t content_hash;
    uint32_t placement; /* UINT32_MAX: empty */
} pack_entry;

typedef struct pack_tables {
    pack_entry *entries;
    pack_placement *placements;
    leat_pack_chunk_record *chunks;
    uint32_t *name_slots, *placement_slots; /* position + 1, 0: empty; a power of two of them */
    uint32_t entry_count, placement_count, chunk_count;
    uint32_t name_slot_count, placement_slot_count;
} pack_tables;

/* False or UINT32_MAX: out of memory. add_entry takes the asset's memory in any case. */
bool pack_tables_add_entry(pack_tables *t, pack_entry *entry);
uint32_t pack_tables_add_placement(pack_tables *t, const pack_placement *placement);
bool pack_tables_add_chunk(pack_tables *t, const leat_pack_chunk_record *chunk);
/* NULL or UINT32_MAX: there is none. */
const pack_entry *pack_tables_find_name(const pack_tables *t, uint64_t name_hash);
uint32_t pack_tables_find_placement(const pack_tables *t, const uint64_t identity[2], uint64_t raw_size);
void pack_tables_free(pack_tables *t);

/* Sorts the entries; returns the index (malloc'ed, header->index_size bytes) and fills the whole header. NULL: out of
 * memory, or a section beyond 4 GiB. */
uint8_t *pack_index_build(pack_tables *t, uint64_t index_offset, uint64_t raw_size, leat_pack_header *header);

#endif
