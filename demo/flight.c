/* flight.c - Catmull-Rom through doors and halls; the gaze follows the exhibits, left and right in turn. */
#include "flight.h"

#include <stdlib.h>

#define EYE_HEIGHT 1.75f
#define SWAY 0.75f
#define SWAY_LENGTH 13.0f
#define GAZE_AHEAD 3.6f
#define LOOK_AHEAD 4.5f /* cuts corners: one looks through the door before one turns */
#define END_SPACE 5.0f /* the walk ends before the last wall */
#define GAZE_SECONDS 1.1f
#define CABINET_PACE 0.3f /* of the speed: who looks around takes small steps */
#define CABINET_METRES 2.6f /* for each exhibit */
#define JUMP_PART 0.382f /* of the way: the golden section, so that many jumps go everywhere */

static void point_add(flight *f, vec3 p)
{
    if (f->count > 0 && v3_length(v3_sub(p, f->points[f->count - 1])) < 0.5f) {
        return;
    }
    f->points[f->count++] = p;
}

bool flight_create(const world *w, uint32_t seed, flight *f)
{
    *f = (flight){ .seed = seed };
    uint32_t capacity = w->hall_count * 5 + 4;
    f->points = calloc(capacity, sizeof *f->points);
    f->lengths = calloc(capacity, sizeof *f->lengths);
    if (f->points == NULL || f->lengths == NULL) {
        flight_destroy(f);
        return false;
    }
    for (uint32_t i = 0; i < w->hall_count; ++i) {
        const world_hall *hall = &w->halls[i];
        float z = (hall->z0 + hall->z1) * 0.5f, inset = 1.3f;
        float first = hall->reversed ? hall->x1 - inset : hall->x0 + inset;
        float last = hall->reversed ? hall->x0 + inset : hall->x1 - inset;
        if (i + 1 == w->hall_count) {
            last += (hall->reversed ? 1.0f : -1.0f) * f_min(END_SPACE, (hall->x1 - hall->x0) * 0.4f);
        }
        bool turn_in = i > 0 && w->doors[i - 1].along_z, turn_out = i + 1 < w->hall_count && w->doors[i].along_z;
        if (turn_in) {
            first = w->doors[i - 1].center.x;
            point_add(f, v3(first, EYE_HEIGHT, hall->z0 + inset));
        }
        point_add(f, v3(first, EYE_HEIGHT, z));
        point_add(f, v3((first + last) * 0.5f, EYE_HEIGHT, z));
        if (turn_out) {
            last = w->doors[i].center.x;
            point_add(f, v3(last, EYE_HEIGHT, z));
            point_add(f, v3(last, EYE_HEIGHT, hall->z1 - inset));
        } else {
            point_add(f, v3(last, EYE_HEIGHT, z));
        }
    }
    for (uint32_t i = 1; i < f->count; ++i) {
        f->lengths[i] = f->lengths[i - 1] + v3_length(v3_sub(f->points[i], f->points[i - 1]));
    }
    if (f->count > 1 && seed > 0) {
        uint32_t mixed = seed * 2654435761u;
        f->position = f->lengths[f->count - 1] * (float)(mixed >> 8) / 16777216.0f;
    }
    return f->count > 0;
}

void flight_destroy(flight *f)
{
    free(f->points);
    free(f->lengths);
    *f = (flight){ 0 };
}

static vec3 spline(vec3 a, vec3 b, vec3 c, vec3 d, float t)
{
    float t2 = t * t, t3 = t2 * t;
    vec3 r = v3_scale(b, 2);
    r = v3_add(r, v3_scale(v3_sub(c, a), t));
    r = v3_add(r, v3_scale(v3_add(v3_sub(v3_scale(a, 2), v3_scale(b, 5)), v3_sub(v3_scale(c, 4), d)), t2));
    r = v3_add(r, v3_scale(v3_add(v3_sub(v3_scale(b, 3), a), v3_sub(d, v3_scale(c, 3))), t3));
    return v3_scale(r, 0.5f);
}

static vec3 way_at(const flight *f, float position)
{
    if (f->count == 1) {
        return f->points[0];
    }
    position = f_clamp(position, 0, f->lengths[f->count - 1]);
    uint32_t i = 0, end = f->count - 1;
    while (end - i > 1) {
        uint32_t middle = (i + end) / 2;
        if (f->lengths[middle] <= position) {
            i = middle;
        } else {
            end = middle;
        }
    }
    float t = (position - f->lengths[i]) / f_max(f->lengths[i + 1] - f->lengths[i], 1e-3f);
    vec3 a = f->points[i > 0 ? i - 1 : 0], d = f->points[i + 2 < f->count ? i + 2 : f->count - 1];
    return spline(a, f->points[i], f->points[i + 1], d, t);
}

