/* pack.c - `leat pack`: sources to a pack.
 *
 * Two passes, each over worker threads with results in order (jobs.h). Models come first, because their materials say
 * how textures are used; their packed assets wait in memory. The second pass goes through all sources by name and
 * makes the textures, so that what lies together in a folder lies together in the pack. What a source becomes is in
 * product.c, which asks the cache first. */
#include "commands.h"
#include "interrupt.h"
#include "encoder_id.h"
#include "jobs.h"
#include "mesh_import.h"
#include "output.h"
#include "pack_summary.h"
#include "pack_writer.h"
#include "product.h"
#include "progress.h"
#include "sources.h"
#include "texture.h"

#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE_BYTES_MAX (UINT64_C(1) << 30)
#define BLOCK_KEPT_MAX (32 << 20) /* bytes: larger blocks of memory come from the kernel and go back to it */
#define KIND_OF_NAMES 1u /* of messages about names that no asset may have */
#define FREE_KEPT_MAX (64 << 20) /* bytes at the end of a heap */

/* One thing to do in the second pass: a texture or blob source, a model's product, or an image out of a model. */
typedef struct unit {
    const source *source;
    product *model;
    const import_image *image;
    rules_answer rules; /* of a texture */
} unit;

typedef struct packing {
    import_process importer;
    product_maker maker;
    const options *options;
    source_list sources;
    const source **models;
    product **model_products; /* by position in models */
    uint32_t model_count;
    import_usage *usages; /* sorted by name, then usage; names belong to the products */
    uint32_t usage_count;
    unit *units;
    uint32_t unit_count;
    pack_writer *writer;
    progress progress;
    pack_summary summary;
    leat_error error;
} packing;

/* ---- Work, on the workers ---- */

static import_job job_of(const source *s)
{
    return (import_job){ .path = s->path, .name = s->name, .root = s->root, .bytes_max = SOURCE_BYTES_MAX };
}

