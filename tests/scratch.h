/* scratch.h - a file or a folder of its own for a test, in $TMPDIR or, where that is not set, in /tmp.
 *
 * Paths of any characters are taken. One that is too long (SCRATCH_SIZE), or cannot be made, is named, and the program
 * aborts: these are tests. */
#ifndef LEAT_TEST_SCRATCH_H
#define LEAT_TEST_SCRATCH_H

#define SCRATCH_SIZE 512u /* of the path of a scratch file or folder, with its end */
#define SCRATCH_PATH_SIZE 1024u /* of a path in a scratch folder */

/* Makes a new folder whose name begins with NAME, and removes one with all that is in it. */
void scratch_folder_make(const char *name, char path[SCRATCH_SIZE]);
void scratch_folder_remove(const char *path);
/* Makes a new file and gives its descriptor, open for writing. */
int scratch_file_make(const char *name, char path[SCRATCH_SIZE]);

#endif
