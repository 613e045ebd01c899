/* methods_uring.c - io_uring, from a plain ring to a polled one: each method adds one thing to the one before.
 *
 * One thread, one ring. Completions are taken in user space; one io_uring_enter hands over what was filled and waits
 * for a batch. With SQPOLL there is none: a kernel thread takes the entries, and this thread looks at the completion
 * queue until something is there, which costs both of them a core and is what the method is. */
#include "methods.h"

#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SQPOLL_IDLE_MS 2000u
#define SPINS_BEFORE_YIELD 64u

typedef enum uring_options {
    URING_DIRECT = 1 << 0,
    URING_FIXED = 1 << 1, /* buffers and the file are registered */
    URING_HUGE = 1 << 2,
    URING_SQPOLL = 1 << 3,
    URING_IOPOLL = 1 << 4
} uring_options;

typedef struct uring_state {
    turn *t;
    uint32_t options;
    struct io_uring ring;
    bool ring_made;
    int fd;
    region huge;
    uint8_t *small, *buffers;
    uint64_t offsets[METHOD_DEPTH_MAX], begin_ns[METHOD_DEPTH_MAX];
    uint32_t out; /* filled or with the kernel */
    tally y;
} uring_state;

/* ---- Setting up ---- */

static int ring_make(uring_state *s)
{
    static const uint32_t tries[] = { IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
                                      IORING_SETUP_COOP_TASKRUN, 0 };
    uint32_t mode =
        (s->options & URING_SQPOLL ? IORING_SETUP_SQPOLL : 0) | (s->options & URING_IOPOLL ? IORING_SETUP_IOPOLL : 0);
    int result = -EINVAL;
    for (size_t i = s->options & URING_SQPOLL ? COUNT_OF(tries) - 1 : 0; i < COUNT_OF(tries) && result == -EINVAL;
         ++i) {
        struct io_uring_params params = { .flags = tries[i] | mode, .sq_thread_idle = SQPOLL_IDLE_MS };
        result = io_uring_queue_init_params(METHOD_DEPTH_MAX, &s->ring, &params);
    }
    s->ring_made = result == 0;
    return -result;
}

static bool set_up(uring_state *s)
{
    turn *t = s->t;
    uint64_t size = (uint64_t)t->depth * t->read_size;
    s->fd = open(t->path, O_RDONLY | O_CLOEXEC | (s->options & URING_DIRECT ? O_DIRECT : 0));
    if (s->fd < 0) {
        turn_refuse(t, s->options & URING_DIRECT ? "O_DIRECT" : "open", errno);
        return false;
    }
    posix_fadvise(s->fd, 0, 0, POSIX_FADV_RANDOM);
    if (s->options & URING_HUGE) {
        if (!region_create(align_up(size, HUGE_PAGE_SIZE), true, &s->huge) || !s->huge.huge) {
            turn_refuse(t, "huge pages", ENOMEM);
            return false;
        }
        s->buffers = s->huge.memory;
    } else {
        s->buffers = s->small = aligned_alloc(4096, size);
        if (s->small == NULL) {
            turn_refuse(t, "buffers", ENOMEM);
            return false;
        }
        memset(s->small, 0, size);
    }
    int cause = ring_make(s);
    if (cause != 0) {
        turn_refuse(t, s->options & URING_SQPOLL ? "SQPOLL" : s->options & URING_IOPOLL ? "IOPOLL" : "io_uring", cause);
        return false;
    }
    if (s->options & URING_FIXED) {
        struct iovec all = { .iov_base = s->buffers, .iov_len = size };
        cause = -io_uring_register_buffers(&s->ring, &all, 1);
        if (cause != 0) {
            turn_refuse(t, "registered buffers", cause);
            return false;
        }
        cause = -io_uring_register_files(&s->ring, &s->fd, 1);
        if (cause != 0) {
            turn_refuse(t, "registered files", cause);
            return false;
        }
    }
    return true;
}

static void tear_down(uring_state *s)
{
    if (s->ring_made) {
        io_uring_queue_exit(&s->ring);
    }
    if (s->fd >= 0) {
        close(s->fd);
    }
    region_destroy(&s->huge);
    free(s->small);
}

/* ---- Reading ---- */

static bool fill(uring_state *s, uint32_t slot, uint64_t now_ns)
{
    const turn *t = s->t;
    if (!turn_next(s->t, now_ns, &s->offsets[slot])) {
        return false;
    }
    struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);
    uint8_t *buffer = s->buffers + (size_t)slot * t->read_size;
    if (sqe ==
        NULL) { /* SQPOLL: the thread has not taken them yet; there are more entries than slots, so it is behind */
        s->y.error = EBUSY;
        return false;
    }
    if (s->options & URING_FIXED) {
        io_uring_prep_read_fixed(sqe, 0, buffer, t->read_size, s->offsets[slot], 0);
        sqe->flags |= IOSQE_FIXED_FILE;
    } else {
        io_uring_prep_read(sqe, s->fd, buffer, t->read_size, s->offsets[slot]);
    }
    sqe->user_data = slot;
    s->begin_ns[slot] = now_ns;
    ++s->out;
    return true;
}

