/* Shows that what is watched is never lost sight of for good: more changes than the kernel's queue holds, the limits of
 * inotify, and folders that are removed, built anew, renamed, replaced, or reached by a link that is set to another.
 *
 * The streamer is a stepped one: nothing is looked at but in leat_update, at a time that the test gives, so that each
 * test decides what has happened before the look. inotify_init1, inotify_add_watch and pthread_create are this file's,
 * before those of the C library: they do what those do, until a test says that a limit is reached. */
#include "unit.h"

#include "scratch.h"
#include "streamer.h"
#include "unit_limits.h"
#include "watch.h"

#include <leat/leat.h>
#include <leat/sim.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STEP_NS NS_PER_MS

/* ---- The kernel's limits ---- */

static struct {
    uint32_t watches, watches_max; /* calls since setup; max 0: no limit */
    int init_fails; /* errno; 0: it does not */
    bool no_threads;
} kernel;

int inotify_init1(int flags)
{
    if (kernel.init_fails != 0) {
        errno = kernel.init_fails;
        return -1;
    }
    return (int)syscall(SYS_inotify_init1, flags);
}

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    ++kernel.watches;
    if (kernel.watches_max != 0 && kernel.watches > kernel.watches_max) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_inotify_add_watch, fd, path, mask);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    return kernel.no_threads ? EAGAIN : __real_pthread_create(thread, attributes, start, argument);
}

/* ---- The streamer ---- */

typedef struct fixture {
    char root[SCRATCH_SIZE]; /* holds what is mounted */
    struct leat_sim_desc sim;
    leat_streamer *s;
    leat_pack pack;
    uint64_t now_ns;
    uint32_t seen[4]; /* RELOADED by leat_change */
    char log[2048]; /* all lines */
} fixture;

static void take_log(leat_log_level level, const char *text, void *user)
{
    (void)level;
    fixture *f = user;
    size_t size = strlen(f->log);
    snprintf(f->log + size, sizeof(f->log) - size, "%s\n", text);
}

static int setup(void **state)
{
    static fixture f;
    f = (fixture){ .now_ns = NS_PER_S, .sim = { .seed = 1 } };
    *state = &f;
    memset(&kernel, 0, sizeof(kernel));
    scratch_folder_make("leat-watch", f.root);
    leat_desc desc = { .backend = LEAT_BACKEND_SIM,
                       .sim = &f.sim,
                       .stepped = true,
                       .memory_bytes_max = MIB(32),
                       .pool_bytes = MIB(4),
                       .lent_bytes = MIB(8),
                       .pack_count_max = 2,
                       .logger = { .log = take_log, .user = &f, .level = LEAT_LOG_WARNING } };
    return leat_create(&desc, &f.s) != LEAT_OK;
}

static int teardown(void **state)
{
    fixture *f = *state;
    leat_destroy(f->s);
    scratch_folder_remove(f->root);
    return 0;
}

static const char *path_of(const fixture *f, const char *name)
{
    static char paths[2][SCRATCH_PATH_SIZE]; /* for two at once */
    static uint32_t turn;
    turn ^= 1;
    snprintf(paths[turn], sizeof(paths[turn]), "%s/%s", f->root, name);
    return paths[turn];
}

static void write_file(const fixture *f, const char *name, size_t size)
{
    FILE *file = fopen(path_of(f, name), "wb");
    assert_non_null(file);
    for (size_t i = 0; i < size; ++i) {
        fputc('x', file);
    }
    assert_int_equal(fclose(file), 0);
}

static void make_folder(const fixture *f, const char *name)
{
    assert_int_equal(mkdir(path_of(f, name), 0755), 0);
}

static void move(const fixture *f, const char *from, const char *to)
{
    assert_int_equal(rename(path_of(f, from), path_of(f, to)), 0);
}

static void remove_folder(const fixture *f, const char *name)
{
    scratch_folder_remove(path_of(f, name));
}

