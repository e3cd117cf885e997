/* Conv: inference and reference. out[n,m,p] = act(sum over channels c of m's group and taps t of W[m,c,t] * X[n,c, p*stride - pad + t*dilation]
 * + B[m] + residual[n,m,p]), summed in double. For 8 bits see ops.def. */
#include "ops/window.h"
#include <math.h>

static ingot_status check_fused(ingot__infer *infer, const ingot__type *out) {
  if (infer->n_in < 4 || !infer->in[3]) return INGOT_OK;
  const ingot__type *r = infer->in[3];
  if (r->dtype != out->dtype) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "the residual is %s", ingot_dtype_name(r->dtype));
  if (r->rank < 0 || out->rank < 0) return INGOT_OK;
  bool fits = r->rank == out->rank;
  for (int i = 0; fits && i < r->rank; i++) fits = r->dim[i] < 0 || out->dim[i] < 0 || r->dim[i] == out->dim[i];
  return fits ? INGOT_OK : INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "the residual does not have the output's shape");
}

/* uint8 by int8, with an int32 bias, finished by a scale. */
static ingot_status check_levels(ingot__infer *infer) {
  static const ingot_dtype wanted[5] = {INGOT_UINT8, INGOT_INT8, INGOT_INT32, INGOT_UNDEFINED, INGOT_FLOAT32};
  const ingot__attrs_Conv *a = INGOT__ATTRS(infer, Conv);
  if (infer->n_in < 5 || !infer->in[4]) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take uint8 without a scale");
  for (size_t i = 0; i < infer->n_in; i++)
    if (infer->in[i] && infer->in[i]->dtype != wanted[i])
      return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "input %zu is %s beside uint8", i, ingot_dtype_name(infer->in[i]->dtype));
  bool bytes = a->x_zero >= 0 && a->x_zero <= 255 && a->y_low >= 0 && a->y_low <= a->y_high && a->y_high <= 255 && a->y_zero >= 0 && a->y_zero <= 255;
  return bytes ? INGOT_OK : INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "x_zero, y_zero, y_low or y_high is no uint8");
}

static ingot_status check_types(ingot__infer *infer) {
  ingot_dtype t = infer->in[0]->dtype;
  if (t == INGOT_UINT8) return check_levels(infer);
  if (infer->n_in > 4 && infer->in[4]) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "takes a scale with uint8 alone");
  if (t != INGOT_FLOAT32 && t != INGOT_FLOAT64 && t != INGOT_FLOAT16 && t != INGOT_BFLOAT16) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(t));
  }
  for (size_t i = 1; i < infer->n_in; i++) {
    if (infer->in[i] && infer->in[i]->dtype != t) {
      return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "input %zu is %s, the first is %s", i, ingot_dtype_name(infer->in[i]->dtype),
                               ingot_dtype_name(t));
    }
  }
  return INGOT_OK;
}

