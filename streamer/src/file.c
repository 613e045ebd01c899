/* file.c - see file.h. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DIRECT_ALIGNMENT 4096u /* what packs are laid out for; file systems that ask for more are read buffered */

/* cachestat(2), Linux 6.5; newer than the headers of Debian 12. */
#define CACHESTAT_NUMBER 451
typedef struct cachestat_range {
    uint64_t offset, size;
} cachestat_range;
typedef struct cachestat_answer {
    uint64_t cached, dirty, writeback, evicted, recently_evicted;
} cachestat_answer;

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

/* Believes O_DIRECT only after a block has come through it, equal to the buffered one. */
static bool direct_works(const disk_file *file)
{
    if (file->size == 0) {
        return false;
    }
    void *direct = NULL;
    void *buffered = NULL;
    bool same = false;
    if (posix_memalign(&direct, DIRECT_ALIGNMENT, DIRECT_ALIGNMENT) == 0 &&
        posix_memalign(&buffered, DIRECT_ALIGNMENT, DIRECT_ALIGNMENT) == 0) {
        ssize_t got = pread(file->fd_direct, direct, DIRECT_ALIGNMENT, 0);
        same = got > 0 && pread(file->fd_buffered, buffered, DIRECT_ALIGNMENT, 0) == got &&
               memcmp(direct, buffered, (size_t)got) == 0;
    }
    free(direct);
    free(buffered);
    return same;
}

static void open_direct(const char *path, const leat_logger *log, disk_file *file)
{
    file->fd_direct = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT | O_NOCTTY);
    int cause = errno;
    struct stat a, b;
    if (file->fd_direct >= 0 && (fstat(file->fd_direct, &a) != 0 || fstat(file->fd_buffered, &b) != 0 ||
                                 a.st_dev != b.st_dev || a.st_ino != b.st_ino)) {
        close_fd(&file->fd_direct); /* the path was replaced between the two opens */
        cause = ESTALE;
    }
    if (file->fd_direct >= 0 && !direct_works(file)) {
        close_fd(&file->fd_direct);
        cause = EINVAL;
    }
    if (file->fd_direct < 0) {
        log_line(log, LEAT_LOG_INFO, "%s: no direct reads here (%s); reading through the page cache", path,
                 strerror(cause));
    }
}

leat_result file_open(const char *path, bool direct, const leat_logger *log, disk_file *file, leat_error *error)
{
    *file = (disk_file){ .fd_buffered = -1, .fd_direct = -1 };
    /* O_NONBLOCK: a FIFO under this name must not hang us. It changes nothing for regular files. */
    file->fd_buffered = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file->fd_buffered < 0) {
        leat_result result = errno == ENOENT || errno == ENOTDIR ? LEAT_ERROR_NOT_FOUND : LEAT_ERROR_OS;
        return error_set(error, result, errno, "%s: cannot be opened: %s", path, strerror(errno));
    }
    struct stat status;
    if (fstat(file->fd_buffered, &status) != 0) {
        int cause = errno;
        close_fd(&file->fd_buffered);
        return error_set(error, LEAT_ERROR_OS, cause, "%s: cannot be examined: %s", path, strerror(cause));
    }
    if (!S_ISREG(status.st_mode)) {
        close_fd(&file->fd_buffered);
        return error_set(error, LEAT_ERROR_FORMAT, 0, "%s: is no regular file", path);
    }
    file->size = (uint64_t)status.st_size;
    if (direct) {
        open_direct(path, log, file);
    }
    return LEAT_OK;
}

void file_close(disk_file *file)
{
    close_fd(&file->fd_buffered);
    close_fd(&file->fd_direct);
}

int64_t file_cached_bytes(const disk_file *file, uint64_t offset, uint64_t size)
{
    cachestat_range range = { .offset = offset, .size = size };
    cachestat_answer answer = { 0 };
    if (syscall(CACHESTAT_NUMBER, file->fd_buffered, &range, &answer, 0) != 0) {
        return -1;
    }
    return (int64_t)u64_min(answer.cached * (uint64_t)sysconf(_SC_PAGESIZE), size);
}
