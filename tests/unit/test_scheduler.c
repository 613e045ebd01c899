/* Shows that the scheduler's order is the documented one: against a list that is searched from end to end, for random
 * pushes, removals, changes and charges; and what the order alone does not show: fair shares, the bound on waiting, and
 * the bytes ahead of a deadline and between two. */
#include "unit.h"

#include "bounds.h"
#include "scheduler.h"

#include <string.h>

#define AGEING_NS (UINT64_C(1) << 62) /* never, where ageing is not the matter */

static sched *make(memory *m, uint32_t capacity, uint64_t ageing_ns)
{
    sched_desc desc = { .memory = m, .capacity = capacity, .ageing_ns = ageing_ns };
    for (uint32_t i = 0; i < LEAT_CLIENT_COUNT; ++i) {
        desc.client_weights[i] = 1;
    }
    sched *s = sched_create(&desc);
    assert_non_null(s);
    return s;
}

/* ---- Order against a plain list ---- */

#define MODEL_COUNT 500u

typedef struct model {
    sched_entry entries[MODEL_COUNT];
    bool queued[MODEL_COUNT];
} model;

static bool model_before(const sched_entry *a, uint32_t a_id, const sched_entry *b, uint32_t b_id)
{
    if (a->rank != b->rank) {
        return a->rank < b->rank;
    }
    if (a->deadline_ns != b->deadline_ns) {
        return a->deadline_ns < b->deadline_ns;
    }
    if (a->sequence != b->sequence) {
        return a->sequence < b->sequence;
    }
    return a->position != b->position ? a->position < b->position : a_id < b_id;
}

static uint32_t model_best(const model *m)
{
    uint32_t best = SCHED_NONE;
    for (uint32_t i = 0; i < MODEL_COUNT; ++i) {
        if (m->queued[i] && (best == SCHED_NONE || model_before(&m->entries[i], i, &m->entries[best], best))) {
            best = i;
        }
    }
    return best;
}

static uint64_t model_bytes(const model *m, uint32_t rank)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < MODEL_COUNT; ++i) {
        bytes += m->queued[i] && (rank == SCHED_CLASS_COUNT || m->entries[i].rank == rank) ? m->entries[i].bytes : 0;
    }
    return bytes;
}

static void order_is_as_documented(void **state)
{
    (void)state;
    uint64_t live = 0, random = 11;
    memory m = unit_memory(&live);
    sched *s = make(&m, MODEL_COUNT, AGEING_NS);
    model *expected = calloc(1, sizeof(*expected));
    for (uint32_t round = 0; round < 100000; ++round) {
        uint32_t id = (uint32_t)unit_below(&random, MODEL_COUNT);
        sched_entry *e = &expected->entries[id];
        uint64_t choice = unit_below(&random, 10);
        if (!expected->queued[id]) {
            *e = (sched_entry){ .rank = (uint32_t)unit_below(&random, SCHED_CLASS_COUNT),
                                .deadline_ns =
                                    unit_below(&random, 3) == 0 ? NO_DEADLINE : unit_below(&random, 50) * NS_PER_MS,
                                .sequence = unit_below(&random, 20),
                                .position = unit_below(&random, 1000),
                                .bytes = 1 + unit_below(&random, 100000),
                                .queued_ns = round };
            expected->queued[id] = true;
            sched_push(s, id, e);
        } else if (choice < 3) {
            expected->queued[id] = false;
            sched_remove(s, id);
        } else if (choice < 7) {
            e->rank = (uint32_t)unit_below(&random, SCHED_CLASS_COUNT);
            e->deadline_ns = unit_below(&random, 50) * NS_PER_MS;
            sched_change(s, id, e->rank, e->deadline_ns, round);
        } else {
            uint64_t bytes = unit_below(&random, e->bytes + 1);
            e->bytes -= bytes;
            e->position += bytes;
            sched_charge(s, id, bytes, bytes, e->position, round);
        }
        assert_int_equal(sched_contains(s, id), expected->queued[id]);
        assert_int_equal(sched_peek(s, round), model_best(expected));
        if (round % 64 == 0) {
            assert_int_equal(sched_bytes(s), model_bytes(expected, SCHED_CLASS_COUNT));
            assert_int_equal(sched_bytes_of(s, 2), model_bytes(expected, 2));
        }
    }
    free(expected);
    sched_destroy(s);
    assert_int_equal(live, 0);
}

/* ---- A hundred thousand ---- */

