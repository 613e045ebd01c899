/* hash.c - see hash.h. What the compiler was told to assume of the processor, or more, if the processor has it. */
#include "hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes(const void *bytes, size_t size)
{
#ifdef LEAT_HAVE_AVX2
    if (__builtin_cpu_supports("avx2")) {
        return hash_bytes_avx2(bytes, size);
    }
#endif
    return XXH3_64bits(bytes, size);
}
