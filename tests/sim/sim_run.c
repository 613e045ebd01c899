/* sim_run.c - see sim_run.h. */
#include "sim_run.h"

#include "test_pack.h"

#include <leat/leat.h>
#include <leat/sim.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define PACK_COUNT 2u
#define VERSION_COUNT 2u /* of each pack, swapped while it is open */
#define CONTENT_COUNT (PACK_COUNT * VERSION_COUNT)
#define WISH_COUNT_MAX 4000u
#define STEPS_MAX 120u
#define CROWD_BYTES_MIN (1u << 20) /* of packs whose requests do not all share a few chunks; the window is 16 KiB */
#define DRAIN_STEPS_MAX 20000u
#define BATCH_COUNT_MAX 64u
#define BATCH_MEMBERS_MAX 12u
#define BATCH_USER UINT64_C(1000000) /* a batch's `user` is this and its number */
#define POOL_BYTES MIB(4)
#define LENT_BYTES MIB(2)
#define SCRATCH_BYTES MIB(2) /* of the one worker that a stepped streamer is: mapped, not allocated */
#define ORDERED_WINDOW_BYTES 4096u
#define ORDERED_CHUNK_RAW_SIZE 8192u

typedef enum wish_state { WISH_NONE = 0, WISH_LIVE, WISH_ENDED } wish_state;

/* The model's side of a request; its number is the request's `user`. */
typedef struct wish {
    wish_state state;
    leat_request handle;
    uint32_t pack;
    uint32_t content; /* version of the pack that was shown at submit: the bytes are of that one */
    uint32_t asset;
    uint64_t offset, size; /* of the asset's bytes */
    leat_bind_kind bind;
    uint8_t *memory; /* CALLER and LATE: ours */
    uint32_t batch; /* number, plus one; 0: none */
    leat_priority priority;
    bool cancel_accepted, asked, lent, exempt;
} wish;

/* The model's side of a batch. */
typedef struct crew {
    leat_batch handle;
    uint32_t member_count, failed_count;
    bool only_end, sealed, ended;
} crew;

typedef struct sim {
    uint64_t random;
    sim_report *report;
    test_pack packs[CONTENT_COUNT]; /* of pack p: p, p + PACK_COUNT, ... */
    char paths[CONTENT_COUNT][64];
    int fds[CONTENT_COUNT];
    uint32_t shown[PACK_COUNT]; /* content of each pack */
    leat_pack handles[PACK_COUNT];
    bool open[PACK_COUNT];
    leat_streamer *s;
    leat_sim_desc device;
    bool may_fail; /* faults that retries cannot mend */
    bool fair_weather; /* no faults at all */
    bool probing; /* set up so that urgent requests must overtake */
    bool ordered; /* set up so that the order of ends is that of the classes */
    bool calm; /* no urgent requests: the window bounds all that is in flight */
    bool disordered; /* ordered: that part is over */
    uint64_t in_flight_max; /* calm: what it may come to */
    crew crews[BATCH_COUNT_MAX];
    uint32_t crew_count;
    wish *wishes;
    uint32_t wish_count, live;
    uint64_t now_ns;
    int64_t allocated;
    uint32_t memory_rate; /* percent of allocations that are refused */
    bool memory_refused; /* some was */
    uint64_t hash;
} sim;

