/* text.c - results and events in words, for people. */
#include "streamer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *leat_result_text(leat_result result)
{
    switch (result) {
    case LEAT_OK:
        return "ok";
    case LEAT_ERROR_ARGUMENT:
        return "an argument that can never work";
    case LEAT_ERROR_MEMORY:
        return "out of memory";
    case LEAT_ERROR_STALE:
        return "a null handle, or one whose object has ended";
    case LEAT_ERROR_FULL:
        return "full: try again after leat_update";
    case LEAT_ERROR_NOT_FOUND:
        return "not found";
    case LEAT_ERROR_OS:
        return "the operating system refused";
    case LEAT_ERROR_FORMAT:
        return "not a Leat pack, or one that contradicts itself";
    case LEAT_ERROR_VERSION:
        return "a pack newer than this library";
    case LEAT_ERROR_DAMAGED:
        return "damaged: bytes do not match their hash, or do not decode";
    case LEAT_ERROR_TRUNCATED:
        return "truncated: the file is shorter than it says";
    case LEAT_ERROR_TOO_SMALL:
        return "the destination is smaller than the part";
    case LEAT_ERROR_CANCELLED:
        return "cancelled";
    case LEAT_ERROR_LIMIT:
        return "larger than a limit of the desc";
    case LEAT_ERROR_UNSUPPORTED:
        return "not supported here";
    case LEAT_ERROR_CHANGED:
        return "the file was changed since its folder was listed";
    case LEAT_RESULT_FORCE_32:
        break;
    }
    return "an unknown result";
}

uint32_t leat_version(void)
{
    return LEAT_VERSION;
}

/* What to do about a refusal of the operating system. */
static const char *advice_os(int os_error)
{
    switch (os_error) {
    case EACCES:
    case EPERM:
        return "look at who may read the file and its folders";
    case EMFILE:
    case ENFILE:
        return "raise the limit of open files";
    case ENOMEM:
        return "free memory, or raise what this process may have";
    default:
        return "look at the device and the kernel's log";
    }
}

/* What to do about it. */
static const char *advice(leat_result result, int os_error)
{
    switch (result) {
    case LEAT_ERROR_DAMAGED:
        return "the file was changed or is damaged; run leat verify";
    case LEAT_ERROR_TRUNCATED:
        return "the file was cut short; copy or pack it again";
    case LEAT_ERROR_OS:
        return advice_os(os_error);
    case LEAT_ERROR_CHANGED:
        return "read it again after its RELOADED event, or call leat_pack_swap";
    case LEAT_ERROR_NOT_FOUND:
        return "the file was removed or renamed since its folder was listed";
    case LEAT_ERROR_TOO_SMALL:
        return "bind at least the size that NEEDS_MEMORY named";
    default:
        return "";
    }
}

/* Adds to a text of `used` characters what fits; returns how many there are then. */
static size_t append(char *text, size_t text_size, size_t used, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static size_t append(char *text, size_t text_size, size_t used, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int added = vsnprintf(text + used, text_size - used, format, arguments);
    va_end(arguments);
    return added < 0 ? used : (size_t)u64_min(used + (size_t)added, text_size - 1);
}

static const char *event_name(const leat_event *event)
{
    static const char *const names[] = {
        [LEAT_EVENT_READY] = "ready",         [LEAT_EVENT_FAILED] = "failed",
        [LEAT_EVENT_CANCELLED] = "cancelled", [LEAT_EVENT_NEEDS_MEMORY] = "needs memory",
        [LEAT_EVENT_LATE] = "will be late",   [LEAT_EVENT_BATCH] = "batch ended",
        [LEAT_EVENT_RELOADED] = "reloaded",
    };
    static const char *const changes[] = {
        [LEAT_CHANGE_CHANGED] = "changed", [LEAT_CHANGE_ADDED] = "added", [LEAT_CHANGE_REMOVED] = "removed"
    };
    if ((uint32_t)event->change < COUNT_OF(changes) && changes[event->change] != NULL) {
        return changes[event->change];
    }
    return (uint32_t)event->type < COUNT_OF(names) && names[event->type] != NULL ? names[event->type] : "?";
}

/* What the type of the event tells beside its name: sizes, counts, what could come in time. */
static size_t append_details(const leat_event *event, char *text, size_t text_size, size_t used)
{
    const leat_part *part = &event->part_possible;
    switch (event->type) {
    case LEAT_EVENT_READY:
    case LEAT_EVENT_NEEDS_MEMORY:
        return append(text, text_size, used, ": %llu bytes", (unsigned long long)event->size);
    case LEAT_EVENT_LATE:
        if (part->kind == LEAT_PART_ALL) {
            return append(text, text_size, used, ": no part of it can come in time");
        }
        return append(text, text_size, used, ": from %s %u on it could come in time",
                      part->kind == LEAT_PART_LODS ? "LOD" : "mip", part->first);
    case LEAT_EVENT_BATCH:
        return append(text, text_size, used, ": %u of %u requests failed", event->failed_count, event->count);
    case LEAT_EVENT_FAILED:
    case LEAT_EVENT_CANCELLED:
    case LEAT_EVENT_RELOADED:
        break;
    }
    return used;
}

static void append_cause(const leat_event *event, char *text, size_t text_size, size_t used)
{
    if (event->result == LEAT_OK || event->type == LEAT_EVENT_CANCELLED) {
        return; /* the name has said it */
    }
    if (event->chunk != UINT32_MAX) {
        used = append(text, text_size, used, ": chunk %u (offset 0x%llx)", event->chunk,
                      (unsigned long long)event->file_offset);
    }
    used = append(text, text_size, used, ": %s", leat_result_text(event->result));
    if (event->os_error != 0) {
        used = append(text, text_size, used, ": %s", strerror(event->os_error));
    }
    const char *what_to_do = advice(event->result, event->os_error);
    if (what_to_do[0] != '\0') {
        append(text, text_size, used, "; %s", what_to_do);
    }
}

const char *leat_event_text(const leat_streamer *s, const leat_event *event, char *text, size_t text_size)
{
    if (text_size == 0) {
        return "";
    }
    pack_slot *slot = event->change == LEAT_CHANGE_REMOVED ? pack_acquire_version(s, event->asset)
                                                           : pack_acquire(s, event->asset.pack);
    uint32_t position = 0;
    size_t used = 0;
    if (slot != NULL && asset_locate(slot, event->asset, &position) == LEAT_OK) {
        const leat_pack_asset_record *record = &slot->index.assets[position];
        used = append(text, text_size, used, "%s: %.*s: ", slot->path, (int)record->name_size,
                      slot->index.names + record->name_offset);
    }
    used = append(text, text_size, used, "%s", event_name(event));
    used = append_details(event, text, text_size, used);
    append_cause(event, text, text_size, used);
    if (slot != NULL) {
        pack_release((leat_streamer *)s, slot);
    }
    return text;
}
