/* leat-modes: reads a file back by each mode of io_uring, on and off, and by threads, and says what was granted, what
 * took its place, and whether the bytes are those of the file. Made for other kernels, file systems and sandboxes.
 *
 *     leat-modes FOLDER [--json] [--only NAME[=on|=off]] [--make | --made]
 *
 * makes its files in FOLDER, on whose file system and device it depends what works, and removes them again. For a file
 * system that cannot be written to, --make makes them elsewhere and --made reads what lies in FOLDER. One line a run:
 *
 *     mode=sqpoll asked=on granted=yes backend=io_uring bytes=identical calls_per_read=0.012 fallback="" why=""
 *
 * Exit code: 0 all bytes identical, 1 some not, 2 it could not be tried. */
#include "io.h"
#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE (MIB(8) + 4096 + 777)
#define READ_SIZE (64u << 10)
#define READ_COUNT_MAX 64u
#define LOOSE_COUNT 24u
#define STREAM_COUNT 1024u
#define STREAM_READ_SIZE 4096u

typedef struct run {
    const char *name; /* of the mode, or of the combination */
    leat_mode mode; /* LEAT_MODE_COUNT: a combination */
    leat_backend backend;
    leat_uring_desc uring;
} run;

typedef struct outcome {
    leat_info info;
    bool tried, identical;
    leat_backend backend;
    double calls_per_read;
    char problem[160]; /* the first difference */
} outcome;

typedef struct place {
    const char *folder;
    int folder_fd;
    io_file_desc file;
    uint8_t *bytes;
    char loose[LOOSE_COUNT][32];
} place;

/* ---- Files ---- */

static uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15)); /* SplitMix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t loose_size(uint32_t i)
{
    return (uint64_t)i * i * 331 % READ_SIZE; /* 0 among them */
}

static bool write_file(int folder_fd, const char *name, const uint8_t *bytes, uint64_t size)
{
    int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool good = fd >= 0;
    for (uint64_t done = 0; good && done < size;) {
        ssize_t put = write(fd, bytes + done, size - done);
        good = put > 0;
        done += good ? (uint64_t)put : 0;
    }
    good = good && fsync(fd) == 0;
    return fd >= 0 && close(fd) == 0 && good;
}

static bool place_write(const place *p)
{
    bool good = write_file(p->folder_fd, "leat-modes.pack", p->bytes, FILE_SIZE);
    for (uint32_t i = 0; i < LOOSE_COUNT; ++i) {
        good = good && write_file(p->folder_fd, p->loose[i], p->bytes + i * 1000, loose_size(i));
    }
    return good;
}

