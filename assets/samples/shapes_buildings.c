// Architecture: columns, arches, towers, houses, walls, stairs, fences, bridges, temples, obelisks, rotundas, wells.
#include "noise.h"
#include "shapes.h"

static const char *const stones[] = { "ashlar_sandstone", "ashlar_limestone", "ashlar_castle", "ashlar_bath",
                                      "ashlar_granite",   "ashlar_mossy",     "ashlar_ochre",  "ashlar_basalt" };
static const char *const marbles[] = { "marble_carrara", "marble_siena", "marble_rosso", "marble_verde",
                                       "granite_grey",   "marble_rosa",  "marble_nero",  "granite_red" };
static const char *const roofs[] = { "roof_terracotta", "roof_old",    "shingle_slate", "shingle_cedar",
                                     "roof_blue",       "shingle_red", "roof_green",    "shingle_weathered" };
static const char *const planks[] = { "planks_oak", "planks_pine", "planks_walnut", "planks_grey", "planks_driftwood" };

static void add_box(struct mesh *mesh, struct vec3 center_low, float width, float height, float depth)
{
    mesh_box(mesh, (struct vec3){ center_low.x - width / 2, center_low.y, center_low.z - depth / 2 },
             (struct vec3){ center_low.x + width / 2, center_low.y + height, center_low.z + depth / 2 });
}

// A column of the given height on the ground at the current placement; style 0 smooth, 1 fluted, 2 with a belly.
static void add_column(struct mesh *mesh, float height, float radius, int style)
{
    struct lathe_profile base = { .segments = 32 }, shaft = { .segments = style == 1 ? 120 : 32 },
                         head = { .segments = 32 };
    float foot = radius * 0.9f, top = height - radius * 1.1f;
    add_box(mesh, (struct vec3){ 0 }, radius * 2.9f, radius * 0.35f, radius * 2.9f);
    lathe_point(&base, radius * 1.4f, radius * 0.35f);
    lathe_point(&base, radius * 1.45f, radius * 0.5f);
    lathe_point(&base, radius * 1.35f, radius * 0.65f);
    lathe_point(&base, radius * 1.12f, radius * 0.75f);
    lathe_point(&base, radius, foot);
    mesh_lathe(mesh, &base);
    for (int i = 0; i <= 12; i++) {
        float t = (float)i / 12, belly = style == 2 ? 0.12f * sin_turns(t * 0.5f) : 0.03f * sin_turns(t * 0.5f);
        lathe_point(&shaft, radius * (1 - 0.16f * t + belly), mixf(foot, top, t));
    }
    if (style == 1) {
        shaft.flutes = 20;
        shaft.depth = 0.11f;
    }
    mesh_lathe(mesh, &shaft);
    static const float profile[][2] = { { 0.84f, 0 },     { 0.95f, 0.04f }, { 0.95f, 0.12f },
                                        { 0.86f, 0.16f }, { 0.88f, 0.4f },  { 1.1f, 0.62f },
                                        { 1.3f, 0.72f },  { 1.3f, 0.8f },   { 0, 0.8f } };
    for (size_t i = 0; i < sizeof profile / sizeof profile[0]; i++) {
        lathe_point(&head, radius * profile[i][0], top + radius * profile[i][1]);
    }
    mesh_lathe(mesh, &head);
    add_box(mesh, (struct vec3){ 0, top + radius * 0.8f, 0 }, radius * 2.8f, radius * 0.3f, radius * 2.8f);
}

void shape_column(struct mesh *mesh, int variant)
{
    mesh_material(mesh, "stone", CHOOSE(marbles, variant), 0.7f);
    float height = mesh_random(mesh, 2.4f, 4.0f);
    add_column(mesh, height, height * mesh_random(mesh, 0.07f, 0.1f), variant % 3);
}

