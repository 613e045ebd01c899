/* Shows that the gain of the window settles where half as many bytes again in flight bring hardly more bandwidth: on
 * devices whose bandwidth saturates sooner or later, with noise and stalls on top, that a noisy host does not talk it
 * into more, and that it comes down again when the device changes. The device is a curve here: bandwidth by gain. All
 * on a virtual clock. */
#include "unit.h"

#include "gain.h"

#include <math.h>

#define READ_BYTES (256u << 10)
#define BANDWIDTH 2e9
#define SWING_NS (7 * NS_PER_MS)
#define SPOILED_EVERY 8u /* reads: fewer than a slot has */
#define NOISY_RUNS 50u
#define NOISY_SECONDS 10u

typedef struct device {
    double knee; /* the gain at which 63 % of the bandwidth is reached; 0: all of it at any */
    uint32_t noise_percent; /* of each read's time, up and down */
    uint64_t stall_ns, stall_every_ns; /* nothing completes for so long, so often */
    uint32_t swing_percent; /* of the bandwidth, up and down, every few milliseconds: others on the same host */
    bool spoiled; /* too often for a slot to end */
} device;

typedef struct run {
    gain g;
    uint64_t now_ns, random;
    double least, most; /* tried in the last part of the run */
    double gain_seconds; /* what was learnt, summed up over the time */
    uint64_t swing_until_ns;
    double swing;
    uint64_t read_count;
} run;

static double bandwidth_at(const device *d, double value)
{
    return d->knee == 0 ? BANDWIDTH : BANDWIDTH * (1 - exp(-value / d->knee));
}

static void simulate(run *r, const device *d, uint64_t seconds)
{
    uint64_t end_ns = r->now_ns + seconds * NS_PER_S;
    uint64_t stall_ns = r->now_ns + d->stall_every_ns;
    r->least = GAIN_MIN * 100;
    r->most = 0;
    while (r->now_ns < end_ns) {
        double value = gain_now(&r->g, r->now_ns);
        assert_true(value >= GAIN_MIN);
        r->least = value < r->least ? value : r->least;
        r->most = value > r->most ? value : r->most;
        double ns = READ_BYTES * 1e9 / bandwidth_at(d, value);
        double noise = (double)unit_below(&r->random, 2 * d->noise_percent + 1) - d->noise_percent;
        if (r->now_ns >= r->swing_until_ns) {
            r->swing_until_ns = r->now_ns + SWING_NS;
            r->swing = (double)unit_below(&r->random, 2 * d->swing_percent + 1) - d->swing_percent;
        }
        r->gain_seconds += r->g.value * ns / 1e9;
        r->now_ns += (uint64_t)(ns * (1 + noise / 100) * (1 + r->swing / 100));
        if (d->stall_every_ns != 0 && r->now_ns >= stall_ns) {
            r->now_ns += d->stall_ns;
            stall_ns = r->now_ns + d->stall_every_ns;
        }
        bool spoiled = d->spoiled && ++r->read_count % SPOILED_EVERY == 0;
        gain_complete(&r->g, READ_BYTES, 4 * READ_BYTES, spoiled, r->now_ns);
    }
}

static run begin(void)
{
    run r = { .random = 11, .now_ns = NS_PER_S };
    gain_init(&r.g);
    return r;
}

/* How much half as many bytes again bring at what was learnt. */
static double more_at(const device *d, double value)
{
    return bandwidth_at(d, value * 1.5) / bandwidth_at(d, value);
}

static void a_device_that_is_busy_anyway_gets_no_more(void **state)
{
    (void)state;
    run r = begin();
    device d = { .noise_percent = 30 };
    simulate(&r, &d, 60);
    assert_true(r.g.value == GAIN_MIN);
    assert_true(r.most <= GAIN_MIN * 1.5);
}

