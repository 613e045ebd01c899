/* update.c - the update thread: endings become events.
 *
 * Whatever ends is posted to one ring (post_ring.h), whichever thread it ends on; leat_update turns posts into events
 * in their order, leaves in the ring what is above its limits, and frees, one update later, the slots whose last event
 * the engine has seen. A cancel that comes before the event is built still wins: the control word decides between
 * DELIVERED and CANCELLED.
 */
#include "streamer.h"

#define STEPPED_ROUNDS_MAX 1000000u /* a stepped update that does not come to rest has a bug */

/* ---- Slots whose last event is out ---- */

/* References to a slot are given back in runs: the events of a frame are mostly of one pack. */
static void release_flush(leat_streamer *s)
{
    if (s->release_count > 0) {
        pack_release_many(s, &s->packs[s->release_slot], s->release_count);
        s->release_count = 0;
    }
}

static void release_later(leat_streamer *s, uint32_t slot)
{
    if (s->release_slot != slot) {
        release_flush(s);
        s->release_slot = slot;
    }
    ++s->release_count;
}

static void free_ended(leat_streamer *s)
{
    bool mailed = false;
    uint32_t batch_count = 0;
    for (uint32_t i = 0; i < s->ended_count; ++i) {
        const ended_object *ended = &s->ended[i];
        if (ended->kind == POST_RELOAD) {
            pack_let_go(s, &s->packs[ended->index]);
            continue;
        }
        if (ended->kind == POST_BATCH) {
            handles_release(&s->batch_handles, ended->index);
            continue;
        }
        release_later(s, ended->pack);
        if (ended->lent && !CANARY(LEAK)) { /* the arena is the I/O thread's */
            mpsc_post(&s->mail, mail_link(s, ended->index), ended->index, MAIL_RELEASE);
            mailed = true;
            continue;
        }
        s->ended_batch[batch_count++] = ended->index;
    }
    release_flush(s);
    handles_release_many(&s->request_handles, s->ended_batch, batch_count);
    count_own(&s->counters.slots_freed, batch_count);
    s->ended_count = 0;
    if (mailed) {
        streamer_wake(s, WAKE_MEMORY);
    }
}

/* ---- Events ---- */

/* In place, so that a thousand of them are written once; by a copy, because gcc clears so much with `rep stos`, which
 * is slower. */
static void fill_event(const leat_streamer *s, const request *r, uint32_t index, leat_event_type type, leat_event *e)
{
    static const leat_event EMPTY = { .chunk = UINT32_MAX };
    const pack_slot *slot = &s->packs[r->pack];
    *e = EMPTY;
    e->type = type;
    e->request = (leat_request){ .index = index, .generation = r->generation };
    e->batch = r->batch;
    e->user = r->user;
    e->tag = r->tag;
    e->asset = (leat_asset){ .pack = slot->handle, .index = asset_id(&slot->ids, r->asset) + 1 };
}

static void count_deadline(leat_streamer *s, const request *r)
{
    counters *c = &s->counters;
    if (!r->has_deadline) {
        return;
    }
    uint64_t ended_ns = r->submitted_ns + r->latency_ns;
    count_own(ended_ns <= r->deadline_wanted_ns ? &c->deadlines_met : &c->deadlines_missed, 1);
    if (r->predicted_ns == 0) {
        return;
    }
    uint64_t error = r->predicted_ns > ended_ns ? r->predicted_ns - ended_ns : ended_ns - r->predicted_ns;
    uint64_t smooth = atomic_load_explicit(&c->estimate_error_ns, memory_order_relaxed);
    level_set(&c->estimate_error_ns, smooth == 0 ? error : smooth - smooth / 16 + error / 16);
}

