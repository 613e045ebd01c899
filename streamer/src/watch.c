/* watch.c - see watch.h. */
#include "watch.h"

#include "event_fd.h"
#include "streamer.h"
#include "threads.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS_SIZE 4096u
#define READS_MAX 64u /* of one look; what is left makes the descriptor readable again */

/* ---- One descriptor ---- */

/* The last component of a path, which may be followed by slashes. */
static const char *name_of(const char *path, size_t *size)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/') {
        --end;
    }
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/') {
        --begin;
    }
    *size = end - begin;
    return path + begin;
}

/* "." and ".." are no names that another folder could get. */
static bool is_name(const char *name, size_t size)
{
    return size > 0 && !(name[0] == '.' && (size == 1 || (size == 2 && name[1] == '.')));
}

void watch_refused(const leat_logger *log, const char *path, int os_error, const char *then)
{
    log_line(log, LEAT_LOG_WARNING, "%s: is not watched for changes (%s)%s%s", path, strerror(os_error),
             os_error == EMFILE   ? "; raise fs.inotify.max_user_instances, or the limit of open files (ulimit -n)"
             : os_error == ENOSPC ? "; raise fs.inotify.max_user_watches"
                                  : "",
             then);
}

/* The watch of the folder around the path, or -errno. */
static int watch_around(int fd, const char *path, bool loose)
{
    size_t name_size;
    const char *name = name_of(path, &name_size);
    size_t size = (size_t)(name - path);
    char around[4096];
    if (!is_name(name, name_size)) {
        return -ENOENT;
    }
    if (size >= sizeof(around)) {
        return -ENAMETOOLONG;
    }
    memcpy(around, path, size);
    around[size] = '\0';
    uint32_t come = loose ? IN_CREATE | IN_MOVED_TO : IN_CLOSE_WRITE | IN_MOVED_TO;
    int watch = inotify_add_watch(fd, size == 0 ? "." : around, come | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
    return watch >= 0 ? watch : -errno;
}

watch_source watch_open(const char *path, bool loose)
{
    watch_source source = { .fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), .around = -1 };
    if (source.fd < 0) {
        source.fd = -errno;
        return source;
    }
    source.around = watch_around(source.fd, path, loose);
    bool missing = source.around == -ENOENT || source.around == -ENOTDIR; /* it may come again */
    if (source.around < 0 && !missing && !loose) {
        close(source.fd);
        source.fd = source.around;
    }
    return source;
}

static watch_news news_of(const struct inotify_event *e, const watch_source *source, const char *path, bool loose)
{
    size_t size;
    const char *name = name_of(path, &size);
    if (e->mask & IN_IGNORED) { /* comes after what says why */
        return WATCH_NOTHING;
    }
    if (e->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) {
        return WATCH_STALE;
    }
    if (e->wd == source->around) {
        bool ours = e->len > 0 && strlen(e->name) == size && memcmp(e->name, name, size) == 0;
        return !ours ? WATCH_NOTHING : loose ? WATCH_STALE : WATCH_CHANGE;
    }
    return e->len == 0 || e->name[0] != '.' ? WATCH_CHANGE : WATCH_NOTHING; /* as the scan leaves them out */
}

watch_news watch_take(const watch_source *source, const char *path, bool loose)
{
    _Alignas(struct inotify_event) char events[EVENTS_SIZE];
    watch_news most = WATCH_NOTHING;
    for (uint32_t i = 0; i < READS_MAX; ++i) {
        ssize_t got = read(source->fd, events, sizeof(events));
        if (got <= 0) {
            break; /* EAGAIN: taken all */
        }
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *e = (const struct inotify_event *)(const void *)(events + at);
            watch_news news = news_of(e, source, path, loose);
            most = news > most ? news : most;
            at += (ssize_t)(sizeof(*e) + e->len);
        }
    }
    return most;
}

