/* spread.h - keeps threads that compute on cores of their own.
 *
 * A thread that wakes looks for an idle core among those that share a cache with its last one. Many virtual machines do
 * not tell which cores share a cache; there it wakes where it was, or beside whoever woke it, and stays there, with
 * another core idle, until the kernel balances: 10 to 20 ms later. So each thread notes its core, and one that finds
 * another of its kind on it goes to a core that has none, if there is one among those it may use. It is not bound to
 * that: a core that is taken by the engine is the kernel's to weigh. */
#ifndef LEAT_SPREAD_H
#define LEAT_SPREAD_H

#include "base.h"

#include <sched.h>
#include <stdatomic.h>

#define SPREAD_CORE_COUNT_MAX 1024u /* of a cpu_set_t; above, nobody is moved */

typedef struct spread {
    /* That were last seen there, asleep or not. Relaxed: nothing else is published by them, and a count that is read a
     * moment late costs one move, or one look more. */
    _Atomic uint16_t threads[SPREAD_CORE_COUNT_MAX];
} spread;

/* A thread's own. All zero: seen nowhere yet. */
typedef struct spread_place {
    uint32_t core; /* + 1 */
    uint64_t moved_ns; /* when it last tried to go elsewhere */
    cpu_set_t allowed; /* what it might use before that */
    bool bound; /* to one core: the kernel refused to give that back, and is asked again */
} spread_place;

/* The calling thread looks where it is. Some nanoseconds, unless it has to go. */
void spread_look(spread *s, spread_place *place, uint64_t now_ns);

#endif
