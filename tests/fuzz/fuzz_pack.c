/* fuzz_pack.c - see fuzz_pack.h. */
#include "fuzz_pack.h"

#include "pack_index.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define CHUNK_PACKED 8192u /* of a chunk of any size: 2^20 is 128 times that */

static uint64_t section_add(leat_pack_header *h, uint32_t section, uint64_t size)
{
    h->sections[section] = (leat_pack_section){ .offset = align_up(h->index_size, 8), .size = size };
    h->index_size = h->sections[section].offset + size;
    return h->sections[section].offset;
}

static void write_chunks(leat_pack_chunk_record *chunks, uint32_t count, uint64_t raw_size)
{
    for (uint32_t i = 0; i < count; ++i) {
        uint64_t begin = (uint64_t)i * LEAT_PACK_CHUNK_RAW_MAX;
        uint32_t size = (uint32_t)u64_min(raw_size - begin, LEAT_PACK_CHUNK_RAW_MAX);
        chunks[i] = (leat_pack_chunk_record){ .file_offset = sizeof(leat_pack_header) + (uint64_t)i * CHUNK_PACKED,
                                              .raw_offset = begin,
                                              .raw_size = size,
                                              .packed_size = CHUNK_PACKED,
                                              .codec = LEAT_PACK_CODEC_LZ4 };
    }
}

bool fuzz_pack_make(uint32_t type, const void *metadata, size_t metadata_size, uint64_t raw_size, fuzz_pack *pack)
{
    if (metadata_size > FUZZ_PACK_METADATA_MAX || raw_size > FUZZ_PACK_RAW_MAX) {
        return false;
    }
    leat_pack_header *h = &pack->header;
    uint32_t chunk_count = (uint32_t)((raw_size + LEAT_PACK_CHUNK_RAW_MAX - 1) / LEAT_PACK_CHUNK_RAW_MAX);
    *h = (leat_pack_header){ .version = LEAT_PACK_VERSION,
                             .header_size = sizeof(*h),
                             .raw_size = raw_size,
                             .section_count = LEAT_PACK_SECTION_COUNT,
                             .index_offset = sizeof(*h) + (uint64_t)chunk_count * CHUNK_PACKED };
    memcpy(h->magic, LEAT_PACK_MAGIC, LEAT_PACK_MAGIC_SIZE);
    uint64_t assets = section_add(h, LEAT_PACK_SECTION_ASSETS, sizeof(leat_pack_asset_record));
    uint64_t chunks = section_add(h, LEAT_PACK_SECTION_CHUNKS, chunk_count * sizeof(leat_pack_chunk_record));
    uint64_t names = section_add(h, LEAT_PACK_SECTION_NAMES, 1);
    uint64_t records = section_add(h, LEAT_PACK_SECTION_METADATA, metadata_size);
    section_add(h, LEAT_PACK_SECTION_REFERENCES, 0);
    h->file_size = h->index_offset + h->index_size;
    pack->index = calloc(1, h->index_size);
    if (pack->index == NULL) {
        abort();
    }
    *(leat_pack_asset_record *)(void *)(pack->index + assets) =
        (leat_pack_asset_record){ .name_hash = LEAT_NAME("a"),
                                  .raw_size = raw_size,
                                  .name_size = 1,
                                  .type = (uint8_t)type,
                                  .metadata_size = (uint32_t)metadata_size };
    write_chunks((void *)(pack->index + chunks), chunk_count, raw_size);
    pack->index[names] = 'a';
    memcpy(pack->index + records, metadata, metadata_size);
    h->index_hash = XXH3_64bits(pack->index, h->index_size);
    h->header_hash = XXH3_64bits(h, offsetof(leat_pack_header, header_hash));
    return true;
}

void fuzz_pack_free(fuzz_pack *pack)
{
    free(pack->index);
    pack->index = NULL;
}

bool fuzz_pack_accepts(uint32_t type, const void *metadata, size_t metadata_size, uint64_t raw_size)
{
    const pack_limits limits = { .index_bytes_max = MIB(64), .asset_bytes_max = MIB(64) };
    fuzz_pack pack;
    pack_index index;
    if (!fuzz_pack_make(type, metadata, metadata_size, raw_size, &pack)) {
        return true; /* beyond what is checked here */
    }
    bool good = pack_header_check(&pack.header, pack.header.file_size, &limits, "pack", NULL) == LEAT_OK &&
                pack_index_check(&pack.header, pack.index, &limits, NULL, &index, "pack", NULL) == LEAT_OK;
    fuzz_pack_free(&pack);
    return good;
}
