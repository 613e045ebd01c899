/* pack_writer.h - assets in, a pack out. One thread. */
#ifndef LEAT_PACKER_PACK_WRITER_H
#define LEAT_PACKER_PACK_WRITER_H

#include "interrupt.h"
#include "pack_chunks.h"

#include <leat/leat.h>

typedef struct pack_writer pack_writer;

typedef struct pack_writer_stats {
    uint64_t asset_count, duplicate_count;
    uint64_t raw_size; /* of all assets, duplicates included */
    uint64_t duplicate_size; /* raw bytes that were not stored again */
    uint64_t packed_size; /* of the chunks */
    uint64_t padding_size;
    uint64_t file_size;
    uint64_t chunk_count, stored_count;
} pack_writer_stats;

/* Opens a file beside `path` that has no name yet, or a temporary one. interrupt may be NULL. NULL on failure. */
pack_writer *pack_writer_open(const char *path, int level, interrupt *i, leat_error *error);
/* Takes the asset's memory in any case. ARGUMENT: this asset cannot go in (its name), others can. Else: give up. */
leat_result pack_writer_add(pack_writer *w, packed_asset *asset, leat_error *error);
/* Writes the index, checks it as a reader would, and puts the file in its place: all or nothing. Call abandon after. */
leat_result pack_writer_finish(pack_writer *w, pack_writer_stats *stats, leat_error *error);
/* Frees; without a finish before, the temporary file goes and what was at `path` stays. NULL is allowed. */
void pack_writer_abandon(pack_writer *w);

#endif
