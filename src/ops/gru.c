/* GRU (Cho et al. 2014) as ONNX writes it: gates in the order z (update), r (reset), h (candidate); linear_before_reset is cuDNN's and
 * PyTorch's form. */
#include "ops/rnn.h"

static void step(const ingot__call *call, const ingot__rnn *r, size_t d, ingot__rnn_data w, ingot__rnn_data rec, ingot__rnn_data b) {
  size_t h = r->hidden, pitch = 3 * h;
  bool linear_first = INGOT__ATTRS(call, GRU)->linear_before_reset != 0;
  ingot__rnn_data rb = ingot__rnn_from(b, 3 * h);
  ingot__rnn_product(r, w, r->input, 0, 2 * h, r->x, b, false);
  ingot__rnn_product(r, rec, h, 0, 2 * h, r->h, rb, true);
  if (linear_first) {
    /* The candidate's recurrent half alone, scaled by the reset gate before the input's half is added. */
    ingot__rnn_product(r, rec, h, 2 * h, 3 * h, r->h, rb, false);
    for (size_t n = 0; n < r->batch; n++)
      for (size_t k = 0; r->runs[n] && k < h; k++) r->gate[n * pitch + 2 * h + k] *= ingot__rnn_gate(r, d, 0, r->gate[n * pitch + h + k]);
    ingot__rnn_product(r, w, r->input, 2 * h, 3 * h, r->x, b, true);
  } else {
    for (size_t n = 0; n < r->batch; n++)
      for (size_t k = 0; r->runs[n] && k < h; k++)
        r->extra[n * h + k] = ingot__rnn_gate(r, d, 0, r->gate[n * pitch + h + k]) * r->h[n * h + k];
    ingot__rnn_product(r, w, r->input, 2 * h, 3 * h, r->x, b, false);
    ingot__rnn_product(r, rec, h, 2 * h, 3 * h, r->extra, rb, true);
  }
  for (size_t n = 0; n < r->batch; n++) {
    for (size_t k = 0; r->runs[n] && k < h; k++) {
      double z = ingot__rnn_gate(r, d, 0, r->gate[n * pitch + k]), c = ingot__rnn_gate(r, d, 1, r->gate[n * pitch + 2 * h + k]);
      r->h[n * h + k] = (1 - z) * c + z * r->h[n * h + k];
    }
  }
}

ingot_status ingot__infer_GRU(ingot__infer *f) { return ingot__rnn_infer(f, 3, false); }
size_t ingot__workspace_GRU(const ingot__call *call) { return ingot__rnn_workspace(call, 3); }
ingot_status ingot__ref_GRU(const ingot__call *call) { return ingot__rnn_run(call, 3, 0, step); }
