/* trace_file.c - tracing is switched on and off, and what was recorded becomes a file for Perfetto and
 * chrome://tracing.
 *
 * The file is JSON in the Trace Event Format ("Trace Event Format", Google, 2016):
 *   - a request is an asynchronous slice "request" with the phases "queued", "streaming" (its first chunk is planned
 *     until its last one ends) and "ready" (until leat_update hands it over) inside, and an instant for each step;
 *   - a read of the device is an asynchronous slice "read";
 *   - submit, plan, decode and update are slices on the threads that did them, joined by the request's flow arrows;
 *   - window, bytes in flight, queued bytes, reads and decode queue are counters.
 * Ids of requests and reads are "INDEX.GENERATION". `leat trace` reads the same file.
 *
 * Written by the thread that calls leat_trace_stop, which may wait for the disk; nobody else does. */
#include "streamer.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POINT_US 0.01 /* length of a slice that only marks where an arrow begins or ends */

enum { THREAD_SUBMIT = 1, THREAD_IO = 2, THREAD_UPDATE = 3, THREAD_NOT_WORKER_COUNT, THREAD_WORKER = 10 };

typedef enum phase { PHASE_NONE = 0, PHASE_QUEUED, PHASE_STREAMING, PHASE_READY } phase;
static const char *const phase_names[] = { "", "queued", "streaming", "ready" };
static const char *const priority_names[] = { "normal", "urgent", "high", "prefetch" };
static const char *const event_names[] = { "", "READY", "FAILED", "CANCELLED" };

/* Where each request is, as far as the records read so far say; requests that began before the ring does are left out.
 */
typedef struct request_state {
    uint32_t generation;
    phase phase;
} request_state;

typedef struct writer {
    leat_streamer *s;
    FILE *file;
    request_state *states;
    trace_entry *entries;
    uint32_t entry_count;
    uint64_t overwritten; /* records, or tickets that nobody used */
    uint64_t begin_ns;
    double points_us[THREAD_NOT_WORKER_COUNT]; /* of each thread: the end of its last point */
    bool comma;
} writer;

/* ---- Pieces of JSON ---- */

static void event_begin(writer *w, const char *kind, const char *category, const char *name, uint32_t thread, double ts)
{
    fprintf(w->file, "%s\n{\"ph\":\"%s\",\"cat\":\"%s\",\"name\":\"%s\",\"pid\":1,\"tid\":%u,\"ts\":%.3f",
            w->comma ? "," : "", kind, category, name, thread, ts);
    w->comma = true;
}

static void event_end(writer *w)
{
    fputs("}", w->file);
}

static double time_us(const writer *w, uint64_t time_ns)
{
    return (double)(int64_t)(time_ns - w->begin_ns) / 1e3; /* before the beginning: negative */
}

static void slice(writer *w, const char *name, uint32_t thread, double ts, double length_us)
{
    event_begin(w, "X", "thread", name, thread, ts);
    fprintf(w->file, ",\"dur\":%.3f", length_us);
    event_end(w);
}

static void id_of(writer *w, const trace_entry *e)
{
    fprintf(w->file, ",\"id\":\"%u.%u\"", e->index, e->generation);
}

static void async(writer *w, const char *kind, const char *name, const trace_entry *e, uint32_t thread)
{
    event_begin(w, kind, "request", name, thread, time_us(w, e->time_ns));
    id_of(w, e);
    event_end(w);
}

/* One step of an arrow that joins all slices of a request: kind is s (begins), t (goes on) or f (ends). */
static void flow(writer *w, const char *kind, const trace_entry *e, uint32_t thread, double ts)
{
    event_begin(w, kind, "flow", "request", thread, ts);
    id_of(w, e);
    fputs(kind[0] == 'f' ? ",\"bp\":\"e\"" : "", w->file);
    event_end(w);
}

/* A slice for such a step where nothing else is shown. Of those that were recorded at one moment, each stands behind
 * the one before: one inside the other, a frame's would be a thousand deep. */
static void point(writer *w, const char *name, const char *kind, const trace_entry *e, uint32_t thread)
{
    double ts = fmax(time_us(w, e->time_ns), w->points_us[thread]);
    slice(w, name, thread, ts, POINT_US);
    flow(w, kind, e, thread, ts);
    w->points_us[thread] = ts + POINT_US;
}

static void text(writer *w, const char *bytes, size_t size)
{
    fputc('"', w->file);
    for (size_t i = 0; i < size; ++i) {
        if (bytes[i] == '"' || bytes[i] == '\\') {
            fputc('\\', w->file);
        }
        fputc(bytes[i], w->file); /* names hold no control characters: pack_index.c has seen to that */
    }
    fputc('"', w->file);
}