static void mount(fixture *f, const char *name)
{
    assert_int_equal(leat_pack_open(f->s, path_of(f, name), &(leat_pack_desc){ .watch = LEAT_ON }, &f->pack), LEAT_OK);
}

/* Updates for so long, and counts what is told. */
static void pass(fixture *f, uint64_t ns)
{
    memset(f->seen, 0, sizeof(f->seen));
    for (uint64_t end_ns = f->now_ns + ns; f->now_ns < end_ns;) {
        f->now_ns += STEP_NS;
        leat_events events = leat_update(f->s, &(leat_tick){ .now_ns = f->now_ns });
        for (uint32_t i = 0; i < events.count; ++i) {
            assert_int_equal(events.items[i].type, LEAT_EVENT_RELOADED);
            ++f->seen[events.items[i].change];
        }
    }
}

static void told(const fixture *f, uint32_t changed, uint32_t added, uint32_t removed)
{
    assert_int_equal(f->seen[LEAT_CHANGE_CHANGED], changed);
    assert_int_equal(f->seen[LEAT_CHANGE_ADDED], added);
    assert_int_equal(f->seen[LEAT_CHANGE_REMOVED], removed);
}

static void size_is(const fixture *f, const char *name, uint64_t size)
{
    leat_asset_info info;
    leat_asset asset = leat_asset_find_in(f->s, f->pack, leat_name_hash(name, strlen(name)));
    assert_int_equal(leat_asset_info_get(f->s, asset, &info), LEAT_OK);
    assert_int_equal(info.size, size);
}

static uint32_t lines_with(const fixture *f, const char *text)
{
    uint32_t count = 0;
    for (const char *at = f->log; (at = strstr(at, text)) != NULL; ++at) {
        ++count;
    }
    return count;
}

static bool is_watched(leat_streamer *s, leat_pack pack)
{
    leat_pack_info info;
    assert_int_equal(leat_pack_info_get(s, pack, &info), LEAT_OK);
    return info.watched;
}

#define SOON (2 * WATCH_DELAY_MAX_NS)

/* ---- The queue ---- */

static uint32_t queue_length(void)
{
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    uint32_t length = 0;
    int got = file != NULL ? fscanf(file, "%u", &length) : 0;
    if (file != NULL) {
        fclose(file);
    }
    return got == 1 ? length : 0;
}

/* All that is queued is of a file that does not count; the event of the one that does finds no room. */
static void a_queue_that_ran_over_is_made_up_for(void **state)
{
    fixture *f = *state;
    uint32_t length = queue_length();
    if (length == 0 || length > 100000) {
        printf("skipped: the kernel's queue is %u events long\n", length);
        skip();
    }
    make_folder(f, "m");
    make_folder(f, "m/sub");
    write_file(f, "m/sub/one", 1);
    mount(f, "m");
    for (uint32_t i = 0; i <= length / 2; ++i) { /* two events each, which are not the same twice in a row */
        write_file(f, i % 2 == 0 ? "m/.a" : "m/.b", 0);
        unlink(path_of(f, i % 2 == 0 ? "m/.a" : "m/.b"));
    }
    write_file(f, "m/sub/one", 2);
    pass(f, SOON);
    told(f, 1, 0, 0);
    size_is(f, "sub/one", 2);
    write_file(f, "m/sub/one", 3); /* and what is watched is watched on */
    pass(f, SOON);
    told(f, 1, 0, 0);
}

/* ---- Limits ---- */

static void no_more_watches_is_said_and_the_pack_is_open(void **state)
{
    fixture *f = *state;
    make_folder(f, "m");
    make_folder(f, "m/a");
    make_folder(f, "m/b");
    write_file(f, "m/a/one", 1);
    kernel.watches_max = 2; /* the folder around, and the folder */
    mount(f, "m");
    assert_int_equal(lines_with(f, "raise fs.inotify.max_user_watches"), 1);
    assert_false(is_watched(f->s, f->pack));
    size_is(f, "a/one", 1);
    write_file(f, "m/a/one", 2);
    pass(f, SOON);
    told(f, 0, 0, 0);
    assert_int_equal(leat_pack_swap(f->s, f->pack, NULL, NULL), LEAT_OK); /* by hand */
    pass(f, SOON);
    told(f, 1, 0, 0);
    size_is(f, "a/one", 2);
}

