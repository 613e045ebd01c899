/* test_pack.h - small packs for tests, made in memory: blobs of known bytes, cut, packed and indexed as FORMAT.md says.
 *
 * Apart from the packer on purpose: a second writer of the format, so that the two check each other through the reader.
 */
#ifndef LEAT_TEST_PACK_H
#define LEAT_TEST_PACK_H

#include "base.h"
#include "scratch.h"

#include <leat/pack_format.h>

typedef struct test_pack_desc {
    uint64_t seed;
    uint32_t asset_count;
    uint32_t size_min, size_max; /* of an asset, raw */
    uint32_t chunk_raw_size; /* 0: 64 KiB */
    uint32_t stored_every; /* every n-th chunk is stored; 0: none on purpose */
    uint64_t variant; /* not 0: another version of the same pack, in which */
    uint32_t variant_every; /* every n-th asset has the same size and other bytes */
    bool textures; /* every other asset is an RGBA8 texture with its mips */
    uint32_t texture_edge_log2_max; /* of those, from 4 on; 0: 8 */
    bool meshes; /* every fourth asset is a mesh of some LODs */
} test_pack_desc;

typedef struct test_pack {
    uint8_t *bytes; /* the whole file */
    uint64_t size;
    uint8_t *raw; /* the raw space */
    uint64_t raw_size;
    leat_pack_asset_record *assets; /* sorted by hash, as in the index */
    leat_pack_chunk_record *chunks;
    uint32_t asset_count, chunk_count;
    char (*names)[32]; /* by position in assets */
} test_pack;

/* Aborts when memory is refused: these are tests. */
void test_pack_make(const test_pack_desc *desc, test_pack *pack);
void test_pack_free(test_pack *pack);
/* Makes the hashes of index and header right again after a change of their bytes. */
void test_pack_rehash(uint8_t *bytes);
/* Writes the bytes to a new scratch file. Aborts on failure. */
void test_pack_write(const test_pack *pack, char path[SCRATCH_SIZE]);

#endif
