/* command_queue.h - bounded queue of commands from any thread to the I/O thread.
 *
 * For what does not fit into the mail of a request (mpsc.h) because it carries values. Dmitry Vyukov's bounded MPMC
 * queue, with one consumer: each cell has a sequence number that says whose turn it is. A producer that is preempted
 * between its claim and its store delays the consumer, never another producer. Who pushes behind it meanwhile wakes the
 * consumer for nothing, and so the one who was preempted, once it goes on, wakes it for them. Full is an answer. */
#ifndef LEAT_COMMAND_QUEUE_H
#define LEAT_COMMAND_QUEUE_H

#include "base.h"

#include <stdatomic.h>

typedef enum command_type {
    COMMAND_BIND = 1,
    COMMAND_REPRIORITISE,
    COMMAND_CANCEL_WHERE,
    COMMAND_REPRIORITISE_WHERE,
    COMMAND_MAIL, /* of `request`'s slot: it may not be in the list yet */
} command_type;

typedef struct command {
    uint8_t type; /* command_type */
    uint8_t priority; /* leat_priority */
    leat_batch batch; /* these two: as in leat_selection */
    leat_pack pack;
    uint64_t deadline_ns; /* inside: NO_DEADLINE for none */
    union {
        struct { /* bind */
            void *memory;
            uint64_t memory_size;
        };
        struct { /* selections */
            uint64_t tag_mask, tag;
        };
    };
    union {
        leat_request request;
        uint64_t ticket; /* for selections: only requests with a smaller ticket */
    };
} command;

/* A line each: of a long queue no cell is in any cache, and one miss is enough. */
typedef struct command_cell {
    _Alignas(CACHE_LINE_SIZE) _Atomic uint64_t turn;
    command command;
} command_cell;
_Static_assert(sizeof(command_cell) == CACHE_LINE_SIZE, "a command is one line");

typedef struct command_queue {
    _Alignas(CACHE_LINE_SIZE) _Atomic uint64_t tail; /* producers */
    _Alignas(CACHE_LINE_SIZE) _Atomic uint64_t head; /* written by the consumer, read by command_queue_is_empty */
    command_cell *cells;
    uint64_t capacity; /* a power of two, at least two */
} command_queue;

bool command_queue_init(command_queue *queue, uint64_t capacity, memory *m);
void command_queue_free(command_queue *queue, memory *m);
typedef enum command_pushed {
    COMMAND_REFUSED = 0, /* it is full */
    COMMAND_LAST, /* nothing was pushed behind it yet */
    COMMAND_OVERTAKEN, /* others have pushed behind it meanwhile, and may have woken the consumer in vain */
} command_pushed;

command_pushed command_queue_push(command_queue *queue, const command *c); /* any thread */
bool command_queue_pop(command_queue *queue, command *c); /* the I/O thread; false: empty */
bool command_queue_is_empty(const command_queue *queue);

#endif
