/* The recurrent networks' shared part, and RNN itself: h = f(W x + R h + b). */
#include "ops/rnn.h"
#include "ops/ints.h"
#include <math.h>
#include <strings.h>

enum kind { RELU, TANH, SIGMOID, AFFINE, LEAKY_RELU, THRESHOLDED_RELU, SCALED_TANH, HARD_SIGMOID, ELU, SOFTSIGN, SOFTPLUS, KINDS };
static const struct { const char *name; bool alpha, beta; float default_alpha, default_beta; } kinds[KINDS] = {
  [RELU] = {"Relu", false, false, 0, 0}, [TANH] = {"Tanh", false, false, 0, 0}, [SIGMOID] = {"Sigmoid", false, false, 0, 0},
  [AFFINE] = {"Affine", true, true, 1, 0}, [LEAKY_RELU] = {"LeakyRelu", true, false, 0.01f, 0},
  [THRESHOLDED_RELU] = {"ThresholdedRelu", true, false, 1, 0}, [SCALED_TANH] = {"ScaledTanh", true, true, 1, 1},
  [HARD_SIGMOID] = {"HardSigmoid", true, true, 0.2f, 0.5f}, [ELU] = {"Elu", true, false, 1, 0}, [SOFTSIGN] = {"Softsign", false, false, 0, 0},
  [SOFTPLUS] = {"Softplus", false, false, 0, 0},
};

/* The attributes that the three operators share; their structs begin alike. */
typedef ingot__attrs_RNN shared;
_Static_assert(offsetof(ingot__attrs_LSTM, layout) == offsetof(shared, layout), "LSTM's attributes begin as RNN's");
_Static_assert(offsetof(ingot__attrs_GRU, layout) == offsetof(shared, layout), "GRU's attributes begin as RNN's");

/* Activations and direction; NULL, or what is wrong. alpha and beta are used up by the activations that have them, in order. */
static const char *read_attrs(const shared *a, int gates, ingot__rnn *r) {
  static const uint8_t usual[5][3] = {[1] = {TANH}, [3] = {SIGMOID, TANH}, [4] = {SIGMOID, TANH, TANH}};
  *r = (ingot__rnn){.gates = gates, .clip = a->clip, .layout = (int)a->layout, .n_act = gates == 1 ? 1 : gates - 1};
  bool both = strcmp(a->direction, "bidirectional") == 0;
  r->reverse = strcmp(a->direction, "reverse") == 0;
  if (!both && !r->reverse && strcmp(a->direction, "forward") != 0) return "direction is not forward, reverse or bidirectional";
  if (a->layout != 0 && a->layout != 1) return "layout is not 0 or 1";
  if (!(a->clip >= 0)) return "clip is negative";
  r->directions = both ? 2 : 1;
  size_t n = r->directions * (size_t)r->n_act, alpha = 0, beta = 0;
  if (a->activations.n != 0 && a->activations.n != n) return "activations don't fit the number of gates and directions";
  for (size_t i = 0; i < n; i++) {
    int k = usual[gates][i % (size_t)r->n_act];
    if (a->activations.n) {
      for (k = 0; k < KINDS && strcasecmp(a->activations.v[i], kinds[k].name) != 0;) k++;
      if (k == KINDS) return "an activation isn't known";
    }
    r->act[i] = (ingot__rnn_act){(uint8_t)k, kinds[k].default_alpha, kinds[k].default_beta};
    if (kinds[k].alpha && alpha < a->activation_alpha.n) r->act[i].alpha = a->activation_alpha.v[alpha++];
    if (kinds[k].beta && beta < a->activation_beta.n) r->act[i].beta = a->activation_beta.v[beta++];
  }
  return NULL;
}

static ingot_status expect(ingot__infer *f, size_t i, const char *name, int rank, const ingot__dim *dim) {
  if (!ingot__infer_has(f, i) || f->in[i]->rank < 0) return INGOT_OK;
  if (f->in[i]->rank != rank) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "%s has rank %d instead of %d", name, f->in[i]->rank, rank);
  for (int k = 0; k < rank; k++) {
    ingot__dim d;
    INGOT_TRY(ingot__dim_merge(f, f->in[i]->dim[k], dim[k], name, &d));
  }
  return INGOT_OK;
}

