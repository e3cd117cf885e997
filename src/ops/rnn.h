/* What RNN, GRU and LSTM share: shapes, activations, products with the weights, and the walk over directions and time. */
#ifndef INGOT_OPS_RNN_H
#define INGOT_OPS_RNN_H
#include "ops/ops.h"

typedef struct ingot__rnn_act { uint8_t kind; float alpha, beta; } ingot__rnn_act;
typedef struct ingot__rnn ingot__rnn;
struct ingot__rnn {
  int gates;                        /* rows of W over hidden: 1, 3, 4 */
  size_t steps, batch, input, hidden, directions;
  int layout;
  float clip;                       /* 0: none */
  bool reverse;                     /* the first direction is backwards */
  ingot__rnn_act act[6];            /* of the first direction, then of the second */
  int n_act;                        /* a direction */
  /* In the workspace, for one direction at a time. */
  float *h, *c;                     /* batch x hidden: the state; c for LSTM only */
  float *gate, *extra;              /* batch x gates * hidden; batch x hidden */
  const float **x;                  /* batch: this step's input, NULL where the sequence has ended */
};

/* Types of the outputs: Y, Y_h and, with `cell`, Y_c. */
ingot_status ingot__rnn_infer(ingot__infer *f, int gates, bool cell);
/* Bytes of workspace; SIZE_MAX: too large. */
size_t ingot__rnn_workspace(const ingot__call *call, int gates);
/* Runs all. step() computes the new h (and c) of each batch element with x[n] set, from W, R and B (2 * gates * hidden, may be NULL) of
 * direction d. h0_slot and c0_slot: the inputs with the initial states; c0_slot 0: no cell state. */
typedef void (*ingot__rnn_step)(const ingot__call *call, const ingot__rnn *r, size_t d, const float *w, const float *rec, const float *b);
ingot_status ingot__rnn_run(const ingot__call *call, int gates, size_t c0_slot, ingot__rnn_step step);

/* gate[n][g] (+)= m[g] . v(n) + b[g] for rows g in [from, to) of m, of `width` columns, and the batch elements that still run; v(n) is x[n],
 * or row n of `rows` where that isn't NULL. Gates lie gates * hidden apart. b may be NULL. */
void ingot__rnn_product(const ingot__rnn *r, const float *m, size_t width, size_t from, size_t to, const float *rows, const float *b, bool add);
/* Activation i of direction d; _gate clips its argument first, as ONNX Runtime does for gates but not for LSTM's h(C). */
float ingot__rnn_activate(const ingot__rnn *r, size_t d, int i, float v);
static inline float ingot__rnn_gate(const ingot__rnn *r, size_t d, int i, float v) {
  if (r->clip > 0) v = v > r->clip ? r->clip : v < -r->clip ? -r->clip : v;
  return ingot__rnn_activate(r, d, i, v);
}
#endif
