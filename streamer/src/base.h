/* base.h - what every module stands on: assertions, arithmetic that cannot wrap, memory, log lines.
 *
 * Depends on nothing but the public header. Holds no state. */
#ifndef LEAT_BASE_H
#define LEAT_BASE_H

#include <leat/leat.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CACHE_LINE_SIZE 64u
#define HUGE_PAGE_SIZE (2u << 20)
#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define NO_DEADLINE UINT64_MAX /* inside, "no deadline" sorts last; the API's 0 is translated once, at submit */

/* For what only a mistake inside Leat can break. Stays on in RelWithDebInfo; -DLEAT_ASSERTS=OFF takes it out.
 * Never for bytes from a file or values from the caller: those are checked and answered with a leat_result. */
#ifdef LEAT_NO_ASSERTS
#define ASSERT(condition) ((void)sizeof(condition))
#else
#define ASSERT(condition) ((condition) ? (void)0 : base_assert_failed(#condition, __FILE__, __LINE__))
#endif
_Noreturn void base_assert_failed(const char *condition, const char *file, int line);

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static inline uint64_t u64_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}
static inline uint64_t u64_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}
static inline uint32_t u32_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}
static inline uint32_t u32_max(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}
/* alignment is a power of two; align_up must not be given a value within `alignment` of UINT64_MAX. */
static inline uint64_t align_down(uint64_t value, uint64_t alignment)
{
    return value & ~(alignment - 1);
}
static inline uint64_t align_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}
/* True where the true result does not fit; *result is of no use then. */
static inline bool add_overflows(uint64_t a, uint64_t b, uint64_t *result)
{
    return __builtin_add_overflow(a, b, result);
}
static inline bool mul_overflows(uint64_t a, uint64_t b, uint64_t *result)
{
    return __builtin_mul_overflow(a, b, result);
}

/* Fetches the cache line of something that is read soon, or written: then it is taken from the other cores at once,
 * which else costs as much again. Not __builtin_prefetch alone: gcc 12 takes a function that does nothing else for one
 * without effect and leaves its calls out, and for plain x86-64 it fetches what is to be written as if to be read. */
static inline void fetch_to_read(const void *address)
{
    __builtin_prefetch(address);
    __asm__ volatile("");
}
static inline void fetch_to_write(const void *address)
{
#ifdef __x86_64__
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)address)); /* does nothing on processors without it */
#else
    __builtin_prefetch(address, 1);
    __asm__ volatile("");
#endif
}

/* The allocator of the desc, resolved (never NULL functions), counting what is live. */
typedef struct memory {
    leat_allocator allocator;
    uint64_t *bytes_live; /* changed with atomic adds; may be NULL */
    bool huge_pages; /* advise the kernel to put large blocks on huge pages */
} memory;
/* Zeroed array; NULL if count * size overflows or the allocator says no. Release with the same count and size.
 * With huge_pages, a block of HUGE_PAGE_SIZE and more is aligned to it and advised: a table of a million entries that
 * is met at random costs more in misses of the TLB than in misses of the caches. */
void *memory_allocate(memory *m, uint64_t count, uint64_t size, uint64_t alignment);
/* The same with whatever the memory holds: for what is written in full before it is read. */
void *memory_allocate_uncleared(memory *m, uint64_t count, uint64_t size, uint64_t alignment);
void memory_free(memory *m, void *block, uint64_t count, uint64_t size);

/* One log line, cut at 512 bytes. log may be NULL (no output). */
void log_line(const leat_logger *log, leat_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fills an optional leat_error and returns result, so that an error path is one line. error may be NULL. Of a text that
 * is too long the beginning is left out: it is a path, and what is wrong comes behind it. */
leat_result error_set(leat_error *error, leat_result result, int os_error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Canaries: bugs that are planted on purpose, one at a time, in the build that tests/sim is made of, to show that the
 * simulator finds their like. Elsewhere CANARY() is false and compiles to nothing. */
#ifdef LEAT_CANARIES
typedef enum canary {
    CANARY_NONE = 0,
    CANARY_BOUND, /* a part of a chunk ends one byte early */
    CANARY_FORGOTTEN, /* released memory wakes nobody who waits for it */
    CANARY_TWICE, /* a read's slot is given back twice */
    CANARY_PRIORITY, /* all classes are equal */
    CANARY_HASH, /* hashes are not looked at */
    CANARY_CANCEL, /* a cancel that comes late is ignored */
    CANARY_SHORT, /* a short read is taken for a whole one */
    CANARY_LEAK, /* memory that was lent stays lent when its request was cancelled */
    CANARY_GENERATION, /* a slot's generation is kept when it is freed */
    CANARY_AGAIN, /* EAGAIN is final */
    CANARY_WINDOW, /* bytes in flight are not bounded */
    CANARY_BATCH, /* a batch does not count its failures */
    CANARY_UNDO, /* a pack that could not be opened keeps its memory */
    CANARY_SHARES, /* all clients weigh the same */
    CANARY_FENCE, /* the fence of a batch stays as it was */
    CANARY_COARSER, /* a degraded request tells of a part that it did not read */
    CANARY_RELOAD, /* assets that vanish are not told of */
    CANARY_LAYER, /* of two packs with a name, the one that was opened last has it, whatever its layer */
    CANARY_COUNT
} canary;
extern canary canary_planted;
#define CANARY(which) (canary_planted == CANARY_##which)
#else
#define CANARY(which) false
#endif

#endif
