// Recipes of wood and metal. Pure functions; any thread.
#include "noise.h"
#include "surface.h"

// Grain along u, different in each board: 0 in early wood to 1 in late wood.
static float wood_grain(float u, float v, int fineness, uint32_t seed)
{
    float bend = 0.045f * noise_fbm_stretched(u, v, 2, 5, 3, seed);
    float rings = fractf((v + bend) * (float)fineness + 1.5f * noise_fbm_stretched(u, v, 1, 4, 2, seed + 1));
    float ring = smoothf(0, 0.75f, rings) * smoothf(1, 0.85f, rings);
    float fibre = noise_fbm_stretched(u, v + bend, 8, 160, 3, seed + 2);
    return clampf(0.65f * ring + 0.45f * (fibre + 0.35f), 0, 1);
}

static void wood_color(const struct surface *surface, float grain, uint32_t board, struct texel *out)
{
    surface_mix(surface, 2, 0, clampf(0.25f + 0.9f * grain, 0, 1), out->color);
    surface_blend(surface, 1, smoothf(0.6f, 1.0f, grain) * 0.55f, out->color);
    surface_blend(surface, 3, noise_unit(board, 5) * 0.3f, out->color);
    color_scale(out->color, 0.84f + 0.3f * noise_unit(board, 6));
}

void recipe_planks(const struct surface *surface, float u, float v, struct texel *out)
{
    int count = surface->count ? surface->count : 6;
    float row = floorf(v * (float)count), y = fractf(v * (float)count);
    uint32_t row_hash = noise_hash((uint32_t)row, 5, surface->seed);
    float along = fractf(u + noise_unit(row_hash, 1)) * 2, x = fractf(along);
    uint32_t board = noise_hash((uint32_t)along, (uint32_t)row, surface->seed + 1);
    float grain = wood_grain(u, v, count * 5, surface->seed + (board & 0xffff));
    float from_side = (y < 0.5f ? y : 1 - y) / (float)count, from_end = (x < 0.5f ? x : 1 - x) / 2;
    float edge = from_side < from_end ? from_side : from_end, gap = smoothf(0.0012f, 0.0045f, edge);
    wood_color(surface, grain, board, out);
    float wear = smoothf(0.05f, 0.6f, noise_fbm(u, v, 4, 5, surface->seed + 2)) * surface->amount;
    color_scale(out->color, (1 - 0.25f * wear) * mixf(0.8f, 1, smoothf(0.002f, 0.012f, edge)));
    // Two nails at each end of a board.
    float nail_x = fabsf(from_end - 0.025f), nail_y = fabsf(fabsf(y - 0.5f) - 0.28f) / (float)count;
    float nail = smoothf(0.0055f, 0.0035f, sqrtf(nail_x * nail_x + nail_y * nail_y));
    surface_blend(surface, 1, nail * 0.9f, out->color);
    surface_blend(surface, 1, 1 - gap, out->color);
    color_scale(out->color, mixf(0.5f, 1, gap));
    out->height = gap * (0.6f + 0.12f * noise_unit(board, 3)) - 0.14f * grain * gap - 0.1f * nail;
    out->rough = 0.45f + 0.3f * grain + 0.15f * wear;
}

void recipe_parquet(const struct surface *surface, float u, float v, struct texel *out)
{
    int count = surface->count ? surface->count : 4, strips = 5;
    float x = u * (float)count, y = v * (float)count;
    int column = (int)x, row = (int)y;
    bool turned = (column + row) % 2 != 0;
    float along = turned ? y - (float)row : x - (float)column, across = turned ? x - (float)column : y - (float)row;
    float strip = floorf(across * (float)strips), inside = fractf(across * (float)strips);
    uint32_t board = noise_hash((uint32_t)(column * 16 + (int)strip), (uint32_t)row, surface->seed);
    float grain = wood_grain(turned ? v : u, turned ? u : v, count * strips * 2, surface->seed + (board & 0xfff));
    float from_side = (inside < 0.5f ? inside : 1 - inside) / (float)strips,
          from_end = along < 0.5f ? along : 1 - along;
    float edge = from_side < from_end ? from_side : from_end, gap = smoothf(0.003f, 0.012f, edge);
    wood_color(surface, grain, board, out);
    surface_blend(surface, 1, (1 - gap) * 0.9f, out->color);
    out->height = 0.3f + gap * 0.4f - 0.05f * grain;
    out->rough = 0.22f + 0.2f * grain + 0.3f * (1 - gap);
}

