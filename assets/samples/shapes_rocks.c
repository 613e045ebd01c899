// Rocks: blobs cut by planes and roughened with noise, crystals, stalagmites.
#include "noise.h"
#include "shapes.h"

enum { ROCK_PLANES = 18 };

struct rock {
    struct vec3 size;
    struct vec3 normal[ROCK_PLANES];
    float distance[ROCK_PLANES];
    float rough;
    uint32_t seed;
};

// Value noise in space from three planes of noise: enough for rocks, and seamless on a sphere.
static float space_noise(struct vec3 p, float scale, uint32_t seed)
{
    float a = noise_gradient(p.x * scale + 37, p.y * scale + 17, 64, 64, seed);
    float b = noise_gradient(p.y * scale + 11, p.z * scale + 29, 64, 64, seed + 1);
    float c = noise_gradient(p.z * scale + 23, p.x * scale + 41, 64, 64, seed + 2);
    return (a + b + c) * 0.6f;
}

static struct vec3 rock_shape(const void *context, struct vec3 direction)
{
    const struct rock *rock = context;
    float radius = 1.25f;
    for (int i = 0; i < ROCK_PLANES; i++) {
        float facing = vec3_dot(direction, rock->normal[i]);
        if (facing > 0.05f && rock->distance[i] / facing < radius) {
            radius = rock->distance[i] / facing;
        }
    }
    radius += rock->rough *
              (0.30f * space_noise(direction, 2, rock->seed) + 0.16f * space_noise(direction, 5, rock->seed + 9) +
               0.07f * space_noise(direction, 13, rock->seed + 19));
    struct vec3 p = { direction.x * radius * rock->size.x, direction.y * radius * rock->size.y,
                      direction.z * radius * rock->size.z };
    p.y = p.y < -0.4f * rock->size.y ? -0.4f * rock->size.y + (p.y + 0.4f * rock->size.y) * 0.15f
                                     : p.y; // sits on the ground
    p.y += 0.47f * rock->size.y;
    return p;
}

static void add_rock(struct mesh *mesh, struct vec3 size, float rough, int cells)
{
    struct rock rock = { .size = size, .rough = rough, .seed = mesh->random >> 8 };
    for (int i = 0; i < ROCK_PLANES; i++) {
        float y = mesh_random(mesh, -1, 1), turn = mesh_random(mesh, 0, 1), ring = sqrtf(1 - y * y);
        rock.normal[i] = (struct vec3){ ring * cos_turns(turn), y, ring * sin_turns(turn) };
        rock.distance[i] = mesh_random(mesh, 0.72f, 1.0f);
    }
    mesh_blob(mesh, cells, rock_shape, &rock);
}

static void rock_material(struct mesh *mesh, int variant)
{
    static const char *const names[] = { "slate_blue",    "strata_desert", "granite_grey", "slate_green",
                                         "strata_canyon", "granite_rose",  "slate_rust",   "strata_chalk",
                                         "granite_black", "strata_violet", "slate_black",  "plaster_concrete" };
    mesh_material(mesh, "stone", CHOOSE(names, variant), 0.5f);
}

void shape_boulder(struct mesh *mesh, int variant)
{
    rock_material(mesh, variant);
    float size = mesh_random(mesh, 0.5f, 1.3f);
    float wide = mesh_random(mesh, 0.8f, 1.3f), tall = mesh_random(mesh, 0.6f, 1.1f),
          deep = mesh_random(mesh, 0.8f, 1.2f);
    struct vec3 axes = { size * wide, size * tall, size * deep };
    add_rock(mesh, axes, mesh_random(mesh, 0.3f, 0.9f), 28 + variant % 3 * 8);
}

void shape_menhir(struct mesh *mesh, int variant)
{
    rock_material(mesh, variant + 2);
    add_rock(mesh, (struct vec3){ 0.6f, mesh_random(mesh, 1.6f, 2.4f), 0.4f }, 0.35f, 32);
}

