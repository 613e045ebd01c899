/* extract.c - `leat extract`: assets back to files.
 *
 * Names come from a pack and are hostile, even though pack_index_check() has refused "..", empty parts and a leading
 * '/': each folder on the way is opened relative to the one before without following links, so that nothing is written
 * outside DIR, whatever lies there.
 *
 * Assets go by name, in groups of some small ones or one large one: neighbours by name lie in one chunk as a rule,
 * which is decoded once for all of a group. Workers (jobs.h) read, decode and encode; files are written on the main
 * thread, by name, so that of two assets that want one file it is always the first that gets it. */
#include "alike.h"
#include "commands.h"
#include "jobs.h"
#include "mesh_export.h"
#include "output.h"
#include "pack_file.h"
#include "progress.h"
#include "texture.h"
#include "whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stb_image_write.h>

#define PATH_SIZE_MAX (LEAT_PACK_NAME_SIZE_MAX + 16u)

#define GROUP_RAW_MAX (1u << 20) /* bytes of a group of more than one asset */
#define GROUP_COUNT_MAX 256u
#define UNDER_WAY_MAX (1ull << 30) /* raw bytes of groups that are worked on or wait for their turn */

typedef struct group {
    uint32_t first, count; /* in `wanted` */
    uint64_t raw_size;
} group;

typedef struct extraction {
    const options *options;
    pack_file file;
    uint32_t *wanted; /* positions of assets, in the order in which they are written */
    uint32_t wanted_count;
    group *groups;
    uint32_t group_count;
    int folder; /* DIR */
    bool named; /* whole_file_begin's */
    uint64_t *placed; /* hashes of the paths that this run has written; open addressing, 0: free */
    uint32_t placed_mask;
    uint32_t written, failed, skipped;
    alike_list alike;
    progress progress;
    cJSON *failures; /* texts; NULL: without --json */
} extraction;

/* One asset as a worker leaves it. */
typedef struct extracted {
    uint8_t *bytes; /* of the file; of a mesh, its raw bytes */
    uint64_t size;
    const char *extension; /* that the file's name has behind the asset's */
    const char *obstacle; /* in the file's place */
    char *why; /* it cannot be had; without bytes either: out of memory */
} extracted;

typedef struct sink {
    uint8_t *bytes;
    size_t size, capacity;
    bool failed;
} sink;

static void fail(extraction *x, const char *name, const char *why)
{
    char *text = NULL;
    if (asprintf(&text, "%s: %s", name, why) < 0) {
        text = NULL;
    }
    if (text == NULL || alike_add(&x->alike, true, alike_kind_of(why), text)) {
        progress_message(&x->progress, "", text != NULL ? text : name);
    }
    if (x->failures != NULL) {
        cJSON_AddItemToArray(x->failures, cJSON_CreateString(text != NULL ? text : name));
    }
    free(text);
    ++x->failed;
}

/* ---- Files below DIR ---- */

/* Opens the folder of `path` (which is cut up) below `folder`, making what is missing. -1 and errno on failure. */
static int folder_open(int folder, char *path, const char **base)
{
    int at = dup(folder);
    for (char *slash; at >= 0 && (slash = strchr(path, '/')) != NULL; path = slash + 1) {
        *slash = '\0';
        int next = -1;
        if (mkdirat(at, path, 0777) == 0 || errno == EEXIST) {
            next = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        int number = errno;
        close(at);
        errno = number;
        at = next;
    }
    *base = path;
    return at;
}

static void file_failed(extraction *x, const char *name, const char *extension, const char *why)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s%s", x->options->output, name, extension);
    fail(x, path, why);
}

/* Of two assets that want one file the first has it, and --force, which is for what was there before, changes nothing.
 */
static const char placed_text[] = "is another asset's file, which was just written; extract one of them elsewhere";

static const char placed_bin_text[] = "its .bin is another asset's file, which was just written; extract one elsewhere";

static uint64_t path_hash(const char *path, size_t size)
{
    return leat_name_hash(path, size) | 1;
}

