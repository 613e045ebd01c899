/* sim_setup.c - what a seed has drawn, and the streamer that is made of it. */
#include "sim_world.h"

#include <stdlib.h>

#define OVERTAKING_WINDOW_BYTES 4096u
#define ORDERED_WINDOW_BYTES 4096u

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
    size_t least = size >= KEPT_BYTES_MIN ? 4096 : CACHE_LINE_SIZE; /* kept ones must do for whoever comes next */
    if (block == NULL && posix_memalign(&block, alignment > least ? alignment : least, size) != 0) {
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

/* Swarm: each kind of fault is in a run or not, so that rare combinations come up. */
static void draw_faults(sim *m)
{
    leat_sim_desc *d = &m->device;
    m->memory_rate = chance(m, 20) ? 1 + (uint32_t)below(m, 9) : 0;
    if (chance(m, 10)) {
        d->serial_at_ns = 1 + below(m, 20 * NS_PER_MS);
    }
    uint32_t *const mended[] = { &d->short_read_rate, &d->eagain_rate, &d->eintr_rate, &d->spike_rate };
    uint32_t *const final[] = { &d->eio_rate, &d->bit_flip_rate, &d->end_of_file_rate };
    for (size_t i = 0; i < COUNT_OF(mended); ++i) {
        *mended[i] = chance(m, 50) ? (uint32_t)below(m, 100) : 0;
    }
    for (size_t i = 0; i < COUNT_OF(final); ++i) {
        *final[i] = chance(m, 30) ? (uint32_t)below(m, 100) : 0;
        m->may_fail |= *final[i] != 0;
    }
    d->fail_all = chance(m, 3);
    m->may_fail |= d->fail_all;
    if (chance(m, 10)) {
        d->stall_at_ns = 1 + below(m, 50 * NS_PER_MS);
        d->stall_ns = 2 * NS_PER_S;
    }
    if (chance(m, 10)) {
        d->halve_at_ns = 1 + below(m, 50 * NS_PER_MS);
    }
    if (chance(m, 5)) { /* read number so-and-so, on top of the rates */
        d->fault = (leat_sim_fault)below(m, LEAT_SIM_FAULT_BIT_FLIP + 1);
        d->fault_first = 1 + below(m, 50);
        d->fault_count = 1 + below(m, 5);
        m->may_fail |=
            d->fault != LEAT_SIM_FAULT_EAGAIN && d->fault != LEAT_SIM_FAULT_EINTR && d->fault != LEAT_SIM_FAULT_SHORT;
    }
}

void setup_draw(sim *m)
{
    static const char *const presets[] = { "nvme", "sata", "sd", "hdd", "nvme7" };
    sim_kind kind = m->library->kind;
    m->device = leat_sim_preset(presets[below(m, COUNT_OF(presets))]);
    m->device.seed = random_draw(&m->random);
    m->device.counts = &m->happened;
    m->device.scribbles = true; /* who looks at a buffer too early is seen */
    m->fair_weather = kind != SIM_ANYTHING || chance(m, 15);
    m->watched_order = kind == SIM_ORDER;
    m->share_weight = 1 + (uint32_t)below(m, 4);
    m->loose = chance(m, 12);
    m->traced = chance(m, 10);
    if (kind == SIM_ORDER || kind == SIM_SHARES) {
        m->device = (leat_sim_desc){ .seed = 1, .channel_count = 1, .scribbles = true, .counts = &m->happened };
    } else if (chance(m, 50)) {
        m->device.decode_bytes_per_second = UINT64_C(1000000) << below(m, 10);
    }
    if (!m->fair_weather) {
        draw_faults(m);
    }
    bool flips = m->device.bit_flip_rate > 0 || m->device.fault == LEAT_SIM_FAULT_BIT_FLIP;
    m->loose &= !flips; /* loose files have no hash: a device that lies about them is believed */
    TALLY_IF(m, SEEDS_FAIR, m->fair_weather);
    TALLY_IF(m, SEEDS_FAULTY, !m->fair_weather);
    TALLY_IF(m, SEEDS_FAIL_ALL, m->device.fail_all);
    TALLY_IF(m, SEEDS_NO_MEMORY, m->memory_rate > 0);
}

/* What the kind of seed asks for, over what was drawn. */
static void fit_to_kind(sim *m, leat_desc *desc)
{
    switch (m->library->kind) {
    case SIM_ANYTHING:
        return;
    case SIM_OVERTAKING:
        desc->window_bytes = desc->read_bytes_max = OVERTAKING_WINDOW_BYTES;
        desc->request_count_max = 1024;
        break;
    case SIM_ORDER:
    case SIM_SHARES:
        desc->window_bytes = desc->read_bytes_max = ORDERED_WINDOW_BYTES;
        desc->request_count_max = 256;
        desc->direct = LEAT_DEFAULT;
        desc->client_weights[1] = m->share_weight;
        break;
    }
    desc->event_count_max = 256;
    desc->ageing_ns = 0;
}

bool setup_create(sim *m)
{
    leat_desc desc = { .backend = LEAT_BACKEND_SIM,
                       .stepped = true,
                       .sim = &m->device,
                       .logger = { .log = quiet },
                       .allocator = { .allocate = sim_allocate, .free = sim_free, .user = m },
                       .memory_bytes_max = POOL_BYTES + LENT_BYTES,
                       .pool_bytes = POOL_BYTES,
                       .lent_bytes = LENT_BYTES,
                       .huge_pages = LEAT_OFF,
                       .trace_event_count = m->traced ? 64u : 0u };
    desc.request_count_max = 16u << below(m, 7);
    desc.batch_count_max = 1 + (uint32_t)below(m, 8);
    desc.pack_count_max = MOUNT_COUNT + (uint32_t)below(m, 2);
    desc.event_count_max = 1u << below(m, 8);
    desc.window_bytes = chance(m, 40) ? 4096u << below(m, 6) : 0;
    desc.read_bytes_max = 4096u << below(m, 8);
    desc.read_gap_max = (uint32_t)below(m, 20000) + 1;
    desc.ageing_ns = chance(m, 30) ? NS_PER_MS : 0;
    desc.client_weights[1] = (uint32_t)below(m, 5);
    desc.direct = chance(m, 20) ? LEAT_OFF : LEAT_DEFAULT;
    fit_to_kind(m, &desc);
    m->calm = desc.window_bytes != 0 && chance(m, 50);
    m->in_flight_max = desc.window_bytes + u32_max(desc.read_bytes_max, 16u << 10) + 2 * LEAT_PACK_ALIGNMENT;
    leat_result result = leat_create(&desc, &m->s);
    if (result == LEAT_ERROR_MEMORY && m->memory_refused) {
        CHECK(m, m->s == NULL && m->allocated == 0, "create failed, and left %lld bytes", (long long)m->allocated);
        TALLY(m, CREATE_REFUSED);
        m->memory_rate = 0; /* the engine has made room */
        result = leat_create(&desc, &m->s);
    }
    CHECK(m, result == LEAT_OK, "create: %s", leat_result_text(result));
    m->event_fd = result == LEAT_OK && chance(m, 10) ? leat_event_fd(m->s) : -1;
    if (result == LEAT_OK && m->traced) {
        CHECK(m, leat_trace_start(m->s) == LEAT_OK, "a trace cannot be started");
        TALLY(m, TRACED);
    }
    return result == LEAT_OK;
}

/* Damaged packs are refused, and whoever tries again with a whole one is served. */
static void open_damaged(sim *m)
{
    int64_t before = m->allocated;
    leat_pack handle;
    leat_error error = { 0 };
    leat_result result = leat_pack_open(m->s, m->library->damaged.path, &(leat_pack_desc){ .error = &error }, &handle);
    CHECK(m, result != LEAT_OK, "a damaged pack was opened");
    CHECK(m, error.result == result && error.text[0] != '\0', "a pack was refused, and nothing was said");
    CHECK(m, m->allocated == before, "a damaged pack left %lld bytes", (long long)(m->allocated - before));
    TALLY_IF(m, PACKS_DAMAGED, result != LEAT_ERROR_FULL && result != LEAT_ERROR_MEMORY);
}

void setup_open(sim *m, uint32_t i)
{
    sim_mount *mount = &m->mounts[i];
    if (chance(m, 10)) {
        open_damaged(m);
    }
    int64_t before = m->allocated;
    m->memory_refused = false;
    int32_t layer = (int32_t)below(m, 3);
    leat_result result =
        leat_pack_open(m->s, m->library->contents[i].path, &(leat_pack_desc){ .layer = layer }, &mount->handle);
    bool no_memory = result == LEAT_ERROR_MEMORY && m->memory_refused;
    /* FULL: the slot of the last one may wait for its last read */
    CHECK(m, result == LEAT_OK || result == LEAT_ERROR_FULL || no_memory, "pack_open: %s", leat_result_text(result));
    CHECK(m, result == LEAT_OK || m->allocated == before, "pack_open failed, and left %lld bytes",
          (long long)(m->allocated - before));
    TALLY_IF(m, PACKS_NO_MEMORY, no_memory);
    TALLY_IF(m, PACKS_REOPENED, result == LEAT_OK && mount->order != 0);
    mount->open = result == LEAT_OK;
    mount->content = i;
    mount->layer = layer;
    if (mount->open) {
        mount->order = ++m->mount_order;
        for (uint32_t name = 0; name < NAME_COUNT_MAX; ++name) {
            mount->ids[name] = 0;
        }
        ops_learn(m, i);
    }
}
