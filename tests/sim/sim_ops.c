/* sim_ops.c - what an engine does, drawn at random. */
#include "sim_world.h"

#include <poll.h>
#include <stdlib.h>

#define BATCH_MEMBERS_MAX 12u
#define GROUP_MAX 8u /* requests of one leat_submit */
#define SUBMITS_MAX 30u

static wish *random_wish(sim *m)
{
    return m->wish_count == 0 ? NULL : &m->wishes[below(m, m->wish_count)];
}

leat_priority ops_priority(sim *m)
{
    leat_priority priority = (leat_priority)below(m, LEAT_PRIORITY_COUNT);
    return m->calm && priority == LEAT_URGENT ? LEAT_HIGH : priority;
}

/* ---- Updates ---- */

static uint32_t take_all(sim *m, leat_events events)
{
    for (uint32_t i = 0; i < events.count; ++i) {
        model_take(m, &events.items[i]);
    }
    model_check_budget(m);
    peek_bounds(m->s, m->tally);
    TALLY_IF(m, UPDATES_CUT, peek_events_wait(m->s));
    if (m->event_fd >= 0) {
        struct pollfd look = { .fd = m->event_fd, .events = POLLIN };
        bool readable = poll(&look, 1, 0) == 1;
        CHECK(m, readable || !peek_events_wait(m->s), "events wait, and the descriptor is not readable");
        TALLY_IF(m, DESCRIPTOR_READY, readable);
    }
    return events.count;
}

uint32_t ops_update(sim *m, uint64_t advance_ns)
{
    m->now_ns += advance_ns;
    leat_tick tick = { .now_ns = m->now_ns,
                       .event_count_max = chance(m, 30) ? 1 + (uint32_t)below(m, 10) : 0,
                       .time_ns_max = chance(m, 5) ? NS_PER_MS : 0 };
    return take_all(m, leat_update(m->s, &tick));
}

static void op_update(sim *m)
{
    ops_update(m, below(m, 3) == 0 ? below(m, 20 * NS_PER_MS) : below(m, NS_PER_MS));
}

/* Waits until something comes; nobody knows how long that is but the streamer. */
static void op_wait(sim *m)
{
    leat_events events = leat_wait(m->s, below(m, 5 * NS_PER_MS));
    uint64_t now_ns = peek_now_ns(m->s);
    CHECK(m, now_ns >= m->now_ns, "time went back");
    m->now_ns = now_ns;
    TALLY_IF(m, WAITS, events.count > 0);
    TALLY_IF(m, TIMEOUTS, events.count == 0);
    take_all(m, events);
}

/* ---- Requests ---- */

wish *ops_wish(sim *m, leat_bind_kind bind)
{
    if (m->wish_count == WISH_COUNT_MAX) {
        return NULL;
    }
    wish *w = &m->wishes[m->wish_count];
    *w = (wish){ .bind = bind, .level = UINT32_MAX, .part = TALLY_REQUESTS_WHOLE };
    return w;
}

void ops_taken(sim *m, wish *w)
{
    w->state = WISH_LIVE;
    ++m->wish_count;
    ++m->live;
    ++m->report->requests;
    TALLY(m, REQUESTS);
    ++m->tally->counts[w->part];
    TALLY_IF(m, REQUESTS_EMPTY, w->size == 0);
    TALLY_IF(m, DEADLINES, w->deadline_ns != 0);
}

/* Some part of an asset. */
static leat_part draw_part(sim *m, wish *w)
{
    const sim_content *content = &m->library->contents[w->content];
    uint32_t levels = sim_level_count(content, w->asset);
    uint64_t raw = content->pack.assets[w->asset].raw_size;
    leat_part part = { 0 };
    w->offset = 0;
    w->size = raw;
    if (levels > 0 && chance(m, 70)) {
        bool mips = content->pack.assets[w->asset].type == LEAT_ASSET_TEXTURE;
        part.kind = mips ? LEAT_PART_MIPS : LEAT_PART_LODS;
        part.first = (uint32_t)below(m, levels);
        part.count = chance(m, 30) ? 1 + (uint32_t)below(m, levels - part.first) : 0;
        sim_extent e =
            sim_levels(content, w->asset, part.first, part.count == 0 ? UINT32_MAX : part.first + part.count);
        w->offset = e.offset;
        w->size = e.size;
        w->level = part.count == 0 ? part.first : UINT32_MAX;
        w->part = !mips ? TALLY_REQUESTS_LODS : part.count == 0 ? TALLY_REQUESTS_MIPS : TALLY_REQUESTS_MIP_RUN;
    } else if (chance(m, 50)) {
        w->offset = below(m, raw + 1);
        w->size = below(m, raw - w->offset + 1);
        part = (leat_part){ .kind = LEAT_PART_BYTES, .offset = w->offset, .size = w->size };
        w->part = TALLY_REQUESTS_BYTES;
    } else {
        w->level = levels > 0 ? 0 : UINT32_MAX;
        w->part = TALLY_REQUESTS_WHOLE;
    }
    return part;
}

