/* ConvTranspose: inference and reference. Every input element i adds X[n,c,i] * W[c,m,t] at output i*stride - pad + t*dilation; computed
 * from the output's side, a line of outputs at a time, in double. Weights are (C, M/group, spatial). */
#include "ops/window.h"

/* Output dims and the pads that lead to them. Pads are in window->begin; `in` numbers or expressions. */
static ingot_status out_dim(ingot__infer *infer, const ingot__attrs_ConvTranspose *a, const ingot__window *w, int i, ingot__dim in,
                            ingot__dim *out) {
  ingot__dims *d = infer->dims;
  bool same = w->auto_pad == INGOT__PAD_SAME_UPPER || w->auto_pad == INGOT__PAD_SAME_LOWER;
  *out = INGOT__DIM_UNKNOWN;
  if (a->output_shape.n) {
    *out = a->output_shape.v[a->output_shape.n - (size_t)w->n + (size_t)i];
    if (*out < 0) return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "output_shape has a value of %lld", (long long)*out);
    return INGOT_OK;
  }
  if (in == INGOT__DIM_UNKNOWN || (w->kernel[i] < 0 && !same)) return INGOT_OK;
  if (in > INT64_MAX / 4 / w->stride[i]) return INGOT__FAIL_INFER(infer, INGOT_E_LIMIT, "a dim of %lld is too large", (long long)in);
  if (same) {
    *out = ingot__dim_mul(d, in, w->stride[i]);
    return INGOT_OK;
  }
  int64_t extra = a->output_padding.n ? a->output_padding.v[i] : 0;
  int64_t rest = extra + (w->kernel[i] - 1) * w->dilation[i] + 1 - w->begin[i] - w->end[i] - w->stride[i];
  if (in >= 0) {
    int64_t n = in * w->stride[i] + rest;
    if (in == 0) n = 0;
    if (n < 0) return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "the pads leave nothing of spatial axis %d", i);
    *out = n;
    return INGOT_OK;
  }
  *out = ingot__dim_add(d, ingot__dim_mul(d, in, w->stride[i]), ingot__dim_number(d, rest));
  return INGOT_OK;
}

/* What is cut off at the front where the output's dims are given: ONNX splits the difference. */
static void resolve_pads(const ingot__attrs_ConvTranspose *a, ingot__window *w, const int64_t *in, const int64_t *out) {
  bool same = w->auto_pad == INGOT__PAD_SAME_UPPER || w->auto_pad == INGOT__PAD_SAME_LOWER;
  if (!same && a->output_shape.n == 0) return;
  for (int i = 0; i < w->n; i++) {
    int64_t extra = a->output_padding.n ? a->output_padding.v[i] : 0;
    int64_t total = w->stride[i] * (in[i] - 1) + extra + (w->kernel[i] - 1) * w->dilation[i] + 1 - out[i];
    if (total < 0) total = 0;
    w->begin[i] = w->auto_pad == INGOT__PAD_SAME_UPPER ? total / 2 : total - total / 2;
    w->end[i] = total - w->begin[i];
  }
}

