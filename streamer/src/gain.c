/* gain.c - see gain.h. */
#include "gain.h"

#define GAIN_MAX 8.0
#define STEP 1.25 /* of the gain, upwards and downwards */
#define TRIAL_RATIO 1.5 /* between the two windows of a trial */
#define WORTH_MORE 1.05 /* half as much again in flight must bring as much more bandwidth as this to be taken */
#define PAIRS_WON_MIN 12u /* and more bandwidth in so many of the pairs of slots: by luck, in one trial of 57 */
#define WORTH_KEEPING 1.03 /* and if it brings less than this, it is given up */
#define SLOT_NS (6 * NS_PER_MS)
#define SLOT_READS 16u
#define SLOTS_SPOILED_MAX (4u * GAIN_SLOTS)
/* So long that urgent reads meet few trials; twice as long each time that one changed nothing. */
#define REST_NS_MIN (3 * NS_PER_S)
#define REST_NS_MAX (48 * NS_PER_S)
#define REST_NS_SPOILED NS_PER_S

void gain_init(gain *g)
{
    *g = (gain){ .value = GAIN_MIN, .rest_ns = REST_NS_MIN };
}

static double smaller(const gain *g)
{
    return g->value / STEP > GAIN_MIN ? g->value / STEP : GAIN_MIN;
}

double gain_now(const gain *g, uint64_t now_ns)
{
    return now_ns < g->rest_until_ns ? g->value : smaller(g) * (g->larger ? TRIAL_RATIO : 1);
}

static void begin_slot(gain *g, uint64_t in_flight_bytes, uint64_t now_ns)
{
    g->settle_bytes = in_flight_bytes;
    g->begin_ns = now_ns;
    g->bytes = 0;
    g->reads = 0;
}

static void end_trial(gain *g, double value, uint64_t now_ns)
{
    bool more = value > g->value; /* there may be yet more to be had: go on at once */
    g->rest_ns = value == g->value ? u64_min(2 * g->rest_ns, REST_NS_MAX) : REST_NS_MIN;
    g->rest_until_ns = more ? 0 : now_ns + g->rest_ns;
    g->value = value;
    g->slot_count[0] = g->slot_count[1] = 0;
    g->spoiled = 0;
    g->larger = false;
}

/* Nothing was learnt: that is no reason to rest for longer and longer. */
static void give_up_trial(gain *g, uint64_t now_ns)
{
    uint64_t rest_ns = g->rest_ns;
    end_trial(g, g->value, now_ns);
    g->rest_ns = rest_ns;
    g->rest_until_ns = now_ns + REST_NS_SPOILED;
}

static uint64_t median(uint64_t *rates)
{
    for (uint32_t i = 1; i < GAIN_SLOTS; ++i) {
        uint64_t rate = rates[i];
        uint32_t at = i;
        for (; at > 0 && rates[at - 1] > rate; --at) {
            rates[at] = rates[at - 1];
        }
        rates[at] = rate;
    }
    return rates[GAIN_SLOTS / 2];
}

/* In how many pairs of slots, one after the other, the larger window brought more. */
static uint32_t pairs_won(const gain *g)
{
    uint32_t won = 0;
    for (uint32_t i = 0; i < GAIN_SLOTS; ++i) {
        won += g->rate[1][i] > g->rate[0][i];
    }
    return won;
}

static void decide(gain *g, uint64_t now_ns)
{
    uint32_t won = pairs_won(g); /* before the rates are sorted */
    double ratio = (double)median(g->rate[1]) / (double)u64_max(median(g->rate[0]), 1);
    double value = ratio < WORTH_KEEPING ? smaller(g) : g->value;
    if (ratio >= WORTH_MORE && won >= PAIRS_WON_MIN) {
        value = g->value * STEP < GAIN_MAX ? g->value * STEP : GAIN_MAX;
    }
    end_trial(g, value, now_ns);
}

void gain_complete(gain *g, uint64_t bytes, uint64_t in_flight_bytes, bool spoiled, uint64_t now_ns)
{
    if (now_ns < g->rest_until_ns) {
        begin_slot(g, in_flight_bytes, now_ns);
        return;
    }
    if (spoiled) {
        if (g->reads > 0 && ++g->spoiled > SLOTS_SPOILED_MAX) {
            give_up_trial(g, now_ns);
        }
        begin_slot(g, in_flight_bytes, now_ns);
        return;
    }
    if (g->settle_bytes > 0) {
        g->settle_bytes -= u64_min(g->settle_bytes, bytes);
        g->begin_ns = now_ns;
        return;
    }
    g->bytes += bytes;
    ++g->reads;
    uint64_t passed_ns = now_ns - g->begin_ns;
    if (g->reads < SLOT_READS || passed_ns < SLOT_NS) {
        return;
    }
    g->rate[g->larger][g->slot_count[g->larger]++] =
        (uint64_t)((double)g->bytes * (double)NS_PER_S / (double)passed_ns);
    g->larger = !g->larger;
    if (g->slot_count[1] == GAIN_SLOTS) {
        decide(g, now_ns);
    }
    begin_slot(g, in_flight_bytes, now_ns);
}
