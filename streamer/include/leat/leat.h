/* clang-format off */ /* columns are kept by hand, and a declaration stands in one line */
/* leat/leat.h - asset streaming for game engines on Linux. The one header to include.
 *
 * A streamer reads parts of assets out of packs: mips of a texture, LODs of a mesh, bytes of anything. Requests go into a
 * priority queue; one I/O thread turns them into few, large reads (io_uring, or a pool of pread threads), workers check and
 * decode LZ4 straight into the destination, and leat_update() hands the results over as events, once per frame.
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
 * This file is to be read from end to end. What is to be looked up is in the headers that it includes:
 *
 *     leat/base.h         results (leat_result) and their meanings, leat_error, handles, the version
 *     leat/settings.h     leat_desc: memory, threads, limits, io_uring; leat_info: what the machine granted
 *     leat/assets.h       what an asset is: texture, mesh or material; texel formats, mips, LODs, vertices
 *     leat/reload.h       content that changes while the game runs: folders of loose files, leat_pack_swap
 *     leat/stats.h        leat_stats: counters and levels
 *     leat/trace.h        traces of every request's life
 *
 * and in two that it does not: leat/sim.h, a simulated device for tests, and leat/pack_format.h, the bytes of a pack.
 *
 * A REQUEST ends with exactly one terminal event (READY, FAILED or CANCELLED), whatever races with what; NEEDS_MEMORY and
 * LATE may come before. Its handle is stale after the leat_update() that follows the one which returned that event, or, if it
 * is READY in Leat's memory, from leat_release() on.
 *
 *     queued --> (needs memory) --> reading --> decoding --> ready --> [terminal event] --> (release)
 *        \____________\_____________\__________\__________\---> cancelled or failed
 *
 * MEMORY has one owner at a time. The destination is Leat's, lent from READY to leat_release(); or the caller's, which Leat
 * writes to, and nobody else touches, from submit or leat_bind() to the terminal event (leat_bind_kind).
 *
 * THREADS. Any thread may make any call at any time, except
 *     leat_update, leat_wait                one thread at a time (the "update thread")
 *     leat_trace_start, leat_trace_stop     one thread at a time
 *     leat_create, leat_destroy             alone: no other call on this streamer runs beside them
 * Only these block: leat_wait, leat_pack_open and leat_pack_swap (they read an index), leat_trace_stop, leat_create, leat_destroy.
 *
 * ERRORS are leat_result values, also for misuse that a program can survive: a handle whose object has ended (STALE), a full
 * queue (FULL: try again after leat_update), a bad range. Bytes from packs are hostile: whatever they hold, a request ends
 * with an event. NULL is for where a declaration says so; elsewhere it crashes, as in libc.
 *
 * VALUES. Sizes are in bytes, times in nanoseconds of CLOCK_MONOTONIC (of a stepped streamer: of the caller's clock,
 * leat_tick). Descs are zero-initialised by the caller. Handles are small structs; all zero is null. Structs grow only with the
 * soname. Since 0.1 where nothing else is said.
 */
#ifndef LEAT_LEAT_H
#define LEAT_LEAT_H

#include <leat/base.h>
#include <leat/settings.h>
#include <leat/assets.h>
#include <leat/reload.h>
#include <leat/stats.h>
#include <leat/trace.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Creating ----------------------------------------------------------------------------------------------------- */

/* Creates a streamer. desc (leat/settings.h) may be NULL. Blocks while it probes and touches the pool (milliseconds). To
 * register the pool with io_uring, it raises the process's soft RLIMIT_MEMLOCK as far as the hard one allows.
 * Errors: ARGUMENT, MEMORY, UNSUPPORTED (an explicit backend that cannot be had), OS. *streamer is NULL then. */
LEAT_API LEAT_CHECK leat_result leat_create(const leat_desc *desc, leat_streamer **streamer);

/* Ends everything, with any number of requests in flight: waits for reads that the device still has, decodes no more,
 * delivers no event, and does not touch the caller's memory afterwards. NULL is allowed.
 * After fork() a streamer is the parent's alone: the child may exec (descriptors close), exit, or call leat_destroy, which does
 * nothing there. If somebody has closed Leat's descriptors, a thread that nobody can wake is left as it is after two seconds,
 * with the streamer's memory, and the log says so. */
