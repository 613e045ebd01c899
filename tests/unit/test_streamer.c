/* Shows the promises of leat.h over each backend: bytes equal to a plain decode
 * for all kinds of parts and memory, exactly one terminal event a request
 * whatever is cancelled, closed, damaged or destroyed, bounds that answer
 * "full", and no allocation after create. The io_uring runs are left out,
 * aloud, where the kernel forbids it. */
#include "stream_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WAIT_NS (UINT64_C(20) * 1000000000) /* a limit for broken builds, not a measure */

typedef struct counting {
    _Atomic uint64_t calls, live;
} counting;

static void *counting_allocate(size_t size, size_t alignment, void *user)
{
    counting *c = user;
    atomic_fetch_add(&c->calls, 1);
    atomic_fetch_add(&c->live, size);
    return unit_allocate(size, alignment, NULL);
}

static void counting_free(void *block, size_t size, void *user)
{
    counting *c = user;
    atomic_fetch_sub(&c->live, size);
    free(block);
}

static leat_desc desc_of(stream_fixture *f)
{
    leat_desc desc = { .backend = f->backend,
                       .worker_count = 2,
                       .memory_bytes_max = MIB(32),
                       .pool_bytes = MIB(4),
                       .lent_bytes = MIB(8),
                       .read_bytes_max = 128u << 10,
                       .logger = { .log = fixture_quiet } };
    if (f->backend == LEAT_BACKEND_SIM) {
        f->sim = (struct leat_sim_desc){ .seed = 42 };
        desc.sim = &f->sim;
        desc.stepped = true;
    }
    return desc;
}

static const test_pack_desc ordinary = {
    .seed = 1, .asset_count = 300, .size_min = 0, .size_max = 150000, .stored_every = 5
};

/* ---- Bytes ---- */

static void all_assets_are_equal(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    fixture_open(f, &ordinary, &desc);
    uint32_t submitted = 0, ended = 0;
    uint64_t bytes = 0;
    while (ended < f->pack.asset_count) {
        while (submitted < f->pack.asset_count) { /* more than lent memory can hold:
                                                     some wait for releases */
            leat_result result =
                leat_read(f->s, &(leat_read_desc){ .asset = fixture_asset(f, submitted), .user = submitted }, NULL);
            assert_int_equal(result, LEAT_OK);
            ++submitted;
        }
        leat_events events = leat_wait(f->s, WAIT_NS);
        assert_true(events.count > 0);
        for (uint32_t i = 0; i < events.count; ++i) {
            const leat_event *e = &events.items[i];
            assert_int_equal(e->type, LEAT_EVENT_READY);
            assert_int_equal(e->size, f->pack.assets[e->user].raw_size);
            assert_memory_equal(e->size == 0 ? (const void *)"" : e->data,
                                e->size == 0 ? (const void *)"" : fixture_raw(f, (uint32_t)e->user), e->size);
            assert_int_equal(leat_release(f->s, e->request), LEAT_OK);
            bytes += e->size;
            ++ended;
        }
    }
    leat_stats stats;
    leat_stats_get(f->s, &stats);
    assert_int_equal(stats.requests_ready, f->pack.asset_count);
    assert_int_equal(stats.bytes_delivered, bytes);
    fixture_close(f);
}

static void byte_ranges_touch_nothing_else(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    fixture_open(f, &ordinary, &desc);
    enum { COUNT = 400, GUARD = 64 };
    uint64_t random = 3;
    uint8_t *blocks[COUNT];
    leat_read_desc reads[COUNT];
    for (uint32_t i = 0; i < COUNT; ++i) {
        uint32_t position = (uint32_t)unit_below(&random, f->pack.asset_count);
        uint64_t size = f->pack.assets[position].raw_size;
        uint64_t offset = unit_below(&random, size + 1);
        uint64_t part = unit_below(&random, size - offset + 1);
        blocks[i] = malloc(part + 2 * GUARD);
        memset(blocks[i], 0xa5, part + 2 * GUARD);
        reads[i] = (leat_read_desc){ .asset = fixture_asset(f, position),
                                     .part = { .kind = LEAT_PART_BYTES, .offset = offset, .size = part },
                                     .priority = (leat_priority)unit_below(&random, LEAT_PRIORITY_COUNT),
                                     .bind = LEAT_BIND_CALLER,
                                     .memory = blocks[i] + GUARD,
                                     .memory_size = part,
                                     .tag = position,
                                     .user = i };
    }
    uint32_t taken = 0;
    assert_int_equal(leat_submit(f->s, reads, COUNT, NULL, &taken), LEAT_OK);
    assert_int_equal(taken, COUNT);
    for (uint32_t ended = 0; ended < COUNT;) {
        leat_events events = leat_wait(f->s, WAIT_NS);
        assert_true(events.count > 0);
        for (uint32_t k = 0; k < events.count; ++k, ++ended) {
            const leat_event *e = &events.items[k];
            const leat_read_desc *r = &reads[e->user];
            assert_int_equal(e->type, LEAT_EVENT_READY);
            assert_ptr_equal(e->data, r->memory);
            assert_memory_equal(e->data, fixture_raw(f, (uint32_t)e->tag) + r->part.offset, e->size);
        }
    }
    for (uint32_t i = 0; i < COUNT; ++i) {
        for (uint32_t g = 0; g < GUARD; ++g) {
            assert_int_equal(blocks[i][g], 0xa5);
            assert_int_equal(blocks[i][GUARD + reads[i].memory_size + g], 0xa5);
        }
        free(blocks[i]);
    }
    fixture_close(f);
}

