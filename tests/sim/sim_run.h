/* sim_run.h - one seed: a streamer over a simulated device is driven at random, and a model watches what it promises.
 *
 * The promises: exactly one terminal event for each request; a READY has the right bytes, also of a coarser part that
 * was taken for want of time, and of the version that was shown at submit; a cancel that was accepted ends as
 * CANCELLED; stale handles are refused, and handles of assets stay with their names; without faults nothing fails, with
 * faults that can be retried nothing fails either, and whatever fails, nothing delivers wrong bytes; urgent requests
 * overtake, classes end in order and clients share by weight where nothing else decides; a batch ends after its members
 * and counts them, and its fence is set then; each asset that a swap has changed is told of once, and no other; memory
 * and bytes in flight stay within what was allowed, and are counted right; what is refused leaves nothing behind; when
 * everything has ended, no memory is lent, no buffer used and no request alive; after destroy, no allocation is left.
 */
#ifndef LEAT_SIM_RUN_H
#define LEAT_SIM_RUN_H

#include "sim_tally.h"

typedef struct sim_report {
    uint64_t trace_hash; /* over all events: the same seed, the same hash */
    uint64_t events, requests;
    char failure[256]; /* empty: all promises were kept */
} sim_report;

/* Before the first seed, and after the last: makes and removes the folder that loose files are in. */
void sim_begin(void);
void sim_end(void);

/* Runs one seed, and adds to the tally. False if a promise was broken (see failure). Broken assertions inside Leat
 * abort the process. */
bool sim_run(uint64_t seed, sim_report *report, sim_tally *tally);

#endif
