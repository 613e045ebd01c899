/* scenarios.h - what is explored: some threads over the streamer's own sources, and what must be true of them. */
#ifndef LEAT_TEST_SCENARIOS_H
#define LEAT_TEST_SCENARIOS_H

#include "explore.h"

#include "base.h"

typedef struct scenario_list {
    const explore_scenario *items;
    size_t count;
} scenario_list;

extern const scenario_list LIST_SCENARIOS; /* lists.c */
extern const scenario_list SLEEP_SCENARIOS; /* sleeps.c */
extern const scenario_list WAIT_SCENARIOS; /* waits.c */
extern const scenario_list BATCH_SCENARIOS; /* batches.c */
extern const scenario_list WORK_SCENARIOS; /* works.c */

memory scenario_memory(void); /* lists.c */

#endif
