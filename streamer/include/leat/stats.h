/* clang-format off */ /* columns are kept by hand, and a declaration stands in one line */
/* leat/stats.h - what a streamer has done, and how full it is; streamer/WATCHING.md says what it tells. Included by leat/leat.h. */
#ifndef LEAT_PUBLIC_STATS_H
#define LEAT_PUBLIC_STATS_H

#include <leat/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct leat_stats {
    /* counts since create */
    uint64_t requests_submitted, requests_ready, requests_failed, requests_cancelled;
    uint64_t reads_issued, reads_completed, reads_retried, reads_short; /* device reads */
    uint64_t bytes_read;      /* from files, alignment and gaps included */
    uint64_t bytes_packed;    /* of chunks decoded */
    uint64_t bytes_delivered; /* of ready requests */
    uint64_t bytes_copied;    /* copies besides the decode itself */
    uint64_t chunks_decoded, chunks_shared, chunks_skipped, chunks_damaged;
    uint64_t decode_ns;       /* CPU time of decoding and checking, all workers */
    uint64_t io_submit_calls, io_wait_calls; /* system calls of the I/O thread */
    uint64_t wake_calls;        /* system calls that woke it, made by threads in their calls of Leat: submit and the like */
    uint64_t worker_wake_calls; /* the same, by decode workers */
    uint64_t io_rounds;         /* of the I/O thread: it sleeps between rounds that found nothing to do */
    uint64_t reads_cached;      /* reads that went through the page cache */
    uint64_t deadlines_met, deadlines_missed, deadlines_announced;
    uint64_t estimate_error_ns; /* smoothed |predicted - actual| of requests with deadlines */
    /* levels now */
    uint32_t requests_live, requests_queued, requests_waiting_memory, reads_in_flight, decode_queued;
    uint32_t events_waiting; /* for leat_update; members' ends that a batch keeps to itself are counted as well */
    uint64_t bytes_queued;   /* packed */
    uint64_t bytes_in_flight;
    uint64_t window_bytes;
    uint64_t pool_bytes_used, lent_bytes_used;
    uint64_t bandwidth_bytes_per_second; /* packed, smoothed */
    uint64_t decode_bytes_per_second;    /* raw, all workers, smoothed; an assumption before it is measured */
    uint64_t latency_min_ns;             /* of the device, windowed minimum */
    uint32_t sq_ready, sq_space, cq_ready; /* io_uring: entries filled and not handed over, free, completed and not taken */
    uint64_t cq_overflows;   /* io_uring: how often the kernel kept completions back for lack of room (none is lost) */
    uint64_t sqpoll_wakeups; /* io_uring: system calls that woke the kernel's submitting thread */
    uint64_t ring_losses;    /* io_uring: rings that the kernel gave up midway; reading goes on with threads */
    uint64_t memory_bytes;   /* all memory of the streamer, indices included */
} leat_stats;
/* Any thread, at any time. */
LEAT_API void leat_stats_get(const leat_streamer *streamer, leat_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
