/* peers.h - what the contestants of `leat-bench peers` share. */
#ifndef LEAT_BENCH_PEERS_H
#define LEAT_BENCH_PEERS_H

#include "bench.h"

/* Set-up (threads' scratch memory, create, open) is not what is compared: each contestant starts the clock itself. */
typedef struct stopwatch {
    uint64_t ns, cpu_ns;
} stopwatch;

static inline void watch_start(stopwatch *w)
{
    *w = (stopwatch){ bench_now_ns(), bench_cpu_ns() };
}

static inline void watch_stop(stopwatch *w)
{
    *w = (stopwatch){ bench_now_ns() - w->ns, bench_cpu_ns() - w->cpu_ns };
}

/* Where decoded bytes go. What is delivered must be there when it is used: so each contestant decodes into memory as
 * large as what Leat lends by default, round and round, and not into one small block that never leaves the core's
 * cache. */
#define SINK_BYTES (80u << 20)
typedef struct sink {
    uint8_t *memory;
    uint64_t size, at;
} sink;

static inline uint8_t *sink_take(sink *s, uint64_t size)
{
    s->at = s->at + size <= s->size ? s->at : 0;
    uint8_t *place = s->memory + s->at;
    s->at += (size + 63) & ~UINT64_C(63);
    return place;
}

/* A run of chunks that are neighbours on disk. */
typedef struct unit {
    uint32_t first, end;
} unit;

static inline uint64_t unit_begin(const pack_index *index, unit u)
{
    return index->chunks[u.first].file_offset;
}

static inline uint64_t unit_end(const pack_index *index, unit u)
{
    return index->chunks[u.end - 1].file_offset + index->chunks[u.end - 1].packed_size;
}

/* Chunks that are neighbours together, up to bytes_max packed bytes. malloc'ed; NULL without memory. */
unit *make_units(const pack_index *index, uint64_t bytes_max, uint32_t *count);

/* All of a pack by `threads` workers, each with a ring of its own (ring_per_worker.c). False where io_uring or O_DIRECT
 * is refused, or a read failed. */
bool ring_per_worker_run(const bench_pack *pack, uint32_t threads, uint64_t *bytes, stopwatch *watch);

/* How peers that are libraries do it (peers_libraries.c). Each decodes all of the pack, or as much of it as its own
 * format was made from, tells how many bytes came out, and runs the watch around that alone. */
typedef struct library_peer {
    const char *name;
    bool (*run)(bench *b, const bench_pack *pack, uint64_t *bytes, stopwatch *watch);
    /* What it reads beside the pack is made here, once; true if it can take part. NULL: nothing. */
    bool (*prepare)(bench *b, const bench_pack *pack);
    void (*cold)(bench *b, bool warm); /* puts that out of, or into, the page cache; NULL: the pack is all */
} library_peer;

extern const library_peer library_peers[];
extern const uint32_t library_peer_count;
void library_peers_end(void); /* removes what prepare made */

#endif
