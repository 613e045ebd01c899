/* window.c - see window.h.
 *
 * Little's law says how many bytes a device needs in flight to be busy: bandwidth times the latency that it has when it
 * is not queueing. Both are measured, as in BBR (Cardwell et al., "BBR: congestion-based congestion control", 2016):
 *
 *   - bandwidth is the largest delivery rate of the last two periods, each rate taken over a round of completions while
 *     there was more to read. The window holds more than that needs (gain.h), so that a device which can do more
 *     shows it, and the window grows by that gain each round until more bytes bring only more latency;
 *   - latency is the median of the last reads that were alone on the device, each corrected by what the difference in
 *     size takes to transfer. So that the window's own queue does not hide it, each period begins with a drain: for a
 *     few reads only one is let out at a time. At a fraction of a millisecond per read that costs a thousandth; on slow
 *     devices the period is longer. Where urgent reads leave no gap, none is alone, and the drain is given up.
 *
 * One read at a time always looks enough, since then bandwidth is size by latency, and the product one read; on a
 * device that serves one read at a time (a card, a disk) it is. So one period in PROBE_PERIODS lets two out, and if
 * that brings more bandwidth, the product says so.
 *
 * A stall brings no rates, and so changes nothing: what waited behind it goes out in the same window as before. */
#include "window.h"

#include "gain.h"

#include <math.h>
#include <string.h>

#define START_GAIN 2.0
#define SLOW_GAIN 1.75 /* of devices whose every read is felt: one in flight, but for fractions */
#define START_GROWTH_NUM 5u /* starting up ends when doubling the window brings less than a quarter more, twice */
#define START_GROWTH_DEN 4u
#define START_MISSES_MAX 2u
#define TRIAL_LATENCY_NS_MAX (2 * NS_PER_MS)
#define PERIOD_NS_MIN (80 * NS_PER_MS)
#define PERIOD_LATENCIES 40u /* a period is at least that many latencies */
#define PERIOD_NS_MAX (2 * NS_PER_S)
#define READ_FRACTION_IGNORED 0.1 /* a need of 1.05 reads is one */
#define PROBE_PERIODS 8u
#define CALM_READS 3u /* in flight at least, but for no more than CALM_NS of the device's time */
#define CALM_NS (3 * NS_PER_MS / 2)
#define DRAIN_READS 2u /* reads that are alone on the device, at the start of a period */
#define DRAIN_TRIES 6u /* reads that are let out one by one for that */
#define ALONE_COUNT 9u /* reads that were alone, of which the median counts */
#define SIZE_CLASS_COUNT 24u
#define NEED_SMOOTH_NS (400 * NS_PER_MS) /* in which the need is smoothed */
#define NEED_RATIO_MAX 1.5 /* between what is measured now and the smoothed need */
#define ROUND_NS_MIN (2 * NS_PER_MS)
#define ROUND_READS 8u
#define TIMED_READS 8u /* after so many, the first one's luck is no more what is known of a read */
#define START_BANDWIDTH_TIMES 4u /* what is seen while starting up may be so much less than what there is */
#define BANDWIDTH_GUESS UINT64_C(100000000)
#define LATENCY_GUESS NS_PER_MS
#define READ_SIZE_GUESS KIB(256)

/* The last reads that had the device to themselves. */
typedef struct alone_reads {
    uint64_t bytes[ALONE_COUNT], latency_ns[ALONE_COUNT]; /* a ring */
    uint32_t count; /* ever taken */
} alone_reads;

