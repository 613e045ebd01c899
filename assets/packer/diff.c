/* diff.c - `leat diff OLD NEW [-o PATCH]`: which assets differ between two packs, and a pack of those that are new or
 * changed.
 *
 * Two assets are the same if their bytes (by hash), type, metadata and references are. A patch is an ordinary pack:
 * mounted on a higher layer than OLD (leat_pack_desc.layer) it hides what it replaces, and references, which are by
 * name, resolve over both. It cannot take away what NEW has no longer: that is listed as removed, and stays visible in
 * OLD.
 *
 * Both tables of assets lie in the order of name hashes, so one walk over both finds all; O(assets), without reading
 * any chunk. Writing the patch holds one asset at a time, in the order in which they lie in NEW. */
#include "commands.h"
#include "interrupt.h"
#include "output.h"
#include "pack_file.h"
#include "pack_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef enum diff_change { CHANGE_ADDED = 0, CHANGE_CHANGED, CHANGE_REMOVED, CHANGE_COUNT } diff_change;
static const char *const change_names[CHANGE_COUNT] = { "added", "changed", "removed" };

typedef struct difference {
    diff_change change;
    const pack_file *file; /* NEW; OLD for what was removed */
    const leat_pack_asset_record *asset;
} difference;

typedef struct differences {
    pack_file before, after;
    difference *items; /* at most the assets of both */
    uint32_t count, same_count;
    uint32_t counts[CHANGE_COUNT];
    pack_writer_stats stats; /* of the patch; all zero without one */
} differences;

/* ---- Finding ---- */

static bool same(const pack_file *f, const leat_pack_asset_record *a, const pack_file *g,
                 const leat_pack_asset_record *b)
{
    return a->type == b->type && a->raw_size == b->raw_size && a->content_hash == b->content_hash &&
           a->metadata_size == b->metadata_size && a->reference_count == b->reference_count &&
           memcmp(f->index.metadata + a->metadata_offset, g->index.metadata + b->metadata_offset, a->metadata_size) ==
               0 &&
           memcmp(f->index.references + a->reference_first, g->index.references + b->reference_first,
                  a->reference_count * sizeof(*f->index.references)) == 0;
}

static void add(differences *d, diff_change change, const pack_file *file, const leat_pack_asset_record *asset)
{
    d->items[d->count++] = (difference){ change, file, asset };
    ++d->counts[change];
}

static bool find(differences *d)
{
    const pack_file *f = &d->before, *g = &d->after;
    uint32_t i = 0, k = 0, old_count = f->index.asset_count, new_count = g->index.asset_count;
    d->items = calloc((size_t)old_count + new_count + 1, sizeof(*d->items));
    while (d->items != NULL && (i < old_count || k < new_count)) {
        const leat_pack_asset_record *a = &f->index.assets[i], *b = &g->index.assets[k];
        if (k == new_count || (i < old_count && a->name_hash < b->name_hash)) {
            add(d, CHANGE_REMOVED, f, a);
            ++i;
        } else if (i == old_count || b->name_hash < a->name_hash) {
            add(d, CHANGE_ADDED, g, b);
            ++k;
        } else {
            if (same(f, a, g, b)) {
                ++d->same_count;
            } else {
                add(d, CHANGE_CHANGED, g, b);
            }
            ++i;
            ++k;
        }
    }
    return d->items != NULL;
}

/* ---- Writing a patch ---- */

/* Cuts where NEW has chunks, so that the patch has the same ones. False: no memory. */
static bool cuts_take(const pack_file *file, const leat_pack_asset_record *a, import_asset *asset)
{
    uint32_t end = a->chunk_first;
    while (end < file->index.chunk_count && file->index.chunks[end].raw_offset < a->raw_offset + a->raw_size) {
        ++end;
    }
    asset->cuts = calloc((size_t)(end - a->chunk_first) + 1, sizeof(*asset->cuts));
    for (uint32_t i = a->chunk_first + 1; asset->cuts != NULL && i < end; ++i) {
        asset->cuts[asset->cut_count++] = file->index.chunks[i].raw_offset - a->raw_offset;
    }
    return asset->cuts != NULL;
}

static void *copy(const void *bytes, size_t size)
{
    void *block = malloc(size > 0 ? size : 1);
    if (block != NULL && size > 0) {
        memcpy(block, bytes, size);
    }
    return block;
}

static leat_result asset_add(pack_writer *w, const pack_file *file, const leat_pack_asset_record *a, int level,
                             pack_file_room *room, leat_error *error)
{
    packed_asset packed;
    import_asset asset = { .name = strndup(pack_file_name(file, a), a->name_size),
                           .type = (leat_asset_type)a->type,
                           .raw = pack_file_asset(file, a, room, error),
                           .raw_size = a->raw_size,
                           .metadata = copy(file->index.metadata + a->metadata_offset, a->metadata_size),
                           .metadata_size = a->metadata_size,
                           .references = copy(file->index.references + a->reference_first,
                                              a->reference_count * sizeof(*asset.references)),
                           .reference_count = a->reference_count };
    leat_result result = LEAT_OK;
    if (asset.raw == NULL) {
        result = error->result; /* damaged, for one */
    } else if (asset.name == NULL || asset.metadata == NULL || asset.references == NULL ||
               !cuts_take(file, a, &asset) || !packed_asset_make(&asset, level, &packed)) {
        result = error_set(error, LEAT_ERROR_MEMORY, 0, "%s: out of memory for an asset", file->path);
    }
    if (result != LEAT_OK) {
        import_asset_free(&asset);
        return result;
    }
    return pack_writer_add(w, &packed, error);
}

