/* real_faults.c - what real machines do to a streamer: it is shut down under load, its pack changes while it is read,
 * the process forks, signals come all the time, and limits are low.
 *
 *     real_faults [shutdown|changes|fork|signals|limits]      nothing: all; over each backend that can be had */
#include "stream_case.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#define SHUTDOWN_COUNT 10u
#else
#define SANITIZED 0
#define SHUTDOWN_COUNT 100u
#endif
#define SHUTDOWN_REQUEST_COUNT 10000u
#define ROUND_COUNT 8u
#define FORK_COUNT 24u
#define WAITS_MAX 60000u /* of a millisecond: a limit for broken builds, not a measure */
#define NOFILE_MAX 40u
#define CHANGED_ROUND_COUNT 40u
#define EXEC_ARGUMENT "descriptors" /* what the program is started with in a child */

typedef struct fixture {
    test_pack pack;
    char path[SCRATCH_SIZE];
    leat_backend backend;
    leat_sim_desc sim;
} fixture;

static stream_case case_of(const fixture *f)
{
    return stream_case_of(f->backend, &f->pack, f->path, &f->sim);
}

static bool opened(stream_case *c)
{
    bool good = stream_open(c);
    STREAM_CHECK(c, good, "open: %s", c->error.text);
    return good;
}

/* ---- Shut down with 10,000 requests in flight ---- */

static bool shutdowns(fixture *f)
{
    stream_case c = case_of(f);
    static leat_read_desc reads[SHUTDOWN_REQUEST_COUNT];
    c.desc.request_count_max = SHUTDOWN_REQUEST_COUNT;
    uint64_t live = 0, reading = 0;
    for (uint32_t n = 0; n < SHUTDOWN_COUNT && !c.broken; ++n) {
        if (!opened(&c)) {
            break;
        }
        for (uint32_t i = 0; i < SHUTDOWN_REQUEST_COUNT; ++i) {
            reads[i] = (leat_read_desc){ .asset = leat_asset_at(c.s, c.handle, i % f->pack.asset_count) };
        }
        uint32_t taken = 0;
        leat_result result = leat_submit(c.s, reads, SHUTDOWN_REQUEST_COUNT, NULL, &taken);
        STREAM_CHECK(&c, result == LEAT_OK && taken == SHUTDOWN_REQUEST_COUNT, "%u requests were taken", taken);
        leat_stats stats = { 0 };
        uint32_t ended = 0; /* every other time once it reads, and every fourth once some are ready */
        for (uint32_t i = 0; n % 2 != 0 && i < WAITS_MAX && (stats.reads_issued == 0 || ended < n % 4 - 1); ++i) {
            ended += leat_wait(c.s, NS_PER_MS).count;
            leat_stats_get(c.s, &stats);
        }
        leat_stats_get(c.s, &stats);
        live += stats.requests_live;
        reading += stats.reads_issued > 0;
        c.handle = (leat_pack){ 0 }; /* not closed: destroy does it all */
        stream_close(&c);
    }
    printf("%u shutdowns: %llu requests were in flight on average, reads had begun in %llu\n", SHUTDOWN_COUNT,
           (unsigned long long)(live / SHUTDOWN_COUNT), (unsigned long long)reading);
    STREAM_CHECK(&c, reading >= SHUTDOWN_COUNT / 2, "no read had begun");
    STREAM_CHECK(&c, live / SHUTDOWN_COUNT > SHUTDOWN_REQUEST_COUNT / 2, "most requests had ended before");
    return !c.broken;
}

/* ---- The pack changes while it is read ---- */

typedef enum change { CHANGE_DELETED, CHANGE_REPLACED, CHANGE_TRUNCATED, CHANGE_OVERWRITTEN, CHANGE_COUNT } change;

static void make_change(const fixture *f, change what)
{
    char other[SCRATCH_PATH_SIZE];
    int fd = -1;
    switch (what) {
    case CHANGE_DELETED:
        unlink(f->path);
        break;
    case CHANGE_REPLACED:
        snprintf(other, sizeof(other), "%s.new", f->path);
        fd = open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, "not a pack", 10) != 10 || rename(other, f->path) != 0) {
            abort();
        }
        break;
    case CHANGE_TRUNCATED:
        if (truncate(f->path, (off_t)(f->pack.size / 3)) != 0) {
            abort();
        }
        break;
    case CHANGE_OVERWRITTEN:
    case CHANGE_COUNT:
        fd = open(f->path, O_WRONLY | O_CLOEXEC);
        for (uint64_t at = 5000; at < f->pack.size; at += 5000) {
            if (fd < 0 || pwrite(fd, "XXXXXXXX", 8, (off_t)at) != 8) {
                abort();
            }
        }
        break;
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* As it was; in place where the change was in place. */
static void undo_change(const fixture *f, change what)
{
    bool in_place = what == CHANGE_TRUNCATED || what == CHANGE_OVERWRITTEN;
    if (!in_place) {
        unlink(f->path);
    }
    int fd = open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 || pwrite(fd, f->pack.bytes, f->pack.size, 0) != (ssize_t)f->pack.size) {
        abort();
    }
    close(fd);
}

