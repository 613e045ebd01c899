/* texture_decode.c - BC1 to BC5, RGBA8, R8 and RG8 to RGBA8, for extracting and for tests.
 *
 * After the "Block Compression" chapter of the Direct3D 11 functional specification: interpolated colours are rounded
 * down of thirds; hardware may differ by one. */
#include "base.h"
#include "texture.h"

#include <math.h>
#include <string.h>

static void color_block(const uint8_t *from, bool four_colors, uint8_t texels[64])
{
    uint32_t ends[2] = { from[0] | (uint32_t)from[1] << 8, from[2] | (uint32_t)from[3] << 8 };
    uint8_t palette[4][4];
    for (uint32_t i = 0; i < 2; ++i) {
        uint32_t red = ends[i] >> 11, green = ends[i] >> 5 & 63, blue = ends[i] & 31;
        palette[i][0] = (uint8_t)(red << 3 | red >> 2);
        palette[i][1] = (uint8_t)(green << 2 | green >> 4);
        palette[i][2] = (uint8_t)(blue << 3 | blue >> 2);
        palette[i][3] = 255;
    }
    bool four = four_colors || ends[0] > ends[1];
    for (uint32_t c = 0; c < 4; ++c) {
        uint32_t a = palette[0][c], b = palette[1][c];
        palette[2][c] = (uint8_t)(four ? (2 * a + b) / 3 : (a + b) / 2);
        palette[3][c] = (uint8_t)(four ? (a + 2 * b) / 3 : 0);
    }
    for (uint32_t i = 0; i < 16; ++i) {
        memcpy(texels + i * 4, palette[from[4 + i / 4] >> (i % 4 * 2) & 3], 4);
    }
}

/* One channel of a BC3, BC4 or BC5 block, unsigned, into every fourth byte. */
static void channel_block(const uint8_t *from, uint8_t *texels)
{
    uint32_t palette[8] = { from[0], from[1] };
    bool eight = from[0] > from[1];
    uint32_t steps = eight ? 7 : 5;
    for (uint32_t i = 1; i < steps; ++i) {
        palette[i + 1] = ((steps - i) * from[0] + i * from[1]) / steps;
    }
    if (!eight) {
        palette[6] = 0;
        palette[7] = 255;
    }
    uint64_t bits = 0;
    for (uint32_t i = 0; i < 6; ++i) {
        bits |= (uint64_t)from[2 + i] << (i * 8);
    }
    for (uint32_t i = 0; i < 16; ++i) {
        texels[i * 4] = (uint8_t)palette[bits >> (i * 3) & 7];
    }
}

/* z of a unit normal, from x and y. */
static uint8_t normal_z(uint8_t x, uint8_t y)
{
    float a = (float)x / 127.5f - 1, b = (float)y / 127.5f - 1;
    float rest = 1 - a * a - b * b;
    return (uint8_t)lrintf((rest > 0 ? sqrtf(rest) : 0) * 127.5f + 127.5f);
}

static void block_decode(uint32_t format, const uint8_t *from, uint8_t texels[64])
{
    switch (format) {
    case LEAT_FORMAT_BC2_UNORM:
    case LEAT_FORMAT_BC2_SRGB:
        color_block(from + 8, true, texels);
        for (uint32_t i = 0; i < 16; ++i) {
            texels[i * 4 + 3] = (uint8_t)((from[i / 2] >> (i % 2 * 4) & 15) * 17);
        }
        return;
    case LEAT_FORMAT_BC3_UNORM:
    case LEAT_FORMAT_BC3_SRGB:
        color_block(from + 8, true, texels);
        channel_block(from, texels + 3);
        return;
    case LEAT_FORMAT_BC4_UNORM:
        channel_block(from, texels);
        for (uint32_t i = 0; i < 16; ++i) {
            texels[i * 4 + 1] = texels[i * 4 + 2] = texels[i * 4];
            texels[i * 4 + 3] = 255;
        }
        return;
    case LEAT_FORMAT_BC5_UNORM:
        channel_block(from, texels);
        channel_block(from + 8, texels + 1);
        for (uint32_t i = 0; i < 16; ++i) {
            texels[i * 4 + 2] = normal_z(texels[i * 4], texels[i * 4 + 1]);
            texels[i * 4 + 3] = 255;
        }
        return;
    default:
        color_block(from, false, texels);
        return;
    }
}

static void plain_decode(uint32_t channels, uint64_t count, const uint8_t *from, uint8_t *rgba)
{
    for (uint64_t i = 0; i < count; ++i) {
        rgba[i * 4] = from[i * channels];
        rgba[i * 4 + 1] = from[i * channels + (channels > 1 ? 1 : 0)];
        rgba[i * 4 + 2] = channels == 1 ? from[i] : 0;
        rgba[i * 4 + 3] = 255;
    }
}

bool texture_decode(uint32_t format, uint32_t width, uint32_t height, const uint8_t *from, uint8_t *rgba)
{
    uint64_t count = (uint64_t)width * height;
    switch (format) {
    case LEAT_FORMAT_RGBA8_UNORM:
    case LEAT_FORMAT_RGBA8_SRGB:
        memcpy(rgba, from, count * 4);
        return true;
    case LEAT_FORMAT_R8_UNORM:
    case LEAT_FORMAT_RG8_UNORM:
        plain_decode(format == LEAT_FORMAT_R8_UNORM ? 1 : 2, count, from, rgba);
        return true;
    case LEAT_FORMAT_BC4_SNORM:
    case LEAT_FORMAT_BC5_SNORM:
        return false;
    default:
        if (format < LEAT_FORMAT_BC1_UNORM || format > LEAT_FORMAT_BC5_UNORM) {
            return false;
        }
    }
    uint32_t block_size = leat_format_block_size((leat_format)format);
    for (uint32_t top = 0; top < height; top += 4) {
        for (uint32_t left = 0; left < width; left += 4, from += block_size) {
            uint8_t texels[64];
            block_decode(format, from, texels);
            uint32_t columns = u32_min(4, width - left);
            for (uint32_t y = 0; y < 4 && top + y < height; ++y) {
                memcpy(rgba + ((uint64_t)(top + y) * width + left) * 4, texels + y * 16, columns * 4);
            }
        }
    }
    return true;
}

float float_from_half(uint16_t half)
{
    uint32_t exponent = half >> 10 & 31u, fraction = half & 1023u;
    float value = exponent == 0 ? ldexpf((float)fraction, -24) : ldexpf((float)(fraction + 1024u), (int)exponent - 25);
    return half & 0x8000u ? -value : value;
}
