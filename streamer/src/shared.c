/* shared.c - chunks that several requests want: their bytes are ahead of others once, if they are read once.
 *
 * A chunk that is read brings its bytes to all who get their turn while it is on its way: whose turn is so near to the
 * first one's that no more is read in between than fits into the window. Each of them but the first counts nothing for
 * it in the queue (sched_entry.bytes, from which deadlines are judged and leat_estimate answers). Who gets its turn
 * later reads the chunk again, and counts it.
 *
 * Whether that is so is asked once, when a request comes into the queue, and answered on the cautious side: order among
 * clients and what is not told apart within a bucket of the scheduler counts as in between. Each chunk knows who counts
 * it, and the last of those who rely on that, who knows the one before: one of them counts it when the first leaves the
 * queue without having read it. What stands there is believed only of a request that is still in the queue for this
 * chunk, so nobody has to be taken out.
 * The I/O thread only. */
#include "streamer.h"

#define SHARED_CHUNKS_MAX                                                                                              \
    256u /* of a request with more, none is looked at: some microseconds for each would be too much */
#define HEIRS_ASKED_MAX 32u

static uint64_t packed_size(const pack_index *index, uint32_t chunk)
{
    return pack_index_packed_size(index, chunk, chunk + 1);
}

/* The request that a chunk_want names, if it waits in the queue for this chunk. */
static request *waits_for(const leat_streamer *s, uint32_t named, uint32_t pack, uint32_t chunk)
{
    request *r = named != 0 ? &s->requests[named - 1] : NULL;
    return r != NULL && r->stage == STAGE_QUEUED && r->pack == pack && r->chunk_next <= chunk && chunk < r->chunk_end
               ? r
               : NULL;
}

static bool is_before(const request *a, const request *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->deadline_ns < b->deadline_ns;
}

/* Do both get their turn while the same read is out? */
static bool go_together(const leat_streamer *s, const request *a, const request *b)
{
    if (a->client != b->client) {
        return false;
    }
    if (a->rank == b->rank && a->deadline_ns == b->deadline_ns && a->sequence == b->sequence) {
        return true;
    }
    const request *first = is_before(b, a) ? b : a, *last = first == a ? b : a;
    sched_turn from = { first->rank, first->deadline_ns }, to = { last->rank, last->deadline_ns };
    return sched_bytes_between(s->sched, from, to) <= window_bytes(s->window);
}

/* Does it get its turn at once, while what is on its way still is? own_bytes: that it counts in the queue itself. */
static bool goes_at_once(const leat_streamer *s, const request *r, uint64_t own_bytes)
{
    uint64_t ahead = sched_bytes_ahead(s->sched, r->rank, r->deadline_ns);
    ahead -= u64_min(own_bytes, ahead); /* it may be beyond what is told apart */
    return r->rank == 0 || ahead == 0 || ahead + window_in_flight(s->window) <= window_bytes(s->window);
}

/* What was found for the last chunk holds for the next as well, as long as they are shared with the same one. */
typedef struct finding {
    const request *other;
    bool together, at_once, at_once_known;
} finding;

static bool found_together(const leat_streamer *s, finding *f, const request *r, const request *other)
{
    if (f->other != other) {
        f->other = other;
        f->together = go_together(s, r, other);
    }
    return f->together;
}

static bool found_at_once(const leat_streamer *s, finding *f, const request *r, uint64_t own_bytes)
{
    if (!f->at_once_known) {
        f->at_once_known = true;
        f->at_once = goes_at_once(s, r, own_bytes);
    }
    return f->at_once;
}

/* The last one of a chunk is named by the chunk, and who was it before by the last one. */
static void rely(leat_streamer *s, chunk_want *want, request *r, uint32_t index)
{
    if (!r->shares) {
        s->relied_before[index] = 0;
    }
    if (want->relied_on_by != 0 && want->relied_on_by != index + 1) {
        s->relied_before[index] =
            want->relied_on_by; /* one for all of its chunks: mostly they are shared with the same */
    }
    want->relied_on_by = index + 1;
    r->shares = true;
}

