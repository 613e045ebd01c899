/* bench.c - see bench.h; and the command line of leat-bench. */
#include "bench.h"

#include "test_pack.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* ---- Time, samples ---- */

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

void samples_add(samples *s, double value)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity == 0 ? 256 : s->capacity * 2;
        double *grown = realloc(s->values, s->capacity * sizeof(*grown));
        if (grown == NULL) {
            abort();
        }
        s->values = grown;
    }
    s->values[s->count++] = value;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double samples_quantile(samples *s, double q)
{
    if (s->count == 0) {
        return 0;
    }
    qsort(s->values, s->count, sizeof(*s->values), by_value);
    uint32_t at = (uint32_t)(q * (double)(s->count - 1) + 0.5);
    return s->values[at];
}

double samples_median(samples *s)
{
    return samples_quantile(s, 0.5);
}

void samples_free(samples *s)
{
    free(s->values);
    *s = (samples){ 0 };
}

void bench_raw(bench *b, const char *name, const samples *s)
{
    cJSON_AddItemToObject(b->raw, name, cJSON_CreateDoubleArray(s->values, (int)s->count));
}

/* ---- Figures ---- */

void bench_figure(bench *b, const char *name, double value, const char *unit, goal_kind kind, double goal)
{
    bool met = kind == GOAL_NONE || (kind == GOAL_AT_MOST ? value <= goal : value >= goal);
    cJSON *figure = cJSON_CreateObject();
    cJSON_AddStringToObject(figure, "name", name);
    cJSON_AddNumberToObject(figure, "value", value);
    cJSON_AddStringToObject(figure, "unit", unit);
    if (kind != GOAL_NONE) {
        cJSON_AddNumberToObject(figure, "goal", goal);
        cJSON_AddBoolToObject(figure, "met", met);
        b->missed += met ? 0 : 1;
    }
    cJSON_AddItemToArray(b->figures, figure);
    printf("  %-40s %12.4g %-10s", name, value, unit);
    if (kind != GOAL_NONE) {
        printf(" goal %s %-8.4g %s", kind == GOAL_AT_MOST ? "<=" : ">=", goal, met ? "met" : "NOT MET");
    }
    printf("\n");
    fflush(stdout);
}

/* ---- Packs ---- */

bool bench_pack_open(const char *path, bench_pack *pack)
{
    static const pack_limits no_limits = { .index_bytes_max = UINT64_MAX, .asset_bytes_max = UINT64_MAX };
    *pack = (bench_pack){ .path = path, .fd = open(path, O_RDONLY | O_CLOEXEC) };
    leat_error error = { .text = "cannot be read" };
    if (pack->fd < 0 || pread(pack->fd, &pack->header, sizeof(pack->header), 0) != sizeof(pack->header)) {
        fprintf(stderr, "leat-bench: %s: %s\n", path, strerror(errno));
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
            return true;
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
        "  --pack F      pack to read (made with leat pack); default: a synthetic one of 1 GiB, in TMPDIR or /tmp\n"
        "  --file F      methods: a file to read; default: one of 1 GiB that is made, in TMPDIR or /tmp\n"
        "  --method M    methods: only this one\n"
        "  --sources DIR  PNGs for the peer that reads such\n"
        "  --json F      write figures and raw samples\n"
        "  --trace F     write a trace of the first turn under load (urgent, trace), for Perfetto and `leat trace`\n"
        "  --rounds N    turns of each contestant (default 5)\n"
        "  --seconds S   length of measurements that last (default 5)\n"
        "  --quick       small and short: shows that it works, measures nothing worth keeping\n"
        "  --help        this text\n\n"
        "Exit codes: 0 ran, 1 could not run, 2 usage. Goals that are missed are printed; they fail nothing.\n");
}

static bool write_json(const bench *b, const char *names)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "suites", names);
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
    test_pack pack;
    printf("making a synthetic pack ...\n");
    test_pack_make(&(test_pack_desc){ .seed = 1,
                                      .asset_count = b->quick ? 400 : 4000,
                                      .size_min = 20000,
                                      .size_max = 500000,
                                      .chunk_raw_size = 256u << 10 },
                   &pack);
    test_pack_write(&pack, path);
    test_pack_free(&pack);
    b->pack_path = path;
    return true;
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

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "pack", required_argument, NULL, 'p' },
        { "sources", required_argument, NULL, 'S' },
        { "json", required_argument, NULL, 'j' },
        { "file", required_argument, NULL, 'f' },
        { "method", required_argument, NULL, 'm' },
        { "trace", required_argument, NULL, 't' },
        { "rounds", required_argument, NULL, 'r' },
        { "seconds", required_argument, NULL, 's' },
        { "quick", no_argument, NULL, 'q' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    bench b = { .rounds = 5, .seconds = 5, .figures = cJSON_CreateArray(), .raw = cJSON_CreateObject() };
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (option) {
        case 'p':
            b.pack_path = optarg;
            break;
        case 'S':
            b.assets_path = optarg;
            break;
        case 'j':
            b.json_path = optarg;
            break;
        case 'f':
            b.file_path = optarg;
            break;
        case 'm':
            b.method = optarg;
            break;
        case 't':
            b.trace_path = optarg;
            break;
        case 'r':
            b.rounds = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 's':
            b.seconds = strtod(optarg, NULL);
            break;
        case 'q':
            b.quick = true;
            b.rounds = 1;
            b.seconds = 0.3;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    bool good = optind < argc && b.rounds > 0 && b.seconds > 0;
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
    char synthetic[SCRATCH_SIZE] = "";
    bool ok = b.pack_path != NULL || !needs_pack(argv + optind, argc - optind) || make_synthetic(&b, synthetic);
    ok = ok && run_suites(&b, argv + optind, argc - optind);
    if (ok && b.json_path != NULL) {
        ok = write_json(&b, argv[optind]);
    }
    if (synthetic[0] != '\0') {
        unlink(synthetic);
    }
    if (ok && b.trace_path != NULL && !b.trace_written) {
        fprintf(stderr, "leat-bench: %s: not written; the suites urgent and trace record one\n", b.trace_path);
        ok = false;
    }
    printf("%u goals missed\n", b.missed);
    cJSON_Delete(b.figures);
    cJSON_Delete(b.raw);
    return ok ? 0 : 1;
}
