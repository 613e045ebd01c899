/* clang-format off */ /* columns are kept by hand, and a declaration stands in one line */
/* leat/base.h - what Leat's other headers stand on: the version, results and errors, handles. Included by leat/leat.h. */
#ifndef LEAT_PUBLIC_BASE_H
#define LEAT_PUBLIC_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEAT_VERSION_MAJOR 0
#define LEAT_VERSION_MINOR 1
#define LEAT_VERSION_PATCH 0
#define LEAT_VERSION (LEAT_VERSION_MAJOR * 10000 + LEAT_VERSION_MINOR * 100 + LEAT_VERSION_PATCH)

#if defined(__GNUC__)
#define LEAT_API __attribute__((visibility("default")))
#define LEAT_CHECK __attribute__((warn_unused_result))
#else
#define LEAT_API
#define LEAT_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that is linked, as LEAT_VERSION. */
LEAT_API uint32_t leat_version(void);

/* ---- Results ---------------------------------------------------------------------------------------------------- */

typedef enum leat_result {
    LEAT_OK = 0,
    LEAT_ERROR_ARGUMENT = -1,     /* a desc or parameter that can never work */
    LEAT_ERROR_MEMORY = -2,       /* the allocator returned NULL */
    LEAT_ERROR_STALE = -3,        /* a null handle, or one whose object has ended */
    LEAT_ERROR_FULL = -4,         /* a bounded table or queue is full; try again after leat_update */
    LEAT_ERROR_NOT_FOUND = -5,    /* no such file or asset; an asset that has vanished from its pack (leat_pack_swap) */
    LEAT_ERROR_OS = -6,           /* a system call failed; os_error holds errno (EIO, too, where reads of a file that is long
                                     enough keep ending early) */
    LEAT_ERROR_FORMAT = -7,       /* not a Leat pack, or one whose index contradicts itself */
    LEAT_ERROR_VERSION = -8,      /* a pack newer than this library */
    LEAT_ERROR_DAMAGED = -9,      /* bytes do not match their hash, or do not decode */
    LEAT_ERROR_TRUNCATED = -10,   /* the file is shorter than it says */
    LEAT_ERROR_TOO_SMALL = -11,   /* the destination is smaller than the part */
    LEAT_ERROR_CANCELLED = -12,   /* by leat_cancel, leat_pack_close or leat_destroy */
    LEAT_ERROR_LIMIT = -13,       /* larger than a limit of the desc allows */
    LEAT_ERROR_UNSUPPORTED = -14, /* this kernel, file system or build cannot do it */
    LEAT_ERROR_CHANGED = -15,     /* a loose file is not the one any more that its folder was seen to hold */
    LEAT_RESULT_FORCE_32 = 0x7fffffff
} leat_result;

/* A short English text for a result; never NULL. */
LEAT_API const char *leat_result_text(leat_result result);

/* What went wrong in words: which file, where in it, why, and what to do. Filled where the caller passes one; where not, the
 * text is logged instead. */
typedef struct leat_error {
    leat_result result;
    int32_t os_error; /* errno, or 0 */
    char text[504];
} leat_error;

/* ---- Handles: 32-bit index and 32-bit generation; all zero is null ------------------------------------------------ */

typedef struct leat_streamer leat_streamer;
typedef struct leat_pack {
    uint32_t index, generation;
} leat_pack;
typedef struct leat_request {
    uint32_t index, generation;
} leat_request;
typedef struct leat_batch {
    uint32_t index, generation;
} leat_batch;
/* An asset of one mounted pack. index counts from 1; a null pack is the null asset. Stale once the pack is closed. It stays
 * with its name when the pack's content is replaced (leat_pack_swap): while there is no asset of that name, calls answer
 * NOT_FOUND. */
typedef struct leat_asset {
    leat_pack pack;
    uint32_t index;
} leat_asset;

#ifdef __cplusplus
}
#endif

#endif
