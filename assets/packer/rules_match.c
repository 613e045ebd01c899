/* rules_match.c - which rules hold for a texture. See rules.h, and rules.c for what a line says.
 *
 * Patterns match without regard to case, as the packer's other guesses by name do; `**` stands for any number of
 * folders, all other parts are fnmatch()'s. A pattern costs at most the product of its parts and the path's: what does
 * not match goes back to the last `**` only. */
#include "rules.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

static const char *part_next(const char *part)
{
    return part + strlen(part) + 1;
}

/* Parts of a pattern against parts of a path. */
static bool parts_match(const char *pattern, uint32_t pattern_count, const char *path, uint32_t path_count)
{
    const char *pattern_again = NULL, *path_again = NULL; /* behind the last `**`, which takes one part more */
    uint32_t pattern_count_again = 0, path_count_again = 0;
    while (path_count > 0) {
        if (pattern_count > 0 && strcmp(pattern, "**") == 0) {
            pattern = part_next(pattern);
            pattern_again = pattern;
            pattern_count_again = --pattern_count;
            path_again = path;
            path_count_again = path_count;
            if (pattern_count == 0) {
                return true;
            }
        } else if (pattern_count > 0 && fnmatch(pattern, path, FNM_CASEFOLD) == 0) {
            pattern = part_next(pattern);
            --pattern_count;
            path = part_next(path);
            --path_count;
        } else if (pattern_again != NULL) {
            pattern = pattern_again;
            pattern_count = pattern_count_again;
            path = path_again = part_next(path_again);
            path_count = --path_count_again;
        } else {
            return false;
        }
    }
    return pattern_count == 0;
}

/* All rules of a file, on the parts of a path below its folder. */
static void file_apply(rules_file *f, const char *parts, uint32_t part_count, rules_answer *answer)
{
    const char *last = parts;
    for (uint32_t i = 1; i < part_count; ++i) {
        last = part_next(last);
    }
    for (uint32_t i = 0; i < f->rule_count; ++i) {
        rule *r = &f->rules[i];
        if (r->anchored ? !parts_match(r->parts, r->part_count, parts, part_count)
                        : fnmatch(r->parts, last, FNM_CASEFOLD) != 0) {
            continue;
        }
        r->matched = true;
        for (uint32_t key = 0; key < RULE_KEY_COUNT; ++key) {
            answer->by[key] = r->said[key] ? r : answer->by[key];
        }
    }
}

bool rules_find(rules *r, const char *path, rules_answer *answer)
{
    *answer = (rules_answer){ 0 };
    char *parts = r->file_count > 0 ? strdup(path) : NULL;
    if (parts == NULL) {
        return r->file_count == 0;
    }
    for (char *slash = parts; (slash = strchr(slash, '/')) != NULL; ++slash) {
        *slash = '\0';
    }
    size_t size = strlen(path);
    for (uint32_t i = 0; i < r->file_count; ++i) {
        rules_file *f = &r->files[i];
        bool outside = f->folder_size == 0 && (path[0] == '/' || strncmp(path, "../", 3) == 0); /* of where we are */
        if (outside || strncmp(path, f->path, f->folder_size) != 0) {
            continue;
        }
        uint32_t part_count = 1;
        for (size_t at = f->folder_size; at < size; ++at) {
            part_count += parts[at] == '\0';
        }
        file_apply(f, parts + f->folder_size, part_count, answer);
    }
    free(parts);
    uint32_t values[RULE_KEY_COUNT] = { 0 };
    for (uint32_t key = 0; key < RULE_KEY_COUNT; ++key) {
        values[key] = answer->by[key] != NULL ? answer->by[key]->values[key] : 0;
    }
    answer->settings = (texture_settings){ .usage = (texture_usage)values[RULE_USE],
                                           .format = (texture_format)values[RULE_TEXTURE_FORMAT],
                                           .mip_count_max = values[RULE_MIPS] };
    return true;
}