// Half a ring of wedge stones from (-span/2) to (span/2), springing at y.
static void add_arch_ring(struct mesh *mesh, float span, float y, float thick, float depth, int wedges)
{
    float inner = span / 2, outer = inner + thick, half = depth / 2;
    for (int i = 0; i < wedges; i++) {
        float a = 0.5f * (float)i / (float)wedges, b = 0.5f * (float)(i + 1) / (float)wedges,
              grow = i == wedges / 2 ? 1.06f : 1;
        struct vec3 inner_a = { inner * cos_turns(a), y + inner * sin_turns(a), half },
                    inner_b = { inner * cos_turns(b), y + inner * sin_turns(b), half };
        struct vec3 outer_a = { outer * grow * cos_turns(a), y + outer * grow * sin_turns(a), half },
                    outer_b = { outer * grow * cos_turns(b), y + outer * grow * sin_turns(b), half };
        struct vec3 corners[8] = { inner_b, inner_a, inner_a, inner_b, outer_b, outer_a, outer_a, outer_b };
        corners[2].z = corners[3].z = corners[6].z = corners[7].z = -half;
        mesh_hexahedron(mesh, corners);
    }
}

void shape_arch(struct mesh *mesh, int variant)
{
    float span = mesh_random(mesh, 1.6f, 2.4f), rise = mesh_random(mesh, 1.5f, 2.4f), thick = 0.38f, depth = 0.7f;
    mesh_material(mesh, "stone", CHOOSE(stones, variant), 0.45f);
    for (int side = -1; side <= 1; side += 2) {
        add_box(mesh, (struct vec3){ (float)side * (span / 2 + thick / 2), 0, 0 }, thick * 1.3f, 0.25f, depth * 1.2f);
        add_box(mesh, (struct vec3){ (float)side * (span / 2 + thick / 2), 0.25f, 0 }, thick, rise - 0.4f, depth);
    }
    mesh_material(mesh, "stone", CHOOSE(marbles, variant + 1), 0.6f);
    for (int side = -1; side <= 1; side += 2) {
        add_box(mesh, (struct vec3){ (float)side * (span / 2 + thick / 2), rise - 0.15f, 0 }, thick * 1.25f, 0.15f,
                depth * 1.15f);
    }
    add_arch_ring(mesh, span, rise, thick, depth, 15);
}

void shape_tower(struct mesh *mesh, int variant)
{
    float radius = mesh_random(mesh, 0.9f, 1.3f), height = mesh_random(mesh, 3.5f, 5.5f);
    struct lathe_profile body = { .segments = variant % 3 == 1 ? 8 : 40 };
    lathe_point(&body, radius * 1.15f, 0);
    lathe_point(&body, radius * 1.02f, height * 0.18f);
    lathe_point(&body, radius * 0.94f, height * 0.82f);
    lathe_point(&body, radius * 1.12f, height * 0.9f);
    lathe_point(&body, radius * 1.12f, height);
    lathe_point(&body, 0, height);
    mesh_material(mesh, "stone", CHOOSE(stones, variant + 2), 0.4f);
    mesh_lathe(mesh, &body);
    if (variant % 2 == 0) {
        for (int i = 0; i < 12; i++) {
            float turn = (float)i / 12, out = radius * 1.02f;
            mesh_place(mesh, (struct vec3){ out * cos_turns(turn), height, out * sin_turns(turn) }, -turn, 1);
            add_box(mesh, (struct vec3){ 0 }, radius * 0.2f, 0.4f, radius * 0.32f);
        }
        mesh_place(mesh, (struct vec3){ 0 }, 0, 1);
    } else {
        mesh_material(mesh, "tiles", CHOOSE(roofs, variant), 0.6f);
        struct lathe_profile roof = { .segments = body.segments };
        lathe_point(&roof, radius * 1.0f, height);
        lathe_point(&roof, radius * 1.35f, height - 0.1f);
        lathe_point(&roof, radius * 0.9f, height + radius * 0.7f);
        lathe_point(&roof, 0, height + radius * 2.4f);
        mesh_lathe(mesh, &roof);
    }
    mesh_material(mesh, "wood", CHOOSE(planks, variant), 0.9f);
    add_box(mesh, (struct vec3){ 0, 0, radius * 1.02f }, 0.7f, 1.3f, 0.3f);
    mesh_material(mesh, "metal", "brushed_blued", 1);
    for (int i = 0; i < 5; i++) {
        float turn = 0.25f + (float)i * 0.2f, y = height * (0.32f + 0.09f * (float)i);
        mesh_place(mesh, (struct vec3){ radius * 0.95f * cos_turns(turn), y, radius * 0.95f * sin_turns(turn) },
                   -turn + 0.25f, 1);
        add_box(mesh, (struct vec3){ 0 }, 0.16f, 0.55f, 0.14f);
    }
    mesh_place(mesh, (struct vec3){ 0 }, 0, 1);
}

