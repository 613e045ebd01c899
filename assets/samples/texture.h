// Turns surfaces into image files: NAME_albedo.png, NAME_normal.png, NAME_roughness.png.
#ifndef SAMPLES_TEXTURE_H
#define SAMPLES_TEXTURE_H

#include "surface.h"

#include <stddef.h>

// Writes the three images of `surface` into FOLDER/<surface->folder>; returns false with errno set when that failed.
// `raw_size` is raised by what the three take as RGBA8 with all mips.
bool texture_write(const char *folder, const struct surface *surface, size_t *raw_size);

#endif
