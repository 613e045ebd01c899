/* estimate.h - when a request would be ready, were it admitted now.
 *
 * Pure. What is ahead of it is known: bytes in flight, bytes queued that go first. What will come ahead of it is not,
 * but the higher classes' rates of arrival are measured, and what they take of the bandwidth is not there for it.
 *
 * Queue and window are the I/O thread's. What another thread may know of them is estimate_levels: words that the I/O
 * thread publishes with each round, from which the same answer follows but for two roundings: deadlines are told apart
 * by horizons (the bytes between two are taken to lie evenly), latencies by powers of two of the size. */
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
    uint32_t rank;
    uint64_t deadline_ns;
    uint64_t packed_size;
    uint64_t queued_size; /* of it, what is in the queue already, and not ahead of itself */
    uint64_t raw_size;
    uint64_t decode_bytes_per_second; /* raw, all workers */
} estimate_query;

#define ESTIMATE_HORIZON_COUNT 14u
#define ESTIMATE_SIZE_COUNT 11u

/* All words are of 64 bits, because they are published and read one by one. */
typedef struct estimate_levels {
    uint64_t now_ns; /* when they were taken */
    uint64_t in_flight;
    uint64_t bandwidth;
    uint64_t begun_ns, came_ns; /* of the rates' memory: its first request, and how long after that the last */
    uint64_t to_come[SCHED_CLASS_COUNT]; /* bytes per second that are expected to go before a class; decays */
    uint64_t latencies_ns[ESTIMATE_SIZE_COUNT]; /* of a read of 4 KiB << i with nothing before it */
    /* Bytes that go first, for a deadline at each horizon (estimate.c); the last is "no deadline". */
    uint64_t ahead[SCHED_CLASS_COUNT][ESTIMATE_HORIZON_COUNT];
} estimate_levels;
#define ESTIMATE_LEVEL_WORDS (sizeof(estimate_levels) / sizeof(uint64_t))

void estimate_levels_take(const estimate *e, const sched *s, const window *w, uint64_t now_ns, estimate_levels *levels);
/* As estimate_ready; *bytes_ahead: queued and in flight before it. */
uint64_t estimate_from_levels(const estimate_levels *levels, const estimate_query *query, uint64_t now_ns,
                              uint64_t *bytes_ahead);

/* A request of this class and size was admitted. */
void estimate_admit(estimate *e, uint32_t rank, uint64_t packed_size, uint64_t now_ns);
typedef struct estimate_times {
    uint64_t ready_ns; /* when it would be ready */
    uint64_t least_ns; /* were the device as fast as it may be for all that is known of it: before this it is not */
} estimate_times;
estimate_times estimate_ready(const estimate *e, const sched *s, const window *w, const estimate_query *query,
                              uint64_t now_ns);

#endif