// A roof of two slopes with overhang over a box of width x depth, its ridge along z; and the gables' walls come apart.
static void add_gable_roof(struct mesh *mesh, float width, float depth, float eaves, float rise)
{
    float thick = 0.12f, over = 0.3f, half = width / 2 + over, low = eaves - rise * over / (width / 2),
          z = depth / 2 + over;
    for (int side = -1; side <= 1; side += 2) {
        float x = half * (float)side;
        struct vec3 out_low = { x, low, z }, ridge = { 0, eaves + rise, z };
        // Lower four corners counter-clockwise from above depend on the side.
        struct vec3 corners[8];
        corners[0] = side > 0 ? ridge : out_low;
        corners[1] = side > 0 ? out_low : ridge;
        corners[2] = corners[1];
        corners[3] = corners[0];
        corners[2].z = corners[3].z = -z;
        for (int i = 0; i < 4; i++) {
            corners[i + 4] = corners[i];
            corners[i + 4].y += thick;
        }
        mesh_hexahedron(mesh, corners);
    }
}

static void add_window(struct mesh *mesh, struct vec3 at, float turn, float width, float height, const char *frame)
{
    mesh_place(mesh, at, turn, 1);
    mesh_material(mesh, "ground", "ice_deep", 0.4f);
    add_box(mesh, (struct vec3){ 0, 0, 0 }, width, height, 0.06f);
    mesh_material(mesh, "wood", frame, 0.9f);
    add_box(mesh, (struct vec3){ 0, -0.08f, 0.03f }, width + 0.24f, 0.08f, 0.2f);
    add_box(mesh, (struct vec3){ 0, height, 0 }, width + 0.2f, 0.1f, 0.14f);
    for (int side = -1; side <= 1; side++) {
        add_box(mesh, (struct vec3){ (float)side * width / 2, 0, 0.01f }, side ? 0.08f : 0.05f, height, 0.11f);
    }
    add_box(mesh, (struct vec3){ 0, height * 0.55f, 0.01f }, width, 0.05f, 0.1f);
    mesh_place(mesh, (struct vec3){ 0 }, 0, 1);
}