ingot_status ingot__infer_ConvTranspose(ingot__infer *infer) {
  const ingot__attrs_ConvTranspose *a = INGOT__ATTRS(infer, ConvTranspose);
  bool unknown, unknown_w;
  INGOT_TRY(ingot__infer_rank(infer, 0, 3, 2 + INGOT__WINDOW_DIMS, &unknown));
  INGOT_TRY(ingot__infer_rank(infer, 1, 3, 2 + INGOT__WINDOW_DIMS, &unknown_w));
  const ingot__type *x = infer->in[0], *w = infer->in[1];
  if (x->dtype != INGOT_FLOAT32 && x->dtype != INGOT_FLOAT64 && x->dtype != INGOT_FLOAT16 && x->dtype != INGOT_BFLOAT16) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(x->dtype));
  }
  for (size_t i = 1; i < infer->n_in; i++) {
    if (infer->in[i] && infer->in[i]->dtype != x->dtype) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "the inputs have different types");
  }
  if (unknown || unknown_w) return INGOT_OK;
  int n = x->rank - 2;
  if (w->rank != x->rank) return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "the weights have rank %d, the input %d", w->rank, x->rank);
  if (a->group < 1 || a->group > INT32_MAX) return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "group is %lld", (long long)a->group);
  ingot__dim c = x->dim[1], m;
  if (c >= 0 && w->dim[0] >= 0 && (c != w->dim[0] || c % a->group)) {
    return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "weights have %lld channels and %lld groups, input has %lld", (long long)w->dim[0],
                             (long long)a->group, (long long)c);
  }
  m = w->dim[1] >= 0 || infer->dims ? ingot__dim_mul(infer->dims, w->dim[1], a->group) : INGOT__DIM_UNKNOWN;
  if (infer->n_in > 2 && infer->in[2] && infer->in[2]->rank >= 0) {
    const ingot__type *b = infer->in[2];
    if (b->rank != 1 || (b->dim[0] >= 0 && m >= 0 && b->dim[0] != m)) {
      return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "the bias must have one value for each of %lld output channels", (long long)m);
    }
  }
  ingot__window window;
  ingot__window_attrs attrs = INGOT__WINDOW_ATTRS(a);
  INGOT_TRY(ingot__window_read(infer->diag, infer->node, &attrs, n, &w->dim[2], &window));
  if ((a->output_padding.n && a->output_padding.n != (size_t)n) ||
      (a->output_shape.n && a->output_shape.n != (size_t)n && a->output_shape.n != (size_t)n + 2)) {
    return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "output_padding and output_shape need %d values", n);
  }
  for (size_t i = 0; i < a->output_padding.n; i++) {
    if (a->output_padding.v[i] < 0 || a->output_padding.v[i] > INT32_MAX) {
      return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "output_padding has a value of %lld", (long long)a->output_padding.v[i]);
    }
  }
  ingot__type *out = &infer->out[0];
  *out = (ingot__type){.dtype = x->dtype, .rank = x->rank};
  out->dim[0] = x->dim[0];
  out->dim[1] = m;
  for (int i = 0; i < n; i++) INGOT_TRY(out_dim(infer, a, &window, i, x->dim[2 + i], &out->dim[2 + i]));
  if (infer->n_in > 3 && infer->in[3] && infer->in[3]->rank >= 0) {
    const ingot__type *r = infer->in[3];
    bool fits = r->rank == out->rank;
    for (int i = 0; fits && i < r->rank; i++) fits = r->dim[i] < 0 || out->dim[i] < 0 || r->dim[i] == out->dim[i];
    if (!fits) return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "the residual does not have the output's shape");
  }
  return INGOT_OK;
}

enum { BLOCK = 8 };
typedef struct job {
  const ingot__call *call;
  ingot__window w; /* three dims */
  int64_t groups, cg, mg, taps, in[3], out[3];
} job;

/* The input position that output position o reads at tap k, along one axis; false when there is none. */
static bool source(const job *j, int axis, int64_t o, int64_t k, int64_t *in) {
  int64_t t = o + j->w.begin[axis] - k * j->w.dilation[axis];
  if (t < 0 || t % j->w.stride[axis]) return false;
  *in = t / j->w.stride[axis];
  return *in < j->in[axis];
}

