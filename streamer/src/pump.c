/* pump.c - the I/O thread: takes the mail, admits requests, carries out commands, and drives reads.c.
 *
 * One round (pump_run) does everything that can be done now and never waits; pump_main sleeps between rounds in the
 * backend's wait. A stepped streamer calls pump_run from leat_update instead. Everything here is owned by that one
 * thread, so there are no locks; the scheduler and the window are pure and get the time handed in. */
#include "streamer.h"

#include "threads.h"

#define SWEEP_ALL UINT64_MAX

/* ---- Queueing ---- */

static uint64_t position_of(const leat_streamer *s, const request *r)
{
    const pack_slot *slot = &s->packs[r->pack];
    return (uint64_t)r->pack << 48 | slot->index.chunks[r->chunk_next].file_offset;
}

static uint64_t bytes_left(const leat_streamer *s, const request *r)
{
    return pack_index_packed_size(&s->packs[r->pack].index, r->chunk_next, r->chunk_end);
}

static void enqueue(leat_streamer *s, request *r, uint32_t index, uint64_t bytes, uint64_t now_ns)
{
    sched_entry entry = {
        .rank = r->rank,
        .client = r->client,
        .deadline_ns = r->deadline_ns,
        .sequence = r->sequence,
        .position = position_of(s, r),
        .bytes = bytes,
        .queued_ns = r->submitted_ns,
        .now_ns = now_ns,
    };
    sched_push(s->sched, index, &entry);
    r->stage = STAGE_QUEUED;
}

void pump_requeue(leat_streamer *s, uint32_t index)
{
    request *r = &s->requests[index];
    enqueue(s, r, index, bytes_left(s, r) - shared_enter(s, r, index), streamer_now(s));
}

void pump_take_out(leat_streamer *s, uint32_t index)
{
    sched_remove(s->sched, index);
    if (s->requests[index].shares) {
        shared_leave(s, &s->requests[index], index);
    }
}

sched *pump_waiting_queue(const leat_streamer *s, const request *r)
{
    return r->bind == LEAT_BIND_LEAT ? s->waiting_lent : s->waiting_bind;
}

/* The best of those that wait for memory; SCHED_NONE also if what there is is kept for another one (kept). */
static uint32_t first_waiting(const leat_streamer *s, const sched *waiting, bool kept)
{
    uint32_t index = sched_peek(waiting, 0);
    return index != SCHED_NONE && kept && s->requests[index].rank != 0 ? SCHED_NONE : index;
}

/* Requests that wait for memory go back into the queue, best first, as far as there is room now; urgent ones alone
 * where one that has waited for too long is to have it. The two kinds of memory are apart: what waits for a release
 * must not hold back what waits for an answer, nor the other way. */
static void wake_waiting_lent(leat_streamer *s, uint64_t now_ns)
{
    bool kept = sched_count(s->waiting_lent) > 0 && reads_overdue_waits(s, LEAT_BIND_LEAT);
    uint64_t room = s->desc.lent_bytes - u64_min(arena_bytes_used(s->lent), s->desc.lent_bytes);
    for (;;) {
        uint32_t index = first_waiting(s, s->waiting_lent, kept);
        if (index == SCHED_NONE || s->requests[index].size > room ||
            !arena_can_allocate(s->lent, s->requests[index].size)) {
            return;
        }
        room -= s->requests[index].size;
        reads_wake(s, index, now_ns);
    }
}

static void wake_waiting_bind(leat_streamer *s, uint64_t now_ns)
{
    bool kept = reads_overdue_waits(s, LEAT_BIND_LATE);
    uint64_t room = BIND_BYTES_MAX - u64_min(s->bind_bytes_asked, BIND_BYTES_MAX);
    bool none = s->bind_bytes_asked == 0; /* one may always ask, however large */
    for (;;) {
        uint32_t index = first_waiting(s, s->waiting_bind, kept);
        if (index == SCHED_NONE || (s->requests[index].size > room && !none)) {
            return;
        }
        room -= u64_min(s->requests[index].size, room);
        none = false;
        reads_wake(s, index, now_ns);
    }
}

