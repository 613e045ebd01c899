/* cache.c - see cache.h.
 *
 * FOLDER/ab/cdef... is the entry of key abcdef... (32 hexadecimal digits): a header, then the bytes. FOLDER/ab/tmp-...
 * is one that is being written. An entry's time of change is when it was last used, to the hour: that is what is
 * trimmed by.
 *
 * Size: before a run adds its first entry, and with each sixteenth of the limit that it has added, the whole is
 * trimmed: so a run may be killed at any time, and the next one that adds makes good for it.
 *
 * Trust: whoever can write into the folder decides what is packed, as with any cache of a compiler. So a folder that
 * belongs to another user (but root), or that everyone may write to, is not used; and of one that a group may write to
 * no entry is used that belongs to another user: what members of the group put there is nothing to each other. Entries
 * are checked against accidents by XXH3-128, which a forger can compute; product.c checks all lengths of what it takes.
 *
 * Threads: any number get and put; what they share is atomic, or behind the lock of the problem's text. */
#include "cache.h"
#include "base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define ENTRY_BYTES_MAX (UINT64_C(4) << 30)
#define SUBFOLDER_COUNT 256u
#define NAME_DIGITS 30u /* of a key, behind the subfolder's two */
#define BLOCK_SIZE 4096u /* what a file takes on disk is rounded up to it */
#define TOUCH_AFTER_S 3600 /* how exactly "last used" is known */
#define TEMPORARY_AGE_S 3600 /* of one that nobody writes any more */
#define TRIM_TO_PERCENT 90u /* so that not every run trims */
#define TRIM_PARTS 16u /* of the limit: what is added until the whole is looked at again */
#define FREE_PARTS_MIN 8u /* of a small disk, an eighth stays free */

static const uint64_t magic = UINT64_C(0x3165686361637a6c); /* raised with the form of entries */
static const char tag_text[] = "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of leat: safe to remove, not "
                               "worth a backup. See https://bford.info/cachedir/\n";

typedef struct entry_header {
    uint64_t magic, size, key[2], hash[2];
} entry_header;

struct cache {
    int fd; /* the folder's; -1: off */
    char folder[PATH_MAX];
    cache_limits limits;
    uint64_t salt; /* in the names of temporary files: this run's */
    _Atomic uint64_t temporary_count;
    _Atomic uint64_t added_bytes; /* by this run: at most the limit */
    _Atomic uint64_t trim_at_bytes; /* of those: when it is trimmed next. Relaxed: who changes it trims. */
    _Atomic bool writable; /* false: for this run nothing is added any more. Relaxed: a late reader fails once more. */
    pthread_mutex_t lock; /* of: */
    char problem[PATH_MAX + 256];
};

/* ---- Problems ---- */

/* The first one counts. */
static void problem_set(cache *c, const char *what, int number, const char *advice)
{
    pthread_mutex_lock(&c->lock);
    if (c->problem[0] == '\0') {
        snprintf(c->problem, sizeof(c->problem), "the cache %s %s%s%s%s", c->folder, what, number != 0 ? ": " : "",
                 number != 0 ? strerror(number) : "", advice);
    }
    pthread_mutex_unlock(&c->lock);
}

static void writing_stop(cache *c, const char *what, int number, const char *advice)
{
    atomic_store_explicit(&c->writable, false, memory_order_relaxed);
    problem_set(c, what, number, advice);
}

/* ---- The folder ---- */

bool cache_folder_default(char *path, size_t path_size, const char **why)
{
    const char *own = getenv("LEAT_CACHE"), *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int size = -1;
    *why = NULL;
    if (own != NULL && strcmp(own, "off") == 0) {
        return false;
    }
    if (own != NULL && own[0] != '\0') {
        size = snprintf(path, path_size, "%s", own);
    } else if (base != NULL && base[0] == '/') { /* the specification: relative ones are to be ignored */
        size = snprintf(path, path_size, "%s/leat", base);
    } else if (home != NULL && home[0] == '/') {
        size = snprintf(path, path_size, "%s/.cache/leat", home);
    } else {
        *why = "there is no folder for the cache, as neither XDG_CACHE_HOME nor HOME is set; name one with --cache";
        return false;
    }
    *why = "the path of the cache is too long";
    return size > 0 && (size_t)size < path_size;
}

