/* Statistics of measured times. */
#include "stats.h"
#include <stdlib.h>

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double percentile(const double *sorted, size_t count, double percent) {
  double at = percent / 100 * (double)(count - 1);
  size_t i = (size_t)at;
  if (i + 1 >= count) return sorted[count - 1];
  return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

cli__stats cli__stats_of(double *values, size_t count) {
  qsort(values, count, sizeof *values, compare);
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += values[i];
  return (cli__stats){values[0],
                      values[count - 1],
                      sum / (double)count,
                      percentile(values, count, 50),
                      percentile(values, count, 90),
                      percentile(values, count, 95),
                      percentile(values, count, 99)};
}
