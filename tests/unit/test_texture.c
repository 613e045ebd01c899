/* test_texture.c - the steps from texels to texture assets: what mips, usage, encoders and DDS must keep.
 *
 * Images are made here, so that what must come out is known: grey halves to the grey of equal light, normals stay unit
 * vectors, cut-outs keep their coverage, block compression stays near what went in, hostile DDS is refused. */
#include "unit.h"

#include "pack_index.h"
#include "texture.h"
#include "texture_import.h"

#include <math.h>
#include <string.h>

#define BLOCK_ERROR_MAX 32 /* of 255: a block has one line through colour space, the gradient is a plane */

static texture_chain chain_make(uint32_t width, uint32_t height, texture_usage usage)
{
    texture_chain chain = { .level_count = 1, .usage = usage };
    chain.levels[0] = (texture_level){ .width = width, .height = height, .pixels = malloc((size_t)width * height * 4) };
    assert_non_null(chain.levels[0].pixels);
    memset(chain.levels[0].pixels, 255, (size_t)width * height * 4);
    return chain;
}

static uint8_t *texel(texture_level *level, uint32_t x, uint32_t y)
{
    return level->pixels + ((size_t)y * level->width + x) * 4;
}

/* A smooth image without flat channels. */
static void gradient(texture_level *level)
{
    for (uint32_t y = 0; y < level->height; ++y) {
        for (uint32_t x = 0; x < level->width; ++x) {
            uint8_t *p = texel(level, x, y);
            p[0] = (uint8_t)(x * 255 / level->width);
            p[1] = (uint8_t)(y * 255 / level->height);
            p[2] = (uint8_t)((x + y) * 255 / (level->width + level->height));
        }
    }
}

/* Black and white columns have half the light of white: 188 in sRGB, 127 or 128 as data. */
static void mips_follow_the_colour_space(void **state)
{
    (void)state;
    for (int color = 0; color < 2; ++color) {
        texture_chain chain = chain_make(64, 64, color ? TEXTURE_USAGE_COLOR : TEXTURE_USAGE_DATA);
        for (uint32_t i = 0; i < 64 * 64; ++i) {
            memset(chain.levels[0].pixels + (size_t)i * 4, i % 2 ? 255 : 0, 3);
        }
        assert_true(texture_mips_make(&chain));
        assert_int_equal(chain.level_count, 7);
        assert_int_equal(chain.levels[6].width, 1);
        int middle = texel(&chain.levels[2], 8, 8)[0];
        assert_in_range(middle, color ? 185 : 126, color ? 191 : 129);
        assert_int_equal(texel(&chain.levels[2], 8, 8)[3], 255);
        texture_chain_free(&chain);
    }
}

static void mips_of_odd_sizes_end_at_one_texel(void **state)
{
    (void)state;
    texture_chain chain = chain_make(37, 5, TEXTURE_USAGE_COLOR);
    assert_true(texture_mips_make(&chain));
    assert_int_equal(chain.level_count, 6);
    for (uint32_t i = 0; i < chain.level_count; ++i) {
        assert_int_equal(chain.levels[i].width, u32_max(37u >> i, 1));
        assert_int_equal(chain.levels[i].height, u32_max(5u >> i, 1));
    }
    texture_chain_free(&chain);
}

static void normals_stay_unit_vectors(void **state)
{
    (void)state;
    texture_chain chain = chain_make(32, 32, TEXTURE_USAGE_NORMAL);
    for (uint32_t i = 0; i < 32 * 32; ++i) { /* tilted by 60 degrees, to the left and to the right in turn */
        uint8_t *p = chain.levels[0].pixels + (size_t)i * 4;
        p[0] = (uint8_t)lrint((i % 2 ? 0.866 : -0.866) * 127.5 + 127.5);
        p[1] = 128;
        p[2] = (uint8_t)lrint(0.5 * 127.5 + 127.5);
    }
    assert_true(texture_mips_make(&chain));
    for (uint32_t i = 1; i < chain.level_count; ++i) {
        const uint8_t *p = texel(&chain.levels[i], 0, 0);
        double x = p[0] / 127.5 - 1, y = p[1] / 127.5 - 1, z = p[2] / 127.5 - 1;
        assert_true(fabs(sqrt(x * x + y * y + z * z) - 1) < 0.02);
    }
    texture_chain_free(&chain);
}

