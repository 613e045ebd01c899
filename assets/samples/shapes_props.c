// Props: crates, barrels, vases, furniture, lamps, sculptures, signposts, fountains, chests, books.
#include "noise.h"
#include "shapes.h"

static const char *const planks[] = { "planks_oak",    "planks_pine",  "planks_walnut",    "planks_grey",
                                      "planks_cherry", "planks_birch", "planks_driftwood", "planks_ebony" };
static const char *const metals[] = { "brushed_steel",   "brushed_brass",    "hammered_copper", "brushed_blued",
                                      "hammered_bronze", "brushed_titanium", "hammered_gold",   "hammered_silver" };

static void lathe_points(struct lathe_profile *profile, const float (*points)[2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        lathe_point(profile, points[i][0], points[i][1]);
    }
}

#define LATHE_POINTS(profile, points) lathe_points(profile, points, sizeof(points) / sizeof(points)[0])

void shape_crate(struct mesh *mesh, int variant)
{
    float half = mesh_random(mesh, 0.4f, 0.6f), bar = half * 0.18f, rim = half * 1.04f;
    mesh_material(mesh, "wood", CHOOSE(planks, variant), 0.9f);
    mesh_box(mesh, (struct vec3){ -half, 0.03f, -half }, (struct vec3){ half, half * 2, half });
    mesh_material(mesh, variant % 3 == 2 ? "metal" : "wood",
                  variant % 3 == 2 ? "rust_red" : CHOOSE(planks, variant + 3), 0.9f);
    // Bars along the twelve edges.
    for (int i = 0; i < 4; i++) {
        float x = i & 1 ? 1 : -1, y = i & 2 ? 1 : -1, top = half * 2 * 1.02f;
        float y0 = y > 0 ? top - bar : 0, y1 = y > 0 ? top : bar, x0 = x > 0 ? rim - bar : -rim,
              z0 = y > 0 ? rim - bar : -rim;
        mesh_box(mesh, (struct vec3){ -rim, y0, x0 }, (struct vec3){ rim, y1, x0 + bar });
        mesh_box(mesh, (struct vec3){ x0, y0, -rim }, (struct vec3){ x0 + bar, y1, rim });
        mesh_box(mesh, (struct vec3){ x0, 0, z0 }, (struct vec3){ x0 + bar, top, z0 + bar });
    }
}

void shape_barrel(struct mesh *mesh, int variant)
{
    struct lathe_profile body = { .segments = 40 };
    lathe_point(&body, 0, 0.04f);
    for (int i = 0; i <= 12; i++) {
        float t = (float)i / 12 * 2 - 1;
        lathe_point(&body, 0.42f - 0.09f * t * t, 0.55f + 0.53f * t);
    }
    lathe_point(&body, 0.29f, 1.08f);
    lathe_point(&body, 0.29f, 1.03f);
    lathe_point(&body, 0, 1.03f);
    mesh_material(mesh, "wood", CHOOSE(planks, variant), 0.8f);
    mesh_lathe(mesh, &body);
    mesh_material(mesh, "metal", CHOOSE(metals, variant * 3), 1);
    for (int i = 0; i < 4; i++) {
        static const float heights[4] = { 0.08f, 0.3f, 0.74f, 0.96f };
        float t = (heights[i] + 0.03f - 0.55f) / 0.53f, radius = 0.428f - 0.09f * t * t;
        mesh_lathe(
            mesh, &(struct lathe_profile){ .radius = { radius - 0.02f, radius, radius, radius - 0.02f },
                                           .height = { heights[i], heights[i], heights[i] + 0.06f, heights[i] + 0.06f },
                                           .count = 4,
                                           .segments = 40 });
    }
}

