/* uring_enter.c - the one door to the kernel: every io_uring_enter that the backend makes, and no other.
 *
 * That is why the counts are exact: with a kernel thread that submits (SQPOLL), a submission is a system call only if
 * that thread sleeps and has to be woken. What a call answers is judged here too: EINTR, EAGAIN and EBUSY leave the
 * entries in the queue, where the next call finds them; ETIME is a wait that is over; everything else means that the
 * ring is gone. */
#include "uring.h"

#include "clock.h"

#ifdef LEAT_HAVE_URING

#include <errno.h>
#include <signal.h>

/* The argument of IORING_ENTER_EXT_ARG, with the field of Linux 6.12, which is padding before. */
typedef struct enter_argument {
    uint64_t signal_mask;
    uint32_t signal_mask_size;
    uint32_t batch_wait_us;
    uint64_t timeout;
} enter_argument;

uint32_t ring_flags(const io_backend *io)
{
    return IO_URING_READ_ONCE(*io->ring.sq.kflags);
}

/* Makes filled entries visible to the kernel: what liburing does within io_uring_submit. How many it has not taken yet.
 */
static uint32_t publish(io_backend *io)
{
    struct io_uring_sq *sq = &io->ring.sq;
    uint32_t tail = *sq->ktail; /* ours alone to write */
    for (; sq->sqe_head != sq->sqe_tail; ++tail, ++sq->sqe_head) {
        if (sq->array != NULL) { /* newer libraries may do without */
            sq->array[tail & sq->ring_mask] = sq->sqe_head & sq->ring_mask;
        }
    }
    /* The entries before the tail, for the kernel's acquire; and the tail before what must_wake() reads. */
    __atomic_exchange_n(sq->ktail, tail, __ATOMIC_SEQ_CST);
    return tail - io_uring_smp_load_acquire(sq->khead);
}

static void judge(io_backend *io, int result)
{
    if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY && result != -ETIME) {
        ring_died(io, -result);
    }
}

/* True if the kernel's thread sleeps, and must be called. */
static bool must_wake(io_backend *io)
{
    /* After the tail (publish): it sets the flag, and looks at the tail once more, before it sleeps. */
    return (__atomic_load_n(io->ring.sq.kflags, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP) != 0;
}

static void enter(io_backend *io, uint32_t wait_count, bool events, enter_argument *argument)
{
    uint32_t count = publish(io);
    uint32_t flags = events ? IORING_ENTER_GETEVENTS : 0u;
    if (io->sqpoll) {
        bool wake = count > 0 && must_wake(io);
        flags |= wake ? IORING_ENTER_SQ_WAKEUP : 0u;
        io->stats.sqpoll_wakeups += wake;
    }
    flags |= argument != NULL ? IORING_ENTER_EXT_ARG : 0u;
    if (!events && (io->sqpoll ? !(flags & IORING_ENTER_SQ_WAKEUP) : count == 0)) {
        return;
    }
    io->stats.submit_calls += !events;
    io->stats.wait_calls += events;
    int result = io_uring_enter2((unsigned)io->ring.ring_fd, count, wait_count, flags, (sigset_t *)(void *)argument,
                                 argument != NULL ? sizeof(*argument) : _NSIG / 8);
    io->kernel_is_busy = result == -EAGAIN || result == -EBUSY;
    judge(io, result);
    io->lazy_reaps = 0;
}

void ring_submit(io_backend *io)
{
    if (!io->dead) {
        enter(io, 0, false, NULL);
    }
}

void ring_enter(io_backend *io, uint32_t wait_count)
{
    if (!io->dead) {
        enter(io, wait_count, true, NULL);
    }
}

static struct __kernel_timespec time_of(uint64_t ns)
{
    return (struct __kernel_timespec){ .tv_sec = (long long)(ns / NS_PER_S), .tv_nsec = (long long)(ns % NS_PER_S) };
}

/* A kernel without EXT_ARG: the limit is an entry of its own, which completes with the first other one at the latest.
 */
static void enter_with_timeout_entry(io_backend *io, uint32_t wait_count, uint64_t ns)
{
    struct io_uring_sqe *sqe = entry_take(io);
    if (sqe != NULL) {
        io->entry_timeout = time_of(ns); /* read when the entry is handed over, which EINTR may put off */
        io_uring_prep_timeout(sqe, &io->entry_timeout, wait_count, 0);
        sqe->user_data = USER_TIMEOUT;
        ring_enter(io, 1);
    }
}

/* Waits until the deadline; with batch_ns, for wait_count completions so long, and then for one. */
static void enter_until(io_backend *io, uint32_t wait_count, uint64_t deadline_ns, uint64_t batch_ns)
{
    bool forever = deadline_ns == IO_WAIT_FOREVER;
    uint64_t left_ns = forever ? 0 : clock_left_ns(deadline_ns);
    enter_argument argument = { 0 };
    if (batch_ns > 0 && io->min_wait) {
        argument.batch_wait_us = (uint32_t)(batch_ns / NS_PER_US);
    } else if (batch_ns > 0) {
        left_ns = forever ? batch_ns : u64_min(left_ns, batch_ns);
        forever = false;
    }
    if (!forever && !io->ext_arg) {
        enter_with_timeout_entry(io, wait_count, left_ns);
        return;
    }
    struct __kernel_timespec left = time_of(left_ns);
    argument.timeout = forever ? 0 : (uint64_t)(uintptr_t)&left;
    bool plain = forever && argument.batch_wait_us == 0;
    enter(io, wait_count, true, plain ? NULL : &argument);
}

void ring_enter_until(io_backend *io, uint64_t deadline_ns)
{
    if (!io->dead) {
        enter_until(io, 1, deadline_ns, 0);
    }
}

void ring_gather(io_backend *io, uint32_t wait_count, uint64_t deadline_ns, uint64_t batch_ns)
{
    if (!io->dead) {
        enter_until(io, wait_count, deadline_ns, batch_ns);
    }
    if (!io->dead && !io->min_wait && io_uring_cq_ready(&io->ring) == 0) {
        enter_until(io, 1, deadline_ns, 0);
    }
}

#endif
