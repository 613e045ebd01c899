/* streamer.h - what the files of the streamer share: the request, the pack, the read, and the streamer that holds them.
 *
 *     streamer.c   create, destroy, and what was chosen
 *     submit.c     any thread: requests in, cancel, re-prioritise, bind, release, batches
 *     pump.c       the I/O thread: takes the mail, admits, selects
 *     sleep.c      how the I/O thread goes to sleep, and how it is woken
 *     deadlines.c  the I/O thread: what is said of deadlines that cannot be met
 *     shared.c     the I/O thread: chunks that several requests want
 *     reads.c      the I/O thread: queued requests become reads
 *     send.c       the I/O thread: reads go to the device, or to the workers
 *     completions.c the I/O thread: what the device and the workers give back
 *     finish.c     workers: a chunk is decoded; the last one of a request ends it
 *     posts.c      any thread: endings are posted; the update thread waits for them
 *     update.c     the update thread: endings become events
 *     packs.c      packs are opened, found and closed
 *     swap.c       a pack's content is replaced while it is in use
 *     assets.c     what the index says of an asset
 *
 * WHO OWNS A REQUEST. The submitting thread until its mail is posted; then the I/O thread until all its chunks have
 * been handed on; then whoever finishes its last chunk; then the update thread. Three words are shared by all and
 * atomic: the control word (handles.h) with the flags below, the count of chunks that are still open, and the mask of
 * its mail.
 *
 * `chunks_open` starts at one, for the I/O thread, and counts each chunk that was planned. Whoever takes it to zero
 * posts the terminal event: so there is exactly one, and no worker writes to the destination after it. */
#ifndef LEAT_STREAMER_H
#define LEAT_STREAMER_H

#include "arena.h"
#include "base.h"
#include "bounds.h"
#include "command_queue.h"
#include "decode.h"
#include "estimate.h"
#include "file.h"
#include "folder.h"
#include "handles.h"
#include "io.h"
#include "mpsc.h"
#include "pack_index.h"
#include "post_ring.h"
#include "region.h"
#include "reload.h"
#include "scheduler.h"
#include "trace.h"
#include "watch.h"
#include "window.h"

#include <leat/sim.h>

#include <pthread.h>
#include <stdatomic.h>

#define POOL_UNIT_SIZE LEAT_PACK_ALIGNMENT
#define LENT_UNIT_SIZE 1024u
#define TASK_NONE UINT32_MAX
#define RANK_EAGER_MAX 1u /* urgent and high are always in a hurry: see in_a_hurry */
#define DEADLINE_NEAR_NS (100 * NS_PER_MS) /* longer than a nap of the I/O thread */

/* Flags in a request's control word, beside HANDLE_FLAG_LIVE. */
enum {
    REQUEST_CANCELLED = 1 << 0, /* wanted no more: queued is not read, read is not decoded, ready is not delivered */
    REQUEST_FAILED = 1 << 1, /* failure details are claimed by whoever set this */
    REQUEST_DELIVERED = 1 << 2, /* the terminal event is out */
    REQUEST_LENT = 1 << 3, /* READY was delivered with memory of ours */
    REQUEST_RELEASED = 1 << 4 /* leat_release was called */
};

/* Mail to the I/O thread. */
enum { MAIL_SUBMIT = 1 << 0, MAIL_CANCEL = 1 << 1, MAIL_RELEASE = 1 << 2 };

/* The I/O thread's view of where a request is. */
typedef enum request_stage {
    STAGE_NONE = 0,
    STAGE_QUEUED, /* in sched */
    STAGE_NEEDS_BIND, /* NEEDS_MEMORY is out */
    STAGE_WAITING, /* in waiting_lent or waiting_bind */
    STAGE_ISSUED, /* all its chunks are planned, or given up */
} request_stage;

/* A part that can be made coarser: from this level of the asset on to its coarsest. */
#define LEVEL_NONE UINT16_MAX

/* What there was to say of a request's deadline (deadlines.c). */
typedef enum verdict {
    VERDICT_OPEN = 0, /* nothing yet, for what was known */
    VERDICT_IN_TIME,
    VERDICT_LATE, /* and it was said: who was degraded instead is in time, or open */
} verdict;

/* Links of the lists of unjudged requests, beside 1 + an index. */
#define UNJUDGED_NOT 0u /* is in none */
#define UNJUDGED_END UINT32_MAX

/* Three cache lines, by who touches them when: a submit writes the first two, an event reads the first, the queue's
 * work is in the third. The control word and the link for mail are in request_handles: dense, because they are met
 * alone. */
