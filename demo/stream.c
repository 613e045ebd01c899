/* stream.c - the viewer's engine loop side of Leat: submit, update, upload, release.
 *
 * `user` of a request is its item, the epoch of its last restart and the generation of the last reset, so that an event
 * of older ones is only released. What has arrived waits in a ring in the order of arrival until the upload budget of a
 * frame takes it. */
#include "stream.h"

#include "reload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TAIL_SIDE 64u /* the first read brings the mips up to this side */
#define FAILURES_MAX 3u
#define DEADLINE_NS_PER_METRE UINT64_C(20000000)
#define DEADLINE_NS_MIN UINT64_C(30000000)
#define CLIENT_TEXTURES 0u
#define CLIENT_MESHES 1u

uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static void texture_describe(const catalog_texture *texture, const gpu *g, uint64_t read_bytes_max,
                             residency_item *item)
{
    const leat_texture_info *info = &texture->info;
    uint32_t count = info->mip_count;
    if (count == 0 || count > RESIDENCY_LEVELS_MAX || !gpu_format_of(g, texture).supported) {
        *item = (residency_item){ .failed = true };
        return;
    }
    *item = (residency_item){ .group = RESIDENCY_TEXTURES,
                              .level_count = (uint8_t)count,
                              .level_first = (uint8_t)(count - 1),
                              .resident = (uint8_t)count,
                              .target = (uint8_t)count,
                              .older = RESIDENCY_NONE,
                              .newer = RESIDENCY_NONE };
    for (uint32_t mip = count; mip-- > 0;) {
        leat_mip_info m;
        bool fits = leat_texture_mip(info, mip, &m) && m.offset + m.size <= read_bytes_max &&
                    (info->width >> mip) <= (uint32_t)g->texture_size_max &&
                    (info->height >> mip) <= (uint32_t)g->texture_size_max;
        if (!fits) {
            item->level_finest = (uint8_t)(mip + 1);
            item->failed = mip + 1 == count;
            for (uint32_t k = mip + 1; k-- > 0;) {
                item->bytes_from[k] = item->bytes_from[mip + 1];
            }
            break;
        }
        item->bytes_from[mip] = item->bytes_from[mip + 1] + gpu_mip_bytes(g, texture, mip);
        if (m.width <= TAIL_SIDE && m.height <= TAIL_SIDE) {
            item->level_first = (uint8_t)mip;
        }
    }
}

static void mesh_describe(const catalog_mesh *mesh, uint64_t read_bytes_max, residency_item *item)
{
    uint32_t count = mesh->info.lod_count;
    if (count == 0 || count > RESIDENCY_LEVELS_MAX || mesh->info.vertex_stride != sizeof(leat_vertex)) {
        *item = (residency_item){ .failed = true };
        return;
    }
    *item = (residency_item){ .group = RESIDENCY_MESHES,
                              .level_count = (uint8_t)count,
                              .level_first = (uint8_t)(count - 1),
                              .resident = (uint8_t)count,
                              .target = (uint8_t)count,
                              .older = RESIDENCY_NONE,
                              .newer = RESIDENCY_NONE };
    for (uint32_t lod = count; lod-- > 0;) {
        if (mesh->lods[lod].offset + mesh->lods[lod].size > read_bytes_max) {
            item->level_finest = (uint8_t)(lod + 1);
            item->failed = lod + 1 == count;
            break;
        }
        item->bytes_from[lod] = item->bytes_from[lod + 1] + mesh->lods[lod].size;
    }
}

void stream_items_describe(const catalog *c, const gpu *g, uint64_t read_bytes_max, residency *r)
{
    for (uint32_t i = 0; i < c->texture_count; ++i) {
        texture_describe(&c->textures[i], g, read_bytes_max, &r->items[i]);
    }
    for (uint32_t i = 0; i < c->mesh_count; ++i) {
        mesh_describe(&c->meshes[i], read_bytes_max, &r->items[c->texture_count + i]);
    }
}