static texture_usage usage_find(const packing *k, const char *name)
{
    uint32_t low = 0, high = k->usage_count; /* the first that is not before name */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(k->usages[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < k->usage_count && strcmp(k->usages[low].name, name) == 0 ? k->usages[low].usage
                                                                          : TEXTURE_USAGE_UNKNOWN;
}

static void *model_work(void *user, uint32_t item)
{
    packing *k = user;
    import_job job = job_of(k->models[item]);
    return product_of_model(&k->maker, &job);
}

static void *unit_work(void *user, uint32_t item)
{
    packing *k = user;
    const unit *u = &k->units[item];
    if (u->model != NULL) {
        return u->model;
    }
    if (u->image != NULL) {
        return product_of_image(&k->maker, u->image, &u->rules.settings);
    }
    import_job job = job_of(u->source);
    if (u->source->kind == SOURCE_BLOB) {
        return product_of_blob(&k->maker, &job);
    }
    return product_of_texture(&k->maker, &job, usage_find(k, job.name), &u->rules.settings);
}

/* ---- Taking, on the main thread ---- */

static void message_tell(packing *k, bool failed, uint32_t kind, const char *text)
{
    if (pack_summary_add(&k->summary, failed, kind, text)) {
        progress_message(&k->progress, failed ? "" : "warning: ", text);
    }
}

/* False: with --strict, a failure ends the run. */
static bool messages_take(packing *k, const import_result *from)
{
    bool ok = true;
    for (uint32_t i = 0; i < from->message_count; ++i) {
        bool failed = from->messages[i].level == IMPORT_ERROR;
        message_tell(k, failed, from->messages[i].kind, from->messages[i].text);
        ok = ok && !(failed && k->options->strict);
    }
    return ok;
}

static bool memory_error(packing *k, const char *path)
{
    snprintf(k->error.text, sizeof(k->error.text), "%s: out of memory; try fewer --jobs", path);
    return false;
}

static bool model_take(void *user, uint32_t item, void *result)
{
    packing *k = user;
    product *p = result;
    k->model_products[item] = p;
    if (p == NULL || p->memory_failed) {
        return memory_error(k, k->models[item]->path);
    }
    progress_add(&k->progress, k->models[item]->size);
    return messages_take(k, &p->imported);
}

static bool assets_take(packing *k, const source *from, product *p)
{
    for (uint32_t i = 0; i < p->asset_count; ++i) {
        leat_error error = { 0 };
        leat_asset_type type = p->assets[i].asset.type;
        leat_result result = pack_writer_add(k->writer, &p->assets[i], &error);
        if (result == LEAT_OK) {
            ++k->summary.type_counts[type];
            k->summary.cached_counts[type] += p->from_cache;
        } else if (result == LEAT_ERROR_ARGUMENT) {
            char text[2048];
            snprintf(text, sizeof(text), "%.1400s: %s", from->path, error.text);
            message_tell(k, true, KIND_OF_NAMES, text);
            if (k->options->strict) {
                return false;
            }
        } else {
            k->error = error;
            return false;
        }
    }
    return true;
}

/* "leat: ui/a.png: 64x64 RGBA8_SRGB, 1 mip; use=color (a material), mips=1 (ui/leat.rules:1)" */
static void texture_tell(packing *k, const unit *u, const product *p)
{
    if (!k->options->verbose || p->asset_count != 1 || p->assets[0].asset.type != LEAT_ASSET_TEXTURE) {
        return;
    }
    const import_asset *a = &p->assets[0].asset;
    const leat_pack_texture_metadata *m = a->metadata;
    char decided[PATH_MAX * 2], *text = NULL;
    rules_describe(&u->rules, u->image != NULL ? u->image->usage : usage_find(k, a->name),
                   texture_usage_by_name(a->name), decided, sizeof(decided));
    if (asprintf(&text, "%s: %ux%u %s, %s%s%s", a->name, m->width, m->height, leat_format_text((leat_format)m->format),
                 count_to_text(m->mip_count, "mip", "mips").text, decided[0] != '\0' ? "; " : "", decided) >= 0) {
        progress_message(&k->progress, "", text);
        free(text);
    }
}

static bool unit_take(void *user, uint32_t item, void *result)
{
    packing *k = user;
    const unit *u = &k->units[item];
    product *p = result;
    if (p == NULL || p->memory_failed) {
        if (u->model == NULL) {
            product_free(p);
        }
        return memory_error(k, u->source->path);
    }
    texture_tell(k, u, p);
    if (p->asset_count == 1 && p->assets[0].asset.type == LEAT_ASSET_TEXTURE) {
        rules_note_made(&u->rules, p->assets[0].asset.name, p->assets[0].asset.metadata);
    }
    bool ok = assets_take(k, u->source, p);
    if (u->model == NULL) {
        ok = messages_take(k, &p->imported) && ok;
        progress_add(&k->progress, u->image != NULL ? u->image->size : u->source->size);
        product_free(p);
    }
    return ok;
}

static void model_discard(void *user, uint32_t item, void *result)
{
    (void)user;
    (void)item;
    product_free(result);
}

static void unit_discard(void *user, uint32_t item, void *result)
{
    const packing *k = user;
    if (k->units[item].model == NULL) { /* models' products are freed with the packing */
        product_free(result);
    }
}

/* ---- Passes ---- */

/* Without memory or threads the jobs end without a word of their own. */
static bool jobs_done(packing *k, const jobs_desc *desc)
{
    uint32_t failures = k->summary.failure_count;
    if (jobs_run(desc)) {
        return true;
    }
    bool told = k->error.text[0] != '\0' || (k->options->strict && k->summary.failure_count > failures);
    return told ? false : memory_error(k, k->options->output);
}

static int usage_compare(const void *a, const void *b)
{
    const import_usage *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (int)x->usage - (int)y->usage;
}

/* A texture that is used in two ways is what comes first in texture_usage: colour before all. */
static bool usages_gather(packing *k)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < k->model_count; ++i) {
        count += k->model_products[i]->imported.usage_count;
    }
    k->usages = calloc(count > 0 ? count : 1, sizeof(*k->usages));
    for (uint32_t i = 0; k->usages != NULL && i < k->model_count; ++i) {
        const import_result *r = &k->model_products[i]->imported;
        for (uint32_t n = 0; n < r->usage_count; ++n) {
            k->usages[k->usage_count++] = r->usages[n];
        }
    }
    if (k->usage_count > 0) {
        qsort(k->usages, k->usage_count, sizeof(*k->usages), usage_compare);
    }
    return k->usages != NULL;
}

