/* texture_import.h - image files to texture assets. Any thread; nothing shared. */
#ifndef LEAT_PACKER_TEXTURE_IMPORT_H
#define LEAT_PACKER_TEXTURE_IMPORT_H

#include "import.h"
#include "options.h"

/* usage UNKNOWN: by the name. False, and a message in result: it did not become an asset. */
bool texture_import(const import_job *job, texture_usage usage, texture_format format, import_result *result);
/* An image out of a model. */
bool texture_import_image(const import_image *image, texture_format format, import_result *result);

#endif
