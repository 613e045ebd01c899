/* commands_read.c - `leat list`, `leat info` and `leat verify`. */
#include "commands.h"
#include "output.h"
#include "pack_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASSETS_NAMED_MAX 8u /* of a bad chunk, in the text; JSON names all */

static const char *const type_names[LEAT_ASSET_TYPE_COUNT] = { "blob", "texture", "mesh", "material" };

static bool open_or_say(const options *o, pack_file *file)
{
    leat_error error = { 0 };
    if (pack_file_open(o->arguments[0], file, &error) == LEAT_OK) {
        return true;
    }
    message_print("%s", error.text);
    return false;
}

/* Assets by name, as people expect lists; malloc'ed. */
typedef struct named {
    const pack_file *file;
    uint32_t asset;
} named;

static int named_compare(const void *a, const void *b)
{
    const named *x = a, *y = b;
    const leat_pack_asset_record *p = &x->file->index.assets[x->asset], *q = &y->file->index.assets[y->asset];
    int order = memcmp(pack_file_name(x->file, p), pack_file_name(y->file, q), u32_min(p->name_size, q->name_size));
    return order != 0 ? order : (int)p->name_size - (int)q->name_size;
}

static named *names_sorted(const pack_file *file)
{
    named *names = calloc(u32_max(file->index.asset_count, 1), sizeof(*names));
    for (uint32_t i = 0; names != NULL && i < file->index.asset_count; ++i) {
        names[i] = (named){ .file = file, .asset = i };
    }
    if (names != NULL) {
        qsort(names, file->index.asset_count, sizeof(*names), named_compare);
    }
    return names;
}

/* "1024x512 BC1_SRGB, 11 mips"; "" for blobs and materials. */
static void describe(const pack_file *file, const leat_pack_asset_record *a, char *text, size_t size)
{
    const void *metadata = file->index.metadata + a->metadata_offset;
    text[0] = '\0';
    if (a->type == LEAT_ASSET_TEXTURE) {
        const leat_pack_texture_metadata *m = metadata;
        snprintf(text, size, "%ux%u %s, %s%s", m->width, m->height, leat_format_text((leat_format)m->format),
                 count_to_text(m->mip_count, "mip", "mips").text,
                 m->flags & LEAT_TEXTURE_CUBE ? ", cube"
                 : m->layer_count > 1         ? ", array"
                                              : "");
    } else if (a->type == LEAT_ASSET_MESH) {
        const leat_pack_mesh_metadata *m = metadata;
        const leat_pack_lod_record *lods = (const void *)(m + 1);
        snprintf(text, size, "%s, %s", count_to_text(lods[0].index_count / 3, "triangle", "triangles").text,
                 count_to_text(m->lod_count, "LOD", "LODs").text);
    }
}

int command_list(const options *o)
{
    pack_file file;
    if (!open_or_say(o, &file)) {
        return EXIT_FAILED;
    }
    named *names = names_sorted(&file);
    cJSON *list = o->json ? cJSON_CreateArray() : NULL;
    for (uint32_t i = 0; names != NULL && i < file.index.asset_count; ++i) {
        const leat_pack_asset_record *a = &file.index.assets[names[i].asset];
        char text[128], name[LEAT_PACK_NAME_SIZE_MAX + 1];
        describe(&file, a, text, sizeof(text));
        memcpy(name, pack_file_name(&file, a), a->name_size);
        name[a->name_size] = '\0';
        if (list == NULL) {
            printf("%-8s %12" PRIu64 "  %-34s %s\n", type_names[a->type], a->raw_size, text, name);
            continue;
        }
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "name", name);
        cJSON_AddStringToObject(item, "type", type_names[a->type]);
        cJSON_AddNumberToObject(item, "raw_size", (double)a->raw_size);
        cJSON_AddStringToObject(item, "description", text);
        cJSON_AddItemToArray(list, item);
    }
    if (list != NULL) {
        json_print(list);
    }
    int result = names == NULL ? EXIT_FAILED : EXIT_OK;
    if (names == NULL) {
        message_print("%s: out of memory for its list of assets", file.path);
    }
    free(names);
    pack_file_close(&file);
    return result;
}

/* ---- info ---- */

typedef struct totals {
    uint64_t counts[LEAT_ASSET_TYPE_COUNT], raw[LEAT_ASSET_TYPE_COUNT];
    uint64_t packed, stored, aligned;
} totals;

static totals totals_of(const pack_file *file)
{
    totals t = { 0 };
    for (uint32_t i = 0; i < file->index.asset_count; ++i) {
        ++t.counts[file->index.assets[i].type];
        t.raw[file->index.assets[i].type] += file->index.assets[i].raw_size;
    }
    for (uint32_t i = 0; i < file->index.chunk_count; ++i) {
        t.packed += file->index.chunks[i].packed_size;
        t.stored += file->index.chunks[i].codec == LEAT_PACK_CODEC_STORED;
        t.aligned += file->index.chunks[i].file_offset % LEAT_PACK_ALIGNMENT == 0;
    }
    return t;
}

