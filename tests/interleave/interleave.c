/* interleave.c - runs the protocols between Leat's threads in every order of their steps (explore.h).
 *
 *     interleave [--long] [NAME]         all scenarios, or that one
 *     interleave NAME --schedule DIGITS --preemptions N [--break KIND FUNCTION OBJECT]
 *                                        one run, told step by step: a failure prints this line
 *     interleave --canaries              plants breaks that must be found
 *     interleave --breaks [NAME]         plants each break there is, one after the other, and tells which are found */
#include "scenarios.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct break_name {
    const char *name;
    explore_break kind;
} break_name;

static const break_name BREAKS[] = { { "split", BREAK_SPLIT }, { "late", BREAK_LATE }, { "lost", BREAK_LOST } };

typedef struct planted {
    const char *kind, *function, *object;
} planted;

/* One of each pattern: these must be found. What is announced, and what is posted, before the other side is looked at;
 * who is first; what only one may take. */
static const struct {
    const char *scenario; /* finds it */
    planted planted;
} CANARIES[] = {
    { "mail.posts", { "late", "mpsc_push_chain", "&list->head" } },
    { "mail.posts", { "split", "mpsc_mark", "&link->mask" } },
    { "mail.posts", { "split", "mpsc_take", "&list->head" } },
    { "mail.posts", { "lost", "mpsc_open", "&link->mask" } },
    { "mail.held", { "split", "mpsc_open_held", "&link->mask" } },
    { "commands", { "split", "command_queue_push", "&queue->tail" } },
    { "posts", { "split", "post_ring_push", "&ring->tail" } },
    { "slots", { "split", "handles_acquire_many", "&table->free_head" } },
    { "flags", { "split", "change", "control" } },
    { "batch", { "split", "change", "control" } },
    { "sleep.light.later", { "late", "pump_sleep", "&s->sleep" } },
    { "sleep.two.commands", { "late", "command_queue_push", "&cell->turn" } },
    { "returns.nap", { "late", "finish_task", "&s->decode_bytes" } },
    { "returns.nap.one_read", { "split", "finish_task", "&rd->tasks_open" } },
    { "returns.deep.unread", { "lost", "finish_task", "&s->chunks_unread" } },
    { "end.light", { "late", "ender", "&s->stopping" } },
    { "wait.leat_wait", { "late", "posts_await", "&s->update_waits" } },
    { "wait.leat_wait", { "late", "post_ring_push", "&ring->posts[position & (ring->capacity - 1)]" } },
    { "wait.descriptor", { "late", "post_signal_take", "&s->event_signal" } },
    { "wait.owed", { "late", "streamer_wake", "&s->wake_owed" } },
};

/* ---- Scenarios ---- */

static const scenario_list *const LISTS[] = { &LIST_SCENARIOS, &SLEEP_SCENARIOS, &WAIT_SCENARIOS, &BATCH_SCENARIOS,
                                              &WORK_SCENARIOS };

static const explore_scenario *scenario_at(uint32_t index)
{
    for (size_t i = 0; i < COUNT_OF(LISTS); ++i) {
        if (index < LISTS[i]->count) {
            return &LISTS[i]->items[index];
        }
        index -= (uint32_t)LISTS[i]->count;
    }
    return NULL;
}

static const explore_scenario *scenario_named(const char *name)
{
    const explore_scenario *scenario;
    for (uint32_t i = 0; (scenario = scenario_at(i)) != NULL; ++i) {
        if (strcmp(scenario->name, name) == 0) {
            return scenario;
        }
    }
    fprintf(stderr, "interleave: there is no scenario \"%s\"; they are:\n", name);
    for (uint32_t i = 0; (scenario = scenario_at(i)) != NULL; ++i) {
        fprintf(stderr, "  %s\n", scenario->name);
    }
    exit(2);
}

/* ---- Runs ---- */

static void tell_failure(const explore_scenario *scenario, const explore_result *result, const planted *p)
{
    printf("%s: %s\n  again, step by step: interleave %s --preemptions %u --schedule \"%s\"", scenario->name,
           result->why, scenario->name, result->preemptions, result->schedule);
    if (p != NULL) {
        printf(" --break %s %s '%s'", p->kind, p->function, p->object);
    }
    printf("\n");
}

static bool explore(const explore_scenario *scenario, bool more)
{
    explore_result result;
    explore_run(scenario, more ? scenario->preemptions_long : scenario->preemptions, &result);
    if (result.failed) {
        tell_failure(scenario, &result, NULL);
        explore_replay(scenario, result.schedule, result.preemptions, &result);
        return false;
    }
    printf("%-28s %9llu orders of up to %4llu steps, ", scenario->name, (unsigned long long)result.runs,
           (unsigned long long)result.steps);
    printf(result.complete ? "all there are\n" : "all with up to %u preemptions\n", result.preemptions);
    fflush(stdout);
    return true;
}