/* Outputs w0..w0+n of the line (d, h), of up to BLOCK channels of one group of one image. */
static void compute(const job *j, int64_t image, int64_t group, int64_t m0, int64_t d, int64_t h, int64_t w0, size_t n) {
  const ingot__call *call = j->call;
  const ingot__attrs_ConvTranspose *a = INGOT__ATTRS(call, ConvTranspose);
  ingot_dtype t = call->out[0].dtype;
  double acc[BLOCK][INGOT__ROW], row[INGOT__ROW] = {0}, packed[INGOT__ROW], weight[BLOCK];
  size_t block = (size_t)(j->mg - m0 < BLOCK ? j->mg - m0 : BLOCK);
  for (size_t r = 0; r < BLOCK; r++)
    for (size_t i = 0; i < INGOT__ROW; i++) acc[r][i] = 0;
  int64_t s = j->w.stride[2], in_plane = j->in[0] * j->in[1] * j->in[2], out_plane = j->out[0] * j->out[1] * j->out[2], id, ih;
  for (int64_t kd = 0; kd < j->w.kernel[0]; kd++) {
    if (!source(j, 0, d, kd, &id)) continue;
    for (int64_t kh = 0; kh < j->w.kernel[1]; kh++) {
      if (!source(j, 1, h, kh, &ih)) continue;
      for (int64_t kw = 0; kw < j->w.kernel[2]; kw++) {
        /* Output w0 + o reads input (w0 + o + shift) / s where that is whole and inside. */
        int64_t shift = j->w.begin[2] - kw * j->w.dilation[2], first = w0 + shift;
        int64_t iw = first >= 0 ? (first + s - 1) / s : 0, o = iw * s - first;
        if (o >= (int64_t)n || iw >= j->in[2]) continue;
        int64_t count = ((int64_t)n - o + s - 1) / s;
        if (count > j->in[2] - iw) count = j->in[2] - iw;
        for (size_t i = 0; i < INGOT__ROW; i++) row[i] = 0;
        int64_t tap = (kd * j->w.kernel[1] + kh) * j->w.kernel[2] + kw;
        for (int64_t c = 0; c < j->cg; c++) {
          int64_t channel = group * j->cg + c;
          ingot__row_load(t, call->in[0].data, (image * j->groups * j->cg + channel) * in_plane + (id * j->in[1] + ih) * j->in[2] + iw, 1,
                          (size_t)count, packed);
          for (int64_t i = 0; i < count; i++) row[o + i * s] = packed[i];
          ingot__row_load(t, call->in[1].data, (channel * j->mg + m0) * j->taps + tap, j->taps, block, weight);
          ingot__row_mac(acc, weight, 1, block, row, n);
        }
      }
    }
  }
  for (size_t r = 0; r < block; r++) {
    int64_t m = group * j->mg + m0 + (int64_t)r;
    int64_t at = (image * j->groups * j->mg + m) * out_plane + (d * j->out[1] + h) * j->out[2] + w0;
    double bias = 0;
    if (ingot__has_in(call, 2)) ingot__row_load(t, call->in[2].data, m, 1, 1, &bias);
    if (ingot__has_in(call, 3)) ingot__row_load(t, call->in[3].data, at, 1, n, row);
    else for (size_t i = 0; i < n; i++) row[i] = 0;
    for (size_t i = 0; i < n; i++) acc[r][i] = ingot__row_act(t, a->act, a->act_alpha, a->act_beta, acc[r][i] + bias + row[i]);
    ingot__row_store(t, call->out[0].data, at, 1, n, acc[r]);
  }
}

static void work(void *arg, int i, int n) {
  const job *j = arg;
  int64_t blocks = (j->mg + BLOCK - 1) / BLOCK, lines = j->out[0] * j->out[1];
  size_t begin, end;
  ingot__share((size_t)(j->call->out[0].dim[0] * j->groups * blocks * lines), 1, i, n, &begin, &end);
  for (size_t u = begin; u < end; u++) {
    int64_t line = (int64_t)u % lines, rest = (int64_t)u / lines, block = rest % blocks, group = rest / blocks % j->groups;
    for (int64_t w = 0; w < j->out[2]; w += INGOT__ROW) {
      size_t count = (size_t)(j->out[2] - w < INGOT__ROW ? j->out[2] - w : INGOT__ROW);
      compute(j, rest / blocks / j->groups, group, block * BLOCK, line / j->out[1], line % j->out[1], w, count);
    }
  }
}

ingot_status ingot__ref_ConvTranspose(const ingot__call *call) {
  const ingot__attrs_ConvTranspose *a = INGOT__ATTRS(call, ConvTranspose);
  const ingot__view *x = &call->in[0], *w = &call->in[1], *out = &call->out[0];
  if (ingot__view_count(out) == 0) return INGOT_OK;
  int n = x->rank - 2;
  job j = {.call = call, .groups = a->group, .cg = w->dim[0] / a->group, .mg = w->dim[1], .taps = 1};
  ingot__window_attrs attrs = INGOT__WINDOW_ATTRS(a);
  INGOT_TRY(ingot__window_read(call->diag, call->node, &attrs, n, &w->dim[2], &j.w));
  resolve_pads(a, &j.w, &x->dim[2], &out->dim[2]);
  ingot__window_3d(&j.w);
  for (int i = 0; i < 3; i++) {
    int k = i - (3 - n);
    j.in[i] = k < 0 ? 1 : x->dim[2 + k];
    j.out[i] = k < 0 ? 1 : out->dim[2 + k];
    j.taps *= j.w.kernel[i];
  }
  ingot__pool_run(call->pool, work, &j);
  return INGOT_OK;
}
