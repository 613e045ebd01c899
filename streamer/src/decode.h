/* decode.h - the second stage: check the hash, undo the codec, straight into the destination.
 *
 * A task is one chunk with one or more outputs: the ranges of its raw bytes that requests want. Tasks wait in one
 * priority queue, in the order of the requests that want them most, and any worker takes the best. A chunk is decoded
 * once: into the output that begins with it and reaches as far as any other, if there is one, else into the worker's
 * scratch memory; the other outputs are copied from there.
 *
 * The packed bytes have been read already, or the worker fetches them itself, just before it decodes them, so that they
 * are still in the cache of its core: with one call for a few neighbours, since a call costs as much as some KiB. What
 * cannot be fetched goes back to the owner as unread.
 *
 * Workers compute without a pause, and a thread that wakes beside them may wait for a tick of the kernel's clock (4 ms)
 * to get a core. So while the owner is in a hurry they offer theirs after each chunk.
 *
 * The owner's functions are called on the worker, outside of all locks. decode.c knows neither files nor requests.
 * With worker_count 0 there are no threads: decode_step() does the next task on the caller's thread. */
#ifndef LEAT_DECODE_H
#define LEAT_DECODE_H

#include "base.h"

#include <leat/pack_format.h>

#include <stdatomic.h>
#include <sys/uio.h>

typedef struct decode decode;

typedef struct decode_output {
    struct decode_output *next;
    uint8_t *memory; /* where raw bytes [begin, end) of the chunk go */
    uint32_t begin, end;
    uint32_t request;
    uint8_t slack; /* so many bytes behind `end` may be written too, and mean nothing */
    bool wanted; /* set by decode, from the owner's answer */
} decode_output;

typedef struct decode_key {
    uint64_t rank; /* smaller is better */
    uint64_t deadline_ns;
    uint64_t sequence;
} decode_key;

/* Is `a` better than `b`? */
static inline bool decode_key_before(const decode_key *a, const decode_key *b)
{
    if (a->rank != b->rank) {
        return a->rank < b->rank;
    }
    if (a->deadline_ns != b->deadline_ns) {
        return a->deadline_ns < b->deadline_ns;
    }
    return a->sequence < b->sequence;
}

typedef enum decode_state { DECODE_IDLE = 0, DECODE_QUEUED, DECODE_STARTED } decode_state;

typedef struct decode_task {
    /* set by the owner before decode_push */
    decode_key key;
    const leat_pack_chunk_record *record;
    const uint8_t *packed; /* may be where a stored chunk belongs; NULL: to be fetched */
    struct decode_task *behind; /* to be fetched: the next on disk of the same read, pushed together; or NULL */
    decode_output *outputs;
    uint32_t chunk; /* its number, for the owner */
    uint32_t read; /* for the owner */
    /* decode's, under its lock, from push to done */
    decode_state state;
    uint32_t heap_index;
    /* for done() */
    leat_result result;
    bool skipped; /* no output was wanted any more */
    bool unread; /* it could not be fetched: nothing was done */
    uint64_t bytes_copied;
    uint64_t time_ns; /* that it took */
    uint64_t ended_ns; /* when that was, by the machine's clock */
    uint32_t worker; /* which did it, 0 .. worker_count - 1 */
} decode_task;

typedef struct decode_desc {
    memory *memory;
    uint32_t worker_count; /* 0: decode_step */
    uint32_t task_count_max;
    const _Atomic uint32_t *hurry; /* not zero: somebody waits for more than a decode. May be NULL. */
    bool huge_pages; /* for the workers' scratch memory */
    void *owner;
    bool (*wanted)(void *owner, const decode_output *output); /* any worker; just before the decode */
    /* any worker: the bytes of its file from the packed ones of a task without them on, into these parts, one after the
     * other; never waits for a device. The parts may be written to. */
    bool (*fetch)(void *owner, const decode_task *task, struct iovec *parts, uint32_t part_count);
    void (*done)(void *owner, decode_task *task); /* any worker; the task is the owner's again */
    /* The caller of decode_change, under the lock: the key that a waiting task has by now, best of its outputs. */
    decode_key (*key)(void *owner, const decode_task *task);
} decode_desc;

/* NULL if memory or threads cannot be had. */
decode *decode_create(const decode_desc *desc);
/* Lets the tasks that were begun finish, hands the others back as skipped, and joins the workers. */
void decode_stop(decode *d);
void decode_destroy(decode *d); /* after decode_stop */

/* push and wake: one thread, the owner's. A worker that is woken may take the core of who wakes it: so first all is
 * pushed that there is, and then those are woken who are needed for it. */
void decode_push(decode *d, decode_task **tasks, uint32_t count);
void decode_wake(decode *d);
/* Adds an output to a task that waits; false if it is no longer waiting. Raises its key if `key` is better. */
bool decode_attach(decode *d, decode_task *task, decode_output *output, const decode_key *key);
/* Requests have another order: new keys for all waiting tasks. The thread that pushes. O(tasks waiting), under the lock
 * that workers need: so once for many requests. What a worker has taken is not reached, the neighbours that it has
 * fetched with one call included: their order is worth a millisecond at most, and to look for them more than that. */
void decode_change(decode *d);
/* Without workers: does the best task, and those that are fetched with it; false if there is none. */
bool decode_step(decode *d);
/* Threads that run: fewer than asked for, where no more could be started. Constant until decode_stop. */
uint32_t decode_worker_count(const decode *d);
uint32_t decode_queued(const decode *d); /* any thread; a snapshot */

#endif
