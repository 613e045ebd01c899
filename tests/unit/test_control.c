/* Shows that cancel and re-prioritise take hold wherever a request is: not yet seen by the I/O thread, queued, between
 * its chunks, in flight, waiting for a decode, between two decodes, ready but not delivered. Each by handle, in an
 * array, by tag, batch, pack, all, and by closing the pack. A cancelled request costs what was in flight already, is
 * decoded no further, and ends once. */
#include "stepped.h"

#include <string.h>
#include <sys/eventfd.h>

#define ASSET_CHUNKS 4u
#define TAG 0x70u
#define VICTIM 1u
#define BLOCKER 0u

typedef enum stage {
    AT_SUBMITTED, /* its mail is on the way */
    AT_QUEUED, /* behind another one */
    AT_BETWEEN_CHUNKS, /* one of its chunks is in flight */
    AT_WAITING_DECODE, /* one has been read */
    AT_DECODING, /* one has been decoded, others have not */
    AT_READY, /* all have been; the event is not out */
    STAGE_COUNT
} stage;

typedef enum way { BY_HANDLE, BY_ARRAY, BY_TAG, BY_BATCH, BY_PACK, BY_ALL, BY_CLOSE, WAY_COUNT } way;

static stepped_ends ends;

/* One chunk at a time goes to the device. */
static const leat_desc one_by_one = { .window_bytes = CHUNK_SIZE, .read_bytes_max = CHUNK_SIZE };

static leat_read_desc describe(const stepped *f, uint32_t position, uint32_t user)
{
    return (leat_read_desc){ .asset = stepped_asset(f, position), .user = user, .tag = user == VICTIM ? TAG | 3u : 1 };
}

/* Brings the victim to a stage. Its blocker, where there is one, is another asset. */
static leat_request bring_to(stepped *f, stage at, leat_batch group)
{
    if (at == AT_QUEUED) {
        stepped_read(f, describe(f, 0, BLOCKER));
        stepped_pump(f);
    }
    leat_read_desc read = describe(f, 1, VICTIM);
    read.batch = group;
    leat_request victim = stepped_read(f, read);
    if (at >= AT_QUEUED) {
        stepped_pump(f);
    }
    if (at >= AT_WAITING_DECODE) {
        stepped_complete(f);
    }
    if (at >= AT_DECODING) {
        assert_true(decode_step(f->s->decode));
    }
    if (at == AT_READY) {
        for (uint32_t i = 1; i < ASSET_CHUNKS; ++i) {
            stepped_complete(f);
            assert_true(decode_step(f->s->decode));
        }
    }
    const request *r = &f->s->requests[victim.index];
    assert_int_equal(atomic_load(&r->chunks_open) == 0, at == AT_READY);
    assert_int_equal(decode_queued(f->s->decode), at == AT_WAITING_DECODE ? 1 : 0);
    return victim;
}

/* The victim twice, between handles that are null, out of range and not its own. */
#define ARRAY_COUNT 5u
static void fill_array(leat_request victim, leat_request array[ARRAY_COUNT])
{
    array[0] = (leat_request){ .index = victim.index, .generation = victim.generation + 1 };
    array[1] = victim;
    array[2] = (leat_request){ 0 };
    array[3] = (leat_request){ .index = UINT32_MAX, .generation = 1 };
    array[4] = victim;
}

static void cancel_array(stepped *f, leat_request victim)
{
    leat_request array[ARRAY_COUNT];
    uint32_t cancelled = UINT32_MAX;
    fill_array(victim, array);
    assert_int_equal(leat_cancel_many(f->s, array, ARRAY_COUNT, &cancelled), LEAT_ERROR_STALE);
    assert_int_equal(cancelled, 2);
}

