/* Shows that no class starves for memory: a request of the lowest class that must wait for it gets its turn when it has
 * waited for ageing_ns, however many of a higher class keep taking what comes free, and however small those are; and
 * that all the others are not held up by that: urgent ones pass it, and who waits behind it goes on when it is
 * cancelled or is to be read later. Clients of one class get it by their shares. Lent memory, and memory that the
 * engine is asked for; and that who is woken for memory and does not take it, or takes less, costs nobody anything. On
 * a virtual clock. */
#include "stepped.h"

#include <string.h>
#include <time.h>

#define AGEING_NS (500 * NS_PER_MS) /* longer than one of the higher class waits in its own flood */
#define STEP_NS NS_PER_MS
#define FLOOD_COUNT 200u /* of the higher class, without memory at any time */
#define ASSET_COUNT 8u
#define ASSET_SIZE (8 * CHUNK_SIZE)
#define LENT_BYTES MIB(2)
#define TURNS 8u /* SCHED_AGED_SHARE */
#define KEPT 256u /* more than have memory at once */

typedef struct flood {
    stepped f;
    leat_bind_kind bind;
    uint64_t piece; /* what those of the higher class want */
    leat_request held[KEPT];
    uint32_t held_count, served, waiting;
    bool low_served; /* has its memory */
} flood;

static uint8_t bytes[ASSET_SIZE];

static void submit_high(flood *x)
{
    leat_read_desc read = { .asset = stepped_asset(&x->f, 0),
                            .part = { .kind = LEAT_PART_BYTES, .size = x->piece },
                            .priority = LEAT_HIGH,
                            .bind = x->bind,
                            .user = 0 };
    stepped_read(&x->f, read);
    ++x->waiting;
}

/* The engine gives back what it has kept longest, and asks for more. */
static void give_back(flood *x, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        if (x->bind == LEAT_BIND_LEAT) {
            assert_int_equal(leat_release(x->f.s, x->held[i]), LEAT_OK);
        } else {
            assert_int_equal(leat_bind(x->f.s, x->held[i], bytes, sizeof(bytes)), LEAT_OK);
        }
    }
    x->held_count -= count;
    memmove(x->held, x->held + count, x->held_count * sizeof(x->held[0]));
}

static void step(flood *x)
{
    leat_event_type gets_memory = x->bind == LEAT_BIND_LEAT ? LEAT_EVENT_READY : LEAT_EVENT_NEEDS_MEMORY;
    leat_events events = leat_update(x->f.s, &(leat_tick){ .now_ns = streamer_now(x->f.s) + STEP_NS });
    for (uint32_t i = 0; i < events.count; ++i) {
        const leat_event *e = &events.items[i];
        if (e->type != gets_memory) {
            assert_int_equal(e->type, LEAT_EVENT_READY);
            continue;
        }
        x->low_served |= e->user == 1;
        x->served += e->user == 0;
        x->waiting -= e->user == 0;
        assert_true(x->held_count < KEPT);
        x->held[x->held_count++] = e->request;
    }
    while (x->waiting < FLOOD_COUNT) {
        submit_high(x);
    }
    give_back(x, u32_min(x->held_count, 1));
}

/* The flood is there and has all the memory; then comes one of the lowest class. How long until it has some. */
static uint64_t wait_of_low(flood *x, uint64_t size)
{
    for (uint32_t i = 0; i < 50; ++i) {
        step(x);
    }
    assert_true(stepped_stats(&x->f).requests_waiting_memory > 0);
    leat_read_desc read = { .asset = stepped_asset(&x->f, 1),
                            .part = { .kind = LEAT_PART_BYTES, .size = size },
                            .priority = LEAT_PREFETCH,
                            .bind = x->bind,
                            .user = 1 };
    stepped_read(&x->f, read);
    uint64_t begin_ns = streamer_now(x->f.s);
    for (uint32_t i = 0; i < 2000 && !x->low_served; ++i) {
        step(x);
    }
    assert_true(x->low_served);
    return streamer_now(x->f.s) - begin_ns;
}

