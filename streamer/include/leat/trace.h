/* clang-format off */ /* columns are kept by hand, and a declaration stands in one line */
/* leat/trace.h - a record of what happens to every request and read, for Perfetto and `leat trace`. Included by leat/leat.h.
 *
 * Both calls: any thread, one at a time. */
#ifndef LEAT_PUBLIC_TRACE_H
#define LEAT_PUBLIC_TRACE_H

#include <leat/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Starts to record, into a ring of leat_desc.trace_event_count records (40 bytes each; a request takes about ten), which keeps
 * the last ones; begins anew if it is on. No system call, no lock. Errors: UNSUPPORTED if trace_event_count is 0. */
LEAT_API LEAT_CHECK leat_result leat_trace_start(leat_streamer *streamer);
/* Stops, and writes what the ring holds as a file that Perfetto, chrome://tracing and `leat trace` open. Blocks while it
 * writes; where that fails, it has stopped all the same. path NULL: only stops. error may be NULL. Errors: ARGUMENT (not on),
 * MEMORY, OS. */
LEAT_API LEAT_CHECK leat_result leat_trace_stop(leat_streamer *streamer, const char *path, leat_error *error);

#ifdef __cplusplus
}
#endif

#endif
