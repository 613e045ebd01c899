/* reads.c - queued requests become reads. What comes of them is completions.c.
 *
 * ISSUE. The best request gives its next chunks to a read: neighbours on disk up to read_bytes_max, small gaps read
 * through, and, when it has no more, the next best requests as long as they continue where it ends. A chunk that
 * another read brings already, or that still waits to be decoded, gets one more output instead of one more read.
 *
 * WHERE TO. Into the pool; or, for stored chunks that are aligned on disk and in memory and wanted whole, straight into
 * the destination; or nowhere: what the page cache holds is not read here at all. Its chunks go to the decode stage at
 * once, and each is fetched by the worker that decodes it, so that its bytes do not pass from core to core and the one
 * I/O thread copies nothing. What the page cache turns out not to hold comes back, and is read from the device (AGAIN).
 *
 * HOW FAR AHEAD. As long as the workers have decode_bytes_high before them, nothing but urgent reads goes out, and half
 * as much again of what is in a hurry: what is read ahead grows cold, and priorities count for what has not been read.
 *
 * A buffer belongs to the backend while READ_IN_FLIGHT, to the workers while READ_DECODING, and is free when the last
 * of the read's tasks is done. The destination stays the request's until then, cancelled or not. The I/O thread only.
 */
#include "streamer.h"

#define CACHED_SCORE_MAX 16u
#define CACHED_SCORE_HALF 8u
#define CACHED_SKIP 15u /* reads between two questions about the page cache, once the answer is settled */
#define CACHED_AHEAD                                                                                                   \
    3u /* times decode_bytes_high: of what is not read yet, and so takes no room and does not grow cold */
#define CACHED_READ_BYTES_MAX (2u << 20) /* a little more than a worker has room for, and fetches with one call */
#define IN_PLACE_LOOK_MAX 32u /* chunks of a request that are looked at for stored ones: levels of a texture */
#define IN_PLACE_BYTES_MIN (32u << 10) /* smaller ones cost less to copy than to lay out */
#define LENT_ALIGNMENT 16u
#define MEMORY_KEPT_SHARE 4u /* memory is kept for a quarter of ageing_ns, and then not for all of it */
#define URGENT_POOL_SHARE 8u /* an eighth of the pool is kept for urgent reads */

/* ---- Chunks that are on their way ---- */

static read_task *task_of(const leat_streamer *s, uint32_t number)
{
    return &s->reads[number / READ_TASK_COUNT_MAX].tasks[number % READ_TASK_COUNT_MAX];
}

static uint32_t chunk_find(const leat_streamer *s, uint32_t pack, uint32_t chunk)
{
    uint32_t number = *reads_bucket(s, pack, chunk);
    while (number != TASK_NONE) {
        read_task *task = task_of(s, number);
        if (task->decode.chunk == chunk && s->reads[number / READ_TASK_COUNT_MAX].pack == pack) {
            return number;
        }
        number = task->next_in_bucket;
    }
    return TASK_NONE;
}

bool reads_chunk_comes(const leat_streamer *s, uint32_t pack, uint32_t chunk)
{
    return chunk_find(s, pack, chunk) != TASK_NONE;
}

void reads_note_chunk(leat_streamer *s, uint32_t pack, uint32_t chunk, uint32_t number)
{
    uint32_t *bucket = reads_bucket(s, pack, chunk);
    task_of(s, number)->next_in_bucket = *bucket;
    *bucket = number;
}

void reads_forget_chunk(leat_streamer *s, uint32_t pack, uint32_t chunk, uint32_t number)
{
    uint32_t *link = reads_bucket(s, pack, chunk);
    while (*link != number) {
        ASSERT(*link != TASK_NONE);
        link = &task_of(s, *link)->next_in_bucket;
    }
    *link = task_of(s, number)->next_in_bucket;
}

/* ---- What the page cache holds ---- */

