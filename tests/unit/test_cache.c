/* Shows that the packer's cache gives back what was put into it or nothing: whatever an entry has become (cut, changed
 * in any byte, another's), it is not there, and is replaced; that folders which are not to be trusted are not used;
 * that its size is bounded by use; that threads of two caches on one folder do not disturb each other; that bytes of
 * any kind are a product or refused, at the price of their own size; that a key differs with each thing that decides
 * the result; and that some versions of a model are kept. */
#include "unit.h"

#include "cache.h"
#include "encoder_id.h"
#include "product.h"
#include "scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define THREAD_COUNT 4u
#define SHARED_KEY_COUNT 16u
#define ROUND_COUNT 200u

/* No disk is too full for these tests: what is to stay free is full_disk.sh's. */
static const cache_limits defaults = { .bytes = CACHE_LIMIT_DEFAULT, .free_bytes_min = 0 };

typedef struct fixture {
    char base[SCRATCH_SIZE], folder[SCRATCH_SIZE + 16];
    cache *cache;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    scratch_folder_make("leat-cache", f->base);
    snprintf(f->folder, sizeof(f->folder), "%s/deep/er", f->base);
    f->cache = cache_open(f->folder, defaults);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    cache_close(f->cache);
    scratch_folder_remove(f->base);
    free(f);
    return 0;
}

static cache_key key_number(uint64_t number)
{
    return (cache_key){ { number, number * UINT64_C(0x9e3779b97f4a7c15) } };
}

/* The path of an entry: as cache.c's prologue says. */
static void entry_path(const fixture *f, uint64_t number, char *path)
{
    cache_key key = key_number(number);
    char digits[33];
    snprintf(digits, sizeof(digits), "%016llx%016llx", (unsigned long long)key.hash[1],
             (unsigned long long)key.hash[0]);
    snprintf(path, SCRATCH_PATH_SIZE, "%s/%.2s/%s", f->folder, digits, digits + 2);
}

static void put(const fixture *f, uint64_t number, const char *text)
{
    cache_key key = key_number(number);
    cache_put(f->cache, &key, text, strlen(text));
}

/* text NULL: it must not be there. */
static void check(const fixture *f, uint64_t number, const char *text)
{
    size_t size;
    cache_key key = key_number(number);
    uint8_t *bytes = cache_get(f->cache, &key, &size);
    if (text == NULL) {
        assert_null(bytes);
    } else {
        assert_non_null(bytes);
        assert_int_equal(size, strlen(text));
        assert_memory_equal(bytes, text, size);
    }
    free(bytes);
}

static size_t file_load(const char *path, uint8_t *bytes, size_t room)
{
    FILE *file = fopen(path, "rbe");
    assert_non_null(file);
    size_t size = fread(bytes, 1, room, file);
    fclose(file);
    return size;
}

static void file_store(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "wbe");
    assert_non_null(file);
    assert_int_equal(size > 0 ? fwrite(bytes, 1, size, file) : 0, size);
    assert_int_equal(fclose(file), 0);
}

static void age(const char *path, int64_t days)
{
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = time(NULL) - days * 24 * 3600 } };
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static uint32_t count_temporary(const fixture *f)
{
    uint32_t count = 0;
    setenv("FOLDER", f->folder, 1); /* whatever its name has for a shell */
    FILE *pipe = popen("find \"$FOLDER\" -name 'tmp-*' | wc -l", "re");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%u", &count), 1);
    pclose(pipe);
    return count;
}

static void what_is_put_is_found(void **state)
{
    fixture *f = *state;
    assert_true(cache_is_on(f->cache));
    assert_null(cache_problem(f->cache));
    check(f, 1, NULL);
    put(f, 1, "one");
    put(f, 2, "");
    check(f, 1, "one");
    check(f, 2, "");
    check(f, 3, NULL);
    put(f, 1, "one, again");
    check(f, 1, "one, again");
    assert_int_equal(count_temporary(f), 0);
}

