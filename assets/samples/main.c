// leat-samples OUTDIR: writes the sample content, textures and meshes in folders by theme.
//
// Work is a list of jobs, large ones first; threads take the next one from an atomic counter. What a job writes depends
// on the seed and its own entry alone, so the output does not depend on the number of threads. OUTDIR/.leat-samples is
// written last and holds the generator's version: with it, the folder is complete.
#include "catalog.h"
#include "meshes.h"
#include "noise.h"
#include "texture.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Raise with any change of the output: caches made by older versions are then made anew.
#define SAMPLES_VERSION "3"

enum { JOBS_MAX = 256, SURFACES_MAX = 1024, SURFACE_SIZE_MAX = 4096 };

struct options {
    const char *folder;
    long jobs;
    uint32_t seed;
    float scale;
    long size_max; // texels; 0 is no limit
};

struct work {
    const struct options *options;
    struct surface surfaces[SURFACES_MAX];
    size_t surface_count;
    size_t mesh_count;
    atomic_size_t next; // relaxed: only hands out indices
    atomic_size_t done; // relaxed: for the progress line
    atomic_size_t raw_size;
    atomic_bool failed; // relaxed: makes the others stop early; the join orders the rest
};

static const char usage[] =
    "Usage: leat-samples OUTDIR [options]\n"
    "Writes textures (PNG) and meshes (glTF, OBJ) made from nothing but numbers: the same on each machine.\n"
    "\n"
    "  --jobs N         threads (default: one per core)\n"
    "  --seed N         other content of the same kinds (default 1)\n"
    "  --count-scale X  make only this part of the textures and meshes, 0 to 1 (default 1)\n"
    "  --max-size N     no texture larger than N texels along an edge, for quick tests\n"
    "  --version        print the version of the content\n"
    "  --help           this text\n";

static bool make_folder(const char *path)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST) {
        return true;
    }
    fprintf(stderr, "leat-samples: cannot make the folder %s: %s\n", path, strerror(errno));
    return false;
}

static uint32_t name_seed(const struct surface *surface, uint32_t seed)
{
    uint32_t hash = seed;
    for (const char *at = surface->name; *at != '\0'; at++) {
        hash = noise_hash(hash, (uint32_t)(unsigned char)*at, 7);
    }
    return hash >> 8; // room for what recipes add to it
}

// Keeps item `index` of many so that `scale` of them stay, evenly spread.
static bool is_kept(size_t index, float scale)
{
    return floorf((float)(index + 1) * scale) > floorf((float)index * scale);
}

// Marks the surfaces that are wanted: those kept, and those that kept meshes refer to.
static void mark_wanted(const struct options *options, bool *wanted)
{
    for (size_t i = 0; i < catalog_surface_count; i++) {
        wanted[i] = is_kept(i, options->scale);
    }
    for (size_t i = 0; i < meshes_count(); i++) {
        const struct surface *used[MESH_PARTS_MAX];
        size_t count = 0;
        if (options->scale < 1 && is_kept(i, options->scale)) {
            meshes_surfaces(i, options->seed, used, &count);
        }
        for (size_t k = 0; k < count; k++) {
            wanted[used[k] - catalog_surfaces] = true;
        }
    }
}

static void plan(struct work *work, const struct options *options)
{
    bool wanted[SURFACES_MAX] = { false };
    mark_wanted(options, wanted);
    // Large first, so that no thread is left with a big one at the end.
    for (uint32_t size = SURFACE_SIZE_MAX; size > 0; size /= 2) {
        for (size_t i = 0; i < catalog_surface_count; i++) {
            if (catalog_surfaces[i].size != size || !wanted[i]) {
                continue;
            }
            struct surface *surface = &work->surfaces[work->surface_count++];
            *surface = catalog_surfaces[i];
            surface->seed = name_seed(surface, options->seed);
            if (options->size_max > 0 && surface->size > options->size_max) {
                surface->size = (uint32_t)options->size_max;
            }
        }
    }
    for (size_t i = 0; i < meshes_count(); i++) {
        work->mesh_count += is_kept(i, options->scale);
    }
}

