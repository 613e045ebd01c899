/* fuzz_chunk.c - any bytes as a packed chunk of any codec: DAMAGED, or exactly raw_size bytes.
 *
 * Input: one byte of flags, three of raw_size, and the packed bytes. Debian's LZ4 is not instrumented, so both sides
 * lie at the end of their pages with a page behind them that nobody may touch. With ROUND_TRIP the input is packed
 * first, and must come back. */
#include "fuzz.h"
#include "pack_index.h"

#include <lz4.h>
#include <sys/mman.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define PAGE_SIZE 4096u
#define PACKED_BYTES_MAX 65536u

enum { STORED = 1, ROUND_TRIP = 2 };

/* `size` bytes, whose end is the end of what may be touched. */
static uint8_t *guarded(uint64_t size)
{
    uint8_t *pages = mmap(NULL, size + PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + size, PAGE_SIZE, PROT_NONE) != 0) {
        abort();
    }
    return pages + size;
}

static leat_pack_chunk_record record_of(uint32_t codec, const uint8_t *packed, uint64_t packed_size, uint32_t raw_size)
{
    return (leat_pack_chunk_record){ .hash = XXH3_64bits(packed, packed_size),
                                     .packed_size = (uint32_t)packed_size,
                                     .raw_size = raw_size,
                                     .codec = (uint8_t)codec };
}

static void round_trip(const uint8_t *bytes, size_t size, uint8_t *packed_end, uint8_t *raw_end)
{
    static uint8_t room[LZ4_COMPRESSBOUND(PACKED_BYTES_MAX)];
    int packed_size = LZ4_compress_default((const char *)bytes, (char *)room, (int)size, (int)sizeof(room));
    FUZZ_CHECK(packed_size > 0, "LZ4 cannot pack it");
    if ((uint32_t)packed_size > PACKED_BYTES_MAX) {
        return;
    }
    uint8_t *packed = packed_end - packed_size, *raw = raw_end - size;
    memcpy(packed, room, (size_t)packed_size);
    leat_pack_chunk_record k = record_of(LEAT_PACK_CODEC_LZ4, packed, (uint64_t)packed_size, (uint32_t)size);
    FUZZ_CHECK(pack_chunk_decode(&k, packed, raw) == LEAT_OK && memcmp(raw, bytes, size) == 0, "it does not come back");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static uint8_t *packed_end, *raw_end;
    if (packed_end == NULL) {
        packed_end = guarded(PACKED_BYTES_MAX);
        raw_end = guarded(LEAT_PACK_CHUNK_RAW_MAX);
    }
    fuzz_bytes b = { .at = bytes, .left = size };
    uint32_t flags = (uint32_t)fuzz_take(&b, 1), raw_size = (uint32_t)fuzz_take(&b, 3);
    if (b.left == 0 || b.left > PACKED_BYTES_MAX) {
        return 0;
    }
    if (flags & ROUND_TRIP) {
        round_trip(b.at, b.left, packed_end, raw_end);
        return 0;
    }
    uint8_t *packed = packed_end - b.left;
    memcpy(packed, b.at, b.left);
    bool stored = (flags & STORED) != 0;
    uint64_t cap = u64_min(b.left * 255 + 64, LEAT_PACK_CHUNK_RAW_MAX); /* what the index check lets through */
    raw_size = stored ? (uint32_t)b.left : (uint32_t)(raw_size % (cap + 1));
    if (raw_size == 0) {
        return 0;
    }
    leat_pack_chunk_record k =
        record_of(stored ? LEAT_PACK_CODEC_STORED : LEAT_PACK_CODEC_LZ4, packed, b.left, raw_size);
    uint8_t *raw = raw_end - raw_size;
    leat_result result = pack_chunk_decode(&k, packed, raw);
    FUZZ_CHECK(result == LEAT_OK || (result == LEAT_ERROR_DAMAGED && !stored), "neither read nor damaged");
    FUZZ_CHECK(!stored || memcmp(raw, bytes + size - b.left, b.left) == 0, "stored bytes are others");
    return 0;
}