static void damage_is_a_miss_and_is_replaced(void **state)
{
    fixture *f = *state;
    uint8_t good[256], bad[256];
    char path[SCRATCH_PATH_SIZE], other[SCRATCH_PATH_SIZE];
    put(f, 1, "the bytes of an entry");
    put(f, 2, "the bytes of another");
    entry_path(f, 1, path);
    entry_path(f, 2, other);
    size_t size = file_load(path, good, sizeof(good));
    assert_true(size > strlen("the bytes of an entry"));
    for (size_t cut = 0; cut < size; ++cut) {
        file_store(path, good, cut);
        check(f, 1, NULL);
    }
    for (size_t at = 0; at < size * 8; ++at) {
        memcpy(bad, good, size);
        bad[at / 8] ^= (uint8_t)(1u << at % 8);
        file_store(path, bad, size);
        check(f, 1, NULL);
    }
    memcpy(bad, good, size);
    bad[size] = 0;
    file_store(path, bad, size + 1); /* longer than it says */
    check(f, 1, NULL);
    size_t other_size = file_load(other, bad, sizeof(bad)); /* whole, but of another key */
    file_store(path, bad, other_size);
    check(f, 1, NULL);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(other, path), 0);
    check(f, 1, NULL);
    put(f, 1, "the bytes of an entry");
    check(f, 1, "the bytes of an entry");
    check(f, 2, "the bytes of another");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0); /* cannot even be replaced: told, and nothing is left */
    put(f, 1, "x");
    check(f, 1, NULL);
    assert_non_null(cache_problem(f->cache));
    assert_int_equal(count_temporary(f), 0);
}

static void folders_of_others_are_not_used(void **state)
{
    fixture *f = *state;
    char path[SCRATCH_PATH_SIZE];
    put(f, 1, "one");
    assert_int_equal(chmod(f->folder, 0777), 0);
    cache *c = cache_open(f->folder, defaults);
    assert_false(cache_is_on(c));
    assert_non_null(strstr(cache_problem(c), "everyone"));
    size_t size;
    cache_key key = key_number(1);
    assert_null(cache_get(c, &key, &size));
    cache_put(c, &key, "other", 5); /* no harm */
    cache_close(c);
    assert_int_equal(chmod(f->folder, 0700), 0);
    check(f, 1, "one");
    if (geteuid() == 0) {
        assert_int_equal(chown(f->folder, 4711, 4711), 0);
        c = cache_open(f->folder, defaults);
        assert_false(cache_is_on(c));
        assert_non_null(strstr(cache_problem(c), "another user"));
        cache_close(c);
        assert_int_equal(chown(f->folder, 0, 4711), 0); /* a group's, who may all put something there: */
        assert_int_equal(chmod(f->folder, 0770), 0);
        entry_path(f, 1, path);
        check(f, 1, "one");
        assert_int_equal(chown(path, 4711, 4711), 0);
        check(f, 1, NULL);
        put(f, 1, "one of my own");
        check(f, 1, "one of my own");
    }
    snprintf(path, sizeof(path), "%s/file", f->base);
    file_store(path, (const uint8_t *)"x", 1);
    c = cache_open(path, defaults);
    assert_false(cache_is_on(c));
    assert_non_null(strstr(cache_problem(c), path));
    cache_close(c);
    c = cache_open(NULL, defaults); /* off, by wish */
    assert_false(cache_is_on(c));
    assert_null(cache_problem(c));
    cache_close(c);
}

/* With the tag, backups leave out the whole folder: only one that was made for the cache has it. */
static void only_a_folder_of_its_own_is_tagged(void **state)
{
    fixture *f = *state;
    char path[SCRATCH_PATH_SIZE];
    snprintf(path, sizeof(path), "%s/CACHEDIR.TAG", f->folder);
    assert_int_equal(access(path, F_OK), 0);
    cache *c = cache_open(f->base, defaults);
    assert_true(cache_is_on(c));
    cache_close(c);
    snprintf(path, sizeof(path), "%s/CACHEDIR.TAG", f->base);
    assert_int_equal(access(path, F_OK), -1);
}

