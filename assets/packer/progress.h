/* progress.h - how far a long command is, on standard error: a bar on a terminal; elsewhere a line now and then, at
 * most one a second, so that a short one has none. */
#ifndef LEAT_PACKER_PROGRESS_H
#define LEAT_PACKER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    bool quiet, terminal, bar_shown;
    uint64_t total, done; /* bytes of sources, or whatever the work is measured in */
    uint64_t started_ns; /* of all, then of the work */
    uint64_t shown_ns;
    uint32_t tenths_shown;
} progress;

void progress_begin(progress *p, bool quiet);
/* Before the work's size is known: how much of it has been found so far. */
void progress_found(progress *p, uint64_t file_count);
/* From now on it is worked on; the time that is left is told by how long that takes. More may be added to p->total. */
void progress_work(progress *p, uint64_t total);
void progress_add(progress *p, uint64_t amount);
/* A line of its own, above the bar; printed when quiet too. */
void progress_message(progress *p, const char *kind, const char *text);
void progress_end(progress *p);

#endif
