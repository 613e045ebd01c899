/* nth_stream.c - fail the Nth: each allocation, each system call and each read of open -> stream -> close fails once,
 * and from then on, over each backend.
 *
 * Whatever fails: create and open say why or succeed; each request ends with one event; what is READY has the right
 * bytes; nothing is left behind. A failure that comes once costs at most what it hit: tried again, everything works,
 * and a read that fails once is repeated, so that no request fails at all.
 *
 *     nth_stream [uring|threads|sim|auto]      one backend; nothing: all */
#include "fault_run.h"
#include "stream_case.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

typedef struct fixture {
    test_pack pack;
    char path[SCRATCH_SIZE];
    leat_backend backend;
    leat_sim_desc sim;
    bool may_fail; /* a single fault may fail a request: it is final at once */
} fixture;

static stream_case case_of(const fixture *f)
{
    return stream_case_of(f->backend, &f->pack, f->path, &f->sim);
}

/* What Leat can do without: all reads succeed even if it is refused for ever. */
static bool is_harmless(const fixture *f, const fault_plan *plan)
{
    if (f->backend == LEAT_BACKEND_AUTO && plan->calls[0] == SYS_io_uring_setup) {
        return true;
    }
    static const int calls[] = { SYS_madvise, SYS_cachestat, SYS_prlimit64, SYS_io_uring_register, SYS_io_uring_enter };
    for (size_t i = 0; i < COUNT_OF(calls); ++i) {
        if (plan->calls[0] == calls[i]) {
            return true;
        }
    }
    return false;
}

static int scenario(fault_shared *shared, const fault_point *point, void *user)
{
    const fixture *f = user;
    stream_case c = case_of(f);
    bool persistent = point->persistent && !is_harmless(f, point->plan);
    uint32_t before = descriptor_count();
    atomic_store(&shared->armed, 1);
    bool open = stream_open(&c);
    if (!open && !persistent) {
        open = stream_open(&c);
        STREAM_CHECK(&c, open, "a second attempt after one failure: %s", c.error.text);
    }
    STREAM_CHECK(&c, open || point->nth != 0, "opened without a fault: %s", c.error.text);
    if (open) {
        stream_round(&c);
        STREAM_CHECK(&c, c.failed == 0 || persistent || f->may_fail, "%u requests failed for one fault", c.failed);
        stream_round(&c);
        STREAM_CHECK(&c, c.failed == 0 || persistent, "%u requests failed after the fault", c.failed);
        stream_close(&c);
    }
    atomic_store(&shared->armed, 0);
    uint32_t after = descriptor_count();
    STREAM_CHECK(&c, after == before, "%u descriptors before, %u after", before, after);
    return c.broken ? 1 : 0;
}

/* ---- What fails ---- */

