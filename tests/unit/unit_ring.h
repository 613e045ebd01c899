/* unit_ring.h - a shim between the io_uring backend and the kernel, put there by the linker (--wrap), with no help from
 * the backend: calls fail when a test says so, completions are changed before the backend sees them, and the kernel
 * looks as old as a test wants it.
 *
 * The shim has the one mutable global of the tests: what stands between two libraries cannot be handed a parameter. */
#ifndef LEAT_TEST_UNIT_RING_H
#define LEAT_TEST_UNIT_RING_H

#include "unit_io.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>

#define SHIM_USER_SPECIAL UINT64_C(0xffffffff00000000) /* above: the backend's own, no read's */
#define SHIM_USER_WAKE UINT64_C(0xffffffff00000001)
#define SHIM_USER_NOBODY UINT64_C(0xffffffff00000002) /* of a timeout: the backend looks at nothing but its number */

typedef struct ring_shim {
    struct io_uring *ring;
    uint32_t calls; /* of io_uring_enter */

    /* calls that fail: number fail_first and, `every` being set, each `every`th after it, fail_count in all */
    uint32_t fail_first, fail_every, fail_count;
    int fail_with; /* -errno; the call does not happen */
    bool fail_by_closing; /* close the ring's descriptor before the call instead */
    int replace_with; /* and let this descriptor have its number; -1: none */

    /* completions that are changed: this many of 1,000 */
    uint32_t change_rate;
    int32_t change_to; /* -errno; 1: a short read */
    uint32_t changed;
    uint32_t lose_at; /* this completion of a read is dropped, as by a kernel out of memory; 0: none */
    uint32_t seen; /* completions of reads */
    uint32_t scanned; /* position in the queue */
    uint64_t seed;

    /* an older kernel */
    uint32_t setup_flags_known; /* 0: all */
    uint32_t features_hidden;
    uint64_t opcodes_hidden; /* bit per opcode */
    int setup_fails, files_fail, buffers_fail, workers_fail; /* -errno; 0: they do not */
    int update_gives; /* how many of the files that are put into the table it takes, or -errno; 0: it is asked */
    uint32_t files_max; /* a larger table is refused with EMFILE; 0: any */
    uint64_t buffers_max; /* a larger buffer is refused with ENOMEM; 0: any */
    uint32_t entries_max; /* more entries are refused with ENOMEM; 0: any */
    bool no_multishot, no_threads;
    uint32_t waits_interrupted; /* so many of the next waits for nothing but time end with EINTR */
} ring_shim;

static ring_shim shim;

int __real_io_uring_enter2(unsigned fd, unsigned count, unsigned wait, unsigned flags, sigset_t *sig, size_t size);
int __wrap_io_uring_enter2(unsigned fd, unsigned count, unsigned wait, unsigned flags, sigset_t *sig, size_t size);
int __real_io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p);
int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p);
struct io_uring_probe *__real_io_uring_get_probe_ring(struct io_uring *ring);
struct io_uring_probe *__wrap_io_uring_get_probe_ring(struct io_uring *ring);
int __real_io_uring_register_files(struct io_uring *ring, const int *files, unsigned count);
int __wrap_io_uring_register_files(struct io_uring *ring, const int *files, unsigned count);
int __real_io_uring_register_files_update(struct io_uring *ring, unsigned at, const int *files, unsigned count);
int __wrap_io_uring_register_files_update(struct io_uring *ring, unsigned at, const int *files, unsigned count);
int __real_io_uring_register_buffers(struct io_uring *ring, const struct iovec *buffers, unsigned count);
int __wrap_io_uring_register_buffers(struct io_uring *ring, const struct iovec *buffers, unsigned count);
int __real_io_uring_register_iowq_max_workers(struct io_uring *ring, unsigned int *values);
int __wrap_io_uring_register_iowq_max_workers(struct io_uring *ring, unsigned int *values);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __real_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *sig);
int __wrap_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *sig);

static inline bool shim_call_fails(void)
{
    ++shim.calls;
    if (shim.fail_first == 0 || shim.calls < shim.fail_first || shim.fail_count == 0) {
        return false;
    }
    if ((shim.calls - shim.fail_first) % (shim.fail_every == 0 ? 1 : shim.fail_every) != 0) {
        return false;
    }
    --shim.fail_count;
    return true;
}

