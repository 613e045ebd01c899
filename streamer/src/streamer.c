/* streamer.c - a streamer is made, told about, and ended.
 *
 * leat_create resolves the desc (resolve.c), takes all memory, opens a backend with its fall-backs, and starts the
 * threads last, so that an error on the way undoes only what is there. leat_destroy goes the other way: the I/O thread
 * ends when the device has given all buffers back, the workers after what they have begun, and only then is memory
 * unmapped. */
#include "streamer.h"

#include "clock.h"
#include "resolve.h"
#include "threads.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_COUNT_MAX 65536u
#define COMMAND_COUNT_MIN 64u /* however few requests there may be: each may be re-prioritised more than once */
#define DECODE_BYTES_PER_SECOND_GUESS UINT64_C(2000000000) /* LZ4 and XXH3 on one slow core */

/* Packed bytes that may wait to be decoded before nothing more is read ahead: some milliseconds of the workers' time,
 * and little enough to be still in the last level of cache. */
#define DECODE_BYTES_HIGH MIB(8)
#define DECODE_BYTES_HIGH_PER_WORKER MIB(2)

uint64_t streamer_now(const leat_streamer *s)
{
    if (s->desc.stepped) {
        return atomic_load_explicit(&s->now_ns, memory_order_relaxed);
    }
    return clock_now_ns();
}

/* ---- Creating ---- */

static uint64_t power_of_two_above(uint64_t value)
{
    uint64_t power = 1;
    while (power < value) {
        power *= 2;
    }
    return power;
}

static bool create_tables(leat_streamer *s)
{
    memory *m = &s->memory;
    const leat_desc *d = &s->desc;
    uint32_t command_count = u32_max(u32_min(d->request_count_max, COMMAND_COUNT_MAX), COMMAND_COUNT_MIN);
    mpsc_init(&s->mail);
    mpsc_init(&s->returned);
    s->requests = memory_allocate(m, d->request_count_max, sizeof(*s->requests), CACHE_LINE_SIZE);
    s->relied_before = memory_allocate(m, d->request_count_max, sizeof(*s->relied_before), CACHE_LINE_SIZE);
    s->ended_batch = memory_allocate(m, d->event_count_max, sizeof(*s->ended_batch), CACHE_LINE_SIZE);
    s->batches = memory_allocate(m, d->batch_count_max, sizeof(*s->batches), CACHE_LINE_SIZE);
    s->mounts = memory_allocate(m, d->pack_count_max, sizeof(*s->mounts), CACHE_LINE_SIZE);
    s->watches = memory_allocate(m, d->pack_count_max, sizeof(*s->watches), CACHE_LINE_SIZE);
    s->watch_polls = memory_allocate(m, d->pack_count_max + 1u, sizeof(*s->watch_polls), CACHE_LINE_SIZE);
    s->slot_count = d->pack_count_max + SPARE_SLOT_COUNT;
    s->packs = memory_allocate(m, s->slot_count, sizeof(*s->packs), CACHE_LINE_SIZE);
    s->reads = memory_allocate(m, READ_COUNT_MAX, sizeof(*s->reads), CACHE_LINE_SIZE);
    s->submit_ring = memory_allocate(m, READ_COUNT_MAX, sizeof(*s->submit_ring), CACHE_LINE_SIZE);
    s->again_ring = memory_allocate(m, READ_COUNT_MAX, sizeof(*s->again_ring), CACHE_LINE_SIZE);
    s->outputs = memory_allocate(m, OUTPUT_COUNT_MAX, sizeof(*s->outputs), CACHE_LINE_SIZE);
    s->chunk_buckets = memory_allocate(m, CHUNK_BUCKET_COUNT, sizeof(*s->chunk_buckets), CACHE_LINE_SIZE);
    /* Of a request LATE, NEEDS_MEMORY and its end, of the others one kind. */
    uint64_t post_count = UINT64_C(3) * d->request_count_max + d->batch_count_max + s->slot_count;
    s->ended = memory_allocate(m, d->event_count_max, sizeof(*s->ended), CACHE_LINE_SIZE);
    s->events = memory_allocate(m, d->event_count_max, sizeof(*s->events), CACHE_LINE_SIZE);
    if (!trace_init(&s->trace, d->trace_event_count, m) ||
        !handles_init(&s->request_handles, d->request_count_max, m) ||
        !handles_init(&s->batch_handles, d->batch_count_max, m) ||
        !command_queue_init(&s->commands, power_of_two_above(command_count), m) || s->requests == NULL ||
        !post_ring_init(&s->posts, (uint32_t)power_of_two_above(post_count), m) || s->ended_batch == NULL ||
        s->batches == NULL || s->mounts == NULL || s->watches == NULL || s->watch_polls == NULL || s->packs == NULL ||
        s->reads == NULL || s->submit_ring == NULL || s->again_ring == NULL || s->outputs == NULL ||
        s->chunk_buckets == NULL || s->ended == NULL || s->events == NULL || s->relied_before == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < d->pack_count_max; ++i) {
        atomic_init(&s->mounts[i].view, UINT64_C(1) << 32);
        s->watches[i].source.fd = -1;
    }
    for (uint32_t i = 0; i < s->slot_count; ++i) {
        s->packs[i].io_file = IO_FILE_NONE;
        s->packs[i].folder.fd = FOLDER_NONE;
    }
    for (uint32_t i = 0; i < READ_COUNT_MAX; ++i) {
        s->reads[i].next_free = i + 1 < READ_COUNT_MAX ? i + 1 : TASK_NONE;
    }
    for (uint32_t i = 0; i < OUTPUT_COUNT_MAX; ++i) {
        s->outputs[i].next = i + 1 < OUTPUT_COUNT_MAX ? &s->outputs[i + 1] : NULL;
    }
    s->output_free = &s->outputs[0];
    memset(s->chunk_buckets, 0xff, CHUNK_BUCKET_COUNT * sizeof(*s->chunk_buckets)); /* TASK_NONE */
    return true;
}