/* Specks of two texels vanish from plainly filtered alpha; their share must stay. */
static void cutouts_keep_their_coverage(void **state)
{
    (void)state;
    texture_chain chain = chain_make(128, 128, TEXTURE_USAGE_COLOR);
    uint64_t seed = 5;
    bool specks[64 * 64];
    for (uint32_t i = 0; i < COUNT_OF(specks); ++i) {
        specks[i] = unit_below(&seed, 10) < 2;
    }
    for (uint32_t y = 0; y < 128; ++y) {
        for (uint32_t x = 0; x < 128; ++x) {
            texel(&chain.levels[0], x, y)[3] = specks[y / 2 * 64 + x / 2] ? 255 : 0;
        }
    }
    texture_usage_settle(&chain, TEXTURE_USAGE_COLOR, USAGE_BY_MATERIAL);
    assert_true(chain.alpha && chain.cutout);
    assert_true(texture_mips_make(&chain));
    double shares[4];
    for (uint32_t i = 0; i < 4; ++i) {
        uint32_t count = chain.levels[i].width * chain.levels[i].height, passing = 0;
        for (uint32_t t = 0; t < count; ++t) {
            passing += chain.levels[i].pixels[(size_t)t * 4 + 3] >= 128;
        }
        shares[i] = (double)passing / count;
    }
    for (uint32_t i = 1; i < 4; ++i) {
        assert_true(fabs(shares[i] - shares[0]) < 0.03);
    }
    texture_chain_free(&chain);
}

static void names_tell_the_usage(void **state)
{
    (void)state;
    assert_int_equal(texture_usage_by_name("a/brick_n.png"), TEXTURE_USAGE_NORMAL);
    assert_int_equal(texture_usage_by_name("brick-Normal.tga"), TEXTURE_USAGE_NORMAL);
    assert_int_equal(texture_usage_by_name("brick_nrm.tga"), TEXTURE_USAGE_NORMAL);
    assert_int_equal(texture_usage_by_name("brick_rough.jpg"), TEXTURE_USAGE_MASK);
    assert_int_equal(texture_usage_by_name("brick_orm.png"), TEXTURE_USAGE_DATA);
    assert_int_equal(texture_usage_by_name("a_n/brick.png"), TEXTURE_USAGE_UNKNOWN);
    assert_int_equal(texture_usage_by_name("n.png"), TEXTURE_USAGE_UNKNOWN);
    assert_int_equal(texture_usage_by_name(""), TEXTURE_USAGE_UNKNOWN);
}

/* A picture called "..._n" is no normal map, whatever its name says; what a material says counts, but for one channel
 * of a picture in colour; what a rule says is done. */
static void texels_overrule_names_materials_less_and_rules_never(void **state)
{
    (void)state;
    texture_chain chain = chain_make(16, 16, TEXTURE_USAGE_UNKNOWN);
    texture_usage_settle(&chain, TEXTURE_USAGE_NORMAL, USAGE_BY_NAME);
    assert_int_equal(chain.usage, TEXTURE_USAGE_COLOR);
    texture_usage_settle(&chain, TEXTURE_USAGE_NORMAL, USAGE_BY_MATERIAL);
    assert_int_equal(chain.usage, TEXTURE_USAGE_NORMAL);
    gradient(&chain.levels[0]);
    texture_usage_settle(&chain, TEXTURE_USAGE_MASK, USAGE_BY_MATERIAL);
    assert_int_equal(chain.usage, TEXTURE_USAGE_DATA);
    texture_usage_settle(&chain, TEXTURE_USAGE_MASK, USAGE_BY_RULE);
    assert_int_equal(chain.usage, TEXTURE_USAGE_MASK);
    texture_chain_free(&chain);
}

