/* methods_measure.c - see methods.h: clocks, positions, latencies, and the kernel's own count of system calls. */
#include "methods.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BUCKETS_LOG2 5u
#define READS_MIN 64u /* of a turn, however long they take: a busy machine may be late to start its threads */

/* ---- Latencies ---- */

static uint32_t bucket_of(uint64_t ns)
{
    if (ns < (1u << BUCKETS_LOG2)) {
        return (uint32_t)ns;
    }
    uint32_t power = 63u - (uint32_t)__builtin_clzll(ns);
    uint32_t within = (uint32_t)(ns >> (power - BUCKETS_LOG2)) & ((1u << BUCKETS_LOG2) - 1);
    return ((power - BUCKETS_LOG2 + 1) << BUCKETS_LOG2) + within;
}

/* The middle of a bucket. */
static uint64_t bucket_value(uint32_t bucket)
{
    if (bucket < (1u << BUCKETS_LOG2)) {
        return bucket;
    }
    uint32_t shift = (bucket >> BUCKETS_LOG2) - 1;
    uint64_t low = ((UINT64_C(1) << BUCKETS_LOG2) + (bucket & ((1u << BUCKETS_LOG2) - 1))) << shift;
    return low + (UINT64_C(1) << shift) / 2;
}

void histogram_add(histogram *h, uint64_t ns)
{
    ++h->counts[bucket_of(ns)];
    ++h->count;
    h->sum_ns += ns;
}

void histogram_merge(histogram *into, const histogram *from)
{
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; ++i) {
        into->counts[i] += from->counts[i];
    }
    into->count += from->count;
    into->sum_ns += from->sum_ns;
}

uint64_t histogram_quantile(const histogram *h, double q)
{
    uint64_t left = (uint64_t)(q * (double)h->count);
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; ++i) {
        if (left < h->counts[i]) {
            return bucket_value(i);
        }
        left -= h->counts[i];
    }
    return 0;
}

/* ---- The kernel's own count ---- */

/* Counts raw_syscalls:sys_enter of this process and the threads that it starts from here on; -1 where that is not
 * allowed (perf_event_paranoid, no tracefs). */
int turn_syscalls_open(void)
{
    static const char *const paths[] = { "/sys/kernel/tracing/events/raw_syscalls/sys_enter/id",
                                         "/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id" };
    unsigned long long id = 0;
    for (size_t i = 0; i < COUNT_OF(paths) && id == 0; ++i) {
        FILE *file = fopen(paths[i], "re");
        if (file != NULL) {
            id = fscanf(file, "%llu", &id) == 1 ? id : 0;
            fclose(file);
        }
    }
    struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr), .config = id, .inherit = 1 };
    return id == 0 ? -1 : (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static int64_t syscalls_read(int fd)
{
    uint64_t count;
    return fd >= 0 && read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count) ? (int64_t)count : -1;
}

/* ---- Turns ---- */

static uint64_t faults_now(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
}

void turn_begin(turn *t)
{
    t->faults = faults_now();
    t->syscalls = syscalls_read(t->syscalls_fd);
    t->cpu_begin_ns = bench_cpu_ns();
    t->begin_ns = bench_now_ns();
    t->end_ns = t->begin_ns + t->duration_ns;
}

void turn_end(turn *t)
{
    t->elapsed_ns = bench_now_ns() - t->begin_ns;
    t->cpu_ns = bench_cpu_ns() - t->cpu_begin_ns;
    int64_t after = syscalls_read(t->syscalls_fd);
    t->syscalls = t->syscalls >= 0 && after >= 0 ? after - t->syscalls : -1;
    t->faults = faults_now() - t->faults;
}

/* A bijection of [0, 2^bits): every position comes once, in no order that a device could guess. */
static uint64_t scatter(uint64_t i, uint64_t seed, uint32_t bits)
{
    uint64_t mask = (UINT64_C(1) << bits) - 1;
    i = (i + seed) & mask;
    for (uint32_t round = 0; round < 3; ++round) {
        i = (i * UINT64_C(0x9e3779b97f4a7c15)) & mask; /* odd: invertible */
        i ^= i >> (bits / 2 + 1);
    }
    return i;
}

bool turn_next(turn *t, uint64_t now_ns, uint64_t *offset)
{
    uint64_t count = t->file_size / t->read_size;
    uint64_t i = atomic_fetch_add_explicit(&t->next, 1, memory_order_relaxed);
    if ((now_ns >= t->end_ns && i >= READS_MIN) || (t->once && i >= count)) {
        return false;
    }
    *offset = scatter(i, t->seed, (uint32_t)__builtin_ctzll(count)) * t->read_size;
    return true;
}

void turn_note(const turn *t, tally *y, uint64_t offset, const void *bytes, int64_t result, uint64_t ns)
{
    if (result != (int64_t)t->read_size) {
        y->error = y->error != 0 ? y->error : result < 0 ? (int)-result : ENODATA;
        return;
    }
    uint64_t first;
    memcpy(&first, bytes, sizeof(first));
    if (t->checked && first != offset) {
        y->error = EBADMSG;
    }
    ++y->operations;
    histogram_add(&y->latency, ns);
}

void turn_merge(turn *t, const tally *y)
{
    histogram_merge(&t->total.latency, &y->latency);
    t->total.operations += y->operations;
    t->total.calls += y->calls;
    t->total.error = t->total.error != 0 ? t->total.error : y->error;
}

void turn_refuse(turn *t, const char *what, int cause)
{
    snprintf(t->refused_text, sizeof(t->refused_text), "%s: %s", what, strerror(cause));
    t->refused = t->refused_text;
}