/* Once for all of a round that may have made room: each by itself would wake as many as all of them together. */
static void wake_waiting(leat_streamer *s, uint64_t now_ns)
{
    if (s->memory_came_free[LEAT_BIND_LEAT]) {
        s->memory_came_free[LEAT_BIND_LEAT] = false;
        wake_waiting_lent(s, now_ns);
    }
    if (s->memory_came_free[LEAT_BIND_LATE]) {
        s->memory_came_free[LEAT_BIND_LATE] = false;
        wake_waiting_bind(s, now_ns);
    }
}

/* Takes a request out of whatever queue it is in; what is in flight comes back by itself. */
void request_give_up(leat_streamer *s, uint32_t index)
{
    request *r = &s->requests[index];
    bool leaves_room = true; /* that it has asked for, was woken for, or kept from who waits behind it */
    switch ((request_stage)r->stage) {
    case STAGE_QUEUED:
        pump_take_out(s, index);
        reads_pay_back(s, r, r->size);
        leaves_room = r->memory == NULL;
        break;
    case STAGE_WAITING:
        sched_remove(pump_waiting_queue(s, r), index);
        break;
    case STAGE_NEEDS_BIND:
        s->bind_bytes_asked -= r->size;
        break;
    case STAGE_NONE:
    case STAGE_ISSUED:
        return;
    }
    uint8_t bind = r->bind; /* asked before the drop: the slot may have a new owner after it */
    r->stage = STAGE_ISSUED;
    request_drop(s, r, index);
    if (leaves_room) {
        s->memory_came_free[bind] = true;
    }
}

/* ---- Admission ---- */

/* What comes within a moment is equal, and goes in disk order. Taken mail by mail, a frame's requests would be some
 * dozen groups, each of them all over the disk. */
#define TOGETHER_NS NS_PER_MS
static void begin_sequence(leat_streamer *s, uint64_t now_ns)
{
    if (s->sequence == 0 || now_ns - u64_min(now_ns, s->sequence_ns) >= TOGETHER_NS) {
        ++s->sequence;
        s->sequence_ns = now_ns;
    }
}

/* Somebody is in a hurry, and others may follow: that is remembered for a while. */
static void note_hurry(leat_streamer *s, const request *r, uint64_t now_ns)
{
    s->urgent_ns = r->rank == 0 ? now_ns : s->urgent_ns;
    s->hurry_ns = in_a_hurry(r->rank, r->deadline_ns, now_ns) ? now_ns : s->hurry_ns;
}

static void admit(leat_streamer *s, uint32_t index, uint64_t now_ns)
{
    request *r = &s->requests[index];
    s->request_high = u32_max(s->request_high, index + 1);
    leat_pack handle = s->packs[r->pack].handle;
    r->admitted.generation = r->generation;
    r->admitted.pack_generation = handle.generation;
    r->admitted_mount = (uint16_t)handle.index;
    r->admitted.batch = r->batch;
    r->admitted.tag = r->tag;
    r->admitted.ticket = r->ticket;
    r->rank = (uint8_t)sched_rank((leat_priority)r->priority_wanted);
    r->deadline_ns = r->deadline_wanted_ns;
    note_hurry(s, r, now_ns);
    r->sequence = s->sequence;
    r->predicted_ns = 0;
    r->degraded = r->shares = false;
    r->charged_rank = 0;
    r->verdict = VERDICT_OPEN;
    r->stage = STAGE_ISSUED;
    if (r->size == 0 || (request_flags(s, index) & REQUEST_CANCELLED)) {
        request_drop(s, r, index);
        return;
    }
    const pack_index *pack = &s->packs[r->pack].index;
    r->chunk_next = pack_index_chunk_at(pack, r->raw_begin);
    r->chunk_end = pack_index_chunk_at(pack, r->raw_begin + r->size - 1) + 1;
    if (r->deadline_ns != NO_DEADLINE) {
        deadlines_admit(s, r, index, now_ns);
    }
    uint64_t left = bytes_left(s, r), bytes = left - shared_enter(s, r, index);
    estimate_admit(&s->estimate, r->rank, bytes, now_ns);
    /* A round of this thread is one moment, but what came during it has not been admitted before it was submitted. */
    trace_point_at(s, now_ns < r->submitted_ns ? r->submitted_ns + 1 : now_ns, TRACE_ADMIT, index, r->generation, left,
                   sched_bytes(s->sched));
    enqueue(s, r, index, bytes, now_ns);
}

