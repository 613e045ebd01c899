/* decode_queue.h - the chunks that wait to be decoded, best first: a binary heap.
 *
 * The keys lie in the heap itself, side by side, and not in the tasks, which the I/O thread has written and which are
 * in none of a worker's caches: what is compared is near, and the lock that guards the queue is held briefly. No locks
 * here; whoever calls holds decode's. */
#ifndef LEAT_DECODE_QUEUE_H
#define LEAT_DECODE_QUEUE_H

#include "decode.h"

typedef struct decode_entry {
    decode_key key;
    decode_task *task;
    uint32_t chunk;
} decode_entry;

typedef struct decode_queue {
    decode_entry *entries; /* room for as many as are ever pushed: the owner's */
    uint32_t count;
} decode_queue;

/* The task becomes DECODE_QUEUED, with the key that it has. */
void decode_queue_push(decode_queue *q, decode_task *task);
/* Out of the queue, from wherever in it: DECODE_STARTED. */
void decode_queue_take(decode_queue *q, decode_task *task);
/* A task that waits gets a better key. */
void decode_queue_raise(decode_queue *q, decode_task *task, const decode_key *key);
/* New keys for all tasks: the owner says which. O(tasks). */
void decode_queue_change(decode_queue *q, const decode_desc *desc);

#endif
