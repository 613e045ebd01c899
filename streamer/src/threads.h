/* threads.h - how Leat's own threads are started, how many cores there are for them, and how soon they get one.
 *
 * Signals are the engine's: its handlers must not run on our stacks, so every thread begins with all of them blocked.
 */
#ifndef LEAT_THREADS_H
#define LEAT_THREADS_H

#include "base.h"

#include <pthread.h>

/* For threads that forward and hardly compute. A thread that wakes takes a core from one with a longer slice at once,
 * as far as its share allows; otherwise it waits for the end of that one's slice, which is 3 ms by default: ten urgent
 * reads. Shares of the processor stay what they are. */
#define THREAD_SLICE_NS_SHORT (NS_PER_MS / 5)

/* Starts a thread under a name of at most 15 bytes; false, and errno says why, if there is
 * none to be had. */
bool thread_start(pthread_t *thread, void *(*run)(void *), void *argument, const char *name);

/* Waits for its end; hopeless: only so long that what it may be doing is over, and false if it still is not. */
bool thread_join(pthread_t thread, bool hopeless);

/* The cores that this process may use: in a container or under taskset, fewer than the machine has. At least 1. */
uint32_t threads_usable_cores(void);

/* The calling thread's slice, where the kernel has such (Linux 6.12); elsewhere nothing changes. */
void thread_set_slice(uint64_t slice_ns);

#endif