static void release_lent(leat_streamer *s, uint32_t index)
{
    request *r = &s->requests[index];
    if (r->memory != NULL) {
        arena_free(s->lent, r->memory - r->lent_shift);
        r->memory = NULL;
    }
    handles_release(&s->request_handles, index);
    count_own(&s->counters.slots_released, 1);
    s->memory_came_free[LEAT_BIND_LEAT] |= !CANARY(FORGOTTEN);
}

static void take_reasons(leat_streamer *s, uint32_t index, uint32_t reasons, uint64_t now_ns)
{
    ASSERT(!(reasons & MAIL_RELEASE) || !(reasons & MAIL_SUBMIT));
    if (reasons & MAIL_RELEASE) { /* the last mail of a request: its slot is free after it, and not before */
        release_lent(s, index);
    }
    if (reasons & MAIL_SUBMIT) {
        admit(s, index, now_ns);
    }
    if ((reasons & MAIL_CANCEL) && (request_flags(s, index) & REQUEST_CANCELLED)) {
        request_give_up(s, index);
    }
}

static bool take_mail(leat_streamer *s, uint64_t now_ns)
{
    uint32_t index = mpsc_take(&s->mail);
    if (index == MPSC_END) {
        return false;
    }
    uint32_t oldest = MPSC_END;
    while (index != MPSC_END) { /* the list comes newest first */
        mpsc_link *link = mail_link(s, index);
        uint32_t next = link->next;
        link->next = oldest;
        oldest = index;
        index = next;
    }
    begin_sequence(s, now_ns);
    while (oldest != MPSC_END) {
        index = oldest;
        mpsc_link *link = mail_link(s, index);
        oldest = link->next;
        take_reasons(s, index, mpsc_open(link), now_ns);
    }
    return true;
}

/* A submit to a slot that a stale cancel holds (submit_beside). */
static void take_held_mail(leat_streamer *s, uint32_t index, uint64_t now_ns)
{
    begin_sequence(s, now_ns);
    take_reasons(s, index, mpsc_open_held(mail_link(s, index), MAIL_CANCEL), now_ns);
}

/* ---- Commands ---- */

/* The request of a handle, if it is one that this thread has admitted and that has not been handed on. */
static request *admitted_request(leat_streamer *s, leat_request handle)
{
    request *r = &s->requests[handle.index];
    return r->stage != STAGE_NONE && r->admitted.generation == handle.generation ? r : NULL;
}

static void bind_memory(leat_streamer *s, const command *c, uint64_t now_ns)
{
    request *r = admitted_request(s, c->request);
    if (r == NULL || r->stage != STAGE_NEEDS_BIND) {
        return; /* cancelled meanwhile: the memory stays the engine's */
    }
    uint64_t size = r->size;
    s->bind_bytes_asked -= size;
    if (c->memory_size < size) {
        request_fail(s, r, c->request.index, LEAT_ERROR_TOO_SMALL, 0, UINT32_MAX);
        r->stage = STAGE_ISSUED;
        request_drop(s, r, c->request.index);
    } else {
        r->memory = c->memory;
        trace_point(s, TRACE_BOUND, c->request.index, r->generation, size, 0);
        pump_requeue(s, c->request.index);
        deadlines_wait_ends(s, r, c->request.index, now_ns);
    }
    s->memory_came_free[LEAT_BIND_LATE] = true;
}

