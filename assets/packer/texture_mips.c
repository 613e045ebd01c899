/* texture_mips.c - mip chains: each level is the one above it, halved by stb_image_resize.
 *
 * Colour is filtered in linear light and weighted by alpha; data as numbers; normals are renormalised after each step.
 * Of cut-outs, filtered alpha fades with distance (leaves vanish), so the alpha of each level is scaled until as many
 * texels pass the cutoff as in the largest (Castano, "Computing Alpha Mipmaps", 2010). */
#include "texture.h"
#include "base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <stb_image_resize.h>

#define CUTOFF 128u
#define COVERAGE_STEPS 10u /* of the bisection: alpha's scale to 1/256 of its range */

static void renormalise(texture_level *level)
{
    uint64_t count = (uint64_t)level->width * level->height;
    for (uint64_t i = 0; i < count; ++i) {
        uint8_t *p = level->pixels + i * 4;
        float v[3], length = 0;
        for (int c = 0; c < 3; ++c) {
            v[c] = (float)p[c] / 127.5f - 1;
            length += v[c] * v[c];
        }
        length = sqrtf(length);
        for (int c = 0; c < 3 && length > 1e-4f; ++c) {
            p[c] = (uint8_t)lrintf((v[c] / length + 1) * 127.5f);
        }
    }
}

/* Share of texels whose alpha, scaled, passes the cutoff. */
static double coverage(const texture_level *level, double scale)
{
    uint64_t count = (uint64_t)level->width * level->height, passing = 0;
    for (uint64_t i = 0; i < count; ++i) {
        passing += level->pixels[i * 4 + 3] * scale >= CUTOFF;
    }
    return (double)passing / (double)count;
}

static void coverage_restore(texture_level *level, double wanted)
{
    double low = 0, high = 4;
    for (uint32_t i = 0; i < COVERAGE_STEPS; ++i) {
        double middle = (low + high) / 2;
        if (coverage(level, middle) < wanted) {
            low = middle;
        } else {
            high = middle;
        }
    }
    uint64_t count = (uint64_t)level->width * level->height;
    for (uint64_t i = 0; i < count; ++i) {
        double alpha = level->pixels[i * 4 + 3] * high;
        level->pixels[i * 4 + 3] = (uint8_t)(alpha > 255 ? 255 : alpha + 0.5);
    }
}

static bool halve(const texture_chain *chain, const texture_level *from, texture_level *to)
{
    *to = (texture_level){ .width = from->width > 1 ? from->width / 2 : 1,
                           .height = from->height > 1 ? from->height / 2 : 1 };
    size_t count = (size_t)to->width * to->height * 4;
    bool color = chain->usage == TEXTURE_USAGE_COLOR;
    int alpha = color && chain->alpha ? 3 : STBIR_ALPHA_CHANNEL_NONE;
    if (from->pixels_float != NULL) {
        to->pixels_float = malloc(count * sizeof(float));
        return to->pixels_float != NULL &&
               stbir_resize_float_generic(from->pixels_float, (int)from->width, (int)from->height, 0, to->pixels_float,
                                          (int)to->width, (int)to->height, 0, 4, STBIR_ALPHA_CHANNEL_NONE, 0,
                                          STBIR_EDGE_CLAMP, STBIR_FILTER_BOX, STBIR_COLORSPACE_LINEAR, NULL) != 0;
    }
    to->pixels = malloc(count);
    bool ok =
        to->pixels != NULL &&
        stbir_resize_uint8_generic(from->pixels, (int)from->width, (int)from->height, 0, to->pixels, (int)to->width,
                                   (int)to->height, 0, 4, alpha, 0, STBIR_EDGE_CLAMP, STBIR_FILTER_MITCHELL,
                                   color ? STBIR_COLORSPACE_SRGB : STBIR_COLORSPACE_LINEAR, NULL) != 0;
    if (ok && !chain->alpha) { /* without an alpha channel, stb filters alpha as a colour: exactly 255 stays 255 */
        for (size_t i = 3; i < count; i += 4) {
            to->pixels[i] = 255;
        }
    }
    if (ok && chain->usage == TEXTURE_USAGE_NORMAL) {
        renormalise(to);
    }
    return ok;
}

bool texture_mips_make(texture_chain *chain)
{
    uint32_t count_max = chain->level_count_max > 0 ? chain->level_count_max : TEXTURE_LEVELS_MAX;
    while (chain->level_count < u32_min(count_max, TEXTURE_LEVELS_MAX)) {
        const texture_level *last = &chain->levels[chain->level_count - 1];
        if (last->width == 1 && last->height == 1) {
            break;
        }
        if (!halve(chain, last, &chain->levels[chain->level_count++])) {
            return false;
        }
    }
    if (chain->cutout) { /* only now: the scaled alpha must not be filtered again */
        double wanted = coverage(&chain->levels[0], 1);
        for (uint32_t i = 1; i < chain->level_count; ++i) {
            coverage_restore(&chain->levels[i], wanted);
        }
    }
    return true;
}

void texture_chain_free(texture_chain *chain)
{
    for (uint32_t i = 0; i < chain->level_count; ++i) {
        free(chain->levels[i].pixels);
        free(chain->levels[i].pixels_float);
    }
    *chain = (texture_chain){ 0 };
}
