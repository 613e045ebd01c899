/* nth_pack.c - fail the Nth over `leat pack`: each allocation and each system call of packing a small folder fails
 * once, and from then on. Then it is interrupted in each call, and packs under a storm of signals.
 *
 * An old pack lies where the new one is to be. Exit 0: the new one is there, byte for byte. Exit 1: the old one is, or
 * the new one is whole (the last step, syncing the folder, comes after the rename). Exit 3: a source was left out, and
 * the pack is valid. Unless it is 0, something is said that names the pack or a source. No temporary file stays. SIGINT
 * and SIGTERM end it with 128 + their number, before or after the rename: the old pack is there, or the new one.
 *
 *     nth_pack [PLAN]      PLAN: how the name of a plan begins; storm: of signals */
#include "fault_run.h"

#include "commands.h"
#include "pack_file.h"
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define FILE_SIZE_MAX (1u << 20)
#define STORM_INTERVAL_US 200
#define STORM_RUN_COUNT 20u

typedef struct content {
    uint8_t *bytes;
    size_t size;
} content;

typedef struct fixture {
    const char *only; /* the plan to run; NULL: all */
    char folder[SCRATCH_SIZE]; /* SRC is in src/, the pack is out/new.leat, what is said goes to out.txt and err.txt */
    content old_pack, new_pack;
} fixture;

static void path_of(const fixture *f, const char *name, char *path)
{
    snprintf(path, SCRATCH_PATH_SIZE, "%s/%s", f->folder, name);
}

static void write_file(const fixture *f, const char *name, const void *bytes, size_t size)
{
    char path[SCRATCH_PATH_SIZE];
    path_of(f, name, path);
    FILE *file = fopen(path, "wbe");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        abort();
    }
}

static content read_file(const fixture *f, const char *name)
{
    char path[SCRATCH_PATH_SIZE];
    path_of(f, name, path);
    FILE *file = fopen(path, "rbe");
    content c = { .bytes = malloc(FILE_SIZE_MAX) };
    if (file == NULL || c.bytes == NULL) {
        abort();
    }
    c.size = fread(c.bytes, 1, FILE_SIZE_MAX - 1, file);
    c.bytes[c.size] = 0;
    fclose(file);
    return c;
}

static bool same(const content *a, const content *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* ---- The sources: two pictures, and a model that uses one of them ---- */

static void write_picture(const fixture *f, const char *name, uint32_t seed)
{
    static uint8_t picture[16 + 32 * 32 * 3];
    size_t at = (size_t)sprintf((char *)picture, "P6 32 32 255\n");
    for (uint32_t i = 0; i < 32 * 32 * 3; ++i) {
        picture[at++] = (uint8_t)((i * seed) >> 5);
    }
    write_file(f, name, picture, at);
}

static void write_sources(const fixture *f)
{
    static const char object[] = "mtllib box.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
                                 "usemtl wood\nf 1/1 2/2 3/3\nf 1/1 3/3 4/4\n";
    static const char material[] = "newmtl wood\nKd 1 1 1\nmap_Kd wood.ppm\n";
    char path[SCRATCH_PATH_SIZE];
    path_of(f, "src", path);
    mkdir(path, 0700);
    path_of(f, "out", path);
    mkdir(path, 0700);
    write_picture(f, "src/wood.ppm", 7);
    write_picture(f, "src/stone.ppm", 11);
    write_file(f, "src/box.obj", object, sizeof(object) - 1);
    write_file(f, "src/box.mtl", material, sizeof(material) - 1);
}

/* ---- A run ---- */

static int pack(const fixture *f)
{
    char source[SCRATCH_PATH_SIZE], output[SCRATCH_PATH_SIZE];
    path_of(f, "src", source);
    path_of(f, "out/new.leat", output);
    options o = { .command = COMMAND_PACK,
                  .arguments = (char *[]){ source },
                  .argument_count = 1,
                  .output = output,
                  .job_count = 2,
                  .level = 3,
                  .quiet = true,
                  .no_cache = true };
    return command_pack(&o);
}

static void redirect(const fixture *f, const char *name, int fd)
{
    char path[SCRATCH_PATH_SIZE];
    path_of(f, name, path);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || dup2(file, fd) < 0) {
        abort();
    }
    close(file);
}