static bool models_run(packing *k)
{
    k->models = calloc(k->sources.count, sizeof(*k->models));
    k->model_products = calloc(k->sources.count, sizeof(*k->model_products));
    if (k->models == NULL || k->model_products == NULL) {
        return memory_error(k, k->options->output);
    }
    for (uint32_t i = 0; i < k->sources.count; ++i) {
        if (k->sources.items[i].kind == SOURCE_MODEL) {
            k->models[k->model_count++] = &k->sources.items[i];
        }
    }
    jobs_desc desc = { .item_count = k->model_count,
                       .thread_count = k->options->job_count,
                       .user = k,
                       .work = model_work,
                       .take = model_take,
                       .discard = model_discard };
    if (k->model_count > 0 && !jobs_done(k, &desc)) {
        return false;
    }
    return usages_gather(k) || memory_error(k, k->options->output);
}

/* An image in a model lies beside it, as MODEL#image0.png. False: out of memory. */
static bool unit_rules_find(packing *k, unit *u)
{
    if (u->image == NULL) {
        return u->source->kind != SOURCE_TEXTURE || rules_find(&k->sources.rules, u->source->path, &u->rules);
    }
    const char *behind = strrchr(u->image->name, '#');
    char *path = NULL;
    if (asprintf(&path, "%s%s", u->source->path, behind != NULL ? behind : "") < 0) {
        return false;
    }
    bool found = rules_find(&k->sources.rules, path, &u->rules);
    free(path);
    return found;
}

static bool units_plan(packing *k)
{
    uint64_t count = k->sources.count;
    for (uint32_t i = 0; i < k->model_count; ++i) {
        count += k->model_products[i]->imported.image_count;
    }
    k->units = calloc(count, sizeof(*k->units));
    if (k->units == NULL || count > UINT32_MAX / 2) {
        return memory_error(k, k->options->output);
    }
    uint32_t model = 0;
    for (uint32_t i = 0; i < k->sources.count; ++i) {
        const source *s = &k->sources.items[i];
        if (s->kind != SOURCE_MODEL) {
            k->units[k->unit_count++] = (unit){ .source = s };
            continue;
        }
        product *p = k->model_products[model++];
        k->units[k->unit_count++] = (unit){ .source = s, .model = p };
        for (uint32_t n = 0; n < p->imported.image_count; ++n) {
            k->units[k->unit_count++] = (unit){ .source = s, .image = &p->imported.images[n] };
            k->progress.total += p->imported.images[n].size;
        }
    }
    for (uint32_t i = 0; i < k->unit_count; ++i) {
        if (!unit_rules_find(k, &k->units[i])) {
            return memory_error(k, k->options->output);
        }
    }
    import_result unmatched = { 0 };
    rules_check_matched(&k->sources.rules, &unmatched);
    bool ok = messages_take(k, &unmatched);
    import_result_free(&unmatched);
    return ok;
}

static bool units_run(packing *k)
{
    if (!units_plan(k)) {
        return false;
    }
    jobs_desc desc = { .item_count = k->unit_count,
                       .thread_count = k->options->job_count,
                       .user = k,
                       .work = unit_work,
                       .take = unit_take,
                       .discard = unit_discard };
    if (!jobs_done(k, &desc)) {
        return false;
    }
    import_result unheeded = { 0 };
    rules_check_heeded(&k->sources.rules, &unheeded);
    bool ok = messages_take(k, &unheeded);
    import_result_free(&unheeded);
    return ok;
}

static bool nothing_to_pack(packing *k)
{
    snprintf(k->error.text, sizeof(k->error.text),
             "%.300s%s: nothing to pack: no textures or models that can be read (%s of other types; see --blobs)",
             k->options->arguments[0], k->options->argument_count > 1 ? " and others" : "",
             count_to_text(k->sources.ignored_count, "file", "files").text);
    return false;
}

