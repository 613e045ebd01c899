/* limits.c - what the machine can do: the device by a raw io_uring loop (and by fio, where that is installed), LZ4 and
 * XXH3 from memory, memcpy.
 *
 * The raw loop has what is best for it: one registered region on huge pages, O_DIRECT, large reads in random order, no
 * decode, and the best of several depths. */
#include "bench.h"

#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <lz4.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RAW_READ_BYTES (512u << 10)
#define RAW_DEPTH_MAX 32u
static const uint32_t raw_depths[] = { 2, 4, 8, 16, RAW_DEPTH_MAX };
#define DECODE_BYTES_MAX (192u << 20)
#define DECODE_RAW_MIN (512u << 20) /* small packs are decoded again and again, until it is so much */

#define MEMCPY_BYTES (64u << 20)
#define MEMCPY_ROUNDS 8u

/* Bytes per second of one pass over the pack's data in random order; 0 if io_uring or O_DIRECT cannot be had. */
static double raw_pass(const bench_pack *pack, uint32_t depth, double seconds)
{
    int fd = open(pack->path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    region buffers = { 0 };
    struct io_uring ring;
    double rate = 0;
    bool ring_made = false;
    uint64_t count = pack->header.index_offset / RAW_READ_BYTES;
    if (fd < 0 || count == 0 || !region_create((uint64_t)RAW_DEPTH_MAX * RAW_READ_BYTES, true, &buffers)) {
        goto done;
    }
    ring_made = io_uring_queue_init(64, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN) == 0 ||
                io_uring_queue_init(64, &ring, 0) == 0;
    if (!ring_made) {
        goto done;
    }
    io_uring_register_buffers(&ring, &(struct iovec){ buffers.memory, buffers.size }, 1);
    io_uring_register_files(&ring, &fd, 1);
    uint64_t random = bench_now_ns(), bytes = 0, in_flight = 0;
    uint64_t begin_ns = bench_now_ns(), end_ns = begin_ns + (uint64_t)(seconds * 1e9);
    uint32_t slots[RAW_DEPTH_MAX], slot_count = depth;
    for (uint32_t i = 0; i < depth; ++i) {
        slots[i] = i;
    }
    do {
        while (slot_count > 0) {
            uint32_t slot = slots[--slot_count];
            struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
            io_uring_prep_read_fixed(sqe, 0, (uint8_t *)buffers.memory + (size_t)slot * RAW_READ_BYTES, RAW_READ_BYTES,
                                     (bench_random(&random) % count) * RAW_READ_BYTES, 0);
            sqe->flags |= IOSQE_FIXED_FILE;
            sqe->user_data = slot;
            ++in_flight;
        }
        io_uring_submit_and_wait(&ring, 1);
        struct io_uring_cqe *cqe;
        while (io_uring_peek_cqe(&ring, &cqe) == 0) {
            bytes += cqe->res > 0 ? (uint64_t)cqe->res : 0;
            slots[slot_count++] = (uint32_t)cqe->user_data;
            io_uring_cqe_seen(&ring, cqe);
            --in_flight;
        }
    } while (bench_now_ns() < end_ns);
    rate = (double)bytes * 1e9 / (double)(bench_now_ns() - begin_ns);
    while (in_flight > 0) {
        struct io_uring_cqe *cqe;
        io_uring_wait_cqe(&ring, &cqe);
        io_uring_cqe_seen(&ring, cqe);
        --in_flight;
    }
done:
    if (ring_made) {
        io_uring_queue_exit(&ring);
    }
    if (fd >= 0) {
        close(fd);
    }
    region_destroy(&buffers);
    return rate;
}

typedef struct decode_job {
    const bench_pack *pack;
    const uint8_t *packed; /* chunks [0, count) one behind the other */
    uint32_t count;
    uint32_t count_all; /* a multiple of it: the chunks over and over */
    _Atomic uint32_t *next;
    uint64_t raw_bytes;
    bool lz4_only;
} decode_job;

static void *decode_main(void *argument)
{
    decode_job *job = argument;
    uint8_t *raw = aligned_alloc(4096, LEAT_PACK_CHUNK_RAW_MAX);
    const leat_pack_chunk_record *chunks = job->pack->index.chunks;
    uint64_t base = chunks[0].file_offset;
    for (uint32_t at; (at = (*job->next)++) < job->count_all;) {
        uint32_t i = at % job->count;
        const uint8_t *packed = job->packed + (chunks[i].file_offset - base);
        if (job->lz4_only && chunks[i].codec == LEAT_PACK_CODEC_STORED) {
            memcpy(raw, packed, chunks[i].raw_size);
        } else if (job->lz4_only) {
            LZ4_decompress_safe((const char *)packed, (char *)raw, (int)chunks[i].packed_size, (int)chunks[i].raw_size);
        } else if (pack_chunk_decode(&chunks[i], packed, raw) != LEAT_OK) {
            abort();
        }
        job->raw_bytes += chunks[i].raw_size;
    }
    free(raw);
    return NULL;
}

/* Raw bytes per second on `threads` cores; *cpu_s_per_byte: CPU seconds a raw byte. */
static double decode_pass(const bench_pack *pack, const uint8_t *packed, uint32_t count, uint32_t threads,
                          bool lz4_only, double *cpu_s_per_byte)
{
    pthread_t handles[64];
    decode_job jobs[64];
    _Atomic uint32_t next = 0;
    uint64_t raw = 0;
    for (uint32_t i = 0; i < count; ++i) {
        raw += pack->index.chunks[i].raw_size;
    }
    uint32_t rounds = 1 + (uint32_t)(DECODE_RAW_MIN / (raw + 1));
    uint64_t begin_ns = bench_now_ns(), begin_cpu_ns = bench_cpu_ns(), bytes = 0;
    for (uint32_t i = 0; i < threads; ++i) {
        jobs[i] = (decode_job){ .pack = pack,
                                .packed = packed,
                                .count = count,
                                .count_all = count * rounds,
                                .next = &next,
                                .lz4_only = lz4_only };
        pthread_create(&handles[i], NULL, decode_main, &jobs[i]);
    }
    for (uint32_t i = 0; i < threads; ++i) {
        pthread_join(handles[i], NULL);
        bytes += jobs[i].raw_bytes;
    }
    *cpu_s_per_byte = (double)(bench_cpu_ns() - begin_cpu_ns) / 1e9 / (double)bytes;
    return (double)bytes * 1e9 / (double)(bench_now_ns() - begin_ns);
}

bool limits_measure(bench *b, limits *l)
{
    bench_pack pack;
    *l = (limits){ 0 };
    if (!bench_pack_open(b->pack_path, &pack)) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(raw_depths); ++i) {
        bench_cold(pack.path);
        double rate = raw_pass(&pack, raw_depths[i], b->quick ? 0.1 : 0.6);
        l->device_packed_per_s = rate > l->device_packed_per_s ? rate : l->device_packed_per_s;
    }
    const leat_pack_chunk_record *chunks = pack.index.chunks;
    uint32_t count = 0;
    uint64_t raw = 0, packed_size = 0, all_packed = 0;
    for (uint32_t i = 0; i < pack.index.chunk_count; ++i) {
        if (chunks[i].file_offset + chunks[i].packed_size - chunks[0].file_offset <= DECODE_BYTES_MAX) {
            count = i + 1;
            packed_size = chunks[i].file_offset + chunks[i].packed_size - chunks[0].file_offset;
        }
        raw += chunks[i].raw_size;
        all_packed += chunks[i].packed_size;
    }
    l->ratio = (double)raw / (double)all_packed;
    region buffers = { 0 };
    bool ok = count > 0 && region_create(align_up(packed_size, HUGE_PAGE_SIZE), true, &buffers) &&
              pread(pack.fd, buffers.memory, packed_size, (off_t)chunks[0].file_offset) == (ssize_t)packed_size;
    if (ok) {
        uint32_t cores = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
        double ignored;
        decode_pass(&pack, buffers.memory, count, 1, false, &ignored); /* warm up */
        l->decode_raw_per_s_one = decode_pass(&pack, buffers.memory, count, 1, false, &ignored);
        l->decode_raw_per_s = decode_pass(&pack, buffers.memory, count, u32_min(cores, 64), false, &ignored);
        decode_pass(&pack, buffers.memory, count, 1, true, &l->lz4_cpu_s_per_raw_byte);
    }
    region_destroy(&buffers);
    bench_pack_close(&pack);
    return ok;
}

