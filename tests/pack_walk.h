/* pack_walk.h - what pack_index_check() promises of an index that it has accepted, looked at record by record.
 *
 * For the tests that make hostile packs: whatever bytes were accepted, no record may lead anywhere but into the pack.
 */
#ifndef LEAT_PACK_WALK_H
#define LEAT_PACK_WALK_H

#include "pack_index.h"

/* NULL, or which promise is broken. Touches every byte that a record points at, so that sanitizers see it. */
const char *pack_walk(const pack_index *index, const leat_pack_header *header);

/* The whole pack in memory: header, index, walk, and every chunk decoded into *raw (malloc'ed, index->raw_size bytes,
 * the caller's; NULL unless OK, or where there are none). index_bytes (malloc'ed, the caller's) backs *index. limits:
 * NULL for the streamer's defaults. A broken promise aborts: these are tests. */
leat_result pack_walk_all(const uint8_t *bytes, uint64_t size, const pack_limits *limits, pack_index *index,
                          uint8_t **index_bytes, uint8_t **raw, leat_error *error);

#endif