static bool run(packing *k, interrupt *i)
{
    uint64_t total = 0;
    const sources_desc wanted = { .paths = k->options->arguments,
                                  .path_count = k->options->argument_count,
                                  .blobs = k->options->blobs,
                                  .output = k->options->output,
                                  .progress = &k->progress };
    bool found = sources_find(&wanted, &k->sources);
    for (uint32_t n = 0; n < k->sources.count; ++n) {
        total += k->sources.items[n].size;
    }
    progress_work(&k->progress, total);
    bool taken = messages_take(k, &k->sources.messages);
    k->summary.source_count = k->sources.count + k->summary.failure_count;
    k->summary.rule_count = rules_count(&k->sources.rules);
    if (!taken || !found) {
        return k->summary.failure_count > 0 ? false : memory_error(k, k->options->output);
    }
    if (k->sources.count == 0) {
        return nothing_to_pack(k);
    }
    k->writer = pack_writer_open(k->options->output, k->options->level, i, &k->error);
    if (k->writer == NULL || !models_run(k) || !units_run(k)) {
        return false;
    }
    uint64_t assets = 0;
    for (uint32_t type = 0; type < LEAT_ASSET_TYPE_COUNT; ++type) {
        assets += k->summary.type_counts[type];
    }
    return assets == 0 ? nothing_to_pack(k) : pack_writer_finish(k->writer, &k->summary.stats, &k->error) == LEAT_OK;
}

/* A cache that cannot be used is a word, and nothing more. */
static void cache_begin(packing *k)
{
    const options *o = k->options;
    char folder[PATH_MAX];
    const char *why = NULL;
    bool found = o->cache != NULL || (!o->no_cache && cache_folder_default(folder, sizeof(folder), &why));
    if (why != NULL && !found) {
        progress_message(&k->progress, "", why);
    }
    const cache_limits limits = { .bytes = o->cache_limit, .free_bytes_min = CACHE_FREE_DEFAULT };
    k->maker.cache = cache_open(o->cache != NULL ? o->cache : found ? folder : NULL, limits);
    encoder_id(k->maker.encoder);
}

static void cache_end(packing *k)
{
    const char *problem = cache_problem(k->maker.cache);
    k->summary.cache_on = cache_is_on(k->maker.cache);
    if (problem != NULL) {
        progress_message(&k->progress, "", problem);
    }
    cache_close(k->maker.cache);
}

/* Sources and results come and go by the megabyte. Given back to the kernel each time, their memory is faulted in each
 * time: a sixth of the time of a run that finds all in the cache (against 10 MiB more that it holds). */
static void memory_keep(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, BLOCK_KEPT_MAX);
    mallopt(M_TRIM_THRESHOLD, FREE_KEPT_MAX);
#endif
}

int command_pack(const options *o)
{
    memory_keep();
    packing k = { .options = o, .summary = { .output = o->output, .alike.tell_all = o->verbose } };
    k.maker = (product_maker){ .importer = &k.importer, .format = o->format, .level = o->level };
    import_process_start(&k.importer, mesh_import); /* first: it forks, and there are no threads yet */
    interrupt *i = calloc(1, sizeof(*i)); /* its thread uses it until the process ends */
    if (i != NULL) {
        interrupt_watch(i);
    }
    pack_summary_begin(&k.summary);
    progress_begin(&k.progress, o->quiet);
    cache_begin(&k);
    bool ok = run(&k, i);
    import_process_stop(&k.importer);
    progress_end(&k.progress);
    cache_end(&k);
    if (!ok && k.error.text[0] != '\0') {
        message_tell(&k, true, 0, k.error.text);
    }
    k.summary.written = ok;
    k.summary.ignored_count = k.sources.ignored_count;
    int result = pack_summary_end(&k.summary, o->json);
    pack_writer_abandon(k.writer);
    for (uint32_t n = 0; n < k.model_count; ++n) {
        product_free(k.model_products[n]);
    }
    free(k.models);
    free(k.model_products);
    free(k.usages);
    free(k.units);
    sources_free(&k.sources);
    return result;
}
