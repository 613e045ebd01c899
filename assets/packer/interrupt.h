/* interrupt.h - SIGINT, SIGTERM and SIGHUP remove the temporary file and end the process, but
 * for those that were ignored when it began (nohup). */
#ifndef LEAT_PACKER_INTERRUPT_H
#define LEAT_PACKER_INTERRUPT_H

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

typedef struct interrupt {
    pthread_mutex_t lock;
    sigset_t signals;
    char temporary[PATH_MAX]; /* "": none */
    bool written; /* the output is in its place: what is interrupted is only what comes after */
} interrupt;

/* Before any other thread starts. The struct must live as long as the process. */
void interrupt_watch(interrupt *i);
/* Between these, no interrupt acts: around what makes, renames or removes the file, and tells so. i may be NULL. */
void interrupt_hold(interrupt *i);
void interrupt_release(interrupt *i);
/* While held: the file to remove; "" for none. i may be NULL. */
void interrupt_file_set(interrupt *i, const char *path);
/* While held: the output is in its place, and there is nothing to remove any more. i may be NULL. */
void interrupt_written_set(interrupt *i);

#endif
