/* rules.c - see rules.h.
 *
 * A line is PATTERN KEY=VALUE..., in the manner of .gitattributes: it holds for its folder and those below; of all
 * lines that match (rules_match.c), for each key the last one counts, and files further in come after those further
 * out. What is not understood is an error: a rule that does nothing would be found out weeks later.
 *
 * Limits: a file has at most 1 MiB and 4,096 rules; a pattern 4,095 bytes. */
#include "rules.h"
#include "file_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (1u << 20)
#define RULES_PER_FILE_MAX 4096u
#define PATTERN_SIZE_MAX 4095u
#define PROBLEMS_TOLD_MAX 8u /* of a file; the rest is counted */
#define BLANKS " \t"

/* The position of a word is its value; the first one is what holds without a rule. */
static const char *const use_words[] = { "auto", "color", "normal", "data", "mask", NULL };
static const char *const mips_words[] = { "all", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                          "9",   "10", "11", "12", "13", "14", "15", NULL };
_Static_assert(TEXTURE_USAGE_MASK == 4, "use_words are in the order of texture_usage");

static const struct {
    const char *name;
    const char *const *words;
    const char *takes;
} keys[RULE_KEY_COUNT] = {
    [RULE_USE] = { "use", use_words, "auto, color, normal, data or mask" },
    [RULE_TEXTURE_FORMAT] = { "texture-format", texture_format_words, "auto, bc or rgba8" },
    [RULE_MIPS] = { "mips", mips_words, "all, or a number from 1 to 15" },
};

/* ---- Parsing ---- */

typedef struct parser {
    rules *rules;
    rules_file *file;
    import_result *messages;
    uint32_t line, problem_count;
} parser;

/* Always false. */
static bool problem(parser *p, const char *what, const char *detail)
{
    p->rules->bad = true;
    if (++p->problem_count <= PROBLEMS_TOLD_MAX) {
        import_add_message(p->messages, IMPORT_ERROR, "%s:%u: %s%.200s", p->file->path, p->line, what, detail);
    }
    return false;
}

/* Takes what ends at a blank, or where it begins with a quote, at the next one. NULL: that is missing. */
static char *token_take(char **at)
{
    char *begin = *at + strspn(*at, BLANKS), *end;
    if (*begin == '"') {
        end = strchr(++begin, '"');
        if (end == NULL || (end[1] != '\0' && strchr(BLANKS, end[1]) == NULL)) {
            return NULL;
        }
    } else {
        end = begin + strcspn(begin, BLANKS);
    }
    *at = end + (*end != '\0');
    *end = '\0';
    return begin;
}

/* NULL: it is well. */
static const char *part_problem(const char *part)
{
    if (part[0] == '\0') {
        return "has nothing before, between or behind slashes; all below a folder is FOLDER/**";
    }
    if (strcmp(part, ".") == 0 || strcmp(part, "..") == 0) {
        return "has a . or .. in it; rules reach their own folder and those below";
    }
    for (const char *at = part; (at = strchr(at, '[')) != NULL; ++at) {
        at += at[1] == '!' || at[1] == '^';
        at = strchr(at + 1 + (at[1] != '\0'), ']'); /* a ] at once is one of the characters */
        if (at == NULL) {
            return "has a [ without its ]";
        }
    }
    return NULL;
}

/* Cuts it into parts, in place. */
static bool pattern_take(parser *p, char *pattern, rule *r)
{
    if (strlen(pattern) > PATTERN_SIZE_MAX) {
        return problem(p, "the pattern is longer than 4095 bytes", "");
    }
    if (strchr(pattern, '\\') != NULL) {
        return problem(p, "a backslash in the pattern; folders are separated by /: ", pattern);
    }
    r->anchored = strchr(pattern, '/') != NULL;
    pattern += pattern[0] == '/';
    r->parts = strdup(pattern);
    if (r->parts == NULL) {
        return problem(p, "out of memory", "");
    }
    r->part_count = 1;
    for (char *slash = r->parts; (slash = strchr(slash, '/')) != NULL; ++slash) {
        *slash = '\0';
        ++r->part_count;
    }
    const char *part = r->parts;
    for (uint32_t i = 0; i < r->part_count; ++i, part += strlen(part) + 1) {
        const char *why = part_problem(part);
        if (why != NULL) {
            return problem(p, "the pattern ", why);
        }
    }
    return true;
}

