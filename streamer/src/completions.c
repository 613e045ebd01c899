/* completions.c - what comes back from the device becomes decode tasks; what comes back from the workers is free again.
 *
 * Short reads are resumed, EAGAIN and EINTR reissued, O_DIRECT given up for a file that refuses it. A read of several
 * chunks that fails is repeated chunk by chunk, so that one bad sector fails one chunk. A chunk that a worker was to
 * fetch from the page cache, and did not find there, is kept in its read, which goes to the device again. The I/O
 * thread only. */
#include "streamer.h"

#include <errno.h>

#define REAP_BATCH_MAX 64u

static void task_fail(read_op *rd, uint32_t i, leat_result result, int os_error)
{
    rd->tasks[i].failure = result;
    rd->tasks[i].failure_os = os_error;
}

/* Chunks that could not be read end here; the others go to the workers. */
static void hand_over(leat_streamer *s, read_op *rd)
{
    decode_task *good[READ_TASK_COUNT_MAX];
    uint32_t good_count = 0, failed_count = 0;
    rd->stage = READ_DECODING;
    for (uint32_t i = 0; i < rd->task_count; ++i) {
        read_task *task = &rd->tasks[i];
        if (task->failure == LEAT_OK) {
            good[good_count++] = &task->decode;
            continue;
        }
        ++failed_count;
        for (decode_output *o = task->decode.outputs; o != NULL; o = o->next) {
            request *r = &s->requests[o->request];
            request_fail(s, r, o->request, task->failure, task->failure_os, task->decode.chunk);
            request_drop(s, r, o->request);
        }
    }
    if (good_count > 0) {
        reads_push_tasks(s, good, good_count);
    }
    if (failed_count > 0 &&
        atomic_fetch_sub_explicit(&rd->tasks_open, failed_count, memory_order_acq_rel) == failed_count) {
        mpsc_post(&s->returned, &rd->returned, (uint32_t)(rd - s->reads), 1);
    }
}

static void read_end(leat_streamer *s, read_op *rd)
{
    --s->reads_in_flight;
    s->reads_eager -= rd->eager ? 1 : 0;
    trace_point(s, TRACE_READ_BACK, (uint32_t)(rd - s->reads), rd->generation, rd->done, s->reads_in_flight);
    count_own(&s->counters.reads_completed, 1);
    hand_over(s, rd);
}

/* Sends the sub-read of the next chunk of a failed read, or ends it after the last. */
static void split_next(leat_streamer *s, read_op *rd)
{
    if (rd->split_task == rd->task_count) {
        read_end(s, rd);
        return;
    }
    const leat_pack_chunk_record *chunk = rd->tasks[rd->split_task].decode.record;
    rd->part_offset = align_down(chunk->file_offset - rd->file_offset, LEAT_PACK_ALIGNMENT);
    rd->part_size = chunk->file_offset + chunk->packed_size - rd->file_offset - rd->part_offset;
    rd->done = 0;
    rd->error_retries = 0;
    reads_queue(s, rd);
}

static void read_failed(leat_streamer *s, read_op *rd, leat_result result, int os_error)
{
    if (rd->split) {
        task_fail(rd, rd->split_task++, result, os_error);
        split_next(s, rd);
    } else if (rd->task_count > 1) {
        rd->split = true;
        rd->split_task = 0;
        split_next(s, rd);
    } else {
        task_fail(rd, 0, result, os_error);
        read_end(s, rd);
    }
}

/* The file is said to end before what is wanted of it. */
static void read_ended(leat_streamer *s, read_op *rd)
{
    read_failed(s, rd, s->packs[rd->pack].index.loose ? LEAT_ERROR_CHANGED : LEAT_ERROR_TRUNCATED, 0);
}

/* Its reads stop within the same block time and again: there the file ends by now, or its device gives no more. */
static void read_stuck(leat_streamer *s, read_op *rd)
{
    const pack_slot *slot = &s->packs[rd->pack];
    if (!slot->index.loose && file_reaches(&slot->file, rd->file_offset + rd->part_offset + rd->part_size)) {
        read_failed(s, rd, LEAT_ERROR_OS, EIO);
    } else {
        read_ended(s, rd);
    }
}

static bool refuses_direct(int os_error)
{
    return os_error == EINVAL || os_error == EOPNOTSUPP;
}

