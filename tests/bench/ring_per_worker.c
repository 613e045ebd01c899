/* ring_per_worker.c - the other way to build a streamer: each worker has a ring of its own, and decodes what it has
 * read.
 *
 * A whole pack, in the order of the file: no requests, no priorities, no events, no cancelling; what is left when all
 * of that is taken away. It is what Leat's one I/O thread in front of its workers is measured against in `throughput`.
 * Registered buffers on huge pages, O_DIRECT, a registered file; a read goes out again before what came is decoded. */
#include "peers.h"

#include "region.h"

#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define UNIT_BYTES (512u << 10) /* of packed neighbours; a single chunk may be larger */
#define SLOT_BYTES (LEAT_PACK_CHUNK_RAW_MAX + (64u << 10)) /* a unit, and what alignment adds */
#define DEPTH 16u /* reads in flight, each worker; 8 of 256 KiB, or fewer, are much slower on a virtual disk */
#define SLOT_COUNT (DEPTH + 1u) /* and the one that is decoded */
#define WORKERS_MAX 64u

typedef struct worker {
    const bench_pack *pack;
    const unit *units;
    uint32_t unit_count;
    _Atomic uint32_t *next;
    pthread_barrier_t *ready; /* all are set up: the clock starts */
    int fd;
    struct io_uring ring;
    uint8_t *slots;
    uint32_t slot_unit[SLOT_COUNT];
    sink sink;
    uint64_t bytes;
    bool failed;
} worker;

static uint64_t read_begin(const worker *w, uint32_t unit_number)
{
    return align_down(unit_begin(&w->pack->index, w->units[unit_number]), LEAT_PACK_ALIGNMENT);
}

static uint64_t read_size(const worker *w, uint32_t unit_number)
{
    uint64_t end = align_up(unit_end(&w->pack->index, w->units[unit_number]), LEAT_PACK_ALIGNMENT);
    return end - read_begin(w, unit_number);
}

/* Puts the next unit's read into the ring; false: there is none left. */
static bool prepare(worker *w, uint32_t slot)
{
    uint32_t number = (*w->next)++;
    if (number >= w->unit_count) {
        return false;
    }
    struct io_uring_sqe *sqe = io_uring_get_sqe(&w->ring);
    w->slot_unit[slot] = number;
    io_uring_prep_read_fixed(sqe, 0, w->slots + (size_t)slot * SLOT_BYTES, (unsigned)read_size(w, number),
                             read_begin(w, number), 0);
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = slot;
    return true;
}

static bool decode_unit(worker *w, uint32_t slot)
{
    const unit *u = &w->units[w->slot_unit[slot]];
    const uint8_t *packed = w->slots + (size_t)slot * SLOT_BYTES;
    uint64_t begin = read_begin(w, w->slot_unit[slot]);
    for (uint32_t c = u->first; c < u->end; ++c) {
        const leat_pack_chunk_record *k = &w->pack->index.chunks[c];
        if (pack_chunk_decode(k, packed + (k->file_offset - begin), sink_take(&w->sink, k->raw_size)) != LEAT_OK) {
            return false;
        }
        w->bytes += k->raw_size;
    }
    return true;
}

static bool set_up(worker *w)
{
    /* DEFER_TASKRUN: a ring belongs to the thread that made it. */
    if (io_uring_queue_init(DEPTH, &w->ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN) != 0 &&
        io_uring_queue_init(DEPTH, &w->ring, 0) != 0) {
        return false;
    }
    struct iovec all = { w->slots, (size_t)SLOT_COUNT * SLOT_BYTES };
    bool ok = io_uring_register_buffers(&w->ring, &all, 1) == 0 && io_uring_register_files(&w->ring, &w->fd, 1) == 0;
    if (!ok) {
        io_uring_queue_exit(&w->ring);
    }
    return ok;
}

static void read_and_decode(worker *w)
{
    uint32_t in_flight = 0, spare = DEPTH; /* the slot that nothing is read into */
    while (in_flight < DEPTH && prepare(w, in_flight)) {
        ++in_flight;
    }
    while (in_flight > 0) {
        struct io_uring_cqe *cqe;
        if (io_uring_peek_cqe(&w->ring, &cqe) != 0 &&
            (io_uring_submit_and_wait(&w->ring, 1) < 0 || io_uring_peek_cqe(&w->ring, &cqe) != 0)) {
            continue; /* a signal */
        }
        uint32_t slot = (uint32_t)cqe->user_data;
        const unit *u = &w->units[w->slot_unit[slot]];
        uint64_t wanted = unit_end(&w->pack->index, *u) - read_begin(w, w->slot_unit[slot]);
        w->failed |= cqe->res < 0 || (uint64_t)cqe->res < wanted;
        io_uring_cqe_seen(&w->ring, cqe);
        --in_flight;
        if (!w->failed && prepare(w, spare)) {
            ++in_flight;
            io_uring_submit(&w->ring);
        }
        w->failed = w->failed || !decode_unit(w, slot);
        spare = slot;
    }
}

static void *worker_main(void *argument)
{
    worker *w = argument;
    bool made = set_up(w);
    pthread_barrier_wait(w->ready);
    if (made) {
        read_and_decode(w);
        io_uring_queue_exit(&w->ring);
    }
    w->failed |= !made;
    return NULL;
}

bool ring_per_worker_run(const bench_pack *pack, uint32_t threads, uint64_t *bytes, stopwatch *watch)
{
    worker workers[WORKERS_MAX] = { 0 };
    pthread_t handles[WORKERS_MAX];
    pthread_barrier_t ready;
    _Atomic uint32_t next = 0;
    uint32_t unit_count;
    unit *units = make_units(&pack->index, UNIT_BYTES, &unit_count);
    region slots = { 0 }, sinks = { 0 };
    int fd = open(pack->path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    threads = u32_min(threads, WORKERS_MAX);
    bool ok = units != NULL && fd >= 0 &&
              region_create(align_up((uint64_t)threads * SLOT_COUNT * SLOT_BYTES, HUGE_PAGE_SIZE), true, &slots) &&
              region_create(SINK_BYTES, true, &sinks) && pthread_barrier_init(&ready, NULL, threads + 1) == 0;
    *bytes = 0;
    if (!ok) {
        goto done;
    }
    for (uint32_t i = 0; i < threads; ++i) {
        uint64_t part = align_down(SINK_BYTES / threads, 64);
        workers[i] = (worker){ .pack = pack,
                               .units = units,
                               .unit_count = unit_count,
                               .next = &next,
                               .ready = &ready,
                               .fd = fd,
                               .slots = (uint8_t *)slots.memory + (size_t)i * SLOT_COUNT * SLOT_BYTES,
                               .sink = { (uint8_t *)sinks.memory + i * part, part, 0 } };
        if (pthread_create(&handles[i], NULL, worker_main, &workers[i]) != 0) {
            abort(); /* the others wait for it */
        }
    }
    pthread_barrier_wait(&ready);
    watch_start(watch);
    for (uint32_t i = 0; i < threads; ++i) {
        pthread_join(handles[i], NULL);
        ok &= !workers[i].failed;
        *bytes += workers[i].bytes;
    }
    watch_stop(watch);
    pthread_barrier_destroy(&ready);
done:
    if (fd >= 0) {
        close(fd);
    }
    region_destroy(&sinks);
    region_destroy(&slots);
    free(units);
    return ok;
}
