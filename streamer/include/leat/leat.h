/* clang-format off */ /* columns are kept by hand, and a declaration stands in one line */
/* leat/leat.h - asset streaming for game engines on Linux.
 *
 * A streamer reads parts of assets out of packs: mips of a texture, LODs of a mesh, bytes of anything. Requests go into
 * a priority queue; one I/O thread turns them into few, large reads (io_uring where it is to be had, a pread pool
 * elsewhere), worker threads check and decode LZ4 straight into the destination, and leat_update() hands the results
 * over as events, once per frame.
 *
 *     leat_streamer *s = NULL;
 *     if (leat_create(NULL, &s) != LEAT_OK) return 1;                 // zero is the default everywhere
 *     leat_pack pack;
 *     if (leat_pack_open(s, "world.leat", NULL, &pack) != LEAT_OK) return 1;
 *     leat_asset rock = leat_asset_find(s, LEAT_NAME("props/rock_01.png"));
 *
 *     leat_request request;
 *     leat_read_desc desc = { .asset = rock, .priority = LEAT_HIGH, .user = 42 };
 *     if (leat_read(s, &desc, &request) != LEAT_OK) return 1;
 *
 *     for (;;) {                                                      // each frame
 *         leat_events events = leat_update(s, NULL);                  // takes microseconds, never waits
 *         for (uint32_t i = 0; i < events.count; ++i)
 *             if (events.items[i].type == LEAT_EVENT_READY) {
 *                 upload(events.items[i].data, events.items[i].size);
 *                 leat_release(s, events.items[i].request);           // gives Leat's memory back
 *             }
 *     }
 *     leat_destroy(s);                                                // also with thousands of reads in flight
 *
 * THE LIFE OF A REQUEST. leat_submit() returns a handle; exactly one terminal event (READY, FAILED or CANCELLED) ends it,
 * whatever races with what. NEEDS_MEMORY and LATE may come before. The handle is stale after the leat_update() call that
 * follows the one which returned the terminal event; a READY whose memory is Leat's stays valid until leat_release().
 *
 *     queued --> (needs memory) --> reading --> decoding --> ready --> [terminal event] --> (release)
 *        \____________\_____________\__________\__________\---> cancelled or failed
 *
 * MEMORY has one owner at a time. leat_read_desc.bind says whose the destination is: the caller's, which Leat writes to
 * and nobody else touches from submit (LEAT_BIND_CALLER) or leat_bind() (LEAT_BIND_LATE) to the terminal event; or
 * Leat's, lent to the caller from the READY event to leat_release() (LEAT_BIND_LEAT, the default).
 *
 * THREADS
 *     any thread, at any time     leat_submit, leat_read, leat_cancel*, leat_reprioritise*, leat_bind, leat_release, leat_batch_*,
 *                                 leat_asset_*, leat_pack_open, leat_pack_swap, leat_pack_close, leat_pack_info_get,
 *                                 leat_stats_get, leat_info_get, leat_resolved_desc, leat_estimate, leat_event_fd,
 *                                 leat_event_text; pure: the other leat_*_text, leat_format_*, leat_texture_mip,
 *                                 leat_name_hash, leat_version
 *     any thread, one at a time   leat_trace_start, leat_trace_stop
 *     one thread at a time        leat_update, leat_wait (the "update thread")
 *     alone                       leat_create, leat_destroy: no other call on this streamer runs beside them
 * Nothing blocks but leat_wait, leat_pack_open and leat_pack_swap (read the pack's index), leat_trace_stop, leat_create and
 * leat_destroy.
 *
 * ERRORS are leat_result values. Misuse that a program can survive (a stale handle, a full queue, a bad range) is an
 * error value as well. Bytes from packs are hostile: whatever they hold, a request ends with an event. NULL is for
 * where a declaration says so: elsewhere it crashes, as in libc.
 *
 * Descs and structs are zero-initialised by the caller, and grow only with the soname. All sizes are bytes, all times
 * nanoseconds of CLOCK_MONOTONIC (of a stepped streamer: of the caller's clock, leat_tick). Since 0.1 where nothing else is said.
 */
#ifndef LEAT_LEAT_H
#define LEAT_LEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEAT_VERSION_MAJOR 0
#define LEAT_VERSION_MINOR 1
#define LEAT_VERSION_PATCH 0
#define LEAT_VERSION (LEAT_VERSION_MAJOR * 10000 + LEAT_VERSION_MINOR * 100 + LEAT_VERSION_PATCH)

#if defined(__GNUC__)
#define LEAT_API __attribute__((visibility("default")))
#define LEAT_CHECK __attribute__((warn_unused_result))
#else
#define LEAT_API
#define LEAT_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Results ---------------------------------------------------------------------------------------------------- */

typedef enum leat_result {
    LEAT_OK = 0,
    LEAT_ERROR_ARGUMENT = -1,    /* a desc or parameter that can never work */
    LEAT_ERROR_MEMORY = -2,      /* the allocator returned NULL */
    LEAT_ERROR_STALE = -3,       /* a null handle, or one whose object has ended */
    LEAT_ERROR_FULL = -4,        /* a bounded table or queue is full; try again after leat_update */
    LEAT_ERROR_NOT_FOUND = -5,   /* no such file or asset; an asset that has vanished from its pack (leat_pack_swap) */
    LEAT_ERROR_OS = -6,          /* a system call failed; os_error holds errno (EIO, too, where reads of a file that is
                                    long enough keep ending early) */
    LEAT_ERROR_FORMAT = -7,      /* not a Leat pack, or one whose index contradicts itself */
    LEAT_ERROR_VERSION = -8,     /* a pack newer than this library */
    LEAT_ERROR_DAMAGED = -9,     /* bytes do not match their hash, or do not decode */
    LEAT_ERROR_TRUNCATED = -10,  /* the file is shorter than it says */
    LEAT_ERROR_TOO_SMALL = -11,  /* the destination is smaller than the part */
    LEAT_ERROR_CANCELLED = -12,  /* by leat_cancel, leat_pack_close or leat_destroy */
    LEAT_ERROR_LIMIT = -13,      /* larger than a limit of the desc allows */
    LEAT_ERROR_UNSUPPORTED = -14, /* this kernel, file system or build cannot do it */
    LEAT_ERROR_CHANGED = -15,    /* a loose file is not the one any more that its folder was seen to hold */
    LEAT_RESULT_FORCE_32 = 0x7fffffff
} leat_result;

