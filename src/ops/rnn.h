/* What RNN, GRU and LSTM share: shapes, activations, products with the weights, and the walk over directions and time. */
#ifndef INGOT_OPS_RNN_H
#define INGOT_OPS_RNN_H
#include "ops/ops.h"

/* kind: 0 Relu, 1 Tanh, 2 Sigmoid, 3 Affine, 4 LeakyRelu, 5 ThresholdedRelu, 6 ScaledTanh, 7 HardSigmoid, 8 Elu, 9 Softsign, 10 Softplus. */
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
  ingot_dtype dtype;                /* of all tensors but the lengths; computed in double */
  /* In the workspace, for one direction at a time. */
  double *h, *c;                    /* batch x hidden: the state; c for LSTM only */
  double *gate, *extra;             /* batch x gates * hidden; batch x hidden */
  double *x;                        /* batch x input: this step's input */
  bool *runs;                       /* batch: the sequence hasn't ended */
  const int32_t *length;            /* batch: of each sequence; NULL: steps */
  size_t now;                       /* steps done */
};

/* What the call is, but for what lies in the workspace; false: its attributes are wrong. */
bool ingot__rnn_read(const ingot__call *call, int gates, ingot__rnn *r);
/* Types of the outputs: Y, Y_h and, with `cell`, Y_c. */
ingot_status ingot__rnn_infer(ingot__infer *f, int gates, bool cell);
/* Bytes of workspace; SIZE_MAX: too large. */
size_t ingot__rnn_workspace(const ingot__call *call, int gates);
/* Elements of a tensor of the call's type, from one on. */
typedef struct ingot__rnn_data { const void *data; size_t at; } ingot__rnn_data;
static inline double ingot__rnn_get(const ingot__rnn *r, ingot__rnn_data v, size_t i) {
  return r->dtype == INGOT_FLOAT32 ? (double)((const float *)v.data)[v.at + i] : ingot__get_double(r->dtype, v.data, v.at + i);
}
static inline ingot__rnn_data ingot__rnn_from(ingot__rnn_data v, size_t i) { return (ingot__rnn_data){v.data, v.at + i}; }
/* Runs all. step() computes the new h (and c) of each batch element that runs, from W, R and B (2 * gates * hidden, data may be NULL) of
 * direction d. c0_slot: the input with the initial cell state; 0: no cell state. */
typedef void (*ingot__rnn_step)(const ingot__call *call, const ingot__rnn *r, size_t d, ingot__rnn_data w, ingot__rnn_data rec, ingot__rnn_data b);
ingot_status ingot__rnn_run(const ingot__call *call, int gates, size_t c0_slot, ingot__rnn_step step);

/* gate[n][g] (+)= m[g] . rows[n] + b[g] for rows g in [from, to) of m, of `width` columns, and the batch elements that still run. Gates lie
 * gates * hidden apart. b's data may be NULL. */
void ingot__rnn_product(const ingot__rnn *r, ingot__rnn_data m, size_t width, size_t from, size_t to, const double *rows, ingot__rnn_data b,
                        bool add);
/* Activation i of direction d; _gate clips its argument first, as ONNX Runtime does for gates but not for LSTM's h(C). */
double ingot__rnn_activate(const ingot__rnn *r, size_t d, int i, double v);
static inline double ingot__rnn_gate(const ingot__rnn *r, size_t d, int i, double v) {
  double clip = (double)r->clip;
  if (clip > 0) v = v > clip ? clip : v < -clip ? -clip : v;
  return ingot__rnn_activate(r, d, i, v);
}
#endif
