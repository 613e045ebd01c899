/* file.c - see file.h. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OPEN_TRIES_MAX 64u /* of a path beneath a folder, while others rename and mount, or signals come */
#define DIRECT_ALIGNMENT 4096u /* what packs are laid out for; file systems that ask for more are read buffered */

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

/* cachestat(2), Linux 6.5; newer than the headers of Debian 12. */
#define CACHESTAT_NUMBER 451
typedef struct cachestat_range {
    uint64_t offset, size;
} cachestat_range;
typedef struct cachestat_answer {
    uint64_t cached, dirty, writeback, evicted, recently_evicted;
} cachestat_answer;

int file_open_at(int folder_fd, const char *path, int flags)
{
    int fd;
    do {
        fd = openat(folder_fd, path, flags);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

int file_stat(int fd, struct stat *status)
{
    int result;
    do {
        result = fstat(fd, status);
    } while (result != 0 && errno == EINTR);
    return result;
}

int file_stat_at(int folder_fd, const char *path, struct stat *status, int flags)
{
    int result;
    do {
        result = fstatat(folder_fd, path, status, flags);
    } while (result != 0 && errno == EINTR);
    return result;
}

ssize_t file_read_at(int fd, void *into, size_t size, uint64_t offset)
{
    ssize_t got;
    do {
        got = pread(fd, into, size, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    return got;
}

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
        ssize_t got = file_read_at(file->fd_direct, direct, DIRECT_ALIGNMENT, 0);
        same = got > 0 && file_read_at(file->fd_buffered, buffered, DIRECT_ALIGNMENT, 0) == got &&
               memcmp(direct, buffered, (size_t)got) == 0;
    }
    free(direct);
    free(buffered);
    return same;
}

static void open_direct(const char *path, const leat_logger *log, disk_file *file)
{
    file->fd_direct = file_open_at(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_DIRECT | O_NOCTTY);
    int cause = errno;
    struct stat a, b;
    if (file->fd_direct >= 0 && (file_stat(file->fd_direct, &a) != 0 || file_stat(file->fd_buffered, &b) != 0 ||
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
    /* O_NONBLOCK: a FIFO under this name must not hang us. */
    file->fd_buffered = file_open_at(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file->fd_buffered < 0) {
        leat_result result = errno == ENOENT || errno == ENOTDIR ? LEAT_ERROR_NOT_FOUND : LEAT_ERROR_OS;
        return error_set(error, result, errno, "%s: cannot be opened: %s", path, strerror(errno));
    }
    struct stat status;
    if (file_stat(file->fd_buffered, &status) != 0) {
        int cause = errno;
        close_fd(&file->fd_buffered);
        return error_set(error, LEAT_ERROR_OS, cause, "%s: cannot be examined: %s", path, strerror(cause));
    }
    if (!S_ISREG(status.st_mode)) {
        close_fd(&file->fd_buffered);
        return error_set(error, LEAT_ERROR_FORMAT, 0, "%s: is not a regular file", path);
    }
    /* Reads may block: before Linux 6.5, io_uring answers EAGAIN for good to what the page cache does not hold, if the
     * flag is set and the device cannot do without waiting (dm-crypt); since then it tries without a thread of its own
     * what may block the caller, on file systems that do not know such reads. */
    fcntl(file->fd_buffered, F_SETFL, 0);
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

/* One component at a time, no link followed: what openat2 does in the kernel, for kernels that have no openat2. */
static int open_walking(int folder_fd, const char *path)
{
    if (path[0] == '/') {
        return -EXDEV;
    }
    int at = folder_fd;
    int fd = -ENOENT;
    for (const char *begin = path; *begin != '\0';) {
        size_t size = strcspn(begin, "/");
        const char *next = begin + size + strspn(begin + size, "/");
        bool last = *next == '\0' && begin[size] == '\0';
        char name[NAME_MAX + 1];
        if (size > NAME_MAX) {
            fd = -ENAMETOOLONG;
        } else {
            memcpy(name, begin, size);
            name[size] = '\0';
            int flags = last ? FILE_BENEATH_FLAGS | O_NOFOLLOW : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
            fd = strcmp(name, "..") == 0 ? -EXDEV : file_open_at(at, name, flags);
            fd = fd == -1 ? -errno : fd;
        }
        if (at != folder_fd) {
            close(at);
        }
        at = fd;
        if (fd < 0 || last) {
            return fd;
        }
        begin = next;
    }
    if (at != folder_fd) { /* a path that ends in a slash names a folder */
        close(at);
        fd = -EISDIR;
    }
    return fd;
}

int file_open_beneath(int folder_fd, const char *path)
{
    struct open_how how = { .flags = FILE_BENEATH_FLAGS, .resolve = FILE_BENEATH_RESOLVE };
    long fd = -1;
    /* EAGAIN: somebody renamed or mounted something, anywhere, while the kernel went up through "..". */
    for (uint32_t i = 0; i < OPEN_TRIES_MAX && fd < 0 && (i == 0 || errno == EAGAIN || errno == EINTR); ++i) {
        fd = syscall(SYS_openat2, folder_fd, path, &how, sizeof(how));
    }
    if (fd >= 0) {
        return (int)fd;
    }
    /* EPERM: old seccomp profiles answer so to what they do not know. A file is never refused with it for reading. */
    return errno == ENOSYS || errno == EPERM ? open_walking(folder_fd, path) : -errno;
}

bool file_reaches(const disk_file *file, uint64_t end)
{
    struct stat status;
    return file_stat(file->fd_buffered, &status) == 0 && (uint64_t)status.st_size >= end;
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

/* Drops what has been read from the front of the parts. Returns how many are left. */
static uint32_t parts_done(struct iovec **parts, uint32_t count, size_t size)
{
    while (count > 0 && size >= (*parts)->iov_len) {
        size -= (*parts)->iov_len;
        ++*parts;
        --count;
    }
    if (count > 0) {
        (*parts)->iov_base = (uint8_t *)(*parts)->iov_base + size;
        (*parts)->iov_len -= size;
    }
    return count;
}

bool file_read_cached(const disk_file *file, uint64_t offset, struct iovec *parts, uint32_t part_count)
{
    while (part_count > 0) {
        ssize_t got = preadv2(file->fd_buffered, parts, (int)part_count, (off_t)offset, RWF_NOWAIT);
        if (got <= 0) {
            return false; /* EAGAIN: not there. The end of the file, EINTR, an error: the device says more. */
        }
        offset += (uint64_t)got;
        part_count = parts_done(&parts, part_count, (size_t)got);
    }
    return true;
}
