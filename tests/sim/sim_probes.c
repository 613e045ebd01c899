/* sim_probes.c - set-ups in which it can be told who must come first. All in fair weather, at the beginning of a seed.
 */
#include "sim_world.h"

#include <stdlib.h>

#define CROWD_COUNT 300u
#define CROWD_COUNT_MIN 100u
#define CROWD_BYTES_MIN (1u << 18) /* of packs whose requests do not all share a few chunks; the window is 4 KiB */

/* With a small window: a crowd of prefetches of many windows' worth first, then one urgent request. It must not wait
 * for the crowd. */
void probe_overtaking(sim *m)
{
    ops_update(m, 1);
    uint32_t before = m->wish_count;
    for (uint32_t i = 0; i < CROWD_COUNT; ++i) {
        ops_submit(m, LEAT_PREFETCH);
    }
    uint32_t urgent = m->wish_count, crowd = urgent - before;
    for (uint32_t i = 0; i < 50 && m->wish_count == urgent; ++i) {
        ops_submit(m, LEAT_URGENT);
    }
    if (crowd < CROWD_COUNT_MIN || m->wish_count == urgent || m->wishes[urgent].bind == LEAT_BIND_LATE ||
        m->wishes[urgent].size == 0) {
        return; /* tables too small, or it waits for us */
    }
    uint64_t crowd_bytes = 0, overtaken = 0;
    for (uint32_t i = before; i < urgent; ++i) {
        crowd_bytes += m->wishes[i].size;
    }
    for (uint32_t i = 0; i < DRAIN_STEPS_MAX && m->wishes[urgent].state == WISH_LIVE; ++i) {
        ops_release(m);
        ops_update(m, 20 * NS_PER_US);
    }
    for (uint32_t i = before; i < urgent; ++i) {
        overtaken += m->wishes[i].state == WISH_ENDED ? m->wishes[i].size : 0;
    }
    uint64_t raw = m->library->contents[0].pack.raw_size + m->library->contents[1].pack.raw_size;
    /* What was in flight, or came with it, may be before; half of many windows may not. */
    CHECK(m, raw < CROWD_BYTES_MIN || overtaken <= crowd_bytes / 2,
          "an urgent request waited for %llu of %llu bytes of prefetches", (unsigned long long)overtaken,
          (unsigned long long)crowd_bytes);
    TALLY_IF(m, PROBES_URGENT, raw >= CROWD_BYTES_MIN);
}

/* A whole asset, which is one chunk, for the caller's memory. */
static void submit_whole(sim *m, uint32_t mount, uint32_t asset, leat_priority priority, uint32_t client)
{
    const test_pack *pack = &m->library->contents[mount].pack;
    wish *w = ops_wish(m, LEAT_BIND_CALLER);
    w->mount = w->content = mount;
    w->asset = asset;
    w->priority = priority;
    w->client = client;
    w->size = pack->assets[asset].raw_size;
    w->expected = pack->raw + pack->assets[asset].raw_offset;
    w->memory = malloc(w->size);
    leat_read_desc read = { .asset = leat_asset_at(m->s, m->mounts[mount].handle, asset),
                            .priority = priority,
                            .client = client,
                            .bind = LEAT_BIND_CALLER,
                            .memory = w->memory,
                            .memory_size = w->size,
                            .user = m->wish_count };
    CHECK(m, leat_read(m->s, &read, &w->handle) == LEAT_OK, "submit was refused");
    ops_taken(m, w);
}

/* With one read at a time and a chunk for each asset: requests of all classes that come together end in the order of
 * their classes (model_take looks). */
void probe_order(sim *m)
{
    for (uint32_t i = 0; i < m->library->contents[0].pack.asset_count; ++i) {
        submit_whole(m, 0, i, ops_priority(m), 0);
    }
    sim_drain(m);
    m->watched_order = false;
    TALLY(m, PROBES_ORDER);
}

static uint32_t ended_of(const sim *m, uint32_t client)
{
    uint32_t ended = 0;
    for (uint32_t i = 0; i < m->wish_count; ++i) {
        ended += m->wishes[i].client == client && m->wishes[i].state == WISH_ENDED;
    }
    return ended;
}

/* With one read at a time and a chunk for each asset: of two clients in one class, the one with the greater weight ends
 * so many times as many, for as long as both want something. */
void probe_shares(sim *m)
{
    uint32_t count = m->library->contents[0].pack.asset_count;
    for (uint32_t i = 0; i < count; ++i) {
        submit_whole(m, 0, i, LEAT_NORMAL, 0);
        submit_whole(m, 1, i, LEAT_NORMAL, 1);
    }
    uint32_t slow = 0, fast = 0;
    for (uint32_t i = 0; i < DRAIN_STEPS_MAX && fast < count && slow < count; ++i) {
        uint32_t due = slow * m->share_weight, slack = 2 * m->share_weight + 1; /* one each on its way */
        CHECK(m, fast + slack >= due && fast <= due + slack, "%u requests of weight 1 have ended, and %u of weight %u",
              slow, fast, m->share_weight);
        ops_update(m, 20 * NS_PER_US);
        slow = ended_of(m, 0);
        fast = ended_of(m, 1);
    }
    sim_drain(m);
    TALLY(m, PROBES_SHARES);
}