void shape_vase(struct mesh *mesh, int variant)
{
    static const struct {
        const char *folder, *name;
    } glazes[] = {
        { "tiles", "ornament_delft" },     { "stone", "marble_verde" },    { "tiles", "mosaic_gold" },
        { "stone", "plaster_terracotta" }, { "metal", "hammered_copper" }, { "tiles", "ornament_isfahan" },
        { "stone", "marble_nero" },        { "tiles", "ornament_fez" },    { "metal", "hammered_gold" },
        { "tiles", "mosaic_sea" },         { "stone", "marble_azul" },     { "tiles", "ornament_art_deco" }
    };
    float foot = mesh_random(mesh, 0.10f, 0.2f), belly = mesh_random(mesh, 0.26f, 0.42f),
          neck = mesh_random(mesh, 0.07f, 0.15f);
    float lip = neck + mesh_random(mesh, 0.03f, 0.12f), tall = mesh_random(mesh, 0.8f, 1.3f),
          widest = mesh_random(mesh, 0.3f, 0.6f);
    struct lathe_profile vase = { .segments = 56 };
    lathe_point(&vase, 0, 0);
    lathe_point(&vase, foot, 0);
    lathe_point(&vase, foot, 0.02f);
    for (int i = 1; i <= 26; i++) {
        float t = (float)i / 26;
        float radius = t < widest ? mixf(foot * 0.9f, belly, smoothf(-0.2f * widest, widest, t))
                                  : mixf(belly, neck, smoothf(widest, 0.86f, t));
        lathe_point(&vase, t < 0.86f ? radius : mixf(neck, lip, smoothf(0.86f, 1.02f, t)), 0.02f + t * tall);
    }
    lathe_point(&vase, lip - 0.02f, 0.03f + tall);
    lathe_point(&vase, neck - 0.02f, tall * 0.86f);
    lathe_point(&vase, 0, tall * 0.8f);
    if (variant % 4 == 3) {
        vase.flutes = 20;
        vase.depth = 0.06f;
        vase.segments = 120;
    }
    mesh_material(mesh, CHOOSE(glazes, variant).folder, CHOOSE(glazes, variant).name, 1.0f);
    mesh_lathe(mesh, &vase);
}

void shape_bench(struct mesh *mesh, int variant)
{
    mesh_material(mesh, "wood", CHOOSE(planks, variant), 0.8f);
    for (int i = 0; i < 4; i++) {
        float z = -0.22f + 0.12f * (float)i;
        mesh_box(mesh, (struct vec3){ -0.9f, 0.44f, z }, (struct vec3){ 0.9f, 0.48f, z + 0.1f });
    }
    for (int i = 0; i < 3; i++) {
        float y = 0.56f + 0.13f * (float)i, z = -0.26f - 0.03f * (float)i;
        mesh_box(mesh, (struct vec3){ -0.9f, y, z }, (struct vec3){ 0.9f, y + 0.1f, z + 0.035f });
    }
    mesh_material(mesh, "metal", CHOOSE(metals, variant + 3), 1);
    for (int side = -1; side <= 1; side += 2) {
        float x = 0.72f * (float)side;
        mesh_box(mesh, (struct vec3){ x - 0.03f, 0, 0.16f }, (struct vec3){ x + 0.03f, 0.44f, 0.22f });
        mesh_box(mesh, (struct vec3){ x - 0.03f, 0, -0.24f }, (struct vec3){ x + 0.03f, 0.44f, -0.18f });
        mesh_box(mesh, (struct vec3){ x - 0.03f, 0.40f, -0.24f }, (struct vec3){ x + 0.03f, 0.44f, 0.22f });
        mesh_box(mesh, (struct vec3){ x - 0.03f, 0.44f, -0.36f }, (struct vec3){ x + 0.03f, 0.94f, -0.31f });
    }
}

static void add_leg(struct mesh *mesh, float x, float z, float height)
{
    struct lathe_profile leg = { .segments = 20 };
    static const float points[][2] = { { 0, 0 },        { 0.03f, 0 },     { 0.04f, 0.06f }, { 0.025f, 0.12f },
                                       { 0.05f, 0.4f }, { 0.03f, 0.65f }, { 0.05f, 0.72f }, { 0.05f, 1 } };
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        lathe_point(&leg, points[i][0], points[i][1] * height);
    }
    mesh_place(mesh, (struct vec3){ x, 0, z }, 0, 1);
    mesh_lathe(mesh, &leg);
    mesh_place(mesh, (struct vec3){ 0 }, 0, 1);
}

