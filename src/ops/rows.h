/* Rows of elements as doubles: the references load a row of any number type, compute in double and store it, so that one clear loop serves
 * every type and its result is the truth to compare faster kernels with. */
#ifndef INGOT_OPS_ROWS_H
#define INGOT_OPS_ROWS_H
#include "ops/call.h"

enum { INGOT__ROW = 128 }; /* elements that the references handle at a time, in buffers on the stack; a multiple of 8 */

/* n elements from index `at` with `step` between them. Integers beyond 2^53 are rounded. */
void ingot__row_load(ingot_dtype dtype, const void *data, int64_t at, int64_t step, size_t n, double *row);
/* Rounds floats to nearest; integers are truncated and saturate. */
void ingot__row_store(ingot_dtype dtype, void *data, int64_t at, int64_t step, size_t n, const double *row);

/* v as float16 or bfloat16 holds it, for references that show what each step in these types does; other types: v. */
double ingot__row_round(ingot_dtype dtype, double v);

/* acc[r][i] += w[r * w_step] * x[i] for r < rows, i < n. Rows of acc are INGOT__ROW apart; n is rounded up to a multiple of 8: x must be
 * readable, acc writable so far. */
static inline void ingot__row_mac(double (*acc)[INGOT__ROW], const double *w, size_t w_step, size_t rows, const double *x, size_t n) {
  for (size_t r = 0; r < rows; r++) {
    double f = w[r * w_step], *to = acc[r];
    for (size_t i = 0; i < n; i += 8)
      for (size_t j = 0; j < 8; j++) to[i + j] += f * x[i + j];
  }
}
/* What fusion puts behind a product: out = act(x + bias + residual), rounded to float first where the type is no double. */
double ingot__row_act(ingot_dtype dtype, int64_t act, float alpha, float beta, double x);
#endif
