/* methods_aio.c - the two asynchronous ways that are older than io_uring: POSIX AIO, which is threads of the C library
 * that call pread, and Linux AIO, which is asynchronous with O_DIRECT only.
 *
 * Linux AIO by its system calls, as libaio wraps nothing more; submitted and reaped in batches, as one would write it
 * today. The 2.0 system calls of introductions are one io_submit and one io_getevents for each operation. */
#include "methods.h"

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- POSIX AIO ---- */

typedef struct posix_slot {
    struct aiocb control;
    uint64_t offset, begin_ns;
    bool busy;
} posix_slot;

static bool posix_start(turn *t, posix_slot *s, uint64_t now_ns, tally *y)
{
    if (!turn_next(t, now_ns, &s->offset)) {
        return false;
    }
    s->control.aio_offset = (off_t)s->offset;
    s->begin_ns = now_ns;
    s->busy = aio_read(&s->control) == 0;
    y->error = s->busy || y->error != 0 ? y->error : errno;
    return s->busy;
}

/* Takes what has ended and starts anew in its place. Returns how many are out. */
static uint32_t posix_reap(turn *t, posix_slot *slots, tally *y)
{
    uint32_t out = 0;
    uint64_t now_ns = bench_now_ns();
    for (uint32_t i = 0; i < t->depth; ++i) {
        posix_slot *s = &slots[i];
        if (!s->busy) {
            continue;
        }
        int error = aio_error(&s->control);
        if (error != EINPROGRESS) {
            ssize_t got = aio_return(&s->control);
            ++y->calls; /* the pread of the library's thread; how often its threads sleep and wake, only the kernel
                           knows */
            s->busy = false;
            turn_note(t, y, s->offset, (const void *)s->control.aio_buf, error != 0 ? -error : got,
                      now_ns - s->begin_ns);
            posix_start(t, s, now_ns, y);
        }
        out += s->busy;
    }
    return out;
}

void method_aio_posix(turn *t)
{
    int fd = open(t->path, O_RDONLY | O_CLOEXEC);
    posix_slot *slots = calloc(t->depth, sizeof(*slots));
    const struct aiocb **waited = calloc(t->depth, sizeof(*waited));
    uint8_t *buffers = aligned_alloc(4096, (size_t)t->depth * t->read_size);
    tally *y = calloc(1, sizeof(*y));
    if (fd < 0 || slots == NULL || waited == NULL || buffers == NULL || y == NULL) {
        turn_refuse(t, "open", fd < 0 ? errno : ENOMEM);
        goto done;
    }
    posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    memset(buffers, 0, (size_t)t->depth * t->read_size);
    /* glibc runs the requests of one file one after the other: each slot has a descriptor of its own. */
    for (uint32_t i = 0; i < t->depth; ++i) {
        slots[i].control.aio_fildes = dup(fd);
        slots[i].control.aio_buf = buffers + (size_t)i * t->read_size;
        slots[i].control.aio_nbytes = t->read_size;
        slots[i].control.aio_sigevent.sigev_notify = SIGEV_NONE;
        waited[i] = &slots[i].control;
    }
    aio_init(&(struct aioinit){ .aio_threads = METHOD_THREADS, .aio_num = (int)t->depth, .aio_idle_time = 1 });
    turn_begin(t);
    uint64_t now_ns = bench_now_ns();
    for (uint32_t i = 0; i < t->depth && posix_start(t, &slots[i], now_ns, y); ++i) {
    }
    while (posix_reap(t, slots, y) > 0) {
        for (uint32_t i = 0; i < t->depth; ++i) {
            waited[i] = slots[i].busy ? &slots[i].control : NULL;
        }
        aio_suspend(waited, (int)t->depth, NULL);
    }
    turn_end(t);
    turn_merge(t, y);
    for (uint32_t i = 0; i < t->depth; ++i) {
        close(slots[i].control.aio_fildes);
    }
done:
    if (fd >= 0) {
        close(fd);
    }
    free(slots);
    free(waited);
    free(buffers);
    free(y);
}

/* ---- Linux AIO ---- */

typedef struct linux_state {
    aio_context_t context;
    int fd;
    uint8_t *buffers;
    struct iocb controls[METHOD_DEPTH_MAX];
    uint64_t begin_ns[METHOD_DEPTH_MAX];
    struct iocb *ready[METHOD_DEPTH_MAX]; /* filled, not yet submitted */
    uint32_t ready_count, out;
    tally y;
} linux_state;

static bool linux_fill(turn *t, linux_state *s, uint32_t slot, uint64_t now_ns)
{
    uint64_t offset;
    if (!turn_next(t, now_ns, &offset)) {
        return false;
    }
    s->controls[slot] = (struct iocb){ .aio_lio_opcode = IOCB_CMD_PREAD,
                                       .aio_fildes = (uint32_t)s->fd,
                                       .aio_buf = (uint64_t)(uintptr_t)(s->buffers + (size_t)slot * t->read_size),
                                       .aio_nbytes = t->read_size,
                                       .aio_offset = (int64_t)offset,
                                       .aio_data = slot };
    s->begin_ns[slot] = now_ns;
    s->ready[s->ready_count++] = &s->controls[slot];
    return true;
}

static bool linux_submit(linux_state *s)
{
    for (uint32_t done = 0; done < s->ready_count;) {
        long taken = syscall(SYS_io_submit, s->context, (long)(s->ready_count - done), s->ready + done);
        ++s->y.calls;
        if (taken < 0) {
            s->y.error = errno;
            return false;
        }
        done += (uint32_t)taken;
        s->out += (uint32_t)taken;
    }
    s->ready_count = 0;
    return true;
}

static void linux_loop(turn *t, linux_state *s)
{
    struct io_event events[METHOD_DEPTH_MAX];
    uint64_t now_ns = bench_now_ns();
    for (uint32_t i = 0; i < t->depth && linux_fill(t, s, i, now_ns); ++i) {
    }
    while (s->ready_count + s->out > 0) {
        if (s->ready_count > 0 && !linux_submit(s)) {
            break;
        }
        long got = syscall(SYS_io_getevents, s->context, (long)u32_min(t->batch, s->out), (long)t->depth, events, NULL);
        ++s->y.calls;
        now_ns = bench_now_ns();
        for (long i = 0; i < got; ++i) {
            uint32_t slot = (uint32_t)events[i].data;
            turn_note(t, &s->y, (uint64_t)s->controls[slot].aio_offset, s->buffers + (size_t)slot * t->read_size,
                      events[i].res, now_ns - s->begin_ns[slot]);
            --s->out;
            linux_fill(t, s, slot, now_ns);
        }
    }
}

void method_aio_linux(turn *t)
{
    linux_state *s = calloc(1, sizeof(*s));
    uint8_t *buffers = aligned_alloc(4096, (size_t)t->depth * t->read_size);
    int fd = open(t->path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (s == NULL || buffers == NULL || fd < 0) {
        turn_refuse(t, "O_DIRECT", fd < 0 ? errno : ENOMEM);
        goto done;
    }
    s->fd = fd;
    s->buffers = buffers;
    memset(buffers, 0, (size_t)t->depth * t->read_size);
    if (syscall(SYS_io_setup, t->depth, &s->context) != 0) {
        turn_refuse(t, "io_setup", errno);
        goto done;
    }
    turn_begin(t);
    linux_loop(t, s);
    turn_end(t);
    turn_merge(t, &s->y);
    syscall(SYS_io_destroy, s->context); /* waits for what is out */
done:
    if (fd >= 0) {
        close(fd);
    }
    free(buffers);
    free(s);
}
