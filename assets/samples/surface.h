// What a surface of the sample content is: a recipe that gives colour, relief and gloss at each point of a square that
// tiles. texture.c evaluates recipes into albedo, normal and roughness images; catalog.c lists them.
#ifndef SAMPLES_SURFACE_H
#define SAMPLES_SURFACE_H

#include <stdbool.h>
#include <stdint.h>

struct texel {
    float height; // 0 to 1, of the surface's relief
    float color[3]; // sRGB, 0 to 1
    float rough;
    float metal;
    float alpha;
};

struct surface;
typedef void surface_recipe(const struct surface *surface, float u, float v, struct texel *out);

struct surface {
    const char *folder; // theme, and the folder in the output
    const char *name; // unique in its folder
    surface_recipe *recipe;
    uint32_t size; // texels along an edge
    uint32_t colors[4]; // 0xRRGGBB: main, dark (joints, grain), light, accent; recipes say what they do with them
    float relief; // height of the relief as a part of the square's edge
    int count; // how many tiles, bricks, threads... along an edge; recipes have their own default for 0
    float amount; // of wear, veins, rust: 0 to 1
    const char *text; // lettering only
    bool metal; // the roughness image carries metalness in its blue channel
    bool alpha; // the albedo image has an alpha channel (cut-outs)
    uint32_t seed; // filled in from the name and the run's seed
};

surface_recipe recipe_marble, recipe_granite, recipe_cobbles, recipe_ashlar, recipe_slate, recipe_strata,
    recipe_plaster, recipe_gravel, recipe_terrazzo; // surfaces_stone.c
surface_recipe recipe_brick, recipe_herringbone, recipe_tile, recipe_checker, recipe_hexagon, recipe_mosaic,
    recipe_ornament, recipe_roof, recipe_shingle; // surfaces_laid.c
surface_recipe recipe_planks, recipe_parquet, recipe_bark, recipe_brushed, recipe_plates, recipe_tread, recipe_rust,
    recipe_hammered, recipe_corrugated; // surfaces_wood_metal.c
surface_recipe recipe_weave, recipe_tartan, recipe_damask, recipe_leather, recipe_grass, recipe_litter, recipe_sand,
    recipe_mud, recipe_snow, recipe_lava, recipe_ice; // surfaces_soft.c
surface_recipe recipe_sign_enamel, recipe_sign_brass, recipe_sign_wood, recipe_poster; // surfaces_sign.c
surface_recipe recipe_leaf_spray, recipe_fern, recipe_blades, recipe_palm_leaf, recipe_flower; // surfaces_leaf.c

// The rest is for recipes.

// color = the surface's palette entry.
void surface_color(const struct surface *surface, int index, float color[3]);
// color = mix of two palette entries.
void surface_mix(const struct surface *surface, int a, int b, float t, float color[3]);
// Mixes a palette entry into a colour.
void surface_blend(const struct surface *surface, int index, float t, float color[3]);
void color_scale(float color[3], float factor);

#endif
