/* How far two arrays are apart, and whether that is too far. */
#ifndef INGOT_CLI_DIFFERENCE_H
#define INGOT_CLI_DIFFERENCE_H
#include "array.h"

typedef struct cli__tolerance {
  bool elementwise;       /* as numpy.allclose: |got - expected| <= atol + rtol * |expected|; else by range, below */
  double atol, rtol;
  double levels;          /* by range: what 8-bit integers may be off by; quantised values fall either way at a rounding's edge */
} cli__tolerance;

typedef struct cli__difference {
  bool same;              /* within the tolerance */
  bool shapes_differ;
  double most, mean;      /* absolute difference; infinite where only one side is a number or infinite */
  double range;           /* of the expected values: max - min; their largest size when they are all equal; 1e-3 at least */
  size_t where;           /* index of the largest difference */
  double got, expected;   /* there */
  size_t beyond;          /* elements out of the tolerance */
} cli__difference;

/* Without `elementwise`, floats may be off by 1e-3 of the range, 8-bit integers by `levels`, and other types must be equal. NaN equals NaN.
 * Shapes must be equal, types may differ. */
cli__difference cli__difference_of(const cli__array *got, const cli__array *expected, const cli__tolerance *tolerance);
#endif