static uint64_t draw(sim *m)
{
    uint64_t z = (m->random += UINT64_C(0x9e3779b97f4a7c15)); /* SplitMix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t below(sim *m, uint64_t bound)
{
    return draw(m) % bound;
}

static bool chance(sim *m, uint32_t percent)
{
    return below(m, 100) < percent;
}

#define CHECK(m, condition, ...)                                                                                       \
    do {                                                                                                               \
        if (!(condition) && (m)->report->failure[0] == '\0') {                                                         \
            snprintf((m)->report->failure, sizeof((m)->report->failure), __VA_ARGS__);                                 \
        }                                                                                                              \
    } while (0)

/* ---- Set-up ---- */

#ifdef __SANITIZE_ADDRESS__
#define KEPT_BYTES_MIN SIZE_MAX /* none: a block that is used after its end must be noticed */
#else
#define KEPT_BYTES_MIN 32768u
#endif
#define KEPT_COUNT_MAX 32u

/* Large blocks are kept from seed to seed: to have their pages made anew each time takes longer than the seed. */
typedef struct kept_block {
    void *block;
    size_t size;
} kept_block;
static kept_block kept_blocks[KEPT_COUNT_MAX];

static void *kept_take(size_t size)
{
    for (uint32_t i = 0; i < KEPT_COUNT_MAX; ++i) {
        void *block = kept_blocks[i].block;
        if (block != NULL && kept_blocks[i].size == size) {
            kept_blocks[i].block = NULL;
            return block;
        }
    }
    return NULL;
}

static bool kept_put(void *block, size_t size)
{
    for (uint32_t i = 0; i < KEPT_COUNT_MAX && size >= KEPT_BYTES_MIN; ++i) {
        if (kept_blocks[i].block == NULL) {
            kept_blocks[i] = (kept_block){ .block = block, .size = size };
            return true;
        }
    }
    return false;
}

static void *sim_allocate(size_t size, size_t alignment, void *user)
{
    sim *m = user;
    if (m->memory_rate > 0 && chance(m, m->memory_rate)) {
        m->memory_refused = true;
        return NULL;
    }
    void *block = kept_take(size);
    if (block == NULL && posix_memalign(&block, u32_max((uint32_t)alignment, 4096), size) != 0) {
        return NULL;
    }
    m->allocated += (int64_t)size;
    return block;
}

static void sim_free(void *block, size_t size, void *user)
{
    sim *m = user;
    m->allocated -= (int64_t)size;
    if (!kept_put(block, size)) {
        free(block);
    }
}

static void quiet(leat_log_level level, const char *text, void *user)
{
    (void)level;
    (void)text;
    (void)user;
}

static void publish(sim *m, uint32_t i)
{
    m->fds[i] = memfd_create("leat-sim", MFD_CLOEXEC);
    if (m->fds[i] < 0 || write(m->fds[i], m->packs[i].bytes, m->packs[i].size) != (ssize_t)m->packs[i].size) {
        abort();
    }
    snprintf(m->paths[i], sizeof(m->paths[i]), "/proc/self/fd/%d", m->fds[i]);
}

static void make_pack(sim *m, uint32_t i)
{
    bool large =
        m->probing || chance(m, 15); /* large enough that lent memory runs out, and that few requests share a chunk */
    test_pack_desc desc = { .seed = draw(m),
                            .asset_count = 3 + (uint32_t)below(m, large ? 15 : 40),
                            .size_min = (uint32_t)below(m, 2) * 100,
                            .size_max = m->probing ? 250000
                                        : large    ? 100000
                                                   : 200 + (uint32_t)below(m, 12000),
                            .chunk_raw_size = 1024u << below(m, 5),
                            .stored_every = (uint32_t)below(m, 4) };
    if (m->ordered) { /* each chunk is a read of its own */
        desc.asset_count = 40;
        desc.size_min = desc.size_max = ORDERED_CHUNK_RAW_SIZE;
        desc.chunk_raw_size = ORDERED_CHUNK_RAW_SIZE;
        desc.stored_every = 1;
    }
    test_pack_make(&desc, &m->packs[i]);
    publish(m, i);
    desc.variant = 1 + below(m, 1000);
    desc.variant_every = 1 + (uint32_t)below(m, 5);
    desc.asset_count += (uint32_t)below(m, 3); /* names come and go */
    test_pack_make(&desc, &m->packs[i + PACK_COUNT]);
    publish(m, i + PACK_COUNT);
}

/* Swarm: each kind of fault is in a run or not, so that rare combinations come up. */
static void choose_faults(sim *m)
{
    static const char *const presets[] = { "nvme", "sata", "sd", "hdd", "nvme7" };
    m->device = leat_sim_preset(presets[below(m, 5)]);
    m->device.seed = draw(m);
    if (chance(m, 30)) {
        m->fair_weather = true;
        m->probing = chance(m, 30);
        m->ordered = !m->probing && chance(m, 30);
        if (m->ordered) {
            m->device = (leat_sim_desc){ .seed = 1, .channel_count = 1 };
        }
        return;
    }
    m->memory_rate = chance(m, 20) ? 1 + (uint32_t)below(m, 9) : 0;
    if (chance(m, 10)) {
        m->device.serial_at_ns = 1 + below(m, 20 * NS_PER_MS);
    }
    uint32_t *const mended[] = { &m->device.short_read_rate, &m->device.eagain_rate, &m->device.eintr_rate,
                                 &m->device.spike_rate };
    uint32_t *const final[] = { &m->device.eio_rate, &m->device.bit_flip_rate, &m->device.end_of_file_rate };
    for (size_t i = 0; i < COUNT_OF(mended); ++i) {
        *mended[i] = chance(m, 50) ? (uint32_t)below(m, 100) : 0;
    }
    for (size_t i = 0; i < COUNT_OF(final); ++i) {
        *final[i] = chance(m, 30) ? (uint32_t)below(m, 100) : 0;
        m->may_fail |= *final[i] != 0;
    }
    m->device.fail_all = chance(m, 3);
    m->may_fail |= m->device.fail_all;
    if (chance(m, 10)) {
        m->device.stall_at_ns = 1 + below(m, 50 * NS_PER_MS);
        m->device.stall_ns = 2 * NS_PER_S;
    }
}

static bool create(sim *m)
{
    leat_desc desc = { .backend = LEAT_BACKEND_SIM,
                       .stepped = true,
                       .sim = &m->device,
                       .logger = { .log = quiet },
                       .allocator = { .allocate = sim_allocate, .free = sim_free, .user = m },
                       .memory_bytes_max = MIB(8),
                       .pool_bytes = POOL_BYTES,
                       .lent_bytes = LENT_BYTES,
                       .huge_pages = LEAT_OFF };
    desc.request_count_max = 16u << below(m, 7);
    desc.batch_count_max = 1 + (uint32_t)below(m, 8);
    desc.pack_count_max = PACK_COUNT + (uint32_t)below(m, 2);
    desc.event_count_max = 1u << below(m, 8);
    desc.window_bytes = chance(m, 40) ? 4096u << below(m, 6) : 0;
    desc.read_bytes_max = 4096u << below(m, 8);
    desc.read_gap_max = (uint32_t)below(m, 20000) + 1;
    desc.ageing_ns = chance(m, 30) ? NS_PER_MS : 0;
    desc.client_weights[1] = (uint32_t)below(m, 5);
    desc.direct = chance(m, 20) ? LEAT_OFF : LEAT_DEFAULT;
    if (m->probing) {
        desc.window_bytes = desc.read_bytes_max = 16u << 10;
        desc.request_count_max = 1024;
        desc.event_count_max = 256;
        desc.ageing_ns = 0;
    }
    if (m->ordered) {
        desc.window_bytes = desc.read_bytes_max = ORDERED_WINDOW_BYTES;
        desc.request_count_max = 256;
        desc.event_count_max = 256;
        desc.ageing_ns = 0;
        desc.direct = LEAT_DEFAULT;
    }
    m->calm = desc.window_bytes != 0 && chance(m, 50);
    m->in_flight_max = desc.window_bytes + u32_max(desc.read_bytes_max, 16u << 10) + 2 * LEAT_PACK_ALIGNMENT;
    leat_result result = leat_create(&desc, &m->s);
    if (result == LEAT_ERROR_MEMORY && m->memory_refused) {
        CHECK(m, m->s == NULL && m->allocated == 0, "create failed, and left %lld bytes", (long long)m->allocated);
        m->memory_rate = 0; /* the engine has made room */
        result = leat_create(&desc, &m->s);
    }
    CHECK(m, result == LEAT_OK, "create: %s", leat_result_text(result));
    return result == LEAT_OK;
}

static void open_pack(sim *m, uint32_t i)
{
    int64_t before = m->allocated;
    m->memory_refused = false;
    leat_result result =
        leat_pack_open(m->s, m->paths[i], &(leat_pack_desc){ .layer = (int32_t)below(m, 3) }, &m->handles[i]);
    /* FULL: the slot of the last one may wait for its last read */
    CHECK(m, result == LEAT_OK || result == LEAT_ERROR_FULL || (result == LEAT_ERROR_MEMORY && m->memory_refused),
          "pack_open: %s", leat_result_text(result));
    CHECK(m, result == LEAT_OK || m->allocated == before, "pack_open failed, and left %lld bytes",
          (long long)(m->allocated - before));
    m->open[i] = result == LEAT_OK;
    m->shown[i] = i;
}

/* ---- The model takes events ---- */

/* In the ordered set-up nothing that needs a read of its own may end before what is of a better class. */
static void check_order(sim *m, const wish *w)
{
    static const uint32_t rank[] = { [LEAT_URGENT] = 0, [LEAT_HIGH] = 1, [LEAT_NORMAL] = 2, [LEAT_PREFETCH] = 3 };
    for (uint32_t i = 0; i < m->wish_count; ++i) {
        const wish *other = &m->wishes[i];
        CHECK(m, other->state != WISH_LIVE || rank[other->priority] >= rank[w->priority],
              "a request of class %d ended before one of class %d", (int)w->priority, (int)other->priority);
    }
}

static void end_wish(sim *m, wish *w)
{
    w->state = WISH_ENDED;
    --m->live;
    if (w->memory != NULL && w->bind != LEAT_BIND_LEAT) {
        free(w->memory);
        w->memory = NULL;
    }
}

static void check_ready(sim *m, wish *w, const leat_event *e)
{
    const test_pack *pack = &m->packs[w->content];
    const uint8_t *expected = pack->raw + pack->assets[w->asset].raw_offset + w->offset;
    CHECK(m, !w->cancel_accepted, "request %llu: READY after an accepted cancel", (unsigned long long)e->user);
    CHECK(m, e->size == w->size, "request %llu: %llu bytes instead of %llu", (unsigned long long)e->user,
          (unsigned long long)e->size, (unsigned long long)w->size);
    CHECK(m, e->size == 0 || e->data != NULL, "request %llu: no data", (unsigned long long)e->user);
    if (e->size == w->size && e->size > 0 && e->data != NULL) {
        CHECK(m, memcmp(e->data, expected, e->size) == 0, "request %llu: wrong bytes", (unsigned long long)e->user);
    }
    if (w->bind == LEAT_BIND_LEAT && e->size > 0) {
        w->lent = true;
        if (!chance(m, 30)) { /* the others are released later */
            CHECK(m, leat_release(m->s, e->request) == LEAT_OK, "release was refused");
            w->lent = false;
        }
    }
}

/* Members of a batch that tells its end only: what they got is in their memory. */
static void end_silent_member(sim *m, wish *w, bool all_ready)
{
    const test_pack *pack = &m->packs[w->content];
    CHECK(m, w->state == WISH_LIVE, "a member of a silent batch has ended by itself");
    if (all_ready && !w->cancel_accepted && !w->exempt && w->size > 0) {
        CHECK(m, memcmp(w->memory, pack->raw + pack->assets[w->asset].raw_offset + w->offset, w->size) == 0,
              "a member of a batch has wrong bytes");
    }
    if (w->state == WISH_LIVE) {
        end_wish(m, w);
    }
}

static void take_batch(sim *m, const leat_event *e)
{
    uint64_t number = e->user - BATCH_USER;
    CHECK(m, number < m->crew_count, "an event for a batch that was never made");
    crew *k = &m->crews[number < m->crew_count ? number : 0];
    CHECK(m, k->sealed && !k->ended, "batch %llu: it ended twice, or before it was closed", (unsigned long long)number);
    CHECK(m, e->count == k->member_count, "batch %llu: %u of %u members", (unsigned long long)number, e->count,
          k->member_count);
    CHECK(m, k->only_end || e->failed_count == k->failed_count, "batch %llu: %u failures instead of %u",
          (unsigned long long)number, e->failed_count, k->failed_count);
    CHECK(m, e->failed_count == 0 || m->may_fail, "a batch has failures, although no fault is final");
    k->ended = true;
    for (uint32_t i = 0; i < m->wish_count; ++i) {
        wish *w = &m->wishes[i];
        if (w->batch != number + 1) {
            continue;
        }
        if (k->only_end) {
            end_silent_member(m, w, e->failed_count == 0);
        }
        CHECK(m, w->state == WISH_ENDED, "batch %llu: it ended before a member", (unsigned long long)number);
    }
}

static void take_event(sim *m, const leat_event *e)
{
    const uint64_t words[6] = { (uint64_t)e->type, (uint64_t)(int64_t)e->result, e->user, e->size, e->latency_ns,
                                m->now_ns };
    m->hash = XXH64(words, sizeof(words), m->hash);
    ++m->report->events;
    if (e->type == LEAT_EVENT_BATCH) {
        take_batch(m, e);
        return;
    }
    if (e->type == LEAT_EVENT_RELOADED) {
        return;
    }
    CHECK(m, e->user < m->wish_count, "an event for a request that was never made");
    wish *w = &m->wishes[e->user < m->wish_count ? e->user : 0];
    CHECK(m, w->state == WISH_LIVE, "request %llu: event %d after its end", (unsigned long long)e->user, (int)e->type);
    if (w->state != WISH_LIVE) {
        return;
    }
    switch (e->type) {
    case LEAT_EVENT_NEEDS_MEMORY:
        CHECK(m, !w->asked && w->bind == LEAT_BIND_LATE, "request %llu: memory asked for twice",
              (unsigned long long)e->user);
        CHECK(m, e->size == w->size, "request %llu: asks for %llu bytes", (unsigned long long)e->user,
              (unsigned long long)e->size);
        w->asked = true;
        w->memory = malloc(e->size);
        if (m->memory_rate > 0 && chance(m, m->memory_rate)) { /* the engine has none either */
            w->cancel_accepted |= leat_cancel(m->s, e->request) == LEAT_OK;
        } else if (chance(m, 80)) {
            (void)!leat_bind(m->s, e->request, w->memory, e->size);
        } /* else: bound in the drain */
        break;
    case LEAT_EVENT_READY:
        check_ready(m, w, e);
        end_wish(m, w);
        if (m->ordered && !m->disordered) {
            check_order(m, w);
        }
        break;
    case LEAT_EVENT_FAILED:
        if (w->batch != 0) {
            ++m->crews[w->batch - 1].failed_count;
        }
        CHECK(m, m->may_fail, "request %llu: failed with %s, although no fault is final", (unsigned long long)e->user,
              leat_result_text(e->result));
        end_wish(m, w);
        break;
    case LEAT_EVENT_CANCELLED:
        CHECK(m, w->cancel_accepted || w->exempt, "request %llu: cancelled by nobody", (unsigned long long)e->user);
        end_wish(m, w);
        break;
    case LEAT_EVENT_LATE:
    case LEAT_EVENT_BATCH:
    case LEAT_EVENT_RELOADED:
        break;
    }
}

/* What is used is what was allowed, and what is counted is what was taken. */
static void check_budget(sim *m)
{
    leat_stats stats;
    leat_stats_get(m->s, &stats);
    CHECK(m, stats.pool_bytes_used <= POOL_BYTES, "%llu bytes of the pool", (unsigned long long)stats.pool_bytes_used);
    CHECK(m, stats.lent_bytes_used <= LENT_BYTES, "%llu bytes are lent", (unsigned long long)stats.lent_bytes_used);
    CHECK(m, stats.memory_bytes == POOL_BYTES + LENT_BYTES + SCRATCH_BYTES + (uint64_t)m->allocated,
          "%llu bytes are counted, %llu were taken", (unsigned long long)stats.memory_bytes,
          (unsigned long long)m->allocated + POOL_BYTES + LENT_BYTES + SCRATCH_BYTES);
    CHECK(m, !m->calm || stats.bytes_in_flight <= m->in_flight_max, "%llu bytes are in flight, at most %llu may be",
          (unsigned long long)stats.bytes_in_flight, (unsigned long long)m->in_flight_max);
}

static uint32_t update(sim *m, uint64_t advance_ns)
{
    m->now_ns += advance_ns;
    leat_tick tick = { .now_ns = m->now_ns, .event_count_max = chance(m, 30) ? 1 + (uint32_t)below(m, 10) : 0 };
    leat_events events = leat_update(m->s, &tick);
    for (uint32_t i = 0; i < events.count; ++i) {
        take_event(m, &events.items[i]);
    }
    check_budget(m);
    return events.count;
}

/* ---- Random operations ---- */

static wish *random_wish(sim *m)
{
    return m->wish_count == 0 ? NULL : &m->wishes[below(m, m->wish_count)];
}

/* batch: number plus one; 0: none. */
static bool submit(sim *m, leat_priority priority, uint32_t batch)
{
    uint32_t p = (uint32_t)below(m, PACK_COUNT);
    if (!m->open[p] || m->wish_count == WISH_COUNT_MAX) {
        return false;
    }
    wish *w = &m->wishes[m->wish_count];
    *w = (wish){ .state = WISH_LIVE,
                 .pack = p,
                 .content = m->shown[p],
                 .asset = (uint32_t)below(m, m->packs[m->shown[p]].asset_count),
                 .bind = (leat_bind_kind)below(m, 3),
                 .batch = batch,
                 .priority = m->calm && priority == LEAT_URGENT ? LEAT_HIGH : priority };
    if (batch != 0 && m->crews[batch - 1].only_end) {
        w->bind = LEAT_BIND_CALLER;
    }
    uint64_t raw = m->packs[w->content].assets[w->asset].raw_size;
    w->size = raw;
    leat_read_desc read = { .asset = leat_asset_at(m->s, m->handles[p], w->asset),
                            .priority = w->priority,
                            .client = (uint32_t)below(m, 3),
                            .batch = batch != 0 ? m->crews[batch - 1].handle : (leat_batch){ 0 },
                            .tag = below(m, 8),
                            .bind = w->bind,
                            .user = m->wish_count };
    if (chance(m, 50)) {
        w->offset = below(m, raw + 1);
        w->size = below(m, raw - w->offset + 1);
        read.part = (leat_part){ .kind = LEAT_PART_BYTES, .offset = w->offset, .size = w->size };
    }
    if (chance(m, 30)) {
        read.deadline_ns = m->now_ns + 1 + below(m, 100 * NS_PER_MS);
    }
    if (w->bind == LEAT_BIND_CALLER) {
        w->memory = malloc(w->size + 1);
        read.memory = w->memory;
        read.memory_size = w->size;
    }
    leat_result result = leat_read(m->s, &read, &w->handle);
    CHECK(m, result == LEAT_OK || result == LEAT_ERROR_FULL, "submit: %s", leat_result_text(result));
    if (result == LEAT_OK) {
        ++m->wish_count;
        ++m->live;
        ++m->report->requests;
    } else {
        free(w->memory);
        *w = (wish){ 0 };
    }
    return result == LEAT_OK;
}

static void op_submit(sim *m, leat_priority priority)
{
    submit(m, priority, 0);
}

static void seal(sim *m, crew *k)
{
    CHECK(m, leat_batch_end(m->s, k->handle) == LEAT_OK, "a batch cannot be ended");
    CHECK(m, leat_batch_end(m->s, k->handle) == LEAT_ERROR_STALE, "a batch was ended twice");
    k->sealed = true;
}

static void op_batch(sim *m)
{
    if (m->crew_count == BATCH_COUNT_MAX) {
        return;
    }
    crew *k = &m->crews[m->crew_count];
    *k = (crew){ .only_end = chance(m, 50) };
    leat_batch_desc desc = { .user = BATCH_USER + m->crew_count, .only_end = k->only_end };
    leat_result result = leat_batch_begin(m->s, &desc, &k->handle);
    CHECK(m, result == LEAT_OK || result == LEAT_ERROR_FULL, "batch_begin: %s", leat_result_text(result));
    if (result != LEAT_OK) {
        return;
    }
    ++m->crew_count;
    for (uint64_t i = below(m, BATCH_MEMBERS_MAX); i > 0; --i) {
        k->member_count += submit(m, (leat_priority)below(m, 4), m->crew_count);
        if (chance(m, 10)) {
            update(m, below(m, NS_PER_MS));
        }
    }
    if (chance(m, 70)) { /* the others in the drain */
        seal(m, k);
    }
}

/* An estimate changes nothing, and is not in the past. */
static void op_estimate(sim *m)
{
    uint32_t p = (uint32_t)below(m, PACK_COUNT);
    leat_read_desc read = { .asset = leat_asset_at(m->s, m->handles[p], (uint32_t)below(m, m->packs[p].asset_count)),
                            .priority = (leat_priority)below(m, 4) };
    leat_estimate_info info;
    leat_result result = leat_estimate(m->s, &read, &info);
    CHECK(m, result == (m->open[p] ? LEAT_OK : LEAT_ERROR_STALE), "estimate: %s", leat_result_text(result));
    CHECK(m, result != LEAT_OK || info.ready_ns >= m->now_ns, "an estimate lies in the past");
}

static void op_cancel(sim *m)
{
    wish *w = random_wish(m);
    if (w == NULL) {
        return;
    }
    leat_result result = leat_cancel(m->s, w->handle);
    if (w->state == WISH_LIVE) {
        bool silent = w->batch != 0 && m->crews[w->batch - 1].only_end; /* it may have ended, and nobody was told */
        CHECK(m, result == LEAT_OK || silent, "cancel of a live request: %s", leat_result_text(result));
        w->cancel_accepted |= result == LEAT_OK;
    } else {
        CHECK(m, result == LEAT_ERROR_STALE || w->lent, "cancel of an ended request: %s", leat_result_text(result));
    }
}

static leat_priority any_priority(sim *m)
{
    leat_priority priority = (leat_priority)below(m, 4);
    return m->calm && priority == LEAT_URGENT ? LEAT_HIGH : priority;
}

static void op_reprioritise(sim *m)
{
    wish *w = random_wish(m);
    if (w != NULL) {
        leat_result result = leat_reprioritise(m->s, w->handle, any_priority(m), chance(m, 50) ? m->now_ns + 1 : 0);
        CHECK(m, w->state != WISH_LIVE || w->batch != 0 || result == LEAT_OK || result == LEAT_ERROR_FULL,
              "reprioritise: %s", leat_result_text(result));
    }
}

/* A selection is carried out by the I/O thread: whoever it meets may end as cancelled, or be ready first. */
static void op_where(sim *m)
{
    leat_selection selection = { .tag_mask = 7, .tag = below(m, 8) };
    if (chance(m, 50)) {
        (void)!leat_reprioritise_where(m->s, &selection, any_priority(m), 0);
        return;
    }
    (void)!leat_cancel_where(m->s, &selection);
    for (uint32_t i = 0; i < m->wish_count; ++i) {
        m->wishes[i].exempt |= m->wishes[i].state == WISH_LIVE;
    }
}

static void op_swap(sim *m)
{
    uint32_t p = (uint32_t)below(m, PACK_COUNT);
    if (!m->open[p]) {
        open_pack(m, p);
        return;
    }
    CHECK(m, leat_pack_close(m->s, m->handles[p]) == LEAT_OK, "close of an open pack was refused");
    CHECK(m, leat_pack_close(m->s, m->handles[p]) == LEAT_ERROR_STALE, "a pack was closed twice");
    m->open[p] = false;
    for (uint32_t i = 0; i < m->wish_count; ++i) {
        m->wishes[i].exempt |= m->wishes[i].state == WISH_LIVE && m->wishes[i].pack == p;
    }
}

/* Other content for an open pack, whatever is in flight on it. */
static void op_replace(sim *m)
{
    uint32_t p = (uint32_t)below(m, PACK_COUNT);
    uint32_t content = p + PACK_COUNT * (uint32_t)below(m, VERSION_COUNT);
    leat_result result = leat_pack_swap(m->s, m->handles[p], m->paths[content], NULL);
    bool refused = result == LEAT_ERROR_FULL || (result == LEAT_ERROR_MEMORY && m->memory_refused);
    CHECK(m, m->open[p] ? result == LEAT_OK || refused : result == LEAT_ERROR_STALE, "swap: %s",
          leat_result_text(result));
    if (result == LEAT_OK) {
        m->shown[p] = content;
    }
}

static void op_release(sim *m)
{
    for (uint32_t i = 0; i < m->wish_count; ++i) {
        if (m->wishes[i].lent) {
            CHECK(m, leat_release(m->s, m->wishes[i].handle) == LEAT_OK, "release was refused");
            CHECK(m, leat_release(m->s, m->wishes[i].handle) == LEAT_ERROR_STALE, "memory was released twice");
            m->wishes[i].lent = false;
        }
    }
}

static void step(sim *m)
{
    uint64_t choice = below(m, 100);
    if (choice < 3) {
        op_batch(m);
    } else if (choice < 5) {
        op_estimate(m);
    } else if (choice < 40) {
        for (uint64_t i = below(m, 30); i > 0; --i) {
            op_submit(m, (leat_priority)below(m, 4));
        }
    } else if (choice < 50) {
        op_cancel(m);
    } else if (choice < 57) {
        op_reprioritise(m);
    } else if (choice < 60) {
        op_where(m);
    } else if (choice < 63) {
        op_swap(m);
    } else if (choice < 65) {
        op_replace(m);
    } else if (choice < 70) {
        op_release(m);
    } else {
        update(m, below(m, 3) == 0 ? below(m, 20 * NS_PER_MS) : below(m, NS_PER_MS));
    }
}

/* ---- Quiet, and the end ---- */

/* Everything must end, in bounded steps, once nobody asks for more and all memory is given. */
static void drain(sim *m)
{
    for (uint32_t i = 0; i < m->crew_count; ++i) {
        if (!m->crews[i].sealed) {
            seal(m, &m->crews[i]);
        }
    }
    for (uint32_t i = 0; i < DRAIN_STEPS_MAX && m->live > 0 && m->report->failure[0] == '\0'; ++i) {
        op_release(m);
        for (uint32_t k = 0; k < m->wish_count; ++k) {
            wish *w = &m->wishes[k];
            if (w->state == WISH_LIVE && w->asked) {
                (void)!leat_bind(m->s, w->handle, w->memory, w->size); /* again, perhaps: the second means nothing */
            }
        }
        update(m, (i + 1) * NS_PER_MS);
    }
    CHECK(m, m->live == 0, "%u requests have not ended in %u steps", m->live, DRAIN_STEPS_MAX);
    op_release(m);
    uint32_t quiet_updates = 0; /* batches and reloads are told after the last request, a few at a time */
    for (uint32_t i = 0; i < DRAIN_STEPS_MAX && quiet_updates < 2; ++i) {
        quiet_updates = update(m, NS_PER_MS) == 0 ? quiet_updates + 1 : 0;
    }
    for (uint32_t i = 0; i < m->crew_count; ++i) {
        CHECK(m, m->crews[i].ended, "batch %u has not ended", i);
    }
    leat_stats stats;
    leat_stats_get(m->s, &stats);
    CHECK(m, stats.lent_bytes_used == 0, "%llu bytes are still lent", (unsigned long long)stats.lent_bytes_used);
    CHECK(m, stats.pool_bytes_used == 0, "%llu bytes of the pool are still used",
          (unsigned long long)stats.pool_bytes_used);
    CHECK(m, stats.requests_live == 0, "%u requests are still alive", stats.requests_live);
    CHECK(m, stats.bytes_in_flight == 0, "%llu bytes are still in flight", (unsigned long long)stats.bytes_in_flight);
    CHECK(m, stats.requests_ready + stats.requests_failed + stats.requests_cancelled == m->report->requests,
          "the counts do not add up");
}

/* In fair weather, with a small window: a crowd of prefetches of many windows' worth first, then one urgent request. It
 * must not wait for the crowd. */
static void probe_priority(sim *m)
{
    uint32_t before = m->wish_count;
    for (uint32_t i = 0; i < 300 && m->wish_count < WISH_COUNT_MAX; ++i) {
        op_submit(m, LEAT_PREFETCH);
    }
    uint32_t crowd = m->wish_count - before;
    uint32_t urgent = m->wish_count;
    for (uint32_t i = 0; i < 50 && m->wish_count == urgent; ++i) {
        op_submit(m, LEAT_URGENT);
    }
    if (crowd < 100 || m->wish_count == urgent || m->wishes[urgent].bind == LEAT_BIND_LATE ||
        m->wishes[urgent].size == 0) {
        return; /* tables too small, or it waits for us */
    }
    uint64_t crowd_bytes = 0, overtaken = 0;
    for (uint32_t i = before; i < urgent; ++i) {
        crowd_bytes += m->wishes[i].size;
    }
    for (uint32_t i = 0; i < DRAIN_STEPS_MAX && m->wishes[urgent].state == WISH_LIVE; ++i) {
        op_release(m);
        update(m, 20 * NS_PER_US);
    }
    for (uint32_t i = before; i < urgent; ++i) {
        overtaken += m->wishes[i].state == WISH_ENDED ? m->wishes[i].size : 0;
    }
    /* What was in flight, or came with it, may be before; half of many windows may not. */
    CHECK(m, m->packs[0].raw_size + m->packs[1].raw_size < CROWD_BYTES_MIN || overtaken <= crowd_bytes / 2,
          "an urgent request waited for %llu of %llu bytes of prefetches", (unsigned long long)overtaken,
          (unsigned long long)crowd_bytes);
}

/* In fair weather, with one read at a time and a chunk for each asset: requests of all classes that come together end
 * in the order of their classes. */
static void probe_order(sim *m)
{
    for (uint32_t i = 0; i < m->packs[0].asset_count; ++i) {
        wish *w = &m->wishes[m->wish_count];
        *w = (wish){ .state = WISH_LIVE, .asset = i, .bind = LEAT_BIND_CALLER, .priority = any_priority(m) };
        w->size = m->packs[0].assets[i].raw_size;
        w->memory = malloc(w->size);
        leat_read_desc read = { .asset = leat_asset_at(m->s, m->handles[0], i),
                                .priority = w->priority,
                                .bind = LEAT_BIND_CALLER,
                                .memory = w->memory,
                                .memory_size = w->size,
                                .user = m->wish_count };
        CHECK(m, leat_read(m->s, &read, &w->handle) == LEAT_OK, "submit was refused");
        ++m->wish_count;
        ++m->live;
        ++m->report->requests;
    }
    drain(m);
    m->disordered = true;
}

bool sim_run(uint64_t seed, sim_report *report)
{
    static sim world;
    sim *m = &world;
    *m = (sim){ .random = seed * UINT64_C(0x2545f4914f6cdd1d) + 1, .report = report };
    *report = (sim_report){ 0 };
    m->wishes = calloc(WISH_COUNT_MAX, sizeof(*m->wishes));
    choose_faults(m);
    for (uint32_t i = 0; i < PACK_COUNT; ++i) {
        make_pack(m, i);
    }
    if (create(m)) {
        for (uint32_t i = 0; i < PACK_COUNT; ++i) {
            open_pack(m, i);
        }
        if (m->probing) {
            update(m, 1);
            probe_priority(m);
            drain(m);
        }
        if (m->ordered) {
            probe_order(m);
        }
        for (uint64_t i = below(m, STEPS_MAX); i > 0 && report->failure[0] == '\0'; --i) {
            step(m);
        }
        if (!chance(m, 20)) { /* else: destroyed in the middle of it */
            drain(m);
        }
        leat_destroy(m->s);
        CHECK(m, m->allocated == 0, "%lld bytes were not freed", (long long)m->allocated);
    }
    for (uint32_t i = 0; i < m->wish_count; ++i) {
        if (m->wishes[i].bind != LEAT_BIND_LEAT) {
            free(m->wishes[i].memory);
        }
    }
    for (uint32_t i = 0; i < CONTENT_COUNT; ++i) {
        close(m->fds[i]);
        test_pack_free(&m->packs[i]);
    }
    free(m->wishes);
    report->trace_hash = m->hash;
    return report->failure[0] == '\0';
}