/* The order in NEW, by which neighbours stay neighbours. */
static int place_compare(const void *a, const void *b)
{
    const leat_pack_asset_record *x = ((const difference *)a)->asset, *y = ((const difference *)b)->asset;
    int order = (x->raw_offset > y->raw_offset) - (x->raw_offset < y->raw_offset);
    return order != 0 ? order : (x->name_hash > y->name_hash) - (x->name_hash < y->name_hash);
}

/* A patch must not take the place of what it is a patch to. */
static bool is_same_file(const char *path, const pack_file *file)
{
    struct stat a, b;
    return stat(path, &a) == 0 && stat(file->path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static leat_result patch_write(const options *o, differences *d, leat_error *error)
{
    if (is_same_file(o->output, &d->before) || is_same_file(o->output, &d->after)) {
        return error_set(error, LEAT_ERROR_ARGUMENT, 0, "%s: is one of the two packs; name another output", o->output);
    }
    interrupt *i = calloc(1, sizeof(*i)); /* its thread uses it until the process ends */
    if (i != NULL) {
        interrupt_watch(i);
    }
    pack_writer *w = pack_writer_open(o->output, o->level, i, error);
    leat_result result = w != NULL ? LEAT_OK : error->result;
    pack_file_room room = { 0 };
    qsort(d->items, d->count, sizeof(*d->items), place_compare);
    for (uint32_t n = 0; result == LEAT_OK && n < d->count; ++n) {
        if (d->items[n].change != CHANGE_REMOVED) {
            result = asset_add(w, d->items[n].file, d->items[n].asset, o->level, &room, error);
        }
    }
    if (result == LEAT_OK) {
        result = pack_writer_finish(w, &d->stats, error);
    }
    pack_file_room_free(&room);
    pack_writer_abandon(w);
    return result;
}

/* ---- Telling ---- */

static int name_compare(const void *a, const void *b)
{
    const difference *x = a, *y = b;
    return pack_file_compare_names(x->file, x->asset, y->file, y->asset);
}

static void tell_json(const differences *d)
{
    cJSON *o = cJSON_CreateObject(), *lists[CHANGE_COUNT];
    for (uint32_t i = 0; i < CHANGE_COUNT; ++i) {
        lists[i] = cJSON_AddArrayToObject(o, change_names[i]);
    }
    for (uint32_t i = 0; i < d->count; ++i) {
        const difference *item = &d->items[i];
        char name[LEAT_PACK_NAME_SIZE_MAX + 1];
        memcpy(name, pack_file_name(item->file, item->asset), item->asset->name_size);
        name[item->asset->name_size] = '\0';
        cJSON_AddItemToArray(lists[item->change], cJSON_CreateString(name));
    }
    cJSON_AddNumberToObject(o, "same", d->same_count);
    cJSON_AddNumberToObject(o, "patch_assets", (double)d->stats.asset_count);
    cJSON_AddNumberToObject(o, "patch_size", (double)d->stats.file_size);
    json_print(o);
}

static void tell(const options *o, differences *d)
{
    qsort(d->items, d->count, sizeof(*d->items), name_compare);
    if (o->json) {
        tell_json(d);
        return;
    }
    for (uint32_t i = 0; i < d->count && !o->quiet; ++i) {
        const difference *item = &d->items[i];
        printf("%-8s %.*s\n", change_names[item->change], (int)item->asset->name_size,
               pack_file_name(item->file, item->asset));
    }
    printf("%u added, %u changed, %u removed, %u the same\n", d->counts[CHANGE_ADDED], d->counts[CHANGE_CHANGED],
           d->counts[CHANGE_REMOVED], d->same_count);
    if (o->output == NULL) {
        return;
    }
    if (d->stats.asset_count == 0) {
        printf("%s: not written: nothing was added or changed\n", o->output);
        return;
    }
    printf("%s: %s, %s; mount it on a higher layer than %s\n", o->output,
           count_to_text(d->stats.asset_count, "asset", "assets").text, size_to_text(d->stats.file_size).text,
           o->arguments[0]);
    if (d->counts[CHANGE_REMOVED] > 0) {
        message_print("warning: what was removed stays visible in %s: a patch cannot take it away", o->arguments[0]);
    }
}

int command_diff(const options *o)
{
    differences d = { .before = { .fd = -1 }, .after = { .fd = -1 } };
    leat_error error = { 0 };
    leat_result result = pack_file_open(o->arguments[0], &d.before, &error);
    if (result == LEAT_OK) {
        result = pack_file_open(o->arguments[1], &d.after, &error);
    }
    if (result == LEAT_OK && !find(&d)) {
        result = error_set(&error, LEAT_ERROR_MEMORY, 0, "%s: out of memory", o->arguments[1]);
    }
    if (result == LEAT_OK && o->output != NULL && d.counts[CHANGE_ADDED] + d.counts[CHANGE_CHANGED] > 0) {
        result = patch_write(o, &d, &error);
    }
    if (result == LEAT_OK) {
        tell(o, &d);
    } else {
        message_print("%s", error.text);
    }
    free(d.items);
    pack_file_close(&d.before);
    pack_file_close(&d.after);
    return result == LEAT_OK ? EXIT_OK : EXIT_FAILED;
}
