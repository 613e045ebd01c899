/* fuzz.h - what all fuzz targets share: libFuzzer's entry, bytes that are taken one after the other, a check.
 *
 * A target is one file, fuzz_NAME.c, with one function. In the preset `fuzz` it is linked with libFuzzer and the hashes
 * of the reader are compiled out (LEAT_FUZZ_NO_HASH); in all others with fuzz_replay.c, an ordinary program that runs
 * the corpus. So a target makes hashes right wherever the input may have changed what they cover. */
#ifndef LEAT_FUZZ_H
#define LEAT_FUZZ_H

#include "base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A broken promise ends the run: libFuzzer and fuzz_replay.c keep the input. */
#define FUZZ_CHECK(condition, what)                                                                                    \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, what, #condition);                                 \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

typedef struct fuzz_bytes {
    const uint8_t *at;
    size_t left;
} fuzz_bytes;

/* The next `size` (<= 8) bytes as a little-endian number; zeros behind the end. */
static inline uint64_t fuzz_take(fuzz_bytes *b, uint32_t size)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < size && b->left > 0; ++i, ++b->at, --b->left) {
        value |= (uint64_t)*b->at << (8 * i);
    }
    return value;
}

#endif
