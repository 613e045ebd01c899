/* residency.h - decides what should be in GPU memory. Pure: no GL, no clock, no library.
 *
 * Textures and meshes are both "items" with levels: level 0 is the finest mip or LOD, level_count - 1 the coarsest, and
 * level k stands on all coarser ones. An item is resident from some level on: `resident` is the finest it has, and
 * level_count means nothing at all.
 *
 * Each frame: residency_begin, residency_want for what the camera sees or will see, residency_plan. The plan is a list
 * of actions for the caller to carry out (read, cancel, reprioritise, drop), in order; the plan counts them as done
 * already, and the caller reports what became of each read through residency_arrived, _uploaded and _ended. The cost of
 * a frame depends on what is wanted and what changes, not on how much the packs hold.
 *
 * Budgets are in bytes, one for each group of items. When the wants of a group do not fit, all of them are made coarser
 * by the same number of levels (`bias`), with hysteresis; what is no longer wanted is dropped, longest unseen first,
 * and before it what has been replaced and is no longer wanted either. */
#ifndef VIEW_RESIDENCY_H
#define VIEW_RESIDENCY_H

#include <stdbool.h>
#include <stdint.h>

#define RESIDENCY_LEVELS_MAX 16u
#define RESIDENCY_NONE UINT32_MAX

typedef enum residency_group {
    RESIDENCY_TEXTURES = 0,
    RESIDENCY_MESHES = 1,
    RESIDENCY_GROUP_COUNT = 2
} residency_group;

/* How much something is wanted; smaller is more. */
typedef enum residency_class {
    RESIDENCY_BARE = 0, /* in view, and nothing to show for it */
    RESIDENCY_VISIBLE = 1, /* in view, coarser than it should be */
    RESIDENCY_AHEAD = 2 /* not in view, but may be soon */
} residency_class;

typedef struct residency_item {
    /* set at the start */
    uint64_t bytes_from[RESIDENCY_LEVELS_MAX + 1]; /* GPU bytes of level k and all coarser; [level_count] is 0 */
    uint8_t group;
    uint8_t level_count;
    uint8_t level_first; /* the first read takes this level and all coarser ones; eviction drops to it */
    uint8_t level_finest; /* no finer level is ever asked for (limits, damage) */
    /* now */
    uint8_t resident; /* finest level that can be drawn; level_count: none */
    uint8_t target; /* finest level that is being read or uploaded; == resident: none */
    uint8_t wanted; /* before the bias */
    uint8_t desired; /* after it */
    uint8_t wanted_class, asked_class; /* residency_class, of the want and of the read under way */
    uint64_t former_bytes; /* of content that has changed: drawn until something of the new one can be; 0: none */
    bool reading; /* a read is queued or under way and may still be cancelled */
    bool failed; /* nothing can be had: draw the placeholder */
    float score; /* within a class; smaller first (metres, say) */
    uint32_t frame; /* of the last want */
    uint32_t older, newer; /* list of what is resident or on its way, by last want; RESIDENCY_NONE ends it */
    bool listed;
} residency_item;

typedef enum residency_action_kind {
    RESIDENCY_READ = 1, /* levels [level, level + count): if it cannot be submitted: residency_ended */
    RESIDENCY_CANCEL = 2, /* nobody wants it any more: its end comes as an event, then residency_ended */
    RESIDENCY_PROMOTE = 3, /* its class changed */
    RESIDENCY_DROP = 4, /* free all that is finer than level */
    RESIDENCY_DROP_FORMER = 5 /* free what is drawn until something of the new content is there */
} residency_action_kind;

typedef struct residency_action {
    residency_action_kind kind;
    uint32_t item;
    uint8_t level, count;
    uint8_t wanted_class;
    float score;
} residency_action;

typedef struct residency_budget {
    uint64_t bytes_max;
    uint64_t bytes; /* resident, on its way, and of former content */
    uint64_t bytes_wanted; /* of the last plan, after the bias */
    uint8_t bias;
} residency_budget;

typedef struct residency {
    residency_item *items;
    uint32_t item_count;
    residency_budget budgets[RESIDENCY_GROUP_COUNT];
    uint32_t frame;
    uint32_t *wanted; /* items of this frame */
    uint32_t wanted_count;
    residency_action *actions;
    uint32_t action_count, action_capacity;
    uint64_t bytes_reading,
        bytes_reading_max; /* of reads under way: what is beyond waits in here, where it can change */
    uint32_t oldest, newest;
    uint32_t bare_count,
        coarse_count; /* of the last plan: wanted in view and without anything / coarser than desired */
} residency;

bool residency_create(residency *r, uint32_t item_count, uint64_t texture_bytes_max, uint64_t mesh_bytes_max);
void residency_destroy(residency *r);

void residency_begin(residency *r);
/* Wanting twice in a frame keeps the more urgent and the finer. Failed items are ignored. */
void residency_want(residency *r, uint32_t item, uint32_t level, residency_class wanted_class, float score);
/* Fills r->actions; with paused, only drops and cancels. */
void residency_plan(residency *r, bool paused);

/* The bytes are here (the read can no longer be cancelled); they are uploaded next. */
void residency_arrived(residency *r, uint32_t item);
/* The upload is done: `target` can be drawn. */
void residency_uploaded(residency *r, uint32_t item);
/* The read ended without bytes. damaged: what was asked for cannot be had; keep what there is and never ask again. */
void residency_ended(residency *r, uint32_t item, bool damaged);
/* Everything is gone (a reset): counts as nothing resident. No read may be under way. */
void residency_forget(residency *r, uint32_t item);
/* Its content has changed: nothing of it is resident, but what was stays drawn until something of the new one can be,
 * or its room is needed. No read may be under way. */
void residency_outdate(residency *r, uint32_t item);

/* Why an item that is wanted in this frame looks as it does. */
typedef enum residency_reason {
    RESIDENCY_FINEST = 0, /* there is nothing finer */
    RESIDENCY_SHARP, /* as fine as its size on the screen needs */
    RESIDENCY_READING, /* more of it is queued or under way */
    RESIDENCY_UPLOADING, /* more of it has been read, and is on its way to the GPU */
    RESIDENCY_WAITING, /* its turn has not come: reads under way are at their limit, or there is no room yet */
    RESIDENCY_OVER_BUDGET, /* as fine as the budget allows */
    RESIDENCY_PAUSED,
    RESIDENCY_LIMITED, /* what is finer cannot be had: damage, or larger than a read or the GPU takes */
    RESIDENCY_FAILED, /* nothing of it can be had */
    RESIDENCY_REASON_COUNT
} residency_reason;
residency_reason residency_reason_of(const residency *r, uint32_t item, bool paused);
/* How many levels it is coarser than its size on the screen needs; RESIDENCY_LEVELS_MAX: there is nothing to draw yet;
 * more: nor will there be, since nothing of it can be had. */
uint32_t residency_missing(const residency *r, uint32_t item);
/* The same for the eye: nothing is missing, one level, two, more, everything; everything, for good. */
#define RESIDENCY_SHADE_COUNT 6u
uint32_t residency_shade(uint32_t missing);
/* In words, for people. */
const char *residency_reason_text(residency_reason reason);
/* Items that are wanted and being read or uploaded, most urgent first; writes count_max at most, returns all there are.
 */
uint32_t residency_under_way(const residency *r, uint32_t *items, uint32_t count_max);

/* The mip of a texture whose longer side covers `pixels` on the screen. */
uint32_t residency_mip_for(uint32_t width, uint32_t height, uint32_t mip_count, float pixels);

#endif
