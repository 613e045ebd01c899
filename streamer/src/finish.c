/* finish.c - the end of a chunk, and with the last one the end of its request.
 *
 * Runs on decode workers, and on the I/O thread for what never gets to them. The order matters: the destination is
 * written before chunks_open goes down (release), and whoever takes it to zero (acquire) sees all of it, posts the one
 * terminal event, and does not touch the request again. */
#include "streamer.h"

uint32_t request_flags(const leat_streamer *s, uint32_t index)
{
    return handles_flags_at(&s->request_handles, index);
}

/* Does somebody want this event before the next look at what else has come? Also if the workers run out of work: then
 * there is nothing to wait for, and they may need the memory that the engine gives back after it. */
static bool is_awaited(const leat_streamer *s, const request *r)
{
    return r->counted_urgent || r->priority_wanted == LEAT_HIGH || r->deadline_wanted_ns != NO_DEADLINE ||
           atomic_load_explicit(&s->decode_bytes, memory_order_relaxed) < s->decode_bytes_dry;
}

/* True if that was the last: the caller ends the request, and posts the event. */
static bool drop(request *r)
{
    /* acq_rel: our writes to the destination come before it, and the last one to drop sees all the others'. */
    return atomic_fetch_sub_explicit(&r->chunks_open, 1, memory_order_acq_rel) == 1;
}

static void end(leat_streamer *s, request *r, uint32_t index, uint64_t now_ns)
{
    r->latency_ns = now_ns - u64_min(now_ns, r->submitted_ns);
    trace_point_at(s, now_ns, TRACE_FINISH, index, r->generation, 0, 0);
    if (r->counted_urgent) {
        atomic_fetch_sub_explicit(&s->urgent_live, 1, memory_order_relaxed);
    }
}

static void drop_output(leat_streamer *s, request *r, uint32_t index, uint64_t now_ns)
{
    if (drop(r)) {
        end(s, r, index, now_ns);
        post_event(s, POST_TERMINAL, index, is_awaited(s, r));
    }
}

void request_drop(leat_streamer *s, request *r, uint32_t index)
{
    if (drop(r)) {
        end(s, r, index, streamer_now(s));
        post_event_later(s, POST_TERMINAL, index);
    }
}

void request_fail(leat_streamer *s, request *r, uint32_t index, leat_result result, int os_error, uint32_t chunk)
{
    /* The first failure is the one that is told. Its details are published by this thread's own request_drop. */
    if (handles_set(&s->request_handles, index, r->generation, REQUEST_FAILED, REQUEST_FAILED)) {
        r->failure = (int8_t)result;
        r->failure_os = os_error;
        r->failure_chunk = chunk;
    }
}

bool finish_wanted(void *streamer, const decode_output *output)
{
    const leat_streamer *s = streamer;
    return !(request_flags(s, output->request) & (REQUEST_CANCELLED | REQUEST_FAILED));
}

/* A loose file has no hash that its bytes could be held to. If it is still the one that was listed, its bytes are those
 * of that version: it was opened after it was listed, and read before this look. */
static void check_loose(const leat_streamer *s, decode_task *task)
{
    const pack_slot *slot = &s->packs[s->reads[task->read].pack];
    if (slot->index.loose && !task->skipped && task->result == LEAT_OK &&
        !folder_unchanged(&slot->folder, task->record->parameter)) {
        task->result = LEAT_ERROR_CHANGED;
    }
}

bool finish_fetch(void *streamer, const decode_task *task, struct iovec *parts, uint32_t part_count)
{
    const leat_streamer *s = streamer;
    const pack_slot *slot = &s->packs[s->reads[task->read].pack];
    return file_read_cached(&slot->file, task->record->file_offset, parts, part_count);
}

/* As a trace tells it: of a stepped run, whose clock is virtual, it must be the same each time. */
static uint64_t traced_ns(const leat_streamer *s, const decode_task *task)
{
    return s->desc.stepped ? 0 : task->time_ns;
}

static void count_task(leat_streamer *s, const decode_task *task, uint64_t now_ns)
{
    counters *c = &s->counters;
    if (task->skipped) {
        count_add(&c->chunks_skipped, 1);
        return;
    }
    trace_point_at(s, now_ns, TRACE_CHUNK, task->chunk, 0, traced_ns(s, task),
                   (uint64_t)task->worker << 32 | task->read);
    count_add(&c->chunks_decoded, 1);
    count_add(&c->bytes_packed, task->record->packed_size);
    count_add(&c->bytes_unpacked, task->record->raw_size);
    count_add(&c->decode_ns, task->time_ns);
    if (task->bytes_copied > 0) {
        count_add(&c->bytes_copied, task->bytes_copied);
    }
    if (task->result != LEAT_OK && task->result != LEAT_ERROR_CHANGED) {
        count_add(&c->chunks_damaged, 1);
    }
}

/* Outputs go back to the I/O thread with the read; after its drop a request is not ours any more. */
static void end_outputs(leat_streamer *s, const decode_task *task, uint64_t now_ns)
{
    for (decode_output *o = task->outputs; o != NULL; o = o->next) {
        request *r = &s->requests[o->request];
        trace_point_at(s, now_ns, TRACE_DECODED, o->request, r->generation, traced_ns(s, task), task->worker);
        if (!task->skipped && task->result != LEAT_OK) {
            request_fail(s, r, o->request, task->result, 0, task->chunk);
        }
        drop_output(s, r, o->request, now_ns);
    }
}

void finish_task(void *streamer, decode_task *task)
{
    leat_streamer *s = streamer;
    uint32_t index = task->read;
    read_op *rd = &s->reads[index];
    uint32_t packed_size = task->record->packed_size; /* with its last request, the pack may be closed and freed */
    if (task->unread) {
        /* Before the read is posted (release by tasks_open): pump_sleep must not overlook that there is work in it. */
        atomic_fetch_add_explicit(&s->chunks_unread, 1, memory_order_seq_cst);
    } else {
        uint64_t now_ns = s->desc.stepped ? streamer_now(s) : task->ended_ns;
        check_loose(s, task);
        count_task(s, task, now_ns);
        end_outputs(s, task, now_ns);
    }
    atomic_fetch_sub_explicit(&s->decode_bytes, packed_size, memory_order_seq_cst);
    if (atomic_fetch_sub_explicit(&rd->tasks_open, 1, memory_order_acq_rel) != 1) {
        return;
    }
    mpsc_post(&s->returned, &rd->returned, index, 1);
    streamer_wake_for_returned(s);
}
