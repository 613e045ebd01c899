/* stand_ins.c - threads.c's and spread.c's place: threads are the explorer's, and there are no cores. */
#include "explore.h"

#include "spread.h"
#include "threads.h"

bool thread_start(pthread_t *thread, void *(*run)(void *), void *argument, const char *name)
{
    return explore_create(thread, run, argument, name) == 0;
}

uint32_t threads_usable_cores(void)
{
    return 2;
}

void thread_set_slice(uint64_t slice_ns)
{
    (void)slice_ns;
}

void spread_look(spread *s, spread_place *place, uint64_t now_ns)
{
    (void)s;
    (void)place;
    (void)now_ns;
}

bool thread_join(pthread_t thread, bool hopeless)
{
    (void)hopeless;
    return pthread_join(thread, NULL) == 0;
}