static void cancel(stepped *f, way by, leat_request victim, leat_batch group)
{
    leat_selection selection = { 0 };
    switch (by) {
    case BY_HANDLE:
        assert_int_equal(leat_cancel(f->s, victim), LEAT_OK);
        return;
    case BY_ARRAY:
        cancel_array(f, victim);
        return;
    case BY_CLOSE:
        assert_int_equal(leat_pack_close(f->s, f->handle), LEAT_OK);
        return;
    case BY_TAG:
        selection.tag_mask = 0xf0;
        selection.tag = TAG;
        break;
    case BY_BATCH:
        selection.batch = group;
        break;
    case BY_PACK:
        selection.pack = f->handle;
        break;
    case BY_ALL:
    case WAY_COUNT:
        selection.all = true;
        break;
    }
    assert_int_equal(leat_cancel_where(f->s, &selection), LEAT_OK);
}

static void a_cancel_takes_hold_at_each_stage(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < STAGE_COUNT * WAY_COUNT; ++i) {
        stage at = (stage)(i / WAY_COUNT);
        way by = (way)(i % WAY_COUNT);
        stepped f = { 0 };
        stepped_open(&f, 2, ASSET_CHUNKS * CHUNK_SIZE, one_by_one);
        ends = (stepped_ends){ 0 };
        leat_batch group;
        assert_int_equal(leat_batch_begin(f.s, NULL, &group), LEAT_OK);
        leat_request victim = bring_to(&f, at, group);
        leat_stats before = stepped_stats(&f);
        cancel(&f, by, victim, group);
        stepped_finish(&f, &ends, at == AT_QUEUED ? 2 : 1);
        assert_int_equal(ends.type[VICTIM], LEAT_EVENT_CANCELLED);
        leat_stats after = stepped_stats(&f);
        if (at != AT_QUEUED) { /* there the blocker is read */
            assert_int_equal(after.reads_issued, before.reads_issued);
            assert_int_equal(after.chunks_decoded, before.chunks_decoded);
        } else if (by != BY_PACK && by != BY_ALL && by != BY_CLOSE) {
            assert_int_equal(ends.type[BLOCKER], LEAT_EVENT_READY);
            assert_int_equal(after.chunks_decoded, ASSET_CHUNKS); /* its own, and none of the victim's */
        }
        assert_int_equal(after.pool_bytes_used, 0);
        assert_int_equal(after.lent_bytes_used, 0);
        assert_int_equal(leat_cancel(f.s, victim), LEAT_ERROR_STALE);
        stepped_close(&f);
    }
}

/* What a selection does not fit stays. */
static void a_selection_meets_only_its_own(void **state)
{
    (void)state;
    stepped f = { 0 };
    stepped_open(&f, 1, CHUNK_SIZE, (leat_desc){ .window_bytes = CHUNK_SIZE });
    ends = (stepped_ends){ 0 };
    leat_batch batches[2];
    for (uint32_t i = 0; i < 2; ++i) {
        assert_int_equal(leat_batch_begin(f.s, NULL, &batches[i]), LEAT_OK);
    }
    for (uint32_t i = 0; i < 64; ++i) {
        leat_read_desc read = { .asset = stepped_asset(&f, 0), .user = i, .tag = i, .batch = batches[i / 32] };
        stepped_read(&f, read);
    }
    leat_selection selection = { .tag_mask = 3, .tag = 2, .batch = batches[1] };
    assert_int_equal(leat_cancel_where(f.s, &selection), LEAT_OK);
    stepped_read(&f, (leat_read_desc){ .asset = stepped_asset(&f, 0), .user = 64, .tag = 2, .batch = batches[1] });
    stepped_finish(&f, &ends, 65);
    for (uint32_t i = 0; i < 65; ++i) { /* the last one was submitted after the selection */
        assert_int_equal(ends.type[i], i >= 32 && i < 64 && i % 4 == 2 ? LEAT_EVENT_CANCELLED : LEAT_EVENT_READY);
    }
    stepped_close(&f);
}

