/* Shows that a trace keeps the last records and no half-written one, that each request of a run is in the file once
 * with its beginning and end, that the file is JSON whatever assets are called, and what is said when it cannot be
 * written. */
#include "stream_fixture.h"

#include "streamer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASSETS 40u
#define BLOCK_MAX 64u /* tickets that a thread takes at once, at most */

static void the_ring_keeps_the_last(void **state)
{
    (void)state;
    memory m = unit_memory(NULL);
    trace t = { 0 };
    assert_true(trace_init(&t, 1000, &m));
    assert_int_equal(t.capacity, 1024);
    for (uint32_t i = 0; i < 5000; ++i) {
        trace_write(&t, TRACE_ADMIT, i, i, i + 1, i * 2, i * 3);
    }
    uint64_t first, end;
    trace_range(&t, &first, &end);
    assert_in_range(end, 5000, 5000 + BLOCK_MAX);
    assert_int_equal(first, end - 1024);
    for (uint64_t i = first; i < 5000; ++i) { /* of one thread: in order */
        trace_entry e;
        assert_true(trace_read(&t, i, &e));
        assert_int_equal(e.ticket, i);
        assert_int_equal(e.kind, TRACE_ADMIT);
        assert_int_equal(e.index, i);
        assert_int_equal(e.generation, i + 1);
        assert_int_equal(e.value, i * 2);
        assert_int_equal(e.more, i * 3);
    }
    trace_entry e;
    assert_false(trace_read(&t, 5000 - 1024 - 1, &e)); /* overwritten */
    assert_false(trace_read(&t, 5000, &e)); /* never written */
    trace_free(&t, &m);
}

/* A writer that sleeps while the others go round the ring, and goes on after it, leaves any mixture of its words and of
 * the later record's: only what is of one of them in all words is read, and only as that one. */
static void a_mixture_is_no_record(void **state)
{
    (void)state;
    memory m = unit_memory(NULL);
    trace t = { 0 };
    assert_true(trace_init(&t, 1, &m));
    _Atomic uint64_t *words = (_Atomic uint64_t *)&t.records[0];
    enum { WORD_COUNT = sizeof(trace_record) / sizeof(uint64_t) };
    uint64_t early[WORD_COUNT], late[WORD_COUNT];
    trace_write(&t, TRACE_SUBMIT, 100, 7, 1, 20, 30);
    for (uint32_t i = 0; i < WORD_COUNT; ++i) {
        early[i] = atomic_load(&words[i]);
    }
    for (uint32_t i = 0; i < t.capacity; ++i) {
        trace_write(&t, TRACE_ADMIT, 101, 7, 2, 21, 31); /* as near as they can be */
    }
    for (uint32_t i = 0; i < WORD_COUNT; ++i) {
        late[i] = atomic_load(&words[i]);
        assert_int_not_equal(early[i], late[i]);
    }
    uint32_t all = (1u << WORD_COUNT) - 1;
    for (uint32_t mask = 0; mask <= all; ++mask) {
        for (uint32_t i = 0; i < WORD_COUNT; ++i) {
            atomic_store(&words[i], mask >> i & 1 ? late[i] : early[i]);
        }
        trace_entry e;
        assert_int_equal(trace_read(&t, 0, &e), mask == 0);
        assert_int_equal(trace_read(&t, t.capacity, &e), mask == all);
        assert_false(trace_read(&t, 2 * (uint64_t)t.capacity, &e));
    }
    trace_free(&t, &m);
}

typedef struct hammer {
    trace *t;
    uint32_t number;
    uint64_t count;
} hammer;

static uint64_t readable(const trace *t, uint64_t first, uint64_t end)
{
    uint64_t count = 0;
    for (uint64_t ticket = first; ticket < end; ++ticket) {
        trace_entry e;
        count += trace_read(t, ticket, &e);
    }
    return count;
}

static void *hammer_main(void *argument)
{
    hammer *h = argument;
    for (uint64_t i = 0; i < h->count; ++i) {
        trace_write(h->t, TRACE_PLAN, i, h->number, h->number, i, i * h->number);
    }
    return NULL;
}

