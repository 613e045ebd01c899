/* trace_load.c - see trace_load.h. */
#include "trace_load.h"

#include "file_read.h"
#include "output.h"

#include <cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_BYTES_MAX (UINT64_C(1) << 31)
#define TABLE_COUNT_MIN 1024u
#define TRACE_BEGIN "{\"displayTimeUnit\"" /* as trace_file.c writes it */

/* From (index, generation) to the newest position in a table: open addressing, a power of two of places. */
typedef struct id_map {
    uint32_t *places; /* position + 1 */
    uint32_t capacity;
} id_map;

typedef struct loader {
    trace *t;
    uint32_t request_capacity, read_capacity;
    id_map requests, reads;
    bool failed; /* for lack of memory */
} loader;

/* ---- Tables ---- */

static uint32_t hash_of(uint32_t index, uint32_t generation)
{
    uint64_t key = ((uint64_t)generation << 32 | index) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(key >> 32);
}

static bool same_request(const loader *l, uint32_t position, uint32_t index, uint32_t generation)
{
    return l->t->requests[position].index == index && l->t->requests[position].generation == generation;
}

static bool same_read(const loader *l, uint32_t position, uint32_t index, uint32_t generation)
{
    return l->t->reads[position].index == index && l->t->reads[position].generation == generation;
}

typedef bool (*same_function)(const loader *l, uint32_t position, uint32_t index, uint32_t generation);

/* The place of that id, or the free one where it belongs. */
static uint32_t *map_place(const loader *l, const id_map *map, same_function same, uint32_t index, uint32_t generation)
{
    uint32_t at = hash_of(index, generation) & (map->capacity - 1);
    while (map->places[at] != 0 && !same(l, map->places[at] - 1, index, generation)) {
        at = (at + 1) & (map->capacity - 1);
    }
    return &map->places[at];
}

/* Doubles a table and its map when half full. */
static bool grow(void **items, uint32_t *capacity, size_t item_size, id_map *map)
{
    uint32_t wanted = *capacity == 0 ? TABLE_COUNT_MIN : *capacity * 2;
    void *more = realloc(*items, (size_t)wanted * item_size);
    uint32_t *places = calloc((size_t)wanted * 2, sizeof(*places));
    if (more != NULL) {
        *items = more;
    }
    if (more == NULL || places == NULL) {
        free(places);
        return false;
    }
    free(map->places);
    *map = (id_map){ .places = places, .capacity = wanted * 2 };
    *capacity = wanted;
    return true;
}

static trace_request *request_add(loader *l, uint32_t index, uint32_t generation)
{
    trace *t = l->t;
    if (t->request_count == l->request_capacity) {
        if (!grow((void **)&t->requests, &l->request_capacity, sizeof(*t->requests), &l->requests)) {
            l->failed = true;
            return NULL;
        }
        for (uint32_t i = 0; i < t->request_count; ++i) {
            const trace_request *r = &t->requests[i];
            *map_place(l, &l->requests, same_request, r->index, r->generation) = i + 1;
        }
    }
    trace_request *r = &t->requests[t->request_count++];
    *r = (trace_request){ .index = index,
                          .generation = generation,
                          .asset = "",
                          .priority = "",
                          .ended = "",
                          .priority_last = "",
                          .submitted_us = TRACE_TIME_NONE,
                          .admitted_us = TRACE_TIME_NONE,
                          .plan_first_us = TRACE_TIME_NONE,
                          .plan_last_us = TRACE_TIME_NONE,
                          .decode_last_begin_us = TRACE_TIME_NONE,
                          .finished_us = TRACE_TIME_NONE,
                          .delivered_us = TRACE_TIME_NONE,
                          .memory_since_us = TRACE_TIME_NONE,
                          .cancel_us = TRACE_TIME_NONE,
                          .order_us = TRACE_TIME_NONE,
                          .order_deadline_us = TRACE_TIME_NONE,
                          .predicted_us = TRACE_TIME_NONE };
    *map_place(l, &l->requests, same_request, index, generation) = t->request_count;
    return r;
}

static trace_request *request_find(loader *l, uint32_t index, uint32_t generation)
{
    if (l->requests.capacity == 0) {
        return NULL;
    }
    uint32_t place = *map_place(l, &l->requests, same_request, index, generation);
    return place == 0 ? NULL : &l->t->requests[place - 1];
}

