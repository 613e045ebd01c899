/* spread.c - see spread.h. */
#include "spread.h"

#define MOVE_NS_MIN (2 * NS_PER_MS) /* between two moves of a thread, which cost some ten microseconds each */
_Static_assert(SPREAD_CORE_COUNT_MAX == CPU_SETSIZE, "a core's number is a place in a cpu_set_t");

/* Takes a core that has none of our threads; SPREAD_CORE_COUNT_MAX: there is none. */
static uint32_t take_free(spread *s, const cpu_set_t *allowed)
{
    for (uint32_t core = 0; core < SPREAD_CORE_COUNT_MAX; ++core) {
        uint16_t none = 0;
        if (CPU_ISSET(core, allowed) && atomic_compare_exchange_strong_explicit(
                                            &s->threads[core], &none, 1, memory_order_relaxed, memory_order_relaxed)) {
            return core;
        }
    }
    return SPREAD_CORE_COUNT_MAX;
}

static void note(spread *s, spread_place *place, uint32_t core)
{
    if (place->core != 0) {
        atomic_fetch_sub_explicit(&s->threads[place->core - 1], 1, memory_order_relaxed);
    }
    place->core = core + 1;
}

/* It stays where it is, but is free to go. */
static void unbind(spread_place *place)
{
    place->bound = sched_setaffinity(0, sizeof(place->allowed), &place->allowed) != 0;
}

static void move(spread *s, spread_place *place)
{
    cpu_set_t one;
    if (sched_getaffinity(0, sizeof(place->allowed), &place->allowed) != 0) {
        return;
    }
    uint32_t core = take_free(s, &place->allowed);
    if (core == SPREAD_CORE_COUNT_MAX) {
        return;
    }
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    if (sched_setaffinity(0, sizeof(one), &one) == 0) {
        unbind(place);
    }
    note(s, place, core); /* if it could not go, it will be seen where it is by the next look */
}

void spread_look(spread *s, spread_place *place, uint64_t now_ns)
{
    int core = sched_getcpu();
    if (core < 0 || (uint32_t)core >= SPREAD_CORE_COUNT_MAX) {
        return;
    }
    if (place->core != (uint32_t)core + 1) {
        atomic_fetch_add_explicit(&s->threads[core], 1, memory_order_relaxed);
        note(s, place, (uint32_t)core);
    }
    bool shared = atomic_load_explicit(&s->threads[core], memory_order_relaxed) > 1;
    bool due = place->moved_ns == 0 || now_ns - place->moved_ns >= MOVE_NS_MIN;
    if (due && (place->bound || shared)) {
        place->moved_ns = now_ns;
        if (place->bound) {
            unbind(place);
        } else {
            move(s, place);
        }
    }
}
