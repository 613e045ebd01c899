/* Shows that a folder's list is what lies in it, whatever the file system answers on the way: entries that vanish, are
 * forbidden, too deep, too long or too many are left out, counted or refused; what was known of a DDS file is not read
 * again; and that the index which is made of the list keeps its bounds. The C library stands behind unit_syscalls.h. */
#include "unit.h"

#include "unit_folder.h"
#include "unit_limits.h"
#include "unit_syscalls.h"

#include "folder.h"

#include <fcntl.h>
#include <sys/inotify.h>

#define DDS_SIZE (128u + 8u) /* one block of BC1 */
#define NAMES_LIMIT UINT32_MAX /* an asset's name begins at a 32-bit offset */

typedef struct fixture {
    uint64_t live;
    memory memory;
    int allocations_left; /* then they fail; -1: never */
    char log[512];
    uint32_t log_count;
    folder f;
    pack_index index;
    bool watched;
    leat_error error;
} fixture;

static void take_log(leat_log_level level, const char *text, void *user)
{
    (void)level;
    fixture *x = user;
    snprintf(x->log, sizeof(x->log), "%s", text);
    ++x->log_count;
}

static void *allocate(size_t size, size_t alignment, void *user)
{
    fixture *x = user;
    if (x->allocations_left == 0) {
        return NULL;
    }
    x->allocations_left -= x->allocations_left > 0;
    return unit_allocate(size, alignment, NULL);
}

static int setup(void **state)
{
    static fixture x;
    x = (fixture){ .allocations_left = -1, .f = { .fd = FOLDER_NONE } };
    x.memory = (memory){ .allocator = { .allocate = allocate, .free = unit_free, .user = &x }, .bytes_live = &x.live };
    *state = &x;
    unit_folder_make();
    return 0;
}

static int teardown(void **state)
{
    fixture *x = *state;
    folder_close(&x->memory, &x->f);
    assert_int_equal(x->live, 0);
    assert_true(unit_calls_done());
    unit_folder_remove();
    return 0;
}

static folder_desc desc_of(const leat_logger *log, fixture *x)
{
    return (folder_desc){ .memory = &x->memory,
                          .log = log,
                          .path = "the-folder",
                          .watch_fd = -1,
                          .file_count_max = 1000,
                          .asset_bytes_max = MIB(1),
                          .index_bytes_max = MIB(1) };
}

/* change: NULL, or what is to be said otherwise. */
static leat_result scan(fixture *x, void (*change)(folder_desc *desc))
{
    folder_close(&x->memory, &x->f);
    x->log_count = 0;
    x->log[0] = '\0';
    x->error = (leat_error){ 0 };
    const leat_logger log = { .level = LEAT_LOG_DEBUG, .log = take_log, .user = x };
    folder_desc desc = desc_of(&log, x);
    if (change != NULL) {
        change(&desc);
    }
    assert_true(folder_open(unit_root, &x->f.fd));
    return folder_scan(&desc, &x->f, &x->index, &x->watched, &x->error);
}

static const loose_file *file_called(const folder *f, const char *name)
{
    for (uint32_t i = 0; i < f->count; ++i) {
        if (strcmp(folder_path_of(f, i), name) == 0) {
            return &f->files[i];
        }
    }
    return NULL;
}

static void skips(fixture *x, const char *name, uint32_t kept)
{
    assert_int_equal(scan(x, NULL), LEAT_OK);
    assert_int_equal(x->f.count, kept);
    assert_null(file_called(&x->f, name));
    assert_non_null(strstr(x->log, "1 entries are not assets"));
}

/* A whole DDS file of 4 x 4 texels; red_mask != 0: of RGBA8 instead of BC1. */
static void make_dds(const char *name, uint32_t red_mask)
{
    uint32_t words[(DDS_SIZE + 64) / 4] = { 0x20534444, 124, 0, 4, 4 };
    words[19] = 32;
    words[20] = red_mask != 0 ? 0x40 : 4;
    words[21] = red_mask != 0 ? 0 : 0x31545844;
    words[22] = 32;
    words[23] = red_mask;
    words[24] = 0xff00;
    unit_file_make(name, words, red_mask != 0 ? 128 + 64 : DDS_SIZE);
}

