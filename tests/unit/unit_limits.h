/* unit_limits.h - what a test needs of this machine beyond the usual: open files, and watches of inotify. Both have
 * limits that an administrator sets, and all programs of a user share the watches. Where there are too few, a test is
 * skipped aloud. */
#ifndef LEAT_TEST_UNIT_LIMITS_H
#define LEAT_TEST_UNIT_LIMITS_H

#include "scratch.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNIT_INSTANCES 4u /* of inotify at once: more than one test needs */
#define UNIT_WATCHES 16u /* for each of them */

/* Skips the test that calls it, unless so many files may be open. */
static inline void unit_needs_open_files(uint64_t count)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < count) {
        fprintf(stderr, "SKIPPED: RLIMIT_NOFILE is %llu, and %llu are needed\n", (unsigned long long)limit.rlim_cur,
                (unsigned long long)count);
        skip();
    }
}

/* Watches UNIT_WATCHES folders in `root`. Gives the descriptor, or -1 with errno. */
static inline int unit_watches_take(const char *root)
{
    int fd = inotify_init1(IN_CLOEXEC);
    for (uint32_t i = 0; fd >= 0 && i < UNIT_WATCHES; ++i) {
        char path[SCRATCH_PATH_SIZE];
        snprintf(path, sizeof(path), "%s/%u", root, i);
        mkdir(path, 0755); /* made by the first descriptor */
        if (inotify_add_watch(fd, path, IN_CREATE) < 0) {
            int watch_error = errno;
            close(fd);
            fd = -1;
            errno = watch_error;
        }
    }
    return fd;
}

/* Are there enough watches for a test? Else it has been said why not. */
static inline bool unit_watches_are_there(void)
{
    char root[SCRATCH_SIZE];
    int fds[UNIT_INSTANCES];
    uint32_t count = 0;
    scratch_folder_make("leat-limits", root);
    while (count < UNIT_INSTANCES && (fds[count] = unit_watches_take(root)) >= 0) {
        ++count;
    }
    if (count < UNIT_INSTANCES) {
        fprintf(stderr, "SKIPPED: inotify: %s; raise fs.inotify.max_user_%s\n", strerror(errno),
                errno == ENOSPC ? "watches" : "instances");
    }
    for (uint32_t i = 0; i < count; ++i) {
        close(fds[i]);
    }
    scratch_folder_remove(root);
    return count == UNIT_INSTANCES;
}

/* Skips the test that calls it, unless files can be watched. */
static inline void unit_needs_watches(void)
{
    if (!unit_watches_are_there()) {
        skip();
    }
}

#endif
