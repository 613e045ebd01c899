// Recipes with lettering: enamel and brass plates, painted boards, posters. `text` has one to three lines, '\n'
// between. Pure functions; any thread.
//
// The alphabet is a bitmap of 5 by 7 cells a letter; sampling it with smooth interpolation and a threshold gives
// rounded letters at any size.
#include "noise.h"
#include "surface.h"

#include <string.h>

enum { LINES_MAX = 3, LETTER_WIDTH = 5, LETTER_HEIGHT = 7 };

// Rows from the top, the highest of five bits on the left. From ' ' to 'Z'; absent letters are blank.
static const uint8_t letters[59][LETTER_HEIGHT] = {
    ['!' - ' '] = { 4, 4, 4, 4, 4, 0, 4 },        ['&' - ' '] = { 12, 18, 20, 8, 21, 18, 13 },
    ['\'' - ' '] = { 4, 4, 0, 0, 0, 0, 0 },       ['+' - ' '] = { 0, 4, 4, 31, 4, 4, 0 },
    ['-' - ' '] = { 0, 0, 0, 31, 0, 0, 0 },       ['.' - ' '] = { 0, 0, 0, 0, 0, 12, 12 },
    ['/' - ' '] = { 1, 1, 2, 4, 8, 16, 16 },      ['0' - ' '] = { 14, 17, 19, 21, 25, 17, 14 },
    ['1' - ' '] = { 4, 12, 4, 4, 4, 4, 14 },      ['2' - ' '] = { 14, 17, 1, 2, 4, 8, 31 },
    ['3' - ' '] = { 31, 2, 4, 2, 1, 17, 14 },     ['4' - ' '] = { 2, 6, 10, 18, 31, 2, 2 },
    ['5' - ' '] = { 31, 16, 30, 1, 1, 17, 14 },   ['6' - ' '] = { 6, 8, 16, 30, 17, 17, 14 },
    ['7' - ' '] = { 31, 1, 2, 4, 8, 8, 8 },       ['8' - ' '] = { 14, 17, 17, 14, 17, 17, 14 },
    ['9' - ' '] = { 14, 17, 17, 15, 1, 2, 12 },   [':' - ' '] = { 0, 12, 12, 0, 12, 12, 0 },
    ['A' - ' '] = { 14, 17, 17, 31, 17, 17, 17 }, ['B' - ' '] = { 30, 17, 17, 30, 17, 17, 30 },
    ['C' - ' '] = { 14, 17, 16, 16, 16, 17, 14 }, ['D' - ' '] = { 28, 18, 17, 17, 17, 18, 28 },
    ['E' - ' '] = { 31, 16, 16, 30, 16, 16, 31 }, ['F' - ' '] = { 31, 16, 16, 30, 16, 16, 16 },
    ['G' - ' '] = { 14, 17, 16, 23, 17, 17, 15 }, ['H' - ' '] = { 17, 17, 17, 31, 17, 17, 17 },
    ['I' - ' '] = { 14, 4, 4, 4, 4, 4, 14 },      ['J' - ' '] = { 7, 2, 2, 2, 2, 18, 12 },
    ['K' - ' '] = { 17, 18, 20, 24, 20, 18, 17 }, ['L' - ' '] = { 16, 16, 16, 16, 16, 16, 31 },
    ['M' - ' '] = { 17, 27, 21, 21, 17, 17, 17 }, ['N' - ' '] = { 17, 17, 25, 21, 19, 17, 17 },
    ['O' - ' '] = { 14, 17, 17, 17, 17, 17, 14 }, ['P' - ' '] = { 30, 17, 17, 30, 16, 16, 16 },
    ['Q' - ' '] = { 14, 17, 17, 17, 21, 18, 13 }, ['R' - ' '] = { 30, 17, 17, 30, 20, 18, 17 },
    ['S' - ' '] = { 15, 16, 16, 14, 1, 1, 30 },   ['T' - ' '] = { 31, 4, 4, 4, 4, 4, 4 },
    ['U' - ' '] = { 17, 17, 17, 17, 17, 17, 14 }, ['V' - ' '] = { 17, 17, 17, 17, 17, 10, 4 },
    ['W' - ' '] = { 17, 17, 17, 21, 21, 21, 10 }, ['X' - ' '] = { 17, 17, 10, 4, 10, 17, 17 },
    ['Y' - ' '] = { 17, 17, 17, 10, 4, 4, 4 },    ['Z' - ' '] = { 31, 1, 2, 4, 8, 16, 31 },
};

