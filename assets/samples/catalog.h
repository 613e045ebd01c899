// The list of surfaces: what is generated, and what meshes may refer to.
#ifndef SAMPLES_CATALOG_H
#define SAMPLES_CATALOG_H

#include "surface.h"

#include <stddef.h>

extern const struct surface catalog_surfaces[];
extern const size_t catalog_surface_count;

// The entry with this folder and name, or NULL.
const struct surface *catalog_find(const char *folder, const char *name);

#endif
