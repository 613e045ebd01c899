/* pack_summary.h - what `leat pack` has done, for people and as JSON. */
#ifndef LEAT_PACKER_PACK_SUMMARY_H
#define LEAT_PACKER_PACK_SUMMARY_H

#include "pack_writer.h"

typedef struct pack_summary {
    const char *output;
    bool written;
    uint32_t source_count, ignored_count, failure_count, warning_count, rule_count;
    uint64_t type_counts[LEAT_ASSET_TYPE_COUNT];
    uint64_t cached_counts[LEAT_ASSET_TYPE_COUNT]; /* of these, from the cache */
    bool cache_on;
    pack_writer_stats stats;
    uint64_t started_ns;
    struct cJSON *failures, *warnings; /* arrays of texts */
} pack_summary;

void pack_summary_begin(pack_summary *s);
void pack_summary_add(pack_summary *s, bool failed, const char *text);
/* Prints it on standard output, frees, and returns the exit code. */
int pack_summary_end(pack_summary *s, bool json);

#endif
