/* deadlines.c - what is said of deadlines that cannot be met: LATE, with the coarser part that can come in time. The
 * I/O thread only.
 *
 * A request is judged when it is admitted. The first ones of a streamer come before the device has shown what it gives:
 * a guess would call them late on a fast device and say nothing on a slow one. So they are told then only if no device
 * could do it, for all that is known of this one (least_ns), and are judged again as more is known: some reads
 * later, twice in the life of a streamer (window_knows). Who has waited for memory is judged again when there is some:
 * it is predicted as if it were there, since nobody knows when it will be. Who is given another deadline is judged with
 * that, after all orders of the round, so that of an array each is held against what all others have by then.
 *
 * Both are in lists until they are looked at, from which nobody is taken out early: who has ended, or has no deadline
 * by now, is found to be so. A list is gone through newest first, JUDGED_A_ROUND_MAX in a round. */
#include "streamer.h"

#include <string.h>

#define JUDGED_A_ROUND_MAX 256u /* half a millisecond at most; then completions are looked at again */

static uint64_t queued_bytes(const leat_streamer *s, const request *r, uint32_t index)
{
    return r->stage == STAGE_QUEUED ? sched_get(s->sched, index).bytes : 0;
}

/* For the first raw_size bytes of what is wanted, as far as they are not on their way. behind: packed bytes in the
 * queue that are not ahead of it, besides its own. */
static estimate_times times_of(const leat_streamer *s, const request *r, uint32_t index, uint64_t raw_size,
                               uint64_t behind, uint64_t now_ns)
{
    const pack_index *pack = &s->packs[r->pack].index;
    uint32_t end = u32_max(pack_index_chunk_at(pack, r->raw_begin + raw_size - 1), r->chunk_next) + 1;
    uint64_t own = queued_bytes(s, r, index);
    estimate_query query = { .rank = r->rank,
                             .deadline_ns = r->deadline_ns,
                             .packed_size = pack_index_packed_size(pack, r->chunk_next, end),
                             .queued_size = own + behind,
                             .raw_size = raw_size,
                             .decode_bytes_per_second =
                                 atomic_load_explicit(&s->counters.decode_rate, memory_order_relaxed) };
    estimate_times times = estimate_ready(&s->estimate, s->sched, s->window, &query, now_ns);
    if (times.least_ns > r->deadline_ns) { /* unless others bring some of it, which to find takes a while */
        query.packed_size -= shared_ahead(s, r, index, end, own);
        times = estimate_ready(&s->estimate, s->sched, s->window, &query, now_ns);
    }
    return times;
}

/* Because coarse parts are prefixes, to degrade is to shorten the range: as long as none of it is planned, and no
 * memory was asked for by its size. */
static bool can_degrade(const leat_streamer *s, const request *r)
{
    return r->stage != STAGE_NEEDS_BIND && (r->bind != LEAT_BIND_LATE || r->memory == NULL) &&
           r->chunk_next == pack_index_chunk_at(&s->packs[r->pack].index, r->raw_begin);
}

/* In whichever queue it is; at admission, in none yet. */
static void degrade(leat_streamer *s, request *r, uint32_t index, uint16_t level, uint64_t size)
{
    bool queued = r->stage != STAGE_ISSUED;
    if (queued) {
        if (r->stage == STAGE_QUEUED) {
            pump_take_out(s, index);
        } else {
            sched_remove(pump_waiting_queue(s, r), index);
        }
    }
    reads_pay_back(s, r, r->size - size);
    r->degraded = true;
    r->level = level;
    r->size = size;
    r->chunk_end = pack_index_chunk_at(&s->packs[r->pack].index, r->raw_begin + size - 1) + 1;
    if (queued) {
        pump_requeue(s, index); /* also who waits for memory: for so much there may be room */
        s->memory_came_free[r->bind] |= r->memory == NULL; /* and for who waits behind it */
    }
}

/* One that was not taken yet tells this instead of what it was posted for: there is one of a kind in the ring at most
 * (post_ring.h). */
static void announce(leat_streamer *s, request *r, uint32_t index, uint16_t level_possible)
{
    atomic_store_explicit(&r->level_possible, level_possible, memory_order_relaxed);
    /* acq_rel: pairs with late_event, which sees the level if it takes the post after this. */
    if (!atomic_exchange_explicit(&r->late_posted, true, memory_order_acq_rel)) {
        post_event_later(s, POST_LATE, index);
    }
}

/* It is late: true, and this is said; or the part is taken that can come in time. */
static bool tell(leat_streamer *s, request *r, uint32_t index, uint64_t behind, uint64_t ready_ns, uint64_t now_ns)
{
    bool degrades = r->flags & LEAT_READ_DEGRADE;
    uint16_t level = degrades && !can_degrade(s, r) ? LEVEL_NONE : r->level;
    bool possible = false;
    uint64_t size = 0;
    while (!possible && level != LEVEL_NONE && asset_level_size(&s->packs[r->pack], r->asset, ++level, &size)) {
        possible = times_of(s, r, index, size, behind, now_ns).least_ns <= r->deadline_ns;
    }
    count_own(&s->counters.deadlines_announced, 1);
    level = possible ? (uint16_t)(level + CANARY(COARSER)) : LEVEL_NONE;
    trace_point(s, TRACE_LATE, index, r->generation, ready_ns, r->deadline_ns);
    if (possible && degrades) {
        degrade(s, r, index, level, size);
        return false;
    }
    announce(s, r, index, level);
    return true;
}

