/* sleeps.c - the I/O thread goes to sleep in each depth while others post with each hurry: it is told as soon as it was
 * promised (streamer/README.md), and sleeps past nothing. */
#include "world.h"

/* ---- One post, of each hurry, in each depth ---- */

#define KIND_COUNT ((uint32_t)WAKE_BY_WORKER + 1)
#define PARAMETER(depth, kind, waits) ((int)(depth) << 8 | (int)(kind) << 1 | (int)(waits))

#define CARELESS (1 << 20) /* another thread posts too, what may wait */

typedef enum way { WAY_MAIL, WAY_COMMAND, WAY_CHORE } way;

static struct {
    sleep_state depth;
    wake_kind kind;
    bool waits; /* requests wait for memory of both kinds, and some to be decoded */
    way way;
    uint32_t posts; /* in all */
    bool frame; /* the update thread may go on */
    bool framed; /* and has */
} play;

static uint32_t seen(void)
{
    return the_world.mail_seen + the_world.commands_seen + the_world.chores_seen;
}

/* As pump_main: until all has come. */
static void io_thread(void *argument)
{
    (void)argument;
    leat_streamer *s = &the_world.s;
    while (seen() < play.posts) {
        sleep_forget_owed(s);
        if (!world_take()) {
            pump_sleep(s, 0);
        }
    }
}

static void post_mail(uint32_t index, wake_kind kind)
{
    leat_streamer *s = &the_world.s;
    mpsc_post(&s->mail, mail_link(s, index), index, MAIL_SUBMIT);
    streamer_wake(s, kind);
}

static void post_chore(wake_kind kind)
{
    leat_streamer *s = &the_world.s;
    atomic_fetch_add_explicit(&s->pack_chores, 1, memory_order_seq_cst);
    streamer_wake(s, kind);
}

static void poster(void *argument)
{
    (void)argument;
    leat_streamer *s = &the_world.s;
    if (play.way == WAY_MAIL) {
        post_mail(0, play.kind);
    } else if (play.way == WAY_CHORE) {
        post_chore(play.kind);
    } else { /* WAKE_NOW */
        EXPLORE_CHECK(leat_cancel_where(s, &(leat_selection){ .all = true }) == LEAT_OK);
    }
}

/* What it posts may wait, and nobody is told unless there is something else. */
static void careless_poster(void *argument)
{
    (void)argument;
    leat_streamer *s = &the_world.s;
    leat_request handle = { .index = 1, .generation = s->requests[1].generation };
    if (play.way == WAY_MAIL) {
        post_mail(1, WAKE_LATER);
    } else if (play.way == WAY_CHORE) {
        post_chore(WAKE_LATER);
    } else { /* WAKE_ORDER */
        EXPLORE_CHECK(leat_reprioritise(s, handle, LEAT_PREFETCH, 0) == LEAT_OK);
    }
}

static bool is_frame(void *argument)
{
    (void)argument;
    return play.frame;
}

/* One update at any time, and one when nothing else happens. */
static void update_thread(void *argument)
{
    static explore_site site = {
        .operation = "await", .object = "the next frame", .file = __FILE__, .function = "update_thread"
    };
    (void)argument;
    streamer_wake_owed(&the_world.s);
    explore_await(&site, is_frame, NULL, PATIENCE_ENDLESS);
    streamer_wake_owed(&the_world.s);
    play.framed = true;
}

/* What is promised of this hurry, without an update. */
static bool is_told_at_once(void)
{
    switch (play.depth) {
    case SLEEP_DEEP:
        return play.kind >= WAKE_ORDER_NOW;
    case SLEEP_NAP:
    case SLEEP_SHORT:
        return play.kind > WAKE_WORK;
    case SLEEP_LIGHT:
    case SLEEP_AWAKE:
        break;
    }
    switch (play.kind) {
    case WAKE_LATER:
        return false;
    case WAKE_MEMORY:
    case WAKE_ORDER:
    case WAKE_ORDER_SOON:
    case WAKE_ORDER_NOW:
        return play.waits;
    case WAKE_WORK_LENT:
    case WAKE_WORK_LATE:
        return !play.waits;
    case WAKE_WORK:
    case WAKE_SOON:
    case WAKE_NOW:
    case WAKE_BY_WORKER:
        break;
    }
    return true;
}

