/* source_files.h - the files that a model is read from: handed to Assimp from memory, and noted.
 *
 * A model names other files (.mtl, .bin, textures), and which ones only its importer knows. So each file that Assimp
 * asks for is read here, whole and once, and noted with a hash of the bytes that Assimp saw, or that there is none; the
 * textures that materials mean are noted by the answer (material_import.c). What is asked next depends on nothing but
 * the answers so far: as long as all of them are the same, so is the result. */
#ifndef LEAT_PACKER_SOURCE_FILES_H
#define LEAT_PACKER_SOURCE_FILES_H

#include "import.h"

#include <assimp/cfileio.h>

#define SOURCE_FILES_MAX 4096u /* of one model; more are not there for it, which is a warning */

typedef struct source_file {
    char *path;
    uint8_t *bytes; /* NULL: is not there, or cannot be read */
    uint64_t size;
    bool unreadable; /* it is there: a message says what is wrong with it */
} source_file;

typedef struct source_files {
    struct aiFileIO io; /* for Assimp */
    const import_job *job;
    import_result *result; /* the lookups go there */
    source_file *files;
    uint32_t file_count;
    bool too_many; /* said once */
} source_files;

/* The struct must stay where it is until the close; job and result as well. One thread. */
void source_files_open(source_files *s, const import_job *job, import_result *result);
/* Whether there is such a file, also if it cannot be read. Assimp sees what was seen here. */
bool source_files_has(source_files *s, const char *path);
void source_files_close(source_files *s);

/* Asks anew all that an import of `job` has asked. False: some answer differs. Any thread. */
bool source_lookups_hold(const import_job *job, const import_lookup *lookups, uint32_t lookup_count);

#endif
