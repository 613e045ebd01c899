/* file.h - a pack on disk, with both ways to read it.
 *
 * What the page cache holds is twice as fast through it; what it does not hold is twice as fast past it. So a file has
 * a buffered and, where the file system allows it, an O_DIRECT descriptor, tried with a real read before it is
 * believed. */
#ifndef LEAT_FILE_H
#define LEAT_FILE_H

#include "base.h"

#include <sys/stat.h>
#include <sys/uio.h>

typedef struct disk_file {
    int fd_buffered;
    int fd_direct; /* -1: none */
    uint64_t size;
} disk_file;

/* Opens a regular file for reading. direct: try O_DIRECT as well; where it is refused, one log line says so.
 * NOT_FOUND, OS, FORMAT (no regular file), with the path and the cause in error. */
leat_result file_open(const char *path, bool direct, const leat_logger *log, disk_file *file, leat_error *error);
void file_close(disk_file *file);

/* Opens `path` for reading beneath the folder, without blocking on what is not a regular file. A descriptor or -errno:
 * -EXDEV where the path leads out of the folder. Kernels without openat2 (before 5.6) are walked down component by
 * component, and follow no link at all (-ELOOP, -ENOTDIR). -EAGAIN: names change so fast that a way up through ".."
 * could not be trusted, not in many tries. */
#define FILE_BENEATH_FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) /* O_NONBLOCK: a FIFO must not hang us */
#define FILE_BENEATH_RESOLVE (RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
int file_open_beneath(int folder_fd, const char *path);

/* These four again where a signal has interrupted them: on a file system on a network or in a process, one to the
 * caller ends what waits for it. A read may be short. */
int file_open_at(int folder_fd, const char *path, int flags); /* openat */
int file_stat(int fd, struct stat *status); /* fstat */
int file_stat_at(int folder_fd, const char *path, struct stat *status, int flags); /* fstatat */
ssize_t file_read_at(int fd, void *into, size_t size, uint64_t offset);

/* Whether the file still has all bytes before `end`: one system call. */
bool file_reaches(const disk_file *file, uint64_t end);

/* How many bytes of the range the page cache holds, to the page; -1 where the kernel cannot say. One system call. */
int64_t file_cached_bytes(const disk_file *file, uint64_t offset, uint64_t size);
/* Any thread: reads what begins at `offset` out of the page cache into these parts, one after the other; they are used
 * up by it. False, without waiting for the device, if not all of it is there (or this file system cannot say so). */
bool file_read_cached(const disk_file *file, uint64_t offset, struct iovec *parts, uint32_t part_count);

#endif
