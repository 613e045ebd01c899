/* methods.h - what the ways of reading a file have in common: where to read, when to stop, what is counted.
 *
 * A method sets itself up, calls turn_begin, reads what turn_next says until that says stop, calls turn_end, and tears
 * itself down: only what lies between is measured. Every system call between the first and the last of a method is
 * counted at its call site, also those outside of the measured part, so that strace can be held against it.
 *
 *     methods.c           the suite: file, turns, tables, figures
 *     methods_measure.c   what is declared here
 *     methods_blocking.c  pread on one and many threads, buffered and direct; mmap
 *     methods_aio.c       POSIX AIO of the C library; the kernel's Linux AIO
 *     methods_uring.c     io_uring, from plain to polled */
#ifndef LEAT_BENCH_METHODS_H
#define LEAT_BENCH_METHODS_H

#include "bench.h"

#include "base.h"

#include <stdatomic.h>

#define METHOD_DEPTH_MAX 256u
#define METHOD_THREADS 16u
#define METHOD_READ_BYTES_MAX (256u << 10)

/* Latencies by size: 32 buckets for each power of two, so within 3 %. */
#define HISTOGRAM_BUCKETS (64u * 32u)
typedef struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t count, sum_ns;
} histogram;
void histogram_add(histogram *h, uint64_t ns);
void histogram_merge(histogram *into, const histogram *from);
uint64_t histogram_quantile(const histogram *h, double q);

/* What one thread did. */
typedef struct tally {
    histogram latency;
    uint64_t operations;
    uint64_t calls; /* system calls, by their call sites */
    int error; /* errno of the first read that went wrong; EBADMSG: it brought other bytes */
} tally;

typedef struct turn {
    const char *path;
    uint64_t file_size; /* a power of two */
    bool checked; /* the file is ours: each block begins with its own offset */
    uint32_t read_size, depth, batch;
    bool once; /* cold: no position twice, else the second one would be warm */
    uint64_t seed, duration_ns;
    _Atomic uint64_t next;
    uint64_t begin_ns, end_ns; /* end_ns: when to stop */
    uint64_t cpu_begin_ns;
    int syscalls_fd; /* the kernel's own count; -1: not to be had */
    /* results */
    tally total;
    uint64_t elapsed_ns, cpu_ns;
    int64_t syscalls; /* by the kernel, -1 */
    uint64_t faults; /* page faults */
    uint64_t calls_prepared; /* counted before the clock started */
    const char *refused; /* why the method cannot run here; NULL: it ran */
    char refused_text[160];
} turn;

/* Asks the kernel to count the system calls of this process and of threads that it starts from here on; -1 where that
 * is not allowed. Close it after the turn. */
int turn_syscalls_open(void);
/* Starts the clocks. */
void turn_begin(turn *t);
/* Where to read next; false: enough. now_ns is the caller's clock, so that none is read twice. Any thread. */
bool turn_next(turn *t, uint64_t now_ns, uint64_t *offset);
/* Stops the clocks. */
void turn_end(turn *t);
/* Notes a read that has ended. result: bytes or -errno. */
void turn_note(const turn *t, tally *y, uint64_t offset, const void *bytes, int64_t result, uint64_t ns);
/* Says why it cannot be done here. */
void turn_refuse(turn *t, const char *what, int cause);
/* A thread's tally becomes part of the turn's. Not from two threads at once. */
void turn_merge(turn *t, const tally *y);

typedef enum method_kind { METHOD_BUFFERED = 0, METHOD_DIRECT } method_kind;

typedef struct method {
    const char *name, *text;
    method_kind kind;
    void (*run)(turn *t);
    double said; /* what introductions to io_uring say of system calls per operation; below 0: nothing */
    const char *why; /* why it may be otherwise here */
} method;

void method_pread(turn *t);
void method_pread_threads(turn *t);
void method_pread_direct(turn *t);
void method_mmap(turn *t);
void method_aio_posix(turn *t);
void method_aio_linux(turn *t);
void method_uring_buffered(turn *t);
void method_uring_direct(turn *t);
void method_uring_fixed(turn *t);
void method_uring_huge(turn *t);
void method_uring_sqpoll(turn *t);
void method_uring_iopoll(turn *t);
void method_uring_polled(turn *t);

#endif
