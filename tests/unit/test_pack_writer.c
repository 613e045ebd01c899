/* test_pack_writer.c - what is given to the pack writer comes back from the reader, laid out as FORMAT.md says.
 *
 * Seeded assets of all sizes around the limits at which they are cut; read back through pack_file.c, which checks the
 * index first. Besides: the layout's promises, content that is stored once, names that cannot be, and that a pack that
 * is not finished leaves what was there. */
#include "unit.h"

#include "jobs.h"
#include "pack_file.h"
#include "pack_writer.h"
#include "scratch.h"

#include <dirent.h>
#include <lz4.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LEVEL 3
#define ASSETS 120u

typedef struct place {
    char folder[SCRATCH_SIZE];
    char path[SCRATCH_PATH_SIZE];
} place;

static int place_make(void **state)
{
    place *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return -1;
    }
    scratch_folder_make("leat-writer", p->folder);
    snprintf(p->path, sizeof(p->path), "%s/out.leat", p->folder);
    *state = p;
    return 0;
}

static int place_free(void **state)
{
    place *p = *state;
    unlink(p->path);
    int result = rmdir(p->folder); /* fails if anything else is left there */
    free(p);
    return result;
}

/* Bytes that pack (runs) or do not (noise). */
static uint8_t *bytes_make(uint64_t seed, uint64_t size, bool noise)
{
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    assert_non_null(bytes);
    for (uint64_t i = 0; i < size; ++i) {
        bytes[i] = (uint8_t)(noise || i % 64 == 0 ? unit_random(&seed) : bytes[i - 1]);
    }
    return bytes;
}

static packed_asset asset_make(const char *name, uint8_t *raw, uint64_t size)
{
    import_asset asset = { .name = strdup(name), .type = LEAT_ASSET_BLOB, .raw = raw, .raw_size = size };
    packed_asset packed;
    assert_true(packed_asset_make(&asset, LEVEL, &packed));
    return packed;
}

static uint64_t size_of(uint32_t i)
{
    static const uint64_t sizes[] = { 0,     1,     15,     16,     17,     4096,   65535,
                                      65536, 65537, 262143, 262144, 262145, 524288, 700001 };
    uint64_t seed = i;
    return i < COUNT_OF(sizes) ? sizes[i] : unit_below(&seed, i % 3 == 0 ? 500000 : 40000) + 1;
}

static void write_all(const char *path, pack_writer_stats *stats)
{
    leat_error error = { 0 };
    pack_writer *w = pack_writer_open(path, LEVEL, NULL, &error);
    assert_non_null(w);
    for (uint32_t i = 0; i < ASSETS; ++i) {
        char name[32];
        snprintf(name, sizeof(name), "folder/asset-%u", i);
        packed_asset packed = asset_make(name, bytes_make(i, size_of(i), i % 2 == 0), size_of(i));
        assert_int_equal(pack_writer_add(w, &packed, &error), LEAT_OK);
    }
    assert_int_equal(pack_writer_finish(w, stats, &error), LEAT_OK);
    pack_writer_abandon(w);
}

static void what_goes_in_comes_out(void **state)
{
    const place *p = *state;
    pack_writer_stats stats;
    pack_file file;
    pack_file_room room = { 0 };
    leat_error error = { 0 };
    write_all(p->path, &stats);
    assert_int_equal(pack_file_open(p->path, &file, &error), LEAT_OK);
    assert_int_equal(file.index.asset_count, ASSETS);
    for (uint32_t i = 0; i < ASSETS; ++i) {
        char name[32];
        snprintf(name, sizeof(name), "folder/asset-%u", i);
        uint32_t at = pack_index_find(&file.index, leat_name_hash(name, strlen(name)));
        assert_int_not_equal(at, UINT32_MAX);
        assert_int_equal(file.index.assets[at].raw_size, size_of(i));
        uint8_t *expected = bytes_make(i, size_of(i), i % 2 == 0);
        uint8_t *got = pack_file_asset(&file, &file.index.assets[at], &room, &error);
        assert_non_null(got);
        assert_memory_equal(got, expected, size_of(i));
        free(got);
        free(expected);
    }
    pack_file_room_free(&room);
    pack_file_close(&file);
}

