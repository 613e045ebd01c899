/* texture.h - the steps from an image to a texture asset: usage, mips, encoding. Pure functions on the caller's memory;
 * no state, any thread. */
#ifndef LEAT_PACKER_TEXTURE_H
#define LEAT_PACKER_TEXTURE_H

#include "import.h"
#include "options.h"

#define TEXTURE_EDGE_MAX 16384u
#define TEXTURE_LEVELS_MAX 15u /* of TEXTURE_EDGE_MAX */

/* A level of a texture: RGBA8, or RGBA in float where pixels_float is set. Owned. */
typedef struct texture_level {
    uint32_t width, height;
    uint8_t *pixels;
    float *pixels_float;
} texture_level;

typedef struct texture_chain {
    texture_level levels[TEXTURE_LEVELS_MAX]; /* [0] is the largest */
    uint32_t level_count;
    uint32_t level_count_max; /* how many mips are made; 0: all */
    texture_usage usage;
    bool alpha; /* some texel is not opaque */
    bool cutout; /* alpha is nearly binary */
} texture_chain;

/* texture_usage.c: what a file's name says ("_n", "-normal", "_rough"...); UNKNOWN if nothing. */
texture_usage texture_usage_by_name(const char *name);
/* Who says how a texture is used. The texels may overrule a name, and a material's "one channel"; a rule is obeyed. */
typedef enum texture_usage_source { USAGE_BY_NAME = 0, USAGE_BY_MATERIAL, USAGE_BY_RULE } texture_usage_source;
/* Settles usage and alpha flags from levels[0] and what is said. */
void texture_usage_settle(texture_chain *chain, texture_usage usage, texture_usage_source source);

/* texture_mips.c: fills levels[1..] from levels[0]. False: out of memory. */
bool texture_mips_make(texture_chain *chain);

/* texture_encode.c: the chain as an asset (all but its name). False: out of memory. */
bool texture_encode(const texture_chain *chain, texture_format format, import_asset *asset);
/* One block-compressed or plain level to RGBA8 (BC1 to BC5, RGBA8, R8, RG8). False: a format that it does not read. */
bool texture_decode(uint32_t format, uint32_t width, uint32_t height, const uint8_t *from, uint8_t *rgba);
uint16_t half_from_float(float value);
float float_from_half(uint16_t half);

void texture_chain_free(texture_chain *chain);

/* texture_dds.c: hostile bytes of a DDS file to an asset without name; on false, *why says what is wrong. */
bool texture_dds_read(const uint8_t *bytes, uint64_t size, texture_usage usage, uint32_t mip_count_max,
                      import_asset *asset, const char **why);
/* The whole texture as a DDS file (malloc'ed), from the raw bytes of an asset. NULL: out of memory. */
uint8_t *texture_dds_write(const leat_pack_texture_metadata *m, const uint8_t *raw, uint64_t raw_size, uint64_t *size);

#endif
