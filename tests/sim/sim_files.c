/* sim_files.c - a folder of loose files, some of which are replaced or removed while they are read.
 *
 * A version of a file is a slice of a pack's raw bytes. A new one is renamed into place, so that it is another file
 * whatever the clock says. Whoever asked for what was listed gets those bytes, or is told that the file has changed.
 * Files are on a file system in memory where there is one; the names of a folder are the same in each run. */
#include "sim_world.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_SIZE_MAX 6000u
#define PATH_SIZE 64u

/* Written once, before the first seed: a signal's handler may read them. */
static char root[PATH_SIZE];
static char paths[FILE_COUNT][PATH_SIZE], fresh_path[PATH_SIZE];
static pid_t owner; /* who made them; seeds run in its children */

static void remove_files(void)
{
    for (uint32_t i = 0; i < FILE_COUNT; ++i) {
        unlink(paths[i]);
    }
    unlink(fresh_path);
}

void files_remove_root(void)
{
    remove_files();
    rmdir(root);
}

static void clean_up(int number)
{
    if (getpid() == owner) {
        files_remove_root();
    }
    raise(number); /* its action is the default one by now */
}

void files_make_root(void)
{
    static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGABRT };
    const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(root, sizeof(root), "%s/leat-sim-XXXXXX", folder);
    if (mkdtemp(root) == NULL) {
        perror(root);
        exit(3);
    }
    bool fit = snprintf(fresh_path, PATH_SIZE, "%s/.new", root) < (int)PATH_SIZE;
    for (uint32_t i = 0; i < FILE_COUNT; ++i) {
        fit &= snprintf(paths[i], PATH_SIZE, "%s/asset_%u", root, i) < (int)PATH_SIZE;
    }
    ASSERT(fit);
    owner = getpid();
    for (size_t i = 0; i < COUNT_OF(ends); ++i) {
        sigaction(ends[i], &(struct sigaction){ .sa_handler = clean_up, .sa_flags = (int)SA_RESETHAND }, NULL);
    }
}

/* Another version, renamed over the one before. */
static void write_version(sim *m, uint32_t i)
{
    sim_file *f = &m->files[i];
    const test_pack *source = &m->library->contents[below(m, CONTENT_COUNT)].pack;
    f->size = below(m, u64_min(source->raw_size, FILE_SIZE_MAX) + 1);
    f->bytes = source->raw + below(m, source->raw_size - f->size + 1);
    int fd = open(fresh_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, f->bytes, f->size) != (ssize_t)f->size || close(fd) != 0 ||
        rename(fresh_path, paths[i]) != 0) {
        abort();
    }
}

/* What the folder shows from now on. changes may be NULL. */
static void note_listing(sim *m, uint8_t *changes)
{
    for (uint32_t i = 0; i < FILE_COUNT; ++i) {
        sim_file *f = &m->files[i];
        if (changes != NULL && f->listed != f->version) {
            changes[i] = f->listed == 0    ? LEAT_CHANGE_ADDED
                         : f->version == 0 ? LEAT_CHANGE_REMOVED
                                           : LEAT_CHANGE_CHANGED;
        }
        f->listed = f->version;
        f->size_listed = f->size;
        f->bytes_listed = f->bytes;
        char name[32];
        int size = snprintf(name, sizeof(name), "asset_%u", i);
        leat_asset asset = leat_asset_find_in(m->s, m->mounts[FOLDER_MOUNT].handle, leat_name_hash(name, (size_t)size));
        uint32_t *id = &m->mounts[FOLDER_MOUNT].ids[i];
        CHECK(m, (asset.index != 0) == (f->version != 0), "file %u is listed, or is not", i);
        CHECK(m, asset.index == 0 || *id == 0 || *id == asset.index, "file %u: its handle was %u and is %u", i, *id,
              asset.index);
        *id = asset.index != 0 ? asset.index : *id;
    }
}

