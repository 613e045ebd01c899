/* options.h - the command line of leat-view. */
#ifndef VIEW_OPTIONS_H
#define VIEW_OPTIONS_H

#include <leat/leat.h>

#define OPTIONS_PACKS_MAX 32u

typedef struct options {
    const char *packs[OPTIONS_PACKS_MAX];
    uint32_t pack_count;
    bool headless, autofly, hud_off, watch_off;
    bool cold; /* the packs are dropped from the page cache first */
    uint32_t jump_every, drop_every; /* frames; 0: never */
    bool mips, lods; /* overlays to start with */
    uint32_t frames; /* 0: until closed */
    uint32_t width, height;
    const char *screenshot;
    uint32_t screenshot_every;
    const char *report;
    const char *trace;
    uint64_t budget_bytes;
    uint32_t seed;
    uint32_t samples; /* of multisampling; UINT32_MAX: by the GL that is there */
    float speed; /* of the flight, metres a second */
    leat_backend backend;
} options;

typedef enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_USAGE } options_result;

/* OPTIONS_DONE: --help or --version has been answered. OPTIONS_USAGE: what is wrong has been said on stderr. */
options_result options_parse(int argc, char **argv, options *o);

#endif
