/* sources.h - which files there are to pack. */
#ifndef LEAT_PACKER_SOURCES_H
#define LEAT_PACKER_SOURCES_H

#include "rules.h"

typedef enum source_kind { SOURCE_TEXTURE = 0, SOURCE_MODEL = 1, SOURCE_BLOB = 2 } source_kind;

typedef struct source {
    char *path;
    char *name; /* of its asset: the path below its SRC */
    char *root; /* its SRC folder */
    source_kind kind;
    uint64_t size;
} source;

typedef struct source_list {
    source *items; /* sorted by name, bytewise */
    uint32_t count;
    uint32_t ignored_count; /* files of other types */
    const char *blobs; /* as sources_find was told */
    rules rules; /* of all files leat.rules that were met */
    import_result messages; /* only messages: what cannot be read, empty files, cycles, wrong rules */
} source_list;

/* Walks all SRCs. blobs: which files are blobs, whatever else they might be, by the ends of their names ("ogg,lua");
 * NULL: none. False: a SRC is missing, a leat.rules is wrong, or out of memory; messages say so. */
bool sources_find(char **paths, int path_count, const char *blobs, source_list *list);
void sources_free(source_list *list);

#endif
