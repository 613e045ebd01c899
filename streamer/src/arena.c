/* arena.c - see arena.h.
 *
 * A block is a run of units, named by its first unit. Free blocks sit in lists by size: first level by power of two,
 * second level by the next ARENA_SECOND_BITS bits; two levels of bitmaps find the smallest list that is surely large
 * enough. The first and the last unit of a block know its length, so that both neighbours are found without a walk. */
#include "arena.h"

#define ARENA_SECOND_BITS 3u
#define ARENA_SECOND_COUNT (1u << ARENA_SECOND_BITS)
#define ARENA_FIRST_COUNT 32u
#define ARENA_NONE UINT32_MAX

typedef struct arena_unit {
    uint32_t length; /* at the first and last unit of a block, in units */
    uint32_t next, previous; /* at the first unit of a free block */
    uint32_t used; /* at the first and last unit of a block */
} arena_unit;

struct arena {
    memory *memory;
    uint8_t *base;
    uint32_t unit_shift;
    uint32_t unit_count;
    uint32_t units_used;
    uint32_t first_bitmap;
    uint32_t second_bitmaps[ARENA_FIRST_COUNT];
    uint32_t heads[ARENA_FIRST_COUNT][ARENA_SECOND_COUNT];
    arena_unit *units;
};

/* The list that a free block of this length is kept in. */
static void list_of(uint32_t length, uint32_t *first, uint32_t *second)
{
    uint32_t log = 31u - (uint32_t)__builtin_clz(length);
    if (log < ARENA_SECOND_BITS) {
        *first = 0;
        *second = length;
    } else {
        *first = log - ARENA_SECOND_BITS + 1;
        *second = (length >> (log - ARENA_SECOND_BITS)) & (ARENA_SECOND_COUNT - 1);
    }
}

static void set_length(arena *a, uint32_t block, uint32_t length, uint32_t used)
{
    a->units[block].length = length;
    a->units[block].used = used;
    a->units[block + length - 1].length = length;
    a->units[block + length - 1].used = used;
}

static void list_insert(arena *a, uint32_t block)
{
    uint32_t first, second;
    list_of(a->units[block].length, &first, &second);
    uint32_t head = a->heads[first][second];
    a->units[block].next = head;
    a->units[block].previous = ARENA_NONE;
    if (head != ARENA_NONE) {
        a->units[head].previous = block;
    }
    a->heads[first][second] = block;
    a->second_bitmaps[first] |= 1u << second;
    a->first_bitmap |= 1u << first;
}

static void list_remove(arena *a, uint32_t block)
{
    uint32_t first, second;
    list_of(a->units[block].length, &first, &second);
    uint32_t next = a->units[block].next;
    uint32_t previous = a->units[block].previous;
    if (next != ARENA_NONE) {
        a->units[next].previous = previous;
    }
    if (previous != ARENA_NONE) {
        a->units[previous].next = next;
        return;
    }
    a->heads[first][second] = next;
    if (next == ARENA_NONE) {
        a->second_bitmaps[first] &= ~(1u << second);
        if (a->second_bitmaps[first] == 0) {
            a->first_bitmap &= ~(1u << first);
        }
    }
}

/* A free block of at least `length` units, or ARENA_NONE: the first of the smallest list in which every block fits, and
 * failing that a fitting one among the first few of the list that this very length belongs to. */
#define ARENA_LIST_WALK_MAX 8u
static uint32_t find(const arena *a, uint32_t length)
{
    uint32_t first, second;
    list_of(length, &first, &second);
    uint32_t exact_first = first, exact_second = second;
    uint32_t rounded = length;
    if (length >= ARENA_SECOND_COUNT) {
        rounded += (1u << (31u - (uint32_t)__builtin_clz(length) - ARENA_SECOND_BITS)) - 1;
        list_of(rounded, &first, &second);
    }
    uint32_t second_map = a->second_bitmaps[first] & (~0u << second);
    if (second_map == 0) {
        uint32_t first_map = first + 1 < ARENA_FIRST_COUNT ? a->first_bitmap & (~0u << (first + 1)) : 0;
        if (first_map != 0) {
            first = (uint32_t)__builtin_ctz(first_map);
            second_map = a->second_bitmaps[first];
        }
    }
    if (second_map != 0) {
        return a->heads[first][__builtin_ctz(second_map)];
    }
    uint32_t block = a->heads[exact_first][exact_second];
    for (uint32_t i = 0; i < ARENA_LIST_WALK_MAX && block != ARENA_NONE; ++i, block = a->units[block].next) {
        if (a->units[block].length >= length) {
            return block;
        }
    }
    return ARENA_NONE;
}

