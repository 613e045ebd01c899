/* Shows what the walk over sources takes and what it leaves: by name, without the output that lies among them, telling
 * how many it has met; and that a file which changes while it is read is named and not taken half. */
#include "unit.h"

#include "file_read.h"
#include "progress.h"
#include "scratch.h"
#include "source_files.h"
#include "sources.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct place {
    char folder[SCRATCH_SIZE];
} place;

/* What the wrapped calls do: the file that somebody writes to at the first read, and the time. */
static const char *changed_path;
static uint64_t clock_ns;

ssize_t __real_read(int fd, void *bytes, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size)
{
    ssize_t got = __real_read(fd, bytes, size);
    if (changed_path != NULL) {
        int other = open(changed_path, O_WRONLY | O_CLOEXEC);
        const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 1 } };
        assert_int_equal(pwrite(other, "x", 1, 0), 1);
        assert_int_equal(futimens(other, times), 0); /* the kernel's own time may be that of the last write */
        close(other);
        changed_path = NULL;
    }
    return got;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    (void)clock;
    *now = (struct timespec){ .tv_sec = (time_t)(clock_ns / 1000000000), .tv_nsec = (long)(clock_ns % 1000000000) };
    return 0;
}

static int place_make(void **state)
{
    place *p = calloc(1, sizeof(*p));
    scratch_folder_make("leat-sources", p->folder);
    *state = p;
    return 0;
}

static int place_free(void **state)
{
    place *p = *state;
    scratch_folder_remove(p->folder);
    free(p);
    return 0;
}

static void file_make(const place *p, const char *name, const char *text, char *path)
{
    snprintf(path, SCRATCH_PATH_SIZE, "%s/%s", p->folder, name);
    FILE *file = fopen(path, "wbe");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
}

static void test_output_among_sources(void **state)
{
    place *p = *state;
    char path[SCRATCH_PATH_SIZE], output[SCRATCH_PATH_SIZE], link_path[SCRATCH_PATH_SIZE];
    file_make(p, "b.leat", "another", path);
    file_make(p, "z.png", "picture", path);
    file_make(p, "a.lua", "script", path);
    file_make(p, "out.leat", "the one", output);
    snprintf(link_path, sizeof(link_path), "%s/link.leat", p->folder);
    assert_int_equal(symlink(output, link_path), 0);
    char *paths[] = { p->folder };
    sources_desc desc = { .paths = paths, .path_count = 1, .blobs = "leat,lua", .output = output };
    source_list list = { 0 };
    assert_true(sources_find(&desc, &list));
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0].name, "a.lua");
    assert_string_equal(list.items[1].name, "b.leat");
    assert_string_equal(list.items[2].name, "z.png");
    assert_int_equal(list.ignored_count, 0);
    assert_int_equal(list.messages.message_count, 0);
    sources_free(&list);
    snprintf(link_path, sizeof(link_path), "%s/other.leat", p->folder);
    assert_int_equal(link(output, link_path), 0);
    assert_true(sources_find(&desc, &list));
    assert_int_equal(list.count, 3);
    assert_int_equal(list.messages.message_count, 1); /* the output itself and the symbolic link are no news */
    assert_int_equal(list.messages.messages[0].level, IMPORT_WARNING);
    assert_non_null(strstr(list.messages.messages[0].text, "other.leat: is left out: it is a hard link to the output"));
    sources_free(&list);
    assert_int_equal(unlink(link_path), 0);
    desc.output = NULL;
    assert_true(sources_find(&desc, &list));
    assert_int_equal(list.count, 5);
    sources_free(&list);
}

static void test_change_while_read(void **state)
{
    place *p = *state;
    char path[SCRATCH_PATH_SIZE];
    import_result result = { 0 };
    uint64_t size = 0;
    file_make(p, "a.png", "before", path);
    uint8_t *bytes = file_read(path, 100, &size, NULL, &result);
    assert_non_null(bytes);
    assert_int_equal(size, 6);
    free(bytes);
    changed_path = path;
    assert_null(file_read(path, 100, &size, NULL, &result));
    assert_int_equal(result.message_count, 1);
    assert_non_null(strstr(result.messages[0].text, "has changed while it was read"));
    import_result_free(&result);
}

/* A model goes in without a file of its own that cannot be read, which is a warning; not without one that would be
 * whole a moment later: nobody would look. */
