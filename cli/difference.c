/* How far two arrays are apart. */
#include "difference.h"
#include <math.h>
#include <string.h>

static void find_range(const cli__array *a, double *range) {
  double min = INFINITY, max = -INFINITY, size = 0;
  for (size_t i = 0; i < a->count; i++) {
    double x = cli__array_get(a, i);
    if (!isfinite(x)) continue;
    min = fmin(min, x), max = fmax(max, x), size = fmax(size, fabs(x));
  }
  *range = fmax(max > min ? max - min : size, 1e-3); /* so that noise around an output of nothing but zeros passes */
}

static double apart(double got, double expected) {
  if (got == expected || (isnan(got) && isnan(expected))) return 0;
  double d = fabs(got - expected);
  return isnan(d) ? INFINITY : d;
}

cli__difference cli__difference_of(const cli__array *got, const cli__array *expected, const cli__tolerance *tolerance) {
  cli__difference d = {.same = true};
  if (got->rank != expected->rank || memcmp(got->dims, expected->dims, (size_t)got->rank * sizeof *got->dims) != 0) {
    d.shapes_differ = true;
    d.same = false;
    return d;
  }
  find_range(expected, &d.range);
  bool quantised = got->dtype == INGOT_INT8 || got->dtype == INGOT_UINT8;
  double by_range = cli__is_float(got->dtype) ? 1e-3 * d.range : quantised ? tolerance->levels : 0;
  double sum = 0;
  for (size_t i = 0; i < got->count; i++) {
    double g = cli__array_get(got, i), e = cli__array_get(expected, i), off = apart(g, e);
    double allowed = tolerance->elementwise ? tolerance->atol + tolerance->rtol * (isfinite(e) ? fabs(e) : 0) : by_range;
    sum += off;
    if (off > allowed) d.beyond++;
    if (i == 0 || off > d.most) d.most = off, d.where = i, d.got = g, d.expected = e;
  }
  if (got->count) d.mean = sum / (double)got->count;
  d.same = d.beyond == 0;
  return d;
}
