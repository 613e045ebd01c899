/* Shows that dds_header_read finds every format under each of its names, refuses each broken header in its own words,
 * and that levels lie where the layout puts them. Headers are made in memory, field by field. */
#include "unit.h"

#include "dds.h"
#include "pack_index.h"

#include <string.h>

#define FLAG_MIPS 0x20000u
#define CAPS2_CUBE 0x200u
#define CAPS2_ALL_FACES 0xfc00u
#define CAPS2_VOLUME 0x200000u
#define PIXEL_FOURCC 0x4u
#define PIXEL_RGB 0x40u
#define MISC_CUBE 0x4u
#define DIMENSION_2D 3u
#define DIMENSION_3D 4u
#define ARRAYS_MAX (2048u / 6) /* were they cubes, that would be all layers that a texture may have */
#define ALL_TEXELS (UINT64_C(1) << 40) /* a file large enough for any texture */

typedef struct header {
    uint8_t bytes[DDS_READ_SIZE];
} header;

static void put(header *h, uint32_t offset, uint32_t value)
{
    for (uint32_t i = 0; i < 4; ++i) {
        h->bytes[offset + i] = (uint8_t)(value >> (8 * i));
    }
}

static uint32_t code_of(const char *name)
{
    return (uint32_t)name[0] | (uint32_t)name[1] << 8 | (uint32_t)name[2] << 16 | (uint32_t)name[3] << 24;
}

/* 16 x 8 texels, one level, DXT1. */
static header whole_header(void)
{
    header h = { { 0 } };
    put(&h, 0, code_of("DDS "));
    put(&h, 4, 124);
    put(&h, 12, 8);
    put(&h, 16, 16);
    put(&h, 76, 32);
    put(&h, 80, PIXEL_FOURCC);
    put(&h, 84, code_of("DXT1"));
    return h;
}

static header dx10_header(uint32_t dxgi)
{
    header h = whole_header();
    put(&h, 84, code_of("DX10"));
    put(&h, 128, dxgi);
    put(&h, 132, DIMENSION_2D);
    put(&h, 140, 1);
    return h;
}

static header rgb_header(uint32_t red_mask)
{
    header h = whole_header();
    put(&h, 80, PIXEL_RGB);
    put(&h, 84, 0);
    put(&h, 88, 32);
    put(&h, 92, red_mask);
    put(&h, 96, 0xff00);
    return h;
}

static void is_format(const header *h, bool color, uint32_t format)
{
    dds d;
    assert_null(dds_header_read(h->bytes, ALL_TEXELS, color, &d));
    assert_int_equal(d.format, format);
    assert_int_equal(d.width, 16);
    assert_int_equal(d.height, 8);
}

static void is_refused(const header *h, uint64_t size, const char *word)
{
    dds d;
    const char *why = dds_header_read(h->bytes, size, true, &d);
    assert_non_null(why);
    assert_non_null(strstr(why, word));
}

static void four_characters_name_formats(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        uint32_t color, data;
    } rows[] = {
        { "DXT1", LEAT_FORMAT_BC1_SRGB, LEAT_FORMAT_BC1_UNORM },
        { "DXT2", LEAT_FORMAT_BC2_SRGB, LEAT_FORMAT_BC2_UNORM },
        { "DXT3", LEAT_FORMAT_BC2_SRGB, LEAT_FORMAT_BC2_UNORM },
        { "DXT4", LEAT_FORMAT_BC3_SRGB, LEAT_FORMAT_BC3_UNORM },
        { "DXT5", LEAT_FORMAT_BC3_SRGB, LEAT_FORMAT_BC3_UNORM },
        { "ATI1", LEAT_FORMAT_BC4_UNORM, LEAT_FORMAT_BC4_UNORM },
        { "BC4U", LEAT_FORMAT_BC4_UNORM, LEAT_FORMAT_BC4_UNORM },
        { "BC4S", LEAT_FORMAT_BC4_SNORM, LEAT_FORMAT_BC4_SNORM },
        { "ATI2", LEAT_FORMAT_BC5_UNORM, LEAT_FORMAT_BC5_UNORM },
        { "BC5U", LEAT_FORMAT_BC5_UNORM, LEAT_FORMAT_BC5_UNORM },
        { "BC5S", LEAT_FORMAT_BC5_SNORM, LEAT_FORMAT_BC5_SNORM },
        { "q\0\0\0", LEAT_FORMAT_RGBA16_FLOAT, LEAT_FORMAT_RGBA16_FLOAT }, /* 113, D3DFMT_A16B16G16R16F */
    };
    for (size_t i = 0; i < COUNT_OF(rows); ++i) {
        header h = whole_header();
        put(&h, 84, code_of(rows[i].code));
        is_format(&h, true, rows[i].color);
        is_format(&h, false, rows[i].data);
    }
    header h = whole_header();
    put(&h, 84, code_of("PVRT"));
    is_refused(&h, ALL_TEXELS, "in a format other than");
}

