/* doctor_file.c - the path: what file system it lies on, and which ways of reading work there, each by a real read.
 *
 * The reads go to the file itself, or to a temporary one that has no name by the time it is read: O_TMPFILE, or made
 * and unlinked at once. Where nothing can be written, a folder is judged by a file in it. */
#include "doctor.h"
#include "base.h"
#include "doctor_ring.h"

#include <leat/pack_format.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK_BYTES 4096u
#define FOLDER_ENTRIES_MAX 1000u /* looked at for a file to read */
#define CACHESTAT_NUMBER 451 /* Linux 6.5 */
#define RWF_DONTCACHE_BIT 0x80 /* Linux 6.14 */

/* ---- What to read ---- */

/* A descriptor on a file without a name in the folder, or -1 with errno. */
static int unnamed_file(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) {
        return fd;
    }
    char path[PATH_MAX];
    int size = snprintf(path, sizeof(path), "%s/.leat-doctor-XXXXXX", folder);
    if (size < 0 || (size_t)size >= sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) {
        unlink(path);
    }
    return fd;
}

/* A trial pack without a name in the folder. 0 or an errno; *fd is -1 then. */
static int trial_pack_write(const char *folder, int *fd, uint64_t *size)
{
    uint8_t *bytes = doctor_trial_pack(size);
    *fd = bytes == NULL ? -1 : unnamed_file(folder);
    int cause = bytes == NULL ? ENOMEM : *fd < 0 ? errno : 0;
    for (uint64_t done = 0; cause == 0 && done < *size;) {
        ssize_t put = write(*fd, bytes + done, *size - done);
        if (put <= 0 && errno != EINTR) {
            cause = put == 0 ? ENOSPC : errno;
        }
        done += put > 0 ? (uint64_t)put : 0;
    }
    if (cause == 0) {
        fdatasync(*fd); /* so that a direct read has something to read from the device */
    } else if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    free(bytes);
    return cause;
}

