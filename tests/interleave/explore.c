/* explore.c - see explore.h. */
#include "explore.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define STACK_SIZE ((size_t)256 << 10)
#define DECISIONS_MAX 4000u /* of one run */
#define STEPS_MAX 20000u /* of one run: more is taken for one that never ends */
#define FDS_MAX 8u
#define FD_FIRST 1000 /* no descriptor of the kernel's has such a number */
#define WITHHELD_BYTES_MAX 8u
#define NAME_SIZE 16u

typedef struct thread {
    ucontext_t context; /* to begin with */
    jmp_buf here; /* where it stopped: swapcontext would make a system call each time */
    bool begun;
    char *stack;
    char name[NAME_SIZE];
    void (*body)(void *);
    void *argument;
    void *(*run)(void *); /* of a thread that the code makes: instead of body */
    bool ended;
    bool (*ready)(void *); /* blocked until that is true; NULL: it can go on */
    void *ready_argument;
    explore_patience patience;
    bool early; /* went on before that */
    void *withheld_at; /* a store of a break; NULL: none */
    uint8_t withheld[WITHHELD_BYTES_MAX];
    size_t withheld_size;
} thread;

typedef struct decision {
    uint8_t count, chosen;
} decision;

/* What lies in the memory of a lock, and of a condition. */
typedef struct lock {
    uint32_t owner; /* thread + 1; 0: free */
} lock;
typedef struct condition {
    uint32_t waiting; /* 1 << thread */
} condition;

static struct {
    const explore_scenario *scenario;
    jmp_buf main_here;
    thread threads[EXPLORE_THREADS_MAX + 1]; /* the last one, which has ended, is the present one at the beginning */
    uint32_t thread_count, current;
    bool running;
    decision decisions[DECISIONS_MAX];
    uint32_t decided, given; /* decisions of this run; those that it was given */
    uint32_t steps, preemptions, preemptions_max;
    bool cut; /* an order was left out for its preemptions */
    bool failed;
    char why[256];
    uint64_t fds[FDS_MAX]; /* count + 1; 0: closed */
    explore_site *sites;
    struct {
        explore_break kind;
        const char *function, *object;
        bool met;
    } plant;
} x;

bool explore_tracing;

/* ---- Ends ---- */

_Noreturn static void leave_run(void)
{
    x.running = false;
    _longjmp(x.main_here, 1);
}

_Noreturn void explore_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(x.why, sizeof(x.why), format, arguments);
    va_end(arguments);
    x.failed = true;
    leave_run();
}

_Noreturn void __wrap_base_assert_failed(const char *what, const char *file, int line);
_Noreturn void __wrap_base_assert_failed(const char *what, const char *file, int line)
{
    explore_fail("%s:%d: assertion: %s", file, line, what);
}

/* ---- Decisions ---- */

static uint32_t decide(uint32_t count)
{
    if (count == 1) {
        return 0;
    }
    if (x.decided == DECISIONS_MAX) {
        explore_fail("more than %u decisions: it does not end", DECISIONS_MAX);
    }
    decision *d = &x.decisions[x.decided];
    if (x.decided++ >= x.given) {
        *d = (decision){ .count = (uint8_t)count };
    } else if (d->count == 0) { /* replayed: how many there are is not in the string */
        d->count = (uint8_t)count;
    }
    if (d->count != count || d->chosen >= count) {
        explore_fail("these decisions are not of this code");
    }
    return d->chosen;
}

uint32_t explore_choose(uint32_t count)
{
    return x.running ? decide(count) : 0;
}

static bool can_go_on(thread *t)
{
    return !t->ended && (t->ready == NULL || t->ready(t->ready_argument));
}

/* Those who may go on, the present one first. */
static uint32_t list_options(uint32_t *options)
{
    uint32_t count = 0;
    bool stays = can_go_on(&x.threads[x.current]);
    if (stays) {
        options[count++] = x.current;
    }
    for (uint32_t i = 0; i < x.thread_count; ++i) {
        if (i != x.current && can_go_on(&x.threads[i])) {
            options[count++] = i;
        }
    }
    uint32_t free_count = stays ? 1 : count;
    for (uint32_t i = 0; i < x.thread_count; ++i) { /* a time is over early, or a wake comes for nothing */
        thread *t = &x.threads[i];
        if (!t->ended && t->ready != NULL && t->patience != PATIENCE_ENDLESS && !t->ready(t->ready_argument)) {
            options[count++] = i;
        }
    }
    if (free_count == 0) {
        return 0;
    }
    if (count > free_count && x.preemptions >= x.preemptions_max) {
        x.cut = true;
        return free_count;
    }
    return count;
}

