/* residency.c - the plan of a frame: fit the wants into the budgets, then say what to read, cancel and drop.
 *
 * Reads go in steps: the first brings the coarse tail (small, so that something shows at once), later ones at most
 * STEP_BYTES_MAX more, so that pictures sharpen together instead of one after the other. */
#include "residency.h"

#include <stdlib.h>
#include <math.h>

#define STEP_BYTES_MAX (4u << 20)
#define READING_BYTES_MAX (48u << 20) /* a bound on regret: what is submitted is hard to take back */
#define BIAS_MAX 12u
#define ACTIONS_MAX 4096u
#define CANCEL_AFTER_FRAMES 20u /* a want may flicker at the edge of the view */

bool residency_create(residency *r, uint32_t item_count, uint64_t texture_bytes_max, uint64_t mesh_bytes_max)
{
    *r = (residency){ .item_count = item_count, .oldest = RESIDENCY_NONE, .newest = RESIDENCY_NONE, .frame = 1 };
    r->budgets[RESIDENCY_TEXTURES].bytes_max = texture_bytes_max;
    r->budgets[RESIDENCY_MESHES].bytes_max = mesh_bytes_max;
    r->bytes_reading_max = READING_BYTES_MAX;
    r->action_capacity = ACTIONS_MAX;
    r->items = calloc(item_count + 1u, sizeof *r->items);
    r->wanted = calloc(item_count + 1u, sizeof *r->wanted);
    r->actions = calloc(r->action_capacity, sizeof *r->actions);
    if (r->items == NULL || r->wanted == NULL || r->actions == NULL) {
        residency_destroy(r);
        return false;
    }
    for (uint32_t i = 0; i < item_count; ++i) {
        r->items[i].older = r->items[i].newer = RESIDENCY_NONE;
    }
    return true;
}

void residency_destroy(residency *r)
{
    free(r->items);
    free(r->wanted);
    free(r->actions);
    *r = (residency){ 0 };
}

static uint64_t item_bytes(const residency_item *item)
{
    uint8_t finest = item->target < item->resident ? item->target : item->resident;
    return item->bytes_from[finest];
}

static uint64_t step_bytes(const residency_item *item, uint32_t level)
{
    return item->bytes_from[level] - item->bytes_from[item->resident];
}

static void list_remove(residency *r, uint32_t index)
{
    residency_item *item = &r->items[index];
    if (!item->listed) {
        return;
    }
    if (item->older != RESIDENCY_NONE) {
        r->items[item->older].newer = item->newer;
    } else {
        r->oldest = item->newer;
    }
    if (item->newer != RESIDENCY_NONE) {
        r->items[item->newer].older = item->older;
    } else {
        r->newest = item->older;
    }
    item->older = item->newer = RESIDENCY_NONE;
    item->listed = false;
}

static void list_push(residency *r, uint32_t index)
{
    list_remove(r, index);
    residency_item *item = &r->items[index];
    item->older = r->newest;
    if (r->newest != RESIDENCY_NONE) {
        r->items[r->newest].newer = index;
    } else {
        r->oldest = index;
    }
    r->newest = index;
    item->listed = true;
}

/* On the list is what holds or awaits memory. */
static void list_update(residency *r, uint32_t index)
{
    const residency_item *item = &r->items[index];
    bool holds = item->resident < item->level_count || item->target < item->resident || item->former_bytes > 0;
    if (!holds) {
        list_remove(r, index);
    } else if (!item->listed) {
        list_push(r, index);
    }
}

void residency_begin(residency *r)
{
    ++r->frame;
    r->wanted_count = 0;
    r->action_count = 0;
}

void residency_want(residency *r, uint32_t index, uint32_t level, residency_class wanted_class, float score)
{
    residency_item *item = &r->items[index];
    if (item->failed || item->level_count == 0) {
        return;
    }
    level = level < item->level_finest ? item->level_finest : level;
    level = level > item->level_first ? item->level_first : level;
    if (item->frame != r->frame) {
        item->frame = r->frame;
        item->wanted = (uint8_t)level;
        item->wanted_class = (uint8_t)wanted_class;
        item->score = score;
        r->wanted[r->wanted_count++] = index;
        return;
    }
    item->wanted = level < item->wanted ? (uint8_t)level : item->wanted;
    if ((uint8_t)wanted_class < item->wanted_class) {
        item->wanted_class = (uint8_t)wanted_class;
        item->score = score;
    } else if ((uint8_t)wanted_class == item->wanted_class) {
        item->score = fminf(item->score, score);
    }
}