/* The handle of an asset: from a position, or, as engines do, kept from when its name was first seen. */
static leat_asset draw_handle(sim *m, const wish *w)
{
    const sim_mount *mount = &m->mounts[w->mount];
    uint32_t id = mount->ids[m->library->contents[w->content].names[w->asset]];
    leat_asset asset = leat_asset_at(m->s, mount->handle, w->asset);
    CHECK(m, asset.index == id, "asset %u has handle %u, its name has %u", w->asset, asset.index, id);
    TALLY_IF(m, REQUESTS_BY_OLD_HANDLE, id != w->asset + 1);
    return asset;
}

/* Some time to come. For what can be coarser, often one that is too soon for all of it, and perhaps not for less. */
static uint64_t draw_deadline(sim *m, const wish *w, const leat_read_desc *read)
{
    leat_estimate_info info;
    if (w->level == UINT32_MAX || chance(m, 50) || leat_estimate(m->s, read, &info) != LEAT_OK) {
        return m->now_ns + 1 + below(m, 100 * NS_PER_MS);
    }
    return m->now_ns + 1 + (info.ready_ns - m->now_ns) * below(m, 100) / 100;
}

/* A wish and its desc, for the next leat_submit. False: nothing can be asked for. batch: number plus one; 0: none. */
static bool draw_request(sim *m, leat_priority priority, uint32_t batch, wish *w, leat_read_desc *read)
{
    uint32_t p = (uint32_t)below(m, PACK_COUNT);
    if (!m->mounts[p].open) {
        return false;
    }
    bool silent = batch != 0 && m->crews[batch - 1].only_end;
    *w = (wish){ .mount = p,
                 .content = m->mounts[p].content,
                 .bind = silent ? LEAT_BIND_CALLER : (leat_bind_kind)below(m, 3),
                 .level = UINT32_MAX,
                 .batch = batch,
                 .priority = m->calm && priority == LEAT_URGENT ? LEAT_HIGH : priority,
                 .client = (uint32_t)below(m, 3),
                 .tag = below(m, 8) };
    const test_pack *pack = &m->library->contents[w->content].pack;
    w->asset = (uint32_t)below(m, pack->asset_count);
    *read = (leat_read_desc){ .asset = draw_handle(m, w),
                              .part = draw_part(m, w),
                              .priority = w->priority,
                              .client = w->client,
                              .batch = batch != 0 ? m->crews[batch - 1].handle : (leat_batch){ 0 },
                              .tag = w->tag,
                              .bind = w->bind };
    w->expected = pack->raw + pack->assets[w->asset].raw_offset + w->offset;
    w->degrade = chance(m, 20);
    read->flags = w->degrade ? LEAT_READ_DEGRADE : 0;
    if (chance(m, w->degrade ? 40 : 20)) { /* the others may get one later */
        w->deadline_ns = read->deadline_ns = draw_deadline(m, w, read);
        w->deadline_count = 1;
    }
    leat_estimate_info info;
    if (w->degrade && w->deadline_ns == 0 && leat_estimate(m->s, read, &info) == LEAT_OK) {
        w->estimate_ns = info.ready_ns - m->now_ns;
    }
    if (w->bind == LEAT_BIND_CALLER) {
        w->memory = malloc(w->size + 1);
        read->memory = w->memory;
        read->memory_size = w->size;
    }
    return true;
}

/* Makes a desc one that must be refused. Returns with what. */
static leat_result spoil(sim *m, leat_read_desc *read)
{
    switch (below(m, 5)) {
    case 4:
        read->flags |= 1u << (1 + below(m, 31));
        return LEAT_ERROR_ARGUMENT;
    case 0:
        read->priority = LEAT_PRIORITY_COUNT;
        return LEAT_ERROR_ARGUMENT;
    case 1:
        read->client = LEAT_CLIENT_COUNT;
        return LEAT_ERROR_ARGUMENT;
    case 2:
        read->asset.pack.generation += 7;
        return LEAT_ERROR_STALE;
    default:
        read->part = (leat_part){ .kind = LEAT_PART_BYTES, .offset = UINT64_MAX, .size = 2 };
        return LEAT_ERROR_ARGUMENT;
    }
}