/* Is this range better read through the page cache? Asked of the kernel where it can say, and learnt per file, so that
 * the question is not asked for every read. */
static bool prefer_cached(leat_streamer *s, pack_slot *slot, uint64_t offset, uint64_t size)
{
    if (s->desc.direct == LEAT_ON || s->desc.backend == LEAT_BACKEND_SIM) {
        return false; /* the simulated device has no page cache: a run must not depend on what this machine has read */
    }
    if (slot->cached_skip > 0) {
        --slot->cached_skip;
        return slot->cached_score >= CACHED_SCORE_HALF;
    }
    int64_t cached = file_cached_bytes(&slot->file, offset, size);
    if (cached < 0) { /* this kernel cannot say: try one, and see whether it comes back; never quite sure */
        slot->cached_skip = CACHED_SKIP;
        slot->cached_score = CACHED_SCORE_MAX - 1;
        return true;
    }
    bool yes = (uint64_t)cached >= size;
    if (yes) {
        slot->cached_score = u32_min(slot->cached_score + 4, CACHED_SCORE_MAX);
    } else {
        slot->cached_score = slot->cached_score > 4 ? slot->cached_score - 4 : 0;
    }
    if (slot->cached_score == 0 || slot->cached_score == CACHED_SCORE_MAX) {
        slot->cached_skip = CACHED_SKIP;
    }
    return yes;
}

/* It said yes, and was wrong: what comes next is read past it until it is asked again. */
void reads_cached_was_wrong(pack_slot *slot)
{
    slot->cached_score = 0;
    slot->cached_skip = CACHED_SKIP;
}

/* ---- How long a read may be ---- */

#define READ_BYTES_SHORT KIB(512)
#define READ_NS_MAX (NS_PER_MS / 2) /* of the device's time for one read that is longer */
#define HURRY_MEMORY_NS (10 * NS_PER_S)

/* Long reads cost the processor less, and whoever comes while one is out waits longer for it. So they are for a device
 * that is quick, and for an engine that has not been in a hurry lately: then it wants as much as can be had. */
static void set_pace(leat_streamer *s, uint64_t now_ns)
{
    bool calm = s->hurry_ns == 0 || now_ns - u64_min(now_ns, s->hurry_ns) > HURRY_MEMORY_NS;
    uint64_t quick = window_bandwidth(s->window) / (NS_PER_S / READ_NS_MAX);
    s->read_bytes_now = u64_min(s->read_bytes_max, calm ? u64_max(READ_BYTES_SHORT, quick) : READ_BYTES_SHORT);
    window_set_calm(s->window, calm);
}

/* ---- Building a read ---- */

static decode_key key_of(const request *r)
{
    return (decode_key){ .rank = r->rank, .deadline_ns = r->deadline_ns, .sequence = r->sequence };
}

static bool is_before(const request *a, const request *b)
{
    decode_key key_a = key_of(a), key_b = key_of(b);
    return decode_key_before(&key_a, &key_b);
}

decode_key reads_task_key(void *streamer, const decode_task *task)
{
    leat_streamer *s = streamer;
    const request *best = NULL;
    for (const decode_output *o = task->outputs; o != NULL; o = o->next) {
        request *r = &s->requests[o->request];
        best = best == NULL || is_before(r, best) ? r : best;
        request_count_urgent(s, r);
    }
    return key_of(best);
}

/* What a lent block has behind the bytes that were asked for. */
static uint64_t lent_slack(const request *r)
{
    uint64_t used = r->lent_shift + r->size;
    return r->bind == LEAT_BIND_LEAT ? align_up(used, LENT_UNIT_SIZE) - used : 0;
}