/* Those in the middle that are stale stay out of it, and the others do not; what is no array is refused. */
static void an_array_of_handles_is_gone_through_to_its_end(void **state)
{
    (void)state;
    enum { COUNT = 200, HALF = COUNT / 2 };
    stepped f = { 0 };
    stepped_open(&f, 1, CHUNK_SIZE, (leat_desc){ .window_bytes = CHUNK_SIZE });
    ends = (stepped_ends){ 0 };
    leat_request requests[COUNT];
    uint32_t cancelled = 1;
    for (uint32_t i = 0; i < COUNT; ++i) {
        requests[i] = stepped_read(&f, (leat_read_desc){ .asset = stepped_asset(&f, 0), .user = i });
    }
    assert_int_equal(leat_cancel_many(f.s, NULL, 0, &cancelled), LEAT_OK);
    assert_int_equal(cancelled, 0);
    assert_int_equal(leat_cancel_many(f.s, NULL, 1, &cancelled), LEAT_ERROR_ARGUMENT);
    assert_int_equal(cancelled, 0);
    assert_int_equal(leat_cancel_many(f.s, requests, HALF, &cancelled), LEAT_OK);
    assert_int_equal(cancelled, HALF);
    stepped_finish(&f, &ends, COUNT);
    for (uint32_t i = 0; i < COUNT; ++i) {
        assert_int_equal(ends.type[i], i < HALF ? LEAT_EVENT_CANCELLED : LEAT_EVENT_READY);
    }
    leat_request fresh[COUNT]; /* in the same slots, some of them */
    ends = (stepped_ends){ 0 };
    for (uint32_t i = 0; i < HALF; ++i) {
        fresh[i] = stepped_read(&f, (leat_read_desc){ .asset = stepped_asset(&f, 0), .user = i });
    }
    for (uint32_t i = 0; i < HALF; i += 3) {
        requests[i] = fresh[i];
    }
    assert_int_equal(leat_cancel_many(f.s, requests, COUNT, &cancelled), LEAT_ERROR_STALE);
    assert_int_equal(cancelled, (HALF + 2) / 3);
    stepped_finish(&f, &ends, HALF);
    for (uint32_t i = 0; i < HALF; ++i) {
        assert_int_equal(ends.type[i], i % 3 == 0 ? LEAT_EVENT_CANCELLED : LEAT_EVENT_READY);
    }
    assert_int_equal(leat_cancel_many(f.s, requests, COUNT, NULL), LEAT_ERROR_STALE);
    stepped_close(&f);
}

/* A handle of a pack that was closed does not select what is read from the next one in its place. */
static void a_stale_selection_is_an_error(void **state)
{
    (void)state;
    stepped f = { 0 };
    stepped_open(&f, 1, CHUNK_SIZE, (leat_desc){ .pack_count_max = 1 });
    ends = (stepped_ends){ 0 };
    leat_pack old = f.handle;
    leat_batch group;
    assert_int_equal(leat_batch_begin(f.s, NULL, &group), LEAT_OK);
    assert_int_equal(leat_pack_close(f.s, old), LEAT_OK);
    stepped_update(&f);
    assert_int_equal(leat_pack_open(f.s, f.path, NULL, &f.handle), LEAT_OK);
    assert_int_equal(f.handle.index, old.index);
    stepped_read(&f, (leat_read_desc){ .asset = stepped_asset(&f, 0), .user = 0 });
    assert_int_equal(leat_cancel_where(f.s, &(leat_selection){ .pack = old }), LEAT_ERROR_STALE);
    assert_int_equal(leat_reprioritise_where(f.s, &(leat_selection){ .pack = old }, LEAT_HIGH, 0), LEAT_ERROR_STALE);
    assert_int_equal(leat_batch_end(f.s, group), LEAT_OK);
    stepped_finish(&f, &ends, 1);
    assert_int_equal(leat_cancel_where(f.s, &(leat_selection){ .batch = group }), LEAT_ERROR_STALE);
    assert_int_equal(ends.type[0], LEAT_EVENT_READY);
    stepped_close(&f);
}