/* Up to `count` requests in one call. Returns how many were taken. */
static uint32_t submit(sim *m, leat_priority priority, uint32_t count, uint32_t batch)
{
    leat_read_desc descs[GROUP_MAX];
    leat_request handles[GROUP_MAX];
    uint32_t drawn = 0, taken = 0;
    while (drawn < count && m->wish_count + drawn < WISH_COUNT_MAX &&
           draw_request(m, priority, batch, &m->wishes[m->wish_count + drawn], &descs[drawn])) {
        descs[drawn].user = m->wish_count + drawn;
        ++drawn;
    }
    if (drawn == 0) {
        return 0;
    }
    uint32_t bad = chance(m, 2) ? (uint32_t)below(m, drawn) : drawn;
    leat_result refusal = bad < drawn ? spoil(m, &descs[bad]) : LEAT_OK;
    leat_result result = leat_submit(m->s, descs, drawn, handles, &taken);
    CHECK(m, result == LEAT_ERROR_FULL ? taken <= bad : result == refusal && taken == bad, "submit: %s, %u of %u taken",
          leat_result_text(result), taken, drawn);
    TALLY_IF(m, SUBMIT_FULL, result == LEAT_ERROR_FULL);
    TALLY_IF(m, SUBMIT_BAD, result == refusal && bad < drawn);
    TALLY_ADD(m, REQUESTS_TOGETHER, taken > 1 ? taken : 0);
    wish *first = &m->wishes[m->wish_count];
    for (uint32_t i = 0; i < drawn; ++i) {
        if (i < taken) {
            first[i].handle = handles[i];
            ops_taken(m, &first[i]);
        } else {
            free(first[i].memory);
            first[i] = (wish){ 0 };
        }
    }
    return taken;
}

bool ops_submit(sim *m, leat_priority priority)
{
    return submit(m, priority, 1, 0) == 1;
}

static void op_submit(sim *m)
{
    for (uint64_t i = below(m, SUBMITS_MAX); i > 0;) {
        uint32_t count = chance(m, 30) ? 1 + (uint32_t)below(m, GROUP_MAX) : 1;
        submit(m, (leat_priority)below(m, LEAT_PRIORITY_COUNT), count, 0);
        i -= u64_min(i, count);
    }
}

/* Its members' events are not told, so it may have ended. */
static bool is_silent(const sim *m, const wish *w)
{
    return w->batch != 0 && m->crews[w->batch - 1].only_end;
}

static void note_cancel(sim *m, wish *w, peek_stage stage)
{
    static const sim_tally_name tallies[PEEK_STAGE_COUNT] = {
        [PEEK_MAILED] = TALLY_CANCEL_MAILED,   [PEEK_QUEUED] = TALLY_CANCEL_QUEUED,
        [PEEK_WAITING] = TALLY_CANCEL_WAITING, [PEEK_NEEDS_BIND] = TALLY_CANCEL_NEEDS_BIND,
        [PEEK_READING] = TALLY_CANCEL_READING, [PEEK_DECODING] = TALLY_CANCEL_DECODING,
        [PEEK_ENDED] = TALLY_CANCEL_READY,
    };
    w->cancel_accepted = true;
    ++m->tally->counts[tallies[stage]];
}

static void op_cancel(sim *m)
{
    wish *w = random_wish(m);
    if (w == NULL) {
        return;
    }
    peek_stage stage = peek_request(m->s, w->handle);
    leat_result result = leat_cancel(m->s, w->handle);
    if (w->state == WISH_LIVE) {
        CHECK(m, result == LEAT_OK || is_silent(m, w), "cancel of a live request: %s", leat_result_text(result));
        if (result == LEAT_OK) {
            note_cancel(m, w, stage);
        }
    } else {
        CHECK(m, result == LEAT_ERROR_STALE || w->lent, "cancel of an ended request: %s", leat_result_text(result));
        TALLY_IF(m, CANCEL_STALE, result == LEAT_ERROR_STALE);
    }
}

