/* source_files.c - see source_files.h. */
#include "source_files.h"
#include "base.h"
#include "file_read.h"
#include "material_import.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

/* A file as Assimp has opened it. */
typedef struct stream {
    struct aiFile file;
    const source_file *source;
    uint64_t at; /* may lie behind the end, as with fseek */
} stream;

/* NULL: it is not there, or cannot be read; only the latter is in `result`: importers look for files that need not be
 * there. It is a warning; but one that changes is there and whole in a moment: an error. An empty file is a file. */
static uint8_t *bytes_read(const char *path, uint64_t bytes_max, uint64_t *size, import_result *result)
{
    struct stat info;
    *size = 0;
    bool changed = false, regular = stat(path, &info) == 0 && S_ISREG(info.st_mode);
    import_result said = { 0 };
    uint8_t *bytes = file_read(path, bytes_max, size, &changed, &said);
    for (uint32_t i = 0; i < said.message_count && regular; ++i) {
        import_add_message(result, changed ? IMPORT_ERROR : IMPORT_WARNING, "%s", said.messages[i].text);
    }
    import_result_free(&said);
    return bytes;
}

static void content_answer(const uint8_t *bytes, uint64_t size, uint64_t answer[2])
{
    answer[0] = answer[1] = 0;
    if (bytes != NULL) {
        XXH128_hash_t hash = XXH3_128bits(bytes, size);
        answer[0] = hash.low64;
        answer[1] = hash.high64;
    }
}