static void check_flood(leat_bind_kind bind, uint64_t piece, uint64_t size)
{
    static flood x;
    x = (flood){ .bind = bind, .piece = piece, .f = { .sim = leat_sim_preset("nvme") } };
    stepped_open(&x.f, ASSET_COUNT, ASSET_SIZE, (leat_desc){ .lent_bytes = LENT_BYTES, .ageing_ns = AGEING_NS });
    uint64_t wait_ns = wait_of_low(&x, size);
    /* One piece of memory comes free with each step, so that it takes that many for a large one; before it, there may
     * be a turn of others. */
    uint64_t bound_ns = AGEING_NS + (size / piece + 2 * TURNS) * STEP_NS;
    print_message("%s, %u KiB: has its memory after %.0f ms; %u others have\n",
                  bind == LEAT_BIND_LEAT ? "lent" : "late", (uint32_t)(size / 1024), (double)wait_ns / 1e6, x.served);
    assert_true(wait_ns <= bound_ns);
    uint32_t served = x.served; /* and the others have theirs as before */
    for (uint32_t i = 0; i < 50; ++i) {
        step(&x);
    }
    assert_true(x.served - served >= 40);
    stepped_close(&x.f);
}

static void the_lowest_class_gets_lent_memory(void **state)
{
    (void)state;
    check_flood(LEAT_BIND_LEAT, CHUNK_SIZE, CHUNK_SIZE);
}

static void large_ones_get_lent_memory(void **state)
{
    (void)state;
    check_flood(LEAT_BIND_LEAT, CHUNK_SIZE, ASSET_SIZE);
}

/* So much is asked for that the next ones must wait for answers. */
static void the_lowest_class_is_asked_for_memory(void **state)
{
    (void)state;
    check_flood(LEAT_BIND_LATE, ASSET_SIZE, ASSET_SIZE);
}

/* ---- Shares ---- */

#define SHARE_STEPS 400u
#define CLIENTS 2u
#define BACKLOG_BYTES MIB(64) /* of each */

/* Two clients of one class want more than there is at any time, the first of them ten times as much as the second. Each
 * step gives some back. */
static void check_shares(leat_bind_kind bind, uint32_t weight)
{
    stepped f = { .sim = leat_sim_preset("nvme") };
    leat_desc desc = { .lent_bytes = LENT_BYTES, .ageing_ns = 60 * NS_PER_S, .client_weights = { 1, weight } };
    stepped_open(&f, ASSET_COUNT, ASSET_SIZE, desc);
    static const uint32_t wanted[CLIENTS] = { 10 * TURNS, TURNS };
    leat_event_type gets_memory = bind == LEAT_BIND_LEAT ? LEAT_EVENT_READY : LEAT_EVENT_NEEDS_MEMORY;
    flood x = { .bind = bind };
    uint32_t waiting[CLIENTS] = { 0 }, served[CLIENTS] = { 0 };
    for (uint32_t i = 0; i < SHARE_STEPS; ++i) {
        for (uint32_t client = 0; client < CLIENTS; ++client) {
            for (; waiting[client] < wanted[client]; ++waiting[client]) {
                leat_read_desc read = { .asset = stepped_asset(&f, 0), .bind = bind, .client = client, .user = client };
                stepped_read(&f, read);
            }
        }
        leat_events events = leat_update(f.s, &(leat_tick){ .now_ns = streamer_now(f.s) + STEP_NS });
        for (uint32_t k = 0; k < events.count; ++k) {
            if (events.items[k].type == gets_memory) {
                --waiting[events.items[k].user];
                served[events.items[k].user] += i >= SHARE_STEPS / 4; /* the first ones find memory free */
                assert_true(x.held_count < KEPT);
                x.held[x.held_count++] = events.items[k].request;
            }
        }
        x.f.s = f.s;
        give_back(&x, u32_min(x.held_count, 1));
    }
    print_message("%s, weights 1 and %u: %u and %u have had memory\n", bind == LEAT_BIND_LEAT ? "lent" : "late", weight,
                  served[0], served[1]);
    uint32_t all = served[0] + served[1], due = all * weight / (1 + weight);
    assert_true(all > SHARE_STEPS / 2);
    assert_in_range(served[1], due - all / 10, due + all / 10);
    stepped_close(&f);
}

