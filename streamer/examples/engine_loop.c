/* engine_loop.c - how an engine uses Leat, without the engine.
 *
 *     engine_loop PACK
 *
 * 1. A loading screen: a batch of everything coarse, with progress, that ends in one event.
 * 2. The frame loop: each frame wants what the player is near, with deadlines; memory is bound late, when a read is
 * about to go out, from a small ring that stands for a staging buffer.
 * 3. A teleport: one call cancels all that was wanted for the place that was left.
 *
 * The "player" walks over the assets of the pack by position. The frame is a sleep; the calls to Leat take
 * microseconds. */
#include <leat/leat.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FRAME_NS 8000000
#define FRAME_COUNT 90
#define NEAR_COUNT 24u /* assets in reach of the player */
#define SECTOR_SIZE 64u
#define SECTOR_MASK UINT64_C(0xffff0000)
#define SECTOR(position) ((uint64_t)((position) / SECTOR_SIZE + 1) << 16)

typedef enum object_state { OBJECT_AWAY = 0, OBJECT_WANTED, OBJECT_HERE } object_state;

typedef struct object {
    leat_asset asset;
    leat_request request;
    object_state state;
    void *memory;
} object;

typedef struct engine {
    leat_streamer *streamer;
    leat_pack pack;
    object *objects;
    uint32_t object_count;
    uint64_t uploads, upload_bytes, cancelled, failed, late;
} engine;

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_ns(uint64_t ns)
{
    nanosleep(&(struct timespec){ .tv_nsec = (long)ns }, NULL);
}

/* The coarsest level of what has levels; nothing of the rest. */
static leat_part coarsest(const engine *e, leat_asset asset)
{
    leat_texture_info texture;
    leat_mesh_info mesh;
    if (leat_asset_texture(e->streamer, asset, &texture) == LEAT_OK) {
        return (leat_part){ .kind = LEAT_PART_MIPS, .first = texture.mip_count - 1 };
    }
    if (leat_asset_mesh(e->streamer, asset, &mesh) == LEAT_OK) {
        return (leat_part){ .kind = LEAT_PART_LODS, .first = mesh.lod_count - 1 };
    }
    return (leat_part){ .kind = LEAT_PART_BYTES };
}

/* 1. The loading screen: one batch, one event, progress from the counters. */
static bool loading_screen(engine *e)
{
    uint64_t total = 0, offset, size;
    for (uint32_t i = 0; i < e->object_count; ++i) {
        leat_part part = coarsest(e, e->objects[i].asset);
        if (leat_asset_part(e->streamer, e->objects[i].asset, &part, &offset, &size) == LEAT_OK) {
            total += size;
        }
    }
    uint8_t *coarse = malloc(total + 1);
    leat_batch batch;
    if (coarse == NULL || leat_batch_begin(e->streamer, &(leat_batch_desc){ .only_end = true }, &batch) != LEAT_OK) {
        free(coarse);
        return false;
    }
    leat_stats before, now;
    leat_stats_get(e->streamer, &before);
    bool ended = false;
    uint32_t failed = 0;
    uint64_t at = 0;
    for (uint32_t submitted = 0; !ended;) {
        while (submitted < e->object_count) {
            leat_asset asset = e->objects[submitted].asset;
            leat_part part = coarsest(e, asset);
            if (leat_asset_part(e->streamer, asset, &part, &offset, &size) != LEAT_OK) {
                size = 0;
            }
            leat_read_desc read = { .asset = asset,
                                    .part = part,
                                    .bind = LEAT_BIND_CALLER,
                                    .memory = coarse + at,
                                    .memory_size = size,
                                    .batch = batch };
            leat_result result = leat_read(e->streamer, &read, NULL);
            if (result == LEAT_ERROR_FULL) {
                break; /* as many as fit; the rest in the next frame */
            }
            at += size;
            if (++submitted == e->object_count) {
                leat_batch_end(e->streamer, batch);
            }
        }
        leat_events events = leat_update(e->streamer, NULL);
        for (uint32_t i = 0; i < events.count; ++i) {
            if (events.items[i].type == LEAT_EVENT_BATCH) {
                ended = true;
                failed = events.items[i].failed_count;
            }
        }
        leat_stats_get(e->streamer, &now);
        uint64_t done = now.bytes_delivered - before.bytes_delivered;
        printf("\rloading %3.0f %%", total == 0 ? 100.0 : 100.0 * (double)done / (double)total);
        fflush(stdout);
        sleep_ns(ended ? 0 : FRAME_NS / 4);
    }
    printf("\rloaded %u coarse levels, %llu bytes, %u failed\n", e->object_count, (unsigned long long)total, failed);
    free(coarse); /* the GPU has them now */
    return failed == 0;
}

