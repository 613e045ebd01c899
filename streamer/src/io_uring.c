/* io_uring.c - reads through io_uring: one ring, one thread, registered buffer and files.
 *
 * SETUP. The ring is made disabled on the thread of leat_create, so that what the kernel refuses is an error there, and
 * enabled on its first use by the I/O thread, which SINGLE_ISSUER then binds it to. Flags are stripped one after the
 * other where the kernel says EINVAL; memory that cannot be registered is read into as plain memory; each step is a log
 * line. Where no ring can be had at all, open says UNSUPPORTED and why, and the streamer takes threads.
 *
 * STEADY STATE. submit() only fills submission entries; the one io_uring_enter that hands them over is the same that
 * waits for completions. With DEFER_TASKRUN the kernel does its completion work there too, in a batch, and never
 * interrupts the thread. wake() writes to an eventfd that the ring polls, multishot where the kernel can.
 *
 * A read by path is three entries, linked: openat2 into a descriptor that exists in the ring's own table only, read,
 * close. Each slot has its place in that table, so nothing is searched and nothing can be lost. The link to the close
 * is a hard one: a read that fails or comes short does not leave the file open. Where the ring cannot do this, the
 * reserve (io_threads.c) does it.
 *
 * A ring that dies (the kernel answers EBADF or the like) answers every read with -EIO from then on: slow, never stuck.
 */
#include "io.h"

#ifdef LEAT_HAVE_URING

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define USER_WAKE UINT64_MAX /* of the poll on the eventfd; reads use their slot */
#define FIXED_BYTES_MIN MIB(1)
#define IOWQ_WORKERS_MAX 8u
#define LAZY_REAPS_MAX 2u /* reaps after which entries that nobody has waited for are handed over anyway */
#define SETUP_RETRIES_MAX 8u
#define TRIAL_BYTES 4096u
#define CHAIN_LENGTH 3u

/* The completion's user_data: the slot, and which entry of it in the upper half. */
typedef enum chain_entry { ENTRY_READ = 0, ENTRY_OPEN = 1, ENTRY_CLOSE = 2 } chain_entry;

typedef struct ring_slot {
    io_read item;
    uint32_t next_free;
    uint32_t entries_out; /* submitted and not completed */
    int32_t results[CHAIN_LENGTH]; /* by chain_entry */
    bool busy, in_reserve;
} ring_slot;

struct io_backend {
    memory *memory;
    const leat_logger *log;
    const leat_desc *desc;
    uint8_t *pool;
    uint64_t pool_size;
    struct io_uring ring;
    struct io_uring_params params;
    bool ring_made, enabled, dead;
    bool iopoll, iopoll_tried;
    bool fixed_files;
    bool chains; /* reads by path can be chained */
    io_backend *reserve; /* for what the ring cannot do */
    uint32_t reserve_outstanding;
    struct open_how chain_how;
    uint64_t fixed_size; /* the first bytes of the pool that are registered */
    int event_fd;
    bool poll_armed, poll_oneshot;
    uint32_t file_count_max;
    io_file_desc *files; /* fd_buffered -1: free */
    uint32_t slot_count;
    ring_slot *slots;
    uint32_t slot_free;
    uint32_t outstanding; /* reads given to the ring */
    uint32_t lazy_reaps; /* since entries were filled */
    uint32_t dead_scan; /* next slot to answer for, once dead */
    io_stats stats;
    _Atomic uint64_t wake_calls;
};

/* ---- Setup ---- */

typedef struct setup_step {
    uint32_t flags;
    const char *text;
} setup_step;

static leat_result refused(int cause, leat_error *error)
{
    const char *why = cause == EPERM    ? "forbidden here (seccomp, as in Docker, or kernel.io_uring_disabled)"
                      : cause == ENOSYS ? "not in this kernel (or hidden by seccomp)"
                      : cause == EACCES ? "forbidden by a security module"
                      : cause == ENOMEM ? "refused for lack of locked memory (RLIMIT_MEMLOCK)"
                                        : strerror(cause);
    return error_set(error, LEAT_ERROR_UNSUPPORTED, cause, "io_uring is %s", why);
}