typedef struct request {
    /* What an event tells. Written before the submit mail, then only read, but for: */
    _Alignas(CACHE_LINE_SIZE) uint64_t user;
    uint64_t tag;
    leat_batch batch;
    uint8_t *memory; /* given by whoever has it: the submitter, a bind, the I/O thread */
    uint64_t size; /* raw bytes wanted; shrinks when the request degrades */
    uint64_t latency_ns; /* from submit to the end; by whoever ends it */
    uint32_t generation;
    uint32_t asset; /* position in that slot's index */
    uint16_t pack; /* slot, whose `handle` is the caller's; a reference is held until the terminal event is out */
    uint8_t bind; /* leat_bind_kind */
    bool degraded; /* by the I/O thread */
    bool has_deadline; /* deadline_wanted_ns, in the line that an event reads; by the I/O thread while it holds it */
    uint16_t lent_shift; /* LEAT_BIND_LEAT: where in its block the memory begins */

    /* What else was asked for. Written before the submit mail; from then on by the I/O thread while it holds the
     * request (deadline_wanted_ns, level, priority_wanted, counted_urgent), the rest only read. */
    _Alignas(CACHE_LINE_SIZE) uint64_t submitted_ns;
    uint64_t raw_begin; /* in the pack's raw space */
    uint64_t ticket; /* of the last selection before it */
    uint64_t deadline_wanted_ns; /* NO_DEADLINE: none. This and the class: of the last order that came in time */
    _Atomic uint32_t chunks_open; /* shared: see above */
    uint16_t level; /* LEVEL_NONE: cannot be coarser; by the I/O thread when it degrades */
    uint8_t client;
    uint8_t priority_wanted; /* leat_priority */
    uint8_t flags; /* leat_read_flags */
    bool counted_urgent; /* in urgent_live: by the submitter, then with request_count_urgent */
    /* By the one that set REQUEST_FAILED, read after chunks_open became 0. */
    int8_t failure; /* leat_result */
    /* By the I/O thread: */
    uint8_t charged_rank : 4; /* 1 + the class in which it was charged for memory that it has not yet; 0: it was not */
    bool shares : 1; /* counts on another one in the queue, or another on it (shared.c) */
    bool counts_all : 1; /* of so many chunks that it does not share any */
    int32_t failure_os;
    uint32_t failure_chunk;
    /* By the I/O thread while it holds the request; read by the update thread after the post that tells of it. */
    _Atomic uint16_t level_possible; /* of the last LATE; LEVEL_NONE: none */
    uint8_t verdict;
    _Atomic bool late_posted; /* a LATE is in the ring (deadlines.c, late_event) */
    uint64_t predicted_ns; /* 0: nothing was */

    /* The I/O thread's. Also its own copy of what selections ask for: the slot may have a new owner, who writes to the
     * originals. */
    _Alignas(CACHE_LINE_SIZE) struct {
        uint64_t tag, ticket;
        leat_batch batch;
        uint32_t generation, pack_generation;
    } admitted;
    uint16_t admitted_mount;
    uint8_t stage; /* request_stage; stays STAGE_ISSUED until the slot's next request is admitted */
    uint8_t rank;
    uint32_t unjudged_next; /* in the list `unjudged` or `to_judge` */
    uint64_t deadline_ns;
    uint64_t sequence;
    uint32_t chunk_next, chunk_end;
} request;
_Static_assert(sizeof(request) == (size_t)3 * CACHE_LINE_SIZE, "a request is three lines");

typedef struct batch {
    leat_batch_desc desc;
    _Atomic bool only_end; /* desc's; who submits may look at it while the slot is used anew, and is refused then */
    /* update thread */
    uint32_t ended, failed_count;
    leat_event first_failure;
    /* the mask of its mail, in batch_handles, says that it is posted */
} batch;
/* A batch's control word: flags, and above them its members. In one word: who adds one finds it open and counts itself
 * in one step, or is refused, and none is counted to what the slot is used for next. */
enum { BATCH_SEALED = 1 << 0, BATCH_DELIVERED = 1 << 1, BATCH_MEMBER = 1 << 2 };
static inline uint32_t batch_member_count(uint32_t flags)
{
    return (flags & ~HANDLE_FLAG_LIVE) / BATCH_MEMBER;
}

/* What a leat_pack names is a mount; what it shows is a slot: one version of the pack's content. A swap fills another
 * slot and lets the mount show that. Requests hold the slot that they were submitted to, so each ends with the content
 * that it began with. */
typedef enum mount_stage { MOUNT_FREE = 0, MOUNT_OPENING, MOUNT_OPEN, MOUNT_CLOSING } mount_stage;

typedef struct pack_mount {
    _Atomic uint64_t view; /* generation << 32 | slot + 1; 0 in the lower half: shows nothing */
    _Atomic uint32_t stage; /* mount_stage */
    _Atomic uint32_t watched; /* the generation that is watched, for leat_pack_info; 0: none */
    uint32_t closing; /* MOUNT_CLOSING: the generation whose requests are to be cancelled */
} pack_mount;