/* All parts of the path that are missing; *made: the last one as well. False: errno says why that is not there. */
static bool folders_make(const char *path, bool *made)
{
    char part[PATH_MAX];
    snprintf(part, sizeof(part), "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(part, 0700); /* where it fails, so does the next one, but for those that are there */
        *slash = '/';
    }
    *made = mkdir(part, 0700) == 0;
    return *made || errno == EEXIST;
}

/* Tells backups and the like that this need not be kept: of a folder that was there before, they would then leave out
 * what is not ours. */
static void tag_write(int folder)
{
    int fd = openat(folder, "CACHEDIR.TAG", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        ssize_t ignored = write(fd, tag_text, sizeof(tag_text) - 1);
        (void)ignored;
        close(fd);
    }
}

/* Nobody else but root has made it. */
static bool is_trusted(const struct stat *info)
{
    return info->st_uid == geteuid() || info->st_uid == 0;
}

static void folder_open(cache *c)
{
    struct stat info;
    bool made, there = folders_make(c->folder, &made);
    int number = errno;
    int fd = open(c->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) {
        number = there ? errno : number;
        problem_set(c, there ? "cannot be opened" : "cannot be made", number, "");
    } else if (!is_trusted(&info)) {
        problem_set(c, "belongs to another user and is not used", 0, "; name one of your own with --cache");
    } else if ((info.st_mode & S_IWOTH) != 0) {
        problem_set(c, "may be written to by everyone and is not used", 0, "; chmod o-w, or name another with --cache");
    } else {
        c->fd = fd;
        atomic_store_explicit(&c->writable, true, memory_order_relaxed);
        if (made) {
            tag_write(fd);
        }
        return;
    }
    if (fd >= 0) {
        close(fd);
    }
}

cache *cache_open(const char *folder, cache_limits limits)
{
    cache *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return NULL;
    }
    pthread_mutex_init(&c->lock, NULL);
    c->fd = -1;
    c->limits = limits;
    int size = folder == NULL ? 0 : snprintf(c->folder, sizeof(c->folder), "%s", folder);
    if ((size_t)size >= sizeof(c->folder)) {
        problem_set(c, "has too long a path", 0, "");
    } else if (size > 0) {
        folder_open(c);
    }
    if (getrandom(&c->salt, sizeof(c->salt), GRND_NONBLOCK) != (ssize_t)sizeof(c->salt)) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        c->salt = (uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec ^ (uint64_t)getpid();
    }
    return c;
}

void cache_close(cache *c)
{
    if (c == NULL) {
        return;
    }
    if (atomic_load_explicit(&c->added_bytes, memory_order_relaxed) > 0) {
        cache_trim(c, c->limits.bytes);
    }
    if (c->fd >= 0) {
        close(c->fd);
    }
    pthread_mutex_destroy(&c->lock);
    free(c);
}

bool cache_is_on(const cache *c)
{
    return c != NULL && c->fd >= 0;
}

const char *cache_problem(const cache *c)
{
    return c != NULL && c->problem[0] != '\0' ? c->problem : NULL;
}

/* ---- Entries ---- */

typedef struct entry_name {
    char text[2 + 1 + NAME_DIGITS + 1]; /* "ab/cdef..." */
} entry_name;

static entry_name name_of(const cache_key *key)
{
    entry_name name;
    char digits[33];
    snprintf(digits, sizeof(digits), "%016llx%016llx", (unsigned long long)key->hash[1],
             (unsigned long long)key->hash[0]);
    snprintf(name.text, sizeof(name.text), "%.2s/%.30s", digits, digits + 2);
    return name;
}

static void hash_of(const void *bytes, size_t size, uint64_t hash[2])
{
    XXH128_hash_t h = XXH3_128bits(bytes, size);
    hash[0] = h.low64;
    hash[1] = h.high64;
}

static bool read_all(int fd, void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, (char *)bytes + done, size - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

/* False: errno says why. */
static bool write_all(int fd, const void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t wrote = write(fd, (const char *)bytes + done, size - done);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            errno = wrote == 0 ? ENOSPC : errno;
            return false;
        }
        done += (size_t)wrote;
    }
    return true;
}

