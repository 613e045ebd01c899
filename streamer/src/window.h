/* window.h - how many bytes may be in flight on the device.
 *
 * Pure: time and completions are handed in. Latency is bytes ahead divided by bandwidth, so the window holds just the
 * bytes that keep the device busy (Little's law: bandwidth x minimum latency) with a little head-room, and follows the
 * device by feedback. Urgent reads go out on top of it.
 *
 * One window belongs to one device. A fixed window (desc.window_bytes) uses the same calls. */
#ifndef LEAT_WINDOW_H
#define LEAT_WINDOW_H

#include "base.h"

typedef struct window window;

typedef struct window_desc {
    memory *memory;
    uint64_t bytes_fixed; /* > 0: no feedback */
    uint64_t bytes_min; /* one read always goes out */
    uint64_t bytes_max; /* what the pool can hold */
} window_desc;

window *window_create(const window_desc *desc);
void window_destroy(window *w);

/* A read of `bytes` goes out. */
void window_issue(window *w, uint64_t bytes, bool urgent, uint64_t now_ns);
/* It came back, after latency_ns. Failed reads are told with ok = false: they leave the window and teach it nothing.
 * untimed: its latency says nothing about the device, because it came through the page cache or was looked at late.
 * starved: the queue was empty while this read was in flight, so that its bandwidth is no measure of what the device
 * can do. */
void window_complete(window *w, uint64_t bytes, bool urgent, uint64_t latency_ns, bool ok, bool untimed, bool starved,
                     uint64_t now_ns);

/* Calm: nobody has read urgently for long, so that a few reads more in flight delay nobody. */
void window_set_calm(window *w, bool calm);

/* May another read of `bytes` go out now? Urgent reads may whenever the pool can hold them. */
bool window_allows(const window *w, uint64_t bytes, bool urgent);

uint64_t window_bytes(const window *w); /* the limit */
uint64_t window_in_flight(const window *w); /* all, urgent included */
uint64_t window_bandwidth(const window *w); /* bytes per second, smoothed; a cautious guess before it is known */
uint64_t window_latency_min(const window *w); /* of a small read on an idle device, in ns */
/* Predicted time from now until a read of `bytes` completes that has `bytes_ahead` before it. */
uint64_t window_predict_ns(const window *w, uint64_t bytes_ahead, uint64_t bytes);

/* How much of the device's bandwidth has been seen. Never less than before. */
typedef enum window_knowledge {
    WINDOW_KNOWS_NOTHING = 0, /* nothing waited while reads came back: it may give any number of times as much */
    WINDOW_KNOWS_SOME, /* more in flight has brought more each time that it was tried */
    WINDOW_KNOWS
} window_knowledge;
window_knowledge window_knows(const window *w);
/* The largest that it may be, as far as is known; UINT64_MAX: anything. */
uint64_t window_bandwidth_most(const window *w);
/* As window_predict_ns, with that bandwidth: it does not take less. What a read with nothing before it takes is known
 * after the first few. */
uint64_t window_predict_least_ns(const window *w, uint64_t bytes_ahead, uint64_t bytes);

#endif