static float letter_cell(const char *line, int length, int column, int row)
{
    int index = column / (LETTER_WIDTH + 1), x = column % (LETTER_WIDTH + 1);
    if (column < 0 || row < 0 || row >= LETTER_HEIGHT || x >= LETTER_WIDTH || index >= length) {
        return 0;
    }
    int letter = line[index] - ' ';
    return letter >= 0 && letter < 59 ? (float)(letters[letter][row] >> (LETTER_WIDTH - 1 - x) & 1) : 0;
}

// 1 inside a stroke, 0 outside, soft between. x and y in cells of the bitmap.
static float letter_ink(const char *line, int length, float x, float y)
{
    x -= 0.5f;
    y -= 0.5f;
    int column = (int)floorf(x), row = (int)floorf(y);
    float s = x - (float)column, t = y - (float)row;
    float top = mixf(letter_cell(line, length, column, row), letter_cell(line, length, column + 1, row), s);
    float bottom = mixf(letter_cell(line, length, column, row + 1), letter_cell(line, length, column + 1, row + 1), s);
    return smoothf(0.40f, 0.60f, mixf(top, bottom, t));
}

// The text centred in the square between `margin` and 1 - margin, each line as large as fits.
static float text_ink(const char *text, float u, float v, float margin)
{
    const char *lines[LINES_MAX] = { text };
    int lengths[LINES_MAX] = { 0 }, count = 1;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\n' && count < LINES_MAX) {
            lines[count++] = at + 1;
        } else {
            lengths[count - 1]++;
        }
    }
    float room = 1 - 2 * margin, line_height = room / (float)count;
    int line = (int)floorf((v - margin) / line_height);
    if (line < 0 || line >= count || lengths[line] == 0) {
        return 0;
    }
    float columns = (float)(lengths[line] * (LETTER_WIDTH + 1) - 1);
    float cell = room / columns, tallest = line_height * 0.82f / LETTER_HEIGHT;
    // A single letter may be wide; long lines may be tall: up to 1.6 to 1 keeps both readable.
    float cell_y = cell * 1.6f < tallest ? cell * 1.6f : tallest;
    cell = cell < cell_y * 1.15f ? cell : cell_y * 1.15f;
    float x = (u - 0.5f) / cell + columns * 0.5f;
    float y = (v - margin - line_height * ((float)line + 0.5f)) / cell_y + LETTER_HEIGHT * 0.5f;
    return letter_ink(lines[line], lengths[line], x, y);
}

// Distance to the rim of a rectangle with round corners, positive inside.
static float rim_distance(float u, float v, float inset, float corner)
{
    float x = fabsf(u - 0.5f) - (0.5f - inset - corner), y = fabsf(v - 0.5f) - (0.5f - inset - corner);
    float out_x = x > 0 ? x : 0, out_y = y > 0 ? y : 0, inside = x > y ? x : y;
    return corner - sqrtf(out_x * out_x + out_y * out_y) - (inside < 0 ? inside : 0);
}

void recipe_sign_enamel(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    float ink = text_ink(surface->text, u, v, 0.16f), rim = rim_distance(u, v, 0.0f, 0.08f);
    float border = smoothf(0.045f, 0.052f, rim) * smoothf(0.085f, 0.078f, rim), cloud = noise_fbm(u, v, 4, 4, seed);
    surface_color(surface, 0, out->color);
    color_scale(out->color, 1 + 0.07f * cloud);
    surface_blend(surface, 2, ink > border ? ink : border, out->color);
    out->height = 0.5f + 0.2f * smoothf(0.0f, 0.03f, rim) + 0.06f * ink + 0.02f * cloud;
    out->rough = 0.14f + 0.06f * cloud;
    float chip = smoothf(0.50f, 0.54f,
                         noise_fbm(u, v, 9, 4, seed + 2) + 0.35f * smoothf(0.06f, 0.0f, rim) + 0.25f * surface->amount);
    float rust = 1 + noise_fbm(u, v, 40, 3, seed + 3);
    static const float iron[3] = { 0.33f, 0.17f, 0.10f };
    for (int i = 0; i < 3; i++) {
        out->color[i] = mixf(out->color[i], iron[i] * rust, chip);
    }
    out->height -= 0.15f * chip;
    out->rough = mixf(out->rough, 0.9f, chip);
}

