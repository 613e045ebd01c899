/* sim_run.c - see sim_run.h. Puts a seed together, and ends it. */
#include "sim_world.h"

#include <stdlib.h>

#define STEPS_MAX 150u

/* Everything must end, in bounded steps, once nobody asks for more and all memory is given. */
static void drain_requests(sim *m)
{
    for (uint32_t i = 0; i < DRAIN_STEPS_MAX && m->live > 0 && !sim_failed(m); ++i) {
        ops_release(m);
        for (uint32_t k = 0; k < m->wish_count; ++k) {
            wish *w = &m->wishes[k];
            if (w->state == WISH_LIVE && w->asked && !w->bound) {
                w->bound = leat_bind(m->s, w->handle, w->memory, w->memory_size) == LEAT_OK;
            }
        }
        ops_update(m, (i + 1) * NS_PER_MS);
    }
    CHECK(m, m->live == 0, "%u requests have not ended in %u steps", m->live, DRAIN_STEPS_MAX);
    ops_release(m);
}

static void check_rest(sim *m)
{
    for (uint32_t i = 0; i < m->crew_count; ++i) {
        CHECK(m, m->crews[i].ended, "batch %u has not ended", i);
    }
    for (uint32_t i = 0; i < m->note_count; ++i) {
        CHECK(m, m->notes[i].left == 0, "%u assets of swap %u were not told of", m->notes[i].left, i);
    }
    leat_stats stats;
    leat_stats_get(m->s, &stats);
    CHECK(m, stats.lent_bytes_used == 0, "%llu bytes are still lent", (unsigned long long)stats.lent_bytes_used);
    CHECK(m, stats.pool_bytes_used == 0, "%llu bytes of the pool are still used",
          (unsigned long long)stats.pool_bytes_used);
    CHECK(m, stats.requests_live == 0, "%u requests are still alive", stats.requests_live);
    CHECK(m, stats.bytes_in_flight == 0, "%llu bytes are still in flight", (unsigned long long)stats.bytes_in_flight);
    CHECK(m, stats.requests_ready + stats.requests_failed + stats.requests_cancelled == m->report->requests,
          "the counts do not add up");
}

void sim_drain(sim *m)
{
    for (uint32_t i = 0; i < m->crew_count; ++i) {
        if (!m->crews[i].sealed) {
            ops_seal(m, &m->crews[i]);
        }
    }
    drain_requests(m);
    /* Batches and reloads are told after the last request, a few at a time; what is taken may make no event: a member
     * of a silent batch, or a LATE of one that has ended meanwhile. */
    uint32_t quiet_updates = 0;
    for (uint32_t i = 0; i < DRAIN_STEPS_MAX && quiet_updates < 2; ++i) {
        bool quiet = ops_update(m, NS_PER_MS) == 0 && !peek_events_wait(m->s);
        quiet_updates = quiet ? quiet_updates + 1 : 0;
    }
    check_rest(m);
}

/* What the streamer and the device have counted. */
static void tally_counts(sim *m)
{
    leat_stats stats;
    leat_stats_get(m->s, &stats);
    TALLY_ADD(m, DEADLINES_MET, stats.deadlines_met);
    TALLY_ADD(m, DEADLINES_MISSED, stats.deadlines_missed);
    TALLY_ADD(m, READS, stats.reads_issued);
    TALLY_ADD(m, READS_RETRIED, stats.reads_retried);
    TALLY_ADD(m, CHUNKS, stats.chunks_decoded);
    TALLY_ADD(m, CHUNKS_SHARED, stats.chunks_shared);
    TALLY_ADD(m, CHUNKS_SKIPPED, stats.chunks_skipped);
    TALLY_ADD(m, CHUNKS_DAMAGED, stats.chunks_damaged);
    TALLY_ADD(m, FAULT_EIO, m->happened.eio);
    TALLY_ADD(m, FAULT_EAGAIN, m->happened.eagain);
    TALLY_ADD(m, FAULT_EINTR, m->happened.eintr);
    TALLY_ADD(m, FAULT_SHORT, m->happened.short_reads);
    TALLY_ADD(m, FAULT_END, m->happened.ends_of_file);
    TALLY_ADD(m, FAULT_FLIP, m->happened.bit_flips);
    TALLY_ADD(m, FAULT_SPIKE, m->happened.spikes);
    TALLY_ADD(m, FAULT_STALL, m->happened.stalled);
    TALLY_ADD(m, FAULT_HALVED, m->happened.halved);
    TALLY_ADD(m, FAULT_SERIAL, m->happened.begun_anew);
}

static void run_streamer(sim *m)
{
    for (uint32_t i = 0; i < PACK_COUNT; ++i) {
        setup_open(m, i);
    }
    if (m->loose) {
        files_open(m);
    }
    static void (*const probes[])(
        sim *) = { [SIM_OVERTAKING] = probe_overtaking, [SIM_ORDER] = probe_order, [SIM_SHARES] = probe_shares };
    if (m->library->kind != SIM_ANYTHING) {
        probes[m->library->kind](m);
    }
    for (uint64_t i = below(m, STEPS_MAX); i > 0 && !sim_failed(m); --i) {
        ops_step(m);
    }
    if (!chance(m, 20)) { /* else: destroyed in the middle of it */
        sim_drain(m);
    }
    if (m->traced) {
        CHECK(m, leat_trace_stop(m->s, NULL, NULL) == LEAT_OK, "a trace cannot be stopped");
    }
    TALLY_IF(m, DESTROYED_BUSY, m->live > 0);
    tally_counts(m);
    leat_destroy(m->s);
    CHECK(m, m->allocated == 0, "%lld bytes were not freed", (long long)m->allocated);
}

void sim_begin(void)
{
    files_make_root();
}

void sim_end(void)
{
    files_remove_root();
}

bool sim_run(uint64_t seed, sim_report *report, sim_tally *tally)
{
    static sim world;
    static wish wishes[WISH_COUNT_MAX];
    sim *m = &world;
    *m = (sim){ .random = random_begin(seed),
                .report = report,
                .tally = tally,
                .library = sim_library_of(seed),
                .wishes = wishes,
                .event_fd = -1 };
    *report = (sim_report){ 0 };
    setup_draw(m);
    if (m->loose) {
        files_begin(m);
    }
    if (setup_create(m)) {
        run_streamer(m);
    }
    for (uint32_t i = 0; i < m->wish_count; ++i) {
        if (m->wishes[i].bind != LEAT_BIND_LEAT) {
            free(m->wishes[i].memory);
        }
    }
    report->trace_hash = m->hash;
    return !sim_failed(m);
}
