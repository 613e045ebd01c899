/* extract.c - `leat extract`: assets back to files.
 *
 * Names come from a pack and are hostile, even though pack_index_check() has refused "..", empty parts and a leading
 * '/': each folder on the way is opened relative to the one before without following links, so that nothing is written
 * outside DIR, whatever lies there. */
#include "alike.h"
#include "commands.h"
#include "mesh_export.h"
#include "output.h"
#include "pack_file.h"
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

typedef struct extraction {
    const options *options;
    pack_file file;
    int folder; /* DIR */
    uint32_t written, failed, skipped;
    alike_list alike;
} extraction;

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
        message_print("%s: %s", name, why);
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

static void file_write(extraction *x, const char *name, const char *extension, const uint8_t *bytes, uint64_t size)
{
    char path[PATH_SIZE_MAX];
    const char *base = NULL, *why = NULL;
    snprintf(path, sizeof(path), "%s%s", name, extension);
    int folder = folder_open(x->folder, path, &base);
    if (folder < 0) {
        file_failed(x, name, extension, strerror(errno));
        return;
    }
    whole_file file = { 0 };
    if (whole_file_may_place(folder, base, x->options->force, &why) &&
        !(whole_file_begin(&file, folder, base) && fwrite(bytes, 1, size, file.stream) == size &&
          whole_file_end(&file) && whole_file_place(&file, x->options->force))) {
        why = errno == ENOSPC ? "No space left on device; make room there, and try again" : strerror(errno);
    }
    whole_file_abandon(&file);
    close(folder);
    if (why != NULL) {
        file_failed(x, name, extension, why);
        return;
    }
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

static void hdr_write(extraction *x, const char *name, const leat_pack_texture_metadata *m, const uint8_t *top)
{
    uint64_t count = (uint64_t)m->width * m->height * 4;
    float *pixels = malloc(count * sizeof(*pixels));
    sink s = { 0 };
    for (uint64_t i = 0; pixels != NULL && i < count; ++i) {
        uint16_t half;
        memcpy(&half, top + i * 2, 2);
        pixels[i] = float_from_half(half);
    }
    if (pixels == NULL || stbi_write_hdr_to_func(sink_take, &s, m->width, m->height, 4, pixels) == 0 || s.failed) {
        fail(x, name, "cannot be made into an HDR file");
    } else {
        file_write(x, name, extension_needed(name, ".hdr"), s.bytes, s.size);
    }
    free(s.bytes);
    free(pixels);
}

static void png_write(extraction *x, const char *name, const leat_pack_texture_metadata *m, const uint8_t *top)
{
    uint8_t *pixels = malloc((uint64_t)m->width * m->height * 4);
    sink s = { 0 };
    if (pixels == NULL) {
        fail(x, name, "out of memory");
    } else if (!texture_decode(m->format, m->width, m->height, top, pixels)) {
        fail(x, name, "is in a format that has no PNG form here; extract it with --dds");
    } else if (stbi_write_png_to_func(sink_take, &s, (int)m->width, (int)m->height, 4, pixels, 0) == 0 || s.failed) {
        fail(x, name, "cannot be made into a PNG file");
    } else {
        file_write(x, name, extension_needed(name, ".png"), s.bytes, s.size);
    }
    free(s.bytes);
    free(pixels);
}

static void texture_write(extraction *x, const char *name, const leat_pack_asset_record *a, const uint8_t *raw)
{
    const leat_pack_texture_metadata *m = (const void *)(x->file.index.metadata + a->metadata_offset);
    if (x->options->dds) {
        uint64_t size = 0;
        uint8_t *bytes = texture_dds_write(m, raw, a->raw_size, &size);
        if (bytes == NULL) {
            fail(x, name, "out of memory");
        } else {
            file_write(x, name, extension_needed(name, ".dds"), bytes, size);
        }
        free(bytes);
        return;
    }
    if (m->width > TEXTURE_EDGE_MAX || m->height > TEXTURE_EDGE_MAX) {
        fail(x, name, "is too large for a PNG; extract it with --dds");
        return;
    }
    /* The largest level is last; of several layers, the first. */
    const uint8_t *top = raw + a->raw_size - pack_mip_size(m->format, m->width, m->height, m->layer_count, 0);
    if (m->format == LEAT_FORMAT_RGBA16_FLOAT) {
        hdr_write(x, name, m, top);
    } else {
        png_write(x, name, m, top);
    }
}

/* ---- Meshes ---- */

static void mesh_write(extraction *x, const char *name, const leat_pack_asset_record *a, const uint8_t *raw)
{
    char path[PATH_SIZE_MAX];
    const char *base = NULL, *why = "";
    bool gltf = x->options->gltf;
    const char *extension = extension_needed(name, gltf ? ".gltf" : ".obj");
    snprintf(path, sizeof(path), "%s%s", name, extension);
    int folder = folder_open(x->folder, path, &base);
    if (folder < 0) {
        file_failed(x, name, extension, strerror(errno));
        return;
    }
    mesh_export_desc desc = { .metadata = (const void *)(x->file.index.metadata + a->metadata_offset),
                              .raw = raw,
                              .raw_size = a->raw_size,
                              .folder = folder,
                              .path = base,
                              .replace = x->options->force };
    if (gltf ? mesh_export_gltf(&desc, &why) : mesh_export_obj(&desc, &why)) {
        ++x->written;
    } else {
        file_failed(x, name, extension, why);
    }
    close(folder);
}

/* ---- All types ---- */

static void asset_write(extraction *x, const leat_pack_asset_record *a)
{
    char name[LEAT_PACK_NAME_SIZE_MAX + 1];
    leat_error error = { 0 };
    memcpy(name, pack_file_name(&x->file, a), a->name_size);
    name[a->name_size] = '\0';
    if (a->type == LEAT_ASSET_MATERIAL) { /* no bytes of its own */
        ++x->skipped;
        return;
    }
    uint8_t *raw = pack_file_asset(&x->file, a, &error);
    if (raw == NULL) {
        fail(x, name, error.text);
        return;
    }
    if (a->type == LEAT_ASSET_TEXTURE) {
        texture_write(x, name, a, raw);
    } else if (a->type == LEAT_ASSET_BLOB) {
        file_write(x, name, "", raw, a->raw_size);
    } else {
        mesh_write(x, name, a, raw);
    }
    free(raw);
}

static void assets_write(extraction *x)
{
    if (x->options->argument_count == 1) {
        for (uint32_t i = 0; i < x->file.index.asset_count; ++i) {
            asset_write(x, &x->file.index.assets[i]);
        }
        return;
    }
    for (int i = 1; i < x->options->argument_count; ++i) {
        const char *name = x->options->arguments[i];
        uint32_t position = pack_index_find(&x->file.index, leat_name_hash(name, strlen(name)));
        if (position == UINT32_MAX) {
            fail(x, name, "is not in the pack; `leat list` shows what is");
        } else {
            asset_write(x, &x->file.index.assets[position]);
        }
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
    assets_write(&x);
    alike_end(&x.alike);
    if (!o->quiet) {
        printf("%s: %s written, %u failed, %s without a file form\n", o->output,
               count_to_text(x.written, "file", "files").text, x.failed,
               count_to_text(x.skipped, "asset", "assets").text);
    }
    close(x.folder);
    pack_file_close(&x.file);
    return x.failed > 0 ? EXIT_FAILED : EXIT_OK;
}
