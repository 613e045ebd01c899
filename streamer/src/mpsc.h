/* mpsc.h - intrusive mail: many threads post numbered objects, one thread takes all of them at once.
 *
 * An object (a request, a batch, a read) has a mask of reasons and a link. Posting sets a bit of the mask; whoever
 * finds the mask empty before also puts the object on the list, so that an object is on the list at most once, however
 * many reasons there are, and the list needs no memory of its own and cannot be full. Nobody waits for anybody: a push
 * is a compare-and-swap that fails only when another push has succeeded.
 *
 * Between its mark and its push, which may be a chain's, a poster can be held up. Others who add their reasons
 * meanwhile find the mask set and the object not on the list, so that whom they wake finds nothing yet. For a cancel or
 * a release that is no harm: the push comes, and with it a wake, or one that is owed to the next update. A submit must
 * not be late for what is asked of it next, so it is told by another way (mpsc_open_held, submit_beside).
 *
 * Taking the whole list at once leaves no room for the ABA problem. */
#ifndef LEAT_MPSC_H
#define LEAT_MPSC_H

#include "base.h"

#include <stdatomic.h>

#define MPSC_END UINT32_MAX

typedef struct mpsc_link {
    _Atomic uint32_t mask; /* reasons; not zero while the object is on the list */
    uint32_t next; /* owned by the poster, then (after the take) by the taker */
} mpsc_link;

/* The head has a cache line for itself: all threads write to it. */
typedef struct mpsc_list {
    _Alignas(CACHE_LINE_SIZE) _Atomic uint32_t head;
} mpsc_list;

static inline void mpsc_init(mpsc_list *list)
{
    atomic_init(&list->head, MPSC_END);
}

/* Sequentially consistent, as the push is: "I announce that I sleep, then look" and "I push, then look who sleeps" must
 * not both miss. (Fences would do as well, but ThreadSanitizer does not understand them.) */
static inline bool mpsc_is_empty(const mpsc_list *list)
{
    return atomic_load_explicit(&list->head, memory_order_seq_cst) == MPSC_END;
}

/* Sets the reason; true if the object must now be pushed by the caller. Release: the taker, who reads the mask with
 * acquire (mpsc_open), sees all that was written to the object before. */
static inline bool mpsc_mark(mpsc_link *link, uint32_t reason)
{
    return atomic_fetch_or_explicit(&link->mask, reason, memory_order_acq_rel) == 0;
}

/* Pushes a chain of marked objects, first .. last, already linked (newest first). Pairs with mpsc_take (acquire), and
 * with mpsc_is_empty in the order of all pushes. */
static inline void mpsc_push_chain(mpsc_list *list, uint32_t first, mpsc_link *last)
{
    uint32_t head = atomic_load_explicit(&list->head, memory_order_relaxed);
    do {
        last->next = head;
    } while (
        !atomic_compare_exchange_weak_explicit(&list->head, &head, first, memory_order_seq_cst, memory_order_relaxed));
}

static inline void mpsc_post(mpsc_list *list, mpsc_link *link, uint32_t index, uint32_t reason)
{
    if (mpsc_mark(link, reason)) {
        mpsc_push_chain(list, index, link);
    }
}

/* Takes everything, newest first. */
static inline uint32_t mpsc_take(mpsc_list *list)
{
    if (mpsc_is_empty(list)) {
        return MPSC_END;
    }
    return atomic_exchange_explicit(&list->head, MPSC_END, memory_order_acquire);
}

/* Takes the reasons that were added to `first`, which stays; nothing, if that is not among them. So the mask does not
 * become zero, and the object is pushed by nobody but the one who set `first`. */
static inline uint32_t mpsc_open_held(mpsc_link *link, uint32_t first)
{
    uint32_t mask = atomic_load_explicit(&link->mask, memory_order_relaxed);
    do {
        if ((mask & first) == 0) {
            return 0;
        }
    } while (
        !atomic_compare_exchange_weak_explicit(&link->mask, &mask, first, memory_order_acq_rel, memory_order_relaxed));
    return mask & ~first;
}

/* Takes the object's reasons; call it after `next` was read, since the object may be posted again at once. */
static inline uint32_t mpsc_open(mpsc_link *link)
{
    return atomic_exchange_explicit(&link->mask, 0, memory_order_acq_rel);
}

#endif