/* Whose bytes of this chunk another one counts, or nobody needs to; else it counts them itself from now on. */
static bool enter_shared(leat_streamer *s, finding *f, request *r, uint32_t index, uint32_t chunk)
{
    if (reads_chunk_comes(s, r->pack, chunk) && found_at_once(s, f, r, 0)) {
        return true;
    }
    chunk_want *want = &s->packs[r->pack].wants[chunk];
    request *other = waits_for(s, want->counted_by, r->pack, chunk);
    if (other != NULL && other != r && found_together(s, f, r, other)) {
        rely(s, want, r, index);
        other->shares = true;
        return true;
    }
    *want = (chunk_want){ .counted_by = index + 1 };
    return false;
}

uint64_t shared_enter(leat_streamer *s, request *r, uint32_t index)
{
    r->counts_all = r->chunk_end - r->chunk_next > SHARED_CHUNKS_MAX;
    if (r->counts_all) {
        return 0;
    }
    const pack_slot *slot = &s->packs[r->pack];
    uint64_t bytes = 0;
    finding f = { 0 };
    for (uint32_t chunk = r->chunk_next; chunk < r->chunk_end; ++chunk) {
        chunk_want *want = &slot->wants[chunk];
        if (want->counted_by == 0 && *reads_bucket(s, r->pack, chunk) == TASK_NONE) { /* nearly always */
            *want = (chunk_want){ .counted_by = index + 1 };
        } else if (enter_shared(s, &f, r, index, chunk)) {
            bytes += packed_size(&slot->index, chunk);
        }
    }
    return bytes;
}

/* Who counts the chunk when this one does no more: of those who rely on it, as far as they are remembered, the last
 * that still waits for it. Somebody else may be named who has counted it already: then it counts twice, on the cautious
 * side.
 */
static uint32_t heir_of(const leat_streamer *s, const chunk_want *want, uint32_t pack, uint32_t chunk, uint32_t index)
{
    uint32_t heir = want->relied_on_by;
    for (uint32_t i = 0; i < HEIRS_ASKED_MAX && heir != 0; ++i) {
        const request *r = waits_for(s, heir, pack, chunk);
        if (r != NULL && r->shares && heir != index + 1) {
            return heir;
        }
        heir = s->relied_before[heir - 1];
    }
    return 0;
}

void shared_leave(leat_streamer *s, request *r, uint32_t index)
{
    const pack_slot *slot = &s->packs[r->pack];
    for (uint32_t chunk = r->chunk_next; chunk < r->chunk_end; ++chunk) {
        chunk_want *want = &slot->wants[chunk];
        if (want->relied_on_by == index + 1) {
            want->relied_on_by = s->relied_before[index];
        }
        if (want->counted_by != index + 1) {
            continue;
        }
        uint32_t heir = heir_of(s, want, r->pack, chunk, index);
        *want = (chunk_want){ .counted_by = heir, .relied_on_by = heir != 0 ? s->relied_before[heir - 1] : 0 };
        if (heir != 0) {
            sched_recount(s->sched, heir - 1, sched_get(s->sched, heir - 1).bytes + packed_size(&slot->index, chunk));
        }
    }
    r->shares = false;
}

void shared_change(leat_streamer *s, request *r, uint32_t index, uint64_t now_ns)
{
    shared_leave(s, r, index);
    sched_change(s->sched, index, r->rank, r->deadline_ns, now_ns);
    uint64_t left = pack_index_packed_size(&s->packs[r->pack].index, r->chunk_next, r->chunk_end);
    sched_recount(s->sched, index, left - shared_enter(s, r, index));
}

uint64_t shared_ahead(const leat_streamer *s, const request *r, uint32_t index, uint32_t chunk_end, uint64_t own_bytes)
{
    if (r->counts_all) {
        return 0;
    }
    const pack_slot *slot = &s->packs[r->pack];
    uint64_t bytes = 0;
    finding f = { 0 };
    for (uint32_t chunk = r->chunk_next; chunk < chunk_end; ++chunk) {
        const request *other = waits_for(s, slot->wants[chunk].counted_by, r->pack, chunk);
        bool ahead = other != NULL && other != &s->requests[index] && !is_before(r, other);
        if ((reads_chunk_comes(s, r->pack, chunk) && found_at_once(s, &f, r, own_bytes)) ||
            (ahead && found_together(s, &f, r, other))) {
            bytes += packed_size(&slot->index, chunk);
        }
    }
    return bytes;
}
