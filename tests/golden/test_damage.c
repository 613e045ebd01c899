/* test_damage.c - every truncation and every bit flip of a small pack: refused, or the same data.
 *
 * Four passes over the golden pack (header, 4 KiB of chunks and their padding, index):
 *   1. each bit flipped, each length shorter: the pure reader refuses it, or decodes the same raw bytes;
 *   2. the same, with the hashes made right again, as an attacker would: accepted or not, no record leads astray
 *      (pack_walk) and sanitizers see every byte that is touched; what is stored in other bytes cannot be known;
 *   3. one bit of each byte, and each length, through the streamer: an error at open, a FAILED read, or the same bytes;
 *   4. the same once more while the pack is open: the file is damaged or cut after its index was read. */
#include "golden.h"
#include "pack_walk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static golden_pack base, broken;
static uint8_t *base_raw;
static uint64_t base_raw_size;
static uint64_t refused_count, same_count;

static void fail(const char *what, uint64_t place)
{
    printf("%s (at %llu)\n", what, (unsigned long long)place);
    exit(1);
}

/* ---- The pure reader ---- */

static void check_pure(bool same_needed, uint64_t place)
{
    pack_index index;
    uint8_t *index_bytes, *raw;
    leat_result result = pack_walk_all(broken.bytes, broken.size, NULL, &index, &index_bytes, &raw, NULL);
    bool same = result == LEAT_OK && index.raw_size == base_raw_size && raw != NULL &&
                memcmp(raw, base_raw, base_raw_size) == 0;
    if (result == LEAT_OK && same_needed && !same) {
        fail("damage was accepted, and the data is another", place);
    }
    refused_count += result != LEAT_OK;
    same_count += same;
    free(index_bytes);
    free(raw);
}

static void pass_pure(bool seal)
{
    broken = base;
    for (uint64_t bit = 0; bit < base.size * 8; ++bit) {
        uint8_t mask = (uint8_t)(1u << (bit % 8));
        broken.bytes[bit / 8] ^= mask;
        if (seal) {
            golden_seal_pack(&broken, GOLDEN_SEAL_ALL);
            check_pure(false, bit / 8);
            broken = base;
        } else {
            check_pure(true, bit / 8);
            broken.bytes[bit / 8] ^= mask;
        }
    }
    for (uint64_t size = 0; size < base.size; ++size) {
        broken.size = size;
        check_pure(true, size);
    }
    broken = base;
}

/* ---- The streamer ---- */