static void clients_have_their_shares_of_memory(void **state)
{
    (void)state;
    check_shares(LEAT_BIND_LEAT, 1);
    check_shares(LEAT_BIND_LEAT, 3);
    check_shares(LEAT_BIND_LATE, 1);
}

/* All of two clients' requests wait, those of one are larger than those of the other, and the memory comes free in
 * pieces of `given` a step: who is tried and finds too little, or is outrun, is not charged for that. */
static void check_shares_of_sizes(uint64_t first, uint64_t second, uint32_t given)
{
    stepped f = { .sim = leat_sim_preset("nvme") };
    leat_desc desc = { .lent_bytes = LENT_BYTES, .ageing_ns = 60 * NS_PER_S, .client_weights = { 1, 3 } };
    stepped_open(&f, ASSET_COUNT, ASSET_SIZE, desc);
    const uint64_t size[CLIENTS] = { first, second };
    uint64_t left[CLIENTS] = { BACKLOG_BYTES / first, BACKLOG_BYTES / second }, served[CLIENTS] = { 0 };
    for (uint32_t client = 0; client < CLIENTS; ++client) {
        for (uint64_t i = 0; i < left[client]; ++i) {
            leat_read_desc read = { .asset = stepped_asset(&f, 0),
                                    .part = { .kind = LEAT_PART_BYTES, .size = size[client] },
                                    .client = client,
                                    .user = client };
            stepped_read(&f, read);
        }
    }
    static flood x;
    x = (flood){ .f.s = f.s, .bind = LEAT_BIND_LEAT };
    while (left[0] > 0 && left[1] > 0) {
        leat_events events = leat_update(f.s, &(leat_tick){ .now_ns = streamer_now(f.s) + STEP_NS });
        for (uint32_t k = 0; k < events.count; ++k) {
            uint64_t client = events.items[k].user;
            --left[client];
            served[client] += size[client];
            assert_true(x.held_count < KEPT);
            x.held[x.held_count++] = events.items[k].request;
        }
        give_back(&x, u32_min(x.held_count, given));
    }
    double times = (double)served[1] / (double)served[0];
    print_message("lent, weights 1 and 3, %u and %u KiB: one has had %.2f times as much as the other\n",
                  (uint32_t)(first / 1024), (uint32_t)(second / 1024), times);
    assert_true(times > 2.7 && times < 3.3);
    stepped_close(&f);
}

static void small_and_large_have_their_shares_of_memory(void **state)
{
    (void)state;
    check_shares_of_sizes(CHUNK_SIZE, ASSET_SIZE, 1); /* waits until there is so much in one piece */
    check_shares_of_sizes((uint64_t)3 * CHUNK_SIZE, CHUNK_SIZE, 4); /* often finds it in pieces */
}

/* ---- Behind one that waits for more than there is ---- */

static leat_request queue(stepped *f, leat_priority priority, uint64_t size)
{
    leat_read_desc read = { .asset = stepped_asset(f, 1),
                            .part = { .kind = LEAT_PART_BYTES, .size = size },
                            .priority = priority,
                            .bind = LEAT_BIND_LEAT,
                            .user = 1 };
    return stepped_read(f, read);
}

