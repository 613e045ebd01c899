// Tileable gradient, value and cellular noise; see noise.h for what it promises.
#include "noise.h"

static float fade(float t)
{
    return t * t * t * (t * (t * 6.0f - 15.0f) + 10.0f);
}

static float gradient_at(int x, int y, float dx, float dy, uint32_t seed)
{
    // Sixteen directions: unit vectors at multiples of 22.5 degrees.
    static const float directions[16][2] = {
        { 1, 0 },  { 0.92388f, 0.38268f },   { 0.70711f, 0.70711f },   { 0.38268f, 0.92388f },
        { 0, 1 },  { -0.38268f, 0.92388f },  { -0.70711f, 0.70711f },  { -0.92388f, 0.38268f },
        { -1, 0 }, { -0.92388f, -0.38268f }, { -0.70711f, -0.70711f }, { -0.38268f, -0.92388f },
        { 0, -1 }, { 0.38268f, -0.92388f },  { 0.70711f, -0.70711f },  { 0.92388f, -0.38268f },
    };
    const float *direction = directions[noise_hash((uint32_t)x, (uint32_t)y, seed) >> 28];
    return direction[0] * dx + direction[1] * dy;
}

float noise_gradient(float x, float y, int period_x, int period_y, uint32_t seed)
{
    float floor_x = floorf(x), floor_y = floorf(y);
    float dx = x - floor_x, dy = y - floor_y;
    int x0 = noise_wrap((int)floor_x, period_x), y0 = noise_wrap((int)floor_y, period_y);
    int x1 = x0 + 1 == period_x ? 0 : x0 + 1, y1 = y0 + 1 == period_y ? 0 : y0 + 1;
    float s = fade(dx), t = fade(dy);
    float top = mixf(gradient_at(x0, y0, dx, dy, seed), gradient_at(x1, y0, dx - 1, dy, seed), s);
    float bottom = mixf(gradient_at(x0, y1, dx, dy - 1, seed), gradient_at(x1, y1, dx - 1, dy - 1, seed), s);
    return mixf(top, bottom, t) * 1.5f;
}

float noise_value(float x, float y, int period_x, int period_y, uint32_t seed)
{
    float floor_x = floorf(x), floor_y = floorf(y);
    int x0 = noise_wrap((int)floor_x, period_x), y0 = noise_wrap((int)floor_y, period_y);
    int x1 = x0 + 1 == period_x ? 0 : x0 + 1, y1 = y0 + 1 == period_y ? 0 : y0 + 1;
    float s = fade(x - floor_x), t = fade(y - floor_y);
    float a = noise_unit(noise_hash((uint32_t)x0, (uint32_t)y0, seed), 0);
    float b = noise_unit(noise_hash((uint32_t)x1, (uint32_t)y0, seed), 0);
    float c = noise_unit(noise_hash((uint32_t)x0, (uint32_t)y1, seed), 0);
    float d = noise_unit(noise_hash((uint32_t)x1, (uint32_t)y1, seed), 0);
    return mixf(mixf(a, b, s), mixf(c, d, s), t);
}

float noise_fbm_stretched(float u, float v, int period_x, int period_y, int octaves, uint32_t seed)
{
    float sum = 0, amplitude = 0.55f;
    for (int octave = 0; octave < octaves; octave++) {
        sum += amplitude * noise_gradient(u * (float)period_x, v * (float)period_y, period_x, period_y,
                                          seed + (uint32_t)octave * 101u);
        amplitude *= 0.5f;
        period_x *= 2;
        period_y *= 2;
    }
    return sum;
}

float noise_fbm(float u, float v, int period, int octaves, uint32_t seed)
{
    return noise_fbm_stretched(u, v, period, period, octaves, seed);
}

float noise_ridge(float u, float v, int period, int octaves, uint32_t seed)
{
    float sum = 0, amplitude = 0.6f;
    for (int octave = 0; octave < octaves; octave++) {
        float ridge = 1.0f - fabsf(noise_gradient(u * (float)period, v * (float)period, period, period,
                                                  seed + (uint32_t)octave * 57u));
        sum += amplitude * ridge * ridge * ridge;
        amplitude *= 0.45f;
        period *= 2;
    }
    return clampf(sum, 0.0f, 1.0f);
}

struct noise_cell noise_cells(float u, float v, int period_x, int period_y, float jitter, uint32_t seed)
{
    struct noise_cell cell = { .nearest = 9, .second = 9 };
    float x = u * (float)period_x, y = v * (float)period_y;
    int cell_x = (int)floorf(x), cell_y = (int)floorf(y);
    for (int j = -1; j <= 1; j++) {
        for (int i = -1; i <= 1; i++) {
            uint32_t hash = noise_hash((uint32_t)noise_wrap(cell_x + i, period_x),
                                       (uint32_t)noise_wrap(cell_y + j, period_y), seed);
            float offset_x = (float)(hash & 0xffff) * (1.0f / 65536.0f) - 0.5f;
            float offset_y = (float)(hash >> 16) * (1.0f / 65536.0f) - 0.5f;
            float dx = (float)(cell_x + i) + 0.5f + offset_x * jitter - x;
            float dy = (float)(cell_y + j) + 0.5f + offset_y * jitter - y;
            float distance = dx * dx + dy * dy;
            if (distance < cell.nearest) {
                cell.second = cell.nearest;
                cell.nearest = distance;
                cell.id = hash;
            } else if (distance < cell.second) {
                cell.second = distance;
            }
        }
    }
    cell.nearest = sqrtf(cell.nearest);
    cell.second = sqrtf(cell.second);
    return cell;
}
