/* options.h - the command line of `leat`. */
#ifndef LEAT_PACKER_OPTIONS_H
#define LEAT_PACKER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_PARTLY = 3 };

typedef enum texture_format { TEXTURE_FORMAT_AUTO = 0, TEXTURE_FORMAT_BC, TEXTURE_FORMAT_RGBA8 } texture_format;
extern const char *const texture_format_words[]; /* by position; NULL at the end */
typedef enum command {
    COMMAND_PACK = 0,
    COMMAND_LIST,
    COMMAND_INFO,
    COMMAND_VERIFY,
    COMMAND_EXTRACT,
    COMMAND_DIFF,
    COMMAND_DOCTOR,
    COMMAND_TRACE,
    COMMAND_CACHE
} command;

typedef struct options {
    command command;
    char **arguments; /* what is not an option: SRC..., PACK [NAME...], or OLD NEW */
    int argument_count;
    const char *output; /* -o */
    uint32_t job_count;
    int level; /* of LZ4 HC */
    texture_format format;
    const char *blobs; /* --blobs EXTENSIONS; NULL: none */
    const char *request; /* --request INDEX.GENERATION */
    uint32_t count; /* --count */
    const char *cache; /* --cache FOLDER; NULL: where cache_folder_default() says */
    uint64_t cache_limit; /* --cache-limit, bytes of disk */
    bool json, strict, dds, gltf, force, quiet, no_cache, verbose;
} options;

/* -1: go on; else the exit code (help and version have been printed, or what is wrong and a hint). */
int options_parse(int argc, char **argv, options *o);

#endif
