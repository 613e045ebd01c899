/* world.c - see world.h. */
#include "world.h"

#include <string.h>

world the_world;

/* ---- The device ---- */

static bool can_return(void *argument)
{
    (void)argument;
    return the_world.completions > 0 || explore_fd_count(the_world.fd) > 0;
}

static bool is_woken(void *argument)
{
    (void)argument;
    return explore_fd_count(the_world.fd) > 0;
}

static void drain(void)
{
    uint64_t value;
    if (explore_fd_count(the_world.fd) > 0 && read(the_world.fd, &value, sizeof(value)) < 0) {
        explore_fail("what is readable cannot be read");
    }
}

static void device_wait(io_backend *io, uint64_t deadline_ns)
{
    static explore_site site = {
        .operation = "sleep", .object = "until a completion or a wake", .file = __FILE__, .function = "device_wait"
    };
    (void)io;
    explore_await(&site, can_return, NULL, deadline_ns == IO_WAIT_FOREVER ? PATIENCE_ENDLESS : PATIENCE_TIMED);
    drain();
}

static void device_gather(io_backend *io, uint64_t deadline_ns, uint64_t gather_ns)
{
    (void)gather_ns;
    device_wait(io, deadline_ns);
}

static void device_nap(io_backend *io)
{
    static explore_site site = {
        .operation = "nap", .object = "until a wake", .file = __FILE__, .function = "device_nap"
    };
    (void)io;
    explore_await(&site, is_woken, NULL, PATIENCE_ENDLESS);
    drain();
}

static bool device_wake(io_backend *io)
{
    (void)io;
    uint64_t one = 1;
    return write(the_world.fd, &one, sizeof(one)) > 0;
}

static const io_ops DEVICE = { .wait = device_wait, .gather = device_gather, .nap = device_nap, .wake = device_wake };

/* ---- What stays from run to run ---- */

static struct {
    sched *empty, *full;
    decode *idle, *busy;
    read_op *reads;
    request *requests;
    pack_slot *packs;
    leat_event *events;
    ended_object *ended;
    uint32_t *ended_batch;
} kept;

static bool wanted(void *owner, const decode_output *output)
{
    (void)owner;
    (void)output;
    return false;
}

static decode *make_decode(memory *m, decode_task *task)
{
    decode *d = decode_create(&(decode_desc){ .memory = m, .task_count_max = 2, .wanted = wanted });
    EXPLORE_CHECK(d != NULL);
    if (task != NULL) {
        decode_push(d, &task, 1);
    }
    return d;
}

static void keep(void)
{
    static memory m;
    static decode_task task;
    m = scenario_memory();
    sched_desc desc = { .memory = &m, .capacity = WORLD_REQUESTS, .ageing_ns = NS_PER_S };
    for (uint32_t i = 0; i < LEAT_CLIENT_COUNT; ++i) {
        desc.client_weights[i] = 1;
    }
    desc.store = sched_store_create(&m, WORLD_REQUESTS, 2);
    EXPLORE_CHECK(desc.store != NULL);
    kept.empty = sched_create(&desc);
    kept.full = sched_create(&desc);
    sched_push(kept.full, 0, &(sched_entry){ .rank = 2, .deadline_ns = NO_DEADLINE, .bytes = 1 });
    kept.idle = make_decode(&m, NULL);
    kept.busy = make_decode(&m, &task);
    kept.reads = memory_allocate(&m, WORLD_READS, sizeof(*kept.reads), CACHE_LINE_SIZE);
    kept.requests = memory_allocate(&m, WORLD_REQUESTS, sizeof(*kept.requests), CACHE_LINE_SIZE);
    kept.packs = memory_allocate(&m, 1, sizeof(*kept.packs), CACHE_LINE_SIZE);
    kept.events = memory_allocate(&m, WORLD_REQUESTS, sizeof(*kept.events), CACHE_LINE_SIZE);
    kept.ended = memory_allocate(&m, WORLD_REQUESTS, sizeof(*kept.ended), CACHE_LINE_SIZE);
    kept.ended_batch = memory_allocate(&m, WORLD_REQUESTS, sizeof(*kept.ended_batch), CACHE_LINE_SIZE);
}

