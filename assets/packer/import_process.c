/* import_process.c - see import_process.h. */
#include "import_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_MEMORY_MAX (UINT64_C(4) << 30)
#define CHILD_SECONDS_MAX 120u
#define RESULT_BYTES_MAX (UINT64_C(3) << 30)
#define TEXT_BYTES_MAX 4096u /* of each of path, name and root */
#define LIST_MAX (1u << 20) /* entries of any list */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* their shadows take terabytes of addresses: no limit of memory */
#else
#define SANITIZED 0
#endif

/* ---- The wire ---- */

typedef struct buffer {
    uint8_t *bytes;
    size_t size, capacity;
    bool failed;
} buffer;

static void put(buffer *b, const void *bytes, size_t size)
{
    if (b->size + size > b->capacity && !b->failed) {
        size_t capacity = (b->size + size) * 2 + 256;
        uint8_t *grown = realloc(b->bytes, capacity);
        b->failed = grown == NULL;
        b->bytes = grown != NULL ? grown : b->bytes;
        b->capacity = grown != NULL ? capacity : b->capacity;
    }
    if (!b->failed && size > 0) {
        memcpy(b->bytes + b->size, bytes, size);
        b->size += size;
    }
}

static void put_block(buffer *b, const void *bytes, uint64_t size)
{
    put(b, &size, sizeof(size));
    put(b, bytes, size);
}

static void put_text(buffer *b, const char *text)
{
    put_block(b, text, strlen(text));
}

static void put_u32(buffer *b, uint32_t value)
{
    put(b, &value, sizeof(value));
}

uint8_t *import_pack(const import_result *r, bool good, size_t *size)
{
    buffer b = { 0 };
    put_u32(&b, good);
    put_u32(&b, r->asset_count);
    put_u32(&b, r->image_count);
    put_u32(&b, r->usage_count);
    put_u32(&b, r->message_count);
    for (uint32_t i = 0; i < r->asset_count; ++i) {
        const import_asset *a = &r->assets[i];
        put_text(&b, a->name);
        put_u32(&b, (uint32_t)a->type);
        put_block(&b, a->raw, a->raw_size);
        put_block(&b, a->metadata, a->metadata_size);
        put_block(&b, a->references, (uint64_t)a->reference_count * sizeof(*a->references));
        put_block(&b, a->cuts, (uint64_t)a->cut_count * sizeof(*a->cuts));
    }
    for (uint32_t i = 0; i < r->image_count; ++i) {
        const import_image *m = &r->images[i];
        put_text(&b, m->name);
        put_block(&b, m->bytes, m->size);
        put_u32(&b, m->width);
        put_u32(&b, m->height);
        put_u32(&b, (uint32_t)m->usage);
    }
    for (uint32_t i = 0; i < r->usage_count; ++i) {
        put_text(&b, r->usages[i].name);
        put_u32(&b, (uint32_t)r->usages[i].usage);
    }
    for (uint32_t i = 0; i < r->message_count; ++i) {
        put_u32(&b, (uint32_t)r->messages[i].level);
        put_text(&b, r->messages[i].text);
    }
    if (b.failed) {
        free(b.bytes);
        return NULL;
    }
    *size = b.size;
    return b.bytes;
}

typedef struct cursor {
    const uint8_t *at;
    size_t left;
    bool failed;
} cursor;

static void take(cursor *c, void *out, size_t size)
{
    if (c->failed || size > c->left) {
        c->failed = true;
        memset(out, 0, size);
        return;
    }
    memcpy(out, c->at, size);
    c->at += size;
    c->left -= size;
}

static uint32_t take_u32(cursor *c)
{
    uint32_t value;
    take(c, &value, sizeof(value));
    return value;
}

/* A malloc'ed block, with a zero behind it so that it can be a text; NULL after a failure. */
static void *take_block(cursor *c, uint64_t *size)
{
    take(c, size, sizeof(*size));
    if (c->failed || *size > c->left) {
        c->failed = true;
        *size = 0;
        return NULL;
    }
    uint8_t *block = malloc(*size + 1);
    if (block == NULL) {
        c->failed = true;
        *size = 0;
        return NULL;
    }
    take(c, block, *size);
    block[*size] = 0;
    return block;
}

