/* uring_setup.c - a ring is made, and what the kernel refuses is replaced: each step is noted for leat_info and logged.
 *
 * The order: flags are stripped one after the other where io_uring_setup says EINVAL, entries are halved where it says
 * ENOMEM; the opcodes are probed; then the limit of worker threads, the pool (halved as long as locked memory does not
 * suffice), and the files are registered. What only a file can tell (IOPOLL, RWF_DONTCACHE) is tried with the first
 * one, in io_uring.c. The oldest kernel that gets a ring is 5.10. */
#include "uring.h"

#ifdef LEAT_HAVE_URING

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define FIXED_BYTES_MIN MIB(1)
#define ENTRIES_MIN 16u
#define SETUP_TRIES_MAX 24u
#define COMPLETIONS_SPARE 16u /* wakes, timeouts, advice */

/* Newer than the headers of Debian 12. */
#define FEATURE_MIN_WAIT (1u << 15) /* IORING_FEAT_MIN_TIMEOUT, Linux 6.12 */

const char *ring_refusal(int cause)
{
    return cause == EPERM    ? "forbidden here (seccomp, as in Docker, or kernel.io_uring_disabled)"
           : cause == ENOSYS ? "not in this kernel (or hidden by seccomp)"
           : cause == EACCES ? "forbidden by a security module"
           : cause == ENOMEM ? "refused for lack of locked memory (RLIMIT_MEMLOCK)"
           : cause == EMFILE ? "refused for lack of file descriptors (RLIMIT_NOFILE)"
                             : strerror(cause);
}

void mode_set(io_backend *io, leat_mode mode, const char *why)
{
    bool asked = io_mode_asked(io->desc, mode);
    pthread_mutex_lock(&io->lock);
    leat_mode_info *told = &io->told.modes[mode];
    bool news = why != NULL && strcmp(told->why, why) != 0;
    *told = (leat_mode_info){ .asked = asked, .granted = asked && why == NULL };
    snprintf(told->why, sizeof(told->why), "%s", !asked ? "not asked for" : why != NULL ? why : "");
    pthread_mutex_unlock(&io->lock);
    if (asked && news) { /* once, not for each file */
        log_line(io->log, LEAT_LOG_INFO, "io_uring: no %s: %s; %s", leat_mode_text(mode), why,
                 leat_mode_fallback_text(mode));
    }
}

/* Nothing was refused, there is only nothing for this mode to do: no log line. */
static void mode_idle(io_backend *io, leat_mode mode, const char *why)
{
    pthread_mutex_lock(&io->lock);
    io->told.modes[mode] = (leat_mode_info){ .asked = io_mode_asked(io->desc, mode) };
    snprintf(io->told.modes[mode].why, sizeof(io->told.modes[mode].why), "%s", why);
    pthread_mutex_unlock(&io->lock);
}

/* ---- Flags ---- */

typedef struct setup_choice {
    bool defer, coop, sqpoll, core, iopoll;
    uint32_t entries, completion_entries;
} setup_choice;

static setup_choice first_choice(const io_backend *io)
{
    const leat_uring_desc *d = io->desc;
    setup_choice c = { .sqpoll = io_mode_asked(d, LEAT_MODE_SQPOLL), .iopoll = io->iopoll, .entries = d->entries };
    c.core = c.sqpoll && d->sqpoll_core > 0;
    c.defer = io_mode_asked(d, LEAT_MODE_DEFER_TASKRUN) && !c.sqpoll; /* the kernel refuses both together */
    c.coop = io_mode_asked(d, LEAT_MODE_COOP_TASKRUN) && !c.sqpoll;
    c.completion_entries =
        d->completion_entries > 0 ? d->completion_entries : io->slot_count * CHAIN_LENGTH + COMPLETIONS_SPARE;
    return c;
}

static void params_fill(const io_backend *io, const setup_choice *c, struct io_uring_params *p)
{
    *p = (struct io_uring_params){ .flags = IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE,
                                   .cq_entries = u32_max(c->completion_entries, c->entries) };
    if (c->defer) {
        p->flags |= IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
    } else if (c->coop) {
        p->flags |= IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
    }
    if (c->sqpoll) {
        p->flags |= IORING_SETUP_SQPOLL | (c->core ? IORING_SETUP_SQ_AFF : 0u);
        p->sq_thread_idle = io->desc->sqpoll_idle_ms;
        p->sq_thread_cpu = c->core ? io->desc->sqpoll_core - 1 : 0;
    }
    p->flags |= c->iopoll ? IORING_SETUP_IOPOLL : 0u;
}

