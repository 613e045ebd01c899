/* uring_rescue.c - a ring that the kernel gives up midway: its descriptor was closed under us, a sandbox was put up, a
 * limit was set, completions were dropped. Reading goes on with the reserve.
 *
 * Each read that is out completes exactly once: what the ring has completed already is taken from its queue, the rest
 * is read again. Before that, the kernel must have let go of the buffers, or a late transfer could write into memory
 * that holds something else by then. A dead ring cannot be asked, but it can be ended: the kernel frees it when its
 * last read is over, and with it the far end of a pipe that is registered with it. When the near end hangs up, the
 * buffers are ours. */
#include "uring.h"

#include "clock.h"

#ifdef LEAT_HAVE_URING

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define END_WAIT_NS_MAX                                                                                                \
    (5 * NS_PER_S) /* a forked child may hold the ring as well: then it never ends, and its reads are long over */
#define END_UNKNOWN_NS NS_PER_S /* without a pipe: no read of a device that works takes so long */

void ring_died(io_backend *io, int cause)
{
    if (!io->dead) {
        io->dead = true;
        io->death_cause = cause;
        ++io->stats.ring_losses;
    }
}

static void tell(io_backend *io)
{
    char why[100];
    snprintf(why, sizeof(why), "the kernel gave up the ring midway: %s", strerror(io->death_cause));
    log_line(io->log, LEAT_LOG_WARNING, "io_uring: %s; reading with threads from now on", why);
    pthread_mutex_lock(&io->lock);
    io->told.backend = LEAT_BACKEND_THREADS;
    snprintf(io->told.backend_text, sizeof(io->told.backend_text), "threads (%s)", why);
    io_no_ring(&io->told, io->desc, why);
    pthread_mutex_unlock(&io->lock);
}

bool ring_is_ours(const io_backend *io)
{
    /* Closed; closed, and the number is some other file's by now. */
    return !io->dead || (io->death_cause != EBADF && io->death_cause != EOPNOTSUPP);
}

/* No signal cuts it short, which would be too early, nor do many of them make it longer. */
static void wait_for_end(const io_backend *io)
{
    struct pollfd end = { .fd = io->end_fd }; /* -1: there is nothing to poll, and the time passes */
    uint64_t until_ns = clock_now_ns() + (io->end_fd >= 0 ? END_WAIT_NS_MAX : END_UNKNOWN_NS);
    struct timespec left;
    do {
        uint64_t ns = clock_left_ns(until_ns);
        left = (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };
    } while (ppoll(&end, 1, &left, NULL) < 0 && errno == EINTR);
}

static bool any_in_ring(const io_backend *io)
{
    return io->outstanding > io->reserve_outstanding;
}

void ring_rescue(io_backend *io)
{
    tell(io);
    bool made = io->ring_made;
    ring_end(io);
    if (made && any_in_ring(io)) {
        wait_for_end(io);
    }
    ring_drop(io);
    io->rescued = true;
    for (uint32_t i = 0; i < io->slot_count; ++i) {
        if (io->slots[i].busy && !io->slots[i].in_reserve) {
            slot_to_reserve(io, i);
        }
    }
}

#endif