static void writers_do_not_mix(void **state)
{
    (void)state;
    memory m = unit_memory(NULL);
    trace t = { 0 };
    assert_true(trace_init(&t, 1u << 16, &m));
    hammer hammers[4];
    pthread_t threads[4];
    for (uint32_t i = 0; i < 4; ++i) {
        hammers[i] = (hammer){ .t = &t, .number = i + 1, .count = 50000 };
        assert_int_equal(pthread_create(&threads[i], NULL, hammer_main, &hammers[i]), 0);
    }
    for (uint32_t round = 0; round < 20; ++round) { /* while they write */
        uint64_t first, end;
        trace_range(&t, &first, &end);
        for (uint64_t i = first; i < end; ++i) {
            trace_entry e;
            if (trace_read(&t, i, &e)) {
                assert_int_equal(e.index, e.generation);
                assert_int_equal(e.more, e.value * e.index);
                assert_int_equal(e.time_ns, e.value);
            }
        }
    }
    for (uint32_t i = 0; i < 4; ++i) {
        pthread_join(threads[i], NULL);
    }
    uint64_t first, end;
    trace_range(&t, &first, &end);
    /* What a thread leaves unused: a block at its end, and one whenever the others were half a ring ahead of it. */
    assert_in_range(end, 200000, 200000 + 4 * BLOCK_MAX * (1 + 200000 / (t.capacity / 2)));
    assert_int_equal(end - first, 1u << 16);
    assert_in_range(readable(&t, first, end), (1u << 16) - 4 * BLOCK_MAX * 3, 1u << 16);
    trace_free(&t, &m);
}

/* A thread that writes seldom has tickets whose places have come to others since: it takes new ones, and neither is
 * lost nor spoils what is newer. */
static void old_tickets_are_not_used(void **state)
{
    (void)state;
    memory m = unit_memory(NULL);
    trace t = { 0 };
    assert_true(trace_init(&t, 1024, &m));
    for (uint32_t round = 0; round < 20; ++round) {
        for (uint64_t i = 0; i < 5; ++i) { /* so that some of a block are left */
            trace_write(&t, TRACE_SUBMIT, round, 7, 7, i, i);
        }
        hammer other = { .t = &t, .number = 1, .count = 1000 };
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, hammer_main, &other), 0);
        pthread_join(thread, NULL);
        trace_write(&t, TRACE_CANCEL, round, 7, 7, round, 0);
        uint64_t first, end, found = 0;
        trace_range(&t, &first, &end);
        for (uint64_t ticket = first; ticket < end; ++ticket) {
            trace_entry e;
            found += trace_read(&t, ticket, &e) && e.kind == TRACE_CANCEL && e.value == round;
        }
        assert_int_equal(found, 1);
        assert_in_range(readable(&t, first, end), 1024 - 3 * BLOCK_MAX, 1024);
    }
    trace_free(&t, &m);
}

/* Who writes to two traces in turns leaves no ticket of either unused; what is left of a block when a recording begins
 * is before its range. */
static void each_trace_has_its_own_tickets(void **state)
{
    (void)state;
    memory m = unit_memory(NULL);
    trace traces[2] = { 0 };
    assert_true(trace_init(&traces[0], 1024, &m) && trace_init(&traces[1], 1024, &m));
    uint64_t first, end;
    for (uint32_t i = 0; i < 100; ++i) {
        trace_write(&traces[i % 2], TRACE_ADMIT, i, i, 1, 0, 0);
    }
    for (uint32_t i = 0; i < 2; ++i) {
        trace_range(&traces[i], &first, &end);
        assert_int_equal(first, 0);
        assert_int_equal(end, 50);
        assert_int_equal(readable(&traces[i], first, end), 50);
    }
    for (uint32_t i = 0; i < 100; ++i) { /* of the second alone: in blocks, the last of which is not used up */
        trace_write(&traces[1], TRACE_ADMIT, i, i, 1, 0, 0);
    }
    trace_begin(&traces[1], 1000);
    trace_write(&traces[1], TRACE_ADMIT, 1001, 5, 1, 0, 0);
    trace_range(&traces[1], &first, &end);
    assert_int_equal(readable(&traces[1], first, end), 1);
    trace_free(&traces[0], &m);
    trace_free(&traces[1], &m);
}

typedef struct run {
    stream_fixture f;
    char path[SCRATCH_PATH_SIZE]; /* of the trace */
} run;

