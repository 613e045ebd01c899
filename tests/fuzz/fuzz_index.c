/* fuzz_index.c - any bytes as header and index of a pack: refused, or every record can be used as it is.
 *
 * Input: one byte of flags, the first 336 bytes of the header (the rest is zero), and the index. Flags let most of the
 * runs come far: the sizes in the header can be made to fit, and names can be given the hashes and the order they need.
 */
#include "fuzz.h"
#include "pack_walk.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define HEADER_BYTES offsetof(leat_pack_header, reserved)
#define INDEX_BYTES_MAX 65536u

enum { FIX_BEGIN = 1, FIX_SIZES = 2, FIX_NAMES = 4, WITHOUT_DIRECTORY = 8 };

static void fix_begin(leat_pack_header *h)
{
    memcpy(h->magic, LEAT_PACK_MAGIC, LEAT_PACK_MAGIC_SIZE);
    h->version = LEAT_PACK_VERSION;
    h->header_size = sizeof(*h);
}

static void fix_sizes(leat_pack_header *h, uint64_t index_size)
{
    h->index_offset = u64_max(align_down(h->index_offset & 0xffffff, LEAT_PACK_ALIGNMENT), sizeof(*h));
    h->index_size = index_size;
    h->file_size = h->index_offset + index_size;
}

static int by_hash(const void *a, const void *b)
{
    uint64_t x = ((const leat_pack_asset_record *)a)->name_hash, y = ((const leat_pack_asset_record *)b)->name_hash;
    return x < y ? -1 : x > y;
}

/* Only for sections that lie in the index: others are for the check to find. */
static void fix_names(const leat_pack_header *h, uint8_t *index, uint64_t size)
{
    const leat_pack_section *assets = &h->sections[LEAT_PACK_SECTION_ASSETS],
                            *names = &h->sections[LEAT_PACK_SECTION_NAMES];
    if (assets->offset > size || assets->size > size - assets->offset || names->offset > size ||
        names->size > size - names->offset || assets->offset % 8 != 0) {
        return;
    }
    leat_pack_asset_record *records = (void *)(index + assets->offset);
    uint64_t count = assets->size / sizeof(*records);
    for (uint64_t i = 0; i < count; ++i) {
        leat_pack_asset_record *a = &records[i];
        if ((uint64_t)a->name_offset + a->name_size <= names->size) {
            a->name_hash = leat_name_hash((const char *)index + names->offset + a->name_offset, a->name_size);
        }
    }
    qsort(records, count, sizeof(*records), by_hash);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static leat_pack_header h;
    if (size < 1 + HEADER_BYTES || size - 1 - HEADER_BYTES > INDEX_BYTES_MAX) {
        return 0;
    }
    uint8_t flags = bytes[0];
    uint64_t index_size = size - 1 - HEADER_BYTES;
    memcpy(&h, bytes + 1, HEADER_BYTES);
    uint8_t *index = malloc(index_size == 0 ? 1 : index_size);
    memcpy(index, bytes + 1 + HEADER_BYTES, index_size);
    if (flags & FIX_BEGIN) {
        fix_begin(&h);
    }
    if (flags & FIX_SIZES) {
        fix_sizes(&h, index_size);
    }
    if (flags & FIX_NAMES) {
        fix_names(&h, index, index_size);
    }
    h.index_hash = XXH3_64bits(index, index_size);
    h.header_hash = XXH3_64bits(&h, offsetof(leat_pack_header, header_hash));

    const pack_limits limits = { .index_bytes_max = INDEX_BYTES_MAX,
                                 .asset_bytes_max = MIB(4096),
                                 .chunk_ratio_max = 255 };
    leat_error error = { 0 };
    pack_index checked;
    leat_result result = pack_header_check(&h, h.file_size, &limits, "pack", &error);
    if (result == LEAT_OK && h.index_size != index_size) {
        result = LEAT_ERROR_TRUNCATED; /* the reader of the file finds out */
    }
    uint32_t *directory = NULL;
    if (result == LEAT_OK) {
        uint64_t count = h.sections[LEAT_PACK_SECTION_ASSETS].size / sizeof(leat_pack_asset_record);
        directory = flags & WITHOUT_DIRECTORY ? NULL : malloc(pack_directory_size(count) * sizeof(*directory));
        result = pack_index_check(&h, index, &limits, directory, &checked, "pack", &error);
        FUZZ_CHECK(result == LEAT_OK || error.text[0] != '\0', "refused without a word");
    }
    const char *broken = result == LEAT_OK ? pack_walk(&checked, &h) : NULL;
    FUZZ_CHECK(broken == NULL, broken);
    free(directory);
    free(index);
    return 0;
}
