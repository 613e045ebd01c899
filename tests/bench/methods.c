/* methods.c - the suite "methods": one file, random reads of three sizes, by every way there is, in turns.
 *
 * A round is a cold turn of each method and size, then the file is read into the page cache, then a warm turn of each.
 * Tables show medians over the rounds. System calls are counted twice: at their call sites, and by the kernel where
 * that may be asked; check_syscalls.sh holds strace against the first. */
#include "methods.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES MIB(1024)
#define FILE_BYTES_QUICK MIB(64)
#define FILE_BYTES_MIN MIB(1)
#define BLOCK_BYTES 4096u
#define TURNS_PER_SECONDS 30.0 /* a turn is --seconds / this: 5 rounds of 72 turns in a minute */
#define SAME_CALLS 0.001 /* per operation: no difference */
#define DEPTH_DEFAULT 64u
#define BATCH_DEFAULT 32u

static const method methods[] = {
    { "pread", "blocking pread, 1 thread", METHOD_BUFFERED, method_pread, 1.0, "" },
    { "pread-threads", "blocking pread, 16 threads", METHOD_BUFFERED, method_pread_threads, 1.0, "" },
    { "pread-direct", "the same, O_DIRECT", METHOD_DIRECT, method_pread_direct, 1.0, "" },
    { "mmap", "mmap, 16 threads", METHOD_BUFFERED, method_mmap, -1,
      "none for a page, but a fault, which costs more than one" },
    { "aio-posix", "POSIX AIO (glibc)", METHOD_BUFFERED, method_aio_posix, -1,
      "one pread in a thread of the C library; the rest is threads that wake one another" },
    { "aio-linux", "Linux AIO, O_DIRECT", METHOD_DIRECT, method_aio_linux, 2.0,
      "2.0 is one submit and one getevents an operation; batched it is two for each batch" },
    { "uring-buffered", "io_uring, buffered", METHOD_BUFFERED, method_uring_buffered, 0.02,
      "one enter for each batch; 0.02 is a batch of 50, here it is 32 or more" },
    { "uring-direct", "io_uring, O_DIRECT", METHOD_DIRECT, method_uring_direct, 0.02, "the same" },
    { "uring-fixed", " + registered buffer, file", METHOD_DIRECT, method_uring_fixed, 0.02, "the same" },
    { "uring-huge", " + huge pages", METHOD_DIRECT, method_uring_huge, 0.02, "the same" },
    { "uring-sqpoll", " + SQPOLL", METHOD_DIRECT, method_uring_sqpoll, 0.0,
      "the kernel's thread fell asleep and was woken" },
    { "uring-iopoll", " + IOPOLL instead", METHOD_DIRECT, method_uring_iopoll, -1,
      "polls within enter, which may come back with fewer than were waited for" },
    { "uring-polled", " + IOPOLL and SQPOLL", METHOD_DIRECT, method_uring_polled, 0.0,
      "the kernel's thread fell asleep and was woken" },
};
#define METHOD_COUNT COUNT_OF(methods)

static const uint32_t sizes[] = { 4u << 10, 64u << 10, 256u << 10 };
#define SIZE_COUNT COUNT_OF(sizes)

typedef struct cell {
    samples iops, mb_per_s, mean_us, p50_us, p99_us, cpu, calls, kernel_calls, faults;
    uint64_t calls_total, operations_total;
    char refused[160]; /* "": it ran */
} cell;

typedef struct methods_run {
    bench *b;
    const char *path;
    int made_fd; /* of the file that was made; -1: it was given */
    char made[BENCH_PATH_SIZE];
    uint64_t file_size;
    uint32_t depth, batch;
    uint64_t seed;
    cell cells[METHOD_COUNT][SIZE_COUNT][2]; /* cold, warm */
} methods_run;

/* ---- The file ---- */

/* Each block begins with its own offset, so that each read can be checked; the rest is noise. */
static bool file_fill(int fd, uint64_t size)
{
    uint64_t piece = MIB(4), random = 1;
    uint64_t *words = aligned_alloc(4096, piece);
    bool ok = words != NULL;
    for (uint64_t i = 0; ok && i < piece / sizeof(*words); ++i) {
        words[i] = bench_random(&random);
    }
    for (uint64_t at = 0; ok && at < size; at += piece) {
        for (uint64_t block = 0; block < piece; block += BLOCK_BYTES) {
            words[block / sizeof(*words)] = at + block;
        }
        ok = write(fd, words, piece) == (ssize_t)piece;
    }
    free(words);
    return ok && fdatasync(fd) == 0;
}

