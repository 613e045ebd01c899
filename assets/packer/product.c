/* product.c - see product.h.
 *
 * A product is cached whole, by source, after compression: what a second run is left with is to read and hash sources
 * and to copy chunks. The key is a hash over all that decides the result.
 *
 * - A texture: the image's bytes, its usage (what rules say, else materials, else its name), format, mips, level.
 * Neither the name nor the rules' text are in the key: a texture that was moved or copied is found, and named anew.
 * - A model: its bytes, its name (which its materials' and images' names begin with), level. What else the import has
 *   read is not known before: it is kept with the product as questions and answers (source_files.h), and asked again.
 *   So that going back and forth between two branches finds both, some versions are kept, each under its number.
 * - A blob: its bytes and the level. Like a texture, it is named anew.
 * - Always: encoder_id().
 *
 * A model's product holds its embedded images as they were; they are textures of their own, with keys of their own.
 * Warnings are kept and said again. What failed is not kept: it may have failed for want of memory or time. */
#include "product.h"
#include "base.h"
#include "file_read.h"
#include "source_files.h"
#include "texture.h"
#include "texture_import.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define REFERENCES_MAX (1u << 20)
/* The least that asset_save writes of one: an asset of empty blocks, a chunk of one byte. */
#define ASSET_SIZE_MIN 72u
#define CHUNK_SIZE_MIN 25u
#define MODEL_VERSIONS 4u /* kept of a model whose .mtl, .bin or textures change */

typedef enum key_kind { KEY_TEXTURE = 1, KEY_MODEL = 2, KEY_BLOB = 3 } key_kind;

/* Without holes: it is hashed as it lies there. */
typedef struct key_parts {
    uint64_t encoder[2], content[2], name[2];
    uint32_t kind, level, format, usage, usage_by_name, usage_by_rule, mip_count_max, width, height, version;
} key_parts;
_Static_assert(sizeof(key_parts) == 6 * 8 + 10 * 4, "no padding");

static void hash_to(const void *bytes, uint64_t size, uint64_t hash[2])
{
    XXH128_hash_t h = XXH3_128bits(bytes, size);
    hash[0] = h.low64;
    hash[1] = h.high64;
}

static cache_key key_of(const product_maker *m, key_parts *parts)
{
    cache_key key;
    memcpy(parts->encoder, m->encoder, sizeof(parts->encoder));
    parts->level = (uint32_t)m->level;
    hash_to(parts, sizeof(*parts), key.hash);
    return key;
}

static void product_clear(product *p)
{
    for (uint32_t i = 0; i < p->asset_count; ++i) {
        packed_asset_free(&p->assets[i]);
    }
    free(p->assets);
    import_result_free(&p->imported);
    *p = (product){ 0 };
}

void product_free(product *p)
{
    if (p != NULL) {
        product_clear(p);
        free(p);
    }
}

/* ---- Bytes ---- */

static void asset_save(wire_out *out, const packed_asset *a)
{
    wire_put_text(out, a->asset.name);
    wire_put_u32(out, (uint32_t)a->asset.type);
    wire_put(out, &a->asset.raw_size, sizeof(a->asset.raw_size));
    wire_put_block(out, a->asset.metadata, a->asset.metadata_size);
    wire_put_block(out, a->asset.references, (uint64_t)a->asset.reference_count * sizeof(*a->asset.references));
    wire_put(out, a->identity, sizeof(a->identity));
    wire_put(out, &a->content_hash, sizeof(a->content_hash));
    wire_put_u32(out, a->chunk_count);
    for (uint32_t i = 0; i < a->chunk_count; ++i) {
        const packed_chunk *c = &a->chunks[i];
        wire_put(out, &c->hash, sizeof(c->hash));
        wire_put_u32(out, c->raw_size);
        wire_put_u32(out, c->codec);
        wire_put_block(out, c->packed, c->packed_size);
    }
    if (a->chunk_count == 0) {
        wire_put_block(out, a->asset.raw, a->asset.raw_size);
    }
}

uint8_t *product_save(const product *p, size_t *size)
{
    wire_out out = { 0 };
    import_result rest = p->imported; /* borrowed: of its assets there are none any more */
    rest.asset_count = 0;
    size_t rest_size = 0;
    uint8_t *rest_bytes = import_pack(&rest, true, &rest_size);
    wire_put_u32(&out, p->asset_count);
    for (uint32_t i = 0; i < p->asset_count; ++i) {
        asset_save(&out, &p->assets[i]);
    }
    wire_put(&out, rest_bytes, rest_bytes != NULL ? rest_size : 0);
    if (out.failed || rest_bytes == NULL) {
        free(out.bytes);
        out.bytes = NULL;
    }
    free(rest_bytes);
    *size = out.size;
    return out.bytes;
}

