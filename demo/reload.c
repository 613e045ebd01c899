/* reload.c - see reload.h. */
#include "reload.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

bool reload_create(stream *s, const leat_pack *packs, const char *const *paths, uint32_t pack_count,
                   report_series *redrawn_ms, reload *r)
{
    *r = (reload){ .s = s, .packs = packs, .paths = paths, .pack_count = pack_count, .redrawn_ms = redrawn_ms };
    r->changed_ns = calloc(s->r->item_count + 1u, sizeof *r->changed_ns);
    return r->changed_ns != NULL;
}

void reload_destroy(reload *r)
{
    free(r->changed_ns);
    *r = (reload){ 0 };
}

/* When the file of an asset was changed (written, or renamed to its name), on the clock of frames; now, if that cannot
 * be had. */
static uint64_t change_time_ns(const reload *r, leat_asset asset, const char *name)
{
    uint64_t now = clock_ns();
    for (uint32_t p = 0; p < r->pack_count; ++p) {
        leat_pack_info info;
        if (r->packs[p].index != asset.pack.index ||
            leat_pack_info_get(r->s->streamer, r->packs[p], &info) != LEAT_OK) {
            continue;
        }
        char path[PATH_MAX];
        snprintf(path, sizeof path, info.folder ? "%s/%s" : "%s", r->paths[p], name);
        struct stat status;
        struct timespec wall;
        if (stat(path, &status) == 0 && clock_gettime(CLOCK_REALTIME, &wall) == 0) {
            int64_t age = ((int64_t)wall.tv_sec - (int64_t)status.st_ctim.tv_sec) * 1000000000 + wall.tv_nsec -
                          status.st_ctim.tv_nsec;
            return age > 0 && (uint64_t)age < now ? now - (uint64_t)age : now;
        }
    }
    return now;
}

static uint32_t texture_find(const catalog *c, leat_asset asset)
{
    for (uint32_t i = 0; i < c->texture_count; ++i) {
        leat_asset other = c->textures[i].asset;
        if (other.index == asset.index && other.pack.index == asset.pack.index) {
            return i;
        }
    }
    return CATALOG_NONE;
}

static bool same_shape(const leat_texture_info *a, const leat_texture_info *b)
{
    return a->width == b->width && a->height == b->height && a->mip_count == b->mip_count &&
           a->layer_count == b->layer_count && a->format == b->format && a->flags == b->flags;
}

/* Does the asset belong into the museum? Bytes and hidden assets do not. Vanished ones may have. */
static bool is_exhibit(const reload *r, const leat_event *event)
{
    leat_asset_info info;
    if (event->change == LEAT_CHANGE_REMOVED || leat_asset_info_get(r->s->streamer, event->asset, &info) != LEAT_OK) {
        return true;
    }
    leat_asset top = leat_asset_find(r->s->streamer, info.name_hash);
    return info.type != LEAT_ASSET_BLOB && top.pack.index == event->asset.pack.index && top.index == event->asset.index;
}

void reload_take(reload *r, const leat_event *event)
{
    uint32_t item = texture_find(r->s->c, event->asset);
    leat_texture_info now;
    bool in_place = item != CATALOG_NONE && event->change == LEAT_CHANGE_CHANGED &&
                    leat_asset_texture(r->s->streamer, event->asset, &now) == LEAT_OK &&
                    same_shape(&now, &r->s->c->textures[item].info);
    if (!in_place) {
        bool matters = item != CATALOG_NONE || is_exhibit(r, event);
        r->rebuild |= matters;
        r->reload_count += matters;
        return;
    }
    ++r->reload_count;
    const residency_item *shown = &r->s->r->items[item];
    bool in_view = shown->frame == r->s->r->frame && shown->wanted_class != RESIDENCY_AHEAD && shown->frame > 0;
    stream_restart(r->s, item);
    if (!in_view) {
        r->waiting_count -= r->changed_ns[item] != 0;
        r->changed_ns[item] = 0;
        return; /* it is drawn when somebody looks, which says nothing of us */
    }
    r->waiting_count += r->changed_ns[item] == 0;
    r->changed_ns[item] = change_time_ns(r, event->asset, r->s->c->textures[item].name);
}

void reload_frame_end(reload *r)
{
    for (uint32_t i = 0; r->waiting_count > 0 && i < r->s->c->texture_count; ++i) {
        const residency_item *item = &r->s->r->items[i];
        bool shown = item->resident < item->level_count && item->frame == r->s->r->frame &&
                     item->wanted_class != RESIDENCY_AHEAD;
        if (r->changed_ns[i] == 0 || !shown) {
            continue;
        }
        report_series_add(r->redrawn_ms, (float)(clock_ns() - r->changed_ns[i]) * 1e-6f);
        r->changed_ns[i] = 0;
        --r->waiting_count;
    }
}