static void chunks_are_cut_and_aligned_as_promised(void **state)
{
    const place *p = *state;
    pack_writer_stats stats;
    pack_file file;
    write_all(p->path, &stats);
    assert_int_equal(pack_file_open(p->path, &file, NULL), LEAT_OK);
    uint64_t packed = 0;
    for (uint32_t i = 0; i < file.index.chunk_count; ++i) {
        const leat_pack_chunk_record *k = &file.index.chunks[i];
        packed += k->packed_size;
        assert_true(k->raw_size <= LEAT_PACK_CHUNK_RAW_DEFAULT);
        assert_true(k->packed_size < LEAT_PACK_ALIGN_FROM || k->file_offset % LEAT_PACK_ALIGNMENT == 0);
    }
    for (uint32_t i = 0; i < file.index.asset_count; ++i) {
        const leat_pack_asset_record *a = &file.index.assets[i];
        const leat_pack_chunk_record *k = &file.index.chunks[a->chunk_first];
        /* a small asset is in one chunk; a large one begins its own */
        assert_true(a->raw_size == 0 ||
                    (a->raw_size < PACK_TAIL_RAW_MAX ? a->raw_offset + a->raw_size <= k->raw_offset + k->raw_size
                                                     : a->raw_offset == k->raw_offset));
    }
    uint64_t padding = file.header.index_offset - file.header.header_size - packed;
    assert_int_equal(padding, stats.padding_size);
    assert_true(padding * 50 < file.file_size);
    pack_file_close(&file);
}

/* Levels of 1, 4, 16 ... KiB: what fits 64 KiB is one chunk, every larger level begins one. */
static void levels_begin_chunks(void **state)
{
    (void)state;
    uint64_t cuts[] = { 1024, 5120, 21504, 87040, 349184 };
    uint64_t size = 349184 + 1048576;
    import_asset asset = { .name = strdup("levels"), .raw = bytes_make(3, size, false), .raw_size = size };
    asset.cuts = malloc(sizeof(cuts));
    memcpy(asset.cuts, cuts, sizeof(cuts));
    asset.cut_count = COUNT_OF(cuts);
    packed_asset packed;
    assert_true(packed_asset_make(&asset, LEVEL, &packed));
    static const uint32_t expected[] = { 21504, 65536, 262144, 262144, 262144, 262144, 262144 };
    assert_int_equal(packed.chunk_count, COUNT_OF(expected));
    for (uint32_t i = 0; i < packed.chunk_count; ++i) {
        assert_int_equal(packed.chunks[i].raw_size, expected[i]);
    }
    packed_asset_free(&packed);
}

static void same_content_is_stored_once(void **state)
{
    const place *p = *state;
    leat_error error = { 0 };
    pack_writer_stats stats;
    pack_file file;
    pack_writer *w = pack_writer_open(p->path, LEVEL, NULL, &error);
    static const char *const names[] = { "a", "b", "large-a", "large-b" };
    for (uint32_t i = 0; i < 4; ++i) {
        uint64_t size = i < 2 ? 100 : 300000;
        packed_asset packed = asset_make(names[i], bytes_make(i / 2, size, true), size);
        assert_int_equal(pack_writer_add(w, &packed, &error), LEAT_OK);
    }
    assert_int_equal(pack_writer_finish(w, &stats, &error), LEAT_OK);
    pack_writer_abandon(w);
    assert_int_equal(stats.duplicate_count, 2);
    assert_int_equal(stats.duplicate_size, 300100);
    assert_int_equal(pack_file_open(p->path, &file, NULL), LEAT_OK);
    for (uint32_t i = 0; i < 4; i += 2) {
        uint32_t one = pack_index_find(&file.index, leat_name_hash(names[i], strlen(names[i])));
        uint32_t two = pack_index_find(&file.index, leat_name_hash(names[i + 1], strlen(names[i + 1])));
        assert_int_equal(file.index.assets[one].raw_offset, file.index.assets[two].raw_offset);
    }
    pack_file_close(&file);
}

static void names_that_cannot_be_are_refused(void **state)
{
    const place *p = *state;
    static const char *const names[] = { "../up", "/root", "a//b", "", "a\nb", "good", "good", "\xff" };
    leat_error error = { 0 };
    pack_writer *w = pack_writer_open(p->path, LEVEL, NULL, &error);
    for (uint32_t i = 0; i < COUNT_OF(names); ++i) {
        packed_asset packed = asset_make(names[i], bytes_make(i, 10, true), 10);
        assert_int_equal(pack_writer_add(w, &packed, &error), i == 5 ? LEAT_OK : LEAT_ERROR_ARGUMENT);
    }
    pack_writer_abandon(w);
}

static void an_unfinished_pack_leaves_the_old_one(void **state)
{
    const place *p = *state;
    pack_writer_stats stats;
    pack_file file;
    write_all(p->path, &stats);
    pack_writer *w = pack_writer_open(p->path, LEVEL, NULL, NULL);
    assert_non_null(w);
    packed_asset packed = asset_make("other", bytes_make(1, 300000, true), 300000);
    assert_int_equal(pack_writer_add(w, &packed, NULL), LEAT_OK);
    pack_writer_abandon(w);
    assert_int_equal(pack_file_open(p->path, &file, NULL), LEAT_OK);
    assert_int_equal(file.index.asset_count, ASSETS);
    pack_file_close(&file); /* place_free() sees that nothing else is there */
}