ingot_status ingot__infer_Conv(ingot__infer *infer) {
  const ingot__attrs_Conv *a = INGOT__ATTRS(infer, Conv);
  bool unknown, unknown_w;
  INGOT_TRY(ingot__infer_rank(infer, 0, 3, 2 + INGOT__WINDOW_DIMS, &unknown));
  INGOT_TRY(ingot__infer_rank(infer, 1, 3, 2 + INGOT__WINDOW_DIMS, &unknown_w));
  INGOT_TRY(check_types(infer));
  if (unknown || unknown_w) return INGOT_OK;
  const ingot__type *x = infer->in[0], *w = infer->in[1];
  int n = x->rank - 2;
  if (w->rank != x->rank) return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "the weights have rank %d, the input %d", w->rank, x->rank);
  if (a->group < 1) return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "group is %lld", (long long)a->group);
  ingot__dim c = x->dim[1], cg = w->dim[1], m = w->dim[0];
  if (cg >= 0 && c >= 0 && (c % a->group || c / a->group != cg)) {
    return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "weights have %lld channels and %lld groups, input has %lld", (long long)cg,
                             (long long)a->group, (long long)c);
  }
  if (m >= 0 && m % a->group) {
    return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "%lld output channels do not divide into %lld groups", (long long)m, (long long)a->group);
  }
  if (infer->n_in > 2 && infer->in[2] && infer->in[2]->rank >= 0) {
    const ingot__type *b = infer->in[2];
    if (b->rank != 1 || (b->dim[0] >= 0 && m >= 0 && b->dim[0] != m)) {
      return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "the bias must have one value for each of %lld output channels", (long long)m);
    }
  }
  if (infer->n_in > 4 && infer->in[4] && infer->in[4]->rank >= 0) {
    const ingot__type *s = infer->in[4];
    if (s->rank > 1 || (s->rank == 1 && s->dim[0] != 1 && s->dim[0] >= 0 && m >= 0 && s->dim[0] != m))
      return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "the scale must have one value, or one for each of %lld output channels", (long long)m);
  }
  ingot__window window;
  ingot__window_attrs attrs = INGOT__WINDOW_ATTRS(a);
  INGOT_TRY(ingot__window_read(infer->diag, infer->node, &attrs, n, &w->dim[2], &window));
  ingot__type *out = &infer->out[0];
  *out = (ingot__type){.dtype = x->dtype, .rank = x->rank};
  out->dim[0] = x->dim[0];
  out->dim[1] = m;
  for (int i = 0; i < n; i++) INGOT_TRY(ingot__window_out(infer, &window, i, false, x->dim[2 + i], &out->dim[2 + i]));
  return check_fused(infer, out);
}

enum { BLOCK = 8, CHANNELS = 64 }; /* output channels at once, input channels whose weights are loaded at once */

typedef struct job {
  const ingot__call *call;
  ingot__window window;
  int64_t groups, cg, mg, taps, in_plane, out_plane;
} job;

static void store_levels(const ingot__call *call, int64_t m, int64_t at, size_t n, const double *acc) {
  const ingot__attrs_Conv *a = INGOT__ATTRS(call, Conv);
  const ingot__view *s = &call->in[4];
  const float scale = ((const float *)s->data)[ingot__view_count(s) == 1 ? 0 : m];
  const float low = (float)(a->y_low - a->y_zero), high = (float)(a->y_high - a->y_zero);
  const int32_t bias = ingot__has_in(call, 2) ? ((const int32_t *)call->in[2].data)[m] : 0;
  for (size_t i = 0; i < n; i++) {
    float v = (float)(acc[i] + bias) * scale;
    ((uint8_t *)call->out[0].data)[at + (int64_t)i] = (uint8_t)(rintf(v < low ? low : v > high ? high : v) + (float)a->y_zero);
  }
}

static void store(const job *j, int64_t m, int64_t at, size_t n, double *acc) {
  const ingot__call *call = j->call;
  const ingot__attrs_Conv *a = INGOT__ATTRS(call, Conv);
  ingot_dtype t = call->out[0].dtype;
  double residual[INGOT__ROW], bias = 0;
  if (t == INGOT_UINT8) {
    store_levels(call, m, at, n, acc);
    return;
  }
  if (ingot__has_in(call, 2)) ingot__row_load(t, call->in[2].data, m, 1, 1, &bias);
  for (size_t i = 0; i < n; i++) acc[i] += bias;
  if (ingot__has_in(call, 3)) {
    ingot__row_load(t, call->in[3].data, at, 1, n, residual);
    for (size_t i = 0; i < n; i++) acc[i] += residual[i];
  }
  if (a->act)
    for (size_t i = 0; i < n; i++) acc[i] = ingot__row_act(t, a->act, a->act_alpha, a->act_beta, acc[i]);
  ingot__row_store(t, call->out[0].data, at, 1, n, acc);
}