static uint64_t units_of(const arena *a, uint64_t size)
{
    return (size >> a->unit_shift) + ((size & ((1u << a->unit_shift) - 1)) != 0); /* of any size: cannot wrap */
}

arena *arena_create(const arena_desc *desc)
{
    uint64_t unit_count = desc->size / desc->unit_size;
    ASSERT(unit_count > 0 && unit_count < (UINT64_C(1) << 31));
    arena *a = memory_allocate(desc->memory, 1, sizeof(*a), CACHE_LINE_SIZE);
    if (a == NULL) {
        return NULL;
    }
    a->memory = desc->memory;
    a->base = desc->base;
    a->unit_shift = (uint32_t)__builtin_ctz(desc->unit_size);
    a->unit_count = (uint32_t)unit_count;
    a->units = memory_allocate(desc->memory, unit_count, sizeof(arena_unit), CACHE_LINE_SIZE);
    if (a->units == NULL) {
        memory_free(desc->memory, a, 1, sizeof(*a));
        return NULL;
    }
    for (uint32_t i = 0; i < ARENA_FIRST_COUNT; ++i) {
        for (uint32_t j = 0; j < ARENA_SECOND_COUNT; ++j) {
            a->heads[i][j] = ARENA_NONE;
        }
    }
    set_length(a, 0, a->unit_count, 0);
    list_insert(a, 0);
    return a;
}

void arena_destroy(arena *a)
{
    if (a == NULL) {
        return;
    }
    memory *m = a->memory;
    memory_free(m, a->units, a->unit_count, sizeof(arena_unit));
    memory_free(m, a, 1, sizeof(*a));
}

bool arena_can_allocate(const arena *a, uint64_t size)
{
    uint64_t length = units_of(a, size);
    return length > 0 && length <= a->unit_count && find(a, (uint32_t)length) != ARENA_NONE;
}

/* Cuts `length` units out of a free block, beginning `front` units behind its start; what is left stays free. */
static void *take(arena *a, uint32_t block, uint32_t front, uint32_t length)
{
    list_remove(a, block);
    uint32_t rest = a->units[block].length - front - length;
    if (front > 0) {
        set_length(a, block, front, 0);
        list_insert(a, block);
        block += front;
    }
    if (rest > 0) {
        set_length(a, block + length, rest, 0);
        list_insert(a, block + length);
    }
    set_length(a, block, length, 1);
    a->units_used += length;
    return a->base + ((uint64_t)block << a->unit_shift);
}

void *arena_allocate(arena *a, uint64_t size)
{
    return arena_allocate_aligned(a, size, 1);
}

void *arena_allocate_aligned(arena *a, uint64_t size, uint64_t alignment)
{
    uint64_t wanted = units_of(a, size);
    uint64_t step = u64_max(alignment >> a->unit_shift, 1); /* in units */
    ASSERT(wanted > 0);
    if (wanted + step - 1 > a->unit_count) {
        return NULL;
    }
    uint32_t block = find(a, (uint32_t)(wanted + step - 1));
    if (block == ARENA_NONE) {
        return NULL;
    }
    return take(a, block, (uint32_t)(align_up(block, step) - block), (uint32_t)wanted);
}

void arena_free(arena *a, void *memory_block)
{
    uint32_t block = (uint32_t)((uint64_t)((uint8_t *)memory_block - a->base) >> a->unit_shift);
    ASSERT(block < a->unit_count && a->units[block].used);
    uint32_t length = a->units[block].length;
    a->units_used -= length;
    uint32_t after = block + length;
    if (after < a->unit_count && !a->units[after].used) {
        list_remove(a, after);
        length += a->units[after].length;
    }
    if (block > 0 && !a->units[block - 1].used) {
        uint32_t before = block - a->units[block - 1].length;
        list_remove(a, before);
        length += a->units[before].length;
        block = before;
    }
    set_length(a, block, length, 0);
    list_insert(a, block);
}

uint64_t arena_bytes_used(const arena *a)
{
    return (uint64_t)a->units_used << a->unit_shift;
}
