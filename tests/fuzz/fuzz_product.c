/* fuzz_product.c - an entry of the packer's cache, behind its hash: what a source has become.
 *
 * Input: the bytes of product_save(), or any. Refused, with nothing left behind; or a product whose chunks are in the
 * limits of a pack and add up to their asset, which saves to the same bytes again. */
#include "fuzz.h"
#include "product.h"

static void check_asset(const packed_asset *a)
{
    uint64_t raw_sum = 0;
    FUZZ_CHECK(a->asset.name != NULL && a->asset.type < LEAT_ASSET_TYPE_COUNT, "no asset");
    FUZZ_CHECK((a->chunk_count > 0) == (a->asset.raw == NULL), "neither chunks nor bytes, or both");
    for (uint32_t i = 0; i < a->chunk_count; ++i) {
        const packed_chunk *c = &a->chunks[i];
        FUZZ_CHECK(c->raw_size > 0 && c->raw_size <= LEAT_PACK_CHUNK_RAW_MAX, "a chunk that no pack may have");
        FUZZ_CHECK(c->packed != NULL && c->packed_size > 0 && c->packed_size <= c->raw_size, "a chunk without bytes");
        raw_sum += c->raw_size;
    }
    uint64_t wanted = align_up(a->asset.raw_size, LEAT_PACK_RAW_ALIGNMENT);
    FUZZ_CHECK(a->chunk_count == 0 || raw_sum == wanted, "chunks that do not add up");
    FUZZ_CHECK(a->chunk_count > 0 || a->asset.raw_size < PACK_TAIL_RAW_MAX, "a large asset without chunks");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    product first = { 0 }, *second = calloc(1, sizeof(*second));
    if (!product_load(bytes, size, &first)) {
        FUZZ_CHECK(first.assets == NULL && first.asset_count == 0 && first.imported.message_count == 0,
                   "a refusal leaves something");
        free(second);
        return 0;
    }
    for (uint32_t i = 0; i < first.asset_count; ++i) {
        check_asset(&first.assets[i]);
    }
    size_t saved_size = 0, again_size = 0;
    uint8_t *saved = product_save(&first, &saved_size);
    FUZZ_CHECK(product_load(saved, saved_size, second), "what was understood is not any more");
    uint8_t *again = product_save(second, &again_size);
    FUZZ_CHECK(again_size == saved_size && memcmp(again, saved, saved_size) == 0, "a product changes on its way");
    free(again);
    free(saved);
    product_free(second);
    second = malloc(sizeof(*second)); /* which product_free() takes */
    *second = first;
    product_free(second);
    return 0;
}
