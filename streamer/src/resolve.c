/* resolve.c - see resolve.h. Pure but for the number of cores. */
#include "resolve.h"

#include "bounds.h"
#include "io.h"
#include "threads.h"

#include <leat/pack_format.h>
#include <leat/sim.h>

#include <stdio.h>
#include <stdlib.h>

#define MEMORY_BYTES_DEFAULT MIB(160)
#define POOL_BYTES_DEFAULT MIB(32)
#define POOL_BYTES_MAX (UINT64_C(1) << 30) /* the largest buffer that io_uring registers as one */
#define LENT_BYTES_MAX (UINT64_C(64) << 30)
#define MEMORY_BYTES_LIMIT (2 * LENT_BYTES_MAX) /* more than all parts at their most */
#define REQUEST_COUNT_DEFAULT 16384u
#define REQUEST_COUNT_LIMIT (1u << 22)
#define BATCH_COUNT_DEFAULT 1024u
#define BATCH_COUNT_LIMIT (1u << 20)
#define PACK_COUNT_DEFAULT 64u
#define PACK_COUNT_LIMIT 4096u
#define EVENT_COUNT_DEFAULT 1024u
#define EVENT_COUNT_LIMIT (1u << 20)
#define WORKER_COUNT_LIMIT 256u
#define IO_THREAD_COUNT_DEFAULT 16u
#define IO_THREAD_COUNT_LIMIT 256u
#define READ_BYTES_DEFAULT (1u << 20)
#define READ_BYTES_LIMIT (4u << 20)
#define READ_GAP_DEFAULT (16u << 10)
#define AGEING_NS_DEFAULT (2 * NS_PER_S)
#define RING_ENTRIES_DEFAULT 256u
#define RING_ENTRIES_LIMIT 32768u /* the kernel's own */
#define SQPOLL_IDLE_MS_DEFAULT 50u
#define SQPOLL_IDLE_MS_LIMIT 60000u
#define SQPOLL_CORE_LIMIT 8192u
#define RING_WORKER_COUNT_DEFAULT 8u
#define RING_WORKER_COUNT_LIMIT 4096u
#define BATCH_WAIT_US_LIMIT 1000000u
#define TRACE_EVENT_COUNT_LIMIT (1u << 26)
#define ASSET_BYTES_DEFAULT (UINT64_C(4) << 30)
#define INDEX_BYTES_DEFAULT (UINT64_C(1) << 30)
#define CHUNK_RATIO_DEFAULT 255u

static void *default_allocate(size_t size, size_t alignment, void *user)
{
    (void)user;
    void *block = NULL;
    return posix_memalign(&block, alignment < sizeof(void *) ? sizeof(void *) : alignment, size) == 0 ? block : NULL;
}

static void default_free(void *block, size_t size, void *user)
{
    (void)size;
    (void)user;
    free(block);
}

static void default_log(leat_log_level level, const char *text, void *user)
{
    (void)user;
    fprintf(stderr, "leat: %s%s\n", level == LEAT_LOG_ERROR ? "error: " : "", text);
}

static void default_u32(uint32_t *value, uint32_t fallback)
{
    *value = *value == 0 ? fallback : *value;
}
static void default_u64(uint64_t *value, uint64_t fallback)
{
    *value = *value == 0 ? fallback : *value;
}

static void resolve_defaults(leat_desc *d)
{
    if (d->allocator.allocate == NULL || d->allocator.free == NULL) {
        d->allocator = (leat_allocator){ .allocate = default_allocate, .free = default_free };
    }
    if (d->logger.log == NULL) {
        d->logger.log = default_log;
    }
    if (d->logger.level == 0) {
        d->logger.level = LEAT_LOG_WARNING;
    }
    default_u32(&d->worker_count, u32_min(threads_usable_cores(), WORKER_COUNT_LIMIT));
    default_u32(&d->io_thread_count, IO_THREAD_COUNT_DEFAULT);
    default_u64(&d->memory_bytes_max, MEMORY_BYTES_DEFAULT);
    default_u64(&d->pool_bytes, u64_max(u64_min(POOL_BYTES_DEFAULT, d->memory_bytes_max / 4), POOL_BYTES_MIN));
    default_u64(&d->lent_bytes, u64_max(d->memory_bytes_max / 2, LENT_BYTES_MIN));
    default_u32(&d->request_count_max, REQUEST_COUNT_DEFAULT);
    default_u32(&d->batch_count_max, BATCH_COUNT_DEFAULT);
    default_u32(&d->pack_count_max, PACK_COUNT_DEFAULT);
    default_u32(&d->event_count_max, EVENT_COUNT_DEFAULT);
    default_u32(&d->read_bytes_max, READ_BYTES_DEFAULT);
    default_u32(&d->read_gap_max, READ_GAP_DEFAULT);
    default_u64(&d->ageing_ns, AGEING_NS_DEFAULT);
    for (uint32_t i = 0; i < LEAT_CLIENT_COUNT; ++i) {
        default_u32(&d->client_weights[i], 1);
    }
    default_u32(&d->uring.entries, RING_ENTRIES_DEFAULT);
    default_u32(&d->uring.sqpoll_idle_ms, SQPOLL_IDLE_MS_DEFAULT);
    default_u32(&d->uring.worker_count_max, RING_WORKER_COUNT_DEFAULT);
    default_u64(&d->asset_bytes_max, ASSET_BYTES_DEFAULT);
    default_u64(&d->pack_index_bytes_max, INDEX_BYTES_DEFAULT);
    default_u32(&d->chunk_ratio_max, CHUNK_RATIO_DEFAULT);
}

