// The list of meshes: so many of each kind, in folders by theme. Every third is written as OBJ, the others as glTF.
#include "meshes.h"
#include "noise.h"
#include "shapes.h"

#include <errno.h>
#include <stdio.h>

static const struct kind {
    const char *folder, *name;
    shape_builder *build;
    int count;
} kinds[] = {
    { "rocks", "boulder", shape_boulder, 28 },
    { "rocks", "menhir", shape_menhir, 5 },
    { "rocks", "cairn", shape_cairn, 5 },
    { "rocks", "stalagmite", shape_stalagmite, 5 },
    { "rocks", "crystals", shape_crystals, 8 },
    { "garden", "tree", shape_tree, 12 },
    { "garden", "conifer", shape_conifer, 5 },
    { "garden", "palm", shape_palm, 4 },
    { "garden", "bush", shape_bush, 6 },
    { "garden", "tuft", shape_tuft, 5 },
    { "garden", "fern", shape_fern, 4 },
    { "garden", "flowers", shape_flowers, 8 },
    { "garden", "potted", shape_potted, 8 },
    { "architecture", "column", shape_column, 14 },
    { "architecture", "arch", shape_arch, 8 },
    { "architecture", "tower", shape_tower, 8 },
    { "architecture", "house", shape_house, 14 },
    { "architecture", "wall", shape_wall, 6 },
    { "architecture", "stairs", shape_stairs, 6 },
    { "architecture", "fence", shape_fence, 5 },
    { "architecture", "bridge", shape_bridge, 4 },
    { "architecture", "temple", shape_temple, 4 },
    { "architecture", "obelisk", shape_obelisk, 4 },
    { "architecture", "pyramid", shape_pyramid, 3 },
    { "architecture", "rotunda", shape_rotunda, 4 },
    { "architecture", "well", shape_well, 3 },
    { "props", "crate", shape_crate, 8 },
    { "props", "barrel", shape_barrel, 6 },
    { "props", "vase", shape_vase, 16 },
    { "props", "bench", shape_bench, 4 },
    { "props", "table", shape_table, 4 },
    { "props", "chair", shape_chair, 6 },
    { "props", "lamp", shape_lamp, 4 },
    { "props", "sculpture", shape_sculpture, 8 },
    { "props", "signpost", shape_signpost, 12 },
    { "props", "fountain", shape_fountain, 3 },
    { "props", "chest", shape_chest, 4 },
    { "props", "books", shape_books, 4 },
};

enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

size_t meshes_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        count += (size_t)kinds[i].count;
    }
    return count;
}

static const struct kind *kind_of(size_t index, int *variant)
{
    const struct kind *kind = kinds;
    while (index >= (size_t)kind->count) {
        index -= (size_t)kind->count;
        kind++;
    }
    *variant = (int)index;
    return kind;
}

static void build(struct mesh *mesh, size_t index, uint32_t seed)
{
    int variant;
    const struct kind *kind = kind_of(index, &variant);
    mesh_start(mesh, noise_hash((uint32_t)index, 99, seed));
    kind->build(mesh, variant);
}

bool meshes_write(const char *folder, size_t index, uint32_t seed)
{
    int variant;
    const struct kind *kind = kind_of(index, &variant);
    struct mesh mesh;
    char path[4096], name[64];
    build(&mesh, index, seed);
    snprintf(name, sizeof name, "%s_%02d", kind->name, variant + 1);
    bool good = !mesh.failed;
    if (!good) {
        errno = ENOMEM;
    } else if (snprintf(path, sizeof path, "%s/%s", folder, kind->folder) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        good = false;
    } else {
        good = index % 3 == 2 ? mesh_write_obj(&mesh, path, name) : mesh_write_gltf(&mesh, path, name);
    }
    mesh_free(&mesh);
    return good;
}

void meshes_surfaces(size_t index, uint32_t seed, const struct surface *surfaces[], size_t *count)
{
    struct mesh mesh;
    build(&mesh, index, seed);
    *count = mesh.part_count;
    for (size_t i = 0; i < mesh.part_count; i++) {
        surfaces[i] = mesh.parts[i].surface;
    }
    mesh_free(&mesh);
}