/* One attempt at a time: the flags wanted, fewer on EINVAL, fewer entries on ENOMEM. 0 or an errno. */
static int make_ring(io_backend *io)
{
    const leat_uring_desc *d = &io->desc->uring;
    bool sqpoll = d->sqpoll == LEAT_ON;
    uint32_t base = IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED | (sqpoll ? IORING_SETUP_SQPOLL : 0u) |
                    (io->iopoll ? IORING_SETUP_IOPOLL : 0u);
    setup_step steps[5];
    uint32_t count = 0;
    if (d->defer_taskrun != LEAT_OFF && !sqpoll) { /* the kernel refuses both together */
        steps[count++] =
            (setup_step){ IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
                          "DEFER_TASKRUN" };
    }
    if (d->coop_taskrun != LEAT_OFF && !sqpoll) {
        steps[count++] = (setup_step){ IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, "COOP_TASKRUN" };
    }
    steps[count++] = (setup_step){ 0, NULL };
    uint32_t entries = d->entries;
    int cause = 0;
    for (uint32_t i = 0, tries = 0; i < count && tries < SETUP_RETRIES_MAX; ++tries) {
        io->params = (struct io_uring_params){ .flags = base | steps[i].flags, .sq_thread_idle = d->sqpoll_idle_ms };
        cause = -io_uring_queue_init_params(entries, &io->ring, &io->params);
        if (cause == 0) {
            io->ring_made = true;
            return 0;
        }
        if (cause == ENOMEM && entries > 16) {
            entries /= 2;
        } else if (cause == EINVAL && steps[i].text != NULL) {
            log_line(io->log, LEAT_LOG_INFO, "io_uring: this kernel has no %s", steps[i].text);
            ++i;
        } else {
            break;
        }
    }
    return cause;
}

/* As much of the pool as the limit on locked memory allows, halving; the rest is read into as plain memory. */
static void register_pool(io_backend *io)
{
    io->fixed_size = 0;
    if (io->desc->uring.fixed_buffers == LEAT_OFF || io->pool_size == 0) {
        return;
    }
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_MEMLOCK, &limit); /* the process's own soft limit, up to what it is allowed */
    }
    for (uint64_t size = io->pool_size; size >= FIXED_BYTES_MIN; size /= 2) {
        struct iovec all = { .iov_base = io->pool, .iov_len = size };
        int result = io_uring_register_buffers(&io->ring, &all, 1);
        if (result == 0) {
            io->fixed_size = size;
            if (size < io->pool_size) {
                log_line(io->log, LEAT_LOG_WARNING,
                         "io_uring: only %llu of %llu bytes of the pool could be registered; raise RLIMIT_MEMLOCK",
                         (unsigned long long)size, (unsigned long long)io->pool_size);
            }
            return;
        }
        if (result != -ENOMEM) {
            log_line(io->log, LEAT_LOG_INFO, "io_uring: buffers cannot be registered (%s)", strerror(-result));
            return;
        }
    }
    log_line(io->log, LEAT_LOG_WARNING, "io_uring: no part of the pool could be registered; raise RLIMIT_MEMLOCK");
}

/* Can the ring open into its own table, and find there in a later link what an earlier one has opened (5.17)? */
static bool can_chain(io_backend *io)
{
    if (io->iopoll || !(io->params.features & IORING_FEAT_LINKED_FILE) || io->params.sq_entries < CHAIN_LENGTH) {
        return false;
    }
    struct io_uring_probe *probe = io_uring_get_probe_ring(&io->ring);
    bool can = probe != NULL && io_uring_opcode_supported(probe, IORING_OP_OPENAT2) &&
               io_uring_opcode_supported(probe, IORING_OP_READ) && io_uring_opcode_supported(probe, IORING_OP_CLOSE);
    io_uring_free_probe(probe);
    return can;
}