/* Some that live, some that have ended, some twice; none of which one cannot know. Returns how many. */
static uint32_t draw_wishes(sim *m, wish **drawn)
{
    uint32_t count = 0;
    for (uint64_t i = 1 + below(m, GROUP_MAX); i > 0; --i) {
        wish *w = random_wish(m);
        if (w != NULL && !is_silent(m, w)) {
            drawn[count++] = w;
        }
    }
    return count;
}

static void op_cancel_many(sim *m)
{
    wish *drawn[GROUP_MAX];
    leat_request handles[GROUP_MAX];
    peek_stage stages[GROUP_MAX];
    uint32_t count = draw_wishes(m, drawn), live = 0, cancelled = UINT32_MAX;
    if (count == 0) {
        return;
    }
    for (uint32_t i = 0; i < count; ++i) {
        handles[i] = drawn[i]->handle;
        stages[i] = peek_request(m->s, handles[i]);
        live += drawn[i]->state == WISH_LIVE;
    }
    leat_result result = leat_cancel_many(m->s, handles, count, &cancelled);
    CHECK(m, cancelled == live && result == (live == count ? LEAT_OK : LEAT_ERROR_STALE),
          "cancel of %u, of which %u live: %s, %u cancelled", count, live, leat_result_text(result), cancelled);
    for (uint32_t i = 0; i < count; ++i) {
        if (drawn[i]->state == WISH_LIVE) {
            note_cancel(m, drawn[i], stages[i]);
        }
    }
    TALLY_ADD(m, CANCEL_TOGETHER, live > 1 ? live : 0);
    TALLY_IF(m, CANCEL_SOME_STALE, live > 0 && live < count);
}

/* None, some time to come, or what is too soon for all of it, and perhaps not for less. */
static uint64_t draw_new_deadline(sim *m, const wish *w)
{
    if (w->estimate_ns != 0 && chance(m, 80)) {
        return m->now_ns + 1 + w->estimate_ns * below(m, 100) / 100;
    }
    return chance(m, 50) ? m->now_ns + 1 + below(m, 50 * NS_PER_MS) : 0;
}

static void note_change(sim *m, wish *w, uint64_t deadline_ns, peek_stage stage)
{
    w->deadline_count += deadline_ns != 0;
    TALLY_IF(m, CHANGE_QUEUED, w->state == WISH_LIVE && stage == PEEK_QUEUED);
    TALLY_IF(m, CHANGE_READING, w->state == WISH_LIVE && stage == PEEK_READING);
    TALLY_IF(m, CHANGE_DECODING, w->state == WISH_LIVE && stage == PEEK_DECODING);
}

static void op_reprioritise(sim *m)
{
    wish *w = random_wish(m);
    if (w == NULL) {
        return;
    }
    peek_stage stage = peek_request(m->s, w->handle);
    leat_priority priority = ops_priority(m);
    uint64_t deadline_ns = draw_new_deadline(m, w);
    leat_result result = leat_reprioritise(m->s, w->handle, priority, deadline_ns);
    CHECK(m, w->state != WISH_LIVE || w->batch != 0 || result == LEAT_OK || result == LEAT_ERROR_FULL,
          "reprioritise: %s", leat_result_text(result));
    if (result == LEAT_OK) {
        note_change(m, w, deadline_ns, stage);
    }
    TALLY_IF(m, COMMANDS_FULL, result == LEAT_ERROR_FULL);
}

/* One that has ended is stale, or will be after the next update: nobody has to know. */
static void op_reprioritise_many(sim *m)
{
    wish *drawn[GROUP_MAX];
    leat_reprioritise_desc orders[GROUP_MAX];
    peek_stage stages[GROUP_MAX];
    uint32_t count = draw_wishes(m, drawn), ended = 0, taken = UINT32_MAX;
    if (count == 0) {
        return;
    }
    for (uint32_t i = 0; i < count; ++i) {
        orders[i] = (leat_reprioritise_desc){ .request = drawn[i]->handle, .priority = ops_priority(m) };
        orders[i].deadline_ns = draw_new_deadline(m, drawn[i]);
        stages[i] = peek_request(m->s, drawn[i]->handle);
        ended += drawn[i]->state != WISH_LIVE;
    }
    uint32_t bad = chance(m, 5) ? (uint32_t)below(m, count) : count;
    if (bad < count) {
        orders[bad].priority = LEAT_PRIORITY_COUNT;
    }
    leat_result result = leat_reprioritise_many(m->s, orders, count, &taken);
    bool whole = result == LEAT_OK || (result == LEAT_ERROR_STALE && ended > 0);
    CHECK(m,
          result == LEAT_ERROR_FULL ? taken < count && taken <= bad
                                    : taken == bad && (bad < count ? result == LEAT_ERROR_ARGUMENT : whole),
          "reprioritise of %u, of which %u have ended: %s, %u taken", count, ended, leat_result_text(result), taken);
    for (uint32_t i = 0; i < taken; ++i) {
        note_change(m, drawn[i], orders[i].deadline_ns, stages[i]);
    }
    TALLY_ADD(m, CHANGE_TOGETHER, taken > 1 ? taken : 0);
    TALLY_IF(m, CHANGE_BAD, result == LEAT_ERROR_ARGUMENT);
    TALLY_IF(m, COMMANDS_FULL, result == LEAT_ERROR_FULL);
}