static void test_change_beside_a_model(void **state)
{
    place *p = *state;
    char model[SCRATCH_PATH_SIZE], materials[SCRATCH_PATH_SIZE], large[SCRATCH_PATH_SIZE];
    import_result result = { 0 };
    source_files files;
    file_make(p, "m.obj", "mtllib m.mtl", model);
    file_make(p, "m.mtl", "newmtl m", materials);
    file_make(p, "large.mtl", "newmtl of more bytes than are taken", large);
    const import_job job = { .path = model, .name = "m.obj", .root = p->folder, .bytes_max = 20 };
    source_files_open(&files, &job, &result);
    changed_path = materials;
    assert_true(source_files_has(&files, materials));
    assert_true(source_files_has(&files, large));
    assert_int_equal(result.message_count, 2);
    assert_non_null(strstr(result.messages[0].text, "m.mtl: has changed while it was read"));
    assert_int_equal(result.messages[0].level, IMPORT_ERROR);
    assert_int_equal(result.messages[1].level, IMPORT_WARNING);
    source_files_close(&files);
    import_result_free(&result);
}

/* What progress says of found files and of work at these times, on a terminal or in a file; into text. */
static void progress_run(const place *p, bool terminal, bool quiet, char *text, size_t text_size)
{
    int ends[2] = { -1, -1 }, kept = dup(STDERR_FILENO);
    char path[SCRATCH_PATH_SIZE];
    snprintf(path, sizeof(path), "%s/said", p->folder);
    if (terminal) {
        assert_int_equal(openpty(&ends[0], &ends[1], NULL, NULL, NULL), 0);
    } else {
        ends[1] = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        ends[0] = open(path, O_RDONLY | O_CLOEXEC);
    }
    dup2(ends[1], STDERR_FILENO);
    progress at;
    clock_ns = UINT64_C(5000000000);
    progress_begin(&at, quiet);
    progress_found(&at, 1); /* at once: not yet */
    clock_ns += 150000000;
    progress_found(&at, 20); /* on a terminal */
    clock_ns += 1000000000;
    progress_found(&at, 300);
    progress_work(&at, 1000);
    progress_add(&at, 500); /* no time has passed */
    clock_ns += 2000000000;
    progress_add(&at, 100);
    progress_end(&at);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(ends[1]);
    size_t size = 0;
    ssize_t got; /* a terminal passes on what was written in pieces, and ends with EIO */
    while ((got = __real_read(ends[0], text + size, text_size - 1 - size)) > 0) {
        size += (size_t)got;
    }
    assert_true(got == 0 || (terminal && errno == EIO));
    text[size] = '\0';
    close(ends[0]);
}

static void test_progress(void **state)
{
    char text[1024];
    progress_run(*state, false, false, text, sizeof(text));
    assert_string_equal(text, "300 files found, 1 s\n60 %, 2.0 s\n");
    progress_run(*state, true, false, text, sizeof(text));
    assert_string_equal(text, "\r\x1b[K20 files found, 0 s\r\x1b[K300 files found, 1 s\r\x1b[K"
                              "\r\x1b[K[##################............]  60 %  2 s, about 1 s left\r\x1b[K");
    progress_run(*state, false, true, text, sizeof(text));
    assert_string_equal(text, "");
}

static void test_walk_tells(void **state)
{
    place *p = *state;
    char path[SCRATCH_PATH_SIZE];
    file_make(p, "a.png", "picture", path);
    file_make(p, "b.png", "picture", path);
    char *paths[] = { p->folder };
    progress at;
    progress_begin(&at, false);
    at.terminal = false;
    int kept = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, STDERR_FILENO);
    clock_ns += 3000000000;
    const sources_desc desc = { .paths = paths, .path_count = 1, .progress = &at };
    source_list list = { 0 };
    bool found = sources_find(&desc, &list);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(null);
    assert_true(found);
    assert_int_equal(list.count, 2);
    assert_int_equal(at.shown_ns, clock_ns); /* it was told, at that time */
    sources_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_output_among_sources, place_make, place_free),
        cmocka_unit_test_setup_teardown(test_change_while_read, place_make, place_free),
        cmocka_unit_test_setup_teardown(test_change_beside_a_model, place_make, place_free),
        cmocka_unit_test_setup_teardown(test_progress, place_make, place_free),
        cmocka_unit_test_setup_teardown(test_walk_tells, place_make, place_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