static void many_come_out_in_order(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    memory m = unit_memory(NULL);
    sched *s = make(&m, COUNT, AGEING_NS);
    uint64_t random = 5;
    for (uint32_t i = 0; i < COUNT; ++i) {
        sched_push(s, i,
                   &(sched_entry){ .rank = (uint32_t)unit_below(&random, 4),
                                   .client = 3,
                                   .deadline_ns = unit_random(&random),
                                   .sequence = i,
                                   .bytes = 1 });
    }
    for (uint32_t i = 0; i < COUNT; ++i) { /* cancel or change as many again */
        uint32_t id = (uint32_t)unit_below(&random, COUNT);
        if (!sched_contains(s, id)) {
            continue;
        }
        if (i % 2 == 0) {
            sched_remove(s, id);
        } else {
            sched_change(s, id, (uint32_t)unit_below(&random, 4), unit_random(&random), 0);
        }
    }
    uint32_t left = sched_count(s);
    sched_entry last = { 0 };
    for (uint32_t i = 0; i < left; ++i) {
        uint32_t id = sched_peek(s, 0);
        sched_entry e = sched_get(s, id);
        assert_true(e.rank > last.rank || (e.rank == last.rank && e.deadline_ns >= last.deadline_ns));
        last = e;
        sched_remove(s, id);
    }
    assert_int_equal(sched_peek(s, 0), SCHED_NONE);
    assert_int_equal(sched_bytes(s), 0);
    sched_destroy(s);
}

/* ---- Shares ---- */

static void clients_get_their_weights(void **state)
{
    (void)state;
    memory m = unit_memory(NULL);
    sched_desc desc = { .memory = &m, .capacity = 4000, .ageing_ns = AGEING_NS };
    for (uint32_t i = 0; i < LEAT_CLIENT_COUNT; ++i) {
        desc.client_weights[i] = 1;
    }
    desc.client_weights[2] = 3;
    sched *s = sched_create(&desc);
    uint64_t served[LEAT_CLIENT_COUNT] = { 0 };
    for (uint32_t i = 0; i < 4000; ++i) { /* client 1 floods first; 2 comes later and less */
        sched_push(
            s, i,
            &(sched_entry){
                .rank = 2, .client = i < 3000 ? 1 : 2, .deadline_ns = NO_DEADLINE, .sequence = i, .bytes = 1000 });
    }
    for (uint32_t i = 0; i < 1000; ++i) {
        uint32_t id = sched_peek(s, 0);
        served[sched_get(s, id).client] += 1000;
        sched_charge(s, id, 1000, 1000, 0, 0);
        sched_remove(s, id);
    }
    assert_in_range(served[2], 740000, 760000); /* three quarters of 1,000,000 */
    assert_int_equal(served[1] + served[2], 1000000);
    sched_destroy(s);
}

static void idle_clients_save_nothing(void **state)
{
    (void)state;
    memory m = unit_memory(NULL);
    sched *s = make(&m, 3000, AGEING_NS);
    uint32_t next = 0;
    for (uint32_t i = 0; i < 1000; ++i) { /* client 1 alone for long */
        sched_push(
            s, next,
            &(sched_entry){ .rank = 1, .client = 1, .deadline_ns = NO_DEADLINE, .sequence = next, .bytes = 1000 });
        sched_charge(s, next, 1000, 1000, 0, 0);
        sched_remove(s, next++);
    }
    uint64_t served[3] = { 0 };
    for (uint32_t i = 0; i < 400; ++i, ++next) {
        sched_push(s, next,
                   &(sched_entry){
                       .rank = 1, .client = 1 + i % 2, .deadline_ns = NO_DEADLINE, .sequence = next, .bytes = 1000 });
    }
    for (uint32_t i = 0; i < 100; ++i) {
        uint32_t id = sched_peek(s, 0);
        ++served[sched_get(s, id).client];
        sched_charge(s, id, 1000, 1000, 0, 0);
        sched_remove(s, id);
    }
    assert_in_range(served[2], 49, 52); /* half from now on, no more for having been idle */
    sched_destroy(s);
}

/* How many of client 1's entries, of 1000 bytes each, come before client 0's next one, after that was charged for 8000
 * and got some back. */
static uint32_t others_first(uint32_t weight, uint64_t paid_back, uint32_t rank_paid)
{
    memory m = unit_memory(NULL);
    sched_desc desc = { .memory = &m, .capacity = 20, .ageing_ns = AGEING_NS };
    for (uint32_t i = 0; i < LEAT_CLIENT_COUNT; ++i) {
        desc.client_weights[i] = i == 0 ? weight : 1;
    }
    sched *s = sched_create(&desc);
    for (uint32_t i = 0; i < 20; ++i) {
        sched_push(s, i, &(sched_entry){ .rank = 1, .client = i > 0, .deadline_ns = NO_DEADLINE, .bytes = 1000 });
    }
    assert_int_equal(sched_peek(s, 0), 0);
    sched_charge(s, 0, 8000, 1000, 0, 0);
    sched_pay_back(s, rank_paid, 0, paid_back);
    uint32_t count = 0, id;
    while ((id = sched_peek(s, 0)) != 0) {
        sched_charge(s, id, 1000, 1000, 0, 0);
        sched_remove(s, id);
        ++count;
    }
    sched_destroy(s);
    return count;
}

