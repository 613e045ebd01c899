/* product.h - what a source becomes: assets ready for the pack, and what else its import has said. From the cache,
 * where it is there. Any thread. */
#ifndef LEAT_PACKER_PRODUCT_H
#define LEAT_PACKER_PRODUCT_H

#include "cache.h"
#include "import_process.h"
#include "options.h"
#include "pack_chunks.h"
#include "texture_import.h"

typedef struct product {
    import_result imported; /* assets have moved to `assets`; images, usages and messages are here */
    packed_asset *assets;
    uint32_t asset_count;
    bool memory_failed;
    bool from_cache;
} product;

/* How products are made: the same for all of a run. */
typedef struct product_maker {
    const import_process *importer;
    cache *cache;
    uint64_t encoder[2]; /* encoder_id() */
    texture_format format;
    int level; /* of LZ4 HC */
} product_maker;

/* NULL: out of memory. What is wrong with the source is a message in the product. usage: what materials say, UNKNOWN:
 * nothing. settings: what rules say; their format AUTO: the maker's. */
product *product_of_model(const product_maker *m, const import_job *job);
product *product_of_texture(const product_maker *m, const import_job *job, texture_usage usage,
                            const texture_settings *settings);
product *product_of_blob(const product_maker *m, const import_job *job);
product *product_of_image(const product_maker *m, const import_image *image, const texture_settings *settings);
void product_free(product *p);

/* As bytes for the cache, and back. save: NULL if out of memory; else malloc'ed. load: false, and *p as it was, where
 * the bytes do not make sense: they are not trusted to be what was saved. */
uint8_t *product_save(const product *p, size_t *size);
bool product_load(const uint8_t *bytes, size_t size, product *p);

#endif
