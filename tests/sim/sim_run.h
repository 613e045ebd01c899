/* sim_run.h - one seed: a streamer over a simulated device is driven at random, and a model watches what it promises.
 *
 * The promises: exactly one terminal event for each request; a READY has the right bytes; a cancel that was accepted
 * ends as CANCELLED; stale handles are refused; without faults nothing fails, with faults that can be retried nothing
 * fails either, and whatever fails, nothing delivers wrong bytes; urgent requests overtake, and classes end in order
 * where nothing is shared; a batch ends after its members and counts them; memory and bytes in flight stay within what
 * was allowed, and are counted right; what is refused for want of memory leaves nothing behind; when everything has
 * ended, no memory is lent, no buffer used and no request alive; after destroy, no allocation is left. */
#ifndef LEAT_SIM_RUN_H
#define LEAT_SIM_RUN_H

#include "base.h"

typedef struct sim_report {
    uint64_t trace_hash; /* over all events: the same seed, the same hash */
    uint64_t events, requests;
    char failure[256]; /* empty: all promises were kept */
} sim_report;

/* Runs one seed. False if a promise was broken (see failure). Broken assertions inside Leat abort the process. */
bool sim_run(uint64_t seed, sim_report *report);

#endif
