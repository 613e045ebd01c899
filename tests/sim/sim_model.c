/* sim_model.c - events are held against what was promised. */
#include "sim_world.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define SCRATCH_BYTES (2 * (uint64_t)LEAT_PACK_CHUNK_RAW_MAX) /* of the one worker that a stepped streamer is */

/* ---- Requests ---- */

/* In this set-up nothing that needs a read of its own may end before what is of a better class. */
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

/* May this request end with a coarser part, from this level on? */
static bool coarser(const sim *m, const wish *w, uint32_t level, uint64_t *size)
{
    const sim_content *content = &m->library->contents[w->content];
    if (w->level == UINT32_MAX || level <= w->level || level >= sim_level_count(content, w->asset)) {
        return false;
    }
    *size = sim_levels(content, w->asset, level, UINT32_MAX).size;
    return true;
}

/* What was told of a coarser part: it is of this asset, and coarser than what was asked for. */
static void check_part(sim *m, const wish *w, const leat_event *e)
{
    uint64_t size;
    const leat_part *part = &e->part_possible;
    bool mesh =
        w->mount != FOLDER_MOUNT && m->library->contents[w->content].pack.assets[w->asset].type == LEAT_ASSET_MESH;
    CHECK(m,
          part->kind == (mesh ? LEAT_PART_LODS : LEAT_PART_MIPS) && part->count == 0 &&
              coarser(m, w, part->first, &size),
          "request %llu: a coarser part that is none: kind %d, from level %u on", (unsigned long long)e->user,
          (int)part->kind, part->first);
}

static void take_late(sim *m, wish *w, const leat_event *e)
{
    CHECK(m, ++w->late_count <= w->deadline_count, "request %llu: late for the %u. time, with %u deadlines",
          (unsigned long long)e->user, w->late_count, w->deadline_count);
    TALLY_IF(m, LATE_BY_ORDER, w->deadline_ns == 0);
    if (e->part_possible.kind == LEAT_PART_ALL) {
        TALLY(m, LATE_NOTHING);
        return;
    }
    TALLY(m, LATE_COARSER);
    check_part(m, w, e);
    CHECK(m, !w->degrade, "request %llu: told of a coarser part instead of taking it", (unsigned long long)e->user);
}

/* Is this a size that the request may end with? */
static bool size_allowed(const sim *m, const wish *w, uint64_t size)
{
    if (size == w->size) {
        return true;
    }
    for (uint32_t level = w->level + 1; w->degrade && level != 0; ++level) {
        uint64_t less;
        if (!coarser(m, w, level, &less)) {
            return false;
        }
        if (less == size) {
            return true;
        }
    }
    return false;
}

static void take_needs_memory(sim *m, wish *w, const leat_event *e)
{
    CHECK(m, !w->asked && w->bind == LEAT_BIND_LATE, "request %llu: memory asked for twice",
          (unsigned long long)e->user);
    CHECK(m, size_allowed(m, w, e->size), "request %llu: asks for %llu bytes", (unsigned long long)e->user,
          (unsigned long long)e->size);
    w->asked = true;
    w->memory = malloc(e->size);
    w->memory_size = e->size;
    if (chance(m, m->memory_rate)) { /* the engine has none either */
        w->cancel_accepted |= leat_cancel(m->s, e->request) == LEAT_OK;
        TALLY(m, BIND_NEVER);
    } else if (chance(m, 3)) {
        leat_result result = leat_bind(m->s, e->request, w->memory, e->size - 1);
        w->bound = w->too_small = result == LEAT_OK;
    } else if (chance(m, 80)) {
        w->bound = leat_bind(m->s, e->request, w->memory, e->size) == LEAT_OK;
    } /* else: bound in the drain */
}

static void tally_ready(sim *m, const wish *w, const leat_event *e)
{
    TALLY(m, READY);
    TALLY_IF(m, BIND_LEAT, w->bind == LEAT_BIND_LEAT);
    TALLY_IF(m, BIND_CALLER, w->bind == LEAT_BIND_CALLER);
    TALLY_IF(m, BIND_LATE, w->bind == LEAT_BIND_LATE);
    TALLY_IF(m, DEGRADED_MIPS, e->part_possible.kind == LEAT_PART_MIPS);
    TALLY_IF(m, DEGRADED_LODS, e->part_possible.kind == LEAT_PART_LODS);
}

