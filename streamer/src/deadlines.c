/* deadlines.c - what is said of deadlines: LATE, with the coarser part that can come in time. The I/O thread only.
 *
 * A request is judged when it is admitted. The first ones of a streamer come before the device has shown what it gives:
 * a guess would call them late on a fast device and say nothing on a slow one. So they are told then only if no device
 * could do it, for all that is known of this one (estimate_ready_least_ns), and are judged again as more is known: some
 * reads later, twice in the life of a streamer (window_knows). Until then they are in a list, from which nobody is
 * taken out early: who has ended, or has another deadline by now, is found to be so. */
#include "streamer.h"

/* For the first raw_size bytes of what is wanted, as far as they are not on their way. */
static estimate_query query_of(const leat_streamer *s, const request *r, uint64_t raw_size)
{
    const pack_index *index = &s->packs[r->pack].index;
    uint32_t end = u32_max(pack_index_chunk_at(index, r->raw_begin + raw_size - 1), r->chunk_next) + 1;
    bool queued = r->stage == STAGE_QUEUED;
    return (estimate_query){ .rank = r->rank,
                             .deadline_ns = r->deadline_ns,
                             .packed_size = pack_index_packed_size(index, r->chunk_next, end),
                             .queued_size = queued ? pack_index_packed_size(index, r->chunk_next, r->chunk_end) : 0,
                             .raw_size = raw_size,
                             .decode_bytes_per_second =
                                 atomic_load_explicit(&s->counters.decode_rate, memory_order_relaxed) };
}

static uint64_t least_ns(const leat_streamer *s, const request *r, uint64_t raw_size, uint64_t now_ns)
{
    estimate_query query = query_of(s, r, raw_size);
    return estimate_ready_least_ns(&s->estimate, s->sched, s->window, &query, now_ns);
}

/* Because coarse parts are prefixes, to degrade is to shorten the range: as long as none of it is planned, and no
 * memory was asked for by its size. */
static bool can_degrade(const leat_streamer *s, const request *r)
{
    return (r->stage == STAGE_ISSUED || r->stage == STAGE_QUEUED) && (r->bind != LEAT_BIND_LATE || r->memory == NULL) &&
           r->chunk_next == pack_index_chunk_at(&s->packs[r->pack].index, r->raw_begin);
}

static void degrade(leat_streamer *s, request *r, uint32_t index, uint64_t size)
{
    bool queued = r->stage == STAGE_QUEUED;
    if (queued) {
        sched_remove(s->sched, index);
    }
    r->degraded = true;
    r->size = size;
    r->chunk_end = pack_index_chunk_at(&s->packs[r->pack].index, r->raw_begin + size - 1) + 1;
    if (queued) {
        pump_requeue(s, index);
    }
}

/* True if it is late: then this is said, or the part is taken that can come in time. */
static bool judge(leat_streamer *s, request *r, uint32_t index, uint64_t now_ns)
{
    uint64_t ready_ns = least_ns(s, r, r->size, now_ns);
    if (ready_ns <= r->deadline_ns) {
        return false;
    }
    bool degrades = r->flags & LEAT_READ_DEGRADE;
    uint16_t level = degrades && !can_degrade(s, r) ? LEVEL_NONE : r->level;
    bool possible = false;
    uint64_t size = 0;
    while (!possible && level != LEVEL_NONE && asset_level_size(&s->packs[r->pack], r->asset, ++level, &size)) {
        possible = least_ns(s, r, size, now_ns) <= r->deadline_ns;
    }
    count_own(&s->counters.deadlines_announced, 1);
    r->level_possible = possible ? (uint16_t)(level + CANARY(COARSER)) : LEVEL_NONE;
    trace_point(s, TRACE_LATE, index, r->generation, ready_ns, r->deadline_ns);
    if (possible && degrades) {
        degrade(s, r, index, size);
    } else {
        post_event_later(s, POST_LATE, index);
    }
    return true;
}

static void keep_open(leat_streamer *s, request *r, uint32_t index)
{
    if (r->unjudged_next == UNJUDGED_NOT) {
        r->unjudged_next = s->unjudged;
        s->unjudged = index + 1;
    }
}

void deadlines_admit(leat_streamer *s, request *r, uint32_t index, uint64_t now_ns)
{
    estimate_query query = query_of(s, r, r->size);
    r->predicted_ns = estimate_ready_ns(&s->estimate, s->sched, s->window, &query, now_ns);
    r->judged = judge(s, r, index, now_ns) || window_knows(s->window) == WINDOW_KNOWS;
    if (!r->judged) {
        keep_open(s, r, index);
    }
}

static bool is_open(const leat_streamer *s, const request *r, uint32_t index)
{
    return (r->stage == STAGE_QUEUED || r->stage == STAGE_WAITING || r->stage == STAGE_NEEDS_BIND) && !r->judged &&
           r->deadline_ns != NO_DEADLINE && !(request_flags(s, index) & (REQUEST_CANCELLED | REQUEST_FAILED));
}

void deadlines_look_again(leat_streamer *s, uint64_t now_ns)
{
    window_knowledge knows = window_knows(s->window);
    if (knows == s->judged_with) {
        return;
    }
    s->judged_with = knows;
    uint32_t left = s->unjudged;
    s->unjudged = UNJUDGED_END;
    while (left != UNJUDGED_END) {
        uint32_t index = left - 1;
        request *r = &s->requests[index];
        left = r->unjudged_next;
        r->unjudged_next = UNJUDGED_NOT;
        if (is_open(s, r, index)) {
            r->judged = judge(s, r, index, now_ns) || knows == WINDOW_KNOWS;
            if (!r->judged) {
                keep_open(s, r, index);
            }
        }
    }
}
