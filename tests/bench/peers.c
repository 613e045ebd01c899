/* peers.c - the same work, all assets of a pack decoded into memory that is reused, as it is done without Leat.
 *
 * Each peer is written as its best user would write it: large reads, buffers that are touched beforehand (on huge pages
 * where reads go past the page cache), LZ4 on the thread that has read, the hash checked as Leat checks it, into a
 * destination as large as the memory that Leat lends. Leat runs with its defaults, cold and warm alike. Peers that are
 * libraries are in peers_libraries.c. */
#include "peers.h"

#include "region.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define UNIT_BYTES (256u << 10) /* of packed neighbours, for those that do not read whole assets */
#define SCRATCH_BYTES (4u << 20)
#define AHEAD 8u /* units of 2 MiB that are announced to the kernel before they are touched */
#define THREADS_MAX 16u

typedef enum peer_kind {
    PEER_FREAD,
    PEER_POOL_BUFFERED,
    PEER_POOL_DIRECT,
    PEER_MMAP,
    PEER_MMAP_WILLNEED,
    PEER_LEAT
} peer_kind;

typedef struct peer {
    const char *name;
    peer_kind kind;
    uint32_t threads;
} peer;

static const peer peers[] = {
    { "fread + LZ4, one thread", PEER_FREAD, 1 },
    { "pread pool, buffered, 2 threads", PEER_POOL_BUFFERED, 2 },
    { "pread pool, buffered, 4 threads", PEER_POOL_BUFFERED, 4 },
    { "pread pool, buffered, 8 threads", PEER_POOL_BUFFERED, 8 },
    { "pread pool, buffered, 16 threads", PEER_POOL_BUFFERED, 16 },
    { "pread pool, O_DIRECT, 2 threads", PEER_POOL_DIRECT, 2 },
    { "pread pool, O_DIRECT, 4 threads", PEER_POOL_DIRECT, 4 },
    { "pread pool, O_DIRECT, 8 threads", PEER_POOL_DIRECT, 8 },
    { "pread pool, O_DIRECT, 16 threads", PEER_POOL_DIRECT, 16 },
    { "mmap", PEER_MMAP, 2 },
    { "mmap + WILLNEED", PEER_MMAP_WILLNEED, 2 },
    { "leat", PEER_LEAT, 0 },
};

typedef struct work {
    const bench_pack *pack;
    const unit *units;
    uint32_t unit_count;
    _Atomic uint32_t *next;
    peer_kind kind;
    int fd;
    const uint8_t *mapped;
    uint8_t *scratch; /* of this thread, as is the sink */
    sink sink;
    uint64_t bytes;
    bool failed;
} work;

unit *make_units(const pack_index *index, uint64_t bytes_max, uint32_t *count)
{
    unit *units = malloc(((size_t)index->chunk_count + 1) * sizeof(*units));
    *count = 0;
    for (uint32_t i = 0; units != NULL && i < index->chunk_count;) {
        unit u = { i, i + 1 };
        while (u.end < index->chunk_count &&
               index->chunks[u.end].file_offset + index->chunks[u.end].packed_size - unit_begin(index, u) <=
                   bytes_max) {
            ++u.end;
        }
        units[(*count)++] = u;
        i = u.end;
    }
    return units;
}

/* Says that a unit will be needed. Just before it is touched would be too late: nothing would be read beside it. */
static void announce(const work *w, uint32_t number)
{
    if (w->kind == PEER_MMAP_WILLNEED && number < w->unit_count) {
        uint64_t page = align_down(unit_begin(&w->pack->index, w->units[number]), 4096);
        uint64_t end = unit_end(&w->pack->index, w->units[number]);
        madvise((void *)(uintptr_t)(w->mapped + page), end - page, MADV_WILLNEED);
    }
}

static const uint8_t *fetch(work *w, uint64_t begin, uint64_t end)
{
    if (w->mapped != NULL) {
        return w->mapped + begin;
    }
    uint64_t from = w->kind == PEER_POOL_DIRECT ? align_down(begin, 4096) : begin;
    uint64_t to = w->kind == PEER_POOL_DIRECT ? align_up(end, 4096) : end;
    for (uint64_t at = from; at < end;) {
        ssize_t got = pread(w->fd, w->scratch + (at - from), to - at, (off_t)at);
        if (got <= 0) {
            return NULL;
        }
        at += (uint64_t)got;
    }
    return w->scratch + (begin - from);
}

static void *work_main(void *argument)
{
    work *w = argument;
    const pack_index *index = &w->pack->index;
    for (uint32_t i; (i = (*w->next)++) < w->unit_count && !w->failed;) {
        announce(w, i + AHEAD);
        uint64_t begin = unit_begin(index, w->units[i]);
        const uint8_t *packed = fetch(w, begin, unit_end(index, w->units[i]));
        for (uint32_t c = w->units[i].first; c < w->units[i].end && !w->failed; ++c) {
            const leat_pack_chunk_record *k = &index->chunks[c];
            w->failed = packed == NULL || pack_chunk_decode(k, packed + (k->file_offset - begin),
                                                            sink_take(&w->sink, k->raw_size)) != LEAT_OK;
            w->bytes += k->raw_size;
        }
    }
    return NULL;
}

