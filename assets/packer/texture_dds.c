/* texture_dds.c - DDS files: in, with their mips as they are, and out. What a header says: dds.h. */
#include "dds.h"
#include "pack_index.h"
#include "texture.h"

#include <stdlib.h>
#include <string.h>

#define DDS_FLAG_MIPS 0x20000u
#define DDS_CAPS2_CUBE 0x200u
#define DDS_CAPS2_CUBE_FACES 0xfc00u
#define DDS_PIXEL_FOURCC 0x4u
#define DDS_MISC_CUBE 0x4u
#define FOURCC(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

static void u32_put(uint8_t *bytes, uint32_t offset, uint32_t value)
{
    for (uint32_t i = 0; i < 4; ++i) {
        bytes[offset + i] = (uint8_t)(value >> (i * 8));
    }
}

/* The largest mip_count levels. */
static void texels_copy(const dds *d, const uint8_t *data, uint32_t mip_count, import_asset *asset)
{
    uint64_t at = 0;
    for (uint32_t mip = mip_count; mip-- > 0;) {
        uint64_t size = pack_mip_size(d->format, d->width, d->height, 1, mip);
        if (at > 0) {
            asset->cuts[asset->cut_count++] = at;
        }
        for (uint32_t layer = 0; layer < d->layer_count; ++layer, at += size) {
            memcpy(asset->raw + at, data + dds_level_offset(d, layer, mip), size);
        }
    }
    for (uint64_t i = 0; d->swap && i + 3 < asset->raw_size; i += 4) {
        uint8_t blue = asset->raw[i];
        asset->raw[i] = asset->raw[i + 2];
        asset->raw[i + 2] = blue;
    }
}

bool texture_dds_read(const uint8_t *bytes, uint64_t size, texture_usage usage, uint32_t mip_count_max,
                      import_asset *asset, const char **why)
{
    dds d;
    *why = dds_header_read(bytes, size, usage == TEXTURE_USAGE_COLOR || usage == TEXTURE_USAGE_UNKNOWN, &d);
    if (*why != NULL) {
        return false;
    }
    uint32_t mip_count = mip_count_max > 0 ? u32_min(d.mip_count, mip_count_max) : d.mip_count;
    leat_pack_texture_metadata *m = calloc(1, sizeof(*m));
    asset->type = LEAT_ASSET_TEXTURE;
    asset->metadata = m;
    asset->metadata_size = sizeof(*m);
    asset->raw_size = pack_mips_size(d.format, d.width, d.height, d.layer_count, mip_count);
    asset->raw = malloc(asset->raw_size);
    asset->cuts = calloc(mip_count, sizeof(*asset->cuts));
    if (m == NULL || asset->raw == NULL || asset->cuts == NULL) {
        *why = "is too large for the memory that there is";
        return false;
    }
    bool alpha = d.format == LEAT_FORMAT_BC2_SRGB || d.format == LEAT_FORMAT_BC3_SRGB ||
                 d.format == LEAT_FORMAT_BC7_SRGB || d.format == LEAT_FORMAT_RGBA8_SRGB;
    *m = (leat_pack_texture_metadata){
        .width = d.width,
        .height = d.height,
        .mip_count = (uint16_t)mip_count,
        .layer_count = (uint16_t)d.layer_count,
        .format = d.format,
        .flags = (usage == TEXTURE_USAGE_NORMAL ? LEAT_TEXTURE_NORMAL_MAP : 0) | (d.cube ? LEAT_TEXTURE_CUBE : 0) |
                 (alpha ? LEAT_TEXTURE_ALPHA : 0),
    };
    texels_copy(&d, bytes + d.data, mip_count, asset);
    return true;
}

uint8_t *texture_dds_write(const leat_pack_texture_metadata *m, const uint8_t *raw, uint64_t raw_size, uint64_t *size)
{
    uint32_t header = DDS_HEADER_SIZE + DDS_DX10_SIZE;
    uint8_t *bytes = calloc(1, header + raw_size);
    if (bytes == NULL) {
        return NULL;
    }
    bool cube = (m->flags & LEAT_TEXTURE_CUBE) != 0;
    dds d = { .width = m->width, .height = m->height, .mip_count = m->mip_count, .format = m->format };
    memcpy(bytes, "DDS ", 4);
    u32_put(bytes, 4, 124);
    u32_put(bytes, 8, 0x1007u | DDS_FLAG_MIPS); /* caps, height, width, pixel format, mips */
    u32_put(bytes, 12, m->height);
    u32_put(bytes, 16, m->width);
    u32_put(bytes, 28, m->mip_count);
    u32_put(bytes, 76, 32);
    u32_put(bytes, 80, DDS_PIXEL_FOURCC);
    u32_put(bytes, 84, FOURCC('D', 'X', '1', '0'));
    u32_put(bytes, 108, 0x401008); /* texture, complex, mips */
    u32_put(bytes, 112, cube ? DDS_CAPS2_CUBE | DDS_CAPS2_CUBE_FACES : 0);
    u32_put(bytes, 128, dds_dxgi_of(m->format));
    u32_put(bytes, 132, 3); /* 2D */
    u32_put(bytes, 136, cube ? DDS_MISC_CUBE : 0);
    u32_put(bytes, 140, cube ? m->layer_count / 6u : m->layer_count);
    for (uint32_t mip = m->mip_count; mip-- > 0;) {
        uint64_t one = pack_mip_size(m->format, m->width, m->height, 1, mip);
        for (uint32_t layer = 0; layer < m->layer_count; ++layer, raw += one) {
            memcpy(bytes + header + dds_level_offset(&d, layer, mip), raw, one);
        }
    }
    *size = header + raw_size;
    return bytes;
}