static uint32_t read_find_or_add(loader *l, uint32_t index, uint32_t generation)
{
    trace *t = l->t;
    if (t->read_count == l->read_capacity) {
        if (!grow((void **)&t->reads, &l->read_capacity, sizeof(*t->reads), &l->reads)) {
            l->failed = true;
            return TRACE_READ_NONE;
        }
        for (uint32_t i = 0; i < t->read_count; ++i) {
            *map_place(l, &l->reads, same_read, t->reads[i].index, t->reads[i].generation) = i + 1;
        }
    }
    uint32_t *place = map_place(l, &l->reads, same_read, index, generation);
    if (*place == 0) {
        t->reads[t->read_count] = (trace_read){
            .index = index, .generation = generation, .out_us = TRACE_TIME_NONE, .back_us = TRACE_TIME_NONE
        };
        *place = ++t->read_count;
    }
    return *place - 1;
}

/* ---- Events ---- */

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text != NULL ? text : "";
}

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static uint64_t count_of(const cJSON *object, const char *key)
{
    double value = number_of(object, key);
    return value > 0 && value < 1e18 ? (uint64_t)value : 0;
}

static bool id_parse(const char *text, uint32_t *index, uint32_t *generation)
{
    return sscanf(text, "%u.%u", index, generation) == 2;
}

static void memory_ends(trace_request *r, double ts)
{
    if (r->memory_since_us != TRACE_TIME_NONE) {
        r->memory_us += fmax(ts - r->memory_since_us, 0);
        r->memory_since_us = TRACE_TIME_NONE;
    }
}

/* Once for each read. */
static void planned_in(trace_request *r, uint32_t read)
{
    if (r->read_count > 0 && r->reads[r->read_count - 1] == read) {
        return;
    }
    if (r->read_count < TRACE_PLANS_KEPT) {
        ++r->read_count;
    }
    r->reads[r->read_count - 1] = read; /* the last place is always the last read's */
}

static void planned(loader *l, trace_request *r, const cJSON *args, double ts, bool shared)
{
    memory_ends(r, ts);
    if (r->plan_first_us == TRACE_TIME_NONE) {
        r->plan_first_us = ts;
    }
    r->plan_last_us = ts;
    ++r->plan_count;
    r->shared_count += shared;
    uint32_t index, generation;
    if (!id_parse(text_of(args, "read"), &index, &generation)) {
        return;
    }
    uint32_t read = read_find_or_add(l, index, generation);
    if (read != TRACE_READ_NONE) {
        planned_in(r, read);
    }
}

static void ordered(trace_request *r, const cJSON *args, double ts)
{
    r->priority_last = text_of(args, "priority");
    r->order_us = ts;
    r->order_deadline_us = cJSON_HasObjectItem(args, "deadline_us") ? number_of(args, "deadline_us") : TRACE_TIME_NONE;
    ++r->order_count;
}

static void request_step(loader *l, trace_request *r, const char *name, const cJSON *args, double ts)
{
    if (strcmp(name, "admitted") == 0) {
        r->admitted_us = ts;
        r->bytes = count_of(args, "bytes");
        r->bytes_queued = count_of(args, "bytes_queued");
    } else if (strcmp(name, "planned") == 0 || strcmp(name, "shared") == 0) {
        planned(l, r, args, ts, name[0] == 's');
    } else if (strcmp(name, "needs_memory") == 0 || strcmp(name, "waits_for_memory") == 0) {
        memory_ends(r, ts);
        r->memory_since_us = ts;
    } else if (strcmp(name, "bound") == 0) {
        memory_ends(r, ts);
    } else if (strcmp(name, "decoded") == 0) {
        double length_us = number_of(args, "decode_ns") / 1e3;
        r->decode_us += length_us;
        r->decode_last_begin_us = fmax(r->decode_last_begin_us, ts - length_us);
        ++r->chunk_count;
    } else if (strcmp(name, "late") == 0) {
        r->predicted_us = number_of(args, "predicted_us");
        r->deadline_us = number_of(args, "deadline_us");
    } else if (strcmp(name, "reprioritised") == 0) {
        ordered(r, args, ts);
    } else if (strcmp(name, "cancel") == 0) {
        r->cancel_us = ts;
    }
}