void shape_table(struct mesh *mesh, int variant)
{
    static const char *const tops[] = { "parquet_oak", "parquet_walnut", "parquet_maple", "parquet_mixed" };
    mesh_material(mesh, "wood", CHOOSE(planks, variant + 1), 0.8f);
    for (int i = 0; i < 4; i++) {
        add_leg(mesh, i & 1 ? 0.7f : -0.7f, i & 2 ? 0.38f : -0.38f, 0.7f);
    }
    mesh_box(mesh, (struct vec3){ -0.74f, 0.62f, -0.42f }, (struct vec3){ 0.74f, 0.70f, 0.42f });
    mesh_material(mesh, "wood", CHOOSE(tops, variant), 0.8f);
    mesh_box(mesh, (struct vec3){ -0.85f, 0.70f, -0.52f }, (struct vec3){ 0.85f, 0.75f, 0.52f });
}

void shape_chair(struct mesh *mesh, int variant)
{
    static const char *const cloths[] = { "tartan_royal",  "damask_emerald",  "leather_tan",
                                          "weave_crimson", "damask_burgundy", "tartan_storm" };
    mesh_material(mesh, "wood", CHOOSE(planks, variant + 2), 0.8f);
    for (int i = 0; i < 4; i++) {
        add_leg(mesh, i & 1 ? 0.22f : -0.22f, i & 2 ? 0.22f : -0.22f, 0.45f);
    }
    mesh_box(mesh, (struct vec3){ -0.26f, 0.42f, -0.26f }, (struct vec3){ 0.26f, 0.46f, 0.26f });
    for (int side = -1; side <= 1; side += 2) {
        float x = 0.22f * (float)side;
        mesh_box(mesh, (struct vec3){ x - 0.025f, 0.46f, -0.26f }, (struct vec3){ x + 0.025f, 1.02f, -0.21f });
    }
    mesh_box(mesh, (struct vec3){ -0.26f, 1.0f, -0.265f }, (struct vec3){ 0.26f, 1.07f, -0.205f });
    mesh_material(mesh, "fabric", CHOOSE(cloths, variant), 1.6f);
    mesh_box(mesh, (struct vec3){ -0.24f, 0.46f, -0.2f }, (struct vec3){ 0.24f, 0.52f, 0.25f });
    mesh_box(mesh, (struct vec3){ -0.19f, 0.58f, -0.255f }, (struct vec3){ 0.19f, 0.97f, -0.2f });
}

void shape_lamp(struct mesh *mesh, int variant)
{
    struct lathe_profile post = { .segments = 24 };
    static const float points[][2] = { { 0, 0 },         { 0.2f, 0 },      { 0.2f, 0.08f },  { 0.12f, 0.16f },
                                       { 0.09f, 0.5f },  { 0.06f, 0.56f }, { 0.045f, 2.0f }, { 0.07f, 2.06f },
                                       { 0.045f, 2.1f }, { 0.04f, 2.3f },  { 0.12f, 2.36f } };
    LATHE_POINTS(&post, points);
    mesh_material(mesh, "metal", CHOOSE(metals, variant + 3), 1);
    mesh_lathe(mesh, &post);
    struct lathe_profile cap = { .segments = 6 };
    static const float cap_points[][2] = { { 0.12f, 2.72f }, { 0.24f, 2.72f }, { 0.08f, 2.88f },
                                           { 0.03f, 2.9f },  { 0.03f, 2.98f }, { 0, 3.0f } };
    LATHE_POINTS(&cap, cap_points);
    mesh_lathe(mesh, &cap);
    mesh_material(mesh, "ground",
                  variant % 3 == 1   ? "lava_emerald"
                  : variant % 3 == 2 ? "ice_glacier"
                                     : "lava_basalt",
                  1.5f);
    mesh_lathe(mesh, &(struct lathe_profile){
                         .radius = { 0.12f, 0.19f }, .height = { 2.36f, 2.72f }, .count = 2, .segments = 6 });
}