/* The next thing to do without, after the kernel said `cause`. False: nothing is left. */
static bool choose_less(io_backend *io, setup_choice *c, int cause)
{
    setup_choice first = first_choice(io);
    if (cause == ENOMEM && c->entries > ENTRIES_MIN) {
        c->entries /= 2;
        c->completion_entries = u32_max(c->completion_entries / 2, c->entries);
    } else if (c->sqpoll && (cause == EPERM || (cause == EINVAL && !c->core))) {
        mode_set(io, LEAT_MODE_SQPOLL,
                 cause == EPERM ? "needs CAP_SYS_NICE on kernels before 5.11" : "refused (EINVAL)");
        c->sqpoll = c->core = false;
        c->defer = io_mode_asked(io->desc, LEAT_MODE_DEFER_TASKRUN);
        c->coop = io_mode_asked(io->desc, LEAT_MODE_COOP_TASKRUN);
    } else if (cause == EINVAL && c->core) {
        log_line(io->log, LEAT_LOG_WARNING, "io_uring: sqpoll_core %u is no core of this machine; any will do",
                 io->desc->sqpoll_core);
        c->core = false;
    } else if (cause == EINVAL && c->defer) {
        mode_set(io, LEAT_MODE_DEFER_TASKRUN, "not in this kernel (6.1 has it)");
        c->defer = false;
    } else if (cause == EINVAL && c->coop) {
        mode_set(io, LEAT_MODE_COOP_TASKRUN, "not in this kernel (5.19 has it)");
        c->coop = false;
    } else if (cause == EINVAL && c->iopoll) {
        mode_set(io, LEAT_MODE_IOPOLL, "not in this kernel");
        io->iopoll = c->iopoll = false;
        c->defer = first.defer; /* they may not have been to blame */
        c->coop = first.coop;
    } else {
        return false;
    }
    return true;
}

static void note_flags(io_backend *io, const setup_choice *c)
{
    io->sqpoll = c->sqpoll;
    if (c->sqpoll) {
        mode_set(io, LEAT_MODE_SQPOLL, NULL);
        mode_idle(io, LEAT_MODE_DEFER_TASKRUN, "sqpoll is in its place");
        mode_idle(io, LEAT_MODE_COOP_TASKRUN, "sqpoll is in its place");
    }
    if (c->defer) {
        mode_set(io, LEAT_MODE_DEFER_TASKRUN, NULL);
        mode_idle(io, LEAT_MODE_COOP_TASKRUN, "defer_taskrun is in its place");
    } else if (c->coop) {
        mode_set(io, LEAT_MODE_COOP_TASKRUN, NULL);
    }
    if (c->iopoll) {
        mode_idle(io, LEAT_MODE_IOPOLL, "not known until the first file with direct reads is read");
    }
}

/* 0 or an errno. */
static int make_ring(io_backend *io)
{
    setup_choice c = first_choice(io);
    int cause = 0;
    for (uint32_t tries = 0; tries < SETUP_TRIES_MAX; ++tries) {
        params_fill(io, &c, &io->params);
        cause = -io_uring_queue_init_params(c.entries, &io->ring, &io->params);
        if (cause == 0) {
            io->ring_made = true;
            note_flags(io, &c);
            return 0;
        }
        if (!choose_less(io, &c, cause)) {
            break;
        }
    }
    return cause;
}

/* ---- Opcodes and features ---- */

static const char *opcode_missing(const struct io_uring_probe *probe, int opcode)
{
    return probe == NULL                              ? "this kernel cannot be asked"
           : io_uring_opcode_supported(probe, opcode) ? NULL
                                                      : "not in this kernel";
}

static bool told(io_backend *io, leat_mode mode)
{
    return io->told.modes[mode].granted; /* the I/O thread alone writes it */
}

/* A polled ring takes reads and little else. */
static void probe_opcodes(io_backend *io)
{
    static const struct {
        leat_mode mode;
        int opcode;
    } rows[] = {
        { LEAT_MODE_OPENAT2, IORING_OP_OPENAT2 },
        { LEAT_MODE_CLOSE, IORING_OP_CLOSE },
        { LEAT_MODE_FADVISE, IORING_OP_FADVISE },
    };
    struct io_uring_probe *probe = io_uring_get_probe_ring(&io->ring);
    for (size_t i = 0; i < COUNT_OF(rows); ++i) {
        mode_set(io, rows[i].mode, io->iopoll ? "not through a polled ring" : opcode_missing(probe, rows[i].opcode));
    }
    io_uring_free_probe(probe);
    io->fadvise = told(io, LEAT_MODE_FADVISE);
}

