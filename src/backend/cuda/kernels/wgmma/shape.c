/* Reads a convolution's or matrix product's views and attributes, and packs its constants. */
#include "backend/cuda/kernels/wgmma/shape.h"
#include "ops/window.h"
#include <math.h>

static bool float_constant(const ingot__view *v) { return v->constant && (ingot__dtype_is_half(v->dtype) || v->dtype == INGOT_FLOAT32); }
static int64_t bias_bytes(const ingot__product_shape *s) { return s->bias_packed ? ingot__divide_up((int64_t)s->p.n * 4, 256) * 256 : 0; }

/* None and ReLU are clips with infinite bounds: one code for most layers. */
void ingot__product_read_act(ingot__product_shape *s, int64_t act, float alpha, float beta) {
  s->act = (int)act;
  s->p.act_alpha = alpha, s->p.act_beta = beta;
  if (act != INGOT__ACT_NONE && act != INGOT__ACT_RELU) return;
  s->act = INGOT__ACT_CLIP;
  s->p.act_alpha = act == INGOT__ACT_RELU ? 0 : -INFINITY;
  s->p.act_beta = INFINITY;
}

/* A bias of n elements, all but the last dim 1. */
static bool read_bias(const ingot__call *call, ingot__product_shape *s) {
  if (!ingot__has_in(call, 2)) return true;
  const ingot__view *v = &call->in[2];
  if (v->rank < 1 || ingot__view_count(v) != s->p.n || v->dim[v->rank - 1] != s->p.n) return false;
  s->bias_packed = float_constant(v);
  if (s->bias_packed) s->p.bias = call->packed, s->p.bias_float = 1;
  else s->p.bias = v->data;
  return s->bias_packed || (v->dtype == s->dtype && v->dense);
}

/* The slices that cost least: padded channels against the number of boxes that are loaded. */
static int best_slice(int64_t taps, int64_t channels) {
  int best = 64;
  double least = INFINITY;
  if (taps == 1) return 64;
  for (int slice = 64; slice >= 8; slice /= 2) {
    double stages = (double)ingot__divide_up(taps * ingot__divide_up(channels, slice) * slice, 64), cost = stages * (1 + 0.1 * (64 / slice - 1));
    if (cost < least * 0.999) least = cost, best = slice;
  }
  return best;
}

/* Lines of images, and images, go on at the stride of the pixels before. */
static bool even(const ingot__view *v) {
  int64_t next = v->stride[v->rank - 1] * v->dim[v->rank - 1];
  if (v->rank == 4) {
    if (v->dim[2] > 1 && v->stride[2] != next) return false;
    next *= v->dim[2];
  }
  return v->dim[0] <= 1 || v->stride[0] == next;
}