/* The part of a chunk that a request wants, and where it goes. */
static void fill_output(decode_output *o, const leat_pack_chunk_record *chunk, const request *r, uint32_t index)
{
    uint64_t begin = u64_max(chunk->raw_offset, r->raw_begin);
    uint64_t end = u64_min(chunk->raw_offset + chunk->raw_size, r->raw_begin + r->size);
    o->memory = r->memory + (begin - r->raw_begin);
    o->begin = (uint32_t)(begin - chunk->raw_offset);
    o->end = (uint32_t)(end - chunk->raw_offset) - (CANARY(BOUND) && end - begin > 1);
    o->slack = end == r->raw_begin + r->size ? (uint8_t)u64_min(lent_slack(r), UINT8_MAX) : 0;
    o->request = index;
}

/* A read that is out, or waits to go out, has got somebody who is in a hurry. */
static void hurry(leat_streamer *s, read_op *rd, const request *r)
{
    s->reads_eager += rd->stage == READ_IN_FLIGHT && !rd->eager ? 1 : 0;
    rd->eager = true;
    rd->rank = u32_min(rd->rank, r->rank);
}

void reads_regard(leat_streamer *s, read_op *rd, uint64_t now_ns)
{
    rd->rank = UINT32_MAX;
    rd->eager = false;
    for (uint32_t i = 0; i < rd->task_count; ++i) {
        for (const decode_output *o = rd->tasks[i].decode.outputs; o != NULL; o = o->next) {
            request *r = &s->requests[o->request];
            request_count_urgent(s, r);
            rd->rank = u32_min(rd->rank, r->rank);
            rd->eager |= in_a_hurry(r->rank, r->deadline_ns, now_ns);
        }
    }
}

void reads_reorder(leat_streamer *s, uint64_t now_ns)
{
    for (uint32_t i = 0; i < READ_COUNT_MAX; ++i) {
        read_op *rd = &s->reads[i];
        if (rd->stage == READ_IN_FLIGHT || rd->stage == READ_WAITING) {
            s->reads_eager -= rd->stage == READ_IN_FLIGHT && rd->eager ? 1 : 0;
            reads_regard(s, rd, now_ns);
            s->reads_eager += rd->stage == READ_IN_FLIGHT && rd->eager ? 1 : 0;
        }
    }
    decode_change(s->decode);
}

/* One more output for a chunk that is on its way; false if its decode has begun. */
static bool attach(leat_streamer *s, uint32_t number, decode_output *o, const request *r, uint64_t now_ns)
{
    read_task *task = task_of(s, number);
    read_op *rd = &s->reads[number / READ_TASK_COUNT_MAX];
    if (task->failure != LEAT_OK) {
        return false;
    }
    if (rd->stage == READ_DECODING) {
        decode_key key = key_of(r);
        return decode_attach(s->decode, &task->decode, o, &key);
    }
    o->next = task->decode.outputs;
    task->decode.outputs = o;
    if (in_a_hurry(r->rank, r->deadline_ns, now_ns)) {
        hurry(s, rd, r);
    }
    return true;
}

bool reads_pool_has_room(leat_streamer *s, uint64_t size, bool urgent)
{
    uint64_t need = align_up(size, POOL_UNIT_SIZE);
    uint64_t reserve = urgent ? 0 : s->desc.pool_bytes / URGENT_POOL_SHARE;
    bool room = arena_bytes_used(s->pool) + need + reserve <= s->desc.pool_bytes && arena_can_allocate(s->pool, need);
    s->short_of_buffers |= !room;
    return room;
}

/* Where a read that begins with this chunk begins. Loose files are read through the page cache: any byte will do. */
static uint64_t read_begin(const leat_pack_chunk_record *chunk)
{
    return chunk->flags & PACK_CHUNK_LOOSE ? chunk->file_offset : align_down(chunk->file_offset, LEAT_PACK_ALIGNMENT);
}

