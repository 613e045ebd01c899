/* scheduler.h - which queued request is read next.
 *
 * Pure: no I/O, no thread, no clock; time comes in as a parameter. Entries are named by their id, a dense index below
 * the capacity, so that the scheduler holds no pointers into requests and nothing is looked up. All memory is taken in
 * sched_create. Push, remove and change are O(log n).
 *
 * The order (sched_peek), most important first:
 *   1. class rank: urgent, high, normal, prefetch - but the entry that has been longest in a lower class goes first
 *      once it has waited `ageing_ns` (and then at most one in SCHED_AGED_SHARE of the reads, so that an old flood of
 *      prefetches cannot invert the classes);
 *   2. within the class, the client that has been charged least in proportion to its weight (start-time fair queueing;
 *      an idle client does not save up credit);
 *   3. within the client: deadline, then sequence (entries that came within a moment share one), then position on disk,
 *      then id.
 *
 * An entry stays in place while its reads are issued one after another (sched_charge); the caller removes it when its
 * last read is out, or when it waits for memory.
 *
 * Several queues may share one store, when an id is in at most one of them at a time: a second queue of a million costs
 * what its heaps' page tables cost, and no second million of entries. */
#ifndef LEAT_SCHEDULER_H
#define LEAT_SCHEDULER_H

#include "base.h"

#define SCHED_NONE UINT32_MAX
#define SCHED_CLASS_COUNT 4u
#define SCHED_AGED_SHARE 8u /* at most every 8th charge goes to an aged entry while higher classes wait */

typedef struct sched sched;
typedef struct sched_store sched_store;

typedef struct sched_desc {
    memory *memory;
    sched_store *store; /* shared with other queues; NULL: one of its own */
    uint32_t capacity; /* ids are 0 .. capacity - 1; as the store's */
    uint64_t ageing_ns; /* > 0 */
    uint32_t client_weights[LEAT_CLIENT_COUNT]; /* > 0 */
} sched_desc;

typedef struct sched_entry {
    uint32_t rank; /* 0 urgent .. 3 prefetch: sched_rank() */
    uint32_t client; /* < LEAT_CLIENT_COUNT */
    uint64_t deadline_ns; /* NO_DEADLINE: none */
    uint64_t sequence;
    uint64_t position; /* on disk: pack and offset, in one number that orders */
    uint64_t bytes; /* packed bytes still to be read for it */
    uint64_t queued_ns; /* when it was admitted */
    uint64_t now_ns; /* 0: that was now */
} sched_entry;

static inline uint32_t sched_rank(leat_priority priority)
{
    static const uint8_t rank[LEAT_PRIORITY_COUNT] = {
        [LEAT_URGENT] = 0, [LEAT_HIGH] = 1, [LEAT_NORMAL] = 2, [LEAT_PREFETCH] = 3
    };
    return CANARY(PRIORITY) ? 2 : rank[priority];
}

#define SCHED_QUEUE_COUNT_MAX 4u
/* Room for entries of `queue_count` queues, each of which is made with sched_create and ended before the store. NULL if
 * memory is refused. */
sched_store *sched_store_create(memory *m, uint32_t capacity, uint32_t queue_count);
void sched_store_destroy(sched_store *store);

/* NULL if memory is refused. */
sched *sched_create(const sched_desc *desc);
void sched_destroy(sched *s);

/* id is not queued. */
void sched_push(sched *s, uint32_t id, const sched_entry *entry);
/* id is queued. */
void sched_remove(sched *s, uint32_t id);
bool sched_contains(const sched *s, uint32_t id);
sched_entry sched_get(const sched *s, uint32_t id); /* id is queued */
/* New class and deadline of a queued entry; its sequence and the time that it has waited are kept. In another class it
 * ages behind those that are there by then. */
void sched_change(sched *s, uint32_t id, uint32_t rank, uint64_t deadline_ns, uint64_t now_ns);

/* The entry to serve next, or SCHED_NONE. Changes nothing. */
uint32_t sched_peek(const sched *s, uint64_t now_ns);
/* The entry below the first class that has waited longest, if that is ageing_ns or more; else SCHED_NONE. For queues
 * that are not charged: whoever takes from them sees to the share. */
uint32_t sched_overdue(const sched *s, uint64_t now_ns);
/* `bytes` of packed data were issued for a queued entry: charges its client, moves its position on. counted: as many of
 * them as are among its own. */
void sched_charge(sched *s, uint32_t id, uint64_t bytes, uint64_t counted, uint64_t position_next, uint64_t now_ns);

/* What was charged to this client for an entry of this class (bytes) did not come to pass. If another entry of it comes
 * in its place, that is pushed before. */
void sched_pay_back(sched *s, uint32_t rank, uint32_t client, uint64_t bytes);

/* So many bytes of a queued entry count. */
void sched_recount(sched *s, uint32_t id, uint64_t bytes);

uint32_t sched_count(const sched *s);
uint64_t sched_bytes(const sched *s);
uint64_t sched_bytes_of(const sched *s, uint32_t rank); /* of one class */
/* Bytes queued that would be served before an entry of this class and deadline, were it pushed now: all of higher
 * classes, those of its own with an earlier deadline, whose client they may be (fair shares interleave clients: this is
 * the cautious answer). An estimate for deadlines (kept in buckets), O(log n). */
uint64_t sched_bytes_ahead(const sched *s, uint32_t rank, uint64_t deadline_ns);
/* The most bytes that may be served between an entry with one turn and one with a later turn, were they in the queue
 * and of one client: the first one's own included. */
typedef struct sched_turn {
    uint32_t rank;
    uint64_t deadline_ns;
} sched_turn;
uint64_t sched_bytes_between(const sched *s, sched_turn from, sched_turn to);

#endif