typedef struct bound {
    const char *field;
    uint64_t value, least, most;
} bound;

static leat_result bound_check(const bound *b, leat_error *error)
{
    if (b->value >= b->least && b->value <= b->most) {
        return LEAT_OK;
    }
    return error_set(error, LEAT_ERROR_ARGUMENT, 0, "leat_desc.%s is %llu; it must be from %llu to %llu", b->field,
                     (unsigned long long)b->value, (unsigned long long)b->least, (unsigned long long)b->most);
}

/* The switches of io_uring's modes, which are fields of the modes' names. */
static leat_result modes_check(const leat_uring_desc *uring, leat_error *error)
{
    leat_result result = LEAT_OK;
    for (uint32_t i = 0; i < LEAT_MODE_COUNT && result == LEAT_OK; ++i) {
        char field[64];
        snprintf(field, sizeof(field), "uring.%s", leat_mode_text((leat_mode)i));
        result = bound_check(&(bound){ field, io_mode_get(uring, (leat_mode)i), LEAT_DEFAULT, LEAT_ON }, error);
    }
    return result;
}

leat_result desc_resolve(const leat_desc *desc, leat_desc *d, leat_error *error)
{
    *d = desc != NULL ? *desc : (leat_desc){ 0 };
    bool half_allocator = (d->allocator.allocate == NULL) != (d->allocator.free == NULL);
    resolve_defaults(d);
    if (half_allocator) {
        return error_set(error, LEAT_ERROR_ARGUMENT, 0, "leat_desc.allocator needs both allocate and free, or neither");
    }
    const bound bounds[] = {
        { "memory_bytes_max", d->memory_bytes_max, POOL_BYTES_MIN + LENT_BYTES_MIN, MEMORY_BYTES_LIMIT },
        { "pool_bytes", d->pool_bytes, POOL_BYTES_MIN, POOL_BYTES_MAX },
        { "lent_bytes", d->lent_bytes, LENT_BYTES_MIN, LENT_BYTES_MAX },
        { "request_count_max", d->request_count_max, 1, REQUEST_COUNT_LIMIT },
        { "batch_count_max", d->batch_count_max, 1, BATCH_COUNT_LIMIT },
        { "pack_count_max", d->pack_count_max, 1, PACK_COUNT_LIMIT },
        { "event_count_max", d->event_count_max, 1, EVENT_COUNT_LIMIT },
        { "worker_count", d->worker_count, 1, WORKER_COUNT_LIMIT },
        { "io_thread_count", d->io_thread_count, 1, IO_THREAD_COUNT_LIMIT },
        { "read_bytes_max", d->read_bytes_max, LEAT_PACK_ALIGNMENT, READ_BYTES_LIMIT },
        { "read_gap_max", d->read_gap_max, 0, READ_BYTES_LIMIT },
        { "uring.entries", d->uring.entries, 1, RING_ENTRIES_LIMIT },
        { "uring.completion_entries", d->uring.completion_entries, 0, 2 * RING_ENTRIES_LIMIT },
        { "uring.sqpoll_idle_ms", d->uring.sqpoll_idle_ms, 1, SQPOLL_IDLE_MS_LIMIT },
        { "uring.sqpoll_core", d->uring.sqpoll_core, 0, SQPOLL_CORE_LIMIT },
        { "uring.worker_count_max", d->uring.worker_count_max, 1, RING_WORKER_COUNT_LIMIT },
        { "uring.batch_wait_us", d->uring.batch_wait_us, 0, BATCH_WAIT_US_LIMIT },
        { "trace_event_count", d->trace_event_count, 0, TRACE_EVENT_COUNT_LIMIT },
        { "backend", d->backend, LEAT_BACKEND_AUTO, LEAT_BACKEND_SIM },
        { "logger.level", d->logger.level, LEAT_LOG_ERROR, LEAT_LOG_DEBUG },
        { "direct", d->direct, LEAT_DEFAULT, LEAT_ON },
        { "huge_pages", d->huge_pages, LEAT_DEFAULT, LEAT_ON },
        { "sim->fault", d->sim != NULL ? d->sim->fault : LEAT_SIM_FAULT_EIO, LEAT_SIM_FAULT_EIO,
          LEAT_SIM_FAULT_BIT_FLIP },
    };
    leat_result result = modes_check(&d->uring, error);
    for (size_t i = 0; i < COUNT_OF(bounds) && result == LEAT_OK; ++i) {
        result = bound_check(&bounds[i], error);
    }
    if (result != LEAT_OK) {
        return result;
    }
    d->pool_bytes = align_down(d->pool_bytes, REGION_UNIT);
    d->lent_bytes = align_down(d->lent_bytes, REGION_UNIT);
    if (d->pool_bytes + d->lent_bytes > d->memory_bytes_max) {
        return error_set(
            error, LEAT_ERROR_ARGUMENT, 0,
            "leat_desc.memory_bytes_max is %llu, less than pool_bytes and lent_bytes together (%llu + %llu)",
            (unsigned long long)d->memory_bytes_max, (unsigned long long)d->pool_bytes,
            (unsigned long long)d->lent_bytes);
    }
    return LEAT_OK;
}
