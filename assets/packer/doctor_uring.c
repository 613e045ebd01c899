/* doctor_uring.c - io_uring: each setup flag, each registration and each mode, tried with a ring of its own. */
#include "doctor.h"
#include "base.h"
#include "doctor_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define ENTRIES 8u
#define POOL_BYTES MIB(32) /* leat_desc.pool_bytes by default */
#define POOL_BYTES_MIN KIB(4)
#define OPCODES_MAX 256u
#define FILES_REGISTERED 4u

typedef struct flag_trial {
    const char *name;
    uint32_t flags;
} flag_trial;

static const flag_trial flag_trials[DOCTOR_FLAG_COUNT] = {
    { "clamp", IORING_SETUP_CLAMP },
    { "cqsize", IORING_SETUP_CQSIZE },
    { "r_disabled", IORING_SETUP_R_DISABLED },
    { "submit_all", IORING_SETUP_SUBMIT_ALL },
    { "coop_taskrun", IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG },
    { "single_issuer", IORING_SETUP_SINGLE_ISSUER },
    { "defer_taskrun", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN },
    { "sqpoll", IORING_SETUP_SQPOLL },
    { "iopoll", IORING_SETUP_IOPOLL },
    { "hybrid_iopoll", IORING_SETUP_IOPOLL | RING_SETUP_HYBRID_IOPOLL },
    { "no_sqarray", RING_SETUP_NO_SQARRAY },
};
const char *const doctor_flag_names[DOCTOR_FLAG_COUNT] = {
    "clamp",         "cqsize", "r_disabled", "submit_all",    "coop_taskrun", "single_issuer",
    "defer_taskrun", "sqpoll", "iopoll",     "hybrid_iopoll", "no_sqarray",
};

/* What Leat uses, or may come to use. */
static const uint8_t opcodes[DOCTOR_OPCODE_COUNT] = {
    IORING_OP_READ,    IORING_OP_READ_FIXED,   IORING_OP_READV,        IORING_OP_POLL_ADD,
    IORING_OP_OPENAT,  IORING_OP_OPENAT2,      IORING_OP_CLOSE,        IORING_OP_STATX,
    IORING_OP_FADVISE, IORING_OP_LINK_TIMEOUT, IORING_OP_ASYNC_CANCEL, RING_OP_READ_MULTISHOT,
};
const char *const doctor_opcode_names[DOCTOR_OPCODE_COUNT] = {
    "read",  "read_fixed", "readv",   "poll_add",     "openat",       "openat2",
    "close", "statx",      "fadvise", "link_timeout", "async_cancel", "read_multishot",
};

const char *const doctor_feature_names[] = {
    "single_mmap", "nodrop",      "submit_stable",   "rw_cur_pos",   "cur_personality",
    "fast_poll",   "poll_32bits", "sqpoll_nonfixed", "ext_arg",      "native_workers",
    "rsrc_tags",   "cqe_skip",    "linked_file",     "reg_reg_ring", "recvsend_bundle",
    "min_timeout", "rw_attr",     "no_iowait",       NULL,
};

static void flags_try(doctor_uring *u)
{
    for (uint32_t i = 0; i < DOCTOR_FLAG_COUNT; ++i) {
        doctor_ring ring;
        u->flags[i] = doctor_tried(doctor_ring_open(ENTRIES, flag_trials[i].flags, &ring));
        if (u->flags[i].error == 0) {
            doctor_ring_close(&ring);
        }
    }
}

static void opcodes_ask(const doctor_ring *ring, doctor_uring *u)
{
    size_t size = sizeof(struct io_uring_probe) + OPCODES_MAX * sizeof(struct io_uring_probe_op);
    struct io_uring_probe *probe = calloc(1, size);
    if (probe == NULL) {
        return;
    }
    u->probe = doctor_tried(doctor_ring_register(ring, IORING_REGISTER_PROBE, probe, OPCODES_MAX));
    for (uint32_t i = 0; u->probe.error == 0 && i < u32_min(probe->ops_len, OPCODES_MAX); ++i) {
        bool supported = (probe->ops[i].flags & IO_URING_OP_SUPPORTED) != 0;
        u->opcode_count += supported;
        for (uint32_t k = 0; k < DOCTOR_OPCODE_COUNT; ++k) {
            u->opcodes[k] |= supported && probe->ops[i].op == opcodes[k];
        }
    }
    free(probe);
}

/* Registers and gives back at once. 0 or an errno. */
static int buffers_try(const doctor_ring *ring, void *pool, uint64_t size)
{
    struct iovec all = { .iov_base = pool, .iov_len = size };
    int cause = doctor_ring_register(ring, IORING_REGISTER_BUFFERS, &all, 1);
    if (cause == 0) {
        doctor_ring_register(ring, IORING_UNREGISTER_BUFFERS, NULL, 0);
    }
    return cause;
}