bool stream_create(leat_streamer *streamer, const catalog *c, gpu *g, residency *r, uint64_t read_bytes_max, stream *s)
{
    *s = (stream){ .streamer = streamer, .c = c, .g = g, .r = r, .generation = 1, .read_bytes_max = read_bytes_max };
    /* One read an item at a time; what was under way at a reset or a restart never enters the ring. */
    s->arrival_capacity = 2 * r->item_count + 1; /* but what has arrived at a restart is in it */
    s->epochs = calloc(r->item_count + 1u, sizeof *s->epochs);
    s->requests = calloc(r->item_count + 1u, sizeof *s->requests);
    s->asked = calloc(r->item_count + 1u, sizeof *s->asked);
    s->failures = calloc(r->item_count + 1u, sizeof *s->failures);
    s->arrivals = calloc(s->arrival_capacity, sizeof *s->arrivals);
    if (s->requests == NULL || s->failures == NULL || s->arrivals == NULL || s->epochs == NULL || s->asked == NULL) {
        stream_destroy(s);
        return false;
    }
    return true;
}

static void arrivals_release(stream *s)
{
    for (uint32_t i = 0; i < s->arrival_count; ++i) {
        (void)leat_release(s->streamer, s->arrivals[(s->arrival_first + i) % s->arrival_capacity].request);
    }
    s->arrival_count = 0;
}

void stream_destroy(stream *s)
{
    if (s->arrivals != NULL) {
        arrivals_release(s);
    }
    free(s->epochs);
    free(s->requests);
    free(s->asked);
    free(s->failures);
    free(s->arrivals);
    *s = (stream){ 0 };
}

static leat_priority priority_of(uint8_t wanted_class, float score)
{
    switch (wanted_class) {
    case RESIDENCY_BARE:
        return score < 6.0f ? LEAT_URGENT : LEAT_HIGH;
    case RESIDENCY_VISIBLE:
        return LEAT_NORMAL;
    default:
        return LEAT_PREFETCH;
    }
}

static uint64_t deadline_of(uint64_t now, float score)
{
    return now + DEADLINE_NS_MIN + (uint64_t)(score * (float)DEADLINE_NS_PER_METRE);
}

static uint64_t user_of(const stream *s, uint32_t item)
{
    return (s->generation & 0xffff) << 48 | (uint64_t)s->epochs[item] << 32 | item;
}

static void read_submit(stream *s, const residency_action *action, uint64_t now)
{
    bool is_mesh = action->item >= s->c->texture_count;
    const residency_item *item = &s->r->items[action->item];
    leat_read_desc desc = {
        .asset = is_mesh ? s->c->meshes[action->item - s->c->texture_count].asset : s->c->textures[action->item].asset,
        .part = { .kind = is_mesh ? LEAT_PART_LODS : LEAT_PART_MIPS,
                  .first = action->level,
                  .count = action->level + action->count == item->level_count ? 0 : action->count },
        .priority = priority_of(action->wanted_class, action->score),
        .client = is_mesh ? CLIENT_MESHES : CLIENT_TEXTURES,
        .deadline_ns = deadline_of(now, action->score),
        .user = user_of(s, action->item),
    };
    leat_result result = leat_read(s->streamer, &desc, &s->requests[action->item]);
    if (result != LEAT_OK) {
        /* FULL passes by itself; anything else will not get better by asking again. */
        ++s->counts.refused;
        bool lasting = result != LEAT_ERROR_FULL && result != LEAT_ERROR_MEMORY;
        if (lasting) {
            s->error_ns = now;
            snprintf(s->error_text, sizeof s->error_text, "%s: %s",
                     is_mesh ? s->c->meshes[action->item - s->c->texture_count].name
                             : s->c->textures[action->item].name,
                     leat_result_text(result));
        }
        residency_ended(s->r, action->item, lasting);
        return;
    }
    s->asked[action->item] =
        (waterfall_row){ .order = s->counts.submitted++, .begin_ns = now, .priority = (uint8_t)desc.priority };
}

