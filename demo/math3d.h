/* math3d.h - the little linear algebra that the viewer needs. Right-handed, +Y up; matrices are column-major, as GL's.
 */
#ifndef VIEW_MATH3D_H
#define VIEW_MATH3D_H

#include <math.h>
#include <stdbool.h>

typedef struct vec3 {
    float x, y, z;
} vec3;
typedef struct mat4 {
    float m[16];
} mat4;

#define PI_F 3.14159265358979f

static inline float f_min(float a, float b)
{
    return a < b ? a : b;
}
static inline float f_max(float a, float b)
{
    return a > b ? a : b;
}
static inline float f_clamp(float v, float lo, float hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}
static inline float f_mix(float a, float b, float t)
{
    return a + (b - a) * t;
}

static inline vec3 v3(float x, float y, float z)
{
    return (vec3){ x, y, z };
}
static inline vec3 v3_add(vec3 a, vec3 b)
{
    return v3(a.x + b.x, a.y + b.y, a.z + b.z);
}
static inline vec3 v3_sub(vec3 a, vec3 b)
{
    return v3(a.x - b.x, a.y - b.y, a.z - b.z);
}
static inline vec3 v3_scale(vec3 a, float s)
{
    return v3(a.x * s, a.y * s, a.z * s);
}
static inline float v3_dot(vec3 a, vec3 b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}
static inline vec3 v3_cross(vec3 a, vec3 b)
{
    return v3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x);
}
static inline float v3_length(vec3 a)
{
    return sqrtf(v3_dot(a, a));
}
static inline vec3 v3_normalize(vec3 a)
{
    float length = v3_length(a);
    return length > 1e-12f ? v3_scale(a, 1.0f / length) : v3(0, 0, 1);
}
static inline vec3 v3_mix(vec3 a, vec3 b, float t)
{
    return v3_add(a, v3_scale(v3_sub(b, a), t));
}

static inline mat4 mat4_multiply(const mat4 *a, const mat4 *b)
{
    mat4 r;
    for (int column = 0; column < 4; ++column) {
        for (int row = 0; row < 4; ++row) {
            float sum = 0;
            for (int k = 0; k < 4; ++k) {
                sum += a->m[k * 4 + row] * b->m[column * 4 + k];
            }
            r.m[column * 4 + row] = sum;
        }
    }
    return r;
}

static inline mat4 mat4_perspective(float fov_y, float aspect, float near, float far)
{
    float f = 1.0f / tanf(fov_y * 0.5f);
    return (mat4){ { f / aspect, 0, 0, 0, 0, f, 0, 0, 0, 0, (far + near) / (near - far), -1, 0, 0,
                     2 * far * near / (near - far), 0 } };
}

/* World to eye, for an eye that looks along `forward` (unit length, not straight up or down). */
static inline mat4 mat4_look(vec3 eye, vec3 forward)
{
    vec3 right = v3_normalize(v3_cross(forward, v3(0, 1, 0)));
    vec3 up = v3_cross(right, forward);
    return (mat4){ { right.x, up.x, -forward.x, 0, right.y, up.y, -forward.y, 0, right.z, up.z, -forward.z, 0,
                     -v3_dot(right, eye), -v3_dot(up, eye), v3_dot(forward, eye), 1 } };
}

/* Clip coordinates of a point. */
static inline void mat4_project(const mat4 *m, vec3 p, float clip[4])
{
    for (int row = 0; row < 4; ++row) {
        clip[row] = m->m[row] * p.x + m->m[4 + row] * p.y + m->m[8 + row] * p.z + m->m[12 + row];
    }
}

/* A rectangle of the screen in normalised device coordinates; empty if lo >= hi. */
typedef struct screen_rect {
    float x0, y0, x1, y1;
} screen_rect;
static inline bool screen_rect_empty(screen_rect r)
{
    return r.x0 >= r.x1 || r.y0 >= r.y1;
}
static inline screen_rect screen_rect_intersect(screen_rect a, screen_rect b)
{
    return (screen_rect){ f_max(a.x0, b.x0), f_max(a.y0, b.y0), f_min(a.x1, b.x1), f_min(a.y1, b.y1) };
}

#endif
