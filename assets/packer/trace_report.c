/* trace_report.c - `leat trace top` and `leat trace why`: where the time of requests went.
 *
 * A request's life is cut at the moments that its trace tells:
 *
 *     submitted | admitted | first planned | last planned | last read back | last decode begins | finished | delivered
 *       admission    queue      spread          device         decode queue       decode           update
 *
 * "queue" without the time that it waited for memory, which is told apart. A moment that never came, since the request
 * was cancelled or failed or is not over, leaves the time to the stage before it. What a request shares with others
 * counts from when it joined them: where their reads were back by then, it has no device time. */
#include "commands.h"
#include "trace_load.h"

#include "base.h"
#include "output.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SPAN_ADMISSION,
    SPAN_MEMORY,
    SPAN_QUEUE,
    SPAN_SPREAD,
    SPAN_DEVICE,
    SPAN_DECODE_QUEUE,
    SPAN_DECODE,
    SPAN_UPDATE,
    SPAN_COUNT
};

typedef struct span_text {
    const char *name, *what, *advice;
} span_text;

static const span_text spans[SPAN_COUNT] = {
    [SPAN_ADMISSION] = { "admission", "until the I/O thread took it",
                         "leave the I/O thread a core: it did not get one at once" },
    [SPAN_MEMORY] = { "memory", "waiting for memory",
                      "release lent memory sooner, raise lent_bytes, or answer NEEDS_MEMORY at once" },
    [SPAN_QUEUE] = { "queue", "queued behind others",
                     "raise its priority, give it a deadline, or ask for less: more was wanted than the disk gives" },
    [SPAN_SPREAD] = { "spread", "from its first to its last chunk",
                      "a higher priority: others of its class went in between" },
    [SPAN_DEVICE] = { "device", "reading", "less in flight (window_bytes), fewer bytes, or a faster disk" },
    [SPAN_DECODE_QUEUE] = { "decode queue", "waiting for a worker", "more workers, or fewer requests above its class" },
    [SPAN_DECODE] = { "decode", "checking and decoding", "smaller chunks, or stored ones, when it is packed" },
    [SPAN_UPDATE] = { "update", "ready, until leat_update took it",
                      "call leat_update more often, or raise its limits" },
};

typedef struct life {
    double span_us[SPAN_COUNT];
    double total_us;
} life;

static double back_of(const trace *t, const trace_request *r)
{
    double back_us = TRACE_TIME_NONE;
    for (uint32_t i = 0; i < r->read_count; ++i) {
        back_us = fmax(back_us, t->reads[r->reads[i]].back_us);
    }
    return back_us;
}

/* When it ended, or the trace did. */
static double end_of(const trace *t, const trace_request *r)
{
    return r->delivered_us != TRACE_TIME_NONE ? r->delivered_us : fmax(t->end_us, r->submitted_us);
}

static life life_of(const trace *t, const trace_request *r)
{
    const struct {
        uint32_t span;
        double end_us;
    } stages[] = { { SPAN_ADMISSION, r->admitted_us },
                   { SPAN_QUEUE, r->plan_first_us },
                   { SPAN_SPREAD, r->plan_last_us },
                   { SPAN_DEVICE, back_of(t, r) },
                   { SPAN_DECODE_QUEUE, r->decode_last_begin_us },
                   { SPAN_DECODE, r->finished_us },
                   { SPAN_UPDATE, end_of(t, r) } };
    life l = { .total_us = end_of(t, r) - r->submitted_us };
    double at = r->submitted_us;
    for (uint32_t i = 0, stage = 0; i < COUNT_OF(stages); ++i) {
        if (stages[i].end_us != TRACE_TIME_NONE) {
            l.span_us[stages[stage].span] += fmax(stages[i].end_us - at, 0);
            at = fmax(at, stages[i].end_us);
            stage = i + 1;
        }
    }
    double since = r->memory_since_us != TRACE_TIME_NONE ? t->end_us - r->memory_since_us : 0;
    l.span_us[SPAN_MEMORY] = fmin(r->memory_us + since, l.span_us[SPAN_QUEUE]);
    l.span_us[SPAN_QUEUE] -= l.span_us[SPAN_MEMORY];
    return l;
}

