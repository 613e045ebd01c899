/* whole_file.h - a file that is at its path whole or not at all, however its writing ends: by an error, a full disk,
 * kill -9. What was there before stays until then.
 *
 * The file has no name while it is written, so that a process that is killed leaves nothing behind. On file systems
 * without such files (NFS, some of FUSE) it is PATH.tmp-PID. One thread. */
#ifndef LEAT_PACKER_WHOLE_FILE_H
#define LEAT_PACKER_WHOLE_FILE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define WHOLE_FILE_MODE 0666 /* as fopen's: what the umask leaves */

/* Zeros: none. */
typedef struct whole_file {
    int folder; /* open, or AT_FDCWD: what the path is relative to */
    char *path;
    FILE *stream; /* to write to; NULL: after whole_file_end */
    char *temporary; /* the name that it has until it is in its place; NULL: none */
} whole_file;

/* All false ones leave the cause in errno, and *f to be abandoned. mode: open()'s. *named: whether a file without a
 * name has got one before, as it is tried for each first one, which for many small files is most of the work; NULL: it
 * is tried. */
bool whole_file_begin(whole_file *f, int folder, const char *path, mode_t mode, bool *named);
/* All was written: the last errors of writing are known, and what is left is one step, which needs no room. */
bool whole_file_end(whole_file *f);
/* That step. What is at the path goes, or is EEXIST. */
bool whole_file_place(whole_file *f, bool replace);
/* At any time, also instead of or after the others, and twice. */
void whole_file_abandon(whole_file *f);

/* Whether what is at the path now may be replaced: nothing, or with `replace` a file; links, devices and folders stay
 * in any case. False: *why is a static text. */
bool whole_file_may_place(int folder, const char *path, bool replace, const char **why);

#endif