/* What leat_pack_open was given, resolved; a swap hands it on. */
typedef struct pack_options {
    int32_t layer;
    bool watched;
    uint32_t file_count_max;
} pack_options;

/* A chunk that queued requests want (shared.c): 1 + index each, or 0. */
typedef struct chunk_want {
    uint32_t counted_by;
    uint32_t relied_on_by; /* the last one that counts on that; those before it: relied_before */
} chunk_want;

typedef enum pack_stage { PACK_FREE = 0, PACK_OPENING, PACK_OPEN, PACK_CLOSING } pack_stage;

typedef struct pack_slot {
    _Atomic uint32_t references; /* 0: cannot be had. One is the slot's own until it shows nothing any more. */
    _Atomic uint32_t stage; /* pack_stage */
    /* constant while open; on another line than the count that everybody writes */
    _Alignas(CACHE_LINE_SIZE) leat_pack handle;
    pack_options options;
    uint64_t order; /* of opening: breaks ties of layers */
    pack_index index;
    asset_ids ids;
    disk_file file; /* of a pack */
    folder folder; /* of loose files: index.loose */
    uint64_t content_hash;
    void *index_bytes;
    uint64_t index_size;
    uint32_t *directory;
    uint64_t directory_count;
    chunk_want *wants; /* of each chunk; the I/O thread's */
    uint64_t want_count;
    char *path;
    uint64_t path_size;
    /* replaced by a swap: written by the swapping thread, then the update thread's (swap.c) */
    reload_changes changes;
    uint32_t change_next;
    /* I/O thread */
    uint32_t io_file;
    bool direct; /* O_DIRECT works, as far as is known */
    uint32_t cached_score; /* 0 .. CACHED_SCORE_MAX: how much of the last reads was in the page cache */
    uint32_t cached_skip; /* reads until the page cache is asked again */
} pack_slot;

typedef enum read_stage {
    READ_FREE = 0,
    READ_BUILDING,
    READ_WAITING, /* its chunks were not in the page cache after all: for the device, as soon as there is room */
    READ_IN_FLIGHT,
    READ_DECODING
} read_stage;

/* Where a read lands. */
typedef enum read_place {
    READ_INTO_POOL = 0,
    READ_INTO_DESTINATION, /* stored chunks, aligned, wanted whole: nothing is left to do but to check them */
    READ_BY_WORKERS, /* the page cache has it: each chunk is fetched by the worker that decodes it */
} read_place;

typedef struct read_task {
    decode_task decode;
    uint32_t next_in_bucket; /* task number */
    leat_result failure; /* set by the I/O thread: do not decode */
    int32_t failure_os;
} read_task;

typedef struct read_op {
    read_stage stage;
    uint32_t generation;
    uint32_t pack;
    uint32_t rank;
    uint64_t file_offset; /* of the buffer's first byte */
    uint64_t size; /* of the whole read: to the end of its last chunk */
    uint8_t *buffer; /* in the pool, or the destination; NULL: READ_BY_WORKERS */
    read_place place;
    uint32_t task_count;
    bool urgent, split;
    bool eager; /* a request that is in a hurry waits for it */
    uint32_t split_task; /* split: which chunk is being read alone */
    uint64_t done; /* bytes there, from the start of the present (sub-)read */
    uint64_t part_offset, part_size; /* the present (sub-)read within the buffer */
    uint32_t retries, error_retries;
    uint64_t issued_ns;
    uint64_t window_size; /* charged */
    _Atomic uint32_t tasks_open;
    mpsc_link returned;
    uint32_t next_free;
    read_task tasks[READ_TASK_COUNT_MAX];
} read_op;

/* Counters, each written by one kind of thread; all relaxed, read by leat_stats_get. */
typedef struct counters {
    _Alignas(CACHE_LINE_SIZE) _Atomic uint64_t submitted; /* submitters */
    _Alignas(CACHE_LINE_SIZE) _Atomic uint64_t wake_calls, worker_wake_calls;
    _Alignas(CACHE_LINE_SIZE) _Atomic uint64_t bytes_packed, bytes_unpacked, bytes_copied, chunks_decoded, /* workers */
        chunks_skipped, chunks_damaged, decode_ns;
    _Alignas(CACHE_LINE_SIZE) _Atomic uint64_t ready, failed, cancelled, bytes_delivered, deadlines_met, /* update */
        deadlines_missed, estimate_error_ns, slots_freed, posts_taken;
    _Alignas(CACHE_LINE_SIZE) _Atomic uint64_t reads_issued, reads_completed, reads_retried, reads_short, /* I/O */
        bytes_read, chunks_shared, reads_cached, deadlines_announced, submit_calls, wait_calls;
    _Atomic uint64_t requests_queued, requests_waiting_memory, reads_in_flight, bytes_queued, bytes_in_flight,
        window_bytes, pool_used, lent_used, slots_released, bandwidth, latency_min;
    _Atomic uint64_t decode_rate; /* raw bytes per second, all workers; assumed before it is measured */
    _Atomic uint64_t io_rounds;
    _Atomic uint64_t levels[ESTIMATE_LEVEL_WORDS]; /* an estimate_levels, for leat_estimate */
    _Atomic uint64_t sq_ready, sq_space, cq_ready, cq_overflows, sqpoll_wakeups, ring_losses;
} counters;

