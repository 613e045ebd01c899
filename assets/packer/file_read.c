/* file_read.c - see file_read.h. */
#include "file_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* False: errno says why, or 0 when the file ended early. */
static bool read_all(int fd, uint8_t *bytes, uint64_t size)
{
    for (uint64_t done = 0; done < size;) {
        ssize_t got = read(fd, bytes + done, size - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            errno = got == 0 ? 0 : errno;
            return false;
        }
        done += (uint64_t)got;
    }
    return true;
}

/* Somebody writes to it: part of what was read may be of before, part of after. */
static bool has_changed(int fd, const struct stat *before)
{
    struct stat now;
    return fstat(fd, &now) != 0 || now.st_size != before->st_size || now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != before->st_mtim.tv_nsec;
}

uint8_t *file_read(const char *path, uint64_t bytes_max, uint64_t *size, bool *changed, import_result *result)
{
    bool differs = false;
    struct stat info;
    uint8_t *bytes = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang the walk */
    if (fd < 0 || fstat(fd, &info) != 0) {
        import_add_message(result, IMPORT_ERROR, "%s: cannot be opened: %s", path, strerror(errno));
    } else if (!S_ISREG(info.st_mode)) {
        import_add_message(result, IMPORT_ERROR, "%s: is not a regular file", path);
    } else if ((uint64_t)info.st_size > bytes_max) {
        import_add_message(result, IMPORT_ERROR, "%s: has %llu bytes; at most %llu go in", path,
                           (unsigned long long)info.st_size, (unsigned long long)bytes_max);
    } else if ((bytes = malloc((size_t)info.st_size + 1)) == NULL) {
        import_add_message(result, IMPORT_ERROR, "%s: out of memory for its %llu bytes", path,
                           (unsigned long long)info.st_size);
    } else if (!read_all(fd, bytes, (uint64_t)info.st_size)) {
        differs = errno == 0;
        import_add_message(result, IMPORT_ERROR, "%s: cannot be read: %s", path,
                           differs ? "it became shorter" : strerror(errno));
        free(bytes);
        bytes = NULL;
    } else if (has_changed(fd, &info)) {
        differs = true;
        import_add_message(result, IMPORT_ERROR, "%s: has changed while it was read; try again when it is whole", path);
        free(bytes);
        bytes = NULL;
    } else {
        *size = (uint64_t)info.st_size;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (changed != NULL) {
        *changed = differs;
    }
    return bytes;
}