static void mips_are_prefixes(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    fixture_open(f,
                 &(test_pack_desc){ .seed = 2, .asset_count = 40, .size_min = 10, .size_max = 5000, .textures = true },
                 &desc);
    uint32_t checked = 0;
    for (uint32_t i = 0; i < f->pack.asset_count; ++i) {
        leat_texture_info info;
        leat_asset asset = fixture_asset(f, i);
        if (leat_asset_texture(f->s, asset, &info) != LEAT_OK) {
            uint64_t offset, size;
            assert_int_equal(leat_asset_part(f->s, asset, &(leat_part){ .kind = LEAT_PART_MIPS }, &offset, &size),
                             LEAT_ERROR_ARGUMENT);
            continue;
        }
        uint64_t end = f->pack.assets[i].raw_size;
        for (uint32_t mip = 0; mip < info.mip_count; ++mip, ++checked) {
            leat_mip_info one;
            assert_true(leat_texture_mip(&info, mip, &one));
            assert_int_equal(one.offset + one.size, end); /* largest last */
            uint64_t offset, size;
            assert_int_equal(
                leat_asset_part(f->s, asset, &(leat_part){ .kind = LEAT_PART_MIPS, .first = mip }, &offset, &size),
                LEAT_OK);
            assert_int_equal(offset, 0);
            assert_int_equal(size, end);
            assert_int_equal(leat_asset_part(f->s, asset,
                                             &(leat_part){ .kind = LEAT_PART_MIPS, .first = mip, .count = 1 }, &offset,
                                             &size),
                             LEAT_OK);
            assert_int_equal(offset, one.offset);
            assert_int_equal(size, one.size);
            end = one.offset;
        }
        assert_int_equal(end, 0);
        leat_mip_info none;
        assert_false(leat_texture_mip(&info, info.mip_count, &none));
    }
    assert_true(checked > 50);
    fixture_close(f);
}

/* ---- Memory ---- */

static void late_memory_is_asked_for(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    fixture_open(f, &ordinary, &desc);
    uint32_t asked = 0, ready = 0, expected = 0;
    for (uint32_t i = 0; i < f->pack.asset_count; ++i) {
        expected += f->pack.assets[i].raw_size > 0;
        assert_int_equal(
            leat_read(f->s, &(leat_read_desc){ .asset = fixture_asset(f, i), .bind = LEAT_BIND_LATE, .user = i }, NULL),
            LEAT_OK);
    }
    uint8_t **blocks = calloc(f->pack.asset_count, sizeof(*blocks));
    while (ready < f->pack.asset_count) {
        leat_events events = leat_wait(f->s, WAIT_NS);
        assert_true(events.count > 0);
        for (uint32_t i = 0; i < events.count; ++i) {
            const leat_event *e = &events.items[i];
            if (e->type == LEAT_EVENT_NEEDS_MEMORY) {
                assert_null(blocks[e->user]);
                blocks[e->user] = malloc(e->size);
                assert_int_equal(leat_bind(f->s, e->request, blocks[e->user], e->size), LEAT_OK);
                ++asked;
            } else {
                assert_int_equal(e->type, LEAT_EVENT_READY);
                assert_ptr_equal(e->data, blocks[e->user]);
                if (e->size > 0) {
                    assert_memory_equal(e->data, fixture_raw(f, (uint32_t)e->user), e->size);
                }
                free(blocks[e->user]);
                ++ready;
            }
        }
    }
    assert_int_equal(asked, expected);
    free(blocks);
    fixture_close(f);
}

static void no_allocation_after_create(void **state)
{
    stream_fixture *f = *state;
    counting c = { 0 };
    leat_desc desc = desc_of(f);
    desc.allocator = (leat_allocator){ .allocate = counting_allocate, .free = counting_free, .user = &c };
    fixture_open(f, &ordinary, &desc);
    uint64_t calls = atomic_load(&c.calls);
    assert_true(calls > 0);
    for (uint32_t round = 0; round < 5; ++round) {
        for (uint32_t i = 0; i < f->pack.asset_count; ++i) {
            assert_int_equal(leat_read(f->s, &(leat_read_desc){ .asset = fixture_asset(f, i) }, NULL), LEAT_OK);
        }
        for (uint32_t ended = 0; ended < f->pack.asset_count;) {
            leat_events events = leat_wait(f->s, WAIT_NS);
            assert_true(events.count > 0);
            for (uint32_t i = 0; i < events.count; ++i, ++ended) {
                leat_release(f->s, events.items[i].request);
            }
        }
    }
    assert_int_equal(atomic_load(&c.calls), calls);
    fixture_close(f);
    assert_int_equal(atomic_load(&c.live), 0);
}

