/* clang-format off */ /* columns are kept by hand, and a declaration stands in one line */
/* leat/settings.h - how a streamer is set up (leat_desc), and what it got of that (leat_info). Included by leat/leat.h.
 *
 * Zero is a default that suits a game in every field: set what you know better. Engines mostly set memory_bytes_max (what Leat
 * may take), allocator, logger and error, and lent_bytes if they bring all memory of their own.
 */
#ifndef LEAT_PUBLIC_SETTINGS_H
#define LEAT_PUBLIC_SETTINGS_H

#include <leat/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Memory and log lines ----------------------------------------------------------------------------------------- */

/* alignment is a power of two; free gets the size that was asked for. Called in create, open, swap, close, trace_stop and
 * destroy only, on those threads and, for what is freed later, on Leat's. */
typedef struct leat_allocator {
    void *(*allocate)(size_t size, size_t alignment, void *user);
    void (*free)(void *memory, size_t size, void *user);
    void *user;
} leat_allocator;

typedef enum leat_log_level { LEAT_LOG_ERROR = 1, LEAT_LOG_WARNING = 2, LEAT_LOG_INFO = 3, LEAT_LOG_DEBUG = 4 } leat_log_level;

/* Called on any thread, one line a call without a line end; must not call Leat. NULL: warnings and errors to stderr. */
typedef struct leat_logger {
    void (*log)(leat_log_level level, const char *text, void *user);
    void *user;
    leat_log_level level; /* 0: LEAT_LOG_WARNING */
} leat_logger;

/* ---- How it reads ------------------------------------------------------------------------------------------------- */

typedef enum leat_backend {
    LEAT_BACKEND_AUTO = 0,    /* io_uring, or threads where it cannot be had */
    LEAT_BACKEND_URING = 1,   /* io_uring, or leat_create fails */
    LEAT_BACKEND_THREADS = 2, /* a pool of pread threads */
    LEAT_BACKEND_SIM = 3      /* a simulated device, for stepped streamers: leat/sim.h */
} leat_backend;

/* A switch for what is probed: by default Leat decides. LEAT_ON never makes leat_create fail: what the kernel refuses is
 * logged, replaced by its fall-back and told by leat_info. */
typedef enum leat_switch { LEAT_DEFAULT = 0, LEAT_OFF = 1, LEAT_ON = 2 } leat_switch;

/* What io_uring can do for a reader, one switch each in leat_uring_desc. leat_info.modes tells which were granted, and why
 * the others were not; streamer/MODES.md has the table. */
typedef enum leat_mode {
    LEAT_MODE_BATCH = 0,              /* one system call hands over all reads of a round; else one each */
    LEAT_MODE_FIXED_BUFFERS = 1,      /* the pool is registered; else the kernel maps its pages for each read */
    LEAT_MODE_FIXED_FILES = 2,        /* descriptors are registered; else looked up for each read */
    LEAT_MODE_DIRECT_DESCRIPTORS = 3, /* loose files are opened into the ring's own table */
    LEAT_MODE_LINKS = 4,              /* loose files: open, read and close as one linked chain; else three calls of a thread */
    LEAT_MODE_DEFER_TASKRUN = 5,      /* SINGLE_ISSUER + DEFER_TASKRUN: completions are worked off when the thread asks */
    LEAT_MODE_COOP_TASKRUN = 6,       /* in its place on older kernels: no interrupts to complete; else with interrupts */
    LEAT_MODE_SQPOLL = 7,             /* a kernel thread submits: no system calls while it is awake */
    LEAT_MODE_IOPOLL = 8,             /* completions are polled for, where the device has queues for it */
    LEAT_MODE_MULTISHOT_POLL = 9,     /* the poll that wakes the I/O thread stays armed; else it is armed each time */
    LEAT_MODE_OPENAT2 = 10,           /* these through the ring; else by threads */
    LEAT_MODE_CLOSE = 11,
    LEAT_MODE_FADVISE = 12,           /* no read-ahead for buffered reads, which know what they want; else the kernel's guess */
    LEAT_MODE_TIMEOUTS = 13,          /* waits with a limit are one call; else a timeout entry goes along */
    LEAT_MODE_MIN_WAIT = 14,          /* batch_wait_us in the kernel; else with a timeout */
    LEAT_MODE_WORKER_LIMIT = 15,      /* of the kernel's worker threads; else the kernel's own limit */
    LEAT_MODE_DONT_CACHE = 16,        /* RWF_DONTCACHE: what is read buffered leaves the page cache; else it stays */
    LEAT_MODE_COUNT = 17
} leat_mode;

/* "sqpoll" and so on; "?" for a number that is no mode. Any thread. */
LEAT_API const char *leat_mode_text(leat_mode mode);
/* What happens where the mode is not granted, in words. Any thread. */
LEAT_API const char *leat_mode_fallback_text(leat_mode mode);

typedef struct leat_uring_desc {
    uint32_t entries;            /* submission queue; 0: 256 */
    uint32_t completion_entries; /* completion queue; 0: room for everything that can be out at once */
    uint32_t sqpoll_idle_ms;     /* the kernel thread sleeps after this long without work, as does ours; 0: 50 */
    uint32_t sqpoll_core;        /* 1 + the number of the core that the kernel thread is bound to; 0: any */
    uint32_t worker_count_max;   /* threads of the kernel's own, of each kind; 0: 8 */
    uint32_t batch_wait_us;      /* completions are gathered for at most this long, to save system calls; 0: some hundred us,
                                    but not at all where urgent requests have come lately */

    leat_switch sqpoll; /* one switch for each mode: off by default */
    leat_switch iopoll;
    leat_switch fadvise;
    leat_switch dont_cache;
    leat_switch batch; /* on by default, as all that follow */
    leat_switch fixed_buffers;
    leat_switch fixed_files;
    leat_switch direct_descriptors;
    leat_switch links;
    leat_switch defer_taskrun;
    leat_switch coop_taskrun;
    leat_switch multishot_poll;
    leat_switch openat2;
    leat_switch close;
    leat_switch timeouts;
    leat_switch min_wait;
    leat_switch worker_limit;
} leat_uring_desc;

