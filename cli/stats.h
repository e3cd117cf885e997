/* Statistics of measured times. */
#ifndef INGOT_CLI_STATS_H
#define INGOT_CLI_STATS_H
#include <stddef.h>

typedef struct cli__stats { double min, max, mean, median, p90, p95, p99; } cli__stats;

/* Sorts `values` (at least one). Percentiles lie between the two nearest values in proportion, as numpy.percentile's default. */
cli__stats cli__stats_of(double *values, size_t count);
#endif
