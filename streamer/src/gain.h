/* gain.h - how many times the product of bandwidth and latency the window holds.
 *
 * Once would do for a device that serves its reads in a row at an even pace. Real ones have channels that are hit
 * unevenly, and completions that are looked at late because somebody else has the processor: they want more, and how
 * much differs. So it is tried: slots with a smaller and with a larger window take turns, and the medians of what was
 * delivered in them tell whether more bytes in flight bring more bandwidth, or only latency.
 *
 * Pure: time and completions are handed in. */
#ifndef LEAT_GAIN_H
#define LEAT_GAIN_H

#include "base.h"

#define GAIN_MIN 2.0 /* less is never tried */
#define GAIN_SLOTS 15u /* of each size of window, in one trial: the ratio of two medians is to err by hundredths */

typedef struct gain {
    double value; /* what was learnt */
    bool larger; /* the present slot has the larger window */
    uint64_t settle_bytes; /* that went out in the slot before, and still come back */
    uint64_t begin_ns; /* of what is counted in the present slot */
    uint64_t bytes;
    uint32_t reads;
    uint32_t spoiled; /* slots of this trial that tell nothing */
    uint32_t slot_count[2]; /* measured, with the smaller and with the larger window */
    uint64_t rate[2][GAIN_SLOTS];
    uint64_t rest_ns, rest_until_ns; /* between trials */
} gain;

void gain_init(gain *g);
/* The gain of the present slot. */
double gain_now(const gain *g, uint64_t now_ns);
/* A read came back, and in_flight_bytes are still out. spoiled: what is delivered about now says nothing about the
 * device. */
void gain_complete(gain *g, uint64_t bytes, uint64_t in_flight_bytes, bool spoiled, uint64_t now_ns);

#endif
