/* fuzz_replay.c - runs a fuzz target without libFuzzer: over files, and over seeded mutations of them.
 *
 *     replay_NAME [--mutate COUNT] FILE-OR-FOLDER...
 *
 * Prints how many inputs were run. An input that ends the process is in ./crash-NAME, where NAME is this program's,
 * if it was a mutation; else its path is the last one printed. Exit code 2: there was nothing to run. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_BYTES_MAX (1u << 20)
#define INPUT_COUNT_MAX 4096u
#define PATH_BYTES_MAX 4096u

typedef struct input {
    uint8_t *bytes;
    size_t size;
} input;

static input inputs[INPUT_COUNT_MAX];
static uint32_t input_count;
static const char *running; /* path of the input that runs, for the handler */
static const uint8_t *running_bytes; /* of a mutation, which has no file */
static size_t running_size;
static char crash_path[PATH_BYTES_MAX];

/* The sanitizers and abort() come here: keep what was being run. */
static void on_abort(int number)
{
    (void)number;
    if (running != NULL) {
        (void)!write(STDERR_FILENO, running, strlen(running));
        (void)!write(STDERR_FILENO, "\n", 1);
    }
    FILE *file = running_bytes != NULL ? fopen(crash_path, "wb") : NULL;
    if (file != NULL) {
        fwrite(running_bytes, 1, running_size, file);
        fclose(file);
    }
    _exit(1);
}

/* Each run gets memory of its very size, so that a read beyond the end is seen. */
static void run(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void add_file(const char *path)
{
    static uint8_t room[INPUT_BYTES_MAX];
    FILE *file = fopen(path, "rbe");
    if (file == NULL || input_count == INPUT_COUNT_MAX) {
        fprintf(stderr, "%s: %s\n", path, file == NULL ? strerror(errno) : "is one input too many");
        exit(2);
    }
    input *in = &inputs[input_count++];
    in->size = fread(room, 1, sizeof(room), file);
    fclose(file);
    in->bytes = malloc(in->size + 1);
    memcpy(in->bytes, room, in->size);
    running = path;
    run(in->bytes, in->size);
    running = NULL;
}

/* In the order of the names, so that the mutations are the same everywhere. */
static void add_path(const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) {
        add_file(path);
        return;
    }
    for (int i = 0; i < count; ++i) {
        char below[PATH_BYTES_MAX];
        snprintf(below, sizeof(below), "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            add_file(below);
        }
        free(entries[i]);
    }
    free(entries);
}

/* ---- Mutations ---- */

static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15)); /* SplitMix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* One change: a bit, a byte, a word of an edge value, a piece of another input, or an end. */
static size_t mutate(uint8_t *bytes, size_t size, uint64_t *random)
{
    static const uint32_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff };
    if (size == 0) {
        return 0;
    }
    size_t at = draw(random) % size;
    switch (draw(random) % 5) {
    case 0:
        bytes[at] ^= (uint8_t)(1u << (draw(random) % 8));
        return size;
    case 1:
        bytes[at] = (uint8_t)draw(random);
        return size;
    case 2:
        memcpy(bytes + at, &edges[draw(random) % COUNT_OF(edges)], size - at < 4 ? size - at : 4);
        return size;
    case 3: {
        const input *other = &inputs[draw(random) % input_count];
        size_t from = other->size == 0 ? 0 : draw(random) % other->size;
        size_t length = u64_min(draw(random) % 64, u64_min(other->size - from, size - at));
        memcpy(bytes + at, other->bytes + from, length);
        return size;
    }
    default:
        return at;
    }
}

static void run_mutations(uint64_t count)
{
    static uint8_t room[INPUT_BYTES_MAX];
    uint64_t random = 1;
    for (uint64_t i = 0; i < count; ++i) {
        const input *in = &inputs[draw(&random) % input_count];
        size_t size = in->size;
        memcpy(room, in->bytes, size);
        for (uint64_t changes = 1 + draw(&random) % 4; changes > 0; --changes) {
            size = mutate(room, size, &random);
        }
        running_bytes = room;
        running_size = size;
        run(room, size);
    }
    running_bytes = NULL;
}

int main(int argc, char **argv)
{
    uint64_t mutations = 0;
    const char *slash = strrchr(argv[0], '/');
    snprintf(crash_path, sizeof(crash_path), "crash-%s", slash != NULL ? slash + 1 : argv[0]);
    signal(SIGABRT, on_abort);
    for (int i = 1; i < argc; ++i) {
        if (strcmp(argv[i], "--mutate") == 0 && i + 1 < argc) {
            mutations = strtoull(argv[++i], NULL, 10);
        } else {
            add_path(argv[i]);
        }
    }
    if (input_count == 0) {
        fprintf(stderr, "usage: %s [--mutate COUNT] FILE-OR-FOLDER...\n", argv[0]);
        return 2;
    }
    run_mutations(mutations);
    printf("%u inputs, %llu mutations of them\n", input_count, (unsigned long long)mutations);
    for (uint32_t i = 0; i < input_count; ++i) {
        free(inputs[i].bytes);
    }
    return 0;
}