/* ---- Selections ---- */

static bool same_pack(leat_pack a, leat_pack b)
{
    return a.index == b.index && a.generation == b.generation;
}

/* A selection is carried out by the I/O thread: whoever it meets may end as cancelled, or be ready first. */
void ops_exempt(sim *m, const leat_selection *selection)
{
    for (uint32_t i = 0; i < m->wish_count; ++i) {
        wish *w = &m->wishes[i];
        bool met = w->state == WISH_LIVE &&
                   (selection->tag_mask == 0 || (w->tag & selection->tag_mask) == selection->tag) &&
                   (selection->pack.generation == 0 || same_pack(selection->pack, m->mounts[w->mount].handle)) &&
                   (selection->batch.generation == 0 ||
                    (w->batch != 0 && m->crews[w->batch - 1].handle.index == selection->batch.index &&
                     m->crews[w->batch - 1].handle.generation == selection->batch.generation));
        w->exempt |= met;
    }
}

static void op_where(sim *m)
{
    uint64_t kind = below(m, 4);
    bool cancels = chance(m, 50);
    leat_selection selection = { 0 };
    const crew *k = m->crew_count > 0 ? &m->crews[below(m, m->crew_count)] : NULL;
    const sim_mount *mount = &m->mounts[below(m, MOUNT_COUNT)];
    if (kind == 0) {
        selection.tag_mask = 7;
        selection.tag = below(m, 8);
    } else if (kind == 1 && k != NULL && !k->ended) {
        selection.batch = k->handle;
    } else if (kind == 2 && mount->open) {
        selection.pack = mount->handle;
    } else if (kind == 3 && chance(m, 20)) {
        selection.all = true;
    } else {
        return;
    }
    static const sim_tally_name tallies[2][4] = {
        { TALLY_CHANGE_TAG, TALLY_CHANGE_BATCH, TALLY_CHANGE_PACK, TALLY_CHANGE_ALL },
        { TALLY_CANCEL_TAG, TALLY_CANCEL_BATCH, TALLY_CANCEL_PACK, TALLY_CANCEL_ALL },
    };
    leat_result result =
        cancels ? leat_cancel_where(m->s, &selection) : leat_reprioritise_where(m->s, &selection, ops_priority(m), 0);
    CHECK(m, result == LEAT_OK || result == LEAT_ERROR_FULL, "a selection: %s", leat_result_text(result));
    TALLY_IF(m, COMMANDS_FULL, result == LEAT_ERROR_FULL);
    m->tally->counts[tallies[cancels][kind]] += result == LEAT_OK;
    if (cancels && result == LEAT_OK) {
        ops_exempt(m, &selection);
    }
}

/* More commands than the queue has room for: each is refused or carried out, and none is lost. */
static void op_flood(sim *m)
{
    for (uint32_t i = 0; i < 100; ++i) {
        op_reprioritise(m);
        op_reprioritise_many(m);
    }
}

/* ---- Batches ---- */

