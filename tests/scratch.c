/* scratch.c - see scratch.h. */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPEN_FOLDER_COUNT 16 /* at once, while a tree is removed */

static void give_up(const char *what, const char *path)
{
    fprintf(stderr, "%s: %s: %s\n", path, what, strerror(errno));
    abort();
}

/* A template for mkdtemp() and mkstemp(). */
static void path_begin(const char *name, char path[SCRATCH_SIZE])
{
    const char *base = getenv("TMPDIR");
    base = base != NULL && base[0] != '\0' ? base : "/tmp";
    if (snprintf(path, SCRATCH_SIZE, "%s/%s-XXXXXX", base, name) >= (int)SCRATCH_SIZE) {
        errno = ENAMETOOLONG;
        give_up("TMPDIR cannot be used", base);
    }
}

void scratch_folder_make(const char *name, char path[SCRATCH_SIZE])
{
    path_begin(name, path);
    if (mkdtemp(path) == NULL) {
        give_up("the folder cannot be made", path);
    }
}

int scratch_file_make(const char *name, char path[SCRATCH_SIZE])
{
    path_begin(name, path);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        give_up("the file cannot be made", path);
    }
    return fd;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void scratch_folder_remove(const char *path)
{
    if (nftw(path, remove_one, OPEN_FOLDER_COUNT, FTW_DEPTH | FTW_PHYS) != 0) {
        give_up("the folder cannot be removed", path);
    }
}
