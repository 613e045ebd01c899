/* unit_syscalls.h - stands between file.c, folder.c and resolve.c and the C library (the linker's --wrap), so that each
 * call can fail as it does once in a thousand years.
 *
 * A test says which call, which of the coming ones (0: the next) and with what errno. All others go through. One thread
 * only. A call that was to fail and never came is a mistake of the test: unit_calls_done() says so. */
#ifndef LEAT_TEST_UNIT_SYSCALLS_H
#define LEAT_TEST_UNIT_SYSCALLS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define CACHESTAT_NUMBER 451 /* newer than the headers of Debian 12 */

typedef enum unit_call {
    CALL_OPENAT,
    CALL_OPENAT2,
    CALL_CACHESTAT,
    CALL_FSTAT,
    CALL_FSTATAT,
    CALL_FDOPENDIR,
    CALL_READDIR,
    CALL_PREAD,
    CALL_POSIX_MEMALIGN,
    CALL_INOTIFY_ADD_WATCH,
    CALL_SCHED_GETAFFINITY,
    CALL_SYSCONF,
    CALL_COUNT
} unit_call;

static struct {
    int count_down[CALL_COUNT]; /* + 1; 0: none is to fail */
    int more[CALL_COUNT]; /* how many fail after that one */
    int fail_with[CALL_COUNT]; /* errno; CALL_SYSCONF: what it returns */
    void (*on_fstat)(struct stat *status); /* after each fstat, until it takes itself away */
    bool scrambles; /* the next pread gives another first byte */
} unit_calls;

static inline void unit_call_fails(unit_call call, int after, int error)
{
    unit_calls.count_down[call] = after + 1;
    unit_calls.fail_with[call] = error;
}

/* The next `count` calls fail. */
static inline void unit_calls_fail(unit_call call, int count, int error)
{
    unit_call_fails(call, 0, error);
    unit_calls.more[call] = count - 1;
}

/* No call is still to fail. */
static inline bool unit_calls_done(void)
{
    bool done = unit_calls.on_fstat == NULL && !unit_calls.scrambles;
    for (int i = 0; i < CALL_COUNT; ++i) {
        done &= unit_calls.count_down[i] == 0;
    }
    return done;
}

static bool unit_call_is_to_fail(unit_call call)
{
    if (unit_calls.count_down[call] == 0 || --unit_calls.count_down[call] > 0) {
        return false;
    }
    if (unit_calls.more[call] > 0) {
        --unit_calls.more[call];
        unit_calls.count_down[call] = 1;
    }
    errno = unit_calls.fail_with[call];
    return true;
}

int __real_openat(int folder, const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
int __real_fstat(int fd, struct stat *status);
int __wrap_fstat(int fd, struct stat *status);
int __real_fstatat(int folder, const char *path, struct stat *status, int flags);
int __wrap_fstatat(int folder, const char *path, struct stat *status, int flags);
DIR *__real_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd);
struct dirent *__real_readdir(DIR *listing);
struct dirent *__wrap_readdir(DIR *listing);
ssize_t __real_pread(int fd, void *into, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *into, size_t size, off_t offset);
int __real_posix_memalign(void **block, size_t alignment, size_t size);
int __wrap_posix_memalign(void **block, size_t alignment, size_t size);
int __real_inotify_add_watch(int fd, const char *path, uint32_t mask);
int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask);
int __real_sched_getaffinity(pid_t thread, size_t size, cpu_set_t *set);
int __wrap_sched_getaffinity(pid_t thread, size_t size, cpu_set_t *set);
long __real_sysconf(int name);
long __wrap_sysconf(int name);

int __wrap_openat(int folder, const char *path, int flags, ...)
{
    return unit_call_is_to_fail(CALL_OPENAT) ? -1 : __real_openat(folder, path, flags);
}

/* Every call through it has at most four arguments after the number. */
long __wrap_syscall(long number, ...)
{
    va_list arguments;
    va_start(arguments, number);
    long a = va_arg(arguments, long), b = va_arg(arguments, long);
    long c = va_arg(arguments, long), d = va_arg(arguments, long);
    va_end(arguments);
    bool fails = (number == SYS_openat2 && unit_call_is_to_fail(CALL_OPENAT2)) ||
                 (number == CACHESTAT_NUMBER && unit_call_is_to_fail(CALL_CACHESTAT));
    return fails ? -1 : __real_syscall(number, a, b, c, d);
}

int __wrap_fstat(int fd, struct stat *status)
{
    int result = unit_call_is_to_fail(CALL_FSTAT) ? -1 : __real_fstat(fd, status);
    if (unit_calls.on_fstat != NULL) {
        unit_calls.on_fstat(status);
    }
    return result;
}

int __wrap_fstatat(int folder, const char *path, struct stat *status, int flags)
{
    return unit_call_is_to_fail(CALL_FSTATAT) ? -1 : __real_fstatat(folder, path, status, flags);
}

DIR *__wrap_fdopendir(int fd)
{
    return unit_call_is_to_fail(CALL_FDOPENDIR) ? NULL : __real_fdopendir(fd);
}

struct dirent *__wrap_readdir(DIR *listing)
{
    return unit_call_is_to_fail(CALL_READDIR) ? NULL : __real_readdir(listing);
}

ssize_t __wrap_pread(int fd, void *into, size_t size, off_t offset)
{
    ssize_t got = unit_call_is_to_fail(CALL_PREAD) ? -1 : __real_pread(fd, into, size, offset);
    if (unit_calls.scrambles && got > 0) {
        ((uint8_t *)into)[0] ^= 1;
        unit_calls.scrambles = false;
    }
    return got;
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t size)
{
    return unit_call_is_to_fail(CALL_POSIX_MEMALIGN) ? ENOMEM : __real_posix_memalign(block, alignment, size);
}

int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    return unit_call_is_to_fail(CALL_INOTIFY_ADD_WATCH) ? -1 : __real_inotify_add_watch(fd, path, mask);
}

int __wrap_sched_getaffinity(pid_t thread, size_t size, cpu_set_t *set)
{
    return unit_call_is_to_fail(CALL_SCHED_GETAFFINITY) ? -1 : __real_sched_getaffinity(thread, size, set);
}

long __wrap_sysconf(int name)
{
    return unit_call_is_to_fail(CALL_SYSCONF) ? unit_calls.fail_with[CALL_SYSCONF] : __real_sysconf(name);
}

#endif
