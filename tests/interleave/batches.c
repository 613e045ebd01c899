/* batches.c - a batch is ended while another thread submits into it: the member is counted or refused, and none is
 * counted to the batch that uses the slot next. */
#include "world.h"

static struct {
    leat_batch batch;
    uint32_t joined, ready, counted;
    bool ended; /* its event is out */
    leat_batch next;
} play;

static leat_pack_asset_record record; /* of no bytes: a request for it ends with its admission */
static pack_mount mount;

static void submitter(void *argument)
{
    (void)argument;
    leat_read_desc desc = { .asset = { .pack = { .index = 0, .generation = 1 }, .index = 1 }, .batch = play.batch };
    leat_result result = leat_read(&the_world.s, &desc, NULL);
    EXPLORE_CHECK(result == LEAT_OK || result == LEAT_ERROR_ARGUMENT || result == LEAT_ERROR_STALE);
    play.joined += result == LEAT_OK;
}

static void ender(void *argument)
{
    (void)argument;
    EXPLORE_CHECK(leat_batch_end(&the_world.s, play.batch) == LEAT_OK);
}

static bool take_submits(leat_streamer *s)
{
    uint32_t index = mpsc_take(&s->mail);
    bool worked = index != MPSC_END;
    for (uint32_t next; index != MPSC_END; index = next) {
        next = mail_link(s, index)->next;
        EXPLORE_CHECK(mpsc_open(mail_link(s, index)) & (MAIL_SUBMIT | MAIL_RELEASE));
        if (s->requests[index].chunks_open > 0) {
            request_drop(s, &s->requests[index], index);
        }
    }
    return worked;
}

static void io_thread(void *argument)
{
    (void)argument;
    leat_streamer *s = &the_world.s;
    while (!atomic_load_explicit(&s->stopping, memory_order_acquire)) {
        sleep_forget_owed(s);
        bool worked = take_submits(s);
        post_signal(s);
        if (!worked) {
            pump_sleep(s, 0);
        }
    }
}

static void note_events(leat_events events)
{
    for (uint32_t i = 0; i < events.count; ++i) {
        const leat_event *e = &events.items[i];
        if (e->type != LEAT_EVENT_BATCH) {
            EXPLORE_CHECK(e->type == LEAT_EVENT_READY);
            ++play.ready;
        } else if (e->batch.generation == play.batch.generation) {
            EXPLORE_CHECK(!play.ended);
            play.ended = true;
            play.counted = e->count;
        } else {
            EXPLORE_CHECK(e->batch.generation == play.next.generation && e->count == 0);
            play.next.generation = 0;
        }
    }
}

/* The next batch has the same slot, and nobody is in it. */
static void update_thread(void *argument)
{
    (void)argument;
    leat_streamer *s = &the_world.s;
    while (!play.ended) {
        note_events(leat_wait(s, UINT64_MAX));
    }
    note_events(leat_update(s, NULL));
    EXPLORE_CHECK(leat_batch_begin(s, NULL, &play.next) == LEAT_OK && play.next.index == play.batch.index);
    EXPLORE_CHECK(leat_batch_end(s, play.next) == LEAT_OK);
    while (play.next.generation != 0) {
        note_events(leat_wait(s, UINT64_MAX));
    }
    atomic_store_explicit(&s->stopping, true, memory_order_seq_cst);
    streamer_wake(s, WAKE_NOW);
}

static void finished(void)
{
    EXPLORE_CHECK(play.counted == play.joined && play.ready == play.joined);
}

static void begin(int parameter)
{
    (void)parameter;
    leat_streamer *s = &the_world.s;
    world_make();
    for (uint32_t i = 0; i < WORLD_REQUESTS; ++i) {
        handles_release(&s->request_handles, i);
    }
    static batch batches[2];
    s->batches = batches;
    s->mounts = &mount;
    s->desc.pack_count_max = 1;
    atomic_init(&mount.view, mount_view(1, 0));
    s->packs[0].index.assets = &record;
    s->packs[0].ids.count = 1;
    s->packs[0].handle = (leat_pack){ .index = 0, .generation = 1 };
    play.joined = play.ready = play.counted = 0;
    play.ended = false;
    play.next = (leat_batch){ 0 };
    EXPLORE_CHECK(leat_batch_begin(s, NULL, &play.batch) == LEAT_OK);
    explore_thread("submit", submitter, NULL);
    explore_thread("end", ender, NULL);
    explore_thread("io", io_thread, NULL);
    explore_thread("update", update_thread, NULL);
}

static const explore_scenario SCENARIOS[] = {
    { .name = "batch", .preemptions = 1, .preemptions_long = 2, .begin = begin, .end = finished },
};

const scenario_list BATCH_SCENARIOS = { SCENARIOS, COUNT_OF(SCENARIOS) };