void watch_note(mount_watch *w, uint64_t now_ns)
{
    if (w->due_ns == 0) {
        w->first_ns = now_ns;
    }
    w->due_ns = u64_min(now_ns + WATCH_QUIET_NS, w->first_ns + WATCH_DELAY_MAX_NS);
}

/* ---- All of them; with the swap lock held ---- */

static void unwatch(leat_streamer *s, mount_watch *w)
{
    if (w->source.fd >= 0) {
        close(w->source.fd);
    }
    *w = (mount_watch){ .source = { .fd = -1 } };
    atomic_store_explicit(&s->mounts[w - s->watches].watched, 0, memory_order_relaxed);
}

static leat_pack handle_of(const leat_streamer *s, uint32_t mount)
{
    return (leat_pack){ .index = mount, .generation = s->watches[mount].generation };
}

static bool is_blind(const mount_watch *w)
{
    return w->source.fd < 0;
}

/* Closed first: there may be no more than this one. If there is none any more, the watch stays stale. */
static void renew(leat_streamer *s, mount_watch *w, const char *path)
{
    bool told = is_blind(w);
    struct stat status;
    w->loose = file_stat_at(AT_FDCWD, path, &status, 0) == 0 && S_ISDIR(status.st_mode); /* by now */
    if (!is_blind(w)) {
        close(w->source.fd);
    }
    w->source = watch_open(path, w->loose);
    w->stale = is_blind(w);
    if (is_blind(w) && !told) {
        watch_refused(&s->log, path, -w->source.fd, "; until it can be, it is looked at twice a second");
    }
}

/* Looks at the path, after a change of it. */
static void swap_watched(leat_streamer *s, mount_watch *w, leat_pack pack, uint64_t now_ns)
{
    leat_error error;
    leat_result result = swap_locked(s, pack, NULL, &error);
    bool lost = result == LEAT_ERROR_NOT_FOUND || result == LEAT_ERROR_OS;
    if (result != LEAT_OK && result != LEAT_ERROR_FULL && !(lost && w->lost)) {
        log_line(&s->log, LEAT_LOG_WARNING, "%s; the version before stays", error.text);
    }
    w->lost = lost;
    w->stale |= lost; /* the folder around it may be another one by then */
    uint64_t again_ns = lost || is_blind(w) ? WATCH_LOST_NS : result == LEAT_ERROR_FULL ? WATCH_AGAIN_NS : 0;
    w->first_ns = w->due_ns = again_ns > 0 ? now_ns + again_ns : 0;
}

/* Swaps what is due, and says when the next is. */
static void tend(leat_streamer *s, uint32_t mount, uint64_t now_ns, uint64_t *next_ns)
{
    mount_watch *w = &s->watches[mount];
    leat_pack pack = handle_of(s, mount);
    pack_slot *slot = pack_acquire(s, pack);
    if (slot == NULL) { /* closed */
        unwatch(s, w);
        return;
    }
    watch_news news = is_blind(w) ? WATCH_NOTHING : watch_take(&w->source, slot->path, w->loose);
    if (news != WATCH_NOTHING) {
        watch_note(w, now_ns);
        w->stale |= news == WATCH_STALE;
    }
    bool due = w->due_ns != 0 && now_ns >= w->due_ns;
    if (due && w->stale) {
        renew(s, w, slot->path);
    }
    pack_release(s, slot);
    if (due) {
        swap_watched(s, w, pack, now_ns);
    }
    if (w->due_ns != 0) {
        *next_ns = u64_min(*next_ns, w->due_ns);
    }
}

uint64_t watch_tend(leat_streamer *s, uint64_t now_ns)
{
    uint64_t next_ns = UINT64_MAX;
    for (uint32_t i = 0; i < s->desc.pack_count_max; ++i) {
        if (s->watches[i].generation != 0) {
            tend(s, i, now_ns, &next_ns);
        }
    }
    return next_ns;
}