/* Where it is in the table, or would be. */
static uint64_t *placed_find(const extraction *x, uint64_t hash)
{
    uint32_t at = (uint32_t)(hash >> 32) & x->placed_mask;
    while (x->placed[at] != 0 && x->placed[at] != hash) {
        at = (at + 1) & x->placed_mask;
    }
    return &x->placed[at];
}

/* False: out of memory. */
static bool placed_make(extraction *x)
{
    uint64_t size = 4;
    while (size < (uint64_t)x->wanted_count * 4) { /* two files each, and as much room */
        size *= 2;
    }
    x->placed = calloc(size, sizeof(*x->placed));
    x->placed_mask = (uint32_t)(size - 1);
    return x->placed != NULL;
}

static void file_write(extraction *x, const char *name, const char *extension, const uint8_t *bytes, uint64_t size)
{
    char path[PATH_SIZE_MAX];
    const char *base = NULL, *why = NULL;
    snprintf(path, sizeof(path), "%s%s", name, extension);
    uint64_t hash = path_hash(path, strlen(path));
    if (*placed_find(x, hash) != 0) {
        file_failed(x, name, extension, placed_text);
        return;
    }
    int folder = folder_open(x->folder, path, &base);
    if (folder < 0) {
        file_failed(x, name, extension, strerror(errno));
        return;
    }
    whole_file file = { 0 };
    if (whole_file_may_place(folder, base, x->options->force, &why) &&
        !(whole_file_begin(&file, folder, base, WHOLE_FILE_MODE, &x->named) &&
          fwrite(bytes, 1, size, file.stream) == size && whole_file_end(&file) &&
          whole_file_place(&file, x->options->force))) {
        why = errno == ENOSPC ? "No space left on device; make room there, and try again" : strerror(errno);
    }
    whole_file_abandon(&file);
    close(folder);
    if (why != NULL) {
        file_failed(x, name, extension, why);
        return;
    }
    *placed_find(x, hash) = hash;
    ++x->written;
}

/* ---- Textures ---- */

static void sink_take(void *context, void *data, int size)
{
    sink *s = context;
    if (s->size + (size_t)size > s->capacity) {
        size_t capacity = (s->size + (size_t)size) * 2;
        uint8_t *grown = realloc(s->bytes, capacity);
        s->failed = s->failed || grown == NULL;
        if (grown == NULL) {
            return;
        }
        s->bytes = grown;
        s->capacity = capacity;
    }
    memcpy(s->bytes + s->size, data, (size_t)size);
    s->size += (size_t)size;
}

/* The name with another extension, if it has one of its own that differs: rock.jpg becomes rock.jpg.png. */
static const char *extension_needed(const char *name, const char *extension)
{
    size_t size = strlen(name), extension_size = strlen(extension);
    bool has = size > extension_size && strcasecmp(name + size - extension_size, extension) == 0;
    return has ? "" : extension;
}

static bool sink_take_over(sink *s, extracted *e)
{
    e->bytes = s->bytes;
    e->size = s->size;
    return !s->failed;
}

/* These leave the file's bytes in *e, and return what is wrong, or NULL. On the workers. */
static const char *hdr_make(const leat_pack_texture_metadata *m, const uint8_t *top, extracted *e)
{
    uint64_t count = (uint64_t)m->width * m->height * 4;
    float *pixels = malloc(count * sizeof(*pixels));
    sink s = { 0 };
    for (uint64_t i = 0; pixels != NULL && i < count; ++i) {
        uint16_t half;
        memcpy(&half, top + i * 2, 2);
        pixels[i] = float_from_half(half);
    }
    bool made = pixels != NULL && stbi_write_hdr_to_func(sink_take, &s, m->width, m->height, 4, pixels) != 0;
    free(pixels);
    return sink_take_over(&s, e) && made ? NULL : "cannot be made into an HDR file";
}