struct window {
    window_desc desc;
    uint64_t in_flight; /* all */
    uint64_t in_flight_ordinary; /* without urgent reads */
    uint64_t idle_since_ns; /* when the last read came back: meant where none is in flight */
    double need; /* bandwidth x latency in bytes, smoothed; 0: not known yet */
    uint64_t need_at_ns;
    uint64_t limit;
    uint64_t read_size; /* smoothed size of ordinary reads */
    bool starting;
    uint32_t start_misses;
    uint64_t start_rate;
    /* the present round */
    uint64_t round_begin_ns, round_bytes;
    uint32_t round_reads;
    bool round_spoiled; /* starved, or failed: its rate says nothing */
    /* the present and the last period */
    uint64_t period_begin_ns;
    uint32_t drain_left, drain_tries_left;
    uint32_t period_count;
    bool probing; /* this period lets two reads out, whatever the product says */
    uint64_t rate[2];
    uint64_t latency[2][SIZE_CLASS_COUNT]; /* smallest: what is predicted by, and what the window is built on before any
                                            * read was alone */
    alone_reads alone;
    bool alone_now; /* the one read in flight was issued to an idle device */
    gain gain;
    bool calm; /* window_set_calm */
    bool slow; /* so slow that a trial of gains would take seconds; what it looks for is small beside such latencies */
    uint64_t bandwidth; /* largest of rate, or what was known before */
    uint64_t smooth_rate; /* for estimates */
    bool rate_known; /* smooth_rate comes from rounds with more to read, not from single reads */
    uint32_t timed; /* reads so far, up to TIMED_READS */
};

static uint32_t class_of(uint64_t size)
{
    uint32_t log = size < 2 ? 0 : 63u - (uint32_t)__builtin_clzll(size);
    return u32_min(log, SIZE_CLASS_COUNT - 1);
}

static uint64_t smaller_known(uint64_t a, uint64_t b)
{
    return a == 0 ? b : b == 0 ? a : u64_min(a, b);
}

/* Latency of an ordinary read on the idle device, from the nearest size class that has been seen. */
static uint64_t latency_of_class(const window *w, uint32_t wanted)
{
    for (uint32_t distance = 0; distance < SIZE_CLASS_COUNT; ++distance) {
        uint64_t found = 0;
        if (wanted >= distance) {
            found = smaller_known(w->latency[0][wanted - distance], w->latency[1][wanted - distance]);
        }
        if (found == 0 && wanted + distance < SIZE_CLASS_COUNT) {
            found = smaller_known(w->latency[0][wanted + distance], w->latency[1][wanted + distance]);
        }
        if (found != 0) {
            return found;
        }
    }
    return LATENCY_GUESS;
}

window *window_create(const window_desc *desc)
{
    window *w = memory_allocate(desc->memory, 1, sizeof(*w), CACHE_LINE_SIZE);
    if (w == NULL) {
        return NULL;
    }
    w->desc = *desc;
    w->starting = true;
    gain_init(&w->gain);
    w->read_size = READ_SIZE_GUESS;
    w->bandwidth = w->smooth_rate = BANDWIDTH_GUESS;
    w->limit = desc->bytes_fixed != 0 ? desc->bytes_fixed : u64_max(desc->bytes_min, 2 * READ_SIZE_GUESS);
    return w;
}

void window_destroy(window *w)
{
    if (w != NULL) {
        memory_free(w->desc.memory, w, 1, sizeof(*w));
    }
}

static void alone_add(alone_reads *a, uint64_t bytes, uint64_t latency_ns)
{
    a->bytes[a->count % ALONE_COUNT] = bytes;
    a->latency_ns[a->count++ % ALONE_COUNT] = latency_ns;
}

/* What a read that was alone would have taken with the size of an ordinary one: less or more by the transfer. */
static uint64_t alone_resized(const window *w, uint32_t number, double ns_per_byte)
{
    double latency_ns = (double)w->alone.latency_ns[number];
    double more = (double)w->read_size - (double)w->alone.bytes[number];
    return (uint64_t)fmax(latency_ns + more * ns_per_byte, latency_ns / 8);
}

/* Latency of an ordinary read without a queue: the median of the last that were alone, where there were any. The
 * smallest of many is the luck of one, and a window that is built on it starves the device; a mean takes in each stall
 * of the host, and a window that is built on that makes urgent reads wait. Of all sizes together: with a median for
 * each size class, three accidents of a rare size decide what the window is while reads are of about that size. */
