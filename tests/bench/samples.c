/* samples.c - see samples.h. Without memory the benchmark ends: it could not say what it has measured. */
#include "samples.h"

#include <stdlib.h>
#include <string.h>

void samples_add(samples *s, double value)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity == 0 ? 256 : s->capacity * 2;
        double *grown = realloc(s->values, s->capacity * sizeof(*grown));
        if (grown == NULL) {
            abort();
        }
        s->values = grown;
    }
    s->values[s->count++] = value;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double samples_quantile(const samples *s, double q)
{
    if (s->count == 0) {
        return 0;
    }
    double *sorted = malloc(s->count * sizeof(*sorted)); /* the samples stay in their order */
    if (sorted == NULL) {
        abort();
    }
    memcpy(sorted, s->values, s->count * sizeof(*sorted));
    qsort(sorted, s->count, sizeof(*sorted), by_value);
    double place = q * (double)(s->count - 1);
    uint32_t below = (uint32_t)place, above = below + 1 < s->count ? below + 1 : below;
    double value = sorted[below] + (sorted[above] - sorted[below]) * (place - (double)below);
    free(sorted);
    return value;
}

double samples_median(const samples *s)
{
    return samples_quantile(s, 0.5);
}

void samples_free(samples *s)
{
    free(s->values);
    *s = (samples){ 0 };
}
