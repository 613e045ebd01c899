/* dds.c - see dds.h. */
#include "dds.h"

#include "pack_index.h"

#include <string.h>

#define DDS_FLAG_MIPS 0x20000u
#define DDS_CAPS2_CUBE 0x200u
#define DDS_CAPS2_CUBE_FACES 0xfc00u
#define DDS_CAPS2_VOLUME 0x200000u
#define DDS_PIXEL_FOURCC 0x4u
#define DDS_PIXEL_RGB 0x40u
#define DDS_MISC_CUBE 0x4u
#define DDS_LAYERS_MAX 2048u
#define DDS_EDGE_MAX 16384u
#define FOURCC(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

static uint32_t u32_at(const uint8_t *bytes, uint32_t offset)
{
    return (uint32_t)bytes[offset] | (uint32_t)bytes[offset + 1] << 8 | (uint32_t)bytes[offset + 2] << 16 |
           (uint32_t)bytes[offset + 3] << 24;
}

/* DXGI_FORMAT numbers. */
static const struct {
    uint32_t dxgi, format;
} dxgi_formats[] = {
    { 10, LEAT_FORMAT_RGBA16_FLOAT }, { 28, LEAT_FORMAT_RGBA8_UNORM }, { 29, LEAT_FORMAT_RGBA8_SRGB },
    { 49, LEAT_FORMAT_RG8_UNORM },    { 61, LEAT_FORMAT_R8_UNORM },    { 71, LEAT_FORMAT_BC1_UNORM },
    { 72, LEAT_FORMAT_BC1_SRGB },     { 74, LEAT_FORMAT_BC2_UNORM },   { 75, LEAT_FORMAT_BC2_SRGB },
    { 77, LEAT_FORMAT_BC3_UNORM },    { 78, LEAT_FORMAT_BC3_SRGB },    { 80, LEAT_FORMAT_BC4_UNORM },
    { 81, LEAT_FORMAT_BC4_SNORM },    { 83, LEAT_FORMAT_BC5_UNORM },   { 84, LEAT_FORMAT_BC5_SNORM },
    { 95, LEAT_FORMAT_BC6H_UFLOAT },  { 96, LEAT_FORMAT_BC6H_SFLOAT }, { 98, LEAT_FORMAT_BC7_UNORM },
    { 99, LEAT_FORMAT_BC7_SRGB },
};

static uint32_t format_of_dxgi(uint32_t dxgi)
{
    for (uint32_t i = 0; i < COUNT_OF(dxgi_formats); ++i) {
        if (dxgi_formats[i].dxgi == dxgi) {
            return dxgi_formats[i].format;
        }
    }
    return LEAT_FORMAT_NONE;
}

/* Files without the DX10 header do not tell sRGB from linear: the use does. */
static uint32_t format_of_fourcc(uint32_t fourcc, bool color)
{
    switch (fourcc) {
    case FOURCC('D', 'X', 'T', '1'):
        return color ? LEAT_FORMAT_BC1_SRGB : LEAT_FORMAT_BC1_UNORM;
    case FOURCC('D', 'X', 'T', '2'):
    case FOURCC('D', 'X', 'T', '3'):
        return color ? LEAT_FORMAT_BC2_SRGB : LEAT_FORMAT_BC2_UNORM;
    case FOURCC('D', 'X', 'T', '4'):
    case FOURCC('D', 'X', 'T', '5'):
        return color ? LEAT_FORMAT_BC3_SRGB : LEAT_FORMAT_BC3_UNORM;
    case FOURCC('A', 'T', 'I', '1'):
    case FOURCC('B', 'C', '4', 'U'):
        return LEAT_FORMAT_BC4_UNORM;
    case FOURCC('B', 'C', '4', 'S'):
        return LEAT_FORMAT_BC4_SNORM;
    case FOURCC('A', 'T', 'I', '2'):
    case FOURCC('B', 'C', '5', 'U'):
        return LEAT_FORMAT_BC5_UNORM;
    case FOURCC('B', 'C', '5', 'S'):
        return LEAT_FORMAT_BC5_SNORM;
    case 113: /* D3DFMT_A16B16G16R16F */
        return LEAT_FORMAT_RGBA16_FLOAT;
    default:
        return LEAT_FORMAT_NONE;
    }
}

