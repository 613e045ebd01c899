/* test_rules.c - leat.rules: which lines are understood, what is said about those that are not, which paths a pattern
 * means, who has the last word; and any bytes at all. */
#include "unit.h"

#include "rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parses a text as the file at path. */
static void read_text(rules *r, const char *path, const char *text, import_result *messages)
{
    rules_parse(r, path, (const uint8_t *)text, strlen(text), messages);
}

static bool matches(const char *pattern, const char *path)
{
    rules r = { 0 };
    import_result messages = { 0 };
    rules_answer answer;
    char line[8192];
    snprintf(line, sizeof(line), "%s mips=3", pattern);
    read_text(&r, "src/leat.rules", line, &messages);
    assert_false(r.bad);
    assert_int_equal(rules_count(&r), 1);
    assert_true(rules_find(&r, path, &answer));
    assert_int_equal(r.files[0].rules[0].matched, answer.settings.mip_count_max == 3);
    rules_free(&r);
    import_result_free(&messages);
    return answer.settings.mip_count_max == 3;
}

static void patterns_mean_paths(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path;
        bool same;
    } cases[] = {
        { "*.png", "src/a.png", true },
        { "*.png", "src/deep/er/a.PNG", true },
        { "*.png", "other/a.png", false },
        { "*.png", "src2/a.png", false },
        { "a.png", "src/a.png/b.tga", false }, /* a folder is not meant without a slash */
        { "/a.png", "src/a.png", true },
        { "/a.png", "src/ui/a.png", false },
        { "ui/*.png", "src/ui/a.png", true },
        { "ui/*.png", "src/ui/deep/a.png", false },
        { "ui/*.png", "src/x/ui/a.png", false },
        { "**/ui/*.png", "src/x/y/ui/a.png", true },
        { "**/ui/*.png", "src/ui/a.png", true },
        { "ui/**", "src/ui/x/y/a.png", true },
        { "ui/**", "src/ui", false },
        { "ui/**/a.png", "src/ui/a.png", true },
        { "ui/**/a.png", "src/ui/x/y/a.png", true },
        { "ui/**/x/a.png", "src/ui/x/y/x/a.png", true },
        { "ui/**/x/a.png", "src/ui/x/y/a.png", false },
        { "**", "src/x/a.png", true },
        { "rock_[0-9].png", "src/rock_7.png", true },
        { "rock_[!0-9].png", "src/rock_7.png", false },
        { "[]x].png", "src/].png", true },
        { "\"Old wall_?.png\"", "src/a/old wall_n.png", true },
        { "box.glb#*", "src/props/box.glb#image0.png", true },
        { "gr\xc3\xbcn.png", "src/gr\xc3\xbcn.png", true },
    };
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
        if (matches(cases[i].pattern, cases[i].path) != cases[i].same) {
            fail_msg("%s, %s", cases[i].pattern, cases[i].path);
        }
    }
}

/* Exponential, if each `**` were tried with each other: this would not end. */
static void many_wildcards_cost_little(void **state)
{
    (void)state;
    char pattern[4096] = "", path[8192] = "src";
    for (uint32_t i = 0; i < 800; ++i) {
        strcat(pattern, i % 2 == 0 ? "**/" : "*a*/");
        strcat(path, "/aaaa");
    }
    strcat(pattern, "b");
    assert_false(matches(pattern, path));
    memset(pattern, 0, sizeof(pattern));
    for (uint32_t i = 0; i < 1000; ++i) {
        strcat(pattern, "*a");
    }
    strcat(pattern, "b");
    memset(path, 0, sizeof(path));
    memcpy(path, "src/", 4);
    memset(path + 4, 'a', 3000);
    assert_false(matches(pattern, path));
}