/* stdio as it is mostly used: a seek and a read per asset's chunk run, with a large buffer. */
static bool run_fread(const bench_pack *pack, const unit *units, uint32_t count, work *w)
{
    FILE *file = fopen(pack->path, "rbe");
    bool ok = file != NULL && setvbuf(file, NULL, _IOFBF, 1 << 20) == 0;
    for (uint32_t i = 0; i < count && ok; ++i) {
        uint64_t begin = unit_begin(&pack->index, units[i]), size = unit_end(&pack->index, units[i]) - begin;
        ok = fseeko(file, (off_t)begin, SEEK_SET) == 0 && fread(w->scratch, 1, size, file) == size;
        for (uint32_t c = units[i].first; c < units[i].end && ok; ++c) {
            const leat_pack_chunk_record *k = &pack->index.chunks[c];
            ok = pack_chunk_decode(k, w->scratch + (k->file_offset - begin), sink_take(&w->sink, k->raw_size)) ==
                 LEAT_OK;
            w->bytes += k->raw_size;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return ok;
}

static bool run_plain(const peer *p, const bench_pack *pack, uint64_t *bytes, stopwatch *watch)
{
    work works[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    _Atomic uint32_t next = 0;
    uint32_t unit_count;
    uint64_t unit_max = p->kind == PEER_POOL_DIRECT ? UNIT_BYTES : 2u << 20;
    unit *units = make_units(&pack->index, unit_max, &unit_count);
    region scratch = { 0 }, sinks = { 0 };
    int fd = open(pack->path, O_RDONLY | O_CLOEXEC | (p->kind == PEER_POOL_DIRECT ? O_DIRECT : 0));
    bool mapped_kind = p->kind == PEER_MMAP || p->kind == PEER_MMAP_WILLNEED;
    void *mapped = mapped_kind ? mmap(NULL, pack->file_size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    bool ok = units != NULL && fd >= 0 && (!mapped_kind || mapped != MAP_FAILED) &&
              region_create((uint64_t)p->threads * SCRATCH_BYTES, true, &scratch) &&
              region_create(SINK_BYTES, true, &sinks);
    for (uint32_t i = 0; i < p->threads && ok; ++i) {
        uint8_t *mine = (uint8_t *)scratch.memory + (size_t)i * SCRATCH_BYTES;
        works[i] = (work){ .pack = pack,
                           .units = units,
                           .unit_count = unit_count,
                           .next = &next,
                           .kind = p->kind,
                           .fd = fd,
                           .mapped = mapped_kind ? mapped : NULL,
                           .scratch = mine,
                           .sink = { (uint8_t *)sinks.memory + (size_t)i * (SINK_BYTES / p->threads),
                                     SINK_BYTES / p->threads, 0 } };
    }
    watch_start(watch);
    if (ok && p->kind == PEER_FREAD) {
        ok = run_fread(pack, units, unit_count, &works[0]);
    } else if (ok) {
        for (uint32_t i = 0; i < AHEAD; ++i) {
            announce(&works[0], i);
        }
        for (uint32_t i = 0; i < p->threads; ++i) {
            pthread_create(&threads[i], NULL, work_main, &works[i]);
        }
        for (uint32_t i = 0; i < p->threads; ++i) {
            pthread_join(threads[i], NULL);
            ok &= !works[i].failed;
        }
    }
    watch_stop(watch);
    *bytes = 0;
    for (uint32_t i = 0; i < p->threads && ok; ++i) {
        *bytes += works[i].bytes;
    }
    if (mapped_kind && mapped != MAP_FAILED) {
        munmap(mapped, pack->file_size);
    }
    if (fd >= 0) {
        close(fd);
    }
    region_destroy(&sinks);
    region_destroy(&scratch);
    free(units);
    return ok;
}

static bool run_leat(const bench_pack *pack, uint64_t *bytes, stopwatch *watch)
{
    leat_streamer *s;
    leat_pack handle;
    if (leat_create(NULL, &s) != LEAT_OK || leat_pack_open(s, pack->path, NULL, &handle) != LEAT_OK) {
        leat_destroy(s);
        return false;
    }
    uint32_t count, *assets = bench_distinct(&pack->index, &count);
    *bytes = 0;
    watch_start(watch);
    bool ok = bench_load(s, handle, assets, count, bytes);
    watch_stop(watch);
    free(assets);
    leat_destroy(s);
    return ok;
}

typedef struct outcome {
    const char *name;
    bool leat;
    const peer *plain; /* or */
    const library_peer *library;
    samples rate[2], cpu[2]; /* cold, warm */
} outcome;

static bool run_turn(bench *b, const bench_pack *pack, bool warm, outcome *o)
{
    (warm ? bench_warm : bench_cold)(pack->path);
    if (o->library != NULL && o->library->cold != NULL) {
        o->library->cold(b, warm);
    }
    uint64_t bytes = 0;
    stopwatch watch = { 1, 1 };
    bool ok = o->library != NULL ? o->library->run(b, pack, &bytes, &watch)
              : o->leat          ? run_leat(pack, &bytes, &watch)
                                 : run_plain(o->plain, pack, &bytes, &watch);
    if (!ok) {
        fprintf(stderr, "leat-bench: peers: %s failed\n", o->name);
        return false;
    }
    samples_add(&o->rate[warm], (double)bytes * 1e9 / (double)watch.ns);
    samples_add(&o->cpu[warm], (double)watch.cpu_ns / (double)bytes);
    return true;
}

/* Who takes part: the plain ones, and the libraries that are in this build and have what they read. Leat is the last.
 */
#define CONTESTANTS_MAX 32u
#define TURN_STRIDE 5u /* of the rotation, from round to round: nobody has always the same one before it */
static uint32_t contestants(bench *b, const bench_pack *pack, outcome *o)
{
    uint32_t count = 0;
    for (size_t i = 0; i + 1 < COUNT_OF(peers); ++i) {
        o[count++] = (outcome){ .name = peers[i].name, .plain = &peers[i] };
    }
    for (uint32_t i = 0; i < library_peer_count && count + 1 < CONTESTANTS_MAX; ++i) {
        if (library_peers[i].prepare == NULL || library_peers[i].prepare(b, pack)) {
            o[count++] = (outcome){ .name = library_peers[i].name, .library = &library_peers[i] };
        } else {
            printf("  %s: not here (PNGs: --sources DIR)\n", library_peers[i].name);
        }
    }
    const peer *leat = &peers[COUNT_OF(peers) - 1];
    o[count++] = (outcome){ .name = leat->name, .plain = leat, .leat = true };
    return count;
}

/* "peers/NAME/cold" and so on, as charts read them. */
static void raw_row(bench *b, const outcome *o)
{
    static const char *const caches[] = { "cold", "warm" };
    for (uint32_t w = 0; w < 2; ++w) {
        char name[96];
        snprintf(name, sizeof(name), "peers/%s/%s", o->name, caches[w]);
        bench_raw(b, name, &o->rate[w]);
        snprintf(name, sizeof(name), "peers/%s/%s/cpu", o->name, caches[w]);
        bench_raw(b, name, &o->cpu[w]);
    }
}

bool suite_peers(bench *b)
{
    bench_pack pack;
    if (!bench_pack_open(b->pack_path, &pack)) {
        return false;
    }
    outcome outcomes[CONTESTANTS_MAX] = { 0 };
    uint32_t count = contestants(b, &pack, outcomes);
    bool ok = true;
    for (uint32_t round = 0; round < b->rounds && ok; ++round) {
        for (uint32_t i = 0; i < count && ok; ++i) {
            outcome *o = &outcomes[(i + round * TURN_STRIDE) % count];
            ok = run_turn(b, &pack, false, o) && run_turn(b, &pack, true, o);
        }
    }
    bench_pack_close(&pack);
    library_peers_end();
    if (!ok) {
        return false;
    }
    double best[2] = { 0 }, best_cpu[2] = { 1e9, 1e9 }, mine[2] = { 0 }, mine_cpu[2] = { 0 };
    const outcome *leat = &outcomes[count - 1], *first[2] = { leat, leat }; /* the fastest of the others */
    printf("  %-36s %14s %10s %14s %10s\n", "", "cold MB/s", "CPU s/GB", "warm MB/s", "CPU s/GB");
    for (uint32_t i = 0; i < count; ++i) {
        double rate[2], cpu[2];
        for (uint32_t w = 0; w < 2; ++w) {
            rate[w] = samples_median(&outcomes[i].rate[w]);
            cpu[w] = samples_median(&outcomes[i].cpu[w]);
            if (outcomes[i].leat) {
                mine[w] = rate[w];
                mine_cpu[w] = cpu[w];
            } else {
                best_cpu[w] = rate[w] > best[w] ? cpu[w] : best_cpu[w];
                first[w] = rate[w] > best[w] ? &outcomes[i] : first[w];
                best[w] = rate[w] > best[w] ? rate[w] : best[w];
            }
        }
        printf("  %-36s %14.0f %10.3f %14.0f %10.3f\n", outcomes[i].name, rate[0] / 1e6, cpu[0], rate[1] / 1e6, cpu[1]);
        raw_row(b, &outcomes[i]);
    }
    bench_figure(b, "cold_ratio_to_best_peer", mine[0] / best[0], "", GOAL_AT_LEAST, 1.05);
    bench_figure(b, "warm_ratio_to_best_peer", mine[1] / best[1], "", GOAL_AT_LEAST, 1.05);
    bench_figure(b, "cold_cpu_ratio_to_best_peer", mine_cpu[0] / best_cpu[0], "", GOAL_AT_MOST, 1);
    bench_figure(b, "warm_cpu_ratio_to_best_peer", mine_cpu[1] / best_cpu[1], "", GOAL_AT_MOST, 1);
    for (uint32_t w = 0; w < 2; ++w) {
        char name[96];
        snprintf(name, sizeof(name), "%s to %s", w ? "warm" : "cold", first[w]->name);
        bench_round_by_round(name, &leat->rate[w], &first[w]->rate[w]);
    }
    return true;
}