static void a_damaged_chunk_is_told(void **state)
{
    const place *p = *state;
    pack_writer_stats stats;
    pack_file file;
    leat_error error = { 0 };
    write_all(p->path, &stats);
    assert_int_equal(pack_file_open(p->path, &file, NULL), LEAT_OK);
    FILE *f = fopen(p->path, "r+b");
    uint64_t offset = file.index.chunks[2].file_offset + 5;
    fseek(f, (long)offset, SEEK_SET);
    int byte = fgetc(f);
    fseek(f, (long)offset, SEEK_SET);
    fputc(byte ^ 1, f);
    fclose(f);
    uint8_t *raw = malloc(LEAT_PACK_CHUNK_RAW_MAX);
    for (uint32_t i = 0; i < file.index.chunk_count; ++i) {
        assert_int_equal(pack_file_chunk(&file, i, raw, &error), i == 2 ? LEAT_ERROR_DAMAGED : LEAT_OK);
    }
    free(raw);
    pack_file_close(&file);
}

/* ---- Jobs: the order of results ---- */

typedef struct order {
    uint32_t next, stop_at;
    uint32_t live; /* results that are neither taken nor discarded; atomic */
    uint64_t size; /* of each item */
    uint32_t under_way, most; /* begun and not taken; atomic */
} order;

typedef struct ticket {
    order *order;
    uint32_t item;
} ticket;

static void ticket_free(void *result)
{
    ticket *t = result;
    __atomic_sub_fetch(&t->order->live, 1, __ATOMIC_RELAXED);
    free(t);
}

static void ticket_discard(void *user, uint32_t item, void *result)
{
    assert_ptr_equal(((ticket *)result)->order, user);
    assert_int_equal(((ticket *)result)->item, item);
    ticket_free(result);
}

static void *order_work(void *user, uint32_t item)
{
    order *o = user;
    uint32_t under_way = __atomic_add_fetch(&o->under_way, 1, __ATOMIC_RELAXED);
    uint32_t most = __atomic_load_n(&o->most, __ATOMIC_RELAXED);
    while (under_way > most &&
           !__atomic_compare_exchange_n(&o->most, &most, under_way, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    uint64_t seed = item, spin = unit_below(&seed, 20000);
    for (volatile uint64_t i = 0; i < spin; ++i) { /* so that items end out of order */
    }
    ticket *t = malloc(sizeof(*t));
    *t = (ticket){ .order = o, .item = item };
    __atomic_add_fetch(&o->live, 1, __ATOMIC_RELAXED);
    return t;
}

static bool order_take(void *user, uint32_t item, void *result)
{
    order *o = user;
    bool right = item == o->next && ((ticket *)result)->item == item;
    ticket_free(result);
    assert_true(right);
    ++o->next;
    __atomic_sub_fetch(&o->under_way, 1, __ATOMIC_RELAXED);
    return o->next != o->stop_at;
}

static uint64_t order_size(void *user, uint32_t item)
{
    (void)item;
    return ((order *)user)->size;
}

/* Items are handed out while less than that is under way, and one always: a large one alone. */
static void jobs_keep_to_memory(void **state)
{
    (void)state;
    static const struct {
        uint64_t size;
        uint32_t most;
    } cases[] = { { 10, 3 }, { 25, 1 }, { UINT64_MAX / 2, 1 }, { 0, UINT32_MAX } };
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
        order o = { .stop_at = UINT32_MAX, .size = cases[i].size };
        jobs_desc desc = { .item_count = 200,
                           .thread_count = 8,
                           .under_way_max = 25,
                           .user = &o,
                           .size = order_size,
                           .work = order_work,
                           .take = order_take,
                           .discard = ticket_discard };
        assert_true(jobs_run(&desc));
        assert_int_equal(o.next, 200);
        assert_in_range(o.most, 1, cases[i].most);
    }
}

static void jobs_give_results_in_order(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads <= 8; threads *= 2) {
        order o = { .stop_at = UINT32_MAX };
        jobs_desc desc = { .item_count = 500,
                           .thread_count = threads,
                           .user = &o,
                           .work = order_work,
                           .take = order_take,
                           .discard = ticket_discard };
        assert_true(jobs_run(&desc));
        assert_int_equal(o.next, 500);
        o = (order){ .stop_at = 77 };
        assert_false(jobs_run(&desc));
        assert_int_equal(o.next, 77);
        assert_int_equal(o.live, 0);
    }
}