void watch_set(leat_streamer *s, leat_pack pack, watch_source source, bool loose)
{
    mount_watch *w = &s->watches[pack.index];
    unwatch(s, w);
    *w = (mount_watch){ .source = source, .generation = pack.generation, .loose = loose };
    atomic_store_explicit(&s->mounts[pack.index].watched, pack.generation, memory_order_relaxed);
    atomic_store_explicit(&s->watching, true, memory_order_release);
}

void watch_follow(leat_streamer *s, leat_pack pack)
{
    mount_watch *w = &s->watches[pack.index];
    if (w->generation == pack.generation) {
        w->stale = true;
        w->first_ns = w->due_ns = u64_max(streamer_now(s), 1);
        watch_wake(s);
    }
}

void watch_end(leat_streamer *s, leat_pack pack)
{
    unwatch(s, &s->watches[pack.index]);
}

/* ---- The thread ---- */

static void sleep_until(const struct pollfd *wait_for, uint32_t count, uint64_t now_ns, uint64_t next_ns)
{
    uint64_t ns = next_ns == UINT64_MAX ? 0 : next_ns - u64_min(next_ns, now_ns);
    struct timespec left = { .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };
    ppoll((struct pollfd *)wait_for, count, next_ns == UINT64_MAX ? NULL : &left, NULL);
}

/* What to sleep on: the wake-up first. A descriptor that is closed meanwhile, by a pack_open that takes the mount over,
 * wakes us once for nothing. */
static uint32_t gather(leat_streamer *s)
{
    uint32_t count = 0;
    s->watch_polls[count++] = (struct pollfd){ .fd = s->watch_event_fd, .events = POLLIN };
    for (uint32_t i = 0; i < s->desc.pack_count_max; ++i) {
        if (s->watches[i].source.fd >= 0) {
            s->watch_polls[count++] = (struct pollfd){ .fd = s->watches[i].source.fd, .events = POLLIN };
        }
    }
    return count;
}

static void *watch_main(void *streamer)
{
    leat_streamer *s = streamer;
    for (;;) {
        uint64_t value;
        if (read(s->watch_event_fd, &value, sizeof(value)) < 0) {
            value = 0; /* EAGAIN: woken by something else */
        }
        if (atomic_load_explicit(&s->stopping, memory_order_acquire)) {
            return NULL; /* asked after the wake is taken, which comes after it was said: or both would be missed */
        }
        pthread_mutex_lock(&s->swap_lock);
        uint64_t now_ns = streamer_now(s);
        uint64_t next_ns = watch_tend(s, now_ns);
        uint32_t count = gather(s);
        pthread_mutex_unlock(&s->swap_lock);
        sleep_until(s->watch_polls, count, now_ns, next_ns);
    }
}

bool watch_start(leat_streamer *s)
{
    if (s->desc.stepped || s->watch_runs) {
        return true;
    }
    s->watch_event_fd = s->watch_event_fd >= 0 ? s->watch_event_fd : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->watch_event_fd < 0) {
        return false;
    }
    s->watch_runs = thread_start(&s->watch_thread, watch_main, s, "leat-watch");
    return s->watch_runs;
}

void watch_wake(leat_streamer *s)
{
    if (atomic_load_explicit(&s->watching, memory_order_acquire) && s->watch_event_fd >= 0) {
        event_fd_signal(s->watch_event_fd);
    }
}

bool watch_stop(leat_streamer *s)
{
    /* Whether or not there is something to watch: the thread may run, and sleep for good, with nothing. */
    if (s->watch_runs && !thread_join(s->watch_thread, !event_fd_signal(s->watch_event_fd))) {
        return false;
    }
    bool any = atomic_load_explicit(&s->watching, memory_order_acquire);
    for (uint32_t i = 0; any && i < s->desc.pack_count_max; ++i) {
        unwatch(s, &s->watches[i]);
    }
    if (s->watch_event_fd >= 0) {
        close(s->watch_event_fd);
    }
    return true;
}