/* Nobody can go on: so the I/O thread sleeps, or has seen all. */
static bool sleeps_at_rest(void)
{
    uint32_t careless = play.posts - 1;
    bool all = seen() == play.posts;
    if (is_told_at_once() && seen() < play.posts - careless) {
        explore_fail("it sleeps, and what it was to be told of at once waits");
    }
    if (!play.frame) {
        play.frame = true;
        return true;
    }
    bool owed_is_paid = play.depth == SLEEP_LIGHT || play.depth == SLEEP_SHORT;
    if (owed_is_paid && !all) {
        explore_fail("it sleeps past an update, and something waits");
    }
    return world_complete();
}

static void set_depth(leat_streamer *s, sleep_state depth)
{
    s->reads_in_flight = s->reads_busy = depth == SLEEP_SHORT || depth == SLEEP_DEEP;
    the_world.completions_due = s->reads_in_flight;
    s->issue_blocked = depth == SLEEP_DEEP;
}

static void sleeps_begin(int parameter)
{
    leat_streamer *s = &the_world.s;
    bool careless = parameter & CARELESS;
    world_make();
    play.depth = (sleep_state)(parameter >> 8 & 0xff);
    play.kind = (wake_kind)(parameter >> 1 & 0x7f);
    play.waits = parameter & 1;
    play.way = (way)(parameter >> 16 & 0xf);
    play.posts = careless ? 2 : 1;
    play.frame = play.framed = false;
    set_depth(s, play.depth);
    s->waiting_lent = s->waiting_bind = world_queue(play.waits);
    s->decode = world_decode(play.waits);
    explore_thread("io", io_thread, NULL);
    explore_thread("poster", poster, NULL);
    explore_thread("update", update_thread, NULL);
    if (careless) {
        explore_thread("careless", careless_poster, NULL);
    }
}

/* ---- What the workers give back ---- */

#define TASK_BYTES 2u
#define RICH (1 << 21) /* until both have ended, the workers have enough to do: it naps */
#define ONE_READ (1 << 22) /* has both tasks */
#define UNREAD 1 /* the workers could not fetch them */

static uint32_t returns; /* reads that will come back */
static bool unread; /* and must be read from the device */

static void worker(void *argument)
{
    finish_task(&the_world.s, argument);
}

/* The workers have nothing left to do. */
static bool returns_at_rest(void)
{
    const leat_streamer *s = &the_world.s;
    if (seen() < play.posts && !s->wake_owed && play.depth == SLEEP_NAP) {
        explore_fail("the workers have nothing to do, and it sleeps past a post that no update will tell of");
    }
    if (the_world.returned_seen < returns && (s->starving || unread)) {
        explore_fail("the workers have nothing to do, and it sleeps past what they gave back");
    }
    the_world.completions_due = 1; /* the device wakes it in the end */
    return world_complete();
}

static void returns_io_thread(void *argument)
{
    (void)argument;
    leat_streamer *s = &the_world.s;
    while (seen() < play.posts || the_world.returned_seen < returns) {
        sleep_forget_owed(s);
        if (!world_take()) {
            pump_sleep(s, 0);
        }
    }
}

static void returns_begin(int parameter)
{
    static const leat_pack_chunk_record RECORD = { .packed_size = TASK_BYTES };
    leat_streamer *s = &the_world.s;
    world_make();
    play.kind = (wake_kind)(parameter >> 1 & 0x7f);
    play.way = WAY_MAIL;
    play.posts = 1;
    play.depth = parameter & RICH ? SLEEP_NAP : SLEEP_DEEP;
    returns = parameter & ONE_READ ? 1 : 2;
    unread = parameter & UNREAD;
    set_depth(s, play.depth);
    s->reads_busy += returns;
    s->decode_bytes_low = parameter & RICH ? TASK_BYTES : 3 * TASK_BYTES;
    atomic_init(&s->decode_bytes, 2 * TASK_BYTES);
    explore_thread("io", returns_io_thread, NULL);
    for (uint32_t i = 0; i < 2; ++i) {
        read_op *rd = &s->reads[parameter & ONE_READ ? 0 : i];
        decode_task *task = &rd->tasks[parameter & ONE_READ ? i : 0].decode;
        *task = (decode_task){
            .record = &RECORD, .read = (uint32_t)(rd - s->reads), .skipped = true, .unread = parameter & UNREAD
        };
        rd->task_count = 2 / returns;
        atomic_init(&rd->tasks_open, rd->task_count);
        explore_thread(i == 0 ? "worker 1" : "worker 2", worker, task);
    }
    explore_thread("poster", poster, NULL);
}