ingot_status ingot__rnn_infer(ingot__infer *f, int gates, bool cell) {
  ingot__rnn r;
  const shared *a = f->attrs;
  const char *wrong = read_attrs(a, gates, &r);
  if (wrong) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "%s", wrong);
  for (size_t i = 0; i < 3; i++)
    if (!ingot__infer_has(f, i)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "X, W and R are needed");
  ingot_dtype type = f->in[0]->dtype;
  if (type != INGOT_FLOAT32 && type != INGOT_FLOAT64 && type != INGOT_FLOAT16 && type != INGOT_BFLOAT16) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(type));
  }
  for (size_t i = 0; i < f->n_in; i++) {
    if (!f->in[i]) continue;
    if (i != 4 && f->in[i]->dtype != type) {
      return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "input %zu is %s, the first is %s", i, ingot_dtype_name(f->in[i]->dtype), ingot_dtype_name(type));
    }
    if (i == 4 && f->in[i]->dtype != INGOT_INT32) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "sequence_lens must be int32");
  }
  const ingot__type *x = f->in[0], *w = f->in[1], *rec = f->in[2];
  ingot__dim steps = INGOT__DIM_UNKNOWN, batch = INGOT__DIM_UNKNOWN, input = INGOT__DIM_UNKNOWN, hidden = INGOT__DIM_UNKNOWN;
  if (x->rank >= 0) {
    if (x->rank != 3) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "X has rank %d instead of 3", x->rank);
    steps = x->dim[r.layout ? 1 : 0], batch = x->dim[r.layout ? 0 : 1], input = x->dim[2];
  }
  if (rec->rank == 3) hidden = rec->dim[2];
  if (a->hidden_size > 0) INGOT_TRY(ingot__dim_merge(f, hidden, a->hidden_size, "hidden_size and R", &hidden));
  ingot__dim d = (int64_t)r.directions, rows = ingot__element_do(f, INGOT__EL_MUL, hidden, gates);
  INGOT_TRY(expect(f, 1, "W", 3, (ingot__dim[]){d, rows, input}));
  INGOT_TRY(expect(f, 2, "R", 3, (ingot__dim[]){d, rows, hidden}));
  INGOT_TRY(expect(f, 3, "B", 2, (ingot__dim[]){d, ingot__element_do(f, INGOT__EL_MUL, rows, 2)}));
  INGOT_TRY(expect(f, 4, "sequence_lens", 1, (ingot__dim[]){batch}));
  ingot__dim state[3] = {r.layout ? batch : d, r.layout ? d : batch, hidden};
  INGOT_TRY(expect(f, 5, "initial_h", 3, state));
  if (cell) {
    INGOT_TRY(expect(f, 6, "initial_c", 3, state));
    INGOT_TRY(expect(f, 7, "P", 2, (ingot__dim[]){d, ingot__element_do(f, INGOT__EL_MUL, hidden, 3)}));
  }
  (void)w;
  f->out[0] = (ingot__type){.dtype = type, .rank = 4, .dim = {steps, d, batch, hidden}};
  if (r.layout) f->out[0] = (ingot__type){.dtype = type, .rank = 4, .dim = {batch, steps, d, hidden}};
  for (size_t i = 1; i < f->n_out; i++) f->out[i] = (ingot__type){.dtype = type, .rank = 3, .dim = {state[0], state[1], state[2]}};
  return INGOT_OK;
}

static bool read_dims(const ingot__call *call, ingot__rnn *r) {
  const ingot__view *x = &call->in[0], *rec = &call->in[2];
  if (x->rank != 3 || rec->rank != 3) return false;
  r->steps = (size_t)x->dim[r->layout ? 1 : 0], r->batch = (size_t)x->dim[r->layout ? 0 : 1];
  r->input = (size_t)x->dim[2], r->hidden = (size_t)rec->dim[2];
  r->dtype = x->dtype;
  return true;
}

bool ingot__rnn_read(const ingot__call *call, int gates, ingot__rnn *r) { return !read_attrs(call->attrs, gates, r) && read_dims(call, r); }

static bool add_bytes(size_t *total, size_t a, size_t b, size_t c) {
  size_t n;
  if (!ingot__mul(a, b, &n) || !ingot__mul(n, c, &n) || n > SIZE_MAX / 8 || *total > SIZE_MAX / 8) return false;
  *total = ingot__align(*total + n, 64);
  return true;
}