static const char *png_make(const leat_pack_texture_metadata *m, const uint8_t *top, extracted *e)
{
    uint8_t *pixels = malloc((uint64_t)m->width * m->height * 4);
    sink s = { 0 };
    if (pixels == NULL) {
        return "out of memory";
    }
    if (!texture_decode(m->format, m->width, m->height, top, pixels)) {
        free(pixels);
        return "is in a format that has no PNG form here; extract it with --dds";
    }
    bool made = stbi_write_png_to_func(sink_take, &s, (int)m->width, (int)m->height, 4, pixels, 0) != 0;
    free(pixels);
    return sink_take_over(&s, e) && made ? NULL : "cannot be made into a PNG file";
}

static const char *texture_make(const extraction *x, const leat_pack_asset_record *a, const uint8_t *raw, extracted *e)
{
    const leat_pack_texture_metadata *m = (const void *)(x->file.index.metadata + a->metadata_offset);
    if (x->options->dds) {
        e->bytes = texture_dds_write(m, raw, a->raw_size, &e->size);
        return e->bytes != NULL ? NULL : "out of memory";
    }
    if (m->width > TEXTURE_EDGE_MAX || m->height > TEXTURE_EDGE_MAX) {
        return "is too large for a PNG; extract it with --dds";
    }
    /* The largest level is last; of several layers, the first. */
    const uint8_t *top = raw + a->raw_size - pack_mip_size(m->format, m->width, m->height, m->layer_count, 0);
    return m->format == LEAT_FORMAT_RGBA16_FLOAT ? hdr_make(m, top, e) : png_make(m, top, e);
}

/* ---- Meshes ---- */

static void mesh_write(extraction *x, const char *name, const leat_pack_asset_record *a, const extracted *e)
{
    char path[PATH_SIZE_MAX];
    const char *base = NULL, *why = "";
    int size = snprintf(path, sizeof(path), "%s%s", name, e->extension);
    uint64_t hash = path_hash(path, (size_t)size), bin_hash = hash;
    if (x->options->gltf) { /* its other file */
        char bin_path[PATH_SIZE_MAX];
        int bin_size = snprintf(bin_path, sizeof(bin_path), "%.*s.bin", size - (int)strlen(".gltf"), path);
        bin_hash = path_hash(bin_path, (size_t)bin_size);
    }
    if (*placed_find(x, hash) != 0 || *placed_find(x, bin_hash) != 0) {
        file_failed(x, name, e->extension, *placed_find(x, hash) != 0 ? placed_text : placed_bin_text);
        return;
    }
    int folder = folder_open(x->folder, path, &base);
    if (folder < 0) {
        file_failed(x, name, e->extension, strerror(errno));
        return;
    }
    mesh_export_desc desc = { .metadata = (const void *)(x->file.index.metadata + a->metadata_offset),
                              .raw = e->bytes,
                              .raw_size = e->size,
                              .folder = folder,
                              .path = base,
                              .replace = x->options->force,
                              .named = &x->named };
    if (x->options->gltf ? mesh_export_gltf(&desc, &why) : mesh_export_obj(&desc, &why)) {
        *placed_find(x, hash) = hash;
        *placed_find(x, bin_hash) = bin_hash;
        ++x->written;
    } else {
        file_failed(x, name, e->extension, why);
    }
    close(folder);
}

/* ---- All types ---- */

typedef struct asset_name {
    char text[LEAT_PACK_NAME_SIZE_MAX + 1];
} asset_name;

static asset_name name_of(const extraction *x, const leat_pack_asset_record *a)
{
    asset_name name;
    memcpy(name.text, pack_file_name(&x->file, a), a->name_size);
    name.text[a->name_size] = '\0';
    return name;
}

static const char *extension_of(const extraction *x, const leat_pack_asset_record *a, const char *name)
{
    const leat_pack_texture_metadata *m = (const void *)(x->file.index.metadata + a->metadata_offset);
    switch (a->type) {
    case LEAT_ASSET_TEXTURE:
        return extension_needed(name, x->options->dds                         ? ".dds"
                                      : m->format == LEAT_FORMAT_RGBA16_FLOAT ? ".hdr"
                                                                              : ".png");
    case LEAT_ASSET_MESH:
        return extension_needed(name, x->options->gltf ? ".gltf" : ".obj");
    default:
        return "";
    }
}