/* Where a chunk that a request wants belongs, if it could be read straight to there; else NULL. */
static uint8_t *destination_of(const leat_pack_chunk_record *chunk, const request *r)
{
    if (chunk->codec != LEAT_PACK_CODEC_STORED || (chunk->flags & PACK_CHUNK_LOOSE) ||
        chunk->raw_offset < r->raw_begin || chunk->raw_offset + chunk->raw_size > r->raw_begin + r->size) {
        return NULL;
    }
    uint8_t *destination = r->memory + (chunk->raw_offset - r->raw_begin);
    uint64_t all = chunk->file_offset | chunk->packed_size | (uint64_t)(uintptr_t)destination;
    return all % LEAT_PACK_ALIGNMENT == 0 ? destination : NULL;
}

/* May a read begin with this chunk, and where does it land? Asks for everything that is scarce. The window decides
 * whether a read goes out, not how large it is: a window that is nearly full must not cut the reads to pieces, which
 * cost as much each and bring less. It is overrun by less than one read. */
static bool may_begin(leat_streamer *s, read_op *rd, const request *r, const leat_pack_chunk_record *chunk,
                      uint64_t now_ns)
{
    bool urgent = r->rank == 0;
    bool eager = in_a_hurry(r->rank, r->deadline_ns, now_ns);
    uint64_t ahead = urgent ? 0 : atomic_load_explicit(&s->decode_bytes, memory_order_relaxed);
    uint64_t ahead_max = s->decode_bytes_high + (eager ? s->decode_bytes_low : 0);
    if (ahead >= ahead_max * CACHED_AHEAD) {
        s->short_of_buffers = true;
        return false;
    }
    pack_slot *slot = &s->packs[r->pack];
    if (!slot->index.loose && prefer_cached(s, slot, chunk->file_offset, chunk->packed_size)) {
        rd->place = READ_BY_WORKERS;
        return true;
    }
    if (ahead >= ahead_max) {
        s->short_of_buffers = true;
        return false;
    }
    uint64_t size = chunk->file_offset + chunk->packed_size - read_begin(chunk);
    if (!window_allows(s->window, size, urgent) && !CANARY(WINDOW)) {
        s->eager_waits |= eager;
        return false;
    }
    rd->buffer = destination_of(chunk, r);
    rd->place = rd->buffer != NULL ? READ_INTO_DESTINATION : READ_INTO_POOL;
    return rd->buffer != NULL || reads_pool_has_room(s, size, urgent);
}

/* In a loose file: above what the read has, or below it, as the levels of a DDS file come. */
static bool continues_loose_read(const leat_streamer *s, const read_op *rd, const leat_pack_chunk_record *chunk)
{
    uint64_t begin = u64_min(rd->file_offset, chunk->file_offset);
    uint64_t end = u64_max(rd->file_offset + rd->size, chunk->file_offset + chunk->packed_size);
    return chunk->parameter == rd->tasks[0].decode.record->parameter && end - begin <= s->read_bytes_now &&
           end - begin <= rd->size + chunk->packed_size + s->desc.read_gap_max;
}

/* What the page cache surely holds may be more: it delays nothing, and to fetch it with fewer calls is cheaper. */
static uint64_t read_size_max(const leat_streamer *s, const read_op *rd)
{
    bool cached = rd->place == READ_BY_WORKERS && s->packs[rd->pack].cached_score == CACHED_SCORE_MAX;
    return cached ? u64_max(s->read_bytes_now, u64_min(CACHED_READ_BYTES_MAX, s->desc.pool_bytes / 4))
                  : s->read_bytes_now;
}

static bool continues_read(const leat_streamer *s, const read_op *rd, const request *r)
{
    const leat_pack_chunk_record *chunk = &s->packs[r->pack].index.chunks[r->chunk_next];
    uint64_t end = rd->file_offset + rd->size;
    if (rd->pack != r->pack || rd->task_count == READ_TASK_COUNT_MAX) {
        return false;
    }
    if (chunk->flags & PACK_CHUNK_LOOSE) {
        return continues_loose_read(s, rd, chunk);
    }
    if (chunk->file_offset < end || chunk->file_offset - end > s->desc.read_gap_max ||
        chunk->file_offset + chunk->packed_size - rd->file_offset > read_size_max(s, rd)) {
        return false;
    }
    const uint8_t *destination = destination_of(chunk, r);
    switch (rd->place) {
    case READ_INTO_POOL:
        return destination == NULL;
    case READ_INTO_DESTINATION: /* of which nothing but its own bytes may be written to */
        return destination == rd->buffer + rd->size && chunk->file_offset == end;
    case READ_BY_WORKERS:
        return true;
    }
    return false;
}

