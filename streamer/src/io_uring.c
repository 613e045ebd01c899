/* io_uring.c - reads through io_uring: one ring, one thread.
 *
 * SETUP (uring_setup.c). The ring is made disabled on the thread of leat_create, so that what the kernel refuses is an
 * error there, and enabled on its first use by the I/O thread, which SINGLE_ISSUER then binds it to. Where no ring can
 * be had at all, open says UNSUPPORTED and why, and the streamer takes threads. MODES.md has the table of what is asked
 * for.
 *
 * STEADY STATE. submit() only fills entries; the one io_uring_enter that hands them over is the same that waits for
 * completions. With DEFER_TASKRUN the kernel does its completion work there too, in a batch, and never interrupts the
 * thread. wake() writes to an eventfd that the ring polls, multishot where the kernel can.
 *
 * SQPOLL. A kernel thread takes entries as soon as they are visible, and while reads are out this thread looks for
 * their completions without a system call, until nothing has come for sqpoll_idle_ms. wake() then only sets a flag.
 *
 * IOPOLL. A polled ring takes direct reads of devices with queues to poll; the first such file is read once to see
 * whether that is so, and where it is not, the ring is made anew without. Buffered reads go to the reserve.
 *
 * A ring that dies midway: uring_rescue.c. */
#include "io.h"

#ifdef LEAT_HAVE_URING

#include "uring.h"

#include "clock.h"
#include "event_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define LAZY_REAPS_MAX 2u /* reaps after which the kernel is entered although nobody has waited */
#define TRIAL_BYTES 4096u
#define TRIAL_WAITS_MAX 100u
#define SPINS_PER_CLOCK 256u
#define GATHER_LEFT_SHARE                                                                                              \
    3u /* one in so many reads may still be out when the thread goes on: it keeps the device busy */
#define BUSY_PAUSE_NS NS_PER_MS /* after EAGAIN or EBUSY: until the kernel has memory again */
#define READ_DONT_CACHE 0x00000080 /* RWF_DONTCACHE, Linux 6.14; newer than the headers of Debian 12 */

/* ---- Open and close ---- */

static void uring_close(io_backend *io)
{
    memory *m = io->memory;
    ring_drop(io);
    if (io->reserve != NULL) {
        io_threads_ops.close(io->reserve);
    }
    if (io->event_fd >= 0) {
        close(io->event_fd);
    }
    pthread_mutex_destroy(&io->lock);
    memory_free(m, io->trial, 1, TRIAL_BYTES);
    memory_free(m, io->table, io->table_size, sizeof(*io->table));
    memory_free(m, io->slots, io->slot_count, sizeof(*io->slots));
    memory_free(m, io->files, io->file_count_max, sizeof(*io->files));
    memory_free(m, io, 1, sizeof(*io));
}

static bool allocate_all(io_backend *io)
{
    memory *m = io->memory;
    io->files = memory_allocate(m, io->file_count_max, sizeof(*io->files), CACHE_LINE_SIZE);
    io->slots = memory_allocate(m, io->slot_count, sizeof(*io->slots), CACHE_LINE_SIZE);
    io->table = memory_allocate(m, io->table_size, sizeof(*io->table), CACHE_LINE_SIZE);
    io->trial = memory_allocate(m, 1, TRIAL_BYTES, TRIAL_BYTES);
    io->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (io->files == NULL || io->slots == NULL || io->table == NULL || io->trial == NULL || io->event_fd < 0) {
        return false;
    }
    for (uint32_t i = 0; i < io->file_count_max; ++i) {
        io->files[i].fds.fd_buffered = -1;
    }
    for (uint32_t i = 0; i < io->slot_count; ++i) {
        io->slots[i].next_free = i + 1; /* slot_count ends the list */
    }
    return true;
}

