/* clock.h - the time of those who wait and measure. What a stepped streamer decides by is handed in. */
#ifndef LEAT_CLOCK_H
#define LEAT_CLOCK_H

#include "base.h"

#include <time.h>

/* CLOCK_MONOTONIC; any thread. */
static inline uint64_t clock_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Until then; 0 if it has passed. */
static inline uint64_t clock_left_ns(uint64_t deadline_ns)
{
    return deadline_ns - u64_min(deadline_ns, clock_now_ns());
}

#endif