/* A short English text for a result; never NULL. */
LEAT_API const char *leat_result_text(leat_result result);

/* What went wrong in words: which file, where in it, why, and what to do. Filled where the caller passes one; where not, the
 * text is logged instead. */
typedef struct leat_error {
    leat_result result;
    int32_t os_error; /* errno, or 0 */
    char text[504];
} leat_error;

/* The version of the library that is linked, as LEAT_VERSION. */
LEAT_API uint32_t leat_version(void);

/* ---- Handles: 32-bit index and 32-bit generation; all zero is null ------------------------------------------------ */

typedef struct leat_streamer leat_streamer;
typedef struct leat_pack {
    uint32_t index, generation;
} leat_pack;
typedef struct leat_request {
    uint32_t index, generation;
} leat_request;
typedef struct leat_batch {
    uint32_t index, generation;
} leat_batch;
/* An asset of one mounted pack. index counts from 1; a null pack is the null asset. Stale once the pack is closed. It
 * stays with its name when the pack's content is replaced (leat_pack_swap): while there is no asset of that name, calls
 * answer NOT_FOUND. */
typedef struct leat_asset {
    leat_pack pack;
    uint32_t index;
} leat_asset;

/* ---- Asset types and formats -------------------------------------------------------------------------------------- */

typedef enum leat_asset_type {
    LEAT_ASSET_BLOB = 0, /* bytes that Leat does not interpret */
    LEAT_ASSET_TEXTURE = 1,
    LEAT_ASSET_MESH = 2,
    LEAT_ASSET_MATERIAL = 3, /* metadata and references, no bytes */
    LEAT_ASSET_TYPE_COUNT = 4
} leat_asset_type;

/* Texel formats. The numbers are part of the pack format: they never change. */
typedef enum leat_format {
    LEAT_FORMAT_NONE = 0,
    LEAT_FORMAT_RGBA8_UNORM = 1,
    LEAT_FORMAT_RGBA8_SRGB = 2,
    LEAT_FORMAT_R8_UNORM = 3,
    LEAT_FORMAT_RG8_UNORM = 4,
    LEAT_FORMAT_RGBA16_FLOAT = 5,
    LEAT_FORMAT_BC1_UNORM = 16,
    LEAT_FORMAT_BC1_SRGB = 17,
    LEAT_FORMAT_BC2_UNORM = 18,
    LEAT_FORMAT_BC2_SRGB = 19,
    LEAT_FORMAT_BC3_UNORM = 20,
    LEAT_FORMAT_BC3_SRGB = 21,
    LEAT_FORMAT_BC4_UNORM = 22,
    LEAT_FORMAT_BC4_SNORM = 23,
    LEAT_FORMAT_BC5_UNORM = 24,
    LEAT_FORMAT_BC5_SNORM = 25,
    LEAT_FORMAT_BC6H_UFLOAT = 26,
    LEAT_FORMAT_BC6H_SFLOAT = 27,
    LEAT_FORMAT_BC7_UNORM = 28,
    LEAT_FORMAT_BC7_SRGB = 29
} leat_format;

/* "BC1_SRGB" and so on; "?" for a number that is no format. */
LEAT_API const char *leat_format_text(leat_format format);
/* Bytes of one block, and its edge in texels (4 for BC formats, else 1); 0 for a number that is no format. */
LEAT_API uint32_t leat_format_block_size(leat_format format);
LEAT_API uint32_t leat_format_block_edge(leat_format format);

typedef enum leat_texture_flags {
    LEAT_TEXTURE_NORMAL_MAP = 1 << 0, /* tangent-space normals, +Y up; BC5 holds x and y */
    LEAT_TEXTURE_ALPHA = 1 << 1,      /* some texel is not opaque */
    LEAT_TEXTURE_CUTOUT = 1 << 2,     /* alpha is nearly binary; coverage is kept over mips at alpha_cutoff */
    LEAT_TEXTURE_CUBE = 1 << 3
} leat_texture_flags;

typedef enum leat_mesh_flags {
    LEAT_MESH_HAS_UV = 1 << 0,
    LEAT_MESH_HAS_NORMALS = 1 << 1, /* the source had them; else they were generated */
    LEAT_MESH_HAS_COLORS = 1 << 2
} leat_mesh_flags;

typedef enum leat_alpha_mode { LEAT_ALPHA_OPAQUE = 0, LEAT_ALPHA_MASK = 1, LEAT_ALPHA_BLEND = 2 } leat_alpha_mode;
typedef enum leat_material_flags { LEAT_MATERIAL_DOUBLE_SIDED = 1 << 0, LEAT_MATERIAL_UNLIT = 1 << 1 } leat_material_flags;

typedef enum leat_reference_role {
    LEAT_REFERENCE_MATERIAL = 0, /* of a mesh: slot is the material slot */
    LEAT_REFERENCE_BASE_COLOR = 1,
    LEAT_REFERENCE_NORMAL = 2,
    LEAT_REFERENCE_METALLIC_ROUGHNESS = 3, /* roughness in G, metallic in B (glTF) */
    LEAT_REFERENCE_EMISSIVE = 4,
    LEAT_REFERENCE_OCCLUSION = 5,
    LEAT_REFERENCE_OTHER = 6
} leat_reference_role;

