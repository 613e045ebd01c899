/* bc.h - decodes BC1 to BC5 blocks on the CPU, for drivers without S3TC. Pure. */
#ifndef VIEW_BC_H
#define VIEW_BC_H

#include <leat/leat.h>

/* True for the formats that bc_decode knows. */
bool bc_can_decode(leat_format format);

/* One row of blocks, `width` texels wide, to at most four rows of RGBA8 (`height` of them), tightly packed. */
void bc_decode_row(leat_format format, const uint8_t *blocks, uint32_t width, uint32_t height, uint8_t *rgba);

#endif
