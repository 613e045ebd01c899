/* fault_fs.c - see fault_fs.h. The server is a child process; libfuse gives each read a thread while one waits. */
#define FUSE_USE_VERSION 35
#include "fault_fs.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILE_INODE 2u
#define ATTRIBUTES_VALID_S 3600.0
#define IDLE_THREADS_MAX 32u
#define FLIP_DISTANCE 16u
#define REASON_SIZE 160u

/* What the server serves; libfuse hands it to each operation. */
typedef struct served {
    fault_fs_shared *shared;
    const uint8_t *bytes;
    uint64_t size;
} served;

/* ---- Faults ---- */

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void wait_until(uint64_t ns)
{
    struct timespec t = { .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
    }
}

static bool hits(_Atomic uint32_t *every, uint32_t number)
{
    uint32_t n = atomic_load(every);
    return n != 0 && number % n == 0;
}

static void hold_up(fault_fs_shared *shared, uint32_t number)
{
    uint32_t stall_ms = atomic_exchange(&shared->plan.stall_ms, 0);
    if (stall_ms != 0) {
        atomic_store(&shared->stall_end_ns, now_ns() + stall_ms * NS_PER_MS);
    }
    uint64_t end_ns = atomic_load(&shared->stall_end_ns);
    if (now_ns() < end_ns) {
        atomic_fetch_add(&shared->counts.stalled, 1);
        wait_until(end_ns);
    }
    uint32_t delay_us_max = atomic_load(&shared->plan.delay_us_max);
    if (delay_us_max != 0) {
        atomic_fetch_add(&shared->counts.delayed, 1);
        wait_until(now_ns() + number * UINT64_C(2654435761) % delay_us_max * 1000); /* neighbours wait differently */
    }
}

static bool is_refused(fault_fs_shared *shared, uint32_t number)
{
    if (!hits(&shared->plan.eio_every, number)) {
        return false;
    }
    uint32_t before = atomic_fetch_add(&shared->counts.failed, 1);
    uint32_t most = atomic_load(&shared->plan.eio_count_max);
    if (most != 0 && before >= most) {
        atomic_fetch_sub(&shared->counts.failed, 1);
        return false;
    }
    return true;
}

/* ---- Operations ---- */

static struct stat attributes(const served *s, fuse_ino_t inode)
{
    bool file = inode == FILE_INODE;
    return (struct stat){ .st_ino = inode,
                          .st_mode = file ? S_IFREG | 0444 : S_IFDIR | 0555,
                          .st_nlink = file ? 1 : 2,
                          .st_size = file ? (off_t)s->size : 0 };
}

static void on_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    if (parent != FUSE_ROOT_ID || strcmp(name, FAULT_FS_NAME) != 0) {
        fuse_reply_err(request, ENOENT);
        return;
    }
    struct fuse_entry_param entry = { .ino = FILE_INODE,
                                      .attr = attributes(fuse_req_userdata(request), FILE_INODE),
                                      .attr_timeout = ATTRIBUTES_VALID_S,
                                      .entry_timeout = ATTRIBUTES_VALID_S };
    fuse_reply_entry(request, &entry);
}

static void on_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    (void)file;
    struct stat status = attributes(fuse_req_userdata(request), inode);
    fuse_reply_attr(request, &status, ATTRIBUTES_VALID_S);
}

static void on_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    if (inode != FILE_INODE || (file->flags & O_ACCMODE) != O_RDONLY) {
        fuse_reply_err(request, EACCES);
        return;
    }
    file->direct_io = 1;
    fuse_reply_open(request, file);
}

static void on_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, struct fuse_file_info *file)
{
    (void)inode;
    const served *s = fuse_req_userdata(request);
    fault_fs_shared *shared = s->shared;
    uint32_t number = atomic_fetch_add(&shared->counts.reads, 1) + 1;
    atomic_fetch_add(&shared->counts.direct_reads, (file->flags & O_DIRECT) != 0);
    hold_up(shared, number);
    uint64_t begin = u64_min((uint64_t)offset, s->size);
    uint64_t count = u64_min(size, s->size - begin);
    if (is_refused(shared, number)) {
        fuse_reply_err(request, EIO);
        return;
    }
    uint64_t unit = u64_max(atomic_load(&shared->plan.short_unit), 1);
    if (count > unit && hits(&shared->plan.short_every, number)) {
        atomic_fetch_add(&shared->counts.cut, 1);
        count = u64_max(count / 2 / unit * unit, unit);
    }
    if (count == 0 || !hits(&shared->plan.flip_every, number)) {
        fuse_reply_buf(request, (const char *)s->bytes + begin, count);
        return;
    }
    uint8_t *wrong = malloc(count);
    if (wrong == NULL) {
        abort();
    }
    memcpy(wrong, s->bytes + begin, count);
    for (uint64_t at = 0; at < count; at += FLIP_DISTANCE) {
        wrong[at] ^= 1u;
    }
    atomic_fetch_add(&shared->counts.flipped, 1);
    fuse_reply_buf(request, (const char *)wrong, count);
    free(wrong);
}

static const struct fuse_lowlevel_ops operations = {
    .lookup = on_lookup, .getattr = on_getattr, .open = on_open, .read = on_read
};

/* ---- Starting and ending ---- */