/* ---- The end ---- */

static void ending_io_thread(void *argument)
{
    (void)argument;
    leat_streamer *s = &the_world.s;
    while (!atomic_load_explicit(&s->stopping, memory_order_acquire)) {
        sleep_forget_owed(s);
        if (!world_take()) {
            pump_sleep(s, 0);
        }
    }
}

/* As leat_destroy. */
static void ender(void *argument)
{
    (void)argument;
    leat_streamer *s = &the_world.s;
    atomic_store_explicit(&s->stopping, true, memory_order_seq_cst);
    streamer_wake(s, WAKE_NOW);
}

static void end_begin(int parameter)
{
    world_make();
    set_depth(&the_world.s, (sleep_state)parameter);
    the_world.completions_due = 0; /* nothing else wakes it */
    play.way = WAY_MAIL;
    explore_thread("io", ending_io_thread, NULL);
    explore_thread("ender", ender, NULL);
    explore_thread("careless", careless_poster, NULL);
}

#define ONE(name_, parameter_)                                                                                         \
    {                                                                                                                  \
        .name = name_, .preemptions = 2, .preemptions_long = 3, .parameter = parameter_, .begin = sleeps_begin,        \
        .at_rest = sleeps_at_rest                                                                                      \
    }
#define EACH_DEPTH(kind_name, kind)                                                                                    \
    ONE("sleep.light." kind_name, PARAMETER(SLEEP_LIGHT, kind, false)),                                                \
        ONE("sleep.short." kind_name, PARAMETER(SLEEP_SHORT, kind, false)),                                            \
        ONE("sleep.deep." kind_name, PARAMETER(SLEEP_DEEP, kind, false)),                                              \
        ONE("sleep.waits." kind_name, PARAMETER(SLEEP_LIGHT, kind, true))
#define RETURNS(name_, kind, flags)                                                                                    \
    {                                                                                                                  \
        .name = "returns." name_, .preemptions = 2, .preemptions_long = 3,                                             \
        .parameter = PARAMETER(0, kind, 0) | (flags), .begin = returns_begin, .at_rest = returns_at_rest               \
    }
#define END(depth_name, depth)                                                                                         \
    {                                                                                                                  \
        .name = "end." depth_name, .preemptions = 2, .preemptions_long = 4, .parameter = depth, .begin = end_begin     \
    }

static const explore_scenario SCENARIOS[] = {
    EACH_DEPTH("later", WAKE_LATER),
    EACH_DEPTH("memory", WAKE_MEMORY),
    EACH_DEPTH("order", WAKE_ORDER),
    EACH_DEPTH("work_lent", WAKE_WORK_LENT),
    EACH_DEPTH("work_late", WAKE_WORK_LATE),
    EACH_DEPTH("work", WAKE_WORK),
    EACH_DEPTH("order_soon", WAKE_ORDER_SOON),
    EACH_DEPTH("soon", WAKE_SOON),
    EACH_DEPTH("order_now", WAKE_ORDER_NOW),
    EACH_DEPTH("now", WAKE_NOW),
    EACH_DEPTH("by_worker", WAKE_BY_WORKER),
    ONE("sleep.two.later", CARELESS | PARAMETER(SLEEP_LIGHT, WAKE_LATER, false)),
    ONE("sleep.two.now", CARELESS | PARAMETER(SLEEP_LIGHT, WAKE_NOW, false)),
    ONE("sleep.two.deep", CARELESS | PARAMETER(SLEEP_DEEP, WAKE_ORDER_NOW, false)),
    ONE("sleep.two.commands", CARELESS | WAY_COMMAND << 16 | PARAMETER(SLEEP_LIGHT, WAKE_NOW, false)),
    ONE("sleep.two.chores", CARELESS | WAY_CHORE << 16 | PARAMETER(SLEEP_LIGHT, WAKE_NOW, false)),
    RETURNS("nap", WAKE_LATER, RICH),
    RETURNS("nap.soon", WAKE_SOON, RICH),
    RETURNS("nap.one_read", WAKE_LATER, RICH | ONE_READ),
    RETURNS("nap.unread", WAKE_LATER, RICH | UNREAD),
    RETURNS("deep.unread", WAKE_LATER, UNREAD),
    END("light", SLEEP_LIGHT),
    END("short", SLEEP_SHORT),
    END("deep", SLEEP_DEEP),
};

const scenario_list SLEEP_SCENARIOS = { SCENARIOS, COUNT_OF(SCENARIOS) };