void recipe_sign_brass(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    float ink = text_ink(surface->text, u, v, 0.17f), rim = rim_distance(u, v, 0.0f, 0.04f);
    float groove = smoothf(0.06f, 0.066f, rim) * smoothf(0.086f, 0.08f, rim), cut = ink > groove ? ink : groove;
    float line = noise_fbm_stretched(u, v, 3, 180, 3, seed), patina = noise_fbm(u, v, 4, 5, seed + 1);
    float screw_x = 0.5f - fabsf(u - 0.5f) - 0.105f, screw_y = 0.5f - fabsf(v - 0.5f) - 0.105f;
    float screw = sqrtf(screw_x * screw_x + screw_y * screw_y);
    surface_mix(surface, 0, 2, clampf(0.5f + 0.5f * line + 0.4f * patina, 0, 1), out->color);
    surface_blend(surface, 3, smoothf(0.1f, 0.6f, patina) * surface->amount, out->color);
    surface_blend(surface, 1, cut * 0.92f, out->color);
    surface_blend(surface, 1, smoothf(0.030f, 0.026f, screw) * 0.35f, out->color);
    out->height = 0.6f - 0.4f * cut + 0.04f * line + 0.25f * smoothf(0.028f, 0.015f, screw);
    out->height -= fabsf(screw_x + screw_y) < 0.006f && screw < 0.024f ? 0.3f : 0;
    out->rough = mixf(0.26f + 0.1f * line + 0.15f * patina, 0.7f, cut);
    out->metal = 1 - cut;
}

void recipe_sign_wood(const struct surface *surface, float u, float v, struct texel *out)
{
    recipe_planks(surface, u, v, out);
    float grain = noise_fbm_stretched(u, v, 6, 90, 3, surface->seed + 11);
    float paint = text_ink(surface->text, u, v, 0.10f) *
                  smoothf(-0.45f + 0.3f * surface->amount, -0.15f + 0.3f * surface->amount, grain + 0.25f);
    float ink[3];
    surface_color(surface, 3, ink);
    color_scale(ink, 0.92f + 0.15f * grain);
    for (int i = 0; i < 3; i++) {
        out->color[i] = mixf(out->color[i], ink[i], paint * 0.94f);
    }
    out->height += 0.04f * paint;
    out->rough = mixf(out->rough, 0.5f, paint);
}

void recipe_poster(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    float sun_x = u - 0.5f, sun_y = v - 0.58f, radius = sqrtf(sun_x * sun_x + sun_y * sun_y);
    float slope = radius > 0.001f ? sun_y / radius : 0,
          ray = smoothf(-0.04f, 0.04f, cos_turns(slope * 4 + (sun_x < 0 ? 0.5f : 0)));
    surface_mix(surface, 0, 2, ray * smoothf(0.15f, 0.35f, radius), out->color);
    surface_blend(surface, 3, smoothf(0.25f, 0.245f, radius), out->color);
    // Hills at the foot, in front of the sun.
    for (int hill = 0; hill < 3; hill++) {
        float crest =
            0.66f + 0.1f * (float)hill + 0.06f * noise_gradient(u * 3 + (float)hill, 0.5f, 3, 1, seed + (uint32_t)hill);
        surface_blend(surface, 1, smoothf(crest, crest + 0.004f, v) * (0.45f + 0.25f * (float)hill), out->color);
    }
    float ink = text_ink(surface->text, u, v * 2.4f - 0.06f, 0.12f),
          frame = smoothf(0.035f, 0.03f, rim_distance(u, v, 0, 0.01f));
    float paper = noise_fbm(u, v, 64, 3, seed + 5),
          fold = smoothf(0.006f, 0.0f, fabsf(u - 0.5f)) + smoothf(0.006f, 0.0f, fabsf(v - 0.5f));
    surface_blend(surface, 1, ink, out->color);
    surface_blend(surface, 2, frame, out->color);
    color_scale(out->color, 1 + 0.06f * paper - 0.08f * fold + 0.06f * noise_fbm(u, v, 3, 4, seed + 6));
    out->height = 0.5f + 0.1f * paper - 0.3f * fold;
    out->rough = 0.85f + 0.08f * paper;
}