static void masks_name_rgba8_alone(void **state)
{
    (void)state;
    header h = rgb_header(0xff);
    is_format(&h, true, LEAT_FORMAT_RGBA8_SRGB);
    is_format(&h, false, LEAT_FORMAT_RGBA8_UNORM);
    dds d;
    assert_null(dds_header_read(h.bytes, ALL_TEXELS, true, &d));
    assert_false(d.swap);
    h = rgb_header(0xff0000);
    assert_null(dds_header_read(h.bytes, ALL_TEXELS, true, &d));
    assert_true(d.swap);
    put(&h, 88, 24);
    is_refused(&h, ALL_TEXELS, "in a format other than");
    h = rgb_header(0xff);
    put(&h, 96, 0xff0000);
    is_refused(&h, ALL_TEXELS, "in a format other than");
    put(&h, 80, 0); /* neither four characters nor masks */
    is_refused(&h, ALL_TEXELS, "in a format other than");
}

static void numbers_name_formats_both_ways(void **state)
{
    (void)state;
    uint32_t known = 0;
    for (uint32_t dxgi = 0; dxgi < 256; ++dxgi) {
        header h = dx10_header(dxgi);
        dds d;
        if (dds_header_read(h.bytes, ALL_TEXELS, true, &d) != NULL) {
            is_refused(&h, ALL_TEXELS, "in a format other than");
            continue;
        }
        ++known;
        assert_int_equal(dds_dxgi_of(d.format), dxgi);
        assert_true(leat_format_block_size((leat_format)d.format) > 0);
        assert_int_equal(d.data, DDS_READ_SIZE);
    }
    assert_int_equal(known, 19);
    assert_int_equal(dds_dxgi_of(LEAT_FORMAT_NONE), 0);
}

static void broken_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t offset, value;
        const char *word;
    } rows[] = {
        { 0, 0, "broken header" },
        { 4, 123, "broken header" },
        { 76, 31, "broken header" },
        { 112, CAPS2_VOLUME, "volume" },
        { 112, CAPS2_CUBE | 0x400, "six faces" },
        { 112, CAPS2_CUBE | CAPS2_ALL_FACES, "dimensions" }, /* not square */
        { 12, 0, "dimensions" },
        { 16, 0, "dimensions" },
        { 12, 16385, "dimensions" },
        { 16, 16385, "dimensions" },
        { 16, UINT32_MAX, "dimensions" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); ++i) {
        header h = whole_header();
        put(&h, rows[i].offset, rows[i].value);
        is_refused(&h, ALL_TEXELS, rows[i].word);
    }
    header h = whole_header();
    is_refused(&h, DDS_HEADER_SIZE - 1, "broken header");
    is_refused(&h, DDS_HEADER_SIZE + 16 / 4 * (8 / 4) * 8 - 1, "shorter than its texels");
    dds d;
    assert_null(dds_header_read(h.bytes, DDS_HEADER_SIZE + 16 / 4 * (8 / 4) * 8, true, &d));
}

static void broken_second_headers_are_refused(void **state)
{
    (void)state;
    header h = dx10_header(71);
    is_refused(&h, DDS_READ_SIZE - 1, "ends in its header");
    put(&h, 132, DIMENSION_3D);
    is_refused(&h, ALL_TEXELS, "1D, 3D");
    h = dx10_header(71);
    put(&h, 140, 0);
    is_refused(&h, ALL_TEXELS, "very large array");
    put(&h, 140, ARRAYS_MAX + 1);
    is_refused(&h, ALL_TEXELS, "very large array");
    put(&h, 140, ARRAYS_MAX);
    dds d;
    assert_null(dds_header_read(h.bytes, ALL_TEXELS, true, &d));
    assert_int_equal(d.layer_count, ARRAYS_MAX);
    put(&h, 136, MISC_CUBE);
    is_refused(&h, ALL_TEXELS, "dimensions"); /* not square */
    put(&h, 12, 16);
    assert_null(dds_header_read(h.bytes, ALL_TEXELS, true, &d));
    assert_true(d.cube);
    assert_int_equal(d.layer_count, ARRAYS_MAX * 6);
}

static void levels_lie_one_after_another(void **state)
{
    (void)state;
    header h = whole_header();
    put(&h, 8, FLAG_MIPS);
    put(&h, 28, 0); /* says that it has levels, and then none: one */
    dds d;
    assert_null(dds_header_read(h.bytes, ALL_TEXELS, true, &d));
    assert_int_equal(d.mip_count, 1);
    put(&h, 28, 6); /* one too many for 16 texels */
    put(&h, 12, 16);
    put(&h, 112, CAPS2_CUBE | CAPS2_ALL_FACES);
    assert_null(dds_header_read(h.bytes, ALL_TEXELS, true, &d));
    assert_int_equal(d.mip_count, 5);
    assert_int_equal(d.layer_count, 6);
    assert_true(d.cube);
    assert_int_equal(dds_level_offset(&d, 0, 0), 0);
    assert_int_equal(dds_level_offset(&d, 0, 2), 128 + 32);
    assert_int_equal(dds_level_offset(&d, 2, 1), 2 * (128 + 32 + 8 + 8 + 8) + 128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_characters_name_formats),      cmocka_unit_test(masks_name_rgba8_alone),
        cmocka_unit_test(numbers_name_formats_both_ways),    cmocka_unit_test(broken_headers_are_refused),
        cmocka_unit_test(broken_second_headers_are_refused), cmocka_unit_test(levels_lie_one_after_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