/* May this chunk be part of the read? */
static bool may_add(leat_streamer *s, read_op *rd, const request *r, const leat_pack_chunk_record *chunk,
                    uint64_t now_ns)
{
    if (rd->task_count == 0) {
        return may_begin(s, rd, r, chunk, now_ns);
    }
    uint64_t end = u64_max(rd->file_offset + rd->size, chunk->file_offset + chunk->packed_size);
    uint64_t size = end - u64_min(rd->file_offset, chunk->file_offset);
    return continues_read(s, rd, r) && (rd->place != READ_INTO_POOL || reads_pool_has_room(s, size, r->rank == 0));
}

static void add_task(leat_streamer *s, read_op *rd, const request *r, decode_output *o)
{
    const leat_pack_chunk_record *chunk = &s->packs[r->pack].index.chunks[r->chunk_next];
    uint32_t rd_index = (uint32_t)(rd - s->reads);
    uint32_t number = rd_index * READ_TASK_COUNT_MAX + rd->task_count;
    read_task *task = &rd->tasks[rd->task_count];
    if (rd->task_count == 0) {
        rd->pack = r->pack;
        rd->file_offset = read_begin(chunk);
        rd->size = 0;
    }
    ++rd->task_count;
    uint64_t end = u64_max(rd->file_offset + rd->size, chunk->file_offset + chunk->packed_size);
    rd->file_offset = u64_min(rd->file_offset, chunk->file_offset); /* lower only in loose files */
    rd->size = end - rd->file_offset;
    o->next = NULL;
    task->decode.record = chunk;
    task->decode.outputs = o;
    task->decode.chunk = r->chunk_next;
    task->decode.read = rd_index;
    task->failure = LEAT_OK;
    reads_note_chunk(s, r->pack, r->chunk_next, number);
}

typedef enum add_result { ADD_REQUEST_DONE, ADD_READ_FULL } add_result;

/* Packed; counted: those that the request counts in the queue itself (shared.c). */
typedef struct issued_bytes {
    uint64_t all, counted;
} issued_bytes;

/* Moves chunks of the request into the read, until either is used up. *read: the last one that has some of them, which
 * is another where they were under way. */
static add_result add_chunks(leat_streamer *s, read_op *rd, request *r, uint32_t index, uint64_t now_ns,
                             issued_bytes *issued, const read_op **read)
{
    const leat_pack_chunk_record *chunks = s->packs[r->pack].index.chunks;
    chunk_want *wants = s->packs[r->pack].wants;
    while (r->chunk_next < r->chunk_end) {
        decode_output *o = s->output_free;
        if (o == NULL) {
            s->short_of_buffers = true;
            return ADD_READ_FULL;
        }
        const leat_pack_chunk_record *chunk = &chunks[r->chunk_next];
        s->output_free = o->next;
        fill_output(o, chunk, r, index);
        uint32_t number = chunk_find(s, r->pack, r->chunk_next);
        /* Counted before it is attached: a worker may finish it at once. The I/O thread's own share keeps it above 0.
         */
        atomic_fetch_add_explicit(&r->chunks_open, 1, memory_order_relaxed);
        if (number != TASK_NONE && attach(s, number, o, r, now_ns)) {
            count_own(&s->counters.chunks_shared, 1);
            *read = &s->reads[number / READ_TASK_COUNT_MAX];
        } else {
            if (!may_add(s, rd, r, chunk, now_ns)) {
                o->next = s->output_free;
                s->output_free = o;
                atomic_fetch_sub_explicit(&r->chunks_open, 1, memory_order_relaxed);
                return ADD_READ_FULL;
            }
            add_task(s, rd, r, o);
            *read = rd;
        }
        if (wants[r->chunk_next].counted_by == index + 1) {
            wants[r->chunk_next].counted_by = 0;
            issued->counted += chunk->packed_size;
        }
        issued->all += chunk->packed_size;
        ++r->chunk_next;
    }
    return ADD_REQUEST_DONE;
}