/* ---- Entries ---- */

static void what_vanishes_is_not_listed(void **state)
{
    fixture *x = *state;
    unit_file_make("a", "a", 1);
    unit_subfolder_make("folder");
    unit_file_make("folder/b", "b", 1);
    assert_int_equal(scan(x, NULL), LEAT_OK);
    assert_int_equal(x->f.count, 2);
    assert_int_equal(x->log_count, 0);
    for (int i = 0; i < 3; ++i) { /* either file or the folder, in the order of the directory */
        unit_call_fails(CALL_FSTATAT, i, ENOENT);
        assert_int_equal(scan(x, NULL), LEAT_OK);
        assert_true(x->f.count <= 1);
        assert_int_equal(x->log_count, 0);
        unit_calls.count_down[CALL_FSTATAT] = 0; /* with the folder, two of them are gone */
    }
    unit_call_fails(CALL_OPENAT, 2, ENOENT); /* the first two open the root */
    assert_int_equal(scan(x, NULL), LEAT_OK);
    assert_int_equal(x->f.count, 1);
    assert_int_equal(x->log_count, 0);
    unit_call_fails(CALL_OPENAT, 2, EACCES);
    skips(x, "folder/b", 1);
    unit_call_fails(CALL_FSTATAT, 0, EIO); /* the file or the folder: it is there, and is counted */
    assert_int_equal(scan(x, NULL), LEAT_OK);
    assert_non_null(strstr(x->log, "1 entries are not assets"));
}

static void what_is_no_asset_is_counted(void **state)
{
    fixture *x = *state;
    static const uint8_t large[MIB(1) + 1];
    unit_file_make("a", "a", 1);
    unit_file_make("a\x01", "a", 1);
    skips(x, "a\x01", 1);
    assert_int_equal(unlink(unit_path("a\x01")), 0);
    unit_file_make("large", large, sizeof(large));
    skips(x, "large", 1);
    unit_file_make("large", large, sizeof(large) - 1);
    assert_int_equal(scan(x, NULL), LEAT_OK);
    assert_int_equal(x->f.count, 2);
    assert_int_equal(unlink(unit_path("large")), 0);
    assert_int_equal(symlink("a", unit_path("link")), 0);
    assert_int_equal(scan(x, NULL), LEAT_OK);
    assert_int_equal(x->f.count, 2);
    unit_call_fails(CALL_FSTAT, 0, EIO);
    skips(x, "link", 1);
    assert_int_equal(unlink(unit_path("link")), 0);
    assert_int_equal(symlink("nowhere", unit_path("link")), 0);
    skips(x, "link", 1);
    assert_int_equal(unlink(unit_path("link")), 0);
    assert_int_equal(symlink(".", unit_path("link")), 0);
    skips(x, "link", 1);
    assert_int_equal(unlink(unit_path("link")), 0);
    assert_int_equal(mkfifo(unit_path("link"), 0600), 0);
    skips(x, "link", 1);
}