static void watches_that_run_out_later_are_said_once(void **state)
{
    fixture *f = *state;
    make_folder(f, "m");
    write_file(f, "m/one", 1);
    mount(f, "m");
    assert_true(is_watched(f->s, f->pack));
    kernel.watches_max = kernel.watches + 1; /* the folder again, and no other */
    make_folder(f, "m/new");
    write_file(f, "m/new/two", 1);
    pass(f, SOON);
    told(f, 0, 1, 0); /* what was seen is told all the same */
    assert_false(is_watched(f->s, f->pack));
    assert_int_equal(lines_with(f, "raise fs.inotify.max_user_watches"), 1);
    write_file(f, "m/one", 2);
    pass(f, SOON);
    told(f, 0, 0, 0);
    assert_int_equal(lines_with(f, "is not watched for changes"), 1);
}

static void no_more_instances_is_said(void **state)
{
    fixture *f = *state;
    make_folder(f, "m");
    write_file(f, "m/one", 1);
    kernel.init_fails = EMFILE;
    mount(f, "m");
    assert_int_equal(lines_with(f, "raise fs.inotify.max_user_instances"), 1);
    assert_false(is_watched(f->s, f->pack));
    size_is(f, "one", 1);
}

/* "m", to be mounted, and what is to take its place; the sizes of their one file tell them apart. */
static void make_folder_and_next(fixture *f)
{
    make_folder(f, "m");
    write_file(f, "m/one", 1);
    make_folder(f, "next");
    write_file(f, "next/one", 2);
}

/* The old descriptor is closed before the new one is asked for, and somebody else may have taken its place. */
static void instances_that_run_out_later_are_asked_for_again(void **state)
{
    fixture *f = *state;
    make_folder_and_next(f);
    mount(f, "m");
    kernel.init_fails = EMFILE;
    move(f, "m", "old"); /* what is watched is another folder now */
    move(f, "next", "m");
    pass(f, SOON);
    told(f, 1, 0, 0);
    write_file(f, "m/one", 3); /* unseen, and found by a look */
    pass(f, 4 * WATCH_LOST_NS);
    told(f, 1, 0, 0);
    size_is(f, "one", 3);
    assert_int_equal(lines_with(f, "is not watched for changes"), 1); /* however often it was tried */
    kernel.init_fails = 0;
    pass(f, WATCH_LOST_NS + SOON);
    write_file(f, "m/one", 4); /* and now it is seen */
    pass(f, SOON);
    told(f, 1, 0, 0);
    size_is(f, "one", 4);
    uint32_t watches = kernel.watches;
    pass(f, 4 * WATCH_LOST_NS);
    assert_int_equal(kernel.watches, watches); /* there are no more looks without a cause */
}

/* A streamer with threads whose watching one cannot be had, and then can. */
static void no_more_threads_is_said(void **state)
{
    fixture *f = *state;
    leat_streamer *s;
    leat_pack first, second;
    leat_desc desc = *leat_resolved_desc(f->s);
    desc.backend = LEAT_BACKEND_THREADS;
    desc.stepped = false;
    assert_int_equal(leat_create(&desc, &s), LEAT_OK);
    make_folder(f, "m");
    kernel.no_threads = true;
    assert_int_equal(leat_pack_open(s, path_of(f, "m"), NULL, &first), LEAT_OK);
    assert_int_equal(lines_with(f, "is not watched for changes: no thread can be had"), 1);
    kernel.no_threads = false;
    assert_int_equal(leat_pack_open(s, path_of(f, "m"), NULL, &second), LEAT_OK);
    assert_false(is_watched(s, first)); /* as was said */
    assert_true(is_watched(s, second));
    leat_destroy(s);
}

