/* wire.c - see wire.h. */
#include "wire.h"

#include <stdlib.h>
#include <string.h>

#define LIST_MAX (1u << 20) /* entries of any list */

void wire_put(wire_out *b, const void *bytes, size_t size)
{
    if (b->size + size > b->capacity && !b->failed) {
        size_t capacity = (b->size + size) * 2 + 256;
        uint8_t *grown = realloc(b->bytes, capacity);
        b->failed = grown == NULL;
        b->bytes = grown != NULL ? grown : b->bytes;
        b->capacity = grown != NULL ? capacity : b->capacity;
    }
    if (!b->failed && size > 0) {
        memcpy(b->bytes + b->size, bytes, size);
        b->size += size;
    }
}

void wire_put_block(wire_out *b, const void *bytes, uint64_t size)
{
    wire_put(b, &size, sizeof(size));
    wire_put(b, bytes, size);
}

void wire_put_text(wire_out *b, const char *text)
{
    wire_put_block(b, text, strlen(text));
}

void wire_put_u32(wire_out *b, uint32_t value)
{
    wire_put(b, &value, sizeof(value));
}

uint8_t *import_pack(const import_result *r, bool good, size_t *size)
{
    wire_out b = { 0 };
    wire_put_u32(&b, good);
    wire_put_u32(&b, r->asset_count);
    wire_put_u32(&b, r->image_count);
    wire_put_u32(&b, r->usage_count);
    wire_put_u32(&b, r->message_count);
    uint32_t lookup_count = r->lookups_lost ? 0 : r->lookup_count;
    wire_put_u32(&b, lookup_count);
    for (uint32_t i = 0; i < r->asset_count; ++i) {
        const import_asset *a = &r->assets[i];
        wire_put_text(&b, a->name);
        wire_put_u32(&b, (uint32_t)a->type);
        wire_put_block(&b, a->raw, a->raw_size);
        wire_put_block(&b, a->metadata, a->metadata_size);
        wire_put_block(&b, a->references, (uint64_t)a->reference_count * sizeof(*a->references));
        wire_put_block(&b, a->cuts, (uint64_t)a->cut_count * sizeof(*a->cuts));
    }
    for (uint32_t i = 0; i < r->image_count; ++i) {
        const import_image *m = &r->images[i];
        wire_put_text(&b, m->name);
        wire_put_block(&b, m->bytes, m->size);
        wire_put_u32(&b, m->width);
        wire_put_u32(&b, m->height);
        wire_put_u32(&b, (uint32_t)m->usage);
    }
    for (uint32_t i = 0; i < r->usage_count; ++i) {
        wire_put_text(&b, r->usages[i].name);
        wire_put_u32(&b, (uint32_t)r->usages[i].usage);
    }
    for (uint32_t i = 0; i < r->message_count; ++i) {
        wire_put_u32(&b, (uint32_t)r->messages[i].level);
        wire_put_text(&b, r->messages[i].text);
        wire_put_u32(&b, r->messages[i].kind);
    }
    for (uint32_t i = 0; i < lookup_count; ++i) {
        wire_put_u32(&b, (uint32_t)r->lookups[i].kind);
        wire_put_text(&b, r->lookups[i].text);
        wire_put(&b, r->lookups[i].answer, sizeof(r->lookups[i].answer));
    }
    if (b.failed) {
        free(b.bytes);
        return NULL;
    }
    *size = b.size;
    return b.bytes;
}

void wire_take(wire_in *c, void *out, size_t size)
{
    if (c->failed || size > c->left) {
        c->failed = true;
        memset(out, 0, size);
        return;
    }
    memcpy(out, c->at, size);
    c->at += size;
    c->left -= size;
}

uint32_t wire_take_u32(wire_in *c)
{
    uint32_t value;
    wire_take(c, &value, sizeof(value));
    return value;
}

uint32_t wire_take_count(wire_in *c, size_t record_size)
{
    uint32_t count = wire_take_u32(c);
    c->failed |= count > c->left / record_size;
    return c->failed ? 0 : count;
}

void *wire_take_block(wire_in *c, uint64_t *size)
{
    wire_take(c, size, sizeof(*size));
    if (c->failed || *size > c->left) {
        c->failed = true;
        *size = 0;
        return NULL;
    }
    uint8_t *block = malloc(*size + 1);
    if (block == NULL) {
        c->failed = true;
        *size = 0;
        return NULL;
    }
    wire_take(c, block, *size);
    block[*size] = 0;
    return block;
}

