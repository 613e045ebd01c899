/* import_process.c - see import_process.h. */
#include "import_process.h"
#include "wire.h"

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

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* their shadows take terabytes of addresses: no limit of memory */
#else
#define SANITIZED 0
#endif

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
    wire_out b = { 0 };
    static const size_t step = 1 << 16;
    uint8_t *block = malloc(step);
    ssize_t got = block == NULL ? -1 : 1;
    while (got > 0 && !b.failed && b.size < RESULT_BYTES_MAX) {
        got = read(fd, block, step);
        if (got < 0 && errno == EINTR) {
            got = 1;
        } else if (got > 0) {
            wire_put(&b, block, (size_t)got);
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
