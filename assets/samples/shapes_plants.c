// Plants: trunks and branches are tubes, foliage is cut-out cards.
#include "noise.h"
#include "shapes.h"

static struct vec3 random_direction(struct mesh *mesh, float low_y, float high_y)
{
    float y = mesh_random(mesh, low_y, high_y), turn = mesh_random(mesh, 0, 1), ring = sqrtf(1 - y * y);
    return (struct vec3){ ring * cos_turns(turn), y, ring * sin_turns(turn) };
}

// A card of foliage from `base` along `up`, turned about it by chance.
static void add_foliage(struct mesh *mesh, struct vec3 base, struct vec3 up, float width, float length)
{
    struct vec3 along = vec3_normal(up), helper = random_direction(mesh, -1, 1);
    struct vec3 right = vec3_normal(vec3_cross(along, helper));
    mesh_card(mesh, base, vec3_scale(right, width), vec3_scale(along, length));
}

struct tree {
    const char *bark, *leaf;
    float leaf_size;
    int depth;
};

// A branch as a bent tube, and smaller ones from it; leaves on the last.
static void grow_branch(struct mesh *mesh, const struct tree *tree, struct vec3 from, struct vec3 direction,
                        float length, float radius, int level)
{
    enum { STEPS = 6 };
    struct vec3 points[STEPS];
    float radii[STEPS];
    for (int i = 0; i < STEPS; i++) {
        points[i] = from;
        radii[i] = radius * (1 - 0.55f * (float)i / (STEPS - 1)) * (level == 0 && i == 0 ? 1.35f : 1);
        direction =
            vec3_normal(vec3_add(direction, vec3_scale(random_direction(mesh, -0.4f, 1), level == 0 ? 0.10f : 0.22f)));
        from = i + 1 < STEPS ? vec3_add(from, vec3_scale(direction, length / (STEPS - 1))) : from;
    }
    mesh_material(mesh, "wood", tree->bark, 0.9f);
    mesh_tube(mesh, points, radii, STEPS, level == 0 ? 14 : level == 1 ? 9 : 6, false);
    if (level == tree->depth) {
        mesh_material(mesh, "plants", tree->leaf, 1);
        for (int i = 1; i < STEPS; i++) {
            for (int k = 0; k < 3; k++) {
                struct vec3 out = vec3_add(random_direction(mesh, -0.5f, 0.9f), vec3_scale(direction, 0.6f));
                float width = mesh_random(mesh, 0.8f, 1.2f), tall = mesh_random(mesh, 0.9f, 1.3f);
                add_foliage(mesh, points[i], out, tree->leaf_size * width, tree->leaf_size * tall);
            }
        }
        return;
    }
    int children = level == 0 ? 6 : 4;
    for (int i = 0; i < children; i++) {
        int at = level == 0 ? 2 + i * (STEPS - 2) / children : 1 + i * (STEPS - 1) / children;
        at = i + 1 == children ? STEPS - 1 : at;
        float turn = (float)i * 0.382f + mesh_random(mesh, 0, 0.1f);
        struct vec3 out = { cos_turns(turn), mesh_random(mesh, 0.2f, 0.7f), sin_turns(turn) };
        grow_branch(mesh, tree, points[at], vec3_normal(vec3_add(out, vec3_scale(direction, 0.5f))),
                    length * mesh_random(mesh, 0.5f, 0.65f), radii[at] * 0.6f, level + 1);
    }
}

void shape_tree(struct mesh *mesh, int variant)
{
    static const char *const barks[] = { "bark_oak", "bark_willow", "bark_birch", "bark_oak", "bark_birch" };
    static const char *const leaves[] = { "beech_spray", "olive_spray", "autumn_spray", "laurel_spray",
                                          "blossom_spray" };
    struct tree tree = {
        .bark = CHOOSE(barks, variant), .leaf = CHOOSE(leaves, variant), .leaf_size = 0.55f, .depth = 2
    };
    float length = mesh_random(mesh, 2.4f, 3.6f), radius = mesh_random(mesh, 0.16f, 0.26f);
    grow_branch(mesh, &tree, (struct vec3){ 0 }, (struct vec3){ 0, 1, 0 }, length, radius, 0);
}

