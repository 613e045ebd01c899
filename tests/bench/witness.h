/* witness.h - when was the machine not there?
 *
 * A virtual machine that has used up its share of the host's processors is stopped for 20 to 30 ms at a time, and its
 * kernel does not know. What happens meanwhile is slow, whatever is measured. A thread per core, above all others,
 * wakes every 2 ms: one that wakes late has been kept from its core by the host, or by the kernel, but by no thread of
 * this machine. */
#ifndef LEAT_BENCH_WITNESS_H
#define LEAT_BENCH_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct witness witness;

/* NULL: threads above all others may not be had (they take root, or RLIMIT_RTPRIO). */
witness *witness_start(void);
/* Nothing is noted any more; what was noted can be asked for. NULL is allowed. */
void witness_stop(witness *w);
void witness_free(witness *w); /* after witness_stop */

/* Was a core away at some time in [begin_ns, end_ns]? After witness_stop. */
bool witness_saw_absence(const witness *w, uint64_t begin_ns, uint64_t end_ns);
/* Of the time between start and stop, how much was some core away? A core at a time: up to 1. */
double witness_share_away(const witness *w);

#endif
