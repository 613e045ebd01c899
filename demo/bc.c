/* bc.c - BC1 to BC5, as the Direct3D 11 specification defines them (interpolation rounded to nearest). */
#include "bc.h"

#include <string.h>

bool bc_can_decode(leat_format format)
{
    return format >= LEAT_FORMAT_BC1_UNORM && format <= LEAT_FORMAT_BC5_SNORM;
}

static void color_block(const uint8_t *block, bool may_punch, uint8_t texels[16][4])
{
    uint32_t c[2] = { (uint32_t)(block[0] | block[1] << 8), (uint32_t)(block[2] | block[3] << 8) };
    uint8_t palette[4][4];
    for (int i = 0; i < 2; ++i) {
        uint32_t r = c[i] >> 11, g = c[i] >> 5 & 63, b = c[i] & 31;
        palette[i][0] = (uint8_t)(r << 3 | r >> 2);
        palette[i][1] = (uint8_t)(g << 2 | g >> 4);
        palette[i][2] = (uint8_t)(b << 3 | b >> 2);
        palette[i][3] = 255;
    }
    bool punch = may_punch && c[0] <= c[1];
    for (int k = 0; k < 3; ++k) {
        int a = palette[0][k], b = palette[1][k];
        palette[2][k] = (uint8_t)(punch ? (a + b) / 2 : (2 * a + b + 1) / 3);
        palette[3][k] = (uint8_t)(punch ? 0 : (a + 2 * b + 1) / 3);
    }
    palette[2][3] = 255;
    palette[3][3] = punch ? 0 : 255;
    for (int i = 0; i < 16; ++i) {
        memcpy(texels[i], palette[block[4 + i / 4] >> (i % 4 * 2) & 3], 4);
    }
}

static void channel_block(const uint8_t *block, bool is_signed, uint8_t texels[16][4], int channel)
{
    int a = is_signed ? (int8_t)block[0] + 128 : block[0], b = is_signed ? (int8_t)block[1] + 128 : block[1];
    int palette[8] = { a, b };
    for (int i = 1; i < 7; ++i) {
        palette[i + 1] = a > b    ? ((7 - i) * a + i * b + 3) / 7
                         : i < 5  ? ((5 - i) * a + i * b + 2) / 5
                         : i == 5 ? 0
                                  : 255;
    }
    uint64_t bits = 0;
    for (int i = 0; i < 6; ++i) {
        bits |= (uint64_t)block[2 + i] << (8 * i);
    }
    for (int i = 0; i < 16; ++i) {
        texels[i][channel] = (uint8_t)palette[bits >> (3 * i) & 7];
    }
}

static void block_decode(leat_format format, const uint8_t *block, uint8_t texels[16][4])
{
    switch (format) {
    case LEAT_FORMAT_BC1_UNORM:
    case LEAT_FORMAT_BC1_SRGB:
        color_block(block, true, texels);
        break;
    case LEAT_FORMAT_BC2_UNORM:
    case LEAT_FORMAT_BC2_SRGB:
        color_block(block + 8, false, texels);
        for (int i = 0; i < 16; ++i) {
            texels[i][3] = (uint8_t)((block[i / 2] >> (i % 2 * 4) & 15) * 17);
        }
        break;
    case LEAT_FORMAT_BC3_UNORM:
    case LEAT_FORMAT_BC3_SRGB:
        color_block(block + 8, false, texels);
        channel_block(block, false, texels, 3);
        break;
    default:
        for (int i = 0; i < 16; ++i) {
            texels[i][1] = texels[i][2] = 0;
            texels[i][3] = 255;
        }
        channel_block(block, format == LEAT_FORMAT_BC4_SNORM || format == LEAT_FORMAT_BC5_SNORM, texels, 0);
        if (format == LEAT_FORMAT_BC5_UNORM || format == LEAT_FORMAT_BC5_SNORM) {
            channel_block(block + 8, format == LEAT_FORMAT_BC5_SNORM, texels, 1);
        }
        break;
    }
}

void bc_decode_row(leat_format format, const uint8_t *blocks, uint32_t width, uint32_t height, uint8_t *rgba)
{
    uint32_t block_size = leat_format_block_size(format);
    for (uint32_t x = 0; x < width; x += 4, blocks += block_size) {
        uint8_t texels[16][4];
        block_decode(format, blocks, texels);
        uint32_t columns = width - x < 4 ? width - x : 4;
        for (uint32_t y = 0; y < height && y < 4; ++y) {
            memcpy(rgba + ((size_t)y * width + x) * 4, texels[y * 4], (size_t)columns * 4);
        }
    }
}