static const char *format_find(const uint8_t *bytes, uint64_t size, bool color, dds *d)
{
    uint32_t flags = u32_at(bytes, 80), fourcc = u32_at(bytes, 84);
    if (flags & DDS_PIXEL_FOURCC && fourcc == FOURCC('D', 'X', '1', '0')) {
        if (size < DDS_HEADER_SIZE + DDS_DX10_SIZE) {
            return "is a DDS file that ends in its header";
        }
        d->data = DDS_HEADER_SIZE + DDS_DX10_SIZE;
        d->format = format_of_dxgi(u32_at(bytes, 128));
        d->cube = (u32_at(bytes, 136) & DDS_MISC_CUBE) != 0;
        uint32_t arrays = u32_at(bytes, 140);
        if (u32_at(bytes, 132) != 3 || arrays == 0 || arrays > DDS_LAYERS_MAX / 6) {
            return "is a DDS file of a kind (1D, 3D or a very large array) that cannot be packed";
        }
        d->layer_count = arrays * (d->cube ? 6 : 1);
    } else if (flags & DDS_PIXEL_FOURCC) {
        d->format = format_of_fourcc(fourcc, color);
    } else if (flags & DDS_PIXEL_RGB && u32_at(bytes, 88) == 32 && u32_at(bytes, 96) == 0xff00) {
        d->format = color ? LEAT_FORMAT_RGBA8_SRGB : LEAT_FORMAT_RGBA8_UNORM;
        d->swap = u32_at(bytes, 92) == 0xff0000;
    }
    return d->format == LEAT_FORMAT_NONE ? "is a DDS file in a format other than BC1 to BC7, RGBA8, R8, RG8 or RGBA16F"
                                         : NULL;
}

const char *dds_header_read(const uint8_t *bytes, uint64_t size, bool color, dds *d)
{
    if (size < DDS_HEADER_SIZE || memcmp(bytes, "DDS ", 4) != 0 || u32_at(bytes, 4) != 124 || u32_at(bytes, 76) != 32) {
        return "is a DDS file with a broken header";
    }
    uint32_t caps2 = u32_at(bytes, 112);
    *d = (dds){ .height = u32_at(bytes, 12), .width = u32_at(bytes, 16), .layer_count = 1, .data = DDS_HEADER_SIZE };
    d->mip_count = u32_at(bytes, 8) & DDS_FLAG_MIPS ? u32_max(u32_at(bytes, 28), 1) : 1;
    if (caps2 & DDS_CAPS2_VOLUME) {
        return "is a DDS volume texture, which cannot be packed";
    }
    if (caps2 & DDS_CAPS2_CUBE) {
        if ((caps2 & DDS_CAPS2_CUBE_FACES) != DDS_CAPS2_CUBE_FACES) {
            return "is a DDS cube map without all six faces";
        }
        d->cube = true;
        d->layer_count = 6;
    }
    const char *why = format_find(bytes, size, color, d);
    if (why != NULL) {
        return why;
    }
    uint32_t edge = u32_max(d->width, d->height);
    if (d->width == 0 || d->height == 0 || edge > DDS_EDGE_MAX || (d->cube && d->width != d->height)) {
        return "is a DDS file with dimensions that cannot be";
    }
    d->mip_count = u32_min(d->mip_count, 32u - (uint32_t)__builtin_clz(edge)); /* some writers count one too many */
    uint64_t needed = pack_mips_size(d->format, d->width, d->height, d->layer_count, d->mip_count);
    ASSERT(needed > 0); /* format, dimensions, layers and levels were all found to be some that there are */
    return needed > size - d->data ? "is a DDS file that is shorter than its texels" : NULL;
}

uint64_t dds_level_offset(const dds *d, uint32_t layer, uint32_t mip)
{
    uint64_t offset = layer * pack_mips_size(d->format, d->width, d->height, 1, d->mip_count);
    for (uint32_t i = 0; i < mip; ++i) {
        offset += pack_mip_size(d->format, d->width, d->height, 1, i);
    }
    return offset;
}

uint32_t dds_dxgi_of(uint32_t format)
{
    for (uint32_t i = 0; i < COUNT_OF(dxgi_formats); ++i) {
        if (dxgi_formats[i].format == format) {
            return dxgi_formats[i].dxgi;
        }
    }
    return 0;
}
