/* waits.c - the update thread waits for events, in leat_wait or on the descriptor that it was given, while others post:
 * no post is left lying, and what it was owed is paid before it sleeps. */
#include "world.h"

#include <poll.h>

#define EVENTS 2u

static struct {
    uint32_t had, wanted;
    bool soon;
} play;

static void note_events(leat_events events)
{
    for (uint32_t i = 0; i < events.count; ++i) {
        EXPLORE_CHECK(events.items[i].type == LEAT_EVENT_READY);
    }
    play.had += events.count;
}

/* ---- leat_wait ---- */

static void waiter(void *argument)
{
    (void)argument;
    while (play.had < play.wanted) {
        note_events(leat_wait(&the_world.s, UINT64_MAX));
    }
}

/* Waits in vain until its time is over. */
static bool waits_at_rest(void)
{
    const leat_streamer *s = &the_world.s;
    bool naps = s->update_waits == UPDATE_NAPS && !play.soon;
    if (s->posts.posts[s->posts.head & (s->posts.capacity - 1)] != 0 && !naps) {
        explore_fail("something was posted, and who waits for it sleeps");
    }
    if (s->mail.head != MPSC_END) {
        explore_fail("the I/O thread sleeps past mail, and somebody waits for events");
    }
    return false;
}

static void post_end(void *argument)
{
    leat_streamer *s = &the_world.s;
    post_event(s, POST_TERMINAL, (uint32_t)(size_t)argument, play.soon);
}

static void begin(uint32_t wanted, bool soon)
{
    world_make();
    play.had = 0;
    play.wanted = wanted;
    play.soon = soon;
}

static void leat_wait_begin(int limit)
{
    begin(EVENTS, true);
    the_world.s.desc.event_count_max = limit != 0 ? (uint32_t)limit : WORLD_REQUESTS;
    explore_thread("waiter", waiter, NULL);
    explore_thread("A", post_end, (void *)0);
    explore_thread("B", post_end, (void *)1);
}

/* While the workers have much to do. */
static void leat_wait_naps_begin(int soon)
{
    begin(EVENTS, soon);
    atomic_init(&the_world.s.decode_bytes, the_world.s.decode_bytes_dry);
    explore_thread("waiter", waiter, NULL);
    explore_thread("A", post_end, (void *)0);
    explore_thread("B", post_end, (void *)1);
}

/* ---- The descriptor ---- */

static void poller(void *argument)
{
    (void)argument;
    leat_streamer *s = &the_world.s;
    int fd = leat_event_fd(s);
    while (play.had < play.wanted) {
        struct pollfd wait_for = { .fd = fd, .events = POLLIN };
        ppoll(&wait_for, 1, NULL, NULL);
        note_events(leat_update(s, NULL));
    }
}

static void leat_event_fd_begin(int limit)
{
    begin(EVENTS, true);
    the_world.s.desc.event_count_max = limit != 0 ? (uint32_t)limit : WORLD_REQUESTS;
    explore_thread("poller", poller, NULL);
    explore_thread("A", post_end, (void *)0);
    explore_thread("B", post_end, (void *)1);
}

/* ---- A wake that is owed, and somebody who waits for what comes of it ---- */

/* Of each mail one event, at the end of the round. */
static void io_thread(void *argument)
{
    (void)argument;
    leat_streamer *s = &the_world.s;
    uint32_t told = 0;
    while (told < play.wanted) {
        sleep_forget_owed(s);
        bool worked = world_take();
        for (; told < the_world.mail_seen; ++told) {
            post_event_later(s, POST_TERMINAL, told);
        }
        post_signal(s);
        if (!worked) {
            pump_sleep(s, 0);
        }
    }
}

static void cancel(void *argument)
{
    leat_streamer *s = &the_world.s;
    uint32_t index = (uint32_t)(size_t)argument;
    mpsc_post(&s->mail, mail_link(s, index), index, MAIL_CANCEL);
    streamer_wake(s, WAKE_LATER);
}

static void owed_begin(int polls)
{
    begin(1, true);
    explore_thread("io", io_thread, NULL);
    explore_thread("waiter", polls ? poller : waiter, NULL);
    explore_thread("cancel", cancel, (void *)0);
}

static void finished(void)
{
    EXPLORE_CHECK(play.had == play.wanted);
}

#define WAIT(name_, more, more_long, begin_, parameter_)                                                               \
    {                                                                                                                  \
        .name = name_, .preemptions = more, .preemptions_long = more_long, .parameter = parameter_, .begin = begin_,   \
        .at_rest = waits_at_rest, .end = finished                                                                      \
    }

static const explore_scenario SCENARIOS[] = {
    WAIT("wait.leat_wait", 2, 3, leat_wait_begin, 0),
    WAIT("wait.one_at_a_time", 2, 3, leat_wait_begin, 1),
    WAIT("wait.nap", 2, 3, leat_wait_naps_begin, 0),
    WAIT("wait.nap_soon", 2, 3, leat_wait_naps_begin, 1),
    WAIT("wait.descriptor", 2, 3, leat_event_fd_begin, 0),
    WAIT("wait.descriptor_one", 2, 3, leat_event_fd_begin, 1),
    WAIT("wait.owed", 2, 3, owed_begin, 0),
    WAIT("wait.owed_descriptor", 2, 3, owed_begin, 1),
};

const scenario_list WAIT_SCENARIOS = { SCENARIOS, COUNT_OF(SCENARIOS) };
