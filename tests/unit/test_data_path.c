/* Shows which way bytes take from the file to their destination, by the streamer's own counts: what the page cache
 * holds is fetched by the workers, through no pool and no window; what it turns out not to hold is read from the device
 * after all; stored chunks that are aligned are copied by nobody. Left out, aloud, where this file system or kernel has
 * no page cache that can be asked and emptied. */
#include "stream_fixture.h"

#include "file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WAIT_NS (UINT64_C(20) * 1000000000) /* a limit for broken builds, not a measure */
#define CHUNK_SIZE (64u << 10)

static void setup(stream_fixture *f, const test_pack_desc *pack, leat_desc desc)
{
    desc.worker_count = 2;
    desc.memory_bytes_max = MIB(64);
    fixture_open(f, pack, &desc);
}

/* Empties the page cache of the pack, or fills it. False if that cannot be done (or seen) here. */
static bool set_cached(const stream_fixture *f, bool cached)
{
    disk_file file;
    assert_int_equal(file_open(f->path, false, NULL, &file, NULL), LEAT_OK);
    fdatasync(file.fd_buffered);
    if (cached) {
        uint8_t *bytes = malloc(file.size);
        assert_int_equal(pread(file.fd_buffered, bytes, file.size, 0), file.size);
        free(bytes);
    } else {
        posix_fadvise(file.fd_buffered, 0, 0, POSIX_FADV_DONTNEED);
    }
    uint8_t one;
    int64_t there = file_cached_bytes(&file, 0, file.size);
    bool done =
        cached ? there == (int64_t)file.size && file_read_cached(&file, 0, &(struct iovec){ &one, 1 }, 1) : there == 0;
    file_close(&file);
    if (!done) {
        fprintf(stderr, "skipped: the page cache cannot be %s here, or not be asked\n", cached ? "filled" : "emptied");
    }
    return done;
}

static uint64_t cached_bytes(const stream_fixture *f)
{
    disk_file file;
    assert_int_equal(file_open(f->path, false, NULL, &file, NULL), LEAT_OK);
    int64_t there = file_cached_bytes(&file, 0, file.size);
    file_close(&file);
    return there > 0 ? (uint64_t)there : 0;
}

/* Reads assets [first, end) into memory of Leat's, and checks every byte. */
static void read_assets(const stream_fixture *f, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; ++i) {
        leat_read_desc read = { .asset = fixture_asset(f, i), .user = i };
        assert_int_equal(leat_read(f->s, &read, NULL), LEAT_OK);
    }
    for (uint32_t ended = first; ended < end;) {
        leat_events events = leat_wait(f->s, WAIT_NS);
        assert_int_not_equal(events.count, 0);
        for (uint32_t i = 0; i < events.count; ++i, ++ended) {
            const leat_event *e = &events.items[i];
            const leat_pack_asset_record *asset = &f->pack.assets[e->user];
            assert_int_equal(e->type, LEAT_EVENT_READY);
            assert_int_equal(e->size, asset->raw_size);
            assert_memory_equal(e->data, fixture_raw(f, (uint32_t)e->user), e->size);
            assert_int_equal(leat_release(f->s, e->request), LEAT_OK);
        }
    }
}

static const test_pack_desc ordinary = {
    .seed = 3, .asset_count = 200, .size_min = 1000, .size_max = 200000, .stored_every = 5
};

/* Workers post the events; the reads are counted when the I/O thread has them back, which on a busy machine may be
 * later for each of them. */
#define BACK_WAITS_MAX 20000u /* of a millisecond: a limit for broken builds, not a measure */
static leat_stats stats_when_reads_are_back(const stream_fixture *f)
{
    leat_stats stats;
    leat_stats_get(f->s, &stats);
    for (uint32_t i = 0; i < BACK_WAITS_MAX && stats.reads_completed + stats.reads_retried < stats.reads_issued; ++i) {
        assert_int_equal(leat_wait(f->s, NS_PER_MS).count, 0);
        leat_stats_get(f->s, &stats);
    }
    return stats;
}