static uint32_t ready_count(stepped *f, leat_request wanted, leat_request *held)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < 20; ++i) {
        leat_events events = leat_update(f->s, &(leat_tick){ .now_ns = streamer_now(f->s) + STEP_NS });
        for (uint32_t k = 0; k < events.count; ++k) {
            bool ready = events.items[k].type == LEAT_EVENT_READY;
            count += ready && (wanted.generation == 0 || events.items[k].request.index == wanted.index);
            *held = ready ? events.items[k].request : *held;
        }
    }
    return count;
}

/* All memory is lent; a large request waits for some, and a small one behind it; then one piece comes free. */
static void let_two_wait(stepped *f, leat_priority large, leat_priority small, leat_request two[2])
{
    *f = (stepped){ .sim = leat_sim_preset("nvme") };
    stepped_open(f, ASSET_COUNT, ASSET_SIZE, (leat_desc){ .lent_bytes = LENT_BYTES, .ageing_ns = AGEING_NS });
    leat_request held = { 0 };
    for (uint32_t i = 0; i < LENT_BYTES / CHUNK_SIZE; ++i) {
        queue(f, LEAT_HIGH, CHUNK_SIZE);
    }
    assert_int_equal(ready_count(f, (leat_request){ 0 }, &held), LENT_BYTES / CHUNK_SIZE);
    two[0] = queue(f, large, ASSET_SIZE);
    leat_update(f->s, &(leat_tick){ .now_ns = streamer_now(f->s) + 2 * AGEING_NS });
    two[1] = queue(f, small, CHUNK_SIZE);
    assert_int_equal(ready_count(f, two[1], &held), 0);
    assert_int_equal(stepped_stats(f).requests_waiting_memory, 2);
    assert_int_equal(leat_release(f->s, held), LEAT_OK);
}

static void urgent_ones_pass_who_has_waited_too_long(void **state)
{
    (void)state;
    stepped f;
    leat_request two[2], held;
    let_two_wait(&f, LEAT_PREFETCH, LEAT_URGENT, two);
    assert_int_equal(ready_count(&f, two[1], &held), 1);
    stepped_close(&f);
}

static void who_waits_behind_goes_on_after_a_cancel(void **state)
{
    (void)state;
    static const leat_priority LARGE[] = { LEAT_HIGH, LEAT_PREFETCH }; /* the first in order; the one waited for */
    for (uint32_t i = 0; i < 2; ++i) {
        stepped f;
        leat_request two[2], held;
        let_two_wait(&f, LARGE[i], LEAT_NORMAL, two);
        assert_int_equal(ready_count(&f, two[1], &held), 0);
        leat_cancel(f.s, two[0]);
        assert_int_equal(ready_count(&f, two[1], &held), 1);
        stepped_close(&f);
    }
}

static void who_waits_behind_goes_on_when_it_is_first(void **state)
{
    (void)state;
    stepped f;
    leat_request two[2], held;
    let_two_wait(&f, LEAT_HIGH, LEAT_NORMAL, two);
    assert_int_equal(ready_count(&f, two[1], &held), 0);
    assert_int_equal(leat_reprioritise(f.s, two[1], LEAT_URGENT, 0), LEAT_OK);
    assert_int_equal(ready_count(&f, two[1], &held), 1);
    stepped_close(&f);
}

/* The engine holds most of the memory for good, so that there is never enough for the large one: who waits behind it
 * goes on after a while, and is not held up by it again at once. */
static void memory_is_not_kept_for_ever(void **state)
{
    (void)state;
    stepped f;
    leat_request two[2], held;
    let_two_wait(&f, LEAT_PREFETCH, LEAT_HIGH, two);
    assert_int_equal(ready_count(&f, two[1], &held), 0);
    leat_events events = leat_wait(f.s, UINT64_MAX); /* the clock goes on to the end of that, and to the read */
    assert_int_equal(events.count, 1);
    assert_int_equal(events.items[0].request.index, two[1].index);
    held = events.items[0].request;
    for (uint32_t i = 0; i < TURNS + 1; ++i) {
        assert_int_equal(leat_release(f.s, held), LEAT_OK);
        assert_int_equal(ready_count(&f, queue(&f, LEAT_HIGH, CHUNK_SIZE), &held), 1);
    }
    stepped_close(&f);
}

