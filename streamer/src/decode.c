/* decode.c - see decode.h.
 *
 * One mutex guards one binary heap. It is taken for some hundred nanoseconds per chunk, against some fifty microseconds
 * of decoding, by the I/O thread and the workers only - never by an engine's thread.
 *
 * Workers that find nothing sleep on a condition. A wake is a system call, and an interrupt to another core, so one is
 * made only for more than those who are awake will have taken in a moment; and the pusher makes one at most: who is
 * woken, and finds still more, wakes the next. In a hurry, as many are woken as have something to do. */
#include "decode.h"

#include "bounds.h"
#include "clock.h"
#include "decode_queue.h"
#include "pack_index.h"
#include "region.h"
#include "spread.h"
#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Of a worker: what it has fetched with one call, and behind that a chunk decoded, if it goes to more than one place.
 * One huge page. The largest chunk leaves room for one fetched; those of 256 KiB, for 1.75 MiB of neighbours. */
#define SCRATCH_SIZE (2 * LEAT_PACK_CHUNK_RAW_MAX)
_Static_assert(SCRATCH_SIZE % REGION_UNIT == 0, "regions are cut into units");

#define FETCH_COUNT_MAX READ_TASK_COUNT_MAX

struct decode {
    decode_desc desc;
    pthread_mutex_t lock;
    pthread_cond_t work;
    decode_queue queue;
    uint32_t sleeping;
    uint32_t waking; /* of those who sleep: have been signalled, or are about to be */
    uint32_t awake; /* the others, and those who are waking. If something is queued, it is not 0. */
    bool stopping;
    _Atomic uint32_t queued; /* = queue.count, for decode_queued */
    uint32_t worker_count; /* threads that run */
    pthread_t *threads;
    region scratch; /* SCRATCH_SIZE per worker, at least one */
    _Atomic uint32_t worker_next; /* numbers for the workers as they start */
    spread spread; /* where the workers are */
    uint32_t wake; /* the owner's: how many are to be signalled */
};

static bool in_hurry(const decode *d)
{
    return d->desc.hurry != NULL && atomic_load_explicit(d->desc.hurry, memory_order_relaxed) != 0;
}

/* ---- Who sleeps ---- */

#define QUEUED_PER_AWAKE 2u /* tasks that wait for a worker without another being woken: a tenth of a millisecond */

/* Under the lock. True: the caller signals one, and counts on it. */
static bool wake_one(decode *d)
{
    uint32_t enough = in_hurry(d) ? d->waking : QUEUED_PER_AWAKE * d->awake;
    bool wake = d->sleeping > d->waking && d->queue.count > enough;
    d->waking += wake;
    d->awake += wake;
    return wake;
}

/* Under the lock, which is let go meanwhile. */
static void sleep_until_work(decode *d)
{
    ++d->sleeping;
    --d->awake;
    pthread_cond_wait(&d->work, &d->lock);
    --d->sleeping;
    if (d->waking > 0) {
        --d->waking; /* whoever was meant: one is awake, and was counted */
    } else {
        ++d->awake;
    }
}

/* ---- What a worker takes ---- */

/* May the task be fetched together with the group before it? As long as nothing better waits, and there is room. */
static bool continues_group(const decode_queue *q, const decode_task *task, uint64_t begin, uint32_t raw_size_max)
{
    return task != NULL && task->state == DECODE_QUEUED &&
           (q->count == 0 || !decode_key_before(&q->entries[0].key, &task->key)) &&
           task->record->file_offset + task->record->packed_size - begin +
                   u32_max(raw_size_max, task->record->raw_size) <=
               SCRATCH_SIZE;
}

/* The best task, and the neighbours that are to be fetched together with it: of what waits, no more than this worker's
 * share, so that all end at the same time. */
static uint32_t take_group(decode *d, bool alone, decode_task **group)
{
    decode_queue *q = &d->queue;
    decode_task *task = q->entries[0].task;
    uint64_t begin = task->record->file_offset;
    uint32_t share = alone ? 1 : 1 + (q->count - 1) / u32_max(d->worker_count, 1);
    uint32_t count_max = u32_min(share, FETCH_COUNT_MAX);
    uint32_t raw_size_max = 0, count = 0;
    do {
        decode_queue_take(q, task);
        group[count++] = task;
        raw_size_max = u32_max(raw_size_max, task->record->raw_size);
        task = task->behind;
    } while (count < count_max && continues_group(q, task, begin, raw_size_max));
    atomic_store_explicit(&d->queued, q->count, memory_order_relaxed);
    return count;
}

