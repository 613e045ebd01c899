/* Shows what the golden packs cannot: names at their bounds and among others, sizes of mips at theirs, sections beyond
 * 4 GiB, assets found with and without a directory, and chunks found by every byte. */
#include "unit.h"

#include "pack_index.h"
#include "test_pack.h"

#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static const pack_limits no_limits = { .index_bytes_max = UINT64_MAX, .asset_bytes_max = UINT64_MAX };

static const char *const good_names[] = { "a",
                                          ".a",
                                          "..a",
                                          "...",
                                          "a/b",
                                          "ab/c",
                                          "a/.b/..c",
                                          "\xc2\xa0",
                                          "\xc3\x80",
                                          "\xdf\xbf",
                                          "\xe0\xa0\x80",
                                          "\xed\x9f\xbf",
                                          "\xee\x80\x80",
                                          "\xf0\x90\x80\x80",
                                          "\xf4\x8f\xbf\xbf" };
static const char *const bad_names[] = { ".",
                                         "..",
                                         "a/",
                                         "/",
                                         "a//b",
                                         "./a",
                                         "../a",
                                         "a/./b",
                                         "a/../b",
                                         "a\\b",
                                         "\x1f",
                                         "\x7f",
                                         "\xc2\x80",
                                         "a\xc2\x9f",
                                         "\xc1\xbf",
                                         "\xe0\x9f\xbf",
                                         "\xed\xa0\x80",
                                         "\xf0\x8f\xbf\xbf",
                                         "\xf4\x90\x80\x80",
                                         "\xf5\x80\x80\x80",
                                         "\xc2",
                                         "\xe2\x82",
                                         "\xc2z",
                                         "\x80" };

static void names_have_bounds(void **state)
{
    (void)state;
    char name[LEAT_PACK_NAME_SIZE_MAX + 1];
    memset(name, 'n', sizeof(name));
    assert_false(pack_name_valid(name, 0));
    assert_true(pack_name_valid(name, 1));
    assert_true(pack_name_valid(name, LEAT_PACK_NAME_SIZE_MAX));
    assert_false(pack_name_valid(name, LEAT_PACK_NAME_SIZE_MAX + 1));
    for (size_t i = 0; i < COUNT_OF(good_names); ++i) {
        assert_true(pack_name_valid(good_names[i], strlen(good_names[i])));
    }
    for (size_t i = 0; i < COUNT_OF(bad_names); ++i) {
        assert_false(pack_name_valid(bad_names[i], strlen(bad_names[i])));
    }
}

#define NAMES_SIZE 2048u

/* Renames the only asset of a pack, whose names are followed by `rest`, and says what becomes of the index. */
static leat_result check_renamed(uint8_t *bytes, const char *name, size_t size, char rest)
{
    const leat_pack_header *h = (const void *)bytes;
    uint8_t *base = bytes + h->index_offset;
    leat_pack_asset_record *a = (void *)(base + h->sections[LEAT_PACK_SECTION_ASSETS].offset);
    char *names = (char *)base + h->sections[LEAT_PACK_SECTION_NAMES].offset;
    memset(names, rest, NAMES_SIZE);
    memcpy(names, name, size);
    a->name_offset = 0;
    a->name_size = (uint16_t)size;
    a->name_hash = leat_name_hash(name, size);
    test_pack_rehash(bytes);
    pack_index index;
    return pack_index_check(h, base, &no_limits, NULL, &index, "pack", NULL);
}