static bool explore_all(bool more)
{
    const explore_scenario *scenario;
    bool good = true;
    for (uint32_t i = 0; (scenario = scenario_at(i)) != NULL; ++i) {
        good &= explore(scenario, more);
    }
    return good;
}

/* ---- Breaks ---- */

static explore_break break_of(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(BREAKS); ++i) {
        if (strcmp(BREAKS[i].name, name) == 0) {
            return BREAKS[i].kind;
        }
    }
    fprintf(stderr, "interleave: a break is split, late or lost, not \"%s\"\n", name);
    exit(2);
}

/* True if a scenario (of that name, if there is one) finds it. */
static bool find(const planted *p, const char *name, uint32_t preemptions_max)
{
    explore_plant(break_of(p->kind), p->function, p->object);
    const explore_scenario *scenario;
    bool found = false;
    for (uint32_t i = 0; !found && (scenario = scenario_at(i)) != NULL; ++i) {
        if (name != NULL && strcmp(name, scenario->name) != 0) {
            continue;
        }
        explore_result result;
        explore_run(scenario, u32_min(scenario->preemptions, preemptions_max), &result);
        found = result.failed;
        if (found) {
            printf("%-6s %-24s %-32s found by %s after %llu orders: %s\n", p->kind, p->function, p->object,
                   scenario->name, (unsigned long long)result.runs, result.why);
        }
    }
    if (!found) {
        printf("%-6s %-24s %-32s %s\n", p->kind, p->function, p->object,
               explore_was_met() ? "NOT FOUND" : "IS NOWHERE: the code has changed");
    }
    explore_plant(BREAK_NONE, "", "");
    fflush(stdout);
    return found;
}

#define BREAKS_PREEMPTIONS_MAX 2u /* nearly all that is found is found so */

static bool find_canaries(void)
{
    bool all = true;
    for (size_t i = 0; i < COUNT_OF(CANARIES); ++i) {
        all &= find(&CANARIES[i].planted, CANARIES[i].scenario, BREAKS_PREEMPTIONS_MAX);
    }
    return all;
}

static void try_breaks(const char *name)
{
    explore_result result;
    const explore_scenario *scenario;
    for (uint32_t i = 0; (scenario = scenario_at(i)) != NULL; ++i) { /* so that all places are known */
        if (name == NULL || strcmp(name, scenario->name) == 0) {
            explore_run(scenario, 1, &result);
        }
    }
    for (const explore_site *site = explore_sites(); site != NULL; site = site->next) {
        bool store = strcmp(site->operation, "store") == 0;
        bool change = strcmp(site->operation, "exchange") == 0 || strcmp(site->operation, "swap") == 0 ||
                      strcmp(site->operation, "add") == 0 || strcmp(site->operation, "subtract") == 0 ||
                      strcmp(site->operation, "or") == 0;
        for (size_t k = 0; k < COUNT_OF(BREAKS) && (store || change) && !site->passed_over; ++k) {
            if (change || BREAKS[k].kind != BREAK_SPLIT) {
                find(&(planted){ BREAKS[k].name, site->function, site->object }, name, BREAKS_PREEMPTIONS_MAX);
            }
        }
    }
}

/* ---- Words ---- */

int main(int count, char **words)
{
    const char *name = NULL, *schedule = NULL;
    planted p = { 0 };
    bool more = false, breaks = false, canaries = false;
    uint32_t preemptions = UINT32_MAX;
    for (int i = 1; i < count; ++i) {
        if (strcmp(words[i], "--long") == 0) {
            more = true;
        } else if (strcmp(words[i], "--breaks") == 0) {
            breaks = true;
        } else if (strcmp(words[i], "--canaries") == 0) {
            canaries = true;
        } else if (strcmp(words[i], "--schedule") == 0 && i + 1 < count) {
            schedule = words[++i];
        } else if (strcmp(words[i], "--preemptions") == 0 && i + 1 < count) {
            preemptions = (uint32_t)strtoul(words[++i], NULL, 10);
        } else if (strcmp(words[i], "--break") == 0 && i + 3 < count) {
            p = (planted){ words[i + 1], words[i + 2], words[i + 3] };
            i += 3;
        } else if (words[i][0] != '-' && name == NULL) {
            name = words[i];
        } else {
            fprintf(stderr, "interleave: what is \"%s\"? See interleave.c\n", words[i]);
            return 2;
        }
    }
    if (canaries) {
        return find_canaries() ? 0 : 1;
    }
    if (breaks) {
        try_breaks(name);
        return 0;
    }
    if (schedule != NULL && name != NULL) {
        if (p.kind != NULL) {
            explore_plant(break_of(p.kind), p.function, p.object);
        }
        explore_result result;
        explore_replay(scenario_named(name), schedule, preemptions, &result);
        printf("%s\n", result.failed ? result.why : "nothing fails");
        return result.failed;
    }
    if (p.kind != NULL) {
        return find(&p, name, preemptions) ? 0 : 1;
    }
    bool good = name != NULL ? explore(scenario_named(name), more) : explore_all(more);
    return good ? 0 : 1;
}