/* ---- Re-prioritise ---- */

/* Three ways; the array's entries for the victim contradict each other, and the last one counts. */
static void raise_one(stepped *f, way by, leat_request handle, leat_priority priority)
{
    leat_request array[ARRAY_COUNT];
    leat_reprioritise_desc orders[ARRAY_COUNT];
    leat_selection selection = { .tag_mask = 0xf0, .tag = TAG };
    uint32_t taken = UINT32_MAX;
    switch (by) {
    case BY_HANDLE:
        assert_int_equal(leat_reprioritise(f->s, handle, priority, 0), LEAT_OK);
        break;
    case BY_ARRAY:
        fill_array(handle, array);
        for (uint32_t i = 0; i < ARRAY_COUNT; ++i) {
            leat_priority other = priority == LEAT_HIGH ? LEAT_PREFETCH : LEAT_HIGH;
            orders[i] = (leat_reprioritise_desc){ .request = array[i], .priority = i < 4 ? other : priority };
        }
        assert_int_equal(leat_reprioritise_many(f->s, orders, ARRAY_COUNT, &taken), LEAT_ERROR_STALE);
        assert_int_equal(taken, ARRAY_COUNT);
        break;
    default:
        assert_int_equal(leat_reprioritise_where(f->s, &selection, priority, 0), LEAT_OK);
        break;
    }
}

/* Behind a dozen of its class it is the last; raised, the first. */
static void a_queued_request_overtakes(void **state)
{
    (void)state;
    for (way by = BY_HANDLE; by <= BY_TAG; ++by) {
        stepped f = { 0 };
        stepped_open(&f, 14, CHUNK_SIZE, one_by_one);
        ends = (stepped_ends){ 0 };
        for (uint32_t i = 0; i < 14; ++i) {
            if (i != VICTIM) {
                stepped_read(&f, describe(&f, i, i));
                stepped_pump(&f);
            }
        }
        leat_request victim = stepped_read(&f, describe(&f, VICTIM, VICTIM));
        stepped_pump(&f);
        raise_one(&f, by, victim, LEAT_HIGH);
        stepped_finish(&f, &ends, 14);
        assert_int_equal(ends.order[0], 0); /* it was in flight */
        assert_int_equal(ends.order[1], VICTIM);
        stepped_close(&f);
    }
}

/* Lowered while its first chunk is in flight, it lets the other one pass before its second. */
static void between_chunks_it_gives_way(void **state)
{
    (void)state;
    for (way by = BY_HANDLE; by <= BY_TAG; ++by) {
        stepped f = { 0 };
        stepped_open(&f, 2, ASSET_CHUNKS * CHUNK_SIZE, one_by_one);
        ends = (stepped_ends){ 0 };
        leat_request victim = stepped_read(&f, describe(&f, 1, VICTIM));
        stepped_pump(&f);
        stepped_read(&f, describe(&f, 0, BLOCKER));
        stepped_pump(&f);
        raise_one(&f, by, victim, LEAT_PREFETCH);
        stepped_finish(&f, &ends, 2);
        assert_int_equal(ends.order[0], BLOCKER);
        stepped_close(&f);
    }
}

/* Both have been read, and wait for a worker. */
static void waiting_for_decode_it_overtakes(void **state)
{
    (void)state;
    for (way by = BY_HANDLE; by <= BY_TAG; ++by) {
        stepped f = { 0 };
        stepped_open(&f, 3, CHUNK_SIZE, one_by_one);
        ends = (stepped_ends){ 0 };
        leat_request requests[3];
        static const uint32_t users[3] = { BLOCKER, 2, VICTIM };
        for (uint32_t i = 0; i < 3; ++i) {
            requests[i] = stepped_read(&f, describe(&f, stepped_on_disk(&f, i), users[i]));
            stepped_pump(&f);
        }
        for (uint32_t i = 0; i < 3; ++i) {
            stepped_complete(&f);
        }
        assert_int_equal(decode_queued(f.s->decode), 3);
        raise_one(&f, by, requests[2], LEAT_HIGH);
        stepped_finish(&f, &ends, 3);
        assert_int_equal(ends.order[0], VICTIM);
        assert_int_equal(ends.order[1], BLOCKER);
        stepped_close(&f);
    }
}

