/* LSTM, GRU and RNN in numbers, and their packed weights, the same for every instruction set.
 *
 * rnn16: for each direction W as [gates * panels][input][16] floats, R as [gates * panels][hidden][16], the bias that goes with W as
 * [gates * panels * 16], and the one that goes with R. A gate has panels = ceil(hidden / 16), zero past the hidden size. R's bias is added to
 * W's where nothing stands between the two; only the candidate of a GRU with linear_before_reset keeps it apart. */
#ifndef INGOT_KERNELS_RNN_GEOMETRY_H
#define INGOT_KERNELS_RNN_GEOMETRY_H
#include "backend/cpu/kernels/gemm/tile.h"

typedef struct ingot__recurrent {
  bool lstm, linear_first;    /* linear_first: GRU with linear_before_reset */
  bool plain, relu;           /* plain: RNN, of tanh or relu */
  bool levels;                /* LSTM: R is multiplied with h in 8-bit levels */
  bool lengths;               /* each sequence has its own */
  bool reverse, batch_first;
  size_t gates, directions, steps, batch, input, hidden;
  size_t panels, width;       /* of one gate; width = gates * panels * 16 floats of gates for each sequence */
} ingot__recurrent;

/* False when the call isn't an LSTM, GRU or RNN with the usual activations and constant weights, or has clip, peepholes or coupled gates. */
bool ingot__recurrent_get(const ingot__call *call, ingot__recurrent *r);
size_t ingot__recurrent_direction_floats(const ingot__recurrent *r); /* packed floats of one direction */
size_t ingot__recurrent_pack_size(const ingot__call *call);
void ingot__recurrent_pack(const ingot__call *call, void *packed);
#endif
