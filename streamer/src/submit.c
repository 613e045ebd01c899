/* submit.c - what any thread may ask for: requests, cancel, re-prioritise, memory, batches.
 *
 * Nothing here waits, allocates or makes a system call, but for the one write that wakes a sleeping I/O thread. What a
 * request is goes into its slot; that it is there goes out as mail (mpsc.h). Commands that carry values go through the
 * bounded command queue, and "full" is an answer. */
#include "streamer.h"

#include <string.h>

static leat_result check_batch(leat_streamer *s, const leat_read_desc *desc)
{
    if (desc->batch.generation == 0) {
        return LEAT_OK;
    }
    uint32_t flags = handles_flags(&s->batch_handles, desc->batch.index, desc->batch.generation);
    if (!(flags & HANDLE_FLAG_LIVE)) {
        return LEAT_ERROR_STALE;
    }
    bool only_end = s->batches[desc->batch.index].desc.only_end;
    return (flags & BATCH_SEALED) || (only_end && desc->bind != LEAT_BIND_CALLER) ? LEAT_ERROR_ARGUMENT : LEAT_OK;
}

static leat_result check_memory(const leat_streamer *s, const leat_read_desc *desc, uint64_t size)
{
    switch (desc->bind) {
    case LEAT_BIND_LEAT:
        return size <= s->desc.lent_bytes ? LEAT_OK : LEAT_ERROR_LIMIT;
    case LEAT_BIND_CALLER:
        if (size > 0 && desc->memory == NULL) {
            return LEAT_ERROR_ARGUMENT;
        }
        return desc->memory_size >= size ? LEAT_OK : LEAT_ERROR_TOO_SMALL;
    case LEAT_BIND_LATE:
        return LEAT_OK;
    }
    return LEAT_ERROR_ARGUMENT;
}

