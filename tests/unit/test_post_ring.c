/* Shows that what many threads post to the ring is taken once each and in the order of each poster, over many laps of a
 * ring that is as small as it may be, and that each poster's writes are seen. */
#include "unit.h"

#include "post_ring.h"

#include <pthread.h>
#include <sched.h>

static void posts_come_in_order_and_leave_room(void **state)
{
    (void)state;
    uint64_t live = 0;
    memory m = unit_memory(&live);
    post_ring ring;
    assert_true(post_ring_init(&ring, 4, &m));
    assert_true(post_ring_is_empty(&ring));
    for (uint32_t lap = 0; lap < 3; ++lap) {
        for (uint32_t i = 0; i < 4; ++i) {
            post_ring_push(&ring, i == 3 ? POST_RELOAD : POST_LATE, i + lap);
        }
        assert_int_equal(post_index_of(post_ring_peek(&ring, 2)), 2 + lap);
        for (uint32_t i = 0; i < 4; ++i) {
            uint32_t post = post_ring_peek(&ring, 0);
            assert_int_equal(post_kind_of(post), i == 3 ? POST_RELOAD : POST_LATE);
            assert_int_equal(post_index_of(post), i + lap);
            post_ring_pop(&ring);
        }
        assert_true(post_ring_is_empty(&ring));
    }
    post_ring_push(&ring, POST_TERMINAL, 0); /* index 0 is a post like others */
    assert_false(post_ring_is_empty(&ring));
    post_ring_free(&ring, &m);
    assert_int_equal(live, 0);
}

#define POSTER_COUNT 4u
#define OBJECT_COUNT 8u /* of each poster */
#define POST_COUNT 20000u /* by each poster */

typedef struct poster {
    post_ring *ring;
    uint32_t number;
    pthread_t thread;
    uint32_t written[OBJECT_COUNT]; /* before the post; not atomic: the ring orders it */
    _Atomic bool posted[OBJECT_COUNT]; /* until it is taken, it may not be posted again */
} poster;

static void *post_all(void *argument)
{
    poster *p = argument;
    for (uint32_t i = 0; i < POST_COUNT; ++i) {
        uint32_t object = i % OBJECT_COUNT;
        while (atomic_load_explicit(&p->posted[object], memory_order_acquire)) {
            sched_yield();
        }
        p->written[object] = i;
        atomic_store_explicit(&p->posted[object], true, memory_order_relaxed);
        post_ring_push(p->ring, POST_TERMINAL, p->number * OBJECT_COUNT + object);
    }
    return NULL;
}

static void threads_lose_nothing(void **state)
{
    (void)state;
    memory m = unit_memory(NULL);
    post_ring ring;
    static poster posters[POSTER_COUNT];
    assert_true(post_ring_init(&ring, POSTER_COUNT * OBJECT_COUNT, &m));
    for (uint32_t i = 0; i < POSTER_COUNT; ++i) {
        posters[i].ring = &ring;
        posters[i].number = i;
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
    uint32_t taken[POSTER_COUNT] = { 0 }, wrong = 0;
    for (uint32_t all = 0; all < POSTER_COUNT * POST_COUNT;) {
        uint32_t post = post_ring_peek(&ring, 0);
        if (post == 0) {
            sched_yield();
            continue;
        }
        post_ring_pop(&ring);
        ++all;
        poster *p = &posters[post_index_of(post) / OBJECT_COUNT];
        uint32_t object = post_index_of(post) % OBJECT_COUNT;
        uint32_t expected = taken[p->number]++;
        wrong +=
            post_kind_of(post) != POST_TERMINAL || object != expected % OBJECT_COUNT || p->written[object] != expected;
        atomic_store_explicit(&p->posted[object], false, memory_order_release);
    }
    for (uint32_t i = 0; i < POSTER_COUNT; ++i) {
        pthread_join(posters[i].thread, NULL);
    }
    assert_int_equal(wrong, 0);
    assert_true(post_ring_is_empty(&ring)); /* nothing came twice */
    post_ring_free(&ring, &m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_come_in_order_and_leave_room),
        cmocka_unit_test(threads_lose_nothing),
    };
    return cmocka_run_group_tests_name("post_ring", tests, NULL, NULL);
}
