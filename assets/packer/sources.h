/* sources.h - which files there are to pack. */
#ifndef LEAT_PACKER_SOURCES_H
#define LEAT_PACKER_SOURCES_H

#include "rules.h"

#include <sys/types.h>

typedef enum source_kind { SOURCE_TEXTURE = 0, SOURCE_MODEL = 1, SOURCE_BLOB = 2 } source_kind;

typedef struct source {
    char *path;
    char *name; /* of its asset: the path below its SRC */
    char *root; /* its SRC folder */
    source_kind kind;
    uint64_t size;
} source;

typedef struct sources_desc {
    char **paths; /* the SRCs */
    int path_count;
    const char *blobs; /* files that are blobs, whatever else they might be, by the ends of their names; NULL: none */
    const char
        *output; /* what is there now is no source, if it would be a blob: a pack does not hold itself; or NULL */
    struct progress *progress; /* told how many files there are so far; NULL: nobody is */
} sources_desc;

typedef struct source_list {
    source *items; /* sorted by name, bytewise */
    uint32_t count;
    uint32_t ignored_count; /* files of other types */
    const sources_desc *desc; /* while sources_find runs */
    bool output_there; /* the file that desc->output names */
    dev_t output_device;
    ino_t output_inode;
    rules rules; /* of all files leat.rules that were met */
    import_result messages; /* only messages: what cannot be read, empty files, cycles, wrong rules */
} source_list;

/* Walks all SRCs. False: a SRC is missing, a leat.rules is wrong, or out of memory; messages say so. */
bool sources_find(const sources_desc *desc, source_list *list);
void sources_free(source_list *list);

#endif