static uint64_t latency_unqueued(const window *w)
{
    uint32_t count = u32_min(w->alone.count, ALONE_COUNT);
    if (count == 0) {
        return latency_of_class(w, class_of(w->read_size));
    }
    double ns_per_byte = (double)NS_PER_S / (double)u64_max(w->bandwidth, 1);
    uint64_t sorted[ALONE_COUNT];
    for (uint32_t i = 0; i < count; ++i) {
        uint64_t latency_ns = alone_resized(w, i, ns_per_byte);
        uint32_t at = i;
        for (; at > 0 && sorted[at - 1] > latency_ns; --at) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = latency_ns;
    }
    return u64_max(sorted[(count - 1) / 2], 1);
}

/* The product of two measures errs by what both err, from period to period; a window that follows it is at its largest
 * just when urgent reads meet it. A need that has truly changed is followed at once, to within NEED_RATIO_MAX. */
static double smooth_need(window *w, double measured, uint64_t now_ns)
{
    double share = (double)(now_ns - w->need_at_ns) / (double)NEED_SMOOTH_NS;
    if (w->starting || w->need == 0) {
        w->need = measured;
    } else {
        w->need += (measured - w->need) * (share < 1 ? share : 1);
        w->need = fmin(fmax(w->need, measured / NEED_RATIO_MAX), measured * NEED_RATIO_MAX);
    }
    w->need_at_ns = now_ns;
    return w->need;
}

/* What the device needs: gain x bandwidth x latency, but never less than one read on its way while another is served.
 */
static void set_limit(window *w, uint64_t now_ns)
{
    if (w->desc.bytes_fixed != 0) {
        return;
    }
    uint64_t latency_ns = latency_unqueued(w);
    double needed = smooth_need(w, (double)w->bandwidth * (double)latency_ns / (double)NS_PER_S, now_ns);
    /* Reads come whole: a need of 1.2 reads is two in flight, not the one that fits into 1.5 x 1.2. */
    double reads = ceil(needed / (double)w->read_size - READ_FRACTION_IGNORED);
    w->slow = latency_ns > TRIAL_LATENCY_NS_MAX;
    double times = w->starting ? START_GAIN : w->slow ? SLOW_GAIN : gain_now(&w->gain, now_ns);
    uint64_t bytes = (uint64_t)(needed * times);
    bytes = u64_max(bytes, (uint64_t)(reads > 0 ? reads : 0) * w->read_size);
    bytes = u64_max(bytes, u64_max((w->starting || w->probing ? 2 : 1) * w->read_size, w->desc.bytes_min));
    if (w->calm) {
        bytes = u64_max(bytes, u64_min(CALM_READS * w->read_size, w->smooth_rate / (NS_PER_S / CALM_NS)));
    }
    w->limit = u64_min(bytes, w->desc.bytes_max);
}

static void begin_period(window *w, uint64_t now_ns)
{
    uint64_t latency_ns = latency_of_class(w, class_of(w->read_size));
    uint64_t length_ns = u64_min(u64_max(PERIOD_NS_MIN, latency_ns * PERIOD_LATENCIES), PERIOD_NS_MAX);
    if (w->period_begin_ns != 0 && now_ns - u64_min(now_ns, w->period_begin_ns) < length_ns) {
        return;
    }
    bool first = w->period_begin_ns == 0;
    w->period_begin_ns = now_ns;
    if (w->rate[0] == 0) {
        return; /* nothing was learnt (a stall, or nothing to read): what is known stays */
    }
    w->rate[1] = w->rate[0];
    w->rate[0] = 0;
    memcpy(w->latency[1], w->latency[0], sizeof(w->latency[1]));
    memset(w->latency[0], 0, sizeof(w->latency[0]));
    w->drain_left = first || w->starting ? 0 : DRAIN_READS;
    w->drain_tries_left = DRAIN_TRIES;
    w->probing = ++w->period_count % PROBE_PERIODS == 0;
}

