/* folder.h - a folder of loose files, as it was last looked at.
 *
 * A scan walks the folder down and lists its regular files, with a stamp each (loose.h). What is no asset is left out,
 * and counted: names that packs cannot have, devices and sockets, files over the limit, links that lead out of the
 * folder or to folders. Names that begin with a dot are left out silently, as the shell does: they are of version
 * control and of editors. Folders are walked to FOLDER_DEPTH_MAX.
 *
 * Scans block on the disk (a stat for each file): opening a pack and the watch thread make them, never the I/O thread
 * nor an update. */
#ifndef LEAT_FOLDER_H
#define LEAT_FOLDER_H

#include "base.h"
#include "loose.h"

#define FOLDER_DEPTH_MAX 64u
#define FOLDER_NONE (-1)

typedef struct folder {
    int fd; /* O_PATH: where reads begin; FOLDER_NONE: no folder */
    loose_file *files; /* sorted by hash: file i is asset i */
    uint32_t count;
    uint64_t capacity;
    char *names;
    uint64_t names_size, names_capacity;
    loose_tables tables;
} folder;

typedef struct folder_desc {
    memory *memory;
    const leat_logger *log;
    const char *path;
    const folder *before; /* NULL, or the last scan: what it knows of files that have not changed is not read again */
    int watch_fd; /* inotify: each folder is watched before it is listed; -1: none */
    uint32_t file_count_max;
    uint64_t asset_bytes_max, index_bytes_max;
} folder_desc;

/* True for a folder; *fd is then an O_PATH descriptor of it. */
bool folder_open(const char *path, int *fd);
/* Lists the files beneath f->fd and makes their index. *watched is false afterwards if a folder could not be watched.
 * Errors: LIMIT (too many files), MEMORY, OS. */
leat_result folder_scan(const folder_desc *desc, folder *f, pack_index *index, bool *watched, leat_error *error);
void folder_close(memory *m, folder *f);

/* The path of a file, from the folder on. */
const char *folder_path_of(const folder *f, uint32_t file);
/* Is the file still the one that was listed? One system call. */
bool folder_unchanged(const folder *f, uint32_t file);

#endif
