// Recipes of what is laid piece by piece: bricks, tiles, mosaics, roofs. Pure functions; any thread.
#include "noise.h"
#include "surface.h"

static float nearest_edge(float x, float y)
{
    float a = x < 0.5f ? x : 1 - x, b = y < 0.5f ? y : 1 - y;
    return a < b ? a : b;
}

// What bricks share once a pattern has said which brick this is and how far its edge is (in brick heights).
static void brick_finish(const struct surface *surface, float u, float v, float edge, uint32_t id, struct texel *out)
{
    uint32_t seed = surface->seed;
    float rugged = noise_fbm(u, v, 24, 4, seed + 1), sand = noise_fbm(u, v, 96, 2, seed + 2);
    edge += 0.035f * noise_gradient(u * 48, v * 48, 48, 48, seed + 3);
    float brick = smoothf(0.05f, 0.10f, edge), bevel = smoothf(0.05f, 0.26f, edge);
    float shade = noise_unit(id, 1);
    surface_mix(surface, 0, 2, shade * 0.75f + 0.25f * clampf(0.5f + rugged, 0, 1), out->color);
    surface_blend(surface, 3, noise_unit(id, 2) > 0.84f ? 0.65f : 0, out->color);
    float scorch = smoothf(0.15f, 0.6f, noise_fbm(u, v, 3, 5, seed + 4)) * surface->amount;
    color_scale(out->color, (1 - 0.4f * scorch) * (0.84f + 0.16f * bevel) * (1 + 0.2f * rugged + 0.08f * sand));
    float mortar[3];
    surface_color(surface, 1, mortar);
    color_scale(mortar, 0.92f + 0.15f * sand + 0.1f * rugged);
    for (int i = 0; i < 3; i++) {
        out->color[i] = mixf(mortar[i], out->color[i], brick);
    }
    out->height = 0.15f + brick * (0.35f + 0.25f * bevel + 0.12f * shade) + 0.12f * rugged * brick + 0.05f * sand;
    out->rough = mixf(0.95f, 0.72f + 0.15f * rugged, brick);
}

void recipe_brick(const struct surface *surface, float u, float v, struct texel *out)
{
    int rows = surface->count ? surface->count : 12, columns = rows / 3 < 1 ? 1 : rows / 3;
    float row = floorf(v * (float)rows);
    float along = fractf(u + ((int)row % 2 ? 0.5f / (float)columns : 0)) * (float)columns;
    float x = fractf(along), y = fractf(v * (float)rows);
    float from_side = (x < 0.5f ? x : 1 - x) * (float)rows / (float)columns, from_bed = y < 0.5f ? y : 1 - y;
    float edge = from_side < from_bed ? from_side : from_bed;
    brick_finish(surface, u, v, edge, noise_hash((uint32_t)along, (uint32_t)row, surface->seed), out);
}

void recipe_herringbone(const struct surface *surface, float u, float v, struct texel *out)
{
    int count = surface->count ? surface->count : 16; // a multiple of 4, so that the pattern closes
    float x = u * (float)count, y = v * (float)count;
    int cell_x = (int)floorf(x), cell_y = (int)floorf(y), phase = noise_wrap(cell_x - cell_y, 4);
    float inside_x = x - (float)cell_x, inside_y = y - (float)cell_y;
    bool lying = phase < 2;
    // A brick is two cells: phases 0 and 1 lie side by side, 2 and 3 stand on each other.
    if (phase == 1) {
        cell_x--;
        inside_x++;
    } else if (phase == 2) {
        cell_y--;
        inside_y++;
    }
    float width = lying ? 2 : 1, height = lying ? 1 : 2;
    float from_side = inside_x < width - inside_x ? inside_x : width - inside_x;
    float from_end = inside_y < height - inside_y ? inside_y : height - inside_y;
    uint32_t id = noise_hash((uint32_t)noise_wrap(cell_x, count), (uint32_t)noise_wrap(cell_y, count), surface->seed);
    brick_finish(surface, u, v, from_side < from_end ? from_side : from_end, id, out);
}

// Glazed tiles: gloss on the face, matt grout; `edge` in tiles.
static void tile_finish(const struct surface *surface, float u, float v, float edge, float width, struct texel *out)
{
    uint32_t seed = surface->seed;
    float tile = smoothf(width * 0.7f, width, edge), bevel = smoothf(width, width * 3.5f, edge);
    float dirt = noise_fbm(u, v, 4, 5, seed + 40), fine = noise_fbm(u, v, 64, 2, seed + 41);
    color_scale(out->color, 0.9f + 0.1f * bevel + 0.04f * dirt);
    float grout[3];
    surface_color(surface, 1, grout);
    color_scale(grout, 1 + 0.12f * fine);
    for (int i = 0; i < 3; i++) {
        out->color[i] = mixf(grout[i], out->color[i], tile);
    }
    out->height = 0.1f * fine + tile * (0.45f + 0.35f * bevel) + 0.02f * dirt;
    out->rough = mixf(0.9f, 0.12f + 0.25f * clampf(dirt + 0.2f, 0, 1) * surface->amount, tile);
}