static uint8_t level_biased(const residency_item *item, uint32_t bias)
{
    uint32_t level = item->wanted + bias;
    return level < item->level_first ? (uint8_t)level : item->level_first;
}

static uint64_t wanted_bytes(const residency *r, uint32_t group, uint32_t bias)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < r->wanted_count; ++i) {
        const residency_item *item = &r->items[r->wanted[i]];
        if (item->group == group) {
            /* What is only ahead is the first to be made coarser. */
            bytes += item->bytes_from[level_biased(item, bias + (item->wanted_class == RESIDENCY_AHEAD ? bias : 0))];
        }
    }
    return bytes;
}

static void bias_choose(residency *r, uint32_t group)
{
    residency_budget *budget = &r->budgets[group];
    uint32_t bias = budget->bias;
    while (bias < BIAS_MAX && wanted_bytes(r, group, bias) > budget->bytes_max) {
        ++bias;
    }
    /* Finer again only with room to spare, or the edge of the view would make everything flicker. */
    while (bias == budget->bias && bias > 0 &&
           wanted_bytes(r, group, bias - 1) < budget->bytes_max - budget->bytes_max / 8) {
        --bias;
        budget->bias = (uint8_t)bias;
    }
    budget->bias = (uint8_t)bias;
    budget->bytes_wanted = wanted_bytes(r, group, bias);
}

static bool action_add(residency *r, residency_action action)
{
    if (r->action_count == r->action_capacity) {
        return false;
    }
    r->actions[r->action_count++] = action;
    return true;
}

static void item_start(residency *r, uint32_t index, uint32_t level, uint8_t asked_class)
{
    residency_item *item = &r->items[index];
    uint64_t before = item_bytes(item);
    item->target = (uint8_t)level;
    item->asked_class = asked_class;
    item->reading = true;
    r->budgets[item->group].bytes += item_bytes(item) - before;
    r->bytes_reading += step_bytes(item, level);
    list_update(r, index);
}

static void item_drop(residency *r, uint32_t index, uint32_t level)
{
    residency_item *item = &r->items[index];
    uint64_t before = item_bytes(item);
    item->resident = item->target = (uint8_t)level;
    r->budgets[item->group].bytes -= before - item_bytes(item);
    list_update(r, index);
}

static void former_forget(residency *r, uint32_t index)
{
    residency_item *item = &r->items[index];
    r->budgets[item->group].bytes -= item->former_bytes;
    item->former_bytes = 0;
    list_update(r, index);
}

/* Drops former content of items that are wanted, or of those that are not, until `bytes_needed` more fit. */
static void formers_drop(residency *r, uint32_t group, uint64_t bytes_needed, bool wanted)
{
    const residency_budget *budget = &r->budgets[group];
    uint32_t index = r->oldest;
    while (index != RESIDENCY_NONE && budget->bytes + bytes_needed > budget->bytes_max) {
        const residency_item *item = &r->items[index];
        uint32_t next = item->newer;
        if (item->group == group && item->former_bytes > 0 && (item->frame == r->frame) == wanted &&
            action_add(r, (residency_action){ .kind = RESIDENCY_DROP_FORMER, .item = index })) {
            former_forget(r, index);
        }
        index = next;
    }
}

/* Drops what is not wanted, longest unseen first, until `bytes_needed` more fit. True if they do. */
static bool room_make(residency *r, uint32_t group, uint64_t bytes_needed)
{
    residency_budget *budget = &r->budgets[group];
    formers_drop(r, group, bytes_needed, false);
    for (int pass = 0; pass < 2; ++pass) {
        uint32_t index = r->oldest;
        while (index != RESIDENCY_NONE && budget->bytes + bytes_needed > budget->bytes_max) {
            residency_item *item = &r->items[index];
            uint32_t next = item->newer;
            bool idle = item->target == item->resident && item->resident < item->level_count;
            bool unwanted = item->frame != r->frame;
            /* First down to the coarse tail, or to what is desired of it; then away. */
            uint8_t keep = unwanted ? (pass == 0 ? item->level_first : item->level_count) : item->desired;
            if (item->group == group && idle && keep > item->resident && (unwanted || pass == 1)) {
                if (!action_add(r, (residency_action){ .kind = RESIDENCY_DROP, .item = index, .level = keep })) {
                    return false;
                }
                item_drop(r, index, keep);
            }
            index = next;
        }
    }
    formers_drop(r, group, bytes_needed, true);
    return budget->bytes + bytes_needed <= budget->bytes_max;
}

