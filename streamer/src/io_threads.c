/* io_threads.c - a pool of threads that call pread, for where io_uring is forbidden.
 *
 * At large units, with O_DIRECT and huge pages, this is as fast as io_uring; it costs more CPU and a context switch a
 * read. One lock guards two bounded rings (urgent reads have one of their own, which is emptied first) and the ring of
 * completions; it is never held over a system call. The I/O thread sleeps on an eventfd, so that wake() and completions
 * have one door.
 *
 * As a reserve (io_desc.reserve) it does for io_uring.c what a ring cannot do: nothing is allocated and no thread
 * started until there is such a thing, and where no thread can be had then, submit() reads by itself. */
#include "io.h"

#include "clock.h"
#include "event_fd.h"
#include "file.h"
#include "threads.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef struct read_ring {
    io_read *items;
    uint32_t head, count;
} read_ring;

struct io_backend {
    memory *memory;
    leat_uring_desc uring; /* what was asked of a ring, for info */
    char why_no_ring[118];
    uint32_t capacity; /* of each ring: a power of two, not less than all reads together */
    _Atomic uint32_t thread_count; /* that run; raised by who starts them, told to any thread */
    uint32_t thread_limit;
    pthread_t *threads;
    int event_fd; /* a reserve's: the owner's */
    bool reserve, started;
    uint32_t file_count_max;
    io_file_desc *files; /* fd_buffered -1: free. Written by the I/O thread, read by workers through the lock */

    pthread_mutex_t lock;
    pthread_cond_t work;
    bool stopping;
    read_ring urgent, ordinary;
    io_completion *completions;
    uint32_t completion_head, completion_count;
    bool waiting; /* the I/O thread sleeps: the next completion writes to event_fd */

    _Atomic uint64_t wait_calls, submit_calls;
};

static void ring_push(io_backend *io, read_ring *ring, const io_read *item)
{
    ASSERT(ring->count < io->capacity);
    ring->items[(ring->head + ring->count++) & (io->capacity - 1)] = *item;
}

static io_read ring_pop(io_backend *io, read_ring *ring)
{
    io_read item = ring->items[ring->head];
    ring->head = (ring->head + 1) & (io->capacity - 1);
    --ring->count;
    return item;
}

static int32_t read_once(const io_read *item, int fd)
{
    ssize_t got = pread(fd, item->memory, item->size, (off_t)item->offset);
    return got < 0 ? -errno : (int32_t)got;
}

static io_completion perform(const io_read *item, int fd)
{
    io_completion done = { .user_data = item->user_data };
    if (item->op == IO_OP_READ_PATH) {
        fd = file_open_beneath(item->folder_fd, item->path);
        if (fd < 0) {
            done.result = fd;
            return done;
        }
    }
    done.result = read_once(item, fd);
    if (item->op == IO_OP_READ_PATH) {
        close(fd);
    }
    return done;
}

/* The lock is held. */
static int descriptor_of(const io_backend *io, const io_read *item)
{
    if (item->op != IO_OP_READ) {
        return -1;
    }
    const io_file_desc *file = &io->files[item->file];
    return item->flags & IO_READ_DIRECT ? file->fd_direct : file->fd_buffered;
}

/* The lock is held. True if somebody must be told with event_fd_signal(), after the lock was given back. */
static bool complete(io_backend *io, const io_completion *done)
{
    bool first = io->completion_count == 0;
    io->completions[(io->completion_head + io->completion_count++) & (io->capacity - 1)] = *done;
    bool tell = io->reserve ? first : io->waiting;
    io->waiting = false;
    return tell;
}

static void *reader_main(void *argument)
{
    io_backend *io = argument;
    thread_set_slice(THREAD_SLICE_NS_SHORT);
    pthread_mutex_lock(&io->lock);
    while (!io->stopping) {
        if (io->urgent.count == 0 && io->ordinary.count == 0) {
            pthread_cond_wait(&io->work, &io->lock);
            continue;
        }
        io_read item = ring_pop(io, io->urgent.count > 0 ? &io->urgent : &io->ordinary);
        int fd = descriptor_of(io, &item);
        pthread_mutex_unlock(&io->lock);
        io_completion done = perform(&item, fd);
        pthread_mutex_lock(&io->lock);
        bool wake = complete(io, &done);
        if (wake) {
            pthread_mutex_unlock(&io->lock);
            event_fd_signal(io->event_fd);
            pthread_mutex_lock(&io->lock);
        }
    }
    pthread_mutex_unlock(&io->lock);
    return NULL;
}