static bool create_stages(leat_streamer *s)
{
    memory *m = &s->memory;
    const leat_desc *d = &s->desc;
    sched_desc queue = { .memory = m, .capacity = d->request_count_max, .ageing_ns = d->ageing_ns };
    memcpy(queue.client_weights, d->client_weights, sizeof(queue.client_weights));
    queue.store = s->queues = sched_store_create(m, d->request_count_max, 3);
    if (s->queues == NULL) {
        return false;
    }
    s->sched = sched_create(&queue);
    s->waiting_lent = sched_create(&queue);
    s->waiting_bind = sched_create(&queue);
    s->window = window_create(&(window_desc){ .memory = m,
                                              .bytes_fixed = d->window_bytes,
                                              .bytes_min = LEAT_PACK_ALIGNMENT,
                                              .bytes_max = d->pool_bytes - d->pool_bytes / 8 });
    s->pool = arena_create(&(arena_desc){
        .memory = m, .base = s->pool_region.memory, .size = s->pool_region.size, .unit_size = POOL_UNIT_SIZE });
    s->lent = arena_create(&(arena_desc){
        .memory = m, .base = s->lent_region.memory, .size = s->lent_region.size, .unit_size = LENT_UNIT_SIZE });
    s->decode = decode_create(&(decode_desc){ .memory = m,
                                              .worker_count = d->stepped ? 0 : d->worker_count,
                                              .task_count_max = READ_COUNT_MAX * READ_TASK_COUNT_MAX,
                                              .hurry = &s->urgent_live,
                                              .huge_pages = d->huge_pages != LEAT_OFF,
                                              .owner = s,
                                              .wanted = finish_wanted,
                                              .fetch = finish_fetch,
                                              .done = finish_task,
                                              .key = reads_task_key });
    return s->sched != NULL && s->waiting_lent != NULL && s->waiting_bind != NULL && s->window != NULL &&
           s->pool != NULL && s->lent != NULL && s->decode != NULL;
}

/* io_uring where it is to be had, else threads; each step is told. */
static leat_result open_backend(leat_streamer *s, leat_error *error)
{
    io_desc desc = { .memory = &s->memory,
                     .log = &s->log,
                     .desc = &s->desc,
                     .pool = s->pool_region.memory,
                     .pool_size = s->pool_region.size,
                     .read_count_max = READ_COUNT_MAX,
                     .file_count_max = s->slot_count };
    leat_backend wanted = s->desc.backend;
    leat_error reason = { 0 };
    if (wanted == LEAT_BACKEND_SIM) {
        s->io_ops = &io_sim_ops;
        s->desc.backend = LEAT_BACKEND_SIM;
        snprintf(s->info.backend_text, sizeof(s->info.backend_text), "simulated device");
        return s->io_ops->open(&desc, &s->io, error);
    }
    if (wanted != LEAT_BACKEND_THREADS) {
        s->io_ops = &io_uring_ops;
        leat_result result = s->io_ops->open(&desc, &s->io, &reason);
        if (result == LEAT_OK) {
            s->desc.backend = LEAT_BACKEND_URING;
            snprintf(s->info.backend_text, sizeof(s->info.backend_text), "io_uring");
            return LEAT_OK;
        }
        if (wanted == LEAT_BACKEND_URING) {
            return error_set(error, result, reason.os_error, "%s", reason.text);
        }
        log_line(&s->log, LEAT_LOG_WARNING, "reading with threads: %s", reason.text);
        snprintf(s->info.backend_text, sizeof(s->info.backend_text), "threads (%.180s)", reason.text);
    } else {
        snprintf(s->info.backend_text, sizeof(s->info.backend_text), "threads (asked for)");
    }
    s->io_ops = &io_threads_ops;
    s->desc.backend = LEAT_BACKEND_THREADS;
    desc.why_no_ring = wanted == LEAT_BACKEND_THREADS ? "threads were asked for" : reason.text;
    return s->io_ops->open(&desc, &s->io, error);
}