void ops_seal(sim *m, crew *k)
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
    *k = (crew){ .only_end = chance(m, 50), .fence_value = chance(m, 50) ? m->crew_count + 1 : 0 };
    leat_batch_desc desc = { .user = BATCH_USER + m->crew_count,
                             .only_end = k->only_end,
                             .fence = k->fence_value != 0 ? &k->fence : NULL,
                             .fence_value = k->fence_value };
    leat_result result = leat_batch_begin(m->s, &desc, &k->handle);
    CHECK(m, result == LEAT_OK || result == LEAT_ERROR_FULL, "batch_begin: %s", leat_result_text(result));
    TALLY_IF(m, BATCH_FULL, result == LEAT_ERROR_FULL);
    if (result != LEAT_OK) {
        return;
    }
    uint32_t number = ++m->crew_count;
    for (uint64_t i = below(m, BATCH_MEMBERS_MAX); i > 0; --i) {
        k->member_count += submit(m, (leat_priority)below(m, LEAT_PRIORITY_COUNT), 1, number);
        if (chance(m, 10)) {
            ops_update(m, below(m, NS_PER_MS));
            CHECK(m, k->fence == 0, "the fence of a batch that is open is set");
        }
    }
    if (chance(m, 70)) { /* the others in the drain */
        ops_seal(m, k);
    }
}

/* ---- Questions ---- */

/* An estimate changes nothing, and is not in the past. */
static void op_estimate(sim *m)
{
    const sim_mount *mount = &m->mounts[below(m, PACK_COUNT)];
    uint64_t asset_count = m->library->contents[mount->content].pack.asset_count;
    leat_read_desc read = { .asset = leat_asset_at(m->s, mount->handle, (uint32_t)below(m, asset_count)),
                            .priority = (leat_priority)below(m, LEAT_PRIORITY_COUNT) };
    leat_estimate_info info;
    leat_result result = leat_estimate(m->s, &read, &info);
    CHECK(m, result == (mount->open ? LEAT_OK : LEAT_ERROR_STALE), "estimate: %s", leat_result_text(result));
    CHECK(m, result != LEAT_OK || info.ready_ns >= m->now_ns, "an estimate lies in the past");
    TALLY_IF(m, ESTIMATES, result == LEAT_OK);
}

/* A name is found in the highest layer that has it, and of equal ones in the pack that was opened last. */
static void op_find(sim *m)
{
    uint32_t name = (uint32_t)below(m, NAME_COUNT_MAX), having = 0;
    const sim_mount *best = NULL;
    uint64_t hash = 0;
    for (uint32_t i = 0; i < PACK_COUNT; ++i) {
        const sim_mount *mount = &m->mounts[i];
        const sim_content *content = &m->library->contents[mount->content];
        if (!mount->open || content->positions[name] == 0) {
            continue;
        }
        ++having;
        hash = content->pack.assets[content->positions[name] - 1].name_hash;
        if (best == NULL || mount->layer > best->layer || (mount->layer == best->layer && mount->order > best->order)) {
            best = mount;
        }
    }
    if (best == NULL) {
        return;
    }
    leat_asset found = leat_asset_find(m->s, hash);
    CHECK(m, same_pack(found.pack, best->handle) && found.index == best->ids[name],
          "name %u is found as %u of pack %u instead of %u of %u", name, found.index, found.pack.index, best->ids[name],
          best->handle.index);
    TALLY_IF(m, FOUND_LAYERED, having > 1);
}

/* A handle whose name the pack has no asset of at present is refused, and nothing else happens. */
static void op_vanished(sim *m)
{
    const sim_mount *mount = &m->mounts[below(m, PACK_COUNT)];
    for (uint32_t name = 0; name < NAME_COUNT_MAX && mount->open; ++name) {
        if (mount->ids[name] == 0 || m->library->contents[mount->content].positions[name] != 0) {
            continue;
        }
        leat_read_desc read = { .asset = { .pack = mount->handle, .index = mount->ids[name] } };
        leat_result result = leat_read(m->s, &read, NULL);
        CHECK(m, result == LEAT_ERROR_NOT_FOUND, "a read of an asset that has vanished: %s", leat_result_text(result));
        TALLY(m, ASSETS_GONE);
    }
}

/* ---- Packs ---- */

void ops_learn(sim *m, uint32_t i)
{
    sim_mount *mount = &m->mounts[i];
    const sim_content *content = &m->library->contents[mount->content];
    for (uint32_t k = 0; k < content->pack.asset_count; ++k) {
        leat_asset asset = leat_asset_find_in(m->s, mount->handle, content->pack.assets[k].name_hash);
        uint32_t *id = &mount->ids[content->names[k]];
        CHECK(m, asset.index != 0 && (*id == 0 || *id == asset.index), "asset %u: its handle was %u and is %u",
              content->names[k], *id, asset.index);
        *id = asset.index;
    }
}