static const fault_plan plans[] = {
    { .name = "allocation", .calls = { FAULT_NO_CALL }, .error = ENOMEM },
    { .name = "openat: EMFILE", .calls = { SYS_openat, FAULT_NO_CALL }, .error = EMFILE },
    { .name = "fstat: EIO", .calls = { SYS_newfstatat, SYS_fstat, FAULT_NO_CALL }, .error = EIO },
    { .name = "pread: EIO", .calls = { SYS_pread64, FAULT_NO_CALL }, .error = EIO },
    { .name = "pread: EINTR", .calls = { SYS_pread64, FAULT_NO_CALL }, .error = EINTR, .once_only = true },
    { .name = "preadv2: EIO", .calls = { SYS_preadv2, FAULT_NO_CALL }, .error = EIO },
    { .name = "preadv2: EINTR", .calls = { SYS_preadv2, FAULT_NO_CALL }, .error = EINTR },
    { .name = "preadv2: EOPNOTSUPP", .calls = { SYS_preadv2, FAULT_NO_CALL }, .error = EOPNOTSUPP },
    { .name = "read: EINTR", .calls = { SYS_read, FAULT_NO_CALL }, .error = EINTR, .once_only = true },
    { .name = "write: EINTR", .calls = { SYS_write, FAULT_NO_CALL }, .error = EINTR, .once_only = true },
    { .name = "mmap: ENOMEM", .calls = { SYS_mmap, FAULT_NO_CALL }, .error = ENOMEM },
    { .name = "madvise: EINVAL", .calls = { SYS_madvise, FAULT_NO_CALL }, .error = EINVAL },
    { .name = "eventfd: EMFILE", .calls = { SYS_eventfd2, FAULT_NO_CALL }, .error = EMFILE },
    { .name = "poll: EINTR", .calls = { SYS_ppoll, SYS_poll, FAULT_NO_CALL }, .error = EINTR, .once_only = true },
    { .name = "clone: EAGAIN", .calls = { SYS_clone, SYS_clone3, FAULT_NO_CALL }, .error = EAGAIN },
    { .name = "cachestat: ENOSYS", .calls = { SYS_cachestat, FAULT_NO_CALL }, .error = ENOSYS },
    { .name = "prlimit: EPERM", .calls = { SYS_prlimit64, FAULT_NO_CALL }, .error = EPERM },
    { .name = "io_uring_setup: ENOMEM", .calls = { SYS_io_uring_setup, FAULT_NO_CALL }, .error = ENOMEM },
    { .name = "io_uring_setup: EPERM", .calls = { SYS_io_uring_setup, FAULT_NO_CALL }, .error = EPERM },
    { .name = "io_uring_register: EINVAL", .calls = { SYS_io_uring_register, FAULT_NO_CALL }, .error = EINVAL },
    { .name = "io_uring_register: ENOMEM", .calls = { SYS_io_uring_register, FAULT_NO_CALL }, .error = ENOMEM },
    { .name = "io_uring_enter: EINTR",
      .calls = { SYS_io_uring_enter, FAULT_NO_CALL },
      .error = EINTR,
      .once_only = true },
    { .name = "io_uring_enter: EAGAIN",
      .calls = { SYS_io_uring_enter, FAULT_NO_CALL },
      .error = EAGAIN,
      .once_only = true },
    { .name = "io_uring_enter: EBUSY",
      .calls = { SYS_io_uring_enter, FAULT_NO_CALL },
      .error = EBUSY,
      .once_only = true },
    { .name = "io_uring_enter: EPERM", .calls = { SYS_io_uring_enter, FAULT_NO_CALL }, .error = EPERM },
};

/* AUTO differs from URING in one thing. And the sanitizers' own runtimes cannot live without some calls. */
static bool left_out(const fixture *f, const fault_plan *plan)
{
    bool needed = SANITIZED && (plan->calls[0] == SYS_mmap || plan->calls[0] == SYS_madvise);
    return needed || (f->backend == LEAT_BACKEND_AUTO && plan->calls[0] != SYS_io_uring_setup);
}

static int run_plans(fixture *f)
{
    int failures = 0;
    for (size_t i = 0; i < COUNT_OF(plans); ++i) {
        int result = left_out(f, &plans[i]) ? 0 : fault_run_every(&plans[i], scenario, NULL, f);
        if (result < 0) {
            printf("SKIPPED: system calls cannot be made to fail here (no seccomp listener)\n");
            return failures == 0 ? -1 : failures;
        }
        failures += result;
    }
    return failures;
}

/* ---- The Nth read of a simulated device ---- */

typedef struct read_fault {
    const char *name;
    leat_sim_fault kind;
    bool final; /* no retry mends it */
} read_fault;