static inline void shim_change(struct io_uring_cqe *cqe)
{
    if (cqe->user_data == SHIM_USER_WAKE && shim.no_multishot && (cqe->flags & IORING_CQE_F_MORE)) {
        cqe->res = -EINVAL; /* what 5.12 says to the entry at once, here said at the first wake */
        cqe->flags = 0;
    }
    if (cqe->user_data > SHIM_USER_SPECIAL) {
        return;
    }
    if (++shim.seen == shim.lose_at) {
        cqe->user_data = SHIM_USER_NOBODY;
        __atomic_store_n(shim.ring->cq.koverflow, 1, __ATOMIC_RELAXED);
    } else if (unit_below(&shim.seed, 1000) < shim.change_rate) {
        bool is_short = shim.change_to == 1;
        cqe->res = !is_short        ? shim.change_to
                   : cqe->res > 512 ? (int32_t)align_down((uint64_t)cqe->res / 2, 512)
                                    : cqe->res;
        ++shim.changed;
    }
}

static inline void shim_scan(void)
{
    struct io_uring_cq *cq = &shim.ring->cq;
    uint32_t tail = __atomic_load_n(cq->ktail, __ATOMIC_ACQUIRE);
    for (; shim.scanned != tail; ++shim.scanned) {
        shim_change(&cq->cqes[shim.scanned & cq->ring_mask]);
    }
}

int __wrap_io_uring_enter2(unsigned fd, unsigned count, unsigned wait, unsigned flags, sigset_t *sig, size_t size)
{
    if (shim_call_fails()) {
        if (!shim.fail_by_closing) {
            return shim.fail_with;
        }
        close((int)fd);
        if (shim.replace_with >= 0) {
            assert_int_equal(dup2(shim.replace_with, (int)fd), (int)fd);
        }
        return __real_io_uring_enter2(fd, count, wait, flags, sig, size);
    }
    int result = __real_io_uring_enter2(fd, count, wait, flags, sig, size);
    shim_scan();
    return result;
}

int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
    if (shim.setup_fails != 0) {
        return shim.setup_fails;
    }
    if (shim.setup_flags_known != 0 && (p->flags & ~shim.setup_flags_known) != 0) {
        return -EINVAL;
    }
    if (shim.entries_max > 0 && entries > shim.entries_max) {
        return -ENOMEM;
    }
    int result = __real_io_uring_queue_init_params(entries, ring, p);
    p->features &= ~shim.features_hidden;
    shim.ring = ring;
    shim.scanned = 0;
    return result;
}

struct io_uring_probe *__wrap_io_uring_get_probe_ring(struct io_uring *ring)
{
    struct io_uring_probe *probe = __real_io_uring_get_probe_ring(ring);
    for (uint32_t i = 0; probe != NULL && i < probe->ops_len && i < 64; ++i) {
        if (shim.opcodes_hidden >> i & 1) {
            probe->ops[i].flags = 0;
        }
    }
    return probe;
}

int __wrap_io_uring_register_files(struct io_uring *ring, const int *files, unsigned count)
{
    if (shim.files_fail != 0) {
        return shim.files_fail;
    }
    return shim.files_max > 0 && count > shim.files_max ? -EMFILE : __real_io_uring_register_files(ring, files, count);
}

int __wrap_io_uring_register_files_update(struct io_uring *ring, unsigned at, const int *files, unsigned count)
{
    if (shim.update_gives < 0) {
        return shim.update_gives;
    }
    unsigned taken = shim.update_gives > 0 ? (unsigned)shim.update_gives : count;
    return __real_io_uring_register_files_update(ring, at, files, taken);
}

int __wrap_io_uring_register_buffers(struct io_uring *ring, const struct iovec *buffers, unsigned count)
{
    if (shim.buffers_fail != 0) {
        return shim.buffers_fail;
    }
    bool refused = shim.buffers_max > 0 && buffers[0].iov_len > shim.buffers_max;
    return refused ? -ENOMEM : __real_io_uring_register_buffers(ring, buffers, count);
}

int __wrap_io_uring_register_iowq_max_workers(struct io_uring *ring, unsigned int *values)
{
    return shim.workers_fail != 0 ? shim.workers_fail : __real_io_uring_register_iowq_max_workers(ring, values);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    return shim.no_threads ? EAGAIN : __real_pthread_create(thread, attributes, start, argument);
}

