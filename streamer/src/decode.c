/* decode.c - see decode.h.
 *
 * One mutex guards one binary heap. It is taken for some hundred nanoseconds per chunk, against some fifty microseconds
 * of decoding, by the I/O thread and the workers only - never by an engine's thread. Workers that find nothing sleep on
 * a condition; the pusher signals only as many as sleep. */
#include "decode.h"

#include "bounds.h"
#include "pack_index.h"
#include "region.h"
#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Of a worker: a chunk decoded, and one that was fetched. One huge page. */
#define SCRATCH_SIZE (2 * LEAT_PACK_CHUNK_RAW_MAX)
_Static_assert(SCRATCH_SIZE % REGION_UNIT == 0, "regions are cut into units");

struct decode {
    decode_desc desc;
    pthread_mutex_t lock;
    pthread_cond_t work;
    decode_task **heap;
    uint32_t count;
    uint32_t sleeping;
    bool stopping;
    _Atomic uint32_t queued; /* = count, for decode_queued */
    uint32_t worker_count; /* threads that run */
    pthread_t *threads;
    region scratch; /* SCRATCH_SIZE per worker, at least one */
    _Atomic uint32_t worker_next; /* numbers for the workers as they start */
};

/* ---- The heap ---- */

static bool key_before(const decode_key *a, const decode_key *b)
{
    if (a->rank != b->rank) {
        return a->rank < b->rank;
    }
    if (a->deadline_ns != b->deadline_ns) {
        return a->deadline_ns < b->deadline_ns;
    }
    return a->sequence < b->sequence;
}

static void heap_place(decode *d, uint32_t index, decode_task *task)
{
    d->heap[index] = task;
    task->heap_index = index;
}

static void heap_up(decode *d, uint32_t index, decode_task *task)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (!key_before(&task->key, &d->heap[parent]->key)) {
            break;
        }
        heap_place(d, index, d->heap[parent]);
        index = parent;
    }
    heap_place(d, index, task);
}

static void heap_down(decode *d, uint32_t index, decode_task *task)
{
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= d->count) {
            break;
        }
        if (child + 1 < d->count && key_before(&d->heap[child + 1]->key, &d->heap[child]->key)) {
            ++child;
        }
        if (!key_before(&d->heap[child]->key, &task->key)) {
            break;
        }
        heap_place(d, index, d->heap[child]);
        index = child;
    }
    heap_place(d, index, task);
}

static decode_task *heap_pop(decode *d)
{
    decode_task *best = d->heap[0];
    decode_task *last = d->heap[--d->count];
    if (d->count > 0) {
        heap_down(d, 0, last);
    }
    atomic_store_explicit(&d->queued, d->count, memory_order_relaxed);
    return best;
}

/* ---- One task ---- */

static uint64_t monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

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
static void run_stored(decode_task *task, const uint8_t *packed)
{
    task->result = pack_chunk_check(task->record, packed);
    if (task->result == LEAT_OK) {
        copy_outputs(task, packed);
    }
}

static void run_packed(decode_task *task, const uint8_t *packed, const decode_output *direct, uint8_t *scratch)
{
    uint8_t *raw = direct != NULL ? direct->memory : scratch;
    uint32_t size = direct != NULL ? direct->end : task->record->raw_size;
    task->result = pack_chunk_decode_prefix(task->record, packed, raw, size);
    if (task->result == LEAT_OK) {
        copy_outputs(task, raw);
    }
}

/* The packed bytes of a task; NULL if they cannot be had. Stored ones are fetched to where they belong. */
static const uint8_t *packed_bytes(decode *d, const decode_task *task, const decode_output *direct, uint8_t *scratch)
{
    if (task->packed != NULL) {
        return task->packed;
    }
    bool whole = direct != NULL && direct->end == task->record->raw_size;
    uint8_t *into = scratch + LEAT_PACK_CHUNK_RAW_MAX;
    if (whole && task->record->codec == LEAT_PACK_CODEC_STORED) {
        into = direct->memory;
    }
    return d->desc.fetch(d->desc.owner, task, into) ? into : NULL;
}

static uint8_t *scratch_of(const decode *d, uint32_t worker)
{
    return (uint8_t *)d->scratch.memory + (size_t)worker * SCRATCH_SIZE;
}

static void task_run(decode *d, decode_task *task, uint32_t worker)
{
    uint8_t *scratch = scratch_of(d, worker);
    uint64_t begin_ns = monotonic_ns();
    bool wanted = false;
    for (decode_output *o = task->outputs; o != NULL; o = o->next) {
        o->wanted = d->desc.wanted(d->desc.owner, o);
        wanted |= o->wanted;
    }
    task->result = LEAT_OK;
    task->bytes_copied = 0;
    task->worker = worker;
    task->skipped = !wanted;
    task->unread = false;
    if (wanted) {
        const decode_output *direct = direct_output(task);
        const uint8_t *packed = packed_bytes(d, task, direct, scratch);
        task->unread = packed == NULL;
        if (packed != NULL && task->record->codec == LEAT_PACK_CODEC_STORED) {
            run_stored(task, packed);
        } else if (packed != NULL) {
            run_packed(task, packed, direct, scratch);
        }
    }
    task->time_ns = monotonic_ns() - begin_ns;
    d->desc.done(d->desc.owner, task);
}