void recipe_bark(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    float warp = 0.06f * noise_fbm(u, v, 4, 4, seed);
    float plates = 1 - fabsf(noise_fbm_stretched(u + warp, v + warp * 0.5f, 9, 3, 4, seed + 1)) * 2.2f;
    plates = clampf(1 - plates, 0, 1);
    float rugged = noise_fbm_stretched(u, v, 24, 12, 4, seed + 2);
    surface_mix(surface, 1, 0, smoothf(0.02f, 0.4f, plates), out->color);
    surface_blend(surface, 2, smoothf(0.35f, 0.9f, plates + 0.3f * rugged), out->color);
    surface_blend(surface, 3, smoothf(0.1f, 0.6f, noise_fbm(u, v, 3, 5, seed + 3)) * surface->amount, out->color);
    color_scale(out->color, 1 + 0.3f * rugged);
    out->height = smoothf(0, 0.6f, plates) * 0.75f + 0.2f * rugged;
    out->rough = 0.9f + 0.08f * rugged;
}

void recipe_brushed(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    float line = noise_fbm_stretched(u, v, 3, 200, 3, seed), cloud = noise_fbm(u, v, 3, 4, seed + 1);
    float smudge = smoothf(0.0f, 0.5f, noise_fbm(u, v, 5, 4, seed + 2)) * surface->amount;
    surface_mix(surface, 0, 2, clampf(0.5f + 0.5f * line + 0.3f * cloud, 0, 1), out->color);
    surface_blend(surface, 1, smudge * 0.35f, out->color);
    out->height = 0.5f + 0.3f * line;
    out->rough = clampf(0.3f + 0.14f * line + 0.25f * smudge, 0.05f, 1);
    out->metal = 1;
}

// Rust creeping from `start`: 0 is bare, 1 is rust; sets colour, gloss and metalness.
static void rust_over(const struct surface *surface, float u, float v, float rust, struct texel *out)
{
    float grain = noise_fbm(u, v, 24, 4, surface->seed + 60), speck = noise_fbm(u, v, 96, 2, surface->seed + 61);
    static const float deep[3] = { 0.30f, 0.13f, 0.07f }, bright[3] = { 0.68f, 0.34f, 0.13f };
    float tone = clampf(0.5f + grain + 0.4f * speck, 0, 1);
    for (int i = 0; i < 3; i++) {
        out->color[i] = mixf(out->color[i], mixf(deep[i], bright[i], tone), rust);
    }
    out->height += rust * 0.15f * (grain + 0.5f * speck);
    out->rough = mixf(out->rough, 0.9f, rust);
    out->metal *= 1 - rust;
}

void recipe_plates(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    int count = surface->count ? surface->count : 2;
    float row = floorf(v * (float)count), y = fractf(v * (float)count);
    float along = fractf(u + ((int)row % 2 ? 0.5f / (float)count : 0)) * (float)count, x = fractf(along);
    uint32_t plate = noise_hash((uint32_t)along, (uint32_t)row, seed);
    float edge_x = x < 0.5f ? x : 1 - x, edge_y = y < 0.5f ? y : 1 - y, edge = edge_x < edge_y ? edge_x : edge_y;
    float seam = smoothf(0.006f, 0.014f, edge), line = noise_fbm_stretched(u, v, 4, 120, 2, seed + (plate & 0xff));
    // Rivets along the rim, eight a side.
    float rivet_x = (fractf(x * 8) - 0.5f) / 8, rivet_y = (fractf(y * 8) - 0.5f) / 8;
    float rivet_distance = sqrtf(rivet_x * rivet_x + rivet_y * rivet_y);
    float rivet = edge < 0.125f ? smoothf(0.026f, 0.012f, rivet_distance) : 0;
    float streak = noise_fbm_stretched(u, v, 28, 3, 4, seed + 3);
    surface_mix(surface, 0, 2, clampf(noise_unit(plate, 1) * 0.7f + 0.3f * line + 0.15f, 0, 1), out->color);
    surface_blend(surface, 1, 0.3f * smoothf(0.1f, 0.6f, streak), out->color);
    out->height = seam * (0.45f + 0.08f * noise_unit(plate, 2)) + 0.3f * rivet + 0.02f * line;
    out->rough = 0.35f + 0.15f * line + 0.1f * noise_unit(plate, 3);
    out->metal = 1;
    float rim = smoothf(0.12f, 0.0f, edge) + (edge < 0.125f ? smoothf(0.05f, 0.02f, rivet_distance) * 0.4f : 0);
    rust_over(surface, u, v,
              smoothf(0.55f, 0.95f, noise_fbm(u, v, 6, 5, seed + 4) + 0.45f * rim + 0.75f * surface->amount), out);
    color_scale(out->color, mixf(0.45f, 1, seam));
}