void shape_conifer(struct mesh *mesh, int variant)
{
    float tall = mesh_random(mesh, 3.5f, 5.5f);
    struct vec3 trunk[5];
    float radii[5];
    for (int i = 0; i < 5; i++) {
        trunk[i] = (struct vec3){ 0.03f * sin_turns((float)(i + variant) * 0.3f), tall * (float)i / 4, 0 };
        radii[i] = 0.13f * (1.05f - (float)i / 4);
    }
    mesh_material(mesh, "wood", "bark_pine", 0.9f);
    mesh_tube(mesh, trunk, radii, 5, 10, false);
    mesh_material(mesh, "plants", variant % 2 ? "laurel_spray" : "fern", 1);
    for (int layer = 0; layer < 16; layer++) {
        float t = (float)layer / 16, reach = (1 - t) * tall * 0.32f + 0.25f, y = tall * (0.14f + 0.84f * t);
        for (int i = 0; i < 9; i++) {
            float turn = ((float)i + mesh_random(mesh, 0, 0.6f)) / 9 + (float)layer * 0.13f;
            struct vec3 out = { cos_turns(turn) * reach, -0.28f * reach, sin_turns(turn) * reach };
            struct vec3 right = vec3_scale(vec3_normal(vec3_cross(out, (struct vec3){ 0, 1, 0 })), reach * 0.75f);
            mesh_card(mesh, (struct vec3){ 0, y, 0 }, right, out);
        }
    }
    add_foliage(mesh, (struct vec3){ 0, tall * 0.94f, 0 }, (struct vec3){ 0, 1, 0 }, 0.3f, 0.45f);
}

void shape_palm(struct mesh *mesh, int variant)
{
    float tall = mesh_random(mesh, 2.8f, 4.2f), bend = mesh_random(mesh, 0.2f, 0.9f);
    struct vec3 trunk[9];
    float radii[9];
    for (int i = 0; i < 9; i++) {
        float t = (float)i / 8;
        trunk[i] = (struct vec3){ bend * t * t, tall * t, 0 };
        radii[i] = 0.16f - 0.06f * t + (i == 0 ? 0.06f : 0);
    }
    mesh_material(mesh, "wood", "bark_palm", 0.9f);
    mesh_tube(mesh, trunk, radii, 9, 12, false);
    for (int i = 0; i < 16; i++) {
        mesh_material(mesh, "plants", i % 5 == 4 && variant % 2 ? "palm_dry" : "palm_leaf", 1);
        float turn = (float)i * 0.382f, rise = 0.75f - 0.08f * (float)i, length = mesh_random(mesh, 1.2f, 1.6f);
        struct vec3 out = { cos_turns(turn), rise, sin_turns(turn) }, at = trunk[8];
        struct vec3 up = vec3_scale(vec3_normal(out), length);
        mesh_card(mesh, at, vec3_scale(vec3_normal(vec3_cross(up, (struct vec3){ 0, 1, 0 })), 0.95f), up);
    }
}

void shape_bush(struct mesh *mesh, int variant)
{
    static const char *const leaves[] = { "laurel_spray", "beech_spray", "blossom_spray", "olive_spray",
                                          "autumn_spray" };
    mesh_material(mesh, "plants", CHOOSE(leaves, variant), 1);
    float size = mesh_random(mesh, 0.5f, 0.9f);
    for (int i = 0; i < 90; i++) {
        struct vec3 out = random_direction(mesh, -0.1f, 1), base = vec3_scale(out, size * 0.45f);
        base.y = base.y * 0.8f + 0.12f;
        add_foliage(mesh, base, vec3_add(out, (struct vec3){ 0, 0.4f, 0 }), size * 0.55f,
                    size * mesh_random(mesh, 0.5f, 0.75f));
    }
}

void shape_tuft(struct mesh *mesh, int variant)
{
    static const char *const blades[] = { "grass", "wheat", "reed" };
    mesh_material(mesh, "plants", CHOOSE(blades, variant), 1);
    float size = variant % 3 == 0 ? 0.6f : 1.1f;
    for (int i = 0; i < 22; i++) {
        float turn = mesh_random(mesh, 0, 1), away = mesh_random(mesh, 0, size * 0.55f), face = mesh_random(mesh, 0, 1);
        struct vec3 base = { away * cos_turns(turn), 0, away * sin_turns(turn) };
        struct vec3 right = { size * 0.7f * cos_turns(face), 0, size * 0.7f * sin_turns(face) };
        mesh_card(
            mesh, base, right,
            (struct vec3){ 0.12f * cos_turns(turn), size * mesh_random(mesh, 0.8f, 1.1f), 0.12f * sin_turns(turn) });
    }
}