static void take_asset(wire_in *c, import_result *r)
{
    import_asset a = { 0 };
    uint64_t size, metadata_size, references_size, cuts_size;
    a.name = wire_take_block(c, &size);
    uint32_t type = wire_take_u32(c);
    a.type = (leat_asset_type)type;
    a.raw = wire_take_block(c, &a.raw_size);
    a.metadata = wire_take_block(c, &metadata_size);
    a.references = wire_take_block(c, &references_size);
    a.cuts = wire_take_block(c, &cuts_size);
    a.metadata_size = (uint32_t)metadata_size;
    a.reference_count = (uint32_t)(references_size / sizeof(*a.references));
    a.cut_count = (uint32_t)(cuts_size / sizeof(*a.cuts));
    c->failed |= type >= LEAT_ASSET_TYPE_COUNT || metadata_size > UINT32_MAX ||
                 references_size / sizeof(*a.references) > LIST_MAX || cuts_size / sizeof(*a.cuts) > LIST_MAX;
    for (uint32_t i = 0; i < a.cut_count && !c->failed; ++i) {
        c->failed |= a.cuts[i] >= a.raw_size || (i > 0 && a.cuts[i] <= a.cuts[i - 1]);
    }
    if (c->failed) {
        import_asset_free(&a);
    } else {
        c->failed = !import_add_asset(r, &a);
    }
}

static void take_image(wire_in *c, import_result *r)
{
    import_image m = { 0 };
    uint64_t size;
    m.name = wire_take_block(c, &size);
    m.bytes = wire_take_block(c, &m.size);
    m.width = wire_take_u32(c);
    m.height = wire_take_u32(c);
    uint32_t usage = wire_take_u32(c);
    m.usage = (texture_usage)usage;
    c->failed |= usage > TEXTURE_USAGE_MASK || (m.width != 0 && (uint64_t)m.width * m.height * 4 != m.size);
    if (c->failed) {
        free(m.name);
        free(m.bytes);
    } else {
        c->failed = !import_add_image(r, &m);
    }
}

static void take_usage(wire_in *c, import_result *r)
{
    uint64_t size;
    char *name = wire_take_block(c, &size);
    uint32_t usage = wire_take_u32(c);
    c->failed |= usage > TEXTURE_USAGE_MASK;
    if (!c->failed) {
        c->failed = !import_add_usage(r, name, (texture_usage)usage);
    }
    free(name);
}

static void take_message(wire_in *c, import_result *r)
{
    uint64_t size;
    uint32_t level = wire_take_u32(c);
    char *text = wire_take_block(c, &size);
    uint32_t kind = wire_take_u32(c), count = r->message_count;
    if (!c->failed) {
        import_add_message(r, level == IMPORT_WARNING ? IMPORT_WARNING : IMPORT_ERROR, "%s", text);
    }
    if (r->message_count > count) {
        r->messages[count].kind = kind;
    }
    free(text);
}

static void take_lookup(wire_in *c, import_result *r)
{
    uint64_t size, answer[2];
    uint32_t kind = wire_take_u32(c);
    char *text = wire_take_block(c, &size);
    wire_take(c, answer, sizeof(answer));
    c->failed |= kind >= LOOKUP_KIND_COUNT;
    if (!c->failed) {
        import_add_lookup(r, (lookup_kind)kind, text, answer);
        c->failed = r->lookups_lost;
    }
    free(text);
}

bool import_unpack(const uint8_t *bytes, size_t size, import_result *r, bool *good)
{
    wire_in c = { .at = bytes, .left = size };
    *r = (import_result){ 0 };
    *good = wire_take_u32(&c) == 1;
    uint32_t counts[5];
    for (uint32_t i = 0; i < 5; ++i) {
        counts[i] = wire_take_u32(&c);
    }
    void (*const takers[5])(wire_in *, import_result *) = { take_asset, take_image, take_usage, take_message,
                                                            take_lookup };
    for (uint32_t kind = 0; kind < 5; ++kind) {
        for (uint32_t i = 0; i < counts[kind] && !c.failed; ++i) {
            takers[kind](&c, r);
        }
    }
    if (c.failed || c.left != 0) {
        import_result_free(r);
        *r = (import_result){ 0 };
        return false;
    }
    return true;
}
