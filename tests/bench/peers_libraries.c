/* peers_libraries.c - peers that are libraries from Debian: libuv, SDL2's RWops, PhysFS over a zip, stb_image on PNGs.
 *
 * libuv: whole runs of chunks with uv_fs_read, sixteen on their way, decoded by uv_queue_work on the same thread pool
 * of eight. SDL_RWops: a seek and a read per run on one thread, as games have done it. PhysFS: one file of the zip
 * after the other, deflated at zlib's default level, for as many assets as make ZIP_BYTES_MAX, since making the zip
 * takes longer than the race. stb_image: PNGs as they are, from --sources; what counts is the bytes of the finest mip,
 * the only one that it gives. A library that is not in this build has no row. */
#include "peers.h"

#include "region.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_BYTES_MAX (2u << 20) /* of packed neighbours in one read: whole assets */
#define READ_BYTES                                                                                                     \
    ((uint64_t)HUGE_PAGE_SIZE * 2) /* room for one, or for a single chunk that is larger, on huge pages */
#define ZIP_BYTES_MAX (96u << 20)
#define ZIP_BYTES_MAX_QUICK (4u << 20)
#define PNG_COUNT_MAX 200u
#define PNG_COUNT_MAX_QUICK 4u

static bool decode_run(const bench_pack *pack, unit u, const uint8_t *packed, sink *to, uint64_t *bytes)
{
    const pack_index *index = &pack->index;
    uint64_t begin = unit_begin(index, u);
    for (uint32_t c = u.first; c < u.end; ++c) {
        const leat_pack_chunk_record *k = &index->chunks[c];
        if (pack_chunk_decode(k, packed + (k->file_offset - begin), sink_take(to, k->raw_size)) != LEAT_OK) {
            return false;
        }
        *bytes += k->raw_size;
    }
    return true;
}

/* ---- libuv ---- */

#ifdef BENCH_HAVE_UV
#include <fcntl.h>
#include <uv.h>

#define UV_DEPTH 16u
#define UV_THREADS "8"

typedef struct uv_race {
    const bench_pack *pack;
    const unit *units;
    uint32_t count, next;
    int fd;
    bool failed;
    uint64_t bytes;
} uv_race;

typedef struct uv_lane {
    uv_race *race;
    uv_fs_t read;
    uv_work_t work;
    unit unit;
    uint8_t *packed;
    sink sink;
    uint64_t bytes;
    bool failed;
} uv_lane;

static void lane_next(uv_lane *lane);

static void lane_decode(uv_work_t *work)
{
    uv_lane *lane = work->data;
    lane->failed = !decode_run(lane->race->pack, lane->unit, lane->packed, &lane->sink, &lane->bytes);
}

static void lane_decoded(uv_work_t *work, int status)
{
    uv_lane *lane = work->data;
    lane->race->failed |= status != 0 || lane->failed;
    lane_next(lane);
}

static void lane_read(uv_fs_t *read)
{
    uv_lane *lane = read->data;
    const pack_index *index = &lane->race->pack->index;
    bool whole = read->result == (ssize_t)(unit_end(index, lane->unit) - unit_begin(index, lane->unit));
    uv_fs_req_cleanup(read);
    lane->race->failed |= !whole;
    if (whole) {
        uv_queue_work(uv_default_loop(), &lane->work, lane_decode, lane_decoded);
    }
}

static void lane_next(uv_lane *lane)
{
    uv_race *race = lane->race;
    if (race->next == race->count || race->failed) {
        return;
    }
    lane->unit = race->units[race->next++];
    const pack_index *index = &race->pack->index;
    uv_buf_t buffer =
        uv_buf_init((char *)lane->packed, (unsigned)(unit_end(index, lane->unit) - unit_begin(index, lane->unit)));
    uv_fs_read(uv_default_loop(), &lane->read, race->fd, &buffer, 1, (int64_t)unit_begin(index, lane->unit), lane_read);
}