void shape_house(struct mesh *mesh, int variant)
{
    static const struct {
        const char *folder, *name;
    } walls[] = { { "brick", "brick_red" },     { "stone", "plaster_white" },    { "brick", "brick_london" },
                  { "stone", "plaster_ochre" }, { "stone", "cobbles_old_town" }, { "stone", "plaster_terracotta" },
                  { "brick", "brick_white" },   { "stone", "plaster_blue" },     { "wood", "planks_driftwood" },
                  { "stone", "plaster_pink" },  { "brick", "brick_dark" },       { "stone", "plaster_sage" } };
    float width = mesh_random(mesh, 3, 4), depth = mesh_random(mesh, 3.5f, 5), eaves = variant % 2 ? 4.4f : 2.5f,
          rise = mesh_random(mesh, 1.2f, 2.0f);
    const char *frame = CHOOSE(planks, variant + 1);
    mesh_material(mesh, "stone", CHOOSE(stones, variant), 0.45f);
    add_box(mesh, (struct vec3){ 0 }, width + 0.16f, 0.35f, depth + 0.16f);
    mesh_material(mesh, CHOOSE(walls, variant).folder, CHOOSE(walls, variant).name, 0.5f);
    add_box(mesh, (struct vec3){ 0, 0.35f, 0 }, width, eaves - 0.35f, depth);
    for (int side = -1; side <= 1; side += 2) {
        float z = depth / 2 * (float)side, x = width / 2 * (float)side;
        mesh_polygon(mesh, (struct vec3[3]){ { -x, eaves, z }, { x, eaves, z }, { 0, eaves + rise, z } }, 3);
    }
    mesh_box(mesh, (struct vec3){ width * 0.2f, eaves, -depth * 0.25f },
             (struct vec3){ width * 0.2f + 0.5f, eaves + rise + 0.6f, -depth * 0.25f + 0.5f });
    mesh_material(mesh, "tiles", CHOOSE(roofs, variant), 0.5f);
    add_gable_roof(mesh, width, depth, eaves, rise);
    mesh_material(mesh, "wood", CHOOSE(planks, variant), 0.8f);
    add_box(mesh, (struct vec3){ 0, 0.1f, depth / 2 }, 0.95f, 1.95f, 0.12f);
    mesh_material(mesh, "stone", CHOOSE(stones, variant), 0.45f);
    add_box(mesh, (struct vec3){ 0, 0, depth / 2 + 0.25f }, 1.4f, 0.12f, 0.5f);
    add_box(mesh, (struct vec3){ 0, 2.05f, depth / 2 }, 1.25f, 0.18f, 0.2f);
    for (float y = 0.95f; y + 1 < eaves; y += 1.85f) {
        for (int i = -1; i <= 1; i++) {
            if (i != 0 || y > 2) {
                add_window(mesh, (struct vec3){ (float)i * width * 0.31f, y, depth / 2 }, 0, 0.6f, 0.95f, frame);
            }
            add_window(mesh, (struct vec3){ width / 2, y, (float)i * depth * 0.3f }, 0.25f, 0.6f, 0.95f, frame);
            add_window(mesh, (struct vec3){ -width / 2, y, (float)i * depth * 0.3f }, 0.75f, 0.6f, 0.95f, frame);
        }
    }
}

void shape_wall(struct mesh *mesh, int variant)
{
    static const char *const bricks[] = { "brick_red",          "brick_adobe",  "herringbone_red",
                                          "brick_glazed_green", "brick_orange", "brick_blue" };
    mesh_material(mesh, "brick", CHOOSE(bricks, variant), 0.5f);
    add_box(mesh, (struct vec3){ 0 }, 3, 1.5f, 0.3f);
    mesh_material(mesh, "stone", CHOOSE(stones, variant + 1), 0.5f);
    for (int side = -1; side <= 1; side += 2) {
        add_box(mesh, (struct vec3){ 1.6f * (float)side, 0, 0 }, 0.5f, 1.8f, 0.5f);
        add_box(mesh, (struct vec3){ 1.6f * (float)side, 1.8f, 0 }, 0.62f, 0.12f, 0.62f);
        struct lathe_profile ball = { .segments = 24 };
        for (int i = 0; i <= 12; i++) {
            float t = 0.5f * (float)i / 12 - 0.25f;
            lathe_point(&ball, 0.2f * cos_turns(t), 2.1f + 0.2f * sin_turns(t));
        }
        mesh_place(mesh, (struct vec3){ 1.6f * (float)side, 0, 0 }, 0, 1);
        mesh_lathe(mesh, &ball);
        mesh_place(mesh, (struct vec3){ 0 }, 0, 1);
    }
    add_box(mesh, (struct vec3){ 0, 1.5f, 0 }, 2.8f, 0.12f, 0.42f);
}