static bool file_make(methods_run *r)
{
    r->file_size = r->b->quick ? FILE_BYTES_QUICK : FILE_BYTES;
    r->path = r->made;
    r->made_fd = bench_file_make(r->made);
    if (r->made_fd < 0) {
        return false;
    }
    if (!file_fill(r->made_fd, r->file_size)) {
        fprintf(stderr, "leat-bench: a file cannot be made in TMPDIR: %s (--file FILE reads one that is there)\n",
                strerror(errno));
        return false;
    }
    return true;
}

static bool file_take(methods_run *r)
{
    struct stat s;
    r->path = r->b->file_path;
    if (stat(r->path, &s) != 0 || !S_ISREG(s.st_mode) || (uint64_t)s.st_size < FILE_BYTES_MIN) {
        fprintf(stderr, "leat-bench: %s: is no file of at least 1 MiB that can be read\n", r->path);
        return false;
    }
    r->file_size = UINT64_C(1) << (63 - __builtin_clzll((uint64_t)s.st_size)); /* the largest power of two in it */
    return true;
}

/* ---- Turns ---- */

static void cell_add(cell *c, const turn *t)
{
    double seconds = (double)t->elapsed_ns / 1e9, operations = (double)t->total.operations;
    samples_add(&c->iops, operations / seconds);
    samples_add(&c->mb_per_s, operations * t->read_size / 1e6 / seconds);
    samples_add(&c->mean_us, (double)t->total.latency.sum_ns / 1e3 / operations);
    samples_add(&c->p50_us, (double)histogram_quantile(&t->total.latency, 0.5) / 1e3);
    samples_add(&c->p99_us, (double)histogram_quantile(&t->total.latency, 0.99) / 1e3);
    samples_add(&c->cpu, (double)t->cpu_ns * 100 / (double)t->elapsed_ns);
    samples_add(&c->calls, (double)t->total.calls / operations);
    samples_add(&c->faults, (double)t->faults / operations);
    if (t->syscalls >= 0) {
        samples_add(&c->kernel_calls, (double)t->syscalls / operations);
    }
    c->calls_total += t->total.calls + t->calls_prepared;
    c->operations_total += t->total.operations;
}

static void turn_run(methods_run *r, uint32_t m, uint32_t size, bool warm)
{
    cell *c = &r->cells[m][size][warm];
    turn *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        abort();
    }
    if (!warm) {
        bench_cold(r->path);
    }
    *t = (turn){ .path = r->path,
                 .file_size = r->file_size,
                 .checked = r->made_fd >= 0,
                 .read_size = sizes[size],
                 .depth = r->depth,
                 .batch = r->batch,
                 .once = !warm,
                 .seed = bench_random(&r->seed),
                 .duration_ns = (uint64_t)(r->b->seconds * 1e9 / TURNS_PER_SECONDS),
                 .syscalls_fd = turn_syscalls_open() };
    methods[m].run(t);
    if (t->refused == NULL && t->total.error != 0) {
        turn_refuse(t, "a read failed", t->total.error);
    } else if (t->refused == NULL && t->total.operations == 0) {
        turn_refuse(t, "no read came back", ETIME);
    }
    if (t->refused != NULL) {
        snprintf(c->refused, sizeof(c->refused), "%s", t->refused);
    } else {
        cell_add(c, t);
    }
    if (t->syscalls_fd >= 0) {
        close(t->syscalls_fd);
    }
    free(t);
}

static bool wanted(const methods_run *r, uint32_t m)
{
    return r->b->method == NULL || strcmp(r->b->method, methods[m].name) == 0;
}

static void round_run(methods_run *r)
{
    for (uint32_t warm = 0; warm < 2; ++warm) {
        if (warm == 1) {
            bench_warm(r->path);
        }
        for (uint32_t size = 0; size < SIZE_COUNT; ++size) {
            for (uint32_t m = 0; m < METHOD_COUNT; ++m) {
                if (wanted(r, m)) {
                    turn_run(r, m, size, warm == 1);
                }
            }
        }
    }
}

