/* leat_sim.c - the command line of the simulator.
 *
 *     leat-sim --seed N [--twice]          one seed; the last line is its trace hash
 *     leat-sim --seeds COUNT [--from N]    many; a line for each thing that was to be met, how often it was; the last
 *                                          line is the count. --all-met: fails if something never was
 *     leat-sim --canary NAME [--seeds C]   plants a bug, and succeeds if a seed finds it
 *     leat-sim --canaries COUNT            all of them, each within COUNT seeds
 *
 * A seed that fails prints the one command that replays it. Seeds run in child processes, many at a time, so that
 * a broken assertion is a finding as well and not the end. */
#include "sim_run.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEEDS_PER_CHILD 500u

canary canary_planted;

static const char *const canary_names[CANARY_COUNT] = {
    [CANARY_NONE] = "none",           [CANARY_BOUND] = "bound",
    [CANARY_FORGOTTEN] = "forgotten", [CANARY_TWICE] = "twice",
    [CANARY_PRIORITY] = "priority",   [CANARY_HASH] = "hash",
    [CANARY_CANCEL] = "cancel",       [CANARY_SHORT] = "short",
    [CANARY_LEAK] = "leak",           [CANARY_GENERATION] = "generation",
    [CANARY_AGAIN] = "again",         [CANARY_WINDOW] = "window",
    [CANARY_BATCH] = "batch",         [CANARY_UNDO] = "undo",
    [CANARY_SHARES] = "shares",       [CANARY_FENCE] = "fence",
    [CANARY_COARSER] = "coarser",     [CANARY_RELOAD] = "reload",
    [CANARY_LAYER] = "layer",
};

/* What a child tells; in memory that parent and child share, so that it is known whatever becomes of the child. */
typedef struct progress {
    uint64_t seed; /* being run, or the one that failed */
    uint64_t events, requests;
    sim_tally tally;
} progress;

static progress *progress_share(void)
{
    progress *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        perror("leat-sim: mmap");
        exit(3);
    }
    return p;
}

/* Runs one seed and says what failed. */
static bool run_seed(uint64_t seed, progress *p, sim_report *report)
{
    p->seed = seed;
    bool good = sim_run(seed, report, &p->tally);
    p->events += report->events;
    p->requests += report->requests;
    if (!good) {
        printf("seed %llu: %s\n", (unsigned long long)seed, report->failure);
        fflush(stdout);
    }
    return good;
}

