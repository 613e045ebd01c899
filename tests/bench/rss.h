/* rss.h - the resident memory of this process, as the kernel counts it. */
#ifndef LEAT_BENCH_RSS_H
#define LEAT_BENCH_RSS_H

#include <stdbool.h>
#include <stdint.h>

/* Exact, now; 0: /proc/self/smaps_rollup cannot be read here. */
uint64_t rss_bytes(void);

/* Sets the kernel's peak back to what is resident now, else earlier work would be in it; false: it cannot be. */
bool rss_peak_reset(void);
uint64_t rss_peak_bytes(void);

#endif
