/* submit.c - what any thread may ask for: requests, cancel, re-prioritise, memory, batches.
 *
 * Nothing here waits, allocates or makes a system call, but for the one write that wakes a sleeping I/O thread; and who
 * sleeps is left asleep where nobody could see the difference before the next update (wake_kind). What a request is
 * goes into its slot; that it is there goes out as mail (mpsc.h). Commands that carry values go through the bounded
 * command queue, and "full" is an answer. */
#include "streamer.h"

#define SUBMIT_GROUP 16u /* requests whose slots are taken together */
#define FETCH_AHEAD 64u /* handles of an array whose slots are fetched while one is looked at */

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

/* What a desc asks for. */
typedef struct target {
    uint32_t position; /* of the asset in the slot's index */
    uint64_t raw_begin, size; /* in the pack's raw space */
} target;

/* A flag that this version does not know asks for something that it would not do. */
static bool words_are_known(const leat_read_desc *desc)
{
    return (uint32_t)desc->priority < LEAT_PRIORITY_COUNT && desc->client < LEAT_CLIENT_COUNT &&
           (desc->flags & ~(uint32_t)LEAT_READ_DEGRADE) == 0;
}

/* Finds it, if it can be asked for at all. */
static leat_result check(leat_streamer *s, const leat_read_desc *desc, const pack_slot *slot, target *t)
{
    if (!words_are_known(desc)) {
        return LEAT_ERROR_ARGUMENT;
    }
    uint64_t offset;
    leat_result result = asset_locate(slot, desc->asset, &t->position);
    if (result == LEAT_OK) {
        result = asset_part(slot, t->position, &desc->part, &offset, &t->size);
    }
    if (result == LEAT_OK) {
        t->raw_begin = slot->index.assets[t->position].raw_offset + offset;
        result = check_memory(s, desc, t->size);
    }
    return result;
}

/* Mail that is pushed all at once. Zero: none. */
typedef struct mail_chain {
    uint32_t first; /* newest first */
    mpsc_link *last; /* NULL: it is empty */
} mail_chain;

/* False: the slot has mail already, which is on the list, or will be when another thread has pushed it. */
static inline bool chain_add(leat_streamer *s, mail_chain *chain, uint32_t index, uint32_t reason)
{
    mpsc_link *mail = mail_link(s, index);
    bool first = mpsc_mark(mail, reason);
    if (first) {
        mail->next = chain->first;
        chain->first = index;
        if (chain->last == NULL) {
            chain->last = mail;
        }
    }
    return first;
}

static void chain_push(leat_streamer *s, const mail_chain *chain)
{
    if (chain->last != NULL) {
        mpsc_push_chain(&s->mail, chain->first, chain->last);
    }
}

/* What fills the queue may have been put off until the next update: not any longer. Nor what is behind ours, if that
 * came while this thread was held up: whoever pushed it may have woken the I/O thread before it could see it. */
static bool push_command(leat_streamer *s, const command *c)
{
    command_pushed pushed = command_queue_push(&s->commands, c);
    if (pushed != COMMAND_LAST) {
        streamer_wake(s, WAKE_NOW);
    }
    return pushed != COMMAND_REFUSED;
}

/* The slot has mail already: another thread has cancelled its former request, and may be held up before it pushes that.
 * So the I/O thread is told by the way on which this thread's next orders come, which are for this request too. Where
 * that is full, it learns of it by that push. */
static void submit_beside(leat_streamer *s, uint32_t index)
{
    push_command(s, &(command){ .type = COMMAND_MAIL, .request.index = index });
}

/* What the descs of one leat_submit have in common. */
typedef struct submission {
    uint64_t ticket, now_ns;
    mail_chain mail;
    wake_kind wake; /* for the one in the greatest hurry */
    uint32_t binds; /* 1 << leat_bind_kind of each */
} submission;

/* deadline_ns: as in a desc, 0 is none. */
static inline wake_kind hurry_of(leat_priority priority, uint64_t deadline_ns, uint64_t now_ns)
{
    if (priority == LEAT_URGENT) {
        return WAKE_NOW;
    }
    uint64_t sorted_ns = deadline_ns != 0 ? deadline_ns : NO_DEADLINE;
    return in_a_hurry(sched_rank(priority), sorted_ns, now_ns) ? WAKE_SOON : WAKE_WORK;
}