typedef enum sleep_state {
    SLEEP_AWAKE = 0,
    SLEEP_DEEP, /* nothing but urgent work can make a difference before the next completion */
    SLEEP_NAP, /* the workers have enough to do: completions are not looked at, and only what is in a hurry wakes */
    SLEEP_SHORT, /* a completion will end it soon: only what is in a hurry wakes, the rest at the next update at the
                    latest */
    SLEEP_LIGHT, /* any mail wakes */
} sleep_state;

/* What the update thread does, for those who post events. */
typedef enum update_state {
    UPDATE_AWAY = 0, /* it will look */
    UPDATE_WAITS, /* in leat_wait: any event wakes */
    UPDATE_NAPS, /* in leat_wait, for some milliseconds at most: what is in a hurry wakes */
} update_state;

/* Whether the descriptor of events is readable, so that one write and one read of it serve many posts. Above the mask
 * signals are counted: who was held up does not take another's for its own. */
enum {
    SIGNAL_NONE = 0, /* it is not: whoever posts writes */
    SIGNAL_BEGUN = 1, /* somebody is writing: nobody else needs to */
    SIGNAL_WRITTEN = 2, /* it is: the update thread reads it empty before it looks at the posts */
    SIGNAL_MASK = 3,
    SIGNAL_STEP = 4,
};

/* Whose turn it is at one kind of memory that requests wait for. */
typedef struct memory_turn {
    uint32_t taken; /* requests that got some since an overdue one did */
    uint64_t kept_until_ns; /* it is kept for an overdue one; 0: it is not */
    uint64_t kept_again_ns; /* and not before then */
} memory_turn;

/* Requests in a row of unjudged_next: 1 + index of the first, or UNJUDGED_END, and of the last of some. */
typedef struct judge_list {
    uint32_t first, last;
} judge_list;

/* Of those that are judged one after another: what those with this class and deadline want. */
#define JUDGED_ALIKE_COUNT 16u
typedef struct judged_alike {
    uint64_t deadline_ns, bytes;
    uint32_t rank;
} judged_alike;

/* Something whose last event is out. All that is needed to free it: by the next update the request is in no cache. */
typedef struct ended_object {
    uint32_t index;
    uint8_t kind; /* the post_kind of that event */
    bool lent; /* of a request: the I/O thread has memory of it to free first */
    uint16_t pack; /* of a request: the slot that it holds */
} ended_object;

struct leat_streamer {
    /* constant after create */
    leat_desc desc;
    leat_sim_desc sim; /* which desc.sim names, if one was given */
    leat_logger log;
    memory memory;
    uint64_t memory_live; /* changes, by atomic adds of whoever opens and closes; leat_stats tells it */
    pid_t owner; /* the process that created it: a forked child has none of its threads */
    leat_info info;
    const io_ops *io_ops;
    io_backend *io;
    region pool_region, lent_region;
    decode *decode;
    bool io_thread_runs;
    pthread_t io_thread;
    uint64_t read_bytes_max; /* desc's, but never so much that one read could not have the pool to itself */
    uint64_t decode_bytes_dry, decode_bytes_low, decode_bytes_high; /* packed bytes in the decode stage: see reads.c */
    trace trace; /* its ring is everybody's; began_ns and begin_ticket are those of who starts and stops it */

    /* any thread */
    handle_table request_handles;
    request *requests;
    uint32_t
        *relied_before; /* of a request that shares: 1 + who relied on the same before it, or 0; a guess (shared.c) */
    handle_table batch_handles;
    batch *batches;
    pack_mount *mounts; /* pack_count_max */
    pack_slot *packs; /* slot_count: one for each mount, and SPARE_SLOT_COUNT */
    uint32_t slot_count;
    _Atomic uint64_t pack_order;
    pthread_mutex_t swap_lock; /* between those who swap packs; held while the new index is read */
    mount_watch *watches; /* of mounts; this and the next four: guarded by swap_lock */
    struct pollfd *watch_polls; /* the thread's */
    bool watch_runs;
    pthread_t watch_thread;
    int watch_event_fd; /* wakes the thread; constant once `watching` */
    _Atomic bool watching; /* something has been watched: the thread is there, unless stepped */
    _Atomic uint32_t pack_chores; /* mounts that the I/O thread must sweep, slots that it must free */
    mpsc_list mail;
    command_queue commands;
    _Atomic uint64_t ticket; /* counts selections; a request remembers those before it */
    _Alignas(CACHE_LINE_SIZE) _Atomic uint32_t urgent_live; /* workers yield while some urgent one has not ended */
    _Alignas(CACHE_LINE_SIZE) _Atomic uint32_t sleep; /* sleep_state */
    _Atomic bool wake_owed; /* WAKE_LATER: mail was posted, and nobody told */
    _Atomic bool wake_lost; /* a wake was refused for good */
    _Atomic uint32_t memory_waits; /* 1 << leat_bind_kind: such memory was waited for when the thread went to sleep */
    _Atomic bool stopping;
    _Atomic uint64_t now_ns; /* stepped: the caller's clock */
    counters counters;

