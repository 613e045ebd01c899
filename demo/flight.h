/* flight.h - the automatic flight: a smooth walk through all halls that looks at the exhibits; in a cabinet, at one
 * after the other. Pure. */
#ifndef VIEW_FLIGHT_H
#define VIEW_FLIGHT_H

#include "world.h"

typedef struct flight {
    vec3 *points; /* way points at eye height, looped there and back */
    float *lengths; /* from the first point; lengths[count - 1] is the whole way */
    uint32_t count;
    float position; /* metres along the way */
    float walked; /* metres, there and back */
    vec3 looking; /* smoothed direction */
    uint32_t seed;
    bool backward;
} flight;

/* seed 0 starts at the entrance; others somewhere on the way. */
bool flight_create(const world *w, uint32_t seed, flight *f);
void flight_destroy(flight *f);
/* Goes on somewhere else, and looks there at once. */
void flight_jump(flight *f);
/* Advances by seconds; gives eye and direction. */
void flight_step(flight *f, const world *w, float seconds, float speed, vec3 *eye, vec3 *forward);

#endif
