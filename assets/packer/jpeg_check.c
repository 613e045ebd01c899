/* jpeg_check.c - see jpeg_check.h. Segments and their fields: ITU-T T.81, annex B.
 *
 * Up to the first scan it walks from segment to segment, as decoders do. Behind it, where a decoder may be at any byte,
 * each pair that could begin a segment is taken for one: in a scan's data there is none. */
#include "jpeg_check.h"

#include <stddef.h>

#define MARKER_SOF2 0xc2 /* progressive */
#define MARKER_DHT 0xc4
#define MARKER_SOS 0xda
#define TABLE_HEAD 17 /* class and number, then how many symbols each length of code has */
#define SYMBOLS_MAX 256u
#define TABLE_COUNT 4u /* of each class */

typedef struct walk {
    uint32_t defined[2]; /* bits: numbers of DC and AC tables that have been given */
    bool progressive, scans;
} walk;

static bool tables_fit(walk *w, const uint8_t *at, const uint8_t *end)
{
    while (end - at >= TABLE_HEAD) {
        uint32_t count = 0;
        for (uint32_t i = 1; i < TABLE_HEAD; ++i) {
            count += at[i];
        }
        uint32_t class = at[0] >> 4, number = at[0] & 15;
        if (class > 1 || number >= TABLE_COUNT || count > SYMBOLS_MAX || (ptrdiff_t)(count + TABLE_HEAD) > end - at) {
            return false;
        }
        w->defined[class] |= 1u << number;
        at += TABLE_HEAD + count;
    }
    return true;
}

/* The header of a scan: count, then component and tables of each, then first and last coefficient and precision. */
static bool scan_has_tables(const walk *w, const uint8_t *at, const uint8_t *end)
{
    if (end - at < 1 || end - at < 4 + 2 * (ptrdiff_t)at[0]) {
        return false;
    }
    const uint8_t *last = at + 1 + 2 * (ptrdiff_t)at[0];
    bool dc = !w->progressive || (last[0] == 0 && last[2] >> 4 == 0), ac = !w->progressive || last[0] > 0;
    for (uint32_t i = 0; i < at[0]; ++i) {
        uint8_t tables = at[2 + 2 * i];
        if ((dc && !(w->defined[0] >> (tables >> 4) & 1)) || (ac && !(w->defined[1] >> (tables & 15) & 1))) {
            return false;
        }
    }
    return true;
}

bool jpeg_is_safe(const uint8_t *bytes, uint64_t size)
{
    if (size < 4 || bytes[0] != 0xff || bytes[1] != 0xd8) {
        return true;
    }
    walk w = { { 0 }, false, false };
    const uint8_t *end = bytes + size;
    for (const uint8_t *at = bytes + 2; end - at >= 4;) {
        if (at[0] != 0xff || at[1] == 0xff || at[1] == 0) {
            ++at;
            continue;
        }
        uint32_t length = (uint32_t)at[2] << 8 | at[3];
        const uint8_t *segment_end = (ptrdiff_t)length + 2 < end - at ? at + length + 2 : end;
        bool safe = true;
        if (at[1] == MARKER_DHT) {
            safe = length >= 2 && tables_fit(&w, at + 4, segment_end);
        } else if (at[1] == MARKER_SOS) {
            safe = length >= 2 && scan_has_tables(&w, at + 4, segment_end);
            w.scans = true;
        } else if (at[1] == MARKER_SOF2) {
            w.progressive = true;
        }
        if (!safe) {
            return false;
        }
        at = w.scans || length < 2 ? at + 2 : segment_end;
    }
    return true;
}