    /* the I/O thread */
    _Alignas(CACHE_LINE_SIZE) sched_store *queues; /* a request is in one of these three: */
    sched *sched;
    sched *waiting_lent; /* for memory of ours, until something is released */
    sched *waiting_bind; /* for the engine to answer what it was asked before; in the same order, both */
    uint64_t bind_bytes_asked; /* of NEEDS_MEMORY events that have no answer yet */
    memory_turn memory_turns[LEAT_BIND_LATE + 1];
    bool memory_came_free[LEAT_BIND_LATE + 1]; /* or another one is first among those that wait for it: see pump.c */
    window *window;
    estimate estimate;
    judge_list to_judge; /* who is looked at now, so many a round (deadlines.c) */
    judge_list unjudged; /* who is looked at again as more is known */
    window_knowledge judged_with; /* when that was done last */
    bool judge_again; /* one of `unjudged` has another deadline */
    judged_alike judged_alike[JUDGED_ALIKE_COUNT];
    arena *pool;
    arena *lent;
    read_op *reads;
    uint32_t read_free_head;
    uint32_t reads_busy; /* not READ_FREE */
    uint32_t reads_in_flight; /* given to the backend, or waiting to be */
    uint32_t reads_eager; /* those of them whose end cannot wait */
    bool eager_waits; /* the last issue has left a request that is in a hurry waiting for room in the window */
    uint32_t *again_ring; /* READ_WAITING */
    uint32_t again_head, again_count;
    bool posted; /* events, in this round */
    uint64_t urgent_ns; /* when the last urgent request was admitted; 0: none was */
    uint64_t hurry_ns; /* the same for the last that was in a hurry */
    uint64_t read_bytes_now; /* how long reads may be at present: see reads.c */
    bool napped; /* the completions that are taken next may have been there for a while */
    uint64_t rate_raw_seen, rate_ns_seen; /* up to where decode_rate was measured */
    uint32_t *submit_ring; /* reads that the backend has still to take */
    uint32_t submit_head, submit_count;
    decode_output *outputs;
    decode_output *output_free;
    uint32_t *chunk_buckets; /* hash of (pack, chunk) to a task that has it */
    uint64_t sequence; /* shared by what is admitted within TOGETHER_NS of sequence_ns */
    uint64_t sequence_ns;
    uint32_t request_high; /* slots ever used are below this */
    bool reordered; /* requests with chunks on their way were re-prioritised: see reads_reorder */
    bool issue_blocked; /* the last issue stopped before the queue was empty */
    bool short_of_buffers; /* and not for the window, but for what returned reads bring: pool, reads, outputs */
    uint64_t levels_traced_ns;
    uint64_t step_decode_rate; /* stepped, on a simulated device: raw bytes per second; 0: decoding takes no time */
    uint64_t step_decode_free_ns; /* when its one worker is free again */
    mpsc_list returned; /* reads whose tasks are done */
    _Atomic bool starving; /* the I/O thread waits for returned reads */
    _Atomic uint64_t decode_bytes; /* packed, in the decode stage; I/O thread up, workers down */
    _Atomic uint32_t chunks_unread; /* in returned reads, posted or about to be */

    /* the update thread */
    post_ring posts;
    ended_object *ended; /* slots to free at the next update */
    uint32_t ended_count;
    uint32_t *ended_batch; /* those of them that are freed with one push */
    uint32_t release_slot, release_count; /* references to packs that are given back together */
    leat_event *events;
    /* and whoever posts */
    _Alignas(CACHE_LINE_SIZE) _Atomic int event_fd;
    _Atomic uint32_t event_signal; /* SIGNAL_... */
    _Atomic bool event_fd_public; /* the engine has it: every post signals */
    _Atomic bool event_fd_refused; /* a signal could not be written, and that was said */
    _Atomic uint32_t update_waits; /* update_state */
};