/* Names are looked at together first, and one by one only where that does not say enough: both ways give one answer. */
static void names_are_valid_in_any_company(void **state)
{
    (void)state;
    test_pack pack;
    test_pack_make(&(test_pack_desc){ .seed = 1, .asset_count = 1, .size_min = 10, .size_max = 10 }, &pack);
    uint8_t *bytes = calloc(1, pack.size + 8 + NAMES_SIZE);
    memcpy(bytes, pack.bytes, pack.size);
    leat_pack_header *h = (void *)bytes;
    uint64_t at = align_up(h->index_size, 8);
    h->sections[LEAT_PACK_SECTION_NAMES] = (leat_pack_section){ at, NAMES_SIZE };
    h->sections[LEAT_PACK_SECTION_METADATA].offset = h->sections[LEAT_PACK_SECTION_REFERENCES].offset = at + NAMES_SIZE;
    h->index_size = at + NAMES_SIZE;
    h->file_size = h->index_offset + h->index_size;
    static const char rests[] = { 'n', '\x1f', '\x7f', '\\', '/' }; /* the first one is plain, and the others are not */
    for (size_t r = 0; r < sizeof(rests); ++r) {
        for (size_t i = 0; i < COUNT_OF(good_names); ++i) {
            assert_int_equal(check_renamed(bytes, good_names[i], strlen(good_names[i]), rests[r]), LEAT_OK);
        }
        for (size_t i = 0; i < COUNT_OF(bad_names); ++i) {
            assert_int_equal(check_renamed(bytes, bad_names[i], strlen(bad_names[i]), rests[r]), LEAT_ERROR_FORMAT);
        }
        char name[LEAT_PACK_NAME_SIZE_MAX + 1];
        memset(name, 'n', sizeof(name));
        assert_int_equal(check_renamed(bytes, name, 0, rests[r]), LEAT_ERROR_FORMAT);
        assert_int_equal(check_renamed(bytes, name, LEAT_PACK_NAME_SIZE_MAX, rests[r]), LEAT_OK);
        assert_int_equal(check_renamed(bytes, name, LEAT_PACK_NAME_SIZE_MAX + 1, rests[r]), LEAT_ERROR_FORMAT);
        assert_int_equal(check_renamed(bytes, "/n", 2, rests[r]), LEAT_ERROR_FORMAT);
    }
    free(bytes);
    test_pack_free(&pack);
}

/* If many assets could name one large piece of metadata, looking at each of them would take the product of the two. */
static void metadata_is_not_shared(void **state)
{
    (void)state;
    test_pack pack;
    test_pack_make(
        &(test_pack_desc){ .seed = 1, .asset_count = 8, .size_max = 9, .textures = true, .texture_edge_log2_max = 4 },
        &pack); /* all textures are alike */
    leat_pack_header *h = (void *)pack.bytes;
    uint8_t *base = pack.bytes + h->index_offset;
    leat_pack_asset_record *assets = (void *)(base + h->sections[LEAT_PACK_SECTION_ASSETS].offset);
    leat_pack_section *metadata = &h->sections[LEAT_PACK_SECTION_METADATA];
    for (uint32_t shared = 0; shared < 2; ++shared) {
        for (uint32_t i = 0; shared && i < pack.asset_count; ++i) {
            if (assets[i].metadata_offset + assets[i].metadata_size == metadata->size) { /* the last one */
                assets[i].metadata_offset = 0;
            }
        }
        metadata->size -= shared * sizeof(leat_pack_texture_metadata);
        test_pack_rehash(pack.bytes);
        pack_index index;
        leat_error error = { 0 };
        leat_result result = pack_index_check(h, base, &no_limits, NULL, &index, "pack", &error);
        assert_int_equal(result, shared ? LEAT_ERROR_FORMAT : LEAT_OK);
        assert_int_equal(strstr(error.text, "more metadata") != NULL, shared);
    }
    test_pack_free(&pack);
}

static void mips_have_bounds(void **state)
{
    (void)state;
    const uint32_t bc1 = LEAT_FORMAT_BC1_SRGB, rgba = LEAT_FORMAT_RGBA8_UNORM;
    assert_int_equal(pack_mip_size(rgba, 5, 3, 2, 0), 5 * 3 * 4 * 2);
    assert_int_equal(pack_mip_size(rgba, 5, 3, 1, 2), 4);
    assert_int_equal(pack_mip_size(bc1, 5, 3, 1, 0), 2 * 8);
    assert_int_equal(pack_mip_size(rgba, 65536, 65536, 2048, 0), UINT64_C(1) << 45);
    assert_int_equal(pack_mip_size(rgba, 65536, 1, 1, 16), 4);
    assert_int_equal(pack_mip_size(LEAT_FORMAT_NONE, 1, 1, 1, 0), 0);
    assert_int_equal(pack_mip_size(rgba, 0, 1, 1, 0), 0);
    assert_int_equal(pack_mip_size(rgba, 1, 0, 1, 0), 0);
    assert_int_equal(pack_mip_size(rgba, 65537, 1, 1, 0), 0);
    assert_int_equal(pack_mip_size(rgba, 1, 65537, 1, 0), 0);
    assert_int_equal(pack_mip_size(rgba, 1, 1, 0, 0), 0);
    assert_int_equal(pack_mip_size(rgba, 1, 1, 2049, 0), 0);
    assert_int_equal(pack_mip_size(rgba, 1, 1, 1, 17), 0);
    assert_int_equal(pack_mips_size(rgba, 4, 4, 1, 3), (16 + 4 + 1) * 4);
    assert_int_equal(pack_mips_size(rgba, 4, 4, 1, 0), 0);
    assert_int_equal(pack_mips_size(rgba, 4, 4, 1, 18), 0);
    assert_int_equal(pack_mips_size(rgba, 0, 4, 1, 1), 0);
}