/* The bytes of an open entry; NULL if they are not what was put under this key. */
static uint8_t *entry_read(int fd, const struct stat *info, const cache_key *key, size_t *size)
{
    entry_header header;
    uint64_t file_size = (uint64_t)info->st_size, hash[2];
    if (!S_ISREG(info->st_mode) || !is_trusted(info) || file_size < sizeof(header) || file_size > ENTRY_BYTES_MAX ||
        !read_all(fd, &header, sizeof(header)) || header.magic != magic || header.size != file_size - sizeof(header) ||
        memcmp(header.key, key->hash, sizeof(header.key)) != 0) {
        return NULL;
    }
    uint8_t *bytes = malloc(header.size + 1);
    if (bytes == NULL || !read_all(fd, bytes, header.size)) {
        free(bytes);
        return NULL;
    }
    hash_of(bytes, header.size, hash);
    if (memcmp(hash, header.hash, sizeof(hash)) != 0) {
        free(bytes);
        return NULL;
    }
    *size = header.size;
    return bytes;
}

uint8_t *cache_get(cache *c, const cache_key *key, size_t *size)
{
    struct stat info;
    uint8_t *bytes = NULL;
    *size = 0;
    if (!cache_is_on(c)) {
        return NULL;
    }
    entry_name name = name_of(key);
    int fd = openat(c->fd, name.text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return NULL;
    }
    if (fstat(fd, &info) == 0) {
        bytes = entry_read(fd, &info, key, size);
    }
    if (bytes != NULL && info.st_mtim.tv_sec + TOUCH_AFTER_S < time(NULL)) {
        futimens(fd, NULL); /* if it may not, others' use counts less */
    }
    close(fd);
    return bytes;
}

/* Whether there is room for it: in the limit, and on the disk. */
static bool room_take(cache *c, uint64_t size)
{
    struct statvfs disk;
    if (atomic_fetch_add_explicit(&c->added_bytes, size, memory_order_relaxed) + size > c->limits.bytes) {
        writing_stop(c, "is full with what this run has added", 0, "; raise --cache-limit");
        return false;
    }
    if (fstatvfs(c->fd, &disk) == 0) {
        uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize, all = (uint64_t)disk.f_blocks * disk.f_frsize;
        if (free_bytes < u64_min(c->limits.free_bytes_min, all / FREE_PARTS_MIN) + size) {
            writing_stop(c, "lies on a disk that is nearly full: nothing is added to it", 0, "");
            return false;
        }
    }
    return true;
}

/* One of those who add does it for all. */
static void trim_if_due(cache *c)
{
    uint64_t due = atomic_load_explicit(&c->trim_at_bytes, memory_order_relaxed);
    uint64_t added = atomic_load_explicit(&c->added_bytes, memory_order_relaxed);
    if (added >= due &&
        atomic_compare_exchange_strong_explicit(&c->trim_at_bytes, &due, added + c->limits.bytes / TRIM_PARTS + 1,
                                                memory_order_relaxed, memory_order_relaxed)) {
        cache_trim(c, c->limits.bytes);
    }
}

void cache_put(cache *c, const cache_key *key, const void *bytes, size_t size)
{
    entry_header header = { .magic = magic, .size = size, .key = { key->hash[0], key->hash[1] } };
    uint64_t total = sizeof(header) + size;
    if (!cache_is_on(c) || !atomic_load_explicit(&c->writable, memory_order_relaxed) || total > ENTRY_BYTES_MAX ||
        !room_take(c, align_up(total, BLOCK_SIZE))) {
        return;
    }
    trim_if_due(c);
    hash_of(bytes, size, header.hash);
    entry_name name = name_of(key);
    char subfolder[3] = { name.text[0], name.text[1], '\0' }, temporary[64];
    snprintf(temporary, sizeof(temporary), "%s/tmp-%016llx-%llu", subfolder, (unsigned long long)c->salt,
             (unsigned long long)atomic_fetch_add_explicit(&c->temporary_count, 1, memory_order_relaxed));
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    int fd = openat(c->fd, temporary, flags, 0600);
    if (fd < 0 && errno == ENOENT && (mkdirat(c->fd, subfolder, 0700) == 0 || errno == EEXIST)) {
        fd = openat(c->fd, temporary, flags, 0600);
    }
    /* Not synced: what a crash of the machine leaves half written does not fit its hash. */
    bool ok = fd >= 0 && write_all(fd, &header, sizeof(header)) && write_all(fd, bytes, size);
    int number = errno;
    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = false;
        number = errno;
    }
    if (ok && renameat(c->fd, temporary, c->fd, name.text) != 0) {
        ok = false;
        number = errno;
    }
    if (!ok) {
        writing_stop(c, "cannot be added to", number, "");
        if (fd >= 0) {
            unlinkat(c->fd, temporary, 0);
        }
    }
}

