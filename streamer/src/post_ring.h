/* post_ring.h - what has come to pass for whom: from all threads to the update thread, in order.
 *
 * A poster takes a position of the ring with one addition and writes its post there; the one taker reads posts side by
 * side, until it comes to a position that is not written yet. Lines that other cores have written are the dearest there
 * are, and here they come sixteen posts at a time, in a row, and show early which objects are next.
 *
 * It cannot be full: there is one post of a kind about an object, until it was taken, so the capacity is how many pairs
 * of those there are. For the same reason nobody writes to a position before it is free: of capacity + 1 posts in a row
 * two are alike, the second is made because the first was taken, and what is before the first was taken earlier still.
 *
 * Nobody waits for anybody. A poster that is interrupted between its addition and its write keeps those behind it from
 * being seen until it goes on, and then looks itself whether somebody is to be woken. */
#ifndef LEAT_POST_RING_H
#define LEAT_POST_RING_H

#include "base.h"

#include <stdatomic.h>

typedef enum post_kind {
    POST_NONE = 0,
    POST_LATE, /* these three: of a request */
    POST_NEEDS_MEMORY,
    POST_TERMINAL,
    POST_BATCH,
    POST_RELOAD /* of a slot that a swap has replaced */
} post_kind;

#define POST_INDEX_BITS 29u /* of a request, batch or slot; the kind is above */

typedef struct post_ring {
    /* constant after post_ring_init */
    _Atomic uint32_t *posts; /* 0: free, or not written yet */
    uint32_t capacity; /* a power of two */
    _Alignas(CACHE_LINE_SIZE) _Atomic uint32_t tail; /* the posters' */
    _Alignas(CACHE_LINE_SIZE) uint32_t head; /* the taker's */
} post_ring;

static inline post_kind post_kind_of(uint32_t post)
{
    return (post_kind)(post >> POST_INDEX_BITS);
}
static inline uint32_t post_index_of(uint32_t post)
{
    return post & ((1u << POST_INDEX_BITS) - 1);
}

static inline bool post_ring_init(post_ring *ring, uint32_t capacity, memory *m)
{
    *ring = (post_ring){ .capacity = capacity };
    ring->posts = memory_allocate(m, capacity, sizeof(*ring->posts), CACHE_LINE_SIZE);
    return ring->posts != NULL;
}
static inline void post_ring_free(post_ring *ring, memory *m)
{
    memory_free(m, ring->posts, ring->capacity, sizeof(*ring->posts));
}

/* Any thread. Sequentially consistent, as the look of the taker is: "I announce that I sleep, then look" and "I post,
 * then look who sleeps" must not both miss. The taker sees all that was written before. */
static inline void post_ring_push(post_ring *ring, post_kind kind, uint32_t index)
{
    /* acq_rel: each addition sees the ones before it, and with them that the position was taken (see above). */
    uint32_t position = atomic_fetch_add_explicit(&ring->tail, 1, memory_order_acq_rel);
    atomic_store_explicit(&ring->posts[position & (ring->capacity - 1)], (uint32_t)kind << POST_INDEX_BITS | index,
                          memory_order_seq_cst);
}

/* The taker: the post that is `ahead` of the oldest one, or 0. */
static inline uint32_t post_ring_peek(const post_ring *ring, uint32_t ahead)
{
    return atomic_load_explicit(&ring->posts[(ring->head + ahead) & (ring->capacity - 1)], memory_order_seq_cst);
}
static inline void post_ring_pop(post_ring *ring)
{
    atomic_store_explicit(&ring->posts[ring->head & (ring->capacity - 1)], 0, memory_order_relaxed);
    ++ring->head;
}
/* Any thread: how many were ever pushed, modulo 2^32. */
static inline uint32_t post_ring_pushed(const post_ring *ring)
{
    return atomic_load_explicit(&ring->tail, memory_order_relaxed);
}
static inline bool post_ring_is_empty(const post_ring *ring)
{
    return post_ring_peek(ring, 0) == 0;
}

#endif