static void info_json(const pack_file *file, const totals *t, uint64_t padding)
{
    cJSON *o = cJSON_CreateObject();
    char hash[32];
    snprintf(hash, sizeof(hash), "%016" PRIx64, file->header.content_hash);
    cJSON_AddNumberToObject(o, "version", file->header.version);
    cJSON_AddStringToObject(o, "content_hash", hash);
    cJSON_AddNumberToObject(o, "file_size", (double)file->file_size);
    cJSON_AddNumberToObject(o, "index_size", (double)file->header.index_size);
    cJSON_AddNumberToObject(o, "raw_size", (double)file->index.raw_size);
    cJSON_AddNumberToObject(o, "packed_size", (double)t->packed);
    cJSON_AddNumberToObject(o, "padding_size", (double)padding);
    cJSON_AddNumberToObject(o, "chunks", file->index.chunk_count);
    cJSON_AddNumberToObject(o, "chunks_stored", (double)t->stored);
    cJSON_AddNumberToObject(o, "assets", file->index.asset_count);
    cJSON_AddNumberToObject(o, "references", file->index.reference_count);
    for (uint32_t i = 0; i < LEAT_ASSET_TYPE_COUNT; ++i) {
        cJSON *type = cJSON_AddObjectToObject(o, type_names[i]);
        cJSON_AddNumberToObject(type, "count", (double)t->counts[i]);
        cJSON_AddNumberToObject(type, "raw_size", (double)t->raw[i]);
    }
    json_print(o);
}

int command_info(const options *o)
{
    pack_file file;
    if (!open_or_say(o, &file)) {
        return EXIT_FAILED;
    }
    totals t = totals_of(&file);
    uint64_t padding = file.header.index_offset - file.header.header_size - t.packed;
    if (o->json) {
        info_json(&file, &t, padding);
        pack_file_close(&file);
        return EXIT_OK;
    }
    printf("%s: Leat pack, version %u, content %016" PRIx64 "\n", file.path, file.header.version,
           file.header.content_hash);
    for (uint32_t i = 0; i < LEAT_ASSET_TYPE_COUNT; ++i) {
        if (t.counts[i] > 0) {
            printf("  %-9s %8" PRIu64 "   %14s raw\n", type_names[i], t.counts[i], size_to_text(t.raw[i]).text);
        }
    }
    printf("  file      %12s: %s packed of %s raw (%.0f %%), index %s, padding %.2f %%\n",
           size_to_text(file.file_size).text, size_to_text(t.packed).text, size_to_text(file.index.raw_size).text,
           file.index.raw_size > 0 ? 100.0 * (double)t.packed / (double)file.index.raw_size : 0,
           size_to_text(file.header.index_size).text, 100.0 * (double)padding / (double)file.file_size);
    printf("  chunks    %8u: %" PRIu64 " stored, %" PRIu64 " at multiples of 4096; %u references\n",
           file.index.chunk_count, t.stored, t.aligned, file.index.reference_count);
    pack_file_close(&file);
    return EXIT_OK;
}

/* ---- verify ---- */

/* Adds the names of the assets that have bytes in the chunk; returns how many there are. */
static uint32_t assets_in(const pack_file *file, uint32_t chunk, cJSON *names)
{
    const leat_pack_chunk_record *k = &file->index.chunks[chunk];
    uint32_t count = 0;
    for (uint32_t i = 0; i < file->index.asset_count; ++i) {
        const leat_pack_asset_record *a = &file->index.assets[i];
        if (a->raw_size == 0 || a->raw_offset >= k->raw_offset + k->raw_size ||
            a->raw_offset + a->raw_size <= k->raw_offset) {
            continue;
        }
        char name[LEAT_PACK_NAME_SIZE_MAX + 1];
        memcpy(name, pack_file_name(file, a), a->name_size);
        name[a->name_size] = '\0';
        if (names != NULL) {
            cJSON_AddItemToArray(names, cJSON_CreateString(name));
        } else if (count < ASSETS_NAMED_MAX) {
            fprintf(stderr, "    %s\n", name);
        }
        ++count;
    }
    if (names == NULL && count > ASSETS_NAMED_MAX) {
        fprintf(stderr, "    and %u more\n", count - ASSETS_NAMED_MAX);
    }
    return count;
}

static void bad_chunk_say(const pack_file *file, uint32_t chunk, const leat_error *error, cJSON *bad)
{
    const leat_pack_chunk_record *k = &file->index.chunks[chunk];
    if (bad == NULL) {
        message_print("%s; in it:", error->text);
        assets_in(file, chunk, NULL);
        return;
    }
    cJSON *item = cJSON_CreateObject();
    cJSON_AddNumberToObject(item, "chunk", chunk);
    cJSON_AddNumberToObject(item, "file_offset", (double)k->file_offset);
    cJSON_AddNumberToObject(item, "packed_size", k->packed_size);
    cJSON_AddStringToObject(item, "error", error->text);
    assets_in(file, chunk, cJSON_AddArrayToObject(item, "assets"));
    cJSON_AddItemToArray(bad, item);
}

int command_verify(const options *o)
{
    pack_file file;
    if (!open_or_say(o, &file)) {
        return EXIT_FAILED;
    }
    uint8_t *raw = malloc(LEAT_PACK_CHUNK_RAW_MAX);
    if (raw == NULL) {
        message_print("%s: out of memory for a chunk", file.path);
        pack_file_close(&file);
        return EXIT_FAILED;
    }
    cJSON *bad = o->json ? cJSON_CreateArray() : NULL;
    uint32_t bad_count = 0;
    for (uint32_t i = 0; i < file.index.chunk_count; ++i) {
        leat_error error = { 0 };
        if (pack_file_chunk(&file, i, raw, &error) != LEAT_OK) {
            ++bad_count;
            bad_chunk_say(&file, i, &error, bad);
        }
    }
    if (bad != NULL) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddNumberToObject(object, "chunks", file.index.chunk_count);
        cJSON_AddItemToObject(object, "bad", bad);
        json_print(object);
    } else if (!o->quiet || bad_count > 0) {
        printf("%s: %s, %u bad\n", file.path, count_to_text(file.index.chunk_count, "chunk", "chunks").text, bad_count);
    }
    int result = bad_count > 0 ? EXIT_FAILED : EXIT_OK;
    free(raw);
    pack_file_close(&file);
    return result;
}
