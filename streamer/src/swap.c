/* swap.c - a pack's content is replaced while requests are in flight on it.
 *
 * A swap fills a new slot beside the old one, which takes as long as opening a pack, works out which assets differ, and
 * then changes one word: the slot that the mount shows. From that moment on, new requests go to the new content; those
 * that were submitted before hold the old slot and end with its bytes. Nothing is restarted and nothing is lost.
 *
 * The old slot carries the list of what has changed to the update thread, which makes events of it, over as many
 * updates as their number needs. One update after the last of them it lets the slot go; its memory, and the names in
 * it, live at least until then, its file until the last request on it has ended.
 *
 * Any thread may swap. One lock makes swaps one after the other, so that their events come in order; who submits or
 * updates never takes it. */
#include "streamer.h"

/* Shows `slot` instead of `old`. False: the pack was closed meanwhile. */
static bool show(leat_streamer *s, pack_slot *old, pack_slot *slot, const reload_changes *changes)
{
    leat_pack handle = old->handle;
    uint32_t old_index = (uint32_t)(old - s->packs);
    uint64_t view = mount_view(handle.generation, old_index);
    pack_slot_start(s, slot, handle);
    slot->order = old->order;
    /* Release: who sees the new slot sees its index. */
    if (!atomic_compare_exchange_strong_explicit(&s->mounts[handle.index].view, &view,
                                                 mount_view(handle.generation, (uint32_t)(slot - s->packs)),
                                                 memory_order_acq_rel, memory_order_relaxed)) {
        return false;
    }
    old->changes = *changes;
    post_event(s, POST_RELOAD, old_index, true);
    return true;
}

static leat_result compare(leat_streamer *s, const pack_slot *old, pack_slot *slot, reload_changes *changes,
                           leat_error *error)
{
    leat_result result =
        asset_ids_renew(&s->memory, &old->index, &old->ids, &slot->index, ASSET_ID_COUNT_MAX, &slot->ids);
    if (result == LEAT_ERROR_LIMIT) {
        return error_set(error, result, 0, "%s: %u names have come and gone; close it and open it again", slot->path,
                         ASSET_ID_COUNT_MAX);
    }
    if (result == LEAT_OK && !reload_diff(&s->memory, &old->index, &old->ids, &slot->index, &slot->ids, changes)) {
        result = LEAT_ERROR_MEMORY;
    }
    return result == LEAT_OK
               ? result
               : error_set(error, result, 0, "%s: no memory to compare it with the version before", slot->path);
}

static leat_result swap(leat_streamer *s, pack_slot *old, const char *path, leat_error *error)
{
    pack_slot *slot = pack_slot_claim(s);
    if (slot == NULL) {
        return error_set(error, LEAT_ERROR_FULL, 0,
                         "%s: %u replaced versions of packs are still in use; take events and try again", path,
                         SPARE_SLOT_COUNT);
    }
    mount_watch *watch = &s->watches[old->handle.index];
    bool watching = watch->source.fd >= 0 && watch->generation == old->handle.generation && path == old->path;
    bool watched;
    slot_source source = { .path = path, .before = old, .watch_fd = watching ? watch->source.fd : -1 };
    reload_changes changes = { 0 };
    slot->options = old->options;
    leat_result result = pack_slot_fill(s, slot, &source, &watched, error);
    if (watching && !watched) {
        watch_end(s, old->handle); /* a limit, which was logged: half a watch would promise too much */
    }
    if (result == LEAT_OK) {
        result = compare(s, old, slot, &changes, error);
    }
    if (result != LEAT_OK) {
        pack_slot_drop(s, slot);
    } else if (!show(s, old, slot, &changes)) {
        reload_changes_free(&s->memory, &changes);
        pack_let_go(s, slot);
        result = error_set(error, LEAT_ERROR_STALE, 0, "%s: the pack was closed meanwhile", path);
    }
    return result;
}

leat_result swap_locked(leat_streamer *s, leat_pack pack, const char *path, leat_error *error)
{
    leat_result result;
    pack_slot *old = pack_acquire(s, pack);
    if (old == NULL) {
        result = error_set(error, LEAT_ERROR_STALE, 0, "%s: is not open any more", path != NULL ? path : "the pack");
    } else {
        result = swap(s, old, path != NULL ? path : old->path, error);
        pack_release(s, old);
    }
    return result;
}

leat_result leat_pack_swap(leat_streamer *s, leat_pack pack, const char *path, leat_error *error)
{
    leat_error local;
    pthread_mutex_lock(&s->swap_lock);
    bool told = error != NULL; /* else the words are logged */
    error = told ? error : &local;
    leat_result result = swap_locked(s, pack, path, error);
    if (result == LEAT_OK && path != NULL) {
        watch_follow(s, pack);
    }
    pthread_mutex_unlock(&s->swap_lock);
    if (!told && result != LEAT_OK && result != LEAT_ERROR_FULL) {
        log_line(&s->log, LEAT_LOG_WARNING, "%s; the version before stays", error->text);
    }
    return result;
}

/* ---- The update thread ---- */

static bool still_open(const leat_streamer *s, leat_pack pack)
{
    uint64_t view = atomic_load_explicit(&s->mounts[pack.index].view, memory_order_relaxed);
    return (uint32_t)(view >> 32) == pack.generation;
}

uint32_t swap_events(leat_streamer *s, uint32_t index, leat_event *events, uint32_t room, bool *done)
{
    pack_slot *old = &s->packs[index];
    if (!still_open(s, old->handle)) {
        old->change_next = old->changes.count; /* nobody has a use for the handles */
    }
    uint32_t count = u32_min(room, old->changes.count - old->change_next);
    for (uint32_t i = 0; i < count; ++i) {
        const reload_change *change = &old->changes.items[old->change_next++];
        events[i] = (leat_event){ .type = LEAT_EVENT_RELOADED,
                                  .asset = { .pack = old->handle, .index = change->id + 1 },
                                  .change = change->change,
                                  .chunk = UINT32_MAX };
    }
    *done = old->change_next == old->changes.count;
    return count;
}