static void *work_run(void *argument)
{
    struct work *work = argument;
    const struct options *options = work->options;
    size_t job_count = work->surface_count + meshes_count();
    for (;;) {
        size_t job = atomic_fetch_add_explicit(&work->next, 1, memory_order_relaxed);
        if (job >= job_count || atomic_load_explicit(&work->failed, memory_order_relaxed)) {
            return NULL;
        }
        bool good = true;
        size_t raw_size = 0;
        const char *name;
        if (job < work->surface_count) {
            name = work->surfaces[job].name;
            good = texture_write(options->folder, &work->surfaces[job], &raw_size);
        } else {
            size_t mesh = job - work->surface_count;
            if (!is_kept(mesh, options->scale)) {
                continue;
            }
            name = "mesh";
            good = meshes_write(options->folder, mesh, options->seed);
        }
        if (!good) {
            fprintf(stderr, "leat-samples: cannot write %s in %s: %s\n", name, options->folder, strerror(errno));
            atomic_store_explicit(&work->failed, true, memory_order_relaxed);
            return NULL;
        }
        atomic_fetch_add_explicit(&work->raw_size, raw_size, memory_order_relaxed);
        size_t done = atomic_fetch_add_explicit(&work->done, 1, memory_order_relaxed) + 1;
        if (isatty(STDERR_FILENO)) {
            fprintf(stderr, "\rMaking sample content: %zu of %zu", done, work->surface_count + work->mesh_count);
        }
    }
}

static bool write_stamp(const struct options *options)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/.leat-samples", options->folder) >= (int)sizeof path) {
        return false;
    }
    FILE *file = fopen(path, "w");
    bool good = file != NULL && fprintf(file, "%s %u %g %ld\n", SAMPLES_VERSION, options->seed, (double)options->scale,
                                        options->size_max) > 0;
    return file != NULL && fclose(file) == 0 && good;
}

// Reads "--name value" options; returns the exit code to leave with, or -1 to go on.
static int parse_arguments(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        char *end = NULL;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--version") == 0) {
            puts(SAMPLES_VERSION);
            return 0;
        }
        if (argv[i][0] != '-' && options->folder == NULL) {
            options->folder = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc) {
            options->jobs = strtol(argv[++i], &end, 10);
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            options->seed = (uint32_t)strtoul(argv[++i], &end, 10);
        } else if (strcmp(argv[i], "--count-scale") == 0 && i + 1 < argc) {
            options->scale = strtof(argv[++i], &end);
        } else if (strcmp(argv[i], "--max-size") == 0 && i + 1 < argc) {
            options->size_max = strtol(argv[++i], &end, 10);
        }
        if (end == NULL || end == argv[i] || *end != '\0') {
            fprintf(stderr, "leat-samples: cannot make sense of %s (see --help)\n", argv[i]);
            return 2;
        }
    }
    if (options->folder == NULL) {
        fputs("leat-samples: name the folder to write to (see --help)\n", stderr);
        return 2;
    }
    bool sane = options->jobs >= 1 && options->scale > 0 && options->scale <= 1 && options->size_max >= 0;
    if (!sane) {
        fputs("leat-samples: --jobs must be 1 or more, --count-scale above 0 and at most 1, --max-size 1 or more\n",
              stderr);
        return 2;
    }
    options->jobs = options->jobs > JOBS_MAX ? JOBS_MAX : options->jobs;
    return -1;
}

static bool make_folders(const struct options *options)
{
    char path[4096];
    static const char *const mesh_folders[] = { "rocks", "architecture", "garden", "props" };
    bool good = make_folder(options->folder);
    for (size_t i = 0; good && i < catalog_surface_count; i++) {
        snprintf(path, sizeof path, "%s/%s", options->folder, catalog_surfaces[i].folder);
        good = make_folder(path);
    }
    for (size_t i = 0; good && i < sizeof mesh_folders / sizeof mesh_folders[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", options->folder, mesh_folders[i]);
        good = make_folder(path);
    }
    return good;
}

int main(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct options options = { .jobs = cores > 0 ? cores : 1, .seed = 1, .scale = 1 };
    int code = parse_arguments(argc, argv, &options);
    if (code >= 0) {
        return code;
    }
    struct work *work = calloc(1, sizeof *work);
    if (work == NULL || !make_folders(&options)) {
        free(work);
        return 1;
    }
    work->options = &options;
    plan(work, &options);
    pthread_t threads[JOBS_MAX];
    long started = 0;
    while (started < options.jobs && pthread_create(&threads[started], NULL, work_run, work) == 0) {
        started++;
    }
    if (started == 0) {
        work_run(work);
    }
    for (long i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    bool good = !work->failed && write_stamp(&options);
    if (isatty(STDERR_FILENO)) {
        fputc('\n', stderr);
    }
    if (good) {
        printf("%zu textures (%.0f MiB as RGBA8 with mips) and %zu meshes in %s\n", work->surface_count * 3,
               (double)work->raw_size / (1024 * 1024), work->mesh_count, options.folder);
    }
    free(work);
    return good ? 0 : 1;
}
