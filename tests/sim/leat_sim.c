/* leat_sim.c - the command line of the simulator.
 *
 *     leat-sim --seed N [--twice]          one seed; the last line is its trace hash
 *     leat-sim --seeds COUNT [--from N]    many; the last line is the count
 *     leat-sim --canary NAME [--seeds C]   plants a bug, and succeeds if a seed finds it
 *     leat-sim --canaries COUNT            all of them, each within COUNT seeds
 *
 * A seed that fails prints the one command that replays it. Seeds run in child processes, a hundred at a time, so that
 * a broken assertion is a finding as well and not the end. */
#include "sim_run.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEEDS_PER_CHILD 100u

canary canary_planted;

static const char *const canary_names[CANARY_COUNT] = {
    [CANARY_NONE] = "none",           [CANARY_BOUND] = "bound",
    [CANARY_FORGOTTEN] = "forgotten", [CANARY_TWICE] = "twice",
    [CANARY_PRIORITY] = "priority",   [CANARY_HASH] = "hash",
    [CANARY_CANCEL] = "cancel",       [CANARY_SHORT] = "short",
    [CANARY_LEAK] = "leak",           [CANARY_GENERATION] = "generation",
    [CANARY_AGAIN] = "again",         [CANARY_WINDOW] = "window",
    [CANARY_BATCH] = "batch",         [CANARY_UNDO] = "undo",
};

typedef struct progress {
    uint64_t seed; /* being run, or the one that failed */
    uint64_t events, requests;
} progress;

/* Runs [first, end) in a child. True if all kept their promises; else *failed is the seed that did not. */
static bool run_child(uint64_t first, uint64_t end, bool silent, progress *total, uint64_t *failed)
{
    int channel[2];
    fflush(stdout);
    if (pipe(channel) != 0) {
        abort();
    }
    pid_t child = fork();
    if (child == 0) {
        close(channel[0]);
        progress p = { 0 };
        bool good = true;
        if (silent && freopen("/dev/null", "w", stderr) == NULL) {
            _exit(3);
        }
        for (uint64_t seed = first; seed < end && good; ++seed) {
            sim_report report;
            p.seed = seed;
            if (write(channel[1], &p, sizeof(p)) != sizeof(p)) { /* so that the parent knows it if we abort */
                _exit(3);
            }
            good = sim_run(seed, &report);
            p.events += report.events;
            p.requests += report.requests;
            if (!good && !silent) {
                printf("seed %llu: %s\n", (unsigned long long)seed, report.failure);
                fflush(stdout);
            }
        }
        if (good && write(channel[1], &p, sizeof(p)) != sizeof(p)) {
            _exit(3);
        }
        _exit(good ? 0 : 1);
    }
    close(channel[1]);
    progress p = { .seed = first };
    while (read(channel[0], &p, sizeof(p)) == sizeof(p)) {
    }
    close(channel[0]);
    int status = 0;
    waitpid(child, &status, 0);
    total->events += p.events;
    total->requests += p.requests;
    *failed = p.seed;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run_many(uint64_t from, uint64_t count)
{
    progress total = { 0 };
    uint64_t failures = 0;
    double begin = seconds_now();
    for (uint64_t seed = from; seed < from + count;) {
        uint64_t end = seed + SEEDS_PER_CHILD < from + count ? seed + SEEDS_PER_CHILD : from + count;
        uint64_t failed;
        if (run_child(seed, end, false, &total, &failed)) {
            seed = end;
        } else {
            ++failures;
            printf("seed %llu failed; replay it with: leat-sim --seed %llu\n", (unsigned long long)failed,
                   (unsigned long long)failed);
            seed = failed + 1;
        }
    }
    double seconds = seconds_now() - begin;
    printf("%llu requests, %llu events; %.0f seeds/s\n", (unsigned long long)total.requests,
           (unsigned long long)total.events, (double)count / seconds);
    printf("%llu seeds, %llu failed\n", (unsigned long long)count, (unsigned long long)failures);
    return failures == 0 ? 0 : 1;
}

static int run_one(uint64_t seed, bool twice)
{
    sim_report report, again;
    bool good = sim_run(seed, &report);
    if (!good) {
        printf("seed %llu: %s\n", (unsigned long long)seed, report.failure);
    }
    if (twice) {
        sim_run(seed, &again);
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
    progress total = { 0 };
    for (uint64_t seed = 0; seed < count; seed += SEEDS_PER_CHILD) {
        uint64_t failed;
        if (!run_child(seed, seed + SEEDS_PER_CHILD < count ? seed + SEEDS_PER_CHILD : count, true, &total, &failed)) {
            printf("canary %-10s found by seed %llu\n", canary_names[which], (unsigned long long)failed);
            return true;
        }
    }
    printf("canary %-10s NOT FOUND in %llu seeds\n", canary_names[which], (unsigned long long)count);
    return false;
}

static int usage(FILE *out, int status)
{
    fprintf(out, "usage: leat-sim --seed N [--twice] | --seeds COUNT [--from N] | --canary NAME [--seeds COUNT] | "
                 "--canaries COUNT\n"
                 "canaries:");
    for (uint32_t i = 1; i < CANARY_COUNT; ++i) {
        fprintf(out, " %s", canary_names[i]);
    }
    fprintf(out, "\n");
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "seed", required_argument, NULL, 's' },     { "seeds", required_argument, NULL, 'n' },
        { "from", required_argument, NULL, 'f' },     { "canary", required_argument, NULL, 'c' },
        { "canaries", required_argument, NULL, 'C' }, { "twice", no_argument, NULL, 't' },
        { "help", no_argument, NULL, 'h' },           { 0 },
    };
    uint64_t seed = UINT64_MAX, count = 1000, from = 0, all = 0;
    const char *name = NULL;
    bool twice = false, many = false;
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
        case 't':
            twice = true;
            break;
        case 'h':
            return usage(stdout, 0);
        default:
            return usage(stderr, 2);
        }
    }
    if (all > 0) {
        bool good = true;
        for (uint32_t i = 1; i < CANARY_COUNT; ++i) {
            good &= run_canary((canary)i, all);
        }
        return good ? 0 : 1;
    }
    for (uint32_t i = 1; name != NULL && i < CANARY_COUNT; ++i) {
        if (strcmp(name, canary_names[i]) == 0) {
            return run_canary((canary)i, count) ? 0 : 1;
        }
    }
    if (name != NULL || (seed == UINT64_MAX && !many)) {
        return usage(stderr, 2);
    }
    return seed != UINT64_MAX ? run_one(seed, twice) : run_many(from, count);
}
