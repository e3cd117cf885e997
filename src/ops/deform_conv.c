/* DeformConv: a convolution whose taps are moved by learnt offsets and weighted by a mask (arXiv 1703.06211, 1811.11168). Inputs: X, W,
 * offset (N, offset groups * taps * axes, out), bias, mask (N, offset groups * taps, out). Elements between pixels are interpolated, those
 * outside are zero. */
#include "ops/deform_conv.h"
#include "ops/rows.h"
#include <math.h>


static ingot_status check_channels(ingot__infer *f, const ingot__attrs_DeformConv *a, const ingot__window *w) {
  const ingot__type *x = f->in[0], *weights = f->in[1], *out = &f->out[0];
  int64_t c = x->dim[1], m = weights->dim[0], cg = weights->dim[1], taps = 1;
  if (a->group < 1 || a->offset_group < 1 || a->offset_group > 1 << 28) {
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "group is %lld, offset_group %lld", (long long)a->group, (long long)a->offset_group);
  }
  bool good = (c < 0 || (c % a->group == 0 && c % a->offset_group == 0)) && (m < 0 || m % a->group == 0) && (c < 0 || cg < 0 || c / a->group == cg);
  if (!good) {
    return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "%lld channels, %lld of weights and %lld groups don't fit", (long long)c, (long long)cg,
                             (long long)a->group);
  }
  for (int i = 0; i < w->n; i++) {
    if (w->kernel[i] < 0 || __builtin_mul_overflow(taps, w->kernel[i], &taps)) return INGOT_OK;
  }
  for (size_t i = 2; i < f->n_in; i++) {
    const ingot__type *t = f->in[i];
    ingot__dim d;
    if (!t || t->rank < 0) continue;
    if (i == 3) {
      if (t->rank != 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "the bias has rank %d", t->rank);
      INGOT_TRY(ingot__dim_merge(f, t->dim[0], m, "the bias", &d));
      continue;
    }
    int64_t want;
    if (t->rank != x->rank) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "input %zu has rank %d, not %d", i, t->rank, x->rank);
    if (__builtin_mul_overflow(taps, a->offset_group * (i == 2 ? w->n : 1), &want)) {
      return INGOT__FAIL_INFER(f, INGOT_E_LIMIT, "offset_group is too large");
    }
    INGOT_TRY(ingot__dim_merge(f, t->dim[0], x->dim[0], "offsets and input", &d));
    INGOT_TRY(ingot__dim_merge(f, t->dim[1], want, i == 2 ? "offsets" : "the mask", &d));
    for (int k = 2; k < x->rank; k++) INGOT_TRY(ingot__dim_merge(f, t->dim[k], out->dim[k], i == 2 ? "offsets" : "the mask", &d));
  }
  return INGOT_OK;
}

static ingot__window_attrs window_attrs(const ingot__attrs_DeformConv *a) {
  return (ingot__window_attrs){"NOTSET", a->kernel_shape, a->strides, a->pads, a->dilations};
}

ingot_status ingot__infer_DeformConv(ingot__infer *f) {
  const ingot__attrs_DeformConv *a = INGOT__ATTRS(f, DeformConv);
  bool unknown, unknown_w;
  INGOT_TRY(ingot__infer_rank(f, 0, 3, 2 + INGOT__WINDOW_DIMS, &unknown));
  INGOT_TRY(ingot__infer_rank(f, 1, 3, 2 + INGOT__WINDOW_DIMS, &unknown_w));
  const ingot__type *x = f->in[0], *w = f->in[1];
  if (!ingot__infer_has(f, 2)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "offsets are missing");
  if (!ingot__dtype_is_real(x->dtype)) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(x->dtype));
  for (size_t i = 1; i < f->n_in; i++)
    if (f->in[i] && f->in[i]->dtype != x->dtype) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "input %zu is %s", i, ingot_dtype_name(f->in[i]->dtype));
  ingot__type *out = &f->out[0];
  ingot__type_unknown(out, x->dtype);
  if (unknown || unknown_w) return INGOT_OK;
  if (w->rank != x->rank) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "the weights have rank %d, the input %d", w->rank, x->rank);
  ingot__window window;
  ingot__window_attrs attrs = window_attrs(a);
  INGOT_TRY(ingot__window_read(f->diag, f->node, &attrs, x->rank - 2, &w->dim[2], &window));
  out->rank = x->rank;
  out->dim[0] = x->dim[0], out->dim[1] = w->dim[0];
  for (int i = 0; i < window.n; i++) INGOT_TRY(ingot__window_out(f, &window, i, false, x->dim[2 + i], &out->dim[2 + i]));
  return check_channels(f, a, &window);
}

