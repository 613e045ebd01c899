/* Shows that the bytes in the queue, which deadlines are judged by, are those that are still to be read, whoever shares
 * them, ends early or has waited for long. */
#include "stepped.h"

#define ASSET_SIZE MIB(16)
#define LEFT_ALONE_NS (60 * NS_PER_S) /* nobody's turn comes by age */

static uint8_t place[ASSET_SIZE + LEAT_PACK_ALIGNMENT];

static leat_request want(stepped *f, uint32_t asset, uint64_t size)
{
    leat_read_desc desc = { .asset = stepped_asset(f, asset),
                            .part = { .kind = LEAT_PART_BYTES, .size = size },
                            .bind = LEAT_BIND_CALLER,
                            .memory = place,
                            .memory_size = sizeof(place) };
    return stepped_read(f, desc);
}

static bool is_queued(const stepped *f, leat_request r)
{
    return f->s->requests[r.index].stage == STAGE_QUEUED;
}

/* Packed, of chunks that it has not begun to read. */
static uint64_t left(const stepped *f, leat_request handle)
{
    const request *r = &f->s->requests[handle.index];
    return is_queued(f, handle) ? pack_index_packed_size(&f->s->packs[r->pack].index, r->chunk_next, r->chunk_end) : 0;
}

/* One that wants more than another, and shares what that one wants, counts all the rest until it is read. */
static void the_rest_is_counted(void **state)
{
    (void)state;
    stepped f = { .sim = leat_sim_preset("sd") };
    stepped_open(&f, 2, ASSET_SIZE, (leat_desc){ .ageing_ns = LEFT_ALONE_NS });
    leat_request some = want(&f, 1, ASSET_SIZE / 4), all = want(&f, 1, ASSET_SIZE);
    stepped_pump(&f);
    assert_int_equal(stepped_stats(&f).bytes_queued, left(&f, all));
    uint32_t looks = 0;
    for (uint32_t ms = 1; ms < 5000 && is_queued(&f, all); ++ms) {
        leat_update(f.s, &(leat_tick){ .now_ns = ms * NS_PER_MS });
        if (!is_queued(&f, some) && left(&f, all) > 0) {
            assert_int_equal(stepped_stats(&f).bytes_queued, left(&f, all));
            ++looks;
        }
    }
    assert_true(looks > 100);
    stepped_close(&f);
}

/* Of several that share all their bytes, whoever is cancelled, the others count them once. */
static void who_stays_counts(void **state)
{
    (void)state;
    enum { COUNT = 4 };
    static const uint8_t orders[][COUNT] = { { 0, 1, 2, 3 }, { 3, 2, 1, 0 }, { 0, 3, 1, 2 }, { 0, 3, 2, 1 },
                                             { 2, 0, 3, 1 }, { 1, 0, 2, 3 }, { 1, 2, 0, 3 }, { 3, 0, 2, 1 } };
    for (uint32_t i = 0; i < COUNT_OF(orders); ++i) {
        stepped f = { .sim = leat_sim_preset("sd") };
        stepped_open(&f, 2, ASSET_SIZE, (leat_desc){ .ageing_ns = LEFT_ALONE_NS });
        leat_request first = want(&f, 0, ASSET_SIZE), same[COUNT];
        for (uint32_t k = 0; k < COUNT; ++k) {
            same[k] = want(&f, 1, ASSET_SIZE);
        }
        stepped_pump(&f); /* the device is busy with the first one */
        for (uint32_t k = 0; k < COUNT; ++k) {
            assert_true(is_queued(&f, first));
            assert_int_equal(stepped_stats(&f).bytes_queued, left(&f, first) + left(&f, same[orders[i][k]]));
            assert_int_equal(leat_cancel(f.s, same[orders[i][k]]), LEAT_OK);
            stepped_pump(&f);
        }
        assert_int_equal(stepped_stats(&f).bytes_queued, left(&f, first));
        stepped_close(&f);
    }
}

/* A class into which nothing has come for longer than deadlines are told apart: who comes into it from another queue,
 * or has another deadline, is told apart from now on. */
static void time_goes_on_for_an_idle_class(void **state)
{
    (void)state;
    const uint64_t late_ns = 20 * NS_PER_S;
    stepped f = { .sim = leat_sim_preset("sd") };
    stepped_open(&f, 4, ASSET_SIZE,
                 (leat_desc){ .ageing_ns = LEFT_ALONE_NS, .memory_bytes_max = MIB(64), .lent_bytes = MIB(20) });
    leat_request held = stepped_read(&f, (leat_read_desc){ .asset = stepped_asset(&f, 0), .priority = LEAT_HIGH });
    while (leat_wait(f.s, LEFT_ALONE_NS).count == 0) {
    }
    leat_request waits = stepped_read(
        &f, (leat_read_desc){ .asset = stepped_asset(&f, 1), .deadline_ns = late_ns + NS_PER_S }); /* for memory */
    leat_update(f.s, &(leat_tick){ .now_ns = late_ns });
    assert_int_equal(f.s->requests[waits.index].stage, STAGE_WAITING);
    assert_int_equal(leat_release(f.s, held), LEAT_OK);
    leat_update(f.s, &(leat_tick){ .now_ns = late_ns });
    assert_true(left(&f, waits) > 0);
    assert_int_equal(sched_bytes_ahead(f.s->sched, 2, late_ns + 2 * NS_PER_S), left(&f, waits));
    assert_int_equal(sched_bytes_ahead(f.s->sched, 2, late_ns + NS_PER_S / 2), 0);
    stepped_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rest_is_counted),
        cmocka_unit_test(who_stays_counts),
        cmocka_unit_test(time_goes_on_for_an_idle_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