void shape_stairs(struct mesh *mesh, int variant)
{
    int steps = 8 + variant % 3 * 2;
    mesh_material(mesh, "stone", variant % 2 ? CHOOSE(marbles, variant) : CHOOSE(stones, variant), 0.5f);
    for (int i = 0; i < steps; i++) {
        if (variant % 3 == 2) {
            // A spiral round a newel.
            mesh_place(mesh, (struct vec3){ 0, 0.18f * (float)i, 0 }, (float)i / 14.0f, 1);
            mesh_hexahedron(mesh, (struct vec3[8]){ { 0.1f, 0, 0.06f },
                                                    { 1.3f, 0, 0.34f },
                                                    { 1.3f, 0, -0.34f },
                                                    { 0.1f, 0, -0.06f },
                                                    { 0.1f, 0.18f, 0.06f },
                                                    { 1.3f, 0.18f, 0.34f },
                                                    { 1.3f, 0.18f, -0.34f },
                                                    { 0.1f, 0.18f, -0.06f } });
        } else {
            float z = 0.3f * (float)(steps - 1 - i) - 0.15f * (float)steps;
            mesh_box(mesh, (struct vec3){ -0.8f, 0, z - 0.3f }, (struct vec3){ 0.8f, 0.18f * (float)(i + 1), z });
        }
    }
    mesh_place(mesh, (struct vec3){ 0 }, 0, 1);
    if (variant % 3 == 2) {
        mesh_lathe(mesh,
                   &(struct lathe_profile){ .radius = { 0.16f, 0.16f, 0 },
                                            .height = { 0, 0.18f * (float)steps + 0.9f, 0.18f * (float)steps + 1.1f },
                                            .count = 3,
                                            .segments = 24 });
    } else {
        float tall = 0.18f * (float)steps, z = 0.15f * (float)steps;
        for (int side = -1; side <= 1; side += 2) {
            float x = 0.9f * (float)side;
            mesh_hexahedron(mesh, (struct vec3[8]){ { x - 0.1f, 0, z },
                                                    { x + 0.1f, 0, z },
                                                    { x + 0.1f, 0, -z - 0.3f },
                                                    { x - 0.1f, 0, -z - 0.3f },
                                                    { x - 0.1f, 0.5f, z },
                                                    { x + 0.1f, 0.5f, z },
                                                    { x + 0.1f, tall + 0.5f, -z - 0.3f },
                                                    { x - 0.1f, tall + 0.5f, -z - 0.3f } });
        }
    }
}

void shape_fence(struct mesh *mesh, int variant)
{
    bool iron = variant % 3 == 2;
    mesh_material(mesh, iron ? "metal" : "wood", iron ? "brushed_blued" : CHOOSE(planks, variant), 0.9f);
    float thick = iron ? 0.03f : 0.025f, width = iron ? 0.03f : 0.13f;
    for (int i = 0; i < 15; i++) {
        float x = -1.4f + 0.2f * (float)i, tall = 1.0f + (iron ? 0.1f : 0.05f) * sin_turns((float)i / 14);
        add_box(mesh, (struct vec3){ x, 0.05f, 0 }, width, tall, thick);
        struct vec3 point = { x, 0.05f + tall + 0.12f, 0 };
        float low = 0.05f + tall, w = width / 2, d = thick / 2;
        struct vec3 a = { x - w, low, d }, b = { x + w, low, d }, c = { x + w, low, -d }, e = { x - w, low, -d };
        mesh_polygon(mesh, (struct vec3[3]){ a, b, point }, 3);
        mesh_polygon(mesh, (struct vec3[3]){ b, c, point }, 3);
        mesh_polygon(mesh, (struct vec3[3]){ c, e, point }, 3);
        mesh_polygon(mesh, (struct vec3[3]){ e, a, point }, 3);
    }
    add_box(mesh, (struct vec3){ 0, 0.3f, -0.04f }, 3, 0.09f, 0.04f);
    add_box(mesh, (struct vec3){ 0, 0.85f, -0.04f }, 3, 0.09f, 0.04f);
}

