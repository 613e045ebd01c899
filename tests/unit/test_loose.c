/* Shows that a folder can be mounted as a pack, over each backend: every regular file is an asset with its bytes, DDS
 * files are textures in Leat's order, odd entries are left out and counted, nothing leads out of the folder or hangs;
 * that a file which changes under a request ends it with an error or with bytes of one version, never with a mixture;
 * and that changes become RELOADED events, by watching and by hand. */
#include "unit.h"

#include "dds.h"
#include "loose.h"
#include "test_pack.h"
#include "unit_limits.h"
#include "watch.h"

#include <leat/leat.h>
#include <leat/sim.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_NS (UINT64_C(20) * 1000000000) /* a limit for broken builds, not a measure */

typedef struct fixture {
    leat_backend backend;
    char root[SCRATCH_SIZE];
    leat_streamer *s;
    leat_pack handle;
    struct leat_sim_desc sim;
    char log[1024]; /* the last line */
    uint32_t log_count;
    _Atomic bool done;
} fixture;

static void take_log(leat_log_level level, const char *text, void *user)
{
    (void)level;
    fixture *f = user;
    snprintf(f->log, sizeof(f->log), "%s", text);
    ++f->log_count;
}

static leat_desc desc_of(fixture *f)
{
    leat_desc desc = { .backend = f->backend,
                       .worker_count = 2,
                       .memory_bytes_max = MIB(32),
                       .pool_bytes = MIB(4),
                       .lent_bytes = MIB(8),
                       .pack_count_max = 2,
                       .logger = { .log = take_log, .user = f } };
    if (f->backend == LEAT_BACKEND_SIM) {
        f->sim = (struct leat_sim_desc){ .seed = 42 };
        desc.sim = &f->sim;
        desc.stepped = true;
    }
    return desc;
}

static void setup(fixture *f)
{
    scratch_folder_make("leat-loose", f->root);
    leat_desc desc = desc_of(f);
    f->log_count = 0;
    assert_int_equal(leat_create(&desc, &f->s), LEAT_OK);
}

static void teardown(fixture *f)
{
    leat_destroy(f->s);
    scratch_folder_remove(f->root);
}

/* ---- Files ---- */

static const char *path_of(const fixture *f, const char *name)
{
    static _Thread_local char path[SCRATCH_PATH_SIZE];
    snprintf(path, sizeof(path), "%s/%s", f->root, name);
    return path;
}

static uint8_t byte_at(uint32_t seed, uint64_t i)
{
    return (uint8_t)(seed * 31 + i + (i >> 8) * 7);
}