typedef struct changer {
    const fixture *f;
    change what;
    _Atomic bool stop;
    uint32_t count;
} changer;

static void *changer_main(void *argument)
{
    changer *t = argument;
    while (!atomic_load(&t->stop)) {
        make_change(t->f, t->what);
        undo_change(t->f, t->what);
        ++t->count;
    }
    make_change(t->f, t->what);
    return NULL;
}

/* While it is read, many times, and then for good. What is READY has the right bytes: stream_round looks. What cannot
 * be read any more fails, and nothing crashes. */
static bool changes(fixture *f)
{
    bool good = true;
    for (uint32_t what = 0; what < CHANGE_COUNT; ++what) {
        unlink(f->path);
        test_pack_write(&f->pack, f->path);
        stream_case c = case_of(f);
        if (!opened(&c)) {
            return false;
        }
        bool gone = what == CHANGE_TRUNCATED || what == CHANGE_OVERWRITTEN;
        changer t = { .f = f, .what = (change)what };
        pthread_t thread;
        pthread_create(&thread, NULL, changer_main, &t);
        uint32_t ready = 0, failed = 0;
        for (uint32_t i = 0; i < CHANGED_ROUND_COUNT; ++i) {
            stream_round(&c);
            ready += c.ready;
            failed += c.failed;
        }
        atomic_store(&t.stop, true);
        pthread_join(thread, NULL);
        stream_round(&c);
        STREAM_CHECK(&c, gone == (c.failed > 0), "change %u: %u requests failed", what, c.failed);
        STREAM_CHECK(&c, gone || failed == 0, "change %u: %u requests failed of a file that is still open", what,
                     failed);
        printf("change %u, %u times in %u rounds: %u ready, %u failed\n", what, t.count, CHANGED_ROUND_COUNT, ready,
               failed);
        stream_close(&c);
        good = good && !c.broken;
    }
    unlink(f->path);
    test_pack_write(&f->pack, f->path);
    return good;
}

/* ---- Fork ---- */

/* Bits of the descriptors that are open in this process, as the kernel lists them. */
static uint64_t open_here(void)
{
    uint64_t bits = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) {
        abort();
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        long fd = strtol(entry->d_name, NULL, 10);
        bits |= entry->d_name[0] != '.' && fd != dirfd(folder) ? UINT64_C(1) << (fd < 63 ? fd : 63) : 0;
    }
    closedir(folder);
    return bits;
}

/* What the child is that has called exec: it has the descriptors that there were before the streamer, and no others. */
static int descriptors_main(const char *expected)
{
    uint64_t bits = open_here(), wanted = strtoull(expected, NULL, 16);
    if (bits != wanted) {
        fprintf(stderr, "after exec: descriptors %llx instead of %llx\n", (unsigned long long)bits,
                (unsigned long long)wanted);
    }
    return bits == wanted ? 0 : 1;
}

static _Noreturn void child_of(leat_streamer *s, uint32_t number, uint64_t open_before)
{
    char bits[32];
    switch (number % 3) {
    case 0:
        leat_destroy(s); /* does nothing here */
        break;
    case 1:
        break; /* a child that knows nothing of Leat */
    default:
        snprintf(bits, sizeof(bits), "%llx", (unsigned long long)open_before);
        execl("/proc/self/exe", "real_faults", EXEC_ARGUMENT, bits, (char *)NULL);
        _exit(1);
    }
    _exit(0);
}

/* While everything is being read, the child may exec, exit, or destroy, which does nothing there; the parent notices
 * none of it. */