/* ---- Requests ---- */

static request_state *state_of(writer *w, const trace_entry *e)
{
    request_state *state = &w->states[e->index];
    return state->phase != PHASE_NONE && state->generation == e->generation ? state : NULL;
}

static void enter(writer *w, request_state *state, const trace_entry *e, phase next, uint32_t thread)
{
    if (state->phase != PHASE_NONE) {
        async(w, "e", phase_names[state->phase], e, thread);
    }
    state->phase = next;
    if (next != PHASE_NONE) {
        async(w, "b", phase_names[next], e, thread);
    }
}

/* The name of what is asked for, if its pack is still open. It stays so while we write. */
static void asset_name(writer *w, const trace_entry *e)
{
    leat_asset asset = { .pack = { .index = (uint32_t)(e->more >> 32), .generation = (uint32_t)(e->value >> 32) },
                         .index = (uint32_t)e->more };
    pack_slot *slot = pack_acquire(w->s, asset.pack);
    uint32_t position;
    if (slot == NULL) {
        return;
    }
    if (asset_locate(slot, asset, &position) == LEAT_OK) {
        const leat_pack_asset_record *record = &slot->index.assets[position];
        fputs(",\"asset\":", w->file);
        text(w, slot->index.names + record->name_offset, record->name_size);
    }
    pack_release(w->s, slot);
}

static void submitted(writer *w, const trace_entry *e)
{
    point(w, "submit", "s", e, THREAD_SUBMIT);
    event_begin(w, "b", "request", "request", THREAD_SUBMIT, time_us(w, e->time_ns));
    id_of(w, e);
    fprintf(w->file, ",\"args\":{\"request\":\"%u.%u\",\"priority\":\"%s\"", e->index, e->generation,
            priority_names[(uint32_t)e->value % LEAT_PRIORITY_COUNT]);
    asset_name(w, e);
    fputs("}", w->file);
    event_end(w);
    w->states[e->index] = (request_state){ .generation = e->generation };
    enter(w, &w->states[e->index], e, PHASE_QUEUED, THREAD_SUBMIT);
}

static void instant(writer *w, const char *name, const trace_entry *e, uint32_t thread, const char *value_name,
                    const char *more_name)
{
    event_begin(w, "n", "request", name, thread, time_us(w, e->time_ns));
    id_of(w, e);
    fprintf(w->file, ",\"args\":{\"%s\":%" PRIu64, value_name, e->value);
    if (more_name != NULL) {
        fprintf(w->file, ",\"%s\":%" PRIu64, more_name, e->more);
    }
    fputs("}", w->file);
    event_end(w);
}

static void planned(writer *w, request_state *state, const trace_entry *e)
{
    event_begin(w, "n", "request", e->kind == TRACE_PLAN ? "planned" : "shared", THREAD_IO, time_us(w, e->time_ns));
    id_of(w, e);
    fprintf(w->file, ",\"args\":{\"bytes\":%" PRIu64 ",\"read\":\"%u.%u\"}", e->value, (uint32_t)e->more,
            (uint32_t)(e->more >> 32));
    event_end(w);
    if (state->phase == PHASE_QUEUED) {
        enter(w, state, e, PHASE_STREAMING, THREAD_IO);
    }
    point(w, "plan", "t", e, THREAD_IO);
}

/* On the trace's clock, as all its times. */
static void late(writer *w, const trace_entry *e)
{
    event_begin(w, "n", "request", "late", THREAD_IO, time_us(w, e->time_ns));
    id_of(w, e);
    fprintf(w->file, ",\"args\":{\"predicted_us\":%.3f,\"deadline_us\":%.3f}", time_us(w, e->value),
            time_us(w, e->more));
    event_end(w);
}

/* A new class and deadline; without one, that is left out. */
static void ordered(writer *w, const trace_entry *e)
{
    event_begin(w, "n", "request", "reprioritised", THREAD_IO, time_us(w, e->time_ns));
    id_of(w, e);
    fprintf(w->file, ",\"args\":{\"priority\":\"%s\"", priority_names[e->value % LEAT_PRIORITY_COUNT]);
    if (e->more != NO_DEADLINE) {
        fprintf(w->file, ",\"deadline_us\":%.3f", time_us(w, e->more));
    }
    fputs("}", w->file);
    event_end(w);
}

static void delivered(writer *w, request_state *state, const trace_entry *e)
{
    point(w, "deliver", "f", e, THREAD_UPDATE);
    enter(w, state, e, PHASE_NONE, THREAD_UPDATE);
    event_begin(w, "e", "request", "request", THREAD_UPDATE, time_us(w, e->time_ns));
    id_of(w, e);
    fprintf(w->file, ",\"args\":{\"ended\":\"%s\"}", e->value < COUNT_OF(event_names) ? event_names[e->value] : "");
    event_end(w);
}