static void what_is_paid_back_was_not_charged(void **state)
{
    (void)state;
    assert_int_equal(others_first(1, 0, 1), 8);
    assert_int_equal(others_first(1, 5000, 1), 3);
    assert_int_equal(others_first(1, 8000, 1), 0);
    assert_int_equal(others_first(1, 9000, 1), 0); /* no credit, and no debt of a wrapped number */
    assert_int_equal(others_first(1, 8000, 2), 8); /* each class has its own account */
    assert_int_equal(others_first(4, 0, 1), 2); /* by the client's weight, as it was charged */
    assert_int_equal(others_first(4, 4000, 1), 1);
}

/* ---- Ageing ---- */

static void nobody_starves(void **state)
{
    (void)state;
    memory m = unit_memory(NULL);
    sched *s = make(&m, 10, 1000);
    sched_push(s, 9, &(sched_entry){ .rank = 3, .deadline_ns = NO_DEADLINE, .bytes = 100, .queued_ns = 50 });
    sched_push(s, 0, &(sched_entry){ .rank = 1, .deadline_ns = NO_DEADLINE, .bytes = 1u << 30, .queued_ns = 50 });
    assert_int_equal(sched_peek(s, 1049), 0);
    assert_int_equal(sched_peek(s, 1050), 9); /* just aged */
    sched_charge(s, 9, 10, 10, 0, 1050);
    uint32_t until = 0;
    for (uint32_t i = 0; i < 100 && sched_peek(s, 2000) == 0; ++i, ++until) {
        sched_charge(s, 0, 10, 10, 0, 2000);
    }
    assert_int_equal(until, SCHED_AGED_SHARE - 1); /* and then one in SCHED_AGED_SHARE */
    assert_int_equal(sched_peek(s, 2000), 9);
    sched_destroy(s);
}

/* ---- Bytes ahead ---- */

static void bytes_ahead_follow_class_and_deadline(void **state)
{
    (void)state;
    memory m = unit_memory(NULL);
    sched *s = make(&m, 1000, AGEING_NS);
    uint64_t second = NS_PER_S;
    sched_push(s, 0, &(sched_entry){ .rank = 0, .deadline_ns = NO_DEADLINE, .bytes = 1 });
    sched_push(s, 1, &(sched_entry){ .rank = 1, .deadline_ns = second, .bytes = 10 });
    sched_push(s, 2, &(sched_entry){ .rank = 1, .deadline_ns = 2 * second, .bytes = 100 });
    sched_push(s, 3, &(sched_entry){ .rank = 1, .deadline_ns = 100 * second, .bytes = 1000 });
    sched_push(s, 4, &(sched_entry){ .rank = 1, .deadline_ns = NO_DEADLINE, .bytes = 10000 });
    sched_push(s, 5, &(sched_entry){ .rank = 2, .deadline_ns = second, .bytes = 100000 });
    assert_int_equal(sched_bytes_ahead(s, 0, NO_DEADLINE), 1);
    assert_int_equal(sched_bytes_ahead(s, 1, second / 2), 1);
    assert_int_equal(sched_bytes_ahead(s, 1, second + second / 2), 11);
    assert_int_equal(sched_bytes_ahead(s, 1, 3 * second), 111);
    assert_int_equal(sched_bytes_ahead(s, 1, NO_DEADLINE), 11111);
    assert_int_equal(sched_bytes_ahead(s, 3, NO_DEADLINE), 111111);
    sched_charge(s, 2, 60, 60, 0, 10 * second); /* time goes on: what is overdue is ahead of everything */
    assert_int_equal(sched_bytes_ahead(s, 1, 9 * second), 1 + 10 + 40);
    assert_int_equal(sched_bytes_ahead(s, 1, 11 * second), 1 + 10 + 40);
    sched_remove(s, 1);
    sched_remove(s, 2);
    assert_int_equal(sched_bytes_ahead(s, 1, 11 * second), 1);
    assert_int_equal(sched_bytes_ahead(s, 1, NO_DEADLINE), 11001);
    /* Into a class that nothing has come into for long. */
    sched_push(s, 6, &(sched_entry){ .rank = 1, .deadline_ns = 21 * second, .bytes = 7, .queued_ns = 20 * second });
    sched_change(s, 6, 3, 21 * second, 20 * second);
    sched_push(s, 7, &(sched_entry){ .rank = 3, .deadline_ns = 22 * second, .bytes = 8, .queued_ns = 20 * second });
    assert_int_equal(sched_bytes_ahead(s, 3, 22 * second) - sched_bytes_ahead(s, 3, 20 * second), 15);
    assert_int_equal(sched_bytes_ahead(s, 3, 21 * second) - sched_bytes_ahead(s, 3, 20 * second), 7);
    sched_destroy(s);
}