/* Texels of a picture with some noise: neighbours differ by little. */
static uint8_t *texels_make(uint32_t size)
{
    uint64_t seed = 5;
    uint8_t *texels = malloc(size);
    assert_non_null(texels);
    for (uint32_t i = 0; i < size; ++i) {
        uint32_t x = i / 4 % 256, y = i / 1024;
        texels[i] = (uint8_t)((x / 16 * 5 + y / 16 * 3 + i % 4 * 40) + (unit_below(&seed, 8) == 0 ? 1 : 0));
    }
    return texels;
}

/* The value of four bits, with the bytes that follow them where they are full. */
static uint32_t length_take(const packed_chunk *chunk, uint32_t *at, uint32_t bits)
{
    uint32_t length = bits;
    for (uint8_t more = bits == 15 ? 255 : 0; more == 255; length += more) {
        more = chunk->packed[(*at)++];
    }
    return length;
}

/* Matches of 19 to 36 bytes: too long for the decoder's short way, and not long enough to be worth the other one. */
static uint32_t slow_count(const packed_chunk *chunk)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < chunk->packed_size;) {
        uint8_t token = chunk->packed[at++];
        uint32_t literals = length_take(chunk, &at, token >> 4);
        at += literals;
        if (at < chunk->packed_size) { /* no match follows the last literals */
            at += 2;
            uint32_t match = 4 + length_take(chunk, &at, token & 15);
            count += match >= 19 && match <= 36;
        }
    }
    return count;
}

static void check_chunk(const uint8_t *raw, uint32_t size, int level)
{
    static uint8_t back[LEAT_PACK_CHUNK_RAW_MAX];
    packed_chunk chunk;
    assert_true(packed_chunk_make(raw, size, level, &chunk));
    assert_int_equal(chunk.raw_size, size);
    if (chunk.codec == LEAT_PACK_CODEC_STORED) {
        assert_int_equal(chunk.packed_size, size);
        assert_memory_equal(chunk.packed, raw, size);
    } else {
        assert_true(chunk.packed_size < size);
        int got = LZ4_decompress_safe((const char *)chunk.packed, (char *)back, (int)chunk.packed_size, (int)size);
        assert_int_equal(got, size);
        assert_memory_equal(back, raw, size);
    }
    free(chunk.packed);
}

static void every_level_gives_the_bytes_back(void **state)
{
    (void)state;
    static const uint32_t sizes[] = { 1, 12, 13, 4096, 65535, 65536, 65537, 262144, LEAT_PACK_CHUNK_RAW_MAX };
    for (int level = 1; level <= 12; ++level) {
        for (uint32_t i = 0; i < COUNT_OF(sizes); ++i) {
            uint8_t *runs = bytes_make(i, sizes[i], false), *noise = bytes_make(i, sizes[i], true);
            check_chunk(runs, sizes[i], level);
            check_chunk(noise, sizes[i], level);
            free(runs);
            free(noise);
        }
    }
}

static void levels_for_speed_have_matches_that_are_copied_fast(void **state)
{
    (void)state;
    uint8_t *texels = texels_make(LEAT_PACK_CHUNK_RAW_DEFAULT);
    packed_chunk small, quick;
    assert_true(packed_chunk_make(texels, LEAT_PACK_CHUNK_RAW_DEFAULT, PACK_LEVEL_FOR_SPEED - 1, &small));
    assert_true(packed_chunk_make(texels, LEAT_PACK_CHUNK_RAW_DEFAULT, PACK_LEVEL_FOR_SPEED, &quick));
    print_message("%u slow matches in %u bytes, and %u in %u for speed\n", slow_count(&small), small.packed_size,
                  slow_count(&quick), quick.packed_size);
    assert_int_equal(small.codec, LEAT_PACK_CODEC_LZ4);
    assert_int_equal(quick.codec, LEAT_PACK_CODEC_LZ4);
    assert_true(slow_count(&quick) < slow_count(&small) / 10);
    free(small.packed);
    free(quick.packed);
    free(texels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_gives_the_bytes_back),
        cmocka_unit_test(levels_for_speed_have_matches_that_are_copied_fast),
        cmocka_unit_test_setup_teardown(what_goes_in_comes_out, place_make, place_free),
        cmocka_unit_test_setup_teardown(chunks_are_cut_and_aligned_as_promised, place_make, place_free),
        cmocka_unit_test(levels_begin_chunks),
        cmocka_unit_test_setup_teardown(same_content_is_stored_once, place_make, place_free),
        cmocka_unit_test_setup_teardown(names_that_cannot_be_are_refused, place_make, place_free),
        cmocka_unit_test_setup_teardown(an_unfinished_pack_leaves_the_old_one, place_make, place_free),
        cmocka_unit_test_setup_teardown(a_damaged_chunk_is_told, place_make, place_free),
        cmocka_unit_test(jobs_keep_to_memory),
        cmocka_unit_test(jobs_give_results_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
