/* options.c - parses the command line; says what is wrong in one line. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "Usage: leat-view [OPTIONS] PACK|FOLDER...\n"
    "Walk through the assets of Leat packs in a museum that is streamed as you go.\n"
    "Packs that are packed again and files of folders (DDS textures) are drawn anew when they change.\n"
    "\n"
    "      --autofly             fly through all halls by itself\n"
    "      --budget MIB          GPU memory for textures (default 256); meshes get half of it on top\n"
    "      --backend NAME        auto, uring or threads (default auto)\n"
    "      --size WxH            size of the picture (default 1280x720)\n"
    "      --frames N            stop after N frames\n"
    "      --seed N              where the flight begins; 0 is the entrance (default 0)\n"
    "      --cold                drop the packs from the page cache first: everything comes from the disk\n"
    "      --jump-every N        jump somewhere else every N frames (key T)\n"
    "      --drop-every N        drop everything and stream it again every N frames (key R)\n"
    "      --speed M             metres a second of the flight (default 2.4)\n"
    "      --msaa N              samples a pixel; 1 is none (default 4, on software GL 1)\n"
    "      --no-watch            do not look out for packs and files that change\n"
    "      --no-hud              start without the figures\n"
    "      --overlay NAME        start with an overlay: mips (key M) or lods (key L)\n"
    "      --headless            no window: render off the screen, 30 frames a virtual second\n"
    "      --screenshot F.png    write the last frame; with --screenshot-every, F-0001.png and so on\n"
    "      --screenshot-every N  write every Nth frame\n"
    "      --report F.json       write what was measured\n"
    "      --trace F             write a trace of the last seconds, for Perfetto and `leat trace`\n"
    "      --help, --version\n"
    "\n"
    "Packs are mounted in order: later ones hide assets of the same name. Press F1 in the viewer for its keys.\n"
    "Exit code: 0 done, 1 something could not be done, 2 wrong usage.\n";

enum {
    OPTION_AUTOFLY = 256,
    OPTION_BUDGET,
    OPTION_BACKEND,
    OPTION_SIZE,
    OPTION_FRAMES,
    OPTION_SEED,
    OPTION_SPEED,
    OPTION_COLD,
    OPTION_JUMP_EVERY,
    OPTION_DROP_EVERY,
    OPTION_MSAA,
    OPTION_NO_HUD,
    OPTION_OVERLAY,
    OPTION_NO_WATCH,
    OPTION_HEADLESS,
    OPTION_SCREENSHOT,
    OPTION_SCREENSHOT_EVERY,
    OPTION_REPORT,
    OPTION_TRACE,
    OPTION_HELP,
    OPTION_VERSION
};

static const struct option long_options[] = {
    { "autofly", no_argument, NULL, OPTION_AUTOFLY },
    { "budget", required_argument, NULL, OPTION_BUDGET },
    { "backend", required_argument, NULL, OPTION_BACKEND },
    { "size", required_argument, NULL, OPTION_SIZE },
    { "frames", required_argument, NULL, OPTION_FRAMES },
    { "seed", required_argument, NULL, OPTION_SEED },
    { "speed", required_argument, NULL, OPTION_SPEED },
    { "cold", no_argument, NULL, OPTION_COLD },
    { "jump-every", required_argument, NULL, OPTION_JUMP_EVERY },
    { "drop-every", required_argument, NULL, OPTION_DROP_EVERY },
    { "msaa", required_argument, NULL, OPTION_MSAA },
    { "no-watch", no_argument, NULL, OPTION_NO_WATCH },
    { "no-hud", no_argument, NULL, OPTION_NO_HUD },
    { "overlay", required_argument, NULL, OPTION_OVERLAY },
    { "headless", no_argument, NULL, OPTION_HEADLESS },
    { "screenshot", required_argument, NULL, OPTION_SCREENSHOT },
    { "screenshot-every", required_argument, NULL, OPTION_SCREENSHOT_EVERY },
    { "report", required_argument, NULL, OPTION_REPORT },
    { "trace", required_argument, NULL, OPTION_TRACE },
    { "help", no_argument, NULL, OPTION_HELP },
    { "version", no_argument, NULL, OPTION_VERSION },
    { NULL, 0, NULL, 0 },
};

static bool number_parse(const char *name, const char *string, uint64_t lo, uint64_t hi, uint64_t *value)
{
    char *end = NULL;
    errno = 0;
    unsigned long long v = strtoull(string, &end, 10);
    if (string[0] < '0' || string[0] > '9' || *end != '\0' || errno != 0 || v < lo || v > hi) {
        fprintf(stderr, "leat-view: --%s is a number from %llu to %llu, not \"%s\"\n", name, (unsigned long long)lo,
                (unsigned long long)hi, string);
        return false;
    }
    *value = v;
    return true;
}

static bool u32_parse(const char *name, const char *string, uint32_t lo, uint32_t hi, uint32_t *value)
{
    uint64_t v = 0;
    bool ok = number_parse(name, string, lo, hi, &v);
    *value = ok ? (uint32_t)v : *value;
    return ok;
}

static bool size_parse(const char *string, options *o)
{
    unsigned width = 0, height = 0;
    char rest = 0;
    if (sscanf(string, "%5ux%5u%c", &width, &height, &rest) != 2 || width < 64 || height < 64 || width > 16384 ||
        height > 16384) {
        fprintf(stderr, "leat-view: --size is WIDTHxHEIGHT, 64 to 16384 each, not \"%s\"\n", string);
        return false;
    }
    o->width = width;
    o->height = height;
    return true;
}

static bool backend_parse(const char *string, options *o)
{
    static const char *const names[] = { "auto", "uring", "threads" };
    for (int i = 0; i < 3; ++i) {
        if (strcmp(string, names[i]) == 0) {
            o->backend = (leat_backend)i;
            return true;
        }
    }
    fprintf(stderr, "leat-view: --backend is auto, uring or threads, not \"%s\"\n", string);
    return false;
}

static bool overlay_parse(const char *string, options *o)
{
    bool mips = strcmp(string, "mips") == 0, lods = strcmp(string, "lods") == 0;
    o->mips |= mips;
    o->lods |= lods;
    if (!mips && !lods) {
        fprintf(stderr, "leat-view: --overlay is mips or lods, not \"%s\"\n", string);
    }
    return mips || lods;
}

static bool speed_parse(const char *string, options *o)
{
    char *end = NULL;
    float speed = strtof(string, &end);
    if (end == string || *end != '\0' || !(speed >= 0.0f && speed <= 100.0f)) {
        fprintf(stderr, "leat-view: --speed is metres a second from 0 to 100, not \"%s\"\n", string);
        return false;
    }
    o->speed = speed;
    return true;
}

static bool option_take(int option, const char *value, options *o)
{
    uint64_t mib = 0;
    switch (option) {
    case OPTION_AUTOFLY:
        return o->autofly = true;
    case OPTION_BUDGET:
        if (!number_parse("budget", value, 1, 1u << 20, &mib)) {
            return false;
        }
        o->budget_bytes = mib << 20;
        return true;
    case OPTION_BACKEND:
        return backend_parse(value, o);
    case OPTION_SIZE:
        return size_parse(value, o);
    case OPTION_FRAMES:
        return u32_parse("frames", value, 1, 100000000, &o->frames);
    case OPTION_SEED:
        return u32_parse("seed", value, 0, UINT32_MAX, &o->seed);
    case OPTION_COLD:
        return o->cold = true;
    case OPTION_JUMP_EVERY:
        return u32_parse("jump-every", value, 1, 100000000, &o->jump_every);
    case OPTION_DROP_EVERY:
        return u32_parse("drop-every", value, 1, 100000000, &o->drop_every);
    case OPTION_SPEED:
        return speed_parse(value, o);
    case OPTION_MSAA:
        return u32_parse("msaa", value, 1, 16, &o->samples);
    case OPTION_NO_WATCH:
        return o->watch_off = true;
    case OPTION_NO_HUD:
        return o->hud_off = true;
    case OPTION_OVERLAY:
        return overlay_parse(value, o);
    case OPTION_HEADLESS:
        return o->headless = true;
    case OPTION_SCREENSHOT:
        o->screenshot = value;
        return true;
    case OPTION_SCREENSHOT_EVERY:
        return u32_parse("screenshot-every", value, 1, 100000000, &o->screenshot_every);
    case OPTION_REPORT:
        o->report = value;
        return true;
    case OPTION_TRACE:
        o->trace = value;
        return true;
    default:
        fprintf(stderr, "leat-view: try leat-view --help\n");
        return false;
    }
}

options_result options_parse(int argc, char **argv, options *o)
{
    *o = (options){ .width = 1280, .height = 720, .budget_bytes = 256u << 20, .samples = UINT32_MAX, .speed = 2.4f };
    int option = 0;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == OPTION_HELP) {
            fputs(help_text, stdout);
            return OPTIONS_DONE;
        }
        if (option == OPTION_VERSION) {
            uint32_t v = leat_version();
            printf("leat-view %u.%u.%u\n", v / 10000, v / 100 % 100, v % 100);
            return OPTIONS_DONE;
        }
        if (!option_take(option, optarg, o)) {
            return OPTIONS_USAGE;
        }
    }
    for (int i = optind; i < argc; ++i) {
        if (o->pack_count == OPTIONS_PACKS_MAX) {
            fprintf(stderr, "leat-view: at most %u packs\n", OPTIONS_PACKS_MAX);
            return OPTIONS_USAGE;
        }
        o->packs[o->pack_count++] = argv[i];
    }
    if (o->pack_count == 0) {
        fprintf(
            stderr,
            "leat-view: no pack is named; make one with: leat pack FOLDER -o OUT.leat (and see leat-view --help)\n");
        return OPTIONS_USAGE;
    }
    if (o->screenshot_every > 0 && o->screenshot == NULL) {
        fprintf(stderr, "leat-view: --screenshot-every needs --screenshot F.png\n");
        return OPTIONS_USAGE;
    }
    if (o->headless && o->frames == 0) {
        o->frames = 300;
    }
    o->autofly = o->autofly || o->headless;
    return OPTIONS_RUN;
}
