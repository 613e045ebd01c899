/* watch.h - folders and packs that were asked to be watched are swapped by themselves when they change.
 *
 * One inotify descriptor for each watched mount. The thread "leat-watch" sleeps on them and starts with the first; a
 * streamer that watches nothing has none. It is a thread of its own because a scan or a new index blocks on the disk
 * for milliseconds, which neither the I/O thread nor an update may. A stepped streamer has no threads: its leat_update
 * asks the descriptors (one system call for each watched mount) and swaps.
 *
 * A burst of changes is one swap: it is made when nothing has come for WATCH_QUIET_NS, or WATCH_DELAY_MAX_NS after the
 * first. The quiet is also what makes stamps reliable: a file that is written again after a scan has a later time of
 * change, because a clock tick lies between.
 *
 * What the path names may go, and something else come in its place: a folder is built anew, moved aside, a link to it
 * is set to another. So the folder around it is watched as well, for that one name. When a watched folder has gone, or
 * the kernel's queue ran over, which thing is watched where is not known any more: the descriptor is thrown away, and a
 * new one made before the swap looks at everything. Where there is nothing at the path now, the version before stays,
 * and the path is looked at again every WATCH_LOST_NS; so it is where no new descriptor can be had (the watch is
 * blind), until one can. */
#ifndef LEAT_WATCH_H
#define LEAT_WATCH_H

#include "base.h"

#define WATCH_QUIET_NS (10 * NS_PER_MS)
#define WATCH_DELAY_MAX_NS (40 * NS_PER_MS)
#define WATCH_AGAIN_NS (20 * NS_PER_MS) /* a swap that found no room is tried again */
/* And one that found nothing at the path, or no descriptor to watch it with. */
#define WATCH_LOST_NS (500 * NS_PER_MS)

/* An inotify descriptor, and the watch in it that is of the folder around the path. */
typedef struct watch_source {
    int fd; /* negative: not watched */
    int around; /* -1: none */
} watch_source;

/* Of a mount; the swap lock guards it. */
typedef struct mount_watch {
    watch_source source;
    uint32_t generation; /* of the mount's handle; 0: there is no watch */
    bool loose; /* a folder */
    bool stale; /* what is watched is not what is at the path: the source is to be made anew */
    bool lost; /* nothing could be opened at the path, which was said */
    uint64_t first_ns, due_ns; /* of changes that were seen; due_ns 0: none */
} mount_watch;

/* What came of a look. */
typedef enum watch_news {
    WATCH_NOTHING = 0,
    WATCH_CHANGE = 1, /* something of the mount */
    WATCH_STALE = 2, /* or something that makes the source useless */
} watch_news;

/* Makes an inotify descriptor, and watches the folder around the path. A folder itself is watched by its scan. The fd
 * is -errno if it cannot be had. */
watch_source watch_open(const char *path, bool loose);
/* Logs that, with what to do, and what happens then ("": nothing). */
void watch_refused(const leat_logger *log, const char *path, int os_error, const char *then);

/* Takes what has come. */
watch_news watch_take(const watch_source *source, const char *path, bool loose);

/* When a change that was seen at now_ns is acted on. Pure. */
void watch_note(mount_watch *w, uint64_t now_ns);

#endif