/* 2. What the player is near is wanted within three frames; what is far is of no interest any more. */
static void want_near(engine *e, uint32_t player)
{
    for (uint32_t i = 0; i < NEAR_COUNT && i < e->object_count; ++i) {
        uint32_t position = (player + i) % e->object_count;
        object *o = &e->objects[position];
        if (o->state != OBJECT_AWAY) {
            continue;
        }
        leat_read_desc read = { .asset = o->asset,
                                .priority = i < NEAR_COUNT / 4 ? LEAT_HIGH : LEAT_NORMAL,
                                .deadline_ns = clock_ns() + 3 * FRAME_NS,
                                .bind = LEAT_BIND_LATE,
                                .tag = SECTOR(position),
                                .user = position };
        if (leat_read(e->streamer, &read, &o->request) == LEAT_OK) {
            o->state = OBJECT_WANTED;
        }
    }
}

static void end_object(object *o, object_state state)
{
    free(o->memory);
    o->memory = NULL;
    o->state = state;
}

static void handle_event(engine *e, const leat_event *event)
{
    object *o = &e->objects[event->user]; /* events of no request have 0 there */
    char text[512];
    switch (event->type) {
    case LEAT_EVENT_NEEDS_MEMORY: /* a staging buffer in a real engine */
        o->memory = malloc(event->size);
        if (o->memory == NULL || leat_bind(e->streamer, event->request, o->memory, event->size) != LEAT_OK) {
            leat_cancel(e->streamer, event->request);
        }
        break;
    case LEAT_EVENT_READY: /* upload(event->data, event->size) */
        ++e->uploads;
        e->upload_bytes += event->size;
        end_object(o, OBJECT_HERE);
        break;
    case LEAT_EVENT_LATE: /* said when it is known: draw the coarser part that can come in time */
        ++e->late;
        break;
    case LEAT_EVENT_CANCELLED:
        ++e->cancelled;
        end_object(o, OBJECT_AWAY);
        break;
    case LEAT_EVENT_FAILED:
        ++e->failed;
        fprintf(stderr, "%s\n", leat_event_text(e->streamer, event, text, sizeof(text)));
        end_object(o, OBJECT_AWAY);
        break;
    case LEAT_EVENT_BATCH:
    case LEAT_EVENT_RELOADED: /* packs are not swapped here; an engine would read event->asset again */
        break;
    }
}

static void frame(engine *e)
{
    leat_events events = leat_update(e->streamer, &(leat_tick){ .event_count_max = 256 });
    for (uint32_t i = 0; i < events.count; ++i) {
        handle_event(e, &events.items[i]);
    }
}

static void run(engine *e)
{
    uint32_t player = 0;
    for (uint32_t i = 0; i < FRAME_COUNT; ++i) {
        if (i == FRAME_COUNT / 2) { /* 3. the player teleports: nobody waits for the old sector any more */
            leat_cancel_where(e->streamer, &(leat_selection){ .tag_mask = SECTOR_MASK, .tag = SECTOR(player) });
            player += e->object_count / 2;
        }
        want_near(e, player % e->object_count);
        frame(e);
        ++player;
        sleep_ns(FRAME_NS);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: engine_loop PACK\n");
        return 2;
    }
    engine e = { 0 };
    leat_error error = { 0 };
    leat_pack_info info;
    if (leat_create(&(leat_desc){ .memory_bytes_max = 64u << 20, .error = &error }, &e.streamer) != LEAT_OK ||
        leat_pack_open(e.streamer, argv[1], &(leat_pack_desc){ .error = &error }, &e.pack) != LEAT_OK ||
        leat_pack_info_get(e.streamer, e.pack, &info) != LEAT_OK) {
        fprintf(stderr, "engine_loop: %s\n", error.text);
        leat_destroy(e.streamer);
        return 1;
    }
    e.object_count = info.asset_count;
    e.objects = calloc(e.object_count + 1u, sizeof(*e.objects));
    for (uint32_t i = 0; i < e.object_count && e.objects != NULL; ++i) {
        e.objects[i].asset = leat_asset_at(e.streamer, e.pack, i);
    }
    bool loaded = e.objects != NULL && e.object_count > 0 && loading_screen(&e);
    if (loaded) {
        run(&e);
        printf("%llu uploads of %llu bytes in %d frames; %llu cancelled, %llu announced late, %llu failed\n",
               (unsigned long long)e.uploads, (unsigned long long)e.upload_bytes, FRAME_COUNT,
               (unsigned long long)e.cancelled, (unsigned long long)e.late, (unsigned long long)e.failed);
    }
    leat_destroy(e.streamer); /* first: the memory of requests in flight is ours again only now */
    for (uint32_t i = 0; i < e.object_count && e.objects != NULL; ++i) {
        free(e.objects[i].memory);
    }
    free(e.objects);
    return loaded && e.failed == 0 ? 0 : 1;
}
