/* uring.h - what the files of the io_uring backend share: its state, and who does what to it.
 *
 *     io_uring.c        the table of io.h: open, files, submit, reap, wait, wake
 *     uring_setup.c     the ring is made, what the kernel refuses is replaced, and both are noted
 *     uring_entries.c   reads become entries of the ring, and completions become results
 *     uring_enter.c     the one door to the kernel: every io_uring_enter, counted
 *     uring_rescue.c    a ring that stops working midway: the reserve goes on
 *
 * All state belongs to the I/O thread, but for what is under `lock` (leat_info_get asks from any thread) and what
 * wake() touches. */
#ifndef LEAT_URING_H
#define LEAT_URING_H

#include "io.h"

#ifdef LEAT_HAVE_URING

#include "file.h"

#include <fcntl.h>

#include <liburing.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>

/* user_data of a completion: the slot, and which of its entries in the upper half; or one of these. */
#define USER_WAKE UINT64_C(0xffffffff00000001) /* of the poll on the eventfd */
#define USER_TIMEOUT UINT64_C(0xffffffff00000002)
#define USER_ADVICE UINT64_C(0xffffffff00000003)
#define USER_TRIAL UINT64_C(0xffffffff00000004)
#define CHAIN_LENGTH 3u
/* A descriptor of the ring's table has no flag that an exec would look at: O_CLOEXEC is refused there. */
#define CHAIN_OPEN_FLAGS (FILE_BENEATH_FLAGS & ~O_CLOEXEC)

typedef enum ring_entry { ENTRY_READ = 0, ENTRY_OPEN = 1, ENTRY_CLOSE = 2 } ring_entry;

typedef struct ring_slot {
    io_read item;
    uint32_t next_free;
    uint32_t entries_out; /* filled and not completed */
    int32_t results[CHAIN_LENGTH]; /* by ring_entry */
    bool busy, in_reserve;
} ring_slot;

typedef struct ring_file {
    io_file_desc fds; /* fd_buffered -1: free */
    bool polled; /* IOPOLL: its device has queues to poll */
    bool dont_cache; /* its file system knows RWF_DONTCACHE */
} ring_file;

struct io_backend {
    memory *memory;
    const leat_logger *log;
    const leat_uring_desc *desc;
    uint8_t *pool;
    uint64_t pool_size;
    struct io_uring ring;
    struct io_uring_params params;
    bool ring_made, enabled;
    bool dead; /* the kernel has given up this ring, */
    bool rescued; /* and ring_rescue() has seen to what was out */
    bool kernel_is_busy; /* the last call answered EAGAIN or EBUSY */
    int death_cause; /* errno */
    int end_fd; /* polls hung up when the kernel has freed a ring, with all that was in flight; -1: none */

    /* what was granted */
    bool event_fd_full; /* it was not emptied after the last wake: a multishot poll tells of each write anyway */
    bool event_fd_read; /* it was emptied before the ring has told of the write */
    bool table_made; /* files are registered; fixed_files: and reads name them by their places there */
    bool sqpoll, iopoll, fixed_files, chains, fadvise, ext_arg, min_wait, multishot;
    bool iopoll_tried, dont_cache_tried;
    uint64_t fixed_size; /* the first bytes of the pool that are registered */
    struct open_how chain_how;
    struct __kernel_timespec entry_timeout;

    int event_fd;
    bool poll_armed;
    uint32_t file_count_max;
    ring_file *files;
    int *table; /* of registered files: room to say what it holds */
    uint32_t table_size;
    void *trial; /* memory for a trial read */
    uint32_t slot_count;
    ring_slot *slots;
    uint32_t slot_free;
    uint32_t outstanding; /* reads that are out, in the ring or with the reserve */
    io_backend *reserve; /* of io_threads, for what the ring cannot do */
    uint32_t reserve_outstanding;
    uint32_t lazy_reaps; /* since entries were filled */
    io_stats stats;

    /* any thread */
    _Atomic bool woken; /* wake() was called; pairs with `asleep` */
    _Atomic bool asleep; /* the I/O thread looks at the eventfd, not at `woken` */
    pthread_mutex_t lock;
    leat_info told; /* under lock: the fields that uring_info fills */
};

/* uring_setup.c */
/* Makes the ring with all that belongs to it. 0, or the errno that says why there is none. */
int ring_build(io_backend *io);
void ring_end(io_backend *io); /* closes it; the kernel may still be at its last reads */
void ring_drop(io_backend *io); /* the same, and forgets it */
/* Notes what became of a mode; refused ones with a log line, if they were asked for. why: NULL if granted. */
void mode_set(io_backend *io, leat_mode mode, const char *why);
const char *ring_refusal(int cause); /* an errno of io_uring_setup in words */

/* uring_enter.c */
/* Hands entries over and waits for `wait_count` completions (0: does not wait), with deferred work done. */
void ring_enter(io_backend *io, uint32_t wait_count);
/* The same for one completion, but no longer than until deadline_ns. */
void ring_enter_until(io_backend *io, uint64_t deadline_ns);
/* The same for `wait_count` completions within batch_ns, and for the first one after that. */
void ring_gather(io_backend *io, uint32_t wait_count, uint64_t deadline_ns, uint64_t batch_ns);
void ring_submit(io_backend *io); /* without waiting; no system call where a kernel thread submits and is awake */
uint32_t ring_flags(const io_backend *io); /* IORING_SQ_* */

/* uring_entries.c */
struct io_uring_sqe *entry_take(io_backend *io); /* NULL: no room, or the ring is dead */
bool entries_fill(io_backend *io, uint32_t slot); /* for the slot's item; false if there is no room now */
/* One entry of a slot has completed. True if the slot is over, and *completion says how. */
bool entry_completed(io_backend *io, const struct io_uring_cqe *cqe, io_completion *completion);
void slot_end(io_backend *io, uint32_t slot, int32_t result, io_completion *completion);
void slot_to_reserve(io_backend *io, uint32_t slot);

/* uring_rescue.c */
/* From now on the ring is not used any more. Safe at any point; the rest is done by ring_rescue at the next reap. */
void ring_died(io_backend *io, int cause);
/* Ends the dead ring, waits until the kernel has let go of all buffers, and gives what was out to the reserve. */
void ring_rescue(io_backend *io);
bool ring_is_ours(const io_backend *io); /* false: its descriptor's number is somebody else's by now */

#endif
#endif
