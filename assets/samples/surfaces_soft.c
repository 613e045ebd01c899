// Recipes of fabric, leather and ground: weave, tartan, damask, grass, leaf litter, sand, mud, snow, lava, ice. Pure
// functions; any thread.
#include "noise.h"
#include "surface.h"

// Over-and-under threads: height of the cloth, and whether the thread on top runs along u.
static float weave_height(float u, float v, int threads, bool *warp)
{
    float x = u * (float)threads, y = v * (float)threads;
    bool over = ((int)x + (int)y) % 2 != 0;
    float across = over ? fractf(y) - 0.5f : fractf(x) - 0.5f, along = over ? fractf(x) - 0.5f : fractf(y) - 0.5f;
    *warp = over;
    return clampf((1 - 3.2f * across * across) * (1 - 1.6f * along * along), 0, 1);
}

void recipe_weave(const struct surface *surface, float u, float v, struct texel *out)
{
    int threads = surface->count ? surface->count : 48;
    bool warp;
    float height = weave_height(u, v, threads, &warp), fuzz = noise_fbm(u, v, 96, 2, surface->seed);
    uint32_t thread = noise_hash(warp ? 1 : 2, (uint32_t)((warp ? v : u) * (float)threads), surface->seed);
    surface_mix(surface, warp ? 0 : 2, 3, noise_unit(thread, 1) * 0.35f, out->color);
    surface_blend(surface, 1, (1 - height) * 0.7f, out->color);
    color_scale(out->color, 1 + 0.12f * fuzz + 0.08f * noise_fbm(u, v, 3, 4, surface->seed + 1));
    out->height = height * 0.8f + 0.08f * fuzz;
    out->rough = 0.88f + 0.1f * fuzz;
}

// Which palette entry the sett of a tartan has at a place: symmetrical stripes, widths from the seed.
static int tartan_stripe(const struct surface *surface, float place)
{
    float folded = fabsf(fractf(place * 2) - 0.5f) * 2;
    for (uint32_t stripe = 0; stripe < 5; stripe++) {
        float center = noise_unit(noise_hash(stripe, 1, surface->seed), 1);
        float width = 0.015f + 0.10f * noise_unit(noise_hash(stripe, 2, surface->seed), 2);
        if (fabsf(folded - center) < width) {
            return 1 + (int)(noise_hash(stripe, 3, surface->seed) % 3);
        }
    }
    return 0;
}

void recipe_tartan(const struct surface *surface, float u, float v, struct texel *out)
{
    int threads = surface->count ? surface->count : 96;
    bool warp;
    float height = weave_height(u, v, threads, &warp), fuzz = noise_fbm(u, v, 96, 2, surface->seed);
    // A twill lets warp and weft show in turn on the diagonal.
    bool twill = ((int)(u * (float)threads) + (int)(v * (float)threads)) % 4 < 2;
    surface_color(surface, tartan_stripe(surface, twill ? u : v), out->color);
    color_scale(out->color, (0.7f + 0.3f * height) * (1 + 0.15f * fuzz));
    out->height = height * 0.7f + 0.1f * fuzz;
    out->rough = 0.92f;
}

void recipe_damask(const struct surface *surface, float u, float v, struct texel *out)
{
    int count = surface->count ? surface->count : 3;
    uint32_t seed = surface->seed;
    float row = floorf(v * (float)count * 2), x = fractf(u * (float)count + ((int)row % 2 ? 0.5f : 0)) - 0.5f;
    float y = fractf(v * (float)count * 2) - 0.5f;
    x = fabsf(x);
    // A palmette: petals in polar coordinates, mirrored left and right, framed by an ogee.
    float radius = sqrtf(x * x + y * y), slope = y / (radius + 0.001f);
    float petals =
        0.22f + 0.10f * cos_turns(slope * (1.5f + noise_unit(seed, 1) * 2) + radius) + 0.06f * cos_turns(slope * 4);
    float motif = smoothf(0.012f, -0.012f, radius - petals);
    motif *= 1 - smoothf(0.03f, 0.015f, fabsf(radius - petals * 0.62f));
    motif -= smoothf(0.07f, 0.05f, radius) * 0.9f;
    float ogee = fabsf(x - 0.25f - 0.2f * cos_turns(y)), frame = smoothf(0.035f, 0.02f, ogee);
    float pattern = clampf(motif + frame, 0, 1);
    bool warp;
    float height = weave_height(u, v, 128, &warp), sheen = noise_fbm_stretched(u, v, 200, 6, 2, seed + 3);
    surface_mix(surface, 0, 2, pattern, out->color);
    surface_blend(surface, 3, smoothf(0.045f, 0.03f, radius), out->color);
    color_scale(out->color, (0.86f + 0.14f * height) * (1 + 0.1f * sheen));
    out->height = 0.3f + 0.4f * pattern + 0.12f * height;
    out->rough = mixf(0.85f, 0.45f, pattern) + 0.08f * sheen;
}

