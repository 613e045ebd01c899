/* fuzz_stream.c - any bytes as a streamer's day: packs, a script of calls, a schedule of faults.
 *
 * Input: settings and fault rates (32 bytes), a list of damages to the packs, then a script, one byte of call and a few
 * of arguments each. Everything runs stepped, over the simulated device. A model of a few lines checks what is
 * promised:
 *   - exactly one terminal event a request; nothing after it; no event for what was never asked
 *   - READY has the very bytes, FAILED only where a fault can have caused it, CANCELLED only where somebody cancelled
 *   - a batch ends once, and counts its members
 *   - in the end everything drains in bounded steps, and all memory is back
 * The script calls with stale, foreign and invented handles as well. */
#include "fuzz.h"
#include "fuzz_memory.h"
#include "test_pack.h"

#include <leat/sim.h>

#include <sys/mman.h>
#include <unistd.h>

#define PACK_COUNT 2u
#define WISH_COUNT_MAX 256u
#define BATCH_COUNT_MAX 4u
#define CALL_COUNT_MAX 400u
#define DAMAGE_COUNT_MAX 8u
#define DRAIN_STEPS_MAX 20000u
#define MEMORY_MAX (2u << 20) /* of our own: what CALLER and LATE requests of a run may need */

#ifdef LEAT_FUZZ_NO_HASH
#define HASHES false
#else
#define HASHES true
#endif

typedef enum wish_state { WISH_NONE = 0, WISH_LIVE, WISH_ENDED } wish_state;

typedef struct wish {
    wish_state state;
    leat_request handle;
    uint32_t pack, asset;
    uint64_t offset, size;
    leat_bind_kind bind;
    uint8_t *memory;
    uint32_t batch; /* + 1; 0: none */
    bool cancelled, asked, lent, exempt, silent;
    bool may_degrade, had_deadline; /* both: a coarser part may come */
} wish;

typedef struct batch_model {
    leat_batch handle;
    bool live, sealed, only_end;
    uint32_t members;
} batch_model;

typedef struct day {
    fuzz_bytes script;
    leat_streamer *s;
    leat_sim_desc device;
    leat_pack packs[PACK_COUNT];
    bool open[PACK_COUNT], other_bytes[PACK_COUNT]; /* other_bytes: damaged, so that what is read cannot be known */
    bool may_fail;
    wish wishes[WISH_COUNT_MAX];
    uint32_t wish_count, live, submitted;
    batch_model batches[BATCH_COUNT_MAX];
    uint64_t now_ns;
    uint8_t *memory; /* ours, given out front to back */
    uint64_t memory_used;
} day;

/* The packs are made once; a run that damages one makes it whole again. */
static test_pack whole[PACK_COUNT];
static uint8_t *damaged[PACK_COUNT];
static int fds[PACK_COUNT];

static uint32_t u8(day *d)
{
    return (uint32_t)fuzz_take(&d->script, 1);
}

static uint32_t u16(day *d)
{
    return (uint32_t)fuzz_take(&d->script, 2);
}

