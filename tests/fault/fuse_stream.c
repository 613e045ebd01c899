/* fuse_stream.c - streams a pack from a file system that fails on purpose (fault_fs.h): errors, short reads, wrong
 * bits, delays, a device that stands still for two seconds, and one that dies with reads in flight.
 *
 * The kernel's whole way of a read is under it, with READ_FIXED on registered buffers and O_DIRECT where they are
 * granted, and then with buffered reads; which it was is printed. Whatever fails: each request ends with one event,
 * with the right bytes or with the right error, and after each fault all works again.
 *
 *     fuse_stream uring|threads */
#include "fault_fs.h"
#include "stream_case.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SKIP 77 /* "cannot be had here", for ctest */
#define ROUNDS_PER_FAULT 3u
#define STALL_MS 2000u
#define SHUTDOWN_COUNT 5u

typedef enum expected { EXPECT_READY, EXPECT_FAILED, EXPECT_EITHER } expected;

typedef struct fault_kind {
    const char *name;
    uint32_t eio_every, eio_count_max, short_every, short_unit, flip_every, delay_us_max, stall_ms;
    uint32_t rounds; /* 0: ROUNDS_PER_FAULT */
    expected expected;
    leat_result result; /* of requests that fail; OK: EIO or DAMAGED, by whichever came first */
} fault_kind;

/* EIO once: a read is repeated, so that nothing fails. Each third: a read and its repetition may both be hit. */
static const fault_kind faults[] = {
    { .name = "EIO once", .eio_every = 1, .eio_count_max = 1, .expected = EXPECT_READY },
    { .name = "EIO, every 3rd read", .eio_every = 3, .expected = EXPECT_EITHER, .result = LEAT_ERROR_OS },
    { .name = "EIO, every read", .eio_every = 1, .expected = EXPECT_FAILED, .result = LEAT_ERROR_OS },
    { .name = "short, every 2nd read", .short_every = 2, .expected = EXPECT_READY },
    { .name = "short, every read", .short_every = 1, .short_unit = 4096, .expected = EXPECT_READY },
    { .name = "short within a block, always", .short_every = 1, .expected = EXPECT_EITHER, .result = LEAT_ERROR_OS },
    { .name = "wrong bits, every 4th read", .flip_every = 4, .expected = EXPECT_EITHER, .result = LEAT_ERROR_DAMAGED },
    { .name = "wrong bits, every read", .flip_every = 1, .expected = EXPECT_FAILED, .result = LEAT_ERROR_DAMAGED },
    { .name = "delays, out of order", .delay_us_max = 3000, .expected = EXPECT_READY },
    { .name = "a stall of 2 s", .stall_ms = STALL_MS, .rounds = 1, .expected = EXPECT_READY },
    { .name = "all at once",
      .eio_every = 7,
      .short_every = 3,
      .flip_every = 11,
      .delay_us_max = 1000,
      .expected = EXPECT_EITHER },
};

typedef struct fixture {
    test_pack pack;
    fault_fs fs;
    leat_backend backend;
    leat_switch direct;
} fixture;

static stream_case case_of(const fixture *f)
{
    return (stream_case){ .desc = { .backend = f->backend, .direct = f->direct, .request_count_max = 128 },
                          .pack = &f->pack,
                          .path = f->fs.path };
}

static void arm(fault_fs *fs, const fault_kind *fault)
{
    fault_fs_plan *plan = &fs->shared->plan;
    fault_fs_calm(fs);
    atomic_store(&plan->eio_count_max, fault->eio_count_max);
    atomic_store(&plan->eio_every, fault->eio_every);
    atomic_store(&plan->short_unit, fault->short_unit);
    atomic_store(&plan->short_every, fault->short_every);
    atomic_store(&plan->flip_every, fault->flip_every);
    atomic_store(&plan->delay_us_max, fault->delay_us_max);
    atomic_store(&plan->stall_ms, fault->stall_ms);
}

/* Every kind of fault that was asked for has come. */
static bool has_hit(const fault_fs *fs, const fault_kind *fault)
{
    const fault_fs_counts *n = &fs->shared->counts;
    return (fault->eio_every == 0 || atomic_load(&n->failed) > 0) &&
           (fault->short_every == 0 || atomic_load(&n->cut) > 0) &&
           (fault->flip_every == 0 || atomic_load(&n->flipped) > 0) &&
           (fault->delay_us_max == 0 || atomic_load(&n->delayed) > 0) &&
           (fault->stall_ms == 0 || atomic_load(&n->stalled) > 0);
}