static void the_longest_unused_goes_first(void **state)
{
    fixture *f = *state;
    char path[SCRATCH_PATH_SIZE], temporary[SCRATCH_PATH_SIZE], bystander[SCRATCH_PATH_SIZE];
    for (uint64_t i = 1; i <= 8; ++i) {
        put(f, i, "an entry of one block");
        entry_path(f, i, path);
        age(path, (int64_t)(10 - i));
    }
    check(f, 1, "an entry of one block"); /* used: now the youngest */
    snprintf(bystander, sizeof(bystander), "%s", path);
    strcpy(strrchr(bystander, '/'), "/notes.txt");
    file_store(bystander, (const uint8_t *)"x", 1);
    snprintf(temporary, sizeof(temporary), "%s", path);
    strcpy(strrchr(temporary, '/'), "/tmp-0123-4");
    file_store(temporary, (const uint8_t *)"x", 1);
    cache_size size = cache_trim(f->cache, UINT64_MAX);
    assert_int_equal(size.entry_count, 8);
    assert_int_equal(size.bytes, 8 * 4096);
    assert_int_equal(count_temporary(f), 1); /* somebody may be writing it */
    age(temporary, 1);
    size = cache_trim(f->cache, 7 * 4096); /* to nine tenths of it */
    assert_int_equal(size.entry_count, 6);
    assert_int_equal(count_temporary(f), 0);
    static const bool left[] = { true, false, false, true, true, true, true, true };
    for (uint64_t i = 1; i <= 8; ++i) {
        check(f, i, left[i - 1] ? "an entry of one block" : NULL);
    }
    size = cache_trim(f->cache, 0);
    assert_int_equal(size.entry_count, 0);
    entry_path(f, 4, path);
    file_store(path, NULL, 0); /* as a crash of the machine leaves one */
    size = cache_trim(f->cache, 0);
    assert_int_equal(size.entry_count, 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_null(cache_problem(f->cache));
    check(f, 8, NULL);
    assert_int_equal(access(bystander, F_OK), 0);
}

static void a_run_adds_no_more_than_the_limit(void **state)
{
    fixture *f = *state;
    cache_close(f->cache);
    f->cache = cache_open(f->folder, (cache_limits){ .bytes = 4 * 4096 });
    for (uint64_t i = 1; i <= 6; ++i) {
        put(f, i, "an entry of one block");
    }
    assert_int_equal(cache_trim(f->cache, UINT64_MAX).entry_count, 4);
    assert_non_null(strstr(cache_problem(f->cache), "--cache-limit"));
    cache_close(f->cache); /* trims to nine tenths only above the limit */
    f->cache = cache_open(f->folder, (cache_limits){ .bytes = 3 * 4096 });
    cache_close(f->cache); /* has added nothing, and trims nothing */
    f->cache = cache_open(f->folder, (cache_limits){ .bytes = 3 * 4096 });
    assert_int_equal(cache_trim(f->cache, UINT64_MAX).entry_count, 4);
    put(f, 9, "an entry of one block");
    assert_int_equal(cache_trim(f->cache, UINT64_MAX).entry_count, 3);
}

/* Runs that are killed, as none of them comes to its cache_close(), do not make it grow beyond the limit. */
static void runs_that_are_killed_stay_below_the_limit(void **state)
{
    fixture *f = *state;
    static const uint64_t limit = 32 * 4096;
    enum { RUN_COUNT = 8, PUT_COUNT = 31 };
    cache *runs[RUN_COUNT];
    for (uint64_t run = 0; run < RUN_COUNT; ++run) {
        runs[run] = cache_open(f->folder, (cache_limits){ .bytes = limit });
        for (uint64_t i = 0; i < PUT_COUNT; ++i) {
            cache_key key = key_number(run * PUT_COUNT + i);
            cache_put(runs[run], &key, "an entry of one block", 21);
            assert_true(cache_trim(f->cache, UINT64_MAX).bytes <= limit + limit / 16 + 4096);
        }
        check(f, run * PUT_COUNT + PUT_COUNT - 1, "an entry of one block");
    }
    for (uint32_t run = 0; run < RUN_COUNT; ++run) {
        assert_null(cache_problem(runs[run]));
        cache_close(runs[run]);
    }
}

typedef struct worker {
    pthread_t thread;
    cache *cache;
    uint64_t seed, hits;
} worker;

/* Entry n is n + 1 blocks of the byte n: whoever finds one finds the whole. */
static void *hammer(void *argument)
{
    worker *w = argument;
    static const size_t block = 1000;
    uint8_t *bytes = malloc(block * (SHARED_KEY_COUNT + 1));
    for (uint32_t i = 0; i < ROUND_COUNT && bytes != NULL; ++i) {
        uint64_t number = unit_below(&w->seed, SHARED_KEY_COUNT);
        size_t size = block * (number + 1), got_size;
        cache_key key = key_number(number);
        memset(bytes, (int)number, size);
        uint8_t *got = cache_get(w->cache, &key, &got_size);
        if (got != NULL && (got_size != size || memcmp(got, bytes, size) != 0)) {
            abort();
        }
        w->hits += got != NULL;
        free(got);
        cache_put(w->cache, &key, bytes, size);
        if (i % 64 == 63) {
            cache_trim(w->cache, 8 * 4096);
        }
    }
    free(bytes);
    return NULL;
}

static void many_use_one_folder(void **state)
{
    fixture *f = *state;
    worker workers[THREAD_COUNT] = { 0 };
    cache *second = cache_open(f->folder, defaults);
    uint64_t hits = 0;
    for (uint32_t i = 0; i < THREAD_COUNT; ++i) {
        workers[i].cache = i % 2 == 0 ? f->cache : second;
        workers[i].seed = i + 1;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, hammer, &workers[i]), 0);
    }
    for (uint32_t i = 0; i < THREAD_COUNT; ++i) {
        pthread_join(workers[i].thread, NULL);
        hits += workers[i].hits;
    }
    assert_true(hits > 0);
    assert_null(cache_problem(f->cache));
    assert_null(cache_problem(second));
    assert_int_equal(count_temporary(f), 0);
    cache_close(second);
}