static void quiet(leat_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

/* ---- Packs ---- */

static void write_pack(uint32_t p, const uint8_t *bytes)
{
    if (ftruncate(fds[p], (off_t)whole[p].size) != 0 ||
        pwrite(fds[p], bytes, whole[p].size, 0) != (ssize_t)whole[p].size) {
        abort();
    }
}

static void make_packs(void)
{
    static const test_pack_desc descs[PACK_COUNT] = {
        { .seed = 1, .asset_count = 12, .size_max = 5000, .chunk_raw_size = 1024, .stored_every = 3 },
        { .seed = 2, .asset_count = 6, .size_min = 100, .size_max = 50000, .chunk_raw_size = 16384, .textures = true },
    };
    for (uint32_t p = 0; p < PACK_COUNT; ++p) {
        test_pack_make(&descs[p], &whole[p]);
        damaged[p] = malloc(whole[p].size);
        fds[p] = memfd_create("leat-fuzz", MFD_CLOEXEC);
        write_pack(p, whole[p].bytes);
    }
}

/* Damages before anything is opened: with the hashes of header and index made right, so that they are believed. */
static void damage_packs(day *d)
{
    uint32_t count = u8(d) % (DAMAGE_COUNT_MAX + 1);
    for (uint32_t p = 0; p < PACK_COUNT && count > 0; ++p) {
        memcpy(damaged[p], whole[p].bytes, whole[p].size);
    }
    for (uint32_t i = 0; i < count; ++i) {
        uint32_t p = u8(d) % PACK_COUNT;
        uint64_t place = fuzz_take(&d->script, 3);
        const leat_pack_header *h = (const void *)whole[p].bytes;
        /* half of them in the index, which is small beside the chunks */
        place = place & 1 ? h->index_offset + (place >> 1) % h->index_size : (place >> 1) % whole[p].size;
        damaged[p][place] ^= (uint8_t)(1 + u8(d) % 255);
        d->other_bytes[p] = d->may_fail = true;
    }
    for (uint32_t p = 0; p < PACK_COUNT; ++p) {
        if (d->other_bytes[p]) {
            leat_pack_header *h = (void *)damaged[p];
            const leat_pack_header *good = (const void *)whole[p].bytes;
            if (h->index_offset == good->index_offset && h->index_size == good->index_size) {
                test_pack_rehash(damaged[p]);
            }
            write_pack(p, damaged[p]);
        }
    }
}

static void open_pack(day *d, uint32_t p)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[p]);
    leat_result result = leat_pack_open(d->s, path, &(leat_pack_desc){ .layer = (int32_t)p }, &d->packs[p]);
    d->open[p] = result == LEAT_OK;
    FUZZ_CHECK(d->open[p] || d->other_bytes[p] || result == LEAT_ERROR_FULL, "a whole pack is refused");
}

/* ---- Settings ---- */

static void take_faults(day *d)
{
    static const char *const presets[] = { "nvme", "sata", "sd", "hdd", "nvme7", "" };
    d->device = leat_sim_preset(presets[u8(d) % COUNT_OF(presets)]);
    d->device.seed = u16(d);
    d->device.short_read_rate = u8(d);
    d->device.eagain_rate = u8(d);
    d->device.eintr_rate = u8(d);
    d->device.spike_rate = u8(d);
    uint32_t *const final[] = { &d->device.eio_rate, &d->device.bit_flip_rate, &d->device.end_of_file_rate };
    for (uint32_t i = 0; i < COUNT_OF(final); ++i) {
        uint32_t rate = u8(d);
        *final[i] = rate < 0x80 ? 0 : (rate - 0x80) * 2;
        d->may_fail |= *final[i] != 0;
    }
    uint32_t rare = u8(d);
    d->device.fail_all = rare == 0xff;
    d->device.stall_at_ns = rare == 0xfe ? NS_PER_MS : 0;
    d->device.stall_ns = 2 * NS_PER_S;
    d->may_fail |= d->device.fail_all;
    /* 64 times EAGAIN or EINTR in a row is a failure too, and not rare at a rate of a quarter and more of retries */
    d->may_fail |= d->device.eagain_rate + d->device.eintr_rate > 200;
    if (d->device.bit_flip_rate != 0 && !HASHES) {
        d->other_bytes[0] = d->other_bytes[1] = true;
    }
}

