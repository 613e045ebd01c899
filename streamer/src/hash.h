/* hash.h - XXH3-64, by which packs are checked, with the vectors that this processor has.
 *
 * Every packed byte is hashed once, just before it is decoded. Bytes that a worker has just fetched lie in its core's
 * cache, and from there AVX2 hashes twice as fast as SSE2, which is all that a build for any x86-64 may assume. */
#ifndef LEAT_HASH_H
#define LEAT_HASH_H

#include <stddef.h>
#include <stdint.h>

/* XXH3-64 with seed 0. Any thread. */
uint64_t hash_bytes(const void *bytes, size_t size);

/* The same, for processors that have AVX2. Only where LEAT_HAVE_AVX2 is defined; hash_bytes calls it. */
uint64_t hash_bytes_avx2(const void *bytes, size_t size);

#endif