static void probe_features(io_backend *io)
{
    mode_set(io, LEAT_MODE_BATCH, NULL);
    mode_set(io, LEAT_MODE_TIMEOUTS,
             io->params.features & IORING_FEAT_EXT_ARG ? NULL : "not in this kernel (5.11 has it)");
    mode_set(io, LEAT_MODE_MIN_WAIT,
             io->params.features & FEATURE_MIN_WAIT ? NULL : "not in this kernel (6.12 has it)");
    mode_set(io, LEAT_MODE_MULTISHOT_POLL, io->iopoll ? "not through a polled ring" : NULL);
    io->multishot = told(io, LEAT_MODE_MULTISHOT_POLL);
    io->ext_arg = told(io, LEAT_MODE_TIMEOUTS);
    io->min_wait = told(io, LEAT_MODE_MIN_WAIT) && io->ext_arg;
    if (!io->dont_cache_tried) {
        mode_idle(io, LEAT_MODE_DONT_CACHE,
                  io_mode_asked(io->desc, LEAT_MODE_DONT_CACHE) ? "not known until the first file is read"
                                                                : "not asked for");
    }
}

static void limit_workers(io_backend *io)
{
    if (!io_mode_asked(io->desc, LEAT_MODE_WORKER_LIMIT)) {
        mode_set(io, LEAT_MODE_WORKER_LIMIT, NULL);
        return;
    }
    unsigned int workers[2] = { io->desc->worker_count_max, io->desc->worker_count_max };
    int result = io_uring_register_iowq_max_workers(&io->ring, workers);
    mode_set(io, LEAT_MODE_WORKER_LIMIT,
             result == 0         ? NULL
             : result == -EINVAL ? "not in this kernel (5.15 has it)"
                                 : strerror(-result));
}

/* ---- Memory and files ---- */

/* As much of the pool as the limit on locked memory allows, halving; the rest is read into as plain memory. */
static void register_pool(io_backend *io)
{
    io->fixed_size = 0;
    if (!io_mode_asked(io->desc, LEAT_MODE_FIXED_BUFFERS) || io->pool_size == 0) {
        mode_set(io, LEAT_MODE_FIXED_BUFFERS, NULL);
        return;
    }
    int result = -ENOMEM;
    for (uint64_t size = io->pool_size; size >= FIXED_BYTES_MIN && result == -ENOMEM; size /= 2) {
        struct iovec all = { .iov_base = io->pool, .iov_len = size };
        result = io_uring_register_buffers(&io->ring, &all, 1);
        io->fixed_size = result == 0 ? size : 0;
    }
    mode_set(io, LEAT_MODE_FIXED_BUFFERS,
             result == 0         ? NULL
             : result == -ENOMEM ? "not enough locked memory: raise RLIMIT_MEMLOCK"
                                 : strerror(-result));
    if (result == -ENOMEM) {
        log_line(io->log, LEAT_LOG_WARNING, "io_uring: no part of the pool could be registered; raise RLIMIT_MEMLOCK");
    } else if (result == 0 && io->fixed_size < io->pool_size) {
        log_line(io->log, LEAT_LOG_WARNING,
                 "io_uring: only %llu of %llu bytes of the pool could be registered; raise RLIMIT_MEMLOCK",
                 (unsigned long long)io->fixed_size, (unsigned long long)io->pool_size);
    }
}

/* The far end of a pipe goes into the ring's table: it hangs up when the kernel frees the ring, and not before the last
 * read that was in flight. That is how a ring that does not answer any more says that its buffers are free. */
static int make_end(io_backend *io)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    io->end_fd = ends[0];
    return ends[1];
}

