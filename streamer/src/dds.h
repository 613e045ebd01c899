/* dds.h - what the header of a DDS file says: the texture, and where its levels lie. Pure.
 *
 * Layout: Microsoft, "DDS_HEADER structure" and "DDS_HEADER_DXT10 structure". All bytes are hostile. DDS keeps levels
 * largest first, layer by layer; Leat keeps them smallest first, level by level. Volumes are refused. The packer's
 * import and loose folders share this code. */
#ifndef LEAT_DDS_H
#define LEAT_DDS_H

#include "base.h"

#define DDS_HEADER_SIZE 128u /* with the magic */
#define DDS_DX10_SIZE 20u
#define DDS_READ_SIZE (DDS_HEADER_SIZE + DDS_DX10_SIZE) /* what of a file dds_header_read looks at */

typedef struct dds {
    uint32_t width, height, mip_count, layer_count;
    uint32_t format; /* leat_format */
    bool cube, swap; /* swap: BGRA in the file */
    uint64_t data; /* where texels begin */
} dds;

/* The first bytes of a file of file_size bytes: min(file_size, DDS_READ_SIZE) of them. color: what files that do not
 * tell sRGB from linear are taken for. NULL: *d can be used, and all its texels are in the file; else what is wrong. */
const char *dds_header_read(const uint8_t *bytes, uint64_t file_size, bool color, dds *d);
/* Where level `mip` of layer `layer` lies, from d->data on. */
uint64_t dds_level_offset(const dds *d, uint32_t layer, uint32_t mip);
/* The DXGI_FORMAT of a leat_format; 0: none. */
uint32_t dds_dxgi_of(uint32_t format);

#endif