static void item_drop(stream *s, uint32_t item, uint32_t level)
{
    if (item >= s->c->texture_count) {
        gpu_mesh_drop(s->g, item - s->c->texture_count, level);
    } else {
        gpu_texture_drop(s->g, item, level);
    }
}

void stream_carry_out(stream *s)
{
    uint64_t now = clock_ns();
    for (uint32_t i = 0; i < s->r->action_count; ++i) {
        const residency_action *action = &s->r->actions[i];
        switch (action->kind) {
        case RESIDENCY_READ:
            read_submit(s, action, now);
            break;
        case RESIDENCY_CANCEL:
            (void)leat_cancel(s->streamer, s->requests[action->item]);
            break;
        case RESIDENCY_PROMOTE:
            ++s->counts.promoted;
            s->asked[action->item].priority = (uint8_t)priority_of(action->wanted_class, action->score);
            (void)leat_reprioritise(s->streamer, s->requests[action->item],
                                    (leat_priority)s->asked[action->item].priority, deadline_of(now, action->score));
            break;
        case RESIDENCY_DROP:
            ++s->counts.evictions;
            item_drop(s, action->item, action->level);
            break;
        case RESIDENCY_DROP_FORMER: /* of a texture: meshes are not redrawn in place */
            gpu_texture_drop_former(s->g, action->item);
            break;
        }
    }
    s->counts.submit_ns_last = clock_ns() - now;
}

static void arrival_push(stream *s, const leat_event *event, uint32_t index)
{
    const residency_item *item = &s->r->items[index];
    bool is_mesh = index >= s->c->texture_count;
    stream_arrival *arrival = &s->arrivals[(s->arrival_first + s->arrival_count++) % s->arrival_capacity];
    *arrival = (stream_arrival){ .item = index,
                                 .request = event->request,
                                 .upload = { .index = is_mesh ? index - s->c->texture_count : index,
                                             .is_mesh = is_mesh,
                                             .level = item->target,
                                             .count = (uint8_t)(item->resident - item->target),
                                             .data = event->data,
                                             .size = event->size } };
    residency_arrived(s->r, index);
}

static void ready_note(stream *s, waterfall_row *row, uint64_t latency_ns)
{
    uint8_t priority = row->priority;
    uint64_t *longest = &s->counts.class_latency_ns_last[priority];
    uint64_t *most = &s->counts.class_latency_ns_max[priority];
    *longest = latency_ns > *longest ? latency_ns : *longest;
    *most = latency_ns > *most ? latency_ns : *most;
    ++s->counts.class_ready[priority];
    row->end_ns = row->begin_ns + latency_ns;
    if (s->waterfall != NULL) {
        waterfall_add(s->waterfall, row);
    }
}

static bool is_watched(const stream *s, leat_asset asset)
{
    leat_pack_info info;
    return leat_pack_info_get(s->streamer, asset.pack, &info) == LEAT_OK && info.watched;
}

static void event_take(stream *s, const leat_event *event)
{
    uint32_t index = (uint32_t)event->user;
    bool ours = index < s->r->item_count && event->user == user_of(s, index);
    switch (event->type) {
    case LEAT_EVENT_READY:
        ++s->counts.ready;
        if (event->latency_ns > s->counts.latency_ns_last) {
            s->counts.latency_ns_last = event->latency_ns;
        }
        if (!ours || s->arrival_count == s->arrival_capacity) {
            (void)leat_release(s->streamer, event->request);
            break;
        }
        s->failures[index] = 0;
        ready_note(s, &s->asked[index], event->latency_ns);
        arrival_push(s, event, index);
        break;
    case LEAT_EVENT_CANCELLED:
        ++s->counts.cancelled;
        if (ours) {
            residency_ended(s->r, index, false);
        }
        break;
    case LEAT_EVENT_FAILED:
        ++s->counts.failed;
        if (ours && event->result == LEAT_ERROR_CHANGED && s->reload != NULL && is_watched(s, event->asset)) {
            residency_ended(s->r, index, false); /* the event that says so is on its way */
        } else if (ours) {
            s->error_ns = clock_ns();
            (void)leat_event_text(s->streamer, event, s->error_text, sizeof s->error_text);
            fprintf(stderr, "leat-view: %s\n", s->error_text);
            bool lasting = event->result != LEAT_ERROR_OS || ++s->failures[index] >= FAILURES_MAX;
            residency_ended(s->r, index, lasting);
        }
        break;
    case LEAT_EVENT_RELOADED:
        if (s->reload != NULL) {
            reload_take(s->reload, event);
        }
        break;
    default:
        break;
    }
}

