/* stream.h - carries out what residency plans: reads through Leat, hands what arrives to the GPU, gives the memory
 * back.
 *
 * Items of residency are the textures of the catalogue, then its meshes. Nothing in here waits: leat_wait is not called
 * anywhere in the viewer. */
#ifndef VIEW_STREAM_H
#define VIEW_STREAM_H

#include "catalog.h"
#include "gpu.h"
#include "residency.h"
#include "waterfall.h"

typedef struct stream_arrival {
    uint32_t item;
    leat_request request;
    gpu_upload upload;
    bool outdated; /* its item was restarted: to be released only */
} stream_arrival;

typedef struct stream_counts {
    uint64_t submitted, ready, failed, cancelled, promoted, refused;
    uint64_t evictions;
    uint64_t bytes_uploaded;
    uint64_t update_ns_last, submit_ns_last, upload_ns_last;
    uint64_t latency_ns_last; /* the longest of the requests that became ready in the last update; 0: none did */
    uint64_t class_latency_ns_last[LEAT_PRIORITY_COUNT]; /* the same, by leat_priority */
    uint64_t class_latency_ns_max[LEAT_PRIORITY_COUNT], class_ready[LEAT_PRIORITY_COUNT];
} stream_counts;

typedef struct stream {
    leat_streamer *streamer;
    const catalog *c;
    residency *r;
    gpu *g;
    leat_request *requests; /* by item; the one under way */
    waterfall_row *asked; /* by item: of that one, when, and with which class */
    uint8_t *failures; /* by item, in a row */
    stream_arrival *arrivals; /* ring */
    uint32_t arrival_first, arrival_count, arrival_capacity;
    stream_counts counts;
    uint64_t generation; /* of the last reset: what was asked for before is not for us */
    uint16_t *epochs; /* by item: of its last restart, likewise */
    uint64_t read_bytes_max;
    struct reload *reload; /* takes RELOADED events; NULL: nobody does */
    waterfall *waterfall; /* takes requests that are ready; NULL: nobody does */
    char error_text[300]; /* the last failure, for the HUD */
    uint64_t error_ns; /* when */
} stream;

bool stream_create(leat_streamer *streamer, const catalog *c, gpu *g, residency *r, uint64_t read_bytes_max, stream *s);
/* Gives back what Leat lent. */
void stream_destroy(stream *s);

/* Fills the items of residency from the catalogue: sizes, first and finest levels. */
void stream_items_describe(const catalog *c, const gpu *g, uint64_t read_bytes_max, residency *r);

/* Reads, cancels and drops as planned. */
void stream_carry_out(stream *s);
/* Takes events. */
void stream_update(stream *s);
/* Uploads at most bytes_max of what has arrived. */
void stream_upload(stream *s, uint64_t bytes_max);
/* Forgets one texture and what is under way for it: its content has changed. What is in view stays drawn meanwhile. */
void stream_restart(stream *s, uint32_t texture);
/* Drops everything and forgets what is under way, and what could not be had. */
void stream_reset(stream *s);

uint64_t clock_ns(void);

#endif