/* The vertex of packed meshes. Right-handed, +Y up, counter-clockwise front faces; v = 0 is the top row of a texture. */
typedef struct leat_vertex {
    float position[3];
    int16_t normal[4]; /* snorm; [3] is 0 */
    float uv[2];
    uint8_t color[4]; /* unorm, linear; white where the source has none */
} leat_vertex;

/* ---- Creating ----------------------------------------------------------------------------------------------------- */

/* alignment is a power of two; free gets the size that was asked for. Called in create, open, swap, close, trace_stop
 * and destroy only, on those threads and, for what is freed later, on Leat's. */
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

typedef enum leat_backend {
    LEAT_BACKEND_AUTO = 0,    /* io_uring, or threads where it cannot be had */
    LEAT_BACKEND_URING = 1,   /* io_uring, or leat_create fails */
    LEAT_BACKEND_THREADS = 2, /* a pool of pread threads */
    LEAT_BACKEND_SIM = 3      /* a simulated device, for stepped streamers: leat/sim.h */
} leat_backend;

/* Three-state switch for what is probed: by default Leat decides. LEAT_ON never makes leat_create fail: what the kernel
 * refuses is logged, replaced by its fall-back and told by leat_info. */
typedef enum leat_switch { LEAT_DEFAULT = 0, LEAT_OFF = 1, LEAT_ON = 2 } leat_switch;

/* What io_uring can do for a reader, one switch each. What the kernel refuses is replaced by its fall-back, never an error:
 * leat_info.modes tells, with the reason. streamer/MODES.md has the table. */
typedef enum leat_mode {
    LEAT_MODE_BATCH = 0,            /* one system call hands over all reads of a round; else one each */
    LEAT_MODE_FIXED_BUFFERS = 1,    /* the pool is registered; else the kernel maps its pages for each read */
    LEAT_MODE_FIXED_FILES = 2,      /* descriptors are registered; else looked up for each read */
    LEAT_MODE_DIRECT_DESCRIPTORS = 3, /* loose files are opened into the ring's own table */
    LEAT_MODE_LINKS = 4,            /* loose files: open, read and close as one linked chain; else three calls of a thread */
    LEAT_MODE_DEFER_TASKRUN = 5,    /* SINGLE_ISSUER + DEFER_TASKRUN: completions are worked off when the thread asks */
    LEAT_MODE_COOP_TASKRUN = 6,     /* in its place on older kernels: no interrupts to complete; else with interrupts */
    LEAT_MODE_SQPOLL = 7,           /* a kernel thread submits: no system calls while it is awake */
    LEAT_MODE_IOPOLL = 8,           /* completions are polled for, where the device has queues for it */
    LEAT_MODE_MULTISHOT_POLL = 9,   /* the poll that wakes the I/O thread stays armed; else it is armed each time */
    LEAT_MODE_OPENAT2 = 10,         /* these through the ring; else by threads */
    LEAT_MODE_CLOSE = 11,
    LEAT_MODE_FADVISE = 12,         /* no read-ahead for buffered reads, which know what they want; else the kernel's guess */
    LEAT_MODE_TIMEOUTS = 13,        /* waits with a limit are one call; else a timeout entry goes along */
    LEAT_MODE_MIN_WAIT = 14,        /* batch_wait_us in the kernel; else with a timeout */
    LEAT_MODE_WORKER_LIMIT = 15,    /* of the kernel's worker threads; else the kernel's own limit */
    LEAT_MODE_DONT_CACHE = 16,      /* RWF_DONTCACHE: what is read buffered leaves the page cache; else it stays */
    LEAT_MODE_COUNT = 17
} leat_mode;

/* "sqpoll" and so on; "?" for a number that is no mode. */
LEAT_API const char *leat_mode_text(leat_mode mode);
/* What happens where the mode is not granted, in words. */
LEAT_API const char *leat_mode_fallback_text(leat_mode mode);

