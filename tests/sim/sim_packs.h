/* sim_packs.h - the packs that seeds read: small, random, each in two versions, and one that is damaged.
 *
 * To make packs takes longer than to run a seed, so SEEDS_PER_LIBRARY seeds in a row share theirs. What is in a library
 * depends on its number alone. */
#ifndef LEAT_SIM_PACKS_H
#define LEAT_SIM_PACKS_H

#include "test_pack.h"

#define SEEDS_PER_LIBRARY 4u
#define PACK_COUNT 2u
#define VERSION_COUNT 2u /* of each pack, swapped while it is open */
#define CONTENT_COUNT (PACK_COUNT * VERSION_COUNT)
#define NAME_COUNT_MAX 48u
#define ORDERED_CHUNK_RAW_SIZE 8192u

/* What a seed is about. */
typedef enum sim_kind {
    SIM_ANYTHING = 0,
    SIM_OVERTAKING, /* set up so that urgent requests must overtake */
    SIM_ORDER, /* set up so that the order of ends is that of the classes */
    SIM_SHARES /* set up so that clients share by weight */
} sim_kind;

typedef struct sim_content {
    test_pack pack;
    int fd;
    char path[64];
    uint32_t names[NAME_COUNT_MAX]; /* the number in the name of each asset */
    uint32_t positions[NAME_COUNT_MAX]; /* the asset of each number, plus one; 0: none */
} sim_content;

typedef struct sim_library {
    uint64_t number;
    bool made;
    sim_kind kind;
    sim_content contents[CONTENT_COUNT]; /* of pack p: p, p + PACK_COUNT, ... */
    sim_content damaged; /* path only */
} sim_library;

/* The library of a seed; valid until another is asked for. Aborts when memory is refused. */
const sim_library *sim_library_of(uint64_t seed);

/* Where a part of an asset lies, worked out from the bytes of the pack and not by Leat. */
typedef struct sim_extent {
    uint64_t offset, size;
} sim_extent;
uint32_t sim_level_count(const sim_content *content, uint32_t asset); /* of mips or LODs; 0: has none */
/* The levels first .. end - 1; level 0 is the finest and lies last. */
sim_extent sim_levels(const sim_content *content, uint32_t asset, uint32_t first, uint32_t end);

/* Would a swap from one to the other have to tell of this name? */
leat_change sim_change(const sim_content *from, const sim_content *to, uint32_t name);

#endif