static void run_begin(run *r, uint32_t records)
{
    test_pack_desc pack = { .seed = 5, .asset_count = ASSETS, .size_min = 100, .size_max = 200000 };
    r->f.sim = leat_sim_preset("sata");
    leat_desc desc = { .backend = LEAT_BACKEND_SIM,
                       .stepped = true,
                       .sim = &r->f.sim,
                       .memory_bytes_max = MIB(32),
                       .trace_event_count = records };
    fixture_open(&r->f, &pack, &desc);
    snprintf(r->path, sizeof(r->path), "%s.json", r->f.path);
}

/* The same pack with the threads of an engine. */
static void run_begin_threads(run *r)
{
    test_pack_desc pack = { .seed = 5, .asset_count = ASSETS, .size_min = 100, .size_max = 200000 };
    fixture_open(&r->f, &pack, &(leat_desc){ .memory_bytes_max = MIB(32), .trace_event_count = 1u << 16 });
    snprintf(r->path, sizeof(r->path), "%s.json", r->f.path);
}

static void run_end(run *r)
{
    fixture_close(&r->f);
    unlink(r->path);
}

static void read_all_assets(run *r)
{
    for (uint32_t i = 0; i < ASSETS; ++i) {
        leat_read_desc read = { .asset = fixture_asset(&r->f, i),
                                .priority = i % 2 == 0 ? LEAT_URGENT : LEAT_PREFETCH };
        assert_int_equal(leat_read(r->f.s, &read, NULL), LEAT_OK);
    }
    for (uint32_t ended = 0; ended < ASSETS;) {
        leat_events events = leat_wait(r->f.s, UINT64_C(60) * 1000000000);
        assert_true(events.count > 0);
        for (uint32_t i = 0; i < events.count; ++i) {
            assert_int_equal(events.items[i].type, LEAT_EVENT_READY);
            leat_release(r->f.s, events.items[i].request);
        }
        ended += events.count;
    }
}

static char *contents(const char *path)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *text = calloc(size + 1, 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, size, file), size);
    fclose(file);
    return text;
}

static uint32_t count_in(const char *text, const char *wanted)
{
    uint32_t count = 0;
    for (const char *at = text; (at = strstr(at, wanted)) != NULL; at += strlen(wanted)) {
        ++count;
    }
    return count;
}

/* The text of a trace of them all, each of whose requests is looked for. */
static char *trace_of_all_assets(run *r)
{
    assert_int_equal(leat_trace_start(r->f.s), LEAT_OK);
    read_all_assets(r);
    assert_int_equal(leat_trace_stop(r->f.s, r->path, NULL), LEAT_OK);
    char *text = contents(r->path);
    assert_int_equal(count_in(text, "{\"ph\":\"b\",\"cat\":\"request\",\"name\":\"request\""), ASSETS);
    assert_int_equal(count_in(text, "{\"ph\":\"e\",\"cat\":\"request\",\"name\":\"request\""), ASSETS);
    const char *const phases[] = { "queued", "streaming", "ready" };
    for (uint32_t i = 0; i < 3; ++i) { /* each phase is closed as often as it is opened */
        char opens[80], closes[80];
        snprintf(opens, sizeof(opens), "{\"ph\":\"b\",\"cat\":\"request\",\"name\":\"%s\"", phases[i]);
        snprintf(closes, sizeof(closes), "{\"ph\":\"e\",\"cat\":\"request\",\"name\":\"%s\"", phases[i]);
        assert_int_equal(count_in(text, opens), ASSETS);
        assert_int_equal(count_in(text, closes), ASSETS);
    }
    leat_stats stats;
    leat_stats_get(r->f.s, &stats);
    assert_int_equal(count_in(text, "\"name\":\"decode\""), stats.chunks_decoded);
    assert_int_equal(count_in(text, "\"priority\":\"urgent\""), ASSETS / 2);
    assert_int_equal(count_in(text, "\"ended\":\"READY\""), ASSETS);
    assert_true(count_in(text, "\"asset\":\"") == ASSETS);
    assert_int_equal(count_in(text, "\"records_overwritten\":0"), 1);
    return text;
}

static void each_request_is_in_the_file(void **state)
{
    (void)state;
    run r;
    run_begin(&r, 1u << 16);
    char *text = trace_of_all_assets(&r);
    leat_stats stats;
    leat_stats_get(r.f.s, &stats);
    assert_int_equal(count_in(text, "{\"ph\":\"b\",\"cat\":\"read\""), stats.reads_issued);
    assert_int_equal(count_in(text, "{\"ph\":\"e\",\"cat\":\"read\""), stats.reads_completed);
    free(text);
    run_end(&r);
}

