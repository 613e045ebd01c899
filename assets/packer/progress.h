/* progress.h - how far a long command is, on standard error: a bar on a terminal, a line now and then elsewhere. */
#ifndef LEAT_PACKER_PROGRESS_H
#define LEAT_PACKER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    bool quiet, terminal, bar_shown;
    uint64_t total, done; /* bytes of sources, or whatever the work is measured in */
    uint64_t started_ns, shown_ns;
    uint32_t tenths_shown;
} progress;

void progress_begin(progress *p, uint64_t total, bool quiet);
void progress_add(progress *p, uint64_t amount);
/* A line of its own, above the bar; printed when quiet too. */
void progress_message(progress *p, const char *kind, const char *text);
void progress_end(progress *p);

#endif
