/* stream_case.h - open, stream, close: the life of a streamer in small, with a model that watches its promises.
 *
 * Each request ends with exactly one event; what is READY has the right bytes; what a call refuses it explains; when
 * all is closed, no memory of Leat's and no descriptor is left. Whether something may fail at all is the caller's to
 * say. Prints what was broken to stderr. */
#ifndef LEAT_STREAM_CASE_H
#define LEAT_STREAM_CASE_H

#include "test_pack.h"

#include <leat/leat.h>
#include <leat/sim.h>

typedef struct stream_case {
    leat_desc desc; /* backend and so on; allocator and logger are filled in by stream_open */
    const test_pack *pack; /* what the bytes should be */
    const char *path;
    /* the state of a run */
    leat_streamer *s;
    leat_pack handle;
    int64_t allocated;
    uint64_t now_ns; /* stepped */
    leat_error error;
    uint32_t ready, failed, cancelled; /* of the last round */
    leat_result failed_result; /* of the last that has failed in it */
    int32_t failed_os_error;
    bool broken; /* a promise was */
} stream_case;

/* A small pack whose requests need all that there is: chunks that are shared, stored, and read alone. */
void stream_pack_make(test_pack *pack, char path[SCRATCH_SIZE]);
/* The same, in memory only: what was written before can be read with it. */
void stream_pack_fill(test_pack *pack);

/* Streams that pack from that path; over the simulated device it is stepped, and `sim` says what the device does. */
stream_case stream_case_of(leat_backend backend, const test_pack *pack, const char *path, const leat_sim_desc *sim);

/* Creates and opens. False: c->error says why, and nothing is left behind. */
bool stream_open(stream_case *c);
/* Asks once for every asset, with memory of all three kinds, cancels some, and waits until each request has ended. */
void stream_round(stream_case *c);
/* Closes and destroys, and looks for what is left. */
void stream_close(stream_case *c);

/* Descriptors of this process; for before and after. */
uint32_t descriptor_count(void);

#define STREAM_CHECK(c, condition, ...)                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            (c)->broken = true;                                                                                        \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fputc('\n', stderr);                                                                                       \
        }                                                                                                              \
    } while (0)

#endif
