/* Shows that files are opened as file.h says: what is not a regular file is refused and hangs nobody, O_DIRECT is given
 * up for each reason there is and for none else, and that a path never leads out of its folder, with openat2 and
 * without. The C library stands behind unit_syscalls.h. */
#include "unit.h"

#include "unit_folder.h"
#include "unit_syscalls.h"

#include "file.h"

#include <fcntl.h>

#define FILE_SIZE 8192u

static uint8_t content[FILE_SIZE];
static char last_log[512];

static void take_log(leat_log_level level, const char *text, void *user)
{
    (void)level;
    (void)user;
    snprintf(last_log, sizeof(last_log), "%s", text);
}

static const leat_logger logger = { .level = LEAT_LOG_DEBUG, .log = take_log };

static int setup(void **state)
{
    (void)state;
    unit_folder_make();
    unit_file_make("file", content, sizeof(content));
    last_log[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_true(unit_calls_done());
    unit_folder_remove();
    return 0;
}

/* ---- Opening ---- */

static void is_refused(const char *name, leat_result result, int os_error)
{
    disk_file file;
    leat_error error = { 0 };
    assert_int_equal(file_open(unit_path(name), true, &logger, &file, &error), result);
    assert_int_equal(error.os_error, os_error);
    assert_non_null(strstr(error.text, name));
    assert_int_equal(file.fd_buffered, -1);
    assert_int_equal(file.fd_direct, -1);
    file_close(&file); /* of what is not open does nothing */
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    is_refused("nothing", LEAT_ERROR_NOT_FOUND, ENOENT);
    is_refused("file/nothing", LEAT_ERROR_NOT_FOUND, ENOTDIR);
    assert_int_equal(symlink("loop", unit_path("loop")), 0);
    is_refused("loop", LEAT_ERROR_OS, ELOOP);
    assert_int_equal(mkfifo(unit_path("fifo"), 0600), 0);
    is_refused("fifo", LEAT_ERROR_FORMAT, 0);
    unit_subfolder_make("folder");
    is_refused("folder", LEAT_ERROR_FORMAT, 0);
    unit_call_fails(CALL_FSTAT, 0, EIO);
    is_refused("file", LEAT_ERROR_OS, EIO);
}

/* ---- O_DIRECT ---- */

static bool opens_direct(void)
{
    disk_file file;
    last_log[0] = '\0';
    assert_int_equal(file_open(unit_path("file"), true, &logger, &file, NULL), LEAT_OK);
    assert_true(file.fd_buffered >= 0);
    assert_int_equal(file.size, FILE_SIZE);
    bool direct = file.fd_direct >= 0;
    assert_int_equal(last_log[0] == '\0', direct);
    file_close(&file);
    return direct;
}

static void other_device(struct stat *status)
{
    static uint32_t seen; /* the first is file_open's own */
    if (++seen == 2) {
        ++status->st_dev;
        unit_calls.on_fstat = NULL;
    }
}

/* Another file is under the path before it is opened a second time. The first one is open still, and keeps its inode.
 */
static void replaced(struct stat *status)
{
    (void)status;
    unit_calls.on_fstat = NULL;
    assert_int_equal(unlink(unit_path("file")), 0);
    unit_file_make("file", content, sizeof(content));
}

/* What keeps a FIFO from hanging the open is no order to the reads: io_uring would take it for one. */
static void reads_of_an_open_file_may_block(void **state)
{
    (void)state;
    disk_file file;
    assert_int_equal(file_open(unit_path("file"), true, &logger, &file, NULL), LEAT_OK);
    assert_int_equal(fcntl(file.fd_buffered, F_GETFL) & O_NONBLOCK, 0);
    assert_true(file.fd_direct < 0 || (fcntl(file.fd_direct, F_GETFL) & (O_NONBLOCK | O_DIRECT)) == O_DIRECT);
    file_close(&file);
}

static void direct_reads_are_tried_first(void **state)
{
    (void)state;
    disk_file file;
    assert_int_equal(file_open(unit_path("file"), false, &logger, &file, NULL), LEAT_OK);
    assert_int_equal(file.fd_direct, -1);
    file_close(&file);
    if (!opens_direct()) {
        print_message("%s: this file system has no direct reads\n", unit_root);
        skip();
    }
    static const struct {
        unit_call call;
        int after;
    } rows[] = {
        { CALL_OPENAT, 1 },         { CALL_FSTAT, 1 }, { CALL_FSTAT, 2 }, { CALL_POSIX_MEMALIGN, 0 },
        { CALL_POSIX_MEMALIGN, 1 }, { CALL_PREAD, 0 }, { CALL_PREAD, 1 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); ++i) {
        unit_call_fails(rows[i].call, rows[i].after, EIO);
        assert_false(opens_direct());
        assert_true(unit_calls_done());
    }
    for (int signals = 1; signals <= 3; signals += 2) {
        unit_calls_fail(CALL_OPENAT, signals, EINTR);
        unit_calls_fail(CALL_FSTAT, signals, EINTR);
        unit_calls_fail(CALL_PREAD, signals, EINTR);
        assert_true(opens_direct());
        assert_true(unit_calls_done());
    }
    unit_calls.scrambles = true;
    assert_false(opens_direct());
    unit_calls.on_fstat = other_device;
    assert_false(opens_direct());
    assert_true(opens_direct());
    unit_calls.on_fstat = replaced;
    assert_false(opens_direct());
    unit_file_make("file", content, 0);
    assert_int_equal(file_open(unit_path("file"), true, &logger, &file, NULL), LEAT_OK);
    assert_int_equal(file.fd_direct, -1); /* nothing to try it with */
    file_close(&file);
}

/* ---- Its length by now ---- */

static void a_file_that_was_cut_does_not_reach_so_far(void **state)
{
    (void)state;
    disk_file file;
    assert_int_equal(file_open(unit_path("file"), false, &logger, &file, NULL), LEAT_OK);
    assert_true(file_reaches(&file, FILE_SIZE));
    assert_false(file_reaches(&file, FILE_SIZE + 1));
    assert_int_equal(truncate(unit_path("file"), FILE_SIZE - 1), 0);
    assert_false(file_reaches(&file, FILE_SIZE));
    unit_call_fails(CALL_FSTAT, 0, EIO);
    assert_false(file_reaches(&file, 0));
    file_close(&file);
}

/* ---- The page cache ---- */

static void the_page_cache_is_asked(void **state)
{
    (void)state;
    disk_file file;
    uint8_t read[FILE_SIZE + 1];
    assert_int_equal(file_open(unit_path("file"), false, &logger, &file, NULL), LEAT_OK);
    unit_call_fails(CALL_CACHESTAT, 0, ENOSYS);
    assert_int_equal(file_cached_bytes(&file, 0, FILE_SIZE), -1);
    int64_t cached = file_cached_bytes(&file, 0, FILE_SIZE);
    assert_true(cached >= -1 && cached <= FILE_SIZE); /* -1: before Linux 6.5 */
    assert_int_equal(file_cached_bytes(&file, FILE_SIZE, 0) > 0, false);
    uint8_t other[7]; /* a part in the middle that goes elsewhere */
    struct iovec parts[] = { { read, 100 }, { other, sizeof(other) }, { read + 107, FILE_SIZE - 107 } };
    if (file_read_cached(&file, 0, parts, 3)) { /* file systems need not be able to */
        memcpy(read + 100, other, sizeof(other));
        assert_memory_equal(read, content, FILE_SIZE);
    }
    struct iovec more = { read, FILE_SIZE + 1 }; /* of which the last is not there */
    assert_false(file_read_cached(&file, 0, &more, 1));
    file_close(&file);
}

/* ---- Beneath a folder ---- */

/* What opening answers: 0, or errno. refused: what openat2 fails with, `count` times; 0: it does not. */
static int opened_after(const char *path, int refused, int count)
{
    int folder = open(unit_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder >= 0);
    if (refused != 0) {
        unit_calls_fail(CALL_OPENAT2, count, refused);
    }
    int fd = file_open_beneath(folder, path);
    if (fd >= 0) {
        struct stat status;
        assert_int_equal(fstat(fd, &status), 0);
        assert_int_equal(status.st_size, FILE_SIZE);
        close(fd);
    }
    close(folder);
    return fd >= 0 ? 0 : -fd;
}

static int opened(const char *path, int refused)
{
    return opened_after(path, refused, 1);
}

static void paths_do_not_lead_out(void **state)
{
    (void)state;
    char too_long[300] = "folder/";
    memset(too_long + 7, 'n', 256);
    unit_subfolder_make("folder");
    unit_subfolder_make("folder/inner");
    unit_file_make("folder/inner/file", content, sizeof(content));
    assert_int_equal(symlink("/etc/passwd", unit_path("out")), 0);
    assert_int_equal(symlink("/etc", unit_path("folder/out")), 0);
    assert_int_equal(symlink("inner", unit_path("folder/in")), 0);
    const struct {
        const char *path;
        int with, without; /* openat2 */
    } rows[] = {
        { "file", 0, 0 },
        { "folder/inner/file", 0, 0 },
        { "folder//inner/file", 0, 0 },
        { "", ENOENT, ENOENT },
        { "nothing", ENOENT, ENOENT },
        { "folder/nothing/file", ENOENT, ENOENT },
        { "/etc/passwd", EXDEV, EXDEV },
        { "..", EXDEV, EXDEV },
        { "../file", EXDEV, EXDEV },
        { "folder/../../etc", EXDEV, EXDEV },
        { "folder/../file", 0, EXDEV }, /* what cannot be told apart is not followed */
        { "out", EXDEV, ELOOP },
        { "folder/out/passwd", EXDEV, ENOTDIR },
        { "folder/in/file", 0, ENOTDIR },
        { "file/", ENOTDIR, ENOTDIR },
        { "file/inner", ENOTDIR, ENOTDIR },
        { too_long, ENAMETOOLONG, ENAMETOOLONG },
    };
    for (size_t i = 0; i < COUNT_OF(rows); ++i) {
        assert_int_equal(opened(rows[i].path, 0), rows[i].with);
        assert_int_equal(opened(rows[i].path, ENOSYS), rows[i].without);
        assert_int_equal(opened(rows[i].path, EPERM), rows[i].without);
        /* Somebody has renamed something meanwhile: asked again. */
        assert_int_equal(opened_after(rows[i].path, EAGAIN, 63), rows[i].with);
        assert_int_equal(opened_after(rows[i].path, EINTR, 63), rows[i].with);
    }
    assert_int_equal(opened_after("folder/../file", EAGAIN, 64), EAGAIN); /* but not for ever */
    assert_int_equal(opened("folder/", ENOSYS), EISDIR);
    unit_calls_fail(CALL_OPENAT, 3, EINTR);
    assert_int_equal(opened("folder/inner/file", ENOSYS), 0);
    assert_int_equal(opened("file", EMFILE), EMFILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_no_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_of_an_open_file_may_block, setup, teardown),
        cmocka_unit_test_setup_teardown(direct_reads_are_tried_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_was_cut_does_not_reach_so_far, setup, teardown),
        cmocka_unit_test_setup_teardown(the_page_cache_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(paths_do_not_lead_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
