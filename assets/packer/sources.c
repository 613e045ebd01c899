/* sources.c - see sources.h.
 *
 * fts (BSD) walks: logically, so that symbolic links count as what they point to, and with its own detection of cycles.
 * What is named twice (two SRCs with the same file below them) is noticed where assets are added, not here. */
#include "sources.h"
#include "mesh_import.h"
#include "progress.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const char *const texture_extensions[] = { "png", "jpg", "jpeg", "tga", "bmp", "psd", "hdr",
                                                  "gif", "ppm", "pgm",  "pnm", "pic", "dds" };

/* Whether the list, as in "ogg,lua", has it; upper and lower case are the same. */
static bool extension_listed(const char *list, const char *extension)
{
    size_t size = strlen(extension);
    while (list != NULL && *list != '\0') {
        size_t one = strcspn(list, ",");
        if (one == size && strncasecmp(list, extension, size) == 0) {
            return size > 0;
        }
        list += one + (list[one] == ',');
    }
    return false;
}

/* False: nothing that goes into a pack. */
static bool kind_of(const char *name, const char *blobs, source_kind *kind)
{
    const char *dot = strrchr(name, '.');
    if (dot != NULL && extension_listed(blobs, dot + 1)) {
        *kind = SOURCE_BLOB;
        return true;
    }
    for (uint32_t i = 0; dot != NULL && i < sizeof(texture_extensions) / sizeof(texture_extensions[0]); ++i) {
        if (strcasecmp(dot + 1, texture_extensions[i]) == 0) {
            *kind = SOURCE_TEXTURE;
            return true;
        }
    }
    *kind = SOURCE_MODEL;
    return mesh_import_knows(name);
}