static leat_result uring_open(const io_desc *desc, io_backend **out, leat_error *error)
{
    *out = NULL;
    io_backend *io = memory_allocate(desc->memory, 1, sizeof(*io), CACHE_LINE_SIZE);
    if (io == NULL) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "no memory for io_uring");
    }
    io->memory = desc->memory;
    io->log = desc->log;
    io->desc = &desc->desc->uring;
    io->pool = desc->pool;
    io->pool_size = desc->pool_size;
    io->iopoll = io_mode_asked(io->desc, LEAT_MODE_IOPOLL);
    io->file_count_max = desc->file_count_max;
    io->slot_count = desc->read_count_max;
    io->table_size = io->file_count_max * 2 + io->slot_count + 1;
    io->end_fd = -1;
    atomic_init(&io->asleep, true);
    pthread_mutex_init(&io->lock, NULL);
    io->chain_how = (struct open_how){ .flags = CHAIN_OPEN_FLAGS, .resolve = FILE_BENEATH_RESOLVE };
    if (!allocate_all(io)) {
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
    int cause = ring_build(io);
    if (cause != 0) {
        uring_close(io);
        return error_set(error, LEAT_ERROR_UNSUPPORTED, cause, "io_uring is %s", ring_refusal(cause));
    }
    *out = io;
    return LEAT_OK;
}

/* ---- Waking ---- */

/* Polled rings cannot poll an eventfd: there, wait() looks at it itself. */
static void arm_wake(io_backend *io)
{
    if (io->poll_armed || io->iopoll || io->dead) {
        return;
    }
    struct io_uring_sqe *sqe = entry_take(io);
    if (sqe == NULL) {
        return;
    }
    if (io->multishot) {
        io_uring_prep_poll_multishot(sqe, io->event_fd, POLLIN);
    } else {
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
    io->event_fd_full = false;
    if (read(io->event_fd, &value, sizeof(value)) < 0) {
        value = 0; /* EAGAIN: taken already */
    }
}

static void handle_wake(io_backend *io, const struct io_uring_cqe *cqe)
{
    if (cqe->res == -EINVAL && io->multishot) {
        io->multishot = false;
        mode_set(io, LEAT_MODE_MULTISHOT_POLL, "not in this kernel (5.13 has it)");
    } else if (cqe->res >= 0 && (cqe->flags & IORING_CQE_F_MORE)) {
        io->event_fd_full = !io->event_fd_read; /* at worst a guess: who sleeps on it looks again */
        io->event_fd_read = false;
    } else if (cqe->res >= 0) {
        drain_event_fd(io);
    }
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        io->poll_armed = false;
        arm_wake(io);
    }
}

static bool uring_wake(io_backend *io)
{
    /* Sequentially consistent on both sides (spin): either it sees the flag, or we see that it looks at the eventfd. */
    atomic_store_explicit(&io->woken, true, memory_order_seq_cst);
    return !atomic_load_explicit(&io->asleep, memory_order_seq_cst) || event_fd_signal(io->event_fd);
}

/* ---- Files ---- */

/* Setup with IOPOLL succeeds everywhere; only a read tells whether the device has queues to poll. */
static int trial_read(io_backend *io, const io_file_desc *file)
{
    struct io_uring_sqe *sqe = entry_take(io);
    if (sqe == NULL) {
        return -EBUSY;
    }
    io_uring_prep_read(sqe, file->fd_direct, io->trial, TRIAL_BYTES, 0);
    sqe->user_data = USER_TRIAL;
    for (uint32_t i = 0; i < TRIAL_WAITS_MAX && !io->dead; ++i) {
        struct io_uring_cqe *cqe = NULL;
        ring_enter(io, 1);
        if (!io->dead && io_uring_peek_cqe(&io->ring, &cqe) == 0 && cqe != NULL) {
            int result = cqe->res;
            io_uring_cqe_seen(&io->ring, cqe);
            return result;
        }
    }
    return -EIO;
}

static void try_iopoll(io_backend *io, const io_file_desc *file)
{
    if (!io->iopoll || io->iopoll_tried || io->outstanding > 0 || file->fd_direct < 0 || file->size == 0) {
        return;
    }
    int result = trial_read(io, file);
    if (io->dead) {
        return;
    }
    io->iopoll_tried = true;
    if (result > 0) {
        mode_set(io, LEAT_MODE_IOPOLL, NULL);
        return;
    }
    char why[100] = "the device has no queues to poll (a trial read was refused)";
    if (result != -EOPNOTSUPP && result != -EINVAL) {
        snprintf(why, sizeof(why), "a polled trial read failed (%s)", strerror(-result));
    }
    mode_set(io, LEAT_MODE_IOPOLL, why);
    io->iopoll = false;
    ring_drop(io);
    int cause = ring_build(io);
    if (cause != 0) {
        ring_died(io, cause);
    }
    ensure_enabled(io);
}

