/* sim_world.h - one seed's world: the streamer, the device, and the model's side of everything that was asked for.
 *
 *     sim_setup.c    what the seed has drawn: device, faults, bounds; the streamer is made and packs are opened
 *     sim_ops.c      what an engine does, drawn at random: requests, cancels, batches, swaps, ...
 *     sim_files.c   the same for a folder of loose files, whose files are replaced meanwhile
 *     sim_model.c    events are held against what was promised
 *     sim_probes.c   set-ups in which an order can be told
 *     sim_peek.c     looks inside: at which stage a request is, which bounds are met
 *     sim_run.c      puts a seed together, and ends it
 *
 * One thread; one world at a time. */
#ifndef LEAT_SIM_WORLD_H
#define LEAT_SIM_WORLD_H

#include "bounds.h"
#include "sim_packs.h"
#include "sim_random.h"
#include "sim_run.h"

#include <leat/leat.h>
#include <leat/sim.h>

#include <stdio.h>

#define WISH_COUNT_MAX 4000u
#define BATCH_COUNT_MAX 64u
#define BATCH_USER UINT64_C(1000000) /* a batch's `user` is this and its number */
#define SWAP_NOTE_COUNT_MAX 256u
#define FOLDER_MOUNT PACK_COUNT /* the folder of loose files, where there is one */
#define MOUNT_COUNT (PACK_COUNT + 1)
#define FILE_COUNT 5u /* in the folder */
#define POOL_BYTES POOL_BYTES_MIN
#define LENT_BYTES LENT_BYTES_MIN
#define DRAIN_STEPS_MAX 20000u

typedef enum wish_state { WISH_NONE = 0, WISH_LIVE, WISH_ENDED } wish_state;

/* The model's side of a request; its number is the request's `user`. */
typedef struct wish {
    wish_state state;
    leat_request handle;
    uint32_t mount;
    uint32_t content; /* version of the pack that was shown at submit: the bytes are of that one. Loose: of the file */
    uint32_t asset; /* position in that content. Loose: number of the file */
    const uint8_t *expected; /* the bytes of the asset from `offset` on */
    uint64_t offset, size; /* of the asset's bytes; after READY, of what was delivered */
    uint32_t level; /* the finest that was asked for, if all coarser ones were as well; else UINT32_MAX */
    uint64_t deadline_ns; /* of its submit; 0: none */
    uint32_t deadline_count; /* that one, and those of accepted orders */
    uint32_t late_count;
    uint64_t estimate_ns; /* how long it was to take, without a deadline; 0: not asked */
    sim_tally_name part; /* what kind of part was asked for */
    leat_bind_kind bind;
    uint8_t *memory; /* CALLER and LATE: ours */
    uint64_t memory_size; /* LATE: what was asked for */
    uint32_t batch; /* number, plus one; 0: none */
    leat_priority priority;
    uint64_t tag;
    uint32_t client;
    bool degrade; /* may take a coarser part by itself */
    bool cancel_accepted, exempt; /* may or must end as cancelled */
    bool asked, bound, too_small, lent;
} wish;

/* The model's side of a batch. */
typedef struct crew {
    leat_batch handle;
    uint32_t member_count, failed_count;
    uint64_t fence, fence_value; /* fence_value 0: has none */
    bool only_end, sealed, ended;
} crew;

/* What a swap has to tell. */
typedef struct swap_note {
    leat_pack handle;
    uint32_t mount;
    uint32_t left; /* not told yet */
    uint8_t changes[NAME_COUNT_MAX]; /* leat_change, by name; 0: told, or nothing to tell */
} swap_note;

/* What is mounted, or was. */
typedef struct sim_mount {
    leat_pack handle;
    bool open;
    uint32_t content; /* shown; not of the folder */
    int32_t layer;
    uint64_t order; /* of opening */
    uint32_t ids[NAME_COUNT_MAX]; /* leat_asset.index of each name that was ever shown; 0: none */
} sim_mount;

/* A file of the folder. Versions count from 1; 0: there is none. */
typedef struct sim_file {
    uint32_t version; /* on disk */
    uint32_t listed; /* when the folder was last listed */
    uint64_t size_listed;
    const uint8_t *bytes_listed;
    uint64_t size;
    const uint8_t *bytes;
} sim_file;