static void write_bytes(const fixture *f, const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(path_of(f, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void write_file(const fixture *f, const char *name, uint32_t seed, size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    for (size_t i = 0; i < size; ++i) {
        bytes[i] = byte_at(seed, i);
    }
    write_bytes(f, name, bytes, size);
    free(bytes);
}

static void move(const fixture *f, const char *from, const char *to)
{
    char source[SCRATCH_PATH_SIZE];
    snprintf(source, sizeof(source), "%s/%s", f->root, from);
    assert_int_equal(rename(source, path_of(f, to)), 0);
}

static void make_folder(const fixture *f, const char *name)
{
    assert_int_equal(mkdir(path_of(f, name), 0755), 0);
}

static void mount(fixture *f, leat_switch watch)
{
    assert_int_equal(leat_pack_open(f->s, f->root, &(leat_pack_desc){ .watch = watch }, &f->handle), LEAT_OK);
}

static leat_asset find(const fixture *f, const char *name)
{
    return leat_asset_find_in(f->s, f->handle, leat_name_hash(name, strlen(name)));
}

/* The end of one request. */
static leat_event read_part(fixture *f, leat_asset asset, leat_part part)
{
    assert_int_equal(leat_read(f->s, &(leat_read_desc){ .asset = asset, .part = part }, NULL), LEAT_OK);
    for (;;) {
        leat_events events = leat_wait(f->s, WAIT_NS);
        assert_true(events.count > 0);
        for (uint32_t i = 0; i < events.count; ++i) {
            if (events.items[i].type != LEAT_EVENT_RELOADED) {
                return events.items[i];
            }
        }
    }
}

static void bytes_are(fixture *f, const char *name, uint32_t seed, uint64_t offset, uint64_t size)
{
    leat_event e = read_part(f, find(f, name), (leat_part){ .kind = LEAT_PART_BYTES, .offset = offset, .size = size });
    assert_int_equal(e.type, LEAT_EVENT_READY);
    assert_int_equal(e.size, size);
    for (uint64_t i = 0; i < size; ++i) {
        if (((const uint8_t *)e.data)[i] != byte_at(seed, offset + i)) {
            fail_msg("%s: byte %llu is wrong", name, (unsigned long long)(offset + i));
        }
    }
    leat_release(f->s, e.request);
}

static void size_is(fixture *f, const char *name, uint64_t size)
{
    leat_asset_info info;
    assert_int_equal(leat_asset_info_get(f->s, find(f, name), &info), LEAT_OK);
    assert_int_equal(info.size, size);
}

/* ---- A folder is a pack ---- */

#define LARGE_SIZE (3u << 20)

static void every_file_is_an_asset(void **state)
{
    fixture *f = *state;
    setup(f);
    make_folder(f, "a");
    make_folder(f, "a/b");
    make_folder(f, ".git");
    write_file(f, "one", 1, 1000);
    write_file(f, "empty", 2, 0);
    write_file(f, "a/two.bin", 3, 300000);
    write_file(f, "a/b/large", 4, LARGE_SIZE);
    write_file(f, "\xc3\xa4\xc3\xb6 \xe2\x82\xac", 5, 77);
    write_file(f, ".git/config", 6, 10);
    write_file(f, "odd\\name", 7, 10);
    write_file(f, "bad\xff", 8, 10);
    assert_int_equal(symlink("a/two.bin", path_of(f, "link")), 0);
    assert_int_equal(symlink("/etc/passwd", path_of(f, "out")), 0);
    assert_int_equal(symlink("../../../etc/passwd", path_of(f, "a/up")), 0);
    assert_int_equal(symlink("a", path_of(f, "folder_link")), 0);
    assert_int_equal(mkfifo(path_of(f, "fifo"), 0644), 0);
    mount(f, LEAT_OFF);
    assert_non_null(strstr(f->log, ": 6 entries"));
    assert_int_equal(f->log_count, 1);
    leat_pack_info info;
    assert_int_equal(leat_pack_info_get(f->s, f->handle, &info), LEAT_OK);
    assert_true(info.folder);
    assert_int_equal(info.asset_count, 6);
    assert_int_equal(info.file_bytes, 1000 + 2 * 300000 + LARGE_SIZE + 77);
    bytes_are(f, "one", 1, 0, 1000);
    bytes_are(f, "a/two.bin", 3, 0, 300000);
    bytes_are(f, "a/two.bin", 3, 299999, 1);
    bytes_are(f, "link", 3, 250000, 40000);
    bytes_are(f, "a/b/large", 4, 0, LARGE_SIZE);
    bytes_are(f, "a/b/large", 4, 1234567, 1111111);
    bytes_are(f, "\xc3\xa4\xc3\xb6 \xe2\x82\xac", 5, 0, 77);
    size_is(f, "empty", 0);
    assert_int_equal(read_part(f, find(f, "empty"), (leat_part){ 0 }).type, LEAT_EVENT_READY);
    assert_int_equal(find(f, ".git/config").index, 0);
    assert_int_equal(find(f, "out").index, 0);
    leat_estimate_info estimate;
    leat_read_desc large = { .asset = find(f, "a/b/large") };
    assert_int_equal(leat_estimate(f->s, &large, &estimate), LEAT_OK);
    teardown(f);
}

static void limits_are_errors(void **state)
{
    fixture *f = *state;
    setup(f);
    leat_error error = { 0 };
    leat_pack_desc desc = { .error = &error, .file_count_max = 2 };
    mount(f, LEAT_DEFAULT); /* nothing in it: a pack without assets */
    leat_pack second;
    for (uint32_t i = 0; i < 3; ++i) {
        char name[16];
        snprintf(name, sizeof(name), "file%u", i);
        write_file(f, name, i, 10);
    }
    assert_int_equal(leat_pack_open(f->s, f->root, &desc, &second), LEAT_ERROR_LIMIT);
    assert_non_null(strstr(error.text, "more than 2 files"));
    assert_int_equal(leat_pack_open(f->s, path_of(f, "nowhere"), &desc, &second), LEAT_ERROR_NOT_FOUND);
    teardown(f);
}

/* ---- Textures ---- */

#define EDGE 64u
#define MIPS 7u

static void put(uint8_t *bytes, uint32_t offset, uint32_t value)
{
    memcpy(bytes + offset, &value, sizeof(value));
}

/* An RGBA8 texture: each texel of a level is the number of the level. Returns its size. */
static size_t make_dds(uint8_t *bytes, bool bgra)
{
    memset(bytes, 0, DDS_READ_SIZE);
    memcpy(bytes, "DDS ", 4);
    put(bytes, 4, 124);
    put(bytes, 8, 0x21007);
    put(bytes, 12, EDGE);
    put(bytes, 16, EDGE);
    put(bytes, 28, MIPS);
    put(bytes, 76, 32);
    put(bytes, 80, 0x41);
    put(bytes, 88, 32);
    put(bytes, 92, bgra ? 0xff0000 : 0xff);
    put(bytes, 96, 0xff00);
    put(bytes, 100, bgra ? 0xff : 0xff0000);
    put(bytes, 104, 0xff000000);
    size_t at = DDS_HEADER_SIZE;
    for (uint32_t mip = 0; mip < MIPS; ++mip) {
        size_t size = (size_t)(EDGE >> mip) * (EDGE >> mip) * 4;
        memset(bytes + at, (int)mip, size);
        at += size;
    }
    return at;
}

static void dds_files_are_textures(void **state)
{
    fixture *f = *state;
    setup(f);
    uint8_t *bytes = malloc(DDS_READ_SIZE + EDGE * EDGE * 8);
    size_t size = make_dds(bytes, false);
    write_bytes(f, "rgba.DDS", bytes, size);
    write_bytes(f, "cut.dds", bytes, size - 1);
    make_dds(bytes, true);
    write_bytes(f, "bgra.dds", bytes, size);
    mount(f, LEAT_OFF);
    leat_texture_info texture;
    assert_int_equal(leat_asset_texture(f->s, find(f, "rgba.DDS"), &texture), LEAT_OK);
    assert_int_equal(texture.width, EDGE);
    assert_int_equal(texture.mip_count, MIPS);
    assert_int_equal(texture.format, LEAT_FORMAT_RGBA8_SRGB);
    leat_stats before, after;
    leat_stats_get(f->s, &before);
    leat_event e = read_part(f, find(f, "rgba.DDS"), (leat_part){ 0 });
    leat_stats_get(f->s, &after);
    assert_int_equal(e.type, LEAT_EVENT_READY);
    assert_int_equal(after.reads_issued - before.reads_issued, 1); /* one chain, although the levels lie backwards */
    uint64_t end = 0;
    for (uint32_t mip = MIPS; mip-- > 0;) {
        leat_mip_info level;
        assert_true(leat_texture_mip(&texture, mip, &level));
        assert_int_equal(level.offset, end);
        end += level.size;
        assert_int_equal(((const uint8_t *)e.data)[level.offset], mip);
        assert_int_equal(((const uint8_t *)e.data)[end - 1], mip);
    }
    assert_int_equal(e.size, end);
    leat_release(f->s, e.request);
    e = read_part(f, find(f, "rgba.DDS"), (leat_part){ .kind = LEAT_PART_MIPS, .first = 2 });
    assert_int_equal(e.type, LEAT_EVENT_READY);
    assert_int_equal(((const uint8_t *)e.data)[e.size - 1], 2);
    leat_release(f->s, e.request);
    assert_int_equal(leat_asset_texture(f->s, find(f, "bgra.dds"), &texture), LEAT_ERROR_ARGUMENT);
    size_is(f, "bgra.dds", size);
    assert_int_equal(leat_asset_texture(f->s, find(f, "cut.dds"), &texture), LEAT_ERROR_ARGUMENT);
    free(bytes);
    teardown(f);
}

/* ---- Changes under us ---- */

static void fails_with(fixture *f, leat_asset asset, leat_result result)
{
    leat_event e = read_part(f, asset, (leat_part){ 0 });
    assert_int_equal(e.type, LEAT_EVENT_FAILED);
    assert_int_equal(e.result, result);
    char text[512];
    leat_event_text(f->s, &e, text, sizeof(text));
    assert_non_null(strstr(text, f->root));
    assert_non_null(strstr(text, "since its folder was listed"));
}

static uint32_t changes[4];

/* Looks again, and counts what is told. */
static void relist(fixture *f)
{
    memset(changes, 0, sizeof(changes));
    leat_result result = leat_pack_swap(f->s, f->handle, NULL, NULL);
    for (uint32_t i = 0; i < 1000000 && result == LEAT_ERROR_FULL; ++i) { /* versions that wait to be told of */
        leat_wait(f->s, NS_PER_MS);
        result = leat_pack_swap(f->s, f->handle, NULL, NULL);
    }
    assert_int_equal(result, LEAT_OK);
    leat_events events = leat_update(f->s, NULL);
    for (uint32_t i = 0; i < events.count; ++i) {
        assert_int_equal(events.items[i].type, LEAT_EVENT_RELOADED);
        ++changes[events.items[i].change];
    }
}

static void what_changed_is_an_error_until_it_is_listed(void **state)
{
    fixture *f = *state;
    setup(f);
    static const char *const names[] = { "grown", "shrunk", "gone", "fifo", "out", "folder", "replaced", "same" };
    leat_asset assets[COUNT_OF(names)];
    for (uint32_t i = 0; i < COUNT_OF(names); ++i) {
        write_file(f, names[i], i, 400000);
    }
    mount(f, LEAT_OFF);
    for (uint32_t i = 0; i < COUNT_OF(names); ++i) {
        assets[i] = find(f, names[i]);
    }
    write_file(f, "grown", 50, 500000);
    assert_int_equal(truncate(path_of(f, "shrunk"), 300000), 0);
    for (uint32_t i = 2; i < 6; ++i) {
        assert_int_equal(unlink(path_of(f, names[i])), 0);
    }
    assert_int_equal(mkfifo(path_of(f, "fifo"), 0644), 0);
    assert_int_equal(symlink("/etc/passwd", path_of(f, "out")), 0);
    make_folder(f, "folder");
    write_file(f, "new", 51, 400000);
    move(f, "new", "replaced");
    fails_with(f, assets[0], LEAT_ERROR_CHANGED);
    fails_with(f, assets[1], LEAT_ERROR_CHANGED);
    fails_with(f, assets[2], LEAT_ERROR_NOT_FOUND);
    fails_with(f, assets[3], LEAT_ERROR_CHANGED);
    fails_with(f, assets[4], LEAT_ERROR_CHANGED);
    fails_with(f, assets[5], LEAT_ERROR_CHANGED);
    fails_with(f, assets[6], LEAT_ERROR_CHANGED);
    bytes_are(f, "same", 7, 0, 400000);
    relist(f);
    assert_int_equal(changes[LEAT_CHANGE_CHANGED], 3);
    assert_int_equal(changes[LEAT_CHANGE_REMOVED], 4);
    assert_int_equal(changes[LEAT_CHANGE_ADDED], 0);
    bytes_are(f, "grown", 50, 0, 500000);
    bytes_are(f, "shrunk", 1, 0, 300000);
    bytes_are(f, "replaced", 51, 0, 400000);
    assert_int_equal(find(f, "grown").index, assets[0].index);
    assert_int_equal(leat_read(f->s, &(leat_read_desc){ .asset = assets[2] }, NULL), LEAT_ERROR_NOT_FOUND);
    write_file(f, "gone", 52, 5);
    relist(f);
    assert_int_equal(changes[LEAT_CHANGE_ADDED], 1);
    assert_int_equal(find(f, "gone").index, assets[2].index);
    bytes_are(f, "gone", 52, 0, 5);
    relist(f);
    assert_int_equal(changes[1] + changes[2] + changes[3], 0);
    teardown(f);
}

/* ---- Watching ---- */

/* Waits for the next RELOADED of this name. */
static leat_change reload_of(fixture *f, const char *name)
{
    for (;;) {
        leat_events events = leat_wait(f->s, WAIT_NS);
        assert_true(events.count > 0);
        for (uint32_t i = 0; i < events.count; ++i) {
            char text[1400];
            leat_event_text(f->s, &events.items[i], text, sizeof(text));
            assert_int_equal(events.items[i].type, LEAT_EVENT_RELOADED);
            if (strstr(text, name) != NULL) {
                return events.items[i].change;
            }
        }
    }
}

static void changes_are_noticed(void **state)
{
    fixture *f = *state;
    unit_needs_watches();
    setup(f);
    make_folder(f, "a");
    write_file(f, "a/one", 1, 1000);
    mount(f, LEAT_DEFAULT);
    write_file(f, "a/one", 2, 2000);
    assert_int_equal(reload_of(f, "a/one"), LEAT_CHANGE_CHANGED);
    bytes_are(f, "a/one", 2, 0, 2000);
    write_file(f, "a/.one.tmp", 3, 500); /* as editors do */
    move(f, "a/.one.tmp", "a/one");
    assert_int_equal(reload_of(f, "a/one"), LEAT_CHANGE_CHANGED);
    bytes_are(f, "a/one", 3, 0, 500);
    make_folder(f, "a/new");
    write_file(f, "a/new/two", 4, 10);
    assert_int_equal(reload_of(f, "a/new/two"), LEAT_CHANGE_ADDED);
    write_file(f, "a/new/two", 5, 20); /* the new folder is watched as well */
    assert_int_equal(reload_of(f, "a/new/two"), LEAT_CHANGE_CHANGED);
    move(f, "a/new", "a/moved");
    assert_int_equal(reload_of(f, "a/moved/two"), LEAT_CHANGE_ADDED);
    bytes_are(f, "a/moved/two", 5, 0, 20);
    assert_int_equal(unlink(path_of(f, "a/one")), 0);
    assert_int_equal(reload_of(f, "a/one"), LEAT_CHANGE_REMOVED);
    assert_int_equal(leat_pack_close(f->s, f->handle), LEAT_OK);
    write_file(f, "a/moved/two", 6, 30);
    leat_wait(f->s, NS_PER_MS);
    teardown(f);
}

static void a_watched_pack_is_swapped(void **state)
{
    fixture *f = *state;
    unit_needs_watches();
    setup(f);
    test_pack_desc desc = { .seed = 5, .asset_count = 20, .size_min = 1, .size_max = 5000 };
    test_pack pack;
    test_pack_make(&desc, &pack);
    write_bytes(f, "world.leat", pack.bytes, pack.size);
    char path[SCRATCH_PATH_SIZE];
    snprintf(path, sizeof(path), "%s/world.leat", f->root);
    assert_int_equal(leat_pack_open(f->s, path, &(leat_pack_desc){ .watch = LEAT_ON }, &f->handle), LEAT_OK);
    test_pack_free(&pack);
    desc.variant = 3;
    desc.variant_every = 20; /* asset 0 alone */
    test_pack_make(&desc, &pack);
    write_bytes(f, "other", pack.bytes, pack.size); /* not its name: nothing to see */
    write_bytes(f, "world.leat.tmp", pack.bytes, pack.size);
    move(f, "world.leat.tmp", "world.leat");
    assert_int_equal(reload_of(f, "folder0/asset_0"), LEAT_CHANGE_CHANGED);
    leat_event e = read_part(f, find(f, "folder0/asset_0"), (leat_part){ 0 });
    assert_int_equal(e.type, LEAT_EVENT_READY);
    leat_release(f->s, e.request);
    test_pack_free(&pack);
    teardown(f);
}

/* With a clock of its own the burst is one, whatever the machine does meanwhile. */
static void a_burst_is_one_event(void **state)
{
    fixture *f = *state;
    if (f->backend != LEAT_BACKEND_SIM) {
        return; /* shown where time is ours; watch_note is the same */
    }
    unit_needs_watches();
    setup(f);
    write_file(f, "one", 1, 1000);
    mount(f, LEAT_DEFAULT);
    uint64_t now_ns = NS_PER_S;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < 100; ++i, now_ns += NS_PER_MS) {
        if (i < 18 && i % 3 == 0) { /* pauses, but shorter ones than the quiet that ends a burst */
            write_file(f, "one", i / 3, 1001 + i / 3);
        }
        leat_events events = leat_update(f->s, &(leat_tick){ .now_ns = now_ns });
        seen += events.count;
    }
    assert_int_equal(seen, 1);
    bytes_are(f, "one", 5, 0, 1006);
    mount_watch w = { 0 };
    for (uint64_t t = 1; t < 1000; ++t) { /* a burst without end is acted on all the same */
        watch_note(&w, t * NS_PER_MS);
    }
    assert_int_equal(w.due_ns, NS_PER_MS + WATCH_DELAY_MAX_NS);
    teardown(f);
}

/* ---- Under load ---- */

#define REWRITES 300u
#define CHURN_FILES 4u

/* Version v of a file has 1000 + 997 v bytes, all of them v. */
static void *rewrite_all_the_time(void *argument)
{
    fixture *f = argument;
    uint8_t *bytes = malloc(1000 + 997 * 256);
    for (uint32_t i = 0; i < REWRITES; ++i) {
        uint32_t v = i % 256;
        char name[32];
        snprintf(name, sizeof(name), "churn%u", i % CHURN_FILES);
        memset(bytes, (int)v, 1000 + 997 * v);
        if (i % 3 == 0) { /* in place: half of it may be seen */
            write_bytes(f, name, bytes, 1000 + 997 * v);
            continue;
        }
        char temporary[64];
        snprintf(temporary, sizeof(temporary), "%s.tmp", name);
        write_bytes(f, temporary, bytes, 1000 + 997 * v);
        move(f, temporary, name);
    }
    free(bytes);
    atomic_store(&f->done, true);
    return NULL;
}

static void whole_versions_or_errors(void **state)
{
    fixture *f = *state;
    unit_needs_watches(); /* else there is one version to be read, and soon no file has it */
    setup(f);
    for (uint32_t i = 0; i < CHURN_FILES; ++i) {
        char name[32];
        snprintf(name, sizeof(name), "churn%u", i);
        uint8_t zeros[1000] = { 0 };
        write_bytes(f, name, zeros, sizeof(zeros));
    }
    mount(f, LEAT_DEFAULT);
    atomic_store(&f->done, false);
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, rewrite_all_the_time, f), 0);
    uint32_t submitted = 0, ended = 0, ready = 0, reloaded = 0;
    uint64_t random = 3;
    bool over = false;
    while (!over || ended < submitted) {
        over = over || atomic_load(&f->done);
        for (uint32_t i = 0; !over && i < 4 && submitted - ended < 100; ++i) {
            char name[32];
            snprintf(name, sizeof(name), "churn%u", (uint32_t)unit_below(&random, CHURN_FILES));
            leat_result result = leat_read(f->s, &(leat_read_desc){ .asset = find(f, name) }, NULL);
            submitted += result == LEAT_OK;
        }
        leat_events events = leat_wait(f->s, over ? WAIT_NS : NS_PER_MS);
        for (uint32_t i = 0; i < events.count; ++i) {
            const leat_event *e = &events.items[i];
            if (e->type == LEAT_EVENT_RELOADED) {
                ++reloaded;
                continue;
            }
            ++ended;
            if (e->type == LEAT_EVENT_READY && e->size > 0) {
                ++ready;
                uint8_t v = *(const uint8_t *)e->data;
                bool one_version = true;
                for (uint64_t k = 0; k < e->size; ++k) {
                    one_version &= ((const uint8_t *)e->data)[k] == v;
                }
                assert_true(one_version);
                assert_true(e->size <= 1000u + 997u * v); /* less: listed in the middle of being written */
            } else if (e->type == LEAT_EVENT_FAILED) {
                assert_true(e->result == LEAT_ERROR_CHANGED || e->result == LEAT_ERROR_NOT_FOUND);
            }
            leat_release(f->s, e->request);
        }
    }
    pthread_join(writer, NULL);
    fprintf(stderr, "%u requests while %u files were written: %u ready, %u reloads\n", submitted, REWRITES, ready,
            reloaded);
    relist(f);
    for (uint32_t i = REWRITES - CHURN_FILES; i < REWRITES; ++i) { /* in the end, the last version of each */
        char name[32];
        snprintf(name, sizeof(name), "churn%u", i % CHURN_FILES);
        size_is(f, name, 1000 + 997 * (i % 256));
    }
    teardown(f);
}