/* ---- Memory for a request that is about to be read ---- */

static void wait_for_memory(leat_streamer *s, uint32_t index)
{
    sched_entry entry = sched_get(s->sched, index);
    pump_take_out(s, index);
    request *r = &s->requests[index];
    sched_push(pump_waiting_queue(s, r), index, &entry);
    reads_pay_back(s, r, r->size); /* after the push: who comes back was not idle meanwhile, and loses no share by it */
    r->stage = STAGE_WAITING;
    trace_point(s, TRACE_WAITS_MEMORY, index, r->generation, r->size, 0);
}

static bool is_aligned(uint64_t value)
{
    return value % LEAT_PACK_ALIGNMENT == 0;
}

/* Is there a stored chunk among the first of this request that is laid out to be read in place? *shift: how far into a
 * block of the device's alignment the request's memory must begin, so that the chunk's does too. It stays a multiple of
 * 16, for engines that compute on what they get; where that is not to be had, the chunk is copied. */
static bool wants_in_place(const leat_streamer *s, const request *r, uint32_t *shift)
{
    const leat_pack_chunk_record *chunks = s->packs[r->pack].index.chunks;
    uint32_t end = u32_min(r->chunk_end, r->chunk_next + IN_PLACE_LOOK_MAX);
    for (uint32_t i = r->chunk_next; i < end; ++i) {
        const leat_pack_chunk_record *c = &chunks[i];
        if (c->codec == LEAT_PACK_CODEC_STORED && c->packed_size >= IN_PLACE_BYTES_MIN &&
            !(c->flags & PACK_CHUNK_LOOSE) && c->raw_offset >= r->raw_begin &&
            is_aligned(c->file_offset | c->packed_size)) {
            uint64_t into = (c->raw_offset - r->raw_begin) % LEAT_PACK_ALIGNMENT;
            *shift = (uint32_t)(align_up(into, LEAT_PACK_ALIGNMENT) - into);
            return *shift % LENT_ALIGNMENT == 0;
        }
    }
    return false;
}

/* What may hold stored chunks is aligned as the device wants it. */
static uint8_t *lent_allocate(leat_streamer *s, request *r)
{
    uint32_t shift = 0;
    uint8_t *block = NULL;
    if (wants_in_place(s, r, &shift)) {
        block = arena_allocate_aligned(s->lent, r->size + shift, LEAT_PACK_ALIGNMENT);
    }
    r->lent_shift = block != NULL ? (uint16_t)shift : 0;
    block = block != NULL ? block : arena_allocate(s->lent, r->size);
    return block != NULL ? block + r->lent_shift : NULL;
}

/* Takes memory for a queued request, or asks the engine for it: then r->memory is NULL still, and the caller takes it
 * out of the queue. False: there is none to be had at present. */
static bool take_memory(leat_streamer *s, request *r, uint32_t index)
{
    if (r->bind == LEAT_BIND_LEAT) {
        r->memory = lent_allocate(s, r);
        return r->memory != NULL;
    }
    if (s->bind_bytes_asked > 0 && s->bind_bytes_asked + r->size > BIND_BYTES_MAX) {
        return false;
    }
    s->bind_bytes_asked += r->size;
    r->stage = STAGE_NEEDS_BIND;
    trace_point(s, TRACE_NEEDS_MEMORY, index, r->generation, r->size, 0);
    post_event_later(s, POST_NEEDS_MEMORY, index);
    return true;
}