static int want_compare(const void *a, const void *b, void *context)
{
    const residency_item *items = context;
    const residency_item *x = &items[*(const uint32_t *)a], *y = &items[*(const uint32_t *)b];
    if (x->wanted_class != y->wanted_class) {
        return x->wanted_class < y->wanted_class ? -1 : 1;
    }
    if (x->score < y->score || x->score > y->score) {
        return x->score < y->score ? -1 : 1;
    }
    return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

static void cancels_plan(residency *r)
{
    /* Everything that holds or awaits memory is on the list, what is wanted last at its end. */
    uint32_t looked = 0;
    for (uint32_t index = r->oldest; index != RESIDENCY_NONE && looked < ACTIONS_MAX; index = r->items[index].newer) {
        const residency_item *item = &r->items[index];
        if (item->frame == r->frame) {
            break;
        }
        ++looked;
        if (item->reading && r->frame - item->frame > CANCEL_AFTER_FRAMES) {
            (void)action_add(r, (residency_action){ .kind = RESIDENCY_CANCEL, .item = index });
        }
    }
}

static void read_plan(residency *r, uint32_t index)
{
    residency_item *item = &r->items[index];
    if (item->target < item->resident) {
        bool promotes = item->reading && item->wanted_class < item->asked_class;
        bool useless = item->reading && item->desired >= item->resident && item->resident < item->level_count;
        if (useless) {
            (void)action_add(r, (residency_action){ .kind = RESIDENCY_CANCEL, .item = index });
        } else if (promotes) {
            item->asked_class = item->wanted_class;
            (void)action_add(r, (residency_action){ .kind = RESIDENCY_PROMOTE,
                                                    .item = index,
                                                    .wanted_class = item->wanted_class,
                                                    .score = item->score });
        }
        return;
    }
    uint8_t level = item->desired;
    if (level >= item->resident) {
        return;
    }
    if (item->resident == item->level_count) {
        level = item->level_first;
    } else {
        while (level + 1 < item->resident && step_bytes(item, level) > STEP_BYTES_MAX) {
            ++level;
        }
    }
    uint64_t bytes = step_bytes(item, level);
    if (r->bytes_reading > 0 && r->bytes_reading + bytes > r->bytes_reading_max) {
        return;
    }
    if (!room_make(r, item->group, bytes)) {
        return;
    }
    residency_action action = { .kind = RESIDENCY_READ,
                                .item = index,
                                .level = level,
                                .count = (uint8_t)(item->resident - level),
                                .wanted_class = item->wanted_class,
                                .score = item->score };
    (void)action_add(r, action);
}

void residency_plan(residency *r, bool paused)
{
    for (uint32_t group = 0; group < RESIDENCY_GROUP_COUNT; ++group) {
        bias_choose(r, group);
    }
    r->bare_count = r->coarse_count = 0;
    for (uint32_t i = 0; i < r->wanted_count; ++i) {
        residency_item *item = &r->items[r->wanted[i]];
        uint32_t bias = r->budgets[item->group].bias;
        item->desired = level_biased(item, bias + (item->wanted_class == RESIDENCY_AHEAD ? bias : 0));
        if (item->wanted_class != RESIDENCY_AHEAD) {
            bool bare = item->resident == item->level_count;
            item->wanted_class = bare ? RESIDENCY_BARE : RESIDENCY_VISIBLE;
            r->bare_count += bare;
            r->coarse_count += item->resident > item->desired;
        }
        if (item->listed) {
            list_push(r, r->wanted[i]);
        }
    }
    qsort_r(r->wanted, r->wanted_count, sizeof *r->wanted, want_compare, r->items);
    cancels_plan(r);
    for (uint32_t group = 0; group < RESIDENCY_GROUP_COUNT; ++group) {
        (void)room_make(r, group, 0); /* the budget may have shrunk */
    }
    for (uint32_t i = 0; i < r->wanted_count && !paused; ++i) {
        uint32_t before = r->action_count;
        read_plan(r, r->wanted[i]);
        /* A read that is planned counts at once, so that the next want of this frame sees less room. */
        if (r->action_count > before && r->actions[r->action_count - 1].kind == RESIDENCY_READ) {
            const residency_action *action = &r->actions[r->action_count - 1];
            item_start(r, action->item, action->level, action->wanted_class);
        }
    }
}

void residency_arrived(residency *r, uint32_t index)
{
    residency_item *item = &r->items[index];
    if (item->reading) {
        item->reading = false;
        r->bytes_reading -= step_bytes(item, item->target);
    }
}

void residency_uploaded(residency *r, uint32_t index)
{
    residency_arrived(r, index);
    r->items[index].resident = r->items[index].target;
    former_forget(r, index);
}

void residency_ended(residency *r, uint32_t index, bool damaged)
{
    residency_item *item = &r->items[index];
    residency_arrived(r, index);
    uint64_t before = item_bytes(item);
    item->target = item->resident;
    r->budgets[item->group].bytes -= before - item_bytes(item);
    if (damaged) {
        item->level_finest = item->resident;
        item->failed = item->resident == item->level_count;
    }
    list_update(r, index);
}

void residency_forget(residency *r, uint32_t index)
{
    residency_item *item = &r->items[index];
    if (item->level_count > 0) {
        former_forget(r, index);
        item_drop(r, index, item->level_count);
    }
}

void residency_outdate(residency *r, uint32_t index)
{
    residency_item *item = &r->items[index];
    if (item->resident < item->level_count) { /* else nothing came since it changed the last time */
        item->former_bytes = item->bytes_from[item->resident];
        item->resident = item->target = item->level_count;
    }
}

residency_reason residency_reason_of(const residency *r, uint32_t index, bool paused)
{
    const residency_item *item = &r->items[index];
    if (item->failed) {
        return RESIDENCY_FAILED;
    }
    if (item->target < item->resident) {
        return item->reading ? RESIDENCY_READING : RESIDENCY_UPLOADING;
    }
    if (item->resident > item->desired) {
        return paused ? RESIDENCY_PAUSED : RESIDENCY_WAITING;
    }
    if (item->resident > item->wanted) {
        return RESIDENCY_OVER_BUDGET;
    }
    if (item->resident == 0) {
        return RESIDENCY_FINEST;
    }
    return item->resident == item->level_finest ? RESIDENCY_LIMITED : RESIDENCY_SHARP;
}

uint32_t residency_missing(const residency *r, uint32_t index)
{
    const residency_item *item = &r->items[index];
    if (item->failed || item->resident >= item->level_count) {
        return RESIDENCY_LEVELS_MAX + item->failed;
    }
    return item->resident > item->wanted ? (uint32_t)item->resident - item->wanted : 0;
}

uint32_t residency_shade(uint32_t missing)
{
    return missing > RESIDENCY_LEVELS_MAX ? 5 : missing == RESIDENCY_LEVELS_MAX ? 4 : missing < 3 ? missing : 3;
}

const char *residency_reason_text(residency_reason reason)
{
    static const char *const texts[RESIDENCY_REASON_COUNT] = {
        [RESIDENCY_FINEST] = "as fine as it is packed",
        [RESIDENCY_SHARP] = "as fine as its size on screen needs",
        [RESIDENCY_READING] = "finer: being read",
        [RESIDENCY_UPLOADING] = "finer: read, going to the GPU",
        [RESIDENCY_WAITING] = "finer: waits for its turn, or for room",
        [RESIDENCY_OVER_BUDGET] = "held coarse by the budget (+ raises it)",
        [RESIDENCY_PAUSED] = "finer: streaming is paused (P)",
        [RESIDENCY_LIMITED] = "finer cannot be had: damaged or too large",
        [RESIDENCY_FAILED] = "cannot be read: damaged or unknown",
    };
    return (uint32_t)reason < RESIDENCY_REASON_COUNT ? texts[reason] : "?";
}

uint32_t residency_under_way(const residency *r, uint32_t *items, uint32_t count_max)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->wanted_count; ++i) {
        const residency_item *item = &r->items[r->wanted[i]];
        if (item->target < item->resident) {
            if (count < count_max) {
                items[count] = r->wanted[i];
            }
            ++count;
        }
    }
    return count;
}

uint32_t residency_mip_for(uint32_t width, uint32_t height, uint32_t mip_count, float pixels)
{
    uint32_t side = width > height ? width : height, mip = 0;
    /* One texel a pixel, and a quarter of a mip to the finer side. */
    while (mip + 1 < mip_count && (float)(side >> (mip + 1)) >= pixels * 1.19f) {
        ++mip;
    }
    return mip;
}
