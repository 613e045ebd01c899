/* alike.c - see alike.h. */
#include "alike.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

uint32_t alike_kind_of(const char *text)
{
    return (uint32_t)XXH3_64bits(text, strlen(text));
}

bool alike_add(alike_list *list, bool failed, uint32_t kind, const char *text)
{
    if (kind == 0 || list->tell_all) {
        return true;
    }
    uint32_t i = 0;
    while (i < list->kind_count && (list->kinds[i].kind != kind || list->kinds[i].failed != failed)) {
        ++i;
    }
    if (i == ALIKE_KINDS_MAX) {
        return true;
    }
    if (i == list->kind_count) {
        list->kinds[list->kind_count++] = (alike_kind){ .kind = kind, .failed = failed, .first = strdup(text) };
    }
    return ++list->kinds[i].count <= ALIKE_TOLD_MAX;
}

void alike_end(alike_list *list)
{
    for (uint32_t i = 0; i < list->kind_count; ++i) {
        const alike_kind *k = &list->kinds[i];
        if (k->count > ALIKE_TOLD_MAX) {
            message_print("%sand %u more like \"%s\"; --verbose lists them",
                          k->failed ? "" : "warning: ", k->count - ALIKE_TOLD_MAX,
                          k->first != NULL ? k->first : "those");
        }
        free(list->kinds[i].first);
    }
    *list = (alike_list){ 0 };
}
