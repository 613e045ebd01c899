/* posts.c - whoever ends something tells the update thread, which may sleep.
 *
 * A post goes into the ring (post_ring.h); then the poster looks whether somebody waits for it, and makes the
 * descriptor of events readable: the same pattern as in sleep.c. One write and one read of it serve many posts
 * (event_signal).
 *
 * All of it is run in every order of its steps by tests/interleave. */
#include "streamer.h"

#include "event_fd.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- Any thread ---- */

/* Who waits may sleep past this post; the next one tries again, and leat_wait looks again by itself (posts_await). */
__attribute__((cold, noinline)) static void tell_refused(leat_streamer *s, int os_error)
{
    if (!atomic_exchange_explicit(&s->event_fd_refused, true, memory_order_relaxed)) {
        log_line(&s->log, LEAT_LOG_ERROR,
                 "who waits for events cannot be woken: %s. Does something in this process close descriptors that are "
                 "not its own?",
                 strerror(os_error));
    }
}

/* After a post. Sequentially consistent on both sides (post_signal_take): either we find the signal taken back and make
 * it anew, or who took it back sees what was posted. */
void post_signal_now(leat_streamer *s)
{
    int fd = atomic_load_explicit(&s->event_fd, memory_order_seq_cst);
    uint32_t seen = atomic_load_explicit(&s->event_signal, memory_order_seq_cst);
    uint32_t begun = (seen & ~SIGNAL_MASK) + SIGNAL_STEP + SIGNAL_BEGUN;
    if (fd >= 0 && (seen & SIGNAL_MASK) == SIGNAL_NONE &&
        atomic_compare_exchange_strong_explicit(&s->event_signal, &seen, begun, memory_order_seq_cst,
                                                memory_order_seq_cst)) {
        bool written = event_fd_signal(fd);
        if (!written) {
            tell_refused(s, errno);
        }
        /* Unless it was read meanwhile, and the word is of a later signal by now. */
        atomic_compare_exchange_strong_explicit(&s->event_signal, &begun,
                                                begun - SIGNAL_BEGUN + (written ? SIGNAL_WRITTEN : SIGNAL_NONE),
                                                memory_order_release, memory_order_relaxed);
    }
}

/* After a post. Sequentially consistent on both sides (posts_await, leat_event_fd): either we see that somebody
 * listens, or they see what was posted. Who naps looks again soon by itself. */
static bool must_signal(const leat_streamer *s, bool soon)
{
    uint32_t waits = atomic_load_explicit(&s->update_waits, memory_order_seq_cst);
    return waits == UPDATE_WAITS || (waits == UPDATE_NAPS && soon) ||
           atomic_load_explicit(&s->event_fd_public, memory_order_seq_cst);
}

void post_event(leat_streamer *s, post_kind kind, uint32_t index, bool soon)
{
    post_ring_push(&s->posts, kind, index);
    if (must_signal(s, soon)) {
        post_signal_now(s);
    }
}

void post_event_later(leat_streamer *s, post_kind kind, uint32_t index)
{
    post_ring_push(&s->posts, kind, index);
    s->posted = true;
}

/* Whoever seals a batch and whoever ends a member may both find it complete: it is in the ring once at most. */
void post_batch(leat_streamer *s, uint32_t index)
{
    if (mpsc_mark(&s->batch_handles.slots[index].mail, 1)) {
        post_event(s, POST_BATCH, index, true);
    }
}

void post_signal(leat_streamer *s)
{
    if (s->posted && must_signal(s, true)) {
        post_signal_now(s);
    }
    s->posted = false;
}

/* ---- The update thread ---- */

/* Before the look at the posts. In this order: were the signal taken back first, a post between that and the read would
 * lose its write to the read, and its word would keep all later ones from writing. Who signals may be held up around
 * the write. Before it there is nothing to read, and the signal stays: a later update, which the write brings about,
 * reads it. Behind it the signal is taken like any other, or whoever polls would find the descriptor readable time and
 * again, and keep the core from the one who is to say that it is written. */
void post_signal_take(leat_streamer *s, int fd)
{
    uint32_t seen = atomic_load_explicit(&s->event_signal, memory_order_acquire);
    if ((seen & SIGNAL_MASK) != SIGNAL_NONE) {
        uint64_t value;
        ssize_t got;
        while ((got = read(fd, &value, sizeof(value))) < 0 && errno == EINTR) {
        }
        if (got > 0 || (seen & SIGNAL_MASK) == SIGNAL_WRITTEN) { /* or the engine has read it, which it need not */
            atomic_store_explicit(&s->event_signal, seen & ~SIGNAL_MASK, memory_order_seq_cst);
        }
    }
}

int posts_event_fd(leat_streamer *s)
{
    int fd = atomic_load_explicit(&s->event_fd, memory_order_acquire);
    if (fd < 0) {
        fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        int expected = -1;
        if (fd >= 0 && !atomic_compare_exchange_strong(&s->event_fd, &expected, fd)) {
            close(fd); /* another thread was first */
            fd = expected;
        }
    }
    return fd;
}

/* Sleeps until something was posted, or for left_ns. While the workers have much to do, events come by the thousand,
 * and to be woken for each would cost those workers more than it is worth: then it is a nap of at most NAP_NS, which
 * only events that somebody is in a hurry for cut short (request_drop). */
#define NAP_NS (4 * NS_PER_MS)
void posts_await(leat_streamer *s, int fd, uint64_t left_ns)
{
    bool nap = atomic_load_explicit(&s->decode_bytes, memory_order_relaxed) >= s->decode_bytes_dry;
    bool deaf = fd < 0 || atomic_load_explicit(&s->event_fd_refused, memory_order_relaxed);
    if (nap || deaf) { /* no descriptor to be had, or none that can be written to: look again soon */
        left_ns = u64_min(left_ns, NAP_NS);
    }
    struct timespec left = { .tv_sec = (time_t)u64_min(left_ns / NS_PER_S, 3600),
                             .tv_nsec = (long)(left_ns % NS_PER_S) };
    struct pollfd wait_for = { .fd = fd, .events = POLLIN };
    atomic_store_explicit(&s->update_waits, nap ? UPDATE_NAPS : UPDATE_WAITS, memory_order_seq_cst);
    streamer_wake_owed(s); /* from now on, nobody puts a wake off */
    if (post_ring_is_empty(&s->posts) && ppoll(&wait_for, deaf ? 0 : 1, &left, NULL) > 0 &&
        (wait_for.revents & POLLNVAL) != 0) {
        tell_refused(s, EBADF); /* else the next look would come at once, and the one after it */
    }
    atomic_store_explicit(&s->update_waits, UPDATE_AWAY, memory_order_relaxed);
}

int leat_event_fd(leat_streamer *s)
{
    int fd = posts_event_fd(s);
    if (fd >= 0 && !atomic_exchange_explicit(&s->event_fd_public, true, memory_order_seq_cst)) {
        streamer_wake_owed(s); /* from now on, nobody puts a wake off */
        post_signal_now(s); /* something may wait already; if not, the first look is in vain */
    }
    return fd;
}