/* All three reads are out: the one that is raised is decoded first all the same, and a lowered one last. */
static void in_flight_it_overtakes(void **state)
{
    (void)state;
    for (way by = BY_HANDLE; by <= BY_TAG; ++by) {
        for (uint32_t lowered = 0; lowered < 2; ++lowered) {
            stepped f = { 0 };
            stepped_open(&f, 3, CHUNK_SIZE,
                         (leat_desc){ .window_bytes = 3 * CHUNK_SIZE, .read_bytes_max = CHUNK_SIZE });
            ends = (stepped_ends){ 0 };
            leat_request victim = { 0 };
            static const uint32_t users[2][3] = { { BLOCKER, 2, VICTIM }, { VICTIM, BLOCKER, 2 } };
            for (uint32_t i = 0; i < 3; ++i) {
                uint32_t user = users[lowered][i];
                leat_request handle = stepped_read(&f, describe(&f, stepped_on_disk(&f, i), user));
                victim = user == VICTIM ? handle : victim;
            }
            stepped_pump(&f);
            assert_int_equal(f.s->reads_in_flight, 3);
            raise_one(&f, by, victim, lowered ? LEAT_PREFETCH : LEAT_HIGH);
            while (f.s->reads_in_flight > 0) {
                stepped_complete(&f);
            }
            assert_int_equal(decode_queued(f.s->decode), 3);
            stepped_finish(&f, &ends, 3);
            assert_int_equal(ends.order[lowered ? 2 : 0], VICTIM);
            assert_int_equal(ends.order[lowered ? 0 : 1], BLOCKER);
            stepped_close(&f);
        }
    }
}

/* Two want the same chunk, and one of them loses interest, while it is read or when it waits for a worker: the chunk
 * stays as urgent as the other one is. */
static void a_shared_chunk_stays_with_who_wants_it_most(void **state)
{
    (void)state;
    for (uint32_t waiting = 0; waiting < 2; ++waiting) {
        stepped f = { 0 };
        stepped_open(&f, 2, CHUNK_SIZE, (leat_desc){ .window_bytes = 2 * CHUNK_SIZE, .read_bytes_max = CHUNK_SIZE });
        ends = (stepped_ends){ 0 };
        leat_read_desc other = describe(&f, 0, BLOCKER), shared = describe(&f, 1, 2);
        shared.priority = LEAT_HIGH;
        stepped_read(&f, other);
        stepped_read(&f, shared);
        leat_request victim = stepped_read(&f, describe(&f, 1, VICTIM));
        stepped_pump(&f);
        assert_int_equal(stepped_stats(&f).chunks_shared, 1);
        for (uint32_t when = 0; when < 2; ++when) {
            if (when == waiting) {
                assert_int_equal(leat_reprioritise(f.s, victim, LEAT_PREFETCH, 0), LEAT_OK);
                stepped_pump(&f);
            }
            while (f.s->reads_in_flight > 0) {
                stepped_complete(&f);
            }
        }
        assert_int_equal(decode_queued(f.s->decode), 2);
        assert_true(decode_step(f.s->decode));
        stepped_take(&f, stepped_update(&f), &ends, true);
        stepped_finish(&f, &ends, 3);
        assert_int_equal(ends.order[2], BLOCKER);
        stepped_close(&f);
    }
}

/* A thread that has cancelled the slot's former request is held up before it pushes that: what is submitted to the slot
 * meanwhile is seen by the orders that come after it. */