/* ---- Control ---- */

/* Collects terminal events until all are there; asserts that no request has
 * two. */
static void collect(stream_fixture *f, uint8_t *seen, uint32_t count, uint32_t by_type[8])
{
    for (uint32_t ended = 0; ended < count;) {
        leat_events events = leat_wait(f->s, WAIT_NS);
        assert_true(events.count > 0);
        for (uint32_t i = 0; i < events.count; ++i) {
            const leat_event *e = &events.items[i];
            ++by_type[e->type];
            if (e->type == LEAT_EVENT_READY || e->type == LEAT_EVENT_FAILED || e->type == LEAT_EVENT_CANCELLED) {
                assert_int_equal(seen[e->user], 0);
                seen[e->user] = (uint8_t)e->type;
                ++ended;
                leat_release(f->s, e->request);
            }
        }
    }
    for (uint32_t quiet_rounds = 0; quiet_rounds < 3; ++quiet_rounds) {
        assert_int_equal(leat_update(f->s, NULL).count, 0);
    }
    leat_stats stats;
    leat_stats_get(f->s, &stats);
    assert_int_equal(stats.requests_ready + stats.requests_failed + stats.requests_cancelled, stats.requests_submitted);
}

static void one_end_for_each_whatever_is_cancelled(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    fixture_open(f, &ordinary, &desc);
    enum { COUNT = 3000 };
    static leat_request handles[COUNT];
    uint8_t *seen = calloc(COUNT, 1);
    uint64_t random = 9;
    for (uint32_t i = 0; i < COUNT; ++i) {
        leat_asset asset = fixture_asset(f, (uint32_t)unit_below(&random, f->pack.asset_count));
        assert_int_equal(leat_read(f->s, &(leat_read_desc){ .asset = asset, .tag = i % 16, .user = i }, &handles[i]),
                         LEAT_OK);
        if (i % 3 == 0) {
            uint32_t victim = (uint32_t)unit_below(&random, i + 1);
            leat_result result = leat_cancel(f->s, handles[victim]);
            assert_true(result == LEAT_OK || result == LEAT_ERROR_STALE);
        }
        if (i % 7 == 0) {
            uint32_t other = (uint32_t)unit_below(&random, i + 1);
            leat_priority priority = (leat_priority)unit_below(&random, LEAT_PRIORITY_COUNT);
            assert_int_not_equal(leat_reprioritise(f->s, handles[other], priority, 0), LEAT_ERROR_ARGUMENT);
        }
    }
    assert_int_equal(leat_cancel_where(f->s, &(leat_selection){ .tag_mask = 15, .tag = 5 }), LEAT_OK);
    assert_int_equal(leat_cancel_where(f->s, &(leat_selection){ 0 }), LEAT_ERROR_ARGUMENT);
    uint32_t by_type[8] = { 0 };
    collect(f, seen, COUNT, by_type);
    assert_int_equal(by_type[LEAT_EVENT_READY] + by_type[LEAT_EVENT_CANCELLED], COUNT);
    assert_true(by_type[LEAT_EVENT_CANCELLED] > 0);
    for (uint32_t i = 0; i < COUNT; ++i) {
        assert_int_equal(leat_cancel(f->s, handles[i]), LEAT_ERROR_STALE);
    }
    free(seen);
    fixture_close(f);
}

