// Recipes with a cut-out outline, for plants: sprays of leaves, fern fronds, grass blades, palm leaves, flowers. They
// do not tile; v runs down, and a plant hangs from the lower edge's middle. Pure functions; any thread.
//
// Colour is set outside the outline too (the leaf's own), so that filtering never mixes in a foreign one.
#include "noise.h"
#include "surface.h"

struct leaf_place {
    float x, y; // where the stalk begins, in the square, y up
    float turn; // direction, in turns, 0 is along x
    float length, width;
};

// Draws one pointed leaf over what is there when the point lies in it.
static void leaf_draw(const struct surface *surface, float x, float y, const struct leaf_place *leaf, uint32_t id,
                      struct texel *out)
{
    float c = cos_turns(leaf->turn), s = sin_turns(leaf->turn), dx = x - leaf->x, dy = y - leaf->y;
    float along = (dx * c + dy * s) / leaf->length, across = (dy * c - dx * s) / leaf->width;
    if (along < 0 || along > 1) {
        return;
    }
    float outline = 1.7f * sqrtf(along) * (1 - along) * (1 + 0.03f * cos_turns(along * 9));
    if (fabsf(across) > outline) {
        return;
    }
    float rib = smoothf(0.10f, 0.02f, fabsf(across)),
          vein = smoothf(0.7f, 1.0f, cos_turns(along * 7 - fabsf(across) * 1.3f));
    surface_mix(surface, 0, 2, noise_unit(id, 1) * 0.8f + 0.2f * along, out->color);
    surface_blend(surface, 1, 0.35f * smoothf(0.0f, 1.0f, fabsf(across) / (outline + 0.001f)) + 0.2f * vein,
                  out->color);
    surface_blend(surface, 3, 0.5f * rib, out->color);
    out->height = 0.45f + 0.3f * (1 - fabsf(across)) - 0.12f * vein + 0.1f * noise_unit(id, 2);
    out->rough = 0.45f + 0.15f * vein;
    out->alpha = 1;
}

static void leaf_ground(const struct surface *surface, struct texel *out)
{
    surface_mix(surface, 0, 1, 0.4f, out->color);
    out->height = 0.3f;
    out->rough = 0.6f;
    out->alpha = 0;
}

// A stalk from (x, y) along `turn`; a thin bar.
static void stalk_draw(const struct surface *surface, float x, float y, const struct leaf_place *stalk,
                       struct texel *out)
{
    float c = cos_turns(stalk->turn), s = sin_turns(stalk->turn), dx = x - stalk->x, dy = y - stalk->y;
    float along = (dx * c + dy * s) / stalk->length, across = (dy * c - dx * s) / (stalk->width * (1.2f - along));
    if (along >= 0 && along <= 1 && fabsf(across) < 1) {
        surface_mix(surface, 1, 3, 0.5f - 0.4f * across, out->color);
        out->height = 0.4f + 0.3f * (1 - across * across);
        out->rough = 0.7f;
        out->alpha = 1;
    }
}

void recipe_leaf_spray(const struct surface *surface, float u, float v, struct texel *out)
{
    float x = u, y = 1 - v;
    int count = surface->count ? surface->count : 9;
    leaf_ground(surface, out);
    stalk_draw(surface, x, y, &(struct leaf_place){ 0.5f, 0, 0.25f, 0.85f, 0.012f }, out);
    for (int i = 0; i < count * 2; i++) {
        uint32_t id = noise_hash((uint32_t)i, 1, surface->seed);
        float place = (float)(i / 2) / (float)count, side = i % 2 ? 1 : -1;
        leaf_draw(surface, x, y,
                  &(struct leaf_place){ .x = 0.5f,
                                        .y = 0.08f + 0.72f * place,
                                        .turn = 0.25f - side * (0.17f - 0.05f * place + 0.03f * noise_unit(id, 3)),
                                        .length = 0.46f - 0.2f * place,
                                        .width = 0.11f - 0.03f * place },
                  id, out);
    }
    leaf_draw(surface, x, y, &(struct leaf_place){ 0.5f, 0.72f, 0.25f, 0.27f, 0.09f }, surface->seed, out);
}

