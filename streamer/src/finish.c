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

void request_drop(leat_streamer *s, request *r, uint32_t index)
{
    /* acq_rel: our writes to the destination come before it, and the last one to drop sees all the others'. */
    if (atomic_fetch_sub_explicit(&r->chunks_open, 1, memory_order_acq_rel) == 1) {
        uint64_t now_ns = streamer_now(s);
        r->latency_ns = now_ns - u64_min(now_ns, r->submitted_ns);
        if (r->hurried) {
            atomic_fetch_sub_explicit(&s->urgent_live, 1, memory_order_relaxed);
        }
        post_event(s, &s->post_links[index], index, POST_TERMINAL);
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

void finish_task(void *streamer, decode_task *task)
{
    leat_streamer *s = streamer;
    counters *c = &s->counters;
    check_loose(s, task);
    if (task->skipped) {
        count_add(&c->chunks_skipped, 1);
    } else {
        count_add(&c->chunks_decoded, 1);
        count_add(&c->bytes_packed, task->record->packed_size);
        count_add(&c->decode_ns, task->time_ns);
        if (task->bytes_copied > 0) {
            count_add(&c->bytes_copied, task->bytes_copied);
        }
        if (task->result != LEAT_OK && task->result != LEAT_ERROR_CHANGED) {
            count_add(&c->chunks_damaged, 1);
        }
    }
    /* Outputs go back to the I/O thread with the read; after its drop a request is not ours any more. */
    for (decode_output *o = task->outputs; o != NULL; o = o->next) {
        request *r = &s->requests[o->request];
        if (!task->skipped && task->result != LEAT_OK) {
            request_fail(s, r, o->request, task->result, 0, task->chunk);
        }
        request_drop(s, r, o->request);
    }
    uint32_t index = task->read;
    read_op *rd = &s->reads[index];
    if (atomic_fetch_sub_explicit(&rd->tasks_open, 1, memory_order_acq_rel) == 1) {
        mpsc_post(&s->returned, &rd->returned, index, 1);
        /* The I/O thread sets `starving` and then looks at the list once more before it sleeps (pump_sleep). */
        if (atomic_load_explicit(&s->starving, memory_order_seq_cst)) {
            streamer_wake(s, true);
        }
    }
}