/* The terminal event of a request, whose last word is spoken here. */
static void terminal_event(leat_streamer *s, request *r, uint32_t index, leat_event *e)
{
    counters *c = &s->counters;
    fill_event(s, r, index, LEAT_EVENT_READY, e);
    e->latency_ns = r->latency_ns;
    bool lent = r->bind == LEAT_BIND_LEAT && r->memory != NULL;
    if (!(request_flags(s, index) & REQUEST_FAILED) &&
        handles_set(&s->request_handles, index, r->generation, REQUEST_DELIVERED | (lent ? REQUEST_LENT : 0u),
                    CANARY(CANCEL) ? 0 : REQUEST_CANCELLED)) {
        e->data = r->memory;
        e->size = r->size;
        if (r->degraded) {
            e->part_possible = asset_level_part(&s->packs[r->pack], r->asset, r->level);
        }
        count_own(&c->ready, 1);
        count_own(&c->bytes_delivered, e->size);
        count_deadline(s, r);
        if (lent) {
            release_later(s, r->pack); /* the memory is lent until its release; the pack is needed no more */
        } else {
            s->ended[s->ended_count++] = (ended_object){ .index = index, .kind = POST_TERMINAL, .pack = r->pack };
        }
        return;
    }
    /* A failure that nobody waits for any more is a cancellation: leat_cancel has promised it. */
    bool told = handles_set(&s->request_handles, index, r->generation, REQUEST_DELIVERED, REQUEST_CANCELLED);
    handles_set_at(&s->request_handles, index, REQUEST_DELIVERED);
    s->ended[s->ended_count++] = (ended_object){ .index = index, .kind = POST_TERMINAL, .lent = lent, .pack = r->pack };
    if (told) {
        e->type = LEAT_EVENT_FAILED;
        e->result = (leat_result)r->failure;
        e->os_error = r->failure_os;
        e->chunk = r->failure_chunk;
        e->file_offset = e->chunk != UINT32_MAX ? s->packs[r->pack].index.chunks[e->chunk].file_offset : 0;
        count_own(&c->failed, 1);
    } else {
        e->type = LEAT_EVENT_CANCELLED;
        e->result = LEAT_ERROR_CANCELLED;
        count_own(&c->cancelled, 1);
    }
}

/* Counts a member's end; true if the batch keeps the member's own event to itself. */
static bool batch_member_ended(leat_streamer *s, const leat_event *e)
{
    if (e->batch.generation == 0) {
        return false;
    }
    batch *b = &s->batches[e->batch.index];
    ++b->ended;
    if (e->type == LEAT_EVENT_FAILED && !CANARY(BATCH) && b->failed_count++ == 0) {
        b->first_failure = *e;
    }
    uint32_t flags = handles_flags_at(&s->batch_handles, e->batch.index);
    if ((flags & BATCH_SEALED) && b->ended == batch_member_count(flags)) {
        post_batch(s, e->batch.index);
    }
    return b->desc.only_end;
}

static uint32_t batch_event(leat_streamer *s, uint32_t index, leat_event *out)
{
    batch *b = &s->batches[index];
    mpsc_open(&s->batch_handles.slots[index].mail); /* before the look: from now on it may be posted again */
    uint32_t flags = handles_flags_at(&s->batch_handles, index);
    if (!(flags & BATCH_SEALED) || (flags & BATCH_DELIVERED) || b->ended != batch_member_count(flags)) {
        return 0; /* its last member will post it again */
    }
    handles_set_at(&s->batch_handles, index, BATCH_DELIVERED);
    *out = b->first_failure;
    out->type = LEAT_EVENT_BATCH;
    out->batch = (leat_batch){ .index = index, .generation = handles_generation_at(&s->batch_handles, index) };
    out->user = b->desc.user;
    out->count = b->ended;
    out->failed_count = b->failed_count;
    s->ended[s->ended_count++] = (ended_object){ .index = index, .kind = POST_BATCH };
    if (b->desc.fence != NULL && !CANARY(FENCE)) {
        __atomic_store_n(b->desc.fence, b->desc.fence_value, __ATOMIC_RELEASE);
    }
    return 1;
}

static uint32_t late_event(const leat_streamer *s, request *r, uint32_t index, leat_event *out)
{
    /* acq_rel: either the I/O thread posts the next one anew, or what it has to tell is seen here (announce). */
    atomic_exchange_explicit(&r->late_posted, false, memory_order_acq_rel);
    if (atomic_load_explicit(&r->chunks_open, memory_order_acquire) == 0) {
        return 0; /* it has ended meanwhile */
    }
    fill_event(s, r, index, LEAT_EVENT_LATE, out);
    uint16_t level = atomic_load_explicit(&r->level_possible, memory_order_relaxed);
    if (level != LEVEL_NONE) {
        out->part_possible = asset_level_part(&s->packs[r->pack], r->asset, level);
    }
    return 1;
}

static uint32_t needs_memory_event(const leat_streamer *s, const request *r, uint32_t index, leat_event *out)
{
    if (request_flags(s, index) & REQUEST_CANCELLED) {
        return 0;
    }
    fill_event(s, r, index, LEAT_EVENT_NEEDS_MEMORY, out);
    out->size = r->size;
    return 1;
}

/* What a swap has changed; false: there is more of it than was room for. */
static bool take_reload(leat_streamer *s, uint32_t slot, uint32_t limit, uint32_t *count)
{
    bool done;
    *count += swap_events(s, slot, &s->events[*count], limit - *count, &done);
    if (done) {
        s->ended[s->ended_count++] = (ended_object){ .index = slot, .kind = POST_RELOAD };
    }
    return done;
}

