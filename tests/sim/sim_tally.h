/* sim_tally.h - what the seeds have covered: one counter for each thing that a caller or a device can do.
 *
 * A counter that stays at zero is something that is not tested, and makes `leat-sim --all-met` fail. Their names are
 * the table of README.md. */
#ifndef LEAT_SIM_TALLY_H
#define LEAT_SIM_TALLY_H

#include "base.h"

#include <stdio.h>

#define SIM_TALLIES(X)                                                                                                 \
    X(SEEDS_FAIR, "seeds without faults")                                                                              \
    X(SEEDS_FAULTY, "seeds with faults")                                                                               \
    X(SEEDS_FAIL_ALL, "seeds in which every read fails")                                                               \
    X(SEEDS_NO_MEMORY, "seeds in which allocations fail")                                                              \
    X(PROBES_URGENT, "urgent requests behind a crowd")                                                                 \
    X(PROBES_ORDER, "crowds whose classes end in order")                                                               \
    X(PROBES_SHARES, "clients that share by weight")                                                                   \
    X(DESTROYED_BUSY, "streamers destroyed with requests live")                                                        \
    X(CREATE_REFUSED, "streamers refused for want of memory")                                                          \
    X(REQUESTS, "requests")                                                                                            \
    X(REQUESTS_WHOLE, "  of whole assets")                                                                             \
    X(REQUESTS_BYTES, "  of ranges of bytes")                                                                          \
    X(REQUESTS_MIPS, "  of a mip and all smaller ones")                                                                \
    X(REQUESTS_MIP_RUN, "  of some mips")                                                                              \
    X(REQUESTS_LODS, "  of LODs of meshes")                                                                            \
    X(REQUESTS_LOOSE, "  of loose files")                                                                              \
    X(REQUESTS_EMPTY, "  of no bytes")                                                                                 \
    X(REQUESTS_BY_OLD_HANDLE, "  by an asset handle from before a swap")                                               \
    X(REQUESTS_TOGETHER, "  submitted with others in one call")                                                        \
    X(SUBMIT_FULL, "submits refused: FULL")                                                                            \
    X(SUBMIT_BAD, "submits refused: a bad desc among good ones")                                                       \
    X(BIND_LEAT, "ready in lent memory")                                                                               \
    X(BIND_CALLER, "ready in the caller's memory")                                                                     \
    X(BIND_LATE, "ready in memory bound late")                                                                         \
    X(BIND_TOO_SMALL, "failed: late memory too small")                                                                 \
    X(BIND_NEVER, "NEEDS_MEMORY answered with a cancel")                                                               \
    X(WAITED_LENT, "updates with requests that wait for lent memory")                                                  \
    X(WAITED_BIND, "updates with requests that wait for others' NEEDS_MEMORY")                                         \
    X(DEADLINES, "deadlines")                                                                                          \
    X(DEADLINES_MET, "  met")                                                                                          \
    X(DEADLINES_MISSED, "  missed")                                                                                    \
    X(LATE_COARSER, "  announced as missed, with a coarser part")                                                      \
    X(LATE_NOTHING, "  announced as missed, without one")                                                              \
    X(LATE_BY_ORDER, "  announced as missed, with a deadline that came later")                                         \
    X(DEGRADED_BY_ORDER, "  degraded for a deadline that came later")                                                  \
    X(DEGRADED_MIPS, "degraded by themselves: textures")                                                               \
    X(DEGRADED_LODS, "degraded by themselves: meshes")                                                                 \
    X(CANCEL_MAILED, "cancelled before admission")                                                                     \
    X(CANCEL_QUEUED, "cancelled while queued")                                                                         \
    X(CANCEL_WAITING, "cancelled while waiting for memory")                                                            \
    X(CANCEL_NEEDS_BIND, "cancelled while NEEDS_MEMORY is out")                                                        \
    X(CANCEL_READING, "cancelled while reading")                                                                       \
    X(CANCEL_DECODING, "cancelled while decoding")                                                                     \
    X(CANCEL_READY, "cancelled when ready, before the event")                                                          \
    X(CANCEL_STALE, "cancels refused: ended")                                                                          \
    X(CANCEL_TOGETHER, "cancelled with others in one call")                                                            \
    X(CANCEL_SOME_STALE, "cancels of many, with some that had ended")                                                  \
    X(CANCEL_TAG, "cancels by tag")                                                                                    \
    X(CANCEL_BATCH, "cancels by batch")                                                                                \
    X(CANCEL_PACK, "cancels by pack")                                                                                  \
    X(CANCEL_ALL, "cancels of everything")                                                                             \
    X(CHANGE_QUEUED, "re-prioritised while queued")                                                                    \
    X(CHANGE_READING, "re-prioritised while reading")                                                                  \
    X(CHANGE_DECODING, "re-prioritised while decoding")                                                                \
    X(CHANGE_TOGETHER, "re-prioritised with others in one call")                                                       \
    X(CHANGE_BAD, "re-prioritised with a bad one among them")                                                          \
    X(CHANGE_TAG, "re-prioritised by tag")                                                                             \
    X(CHANGE_BATCH, "re-prioritised by batch")                                                                         \
    X(CHANGE_PACK, "re-prioritised by pack")                                                                           \
    X(CHANGE_ALL, "re-prioritised: everything")                                                                        \
    X(COMMANDS_FULL, "commands refused: FULL")                                                                         \
    X(BATCHES, "batches ended")                                                                                        \
    X(BATCHES_SILENT, "  that tell their end only")                                                                    \
    X(BATCHES_FENCED, "  with a fence")                                                                                \
    X(BATCHES_EMPTY, "  without members")                                                                              \
    X(BATCHES_FAILED, "  with failures")                                                                               \
    X(BATCH_FULL, "batches refused: FULL")                                                                             \
    X(READY, "ended ready")                                                                                            \
    X(FAILED, "ended failed")                                                                                          \
    X(CANCELLED, "ended cancelled")                                                                                    \
    X(FAILED_CHANGED, "failed: a loose file was changed or removed")                                                   \
    X(PACKS_CLOSED, "packs closed")                                                                                    \
    X(PACKS_REOPENED, "packs opened again")                                                                            \
    X(PACKS_NO_MEMORY, "packs refused for want of memory")                                                             \
    X(PACKS_DAMAGED, "damaged packs refused")                                                                          \
    X(SWAPS, "swaps of packs")                                                                                         \
    X(SWAPS_BUSY, "  with requests live on them")                                                                      \
    X(SWAPS_FULL, "  refused: FULL")                                                                                   \
    X(SWAPS_DAMAGED, "  refused: damaged")                                                                             \
    X(SWAPS_LOOSE, "folders listed again")                                                                             \
    X(RELOADED_CHANGED, "assets told as changed")                                                                      \
    X(RELOADED_ADDED, "assets told as added")                                                                          \
    X(RELOADED_REMOVED, "assets told as removed")                                                                      \
    X(ASSETS_GONE, "handles of vanished assets refused")                                                               \
    X(FOUND_LAYERED, "names found in the higher of two layers")                                                        \
    X(ESTIMATES, "estimates")                                                                                          \
    X(WAITS, "leat_wait: something came")                                                                              \
    X(TIMEOUTS, "leat_wait: nothing came")                                                                             \
    X(UPDATES_CUT, "updates that left events for the next")                                                            \
    X(DESCRIPTOR_READY, "event descriptor found readable")                                                             \
    X(TRACED, "seeds traced")                                                                                          \
    X(READS, "reads")                                                                                                  \
    X(READS_RETRIED, "  retried")                                                                                      \
    X(CHUNKS, "chunks decoded")                                                                                        \
    X(CHUNKS_SHARED, "  for more than one request")                                                                    \
    X(CHUNKS_SKIPPED, "chunks not decoded: wanted no more")                                                            \
    X(CHUNKS_DAMAGED, "chunks found damaged")                                                                          \
    X(BOUND_READS, "updates with all reads in use")                                                                    \
    X(BOUND_OUTPUTS, "updates with all outputs in use")                                                                \
    X(BOUND_POOL, "updates with less than a read's room in the pool")                                                  \
    X(FAULT_EIO, "faults: EIO")                                                                                        \
    X(FAULT_EAGAIN, "faults: EAGAIN")                                                                                  \
    X(FAULT_EINTR, "faults: EINTR")                                                                                    \
    X(FAULT_SHORT, "faults: short read")                                                                               \
    X(FAULT_END, "faults: end of file")                                                                                \
    X(FAULT_FLIP, "faults: bit flip")                                                                                  \
    X(FAULT_SPIKE, "faults: fifty times the latency")                                                                  \
    X(FAULT_STALL, "faults: held up by a stall of 2 s")                                                                \
    X(FAULT_HALVED, "faults: half the bandwidth")                                                                      \
    X(FAULT_SERIAL, "faults: ring lost midway, read begun anew")

typedef enum sim_tally_name {
#define X(name, text) TALLY_##name,
    SIM_TALLIES(X)
#undef X
        TALLY_COUNT
} sim_tally_name;

typedef struct sim_tally {
    uint64_t counts[TALLY_COUNT];
} sim_tally;

/* One line for each. Returns how many are zero. */
uint32_t sim_tally_print(const sim_tally *tally, FILE *out);

#endif