static void end_start(window *w, uint64_t rate)
{
    if (!w->starting) {
        return;
    }
    if (rate * START_GROWTH_DEN < w->start_rate * START_GROWTH_NUM) {
        w->starting = ++w->start_misses < START_MISSES_MAX;
    } else {
        w->start_misses = 0;
    }
    w->start_rate = u64_max(w->start_rate, rate);
}

/* A round is some reads, long enough that its rate is not an accident of when completions are seen. */
static void end_round(window *w, uint64_t now_ns)
{
    uint64_t passed_ns = now_ns - w->round_begin_ns;
    uint64_t least_ns = w->starting ? 0 : ROUND_NS_MIN;
    if (w->round_reads < (w->starting ? ROUND_READS / 2 : ROUND_READS) || passed_ns < least_ns || passed_ns == 0) {
        return;
    }
    if (!w->round_spoiled) {
        uint64_t rate = (uint64_t)((double)w->round_bytes * (double)NS_PER_S / (double)passed_ns);
        end_start(w, rate);
        w->rate[0] = u64_max(w->rate[0], rate);
        w->bandwidth = u64_max(u64_max(w->rate[0], w->rate[1]), 1);
        /* While starting up each round has more in flight: the best so far says the most. */
        w->smooth_rate = !w->rate_known ? rate
                         : w->starting  ? u64_max(w->smooth_rate, rate)
                                        : w->smooth_rate - w->smooth_rate / 8 + rate / 8;
        w->rate_known = true;
    }
    w->round_begin_ns = now_ns;
    w->round_bytes = 0;
    w->round_reads = 0;
    w->round_spoiled = w->drain_left > 0;
}

void window_issue(window *w, uint64_t bytes, bool urgent, uint64_t now_ns)
{
    /* The device was idle until now: a round begins here. But where the window lets one read out at a time, the next
     * one goes out as soon as the last is back: to begin anew with each would be never to end a round, and so never to
     * learn that the device can do more. Slow ones want one at a time, and urgent reads would meet each probe of two.
     */
    bool at_once = w->idle_since_ns == now_ns && !w->slow;
    if (w->in_flight == 0 && !at_once) {
        w->round_begin_ns = now_ns;
        w->round_bytes = 0;
        w->round_reads = 0;
        w->round_spoiled = w->drain_left > 0;
    }
    w->alone_now = w->in_flight == 0;
    w->in_flight += bytes;
    if (!urgent) {
        if (w->drain_left > 0 && w->drain_tries_left-- == 0) {
            w->drain_left = 0;
        }
        w->in_flight_ordinary += bytes;
        w->read_size = w->read_size - w->read_size / 16 + bytes / 16;
    }
}

void window_complete(window *w, uint64_t bytes, bool urgent, uint64_t latency_ns, bool ok, bool untimed, bool starved,
                     uint64_t now_ns)
{
    ASSERT(w->in_flight >= bytes);
    w->in_flight -= bytes;
    w->idle_since_ns = now_ns;
    w->in_flight_ordinary -= urgent ? 0 : bytes;
    bool spoiled = !ok || untimed || starved || w->starting || w->slow || w->drain_left > 0;
    gain_complete(&w->gain, bytes, w->in_flight, spoiled, now_ns);
    if (!ok || untimed) {
        w->round_spoiled = true;
        return;
    }
    uint32_t class = class_of(bytes);
    w->latency[0][class] = smaller_known(w->latency[0][class], u64_max(latency_ns, 1));
    if (w->alone_now && w->in_flight == 0) {
        alone_add(&w->alone, bytes, u64_max(latency_ns, 1));
        w->drain_left -= w->drain_left > 0 ? 1 : 0;
    }
    w->round_bytes += bytes;
    ++w->round_reads;
    w->round_spoiled |= starved;
    if (!w->rate_known) { /* the device can do at least what one read shows; a lucky one must not fill it */
        uint64_t rate = u64_max((uint64_t)((double)bytes * (double)NS_PER_S / (double)u64_max(latency_ns, 1)), 1);
        w->smooth_rate = w->timed == 0 ? rate : (w->smooth_rate * 7 + rate) / 8 + 1;
        w->bandwidth = u64_min(w->smooth_rate, BANDWIDTH_GUESS);
    }
    w->timed = u32_min(w->timed + 1, TIMED_READS);
    end_round(w, now_ns);
    begin_period(w, now_ns);
    set_limit(w, now_ns);
}