/* Goes down `count` folders of this name, from the working directory on, and makes a file in the last. */
static void make_deep(const char *name, uint32_t count)
{
    int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(back >= 0);
    assert_int_equal(chdir(unit_root), 0);
    for (uint32_t i = 0; i < count; ++i) {
        assert_int_equal(mkdir(name, 0755), 0);
        assert_int_equal(chdir(name), 0);
    }
    int fd = open("file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(fchdir(back), 0);
    close(back);
}

static void folders_have_a_depth(void **state)
{
    fixture *x = *state;
    unit_needs_open_files(2 * FOLDER_DEPTH_MAX);
    make_deep("d", FOLDER_DEPTH_MAX - 1);
    assert_int_equal(scan(x, NULL), LEAT_OK);
    assert_int_equal(x->f.count, 1);
    assert_int_equal(x->log_count, 0);
    unit_folder_remove();
    unit_folder_make();
    make_deep("d", FOLDER_DEPTH_MAX);
    skips(x, "", 0);
}

static void paths_have_a_length(void **state)
{
    fixture *x = *state;
    char name[205];
    memset(name, 'n', sizeof(name));
    name[203] = '\0';
    make_deep(name, 5); /* 5 x 204 + 4 bytes: one more than a name may have */
    _Static_assert(LEAT_PACK_NAME_SIZE_MAX == 1023, "one less than the path above");
    skips(x, "", 0);
    unit_folder_remove();
    unit_folder_make();
    name[202] = '\0';
    make_deep(name, 5);
    assert_int_equal(scan(x, NULL), LEAT_OK);
    assert_int_equal(x->f.count, 1);
}

/* ---- Bounds ---- */

static void three_files(folder_desc *desc)
{
    desc->file_count_max = 3;
}

static void small_index(folder_desc *desc)
{
    desc->index_bytes_max = 100;
}

static void lists_grow_to_their_limit(void **state)
{
    fixture *x = *state;
    char name[250];
    for (uint32_t i = 0; i < 300; ++i) { /* more than either table has room for at first */
        snprintf(name, sizeof(name), "%0200u", i);
        unit_file_make(name, name, 200);
    }
    assert_int_equal(scan(x, NULL), LEAT_OK);
    assert_int_equal(x->f.count, 300);
    for (uint32_t i = 0; i < 300; ++i) {
        snprintf(name, sizeof(name), "%0200u", i);
        const loose_file *file = file_called(&x->f, name);
        assert_non_null(file);
        assert_int_equal(file->stamp.size, 200);
        assert_int_equal(pack_index_find(&x->index, file->name_hash), file - x->f.files);
    }
    assert_int_equal(scan(x, three_files), LEAT_ERROR_LIMIT);
    assert_non_null(strstr(x->error.text, "the-folder: has more than 3 files"));
    assert_int_equal(scan(x, small_index), LEAT_ERROR_LIMIT);
    int allocations = 0;
    do { /* the first, the second, until it needs no more */
        x->allocations_left = allocations++;
        if (scan(x, NULL) != LEAT_OK) {
            assert_int_equal(x->error.result, LEAT_ERROR_MEMORY);
            assert_non_null(strstr(x->error.text, "the-folder: no memory"));
        }
    } while (x->error.result != LEAT_OK);
    assert_true(allocations > 5);
    x->allocations_left = -1;
    folder_close(&x->memory, &x->f);
    const leat_logger log = { .level = LEAT_LOG_DEBUG, .log = take_log, .user = x };
    folder_desc desc = desc_of(&log, x);
    assert_true(folder_open(unit_root, &x->f.fd));
    x->f.names_size = NAMES_LIMIT - 200; /* as after some twenty million files */
    assert_int_equal(folder_scan(&desc, &x->f, &x->index, &x->watched, &x->error), LEAT_ERROR_LIMIT);
}

/* ---- Refusals ---- */

static void folders_that_cannot_be_listed_are_errors(void **state)
{
    fixture *x = *state;
    unit_file_make("a", "a", 1);
    unit_call_fails(CALL_OPENAT, 1, EMFILE);
    assert_int_equal(scan(x, NULL), LEAT_ERROR_OS);
    assert_int_equal(x->error.os_error, EMFILE);
    unit_call_fails(CALL_FDOPENDIR, 0, ENOMEM);
    assert_int_equal(scan(x, NULL), LEAT_ERROR_OS);
    assert_int_equal(x->error.os_error, ENOMEM);
    assert_non_null(strstr(x->error.text, "the-folder: cannot be listed"));
    unit_subfolder_make("folder");
    for (int i = 0; i < 8; ++i) { /* "a", "folder", and both with "." and "..", and their ends */
        unit_call_fails(CALL_READDIR, i, EIO);
        assert_int_equal(scan(x, NULL), LEAT_ERROR_OS);
        assert_int_equal(x->error.os_error, EIO);
    }
    int fd;
    assert_false(folder_open(unit_path("a"), &fd));
}

/* Too many files are open just now: a list without what could not be opened would tell that it has gone. */
static void what_runs_short_leaves_nothing_out(void **state)
{
    fixture *x = *state;
    static const int errors[] = { EMFILE, ENFILE, ENOMEM };
    static const struct {
        unit_call call;
        int after; /* so many others */
    } calls[] = { { CALL_OPENAT, 2 }, { CALL_OPENAT2, 0 }, { CALL_OPENAT2, 1 }, { CALL_FSTATAT, 0 } };
    unit_subfolder_make("folder");
    make_dds("a.dds", 0);
    assert_int_equal(symlink("a.dds", unit_path("link")), 0); /* is opened as well */
    for (size_t i = 0; i < COUNT_OF(calls) * COUNT_OF(errors); ++i) {
        int error = errors[i % COUNT_OF(errors)];
        unit_call_fails(calls[i / COUNT_OF(errors)].call, calls[i / COUNT_OF(errors)].after, error);
        assert_int_equal(scan(x, NULL), LEAT_ERROR_OS);
        assert_int_equal(x->error.os_error, error);
        assert_non_null(strstr(x->error.text, "the-folder: cannot be listed"));
    }
}

/* On a file system on a network or in a process, a signal to who lists a folder ends what waits for it. */
static void what_a_signal_interrupts_is_asked_again(void **state)
{
    fixture *x = *state;
    static const struct {
        unit_call call;
        int count; /* of such calls in a scan */
    } calls[] = { { CALL_OPENAT, 3 }, { CALL_FSTATAT, 4 }, { CALL_OPENAT2, 2 },
                  { CALL_PREAD, 1 },  { CALL_FSTAT, 1 },   { CALL_READDIR, 4 } };
    unit_subfolder_make("folder");
    unit_file_make("folder/b", "b", 1);
    make_dds("a.dds", 0);
    assert_int_equal(symlink("a.dds", unit_path("link")), 0);
    for (size_t i = 0; i < COUNT_OF(calls); ++i) {
        for (int after = 0; after < calls[i].count; ++after) {
            unit_call_fails(calls[i].call, after, EINTR);
            assert_int_equal(scan(x, NULL), LEAT_OK);
            assert_int_equal(x->f.count, 3);
            assert_int_equal(x->log_count, 0);
        }
    }
    unit_call_fails(CALL_FSTATAT, 0, EINTR);
    assert_true(folder_unchanged(&x->f, 0));
}

static int watch_fd;

static void watching(folder_desc *desc)
{
    desc->watch_fd = watch_fd;
}

static void what_cannot_be_watched_is_said(void **state)
{
    fixture *x = *state;
    unit_needs_watches();
    watch_fd = inotify_init1(IN_CLOEXEC);
    assert_true(watch_fd >= 0);
    unit_subfolder_make("folder");
    unit_file_make("folder/a", "a", 1);
    assert_int_equal(scan(x, NULL), LEAT_OK);
    assert_false(x->watched);
    assert_int_equal(scan(x, watching), LEAT_OK);
    assert_true(x->watched);
    unit_call_fails(CALL_INOTIFY_ADD_WATCH, 0, ENOMEM);
    assert_int_equal(scan(x, watching), LEAT_OK);
    assert_false(x->watched);
    assert_int_equal(x->f.count, 1);
    assert_int_equal(x->log_count, 1); /* once, not for each folder */
    assert_non_null(strstr(x->log, "is not watched"));
    unit_call_fails(CALL_INOTIFY_ADD_WATCH, 1, ENOSPC);
    assert_int_equal(scan(x, watching), LEAT_OK);
    assert_false(x->watched);
    assert_non_null(strstr(x->log, "raise fs.inotify.max_user_watches"));
    close(watch_fd);
}

/* ---- DDS files ---- */

static const folder *before;

static void known(folder_desc *desc)
{
    desc->before = before;
}

static void dds_files_are_looked_at(void **state)
{
    fixture *x = *state;
    make_dds("a.dds", 0);
    unit_file_make(".dds", "", 0); /* a name that begins with a dot is no asset */
    assert_int_equal(scan(x, NULL), LEAT_OK);
    assert_true(x->f.files[0].texture);
    assert_int_equal(x->index.assets[0].type, LEAT_ASSET_TEXTURE);
    static const unit_call calls[] = { CALL_OPENAT2, CALL_PREAD };
    for (size_t i = 0; i < COUNT_OF(calls); ++i) {
        unit_call_fails(calls[i], 0, EIO);
        assert_int_equal(scan(x, NULL), LEAT_OK);
        assert_false(x->f.files[0].texture);
        assert_int_equal(x->index.assets[0].type, LEAT_ASSET_BLOB);
    }
    make_dds("a.dds", 0xff);
    assert_int_equal(scan(x, NULL), LEAT_OK);
    assert_true(x->f.files[0].texture);
    make_dds("a.dds", 0xff0000); /* BGRA would have to be swapped */
    assert_int_equal(scan(x, NULL), LEAT_OK);
    assert_false(x->f.files[0].texture);
    unit_file_make("a.dds", "DDS ", 4);
    assert_int_equal(scan(x, NULL), LEAT_OK);
    assert_false(x->f.files[0].texture);
}

/* What has not changed is not opened: any open would fail here. */
static void what_is_known_is_not_read_again(void **state)
{
    fixture *x = *state;
    char name[20];
    for (uint32_t i = 0; i < 9; ++i) {
        snprintf(name, sizeof(name), "%u.dds", i);
        make_dds(name, 0);
    }
    assert_int_equal(scan(x, NULL), LEAT_OK);
    folder first = x->f;
    x->f = (folder){ .fd = FOLDER_NONE };
    before = &first;
    unit_call_fails(CALL_OPENAT2, 0, EIO);
    assert_int_equal(scan(x, known), LEAT_OK);
    for (uint32_t i = 0; i < 9; ++i) {
        assert_true(x->f.files[i].texture);
    }
    unit_file_make("4.dds", "other", 5);
    assert_int_equal(scan(x, known), LEAT_OK); /* the one that failed was that of the changed file */
    assert_true(unit_calls_done());
    assert_false(file_called(&x->f, "4.dds")->texture);
    for (uint32_t i = 0; i < 40; ++i) { /* new ones, some of them before the first and behind the last of the known */
        snprintf(name, sizeof(name), "new%u.dds", i);
        make_dds(name, 0);
    }
    assert_int_equal(scan(x, known), LEAT_OK);
    assert_int_equal(x->f.count, 49);
    uint32_t textures = 0;
    for (uint32_t i = 0; i < 49; ++i) {
        textures += x->f.files[i].texture;
    }
    assert_int_equal(textures, 48);
    folder_close(&x->memory, &first);
}

static void what_was_listed_is_known_again(void **state)
{
    fixture *x = *state;
    unit_file_make("a", "a", 1);
    assert_int_equal(scan(x, NULL), LEAT_OK);
    assert_true(folder_unchanged(&x->f, 0));
    unit_file_make("a", "ab", 2);
    assert_false(folder_unchanged(&x->f, 0));
    assert_int_equal(unlink(unit_path("a")), 0);
    assert_false(folder_unchanged(&x->f, 0));
    unit_subfolder_make("a");
    assert_false(folder_unchanged(&x->f, 0));
}

/* ---- The index ---- */

static void stamps_differ_in_each_field(void **state)
{
    (void)state;
    const loose_stamp stamp = { .device = 1, .inode = 2, .size = 3, .changed_ns = 4 };
    const loose_stamp others[] = {
        { .device = 0, .inode = 2, .size = 3, .changed_ns = 4 },
        { .device = 1, .inode = 0, .size = 3, .changed_ns = 4 },
        { .device = 1, .inode = 2, .size = 0, .changed_ns = 4 },
        { .device = 1, .inode = 2, .size = 3, .changed_ns = 0 },
    };
    assert_true(loose_same(&stamp, &stamp));
    for (size_t i = 0; i < COUNT_OF(others); ++i) {
        assert_false(loose_same(&stamp, &others[i]));
        assert_int_not_equal(loose_hash(&stamp), loose_hash(&others[i]));
    }
}

static void files_of_one_hash_are_one(void **state)
{
    (void)state;
    loose_file files[] = { { .name_hash = 3 }, { .name_hash = 1 }, { .name_hash = 3 }, { .name_hash = 2 } };
    assert_int_equal(loose_sort(files, 0), 0);
    assert_int_equal(loose_sort(files, COUNT_OF(files)), 3);
    for (uint32_t i = 0; i < 3; ++i) {
        assert_int_equal(files[i].name_hash, i + 1);
    }
}

static void indices_have_bounds(void **state)
{
    fixture *x = *state;
    loose_tables tables;
    const loose_file huge = { .stamp = { .size = UINT64_C(1) << 50 } };
    assert_int_equal(loose_build(&x->memory, &huge, 1, "", 1, UINT64_MAX, &x->index, &tables), LEAT_ERROR_LIMIT);
    const loose_file one = { .stamp = { .size = LOOSE_CHUNK_SIZE + 1 } };
    assert_int_equal(loose_build(&x->memory, &one, 1, "", 1, KIB(1), &x->index, &tables), LEAT_OK);
    assert_int_equal(x->index.chunk_count, 2);
    uint64_t needed = tables.block_size;
    loose_free(&x->memory, &tables);
    assert_int_equal(loose_build(&x->memory, &one, 1, "", 1, needed - 1, &x->index, &tables), LEAT_ERROR_LIMIT);
    x->allocations_left = 0;
    assert_int_equal(loose_build(&x->memory, &one, 1, "", 1, needed, &x->index, &tables), LEAT_ERROR_MEMORY);
}

static void textures_say_what_they_are(void **state)
{
    fixture *x = *state;
    static const struct {
        uint32_t format;
        bool alpha;
    } rows[] = {
        { LEAT_FORMAT_BC1_SRGB, false }, { LEAT_FORMAT_BC2_SRGB, true },   { LEAT_FORMAT_BC3_SRGB, true },
        { LEAT_FORMAT_BC7_SRGB, true },  { LEAT_FORMAT_RGBA8_SRGB, true }, { LEAT_FORMAT_RGBA8_UNORM, false },
    };
    for (size_t i = 0; i < 2 * COUNT_OF(rows); ++i) {
        bool cube = i % 2 == 1;
        loose_file file = { .texture = true,
                            .texels = { .width = 8,
                                        .height = 8,
                                        .mip_count = 2,
                                        .layer_count = cube ? 6 : 1,
                                        .format = rows[i / 2].format,
                                        .cube = cube,
                                        .data = 128 } };
        file.stamp.size = KIB(8);
        loose_tables tables;
        assert_int_equal(loose_build(&x->memory, &file, 1, "", 1, KIB(8), &x->index, &tables), LEAT_OK);
        const leat_pack_texture_metadata *m = (const void *)x->index.metadata;
        assert_int_equal(m->flags, (rows[i / 2].alpha ? LEAT_TEXTURE_ALPHA : 0) | (cube ? LEAT_TEXTURE_CUBE : 0));
        assert_int_equal(x->index.chunk_count, cube ? 12 : 2);
        assert_int_equal(x->index.raw_size, pack_mips_size(m->format, 8, 8, m->layer_count, 2));
        loose_free(&x->memory, &tables);
    }
}

int main(void)
{
#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(what_vanishes_is_not_listed),
        FOLDER_TEST(what_is_no_asset_is_counted),
        FOLDER_TEST(folders_have_a_depth),
        FOLDER_TEST(paths_have_a_length),
        FOLDER_TEST(lists_grow_to_their_limit),
        FOLDER_TEST(folders_that_cannot_be_listed_are_errors),
        FOLDER_TEST(what_runs_short_leaves_nothing_out),
        FOLDER_TEST(what_a_signal_interrupts_is_asked_again),
        FOLDER_TEST(what_cannot_be_watched_is_said),
        FOLDER_TEST(dds_files_are_looked_at),
        FOLDER_TEST(what_is_known_is_not_read_again),
        FOLDER_TEST(what_was_listed_is_known_again),
        cmocka_unit_test(stamps_differ_in_each_field),
        cmocka_unit_test(files_of_one_hash_are_one),
        FOLDER_TEST(indices_have_bounds),
        FOLDER_TEST(textures_say_what_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