static bool temporary_left(const fixture *f)
{
    char path[SCRATCH_PATH_SIZE];
    path_of(f, "out", path);
    DIR *folder = opendir(path);
    if (folder == NULL) {
        abort();
    }
    bool left = false;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        left |= strstr(entry->d_name, ".tmp-") != NULL;
    }
    closedir(folder);
    return left;
}

static void output_remove(const fixture *f)
{
    char path[SCRATCH_PATH_SIZE];
    path_of(f, "out", path);
    DIR *folder = opendir(path);
    if (folder == NULL) {
        abort();
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.') {
            unlinkat(dirfd(folder), entry->d_name, 0);
        }
    }
    closedir(folder);
}

static bool is_valid(const fixture *f)
{
    char path[SCRATCH_PATH_SIZE];
    static uint8_t raw[LEAT_PACK_CHUNK_RAW_MAX];
    path_of(f, "out/new.leat", path);
    pack_file file;
    leat_error error;
    if (pack_file_open(path, &file, &error) != LEAT_OK) {
        return false;
    }
    bool valid = true;
    for (uint32_t i = 0; i < file.index.chunk_count; ++i) {
        valid &= pack_file_chunk(&file, i, raw, &error) == LEAT_OK;
    }
    pack_file_close(&file);
    return valid;
}

/* Assimp opens files by itself, and takes one whose size it cannot have for an empty one. */
static bool assimp_is_told(const fault_point *point)
{
    return point->plan->calls[0] == SYS_newfstatat;
}

/* Standard error cannot be written either. */
static bool is_mute(const fault_point *point)
{
    return point->plan->calls[0] == SYS_write && point->persistent;
}

static const char *breach(const fixture *f, const fault_point *point, int code, const content *found,
                          const content *said)
{
    static const char *const things[] = { "new.leat", "wood", "stone", "box", "src", "standard output", "importer" };
    bool named = false;
    for (size_t i = 0; i < COUNT_OF(things); ++i) {
        named |= strstr((const char *)said->bytes, things[i]) != NULL;
    }
    if (temporary_left(f)) {
        return "a temporary file is left";
    }
    if (code != EXIT_OK && !named && !is_mute(point)) {
        return "nothing is said that names the pack or a source";
    }
    switch (code) {
    case EXIT_OK:
        return same(found, &f->new_pack) || (assimp_is_told(point) && is_valid(f))
                   ? NULL
                   : "the pack is not what it should be";
    case EXIT_FAILED:
        return same(found, &f->old_pack) || same(found, &f->new_pack) ? NULL : "the old pack is gone";
    case EXIT_PARTLY:
        return is_valid(f) ? NULL : "the pack is not valid";
    default:
        return "an exit code that means nothing";
    }
}

static int scenario(fault_shared *shared, const fault_point *point, void *user)
{
    const fixture *f = user;
    write_file(f, "out/new.leat", f->old_pack.bytes, f->old_pack.size);
    fflush(NULL);
    int out = dup(STDOUT_FILENO);
    redirect(f, "out.txt", STDOUT_FILENO);
    redirect(f, "err.txt", STDERR_FILENO);
    atomic_store(&shared->armed, 1);
    int code = pack(f);
    bool told = fflush(stdout) == 0;
    atomic_store(&shared->armed, 0);
    fflush(NULL);
    content found = read_file(f, "out/new.leat"), said = read_file(f, "err.txt");
    const char *what = breach(f, point, code, &found, &said);
    if (point->nth == 0 && code != EXIT_OK) {
        what = "packing fails without a fault";
    }
    if (what != NULL) {
        dprintf(out, "%s (exit %d%s); it said: %s\n", what, code, told ? "" : ", standard output is lost", said.bytes);
    }
    free(found.bytes);
    free(said.bytes);
    if (point->plan->signal_number == 0) { /* an interrupt may have its word to say still */
        dup2(out, STDERR_FILENO); /* for what sanitizers say at the end */
    }
    return what == NULL ? 0 : 1;
}