static void check_ready(sim *m, wish *w, const leat_event *e)
{
    tally_ready(m, w, e);
    CHECK(m, !w->cancel_accepted, "request %llu: READY after an accepted cancel", (unsigned long long)e->user);
    CHECK(m, !w->too_small, "request %llu: READY in memory that is too small", (unsigned long long)e->user);
    uint64_t size = w->size;
    if (e->part_possible.kind != LEAT_PART_ALL) {
        CHECK(m, w->degrade && w->deadline_count != 0, "request %llu: coarser than asked for",
              (unsigned long long)e->user);
        TALLY_IF(m, DEGRADED_BY_ORDER, w->deadline_ns == 0);
        check_part(m, w, e);
        (void)!coarser(m, w, e->part_possible.first, &size);
    }
    CHECK(m, e->size == size, "request %llu: %llu bytes instead of %llu", (unsigned long long)e->user,
          (unsigned long long)e->size, (unsigned long long)size);
    CHECK(m, w->bind != LEAT_BIND_LATE || size == 0 || (w->asked && w->memory_size == size),
          "request %llu: %llu bytes into memory for %llu", (unsigned long long)e->user, (unsigned long long)size,
          (unsigned long long)w->memory_size);
    CHECK(m, e->size == 0 || e->data != NULL, "request %llu: no data", (unsigned long long)e->user);
    CHECK(m, w->memory == NULL || e->data == w->memory || size == 0, "request %llu: data are somewhere else",
          (unsigned long long)e->user);
    if (e->size == size && size > 0 && e->data != NULL) { /* coarser parts lie first */
        CHECK(m, memcmp(e->data, w->expected, size) == 0, "request %llu: wrong bytes", (unsigned long long)e->user);
    }
    w->size = size;
    if (w->bind == LEAT_BIND_LEAT && e->size > 0) {
        w->lent = true;
        if (!chance(m, 30)) { /* the others are released later */
            CHECK(m, leat_release(m->s, e->request) == LEAT_OK, "release was refused");
            w->lent = false;
        }
    }
}

static void check_failed(sim *m, const wish *w, const leat_event *e)
{
    bool gone = w->mount == FOLDER_MOUNT && m->files[w->asset].version != w->content &&
                (e->result == LEAT_ERROR_CHANGED || e->result == LEAT_ERROR_NOT_FOUND);
    bool too_small = w->too_small && e->result == LEAT_ERROR_TOO_SMALL;
    TALLY(m, FAILED);
    TALLY_IF(m, FAILED_CHANGED, gone);
    TALLY_IF(m, BIND_TOO_SMALL, too_small);
    CHECK(m, m->may_fail || gone || too_small, "request %llu: failed with %s, although no fault is final",
          (unsigned long long)e->user, leat_result_text(e->result));
    CHECK(m, !w->cancel_accepted, "request %llu: FAILED after an accepted cancel", (unsigned long long)e->user);
    char text[256];
    CHECK(m, leat_event_text(m->s, e, text, sizeof(text)) == text && text[0] != '\0', "a failure without words");
}

/* ---- Batches ---- */

