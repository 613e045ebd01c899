/* folder.c - see folder.h. */
#include "folder.h"

#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/inotify.h>
#include <unistd.h>

#define WATCH_MASK                                                                                                     \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |            \
     IN_ONLYDIR | IN_EXCL_UNLINK)
#define FILES_CAPACITY_FIRST 256u
#define NAMES_CAPACITY_FIRST 8192u
#define PATH_SIZE_MAX (LEAT_PACK_NAME_SIZE_MAX + 1u)

typedef struct scan {
    const folder_desc *desc;
    folder *f;
    char path[PATH_SIZE_MAX + 1]; /* of what is looked at, from the folder on */
    uint32_t skipped;
    bool watched;
    leat_result result;
    int os_error;
} scan;

bool folder_open(const char *path, int *fd)
{
    *fd = file_open_at(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return *fd >= 0;
}

const char *folder_path_of(const folder *f, uint32_t file)
{
    return f->names + f->files[file].name_offset;
}

static loose_stamp stamp_of(const struct stat *status)
{
    return (loose_stamp){ .device = status->st_dev,
                          .inode = status->st_ino,
                          .size = (uint64_t)status->st_size,
                          .changed_ns = (int64_t)status->st_mtim.tv_sec * (int64_t)NS_PER_S + status->st_mtim.tv_nsec };
}

bool folder_unchanged(const folder *f, uint32_t file)
{
    struct stat status;
    if (file_stat_at(f->fd, folder_path_of(f, file), &status, 0) != 0 || !S_ISREG(status.st_mode)) {
        return false;
    }
    loose_stamp stamp = stamp_of(&status);
    return loose_same(&stamp, &f->files[file].stamp);
}

/* What is short is ours (descriptors, memory), and says nothing of the entry: to leave it out would be to tell of files
 * that have gone. True: the scan is over. */
static bool runs_short(scan *sc, int os_error)
{
    bool is_short = os_error == EMFILE || os_error == ENFILE || os_error == ENOMEM;
    if (is_short) {
        sc->result = LEAT_ERROR_OS;
        sc->os_error = os_error;
    }
    return is_short;
}

/* ---- The list ---- */

/* Twice the capacity, for `size` more elements of 1 byte or one of more. */
static bool grow(memory *m, void **block, uint64_t *capacity, uint64_t needed, uint64_t element, uint64_t first)
{
    if (needed <= *capacity) {
        return true;
    }
    uint64_t larger = u64_max(*capacity * 2, u64_max(needed, first));
    void *copy = memory_allocate(m, larger, element, CACHE_LINE_SIZE);
    if (copy == NULL) {
        return false;
    }
    if (*block != NULL) {
        memcpy(copy, *block, *capacity * element);
    }
    memory_free(m, *block, *capacity, element);
    *block = copy;
    *capacity = larger;
    return true;
}

static bool is_dds(const char *name, size_t size)
{
    return size > 4 && strcasecmp(name + size - 4, ".dds") == 0;
}

static const loose_file *known_before(const scan *sc, const loose_file *file)
{
    const folder *before = sc->desc->before;
    if (before == NULL) {
        return NULL;
    }
    uint32_t low = 0, high = before->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (before->files[middle].name_hash < file->name_hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool same = low < before->count && before->files[low].name_hash == file->name_hash &&
                loose_same(&before->files[low].stamp, &file->stamp);
    return same ? &before->files[low] : NULL;
}

/* A DDS file that can be streamed as it is becomes a texture; all others stay bytes. */
static void look_at_texture(scan *sc, loose_file *file)
{
    const loose_file *known = known_before(sc, file);
    if (known != NULL) {
        file->texture = known->texture;
        file->texels = known->texels;
        return;
    }
    uint8_t header[DDS_READ_SIZE] = { 0 };
    int fd = file_open_beneath(sc->f->fd, sc->path);
    if (fd < 0) {
        runs_short(sc, -fd);
        return;
    }
    ssize_t got = file_read_at(fd, header, sizeof(header), 0);
    close(fd);
    file->texture = got == (ssize_t)u64_min(sizeof(header), file->stamp.size) &&
                    dds_header_read(header, file->stamp.size, true, &file->texels) == NULL && !file->texels.swap;
}

static void add_file(scan *sc, const struct stat *status)
{
    folder *f = sc->f;
    size_t size = strlen(sc->path);
    uint64_t limit = sc->desc->asset_bytes_max;
    if (!pack_name_valid(sc->path, size) || (uint64_t)status->st_size > limit) {
        ++sc->skipped;
        return;
    }
    if (f->count == sc->desc->file_count_max || f->names_size + size + 1 > UINT32_MAX) {
        sc->result = LEAT_ERROR_LIMIT;
        return;
    }
    memory *m = sc->desc->memory;
    if (!grow(m, (void **)&f->files, &f->capacity, f->count + 1u, sizeof(*f->files), FILES_CAPACITY_FIRST) ||
        !grow(m, (void **)&f->names, &f->names_capacity, f->names_size + size + 1, 1, NAMES_CAPACITY_FIRST)) {
        sc->result = LEAT_ERROR_MEMORY;
        return;
    }
    loose_file *file = &f->files[f->count++];
    *file = (loose_file){ .name_hash = leat_name_hash(sc->path, size),
                          .name_offset = (uint32_t)f->names_size,
                          .name_size = (uint32_t)size,
                          .stamp = stamp_of(status) };
    memcpy(f->names + f->names_size, sc->path, size + 1);
    f->names_size += size + 1;
    if (is_dds(sc->path, size)) {
        look_at_texture(sc, file);
    }
}

/* ---- The walk ---- */

static void walk(scan *sc, int folder_fd, size_t path_size, uint32_t depth);

static void walk_down(scan *sc, int folder_fd, const char *name, size_t path_size, uint32_t depth)
{
    if (depth == FOLDER_DEPTH_MAX) {
        ++sc->skipped;
        return;
    }
    int fd = file_open_at(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) { /* gone again, or not ours to read */
        sc->skipped += !runs_short(sc, errno) && errno != ENOENT;
        return;
    }
    sc->path[path_size] = '/';
    walk(sc, fd, path_size + 1, depth);
}

static void look_at(scan *sc, int folder_fd, const char *name, size_t path_size, uint32_t depth)
{
    struct stat status;
    if (file_stat_at(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        sc->skipped += !runs_short(sc, errno) && errno != ENOENT; /* gone again, or not to be examined */
        return;
    }
    size_t size = strlen(name);
    if (path_size + size > LEAT_PACK_NAME_SIZE_MAX) {
        ++sc->skipped;
        return;
    }
    memcpy(sc->path + path_size, name, size + 1);
    if (S_ISLNK(status.st_mode)) { /* to a file in the folder: an asset under this name */
        int fd = file_open_beneath(sc->f->fd, sc->path);
        bool file = fd >= 0 && file_stat(fd, &status) == 0 && S_ISREG(status.st_mode);
        if (fd >= 0) {
            close(fd);
        }
        if (!file) {
            sc->skipped += !runs_short(sc, -fd);
            return;
        }
    }
    if (S_ISREG(status.st_mode)) {
        add_file(sc, &status);
    } else if (S_ISDIR(status.st_mode)) {
        walk_down(sc, folder_fd, name, path_size + size, depth + 1);
    } else {
        ++sc->skipped;
    }
}

/* Before the folder is listed, so that nothing can come unseen between the two. */
static void watch_folder(scan *sc, int folder_fd)
{
    if (sc->desc->watch_fd < 0 || !sc->watched) {
        return;
    }
    char link[64]; /* what is open is watched, whatever its path is called by now */
    snprintf(link, sizeof(link), "/proc/self/fd/%d", folder_fd);
    if (inotify_add_watch(sc->desc->watch_fd, link, WATCH_MASK) < 0) {
        sc->watched = false;
        log_line(sc->desc->log, LEAT_LOG_WARNING, "%s: is not watched for changes (%s)%s", sc->desc->path,
                 strerror(errno), errno == ENOSPC ? "; raise fs.inotify.max_user_watches" : "");
    }
}

/* Takes folder_fd over. */
static void walk(scan *sc, int folder_fd, size_t path_size, uint32_t depth)
{
    watch_folder(sc, folder_fd);
    DIR *listing = fdopendir(folder_fd);
    if (listing == NULL) {
        sc->result = LEAT_ERROR_OS;
        sc->os_error = errno;
        close(folder_fd);
        return;
    }
    while (sc->result == LEAT_OK) {
        errno = 0; /* which tells the end of the list from an error */
        const struct dirent *entry = readdir(listing);
        if (entry == NULL && errno == EINTR) {
            continue;
        }
        if (entry == NULL) {
            sc->result = errno == 0 ? LEAT_OK : LEAT_ERROR_OS; /* half a list would tell of files that have gone */
            sc->os_error = errno;
            break;
        }
        if (entry->d_name[0] != '.') {
            look_at(sc, folder_fd, entry->d_name, path_size, depth);
        }
    }
    closedir(listing);
}

/* ---- Public ---- */

static leat_result failed(const folder_desc *desc, leat_result result, int os_error, leat_error *error)
{
    switch (result) {
    case LEAT_ERROR_LIMIT:
        return error_set(error, result, 0,
                         "%s: has more than %u files, or more bytes than an index may name; raise "
                         "leat_pack_desc.file_count_max, or open a smaller folder",
                         desc->path, desc->file_count_max);
    case LEAT_ERROR_MEMORY:
        return error_set(error, result, 0, "%s: no memory for the list of its files", desc->path);
    default:
        return error_set(error, result, os_error, "%s: cannot be listed: %s", desc->path, strerror(os_error));
    }
}

leat_result folder_scan(const folder_desc *desc, folder *f, pack_index *index, bool *watched, leat_error *error)
{
    scan sc = { .desc = desc, .f = f, .watched = true };
    int fd = file_open_at(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return failed(desc, LEAT_ERROR_OS, errno, error);
    }
    walk(&sc, fd, 0, 0);
    *watched = sc.watched && desc->watch_fd >= 0;
    if (sc.result == LEAT_OK) {
        uint32_t found = f->count;
        f->count = loose_sort(f->files, f->count);
        sc.skipped += found - f->count;
        sc.result = loose_build(desc->memory, f->files, f->count, f->names, f->names_size, desc->index_bytes_max, index,
                                &f->tables);
    }
    if (sc.result != LEAT_OK) {
        return failed(desc, sc.result, sc.os_error, error);
    }
    if (sc.skipped > 0 && desc->before == NULL) {
        log_line(
            desc->log, LEAT_LOG_WARNING,
            "%s: %u entries are not assets (names that packs cannot have, links out of the folder, devices, or files "
            "over asset_bytes_max)",
            desc->path, sc.skipped);
    }
    return LEAT_OK;
}

void folder_close(memory *m, folder *f)
{
    if (f->fd >= 0) {
        close(f->fd);
    }
    memory_free(m, f->files, f->capacity, sizeof(*f->files));
    memory_free(m, f->names, f->names_capacity, 1);
    loose_free(m, &f->tables);
    *f = (folder){ .fd = FOLDER_NONE };
}