/* The flag is refused before anything is read, so that one byte tells. */
static bool try_dont_cache(io_backend *io, const io_file_desc *file)
{
    if (!io_mode_asked(io->desc, LEAT_MODE_DONT_CACHE) || file->size == 0) {
        return false;
    }
    char byte;
    struct iovec part = { .iov_base = &byte, .iov_len = 1 };
    bool works = preadv2(file->fd_buffered, &part, 1, 0, READ_DONT_CACHE) == 1;
    io->dont_cache_tried = true;
    mode_set(io, LEAT_MODE_DONT_CACHE, works ? NULL : "not in this kernel (6.14 has it), or not on this file system");
    return works;
}

/* Leat's reads are as large as they should be: what the kernel reads ahead of them is read in vain. */
static void advise(io_backend *io, const io_file_desc *file)
{
    struct io_uring_sqe *sqe = io->fadvise ? entry_take(io) : NULL;
    if (sqe != NULL) {
        io_uring_prep_fadvise(sqe, file->fd_buffered, 0, 0, POSIX_FADV_RANDOM);
        sqe->user_data = USER_ADVICE;
    }
}

static uint32_t uring_file_add(io_backend *io, const io_file_desc *file)
{
    ensure_enabled(io);
    try_iopoll(io, file);
    for (uint32_t i = 0; i < io->file_count_max; ++i) {
        if (io->files[i].fds.fd_buffered >= 0) {
            continue;
        }
        io->files[i] = (ring_file){ .fds = *file,
                                    .polled = io->iopoll && io->iopoll_tried && file->fd_direct >= 0,
                                    .dont_cache = try_dont_cache(io, file) };
        uint32_t twin = io_threads_ops.file_add(io->reserve, file);
        ASSERT(twin == i); /* both take the first that is free */
        advise(io, file);
        int fds[2] = { file->fd_buffered, file->fd_direct };
        if (io->fixed_files && !io->dead && io_uring_register_files_update(&io->ring, i * 2, fds, 2) != 2) {
            io->fixed_files = false;
            mode_set(io, LEAT_MODE_FIXED_FILES, "a file was refused");
        }
        return i;
    }
    return IO_FILE_NONE;
}

static void uring_file_remove(io_backend *io, uint32_t file)
{
    io->files[file].fds.fd_buffered = -1;
    io_threads_ops.file_remove(io->reserve, file);
    int none[2] = { -1, -1 };
    if (io->table_made && !io->dead) { /* what stays in the table stays open */
        io_uring_register_files_update(&io->ring, file * 2, none, 2);
    }
}

/* ---- Reads ---- */

static uint32_t uring_submit(io_backend *io, const io_read *reads, uint32_t count, uint64_t now_ns)
{
    (void)now_ns;
    ensure_enabled(io);
    bool each = !io_mode_asked(io->desc, LEAT_MODE_BATCH);
    uint32_t taken = 0;
    while (taken < count && io->slot_free < io->slot_count) {
        uint32_t slot = io->slot_free;
        io->slots[slot].item = reads[taken];
        if (!entries_fill(io, slot)) {
            break; /* the kernel is busy: reap first */
        }
        io->slot_free = io->slots[slot].next_free;
        io->slots[slot].busy = true;
        ++io->outstanding;
        ++taken;
        if (each) {
            ring_submit(io);
        }
    }
    io->lazy_reaps = 0;
    if (io->sqpoll) {
        ring_submit(io); /* shows the kernel's thread what there is */
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
        } else if (cqe->user_data == USER_ADVICE && cqe->res < 0) {
            mode_set(io, LEAT_MODE_FADVISE, strerror(-cqe->res));
        } else if (cqe->user_data < USER_WAKE) {
            taken += entry_completed(io, cqe, &completions[taken]);
        }
    }
    io_uring_cq_advance(&io->ring, seen);
    return taken;
}

