/* fault_fs.h - a file system of one file that fails on purpose, in a process of its own (FUSE, direct_io: every read of
 * the file comes to it, none is served from a cache).
 *
 * What it does to reads is in shared memory, so that a test changes it while reads are under way; what it has done is
 * counted there. It is mounted in a mount namespace of the test's own and ends with the test: nothing stays mounted. */
#ifndef LEAT_FAULT_FS_H
#define LEAT_FAULT_FS_H

#include "base.h"
#include "scratch.h"

#include <stdatomic.h>
#include <sys/types.h>

#define FAULT_FS_NAME "faulty.leat" /* the file, in the root of the file system */

/* The Nth read that is served counts from 1; "every" N means that each Nth is hit, 0 that none is. */
typedef struct fault_fs_plan {
    _Atomic uint32_t eio_every;
    _Atomic uint32_t eio_count_max; /* of those; 0: no end */
    _Atomic uint32_t short_every; /* gives half of what was asked for, */
    _Atomic uint32_t short_unit; /* in whole units of so many bytes, and at least one */
    _Atomic uint32_t flip_every; /* one bit is wrong in each 16 bytes: no chunk is spared */
    _Atomic uint32_t delay_us_max; /* each read waits for a time below that */
    _Atomic uint32_t stall_ms; /* the first read that sees it makes all reads wait for so long, once */
} fault_fs_plan;

typedef struct fault_fs_counts {
    _Atomic uint32_t reads, direct_reads; /* direct: of a descriptor with O_DIRECT */
    _Atomic uint32_t failed, cut, flipped, delayed, stalled;
} fault_fs_counts;

typedef struct fault_fs_shared {
    fault_fs_plan plan;
    fault_fs_counts counts;
    _Atomic uint64_t stall_end_ns; /* of CLOCK_MONOTONIC */
} fault_fs_shared;

typedef struct fault_fs {
    fault_fs_shared *shared;
    pid_t server;
    char folder[SCRATCH_SIZE]; /* where it is mounted */
    char path[SCRATCH_PATH_SIZE]; /* of the file */
} fault_fs;

/* Serves `bytes` under fs->path. Call while the process has one thread. False: it cannot be had here, and reason says
 * why (the device is missing, or mounting is not allowed). */
bool fault_fs_start(fault_fs *fs, const void *bytes, uint64_t size, char *reason, size_t reason_size);
/* From now on reads are served as they should be, and counted anew. */
void fault_fs_calm(fault_fs *fs);
/* The file system dies, with whatever reads it holds: they end with an error. */
void fault_fs_kill(fault_fs *fs);
/* Unmounts, and ends it if it lives. */
void fault_fs_stop(fault_fs *fs);

#endif