/* Chunks as packed_chunk_make gives them. *raw_sum grows by what it holds. */
static void chunk_load(wire_in *in, packed_chunk *c, uint64_t *raw_sum)
{
    uint64_t size;
    wire_take(in, &c->hash, sizeof(c->hash));
    c->raw_size = wire_take_u32(in);
    uint32_t codec = wire_take_u32(in);
    c->packed = wire_take_block(in, &size);
    bool stored = codec == LEAT_PACK_CODEC_STORED;
    in->failed |= c->raw_size == 0 || c->raw_size > LEAT_PACK_CHUNK_RAW_MAX || size == 0 || size > c->raw_size ||
                  (!stored && codec != LEAT_PACK_CODEC_LZ4) || (stored && size != c->raw_size);
    c->packed_size = (uint32_t)size;
    c->codec = (uint8_t)codec;
    *raw_sum += c->raw_size;
}

static void chunks_load(wire_in *in, packed_asset *a, uint32_t count)
{
    uint64_t raw_sum = 0;
    a->chunks = in->failed ? NULL : calloc(count, sizeof(*a->chunks));
    in->failed |= a->chunks == NULL;
    while (a->chunk_count < count && !in->failed) {
        chunk_load(in, &a->chunks[a->chunk_count++], &raw_sum);
    }
    in->failed |= a->asset.raw_size < PACK_TAIL_RAW_MAX || a->asset.raw_size > UINT64_MAX / 2 ||
                  raw_sum != align_up(a->asset.raw_size, LEAT_PACK_RAW_ALIGNMENT);
}

static void asset_load(wire_in *in, packed_asset *a)
{
    uint64_t size, metadata_size, references_size;
    *a = (packed_asset){ 0 };
    a->asset.name = wire_take_block(in, &size);
    uint32_t type = wire_take_u32(in);
    a->asset.type = (leat_asset_type)type;
    wire_take(in, &a->asset.raw_size, sizeof(a->asset.raw_size));
    a->asset.metadata = wire_take_block(in, &metadata_size);
    a->asset.references = wire_take_block(in, &references_size);
    wire_take(in, a->identity, sizeof(a->identity));
    wire_take(in, &a->content_hash, sizeof(a->content_hash));
    a->asset.metadata_size = (uint32_t)metadata_size;
    a->asset.reference_count = (uint32_t)(references_size / sizeof(*a->asset.references));
    in->failed |= type >= LEAT_ASSET_TYPE_COUNT || metadata_size > UINT32_MAX ||
                  references_size / sizeof(*a->asset.references) > REFERENCES_MAX;
    uint32_t chunk_count = wire_take_count(in, CHUNK_SIZE_MIN);
    if (chunk_count > 0) {
        chunks_load(in, a, chunk_count);
        return;
    }
    a->asset.raw = wire_take_block(in, &size);
    in->failed |= size != a->asset.raw_size || size >= PACK_TAIL_RAW_MAX;
}

bool product_load(const uint8_t *bytes, size_t size, product *p)
{
    wire_in in = { .at = bytes, .left = size };
    product found = { 0 };
    bool good = false;
    uint32_t count = wire_take_count(&in, ASSET_SIZE_MIN);
    found.assets = in.failed ? NULL : calloc(count > 0 ? count : 1, sizeof(*found.assets));
    in.failed |= found.assets == NULL;
    while (found.asset_count < count && !in.failed) {
        asset_load(&in, &found.assets[found.asset_count++]);
    }
    if (!in.failed && import_unpack(in.at, in.left, &found.imported, &good) && good &&
        found.imported.asset_count == 0) {
        *p = found;
        return true;
    }
    product_clear(&found);
    return false;
}

/* ---- Making ---- */

/* Compresses what was imported. */
static void product_finish(product *p, int level)
{
    uint32_t count = p->imported.asset_count;
    p->assets = calloc(count > 0 ? count : 1, sizeof(*p->assets));
    p->memory_failed = p->assets == NULL;
    for (uint32_t i = 0; i < count && !p->memory_failed; ++i) {
        p->memory_failed = !packed_asset_make(&p->imported.assets[i], level, &p->assets[i]);
        p->asset_count += !p->memory_failed;
    }
}