/* ---- Bytes between two turns, against a plain sum ---- */

#define BUCKET_NS (4 * NS_PER_MS) /* deadlines are told apart by so much */
#define HORIZON_NS (SCHED_BUCKET_COUNT * BUCKET_NS)

/* Before the present, as far ahead as deadlines are told apart, or far beyond. */
static uint64_t some_deadline(uint64_t *random, uint64_t now_ns)
{
    switch (unit_below(random, 4)) {
    case 0:
        return now_ns - unit_below(random, HORIZON_NS);
    case 1:
        return unit_below(random, 2) == 0 ? NO_DEADLINE : now_ns + 4 * HORIZON_NS + unit_below(random, HORIZON_NS);
    default:
        return now_ns + unit_below(random, HORIZON_NS - BUCKET_NS);
    }
}

/* Deadlines that have passed are all alike, and so are those beyond the horizon. */
static uint64_t bucket_of(uint64_t deadline_ns, uint64_t now_ns)
{
    uint64_t present = now_ns / BUCKET_NS, bucket = deadline_ns / BUCKET_NS;
    return bucket < present ? present - 1 : u64_min(bucket, present + SCHED_BUCKET_COUNT);
}

static uint64_t model_between(const model *m, sched_turn from, sched_turn to, uint64_t now_ns)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < MODEL_COUNT; ++i) {
        const sched_entry *e = &m->entries[i];
        uint64_t bucket = bucket_of(e->deadline_ns, now_ns);
        bool before = e->rank < from.rank || (e->rank == from.rank && bucket < bucket_of(from.deadline_ns, now_ns));
        bool behind = e->rank > to.rank || (e->rank == to.rank && bucket > bucket_of(to.deadline_ns, now_ns));
        bytes += m->queued[i] && !before && !behind ? e->bytes : 0;
    }
    return bytes;
}

static void bytes_are_counted_between_turns(void **state)
{
    (void)state;
    uint64_t random = 17, now_ns = 10 * HORIZON_NS;
    memory m = unit_memory(NULL);
    sched *s = make(&m, MODEL_COUNT, AGEING_NS);
    model *expected = calloc(1, sizeof(*expected));
    for (uint32_t round = 0; round < 20000; ++round) {
        uint32_t id = (uint32_t)unit_below(&random, MODEL_COUNT);
        bool later = round % 4000 == 0; /* the present moves on, in each class with what comes into it */
        now_ns += later ? HORIZON_NS / 4 : 0;
        for (uint32_t i = 0; i < (later ? SCHED_CLASS_COUNT : 1); ++i) {
            uint32_t k = later ? i : id;
            sched_entry *e = &expected->entries[k];
            if (expected->queued[k] && (later || unit_below(&random, 3) == 0)) {
                sched_remove(s, k);
                expected->queued[k] = false;
            }
            if (!expected->queued[k]) {
                *e = (sched_entry){ .rank = later ? i : (uint32_t)unit_below(&random, SCHED_CLASS_COUNT),
                                    .deadline_ns = some_deadline(&random, now_ns),
                                    .bytes = unit_below(&random, 100000),
                                    .queued_ns = now_ns };
                sched_push(s, k, e);
                expected->queued[k] = true;
            } else {
                e->bytes = unit_below(&random, 100000);
                sched_recount(s, k, e->bytes);
                assert_int_equal(sched_get(s, k).bytes, e->bytes);
            }
        }
        sched_turn from = { (uint32_t)unit_below(&random, SCHED_CLASS_COUNT), some_deadline(&random, now_ns) };
        sched_turn to = { (uint32_t)unit_below(&random, SCHED_CLASS_COUNT), some_deadline(&random, now_ns) };
        if (from.rank < to.rank || (from.rank == to.rank && from.deadline_ns <= to.deadline_ns)) {
            assert_int_equal(sched_bytes_between(s, from, to), model_between(expected, from, to, now_ns));
        }
        assert_int_equal(sched_bytes(s), model_bytes(expected, SCHED_CLASS_COUNT));
        assert_int_equal(sched_bytes_of(s, to.rank), model_bytes(expected, to.rank));
    }
    free(expected);
    sched_destroy(s);
}