/* The order that a command asks for, for one request. */
static void reprioritise(leat_streamer *s, uint32_t index, const command *c, uint64_t now_ns)
{
    request *r = &s->requests[index];
    uint32_t rank = sched_rank((leat_priority)c->priority), rank_before = r->rank;
    uint64_t deadline_before_ns = r->deadline_ns;
    bool issued = r->stage == STAGE_ISSUED;
    r->rank = (uint8_t)rank; /* for its next chunks, and for those that have not gone to the decode stage */
    r->deadline_ns = c->deadline_ns;
    if (r->stage == STAGE_QUEUED && r->shares) {
        shared_change(s, r, index, now_ns);
    } else if (r->stage == STAGE_QUEUED) {
        sched_change(s->sched, index, rank, c->deadline_ns, now_ns);
    } else if (r->stage == STAGE_WAITING) {
        sched_change(pump_waiting_queue(s, r), index, rank, c->deadline_ns, now_ns);
    }
    uint32_t open = atomic_load_explicit(&r->chunks_open, memory_order_relaxed);
    if (issued && open == 0) {
        return; /* it has ended, or its slot has a new owner by now */
    }
    note_hurry(s, r, now_ns);
    trace_point(s, TRACE_ORDER, index, r->admitted.generation, c->priority, c->deadline_ns);
    if (!issued) { /* this thread's share in chunks_open: it cannot end now */
        r->priority_wanted = c->priority;
        request_count_urgent(s, r);
        if (r->deadline_ns != NO_DEADLINE || deadline_before_ns != NO_DEADLINE) {
            deadlines_change(s, r, index, rank_before, deadline_before_ns);
        }
    }
    if (r->stage == STAGE_WAITING) { /* another one may be the first now, and find room */
        s->memory_came_free[r->bind] = true;
    }
    s->reordered |= open > (issued ? 0u : 1u);
}

/* What is on its way is looked through once for many orders: each by itself would be as many times thousands of chunks,
 * under the workers' lock. */
static void reorder(leat_streamer *s, uint64_t now_ns)
{
    if (s->reordered) {
        s->reordered = false;
        reads_reorder(s, now_ns);
    }
}

static bool selected(const request *r, const command *c)
{
    return r->admitted.ticket < c->ticket && (c->tag_mask == 0 || (r->admitted.tag & c->tag_mask) == c->tag) &&
           (c->batch.generation == 0 ||
            (r->admitted.batch.index == c->batch.index && r->admitted.batch.generation == c->batch.generation)) &&
           (c->pack.generation == 0 ||
            (r->admitted_mount == c->pack.index && r->admitted.pack_generation == c->pack.generation));
}

/* O(requests): walks the slots that were ever used. */
static void sweep(leat_streamer *s, const command *c, uint64_t now_ns)
{
    for (uint32_t i = 0; i < s->request_high; ++i) {
        request *r = &s->requests[i];
        if (r->stage == STAGE_NONE || !selected(r, c)) {
            continue;
        }
        if (c->type == COMMAND_REPRIORITISE_WHERE) {
            if (handles_flags(&s->request_handles, i, r->admitted.generation) & HANDLE_FLAG_LIVE) {
                reprioritise(s, i, c, now_ns);
            }
        } else if (handles_set(&s->request_handles, i, r->admitted.generation, REQUEST_CANCELLED, REQUEST_DELIVERED)) {
            request_give_up(s, i);
        }
    }
}