void recipe_fern(const struct surface *surface, float u, float v, struct texel *out)
{
    float x = u, y = 1 - v;
    int count = surface->count ? surface->count : 22;
    leaf_ground(surface, out);
    stalk_draw(surface, x, y, &(struct leaf_place){ 0.5f, 0, 0.25f, 0.97f, 0.010f }, out);
    for (int i = 0; i < count * 2; i++) {
        uint32_t id = noise_hash((uint32_t)i, 2, surface->seed);
        float place = (float)(i / 2) / (float)count, side = i % 2 ? 1 : -1;
        float reach = 0.44f * smoothf(-0.15f, 0.25f, place) * (1 - place * place);
        leaf_draw(surface, x, y,
                  &(struct leaf_place){ .x = 0.5f,
                                        .y = 0.05f + 0.9f * place,
                                        .turn = 0.25f - side * (0.205f - 0.08f * place),
                                        .length = reach + 0.04f,
                                        .width = 0.030f },
                  id, out);
    }
}

void recipe_blades(const struct surface *surface, float u, float v, struct texel *out)
{
    float y = 1 - v;
    int count = surface->count ? surface->count : 26;
    leaf_ground(surface, out);
    for (int i = 0; i < count; i++) {
        uint32_t id = noise_hash((uint32_t)i, 3, surface->seed);
        float height = 0.45f + 0.53f * noise_unit(id, 1), base = 0.12f + 0.76f * noise_unit(id, 2);
        float rise = y / height, bend = (noise_unit(id, 3) - 0.5f) * 0.5f;
        float distance = fabsf(u - base - bend * rise * rise) / (0.022f * (1 - rise * 0.95f));
        if (rise <= 1 && distance < 1) {
            surface_mix(surface, 1, noise_unit(id, 4) > 0.3f ? 0 : 2, clampf(0.2f + rise, 0, 1), out->color);
            surface_blend(surface, 2, 0.5f * noise_unit(id, 5) * rise, out->color);
            if (surface->amount > 0 && noise_unit(id, 6) < surface->amount && rise > 0.75f) {
                surface_blend(surface, 3, 0.9f, out->color); // an ear
            }
            out->height = 0.4f + 0.3f * (1 - distance);
            out->rough = 0.55f;
            out->alpha = 1;
        }
    }
}

void recipe_palm_leaf(const struct surface *surface, float u, float v, struct texel *out)
{
    float x = u, y = 1 - v;
    leaf_ground(surface, out);
    for (int i = 0; i < 34; i++) {
        uint32_t id = noise_hash((uint32_t)i, 4, surface->seed);
        float place = (float)(i / 2) / 17.0f, side = i % 2 ? 1 : -1;
        leaf_draw(surface, x, y,
                  &(struct leaf_place){ .x = 0.5f,
                                        .y = 0.10f + 0.82f * place,
                                        .turn = 0.25f - side * (0.15f - 0.09f * place),
                                        .length = 0.5f - 0.22f * place,
                                        .width = 0.022f },
                  id, out);
    }
    stalk_draw(surface, x, y, &(struct leaf_place){ 0.5f, 0, 0.25f, 0.98f, 0.014f }, out);
}

void recipe_flower(const struct surface *surface, float u, float v, struct texel *out)
{
    float x = u - 0.5f, y = 0.5f - v, radius = sqrtf(x * x + y * y);
    int petals = surface->count ? surface->count : 8;
    leaf_ground(surface, out);
    surface_mix(surface, 0, 2, 0.5f, out->color);
    for (int ring = 0; ring < 2; ring++) {
        for (int i = 0; i < petals; i++) {
            uint32_t id = noise_hash((uint32_t)i, (uint32_t)ring, surface->seed);
            float turn = ((float)i + 0.5f * (float)ring) / (float)petals, reach = ring ? 0.34f : 0.48f;
            float along = (x * cos_turns(turn) + y * sin_turns(turn)) / reach;
            float across = (y * cos_turns(turn) - x * sin_turns(turn)) / (1.45f / (float)petals * reach);
            float outline = along > 0 && along < 1 ? sqrtf(along) * sqrtf(1 - along * along) * 1.4f : -1;
            if (fabsf(across) < outline) {
                surface_mix(surface, ring ? 2 : 0, 3, 0.5f * smoothf(0.7f, 0.1f, along), out->color);
                color_scale(out->color,
                            (0.8f + 0.2f * along) * (1 - 0.12f * fabsf(across)) * (0.92f + 0.1f * noise_unit(id, 1)));
                out->height = 0.35f + 0.2f * (float)ring + 0.2f * (1 - fabsf(across));
                out->alpha = 1;
            }
        }
    }
    if (radius < 0.11f) {
        struct noise_cell seed = noise_cells(u, v, 44, 44, 0.7f, surface->seed);
        surface_mix(surface, 3, 1, smoothf(0.1f, 0.5f, seed.nearest), out->color);
        out->height = 0.9f - radius * 3 - 0.3f * seed.nearest;
        out->alpha = 1;
    }
}