void shape_bridge(struct mesh *mesh, int variant)
{
    float span = 3, thick = 0.35f, depth = 1.6f;
    mesh_material(mesh, "stone", CHOOSE(marbles, variant + 4), 0.5f);
    add_arch_ring(mesh, span, 0, thick, depth, 21);
    mesh_material(mesh, "stone", CHOOSE(stones, variant + 2), 0.45f);
    // The spandrels' fill as columns of boxes on the ring, then parapets.
    for (int i = 0; i < 24; i++) {
        float x = -2.4f + 0.2f * ((float)i + 0.5f), outer = span / 2 + thick - 0.02f,
              low = fabsf(x) < outer ? sqrtf(outer * outer - x * x) : 0;
        add_box(mesh, (struct vec3){ x, low, 0 }, 0.2f, 2.0f - low, depth * 0.94f);
    }
    for (int side = -1; side <= 1; side += 2) {
        add_box(mesh, (struct vec3){ 0, 2.0f, (float)side * (depth / 2 - 0.12f) }, 4.8f, 0.55f, 0.24f);
    }
    mesh_material(mesh, "stone", "cobbles_old_town", 0.5f);
    add_box(mesh, (struct vec3){ 0, 2.0f, 0 }, 4.8f, 0.03f, depth - 0.45f);
}

void shape_temple(struct mesh *mesh, int variant)
{
    mesh_material(mesh, "stone", CHOOSE(marbles, variant * 2), 0.5f);
    for (int i = 0; i < 3; i++) {
        add_box(mesh, (struct vec3){ 0, 0.16f * (float)i, 0 }, 4.2f - 0.3f * (float)i, 0.16f, 5.4f - 0.3f * (float)i);
    }
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 5; k++) {
            if (i == 0 || i == 3 || k == 0 || k == 4) {
                mesh_place(mesh, (struct vec3){ -1.5f + (float)i, 0.48f, -2.1f + 1.05f * (float)k }, 0, 1);
                add_column(mesh, 2.2f, 0.17f, variant % 2);
            }
        }
    }
    mesh_place(mesh, (struct vec3){ 0 }, 0, 1);
    add_box(mesh, (struct vec3){ 0, 2.68f, 0 }, 3.6f, 0.3f, 4.8f);
    for (int side = -1; side <= 1; side += 2) {
        float z = 2.3f * (float)side, x = 1.8f * (float)side;
        mesh_polygon(mesh, (struct vec3[3]){ { -x, 2.98f, z }, { x, 2.98f, z }, { 0, 3.75f, z } }, 3);
    }
    mesh_material(mesh, "tiles", CHOOSE(roofs, variant), 0.5f);
    add_gable_roof(mesh, 3.6f, 4.4f, 2.98f, 0.78f);
}

void shape_obelisk(struct mesh *mesh, int variant)
{
    float tall = mesh_random(mesh, 3.5f, 5), w = 0.42f, n = 0.26f;
    mesh_material(mesh, "stone", CHOOSE(marbles, variant + 4), 0.5f);
    add_box(mesh, (struct vec3){ 0 }, 1.3f, 0.25f, 1.3f);
    add_box(mesh, (struct vec3){ 0, 0.25f, 0 }, 1.05f, 0.5f, 1.05f);
    mesh_hexahedron(mesh, (struct vec3[8]){ { -w, 0.75f, w },
                                            { w, 0.75f, w },
                                            { w, 0.75f, -w },
                                            { -w, 0.75f, -w },
                                            { -n, tall, n },
                                            { n, tall, n },
                                            { n, tall, -n },
                                            { -n, tall, -n } });
    mesh_material(mesh, "metal", "hammered_gold", 1);
    struct vec3 tip = { 0, tall + 0.5f, 0 },
                base[4] = { { -n, tall, n }, { n, tall, n }, { n, tall, -n }, { -n, tall, -n } };
    for (int i = 0; i < 4; i++) {
        mesh_polygon(mesh, (struct vec3[3]){ base[i], base[(i + 1) % 4], tip }, 3);
    }
}