/* ---- Tables ---- */

static void table_print(methods_run *r, uint32_t size, bool warm)
{
    printf("\n  random %u KiB, %s\n", sizes[size] >> 10,
           warm ? "warm (all of it in the page cache)" : "cold (nothing of it in the page cache)");
    printf("  %-28s %9s %8s %9s %9s %9s %6s %9s %9s\n", "", "IOPS", "MB/s", "mean us", "p50 us", "p99 us", "CPU %",
           "calls/op", "kernel's");
    for (uint32_t m = 0; m < METHOD_COUNT; ++m) {
        cell *c = &r->cells[m][size][warm];
        if (!wanted(r, m)) {
            continue;
        }
        if (c->iops.count == 0) {
            printf("  %-28s cannot be had here: %s\n", methods[m].text, c->refused);
            continue;
        }
        char kernel[32] = "-";
        if (c->kernel_calls.count > 0) {
            snprintf(kernel, sizeof(kernel), "%.4f", samples_median(&c->kernel_calls));
        }
        printf("  %-28s %9.0f %8.0f %9.1f %9.1f %9.1f %6.0f %9.4f %9s", methods[m].text, samples_median(&c->iops),
               samples_median(&c->mb_per_s), samples_median(&c->mean_us), samples_median(&c->p50_us),
               samples_median(&c->p99_us), samples_median(&c->cpu), samples_median(&c->calls), kernel);
        printf(methods[m].run == method_mmap ? "  %.1f faults/op\n" : "\n", samples_median(&c->faults));
    }
}

/* The table that introductions print, beside what was counted here in the smallest reads. */
static void said_print(methods_run *r)
{
    printf("\n  system calls per operation (4 KiB, cold)\n  %-28s %9s %9s %9s\n", "", "often said", "counted",
           "kernel's");
    for (uint32_t m = 0; m < METHOD_COUNT; ++m) {
        cell *c = &r->cells[m][0][0];
        if (!wanted(r, m)) {
            continue;
        }
        char said[16] = "-";
        if (methods[m].said >= 0) {
            snprintf(said, sizeof(said), "%.2f", methods[m].said);
        }
        printf("  %-28s %10s", methods[m].text, said);
        if (c->calls.count == 0) {
            printf(" %9s %9s  %s\n", "-", "-", c->refused);
            continue;
        }
        printf(" %9.4f", samples_median(&c->calls));
        if (c->kernel_calls.count > 0) {
            printf(" %9.4f", samples_median(&c->kernel_calls));
        } else {
            printf(" %9s", "-");
        }
        double apart = samples_median(&c->calls) - methods[m].said;
        printf("  %s\n",
               methods[m].said >= 0 && apart * apart < SAME_CALLS * SAME_CALLS ? "as it is said" : methods[m].why);
    }
    printf("\n  calls/op is counted at each call site; kernel's is raw_syscalls:sys_enter of the whole process, "
           "starting and\n"
           "  ending threads included (\"-\": not allowed here). CPU %% is the process with its kernel threads; a "
           "virtual\n"
           "  machine's host works besides. Depth %u, batches of %u; %u threads.\n\n",
           r->depth, r->batch, METHOD_THREADS);
}

/* The worst of all sizes, cold and warm; -1 if it did not run. */
static double calls_worst(methods_run *r, void (*run)(turn *t))
{
    double worst = -1;
    for (uint32_t m = 0; m < METHOD_COUNT; ++m) {
        for (uint32_t i = 0; methods[m].run == run && i < SIZE_COUNT * 2; ++i) {
            cell *c = &r->cells[m][i / 2][i % 2];
            double calls = c->calls.count > 0 ? samples_median(&c->calls) : -1;
            worst = calls > worst ? calls : worst;
        }
    }
    return worst;
}