static void request_entry(writer *w, const trace_entry *e)
{
    request_state *state = state_of(w, e);
    if (e->kind == TRACE_SUBMIT) {
        submitted(w, e);
        return;
    }
    if (state == NULL) {
        return; /* it was submitted before what the ring still holds */
    }
    switch (e->kind) {
    case TRACE_ADMIT:
        instant(w, "admitted", e, THREAD_IO, "bytes", "bytes_queued");
        break;
    case TRACE_LATE:
        late(w, e);
        break;
    case TRACE_NEEDS_MEMORY:
        instant(w, "needs_memory", e, THREAD_IO, "bytes", NULL);
        break;
    case TRACE_WAITS_MEMORY:
        instant(w, "waits_for_memory", e, THREAD_IO, "bytes", NULL);
        break;
    case TRACE_BOUND:
        instant(w, "bound", e, THREAD_IO, "bytes", NULL);
        break;
    case TRACE_PLAN:
    case TRACE_SHARE:
        planned(w, state, e);
        break;
    case TRACE_DECODED:
        instant(w, "decoded", e, THREAD_WORKER + (uint32_t)e->more, "decode_ns", "worker");
        flow(w, "t", e, THREAD_WORKER + (uint32_t)e->more, time_us(w, e->time_ns) - (double)e->value / 2e3);
        break;
    case TRACE_CANCEL:
        instant(w, "cancel", e, THREAD_SUBMIT, "asked", NULL);
        break;
    case TRACE_ORDER:
        ordered(w, e);
        break;
    case TRACE_FINISH:
        enter(w, state, e, PHASE_READY, THREAD_UPDATE);
        break;
    case TRACE_DELIVER:
        delivered(w, state, e);
        break;
    default:
        break;
    }
}

/* ---- Reads, threads, levels ---- */

static void read_entry(writer *w, const trace_entry *e)
{
    bool out = e->kind == TRACE_READ_OUT;
    event_begin(w, out ? "b" : "e", "read", "read", THREAD_IO, time_us(w, e->time_ns));
    id_of(w, e);
    if (out) {
        fprintf(w->file, ",\"args\":{\"bytes\":%" PRIu64 ",\"class\":%u}", e->value, (uint32_t)e->more);
    } else {
        fprintf(w->file, ",\"args\":{\"result\":%" PRId64 ",\"reads_out\":%" PRIu64 "}", (int64_t)e->value, e->more);
    }
    event_end(w);
}

/* One chart; b NULL: of one line only. */
static void counter(writer *w, const char *name, const trace_entry *e, const char *a, uint64_t a_value, const char *b,
                    uint64_t b_value)
{
    event_begin(w, "C", "level", name, THREAD_IO, time_us(w, e->time_ns));
    fprintf(w->file, ",\"args\":{\"%s\":%" PRIu64, a, a_value);
    if (b != NULL) {
        fprintf(w->file, ",\"%s\":%" PRIu64, b, b_value);
    }
    fputs("}", w->file);
    event_end(w);
}

static void entry(writer *w, const trace_entry *e)
{
    double ts = time_us(w, e->time_ns), length = (double)e->value / 1e3;
    switch (e->kind) {
    case TRACE_READ_OUT:
    case TRACE_READ_BACK:
        read_entry(w, e);
        break;
    case TRACE_CHUNK:
        slice(w, "decode", THREAD_WORKER + (uint32_t)(e->more >> 32), ts - length, length);
        break;
    case TRACE_UPDATE:
        slice(w, "leat_update", THREAD_UPDATE, ts - length, length);
        break;
    case TRACE_LEVELS:
        counter(w, "bytes in flight (KiB)", e, "window", e->value >> 32, "in_flight", (uint32_t)e->value);
        counter(w, "queued (KiB)", e, "queued", e->more >> 32, NULL, 0);
        counter(w, "reads and chunks", e, "reads_out", (e->more >> 16) & 0xffff, "decode_queued", e->more & 0xffff);
        break;
    default:
        if (e->index < w->s->desc.request_count_max) {
            request_entry(w, e);
        }
        break;
    }
}

static void thread_name(writer *w, uint32_t thread, const char *name)
{
    event_begin(w, "M", "", "thread_name", thread, 0);
    fprintf(w->file, ",\"args\":{\"name\":\"%s\"}", name);
    event_end(w);
}

static int by_time(const void *a, const void *b)
{
    const trace_entry *x = a, *y = b;
    if (x->time_ns != y->time_ns) {
        return x->time_ns < y->time_ns ? -1 : 1;
    }
    return x->ticket < y->ticket ? -1 : 1;
}

