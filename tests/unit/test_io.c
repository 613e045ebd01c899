/* Shows what io.h promises, over io_uring, threads and the simulated device alike: reads bring the file's bytes, each
 * completes exactly once; a read by path opens, reads and closes, says why it failed, never leaves the
 * folder, and leaves no descriptor open. */
#include "unit_io.h"

#include <dirent.h>
#include <errno.h>

/* ---- A file that is registered ---- */

static void reads_bring_the_bytes_of_the_file(void **state)
{
    unit_io *u = *state;
    enum { COUNT = 200 };
    io_read reads[COUNT];
    io_completion completions[COUNT];
    uint8_t *pool = u->pool.memory;
    uint64_t seed = 3;
    for (uint32_t i = 0; i < COUNT; ++i) {
        bool direct = u->file.fd_direct >= 0 && i % 2 == 0;
        uint64_t size = direct ? 4096 : 1 + unit_below(&seed, 16384);
        uint64_t offset = unit_below(&seed, UNIT_FILE_SIZE - 16384);
        reads[i] = (io_read){ .file = u->file_number,
                              .size = (uint32_t)size,
                              .offset = direct ? align_down(offset, 4096) : offset,
                              .memory = pool + i * 16384,
                              .flags = (direct ? IO_READ_DIRECT : 0u) | (i % 7 == 0 ? IO_READ_URGENT : 0u),
                              .user_data = i };
    }
    unit_io_run(u, reads, COUNT, completions);
    for (uint32_t i = 0; i < COUNT; ++i) {
        assert_int_equal(completions[i].result, reads[i].size);
        assert_memory_equal(reads[i].memory, u->bytes + reads[i].offset, reads[i].size);
    }
}

static void the_end_of_the_file_is_short_then_zero(void **state)
{
    unit_io *u = *state;
    io_read item = { .file = u->file_number, .size = 4096, .offset = UNIT_FILE_SIZE - 1000, .memory = u->pool.memory };
    assert_int_equal(unit_io_read_one(u, item).result, 1000);
    assert_memory_equal(u->pool.memory, u->bytes + UNIT_FILE_SIZE - 1000, 1000);
    item.offset = UNIT_FILE_SIZE;
    assert_int_equal(unit_io_read_one(u, item).result, 0);
}

static void memory_outside_the_pool_will_do(void **state)
{
    unit_io *u = *state;
    static uint8_t elsewhere[5000];
    io_read item = { .file = u->file_number, .size = sizeof(elsewhere), .offset = 77, .memory = elsewhere };
    assert_int_equal(unit_io_read_one(u, item).result, sizeof(elsewhere));
    assert_memory_equal(elsewhere, u->bytes + 77, sizeof(elsewhere));
}

/* ---- By path ---- */

static uint32_t count_descriptors(void)
{
    uint32_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL) {
        ++count;
    }
    closedir(folder);
    return count;
}

static io_read by_path(const unit_io *u, const char *path, uint32_t size)
{
    return (io_read){
        .op = IO_OP_READ_PATH, .folder_fd = u->folder_fd, .path = path, .size = size, .memory = u->pool.memory
    };
}