/* The event of a post that was taken, if there is one to be told: 0 or 1. */
static uint32_t take_event(leat_streamer *s, post_kind kind, uint32_t index, leat_event *out)
{
    if (kind == POST_BATCH) {
        return batch_event(s, index, out);
    }
    request *r = &s->requests[index];
    if (kind == POST_LATE) {
        return late_event(s, r, index, out);
    }
    if (kind == POST_NEEDS_MEMORY) {
        return needs_memory_event(s, r, index, out);
    }
    terminal_event(s, r, index, out);
    if (batch_member_ended(s, out)) { /* it keeps that to itself */
        trace_point(s, TRACE_DELIVER, index, r->generation, out->type, 0);
        return 0;
    }
    return 1;
}

/* The requests of a frame are in no cache of this thread: those that come next are fetched while one is turned into an
 * event. */
#define FETCH_AHEAD 16u
static void fetch(const leat_streamer *s, uint32_t ahead)
{
    uint32_t post = post_ring_peek(&s->posts, ahead);
    if (post_kind_of(post) == POST_TERMINAL) {
        fetch_to_read(&s->requests[post_index_of(post)]); /* what an event tells is in its first line */
        fetch_to_write(&s->request_handles.slots[post_index_of(post)]);
    }
}

static leat_events gather(leat_streamer *s, const leat_tick *tick)
{
    uint32_t limit = s->desc.event_count_max;
    if (tick != NULL && tick->event_count_max != 0) {
        limit = u32_min(limit, tick->event_count_max);
    }
    uint64_t time_limit = UINT64_MAX;
    if (tick != NULL && tick->time_ns_max != 0) {
        time_limit = streamer_now(s) + u64_min(tick->time_ns_max, UINT64_MAX / 2);
    }
    int fd = atomic_load_explicit(&s->event_fd, memory_order_acquire);
    if (fd >= 0) {
        post_signal_take(s, fd);
    }
    for (uint32_t i = 0; i < FETCH_AHEAD; ++i) {
        fetch(s, i);
    }
    uint32_t count = 0, taken = 0;
    /* ended[] has room for event_count_max objects; an object that makes no event (in a batch) counts as well. */
    for (uint32_t seen = 0; count < limit && seen < s->desc.event_count_max; ++seen) {
        uint32_t post = post_ring_peek(&s->posts, 0);
        post_kind kind = post_kind_of(post);
        uint32_t index = post_index_of(post);
        if (kind == POST_NONE) {
            break;
        }
        if (kind == POST_RELOAD && !take_reload(s, index, limit, &count)) {
            break; /* it stays at the head: what has changed is told in order */
        }
        post_ring_pop(&s->posts);
        ++taken;
        fetch(s, FETCH_AHEAD - 1);
        if (kind != POST_RELOAD) {
            count += take_event(s, kind, index, &s->events[count]);
        }
        if ((seen & 15u) == 15u && time_limit != UINT64_MAX && streamer_now(s) >= time_limit) {
            break;
        }
    }
    release_flush(s);
    count_own(&s->counters.posts_taken, taken);
    if (fd >= 0 && !post_ring_is_empty(&s->posts)) {
        post_signal_now(s); /* what is left must keep the descriptor readable */
    }
    return (leat_events){ .items = s->events, .count = count };
}

/* Decodes one chunk, if the one worker of a stepped streamer is free. It is busy afterwards for as long as that takes.
 */
static bool decode_one(leat_streamer *s, uint64_t now_ns)
{
    if (s->step_decode_free_ns > now_ns) {
        return false;
    }
    uint64_t before = atomic_load_explicit(&s->counters.bytes_unpacked, memory_order_relaxed);
    bool stepped = decode_step(s->decode);
    if (s->step_decode_rate != 0) {
        uint64_t raw = atomic_load_explicit(&s->counters.bytes_unpacked, memory_order_relaxed) - before;
        s->step_decode_free_ns = now_ns + raw * NS_PER_S / s->step_decode_rate;
    }
    return stepped;
}

/* Everything that can be done at one moment. */
static void step_once(leat_streamer *s)
{
    uint64_t now_ns = streamer_now(s);
    uint32_t rounds = 0;
    bool worked = true;
    while (worked) {
        worked = pump_run(s, now_ns);
        while (decode_one(s, now_ns)) {
            worked = true;
        }
        ASSERT(++rounds < STEPPED_ROUNDS_MAX);
    }
}

/* When something happens by itself: a simulated read completes, memory is no longer kept, or the worker is free for the
 * next chunk. */
static uint64_t next_step_ns(const leat_streamer *s)
{
    uint64_t next_ns = s->io_ops->next_completion_ns != NULL ? s->io_ops->next_completion_ns(s->io) : IO_WAIT_FOREVER;
    next_ns = u64_min(next_ns, reads_memory_kept_until_ns(s));
    return decode_queued(s->decode) > 0 ? u64_min(next_ns, s->step_decode_free_ns) : next_ns;
}

