/* file_create.c - see file_create.h. A file that is replaced is removed first: its other names keep what it holds. */
#include "file_create.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_may_create(int folder, const char *path, bool replace, const char **why)
{
    struct stat status;
    bool there = fstatat(folder, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && !S_ISREG(status.st_mode)) {
        *why = "is there already, and is not a file; move it away";
    } else if (there && !replace) {
        *why = "is there already; --force replaces it";
    } else {
        return true;
    }
    return false;
}

int file_create(int folder, const char *path, bool replace, const char **why)
{
    if (!file_may_create(folder, path, replace, why)) {
        return -1;
    }
    if (replace && unlinkat(folder, path, 0) != 0 && errno != ENOENT) {
        *why = strerror(errno);
        return -1;
    }
    int fd = openat(folder, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); /* follows no link, either */
    if (fd < 0) {
        *why = errno == EEXIST ? "is there already; --force replaces it" : strerror(errno);
    }
    return fd;
}
