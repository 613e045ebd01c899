/* jobs.h - work on many threads, results in order. */
#ifndef LEAT_PACKER_JOBS_H
#define LEAT_PACKER_JOBS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct jobs_desc {
    uint32_t item_count;
    uint32_t thread_count;
    uint64_t under_way_max; /* bytes below which another item is begun; 0: any */
    void *user;
    uint64_t (*size)(void *user, uint32_t item); /* its bytes; quick, on any thread; where under_way_max is set */
    void *(*work)(void *user, uint32_t item); /* on a worker */
    bool (*take)(void *user, uint32_t item, void *result); /* on the caller's thread, by ascending item; false: stop */
    void (*discard)(void *user, uint32_t item, void *result); /* what is not taken after a stop */
} jobs_desc;

/* Blocks until all is done or take() has said no. At most thread_count * 2 + 2 results wait or are worked on, and none
 * is begun while those have under_way_max bytes, which bounds the memory; one always is. False: stopped, or no thread
 * could be started. */
bool jobs_run(const jobs_desc *desc);

#endif
