/* pack_file.h - a plain, single-threaded reader of packs, for tools and for checking what was written. */
#ifndef LEAT_PACKER_PACK_FILE_H
#define LEAT_PACKER_PACK_FILE_H

#include "pack_index.h"

typedef struct pack_file {
    char *path;
    int fd;
    leat_pack_header header;
    uint64_t file_size;
    void *index_bytes;
    pack_index index;
} pack_file;

leat_result pack_file_open(const char *path, pack_file *file, leat_error *error);
void pack_file_close(pack_file *file);

/* One chunk, checked and decoded, into raw (its raw_size bytes). */
leat_result pack_file_chunk(const pack_file *file, uint32_t chunk, void *raw, leat_error *error);
/* The chunk that was decoded last, of one file: the next small asset is in the same one as a rule. Zeros: none. */
typedef struct pack_file_room {
    uint8_t *raw;
    bool filled;
    uint32_t chunk;
} pack_file_room;

/* All raw bytes of an asset, malloc'ed (at least one byte); NULL on failure. */
uint8_t *pack_file_asset(const pack_file *file, const leat_pack_asset_record *asset, pack_file_room *room,
                         leat_error *error);
void pack_file_room_free(pack_file_room *room);

/* Positions of all assets by name, bytewise, as people expect lists; malloc'ed, NULL: out of memory. */
uint32_t *pack_file_by_name(const pack_file *file);
int pack_file_compare_names(const pack_file *f, const leat_pack_asset_record *a, const pack_file *g,
                            const leat_pack_asset_record *b);
/* Its name, for printf("%.*s"). */
static inline const char *pack_file_name(const pack_file *file, const leat_pack_asset_record *asset)
{
    return file->index.names + asset->name_offset;
}

#endif