static void request_event(loader *l, const cJSON *event, const char *phase, double ts)
{
    uint32_t index, generation;
    if (!id_parse(text_of(event, "id"), &index, &generation)) {
        return;
    }
    const char *name = text_of(event, "name");
    const cJSON *args = cJSON_GetObjectItemCaseSensitive(event, "args");
    bool whole = strcmp(name, "request") == 0;
    if (whole && phase[0] == 'b') {
        trace_request *added = request_add(l, index, generation);
        if (added != NULL) {
            added->submitted_us = ts;
            added->asset = text_of(args, "asset");
            added->priority = text_of(args, "priority");
        }
        return;
    }
    trace_request *r = request_find(l, index, generation);
    if (r == NULL) {
        return;
    }
    if (phase[0] == 'n') {
        request_step(l, r, name, args, ts);
    } else if (whole && phase[0] == 'e') {
        r->delivered_us = ts;
        r->ended = text_of(args, "ended");
    } else if (strcmp(name, "ready") == 0 && phase[0] == 'b') {
        memory_ends(r, ts);
        r->finished_us = ts;
    }
}

static void read_event(loader *l, const cJSON *event, const char *phase, double ts)
{
    uint32_t index, generation;
    if (!id_parse(text_of(event, "id"), &index, &generation)) {
        return;
    }
    uint32_t at = read_find_or_add(l, index, generation);
    if (at == TRACE_READ_NONE) {
        return;
    }
    trace_read *read = &l->t->reads[at];
    const cJSON *args = cJSON_GetObjectItemCaseSensitive(event, "args");
    if (phase[0] == 'b') {
        read->out_us = ts;
        read->bytes = count_of(args, "bytes");
    } else {
        read->back_us = ts;
    }
}

/* ---- Public ---- */

bool trace_load(const char *path, trace *t)
{
    *t = (trace){ 0 };
    import_result result = { 0 };
    uint64_t size = 0;
    uint8_t *bytes = file_read(path, TRACE_BYTES_MAX, &size, NULL, &result);
    if (bytes == NULL) {
        message_print("%s", result.message_count > 0 ? result.messages[0].text : "out of memory");
        import_result_free(&result);
        return false;
    }
    cJSON *json = cJSON_ParseWithLength((const char *)bytes, size);
    bool cut = json == NULL && size > strlen(TRACE_BEGIN) && memcmp(bytes, TRACE_BEGIN, strlen(TRACE_BEGIN)) == 0;
    free(bytes);
    const cJSON *events = cJSON_GetObjectItemCaseSensitive(json, "traceEvents");
    const cJSON *other = cJSON_GetObjectItemCaseSensitive(json, "otherData");
    if (!cJSON_IsArray(events) || text_of(other, "leat")[0] == '\0') {
        message_print(cut ? "%s: begins as a trace, but is cut short or damaged: write it again, or copy all of it"
                          : "%s: is not a trace that Leat has written (leat_trace_stop, leat-view --trace)",
                      path);
        cJSON_Delete(json);
        return false;
    }
    t->json = json;
    t->records_overwritten = count_of(other, "records_overwritten");
    loader l = { .t = t };
    const cJSON *event;
    cJSON_ArrayForEach(event, events)
    {
        const char *category = text_of(event, "cat"), *phase = text_of(event, "ph");
        double ts = number_of(event, "ts");
        t->end_us = fmax(t->end_us, ts);
        if (strcmp(category, "request") == 0) {
            request_event(&l, event, phase, ts);
        } else if (strcmp(category, "read") == 0) {
            read_event(&l, event, phase, ts);
        }
    }
    free(l.requests.places);
    free(l.reads.places);
    if (l.failed) {
        message_print("%s: no memory to load it", path);
        trace_unload(t);
    }
    return !l.failed;
}

void trace_unload(trace *t)
{
    cJSON_Delete(t->json);
    free(t->requests);
    free(t->reads);
    *t = (trace){ 0 };
}

const trace_request *trace_find(const trace *t, uint32_t index, uint32_t generation)
{
    for (uint32_t i = t->request_count; i-- > 0;) {
        if (t->requests[i].index == index && t->requests[i].generation == generation) {
            return &t->requests[i];
        }
    }
    return NULL;
}