static bool write_line(const char *path, const char *line)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line);
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

/* Mounts of this process are nobody else's, and go with it. Without privileges: as root of a user namespace. */
static bool namespace_enter(void)
{
    char line[64];
    uid_t uid = getuid();
    gid_t gid = getgid();
    if (unshare(CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
            return false;
        }
        snprintf(line, sizeof(line), "0 %u 1", uid);
        bool mapped = write_line("/proc/self/setgroups", "deny") && write_line("/proc/self/uid_map", line);
        snprintf(line, sizeof(line), "0 %u 1", gid);
        if (!mapped || !write_line("/proc/self/gid_map", line)) {
            return false;
        }
    }
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool can_mount(char *reason, size_t reason_size)
{
    int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (device < 0) {
        snprintf(reason, reason_size, "/dev/fuse cannot be opened: %s", strerror(errno));
        return false;
    }
    close(device);
    if (!namespace_enter()) {
        snprintf(reason, reason_size, "no mount namespace of our own can be had: %s", strerror(errno));
        return false;
    }
    return true;
}

/* A session that is mounted, or NULL and the reason. */
static struct fuse_session *mounted_session(const fault_fs *fs, served *s, char *reason, size_t reason_size)
{
    char *words[] = { "fault_fs", "-ofsname=fault_fs", NULL };
    struct fuse_args arguments = FUSE_ARGS_INIT(2, words);
    struct fuse_session *session = fuse_session_new(&arguments, &operations, sizeof(operations), s);
    fuse_opt_free_args(&arguments);
    if (session == NULL || fuse_session_mount(session, fs->folder) != 0) {
        snprintf(reason, reason_size, "mounting with FUSE is refused: %s", strerror(errno));
        if (session != NULL) {
            fuse_session_destroy(session);
        }
        return NULL;
    }
    return session;
}

/* The child. It alone has the session, so that the file system dies with it. Says on `ready` why it cannot be had, or
 * nothing but an end of text once it is mounted. */
static _Noreturn void serve(const fault_fs *fs, served *s, int ready)
{
    char reason[REASON_SIZE] = "";
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct fuse_session *session = mounted_session(fs, s, reason, sizeof(reason));
    size_t size = strlen(reason) + 1;
    bool told = write(ready, reason, size) == (ssize_t)size;
    close(ready);
    if (session == NULL || !told) {
        _exit(1);
    }
    struct fuse_loop_config config = { .max_idle_threads = IDLE_THREADS_MAX };
    _exit(fuse_session_loop_mt(session, &config) == 0 ? 0 : 1);
}

/* Starts the child and hears what it says. */
static bool start_server(fault_fs *fs, served *s, char *reason, size_t reason_size)
{
    int ends[2];
    char heard[REASON_SIZE] = "the server of the file system died";
    if (pipe2(ends, O_CLOEXEC) != 0) {
        abort();
    }
    fflush(NULL);
    fs->server = fork();
    if (fs->server == 0) {
        close(ends[0]);
        serve(fs, s, ends[1]);
    }
    close(ends[1]);
    while (read(ends[0], heard, sizeof(heard) - 1) < 0 && errno == EINTR) {
    }
    close(ends[0]);
    snprintf(reason, reason_size, "%s", heard);
    return fs->server > 0 && heard[0] == '\0';
}

bool fault_fs_start(fault_fs *fs, const void *bytes, uint64_t size, char *reason, size_t reason_size)
{
    *fs = (fault_fs){ .server = -1 };
    scratch_folder_make("leat-fault-fs", fs->folder);
    fs->shared = mmap(NULL, sizeof(*fs->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (fs->shared == MAP_FAILED) {
        abort();
    }
    snprintf(fs->path, sizeof(fs->path), "%s/" FAULT_FS_NAME, fs->folder);
    served s = { .shared = fs->shared, .bytes = bytes, .size = size };
    if (!can_mount(reason, reason_size) || !start_server(fs, &s, reason, reason_size)) {
        fault_fs_stop(fs);
        return false;
    }
    return true;
}

void fault_fs_calm(fault_fs *fs)
{
    fault_fs_plan *plan = &fs->shared->plan;
    fault_fs_counts *counts = &fs->shared->counts;
    _Atomic uint32_t *const zeroed[] = { &plan->eio_every,  &plan->eio_count_max, &plan->short_every,
                                         &plan->short_unit, &plan->flip_every,    &plan->delay_us_max,
                                         &plan->stall_ms,   &counts->reads,       &counts->direct_reads,
                                         &counts->failed,   &counts->cut,         &counts->flipped,
                                         &counts->delayed,  &counts->stalled };
    for (size_t i = 0; i < COUNT_OF(zeroed); ++i) {
        atomic_store(zeroed[i], 0);
    }
}

void fault_fs_kill(fault_fs *fs)
{
    if (fs->server > 0) {
        kill(fs->server, SIGKILL);
        waitpid(fs->server, NULL, 0);
    }
    fs->server = -1;
}

void fault_fs_stop(fault_fs *fs)
{
    umount2(fs->folder, MNT_DETACH); /* fails where nothing was mounted */
    fault_fs_kill(fs);
    rmdir(fs->folder);
    munmap(fs->shared, sizeof(*fs->shared));
}