/* The kernel may need the memory, and take some of the pack out of its cache meanwhile: then once more. */
#define EVICTED_ROUNDS_MAX 20u
static void cached_chunks_are_fetched_by_workers(leat_backend backend)
{
    bool evicted = true;
    for (uint32_t round = 0; round < EVICTED_ROUNDS_MAX && evicted; ++round) {
        stream_fixture f;
        setup(&f, &ordinary, (leat_desc){ .backend = backend });
        evicted = false;
        if (set_cached(&f, true)) {
            read_assets(&f, 0, f.pack.asset_count);
            leat_stats stats = stats_when_reads_are_back(&f);
            evicted = cached_bytes(&f) < f.pack.size;
            if (!evicted) {
                assert_in_range(stats.reads_cached, 1, stats.reads_issued);
                assert_int_equal(stats.reads_retried, 0);
                assert_int_equal(stats.bytes_in_flight, 0);
                assert_int_equal(stats.pool_bytes_used, 0);
                assert_true(stats.decode_bytes_per_second > 0);
            }
        }
        fixture_close(&f);
    }
    if (evicted) {
        fprintf(stderr, "skipped: the page cache keeps nothing here\n");
    }
}

/* What is learnt in the first half, that this file is cached, is wrong in the second. Now and then the kernel is asked
 * again just there, and nothing is tried in vain: then once more. */
#define WRONG_GUESS_ROUNDS_MAX 50u
static void what_has_left_the_cache_is_read_after_all(leat_backend backend)
{
    stream_fixture f;
    setup(&f, &ordinary, (leat_desc){ .backend = backend });
    leat_stats stats = { 0 };
    bool possible = true;
    for (uint32_t round = 0; round < WRONG_GUESS_ROUNDS_MAX && possible && stats.reads_retried == 0; ++round) {
        possible = set_cached(&f, true);
        read_assets(&f, 0, f.pack.asset_count / 2);
        possible = possible && set_cached(&f, false);
        read_assets(&f, f.pack.asset_count / 2, f.pack.asset_count);
        leat_stats_get(f.s, &stats);
    }
    if (possible) {
        assert_in_range(stats.reads_cached, 1, stats.reads_issued - 1);
        assert_true(stats.reads_retried > 0);
    }
    fixture_close(&f);
}

/* Whole assets of stored chunks into aligned memory of the caller's, past the page cache and through it. */
static void aligned_stored_chunks_are_not_copied(leat_backend backend, bool cached)
{
    static const test_pack_desc stored = {
        .seed = 4, .asset_count = 1, .size_min = 8 * CHUNK_SIZE, .size_max = 8 * CHUNK_SIZE, .stored_every = 1
    };
    stream_fixture f;
    setup(&f, &stored, (leat_desc){ .backend = backend, .direct = cached ? LEAT_DEFAULT : LEAT_ON });
    if (set_cached(&f, cached)) {
        uint64_t size = f.pack.assets[0].raw_size;
        uint8_t *block = aligned_alloc(LEAT_PACK_ALIGNMENT, align_up(size, LEAT_PACK_ALIGNMENT));
        leat_stats stats;
        for (uint32_t shift = 0; shift < 2; ++shift) { /* aligned first, then not */
            leat_read_desc read = { .asset = fixture_asset(&f, 0),
                                    .memory = block + shift,
                                    .memory_size = size - shift,
                                    .bind = LEAT_BIND_CALLER,
                                    .part = { .kind = LEAT_PART_BYTES, .size = size - shift } };
            assert_int_equal(leat_read(f.s, &read, NULL), LEAT_OK);
            leat_events events = leat_wait(f.s, WAIT_NS);
            assert_int_equal(events.count, 1);
            assert_int_equal(events.items[0].type, LEAT_EVENT_READY);
            assert_memory_equal(block + shift, fixture_raw(&f, 0), size - shift);
            leat_stats_get(f.s, &stats);
            if (shift == 0) {
                assert_int_equal(stats.bytes_copied, 0);
            }
        }
        if (!cached) {
            assert_int_equal(stats.bytes_copied, size - 1); /* through the pool: the one copy that is inevitable */
        }
        free(block);
    }
    fixture_close(&f);
}

