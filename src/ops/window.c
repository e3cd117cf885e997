/* Sliding windows: attributes, output dims, pads, and gathering for the references. */
#include "ops/window.h"
#include <string.h>

enum { LIMIT = 1 << 30 }; /* of a kernel, stride, dilation, pad: products of two stay far from overflow */

static ingot_status check_count(ingot__diag *diag, const ingot__node *node, const char *name, size_t n, int want) {
  if (n == 0 || n == (size_t)want) return INGOT_OK;
  return INGOT__FAIL_NODE(diag, INGOT_E_NETWORK, node, "%s has %zu values, %d are needed", name, n, want);
}

static ingot_status check_range(ingot__diag *diag, const ingot__node *node, const char *name, int64_t v, int64_t low) {
  if (v >= low && v <= LIMIT) return INGOT_OK;
  return INGOT__FAIL_NODE(diag, INGOT_E_NETWORK, node, "%s has a value of %lld, not between %lld and %d", name, (long long)v, (long long)low, LIMIT);
}

static ingot_status read_auto_pad(ingot__diag *diag, const ingot__node *node, const char *text, ingot__auto_pad *pad) {
  if (!text || !text[0] || strcmp(text, "NOTSET") == 0) *pad = INGOT__PAD_GIVEN;
  else if (strcmp(text, "VALID") == 0) *pad = INGOT__PAD_VALID;
  else if (strcmp(text, "SAME_UPPER") == 0) *pad = INGOT__PAD_SAME_UPPER;
  else if (strcmp(text, "SAME_LOWER") == 0) *pad = INGOT__PAD_SAME_LOWER;
  else return INGOT__FAIL_NODE(diag, INGOT_E_NETWORK, node, "auto_pad '%s' is unknown", text);
  return INGOT_OK;
}

ingot_status ingot__window_read(ingot__diag *diag, const ingot__node *node, const ingot__window_attrs *a, int n, const ingot__dim *weights,
                                ingot__window *w) {
  w->n = n;
  INGOT_TRY(read_auto_pad(diag, node, a->auto_pad, &w->auto_pad));
  INGOT_TRY(check_count(diag, node, "kernel_shape", a->kernel_shape.n, n));
  INGOT_TRY(check_count(diag, node, "strides", a->strides.n, n));
  INGOT_TRY(check_count(diag, node, "dilations", a->dilations.n, n));
  INGOT_TRY(check_count(diag, node, "pads", a->pads.n, 2 * n));
  if (!weights && a->kernel_shape.n == 0) return INGOT__FAIL_NODE(diag, INGOT_E_NETWORK, node, "has no kernel_shape");
  for (int i = 0; i < n; i++) {
    w->kernel[i] = a->kernel_shape.n ? a->kernel_shape.v[i] : weights[i] >= 0 ? weights[i] : -1;
    w->stride[i] = a->strides.n ? a->strides.v[i] : 1;
    w->dilation[i] = a->dilations.n ? a->dilations.v[i] : 1;
    bool given = a->pads.n && w->auto_pad == INGOT__PAD_GIVEN;
    w->begin[i] = given ? a->pads.v[i] : 0;
    w->end[i] = given ? a->pads.v[n + i] : 0;
    if (w->kernel[i] != -1 || a->kernel_shape.n) INGOT_TRY(check_range(diag, node, "kernel_shape", w->kernel[i], 1));
    INGOT_TRY(check_range(diag, node, "strides", w->stride[i], 1));
    INGOT_TRY(check_range(diag, node, "dilations", w->dilation[i], 1));
    INGOT_TRY(check_range(diag, node, "pads", w->begin[i], -LIMIT));
    INGOT_TRY(check_range(diag, node, "pads", w->end[i], -LIMIT));
    if (weights && weights[i] >= 0 && weights[i] != w->kernel[i]) {
      return INGOT__FAIL_NODE(diag, INGOT_E_SHAPE, node, "kernel_shape says %lld where the weights have %lld", (long long)w->kernel[i],
                              (long long)weights[i]);
    }
  }
  return INGOT_OK;
}

static int64_t extent(const ingot__window *w, int i) { return (w->kernel[i] - 1) * w->dilation[i] + 1; }

ingot_status ingot__window_out(ingot__infer *infer, const ingot__window *w, int i, bool ceil_mode, ingot__dim in, ingot__dim *out) {
  *out = INGOT__DIM_UNKNOWN;
  int64_t s = w->stride[i];
  bool same = w->auto_pad == INGOT__PAD_SAME_UPPER || w->auto_pad == INGOT__PAD_SAME_LOWER;
  if (in == INGOT__DIM_UNKNOWN || (w->kernel[i] < 0 && !same)) return INGOT_OK;
  if (same) {
    *out = ingot__dim_div(infer->dims, ingot__dim_add(infer->dims, in, s - 1), s);
    return INGOT_OK;
  }
  int64_t room = w->begin[i] + w->end[i] - extent(w, i); /* what is added to `in` before dividing */
  if (w->auto_pad == INGOT__PAD_VALID) ceil_mode = false;
  if (in >= 0) {
    if (in > INT64_MAX / 4) return INGOT__FAIL_INFER(infer, INGOT_E_LIMIT, "a dim of %lld is too large", (long long)in);
    if (in + room + (ceil_mode ? s - 1 : 0) < 0) {
      return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "the window covers %lld elements, the padded input has %lld (spatial axis %d)",
                               (long long)extent(w, i), (long long)(in + w->begin[i] + w->end[i]), i);
    }
    int64_t o = (in + room + (ceil_mode ? s - 1 : 0)) / s + 1;
    /* A last window that begins beyond the input and its leading padding doesn't count. */
    if (ceil_mode && (o - 1) * s >= in + w->begin[i]) o--;
    *out = o;
    return INGOT_OK;
  }
  ingot__dims *d = infer->dims;
  ingot__dim o = ingot__dim_add(d, ingot__dim_div(d, ingot__dim_add(d, in, ingot__dim_number(d, room + (ceil_mode ? s - 1 : 0))), s), 1);
  if (ceil_mode) { /* at most ceil((in + begin) / s) windows begin early enough */
    ingot__dim most = ingot__dim_div(d, ingot__dim_add(d, in, ingot__dim_number(d, w->begin[i] + s - 1)), s);
    o = ingot__dim_min(d, o, most);
  }
  *out = o;
  return INGOT_OK;
}