/* ---- One task ---- */

/* The output to decode into directly: a wanted one that begins with the chunk and reaches as far as any. (It need not
 * take all of the chunk: an asset's last one ends in some bytes of padding.) */
static decode_output *direct_output(const decode_task *task)
{
    decode_output *direct = NULL;
    uint32_t end = 0;
    for (decode_output *o = task->outputs; o != NULL; o = o->next) {
        if (!o->wanted) {
            continue;
        }
        end = u32_max(end, o->end);
        if (o->begin == 0 && (direct == NULL || o->end > direct->end)) {
            direct = o;
        }
    }
    return direct != NULL && direct->end == end ? direct : NULL;
}

/* Is there room for all of the chunk, the padding at its end included? To decode less than all is slower. */
static bool takes_all(const decode_output *direct, const decode_task *task)
{
    return direct->end + direct->slack >= task->record->raw_size;
}

/* To the outputs that do not have their bytes yet. */
static void copy_outputs(decode_task *task, const uint8_t *raw)
{
    for (decode_output *o = task->outputs; o != NULL; o = o->next) {
        if (o->wanted && o->memory != raw + o->begin) {
            memcpy(o->memory, raw + o->begin, o->end - o->begin);
            task->bytes_copied += o->end - o->begin;
        }
    }
}

/* Stored bytes are checked where they are, and copied to where they are not. */
static void run_stored(decode_task *task)
{
    task->result = pack_chunk_check(task->record, task->packed);
    if (task->result == LEAT_OK) {
        copy_outputs(task, task->packed);
    }
}

static void run_packed(decode_task *task, uint8_t *scratch)
{
    const decode_output *direct = direct_output(task);
    uint8_t *raw = direct != NULL ? direct->memory : scratch + SCRATCH_SIZE - task->record->raw_size;
    uint32_t size = direct != NULL && !takes_all(direct, task) ? direct->end : task->record->raw_size;
    task->result = pack_chunk_decode_prefix(task->record, task->packed, raw, size);
    if (task->result == LEAT_OK) {
        copy_outputs(task, raw);
    }
}

static uint8_t *scratch_of(const decode *d, uint32_t worker)
{
    return (uint8_t *)d->scratch.memory + (size_t)worker * SCRATCH_SIZE;
}

/* Which outputs are wanted still? False: none. */
static bool mark_wanted(const decode *d, decode_task *task)
{
    bool wanted = false;
    for (decode_output *o = task->outputs; o != NULL; o = o->next) {
        o->wanted = d->desc.wanted(d->desc.owner, o);
        wanted |= o->wanted;
    }
    return wanted;
}

/* Where the packed bytes of a task are fetched to: stored ones, where they belong. */
static uint8_t *fetch_place(const decode_task *task, uint8_t *scratch)
{
    const decode_output *direct = task->record->codec == LEAT_PACK_CODEC_STORED ? direct_output(task) : NULL;
    return direct != NULL && takes_all(direct, task) ? direct->memory : scratch;
}

static uint32_t add_part(struct iovec *parts, uint32_t count, uint8_t *begin, uint64_t size)
{
    if (count > 0 && (uint8_t *)parts[count - 1].iov_base + parts[count - 1].iov_len == begin) {
        parts[count - 1].iov_len += size;
        return count;
    }
    parts[count] = (struct iovec){ .iov_base = begin, .iov_len = size };
    return count + 1;
}

/* Fetches neighbours with one call, what lies between them included. Without success they stay as they were. */
static void fetch_group(const decode *d, decode_task *const *group, uint32_t count, uint8_t *scratch)
{
    struct iovec parts[2 * FETCH_COUNT_MAX];
    uint8_t *places[FETCH_COUNT_MAX];
    uint32_t part_count = 0;
    uint64_t begin = group[0]->record->file_offset, end = begin;
    for (uint32_t i = 0; i < count; ++i) {
        const leat_pack_chunk_record *record = group[i]->record;
        if (record->file_offset > end) {
            part_count = add_part(parts, part_count, scratch + (end - begin), record->file_offset - end);
        }
        places[i] = fetch_place(group[i], scratch + (record->file_offset - begin));
        part_count = add_part(parts, part_count, places[i], record->packed_size);
        end = record->file_offset + record->packed_size;
    }
    if (d->desc.fetch(d->desc.owner, group[0], parts, part_count)) {
        for (uint32_t i = 0; i < count; ++i) {
            group[i]->packed = places[i];
        }
    }
}