void recipe_tile(const struct surface *surface, float u, float v, struct texel *out)
{
    int count = surface->count ? surface->count : 6;
    uint32_t id = noise_hash((uint32_t)(u * (float)count), (uint32_t)(v * (float)count), surface->seed);
    float x = fractf(u * (float)count), y = fractf(v * (float)count);
    float pool = noise_fbm(u, v, count, 4, surface->seed + 1); // glaze gathers unevenly
    surface_mix(surface, 0, 2, clampf(noise_unit(id, 1) * 0.6f + 0.35f * pool + 0.2f, 0, 1), out->color);
    surface_blend(surface, 3, noise_unit(id, 2) > 0.86f ? 0.8f : 0, out->color);
    tile_finish(surface, u, v, nearest_edge(x, y), 0.035f, out);
    out->height += 0.12f * (noise_unit(id, 3) - 0.5f) * (x - 0.5f);
}

void recipe_checker(const struct surface *surface, float u, float v, struct texel *out)
{
    int count = surface->count ? surface->count : 4;
    int column = (int)(u * (float)count), row = (int)(v * (float)count);
    uint32_t id = noise_hash((uint32_t)column, (uint32_t)row, surface->seed);
    float offset = noise_unit(id, 1);
    float vein = noise_ridge(u + offset, v + 0.1f * noise_fbm(u, v, 4, 3, surface->seed), 4, 4, surface->seed + 2);
    bool dark = (column + row) % 2 != 0;
    surface_color(surface, dark ? 3 : 0, out->color);
    surface_blend(surface, 2, (dark ? 0.5f : 0.35f) * smoothf(0.72f, 0.98f, vein), out->color);
    color_scale(out->color, 0.95f + 0.1f * offset + 0.1f * noise_fbm(u, v, 6, 3, surface->seed + 4));
    tile_finish(surface, u, v, nearest_edge(fractf(u * (float)count), fractf(v * (float)count)), 0.012f, out);
}

void recipe_hexagon(const struct surface *surface, float u, float v, struct texel *out)
{
    // Rows of hexagons are 0.866 apart where columns are 1: 7 rows for 6 columns, and an even number to close.
    int count = surface->count ? surface->count : 7, rows = (count * 8 + 3) / 7;
    rows += rows % 2;
    float best = 9, second = 9, y = v * (float)rows;
    uint32_t id = 0;
    int row = (int)floorf(y);
    for (int j = row - 1; j <= row + 1; j++) {
        float shift = noise_wrap(j, 2) ? 0.5f : 0, x = u * (float)count - shift;
        for (int i = (int)floorf(x) - 1; i <= (int)floorf(x) + 1; i++) {
            float dx = (float)i + 0.5f - x, dy = ((float)j + 0.5f - y) * 0.866f, distance = sqrtf(dx * dx + dy * dy);
            if (distance < best) {
                second = best;
                best = distance;
                id = noise_hash((uint32_t)noise_wrap(i, count), (uint32_t)noise_wrap(j, rows), surface->seed);
            } else if (distance < second) {
                second = distance;
            }
        }
    }
    float kind = noise_unit(id, 1);
    surface_mix(surface, 0, 2, kind, out->color);
    surface_blend(surface, 3, noise_unit(id, 2) > 0.7f ? 1 : 0, out->color);
    tile_finish(surface, u, v, (second - best) * 0.5f, 0.035f, out);
}

void recipe_mosaic(const struct surface *surface, float u, float v, struct texel *out)
{
    int count = surface->count ? surface->count : 32;
    float x = u * (float)count, y = v * (float)count;
    float cell_u = (floorf(x) + 0.5f) / (float)count, cell_v = (floorf(y) + 0.5f) / (float)count;
    uint32_t id = noise_hash((uint32_t)x, (uint32_t)y, surface->seed);
    // Waves around two centres choose the colour of each stone.
    float wave =
        0.5f + 0.5f * sin_turns(2 * cell_u + 0.35f * sin_turns(cell_v * 2) + 0.2f * sin_turns(cell_u * 3 + cell_v));
    float ring = 0.5f + 0.5f * sin_turns(3 * cell_v + 0.4f * cos_turns(cell_u * 2));
    int color = wave > 0.66f ? 0 : wave > 0.33f ? 2 : 3;
    surface_color(surface, color, out->color);
    surface_blend(surface, 2, smoothf(0.7f, 1.0f, ring) * 0.6f, out->color);
    color_scale(out->color, 0.78f + 0.44f * noise_unit(id, 1));
    float tilt = (noise_unit(id, 2) - 0.5f) * fractf(x) + (noise_unit(id, 3) - 0.5f) * fractf(y);
    tile_finish(surface, u, v, nearest_edge(fractf(x), fractf(y)), 0.09f, out);
    out->height += 0.2f * tilt;
    out->rough = clampf(out->rough + 0.1f * noise_unit(id, 4), 0.05f, 1);
}