static void read_retry(leat_streamer *s, read_op *rd)
{
    count_own(&s->counters.reads_retried, 1);
    reads_queue(s, rd);
}

/* What an errno means for a loose file: that it is not there any more, or is something else by now. LEAT_OK: neither,
 * it is an error of the device like any other. */
static leat_result loose_error(int os_error)
{
    switch (os_error) {
    case ENOENT:
    case ENOTDIR:
        return LEAT_ERROR_NOT_FOUND;
    case ELOOP: /* a link, which leads out of the folder */
    case EXDEV:
    case EISDIR:
    case ENXIO: /* a socket */
    case ESPIPE: /* a FIFO, a terminal */
    case EINVAL:
        return LEAT_ERROR_CHANGED;
    default:
        return LEAT_OK;
    }
}

static void completed_error(leat_streamer *s, read_op *rd, int os_error)
{
    pack_slot *slot = &s->packs[rd->pack];
    leat_result gone = slot->index.loose ? loose_error(os_error) : LEAT_OK;
    if (gone != LEAT_OK) {
        read_failed(s, rd, gone, os_error);
        return;
    }
    if ((os_error == EAGAIN || os_error == EINTR) && rd->retries < READ_RETRY_COUNT_MAX && !CANARY(AGAIN)) {
        ++rd->retries;
        read_retry(s, rd);
    } else if (slot->direct && refuses_direct(os_error)) {
        slot->direct = false;
        log_line(&s->log, LEAT_LOG_WARNING, "%s: direct reads are refused (errno %d); reading through the page cache",
                 slot->path, os_error);
        read_retry(s, rd);
    } else if (rd->error_retries < READ_ERROR_RETRY_COUNT_MAX) {
        ++rd->error_retries;
        read_retry(s, rd);
    } else {
        read_failed(s, rd, LEAT_ERROR_OS, os_error);
    }
}

static void complete(leat_streamer *s, const io_completion *c, uint64_t now_ns)
{
    read_op *rd = &s->reads[(uint32_t)c->user_data];
    ASSERT((uint32_t)c->user_data < READ_COUNT_MAX && rd->generation == (uint32_t)(c->user_data >> 32) &&
           rd->stage == READ_IN_FLIGHT);
    bool loose = s->packs[rd->pack].index.loose;
    if (rd->window_size > 0) {
        bool ok = c->result > 0;
        window_complete(s->window, rd->window_size, rd->urgent, now_ns - u64_min(now_ns, rd->issued_ns), ok,
                        s->napped || loose, sched_count(s->sched) == 0, now_ns);
        rd->window_size = 0;
    }
    if (atomic_load_explicit(&s->stopping, memory_order_relaxed)) {
        for (uint32_t i = 0; i < rd->task_count; ++i) {
            task_fail(rd, i, LEAT_ERROR_CANCELLED, 0);
        }
        read_end(s, rd);
    } else if (c->result < 0) {
        completed_error(s, rd, -c->result);
    } else if (c->result == 0) {
        read_ended(s, rd);
    } else {
        count_own(&s->counters.bytes_read, (uint64_t)c->result);
        rd->done += (uint64_t)c->result;
        if (rd->done < rd->part_size && !CANARY(SHORT)) {
            count_own(&s->counters.reads_short, 1);
            if (!loose) {
                rd->done = align_down(rd->done, LEAT_PACK_ALIGNMENT); /* O_DIRECT resumes at a block */
            }
            if ((uint64_t)c->result < LEAT_PACK_ALIGNMENT && rd->retries++ >= READ_RETRY_COUNT_MAX) {
                read_stuck(s, rd);
            } else {
                reads_queue(s, rd);
            }
        } else if (rd->split) {
            ++rd->split_task;
            split_next(s, rd);
        } else {
            read_end(s, rd);
        }
    }
}

bool reads_reap(leat_streamer *s, uint64_t now_ns)
{
    /* Also with nothing in flight: the backend's own completions (of wake) are taken here, and would end every wait. */
    bool worked = false;
    io_completion completions[REAP_BATCH_MAX];
    uint32_t count;
    do {
        count = s->io_ops->reap(s->io, completions, REAP_BATCH_MAX, now_ns);
        for (uint32_t i = 0; i < count; ++i) {
            complete(s, &completions[i], now_ns);
        }
        worked |= count > 0;
    } while (count == REAP_BATCH_MAX);
    decode_wake(s->decode);
    return worked;
}