/* Whatever the watching thread is about when the streamer ends, that it is to end is not missed. Hangs if it is. */
static void the_end_is_never_missed(void **state)
{
    fixture *f = *state;
    leat_desc desc = *leat_resolved_desc(f->s);
    desc.backend = LEAT_BACKEND_THREADS;
    desc.stepped = false;
    desc.worker_count = 1;
    desc.io_thread_count = 1;
    make_folder(f, "m");
    for (uint32_t i = 0; i < 300; ++i) {
        leat_streamer *s;
        leat_pack pack;
        assert_int_equal(leat_create(&desc, &s), LEAT_OK);
        assert_int_equal(leat_pack_open(s, path_of(f, "m"), NULL, &pack), LEAT_OK);
        for (volatile uint32_t k = 0; k < i * 100; ++k) { /* a moment later each time */
        }
        leat_destroy(s);
    }
}

static void who_is_watched_is_known_by_handle(void **state)
{
    fixture *f = *state;
    make_folder(f, "m");
    mount(f, "m");
    assert_true(is_watched(f->s, f->pack));
    leat_pack before = f->pack;
    assert_int_equal(leat_pack_close(f->s, f->pack), LEAT_OK);
    pump_run(f->s, f->now_ns); /* the mount is free before anybody has looked after the watch */
    leat_pack_desc unwatched = { .watch = LEAT_OFF };
    assert_int_equal(leat_pack_open(f->s, path_of(f, "m"), &unwatched, &f->pack), LEAT_OK);
    assert_int_equal(f->pack.index, before.index);
    assert_false(is_watched(f->s, f->pack));
}

/* ---- The folder itself ---- */

static void a_folder_that_is_built_anew_is_found(void **state)
{
    fixture *f = *state;
    make_folder(f, "m");
    write_file(f, "m/one", 1);
    write_file(f, "m/two", 1);
    mount(f, "m");
    remove_folder(f, "m");
    pass(f, 10 * WATCH_LOST_NS);
    told(f, 0, 0, 0);
    size_is(f, "one", 1); /* the last list stays */
    assert_int_equal(lines_with(f, "the version before stays"), 1); /* however often it was looked for */
    make_folder(f, "m");
    write_file(f, "m/one", 2);
    write_file(f, "m/three", 1);
    pass(f, SOON);
    told(f, 1, 1, 1);
    size_is(f, "one", 2);
    write_file(f, "m/one", 3);
    pass(f, SOON);
    told(f, 1, 0, 0);
}

static void a_folder_that_is_replaced_is_found(void **state)
{
    fixture *f = *state;
    make_folder_and_next(f);
    mount(f, "m");
    move(f, "m", "old");
    move(f, "next", "m");
    pass(f, SOON);
    told(f, 1, 0, 0);
    size_is(f, "one", 2);
    uint32_t watches = kernel.watches;
    write_file(f, "old/one", 3); /* is ours no more: not even looked at */
    pass(f, SOON);
    told(f, 0, 0, 0);
    assert_int_equal(kernel.watches, watches);
    write_file(f, "m/one", 4);
    pass(f, SOON);
    told(f, 1, 0, 0);
}

static void a_folder_that_is_renamed_keeps_its_list_until_it_is_back(void **state)
{
    fixture *f = *state;
    make_folder(f, "m");
    write_file(f, "m/one", 1);
    mount(f, "m");
    move(f, "m", "elsewhere");
    write_file(f, "elsewhere/one", 2);
    pass(f, 3 * WATCH_LOST_NS);
    told(f, 0, 0, 0);
    size_is(f, "one", 1);
    move(f, "elsewhere", "m");
    pass(f, SOON);
    told(f, 1, 0, 0);
    size_is(f, "one", 2);
}