static leat_result fill(leat_streamer *s, const leat_read_desc *desc, pack_slot *slot, uint64_t ticket, uint64_t now_ns,
                        uint32_t *index)
{
    if ((uint32_t)desc->priority >= LEAT_PRIORITY_COUNT || desc->client >= LEAT_CLIENT_COUNT ||
        desc->asset.index == 0 || desc->asset.index > slot->index.asset_count) {
        return LEAT_ERROR_ARGUMENT;
    }
    uint64_t offset = 0, size = 0;
    leat_result result = asset_part(slot, desc->asset.index - 1, &desc->part, &offset, &size);
    if (result == LEAT_OK) {
        result = check_memory(s, desc, size);
    }
    if (result == LEAT_OK) {
        result = check_batch(s, desc);
    }
    if (result != LEAT_OK) {
        return result;
    }
    uint32_t generation;
    if (!handles_acquire(&s->request_handles, index, &generation)) {
        return LEAT_ERROR_FULL;
    }
    request *r = &s->requests[*index];
    r->generation = generation;
    r->pack = desc->asset.pack.index;
    r->pack_generation = desc->asset.pack.generation;
    r->asset = desc->asset.index - 1;
    r->client = desc->client;
    r->batch = desc->batch;
    r->user = desc->user;
    r->tag = desc->tag;
    r->ticket = ticket;
    r->submitted_ns = now_ns;
    r->part = desc->part;
    r->bind = desc->bind;
    r->flags = desc->flags;
    r->priority_wanted = desc->priority;
    r->deadline_wanted_ns = desc->deadline_ns == 0 ? NO_DEADLINE : desc->deadline_ns;
    r->raw_begin = slot->index.assets[r->asset].raw_offset + offset;
    r->raw_end = r->raw_begin + size;
    r->memory = desc->bind == LEAT_BIND_CALLER ? desc->memory : NULL;
    r->failure = LEAT_OK;
    r->hurried = desc->priority == LEAT_URGENT;
    if (r->hurried) {
        atomic_fetch_add_explicit(&s->urgent_live, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&r->chunks_open, 1, memory_order_relaxed); /* the mail publishes it */
    if (desc->batch.generation != 0) {
        atomic_fetch_add_explicit(&s->batches[desc->batch.index].added, 1, memory_order_relaxed);
    }
    return LEAT_OK;
}

leat_result leat_submit(leat_streamer *s, const leat_read_desc *descs, uint32_t count, leat_request *requests,
                        uint32_t *taken)
{
    uint64_t ticket = atomic_fetch_add_explicit(&s->ticket, 1, memory_order_relaxed);
    uint64_t now_ns = streamer_now(s);
    uint32_t first = MPSC_END;
    mpsc_link *last = NULL;
    bool urgent = false;
    leat_result result = LEAT_OK;
    uint32_t i = 0;
    for (; i < count; ++i) {
        pack_slot *slot = pack_acquire(s, descs[i].asset.pack);
        if (slot == NULL) {
            result = LEAT_ERROR_STALE;
            break;
        }
        uint32_t index;
        result = fill(s, &descs[i], slot, ticket, now_ns, &index);
        if (result != LEAT_OK) {
            pack_release(s, slot);
            break;
        }
        mpsc_link *mail = &s->mail_links[index];
        if (requests != NULL) {
            requests[i] = (leat_request){ .index = index, .generation = s->requests[index].generation };
        }
        urgent |= descs[i].priority == LEAT_URGENT;
        if (mpsc_mark(mail, MAIL_SUBMIT)) {
            mail->next = first;
            first = index;
            if (last == NULL) {
                last = mail;
            }
        }
    }
    if (last != NULL) {
        mpsc_push_chain(&s->mail, first, last);
    }
    if (i > 0) {
        count_add(&s->counters.submitted, i);
        streamer_wake(s, urgent);
    }
    if (taken != NULL) {
        *taken = i;
    }
    return result;
}

leat_result leat_read(leat_streamer *s, const leat_read_desc *desc, leat_request *request_out)
{
    return leat_submit(s, desc, 1, request_out, NULL);
}

static bool request_live(const leat_streamer *s, leat_request handle)
{
    return (handles_flags(&s->request_handles, handle.index, handle.generation) & HANDLE_FLAG_LIVE) != 0;
}

leat_result leat_bind(leat_streamer *s, leat_request handle, void *block, uint64_t block_size)
{
    if (block == NULL) {
        return LEAT_ERROR_ARGUMENT;
    }
    if (!request_live(s, handle)) {
        return LEAT_ERROR_STALE;
    }
    command c = { .type = COMMAND_BIND, .request = handle, .memory = block, .memory_size = block_size };
    if (!command_queue_push(&s->commands, &c)) {
        return LEAT_ERROR_FULL;
    }
    streamer_wake(s, false);
    return LEAT_OK;
}

leat_result leat_release(leat_streamer *s, leat_request handle)
{
    uint32_t flags = handles_flags(&s->request_handles, handle.index, handle.generation);
    if (!(flags & HANDLE_FLAG_LIVE)) {
        return LEAT_ERROR_STALE;
    }
    if (!(flags & REQUEST_LENT)) {
        return LEAT_OK; /* nothing of ours is out */
    }
    if (!handles_set(&s->request_handles, handle.index, handle.generation, REQUEST_RELEASED, REQUEST_RELEASED)) {
        return LEAT_ERROR_STALE; /* released twice */
    }
    mpsc_post(&s->mail, &s->mail_links[handle.index], handle.index, MAIL_RELEASE);
    streamer_wake(s, false);
    return LEAT_OK;
}

leat_result leat_cancel(leat_streamer *s, leat_request handle)
{
    /* The flag is what counts at every later stage. The mail takes the request out of the queue early; should the slot
     * have a new owner by then, its flag is not set, and the mail means nothing. */
    if (!handles_set(&s->request_handles, handle.index, handle.generation, REQUEST_CANCELLED, REQUEST_DELIVERED)) {
        return LEAT_ERROR_STALE;
    }
    mpsc_post(&s->mail, &s->mail_links[handle.index], handle.index, MAIL_CANCEL);
    streamer_wake(s, false);
    return LEAT_OK;
}

leat_result leat_reprioritise(leat_streamer *s, leat_request handle, leat_priority priority, uint64_t deadline_ns)
{
    if ((uint32_t)priority >= LEAT_PRIORITY_COUNT) {
        return LEAT_ERROR_ARGUMENT;
    }
    if (!request_live(s, handle)) {
        return LEAT_ERROR_STALE;
    }
    command c = { .type = COMMAND_REPRIORITISE,
                  .request = handle,
                  .priority = priority,
                  .deadline_ns = deadline_ns == 0 ? NO_DEADLINE : deadline_ns };
    if (!command_queue_push(&s->commands, &c)) {
        return LEAT_ERROR_FULL;
    }
    streamer_wake(s, priority == LEAT_URGENT);
    return LEAT_OK;
}

static leat_result select_and_push(leat_streamer *s, const leat_selection *selection, command *c)
{
    if (selection == NULL || (selection->tag_mask == 0 && selection->batch.generation == 0 &&
                              selection->pack.generation == 0 && !selection->all)) {
        return LEAT_ERROR_ARGUMENT; /* an empty selection is more often a mistake than a wish */
    }
    c->selection = *selection;
    c->ticket = atomic_fetch_add_explicit(&s->ticket, 1, memory_order_relaxed);
    if (!command_queue_push(&s->commands, c)) {
        return LEAT_ERROR_FULL;
    }
    streamer_wake(s, true);
    return LEAT_OK;
}

leat_result leat_cancel_where(leat_streamer *s, const leat_selection *selection)
{
    command c = { .type = COMMAND_CANCEL_WHERE };
    return select_and_push(s, selection, &c);
}

leat_result leat_reprioritise_where(leat_streamer *s, const leat_selection *selection, leat_priority priority,
                                    uint64_t deadline_ns)
{
    if ((uint32_t)priority >= LEAT_PRIORITY_COUNT) {
        return LEAT_ERROR_ARGUMENT;
    }
    command c = { .type = COMMAND_REPRIORITISE_WHERE,
                  .priority = priority,
                  .deadline_ns = deadline_ns == 0 ? NO_DEADLINE : deadline_ns };
    return select_and_push(s, selection, &c);
}

leat_result leat_batch_begin(leat_streamer *s, const leat_batch_desc *desc, leat_batch *handle)
{
    uint32_t index, generation;
    if (!handles_acquire(&s->batch_handles, &index, &generation)) {
        *handle = (leat_batch){ 0 };
        return LEAT_ERROR_FULL;
    }
    batch *b = &s->batches[index];
    b->desc = desc != NULL ? *desc : (leat_batch_desc){ 0 };
    b->ended = 0;
    b->failed_count = 0;
    b->first_failure = (leat_event){ 0 };
    atomic_store_explicit(&b->added, 0, memory_order_relaxed);
    *handle = (leat_batch){ .index = index, .generation = generation };
    return LEAT_OK;
}

leat_result leat_batch_end(leat_streamer *s, leat_batch handle)
{
    if (!handles_set(&s->batch_handles, handle.index, handle.generation, BATCH_SEALED, BATCH_SEALED)) {
        return LEAT_ERROR_STALE;
    }
    post_event(s, &s->batches[handle.index].post, s->desc.request_count_max + handle.index, POST_BATCH);
    return LEAT_OK;
}

leat_result leat_estimate(const leat_streamer *s, const leat_read_desc *desc, leat_estimate_info *info)
{
    pack_slot *slot = pack_acquire(s, desc->asset.pack);
    if (slot == NULL) {
        return LEAT_ERROR_STALE;
    }
    uint64_t offset = 0, size = 0;
    leat_result result = LEAT_ERROR_ARGUMENT;
    if ((uint32_t)desc->priority < LEAT_PRIORITY_COUNT && desc->asset.index != 0 &&
        desc->asset.index <= slot->index.asset_count) {
        result = asset_part(slot, desc->asset.index - 1, &desc->part, &offset, &size);
    }
    if (result == LEAT_OK) {
        const counters *c = &s->counters;
        uint64_t ahead = atomic_load_explicit(&c->bytes_in_flight, memory_order_relaxed);
        for (uint32_t rank = 0; rank <= sched_rank(desc->priority); ++rank) {
            ahead += atomic_load_explicit(&c->bytes_queued_by_rank[rank], memory_order_relaxed);
        }
        uint64_t bandwidth = u64_max(atomic_load_explicit(&c->bandwidth, memory_order_relaxed), 1);
        uint64_t packed = 0;
        if (size > 0) {
            uint64_t raw_begin = slot->index.assets[desc->asset.index - 1].raw_offset + offset;
            const leat_pack_chunk_record *chunks = slot->index.chunks;
            uint32_t last = pack_index_chunk_at(&slot->index, raw_begin + size - 1);
            packed = chunks[last].file_offset + chunks[last].packed_size -
                     chunks[pack_index_chunk_at(&slot->index, raw_begin)].file_offset;
        }
        double seconds =
            (double)(ahead + packed) / (double)bandwidth + (double)size / (double)s->decode_bytes_per_second;
        *info = (leat_estimate_info){
            .ready_ns = streamer_now(s) + atomic_load_explicit(&c->latency_min, memory_order_relaxed) +
                        (uint64_t)(seconds * (double)NS_PER_S),
            .bytes_ahead = ahead,
            .bytes_per_second = bandwidth,
        };
    }
    pack_release((leat_streamer *)s, slot);
    return result;
}