/* ---- Products ---- */

static product *product_make(uint32_t edge)
{
    product_maker maker = { .format = TEXTURE_FORMAT_RGBA8, .level = 3 };
    uint64_t size = (uint64_t)edge * edge * 4;
    import_image image = { .name = "a.png",
                           .bytes = calloc(1, size),
                           .size = size,
                           .width = edge,
                           .height = edge,
                           .usage = TEXTURE_USAGE_COLOR };
    product *p = product_of_image(&maker, &image, &(texture_settings){ 0 });
    free(image.bytes);
    assert_non_null(p);
    assert_int_equal(p->asset_count, 1);
    import_add_message(&p->imported, IMPORT_WARNING, "a warning");
    import_add_lookup(&p->imported, LOOKUP_BESIDE, "a.mtl", (const uint64_t[2]){ 1, 2 });
    return p;
}

/* One byte changed, which the hash of the entry would have found out. */
static void noise_is_survived(uint8_t *bytes, size_t size)
{
    uint64_t random = 5;
    for (uint32_t i = 0; i < 20000; ++i) {
        product loaded = { 0 };
        size_t at = unit_below(&random, size);
        uint8_t saved = bytes[at];
        bytes[at] = (uint8_t)unit_random(&random);
        if (product_load(bytes, size, &loaded)) {
            size_t again_size;
            uint8_t *again = product_save(&loaded, &again_size);
            assert_non_null(again); /* every length in it is true */
            free(again);
            product *whole = malloc(sizeof(*whole));
            *whole = loaded;
            product_free(whole);
        }
        bytes[at] = saved;
    }
}

static void products_come_back_or_are_refused(void **state)
{
    (void)state;
    for (uint32_t edge = 16; edge <= 256; edge *= 16) { /* without chunks, and with */
        product *p = product_make(edge), *back = calloc(1, sizeof(*back));
        assert_int_equal(p->assets[0].chunk_count > 0, edge == 256);
        size_t size, back_size;
        uint8_t *bytes = product_save(p, &size);
        assert_non_null(bytes);
        assert_true(product_load(bytes, size, back));
        assert_string_equal(back->assets[0].asset.name, "a.png");
        assert_int_equal(back->imported.lookup_count, 1);
        assert_string_equal(back->imported.messages[0].text, "a warning");
        uint8_t *back_bytes = product_save(back, &back_size);
        assert_int_equal(back_size, size);
        assert_memory_equal(back_bytes, bytes, size);
        free(back_bytes);
        for (size_t cut = 0; cut < size; ++cut) {
            product none = { 0 };
            uint8_t *part = malloc(cut + 1); /* its own block, so that a read past it is seen */
            memcpy(part, bytes, cut);
            assert_false(product_load(part, cut, &none));
            free(part);
        }
        noise_is_survived(bytes, size);
        free(bytes);
        product_free(p);
        product_free(back);
    }
}

/* The largest calloc since it was set to 0. */
static size_t calloc_bytes_max;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    calloc_bytes_max = count * size > calloc_bytes_max ? count * size : calloc_bytes_max;
    return __real_calloc(count, size);
}

