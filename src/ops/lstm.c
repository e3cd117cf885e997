/* LSTM, with peepholes (Hochreiter and Schmidhuber 1997; Gers and Schmidhuber 2000), as ONNX writes it: gates in the order i, o, f, c.
 * `levels`, ours: the recurrent product is of 8-bit levels, as in ONNX Runtime's DynamicQuantizeLSTM. */
#include "ops/rnn.h"
#include <math.h>

/* h in 255 levels of its range, which holds 0, as DynamicQuantizeLinear makes them: what R is multiplied with where `levels` is set. A sequence
 * counts once more after its end, as in ONNX Runtime. */
static const double *in_levels(const ingot__rnn *r) {
  float least = 0, most = 0;
  for (size_t i = 0; i < r->batch * r->hidden; i++) {
    if (r->length && r->now > (size_t)r->length[i / r->hidden]) continue;
    least = fminf(least, (float)r->h[i]), most = fmaxf(most, (float)r->h[i]);
  }
  float step = (most - least) / 255;
  if (!(step > 0)) return r->h;
  float zero = nearbyintf(-least / step);
  for (size_t i = 0; i < r->batch * r->hidden; i++)
    r->extra[i] = (double)(fminf(fmaxf(nearbyintf((float)r->h[i] / step) + zero, 0), 255) - zero) * (double)step;
  return r->extra;
}

static void step(const ingot__call *call, const ingot__rnn *r, size_t d, ingot__rnn_data w, ingot__rnn_data rec, ingot__rnn_data b) {
  size_t h = r->hidden;
  ingot__rnn_product(r, w, r->input, 0, 4 * h, r->x, b, false);
  const double *before = INGOT__ATTRS(call, LSTM)->levels ? in_levels(r) : r->h;
  ingot__rnn_product(r, rec, h, 0, 4 * h, before, ingot__rnn_from(b, 4 * h), true);
  bool peeps = ingot__has_in(call, 7), coupled = INGOT__ATTRS(call, LSTM)->input_forget != 0;
  ingot__rnn_data p = {peeps ? call->in[7].data : NULL, d * 3 * h}; /* i, o, f */
  for (size_t n = 0; n < r->batch; n++) {
    if (!r->runs[n]) continue;
    const double *gate = r->gate + n * 4 * h;
    double *hidden = r->h + n * h, *cell = r->c + n * h;
    for (size_t k = 0; k < h; k++) {
      double i = gate[k], o = gate[h + k], f = gate[2 * h + k], c = gate[3 * h + k];
      if (peeps) i += ingot__rnn_get(r, p, k) * cell[k], f += ingot__rnn_get(r, p, 2 * h + k) * cell[k];
      i = ingot__rnn_gate(r, d, 0, i);
      f = coupled ? 1 - i : ingot__rnn_gate(r, d, 0, f);
      c = f * cell[k] + i * ingot__rnn_gate(r, d, 1, c);
      if (peeps) o += ingot__rnn_get(r, p, h + k) * c;
      cell[k] = c;
      hidden[k] = ingot__rnn_gate(r, d, 0, o) * ingot__rnn_activate(r, d, 2, c);
    }
  }
}

ingot_status ingot__infer_LSTM(ingot__infer *f) { return ingot__rnn_infer(f, 4, true); }
size_t ingot__workspace_LSTM(const ingot__call *call) { return ingot__rnn_workspace(call, 4); }
ingot_status ingot__ref_LSTM(const ingot__call *call) { return ingot__rnn_run(call, 4, 6, step); }