int __wrap_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *sig)
{
    if (shim.waits_interrupted > 0 && count == 1 && fds[0].fd < 0) {
        --shim.waits_interrupted;
        errno = EINTR;
        return -1;
    }
    return __real_ppoll(fds, count, timeout, sig);
}

/* ---- A ring under test ---- */

#define RING_READ_COUNT 300u
#define RING_READ_SIZE 4096u

/* Reads of all kinds that a streamer makes, the bytes checked. Only for shims that change no result. */
static inline void unit_ring_exercise(unit_io *u)
{
    io_read reads[RING_READ_COUNT];
    io_completion completions[RING_READ_COUNT];
    static uint8_t elsewhere[RING_READ_SIZE];
    uint8_t *pool = u->pool.memory;
    uint64_t seed = 5;
    for (uint32_t i = 0; i < RING_READ_COUNT; ++i) {
        uint64_t offset = align_down(unit_below(&seed, UNIT_FILE_SIZE - RING_READ_SIZE), 512);
        bool direct = u->file.fd_direct >= 0 && i % 3 == 0;
        reads[i] = (io_read){ .op = i % 3 == 1 ? IO_OP_READ_PATH : IO_OP_READ,
                              .file = u->file_number,
                              .folder_fd = u->folder_fd,
                              .path = "big",
                              .size = RING_READ_SIZE,
                              .offset = direct ? align_down(offset, RING_READ_SIZE) : offset,
                              .memory = pool + i * RING_READ_SIZE,
                              .flags = direct ? IO_READ_DIRECT : 0,
                              .user_data = i };
    }
    reads[7].memory = elsewhere;
    memset(u->pool.memory, 0xee, RING_READ_COUNT * RING_READ_SIZE);
    memset(elsewhere, 0xee, sizeof(elsewhere));
    unit_io_run(u, reads, RING_READ_COUNT, completions);
    for (uint32_t i = 0; i < RING_READ_COUNT; ++i) {
        assert_int_equal(completions[i].result, RING_READ_SIZE);
        assert_memory_equal(reads[i].memory, u->bytes + reads[i].offset, RING_READ_SIZE);
    }
    io_read missing = {
        .op = IO_OP_READ_PATH, .folder_fd = u->folder_fd, .path = "none", .size = 1, .memory = elsewhere
    };
    assert_int_equal(unit_io_read_one(u, missing).result, -ENOENT);
}

static inline leat_info unit_ring_info(const unit_io *u)
{
    leat_info info = { 0 };
    u->ops->info(u->io, &info);
    return info;
}

static inline io_stats unit_ring_stats(const unit_io *u)
{
    io_stats stats;
    u->ops->stats(u->io, &stats);
    return stats;
}

static inline uint32_t unit_ring_count(const char *text, const char *part)
{
    uint32_t count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        ++count;
    }
    return count;
}

/* Exit code 77, said aloud, where there is no ring to test. */
static inline bool unit_ring_is_there(void)
{
    struct io_uring ring;
    int result = io_uring_queue_init(4, &ring, 0);
    if (result == 0) {
        io_uring_queue_exit(&ring);
    } else {
        printf("skipped: io_uring cannot be had here: %s\n", strerror(-result));
    }
    return result == 0;
}

/* cmocka's set-up and tear-down: a folder; the test opens the ring. */
static inline int unit_ring_setup(void **state)
{
    unit_io *u = calloc(1, sizeof(*u));
    u->backend = LEAT_BACKEND_URING;
    shim = (ring_shim){ .replace_with = -1, .seed = 9 };
    unit_io_make_folder(u);
    *state = u;
    return 0;
}

static inline void unit_ring_open(unit_io *u)
{
    shim.calls = shim.seen = 0;
    u->log[0] = '\0';
    assert_int_equal(unit_io_open(u), LEAT_OK);
}

static inline int unit_ring_teardown(void **state)
{
    unit_io *u = *state;
    if (u->io != NULL) {
        unit_io_close(u);
    }
    shim = (ring_shim){ .replace_with = -1 };
    unit_io_remove_folder(u);
    free(u);
    return 0;
}

#endif