LEAT_API void leat_destroy(leat_streamer *streamer);

/* ---- Packs -------------------------------------------------------------------------------------------------------- */

typedef struct leat_pack_desc {
    int32_t layer;     /* higher layers hide assets of the same name in lower ones; on a tie the later pack wins */
    leat_error *error; /* optional: says in words what is wrong */
    leat_switch watch; /* reload it when it changes (leat/reload.h); by default on for folders, off for packs */
    uint32_t file_count_max; /* a folder with more files is refused; 0: 65536 */
} leat_pack_desc;

/* Opens a pack: reads and checks its index (O(index); milliseconds for 10^5 assets). desc may be NULL. For development, path may
 * be a folder, which is mounted as it is: its files are the assets, named by their paths from there (leat/reload.h).
 * Errors: ARGUMENT (watch; no path), NOT_FOUND, OS, FORMAT, VERSION, DAMAGED, TRUNCATED, LIMIT, MEMORY, FULL. */
LEAT_API LEAT_CHECK leat_result leat_pack_open(leat_streamer *streamer, const char *path, const leat_pack_desc *desc,
                                               leat_pack *pack);

/* Closes a pack, without waiting. Its requests that have not ended end as CANCELLED; its file is closed when the device has
 * given back what it reads of it. Errors: STALE. */
LEAT_API leat_result leat_pack_close(leat_streamer *streamer, leat_pack pack);

typedef struct leat_pack_info {
    uint32_t asset_count, chunk_count;
    uint64_t file_bytes, raw_bytes, index_bytes;
    uint64_t content_hash;
    int32_t layer;
    bool direct;  /* an O_DIRECT descriptor is open */
    bool folder;  /* loose files: file_bytes is their sum, chunk_count the pieces that they are read in */
    bool watched; /* asked for, and to be had (leat_pack_desc.watch) */
} leat_pack_info;
/* What an open pack is, in its present version. Errors: STALE (*info is zeroed). */
LEAT_API LEAT_CHECK leat_result leat_pack_info_get(const leat_streamer *streamer, leat_pack pack, leat_pack_info *info);

/* ---- Assets and their parts ---------------------------------------------------------------------------------------- */

/* The asset of that name, which is LEAT_NAME("literal") or leat_name_hash(name, size), in the highest layer; null if there is
 * none. O(packs). What it is, leat/assets.h tells without a read: leat_asset_texture, leat_asset_mesh and so on. */
LEAT_API leat_asset leat_asset_find(const leat_streamer *streamer, uint64_t name_hash);
/* The same in one pack. */
LEAT_API leat_asset leat_asset_find_in(const leat_streamer *streamer, leat_pack pack, uint64_t name_hash);
/* The asset at a position of a pack's table, 0 .. asset_count - 1; null beyond. */
LEAT_API leat_asset leat_asset_at(const leat_streamer *streamer, leat_pack pack, uint32_t position);

/* A part of an asset. All zero is the whole asset. */
typedef enum leat_part_kind {
    LEAT_PART_ALL = 0,
    LEAT_PART_MIPS = 1, /* first: the finest mip wanted (0: the largest); count: how many from there on, 0 = all smaller ones */
    LEAT_PART_LODS = 2, /* first: the finest LOD wanted; count likewise, 0 = all coarser ones */
    LEAT_PART_BYTES = 3 /* offset, size */
} leat_part_kind;
typedef struct leat_part {
    leat_part_kind kind;
    uint32_t first, count;
    uint64_t offset, size;
} leat_part;

/* The bytes of the asset that a part is; coarse levels lie first. Both are 0 on errors: STALE, NOT_FOUND, ARGUMENT (not in this
 * asset). */
LEAT_API LEAT_CHECK leat_result leat_asset_part(const leat_streamer *streamer, leat_asset asset, const leat_part *part,
                                                uint64_t *offset, uint64_t *size);

/* ---- Requests ----------------------------------------------------------------------------------------------------- */

/* Classes, in the order URGENT, HIGH, NORMAL, PREFETCH; within one, the nearest deadline first, then about as submitted (what
 * comes together, in disk order); clients by their shares (leat_desc.client_weights). */
typedef enum leat_priority {
    LEAT_NORMAL = 0,
    LEAT_URGENT = 1, /* goes out at once, on top of the window of bytes in flight */
    LEAT_HIGH = 2,
    LEAT_PREFETCH = 3, /* what may be wanted later */
    LEAT_PRIORITY_COUNT = 4
} leat_priority;