static void the_last_line_counts_for_each_key_and_inner_files_more(void **state)
{
    (void)state;
    rules r = { 0 };
    import_result messages = { 0 };
    rules_answer answer;
    read_text(&r, "src/a/leat.rules", "x.png use=normal\n", &messages); /* read first: counts last all the same */
    read_text(&r, "src/leat.rules",
              "\xef\xbb\xbf# as some editor writes it\r\n"
              "*.png use=color\ttexture-format=rgba8 mips=1\r\n"
              "\r\n"
              "  x.*   use=data mips=2 mips=4\r\n"
              "y.png use=mask\r\n"
              "y.png use=auto\n"
              "none.png use=mask",
              &messages);
    read_text(&r, "leat.rules", "x.png texture-format=bc use=mask\n", &messages);
    read_text(&r, "leat.rules", "x.png texture-format=bc use=mask\n", &messages); /* met twice: once */
    assert_false(r.bad);
    assert_int_equal(rules_count(&r), 7);
    assert_true(rules_find(&r, "src/a/x.png", &answer));
    assert_int_equal(answer.settings.usage, TEXTURE_USAGE_NORMAL);
    assert_int_equal(answer.settings.format, TEXTURE_FORMAT_RGBA8);
    assert_int_equal(answer.settings.mip_count_max, 4);
    char text[256];
    rules_describe(&answer, TEXTURE_USAGE_COLOR, TEXTURE_USAGE_MASK, text, sizeof(text));
    assert_string_equal(text, "use=normal (src/a/leat.rules:1), texture-format=rgba8 (src/leat.rules:2), mips=4 "
                              "(src/leat.rules:4)");
    assert_true(rules_find(&r, "src/b/x.png", &answer));
    assert_int_equal(answer.settings.usage, TEXTURE_USAGE_DATA);
    assert_true(rules_find(&r, "src/y.png", &answer));
    assert_int_equal(answer.settings.usage, TEXTURE_USAGE_UNKNOWN);
    assert_true(rules_find(&r, "x.png", &answer));
    assert_int_equal(answer.settings.usage, TEXTURE_USAGE_MASK);
    assert_true(rules_find(&r, "/x.png", &answer)); /* not below the current folder */
    assert_int_equal(answer.settings.usage, TEXTURE_USAGE_UNKNOWN);
    rules_describe(&answer, TEXTURE_USAGE_UNKNOWN, TEXTURE_USAGE_UNKNOWN, text, sizeof(text));
    assert_string_equal(text, "");
    assert_int_equal(messages.message_count, 0);
    rules_check_matched(&r, &messages); /* nobody has said that these folders are packed whole */
    assert_int_equal(messages.message_count, 0);
    r.files[1].whole = true;
    rules_check_matched(&r, &messages);
    assert_int_equal(messages.message_count, 1);
    assert_int_equal(messages.messages[0].level, IMPORT_WARNING);
    assert_string_equal(messages.messages[0].text, "src/leat.rules:7: this rule matches no texture");
    rules_free(&r);
    import_result_free(&messages);
}

static void wrong_lines_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } cases[] = {
        { "a.png", "KEY=VALUE is missing" },
        { "a.png use", "not KEY=VALUE" },
        { "Old wall.png use=color", "goes into quotes): wall.png" },
        { "a.png use=colour", "use takes auto, color, normal, data or mask, not colour" },
        { "a.png use=", "use takes" },
        { "a.png Use=color", "no key of that name (use, texture-format and mips are): Use" },
        { "a.png use=color srgb=no", "no key of that name (use, texture-format and mips are): srgb" },
        { "a.png texture-format=bc7", "texture-format takes auto, bc or rgba8, not bc7" },
        { "a.png mips=0", "mips takes all, or a number from 1 to 15, not 0" },
        { "a.png \"use=color\"", "no key of that name" },
        { "\"a.png use=color", "a quote that does not end" },
        { "\"a\".png use=color", "a quote that does not end, or with something right behind it" },
        { "\"\" use=color", "nothing before, between or behind slashes" },
        { "/ use=color", "nothing before, between or behind slashes" },
        { "ui/ use=color", "FOLDER/**" },
        { "ui//a use=color", "nothing before" },
        { "../a use=color", "rules reach their own folder" },
        { "ui/./a use=color", "rules reach their own folder" },
        { "ui\\a use=color", "folders are separated by /" },
        { "[ab use=color", "a [ without its ]" },
        { "[!] use=color", "a [ without its ]" },
        { "[ use=color", "a [ without its ]" },
        { "a\x1b[31m use=color", "a control character" },
        { "a use=color\x7f", "a control character" },
    };
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
        rules r = { 0 };
        import_result messages = { 0 };
        char text[256];
        snprintf(text, sizeof(text), "# one\n%s\nb.png mips=1", cases[i].line);
        read_text(&r, "src/leat.rules", text, &messages);
        if (!r.bad || messages.message_count != 1 || strstr(messages.messages[0].text, cases[i].why) == NULL) {
            fail_msg("%s: %s", cases[i].line, messages.message_count > 0 ? messages.messages[0].text : "nothing said");
        }
        assert_int_equal(messages.messages[0].level, IMPORT_ERROR);
        assert_memory_equal(messages.messages[0].text, "src/leat.rules:2: ", 18);
        assert_int_equal(rules_count(&r), 1);
        rules_free(&r);
        import_result_free(&messages);
    }
}