/* Members of a batch that tells its end only: what they got is in their memory. */
static void end_silent_member(sim *m, wish *w, bool all_ready)
{
    CHECK(m, w->state == WISH_LIVE, "a member of a silent batch has ended by itself");
    if (all_ready && !w->cancel_accepted && !w->exempt && w->size > 0 && !w->degrade) {
        CHECK(m, memcmp(w->memory, w->expected, w->size) == 0, "a member of a batch has wrong bytes");
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
    CHECK(m, e->failed_count == 0 || m->may_fail || k->failed_count > 0 || m->loose,
          "a batch has failures, although no fault is final");
    CHECK(m, k->fence == k->fence_value, "batch %llu: its fence is %llu", (unsigned long long)number,
          (unsigned long long)k->fence);
    k->ended = true;
    TALLY(m, BATCHES);
    TALLY_IF(m, BATCHES_SILENT, k->only_end);
    TALLY_IF(m, BATCHES_FENCED, k->fence_value != 0);
    TALLY_IF(m, BATCHES_EMPTY, k->member_count == 0);
    TALLY_IF(m, BATCHES_FAILED, e->failed_count > 0);
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

/* ---- Swaps ---- */

void model_note_swap(sim *m, uint32_t mount, const uint8_t changes[NAME_COUNT_MAX])
{
    CHECK(m, m->note_count < SWAP_NOTE_COUNT_MAX, "the model has no room for another swap");
    if (m->note_count == SWAP_NOTE_COUNT_MAX) {
        return;
    }
    swap_note *note = &m->notes[m->note_count++];
    *note = (swap_note){ .handle = m->mounts[mount].handle, .mount = mount };
    for (uint32_t name = 0; name < NAME_COUNT_MAX; ++name) {
        note->changes[name] = changes[name];
        note->left += changes[name] != LEAT_CHANGE_NONE;
    }
}

void model_forget_notes(sim *m, leat_pack handle)
{
    for (uint32_t i = 0; i < m->note_count; ++i) {
        swap_note *note = &m->notes[i];
        if (note->handle.index == handle.index && note->handle.generation == handle.generation) {
            note->left = 0;
        }
    }
}

/* Swaps are told in their order, and each asset that has changed once. */
static void take_reloaded(sim *m, const leat_event *e)
{
    swap_note *note = NULL;
    for (uint32_t i = 0; i < m->note_count && note == NULL; ++i) {
        swap_note *n = &m->notes[i];
        bool same = n->handle.index == e->asset.pack.index && n->handle.generation == e->asset.pack.generation;
        note = same && n->left > 0 ? n : NULL;
    }
    CHECK(m, note != NULL, "an asset of a pack that was not swapped is told of");
    if (note == NULL) {
        return;
    }
    uint32_t name = 0;
    while (name < NAME_COUNT_MAX && m->mounts[note->mount].ids[name] != e->asset.index) {
        ++name;
    }
    CHECK(m, name < NAME_COUNT_MAX, "a handle is told of that no asset has had");
    if (name < NAME_COUNT_MAX) {
        CHECK(m, note->changes[name] == (uint8_t)e->change, "asset %u: told as %d instead of %d", name, (int)e->change,
              (int)note->changes[name]);
        note->changes[name] = LEAT_CHANGE_NONE;
        --note->left;
    }
    TALLY_IF(m, RELOADED_CHANGED, e->change == LEAT_CHANGE_CHANGED);
    TALLY_IF(m, RELOADED_ADDED, e->change == LEAT_CHANGE_ADDED);
    TALLY_IF(m, RELOADED_REMOVED, e->change == LEAT_CHANGE_REMOVED);
}

/* ---- All events ---- */

static void take_of_request(sim *m, wish *w, const leat_event *e)
{
    switch (e->type) {
    case LEAT_EVENT_NEEDS_MEMORY:
        take_needs_memory(m, w, e);
        break;
    case LEAT_EVENT_READY:
        check_ready(m, w, e);
        end_wish(m, w);
        if (m->watched_order) {
            check_order(m, w);
        }
        break;
    case LEAT_EVENT_FAILED:
        if (w->batch != 0) {
            ++m->crews[w->batch - 1].failed_count;
        }
        check_failed(m, w, e);
        end_wish(m, w);
        break;
    case LEAT_EVENT_CANCELLED:
        CHECK(m, w->cancel_accepted || w->exempt, "request %llu: cancelled by nobody", (unsigned long long)e->user);
        TALLY(m, CANCELLED);
        end_wish(m, w);
        break;
    case LEAT_EVENT_LATE:
        take_late(m, w, e);
        break;
    case LEAT_EVENT_BATCH:
    case LEAT_EVENT_RELOADED:
        break;
    }
}

void model_take(sim *m, const leat_event *e)
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
        take_reloaded(m, e);
        return;
    }
    CHECK(m, e->user < m->wish_count, "an event for a request that was never made");
    wish *w = &m->wishes[e->user < m->wish_count ? e->user : 0];
    CHECK(m, w->state == WISH_LIVE, "request %llu: event %d after its end", (unsigned long long)e->user, (int)e->type);
    CHECK(m, e->request.index == w->handle.index && e->request.generation == w->handle.generation && e->tag == w->tag,
          "request %llu: its event has another handle or tag", (unsigned long long)e->user);
    if (w->state == WISH_LIVE) {
        take_of_request(m, w, e);
    }
}

/* What is used is what was allowed, and what is counted is what was taken. */
void model_check_budget(sim *m)
{
    leat_stats stats;
    leat_stats_get(m->s, &stats);
    uint64_t fixed = POOL_BYTES + LENT_BYTES + SCRATCH_BYTES;
    CHECK(m, stats.pool_bytes_used <= POOL_BYTES, "%llu bytes of the pool", (unsigned long long)stats.pool_bytes_used);
    CHECK(m, stats.lent_bytes_used <= LENT_BYTES, "%llu bytes are lent", (unsigned long long)stats.lent_bytes_used);
    CHECK(m, stats.memory_bytes == fixed + (uint64_t)m->allocated, "%llu bytes are counted, %llu were taken",
          (unsigned long long)stats.memory_bytes, (unsigned long long)(fixed + (uint64_t)m->allocated));
    CHECK(m, !m->calm || stats.bytes_in_flight <= m->in_flight_max, "%llu bytes are in flight, at most %llu may be",
          (unsigned long long)stats.bytes_in_flight, (unsigned long long)m->in_flight_max);
}
