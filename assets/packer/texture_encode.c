/* texture_encode.c - mip chains to the bytes of an asset: BC1, BC3, BC4, BC5 by stb_dxt, RGBA8 or RGBA16F.
 *
 * Levels go in smallest first. Blocks that hang over the edge repeat the last row and column. */
#include "texture.h"
#include "pack_index.h"

#include <stdlib.h>
#include <string.h>

#include <stb_dxt.h>

#define BLOCK_EDGE 4u
#define CUTOFF_DEFAULT 0.5f

uint16_t half_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    uint32_t sign = (bits >> 16) & 0x8000u;
    uint32_t rest = bits & 0x7fffffffu;
    if (rest > 0x7f800000u) { /* not a number */
        return 0;
    }
    if (rest >= 0x477ff000u) { /* beyond 65504, infinity as well: the largest number, as GPUs filter infinities badly */
        return (uint16_t)(sign | 0x7bffu);
    }
    if (rest < 0x38800000u) { /* below 2^-14: a multiple of 2^-24 */
        float scaled;
        memcpy(&scaled, &rest, sizeof(scaled));
        return (uint16_t)(sign | (uint32_t)(scaled * 16777216.0f + 0.5f));
    }
    uint32_t rounded = rest + 0xfffu + ((rest >> 13) & 1u);
    return (uint16_t)(sign | ((rounded - 0x38000000u) >> 13));
}

static uint32_t format_of(const texture_chain *chain, texture_format wanted)
{
    const texture_level *top = &chain->levels[0];
    bool color = chain->usage == TEXTURE_USAGE_COLOR;
    if (top->pixels == NULL) {
        return LEAT_FORMAT_RGBA16_FLOAT;
    }
    if (wanted == TEXTURE_FORMAT_RGBA8 || top->width < BLOCK_EDGE || top->height < BLOCK_EDGE) {
        return color ? LEAT_FORMAT_RGBA8_SRGB : LEAT_FORMAT_RGBA8_UNORM;
    }
    switch (chain->usage) {
    case TEXTURE_USAGE_NORMAL:
        return LEAT_FORMAT_BC5_UNORM;
    case TEXTURE_USAGE_MASK:
        return LEAT_FORMAT_BC4_UNORM;
    case TEXTURE_USAGE_DATA:
        return chain->alpha ? LEAT_FORMAT_BC3_UNORM : LEAT_FORMAT_BC1_UNORM;
    default:
        return chain->alpha ? LEAT_FORMAT_BC3_SRGB : LEAT_FORMAT_BC1_SRGB;
    }
}

static void block_gather(const texture_level *level, uint32_t left, uint32_t top, uint8_t block[64])
{
    for (uint32_t y = 0; y < BLOCK_EDGE; ++y) {
        uint32_t row = u32_min(top + y, level->height - 1);
        for (uint32_t x = 0; x < BLOCK_EDGE; ++x) {
            uint32_t column = u32_min(left + x, level->width - 1);
            memcpy(block + (y * BLOCK_EDGE + x) * 4, level->pixels + ((size_t)row * level->width + column) * 4, 4);
        }
    }
}

static uint32_t block_encode(uint32_t format, const uint8_t block[64], uint8_t *to)
{
    uint8_t channels[32];
    switch (format) {
    case LEAT_FORMAT_BC4_UNORM:
        for (uint32_t i = 0; i < 16; ++i) {
            channels[i] = block[i * 4];
        }
        stb_compress_bc4_block(to, channels);
        return 8;
    case LEAT_FORMAT_BC5_UNORM:
        for (uint32_t i = 0; i < 16; ++i) {
            channels[i * 2] = block[i * 4];
            channels[i * 2 + 1] = block[i * 4 + 1];
        }
        stb_compress_bc5_block(to, channels);
        return 16;
    case LEAT_FORMAT_BC3_UNORM:
    case LEAT_FORMAT_BC3_SRGB:
        stb_compress_dxt_block(to, block, 1, STB_DXT_HIGHQUAL);
        return 16;
    default:
        stb_compress_dxt_block(to, block, 0, STB_DXT_HIGHQUAL);
        return 8;
    }
}

static uint64_t level_encode(const texture_level *level, uint32_t format, uint8_t *to)
{
    uint64_t texels = (uint64_t)level->width * level->height;
    if (format == LEAT_FORMAT_RGBA16_FLOAT) {
        for (uint64_t i = 0; i < texels * 4; ++i) {
            uint16_t half = half_from_float(level->pixels_float[i]);
            memcpy(to + i * 2, &half, 2);
        }
        return texels * 8;
    }
    if (leat_format_block_edge((leat_format)format) == 1) {
        memcpy(to, level->pixels, texels * 4);
        return texels * 4;
    }
    uint64_t size = 0;
    for (uint32_t top = 0; top < level->height; top += BLOCK_EDGE) {
        for (uint32_t left = 0; left < level->width; left += BLOCK_EDGE) {
            uint8_t block[64];
            block_gather(level, left, top, block);
            size += block_encode(format, block, to + size);
        }
    }
    return size;
}

bool texture_encode(const texture_chain *chain, texture_format wanted, import_asset *asset)
{
    const texture_level *top = &chain->levels[0];
    uint32_t format = format_of(chain, wanted);
    leat_pack_texture_metadata *m = calloc(1, sizeof(*m));
    asset->type = LEAT_ASSET_TEXTURE;
    asset->metadata = m;
    asset->metadata_size = sizeof(*m);
    asset->raw_size = pack_mips_size(format, top->width, top->height, 1, chain->level_count);
    asset->raw = malloc(asset->raw_size);
    asset->cuts = calloc(chain->level_count, sizeof(*asset->cuts));
    if (m == NULL || asset->raw == NULL || asset->cuts == NULL) {
        return false;
    }
    bool color = chain->usage == TEXTURE_USAGE_COLOR;
    *m = (leat_pack_texture_metadata){
        .width = top->width,
        .height = top->height,
        .mip_count = (uint16_t)chain->level_count,
        .layer_count = 1,
        .format = format,
        .flags = (chain->usage == TEXTURE_USAGE_NORMAL ? LEAT_TEXTURE_NORMAL_MAP : 0) |
                 (color && chain->alpha ? LEAT_TEXTURE_ALPHA : 0) | (chain->cutout ? LEAT_TEXTURE_CUTOUT : 0),
        .alpha_cutoff = chain->cutout ? CUTOFF_DEFAULT : 0,
    };
    uint64_t at = 0;
    for (uint32_t i = chain->level_count; i-- > 0;) {
        if (at > 0) {
            asset->cuts[asset->cut_count++] = at;
        }
        at += level_encode(&chain->levels[i], format, asset->raw + at);
    }
    ASSERT(at == asset->raw_size);
    return true;
}
