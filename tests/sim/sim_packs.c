/* sim_packs.c - see sim_packs.h. Packs are files in memory, whose pages stay from library to library. */
#include "sim_packs.h"

#include "sim_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CROWD_SIZE_MAX 40000u /* of one asset, where lent memory is to run out, and few requests to share a chunk */

static void publish(sim_content *c, const uint8_t *bytes, uint64_t size)
{
    if (c->path[0] == '\0') {
        c->fd = memfd_create("leat-sim", MFD_CLOEXEC);
        snprintf(c->path, sizeof(c->path), "/proc/self/fd/%d", c->fd);
    }
    if (c->fd < 0 || pwrite(c->fd, bytes, size, 0) != (ssize_t)size || ftruncate(c->fd, (off_t)size) != 0) {
        abort();
    }
}

static void make_content(const test_pack_desc *desc, sim_content *c)
{
    test_pack_free(&c->pack);
    test_pack_make(desc, &c->pack);
    memset(c->positions, 0, sizeof(c->positions));
    for (uint32_t i = 0; i < c->pack.asset_count; ++i) {
        const char *number = strrchr(c->pack.names[i], '_');
        c->names[i] = number != NULL ? (uint32_t)strtoul(number + 1, NULL, 10) : 0;
        ASSERT(c->names[i] < NAME_COUNT_MAX);
        c->positions[c->names[i]] = i + 1;
    }
    publish(c, c->pack.bytes, c->pack.size);
}

static test_pack_desc random_desc(sim_kind kind, uint64_t *random)
{
    bool crowd = kind == SIM_OVERTAKING || random_chance(random, 10);
    test_pack_desc desc = { .seed = random_draw(random),
                            .asset_count = 3 + (uint32_t)random_below(random, crowd ? 15 : 40),
                            .size_min = (uint32_t)random_below(random, 2) * 100,
                            .size_max = crowd ? CROWD_SIZE_MAX : 200 + (uint32_t)random_below(random, 4000),
                            .chunk_raw_size = 512u << random_below(random, 5),
                            .stored_every = (uint32_t)random_below(random, 4),
                            .textures = kind == SIM_ANYTHING && random_chance(random, 50),
                            .texture_edge_log2_max = 4 + (uint32_t)random_below(random, 2),
                            .meshes = kind == SIM_ANYTHING && random_chance(random, 50) };
    if (kind == SIM_ORDER || kind == SIM_SHARES) { /* each chunk is a read of its own */
        desc.asset_count = 40;
        desc.size_min = desc.size_max = ORDERED_CHUNK_RAW_SIZE;
        desc.chunk_raw_size = ORDERED_CHUNK_RAW_SIZE;
        desc.stored_every = 1;
    }
    return desc;
}

/* A pack that must be refused: something is wrong in its header or its index, or some of it is missing. */
static void make_damaged(sim_library *l, uint64_t *random)
{
    test_pack *p = &l->contents[0].pack;
    const leat_pack_header *header = (const leat_pack_header *)(const void *)p->bytes;
    if (random_chance(random, 30)) {
        publish(&l->damaged, p->bytes, random_below(random, p->size));
        return;
    }
    uint64_t at = random_chance(random, 50) ? random_below(random, sizeof(*header))
                                            : header->index_offset + random_below(random, header->index_size);
    uint8_t bit = (uint8_t)(1u << random_below(random, 8));
    p->bytes[at] ^= bit;
    publish(&l->damaged, p->bytes, p->size);
    p->bytes[at] ^= bit;
}

const sim_library *sim_library_of(uint64_t seed)
{
    static sim_library library;
    sim_library *l = &library;
    if (l->made && l->number == seed / SEEDS_PER_LIBRARY) {
        return l;
    }
    l->made = true;
    l->number = seed / SEEDS_PER_LIBRARY;
    uint64_t random = random_begin(~l->number); /* not the numbers that a seed draws */
    uint64_t kind = random_below(&random, 100);
    l->kind = kind < 9 ? SIM_OVERTAKING : kind < 15 ? SIM_ORDER : kind < 20 ? SIM_SHARES : SIM_ANYTHING;
    for (uint32_t i = 0; i < PACK_COUNT; ++i) {
        test_pack_desc desc = random_desc(l->kind, &random);
        make_content(&desc, &l->contents[i]);
        desc.variant = 1 + random_below(&random, 1000);
        desc.variant_every = 1 + (uint32_t)random_below(&random, 5);
        desc.asset_count += (uint32_t)random_below(&random, 3); /* names come and go */
        make_content(&desc, &l->contents[i + PACK_COUNT]);
    }
    make_damaged(l, &random);
    return l;
}

static const void *metadata_of(const sim_content *c, uint32_t asset)
{
    const leat_pack_header *header = (const leat_pack_header *)(const void *)c->pack.bytes;
    return c->pack.bytes + header->index_offset + header->sections[LEAT_PACK_SECTION_METADATA].offset +
           c->pack.assets[asset].metadata_offset;
}

uint32_t sim_level_count(const sim_content *c, uint32_t asset)
{
    switch (c->pack.assets[asset].type) {
    case LEAT_ASSET_TEXTURE:
        return ((const leat_pack_texture_metadata *)metadata_of(c, asset))->mip_count;
    case LEAT_ASSET_MESH:
        return ((const leat_pack_mesh_metadata *)metadata_of(c, asset))->lod_count;
    default:
        return 0;
    }
}

static uint64_t level_size(const sim_content *c, uint32_t asset, uint32_t level)
{
    if (c->pack.assets[asset].type == LEAT_ASSET_TEXTURE) {
        const leat_pack_texture_metadata *t = metadata_of(c, asset);
        return (uint64_t)u32_max(t->width >> level, 1) * u32_max(t->height >> level, 1) * 4; /* RGBA8 */
    }
    const leat_pack_mesh_metadata *m = metadata_of(c, asset);
    const leat_pack_lod_record *lods = (const leat_pack_lod_record *)(const void *)(m + 1);
    return (uint64_t)lods[level].vertex_count * m->vertex_stride + (uint64_t)lods[level].index_count * m->index_size;
}

sim_extent sim_levels(const sim_content *c, uint32_t asset, uint32_t first, uint32_t end)
{
    sim_extent e = { 0 };
    for (uint32_t level = sim_level_count(c, asset); level-- > first;) {
        *(level < end ? &e.size : &e.offset) += level_size(c, asset, level);
    }
    return e;
}

leat_change sim_change(const sim_content *from, const sim_content *to, uint32_t name)
{
    uint32_t before = from->positions[name], after = to->positions[name];
    if (before == 0 || after == 0) {
        return before == after ? LEAT_CHANGE_NONE : before == 0 ? LEAT_CHANGE_ADDED : LEAT_CHANGE_REMOVED;
    }
    const leat_pack_asset_record *a = &from->pack.assets[before - 1], *b = &to->pack.assets[after - 1];
    return a->content_hash != b->content_hash || a->raw_size != b->raw_size ? LEAT_CHANGE_CHANGED : LEAT_CHANGE_NONE;
}