void recipe_leather(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    float warp_u = u + 0.008f * noise_gradient(u * 20, v * 20, 20, 20, seed);
    int count = surface->count ? surface->count : 44;
    struct noise_cell coarse = noise_cells(warp_u, v, count, count, 1, seed + 1);
    struct noise_cell fine = noise_cells(warp_u, v, count * 2, count * 2, 1, seed + 2);
    float grain = smoothf(0, 0.35f, coarse.second - coarse.nearest),
          pore = smoothf(0, 0.4f, fine.second - fine.nearest);
    float crease = smoothf(0.75f, 0.95f, noise_ridge(u, v, 3, 3, seed + 3)) * surface->amount;
    float cloud = noise_fbm(u, v, 3, 4, seed + 4);
    surface_mix(surface, 0, 2, clampf(0.35f + 0.4f * grain + 0.4f * cloud, 0, 1), out->color);
    surface_blend(surface, 1, clampf((1 - grain) * 0.55f + crease * 0.5f, 0, 1), out->color);
    out->height = 0.55f * grain + 0.25f * pore - 0.25f * crease;
    out->rough = 0.42f + 0.2f * (1 - grain) + 0.12f * cloud;
}

void recipe_grass(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    float top = 0;
    uint32_t id = 0;
    // Blades are cells of lattices stretched in four directions that still close on the square.
    for (int layer = 0; layer < 4; layer++) {
        float lean = (float)(layer % 3 - 1), x = u + lean * v, y = layer == 3 ? v + u : v;
        struct noise_cell blade = noise_cells(x, y, 56, 14, 1, seed + (uint32_t)layer * 13u);
        float height = (1 - clampf(blade.nearest * 1.25f, 0, 1)) * (0.5f + 0.5f * noise_unit(blade.id, 1));
        if (height > top) {
            top = height;
            id = blade.id;
        }
    }
    float patch = noise_fbm(u, v, 3, 4, seed + 70);
    surface_mix(surface, 0, 2, clampf(noise_unit(id, 2) * 0.7f + 0.5f * patch + 0.15f, 0, 1), out->color);
    surface_blend(surface, 3, noise_unit(id, 3) > 0.86f ? 0.6f : 0, out->color);
    surface_blend(surface, 1, smoothf(0.5f, 0.0f, top) * 0.85f, out->color);
    out->height = top + 0.1f * patch;
    out->rough = 0.75f + 0.15f * (1 - top);
}

// The topmost of the leaves scattered around a place: its hash, 0 where there is none; `x`, `y` inside the leaf (-1 to
// 1).
static uint32_t scattered_leaf(float u, float v, int count, uint32_t seed, float *leaf_x, float *leaf_y)
{
    float x = u * (float)count, y = v * (float)count, best = -1;
    int column = (int)floorf(x), row = (int)floorf(y);
    uint32_t found = 0;
    for (int j = -1; j <= 1; j++) {
        for (int i = -1; i <= 1; i++) {
            uint32_t id =
                noise_hash((uint32_t)noise_wrap(column + i, count), (uint32_t)noise_wrap(row + j, count), seed);
            float dx = x - (float)(column + i) - noise_unit(id, 1), dy = y - (float)(row + j) - noise_unit(id, 2);
            float turn = noise_unit(id, 3), c = cos_turns(turn), s = sin_turns(turn), order = noise_unit(id, 4);
            float along = (dx * c + dy * s) / 0.85f, across = (dy * c - dx * s) / 0.42f;
            float outline = (1 - along * along) * (0.85f + 0.3f * along);
            if (order > best && fabsf(along) < 1 && fabsf(across) < outline) {
                best = order;
                found = id | 1u;
                *leaf_x = along;
                *leaf_y = across;
            }
        }
    }
    return found;
}

void recipe_litter(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    float earth = noise_fbm(u, v, 24, 4, seed + 1), leaf_x = 0, leaf_y = 0;
    surface_color(surface, 1, out->color);
    color_scale(out->color, 0.9f + 0.5f * earth);
    out->height = 0.15f * (earth + 0.5f);
    out->rough = 0.95f;
    for (int layer = 0; layer < 4; layer++) {
        uint32_t id = scattered_leaf(u, v, 9 + layer * 2, seed + 20u + (uint32_t)layer, &leaf_x, &leaf_y);
        if (id == 0) {
            continue;
        }
        float rib = smoothf(0.10f, 0.03f, fabsf(leaf_y)),
              vein = smoothf(0.75f, 0.95f, cos_turns(leaf_x * 5 - fabsf(leaf_y) * 2));
        surface_mix(surface, 0, noise_unit(id, 6) > 0.5f ? 2 : 3, noise_unit(id, 5), out->color);
        color_scale(out->color,
                    (0.62f + 0.13f * (float)layer) * (1 - 0.18f * vein) * (1 + 0.2f * rib) * (1 + 0.15f * earth));
        out->height = 0.2f + 0.18f * (float)layer + 0.12f * (1 - leaf_y * leaf_y) - 0.04f * rib;
        out->rough = 0.62f;
    }
}