/* Waits until that request is ready; the last handle goes to *held. */
static void await(leat_streamer *s, leat_request wanted, leat_request *held)
{
    bool ready = false;
    while (!ready) {
        leat_events events = leat_wait(s, 30 * NS_PER_S);
        assert_true(events.count > 0);
        for (uint32_t i = 0; i < events.count; ++i) {
            assert_int_equal(events.items[i].type, LEAT_EVENT_READY);
            *held = events.items[i].request;
            ready |= events.items[i].request.index == wanted.index;
        }
    }
}

/* The same with threads, and nobody who calls anything but leat_wait: the I/O thread wakes by itself. */
static void the_end_of_keeping_wakes(void **state)
{
    (void)state;
    static const leat_backend backends[] = { LEAT_BACKEND_THREADS, LEAT_BACKEND_AUTO };
    test_pack_desc pack = stepped_pack(ASSET_COUNT, ASSET_SIZE);
    for (uint32_t b = 0; b < COUNT_OF(backends); ++b) {
        stepped f = { 0 };
        leat_desc desc = { .backend = backends[b],
                           .logger.log = fixture_quiet,
                           .memory_bytes_max = MIB(64),
                           .pool_bytes = MIB(4),
                           .lent_bytes = LENT_BYTES,
                           .ageing_ns = 20 * NS_PER_MS };
        fixture_open(&f, &pack, &desc);
        leat_request held = { 0 }, last = { 0 };
        for (uint32_t i = 0; i < LENT_BYTES / CHUNK_SIZE; ++i) {
            await(f.s, last = queue(&f, LEAT_HIGH, CHUNK_SIZE), &held);
        }
        queue(&f, LEAT_PREFETCH, ASSET_SIZE);
        struct timespec overdue = { .tv_nsec = 2 * 20 * (long)NS_PER_MS };
        nanosleep(&overdue, NULL);
        last = queue(&f, LEAT_HIGH, CHUNK_SIZE);
        assert_int_equal(leat_release(f.s, held), LEAT_OK);
        await(f.s, last, &held);
        fixture_close(&f);
    }
}

/* ---- Who is woken, and does not take it ---- */

#define BLOCKS (LENT_BYTES / ASSET_SIZE)
#define SMALL_COUNT 32u

/* The device is busy for as long as the clock stands, so that nobody in the queue has come to ask for memory. */
static void keep_device_busy(stepped *f)
{
    for (uint32_t i = BLOCKS; i < f->pack.asset_count; ++i) {
        stepped_read(f, (leat_read_desc){ .asset = stepped_asset(f, i),
                                          .priority = LEAT_HIGH,
                                          .bind = LEAT_BIND_CALLER,
                                          .memory = bytes,
                                          .memory_size = sizeof(bytes),
                                          .user = CLIENTS });
    }
}

/* A client's large request is woken, and is cancelled before its turn comes, perhaps in another class by then: what it
 * was charged for is charged to nobody, and the next ones have it by their clients' shares. */
