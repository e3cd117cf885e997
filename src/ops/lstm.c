/* LSTM, with peepholes (Hochreiter and Schmidhuber 1997; Gers and Schmidhuber 2000), as ONNX writes it: gates in the order i, o, f, c. */
#include "ops/rnn.h"

static void step(const ingot__call *call, const ingot__rnn *r, size_t d, const float *w, const float *rec, const float *b) {
  size_t h = r->hidden;
  ingot__rnn_product(r, w, r->input, 0, 4 * h, NULL, b, false);
  ingot__rnn_product(r, rec, h, 0, 4 * h, r->h, b ? b + 4 * h : NULL, true);
  const float *p = ingot__has_in(call, 7) ? (const float *)call->in[7].data + d * 3 * h : NULL; /* i, o, f */
  bool coupled = INGOT__ATTRS(call, LSTM)->input_forget != 0;
  for (size_t n = 0; n < r->batch; n++) {
    if (!r->x[n]) continue;
    const float *gate = r->gate + n * 4 * h;
    float *hidden = r->h + n * h, *cell = r->c + n * h;
    for (size_t k = 0; k < h; k++) {
      float i = gate[k], o = gate[h + k], f = gate[2 * h + k], c = gate[3 * h + k];
      if (p) i += p[k] * cell[k], f += p[2 * h + k] * cell[k];
      i = ingot__rnn_gate(r, d, 0, i);
      f = coupled ? 1 - i : ingot__rnn_gate(r, d, 0, f);
      c = f * cell[k] + i * ingot__rnn_gate(r, d, 1, c);
      if (p) o += p[h + k] * c;
      cell[k] = c;
      hidden[k] = ingot__rnn_gate(r, d, 0, o) * ingot__rnn_activate(r, d, 2, c);
    }
  }
}

ingot_status ingot__infer_LSTM(ingot__infer *f) { return ingot__rnn_infer(f, 4, true); }
size_t ingot__workspace_LSTM(const ingot__call *call) { return ingot__rnn_workspace(call, 4); }
ingot_status ingot__ref_LSTM(const ingot__call *call) { return ingot__rnn_run(call, 4, 6, step); }