/* h, c, gates, extra, x, runs. */
static bool lay_out(const ingot__rnn *r, size_t at[7]) {
  size_t total = 0;
  const size_t columns[6] = {r->hidden, r->hidden, r->hidden, r->hidden, r->input, 1};
  for (int i = 0; i < 6; i++) {
    at[i] = total;
    if (!add_bytes(&total, r->batch, columns[i], sizeof(double) * (i == 2 ? (size_t)r->gates : 1))) return false;
  }
  at[6] = total;
  return true;
}

size_t ingot__rnn_workspace(const ingot__call *call, int gates) {
  ingot__rnn r;
  size_t at[7];
  if (read_attrs(call->attrs, gates, &r) || !read_dims(call, &r)) return 0;
  return lay_out(&r, at) ? at[6] : SIZE_MAX;
}

/* Where sequence n's state of direction d begins in a tensor of states. */
static size_t state_at(const ingot__rnn *r, size_t n, size_t d) { return (r->layout ? n * r->directions + d : d * r->batch + n) * r->hidden; }

static void load_state(const ingot__call *call, const ingot__rnn *r, size_t slot, size_t d, double *to) {
  for (size_t n = 0; n < r->batch; n++, to += r->hidden)
    for (size_t k = 0; k < r->hidden; k++)
      to[k] = ingot__has_in(call, slot) ? ingot__get_double(r->dtype, call->in[slot].data, state_at(r, n, d) + k) : 0;
}
static void store_state(const ingot__call *call, const ingot__rnn *r, size_t slot, size_t d, const double *from) {
  for (size_t n = 0; ingot__has_out(call, slot) && n < r->batch; n++, from += r->hidden)
    for (size_t k = 0; k < r->hidden; k++) ingot__set_double(r->dtype, call->out[slot].data, state_at(r, n, d) + k, from[k]);
}

ingot_status ingot__rnn_run(const ingot__call *call, int gates, size_t c0_slot, ingot__rnn_step step) {
  ingot__rnn r;
  size_t at[7];
  const char *wrong = read_attrs(call->attrs, gates, &r);
  if (wrong) return INGOT__FAIL_CALL(call, INGOT_E_NETWORK, "%s", wrong);
  if (!read_dims(call, &r) || !lay_out(&r, at) || at[6] > call->workspace_size) {
    return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "the workspace is too small");
  }
  char *work = call->workspace;
  r.h = (double *)(work + at[0]), r.c = (double *)(work + at[1]), r.gate = (double *)(work + at[2]), r.extra = (double *)(work + at[3]);
  r.x = (double *)(work + at[4]), r.runs = (bool *)(work + at[5]);
  const int32_t *length = r.length = ingot__has_in(call, 4) ? call->in[4].data : NULL;
  for (size_t n = 0; length && n < r.batch; n++) {
    if (length[n] < 0 || (size_t)length[n] > r.steps) {
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "sequence %zu has length %d of %zu", n, length[n], r.steps);
    }
  }
  void *y = ingot__has_out(call, 0) ? call->out[0].data : NULL;
  if (y && length) memset(y, 0, r.steps * r.directions * r.batch * r.hidden * ingot__dtype_size(r.dtype));
  for (size_t d = 0; d < r.directions; d++) {
    bool back = r.reverse || d == 1;
    ingot__rnn_data w = {call->in[1].data, d * (size_t)gates * r.hidden * r.input}, rec = {call->in[2].data, d * (size_t)gates * r.hidden * r.hidden};
    ingot__rnn_data b = {ingot__has_in(call, 3) ? call->in[3].data : NULL, d * 2 * (size_t)gates * r.hidden};
    load_state(call, &r, 5, d, r.h);
    if (c0_slot) load_state(call, &r, c0_slot, d, r.c);
    for (size_t s = 0; s < r.steps; s++) {
      r.now = s;
      for (size_t n = 0; n < r.batch; n++) {
        size_t end = length ? (size_t)length[n] : r.steps, t = back ? end - 1 - s : s;
        r.runs[n] = s < end;
        ingot__rnn_data x = {call->in[0].data, r.runs[n] ? (r.layout ? n * r.steps + t : t * r.batch + n) * r.input : 0};
        for (size_t k = 0; r.runs[n] && k < r.input; k++) r.x[n * r.input + k] = ingot__rnn_get(&r, x, k);
      }
      step(call, &r, d, w, rec, b);
      for (size_t n = 0; y && n < r.batch; n++) {
        if (!r.runs[n]) continue;
        size_t end = length ? (size_t)length[n] : r.steps, t = back ? end - 1 - s : s;
        size_t row = r.layout ? (n * r.steps + t) * r.directions + d : (t * r.directions + d) * r.batch + n;
        for (size_t k = 0; k < r.hidden; k++) ingot__set_double(r.dtype, y, row * r.hidden + k, r.h[n * r.hidden + k]);
      }
    }
    store_state(call, &r, 1, d, r.h);
    if (c0_slot) store_state(call, &r, 2, d, r.c);
  }
  return INGOT_OK;
}

