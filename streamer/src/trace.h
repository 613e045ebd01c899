/* trace.h - what happened when: a ring of records that all threads write to while tracing is on.
 *
 * A flight recorder: the ring keeps the last trace_event_count records, whoever writes them, without a lock and without
 * waiting, and is written out as a file only when tracing ends (trace_file.c). Off, a point costs one relaxed load of a
 * flag; on, five stores to lines that nobody else writes to, and now and then an atomic add.
 *
 * A record's place is its ticket, a number that only grows. Threads take tickets in blocks: their order is that of one
 * thread's records, and of no other; across threads, times tell. A few tickets are never used. A record's last word is
 * a seal: a hash over ticket and words, which the reader makes anew. What is being overwritten while it is read, or was
 * written by two (one slept while the others went round the whole ring), does not fit its seal and is left out. Whoever
 * reads checks all the same what it uses as an index. */
#ifndef LEAT_TRACE_H
#define LEAT_TRACE_H

#include "base.h"

#include <stdatomic.h>

typedef enum trace_kind {
    TRACE_NONE = 0,
    TRACE_SUBMIT, /* request; value: generation of the pack << 32 | priority; more: pack << 32 | index of the asset */
    TRACE_ADMIT, /* request; value: packed bytes that it wants; more: bytes queued in all */
    TRACE_LATE, /* request; value: when it would be ready; more: its deadline */
    TRACE_NEEDS_MEMORY, /* request; value: bytes */
    TRACE_WAITS_MEMORY, /* request; value: bytes. Leat's memory is all lent, or the engine has to answer first. */
    TRACE_BOUND, /* request; value: bytes */
    TRACE_PLAN, /* request, in read `more`; value: packed bytes of it. Once per visit of the queue. */
    TRACE_SHARE, /* the same, all of it in reads that were under way or being decoded; more: the last of them */
    TRACE_READ_OUT, /* read; value: bytes; more: rank */
    TRACE_READ_BACK, /* read; value: result; more: reads that are still out */
    TRACE_DECODED, /* request: one of its chunks; value: ns that it took; more: worker */
    TRACE_CHUNK, /* a chunk was decoded or skipped; value: ns that it took; more: worker << 32 | read */
    TRACE_CANCEL, /* request */
    TRACE_ORDER, /* request; value: the priority that it has from now on; more: the deadline, or NO_DEADLINE */
    TRACE_FINISH, /* request: its last chunk has ended */
    TRACE_DELIVER, /* request; value: leat_event_type */
    TRACE_UPDATE, /* leat_update ends; value: ns that it took; more: events */
    TRACE_LEVELS, /* value: window << 32 | bytes in flight (KiB); more: queued KiB << 32 | reads out << 16 | decode
                     queue */
    TRACE_KIND_COUNT
} trace_kind;

typedef struct trace_record {
    _Atomic uint64_t time_ns; /* of the streamer's clock */
    _Atomic uint64_t subject; /* kind << 56 | generation (24 bits) << 32 | index: of a request or read */
    _Atomic uint64_t value;
    _Atomic uint64_t more;
    _Atomic uint64_t seal; /* trace.c; 0: never written */
} trace_record;

typedef struct trace {
    _Atomic bool on;
    uint32_t capacity; /* a power of two; 0: there is no ring */
    trace_record *records;
    uint64_t id; /* of all traces of the process */
    uint64_t began_ns; /* of the present recording; the starter's */
    _Atomic uint64_t begin_ticket; /* of the present recording */
    _Alignas(CACHE_LINE_SIZE) _Atomic uint64_t next; /* ticket */
} trace;

/* A copy of one record. */
typedef struct trace_entry {
    uint64_t ticket;
    uint64_t time_ns, value, more;
    uint32_t index, generation;
    trace_kind kind;
} trace_entry;

/* record_count is rounded up to a power of two; 0 makes a trace that cannot be switched on. */
bool trace_init(trace *t, uint32_t record_count, memory *m);
void trace_free(trace *t, memory *m);

void trace_write(trace *t, trace_kind kind, uint64_t time_ns, uint32_t index, uint32_t generation, uint64_t value,
                 uint64_t more);

static inline bool trace_is_on(const trace *t)
{
    return __builtin_expect(atomic_load_explicit(&t->on, memory_order_relaxed), 0);
}

/* From now on: what was recorded before is not in its range. The caller switches it on. */
void trace_begin(trace *t, uint64_t now_ns);
/* Tickets of the present recording whose places in the ring are still theirs: [*first, *end). */
void trace_range(const trace *t, uint64_t *first, uint64_t *end);
/* False if that record was not written, has been overwritten, or is being written. */
bool trace_read(const trace *t, uint64_t ticket, trace_entry *entry);

#endif