/* An interrupt has ended the child before it could look itself: at once before packing begins, else with a word. */
static const char *breach_of_interrupt(const fixture *f, const fault_outcome *outcome)
{
    content found = read_file(f, "out/new.leat"), said = read_file(f, "err.txt");
    bool old = same(&found, &f->old_pack);
    bool whole = old || same(&found, &f->new_pack);
    bool told = strstr((const char *)said.bytes, "interrupted") != NULL;
    bool denied = strstr((const char *)said.bytes, "nothing was written") != NULL;
    free(found.bytes);
    free(said.bytes);
    if (temporary_left(f)) {
        return "a temporary file is left";
    }
    if (!whole) {
        return "the old pack is gone";
    }
    if (!told && !(outcome->killed && old)) {
        return "nothing is said";
    }
    return denied && !old ? "the pack is written, and it says that it is not" : NULL;
}

/* What a child that crashed has left must not be held against the next one. */
static bool clean_up(const fault_point *point, const fault_outcome *outcome, void *user)
{
    const fixture *f = user;
    int signal_number = point->plan->signal_number;
    bool interrupted = signal_number != 0 && outcome->status == 128 + signal_number;
    const char *what = interrupted ? breach_of_interrupt(f, outcome) : NULL;
    if (what != NULL) {
        printf("%s, call %llu: %s\n", point->plan->name, (unsigned long long)point->nth, what);
    } else if (outcome->status != 0 && !interrupted) {
        content said = read_file(f, "err.txt");
        printf("%s\n", (const char *)said.bytes);
        free(said.bytes);
    }
    output_remove(f);
    return what == NULL && (outcome->status == 0 || interrupted);
}

static const fault_plan plans[] = {
    { .name = "allocation", .calls = { FAULT_NO_CALL }, .error = ENOMEM },
    { .name = "openat: EMFILE", .calls = { SYS_openat, FAULT_NO_CALL }, .error = EMFILE },
    { .name = "fstat: EIO", .calls = { SYS_newfstatat, SYS_fstat, FAULT_NO_CALL }, .error = EIO },
    { .name = "getdents: EIO", .calls = { SYS_getdents64, FAULT_NO_CALL }, .error = EIO },
    { .name = "read: EIO", .calls = { SYS_read, SYS_pread64, FAULT_NO_CALL }, .error = EIO },
    { .name = "read: EINTR", .calls = { SYS_read, SYS_pread64, FAULT_NO_CALL }, .error = EINTR, .once_only = true },
    { .name = "write: ENOSPC", .calls = { SYS_write, SYS_pwrite64, SYS_writev, FAULT_NO_CALL }, .error = ENOSPC },
    { .name = "write: EINTR",
      .calls = { SYS_write, SYS_pwrite64, SYS_writev, FAULT_NO_CALL },
      .error = EINTR,
      .once_only = true },
    { .name = "lseek: EIO", .calls = { SYS_lseek, FAULT_NO_CALL }, .error = EIO },
    { .name = "fsync: EIO", .calls = { SYS_fsync, FAULT_NO_CALL }, .error = EIO },
    { .name = "rename: EACCES", .calls = { SYS_rename, SYS_renameat, SYS_renameat2, FAULT_NO_CALL }, .error = EACCES },
    { .name = "mmap: ENOMEM", .calls = { SYS_mmap, FAULT_NO_CALL }, .error = ENOMEM },
    { .name = "fork, threads: EAGAIN", .calls = { SYS_clone, SYS_clone3, FAULT_NO_CALL }, .error = EAGAIN },
    { .name = "pipe, socketpair: EMFILE", .calls = { SYS_pipe2, SYS_socketpair, FAULT_NO_CALL }, .error = EMFILE },
    { .name = "sendmsg, recvmsg: EIO", .calls = { SYS_sendmsg, SYS_recvmsg, FAULT_NO_CALL }, .error = EIO },
    { .name = "SIGTERM in what writes",
      .calls = { SYS_write, SYS_pwrite64, SYS_fsync, SYS_rename, SYS_unlink, FAULT_NO_CALL },
      .signal_number = SIGTERM,
      .once_only = true },
    { .name = "SIGINT in what reads",
      .calls = { SYS_openat, SYS_read, SYS_getdents64, SYS_recvmsg, SYS_wait4, FAULT_NO_CALL },
      .signal_number = SIGINT,
      .once_only = true },
};