/* ---- Queues that share a store ---- */

static void queues_share_a_store(void **state)
{
    (void)state;
    enum { COUNT = 2000, QUEUES = 3 };
    uint64_t live = 0, random = 7;
    memory m = unit_memory(&live);
    sched_store *store = sched_store_create(&m, COUNT, QUEUES);
    assert_non_null(store);
    sched_desc desc = { .memory = &m, .store = store, .capacity = COUNT, .ageing_ns = AGEING_NS };
    for (uint32_t i = 0; i < LEAT_CLIENT_COUNT; ++i) {
        desc.client_weights[i] = 1;
    }
    sched *queues[QUEUES];
    for (uint32_t i = 0; i < QUEUES; ++i) {
        queues[i] = sched_create(&desc);
        assert_non_null(queues[i]);
    }
    uint32_t where[COUNT];
    for (uint32_t id = 0; id < COUNT; ++id) { /* spread over all heaps of all queues: the worst for pages */
        where[id] = (uint32_t)unit_below(&random, QUEUES);
        sched_push(queues[where[id]], id,
                   &(sched_entry){ .rank = id % SCHED_CLASS_COUNT,
                                   .client = (uint32_t)unit_below(&random, LEAT_CLIENT_COUNT),
                                   .deadline_ns = unit_below(&random, 1000),
                                   .sequence = id,
                                   .position = id * 3u,
                                   .bytes = id + 1 });
    }
    for (uint32_t round = 0; round < 20000; ++round) { /* from one to another, whole */
        uint32_t id = (uint32_t)unit_below(&random, COUNT), to = (uint32_t)unit_below(&random, QUEUES);
        assert_true(sched_contains(queues[where[id]], id));
        assert_false(sched_contains(queues[(where[id] + 1) % QUEUES], id));
        sched_entry e = sched_get(queues[where[id]], id);
        assert_true(e.sequence == id && e.position == id * 3u && e.bytes == id + 1 && e.rank == id % SCHED_CLASS_COUNT);
        sched_remove(queues[where[id]], id);
        where[id] = to;
        sched_push(queues[to], id, &e);
    }
    uint32_t drained = 0;
    for (uint32_t i = 0; i < QUEUES; ++i) {
        uint64_t last_rank = 0;
        for (uint32_t id; (id = sched_peek(queues[i], 0)) != SCHED_NONE; ++drained) {
            assert_int_equal(where[id], i);
            assert_true(sched_get(queues[i], id).rank >= last_rank);
            last_rank = sched_get(queues[i], id).rank;
            sched_remove(queues[i], id);
        }
        assert_int_equal(sched_bytes(queues[i]), 0);
        sched_destroy(queues[i]);
    }
    assert_int_equal(drained, COUNT);
    sched_store_destroy(store);
    assert_int_equal(live, 0);
}

/* ---- Without memory ---- */

static void queues_need_memory(void **state)
{
    (void)state;
    uint64_t live = 0;
    uint32_t left = 0, refused = 0;
    memory m = unit_memory(&live);
    m.allocator.allocate = unit_allocate_some;
    m.allocator.user = &left;
    sched_desc desc = { .memory = &m, .capacity = 10, .ageing_ns = AGEING_NS };
    sched *s = NULL;
    while (s == NULL) {
        left = refused;
        s = sched_create(&desc);
        refused += s == NULL;
        assert_int_equal(live == 0, s == NULL);
    }
    assert_int_equal(refused, 6); /* the queue, its pages, and a store of four */
    assert_false(sched_contains(s, 0));
    assert_false(sched_contains(s, 10)); /* beyond what it was made for */
    sched_destroy(s);
    assert_int_equal(live, 0);
    sched_destroy(NULL);
    sched_store_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_as_documented),
        cmocka_unit_test(many_come_out_in_order),
        cmocka_unit_test(clients_get_their_weights),
        cmocka_unit_test(idle_clients_save_nothing),
        cmocka_unit_test(what_is_paid_back_was_not_charged),
        cmocka_unit_test(nobody_starves),
        cmocka_unit_test(bytes_ahead_follow_class_and_deadline),
        cmocka_unit_test(bytes_are_counted_between_turns),
        cmocka_unit_test(queues_share_a_store),
        cmocka_unit_test(queues_need_memory),
    };
    return cmocka_run_group_tests_name("scheduler", tests, NULL, NULL);
}
