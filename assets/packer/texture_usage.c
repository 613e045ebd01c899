/* texture_usage.c - what a texture is for, by its name and by its texels.
 *
 * A name is a guess: "_n" may be a normal map or the letter n. So normal maps known by name only must look like unit
 * vectors, and masks must be grey; what does not, is colour or data. */
#include "texture.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#define STEM_SIZE_MAX 256u
#define CUTOUT_SHARE 0.95 /* of the texels have an alpha near 0 or 255, and at least a few are near 0 */
#define NORMAL_SHARE 0.90 /* of the texels are within NORMAL_LENGTH_ERROR of unit length */
#define NORMAL_LENGTH_ERROR 0.25

typedef struct suffix {
    const char *text; /* behind '_' or '-' */
    texture_usage usage;
} suffix;

static const suffix suffixes[] = {
    { "n", TEXTURE_USAGE_NORMAL },
    { "normal", TEXTURE_USAGE_NORMAL },
    { "normals", TEXTURE_USAGE_NORMAL },
    { "nrm", TEXTURE_USAGE_NORMAL },
    { "norm", TEXTURE_USAGE_NORMAL },
    { "nor", TEXTURE_USAGE_NORMAL },
    { "normalmap", TEXTURE_USAGE_NORMAL },
    { "nmap", TEXTURE_USAGE_NORMAL },
    { "rough", TEXTURE_USAGE_MASK },
    { "roughness", TEXTURE_USAGE_MASK },
    { "r", TEXTURE_USAGE_MASK },
    { "metal", TEXTURE_USAGE_MASK },
    { "metallic", TEXTURE_USAGE_MASK },
    { "metalness", TEXTURE_USAGE_MASK },
    { "ao", TEXTURE_USAGE_MASK },
    { "occlusion", TEXTURE_USAGE_MASK },
    { "height", TEXTURE_USAGE_MASK },
    { "h", TEXTURE_USAGE_MASK },
    { "bump", TEXTURE_USAGE_MASK },
    { "disp", TEXTURE_USAGE_MASK },
    { "displacement", TEXTURE_USAGE_MASK },
    { "gloss", TEXTURE_USAGE_MASK },
    { "glossiness", TEXTURE_USAGE_MASK },
    { "mask", TEXTURE_USAGE_MASK },
    { "orm", TEXTURE_USAGE_DATA },
    { "arm", TEXTURE_USAGE_DATA },
    { "rma", TEXTURE_USAGE_DATA },
    { "mr", TEXTURE_USAGE_DATA },
    { "metallicroughness", TEXTURE_USAGE_DATA },
    { "roughnessmetallic", TEXTURE_USAGE_DATA },
    { "occlusionroughnessmetallic", TEXTURE_USAGE_DATA },
};

texture_usage texture_usage_by_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *base = slash == NULL ? name : slash + 1;
    const char *dot = strrchr(base, '.');
    size_t size = dot == NULL ? strlen(base) : (size_t)(dot - base);
    char stem[STEM_SIZE_MAX];
    if (size >= sizeof(stem)) {
        return TEXTURE_USAGE_UNKNOWN;
    }
    memcpy(stem, base, size);
    stem[size] = '\0';
    const char *at = stem + size;
    while (at > stem && at[-1] != '_' && at[-1] != '-' && at[-1] != ' ') {
        --at;
    }
    for (uint32_t i = 0; at > stem && i < sizeof(suffixes) / sizeof(suffixes[0]); ++i) {
        if (strcasecmp(at, suffixes[i].text) == 0) {
            return suffixes[i].usage;
        }
    }
    size_t stem_size = strlen(stem); /* "brickNormal": without a separator, only the long words */
    bool normal = stem_size > 6 && strcasecmp(stem + stem_size - 6, "normal") == 0;
    return normal ? TEXTURE_USAGE_NORMAL : TEXTURE_USAGE_UNKNOWN;
}

static bool looks_normal(const texture_level *level)
{
    uint64_t count = (uint64_t)level->width * level->height;
    uint64_t unit = 0;
    for (uint64_t i = 0; i < count; ++i) {
        const uint8_t *p = level->pixels + i * 4;
        double x = p[0] / 127.5 - 1, y = p[1] / 127.5 - 1, z = p[2] / 127.5 - 1;
        double length = sqrt(x * x + y * y + z * z);
        unit += z > -0.01 && fabs(length - 1) < NORMAL_LENGTH_ERROR;
    }
    return (double)unit >= NORMAL_SHARE * (double)count;
}

static bool is_grey(const texture_level *level)
{
    uint64_t count = (uint64_t)level->width * level->height;
    for (uint64_t i = 0; i < count; ++i) {
        const uint8_t *p = level->pixels + i * 4;
        if (p[0] != p[1] || p[1] != p[2] || p[3] != 255) {
            return false;
        }
    }
    return true;
}

static void settle_alpha(texture_chain *chain)
{
    const texture_level *level = &chain->levels[0];
    uint64_t count = (uint64_t)level->width * level->height;
    uint64_t binary = 0, clear = 0, opaque = 0;
    for (uint64_t i = 0; i < count; ++i) {
        uint8_t alpha = level->pixels[i * 4 + 3];
        clear += alpha <= 8;
        binary += alpha <= 8 || alpha >= 247;
        opaque += alpha == 255;
    }
    chain->alpha = opaque != count;
    chain->cutout = chain->alpha && clear > 0 && clear < count && (double)binary >= CUTOUT_SHARE * (double)count;
}

void texture_usage_settle(texture_chain *chain, texture_usage usage, texture_usage_source source)
{
    const texture_level *level = &chain->levels[0];
    chain->usage = usage == TEXTURE_USAGE_UNKNOWN ? TEXTURE_USAGE_COLOR : usage;
    if (level->pixels == NULL) { /* HDR: linear colour */
        return;
    }
    settle_alpha(chain);
    if (chain->usage == TEXTURE_USAGE_NORMAL && source == USAGE_BY_NAME && !looks_normal(level)) {
        chain->usage = TEXTURE_USAGE_COLOR;
    }
    if (chain->usage == TEXTURE_USAGE_MASK && source != USAGE_BY_RULE && !is_grey(level)) {
        chain->usage = source == USAGE_BY_NAME ? TEXTURE_USAGE_COLOR : TEXTURE_USAGE_DATA;
    }
    if (chain->usage != TEXTURE_USAGE_COLOR) {
        chain->cutout = false;
    }
}