#define COMMANDS_PER_ROUND_MAX 4096u /* then completions are looked at again */
#define COMMANDS_REORDERED 256u /* at once: a tenth of a millisecond that an urgent one among them waits at most */
static bool take_commands(leat_streamer *s, uint64_t now_ns)
{
    command c;
    uint32_t count = 0;
    while (count < COMMANDS_PER_ROUND_MAX && command_queue_pop(&s->commands, &c)) {
        ++count;
        /* What the same thread submitted before this command may have come after our last look at the mail. */
        take_mail(s, now_ns);
        switch ((command_type)c.type) {
        case COMMAND_BIND:
            bind_memory(s, &c, now_ns);
            break;
        case COMMAND_REPRIORITISE:
            if (admitted_request(s, c.request) != NULL) {
                reprioritise(s, c.request.index, &c, now_ns);
            }
            break;
        case COMMAND_MAIL:
            take_held_mail(s, c.request.index, now_ns);
            break;
        case COMMAND_CANCEL_WHERE:
        case COMMAND_REPRIORITISE_WHERE:
            sweep(s, &c, now_ns);
            break;
        }
        if (count % COMMANDS_REORDERED == 0) {
            reorder(s, now_ns);
        }
    }
    reorder(s, now_ns);
    return count > 0;
}

/* Closed packs: their requests are cancelled, whichever version they hold. Slots that nobody holds are freed. */
static bool tend_packs(leat_streamer *s, uint64_t now_ns)
{
    if (atomic_load_explicit(&s->pack_chores, memory_order_acquire) == 0) {
        return false;
    }
    bool worked = false;
    for (uint32_t i = 0; i < s->desc.pack_count_max; ++i) {
        pack_mount *mount = &s->mounts[i];
        if (atomic_load_explicit(&mount->stage, memory_order_acquire) == MOUNT_CLOSING) {
            /* What the same thread submitted before may have come after our last look at the mail. */
            take_mail(s, now_ns);
            command c = { .type = COMMAND_CANCEL_WHERE,
                          .ticket = SWEEP_ALL,
                          .pack = { .index = i, .generation = mount->closing } };
            sweep(s, &c, now_ns);
            atomic_store_explicit(&mount->stage, MOUNT_FREE, memory_order_release);
            atomic_fetch_sub_explicit(&s->pack_chores, 1, memory_order_relaxed);
            worked = true;
        }
    }
    packs_retire(s);
    return worked;
}

/* ---- Rounds ---- */

/* Words that go together are not published together: each is whole, and that is enough for an estimate. */
void pump_publish(leat_streamer *s, uint64_t now_ns)
{
    union {
        estimate_levels levels;
        uint64_t words[ESTIMATE_LEVEL_WORDS];
    } u;
    estimate_levels_take(&s->estimate, s->sched, s->window, now_ns, &u.levels);
    for (size_t i = 0; i < ESTIMATE_LEVEL_WORDS; ++i) {
        level_set(&s->counters.levels[i], u.words[i]);
    }
}

#define DECODE_RATE_NS_MIN (2 * NS_PER_MS) /* of the workers' time: some dozens of chunks */
#define DECODE_RATE_SMOOTHING 8

/* What the workers have done since the last look, smoothed. A stepped run must not depend on how fast this machine is:
 * there, the assumption stays. */
static void measure_decode(leat_streamer *s)
{
    counters *c = &s->counters;
    uint64_t ns = atomic_load_explicit(&c->decode_ns, memory_order_relaxed);
    uint64_t raw = atomic_load_explicit(&c->bytes_unpacked, memory_order_relaxed);
    if (s->desc.stepped || ns - s->rate_ns_seen < DECODE_RATE_NS_MIN) {
        return;
    }
    double rate = (double)(raw - s->rate_raw_seen) * (double)NS_PER_S / (double)(ns - s->rate_ns_seen) *
                  (double)s->info.worker_count;
    double smooth = (double)atomic_load_explicit(&c->decode_rate, memory_order_relaxed);
    smooth = s->rate_ns_seen == 0 ? rate : smooth + (rate - smooth) / DECODE_RATE_SMOOTHING;
    level_set(&c->decode_rate, u64_max((uint64_t)smooth, 1));
    s->rate_ns_seen = ns;
    s->rate_raw_seen = raw;
}