static void threads_close(io_backend *io)
{
    memory *m = io->memory;
    pthread_mutex_lock(&io->lock);
    io->stopping = true;
    pthread_cond_broadcast(&io->work);
    pthread_mutex_unlock(&io->lock);
    for (uint32_t i = 0; i < io->thread_count; ++i) {
        pthread_join(io->threads[i], NULL);
    }
    if (io->event_fd >= 0 && !io->reserve) {
        close(io->event_fd);
    }
    pthread_cond_destroy(&io->work);
    pthread_mutex_destroy(&io->lock);
    memory_free(m, io->completions, io->capacity, sizeof(*io->completions));
    memory_free(m, io->ordinary.items, io->capacity, sizeof(io_read));
    memory_free(m, io->urgent.items, io->capacity, sizeof(io_read));
    memory_free(m, io->files, io->file_count_max, sizeof(*io->files));
    memory_free(m, io->threads, io->thread_limit, sizeof(*io->threads));
    memory_free(m, io, 1, sizeof(*io));
}

static void start_threads(io_backend *io)
{
    io->started = true;
    bool started = true;
    while (started && io->thread_count < io->thread_limit) {
        char name[16];
        snprintf(name, sizeof(name), "leat-read-%u", io->thread_count % 1000);
        started = thread_start(&io->threads[io->thread_count], reader_main, io, name);
        atomic_fetch_add_explicit(&io->thread_count, started, memory_order_relaxed);
    }
}

static leat_result threads_open(const io_desc *desc, io_backend **out, leat_error *error)
{
    *out = NULL;
    memory *m = desc->memory;
    io_backend *io = memory_allocate(m, 1, sizeof(*io), CACHE_LINE_SIZE);
    if (io == NULL) {
        return error_set(error, LEAT_ERROR_MEMORY, 0, "no memory for the thread backend");
    }
    io->memory = m;
    io->uring = desc->desc->uring;
    snprintf(io->why_no_ring, sizeof(io->why_no_ring), "%s",
             desc->why_no_ring != NULL ? desc->why_no_ring : "threads were asked for");
    io->capacity = 1;
    while (io->capacity < desc->read_count_max) {
        io->capacity *= 2;
    }
    io->thread_limit = desc->desc->io_thread_count;
    io->file_count_max = desc->file_count_max;
    pthread_mutex_init(&io->lock, NULL);
    pthread_cond_init(&io->work, NULL);
    io->reserve = desc->reserve;
    io->event_fd = desc->reserve ? desc->reserve_event_fd : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    io->threads = memory_allocate(m, io->thread_limit, sizeof(*io->threads), CACHE_LINE_SIZE);
    io->files = memory_allocate(m, io->file_count_max, sizeof(*io->files), CACHE_LINE_SIZE);
    io->urgent.items = memory_allocate(m, io->capacity, sizeof(io_read), CACHE_LINE_SIZE);
    io->ordinary.items = memory_allocate(m, io->capacity, sizeof(io_read), CACHE_LINE_SIZE);
    io->completions = memory_allocate(m, io->capacity, sizeof(*io->completions), CACHE_LINE_SIZE);
    bool there = io->event_fd >= 0 && io->threads != NULL && io->files != NULL && io->urgent.items != NULL &&
                 io->ordinary.items != NULL && io->completions != NULL;
    if (there) {
        for (uint32_t i = 0; i < io->file_count_max; ++i) {
            io->files[i].fd_buffered = -1;
        }
        if (!io->reserve) {
            start_threads(io);
        }
    }
    if (!there || (io->thread_count == 0 && !io->reserve)) {
        threads_close(io);
        return error_set(error, LEAT_ERROR_MEMORY, 0, "no memory, descriptor or thread for the thread backend");
    }
    if (io->started && io->thread_count < io->thread_limit) {
        log_line(desc->log, LEAT_LOG_WARNING, "only %u of %u reading threads could be started", io->thread_count,
                 io->thread_limit);
    }
    *out = io;
    return LEAT_OK;
}

static uint32_t threads_file_add(io_backend *io, const io_file_desc *file)
{
    uint32_t found = IO_FILE_NONE;
    pthread_mutex_lock(&io->lock);
    for (uint32_t i = 0; i < io->file_count_max && found == IO_FILE_NONE; ++i) {
        if (io->files[i].fd_buffered < 0) {
            io->files[i] = *file;
            found = i;
        }
    }
    pthread_mutex_unlock(&io->lock);
    return found;
}

static void threads_file_remove(io_backend *io, uint32_t file)
{
    pthread_mutex_lock(&io->lock);
    io->files[file].fd_buffered = -1;
    pthread_mutex_unlock(&io->lock);
}

