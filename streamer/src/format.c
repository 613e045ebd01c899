/* format.c - texel formats: names and block sizes. Pure. */
#include "base.h"

typedef struct format_row {
    leat_format format;
    const char *text;
    uint8_t block_size;
    uint8_t block_edge;
} format_row;

static const format_row formats[] = {
    { LEAT_FORMAT_RGBA8_UNORM, "RGBA8_UNORM", 4, 1 },   { LEAT_FORMAT_RGBA8_SRGB, "RGBA8_SRGB", 4, 1 },
    { LEAT_FORMAT_R8_UNORM, "R8_UNORM", 1, 1 },         { LEAT_FORMAT_RG8_UNORM, "RG8_UNORM", 2, 1 },
    { LEAT_FORMAT_RGBA16_FLOAT, "RGBA16_FLOAT", 8, 1 }, { LEAT_FORMAT_BC1_UNORM, "BC1_UNORM", 8, 4 },
    { LEAT_FORMAT_BC1_SRGB, "BC1_SRGB", 8, 4 },         { LEAT_FORMAT_BC2_UNORM, "BC2_UNORM", 16, 4 },
    { LEAT_FORMAT_BC2_SRGB, "BC2_SRGB", 16, 4 },        { LEAT_FORMAT_BC3_UNORM, "BC3_UNORM", 16, 4 },
    { LEAT_FORMAT_BC3_SRGB, "BC3_SRGB", 16, 4 },        { LEAT_FORMAT_BC4_UNORM, "BC4_UNORM", 8, 4 },
    { LEAT_FORMAT_BC4_SNORM, "BC4_SNORM", 8, 4 },       { LEAT_FORMAT_BC5_UNORM, "BC5_UNORM", 16, 4 },
    { LEAT_FORMAT_BC5_SNORM, "BC5_SNORM", 16, 4 },      { LEAT_FORMAT_BC6H_UFLOAT, "BC6H_UFLOAT", 16, 4 },
    { LEAT_FORMAT_BC6H_SFLOAT, "BC6H_SFLOAT", 16, 4 },  { LEAT_FORMAT_BC7_UNORM, "BC7_UNORM", 16, 4 },
    { LEAT_FORMAT_BC7_SRGB, "BC7_SRGB", 16, 4 },
};

static const format_row *row_of(leat_format format)
{
    for (size_t i = 0; i < COUNT_OF(formats); ++i) {
        if (formats[i].format == format) {
            return &formats[i];
        }
    }
    return NULL;
}

const char *leat_format_text(leat_format format)
{
    const format_row *row = row_of(format);
    return row != NULL ? row->text : "?";
}

uint32_t leat_format_block_size(leat_format format)
{
    const format_row *row = row_of(format);
    return row != NULL ? row->block_size : 0;
}

uint32_t leat_format_block_edge(leat_format format)
{
    const format_row *row = row_of(format);
    return row != NULL ? row->block_edge : 0;
}