/* How much of the path is its folder, with the slash. */
static size_t folder_size(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

/* Noted from the source's folder where that can be, so that another copy of the whole finds the same. */
static void note(source_files *s, const source_file *file)
{
    uint64_t answer[2];
    size_t folder = folder_size(s->job->path);
    bool beside = folder == 0 ? file->path[0] != '/' : strncmp(file->path, s->job->path, folder) == 0;
    content_answer(file->bytes, file->size, answer);
    import_add_lookup(s->result, beside ? LOOKUP_BESIDE : LOOKUP_PATH, file->path + (beside ? folder : 0), answer);
}

/* Room for one more in the list; NULL: no memory, or too many. */
static source_file *file_add(source_files *s, const char *path)
{
    if (s->files == NULL) { /* pages that are not used cost nothing; it never moves */
        s->files = calloc(SOURCE_FILES_MAX, sizeof(*s->files));
    }
    if (s->file_count == SOURCE_FILES_MAX && !s->too_many) {
        s->too_many = true;
        import_add_message(s->result, IMPORT_WARNING,
                           "%s: reads more than %u files; %s and all after it count as missing", s->job->name,
                           SOURCE_FILES_MAX, path);
    }
    char *copy = s->files != NULL && s->file_count < SOURCE_FILES_MAX ? strdup(path) : NULL;
    if (copy == NULL) {
        return NULL;
    }
    s->files[s->file_count].path = copy;
    return &s->files[s->file_count++];
}

/* The file from the list, read if it is new. NULL: no memory, or too many. */
static const source_file *file_find(source_files *s, const char *path)
{
    for (uint32_t i = 0; i < s->file_count; ++i) {
        if (strcmp(s->files[i].path, path) == 0) {
            return &s->files[i];
        }
    }
    source_file *file = file_add(s, path);
    if (file == NULL) {
        s->result->lookups_lost = true;
        return NULL;
    }
    uint32_t said = s->result->message_count;
    file->bytes = bytes_read(path, s->job->bytes_max, &file->size, s->result);
    file->unreadable = s->result->message_count > said;
    note(s, file);
    return file;
}

bool source_files_has(source_files *s, const char *path)
{
    const source_file *file = file_find(s, path);
    return file != NULL && (file->bytes != NULL || file->unreadable);
}

/* ---- What Assimp calls ---- */

static stream *stream_of(struct aiFile *file)
{
    return (stream *)(void *)file->UserData;
}

static size_t stream_read(struct aiFile *file, char *out, size_t size, size_t count)
{
    stream *s = stream_of(file);
    uint64_t left = s->at < s->source->size ? s->source->size - s->at : 0, wanted = 0;
    if (size == 0 || mul_overflows(size, count, &wanted)) {
        return 0;
    }
    uint64_t given = u64_min(wanted, left);
    if (given > 0) {
        memcpy(out, s->source->bytes + s->at, given);
    }
    s->at += given;
    return given / size;
}

static size_t stream_write(struct aiFile *file, const char *bytes, size_t size, size_t count)
{
    (void)file;
    (void)bytes;
    (void)size;
    (void)count;
    return 0;
}

static size_t stream_tell(struct aiFile *file)
{
    return stream_of(file)->at;
}

static size_t stream_size(struct aiFile *file)
{
    return stream_of(file)->source->size;
}

/* The offset is a size_t that may mean a negative number. */
static enum aiReturn stream_seek(struct aiFile *file, size_t offset, enum aiOrigin origin)
{
    stream *s = stream_of(file);
    uint64_t base = origin == aiOrigin_SET ? 0 : origin == aiOrigin_CUR ? s->at : s->source->size;
    uint64_t at = base + offset;
    if (at > INT64_MAX) {
        return aiReturn_FAILURE;
    }
    s->at = at;
    return aiReturn_SUCCESS;
}

static void stream_flush(struct aiFile *file)
{
    (void)file;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Undoes %XX behind the folder of the source. False: there is none, or it would be the end of the text. */
static bool uri_decode(const import_job *job, const char *uri, char *path, size_t path_size)
{
    size_t at = 0, folder = folder_size(job->path);
    bool changed = false;
    for (size_t i = 0; uri[i] != '\0'; ++i, ++at) {
        if (at + 1 >= path_size) {
            return false;
        }
        int high = uri[i] == '%' && i >= folder ? digit_of(uri[i + 1]) : -1;
        int low = high >= 0 ? digit_of(uri[i + 2]) : -1;
        if (high == 0 && low == 0) {
            return false;
        }
        path[at] = low >= 0 ? (char)(high * 16 + low) : uri[i];
        changed |= low >= 0;
        i += low >= 0 ? 2 : 0;
    }
    path[at] = '\0';
    return changed;
}

/* glTF names its files by URI, and Assimp hands them on as they are. */
static const source_file *uri_find(source_files *s, const char *uri)
{
    const source_file *file = file_find(s, uri);
    const char *dot = strrchr(s->job->path, '.');
    char path[PATH_MAX];
    bool missing = file != NULL && file->bytes == NULL && !file->unreadable;
    bool decoded =
        missing && dot != NULL && strcasecmp(dot, ".gltf") == 0 && uri_decode(s->job, uri, path, sizeof(path));
    return decoded ? file_find(s, path) : file;
}

static struct aiFile *file_open(struct aiFileIO *io, const char *path, const char *mode)
{
    source_files *s = (source_files *)(void *)io->UserData;
    const source_file *source = mode[0] == 'r' ? uri_find(s, path) : NULL;
    stream *opened = source != NULL && source->bytes != NULL ? malloc(sizeof(*opened)) : NULL;
    if (opened == NULL) {
        return NULL;
    }
    *opened = (stream){ .file = { .ReadProc = stream_read,
                                  .WriteProc = stream_write,
                                  .TellProc = stream_tell,
                                  .FileSizeProc = stream_size,
                                  .SeekProc = stream_seek,
                                  .FlushProc = stream_flush,
                                  .UserData = (char *)opened },
                        .source = source };
    return &opened->file;
}

static void file_close(struct aiFileIO *io, struct aiFile *file)
{
    (void)io;
    free(stream_of(file));
}

void source_files_open(source_files *s, const import_job *job, import_result *result)
{
    *s = (source_files){ .io = { .OpenProc = file_open, .CloseProc = file_close, .UserData = (char *)s },
                         .job = job,
                         .result = result };
    file_find(s, job->path); /* first, so that there is room for the model itself, whatever it names */
}

void source_files_close(source_files *s)
{
    for (uint32_t i = 0; i < s->file_count; ++i) {
        free(s->files[i].path);
        free(s->files[i].bytes);
    }
    free(s->files);
}

/* ---- Asking again ---- */

static void content_ask(const char *path, uint64_t bytes_max, uint64_t answer[2])
{
    import_result unsaid = { 0 };
    uint64_t size;
    uint8_t *bytes = bytes_read(path, bytes_max, &size, &unsaid);
    import_result_free(&unsaid);
    content_answer(bytes, size, answer);
    free(bytes);
}

static bool lookup_holds(const import_job *job, const import_lookup *lookup)
{
    uint64_t answer[2] = { 0, 0 };
    char path[PATH_MAX];
    int size = 0;
    switch (lookup->kind) {
    case LOOKUP_BESIDE:
        size = snprintf(path, sizeof(path), "%.*s%s", (int)folder_size(job->path), job->path, lookup->text);
        break;
    case LOOKUP_PATH:
        size = snprintf(path, sizeof(path), "%s", lookup->text);
        break;
    default:
        material_texture_ask(job, lookup->text, answer);
    }
    if (size < 0 || (size_t)size >= sizeof(path)) {
        return false;
    }
    if (lookup->kind != LOOKUP_TEXTURE) {
        content_ask(path, job->bytes_max, answer);
    }
    return answer[0] == lookup->answer[0] && answer[1] == lookup->answer[1];
}

bool source_lookups_hold(const import_job *job, const import_lookup *lookups, uint32_t lookup_count)
{
    for (uint32_t i = 0; i < lookup_count; ++i) {
        if (!lookup_holds(job, &lookups[i])) {
            return false;
        }
    }
    return true;
}