/* What several threads have recorded comes in the order of its times. */
static void each_request_of_threads_is_in_the_file(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 10; ++i) {
        run r;
        run_begin_threads(&r);
        free(trace_of_all_assets(&r));
        run_end(&r);
    }
}

/* Points of one moment stand behind each other. */
static void points_are_not_inside_each_other(void **state)
{
    (void)state;
    run r;
    run_begin(&r, 4096);
    assert_int_equal(leat_trace_start(r.f.s), LEAT_OK);
    leat_read_desc reads[ASSETS] = { 0 };
    for (uint32_t i = 0; i < ASSETS; ++i) {
        reads[i].asset = fixture_asset(&r.f, i);
    }
    assert_int_equal(leat_submit(r.f.s, reads, ASSETS, NULL, NULL), LEAT_OK);
    assert_int_equal(leat_trace_stop(r.f.s, r.path, NULL), LEAT_OK);
    char *text = contents(r.path);
    for (uint32_t i = 0; i < ASSETS; ++i) {
        char slice[100];
        snprintf(slice, sizeof(slice), "\"name\":\"submit\",\"pid\":1,\"tid\":1,\"ts\":0.%02u0,\"dur\":0.010}", i);
        assert_int_equal(count_in(text, slice), 1);
    }
    free(text);
    run_end(&r);
}

/* A new class is one step, with its deadline if it has one; also while the last chunk is on its way. */
static void orders_are_in_the_file(void **state)
{
    (void)state;
    run r;
    run_begin(&r, 4096);
    assert_int_equal(leat_trace_start(r.f.s), LEAT_OK);
    leat_read_desc read = { .asset = fixture_asset(&r.f, 0) };
    leat_request handle;
    assert_int_equal(leat_read(r.f.s, &read, &handle), LEAT_OK);
    assert_int_equal(leat_reprioritise(r.f.s, handle, LEAT_HIGH, NS_PER_S), LEAT_OK);
    leat_update(r.f.s, NULL);
    assert_int_equal(r.f.s->requests[handle.index].stage, STAGE_ISSUED);
    assert_int_equal(leat_reprioritise(r.f.s, handle, LEAT_URGENT, 0), LEAT_OK);
    leat_update(r.f.s, NULL);
    assert_int_equal(leat_trace_stop(r.f.s, r.path, NULL), LEAT_OK);
    char *text = contents(r.path);
    assert_int_equal(count_in(text, "\"name\":\"reprioritised\""), 2);
    assert_int_equal(count_in(text, "{\"priority\":\"high\",\"deadline_us\":1000000.000}"), 1);
    assert_int_equal(count_in(text, "{\"priority\":\"urgent\"}"), 1);
    free(text);
    run_end(&r);
}

static void what_began_before_is_left_out(void **state)
{
    (void)state;
    run r;
    run_begin(&r, 1024);
    for (uint32_t i = 0; i < 30; ++i) {
        assert_int_equal(leat_trace_start(r.f.s), LEAT_OK);
        read_all_assets(&r);
    }
    read_all_assets(&r);
    read_all_assets(&r);
    read_all_assets(&r);
    assert_int_equal(leat_trace_stop(r.f.s, r.path, NULL), LEAT_OK);
    char *text = contents(r.path);
    uint32_t begun = count_in(text, "{\"ph\":\"b\",\"cat\":\"request\",\"name\":\"request\"");
    assert_true(begun > 0);
    assert_int_equal(count_in(text, "{\"ph\":\"e\",\"cat\":\"request\",\"name\":\"request\""), begun);
    assert_int_equal(count_in(text, "\"records_overwritten\":0"), 0);
    free(text);
    run_end(&r);
}

/* Times are told to the nanosecond whatever the clock shows: a caller's may count from 1970. */
static void times_keep_their_nanoseconds(void **state)
{
    (void)state;
    const uint64_t begin_ns = UINT64_C(1700000000000000000);
    run r;
    run_begin(&r, 4096);
    leat_update(r.f.s, &(leat_tick){ .now_ns = begin_ns });
    assert_int_equal(leat_trace_start(r.f.s), LEAT_OK);
    leat_read_desc read = { .asset = fixture_asset(&r.f, 0) };
    leat_update(r.f.s, &(leat_tick){ .now_ns = begin_ns + 7 });
    assert_int_equal(leat_read(r.f.s, &read, NULL), LEAT_OK);
    assert_int_equal(leat_trace_stop(r.f.s, r.path, NULL), LEAT_OK);
    char *text = contents(r.path);
    assert_non_null(strstr(text, "\"name\":\"submit\",\"pid\":1,\"tid\":1,\"ts\":0.007"));
    free(text);
    run_end(&r);
}