typedef struct leat_uring_desc {
    uint32_t entries;            /* submission queue; 0: 256 */
    uint32_t completion_entries; /* completion queue; 0: room for everything that can be out at once */
    uint32_t sqpoll_idle_ms;     /* the kernel thread sleeps after this long without work, as does ours; 0: 50 */
    uint32_t sqpoll_core;        /* 1 + the number of the core that the kernel thread is bound to; 0: any */
    uint32_t worker_count_max;   /* threads of the kernel's own, of each kind; 0: 8 */
    uint32_t batch_wait_us;      /* completions are gathered for at most this long, to save system calls; 0: some
                                  * hundred us, but not at all where urgent requests have come lately */

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

#define LEAT_CLIENT_COUNT 16u
/* Classes, in the order URGENT, HIGH, NORMAL, PREFETCH; within one, the nearest deadline first, then
 * about as submitted (what comes together, in disk order); clients by their shares. */
typedef enum leat_priority {
    LEAT_NORMAL = 0,
    LEAT_URGENT = 1, /* goes out at once, on top of the window */
    LEAT_HIGH = 2,
    LEAT_PREFETCH = 3, /* what may be wanted later */
    LEAT_PRIORITY_COUNT = 4
} leat_priority;

struct leat_sim_desc; /* leat/sim.h */

/* A field out of its range is refused (ARGUMENT), and the error's text names the range. */
typedef struct leat_desc {
    leat_allocator allocator; /* both functions, or neither: posix_memalign and free */
    leat_logger logger;
    leat_error *error; /* optional: filled when leat_create fails */

    leat_backend backend;
    uint32_t worker_count; /* decode threads; 0: one per core that we may use (the I/O thread sleeps mostly) */
    uint32_t io_thread_count; /* of the threads backend; 0: 16 */
    bool stepped; /* no threads at all: leat_update does the work of all stages, and leat_tick.now_ns is the clock */

    uint64_t memory_bytes_max; /* pool_bytes and lent_bytes together are refused above this; 0: 160 MiB. Tables (300 bytes a
                                  request, 2 MiB a worker: some 14 MiB at the defaults on two cores) and indices of packs come
                                  on top: the sum is leat_stats.memory_bytes */
    uint64_t pool_bytes;       /* fixed-buffer pool that reads land in; 0: 32 MiB, at most a quarter of memory_bytes_max */
    uint64_t lent_bytes;       /* memory for LEAT_BIND_LEAT; 0: half of memory_bytes_max. Both in whole 2 MiB */
    uint32_t request_count_max; /* 0: 16384; up to 2^22 */
    uint32_t batch_count_max;   /* 0: 1024 */
    uint32_t pack_count_max;    /* 0: 64 */
    uint32_t event_count_max;   /* most events of one leat_update; 0: 1024 */

    uint64_t window_bytes;    /* bytes in flight; 0: closed loop */
    uint32_t read_bytes_max;  /* neighbouring chunks become one read up to this, and up to 512 KiB where that is less:
                                 for 10 s after a request in a hurry, and where a read takes long; 0: 1 MiB */
    uint32_t read_gap_max;    /* unwanted bytes that are read through to join two reads; 0: 16 KiB */
    uint64_t ageing_ns;       /* a request that has waited so long is served before higher classes: the oldest such one gets every
                                 eighth read, and every eighth turn at memory that requests wait for, which is then kept from
                                 all but urgent ones until there is enough, for a quarter of ageing_ns at most; 0: 2 s */
    uint32_t client_weights[LEAT_CLIENT_COUNT]; /* shares of bandwidth within a class, and of memory that is waited for; 0: 1 */

    leat_switch direct;     /* O_DIRECT; by default what is not in the page cache is read past it */
    leat_switch huge_pages; /* for pool and lent memory; on by default */
    leat_uring_desc uring;
    const struct leat_sim_desc *sim; /* for LEAT_BACKEND_SIM; copied by leat_create */

    uint64_t asset_bytes_max;     /* a pack with a larger asset is refused; 0: 4 GiB */
    uint64_t pack_index_bytes_max; /* a pack with a larger index is refused; 0: 1 GiB */
    uint32_t chunk_ratio_max; /* a pack with a chunk that grows more than so many times is refused; 0: 255, LZ4's most */
    uint32_t trace_event_count;   /* ring of trace records; 0: tracing cannot be started */
} leat_desc;

/* Creates a streamer. desc may be NULL. Blocks for the time that probing and touching the pool take (milliseconds). With
 * io_uring, the process's soft RLIMIT_MEMLOCK is raised as far as the hard one allows, so that the pool can be registered.
 * Errors: ARGUMENT, MEMORY, UNSUPPORTED (an explicit backend that cannot be had), OS. *streamer is NULL on error. */
LEAT_API LEAT_CHECK leat_result leat_create(const leat_desc *desc, leat_streamer **streamer);

/* Ends everything, with any number of requests in flight: waits for reads that the device still has, runs no further
 * decode, delivers no event. Caller's memory is not written to afterwards. NULL is allowed.
 * After fork() a streamer is the parent's alone: its threads and its pool are not in the child, which may exec, exit, or
 * call leat_destroy, which does nothing there. Descriptors close on exec.
 * Where somebody has closed descriptors of Leat's, a thread may sleep that nobody can wake: then it and the streamer's memory
 * are left as they are after two seconds, and the log says so. */
LEAT_API void leat_destroy(leat_streamer *streamer);

/* What was chosen for every field of the desc. Valid until leat_destroy. */
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
    bool huge_pages; /* asked for and granted by madvise */
    uint32_t worker_count;    /* decode threads that run: fewer than in the desc where no more could be started; 0 if stepped */
    uint32_t io_thread_count; /* likewise, threads that read; with io_uring they are started for what a ring cannot do, when
                               * it is first needed */
    uint64_t pool_bytes, lent_bytes;
    char backend_text[200]; /* one line: which backend and, if not io_uring, why */
} leat_info;
LEAT_API void leat_info_get(const leat_streamer *streamer, leat_info *info);

/* ---- Packs -------------------------------------------------------------------------------------------------------- */

typedef struct leat_pack_desc {
    int32_t layer;     /* higher layers hide assets of the same name in lower ones; on a tie the later pack wins */
    leat_error *error; /* optional */
    leat_switch watch; /* swap by itself (leat_pack_swap) when it changes; by default on for folders, off for packs */
    uint32_t file_count_max; /* a folder with more files is refused; 0: 65536 */
} leat_pack_desc;

/* Opens a pack: reads its index into memory and checks it (O(index); milliseconds for 10^5 assets). desc may be NULL.
 *
 * A FOLDER is mounted as it is, for development: each regular file in it and in its subfolders is an asset, with its path
 * from the folder on as name and the same requests and events as in a pack. Files are opened, read and closed for each read
 * (in pieces of leat_desc.read_bytes_max), so that none is kept open. What a file is:
 *  - LEAT_ASSET_TEXTURE, if it is a DDS file in a format of leat_format, with the mips that it has, and stored so that
 *    nothing must be converted. Its bytes are its texels in Leat's order, as if it were packed, without the header. Files
 *    that do not tell sRGB from linear are taken for sRGB; for the rest of what the packer finds out, it has to be packed.
 *  - LEAT_ASSET_BLOB otherwise: the bytes of the file.
 * Names that packs cannot have, devices, sockets, links that lead out of the folder and links to folders are left out, and
 * their number is logged in one line; names that begin with a dot are left out silently. content_hash stands for a version
 * of the file (device, inode, size, time of change), not for its bytes.
 * A READY holds bytes of the version that was listed, never a mixture: a file that was changed, replaced or removed since
 * ends as FAILED with CHANGED or NOT_FOUND, and its RELOADED event comes when the change is noticed (or leat_pack_swap with
 * a NULL path looks). While a file is being written for long, that may happen more than once.
 *
 * WATCHED folders are listed again some 10 to 50 ms after the last of a burst of changes, by a thread of Leat's that sleeps
 * otherwise; a watched pack is swapped when a new file is renamed over it. If watching cannot be had (limits of inotify),
 * one line is logged and leat_pack_swap does it by hand. A folder that is itself removed or renamed keeps its last list
 * until something else has its path (a folder built anew, a link set to another): that is listed then.
 *
 * Errors: ARGUMENT (watch; no path), NOT_FOUND, OS, FORMAT, VERSION, DAMAGED, TRUNCATED, LIMIT, MEMORY, FULL. */