static int run(leat_backend backend, const char *name)
{
    static fixture f;
    f = (fixture){ .backend = backend };
    leat_desc desc = desc_of(&f);
    leat_streamer *probe;
    leat_error error = { 0 };
    desc.error = &error;
    if (leat_create(&desc, &probe) != LEAT_OK) {
        fprintf(stderr, "skipped: %s cannot be had here: %s\n", name, error.text);
        return backend == LEAT_BACKEND_URING ? 0 : 1;
    }
    leat_destroy(probe);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(every_file_is_an_asset, &f),
        cmocka_unit_test_prestate(limits_are_errors, &f),
        cmocka_unit_test_prestate(dds_files_are_textures, &f),
        cmocka_unit_test_prestate(what_changed_is_an_error_until_it_is_listed, &f),
        cmocka_unit_test_prestate(changes_are_noticed, &f),
        cmocka_unit_test_prestate(a_watched_pack_is_swapped, &f),
        cmocka_unit_test_prestate(a_burst_is_one_event, &f),
        cmocka_unit_test_prestate(whole_versions_or_errors, &f),
    };
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    int failed = run(LEAT_BACKEND_THREADS, "loose files over threads");
    failed += run(LEAT_BACKEND_URING, "loose files over io_uring");
    failed += run(LEAT_BACKEND_SIM, "loose files over the simulated device");
    return failed;
}
