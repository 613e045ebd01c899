/* estimate.c - see estimate.h. */
#include "estimate.h"

#include <math.h>

#define RATE_MEMORY_NS ((double)(NS_PER_S / 2)) /* arrivals older than some of these are forgotten */
#define PAUSE_NS (2 * NS_PER_S) /* after which nearly all is forgotten, and what comes begins anew */
#define RATE_NS_MIN ((double)(20 * NS_PER_MS)) /* a rate over less than this is chance */
#define OWN_CLASS_SHARE 0.5
#define FLOW_GOES_ON 8.0 /* for so many times as long as it has been seen: of less, floods are told too late */
#define BANDWIDTH_SHARE_MIN 0.02 /* what the lowest class is assumed to get in any case */
#define WAIT_NS_MAX ((double)(UINT64_C(1) << 62)) /* a century: what is longer than that would not fit a time */

static uint64_t since(uint64_t then_ns, uint64_t now_ns)
{
    return now_ns - u64_min(now_ns, then_ns);
}

static double decay(uint64_t then_ns, uint64_t now_ns)
{
    return exp(-(double)since(then_ns, now_ns) / RATE_MEMORY_NS);
}

/* A decaying sum that began a short while ago has not seen a full memory: this makes up for it. */
static double correction(uint64_t begun_ns, uint64_t now_ns)
{
    double age_ns = fmax((double)since(begun_ns, now_ns), RATE_NS_MIN);
    return 1 / (1 - exp(-age_ns / RATE_MEMORY_NS));
}

void estimate_admit(estimate *e, uint32_t rank, uint64_t packed_size, uint64_t now_ns)
{
    if (!e->begun || since(e->updated_ns, now_ns) > PAUSE_NS) {
        *e = (estimate){ .begun = true, .begun_ns = now_ns, .updated_ns = now_ns };
    }
    if (now_ns > e->updated_ns) { /* of many at once, the first */
        double kept = decay(e->updated_ns, now_ns);
        for (uint32_t i = 0; i < SCHED_CLASS_COUNT; ++i) {
            e->rates[i] *= kept;
        }
        e->updated_ns = now_ns;
    }
    e->rates[rank] += (double)packed_size * (double)NS_PER_S / RATE_MEMORY_NS;
}

/* Bytes per second that will come before what is in this class; not corrected. */
static double rate_to_come(const estimate *e, uint32_t rank, uint64_t now_ns)
{
    double to_come = OWN_CLASS_SHARE * e->rates[rank];
    for (uint32_t higher = 0; higher < rank; ++higher) {
        to_come += e->rates[higher];
    }
    return to_come * decay(e->updated_ns, now_ns);
}

/* to_come: bytes per second that go first, of requests that came for came_ns, from the first to the last. What comes
 * all at once, as in a first frame, is much, and no flow: nothing is expected to follow it. */
static uint64_t ready_ns(double read_ns, double to_come, uint64_t came_ns, uint64_t bandwidth,
                         const estimate_query *query, uint64_t now_ns)
{
    double taken = to_come / (double)u64_max(bandwidth, 1);
    double share = fmax(1 - taken, BANDWIDTH_SHARE_MIN);
    double wait_ns = fmin(read_ns / share, read_ns + taken * FLOW_GOES_ON * (double)came_ns);
    double decode_ns = (double)query->raw_size * (double)NS_PER_S / (double)u64_max(query->decode_bytes_per_second, 1);
    return now_ns + (uint64_t)fmin(wait_ns + decode_ns, WAIT_NS_MAX);
}

static uint64_t bytes_ahead(const sched *s, const window *w, const estimate_query *query)
{
    uint64_t queued = sched_bytes_ahead(s, query->rank, query->deadline_ns);
    return queued - u64_min(queued, query->queued_size) + window_in_flight(w);
}

