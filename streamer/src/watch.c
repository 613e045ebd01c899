/* watch.c - see watch.h. */
#include "watch.h"

#include "streamer.h"
#include "threads.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS_SIZE 4096u
#define READS_MAX 64u /* of one look; what is left makes the descriptor readable again */

/* ---- One descriptor ---- */

const char *watch_name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static int not_watched(const leat_logger *log, const char *path, int os_error)
{
    log_line(log, LEAT_LOG_WARNING, "%s: is not watched for changes (%s)%s", path, strerror(os_error),
             os_error == EMFILE ? "; raise fs.inotify.max_user_instances" : "");
    return -1;
}

int watch_open(const leat_logger *log, const char *path, bool loose)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) {
        return not_watched(log, path, errno);
    }
    if (loose) {
        return fd; /* the scan adds the folders that it walks */
    }
    char parent[4096];
    size_t size = (size_t)(watch_name_of(path) - path);
    if (size >= sizeof(parent)) {
        close(fd);
        return not_watched(log, path, ENAMETOOLONG);
    }
    memcpy(parent, path, size);
    parent[size] = '\0';
    if (inotify_add_watch(fd, size == 0 ? "." : parent, IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR) < 0) {
        int cause = errno;
        close(fd);
        return not_watched(log, path, cause);
    }
    return fd;
}

static bool concerns(const struct inotify_event *e, const char *name)
{
    if (e->mask & IN_Q_OVERFLOW) {
        return true;
    }
    if (e->mask & IN_IGNORED) {
        return false;
    }
    if (name != NULL) {
        return e->len > 0 && strcmp(e->name, name) == 0;
    }
    return e->len == 0 || e->name[0] != '.'; /* as the scan leaves them out */
}

bool watch_take(int fd, const char *name)
{
    _Alignas(struct inotify_event) char events[EVENTS_SIZE];
    bool any = false;
    for (uint32_t i = 0; i < READS_MAX; ++i) {
        ssize_t got = read(fd, events, sizeof(events));
        if (got <= 0) {
            break; /* EAGAIN: taken all */
        }
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *e = (const struct inotify_event *)(const void *)(events + at);
            any |= concerns(e, name);
            at += (ssize_t)(sizeof(*e) + e->len);
        }
    }
    return any;
}

void watch_note(mount_watch *w, uint64_t now_ns)
{
    if (w->due_ns == 0) {
        w->first_ns = now_ns;
    }
    w->due_ns = u64_min(now_ns + WATCH_QUIET_NS, w->first_ns + WATCH_DELAY_MAX_NS);
}

/* ---- All of them; with the swap lock held ---- */

static void unwatch(mount_watch *w)
{
    if (w->fd >= 0) {
        close(w->fd);
    }
    *w = (mount_watch){ .fd = -1 };
}

static leat_pack handle_of(const leat_streamer *s, uint32_t mount)
{
    return (leat_pack){ .index = mount, .generation = s->watches[mount].generation };
}

/* Swaps what is due, and says when the next is. */
static void tend(leat_streamer *s, uint32_t mount, uint64_t now_ns, uint64_t *next_ns)
{
    mount_watch *w = &s->watches[mount];
    pack_slot *slot = pack_acquire(s, handle_of(s, mount));
    if (slot == NULL) { /* closed */
        unwatch(w);
        return;
    }
    if (watch_take(w->fd, w->loose ? NULL : watch_name_of(slot->path))) {
        watch_note(w, now_ns);
    }
    pack_release(s, slot);
    if (w->due_ns != 0 && now_ns >= w->due_ns) {
        leat_error error;
        leat_result result = swap_locked(s, handle_of(s, mount), NULL, &error);
        w->first_ns = w->due_ns = 0;
        if (result == LEAT_ERROR_FULL) {
            w->first_ns = w->due_ns = now_ns + WATCH_AGAIN_NS;
        }
    }
    if (w->due_ns != 0) {
        *next_ns = u64_min(*next_ns, w->due_ns);
    }
}

uint64_t watch_tend(leat_streamer *s, uint64_t now_ns)
{
    uint64_t next_ns = UINT64_MAX;
    for (uint32_t i = 0; i < s->desc.pack_count_max; ++i) {
        if (s->watches[i].fd >= 0) {
            tend(s, i, now_ns, &next_ns);
        }
    }
    return next_ns;
}

void watch_set(leat_streamer *s, leat_pack pack, int fd, bool loose)
{
    mount_watch *w = &s->watches[pack.index];
    unwatch(w);
    *w = (mount_watch){ .fd = fd, .generation = pack.generation, .loose = loose };
    atomic_store_explicit(&s->watching, true, memory_order_release);
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
        if (s->watches[i].fd >= 0) {
            s->watch_polls[count++] = (struct pollfd){ .fd = s->watches[i].fd, .events = POLLIN };
        }
    }
    return count;
}

static void *watch_main(void *streamer)
{
    leat_streamer *s = streamer;
    while (!atomic_load_explicit(&s->stopping, memory_order_acquire)) {
        uint64_t value;
        if (read(s->watch_event_fd, &value, sizeof(value)) < 0) {
            value = 0; /* EAGAIN: woken by something else */
        }
        pthread_mutex_lock(&s->swap_lock);
        uint64_t now_ns = streamer_now(s);
        uint64_t next_ns = watch_tend(s, now_ns);
        uint32_t count = gather(s);
        pthread_mutex_unlock(&s->swap_lock);
        sleep_until(s->watch_polls, count, now_ns, next_ns);
    }
    return NULL;
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
        uint64_t one = 1;
        while (write(s->watch_event_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
        }
    }
}

void watch_stop(leat_streamer *s)
{
    if (s->watch_runs) {
        watch_wake(s);
        pthread_join(s->watch_thread, NULL);
    }
    bool any = atomic_load_explicit(&s->watching, memory_order_acquire);
    for (uint32_t i = 0; any && i < s->desc.pack_count_max; ++i) {
        unwatch(&s->watches[i]);
    }
    if (s->watch_event_fd >= 0) {
        close(s->watch_event_fd);
    }
}