void ingot__window_pads(ingot__window *w, const int64_t *in) {
  if (w->auto_pad != INGOT__PAD_SAME_UPPER && w->auto_pad != INGOT__PAD_SAME_LOWER) return;
  for (int i = 0; i < w->n; i++) {
    int64_t out = (in[i] + w->stride[i] - 1) / w->stride[i];
    int64_t total = (out - 1) * w->stride[i] + extent(w, i) - in[i];
    if (total < 0) total = 0;
    w->begin[i] = w->auto_pad == INGOT__PAD_SAME_UPPER ? total / 2 : total - total / 2;
    w->end[i] = total - w->begin[i];
  }
}

void ingot__window_3d(ingot__window *w) {
  int lead = 3 - w->n;
  for (int i = 2; i >= 0; i--) {
    int k = i - lead;
    w->kernel[i] = k < 0 ? 1 : w->kernel[k];
    w->stride[i] = k < 0 ? 1 : w->stride[k];
    w->dilation[i] = k < 0 ? 1 : w->dilation[k];
    w->begin[i] = k < 0 ? 0 : w->begin[k];
    w->end[i] = k < 0 ? 0 : w->end[k];
  }
  w->n = 3;
}

/* ---- Gathering */

void ingot__gather_init(ingot__gather *g, const ingot__window *window, const int64_t *in, const int64_t *out) {
  int lead = 3 - window->n;
  for (int i = 0; i < 3; i++) {
    g->in[i] = i < lead ? 1 : in[i - lead];
    g->out[i] = i < lead ? 1 : out[i - lead];
  }
  g->window = *window;
  ingot__window_3d(&g->window);
  /* A window of one element that steps by one sees the plane as one long line. */
  const ingot__window *w = &g->window;
  bool flat = true;
  for (int i = 0; i < 3; i++) flat = flat && w->kernel[i] == 1 && w->stride[i] == 1 && w->begin[i] == 0 && w->end[i] == 0;
  if (flat) {
    g->in[2] *= g->in[1] * g->in[0], g->out[2] *= g->out[1] * g->out[0];
    g->in[0] = g->in[1] = g->out[0] = g->out[1] = 1;
  }
}

void ingot__gather_row(ingot__gather *g, int64_t first, size_t n) {
  int64_t w = first % g->out[2], line = first / g->out[2];
  int64_t h = line % g->out[1], d = line / g->out[1];
  size_t done = 0;
  g->n = n;
  g->n_piece = 0;
  while (done < n) {
    int64_t left = g->out[2] - w;
    int32_t take = (int32_t)(left < (int64_t)(n - done) ? left : (int64_t)(n - done));
    int k = g->n_piece++;
    g->piece[k].d = d, g->piece[k].h = h, g->piece[k].w = w, g->piece[k].n = take, g->piece[k].to = (int32_t)done;
    done += (size_t)take;
    w = 0;
    if (++h == g->out[1]) h = 0, d++;
  }
}

bool ingot__gather_tap(ingot__gather *g, int64_t kd, int64_t kh, int64_t kw) {
  const ingot__window *w = &g->window;
  int64_t sd = kd * w->dilation[0] - w->begin[0], sh = kh * w->dilation[1] - w->begin[1], sw = kw * w->dilation[2] - w->begin[2];
  int64_t step = w->stride[2];
  /* Outputs lo..hi-1 of a line have this tap inside the input. */
  int64_t lo = sw >= 0 ? 0 : (-sw + step - 1) / step, hi = g->in[2] - sw <= 0 ? 0 : (g->in[2] - sw + step - 1) / step;
  g->n_segment = 0;
  for (int k = 0; k < g->n_piece; k++) {
    int64_t id = g->piece[k].d * w->stride[0] + sd, ih = g->piece[k].h * w->stride[1] + sh;
    if (id < 0 || id >= g->in[0] || ih < 0 || ih >= g->in[1]) continue;
    int64_t begin = g->piece[k].w > lo ? g->piece[k].w : lo, end = g->piece[k].w + g->piece[k].n;
    if (end > hi) end = hi;
    if (begin >= end) continue;
    int s = g->n_segment++;
    g->segment[s].from = (id * g->in[1] + ih) * g->in[2] + begin * step + sw;
    g->segment[s].to = (int32_t)(g->piece[k].to + (begin - g->piece[k].w));
    g->segment[s].n = (int32_t)(end - begin);
  }
  return g->n_segment > 0;
}

void ingot__gather_load(const ingot__gather *g, ingot_dtype dtype, const void *data, int64_t plane, double fill, double *row) {
  size_t done = 0, padded = (g->n + 7) & ~(size_t)7;
  for (int s = 0; s < g->n_segment; s++) {
    size_t to = (size_t)g->segment[s].to, n = (size_t)g->segment[s].n;
    while (done < to) row[done++] = fill;
    ingot__row_load(dtype, data, plane + g->segment[s].from, g->window.stride[2], n, row + done);
    done += n;
  }
  while (done < padded) row[done++] = fill;
}