/* Runs [first, end) in a child. True if all kept their promises; else total->seed is the one that did not. */
static bool run_child(uint64_t first, uint64_t end, bool silent, progress *total)
{
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) {
        perror("leat-sim: fork");
        exit(3);
    }
    if (child == 0) {
        bool good = true;
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* the folder of loose files goes with the parent */
        if (silent && (freopen("/dev/null", "w", stderr) == NULL || freopen("/dev/null", "w", stdout) == NULL)) {
            _exit(3);
        }
        for (uint64_t seed = first; seed < end && good; ++seed) {
            sim_report report;
            good = run_seed(seed, total, &report);
        }
        _exit(good ? 0 : 1);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds_of_children(void)
{
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int run_many(uint64_t from, uint64_t count, bool all_met)
{
    progress *total = progress_share();
    uint64_t failures = 0;
    double begin = seconds_now();
    for (uint64_t seed = from; seed < from + count;) {
        uint64_t end = seed + SEEDS_PER_CHILD < from + count ? seed + SEEDS_PER_CHILD : from + count;
        if (run_child(seed, end, false, total)) {
            seed = end;
        } else {
            ++failures;
            printf("seed %llu failed; replay it with: leat-sim --seed %llu\n", (unsigned long long)total->seed,
                   (unsigned long long)total->seed);
            seed = total->seed + 1;
        }
    }
    double seconds = seconds_now() - begin;
    uint32_t zeros = sim_tally_print(&total->tally, stdout);
    printf("%llu requests, %llu events; %.0f seeds/s, %.0f per second of one core\n",
           (unsigned long long)total->requests, (unsigned long long)total->events, (double)count / seconds,
           (double)count / cpu_seconds_of_children());
    if (all_met && zeros > 0) {
        printf("%u of the above were not met by any seed\n", zeros);
    }
    printf("%llu seeds, %llu failed\n", (unsigned long long)count, (unsigned long long)failures);
    return failures == 0 && !(all_met && zeros > 0) ? 0 : 1;
}

static int run_one(uint64_t seed, bool twice)
{
    progress *total = progress_share();
    sim_report report, again;
    bool good = run_seed(seed, total, &report);
    if (twice) {
        good &= run_seed(seed, total, &again);
        if (again.trace_hash != report.trace_hash) {
            printf("the second run of seed %llu went another way\n", (unsigned long long)seed);
            good = false;
        }
    }
    printf("%016llx\n", (unsigned long long)report.trace_hash);
    return good ? 0 : 1;
}

static bool run_canary(canary which, uint64_t count)
{
    canary_planted = which;
    progress *total = progress_share();
    for (uint64_t seed = 0; seed < count; seed += SEEDS_PER_CHILD) {
        if (!run_child(seed, seed + SEEDS_PER_CHILD < count ? seed + SEEDS_PER_CHILD : count, true, total)) {
            printf("canary %-10s found by seed %llu\n", canary_names[which], (unsigned long long)total->seed);
            return true;
        }
    }
    printf("canary %-10s NOT FOUND in %llu seeds\n", canary_names[which], (unsigned long long)count);
    return false;
}

static int run_canaries(uint64_t count)
{
    bool good = true;
    for (uint32_t i = 1; i < CANARY_COUNT; ++i) {
        good &= run_canary((canary)i, count);
    }
    return good ? 0 : 1;
}

/* What is freed stays the process's: to have its pages made anew for each seed takes longer than the seed. */
static void keep_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

static int usage(FILE *out, int status)
{
    fputs("usage: leat-sim --seed N [--twice]            one seed; prints the hash of its trace; --twice: the same "
          "again?\n"
          "       leat-sim --seeds COUNT [--from N]         many; what they have met, and which ones fail\n"
          "                [--all-met]                      fails if something of that was never met\n"
          "       leat-sim --canary NAME [--seeds COUNT]    plants a bug; succeeds if a seed finds it\n"
          "       leat-sim --canaries COUNT                 all of them, each within COUNT seeds\n"
          "canaries:",
          out);
    for (uint32_t i = 1; i < CANARY_COUNT; ++i) {
        fprintf(out, " %s", canary_names[i]);
    }
    fprintf(out, "\n");
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "seed", required_argument, NULL, 's' },
        { "seeds", required_argument, NULL, 'n' },
        { "from", required_argument, NULL, 'f' },
        { "canary", required_argument, NULL, 'c' },
        { "canaries", required_argument, NULL, 'C' },
        { "twice", no_argument, NULL, 't' },
        { "all-met", no_argument, NULL, 'a' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    uint64_t seed = UINT64_MAX, count = 1000, from = 0, all = 0;
    const char *name = NULL;
    bool twice = false, many = false, all_met = false;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (option) {
        case 's':
            seed = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            count = strtoull(optarg, NULL, 10);
            many = true;
            break;
        case 'f':
            from = strtoull(optarg, NULL, 10);
            break;
        case 'c':
            name = optarg;
            break;
        case 'C':
            all = strtoull(optarg, NULL, 10);
            break;
        case 'a':
            all_met = true;
            break;
        case 't':
            twice = true;
            break;
        case 'h':
            return usage(stdout, 0);
        default:
            return usage(stderr, 2);
        }
    }
    if (all == 0 && name == NULL && seed == UINT64_MAX && !many) {
        return usage(stderr, 2);
    }
    canary planted = CANARY_NONE;
    for (uint32_t i = 1; name != NULL && i < CANARY_COUNT; ++i) {
        planted = strcmp(name, canary_names[i]) == 0 ? (canary)i : planted;
    }
    if (name != NULL && planted == CANARY_NONE) {
        return usage(stderr, 2);
    }
    keep_memory();
    sim_begin();
    int status = all > 0                  ? run_canaries(all)
                 : planted != CANARY_NONE ? !run_canary(planted, count)
                 : seed != UINT64_MAX     ? run_one(seed, twice)
                                          : run_many(from, count, all_met);
    sim_end();
    return status;
}