/* How soon the I/O thread must know of mail that was posted, should it sleep: each sooner than those before it. */
typedef enum wake_kind {
    WAKE_LATER, /* with the next leat_update, before which nobody could see the difference: see streamer_wake_owed */
    WAKE_MEMORY, /* memory has come free: WORK if a request waits for some, else LATER */
    WAKE_ORDER, /* requests change their order: WORK if some wait to be decoded, else LATER */
    WAKE_WORK_LENT, /* WORK for memory of ours: LATER if other requests wait for such */
    WAKE_WORK_LATE, /* WORK for memory that the engine will be asked for: LATER if others wait to ask */
    WAKE_WORK, /* there is something to do, which has time until the next completion, if one is to come (SLEEP_SHORT) */
    WAKE_ORDER_SOON, /* a request is in a hurry from now on: SOON, but LATER if nothing is left whose order could change
                      */
    WAKE_SOON, /* there is something to do for who is in a hurry, unless it must wait for the next completion anyway
                  (SLEEP_DEEP) */
    WAKE_ORDER_NOW, /* a request has become urgent: NOW, but LATER if nothing is left whose order could change */
    WAKE_NOW,
    WAKE_BY_WORKER, /* NOW, and counted apart */
} wake_kind;

/* streamer.c */
uint64_t streamer_now(const leat_streamer *s);

/* sleep.c */
void streamer_wake(leat_streamer *s, wake_kind kind); /* after mail was posted */
void streamer_wake_owed(leat_streamer *s); /* the update thread: makes the call that WAKE_LATER has put off */
void streamer_wake_for_returned(leat_streamer *s); /* a worker: after it has posted a read to `returned` */
/* The I/O thread, before it takes the mail: whoever owes a wake later will be heard again, whoever owed one before has
 * posted before. */
void sleep_forget_owed(leat_streamer *s);
void pump_sleep(leat_streamer *s, uint64_t now_ns); /* the I/O thread: until there is something to do */

/* packs.c */
pack_slot *pack_acquire(const leat_streamer *s, leat_pack pack); /* NULL: stale. Release with pack_release. */
bool pack_alive(const leat_streamer *s, leat_pack pack); /* is this handle one of an open pack? */
pack_slot *pack_acquire_many(const leat_streamer *s, leat_pack pack,
                             uint32_t count); /* references of one pack at once */
/* Some version of the pack, replaced ones included, that has this asset; NULL: none is alive. */
pack_slot *pack_acquire_version(const leat_streamer *s, leat_asset asset);
void pack_release(leat_streamer *s, pack_slot *slot);
void pack_release_many(leat_streamer *s, pack_slot *slot, uint32_t count); /* references of one slot at once */
void pack_let_go(leat_streamer *s, pack_slot *slot); /* the slot's own reference: it is freed after the last other */
pack_slot *pack_slot_claim(leat_streamer *s); /* NULL: all are in use */
/* Opens what is at `path`, a pack or a folder. before: the version that is replaced, or NULL. watch_fd: inotify, or -1;
 * *watched says whether all of it could be watched. */
typedef struct slot_source {
    const char *path;
    const pack_slot *before;
    int watch_fd;
} slot_source;
leat_result pack_slot_fill(leat_streamer *s, pack_slot *slot, const slot_source *source, bool *watched,
                           leat_error *error);
void pack_slot_drop(leat_streamer *s, pack_slot *slot); /* gives a claimed slot back, filled or not */
void pack_slot_start(leat_streamer *s, pack_slot *slot, leat_pack handle); /* filled: may be shown */
void packs_retire(leat_streamer *s); /* the I/O thread: frees slots without references */
void packs_free(leat_streamer *s); /* destroy */
static inline uint64_t mount_view(uint32_t generation, uint32_t slot)
{
    return (uint64_t)generation << 32 | (slot + 1);
}

/* watch.c; all but watch_wake with the swap lock held, or alone */
bool watch_start(leat_streamer *s); /* the thread, where there may be one */
void watch_set(leat_streamer *s, leat_pack pack, watch_source source, bool loose); /* takes the descriptor over */
void watch_follow(leat_streamer *s, leat_pack pack); /* it has another path now */
void watch_end(leat_streamer *s, leat_pack pack);
uint64_t watch_tend(leat_streamer *s, uint64_t now_ns); /* swaps what is due; when the next is, or UINT64_MAX */
void watch_wake(leat_streamer *s); /* any thread */
bool watch_stop(leat_streamer *s); /* false: the thread could not be woken, and is still there */

/* swap.c */
leat_result swap_locked(leat_streamer *s, leat_pack pack, const char *path, leat_error *error);
uint32_t swap_events(leat_streamer *s, uint32_t slot, leat_event *events, uint32_t room, bool *done);