static bool start_io_thread(leat_streamer *s)
{
    if (s->desc.stepped) {
        return true;
    }
    s->io_thread_runs = thread_start(&s->io_thread, pump_main, s, "leat-io");
    return s->io_thread_runs;
}

static leat_result create_all(leat_streamer *s, leat_error *error)
{
    bool huge = s->desc.huge_pages != LEAT_OFF;
    /* Pages are touched now, not when reads need them; a simulated device has its own time, and much of it. */
    bool (*make)(uint64_t, bool, region *) = s->desc.backend == LEAT_BACKEND_SIM ? region_map : region_create;
    if (!make(s->desc.pool_bytes, huge, &s->pool_region) || !make(s->desc.lent_bytes, huge, &s->lent_region)) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "cannot map %llu + %llu bytes for reads; lower memory_bytes_max",
                         (unsigned long long)s->desc.pool_bytes, (unsigned long long)s->desc.lent_bytes);
    }
    __atomic_fetch_add(&s->memory_live, s->pool_region.size + s->lent_region.size, __ATOMIC_RELAXED);
    if (!create_tables(s) || !create_stages(s)) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "no memory for %u requests, or no threads to be had",
                         s->desc.request_count_max);
    }
    leat_result result = open_backend(s, error);
    if (result != LEAT_OK) {
        return result;
    }
    s->info.backend = s->desc.backend;
    s->info.worker_count = decode_worker_count(s->decode);
    s->info.pool_bytes = s->desc.pool_bytes;
    s->info.lent_bytes = s->desc.lent_bytes;
    s->info.huge_pages = s->pool_region.huge;
    s->io_ops->info(s->io, &s->info);
    log_line(&s->log, LEAT_LOG_INFO, "reading with %s", s->info.backend_text);
    pump_publish(s, streamer_now(s)); /* leat_estimate may be asked before the first round */
    if (start_io_thread(s)) {
        return LEAT_OK;
    }
    int cause = errno;
    return error_set(error, LEAT_ERROR_OS, cause,
                     "cannot start the I/O thread: %s; see RLIMIT_NPROC, pids.max, RLIMIT_AS", strerror(cause));
}

static leat_result create(const leat_desc *resolved, leat_streamer **streamer, leat_error *error)
{
    memory bootstrap = { .allocator = resolved->allocator };
    leat_streamer *s = memory_allocate(&bootstrap, 1, sizeof(*s), CACHE_LINE_SIZE);
    if (s == NULL) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "no memory for a streamer");
    }
    s->desc = *resolved;
    s->desc.error = NULL;
    if (resolved->sim != NULL) {
        s->sim = *resolved->sim;
        s->desc.sim = &s->sim;
    }
    s->owner = getpid();
    s->log = resolved->logger;
    s->memory_live = sizeof(*s);
    s->memory = (memory){ .allocator = resolved->allocator,
                          .bytes_live = &s->memory_live,
                          .huge_pages = resolved->huge_pages != LEAT_OFF };
    atomic_init(&s->counters.decode_rate, DECODE_BYTES_PER_SECOND_GUESS);
    if (resolved->backend == LEAT_BACKEND_SIM && s->sim.decode_bytes_per_second != 0) {
        s->step_decode_rate = s->sim.decode_bytes_per_second;
        atomic_init(&s->counters.decode_rate, s->step_decode_rate);
    }
    s->decode_bytes_high = u64_min(u64_max(DECODE_BYTES_HIGH, resolved->worker_count * DECODE_BYTES_HIGH_PER_WORKER),
                                   resolved->pool_bytes / 2);
    s->read_bytes_max = u64_min(resolved->read_bytes_max, resolved->pool_bytes / 4);
    s->decode_bytes_low = s->decode_bytes_high / 2;
    s->decode_bytes_dry = s->decode_bytes_low / 2;
    s->to_judge.first = s->unjudged.first = UNJUDGED_END;
    atomic_init(&s->event_fd, -1);
    pthread_mutex_init(&s->swap_lock, NULL);
    s->watch_event_fd = -1;
    leat_result result = create_all(s, error);
    if (result != LEAT_OK) {
        leat_destroy(s);
        return result;
    }
    *streamer = s;
    return LEAT_OK;
}