LEAT_API LEAT_CHECK leat_result leat_pack_open(leat_streamer *streamer, const char *path, const leat_pack_desc *desc,
                                               leat_pack *pack);

/* Closes a pack, without waiting. Requests of it that have not ended by then end as CANCELLED; its file is closed when the
 * device has given back what it reads of it. Errors: STALE. */
LEAT_API leat_result leat_pack_close(leat_streamer *streamer, leat_pack pack);

/* Replaces the content of an open pack by that of the file or folder at `path` (NULL: the pack's own path, which may have a
 * new file under it; a folder is listed again), while anything may be in flight. The handle of the pack stays; so do
 * handles of assets, by name.
 *
 * Requests that were submitted before end with the content that they were submitted to, from the old file, which is
 * closed after the last of them; new ones get the new content. Each asset whose bytes, type, metadata or references
 * differ, or that came or went, is announced by LEAT_EVENT_RELOADED; others are not, whatever moved. error may be NULL.
 * What is watched is from now on the new path.
 *
 * A file that cannot be opened or does not check out is refused, and the old content stays. Write new packs to another
 * name and rename them over the old one, as `leat pack` does: a file that is overwritten in place changes under the
 * requests in flight, which then end as DAMAGED.
 *
 * Errors: as leat_pack_open; STALE; FULL while 16 replaced versions are still in use by requests or wait for leat_update. */
LEAT_API LEAT_CHECK leat_result leat_pack_swap(leat_streamer *streamer, leat_pack pack, const char *path, leat_error *error);

typedef struct leat_pack_info {
    uint32_t asset_count, chunk_count;
    uint64_t file_bytes, raw_bytes, index_bytes;
    uint64_t content_hash;
    int32_t layer;
    bool direct; /* an O_DIRECT descriptor is open */
    bool folder; /* loose files: file_bytes is their sum, chunk_count the pieces that they are read in */
    bool watched; /* it is swapped by itself when it changes: asked for, and to be had (leat_pack_desc.watch) */
} leat_pack_info;
/* What an open pack is, in its present version. Errors: STALE (*info is zeroed). */
LEAT_API LEAT_CHECK leat_result leat_pack_info_get(const leat_streamer *streamer, leat_pack pack, leat_pack_info *info);

/* ---- Assets ------------------------------------------------------------------------------------------------------- */

/* What the index says, without a read. Errors of all that take a leat_asset: STALE, NOT_FOUND (a swap has removed it), ARGUMENT
 * (an asset of another type; a LOD, submesh or position that is not there). *info is zeroed then. */

/* 64-bit FNV-1a of the name with the finaliser of MurmurHash3. Compilers fold it for literals. */
static inline uint64_t leat_name_hash(const char *name, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; ++i) {
        hash = (hash ^ (uint8_t)name[i]) * 0x100000001b3u;
    }
    hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdu;
    hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53u;
    return hash ^ (hash >> 33);
}
#define LEAT_NAME(literal) leat_name_hash("" literal, sizeof(literal) - 1)

/* The asset of that name in the highest layer; null if there is none. O(packs). */
LEAT_API leat_asset leat_asset_find(const leat_streamer *streamer, uint64_t name_hash);
/* The same in one pack. */
LEAT_API leat_asset leat_asset_find_in(const leat_streamer *streamer, leat_pack pack, uint64_t name_hash);
/* The asset at a position of a pack's table, 0 .. asset_count - 1; null beyond. */
LEAT_API leat_asset leat_asset_at(const leat_streamer *streamer, leat_pack pack, uint32_t position);

typedef struct leat_asset_info {
    leat_asset_type type;
    uint64_t name_hash, content_hash;
    uint64_t size; /* raw bytes */
    uint32_t reference_count;
    uint32_t name_size;
    const char *name; /* UTF-8, NOT zero-terminated; valid while the pack is open, or until the leat_update after the
                       * one that returned the last RELOADED event of a swap */
} leat_asset_info;
LEAT_API LEAT_CHECK leat_result leat_asset_info_get(const leat_streamer *streamer, leat_asset asset, leat_asset_info *info);

typedef struct leat_texture_info {
    uint32_t width, height, mip_count, layer_count;
    leat_format format;
    uint32_t flags; /* leat_texture_flags */
    float alpha_cutoff;
} leat_texture_info;
LEAT_API LEAT_CHECK leat_result leat_asset_texture(const leat_streamer *streamer, leat_asset asset, leat_texture_info *info);

/* Where mip `mip` lies in the asset's bytes (all layers). Pure. Returns false for a mip that is not there. */
typedef struct leat_mip_info {
    uint32_t width, height;
    uint64_t offset, size; /* in the asset; smallest mip first, tightly packed */
    uint32_t row_size;     /* bytes of a row of blocks */
} leat_mip_info;
LEAT_API bool leat_texture_mip(const leat_texture_info *info, uint32_t mip, leat_mip_info *mip_info);

typedef struct leat_mesh_info {
    uint32_t lod_count, submesh_count, material_count;
    uint32_t vertex_stride, index_size; /* of a leat_vertex (32); of an index, 2 or 4 */
    uint32_t vertex_count, index_count; /* over all LODs: sizes for the buffers */
    uint32_t flags;                     /* leat_mesh_flags */
    float bounds_min[3], bounds_max[3];
} leat_mesh_info;
LEAT_API LEAT_CHECK leat_result leat_asset_mesh(const leat_streamer *streamer, leat_asset asset, leat_mesh_info *info);