void recipe_sand(const struct surface *surface, float u, float v, struct texel *out)
{
    int count = surface->count ? surface->count : 12;
    uint32_t seed = surface->seed;
    float warp = 0.10f * noise_fbm(u, v, 2, 3, seed) + 0.02f * noise_fbm(u, v, 9, 2, seed + 1);
    float phase = fractf((v + warp) * (float)count), ripple = phase < 0.7f ? phase / 0.7f : (1 - phase) / 0.3f;
    ripple = smoothf(0, 1, ripple);
    float grain = noise_gradient(u * 220, v * 220, 220, 220, seed + 2), patch = noise_fbm(u, v, 3, 4, seed + 3);
    surface_mix(surface, 0, 2, clampf(0.6f * ripple + 0.4f * patch + 0.1f, 0, 1), out->color);
    surface_blend(surface, 1, (1 - ripple) * 0.35f, out->color);
    color_scale(out->color, 1 + 0.09f * grain);
    out->height = 0.75f * ripple + 0.1f * patch + 0.04f * grain;
    out->rough = 0.9f + 0.05f * grain;
}

void recipe_mud(const struct surface *surface, float u, float v, struct texel *out)
{
    int count = surface->count ? surface->count : 9;
    uint32_t seed = surface->seed;
    float warp = 0.03f * noise_fbm(u, v, 8, 3, seed), rugged = noise_fbm(u, v, 24, 4, seed + 1);
    struct noise_cell plate = noise_cells(u + warp, v - warp, count, count, 0.95f, seed + 2);
    struct noise_cell small = noise_cells(u + warp, v + warp, count * 3, count * 3, 0.95f, seed + 3);
    float edge = plate.second - plate.nearest, crack = smoothf(0.02f, 0.10f, edge);
    float hair = smoothf(0.0f, 0.08f, small.second - small.nearest);
    float curl = smoothf(0.6f, 0.1f, edge);
    surface_mix(surface, 0, 2, clampf(noise_unit(plate.id, 1) * 0.6f + 0.3f * curl + 0.3f * rugged, 0, 1), out->color);
    surface_blend(surface, 3, smoothf(0.1f, 0.5f, noise_fbm(u, v, 3, 4, seed + 4)) * 0.6f, out->color);
    color_scale(out->color, (0.85f + 0.15f * hair) * (1 + 0.12f * rugged));
    surface_blend(surface, 1, 1 - crack, out->color);
    out->height = crack * (0.6f + 0.22f * curl) - 0.08f * (1 - hair) + 0.08f * rugged;
    out->rough = mixf(0.98f, 0.8f, crack);
}

void recipe_snow(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    float drift = noise_fbm(u + 0.08f * noise_fbm(u, v, 3, 3, seed), v, 3, 5, seed + 1),
          grain = noise_fbm(u, v, 128, 2, seed + 2);
    surface_mix(surface, 0, 2, clampf(0.5f + drift, 0, 1), out->color);
    surface_blend(surface, 1, smoothf(0.0f, -0.5f, drift) * 0.5f, out->color);
    color_scale(out->color, 1 + 0.03f * grain);
    out->height = 0.5f + 0.5f * drift + 0.05f * grain;
    out->rough = 0.6f + 0.3f * grain;
}

void recipe_lava(const struct surface *surface, float u, float v, struct texel *out)
{
    int count = surface->count ? surface->count : 5;
    uint32_t seed = surface->seed;
    float warp = 0.05f * noise_fbm(u, v, 5, 4, seed), rugged = noise_fbm(u, v, 12, 5, seed + 1);
    struct noise_cell crust = noise_cells(u + warp, v - warp, count, count, 0.9f, seed + 2);
    float edge = crust.second - crust.nearest + 0.06f * rugged;
    float glow = smoothf(0.2f, 0.0f, edge), core = smoothf(0.08f, 0.0f, edge);
    surface_mix(surface, 1, 0, clampf(0.5f + rugged, 0, 1), out->color);
    surface_blend(surface, 3, glow, out->color);
    surface_blend(surface, 2, core, out->color);
    out->height = smoothf(0.0f, 0.3f, edge) * 0.7f + 0.25f * rugged;
    out->rough = mixf(0.92f, 0.35f, glow);
}

void recipe_ice(const struct surface *surface, float u, float v, struct texel *out)
{
    uint32_t seed = surface->seed;
    float cloud = noise_fbm(u + 0.1f * noise_fbm(u, v, 2, 3, seed), v, 2, 5, seed + 1);
    float crack = smoothf(0.86f, 0.99f, noise_ridge(u + 0.04f * cloud, v, 3, 2, seed + 2));
    struct noise_cell bubble = noise_cells(u, v, 30, 30, 1, seed + 3);
    float white = noise_unit(bubble.id, 1) > 0.8f ? smoothf(0.22f, 0.1f, bubble.nearest) : 0;
    surface_mix(surface, 0, 2, clampf(0.5f + 0.9f * cloud, 0, 1), out->color);
    surface_blend(surface, 1, smoothf(0.0f, -0.5f, cloud) * 0.7f, out->color);
    surface_blend(surface, 3, clampf(crack * 0.8f + white * 0.6f, 0, 1), out->color);
    out->height = 0.5f + 0.1f * cloud - 0.3f * crack;
    out->rough = 0.08f + 0.3f * crack + 0.1f * white;
}