void shape_sculpture(struct mesh *mesh, int variant)
{
    static const int windings[][2] = { { 2, 3 }, { 3, 2 }, { 2, 5 }, { 3, 5 }, { 3, 4 }, { 5, 2 }, { 1, 4 }, { 3, 7 } };
    static const char *const stones[] = { "marble_carrara", "marble_rosso", "granite_black", "marble_siena" };
    enum { POINTS = 240 };
    struct vec3 path[POINTS];
    float radii[POINTS], p = (float)CHOOSE(windings, variant)[0], q = (float)CHOOSE(windings, variant)[1];
    for (int i = 0; i < POINTS; i++) {
        float t = (float)i / POINTS, ring = 0.52f + 0.22f * cos_turns(q * t);
        path[i] = (struct vec3){ ring * cos_turns(p * t), 1.75f + ring * sin_turns(p * t), 0.24f * sin_turns(q * t) };
        radii[i] = 0.085f + 0.025f * sin_turns(q * t * 2);
    }
    mesh_material(mesh, "metal", CHOOSE(metals, variant + 6), 1.2f);
    mesh_tube(mesh, path, radii, POINTS, 18, true);
    mesh_material(mesh, "stone", CHOOSE(stones, variant), 0.9f);
    mesh_box(mesh, (struct vec3){ -0.5f, 0, -0.5f }, (struct vec3){ 0.5f, 0.12f, 0.5f });
    mesh_box(mesh, (struct vec3){ -0.38f, 0.12f, -0.38f }, (struct vec3){ 0.38f, 0.86f, 0.38f });
    mesh_box(mesh, (struct vec3){ -0.46f, 0.86f, -0.46f }, (struct vec3){ 0.46f, 0.94f, 0.46f });
}

void shape_signpost(struct mesh *mesh, int variant)
{
    static const char *const signs[] = { "enamel_leat",    "enamel_hall_1", "board_inn",    "enamel_danger",
                                         "board_bakery",   "enamel_no_42",  "board_ferry",  "enamel_way_out",
                                         "poster_sunrise", "board_apples",  "poster_coast", "enamel_mill" };
    float half = 0.45f, low = 1.15f;
    mesh_material(mesh, variant % 2 ? "wood" : "metal", variant % 2 ? CHOOSE(planks, variant) : CHOOSE(metals, variant),
                  1);
    mesh_box(mesh, (struct vec3){ -0.04f, 0, -0.05f }, (struct vec3){ 0.04f, low + half * 2 + 0.1f, 0.03f });
    mesh_box(mesh, (struct vec3){ -half - 0.02f, low - 0.02f, 0.02f },
             (struct vec3){ half + 0.02f, low + half * 2 + 0.02f, 0.045f });
    // The sign fills one repeat of its texture: density of one per its width, and the origin at its lower left corner.
    mesh_material(mesh, "signs", CHOOSE(signs, variant), 1 / (half * 2));
    mesh_place(mesh, (struct vec3){ -half, low, 0.05f }, 0, 1);
    mesh_polygon(mesh,
                 (struct vec3[4]){ { 0, 0, 0 }, { half * 2, 0, 0 }, { half * 2, half * 2, 0 }, { 0, half * 2, 0 } }, 4);
}