void stream_update(stream *s)
{
    uint64_t begin = clock_ns();
    leat_events events = leat_update(s->streamer, NULL);
    s->counts.update_ns_last = clock_ns() - begin;
    s->counts.latency_ns_last = 0;
    memset(s->counts.class_latency_ns_last, 0, sizeof s->counts.class_latency_ns_last);
    for (uint32_t i = 0; i < events.count; ++i) {
        event_take(s, &events.items[i]);
    }
}

void stream_upload(stream *s, uint64_t bytes_max)
{
    uint64_t begin = clock_ns(), bytes_left = bytes_max;
    while (s->arrival_count > 0 && bytes_left > 0) {
        stream_arrival *arrival = &s->arrivals[s->arrival_first];
        if (!arrival->outdated && !gpu_upload_step(s->g, &arrival->upload, &bytes_left)) {
            break;
        }
        if (arrival->upload.refused) {
            s->error_ns = begin;
            snprintf(s->error_text, sizeof s->error_text, "%s: its indices point beyond its vertices; pack it again",
                     s->c->meshes[arrival->upload.index].name);
            fprintf(stderr, "leat-view: %s\n", s->error_text);
            residency_ended(s->r, arrival->item, true);
        } else if (!arrival->outdated) {
            residency_uploaded(s->r, arrival->item);
        }
        (void)leat_release(s->streamer, arrival->request);
        s->arrival_first = (s->arrival_first + 1) % s->arrival_capacity;
        --s->arrival_count;
    }
    s->counts.bytes_uploaded += bytes_max - bytes_left;
    s->counts.upload_ns_last = clock_ns() - begin;
}

/* What was damaged may have been mended. Of the same shape, or the museum would be built anew. */
static void damage_forget(stream *s, uint32_t index)
{
    residency_item fresh;
    if (index < s->c->texture_count) {
        texture_describe(&s->c->textures[index], s->g, s->read_bytes_max, &fresh);
    } else {
        mesh_describe(&s->c->meshes[index - s->c->texture_count], s->read_bytes_max, &fresh);
    }
    s->r->items[index].level_finest = fresh.level_finest;
    s->r->items[index].failed = fresh.failed;
    s->failures[index] = 0;
}

void stream_restart(stream *s, uint32_t texture)
{
    residency_item *item = &s->r->items[texture];
    (void)leat_cancel(s->streamer, s->requests[texture]); /* stale, if none is under way */
    for (uint32_t i = 0; i < s->arrival_count; ++i) {
        stream_arrival *arrival = &s->arrivals[(s->arrival_first + i) % s->arrival_capacity];
        arrival->outdated |= arrival->item == texture;
    }
    ++s->epochs[texture];
    if (item->level_count > 0) {
        residency_ended(s->r, texture, false);
        if (s->r->frame - item->frame <= 1) { /* in view: no empty frame until the new picture is here */
            residency_outdate(s->r, texture);
            gpu_texture_outdate(s->g, texture);
        } else {
            residency_forget(s->r, texture);
            item_drop(s, texture, UINT32_MAX);
        }
    }
    damage_forget(s, texture);
}

void stream_reset(stream *s)
{
    leat_selection everything = { .all = true };
    (void)leat_cancel_where(s->streamer, &everything);
    arrivals_release(s);
    ++s->generation;
    for (uint32_t i = 0; i < s->r->item_count; ++i) {
        if (s->r->items[i].level_count == 0) {
            continue;
        }
        residency_ended(s->r, i, false);
        residency_forget(s->r, i);
        item_drop(s, i, UINT32_MAX);
        damage_forget(s, i);
    }
}
