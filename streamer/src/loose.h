/* loose.h - the index of a folder of loose files: the same tables that a pack has, made instead of read. Pure.
 *
 * folder.c finds the files; this file turns the list into assets and chunks, so that all that comes after (finding,
 * parts, scheduling, reads, decode) takes a folder for a pack. A file is one asset. Its chunks are stored, have no
 * hash, and say in `parameter` which file they are of (its position, which is the asset's) and in `file_offset` where
 * they lie in that file. The texels of a DDS file are in the order that Leat keeps them in, smallest level first,
 * although they lie the other way round in the file: only their chunks' offsets go down. */
#ifndef LEAT_LOOSE_H
#define LEAT_LOOSE_H

#include "dds.h"
#include "pack_index.h"

#define LOOSE_CHUNK_SIZE (256u << 10)

/* Names one version of a file: what differs has been changed. */
typedef struct loose_stamp {
    uint64_t device, inode, size;
    int64_t changed_ns; /* mtime */
} loose_stamp;

typedef struct loose_file {
    uint64_t name_hash;
    uint32_t name_offset; /* in the names, where it is zero-terminated */
    uint32_t name_size;
    loose_stamp stamp;
    bool texture;
    dds texels; /* of a texture */
} loose_file;

/* One allocation with all tables. */
typedef struct loose_tables {
    void *block;
    uint64_t block_size;
    uint64_t content_hash;
    uint64_t file_bytes;
} loose_tables;

/* Sorts the files by their hash and leaves those out whose hash another file has; returns how many remain. */
uint32_t loose_sort(loose_file *files, uint32_t count);

/* Makes the index of sorted files. index->names is `names`, which must stay. LIMIT: more chunks than can be numbered,
 * or tables larger than bytes_max; MEMORY. index->directory is not set: pack_index_directory does that. */
leat_result loose_build(memory *m, const loose_file *files, uint32_t count, const char *names, uint64_t names_size,
                        uint64_t bytes_max, pack_index *index, loose_tables *tables);
void loose_free(memory *m, loose_tables *tables);

/* The hash that stands for the content of this version: of its stamp, since nobody has read the bytes. */
uint64_t loose_hash(const loose_stamp *stamp);
bool loose_same(const loose_stamp *a, const loose_stamp *b);

#endif
