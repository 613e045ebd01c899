/* stepped.h - a streamer whose every step a test takes itself: simulated device, virtual clock, no threads.
 *
 * leat_update does the work of all stages at once. A test that must stop between two of them calls the stages instead:
 * stepped_pump is one round of the I/O thread, stepped_complete moves the clock to the device's next completion first,
 * decode_step is one chunk on a worker. */
#ifndef LEAT_TEST_STEPPED_H
#define LEAT_TEST_STEPPED_H

#include "stream_fixture.h"

#include "streamer.h"

#include <stdio.h>

#define CHUNK_SIZE (64u << 10) /* raw, and packed: the packs of these tests are stored */

typedef stream_fixture stepped;

/* `asset_count` assets of `asset_size` bytes each, stored. */
static inline test_pack_desc stepped_pack(uint32_t asset_count, uint32_t asset_size)
{
    return (test_pack_desc){ .seed = 5,
                             .asset_count = asset_count,
                             .size_min = asset_size,
                             .size_max = asset_size,
                             .chunk_raw_size = CHUNK_SIZE,
                             .stored_every = 1 };
}

/* A stepped streamer with such a pack; fields of desc that are zero get values fit for tests. */
static inline void stepped_open(stepped *f, uint32_t asset_count, uint32_t asset_size, leat_desc desc)
{
    test_pack_desc pack = stepped_pack(asset_count, asset_size);
    desc.backend = LEAT_BACKEND_SIM;
    desc.stepped = true;
    desc.sim = &f->sim;
    desc.logger.log = fixture_quiet;
    desc.memory_bytes_max = desc.memory_bytes_max != 0 ? desc.memory_bytes_max : MIB(64);
    desc.pool_bytes = desc.pool_bytes != 0 ? desc.pool_bytes : MIB(4);
    desc.lent_bytes = desc.lent_bytes != 0 ? desc.lent_bytes : MIB(16);
    fixture_open(f, &pack, &desc);
}

static inline void stepped_close(stepped *f)
{
    fixture_close(f);
    *f = (stepped){ 0 };
}

static inline leat_asset stepped_asset(const stepped *f, uint32_t position)
{
    return fixture_asset(f, position);
}

/* The position in the pack's table of the asset that lies n-th on disk: the table is sorted by hash. */
static inline uint32_t stepped_on_disk(const stepped *f, uint32_t n)
{
    for (uint32_t i = 0; i < f->pack.asset_count; ++i) {
        uint32_t before = 0;
        for (uint32_t k = 0; k < f->pack.asset_count; ++k) {
            before += f->pack.assets[k].raw_offset < f->pack.assets[i].raw_offset;
        }
        if (before == n) {
            return i;
        }
    }
    return UINT32_MAX;
}

static inline leat_request stepped_read(stepped *f, leat_read_desc read)
{
    leat_request handle;
    assert_int_equal(leat_read(f->s, &read, &handle), LEAT_OK);
    return handle;
}

static inline void stepped_pump(stepped *f)
{
    pump_run(f->s, streamer_now(f->s));
}

static inline void stepped_complete(stepped *f)
{
    uint64_t next_ns = f->s->io_ops->next_completion_ns(f->s->io);
    assert_true(next_ns != IO_WAIT_FOREVER);
    atomic_store(&f->s->now_ns, u64_max(next_ns, streamer_now(f->s)));
    stepped_pump(f);
}

static inline leat_events stepped_update(stepped *f)
{
    return leat_update(f->s, &(leat_tick){ .now_ns = streamer_now(f->s) });
}

static inline leat_stats stepped_stats(const stepped *f)
{
    leat_stats stats;
    leat_stats_get(f->s, &stats);
    return stats;
}

/* Everything to its end; how many terminal events of each type, by the number in `user`, went by. */
#define STEPPED_USER_COUNT 32768u
typedef struct stepped_ends {
    uint8_t type[STEPPED_USER_COUNT]; /* 0: none yet */
    uint32_t order[STEPPED_USER_COUNT]; /* of their ends */
    uint32_t count;
} stepped_ends;

static inline void stepped_take(stepped *f, leat_events events, stepped_ends *ends, bool release)
{
    for (uint32_t i = 0; i < events.count; ++i) {
        const leat_event *e = &events.items[i];
        if (e->type == LEAT_EVENT_READY || e->type == LEAT_EVENT_FAILED || e->type == LEAT_EVENT_CANCELLED) {
            assert_true(e->user < STEPPED_USER_COUNT);
            assert_int_equal(ends->type[e->user], 0); /* exactly one end each */
            ends->type[e->user] = (uint8_t)e->type;
            ends->order[ends->count++] = (uint32_t)e->user;
            if (release) {
                leat_release(f->s, e->request);
            }
        }
    }
}

static inline void stepped_finish(stepped *f, stepped_ends *ends, uint32_t count)
{
    for (uint32_t i = 0; i < 100000 && ends->count < count; ++i) {
        stepped_take(f, leat_wait(f->s, NS_PER_S), ends, true);
    }
    assert_int_equal(ends->count, count);
    for (uint32_t i = 0; i < 3; ++i) {
        assert_int_equal(leat_update(f->s, &(leat_tick){ .now_ns = streamer_now(f->s) + NS_PER_S }).count, 0);
    }
}

#endif
