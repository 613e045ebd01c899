/* import.h - what importers get and give: one source file in, assets and messages out.
 *
 * The mesh importer (mesh_import.h) and the texture importer (texture_import.h) run on worker threads, one source at a
 * time each, and share nothing. Results are taken in the order of the sources, so that the pack does not depend on the
 * number of jobs. */
#ifndef LEAT_PACKER_IMPORT_H
#define LEAT_PACKER_IMPORT_H

#include <leat/leat.h>
#include <leat/pack_format.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a texture is used decides its colour space, its mips and its format. */
typedef enum texture_usage {
    TEXTURE_USAGE_UNKNOWN = 0, /* told by the file's name, else colour */
    TEXTURE_USAGE_COLOR, /* sRGB */
    TEXTURE_USAGE_NORMAL, /* tangent-space normals */
    TEXTURE_USAGE_DATA, /* linear, several channels: occlusion-roughness-metallic */
    TEXTURE_USAGE_MASK /* linear, one channel: roughness, height, occlusion */
} texture_usage;

typedef struct import_job {
    const char *path; /* the source file, to open */
    const char *name; /* of the main asset: the path below its SRC, with '/' */
    const char *root; /* the SRC folder that `name` is relative to: referenced files are named below it */
    uint64_t bytes_max; /* refuse larger sources */
} import_job;

/* A finished asset. All memory is malloc'ed and the result's. */
typedef struct import_asset {
    char *name;
    leat_asset_type type;
    uint8_t *raw;
    uint64_t raw_size;
    void *metadata; /* leat_pack_..._metadata and what follows it */
    uint32_t metadata_size;
    leat_pack_reference_record *references;
    uint32_t reference_count;
    uint64_t *cuts; /* raw offsets, ascending, at which a new chunk should begin (levels) */
    uint32_t cut_count;
} import_asset;

/* An image inside a model, encoded (PNG, JPEG: width 0) or raw RGBA8 (width and height set). Becomes a texture asset.
 */
typedef struct import_image {
    char *name;
    uint8_t *bytes;
    uint64_t size;
    uint32_t width, height;
    texture_usage usage;
} import_image;

/* "the texture of this name is used so" - from materials, for the textures' own import. */
typedef struct import_usage {
    char *name;
    texture_usage usage;
} import_usage;

typedef enum import_level { IMPORT_WARNING = 1, IMPORT_ERROR = 2 } import_level;
typedef struct import_message {
    import_level level;
    char *text; /* names the file, says why */
    uint32_t kind; /* the same for all messages that say the same of other files */
} import_message;

/* What an import has asked of the file system besides its source, and what it was told: if all answers are still the
 * same, so is the result (source_files.h). */
typedef enum lookup_kind {
    LOOKUP_BESIDE = 0, /* the content of a file; text: its path from the source's folder */
    LOOKUP_PATH, /* the same; text: its path */
    LOOKUP_TEXTURE, /* which texture of the pack is meant; text: as the model names it */
    LOOKUP_KIND_COUNT
} lookup_kind;
typedef struct import_lookup {
    lookup_kind kind;
    char *text;
    uint64_t answer[2]; /* XXH3-128; zeros: no such file */
} import_lookup;

typedef struct import_result {
    import_asset *assets;
    uint32_t asset_count;
    import_image *images;
    uint32_t image_count;
    import_usage *usages;
    uint32_t usage_count;
    import_message *messages;
    uint32_t message_count;
    import_lookup *lookups; /* of models; not all of them where lookups_lost */
    uint32_t lookup_count;
    bool lookups_lost;
} import_result;

/* import.c: growing the lists. A copy of text is taken; memory of assets and images changes hands. False: out of
 * memory, and what was handed over is freed. */
bool import_add_asset(import_result *result, const import_asset *asset);
bool import_add_image(import_result *result, const import_image *image);
bool import_add_usage(import_result *result, const char *name, texture_usage usage);
/* Copies. What there is no memory for sets lookups_lost. */
void import_add_lookup(import_result *result, lookup_kind kind, const char *text, const uint64_t answer[2]);
void import_add_message(import_result *result, import_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void import_asset_free(import_asset *asset);
void import_result_free(import_result *result);

#endif
