/* golden.h - one small, whole pack, and over a hundred ways in which a stranger can break it.
 *
 * golden_base() makes the valid pack, without any library: its LZ4 blocks are written by hand, so that the bytes are
 * the same wherever they are made. Each row of the table is that pack with a few fields changed and its hashes made
 * right again, and says how it is refused. golden_make writes them all to tests/golden/packs/, and test_golden checks
 * that the files there are still what the table makes and are still refused, each in its own words. */
#ifndef LEAT_GOLDEN_H
#define LEAT_GOLDEN_H

#include "pack_index.h"

#define GOLDEN_BYTES_MAX 16384u
#define GOLDEN_PATCH_MAX 6u

/* The assets of the base pack. */
typedef enum golden_asset {
    GOLDEN_BLOB = 0, /* chunk 0, LZ4 with a match */
    GOLDEN_EMPTY, /* a blob without bytes */
    GOLDEN_TEXTURE, /* BC1, 16 x 16, five mips; in chunk 1, stored */
    GOLDEN_CUBE, /* RGBA8 cube, 2 x 2, two mips; from chunk 1 into chunk 2 */
    GOLDEN_MESH, /* two LODs of two submeshes; in chunk 2, LZ4 without a match */
    GOLDEN_MATERIAL, /* with a reference to the texture */
    GOLDEN_ASSET_COUNT
} golden_asset;

typedef struct golden_pack {
    _Alignas(16) uint8_t bytes[GOLDEN_BYTES_MAX];
    uint64_t size;
    uint32_t positions[GOLDEN_ASSET_COUNT]; /* in the table of assets */
} golden_pack;

/* Where in a pack a field lies that a row changes. */
typedef enum golden_place {
    GOLDEN_NOWHERE = 0,
    GOLDEN_IN_HEADER,
    GOLDEN_IN_ASSET, /* item: golden_asset */
    GOLDEN_IN_CHUNK, /* item: position */
    GOLDEN_IN_METADATA, /* item: golden_asset */
    GOLDEN_IN_LOD, /* item: LOD of the mesh */
    GOLDEN_IN_SUBMESH, /* item: LOD * 2 + submesh */
    GOLDEN_IN_REFERENCE, /* item: position */
    GOLDEN_IN_FILE /* offset from the start; for bytes of chunks */
} golden_place;

typedef struct golden_patch {
    golden_place place;
    uint32_t item, offset, size;
    uint64_t value;
} golden_patch;

/* When a row is found out: as the pack is opened, as a chunk is decoded, or when a mesh's indices are used. */
typedef enum golden_stage { GOLDEN_AT_OPEN = 0, GOLDEN_AT_READ, GOLDEN_AT_USE } golden_stage;

/* Which hashes are made right again after the change. */
typedef enum golden_seal {
    GOLDEN_SEAL_ALL = 0,
    GOLDEN_SEAL_INDEX_AND_HEADER,
    GOLDEN_SEAL_HEADER,
    GOLDEN_SEAL_NONE
} golden_seal;

typedef struct golden_row {
    const char *name;
    leat_result result;
    const char *text; /* a part of the error's text */
    golden_stage stage;
    golden_seal seal;
    const char *blob_name; /* instead of the blob's own; NULL: unchanged. Hashed as it is. */
    uint64_t blob_name_size; /* 0: strlen */
    golden_patch patches[GOLDEN_PATCH_MAX];
    bool swap; /* the first two assets of the table */
    bool cut; /* the file is cut, or filled with zeros, to `size` */
    uint64_t size;
    pack_limits limits; /* zero: the defaults */
} golden_row;

extern const golden_row golden_rows[];
extern const uint32_t golden_row_count;

/* The valid pack of format version 1; blob_name may be NULL. */
void golden_base(golden_pack *pack, const char *blob_name, uint64_t blob_name_size);
void golden_row_make(const golden_row *row, golden_pack *pack);
/* The limits of a row, resolved. */
pack_limits golden_row_limits(const golden_row *row);
/* Makes chunk hashes (if chunks), index and header hash right again. Offsets that a row has broken are left alone. */
void golden_seal_pack(golden_pack *pack, golden_seal seal);

#endif