static int run_read(fixture *f, const read_fault *fault, uint32_t nth, bool persistent)
{
    f->sim = (leat_sim_desc){ .seed = 5, .fault = fault->kind, .fault_first = nth, .fault_count = persistent ? 0 : 1 };
    stream_case c = case_of(f);
    if (!stream_open(&c)) {
        STREAM_CHECK(&c, false, "open: %s", c.error.text);
        return 1;
    }
    stream_round(&c);
    STREAM_CHECK(&c, c.failed == 0 || persistent || fault->final, "%u requests failed for one fault", c.failed);
    stream_round(&c);
    STREAM_CHECK(&c, c.failed == 0 || persistent || fault->final, "%u requests failed after the fault", c.failed);
    stream_round(&c);
    STREAM_CHECK(&c, c.failed == 0 || persistent, "%u requests failed after the fault", c.failed);
    STREAM_CHECK(&c, c.failed > 0 || !persistent || nth == 0 || fault->kind == LEAT_SIM_FAULT_SHORT,
                 "no request failed, although every read did");
    stream_close(&c);
    if (c.broken) {
        printf("FAILED: %s, read %u %s\n", fault->name, nth, persistent ? "and all after it" : "once");
    }
    return c.broken ? 1 : 0;
}

static int run_reads(fixture *f)
{
    static const read_fault faults[] = {
        { "EIO", LEAT_SIM_FAULT_EIO, false },
        { "EAGAIN", LEAT_SIM_FAULT_EAGAIN, false },
        { "EINTR", LEAT_SIM_FAULT_EINTR, false },
        { "a short read", LEAT_SIM_FAULT_SHORT, false },
        { "end of file", LEAT_SIM_FAULT_END_OF_FILE, true },
        { "a flipped bit", LEAT_SIM_FAULT_BIT_FLIP, true },
    };
    f->sim = (leat_sim_desc){ .seed = 5 };
    stream_case c = case_of(f);
    if (!stream_open(&c)) {
        return 1;
    }
    stream_round(&c);
    stream_round(&c);
    leat_stats stats;
    leat_stats_get(c.s, &stats);
    stream_close(&c);
    int failures = c.broken || stats.reads_issued == 0;
    for (size_t i = 0; i < COUNT_OF(faults); ++i) {
        int bad = 0;
        for (uint32_t nth = 1; nth <= stats.reads_issued; ++nth) {
            bad += run_read(f, &faults[i], nth, false) + run_read(f, &faults[i], nth, true);
        }
        printf("%-40s %4u reads, %d bad\n", faults[i].name, (unsigned)stats.reads_issued, bad);
        failures += bad;
    }
    f->sim = (leat_sim_desc){ .seed = 5 };
    return failures;
}

/* ---- The backends ---- */

static int run_backend(fixture *f, leat_backend backend, const char *name)
{
    f->backend = backend;
    stream_case c = case_of(f);
    if (!stream_open(&c)) {
        printf("SKIPPED: %s cannot be had here: %s\n", name, c.error.text);
        return -1;
    }
    stream_close(&c);
    printf("-- %s --\n", name);
    int failures = run_plans(f);
    if (backend == LEAT_BACKEND_SIM) {
        int more = run_reads(f);
        failures = failures < 0 ? (more > 0 ? more : -1) : failures + more;
    }
    return failures;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        leat_backend backend;
    } backends[] = { { "uring", LEAT_BACKEND_URING },
                     { "threads", LEAT_BACKEND_THREADS },
                     { "sim", LEAT_BACKEND_SIM },
                     { "auto", LEAT_BACKEND_AUTO } };
    static fixture f;
    stream_pack_make(&f.pack, f.path);
    int failures = 0;
    bool ran = false;
    for (size_t i = 0; i < COUNT_OF(backends); ++i) {
        if (argc > 1 && strcmp(argv[1], backends[i].name) != 0) {
            continue;
        }
        int result = run_backend(&f, backends[i].backend, backends[i].name);
        ran |= result >= 0;
        failures += result > 0 ? result : 0;
    }
    unlink(f.path);
    test_pack_free(&f.pack);
    printf("%d failures\n", failures);
    return failures > 0 ? 1 : ran ? 0 : FAULT_SKIP;
}
