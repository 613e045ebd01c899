/* fuzz_pack.h - a pack of one asset around metadata of any bytes, for the targets that look at metadata. */
#ifndef LEAT_FUZZ_PACK_H
#define LEAT_FUZZ_PACK_H

#include <leat/pack_format.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUZZ_PACK_RAW_MAX (64u << 20)
#define FUZZ_PACK_METADATA_MAX (32u << 10)

typedef struct fuzz_pack {
    leat_pack_header header;
    uint8_t *index; /* malloc'ed, header.index_size bytes */
} fuzz_pack;

/* The asset is named "a". Its chunks are said to lie in the file, and hold nothing. False: beyond the bounds above. */
bool fuzz_pack_make(uint32_t type, const void *metadata, size_t metadata_size, uint64_t raw_size, fuzz_pack *pack);
void fuzz_pack_free(fuzz_pack *pack);
/* The same, and what the reader's check says of it: for makers of metadata, that it is accepted. */
bool fuzz_pack_accepts(uint32_t type, const void *metadata, size_t metadata_size, uint64_t raw_size);

#endif