static void a_link_that_is_set_to_another_folder_is_followed(void **state)
{
    fixture *f = *state;
    make_folder(f, "v1");
    write_file(f, "v1/one", 1);
    make_folder(f, "v2");
    write_file(f, "v2/one", 2);
    assert_int_equal(symlink("v1", path_of(f, "m")), 0);
    mount(f, "m/"); /* as a shell completes it */
    assert_int_equal(symlink("v2", path_of(f, "m.new")), 0);
    move(f, "m.new", "m");
    pass(f, SOON);
    told(f, 1, 0, 0);
    size_is(f, "one", 2);
    write_file(f, "v2/one", 3);
    pass(f, SOON);
    told(f, 1, 0, 0);
}

static void all_around_it_may_go_and_come_again(void **state)
{
    fixture *f = *state;
    make_folder(f, "build");
    make_folder(f, "build/m");
    write_file(f, "build/m/one", 1);
    mount(f, "build/m");
    remove_folder(f, "build");
    pass(f, 3 * WATCH_LOST_NS);
    told(f, 0, 0, 0);
    make_folder(f, "build");
    make_folder(f, "build/m");
    write_file(f, "build/m/one", 2);
    pass(f, WATCH_LOST_NS + SOON);
    told(f, 1, 0, 0);
    write_file(f, "build/m/one", 3);
    pass(f, SOON);
    told(f, 1, 0, 0);
}

static void a_subfolder_that_moves_away_is_watched_no_more(void **state)
{
    fixture *f = *state;
    make_folder(f, "m");
    make_folder(f, "m/sub");
    write_file(f, "m/sub/one", 1);
    mount(f, "m");
    move(f, "m/sub", "away");
    pass(f, SOON);
    told(f, 0, 0, 1);
    uint32_t watches = kernel.watches;
    write_file(f, "away/one", 2);
    pass(f, SOON);
    assert_int_equal(kernel.watches, watches); /* no look was taken */
    make_folder(f, "m/new");
    write_file(f, "m/new/two", 2);
    pass(f, SOON);
    told(f, 0, 1, 0);
}

static void a_swap_to_another_folder_is_watched_there(void **state)
{
    fixture *f = *state;
    make_folder(f, "a");
    write_file(f, "a/one", 1);
    make_folder(f, "b");
    write_file(f, "b/one", 2);
    mount(f, "a");
    assert_int_equal(leat_pack_swap(f->s, f->pack, path_of(f, "b"), NULL), LEAT_OK);
    pass(f, SOON);
    told(f, 1, 0, 0);
    write_file(f, "b/one", 3);
    pass(f, SOON);
    told(f, 1, 0, 0);
    size_is(f, "one", 3);
    write_file(f, "a/one", 4);
    pass(f, SOON);
    told(f, 0, 0, 0);
}

static void others_around_it_are_nothing_to_look_at(void **state)
{
    fixture *f = *state;
    make_folder(f, "m");
    write_file(f, "m/one", 1);
    mount(f, "m");
    uint32_t watches = kernel.watches;
    write_file(f, "mm", 1);
    make_folder(f, "x");
    move(f, "x", "y");
    pass(f, SOON);
    assert_int_equal(kernel.watches, watches);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_queue_that_ran_over_is_made_up_for),
        TEST(no_more_watches_is_said_and_the_pack_is_open),
        TEST(watches_that_run_out_later_are_said_once),
        TEST(no_more_instances_is_said),
        TEST(instances_that_run_out_later_are_asked_for_again),
        TEST(no_more_threads_is_said),
        TEST(the_end_is_never_missed),
        TEST(who_is_watched_is_known_by_handle),
        TEST(a_folder_that_is_built_anew_is_found),
        TEST(a_folder_that_is_replaced_is_found),
        TEST(a_folder_that_is_renamed_keeps_its_list_until_it_is_back),
        TEST(a_link_that_is_set_to_another_folder_is_followed),
        TEST(all_around_it_may_go_and_come_again),
        TEST(a_subfolder_that_moves_away_is_watched_no_more),
        TEST(a_swap_to_another_folder_is_watched_there),
        TEST(others_around_it_are_nothing_to_look_at),
    };
    if (!unit_watches_are_there()) {
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