void shape_pyramid(struct mesh *mesh, int variant)
{
    mesh_material(mesh, "stone", CHOOSE(stones, variant * 3), 0.4f);
    for (int i = 0; i < 7; i++) {
        add_box(mesh, (struct vec3){ 0, 0.34f * (float)i, 0 }, 4 - 0.5f * (float)i, 0.34f, 4 - 0.5f * (float)i);
    }
    for (int i = 0; i < 14; i++) {
        mesh_box(mesh, (struct vec3){ -0.4f, 0, 0 },
                 (struct vec3){ 0.4f, 0.17f * (float)(i + 1), 2.25f - 0.125f * (float)i });
    }
}

void shape_rotunda(struct mesh *mesh, int variant)
{
    mesh_material(mesh, "stone", CHOOSE(marbles, variant), 0.5f);
    mesh_lathe(mesh, &(struct lathe_profile){ .radius = { 2.1f, 2.1f, 1.85f, 1.85f, 0 },
                                              .height = { 0, 0.18f, 0.18f, 0.36f, 0.36f },
                                              .count = 5,
                                              .segments = 48 });
    for (int i = 0; i < 8; i++) {
        float turn = (float)i / 8;
        mesh_place(mesh, (struct vec3){ 1.5f * cos_turns(turn), 0.36f, 1.5f * sin_turns(turn) }, -turn, 1);
        add_column(mesh, 2.3f, 0.16f, variant % 3);
    }
    mesh_place(mesh, (struct vec3){ 0 }, 0, 1);
    mesh_lathe(mesh, &(struct lathe_profile){ .radius = { 1.25f, 1.8f, 1.8f, 1.25f, 1.25f },
                                              .height = { 2.66f, 2.66f, 2.95f, 2.95f, 2.66f },
                                              .count = 5,
                                              .segments = 48 });
    struct lathe_profile dome = { .segments = 48 };
    lathe_point(&dome, 1.75f, 2.95f);
    for (int i = 0; i <= 14; i++) {
        float t = 0.25f * (float)i / 14;
        lathe_point(&dome, 1.6f * cos_turns(t), 3.0f + 1.35f * sin_turns(t));
    }
    static const char *const domes[] = { "hammered_copper", "hammered_gold", "hammered_bronze", "brushed_copper" };
    mesh_material(mesh, "metal", CHOOSE(domes, variant), 0.6f);
    mesh_lathe(mesh, &dome);
    mesh_material(mesh, "tiles", variant % 2 ? "mosaic_sea" : "checker_classic", 0.5f);
    mesh_lathe(mesh, &(struct lathe_profile){
                         .radius = { 1.8f, 0.01f }, .height = { 0.365f, 0.365f }, .count = 2, .segments = 48 });
}

void shape_well(struct mesh *mesh, int variant)
{
    mesh_material(mesh, "stone", variant % 2 ? "cobbles_river" : "cobbles_basalt", 0.7f);
    mesh_lathe(mesh, &(struct lathe_profile){ .radius = { 0.9f, 0.85f, 0.92f, 0.92f, 0.65f, 0.65f },
                                              .height = { 0, 0.7f, 0.72f, 0.86f, 0.86f, 0.1f },
                                              .count = 6,
                                              .segments = 36 });
    mesh_material(mesh, "ground", "ice_deep", 0.5f);
    mesh_lathe(mesh, &(struct lathe_profile){
                         .radius = { 0.66f, 0.01f }, .height = { 0.35f, 0.35f }, .count = 2, .segments = 36 });
    mesh_material(mesh, "wood", CHOOSE(planks, variant), 0.9f);
    for (int side = -1; side <= 1; side += 2) {
        add_box(mesh, (struct vec3){ 0.78f * (float)side, 0, 0 }, 0.12f, 2.1f, 0.12f);
    }
    mesh_tube(mesh, (struct vec3[2]){ { -0.9f, 1.6f, 0 }, { 0.9f, 1.6f, 0 } }, (float[2]){ 0.07f, 0.07f }, 2, 12,
              false);
    mesh_place(mesh, (struct vec3){ 0 }, 0.25f, 1);
    mesh_material(mesh, "tiles", CHOOSE(roofs, variant + 3), 0.6f);
    add_gable_roof(mesh, 1.5f, 1.7f, 2.05f, 0.6f);
}
