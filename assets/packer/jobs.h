/* jobs.h - work on many threads, results in order. */
#ifndef LEAT_PACKER_JOBS_H
#define LEAT_PACKER_JOBS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct jobs_desc {
    uint32_t item_count;
    uint32_t thread_count;
    void *user;
    void *(*work)(void *user, uint32_t item); /* on a worker */
    bool (*take)(void *user, uint32_t item, void *result); /* on the caller's thread, by ascending item; false: stop */
    void (*discard)(void *user, uint32_t item, void *result); /* what is not taken after a stop */
} jobs_desc;

/* Blocks until all is done or take() has said no. At most thread_count * 2 + 2 results wait or are worked on, which
 * bounds the memory. False: stopped, or no thread could be started. */
bool jobs_run(const jobs_desc *desc);

#endif
