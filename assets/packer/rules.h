/* rules.h - leat.rules: what a team says about its textures, in files beside them. The syntax is rules.c's alone,
 * and what a pattern matches rules_match.c's. */
#ifndef LEAT_PACKER_RULES_H
#define LEAT_PACKER_RULES_H

#include "texture_import.h"

#define RULES_FILE_NAME "leat.rules"

typedef enum rule_key { RULE_USE = 0, RULE_TEXTURE_FORMAT, RULE_MIPS, RULE_KEY_COUNT } rule_key;

/* Textures that are not what a rule asks for; the first by name and format. */
typedef struct rule_unheeded {
    uint32_t count;
    char *first; /* NULL with a count: there was no memory for it */
    leat_format first_format;
} rule_unheeded;

/* One line. */
typedef struct rule {
    const char *path; /* of its file; for messages */
    uint32_t line;
    char *parts; /* of its pattern, between slashes, with a zero behind each */
    uint32_t part_count;
    bool anchored; /* a slash is in it: it begins at the folder; else the last part of a path is what counts */
    bool matched; /* some texture */
    bool said[RULE_KEY_COUNT];
    uint32_t values[RULE_KEY_COUNT];
    rule_unheeded unheeded[RULE_KEY_COUNT];
} rule;

typedef struct rules_file {
    char *path;
    size_t folder_size; /* of the path: its folder, with the slash behind it */
    bool whole; /* all of its folder is packed, so that a rule should match something */
    rule *rules;
    uint32_t rule_count;
} rules_file;

/* All files of a run. Zeros: none. One thread. */
typedef struct rules {
    rules_file *files; /* sorted by path: outer folders first */
    uint32_t file_count;
    bool bad; /* a file cannot be read or a line is wrong: messages say which */
} rules;

/* What holds for one texture, and which rule has said so (NULL: none). Rules live as long as `rules`. */
typedef struct rules_answer {
    texture_settings settings;
    rule *by[RULE_KEY_COUNT];
} rules_answer;

/* Reads one more file; the same path twice is the same file. What is wrong becomes errors in messages, and sets bad. */
void rules_read(rules *r, const char *path, bool whole, import_result *messages);
/* From bytes: a hostile file is refused in words. */
void rules_parse(rules *r, const char *path, const uint8_t *bytes, size_t size, import_result *messages);
/* path: a texture's, as it was walked to. All files have been read. False: out of memory. */
bool rules_find(rules *r, const char *path, rules_answer *answer);
/* Warns of those that matched nothing, in files whose folders are packed as a whole. */
void rules_check_matched(const rules *r, import_result *messages);
/* What has become of a texture for which the answer holds: DDS and HDR files keep their format, whatever is asked. */
void rules_note_made(const rules_answer *answer, const char *name, const leat_pack_texture_metadata *made);
/* Warns of that, once for each rule and key. */
void rules_check_heeded(const rules *r, import_result *messages);
uint32_t rules_count(const rules *r);
/* "use=normal (a/leat.rules:3), mips=1 (leat.rules:1)": who has decided; "" where nobody has said anything. */
void rules_describe(const rules_answer *answer, texture_usage by_material, texture_usage by_name, char *text,
                    size_t size);
void rules_free(rules *r);

#endif
