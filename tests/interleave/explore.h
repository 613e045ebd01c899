/* explore.h - runs the threads of a scenario in every order of their steps, up to a number of preemptions.
 *
 * Threads are coroutines, and exactly one runs at a time. At each step by which threads meet (explored.h) the explorer
 * decides who goes on. A run is a list of such decisions; the next run repeats it up to the last one that had another
 * answer and gives that: depth first, until all are given. To go on with another thread although the present one could
 * go on is a preemption; of those a run may have so many (Musuvathi and Qadeer's bound: few suffice for nearly all such
 * bugs), and first all runs with none are tried, then with one, so that what is found is found in its simplest form.
 *
 * A scenario fails by explore_fail, by an ASSERT of the code, or because nobody can go on. The decisions are printed,
 * as a string that runs it again, and each step of it.
 *
 * A BREAK is planted in a step of the code without touching its source, to show that the explorer would find it:
 *
 *     split   what reads, changes and writes in one step does it in two
 *     late    what a step writes is seen by others after the next loads of its thread, as a weaker order than
 *             sequentially consistent allows (and processors do)
 *     lost    what a step writes is written never
 *
 * One thread, one scenario at a time: the state is the explorer's own. */
#ifndef LEAT_TEST_EXPLORE_H
#define LEAT_TEST_EXPLORE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define EXPLORE_THREADS_MAX 6u

typedef enum explore_break { BREAK_NONE = 0, BREAK_SPLIT, BREAK_LATE, BREAK_LOST } explore_break;

/* A place in the code where threads meet. */
typedef struct explore_site {
    const char *operation, *object, *file, *function;
    int line;
    bool met, passed_over; /* passed_over: counters and traces, which no thread acts on */
    explore_break planted;
    struct explore_site *next;
} explore_site;

/* How a sleep may end before what it waits for: not; by its time, at the latest when nobody else can go on; or for
 * nothing, which nobody can count on. To go on early costs a preemption. */
typedef enum explore_patience { PATIENCE_ENDLESS = 0, PATIENCE_TIMED, PATIENCE_SPURIOUS } explore_patience;

typedef struct explore_scenario {
    const char *name;
    uint32_t preemptions, preemptions_long; /* up to so many: in each run of the tests, and behind --long */
    int parameter; /* for begin */
    void (*begin)(int parameter); /* a world as new; makes the threads */
    /* Nobody can go on, but early. Says with explore_fail what should not be; true if something has come to pass by
     * which somebody can. Takes no steps. May be NULL. */
    bool (*at_rest)(void);
    void (*end)(void); /* all threads have ended. May be NULL. */
} explore_scenario;

/* ---- For scenarios ---- */

void explore_thread(const char *name, void (*body)(void *), void *argument); /* in begin, or from a thread */
_Noreturn void explore_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define EXPLORE_CHECK(condition) ((condition) ? (void)0 : explore_fail("%s:%d: not %s", __FILE__, __LINE__, #condition))
/* Until ready(argument), which changes nothing and takes no step; false: it has gone on before. */
bool explore_await(explore_site *site, bool (*ready)(void *), void *argument, explore_patience patience);
uint32_t explore_choose(uint32_t count); /* each answer below count is tried */
int explore_fd_make(void);
uint64_t explore_fd_count(int fd); /* what a read would give; 0: it is not readable */

/* ---- For explored.h ---- */

void explore_step(explore_site *site, const void *object, bool writes);
void explore_note(const explore_site *site, uint64_t value);
void explore_break_here(explore_site *site);
bool explore_withhold(explore_site *site, void *object, const void *value, size_t size);
extern bool explore_tracing;

static inline void explore_value(const explore_site *site, uint64_t value)
{
    if (explore_tracing) {
        explore_note(site, value);
    }
}
static inline void explore_split(explore_site *site)
{
    if (site->planted == BREAK_SPLIT) {
        explore_break_here(site);
    }
}
/* True: nothing is to be written now. */
static inline bool explore_withheld(explore_site *site, void *object, const void *value, size_t size)
{
    return site->planted > BREAK_SPLIT && explore_withhold(site, object, value, size);
}

int explore_lock_init(pthread_mutex_t *lock);
int explore_lock(explore_site *site, pthread_mutex_t *lock);
int explore_unlock(pthread_mutex_t *lock);
int explore_condition_init(pthread_cond_t *condition);
int explore_wait(explore_site *site, pthread_cond_t *condition, pthread_mutex_t *lock);
int explore_signal(explore_site *site, pthread_cond_t *condition, bool all);
int explore_create(pthread_t *thread, void *(*run)(void *), void *argument, const char *name);
int explore_join(explore_site *site, pthread_t thread);
int explore_eventfd(void);
ssize_t explore_read(explore_site *site, int fd, void *value);
ssize_t explore_write(explore_site *site, int fd, const void *value);
struct pollfd;
struct timespec;
int explore_poll(explore_site *site, struct pollfd *polls, uint64_t count, const struct timespec *timeout);

/* ---- For the program ---- */

typedef struct explore_result {
    uint64_t runs, steps; /* steps of the longest run */
    uint32_t preemptions; /* up to so many */
    bool complete; /* no order was left out for having more */
    bool failed;
    char why[256];
    char schedule[4096]; /* of the failure */
} explore_result;

void explore_run(const explore_scenario *scenario, uint32_t preemptions_max, explore_result *result);
/* One run, told step by step. */
void explore_replay(const explore_scenario *scenario, const char *schedule, uint32_t preemptions_max,
                    explore_result *result);
/* From now on, in each place of that function where `object` stands and that is of that kind. BREAK_NONE: nowhere. */
void explore_plant(explore_break kind, const char *function, const char *object);
bool explore_was_met(void); /* the planted place, since */
explore_site *explore_sites(void); /* that were met, newest first */

#endif