static bool let_time_pass(void)
{
    for (uint32_t i = 0; i < x.thread_count; ++i) {
        thread *t = &x.threads[i];
        if (!t->ended && t->ready != NULL && t->patience == PATIENCE_TIMED) {
            t->ready = NULL;
            t->early = true;
            return true;
        }
    }
    return false;
}

static void tell_who_waits(char *text, size_t size)
{
    size_t length = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < x.thread_count && length < size; ++i) {
        if (!x.threads[i].ended) {
            length += (size_t)snprintf(text + length, size - length, " %s", x.threads[i].name);
        }
    }
}

/* Who goes on. UINT32_MAX: all have ended. */
static uint32_t pick(void)
{
    uint32_t options[2 * EXPLORE_THREADS_MAX];
    bool alive = false;
    for (uint32_t i = 0; i < x.thread_count; ++i) {
        alive |= !x.threads[i].ended;
    }
    if (!alive) {
        return UINT32_MAX;
    }
    uint32_t count;
    while ((count = list_options(options)) == 0) {
        x.running = false;
        bool passed = x.scenario->at_rest != NULL && x.scenario->at_rest();
        x.running = true;
        if (!passed && !let_time_pass()) {
            char who[128];
            tell_who_waits(who, sizeof(who));
            explore_fail("nobody can go on, and these sleep:%s", who);
        }
    }
    uint32_t chosen = options[decide(count)];
    thread *t = &x.threads[chosen];
    bool stays = can_go_on(&x.threads[x.current]);
    if (!can_go_on(t)) {
        t->ready = NULL;
        t->early = true;
        ++x.preemptions;
    } else if (stays && chosen != x.current) {
        ++x.preemptions;
    }
    return chosen;
}

_Noreturn static void enter(thread *t)
{
    x.current = (uint32_t)(t - x.threads);
    if (t->begun) {
        _longjmp(t->here, 1);
    }
    t->begun = true;
    setcontext(&t->context);
    abort();
}

static void go_on_with(uint32_t next)
{
    if (next != x.current && _setjmp(x.threads[x.current].here) == 0) {
        enter(&x.threads[next]);
    }
}

/* ---- Breaks ---- */

static void write_withheld(thread *t)
{
    if (t->withheld_at != NULL) {
        memcpy(t->withheld_at, t->withheld, t->withheld_size);
        t->withheld_at = NULL;
    }
}

bool explore_withhold(explore_site *site, void *object, const void *value, size_t size)
{
    thread *t = &x.threads[x.current];
    if (!x.running) {
        return false;
    }
    if (site->planted == BREAK_LATE && size <= WITHHELD_BYTES_MAX) {
        memcpy(t->withheld, value, size);
        t->withheld_at = object;
        t->withheld_size = size;
    }
    return true;
}

void explore_break_here(explore_site *site)
{
    if (x.running) {
        (void)site;
        go_on_with(pick());
    }
}

static void plant_in(explore_site *site)
{
    bool here = x.plant.kind != BREAK_NONE && strcmp(site->function, x.plant.function) == 0 &&
                strcmp(site->object, x.plant.object) == 0 && strcmp(site->operation, "load") != 0;
    if (here && x.plant.kind == BREAK_SPLIT) {
        here = strcmp(site->operation, "store") != 0;
    }
    site->planted = here ? x.plant.kind : BREAK_NONE;
    x.plant.met |= here;
}

void explore_plant(explore_break kind, const char *function, const char *object)
{
    x.plant.kind = kind;
    x.plant.function = function;
    x.plant.object = object;
    x.plant.met = false;
    for (explore_site *site = x.sites; site != NULL; site = site->next) {
        plant_in(site);
    }
}