static void what_brings_more_is_taken(void **state)
{
    (void)state;
    static const double knees[] = { 1, 1.5, 2, 2.5 };
    double last = 0;
    for (size_t i = 0; i < COUNT_OF(knees); ++i) {
        run r = begin();
        device d = { .knee = knees[i], .noise_percent = 10 };
        simulate(&r, &d, 2);
        print_message("knee %.1f: gain %.2f, %.3f of the bandwidth, half as much again brings %.3f\n", d.knee,
                      r.g.value, bandwidth_at(&d, r.g.value) / BANDWIDTH, more_at(&d, r.g.value));
        assert_true(bandwidth_at(&d, r.g.value) >= 0.8 * BANDWIDTH);
        assert_true(more_at(&d, r.g.value) <= 1.10);
        assert_true(r.g.value >= last); /* later knees want larger windows */
        last = r.g.value;
    }
}

/* A host that takes the processors away, nine times a second for 20 ms. */
static void stalls_teach_nothing(void **state)
{
    (void)state;
    device calm = { .knee = 2, .noise_percent = 10 };
    device stalled = { .knee = 2, .noise_percent = 10, .stall_ns = 20 * NS_PER_MS, .stall_every_ns = 90 * NS_PER_MS };
    run a = begin(), b = begin();
    simulate(&a, &calm, 4);
    simulate(&b, &stalled, 4);
    assert_true(b.g.value >= a.g.value / 1.3 && b.g.value <= a.g.value * 1.3);
}

static double average_gain(const device *d)
{
    double gain_seconds = 0;
    for (uint32_t i = 0; i < NOISY_RUNS; ++i) {
        run r = begin();
        r.random = i;
        simulate(&r, d, NOISY_SECONDS);
        gain_seconds += r.gain_seconds;
    }
    return gain_seconds / (NOISY_RUNS * NOISY_SECONDS);
}

/* Where nothing but the host changes from slot to slot, larger windows are not taken by chance, or not for long. */
static void a_noisy_host_is_no_reason(void **state)
{
    (void)state;
    double noisy = average_gain(&(device){ .noise_percent = 30, .swing_percent = 30 });
    double noisier = average_gain(&(device){ .noise_percent = 30, .swing_percent = 60 });
    print_message("gain %.3f on average, and %.3f where the host swings twice as far\n", noisy, noisier);
    assert_true(noisy <= GAIN_MIN * 1.05);
    assert_true(noisier <= GAIN_MIN * 1.20);
}

static void it_comes_down_again(void **state)
{
    (void)state;
    run r = begin();
    device wants_more = { .knee = 2.5, .noise_percent = 10 }, busy = { .noise_percent = 10 };
    simulate(&r, &wants_more, 4);
    assert_true(r.g.value > 2 * GAIN_MIN);
    simulate(&r, &busy, 40);
    assert_true(r.g.value == GAIN_MIN);
    simulate(&r, &wants_more, 40);
    assert_true(r.g.value > 2 * GAIN_MIN);
}

/* With nothing more to read, or late completions, nothing is learnt, and nothing larger is tried for long. */
static void spoiled_reads_teach_nothing(void **state)
{
    (void)state;
    run r = begin();
    device d = { .knee = 2.5, .spoiled = true };
    simulate(&r, &d, 10);
    assert_true(r.g.value == GAIN_MIN);
    assert_true(r.most == GAIN_MIN);
    d.spoiled = false; /* and when they tell something again, it is soon heard */
    simulate(&r, &d, 3);
    assert_true(r.g.value > 2 * GAIN_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_that_is_busy_anyway_gets_no_more),
        cmocka_unit_test(what_brings_more_is_taken),
        cmocka_unit_test(stalls_teach_nothing),
        cmocka_unit_test(a_noisy_host_is_no_reason),
        cmocka_unit_test(it_comes_down_again),
        cmocka_unit_test(spoiled_reads_teach_nothing),
    };
    return cmocka_run_group_tests_name("gain", tests, NULL, NULL);
}
