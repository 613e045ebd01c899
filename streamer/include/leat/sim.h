/* clang-format off */ /* columns are kept by hand, and a declaration stands in one line */
/* leat/sim.h - a simulated device, for tests of an engine's own streaming. UNSTABLE: may change with each version.
 *
 * With LEAT_BACKEND_SIM, which needs leat_desc.stepped, the bytes are those of the real packs, but time is virtual: a read
 * takes as long as the device described here would take, with jitter and faults drawn from the seed. The same calls and the
 * same seed give the same events, to the byte and the nanosecond, and the same trace.
 *
 *     struct leat_sim_desc sim = leat_sim_preset("sd");
 *     sim.seed = 7;
 *     if (leat_create(&(leat_desc){ .backend = LEAT_BACKEND_SIM, .stepped = true, .sim = &sim }, &s) != LEAT_OK) return 1;
 *     leat_update(s, &(leat_tick){ .now_ns = frame * 16666667 });
 */
#ifndef LEAT_SIM_H
#define LEAT_SIM_H

#include <leat/leat.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What can happen to a read. */
typedef enum leat_sim_fault {
    LEAT_SIM_FAULT_EIO = 0,
    LEAT_SIM_FAULT_EAGAIN = 1,
    LEAT_SIM_FAULT_EINTR = 2,
    LEAT_SIM_FAULT_SHORT = 3,
    LEAT_SIM_FAULT_END_OF_FILE = 4, /* result 0, as if the file had been truncated */
    LEAT_SIM_FAULT_BIT_FLIP = 5
} leat_sim_fault;

/* What happened to reads so far. */
typedef struct leat_sim_counts {
    uint64_t reads;
    uint64_t eio, eagain, eintr, short_reads, ends_of_file, bit_flips; /* as they were answered */
    uint64_t spikes;
    uint64_t stalled; /* reads that the stall held up */
    uint64_t halved;  /* reads at half the bandwidth */
    uint64_t begun_anew; /* reads that were under way when the device became serial */
} leat_sim_counts;

/* All zero is an NVMe drive of 3.5 GB/s without faults. Rates are per 1,000 reads. */
typedef struct leat_sim_desc {
    uint64_t seed;
    uint64_t latency_ns;       /* of one small read on an idle device; 0: 80 us */
    uint64_t bytes_per_second; /* over all channels; 0: 3.5 GB/s */
    uint32_t channel_count;    /* reads served side by side, sharing the bandwidth; 0: 8 */
    uint32_t jitter_per_mille; /* of the latency, drawn evenly up to this */
    uint64_t seek_ns;          /* added where a read does not follow the last one */

    uint64_t stall_at_ns; /* once, at this time of the device's life (0: never), nothing completes */
    uint64_t stall_ns;    /* for this long */
    uint64_t serial_at_ns; /* from then on (0: never), one read at a time, and what was under way begins anew: as when a
                              ring is taken away and reads go on without it */
    uint64_t halve_at_ns; /* from then on (0: never), half the bandwidth */

    uint32_t short_read_rate;
    uint32_t eio_rate;
    uint32_t eagain_rate;
    uint32_t eintr_rate;
    uint32_t bit_flip_rate;
    uint32_t end_of_file_rate; /* result 0, as if the file had been truncated */
    uint32_t spike_rate;       /* a read that takes 50 times as long */
    bool fail_all;             /* every read: EIO */

    /* "Fail the Nth": on top of the rates, reads number fault_first (1: the first; 0: none) and on meet `fault`. */
    leat_sim_fault fault;
    uint64_t fault_first;
    uint64_t fault_count; /* so many of them; 0: all that follow */

    bool scribbles; /* writes garbage into a buffer as long as a read into it is out */

    uint64_t decode_bytes_per_second; /* raw, of the one worker of a stepped streamer; 0: decoding takes no time */
    leat_sim_counts *counts; /* optional: added to, until leat_destroy returns */
} leat_sim_desc;

/* "nvme", "nvme7", "sata", "hdd", "sd", "stall" (an nvme drive that stalls for 2 s after 1 s), "halve" (one whose
 * bandwidth halves after 1 s); the default for other names. Any thread. */
LEAT_API leat_sim_desc leat_sim_preset(const char *name);

#ifdef __cplusplus
}
#endif

#endif