/* Stored chunks behind a beginning that is no multiple of the device's alignment, as the levels of a texture lie:
 * memory of Leat's begins so that they are in their place all the same; unless that place would not be a multiple
 * of 16. */
static void lent_memory_is_laid_for_stored_chunks(leat_backend backend)
{
    static const test_pack_desc stored = {
        .seed = 4, .asset_count = 1, .size_min = 8 * CHUNK_SIZE, .size_max = 8 * CHUNK_SIZE, .stored_every = 1
    };
    stream_fixture f;
    setup(&f, &stored, (leat_desc){ .backend = backend, .direct = LEAT_ON });
    uint64_t before = 0, size = f.pack.assets[0].raw_size;
    static const uint32_t heads[] = { 4080, 16, 1 };
    for (uint32_t i = 0; i < COUNT_OF(heads) && set_cached(&f, false); ++i) {
        uint64_t begin = CHUNK_SIZE - heads[i];
        leat_read_desc read = { .asset = fixture_asset(&f, 0),
                                .part = { .kind = LEAT_PART_BYTES, .offset = begin, .size = size - begin } };
        assert_int_equal(leat_read(f.s, &read, NULL), LEAT_OK);
        leat_events events = leat_wait(f.s, WAIT_NS);
        assert_int_equal(events.count, 1);
        const leat_event *e = &events.items[0];
        assert_int_equal(e->type, LEAT_EVENT_READY);
        assert_int_equal((uintptr_t)e->data % 16, 0);
        assert_memory_equal(e->data, fixture_raw(&f, 0) + begin, size - begin);
        leat_stats stats;
        leat_stats_get(f.s, &stats);
        assert_int_equal(stats.bytes_copied - before, heads[i] % 16 == 0 ? heads[i] : size - begin);
        before = stats.bytes_copied;
        assert_int_equal(leat_release(f.s, e->request), LEAT_OK);
        leat_update(f.s, NULL);
    }
    fixture_close(&f);
}

static void data_path_over_threads(void **state)
{
    (void)state;
    cached_chunks_are_fetched_by_workers(LEAT_BACKEND_THREADS);
    what_has_left_the_cache_is_read_after_all(LEAT_BACKEND_THREADS);
    aligned_stored_chunks_are_not_copied(LEAT_BACKEND_THREADS, false);
    aligned_stored_chunks_are_not_copied(LEAT_BACKEND_THREADS, true);
    lent_memory_is_laid_for_stored_chunks(LEAT_BACKEND_THREADS);
}

static void data_path_over_io_uring(void **state)
{
    (void)state;
    leat_streamer *probe;
    if (leat_create(&(leat_desc){ .backend = LEAT_BACKEND_URING, .memory_bytes_max = MIB(64) }, &probe) != LEAT_OK) {
        fprintf(stderr, "skipped: io_uring cannot be had here\n");
        skip();
    }
    leat_destroy(probe);
    cached_chunks_are_fetched_by_workers(LEAT_BACKEND_URING);
    what_has_left_the_cache_is_read_after_all(LEAT_BACKEND_URING);
    aligned_stored_chunks_are_not_copied(LEAT_BACKEND_URING, false);
    aligned_stored_chunks_are_not_copied(LEAT_BACKEND_URING, true);
    lent_memory_is_laid_for_stored_chunks(LEAT_BACKEND_URING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_path_over_threads),
        cmocka_unit_test(data_path_over_io_uring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