/* Hands over what is filled and waits: one system call, or none while the kernel's thread is awake. */
static void hand_over(uring_state *s)
{
    if (s->options & URING_SQPOLL) {
        uint32_t kernel_flags = __atomic_load_n(s->ring.sq.kflags, __ATOMIC_ACQUIRE);
        s->y.calls += (kernel_flags & IORING_SQ_NEED_WAKEUP) != 0 && io_uring_sq_ready(&s->ring) > 0;
        io_uring_submit(&s->ring);
        for (uint32_t spins = 1; io_uring_cq_ready(&s->ring) == 0; ++spins) {
            if (spins % SPINS_BEFORE_YIELD == 0 && bench_now_ns() > s->t->end_ns + 5 * NS_PER_S) {
                s->y.error = ETIME;
                s->out = 0;
                return;
            }
            __builtin_ia32_pause();
        }
        return;
    }
    ++s->y.calls;
    int result = io_uring_submit_and_wait(&s->ring, u32_min(s->t->batch, s->out));
    if (result < 0 && result != -EINTR && result != -EAGAIN) {
        s->y.error = -result;
        s->out = 0;
    }
}

static void loop(uring_state *s)
{
    turn *t = s->t;
    uint64_t now_ns = bench_now_ns();
    for (uint32_t i = 0; i < t->depth && fill(s, i, now_ns); ++i) {
    }
    while (s->out > 0) {
        hand_over(s);
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;
        uint32_t freed[METHOD_DEPTH_MAX];
        now_ns = bench_now_ns();
        io_uring_for_each_cqe(&s->ring, head, cqe)
        {
            uint32_t slot = (uint32_t)cqe->user_data;
            turn_note(t, &s->y, s->offsets[slot], s->buffers + (size_t)slot * t->read_size, cqe->res,
                      now_ns - s->begin_ns[slot]);
            freed[count++] = slot;
        }
        io_uring_cq_advance(&s->ring, count);
        s->out -= u32_min(count, s->out);
        for (unsigned i = 0; i < count && s->y.error == 0; ++i) {
            fill(s, freed[i], now_ns);
        }
    }
}

/* One read before the clock starts: it wakes the thread of SQPOLL, and tells whether the device can poll, as a ring
 * with IOPOLL is made anywhere. */
static bool first_read(uring_state *s)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);
    struct io_uring_cqe *cqe;
    io_uring_prep_read_fixed(sqe, 0, s->buffers, s->t->read_size, 0, 0);
    sqe->flags |= IOSQE_FIXED_FILE;
    s->out = 1;
    s->t->end_ns = bench_now_ns();
    while (s->out > 0 && io_uring_cq_ready(&s->ring) == 0) { /* a polled ring may return with nothing */
        hand_over(s);
    }
    s->t->calls_prepared = s->y.calls;
    int error = s->y.error;
    if (s->out > 0 && io_uring_peek_cqe(&s->ring, &cqe) == 0) {
        error = cqe->res < 0 ? -cqe->res : 0;
        io_uring_cqe_seen(&s->ring, cqe);
    }
    s->out = 0;
    s->y.calls = 0;
    if (error != 0) {
        turn_refuse(s->t, s->options & URING_IOPOLL ? "IOPOLL: the device has no poll queues" : "SQPOLL", error);
    }
    return error == 0;
}

static void uring_run(turn *t, uint32_t options)
{
    uring_state *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        turn_refuse(t, "state", ENOMEM);
        return;
    }
    s->t = t;
    s->options = options;
    s->fd = -1;
    if (set_up(s) && ((options & (URING_IOPOLL | URING_SQPOLL)) == 0 || first_read(s))) {
        turn_begin(t);
        loop(s);
        turn_end(t);
        turn_merge(t, &s->y);
    }
    tear_down(s);
    free(s);
}

void method_uring_buffered(turn *t)
{
    uring_run(t, 0);
}
void method_uring_direct(turn *t)
{
    uring_run(t, URING_DIRECT);
}
void method_uring_fixed(turn *t)
{
    uring_run(t, URING_DIRECT | URING_FIXED);
}
void method_uring_huge(turn *t)
{
    uring_run(t, URING_DIRECT | URING_FIXED | URING_HUGE);
}
void method_uring_sqpoll(turn *t)
{
    uring_run(t, URING_DIRECT | URING_FIXED | URING_HUGE | URING_SQPOLL);
}
void method_uring_iopoll(turn *t)
{
    uring_run(t, URING_DIRECT | URING_FIXED | URING_HUGE | URING_IOPOLL);
}
void method_uring_polled(turn *t)
{
    uring_run(t, URING_DIRECT | URING_FIXED | URING_HUGE | URING_SQPOLL | URING_IOPOLL);
}