/* Two places for each file, buffered and direct, and one for each slot: there, reads by path keep their file. */
static void register_files(io_backend *io)
{
    io->fixed_files = io->chains = false;
    if (io->desc->uring.fixed_files == LEAT_OFF) {
        return;
    }
    uint32_t own = io->file_count_max * 2;
    uint32_t count = own + io->slot_count;
    int *fds = malloc(count * sizeof(*fds));
    if (fds == NULL) {
        return;
    }
    for (uint32_t i = 0; i < count; ++i) {
        const io_file_desc *file = &io->files[u32_min(i, own - 1) / 2];
        fds[i] = i >= own || file->fd_buffered < 0 ? -1 : i % 2 == 0 ? file->fd_buffered : file->fd_direct;
    }
    int result = io_uring_register_files(&io->ring, fds, count);
    io->chains = result == 0 && can_chain(io);
    if (result == -EMFILE) { /* the table may not be larger than RLIMIT_NOFILE */
        result = io_uring_register_files(&io->ring, fds, own);
    }
    free(fds);
    io->fixed_files = result == 0;
    if (result != 0) {
        log_line(io->log, LEAT_LOG_INFO, "io_uring: files cannot be registered (%s)", strerror(-result));
    }
}

/* A ring with all that belongs to it. 0 or an errno. */
static int build_ring(io_backend *io)
{
    int cause = make_ring(io);
    if (cause != 0) {
        return cause;
    }
    io->enabled = false;
    io->poll_armed = false;
    io_uring_ring_dontfork(&io->ring);
    unsigned int workers[2] = { IOWQ_WORKERS_MAX, IOWQ_WORKERS_MAX };
    io_uring_register_iowq_max_workers(&io->ring, workers); /* 5.15; a default limit serves as well */
    register_pool(io);
    register_files(io);
    return 0;
}

static void drop_ring(io_backend *io)
{
    if (io->ring_made) {
        io_uring_queue_exit(&io->ring); /* the kernel unregisters what was registered */
        io->ring_made = false;
    }
}

static void uring_close(io_backend *io)
{
    memory *m = io->memory;
    drop_ring(io);
    if (io->reserve != NULL) {
        io_threads_ops.close(io->reserve);
    }
    if (io->event_fd >= 0) {
        close(io->event_fd);
    }
    memory_free(m, io->slots, io->slot_count, sizeof(*io->slots));
    memory_free(m, io->files, io->file_count_max, sizeof(*io->files));
    memory_free(m, io, 1, sizeof(*io));
}

static leat_result uring_open(const io_desc *desc, io_backend **out, leat_error *error)
{
    *out = NULL;
    memory *m = desc->memory;
    io_backend *io = memory_allocate(m, 1, sizeof(*io), CACHE_LINE_SIZE);
    if (io == NULL) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "no memory for io_uring");
    }
    io->memory = m;
    io->log = desc->log;
    io->desc = desc->desc;
    io->pool = desc->pool;
    io->pool_size = desc->pool_size;
    io->iopoll = desc->desc->uring.iopoll == LEAT_ON;
    io->file_count_max = desc->file_count_max;
    io->slot_count = desc->read_count_max;
    /* A descriptor of the ring's table has no flag that an exec would look at: O_CLOEXEC is refused there. */
    io->chain_how = (struct open_how){ .flags = FILE_BENEATH_FLAGS & ~O_CLOEXEC, .resolve = FILE_BENEATH_RESOLVE };
    io->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    io->files = memory_allocate(m, io->file_count_max, sizeof(*io->files), CACHE_LINE_SIZE);
    io->slots = memory_allocate(m, io->slot_count, sizeof(*io->slots), CACHE_LINE_SIZE);
    if (io->event_fd < 0 || io->files == NULL || io->slots == NULL) {
        uring_close(io);
        return error_set(error, LEAT_ERROR_MEMORY, 0, "no memory or descriptor for io_uring");
    }
    io_desc reserve = *desc;
    reserve.reserve = true;
    reserve.reserve_event_fd = io->event_fd;
    leat_result result = io_threads_ops.open(&reserve, &io->reserve, error);
    if (result != LEAT_OK) {
        uring_close(io);
        return result;
    }
    for (uint32_t i = 0; i < io->file_count_max; ++i) {
        io->files[i].fd_buffered = -1;
    }
    for (uint32_t i = 0; i < io->slot_count; ++i) {
        io->slots[i].next_free = i + 1; /* slot_count ends the list */
    }
    int cause = build_ring(io);
    if (cause == EINVAL && io->iopoll) {
        log_line(io->log, LEAT_LOG_INFO, "io_uring: this kernel has no IOPOLL");
        io->iopoll = false;
        cause = build_ring(io);
    }
    if (cause != 0) {
        uring_close(io);
        return refused(cause, error);
    }
    *out = io;
    return LEAT_OK;
}