static bool setting_take(parser *p, char *setting, rule *r)
{
    char *equals = strchr(setting, '=');
    if (equals == NULL) {
        return problem(p, "not KEY=VALUE (a pattern with blanks goes into quotes): ", setting);
    }
    *equals = '\0';
    for (uint32_t key = 0; key < RULE_KEY_COUNT; ++key) {
        if (strcmp(setting, keys[key].name) != 0) {
            continue;
        }
        for (uint32_t value = 0; keys[key].words[value] != NULL; ++value) {
            if (strcmp(equals + 1, keys[key].words[value]) == 0) {
                r->said[key] = true;
                r->values[key] = value;
                return true;
            }
        }
        char what[96];
        snprintf(what, sizeof(what), "%s takes %s, not ", keys[key].name, keys[key].takes);
        return problem(p, what, equals + 1);
    }
    return problem(p, "there is no key of that name (use, texture-format and mips are): ", setting);
}

static bool line_take(parser *p, char *line, rule *r)
{
    line += strspn(line, BLANKS);
    for (const char *at = line; *at != '\0'; ++at) {
        if (((unsigned char)*at < ' ' && *at != '\t') || *at == 0x7f) {
            return problem(p, "a control character; this is a text of lines PATTERN KEY=VALUE...", "");
        }
    }
    char *pattern = token_take(&line);
    if (pattern == NULL) {
        return problem(p, "a quote that does not end, or with something right behind it", "");
    }
    if (!pattern_take(p, pattern, r)) {
        return false;
    }
    line += strspn(line, BLANKS);
    if (*line == '\0') {
        return problem(p, "says nothing about its pattern; KEY=VALUE is missing", "");
    }
    while (*line != '\0') {
        char *setting = *line == '"' ? line : token_take(&line);
        if (!setting_take(p, setting, r)) {
            return false;
        }
        line += strspn(line, BLANKS);
    }
    return true;
}

/* The rule on a line, if there is one, into the file. */
static bool rule_add(parser *p, char *line)
{
    const char *first = line + strspn(line, BLANKS);
    if (*first == '\0' || *first == '#') {
        return true;
    }
    rules_file *f = p->file;
    if (f->rule_count == RULES_PER_FILE_MAX) {
        return problem(p, "more than 4096 rules in one file", "");
    }
    rule r = { .path = f->path, .line = p->line };
    if (!line_take(p, line, &r)) {
        free(r.parts);
        return false;
    }
    if ((f->rule_count & (f->rule_count - 1)) == 0) {
        rule *grown = realloc(f->rules, (f->rule_count == 0 ? 1 : (size_t)f->rule_count * 2) * sizeof(*grown));
        if (grown == NULL) {
            free(r.parts);
            return problem(p, "out of memory", "");
        }
        f->rules = grown;
    }
    f->rules[f->rule_count++] = r;
    return true;
}

/* The file of that path, new or not; between its neighbours. NULL: out of memory. */
static rules_file *file_find(rules *r, const char *path, bool *is_new)
{
    const char *slash = strrchr(path, '/');
    size_t folder_size = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    uint32_t at = r->file_count;
    for (; at > 0; --at) {
        const rules_file *before = &r->files[at - 1];
        int order = strncmp(before->path, path, before->folder_size < folder_size ? before->folder_size : folder_size);
        if (order < 0 || (order == 0 && before->folder_size <= folder_size)) {
            break;
        }
    }
    *is_new = at == 0 || strcmp(r->files[at - 1].path, path) != 0;
    if (!*is_new) {
        return &r->files[at - 1];
    }
    rules_file *grown = realloc(r->files, ((size_t)r->file_count + 1) * sizeof(*grown));
    r->files = grown != NULL ? grown : r->files;
    char *copy = grown != NULL ? strdup(path) : NULL;
    if (copy == NULL) {
        return NULL;
    }
    memmove(&grown[at + 1], &grown[at], (r->file_count++ - at) * sizeof(*grown));
    grown[at] = (rules_file){ .path = copy, .folder_size = folder_size };
    return &grown[at];
}

