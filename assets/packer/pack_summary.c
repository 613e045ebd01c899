/* pack_summary.c - see pack_summary.h. */
#include "pack_summary.h"
#include "output.h"
#include "options.h"

#include <stdio.h>
#include <time.h>

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

void pack_summary_begin(pack_summary *s)
{
    s->started_ns = now_ns();
    s->failures = cJSON_CreateArray();
    s->warnings = cJSON_CreateArray();
}

bool pack_summary_add(pack_summary *s, bool failed, uint32_t kind, const char *text)
{
    s->failure_count += failed;
    s->warning_count += !failed;
    cJSON_AddItemToArray(failed ? s->failures : s->warnings, cJSON_CreateString(text));
    return alike_add(&s->alike, failed, kind, text);
}

static void print_json(pack_summary *s, double seconds)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "output", s->output);
    cJSON_AddBoolToObject(o, "written", s->written);
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        { "sources", s->source_count },
        { "failed", s->failure_count },
        { "ignored", s->ignored_count },
        { "rules", s->rule_count },
        { "assets", s->stats.asset_count },
        { "textures", s->type_counts[LEAT_ASSET_TEXTURE] },
        { "meshes", s->type_counts[LEAT_ASSET_MESH] },
        { "materials", s->type_counts[LEAT_ASSET_MATERIAL] },
        { "blobs", s->type_counts[LEAT_ASSET_BLOB] },
        { "duplicates", s->stats.duplicate_count },
        { "raw_size", s->stats.raw_size },
        { "packed_size", s->stats.packed_size },
        { "padding_size", s->stats.padding_size },
        { "file_size", s->stats.file_size },
        { "chunks", s->stats.chunk_count },
        { "chunks_stored", s->stats.stored_count },
    };
    for (uint32_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); ++i) {
        cJSON_AddNumberToObject(o, numbers[i].name, (double)numbers[i].value);
    }
    cJSON_AddNumberToObject(o, "seconds", seconds);
    cJSON *cached = cJSON_AddObjectToObject(o, "from_cache");
    cJSON_AddNumberToObject(cached, "textures", (double)s->cached_counts[LEAT_ASSET_TEXTURE]);
    cJSON_AddNumberToObject(cached, "meshes", (double)s->cached_counts[LEAT_ASSET_MESH]);
    cJSON_AddNumberToObject(cached, "materials", (double)s->cached_counts[LEAT_ASSET_MATERIAL]);
    cJSON_AddNumberToObject(cached, "blobs", (double)s->cached_counts[LEAT_ASSET_BLOB]);
    cJSON_AddBoolToObject(o, "cache", s->cache_on);
    cJSON_AddItemToObject(o, "failures", s->failures);
    cJSON_AddItemToObject(o, "warnings", s->warnings);
    s->failures = s->warnings = NULL;
    json_print(o);
}

/* "651 textures (650 from the cache), " */
static void print_count(const pack_summary *s, leat_asset_type type, const char *one, const char *many,
                        const char *after)
{
    printf("%s", count_to_text(s->type_counts[type], one, many).text);
    if (s->cached_counts[type] > 0) {
        printf(" (%llu from the cache)", (unsigned long long)s->cached_counts[type]);
    }
    printf("%s", after);
}

static void print_text(const pack_summary *s, double seconds)
{
    if (!s->written) {
        printf("Nothing was written (%u failed).\n", s->failure_count);
        return;
    }
    printf("%s: %s in %.1f s: ", s->output, count_to_text(s->stats.asset_count, "asset", "assets").text, seconds);
    print_count(s, LEAT_ASSET_TEXTURE, "texture", "textures", ", ");
    print_count(s, LEAT_ASSET_MESH, "mesh", "meshes", ", ");
    print_count(s, LEAT_ASSET_MATERIAL, "material", "materials", s->type_counts[LEAT_ASSET_BLOB] > 0 ? ", " : "\n");
    if (s->type_counts[LEAT_ASSET_BLOB] > 0) {
        print_count(s, LEAT_ASSET_BLOB, "blob", "blobs", "\n");
    }
    printf("  %s raw, %s in the file, padding %.2f %%, %s\n", size_to_text(s->stats.raw_size).text,
           size_to_text(s->stats.file_size).text, 100.0 * (double)s->stats.padding_size / (double)s->stats.file_size,
           count_to_text(s->stats.duplicate_count, "duplicate", "duplicates").text);
    printf("  %s, %u failed, %s; %s of other types ignored", count_to_text(s->source_count, "source", "sources").text,
           s->failure_count, count_to_text(s->warning_count, "warning", "warnings").text,
           count_to_text(s->ignored_count, "file", "files").text);
    if (s->rule_count > 0) {
        printf("; %s", count_to_text(s->rule_count, "rule", "rules").text);
    }
    printf("\n");
}

int pack_summary_end(pack_summary *s, bool json)
{
    double seconds = (double)(now_ns() - s->started_ns) / 1e9;
    alike_end(&s->alike);
    if (json) {
        print_json(s, seconds);
    } else {
        print_text(s, seconds);
    }
    cJSON_Delete(s->failures);
    cJSON_Delete(s->warnings);
    return !s->written ? EXIT_FAILED : s->failure_count > 0 ? EXIT_PARTLY : EXIT_OK;
}
