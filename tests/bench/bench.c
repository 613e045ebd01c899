/* bench.c - see bench.h; and the command line of leat-bench. */
#include "bench.h"

#include "test_pack.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* ---- Time ---- */

uint64_t bench_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t bench_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void bench_sleep_ns(uint64_t ns)
{
    nanosleep(&(struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) }, NULL);
}

uint64_t bench_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15)); /* SplitMix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* ---- Figures ---- */

void bench_raw(bench *b, const char *name, const samples *s)
{
    cJSON_AddItemToObject(b->raw, name, cJSON_CreateDoubleArray(s->values, (int)s->count));
}

void bench_round_by_round(const char *name, const samples *over, const samples *under)
{
    samples ratios = { 0 };
    for (uint32_t i = 0; i < over->count && i < under->count; ++i) {
        samples_add(&ratios, over->values[i] / under->values[i]);
    }
    printf("  %-40s %12.3f            quartiles %.3f and %.3f over %u rounds\n", name, samples_median(&ratios),
           samples_quantile(&ratios, 0.25), samples_quantile(&ratios, 0.75), ratios.count);
    samples_free(&ratios);
}

/* Four digits, and all of those before the point. */
static void number_print(double value, char text[32])
{
    snprintf(text, 32, value >= 1e4 || value <= -1e4 ? "%.0f" : "%.4g", value);
}

void bench_figure(bench *b, const char *name, double value, const char *unit, goal_kind kind, double goal)
{
    bool met = kind == GOAL_NONE || (kind == GOAL_AT_MOST ? value <= goal : value >= goal);
    cJSON *figure = cJSON_CreateObject();
    cJSON_AddStringToObject(figure, "suite", b->suite);
    cJSON_AddStringToObject(figure, "name", name);
    cJSON_AddNumberToObject(figure, "value", value);
    cJSON_AddStringToObject(figure, "unit", unit);
    if (kind != GOAL_NONE) {
        cJSON_AddNumberToObject(figure, "goal", goal);
        cJSON_AddBoolToObject(figure, "met", met);
        b->missed += met ? 0 : 1;
    }
    cJSON_AddItemToArray(b->figures, figure);
    char number[32], limit[32];
    const char *space = unit[0] != '\0' ? " " : "";
    number_print(value, number);
    number_print(goal, limit);
    if (kind == GOAL_NONE) {
        printf("  %-40s %12s%s%s\n", name, number, space, unit);
    } else {
        printf("  %-40s %12s %-10s goal %s %s%s%s: %s\n", name, number, unit, kind == GOAL_AT_MOST ? "<=" : ">=", limit,
               space, unit, met ? "met" : "NOT MET");
    }
    fflush(stdout);
}

/* ---- Packs ---- */

bool bench_pack_open(const char *path, bench_pack *pack)
{
    static const pack_limits no_limits = { .index_bytes_max = UINT64_MAX, .asset_bytes_max = UINT64_MAX };
    *pack = (bench_pack){ .path = path, .fd = open(path, O_RDONLY | O_CLOEXEC) };
    leat_error error = { .text = "the index cannot be read" };
    ssize_t header_size = pack->fd < 0 ? -1 : pread(pack->fd, &pack->header, sizeof(pack->header), 0);
    if (header_size != sizeof(pack->header)) {
        fprintf(stderr, "leat-bench: %s: %s\n", path,
                header_size < 0 ? strerror(errno) : "is not a Leat pack (it is shorter than a header)");
        bench_pack_close(pack);
        return false;
    }
    pack->file_size = (uint64_t)lseek(pack->fd, 0, SEEK_END);
    if (pack_header_check(&pack->header, pack->file_size, &no_limits, path, &error) == LEAT_OK) {
        pack->index_bytes = aligned_alloc(4096, align_up(pack->header.index_size, 4096));
        uint64_t done = 0;
        while (pack->index_bytes != NULL && done < pack->header.index_size) {
            ssize_t got = pread(pack->fd, (uint8_t *)pack->index_bytes + done, pack->header.index_size - done,
                                (off_t)(pack->header.index_offset + done));
            if (got <= 0) {
                break;
            }
            done += (uint64_t)got;
        }
        if (done == pack->header.index_size && pack_index_check(&pack->header, pack->index_bytes, &no_limits, NULL,
                                                                &pack->index, path, &error) == LEAT_OK) {
            if (pack->index.raw_size > 0) {
                return true;
            }
            snprintf(error.text, sizeof(error.text), "%s: holds no bytes, so there is nothing to measure", path);
        }
    }
    fprintf(stderr, "leat-bench: %s\n", error.text);
    bench_pack_close(pack);
    return false;
}

