/* Reads LSTM, GRU and RNN nodes and packs their weights. */
#include "backend/cpu/kernels/rnn/geometry.h"
#include <strings.h>

static bool usual_activations(const ingot__strings *names, bool lstm, size_t directions) {
  static const char *const usual[] = {"Sigmoid", "Tanh", "Tanh"};
  size_t each = lstm ? 3 : 2;
  if (names->n == 0) return true;
  if (names->n != each * directions) return false;
  for (size_t i = 0; i < names->n; i++)
    if (strcasecmp(names->v[i], usual[i % each]) != 0) return false;
  return true;
}

/* RNN: one function for all. */
static bool plain_activation(const ingot__strings *names, size_t directions, bool *relu) {
  *relu = names->n && strcasecmp(names->v[0], "Relu") == 0;
  if (names->n && names->n != directions) return false;
  for (size_t i = 0; i < names->n; i++)
    if (strcasecmp(names->v[i], *relu ? "Relu" : "Tanh") != 0) return false;
  return true;
}

static bool float_view(const ingot__view *v, int rank) { return v->dtype == INGOT_FLOAT32 && v->rank == rank && v->dense; }

bool ingot__recurrent_get(const ingot__call *call, ingot__recurrent *r) {
  if (!call->node || (call->node->op != INGOT__OP_LSTM && call->node->op != INGOT__OP_GRU && call->node->op != INGOT__OP_RNN)) return false;
  *r = (ingot__recurrent){.lstm = call->node->op == INGOT__OP_LSTM, .plain = call->node->op == INGOT__OP_RNN};
  const ingot__attrs_LSTM *l = call->attrs;
  const ingot__attrs_GRU *g = call->attrs; /* begins as RNN's do */
  const char *direction = r->lstm ? l->direction : g->direction;
  r->gates = r->lstm ? 4 : r->plain ? 1 : 3;
  r->directions = strcmp(direction, "bidirectional") == 0 ? 2 : 1;
  r->reverse = strcmp(direction, "reverse") == 0;
  r->batch_first = (r->lstm ? l->layout : g->layout) == 1;
  r->levels = r->lstm && l->levels;
  r->linear_first = !r->lstm && !r->plain && g->linear_before_reset != 0;
  if ((r->lstm ? l->clip : g->clip) != 0 || (r->lstm && l->input_forget)) return false;
  if (r->plain ? !plain_activation(&g->activations, r->directions, &r->relu)
               : !usual_activations(r->lstm ? &l->activations : &g->activations, r->lstm, r->directions))
    return false;
  if (call->n_in < 3 || ingot__has_in(call, 7) || (!r->lstm && ingot__has_in(call, 6))) return false;
  r->lengths = ingot__has_in(call, 4);
  if (r->lengths && (call->in[4].dtype != INGOT_INT32 || call->in[4].rank != 1 || !call->in[4].dense)) return false;
  const ingot__view *x = &call->in[0], *w = &call->in[1], *rec = &call->in[2];
  if (!float_view(x, 3) || !float_view(w, 3) || !float_view(rec, 3) || !w->constant || !rec->constant) return false;
  if (x->layout != INGOT__PLAIN) return false;
  if (ingot__has_in(call, 3) && (!float_view(&call->in[3], 2) || !call->in[3].constant)) return false;
  for (size_t i = 5; i < 7; i++)
    if (ingot__has_in(call, i) && (!float_view(&call->in[i], 3) || call->in[i].layout != INGOT__PLAIN)) return false;
  for (size_t i = 0; i < call->n_out; i++)
    if (ingot__has_out(call, i) && (call->out[i].dtype != INGOT_FLOAT32 || call->out[i].layout != INGOT__PLAIN || !call->out[i].dense)) return false;
  r->steps = (size_t)x->dim[r->batch_first ? 1 : 0], r->batch = (size_t)x->dim[r->batch_first ? 0 : 1];
  r->input = (size_t)x->dim[2], r->hidden = (size_t)rec->dim[2];
  if ((size_t)w->dim[0] != r->directions || (size_t)w->dim[1] != r->gates * r->hidden || (size_t)w->dim[2] != r->input || r->hidden == 0) {
    return false;
  }
  r->panels = ingot__panels(r->hidden);
  r->width = r->gates * r->panels * INGOT__PANEL;
  return true;
}

size_t ingot__recurrent_direction_floats(const ingot__recurrent *r) { return r->width * (r->input + r->hidden + 2); }

size_t ingot__recurrent_pack_size(const ingot__call *call) {
  ingot__recurrent r;
  size_t n;
  if (!ingot__recurrent_get(call, &r)) return 0;
  if (!ingot__mul(r.width, r.input + r.hidden + 2, &n) || !ingot__mul(n, r.directions * sizeof(float), &n)) return SIZE_MAX;
  return n;
}

/* Rows of `k` floats, hidden of them a gate, into panels. */
static void pack_matrix(const ingot__recurrent *r, const float *from, size_t k, float *to) {
  for (size_t g = 0; g < r->gates; g++)
    for (size_t h = 0; h < r->hidden; h++)
      for (size_t i = 0; i < k; i++)
        to[((g * r->panels + h / INGOT__PANEL) * k + i) * INGOT__PANEL + h % INGOT__PANEL] = from[(g * r->hidden + h) * k + i];
}

void ingot__recurrent_pack(const ingot__call *call, void *packed) {
  ingot__recurrent r;
  if (!ingot__recurrent_get(call, &r)) return;
  size_t each = ingot__recurrent_direction_floats(&r), rows = r.gates * r.hidden;
  memset(packed, 0, each * r.directions * sizeof(float));
  for (size_t d = 0; d < r.directions; d++) {
    float *to = (float *)packed + d * each, *bias = to + r.width * (r.input + r.hidden), *late = bias + r.width;
    pack_matrix(&r, (const float *)call->in[1].data + d * rows * r.input, r.input, to);
    pack_matrix(&r, (const float *)call->in[2].data + d * rows * r.hidden, r.hidden, to + r.width * r.input);
    if (!ingot__has_in(call, 3)) continue;
    const float *wb = (const float *)call->in[3].data + d * 2 * rows, *rb = wb + rows;
    for (size_t g = 0; g < r.gates; g++)
      for (size_t h = 0; h < r.hidden; h++) {
        size_t at = g * r.panels * INGOT__PANEL + h;
        bool apart = r.linear_first && g == 2;
        bias[at] = wb[g * r.hidden + h] + (apart ? 0 : rb[g * r.hidden + h]);
        late[at] = apart ? rb[g * r.hidden + h] : 0;
      }
  }
}