/* made: the files are there already. */
static bool place_open(place *p, const char *folder, bool made)
{
    *p = (place){ .folder = folder, .folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
    p->bytes = malloc(FILE_SIZE);
    if (p->folder_fd < 0 || p->bytes == NULL) {
        return false;
    }
    uint64_t seed = 1;
    for (uint64_t i = 0; i < FILE_SIZE; ++i) {
        p->bytes[i] = (uint8_t)random_next(&seed);
    }
    for (uint32_t i = 0; i < LOOSE_COUNT; ++i) {
        snprintf(p->loose[i], sizeof(p->loose[i]), "leat-modes.%u", i);
    }
    bool good = made || place_write(p);
    p->file = (io_file_desc){ .fd_buffered = openat(p->folder_fd, "leat-modes.pack", O_RDONLY | O_CLOEXEC),
                              .fd_direct = openat(p->folder_fd, "leat-modes.pack", O_RDONLY | O_CLOEXEC | O_DIRECT),
                              .size = FILE_SIZE };
    return good && p->file.fd_buffered >= 0;
}

static void place_remove(const place *p)
{
    for (uint32_t i = 0; i < LOOSE_COUNT; ++i) {
        unlinkat(p->folder_fd, p->loose[i], 0);
    }
    unlinkat(p->folder_fd, "leat-modes.pack", 0);
    free(p->bytes);
}

/* ---- Reading ---- */

typedef struct reader {
    const io_ops *ops;
    io_backend *io;
    const place *place;
    outcome *out;
    uint32_t file;
    uint8_t *pool;
} reader;

static void differs(outcome *out, const char *what, uint64_t where, int32_t result)
{
    if (out->identical) {
        snprintf(out->problem, sizeof(out->problem), "%s at %llu: result %d%s%s", what, (unsigned long long)where,
                 result, result < 0 ? ": " : "", result < 0 ? strerror(-result) : "");
    }
    out->identical = false;
}

/* Runs reads in rounds of READ_COUNT_MAX; results lie where user_data says. */
static void run_reads(reader *r, const io_read *reads, uint32_t count, io_completion *completions)
{
    uint32_t given = 0, ended = 0;
    while (ended < count) {
        uint32_t room = u32_min(count - given, READ_COUNT_MAX - (given - ended));
        given += r->ops->submit(r->io, reads + given, room, 0);
        io_completion some[READ_COUNT_MAX];
        uint32_t got = r->ops->reap(r->io, some, READ_COUNT_MAX, 0);
        for (uint32_t i = 0; i < got; ++i) {
            completions[some[i].user_data] = some[i];
        }
        ended += got;
        if (got == 0) {
            r->ops->wait(r->io, IO_WAIT_FOREVER);
        }
    }
}

static uint32_t round_reads(const reader *r, uint64_t first, uint32_t flags, io_read *reads)
{
    uint32_t count = 0;
    for (; count < READ_COUNT_MAX && (first + count) * READ_SIZE < FILE_SIZE; ++count) {
        reads[count] = (io_read){ .file = r->file,
                                  .size = READ_SIZE,
                                  .offset = (first + count) * READ_SIZE,
                                  .memory = r->pool + count * READ_SIZE,
                                  .flags = flags,
                                  .user_data = count };
    }
    return count;
}

static void check_round(reader *r, const io_read *reads, const io_completion *completions, uint32_t count,
                        const char *what)
{
    for (uint32_t i = 0; i < count; ++i) {
        uint64_t size = u64_min(READ_SIZE, FILE_SIZE - reads[i].offset);
        if (completions[i].result != (int32_t)size ||
            memcmp(reads[i].memory, r->place->bytes + reads[i].offset, size) != 0) {
            differs(r->out, what, reads[i].offset, completions[i].result);
        }
    }
}

/* The whole file, by reads of this kind. */
static uint32_t whole_file(reader *r, uint32_t flags, const char *what)
{
    uint32_t total = 0;
    for (uint64_t first = 0; first * READ_SIZE < FILE_SIZE; first += READ_COUNT_MAX) {
        io_read reads[READ_COUNT_MAX];
        io_completion completions[READ_COUNT_MAX];
        uint32_t count = round_reads(r, first, flags, reads);
        memset(r->pool, 0xee, READ_COUNT_MAX * READ_SIZE);
        run_reads(r, reads, count, completions);
        check_round(r, reads, completions, count, what);
        total += count;
    }
    return total;
}

/* A steady stream of small reads, the queue always full; the bytes overwrite each other and are not looked at. */
static void count_calls(reader *r, uint32_t flags)
{
    io_read reads[STREAM_COUNT];
    io_completion completions[STREAM_COUNT];
    uint64_t seed = 2;
    for (uint32_t i = 0; i < STREAM_COUNT; ++i) {
        reads[i] = (io_read){ .file = r->file,
                              .size = STREAM_READ_SIZE,
                              .offset = align_down(random_next(&seed) % FILE_SIZE, STREAM_READ_SIZE),
                              .memory = r->pool + i % READ_COUNT_MAX * STREAM_READ_SIZE,
                              .flags = flags,
                              .user_data = i };
    }
    io_stats before, after;
    r->ops->stats(r->io, &before);
    run_reads(r, reads, STREAM_COUNT, completions);
    r->ops->stats(r->io, &after);
    r->out->calls_per_read =
        (double)(after.submit_calls + after.wait_calls - before.submit_calls - before.wait_calls) / STREAM_COUNT;
}

static void loose_files(reader *r)
{
    io_read reads[LOOSE_COUNT + 1];
    io_completion completions[LOOSE_COUNT + 1];
    for (uint32_t i = 0; i <= LOOSE_COUNT; ++i) {
        reads[i] = (io_read){ .op = IO_OP_READ_PATH,
                              .folder_fd = r->place->folder_fd,
                              .path = i < LOOSE_COUNT ? r->place->loose[i] : "leat-modes.none",
                              .size = READ_SIZE,
                              .memory = r->pool + i * READ_SIZE,
                              .user_data = i };
    }
    run_reads(r, reads, LOOSE_COUNT + 1, completions);
    for (uint32_t i = 0; i < LOOSE_COUNT; ++i) {
        uint64_t size = loose_size(i);
        if (completions[i].result != (int32_t)size || memcmp(reads[i].memory, r->place->bytes + i * 1000, size) != 0) {
            differs(r->out, "loose file", i, completions[i].result);
        }
    }
    if (completions[LOOSE_COUNT].result != -ENOENT) {
        differs(r->out, "a loose file that is not there", 0, completions[LOOSE_COUNT].result);
    }
}

static void read_all(reader *r)
{
    r->file = r->ops->file_add(r->io, &r->place->file);
    if (r->file == IO_FILE_NONE) {
        differs(r->out, "file_add", 0, 0);
        return;
    }
    bool direct = r->place->file.fd_direct >= 0;
    whole_file(r, direct ? IO_READ_DIRECT : 0, "first read"); /* what wakes and probes there are, are over */
    whole_file(r, direct ? IO_READ_DIRECT : 0, "direct read");
    count_calls(r, direct ? IO_READ_DIRECT : 0);
    whole_file(r, 0, "buffered read");
    loose_files(r);
}

static void no_log(leat_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

static void *plain_allocate(size_t size, size_t alignment, void *user)
{
    (void)user;
    void *block = NULL;
    return posix_memalign(&block, alignment < sizeof(void *) ? sizeof(void *) : alignment, size) == 0 ? block : NULL;
}

static void plain_free(void *block, size_t size, void *user)
{
    (void)size;
    (void)user;
    free(block);
}

static void try_run(const run *what, const place *p, outcome *out)
{
    *out = (outcome){ .identical = true };
    leat_desc d = { .backend = what->backend, .io_thread_count = 4, .uring = what->uring };
    d.logger = (leat_logger){ .log = no_log, .level = LEAT_LOG_ERROR };
    d.uring.entries = d.uring.entries == 0 ? 256 : d.uring.entries;
    d.uring.sqpoll_idle_ms = d.uring.sqpoll_idle_ms == 0 ? 50 : d.uring.sqpoll_idle_ms;
    d.uring.worker_count_max = 8;
    memory m = { .allocator = { .allocate = plain_allocate, .free = plain_free } };
    region pool;
    if (!region_create(READ_COUNT_MAX * READ_SIZE, true, &pool)) {
        return;
    }
    io_desc desc = { .memory = &m, .log = &d.logger, .desc = &d, .pool = pool.memory, .pool_size = pool.size };
    desc.read_count_max = READ_COUNT_MAX;
    desc.file_count_max = 2;
    leat_error why = { 0 };
    reader r = { .ops = what->backend == LEAT_BACKEND_THREADS ? &io_threads_ops : &io_uring_ops,
                 .place = p,
                 .out = out };
    r.pool = pool.memory;
    leat_result result = r.ops->open(&desc, &r.io, &why);
    if (result != LEAT_OK) { /* as leat_create does */
        r.ops = &io_threads_ops;
        desc.why_no_ring = why.text;
        result = r.ops->open(&desc, &r.io, &why);
    }
    if (result == LEAT_OK) {
        out->tried = true;
        read_all(&r);
        r.ops->info(r.io, &out->info);
        r.ops->file_remove(r.io, r.file);
        r.ops->close(r.io);
    }
    region_destroy(&pool);
}

/* ---- What is run ---- */

#define RUN_COUNT_MAX (2 * LEAT_MODE_COUNT + 16)

static uint32_t list_runs(run *runs)
{
    uint32_t count = 0;
    for (uint32_t m = 0; m < LEAT_MODE_COUNT; ++m) {
        for (uint32_t on = 0; on < 2; ++on) {
            run *r = &runs[count++];
            *r = (run){ .name = leat_mode_text((leat_mode)m), .mode = (leat_mode)m, .backend = LEAT_BACKEND_URING };
            *io_mode_switch(&r->uring, (leat_mode)m) = on == 0 ? LEAT_ON : LEAT_OFF;
            bool gathers = m == LEAT_MODE_BATCH || m == LEAT_MODE_MIN_WAIT || m == LEAT_MODE_TIMEOUTS;
            r->uring.batch_wait_us = gathers && (on == 0 || m != LEAT_MODE_BATCH) ? 1000 : 0;
        }
    }
    run all_on = { .name = "all_on", .mode = LEAT_MODE_COUNT, .backend = LEAT_BACKEND_URING };
    run all_off = { .name = "all_off", .mode = LEAT_MODE_COUNT, .backend = LEAT_BACKEND_URING };
    for (uint32_t m = 0; m < LEAT_MODE_COUNT; ++m) {
        *io_mode_switch(&all_on.uring, (leat_mode)m) = LEAT_ON;
        *io_mode_switch(&all_off.uring, (leat_mode)m) = LEAT_OFF;
    }
    runs[count++] = all_on;
    runs[count++] = all_off;
    runs[count++] = (run){ .name = "sqpoll_iopoll",
                           .mode = LEAT_MODE_COUNT,
                           .backend = LEAT_BACKEND_URING,
                           .uring = { .sqpoll = LEAT_ON, .iopoll = LEAT_ON } };
    runs[count++] = (run){ .name = "interrupts",
                           .mode = LEAT_MODE_COUNT,
                           .backend = LEAT_BACKEND_URING,
                           .uring = { .defer_taskrun = LEAT_OFF, .coop_taskrun = LEAT_OFF } };
    runs[count++] = (run){ .name = "small_queues",
                           .mode = LEAT_MODE_COUNT,
                           .backend = LEAT_BACKEND_URING,
                           .uring = { .entries = 4, .completion_entries = 4 } };
    runs[count++] = (run){ .name = "threads", .mode = LEAT_MODE_COUNT, .backend = LEAT_BACKEND_THREADS };
    return count;
}

static const char *asked_text(const run *r)
{
    return r->mode == LEAT_MODE_COUNT                                          ? "-"
           : *io_mode_switch((leat_uring_desc *)&r->uring, r->mode) == LEAT_ON ? "on"
                                                                               : "off";
}

static void print_text(const char *text, bool json)
{
    putchar('"');
    for (const char *c = text; *c != '\0'; ++c) {
        if (*c == '"' || *c == '\\') {
            putchar('\\');
        }
        putchar((unsigned char)*c < ' ' ? ' ' : *c);
    }
    putchar('"');
    (void)json;
}

static void print_run(const run *r, const outcome *o, bool json, bool first)
{
    bool ring = o->info.backend == LEAT_BACKEND_URING;
    bool combination = r->mode == LEAT_MODE_COUNT;
    const leat_mode_info *m = combination ? NULL : &o->info.modes[r->mode];
    bool granted = combination ? o->info.backend == r->backend : m->granted;
    const char *backend = !o->tried ? "none" : ring ? "io_uring" : "threads";
    const char *fallback = granted ? "" : !ring ? "threads" : combination ? "" : leat_mode_fallback_text(r->mode);
    const char *why = !o->tried ? "no memory or threads" : combination ? (ring ? "" : o->info.modes[0].why) : m->why;
    const char *bytes = !o->tried ? "unknown" : o->identical ? "identical" : "different";
    if (json) {
        printf("%s\n  {\"mode\": \"%s\", \"asked\": \"%s\", \"granted\": %s, \"backend\": \"%s\", \"bytes\": \"%s\", "
               "\"calls_per_read\": %.4f, \"fallback\": ",
               first ? "" : ",", r->name, asked_text(r), granted ? "true" : "false", backend, bytes, o->calls_per_read);
        print_text(fallback, true);
        printf(", \"why\": ");
        print_text(why, true);
        printf(", \"problem\": ");
        print_text(o->problem, true);
        printf("}");
        return;
    }
    printf("mode=%s asked=%s granted=%s backend=%s bytes=%s calls_per_read=%.4f fallback=", r->name, asked_text(r),
           granted ? "yes" : "no", backend, bytes, o->calls_per_read);
    print_text(fallback, false);
    printf(" why=");
    print_text(why, false);
    if (o->problem[0] != '\0') {
        printf(" problem=");
        print_text(o->problem, false);
    }
    printf("\n");
    fflush(stdout);
}

static int usage(FILE *to, int code)
{
    fprintf(
        to,
        "usage: leat-modes FOLDER [--json] [--only NAME[=on|=off]] [--make | --made]\n"
        "Reads files in FOLDER back by each mode of io_uring and by threads; says what was granted and whether the\n"
        "bytes are the same.\n"
        "  --only NAME  one mode or combination; a mode is tried switched on and off, or as =on or =off says\n"
        "  --make       make the files in FOLDER, leave them there and read nothing\n"
        "  --made       the files are there already, and stay\n"
        "Exit code 0: all identical, 1: some not, 2: not tried.\n");
    return code;
}

typedef struct options {
    const char *folder, *only;
    bool json, make, made, help;
} options;

static bool parse(int argc, char **argv, options *o)
{
    for (int i = 1; i < argc; ++i) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            o->help = true;
        } else if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
        } else if (strcmp(argv[i], "--make") == 0) {
            o->make = true;
        } else if (strcmp(argv[i], "--made") == 0) {
            o->made = true;
        } else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            o->only = argv[++i];
        } else if (argv[i][0] != '-' && o->folder == NULL) {
            o->folder = argv[i];
        } else {
            fprintf(stderr, "leat-modes: what is %s?\n", argv[i]);
            return false;
        }
    }
    return o->help || (o->folder != NULL && !(o->make && o->made));
}

