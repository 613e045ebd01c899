/* Shows that commands come out once each and in order per producer, that a full queue says so, and that it is usable
 * again afterwards. */
#include "unit.h"

#include "command_queue.h"

#include <pthread.h>

static void full_and_empty_again(uint64_t capacity)
{
    memory m = unit_memory(NULL);
    command_queue queue;
    assert_true(command_queue_init(&queue, capacity, &m));
    command c = { .type = COMMAND_BIND };
    for (uint32_t round = 0; round < 3; ++round) {
        for (uint64_t i = 0; i < capacity; ++i) {
            c.deadline_ns = i;
            assert_true(command_queue_push(&queue, &c));
        }
        assert_false(command_queue_push(&queue, &c));
        assert_false(command_queue_is_empty(&queue));
        for (uint64_t i = 0; i < capacity; ++i) {
            assert_true(command_queue_pop(&queue, &c));
            assert_int_equal(c.deadline_ns, i);
        }
        assert_false(command_queue_pop(&queue, &c));
        assert_true(command_queue_is_empty(&queue));
    }
    command_queue_free(&queue, &m);
}

/* Two is the least that this kind of queue can have. */
static void full_is_an_answer(void **state)
{
    (void)state;
    full_and_empty_again(2);
    full_and_empty_again(4);
}

#define PRODUCER_COUNT 3u
#define EACH 30000u

typedef struct producer {
    command_queue *queue;
    uint32_t number;
} producer;

static void *produce(void *argument)
{
    producer *p = argument;
    for (uint64_t i = 0; i < EACH;) {
        command c = { .type = COMMAND_BIND, .request = { .index = p->number }, .deadline_ns = i };
        i += command_queue_push(p->queue, &c) ? 1 : 0;
    }
    return NULL;
}

static void producers_keep_their_order(void **state)
{
    (void)state;
    memory m = unit_memory(NULL);
    command_queue queue;
    assert_true(command_queue_init(&queue, 64, &m));
    pthread_t threads[PRODUCER_COUNT];
    producer producers[PRODUCER_COUNT];
    for (uint32_t i = 0; i < PRODUCER_COUNT; ++i) {
        producers[i] = (producer){ .queue = &queue, .number = i };
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    uint64_t next[PRODUCER_COUNT] = { 0 };
    for (uint32_t taken = 0; taken < PRODUCER_COUNT * EACH;) {
        command c;
        if (command_queue_pop(&queue, &c)) {
            assert_int_equal(c.deadline_ns, next[c.request.index]++);
            ++taken;
        }
    }
    for (uint32_t i = 0; i < PRODUCER_COUNT; ++i) {
        pthread_join(threads[i], NULL);
    }
    command_queue_free(&queue, &m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_is_an_answer),
        cmocka_unit_test(producers_keep_their_order),
    };
    return cmocka_run_group_tests_name("command_queue", tests, NULL, NULL);
}