static bool take_from_cache(const product_maker *m, const cache_key *key, product *p)
{
    size_t size;
    uint8_t *bytes = cache_get(m->cache, key, &size);
    p->from_cache = bytes != NULL && product_load(bytes, size, p);
    free(bytes);
    return p->from_cache;
}

static void put_into_cache(const product_maker *m, const cache_key *key, const product *p)
{
    size_t size;
    uint8_t *bytes = product_save(p, &size);
    if (bytes != NULL) {
        cache_put(m->cache, key, bytes, size);
        free(bytes);
    }
}

/* ---- Models ---- */

typedef struct model_keys {
    cache_key of[MODEL_VERSIONS];
    uint32_t vacant; /* the first that holds nothing; MODEL_VERSIONS: all do */
} model_keys;

/* False: the file cannot be read, which its import will say. */
static bool model_keys_make(const product_maker *m, const import_job *job, model_keys *keys)
{
    import_result unsaid = { 0 };
    uint64_t size = 0;
    key_parts parts = { .kind = KEY_MODEL };
    uint8_t *bytes = file_read(job->path, job->bytes_max, &size, NULL, &unsaid);
    import_result_free(&unsaid);
    if (bytes == NULL) {
        return false;
    }
    hash_to(bytes, size, parts.content);
    hash_to(job->name, strlen(job->name), parts.name);
    for (; parts.version < MODEL_VERSIONS; ++parts.version) {
        keys->of[parts.version] = key_of(m, &parts);
    }
    free(bytes);
    return true;
}

/* The version for which all answers are still the same. */
static bool model_take(const product_maker *m, model_keys *keys, const import_job *job, product *p)
{
    keys->vacant = MODEL_VERSIONS;
    for (uint32_t i = 0; i < MODEL_VERSIONS; ++i) {
        bool whole = take_from_cache(m, &keys->of[i], p) && p->imported.lookup_count > 0;
        if (whole && source_lookups_hold(job, p->imported.lookups, p->imported.lookup_count)) {
            return true;
        }
        keys->vacant = whole ? keys->vacant : u32_min(keys->vacant, i);
        product_clear(p);
    }
    return false;
}

/* Where all are taken, which one goes is as good as random: the oldest would be the next one wanted by who goes round
 * among more versions than there is room for. */
static void model_put(const product_maker *m, const model_keys *keys, const product *p)
{
    uint64_t answers = 0;
    for (uint32_t i = 0; i < p->imported.lookup_count; ++i) {
        answers = XXH3_64bits_withSeed(p->imported.lookups[i].answer, sizeof(p->imported.lookups[i].answer), answers);
    }
    uint32_t number = keys->vacant < MODEL_VERSIONS ? keys->vacant : (uint32_t)(answers % MODEL_VERSIONS);
    put_into_cache(m, &keys->of[number], p);
}

static bool model_is_whole(const product *p)
{
    bool whole = !p->memory_failed && p->imported.lookup_count > 0 && !p->imported.lookups_lost;
    for (uint32_t i = 0; i < p->imported.message_count; ++i) {
        whole = whole && p->imported.messages[i].level == IMPORT_WARNING;
    }
    return whole;
}

product *product_of_model(const product_maker *m, const import_job *job)
{
    product *p = calloc(1, sizeof(*p));
    model_keys keys;
    bool cached = p != NULL && cache_is_on(m->cache) && model_keys_make(m, job, &keys);
    if (p == NULL || (cached && model_take(m, &keys, job, p))) {
        return p;
    }
    bool good = import_process_run(m->importer, job, &p->imported);
    if (!good && p->imported.message_count == 0) {
        import_add_message(&p->imported, IMPORT_ERROR, "%s: cannot be imported", job->path);
    }
    product_finish(p, m->level);
    if (cached && good && model_is_whole(p)) {
        model_put(m, &keys, p);
    }
    return p;
}

/* ---- Textures and blobs ---- */

/* Of what is said about the use, only what counts: a rule, else a material, else the name. */
static cache_key texture_key(const product_maker *m, const import_image *image, const texture_settings *settings)
{
    bool by_rule = settings->usage != TEXTURE_USAGE_UNKNOWN;
    bool by_name = !by_rule && image->usage == TEXTURE_USAGE_UNKNOWN;
    key_parts parts = { .kind = KEY_TEXTURE,
                        .format = (uint32_t)settings->format,
                        .usage = by_rule ? 0 : (uint32_t)image->usage,
                        .usage_by_name = by_name ? (uint32_t)texture_usage_by_name(image->name) : 0,
                        .usage_by_rule = (uint32_t)settings->usage,
                        .mip_count_max = settings->mip_count_max,
                        .width = image->width,
                        .height = image->height };
    hash_to(image->bytes, image->size, parts.content);
    return key_of(m, &parts);
}

