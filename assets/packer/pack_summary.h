/* pack_summary.h - what `leat pack` has done, for people and as JSON. */
#ifndef LEAT_PACKER_PACK_SUMMARY_H
#define LEAT_PACKER_PACK_SUMMARY_H

#include "alike.h"
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
    alike_list alike;
    struct cJSON *failures, *warnings; /* arrays of texts */
} pack_summary;

void pack_summary_begin(pack_summary *s);
/* Whether it is to be told now; else pack_summary_end() says how many more there were. kind: import_message's; 0: like
 * no other. */
bool pack_summary_add(pack_summary *s, bool failed, uint32_t kind, const char *text);
/* Prints it on standard output, frees, and returns the exit code. */
int pack_summary_end(pack_summary *s, bool json);

#endif