typedef struct leat_lod_info {
    uint32_t vertex_first, vertex_count; /* vertices which this LOD appends */
    uint32_t index_first, index_count;   /* indices which this LOD appends; they use vertices below first + count */
    float error;                         /* in units of the mesh */
    uint64_t offset, size;               /* in the asset: vertices, then indices */
} leat_lod_info;
LEAT_API LEAT_CHECK leat_result leat_asset_lod(const leat_streamer *streamer, leat_asset asset, uint32_t lod, leat_lod_info *info);

typedef struct leat_submesh_info {
    uint32_t index_first; /* in the mesh's index buffer */
    uint32_t index_count;
    uint32_t material; /* slot */
} leat_submesh_info;
LEAT_API LEAT_CHECK leat_result leat_asset_submesh(const leat_streamer *streamer, leat_asset asset, uint32_t lod, uint32_t submesh,
                                                   leat_submesh_info *info);

typedef struct leat_material_info {
    float base_color[4]; /* linear */
    float emissive[3];
    float metallic, roughness, normal_scale, alpha_cutoff;
    leat_alpha_mode alpha_mode;
    uint32_t flags; /* leat_material_flags */
} leat_material_info;
LEAT_API LEAT_CHECK leat_result leat_asset_material(const leat_streamer *streamer, leat_asset asset, leat_material_info *info);

typedef struct leat_reference {
    uint64_t name_hash; /* for leat_asset_find */
    leat_reference_role role;
    uint32_t slot;
} leat_reference;
/* position: 0 .. leat_asset_info.reference_count - 1. */
LEAT_API LEAT_CHECK leat_result leat_asset_reference(const leat_streamer *streamer, leat_asset asset, uint32_t position,
                                                     leat_reference *reference);

/* A part of an asset. All zero is the whole asset. */
typedef enum leat_part_kind {
    LEAT_PART_ALL = 0,
    LEAT_PART_MIPS = 1, /* first: the finest mip wanted; count: how many from there on, 0 = all smaller ones */
    LEAT_PART_LODS = 2, /* first: the finest LOD wanted; count likewise, 0 = all coarser ones */
    LEAT_PART_BYTES = 3 /* offset, size */
} leat_part_kind;
typedef struct leat_part {
    leat_part_kind kind;
    uint32_t first, count;
    uint64_t offset, size;
} leat_part;

/* The bytes of the asset that a part is. Errors: STALE, ARGUMENT (not in this asset). */
LEAT_API LEAT_CHECK leat_result leat_asset_part(const leat_streamer *streamer, leat_asset asset, const leat_part *part,
                                                uint64_t *offset, uint64_t *size);

/* ---- Requests ----------------------------------------------------------------------------------------------------- */

typedef enum leat_bind_kind {
    LEAT_BIND_LEAT = 0,   /* Leat's memory, lent from READY to leat_release; at a multiple of 16 */
    LEAT_BIND_CALLER = 1, /* leat_read_desc.memory */
    LEAT_BIND_LATE = 2    /* NEEDS_MEMORY is sent when the read is about to go out; answer with leat_bind */
} leat_bind_kind;

typedef enum leat_read_flags {
    LEAT_READ_DEGRADE = 1 << 0 /* if the deadline cannot be met, take the coarser part that can, by itself; where that turns
                                  out when reading has begun or memory has been asked for, LATE tells, without a part */
} leat_read_flags;

typedef struct leat_read_desc {
    leat_asset asset;
    leat_part part;
    leat_priority priority;
    uint32_t client;      /* 0 .. LEAT_CLIENT_COUNT - 1: who asks (audio, textures, ...), for fair shares */
    uint64_t deadline_ns; /* when it should be ready; 0: none */
    leat_bind_kind bind;
    uint32_t flags; /* leat_read_flags; others are refused (ARGUMENT) */
    void *memory;   /* for LEAT_BIND_CALLER; at least memory_size bytes, ordinary cached memory */
    uint64_t memory_size;
    leat_batch batch;
    uint64_t tag;
    uint64_t user; /* handed back in events */
} leat_read_desc;

/* Submits `count` requests without blocking and without a system call but one coalesced wake. requests may be NULL, or
 * has room for count handles. Takes them in order and stops at the first that cannot be taken; *taken (may be NULL) says
 * how many were, and the result why the next was not: FULL, STALE, NOT_FOUND, ARGUMENT (also a batch that has been ended),
 * TOO_SMALL, LIMIT (LEAT_BIND_LEAT, and larger than lent_bytes). Assets without bytes are READY at the next update. */
LEAT_API LEAT_CHECK leat_result leat_submit(leat_streamer *streamer, const leat_read_desc *descs, uint32_t count,
                                            leat_request *requests, uint32_t *taken);
/* One request. request may be NULL; on error it is the null handle. */
LEAT_API LEAT_CHECK leat_result leat_read(leat_streamer *streamer, const leat_read_desc *desc, leat_request *request);

/* Answers NEEDS_MEMORY with ordinary cached memory of at least the event's size; with less, the request ends as FAILED with
 * TOO_SMALL. Where nothing was asked, or the request is cancelled meanwhile, it does nothing: the memory is the caller's again
 * with the terminal event in any case. Errors: STALE, ARGUMENT (NULL), FULL. */
LEAT_API LEAT_CHECK leat_result leat_bind(leat_streamer *streamer, leat_request request, void *memory, uint64_t memory_size);

/* Gives memory of a READY request with LEAT_BIND_LEAT back. For other requests it does nothing. Errors: STALE. */
LEAT_API leat_result leat_release(leat_streamer *streamer, leat_request request);

/* Cancels: what is queued is not read, what is read is not decoded, what is ready is not delivered. The request still
 * ends with one event, CANCELLED, unless its terminal event is out already. Errors: STALE. */