static void create(day *d)
{
    leat_desc desc = { .backend = LEAT_BACKEND_SIM,
                       .stepped = true,
                       .sim = &d->device,
                       .logger = { .log = quiet },
                       .allocator = fuzz_memory_allocator(),
                       .memory_bytes_max = MIB(8),
                       .pool_bytes = MIB(4),
                       .lent_bytes = MIB(2),
                       .batch_count_max = BATCH_COUNT_MAX };
    desc.request_count_max = 1 + u8(d) % 128;
    desc.pack_count_max = PACK_COUNT + u8(d) % 2;
    desc.event_count_max = 1 + u8(d) % 64;
    uint32_t window = u8(d);
    desc.window_bytes = window < 0x80 ? 0 : (window - 0x7fu) * 4096u;
    desc.read_bytes_max = 4096u << (u8(d) % 10);
    desc.read_gap_max = u16(d);
    desc.ageing_ns = u8(d) * NS_PER_MS;
    desc.client_weights[1] = u8(d);
    desc.direct = u8(d) % 2 == 0 ? LEAT_DEFAULT : LEAT_OFF;
    desc.chunk_ratio_max = u8(d);
    d->may_fail |= desc.chunk_ratio_max != 0;
    d->other_bytes[0] |= desc.chunk_ratio_max != 0; /* may be refused at open */
    d->other_bytes[1] |= desc.chunk_ratio_max != 0;
    leat_error error = { 0 };
    desc.error = &error;
    leat_result result = leat_create(&desc, &d->s);
    FUZZ_CHECK(result == LEAT_OK, error.text);
}

/* ---- Events ---- */

static void end_wish(day *d, wish *w)
{
    w->state = WISH_ENDED;
    --d->live;
}

static void check_ready(day *d, wish *w, const leat_event *e)
{
    FUZZ_CHECK(!w->cancelled, "READY after an accepted cancel");
    FUZZ_CHECK(e->size == w->size || (w->may_degrade && w->had_deadline), "READY with another size");
    FUZZ_CHECK(e->size == 0 || e->data != NULL, "READY without data");
    if (!d->other_bytes[w->pack] && e->size > 0) {
        const test_pack *pack = &whole[w->pack];
        const uint8_t *expected = pack->raw + pack->assets[w->asset].raw_offset + w->offset;
        FUZZ_CHECK(memcmp(e->data, expected, e->size) == 0, "wrong bytes");
    }
    if (w->bind == LEAT_BIND_LEAT && e->size > 0) {
        w->lent = true;
    }
}

static void take_batch_event(day *d, const leat_event *e)
{
    FUZZ_CHECK(e->user < BATCH_COUNT_MAX, "a batch that was never begun");
    batch_model *b = &d->batches[e->user];
    FUZZ_CHECK(b->live && b->sealed, "a batch ended that was not sealed, or twice");
    FUZZ_CHECK(e->count == b->members && e->failed_count <= e->count, "a batch miscounts its members");
    b->live = false;
    for (uint32_t i = 0; i < d->wish_count; ++i) {
        wish *w = &d->wishes[i];
        if (w->state == WISH_LIVE && w->batch == e->user + 1) {
            FUZZ_CHECK(w->silent, "a batch ended before its member");
            end_wish(d, w);
        }
        w->batch = w->batch == e->user + 1 ? 0 : w->batch;
    }
}

static void take_event(day *d, const leat_event *e)
{
    char text[512];
    FUZZ_CHECK(leat_event_text(d->s, e, text, sizeof(text)) == text, "an event without a text");
    if (e->type == LEAT_EVENT_BATCH) {
        take_batch_event(d, e);
        return;
    }
    FUZZ_CHECK(e->user < d->wish_count, "an event for what was never asked");
    wish *w = &d->wishes[e->user];
    FUZZ_CHECK(w->state == WISH_LIVE, "an event after the end");
    FUZZ_CHECK(!w->silent || e->type == LEAT_EVENT_LATE, "an event of a batch that tells only its end");
    switch (e->type) {
    case LEAT_EVENT_NEEDS_MEMORY:
        FUZZ_CHECK(!w->asked && w->bind == LEAT_BIND_LATE &&
                       (e->size == w->size || (w->may_degrade && w->had_deadline)),
                   "memory is asked for wrongly");
        w->asked = true;
        break;
    case LEAT_EVENT_READY:
        check_ready(d, w, e);
        end_wish(d, w);
        break;
    case LEAT_EVENT_FAILED:
        FUZZ_CHECK(d->may_fail, text);
        end_wish(d, w);
        break;
    case LEAT_EVENT_CANCELLED:
        FUZZ_CHECK(w->cancelled || w->exempt, "cancelled by nobody");
        end_wish(d, w);
        break;
    case LEAT_EVENT_LATE:
    case LEAT_EVENT_BATCH:
    case LEAT_EVENT_RELOADED: /* nothing is watched here */
        break;
    }
}