static bool is_right_error(const stream_case *c, leat_result wanted)
{
    leat_result got = c->failed_result;
    bool right = wanted == LEAT_OK ? got == LEAT_ERROR_OS || got == LEAT_ERROR_DAMAGED : got == wanted;
    return right && (got != LEAT_ERROR_OS || c->failed_os_error == EIO);
}

static void quiet_round(stream_case *c, const char *after)
{
    stream_round(c);
    STREAM_CHECK(c, c->failed == 0 && c->ready > 0, "after \"%s\": %u requests failed without a fault", after,
                 c->failed);
}

static void run_fault(fixture *f, stream_case *c, const fault_kind *fault)
{
    uint32_t ready = 0, failed = 0;
    arm(&f->fs, fault);
    for (uint32_t i = 0; i < (fault->rounds == 0 ? ROUNDS_PER_FAULT : fault->rounds); ++i) {
        stream_round(c);
        ready += c->ready;
        failed += c->failed;
        STREAM_CHECK(c, c->failed == 0 || is_right_error(c, fault->result), "%s: failed with %s (%s)", fault->name,
                     leat_result_text(c->failed_result), strerror(c->failed_os_error));
    }
    STREAM_CHECK(c, fault->expected != EXPECT_READY || failed == 0, "%s: %u requests failed", fault->name, failed);
    STREAM_CHECK(c, fault->expected != EXPECT_FAILED || (ready == 0 && failed > 0), "%s: %u ready, %u failed",
                 fault->name, ready, failed);
    STREAM_CHECK(c, has_hit(&f->fs, fault), "%s: it has not come", fault->name);
    const fault_fs_counts *n = &f->fs.shared->counts;
    printf("%-28s %4u ready, %4u failed; of %4u reads (%u direct) %u EIO, %u short, %u with wrong bits, %u held up\n",
           fault->name, ready, failed, atomic_load(&n->reads), atomic_load(&n->direct_reads), atomic_load(&n->failed),
           atomic_load(&n->cut), atomic_load(&n->flipped), atomic_load(&n->delayed) + atomic_load(&n->stalled));
    fflush(stdout);
    fault_fs_calm(&f->fs);
    quiet_round(c, fault->name);
}

/* A pack cannot be opened, and says so; later it can. stream_open looks at the words. */
static void open_under_errors(fixture *f, stream_case *c)
{
    arm(&f->fs, &(fault_kind){ .eio_every = 1 });
    STREAM_CHECK(c, !stream_open(c), "opened a pack of which nothing can be read");
    STREAM_CHECK(c, c->error.os_error == EIO, "refused with %s", c->error.text);
    fault_fs_calm(&f->fs);
}

static void print_way(stream_case *c)
{
    leat_info info;
    leat_pack_info pack = { 0 };
    leat_info_get(c->s, &info);
    STREAM_CHECK(c, leat_pack_info_get(c->s, c->handle, &pack) == LEAT_OK, "no info of the pack");
    printf("reads are %s, buffers %s\n", pack.direct ? "O_DIRECT" : "buffered",
           info.fixed_buffers ? "registered (READ_FIXED)" : "plain");
}

/* ---- With reads held ---- */

#define ASSET_COUNT 64u
#define WAITS_MAX 60000u /* of a millisecond: a limit for broken builds, not a measure */

typedef struct endings {
    uint32_t of_asset[ASSET_COUNT]; /* how many terminal events each has had */
    uint32_t count, ready;
} endings;

static void take(stream_case *c, leat_events events, endings *ends)
{
    for (uint32_t i = 0; i < events.count; ++i) {
        const leat_event *e = &events.items[i];
        bool io = e->result == LEAT_ERROR_OS && e->os_error != 0;
        STREAM_CHECK(c, e->type == LEAT_EVENT_READY || (e->type == LEAT_EVENT_FAILED && io),
                     "asset %u: event %d, %s, of a dead device", (unsigned)e->user, (int)e->type,
                     leat_result_text(e->result));
        STREAM_CHECK(c, ++ends->of_asset[e->user] == 1, "asset %u: has ended twice", (unsigned)e->user);
        ends->ready += e->type == LEAT_EVENT_READY;
        ++ends->count;
        leat_release(c->s, e->request);
    }
}