static void batches_end_once(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    fixture_open(f, &ordinary, &desc);
    uint64_t fence = 0;
    leat_batch batch, empty;
    assert_int_equal(
        leat_batch_begin(f->s, &(leat_batch_desc){ .user = 77, .only_end = true, .fence = &fence, .fence_value = 5 },
                         &batch),
        LEAT_OK);
    assert_int_equal(leat_batch_begin(f->s, &(leat_batch_desc){ .user = 78 }, &empty), LEAT_OK);
    assert_int_equal(leat_batch_end(f->s, empty), LEAT_OK);
    enum { COUNT = 50 };
    uint8_t *block = malloc(COUNT * 150000u);
    for (uint32_t i = 0; i < COUNT; ++i) {
        leat_read_desc read = { .asset = fixture_asset(f, i),
                                .bind = LEAT_BIND_CALLER,
                                .memory = block + i * 150000u,
                                .memory_size = 150000,
                                .batch = batch };
        assert_int_equal(leat_read(f->s, &read, NULL), LEAT_OK);
        read.bind = LEAT_BIND_LEAT; /* nobody would be told of the memory */
        assert_int_equal(leat_read(f->s, &read, NULL), LEAT_ERROR_ARGUMENT);
    }
    assert_int_equal(leat_batch_end(f->s, batch), LEAT_OK);
    assert_int_equal(leat_batch_end(f->s, batch), LEAT_ERROR_STALE);
    uint32_t ended = 0;
    while (ended < 2) {
        leat_events events = leat_wait(f->s, WAIT_NS);
        assert_true(events.count > 0);
        for (uint32_t i = 0; i < events.count; ++i, ++ended) {
            const leat_event *e = &events.items[i];
            assert_int_equal(e->type, LEAT_EVENT_BATCH);
            assert_int_equal(e->count, e->user == 77 ? COUNT : 0);
            assert_int_equal(e->failed_count, 0);
        }
    }
    assert_int_equal(fence, 5);
    for (uint32_t i = 0; i < COUNT; ++i) {
        assert_memory_equal(block + i * 150000u, fixture_raw(f, i), f->pack.assets[i].raw_size);
    }
    free(block);
    fixture_close(f);
}

static void full_and_misuse_are_answers(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    desc.request_count_max = 8;
    fixture_open(f, &ordinary, &desc);
    leat_asset asset = fixture_asset(f, 0);
    leat_read_desc read = { .asset = asset, .bind = LEAT_BIND_LATE };
    uint32_t position = 0;
    while (f->pack.assets[position].raw_size == 0) {
        ++position;
    }
    read.asset = fixture_asset(f, position);
    leat_request handles[8];
    for (uint32_t i = 0; i < 8; ++i) {
        read.user = i;
        assert_int_equal(leat_read(f->s, &read, &handles[i]), LEAT_OK);
    }
    assert_int_equal(leat_read(f->s, &read, NULL), LEAT_ERROR_FULL);
    leat_request none = handles[0];
    assert_int_equal(leat_read(f->s, &(leat_read_desc){ 0 }, &none), LEAT_ERROR_STALE);
    assert_true(none.index == 0 && none.generation == 0); /* and no handle that somebody might cancel */
    uint32_t taken = UINT32_MAX;
    assert_int_equal(leat_submit(f->s, NULL, 1, NULL, &taken), LEAT_ERROR_ARGUMENT);
    assert_int_equal(taken, 0);
    assert_int_equal(leat_submit(f->s, NULL, 0, NULL, NULL), LEAT_OK);
    read.priority = (leat_priority)9;
    assert_int_equal(leat_read(f->s, &read, NULL), LEAT_ERROR_ARGUMENT);
    read.priority = LEAT_NORMAL;
    for (uint32_t bit = 0; bit < 32; ++bit) { /* every flag but the one that there is */
        leat_estimate_info estimate;
        read.flags = 1u << bit;
        leat_result refused = read.flags == LEAT_READ_DEGRADE ? LEAT_ERROR_FULL : LEAT_ERROR_ARGUMENT;
        assert_int_equal(leat_read(f->s, &read, NULL), refused);
        assert_int_equal(leat_estimate(f->s, &read, &estimate), refused == LEAT_ERROR_FULL ? LEAT_OK : refused);
    }
    read.flags = 0;
    read.bind = LEAT_BIND_CALLER;
    assert_int_equal(leat_read(f->s, &read, NULL), LEAT_ERROR_ARGUMENT);
    uint8_t small;
    read.memory = &small;
    read.memory_size = 0;
    assert_int_equal(leat_read(f->s, &read, NULL), LEAT_ERROR_TOO_SMALL);
    assert_int_equal(leat_cancel(f->s, (leat_request){ 0 }), LEAT_ERROR_STALE);
    assert_int_equal(leat_cancel(f->s, (leat_request){ .index = 1u << 30, .generation = 1 }), LEAT_ERROR_STALE);
    /* A tag beyond its mask fits no request; without a mask, beside a pack, all of the pack would end. */
    leat_selection unmasked[] = { { .tag = 5, .pack = f->handle }, { .tag_mask = 0xf0, .tag = 0x15 } };
    for (uint32_t i = 0; i < COUNT_OF(unmasked); ++i) {
        assert_int_equal(leat_cancel_where(f->s, &unmasked[i]), LEAT_ERROR_ARGUMENT);
        assert_int_equal(leat_reprioritise_where(f->s, &unmasked[i], LEAT_HIGH, 0), LEAT_ERROR_ARGUMENT);
    }
    assert_int_equal(leat_cancel_where(f->s, &(leat_selection){ .all = true }), LEAT_OK);
    uint8_t seen[8] = { 0 };
    uint32_t by_type[8] = { 0 };
    collect(f, seen, 8, by_type);
    assert_int_equal(by_type[LEAT_EVENT_CANCELLED], 8);
    assert_int_equal(leat_read(f->s, &(leat_read_desc){ .asset = read.asset }, NULL), LEAT_OK); /* room again */
    fixture_close(f);
}