/* ---- The ring ---- */

static void ring_died(io_backend *io, int cause)
{
    if (!io->dead) {
        log_line(io->log, LEAT_LOG_ERROR, "io_uring: the ring does not work any more (%s); reads fail from now on",
                 strerror(cause));
    }
    io->dead = true;
    io->dead_scan = 0;
}

/* EINTR, EAGAIN and EBUSY leave the entries in the queue, where the next call finds them. */
static void note_result(io_backend *io, int result)
{
    if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY && result != -ETIME) {
        ring_died(io, -result);
    }
}

static struct io_uring_sqe *take_sqe(io_backend *io)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);
    if (sqe == NULL) { /* the submission queue is full: hand it over */
        ++io->stats.submit_calls;
        note_result(io, io_uring_submit(&io->ring));
        sqe = io->dead ? NULL : io_uring_get_sqe(&io->ring);
    }
    return sqe;
}

/* Polled rings cannot poll an eventfd: there, wait() looks at it itself. */
static void arm_wake(io_backend *io)
{
    if (io->poll_armed || io->iopoll || io->dead) {
        return;
    }
    struct io_uring_sqe *sqe = take_sqe(io);
    if (sqe == NULL) {
        return;
    }
    io_uring_prep_poll_multishot(sqe, io->event_fd, POLLIN);
    if (io->poll_oneshot) {
        io_uring_prep_poll_add(sqe, io->event_fd, POLLIN);
    }
    sqe->user_data = USER_WAKE;
    io->poll_armed = true;
}

static void ensure_enabled(io_backend *io)
{
    if (io->enabled || io->dead) {
        return;
    }
    io->enabled = true;
    /* io_uring_enable_rings() is declared by liburing 2.3, but not exported by its shared library. */
    if (syscall(__NR_io_uring_register, io->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0) {
        ring_died(io, errno);
    }
    arm_wake(io);
}

static void drain_event_fd(io_backend *io)
{
    uint64_t value;
    ++io->stats.wait_calls;
    if (read(io->event_fd, &value, sizeof(value)) < 0) {
        value = 0; /* EAGAIN: taken already */
    }
}

static void handle_wake(io_backend *io, const struct io_uring_cqe *cqe)
{
    if (cqe->res == -EINVAL && !io->poll_oneshot) {
        io->poll_oneshot = true; /* before 5.13 */
    } else {
        drain_event_fd(io);
    }
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        io->poll_armed = false;
        arm_wake(io);
    }
}

/* ---- Files ---- */