static void fetch_tasks(const decode *d, decode_task *const *group, uint32_t count, uint8_t *scratch)
{
    bool wanted = false;
    for (uint32_t i = 0; i < count; ++i) {
        wanted |= mark_wanted(d, group[i]);
    }
    if (wanted) {
        fetch_group(d, group, count, scratch);
    }
}

/* begin_ns: when the work for it began. Returns when it ended. */
static uint64_t task_run(decode *d, decode_task *task, uint32_t worker, uint64_t begin_ns)
{
    bool wanted = mark_wanted(d, task);
    task->result = LEAT_OK;
    task->bytes_copied = 0;
    task->worker = worker;
    task->skipped = !wanted;
    task->unread = wanted && task->packed == NULL;
    if (wanted && !task->unread && task->record->codec == LEAT_PACK_CODEC_STORED) {
        run_stored(task);
    } else if (wanted && !task->unread) {
        run_packed(task, scratch_of(d, worker));
    }
    uint64_t end_ns = clock_now_ns();
    task->time_ns = end_ns - begin_ns;
    task->ended_ns = end_ns;
    d->desc.done(d->desc.owner, task); /* it is the owner's again */
    return end_ns;
}

/* What has not begun goes back, for whoever takes the best next. */
static void give_back(decode *d, decode_task *const *group, uint32_t count)
{
    pthread_mutex_lock(&d->lock);
    for (uint32_t i = 0; i < count; ++i) {
        group[i]->packed = NULL;
        decode_queue_push(&d->queue, group[i]);
    }
    atomic_store_explicit(&d->queued, d->queue.count, memory_order_relaxed);
    pthread_mutex_unlock(&d->lock);
}

/* Returns when it ended. */
static uint64_t group_run(decode *d, decode_task *const *group, uint32_t count, uint32_t worker)
{
    uint64_t now_ns = clock_now_ns();
    uint8_t *fetched = scratch_of(d, worker);
    if (group[0]->packed == NULL) { /* what the device has read comes alone */
        fetch_tasks(d, group, count, fetched);
    }
    for (uint32_t i = 0; i < count; ++i) {
        if (i > 0 && in_hurry(d)) {
            give_back(d, group + i, count - i);
            break;
        }
        if (count > 1 && group[i]->packed == NULL) { /* not all of the group was there: this one may be */
            fetch_tasks(d, &group[i], 1, fetched);
        }
        now_ns = task_run(d, group[i], worker, now_ns);
    }
    return now_ns;
}