static void more_than_there_may_be_is_refused(void **state)
{
    (void)state;
    enum { LINES = 5000, PATTERN = 5000 };
    rules r = { 0 };
    import_result messages = { 0 };
    char *text = calloc(LINES, 16);
    for (uint32_t i = 0; i < LINES; ++i) {
        memcpy(text + (size_t)i * 9, "a mips=1\n", 9);
    }
    read_text(&r, "src/leat.rules", text, &messages);
    assert_true(r.bad);
    assert_int_equal(rules_count(&r), 4096);
    assert_int_equal(messages.message_count, 9);
    assert_string_equal(messages.messages[0].text, "src/leat.rules:4097: more than 4096 rules in one file");
    assert_string_equal(messages.messages[8].text, "src/leat.rules: 896 more lines are wrong");
    rules_free(&r);
    import_result_free(&messages);
    memset(text, 'a', PATTERN);
    strcpy(text + PATTERN, " mips=1");
    read_text(&r, "src/leat.rules", text, &messages);
    assert_int_equal(rules_count(&r), 0);
    assert_string_equal(messages.messages[0].text, "src/leat.rules:1: the pattern is longer than 4095 bytes");
    rules_free(&r);
    import_result_free(&messages);
    free(text);
}

/* A zero is a control character, not the end. Then pieces of good lines in any order, and any bytes between them. */
static void any_bytes_are_rules_or_refused_in_words(void **state)
{
    (void)state;
    static const char *const pieces[] = { "a", "*", "**", "/",  "[",   "]", "!",     "\"",   " ",       "\t",
                                          "=", "#", "\n", "\r", "use", "=", "color", "mips", "mips=15", " use=auto\n" };
    import_result messages = { 0 };
    rules zero = { 0 };
    rules_parse(&zero, "leat.rules", (const uint8_t *)"a mips=1\0\n", 10, &messages);
    assert_true(zero.bad);
    rules_free(&zero);
    import_result_free(&messages);
    uint64_t random = 7;
    uint32_t good = 0, bad = 0;
    for (uint32_t round = 0; round < 20000; ++round) {
        char text[256];
        size_t size = 0;
        for (size_t count = unit_below(&random, 30); count > 0; --count) {
            const char *piece = pieces[unit_below(&random, sizeof(pieces) / sizeof(pieces[0]))];
            memcpy(text + size, piece, strlen(piece));
            size += strlen(piece);
        }
        text[size] = (char)unit_random(&random);
        size += unit_below(&random, 8) == 0;
        uint8_t *exact = malloc(size + (size == 0)); /* its own block, so that a read past it is seen */
        memcpy(exact, text, size);
        rules r = { 0 };
        rules_answer answer;
        rules_parse(&r, "leat.rules", exact, size, &messages);
        assert_int_equal(r.bad, messages.message_count > 0);
        assert_true(rules_find(&r, "a/aa/a", &answer));
        assert_in_range(answer.settings.usage, 0, TEXTURE_USAGE_MASK);
        assert_in_range(answer.settings.mip_count_max, 0, 15);
        good += rules_count(&r) > 0;
        bad += r.bad;
        rules_free(&r);
        import_result_free(&messages);
        free(exact);
    }
    assert_in_range(good, 10, 20000);
    assert_in_range(bad, 10, 20000);
}