static void a_stale_cancel_holds_no_submit(void **state)
{
    (void)state;
    for (way by = BY_HANDLE; by <= BY_TAG; ++by) {
        for (uint32_t cancels = 0; cancels < 2; ++cancels) {
            stepped f = { 0 };
            stepped_open(&f, 2, CHUNK_SIZE, one_by_one);
            ends = (stepped_ends){ 0 };
            uint32_t slot = handles_next(&f.s->request_handles);
            mpsc_link *mail = mail_link(f.s, slot);
            assert_true(mpsc_mark(mail, MAIL_CANCEL));
            leat_request victim = stepped_read(&f, describe(&f, 1, VICTIM));
            assert_int_equal(victim.index, slot);
            if (cancels) {
                cancel(&f, by, victim, (leat_batch){ 0 });
            } else {
                raise_one(&f, by, victim, LEAT_HIGH);
            }
            stepped_pump(&f);
            assert_int_equal(f.s->requests[slot].admitted.generation, victim.generation);
            assert_int_equal(f.s->requests[slot].rank, sched_rank(cancels ? LEAT_NORMAL : LEAT_HIGH));
            stepped_take(&f, stepped_update(&f), &ends, true);
            assert_int_equal(ends.count, cancels);
            mpsc_push_chain(&f.s->mail, slot, mail); /* that thread goes on */
            stepped_finish(&f, &ends, 1);
            assert_int_equal(ends.type[VICTIM], cancels ? LEAT_EVENT_CANCELLED : LEAT_EVENT_READY);
            assert_int_equal(atomic_load(&mail->mask), 0);
            stepped_close(&f);
        }
    }
}

/* Ready already: nothing is left to hurry, and nothing is lost. */
static void ready_it_stays_ready(void **state)
{
    (void)state;
    stepped f = { 0 };
    stepped_open(&f, 2, ASSET_CHUNKS * CHUNK_SIZE, one_by_one);
    ends = (stepped_ends){ 0 };
    leat_request victim = bring_to(&f, AT_READY, (leat_batch){ 0 });
    assert_int_equal(leat_reprioritise(f.s, victim, LEAT_PREFETCH, 1), LEAT_OK);
    assert_int_equal(leat_reprioritise_where(f.s, &(leat_selection){ .all = true }, LEAT_HIGH, 0), LEAT_OK);
    stepped_finish(&f, &ends, 1);
    assert_int_equal(ends.type[VICTIM], LEAT_EVENT_READY);
    stepped_close(&f);
}

/* An entry that can never work stops it there: those before it hold, those behind it do not. */
static void an_array_of_orders_stops_at_what_is_wrong(void **state)
{
    (void)state;
    stepped f = { 0 };
    stepped_open(&f, 14, CHUNK_SIZE, one_by_one);
    ends = (stepped_ends){ 0 };
    leat_reprioritise_desc orders[14];
    uint32_t taken = 1;
    for (uint32_t i = 0; i < 14; ++i) {
        orders[i] = (leat_reprioritise_desc){ .request = stepped_read(&f, describe(&f, i, i)), .priority = LEAT_HIGH };
        stepped_pump(&f);
    }
    assert_int_equal(leat_reprioritise_many(f.s, NULL, 0, &taken), LEAT_OK);
    assert_int_equal(taken, 0);
    assert_int_equal(leat_reprioritise_many(f.s, NULL, 1, &taken), LEAT_ERROR_ARGUMENT);
    assert_int_equal(taken, 0);
    leat_reprioritise_desc some[4] = { orders[12], { .priority = LEAT_HIGH }, orders[13], orders[11] };
    some[2].priority = LEAT_PRIORITY_COUNT;
    assert_int_equal(leat_reprioritise_many(f.s, some, 4, &taken), LEAT_ERROR_ARGUMENT);
    assert_int_equal(taken, 2);
    stepped_pump(&f);
    for (uint32_t i = 11; i < 14; ++i) {
        leat_priority expected = i == 12 ? LEAT_HIGH : LEAT_NORMAL;
        assert_int_equal(f.s->requests[orders[i].request.index].rank, sched_rank(expected));
    }
    stepped_finish(&f, &ends, 14);
    assert_int_equal(leat_reprioritise_many(f.s, orders, 14, NULL), LEAT_ERROR_STALE);
    stepped_close(&f);
}

