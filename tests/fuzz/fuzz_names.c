/* fuzz_names.c - any bytes as the name of an asset: valid for the reader if and only if a second, slower check says so.
 *
 * That one decodes each code point, encodes it again and compares; and it looks at the parts one by one. A valid name
 * below a folder stays below it, whatever shell or file system shows it. */
#include "fuzz.h"
#include "pack_index.h"
#ifdef LEAT_FUZZ_PACKER
#include "texture.h"
#endif

/* The shortest form of a code point. */
static size_t encode(uint32_t c, uint8_t out[4])
{
    size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t marks[5] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = size - 1; i > 0; --i, c >>= 6) {
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
    }
    out[0] = (uint8_t)(marks[size] | c);
    return size;
}

/* Decodes without asking whether it may; encode() tells. */
static bool code_point(const uint8_t *at, size_t left, size_t *size, uint32_t *c)
{
    *size = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (*size > left) {
        return false;
    }
    *c = *size == 1 ? at[0] : at[0] & (0x7fu >> *size);
    for (size_t i = 1; i < *size; ++i) {
        *c = *c << 6 | (at[i] & 0x3fu);
    }
    uint8_t again[4];
    return *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff) && encode(*c, again) == *size &&
           memcmp(again, at, *size) == 0;
}

static bool part_valid(const uint8_t *part, size_t size)
{
    return size > 0 && !(size == 1 && part[0] == '.') && !(size == 2 && memcmp(part, "..", 2) == 0);
}

static bool valid_slowly(const uint8_t *name, size_t size)
{
    for (size_t at = 0, step = 0; at < size; at += step) {
        uint32_t c;
        if (!code_point(name + at, size - at, &step, &c) || c < 0x20 || (c >= 0x7f && c < 0xa0) || c == '\\') {
            return false;
        }
    }
    size_t begin = 0;
    for (size_t at = 0; at <= size; ++at) {
        if (at == size || name[at] == '/') {
            if (!part_valid(name + begin, at - begin)) {
                return false;
            }
            begin = at + 1;
        }
    }
    return size <= LEAT_PACK_NAME_SIZE_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    bool valid = pack_name_valid((const char *)bytes, size);
    FUZZ_CHECK(valid == valid_slowly(bytes, size), "two opinions of a name");
#ifdef LEAT_FUZZ_PACKER
    char *name = malloc(size + 1);
    memcpy(name, bytes, size);
    name[size] = '\0';
    FUZZ_CHECK(texture_usage_by_name(name) <= TEXTURE_USAGE_MASK, "a use that there is not");
    free(name);
#endif
    return 0;
}