typedef struct sim {
    uint64_t random;
    sim_report *report;
    sim_tally *tally;
    const sim_library *library;
    leat_streamer *s;
    leat_sim_desc device;
    leat_sim_counts happened; /* to the device */
    bool may_fail; /* faults that retries cannot mend */
    bool fair_weather; /* no faults at all */
    bool calm; /* no urgent requests: the window bounds all that is in flight */
    bool watched_order; /* SIM_ORDER, and that part is not over */
    bool loose; /* there is a folder */
    bool traced;
    int event_fd; /* -1: not asked for */
    uint32_t share_weight; /* of client 1 */
    uint64_t in_flight_max; /* calm: what it may come to */
    sim_mount mounts[MOUNT_COUNT];
    uint64_t mount_order;
    sim_file files[FILE_COUNT];
    swap_note notes[SWAP_NOTE_COUNT_MAX];
    uint32_t note_count;
    crew crews[BATCH_COUNT_MAX];
    uint32_t crew_count;
    wish *wishes; /* WISH_COUNT_MAX */
    uint32_t wish_count, live;
    uint64_t now_ns;
    int64_t allocated;
    uint32_t memory_rate; /* percent of allocations that are refused */
    bool memory_refused; /* some was */
    uint64_t hash;
} sim;

static inline uint64_t below(sim *m, uint64_t bound)
{
    return random_below(&m->random, bound);
}
static inline bool chance(sim *m, uint32_t percent)
{
    return random_chance(&m->random, percent);
}

#define TALLY(m, name) (++(m)->tally->counts[TALLY_##name])
#define TALLY_ADD(m, name, amount) ((m)->tally->counts[TALLY_##name] += (amount))
#define TALLY_IF(m, name, condition) ((m)->tally->counts[TALLY_##name] += (condition) ? 1 : 0)

/* The first promise that was broken is what the report says. */
#define CHECK(m, condition, ...)                                                                                       \
    do {                                                                                                               \
        if (!(condition) && (m)->report->failure[0] == '\0') {                                                         \
            snprintf((m)->report->failure, sizeof((m)->report->failure), __VA_ARGS__);                                 \
        }                                                                                                              \
    } while (0)
static inline bool sim_failed(const sim *m)
{
    return m->report->failure[0] != '\0';
}

/* sim_setup.c */
void setup_draw(sim *m); /* what kind of seed it is, and its faults */
bool setup_create(sim *m); /* the streamer */
void setup_open(sim *m, uint32_t mount);

/* sim_ops.c */
void ops_step(sim *m); /* something at random */
uint32_t ops_update(sim *m, uint64_t advance_ns); /* returns the number of events */
bool ops_submit(sim *m, leat_priority priority); /* one request for a pack, if it can be had */
wish *ops_wish(sim *m, leat_bind_kind bind); /* the next; NULL: there are enough. It counts once ops_taken is told. */
void ops_taken(sim *m, wish *w);
leat_priority ops_priority(sim *m);
void ops_seal(sim *m, crew *k);
void ops_release(sim *m); /* what is lent */
void ops_exempt(sim *m, const leat_selection *selection); /* whom a cancel may meet */
void ops_learn(sim *m, uint32_t mount); /* the handles of what a pack shows */

/* sim_files.c */
void files_begin(sim *m); /* with new files */
void files_open(sim *m);
void files_read(sim *m);
void files_replace(sim *m); /* another version of a file takes its place, or it goes */
void files_list(sim *m);
void files_make_root(void); /* where the folder is, for all seeds */
void files_remove_root(void);

/* sim_model.c */
void model_take(sim *m, const leat_event *e);
void model_check_budget(sim *m);
void model_note_swap(sim *m, uint32_t mount, const uint8_t changes[NAME_COUNT_MAX]);
void model_forget_notes(sim *m, leat_pack handle); /* closed: nobody has a use for them */

/* sim_probes.c */
void probe_overtaking(sim *m);
void probe_order(sim *m);
void probe_shares(sim *m);

/* sim_peek.c */
typedef enum peek_stage {
    PEEK_MAILED = 0, /* the I/O thread has not seen it */
    PEEK_QUEUED,
    PEEK_WAITING,
    PEEK_NEEDS_BIND,
    PEEK_READING,
    PEEK_DECODING,
    PEEK_ENDED, /* its event is not out */
    PEEK_STAGE_COUNT
} peek_stage;
peek_stage peek_request(const leat_streamer *s, leat_request handle);
void peek_bounds(const leat_streamer *s, sim_tally *tally);
bool peek_events_wait(const leat_streamer *s);
uint64_t peek_now_ns(const leat_streamer *s);

/* sim_run.c */
void sim_drain(sim *m); /* until everything has ended */

#endif
