/* encoder_id.h - which code makes the assets: another id means that the same sources may give other bytes. */
#ifndef LEAT_PACKER_ENCODER_ID_H
#define LEAT_PACKER_ENCODER_ID_H

#include <stdint.h>

/* Of what of this program has a part in it, of all libraries that are loaded into it (LZ4, meshoptimizer, Assimp,
 * stb_image, the C library ...) and of what they may use of this processor. Any thread. */
void encoder_id(uint64_t id[2]);

#endif