void rules_parse(rules *r, const char *path, const uint8_t *bytes, size_t size, import_result *messages)
{
    static const uint8_t mark[3] = { 0xef, 0xbb, 0xbf }; /* that some editors put before UTF-8 */
    bool is_new;
    parser p = { .rules = r, .file = file_find(r, path, &is_new), .messages = messages };
    char *text = malloc(size + 1);
    if (p.file == NULL || text == NULL || !is_new) {
        r->bad |= is_new;
        free(text);
        return;
    }
    size_t skipped = size >= sizeof(mark) && memcmp(bytes, mark, sizeof(mark)) == 0 ? sizeof(mark) : 0;
    memcpy(text, bytes, size);
    text[size] = '\0';
    for (char *line = text + skipped, *end = text + size; line < end;) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop != NULL ? stop : end;
        for (char *zero = line; (zero = memchr(zero, '\0', (size_t)(stop - zero))) != NULL;) {
            *zero = '\1'; /* a control character like others */
        }
        *stop = '\0';
        if (stop > line && stop[-1] == '\r') {
            stop[-1] = '\0';
        }
        ++p.line;
        rule_add(&p, line);
        line = stop + 1;
    }
    free(text);
    if (p.problem_count > PROBLEMS_TOLD_MAX) {
        import_add_message(messages, IMPORT_ERROR, "%s: %u more lines are wrong", path,
                           p.problem_count - PROBLEMS_TOLD_MAX);
    }
}

void rules_read(rules *r, const char *path, bool whole, import_result *messages)
{
    uint64_t size = 0;
    uint8_t *bytes = file_read(path, FILE_BYTES_MAX, &size, NULL, messages);
    if (bytes == NULL) {
        r->bad = true;
        return;
    }
    bool is_new;
    rules_parse(r, path, bytes, size, messages);
    rules_file *f = file_find(r, path, &is_new);
    if (f != NULL) {
        f->whole |= whole;
    }
    free(bytes);
}

/* ---- Telling ---- */

void rules_check_matched(const rules *r, import_result *messages)
{
    for (uint32_t i = 0; i < r->file_count; ++i) {
        const rules_file *f = &r->files[i];
        for (uint32_t k = 0; k < f->rule_count && f->whole; ++k) {
            if (!f->rules[k].matched) {
                import_add_message(messages, IMPORT_WARNING, "%s:%u: this rule matches no texture", f->path,
                                   f->rules[k].line);
            }
        }
    }
}

static bool is_srgb(uint32_t format)
{
    return format == LEAT_FORMAT_RGBA8_SRGB || format == LEAT_FORMAT_BC1_SRGB || format == LEAT_FORMAT_BC2_SRGB ||
           format == LEAT_FORMAT_BC3_SRGB || format == LEAT_FORMAT_BC7_SRGB;
}

static bool is_hdr(uint32_t format)
{
    return format == LEAT_FORMAT_RGBA16_FLOAT || format == LEAT_FORMAT_BC6H_UFLOAT || format == LEAT_FORMAT_BC6H_SFLOAT;
}

static bool is_rgba8(uint32_t format)
{
    return format == LEAT_FORMAT_RGBA8_UNORM || format == LEAT_FORMAT_RGBA8_SRGB;
}

static bool use_heeded(texture_usage usage, uint32_t format)
{
    switch (usage) {
    case TEXTURE_USAGE_COLOR:
        return is_srgb(format) || is_hdr(format);
    case TEXTURE_USAGE_MASK: /* RGBA8 where that is asked for, or the texture is small */
        return format == LEAT_FORMAT_R8_UNORM || format == LEAT_FORMAT_BC4_UNORM || format == LEAT_FORMAT_BC4_SNORM ||
               format == LEAT_FORMAT_RGBA8_UNORM;
    case TEXTURE_USAGE_NORMAL:
    case TEXTURE_USAGE_DATA:
        return !is_srgb(format);
    default:
        return true;
    }
}