static void take_asset(cursor *c, import_result *r)
{
    import_asset a = { 0 };
    uint64_t size, metadata_size, references_size, cuts_size;
    a.name = take_block(c, &size);
    uint32_t type = take_u32(c);
    a.type = (leat_asset_type)type;
    a.raw = take_block(c, &a.raw_size);
    a.metadata = take_block(c, &metadata_size);
    a.references = take_block(c, &references_size);
    a.cuts = take_block(c, &cuts_size);
    a.metadata_size = (uint32_t)metadata_size;
    a.reference_count = (uint32_t)(references_size / sizeof(*a.references));
    a.cut_count = (uint32_t)(cuts_size / sizeof(*a.cuts));
    c->failed |= type >= LEAT_ASSET_TYPE_COUNT || metadata_size > UINT32_MAX ||
                 references_size / sizeof(*a.references) > LIST_MAX || cuts_size / sizeof(*a.cuts) > LIST_MAX;
    for (uint32_t i = 0; i < a.cut_count && !c->failed; ++i) {
        c->failed |= a.cuts[i] >= a.raw_size || (i > 0 && a.cuts[i] <= a.cuts[i - 1]);
    }
    if (c->failed) {
        import_asset_free(&a);
    } else {
        c->failed = !import_add_asset(r, &a);
    }
}

static void take_image(cursor *c, import_result *r)
{
    import_image m = { 0 };
    uint64_t size;
    m.name = take_block(c, &size);
    m.bytes = take_block(c, &m.size);
    m.width = take_u32(c);
    m.height = take_u32(c);
    uint32_t usage = take_u32(c);
    m.usage = (texture_usage)usage;
    c->failed |= usage > TEXTURE_USAGE_MASK || (m.width != 0 && (uint64_t)m.width * m.height * 4 != m.size);
    if (c->failed) {
        free(m.name);
        free(m.bytes);
    } else {
        c->failed = !import_add_image(r, &m);
    }
}

static void take_usage(cursor *c, import_result *r)
{
    uint64_t size;
    char *name = take_block(c, &size);
    uint32_t usage = take_u32(c);
    c->failed |= usage > TEXTURE_USAGE_MASK;
    if (!c->failed) {
        c->failed = !import_add_usage(r, name, (texture_usage)usage);
    }
    free(name);
}

static void take_message(cursor *c, import_result *r)
{
    uint64_t size;
    uint32_t level = take_u32(c);
    char *text = take_block(c, &size);
    if (!c->failed) {
        import_add_message(r, level == IMPORT_WARNING ? IMPORT_WARNING : IMPORT_ERROR, "%s", text);
    }
    free(text);
}

bool import_unpack(const uint8_t *bytes, size_t size, import_result *r, bool *good)
{
    cursor c = { .at = bytes, .left = size };
    *r = (import_result){ 0 };
    *good = take_u32(&c) == 1;
    uint32_t counts[4];
    for (uint32_t i = 0; i < 4; ++i) {
        counts[i] = take_u32(&c);
    }
    void (*const takers[4])(cursor *, import_result *) = { take_asset, take_image, take_usage, take_message };
    for (uint32_t kind = 0; kind < 4; ++kind) {
        for (uint32_t i = 0; i < counts[kind] && !c.failed; ++i) {
            takers[kind](&c, r);
        }
    }
    if (c.failed || c.left != 0) {
        import_result_free(r);
        *r = (import_result){ 0 };
        return false;
    }
    return true;
}

/* ---- The server and its children ---- */

typedef struct request {
    uint64_t bytes_max;
    char path[TEXT_BYTES_MAX], name[TEXT_BYTES_MAX], root[TEXT_BYTES_MAX];
} request;

static bool write_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t wrote = write(fd, bytes, size);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            return false;
        }
        bytes += wrote;
        size -= (size_t)wrote;
    }
    return true;
}

static _Noreturn void child(import_function import, const request *q, int fd)
{
    struct rlimit none = { 0, 0 }, memory_limit = { CHILD_MEMORY_MAX, CHILD_MEMORY_MAX };
    setrlimit(RLIMIT_CORE, &none);
    if (!SANITIZED) {
        setrlimit(RLIMIT_AS, &memory_limit);
    }
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    alarm(CHILD_SECONDS_MAX);
    import_job job = { .path = q->path, .name = q->name, .root = q->root, .bytes_max = q->bytes_max };
    import_result result = { 0 };
    bool good = import(&job, &result);
    size_t size = 0;
    uint8_t *bytes = import_pack(&result, good, &size);
    _exit(bytes != NULL && write_all(fd, bytes, size) ? 0 : 1);
}

