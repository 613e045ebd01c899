/* io.h - the way to a device: one small table of functions, three implementations.
 *
 *     io_uring.c     io_uring with registered buffers and files
 *     io_threads.c   a pool of pread threads, for where io_uring is forbidden
 *     io_sim.c       a simulated device on a virtual clock: seeded latency, reordering, faults
 *
 * The pump in streamer.c is the one caller: all functions but wake are called by the I/O thread alone (or by the update
 * thread, in a stepped streamer). A backend moves bytes and nothing else: it knows no chunk, no priority and no retry.
 * It reports what the device said, short reads and -EAGAIN included; the pump resumes and reissues.
 *
 * A buffer belongs to the backend from submit() to the completion of that very read. There is no cancelling: a read
 * that is out is waited for. */
#ifndef LEAT_IO_H
#define LEAT_IO_H

#include "base.h"

#define IO_FILE_NONE UINT32_MAX
#define IO_WAIT_FOREVER UINT64_MAX

typedef struct io_backend io_backend;

typedef enum io_read_flags {
    IO_READ_DIRECT =
        1 << 0, /* on the O_DIRECT descriptor: offset, size and memory are multiples of the file's alignment */
    IO_READ_URGENT = 1 << 1 /* a hint: may be given a higher ioprio, goes ahead of others inside the backend */
} io_read_flags;

/* What an io_read asks for. */
typedef enum io_op {
    IO_OP_READ = 0, /* `size` bytes at `offset` of `file` */
    /* Opens `path` beneath `folder_fd`, reads, and closes again: where the ring can, one linked chain in one
     * submission; else openat2, pread and close in turn. Through the page cache; `file` and the flags but URGENT are
     * not looked at. The path is relative and may not lead out of the folder, by .. or by a link (-EXDEV; -ELOOP or
     * -ENOTDIR for any link where the kernel has no openat2). Nothing that is opened survives the completion, whatever
     * fails. */
    IO_OP_READ_PATH = 1,
} io_op;

typedef struct io_read {
    uint32_t file; /* from file_add */
    uint32_t size; /* bytes; > 0 */
    uint64_t offset;
    void *memory; /* inside the pool region of io_desc, which may be registered; or any memory */
    uint32_t flags;
    uint64_t user_data; /* handed back; holds index and generation */
    io_op op;
    int folder_fd; /* READ_PATH: of a directory; it and the path stay open and unchanged until the completion */
    const char *path;
} io_read;

typedef struct io_completion {
    uint64_t user_data;
    int32_t result; /* bytes read (0: end of file) or the -errno of the step that failed first */
} io_completion;

typedef struct io_file_desc {
    int fd_buffered; /* both stay owned by the caller and open until file_remove has returned */
    int fd_direct; /* -1: none */
    uint64_t size;
} io_file_desc;

typedef struct io_desc {
    memory *memory;
    const leat_logger *log;
    const leat_desc *desc; /* resolved: uring.*, io_thread_count, sim */
    void *pool; /* the region that reads land in, for registration; unregistered again by close */
    uint64_t pool_size;
    uint32_t read_count_max; /* most reads between submit and reap */
    uint32_t file_count_max;
    /* A reserve, which only io_threads can be: it works for another backend, starts its threads with the first read,
     * and says that completions are there by writing to the owner's eventfd. It is submitted to and reaped, not waited
     * on. */
    bool reserve;
    int reserve_event_fd;
    const char *why_no_ring; /* threads: told by leat_info; NULL: it was not asked for. Copied by open */
} io_desc;

/* Levels and counts of the ring; zero where a backend has none. Read by the pump into leat_stats. */
typedef struct io_stats {
    uint64_t submit_calls; /* system calls made to submit */
    uint64_t wait_calls; /* system calls made to wait or reap */
    uint64_t sqpoll_wakeups; /* of submit_calls: those that woke the kernel's submitting thread */
    uint64_t cq_overflows; /* how often completions were found that the queue had no room for */
    uint64_t ring_losses;
    uint32_t sq_ready, sq_space, cq_ready;
} io_stats;

typedef struct io_ops {
    /* Makes a backend, probing and falling back inside its own kind (flags stripped, registration halved or left out),
     * each step one log line. UNSUPPORTED if this kind cannot be had at all, with the reason in error. */
    leat_result (*open)(const io_desc *desc, io_backend **io, leat_error *error);

    /* A small number for a file; IO_FILE_NONE if the table is full. */
    uint32_t (*file_add)(io_backend *io, const io_file_desc *file);
    /* The file has no read in flight. */
    void (*file_remove)(io_backend *io, uint32_t file);

    /* Hands reads over in order and starts them; returns how many were taken (fewer: busy, reap first; the rest is
     * tried again later). No system call per read where the backend can help it. now_ns is for the simulated clock. */
    uint32_t (*submit)(io_backend *io, const io_read *reads, uint32_t count, uint64_t now_ns);

    /* Takes up to `count` completions that are there by now. Makes no system call if some are and none is needed. */
    uint32_t (*reap)(io_backend *io, io_completion *completions, uint32_t count, uint64_t now_ns);

    /* Sleeps until a completion is there, wake() was called since the last wait, or deadline_ns (CLOCK_MONOTONIC) has
     * passed. May return early. Simulated: does not sleep. */
    void (*wait)(io_backend *io, uint64_t deadline_ns);

    /* The same, but for up to gather_ns completions may come together before it returns, and wakes with them: fewer
     * system calls, for reads that nobody is in a hurry for. */
    void (*gather)(io_backend *io, uint64_t deadline_ns, uint64_t gather_ns);

    /* Starts what was submitted and sleeps until wake() was called since the last wait or nap: completions gather.
     * Simulated: does not sleep. */
    void (*nap)(io_backend *io);

    /* Any thread: makes a wait or nap that is under way, or the next one, return. A few hundred nanoseconds to a system
     * call; the caller coalesces. False, with errno: it cannot be done any more. */
    bool (*wake)(io_backend *io);

    /* Simulated: virtual time of the next completion, IO_WAIT_FOREVER if nothing is in flight. Others: NULL. */
    uint64_t (*next_completion_ns)(const io_backend *io);

    void (*stats)(const io_backend *io, io_stats *stats);
    /* Fills the fields of info that this backend knows, backend and backend_text among them. Any thread. */
    void (*info)(const io_backend *io, leat_info *info);

    /* All reads have completed. Unregisters before anything is unmapped. */
    void (*close)(io_backend *io);
} io_ops;

/* The switch of a mode, to be set; and its value. */
leat_switch *io_mode_switch(leat_uring_desc *desc, leat_mode mode);
leat_switch io_mode_get(const leat_uring_desc *desc, leat_mode mode);
/* Is this mode asked for by the desc, or on by default? */
bool io_mode_asked(const leat_uring_desc *desc, leat_mode mode);
/* For backends without a ring: all modes refused for this reason. */
void io_no_ring(leat_info *info, const leat_uring_desc *desc, const char *why);

extern const io_ops io_uring_ops; /* open says UNSUPPORTED where the build has no liburing */
extern const io_ops io_threads_ops;
uint32_t io_threads_running(const io_backend *io); /* of that backend: its reading threads. Any thread. */
extern const io_ops io_sim_ops;

#endif
