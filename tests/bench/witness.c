/* witness.c - see witness.h. */
#include "witness.h"

#include "base.h"
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define CORE_COUNT_MAX 64u
#define PERIOD_NS (2 * NS_PER_MS)
#define LATE_NS NS_PER_MS /* a wake on a virtual machine takes some 50 us */
#define ABSENCE_COUNT_MAX 4096u /* per core; a turn of some seconds has a hundred */

typedef struct absence {
    uint64_t begin_ns, end_ns;
} absence;

typedef struct post {
    witness *w;
    uint32_t core;
    pthread_t thread;
    absence *absences;
    uint32_t count;
} post;

struct witness {
    _Atomic bool stop;
    uint64_t begin_ns, end_ns;
    post posts[CORE_COUNT_MAX];
    uint32_t post_count;
};

static void *watch(void *argument)
{
    post *p = argument;
    cpu_set_t core;
    CPU_ZERO(&core);
    CPU_SET(p->core, &core);
    sched_setaffinity(0, sizeof(core), &core); /* refused: it watches wherever it is */
    uint64_t due_ns = bench_now_ns();
    while (!atomic_load_explicit(&p->w->stop, memory_order_relaxed)) {
        due_ns += PERIOD_NS;
        struct timespec due = { .tv_sec = (time_t)(due_ns / NS_PER_S), .tv_nsec = (long)(due_ns % NS_PER_S) };
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        uint64_t now_ns = bench_now_ns();
        if (now_ns - due_ns > LATE_NS) {
            if (p->count < ABSENCE_COUNT_MAX) {
                /* It may have gone at any time since the last look. */
                p->absences[p->count++] = (absence){ .begin_ns = due_ns - PERIOD_NS, .end_ns = now_ns };
            }
            due_ns = now_ns;
        }
    }
    return NULL;
}

static bool start_post(witness *w, uint32_t core)
{
    post *p = &w->posts[w->post_count];
    *p = (post){ .w = w, .core = core, .absences = calloc(ABSENCE_COUNT_MAX, sizeof(absence)) };
    pthread_attr_t attributes;
    struct sched_param priority = { .sched_priority = 1 };
    pthread_attr_init(&attributes);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
    pthread_attr_setschedparam(&attributes, &priority);
    bool started = p->absences != NULL && pthread_create(&p->thread, &attributes, watch, p) == 0;
    pthread_attr_destroy(&attributes);
    if (!started) {
        free(p->absences);
        return false;
    }
    ++w->post_count;
    return true;
}

witness *witness_start(void)
{
    witness *w = calloc(1, sizeof(*w));
    cpu_set_t cores;
    bool ok = w != NULL && sched_getaffinity(0, sizeof(cores), &cores) == 0;
    if (ok) {
        w->begin_ns = bench_now_ns();
    }
    for (uint32_t core = 0; core < CORE_COUNT_MAX && ok; ++core) {
        ok = !CPU_ISSET(core, &cores) || start_post(w, core);
    }
    if (!ok) {
        witness_stop(w);
        witness_free(w);
        return NULL;
    }
    return w;
}

void witness_stop(witness *w)
{
    if (w == NULL) {
        return;
    }
    atomic_store_explicit(&w->stop, true, memory_order_relaxed);
    for (uint32_t i = 0; i < w->post_count; ++i) {
        pthread_join(w->posts[i].thread, NULL);
    }
    w->end_ns = bench_now_ns();
}

void witness_free(witness *w)
{
    for (uint32_t i = 0; w != NULL && i < w->post_count; ++i) {
        free(w->posts[i].absences);
    }
    free(w);
}

bool witness_saw_absence(const witness *w, uint64_t begin_ns, uint64_t end_ns)
{
    for (uint32_t i = 0; i < w->post_count; ++i) {
        for (uint32_t k = 0; k < w->posts[i].count; ++k) {
            const absence *a = &w->posts[i].absences[k];
            if (a->begin_ns <= end_ns && a->end_ns >= begin_ns) {
                return true;
            }
        }
    }
    return false;
}

double witness_share_away(const witness *w)
{
    uint64_t away_ns = 0;
    for (uint32_t i = 0; i < w->post_count; ++i) {
        for (uint32_t k = 0; k < w->posts[i].count; ++k) {
            away_ns += w->posts[i].absences[k].end_ns - w->posts[i].absences[k].begin_ns;
        }
    }
    return (double)away_ns / (double)(w->end_ns - w->begin_ns) / w->post_count;
}