/* On huge pages, as Leat's own memory is. */
static double memcpy_rate(void)
{
    region from = { 0 }, to = { 0 };
    double rate = 0;
    if (region_create(MEMCPY_BYTES, true, &from) && region_create(MEMCPY_BYTES, true, &to)) {
        memcpy(to.memory, from.memory, MEMCPY_BYTES);
        uint64_t begin_ns = bench_now_ns();
        for (uint32_t i = 0; i < MEMCPY_ROUNDS; ++i) {
            ((uint8_t *)from.memory)[i] = (uint8_t)i;
            memcpy(to.memory, from.memory, MEMCPY_BYTES);
            __asm__ volatile("" ::"r"(to.memory) : "memory"); /* somebody may look at it */
        }
        rate = MEMCPY_ROUNDS * (double)MEMCPY_BYTES * 1e9 / (double)(bench_now_ns() - begin_ns);
    }
    region_destroy(&from);
    region_destroy(&to);
    return rate;
}

/* The best of the depths that the raw loop was given as well. */
static double fio_best(const bench *b)
{
    double best = 0;
    for (size_t i = 0; i < COUNT_OF(raw_depths); ++i) {
        bench_cold(b->pack_path);
        double rate = fio_rate(b->pack_path, RAW_READ_BYTES, raw_depths[i], b->quick ? 0.1 : 0.6);
        if (rate == 0) {
            break; /* not here */
        }
        best = rate > best ? rate : best;
    }
    return best;
}

bool suite_limits(bench *b)
{
    limits l;
    if (!limits_measure(b, &l)) {
        return false;
    }
    bench_figure(b, "device", l.device_packed_per_s / 1e6, "MB/s", GOAL_NONE, 0);
    double fio = fio_best(b);
    if (fio > 0) {
        bench_figure(b, "device_by_fio", fio / 1e6, "MB/s", GOAL_NONE, 0);
    } else {
        printf("  device_by_fio: fio is not here, or may not use io_uring\n");
    }
    bench_figure(b, "pack_ratio", l.ratio, "", GOAL_NONE, 0);
    bench_figure(b, "device_decoded", l.device_packed_per_s * l.ratio / 1e6, "MB/s", GOAL_NONE, 0);
    bench_figure(b, "decode_one_core", l.decode_raw_per_s_one / 1e6, "MB/s", GOAL_NONE, 0);
    bench_figure(b, "decode_all_cores", l.decode_raw_per_s / 1e6, "MB/s", GOAL_NONE, 0);
    bench_figure(b, "memcpy", memcpy_rate() / 1e6, "MB/s", GOAL_NONE, 0);
    return true;
}