/* Who naps in leat_wait is woken by the end of a request that is urgent by now, and not by that of any other. */
static void an_urgent_order_is_told_at_once(void **state)
{
    (void)state;
    for (int urged = 0; urged < 2; ++urged) {
        stepped f = { 0 };
        stepped_open(&f, 1, CHUNK_SIZE, one_by_one);
        ends = (stepped_ends){ 0 };
        leat_request one = stepped_read(&f, describe(&f, 0, VICTIM));
        stepped_pump(&f);
        stepped_complete(&f);
        if (urged) {
            assert_int_equal(leat_reprioritise(f.s, one, LEAT_URGENT, 0), LEAT_OK);
            stepped_pump(&f);
        }
        atomic_fetch_add(&f.s->decode_bytes, f.s->decode_bytes_high); /* as if the workers had much to do */
        atomic_store(&f.s->event_fd, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        atomic_store(&f.s->update_waits, UPDATE_NAPS);
        assert_true(decode_step(f.s->decode));
        assert_int_equal(atomic_load(&f.s->event_signal) & SIGNAL_MASK, urged ? SIGNAL_WRITTEN : SIGNAL_NONE);
        atomic_store(&f.s->update_waits, UPDATE_AWAY);
        atomic_fetch_sub(&f.s->decode_bytes, f.s->decode_bytes_high);
        stepped_finish(&f, &ends, 1);
        stepped_close(&f);
    }
}

/* What an update would take now: nothing of what still has to be read. */
static void events_that_wait_are_counted(void **state)
{
    (void)state;
    stepped f = { 0 };
    stepped_open(&f, 2, CHUNK_SIZE, one_by_one);
    ends = (stepped_ends){ 0 };
    stepped_read(&f, describe(&f, 0, 0));
    stepped_read(&f, describe(&f, 1, 1));
    stepped_pump(&f);
    assert_int_equal(stepped_stats(&f).events_waiting, 0);
    stepped_complete(&f);
    assert_true(decode_step(f.s->decode));
    assert_int_equal(stepped_stats(&f).events_waiting, 1);
    stepped_finish(&f, &ends, 2);
    assert_int_equal(stepped_stats(&f).events_waiting, 0);
    stepped_close(&f);
}

/* Without threads, to wait for ever for nothing is to be told so; the clock stays. */
static void a_wait_for_nothing_ends(void **state)
{
    (void)state;
    stepped f = { 0 };
    stepped_open(&f, 1, CHUNK_SIZE, one_by_one);
    leat_update(f.s, &(leat_tick){ .now_ns = NS_PER_S });
    assert_int_equal(leat_wait(f.s, UINT64_MAX).count, 0);
    assert_int_equal(streamer_now(f.s), NS_PER_S);
    assert_int_equal(leat_wait(f.s, NS_PER_S).count, 0); /* a limit is reached */
    assert_int_equal(streamer_now(f.s), 2 * NS_PER_S);
    ends = (stepped_ends){ 0 };
    stepped_read(&f, describe(&f, 0, 0));
    stepped_take(&f, leat_wait(f.s, UINT64_MAX), &ends, true);
    assert_int_equal(ends.count, 1);
    stepped_close(&f);
}

/* ---- Order ---- */

/* What was submitted together and is equally urgent goes in the order of the disk, however it was listed. */
static void equals_go_in_disk_order(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    stepped f = { 0 };
    stepped_open(&f, COUNT, CHUNK_SIZE, one_by_one);
    ends = (stepped_ends){ 0 };
    leat_read_desc reads[COUNT];
    for (uint32_t i = 0; i < COUNT; ++i) {
        uint32_t n = (i * 7 + 3) % COUNT; /* each once */
        reads[i] = (leat_read_desc){ .asset = stepped_asset(&f, stepped_on_disk(&f, n)), .user = n };
    }
    assert_int_equal(leat_submit(f.s, reads, COUNT, NULL, NULL), LEAT_OK);
    stepped_finish(&f, &ends, COUNT);
    for (uint32_t i = 0; i < COUNT; ++i) {
        assert_int_equal(ends.order[i], i);
    }
    stepped_close(&f);
}

/* So does what comes one by one within a moment. What comes after it goes behind it, wherever it lies. */
static void a_moment_goes_in_disk_order(void **state)
{
    (void)state;
    enum { COUNT = 20, FIRST = COUNT / 2 };
    stepped f = { .sim.latency_ns = 5 * NS_PER_MS };
    stepped_open(&f, COUNT + 1, CHUNK_SIZE, one_by_one);
    ends = (stepped_ends){ 0 };
    stepped_read(&f, describe(&f, stepped_on_disk(&f, COUNT), COUNT)); /* is out while the others come */
    stepped_pump(&f);
    for (uint32_t i = 0; i < COUNT; ++i) {
        atomic_store(&f.s->now_ns, i < FIRST ? i : NS_PER_MS);
        stepped_read(&f, describe(&f, stepped_on_disk(&f, COUNT - 1 - i), i));
        stepped_pump(&f);
    }
    stepped_finish(&f, &ends, COUNT + 1);
    assert_int_equal(ends.order[0], COUNT);
    for (uint32_t i = 0; i < COUNT; ++i) {
        assert_int_equal(ends.order[1 + i], i < FIRST ? FIRST - 1 - i : COUNT - 1 - (i - FIRST));
    }
    stepped_close(&f);
}

/* One client floods; another asks for little, later. It gets its half from then on, through the whole streamer. */
static void a_flood_takes_no_share(void **state)
{
    (void)state;
    enum { FLOOD = 200, FEW = 20 };
    stepped f = { 0 };
    stepped_open(&f, FLOOD + FEW, CHUNK_SIZE, one_by_one);
    ends = (stepped_ends){ 0 };
    for (uint32_t i = 0; i < FLOOD + FEW; ++i) {
        leat_read_desc read = describe(&f, i, i);
        read.client = i < FLOOD ? 1 : 2;
        stepped_read(&f, read);
    }
    stepped_finish(&f, &ends, FLOOD + FEW);
    uint32_t last = 0;
    for (uint32_t i = 0; i < FLOOD + FEW; ++i) {
        last = ends.order[i] >= FLOOD ? i : last;
    }
    assert_in_range(last, 2 * FEW - 3, 2 * FEW + 3);
    stepped_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancel_takes_hold_at_each_stage),
        cmocka_unit_test(a_selection_meets_only_its_own),
        cmocka_unit_test(an_array_of_handles_is_gone_through_to_its_end),
        cmocka_unit_test(a_stale_selection_is_an_error),
        cmocka_unit_test(a_queued_request_overtakes),
        cmocka_unit_test(between_chunks_it_gives_way),
        cmocka_unit_test(in_flight_it_overtakes),
        cmocka_unit_test(waiting_for_decode_it_overtakes),
        cmocka_unit_test(a_stale_cancel_holds_no_submit),
        cmocka_unit_test(a_shared_chunk_stays_with_who_wants_it_most),
        cmocka_unit_test(ready_it_stays_ready),
        cmocka_unit_test(an_array_of_orders_stops_at_what_is_wrong),
        cmocka_unit_test(an_urgent_order_is_told_at_once),
        cmocka_unit_test(events_that_wait_are_counted),
        cmocka_unit_test(a_wait_for_nothing_ends),
        cmocka_unit_test(equals_go_in_disk_order),
        cmocka_unit_test(a_moment_goes_in_disk_order),
        cmocka_unit_test(a_flood_takes_no_share),
    };
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