static uint32_t reap_ring(io_backend *io, io_completion *completions, uint32_t count)
{
    bool lazy = io->lazy_reaps++ < LAZY_REAPS_MAX; /* the wait that is to come enters the kernel anyway */
    if (!io->dead && !lazy && io_uring_sq_ready(&io->ring) > 0) {
        ring_submit(io);
    }
    uint32_t taken = take_completions(io, completions, count);
    /* The kernel says when it has completions that only an enter will bring: deferred work, or an overflow. */
    if (taken == 0 && !io->dead && (ring_flags(io) & (IORING_SQ_CQ_OVERFLOW | (lazy ? 0u : IORING_SQ_TASKRUN)))) {
        io->stats.cq_overflows += (ring_flags(io) & IORING_SQ_CQ_OVERFLOW) ? 1 : 0;
        ring_enter(io, 0);
        taken = take_completions(io, completions, count);
    }
    if (IO_URING_READ_ONCE(*io->ring.cq.koverflow) != 0) {
        ring_died(io, ENOBUFS); /* out of memory, the kernel has dropped completions for good: read again what is out */
    }
    return taken;
}

static uint32_t reap_reserve(io_backend *io, io_completion *completions, uint32_t count)
{
    uint32_t taken = 0;
    if (io->reserve_outstanding > 0) {
        taken = io_threads_ops.reap(io->reserve, completions, count, 0);
    }
    for (uint32_t i = 0; i < taken; ++i) {
        slot_end(io, (uint32_t)completions[i].user_data, completions[i].result, &completions[i]);
    }
    io->reserve_outstanding -= taken;
    return taken;
}

static uint32_t uring_reap(io_backend *io, io_completion *completions, uint32_t count, uint64_t now_ns)
{
    (void)now_ns;
    ensure_enabled(io);
    uint32_t taken = io->ring_made ? reap_ring(io, completions, count) : 0;
    if (io->dead && !io->rescued && taken == 0) { /* nothing is left in its queue */
        ring_rescue(io);
    }
    return taken + reap_reserve(io, completions + taken, count - taken);
}

/* ---- Waiting ---- */

/* Sleeps on the eventfd alone. */
static void wait_without_ring(io_backend *io, uint64_t deadline_ns)
{
    if (io->event_fd_full) { /* what was written since the last wake goes with it: look again before sleeping */
        drain_event_fd(io);
        return;
    }
    uint64_t ns = deadline_ns == IO_WAIT_FOREVER ? 0 : clock_left_ns(deadline_ns);
    struct timespec timeout = { .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };
    struct pollfd wait_for = { .fd = io->event_fd, .events = POLLIN };
    ++io->stats.wait_calls;
    if (ppoll(&wait_for, 1, deadline_ns == IO_WAIT_FOREVER ? NULL : &timeout, NULL) > 0) {
        drain_event_fd(io);
        io->event_fd_read = io->poll_armed;
    }
}

/* A polled ring is asked while reads are out in it, and the eventfd when none is. */
static void wait_polled(io_backend *io, uint64_t deadline_ns)
{
    if (io->outstanding > io->reserve_outstanding) {
        ring_enter(io, 1);
    } else {
        wait_without_ring(io, deadline_ns);
    }
}

static bool something_came(io_backend *io)
{
    return io_uring_cq_ready(&io->ring) > 0 || (ring_flags(io) & IORING_SQ_CQ_OVERFLOW) ||
           atomic_exchange_explicit(&io->woken, false, memory_order_seq_cst);
}