/* Moves the virtual clock on, stopping wherever something happens by itself: what a completed read makes room for goes
 * out then, not at the end of the engine's frame. */
static void step_to(leat_streamer *s, uint64_t target_ns)
{
    step_once(s);
    for (uint64_t next_ns; (next_ns = next_step_ns(s)) <= target_ns;) {
        atomic_store_explicit(&s->now_ns, u64_max(next_ns, streamer_now(s)), memory_order_relaxed);
        step_once(s);
    }
    if (target_ns > streamer_now(s)) {
        atomic_store_explicit(&s->now_ns, target_ns, memory_order_relaxed);
        step_once(s);
    }
}

/* Without threads, changes of files are looked for here. */
static void watch_stepped(leat_streamer *s)
{
    if (atomic_load_explicit(&s->watching, memory_order_acquire)) {
        pthread_mutex_lock(&s->swap_lock);
        watch_tend(s, streamer_now(s));
        pthread_mutex_unlock(&s->swap_lock);
    }
}

static leat_events look(leat_streamer *s, const leat_tick *tick)
{
    streamer_wake_owed(s);
    free_ended(s);
    if (s->desc.stepped) {
        step_to(s, tick != NULL ? tick->now_ns : 0);
        watch_stepped(s);
    }
    return gather(s, tick);
}

/* When a look began, for trace_look. */
static uint64_t traced_now(const leat_streamer *s)
{
    return trace_is_on(&s->trace) ? streamer_now(s) : UINT64_MAX;
}

/* All events are handed over when the call returns: at one moment. */
static void trace_look(leat_streamer *s, uint64_t begin_ns, const leat_events *events)
{
    if (!trace_is_on(&s->trace)) {
        return;
    }
    uint64_t now_ns = streamer_now(s);
    for (uint32_t i = 0; i < events->count; ++i) {
        const leat_event *e = &events->items[i];
        if (e->type == LEAT_EVENT_READY || e->type == LEAT_EVENT_FAILED || e->type == LEAT_EVENT_CANCELLED) {
            trace_point_at(s, now_ns, TRACE_DELIVER, e->request.index, e->request.generation, e->type, 0);
        }
    }
    trace_point_at(s, now_ns, TRACE_UPDATE, 0, 0, now_ns - u64_min(begin_ns, now_ns), events->count);
}

leat_events leat_update(leat_streamer *s, const leat_tick *tick)
{
    uint64_t begin_ns = traced_now(s);
    leat_events events = look(s, tick);
    trace_look(s, begin_ns, &events);
    return events;
}

/* Without threads, waiting is going to the time of the next completion. */
static leat_events wait_stepped(leat_streamer *s, uint64_t timeout_ns)
{
    uint64_t end_ns = streamer_now(s) + u64_min(timeout_ns, UINT64_MAX / 2);
    for (;;) {
        leat_events events = leat_update(s, NULL);
        if (events.count > 0) {
            return events;
        }
        if (!post_ring_is_empty(&s->posts)) {
            continue; /* those that were taken make no event: members of a silent batch */
        }
        uint64_t next_ns = next_step_ns(s);
        if (s->io_ops->next_completion_ns == NULL && s->reads_in_flight > 0) {
            s->io_ops->wait(s->io, IO_WAIT_FOREVER); /* a real device under a virtual clock */
            next_ns = streamer_now(s) + 1;
        }
        if (next_ns == IO_WAIT_FOREVER && s->issue_blocked) {
            next_ns = streamer_now(s) + NS_PER_MS; /* what it waits for may have no time of its own */
        }
        if (next_ns == IO_WAIT_FOREVER && timeout_ns == UINT64_MAX) {
            return events; /* nothing is on its way: the clock cannot go on to what never comes */
        }
        if (next_ns > end_ns) {
            atomic_store_explicit(&s->now_ns, end_ns, memory_order_relaxed);
            return leat_update(s, NULL);
        }
        atomic_store_explicit(&s->now_ns, u64_max(next_ns, streamer_now(s)), memory_order_relaxed);
    }
}

leat_events leat_wait(leat_streamer *s, uint64_t timeout_ns)
{
    if (s->desc.stepped) {
        return wait_stepped(s, timeout_ns);
    }
    uint64_t begin_ns = streamer_now(s), look_ns = begin_ns;
    leat_events events = look(s, NULL);
    int fd = events.count == 0 ? posts_event_fd(s) : -1;
    while (events.count == 0) {
        uint64_t passed_ns = streamer_now(s) - begin_ns;
        if (passed_ns >= timeout_ns) {
            break;
        }
        posts_await(s, fd, timeout_ns - passed_ns);
        look_ns = traced_now(s);
        events = look(s, NULL);
    }
    trace_look(s, look_ns, &events); /* the one that brought them; those before it are no frames */
    return events;
}
