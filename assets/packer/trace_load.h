/* trace_load.h - a trace that leat_trace_stop wrote, as tables of requests and reads.
 *
 * The file is anybody's: what is missing or of another type is left out, and nothing is believed that could overrun. */
#ifndef LEAT_PACKER_TRACE_LOAD_H
#define LEAT_PACKER_TRACE_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#define TRACE_TIME_NONE (-1e300) /* did not happen, or before the trace began */
#define TRACE_READ_NONE UINT32_MAX
#define TRACE_PLANS_KEPT 64u /* of one request; the first and the last count anyway */

/* All times in microseconds of the trace's clock. */
typedef struct trace_request {
    uint32_t index, generation;
    const char *asset; /* in the trace's JSON; "" if it is not known */
    const char *priority, *ended; /* likewise */
    double submitted_us, admitted_us, plan_first_us, plan_last_us, decode_last_begin_us, finished_us, delivered_us;
    double memory_us; /* waited for memory in all */
    double memory_since_us; /* while loading: since when it waits */
    double decode_us; /* of all its chunks */
    double cancel_us, predicted_us, deadline_us; /* when leat_cancel was called; of the last LATE */
    const char *priority_last; /* of leat_reprioritise; "" if its class has always been `priority` */
    double order_us, order_deadline_us; /* the last one; NONE: there was none, it has no deadline */
    uint32_t order_count;
    uint64_t bytes, bytes_queued; /* packed; queued in all when it was admitted */
    uint32_t chunk_count, plan_count, shared_count;
    uint32_t reads[TRACE_PLANS_KEPT]; /* positions in trace.reads, shared ones included */
    uint32_t read_count;
} trace_request;

typedef struct trace_read {
    uint32_t index, generation;
    double out_us, back_us;
    uint64_t bytes;
} trace_read;

typedef struct trace {
    void *json; /* cJSON; owns the texts */
    trace_request *requests; /* in the order of submission */
    uint32_t request_count;
    trace_read *reads;
    uint32_t read_count;
    double end_us; /* of its last event */
    uint64_t records_overwritten;
} trace;

/* False, and one line on stderr, if the file cannot be read or is no trace of Leat's. */
bool trace_load(const char *path, trace *t);
void trace_unload(trace *t);
/* NULL if there is none. */
const trace_request *trace_find(const trace *t, uint32_t index, uint32_t generation);

#endif
