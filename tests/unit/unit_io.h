/* unit_io.h - a backend of io.h under test: made, given reads, and driven until they have completed.
 *
 * The same test runs over io_uring, threads and the simulated device; what cannot be had here is skipped aloud. */
#ifndef LEAT_TEST_UNIT_IO_H
#define LEAT_TEST_UNIT_IO_H

#include "unit.h"

#include "io.h"
#include "region.h"
#include "scratch.h"

#include <leat/sim.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNIT_POOL_SIZE MIB(4)
#define UNIT_READ_COUNT_MAX 64u
#define UNIT_FILE_COUNT_MAX 4u
#define UNIT_FILE_SIZE (MIB(2) + 1234) /* not a multiple of anything */

typedef struct unit_io {
    const io_ops *ops; /* set by the caller, as backend */
    leat_backend backend;
    leat_desc desc;
    leat_error error;
    uint64_t memory_live;
    memory memory;
    region pool;
    io_backend *io;
    uint64_t now_ns; /* of the simulated device */
    struct leat_sim_desc sim;
    char folder[SCRATCH_SIZE];
    int folder_fd;
    io_file_desc file; /* UNIT_FILE_SIZE bytes at "big" in the folder */
    uint8_t *bytes; /* what is in it */
    uint32_t file_number;
    char log[4096]; /* all lines */
} unit_io;

static inline void unit_io_log(leat_log_level level, const char *text, void *user)
{
    (void)level;
    unit_io *u = user;
    size_t used = strlen(u->log);
    snprintf(u->log + used, sizeof(u->log) - used, "%s\n", text);
}