static void pause_core(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Looks for completions without a system call, while the kernel's thread is likely to be awake too. True if something
 * came. */
static bool spin(io_backend *io, uint64_t deadline_ns)
{
    atomic_store_explicit(&io->asleep, false, memory_order_seq_cst); /* pairs with uring_wake */
    uint64_t end_ns = u64_min(deadline_ns, clock_now_ns() + io->desc->sqpoll_idle_ms * NS_PER_MS);
    bool came = something_came(io);
    for (uint32_t i = 1; !came; ++i) {
        pause_core();
        came = something_came(io);
        if (i % SPINS_PER_CLOCK == 0 && clock_now_ns() >= end_ns) {
            break;
        }
    }
    atomic_store_explicit(&io->asleep, true, memory_order_seq_cst);
    return came || something_came(io); /* wake() may have seen us look a moment ago */
}

/* Also for batch_ns, if that is not 0, so that completions come together. */
static void wait_for(io_backend *io, uint64_t deadline_ns, uint64_t batch_ns)
{
    ensure_enabled(io);
    if (io->dead) {
        if (io->rescued) {
            wait_without_ring(io, deadline_ns);
        }
        return;
    }
    if (io->iopoll) {
        wait_polled(io, deadline_ns);
        return;
    }
    arm_wake(io);
    if (!io->poll_armed && !io->dead) { /* no entry was left: in the ring we would sleep past a wake */
        wait_without_ring(io, clock_now_ns() + BUSY_PAUSE_NS);
        return;
    }
    if (io_uring_cq_ready(&io->ring) > 0 && io_uring_sq_ready(&io->ring) == 0) {
        return;
    }
    uint32_t in_ring = io->outstanding - io->reserve_outstanding;
    if (io->sqpoll && in_ring > 0) {
        ring_submit(io);
        if (spin(io, deadline_ns)) {
            return;
        }
    }
    if (batch_ns > 0 && in_ring > 1) {
        ring_gather(io, in_ring - in_ring / GATHER_LEFT_SHARE, deadline_ns, batch_ns);
    } else if (deadline_ns == IO_WAIT_FOREVER) {
        ring_enter(io, 1);
    } else {
        ring_enter_until(io, deadline_ns);
    }
    if (io->kernel_is_busy && !io->dead && io_uring_cq_ready(&io->ring) == 0) {
        wait_without_ring(io, clock_now_ns() + BUSY_PAUSE_NS);
    }
}

static void uring_wait(io_backend *io, uint64_t deadline_ns)
{
    wait_for(io, deadline_ns, io->desc->batch_wait_us * NS_PER_US);
}

static void uring_gather(io_backend *io, uint64_t deadline_ns, uint64_t gather_ns)
{
    wait_for(io, deadline_ns, io->desc->batch_wait_us > 0 ? io->desc->batch_wait_us * NS_PER_US : gather_ns);
}

static void uring_nap(io_backend *io)
{
    ensure_enabled(io);
    ring_submit(io);
    wait_without_ring(io, IO_WAIT_FOREVER);
}

/* ---- Telling ---- */

static void uring_stats(const io_backend *io, io_stats *stats)
{
    *stats = io->stats;
    if (io->ring_made) {
        stats->sq_ready = io_uring_sq_ready(&io->ring);
        stats->sq_space = io_uring_sq_space_left(&io->ring);
        stats->cq_ready = io_uring_cq_ready(&io->ring);
    }
}

static void uring_info(const io_backend *io, leat_info *info)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&io->lock; /* const is what is told, not the lock */
    pthread_mutex_lock(lock);
    const leat_info *t = &io->told;
    info->backend = t->backend;
    info->uring_features = t->uring_features;
    info->uring_setup_flags = t->uring_setup_flags;
    info->uring_entries = t->uring_entries;
    info->uring_completion_entries = t->uring_completion_entries;
    info->fixed_bytes = t->fixed_bytes;
    memcpy(info->modes, t->modes, sizeof(info->modes));
    memcpy(info->backend_text, t->backend_text, sizeof(info->backend_text));
    pthread_mutex_unlock(lock);
    info->io_thread_count = io_threads_running(io->reserve);
    info->fixed_buffers = info->modes[LEAT_MODE_FIXED_BUFFERS].granted;
    info->fixed_files = info->modes[LEAT_MODE_FIXED_FILES].granted;
    info->sqpoll = info->modes[LEAT_MODE_SQPOLL].granted;
    info->iopoll = info->modes[LEAT_MODE_IOPOLL].granted;
    info->defer_taskrun = info->modes[LEAT_MODE_DEFER_TASKRUN].granted;
}

const io_ops io_uring_ops = {
    .open = uring_open,
    .file_add = uring_file_add,
    .file_remove = uring_file_remove,
    .submit = uring_submit,
    .reap = uring_reap,
    .wait = uring_wait,
    .gather = uring_gather,
    .nap = uring_nap,
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