static bool source_add(source_list *list, const char *path, const char *name, const char *root, uint64_t size,
                       source_kind kind)
{
    if ((list->count & (list->count - 1)) == 0) {
        source *grown = realloc(list->items, (list->count == 0 ? 1 : (size_t)list->count * 2) * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        list->items = grown;
    }
    source one = { .path = strdup(path), .name = strdup(name), .root = strdup(root), .kind = kind, .size = size };
    if (one.path == NULL || one.name == NULL || one.root == NULL) {
        free(one.path);
        free(one.name);
        free(one.root);
        return false;
    }
    list->items[list->count++] = one;
    return true;
}

static bool is_output(const source_list *list, const struct stat *file)
{
    return list->output_there && list->output_device == file->st_dev && list->output_inode == file->st_ino;
}

/* Another name of it (a hard link) was given on purpose, to what is no output. */
static bool leads_to_output(const source_list *list, const FTSENT *entry)
{
    char *output = realpath(list->desc->output, NULL), *path = realpath(entry->fts_path, NULL);
    bool same = output != NULL && path != NULL && strcmp(output, path) == 0;
    free(output);
    free(path);
    return same;
}

/* One file that the walk has met. root_size: how much of its path is the SRC. */
static bool file_take(source_list *list, const FTSENT *entry, const char *root, size_t root_size)
{
    source_kind kind;
    if (strcmp(entry->fts_name, RULES_FILE_NAME) == 0) {
        rules_read(&list->rules, entry->fts_path, entry->fts_level > FTS_ROOTLEVEL, &list->messages);
        return true;
    }
    const char *name = entry->fts_path + root_size;
    while (*name == '/') {
        ++name;
    }
    if (!kind_of(entry->fts_name, list->desc->blobs, &kind)) {
        ++list->ignored_count;
        return true;
    }
    if (kind == SOURCE_BLOB && is_output(list, entry->fts_statp)) {
        if (entry->fts_statp->st_nlink > 1 && !leads_to_output(list, entry)) {
            import_add_message(&list->messages, IMPORT_WARNING,
                               "%s: is left out: it is a hard link to the output, %s; make it a copy", entry->fts_path,
                               list->desc->output);
        }
        return true;
    }
    if (!S_ISREG(entry->fts_statp->st_mode)) {
        import_add_message(&list->messages, IMPORT_ERROR, "%s: is not a regular file", entry->fts_path);
        return true;
    }
    if (entry->fts_statp->st_size == 0 && kind != SOURCE_BLOB) { /* an empty script is one; a picture is cut off */
        import_add_message(&list->messages, IMPORT_ERROR, "%s: is empty", entry->fts_path);
        return true;
    }
    return source_add(list, entry->fts_path, name, root, (uint64_t)entry->fts_statp->st_size, kind);
}

static bool entry_take(source_list *list, const FTSENT *entry, const char *root, size_t root_size)
{
    switch (entry->fts_info) {
    case FTS_F:
    case FTS_DEFAULT:
        return file_take(list, entry, root, root_size);
    case FTS_DC:
        /* ancestors share the entry's path buffer: only the lengths differ */
        import_add_message(&list->messages, IMPORT_WARNING, "%s: is a link back to %.*s; not followed", entry->fts_path,
                           (int)entry->fts_cycle->fts_pathlen, entry->fts_path);
        return true;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        import_add_message(&list->messages, IMPORT_ERROR, "%s: cannot be read: %s", entry->fts_path,
                           strerror(entry->fts_errno));
        return true;
    case FTS_SLNONE:
        list->rules.bad |= strcmp(entry->fts_name, RULES_FILE_NAME) == 0;
        if (strcmp(entry->fts_name, RULES_FILE_NAME) == 0 ||
            kind_of(entry->fts_name, list->desc->blobs, &(source_kind){ 0 })) {
            import_add_message(&list->messages, IMPORT_ERROR, "%s: is a link to something that is not there",
                               entry->fts_path);
        }
        return true;
    default: /* FTS_D, FTS_DP: folders on the way down and up */
        return true;
    }
}

static int entry_compare(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool walk(source_list *list, char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        import_add_message(&list->messages, IMPORT_ERROR, "%s: cannot be read: %s", path, strerror(errno));
        return false;
    }
    char root[PATH_MAX];
    size_t root_size = strlen(path);
    while (root_size > 1 && path[root_size - 1] == '/') {
        path[--root_size] = '\0';
    }
    if (root_size >= sizeof(root)) {
        import_add_message(&list->messages, IMPORT_ERROR, "%.64s...: is too long for a path", path);
        return false;
    }
    memcpy(root, path, root_size + 1);
    if (!S_ISDIR(info.st_mode)) { /* a single file: its root is its folder */
        char *slash = strrchr(root, '/');
        root_size = slash == NULL ? 0 : (size_t)(slash - root) + 1;
        memcpy(root, slash == NULL ? "." : root, slash == NULL ? 2 : root_size);
        root[slash == NULL ? 1 : root_size > 1 ? root_size - 1 : 1] = '\0';
    }
    FTS *fts = fts_open((char *[]){ path, NULL }, FTS_LOGICAL | FTS_NOCHDIR, entry_compare);
    bool ok = fts != NULL;
    for (FTSENT *entry; ok && (entry = fts_read(fts)) != NULL;) {
        if (entry->fts_name[0] == '.' && entry->fts_level > FTS_ROOTLEVEL) {
            fts_set(fts, entry, FTS_SKIP); /* of tools, as .git and .#rock.png; loose folders leave them out as well */
            continue;
        }
        ok = entry_take(list, entry, root, root_size);
        if (list->desc->progress != NULL) {
            progress_found(list->desc->progress, list->count);
        }
    }
    if (fts != NULL) {
        fts_close(fts);
    }
    if (!ok) {
        import_add_message(&list->messages, IMPORT_ERROR, "%s: out of memory while walking it", path);
    }
    return ok;
}

static int source_compare(const void *a, const void *b)
{
    const source *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : strcmp(x->path, y->path);
}

bool sources_find(const sources_desc *desc, source_list *list)
{
    bool ok = true;
    struct stat output;
    list->desc = desc;
    if (desc->output != NULL && stat(desc->output, &output) == 0) {
        list->output_there = true;
        list->output_device = output.st_dev;
        list->output_inode = output.st_ino;
    }
    for (int i = 0; i < desc->path_count && ok; ++i) {
        ok = walk(list, desc->paths[i]);
    }
    list->desc = NULL;
    if (list->count > 0) {
        qsort(list->items, list->count, sizeof(*list->items), source_compare);
    }
    return ok && !list->rules.bad;
}

void sources_free(source_list *list)
{
    for (uint32_t i = 0; i < list->count; ++i) {
        free(list->items[i].path);
        free(list->items[i].name);
        free(list->items[i].root);
    }
    free(list->items);
    rules_free(&list->rules);
    import_result_free(&list->messages);
    *list = (source_list){ 0 };
}
