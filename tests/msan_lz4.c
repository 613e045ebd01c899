/* msan_lz4.c - LZ4 for MemorySanitizer: Debian's library is not instrumented, so what it has written counts as
 * unwritten.
 *
 * In the preset `msan` the linker sends every call here (--wrap). What goes in must be written; what LZ4 promises to
 * have written, is. A decode that fails promises nothing, so nothing of its output may be used. */
#include <lz4.h>
#include <sanitizer/msan_interface.h>

#include <stddef.h>

int __real_LZ4_decompress_safe(const char *packed, char *raw, int packed_size, int raw_capacity);
int __wrap_LZ4_decompress_safe(const char *packed, char *raw, int packed_size, int raw_capacity);
int __real_LZ4_decompress_safe_partial(const char *packed, char *raw, int packed_size, int wanted, int raw_capacity);
int __wrap_LZ4_decompress_safe_partial(const char *packed, char *raw, int packed_size, int wanted, int raw_capacity);
int __real_LZ4_compress_default(const char *raw, char *packed, int raw_size, int packed_capacity);
int __wrap_LZ4_compress_default(const char *raw, char *packed, int raw_size, int packed_capacity);

static void written(void *bytes, int size)
{
    if (size > 0) {
        __msan_unpoison(bytes, (size_t)size);
    }
}

int __wrap_LZ4_decompress_safe(const char *packed, char *raw, int packed_size, int raw_capacity)
{
    __msan_check_mem_is_initialized(packed, (size_t)packed_size);
    int size = __real_LZ4_decompress_safe(packed, raw, packed_size, raw_capacity);
    written(raw, size);
    return size;
}

int __wrap_LZ4_decompress_safe_partial(const char *packed, char *raw, int packed_size, int wanted, int raw_capacity)
{
    __msan_check_mem_is_initialized(packed, (size_t)packed_size);
    int size = __real_LZ4_decompress_safe_partial(packed, raw, packed_size, wanted, raw_capacity);
    written(raw, size);
    return size;
}

int __wrap_LZ4_compress_default(const char *raw, char *packed, int raw_size, int packed_capacity)
{
    __msan_check_mem_is_initialized(raw, (size_t)raw_size);
    int size = __real_LZ4_compress_default(raw, packed, raw_size, packed_capacity);
    written(packed, size);
    return size;
}