/* The sanitizers' own runtimes cannot live without these. */
static bool left_out(const fault_plan *plan)
{
    return SANITIZED && (plan->calls[0] == SYS_mmap || plan->calls[0] == SYS_clone);
}

static int run_plans(fixture *f)
{
    int failures = 0;
    for (size_t i = 0; i < COUNT_OF(plans); ++i) {
        bool chosen = f->only == NULL || strncmp(f->only, plans[i].name, strlen(f->only)) == 0;
        int result = !chosen || left_out(&plans[i]) ? 0 : fault_run_every(&plans[i], scenario, clean_up, f);
        if (result < 0) {
            printf("SKIPPED: system calls cannot be made to fail here (no seccomp listener)\n");
            return failures == 0 ? -1 : failures;
        }
        failures += result;
    }
    return failures;
}

/* ---- A storm of signals ---- */

static _Atomic uint32_t storm_count;

static void on_storm(int number)
{
    (void)number;
    atomic_fetch_add(&storm_count, 1);
}

/* Handlers without SA_RESTART, by the clock and by the processor's time: nothing fails for them. */
static int storm_scenario(fault_shared *shared, const fault_point *point, void *user)
{
    struct sigaction action = { .sa_handler = on_storm };
    struct itimerval storm = { .it_interval.tv_usec = STORM_INTERVAL_US, .it_value.tv_usec = STORM_INTERVAL_US };
    struct itimerval calm = { 0 };
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGPROF, &action, NULL);
    setitimer(ITIMER_REAL, &storm, NULL);
    setitimer(ITIMER_PROF, &storm, NULL);
    int result = scenario(shared, point, user);
    setitimer(ITIMER_REAL, &calm, NULL);
    setitimer(ITIMER_PROF, &calm, NULL);
    atomic_store(&shared->failed, atomic_load(&storm_count));
    return result;
}

static int run_storm(fixture *f)
{
    static const fault_plan none = { .name = "a storm of signals", .calls = { FAULT_NO_CALL } };
    fault_point point = { .plan = &none };
    int failures = 0;
    uint32_t signals = 0;
    for (uint32_t i = 0; i < STORM_RUN_COUNT; ++i) {
        fault_outcome outcome = fault_run(&point, storm_scenario, f);
        failures += !clean_up(&point, &outcome, f) || outcome.hung;
        signals += outcome.failed;
    }
    printf("%-40s %4u runs, %u signals, %d bad\n", none.name, STORM_RUN_COUNT, signals, failures);
    return failures + (signals < STORM_RUN_COUNT);
}

static int pack_once(fault_shared *shared, const fault_point *point, void *user)
{
    (void)shared;
    (void)point;
    return pack(user);
}

/* What a pack of the sources as they are should be. */
static content pack_reference(fixture *f)
{
    static const fault_plan none = { .name = "none", .calls = { FAULT_NO_CALL } };
    fault_outcome outcome = fault_run(&(fault_point){ .plan = &none }, pack_once, f);
    if (outcome.status != 0) {
        abort();
    }
    return read_file(f, "out/new.leat");
}

int main(int argc, char **argv)
{
    static fixture f;
    f.only = argc > 1 ? argv[1] : NULL;
    if (access("/dev/shm", W_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 0); /* hundreds of fsync, for nothing */
    }
    scratch_folder_make("leat-nth-pack", f.folder);
    write_sources(&f);
    f.new_pack = pack_reference(&f);
    write_picture(&f, "src/wood.ppm", 13);
    f.old_pack = pack_reference(&f);
    write_sources(&f);
    int failures = run_plans(&f);
    if (f.only == NULL || strcmp(f.only, "storm") == 0) {
        int bad = run_storm(&f);
        failures = bad == 0 ? failures : failures > 0 ? failures + bad : bad;
    }
    scratch_folder_remove(f.folder);
    free(f.new_pack.bytes);
    free(f.old_pack.bytes);
    printf("%d failures\n", failures > 0 ? failures : 0);
    return failures > 0 ? 1 : failures < 0 ? FAULT_SKIP : 0;
}