/* ---- What goes wrong ---- */

static void damage_is_named_and_contained(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    test_pack_make(&ordinary, &f->pack);
    uint32_t bad = f->pack.chunk_count / 2;
    f->pack.bytes[f->pack.chunks[bad].file_offset + 7] ^= 0x10;
    test_pack_write(&f->pack, f->path);
    fixture_mount(f, &desc);
    for (uint32_t i = 0; i < f->pack.asset_count; ++i) {
        assert_int_equal(leat_read(f->s, &(leat_read_desc){ .asset = fixture_asset(f, i), .user = i }, NULL), LEAT_OK);
    }
    const leat_pack_chunk_record *chunk = &f->pack.chunks[bad];
    for (uint32_t ended = 0; ended < f->pack.asset_count;) {
        leat_events events = leat_wait(f->s, WAIT_NS);
        assert_true(events.count > 0);
        for (uint32_t i = 0; i < events.count; ++i, ++ended) {
            const leat_event *e = &events.items[i];
            const leat_pack_asset_record *asset = &f->pack.assets[e->user];
            bool touches = asset->raw_size > 0 && asset->raw_offset < chunk->raw_offset + chunk->raw_size &&
                           asset->raw_offset + asset->raw_size > chunk->raw_offset;
            assert_int_equal(e->type, touches ? LEAT_EVENT_FAILED : LEAT_EVENT_READY);
            if (touches) {
                char text[512];
                assert_int_equal(e->result, LEAT_ERROR_DAMAGED);
                assert_int_equal(e->chunk, bad);
                assert_int_equal(e->file_offset, chunk->file_offset);
                leat_event_text(f->s, e, text, sizeof(text));
                assert_non_null(strstr(text, f->pack.names[e->user]));
                assert_non_null(strstr(text, "leat verify"));
            }
            leat_release(f->s, e->request);
        }
    }
    fixture_close(f);
}

static void truncation_under_us_is_an_error(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    fixture_open(f, &ordinary, &desc);
    uint32_t cut = f->pack.chunk_count / 2;
    assert_int_equal(truncate(f->path, (off_t)align_down(f->pack.chunks[cut].file_offset, 4096)), 0);
    uint8_t *seen = calloc(f->pack.asset_count, 1);
    for (uint32_t i = 0; i < f->pack.asset_count; ++i) {
        assert_int_equal(leat_read(f->s, &(leat_read_desc){ .asset = fixture_asset(f, i), .user = i }, NULL), LEAT_OK);
    }
    uint32_t by_type[8] = { 0 };
    collect(f, seen, f->pack.asset_count, by_type);
    assert_true(by_type[LEAT_EVENT_FAILED] > 0 && by_type[LEAT_EVENT_READY] > 0);
    const leat_pack_chunk_record *chunk = &f->pack.chunks[cut - 2];
    for (uint32_t i = 0; i < f->pack.asset_count; ++i) {
        bool safe = f->pack.assets[i].raw_offset + f->pack.assets[i].raw_size <= chunk->raw_offset;
        if (safe) {
            assert_int_equal(seen[i], LEAT_EVENT_READY);
        }
    }
    free(seen);
    fixture_close(f);
}

/* Asks for all assets, and sees them come or fail, these with one result and with words about what to do. Returns how
 * many have failed. */
static uint32_t failures_are(stream_fixture *f, leat_result result, int os_error, const char *words)
{
    uint32_t failed = 0;
    for (uint32_t i = 0; i < f->pack.asset_count; ++i) {
        assert_int_equal(leat_read(f->s, &(leat_read_desc){ .asset = fixture_asset(f, i), .user = i }, NULL), LEAT_OK);
    }
    for (uint32_t ended = 0; ended < f->pack.asset_count;) {
        leat_events events = leat_wait(f->s, WAIT_NS);
        assert_true(events.count > 0);
        for (uint32_t i = 0; i < events.count; ++i, ++ended) {
            const leat_event *e = &events.items[i];
            char text[512];
            if (e->type == LEAT_EVENT_FAILED) {
                assert_int_equal(e->result, result);
                assert_int_equal(e->os_error, os_error);
                assert_non_null(strstr(leat_event_text(f->s, e, text, sizeof(text)), words));
                ++failed;
            } else {
                assert_int_equal(e->type, LEAT_EVENT_READY);
                leat_release(f->s, e->request);
            }
        }
    }
    return failed;
}