ingot_status ingot__deform_setup(const ingot__call *call, ingot__deform *d) {
  const ingot__attrs_DeformConv *a = INGOT__ATTRS(call, DeformConv);
  const ingot__view *x = &call->in[0], *w = &call->in[1], *out = &call->out[0], *offset = &call->in[2];
  ingot__window_attrs attrs = window_attrs(a);
  int n = x->rank - 2;
  INGOT_TRY(ingot__window_read(call->diag, call->node, &attrs, n, &w->dim[2], &d->window));
  d->groups = a->group, d->offset_groups = a->offset_group;
  d->cg = w->dim[1], d->mg = w->dim[0] / d->groups, d->co = x->dim[1] / d->offset_groups;
  d->taps = d->in_plane = d->out_plane = 1;
  bool good = offset->rank == x->rank && d->cg * d->groups == x->dim[1] && d->co * d->offset_groups == x->dim[1] && offset->dim[0] == x->dim[0];
  for (int i = 0; i < n; i++) {
    d->taps *= w->dim[2 + i];
    d->in_plane *= x->dim[2 + i];
    d->out_plane *= out->dim[2 + i];
    good = good && offset->dim[2 + i] == out->dim[2 + i];
  }
  good = good && offset->dim[1] == d->offset_groups * d->taps * n;
  if (ingot__has_in(call, 4)) {
    const ingot__view *mask = &call->in[4];
    good = good && mask->rank == x->rank && mask->dim[0] == x->dim[0] && mask->dim[1] == d->offset_groups * d->taps;
    for (int i = 2; good && i < x->rank; i++) good = mask->dim[i] == out->dim[i];
  }
  return good ? INGOT_OK : INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "offsets, mask, weights and input don't fit");
}

void ingot__deform_base(const ingot__deform *d, const int64_t *out_dim, int64_t p, int64_t t, int64_t at[INGOT__WINDOW_DIMS]) {
  const ingot__window *w = &d->window;
  for (int i = w->n - 1; i >= 0; i--) {
    at[i] = p % out_dim[i] * w->stride[i] - w->begin[i] + t % w->kernel[i] * w->dilation[i];
    p /= out_dim[i];
    t /= w->kernel[i];
  }
}

int ingot__deform_corners(const ingot__deform *d, const int64_t *in_dim, const double at[INGOT__WINDOW_DIMS], int64_t offset[8], double weight[8]) {
  int n = 1;
  offset[0] = 0, weight[0] = 1;
  for (int i = 0; i < d->window.n; i++) {
    int64_t length = in_dim[i], low;
    if (!(at[i] > -1 && at[i] < (double)length)) return 0;
    low = (int64_t)floor(at[i]);
    double part = at[i] - (double)low;
    int kept = 0;
    int64_t o[8];
    double w[8];
    for (int k = 0; k < n; k++)
      for (int s = 0; s < 2; s++) {
        if (low + s < 0 || low + s >= length) continue;
        o[kept] = offset[k] * length + low + s;
        w[kept++] = weight[k] * (s ? part : 1 - part);
      }
    n = kept;
    memcpy(offset, o, (size_t)n * sizeof *o);
    memcpy(weight, w, (size_t)n * sizeof *w);
  }
  return n;
}