static void quiet(leat_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

/* Reads all assets of the pack as it is now; each must end as failed, or with the bytes of the base. */
static void check_reads(leat_streamer *s, leat_pack pack, uint64_t place)
{
    const leat_pack_asset_record *assets = (const void *)(base.bytes + 2 * sizeof(leat_pack_header));
    for (uint32_t i = 0; i < GOLDEN_ASSET_COUNT; ++i) {
        leat_read_desc read = { .asset = leat_asset_at(s, pack, i), .user = i };
        if (leat_read(s, &read, NULL) != LEAT_OK) {
            fail("a read of an open pack was refused", place);
        }
    }
    uint32_t ended = 0;
    while (ended < GOLDEN_ASSET_COUNT) {
        leat_events events = leat_wait(s, NS_PER_S);
        if (events.count == 0) {
            fail("a read does not end", place);
        }
        for (uint32_t i = 0; i < events.count; ++i, ++ended) {
            const leat_event *e = &events.items[i];
            const leat_pack_asset_record *a = &assets[e->user];
            bool ready = e->type == LEAT_EVENT_READY;
            if (ready &&
                (e->size != a->raw_size || (e->size > 0 && memcmp(e->data, base_raw + a->raw_offset, e->size) != 0))) {
                fail("wrong bytes were delivered", place);
            }
            if (ready) {
                leat_release(s, e->request);
                ++same_count;
            } else {
                ++refused_count;
            }
        }
    }
}

typedef struct damaged_file {
    int fd;
    char path[64];
    leat_streamer *s;
} damaged_file;

static void file_write(const damaged_file *f, const uint8_t *bytes, uint64_t size, uint64_t offset)
{
    if (pwrite(f->fd, bytes, size, (off_t)offset) != (ssize_t)size) {
        abort();
    }
}

static void file_cut(const damaged_file *f, uint64_t size)
{
    if (ftruncate(f->fd, (off_t)size) != 0) {
        abort();
    }
}

static void flip(const damaged_file *f, uint64_t at)
{
    uint8_t byte = (uint8_t)(base.bytes[at] ^ (1u << (at % 8)));
    file_write(f, &byte, 1, at);
}

static leat_result open_pack(const damaged_file *f, leat_pack *pack)
{
    return leat_pack_open(f->s, f->path, NULL, pack);
}

static void close_pack(const damaged_file *f, leat_pack pack)
{
    (void)leat_pack_close(f->s, pack);
    leat_update(f->s, NULL); /* frees the slot */
}

static void check_now(const damaged_file *f, uint64_t place)
{
    leat_pack pack;
    leat_result result = open_pack(f, &pack);
    if (result != LEAT_OK) {
        if (result == LEAT_ERROR_FULL) {
            fail("a pack that was closed keeps its slot", place);
        }
        ++refused_count;
        return;
    }
    check_reads(f->s, pack, place);
    close_pack(f, pack);
}

/* open: the pack is open already as it is damaged. */
static void pass_streamed(const damaged_file *f, bool open)
{
    leat_pack pack = { 0 };
    file_cut(f, base.size);
    file_write(f, base.bytes, base.size, 0);
    if (open && open_pack(f, &pack) != LEAT_OK) {
        fail("the whole pack was refused", 0);
    }
    for (uint64_t at = 0; at < base.size; ++at) {
        flip(f, at);
        open ? check_reads(f->s, pack, at) : check_now(f, at);
        file_write(f, base.bytes + at, 1, at);
    }
    for (uint64_t size = base.size; size-- > 0;) {
        file_cut(f, size);
        open ? check_reads(f->s, pack, size) : check_now(f, size);
    }
    if (open) {
        close_pack(f, pack);
    }
}

static void pass_end(const char *what)
{
    printf("%-44s %7llu refused, %7llu the same\n", what, (unsigned long long)refused_count,
           (unsigned long long)same_count);
    if (refused_count == 0 || same_count == 0) {
        fail("a pass that refuses nothing, or all, shows nothing", 0);
    }
    refused_count = same_count = 0;
}

int main(void)
{
    pack_index index;
    uint8_t *index_bytes;
    golden_base(&base, NULL, 0);
    if (pack_walk_all(base.bytes, base.size, NULL, &index, &index_bytes, &base_raw, NULL) != LEAT_OK) {
        fail("the whole pack was refused", 0);
    }
    base_raw_size = index.raw_size;
    pass_pure(false);
    pass_end("each bit, each length");
    pass_pure(true);
    pass_end("the same with hashes made right");

    damaged_file f = { .fd = memfd_create("leat-damage", MFD_CLOEXEC) };
    snprintf(f.path, sizeof(f.path), "/proc/self/fd/%d", f.fd);
    leat_desc desc = { .backend = LEAT_BACKEND_SIM,
                       .stepped = true,
                       .memory_bytes_max = MIB(8),
                       .huge_pages = LEAT_OFF,
                       .logger = { .log = quiet },
                       .request_count_max = 64,
                       .pack_count_max = 4 };
    if (f.fd < 0 || leat_create(&desc, &f.s) != LEAT_OK) {
        abort();
    }
    pass_streamed(&f, false);
    pass_end("each byte, each length, streamed");
    pass_streamed(&f, true);
    pass_end("the same behind the streamer's back");
    leat_destroy(f.s);
    close(f.fd);
    free(index_bytes);
    free(base_raw);
    return 0;
}