/* One request: its pipe comes along with it. False at the end of the channel. */
static bool receive(int channel, request *q, int *fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct iovec part = { .iov_base = q, .iov_len = sizeof(*q) };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control.space)
    };
    ssize_t got;
    do {
        got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (got != (ssize_t)sizeof(*q) || header == NULL || header->cmsg_type != SCM_RIGHTS) {
        return false;
    }
    memcpy(fd, CMSG_DATA(header), sizeof(*fd));
    return true;
}

static _Noreturn void serve(int channel, import_function import)
{
    static request q;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    signal(SIGINT, SIG_IGN); /* a terminal sends it to all of us; the pack ends us by closing the channel */
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN); /* children are not waited for: their pipe tells */
    int fd = -1;
    while (receive(channel, &q, &fd)) {
        pid_t pid = fork();
        if (pid == 0) {
            close(channel);
            child(import, &q, fd);
        }
        close(fd);
    }
    _exit(0);
}

void import_process_start(import_process *p, import_function import)
{
    *p = (import_process){ .channel = -1, .server = -1, .import = import };
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return;
    }
    fflush(NULL); /* or the child writes what is buffered once more */
    p->server = fork();
    if (p->server == 0) {
        close(pair[0]);
        serve(pair[1], import);
    }
    close(pair[1]);
    if (p->server < 0) {
        close(pair[0]);
    } else {
        p->channel = pair[0];
    }
}

void import_process_stop(import_process *p)
{
    if (p->channel >= 0) {
        close(p->channel);
        waitpid(p->server, NULL, 0);
        p->channel = -1;
    }
}

/* ---- The client ---- */

static bool send_request(int channel, const request *q, int fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct iovec part = { .iov_base = (void *)(uintptr_t)q, .iov_len = sizeof(*q) };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control.space)
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    ssize_t sent;
    do {
        sent = sendmsg(channel, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof(*q);
}

/* All that comes until the child's end of the pipe is closed. */
static uint8_t *read_all(int fd, size_t *size)
{
    buffer b = { 0 };
    static const size_t step = 1 << 16;
    uint8_t *block = malloc(step);
    ssize_t got = block == NULL ? -1 : 1;
    while (got > 0 && !b.failed && b.size < RESULT_BYTES_MAX) {
        got = read(fd, block, step);
        if (got < 0 && errno == EINTR) {
            got = 1;
        } else if (got > 0) {
            put(&b, block, (size_t)got);
        }
    }
    free(block);
    *size = b.size;
    return b.bytes;
}

bool import_process_run(const import_process *p, const import_job *job, import_result *result)
{
    if (p->channel < 0) {
        return p->import(job, result);
    }
    request *q = calloc(1, sizeof(*q));
    int ends[2] = { -1, -1 };
    bool asked = q != NULL && strlen(job->path) < TEXT_BYTES_MAX && strlen(job->name) < TEXT_BYTES_MAX &&
                 strlen(job->root) < TEXT_BYTES_MAX && pipe2(ends, O_CLOEXEC) == 0;
    if (asked) {
        q->bytes_max = job->bytes_max;
        memcpy(q->path, job->path, strlen(job->path));
        memcpy(q->name, job->name, strlen(job->name));
        memcpy(q->root, job->root, strlen(job->root));
        asked = send_request(p->channel, q, ends[1]);
        close(ends[1]);
    }
    free(q);
    bool good = false, understood = false;
    size_t size = 0;
    uint8_t *bytes = asked ? read_all(ends[0], &size) : NULL;
    if (ends[0] >= 0) {
        close(ends[0]);
    }
    if (!asked) { /* no pipe to be had, or a path beyond all bounds */
        return p->import(job, result);
    }
    understood = bytes != NULL && import_unpack(bytes, size, result, &good);
    free(bytes);
    if (!understood) {
        import_add_message(
            result, IMPORT_ERROR,
            "%s: its import crashed, or needed more than %u GiB of memory or %u seconds; the file is damaged, or "
            "Assimp cannot read it",
            job->name, (unsigned)(CHILD_MEMORY_MAX >> 30), CHILD_SECONDS_MAX);
    }
    return good && understood;
}
