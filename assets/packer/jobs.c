/* jobs.c - see jobs.h.
 *
 * Items are handed out in order and results are kept in a ring, so that the taker sees the same order whatever the
 * number of threads: the pack's bytes must not depend on it. One lock guards everything; items are large (a file). */
#include "jobs.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct slot {
    void *result;
    bool done;
} slot;

typedef struct jobs {
    const jobs_desc *desc;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    slot *ring;
    uint32_t ring_size;
    uint32_t next; /* item to hand out */
    uint32_t taken; /* items that the taker is done with */
    uint64_t under_way; /* bytes of the items between the two */
    bool stop;
} jobs;

static uint64_t size_of(const jobs *j, uint32_t item)
{
    return j->desc->under_way_max > 0 ? j->desc->size(j->desc->user, item) : 0;
}

static bool has_room(const jobs *j)
{
    bool bytes = j->desc->under_way_max == 0 || j->under_way < j->desc->under_way_max || j->next == j->taken;
    return bytes && j->next - j->taken < j->ring_size;
}

static void *worker(void *argument)
{
    jobs *j = argument;
    pthread_mutex_lock(&j->lock);
    for (;;) {
        while (!j->stop && j->next < j->desc->item_count && !has_room(j)) {
            pthread_cond_wait(&j->changed, &j->lock);
        }
        if (j->stop || j->next >= j->desc->item_count) {
            break;
        }
        uint32_t item = j->next++;
        j->under_way += size_of(j, item);
        pthread_mutex_unlock(&j->lock);
        void *result = j->desc->work(j->desc->user, item);
        pthread_mutex_lock(&j->lock);
        j->ring[item % j->ring_size] = (slot){ .result = result, .done = true };
        pthread_cond_broadcast(&j->changed);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* Takes results in order until the end or a stop. */
static bool take_all(jobs *j)
{
    bool ok = true;
    pthread_mutex_lock(&j->lock);
    while (ok && j->taken < j->desc->item_count) {
        slot *s = &j->ring[j->taken % j->ring_size];
        while (!s->done) {
            pthread_cond_wait(&j->changed, &j->lock);
        }
        s->done = false;
        void *result = s->result;
        uint32_t item = j->taken;
        pthread_mutex_unlock(&j->lock);
        ok = j->desc->take(j->desc->user, item, result);
        pthread_mutex_lock(&j->lock);
        j->under_way -= size_of(j, item);
        j->taken = item + 1; /* only now: what is being written counts for the memory too */
        j->stop = !ok;
        pthread_cond_broadcast(&j->changed);
    }
    pthread_mutex_unlock(&j->lock);
    return ok;
}

bool jobs_run(const jobs_desc *desc)
{
    jobs j = { .desc = desc, .ring_size = desc->thread_count * 2 + 2 };
    pthread_t *threads = calloc(desc->thread_count, sizeof(*threads));
    j.ring = calloc(j.ring_size, sizeof(*j.ring));
    uint32_t started = 0;
    bool ok = false;
    pthread_mutex_init(&j.lock, NULL);
    pthread_cond_init(&j.changed, NULL);
    if (threads == NULL || j.ring == NULL) {
        goto done;
    }
    while (started < desc->thread_count && pthread_create(&threads[started], NULL, worker, &j) == 0) {
        ++started;
    }
    ok = started > 0 && take_all(&j);
    for (uint32_t i = 0; i < started; ++i) {
        pthread_join(threads[i], NULL);
    }
    for (uint32_t item = j.taken; item < j.next; ++item) { /* all workers have ended: each has left its result */
        if (j.ring[item % j.ring_size].done) {
            desc->discard(desc->user, item, j.ring[item % j.ring_size].result);
        }
    }
done:
    pthread_cond_destroy(&j.changed);
    pthread_mutex_destroy(&j.lock);
    free(j.ring);
    free(threads);
    return ok;
}
