/* options.c - see options.h. One table of long options for all commands; each command names those that it takes. */
#include "options.h"
#include "cache.h"
#include "output.h"
#include "threads.h"

#include <leat/leat.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEVEL_DEFAULT 10
#define LEVEL_MAX 12
#define JOBS_MAX 256
#define COUNT_MAX 1000000
#define COUNT_DEFAULT 10u
#define CACHE_LIMIT_MIN (UINT64_C(1) << 20)

#define EXIT_OF_READERS "Exit: 0; 1 PACK cannot be read; 2 usage."

const char *const texture_format_words[] = { "auto", "bc", "rgba8", NULL };

typedef struct command_text {
    const char *name;
    const char *short_options; /* those that it takes */
    const char *usage;
    const char *help;
} command_text;

static const command_text commands[] = {
    { "pack", "ojltbcNLJsqVh", "leat pack SRC... -o OUT.leat [options]",
      "Packs the textures and models in folders or files. An asset's name is its path below its SRC.\n\n"
      "  -o, --output FILE            the pack to write; it appears whole or not at all\n"
      "  -j, --jobs N                 worker threads (default: one per core that it may use)\n"
      "      --level N                LZ4 HC level, 1 to 12 (default 10; below 10 decodes slower)\n"
      "      --texture-format FORMAT  auto (= bc), bc or rgba8\n"
      "      --blobs EXTENSIONS       files that end so go in as they are, as in --blobs ogg,lua (default: none)\n"
      "      --cache FOLDER           where encoded assets are kept for the next time (default: $LEAT_CACHE, else\n"
      "                               $XDG_CACHE_HOME/leat, else ~/.cache/leat; see `leat cache --help`)\n"
      "      --cache-limit SIZE       its size on disk, as in 500M or 20G (default 5G); the longest unused goes first\n"
      "      --no-cache               neither use nor fill it; so does LEAT_CACHE=off\n"
      "      --json                   print the summary as JSON on standard output\n"
      "      --strict                 any failure stops: nothing is written\n"
      "      --verbose                each texture's format, and what has decided it; all of many alike messages\n"
      "      --quiet                  no progress\n\n"
      "A file leat.rules in a folder of sources says how textures in it and below are packed, as in\n"
      "  ui/**    use=color texture-format=rgba8 mips=1\n"
      "  *_mask.* use=mask\n"
      "use: auto, color, normal, data, mask; mips: all, 1 to 15. The last line that matches counts, for each key.\n\n"
      "Exit: 0 all packed; 1 failed, nothing written; 2 usage; 3 written, but some sources failed." },
    { "list", "Jh", "leat list PACK [--json]",
      "Lists the assets of a pack by name: type, size unpacked in bytes, format, name.\n\n"
      "      --json                   an array of objects: name, type, raw_size, description; of textures also "
      "format,\n"
      "                               width, height, layers, mips; of meshes triangles, lods\n\n" EXIT_OF_READERS },
    { "info", "Jh", "leat info PACK [--json]",
      "Says what a pack holds, how well it packs, and how much is padding.\n\n"
      "      --json                   the same as JSON; sizes in bytes\n\n" EXIT_OF_READERS },
    { "verify", "Jqh", "leat verify PACK [--json]",
      "Checks the index and every chunk. Names each bad chunk with its offset and the assets in it.\n\n"
      "      --json                   an object: chunks (how many), bad (those that are)\n"
      "      --quiet                  no progress, and nothing if all is well\n\n"
      "Exit: 0 all is well; 1 a chunk is bad, or PACK cannot be read; 2 usage." },
    { "extract", "ojdGfJVqh", "leat extract PACK [NAME...] -o DIR [--dds] [--gltf] [--force] [--json]",
      "Writes assets as files below DIR: textures as PNG (HDR as .hdr; --dds: as DDS), models as OBJ, others as they\n"
      "are. Without a NAME: all assets. Files that are there already are kept and named, and the rest is written.\n\n"
      "  -o, --output DIR             made if it is not there\n"
      "  -f, --force                  replace files that are there already\n"
      "      --dds                    textures as DDS, with all mips, unchanged\n"
      "      --gltf                   models as glTF, with a .bin beside it\n"
      "  -j, --jobs N                 worker threads (default: one per core that it may use)\n"
      "      --json                   an object: output, files (written), failed, skipped (without a file form), "
      "failures\n"
      "      --verbose                all of many alike messages\n"
      "      --quiet                  no progress and no summary\n\n"
      "Exit: 0 all written; 1 something failed; 2 usage." },
    { "diff", "olJqh", "leat diff OLD NEW [-o PATCH] [--json]",
      "Lists the assets that NEW adds to the pack OLD, changes and removes. With -o, writes those that are added or\n"
      "changed as a pack: mounted on a higher layer than OLD it gives what NEW has, but for what NEW removes.\n\n"
      "  -o, --output FILE            the patch to write; it appears whole or not at all\n"
      "      --level N                LZ4 HC level, 1 to 12 (default 10; below 10 decodes slower)\n"
      "      --json                   an object: added, changed, removed (names), same, patch_assets, patch_size\n"
      "      --quiet                  only the counts\n\n"
      "Exit: 0 done, whether they differ or not; 1 failed, nothing written; 2 usage." },
    { "doctor", "Jh", "leat doctor [PATH] [--json]",
      "Says what this machine, kernel, container and file system allow, which way Leat reads there and why, and what\n"
      "to change to make it faster. PATH is a pack, a file or a folder (default: the current one).\n\n"
      "      --json                   the same for programs; the keys are in assets/README.md\n\n"
      "Needs no privilege and changes nothing. Reads PATH; into a folder, or beside a file that is not a pack, it\n"
      "writes a temporary file of 2 MiB, without a name, if it may.\n\n"
      "Exit: 0 the fast way is taken; 1 PATH is not there, or nothing can be read; 2 usage; 3 works, but slower." },
    { "trace", "JrCh", "leat trace top|why FILE [options]",
      "Reads a trace (leat_trace_stop, leat-view --trace, leat-bench --trace), which Perfetto opens as well.\n\n"
      "  leat trace top FILE [--count N]      times by class of those that became ready, and the N slowest of\n"
      "                                       all that ended (default 10)\n"
      "  leat trace why FILE --request ID     where the time of one request went; ID as `top` prints it\n\n"
      "      --json                           the same for programs\n\n"
      "Exit: 0; 1 FILE is not a trace, or has no such request; 2 usage." },
    { "cache", "cLJh", "leat cache show|trim|clear [options]",
      "The folder in which `leat pack` keeps encoded assets, so that it makes only what has changed. A pack is the "
      "same\n"
      "with and without it.\n\n"
      "  leat cache show              where it is, and its size\n"
      "  leat cache trim              removes the longest unused until it is below --cache-limit\n"
      "  leat cache clear             removes all\n\n"
      "      --cache FOLDER           another one than `leat pack` uses by itself (see `leat pack --help`)\n"
      "      --cache-limit SIZE       as in 500M or 20G (default 5G)\n"
      "      --json                   an object: folder, entries, size (bytes of disk)\n\n"
      "Exit: 0; 1 LEAT_CACHE=off, or it cannot be used or made smaller; 2 usage." },
};