LEAT_API leat_result leat_cancel(leat_streamer *streamer, leat_request request);
/* Cancels `count` requests with one coalesced wake: what an engine calls when the camera cuts. Of many requests, the
 * slots are fetched side by side, which as many single calls cannot do. Goes to the end of the array in any case: stale
 * handles are passed over, and the result is STALE if there were any. *cancelled (may be NULL) says how many were not;
 * a handle that is there twice is cancelled once and counted twice. Errors: STALE, ARGUMENT (requests is NULL, count is not 0). */
LEAT_API leat_result leat_cancel_many(leat_streamer *streamer, const leat_request *requests, uint32_t count, uint32_t *cancelled);

/* New class and deadline, in force at every stage that the request has still before it. As long as not all of it is being read:
 * another deadline than it had, or the same in a lower class if it was not called late yet, is judged as if the request were
 * submitted with it now (LEAT_EVENT_LATE, LEAT_READ_DEGRADE), and is the one that counts as met or missed. What was given up
 * for a deadline does not come back with a later one. Errors: STALE, ARGUMENT, FULL. */
LEAT_API leat_result leat_reprioritise(leat_streamer *streamer, leat_request request, leat_priority priority, uint64_t deadline_ns);

typedef struct leat_reprioritise_desc {
    leat_request request;
    leat_priority priority;
    uint64_t deadline_ns; /* 0: none */
} leat_reprioritise_desc;
/* The same for `count` requests, with one coalesced wake, in the order of the array: of a handle that is there twice, the
 * later entry counts. Stale handles are passed over, and the result is STALE if there were any. Stops at an entry that is
 * refused for another reason, which is the result then: FULL, or ARGUMENT (a priority that is none; descs is NULL, count is
 * not 0). *taken (may be NULL) says how many entries are dealt with, stale ones included: on FULL, go on from there after
 * leat_update. */
LEAT_API leat_result leat_reprioritise_many(leat_streamer *streamer, const leat_reprioritise_desc *descs, uint32_t count,
                                            uint32_t *taken);

/* Many requests at once: those that fit all criteria which are not zero. Applied by the I/O thread, in order with the
 * submissions of this thread; requests submitted later are not touched. Errors: ARGUMENT (no criterion; a tag with bits that
 * are not in tag_mask), STALE (a batch or pack that has ended), FULL. */
typedef struct leat_selection {
    uint64_t tag_mask, tag; /* (request tag & tag_mask) == tag, if tag_mask is not 0 */
    leat_batch batch;
    leat_pack pack;
    bool all; /* no criterion: everything */
} leat_selection;
LEAT_API leat_result leat_cancel_where(leat_streamer *streamer, const leat_selection *selection);
LEAT_API leat_result leat_reprioritise_where(leat_streamer *streamer, const leat_selection *selection, leat_priority priority,
                                             uint64_t deadline_ns);

/* A batch counts requests and ends with one event, which counts those that FAILED and describes the first of them. If only_end
 * is set, its members send no terminal events of their own, and their memory must be the caller's (LEAT_BIND_CALLER). */
typedef struct leat_batch_desc {
    uint64_t user;
    bool only_end;
    uint64_t *fence; /* optional: fence_value is stored here (release order) by the update that returns the event; it must
                        be there until then, or until leat_destroy */
    uint64_t fence_value;
} leat_batch_desc;
/* desc may be NULL. Errors: FULL. */
LEAT_API LEAT_CHECK leat_result leat_batch_begin(leat_streamer *streamer, const leat_batch_desc *desc, leat_batch *batch);
/* No member will be added any more; what another thread submits at this very moment is a member or is refused (ARGUMENT, STALE).
 * LEAT_EVENT_BATCH comes when all have ended (at the next update if there are none).
 * Errors: STALE. */
LEAT_API leat_result leat_batch_end(leat_streamer *streamer, leat_batch batch);

/* What a request would get if it were submitted now: what admission would predict, from levels that the I/O thread published
 * last. ready_ns is on the clock of deadlines. Before a streamer's first reads it is a guess, of a device that gives 100 MB/s.
 * Errors: STALE, ARGUMENT. */
typedef struct leat_estimate_info {
    uint64_t ready_ns;
    uint64_t bytes_ahead;      /* packed bytes queued and in flight before it */
    uint64_t bytes_per_second; /* packed, that the device gives at present */
} leat_estimate_info;
LEAT_API LEAT_CHECK leat_result leat_estimate(const leat_streamer *streamer, const leat_read_desc *desc, leat_estimate_info *info);

/* ---- Events ------------------------------------------------------------------------------------------------------- */

typedef enum leat_event_type {
    LEAT_EVENT_READY = 1,        /* terminal: data, size */
    LEAT_EVENT_FAILED = 2,       /* terminal: result, os_error, chunk, file_offset; leat_event_text() */
    LEAT_EVENT_CANCELLED = 3,    /* terminal */
    LEAT_EVENT_NEEDS_MEMORY = 4, /* size: answer with leat_bind (or leat_cancel) */
    LEAT_EVENT_LATE = 5,         /* said at admission: the deadline cannot be met; part_possible can (kind 0: none). The
                                    request goes on as it was asked for. Of a streamer's first requests it is said some
                                    reads later, when the device is known: a guess would be a false alarm or silence.
                                    Once for each deadline that it is given (leat_reprioritise); of several between two
                                    updates the last is told */
    LEAT_EVENT_BATCH = 6,        /* batch, count, failed_count, and the first failure as in FAILED */
    LEAT_EVENT_RELOADED = 7      /* asset, change: the pack has other content for it from now on; of no request */
} leat_event_type;

typedef enum leat_change {
    LEAT_CHANGE_NONE = 0,
    LEAT_CHANGE_CHANGED = 1, /* other bytes, type, metadata or references: ask and read again */
    LEAT_CHANGE_ADDED = 2,   /* there was no asset of this name in this pack (or it had vanished) */
    LEAT_CHANGE_REMOVED = 3  /* the handle answers NOT_FOUND, until an asset of this name is added again */
} leat_change;

