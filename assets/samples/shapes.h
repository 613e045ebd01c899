// What the sample meshes are. Each builder adds one object standing on the ground at the origin to an empty mesh;
// `variant` counts from zero and chooses materials and proportions, the mesh's random state the rest.
#ifndef SAMPLES_SHAPES_H
#define SAMPLES_SHAPES_H

#include "mesh.h"

typedef void shape_builder(struct mesh *mesh, int variant);

shape_builder shape_boulder, shape_crystals, shape_stalagmite, shape_cairn, shape_menhir; // shapes_rocks.c
shape_builder shape_tree, shape_conifer, shape_palm, shape_bush, shape_tuft, shape_fern, shape_flowers,
    shape_potted; // shapes_plants.c
shape_builder shape_column, shape_arch, shape_tower, shape_house, shape_wall, shape_stairs, shape_fence, shape_bridge,
    shape_temple, shape_obelisk, shape_pyramid, shape_rotunda, shape_well; // shapes_buildings.c
shape_builder shape_crate, shape_barrel, shape_vase, shape_bench, shape_table, shape_chair, shape_lamp, shape_sculpture,
    shape_signpost, shape_fountain, shape_chest, shape_books; // shapes_props.c

#define CHOOSE(array, index) ((array)[(size_t)(index) % (sizeof(array) / sizeof(array)[0])])

#endif
