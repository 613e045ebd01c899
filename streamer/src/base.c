/* base.c - see base.h. */
#include "base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void base_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "leat: internal error: %s (%s:%d); please report this\n", condition, file, line);
    abort();
}

void *memory_allocate(memory *m, uint64_t count, uint64_t size, uint64_t alignment)
{
    void *block = memory_allocate_uncleared(m, count, size, alignment);
    if (block != NULL) {
        memset(block, 0, (size_t)(count * size)); /* did not overflow */
    }
    return block;
}

void *memory_allocate_uncleared(memory *m, uint64_t count, uint64_t size, uint64_t alignment)
{
    uint64_t bytes = 0;
    if (mul_overflows(count, size, &bytes) || bytes == 0 || bytes > PTRDIFF_MAX) {
        return NULL;
    }
    bool huge = m->huge_pages && bytes >= HUGE_PAGE_SIZE;
    alignment = huge ? u64_max(alignment, HUGE_PAGE_SIZE) : alignment;
    void *block = m->allocator.allocate((size_t)bytes, (size_t)alignment, m->allocator.user);
    if (block == NULL) {
        return NULL;
    }
    if (huge) { /* our own whole pages only, before the first touch; a kernel without them says no, and that is all */
        madvise(block, (size_t)align_down(bytes, HUGE_PAGE_SIZE), MADV_HUGEPAGE);
    }
    if (m->bytes_live != NULL) {
        __atomic_fetch_add(m->bytes_live, bytes, __ATOMIC_RELAXED);
    }
    return block;
}

void memory_free(memory *m, void *block, uint64_t count, uint64_t size)
{
    if (block == NULL) {
        return;
    }
    uint64_t bytes = count * size; /* did not overflow when it was allocated */
    m->allocator.free(block, (size_t)bytes, m->allocator.user);
    if (m->bytes_live != NULL) {
        __atomic_fetch_sub(m->bytes_live, bytes, __ATOMIC_RELAXED);
    }
}

void log_line(const leat_logger *log, leat_log_level level, const char *format, ...)
{
    if (log == NULL || log->log == NULL || level > log->level) {
        return;
    }
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    log->log(level, text, log->user);
}

/* The path with which an error begins may be as long as the system allows. */
#define ERROR_TEXT_SIZE_MAX (4096u + 512u)
static void keep_the_end(char *text, size_t text_size, const char *format, va_list arguments)
{
    static const char mark[] = "...";
    char whole[ERROR_TEXT_SIZE_MAX];
    vsnprintf(whole, sizeof(whole), format, arguments);
    const char *end = whole + strlen(whole) + 1 - (text_size - strlen(mark));
    while (((uint8_t)*end & 0xc0) == 0x80) { /* not from the middle of a character in UTF-8 */
        ++end;
    }
    snprintf(text, text_size, "%s%s", mark, end);
}

leat_result error_set(leat_error *error, leat_result result, int os_error, const char *format, ...)
{
    if (error != NULL) {
        error->result = result;
        error->os_error = os_error;
        va_list arguments, again;
        va_start(arguments, format);
        va_copy(again, arguments);
        if (vsnprintf(error->text, sizeof(error->text), format, arguments) >= (int)sizeof(error->text)) {
            keep_the_end(error->text, sizeof(error->text), format, again);
        }
        va_end(again);
        va_end(arguments);
    }
    return result;
}