void bench_pack_close(bench_pack *pack)
{
    if (pack->fd >= 0) {
        close(pack->fd);
    }
    free(pack->index_bytes);
    pack->index_bytes = NULL;
    pack->fd = -1;
}

/* ---- Files that the benchmark makes for itself ---- */

int bench_file_make(char path[BENCH_PATH_SIZE])
{
    const char *folder = getenv("TMPDIR");
    char name[PATH_MAX];
    snprintf(name, sizeof(name), "%s/leat-bench-XXXXXX", folder != NULL && folder[0] != '\0' ? folder : "/tmp");
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "leat-bench: %s: cannot be made: %s; set TMPDIR\n", name, strerror(errno));
        return -1;
    }
    unlink(name);
    snprintf(path, BENCH_PATH_SIZE, "/proc/%ld/fd/%d", (long)getpid(), fd); /* fio can open it, too */
    return fd;
}

int bench_pack_make(const test_pack_desc *desc, char path[BENCH_PATH_SIZE])
{
    int fd = bench_file_make(path);
    if (fd < 0) {
        return -1;
    }
    test_pack pack;
    test_pack_make(desc, &pack);
    ssize_t wrote = 1;
    for (uint64_t done = 0; done < pack.size && wrote > 0; done += (uint64_t)wrote) {
        wrote = write(fd, pack.bytes + done, pack.size - done);
    }
    test_pack_free(&pack);
    if (wrote <= 0) {
        fprintf(stderr, "leat-bench: a pack cannot be made in TMPDIR: %s\n", strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

/* ---- The page cache ---- */

void bench_cold(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        fdatasync(fd);
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
    }
}

void bench_warm(const char *path)
{
    bench_cold(path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *block = malloc(1 << 20);
    while (fd >= 0 && block != NULL && read(fd, block, 1 << 20) > 0) {
    }
    free(block);
    close(fd);
}

void bench_asset_chunks(const pack_index *index, uint32_t asset, uint32_t *first, uint32_t *end)
{
    const leat_pack_asset_record *a = &index->assets[asset];
    *first = a->chunk_first;
    *end = a->raw_size == 0 ? *first : pack_index_chunk_at(index, a->raw_offset + a->raw_size - 1) + 1;
}

uint32_t *bench_pick(const pack_index *index, uint32_t count, uint64_t seed)
{
    uint32_t *picked = malloc((size_t)count * sizeof(*picked));
    if (picked == NULL || index->raw_size == 0) {
        abort();
    }
    for (uint32_t i = 0; i < count;) {
        uint32_t asset = (uint32_t)(bench_random(&seed) % index->asset_count);
        picked[i] = asset;
        i += index->assets[asset].raw_size > 0 ? 1 : 0;
    }
    return picked;
}

typedef struct place {
    uint64_t raw_offset;
    uint32_t position;
} place;

static int by_offset(const void *a, const void *b)
{
    const place *x = a, *y = b;
    return x->raw_offset != y->raw_offset ? (x->raw_offset < y->raw_offset ? -1 : 1)
                                          : (x->position > y->position) - (x->position < y->position);
}

static int by_position(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

uint32_t *bench_distinct(const pack_index *index, uint32_t *count)
{
    place *places = malloc(((size_t)index->asset_count + 1) * sizeof(*places));
    uint32_t *distinct = malloc(((size_t)index->asset_count + 1) * sizeof(*distinct)), all = 0;
    if (places == NULL || distinct == NULL) {
        abort();
    }
    for (uint32_t i = 0; i < index->asset_count; ++i) {
        if (index->assets[i].raw_size > 0) {
            places[all++] = (place){ index->assets[i].raw_offset, i };
        }
    }
    qsort(places, all, sizeof(*places), by_offset);
    *count = 0;
    for (uint32_t i = 0; i < all; ++i) {
        if (i == 0 || places[i].raw_offset != places[i - 1].raw_offset) {
            distinct[(*count)++] = places[i].position;
        }
    }
    qsort(distinct, *count, sizeof(*distinct), by_position);
    free(places);
    return distinct;
}

uint32_t *bench_pick_distinct(const pack_index *index, uint32_t *count, uint64_t seed)
{
    uint32_t all, *picked = bench_distinct(index, &all);
    *count = u32_min(*count, all);
    for (uint32_t i = 0; i < *count; ++i) {
        uint32_t other = i + (uint32_t)(bench_random(&seed) % (all - i)), kept = picked[i];
        picked[i] = picked[other];
        picked[other] = kept;
    }
    qsort(picked, *count, sizeof(*picked), by_position);
    return picked;
}

#define LOAD_BATCH 256u

bool bench_load(leat_streamer *s, leat_pack pack, const uint32_t *assets, uint32_t count, uint64_t *bytes)
{
    uint32_t submitted = 0, ended = 0;
    bool ok = true;
    while (ended < count && ok) {
        leat_read_desc reads[LOAD_BATCH];
        uint32_t fill = u32_min(LOAD_BATCH, count - submitted), taken = 0;
        for (uint32_t i = 0; i < fill; ++i) {
            reads[i] = (leat_read_desc){ .asset = leat_asset_at(s, pack, assets[submitted + i]) };
        }
        if (fill > 0) {
            leat_result result = leat_submit(s, reads, fill, NULL, &taken);
            ok = result == LEAT_OK || result == LEAT_ERROR_FULL;
            submitted += taken;
        }
        leat_events events = submitted < count && taken == fill ? leat_update(s, NULL) : leat_wait(s, NS_PER_S);
        for (uint32_t i = 0; i < events.count; ++i, ++ended) {
            ok &= events.items[i].type == LEAT_EVENT_READY;
            *bytes += events.items[i].size;
            leat_release(s, events.items[i].request);
        }
    }
    return ok;
}

/* ---- A trace of one turn ---- */

bool bench_trace_stop(bench *b, leat_streamer *s)
{
    bool write = b->trace_path != NULL && !b->trace_written;
    leat_error error = { 0 };
    if (leat_trace_stop(s, write ? b->trace_path : NULL, &error) != LEAT_OK) {
        fprintf(stderr, "leat-bench: %s\n", error.text);
        return false;
    }
    b->trace_written |= write;
    return true;
}

/* ---- The command ---- */

typedef struct suite {
    const char *name;
    bool (*run)(bench *b);
    const char *text;
} suite;

static const suite suites[] = {
    { "limits", suite_limits, "what device, LZ4 and memory can do" },
    { "throughput", suite_throughput, "a whole pack and random assets through Leat, against the limits" },
    { "peers", suite_peers, "the same work as it is done without Leat" },
    { "urgent", suite_urgent, "small urgent reads under a background that never runs dry" },
    { "scale", suite_scale, "submit, cancel and re-prioritise with a thousand and a million queued" },
    { "engine", suite_engine, "the cost of a frame on the engine's thread; allocations; system calls" },
    { "steady", suite_steady, "system calls while an engine streams without a pause, cold and warm" },
    { "trace", suite_trace, "what it costs to record a trace" },
    { "startup", suite_startup, "opening packs of 10^3 to 10^6 assets; create and destroy" },
    { "memory", suite_memory,
      "resident memory over a flight against what was configured (ten minutes: --seconds 600)" },
    { "methods", suite_methods, "random reads by every method there is, from pread to polled io_uring" },
};

static void usage(FILE *out)
{
    fprintf(out, "usage: leat-bench SUITE... [options]\n\nsuites:\n");
    for (size_t i = 0; i < COUNT_OF(suites); ++i) {
        fprintf(out, "  %-12s %s\n", suites[i].name, suites[i].text);
    }
    fprintf(
        out,
        "  all          all of them\n\n"
        "options:\n"
        "  --pack F      pack to read (made with leat pack); default: a synthetic one of 1 GiB, in TMPDIR or /tmp,\n"
        "                without a name, so that it goes with the process\n"
        "  --file F      methods: a file to read; default: one of 1 GiB that is made, in TMPDIR or /tmp\n"
        "  --method M    methods: only this one\n"
        "  --sources DIR  PNGs for the peer that reads such\n"
        "  --json F      write figures and raw samples\n"
        "  --trace F     write a trace of the first turn under load (urgent, trace), for Perfetto and `leat trace`\n"
        "  --rounds N    turns of each contestant (default 5)\n"
        "  --seconds S   length of measurements that last (default 5)\n"
        "  --quick       small and short: shows that it works, measures nothing worth keeping\n"
        "  --help, --version\n\n"
        "A figure with a goal says whether it was met; the others are for reading. Goals that are missed fail "
        "nothing:\n"
        "they are set for a machine that does nothing else.\n"
        "Exit codes: 0 ran, 1 could not run, 2 usage.\n");
}

static bool write_json(const bench *b, char **names, int count)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddItemToObject(root, "suites", cJSON_CreateStringArray((const char *const *)names, count));
    cJSON_AddNumberToObject(root, "rounds", b->rounds);
    cJSON_AddNumberToObject(root, "seconds", b->seconds);
    cJSON_AddStringToObject(root, "pack", b->pack_path != NULL ? b->pack_path : "");
    cJSON_AddItemReferenceToObject(root, "figures", b->figures);
    cJSON_AddItemReferenceToObject(root, "raw", b->raw);
    char *text = cJSON_Print(root);
    FILE *file = text != NULL ? fopen(b->json_path, "we") : NULL;
    bool ok = file != NULL && fputs(text, file) >= 0;
    ok = file != NULL && fclose(file) == 0 && ok;
    if (!ok) {
        fprintf(stderr, "leat-bench: %s: %s\n", b->json_path, strerror(errno));
    }
    cJSON_free(text);
    cJSON_Delete(root);
    return ok;
}

/* Without --pack: bytes that LZ4 packs about two to one, in assets of some hundred KiB, like block-compressed textures.
 */
static bool make_synthetic(bench *b, char *path)
{
    const test_pack_desc desc = { .seed = 1,
                                  .asset_count = b->quick ? 400 : 4000,
                                  .size_min = 20000,
                                  .size_max = 500000,
                                  .chunk_raw_size = 256u << 10 };
    printf("making a synthetic pack ...\n");
    b->pack_path = path;
    return bench_pack_make(&desc, path) >= 0; /* open until the end */
}

/* methods does without. */
static bool needs_pack(char **names, int count)
{
    bool needs = false;
    for (int k = 0; k < count; ++k) {
        needs |= strcmp(names[k], "methods") != 0;
    }
    return needs;
}

static bool run_suites(bench *b, char **names, int count)
{
    bool ok = true;
    for (size_t i = 0; i < COUNT_OF(suites); ++i) {
        bool wanted = false;
        for (int k = 0; k < count; ++k) {
            wanted |= strcmp(names[k], suites[i].name) == 0 || strcmp(names[k], "all") == 0;
        }
        if (wanted) {
            printf("%s: %s\n", suites[i].name, suites[i].text);
            b->suite = suites[i].name;
            ok &= suites[i].run(b);
        }
    }
    return ok;
}

static bool known(const char *name)
{
    bool found = strcmp(name, "all") == 0;
    for (size_t i = 0; i < COUNT_OF(suites); ++i) {
        found |= strcmp(name, suites[i].name) == 0;
    }
    return found;
}

/* The share of the pack that stays in the page cache when it is put out; -1: unknown. */
static double cached_share(const char *path)
{
    bench_cold(path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    size_t pages = ((size_t)size + 4095) / 4096, cached = 0;
    void *mapped = size > 0 ? mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    unsigned char *states = malloc(pages + 1);
    bool known = mapped != MAP_FAILED && states != NULL && mincore(mapped, (size_t)size, states) == 0;
    for (size_t i = 0; i < pages && known; ++i) {
        cached += states[i] & 1;
    }
    free(states);
    if (mapped != MAP_FAILED) {
        munmap(mapped, (size_t)size);
    }
    if (fd >= 0) {
        close(fd);
    }
    return known ? (double)cached / (double)pages : -1;
}

/* In tmpfs, or held by somebody else, it stays in memory, and no figure that is called cold would be. */
static void say_if_never_cold(const bench *b)
{
    double share = b->pack_path != NULL ? cached_share(b->pack_path) : 0;
    if (share > 0.01) {
        printf("%s: %.0f %% of it cannot be put out of the page cache: figures that are called cold are not\n",
               b->pack_path, share * 100);
    }
}

/* A number from an option. False, and a line, if it is none, or not in [least, most]. */
static bool number_parse(const char *name, const char *string, double least, double most, double *value)
{
    char *end = NULL;
    *value = strtod(string, &end);
    if (end == string || *end != '\0' || !(*value >= least && *value <= most)) {
        fprintf(stderr, "leat-bench: --%s is a number from %g to %g, not \"%s\"\n", name, least, most, string);
        return false;
    }
    return true;
}

#define GO_ON (-1)
#define ROUNDS_MAX 100000.0
#define SECONDS_MIN 0.01
#define SECONDS_MAX 1e6

/* One option; GO_ON, or the code with which the program ends. */
static int option_take(bench *b, int option, const char *value)
{
    double number = 0;
    switch (option) {
    case 'p':
        b->pack_path = value;
        return GO_ON;
    case 'S':
        b->assets_path = value;
        return GO_ON;
    case 'j':
        b->json_path = value;
        return GO_ON;
    case 'f':
        b->file_path = value;
        return GO_ON;
    case 'm':
        b->method = value;
        return GO_ON;
    case 't':
        b->trace_path = value;
        return GO_ON;
    case 'r':
        if (!number_parse("rounds", value, 1, ROUNDS_MAX, &number)) {
            return 2;
        }
        b->rounds = (uint32_t)number;
        return GO_ON;
    case 's':
        return number_parse("seconds", value, SECONDS_MIN, SECONDS_MAX, &b->seconds) ? GO_ON : 2;
    case 'q':
        b->quick = true;
        b->rounds = 1;
        b->seconds = 0.3;
        return GO_ON;
    case 'h':
        usage(stdout);
        return 0;
    case 'V':
        printf("leat-bench %d.%d.%d\n", LEAT_VERSION_MAJOR, LEAT_VERSION_MINOR, LEAT_VERSION_PATCH);
        return 0;
    default:
        usage(stderr);
        return 2;
    }
}

static const struct option long_options[] = {
    { "pack", required_argument, NULL, 'p' },   { "sources", required_argument, NULL, 'S' },
    { "json", required_argument, NULL, 'j' },   { "file", required_argument, NULL, 'f' },
    { "method", required_argument, NULL, 'm' }, { "trace", required_argument, NULL, 't' },
    { "rounds", required_argument, NULL, 'r' }, { "seconds", required_argument, NULL, 's' },
    { "quick", no_argument, NULL, 'q' },        { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },      { 0 },
};

/* All but the last look at what was printed. */
static int run(int argc, char **argv)
{
    bench b = { .rounds = 5, .seconds = 5, .suite = "", .figures = cJSON_CreateArray(), .raw = cJSON_CreateObject() };
    for (int option; (option = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        int code = option_take(&b, option, optarg);
        if (code != GO_ON) {
            return code;
        }
    }
    bool good = optind < argc;
    if (b.method != NULL && !methods_known(b.method)) {
        return 2;
    }
    for (int i = optind; i < argc; ++i) {
        if (!known(argv[i])) {
            fprintf(stderr, "leat-bench: there is no suite \"%s\"\n", argv[i]);
            good = false;
        }
    }
    if (!good) {
        usage(stderr);
        return 2;
    }
    char synthetic[BENCH_PATH_SIZE];
    bool ok = b.pack_path != NULL || !needs_pack(argv + optind, argc - optind) || make_synthetic(&b, synthetic);
    if (ok) {
        say_if_never_cold(&b);
    }
    ok = ok && run_suites(&b, argv + optind, argc - optind);
    if (ok && b.json_path != NULL) {
        ok = write_json(&b, argv + optind, argc - optind);
    }
    if (ok && b.trace_path != NULL && !b.trace_written) {
        fprintf(stderr, "leat-bench: %s: not written; the suites urgent and trace record one\n", b.trace_path);
        ok = false;
    }
    printf("%u goal%s missed%s\n", b.missed, b.missed == 1 ? "" : "s",
           b.missed > 0 && b.quick ? "; but --quick is too short to tell" : "");
    cJSON_Delete(b.figures);
    cJSON_Delete(b.raw);
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    int code = run(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "leat-bench: standard output cannot be written\n");
        return code == 0 ? 1 : code;
    }
    return code;
}
