/* import.c - growing and freeing what importers hand over. See import.h.
 *
 * Lists grow by doubling. Everything is malloc'ed, so that importers need no context. */
#include "import.h"
#include "alike.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_SIZE_MAX 2048u
#define MESSAGES_COMPARED 16u

/* Makes room for one more item; lists are full at 0 and at powers of two. */
static bool list_grow(void **items, uint32_t count, size_t item_size)
{
    if (count != 0 && (count & (count - 1)) != 0) {
        return true;
    }
    size_t capacity = count == 0 ? 1 : (size_t)count * 2;
    void *grown = realloc(*items, capacity * item_size);
    if (grown == NULL) {
        return false;
    }
    *items = grown;
    return true;
}

bool import_add_asset(import_result *result, const import_asset *asset)
{
    void *items = result->assets;
    if (!list_grow(&items, result->asset_count, sizeof(*asset))) {
        import_asset lost = *asset;
        import_asset_free(&lost);
        return false;
    }
    result->assets = items;
    result->assets[result->asset_count++] = *asset;
    return true;
}

bool import_add_image(import_result *result, const import_image *image)
{
    void *items = result->images;
    if (!list_grow(&items, result->image_count, sizeof(*image))) {
        free(image->name);
        free(image->bytes);
        return false;
    }
    result->images = items;
    result->images[result->image_count++] = *image;
    return true;
}

bool import_add_usage(import_result *result, const char *name, texture_usage usage)
{
    void *items = result->usages;
    char *copy = strdup(name);
    if (copy == NULL || !list_grow(&items, result->usage_count, sizeof(*result->usages))) {
        free(copy);
        return false;
    }
    result->usages = items;
    result->usages[result->usage_count++] = (import_usage){ .name = copy, .usage = usage };
    return true;
}

void import_add_lookup(import_result *result, lookup_kind kind, const char *text, const uint64_t answer[2])
{
    void *items = result->lookups;
    char *copy = strdup(text);
    if (copy == NULL || !list_grow(&items, result->lookup_count, sizeof(*result->lookups))) {
        free(copy);
        result->lookups_lost = true;
        return;
    }
    result->lookups = items;
    result->lookups[result->lookup_count++] =
        (import_lookup){ .kind = kind, .text = copy, .answer = { answer[0], answer[1] } };
}

/* A model names a texture once for each way in which it uses it: one word about it is enough. */
static bool said_lately(const import_result *result, const char *text)
{
    uint32_t first = result->message_count > MESSAGES_COMPARED ? result->message_count - MESSAGES_COMPARED : 0;
    for (uint32_t i = first; i < result->message_count; ++i) {
        if (strcmp(result->messages[i].text, text) == 0) {
            return true;
        }
    }
    return false;
}

void import_add_message(import_result *result, import_level level, const char *format, ...)
{
    char text[MESSAGE_SIZE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (said_lately(result, text)) {
        return;
    }
    void *items = result->messages;
    char *copy = strdup(text);
    if (copy == NULL || !list_grow(&items, result->message_count, sizeof(*result->messages))) {
        free(copy);
        return;
    }
    result->messages = items;
    result->messages[result->message_count++] =
        (import_message){ .level = level, .text = copy, .kind = alike_kind_of(format) };
}

void import_asset_free(import_asset *asset)
{
    free(asset->name);
    free(asset->raw);
    free(asset->metadata);
    free(asset->references);
    free(asset->cuts);
    *asset = (import_asset){ 0 };
}

void import_result_free(import_result *result)
{
    for (uint32_t i = 0; i < result->asset_count; ++i) {
        import_asset_free(&result->assets[i]);
    }
    for (uint32_t i = 0; i < result->image_count; ++i) {
        free(result->images[i].name);
        free(result->images[i].bytes);
    }
    for (uint32_t i = 0; i < result->usage_count; ++i) {
        free(result->usages[i].name);
    }
    for (uint32_t i = 0; i < result->message_count; ++i) {
        free(result->messages[i].text);
    }
    for (uint32_t i = 0; i < result->lookup_count; ++i) {
        free(result->lookups[i].text);
    }
    free(result->assets);
    free(result->images);
    free(result->usages);
    free(result->messages);
    free(result->lookups);
    *result = (import_result){ 0 };
}
