/* send.c - a read that is planned (reads.c) goes to the device, or past it to the workers. The I/O thread only.
 *
 * What is to go to the device waits in submit_ring, and all of it is given to the backend at the end of a round; what
 * came back incomplete goes the same way again (completions.c). What the page cache turned out not to hold waits in
 * again_ring until the window and the pool have room, before anything new is read, but urgent reads. */
#include "streamer.h"

#define SUBMIT_BATCH_MAX 64u

read_op *reads_take(leat_streamer *s)
{
    uint32_t index = s->read_free_head;
    if (index == TASK_NONE) {
        return NULL;
    }
    read_op *rd = &s->reads[index];
    s->read_free_head = rd->next_free;
    ++s->reads_busy;
    ASSERT(rd->stage == READ_FREE);
    rd->stage = READ_BUILDING;
    ++rd->generation;
    rd->task_count = 0;
    rd->file_offset = rd->size = 0;
    rd->split = false;
    rd->place = READ_INTO_POOL;
    rd->retries = rd->error_retries = 0;
    rd->buffer = NULL;
    return rd;
}

void reads_put(leat_streamer *s, read_op *rd)
{
    rd->stage = READ_FREE;
    rd->next_free = s->read_free_head;
    s->read_free_head = (uint32_t)(rd - s->reads);
    --s->reads_busy;
}

/* ---- To the workers ---- */

/* To the decode stage, whose workers take it from there, with the keys of this moment: requests may have been
 * re-prioritised since they were planned, and from here on decode_change tells of that. */
void reads_push_tasks(leat_streamer *s, decode_task **tasks, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; ++i) {
        bytes += tasks[i]->record->packed_size;
        tasks[i]->key = reads_task_key(s, tasks[i]);
    }
    /* Up before the workers can bring it down. */
    atomic_fetch_add_explicit(&s->decode_bytes, bytes, memory_order_seq_cst);
    decode_push(s->decode, tasks, count);
}

/* Nothing is read here: each chunk is fetched by the worker that decodes it. */
static void send_to_workers(leat_streamer *s, read_op *rd)
{
    decode_task *tasks[READ_TASK_COUNT_MAX];
    for (uint32_t i = 0; i < rd->task_count; ++i) {
        tasks[i] = &rd->tasks[i].decode;
        tasks[i]->packed = NULL;
        tasks[i]->behind = i + 1 < rd->task_count ? &rd->tasks[i + 1].decode : NULL;
    }
    rd->stage = READ_DECODING;
    atomic_store_explicit(&rd->tasks_open, rd->task_count, memory_order_relaxed); /* decode's lock publishes it */
    reads_push_tasks(s, tasks, rd->task_count);
}

/* ---- To the device ---- */

void reads_queue(leat_streamer *s, read_op *rd)
{
    s->submit_ring[(s->submit_head + s->submit_count) % READ_COUNT_MAX] = (uint32_t)(rd - s->reads);
    ++s->submit_count;
}

static void send_to_device(leat_streamer *s, read_op *rd, uint64_t now_ns)
{
    if (rd->place == READ_INTO_POOL) {
        rd->buffer = arena_allocate(s->pool, align_up(rd->size, POOL_UNIT_SIZE));
        ASSERT(rd->buffer != NULL); /* pool_has_room said so */
    }
    for (uint32_t i = 0; i < rd->task_count; ++i) {
        read_task *task = &rd->tasks[i];
        task->decode.packed = rd->buffer + (task->decode.record->file_offset - rd->file_offset);
        task->decode.behind = NULL;
    }
    atomic_store_explicit(&rd->tasks_open, rd->task_count, memory_order_relaxed); /* decode's lock publishes it */
    rd->stage = READ_IN_FLIGHT;
    rd->urgent = rd->rank == 0;
    rd->part_offset = 0;
    rd->part_size = rd->size;
    rd->done = 0;
    rd->issued_ns = now_ns;
    rd->window_size = rd->size;
    ++s->reads_in_flight;
    s->reads_eager += rd->eager ? 1 : 0;
    window_issue(s->window, rd->size, rd->urgent, now_ns);
    trace_point(s, TRACE_READ_OUT, (uint32_t)(rd - s->reads), rd->generation, rd->size, rd->rank);
    reads_queue(s, rd);
}

static uint64_t read_user_data(const leat_streamer *s, const read_op *rd)
{
    return (uint64_t)rd->generation << 32 | (uint32_t)(rd - s->reads);
}