/* A reserve without a thread: slow, never stuck. */
static void submit_alone(io_backend *io, const io_read *reads, uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i) {
        io_completion done = perform(&reads[i], descriptor_of(io, &reads[i]));
        pthread_mutex_lock(&io->lock);
        bool tell = complete(io, &done);
        pthread_mutex_unlock(&io->lock);
        if (tell) {
            event_fd_signal(io->event_fd);
        }
    }
}

static uint32_t threads_submit(io_backend *io, const io_read *reads, uint32_t count, uint64_t now_ns)
{
    (void)now_ns;
    if (!io->started) {
        start_threads(io);
    }
    if (io->thread_count == 0) {
        submit_alone(io, reads, count);
        return count;
    }
    pthread_mutex_lock(&io->lock);
    for (uint32_t i = 0; i < count; ++i) {
        ring_push(io, reads[i].flags & IO_READ_URGENT ? &io->urgent : &io->ordinary, &reads[i]);
    }
    pthread_mutex_unlock(&io->lock);
    for (uint32_t i = 0; i < u32_min(count, io->thread_count); ++i) {
        pthread_cond_signal(&io->work);
    }
    atomic_fetch_add_explicit(&io->submit_calls, u32_min(count, io->thread_count), memory_order_relaxed);
    return count;
}

static uint32_t threads_reap(io_backend *io, io_completion *completions, uint32_t count, uint64_t now_ns)
{
    (void)now_ns;
    uint32_t taken = 0;
    pthread_mutex_lock(&io->lock);
    while (taken < count && io->completion_count > 0) {
        completions[taken++] = io->completions[io->completion_head];
        io->completion_head = (io->completion_head + 1) & (io->capacity - 1);
        --io->completion_count;
    }
    pthread_mutex_unlock(&io->lock);
    return taken;
}

static void threads_wait(io_backend *io, uint64_t deadline_ns)
{
    pthread_mutex_lock(&io->lock);
    bool ready = io->completion_count > 0;
    io->waiting = !ready;
    pthread_mutex_unlock(&io->lock);
    if (ready) {
        return;
    }
    struct timespec left = { 0 };
    if (deadline_ns != IO_WAIT_FOREVER) {
        uint64_t ns = clock_left_ns(deadline_ns);
        left = (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };
    }
    struct pollfd wait_for = { .fd = io->event_fd, .events = POLLIN };
    int got = ppoll(&wait_for, 1, deadline_ns == IO_WAIT_FOREVER ? NULL : &left, NULL);
    uint64_t value;
    if (got > 0 && read(io->event_fd, &value, sizeof(value)) < 0) {
        value = 0; /* EAGAIN: somebody's signal was counted into an earlier one */
    }
    atomic_fetch_add_explicit(&io->wait_calls, 2, memory_order_relaxed);
    pthread_mutex_lock(&io->lock);
    io->waiting = false;
    pthread_mutex_unlock(&io->lock);
}

static void threads_gather(io_backend *io, uint64_t deadline_ns, uint64_t gather_ns)
{
    (void)gather_ns; /* each read is a call anyway */
    threads_wait(io, deadline_ns);
}

/* Nobody is told that the I/O thread sleeps, so that completions do not signal it. */
static void threads_nap(io_backend *io)
{
    struct pollfd wait_for = { .fd = io->event_fd, .events = POLLIN };
    uint64_t value;
    if (ppoll(&wait_for, 1, NULL, NULL) > 0 && read(io->event_fd, &value, sizeof(value)) < 0) {
        value = 0; /* EAGAIN: taken already */
    }
    atomic_fetch_add_explicit(&io->wait_calls, 2, memory_order_relaxed);
}

static bool threads_wake(io_backend *io)
{
    return event_fd_signal(io->event_fd);
}

static void threads_stats(const io_backend *io, io_stats *stats)
{
    *stats = (io_stats){ .submit_calls = atomic_load_explicit(&io->submit_calls, memory_order_relaxed),
                         .wait_calls = atomic_load_explicit(&io->wait_calls, memory_order_relaxed) };
}

uint32_t io_threads_running(const io_backend *io)
{
    return atomic_load_explicit(&io->thread_count, memory_order_relaxed);
}

static void threads_info(const io_backend *io, leat_info *info)
{
    info->backend = LEAT_BACKEND_THREADS;
    info->io_thread_count = io_threads_running(io);
    io_no_ring(info, &io->uring, io->why_no_ring);
}

const io_ops io_threads_ops = {
    .open = threads_open,
    .file_add = threads_file_add,
    .file_remove = threads_file_remove,
    .submit = threads_submit,
    .reap = threads_reap,
    .wait = threads_wait,
    .gather = threads_gather,
    .nap = threads_nap,
    .wake = threads_wake,
    .next_completion_ns = NULL,
    .stats = threads_stats,
    .info = threads_info,
    .close = threads_close,
};