/* Setup with IOPOLL succeeds everywhere; only a read tells whether the device has queues to poll. */
static bool trial_read(io_backend *io, const io_file_desc *file)
{
    if (file->fd_direct < 0) {
        return false;
    }
    struct io_uring_sqe *sqe = take_sqe(io);
    if (sqe == NULL) {
        return false;
    }
    io_uring_prep_read(sqe, file->fd_direct, io->pool, TRIAL_BYTES, 0);
    struct io_uring_cqe *cqe;
    ++io->stats.submit_calls;
    if (io_uring_submit_and_wait(&io->ring, 1) < 0 || io_uring_wait_cqe(&io->ring, &cqe) < 0) {
        return false;
    }
    int result = cqe->res;
    io_uring_cqe_seen(&io->ring, cqe);
    return result > 0;
}

static void try_iopoll(io_backend *io, const io_file_desc *file)
{
    if (!io->iopoll || io->iopoll_tried || io->outstanding > 0) {
        return;
    }
    io->iopoll_tried = true;
    if (trial_read(io, file)) {
        return;
    }
    log_line(io->log, LEAT_LOG_INFO, "io_uring: this device has no queues to poll; reading with interrupts");
    io->iopoll = false;
    drop_ring(io);
    int cause = build_ring(io);
    if (cause != 0) {
        ring_died(io, cause);
    }
    ensure_enabled(io);
}

static uint32_t uring_file_add(io_backend *io, const io_file_desc *file)
{
    ensure_enabled(io);
    try_iopoll(io, file);
    for (uint32_t i = 0; i < io->file_count_max; ++i) {
        if (io->files[i].fd_buffered >= 0) {
            continue;
        }
        io->files[i] = *file;
        uint32_t twin = io_threads_ops.file_add(io->reserve, file);
        ASSERT(twin == i); /* both take the first that is free */
        int fds[2] = { file->fd_buffered, file->fd_direct };
        if (io->fixed_files && io_uring_register_files_update(&io->ring, i * 2, fds, 2) < 0) {
            log_line(io->log, LEAT_LOG_INFO, "io_uring: a file cannot be registered; using descriptors");
            io->fixed_files = false;
        }
        return i;
    }
    return IO_FILE_NONE;
}

static void uring_file_remove(io_backend *io, uint32_t file)
{
    io->files[file].fd_buffered = -1;
    io_threads_ops.file_remove(io->reserve, file);
    int none[2] = { -1, -1 };
    if (io->fixed_files && !io->dead) {
        io_uring_register_files_update(&io->ring, file * 2, none, 2);
    }
}

/* ---- Reads ---- */

/* Into the registered buffer where the memory is part of it. */
static void prepare_read(const io_backend *io, struct io_uring_sqe *sqe, int fd, const io_read *item)
{
    uint64_t offset = (uint64_t)((uint8_t *)item->memory - io->pool);
    if (offset < io->fixed_size && item->size <= io->fixed_size - offset) {
        io_uring_prep_read_fixed(sqe, fd, item->memory, item->size, item->offset, 0);
    } else {
        io_uring_prep_read(sqe, fd, item->memory, item->size, item->offset);
    }
}

static void mark(struct io_uring_sqe *sqe, uint32_t slot, chain_entry entry, uint32_t flags)
{
    sqe->user_data = (uint64_t)entry << 32 | slot;
    sqe->flags |= (uint8_t)flags;
}

static bool fill_read(io_backend *io, uint32_t slot)
{
    const io_read *item = &io->slots[slot].item;
    struct io_uring_sqe *sqe = take_sqe(io);
    if (sqe == NULL) {
        return false;
    }
    bool direct = (item->flags & IO_READ_DIRECT) != 0;
    const io_file_desc *file = &io->files[item->file];
    int fd = io->fixed_files ? (int)(item->file * 2 + direct) : direct ? file->fd_direct : file->fd_buffered;
    prepare_read(io, sqe, fd, item);
    sqe->rw_flags = item->flags & IO_READ_NOWAIT ? RWF_NOWAIT : 0;
    mark(sqe, slot, ENTRY_READ, io->fixed_files ? IOSQE_FIXED_FILE : 0);
    io->slots[slot].entries_out = 1;
    return true;
}