/* Eight sums side by side, which the compiler can keep in vectors. */
static double dot(const ingot__rnn *r, ingot__rnn_data m, const double *b, size_t n) {
  double s[8] = {0};
  size_t i = 0;
  if (r->dtype == INGOT_FLOAT32) {
    const float *a = (const float *)m.data + m.at;
    for (; i + 8 <= n; i += 8)
      for (size_t k = 0; k < 8; k++) s[k] += (double)a[i + k] * b[i + k];
  }
  for (; i < n; i++) s[i % 8] += ingot__rnn_get(r, m, i) * b[i];
  for (size_t half = 4; half; half /= 2)
    for (size_t k = 0; k < half; k++) s[k] += s[k + half];
  return s[0];
}

void ingot__rnn_product(const ingot__rnn *r, ingot__rnn_data m, size_t width, size_t from, size_t to, const double *rows, ingot__rnn_data b,
                        bool add) {
  size_t pitch = (size_t)r->gates * r->hidden;
  for (size_t g = from; g < to; g++) {
    for (size_t n = 0; n < r->batch; n++) {
      if (!r->runs[n]) continue;
      double v = dot(r, ingot__rnn_from(m, g * width), rows + n * width, width) + (b.data ? ingot__rnn_get(r, b, g) : 0);
      double *gate = r->gate + n * pitch + g;
      *gate = add ? *gate + v : v;
    }
  }
}

double ingot__rnn_activate(const ingot__rnn *r, size_t d, int i, double v) {
  const ingot__rnn_act *a = &r->act[(int)d * r->n_act + i];
  double alpha = (double)a->alpha, beta = (double)a->beta;
  switch (a->kind) {
  case RELU: return v > 0 ? v : 0;
  case TANH: return tanh(v);
  case SIGMOID: return 1 / (1 + exp(-v));
  case AFFINE: return alpha * v + beta;
  case LEAKY_RELU: return v < 0 ? alpha * v : v;
  case THRESHOLDED_RELU: return v > alpha ? v : 0;
  case SCALED_TANH: return alpha * tanh(beta * v);
  case HARD_SIGMOID: return fmin(fmax(alpha * v + beta, 0), 1);
  case ELU: return v < 0 ? alpha * expm1(v) : v;
  case SOFTSIGN: return v / (1 + fabs(v));
  default: return fmax(v, 0) + log1p(exp(-fabs(v))); /* SOFTPLUS */
  }
}

/* ---- RNN */

static void step(const ingot__call *call, const ingot__rnn *r, size_t d, ingot__rnn_data w, ingot__rnn_data rec, ingot__rnn_data b) {
  (void)call;
  size_t h = r->hidden;
  ingot__rnn_product(r, w, r->input, 0, h, r->x, b, false);
  ingot__rnn_product(r, rec, h, 0, h, r->h, ingot__rnn_from(b, h), true);
  for (size_t n = 0; n < r->batch; n++)
    for (size_t i = 0; r->runs[n] && i < h; i++) r->h[n * h + i] = ingot__rnn_gate(r, d, 0, r->gate[n * h + i]);
}

ingot_status ingot__infer_RNN(ingot__infer *f) { return ingot__rnn_infer(f, 1, false); }
size_t ingot__workspace_RNN(const ingot__call *call) { return ingot__rnn_workspace(call, 1); }
ingot_status ingot__ref_RNN(const ingot__call *call) { return ingot__rnn_run(call, 1, 0, step); }
