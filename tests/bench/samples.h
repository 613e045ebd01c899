/* samples.h - numbers that were measured, in the order in which they were, and their quantiles. */
#ifndef LEAT_BENCH_SAMPLES_H
#define LEAT_BENCH_SAMPLES_H

#include <stdint.h>

typedef struct samples {
    double *values;
    uint32_t count, capacity;
} samples;

void samples_add(samples *s, double value);
/* Between neighbours in proportion, so that the median of two is their mean. q: 0 to 1. 0 if there are none. */
double samples_quantile(const samples *s, double q);
double samples_median(const samples *s);
void samples_free(samples *s);

#endif