/* Reads stop in the middle of a block because the file ends there: it was cut short, whatever the backend. */
static void truncation_within_a_block_is_named(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    fixture_open(f, &ordinary, &desc);
    uint64_t cut = f->pack.chunks[f->pack.chunk_count / 2].file_offset;
    assert_int_equal(truncate(f->path, (off_t)(align_down(cut, 4096) + 1000)), 0);
    assert_in_range(failures_are(f, LEAT_ERROR_TRUNCATED, 0, "cut short"), 1, f->pack.asset_count - 1);
    fixture_close(f);
}

/* The same of a whole file is the device's doing, and to copy the file again would not help. */
static void a_device_that_stops_within_a_block_is_named(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    if (f->backend != LEAT_BACKEND_SIM) {
        return; /* real ones that do so: fuse_stream.c */
    }
    f->sim.short_read_rate = 1000;
    fixture_open(f, &(test_pack_desc){ .seed = 2, .asset_count = 20, .size_min = 100, .size_max = 150000 }, &desc);
    /* A read that has come down to one block of the device (512 bytes) cannot be cut any more. */
    assert_in_range(failures_are(f, LEAT_ERROR_OS, EIO, "look at the device"), 1, f->pack.asset_count);
    f->sim.short_read_rate = 0;
    fixture_close(f);
}

static void closing_a_pack_ends_its_requests(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    fixture_open(f, &ordinary, &desc);
    uint8_t *seen = calloc(f->pack.asset_count, 1);
    for (uint32_t round = 0; round < 20; ++round) {
        memset(seen, 0, f->pack.asset_count);
        for (uint32_t i = 0; i < f->pack.asset_count; ++i) {
            assert_int_equal(leat_read(f->s, &(leat_read_desc){ .asset = fixture_asset(f, i), .user = i }, NULL),
                             LEAT_OK);
        }
        leat_asset old = fixture_asset(f, 0);
        assert_int_equal(leat_pack_close(f->s, f->handle), LEAT_OK);
        assert_int_equal(leat_pack_close(f->s, f->handle), LEAT_ERROR_STALE);
        assert_int_equal(leat_read(f->s, &(leat_read_desc){ .asset = old }, NULL), LEAT_ERROR_STALE);
        uint32_t by_type[8] = { 0 };
        collect(f, seen, f->pack.asset_count, by_type);
        assert_int_equal(by_type[LEAT_EVENT_READY] + by_type[LEAT_EVENT_CANCELLED], f->pack.asset_count);
        assert_int_equal(leat_pack_open(f->s, f->path, NULL, &f->handle), LEAT_OK);
    }
    free(seen);
    fixture_close(f);
}

/* No asset, no chunk, and an index of no bytes: FORMAT.md forbids none of it. */
static void a_pack_of_nothing_is_one(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    fixture_open(f, &ordinary, &desc);
    leat_pack_header header;
    memcpy(&header, f->pack.bytes, sizeof(header));
    header.file_size = header.index_offset = sizeof(header);
    header.index_size = header.raw_size = 0;
    memset(header.sections, 0, sizeof(header.sections));
    test_pack_rehash((uint8_t *)&header); /* of the index as well, which is none */
    test_pack nothing = { .bytes = (uint8_t *)&header, .size = sizeof(header) };
    char path[SCRATCH_SIZE];
    test_pack_write(&nothing, path);
    leat_pack pack;
    leat_pack_info info;
    assert_int_equal(leat_pack_open(f->s, path, NULL, &pack), LEAT_OK);
    assert_int_equal(leat_pack_info_get(f->s, pack, &info), LEAT_OK);
    assert_int_equal(info.asset_count + info.chunk_count + info.raw_bytes, 0);
    assert_int_equal(leat_asset_at(f->s, pack, 0).index, 0);
    assert_int_equal(leat_asset_find_in(f->s, pack, 0).index, 0);
    assert_int_equal(leat_pack_swap(f->s, pack, f->path, NULL), LEAT_OK);
    assert_int_not_equal(leat_asset_at(f->s, pack, 0).index, 0);
    assert_int_equal(leat_pack_swap(f->s, pack, path, NULL), LEAT_OK);
    assert_int_equal(leat_asset_at(f->s, pack, 0).index, 0);
    unlink(path);
    fixture_close(f);
}

static void what_was_chosen_outlives_what_was_given(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    struct leat_sim_desc given = { .seed = 42, .latency_ns = 7 };
    desc.sim = &given;
    fixture_open(f, &ordinary, &desc);
    given = (struct leat_sim_desc){ 0 };
    const leat_desc *resolved = leat_resolved_desc(f->s);
    assert_int_equal(resolved->sim->seed, 42);
    assert_int_equal(resolved->sim->latency_ns, 7);
    fixture_close(f);
}