/* What is there and stays there is not made first: for all of a pack that is minutes. NULL: nothing is in the way yet.
 */
static const char *obstacle_find(const extraction *x, const char *name, const char *extension)
{
    char path[PATH_SIZE_MAX];
    const char *why = NULL;
    snprintf(path, sizeof(path), "%s%s", name, extension);
    return whole_file_may_place(x->folder, path, x->options->force, &why) ? NULL : why;
}

static void asset_make(const extraction *x, const leat_pack_asset_record *a, pack_file_room *room, extracted *e)
{
    leat_error error = { 0 };
    const char *why = NULL;
    asset_name name = name_of(x, a);
    e->extension = extension_of(x, a, name.text);
    if (a->type == LEAT_ASSET_MATERIAL) { /* no bytes of its own */
        return;
    }
    e->obstacle = obstacle_find(x, name.text, e->extension);
    if (e->obstacle != NULL) {
        return;
    }
    uint8_t *raw = pack_file_asset(&x->file, a, room, &error);
    if (raw == NULL) {
        why = error.text;
    } else if (a->type == LEAT_ASSET_TEXTURE) {
        why = texture_make(x, a, raw, e);
        free(raw);
    } else {
        e->bytes = raw;
        e->size = a->raw_size;
    }
    if (why != NULL) {
        free(e->bytes);
        e->bytes = NULL;
        e->why = strdup(why);
    }
}

static void *group_work(void *user, uint32_t item)
{
    const extraction *x = user;
    const group *g = &x->groups[item];
    pack_file_room room = { 0 };
    extracted *all = calloc(g->count, sizeof(*all));
    for (uint32_t i = 0; all != NULL && i < g->count; ++i) {
        asset_make(x, &x->file.index.assets[x->wanted[g->first + i]], &room, &all[i]);
    }
    pack_file_room_free(&room);
    return all;
}

static void asset_write(extraction *x, const leat_pack_asset_record *a, const extracted *e)
{
    asset_name name = name_of(x, a);
    if (a->type == LEAT_ASSET_MATERIAL) {
        ++x->skipped;
    } else if (e->obstacle != NULL) {
        file_failed(x, name.text, e->extension, e->obstacle);
    } else if (e->why != NULL || e->bytes == NULL) {
        fail(x, name.text, e->why != NULL ? e->why : "out of memory");
    } else if (a->type == LEAT_ASSET_MESH) {
        mesh_write(x, name.text, a, e);
    } else {
        file_write(x, name.text, e->extension, e->bytes, e->size);
    }
}

static void group_discard(void *user, uint32_t item, void *result)
{
    const extraction *x = user;
    extracted *all = result;
    for (uint32_t i = 0; all != NULL && i < x->groups[item].count; ++i) {
        free(all[i].bytes);
        free(all[i].why);
    }
    free(all);
}

static uint64_t group_size(void *user, uint32_t item)
{
    const extraction *x = user;
    return x->groups[item].raw_size;
}

static bool group_take(void *user, uint32_t item, void *result)
{
    extraction *x = user;
    const group *g = &x->groups[item];
    const extracted *all = result;
    for (uint32_t i = 0; i < g->count; ++i) {
        const leat_pack_asset_record *a = &x->file.index.assets[x->wanted[g->first + i]];
        asset_write(x, a, all != NULL ? &all[i] : &(extracted){ 0 });
    }
    progress_add(&x->progress, g->raw_size);
    group_discard(x, item, result);
    return true;
}

/* ---- Which ones ---- */

