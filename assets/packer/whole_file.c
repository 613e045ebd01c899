/* whole_file.c - see whole_file.h.
 *
 * Three steps: an unnamed file (O_TMPFILE), a name beside the place (linkat through /proc), the place (rename). */
#include "whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY_TRIES_MAX 100u
#define TEMPORARY_BASE_MAX 200 /* bytes of the file's name in its temporary one, which has an end of its own */
#define FD_PATH_SIZE 32u

/* Where the last part of the path begins. */
static size_t base_offset(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

/* Gives the unnamed file a name beside its place that nobody has, or with -1 makes a file of such a name: one that was
 * killed may have left its own, and in a container the next one may well have the same process id. */
static int temporary_make(whole_file *f, int unnamed, mode_t mode)
{
    char through[FD_PATH_SIZE];
    size_t base = base_offset(f->path);
    snprintf(through, sizeof(through), "/proc/self/fd/%d", unnamed);
    for (uint32_t n = 0; n < TEMPORARY_TRIES_MAX && (n == 0 || errno == EEXIST); ++n) {
        char again[16] = "";
        if (n > 0) {
            snprintf(again, sizeof(again), "-%u", n);
        }
        if (asprintf(&f->temporary, "%.*s%.*s.tmp-%ld%s", (int)base, f->path, TEMPORARY_BASE_MAX, f->path + base,
                     (long)getpid(), again) < 0) {
            f->temporary = NULL;
            errno = ENOMEM;
            return -1;
        }
        int fd = unnamed < 0 ? openat(f->folder, f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
                 : linkat(AT_FDCWD, through, f->folder, f->temporary, AT_SYMLINK_FOLLOW) == 0 ? unnamed
                                                                                              : -1;
        if (fd >= 0) {
            return fd;
        }
        int cause = errno;
        free(f->temporary); /* another run's */
        f->temporary = NULL;
        errno = cause;
    }
    return -1;
}

static int unnamed_open(const whole_file *f, mode_t mode)
{
    char *copy = strdup(f->path);
    int fd = copy == NULL ? -1 : openat(f->folder, dirname(copy), O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
    free(copy);
    return fd;
}

/* Where the file system has no unnamed files, or they get no name later (there is no /proc, or a policy against links),
 * which is tried with another one now and not after an hour's work, the file has a name from the beginning. */
static int file_make(whole_file *f, mode_t mode, bool *named)
{
    int fd = unnamed_open(f, mode);
    if (fd >= 0 && named != NULL && *named) {
        return fd;
    }
    if (fd < 0 || temporary_make(f, fd, mode) < 0) {
        if (fd >= 0) {
            close(fd);
        }
        return temporary_make(f, -1, mode);
    }
    if (unlinkat(f->folder, f->temporary, 0) != 0) {
        return fd;
    }
    if (named != NULL) {
        *named = true;
    }
    free(f->temporary);
    f->temporary = NULL;
    close(fd); /* what has had a name gets none again */
    fd = unnamed_open(f, mode);
    return fd >= 0 ? fd : temporary_make(f, -1, mode);
}

bool whole_file_begin(whole_file *f, int folder, const char *path, mode_t mode, bool *named)
{
    struct stat status;
    *f = (whole_file){ .folder = folder, .path = strdup(path) };
    bool too_long = fstatat(folder, path, &status, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENAMETOOLONG;
    int fd = f->path != NULL && !too_long ? file_make(f, mode, named)
                                          : -1; /* no later step would say it before all is written */
    f->stream = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (fd >= 0 && f->stream == NULL) {
        int cause = errno;
        close(fd);
        errno = cause;
    }
    return f->stream != NULL;
}

bool whole_file_end(whole_file *f)
{
    bool failed = ferror(f->stream) != 0; /* a write before: errno may be of something else by now */
    errno = failed ? EIO : 0;
    if (fflush(f->stream) != 0 || failed) {
        return false;
    }
    if (f->temporary == NULL && temporary_make(f, fileno(f->stream), 0) < 0) {
        return false;
    }
    FILE *stream = f->stream;
    f->stream = NULL;
    return fclose(stream) == 0;
}

bool whole_file_place(whole_file *f, bool replace)
{
    struct stat status;
    bool placed = renameat2(f->folder, f->temporary, f->folder, f->path, replace ? 0 : RENAME_NOREPLACE) == 0;
    if (!placed && !replace && errno == EINVAL) { /* a file system that cannot: looks first */
        bool there = fstatat(f->folder, f->path, &status, AT_SYMLINK_NOFOLLOW) == 0;
        errno = there ? EEXIST : errno;
        placed = !there && renameat(f->folder, f->temporary, f->folder, f->path) == 0;
    }
    if (placed) {
        free(f->temporary);
        f->temporary = NULL;
    }
    return placed;
}

void whole_file_abandon(whole_file *f)
{
    if (f->stream != NULL) {
        fclose(f->stream);
    }
    if (f->temporary != NULL) {
        unlinkat(f->folder, f->temporary, 0);
    }
    free(f->temporary);
    free(f->path);
    *f = (whole_file){ 0 };
}

bool whole_file_may_place(int folder, const char *path, bool replace, const char **why)
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
