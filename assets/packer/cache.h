/* cache.h - a folder of results that are found again by what made them.
 *
 * A store of bytes under 128-bit keys: it knows nothing of assets (product.c does, and says what is in a key). An entry
 * is a file, written under a temporary name and renamed; it holds its key and a hash of its bytes, and one that does
 * not fit them is not there. Nothing here is an error: a cache that cannot be had, read or written is a cache that is
 * empty, and cache_problem() says why in a line. Any number of programs may use one folder at once, and die at any
 * time.
 *
 * Its size is bounded: who adds trims it before, meanwhile and at the end, the longest unused first. */
#ifndef LEAT_PACKER_CACHE_H
#define LEAT_PACKER_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CACHE_LIMIT_DEFAULT (UINT64_C(5) << 30)
#define CACHE_FREE_DEFAULT (UINT64_C(512) << 20)

typedef struct cache cache;

typedef struct cache_key {
    uint64_t hash[2];
} cache_key;

typedef struct cache_limits {
    uint64_t bytes; /* of disk, that it takes */
    uint64_t free_bytes_min; /* that it leaves, or an eighth of a small disk: a full one costs the pack itself */
} cache_limits;

typedef struct cache_size {
    uint64_t entry_count;
    uint64_t bytes; /* of disk */
} cache_size;

/* Where it is if nobody says: $LEAT_CACHE, $XDG_CACHE_HOME/leat, ~/.cache/leat. False: nowhere, which *why explains, or
 * leaves NULL where LEAT_CACHE=off. */
bool cache_folder_default(char *path, size_t path_size, const char **why);

/* Makes the folder if it is not there. Never NULL but for want of memory; without a folder (NULL) or with one that may
 * not be used, it is off. */
cache *cache_open(const char *folder, cache_limits limits);
/* Trims if something was added, and frees. NULL is allowed. */
void cache_close(cache *c);
/* NULL is off. */
bool cache_is_on(const cache *c);
/* What keeps it from working: a line that names the folder; NULL: nothing. The cache's, until the close. One thread. */
const char *cache_problem(const cache *c);

/* malloc'ed; NULL: it is not there. Any thread. */
uint8_t *cache_get(cache *c, const cache_key *key, size_t *size);
/* Any thread. */
void cache_put(cache *c, const cache_key *key, const void *bytes, size_t size);

/* Removes the longest unused until at most `limit` bytes are left (0: all), and what programs that were killed have
 * left. The size afterwards; cache_problem() says what cannot be removed. Any thread. */
cache_size cache_trim(cache *c, uint64_t limit);

#endif