static bool run_uv(bench *b, const bench_pack *pack, uint64_t *bytes, stopwatch *watch)
{
    (void)b;
    setenv("UV_THREADPOOL_SIZE", UV_THREADS, 1); /* read once, at the first request */
    uint32_t count;
    unit *units = make_units(&pack->index, RUN_BYTES_MAX, &count);
    uv_race race = { .pack = pack, .units = units, .count = count, .fd = open(pack->path, O_RDONLY | O_CLOEXEC) };
    uv_lane lanes[UV_DEPTH] = { 0 };
    region sinks = { 0 }, reads = { 0 };
    race.failed = units == NULL || race.fd < 0 || !region_create(SINK_BYTES, true, &sinks) ||
                  !region_create(UV_DEPTH * READ_BYTES, true, &reads);
    for (uint32_t i = 0; i < UV_DEPTH; ++i) {
        uv_lane *lane = &lanes[i];
        *lane =
            (uv_lane){ .race = &race,
                       .packed = (uint8_t *)reads.memory + (size_t)i * READ_BYTES,
                       .sink = { (uint8_t *)sinks.memory + i * (SINK_BYTES / UV_DEPTH), SINK_BYTES / UV_DEPTH, 0 } };
        lane->read.data = lane->work.data = lane;
    }
    watch_start(watch);
    for (uint32_t i = 0; i < UV_DEPTH; ++i) {
        lane_next(&lanes[i]);
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    watch_stop(watch);
    *bytes = 0;
    for (uint32_t i = 0; i < UV_DEPTH; ++i) {
        *bytes += lanes[i].bytes;
    }
    region_destroy(&reads);
    region_destroy(&sinks);
    if (race.fd >= 0) {
        close(race.fd);
    }
    free(units);
    return !race.failed;
}
#endif

/* ---- SDL_RWops ---- */

#ifdef BENCH_HAVE_SDL
#define SDL_MAIN_HANDLED
#include <SDL.h>

static bool run_sdl(bench *b, const bench_pack *pack, uint64_t *bytes, stopwatch *watch)
{
    (void)b;
    uint32_t count;
    unit *units = make_units(&pack->index, RUN_BYTES_MAX, &count);
    region sinks = { 0 }, reads = { 0 };
    SDL_RWops *file = SDL_RWFromFile(pack->path, "rb");
    bool ok = units != NULL && file != NULL && region_create(SINK_BYTES, true, &sinks) &&
              region_create(READ_BYTES, true, &reads);
    uint8_t *packed = reads.memory;
    sink to = { sinks.memory, SINK_BYTES, 0 };
    *bytes = 0;
    watch_start(watch);
    for (uint32_t i = 0; i < count && ok; ++i) {
        uint64_t begin = unit_begin(&pack->index, units[i]), size = unit_end(&pack->index, units[i]) - begin;
        ok = SDL_RWseek(file, (Sint64)begin, RW_SEEK_SET) >= 0 && SDL_RWread(file, packed, 1, size) == size &&
             decode_run(pack, units[i], packed, &to, bytes);
    }
    watch_stop(watch);
    if (file != NULL) {
        SDL_RWclose(file);
    }
    region_destroy(&reads);
    region_destroy(&sinks);
    free(units);
    return ok;
}
#endif

/* ---- PhysFS over a zip ---- */

#ifdef BENCH_HAVE_PHYSFS
#include <physfs.h>
#include <zlib.h>

typedef struct zip_entry {
    uint32_t crc, packed, raw, offset;
} zip_entry;

static struct {
    FILE *file; /* the zip; NULL: none was made */
    char path[BENCH_PATH_SIZE];
    uint32_t count;
} zip_made;

static void put(FILE *f, uint32_t value, uint32_t size)
{
    for (uint32_t i = 0; i < size; ++i) {
        fputc((int)(value >> (8 * i) & 0xff), f);
    }
}

/* The fields that a local header and the directory have in common (APPNOTE.TXT 4.3.7 and 4.3.12). */
static void put_common(FILE *f, const zip_entry *e, uint32_t name_size)
{
    put(f, 20, 2);
    put(f, 0, 2);
    put(f, 8, 2); /* deflated */
    put(f, 0, 4);
    put(f, e->crc, 4);
    put(f, e->packed, 4);
    put(f, e->raw, 4);
    put(f, name_size, 2);
    put(f, 0, 2);
}

static bool raw_asset(const bench_pack *pack, uint32_t asset, uint8_t *raw, uint8_t *packed)
{
    uint32_t first, end;
    bench_asset_chunks(&pack->index, asset, &first, &end);
    const leat_pack_asset_record *a = &pack->index.assets[asset];
    uint8_t *chunk = raw + a->raw_size;
    for (uint32_t c = first; c < end; ++c) {
        const leat_pack_chunk_record *k = &pack->index.chunks[c];
        if (pread(pack->fd, packed, k->packed_size, (off_t)k->file_offset) != (ssize_t)k->packed_size ||
            pack_chunk_decode(k, packed, chunk) != LEAT_OK) {
            return false;
        }
        uint64_t from = k->raw_offset > a->raw_offset ? k->raw_offset : a->raw_offset;
        uint64_t to = k->raw_offset + k->raw_size, asset_end = a->raw_offset + a->raw_size;
        to = to < asset_end ? to : asset_end;
        memcpy(raw + (from - a->raw_offset), chunk + (from - k->raw_offset), to - from);
    }
    return true;
}

static bool zip_add(FILE *f, const bench_pack *pack, uint32_t asset, uint32_t number, zip_entry *e)
{
    uint32_t size = (uint32_t)pack->index.assets[asset].raw_size;
    uint8_t *raw = malloc((size_t)size + LEAT_PACK_CHUNK_RAW_MAX), *packed = malloc(LEAT_PACK_CHUNK_RAW_MAX);
    uLongf bound = compressBound(size);
    uint8_t *out = malloc(bound);
    z_stream z = { 0 };
    bool ok = raw != NULL && packed != NULL && out != NULL && raw_asset(pack, asset, raw, packed) &&
              deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    if (ok) {
        z.next_in = raw;
        z.avail_in = size;
        z.next_out = out;
        z.avail_out = (uInt)bound;
        ok = deflate(&z, Z_FINISH) == Z_STREAM_END;
        char name[16];
        uint32_t name_size = (uint32_t)snprintf(name, sizeof(name), "%u", number);
        *e = (zip_entry){ .crc = (uint32_t)crc32(0, raw, size),
                          .packed = (uint32_t)z.total_out,
                          .raw = size,
                          .offset = (uint32_t)ftell(f) };
        put(f, 0x04034b50, 4);
        put_common(f, e, name_size);
        fwrite(name, 1, name_size, f);
        fwrite(out, 1, z.total_out, f);
        deflateEnd(&z);
    }
    free(out);
    free(packed);
    free(raw);
    return ok && !ferror(f);
}

static void zip_directory(FILE *f, const zip_entry *entries, uint32_t count)
{
    uint32_t begin = (uint32_t)ftell(f);
    for (uint32_t i = 0; i < count; ++i) {
        char name[16];
        uint32_t name_size = (uint32_t)snprintf(name, sizeof(name), "%u", i);
        put(f, 0x02014b50, 4);
        put(f, 20, 2);
        put_common(f, &entries[i], name_size);
        put(f, 0, 2); /* comment */
        put(f, 0, 4); /* disk, internal attributes */
        put(f, 0, 4); /* external attributes */
        put(f, entries[i].offset, 4);
        fwrite(name, 1, name_size, f);
    }
    uint32_t end = (uint32_t)ftell(f);
    put(f, 0x06054b50, 4);
    put(f, 0, 4);
    put(f, count, 2);
    put(f, count, 2);
    put(f, end - begin, 4);
    put(f, begin, 4);
    put(f, 0, 2);
}

#define ZIP_COUNT_MAX 60000u /* what a zip without extensions can hold */

static bool prepare_physfs(bench *b, const bench_pack *pack)
{
    int fd = bench_file_make(zip_made.path);
    FILE *f = zip_made.file = fd >= 0 ? fdopen(fd, "wb") : NULL;
    zip_entry *entries = calloc(ZIP_COUNT_MAX, sizeof(*entries));
    uint64_t bytes = 0, most = b->quick ? ZIP_BYTES_MAX_QUICK : ZIP_BYTES_MAX;
    bool ok = f != NULL && entries != NULL;
    for (uint32_t i = 0; i < pack->index.asset_count && ok && bytes < most && zip_made.count < ZIP_COUNT_MAX; ++i) {
        if (pack->index.assets[i].raw_size > 0) {
            ok = zip_add(f, pack, i, zip_made.count, &entries[zip_made.count]);
            bytes += pack->index.assets[i].raw_size;
            ++zip_made.count;
        }
    }
    if (ok) {
        zip_directory(f, entries, zip_made.count);
    }
    ok = f != NULL && fflush(f) == 0 && ok;
    free(entries);
    ok = ok && PHYSFS_init("leat-bench") != 0 && PHYSFS_mount(zip_made.path, NULL, 1) != 0;
    if (!ok) {
        fprintf(stderr, "leat-bench: peers: %s: no zip could be made\n", zip_made.path);
    }
    return ok;
}

static void cold_physfs(bench *b, bool warm)
{
    (void)b;
    (warm ? bench_warm : bench_cold)(zip_made.path);
}

static bool run_physfs(bench *b, const bench_pack *pack, uint64_t *bytes, stopwatch *watch)
{
    (void)b;
    uint64_t most = 0;
    for (uint32_t i = 0; i < pack->index.asset_count; ++i) {
        most = pack->index.assets[i].raw_size > most ? pack->index.assets[i].raw_size : most;
    }
    uint8_t *raw = malloc(most + 1);
    bool ok = raw != NULL;
    *bytes = 0;
    watch_start(watch);
    for (uint32_t i = 0; i < zip_made.count && ok; ++i) {
        char name[16];
        snprintf(name, sizeof(name), "%u", i);
        PHYSFS_File *file = PHYSFS_openRead(name);
        PHYSFS_sint64 size = file != NULL ? PHYSFS_fileLength(file) : -1;
        ok = size >= 0 && PHYSFS_readBytes(file, raw, (PHYSFS_uint64)size) == size;
        *bytes += ok ? (uint64_t)size : 0;
        if (file != NULL) {
            PHYSFS_close(file);
        }
    }
    watch_stop(watch);
    free(raw);
    return ok;
}
#endif

/* ---- stb_image on PNGs ---- */

#ifdef BENCH_HAVE_STB
#include <stb_image.h>

static struct {
    char *paths[PNG_COUNT_MAX];
    uint32_t count;
} pngs;

static void find_pngs(const char *folder, uint32_t most)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && pngs.count < most && (entry = readdir(dir)) != NULL;) {
        char path[4096];
        struct stat status;
        if (entry->d_name[0] == '.' ||
            snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >= (int)sizeof(path) ||
            lstat(path, &status) != 0) {
            continue;
        }
        size_t size = strlen(path);
        if (S_ISDIR(status.st_mode)) {
            find_pngs(path, most);
        } else if (S_ISREG(status.st_mode) && size > 4 && strcmp(path + size - 4, ".png") == 0) {
            pngs.paths[pngs.count] = strdup(path);
            pngs.count += pngs.paths[pngs.count] != NULL;
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

static bool prepare_stb(bench *b, const bench_pack *pack)
{
    (void)pack;
    if (b->assets_path != NULL) {
        find_pngs(b->assets_path, b->quick ? PNG_COUNT_MAX_QUICK : PNG_COUNT_MAX);
    }
    return pngs.count > 0;
}

static void cold_stb(bench *b, bool warm)
{
    (void)b;
    for (uint32_t i = 0; i < pngs.count; ++i) {
        (warm ? bench_warm : bench_cold)(pngs.paths[i]);
    }
}

static bool run_stb(bench *b, const bench_pack *pack, uint64_t *bytes, stopwatch *watch)
{
    (void)b;
    (void)pack;
    *bytes = 0;
    watch_start(watch);
    for (uint32_t i = 0; i < pngs.count; ++i) {
        int width, height, channels;
        stbi_uc *texels = stbi_load(pngs.paths[i], &width, &height, &channels, 4);
        *bytes += texels != NULL ? (uint64_t)width * (uint64_t)height * 4 : 0;
        stbi_image_free(texels);
    }
    watch_stop(watch);
    return *bytes > 0;
}
#endif

/* ---- All of them ---- */

const library_peer library_peers[] = {
#ifdef BENCH_HAVE_UV
    { "libuv, 8 threads, depth 16", run_uv, NULL, NULL },
#endif
#ifdef BENCH_HAVE_SDL
    { "SDL_RWops + LZ4, one thread", run_sdl, NULL, NULL },
#endif
#ifdef BENCH_HAVE_PHYSFS
    { "PhysFS over a zip, one thread", run_physfs, prepare_physfs, cold_physfs },
#endif
#ifdef BENCH_HAVE_STB
    { "stb_image from PNGs, one thread", run_stb, prepare_stb, cold_stb },
#endif
    { NULL, NULL, NULL, NULL }, /* an array is never empty */
};
const uint32_t library_peer_count = sizeof(library_peers) / sizeof(library_peers[0]) - 1;

void library_peers_end(void)
{
#ifdef BENCH_HAVE_PHYSFS
    if (zip_made.file != NULL) {
        PHYSFS_deinit();
        fclose(zip_made.file);
    }
#endif
#ifdef BENCH_HAVE_STB
    while (pngs.count > 0) {
        free(pngs.paths[--pngs.count]);
    }
#endif
}