/* The most that can be registered, up to Leat's pool, to the page. */
static void buffers_measure(const doctor_ring *ring, doctor_uring *u)
{
    u->fixed_bytes_wanted = POOL_BYTES;
    uint8_t *pool = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pool == MAP_FAILED) {
        return;
    }
    madvise(pool, POOL_BYTES, MADV_HUGEPAGE); /* as Leat's pool: whole huge pages are counted */
    u->fixed_buffers = doctor_tried(buffers_try(ring, pool, POOL_BYTES));
    uint64_t works = u->fixed_buffers.error == 0 ? POOL_BYTES : 0, fails = POOL_BYTES;
    while (works < fails && fails - works > POOL_BYTES_MIN) {
        uint64_t middle = align_down(works + (fails - works) / 2, POOL_BYTES_MIN);
        if (buffers_try(ring, pool, middle) == 0) {
            works = middle;
        } else {
            fails = middle;
        }
    }
    u->fixed_bytes = works;
    munmap(pool, POOL_BYTES);
}

/* A table of files, and an open straight into it: a direct descriptor. */
static void files_try(doctor_ring *ring, doctor_uring *u)
{
    int files[FILES_REGISTERED] = { -1, -1, -1, -1 };
    u->fixed_files = doctor_tried(doctor_ring_register(ring, IORING_REGISTER_FILES, files, FILES_REGISTERED));
    if (u->fixed_files.error != 0) {
        return;
    }
    struct io_uring_sqe entry = { .opcode = IORING_OP_OPENAT,
                                  .fd = AT_FDCWD,
                                  .addr = (uint64_t)(uintptr_t) "/dev/null",
                                  .open_flags = O_RDONLY,
                                  .file_index = 1 };
    int32_t result = 0;
    int cause = doctor_ring_do(ring, &entry, &result, NULL);
    /* Before 5.15 the field is ignored, and an ordinary descriptor comes back. */
    u->direct_descriptors = doctor_tried(cause != 0 ? cause : result < 0 ? -result : result > 0 ? EOPNOTSUPP : 0);
    if (result > 0) {
        close(result);
    }
    doctor_ring_register(ring, IORING_UNREGISTER_FILES, NULL, 0);
}

static void multishot_try(doctor_ring *ring, doctor_uring *u)
{
    int event = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0) {
        return;
    }
    struct io_uring_sqe entry = {
        .opcode = IORING_OP_POLL_ADD, .fd = event, .poll32_events = POLLIN, .len = IORING_POLL_ADD_MULTI
    };
    int32_t result = 0;
    uint32_t flags = 0;
    int cause = doctor_ring_do(ring, &entry, &result, &flags);
    bool more = (flags & IORING_CQE_F_MORE) != 0;
    u->multishot_poll = doctor_tried(cause != 0 ? cause : result < 0 ? -result : more ? 0 : EOPNOTSUPP);
    close(event);
}

/* A ring whose entries a kernel thread takes, and a read of one byte through it. */
static void sqpoll_try(doctor_uring *u)
{
    doctor_ring ring;
    int cause = doctor_ring_open(ENTRIES, IORING_SETUP_SQPOLL, &ring);
    if (cause == 0) {
        int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
        char byte;
        struct io_uring_sqe entry = {
            .opcode = IORING_OP_READ, .fd = zero, .addr = (uint64_t)(uintptr_t)&byte, .len = 1
        };
        int32_t result = 0;
        cause = doctor_ring_do(&ring, &entry, &result, NULL);
        cause = cause != 0 ? cause : result < 0 ? -result : 0;
        doctor_ring_close(&ring);
        close(zero);
    }
    u->sqpoll = doctor_tried(cause);
}

static void memlock_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_MEMLOCK, &limit);
    }
}

static int32_t sysctl_disabled(void)
{
    FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    int value = DOCTOR_UNKNOWN;
    if (file != NULL) {
        if (fscanf(file, "%d", &value) != 1) {
            value = DOCTOR_UNKNOWN;
        }
        fclose(file);
    }
    return value;
}

void doctor_probe_uring(doctor_uring *u)
{
    *u = (doctor_uring){ .disabled = sysctl_disabled(), .fixed_bytes_wanted = POOL_BYTES };
    doctor_ring ring;
    memlock_raise();
    u->setup = doctor_tried(doctor_ring_open(ENTRIES, 0, &ring));
    if (u->setup.error != 0) {
        return;
    }
    u->features = ring.params.features;
    opcodes_ask(&ring, u);
    buffers_measure(&ring, u);
    files_try(&ring, u);
    multishot_try(&ring, u);
    uint32_t workers[2] = { 0, 0 }; /* zero: asks, and changes nothing */
    u->worker_limit = doctor_tried(doctor_ring_register(&ring, IORING_REGISTER_IOWQ_MAX_WORKERS, workers, 2));
    doctor_ring_close(&ring);
    flags_try(u);
    sqpoll_try(u);
}