/* ---- why ---- */

/* Others that were planned first while this one was queued. */
static uint32_t overtaken_by(const trace *t, const trace_request *r)
{
    uint32_t count = 0;
    double until_us = r->plan_first_us != TRACE_TIME_NONE ? r->plan_first_us : end_of(t, r);
    for (uint32_t i = 0; i < t->request_count; ++i) {
        const trace_request *other = &t->requests[i];
        count += other != r && other->plan_first_us != TRACE_TIME_NONE && other->plan_first_us >= r->admitted_us &&
                 other->plan_first_us < until_us;
    }
    return count;
}

static const char *ending(const trace_request *r)
{
    return r->ended[0] != '\0' ? r->ended : "not ended when the trace was stopped";
}

static void read_print(const trace_request *r, const trace_read *read)
{
    printf("  read %u.%u: ", read->index, read->generation);
    if (read->out_us == TRACE_TIME_NONE) {
        printf("it went out before the trace began\n");
        return;
    }
    double out_ms = (read->out_us - r->submitted_us) / 1e3;
    printf("%.0f KiB, out %.3f ms %s submit, ", (double)read->bytes / 1024, fabs(out_ms),
           out_ms < 0 ? "before" : "after");
    if (read->back_us == TRACE_TIME_NONE) {
        printf("not back when the trace was stopped\n");
    } else {
        printf("%.3f ms on its way\n", fmax(read->back_us - read->out_us, 0) / 1e3);
    }
}

static void order_print(const trace_request *r)
{
    printf("  re-prioritised %u time%s, last %.3f ms after its submit: %s, ", r->order_count,
           r->order_count == 1 ? "" : "s", (r->order_us - r->submitted_us) / 1e3, r->priority_last);
    if (r->order_deadline_us == TRACE_TIME_NONE) {
        printf("without a deadline\n");
    } else {
        printf("with a deadline %.3f ms after that order\n", (r->order_deadline_us - r->order_us) / 1e3);
    }
}

static void why_print(const trace *t, const trace_request *r, const life *l)
{
    bool moved = r->order_count > 0 && strcmp(r->priority_last, r->priority) != 0;
    printf("request %u.%u: %s, %s%s%s, %.1f KiB packed, %u chunk%s decoded: %s\n", r->index, r->generation,
           r->asset[0] != '\0' ? r->asset : "(an asset of a closed pack)", r->priority, moved ? ", later " : "",
           moved ? r->priority_last : "", (double)r->bytes / 1024, r->chunk_count, r->chunk_count == 1 ? "" : "s",
           ending(r));
    printf("submitted at %.3f ms of the trace; %.3f ms in all\n\n", r->submitted_us / 1e3, l->total_us / 1e3);
    uint32_t most = 0;
    for (uint32_t i = 0; i < SPAN_COUNT; ++i) {
        printf("  %-13s %9.3f ms  %3.0f %%  %s\n", spans[i].name, l->span_us[i] / 1e3,
               l->total_us > 0 ? 100 * l->span_us[i] / l->total_us : 0, spans[i].what);
        most = l->span_us[i] > l->span_us[most] ? i : most;
    }
    printf("\n");
    if (r->admitted_us != TRACE_TIME_NONE) {
        printf("  queued before it: %.1f MiB; planned first: %u other requests\n", (double)r->bytes_queued / (1 << 20),
               overtaken_by(t, r));
    }
    printf("  planned in %u step%s, %u of them into reads of others that were under way\n", r->plan_count,
           r->plan_count == 1 ? "" : "s", r->shared_count);
    for (uint32_t i = 0; i < r->read_count; ++i) {
        read_print(r, &t->reads[r->reads[i]]);
    }
    if (r->predicted_us != TRACE_TIME_NONE) {
        printf("  announced late: it was predicted to be ready %.3f ms after its submit; ",
               (r->predicted_us - r->submitted_us) / 1e3);
        if (r->deadline_us > r->submitted_us) {
            printf("its deadline was %.3f ms after it\n", (r->deadline_us - r->submitted_us) / 1e3);
        } else {
            printf("its deadline had passed already\n");
        }
    }
    if (r->order_count > 0) {
        order_print(r);
    }
    bool cancelled = r->cancel_us != TRACE_TIME_NONE;
    if (cancelled) {
        printf("  leat_cancel was called %.3f ms after its submit\n", (r->cancel_us - r->submitted_us) / 1e3);
    }
    if (l->total_us > 0) {
        printf("\nMost of it: %s.", spans[most].what);
        if (!cancelled) {
            printf(" What helps: %s.", spans[most].advice);
        }
        printf("\n");
    }
}