bool explore_was_met(void)
{
    return x.plant.met;
}

explore_site *explore_sites(void)
{
    return x.sites;
}

/* ---- Steps ---- */

static void meet(explore_site *site)
{
    static const char *const PASSED_OVER[] = { "count_add", "count_own",    "level_set",   "trace_is_on",
                                               "counted",   "streamer_now", "trace_write", "spread_look" };
    site->met = true;
    site->next = x.sites;
    x.sites = site;
    for (size_t i = 0; i < sizeof(PASSED_OVER) / sizeof(PASSED_OVER[0]); ++i) {
        site->passed_over |= strcmp(site->function, PASSED_OVER[i]) == 0;
    }
    plant_in(site);
}

static void tell(const explore_site *site)
{
    const char *slash = strrchr(site->file, '/');
    printf("\n%5u  %-8s %-28s %-9s %-32s %s:%d", x.steps, x.threads[x.current].name, site->function, site->operation,
           site->object, slash != NULL ? slash + 1 : site->file, site->line);
}

void explore_note(const explore_site *site, uint64_t value)
{
    if (x.running && !site->passed_over) {
        printf("  = %lld", (long long)value);
    }
}

void explore_step(explore_site *site, const void *object, bool writes)
{
    if (!site->met) {
        meet(site);
    }
    if (!x.running || site->passed_over) {
        return;
    }
    if (++x.steps > STEPS_MAX) {
        explore_fail("more than %u steps: it does not end", STEPS_MAX);
    }
    go_on_with(pick());
    thread *t = &x.threads[x.current];
    if (writes || object == t->withheld_at || object == NULL) {
        write_withheld(t);
    }
    if (explore_tracing) {
        tell(site);
    }
}

bool explore_await(explore_site *site, bool (*ready)(void *), void *argument, explore_patience patience)
{
    explore_step(site, NULL, true);
    if (ready(argument)) {
        return true;
    }
    if (!x.running) {
        return false;
    }
    thread *t = &x.threads[x.current];
    t->ready = ready;
    t->ready_argument = argument;
    t->patience = patience;
    t->early = false;
    go_on_with(pick());
    t->ready = NULL;
    if (explore_tracing) {
        printf("\n       %-8s goes on%s", t->name, t->early ? " early" : "");
    }
    return !t->early;
}

/* ---- Threads ---- */

static void thread_main(void)
{
    for (;;) { /* once a run */
        thread *t = &x.threads[x.current];
        if (t->run != NULL) {
            t->run(t->argument);
        } else {
            t->body(t->argument);
        }
        if (t->withheld_at != NULL) {
            go_on_with(pick());
            write_withheld(t);
        }
        t->ended = true;
        uint32_t next = pick();
        if (next != UINT32_MAX) {
            go_on_with(next);
        } else {
            if (_setjmp(t->here) == 0) {
                leave_run();
            }
        }
    }
}

static thread *add_thread(const char *name, void *argument)
{
    if (x.thread_count == EXPLORE_THREADS_MAX) {
        explore_fail("more than %u threads", EXPLORE_THREADS_MAX);
    }
    thread *t = &x.threads[x.thread_count++];
    snprintf(t->name, sizeof(t->name), "%s", name);
    t->argument = argument;
    t->body = NULL;
    t->run = NULL;
    t->ended = t->early = false;
    t->ready = NULL;
    t->withheld_at = NULL;
    if (t->stack == NULL) {
        t->stack = malloc(STACK_SIZE);
        if (t->stack == NULL || getcontext(&t->context) != 0) {
            explore_fail("no memory for a stack");
        }
        t->context.uc_stack.ss_sp = t->stack;
        t->context.uc_stack.ss_size = STACK_SIZE;
        t->context.uc_link = NULL;
        t->begun = false;
        makecontext(&t->context, thread_main, 0);
    }
    return t;
}

void explore_thread(const char *name, void (*body)(void *), void *argument)
{
    add_thread(name, argument)->body = body;
}

int explore_create(pthread_t *handle, void *(*run)(void *), void *argument, const char *name)
{
    *handle = (pthread_t)x.thread_count;
    add_thread(name, argument)->run = run;
    return 0;
}