/* A texture or a blob is one asset, and nothing is said about it. */
static bool single_is_whole(const product *p, leat_asset_type type)
{
    const import_result *r = &p->imported;
    return !p->memory_failed && p->asset_count == 1 && p->assets[0].asset.type == type &&
           r->image_count + r->usage_count + r->message_count + r->lookup_count == 0;
}

static bool single_take(const product_maker *m, const cache_key *key, leat_asset_type type, const char *name,
                        product *p)
{
    bool taken = take_from_cache(m, key, p) && single_is_whole(p, type);
    char *copy = taken ? strdup(name) : NULL;
    if (copy == NULL) {
        product_clear(p);
        return false;
    }
    free(p->assets[0].asset.name);
    p->assets[0].asset.name = copy;
    return true;
}

/* path: what messages call it. */
static void texture_make(const product_maker *m, const import_image *image, const char *path,
                         const texture_settings *asked, product *p)
{
    bool cached = cache_is_on(m->cache);
    cache_key key = { { 0, 0 } };
    texture_settings settings = *asked;
    settings.format = asked->format != TEXTURE_FORMAT_AUTO ? asked->format : m->format;
    if (cached) {
        key = texture_key(m, image, &settings);
    }
    if (cached && single_take(m, &key, LEAT_ASSET_TEXTURE, image->name, p)) {
        return;
    }
    texture_import(image, path, &settings, &p->imported);
    if (p->imported.asset_count == 0 && p->imported.message_count == 0) {
        p->memory_failed = true;
        return;
    }
    product_finish(p, m->level);
    if (cached && single_is_whole(p, LEAT_ASSET_TEXTURE)) {
        put_into_cache(m, &key, p);
    }
}

/* Takes over the bytes. */
static void blob_make(const product_maker *m, const char *name, uint8_t *bytes, uint64_t size, product *p)
{
    bool cached = cache_is_on(m->cache);
    cache_key key = { { 0, 0 } };
    if (cached) {
        key_parts parts = { .kind = KEY_BLOB };
        hash_to(bytes, size, parts.content);
        key = key_of(m, &parts);
    }
    if (cached && single_take(m, &key, LEAT_ASSET_BLOB, name, p)) {
        free(bytes);
        return;
    }
    const import_asset blob = { .name = strdup(name), .type = LEAT_ASSET_BLOB, .raw = bytes, .raw_size = size };
    if (!import_add_asset(&p->imported, &blob) || p->imported.assets[0].name == NULL) {
        p->memory_failed = true;
        return;
    }
    product_finish(p, m->level);
    if (cached && single_is_whole(p, LEAT_ASSET_BLOB)) {
        put_into_cache(m, &key, p);
    }
}

/* The source's bytes, into a new product; NULL: *p says why, or is NULL itself. */
static uint8_t *source_read(const import_job *job, uint64_t *size, product **p)
{
    *p = calloc(1, sizeof(**p));
    uint8_t *bytes = *p != NULL ? file_read(job->path, job->bytes_max, size, NULL, &(*p)->imported) : NULL;
    if (bytes == NULL && *p != NULL) {
        (*p)->memory_failed = (*p)->imported.message_count == 0;
    }
    return bytes;
}

product *product_of_blob(const product_maker *m, const import_job *job)
{
    product *p;
    uint64_t size = 0;
    uint8_t *bytes = source_read(job, &size, &p);
    if (bytes != NULL) {
        blob_make(m, job->name, bytes, size, p);
    }
    return p;
}

product *product_of_texture(const product_maker *m, const import_job *job, texture_usage usage,
                            const texture_settings *settings)
{
    product *p;
    uint64_t size = 0;
    uint8_t *bytes = source_read(job, &size, &p);
    if (bytes == NULL) {
        return p;
    }
    const import_image image = { .name = (char *)(uintptr_t)job->name, .bytes = bytes, .size = size, .usage = usage };
    texture_make(m, &image, job->path, settings, p);
    free(bytes);
    return p;
}

product *product_of_image(const product_maker *m, const import_image *image, const texture_settings *settings)
{
    product *p = calloc(1, sizeof(*p));
    if (p != NULL) {
        texture_make(m, image, image->name, settings, p);
    }
    return p;
}