static cJSON *life_json(const trace_request *r, const life *l)
{
    char id[32];
    snprintf(id, sizeof(id), "%u.%u", r->index, r->generation);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "request", id);
    cJSON_AddStringToObject(json, "asset", r->asset);
    cJSON_AddStringToObject(json, "priority", r->priority);
    if (r->order_count > 0) {
        cJSON_AddStringToObject(json, "priority_last", r->priority_last);
    }
    cJSON_AddStringToObject(json, "ended", r->ended);
    cJSON_AddNumberToObject(json, "packed_bytes", (double)r->bytes);
    cJSON_AddNumberToObject(json, "total_ms", l->total_us / 1e3);
    cJSON *parts = cJSON_AddObjectToObject(json, "spans_ms");
    for (uint32_t i = 0; i < SPAN_COUNT; ++i) {
        cJSON_AddNumberToObject(parts, spans[i].name, l->span_us[i] / 1e3);
    }
    return json;
}

static int why(const options *o, const trace *t)
{
    unsigned int index, generation;
    char rest;
    if (sscanf(o->request, "%u.%u%c", &index, &generation, &rest) != 2) {
        message_print("\"%s\" is not a request; write INDEX.GENERATION, as `leat trace top` prints it", o->request);
        return EXIT_USAGE;
    }
    const trace_request *r = trace_find(t, index, generation);
    if (r == NULL) {
        message_print("%s: holds no request %s; `leat trace top` lists some%s", o->arguments[1], o->request,
                      t->records_overwritten > 0 ? " (older records were overwritten: raise trace_event_count)" : "");
        return EXIT_FAILED;
    }
    life l = life_of(t, r);
    if (o->json) {
        json_print(life_json(r, &l));
    } else {
        why_print(t, r, &l);
    }
    return EXIT_OK;
}

/* ---- top ---- */

typedef struct ranked {
    const trace_request *request;
    life life;
} ranked;

static int slower_first(const void *a, const void *b)
{
    double x = ((const ranked *)a)->life.total_us, y = ((const ranked *)b)->life.total_us;
    return x < y ? 1 : x > y ? -1 : 0;
}

static int column_width(uint32_t span)
{
    return (int)u32_max((uint32_t)strlen(spans[span].name), 5);
}

static bool is_of(const trace_request *r, const char *priority)
{
    return strcmp(r->priority, priority) == 0 && strcmp(r->ended, "READY") == 0;
}