sched *world_queue(bool waits)
{
    return waits ? kept.full : kept.empty;
}

decode *world_decode(bool queued)
{
    return queued ? kept.busy : kept.idle;
}

/* ---- A run's ---- */

static void reset_requests(leat_streamer *s)
{
    uint32_t index, generation;
    memset(kept.requests, 0, WORLD_REQUESTS * sizeof(*kept.requests));
    for (uint32_t i = 0; i < WORLD_REQUESTS; ++i) {
        EXPLORE_CHECK(handles_acquire(&s->request_handles, &index, &generation) && index == i);
        kept.requests[i].generation = generation;
        atomic_init(&kept.requests[i].chunks_open, 1);
        kept.requests[i].deadline_wanted_ns = NO_DEADLINE;
    }
}

void world_make(void)
{
    world *w = &the_world;
    leat_streamer *s = &w->s;
    memory m = scenario_memory();
    if (kept.empty == NULL) {
        keep();
    } else {
        command_queue_free(&s->commands, &m);
        handles_free(&s->request_handles, &m);
        handles_free(&s->batch_handles, &m);
        post_ring_free(&s->posts, &m);
    }
    memset(w, 0, sizeof(*w));
    EXPLORE_CHECK(command_queue_init(&s->commands, 4, &m) && handles_init(&s->request_handles, WORLD_REQUESTS, &m) &&
                  handles_init(&s->batch_handles, 2, &m) && post_ring_init(&s->posts, 4 * WORLD_REQUESTS, &m));
    mpsc_init(&s->mail);
    mpsc_init(&s->returned);
    w->fd = explore_fd_make();
    atomic_init(&s->event_fd, -1);
    s->io_ops = &DEVICE;
    s->waiting_lent = s->waiting_bind = kept.empty;
    s->decode = kept.idle;
    s->decode_bytes_low = 2;
    s->decode_bytes_dry = 1;
    s->desc.event_count_max = WORLD_REQUESTS;
    s->reads = kept.reads;
    s->requests = kept.requests;
    s->packs = kept.packs;
    s->events = kept.events;
    s->ended = kept.ended;
    s->ended_batch = kept.ended_batch;
    for (uint32_t i = 0; i < WORLD_READS; ++i) {
        atomic_init(&s->reads[i].returned.mask, 0);
    }
    atomic_init(&s->packs[0].references, 1000);
    reset_requests(s);
}

bool world_complete(void)
{
    bool due = the_world.completions_due > 0;
    the_world.completions_due -= due;
    the_world.completions += due;
    return due;
}

static bool take_completions(leat_streamer *s)
{
    bool any = the_world.completions > 0;
    if (any) {
        the_world.completions = 0;
        s->reads_busy -= u32_min(s->reads_busy, s->reads_in_flight);
        s->reads_in_flight = 0;
        s->issue_blocked = false;
    }
    return any;
}

bool world_take(void)
{
    world *w = &the_world;
    leat_streamer *s = &w->s;
    uint32_t before = w->mail_seen + w->commands_seen + w->chores_seen + w->returned_seen;
    for (uint32_t index = mpsc_take(&s->mail), next; index != MPSC_END; index = next) {
        next = mail_link(s, index)->next;
        mpsc_open(mail_link(s, index));
        ++w->mail_seen;
    }
    command c;
    while (command_queue_pop(&s->commands, &c)) {
        ++w->commands_seen;
    }
    bool completed = take_completions(s);
    for (uint32_t index = mpsc_take(&s->returned), next; index != MPSC_END; index = next) {
        next = s->reads[index].returned.next;
        mpsc_open(&s->reads[index].returned);
        if (s->reads[index].tasks[0].decode.unread) { /* of one task, then */
            atomic_fetch_sub_explicit(&s->chunks_unread, 1, memory_order_seq_cst);
        }
        ++w->returned_seen;
        --s->reads_busy;
        s->issue_blocked = s->short_of_buffers = false;
    }
    if (atomic_load_explicit(&s->pack_chores, memory_order_acquire) > 0) {
        atomic_fetch_sub_explicit(&s->pack_chores, 1, memory_order_relaxed);
        ++w->chores_seen;
    }
    return completed || w->mail_seen + w->commands_seen + w->chores_seen + w->returned_seen > before;
}