static uint32_t chain_place(const io_backend *io, uint32_t slot)
{
    return io->file_count_max * 2 + slot;
}

/* A chain must go out whole: one that is cut by a submission loses its links. */
static bool fill_chain(io_backend *io, uint32_t slot)
{
    const io_read *item = &io->slots[slot].item;
    if (io_uring_sq_space_left(&io->ring) < CHAIN_LENGTH) {
        ++io->stats.submit_calls;
        note_result(io, io_uring_submit(&io->ring));
        if (io->dead || io_uring_sq_space_left(&io->ring) < CHAIN_LENGTH) {
            return false;
        }
    }
    uint32_t place = chain_place(io, slot);
    struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);
    io_uring_prep_openat2_direct(sqe, item->folder_fd, item->path, &io->chain_how, place);
    mark(sqe, slot, ENTRY_OPEN, IOSQE_IO_LINK);
    sqe = io_uring_get_sqe(&io->ring);
    prepare_read(io, sqe, (int)place, item);
    mark(sqe, slot, ENTRY_READ, IOSQE_FIXED_FILE | IOSQE_IO_HARDLINK);
    sqe = io_uring_get_sqe(&io->ring);
    io_uring_prep_close_direct(sqe, place);
    mark(sqe, slot, ENTRY_CLOSE, 0);
    io->slots[slot].entries_out = CHAIN_LENGTH;
    return true;
}

static void to_reserve(io_backend *io, uint32_t slot)
{
    io_read item = io->slots[slot].item;
    item.user_data = slot;
    io->slots[slot].in_reserve = true;
    io_threads_ops.submit(io->reserve, &item, 1, 0);
    ++io->reserve_outstanding;
}

/* False if the ring has no room now. */
static bool start_slot(io_backend *io, uint32_t slot)
{
    io->slots[slot].entries_out = 0;
    if (io->dead) {
        return true; /* reap answers */
    }
    if (io->slots[slot].item.op == IO_OP_READ) {
        return fill_read(io, slot) || io->dead;
    }
    if (io->chains) {
        return fill_chain(io, slot) || io->dead;
    }
    to_reserve(io, slot);
    return true;
}

static uint32_t uring_submit(io_backend *io, const io_read *reads, uint32_t count, uint64_t now_ns)
{
    (void)now_ns;
    ensure_enabled(io);
    uint32_t taken = 0;
    while (taken < count && io->slot_free < io->slot_count) {
        uint32_t slot = io->slot_free;
        io->slots[slot].item = reads[taken];
        if (!start_slot(io, slot)) {
            break; /* the kernel is busy: reap first */
        }
        io->slot_free = io->slots[slot].next_free;
        io->slots[slot].busy = true;
        ++io->outstanding;
        ++taken;
    }
    io->lazy_reaps = 0;
    return taken;
}

static void slot_end(io_backend *io, uint32_t slot, int32_t result, io_step failed, io_completion *completion)
{
    ASSERT(slot < io->slot_count && io->slots[slot].busy);
    *completion = (io_completion){ .user_data = io->slots[slot].item.user_data, .result = result, .failed = failed };
    io->slots[slot].busy = io->slots[slot].in_reserve = false;
    io->slots[slot].next_free = io->slot_free;
    io->slot_free = slot;
    --io->outstanding;
}

/* The place of a file that the chain has opened but not closed is freed by hand. */
static void chain_clean(io_backend *io, uint32_t slot)
{
    const int32_t *results = io->slots[slot].results;
    if (results[ENTRY_OPEN] >= 0 && results[ENTRY_CLOSE] < 0) {
        int none = -1;
        io_uring_register_files_update(&io->ring, chain_place(io, slot), &none, 1);
    }
}

