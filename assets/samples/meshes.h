// The list of meshes and the writing of one.
#ifndef SAMPLES_MESHES_H
#define SAMPLES_MESHES_H

#include "surface.h"

#include <stddef.h>

size_t meshes_count(void);

// Writes mesh `index` below FOLDER as glTF or OBJ; false with errno set when that failed.
bool meshes_write(const char *folder, size_t index, uint32_t seed);

// Whether one of the meshes that `is_kept` keeps at `scale` refers to the surface.
bool meshes_use(const struct surface *surface, float scale, bool (*is_kept)(size_t index, float scale));

#endif