size_t ingot__workspace_DeformConv(const ingot__call *call) {
  const ingot__view *w = &call->in[1];
  size_t n = (size_t)(call->threads > 0 ? call->threads : 1) * sizeof(double);
  for (int i = 1; i < w->rank; i++)
    if (!ingot__mul(n, (size_t)(i == 1 ? call->in[0].dim[1] : w->dim[i]), &n)) return SIZE_MAX;
  return n;
}

typedef struct job {
  const ingot__call *call;
  ingot__deform d;
} job;

/* The elements under all taps of one output position, channels outermost. */
static void gather(const job *j, int64_t image, int64_t p, double *column) {
  const ingot__call *call = j->call;
  const ingot__deform *d = &j->d;
  const ingot__view *x = &call->in[0], *shift = &call->in[2], *mask = &call->in[4];
  int n = d->window.n;
  for (int64_t g = 0; g < d->offset_groups; g++)
    for (int64_t t = 0; t < d->taps; t++) {
      int64_t base[INGOT__WINDOW_DIMS], offset[8];
      double at[INGOT__WINDOW_DIMS], weight[8], factor = 1;
      ingot__deform_base(d, &call->out[0].dim[2], p, t, base);
      for (int i = 0; i < n; i++) {
        int64_t channel = ((image * d->offset_groups + g) * d->taps + t) * n + i;
        at[i] = (double)base[i] + ingot__get_double(shift->dtype, shift->data, (size_t)(channel * d->out_plane + p));
      }
      int corners = ingot__deform_corners(d, &x->dim[2], at, offset, weight);
      if (ingot__has_in(call, 4)) {
        factor = ingot__get_double(mask->dtype, mask->data, (size_t)(((image * d->offset_groups + g) * d->taps + t) * d->out_plane + p));
      }
      for (int64_t c = g * d->co; c < (g + 1) * d->co; c++) {
        double sum = 0;
        int64_t plane = (image * x->dim[1] + c) * d->in_plane;
        for (int k = 0; k < corners; k++) sum += weight[k] * ingot__get_double(x->dtype, x->data, (size_t)(plane + offset[k]));
        column[c * d->taps + t] = sum * factor;
      }
    }
}

static void work(void *arg, int thread, int threads) {
  const job *j = arg;
  const ingot__call *call = j->call;
  const ingot__deform *d = &j->d;
  const ingot__view *x = &call->in[0], *w = &call->in[1], *out = &call->out[0];
  int64_t k = d->cg * d->taps;
  double *column = (double *)call->workspace + (size_t)thread * (size_t)(x->dim[1] * d->taps), row[INGOT__ROW];
  size_t begin, end;
  ingot__share((size_t)(x->dim[0] * d->out_plane), 1, thread, threads, &begin, &end);
  for (int64_t q = (int64_t)begin; q < (int64_t)end; q++) {
    int64_t image = q / d->out_plane, p = q % d->out_plane;
    gather(j, image, p, column);
    for (int64_t m = 0; m < out->dim[1]; m++) {
      double sum = 0;
      if (ingot__has_in(call, 3)) ingot__row_load(call->in[3].dtype, call->in[3].data, m, 1, 1, &sum);
      const double *c = column + m / d->mg * k;
      for (int64_t i = 0; i < k; i += INGOT__ROW) {
        size_t n = (size_t)(k - i < INGOT__ROW ? k - i : INGOT__ROW);
        ingot__row_load(w->dtype, w->data, m * k + i, 1, n, row);
        for (size_t s = 0; s < n; s++) sum += row[s] * c[(size_t)i + s];
      }
      ingot__row_store(out->dtype, out->data, (image * out->dim[1] + m) * d->out_plane + p, 1, 1, &sum);
    }
  }
}

ingot_status ingot__ref_DeformConv(const ingot__call *call) {
  job j = {.call = call};
  INGOT_TRY(ingot__deform_setup(call, &j.d));
  if (ingot__view_count(&call->out[0]) == 0) return INGOT_OK;
  if (call->workspace_size < ingot__workspace_DeformConv(call)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "the workspace is too small");
  ingot__pool_run(call->pool, work, &j);
  return INGOT_OK;
}