void shape_fountain(struct mesh *mesh, int variant)
{
    static const char *const stones[] = { "marble_carrara", "ashlar_limestone", "granite_rose" };
    struct lathe_profile basin = { .segments = 48 };
    static const float points[][2] = { { 1.5f, 0 },     { 1.5f, 0.12f }, { 1.38f, 0.14f }, { 1.4f, 0.5f },
                                       { 1.5f, 0.55f }, { 1.5f, 0.62f }, { 1.28f, 0.62f }, { 1.26f, 0.2f } };
    LATHE_POINTS(&basin, points);
    mesh_material(mesh, "stone", CHOOSE(stones, variant), 0.6f);
    mesh_lathe(mesh, &basin);
    struct lathe_profile stem = { .segments = 40 };
    static const float stem_points[][2] = { { 0.4f, 0.2f },   { 0.36f, 0.4f },  { 0.14f, 0.6f },  { 0.12f, 1.1f },
                                            { 0.2f, 1.2f },   { 0.75f, 1.45f }, { 0.78f, 1.52f }, { 0.70f, 1.52f },
                                            { 0.3f, 1.4f },   { 0.09f, 1.42f }, { 0.08f, 1.8f },  { 0.3f, 1.98f },
                                            { 0.32f, 2.04f }, { 0.1f, 2.0f },   { 0.05f, 2.2f },  { 0, 2.25f } };
    LATHE_POINTS(&stem, stem_points);
    mesh_lathe(mesh, &stem);
    mesh_material(mesh, "ground", "ice_deep", 0.5f);
    mesh_lathe(mesh, &(struct lathe_profile){
                         .radius = { 1.3f, 0.1f }, .height = { 0.5f, 0.5f }, .count = 2, .segments = 48 });
    mesh_lathe(mesh, &(struct lathe_profile){
                         .radius = { 0.72f, 0.05f }, .height = { 1.49f, 1.49f }, .count = 2, .segments = 40 });
}

void shape_chest(struct mesh *mesh, int variant)
{
    mesh_material(mesh, "wood", CHOOSE(planks, variant), 1);
    mesh_box(mesh, (struct vec3){ -0.5f, 0, -0.3f }, (struct vec3){ 0.5f, 0.42f, 0.3f });
    // The lid: half a cylinder along x, in eight flat staves, and its two ends.
    struct vec3 near[9], far[9];
    for (int i = 0; i <= 8; i++) {
        float turn = (float)i / 16;
        near[i] = (struct vec3){ -0.52f, 0.42f + 0.24f * sin_turns(turn), 0.32f * cos_turns(turn) };
        far[i] = near[i];
        far[i].x = 0.52f;
    }
    for (int i = 0; i < 8; i++) {
        mesh_polygon(mesh, (struct vec3[4]){ near[i], far[i], far[i + 1], near[i + 1] }, 4);
    }
    mesh_polygon(mesh, far, 9);
    struct vec3 reversed[9];
    for (int i = 0; i < 9; i++) {
        reversed[i] = near[8 - i];
    }
    mesh_polygon(mesh, reversed, 9);
    mesh_material(mesh, "metal", CHOOSE(metals, variant + 1), 1.5f);
    for (int i = 0; i < 3; i++) {
        float x = -0.4f + 0.37f * (float)i;
        mesh_box(mesh, (struct vec3){ x, -0.001f, -0.315f }, (struct vec3){ x + 0.06f, 0.425f, 0.315f });
    }
    mesh_box(mesh, (struct vec3){ -0.07f, 0.3f, 0.3f }, (struct vec3){ 0.07f, 0.46f, 0.345f });
}

void shape_books(struct mesh *mesh, int variant)
{
    static const char *const covers[] = { "leather_oxblood", "leather_tan",     "leather_green",
                                          "leather_black",   "damask_midnight", "weave_linen" };
    float height = 0;
    for (int i = 0; i < 7; i++) {
        float x = mesh_random(mesh, 0.2f, 0.27f), z = mesh_random(mesh, 0.14f, 0.19f),
              thick = mesh_random(mesh, 0.04f, 0.09f);
        mesh_place(mesh, (struct vec3){ 0, height, 0 }, mesh_random(mesh, -0.06f, 0.06f), 1);
        mesh_material(mesh, "fabric", CHOOSE(covers, i + variant), 2);
        mesh_box(mesh, (struct vec3){ -x, 0, -z }, (struct vec3){ x, 0.008f, z });
        mesh_box(mesh, (struct vec3){ -x, thick - 0.008f, -z }, (struct vec3){ x, thick, z });
        mesh_box(mesh, (struct vec3){ -x, 0.008f, -z }, (struct vec3){ x, thick - 0.008f, -z + 0.008f });
        mesh_material(mesh, "stone", "plaster_white", 2);
        mesh_box(mesh, (struct vec3){ -x + 0.01f, 0.008f, -z + 0.008f },
                 (struct vec3){ x - 0.01f, thick - 0.008f, z - 0.01f });
        height += thick;
    }
}