/* leat_desc.memory_bytes_max: pool and lent memory, and on top of them what settings.h says that tables take. */
static void tables_take_what_is_said(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    static const struct {
        uint32_t request_count, worker_count;
    } rows[] = { { 16384, 2 }, { 16384, 9 }, { 262144, 2 } };
    for (size_t i = 0; i < COUNT_OF(rows); ++i) {
        desc.request_count_max = rows[i].request_count;
        desc.worker_count = rows[i].worker_count;
        assert_int_equal(leat_create(&desc, &f->s), LEAT_OK);
        leat_stats stats;
        leat_stats_get(f->s, &stats);
        uint64_t said = desc.pool_bytes + desc.lent_bytes + UINT64_C(304) * rows[i].request_count +
                        (desc.stepped ? 1 : rows[i].worker_count) * MIB(2);
        assert_in_range(stats.memory_bytes, said, said + MIB(8)); /* and what depends on no count */
        leat_destroy(f->s);
    }
    f->s = NULL;
}

static void layers_hide_and_reveal(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    fixture_open(f, &ordinary, &desc);
    leat_pack over, same;
    uint64_t name = f->pack.assets[3].name_hash;
    assert_int_equal(leat_pack_open(f->s, f->path, &(leat_pack_desc){ .layer = 10 }, &over), LEAT_OK);
    assert_int_equal(leat_pack_open(f->s, f->path, NULL, &same), LEAT_OK);
    assert_int_equal(leat_asset_find(f->s, name).pack.index, over.index);
    assert_int_equal(leat_pack_close(f->s, over), LEAT_OK);
    assert_int_equal(leat_asset_find(f->s, name).pack.index, same.index); /* the later one of equal layers */
    assert_int_equal(leat_asset_find(f->s, name).index, 4);
    assert_int_equal(leat_asset_find(f->s, name + 1).index, 0);
    assert_int_equal(leat_asset_find_in(f->s, over, name).index, 0);
    leat_error error;
    leat_pack none;
    assert_int_equal(leat_pack_open(f->s, "/nonexistent/x.leat", &(leat_pack_desc){ .error = &error }, &none),
                     LEAT_ERROR_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nonexistent/x.leat"));
    leat_pack_desc bad = { .error = &error, .watch = (leat_switch)(LEAT_ON + 1) };
    assert_int_equal(leat_pack_open(f->s, f->path, &bad, &none), LEAT_ERROR_ARGUMENT);
    assert_non_null(strstr(error.text, "leat_pack_desc.watch is 3"));
    bad.watch = LEAT_DEFAULT;
    assert_int_equal(leat_pack_open(f->s, "", &bad, &none), LEAT_ERROR_ARGUMENT);
    assert_int_equal(leat_pack_open(f->s, NULL, &bad, &none), LEAT_ERROR_ARGUMENT); /* a variable that is not set */
    assert_non_null(strstr(error.text, "path is empty"));
    assert_int_not_equal(leat_pack_open(f->s, "/dev/null", &(leat_pack_desc){ .error = &error }, &none), LEAT_OK);
    fixture_close(f);
}

static void destroy_with_thousands_in_flight(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    test_pack_make(&ordinary, &f->pack);
    test_pack_write(&f->pack, f->path);
    for (uint32_t round = 0; round < 10; ++round) {
        counting c = { 0 };
        desc.allocator = (leat_allocator){ .allocate = counting_allocate, .free = counting_free, .user = &c };
        fixture_mount(f, &desc);
        for (uint32_t i = 0; i < 10000; ++i) {
            assert_int_equal(
                leat_read(f->s, &(leat_read_desc){ .asset = fixture_asset(f, i % f->pack.asset_count) }, NULL),
                LEAT_OK);
            if (i % 1000 == 0) {
                leat_update(f->s, NULL);
            }
        }
        leat_destroy(f->s);
        assert_int_equal(atomic_load(&c.live), 0);
    }
    f->s = NULL;
    fixture_close(f);
}

/* ---- Threads ---- */

#define SUBMITTER_COUNT 3u
#define EACH 2000u

typedef struct submitter {
    stream_fixture *f;
    uint32_t number;
} submitter;

static void *submit_much(void *argument)
{
    submitter *me = argument;
    stream_fixture *f = me->f;
    uint64_t random = me->number;
    for (uint32_t i = 0; i < EACH;) {
        leat_asset asset = fixture_asset(f, (uint32_t)unit_below(&random, f->pack.asset_count));
        leat_request handle;
        leat_read_desc read = { .asset = asset,
                                .user = me->number * EACH + i,
                                .priority = (leat_priority)unit_below(&random, 4) };
        if (leat_read(f->s, &read, &handle) != LEAT_OK) {
            sched_yield(); /* full: the update thread makes room */
            continue;
        }
        if (i % 4 == 0) {
            leat_cancel(f->s, handle);
        } else if (i % 4 == 1) {
            (void)!leat_reprioritise(f->s, handle, LEAT_URGENT, 0);
        }
        ++i;
    }
    return NULL;
}

static void many_threads_may_submit(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    desc.request_count_max = 1024;
    if (desc.stepped) {
        skip(); /* one thread by definition */
    }
    fixture_open(f, &ordinary, &desc);
    pthread_t threads[SUBMITTER_COUNT];
    submitter submitters[SUBMITTER_COUNT];
    for (uint32_t i = 0; i < SUBMITTER_COUNT; ++i) {
        submitters[i] = (submitter){ .f = f, .number = i };
        assert_int_equal(pthread_create(&threads[i], NULL, submit_much, &submitters[i]), 0);
    }
    uint8_t *seen = calloc(SUBMITTER_COUNT * EACH, 1);
    uint32_t by_type[8] = { 0 };
    for (uint32_t ended = 0; ended < SUBMITTER_COUNT * EACH;) {
        leat_events events = leat_wait(f->s, WAIT_NS);
        assert_true(events.count > 0);
        for (uint32_t i = 0; i < events.count; ++i, ++ended) {
            assert_int_equal(seen[events.items[i].user], 0);
            seen[events.items[i].user] = 1;
            ++by_type[events.items[i].type];
            leat_release(f->s, events.items[i].request);
        }
    }
    assert_int_equal(by_type[LEAT_EVENT_FAILED], 0);
    for (uint32_t i = 0; i < SUBMITTER_COUNT; ++i) {
        pthread_join(threads[i], NULL);
    }
    free(seen);
    fixture_close(f);
}

/* A wake without a read must not leave the I/O thread running in circles: it goes round some times for each, not
 * thousands. */
static void an_idle_thread_sleeps(void **state)
{
    stream_fixture *f = *state;
    leat_desc desc = desc_of(f);
    fixture_open(f, &ordinary, &desc);
    uint32_t position = 0;
    while (f->pack.assets[position].raw_size == 0) {
        ++position;
    }
    leat_request request;
    leat_read_desc read = { .asset = fixture_asset(f, position), .bind = LEAT_BIND_LATE };
    assert_int_equal(leat_read(f->s, &read, &request), LEAT_OK);
    leat_wait(f->s, WAIT_NS);
    for (uint32_t i = 0; i < 50; ++i) {
        assert_int_equal(leat_reprioritise(f->s, request, LEAT_HIGH, 0), LEAT_OK);
        leat_wait(f->s, NS_PER_MS); /* nothing comes: time for circles */
    }
    leat_stats stats;
    leat_stats_get(f->s, &stats);
    assert_in_range(stats.io_rounds, 1, 1000);
    fixture_close(f);
}

static int run(leat_backend backend, const char *name)
{
    static stream_fixture f;
    f = (stream_fixture){ .backend = backend };
    leat_desc desc = desc_of(&f);
    leat_streamer *probe;
    leat_error error = { 0 };
    desc.error = &error;
    if (leat_create(&desc, &probe) != LEAT_OK) {
        fprintf(stderr, "skipped: %s cannot be had here: %s\n", name, error.text);
        return backend == LEAT_BACKEND_URING ? 0 : 1;
    }
    leat_destroy(probe);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(all_assets_are_equal, &f),
        cmocka_unit_test_prestate(byte_ranges_touch_nothing_else, &f),
        cmocka_unit_test_prestate(mips_are_prefixes, &f),
        cmocka_unit_test_prestate(late_memory_is_asked_for, &f),
        cmocka_unit_test_prestate(no_allocation_after_create, &f),
        cmocka_unit_test_prestate(one_end_for_each_whatever_is_cancelled, &f),
        cmocka_unit_test_prestate(batches_end_once, &f),
        cmocka_unit_test_prestate(full_and_misuse_are_answers, &f),
        cmocka_unit_test_prestate(damage_is_named_and_contained, &f),
        cmocka_unit_test_prestate(truncation_under_us_is_an_error, &f),
        cmocka_unit_test_prestate(truncation_within_a_block_is_named, &f),
        cmocka_unit_test_prestate(a_device_that_stops_within_a_block_is_named, &f),
        cmocka_unit_test_prestate(closing_a_pack_ends_its_requests, &f),
        cmocka_unit_test_prestate(a_pack_of_nothing_is_one, &f),
        cmocka_unit_test_prestate(tables_take_what_is_said, &f),
        cmocka_unit_test_prestate(what_was_chosen_outlives_what_was_given, &f),
        cmocka_unit_test_prestate(layers_hide_and_reveal, &f),
        cmocka_unit_test_prestate(destroy_with_thousands_in_flight, &f),
        cmocka_unit_test_prestate(many_threads_may_submit, &f),
        cmocka_unit_test_prestate(an_idle_thread_sleeps, &f),
    };
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    int failed = run(LEAT_BACKEND_THREADS, "streamer over threads");
    failed += run(LEAT_BACKEND_URING, "streamer over io_uring");
    failed += run(LEAT_BACKEND_SIM, "streamer over the simulated device");
    return failed;
}
