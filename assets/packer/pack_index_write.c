/* pack_index_write.c - see pack_index_write.h. The layout is pack_format.h's; pack_index_check() is its judge. */
#include "pack_index_write.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SECTION_ALIGNMENT 8u

/* ---- Tables ---- */

static bool grow(void **items, uint32_t count, size_t item_size)
{
    if (count != 0 && (count & (count - 1)) != 0) {
        return true;
    }
    if (count >= (1u << 30)) {
        return false;
    }
    void *grown = realloc(*items, (count == 0 ? 1 : (size_t)count * 2) * item_size);
    if (grown != NULL) {
        *items = grown;
    }
    return grown != NULL;
}

static void slot_put(uint32_t *slots, uint32_t slot_count, uint64_t hash, uint32_t position)
{
    uint64_t slot = hash & (slot_count - 1);
    while (slots[slot] != 0) {
        slot = (slot + 1) & (slot_count - 1);
    }
    slots[slot] = position + 1;
}

/* At most half full. */
static bool names_grow(pack_tables *t)
{
    if (t->entry_count * 2 < t->name_slot_count) {
        return true;
    }
    uint32_t count = t->name_slot_count == 0 ? 64 : t->name_slot_count * 2;
    uint32_t *slots = calloc(count, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < t->entry_count; ++i) {
        slot_put(slots, count, t->entries[i].name_hash, i);
    }
    free(t->name_slots);
    t->name_slots = slots;
    t->name_slot_count = count;
    return true;
}

static bool placements_grow(pack_tables *t)
{
    if (t->placement_count * 2 < t->placement_slot_count) {
        return true;
    }
    uint32_t count = t->placement_slot_count == 0 ? 64 : t->placement_slot_count * 2;
    uint32_t *slots = calloc(count, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < t->placement_count; ++i) {
        slot_put(slots, count, t->placements[i].identity[0], i);
    }
    free(t->placement_slots);
    t->placement_slots = slots;
    t->placement_slot_count = count;
    return true;
}

bool pack_tables_add_entry(pack_tables *t, pack_entry *entry)
{
    void *items = t->entries;
    bool ok = grow(&items, t->entry_count, sizeof(*entry));
    t->entries = items;
    if (!ok || !names_grow(t)) {
        import_asset_free(&entry->asset);
        return false;
    }
    entry->name_hash = leat_name_hash(entry->asset.name, strlen(entry->asset.name));
    slot_put(t->name_slots, t->name_slot_count, entry->name_hash, t->entry_count);
    t->entries[t->entry_count++] = *entry;
    return true;
}

uint32_t pack_tables_add_placement(pack_tables *t, const pack_placement *placement)
{
    void *items = t->placements;
    bool ok = grow(&items, t->placement_count, sizeof(*placement));
    t->placements = items;
    if (!ok || !placements_grow(t)) {
        return UINT32_MAX;
    }
    slot_put(t->placement_slots, t->placement_slot_count, placement->identity[0], t->placement_count);
    t->placements[t->placement_count] = *placement;
    return t->placement_count++;
}

bool pack_tables_add_chunk(pack_tables *t, const leat_pack_chunk_record *chunk)
{
    void *items = t->chunks;
    bool ok = grow(&items, t->chunk_count, sizeof(*chunk));
    t->chunks = items;
    if (ok) {
        t->chunks[t->chunk_count++] = *chunk;
    }
    return ok;
}

const pack_entry *pack_tables_find_name(const pack_tables *t, uint64_t name_hash)
{
    if (t->name_slot_count == 0) {
        return NULL;
    }
    for (uint64_t slot = name_hash & (t->name_slot_count - 1); t->name_slots[slot] != 0;
         slot = (slot + 1) & (t->name_slot_count - 1)) {
        const pack_entry *entry = &t->entries[t->name_slots[slot] - 1];
        if (entry->name_hash == name_hash) {
            return entry;
        }
    }
    return NULL;
}

uint32_t pack_tables_find_placement(const pack_tables *t, const uint64_t identity[2], uint64_t raw_size)
{
    if (t->placement_slot_count == 0) {
        return UINT32_MAX;
    }
    for (uint64_t slot = identity[0] & (t->placement_slot_count - 1); t->placement_slots[slot] != 0;
         slot = (slot + 1) & (t->placement_slot_count - 1)) {
        const pack_placement *p = &t->placements[t->placement_slots[slot] - 1];
        if (p->identity[0] == identity[0] && p->identity[1] == identity[1] && p->raw_size == raw_size) {
            return t->placement_slots[slot] - 1;
        }
    }
    return UINT32_MAX;
}

void pack_tables_free(pack_tables *t)
{
    for (uint32_t i = 0; i < t->entry_count; ++i) {
        import_asset_free(&t->entries[i].asset);
    }
    free(t->entries);
    free(t->placements);
    free(t->chunks);
    free(t->name_slots);
    free(t->placement_slots);
    *t = (pack_tables){ 0 };
}

/* ---- Index ---- */

static int entry_compare(const void *a, const void *b)
{
    uint64_t x = ((const pack_entry *)a)->name_hash, y = ((const pack_entry *)b)->name_hash;
    return x < y ? -1 : x > y;
}