static void update(day *d, uint64_t advance_ns, uint32_t event_count_max)
{
    d->now_ns += advance_ns;
    leat_events events = leat_update(d->s, &(leat_tick){ .now_ns = d->now_ns, .event_count_max = event_count_max });
    for (uint32_t i = 0; i < events.count; ++i) {
        take_event(d, &events.items[i]);
    }
}

/* ---- Calls ---- */

static uint8_t *take_memory(day *d, uint64_t size)
{
    if (size > MEMORY_MAX - d->memory_used) {
        return NULL;
    }
    uint8_t *block = d->memory + d->memory_used;
    d->memory_used += size;
    return block;
}

static wish *any_wish(day *d)
{
    uint32_t which = u8(d);
    return d->wish_count == 0 ? NULL : &d->wishes[which % d->wish_count];
}

static void choose_part(day *d, wish *w, leat_read_desc *read)
{
    uint32_t kind = u8(d);
    const leat_pack_asset_record *a = &whole[w->pack].assets[w->asset];
    w->size = a->raw_size;
    if (kind % 3 == 1) {
        w->offset = u16(d) % (a->raw_size + 1);
        w->size = u16(d) % (a->raw_size - w->offset + 1);
        read->part = (leat_part){ .kind = LEAT_PART_BYTES, .offset = w->offset, .size = w->size };
    } else if (kind % 3 == 2 && a->type == LEAT_ASSET_TEXTURE) {
        read->part = (leat_part){ .kind = LEAT_PART_MIPS, .first = (kind >> 2) % 5, .count = (kind >> 5) % 2 };
        if (leat_asset_part(d->s, read->asset, &read->part, &w->offset, &w->size) != LEAT_OK) {
            read->part = (leat_part){ 0 };
            w->offset = 0;
            w->size = a->raw_size;
        }
    }
}

static void choose_batch(day *d, wish *w, leat_read_desc *read)
{
    uint32_t which = u8(d);
    const batch_model *b = &d->batches[which % BATCH_COUNT_MAX];
    if (which < 0x80 || !b->live || b->sealed || (b->only_end && read->bind != LEAT_BIND_CALLER)) {
        return;
    }
    read->batch = b->handle;
    w->batch = which % BATCH_COUNT_MAX + 1;
    w->silent = b->only_end;
}

static void call_submit(day *d)
{
    uint32_t choice = u8(d), p = choice % PACK_COUNT;
    if (!d->open[p] || d->wish_count == WISH_COUNT_MAX) {
        return;
    }
    wish *w = &d->wishes[d->wish_count];
    *w = (wish){ .state = WISH_LIVE, .pack = p, .bind = (leat_bind_kind)((choice >> 1) % 3) };
    w->asset = (choice >> 3) % whole[p].asset_count;
    leat_read_desc read = { .asset = leat_asset_at(d->s, d->packs[p], w->asset),
                            .bind = w->bind,
                            .user = d->wish_count };
    if (read.asset.index == 0) {
        return; /* a damaged index may have fewer */
    }
    uint32_t how = u8(d);
    read.priority = (leat_priority)(how % 4);
    read.client = (how >> 2) % LEAT_CLIENT_COUNT;
    read.flags = how & 0x40 ? LEAT_READ_DEGRADE : 0;
    read.deadline_ns = how & 0x80 ? d->now_ns + 1 + u16(d) * UINT64_C(1000) : 0;
    read.tag = how % 8;
    w->may_degrade = read.flags & LEAT_READ_DEGRADE;
    w->had_deadline = read.deadline_ns != 0;
    choose_part(d, w, &read);
    choose_batch(d, w, &read);
    leat_asset_info info;
    if (leat_asset_info_get(d->s, read.asset, &info) != LEAT_OK || (d->other_bytes[p] && info.size > MEMORY_MAX)) {
        return;
    }
    uint64_t offset, size = w->size;
    if (leat_asset_part(d->s, read.asset, &read.part, &offset, &size) != LEAT_OK) {
        FUZZ_CHECK(d->other_bytes[p], "a part of an asset is none");
        return;
    }
    w->size = size; /* a damaged index has its own opinion */
    if (w->bind == LEAT_BIND_CALLER) {
        w->memory = read.memory = take_memory(d, u64_max(size, 1));
        read.memory_size = size;
        if (w->memory == NULL) {
            return;
        }
    }
    leat_result result = leat_read(d->s, &read, &w->handle);
    FUZZ_CHECK(result == LEAT_OK || result == LEAT_ERROR_FULL || (result == LEAT_ERROR_LIMIT && d->other_bytes[p]),
               leat_result_text(result));
    if (result == LEAT_OK) {
        ++d->wish_count;
        ++d->live;
        ++d->submitted;
        if (w->batch != 0) {
            ++d->batches[w->batch - 1].members;
        }
    }
}