estimate_times estimate_ready(const estimate *e, const sched *s, const window *w, const estimate_query *query,
                              uint64_t now_ns)
{
    uint64_t ahead = bytes_ahead(s, w, query);
    double read_ns = (double)window_predict_ns(w, ahead, query->packed_size);
    double to_come = rate_to_come(e, query->rank, now_ns) * correction(e->begun_ns, now_ns);
    uint64_t came_ns = e->updated_ns - e->begun_ns;
    estimate_times times = { .ready_ns = ready_ns(read_ns, to_come, came_ns, window_bandwidth(w), query, now_ns) };
    times.least_ns = times.ready_ns;
    if (window_knows(w) != WINDOW_KNOWS) {
        read_ns = (double)window_predict_least_ns(w, ahead, query->packed_size);
        times.least_ns = ready_ns(read_ns, to_come, came_ns, window_bandwidth_most(w), query, now_ns);
    }
    return times;
}

/* ---- For other threads ---- */

#define SIZE_MIN UINT64_C(4096)

/* From now to each horizon: 0, 4 ms, then twice as far each time, to where the scheduler tells deadlines apart no more.
 * The last one is no deadline at all. */
#define HORIZON_NS_MAX (8 * NS_PER_S)
static uint64_t horizon_ns(uint32_t i)
{
    return i == 0 ? 0 : u64_min((4 * NS_PER_MS) << (i - 1), HORIZON_NS_MAX);
}

void estimate_levels_take(const estimate *e, const sched *s, const window *w, uint64_t now_ns, estimate_levels *levels)
{
    levels->now_ns = now_ns;
    levels->begun_ns = e->begun_ns;
    levels->came_ns = e->updated_ns - e->begun_ns;
    levels->in_flight = window_in_flight(w);
    levels->bandwidth = u64_max(window_bandwidth(w), 1);
    for (uint32_t i = 0; i < ESTIMATE_SIZE_COUNT; ++i) {
        levels->latencies_ns[i] = window_predict_ns(w, 0, SIZE_MIN << i);
    }
    for (uint32_t rank = 0; rank < SCHED_CLASS_COUNT; ++rank) {
        levels->to_come[rank] = (uint64_t)rate_to_come(e, rank, now_ns);
        for (uint32_t i = 0; i < ESTIMATE_HORIZON_COUNT; ++i) {
            bool last = i + 1 == ESTIMATE_HORIZON_COUNT;
            levels->ahead[rank][i] = sched_bytes_ahead(s, rank, last ? NO_DEADLINE : now_ns + horizon_ns(i));
        }
    }
}

static double between(double from, double to, double part)
{
    return from + (to - from) * part;
}

static double bytes_before(const estimate_levels *levels, uint32_t rank, uint64_t deadline_ns)
{
    const uint64_t *ahead = levels->ahead[rank];
    uint64_t left_ns = deadline_ns - u64_min(deadline_ns, levels->now_ns);
    uint32_t after = 0;
    while (after + 1 < ESTIMATE_HORIZON_COUNT && left_ns > horizon_ns(after)) {
        ++after;
    }
    if (after == 0 || after + 1 == ESTIMATE_HORIZON_COUNT) {
        return (double)ahead[after];
    }
    uint64_t from_ns = horizon_ns(after - 1);
    return between((double)ahead[after - 1], (double)ahead[after],
                   (double)(left_ns - from_ns) / (double)(horizon_ns(after) - from_ns));
}

static double latency_ns(const estimate_levels *levels, uint64_t size)
{
    uint32_t i = 0;
    while (i + 2 < ESTIMATE_SIZE_COUNT && size > SIZE_MIN << (i + 1)) {
        ++i;
    }
    double from = (double)(SIZE_MIN << i);
    double part = fmax((double)size - from, 0) / from; /* more than 1 beyond the largest: as it goes on */
    return between((double)levels->latencies_ns[i], (double)levels->latencies_ns[i + 1], part);
}

uint64_t estimate_from_levels(const estimate_levels *levels, const estimate_query *query, uint64_t now_ns,
                              uint64_t *bytes_ahead)
{
    double ahead = bytes_before(levels, query->rank, query->deadline_ns) + (double)levels->in_flight;
    double transfer_ns = ahead * (double)NS_PER_S / (double)u64_max(levels->bandwidth, 1);
    *bytes_ahead = (uint64_t)ahead;
    double to_come =
        (double)levels->to_come[query->rank] * decay(levels->now_ns, now_ns) * correction(levels->begun_ns, now_ns);
    return ready_ns(transfer_ns + latency_ns(levels, query->packed_size), to_come, levels->came_ns, levels->bandwidth,
                    query, now_ns);
}