leat_result leat_create(const leat_desc *desc, leat_streamer **streamer)
{
    *streamer = NULL;
    leat_error local;
    leat_error *error = desc != NULL && desc->error != NULL ? desc->error : &local;
    leat_desc resolved;
    leat_result result = desc_resolve(desc, &resolved, error);
    if (result == LEAT_OK) {
        result = create(&resolved, streamer, error);
    }
    if (result != LEAT_OK && error == &local) { /* words that the caller did not ask for */
        log_line(&resolved.logger, LEAT_LOG_ERROR, "%s", error->text);
    }
    return result;
}

/* ---- Ending ---- */

static void free_tables(leat_streamer *s)
{
    memory *m = &s->memory;
    const leat_desc *d = &s->desc;
    memory_free(m, s->events, d->event_count_max, sizeof(*s->events));
    memory_free(m, s->ended, d->event_count_max, sizeof(*s->ended));
    post_ring_free(&s->posts, m);
    memory_free(m, s->chunk_buckets, CHUNK_BUCKET_COUNT, sizeof(*s->chunk_buckets));
    memory_free(m, s->outputs, OUTPUT_COUNT_MAX, sizeof(*s->outputs));
    memory_free(m, s->again_ring, READ_COUNT_MAX, sizeof(*s->again_ring));
    memory_free(m, s->submit_ring, READ_COUNT_MAX, sizeof(*s->submit_ring));
    memory_free(m, s->reads, READ_COUNT_MAX, sizeof(*s->reads));
    memory_free(m, s->packs, s->slot_count, sizeof(*s->packs));
    memory_free(m, s->watch_polls, d->pack_count_max + 1u, sizeof(*s->watch_polls));
    memory_free(m, s->watches, d->pack_count_max, sizeof(*s->watches));
    memory_free(m, s->mounts, d->pack_count_max, sizeof(*s->mounts));
    memory_free(m, s->batches, d->batch_count_max, sizeof(*s->batches));
    memory_free(m, s->ended_batch, d->event_count_max, sizeof(*s->ended_batch));
    memory_free(m, s->requests, d->request_count_max, sizeof(*s->requests));
    memory_free(m, s->relied_before, d->request_count_max, sizeof(*s->relied_before));
    trace_free(&s->trace, m);
    command_queue_free(&s->commands, m);
    handles_free(&s->batch_handles, m);
    handles_free(&s->request_handles, m);
}

/* False: one sleeps for ever, and what it would touch, were it to wake, must stay. */
static bool stop_threads(leat_streamer *s)
{
    atomic_store_explicit(&s->stopping, true, memory_order_seq_cst);
    bool stopped = watch_stop(s);
    if (s->io_thread_runs) {
        streamer_wake(s, WAKE_NOW);
        stopped &= thread_join(s->io_thread, atomic_load_explicit(&s->wake_lost, memory_order_seq_cst));
    }
    return stopped;
}

/* Also for a streamer that leat_create gave up half-way: everything is checked for being there. */
void leat_destroy(leat_streamer *s)
{
    if (s == NULL || s->owner != getpid()) {
        return;
    }
    bool stopped = stop_threads(s);
    if (s->desc.stepped && s->io != NULL) {
        while (s->reads_in_flight > s->submit_count) {
            if (s->io_ops->next_completion_ns != NULL) {
                uint64_t next_ns = s->io_ops->next_completion_ns(s->io);
                ASSERT(next_ns != IO_WAIT_FOREVER);
                atomic_store_explicit(&s->now_ns, u64_max(next_ns, streamer_now(s)), memory_order_relaxed);
            } else {
                s->io_ops->wait(s->io, IO_WAIT_FOREVER);
            }
            reads_reap(s, streamer_now(s));
        }
    }
    if (s->decode != NULL) {
        decode_stop(s->decode);
    }
    if (!stopped) {
        log_line(&s->log, LEAT_LOG_ERROR,
                 "leat_destroy leaves a thread and the memory of its streamer behind: it sleeps, and cannot be woken");
        return;
    }
    if (s->packs != NULL) {
        packs_free(s);
    }
    if (s->io != NULL) {
        s->io_ops->close(s->io);
    }
    decode_destroy(s->decode);
    arena_destroy(s->lent);
    arena_destroy(s->pool);
    window_destroy(s->window);
    sched_destroy(s->waiting_bind);
    sched_destroy(s->waiting_lent);
    sched_destroy(s->sched);
    sched_store_destroy(s->queues);
    region_destroy(&s->lent_region);
    region_destroy(&s->pool_region);
    int fd = atomic_load_explicit(&s->event_fd, memory_order_relaxed);
    if (fd >= 0) {
        close(fd);
    }
    free_tables(s);
    pthread_mutex_destroy(&s->swap_lock);
    memory last = { .allocator = s->desc.allocator };
    memory_free(&last, s, 1, sizeof(*s));
}