void recipe_tread(const struct surface *surface, float u, float v, struct texel *out)
{
    int count = surface->count ? surface->count : 10;
    float x = u * (float)count, y = v * (float)count;
    int column = (int)x, row = (int)y;
    float dx = fractf(x) - 0.5f, dy = fractf(y) - 0.5f, turn = (column + row) % 2 ? 1 : -1;
    float along = (dx + turn * dy) * 0.7071f, across = (dx - turn * dy) * 0.7071f;
    float bar = smoothf(1.0f, 0.65f, along * along / 0.2f + across * across / 0.012f);
    float scratch = noise_fbm_stretched(u, v, 60, 60, 2, surface->seed),
          wear = noise_fbm(u, v, 3, 4, surface->seed + 1);
    surface_mix(surface, 0, 2, clampf(0.35f + 0.6f * bar + 0.3f * wear, 0, 1), out->color);
    color_scale(out->color, 1 + 0.08f * scratch);
    out->height = 0.2f + 0.6f * bar + 0.03f * scratch;
    out->rough = clampf(0.42f - 0.16f * bar + 0.15f * wear, 0.05f, 1);
    out->metal = 1;
    rust_over(surface, u, v,
              smoothf(0.55f, 0.9f, noise_fbm(u, v, 5, 5, surface->seed + 2) - 0.3f * bar + 0.7f * surface->amount),
              out);
}

void recipe_rust(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    float spread = noise_fbm(u, v, 3, 6, seed) + 0.35f * noise_fbm_stretched(u, v, 14, 2, 3, seed + 1);
    float rust = smoothf(0.0f, 0.06f, spread + surface->amount - 0.5f),
          bare = smoothf(0.1f, 0.0f, fabsf(spread + surface->amount - 0.49f));
    float coat = noise_fbm(u, v, 48, 2, seed + 2);
    surface_mix(surface, 0, 2, clampf(0.5f + noise_fbm(u, v, 4, 4, seed + 3), 0, 1), out->color);
    color_scale(out->color, 1 + 0.05f * coat);
    surface_blend(surface, 1, bare * 0.6f * (1 - rust), out->color);
    out->height = 0.7f - 0.35f * rust + 0.03f * coat;
    out->rough = 0.38f;
    out->metal = bare * (1 - rust) * 0.8f;
    rust_over(surface, u, v, rust, out);
}

void recipe_hammered(const struct surface *surface, float u, float v, struct texel *out)
{
    int count = surface->count ? surface->count : 14;
    struct noise_cell dent = noise_cells(u, v, count, count, 0.8f, surface->seed);
    float bowl = clampf(dent.nearest * dent.nearest * 1.6f, 0, 1), patina = noise_fbm(u, v, 3, 5, surface->seed + 1);
    surface_mix(surface, 0, 2, clampf(0.25f + 0.6f * bowl + 0.3f * patina, 0, 1), out->color);
    surface_blend(surface, 1, smoothf(0.6f, 1.0f, bowl) * 0.25f, out->color);
    float green = smoothf(0.15f, 0.5f, patina) * surface->amount;
    surface_blend(surface, 3, green, out->color);
    out->height = 0.25f + 0.6f * bowl;
    out->rough = 0.22f + 0.1f * noise_unit(dent.id, 1) + 0.5f * green;
    out->metal = 1 - 0.9f * green;
}

void recipe_corrugated(const struct surface *surface, float u, float v, struct texel *out)
{
    int count = surface->count ? surface->count : 10;
    float wave = 0.5f + 0.5f * sin_turns(u * (float)count), lap = smoothf(0.0f, 0.012f, v) * smoothf(1.0f, 0.988f, v);
    float streak = noise_fbm_stretched(u, v, 40, 3, 4, surface->seed), stain = noise_fbm(u, v, 4, 5, surface->seed + 1);
    surface_mix(surface, 0, 2, clampf(0.5f + 0.5f * streak, 0, 1), out->color);
    color_scale(out->color, (0.75f + 0.25f * wave) * mixf(0.6f, 1, lap));
    out->height = 0.1f + 0.75f * wave + 0.05f * lap;
    out->rough = 0.42f + 0.15f * streak;
    out->metal = 0.9f;
    rust_over(surface, u, v, smoothf(0.35f, 0.75f, stain + 0.5f * streak - 0.15f * wave + 0.7f * surface->amount), out);
}