static bool read_conv(const ingot__call *call, ingot__product_shape *s) {
  const ingot__view *x = &call->in[0], *w = &call->in[1], *y = &call->out[0], *r = &call->in[3];
  const ingot__attrs_Conv *attrs = INGOT__ATTRS(call, Conv);
  ingot__product *p = &s->p;
  const int rank = x->rank, last = rank - 1;
  if ((rank != 3 && rank != 4) || w->rank != rank || y->rank != rank || !w->constant || attrs->group != 1) return false;
  if (w->dim[1] != x->dim[1] || w->dim[0] != y->dim[1] || w->dim[1] % 8 || w->dim[1] > 1 << 20) return false;
  if (w->dim[0] < 1 || w->dim[0] > INT32_MAX) return false;
  ingot__window window;
  const ingot__window_attrs window_attrs = INGOT__WINDOW_ATTRS(attrs);
  if (ingot__window_read(NULL, call->node, &window_attrs, rank - 2, &w->dim[2], &window) != INGOT_OK) return false;
  ingot__window_pads(&window, &x->dim[2]);
  const int h = rank == 4 ? 0 : -1, wx = rank - 3; /* axes of the window */
  s->conv = true;
  p->n = (int32_t)w->dim[0];
  p->channels = (int32_t)w->dim[1];
  p->taps_x = (int32_t)window.kernel[wx], p->taps_y = h < 0 ? 1 : (int32_t)window.kernel[h];
  p->step_x = (int32_t)window.stride[wx], p->step_y = h < 0 ? 1 : (int32_t)window.stride[h];
  p->grow_x = (int32_t)window.dilation[wx], p->grow_y = h < 0 ? 1 : (int32_t)window.dilation[h];
  p->pad_x = (int32_t)window.begin[wx], p->pad_y = h < 0 ? 0 : (int32_t)window.begin[h];
  const int32_t end_x = (int32_t)window.end[wx], end_y = h < 0 ? 0 : (int32_t)window.end[h];
  if (p->taps_x < 1 || p->taps_y < 1) return false;
  s->upper_x = end_x - p->grow_x * (p->taps_x - 1), s->upper_y = end_y - p->grow_y * (p->taps_y - 1);
  s->a_width = x->dim[last], s->a_height = rank == 4 ? x->dim[2] : 1, s->a_images = x->dim[0];
  s->a_row = x->stride[last], s->a_image = x->stride[0];
  s->a_line = rank == 4 ? x->stride[2] : s->a_row * s->a_width;
  p->out_x = (int32_t)y->dim[last], p->out_y = rank == 4 ? (int32_t)y->dim[2] : 1;
  p->m = y->dim[0] * p->out_y * p->out_x;
  p->in_x = (int32_t)s->a_width, p->in_y = (int32_t)s->a_height;
  p->a_image = s->a_image, p->a_y = s->a_line, p->a_x = s->a_row, p->a_k = x->stride[1];
  p->out_image = y->stride[0], p->out_line = rank == 4 ? y->stride[2] : 0, p->out_pixel = p->out_row = y->stride[last];
  s->rows_even = even(y) && (y->dim[1] <= 1 || y->stride[1] == 1) && (x->dim[1] <= 1 || x->stride[1] == 1);
  if (ingot__has_in(call, 3)) {
    if (r->dtype != s->dtype || r->rank != rank) return false;
    for (int i = 0; i < rank; i++)
      if (r->dim[i] != y->dim[i]) return false;
    p->has_residual = 1;
    p->residual_image = r->stride[0], p->residual_line = rank == 4 ? r->stride[2] : 0, p->residual_pixel = p->residual_row = r->stride[last];
    s->rows_even = s->rows_even && even(r) && (r->dim[1] <= 1 || r->stride[1] == 1);
  }
  const int64_t taps = (int64_t)p->taps_x * p->taps_y;
  if (taps > 1 << 20) return false;
  const bool moved = p->step_x != 1 || p->step_y != 1 || p->pad_x || p->pad_y || end_x || end_y; /* by attributes: SAME has no pads for one tap */
  p->windows = taps > 1 || moved || !even(x);
  s->slice = best_slice(taps, p->channels);
  p->tap_k = (int32_t)(ingot__divide_up(p->channels, s->slice) * s->slice);
  s->k = taps == 1 ? p->channels : taps * p->tap_k; /* of one tap no more than there is: without windows it is a plain matrix */
  s->b_row = s->k;
  s->b_packed = true, s->b_copies = 1;
  p->b_k = 1, p->b_n = s->b_row;
  p->batch[0] = p->batch[1] = 1;
  p->alpha = 1;
  ingot__product_read_act(s, attrs->act, attrs->act_alpha, attrs->act_beta);
  return (ingot__dtype_is_half(w->dtype) || w->dtype == INGOT_FLOAT32) && (!ingot__has_in(call, 2) || float_constant(&call->in[2])) &&
         read_bias(call, s);
}

/* ---- Matrix products. */
/* The stride of batch axis i of `rank`, for a view whose batch axes are its first `own`. */
static int64_t batch_stride(const ingot__view *v, int own, int i, int rank) {
  const int axis = i + own - rank;
  return axis < 0 || v->dim[axis] == 1 ? 0 : v->stride[axis];
}

typedef struct batches { /* dims, and the strides of each operand */
  int rank;
  int64_t dim[INGOT_MAX_RANK], a[INGOT_MAX_RANK], b[INGOT_MAX_RANK], out[INGOT_MAX_RANK], r[INGOT_MAX_RANK];
} batches;

