/* font.h - the one font of the viewer. font_data.c holds it. */
#ifndef VIEW_FONT_H
#define VIEW_FONT_H

#include <stdint.h>

#define FONT_GLYPH_COUNT 95 /* ' ' to '~' */
#define FONT_ATLAS_WIDTH 256
#define FONT_ATLAS_HEIGHT 240
#define FONT_LINE_HEIGHT 30.0f /* pixels of the atlas; sizes are relative to it */

typedef struct font_glyph {
    uint8_t x, y, width, height; /* in the atlas */
    int8_t offset_x, offset_y; /* of the top left corner from the pen, y down from the line's top */
    float advance;
} font_glyph;

extern const font_glyph font_glyphs[FONT_GLYPH_COUNT];
extern const char font_texels[FONT_ATLAS_HEIGHT][FONT_ATLAS_WIDTH + 1];

#endif
