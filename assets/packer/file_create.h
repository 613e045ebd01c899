/* file_create.h - the files that `leat extract` writes: new ones, at paths that may hold anything already. */
#ifndef LEAT_PACKER_FILE_CREATE_H
#define LEAT_PACKER_FILE_CREATE_H

#include <stdbool.h>

/* Creates a file at `path` below the open folder (or AT_FDCWD). What is there already is kept, unless `replace` says
 * otherwise, and never followed; links, devices and folders are kept in any case. -1: *why is a static text, or
 * strerror. */
int file_create(int folder, const char *path, bool replace, const char **why);
/* Whether file_create() would, as things are now; it changes nothing. False: *why, as there. */
bool file_may_create(int folder, const char *path, bool replace, const char **why);

#endif