typedef enum leat_bind_kind {
    LEAT_BIND_LEAT = 0,   /* Leat's, lent from READY to leat_release, at a multiple of 16; requests wait for room in
                             leat_desc.lent_bytes */
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
    uint32_t flags;       /* leat_read_flags; others are refused (ARGUMENT) */
    void *memory;         /* for LEAT_BIND_CALLER: ordinary cached memory (not write-combined: decoding reads it) */
    uint64_t memory_size; /* bytes there, at least the part's */
    leat_batch batch;
    uint64_t tag;         /* for leat_selection */
    uint64_t user;        /* handed back in events */
} leat_read_desc;

/* Submits `count` requests in order, with no system call but one wake at most. requests: room for count handles, or NULL. Stops
 * at the first that cannot be taken: *taken (may be NULL) says how many were, and the result why the next was not: FULL, STALE,
 * NOT_FOUND, ARGUMENT (also a batch that has been ended), TOO_SMALL, LIMIT (LEAT_BIND_LEAT, and larger than lent_bytes).
 * Assets without bytes are READY at the next update. */
LEAT_API LEAT_CHECK leat_result leat_submit(leat_streamer *streamer, const leat_read_desc *descs, uint32_t count,
                                            leat_request *requests, uint32_t *taken);
/* One request. request may be NULL; on error it is the null handle. */
LEAT_API LEAT_CHECK leat_result leat_read(leat_streamer *streamer, const leat_read_desc *desc, leat_request *request);

/* Answers NEEDS_MEMORY with ordinary cached memory of at least the event's size; with less, the request ends as FAILED with
 * TOO_SMALL. Does nothing where nothing was asked, or the request is cancelled meanwhile: the memory is the caller's again with
 * the terminal event in any case. Errors: STALE, ARGUMENT (NULL), FULL. */
LEAT_API LEAT_CHECK leat_result leat_bind(leat_streamer *streamer, leat_request request, void *memory, uint64_t memory_size);

/* Gives a READY request's memory back to Leat (LEAT_BIND_LEAT); does nothing for others. Errors: STALE. */
LEAT_API leat_result leat_release(leat_streamer *streamer, leat_request request);

/* Cancels: what is queued is not read, what is read is not decoded, what is ready is not delivered. The request still ends with
 * one event, CANCELLED, unless its terminal event is out already. Errors: STALE. */
LEAT_API leat_result leat_cancel(leat_streamer *streamer, leat_request request);
/* The same for `count` requests, with one wake, faster than one by one. Passes over stale handles, and is STALE then; *cancelled
 * (may be NULL) says how many were not. A handle that is there twice is cancelled once and counted twice. Errors: STALE,
 * ARGUMENT (requests is NULL, count is not 0). */
LEAT_API leat_result leat_cancel_many(leat_streamer *streamer, const leat_request *requests, uint32_t count, uint32_t *cancelled);

/* New class and deadline (0: none), in force at every stage that is still before the request. While not all of it is being read,
 * another deadline, or the same in a lower class if it was not called late yet, is judged as if submitted with it now (LATE,
 * LEAT_READ_DEGRADE), and is the one that counts as met or missed. What was given up for a deadline does not come back with a
 * later one. Errors: STALE, ARGUMENT, FULL. */
LEAT_API leat_result leat_reprioritise(leat_streamer *streamer, leat_request request, leat_priority priority, uint64_t deadline_ns);

typedef struct leat_reprioritise_desc {
    leat_request request;
    leat_priority priority;
    uint64_t deadline_ns; /* 0: none */
} leat_reprioritise_desc;
/* The same for `count` requests, with one wake, in order: of a handle that is there twice, the later entry counts. Passes over
 * stale handles, and is STALE then. Stops at an entry that is refused for another reason, which is the result then: FULL,
 * ARGUMENT (no such priority; descs is NULL, count is not 0). *taken (may be NULL) says how many entries are dealt with, stale
 * ones included: on FULL, go on from there after leat_update. */
LEAT_API leat_result leat_reprioritise_many(leat_streamer *streamer, const leat_reprioritise_desc *descs, uint32_t count,
                                            uint32_t *taken);