/* DDS and HDR files keep their format: one warning for each rule and key, however many textures there are. */
static void what_is_asked_in_vain_is_said_once(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        uint32_t format, width;
        bool heeded;
    } cases[] = {
        { "use=color", LEAT_FORMAT_BC7_SRGB, 8, true },
        { "use=color", LEAT_FORMAT_BC7_UNORM, 8, false },
        { "use=color", LEAT_FORMAT_RGBA16_FLOAT, 8, true }, /* linear, as HDR is */
        { "use=data", LEAT_FORMAT_BC1_SRGB, 8, false },
        { "use=data", LEAT_FORMAT_BC1_UNORM, 8, true },
        { "use=normal", LEAT_FORMAT_BC3_SRGB, 8, false },
        { "use=normal", LEAT_FORMAT_BC5_SNORM, 8, true },
        { "use=mask", LEAT_FORMAT_BC4_UNORM, 8, true },
        { "use=mask", LEAT_FORMAT_BC1_UNORM, 8, false },
        { "use=mask", LEAT_FORMAT_RGBA16_FLOAT, 8, false },
        { "use=auto", LEAT_FORMAT_RGBA16_FLOAT, 8, true },
        { "texture-format=bc", LEAT_FORMAT_BC6H_UFLOAT, 8, true },
        { "texture-format=bc", LEAT_FORMAT_R8_UNORM, 8, false },
        { "texture-format=bc", LEAT_FORMAT_RGBA8_SRGB, 8, false },
        { "texture-format=bc", LEAT_FORMAT_RGBA8_SRGB, 3, true }, /* too small for blocks, which is said elsewhere */
        { "texture-format=rgba8", LEAT_FORMAT_RGBA8_UNORM, 8, true },
        { "texture-format=rgba8", LEAT_FORMAT_RGBA16_FLOAT, 8, false },
        { "texture-format=rgba8", LEAT_FORMAT_BC1_SRGB, 8, false },
        { "mips=1", LEAT_FORMAT_BC1_SRGB, 8, true },
    };
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
        rules r = { 0 };
        import_result messages = { 0 };
        rules_answer answer;
        leat_pack_texture_metadata made = { .width = cases[i].width, .height = 8, .format = cases[i].format };
        char text[64], wanted[256];
        snprintf(text, sizeof(text), "\n* %s\n", cases[i].rule);
        read_text(&r, "src/leat.rules", text, &messages);
        assert_true(rules_find(&r, "src/a.dds", &answer));
        rules_note_made(&answer, "a.dds", &made);
        rules_note_made(&answer, "b.dds", &made);
        rules_check_heeded(&r, &messages);
        snprintf(wanted, sizeof(wanted), "src/leat.rules:2: %s does nothing for a.dds (%s) and 1 more: ", cases[i].rule,
                 leat_format_text((leat_format)cases[i].format));
        if (messages.message_count != !cases[i].heeded ||
            (!cases[i].heeded && strncmp(messages.messages[0].text, wanted, strlen(wanted)) != 0)) {
            fail_msg("%s, %s: %s", cases[i].rule, leat_format_text((leat_format)cases[i].format),
                     messages.message_count > 0 ? messages.messages[0].text : "nothing said");
        }
        rules_free(&r);
        import_result_free(&messages);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_mean_paths),
        cmocka_unit_test(many_wildcards_cost_little),
        cmocka_unit_test(the_last_line_counts_for_each_key_and_inner_files_more),
        cmocka_unit_test(wrong_lines_are_named),
        cmocka_unit_test(more_than_there_may_be_is_refused),
        cmocka_unit_test(any_bytes_are_rules_or_refused_in_words),
        cmocka_unit_test(what_is_asked_in_vain_is_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