/* Batch dims become rows as long as B is the same for them and the rows go on evenly; the rest are made one where all strides allow. */
static void merge(batches *t, ingot__product_shape *s) {
  ingot__product *p = &s->p;
  while (t->rank > 0 && !s->a_mn) {
    const int i = t->rank - 1;
    const int64_t count = t->dim[i];
    if (count != 1) {
      const bool one = p->m == 1; /* then the batch's strides are the rows' */
      if (t->b[i] != 0 || p->m * count > INT32_MAX) break;
      if (!one && (t->a[i] != p->m * s->a_row || t->out[i] != p->m * p->out_row || (p->has_residual && t->r[i] != p->m * p->residual_row))) break;
      if (one) s->a_row = t->a[i], p->out_row = t->out[i], p->residual_row = t->r[i];
      p->m *= count;
    }
    t->rank--;
  }
  batches kept = {0};
  for (int i = t->rank - 1; i >= 0; i--) { /* innermost first */
    if (t->dim[i] == 1) continue;
    const int j = kept.rank - 1;
    if (j >= 0 && t->a[i] == kept.a[j] * kept.dim[j] && t->b[i] == kept.b[j] * kept.dim[j] && t->out[i] == kept.out[j] * kept.dim[j] &&
        (!p->has_residual || t->r[i] == kept.r[j] * kept.dim[j])) {
      kept.dim[j] *= t->dim[i];
      continue;
    }
    kept.dim[kept.rank] = t->dim[i], kept.a[kept.rank] = t->a[i], kept.b[kept.rank] = t->b[i];
    kept.out[kept.rank] = t->out[i], kept.r[kept.rank] = t->r[i];
    kept.rank++;
  }
  *t = kept;
}

static bool read_matmul(const ingot__call *call, ingot__product_shape *s) {
  const ingot__attrs_MatMul *attrs = INGOT__ATTRS(call, MatMul);
  const ingot__view *a = &call->in[0], *b = &call->in[1], *c = &call->out[0], *r = &call->in[3];
  ingot__product *p = &s->p;
  /* Up to two batch dims, so that any that don't merge fit. */
  if (a->rank < 2 || b->rank < 2 || c->rank < 2 || c->rank > 4 || a->rank > c->rank || b->rank > c->rank) return false;
  const int a_last = a->rank - 1, b_last = b->rank - 1, last = c->rank - 1;
  const int64_t k = a->dim[attrs->trans_a ? a_last - 1 : a_last];
  p->m = c->dim[last - 1];
  if (c->dim[last] > INT32_MAX || c->dim[last] < 1 || k > INT32_MAX - 64 || b->dim[attrs->trans_b ? b_last : b_last - 1] != k) return false;
  p->n = (int32_t)c->dim[last];
  s->a_mn = attrs->trans_a != 0;
  s->a_row = a->stride[a_last - 1];
  p->channels = (int32_t)k;
  s->k = k;
  batches t = {.rank = c->rank - 2};
  s->b_packed = b->constant && (ingot__dtype_is_half(b->dtype) || b->dtype == INGOT_FLOAT32);
  s->b_copies = 1;
  if (s->b_packed) {
    s->b_row = ingot__divide_up(k, 8) * 8;
    for (int i = 0; i < b_last - 1; i++) s->b_copies *= b->dim[i];
  } else {
    if (b->dtype != s->dtype) return false;
    s->b_mn = !attrs->trans_b;
    s->b_row = b->stride[b_last - 1];
  }
  for (int i = 0; i < t.rank; i++) {
    t.dim[i] = c->dim[i];
    t.a[i] = batch_stride(a, a->rank - 2, i, t.rank), t.b[i] = batch_stride(b, b->rank - 2, i, t.rank);
    t.out[i] = c->stride[i];
  }
  if (s->b_packed) { /* its matrices are dense */
    int64_t next = p->n * s->b_row;
    for (int i = t.rank - 1; i >= 0; i--) {
      const int axis = i + b->rank - c->rank;
      if (axis < 0 || b->dim[axis] == 1) t.b[i] = 0;
      else t.b[i] = next, next *= b->dim[axis];
    }
  }
  p->out_row = c->stride[last - 1];
  bool inner = (p->n <= 1 || c->stride[last] == 1) && (a->dim[a_last] <= 1 || a->stride[a_last] == 1) &&
               (s->b_packed || b->dim[b_last] <= 1 || b->stride[b_last] == 1);
  if (ingot__has_in(call, 3)) {
    if (r->dtype != s->dtype || r->rank != c->rank) return false;
    for (int i = 0; i < c->rank; i++)
      if (r->dim[i] != c->dim[i]) return false;
    p->has_residual = 1;
    p->residual_row = r->stride[last - 1];
    for (int i = 0; i < t.rank; i++) t.r[i] = r->stride[i];
    inner = inner && (p->n <= 1 || r->stride[last] == 1);
  }
  if (!inner) return false;
  merge(&t, s);
  for (int i = 0; i < 2; i++) {
    p->batch[i] = i < t.rank ? (int32_t)t.dim[i] : 1;
    p->a_batch[i] = t.a[i], p->b_batch[i] = t.b[i], p->out_batch[i] = t.out[i], p->residual_batch[i] = t.r[i];
    p->a_moves[i] = t.a[i] != 0, p->b_moves[i] = t.b[i] != 0;
  }
  s->slice = 64;
  s->rows_even = true;
  p->taps_x = p->taps_y = p->step_x = p->step_y = p->grow_x = p->grow_y = 1;
  p->out_x = p->in_x = (int32_t)p->m, p->out_y = p->in_y = 1;
  p->a_x = s->a_mn ? 1 : s->a_row, p->a_k = s->a_mn ? s->a_row : 1;
  p->b_n = s->b_mn ? 1 : s->b_row, p->b_k = s->b_mn ? s->b_row : 1;
  p->out_pixel = p->out_row, p->residual_pixel = p->residual_row;
  p->tap_k = (int32_t)k;
  p->alpha = attrs->alpha;
  ingot__product_read_act(s, attrs->act, attrs->act_alpha, attrs->act_beta);
  return read_bias(call, s);
}

