/* estimate.h - when a request would be ready, were it admitted now.
 *
 * Pure. What is ahead of it is known: bytes in flight, bytes queued that go first. What will come ahead of it is not,
 * but the higher classes' rates of arrival are measured, and what they take of the bandwidth is not there for it. */
#ifndef LEAT_ESTIMATE_H
#define LEAT_ESTIMATE_H

#include "base.h"
#include "scheduler.h"
#include "window.h"

typedef struct estimate {
    double rates[SCHED_CLASS_COUNT]; /* packed bytes admitted per second, decaying */
    uint64_t begun_ns, updated_ns;
    bool begun;
} estimate;

typedef struct estimate_query {
    uint32_t rank, client;
    uint64_t deadline_ns;
    uint64_t packed_size;
    uint64_t raw_size;
    uint64_t decode_bytes_per_second; /* raw, all workers */
} estimate_query;

/* A request of this class and size was admitted. */
void estimate_admit(estimate *e, uint32_t rank, uint64_t packed_size, uint64_t now_ns);
/* The time at which it would be ready. */
uint64_t estimate_ready_ns(const estimate *e, const sched *s, const window *w, const estimate_query *query,
                           uint64_t now_ns);

#endif
