/* pack_chunks.h - an asset cut into chunks and compressed: the costly half of writing a pack. Any thread. */
#ifndef LEAT_PACKER_PACK_CHUNKS_H
#define LEAT_PACKER_PACK_CHUNKS_H

#include "import.h"

/* Assets below this share chunks with their neighbours; of larger ones, this much of the small end is one chunk. */
#define PACK_TAIL_RAW_MAX (64u << 10)

/* LZ4 HC levels from this one on are searched for what is decoded fast, at a few thousandths of the size: a tenth
 * faster for block-compressed textures, a third for others. liblz4 knows no such thing below. */
#define PACK_LEVEL_FOR_SPEED 10

typedef struct packed_chunk {
    uint8_t *packed;
    uint64_t hash;
    uint32_t packed_size, raw_size;
    uint8_t codec;
} packed_chunk;

typedef struct packed_asset {
    import_asset asset; /* without raw where chunks hold it */
    uint64_t identity[2]; /* XXH3-128 of the raw bytes: the same content is stored once */
    uint64_t content_hash; /* XXH3-64 */
    packed_chunk *chunks; /* NULL: small; goes into a shared chunk */
    uint32_t chunk_count;
} packed_asset;

/* Moves the asset into *out. False: out of memory; *out is empty and the asset freed. */
bool packed_asset_make(import_asset *asset, int level, packed_asset *out);
void packed_asset_free(packed_asset *asset);

/* raw_size: 1 .. LEAT_PACK_CHUNK_RAW_MAX. Stored where LZ4 saves less than 5 %. False: out of memory. */
bool packed_chunk_make(const uint8_t *raw, uint32_t raw_size, int level, packed_chunk *chunk);

#endif