/* Counts of assets and chunks that the bytes behind them could not hold. */
static void a_forged_count_costs_no_more_than_its_entry(void **state)
{
    (void)state;
    enum { ENTRY_SIZE = 1 << 20, ASSET_SIZE = 72, CHUNK_SIZE = 25 };
    uint8_t *bytes = calloc(1, ENTRY_SIZE);
    product none = { 0 };
    for (uint32_t count = 1; count < UINT32_MAX / 2; count *= 2) {
        for (uint32_t level = 0; level < 2; ++level) { /* the number of assets; of chunks in the first one */
            const uint32_t one = 1;
            memset(bytes, 0, ENTRY_SIZE);
            memcpy(bytes, level == 0 ? &count : &one, sizeof(count));
            memcpy(bytes + 4 + ASSET_SIZE - 12, level == 0 ? &(uint32_t){ 0 } : &count, sizeof(count));
            calloc_bytes_max = 0;
            assert_false(product_load(bytes, ENTRY_SIZE, &none));
            assert_true(calloc_bytes_max <= ENTRY_SIZE * 2);
            uint32_t fitting = level == 0 ? ENTRY_SIZE / ASSET_SIZE : ENTRY_SIZE / CHUNK_SIZE;
            assert_true(count > fitting || calloc_bytes_max >= (size_t)count * sizeof(packed_chunk));
        }
    }
    free(bytes);
}

/* ---- Keys ---- */

typedef enum changed {
    CHANGED_NOTHING = 0,
    CHANGED_BYTES,
    CHANGED_SHAPE, /* the same texels, 64 x 16 and not 16 x 64 */
    CHANGED_USAGE,
    CHANGED_NAME_OF_USAGE, /* its name says that it is a normal map */
    CHANGED_FORMAT,
    CHANGED_LEVEL,
    CHANGED_ENCODER_LOW,
    CHANGED_ENCODER_HIGH,
    CHANGED_COUNT
} changed;

/* Whether the image, with one thing changed, comes from the cache. */
static bool image_is_cached(const fixture *f, changed what)
{
    enum { TEXELS = 64 * 16 };
    product_maker maker = { .cache = f->cache, .format = TEXTURE_FORMAT_RGBA8, .level = 3, .encoder = { 1, 2 } };
    uint8_t texels[TEXELS * 4];
    for (uint32_t i = 0; i < sizeof(texels); ++i) {
        texels[i] = (uint8_t)(i * i >> 3);
    }
    import_image image = { .name = "a.png", .bytes = texels, .size = sizeof(texels), .width = 16, .height = 64 };
    texels[0] ^= what == CHANGED_BYTES;
    image.width = what == CHANGED_SHAPE ? 64 : image.width;
    image.height = what == CHANGED_SHAPE ? 16 : image.height;
    image.usage = what == CHANGED_USAGE ? TEXTURE_USAGE_DATA : TEXTURE_USAGE_UNKNOWN;
    image.name = what == CHANGED_NAME_OF_USAGE ? "a_normal.png" : "a.png";
    maker.format = what == CHANGED_FORMAT ? TEXTURE_FORMAT_BC : maker.format;
    maker.level += what == CHANGED_LEVEL;
    maker.encoder[0] += what == CHANGED_ENCODER_LOW;
    maker.encoder[1] += what == CHANGED_ENCODER_HIGH;
    product *p = product_of_image(&maker, &image, &(texture_settings){ 0 });
    assert_non_null(p);
    assert_int_equal(p->asset_count, 1);
    const leat_pack_texture_metadata *m = p->assets[0].asset.metadata;
    assert_int_equal(m->width, image.width);
    bool cached = p->from_cache;
    product_free(p);
    return cached;
}

static void a_key_differs_with_all_that_decides(void **state)
{
    fixture *f = *state;
    for (changed what = CHANGED_NOTHING; what < CHANGED_COUNT; ++what) {
        assert_false(image_is_cached(f, what));
    }
    for (changed what = CHANGED_NOTHING; what < CHANGED_COUNT; ++what) {
        assert_true(image_is_cached(f, what));
    }
}

/* A model importer without Assimp: one blob that says what m.mtl, beside the source, holds. */
static bool scripted_import(const import_job *job, import_result *result)
{
    char path[SCRATCH_PATH_SIZE];
    uint8_t bytes[64];
    snprintf(path, sizeof(path), "%s", job->path);
    strcpy(strrchr(path, '/'), "/m.mtl");
    size_t size = file_load(path, bytes, sizeof(bytes));
    XXH128_hash_t hash = XXH3_128bits(bytes, size);
    import_add_lookup(result, LOOKUP_BESIDE, "m.mtl", (const uint64_t[2]){ hash.low64, hash.high64 });
    import_asset asset = { .name = strdup(job->name), .type = LEAT_ASSET_BLOB, .raw = malloc(size), .raw_size = size };
    memcpy(asset.raw, bytes, size);
    return import_add_asset(result, &asset);
}