/* A trace that is cut short is removed, but only a file: not what else a path may name. */
static void what_is_no_file_is_not_removed(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0) {
        print_message("no /dev/full here\n");
        skip();
    }
    run r;
    run_begin(&r, 4096);
    assert_int_equal(symlink("/dev/full", r.path), 0); /* in whose place the link would be removed */
    assert_int_equal(leat_trace_start(r.f.s), LEAT_OK);
    leat_error error = { 0 };
    assert_int_equal(leat_trace_stop(r.f.s, r.path, &error), LEAT_ERROR_OS);
    assert_int_equal(error.os_error, ENOSPC);
    assert_int_equal(access(r.path, F_OK), 0);
    run_end(&r);
}

static char logged[512];

static void keep_log(leat_log_level level, const char *text, void *user)
{
    (void)level;
    (void)user;
    snprintf(logged, sizeof(logged), "%s", text);
}

/* With the same calls and the same seed a stepped run is the same, and so is what its trace says: nothing in it is of
 * this machine's clock. */
static void a_stepped_trace_is_the_same_each_time(void **state)
{
    (void)state;
    char *traces[2];
    for (uint32_t i = 0; i < COUNT_OF(traces); ++i) {
        run r;
        run_begin(&r, 1u << 16);
        assert_int_equal(leat_trace_start(r.f.s), LEAT_OK);
        read_all_assets(&r);
        assert_int_equal(leat_trace_stop(r.f.s, r.path, NULL), LEAT_OK);
        traces[i] = contents(r.path);
        run_end(&r);
    }
    assert_true(count_in(traces[0], "\"decoded\"") >= ASSETS);
    assert_int_equal(strcmp(traces[0], traces[1]), 0); /* too long to be printed */
    free(traces[0]);
    free(traces[1]);
}

static void refusals(void **state)
{
    (void)state;
    run r;
    run_begin(&r, 0);
    assert_int_equal(leat_trace_start(r.f.s), LEAT_ERROR_UNSUPPORTED);
    leat_error error = { 0 };
    assert_int_equal(leat_trace_stop(r.f.s, r.path, &error), LEAT_ERROR_ARGUMENT);
    assert_non_null(strstr(error.text, "trace_event_count"));
    run_end(&r);
    run_begin(&r, 4096);
    assert_int_equal(leat_trace_start(r.f.s), LEAT_OK);
    assert_int_equal(leat_trace_stop(r.f.s, "/nowhere/trace.json", &error), LEAT_ERROR_OS);
    assert_non_null(strstr(error.text, "/nowhere/trace.json"));
    r.f.s->log.log = keep_log;
    assert_int_equal(leat_trace_stop(r.f.s, r.path, NULL), LEAT_ERROR_ARGUMENT); /* is over; who takes no words */
    assert_non_null(strstr(logged, "tracing is not on")); /* gets them in the log */
    assert_int_equal(leat_trace_start(r.f.s), LEAT_OK);
    assert_int_equal(leat_trace_stop(r.f.s, NULL, NULL), LEAT_OK);
    run_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ring_keeps_the_last),
        cmocka_unit_test(a_mixture_is_no_record),
        cmocka_unit_test(writers_do_not_mix),
        cmocka_unit_test(old_tickets_are_not_used),
        cmocka_unit_test(each_trace_has_its_own_tickets),
        cmocka_unit_test(each_request_is_in_the_file),
        cmocka_unit_test(each_request_of_threads_is_in_the_file),
        cmocka_unit_test(points_are_not_inside_each_other),
        cmocka_unit_test(orders_are_in_the_file),
        cmocka_unit_test(what_began_before_is_left_out),
        cmocka_unit_test(times_keep_their_nanoseconds),
        cmocka_unit_test(what_is_no_file_is_not_removed),
        cmocka_unit_test(a_stepped_trace_is_the_same_each_time),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