static void figures_add(methods_run *r)
{
    bench *b = r->b;
    double batched = calls_worst(r, method_uring_fixed), sqpoll = calls_worst(r, method_uring_sqpoll);
    if (batched >= 0) {
        bench_figure(b, "uring_batched_syscalls_per_op", batched, "", GOAL_AT_MOST, 0.05);
    }
    if (sqpoll >= 0) {
        bench_figure(b, "sqpoll_syscalls_per_op", sqpoll, "", GOAL_AT_MOST, 0.001);
    }
    for (uint32_t m = 0; m < METHOD_COUNT; ++m) {
        for (uint32_t i = 0; wanted(r, m) && i < SIZE_COUNT * 2; ++i) {
            cell *c = &r->cells[m][i / 2][i % 2];
            char name[96];
            snprintf(name, sizeof(name), "methods.%s.%uk.%s", methods[m].name, sizes[i / 2] >> 10,
                     i % 2 == 0 ? "cold" : "warm");
            cJSON *o = cJSON_AddObjectToObject(b->raw, name);
            if (c->iops.count == 0) {
                cJSON_AddStringToObject(o, "refused", c->refused);
                continue;
            }
            cJSON_AddNumberToObject(o, "iops", samples_median(&c->iops));
            cJSON_AddNumberToObject(o, "mb_per_s", samples_median(&c->mb_per_s));
            cJSON_AddNumberToObject(o, "latency_mean_us", samples_median(&c->mean_us));
            cJSON_AddNumberToObject(o, "latency_p50_us", samples_median(&c->p50_us));
            cJSON_AddNumberToObject(o, "latency_p99_us", samples_median(&c->p99_us));
            cJSON_AddNumberToObject(o, "cpu_percent", samples_median(&c->cpu));
            cJSON_AddNumberToObject(o, "calls_per_op", samples_median(&c->calls));
            cJSON_AddNumberToObject(o, "calls", (double)c->calls_total);
            cJSON_AddNumberToObject(o, "operations", (double)c->operations_total);
        }
    }
}

static void counts_print(methods_run *r)
{
    for (uint32_t m = 0; m < METHOD_COUNT; ++m) {
        uint64_t calls = 0, operations = 0;
        for (uint32_t i = 0; i < SIZE_COUNT * 2; ++i) {
            calls += r->cells[m][i / 2][i % 2].calls_total;
            operations += r->cells[m][i / 2][i % 2].operations_total;
        }
        if (r->b->method != NULL && wanted(r, m)) { /* for check_syscalls.sh */
            printf("  counted in all: %s %llu calls, %llu operations\n", methods[m].name, (unsigned long long)calls,
                   (unsigned long long)operations);
        }
    }
}

static void cells_free(methods_run *r)
{
    for (uint32_t i = 0; i < METHOD_COUNT * SIZE_COUNT * 2; ++i) {
        cell *c = &r->cells[0][0][0] + i;
        samples *all[] = { &c->iops, &c->mb_per_s, &c->mean_us,      &c->p50_us, &c->p99_us,
                           &c->cpu,  &c->calls,    &c->kernel_calls, &c->faults };
        for (size_t k = 0; k < COUNT_OF(all); ++k) {
            samples_free(all[k]);
        }
    }
}

bool methods_known(const char *name)
{
    for (uint32_t m = 0; m < METHOD_COUNT; ++m) {
        if (strcmp(name, methods[m].name) == 0) {
            return true;
        }
    }
    fprintf(stderr, "leat-bench: there is no method \"%s\"; there are:", name);
    for (uint32_t m = 0; m < METHOD_COUNT; ++m) {
        fprintf(stderr, " %s", methods[m].name);
    }
    fprintf(stderr, "\n");
    return false;
}

bool suite_methods(bench *b)
{
    methods_run *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return false;
    }
    r->b = b;
    r->made_fd = -1;
    r->seed = 1;
    r->depth = DEPTH_DEFAULT;
    r->batch = BATCH_DEFAULT;
    bool ok = b->file_path != NULL ? file_take(r) : file_make(r);
    for (uint32_t round = 0; ok && round < b->rounds; ++round) {
        round_run(r);
    }
    if (ok) {
        for (uint32_t i = 0; i < SIZE_COUNT * 2; ++i) {
            table_print(r, i / 2, i % 2 == 1);
        }
        said_print(r);
        figures_add(r);
        counts_print(r);
    }
    if (r->made_fd >= 0) {
        close(r->made_fd);
    }
    cells_free(r);
    free(r);
    return ok;
}
