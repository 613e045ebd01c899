/* sim_random.h - the generator that seeds are drawn from: SplitMix64 (Steele, Lea and Flood, 2014). */
#ifndef LEAT_SIM_RANDOM_H
#define LEAT_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t random_begin(uint64_t number)
{
    return number * UINT64_C(0x2545f4914f6cdd1d) + 1;
}

static inline uint64_t random_draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t random_below(uint64_t *state, uint64_t bound)
{
    return random_draw(state) % bound;
}

static inline bool random_chance(uint64_t *state, uint32_t percent)
{
    return random_below(state, 100) < percent;
}

#endif
