// The list of meshes and the writing of one.
#ifndef SAMPLES_MESHES_H
#define SAMPLES_MESHES_H

#include "mesh.h"

size_t meshes_count(void);

// Writes mesh `index` below FOLDER as glTF or OBJ; false with errno set when that failed.
bool meshes_write(const char *folder, size_t index, uint32_t seed);

// The surfaces (up to MESH_PARTS_MAX) that mesh `index` refers to.
void meshes_surfaces(size_t index, uint32_t seed, const struct surface *surfaces[], size_t *count);

#endif