/* Sizes of the sections, then their offsets. False: too large for the records. */
static bool sections_plan(const pack_tables *t, leat_pack_section *sections, uint64_t *index_size)
{
    uint64_t names = 0, metadata = 0, references = 0;
    for (uint32_t i = 0; i < t->entry_count; ++i) {
        const import_asset *asset = &t->entries[i].asset;
        names += strlen(asset->name);
        metadata += align_up(asset->metadata_size, SECTION_ALIGNMENT);
        references += asset->reference_count;
    }
    if (names > UINT32_MAX || metadata > UINT32_MAX || references >= UINT32_MAX) {
        return false;
    }
    const uint64_t sizes[LEAT_PACK_SECTION_COUNT] = { t->entry_count * sizeof(leat_pack_asset_record),
                                                      t->chunk_count * sizeof(leat_pack_chunk_record), names, metadata,
                                                      references * sizeof(leat_pack_reference_record) };
    uint64_t at = 0;
    for (uint32_t i = 0; i < LEAT_PACK_SECTION_COUNT; ++i) {
        sections[i] = (leat_pack_section){ .offset = at, .size = sizes[i] };
        at = align_up(at + sizes[i], SECTION_ALIGNMENT);
    }
    *index_size = at;
    return true;
}

static void copy(void *to, const void *from, size_t size)
{
    if (size > 0) { /* from may be NULL then */
        memcpy(to, from, size);
    }
}

static void sections_fill(const pack_tables *t, const leat_pack_section *sections, uint8_t *index)
{
    leat_pack_asset_record *records = (void *)(index + sections[LEAT_PACK_SECTION_ASSETS].offset);
    uint8_t *names = index + sections[LEAT_PACK_SECTION_NAMES].offset;
    uint8_t *metadata = index + sections[LEAT_PACK_SECTION_METADATA].offset;
    leat_pack_reference_record *references = (void *)(index + sections[LEAT_PACK_SECTION_REFERENCES].offset);
    uint32_t name_at = 0, metadata_at = 0, reference_at = 0;
    copy(index + sections[LEAT_PACK_SECTION_CHUNKS].offset, t->chunks, sections[LEAT_PACK_SECTION_CHUNKS].size);
    for (uint32_t i = 0; i < t->entry_count; ++i) {
        const pack_entry *e = &t->entries[i];
        const pack_placement *p = e->placement == UINT32_MAX ? NULL : &t->placements[e->placement];
        size_t name_size = strlen(e->asset.name);
        records[i] = (leat_pack_asset_record){
            .name_hash = e->name_hash,
            .content_hash = e->content_hash,
            .raw_offset = p == NULL ? 0 : p->raw_offset,
            .raw_size = p == NULL ? 0 : p->raw_size,
            .chunk_first = p == NULL ? 0 : p->chunk_first,
            .name_offset = name_at,
            .name_size = (uint16_t)name_size,
            .type = (uint8_t)e->asset.type,
            .metadata_offset = metadata_at,
            .metadata_size = e->asset.metadata_size,
            .reference_first = reference_at,
            .reference_count = e->asset.reference_count,
        };
        copy(names + name_at, e->asset.name, name_size);
        copy(metadata + metadata_at, e->asset.metadata, e->asset.metadata_size);
        copy(references + reference_at, e->asset.references, e->asset.reference_count * sizeof(*references));
        name_at += (uint32_t)name_size;
        metadata_at += (uint32_t)align_up(e->asset.metadata_size, SECTION_ALIGNMENT);
        reference_at += e->asset.reference_count;
    }
}

static uint64_t content_hash(const pack_tables *t)
{
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL) {
        return 0;
    }
    XXH3_64bits_reset(state);
    for (uint32_t i = 0; i < t->entry_count; ++i) {
        XXH3_64bits_update(state, &t->entries[i].content_hash, sizeof(uint64_t));
    }
    uint64_t hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return hash;
}

uint8_t *pack_index_build(pack_tables *t, uint64_t index_offset, uint64_t raw_size, leat_pack_header *header)
{
    *header = (leat_pack_header){
        .version = LEAT_PACK_VERSION,
        .header_size = LEAT_PACK_ALIGNMENT,
        .index_offset = index_offset,
        .raw_size = raw_size,
        .chunk_raw_size = LEAT_PACK_CHUNK_RAW_DEFAULT,
        .section_count = LEAT_PACK_SECTION_COUNT,
    };
    memcpy(header->magic, LEAT_PACK_MAGIC, LEAT_PACK_MAGIC_SIZE);
    if (!sections_plan(t, header->sections, &header->index_size)) {
        return NULL;
    }
    uint8_t *index = calloc(1, u64_max(header->index_size, 1));
    if (index == NULL) {
        return NULL;
    }
    if (t->entry_count > 0) {
        qsort(t->entries, t->entry_count, sizeof(*t->entries), entry_compare);
        free(t->name_slots); /* they point at positions before the sort */
        t->name_slots = NULL;
        t->name_slot_count = 0;
    }
    sections_fill(t, header->sections, index);
    header->index_hash = XXH3_64bits(index, header->index_size);
    header->content_hash = content_hash(t);
    header->file_size = index_offset + header->index_size;
    header->header_hash = XXH3_64bits(header, offsetof(leat_pack_header, header_hash));
    return index;
}
