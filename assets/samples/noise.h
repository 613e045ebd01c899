// Tileable noise and small maths for the sample content.
//
// Everything here gives the same bits on each machine: integer hashes, and floats in plain IEEE operations only. libm's
// sin, pow and exp are avoided because their last bit depends on the processor (glibc picks variants with fused
// multiply-add at run time), and the build turns contraction off. Noise is periodic: a coordinate in lattice units
// wraps after `period` cells, so textures tile without a seam. All functions are pure and may be called from any
// thread.
#ifndef SAMPLES_NOISE_H
#define SAMPLES_NOISE_H

#include <math.h>
#include <stdint.h>

// Nearest feature points around a position; distances in cells.
struct noise_cell {
    float nearest;
    float second;
    uint32_t id; // hash of the nearest point, for its colour or height
};

static inline uint32_t noise_hash(uint32_t x, uint32_t y, uint32_t seed)
{
    uint32_t hash = x * 0x8da6b343u ^ y * 0xd8163841u ^ seed * 0xcb1ab31fu;
    hash ^= hash >> 15;
    hash *= 0x2c1b3c6du;
    hash ^= hash >> 12;
    hash *= 0x297a2d39u;
    return hash ^ hash >> 15;
}

// A number in [0, 1) from a hash; `salt` gives independent ones from the same hash.
static inline float noise_unit(uint32_t hash, uint32_t salt)
{
    return (float)(noise_hash(hash, salt, 0x51ed27u) >> 8) * (1.0f / 16777216.0f);
}

static inline float clampf(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

static inline float mixf(float a, float b, float t)
{
    return a + (b - a) * t;
}

// 0 below `low`, 1 above `high`, smooth between; falls where low > high.
static inline float smoothf(float low, float high, float x)
{
    float t = clampf((x - low) / (high - low), 0.0f, 1.0f);
    return t * t * (3.0f - 2.0f * t);
}

static inline float fractf(float x)
{
    return x - floorf(x);
}

static inline int noise_wrap(int index, int period)
{
    int rest = index % period;
    return rest < 0 ? rest + period : rest;
}

// sin and cos of an angle in turns (1 is a full circle).
static inline float sin_turns(float turns)
{
    double x = (double)turns - floor((double)turns + 0.5);
    x = x > 0.25 ? 0.5 - x : x < -0.25 ? -0.5 - x : x;
    double a = x * 6.283185307179586, square = a * a;
    return (float)(a * (1 + square * (-1.0 / 6 + square * (1.0 / 120 + square * (-1.0 / 5040 + square / 362880)))));
}

static inline float cos_turns(float turns)
{
    return sin_turns(turns + 0.25f);
}

float noise_gradient(float x, float y, int period_x, int period_y, uint32_t seed); // about -1 to 1
float noise_value(float x, float y, int period_x, int period_y, uint32_t seed); // 0 to 1

// Octaves of gradient noise over the unit square: `period` cells in the first octave, doubling; about -1 to 1.
float noise_fbm(float u, float v, int period, int octaves, uint32_t seed);
float noise_fbm_stretched(float u, float v, int period_x, int period_y, int octaves, uint32_t seed);
// Ridges: 1 on the crest of a crack or vein, falling to about 0 between.
float noise_ridge(float u, float v, int period, int octaves, uint32_t seed);

struct noise_cell noise_cells(float u, float v, int period_x, int period_y, float jitter, uint32_t seed);

#endif
