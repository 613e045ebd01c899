/* jpeg_check.h - what stb_image 2.27 takes on trust in a JPEG file.
 *
 * It believes the counts of Huffman tables and writes behind its own, and it decodes by tables that no segment has
 * given, which are whatever memory held. So each table must fit, and each scan's tables must be there before it. */
#ifndef LEAT_PACKER_JPEG_CHECK_H
#define LEAT_PACKER_JPEG_CHECK_H

#include <stdbool.h>
#include <stdint.h>

/* True for files that are no JPEG as well. */
bool jpeg_is_safe(const uint8_t *bytes, uint64_t size);

#endif
