/* sim_tally.c - see sim_tally.h. */
#include "sim_tally.h"

static const char *const texts[TALLY_COUNT] = {
#define X(name, text) [TALLY_##name] = (text),
    SIM_TALLIES(X)
#undef X
};

uint32_t sim_tally_print(const sim_tally *tally, FILE *out)
{
    uint32_t zeros = 0;
    for (uint32_t i = 0; i < TALLY_COUNT; ++i) {
        fprintf(out, "%12llu  %s\n", (unsigned long long)tally->counts[i], texts[i]);
        zeros += tally->counts[i] == 0;
    }
    return zeros;
}