/* Those that became ready; slowest first: the median is in the middle, the 99th percentile near the beginning. */
static void class_print(const ranked *all, uint32_t count, const char *priority)
{
    uint32_t members = 0, seen = 0;
    double sums[SPAN_COUNT] = { 0 }, p50 = 0, p99 = 0, total = 0;
    for (uint32_t i = 0; i < count; ++i) {
        members += is_of(all[i].request, priority);
    }
    for (uint32_t i = 0; i < count; ++i) {
        if (!is_of(all[i].request, priority)) {
            continue;
        }
        p99 = seen == members / 100 ? all[i].life.total_us : p99;
        p50 = seen == members / 2 ? all[i].life.total_us : p50;
        total += all[i].life.total_us;
        for (uint32_t k = 0; k < SPAN_COUNT; ++k) {
            sums[k] += all[i].life.span_us[k];
        }
        ++seen;
    }
    if (members == 0) {
        return;
    }
    printf("  %-9s %8u %9.3f %9.3f ", priority, members, p50 / 1e3, p99 / 1e3);
    for (uint32_t k = 0; k < SPAN_COUNT; ++k) {
        printf("  %*.0f %%", column_width(k) - 2, total > 0 ? 100 * sums[k] / total : 0);
    }
    printf("\n");
}

static void top_print(const trace *t, const ranked *all, uint32_t count, uint32_t shown)
{
    static const char *const priorities[] = { "urgent", "high", "normal", "prefetch" };
    uint32_t failed = 0, cancelled = 0;
    for (uint32_t i = 0; i < count; ++i) {
        failed += strcmp(all[i].request->ended, "FAILED") == 0;
        cancelled += strcmp(all[i].request->ended, "CANCELLED") == 0;
    }
    printf("%u requests: %u ready, %u failed, %u cancelled, %u not ended; %u reads", t->request_count,
           count - failed - cancelled, failed, cancelled, t->request_count - count, t->read_count);
    if (t->records_overwritten > 0) {
        printf("; %llu older records were overwritten", (unsigned long long)t->records_overwritten);
    }
    printf("\n\n  class        ready    p50 ms    p99 ms ");
    for (uint32_t k = 0; k < SPAN_COUNT; ++k) {
        printf("  %*s", column_width(k), spans[k].name);
    }
    printf("\n");
    for (uint32_t i = 0; i < COUNT_OF(priorities); ++i) {
        class_print(all, count, priorities[i]);
    }
    printf("\n  ID of the slowest    ms  request\n");
    for (uint32_t i = 0; i < shown; ++i) {
        const trace_request *r = all[i].request;
        uint32_t most = 0;
        for (uint32_t k = 0; k < SPAN_COUNT; ++k) {
            most = all[i].life.span_us[k] > all[i].life.span_us[most] ? k : most;
        }
        char id[32];
        snprintf(id, sizeof(id), "%u.%u", r->index, r->generation);
        printf("  %-12s %10.3f  %s, %s%s%s; most of it: %s\n", id, all[i].life.total_us / 1e3, r->priority,
               r->asset[0] != '\0' ? r->asset : "?", strcmp(r->ended, "READY") != 0 ? ", " : "",
               strcmp(r->ended, "READY") != 0 ? r->ended : "", spans[most].what);
    }
}

static int top(const options *o, const trace *t)
{
    ranked *all = calloc(u32_max(t->request_count, 1), sizeof(*all));
    if (all == NULL) {
        message_print("out of memory");
        return EXIT_FAILED;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < t->request_count; ++i) {
        if (t->requests[i].delivered_us != TRACE_TIME_NONE) {
            all[count++] = (ranked){ .request = &t->requests[i], .life = life_of(t, &t->requests[i]) };
        }
    }
    qsort(all, count, sizeof(*all), slower_first);
    uint32_t shown = u32_min(count, o->count);
    if (o->json) {
        cJSON *list = cJSON_CreateArray();
        for (uint32_t i = 0; i < shown; ++i) {
            cJSON_AddItemToArray(list, life_json(all[i].request, &all[i].life));
        }
        json_print(list);
    } else {
        top_print(t, all, count, shown);
    }
    free(all);
    return EXIT_OK;
}

int command_trace(const options *o)
{
    trace t;
    if (!trace_load(o->arguments[1], &t)) {
        return EXIT_FAILED;
    }
    int result = strcmp(o->arguments[0], "why") == 0 ? why(o, &t) : top(o, &t);
    trace_unload(&t);
    return result;
}