/* All by name, or those that are named, as they are. False: out of memory. */
static bool wanted_find(extraction *x)
{
    const options *o = x->options;
    if (o->argument_count == 1) {
        x->wanted = pack_file_by_name(&x->file);
        x->wanted_count = x->file.index.asset_count;
        return x->wanted != NULL;
    }
    x->wanted = calloc((size_t)o->argument_count, sizeof(*x->wanted));
    for (int i = 1; x->wanted != NULL && i < o->argument_count; ++i) {
        const char *name = o->arguments[i];
        uint32_t position = pack_index_find(&x->file.index, leat_name_hash(name, strlen(name)));
        if (position == UINT32_MAX) {
            fail(x, name, "is not in the pack; `leat list` shows what is");
        } else {
            x->wanted[x->wanted_count++] = position;
        }
    }
    return x->wanted != NULL;
}

/* False: out of memory. */
static bool groups_make(extraction *x)
{
    uint64_t total = 0;
    x->groups = calloc((size_t)x->wanted_count + 1, sizeof(*x->groups));
    for (uint32_t i = 0; x->groups != NULL && i < x->wanted_count; ++i) {
        uint64_t more = x->file.index.assets[x->wanted[i]].raw_size;
        const group *last = x->group_count > 0 ? &x->groups[x->group_count - 1] : NULL;
        if (last == NULL || last->count == GROUP_COUNT_MAX ||
            more > GROUP_RAW_MAX - u64_min(last->raw_size, GROUP_RAW_MAX)) {
            x->groups[x->group_count++] = (group){ .first = i };
        }
        ++x->groups[x->group_count - 1].count;
        x->groups[x->group_count - 1].raw_size += more;
        total += more;
    }
    progress_work(&x->progress, total);
    return x->groups != NULL;
}

static bool assets_write(extraction *x)
{
    if (!wanted_find(x) || !groups_make(x) || !placed_make(x)) {
        return false;
    }
    const jobs_desc desc = { .item_count = x->group_count,
                             .thread_count = x->options->job_count,
                             .under_way_max = UNDER_WAY_MAX,
                             .user = x,
                             .size = group_size,
                             .work = group_work,
                             .take = group_take,
                             .discard = group_discard };
    return x->group_count == 0 || jobs_run(&desc);
}

static void summary_print(extraction *x)
{
    const options *o = x->options;
    if (o->json) {
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "output", o->output);
        cJSON_AddNumberToObject(json, "files", x->written);
        cJSON_AddNumberToObject(json, "failed", x->failed);
        cJSON_AddNumberToObject(json, "skipped", x->skipped);
        cJSON_AddItemToObject(json, "failures", x->failures);
        json_print(json);
    } else if (!o->quiet) {
        printf("%s: %s written, %u failed, %s without a file form\n", o->output,
               count_to_text(x->written, "file", "files").text, x->failed,
               count_to_text(x->skipped, "asset", "assets").text);
    }
}

int command_extract(const options *o)
{
    extraction x = { .options = o, .folder = -1, .alike.tell_all = o->verbose };
    leat_error error = { 0 };
    if (pack_file_open(o->arguments[0], &x.file, &error) != LEAT_OK) {
        message_print("%s", error.text);
        return EXIT_FAILED;
    }
    if ((mkdir(o->output, 0777) != 0 && errno != EEXIST) ||
        (x.folder = open(o->output, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        message_print("%s: cannot be made or opened: %s%s", o->output, strerror(errno),
                      errno == ENOENT ? "; make the folder that it is to be in first" : "");
        pack_file_close(&x.file);
        return EXIT_FAILED;
    }
    x.failures = o->json ? cJSON_CreateArray() : NULL;
    progress_begin(&x.progress, o->quiet);
    if (!assets_write(&x)) {
        fail(&x, o->arguments[0], "out of memory; try fewer --jobs");
    }
    progress_end(&x.progress);
    alike_end(&x.alike);
    summary_print(&x);
    free(x.placed);
    free(x.groups);
    free(x.wanted);
    close(x.folder);
    pack_file_close(&x.file);
    return x.failed > 0 ? EXIT_FAILED : EXIT_OK;
}