static void *worker_main(void *argument)
{
    decode *d = argument;
    uint32_t worker = atomic_fetch_add_explicit(&d->worker_next, 1, memory_order_relaxed);
    spread_place place = { 0 };
    spread_look(&d->spread, &place, clock_now_ns());
    pthread_mutex_lock(&d->lock);
    ++d->awake;
    while (!d->stopping) {
        if (d->queue.count == 0) {
            sleep_until_work(d);
            continue;
        }
        bool hurry = in_hurry(d); /* this may be the task that ends it, and then the engine's thread wakes */
        decode_task *group[FETCH_COUNT_MAX];
        uint32_t count = take_group(d, hurry, group);
        bool more = wake_one(d);
        pthread_mutex_unlock(&d->lock);
        if (more) {
            pthread_cond_signal(&d->work);
        }
        uint64_t now_ns = group_run(d, group, count, worker);
        spread_look(&d->spread, &place, now_ns);
        if (hurry || in_hurry(d)) {
            sched_yield();
        }
        pthread_mutex_lock(&d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* ---- Public ---- */

static bool start_workers(decode *d)
{
    bool started = true;
    while (started && d->worker_count < d->desc.worker_count) {
        char name[16];
        snprintf(name, sizeof(name), "leat-decode-%u", d->worker_count % 100);
        started = thread_start(&d->threads[d->worker_count], worker_main, d, name);
        d->worker_count += started;
    }
    return d->worker_count > 0 || d->desc.worker_count == 0; /* fewer threads are slower, not wrong */
}

/* The scratch region comes from no allocator, but counts as memory. */
static void count_memory(memory *m, uint64_t size)
{
    if (m->bytes_live != NULL) {
        __atomic_fetch_add(m->bytes_live, size, __ATOMIC_RELAXED);
    }
}

/* It is held for less time than going to sleep takes: whoever finds it taken looks again for a moment first. */
static void init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
#ifdef __GLIBC__
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
    pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

decode *decode_create(const decode_desc *desc)
{
    decode *d = memory_allocate(desc->memory, 1, sizeof(*d), CACHE_LINE_SIZE);
    if (d == NULL) {
        return NULL;
    }
    d->desc = *desc;
    init_lock(&d->lock);
    pthread_cond_init(&d->work, NULL);
    uint32_t scratch_count = u32_max(desc->worker_count, 1);
    d->queue.entries = memory_allocate(desc->memory, desc->task_count_max, sizeof(*d->queue.entries), CACHE_LINE_SIZE);
    d->threads = memory_allocate(desc->memory, scratch_count, sizeof(*d->threads), CACHE_LINE_SIZE);
    bool scratch = region_create((uint64_t)scratch_count * SCRATCH_SIZE, desc->huge_pages, &d->scratch);
    count_memory(desc->memory, d->scratch.size);
    if (d->queue.entries == NULL || d->threads == NULL || !scratch || !start_workers(d)) {
        decode_destroy(d);
        return NULL;
    }
    return d;
}

void decode_stop(decode *d)
{
    pthread_mutex_lock(&d->lock);
    d->stopping = true;
    pthread_cond_broadcast(&d->work);
    pthread_mutex_unlock(&d->lock);
    for (uint32_t i = 0; i < d->worker_count; ++i) {
        pthread_join(d->threads[i], NULL);
    }
    d->worker_count = 0;
    while (d->queue.count > 0) {
        decode_task *task = d->queue.entries[0].task;
        decode_queue_take(&d->queue, task);
        task->result = LEAT_ERROR_CANCELLED;
        task->skipped = true;
        task->unread = false;
        task->bytes_copied = 0;
        task->time_ns = 0;
        task->ended_ns = clock_now_ns();
        task->worker = 0;
        d->desc.done(d->desc.owner, task);
    }
}

void decode_destroy(decode *d)
{
    if (d == NULL) {
        return;
    }
    ASSERT(d->worker_count == 0 && d->queue.count == 0);
    uint32_t scratch_count = u32_max(d->desc.worker_count, 1);
    memory *m = d->desc.memory;
    count_memory(m, -d->scratch.size);
    region_destroy(&d->scratch);
    memory_free(m, d->threads, scratch_count, sizeof(*d->threads));
    memory_free(m, d->queue.entries, d->desc.task_count_max, sizeof(*d->queue.entries));
    pthread_cond_destroy(&d->work);
    pthread_mutex_destroy(&d->lock);
    memory_free(m, d, 1, sizeof(*d));
}

void decode_push(decode *d, decode_task **tasks, uint32_t count)
{
    pthread_mutex_lock(&d->lock);
    for (uint32_t i = 0; i < count; ++i) {
        ASSERT(d->queue.count < d->desc.task_count_max);
        decode_queue_push(&d->queue, tasks[i]);
    }
    atomic_store_explicit(&d->queued, d->queue.count, memory_order_relaxed);
    while ((d->wake == 0 || in_hurry(d)) && wake_one(d)) {
        ++d->wake;
    }
    pthread_mutex_unlock(&d->lock);
}

void decode_wake(decode *d)
{
    for (; d->wake > 0; --d->wake) {
        pthread_cond_signal(&d->work);
    }
}

bool decode_attach(decode *d, decode_task *task, decode_output *output, const decode_key *key)
{
    pthread_mutex_lock(&d->lock);
    bool waiting = task->state == DECODE_QUEUED;
    if (waiting) {
        output->next = task->outputs;
        task->outputs = output;
        if (decode_key_before(key, &task->key)) {
            decode_queue_raise(&d->queue, task, key);
        }
    }
    pthread_mutex_unlock(&d->lock);
    return waiting;
}

void decode_change(decode *d)
{
    pthread_mutex_lock(&d->lock);
    decode_queue_change(&d->queue, &d->desc);
    pthread_mutex_unlock(&d->lock);
}

bool decode_step(decode *d)
{
    ASSERT(d->desc.worker_count == 0);
    if (d->queue.count == 0) {
        return false;
    }
    decode_task *group[FETCH_COUNT_MAX];
    uint32_t count = take_group(d, false, group);
    group_run(d, group, count, 0);
    return true;
}

uint32_t decode_worker_count(const decode *d)
{
    return d->worker_count;
}

uint32_t decode_queued(const decode *d)
{
    return atomic_load_explicit(&d->queued, memory_order_relaxed);
}