/* Two places for each file, buffered and direct; one for each slot, where a read by path keeps its file; the pipe. */
static void register_files(io_backend *io)
{
    uint32_t own = io->file_count_max * 2;
    uint32_t count = own + io->slot_count;
    int end = make_end(io);
    for (uint32_t i = 0; i < count; ++i) {
        const io_file_desc *file = &io->files[u32_min(i, own - 1) / 2].fds;
        io->table[i] = i >= own || file->fd_buffered < 0 ? -1 : i % 2 == 0 ? file->fd_buffered : file->fd_direct;
    }
    int result = -ECANCELED;
    const char *short_of = NULL;
    if (io_mode_asked(io->desc, LEAT_MODE_FIXED_FILES)) {
        io->table[count] = end;
        result = io_uring_register_files(&io->ring, io->table, count + 1);
        if (result == -EMFILE) { /* the table may not be larger than RLIMIT_NOFILE */
            short_of = "RLIMIT_NOFILE is too low for the ring's table";
            io->table[own] = end;
            result = io_uring_register_files(&io->ring, io->table, own + 1);
        }
    }
    io->table_made = io->fixed_files = result == 0;
    mode_set(io, LEAT_MODE_FIXED_FILES,
             result == 0         ? NULL
             : result == -EMFILE ? "RLIMIT_NOFILE is too low for the ring's table"
                                 : strerror(-result));
    const char *direct = !io->fixed_files                                   ? "needs fixed_files"
                         : short_of != NULL                                 ? short_of
                         : io->iopoll                                       ? "not through a polled ring"
                         : !(io->params.features & IORING_FEAT_LINKED_FILE) ? "not in this kernel (5.17 has it)"
                                                                            : NULL;
    mode_set(io, LEAT_MODE_DIRECT_DESCRIPTORS, direct);
    if (result != 0 && end >= 0) {
        result = io_uring_register_files(&io->ring, &end, 1);
    }
    if (end >= 0) {
        close(end); /* the ring's is the only one now */
    }
    if (result != 0 && io->end_fd >= 0) {
        close(io->end_fd);
        io->end_fd = -1;
    }
}

static void decide_links(io_backend *io)
{
    const char *why = !told(io, LEAT_MODE_DIRECT_DESCRIPTORS) ? "needs direct_descriptors"
                      : !told(io, LEAT_MODE_OPENAT2)          ? "needs openat2"
                      : !told(io, LEAT_MODE_CLOSE)            ? "needs close"
                      : io->params.sq_entries < CHAIN_LENGTH  ? "the submission queue is too short"
                                                              : NULL;
    mode_set(io, LEAT_MODE_LINKS, why);
    io->chains = told(io, LEAT_MODE_LINKS);
}

/* The process's own soft limit, up to what it is allowed. */
static void raise_locked_memory(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_MEMLOCK, &limit);
    }
}

int ring_build(io_backend *io)
{
    for (uint32_t i = 0; i < LEAT_MODE_COUNT; ++i) {
        if (!(i == LEAT_MODE_DONT_CACHE && io->dont_cache_tried) && !(i == LEAT_MODE_IOPOLL && io->iopoll_tried)) {
            mode_idle(io, (leat_mode)i, io_mode_asked(io->desc, (leat_mode)i) ? "not known yet" : "not asked for");
        }
    }
    raise_locked_memory(); /* before the ring as well, whose queues count on some kernels */
    int cause = make_ring(io);
    if (cause != 0) {
        return cause;
    }
    io->enabled = io->poll_armed = false;
    io_uring_ring_dontfork(&io->ring);
    probe_opcodes(io);
    probe_features(io);
    limit_workers(io);
    register_pool(io);
    register_files(io);
    decide_links(io);
    pthread_mutex_lock(&io->lock);
    leat_info *t = &io->told;
    t->backend = LEAT_BACKEND_URING;
    t->uring_features = io->params.features;
    t->uring_setup_flags = io->params.flags & ~IORING_SETUP_R_DISABLED;
    t->uring_entries = io->params.sq_entries;
    t->uring_completion_entries = io->params.cq_entries;
    t->fixed_bytes = io->fixed_size;
    snprintf(t->backend_text, sizeof(t->backend_text), "io_uring");
    pthread_mutex_unlock(&io->lock);
    return 0;
}

void ring_end(io_backend *io)
{
    if (io->ring_made) {
        if (!ring_is_ours(io)) {
            io->ring.ring_fd = -1;
        } else if (io->fixed_size > 0 && !io->dead) {
            /* Exit gives locked memory back too late for the next ring. Of a dead ring nothing is asked: there
             * Linux 6.1 waits for reads whose completions only an io_uring_enter would bring, without end. */
            io_uring_unregister_buffers(&io->ring);
        }
        io_uring_queue_exit(&io->ring); /* the kernel unregisters the rest */
        io->ring_made = false;
    }
}

void ring_drop(io_backend *io)
{
    ring_end(io);
    if (io->end_fd >= 0) {
        close(io->end_fd);
        io->end_fd = -1;
    }
}

#endif
