// Recipes of stone: marble, granite, cobbles, ashlar, slate, strata, plaster, gravel, terrazzo. Pure functions; any
// thread.
#include "noise.h"
#include "surface.h"

void recipe_marble(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    float warp_u = u + 0.12f * noise_fbm(u, v, 3, 3, seed), warp_v = v + 0.12f * noise_fbm(u, v, 3, 3, seed + 9);
    float cloud = noise_fbm(warp_u, warp_v, 3, 4, seed + 20);
    float broad = 1 - fabsf(noise_gradient(warp_u * 2, warp_v * 2, 2, 2, seed + 30));
    float fine = 1 - fabsf(noise_fbm(warp_u, warp_v, 5, 3, seed + 40));
    broad *= broad;
    fine *= fine * fine;
    float vein = smoothf(0.80f, 1.0f, broad * broad) * 0.9f, thread = smoothf(0.82f, 1.0f, fine);
    surface_mix(surface, 0, 2, clampf(0.5f + cloud, 0, 1), out->color);
    surface_blend(surface, 1, clampf(vein * (0.4f + surface->amount) + smoothf(0.1f, 0.7f, cloud) * 0.25f, 0, 1),
                  out->color);
    surface_blend(surface, 3, thread * (0.25f + 0.5f * surface->amount), out->color);
    out->height = 0.5f - 0.2f * thread;
    out->rough = 0.16f + 0.14f * vein + 0.05f * cloud;
}

void recipe_granite(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    int count = surface->count ? surface->count : 40;
    struct noise_cell grain = noise_cells(u, v, count, count, 1, seed);
    struct noise_cell fleck = noise_cells(u, v, count * 2, count * 2, 1, seed + 3);
    float kind = noise_unit(grain.id, 1), dark = noise_unit(fleck.id, 2);
    float cloud = noise_fbm(u, v, 4, 3, seed + 5);
    surface_mix(surface, 0, 2, kind, out->color);
    if (kind > 0.78f) {
        surface_blend(surface, 3, 0.75f, out->color);
    }
    if (dark < 0.22f) {
        surface_blend(surface, 1, 0.85f * smoothf(0.7f, 0.35f, fleck.nearest), out->color);
    }
    color_scale(out->color, 1 + 0.12f * cloud);
    out->height = 0.5f + 0.15f * (grain.second - grain.nearest) + 0.1f * cloud;
    out->rough = 0.35f + 0.2f * kind;
}

void recipe_cobbles(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    int count = surface->count ? surface->count : 8;
    float bump = noise_fbm(u, v, count * 2, 4, seed + 1);
    float warp_u = u + 0.015f * noise_gradient(u * 12, v * 12, 12, 12, seed + 2);
    float warp_v = v + 0.015f * noise_gradient(u * 12, v * 12, 12, 12, seed + 3);
    struct noise_cell cell = noise_cells(warp_u, warp_v, count, count, 0.75f, seed);
    float edge = cell.second - cell.nearest;
    float stone = smoothf(0.03f, 0.16f, edge);
    float dome = 1 - (1 - clampf(edge * 1.8f, 0, 1)) * (1 - clampf(edge * 1.8f, 0, 1));
    float shade = noise_unit(cell.id, 1);
    surface_mix(surface, 0, 2, shade, out->color);
    surface_blend(surface, 3, noise_unit(cell.id, 2) > 0.8f ? 0.6f : 0.0f, out->color);
    color_scale(out->color, 0.88f + 0.24f * dome * 0.5f + 0.22f * bump);
    float earth[3];
    surface_color(surface, 1, earth);
    color_scale(earth, 1 + 0.35f * noise_fbm(u, v, 48, 2, seed + 7));
    float moss = surface->amount * smoothf(0.0f, 0.5f, noise_fbm(u, v, 4, 4, seed + 11)) * smoothf(0.5f, 0.1f, edge);
    for (int i = 0; i < 3; i++) {
        static const float green[3] = { 0.30f, 0.42f, 0.16f };
        out->color[i] = mixf(mixf(earth[i], out->color[i], stone), green[i], clampf(moss, 0, 0.85f));
    }
    out->height = stone * (0.35f + 0.45f * dome + 0.15f * shade) + 0.08f * bump;
    out->rough = mixf(0.95f, 0.55f + 0.2f * shade, stone);
}