/* The side to side of somebody who strolls; dies out towards walls and in doors. */
static vec3 swayed(const world *w, const flight *f, float position)
{
    vec3 p = way_at(f, position), ahead = way_at(f, position + 0.5f), behind = way_at(f, position - 0.5f);
    vec3 along = v3_normalize(v3_sub(ahead, behind));
    vec3 side = v3(-along.z, 0, along.x);
    const world_hall *hall = &w->halls[world_hall_at(w, p, WORLD_NONE)];
    float room = f_min(f_min(p.x - hall->x0, hall->x1 - p.x), f_min(p.z - hall->z0, hall->z1 - p.z));
    float sway = SWAY * f_clamp((room - 0.4f) / 2.5f, 0, 1) * sinf(position / SWAY_LENGTH * 2 * PI_F);
    vec3 result = v3_add(p, v3_scale(side, sway));
    result.y += 0.06f * sinf(position * 1.7f);
    return result;
}

/* The exhibit that is best to look at: a little ahead, on the side whose turn it is; in a cabinet, whose turn it is. */
static vec3 gaze(const world *w, const flight *f, vec3 eye, vec3 along, float position)
{
    if (w->cabinet) {
        uint32_t turn = (f->seed + (uint32_t)(f->walked / CABINET_METRES)) % w->exhibit_count;
        return v3_normalize(v3_sub(w->exhibits[turn].center, eye));
    }
    uint32_t hall = world_hall_at(w, eye, WORLD_NONE);
    vec3 spot = v3_add(eye, v3_scale(along, GAZE_AHEAD));
    vec3 side = v3(-along.z, 0, along.x);
    float turn = sinf(position / 17.0f * 2 * PI_F + (float)f->seed) > 0 ? 1.0f : -1.0f;
    const world_exhibit *best = NULL;
    float best_cost = 9.0f;
    for (uint32_t i = 0; hall < w->hall_count && i < w->halls[hall].exhibit_count; ++i) {
        const world_exhibit *e = &w->exhibits[w->halls[hall].exhibit_first + i];
        vec3 to = v3_sub(e->center, eye);
        float ahead = v3_dot(to, along);
        if (ahead < 1.0f) {
            continue;
        }
        float cost = v3_length(v3_sub(e->center, spot)) * 0.6f + (v3_dot(to, side) * turn < 0 ? 2.5f : 0) +
                     fabsf(ahead - 5.0f) * 0.5f + (e->center.y > 3 ? 3.0f : 0);
        if (cost < best_cost) {
            best_cost = cost;
            best = e;
        }
    }
    vec3 onward = v3_normalize(v3_add(v3_scale(along, 3.0f), v3(0, -0.04f, 0)));
    if (best == NULL) {
        return onward;
    }
    vec3 at = v3_normalize(v3_sub(best->center, eye));
    return v3_normalize(v3_mix(onward, at, 0.62f));
}

void flight_jump(flight *f)
{
    float whole = f->lengths[f->count - 1];
    f->position += whole * JUMP_PART;
    f->position -= f->position > whole ? whole : 0;
    f->walked += CABINET_METRES;
    f->looking = v3(0, 0, 0);
}

void flight_step(flight *f, const world *w, float seconds, float speed, vec3 *eye, vec3 *forward)
{
    float whole = f->lengths[f->count - 1];
    float step = seconds * speed * (w->cabinet ? CABINET_PACE : 1.0f);
    f->walked += step;
    f->position += step * (f->backward ? -1.0f : 1.0f);
    if (f->position >= whole || f->position <= 0) {
        f->backward = f->position > 0 && whole > 0;
        f->position = f_clamp(f->position, 0, whole);
    }
    *eye = swayed(w, f, f->position);
    vec3 ahead = way_at(f, f->position + (f->backward ? -LOOK_AHEAD : LOOK_AHEAD)), here = way_at(f, f->position);
    vec3 along = v3_sub(ahead, here);
    along.y = 0;
    along = v3_length(along) > 0.05f ? v3_normalize(along) : v3_length(f->looking) > 0.5f ? f->looking : v3(1, 0, 0);
    vec3 target = gaze(w, f, *eye, along, f->position);
    if (v3_length(f->looking) < 0.5f) {
        f->looking = target;
    }
    float follow = 1.0f - expf(-seconds / GAZE_SECONDS);
    f->looking = v3_normalize(v3_mix(f->looking, target, follow));
    *forward = f->looking;
}