/* True: it stays open, and is to be kept until more is known. */
static bool judge(leat_streamer *s, request *r, uint32_t index, uint64_t behind, uint64_t now_ns)
{
    estimate_times times = times_of(s, r, index, r->size, behind, now_ns);
    r->predicted_ns = r->predicted_ns == 0 ? times.ready_ns : r->predicted_ns;
    if (times.least_ns > r->deadline_ns && tell(s, r, index, behind, times.least_ns, now_ns)) {
        r->verdict = VERDICT_LATE;
    } else if (window_knows(s->window) == WINDOW_KNOWS) {
        r->verdict = VERDICT_IN_TIME;
    }
    return r->verdict == VERDICT_OPEN;
}

static void keep_first(request *r, uint32_t index, judge_list *list)
{
    if (r->unjudged_next == UNJUDGED_NOT) {
        list->last = list->first == UNJUDGED_END ? index + 1 : list->last;
        r->unjudged_next = list->first;
        list->first = index + 1;
    }
}

static void keep_last(leat_streamer *s, request *r, uint32_t index, judge_list *list)
{
    if (r->unjudged_next == UNJUDGED_NOT) {
        *(list->first == UNJUDGED_END ? &list->first : &s->requests[list->last - 1].unjudged_next) = index + 1;
        list->last = index + 1;
        r->unjudged_next = UNJUDGED_END;
    }
}

void deadlines_admit(leat_streamer *s, request *r, uint32_t index, uint64_t now_ns)
{
    if (judge(s, r, index, 0, now_ns)) {
        keep_first(r, index, &s->unjudged);
    }
}

/* When somebody gives memory back is nothing that could be predicted, so nothing that is said at admission knows of it.
 */
void deadlines_wait_ends(leat_streamer *s, request *r, uint32_t index, uint64_t now_ns)
{
    if (r->deadline_ns == NO_DEADLINE || r->verdict == VERDICT_LATE) {
        return;
    }
    r->verdict = VERDICT_OPEN;
    r->predicted_ns = 0;
    if (judge(s, r, index, 0, now_ns)) {
        keep_first(r, index, &s->unjudged);
    }
}

/* A lower class can make late who was not; a higher one, or a later look with the same class, need not be told. */
void deadlines_change(leat_streamer *s, request *r, uint32_t index, uint32_t rank_before, uint64_t deadline_before_ns)
{
    bool other = r->deadline_ns != deadline_before_ns;
    if (other) {
        r->has_deadline = r->deadline_ns != NO_DEADLINE;
        r->deadline_wanted_ns = r->deadline_ns;
    }
    if (r->deadline_ns == NO_DEADLINE || !(other || (r->rank > rank_before && r->verdict != VERDICT_LATE))) {
        return;
    }
    r->verdict = VERDICT_OPEN;
    r->predicted_ns = 0;
    s->judge_again |= r->unjudged_next != UNJUDGED_NOT;
    keep_first(r, index, &s->to_judge);
}

static bool is_open(const leat_streamer *s, const request *r, uint32_t index)
{
    return (r->stage == STAGE_QUEUED || r->stage == STAGE_WAITING || r->stage == STAGE_NEEDS_BIND) &&
           r->verdict == VERDICT_OPEN && r->deadline_ns != NO_DEADLINE &&
           !(request_flags(s, index) & (REQUEST_CANCELLED | REQUEST_FAILED));
}

/* Those that were judged before this one and want the same by the same time are all in the queue as it is, but came
 * later: they are not ahead of it, as they were not when it was admitted. */
static void judge_listed(leat_streamer *s, request *r, uint32_t index, uint64_t now_ns)
{
    judged_alike *alike = &s->judged_alike[(r->deadline_ns / NS_PER_MS + r->rank) % JUDGED_ALIKE_COUNT];
    if (alike->rank != r->rank || alike->deadline_ns != r->deadline_ns) {
        *alike = (judged_alike){ .rank = r->rank, .deadline_ns = r->deadline_ns };
    }
    if (judge(s, r, index, alike->bytes, now_ns)) {
        keep_last(s, r, index, &s->unjudged); /* the newest was looked at first, and will be again */
    }
    alike->bytes += queued_bytes(s, r, index); /* now: it may have been degraded */
}

bool deadlines_look(leat_streamer *s, uint64_t now_ns)
{
    window_knowledge knows = window_knows(s->window);
    if (s->to_judge.first == UNJUDGED_END && (knows != s->judged_with || s->judge_again)) {
        s->judged_with = knows;
        s->judge_again = false;
        s->to_judge = s->unjudged;
        s->unjudged.first = UNJUDGED_END;
    }
    if (s->to_judge.first == UNJUDGED_END) {
        return false;
    }
    for (uint32_t i = 0; i < JUDGED_A_ROUND_MAX && s->to_judge.first != UNJUDGED_END; ++i) {
        uint32_t index = s->to_judge.first - 1;
        request *r = &s->requests[index];
        s->to_judge.first = r->unjudged_next;
        r->unjudged_next = UNJUDGED_NOT;
        if (is_open(s, r, index)) {
            judge_listed(s, r, index, now_ns);
        }
    }
    if (s->to_judge.first == UNJUDGED_END) {
        memset(s->judged_alike, 0, sizeof(s->judged_alike));
    }
    return s->to_judge.first != UNJUDGED_END || s->judge_again;
}