/* Begins to keep memory, or goes on with it until the pump ends it; false if it was kept a while ago. */
static bool keep_memory(const leat_streamer *s, memory_turn *turn, uint64_t now_ns)
{
    if (turn->kept_until_ns == 0 && now_ns >= turn->kept_again_ns) {
        turn->kept_until_ns = now_ns + s->desc.ageing_ns / MEMORY_KEPT_SHARE + 1;
        turn->kept_again_ns = turn->kept_until_ns + s->desc.ageing_ns;
    }
    return turn->kept_until_ns != 0;
}

uint64_t reads_memory_kept_until_ns(const leat_streamer *s)
{
    uint64_t lent_ns = s->memory_turns[LEAT_BIND_LEAT].kept_until_ns;
    uint64_t late_ns = s->memory_turns[LEAT_BIND_LATE].kept_until_ns;
    return u64_min(lent_ns != 0 ? lent_ns : UINT64_MAX, late_ns != 0 ? late_ns : UINT64_MAX);
}

/* Who gets memory is charged for it, once. */
static void leave_waiting(sched *waiting, uint32_t index, uint64_t size)
{
    sched_charge(waiting, index, size, size, 0, 0);
    sched_remove(waiting, index);
}

void reads_wake(leat_streamer *s, uint32_t index, uint64_t now_ns)
{
    request *r = &s->requests[index];
    leave_waiting(pump_waiting_queue(s, r), index, r->size);
    r->charged_rank = (r->rank + 1u) & 0xfu;
    pump_requeue(s, index);
    deadlines_wait_ends(s, r, index, now_ns);
}

void reads_pay_back(leat_streamer *s, request *r, uint64_t size)
{
    if (r->charged_rank != 0) {
        sched_pay_back(pump_waiting_queue(s, r), r->charged_rank - 1u, r->client, size);
        r->charged_rank = size < r->size ? r->charged_rank : 0;
    }
}

bool reads_overdue_waits(leat_streamer *s, leat_bind_kind bind)
{
    sched *queue = bind == LEAT_BIND_LEAT ? s->waiting_lent : s->waiting_bind;
    memory_turn *turn = &s->memory_turns[bind];
    bool due = sched_count(queue) > 0 && turn->taken + 1 >= SCHED_AGED_SHARE;
    uint64_t now_ns = due ? streamer_now(s) : 0;
    uint32_t index = due ? sched_overdue(queue, now_ns) : SCHED_NONE;
    if (index == SCHED_NONE) {
        turn->kept_until_ns = 0;
        return false;
    }
    request *r = &s->requests[index];
    if (!take_memory(s, r, index)) {
        return keep_memory(s, turn, now_ns);
    }
    *turn = (memory_turn){ 0 };
    leave_waiting(queue, index, r->size);
    if (r->memory != NULL) {
        pump_requeue(s, index);
        deadlines_wait_ends(s, r, index, now_ns);
    }
    return false;
}

/* True if the request has its memory now; otherwise it has left the queue. */
static bool provide_memory(leat_streamer *s, request *r, uint32_t index)
{
    if ((r->rank != 0 && reads_overdue_waits(s, (leat_bind_kind)r->bind)) || !take_memory(s, r, index)) {
        wait_for_memory(s, index);
        return false;
    }
    if (r->memory == NULL) {
        pump_take_out(s, index);
    }
    r->charged_rank = 0; /* rightly, if it was */
    memory_turn *turn = &s->memory_turns[r->bind];
    turn->taken = u32_min(turn->taken + 1, SCHED_AGED_SHARE);
    return r->memory != NULL;
}