static bool in_hurry(const decode *d)
{
    return d->desc.hurry != NULL && atomic_load_explicit(d->desc.hurry, memory_order_relaxed) != 0;
}

static void *worker_main(void *argument)
{
    decode *d = argument;
    uint32_t worker = atomic_fetch_add_explicit(&d->worker_next, 1, memory_order_relaxed);
    pthread_mutex_lock(&d->lock);
    while (!d->stopping) {
        if (d->count == 0) {
            ++d->sleeping;
            pthread_cond_wait(&d->work, &d->lock);
            --d->sleeping;
            continue;
        }
        decode_task *task = heap_pop(d);
        task->state = DECODE_STARTED;
        pthread_mutex_unlock(&d->lock);
        bool hurry = in_hurry(d); /* this may be the task that ends it, and then the engine's thread wakes */
        task_run(d, task, worker);
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

decode *decode_create(const decode_desc *desc)
{
    decode *d = memory_allocate(desc->memory, 1, sizeof(*d), CACHE_LINE_SIZE);
    if (d == NULL) {
        return NULL;
    }
    d->desc = *desc;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->work, NULL);
    uint32_t scratch_count = u32_max(desc->worker_count, 1);
    d->heap = memory_allocate(desc->memory, desc->task_count_max, sizeof(*d->heap), CACHE_LINE_SIZE);
    d->threads = memory_allocate(desc->memory, scratch_count, sizeof(*d->threads), CACHE_LINE_SIZE);
    bool scratch = region_create((uint64_t)scratch_count * SCRATCH_SIZE, desc->huge_pages, &d->scratch);
    count_memory(desc->memory, d->scratch.size);
    if (d->heap == NULL || d->threads == NULL || !scratch || !start_workers(d)) {
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
    while (d->count > 0) {
        decode_task *task = heap_pop(d);
        task->state = DECODE_STARTED;
        task->result = LEAT_ERROR_CANCELLED;
        task->skipped = true;
        task->unread = false;
        task->bytes_copied = 0;
        task->time_ns = 0;
        task->worker = 0;
        d->desc.done(d->desc.owner, task);
    }
}

void decode_destroy(decode *d)
{
    if (d == NULL) {
        return;
    }
    ASSERT(d->worker_count == 0 && d->count == 0);
    uint32_t scratch_count = u32_max(d->desc.worker_count, 1);
    memory *m = d->desc.memory;
    count_memory(m, -d->scratch.size);
    region_destroy(&d->scratch);
    memory_free(m, d->threads, scratch_count, sizeof(*d->threads));
    memory_free(m, d->heap, d->desc.task_count_max, sizeof(*d->heap));
    pthread_cond_destroy(&d->work);
    pthread_mutex_destroy(&d->lock);
    memory_free(m, d, 1, sizeof(*d));
}

void decode_push(decode *d, decode_task **tasks, uint32_t count)
{
    pthread_mutex_lock(&d->lock);
    for (uint32_t i = 0; i < count; ++i) {
        ASSERT(d->count < d->desc.task_count_max);
        tasks[i]->state = DECODE_QUEUED;
        heap_up(d, d->count++, tasks[i]);
    }
    atomic_store_explicit(&d->queued, d->count, memory_order_relaxed);
    uint32_t wake = u32_min(d->sleeping, count);
    pthread_mutex_unlock(&d->lock);
    for (uint32_t i = 0; i < wake; ++i) {
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
        if (key_before(key, &task->key)) {
            task->key = *key;
            heap_up(d, task->heap_index, task);
        }
    }
    pthread_mutex_unlock(&d->lock);
    return waiting;
}

static bool has_output_of(const decode_task *task, uint32_t request)
{
    for (const decode_output *o = task->outputs; o != NULL; o = o->next) {
        if (o->request == request) {
            return true;
        }
    }
    return false;
}

void decode_change(decode *d, uint32_t request, uint64_t rank, uint64_t deadline_ns)
{
    pthread_mutex_lock(&d->lock);
    for (uint32_t i = 0; i < d->count; ++i) {
        if (has_output_of(d->heap[i], request)) {
            d->heap[i]->key.rank = rank;
            d->heap[i]->key.deadline_ns = deadline_ns;
        }
    }
    for (uint32_t i = d->count / 2; i-- > 0;) { /* all keys may have moved both ways: rebuild, O(n) */
        heap_down(d, i, d->heap[i]);
    }
    pthread_mutex_unlock(&d->lock);
}

bool decode_step(decode *d)
{
    ASSERT(d->desc.worker_count == 0);
    if (d->count == 0) {
        return false;
    }
    decode_task *task = heap_pop(d);
    task->state = DECODE_STARTED;
    task_run(d, task, 0);
    return true;
}

uint32_t decode_queued(const decode *d)
{
    return atomic_load_explicit(&d->queued, memory_order_relaxed);
}