/* Many requests at once: those that fit all criteria which are not zero. Applied by the I/O thread, in order with the
 * submissions of this thread; what is submitted later is not touched. Errors: ARGUMENT (no criterion; a tag with bits that are
 * not in tag_mask), STALE (a batch or pack that has ended), FULL. */
typedef struct leat_selection {
    uint64_t tag_mask, tag; /* (request tag & tag_mask) == tag, if tag_mask is not 0 */
    leat_batch batch;
    leat_pack pack;
    bool all; /* no criterion: everything */
} leat_selection;
LEAT_API leat_result leat_cancel_where(leat_streamer *streamer, const leat_selection *selection);
LEAT_API leat_result leat_reprioritise_where(leat_streamer *streamer, const leat_selection *selection, leat_priority priority,
                                             uint64_t deadline_ns);

/* A batch counts requests and ends with one event, which counts those that FAILED and describes the first of them. */
typedef struct leat_batch_desc {
    uint64_t user;   /* handed back in its event */
    bool only_end;   /* its members send no terminal events; their memory must be the caller's (LEAT_BIND_CALLER) */
    uint64_t *fence; /* optional: fence_value is stored here (release order) by the update that returns the event; it must be
                        there until then, or until leat_destroy */
    uint64_t fence_value;
} leat_batch_desc;
/* desc may be NULL. Errors: FULL. */
LEAT_API LEAT_CHECK leat_result leat_batch_begin(leat_streamer *streamer, const leat_batch_desc *desc, leat_batch *batch);
/* No member will be added any more; what another thread submits at this very moment is a member or is refused (ARGUMENT,
 * STALE). LEAT_EVENT_BATCH comes when all have ended (at the next update if there are none). Errors: STALE. */
LEAT_API leat_result leat_batch_end(leat_streamer *streamer, leat_batch batch);

/* What a request would get if it were submitted now, by the levels that the I/O thread published last; before a streamer's first
 * reads a guess, of 100 MB/s. In it: what is queued before it and in flight, bytes that are read once for many counted once; what
 * higher classes, and half of its own, have lately asked for in addition; its own read and decode. Not in it: waits for memory, its
 * own (the memory is taken to be there) and those of others (they are not before it); the decode of others; and that some of its
 * own bytes may be on their way for others, which makes it sooner. Errors: STALE, ARGUMENT. */
typedef struct leat_estimate_info {
    uint64_t ready_ns;         /* on the clock of deadlines */
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
    LEAT_EVENT_LATE = 5,         /* said at admission (of a streamer's first requests some reads later, when the device is
                                    known): the deadline cannot be met; part_possible can (kind 0: none). The request goes on
                                    as it was asked for. Once a deadline; of several between two updates the last is told.
                                    When memory will be given back cannot be predicted: who waits for it is judged as if it
                                    were there, and again when it is */
    LEAT_EVENT_BATCH = 6,        /* batch, count, failed_count, and the first failure as in FAILED */
    LEAT_EVENT_RELOADED = 7      /* asset, change (leat/reload.h): its pack has other content for it from now on; of no request */
} leat_event_type;

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
    uint64_t now_ns; /* stepped streamers: the virtual time, never less than before; 0: it stays. Others read the clock. */
    uint32_t event_count_max; /* 0, or more than in the desc: as in the desc */
    uint64_t time_ns_max; /* stop gathering after this long; 0: no limit */
} leat_tick;

/* Gathers events. Call once per frame. tick may be NULL. */
LEAT_API leat_events leat_update(leat_streamer *streamer, const leat_tick *tick);

/* As leat_update, but waits for at least one event; after timeout_ns (UINT64_MAX: never) it returns none. For tools, tests and
 * loading screens. In a stepped streamer it advances the clock instead (leat_desc.stepped). */
LEAT_API leat_events leat_wait(leat_streamer *streamer, uint64_t timeout_ns);

/* A descriptor that polls readable while events wait (for epoll loops), and once at first. Made at the first call; owned by the
 * streamer. -1 if it cannot be had. */
LEAT_API int leat_event_fd(leat_streamer *streamer);

/* The event in words, for people: pack, asset, offset, cause, what to do. Returns text. Call before the next update. */
LEAT_API const char *leat_event_text(const leat_streamer *streamer, const leat_event *event, char *text, size_t text_size);

#ifdef __cplusplus
}
#endif

#endif
