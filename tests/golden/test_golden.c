/* test_golden.c - the golden packs: each broken one is refused in its own words, each valid one is read.
 *
 *     test_golden FOLDER
 *
 * Shows, for every row of the table: the file in FOLDER is what the table makes today, byte for byte; the pure reader
 * refuses it with the row's result and words; the streamer does the same, at open or as its assets are read; and a file
 * that has no row, or a row without a file, is a failure. Valid packs, one for each version of the format, are read to
 * the last byte. Mesh indices are checked where they are used: by the packer's export, if it is in this build. */
#include "golden.h"
#include "pack_walk.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#ifdef LEAT_GOLDEN_EXPORT
#include "mesh_export.h"
#endif

#define PATH_BYTES_MAX 4096u

static uint32_t failure_count;

#define EXPECT(condition, ...)                                                                                         \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf(__VA_ARGS__);                                                                                       \
            printf(" (%s)\n", #condition);                                                                             \
            ++failure_count;                                                                                           \
        }                                                                                                              \
    } while (0)

static uint64_t file_load(const char *path, uint8_t *bytes, uint64_t room)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return UINT64_MAX;
    }
    uint64_t size = fread(bytes, 1, room, file);
    fclose(file);
    return size;
}

/* ---- The streamer ---- */

static void quiet(leat_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

static leat_streamer *streamer_make(const pack_limits *limits)
{
    leat_desc desc = { .backend = LEAT_BACKEND_SIM,
                       .stepped = true,
                       .memory_bytes_max = MIB(8),
                       .huge_pages = LEAT_OFF,
                       .logger = { .log = quiet },
                       .request_count_max = 64,
                       .pack_count_max = 2,
                       .pack_index_bytes_max = limits->index_bytes_max,
                       .asset_bytes_max = limits->asset_bytes_max,
                       .chunk_ratio_max = limits->chunk_ratio_max };
    leat_streamer *s = NULL;
    if (leat_create(&desc, &s) != LEAT_OK) {
        abort();
    }
    return s;
}

/* Reads every asset. Returns the first failure, in words. Bytes of READY assets must have the content's hash where all
 * are READY: who writes a broken block, and its hash, also writes the bytes that a prefix of it decodes to. */
static leat_result assets_read(leat_streamer *s, leat_pack pack, char *text, size_t text_size)
{
    leat_result first = LEAT_OK;
    uint32_t foreign = 0;
    leat_pack_info info;
    EXPECT(leat_pack_info_get(s, pack, &info) == LEAT_OK, "an open pack has no info");
    for (uint32_t i = 0; i < info.asset_count; ++i) {
        leat_asset asset = leat_asset_at(s, pack, i);
        leat_asset_info about;
        EXPECT(leat_asset_info_get(s, asset, &about) == LEAT_OK, "asset %u has no info", i);
        EXPECT(leat_read(s, &(leat_read_desc){ .asset = asset }, NULL) == LEAT_OK, "asset %u: read refused", i);
        leat_events events = leat_wait(s, NS_PER_S);
        EXPECT(events.count == 1, "asset %u: %u events", i, events.count);
        const leat_event *e = events.items;
        if (events.count == 1 && e->type == LEAT_EVENT_READY) {
            EXPECT(e->size == about.size, "asset %u: wrong size", i);
            foreign += XXH3_64bits(e->data, e->size) != about.content_hash;
            leat_release(s, e->request);
        } else if (events.count == 1 && first == LEAT_OK) {
            first = e->result;
            leat_event_text(s, e, text, text_size);
        }
    }
    EXPECT(first != LEAT_OK || foreign == 0, "%u assets have wrong bytes", foreign);
    return first;
}

static leat_result streamed(const char *path, const pack_limits *limits, golden_stage stage, char *text,
                            size_t text_size)
{
    leat_streamer *s = streamer_make(limits);
    leat_error error = { 0 };
    leat_pack pack;
    leat_result result = leat_pack_open(s, path, &(leat_pack_desc){ .error = &error }, &pack);
    snprintf(text, text_size, "%s", error.text);
    if (stage != GOLDEN_AT_OPEN) {
        EXPECT(result == LEAT_OK, "%s: is not opened: %s", path, error.text);
        result = result == LEAT_OK ? assets_read(s, pack, text, text_size) : result;
    }
    leat_destroy(s);
    return result;
}

/* ---- Rows ---- */

#ifdef LEAT_GOLDEN_EXPORT
/* The mesh of the pack goes through the export, which must refuse it. */
static leat_result exported(const pack_index *index, const uint8_t *raw, char *text, size_t text_size)
{
    leat_result result = LEAT_OK;
    for (uint32_t i = 0; i < index->asset_count; ++i) {
        const leat_pack_asset_record *a = &index->assets[i];
        const char *why = "";
        mesh_export_desc desc = { .metadata = (const void *)(index->metadata + a->metadata_offset),
                                  .raw = raw + a->raw_offset,
                                  .raw_size = a->raw_size,
                                  .path = "/dev/null" };
        if (a->type == LEAT_ASSET_MESH && !mesh_export_obj(&desc, &why)) {
            result = LEAT_ERROR_DAMAGED;
            snprintf(text, text_size, "%s", why);
        }
    }
    return result;
}
#endif

static void check_pure(const golden_row *row, const golden_pack *pack)
{
    pack_limits limits = golden_row_limits(row);
    pack_index index;
    uint8_t *index_bytes, *raw;
    leat_error error = { 0 };
    leat_result result = pack_walk_all(pack->bytes, pack->size, &limits, &index, &index_bytes, &raw, &error);
    if (row->stage == GOLDEN_AT_USE) {
        EXPECT(result == LEAT_OK, "%s: is refused before its use: %s", row->name, error.text);
#ifdef LEAT_GOLDEN_EXPORT
        result = exported(&index, raw, error.text, sizeof(error.text));
#endif
    }
#ifndef LEAT_GOLDEN_EXPORT
    if (row->stage != GOLDEN_AT_USE)
#endif
    {
        EXPECT(result == row->result, "%s: %s instead of %s", row->name, leat_result_text(result),
               leat_result_text(row->result));
        EXPECT(strstr(error.text, row->text) != NULL, "%s: says \"%s\"", row->name, error.text);
    }
    free(index_bytes);
    free(raw);
}

static void check_row(const golden_row *row, const char *folder)
{
    static golden_pack made, there;
    char path[PATH_BYTES_MAX], text[512] = "";
    snprintf(path, sizeof(path), "%s/%s.leat", folder, row->name);
    golden_row_make(row, &made);
    there.size = file_load(path, there.bytes, sizeof(there.bytes));
    EXPECT(there.size != UINT64_MAX, "%s: is missing; make it with golden_make", path);
    if (there.size == UINT64_MAX) {
        return;
    }
    EXPECT(there.size == made.size && memcmp(there.bytes, made.bytes, made.size) == 0,
           "%s: is not what the table makes", path);
    check_pure(row, &there);
    pack_limits limits = golden_row_limits(row);
    if (row->stage != GOLDEN_AT_USE) {
        leat_result result = streamed(path, &limits, row->stage, text, sizeof(text));
        EXPECT(result == row->result, "%s: the streamer says %s", row->name, leat_result_text(result));
        EXPECT(strstr(text, row->text) != NULL, "%s: the streamer says \"%s\"", row->name, text);
        EXPECT(strstr(text, row->name) != NULL, "%s: \"%s\" does not name the file", row->name, text);
    }
}

/* A pack of an earlier version is read for ever. */
static void check_valid(const char *folder, const char *name)
{
    static golden_pack there;
    char path[PATH_BYTES_MAX], text[512] = "";
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    there.size = file_load(path, there.bytes, sizeof(there.bytes));
    pack_index index;
    uint8_t *index_bytes, *raw;
    leat_error error = { 0 };
    leat_result result = pack_walk_all(there.bytes, there.size, NULL, &index, &index_bytes, &raw, &error);
    EXPECT(result == LEAT_OK && index.asset_count == GOLDEN_ASSET_COUNT, "%s: is refused: %s", path, error.text);
    const pack_limits limits = { .index_bytes_max = MIB(1), .asset_bytes_max = MIB(1), .chunk_ratio_max = 11 };
    EXPECT(streamed(path, &limits, GOLDEN_AT_READ, text, sizeof(text)) == LEAT_OK, "%s: %s", path, text);
    free(index_bytes);
    free(raw);
}

static bool row_named(const char *file_name)
{
    for (uint32_t i = 0; i < golden_row_count; ++i) {
        size_t size = strlen(golden_rows[i].name);
        if (strncmp(file_name, golden_rows[i].name, size) == 0 && strcmp(file_name + size, ".leat") == 0) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (folder == NULL) {
        fprintf(stderr, "usage: test_golden FOLDER\n");
        return 2;
    }
    uint32_t valid_count = 0;
    for (struct dirent *e = readdir(folder); e != NULL; e = readdir(folder)) {
        if (strncmp(e->d_name, "valid-", 6) == 0) {
            check_valid(argv[1], e->d_name);
            ++valid_count;
        } else if (e->d_name[0] != '.') {
            EXPECT(row_named(e->d_name), "%s: has no row in the table", e->d_name);
        }
    }
    closedir(folder);
    EXPECT(valid_count == LEAT_PACK_VERSION, "%u valid packs for %u versions of the format", valid_count,
           LEAT_PACK_VERSION);
    static golden_pack made, there;
    char path[PATH_BYTES_MAX];
    golden_base(&made, NULL, 0);
    snprintf(path, sizeof(path), "%s/valid-1.leat", argv[1]);
    there.size = file_load(path, there.bytes, sizeof(there.bytes));
    EXPECT(there.size == made.size && memcmp(there.bytes, made.bytes, made.size) == 0,
           "%s: is not what the generator makes", path);
    for (uint32_t i = 0; i < golden_row_count; ++i) {
        check_row(&golden_rows[i], argv[1]);
    }
    printf("%u rejected packs, %u valid ones, %u failures\n", golden_row_count, valid_count, failure_count);
    return failure_count == 0 ? 0 : 1;
}
