/* report.c - series of times, their percentiles, and cJSON. */
#include "report.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#define SERIES_MAX (1u << 22) /* beyond, the oldest figures are all that is kept */

void report_series_add(report_series *series, float value)
{
    if (series->count == series->capacity) {
        uint32_t capacity = series->capacity == 0 ? 4096 : series->capacity * 2;
        float *grown = capacity > SERIES_MAX ? NULL : realloc(series->values, capacity * sizeof *grown);
        if (grown == NULL) {
            return;
        }
        series->values = grown;
        series->capacity = capacity;
    }
    series->values[series->count++] = value;
}

void report_frame(report *p, uint64_t frame_ns, const stream *s, const residency *r, uint32_t textures_resident)
{
    ++p->frames;
    report_series_add(&p->frame_ms, (float)frame_ns * 1e-6f);
    report_series_add(&p->update_ms, (float)s->counts.update_ns_last * 1e-6f);
    report_series_add(&p->upload_ms, (float)s->counts.upload_ns_last * 1e-6f);
    report_series_add(&p->submit_ms, (float)s->counts.submit_ns_last * 1e-6f);
    uint64_t now = clock_ns() - p->start_ns;
    if (p->first_texture_ns == 0 && textures_resident > 0) {
        p->first_texture_ns = now;
    }
    bool complete = r->bare_count == 0 && r->coarse_count == 0 && r->wanted_count > 0;
    if (p->all_resident_ns == 0 && complete) {
        p->all_resident_ns = now;
    }
    p->frames_complete += complete;
    p->frames_with_gaps += r->bare_count > 0;
    uint64_t bytes = r->budgets[RESIDENCY_TEXTURES].bytes + r->budgets[RESIDENCY_MESHES].bytes;
    p->gpu_bytes_max = bytes > p->gpu_bytes_max ? bytes : p->gpu_bytes_max;
}

static int float_compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static void number(cJSON *object, const char *name, double value)
{
    cJSON_AddNumberToObject(object, name, value);
}

static void series_put(cJSON *root, const char *name, report_series *series)
{
    cJSON *object = cJSON_AddObjectToObject(root, name);
    if (series->count == 0) {
        return;
    }
    number(object, "count", series->count);
    double sum = 0;
    for (uint32_t i = 0; i < series->count; ++i) {
        sum += (double)series->values[i];
    }
    qsort(series->values, series->count, sizeof *series->values, float_compare);
    number(object, "mean", sum / series->count);
    number(object, "p50", (double)series->values[series->count / 2]);
    number(object, "p99", (double)series->values[(uint64_t)series->count * 99 / 100]);
    number(object, "max", (double)series->values[series->count - 1]);
}

static void requests_put(cJSON *root, const stream_counts *counts)
{
    cJSON *object = cJSON_AddObjectToObject(root, "requests");
    number(object, "submitted", (double)counts->submitted);
    number(object, "ready", (double)counts->ready);
    number(object, "failed", (double)counts->failed);
    number(object, "cancelled", (double)counts->cancelled);
    number(object, "promoted", (double)counts->promoted);
    number(object, "refused", (double)counts->refused);
    number(object, "evictions", (double)counts->evictions);
    number(object, "bytes_uploaded", (double)counts->bytes_uploaded);
    static const char *const names[] = { "slowest_normal_ms", "slowest_urgent_ms", "slowest_high_ms",
                                         "slowest_prefetch_ms" }; /* by leat_priority; 0: there was none */
    for (uint32_t i = 0; i < LEAT_PRIORITY_COUNT; ++i) {
        number(object, names[i], (double)counts->class_latency_ns_max[i] * 1e-6);
    }
}

static void content_put(cJSON *root, const report_context *context)
{
    uint32_t textures = 0, meshes = 0, failed = 0;
    for (uint32_t i = 0; i < context->r->item_count; ++i) {
        const residency_item *item = &context->r->items[i];
        bool resident = !item->failed && item->resident < item->level_count;
        textures += resident && i < context->c->texture_count;
        meshes += resident && i >= context->c->texture_count;
        failed += item->failed;
    }
    cJSON *object = cJSON_AddObjectToObject(root, "content");
    number(object, "textures", context->c->texture_count);
    number(object, "meshes", context->c->mesh_count);
    number(object, "materials", context->c->material_count);
    number(object, "halls", context->hall_count);
    number(object, "references_missing", context->c->reference_missing_count);
    number(object, "textures_resident", textures);
    number(object, "meshes_resident", meshes);
    number(object, "placeholders", failed);
}

static void leat_put(cJSON *root, const leat_streamer *streamer)
{
    leat_stats stats;
    leat_info info;
    leat_stats_get(streamer, &stats);
    leat_info_get(streamer, &info);
    cJSON *object = cJSON_AddObjectToObject(root, "leat");
    cJSON_AddStringToObject(object, "backend", info.backend_text);
    number(object, "workers", info.worker_count);
    number(object, "bytes_read", (double)stats.bytes_read);
    number(object, "bytes_packed", (double)stats.bytes_packed);
    number(object, "bytes_delivered", (double)stats.bytes_delivered);
    number(object, "reads", (double)stats.reads_completed);
    number(object, "chunks_decoded", (double)stats.chunks_decoded);
    number(object, "chunks_damaged", (double)stats.chunks_damaged);
    number(object, "decode_ms", (double)stats.decode_ns * 1e-6);
    number(object, "memory_bytes", (double)stats.memory_bytes);
}

bool report_write(report *p, const report_context *context, const char *path)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "renderer", context->renderer);
    number(root, "width", context->width);
    number(root, "height", context->height);
    number(root, "samples", context->samples);
    number(root, "frames", p->frames);
    number(root, "seconds", (double)(clock_ns() - p->start_ns) * 1e-9);
    number(root, "frames_waited_for_io", p->frames_waited);
    number(root, "frames_complete", p->frames_complete);
    number(root, "frames_with_gaps", p->frames_with_gaps);
    number(root, "first_texture_ms", (double)p->first_texture_ns * 1e-6);
    number(root, "view_complete_ms", (double)p->all_resident_ns * 1e-6);
    series_put(root, "frame_ms", &p->frame_ms);
    series_put(root, "leat_update_ms", &p->update_ms);
    series_put(root, "leat_submit_ms", &p->submit_ms);
    series_put(root, "gpu_upload_ms", &p->upload_ms);
    series_put(root, "sharp_ms", &p->sharp_ms);
    number(root, "reloads", p->reloads);
    number(root, "rebuilds", p->rebuilds);
    series_put(root, "redrawn_ms", &p->redrawn_ms);
    number(root, "budget_bytes", (double)context->budget_bytes);
    number(root, "gpu_bytes_max", (double)p->gpu_bytes_max);
    requests_put(root, &context->s->counts);
    content_put(root, context);
    leat_put(root, context->streamer);
    char *text = cJSON_Print(root);
    cJSON_Delete(root);
    FILE *file = text != NULL ? fopen(path, "w") : NULL;
    bool ok = file != NULL && fputs(text, file) >= 0 && fputc('\n', file) != EOF;
    ok = file != NULL && fclose(file) == 0 && ok;
    cJSON_free(text);
    return ok;
}

void report_destroy(report *p)
{
    free(p->frame_ms.values);
    free(p->update_ms.values);
    free(p->upload_ms.values);
    free(p->submit_ms.values);
    free(p->sharp_ms.values);
    free(p->redrawn_ms.values);
    *p = (report){ 0 };
}