static const struct option long_options[] = {
    { "output", required_argument, NULL, 'o' },
    { "jobs", required_argument, NULL, 'j' },
    { "level", required_argument, NULL, 'l' },
    { "texture-format", required_argument, NULL, 't' },
    { "blobs", required_argument, NULL, 'b' },
    { "cache", required_argument, NULL, 'c' },
    { "no-cache", no_argument, NULL, 'N' },
    { "cache-limit", required_argument, NULL, 'L' },
    { "json", no_argument, NULL, 'J' },
    { "strict", no_argument, NULL, 's' },
    { "dds", no_argument, NULL, 'd' },
    { "gltf", no_argument, NULL, 'G' },
    { "force", no_argument, NULL, 'f' },
    { "quiet", no_argument, NULL, 'q' },
    { "verbose", no_argument, NULL, 'V' },
    { "request", required_argument, NULL, 'r' },
    { "count", required_argument, NULL, 'C' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static void print_overview(FILE *to)
{
    fprintf(to, "leat - packs game content for streaming\n\n");
    for (uint32_t i = 0; i < sizeof(commands) / sizeof(commands[0]); ++i) {
        fprintf(to, "  %s\n", commands[i].usage);
    }
    fprintf(to, "\n`leat COMMAND --help` says more; `leat --version` prints the version.\n");
}

static int usage_error(const char *command_name, const char *text, const char *detail)
{
    message_print("%s%s; see `leat%s%s --help`", text, detail, command_name[0] != '\0' ? " " : "", command_name);
    return EXIT_USAGE;
}

static bool number_parse(const char *text, long min, long max, long *number)
{
    char *end;
    errno = 0;
    *number = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *number >= min && *number <= max;
}

/* Bytes, or with K, M, G or T behind them, powers of 1024. */
static bool size_parse(const char *text, uint64_t *size)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    *size = strtoull(text, &end, 10);
    const char *unit = *end != '\0' ? strchr(units, *end) : NULL;
    uint32_t shift = unit != NULL ? (uint32_t)(unit - units + 1) * 10 : 0;
    bool whole = errno == 0 && end != text && text[0] >= '0' && text[0] <= '9' && end[unit != NULL] == '\0';
    bool fits = *size <= UINT64_MAX >> 1 >> shift;
    *size <<= fits ? shift : 0;
    return whole && fits && *size >= CACHE_LIMIT_MIN;
}

static bool format_parse(const char *text, texture_format *format)
{
    for (uint32_t i = 0; texture_format_words[i] != NULL; ++i) {
        if (strcmp(text, texture_format_words[i]) == 0) {
            *format = (texture_format)i;
            return true;
        }
    }
    return false;
}

static int option_take(int option, const command_text *text, options *o)
{
    long number = 0;
    switch (option) {
    case 'o':
        o->output = optarg;
        return -1;
    case 'j':
        if (!number_parse(optarg, 1, JOBS_MAX, &number)) {
            return usage_error(text->name, "--jobs takes a number from 1 to 256, not ", optarg);
        }
        o->job_count = (uint32_t)number;
        return -1;
    case 'l':
        if (!number_parse(optarg, 1, LEVEL_MAX, &number)) {
            return usage_error(text->name, "--level takes a number from 1 to 12, not ", optarg);
        }
        o->level = (int)number;
        return -1;
    case 't':
        return format_parse(optarg, &o->format)
                   ? -1
                   : usage_error(text->name, "--texture-format takes auto, bc or rgba8, not ", optarg);
    case 'b':
        o->blobs = optarg;
        return strpbrk(optarg, "./ ") == NULL && optarg[0] != '\0'
                   ? -1
                   : usage_error(text->name, "--blobs takes ends of names without dots, as in ogg,lua, not ", optarg);
    case 'c':
        o->cache = optarg;
        return optarg[0] != '\0' ? -1 : usage_error(text->name, "--cache takes a folder; see --no-cache", "");
    case 'N':
        o->no_cache = true;
        return -1;
    case 'L':
        return size_parse(optarg, &o->cache_limit)
                   ? -1
                   : usage_error(text->name, "--cache-limit takes a size of at least 1M, as in 20G, not ", optarg);
    case 'J':
        o->json = true;
        return -1;
    case 's':
        o->strict = true;
        return -1;
    case 'd':
        o->dds = true;
        return -1;
    case 'G':
        o->gltf = true;
        return -1;
    case 'f':
        o->force = true;
        return -1;
    case 'q':
        o->quiet = true;
        return -1;
    case 'V':
        o->verbose = true;
        return -1;
    case 'r':
        o->request = optarg;
        return -1;
    case 'C':
        if (!number_parse(optarg, 1, COUNT_MAX, &number)) {
            return usage_error(text->name, "--count takes a number from 1 to 1000000, not ", optarg);
        }
        o->count = (uint32_t)number;
        return -1;
    default:
        printf("%s\n\n%s\n", text->usage, text->help);
        return EXIT_OK;
    }
}

/* What getopt_long() did not take; last: the argument before the one that it looks at next. Of several short options in
 * one argument (-dash.png) only the letter is known. */
static int option_unknown(const command_text *text, const char *last)
{
    const char short_name[] = { '-', (char)optopt, '\0' };
    if (strncmp(last, "--", 2) == 0 && last[2] != '\0') {
        return usage_error(text->name, optopt != 0 ? "the option takes no value: " : "does not know the option ", last);
    }
    return usage_error(text->name, "does not know the option ", short_name);
}

static int command_find(const char *name)
{
    for (uint32_t i = 0; i < sizeof(commands) / sizeof(commands[0]); ++i) {
        if (strcmp(name, commands[i].name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* `leat help COMMAND` is `leat COMMAND --help`. */
static int help_print(const char *name)
{
    if (name == NULL) {
        print_overview(stdout);
        return EXIT_OK;
    }
    int found = command_find(name);
    if (found < 0) {
        return usage_error("", "there is no command ", name);
    }
    printf("%s\n\n%s\n", commands[found].usage, commands[found].help);
    return EXIT_OK;
}

/* `leat trace top FILE` or `leat trace why FILE --request ID`. */
static int trace_arguments_check(const command_text *text, const options *o)
{
    if (o->argument_count == 0) {
        return usage_error(text->name, "say top or why", "");
    }
    bool why = strcmp(o->arguments[0], "why") == 0;
    if (!why && strcmp(o->arguments[0], "top") != 0) {
        return usage_error(text->name, "say top or why, not ", o->arguments[0]);
    }
    if (o->argument_count == 1) {
        return usage_error(text->name, "there is no FILE", "");
    }
    if (o->argument_count > 2) {
        return usage_error(text->name, "one trace at a time; unexpected: ", o->arguments[2]);
    }
    if (why != (o->request != NULL)) {
        return usage_error(text->name,
                           why ? "--request is missing: `leat trace top` prints ids" : "--request is for why", "");
    }
    return -1;
}

/* What must be there, by command. */
static int arguments_check(const command_text *text, const options *o)
{
    for (int i = 0; i < o->argument_count; ++i) {
        if (o->arguments[i][0] == '\0') { /* a shell's variable that is not set */
            return usage_error(text->name, "an argument is empty", "");
        }
    }
    if (o->output != NULL && strcmp(o->output, "-") == 0) {
        return usage_error(text->name, "-o takes a path; for one of the name -, say ./-", "");
    }
    if (o->command == COMMAND_TRACE) {
        return trace_arguments_check(text, o);
    }
    if (o->command == COMMAND_CACHE) {
        return o->argument_count == 1 ? -1 : usage_error(text->name, "say show, trim or clear", "");
    }
    if (o->cache != NULL && o->no_cache) {
        return usage_error(text->name, "--cache and --no-cache contradict each other", "");
    }
    if (o->command == COMMAND_DIFF) {
        return o->argument_count == 2 ? -1 : usage_error(text->name, "it takes two packs, OLD and NEW", "");
    }
    bool writes = o->command == COMMAND_PACK || o->command == COMMAND_EXTRACT;
    if (o->argument_count == 0 && o->command != COMMAND_DOCTOR) {
        return usage_error(text->name, o->command == COMMAND_PACK ? "there is no SRC to pack" : "there is no PACK", "");
    }
    if (writes && (o->output == NULL || o->output[0] == '\0')) {
        return usage_error(text->name, "-o is missing: where to write", "");
    }
    if (!writes && o->argument_count > 1) {
        bool path = o->command == COMMAND_DOCTOR;
        return usage_error(text->name, path ? "one path at a time; unexpected: " : "one pack at a time; unexpected: ",
                           o->arguments[1]);
    }
    return -1;
}

int options_parse(int argc, char **argv, options *o)
{
    *o = (options){ .level = LEVEL_DEFAULT,
                    .count = COUNT_DEFAULT,
                    .cache_limit = CACHE_LIMIT_DEFAULT,
                    .job_count = u32_min(threads_usable_cores(), JOBS_MAX) };
    if (argc < 2) {
        print_overview(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        return argc > 2 ? help_print(argv[2]) : help_print(NULL);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("leat %d.%d.%d (pack format 1)\n", LEAT_VERSION_MAJOR, LEAT_VERSION_MINOR, LEAT_VERSION_PATCH);
        return EXIT_OK;
    }
    int found = command_find(argv[1]);
    if (found < 0) {
        return usage_error("", argv[1][0] == '-' ? "there is no option " : "there is no command ", argv[1]);
    }
    const command_text *text = &commands[found];
    o->command = (command)found;
    opterr = 0;
    optind = 2;
    int found_long = -1;
    for (int option; (option = getopt_long(argc, argv, ":o:j:l:t:fh", long_options, &found_long)) != -1;
         found_long = -1) {
        if (option == ':') {
            return usage_error(text->name, "a value is missing after ", argv[optind - 1]);
        }
        if (option == '?') {
            return option_unknown(text, argv[optind - 1]);
        }
        if (strchr(text->short_options, option) == NULL) { /* one of another command's, which may have a value */
            const char short_name[] = { '-', (char)option, '\0' };
            return found_long < 0
                       ? usage_error(text->name, "does not know the option ", short_name)
                       : usage_error(text->name, "does not know the option --", long_options[found_long].name);
        }
        int result = option_take(option, text, o);
        if (result >= 0) {
            return result;
        }
    }
    o->arguments = argv + optind;
    o->argument_count = argc - optind;
    return arguments_check(text, o);
}