static bool has_ended(void *argument)
{
    return ((thread *)argument)->ended;
}

int explore_join(explore_site *site, pthread_t handle)
{
    explore_await(site, has_ended, &x.threads[(size_t)handle], PATIENCE_ENDLESS);
    return 0;
}

/* ---- Locks and conditions ---- */

static bool is_free(void *argument)
{
    return ((lock *)argument)->owner == 0;
}

int explore_lock_init(pthread_mutex_t *memory)
{
    ((lock *)(void *)memory)->owner = 0;
    return 0;
}

int explore_lock(explore_site *site, pthread_mutex_t *memory)
{
    lock *l = (lock *)(void *)memory;
    explore_await(site, is_free, l, PATIENCE_ENDLESS);
    l->owner = x.current + 1;
    return 0;
}

/* No step of its own: what it changes shows in others' locks. */
int explore_unlock(pthread_mutex_t *memory)
{
    lock *l = (lock *)(void *)memory;
    write_withheld(&x.threads[x.current]);
    if (x.running && l->owner != x.current + 1) {
        explore_fail("%s unlocks what it has not locked", x.threads[x.current].name);
    }
    l->owner = 0;
    return 0;
}

int explore_condition_init(pthread_cond_t *memory)
{
    ((condition *)(void *)memory)->waiting = 0;
    return 0;
}

typedef struct condition_wait {
    condition *on;
    uint32_t bit;
} condition_wait;

static bool is_signalled(void *argument)
{
    const condition_wait *w = argument;
    return (w->on->waiting & w->bit) == 0;
}

int explore_wait(explore_site *site, pthread_cond_t *memory, pthread_mutex_t *guard)
{
    condition_wait w = { .on = (condition *)(void *)memory, .bit = 1u << x.current };
    lock *l = (lock *)(void *)guard;
    w.on->waiting |= w.bit;
    explore_unlock(guard);
    explore_await(site, is_signalled, &w, PATIENCE_SPURIOUS);
    w.on->waiting &= ~w.bit;
    explore_await(site, is_free, l, PATIENCE_ENDLESS);
    l->owner = x.current + 1;
    return 0;
}

int explore_signal(explore_site *site, pthread_cond_t *memory, bool all)
{
    condition *c = (condition *)(void *)memory;
    explore_step(site, NULL, true);
    if (all || c->waiting == 0) {
        c->waiting = 0;
        return 0;
    }
    uint32_t which = explore_choose((uint32_t)__builtin_popcount(c->waiting));
    uint32_t waiting = c->waiting;
    for (; which > 0; --which) {
        waiting &= waiting - 1;
    }
    c->waiting &= ~(waiting & -waiting);
    return 0;
}

/* ---- Descriptors ---- */

static uint64_t *fd_of(int fd)
{
    uint32_t index = (uint32_t)(fd - FD_FIRST);
    return index < FDS_MAX && x.fds[index] != 0 ? &x.fds[index] : NULL;
}

int explore_eventfd(void)
{
    for (uint32_t i = 0; i < FDS_MAX; ++i) {
        if (x.fds[i] == 0) {
            x.fds[i] = 1;
            return FD_FIRST + (int)i;
        }
    }
    errno = EMFILE;
    return -1;
}

int explore_fd_make(void)
{
    return explore_eventfd();
}

uint64_t explore_fd_count(int fd)
{
    const uint64_t *count = fd_of(fd);
    return count != NULL ? *count - 1 : 0;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    uint64_t *count = fd_of(fd);
    if (count == NULL) {
        return __real_close(fd);
    }
    *count = 0;
    return 0;
}

ssize_t explore_read(explore_site *site, int fd, void *value)
{
    explore_step(site, NULL, true);
    uint64_t *count = fd_of(fd);
    if (count == NULL || *count == 1) {
        errno = count == NULL ? EBADF : EAGAIN;
        return -1;
    }
    uint64_t had = *count - 1;
    memcpy(value, &had, sizeof(had));
    *count = 1;
    explore_value(site, had);
    return sizeof(had);
}