void files_begin(sim *m)
{
    remove_files();
    for (uint32_t i = 0; i < FILE_COUNT; ++i) {
        m->files[i].version = 1;
        write_version(m, i);
    }
}

void files_open(sim *m)
{
    sim_mount *mount = &m->mounts[FOLDER_MOUNT];
    m->memory_refused = false;
    leat_result result = leat_pack_open(m->s, root, &(leat_pack_desc){ .watch = LEAT_OFF }, &mount->handle);
    bool refused = result == LEAT_ERROR_FULL || (result == LEAT_ERROR_MEMORY && m->memory_refused);
    CHECK(m, result == LEAT_OK || refused, "opening a folder: %s", leat_result_text(result));
    mount->open = result == LEAT_OK;
    if (mount->open) {
        note_listing(m, NULL);
    }
}

void files_read(sim *m)
{
    const sim_mount *mount = &m->mounts[FOLDER_MOUNT];
    uint32_t file = (uint32_t)below(m, FILE_COUNT);
    const sim_file *f = &m->files[file];
    bool ever_listed = mount->open && mount->ids[file] != 0;
    wish *w = ever_listed ? ops_wish(m, (leat_bind_kind)below(m, 3)) : NULL;
    if (w == NULL) {
        return;
    }
    w->mount = FOLDER_MOUNT;
    w->content = f->listed;
    w->asset = file;
    w->part = TALLY_REQUESTS_LOOSE;
    w->priority = ops_priority(m);
    w->tag = below(m, 8);
    leat_read_desc read = { .asset = { .pack = mount->handle, .index = mount->ids[file] },
                            .priority = w->priority,
                            .bind = w->bind,
                            .tag = w->tag,
                            .user = m->wish_count };
    w->size = f->listed != 0 ? f->size_listed : 0;
    if (chance(m, 50)) {
        w->offset = below(m, w->size + 1);
        w->size = below(m, w->size - w->offset + 1);
        read.part = (leat_part){ .kind = LEAT_PART_BYTES, .offset = w->offset, .size = w->size };
    }
    w->expected = f->bytes_listed + w->offset;
    if (w->bind == LEAT_BIND_CALLER) {
        w->memory = read.memory = malloc(w->size + 1);
        read.memory_size = w->size;
    }
    leat_result result = leat_read(m->s, &read, &w->handle);
    CHECK(m, result == LEAT_ERROR_FULL || result == (f->listed != 0 ? LEAT_OK : LEAT_ERROR_NOT_FOUND),
          "submit for a loose file: %s", leat_result_text(result));
    if (result == LEAT_OK) {
        ops_taken(m, w);
    } else {
        free(w->memory);
        *w = (wish){ 0 };
    }
}

void files_replace(sim *m)
{
    uint32_t file = (uint32_t)below(m, FILE_COUNT);
    sim_file *f = &m->files[file];
    if (f->version != 0 && chance(m, 30)) {
        unlink(paths[file]);
        f->version = 0;
        f->size = 0;
        return;
    }
    static uint32_t version_last = 1; /* of any file, in any seed: only that it is another one counts */
    f->version = ++version_last;
    write_version(m, file);
}

void files_list(sim *m)
{
    sim_mount *mount = &m->mounts[FOLDER_MOUNT];
    if (!mount->open) {
        files_open(m);
        return;
    }
    m->memory_refused = false;
    leat_result result = leat_pack_swap(m->s, mount->handle, NULL, NULL);
    bool refused = result == LEAT_ERROR_FULL || (result == LEAT_ERROR_MEMORY && m->memory_refused);
    CHECK(m, result == LEAT_OK || refused, "listing a folder again: %s", leat_result_text(result));
    if (result == LEAT_OK) {
        uint8_t changes[NAME_COUNT_MAX] = { 0 };
        note_listing(m, changes);
        model_note_swap(m, FOLDER_MOUNT, changes);
        TALLY(m, SWAPS_LOOSE);
    }
}