/* Asks for everything, and comes back when the file system holds a read. */
static void submit_into_stall(fixture *f, stream_case *c, uint32_t stall_ms, endings *ends)
{
    *ends = (endings){ 0 };
    arm(&f->fs, &(fault_kind){ .stall_ms = stall_ms });
    for (uint32_t i = 0; i < ASSET_COUNT; ++i) {
        leat_read_desc read = { .asset = leat_asset_at(c->s, c->handle, i), .user = i };
        STREAM_CHECK(c, leat_read(c->s, &read, NULL) == LEAT_OK, "asset %u: submit was refused", i);
    }
    for (uint32_t i = 0; i < WAITS_MAX && atomic_load(&f->fs.shared->counts.stalled) == 0; ++i) {
        take(c, leat_wait(c->s, NS_PER_MS), ends);
    }
    STREAM_CHECK(c, atomic_load(&f->fs.shared->counts.stalled) > 0, "no read has come to the file system");
}

/* destroy waits for reads that the device has: it must not give their memory away before. */
static bool shut_down_while_held(fixture *f)
{
    stream_case c = case_of(f);
    endings ends;
    for (uint32_t n = 0; n < SHUTDOWN_COUNT && !c.broken; ++n) {
        if (!stream_open(&c)) {
            STREAM_CHECK(&c, false, "open: %s", c.error.text);
            break;
        }
        submit_into_stall(f, &c, 100, &ends);
        c.handle = (leat_pack){ 0 }; /* not closed: destroy does it all */
        stream_close(&c);
        fault_fs_calm(&f->fs);
    }
    printf("%u times shut down with reads held\n", SHUTDOWN_COUNT);
    return !c.broken;
}

static bool die_while_held(fixture *f)
{
    stream_case c = case_of(f);
    endings ends;
    if (!stream_open(&c)) {
        STREAM_CHECK(&c, false, "open: %s", c.error.text);
        return false;
    }
    submit_into_stall(f, &c, WAITS_MAX, &ends);
    fault_fs_kill(&f->fs);
    for (uint32_t i = 0; i < WAITS_MAX && ends.count < ASSET_COUNT; ++i) {
        take(&c, leat_wait(c.s, NS_PER_MS), &ends);
    }
    STREAM_CHECK(&c, ends.count == ASSET_COUNT, "%u of %u requests have ended", ends.count, ASSET_COUNT);
    STREAM_CHECK(&c, ends.ready == 0, "%u requests are ready, of a device that is dead", ends.ready);
    printf("the file system dies: %u requests have ended, each once, %u of them ready\n", ends.count, ends.ready);
    stream_close(&c);
    return !c.broken;
}

/* ---- */

static bool run(fixture *f)
{
    stream_case c = case_of(f);
    open_under_errors(f, &c);
    if (!stream_open(&c)) {
        STREAM_CHECK(&c, false, "open: %s", c.error.text);
        return false;
    }
    print_way(&c);
    quiet_round(&c, "opening");
    for (size_t i = 0; i < COUNT_OF(faults); ++i) {
        run_fault(f, &c, &faults[i]);
    }
    stream_close(&c);
    return !c.broken && shut_down_while_held(f);
}

static int skip(const char *why)
{
    printf("SKIPPED: %s\n", why);
    return SKIP;
}

int main(int argc, char **argv)
{
    bool uring = argc == 2 && strcmp(argv[1], "uring") == 0;
    if (!uring && (argc != 2 || strcmp(argv[1], "threads") != 0)) {
        fprintf(stderr, "usage: fuse_stream uring|threads\n");
        return 2;
    }
    static fixture f;
    char reason[256] = "";
    f.backend = uring ? LEAT_BACKEND_URING : LEAT_BACKEND_THREADS;
    test_pack_desc desc = { .seed = 17,
                            .asset_count = ASSET_COUNT,
                            .size_min = 1000,
                            .size_max = 60000,
                            .chunk_raw_size = 16u << 10,
                            .stored_every = 5 };
    test_pack_make(&desc, &f.pack);
    if (!fault_fs_start(&f.fs, f.pack.bytes, f.pack.size, reason, sizeof(reason))) {
        test_pack_free(&f.pack);
        return skip(reason);
    }
    stream_case probe = case_of(&f);
    int result = 0;
    if (stream_open(&probe)) {
        stream_close(&probe);
        bool good = run(&f);
        f.direct = LEAT_OFF;
        good = good && run(&f) && die_while_held(&f);
        result = good ? 0 : 1;
    } else {
        result = probe.error.result == LEAT_ERROR_UNSUPPORTED ? skip(probe.error.text) : 1;
        fprintf(stderr, "%s\n", probe.error.text);
    }
    fault_fs_stop(&f.fs);
    test_pack_free(&f.pack);
    return result;
}