/* only: a name, which may be followed by =on or =off; NULL wants all. */
static bool run_wanted(const run *r, const char *only)
{
    size_t size = strlen(r->name);
    return only == NULL || (strncmp(only, r->name, size) == 0 &&
                            (only[size] == '\0' || (only[size] == '=' && strcmp(only + size + 1, asked_text(r)) == 0)));
}

static int run_all(const options *o, const place *p)
{
    run runs[RUN_COUNT_MAX];
    uint32_t count = list_runs(runs), tried = 0, bad = 0;
    printf("%s", o->json ? "[" : "");
    for (uint32_t i = 0; i < count; ++i) {
        if (run_wanted(&runs[i], o->only)) {
            outcome out;
            try_run(&runs[i], p, &out);
            print_run(&runs[i], &out, o->json, tried == 0);
            tried += out.tried;
            bad += out.tried && !out.identical;
        }
    }
    printf("%s", o->json ? "\n]\n" : "");
    if (tried == 0) {
        fprintf(stderr, "leat-modes: nothing could be tried%s%s\n", o->only != NULL ? ": no mode is named " : "",
                o->only != NULL ? o->only : "");
        return 2;
    }
    return bad > 0;
}

int main(int argc, char **argv)
{
    options o = { 0 };
    if (!parse(argc, argv, &o)) {
        return usage(stderr, 2);
    }
    if (o.help) {
        return usage(stdout, 0);
    }
    place p;
    int code = 0;
    if (!place_open(&p, o.folder, o.made)) {
        fprintf(stderr, "leat-modes: cannot %s files in %s: %s\n", o.made ? "open" : "write", o.folder,
                strerror(errno));
        code = 2;
    } else if (!o.make) {
        code = run_all(&o, &p);
    }
    if (!o.made && !(o.make && code == 0)) {
        place_remove(&p);
    }
    return code;
}