typedef struct leat_event {
    leat_event_type type;
    leat_result result;
    leat_request request;
    leat_batch batch;
    uint64_t user, tag;
    leat_asset asset;
    int32_t os_error;
    void *data;    /* READY: the destination */
    uint64_t size; /* READY: bytes there; NEEDS_MEMORY: bytes needed */
    leat_part part_possible; /* LATE; READY after LEAT_READ_DEGRADE: the part that was read */
    uint32_t chunk;          /* FAILED: index in the pack, or UINT32_MAX */
    leat_change change;      /* RELOADED */
    uint64_t file_offset;    /* FAILED: of that chunk */
    uint32_t count, failed_count; /* BATCH: all members; those that FAILED (not the cancelled ones) */
    uint64_t latency_ns;     /* terminal: from submit to the end of its last stage */
} leat_event;

typedef struct leat_events {
    const leat_event *items; /* valid until the next leat_update, leat_wait or leat_destroy */
    uint32_t count;
} leat_events;

typedef struct leat_tick {
    uint64_t now_ns;      /* stepped streamers: the virtual time, never less than before; 0: it stays. Others read the clock. */
    uint32_t event_count_max; /* 0, or more than in the desc: as in the desc */
    uint64_t time_ns_max; /* stop gathering after this long; 0: no limit */
} leat_tick;

/* Gathers events. Call once per frame. tick may be NULL. */
LEAT_API leat_events leat_update(leat_streamer *streamer, const leat_tick *tick);

/* As leat_update, but waits for at least one event; after timeout_ns (UINT64_MAX: never) it returns none. For tools, tests and
 * loading screens. In a stepped streamer it advances the virtual clock to the device's next completion instead of waiting, and
 * without a limit it returns none if nothing is on its way. */
LEAT_API leat_events leat_wait(leat_streamer *streamer, uint64_t timeout_ns);

/* A descriptor that polls readable while events wait (for epoll loops), and once at first. Made at the first call; owned by
 * the streamer. -1 if it cannot be had. */
LEAT_API int leat_event_fd(leat_streamer *streamer);

/* The event in words, for people: pack, asset, offset, cause, what to do. Returns text. Call before the next update. */
LEAT_API const char *leat_event_text(const leat_streamer *streamer, const leat_event *event, char *text, size_t text_size);

/* ---- Statistics --------------------------------------------------------------------------------------------------- */

typedef struct leat_stats {
    /* counts since create */
    uint64_t requests_submitted, requests_ready, requests_failed, requests_cancelled;
    uint64_t reads_issued, reads_completed, reads_retried, reads_short; /* device reads */
    uint64_t bytes_read;      /* from files, alignment and gaps included */
    uint64_t bytes_packed;    /* of chunks decoded */
    uint64_t bytes_delivered; /* of ready requests */
    uint64_t bytes_copied;    /* copies besides the decode itself */
    uint64_t chunks_decoded, chunks_shared, chunks_skipped, chunks_damaged;
    uint64_t decode_ns;       /* CPU time of decoding and checking, all workers */
    uint64_t io_submit_calls, io_wait_calls; /* system calls of the I/O thread */
    uint64_t wake_calls; /* system calls that woke it, made by threads in their calls of Leat: submit and the like */
    uint64_t worker_wake_calls; /* the same, by decode workers */
    uint64_t io_rounds; /* of the I/O thread: it sleeps between rounds that found nothing to do */
    uint64_t reads_cached;    /* reads that went through the page cache */
    uint64_t deadlines_met, deadlines_missed, deadlines_announced;
    uint64_t estimate_error_ns; /* smoothed |predicted - actual| of requests with deadlines */
    /* levels now */
    uint32_t requests_live, requests_queued, requests_waiting_memory, reads_in_flight, decode_queued;
    uint32_t events_waiting; /* for leat_update; members' ends that a batch keeps to itself are counted as well */
    uint64_t bytes_queued;    /* packed */
    uint64_t bytes_in_flight;
    uint64_t window_bytes;
    uint64_t pool_bytes_used, lent_bytes_used;
    uint64_t bandwidth_bytes_per_second; /* packed, smoothed */
    uint64_t decode_bytes_per_second;    /* raw, all workers, smoothed; an assumption before it is measured */
    uint64_t latency_min_ns;             /* of the device, windowed minimum */
    uint32_t sq_ready, sq_space, cq_ready; /* io_uring: entries filled and not handed over, free, completed and not taken */
    uint64_t cq_overflows;   /* io_uring: how often the kernel kept completions back for lack of room (none is lost) */
    uint64_t sqpoll_wakeups; /* io_uring: system calls that woke the kernel's submitting thread */
    uint64_t ring_losses;    /* io_uring: rings that the kernel gave up midway; reading goes on with threads */
    uint64_t memory_bytes; /* all memory of the streamer, indices included */
} leat_stats;
LEAT_API void leat_stats_get(const leat_streamer *streamer, leat_stats *stats);

/* ---- Tracing ------------------------------------------------------------------------------------------------------ */

/* Starts to record what happens to every request and read, into a ring of leat_desc.trace_event_count records (40 bytes
 * each; a request takes about ten), which keeps the last ones; begins anew if it is on. No system call, no lock. Any
 * thread; one at a time. Errors: UNSUPPORTED if trace_event_count is 0. */
LEAT_API LEAT_CHECK leat_result leat_trace_start(leat_streamer *streamer);
/* Stops, and writes what the ring holds as a file that Perfetto, chrome://tracing and `leat trace` open. Blocks while it
 * writes; where that fails, it has stopped all the same. path NULL: only stops. error may be NULL. Any thread; one at a
 * time. Errors: ARGUMENT (not on), MEMORY, OS. */
LEAT_API LEAT_CHECK leat_result leat_trace_stop(leat_streamer *streamer, const char *path, leat_error *error);

#ifdef __cplusplus
}
#endif

#endif