ssize_t explore_write(explore_site *site, int fd, const void *value)
{
    uint64_t more;
    memcpy(&more, value, sizeof(more));
    explore_step(site, NULL, true);
    uint64_t *count = fd_of(fd);
    if (count == NULL) {
        errno = EBADF;
        return -1;
    }
    *count += more;
    return sizeof(more);
}

static bool is_readable(void *argument)
{
    const struct pollfd *p = argument;
    return p->fd >= 0 && explore_fd_count(p->fd) > 0;
}

int explore_poll(explore_site *site, struct pollfd *polls, uint64_t count, const struct timespec *timeout)
{
    static struct pollfd none = { .fd = -1 };
    if (count > 1) {
        explore_fail("a poll of more than one descriptor");
    }
    return explore_await(site, is_readable, count == 1 ? polls : &none,
                         timeout != NULL ? PATIENCE_TIMED : PATIENCE_ENDLESS)
               ? 1
               : 0;
}

/* ---- Runs ---- */

static void run_once(void)
{
    x.thread_count = 0;
    x.current = EXPLORE_THREADS_MAX;
    x.threads[EXPLORE_THREADS_MAX].ended = true;
    x.decided = x.steps = x.preemptions = 0;
    x.failed = false;
    memset(x.fds, 0, sizeof(x.fds));
    if (_setjmp(x.main_here) == 0) { /* leave_run comes back to it */
        x.scenario->begin(x.scenario->parameter);
        x.running = true;
        enter(&x.threads[pick()]);
    }
}

static void run(void)
{
    run_once();
    if (!x.failed && x.scenario->end != NULL && _setjmp(x.main_here) == 0) {
        x.scenario->end();
    }
    if (x.failed) { /* they stand somewhere in the middle */
        for (uint32_t i = 0; i < EXPLORE_THREADS_MAX; ++i) {
            free(x.threads[i].stack);
            x.threads[i].stack = NULL;
        }
    }
}

/* Gives the last decision that has another answer that one. False: none has. */
static bool next_run(void)
{
    while (x.decided > 0) {
        decision *d = &x.decisions[x.decided - 1];
        if (d->chosen + 1 < d->count) {
            ++d->chosen;
            x.given = x.decided;
            return true;
        }
        --x.decided;
    }
    return false;
}

static void write_schedule(char *text, size_t size)
{
    uint32_t count = x.decided;
    while (count > 0 && x.decisions[count - 1].chosen == 0) {
        --count;
    }
    if (count >= size) {
        count = (uint32_t)size - 1;
    }
    for (uint32_t i = 0; i < count; ++i) {
        text[i] = (char)('0' + x.decisions[i].chosen);
    }
    text[count] = 0;
}

static void note_failure(explore_result *result)
{
    result->failed = true;
    snprintf(result->why, sizeof(result->why), "%s", x.why);
    write_schedule(result->schedule, sizeof(result->schedule));
}

void explore_run(const explore_scenario *scenario, uint32_t preemptions_max, explore_result *result)
{
    *result = (explore_result){ 0 };
    x.scenario = scenario;
    for (uint32_t bound = 0; bound <= preemptions_max && !result->failed && !result->complete; ++bound) {
        x.preemptions_max = bound;
        x.given = 0;
        x.cut = false;
        do {
            run();
            ++result->runs;
            result->steps = x.steps > result->steps ? x.steps : result->steps;
        } while (!x.failed && next_run());
        result->preemptions = bound;
        result->complete = !x.cut && !x.failed;
        if (x.failed) {
            note_failure(result);
        }
    }
}

void explore_replay(const explore_scenario *scenario, const char *schedule, uint32_t preemptions_max,
                    explore_result *result)
{
    x.scenario = scenario;
    x.preemptions_max = preemptions_max;
    x.given = 0;
    for (; schedule[x.given] != 0 && x.given < DECISIONS_MAX; ++x.given) { /* it may be the result's own */
        x.decisions[x.given] = (decision){ .chosen = (uint8_t)(schedule[x.given] - '0') };
    }
    *result = (explore_result){ .runs = 1, .preemptions = preemptions_max };
    explore_tracing = true;
    run();
    explore_tracing = false;
    printf("\n\n");
    if (x.failed) {
        note_failure(result);
    }
}