static bool format_heeded(texture_format asked, const leat_pack_texture_metadata *made)
{
    bool blocks = leat_format_block_edge((leat_format)made->format) > 1;
    bool small = is_rgba8(made->format) && (made->width < 4 || made->height < 4); /* none of those has blocks */
    return asked == TEXTURE_FORMAT_RGBA8 ? is_rgba8(made->format) : asked != TEXTURE_FORMAT_BC || blocks || small;
}

void rules_note_made(const rules_answer *answer, const char *name, const leat_pack_texture_metadata *made)
{
    const bool heeded[RULE_KEY_COUNT] = {
        [RULE_USE] = use_heeded(answer->settings.usage, made->format),
        [RULE_TEXTURE_FORMAT] = format_heeded(answer->settings.format, made),
        [RULE_MIPS] = true, /* what a file has more of is left out */
    };
    for (uint32_t key = 0; key < RULE_KEY_COUNT; ++key) {
        if (!heeded[key] && answer->by[key] != NULL) {
            rule_unheeded *u = &answer->by[key]->unheeded[key];
            if (u->count++ == 0) {
                u->first = strdup(name);
                u->first_format = (leat_format)made->format;
            }
        }
    }
}

static void unheeded_tell(const rule *r, rule_key key, import_result *messages)
{
    const rule_unheeded *u = &r->unheeded[key];
    char more[32] = "";
    if (u->count == 0) {
        return;
    }
    if (u->count > 1) {
        snprintf(more, sizeof(more), " and %u more", u->count - 1);
    }
    import_add_message(messages, IMPORT_WARNING,
                       "%s:%u: %s=%s does nothing for %s (%s)%s: DDS and HDR files keep their format", r->path, r->line,
                       keys[key].name, keys[key].words[r->values[key]], u->first != NULL ? u->first : "a texture",
                       leat_format_text(u->first_format), more);
}

void rules_check_heeded(const rules *r, import_result *messages)
{
    for (uint32_t i = 0; i < r->file_count; ++i) {
        for (uint32_t k = 0; k < r->files[i].rule_count; ++k) {
            for (uint32_t key = 0; key < RULE_KEY_COUNT; ++key) {
                unheeded_tell(&r->files[i].rules[k], (rule_key)key, messages);
            }
        }
    }
}

uint32_t rules_count(const rules *r)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->file_count; ++i) {
        count += r->files[i].rule_count;
    }
    return count;
}

void rules_describe(const rules_answer *answer, texture_usage by_material, texture_usage by_name, char *text,
                    size_t size)
{
    text[0] = '\0';
    if (answer->by[RULE_USE] == NULL && (by_material != 0 || by_name != 0)) {
        snprintf(text, size, "use=%s (%s)", use_words[by_material != 0 ? by_material : by_name],
                 by_material != 0 ? "a material" : "a guess by its name");
    }
    for (uint32_t key = 0; key < RULE_KEY_COUNT; ++key) {
        const rule *by = answer->by[key];
        size_t at = strlen(text);
        if (by != NULL) {
            snprintf(text + at, size - at, "%s%s=%s (%s:%u)", at > 0 ? ", " : "", keys[key].name,
                     keys[key].words[by->values[key]], by->path, by->line);
        }
    }
}

void rules_free(rules *r)
{
    for (uint32_t i = 0; i < r->file_count; ++i) {
        for (uint32_t k = 0; k < r->files[i].rule_count; ++k) {
            rule *one = &r->files[i].rules[k];
            free(one->parts);
            for (uint32_t key = 0; key < RULE_KEY_COUNT; ++key) {
                free(one->unheeded[key].first);
            }
        }
        free(r->files[i].rules);
        free(r->files[i].path);
    }
    free(r->files);
    *r = (rules){ 0 };
}