/* ---- Trimming ---- */

typedef struct found {
    int64_t used_s;
    uint64_t bytes;
    entry_name name;
} found;

typedef struct found_list {
    found *items;
    size_t count, capacity;
    uint64_t bytes;
} found_list;

static bool found_add(found_list *list, const found *one)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity * 2 + 1024;
        found *grown = realloc(list->items, capacity * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        list->items = grown;
        list->capacity = capacity;
    }
    list->items[list->count++] = *one;
    list->bytes += one->bytes;
    return true;
}

/* Only what this file has named: a folder that was named by mistake loses nothing else. */
static bool file_take(const cache *c, const char *subfolder, const char *file, int64_t now_s, found_list *list)
{
    struct stat info;
    char path[3 + NAME_MAX + 1];
    bool temporary = strncmp(file, "tmp-", 4) == 0;
    bool entry = strlen(file) == NAME_DIGITS && strspn(file, "0123456789abcdef") == NAME_DIGITS;
    snprintf(path, sizeof(path), "%s/%s", subfolder, file);
    if ((!temporary && !entry) || fstatat(c->fd, path, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode)) {
        return true;
    }
    if (temporary) {
        if (info.st_mtim.tv_sec + TEMPORARY_AGE_S < now_s) {
            unlinkat(c->fd, path, 0);
        }
        return true;
    }
    uint64_t size = info.st_size > 0 ? (uint64_t)info.st_size : 1; /* an empty one is something to remove as well */
    found one = { .used_s = info.st_mtim.tv_sec, .bytes = align_up(size, BLOCK_SIZE) };
    memcpy(one.name.text, path, sizeof(one.name.text));
    return found_add(list, &one);
}

static bool subfolder_take(const cache *c, uint32_t number, int64_t now_s, found_list *list)
{
    char name[3];
    snprintf(name, sizeof(name), "%02x", number % SUBFOLDER_COUNT);
    int fd = openat(c->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (folder == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return true;
    }
    bool ok = true;
    for (struct dirent *e = readdir(folder); ok && e != NULL; e = readdir(folder)) {
        ok = file_take(c, name, e->d_name, now_s, list);
    }
    closedir(folder);
    return ok;
}

/* By use, and by name, so that two that trim at once begin with the same. */
static int found_compare(const void *a, const void *b)
{
    const found *x = a, *y = b;
    return x->used_s != y->used_s ? (x->used_s < y->used_s ? -1 : 1) : strcmp(x->name.text, y->name.text);
}

cache_size cache_trim(cache *c, uint64_t limit)
{
    found_list list = { 0 };
    int64_t now_s = time(NULL);
    bool ok = cache_is_on(c);
    for (uint32_t i = 0; i < SUBFOLDER_COUNT && ok; ++i) {
        ok = subfolder_take(c, i, now_s, &list);
    }
    cache_size left = { .entry_count = list.count, .bytes = list.bytes };
    if (list.bytes > limit) { /* after a failure, what was seen is trimmed */
        qsort(list.items, list.count, sizeof(*list.items), found_compare);
        for (size_t i = 0; i < list.count && left.bytes > limit / 100 * TRIM_TO_PERCENT; ++i) {
            if (unlinkat(c->fd, list.items[i].name.text, 0) == 0 || errno == ENOENT) {
                left.bytes -= list.items[i].bytes;
                --left.entry_count;
            } else {
                problem_set(c, "cannot be made smaller", errno, "");
            }
        }
    }
    free(list.items);
    return left;
}