/* A task is over: its outputs are free again. */
static void task_end(leat_streamer *s, const read_op *rd, read_task *task, uint32_t number)
{
    reads_forget_chunk(s, rd->pack, task->decode.chunk, number);
    decode_output *o = task->decode.outputs;
    while (o != NULL) {
        decode_output *following = o->next;
        o->next = s->output_free;
        s->output_free = o;
        o = following;
    }
    task->decode.outputs = NULL;
}

/* Keeps what the workers could not fetch, moved to the front; what they could is over. */
static void keep_unread(leat_streamer *s, read_op *rd)
{
    uint32_t first = (uint32_t)(rd - s->reads) * READ_TASK_COUNT_MAX;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < rd->task_count; ++i) {
        if (!rd->tasks[i].decode.unread) {
            task_end(s, rd, &rd->tasks[i], first + i);
            continue;
        }
        if (kept != i) {
            reads_forget_chunk(s, rd->pack, rd->tasks[i].decode.chunk, first + i);
            rd->tasks[kept] = rd->tasks[i];
            rd->tasks[i].decode.outputs = NULL;
            reads_note_chunk(s, rd->pack, rd->tasks[kept].decode.chunk, first + kept);
        }
        ++kept;
    }
    rd->task_count = kept;
}

/* Some of a read's chunks were not in the page cache after all: now it is one for the device. */
static void read_again(leat_streamer *s, read_op *rd, uint64_t now_ns)
{
    uint32_t before = rd->task_count;
    keep_unread(s, rd);
    ASSERT(rd->task_count > 0 && rd->task_count <= before);
    atomic_fetch_sub_explicit(&s->chunks_unread, rd->task_count, memory_order_seq_cst);
    reads_cached_was_wrong(&s->packs[rd->pack]);
    const leat_pack_chunk_record *last = rd->tasks[rd->task_count - 1].decode.record;
    rd->file_offset = align_down(rd->tasks[0].decode.record->file_offset, LEAT_PACK_ALIGNMENT);
    rd->size = last->file_offset + last->packed_size - rd->file_offset;
    rd->place = READ_INTO_POOL;
    rd->stage = READ_WAITING;
    for (uint32_t i = 0; i < rd->task_count; ++i) {
        rd->tasks[i].decode.state = DECODE_IDLE;
        rd->tasks[i].decode.unread = false;
    }
    reads_regard(s, rd, now_ns);
    count_own(&s->counters.reads_retried, 1);
    s->again_ring[(s->again_head + s->again_count++) % READ_COUNT_MAX] = (uint32_t)(rd - s->reads);
}

/* A read whose tasks are all done. */
static void read_returned(leat_streamer *s, read_op *rd, uint64_t now_ns)
{
    bool unread = false;
    for (uint32_t i = 0; i < rd->task_count; ++i) {
        unread |= rd->tasks[i].decode.unread;
    }
    if (rd->place == READ_BY_WORKERS && unread) {
        read_again(s, rd, now_ns);
        return;
    }
    for (uint32_t i = 0; i < rd->task_count; ++i) {
        task_end(s, rd, &rd->tasks[i], (uint32_t)(rd - s->reads) * READ_TASK_COUNT_MAX + i);
    }
    if (rd->place == READ_BY_WORKERS) {
        count_own(&s->counters.reads_completed, 1);
        count_own(&s->counters.reads_cached, 1);
        count_own(&s->counters.bytes_read, rd->size);
    } else if (rd->place == READ_INTO_POOL) {
        arena_free(s->pool, rd->buffer);
    }
    reads_put(s, rd);
    if (CANARY(TWICE) && rd->task_count > 2) {
        reads_put(s, rd);
    }
}

bool reads_take_back(leat_streamer *s, uint64_t now_ns)
{
    uint32_t index = mpsc_take(&s->returned);
    bool worked = index != MPSC_END;
    while (index != MPSC_END) {
        read_op *rd = &s->reads[index];
        uint32_t next = rd->returned.next;
        mpsc_open(&rd->returned);
        read_returned(s, rd, now_ns);
        index = next;
    }
    return worked;
}