/* Encodes, finds the largest level at the end of the asset, decodes it and compares the channels that the format has.
 */
static void encode_and_compare(texture_usage usage, bool alpha, texture_format wanted, uint32_t format,
                               uint32_t channels, int error_max)
{
    texture_chain chain = chain_make(36, 20, usage);
    gradient(&chain.levels[0]);
    for (uint32_t i = 0; alpha && i < 36 * 20; ++i) {
        chain.levels[0].pixels[(size_t)i * 4 + 3] = (uint8_t)(i * 255 / (36 * 20));
    }
    chain.alpha = alpha;
    assert_true(texture_mips_make(&chain));
    import_asset asset = { 0 };
    assert_true(texture_encode(&chain, wanted, &asset));
    const leat_pack_texture_metadata *m = asset.metadata;
    assert_int_equal(m->format, format);
    assert_int_equal(asset.raw_size, pack_mips_size(format, 36, 20, 1, m->mip_count));
    assert_int_equal(asset.cut_count, m->mip_count - 1u);
    uint8_t decoded[36 * 20 * 4];
    assert_true(texture_decode(format, 36, 20, asset.raw + asset.cuts[asset.cut_count - 1], decoded));
    for (uint32_t i = 0; i < sizeof(decoded); ++i) {
        if (channels >> (i % 4) & 1) {
            assert_in_range(abs(decoded[i] - chain.levels[0].pixels[i]), 0, error_max);
        }
    }
    import_asset_free(&asset);
    texture_chain_free(&chain);
}

static void encoded_levels_decode_to_what_went_in(void **state)
{
    (void)state;
    encode_and_compare(TEXTURE_USAGE_COLOR, false, TEXTURE_FORMAT_RGBA8, LEAT_FORMAT_RGBA8_SRGB, 15, 0);
    encode_and_compare(TEXTURE_USAGE_DATA, true, TEXTURE_FORMAT_RGBA8, LEAT_FORMAT_RGBA8_UNORM, 15, 0);
    encode_and_compare(TEXTURE_USAGE_COLOR, false, TEXTURE_FORMAT_AUTO, LEAT_FORMAT_BC1_SRGB, 15, BLOCK_ERROR_MAX);
    encode_and_compare(TEXTURE_USAGE_COLOR, true, TEXTURE_FORMAT_BC, LEAT_FORMAT_BC3_SRGB, 15, BLOCK_ERROR_MAX);
    encode_and_compare(TEXTURE_USAGE_MASK, false, TEXTURE_FORMAT_BC, LEAT_FORMAT_BC4_UNORM, 1, BLOCK_ERROR_MAX);
    encode_and_compare(TEXTURE_USAGE_NORMAL, false, TEXTURE_FORMAT_BC, LEAT_FORMAT_BC5_UNORM, 3, BLOCK_ERROR_MAX);
}

static void halves_round_and_stay_finite(void **state)
{
    (void)state;
    assert_int_equal(half_from_float(1.0f), 0x3c00);
    assert_int_equal(half_from_float(-2.0f), 0xc000);
    assert_int_equal(half_from_float(1e30f), 0x7bff);
    assert_int_equal(half_from_float(NAN), 0);
    assert_int_equal(half_from_float(5.9604645e-8f), 1); /* 2^-24 */
    for (uint32_t half = 0; half < 0x7c00; ++half) {
        assert_int_equal(half_from_float(float_from_half((uint16_t)half)), half);
    }
}