/* Ordinary work that needs one kind of memory may have to wait for that anyway. */
static wake_kind wake_of(const submission *sub)
{
    if (sub->wake != WAKE_WORK) {
        return sub->wake;
    }
    return sub->binds == 1u << LEAT_BIND_LEAT   ? WAKE_WORK_LENT
           : sub->binds == 1u << LEAT_BIND_LATE ? WAKE_WORK_LATE
                                                : WAKE_WORK;
}

static void fill(leat_streamer *s, const submission *sub, const leat_read_desc *desc, const pack_slot *slot,
                 uint32_t index, const target *t)
{
    request *r = &s->requests[index];
    r->user = desc->user;
    r->tag = desc->tag;
    r->batch = desc->batch;
    r->memory = desc->bind == LEAT_BIND_CALLER ? desc->memory : NULL;
    r->size = t->size;
    r->generation = handles_generation_at(&s->request_handles, index);
    r->asset = t->position;
    r->pack = (uint16_t)(slot - s->packs);
    r->bind = (uint8_t)desc->bind;
    r->submitted_ns = sub->now_ns;
    r->raw_begin = t->raw_begin;
    r->ticket = sub->ticket;
    r->has_deadline = desc->deadline_ns != 0;
    r->deadline_wanted_ns = desc->deadline_ns == 0 ? NO_DEADLINE : desc->deadline_ns;
    r->level = asset_level(&desc->part);
    r->client = (uint8_t)desc->client;
    r->priority_wanted = (uint8_t)desc->priority;
    r->flags = (uint8_t)desc->flags;
    r->counted_urgent = desc->priority == LEAT_URGENT;
    if (r->counted_urgent) {
        atomic_fetch_add_explicit(&s->urgent_live, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&r->chunks_open, 1, memory_order_relaxed); /* the mail publishes it */
    trace_point_at(s, sub->now_ns, TRACE_SUBMIT, index, r->generation,
                   (uint64_t)desc->asset.pack.generation << 32 | desc->priority,
                   (uint64_t)desc->asset.pack.index << 32 | desc->asset.index);
}

static leat_result check_batch(leat_streamer *s, const leat_read_desc *desc)
{
    uint32_t flags = handles_flags(&s->batch_handles, desc->batch.index, desc->batch.generation);
    if (!(flags & HANDLE_FLAG_LIVE)) {
        return LEAT_ERROR_STALE;
    }
    bool only_end = atomic_load_explicit(&s->batches[desc->batch.index].only_end, memory_order_relaxed);
    return (flags & BATCH_SEALED) || (only_end && desc->bind != LEAT_BIND_CALLER) ? LEAT_ERROR_ARGUMENT : LEAT_OK;
}

/* Last of all that can be refused. */
static leat_result join_batch(leat_streamer *s, const leat_read_desc *desc)
{
    leat_result result = check_batch(s, desc);
    if (result == LEAT_OK &&
        !handles_add(&s->batch_handles, desc->batch.index, desc->batch.generation, BATCH_MEMBER, BATCH_SEALED)) {
        result = check_batch(s, desc); /* it was ended meanwhile, or has half a billion members */
        return result == LEAT_OK ? LEAT_ERROR_FULL : result;
    }
    return result;
}

/* What the index says of assets anywhere in it is in no cache: the records of a group come side by side. The first is
 * looked at right away. */
static void fetch_assets(const pack_slot *slot, const leat_read_desc *descs, uint32_t count)
{
    for (uint32_t i = 1; i < count; ++i) {
        uint32_t position;
        if (asset_locate(slot, descs[i].asset, &position) == LEAT_OK) {
            fetch_to_read(&slot->index.assets[position]);
        }
    }
}

/* Takes `count` descs of one pack, at most SUBMIT_GROUP: references of the pack and slots are had all at once, so that
 * the words which all threads share are written once a group and the slots are fetched side by side. Returns how many
 * were taken; *result says why the next one was not. */
static uint32_t submit_group(leat_streamer *s, submission *sub, const leat_read_desc *descs, uint32_t count,
                             leat_request *requests, leat_result *result)
{
    pack_slot *slot = pack_acquire_many(s, descs[0].asset.pack, count);
    if (slot == NULL) {
        *result = LEAT_ERROR_STALE;
        return 0;
    }
    fetch_assets(slot, descs, count);
    uint32_t indices[SUBMIT_GROUP];
    uint32_t taken = 0, had = 0;
    for (; taken < count; ++taken) {
        const leat_read_desc *desc = &descs[taken];
        target t;
        *result = check(s, desc, slot, &t);
        if (*result != LEAT_OK) {
            break;
        }
        if (taken == had) { /* not before the first is known to be good: a group of one bad desc takes nothing */
            uint32_t more = handles_acquire_many(&s->request_handles, count - taken, indices + taken);
            for (uint32_t i = had; i < had + more; ++i) {
                fetch_to_write(&s->requests[indices[i]]);
                fetch_to_write(&s->requests[indices[i]].submitted_ns);
            }
            had += more;
        }
        if (taken == had) {
            *result = LEAT_ERROR_FULL;
            break;
        }
        if (desc->batch.generation != 0 && (*result = join_batch(s, desc)) != LEAT_OK) {
            break;
        }
        uint32_t index = indices[taken];
        fill(s, sub, desc, slot, index, &t);
        if (requests != NULL) {
            requests[taken] = (leat_request){ .index = index, .generation = s->requests[index].generation };
        }
        sub->binds |= 1u << desc->bind;
        wake_kind hurry = hurry_of(desc->priority, desc->deadline_ns, sub->now_ns);
        sub->wake = hurry > sub->wake ? hurry : sub->wake;
        if (!chain_add(s, &sub->mail, index, MAIL_SUBMIT)) {
            submit_beside(s, index);
        }
    }
    handles_release_many(&s->request_handles, indices + taken, had - taken);
    if (taken < count) {
        pack_release_many(s, slot, count - taken);
    }
    return taken;
}

static uint32_t group_size(const leat_read_desc *descs, uint32_t count)
{
    leat_pack pack = descs[0].asset.pack;
    uint32_t size = 1;
    while (size < count && size < SUBMIT_GROUP && descs[size].asset.pack.index == pack.index &&
           descs[size].asset.pack.generation == pack.generation) {
        ++size;
    }
    return size;
}

/* Of a million slots, the next one is in no cache: it is fetched while the caller does something else. */
static void fetch_next(const leat_streamer *s)
{
    uint32_t next = handles_next(&s->request_handles);
    if (next != HANDLE_FREE_END) {
        fetch_to_read(&s->request_handles.next_free[next]);
        fetch_to_write(&s->request_handles.slots[next]);
        fetch_to_write(&s->requests[next]);
        fetch_to_write(&s->requests[next].submitted_ns);
    }
}

leat_result leat_submit(leat_streamer *s, const leat_read_desc *descs, uint32_t count, leat_request *requests,
                        uint32_t *taken)
{
    submission sub = { .ticket = atomic_load_explicit(&s->ticket, memory_order_relaxed),
                       .now_ns = streamer_now(s),
                       .wake = WAKE_WORK };
    leat_result result = descs != NULL || count == 0 ? LEAT_OK : LEAT_ERROR_ARGUMENT;
    uint32_t done = 0;
    while (done < count && result == LEAT_OK) {
        uint32_t size = group_size(descs + done, count - done);
        done += submit_group(s, &sub, descs + done, size, requests != NULL ? requests + done : NULL, &result);
    }
    chain_push(s, &sub.mail);
    if (done > 0) {
        count_add(&s->counters.submitted, done);
        fetch_next(s);
        streamer_wake(s, wake_of(&sub));
    }
    if (taken != NULL) {
        *taken = done;
    }
    return result;
}

leat_result leat_read(leat_streamer *s, const leat_read_desc *desc, leat_request *request_out)
{
    if (request_out != NULL) {
        *request_out = (leat_request){ 0 };
    }
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
    if (!push_command(s, &c)) {
        return LEAT_ERROR_FULL;
    }
    streamer_wake(s, atomic_load_explicit(&s->urgent_live, memory_order_relaxed) > 0 ? WAKE_SOON : WAKE_WORK);
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
    mpsc_post(&s->mail, mail_link(s, handle.index), handle.index, MAIL_RELEASE);
    streamer_wake(s, WAKE_MEMORY);
    return LEAT_OK;
}

/* Of a million slots, those of an array's handles are in no cache: some are on their way while one is looked at. */
static void fetch_slot(const leat_streamer *s, leat_request handle)
{
    if (handle.index < s->request_handles.capacity) {
        fetch_to_write(&s->request_handles.slots[handle.index]);
    }
}

/* The flag is what counts at every later stage. The mail that follows takes the request out of the queue early; should
 * the slot have a new owner by then, its flag is not set, and the mail means nothing. */
static inline bool mark_cancelled(leat_streamer *s, leat_request handle)
{
    if (!handles_set(&s->request_handles, handle.index, handle.generation, REQUEST_CANCELLED, REQUEST_DELIVERED)) {
        return false;
    }
    trace_point(s, TRACE_CANCEL, handle.index, handle.generation, 1, 0);
    return true;
}

leat_result leat_cancel(leat_streamer *s, leat_request handle)
{
    if (!mark_cancelled(s, handle)) {
        return LEAT_ERROR_STALE;
    }
    mpsc_post(&s->mail, mail_link(s, handle.index), handle.index, MAIL_CANCEL);
    /* Who sleeps reads nothing that this could still spare; the event is told by an update. */
    streamer_wake(s, WAKE_LATER);
    return LEAT_OK;
}

leat_result leat_cancel_many(leat_streamer *s, const leat_request *handles, uint32_t count, uint32_t *cancelled)
{
    bool usable = handles != NULL || count == 0;
    mail_chain mail = { 0 };
    uint32_t live = 0;
    for (uint32_t i = 0, fetched = 0; usable && i < count; ++i) {
        for (; fetched < count && fetched <= i + FETCH_AHEAD; ++fetched) {
            fetch_slot(s, handles[fetched]);
        }
        if (mark_cancelled(s, handles[i])) {
            chain_add(s, &mail, handles[i].index, MAIL_CANCEL);
            ++live;
        }
    }
    if (live > 0) {
        chain_push(s, &mail);
        streamer_wake(s, WAKE_LATER); /* as of one */
    }
    if (cancelled != NULL) {
        *cancelled = live;
    }
    return !usable ? LEAT_ERROR_ARGUMENT : live < count ? LEAT_ERROR_STALE : LEAT_OK;
}

/* As a submit of such a request would, if there is something whose order can change; in any case, if the I/O thread was
 * not told of its own submit. */
static inline wake_kind order_of(const leat_streamer *s, const leat_reprioritise_desc *desc, uint64_t now_ns)
{
    wake_kind hurry = hurry_of(desc->priority, desc->deadline_ns, now_ns);
    if (hurry == WAKE_WORK) {
        return WAKE_ORDER;
    }
    uint32_t reasons = atomic_load_explicit(&mail_link(s, desc->request.index)->mask, memory_order_relaxed);
    if (reasons & MAIL_SUBMIT) {
        return WAKE_NOW;
    }
    return hurry == WAKE_NOW ? WAKE_ORDER_NOW : WAKE_ORDER_SOON;
}

static inline leat_result push_order(leat_streamer *s, const leat_reprioritise_desc *desc)
{
    if ((uint32_t)desc->priority >= LEAT_PRIORITY_COUNT) {
        return LEAT_ERROR_ARGUMENT;
    }
    if (!request_live(s, desc->request)) {
        return LEAT_ERROR_STALE;
    }
    command c = { .type = COMMAND_REPRIORITISE,
                  .request = desc->request,
                  .priority = (uint8_t)desc->priority,
                  .deadline_ns = desc->deadline_ns == 0 ? NO_DEADLINE : desc->deadline_ns };
    return push_command(s, &c) ? LEAT_OK : LEAT_ERROR_FULL;
}

leat_result leat_reprioritise(leat_streamer *s, leat_request handle, leat_priority priority, uint64_t deadline_ns)
{
    leat_reprioritise_desc desc = { .request = handle, .priority = priority, .deadline_ns = deadline_ns };
    leat_result result = push_order(s, &desc);
    if (result == LEAT_OK) { /* without a deadline the class alone decides */
        streamer_wake(s, order_of(s, &desc, deadline_ns == 0 ? 0 : streamer_now(s)));
    }
    return result;
}

leat_result leat_reprioritise_many(leat_streamer *s, const leat_reprioritise_desc *descs, uint32_t count,
                                   uint32_t *taken)
{
    leat_result result = descs != NULL || count == 0 ? LEAT_OK : LEAT_ERROR_ARGUMENT;
    bool stale = false;
    wake_kind wake = WAKE_LATER; /* none was pushed */
    uint64_t now_ns = streamer_now(s);
    uint32_t i = 0;
    for (uint32_t fetched = 0; i < count && result == LEAT_OK; ++i) {
        for (; fetched < count && fetched <= i + FETCH_AHEAD; ++fetched) {
            fetch_slot(s, descs[fetched].request);
        }
        leat_result one = push_order(s, &descs[i]);
        if (one == LEAT_OK) {
            wake = u32_max(wake, order_of(s, &descs[i], now_ns));
        } else if (one == LEAT_ERROR_STALE) {
            stale = true;
        } else {
            result = one;
            break;
        }
    }
    if (wake != WAKE_LATER) {
        streamer_wake(s, wake);
    }
    if (taken != NULL) {
        *taken = i;
    }
    return result == LEAT_OK && stale ? LEAT_ERROR_STALE : result;
}

static leat_result select_and_push(leat_streamer *s, const leat_selection *selection, command *c)
{
    if (selection == NULL || (selection->tag_mask == 0 && selection->batch.generation == 0 &&
                              selection->pack.generation == 0 && !selection->all)) {
        return LEAT_ERROR_ARGUMENT; /* an empty selection is more often a mistake than a wish */
    }
    if ((selection->tag & ~selection->tag_mask) != 0) {
        return LEAT_ERROR_ARGUMENT; /* no request fits; where the mask was forgotten, far too many would */
    }
    if ((selection->batch.generation != 0 &&
         !(handles_flags(&s->batch_handles, selection->batch.index, selection->batch.generation) & HANDLE_FLAG_LIVE)) ||
        (selection->pack.generation != 0 && !pack_alive(s, selection->pack))) {
        return LEAT_ERROR_STALE;
    }
    c->tag_mask = selection->tag_mask;
    c->tag = selection->tag;
    c->batch = selection->batch;
    c->pack = selection->pack;
    /* What this thread submitted has a smaller number, what it submits from now on has not. */
    c->ticket = atomic_fetch_add_explicit(&s->ticket, 1, memory_order_relaxed) + 1;
    if (!push_command(s, c)) {
        return LEAT_ERROR_FULL;
    }
    streamer_wake(s, WAKE_NOW);
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
                  .priority = (uint8_t)priority,
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
    atomic_store_explicit(&b->only_end, b->desc.only_end, memory_order_relaxed);
    b->ended = 0;
    b->failed_count = 0;
    b->first_failure = (leat_event){ 0 };
    *handle = (leat_batch){ .index = index, .generation = generation };
    return LEAT_OK;
}

leat_result leat_batch_end(leat_streamer *s, leat_batch handle)
{
    if (!handles_set(&s->batch_handles, handle.index, handle.generation, BATCH_SEALED, BATCH_SEALED)) {
        return LEAT_ERROR_STALE;
    }
    post_batch(s, handle.index);
    return LEAT_OK;
}

/* What admission would be asked about this desc (pump.c). */
static estimate_query query_of(const leat_streamer *s, const leat_read_desc *desc, const pack_slot *slot,
                               uint32_t position, uint64_t offset, uint64_t size)
{
    estimate_query query = { .rank = sched_rank(desc->priority),
                             .deadline_ns = desc->deadline_ns == 0 ? NO_DEADLINE : desc->deadline_ns,
                             .raw_size = size,
                             .decode_bytes_per_second =
                                 atomic_load_explicit(&s->counters.decode_rate, memory_order_relaxed) };
    if (size > 0) {
        uint64_t raw_begin = slot->index.assets[position].raw_offset + offset;
        query.packed_size = pack_index_packed_size(&slot->index, pack_index_chunk_at(&slot->index, raw_begin),
                                                   pack_index_chunk_at(&slot->index, raw_begin + size - 1) + 1);
    }
    return query;
}

leat_result leat_estimate(const leat_streamer *s, const leat_read_desc *desc, leat_estimate_info *info)
{
    pack_slot *slot = pack_acquire(s, desc->asset.pack);
    if (slot == NULL) {
        return LEAT_ERROR_STALE;
    }
    uint64_t offset = 0, size = 0;
    uint32_t position = 0;
    leat_result result = LEAT_ERROR_ARGUMENT;
    if (words_are_known(desc)) {
        result = asset_locate(slot, desc->asset, &position);
    }
    if (result == LEAT_OK) {
        result = asset_part(slot, position, &desc->part, &offset, &size);
    }
    if (result == LEAT_OK) {
        union {
            estimate_levels levels;
            uint64_t words[ESTIMATE_LEVEL_WORDS];
        } u;
        for (size_t i = 0; i < ESTIMATE_LEVEL_WORDS; ++i) {
            u.words[i] = atomic_load_explicit(&s->counters.levels[i], memory_order_relaxed);
        }
        uint64_t now_ns = streamer_now(s);
        estimate_query query = query_of(s, desc, slot, position, offset, size);
        *info = (leat_estimate_info){ .bytes_per_second = u.levels.bandwidth };
        info->ready_ns = size == 0 ? now_ns : estimate_from_levels(&u.levels, &query, now_ns, &info->bytes_ahead);
    }
    pack_release((leat_streamer *)s, slot);
    return result;
}