static void check_shares_after_a_cancel(leat_priority ordered)
{
    stepped f = { .sim = leat_sim_preset("hdd") };
    stepped_open(&f, 8 * BLOCKS, ASSET_SIZE, (leat_desc){ .lent_bytes = LENT_BYTES, .ageing_ns = 60 * NS_PER_S });
    leat_request held[BLOCKS];
    for (uint32_t i = 0; i < BLOCKS; ++i) {
        held[i] = stepped_read(&f, (leat_read_desc){ .asset = stepped_asset(&f, i) });
        assert_int_equal(leat_wait(f.s, NS_PER_S).count, 1);
    }
    leat_request large = stepped_read(&f, (leat_read_desc){ .asset = stepped_asset(&f, 0) });
    leat_update(f.s, &(leat_tick){ .now_ns = streamer_now(f.s) + 2 * STEP_NS });
    for (uint32_t i = 0; i < SMALL_COUNT; ++i) {
        leat_part part = { .kind = LEAT_PART_BYTES, .size = CHUNK_SIZE };
        uint32_t client = i % CLIENTS;
        stepped_read(&f,
                     (leat_read_desc){ .asset = stepped_asset(&f, 0), .part = part, .client = client, .user = client });
    }
    stepped_update(&f);
    assert_int_equal(stepped_stats(&f).requests_waiting_memory, 1 + SMALL_COUNT);
    keep_device_busy(&f);
    assert_int_equal(leat_release(f.s, held[0]), LEAT_OK);
    stepped_pump(&f);
    assert_int_equal(stepped_stats(&f).requests_waiting_memory, SMALL_COUNT);
    assert_int_equal(f.s->requests[large.index].stage, STAGE_QUEUED);
    assert_null(f.s->requests[large.index].memory);
    assert_int_equal(leat_reprioritise(f.s, large, ordered, 0), LEAT_OK);
    stepped_pump(&f);
    leat_cancel(f.s, large);
    uint32_t served[CLIENTS + 1] = { 0 };
    while (served[0] + served[1] < ASSET_SIZE / CHUNK_SIZE) {
        leat_events events = leat_wait(f.s, 10 * NS_PER_S);
        assert_true(events.count > 0);
        for (uint32_t i = 0; i < events.count; ++i) {
            served[events.items[i].user] += events.items[i].type == LEAT_EVENT_READY;
        }
    }
    assert_int_equal(served[0], served[1]);
    stepped_close(&f);
}

static void who_is_cancelled_before_it_has_memory_costs_no_share(void **state)
{
    (void)state;
    check_shares_after_a_cancel(LEAT_NORMAL);
    check_shares_after_a_cancel(LEAT_PREFETCH);
}

/* There is room for the first in order alone: the others are not woken for nothing, to stand behind each other in
 * another order than that in which they came. */
static void no_more_are_woken_than_there_is_room_for(void **state)
{
    (void)state;
    stepped f = { .sim = leat_sim_preset("nvme") };
    stepped_open(&f, ASSET_COUNT, ASSET_SIZE, (leat_desc){ .lent_bytes = LENT_BYTES, .ageing_ns = 60 * NS_PER_S });
    leat_request held = { 0 }, none = { 0 };
    for (uint32_t i = 0; i < LENT_BYTES / CHUNK_SIZE; ++i) {
        queue(&f, LEAT_HIGH, CHUNK_SIZE);
    }
    assert_int_equal(ready_count(&f, none, &held), LENT_BYTES / CHUNK_SIZE);
    leat_request oldest = queue(&f, LEAT_PREFETCH, CHUNK_SIZE);
    assert_int_equal(ready_count(&f, none, &held), 0);
    for (uint32_t i = 0; i < 2; ++i) {
        leat_request first = queue(&f, LEAT_PREFETCH, CHUNK_SIZE);
        assert_int_equal(leat_reprioritise(f.s, first, LEAT_PREFETCH, 60 * NS_PER_S), LEAT_OK);
    }
    assert_int_equal(ready_count(&f, none, &held), 0);
    assert_int_equal(stepped_stats(&f).requests_waiting_memory, 3);
    assert_int_equal(leat_release(f.s, held), LEAT_OK);
    assert_int_equal(ready_count(&f, none, &held), 1);
    assert_int_equal(stepped_stats(&f).requests_waiting_memory, 2);
    assert_int_equal(sched_overdue(f.s->waiting_lent, UINT64_MAX), oldest.index);
    stepped_close(&f);
}