typedef struct model_change {
    const char *source, *name, *library; /* what the model's file and m.mtl hold; its name in the pack */
    uint64_t encoder;
    int level;
} model_change;

static bool model_is_cached(const fixture *f, model_change change)
{
    char path[SCRATCH_PATH_SIZE], library[SCRATCH_PATH_SIZE];
    snprintf(path, sizeof(path), "%s/m.obj", f->base);
    snprintf(library, sizeof(library), "%s/m.mtl", f->base);
    file_store(path, (const uint8_t *)change.source, strlen(change.source));
    file_store(library, (const uint8_t *)change.library, strlen(change.library));
    import_process importer = { .channel = -1, .server = -1, .import = scripted_import };
    product_maker maker = {
        .importer = &importer, .cache = f->cache, .level = change.level, .encoder = { 1, change.encoder }
    };
    product *p = product_of_model(
        &maker, &(import_job){ .path = path, .name = change.name, .root = f->base, .bytes_max = 1 << 20 });
    assert_non_null(p);
    assert_int_equal(p->asset_count, 1);
    assert_string_equal(p->assets[0].asset.name, change.name);
    assert_int_equal(p->assets[0].asset.raw_size, strlen(change.library));
    assert_memory_equal(p->assets[0].asset.raw, change.library, strlen(change.library));
    bool cached = p->from_cache;
    product_free(p);
    return cached;
}

static void a_models_key_differs_with_all_that_decides(void **state)
{
    fixture *f = *state;
    static const model_change changes[] = { { "v", "m.obj", "d 1", 0, 3 },   { "v 0", "m.obj", "d 1", 0, 3 },
                                            { "v", "n/m.obj", "d 1", 0, 3 }, { "v", "m.obj", "d 1", 1, 3 },
                                            { "v", "m.obj", "d 1", 0, 4 },   { "v", "m.obj", "d 0", 0, 3 } };
    for (uint32_t round = 0; round < 2; ++round) {
        for (uint32_t i = 0; i < sizeof(changes) / sizeof(changes[0]); ++i) {
            assert_int_equal(model_is_cached(f, changes[i]), round == 1);
        }
    }
}

static void versions_of_a_model_are_kept(void **state)
{
    fixture *f = *state;
    static const char *const libraries[] = { "d 0.1", "d 0.2", "d 0.3", "d 0.4", "d 0.5" };
    model_change change = { .source = "v", .name = "m.obj", .level = 3 };
    for (uint32_t round = 0; round < 3; ++round) {
        for (uint32_t i = 0; i < 4; ++i) {
            change.library = libraries[i];
            assert_int_equal(model_is_cached(f, change), round > 0);
        }
    }
    change.library = libraries[4]; /* in the place of one of them */
    assert_false(model_is_cached(f, change));
    assert_true(model_is_cached(f, change));
    assert_int_equal(cache_trim(f->cache, UINT64_MAX).entry_count, 4);
    uint32_t found = 0;
    for (uint32_t i = 5; i-- > 0;) { /* what is missing, by its answers, may take another's place once more */
        change.library = libraries[i];
        found += model_is_cached(f, change);
    }
    assert_true(found >= 3);
    assert_int_equal(cache_trim(f->cache, UINT64_MAX).entry_count, 4);
}

static void the_encoder_is_known(void **state)
{
    (void)state;
    uint64_t one[2], two[2];
    encoder_id(one);
    encoder_id(two);
    assert_memory_equal(one, two, sizeof(one));
    assert_true(one[0] != 0 || one[1] != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_put_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_a_miss_and_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(folders_of_others_are_not_used, setup, teardown),
        cmocka_unit_test_setup_teardown(only_a_folder_of_its_own_is_tagged, setup, teardown),
        cmocka_unit_test_setup_teardown(the_longest_unused_goes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_run_adds_no_more_than_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(runs_that_are_killed_stay_below_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(many_use_one_folder, setup, teardown),
        cmocka_unit_test(products_come_back_or_are_refused),
        cmocka_unit_test(a_forged_count_costs_no_more_than_its_entry),
        cmocka_unit_test_setup_teardown(a_key_differs_with_all_that_decides, setup, teardown),
        cmocka_unit_test_setup_teardown(a_models_key_differs_with_all_that_decides, setup, teardown),
        cmocka_unit_test_setup_teardown(versions_of_a_model_are_kept, setup, teardown),
        cmocka_unit_test(the_encoder_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