static void call_cancel(day *d)
{
    wish *w = any_wish(d);
    if (w == NULL) {
        return;
    }
    leat_result result = leat_cancel(d->s, w->handle);
    if (w->state == WISH_LIVE && !w->silent) {
        FUZZ_CHECK(result == LEAT_OK, "the cancel of a live request is refused");
        w->cancelled = true;
    }
    FUZZ_CHECK(w->state != WISH_ENDED || w->lent || result == LEAT_ERROR_STALE, "an ended request was cancelled");
}

static void call_reprioritise(day *d)
{
    wish *w = any_wish(d);
    uint32_t how = u8(d);
    if (w != NULL) {
        uint64_t deadline_ns = how & 0x80 ? d->now_ns + how : 0;
        leat_result result = leat_reprioritise(d->s, w->handle, (leat_priority)(how % 5), deadline_ns);
        w->had_deadline |= result == LEAT_OK && deadline_ns != 0;
    }
}

static void call_where(day *d)
{
    uint32_t how = u8(d);
    const batch_model *b = &d->batches[how % BATCH_COUNT_MAX];
    leat_selection selection = { .tag_mask = how & 0x10 ? 7 : 0, .tag = how % 8, .all = how >= 0xf8 };
    selection.batch = how & 0x20 ? b->handle : (leat_batch){ 0 };
    selection.pack = how & 0x40 ? d->packs[how % PACK_COUNT] : (leat_pack){ 0 };
    if (how & 0x80) {
        (void)leat_reprioritise_where(d->s, &selection, (leat_priority)(how % 4), 0);
        return;
    }
    if (leat_cancel_where(d->s, &selection) == LEAT_OK) {
        for (uint32_t i = 0; i < d->wish_count; ++i) {
            d->wishes[i].exempt |= d->wishes[i].state == WISH_LIVE;
        }
    }
}

static void call_swap(day *d)
{
    uint32_t p = u8(d) % PACK_COUNT;
    if (!d->open[p]) {
        open_pack(d, p);
        return;
    }
    FUZZ_CHECK(leat_pack_close(d->s, d->packs[p]) == LEAT_OK, "an open pack cannot be closed");
    FUZZ_CHECK(leat_pack_close(d->s, d->packs[p]) == LEAT_ERROR_STALE, "a pack was closed twice");
    d->open[p] = false;
    for (uint32_t i = 0; i < d->wish_count; ++i) {
        d->wishes[i].exempt |= d->wishes[i].state == WISH_LIVE && d->wishes[i].pack == p;
    }
}

static void release(day *d, wish *w)
{
    if (w->lent) {
        FUZZ_CHECK(leat_release(d->s, w->handle) == LEAT_OK, "a release is refused");
        FUZZ_CHECK(leat_release(d->s, w->handle) == LEAT_ERROR_STALE, "memory was released twice");
        w->lent = false;
    }
}