static io_read read_describe_loose(const leat_streamer *s, const read_op *rd)
{
    const folder *f = &s->packs[rd->pack].folder;
    uint64_t at = rd->part_offset + rd->done;
    return (io_read){
        .op = IO_OP_READ_PATH,
        .folder_fd = f->fd,
        .path = folder_path_of(f, rd->tasks[0].decode.record->parameter),
        .size = (uint32_t)(rd->part_size - rd->done),
        .offset = rd->file_offset + at,
        .memory = rd->buffer + at,
        .flags = rd->urgent ? IO_READ_URGENT : 0u,
        .user_data = read_user_data(s, rd),
    };
}

static io_read read_describe(leat_streamer *s, const read_op *rd)
{
    pack_slot *slot = &s->packs[rd->pack];
    if (slot->index.loose) {
        return read_describe_loose(s, rd);
    }
    if (slot->io_file == IO_FILE_NONE) {
        slot->io_file = s->io_ops->file_add(s->io, &(io_file_desc){ .fd_buffered = slot->file.fd_buffered,
                                                                    .fd_direct = slot->file.fd_direct,
                                                                    .size = slot->file.size });
    }
    bool direct = slot->direct && s->desc.direct != LEAT_OFF;
    uint64_t left = rd->part_size - rd->done;
    uint64_t at = rd->part_offset + rd->done;
    return (io_read){
        .file = slot->io_file,
        .size = (uint32_t)(direct ? align_up(left, LEAT_PACK_ALIGNMENT) : left),
        .offset = rd->file_offset + at,
        .memory = rd->buffer + at,
        .flags = (direct ? IO_READ_DIRECT : 0u) | (rd->urgent ? IO_READ_URGENT : 0u),
        .user_data = read_user_data(s, rd),
    };
}

void reads_flush(leat_streamer *s, uint64_t now_ns, bool *worked)
{
    while (s->submit_count > 0) {
        io_read sends[SUBMIT_BATCH_MAX];
        uint32_t count = u32_min(s->submit_count, SUBMIT_BATCH_MAX);
        for (uint32_t i = 0; i < count; ++i) {
            sends[i] = read_describe(s, &s->reads[s->submit_ring[(s->submit_head + i) % READ_COUNT_MAX]]);
        }
        uint32_t taken = s->io_ops->submit(s->io, sends, count, now_ns);
        s->submit_head = (s->submit_head + taken) % READ_COUNT_MAX;
        s->submit_count -= taken;
        *worked |= taken > 0;
        if (taken < count) {
            return;
        }
    }
}

/* ---- Either ---- */

void reads_send(leat_streamer *s, read_op *rd, uint64_t now_ns)
{
    count_own(&s->counters.reads_issued, 1);
    reads_regard(s, rd, now_ns);
    if (rd->place == READ_BY_WORKERS) {
        send_to_workers(s, rd);
    } else {
        send_to_device(s, rd, now_ns);
    }
}

/* ---- What the page cache did not have ---- */

static uint32_t *again_at(leat_streamer *s, uint32_t place)
{
    return &s->again_ring[(s->again_head + place) % READ_COUNT_MAX];
}

/* Of the reads that go to the device after all, the others stay in their order. */
static void urgent_to_front(leat_streamer *s)
{
    uint32_t place = 0;
    while (place < s->again_count && s->reads[*again_at(s, place)].rank != 0) {
        ++place;
    }
    if (place > 0 && place < s->again_count) {
        uint32_t urgent = *again_at(s, place);
        for (; place > 0; --place) {
            *again_at(s, place) = *again_at(s, place - 1);
        }
        *again_at(s, 0) = urgent;
    }
}

bool reads_send_again(leat_streamer *s, uint64_t now_ns, bool *worked)
{
    while (s->again_count > 0) {
        if (atomic_load_explicit(&s->urgent_live, memory_order_relaxed) > 0) {
            urgent_to_front(s);
        }
        read_op *rd = &s->reads[s->again_ring[s->again_head]];
        bool urgent = rd->rank == 0;
        if (!window_allows(s->window, rd->size, urgent) || !reads_pool_has_room(s, rd->size, urgent)) {
            s->eager_waits |= rd->eager;
            return false;
        }
        s->again_head = (s->again_head + 1) % READ_COUNT_MAX;
        --s->again_count;
        send_to_device(s, rd, now_ns);
        *worked = true;
    }
    return true;
}