bool ingot__product_read(const ingot__call *call, ingot__product_shape *s) {
  if (call->n_in < 2 || !ingot__has_out(call, 0) || !call->node) return false;
  *s = (ingot__product_shape){.dtype = call->in[0].dtype};
  if (!ingot__dtype_is_half(s->dtype) || call->out[0].dtype != s->dtype) return false;
  const ingot__op op = call->node->op;
  if (!(op == INGOT__OP_Conv            ? read_conv(call, s)
        : op == INGOT__OP_ConvTranspose ? ingot__product_read_transposed(call, s)
                                        : op == INGOT__OP_MatMul && read_matmul(call, s)))
    return false;
  if (s->act > INGOT__ACT_MISH) return false;
  ingot__product *p = &s->p;
  p->a_data = call->in[0].data;
  p->b_data = !s->b_packed ? call->in[1].data : call->packed ? (const char *)call->packed + bias_bytes(s) : NULL;
  p->residual_data = p->has_residual ? call->in[3].data : NULL;
  p->out_data = call->out[0].data;
  p->b_constant = s->b_packed && (s->bias_packed || !ingot__has_in(call, 2) || call->in[2].constant);
  return true;
}

/* ---- Constants. */
static uint16_t element(const ingot__view *v, int64_t i, ingot_dtype to) {
  if (v->dtype == to) return ((const uint16_t *)v->data)[i];
  uint16_t x = 0;
  ingot__set_double(to, &x, 0, ingot__get_double(v->dtype, v->data, (size_t)i));
  return x;
}

size_t ingot__product_pack_size(const ingot__call *call) {
  ingot__product_shape s;
  size_t bytes;
  if (!ingot__product_read(call, &s)) return 0;
  if (!s.b_packed) return (size_t)bias_bytes(&s);
  if (!ingot__mul((size_t)s.p.n * 2, (size_t)s.b_row, &bytes) || !ingot__mul(bytes, (size_t)s.b_copies, &bytes)) return SIZE_MAX;
  return bytes > SIZE_MAX / 2 ? SIZE_MAX : bytes + (size_t)bias_bytes(&s);
}

void ingot__product_pack(const ingot__call *call, void *packed) {
  ingot__product_shape s;
  if (!ingot__product_read(call, &s)) return;
  memset(packed, 0, ingot__product_pack_size(call));
  for (int32_t n = 0; s.bias_packed && n < s.p.n; n++)
    ((float *)packed)[n] = (float)ingot__get_double(call->in[2].dtype, call->in[2].data, (size_t)n);
  if (!s.b_packed) return;
  const ingot__view *b = &call->in[1];
  uint16_t *to = (uint16_t *)(void *)((char *)packed + bias_bytes(&s));
  if (s.conv) {
    const int64_t taps = (int64_t)s.p.taps_x * s.p.taps_y;
    for (int64_t n = 0; n < s.p.n; n++)
      for (int64_t c = 0; c < s.p.channels; c++)
        for (int64_t tap = 0; tap < taps; tap++)
          to[n * s.b_row + (taps == 1 ? 0 : tap * s.p.tap_k) + c] = element(b, (n * s.p.channels + c) * taps + tap, s.dtype);
    return;
  }
  const bool transposed = INGOT__ATTRS(call, MatMul)->trans_b != 0;
  for (int64_t copy = 0; copy < s.b_copies; copy++)
    for (int64_t n = 0; n < s.p.n; n++)
      for (int64_t k = 0; k < s.k; k++)
        to[(copy * s.p.n + n) * s.b_row + k] = element(b, copy * s.p.n * s.k + (transposed ? n * s.k + k : k * s.p.n + n), s.dtype);
}