/* One row of outputs for up to BLOCK channels of one group of one image. */
static void compute(const job *j, ingot__gather *g, int64_t image, int64_t group, int64_t m0, int64_t first, size_t n) {
  const ingot__view *x = &j->call->in[0], *w = &j->call->in[1];
  const double zero = (double)INGOT__ATTRS(j->call, Conv)->x_zero;
  double acc[BLOCK][INGOT__ROW], row[INGOT__ROW], weight[BLOCK][CHANNELS];
  size_t block = (size_t)(j->mg - m0 < BLOCK ? j->mg - m0 : BLOCK);
  int64_t m = group * j->mg + m0;
  for (size_t r = 0; r < BLOCK; r++)
    for (size_t i = 0; i < INGOT__ROW; i++) acc[r][i] = 0;
  ingot__gather_row(g, first, n);
  int64_t tap = 0;
  for (int64_t kd = 0; kd < g->window.kernel[0]; kd++)
    for (int64_t kh = 0; kh < g->window.kernel[1]; kh++)
      for (int64_t kw = 0; kw < g->window.kernel[2]; kw++, tap++) {
        if (!ingot__gather_tap(g, kd, kh, kw)) continue;
        for (int64_t c0 = 0; c0 < j->cg; c0 += CHANNELS) {
          size_t channels = (size_t)(j->cg - c0 < CHANNELS ? j->cg - c0 : CHANNELS);
          for (size_t r = 0; r < block; r++) {
            ingot__row_load(w->dtype, w->data, ((m + (int64_t)r) * j->cg + c0) * j->taps + tap, j->taps, channels, weight[r]);
          }
          for (size_t c = 0; c < channels; c++) {
            int64_t plane = (image * j->groups + group) * j->cg + c0 + (int64_t)c;
            ingot__gather_load(g, x->dtype, x->data, plane * j->in_plane, zero, row);
            for (size_t i = 0; zero != 0 && i < n; i++) row[i] -= zero;
            ingot__row_mac(acc, &weight[0][c], CHANNELS, block, row, n);
          }
        }
      }
  for (size_t r = 0; r < block; r++) {
    int64_t channel = m + (int64_t)r;
    store(j, channel, (image * j->groups * j->mg + channel) * j->out_plane + first, n, acc[r]);
  }
}

static void work(void *arg, int i, int n) {
  const job *j = arg;
  const ingot__view *x = &j->call->in[0], *out = &j->call->out[0];
  ingot__gather g;
  ingot__gather_init(&g, &j->window, &x->dim[2], &out->dim[2]);
  int64_t blocks = (j->mg + BLOCK - 1) / BLOCK, rows = (j->out_plane + INGOT__ROW - 1) / INGOT__ROW;
  size_t begin, end;
  ingot__share((size_t)(out->dim[0] * j->groups * blocks * rows), 1, i, n, &begin, &end);
  for (size_t u = begin; u < end; u++) {
    int64_t row = (int64_t)u % rows, rest = (int64_t)u / rows, block = rest % blocks, group = rest / blocks % j->groups;
    int64_t first = row * INGOT__ROW, left = j->out_plane - first;
    compute(j, &g, rest / blocks / j->groups, group, block * BLOCK, first, (size_t)(left < INGOT__ROW ? left : INGOT__ROW));
  }
}

ingot_status ingot__ref_Conv(const ingot__call *call) {
  const ingot__attrs_Conv *a = INGOT__ATTRS(call, Conv);
  const ingot__view *x = &call->in[0], *w = &call->in[1], *out = &call->out[0];
  if (ingot__view_count(out) == 0) return INGOT_OK;
  job j = {.call = call, .groups = a->group, .cg = w->dim[1], .mg = w->dim[0] / a->group, .taps = 1, .in_plane = 1, .out_plane = 1};
  ingot__window_attrs attrs = INGOT__WINDOW_ATTRS(a);
  INGOT_TRY(ingot__window_read(call->diag, call->node, &attrs, x->rank - 2, &w->dim[2], &j.window));
  ingot__window_pads(&j.window, &x->dim[2]);
  for (int i = 2; i < x->rank; i++) {
    j.taps *= w->dim[i];
    j.in_plane *= x->dim[i];
    j.out_plane *= out->dim[i];
  }
  ingot__pool_run(call->pool, work, &j);
  return INGOT_OK;
}