/* ---- Telling ---- */

const leat_desc *leat_resolved_desc(const leat_streamer *s)
{
    return &s->desc;
}

void leat_info_get(const leat_streamer *s, leat_info *info)
{
    *info = s->info;
    if (s->desc.backend == LEAT_BACKEND_URING) { /* what only a read tells, and a ring that was lost */
        s->io_ops->info(s->io, info);
    }
}

static uint64_t counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void leat_stats_get(const leat_streamer *s, leat_stats *stats)
{
    const counters *c = &s->counters;
    *stats = (leat_stats){
        .requests_submitted = counted(&c->submitted),
        .requests_ready = counted(&c->ready),
        .requests_failed = counted(&c->failed),
        .requests_cancelled = counted(&c->cancelled),
        .reads_issued = counted(&c->reads_issued),
        .reads_completed = counted(&c->reads_completed),
        .reads_retried = counted(&c->reads_retried),
        .reads_short = counted(&c->reads_short),
        .bytes_read = counted(&c->bytes_read),
        .bytes_packed = counted(&c->bytes_packed),
        .bytes_delivered = counted(&c->bytes_delivered),
        .bytes_copied = counted(&c->bytes_copied),
        .chunks_decoded = counted(&c->chunks_decoded),
        .chunks_shared = counted(&c->chunks_shared),
        .chunks_skipped = counted(&c->chunks_skipped),
        .chunks_damaged = counted(&c->chunks_damaged),
        .decode_ns = counted(&c->decode_ns),
        .decode_bytes_per_second = counted(&c->decode_rate),
        .io_submit_calls = counted(&c->submit_calls),
        .io_wait_calls = counted(&c->wait_calls),
        .wake_calls = counted(&c->wake_calls),
        .worker_wake_calls = counted(&c->worker_wake_calls),
        .io_rounds = counted(&c->io_rounds),
        .reads_cached = counted(&c->reads_cached),
        .deadlines_met = counted(&c->deadlines_met),
        .deadlines_missed = counted(&c->deadlines_missed),
        .deadlines_announced = counted(&c->deadlines_announced),
        .estimate_error_ns = counted(&c->estimate_error_ns),
        .requests_queued = (uint32_t)counted(&c->requests_queued),
        .requests_waiting_memory = (uint32_t)counted(&c->requests_waiting_memory),
        .reads_in_flight = (uint32_t)counted(&c->reads_in_flight),
        .decode_queued = decode_queued(s->decode),
        .bytes_queued = counted(&c->bytes_queued),
        .bytes_in_flight = counted(&c->bytes_in_flight),
        .window_bytes = counted(&c->window_bytes),
        .pool_bytes_used = counted(&c->pool_used),
        .lent_bytes_used = counted(&c->lent_used),
        .bandwidth_bytes_per_second = counted(&c->bandwidth),
        .latency_min_ns = counted(&c->latency_min),
        .sq_ready = (uint32_t)counted(&c->sq_ready),
        .sq_space = (uint32_t)counted(&c->sq_space),
        .cq_ready = (uint32_t)counted(&c->cq_ready),
        .cq_overflows = counted(&c->cq_overflows),
        .sqpoll_wakeups = counted(&c->sqpoll_wakeups),
        .ring_losses = counted(&c->ring_losses),
        .memory_bytes = __atomic_load_n(&s->memory_live, __ATOMIC_RELAXED),
    };
    uint64_t freed = counted(&c->slots_freed) + counted(&c->slots_released);
    stats->requests_live = (uint32_t)(stats->requests_submitted - u64_min(stats->requests_submitted, freed));
    uint32_t waiting = post_ring_pushed(&s->posts) - (uint32_t)counted(&c->posts_taken);
    stats->events_waiting = waiting <= s->posts.capacity ? waiting : 0; /* more: one was taken between the two looks */
}