static bool forks(fixture *f)
{
    stream_case c = case_of(f);
    c.desc.request_count_max = 4 * f->pack.asset_count;
    uint64_t before = open_here();
    if (!opened(&c)) {
        return false;
    }
    for (uint32_t i = 0; i < FORK_COUNT && !c.broken; ++i) {
        uint32_t asked = f->pack.asset_count, ready = 0;
        for (uint32_t k = 0; k < asked; ++k) {
            leat_read_desc read = { .asset = leat_asset_at(c.s, c.handle, k) };
            STREAM_CHECK(&c, leat_read(c.s, &read, NULL) == LEAT_OK, "submit was refused");
        }
        pid_t child = fork();
        if (child == 0) {
            child_of(c.s, i, before);
        }
        int status = 0;
        waitpid(child, &status, 0);
        STREAM_CHECK(&c, WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %u ended with status %d", i, status);
        for (uint32_t idle = 0; ready < asked && idle < 60; ++idle) {
            leat_events events = leat_wait(c.s, NS_PER_S);
            for (uint32_t k = 0; k < events.count; ++k) {
                ready += events.items[k].type == LEAT_EVENT_READY;
                leat_release(c.s, events.items[k].request);
                idle = 0;
            }
        }
        STREAM_CHECK(&c, ready == asked, "%u of %u are READY after a fork", ready, asked);
        stream_round(&c);
        STREAM_CHECK(&c, c.failed == 0, "%u requests failed after a fork", c.failed);
    }
    stream_close(&c);
    return !c.broken;
}

/* ---- Signals ---- */

static _Atomic uint32_t signal_count;

static void on_alarm(int number)
{
    (void)number;
    atomic_fetch_add(&signal_count, 1);
}

/* Handlers without SA_RESTART, five thousand times a second, by the clock and by the processor's time: nothing fails
 * for them. */
static bool signals(fixture *f)
{
    struct sigaction action = { .sa_handler = on_alarm }, before, before_prof;
    struct itimerval storm = { .it_interval.tv_usec = 200, .it_value.tv_usec = 200 }, calm = { 0 };
    atomic_store(&signal_count, 0);
    sigaction(SIGALRM, &action, &before);
    sigaction(SIGPROF, &action, &before_prof);
    setitimer(ITIMER_REAL, &storm, NULL);
    setitimer(ITIMER_PROF, &storm, NULL);
    stream_case c = case_of(f);
    for (uint32_t i = 0; !c.broken && (i < ROUND_COUNT || atomic_load(&signal_count) < 20); ++i) {
        if (opened(&c)) {
            stream_round(&c);
            STREAM_CHECK(&c, c.failed == 0, "%u requests failed under signals", c.failed);
            stream_close(&c);
        }
    }
    setitimer(ITIMER_REAL, &calm, NULL);
    setitimer(ITIMER_PROF, &calm, NULL);
    sigaction(SIGALRM, &before, NULL);
    sigaction(SIGPROF, &before_prof, NULL);
    printf("%u signals\n", atomic_load(&signal_count));
    return !c.broken;
}

/* ---- Limits ---- */

static int under_limit(const fixture *f, int resource, uint64_t value)
{
    struct rlimit before, limit = { .rlim_cur = value, .rlim_max = value };
    stream_case c = case_of(f);
    if (getrlimit((__rlimit_resource_t)resource, &before) != 0) {
        return 1;
    }
    if (resource ==
        RLIMIT_NOFILE) { /* nobody raises that one: it can be raised again, for what sanitizers open at the end */
        limit.rlim_max = before.rlim_max;
    }
    if (setrlimit((__rlimit_resource_t)resource, &limit) == 0 && stream_open(&c)) {
        stream_round(&c);
        STREAM_CHECK(&c, c.failed == 0, "%u requests failed", c.failed);
        stream_close(&c);
    }
    setrlimit((__rlimit_resource_t)resource, &before);
    return c.broken ? 1 : 0;
}

static bool limit_in_child(const fixture *f, int resource, uint64_t value)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        exit(under_limit(f, resource, value));
    }
    int status = 0;
    waitpid(child, &status, 0);
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!good) {
        fprintf(stderr, "limit %d of %llu: status %d\n", resource, (unsigned long long)value, status);
    }
    return good;
}

/* Refused with a reason, or all works. */
static bool limits(fixture *f)
{
    bool good = true;
    for (uint64_t count = 3; count < NOFILE_MAX; ++count) {
        good &= limit_in_child(f, RLIMIT_NOFILE, count);
    }
    for (uint64_t size = 0; size <= MIB(8); size = size == 0 ? MIB(1) : size * 2) {
        good &= limit_in_child(f, RLIMIT_MEMLOCK, size);
    }
    for (uint64_t size = MIB(4); size <= MIB(256) && !SANITIZED; size *= 2) {
        good &= limit_in_child(f, RLIMIT_AS, size);
    }
    return good;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        bool (*run)(fixture *f);
    } tests[] = { { "shutdown", shutdowns },
                  { "changes", changes },
                  { "fork", forks },
                  { "signals", signals },
                  { "limits", limits } };
    static const char *const names[] = { "", "uring", "threads", "sim" };
    static fixture f;
    if (argc == 3 && strcmp(argv[1], EXEC_ARGUMENT) == 0) {
        return descriptors_main(argv[2]);
    }
    int failures = 0;
    stream_pack_make(&f.pack, f.path);
    for (uint32_t backend = LEAT_BACKEND_URING; backend <= LEAT_BACKEND_SIM; ++backend) {
        f.backend = (leat_backend)backend;
        stream_case c = case_of(&f);
        if (!stream_open(&c)) {
            printf("SKIPPED: %s: %s\n", names[backend], c.error.text);
            continue;
        }
        stream_close(&c);
        for (size_t i = 0; i < COUNT_OF(tests); ++i) {
            if (argc > 1 && strcmp(argv[1], tests[i].name) != 0) {
                continue;
            }
            bool good = tests[i].run(&f);
            printf("%-8s %-10s %s\n", names[backend], tests[i].name, good ? "good" : "BAD");
            fflush(stdout);
            failures += !good;
        }
    }
    unlink(f.path);
    test_pack_free(&f.pack);
    return failures == 0 ? 0 : 1;
}
