/* Shows that a pack's content can be replaced under load, over each backend: each request ends once, with the bytes of
 * one version and not of two; what differs is announced, and nothing else; handles stay with their names; a bad file
 * leaves the old content in place; and the versions that are kept alive are bounded. */
#include "unit.h"

#include "test_pack.h"

#include <leat/leat.h>
#include <leat/sim.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WAIT_NS (UINT64_C(20) * 1000000000) /* a limit for broken builds, not a measure */
#define SWAP_COUNT 1000u
#define REQUEST_COUNT_MAX 100000u
#define LIVE_MAX 200u

enum { OLD, NEW, VERSION_COUNT };

typedef struct fixture {
    leat_backend backend;
    test_pack packs[VERSION_COUNT];
    char paths[VERSION_COUNT][SCRATCH_SIZE];
    leat_streamer *s;
    leat_pack handle;
    struct leat_sim_desc sim;
    /* the test under load */
    _Atomic bool done;
    _Atomic uint32_t submitted, ended;
    uint32_t swaps, swaps_full;
    uint8_t *seen;
} fixture;

static void quiet(leat_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

static leat_desc desc_of(fixture *f)
{
    leat_desc desc = { .backend = f->backend,
                       .worker_count = 2,
                       .memory_bytes_max = MIB(32),
                       .pool_bytes = MIB(4),
                       .lent_bytes = MIB(8),
                       .pack_count_max = 2,
                       .logger = { .log = quiet } };
    if (f->backend == LEAT_BACKEND_SIM) {
        f->sim = (struct leat_sim_desc){ .seed = 42 };
        desc.sim = &f->sim;
        desc.stepped = true;
    }
    return desc;
}

#define COUNT_OLD 60u
#define COUNT_NEW 70u
#define CHANGED_EVERY 3u

static void setup(fixture *f)
{
    const test_pack_desc descs[VERSION_COUNT] = {
        { .seed = 5, .asset_count = COUNT_OLD, .size_min = 1, .size_max = 60000, .chunk_raw_size = 16384 },
        { .seed = 5,
          .asset_count = COUNT_NEW,
          .size_min = 1,
          .size_max = 60000,
          .chunk_raw_size = 16384,
          .variant = 9,
          .variant_every = CHANGED_EVERY },
    };
    for (int i = 0; i < VERSION_COUNT; ++i) {
        test_pack_make(&descs[i], &f->packs[i]);
        test_pack_write(&f->packs[i], f->paths[i]);
    }
    leat_desc desc = desc_of(f);
    assert_int_equal(leat_create(&desc, &f->s), LEAT_OK);
    assert_int_equal(leat_pack_open(f->s, f->paths[OLD], NULL, &f->handle), LEAT_OK);
}

static void teardown(fixture *f)
{
    leat_destroy(f->s);
    for (int i = 0; i < VERSION_COUNT; ++i) {
        unlink(f->paths[i]);
        test_pack_free(&f->packs[i]);
    }
}

static uint64_t name_of(uint32_t number)
{
    char name[32];
    snprintf(name, sizeof(name), "folder%u/asset_%u", number % 7, number);
    return leat_name_hash(name, strlen(name));
}

static const leat_pack_asset_record *record_of(const test_pack *pack, uint32_t number)
{
    for (uint32_t i = 0; i < pack->asset_count; ++i) {
        if (pack->assets[i].name_hash == name_of(number)) {
            return &pack->assets[i];
        }
    }
    return NULL;
}

static bool bytes_are(const test_pack *pack, uint32_t number, const leat_event *e)
{
    const leat_pack_asset_record *record = record_of(pack, number);
    return record != NULL && e->size == record->raw_size &&
           memcmp(e->data, pack->raw + record->raw_offset, e->size) == 0;
}

static leat_asset find(const fixture *f, uint32_t number)
{
    return leat_asset_find_in(f->s, f->handle, name_of(number));
}

static void read_is(fixture *f, leat_asset asset, const test_pack *pack, uint32_t number)
{
    assert_int_equal(leat_read(f->s, &(leat_read_desc){ .asset = asset }, NULL), LEAT_OK);
    leat_events events = leat_wait(f->s, WAIT_NS);
    assert_int_equal(events.count, 1);
    assert_int_equal(events.items[0].type, LEAT_EVENT_READY);
    assert_true(bytes_are(pack, number, &events.items[0]));
    leat_release(f->s, events.items[0].request);
}

/* Takes RELOADED events until none come any more; counts them by change. */
static void take_changes(fixture *f, uint32_t counts[4])
{
    memset(counts, 0, 4 * sizeof(*counts));
    for (;;) {
        leat_events events = leat_update(f->s, &(leat_tick){ .event_count_max = 7 }); /* in small portions */
        if (events.count == 0) {
            return;
        }
        for (uint32_t i = 0; i < events.count; ++i) {
            assert_int_equal(events.items[i].type, LEAT_EVENT_RELOADED);
            assert_in_range(events.items[i].change, LEAT_CHANGE_CHANGED, LEAT_CHANGE_REMOVED);
            ++counts[events.items[i].change];
        }
    }
}

static void only_what_differs_is_announced(void **state)
{
    fixture *f = *state;
    setup(f);
    leat_asset handles[COUNT_NEW];
    for (uint32_t i = 0; i < COUNT_OLD; ++i) {
        handles[i] = find(f, i);
    }
    assert_int_equal(leat_pack_swap(f->s, f->handle, f->paths[NEW], NULL), LEAT_OK);
    uint32_t counts[4];
    take_changes(f, counts);
    assert_int_equal(counts[LEAT_CHANGE_CHANGED], COUNT_OLD / CHANGED_EVERY);
    assert_int_equal(counts[LEAT_CHANGE_ADDED], COUNT_NEW - COUNT_OLD);
    assert_int_equal(counts[LEAT_CHANGE_REMOVED], 0);
    for (uint32_t i = 0; i < COUNT_OLD; ++i) { /* handles stay with their names, wherever those moved */
        leat_asset now = find(f, i);
        assert_int_equal(now.index, handles[i].index);
        read_is(f, handles[i], &f->packs[NEW], i);
    }
    for (uint32_t i = COUNT_OLD; i < COUNT_NEW; ++i) {
        handles[i] = find(f, i);
        read_is(f, handles[i], &f->packs[NEW], i);
    }
    leat_pack_info info;
    assert_int_equal(leat_pack_info_get(f->s, f->handle, &info), LEAT_OK);
    assert_int_equal(info.asset_count, COUNT_NEW);
    for (uint32_t i = 0; i < COUNT_NEW; ++i) { /* every position has a handle that comes back to it */
        leat_asset_info at;
        assert_int_equal(leat_asset_info_get(f->s, leat_asset_at(f->s, f->handle, i), &at), LEAT_OK);
        assert_int_equal(at.name_hash, f->packs[NEW].assets[i].name_hash);
    }

    /* And back: what vanishes keeps its handle, which says so, and finds it again. */
    assert_int_equal(leat_pack_swap(f->s, f->handle, f->paths[OLD], NULL), LEAT_OK);
    take_changes(f, counts);
    assert_int_equal(counts[LEAT_CHANGE_CHANGED], COUNT_OLD / CHANGED_EVERY);
    assert_int_equal(counts[LEAT_CHANGE_ADDED], 0);
    assert_int_equal(counts[LEAT_CHANGE_REMOVED], COUNT_NEW - COUNT_OLD);
    leat_asset_info gone;
    assert_int_equal(leat_asset_info_get(f->s, handles[COUNT_OLD], &gone), LEAT_ERROR_NOT_FOUND);
    assert_int_equal(leat_read(f->s, &(leat_read_desc){ .asset = handles[COUNT_OLD] }, NULL), LEAT_ERROR_NOT_FOUND);
    read_is(f, handles[3], &f->packs[OLD], 3);
    assert_int_equal(leat_pack_swap(f->s, f->handle, f->paths[NEW], NULL), LEAT_OK);
    take_changes(f, counts);
    assert_int_equal(counts[LEAT_CHANGE_ADDED], COUNT_NEW - COUNT_OLD);
    read_is(f, handles[COUNT_OLD], &f->packs[NEW], COUNT_OLD);

    /* The same again: nothing to tell. */
    assert_int_equal(leat_pack_swap(f->s, f->handle, NULL, NULL), LEAT_OK);
    take_changes(f, counts);
    assert_int_equal(counts[1] + counts[2] + counts[3], 0);
    teardown(f);
}

static void removal_is_told_by_name(void **state)
{
    fixture *f = *state;
    setup(f);
    assert_int_equal(leat_pack_swap(f->s, f->handle, f->paths[NEW], NULL), LEAT_OK);
    uint32_t counts[4];
    take_changes(f, counts);
    assert_int_equal(leat_pack_swap(f->s, f->handle, f->paths[OLD], NULL), LEAT_OK);
    uint32_t removed = 0;
    leat_events events = leat_update(f->s, NULL);
    for (uint32_t i = 0; i < events.count; ++i) {
        char text[512];
        leat_event_text(f->s, &events.items[i], text, sizeof(text));
        assert_non_null(strstr(text, "/asset_"));
        removed += strstr(text, ": removed") != NULL;
    }
    assert_int_equal(removed, COUNT_NEW - COUNT_OLD);
    teardown(f);
}

static void a_bad_file_is_refused(void **state)
{
    fixture *f = *state;
    setup(f);
    char bad[SCRATCH_PATH_SIZE];
    snprintf(bad, sizeof(bad), "%s.bad", f->paths[NEW]);
    FILE *file = fopen(bad, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(f->packs[NEW].bytes, 1, f->packs[NEW].size - 100, file), f->packs[NEW].size - 100);
    assert_int_equal(fclose(file), 0);
    leat_error error = { 0 };
    assert_int_equal(leat_pack_swap(f->s, f->handle, bad, &error), LEAT_ERROR_TRUNCATED);
    assert_non_null(strstr(error.text, bad));
    unlink(bad);
    assert_int_equal(leat_pack_swap(f->s, f->handle, bad, &error), LEAT_ERROR_NOT_FOUND);
    assert_int_equal(leat_update(f->s, NULL).count, 0);
    read_is(f, find(f, 6), &f->packs[OLD], 6);
    leat_pack none = { .index = f->handle.index, .generation = f->handle.generation + 1 };
    assert_int_equal(leat_pack_swap(f->s, none, f->paths[NEW], &error), LEAT_ERROR_STALE);
    teardown(f);
}

/* Without updates, versions cannot be let go: the bound answers, and updates make room again. */
static void versions_are_bounded(void **state)
{
    fixture *f = *state;
    setup(f);
    uint32_t done = 0;
    while (done < 100 && leat_pack_swap(f->s, f->handle, f->paths[(done + 1) % 2], NULL) == LEAT_OK) {
        ++done;
    }
    assert_in_range(done, 16, 99);
    leat_error error;
    assert_int_equal(leat_pack_swap(f->s, f->handle, f->paths[OLD], &error), LEAT_ERROR_FULL);
    uint32_t counts[4];
    take_changes(f, counts);
    leat_result result = LEAT_ERROR_FULL;
    for (uint32_t i = 0; i < WAIT_NS / NS_PER_MS && result == LEAT_ERROR_FULL; ++i) { /* the I/O thread frees them */
        result = leat_pack_swap(f->s, f->handle, f->paths[OLD], &error);
        leat_wait(f->s, NS_PER_MS);
    }
    assert_int_equal(result, LEAT_OK);
    teardown(f);
}

/* ---- Under load ---- */

static void *submit_all_the_time(void *argument)
{
    fixture *f = argument;
    uint64_t random = 77;
    while (!atomic_load(&f->done) && atomic_load(&f->submitted) < REQUEST_COUNT_MAX) {
        if (atomic_load(&f->submitted) - atomic_load(&f->ended) >= LIVE_MAX) {
            sched_yield();
            continue;
        }
        uint32_t number = (uint32_t)unit_below(&random, COUNT_OLD);
        uint32_t serial = atomic_load(&f->submitted);
        leat_result result = leat_read(f->s,
                                       &(leat_read_desc){ .asset = find(f, number),
                                                          .priority = (leat_priority)unit_below(&random, 4),
                                                          .user = (uint64_t)number << 32 | serial },
                                       NULL);
        assert_true(result == LEAT_OK || result == LEAT_ERROR_FULL);
        if (result == LEAT_OK) {
            atomic_fetch_add(&f->submitted, 1);
        }
    }
    return NULL;
}

static void *swap_all_the_time(void *argument)
{
    fixture *f = argument;
    while (f->swaps < SWAP_COUNT) {
        leat_result result = leat_pack_swap(f->s, f->handle, f->paths[(f->swaps + 1) % VERSION_COUNT], NULL);
        if (result == LEAT_ERROR_FULL) {
            ++f->swaps_full;
            sched_yield();
            continue;
        }
        assert_int_equal(result, LEAT_OK);
        ++f->swaps;
    }
    atomic_store(&f->done, true);
    return NULL;
}

static void take_event(fixture *f, const leat_event *e, uint32_t *reloaded)
{
    if (e->type == LEAT_EVENT_RELOADED) {
        ++*reloaded;
        return;
    }
    uint32_t number = (uint32_t)(e->user >> 32), serial = (uint32_t)e->user;
    assert_int_equal(e->type, LEAT_EVENT_READY);
    assert_int_equal(f->seen[serial], 0);
    f->seen[serial] = 1;
    assert_true(bytes_are(&f->packs[OLD], number, e) || bytes_are(&f->packs[NEW], number, e));
    assert_int_equal(leat_release(f->s, e->request), LEAT_OK);
    atomic_fetch_add(&f->ended, 1);
}

static void a_thousand_swaps_lose_nothing(void **state)
{
    fixture *f = *state;
    setup(f);
    f->seen = calloc(REQUEST_COUNT_MAX, 1);
    atomic_store(&f->done, false);
    atomic_store(&f->submitted, 0);
    atomic_store(&f->ended, 0);
    f->swaps = f->swaps_full = 0;
    pthread_t submitter, swapper;
    assert_int_equal(pthread_create(&submitter, NULL, submit_all_the_time, f), 0);
    assert_int_equal(pthread_create(&swapper, NULL, swap_all_the_time, f), 0);
    uint32_t reloaded = 0;
    bool over = false;
    while (!over) {
        over = atomic_load(&f->done); /* before the last look */
        leat_events events = leat_wait(f->s, NS_PER_MS);
        for (uint32_t i = 0; i < events.count; ++i) {
            take_event(f, &events.items[i], &reloaded);
        }
    }
    pthread_join(submitter, NULL);
    pthread_join(swapper, NULL);
    uint32_t submitted = atomic_load(&f->submitted);
    uint32_t each = COUNT_OLD / CHANGED_EVERY + COUNT_NEW - COUNT_OLD;
    while (atomic_load(&f->ended) < submitted || reloaded < SWAP_COUNT * each) {
        leat_events events = leat_wait(f->s, WAIT_NS);
        assert_true(events.count > 0);
        for (uint32_t i = 0; i < events.count; ++i) {
            take_event(f, &events.items[i], &reloaded);
        }
    }
    assert_int_equal(reloaded, SWAP_COUNT * each);
    leat_stats stats;
    leat_stats_get(f->s, &stats);
    assert_int_equal(stats.requests_submitted, submitted);
    assert_int_equal(stats.requests_ready, submitted);
    assert_int_equal(stats.chunks_damaged, 0);
    fprintf(stderr, "%u swaps (%u waited for room), %u requests, each ended once\n", f->swaps, f->swaps_full,
            submitted);
    free(f->seen);
    teardown(f);
}

/* Closing ends what is queued on versions that were replaced as well. */
static void closing_reaches_every_version(void **state)
{
    fixture *f = *state;
    setup(f);
    enum { EACH = 50 };
    uint32_t submitted = 0, ended = 0;
    for (uint32_t version = 0; version < 4; ++version) {
        for (uint32_t i = 0; i < EACH; ++i, ++submitted) {
            assert_int_equal(leat_read(f->s, &(leat_read_desc){ .asset = find(f, i) }, NULL), LEAT_OK);
        }
        assert_int_equal(leat_pack_swap(f->s, f->handle, f->paths[(version + 1) % 2], NULL), LEAT_OK);
    }
    leat_asset stale = find(f, 1);
    assert_int_equal(leat_pack_close(f->s, f->handle), LEAT_OK);
    while (ended < submitted) {
        leat_events events = leat_wait(f->s, WAIT_NS);
        assert_true(events.count > 0);
        for (uint32_t i = 0; i < events.count; ++i) {
            assert_int_not_equal(events.items[i].type, LEAT_EVENT_RELOADED); /* of a pack that is closed: no news */
            assert_int_not_equal(events.items[i].type, LEAT_EVENT_FAILED);
            leat_release(f->s, events.items[i].request);
            ++ended;
        }
    }
    leat_asset_info info;
    assert_int_equal(leat_asset_info_get(f->s, stale, &info), LEAT_ERROR_STALE);
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
        cmocka_unit_test_prestate(only_what_differs_is_announced, &f),
        cmocka_unit_test_prestate(removal_is_told_by_name, &f),
        cmocka_unit_test_prestate(a_bad_file_is_refused, &f),
        cmocka_unit_test_prestate(versions_are_bounded, &f),
        cmocka_unit_test_prestate(a_thousand_swaps_lose_nothing, &f),
        cmocka_unit_test_prestate(closing_reaches_every_version, &f),
    };
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    int failed = run(LEAT_BACKEND_THREADS, "swaps over threads");
    failed += run(LEAT_BACKEND_URING, "swaps over io_uring");
    failed += run(LEAT_BACKEND_SIM, "swaps over the simulated device");
    return failed;
}
