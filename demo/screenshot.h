/* screenshot.h - writes a picture as PNG, whole or not at all. */
#ifndef VIEW_SCREENSHOT_H
#define VIEW_SCREENSHOT_H

#include <stdbool.h>
#include <stdint.h>

/* rgb: top row first. False, and errno, if it could not be written; a half-written file is removed. */
bool screenshot_write(const char *path, uint32_t width, uint32_t height, const uint8_t *rgb);

#endif
