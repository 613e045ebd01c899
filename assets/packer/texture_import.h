/* texture_import.h - image files to texture assets. Any thread; nothing shared. */
#ifndef LEAT_PACKER_TEXTURE_IMPORT_H
#define LEAT_PACKER_TEXTURE_IMPORT_H

#include "import.h"
#include "options.h"

/* How a texture is to be made. Zeros: as a material, its name and its texels say, with all mips. */
typedef struct texture_settings {
    texture_usage usage; /* no guess: whatever the material and the texels say. UNKNOWN: not told */
    texture_format format;
    uint32_t mip_count_max; /* 0: all */
} texture_settings;

/* The bytes of an image file, or an image out of a model. usage UNKNOWN: by the name. path: what messages call it.
 * False, and a message in result: it did not become an asset. The asset depends on nothing but the bytes, the usage and
 * texture_usage_by_name(), and the settings; its name is the image's. */
bool texture_import(const import_image *image, const char *path, const texture_settings *settings,
                    import_result *result);

#endif