static inline void unit_io_write_file(const char *folder, const char *name, const void *bytes, size_t size)
{
    char path[SCRATCH_PATH_SIZE];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* A folder with one file of random bytes. */
static inline void unit_io_make_folder(unit_io *u)
{
    scratch_folder_make("leat-io", u->folder);
    u->folder_fd = open(u->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(u->folder_fd >= 0);
    u->bytes = malloc(UNIT_FILE_SIZE);
    uint64_t seed = 7;
    for (size_t i = 0; i < UNIT_FILE_SIZE; ++i) {
        u->bytes[i] = (uint8_t)unit_random(&seed);
    }
    unit_io_write_file(u->folder, "big", u->bytes, UNIT_FILE_SIZE);
    u->file = (io_file_desc){ .fd_buffered = openat(u->folder_fd, "big", O_RDONLY | O_CLOEXEC),
                              .fd_direct = openat(u->folder_fd, "big", O_RDONLY | O_CLOEXEC | O_DIRECT),
                              .size = UNIT_FILE_SIZE };
    assert_true(u->file.fd_buffered >= 0);
}

/* Opens the backend with u->desc; its result, and u->io NULL, where it cannot be had. */
static inline leat_result unit_io_open(unit_io *u)
{
    u->memory = unit_memory(&u->memory_live);
    u->desc.backend = u->backend;
    u->desc.io_thread_count = u->desc.io_thread_count == 0 ? 4 : u->desc.io_thread_count;
    u->desc.uring.entries = u->desc.uring.entries == 0 ? 64 : u->desc.uring.entries;
    u->desc.uring.sqpoll_idle_ms = u->desc.uring.sqpoll_idle_ms == 0 ? 50 : u->desc.uring.sqpoll_idle_ms;
    u->desc.uring.worker_count_max = u->desc.uring.worker_count_max == 0 ? 8 : u->desc.uring.worker_count_max;
    u->desc.logger = (leat_logger){ .log = unit_io_log, .user = u, .level = LEAT_LOG_INFO };
    u->desc.stepped = u->backend == LEAT_BACKEND_SIM;
    u->desc.sim = &u->sim;
    u->ops = u->backend == LEAT_BACKEND_URING ? &io_uring_ops
             : u->backend == LEAT_BACKEND_SIM ? &io_sim_ops
                                              : &io_threads_ops;
    assert_true(region_create(UNIT_POOL_SIZE, true, &u->pool));
    io_desc desc = { .memory = &u->memory,
                     .log = &u->desc.logger,
                     .desc = &u->desc,
                     .pool = u->pool.memory,
                     .pool_size = u->pool.size,
                     .read_count_max = UNIT_READ_COUNT_MAX,
                     .file_count_max = UNIT_FILE_COUNT_MAX };
    leat_result result = u->ops->open(&desc, &u->io, &u->error);
    if (result == LEAT_OK) {
        u->file_number = u->ops->file_add(u->io, &u->file);
        assert_int_not_equal(u->file_number, IO_FILE_NONE);
    }
    return result;
}

static inline void unit_io_close(unit_io *u)
{
    if (u->io != NULL) {
        u->ops->file_remove(u->io, u->file_number);
        u->ops->close(u->io);
        u->io = NULL;
    }
    region_destroy(&u->pool);
    assert_int_equal(u->memory_live, 0);
}

static inline void unit_io_remove_folder(unit_io *u)
{
    close(u->file.fd_buffered);
    if (u->file.fd_direct >= 0) {
        close(u->file.fd_direct);
    }
    close(u->folder_fd);
    free(u->bytes);
    scratch_folder_remove(u->folder);
}

/* Waits for up to `count` completions; at least one. */
static inline uint32_t unit_io_reap(unit_io *u, io_completion *completions, uint32_t count)
{
    for (;;) {
        uint32_t got = u->ops->reap(u->io, completions, count, u->now_ns);
        if (got > 0) {
            return got;
        }
        if (u->ops->next_completion_ns != NULL) {
            u->now_ns = u->ops->next_completion_ns(u->io);
            assert_true(u->now_ns != IO_WAIT_FOREVER);
        } else {
            u->ops->wait(u->io, IO_WAIT_FOREVER);
        }
    }
}

/* Gives all reads to the backend and waits for all; completions lie where user_data (0 .. count - 1) says. Fails the
 * test unless each completes exactly once. */
static inline void unit_io_run(unit_io *u, const io_read *reads, uint32_t count, io_completion *completions)
{
    uint32_t given = 0, ended = 0;
    uint8_t *seen = calloc(count, 1);
    while (ended < count) {
        if (given < count) {
            uint32_t room = u32_min(count - given, UNIT_READ_COUNT_MAX - (given - ended));
            given += u->ops->submit(u->io, reads + given, room, u->now_ns);
        }
        io_completion some[16];
        uint32_t got = unit_io_reap(u, some, 16);
        for (uint32_t i = 0; i < got; ++i, ++ended) {
            assert_true(some[i].user_data < count);
            assert_int_equal(seen[some[i].user_data]++, 0);
            completions[some[i].user_data] = some[i];
        }
    }
    assert_int_equal(u->ops->reap(u->io, &(io_completion){ 0 }, 1, u->now_ns), 0);
    free(seen);
}

/* Files in the ring's own table, which only the kernel can count; 0 without a ring. */
static inline uint32_t unit_io_count_registered(void)
{
    uint32_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char path[300], target[64] = "", line[512];
        snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
        if (readlink(path, target, sizeof(target) - 1) < 0 || strcmp(target, "anon_inode:[io_uring]") != 0) {
            continue;
        }
        snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", entry->d_name);
        FILE *f = fopen(path, "r");
        bool files = false;
        while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
            count += files && line[0] == ' ';
            files = strncmp(line, "UserFiles:", 10) == 0 || (files && line[0] == ' ');
        }
        if (f != NULL) {
            fclose(f);
        }
    }
    closedir(folder);
    return count;
}

static inline io_completion unit_io_read_one(unit_io *u, io_read item)
{
    io_completion completion = { 0 };
    item.user_data = 0;
    unit_io_run(u, &item, 1, &completion);
    return completion;
}

#endif
