/* works.c - the decode stage's workers sleep and are woken (decode.c): all that is pushed is done. (That enough of them
 * are awake for it is a matter of speed, and not looked at here.) */
#include "scenarios.h"

#include "decode.h"

#include <stdatomic.h>
#include <string.h>

#define TASK_COUNT 4u

static struct {
    memory memory;
    decode *decode;
    decode_task tasks[TASK_COUNT];
    _Atomic uint32_t hurry;
    uint32_t done;
    uint32_t groups; /* pushes */
} play;

static bool wanted(void *owner, const decode_output *output)
{
    (void)owner;
    (void)output;
    return false;
}

static void done(void *owner, decode_task *task)
{
    (void)owner;
    EXPLORE_CHECK(task->state == DECODE_STARTED);
    task->state = DECODE_IDLE;
    ++play.done;
}

static bool all_done(void *argument)
{
    (void)argument;
    return play.done == TASK_COUNT;
}

/* The I/O thread: pushes, then wakes; at the end, stops the workers. */
static void pusher(void *argument)
{
    static explore_site site = {
        .operation = "await", .object = "all tasks are done", .file = __FILE__, .function = "pusher"
    };
    (void)argument;
    uint32_t each = TASK_COUNT / play.groups;
    for (uint32_t i = 0; i < TASK_COUNT; i += each) {
        decode_task *group[TASK_COUNT];
        for (uint32_t k = 0; k < each; ++k) {
            group[k] = &play.tasks[i + k];
        }
        decode_push(play.decode, group, each);
        decode_wake(play.decode);
    }
    explore_await(&site, all_done, NULL, PATIENCE_ENDLESS);
    decode_stop(play.decode);
}

static void finished(void)
{
    EXPLORE_CHECK(play.done == TASK_COUNT);
    decode_destroy(play.decode);
    play.decode = NULL;
}

/* parameter: pushes, and + 8: in a hurry; + 16: one worker. */
static void begin(int parameter)
{
    static const uint8_t BYTES[1];
    static const leat_pack_chunk_record RECORD = { .packed_size = 1, .raw_size = 1 };
    memset(&play, 0, sizeof(play)); /* of a run that has failed, the stage is left as it is */
    play.memory = scenario_memory();
    play.groups = (uint32_t)parameter & 7u;
    atomic_init(&play.hurry, (parameter & 8) != 0);
    explore_thread("io", pusher, NULL);
    play.decode = decode_create(&(decode_desc){ .memory = &play.memory,
                                                .worker_count = parameter & 16 ? 1 : 2,
                                                .task_count_max = TASK_COUNT,
                                                .hurry = &play.hurry,
                                                .wanted = wanted,
                                                .done = done });
    EXPLORE_CHECK(play.decode != NULL);
    for (uint32_t i = 0; i < TASK_COUNT; ++i) {
        play.tasks[i] = (decode_task){ .record = &RECORD, .packed = BYTES, .key = { .sequence = i } };
    }
}

static const explore_scenario SCENARIOS[] = {
    { .name = "work.one",
      .preemptions = 2,
      .preemptions_long = 3,
      .parameter = 16 + 2,
      .begin = begin,
      .end = finished },
    { .name = "work.two", .preemptions = 2, .preemptions_long = 3, .parameter = 2, .begin = begin, .end = finished },
    { .name = "work.each", .preemptions = 1, .preemptions_long = 2, .parameter = 4, .begin = begin, .end = finished },
    { .name = "work.hurry",
      .preemptions = 1,
      .preemptions_long = 2,
      .parameter = 8 + 2,
      .begin = begin,
      .end = finished },
};

const scenario_list WORK_SCENARIOS = { SCENARIOS, COUNT_OF(SCENARIOS) };
