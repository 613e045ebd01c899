// Writes 8-bit PNG files quickly: one fixed filter, zlib at its lowest effort.
#ifndef SAMPLES_PNG_H
#define SAMPLES_PNG_H

#include <stdbool.h>
#include <stdint.h>

// `channels` is 1 (grey), 3 or 4; rows are tightly packed. Returns false with errno set when the file cannot be
// written.
bool png_write(const char *path, const uint8_t *pixels, uint32_t width, uint32_t height, uint32_t channels);

#endif
