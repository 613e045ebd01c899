/* cache_command.c - `leat cache`: the size of the cache that `leat pack` uses, and making it smaller. */
#include "cache.h"
#include "commands.h"
#include "output.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef enum cache_verb { VERB_SHOW = 0, VERB_TRIM, VERB_CLEAR, VERB_COUNT } cache_verb;

static cache_verb verb_find(const char *name)
{
    static const char *const names[VERB_COUNT] = { "show", "trim", "clear" };
    cache_verb verb = VERB_SHOW;
    while (verb < VERB_COUNT && strcmp(names[verb], name) != 0) {
        ++verb;
    }
    return verb;
}

static void report(const options *o, const char *folder, cache_size size)
{
    if (!o->json) {
        printf("%s: %llu entries, %s of at most %s\n", folder, (unsigned long long)size.entry_count,
               size_to_text(size.bytes).text, size_to_text(o->cache_limit).text);
        return;
    }
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "folder", folder);
    cJSON_AddNumberToObject(json, "entries", (double)size.entry_count);
    cJSON_AddNumberToObject(json, "size", (double)size.bytes);
    json_print(json);
}

int command_cache(const options *o)
{
    char found[PATH_MAX];
    const char *why = NULL, *folder = o->cache;
    cache_verb verb = verb_find(o->arguments[0]);
    if (verb == VERB_COUNT) {
        message_print("say show, trim or clear, not %s; see `leat cache --help`", o->arguments[0]);
        return EXIT_USAGE;
    }
    if (folder == NULL && cache_folder_default(found, sizeof(found), &why)) {
        folder = found;
    }
    struct stat info;
    if (folder != NULL && stat(folder, &info) != 0 && errno == ENOENT) { /* packing makes it; asking does not */
        report(o, folder, (cache_size){ 0 });
        return EXIT_OK;
    }
    const cache_limits limits = { .bytes = o->cache_limit, .free_bytes_min = CACHE_FREE_DEFAULT };
    cache *c = cache_open(folder, limits);
    const char *problem = NULL;
    if (cache_is_on(c)) {
        static const uint64_t everything = UINT64_MAX;
        report(o, folder, cache_trim(c, verb == VERB_SHOW ? everything : verb == VERB_TRIM ? o->cache_limit : 0));
        problem = cache_problem(c);
    } else {
        problem = cache_problem(c) != NULL ? cache_problem(c)
                  : why != NULL            ? why
                  : folder != NULL         ? "out of memory"
                                           : "LEAT_CACHE=off: there is no cache";
    }
    if (problem != NULL) {
        message_print("%s", problem);
    }
    int result = problem == NULL ? EXIT_OK : EXIT_FAILED;
    cache_close(c);
    return result;
}