/* Opens the largest regular file among the first entries of the folder. Returns its descriptor or -1. */
static int largest_file(const char *folder, char *name, size_t name_size)
{
    DIR *entries = opendir(folder);
    off_t most = 0;
    int best = -1;
    struct dirent *entry;
    for (uint32_t i = 0; entries != NULL && i < FOLDER_ENTRIES_MAX && (entry = readdir(entries)) != NULL; ++i) {
        struct stat s;
        if (fstatat(dirfd(entries), entry->d_name, &s, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(s.st_mode) ||
            s.st_size <= most) {
            continue;
        }
        int fd = openat(dirfd(entries), entry->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
        if (fd < 0) {
            continue;
        }
        if (best >= 0) {
            close(best);
        }
        best = fd;
        most = s.st_size;
        snprintf(name, name_size, "%.50s", entry->d_name);
    }
    if (entries != NULL) {
        closedir(entries);
    }
    return best;
}

static bool is_pack(int fd)
{
    uint8_t magic[sizeof(LEAT_PACK_MAGIC) - 1];
    return pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
           memcmp(magic, LEAT_PACK_MAGIC, sizeof(magic)) == 0;
}

static void choose_in_folder(doctor_path *p)
{
    int cause = trial_pack_write(p->path, &p->pack_fd, &p->size);
    if (cause == 0) {
        p->fd = p->pack_fd;
        snprintf(p->trial, sizeof(p->trial), "a temporary file of %llu KiB in it, gone again",
                 (unsigned long long)(p->size >> 10));
        snprintf(p->trial_pack, sizeof(p->trial_pack), "/proc/self/fd/%d", p->pack_fd);
        return;
    }
    p->fd = largest_file(p->path, p->trial, sizeof(p->trial));
    if (p->fd < 0) {
        snprintf(p->trial_error, sizeof(p->trial_error),
                 "nothing was tried: it cannot be written to (%s) and holds no file that can be read; name a pack",
                 strerror(cause));
        return;
    }
    snprintf(p->trial_error, sizeof(p->trial_error), "no trial pack can be written there (%s)", strerror(cause));
}

static void choose_file(doctor_path *p)
{
    snprintf(p->trial, sizeof(p->trial), "the file itself");
    p->fd = open(p->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (p->fd < 0) {
        snprintf(p->trial_error, sizeof(p->trial_error), "it cannot be read: %s", strerror(errno));
        return;
    }
    if (is_pack(p->fd)) {
        p->kind = DOCTOR_PACK;
        return;
    }
    if (p->size == 0) {
        snprintf(p->trial_error, sizeof(p->trial_error), "it is empty");
        close(p->fd);
        p->fd = -1;
    }
    char *copy = strdup(p->path);
    uint64_t size;
    int cause = copy == NULL ? ENOMEM : trial_pack_write(dirname(copy), &p->pack_fd, &size);
    free(copy);
    if (cause == 0) {
        snprintf(p->trial_pack, sizeof(p->trial_pack), "/proc/self/fd/%d", p->pack_fd);
    } else if (p->trial_error[0] == '\0') {
        snprintf(p->trial_error, sizeof(p->trial_error), "no trial pack can be written beside it (%s)",
                 strerror(cause));
    }
}

/* ---- The file system ---- */

/* Field by field through a line of mountinfo; fills p if it is the mount that is looked for. */
static bool mount_take(char *line, uint64_t mount_id, bool by_id, dev_t device, doctor_path *p)
{
    unsigned long long id;
    unsigned major_number, minor_number;
    char mount_options[128] = "", type[32] = "", source[128] = "", options[128] = "";
    if (sscanf(line, "%llu %*s %u:%u %*s %*s %127s", &id, &major_number, &minor_number, mount_options) != 4) {
        return false;
    }
    if (by_id ? id != mount_id : device != makedev(major_number, minor_number)) {
        return false;
    }
    const char *rest = strstr(line, " - ");
    if (rest == NULL || sscanf(rest + 3, "%31s %127s %127s", type, source, options) < 2) {
        return false;
    }
    snprintf(p->type, sizeof(p->type), "%s", type);
    snprintf(p->source, sizeof(p->source), "%s", source);
    snprintf(p->options, sizeof(p->options), "%.120s,%.120s", mount_options, options);
    return true;
}

static void mount_find(int fd, dev_t device, doctor_path *p)
{
    struct statx extended = { 0 };
    bool by_id = syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &extended) == 0 &&
                 (extended.stx_mask & STATX_MNT_ID) != 0;
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t room = 0;
    while (file != NULL && getline(&line, &room, file) > 0) {
        if (mount_take(line, extended.stx_mnt_id, by_id, device, p) && by_id) {
            break; /* without ids the last one counts: it lies on top */
        }
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
}

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* True if one of the comma-separated options begins so. */
static bool has_option(const char *options, const char *prefix)
{
    for (const char *at = options; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (has_prefix(at, prefix)) {
            return true;
        }
    }
    return false;
}

static void file_system_look(int fd, dev_t device, doctor_path *p)
{
    static const char *const networks[] = { "nfs", "cifs", "smb", "9p", "ceph", "afs", "fuse.sshfs", "virtiofs" };
    mount_find(fd, device, p);
    p->in_memory = strcmp(p->type, "tmpfs") == 0 || strcmp(p->type, "ramfs") == 0;
    for (uint32_t i = 0; i < COUNT_OF(networks); ++i) {
        p->network |= has_prefix(p->type, networks[i]);
    }
    p->read_only = has_option(p->options, "ro") && !has_option(p->options, "rw");
    int flags = 0;
    bool file_compressed = ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_COMPR_FL) != 0;
    bool mount_compressed =
        strcmp(p->type, "btrfs") == 0 && has_option(p->options, "compress") && !has_option(p->options, "compress=no");
    p->compressed = file_compressed || mount_compressed || strcmp(p->type, "squashfs") == 0;
}

/* ---- Ways to read ---- */

static int direct_try(int buffered, int direct)
{
    void *a = NULL, *b = NULL;
    int cause = ENOMEM;
    if (posix_memalign(&a, BLOCK_BYTES, BLOCK_BYTES) == 0 && posix_memalign(&b, BLOCK_BYTES, BLOCK_BYTES) == 0) {
        ssize_t got = pread(direct, a, BLOCK_BYTES, 0);
        cause = got < 0                                                                       ? errno
                : got == 0                                                                    ? ENODATA
                : pread(buffered, b, BLOCK_BYTES, 0) == got && memcmp(a, b, (size_t)got) == 0 ? 0
                                                                                              : EIO;
    }
    free(a);
    free(b);
    return cause;
}

static int flagged_read(int fd, int flag)
{
    char block[512];
    struct iovec all = { .iov_base = block, .iov_len = sizeof(block) };
    return preadv2(fd, &all, 1, 0, flag) >= 0 || errno == EAGAIN ? 0 : errno;
}

static int cachestat_try(int fd)
{
    struct {
        uint64_t offset, size;
    } range = { 0, BLOCK_BYTES };
    uint64_t answer[5];
    return syscall(CACHESTAT_NUMBER, fd, &range, answer, 0) == 0 ? 0 : errno;
}

/* One block through a ring that is made with these flags. 0 or an errno. */
static int ring_read(int fd, uint32_t flags, bool fixed)
{
    doctor_ring ring;
    void *block = NULL;
    int cause = posix_memalign(&block, BLOCK_BYTES, BLOCK_BYTES) == 0 ? doctor_ring_open(4, flags, &ring) : ENOMEM;
    if (cause != 0) {
        free(block);
        return cause;
    }
    if (fixed) {
        struct iovec all = { .iov_base = block, .iov_len = BLOCK_BYTES };
        cause = doctor_ring_register(&ring, IORING_REGISTER_BUFFERS, &all, 1);
    }
    if (cause == 0) {
        struct io_uring_sqe entry = { .opcode = fixed ? IORING_OP_READ_FIXED : IORING_OP_READ,
                                      .fd = fd,
                                      .addr = (uint64_t)(uintptr_t)block,
                                      .len = BLOCK_BYTES };
        int32_t result = 0;
        cause = doctor_ring_do(&ring, &entry, &result, NULL);
        cause = cause != 0 ? cause : result < 0 ? -result : 0;
    }
    doctor_ring_close(&ring);
    free(block);
    return cause;
}

static void reads_try(bool ring, doctor_path *p)
{
    char again[64];
    snprintf(again, sizeof(again), "/proc/self/fd/%d", p->fd);
    int direct = open(again, O_RDONLY | O_DIRECT | O_CLOEXEC);
    p->direct = doctor_tried(direct < 0 ? errno : direct_try(p->fd, direct));
    struct statx extended = { 0 };
    if (syscall(SYS_statx, p->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &extended) == 0 &&
        (extended.stx_mask & STATX_DIOALIGN) != 0) {
        p->direct_memory_align = extended.stx_dio_mem_align;
        p->direct_offset_align = extended.stx_dio_offset_align;
    }
    p->cachestat = doctor_tried(cachestat_try(p->fd));
    p->nowait = doctor_tried(flagged_read(p->fd, RWF_NOWAIT));
    p->dontcache = doctor_tried(flagged_read(p->fd, RWF_DONTCACHE_BIT));
    if (ring) {
        bool works = doctor_works(p->direct);
        p->uring_read = doctor_tried(ring_read(p->fd, 0, false));
        p->uring_fixed = doctor_tried(ring_read(works ? direct : p->fd, 0, true));
        if (works) {
            p->iopoll = doctor_tried(ring_read(direct, IORING_SETUP_IOPOLL, false));
        }
    }
    if (direct >= 0) {
        close(direct);
    }
}

bool doctor_probe_path(const char *path, bool ring, doctor_path *p, leat_error *error)
{
    *p = (doctor_path){ .path = path,
                        .fd = -1,
                        .pack_fd = -1,
                        .direct_memory_align = DOCTOR_UNKNOWN,
                        .direct_offset_align = DOCTOR_UNKNOWN };
    struct stat s;
    if (stat(path, &s) != 0) {
        error_set(error, errno == ENOENT ? LEAT_ERROR_NOT_FOUND : LEAT_ERROR_OS, errno, "%s: %s", path,
                  strerror(errno));
        return false;
    }
    if (!S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode)) {
        error_set(error, LEAT_ERROR_ARGUMENT, 0, "%s: is neither a file nor a folder", path);
        return false;
    }
    p->size = (uint64_t)s.st_size;
    p->kind = S_ISDIR(s.st_mode) ? DOCTOR_FOLDER : DOCTOR_FILE;
    if (p->kind == DOCTOR_FOLDER) {
        choose_in_folder(p);
    } else {
        choose_file(p);
    }
    int named = open(path, O_PATH | O_CLOEXEC);
    int shown = p->fd >= 0 ? p->fd : named;
    if (shown >= 0) {
        file_system_look(shown, s.st_dev, p);
        doctor_probe_device(shown, p->source, &p->device);
    }
    if (named >= 0) {
        close(named);
    }
    if (p->fd >= 0) {
        reads_try(ring, p);
    }
    return true;
}

void doctor_path_close(doctor_path *p)
{
    if (p->fd >= 0) {
        close(p->fd);
    }
    if (p->pack_fd >= 0 && p->pack_fd != p->fd) {
        close(p->pack_fd);
    }
    p->fd = p->pack_fd = -1;
}
