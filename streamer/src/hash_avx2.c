/* hash_avx2.c - XXH3 compiled with AVX2 (streamer/CMakeLists.txt), which xxhash.h then uses. All of it is static:
 * nothing that needs AVX2 can get into a function of the same name elsewhere.
 *
 * AVX-512 is not taken: a fifth faster from the cache, slower from memory, and older processors that have it clock all
 * their work down for it. */
#include "hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes_avx2(const void *bytes, size_t size)
{
    return XXH3_64bits(bytes, size);
}
