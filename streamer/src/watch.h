/* watch.h - folders and packs that were asked to be watched are swapped by themselves when they change.
 *
 * One inotify descriptor for each watched mount. The thread "leat-watch" sleeps on them and starts with the first; a
 * streamer that watches nothing has none. It is a thread of its own because a scan or a new index blocks on the disk
 * for milliseconds, which neither the I/O thread nor an update may. A stepped streamer has no threads: its leat_update
 * asks the descriptors (one system call for each watched mount) and swaps.
 *
 * A burst of changes is one swap: it is made when nothing has come for WATCH_QUIET_NS, or WATCH_DELAY_MAX_NS after the
 * first. The quiet is also what makes stamps reliable: a file that is written again after a scan has a later time of
 * change, because a clock tick lies between. What was lost (a queue that ran over) is found by the scan, which looks at
 * everything. */
#ifndef LEAT_WATCH_H
#define LEAT_WATCH_H

#include "base.h"

#define WATCH_QUIET_NS (10 * NS_PER_MS)
#define WATCH_DELAY_MAX_NS (40 * NS_PER_MS)
#define WATCH_AGAIN_NS (20 * NS_PER_MS) /* a swap that found no room is tried again */

/* Of a mount; the swap lock guards it. */
typedef struct mount_watch {
    int fd; /* inotify; -1: not watched */
    uint32_t generation; /* of the mount's handle */
    bool loose; /* a folder */
    uint64_t first_ns, due_ns; /* of changes that were seen; due_ns 0: none */
} mount_watch;

/* Makes an inotify descriptor, and for a file watches the folder it is in. -1 if it cannot be had, which is logged. */
int watch_open(const leat_logger *log, const char *path, bool loose);

/* Takes what has come; true if any of it concerns the mount. name: the file's name, NULL for a folder. */
bool watch_take(int fd, const char *name);

/* When a change that was seen at now_ns is acted on. Pure. */
void watch_note(mount_watch *w, uint64_t now_ns);

#endif