/* assets.c */
leat_result asset_locate(const pack_slot *slot, leat_asset asset, uint32_t *position); /* ARGUMENT, NOT_FOUND */
leat_result asset_part(const pack_slot *slot, uint32_t asset, const leat_part *part, uint64_t *offset, uint64_t *size);
/* Parts that can be made coarser by one number: "this level and all coarser ones", which is a prefix of the asset. */
uint16_t asset_level(const leat_part *part); /* of a part that the asset has; LEVEL_NONE: is not such a part */
/* False: the asset has no such level, or none at all. */
bool asset_level_size(const pack_slot *slot, uint32_t asset, uint16_t level, uint64_t *size);
leat_part asset_level_part(const pack_slot *slot, uint32_t asset, uint16_t level);

/* pump.c */
void pump_publish(leat_streamer *s, uint64_t now_ns); /* levels for other threads */
bool pump_run(leat_streamer *s, uint64_t now_ns); /* true if anything was done */
void *pump_main(void *streamer);
void pump_requeue(leat_streamer *s, uint32_t index); /* into sched, with its own key */
void pump_take_out(leat_streamer *s, uint32_t index); /* of sched, with something of it unread */
sched *pump_waiting_queue(const leat_streamer *s, const request *r); /* where it waits for memory of its kind */
void request_give_up(leat_streamer *s, uint32_t index); /* no chunk of it is planned any more */

/* deadlines.c, the I/O thread */
void deadlines_admit(leat_streamer *s, request *r, uint32_t index, uint64_t now_ns); /* of one that has a deadline */
/* A request that is not issued has another class, or another deadline than before: it will be looked at. */
void deadlines_change(leat_streamer *s, request *r, uint32_t index, uint32_t rank_before, uint64_t deadline_before_ns);
/* It is in the queue again, after it has waited for memory. */
void deadlines_wait_ends(leat_streamer *s, request *r, uint32_t index, uint64_t now_ns);
/* Once a round: at those, and at others as more is known of the device. True: there are more of them. */
bool deadlines_look(leat_streamer *s, uint64_t now_ns);

/* shared.c, the I/O thread */
/* It is about to come into the queue (sched_push): what of its bytes is not to count there. O(chunks). */
uint64_t shared_enter(leat_streamer *s, request *r, uint32_t index);
/* It has left the queue, or is about to, with chunks that are not read, and shares some. O(chunks). */
void shared_leave(leat_streamer *s, request *r, uint32_t index);
void shared_change(leat_streamer *s, request *r, uint32_t index, uint64_t now_ns); /* it has another turn */
/* What others bring of its chunks up to chunk_end, which are ahead of it or on their way. own_bytes: of what is ahead,
 * its own. */
uint64_t shared_ahead(const leat_streamer *s, const request *r, uint32_t index, uint32_t chunk_end, uint64_t own_bytes);

/* finish.c, any inner thread but for request_drop */
void request_drop(leat_streamer *s, request *r, uint32_t index); /* one less in chunks_open; the I/O thread */
void request_fail(leat_streamer *s, request *r, uint32_t index, leat_result result, int os_error, uint32_t chunk);
uint32_t request_flags(const leat_streamer *s, uint32_t index);

/* reads.c */
void reads_issue(leat_streamer *s, uint64_t now_ns, bool *worked);
/* Back into the queue from those that wait for memory, since there is some for it. It is charged to its client, as
 * bytes that are read are, so that who waits gets memory by class and share as well; what it does not get is paid back.
 */
void reads_wake(leat_streamer *s, uint32_t index, uint64_t now_ns);
/* It was woken, and is not to have so much of that memory: it has ended (all of it), or wants less. */
void reads_pay_back(leat_streamer *s, request *r, uint64_t size);
/* Has somebody who waits for such memory waited for too long, and the next turn? Then it gets some, if there is enough.
 * True: there is not, and it is kept for that one: nobody but urgent ones takes any. For a while only, since who holds
 * the rest may not give it back. */
bool reads_overdue_waits(leat_streamer *s, leat_bind_kind bind);
/* When the I/O thread must look again, though nothing comes; UINT64_MAX: never. */
uint64_t reads_memory_kept_until_ns(const leat_streamer *s);
bool reads_pool_has_room(leat_streamer *s, uint64_t size, bool urgent);
void reads_regard(leat_streamer *s, read_op *rd, uint64_t now_ns); /* rank and hurry: of who waits for it now */
/* Requests have another class or deadline: so have the chunks of them that are on their way. O(chunks on their way). */
void reads_reorder(leat_streamer *s, uint64_t now_ns);
/* The key of who wants a chunk most; counts those that are urgent. The I/O thread, before the chunk goes to the
 * workers, or under their lock. */
decode_key reads_task_key(void *streamer, const decode_task *task);
bool reads_chunk_comes(const leat_streamer *s, uint32_t pack,
                       uint32_t chunk); /* another one may still get it as well */