void window_set_calm(window *w, bool calm)
{
    w->calm = calm;
}

bool window_allows(const window *w, uint64_t bytes, bool urgent)
{
    if (urgent || w->in_flight_ordinary == 0) {
        return true;
    }
    return w->drain_left == 0 && w->in_flight + bytes <= w->limit;
}

uint64_t window_bytes(const window *w)
{
    return w->limit;
}

uint64_t window_in_flight(const window *w)
{
    return w->in_flight;
}

uint64_t window_bandwidth(const window *w)
{
    return w->smooth_rate;
}

uint64_t window_latency_min(const window *w)
{
    return latency_of_class(w, class_of(4096));
}

/* Latency of a read of this size on the idle device: of the nearest class that was seen, less or more what the
 * difference in size takes to transfer. */
static double latency_of_size(const window *w, uint64_t bandwidth, uint64_t bytes)
{
    uint32_t wanted = class_of(bytes), found = wanted;
    for (uint32_t distance = 0; distance < SIZE_CLASS_COUNT; ++distance) {
        uint32_t smaller = wanted >= distance ? wanted - distance : wanted;
        uint32_t larger = u32_min(wanted + distance, SIZE_CLASS_COUNT - 1);
        if ((w->latency[0][smaller] | w->latency[1][smaller]) != 0) {
            found = smaller;
            break;
        }
        if ((w->latency[0][larger] | w->latency[1][larger]) != 0) {
            found = larger;
            break;
        }
    }
    double latency_ns = (double)latency_of_class(w, wanted);
    if (found == wanted) {
        return latency_ns;
    }
    double difference = ((double)bytes - 1.5 * (double)(UINT64_C(1) << found)) * (double)NS_PER_S;
    double moved_ns = latency_ns + difference / (double)u64_max(bandwidth, 1);
    return moved_ns > latency_ns / 8 ? moved_ns : latency_ns / 8;
}

static uint64_t predict_ns(const window *w, uint64_t bandwidth, uint64_t bytes_ahead, uint64_t bytes)
{
    double transfer_ns = (double)bytes_ahead * (double)NS_PER_S / (double)u64_max(bandwidth, 1);
    return (uint64_t)(transfer_ns + latency_of_size(w, bandwidth, bytes));
}

uint64_t window_predict_ns(const window *w, uint64_t bytes_ahead, uint64_t bytes)
{
    return predict_ns(w, w->smooth_rate, bytes_ahead, bytes);
}

window_knowledge window_knows(const window *w)
{
    return !w->rate_known ? WINDOW_KNOWS_NOTHING : w->starting ? WINDOW_KNOWS_SOME : WINDOW_KNOWS;
}

uint64_t window_bandwidth_most(const window *w)
{
    switch (window_knows(w)) {
    case WINDOW_KNOWS_NOTHING:
        return UINT64_MAX;
    case WINDOW_KNOWS_SOME:
        return START_BANDWIDTH_TIMES * w->smooth_rate;
    case WINDOW_KNOWS:
        break;
    }
    return w->smooth_rate;
}

uint64_t window_predict_least_ns(const window *w, uint64_t bytes_ahead, uint64_t bytes)
{
    if (window_knows(w) != WINDOW_KNOWS_NOTHING) {
        return predict_ns(w, window_bandwidth_most(w), bytes_ahead, bytes);
    }
    return w->timed == TIMED_READS ? predict_ns(w, w->smooth_rate, 0, bytes) : 0;
}