/* Who is woken for all of it can come in time with less: who waits behind it has the rest, with no further release. */
static void who_waits_behind_has_what_is_given_up(void **state)
{
    (void)state;
    stepped f = { .sim = leat_sim_preset("sd") };
    test_pack_desc pack = { .seed = 3,
                            .asset_count = 20,
                            .size_min = 10,
                            .size_max = 1000,
                            .textures = true,
                            .chunk_raw_size = 16u << 10,
                            .stored_every = 1 };
    leat_desc desc = { .backend = LEAT_BACKEND_SIM,
                       .stepped = true,
                       .sim = &f.sim,
                       .logger.log = fixture_quiet,
                       .lent_bytes = LENT_BYTES,
                       .ageing_ns = 60 * NS_PER_S };
    fixture_open(&f, &pack, &desc);
    uint32_t largest = 0;
    for (uint32_t i = 0; i < pack.asset_count; ++i) {
        largest = f.pack.assets[i].raw_size > f.pack.assets[largest].raw_size ? i : largest;
    }
    leat_read_desc whole = { .asset = stepped_asset(&f, largest), .priority = LEAT_PREFETCH };
    leat_read_desc piece = { .asset = stepped_asset(&f, largest),
                             .part = { .kind = LEAT_PART_BYTES, .size = 16u << 10 },
                             .user = 1 };
    leat_request held = { 0 };
    for (uint32_t i = 0; i < 40; ++i) { /* the device has shown what it gives */
        leat_release(f.s, held);
        held = stepped_read(&f, whole);
        assert_int_equal(leat_wait(f.s, NS_PER_S).count, 1);
    }
    do { /* the last one waits, and is to have what is given up */
        stepped_read(&f, piece);
        stepped_update(&f);
        leat_wait(f.s, 100 * NS_PER_MS);
    } while (stepped_stats(&f).requests_waiting_memory == 0);
    whole.priority = LEAT_HIGH; /* before it in order */
    whole.flags = LEAT_READ_DEGRADE;
    whole.deadline_ns = streamer_now(f.s) + 400 * NS_PER_MS;
    stepped_read(&f, whole);
    stepped_update(&f);
    assert_int_equal(stepped_stats(&f).requests_waiting_memory, 2);
    leat_update(f.s, &(leat_tick){ .now_ns = whole.deadline_ns - 20 * NS_PER_MS });
    assert_int_equal(leat_release(f.s, held), LEAT_OK);
    bool ready[2] = { false };
    while (!ready[0] || !ready[1]) {
        leat_events events = leat_wait(f.s, NS_PER_S);
        assert_true(events.count > 0);
        for (uint32_t i = 0; i < events.count; ++i) {
            const leat_event *e = &events.items[i];
            assert_int_equal(e->type, LEAT_EVENT_READY);
            assert_true(e->user == 1 || e->size < f.pack.assets[largest].raw_size);
            ready[e->user] = true;
        }
    }
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lowest_class_gets_lent_memory),
        cmocka_unit_test(large_ones_get_lent_memory),
        cmocka_unit_test(the_lowest_class_is_asked_for_memory),
        cmocka_unit_test(clients_have_their_shares_of_memory),
        cmocka_unit_test(small_and_large_have_their_shares_of_memory),
        cmocka_unit_test(urgent_ones_pass_who_has_waited_too_long),
        cmocka_unit_test(who_waits_behind_goes_on_after_a_cancel),
        cmocka_unit_test(who_waits_behind_goes_on_when_it_is_first),
        cmocka_unit_test(memory_is_not_kept_for_ever),
        cmocka_unit_test(the_end_of_keeping_wakes),
        cmocka_unit_test(who_is_cancelled_before_it_has_memory_costs_no_share),
        cmocka_unit_test(no_more_are_woken_than_there_is_room_for),
        cmocka_unit_test(who_waits_behind_has_what_is_given_up),
    };
    return cmocka_run_group_tests_name("starving", tests, NULL, NULL);
}
