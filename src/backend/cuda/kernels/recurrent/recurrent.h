/* Parameters of LSTM, GRU and RNN. All tensors are dense. Sequences are those of a part of the batch, [first, first + part). */
#ifndef INGOT_CUDA_RECURRENT_H
#define INGOT_CUDA_RECURRENT_H
typedef struct recurrent_act {
  int32_t kind;              /* 0 Relu, 1 Tanh, .. as ops/rnn.h has them */
  float alpha, beta;
} recurrent_act;

typedef struct recurrent_params {
  const void *x, *w, *r, *b, *h0, *c0, *peepholes; /* b and what follows may be NULL */
  const int32_t *lengths;                          /* of the sequences, or NULL */
  void *y, *yh, *yc;                               /* each may be NULL */
  float *projected;          /* [direction][step][sequence of the part][gate][hidden]: W x + b */
  /* For a launch a step, floats, [direction][sequence of the part][hidden]: h before and after (twice as many), c, and GRU's z and r h. */
  float *h, *c, *update, *scaled;
  int32_t steps, batch, first, part, input, hidden, directions;
  int32_t reverse, batch_first, coupled, late; /* late: a launch a step: which step */
  int32_t blocks, units;     /* of a cluster; of a block */
  int32_t x_whole, w_whole, r_whole; /* rows are multiples of 16 bytes, and so are addresses */
  float clip;                /* 0: none */
  recurrent_act act[6];      /* of the first direction, then of the second */
} recurrent_params;
#endif
