/* world.h - a streamer of which only the words are there by which its threads meet, made anew in microseconds.
 *
 * What sleeps and wakes is the streamer's own code (sleep.c, posts.c, update.c, finish.c, mpsc.h, command_queue.c); the
 * device is a count of completions, and its sleep a descriptor, as the thread backend's is. */
#ifndef LEAT_TEST_WORLD_H
#define LEAT_TEST_WORLD_H

#include "scenarios.h"

#include "streamer.h"

#define WORLD_REQUESTS 4u
#define WORLD_READS 2u

typedef struct world {
    leat_streamer s;
    int fd; /* on which the I/O thread sleeps */
    uint32_t completions_due; /* come when nobody can go on */
    uint32_t completions;
    /* by the I/O thread */
    uint32_t mail_seen, commands_seen, chores_seen, returned_seen;
} world;
extern world the_world;

void world_make(void); /* nothing is out, nothing waits: it would sleep lightly */
/* What a round of the I/O thread takes, by the streamer's own functions; true if there was something. */
bool world_take(void);
bool world_complete(void); /* the device; false: nothing is due */
sched *world_queue(bool waits); /* one that is empty, or has one entry */
decode *world_decode(bool queued); /* the same of the decode stage */

#endif