// Patterned tiles, each with the symmetry of a square: distances in the folded eighth of a tile draw stars and rings.
void recipe_ornament(const struct surface *surface, float u, float v, struct texel *out)
{
    int count = surface->count ? surface->count : 4;
    uint32_t seed = surface->seed;
    float tile_x = fractf(u * (float)count), tile_y = fractf(v * (float)count);
    float x = fabsf(tile_x - 0.5f) * 2, y = fabsf(tile_y - 0.5f) * 2;
    if (y > x) {
        float swap = x;
        x = y;
        y = swap;
    }
    float radius = sqrtf(x * x + y * y), corner = sqrtf((1 - x) * (1 - x) + (1 - y) * (1 - y)),
          soft = 0.012f * (float)count;
    surface_color(surface, 0, out->color);
    for (uint32_t band = 0; band < 7; band++) {
        float a = noise_unit(noise_hash(band, 1, seed), 1), b = noise_unit(noise_hash(band, 2, seed), 2);
        float distance;
        switch (noise_hash(band, 3, seed) % 5) {
        case 0:
            distance = fabsf(radius - (0.2f + 0.75f * a));
            break;
        case 1:
            distance = fabsf(x + y - (0.3f + 1.3f * a));
            break;
        case 2:
            distance = fabsf(corner - (0.15f + 0.7f * a));
            break;
        case 3:
            distance = fabsf(x - 0.2f - 0.7f * a + 0.3f * b * cos_turns(y * 0.5f));
            break;
        default:
            distance = sqrtf((x - a) * (x - a) + (y - a * b) * (y - a * b)) - 0.08f;
            break;
        }
        float width = 0.03f + 0.09f * b;
        surface_blend(surface, band % 2 ? 3 : 2, smoothf(width + soft, width, distance), out->color);
    }
    surface_blend(surface, 3, smoothf(0.16f + soft, 0.16f, radius), out->color);
    surface_blend(surface, 0, smoothf(0.07f + soft, 0.07f, radius), out->color);
    uint32_t id = noise_hash((uint32_t)(u * (float)count), (uint32_t)(v * (float)count), seed);
    color_scale(out->color, 0.93f + 0.1f * noise_unit(id, 1) + 0.07f * noise_fbm(u, v, 8, 3, seed + 1));
    tile_finish(surface, u, v, nearest_edge(tile_x, tile_y), 0.012f, out);
}

void recipe_roof(const struct surface *surface, float u, float v, struct texel *out)
{
    int count = surface->count ? surface->count : 8;
    float row = floorf(v * (float)count);
    float along = u * (float)count + ((int)row % 2 ? 0.5f : 0);
    float x = fractf(along) - 0.5f, y = fractf(v * (float)count);
    uint32_t id = noise_hash((uint32_t)noise_wrap((int)floorf(along), count), (uint32_t)row, surface->seed);
    float barrel = sqrtf(clampf(1 - 4 * x * x, 0, 1)), lip = smoothf(0.0f, 0.07f, 1 - y);
    float rugged = noise_fbm(u, v, 24, 4, surface->seed + 1);
    surface_mix(surface, 0, 2, noise_unit(id, 1), out->color);
    surface_blend(surface, 3, smoothf(0.0f, 0.6f, noise_fbm(u, v, 5, 5, surface->seed + 2)) * surface->amount,
                  out->color);
    color_scale(out->color, (0.55f + 0.45f * barrel) * (0.7f + 0.3f * smoothf(0, 0.25f, y)) * (1 + 0.2f * rugged));
    surface_blend(surface, 1, (1 - lip) * 0.6f, out->color);
    out->height = 0.55f * barrel + 0.35f * y * lip + 0.06f * rugged;
    out->rough = 0.75f + 0.15f * rugged;
}

void recipe_shingle(const struct surface *surface, float u, float v, struct texel *out)
{
    int count = surface->count ? surface->count : 10;
    float row = floorf(v * (float)count);
    float along = fractf(u + ((int)row % 2 ? 0.5f / (float)count : 0)) * (float)count;
    float x = fractf(along), y = fractf(v * (float)count);
    uint32_t id = noise_hash((uint32_t)along, (uint32_t)row, surface->seed);
    float ragged = 0.10f * noise_unit(id, 4) + 0.02f * noise_gradient(u * 64, v * 64, 64, 64, surface->seed);
    float lip = smoothf(0.02f, 0.06f, 1 - y - ragged), gap = smoothf(0.015f, 0.05f, x < 0.5f ? x : 1 - x);
    float grain = noise_fbm_stretched(u, v, 64, 8, 3, surface->seed + (id & 0xff));
    surface_mix(surface, 0, 2, noise_unit(id, 1) * 0.8f + 0.2f * y, out->color);
    surface_blend(surface, 3, noise_unit(id, 2) > 0.8f ? 0.5f : 0, out->color);
    color_scale(out->color, (1 + 0.25f * grain) * (0.72f + 0.28f * smoothf(0, 0.3f, y)));
    surface_blend(surface, 1, 1 - gap * lip, out->color);
    out->height = gap * (0.3f + 0.45f * y) * lip + 0.08f * grain + 0.1f * noise_unit(id, 3);
    out->rough = 0.8f + 0.1f * grain;
}
