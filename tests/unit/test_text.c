/* Shows that each result and each texel format has words of its own, that texel formats have blocks, and that values
 * which are none are answered too. */
#include "unit.h"

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
    assert_int_equal(known, 17);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_have_words),
        cmocka_unit_test(formats_have_names_and_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