static void make_loose_files(const unit_io *u)
{
    char path[SCRATCH_PATH_SIZE];
    snprintf(path, sizeof(path), "%s/in", u->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    unit_io_write_file(u->folder, "in/small", "0123456789", 10);
    unit_io_write_file(u->folder, "in/na me\xc3\xa9", "odd", 3);
    unit_io_write_file(u->folder, "empty", "", 0);
    static const char *const links[][2] = {
        { "in/small", "inside" }, { "/etc/passwd", "outside" }, { "..", "up" }, { "loop", "loop" }
    };
    for (size_t i = 0; i < COUNT_OF(links); ++i) {
        assert_int_equal(symlinkat(links[i][0], u->folder_fd, links[i][1]), 0);
    }
    snprintf(path, sizeof(path), "%s/fifo", u->folder);
    assert_int_equal(mkfifo(path, 0600), 0);
}

static void a_path_is_opened_read_and_closed(void **state)
{
    unit_io *u = *state;
    make_loose_files(u);
    io_completion c = unit_io_read_one(u, by_path(u, "in/small", 10));
    uint32_t before = count_descriptors(); /* a reserve has no descriptor of its own, but may have started by now */
    assert_int_equal(c.result, 10);
    assert_memory_equal(u->pool.memory, "0123456789", 10);
    assert_int_equal(unit_io_read_one(u, by_path(u, "in/na me\xc3\xa9", 3)).result, 3);
    assert_int_equal(unit_io_read_one(u, by_path(u, "./in//small", 10)).result, 10);
    assert_int_equal(unit_io_read_one(u, by_path(u, "inside", 10)).result, 10); /* a link that stays inside */
    assert_int_equal(unit_io_read_one(u, by_path(u, "in/small", 4096)).result, 10); /* shorter than was thought */
    assert_int_equal(unit_io_read_one(u, by_path(u, "empty", 100)).result, 0);
    io_read resumed = by_path(u, "in/small", 6);
    resumed.offset = 4;
    assert_int_equal(unit_io_read_one(u, resumed).result, 6);
    assert_memory_equal(u->pool.memory, "456789", 6);
    assert_int_equal(count_descriptors(), before);
}

typedef struct failing_path {
    const char *path;
    int32_t result;
} failing_path;

static void a_path_that_fails_says_why(void **state)
{
    unit_io *u = *state;
    make_loose_files(u);
    static const failing_path paths[] = {
        { "in/none", -ENOENT },  { "empty/below", -ENOTDIR }, { "", -ENOENT },       { "/etc/passwd", -EXDEV },
        { "../passwd", -EXDEV }, { "in/../../x", -EXDEV },    { "outside", -EXDEV }, { "up/x", -EXDEV },
        { "loop", -ELOOP },      { "in", -EISDIR },
    };
    uint32_t registered = unit_io_count_registered();
    for (uint32_t round = 0; round < 20; ++round) { /* more rounds than places: none is lost */
        io_read reads[COUNT_OF(paths)];
        io_completion completions[COUNT_OF(paths)];
        for (uint32_t i = 0; i < COUNT_OF(paths); ++i) {
            reads[i] = by_path(u, paths[i].path, 100);
            reads[i].user_data = i;
        }
        unit_io_run(u, reads, COUNT_OF(paths), completions);
        for (uint32_t i = 0; i < COUNT_OF(paths); ++i) {
            assert_int_equal(completions[i].result, paths[i].result);
        }
    }
    /* A FIFO without a writer neither blocks nor brings anything (what it answers depends on offset and backend). */
    assert_true(unit_io_read_one(u, by_path(u, "fifo", 10)).result <= 0);
    assert_int_equal(unit_io_read_one(u, by_path(u, "in/small", 10)).result, 10);
    assert_int_equal(unit_io_count_registered(), registered);
}

/* Files and paths mixed, far more than entries or slots: order and number of completions are the backend's affair, the
 * bytes are not. */
static void paths_and_files_mix(void **state)
{
    unit_io *u = *state;
    make_loose_files(u);
    enum { COUNT = 2000 };
    io_read *reads = calloc(COUNT, sizeof(*reads));
    io_completion *completions = calloc(COUNT, sizeof(*completions));
    uint8_t *pool = u->pool.memory;
    uint64_t seed = 11;
    for (uint32_t i = 0; i < COUNT; ++i) {
        uint64_t offset = unit_below(&seed, UNIT_FILE_SIZE - 2000);
        static const char *const paths[] = { "big", "in/../big", "./big", "none" };
        reads[i] = (io_read){ .file = u->file_number,
                              .op = i % 3 == 0 ? IO_OP_READ : IO_OP_READ_PATH,
                              .folder_fd = u->folder_fd,
                              .path = paths[i % COUNT_OF(paths)],
                              .size = 2000,
                              .offset = offset,
                              .memory = pool + i * 2000,
                              .user_data = i };
    }
    unit_io_run(u, reads, COUNT, completions);
    for (uint32_t i = 0; i < COUNT; ++i) {
        bool there = i % 3 == 0 || i % 4 != 3;
        assert_int_equal(completions[i].result, there ? 2000 : -ENOENT);
        if (there) {
            assert_memory_equal(reads[i].memory, u->bytes + reads[i].offset, 2000);
        }
    }
    free(completions);
    free(reads);
}

/* ---- Three backends ---- */

static int setup(void **state, leat_backend backend, leat_switch fixed_files)
{
    unit_io *u = calloc(1, sizeof(*u));
    u->backend = backend;
    u->desc.uring.fixed_files = fixed_files;
    unit_io_make_folder(u);
    leat_result result = unit_io_open(u);
    *state = u;
    return result == LEAT_OK ? 0 : -1;
}
static int setup_uring(void **state)
{
    return setup(state, LEAT_BACKEND_URING, LEAT_DEFAULT);
}
static int setup_uring_unregistered(void **state) /* paths go to the reserve */
{
    return setup(state, LEAT_BACKEND_URING, LEAT_OFF);
}
static int setup_threads(void **state)
{
    return setup(state, LEAT_BACKEND_THREADS, LEAT_DEFAULT);
}
static int setup_sim(void **state)
{
    return setup(state, LEAT_BACKEND_SIM, LEAT_DEFAULT);
}

static int teardown(void **state)
{
    unit_io *u = *state;
    unit_io_close(u);
    unit_io_remove_folder(u);
    free(u);
    return 0;
}

static bool uring_is_there(void)
{
    unit_io u = { .backend = LEAT_BACKEND_URING };
    unit_io_make_folder(&u);
    bool there = unit_io_open(&u) == LEAT_OK;
    if (!there) {
        printf("skipped: io_uring: %s\n", u.error.text);
    }
    unit_io_close(&u);
    unit_io_remove_folder(&u);
    return there;
}

#define SUITE(SETUP)                                                                                                   \
    cmocka_unit_test_setup_teardown(reads_bring_the_bytes_of_the_file, SETUP, teardown),                               \
        cmocka_unit_test_setup_teardown(the_end_of_the_file_is_short_then_zero, SETUP, teardown),                      \
        cmocka_unit_test_setup_teardown(memory_outside_the_pool_will_do, SETUP, teardown),                             \
        cmocka_unit_test_setup_teardown(a_path_is_opened_read_and_closed, SETUP, teardown),                            \
        cmocka_unit_test_setup_teardown(a_path_that_fails_says_why, SETUP, teardown),                                  \
        cmocka_unit_test_setup_teardown(paths_and_files_mix, SETUP, teardown)

int main(void)
{
    const struct CMUnitTest everywhere[] = { SUITE(setup_threads), SUITE(setup_sim) };
    const struct CMUnitTest ring[] = { SUITE(setup_uring), SUITE(setup_uring_unregistered) };
    int failed = cmocka_run_group_tests_name("threads, sim", everywhere, NULL, NULL);
    if (uring_is_there()) {
        failed += cmocka_run_group_tests_name("io_uring", ring, NULL, NULL);
    }
    return failed;
}