/* ---- The desc ----------------------------------------------------------------------------------------------------- */

#define LEAT_CLIENT_COUNT 16u

struct leat_sim_desc; /* leat/sim.h */

/* A field out of its range is refused (ARGUMENT), and the error's text names the range. */
typedef struct leat_desc {
    leat_allocator allocator; /* both functions, or neither: posix_memalign and free */
    leat_logger logger;
    leat_error *error; /* optional: filled when leat_create fails */

    leat_backend backend;
    uint32_t worker_count;    /* decode threads; 0: one per core that we may use (the I/O thread sleeps mostly) */
    uint32_t io_thread_count; /* of the threads backend; 0: 16 */
    bool stepped; /* no threads at all: leat_update does the work of all stages, and leat_tick.now_ns is the clock. leat_wait
                     advances it to the device's next completion instead of waiting, and without a limit returns none if
                     nothing is on its way */

    uint64_t memory_bytes_max; /* pool_bytes and lent_bytes together are refused above this; 0: 160 MiB. Tables (304 bytes a
                                  request, 2 MiB a worker: some 14 MiB at the defaults on two cores) and indices of packs come
                                  on top: the sum is leat_stats.memory_bytes */
    uint64_t pool_bytes; /* fixed-buffer pool that reads land in; 0: 32 MiB, at most a quarter of memory_bytes_max */
    uint64_t lent_bytes; /* memory for LEAT_BIND_LEAT; 0: half of memory_bytes_max. Both in whole 2 MiB */
    uint32_t request_count_max; /* 0: 16384; up to 2^22 */
    uint32_t batch_count_max;   /* 0: 1024 */
    uint32_t pack_count_max;    /* 0: 64 */
    uint32_t event_count_max;   /* most events of one leat_update; 0: 1024 */

    uint64_t window_bytes;   /* bytes in flight; 0: closed loop */
    uint32_t read_bytes_max; /* neighbouring chunks become one read up to this, and up to 512 KiB where that is less:
                                for 10 s after a request in a hurry, and where a read takes long; 0: 1 MiB */
    uint32_t read_gap_max;   /* unwanted bytes that are read through to join two reads; 0: 16 KiB */
    uint64_t ageing_ns;      /* a request that has waited so long is served before higher classes: the oldest such one gets every
                                eighth read, and every eighth turn at memory that requests wait for, which is then kept from
                                all but urgent ones until there is enough, for a quarter of ageing_ns at most; 0: 2 s */
    uint32_t client_weights[LEAT_CLIENT_COUNT]; /* shares of bandwidth within a class, and of memory that is waited for; 0: 1 */

    leat_switch direct;     /* O_DIRECT; by default what is not in the page cache is read past it */
    leat_switch huge_pages; /* for pool and lent memory; on by default */
    leat_uring_desc uring;
    const struct leat_sim_desc *sim; /* for LEAT_BACKEND_SIM; copied by leat_create */

    uint64_t asset_bytes_max;      /* a pack with a larger asset is refused; 0: 4 GiB */
    uint64_t pack_index_bytes_max; /* a pack with a larger index is refused; 0: 1 GiB */
    uint32_t chunk_ratio_max;      /* a pack with a chunk that grows more than so many times is refused; 0: 255, LZ4's most */
    uint32_t trace_event_count;    /* ring of trace records (leat/trace.h); 0: tracing cannot be started */
} leat_desc;

/* ---- What it got -------------------------------------------------------------------------------------------------- */

/* What was chosen for every field of the desc. Valid until leat_destroy. Any thread. */
LEAT_API const leat_desc *leat_resolved_desc(const leat_streamer *streamer);

typedef struct leat_mode_info {
    bool asked;
    bool granted;
    char why[118]; /* why it is not granted, in words; empty if it is */
} leat_mode_info;

/* What the kernel and the file system granted. Of modes that only a read can prove (iopoll, dont_cache) it is known once
 * the first file is read; the backend can change, to threads, if the kernel gives up the ring midway. */
typedef struct leat_info {
    leat_backend backend;
    uint32_t uring_features;    /* IORING_FEAT_* */
    uint32_t uring_setup_flags; /* IORING_SETUP_* in force */
    uint32_t uring_entries, uring_completion_entries; /* as made; 0 without a ring */
    leat_mode_info modes[LEAT_MODE_COUNT];
    bool fixed_buffers, fixed_files, sqpoll, iopoll, defer_taskrun; /* the same of the modes asked for most */
    uint64_t fixed_bytes; /* of the pool that are registered */
    bool huge_pages;      /* asked for and granted by madvise */
    uint32_t worker_count;    /* decode threads that run: fewer than in the desc where no more could be started; 0 if stepped */
    uint32_t io_thread_count; /* likewise, threads that read; with io_uring they are started for what a ring cannot do, when
                                 it is first needed */
    uint64_t pool_bytes, lent_bytes;
    char backend_text[200]; /* one line: which backend and, if not io_uring, why */
} leat_info;
/* Any thread, at any time. */
LEAT_API void leat_info_get(const leat_streamer *streamer, leat_info *info);

#ifdef __cplusplus
}
#endif

#endif