static void bind(day *d, wish *w, bool too_small)
{
    if (w->state != WISH_LIVE || !w->asked) {
        return;
    }
    w->memory = w->memory == NULL ? take_memory(d, u64_max(w->size, 1)) : w->memory;
    if (w->memory == NULL) {
        w->cancelled |= leat_cancel(d->s, w->handle) == LEAT_OK; /* we have no more */
    } else {
        (void)!leat_bind(d->s, w->handle, w->memory, too_small ? w->size / 2 : w->size);
        d->may_fail |= too_small;
    }
}

static void call_batch(day *d)
{
    uint32_t how = u8(d), which = how % BATCH_COUNT_MAX;
    batch_model *b = &d->batches[which];
    if (b->live) {
        leat_result result = leat_batch_end(d->s, b->handle);
        FUZZ_CHECK(result == (b->sealed ? LEAT_ERROR_STALE : LEAT_OK), "the end of a batch is answered wrongly");
        b->sealed = true;
        return;
    }
    leat_batch_desc desc = { .user = which, .only_end = (how & 0x80) != 0 };
    *b = (batch_model){ .only_end = desc.only_end };
    b->live = leat_batch_begin(d->s, &desc, &b->handle) == LEAT_OK;
}

/* The file changes behind the streamer's back: another byte, or an earlier end. */
static void call_damage(day *d)
{
    uint32_t p = u8(d) % PACK_COUNT;
    uint64_t place = fuzz_take(&d->script, 3) % whole[p].size;
    uint8_t byte = (uint8_t)u8(d);
    d->may_fail = true;
    d->other_bytes[p] |= !HASHES || !d->open[p]; /* what is opened later, is another pack */
    if (byte == 0 ? ftruncate(fds[p], (off_t)place) != 0 : pwrite(fds[p], &byte, 1, (off_t)place) != 1) {
        abort();
    }
    for (uint32_t i = 0; i < PACK_COUNT; ++i) {
        d->other_bytes[i] |= i == p && place >= ((const leat_pack_header *)(const void *)whole[p].bytes)->index_offset;
    }
}

/* Handles and positions that nobody gave out. */
static void call_nonsense(day *d)
{
    leat_request request = { .index = u16(d), .generation = u8(d) };
    leat_batch batch = { .index = u8(d), .generation = 0xffff };
    leat_asset asset = { .pack = { .index = u8(d), .generation = 0xffff }, .index = u8(d) };
    leat_estimate_info estimate;
    leat_stats stats;
    bool ours = false;
    for (uint32_t i = 0; i < d->wish_count; ++i) {
        ours |= d->wishes[i].handle.index == request.index && d->wishes[i].handle.generation == request.generation;
    }
    if (!ours) {
        FUZZ_CHECK(leat_cancel(d->s, request) == LEAT_ERROR_STALE, "an invented request was cancelled");
        FUZZ_CHECK(leat_cancel_many(d->s, &request, 1, NULL) == LEAT_ERROR_STALE, "so was one in an array");
        FUZZ_CHECK(leat_release(d->s, request) == LEAT_ERROR_STALE, "an invented request was released");
    }
    FUZZ_CHECK(leat_batch_end(d->s, batch) == LEAT_ERROR_STALE, "an invented batch was ended");
    FUZZ_CHECK(leat_read(d->s, &(leat_read_desc){ .asset = asset }, NULL) == LEAT_ERROR_STALE,
               "an invented asset was read");
    asset.pack = d->packs[asset.index % PACK_COUNT];
    (void)!leat_estimate(d->s, &(leat_read_desc){ .asset = asset, .priority = (leat_priority)(asset.index % 5) },
                         &estimate);
    leat_stats_get(d->s, &stats);
}

