/* commands_read.c - `leat list`, `leat info` and `leat verify`. */
#include "commands.h"
#include "output.h"
#include "pack_file.h"
#include "progress.h"

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

/* Of LEAT_PACK_NAME_SIZE_MAX + 1 bytes. */
static void name_copy(const pack_file *file, const leat_pack_asset_record *a, char *name)
{
    memcpy(name, pack_file_name(file, a), a->name_size);
    name[a->name_size] = '\0';
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

static cJSON *asset_json(const pack_file *file, const leat_pack_asset_record *a, const char *name, const char *text)
{
    const void *metadata = file->index.metadata + a->metadata_offset;
    cJSON *item = cJSON_CreateObject();
    cJSON_AddStringToObject(item, "name", name);
    cJSON_AddStringToObject(item, "type", type_names[a->type]);
    cJSON_AddNumberToObject(item, "raw_size", (double)a->raw_size);
    cJSON_AddStringToObject(item, "description", text);
    if (a->type == LEAT_ASSET_TEXTURE) {
        const leat_pack_texture_metadata *m = metadata;
        cJSON_AddStringToObject(item, "format", leat_format_text((leat_format)m->format));
        cJSON_AddNumberToObject(item, "width", m->width);
        cJSON_AddNumberToObject(item, "height", m->height);
        cJSON_AddNumberToObject(item, "layers", m->layer_count);
        cJSON_AddNumberToObject(item, "mips", m->mip_count);
    } else if (a->type == LEAT_ASSET_MESH) {
        const leat_pack_mesh_metadata *m = metadata;
        const leat_pack_lod_record *lods = (const void *)(m + 1);
        cJSON_AddNumberToObject(item, "triangles", lods[0].index_count / 3);
        cJSON_AddNumberToObject(item, "lods", m->lod_count);
    }
    return item;
}

static void assets_list(const pack_file *file, const uint32_t *positions, bool json)
{
    for (uint32_t i = 0; i < file->index.asset_count; ++i) {
        const leat_pack_asset_record *a = &file->index.assets[positions[i]];
        char text[128], name[LEAT_PACK_NAME_SIZE_MAX + 1];
        describe(file, a, text, sizeof(text));
        name_copy(file, a, name);
        if (json) {
            json_array_add(asset_json(file, a, name, text), i == 0);
        } else {
            printf("%-8s %12" PRIu64 "  %-34s %s\n", type_names[a->type], a->raw_size, text, name);
        }
    }
}

int command_list(const options *o)
{
    pack_file file;
    if (!open_or_say(o, &file)) {
        return EXIT_FAILED;
    }
    uint32_t *positions = pack_file_by_name(&file);
    if (positions == NULL) {
        message_print("%s: out of memory for its list of assets", file.path);
        pack_file_close(&file);
        return EXIT_FAILED;
    }
    if (o->json) {
        json_array_begin();
    }
    assets_list(&file, positions, o->json);
    if (o->json) {
        json_array_end();
    }
    free(positions);
    pack_file_close(&file);
    return EXIT_OK;
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

/* Which assets have bytes in a chunk: made where the first bad one is found. */
typedef struct placed {
    uint64_t begin, end; /* in the raw space */
    uint64_t end_max; /* of all up to this one */
    uint32_t asset;
} placed;

typedef struct verification {
    pack_file file;
    placed *placed; /* by begin; NULL: not made yet */
    uint32_t placed_count;
    uint32_t bad_count;
    cJSON *bad; /* NULL: text */
    progress progress;
} verification;

static int placed_compare(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    int order = (x->begin > y->begin) - (x->begin < y->begin);
    return order != 0 ? order : (x->asset > y->asset) - (x->asset < y->asset);
}

/* False: out of memory. */
static bool placed_make(verification *v)
{
    const pack_index *index = &v->file.index;
    v->placed = malloc(((size_t)index->asset_count + 1) * sizeof(*v->placed));
    for (uint32_t i = 0; v->placed != NULL && i < index->asset_count; ++i) {
        const leat_pack_asset_record *a = &index->assets[i];
        if (a->raw_size > 0) {
            v->placed[v->placed_count++] =
                (placed){ .begin = a->raw_offset, .end = a->raw_offset + a->raw_size, .asset = i };
        }
    }
    if (v->placed_count > 0) {
        qsort(v->placed, v->placed_count, sizeof(*v->placed), placed_compare);
    }
    uint64_t end_max = 0;
    for (uint32_t i = 0; i < v->placed_count; ++i) {
        v->placed[i].end_max = end_max = u64_max(end_max, v->placed[i].end);
    }
    return v->placed != NULL;
}

/* The first that may reach beyond `offset`. */
static uint32_t placed_find(const verification *v, uint64_t offset)
{
    uint32_t low = 0, high = v->placed_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (v->placed[middle].end_max <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Tells the assets that have bytes in the chunk. */
static void assets_in(verification *v, uint32_t chunk, cJSON *names)
{
    const leat_pack_chunk_record *k = &v->file.index.chunks[chunk];
    uint32_t count = 0;
    if (v->placed == NULL && !placed_make(v)) {
        message_print("    out of memory for their names");
        return;
    }
    for (uint32_t i = placed_find(v, k->raw_offset);
         i < v->placed_count && v->placed[i].begin < k->raw_offset + k->raw_size; ++i) {
        char name[LEAT_PACK_NAME_SIZE_MAX + 1];
        if (v->placed[i].end <= k->raw_offset) {
            continue;
        }
        name_copy(&v->file, &v->file.index.assets[v->placed[i].asset], name);
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
}

static void bad_chunk_say(verification *v, uint32_t chunk, const leat_error *error)
{
    const leat_pack_chunk_record *k = &v->file.index.chunks[chunk];
    char text[sizeof(error->text) + 16];
    ++v->bad_count;
    if (v->bad == NULL) {
        snprintf(text, sizeof(text), "%s; in it:", error->text);
        progress_message(&v->progress, "", text);
        assets_in(v, chunk, NULL);
        return;
    }
    cJSON *item = cJSON_CreateObject();
    cJSON_AddNumberToObject(item, "chunk", chunk);
    cJSON_AddNumberToObject(item, "file_offset", (double)k->file_offset);
    cJSON_AddNumberToObject(item, "packed_size", k->packed_size);
    cJSON_AddStringToObject(item, "error", error->text);
    assets_in(v, chunk, cJSON_AddArrayToObject(item, "assets"));
    cJSON_AddItemToArray(v->bad, item);
}

static void chunks_verify(verification *v, uint8_t *raw)
{
    for (uint32_t i = 0; i < v->file.index.chunk_count; ++i) {
        leat_error error = { 0 };
        if (pack_file_chunk(&v->file, i, raw, &error) != LEAT_OK) {
            bad_chunk_say(v, i, &error);
        }
        progress_add(&v->progress, v->file.index.chunks[i].packed_size);
    }
}

int command_verify(const options *o)
{
    verification v = { .bad_count = 0 };
    if (!open_or_say(o, &v.file)) {
        return EXIT_FAILED;
    }
    const pack_file *file = &v.file;
    uint8_t *raw = malloc(LEAT_PACK_CHUNK_RAW_MAX);
    if (raw == NULL) {
        message_print("%s: out of memory for a chunk", file->path);
        pack_file_close(&v.file);
        return EXIT_FAILED;
    }
    v.bad = o->json ? cJSON_CreateArray() : NULL;
    progress_begin(&v.progress, o->quiet);
    progress_work(&v.progress, totals_of(file).packed);
    chunks_verify(&v, raw);
    progress_end(&v.progress);
    if (v.bad != NULL) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddNumberToObject(object, "chunks", file->index.chunk_count);
        cJSON_AddItemToObject(object, "bad", v.bad);
        json_print(object);
    } else if (!o->quiet || v.bad_count > 0) {
        printf("%s: %s, %u bad\n", file->path, count_to_text(file->index.chunk_count, "chunk", "chunks").text,
               v.bad_count);
    }
    free(v.placed);
    free(raw);
    pack_file_close(&v.file);
    return v.bad_count > 0 ? EXIT_FAILED : EXIT_OK;
}