// Blocks in courses: the position inside a block, the distance to its nearest edge and its hash.
static uint32_t ashlar_block(const struct surface *surface, float u, float v, int rows, float *edge)
{
    float row = floorf(v * (float)rows);
    uint32_t row_hash = noise_hash((uint32_t)row, 77, surface->seed);
    int columns = rows / 2 + (int)(row_hash % 3);
    columns = columns < 2 ? 2 : columns;
    float shifted = fractf(u + noise_unit(row_hash, 1)) * (float)columns;
    float x = fractf(shifted), y = fractf(v * (float)rows);
    float from_side = (x < 0.5f ? x : 1 - x) / (float)columns, from_bed = (y < 0.5f ? y : 1 - y) / (float)rows;
    *edge = from_side < from_bed ? from_side : from_bed;
    return noise_hash((uint32_t)shifted, (uint32_t)row, surface->seed + 5);
}

void recipe_ashlar(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    int rows = surface->count ? surface->count : 6;
    float edge, rugged = noise_fbm(u, v, 12, 5, seed + 1);
    uint32_t block = ashlar_block(surface, u, v, rows, &edge);
    float joint = 0.028f / (float)rows;
    edge += joint * 0.8f * noise_gradient(u * 40, v * 40, 40, 40, seed + 2);
    float stone = smoothf(joint * 0.6f, joint * 1.6f, edge);
    float bevel = smoothf(0, joint * 5, edge);
    float shade = noise_unit(block, 3), pits = smoothf(0.35f, 0.6f, noise_fbm(u, v, 48, 2, seed + 4));
    surface_mix(surface, 0, 2, shade * 0.8f + 0.2f * clampf(0.5f + rugged, 0, 1), out->color);
    surface_blend(surface, 3, smoothf(0.1f, 0.6f, noise_fbm(u, v, 5, 4, seed + 6)) * surface->amount, out->color);
    color_scale(out->color, 1 + 0.18f * rugged - 0.25f * pits);
    float keep = mixf(0.75f, 1.0f, bevel);
    color_scale(out->color, keep);
    surface_blend(surface, 1, 1 - stone, out->color);
    out->height =
        stone * (0.55f + 0.15f * shade + 0.2f * bevel) + (0.12f + 0.1f * surface->amount) * rugged - 0.1f * pits;
    out->rough = mixf(0.95f, 0.7f + 0.1f * rugged, stone);
}

void recipe_slate(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    float warp = 0.2f * noise_fbm(u, v, 3, 3, seed);
    float layers = noise_fbm_stretched(u + warp * 0.2f, v + warp * 0.3f, 3, 9, 5, seed + 1);
    float terrace = fractf(layers * 3.5f + 8), step = smoothf(0.0f, 0.14f, terrace);
    float level = floorf(layers * 3.5f + 8);
    float shade = noise_unit(noise_hash((uint32_t)level, 3, seed), 2), grain = noise_fbm(u, v, 32, 3, seed + 2);
    surface_mix(surface, 0, 2, shade * 0.7f + 0.3f * terrace, out->color);
    surface_blend(surface, 1, (1 - step) * 0.7f, out->color);
    surface_blend(surface, 3, smoothf(0.15f, 0.55f, noise_fbm(u, v, 5, 4, seed + 3)) * 0.65f * surface->amount,
                  out->color);
    color_scale(out->color, 1 + 0.2f * grain);
    out->height = clampf(0.5f + 0.14f * (level - 8 + step), 0, 1) + 0.05f * grain;
    out->rough = 0.5f + 0.25f * shade + 0.1f * grain;
}

void recipe_strata(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    int count = surface->count ? surface->count : 7;
    float bend = 0.07f * noise_fbm(u, v, 2, 4, seed) + 0.012f * noise_fbm(u, v, 16, 3, seed + 1);
    float depth = (v + bend) * (float)count;
    float band = noise_value(depth, 0.5f, count, 1, seed + 2),
          thin = noise_value(depth * 6, 0.5f, count * 6, 1, seed + 3);
    float grain = noise_fbm(u, v, 40, 3, seed + 4);
    surface_mix(surface, 1, 2, smoothf(0.15f, 0.85f, band), out->color);
    surface_blend(surface, 0, smoothf(0.3f, 0.8f, thin) * 0.75f, out->color);
    surface_blend(surface, 3, smoothf(0.75f, 0.95f, noise_value(depth * 3, 0.5f, count * 3, 1, seed + 5)) * 0.8f,
                  out->color);
    color_scale(out->color, 1 + 0.16f * grain);
    out->height = 0.25f + 0.35f * band + 0.22f * thin + 0.14f * grain;
    out->rough = 0.82f + 0.12f * grain;
}