void shape_fern(struct mesh *mesh, int variant)
{
    mesh_material(mesh, "plants", variant % 3 == 2 ? "bracken" : "fern", 1);
    for (int i = 0; i < 18; i++) {
        float turn = (float)i * 0.382f, rise = i < 9 ? 0.55f : 1.3f, length = mesh_random(mesh, 0.7f, 1.0f);
        struct vec3 up = vec3_scale(vec3_normal((struct vec3){ cos_turns(turn), rise, sin_turns(turn) }), length);
        mesh_card(mesh, (struct vec3){ 0, 0.02f, 0 },
                  vec3_scale(vec3_normal(vec3_cross(up, (struct vec3){ 0, 1, 0 })), length * 0.8f), up);
    }
}

void shape_flowers(struct mesh *mesh, int variant)
{
    static const char *const heads[] = { "daisy", "poppy", "cornflower", "sunflower" };
    float tall = variant % 4 == 3 ? 1.3f : 0.55f, size = variant % 4 == 3 ? 0.4f : 0.2f;
    for (int i = 0; i < 14; i++) {
        float turn = mesh_random(mesh, 0, 1), away = mesh_random(mesh, 0, 0.5f),
              height = tall * mesh_random(mesh, 0.7f, 1.1f);
        struct vec3 base = { away * cos_turns(turn), 0, away * sin_turns(turn) },
                    top = { base.x * 1.25f, height, base.z * 1.25f };
        mesh_material(mesh, "plants", "grass", 1);
        add_foliage(mesh, base, (struct vec3){ 0, 1, 0 }, 0.3f, height * 0.8f);
        mesh_material(mesh, "wood", "bark_willow", 0.9f);
        mesh_tube(mesh, (struct vec3[2]){ base, top }, (float[2]){ 0.012f, 0.007f }, 2, 5, false);
        mesh_material(mesh, "plants", CHOOSE(heads, variant), 1);
        // The head faces up and outward; the card's square is centred on the stalk's end.
        struct vec3 face = vec3_normal((struct vec3){ base.x + 0.2f, 0.9f, base.z + 0.5f });
        struct vec3 right = vec3_scale(vec3_normal(vec3_cross((struct vec3){ 0, 0, -1 }, face)), size),
                    up = vec3_scale(vec3_normal(vec3_cross(face, right)), size);
        mesh_card(mesh, vec3_subtract(vec3_add(top, vec3_scale(face, 0.01f)), vec3_scale(up, 0.5f)), right, up);
    }
}

void shape_potted(struct mesh *mesh, int variant)
{
    static const char *const pots[] = { "plaster_terracotta", "marble_carrara", "terrazzo_classic", "plaster_blue" };
    struct lathe_profile pot = { .segments = 36 };
    static const float points[][2] = { { 0, 0.001f },    { 0.2f, 0 },      { 0.3f, 0.42f }, { 0.34f, 0.42f },
                                       { 0.35f, 0.52f }, { 0.30f, 0.52f }, { 0.29f, 0.45f } };
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        lathe_point(&pot, points[i][0], points[i][1]);
    }
    mesh_material(mesh, "stone", CHOOSE(pots, variant), 1.2f);
    mesh_lathe(mesh, &pot);
    mesh_material(mesh, "ground", "mud_clay", 1.5f);
    mesh_lathe(mesh, &(struct lathe_profile){
                         .radius = { 0.295f, 0 }, .height = { 0.46f, 0.47f }, .count = 2, .segments = 24 });
    mesh_place(mesh, (struct vec3){ 0, 0.45f, 0 }, 0, 1);
    shape_builder *const plants[] = { shape_fern, shape_bush, shape_flowers, shape_tuft };
    CHOOSE(plants, variant)(mesh, variant / 2);
}