/* One entry of a slot has completed. True if the read is over. */
static bool entry_completed(io_backend *io, const struct io_uring_cqe *cqe, io_completion *completion)
{
    uint32_t slot = (uint32_t)cqe->user_data;
    chain_entry entry = (chain_entry)(cqe->user_data >> 32);
    ASSERT(slot < io->slot_count && io->slots[slot].busy && entry < CHAIN_LENGTH);
    ring_slot *s = &io->slots[slot];
    s->results[entry] = cqe->res;
    if (--s->entries_out > 0) {
        return false;
    }
    int32_t result = s->results[ENTRY_READ];
    io_step failed = result < 0 ? IO_STEP_READ : IO_STEP_NONE;
    if (s->item.op == IO_OP_READ_PATH) {
        chain_clean(io, slot);
        int32_t opened = s->results[ENTRY_OPEN];
        if (opened == -EINVAL) { /* what this kernel's openat2 does not take, the C library's open will */
            io->chains = false;
            to_reserve(io, slot);
            return false;
        }
        result = opened < 0 ? opened : result;
        failed = opened < 0 ? IO_STEP_OPEN : failed;
    }
    slot_end(io, slot, result, failed, completion);
    return true;
}

static uint32_t reap_reserve(io_backend *io, io_completion *completions, uint32_t count)
{
    uint32_t taken = 0;
    if (io->reserve_outstanding > 0) {
        taken = io_threads_ops.reap(io->reserve, completions, count, 0);
    }
    for (uint32_t i = 0; i < taken; ++i) {
        slot_end(io, (uint32_t)completions[i].user_data, completions[i].result, completions[i].failed, &completions[i]);
    }
    io->reserve_outstanding -= taken;
    return taken;
}

static uint32_t reap_dead(io_backend *io, io_completion *completions, uint32_t count)
{
    uint32_t taken = 0;
    for (; io->dead_scan < io->slot_count && taken < count; ++io->dead_scan) {
        if (io->slots[io->dead_scan].busy && !io->slots[io->dead_scan].in_reserve) {
            slot_end(io, io->dead_scan, -EIO, IO_STEP_READ, &completions[taken++]);
        }
    }
    if (io->dead_scan == io->slot_count) {
        io->dead_scan = 0;
    }
    return taken;
}

static uint32_t take_completions(io_backend *io, io_completion *completions, uint32_t count)
{
    uint32_t taken = 0;
    unsigned head;
    unsigned seen = 0;
    struct io_uring_cqe *cqe;
    io_uring_for_each_cqe(&io->ring, head, cqe)
    {
        if (taken == count) {
            break;
        }
        ++seen;
        if (cqe->user_data == USER_WAKE) {
            handle_wake(io, cqe);
        } else {
            taken += entry_completed(io, cqe, &completions[taken]);
        }
    }
    io_uring_cq_advance(&io->ring, seen);
    return taken;
}

static uint32_t sq_flags(const io_backend *io)
{
    return IO_URING_READ_ONCE(*io->ring.sq.kflags);
}

static uint32_t uring_reap(io_backend *io, io_completion *completions, uint32_t count, uint64_t now_ns)
{
    (void)now_ns;
    ensure_enabled(io);
    if (io->dead) {
        uint32_t answered = reap_dead(io, completions, count);
        return answered + reap_reserve(io, completions + answered, count - answered);
    }
    if (io_uring_sq_ready(&io->ring) > 0 && io->lazy_reaps++ >= LAZY_REAPS_MAX) {
        ++io->stats.submit_calls;
        note_result(io, io_uring_submit(&io->ring));
    }
    uint32_t taken = take_completions(io, completions, count);
    /* The kernel says when it has completions that only an enter will bring: deferred work, or an overflow. */
    if (taken == 0 && (sq_flags(io) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW))) {
        io->stats.cq_overflows += (sq_flags(io) & IORING_SQ_CQ_OVERFLOW) ? 1 : 0;
        ++io->stats.wait_calls;
        note_result(io, io_uring_get_events(&io->ring));
        taken = take_completions(io, completions, count);
    }
    taken += reap_reserve(io, completions + taken, count - taken);
    io->stats.cq_ready = io_uring_cq_ready(&io->ring);
    io->stats.sq_ready = io_uring_sq_ready(&io->ring);
    io->stats.sq_space = io_uring_sq_space_left(&io->ring);
    return taken;
}

