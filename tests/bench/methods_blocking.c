/* methods_blocking.c - reads that block: pread, on one thread and on many, buffered and direct; and mmap.
 *
 * Each as one would write it who knows the method: random access is announced, buffers are aligned, touched and each
 * thread's own, threads run before the clock does. mmap copies what it reads, as all the others do, and asks for
 * what is larger than a page beforehand. */
#include "methods.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES 4096u

typedef struct reader {
    turn *t;
    pthread_barrier_t *start; /* NULL: one thread, no barrier */
    int fd;
    const uint8_t *mapped; /* NULL: pread */
    uint8_t *buffer;
    tally y;
    pthread_t thread;
} reader;

static void *reader_main(void *argument)
{
    reader *r = argument;
    turn *t = r->t;
    uint64_t offset;
    if (r->start != NULL) {
        pthread_barrier_wait(r->start);
    }
    uint64_t now_ns = bench_now_ns();
    while (turn_next(t, now_ns, &offset)) {
        uint64_t begin_ns = now_ns;
        int64_t result = t->read_size;
        if (r->mapped != NULL) {
            if (t->read_size > PAGE_BYTES) { /* else each page is a fault and a read of its own */
                madvise((void *)(uintptr_t)(r->mapped + offset), t->read_size, MADV_WILLNEED);
                ++r->y.calls;
            }
            memcpy(r->buffer, r->mapped + offset, t->read_size);
        } else {
            ssize_t got = pread(r->fd, r->buffer, t->read_size, (off_t)offset);
            ++r->y.calls;
            result = got < 0 ? -errno : got;
        }
        now_ns = bench_now_ns();
        turn_note(t, &r->y, offset, r->buffer, result, now_ns - begin_ns);
    }
    return NULL;
}

/* One reader on this thread, or many on their own; the clock runs from when all are ready. */
static void readers_run(turn *t, uint32_t count, int fd, const uint8_t *mapped)
{
    reader *readers = calloc(count, sizeof(*readers));
    uint8_t *buffers = aligned_alloc(4096, (size_t)count * t->read_size);
    pthread_barrier_t start;
    uint32_t started = 0;
    if (readers == NULL || buffers == NULL) {
        turn_refuse(t, "buffers", ENOMEM);
        goto done;
    }
    memset(buffers, 0, (size_t)count * t->read_size);
    for (uint32_t i = 0; i < count; ++i) {
        readers[i] = (reader){ .t = t, .fd = fd, .mapped = mapped, .buffer = buffers + (size_t)i * t->read_size };
    }
    if (count == 1) {
        turn_begin(t);
        reader_main(&readers[0]);
        turn_end(t);
        turn_merge(t, &readers[0].y);
        goto done;
    }
    pthread_barrier_init(&start, NULL, count + 1);
    for (; started < count; ++started) {
        readers[started].start = &start;
        if (pthread_create(&readers[started].thread, NULL, reader_main, &readers[started]) != 0) {
            abort(); /* the ones that wait at the barrier could not be told */
        }
    }
    turn_begin(t);
    pthread_barrier_wait(&start);
    for (uint32_t i = 0; i < started; ++i) {
        pthread_join(readers[i].thread, NULL);
    }
    turn_end(t);
    for (uint32_t i = 0; i < started; ++i) {
        turn_merge(t, &readers[i].y);
    }
    pthread_barrier_destroy(&start);
done:
    free(readers);
    free(buffers);
}

static void pread_run(turn *t, uint32_t count, int flags)
{
    int fd = open(t->path, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0) {
        turn_refuse(t, flags != 0 ? "O_DIRECT" : "open", errno);
        return;
    }
    posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    readers_run(t, count, fd, NULL);
    close(fd);
}

void method_pread(turn *t)
{
    pread_run(t, 1, 0);
}

void method_pread_threads(turn *t)
{
    pread_run(t, METHOD_THREADS, 0);
}

void method_pread_direct(turn *t)
{
    pread_run(t, METHOD_THREADS, O_DIRECT);
}

void method_mmap(turn *t)
{
    int fd = open(t->path, O_RDONLY | O_CLOEXEC);
    void *mapped = fd >= 0 ? mmap(NULL, t->file_size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (mapped == MAP_FAILED) {
        turn_refuse(t, "mmap", errno);
    } else {
        madvise(mapped, t->file_size, MADV_RANDOM);
        readers_run(t, METHOD_THREADS, -1, mapped);
        munmap(mapped, t->file_size);
    }
    if (fd >= 0) {
        close(fd);
    }
}