static void op_close(sim *m)
{
    uint32_t p = (uint32_t)below(m, PACK_COUNT);
    sim_mount *mount = &m->mounts[p];
    if (!mount->open) {
        setup_open(m, p);
        return;
    }
    ops_exempt(m, &(leat_selection){ .pack = mount->handle });
    CHECK(m, leat_pack_close(m->s, mount->handle) == LEAT_OK, "close of an open pack was refused");
    CHECK(m, leat_pack_close(m->s, mount->handle) == LEAT_ERROR_STALE, "a pack was closed twice");
    mount->open = false;
    model_forget_notes(m, mount->handle);
    TALLY(m, PACKS_CLOSED);
}

static bool busy(const sim *m, uint32_t p)
{
    for (uint32_t i = 0; i < m->wish_count; ++i) {
        if (m->wishes[i].state == WISH_LIVE && m->wishes[i].mount == p) {
            return true;
        }
    }
    return false;
}

/* Other content for an open pack, whatever is in flight on it. A damaged one is refused, and the old one stays. */
static void op_replace(sim *m)
{
    uint32_t p = (uint32_t)below(m, PACK_COUNT);
    sim_mount *mount = &m->mounts[p];
    uint32_t content = p + PACK_COUNT * (uint32_t)below(m, VERSION_COUNT);
    bool damaged = chance(m, 15);
    m->memory_refused = false;
    const char *path = damaged ? m->library->damaged.path : m->library->contents[content].path;
    leat_result result = leat_pack_swap(m->s, mount->handle, path, NULL);
    bool refused = result == LEAT_ERROR_FULL || (result == LEAT_ERROR_MEMORY && m->memory_refused);
    TALLY_IF(m, SWAPS_FULL, result == LEAT_ERROR_FULL);
    if (!mount->open) {
        CHECK(m, result == LEAT_ERROR_STALE, "swap of a closed pack: %s", leat_result_text(result));
        return;
    }
    if (damaged) {
        CHECK(m, result != LEAT_OK, "a damaged pack was swapped in");
        TALLY_IF(m, SWAPS_DAMAGED, !refused);
        return;
    }
    CHECK(m, result == LEAT_OK || refused, "swap: %s", leat_result_text(result));
    if (result != LEAT_OK) {
        return;
    }
    uint8_t changes[NAME_COUNT_MAX];
    for (uint32_t name = 0; name < NAME_COUNT_MAX; ++name) {
        const sim_content *from = &m->library->contents[mount->content], *to = &m->library->contents[content];
        changes[name] = (uint8_t)sim_change(from, to, name);
    }
    mount->content = content;
    ops_learn(m, p);
    model_note_swap(m, p, changes);
    TALLY(m, SWAPS);
    TALLY_IF(m, SWAPS_BUSY, busy(m, p));
}

void ops_release(sim *m)
{
    for (uint32_t i = 0; i < m->wish_count; ++i) {
        if (m->wishes[i].lent) {
            CHECK(m, leat_release(m->s, m->wishes[i].handle) == LEAT_OK, "release was refused");
            CHECK(m, leat_release(m->s, m->wishes[i].handle) == LEAT_ERROR_STALE, "memory was released twice");
            m->wishes[i].lent = false;
        }
    }
}

/* ---- The draw ---- */

#define WEIGHT_SUM 1090u

typedef struct operation {
    uint32_t weight; /* of WEIGHT_SUM */
    void (*run)(sim *m);
    bool of_folder;
} operation;

void ops_step(sim *m)
{
    static const operation operations[] = {
        { 340, op_submit, false },
        { 270, op_update, false },
        { 20, op_wait, false },
        { 85, op_cancel, false },
        { 15, op_cancel_many, false },
        { 50, op_reprioritise, false },
        { 20, op_reprioritise_many, false },
        { 30, op_where, false },
        { 30, op_batch, false },
        { 15, op_estimate, false },
        { 15, op_find, false },
        { 5, op_vanished, false },
        { 2, op_flood, false },
        { 28, op_close, false },
        { 25, op_replace, false },
        { 50, ops_release, false },
        { 60, files_read, true },
        { 20, files_replace, true },
        { 10, files_list, true },
    };
    uint64_t choice = below(m, WEIGHT_SUM);
    uint32_t i = 0;
    while (i + 1 < COUNT_OF(operations) && choice >= operations[i].weight) {
        choice -= operations[i].weight;
        ++i;
    }
    (m->loose || !operations[i].of_folder ? operations[i].run : op_update)(m);
}
