/* Shows that each result and each texel format has words of its own, that texel formats have blocks, and that values
 * which are none are answered too. */
#include "unit.h"

#include <errno.h>
#include <string.h>

static void results_have_words(void **state)
{
    (void)state;
    const char *unknown = leat_result_text(LEAT_RESULT_FORCE_32);
    assert_string_equal(unknown, "an unknown result");
    uint32_t known = 0;
    const char *texts[64];
    for (int result = 1; result > -63; --result) {
        const char *text = leat_result_text((leat_result)result);
        if (text == unknown) {
            continue;
        }
        for (uint32_t i = 0; i < known; ++i) {
            assert_string_not_equal(texts[i], text);
        }
        texts[known++] = text;
    }
    assert_int_equal(known, 16);
    assert_string_equal(leat_result_text(LEAT_OK), "ok");
    assert_int_equal(leat_version(), LEAT_VERSION);
}

static void formats_have_names_and_blocks(void **state)
{
    (void)state;
    uint32_t known = 0;
    for (uint32_t format = 0; format < 256; ++format) {
        const char *text = leat_format_text((leat_format)format);
        uint32_t size = leat_format_block_size((leat_format)format);
        uint32_t edge = leat_format_block_edge((leat_format)format);
        if (strcmp(text, "?") == 0) {
            assert_int_equal(size, 0);
            assert_int_equal(edge, 0);
            continue;
        }
        ++known;
        bool blocks = strncmp(text, "BC", 2) == 0;
        assert_int_equal(edge, blocks ? 4 : 1);
        if (blocks) { /* BC1 and BC4 have half a block of what the others have */
            assert_int_equal(size, text[2] == '1' || text[2] == '4' ? 8 : 16);
        }
    }
    assert_int_equal(known, 19);
    assert_string_equal(leat_format_text(LEAT_FORMAT_BC7_SRGB), "BC7_SRGB");
    static const struct {
        leat_format format;
        uint32_t size;
    } texels[] = { { LEAT_FORMAT_R8_UNORM, 1 },
                   { LEAT_FORMAT_RG8_UNORM, 2 },
                   { LEAT_FORMAT_RGBA8_UNORM, 4 },
                   { LEAT_FORMAT_RGBA8_SRGB, 4 },
                   { LEAT_FORMAT_RGBA16_FLOAT, 8 } };
    for (size_t i = 0; i < COUNT_OF(texels); ++i) {
        assert_int_equal(leat_format_block_size(texels[i].format), texels[i].size);
    }
}

/* Without an asset that is there, an event still says what it is, and ends without a dangling "; ". */
static void events_have_words(void **state)
{
    (void)state;
    leat_streamer *s = NULL;
    assert_int_equal(leat_create(&(leat_desc){ .backend = LEAT_BACKEND_THREADS, .stepped = true }, &s), LEAT_OK);
    static const struct {
        leat_event event;
        const char *text;
    } rows[] = {
        { { .type = LEAT_EVENT_READY, .size = 12 }, "ready: 12 bytes" },
        { { .type = LEAT_EVENT_NEEDS_MEMORY, .size = 34 }, "needs memory: 34 bytes" },
        { { .type = LEAT_EVENT_CANCELLED, .result = LEAT_ERROR_CANCELLED }, "cancelled" },
        { { .type = LEAT_EVENT_LATE }, "will be late: no part of it can come in time" },
        { { .type = LEAT_EVENT_LATE, .part_possible = { .kind = LEAT_PART_MIPS, .first = 3 } },
          "will be late: from mip 3 on it could come in time" },
        { { .type = LEAT_EVENT_LATE, .part_possible = { .kind = LEAT_PART_LODS, .first = 1 } },
          "will be late: from LOD 1 on it could come in time" },
        { { .type = LEAT_EVENT_BATCH, .count = 5, .chunk = UINT32_MAX }, "batch ended: 0 of 5 requests failed" },
        { { .type = LEAT_EVENT_RELOADED, .change = LEAT_CHANGE_ADDED }, "added" },
        { { .type = LEAT_EVENT_FAILED, .result = LEAT_ERROR_OS, .os_error = EIO, .chunk = 7, .file_offset = 0x1000 },
          "failed: chunk 7 (offset 0x1000): the operating system refused: Input/output error; "
          "look at the device and the kernel's log" },
        { { .type = LEAT_EVENT_FAILED, .result = LEAT_ERROR_OS, .os_error = EACCES, .chunk = UINT32_MAX },
          "failed: the operating system refused: Permission denied; look at who may read the file and its folders" },
        { { .type = LEAT_EVENT_FAILED, .result = LEAT_ERROR_OS, .os_error = EMFILE, .chunk = UINT32_MAX },
          "failed: the operating system refused: Too many open files; raise the limit of open files" },
        { { .type = LEAT_EVENT_FAILED, .result = LEAT_ERROR_LIMIT, .chunk = UINT32_MAX },
          "failed: larger than a limit of the desc" },
        { { .type = (leat_event_type)99 }, "?" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); ++i) {
        char text[256], small[8];
        assert_string_equal(leat_event_text(s, &rows[i].event, text, sizeof(text)), rows[i].text);
        leat_event_text(s, &rows[i].event, small, sizeof(small)); /* cut, and still ended */
        assert_int_equal(strncmp(small, rows[i].text, sizeof(small) - 1), 0);
        assert_true(strlen(small) < sizeof(small));
    }
    assert_string_equal(leat_event_text(s, &rows[0].event, NULL, 0), "");
    leat_destroy(s);
}