/* The best request that can be read now; requests that are not wanted or lack memory leave the queue on the way. */
static request *select_request(leat_streamer *s, uint64_t now_ns, uint32_t *index, bool *worked)
{
    for (;;) {
        *index = sched_peek(s->sched, now_ns);
        if (*index == SCHED_NONE) {
            return NULL;
        }
        request *r = &s->requests[*index];
        if (request_flags(s, *index) & (REQUEST_CANCELLED | REQUEST_FAILED)) {
            request_give_up(s, *index);
        } else if (r->memory != NULL || provide_memory(s, r, *index)) {
            return r;
        }
        *worked = true;
    }
}

/* ---- Issuing ---- */

static void charge(leat_streamer *s, request *r, uint32_t index, issued_bytes issued, bool done, uint64_t now_ns)
{
    const leat_pack_chunk_record *chunks = s->packs[r->pack].index.chunks;
    uint32_t next = done ? r->chunk_end - 1 : r->chunk_next;
    uint64_t counted = r->counts_all ? issued.all : issued.counted;
    sched_charge(s->sched, index, issued.all, counted, (uint64_t)r->pack << 48 | chunks[next].file_offset, now_ns);
    if (done) {
        sched_remove(s->sched, index);
        r->stage = STAGE_ISSUED;
        request_drop(s, r, index);
    }
}

/* One read, for the best request and those that continue it. False if nothing can go out at present. */
static bool issue_read(leat_streamer *s, uint64_t now_ns, bool *worked)
{
    uint32_t index;
    request *r = select_request(s, now_ns, &index, worked);
    if (r == NULL) {
        s->issue_blocked = false;
        return false;
    }
    read_op *rd = reads_take(s);
    if (rd == NULL) {
        s->issue_blocked = s->short_of_buffers = true;
        return false;
    }
    bool progress = false;
    bool urgent = r->rank == 0;
    uint64_t traced_ns = trace_is_on(&s->trace) ? streamer_now(s) : now_ns; /* a read is planned at one moment */
    for (;;) {
        issued_bytes issued = { 0 };
        uint32_t tasks_before = rd->task_count;
        const read_op *read = rd;
        add_result added = add_chunks(s, rd, r, index, now_ns, &issued, &read);
        progress |= issued.all > 0;
        if (issued.all > 0) {
            trace_point_at(s, traced_ns, rd->task_count > tasks_before ? TRACE_PLAN : TRACE_SHARE, index, r->generation,
                           issued.all, (uint64_t)read->generation << 32 | (uint32_t)(read - s->reads));
            charge(s, r, index, issued, added == ADD_REQUEST_DONE, now_ns);
        }
        if (added == ADD_READ_FULL || rd->task_count == 0) {
            break;
        }
        r = select_request(s, now_ns, &index, worked);
        if (r == NULL || (r->rank == 0) != urgent ||
            (!continues_read(s, rd, r) && chunk_find(s, r->pack, r->chunk_next) == TASK_NONE)) {
            break;
        }
    }
    if (rd->task_count > 0) {
        reads_send(s, rd, now_ns);
    } else {
        reads_put(s, rd);
    }
    s->issue_blocked = !progress;
    *worked |= progress;
    return progress;
}

/* Others have come back from the workers and wait for room: only who is urgent may pass them. */
static bool may_pass(leat_streamer *s, uint64_t now_ns)
{
    uint32_t index = sched_peek(s->sched, now_ns);
    if (index == SCHED_NONE) {
        return false;
    }
    const request *r = &s->requests[index];
    s->eager_waits |= in_a_hurry(r->rank, r->deadline_ns, now_ns);
    return r->rank == 0;
}

void reads_issue(leat_streamer *s, uint64_t now_ns, bool *worked)
{
    set_pace(s, now_ns);
    s->short_of_buffers = s->eager_waits = false;
    bool room = reads_send_again(s, now_ns, worked);
    while ((room || may_pass(s, now_ns)) && issue_read(s, now_ns, worked)) {
    }
    s->issue_blocked |= !room;
    decode_wake(s->decode);
    reads_flush(s, now_ns, worked);
}
