/* file_read.h - a whole source file in memory, with a message when that cannot be. */
#ifndef LEAT_PACKER_FILE_READ_H
#define LEAT_PACKER_FILE_READ_H

#include "import.h"

/* malloc'ed, also where the file is empty; NULL, and a message in result, if it cannot be read, is too large, or
 * changes meanwhile (its size or its time, which the kernel keeps to some milliseconds): *changed, which may be NULL.
 */
uint8_t *file_read(const char *path, uint64_t bytes_max, uint64_t *size, bool *changed, import_result *result);

#endif