static struct __kernel_timespec time_left(uint64_t deadline_ns)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t now_ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
    uint64_t ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    return (struct __kernel_timespec){ .tv_sec = (long long)(ns / NS_PER_S), .tv_nsec = (long long)(ns % NS_PER_S) };
}

/* A polled ring is asked while reads are out, and sleeps on the eventfd when none is; so does a dead one. */
static void wait_polled(io_backend *io, uint64_t deadline_ns)
{
    if (io->outstanding > io->reserve_outstanding) {
        if (!io->dead) {
            ++io->stats.wait_calls;
            note_result(io, io_uring_submit_and_wait(&io->ring, 1));
        }
        return;
    }
    struct __kernel_timespec left = time_left(deadline_ns);
    struct timespec timeout = { .tv_sec = (time_t)left.tv_sec, .tv_nsec = (long)left.tv_nsec };
    struct pollfd wait_for = { .fd = io->event_fd, .events = POLLIN };
    if (ppoll(&wait_for, 1, deadline_ns == IO_WAIT_FOREVER ? NULL : &timeout, NULL) > 0) {
        drain_event_fd(io);
    }
}

static void uring_wait(io_backend *io, uint64_t deadline_ns)
{
    ensure_enabled(io);
    if (io->dead || io->iopoll) {
        wait_polled(io, deadline_ns);
        return;
    }
    arm_wake(io);
    if (io_uring_cq_ready(&io->ring) > 0 && io_uring_sq_ready(&io->ring) == 0) {
        return;
    }
    io->lazy_reaps = 0;
    ++io->stats.wait_calls;
    if (deadline_ns == IO_WAIT_FOREVER) {
        note_result(io, io_uring_submit_and_wait(&io->ring, 1));
    } else {
        struct __kernel_timespec left = time_left(deadline_ns);
        struct io_uring_cqe *cqe;
        note_result(io, io_uring_submit_and_wait_timeout(&io->ring, &cqe, 1, &left, NULL));
    }
}

static void uring_wake(io_backend *io)
{
    uint64_t one = 1;
    atomic_fetch_add_explicit(&io->wake_calls, 1, memory_order_relaxed);
    while (write(io->event_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

static void uring_stats(const io_backend *io, io_stats *stats)
{
    *stats = io->stats;
    stats->wake_calls = atomic_load_explicit(&io->wake_calls, memory_order_relaxed);
}

static void uring_info(const io_backend *io, leat_info *info)
{
    info->uring_features = io->params.features;
    info->uring_setup_flags = io->params.flags & ~IORING_SETUP_R_DISABLED;
    info->fixed_buffers = io->fixed_size > 0;
    info->fixed_files = io->fixed_files;
    info->sqpoll = (io->params.flags & IORING_SETUP_SQPOLL) != 0;
    info->iopoll = io->iopoll;
    info->defer_taskrun = (io->params.flags & IORING_SETUP_DEFER_TASKRUN) != 0;
}

const io_ops io_uring_ops = {
    .open = uring_open,
    .file_add = uring_file_add,
    .file_remove = uring_file_remove,
    .submit = uring_submit,
    .reap = uring_reap,
    .wait = uring_wait,
    .wake = uring_wake,
    .next_completion_ns = NULL,
    .stats = uring_stats,
    .info = uring_info,
    .close = uring_close,
};

#else

static leat_result uring_open(const io_desc *desc, io_backend **out, leat_error *error)
{
    (void)desc;
    *out = NULL;
    return error_set(error, LEAT_ERROR_UNSUPPORTED, 0, "this build of Leat has no io_uring (liburing was not there)");
}

const io_ops io_uring_ops = { .open = uring_open };

#endif