void shape_cairn(struct mesh *mesh, int variant)
{
    rock_material(mesh, variant * 5);
    float height = 0, size = mesh_random(mesh, 0.7f, 0.9f);
    for (int i = 0; i < 6; i++) {
        float x = mesh_random(mesh, -0.06f, 0.06f), z = mesh_random(mesh, -0.06f, 0.06f),
              turn = mesh_random(mesh, 0, 1);
        mesh_place(mesh, (struct vec3){ x, height, z }, turn, 1);
        float thick = size * mesh_random(mesh, 0.32f, 0.45f);
        add_rock(mesh, (struct vec3){ size, thick, size * mesh_random(mesh, 0.75f, 1) }, 0.25f, 18);
        height += thick * 1.22f;
        size *= mesh_random(mesh, 0.68f, 0.82f);
    }
}

void shape_stalagmite(struct mesh *mesh, int variant)
{
    static const char *const names[] = { "strata_chalk", "strata_desert", "marble_onyx" };
    mesh_material(mesh, "stone", CHOOSE(names, variant), 0.5f);
    for (int i = 0; i < 4 + variant % 3; i++) {
        float turn = mesh_random(mesh, 0, 1), away = i == 0 ? 0 : mesh_random(mesh, 0.35f, 0.8f),
              tall = mesh_random(mesh, 0.6f, 1.2f) * (i == 0 ? 2.1f : 1);
        struct lathe_profile profile = { .segments = 28 };
        mesh_place(mesh, (struct vec3){ away * cos_turns(turn), 0, away * sin_turns(turn) }, turn, 1);
        for (int k = 0; k <= 18; k++) {
            float t = (float)k / 18, narrow = 1 - t;
            lathe_point(&profile,
                        0.32f * tall * (0.75f * narrow * narrow + 0.25f * narrow) *
                            (1 + 0.14f * sin_turns(t * 4.5f + turn)),
                        t * tall);
        }
        mesh_lathe(mesh, &profile);
    }
}

// A six-sided prism with a pointed tip, tilted.
static void add_crystal(struct mesh *mesh, float radius, float length)
{
    struct vec3 low[6], high[6], tip = { radius * 0.15f, length, 0 };
    for (int i = 0; i < 6; i++) {
        float turn = -(float)i / 6;
        low[i] = (struct vec3){ radius * 0.75f * cos_turns(turn), -0.1f, radius * 0.75f * sin_turns(turn) };
        high[i] = (struct vec3){ radius * cos_turns(turn), length * 0.76f, radius * sin_turns(turn) };
    }
    for (int i = 0; i < 6; i++) {
        int next = (i + 1) % 6;
        mesh_polygon(mesh, (struct vec3[4]){ low[i], low[next], high[next], high[i] }, 4);
        mesh_polygon(mesh, (struct vec3[3]){ high[i], high[next], tip }, 3);
    }
}

void shape_crystals(struct mesh *mesh, int variant)
{
    static const char *const folders[] = { "ground", "stone", "stone", "ground" };
    static const char *const names[] = { "ice_glacier", "marble_verde", "marble_rosa", "ice_deep" };
    static const char *const bases[] = { "slate_blue", "slate_black", "granite_grey" };
    mesh_material(mesh, "stone", CHOOSE(bases, variant), 0.5f);
    add_rock(mesh, (struct vec3){ 0.75f, 0.3f, 0.7f }, 0.7f, 20);
    mesh_material(mesh, CHOOSE(folders, variant), CHOOSE(names, variant), 0.8f);
    for (int i = 0; i < 14; i++) {
        float turn = mesh_random(mesh, 0, 1), lean = i == 0 ? 0.05f : mesh_random(mesh, 0.15f, 0.8f),
              away = lean * 0.45f;
        struct vec3 up = { lean * cos_turns(turn), 1, lean * sin_turns(turn) };
        mesh_place_along(mesh, (struct vec3){ away * cos_turns(turn), 0.1f, away * sin_turns(turn) }, up,
                         mesh_random(mesh, 0, 1), 1);
        float radius = mesh_random(mesh, 0.06f, 0.15f), length = mesh_random(mesh, 0.5f, 1.0f);
        add_crystal(mesh, i == 0 ? radius * 1.6f : radius, i == 0 ? length * 1.7f : length);
    }
}