static void publish(leat_streamer *s)
{
    counters *c = &s->counters;
    measure_decode(s);
    level_set(&c->requests_queued, sched_count(s->sched));
    level_set(&c->requests_waiting_memory, sched_count(s->waiting_lent) + sched_count(s->waiting_bind));
    level_set(&c->bytes_queued, sched_bytes(s->sched));
    level_set(&c->reads_in_flight, s->reads_in_flight);
    level_set(&c->bytes_in_flight, window_in_flight(s->window));
    level_set(&c->window_bytes, window_bytes(s->window));
    level_set(&c->bandwidth, window_bandwidth(s->window));
    level_set(&c->latency_min, window_latency_min(s->window));
    level_set(&c->pool_used, arena_bytes_used(s->pool));
    level_set(&c->lent_used, arena_bytes_used(s->lent));
    io_stats io;
    s->io_ops->stats(s->io, &io);
    level_set(&c->submit_calls, io.submit_calls);
    level_set(&c->wait_calls, io.wait_calls);
    level_set(&c->sq_ready, io.sq_ready);
    level_set(&c->sq_space, io.sq_space);
    level_set(&c->cq_ready, io.cq_ready);
    level_set(&c->cq_overflows, io.cq_overflows);
    level_set(&c->sqpoll_wakeups, io.sqpoll_wakeups);
    level_set(&c->ring_losses, io.ring_losses);
}

#define LEVELS_NS (NS_PER_MS / 4) /* between two records of the levels */

static void trace_levels(leat_streamer *s, uint64_t now_ns)
{
    if (!trace_is_on(&s->trace) || now_ns - u64_min(now_ns, s->levels_traced_ns) < LEVELS_NS) {
        return;
    }
    s->levels_traced_ns = now_ns;
    trace_write(&s->trace, TRACE_LEVELS, now_ns, 0, 0,
                (window_bytes(s->window) >> 10) << 32 | (uint32_t)(window_in_flight(s->window) >> 10),
                (sched_bytes(s->sched) >> 10) << 32 | (uint64_t)u32_min(s->reads_in_flight, 0xffff) << 16 |
                    u32_min(decode_queued(s->decode), 0xffff));
}

/* Memory is no longer kept for who has not got enough by now. */
static bool end_keeping(leat_streamer *s, leat_bind_kind bind, uint64_t now_ns)
{
    memory_turn *turn = &s->memory_turns[bind];
    bool ends = turn->kept_until_ns != 0 && now_ns >= turn->kept_until_ns;
    if (ends) {
        turn->kept_until_ns = 0;
        s->memory_came_free[bind] = true;
    }
    return ends;
}

bool pump_run(leat_streamer *s, uint64_t now_ns)
{
    sleep_forget_owed(s);
    bool worked = take_mail(s, now_ns);
    worked |= take_commands(s, now_ns);
    worked |= end_keeping(s, LEAT_BIND_LEAT, now_ns);
    worked |= end_keeping(s, LEAT_BIND_LATE, now_ns);
    worked |= reads_reap(s, now_ns);
    s->napped = false;
    worked |= deadlines_look(s, now_ns);
    worked |= reads_take_back(s, now_ns);
    worked |= tend_packs(s, now_ns);
    wake_waiting(s, now_ns);
    reads_issue(s, now_ns, &worked);
    post_signal(s);
    count_own(&s->counters.io_rounds, 1);
    publish(s);
    if (worked) {
        pump_publish(s, now_ns);
    }
    trace_levels(s, now_ns);
    return worked;
}

void *pump_main(void *streamer)
{
    leat_streamer *s = streamer;
    thread_set_slice(THREAD_SLICE_NS_SHORT);
    while (!atomic_load_explicit(&s->stopping, memory_order_acquire)) {
        uint64_t now_ns = streamer_now(s);
        if (!pump_run(s, now_ns)) {
            pump_sleep(s, now_ns);
        }
    }
    /* A read that is out cannot be taken back, and the kernel writes into the pool until it is complete. */
    while (s->reads_in_flight > s->submit_count) {
        if (!reads_reap(s, streamer_now(s))) {
            s->io_ops->wait(s->io, IO_WAIT_FOREVER);
        }
    }
    return NULL;
}