static void call(day *d)
{
    uint32_t choice = u8(d) % 32;
    wish *w;
    if (choice < 12) {
        call_submit(d);
    } else if (choice < 18) {
        uint32_t how = u8(d);
        update(d, (how & 0x0f) << (how >> 4) << 8, u8(d));
    } else if (choice < 20) {
        call_cancel(d);
    } else if (choice < 22) {
        call_reprioritise(d);
    } else if (choice == 22) {
        call_where(d);
    } else if (choice == 23) {
        call_swap(d);
    } else if (choice < 26) {
        w = any_wish(d);
        w != NULL ? release(d, w) : (void)0;
    } else if (choice < 28) {
        w = any_wish(d);
        w != NULL ? bind(d, w, u8(d) == 0xff) : (void)0;
    } else if (choice < 30) {
        call_batch(d);
    } else if (choice == 30) {
        call_damage(d);
    } else {
        call_nonsense(d);
    }
}

/* ---- The end ---- */

static void drain(day *d)
{
    for (uint32_t i = 0; i < BATCH_COUNT_MAX; ++i) {
        batch_model *b = &d->batches[i];
        if (b->live && !b->sealed) {
            b->sealed = leat_batch_end(d->s, b->handle) == LEAT_OK;
        }
    }
    for (uint32_t step = 0; step < DRAIN_STEPS_MAX && d->live > 0; ++step) {
        for (uint32_t i = 0; i < d->wish_count; ++i) {
            release(d, &d->wishes[i]);
            bind(d, &d->wishes[i], false);
        }
        update(d, (step + 1) * NS_PER_MS, 0);
    }
    for (uint32_t i = 0; i < d->wish_count && d->live > 0; ++i) {
        const wish *w = &d->wishes[i];
        if (w->state == WISH_LIVE) {
            fprintf(stderr,
                    "request %u (bind %d, %llu bytes, pack %u, asset %u) lives: asked %d, cancelled %d, silent %d\n", i,
                    (int)w->bind, (unsigned long long)w->size, w->pack, w->asset, w->asked, w->cancelled, w->silent);
        }
    }
    FUZZ_CHECK(d->live == 0, "requests do not end");
    for (uint32_t i = 0; i < d->wish_count; ++i) {
        release(d, &d->wishes[i]);
    }
    for (uint32_t i = 0; i < 4 + BATCH_COUNT_MAX; ++i) {
        update(d, NS_PER_MS, 0);
    }
    for (uint32_t i = 0; i < BATCH_COUNT_MAX; ++i) {
        FUZZ_CHECK(!d->batches[i].live, "a batch does not end");
    }
    leat_stats stats;
    leat_stats_get(d->s, &stats);
    FUZZ_CHECK(stats.lent_bytes_used == 0, "memory stays lent");
    FUZZ_CHECK(stats.pool_bytes_used == 0, "the pool stays used");
    FUZZ_CHECK(stats.requests_live == 0, "requests stay alive");
    FUZZ_CHECK(stats.bytes_in_flight == 0 && stats.reads_in_flight == 0, "reads stay in flight");
    FUZZ_CHECK(stats.requests_ready + stats.requests_failed + stats.requests_cancelled == d->submitted,
               "the counts do not add up");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static uint8_t room[MEMORY_MAX];
    static day today;
    if (whole[0].bytes == NULL) {
        make_packs();
    }
    fuzz_memory_reset();
    day *d = &today;
    *d = (day){ .script = { .at = bytes, .left = size }, .memory = room };
    take_faults(d);
    create(d);
    damage_packs(d);
    bool drains = u8(d) < 0xe0; /* else it is destroyed in the middle of it */
    for (uint32_t p = 0; p < PACK_COUNT; ++p) {
        open_pack(d, p);
    }
    for (uint32_t i = 0; i < CALL_COUNT_MAX && d->script.left > 0; ++i) {
        call(d);
    }
    if (drains) {
        drain(d);
    }
    leat_destroy(d->s);
    FUZZ_CHECK(fuzz_memory_live() == 0, "memory was not freed");
    for (uint32_t p = 0; p < PACK_COUNT; ++p) {
        if (d->may_fail) {
            write_pack(p, whole[p].bytes);
        }
    }
    return 0;
}
