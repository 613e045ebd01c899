/* pack_index.h - the index of a pack, checked.
 *
 * Pure: works on bytes that somebody else has read. The bytes are hostile; after pack_index_check() has said yes, every
 * record can be used without another check: offsets lie in their sections, chunks tile the raw space and lie inside the
 * file, names are valid and match their hashes, metadata agrees with the sizes of its asset. The packer's tools, the
 * streamer and the fuzzers share this code. */
#ifndef LEAT_PACK_INDEX_H
#define LEAT_PACK_INDEX_H

#include "base.h"

#include <leat/pack_format.h>

typedef struct pack_limits {
    uint64_t index_bytes_max;
    uint64_t asset_bytes_max;
    uint32_t chunk_ratio_max; /* raw : packed, rounded down; 0: what the codec can do */
} pack_limits;

/* Views into the index bytes, which stay the caller's and must outlive it (and must not change: private memory). */
typedef struct pack_index {
    const leat_pack_asset_record *assets;
    const leat_pack_chunk_record *chunks;
    const char *names;
    const uint8_t *metadata;
    const leat_pack_reference_record *references;
    uint32_t asset_count;
    uint32_t chunk_count;
    uint32_t reference_count;
    uint64_t names_size;
    uint64_t metadata_size;
    uint64_t raw_size;
    bool loose; /* of a folder (loose.h): chunks lie in files of their own, which `parameter` names */
    const uint32_t *directory; /* first asset whose hash has these top bits; may be NULL (binary search) */
    uint32_t directory_bits;
} pack_index;

/* The header alone: magic, version, hash, sizes against the size of the file and the limits. After OK, index_offset and
 * index_size may be allocated and read. `path` is for the error's text. error may be NULL. */
leat_result pack_header_check(const leat_pack_header *header, uint64_t file_size, const pack_limits *limits,
                              const char *path, leat_error *error);

/* The whole index (header->index_size bytes at 8-byte alignment). Fills *index on OK. directory: memory for
 * pack_directory_size() entries, or NULL. */
leat_result pack_index_check(const leat_pack_header *header, const void *bytes, const pack_limits *limits,
                             uint32_t *directory, pack_index *index, const char *path, leat_error *error);
/* Entries (uint32_t) of the directory for that many assets; > 0. */
uint64_t pack_directory_size(uint64_t asset_count);

/* Fills the directory of an index whose assets are sorted; pack_index_check does it for packs. */
void pack_index_directory(pack_index *index, uint32_t *directory);

/* Position of an asset, or UINT32_MAX. O(1) with a directory. */
uint32_t pack_index_find(const pack_index *index, uint64_t name_hash);
/* The chunk that holds this byte of the raw space (< raw_size). O(log chunks). */
uint32_t pack_index_chunk_at(const pack_index *index, uint64_t raw_offset);
/* Bytes of the device from chunk `first` to before chunk `end` (> first): what a request for them waits for. */
uint64_t pack_index_packed_size(const pack_index *index, uint32_t first, uint32_t end);

/* In a chunk's flags, inside only (a pack that has it is refused): the bytes have no hash. */
#define PACK_CHUNK_LOOSE 1u

/* Length of the UTF-8 sequence at `at` (shortest form, no surrogates, <= U+10FFFF), or 0. left > 0. RFC 3629. */
size_t pack_utf8_sequence(const uint8_t *at, size_t left);
/* A valid name: see LEAT_PACK_NAME_SIZE_MAX in pack_format.h. */
bool pack_name_valid(const char *name, size_t size);

/* Bytes of mip `mip` (all layers), and of the whole chain; 0 for what cannot be (unknown format, overflow). */
uint64_t pack_mip_size(uint32_t format, uint32_t width, uint32_t height, uint32_t layer_count, uint32_t mip);
uint64_t pack_mips_size(uint32_t format, uint32_t width, uint32_t height, uint32_t layer_count, uint32_t mip_count);

/* The hash over the packed bytes of a chunk. DAMAGED if it does not match. */
leat_result pack_chunk_check(const leat_pack_chunk_record *record, const void *packed);
/* Checks and undoes one chunk: hash over the packed bytes, then the codec, into exactly record->raw_size bytes of
 * `raw`, which does not overlap `packed`. DAMAGED if anything does not fit. */
leat_result pack_chunk_decode(const leat_pack_chunk_record *record, const void *packed, void *raw);
/* The same for the first `size` raw bytes (1 .. raw_size): writes nothing behind them, and takes less time. A block
 * that is broken further on, with a hash that is right, is then not found out: its beginning is what its writer wrote.
 */
leat_result pack_chunk_decode_prefix(const leat_pack_chunk_record *record, const void *packed, void *raw,
                                     uint32_t size);

#endif