/* What the ring holds, in the order in which it happened. */
static void take_entries(writer *w)
{
    uint64_t first, end;
    trace_range(&w->s->trace, &first, &end);
    w->overwritten = first - atomic_load_explicit(&w->s->trace.begin_ticket, memory_order_relaxed);
    for (uint64_t ticket = first; ticket < end; ++ticket) {
        w->entry_count += trace_read(&w->s->trace, ticket, &w->entries[w->entry_count]) ? 1 : 0;
    }
    qsort(w->entries, w->entry_count, sizeof(*w->entries), by_time);
}

static void write_all(writer *w)
{
    leat_streamer *s = w->s;
    fprintf(w->file, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
    thread_name(w, THREAD_SUBMIT, "engine: submit");
    thread_name(w, THREAD_UPDATE, "engine: leat_update");
    thread_name(w, THREAD_IO, "leat-io");
    for (uint32_t i = 0; i < u32_max(s->desc.worker_count, 1); ++i) {
        char name[32];
        snprintf(name, sizeof(name), "leat-decode-%u", i);
        thread_name(w, THREAD_WORKER + i, name);
    }
    take_entries(w);
    for (uint32_t i = 0; i < w->entry_count; ++i) {
        entry(w, &w->entries[i]);
    }
    fprintf(w->file, "\n],\"otherData\":{\"leat\":\"%u.%u.%u\",\"backend\":", LEAT_VERSION_MAJOR, LEAT_VERSION_MINOR,
            LEAT_VERSION_PATCH);
    text(w, s->info.backend_text, strlen(s->info.backend_text));
    fprintf(w->file, ",\"records\":%" PRIu32 ",\"records_overwritten\":%" PRIu64 "}}\n", w->entry_count,
            w->overwritten);
}

/* ---- Public ---- */

leat_result leat_trace_start(leat_streamer *s)
{
    trace *t = &s->trace;
    if (t->capacity == 0) {
        return LEAT_ERROR_UNSUPPORTED;
    }
    trace_begin(t, streamer_now(s));
    atomic_store_explicit(&t->on, true, memory_order_relaxed);
    return LEAT_OK;
}

/* A file only: a device or a pipe that somebody names, /dev/stdout say, is not ours to take away. */
static bool is_file(FILE *file)
{
    struct stat status;
    return fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode);
}

static void free_tables(writer *w)
{
    memory_free(&w->s->memory, w->states, w->s->desc.request_count_max, sizeof(*w->states));
    memory_free(&w->s->memory, w->entries, w->s->trace.capacity, sizeof(*w->entries));
}

static leat_result stop(leat_streamer *s, const char *path, leat_error *error)
{
    trace *t = &s->trace;
    if (!atomic_exchange_explicit(&t->on, false, memory_order_relaxed)) {
        return error_set(error, LEAT_ERROR_ARGUMENT, 0,
                         "tracing is not on: leat_trace_start, leat_desc.trace_event_count");
    }
    if (path == NULL) {
        return LEAT_OK;
    }
    writer w = { .s = s, .begin_ns = t->began_ns };
    w.states = memory_allocate(&s->memory, s->desc.request_count_max, sizeof(*w.states), CACHE_LINE_SIZE);
    w.entries = memory_allocate(&s->memory, t->capacity, sizeof(*w.entries), CACHE_LINE_SIZE);
    if (w.states == NULL || w.entries == NULL) {
        free_tables(&w);
        return error_set(error, LEAT_ERROR_MEMORY, 0, "%s: no memory to write a trace", path);
    }
    w.file = fopen(path, "we");
    bool good = w.file != NULL;
    int cause = errno;
    if (good) {
        write_all(&w);
        good = !ferror(w.file);
        cause = errno; /* of the write that failed, if one did */
        bool removable = is_file(w.file);
        if (fclose(w.file) != 0 && good) {
            good = false;
            cause = errno;
        }
        if (!good && removable) {
            unlink(path); /* half a trace opens nowhere */
        }
    }
    free_tables(&w);
    return good ? LEAT_OK
                : error_set(error, LEAT_ERROR_OS, cause, "%s: the trace cannot be written: %s", path, strerror(cause));
}

leat_result leat_trace_stop(leat_streamer *s, const char *path, leat_error *error)
{
    leat_error local;
    leat_result result = stop(s, path, error != NULL ? error : &local);
    if (result != LEAT_OK && error == NULL) { /* words that the caller did not ask for */
        log_line(&s->log, LEAT_LOG_ERROR, "%s", local.text);
    }
    return result;
}