void recipe_plaster(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    float trowel = noise_fbm_stretched(u + 0.05f * noise_fbm(u, v, 4, 2, seed), v, 9, 14, 5, seed + 1);
    float stain = noise_fbm(u, v, 2, 5, seed + 2), grain = noise_fbm(u, v, 64, 2, seed + 3);
    float crack = smoothf(0.86f, 0.96f, noise_ridge(u + 0.03f * stain, v, 3, 4, seed + 4)) * surface->amount;
    surface_mix(surface, 0, 2, clampf(0.5f + 0.8f * trowel, 0, 1), out->color);
    surface_blend(surface, 3, smoothf(0.0f, 0.6f, stain) * 0.6f, out->color);
    surface_blend(surface, 1, crack * 0.8f, out->color);
    color_scale(out->color, 1 + 0.08f * grain);
    out->height = 0.5f + 0.25f * trowel + 0.06f * grain - 0.35f * crack;
    out->rough = 0.85f + 0.1f * trowel;
}

void recipe_gravel(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    int count = surface->count ? surface->count : 18;
    out->height = 0;
    float chosen = 0;
    uint32_t id = 0;
    // Three layers of pebbles of falling size; the highest at a point is what is seen.
    for (int layer = 0; layer < 3; layer++) {
        int cells = count + layer * (count / 2 + 1);
        struct noise_cell cell = noise_cells(u, v, cells, cells, 0.9f, seed + (uint32_t)layer * 31u);
        float size = 0.3f + 0.22f * noise_unit(cell.id, 1), inside = 1 - cell.nearest / size;
        float edge = clampf((cell.second - cell.nearest) * 4, 0, 1);
        float dome = inside > 0 ? sqrtf(clampf(inside * (2 - inside), 0, 1)) * edge : 0;
        float height = dome * (0.8f - 0.2f * (float)layer) + (dome > 0 ? 0.2f * noise_unit(cell.id, 2) : 0);
        if (height > out->height) {
            out->height = height;
            chosen = dome;
            id = cell.id;
        }
    }
    surface_mix(surface, 0, 2, noise_unit(id, 3), out->color);
    surface_blend(surface, 3, noise_unit(id, 4) > 0.75f ? 0.7f : 0, out->color);
    color_scale(out->color, 1 + 0.15f * noise_fbm(u, v, 48, 2, seed + 8));
    surface_blend(surface, 1, smoothf(0.5f, 0.05f, chosen), out->color);
    out->rough = mixf(0.95f, 0.5f + 0.3f * noise_unit(id, 5), smoothf(0, 0.4f, chosen));
}

void recipe_terrazzo(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    float warp_u = u + 0.012f * noise_gradient(u * 24, v * 24, 24, 24, seed),
          warp_v = v + 0.012f * noise_gradient(u * 24, v * 24, 24, 24, seed + 1);
    surface_color(surface, 0, out->color);
    color_scale(out->color, 1 + 0.06f * noise_fbm(u, v, 32, 3, seed + 2));
    float chip = 0;
    for (int layer = 0; layer < 3; layer++) {
        int cells = 10 + layer * 11;
        struct noise_cell cell = noise_cells(warp_u, warp_v, cells, cells, 1, seed + 5u + (uint32_t)layer);
        if (noise_unit(cell.id, 1) < 0.55f) {
            float inside = smoothf(0.10f, 0.14f, cell.second - cell.nearest);
            int color = 1 + (int)(noise_unit(cell.id, 2) * 3);
            surface_blend(surface, color > 3 ? 3 : color, inside, out->color);
            chip = inside > chip ? inside : chip;
        }
    }
    out->height = 0.5f + 0.1f * chip;
    out->rough = 0.24f - 0.08f * chip;
}
