/* estimate.c - see estimate.h. */
#include "estimate.h"

#include <math.h>

#define RATE_MEMORY_NS ((double)(NS_PER_S / 2)) /* arrivals older than some of these are forgotten */
#define RATE_NS_MIN ((double)(20 * NS_PER_MS)) /* a rate over less than this is chance */
#define OWN_CLASS_SHARE 0.5
#define BANDWIDTH_SHARE_MIN 0.02 /* what the lowest class is assumed to get in any case */

static double decay(const estimate *e, uint64_t now_ns)
{
    return now_ns > e->updated_ns ? exp(-(double)(now_ns - e->updated_ns) / RATE_MEMORY_NS) : 1;
}

/* A decaying sum that began a short while ago has not seen a full memory: this makes up for it. */
static double correction(const estimate *e, uint64_t now_ns)
{
    double age_ns = fmax((double)(now_ns - u64_min(now_ns, e->begun_ns)), RATE_NS_MIN);
    return 1 / (1 - exp(-age_ns / RATE_MEMORY_NS));
}

void estimate_admit(estimate *e, uint32_t rank, uint64_t packed_size, uint64_t now_ns)
{
    if (!e->begun) {
        e->begun = true;
        e->begun_ns = e->updated_ns = now_ns;
    }
    double kept = decay(e, now_ns);
    for (uint32_t i = 0; i < SCHED_CLASS_COUNT; ++i) {
        e->rates[i] *= kept;
    }
    e->rates[rank] += (double)packed_size * (double)NS_PER_S / RATE_MEMORY_NS;
    e->updated_ns = u64_max(e->updated_ns, now_ns);
}

uint64_t estimate_ready_ns(const estimate *e, const sched *s, const window *w, const estimate_query *query,
                           uint64_t now_ns)
{
    double to_come = OWN_CLASS_SHARE * e->rates[query->rank];
    for (uint32_t higher = 0; higher < query->rank; ++higher) {
        to_come += e->rates[higher];
    }
    to_come *= decay(e, now_ns) * correction(e, now_ns);
    double bandwidth = (double)u64_max(window_bandwidth(w), 1);
    double share = fmax(1 - to_come / bandwidth, BANDWIDTH_SHARE_MIN);
    uint64_t ahead = sched_bytes_ahead(s, query->rank, query->client, query->deadline_ns) + window_in_flight(w);
    double read_ns = (double)window_predict_ns(w, ahead, query->packed_size, now_ns) / share;
    double decode_ns = (double)query->raw_size * (double)NS_PER_S / (double)u64_max(query->decode_bytes_per_second, 1);
    return now_ns + (uint64_t)(read_ns + decode_ns);
}