/* Counts that do not fit 32 bits need an index that no test can hold; the header alone is enough to refuse it. */
static void sections_have_32_bit_counts(void **state)
{
    (void)state;
    test_pack pack;
    test_pack_make(&(test_pack_desc){ .seed = 1, .asset_count = 2, .size_min = 10, .size_max = 20 }, &pack);
    leat_pack_header *h = (void *)pack.bytes;
    h->index_size = UINT64_C(1) << 40;
    h->file_size = h->index_offset + h->index_size;
    leat_pack_section *names = &h->sections[LEAT_PACK_SECTION_NAMES];
    for (uint32_t i = LEAT_PACK_SECTION_METADATA; i < LEAT_PACK_SECTION_COUNT; ++i) {
        h->sections[i].offset += UINT64_C(1) << 33;
    }
    leat_error error = { 0 };
    for (uint32_t fits = 0; fits < 2; ++fits) {
        names->size = (uint64_t)UINT32_MAX - fits;
        h->header_hash = XXH3_64bits(h, offsetof(leat_pack_header, header_hash));
        leat_result result = pack_header_check(h, h->file_size, &no_limits, "pack", &error);
        assert_int_equal(result, fits ? LEAT_OK : LEAT_ERROR_FORMAT);
    }
    assert_non_null(strstr(error.text, "does not fit"));
    test_pack_free(&pack);
}

static void check_found(const pack_index *index, const test_pack *pack)
{
    for (uint32_t i = 0; i < pack->asset_count; ++i) {
        assert_int_equal(pack_index_find(index, pack->assets[i].name_hash), i);
        assert_int_equal(pack_index_find(index, pack->assets[i].name_hash + 1), UINT32_MAX);
    }
    assert_int_equal(pack_index_find(index, 0), UINT32_MAX);
    assert_int_equal(pack_index_find(index, UINT64_MAX), UINT32_MAX);
}

/* Also without any asset, and without anybody who wants to know why. */
static void assets_are_found(void **state)
{
    (void)state;
    for (uint32_t count = 0; count <= 300; count += 75) { /* not all in groups of four */
        test_pack pack;
        test_pack_make(
            &(test_pack_desc){ .seed = count, .asset_count = count, .size_max = 3000, .chunk_raw_size = 1024 }, &pack);
        const leat_pack_header *h = (const void *)pack.bytes;
        uint32_t *directory = calloc(pack_directory_size(count), sizeof(*directory));
        pack_index index;
        assert_int_equal(pack_header_check(h, pack.size, &no_limits, "pack", NULL), LEAT_OK);
        assert_int_equal(pack_index_check(h, pack.bytes + h->index_offset, &no_limits, NULL, &index, "pack", NULL),
                         LEAT_OK);
        check_found(&index, &pack);
        assert_int_equal(pack_index_check(h, pack.bytes + h->index_offset, &no_limits, directory, &index, "pack", NULL),
                         LEAT_OK);
        check_found(&index, &pack);
        for (uint64_t bucket = 0, smaller = 0; bucket < pack_directory_size(count); ++bucket) {
            while (smaller < count && pack.assets[smaller].name_hash >> (64 - index.directory_bits) < bucket) {
                ++smaller;
            }
            assert_int_equal(directory[bucket], smaller);
        }
        for (uint64_t raw = 0; raw < pack.raw_size; raw += 7) {
            assert_int_equal(pack_index_chunk_at(&index, raw), raw / 1024);
        }
        free(directory);
        test_pack_free(&pack);
    }
}

/* A directory has at most 2^24 buckets, however many assets there are. */
static void directories_have_bounds(void **state)
{
    (void)state;
    assert_int_equal(pack_directory_size(0), 3);
    assert_int_equal(pack_directory_size(2), 3);
    assert_int_equal(pack_directory_size(3), 5);
    assert_int_equal(pack_directory_size(UINT32_MAX), (1u << 24) + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_bounds),
        cmocka_unit_test(metadata_is_not_shared),
        cmocka_unit_test(mips_have_bounds),
        cmocka_unit_test(sections_have_32_bit_counts),
        cmocka_unit_test(assets_are_found),
        cmocka_unit_test(directories_have_bounds),
        cmocka_unit_test(names_are_valid_in_any_company),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
