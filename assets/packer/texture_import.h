/* texture_import.h - image files to texture assets. Any thread; nothing shared. */
#ifndef LEAT_PACKER_TEXTURE_IMPORT_H
#define LEAT_PACKER_TEXTURE_IMPORT_H

#include "import.h"
#include "options.h"

/* The bytes of an image file, or an image out of a model. usage UNKNOWN: by the name. path: what messages call it.
 * False, and a message in result: it did not become an asset. The asset depends on nothing but the bytes, the usage and
 * texture_usage_by_name(), and the format; its name is the image's. */
bool texture_import(const import_image *image, const char *path, texture_format format, import_result *result);

#endif
