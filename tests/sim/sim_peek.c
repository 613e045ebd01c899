/* sim_peek.c - the simulator's only look inside a streamer: to know what a seed has met, not to judge it. */
#include "sim_world.h"

#include "streamer.h"

static bool has_output_of(const read_op *rd, uint32_t index)
{
    for (uint32_t i = 0; i < rd->task_count; ++i) {
        for (const decode_output *o = rd->tasks[i].decode.outputs; o != NULL; o = o->next) {
            if (o->request == index) {
                return true;
            }
        }
    }
    return false;
}

peek_stage peek_request(const leat_streamer *s, leat_request handle)
{
    const request *r = &s->requests[handle.index];
    if (r->admitted.generation != handle.generation) {
        return PEEK_MAILED;
    }
    switch ((request_stage)r->stage) {
    case STAGE_NONE:
        return PEEK_MAILED;
    case STAGE_NEEDS_BIND:
        return PEEK_NEEDS_BIND;
    case STAGE_WAITING:
        return PEEK_WAITING;
    case STAGE_QUEUED:
    case STAGE_ISSUED:
        break;
    }
    if (atomic_load_explicit(&r->chunks_open, memory_order_relaxed) == 0) {
        return PEEK_ENDED;
    }
    for (uint32_t i = 0; i < READ_COUNT_MAX; ++i) {
        if (s->reads[i].stage == READ_DECODING && has_output_of(&s->reads[i], handle.index)) {
            return PEEK_DECODING;
        }
    }
    return r->stage == STAGE_QUEUED ? PEEK_QUEUED : PEEK_READING;
}

void peek_bounds(const leat_streamer *s, sim_tally *tally)
{
    tally->counts[TALLY_BOUND_READS] += s->reads_busy == READ_COUNT_MAX;
    tally->counts[TALLY_BOUND_OUTPUTS] += s->output_free == NULL;
    tally->counts[TALLY_BOUND_POOL] += arena_bytes_used(s->pool) + LEAT_PACK_ALIGNMENT > s->desc.pool_bytes * 7 / 8;
    tally->counts[TALLY_WAITED_LENT] += sched_count(s->waiting_lent) > 0;
    tally->counts[TALLY_WAITED_BIND] += sched_count(s->waiting_bind) > 0;
}

bool peek_events_wait(const leat_streamer *s)
{
    return !post_ring_is_empty(&s->posts);
}

uint64_t peek_now_ns(const leat_streamer *s)
{
    return streamer_now(s);
}