/* What is written as DDS is read back the same, mips and layers included. */
static void dds_goes_there_and_back(void **state)
{
    (void)state;
    leat_pack_texture_metadata m = { .width = 20,
                                     .height = 20,
                                     .mip_count = 5,
                                     .layer_count = 6,
                                     .format = LEAT_FORMAT_BC7_SRGB,
                                     .flags = LEAT_TEXTURE_CUBE };
    uint64_t raw_size = pack_mips_size(m.format, m.width, m.height, m.layer_count, m.mip_count), size = 0;
    uint8_t *raw = malloc(raw_size);
    uint64_t seed = 7;
    for (uint64_t i = 0; i < raw_size; ++i) {
        raw[i] = (uint8_t)unit_random(&seed);
    }
    uint8_t *file = texture_dds_write(&m, raw, raw_size, &size);
    import_asset asset = { 0 };
    const char *why = NULL;
    assert_true(texture_dds_read(file, size, TEXTURE_USAGE_COLOR, 0, &asset, &why));
    const leat_pack_texture_metadata *got = asset.metadata;
    assert_int_equal(got->format, m.format);
    assert_int_equal(got->layer_count, 6);
    assert_true(got->flags & LEAT_TEXTURE_CUBE);
    assert_int_equal(asset.raw_size, raw_size);
    assert_memory_equal(asset.raw, raw, raw_size);
    import_asset_free(&asset);
    assert_true(texture_dds_read(file, size, TEXTURE_USAGE_COLOR, 2, &asset, &why));
    got = asset.metadata;
    assert_int_equal(got->mip_count, 2); /* the largest, which are last */
    assert_int_equal(asset.raw_size, pack_mips_size(m.format, m.width, m.height, m.layer_count, 2));
    assert_memory_equal(asset.raw, raw + raw_size - asset.raw_size, asset.raw_size);
    import_asset_free(&asset);
    free(file);
    free(raw);
}

/* Each cut and each changed byte of the header: read or refused, never beyond the bytes (ASan watches). */
static void hostile_dds_is_refused_or_read(void **state)
{
    (void)state;
    leat_pack_texture_metadata m = {
        .width = 8, .height = 8, .mip_count = 4, .layer_count = 1, .format = LEAT_FORMAT_BC1_UNORM
    };
    uint8_t raw[64] = { 0 };
    uint64_t raw_size = pack_mips_size(m.format, 8, 8, 1, 4), size = 0;
    uint8_t *file = texture_dds_write(&m, raw, raw_size, &size);
    uint64_t seed = 11;
    for (uint32_t round = 0; round < 20000; ++round) {
        uint64_t cut = round < size ? round : size;
        uint8_t *copy = malloc(cut > 0 ? cut : 1);
        memcpy(copy, file, cut);
        for (uint32_t i = 0; round >= size && i < 3; ++i) {
            copy[unit_below(&seed, 148)] = (uint8_t)unit_random(&seed);
        }
        import_asset asset = { 0 };
        const char *why = NULL;
        bool ok = texture_dds_read(copy, cut, TEXTURE_USAGE_UNKNOWN, 0, &asset, &why);
        assert_true(ok != (why != NULL));
        assert_false(ok && round < size);
        import_asset_free(&asset);
        free(copy);
    }
    free(file);
}

static void bad_images_are_named(void **state)
{
    (void)state;
    static const char text[] = "not an image";
    import_result result = { 0 };
    import_image image = { .name = (char *)"m.glb#0", .bytes = (uint8_t *)text, .size = sizeof(text) };
    assert_false(texture_import(&image, image.name, &(texture_settings){ 0 }, &result));
    image.width = 1u << 31;
    image.height = 1u << 31;
    assert_false(texture_import(&image, image.name, &(texture_settings){ 0 }, &result));
    assert_int_equal(result.asset_count, 0);
    assert_int_equal(result.message_count, 2);
    assert_non_null(strstr(result.messages[0].text, "m.glb#0"));
    import_result_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mips_follow_the_colour_space),
        cmocka_unit_test(mips_of_odd_sizes_end_at_one_texel),
        cmocka_unit_test(normals_stay_unit_vectors),
        cmocka_unit_test(cutouts_keep_their_coverage),
        cmocka_unit_test(names_tell_the_usage),
        cmocka_unit_test(texels_overrule_names_materials_less_and_rules_never),
        cmocka_unit_test(encoded_levels_decode_to_what_went_in),
        cmocka_unit_test(halves_round_and_stay_finite),
        cmocka_unit_test(dds_goes_there_and_back),
        cmocka_unit_test(hostile_dds_is_refused_or_read),
        cmocka_unit_test(bad_images_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