static void lines_count(leat_log_level level, const char *text, void *user)
{
    (void)text;
    *(uint32_t *)user += level == LEAT_LOG_ERROR;
}

/* Words go to the caller who passes a leat_error; else to the log. Never to both. */
static void errors_are_told_once(void **state)
{
    (void)state;
    uint32_t lines = 0;
    leat_error error = { 0 };
    leat_desc desc = { .logger = { .log = lines_count, .user = &lines },
                       .backend = LEAT_BACKEND_THREADS,
                       .stepped = true };
    leat_streamer *s = NULL;
    leat_pack pack;
    assert_int_equal(leat_create(&desc, &s), LEAT_OK);
    assert_int_equal(leat_pack_open(s, "/nowhere", &(leat_pack_desc){ .error = &error }, &pack), LEAT_ERROR_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nowhere"));
    assert_int_equal(lines, 0);
    assert_int_equal(leat_pack_open(s, "/nowhere", NULL, &pack), LEAT_ERROR_NOT_FOUND);
    assert_int_equal(lines, 1);
    leat_destroy(s);
    desc.worker_count = UINT32_MAX;
    assert_int_equal(leat_create(&desc, &s), LEAT_ERROR_ARGUMENT);
    assert_int_equal(lines, 2);
    desc.error = &error;
    assert_int_equal(leat_create(&desc, &s), LEAT_ERROR_ARGUMENT);
    assert_int_equal(lines, 2);
    assert_non_null(strstr(error.text, "worker_count"));
}

/* However long the path is, what is wrong is said, and no letter is cut in two. */
static void long_paths_leave_room_for_the_cause(void **state)
{
    (void)state;
    leat_streamer *s = NULL;
    leat_pack pack;
    assert_int_equal(leat_create(&(leat_desc){ .backend = LEAT_BACKEND_THREADS, .stepped = true }, &s), LEAT_OK);
    char path[1000];
    for (uint32_t shift = 0; shift < 2; ++shift) {
        leat_error error = { 0 };
        size_t size = 0;
        for (uint32_t i = 0; i < 4; ++i) { /* "/äää...", of which each letter has two bytes */
            path[size++] = '/';
            for (uint32_t letter = 0; letter < 100 + shift; ++letter) {
                memcpy(path + size, "\xc3\xa4", 2);
                size += 2;
            }
        }
        path[size - shift] = '\0';
        assert_int_equal(leat_pack_open(s, path, &(leat_pack_desc){ .error = &error }, &pack), LEAT_ERROR_NOT_FOUND);
        assert_non_null(strstr(error.text, "No such file or directory"));
        assert_memory_equal(error.text, "...", 3);
        assert_int_not_equal((uint8_t)error.text[3] & 0xc0, 0x80);
        assert_true(strlen(error.text) < sizeof(error.text));
    }
    leat_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_have_words),
        cmocka_unit_test(formats_have_names_and_blocks),
        cmocka_unit_test(events_have_words),
        cmocka_unit_test(errors_are_told_once),
        cmocka_unit_test(long_paths_leave_room_for_the_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