static inline uint32_t *reads_bucket(const leat_streamer *s, uint32_t pack, uint32_t chunk)
{
    uint64_t key = ((uint64_t)pack << 32 | chunk) * 0x9e3779b97f4a7c15u;
    return &s->chunk_buckets[key >> (64 - 12)];
}
_Static_assert(CHUNK_BUCKET_COUNT == 1u << 12, "reads_bucket takes the top 12 bits");
void reads_note_chunk(leat_streamer *s, uint32_t pack, uint32_t chunk, uint32_t number);
void reads_forget_chunk(leat_streamer *s, uint32_t pack, uint32_t chunk, uint32_t number);
void reads_cached_was_wrong(pack_slot *slot);

/* send.c */
read_op *reads_take(leat_streamer *s); /* to be planned; NULL: all are busy */
void reads_put(leat_streamer *s, read_op *rd); /* free again */
void reads_send(leat_streamer *s, read_op *rd, uint64_t now_ns); /* for the first time: one that is planned */
/* Those that the page cache did not have, to the device. False if one must wait. */
bool reads_send_again(leat_streamer *s, uint64_t now_ns, bool *worked);
void reads_queue(leat_streamer *s, read_op *rd); /* to be submitted, or submitted again */
void reads_flush(leat_streamer *s, uint64_t now_ns, bool *worked); /* what is queued, to the backend */
void reads_push_tasks(leat_streamer *s, decode_task **tasks, uint32_t count); /* to the decode stage */

/* completions.c */
bool reads_reap(leat_streamer *s, uint64_t now_ns);
bool reads_take_back(leat_streamer *s, uint64_t now_ns);

bool finish_wanted(void *streamer, const decode_output *output);
bool finish_fetch(void *streamer, const decode_task *task, struct iovec *parts, uint32_t part_count);
void finish_task(void *streamer, decode_task *task);

/* posts.c */
/* soon: worth to wake who naps in leat_wait. */
void post_event(leat_streamer *s, post_kind kind, uint32_t index, bool soon);
/* The I/O thread: the engine is told of all of them at once, at the end of the round, with post_signal. */
void post_event_later(leat_streamer *s, post_kind kind, uint32_t index);
void post_batch(leat_streamer *s, uint32_t index); /* it may be complete */
void post_signal(leat_streamer *s);
void post_signal_now(leat_streamer *s); /* the descriptor of events becomes readable */
void post_signal_take(leat_streamer *s, int fd); /* the update thread: and is no more, before it looks at the posts */
int posts_event_fd(leat_streamer *s); /* that descriptor, which is made now if there is none; -1: not to be had */
void posts_await(leat_streamer *s, int fd, uint64_t left_ns); /* the update thread: sleeps until something was posted */

/* Such a request does not wait until the workers have less to do, neither to be taken nor to be read, and the I/O
 * thread does not nap while a read for it is out. */
static inline bool in_a_hurry(uint32_t rank, uint64_t deadline_ns, uint64_t now_ns)
{
    return rank <= RANK_EAGER_MAX || deadline_ns < now_ns + DEADLINE_NEAR_NS;
}

/* As long as an urgent one has not ended, the workers offer their cores: counts it as one, or no more, by its class.
 * The I/O thread, while a share in chunks_open cannot go: its own, that of a chunk which has not gone to the workers,
 * or of one that waits for them, under their lock. */
static inline void request_count_urgent(leat_streamer *s, request *r)
{
    bool urgent = r->rank == 0;
    if (r->counted_urgent != urgent) {
        r->counted_urgent = urgent;
        atomic_fetch_add_explicit(&s->urgent_live, urgent ? 1u : 0u - 1u, memory_order_relaxed);
    }
}

/* A request's link for mail to the I/O thread. */
static inline mpsc_link *mail_link(const leat_streamer *s, uint32_t index)
{
    return &s->request_handles.slots[index].mail;
}

/* A point of the trace, at a time that the caller has anyway. Any thread. */
static inline void trace_point_at(leat_streamer *s, uint64_t time_ns, trace_kind kind, uint32_t index,
                                  uint32_t generation, uint64_t value, uint64_t more)
{
    if (trace_is_on(&s->trace)) {
        trace_write(&s->trace, kind, time_ns, index, generation, value, more);
    }
}
/* The same, now. To read the clock is most of what a record costs. */
static inline void trace_point(leat_streamer *s, trace_kind kind, uint32_t index, uint32_t generation, uint64_t value,
                               uint64_t more)
{
    if (trace_is_on(&s->trace)) {
        trace_write(&s->trace, kind, streamer_now(s), index, generation, value, more);
    }
}

static inline void count_add(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}
/* For counters with one writer: no locked instruction. */
static inline void count_own(_Atomic uint64_t *counter, uint64_t amount)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount, memory_order_relaxed);
}
static inline void level_set(_Atomic uint64_t *level, uint64_t value)
{
    atomic_store_explicit(level, value, memory_order_relaxed);
}

#endif
