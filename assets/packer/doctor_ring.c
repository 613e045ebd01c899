/* doctor_ring.c - see doctor_ring.h.
 *
 * The rings are shared memory with the kernel: our tail is stored with release after the entry it covers, the kernel's
 * tail loaded with acquire before the completion it covers. */
#include "doctor_ring.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SQPOLL_IDLE_MS 50u
#define WAIT_SECONDS_MAX 2

static void *map(const doctor_ring *r, size_t size, uint64_t offset)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, (off_t)offset);
    return memory == MAP_FAILED ? NULL : memory;
}

int doctor_ring_open(uint32_t entry_count, uint32_t flags, doctor_ring *r)
{
    *r = (doctor_ring){ .fd = -1 };
    r->params.flags = flags;
    r->params.sq_thread_idle = SQPOLL_IDLE_MS;
    r->params.cq_entries = flags & IORING_SETUP_CQSIZE ? entry_count * 4 : 0;
    r->fd = (int)syscall(SYS_io_uring_setup, entry_count, &r->params);
    if (r->fd < 0) {
        return errno;
    }
    const struct io_uring_params *p = &r->params;
    r->sq_size = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
    r->cq_size = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
    r->entries_size = p->sq_entries * sizeof(struct io_uring_sqe);
    r->sq = map(r, r->sq_size, IORING_OFF_SQ_RING);
    r->cq = map(r, r->cq_size, IORING_OFF_CQ_RING);
    r->entries = map(r, r->entries_size, IORING_OFF_SQES);
    if (r->sq == NULL || r->cq == NULL || r->entries == NULL) {
        int cause = errno;
        doctor_ring_close(r);
        return cause;
    }
    return 0;
}

void doctor_ring_close(doctor_ring *r)
{
    if (r->sq != NULL) {
        munmap(r->sq, r->sq_size);
    }
    if (r->cq != NULL) {
        munmap(r->cq, r->cq_size);
    }
    if (r->entries != NULL) {
        munmap(r->entries, r->entries_size);
    }
    if (r->fd >= 0) {
        close(r->fd);
    }
    *r = (doctor_ring){ .fd = -1 };
}

int doctor_ring_register(const doctor_ring *r, unsigned opcode, void *argument, unsigned count)
{
    return syscall(SYS_io_uring_register, r->fd, opcode, argument, count) < 0 ? errno : 0;
}

/* Makes the kernel take what is queued and waits for one completion. 0 or an errno. */
static int enter(const doctor_ring *r)
{
    bool polled = (r->params.flags & IORING_SETUP_SQPOLL) != 0;
    unsigned flags = IORING_ENTER_GETEVENTS | (polled ? IORING_ENTER_SQ_WAKEUP : 0);
    struct __kernel_timespec limit = { .tv_sec = WAIT_SECONDS_MAX };
    struct io_uring_getevents_arg argument = { .sigmask_sz = _NSIG / 8, .ts = (uint64_t)(uintptr_t)&limit };
    long result;
    if ((r->params.features & IORING_FEAT_EXT_ARG) != 0) {
        result = syscall(SYS_io_uring_enter, r->fd, 1, 1, flags | IORING_ENTER_EXT_ARG, &argument, sizeof(argument));
    } else {
        result = syscall(SYS_io_uring_enter, r->fd, 1, 1, flags, NULL, _NSIG / 8);
    }
    return result < 0 ? errno : 0;
}

static time_t now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

int doctor_ring_do(doctor_ring *r, const struct io_uring_sqe *entry, int32_t *result, uint32_t *flags)
{
    uint32_t *sq_tail = (uint32_t *)(r->sq + r->params.sq_off.tail);
    uint32_t *sq_array = (uint32_t *)(r->sq + r->params.sq_off.array);
    uint32_t sq_mask = *(uint32_t *)(r->sq + r->params.sq_off.ring_mask);
    uint32_t *cq_head = (uint32_t *)(r->cq + r->params.cq_off.head);
    uint32_t *cq_tail = (uint32_t *)(r->cq + r->params.cq_off.tail);
    uint32_t cq_mask = *(uint32_t *)(r->cq + r->params.cq_off.ring_mask);

    uint32_t tail = *sq_tail; /* we alone move it */
    r->entries[tail & sq_mask] = *entry;
    if ((r->params.flags & RING_SETUP_NO_SQARRAY) == 0) {
        sq_array[tail & sq_mask] = tail & sq_mask;
    }
    __atomic_store_n(sq_tail, tail + 1, __ATOMIC_RELEASE);

    /* A polled ring may return without a completion any number of times, while a worker has the read. */
    uint32_t head = *cq_head;
    time_t end = now_s() + WAIT_SECONDS_MAX + 1;
    while (__atomic_load_n(cq_tail, __ATOMIC_ACQUIRE) == head) {
        int cause = enter(r);
        if (cause != 0 && cause != EINTR && cause != EAGAIN) {
            return cause;
        }
        if (now_s() >= end) {
            return ETIME;
        }
        sched_yield();
    }
    const struct io_uring_cqe *cqe = (const struct io_uring_cqe *)(r->cq + r->params.cq_off.cqes) + (head & cq_mask);
    *result = cqe->res;
    if (flags != NULL) {
        *flags = cqe->flags;
    }
    __atomic_store_n(cq_head, head + 1, __ATOMIC_RELEASE);
    return 0;
}
