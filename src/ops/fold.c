/* Col2Im: sums blocks that overlap into an image, the converse of cutting it into windows (PyTorch's fold). */
#include "ops/ints.h"
#include "ops/move.h"

enum { DIMS = INGOT_MAX_RANK - 2 };
typedef struct fold {
  int n;
  int64_t image[DIMS], block[DIMS], stride[DIMS], dilation[DIMS], begin[DIMS], end[DIMS];
} fold;

static ingot_status bad(ingot__diag *diag, const ingot__node *node, const char *what, int64_t v) {
  return INGOT__FAIL_NODE(diag, INGOT_E_NETWORK, node, "%s has %lld", what, (long long)v);
}

/* Strides, dilations and pads for n axes. */
static ingot_status read_attrs(ingot__diag *diag, const ingot__node *node, const ingot__attrs_Col2Im *a, int n, fold *f) {
  if ((a->strides.n && a->strides.n != (size_t)n) || (a->dilations.n && a->dilations.n != (size_t)n) || (a->pads.n && a->pads.n != 2 * (size_t)n)) {
    return INGOT__FAIL_NODE(diag, INGOT_E_NETWORK, node, "strides, dilations or pads aren't for %d axes", n);
  }
  f->n = n;
  for (int i = 0; i < n; i++) {
    f->stride[i] = a->strides.n ? a->strides.v[i] : 1;
    f->dilation[i] = a->dilations.n ? a->dilations.v[i] : 1;
    f->begin[i] = a->pads.n ? a->pads.v[i] : 0;
    f->end[i] = a->pads.n ? a->pads.v[n + i] : 0;
    const int64_t most = 1 << 28;
    if (f->stride[i] < 1 || f->stride[i] > most) return bad(diag, node, "strides", f->stride[i]);
    if (f->dilation[i] < 1 || f->dilation[i] > most) return bad(diag, node, "dilations", f->dilation[i]);
    if (f->begin[i] < 0 || f->begin[i] > most) return bad(diag, node, "pads", f->begin[i]);
    if (f->end[i] < 0 || f->end[i] > most) return bad(diag, node, "pads", f->end[i]);
  }
  return INGOT_OK;
}

/* Windows along axis i; -1: none fits. */
static int64_t windows(const fold *f, int i) {
  const int64_t most = INT64_C(1) << 31;
  if (f->image[i] < 0 || f->image[i] > most || f->block[i] < 1 || f->block[i] > most) return -1;
  int64_t room = f->image[i] + f->begin[i] + f->end[i] - f->dilation[i] * (f->block[i] - 1) - 1;
  return room < 0 ? -1 : room / f->stride[i] + 1;
}

ingot_status ingot__infer_Col2Im(ingot__infer *f) {
  bool unknown;
  INGOT_TRY(ingot__infer_rank(f, 0, 3, 3, &unknown));
  const ingot__type *in = f->in[0];
  for (size_t i = 1; i < 3; i++)
    if (!ingot__infer_has(f, i) || f->in[i]->dtype != INGOT_INT64) {
      return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "image_shape and block_shape must be int64");
    }
  if (ingot__move_size(in->dtype) == 0 || in->dtype == INGOT_STRING) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(in->dtype));
  }
  ingot__type *out = &f->out[0];
  ingot__type_unknown(out, in->dtype);
  size_t n, n_block;
  bool known = ingot__ints_count(f, 1, &n), known_block = ingot__ints_count(f, 2, &n_block);
  if (!known && !known_block) return INGOT_OK;
  if (!known) n = n_block;
  if (n < 1 || n > DIMS || (known_block && n != n_block)) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "image_shape has %zu dims", n);
  fold w;
  INGOT_TRY(read_attrs(f->diag, f->node, INGOT__ATTRS(f, Col2Im), (int)n, &w));
  out->rank = (int8_t)(n + 2);
  out->dim[0] = unknown ? INGOT__DIM_UNKNOWN : in->dim[0];
  ingot__dim taps = 1, number;
  for (size_t i = 0; i < n; i++) {
    out->dim[2 + i] = ingot__ints_get(f, 1, i);
    ingot__dim b = ingot__ints_get(f, 2, i);
    if ((ingot__element_number(f, b, &number) && number < 1) || (ingot__element_number(f, out->dim[2 + i], &number) && number < 0)) {
      return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "image_shape or block_shape has %lld", (long long)number);
    }
    taps = ingot__element_do(f, INGOT__EL_MUL, taps, b);
  }
  ingot__dim columns = unknown ? INGOT__DIM_UNKNOWN : in->dim[1];
  int64_t t, c;
  if (ingot__element_number(f, taps, &t) && ingot__element_number(f, columns, &c) && (t < 1 || c % t)) {
    return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "%lld rows aren't blocks of %lld", (long long)c, (long long)t);
  }
  out->dim[1] = ingot__element_do(f, INGOT__EL_DIV, columns, taps);
  return INGOT_OK;
}

/* to += from, both real or whole, or complex as two. */
static void add(ingot_dtype dtype, void *to, size_t i, const void *from, size_t k) {
  switch (dtype) {
  case INGOT_FLOAT32: ((float *)to)[i] += ((const float *)from)[k]; return;
  case INGOT_BOOL: ((uint8_t *)to)[i] |= ((const uint8_t *)from)[k] != 0; return;
  case INGOT_COMPLEX64:
    for (size_t q = 0; q < 2; q++) ((float *)to)[2 * i + q] += ((const float *)from)[2 * k + q];
    return;
  case INGOT_COMPLEX128:
    for (size_t q = 0; q < 2; q++) ((double *)to)[2 * i + q] += ((const double *)from)[2 * k + q];
    return;
  case INGOT_INT64: case INGOT_UINT64: ((uint64_t *)to)[i] += ((const uint64_t *)from)[k]; return;
  case INGOT_INT32: case INGOT_UINT32: ((uint32_t *)to)[i] += ((const uint32_t *)from)[k]; return;
  case INGOT_INT16: case INGOT_UINT16: ((uint16_t *)to)[i] = (uint16_t)(((uint16_t *)to)[i] + ((const uint16_t *)from)[k]); return;
  case INGOT_INT8: case INGOT_UINT8: ((uint8_t *)to)[i] = (uint8_t)(((uint8_t *)to)[i] + ((const uint8_t *)from)[k]); return;
  default: ingot__set_double(dtype, to, i, ingot__get_double(dtype, to, i) + ingot__get_double(dtype, from, k)); return;
  }
}

typedef struct job {
  const ingot__call *call;
  fold f;
  int64_t count[DIMS], taps, blocks, plane;
} job;

/* Whole channels are each thread's own. */
static void work(void *arg, int thread, int threads) {
  const job *j = arg;
  const fold *f = &j->f;
  const ingot__view *in = &j->call->in[0], *out = &j->call->out[0];
  size_t begin, end, size = ingot__move_size(in->dtype);
  ingot__share((size_t)(out->dim[0] * out->dim[1]), 1, thread, threads, &begin, &end);
  for (int64_t p = (int64_t)begin; p < (int64_t)end; p++) {
    if (j->plane > 0) memset((char *)out->data + (size_t)(p * j->plane) * size, 0, (size_t)j->plane * size);
    for (int64_t t = 0; t < j->taps; t++) {
      int64_t tap[DIMS], block[DIMS] = {0}, rest = t;
      for (int i = f->n - 1; i >= 0; i--) tap[i] = rest % f->block[i] * f->dilation[i] - f->begin[i], rest /= f->block[i];
      for (int64_t b = 0; b < j->blocks; b++) {
        int64_t at = 0;
        bool inside = true;
        for (int i = 0; i < f->n; i++) {
          int64_t x = tap[i] + block[i] * f->stride[i];
          inside = inside && x >= 0 && x < f->image[i];
          at = at * f->image[i] + x;
        }
        if (inside) add(in->dtype, out->data, (size_t)(p * j->plane + at), in->data, (size_t)((p * j->taps + t) * j->blocks + b));
        for (int i = f->n - 1; i >= 0; i--) {
          if (++block[i] < j->count[i]) break;
          block[i] = 0;
        }
      }
    }
  }
}

ingot_status ingot__ref_Col2Im(const ingot__call *call) {
  const ingot__view *in = &call->in[0], *image = &call->in[1], *block = &call->in[2], *out = &call->out[0];
  job j = {.call = call, .taps = 1, .blocks = 1, .plane = 1};
  int n = out->rank - 2;
  if (ingot__view_count(image) != n || ingot__view_count(block) != n) {
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "image_shape or block_shape isn't of %d", n);
  }
  INGOT_TRY(read_attrs(call->diag, call->node, INGOT__ATTRS(call, Col2Im), n, &j.f));
  for (int i = 0; i < n; i++) {
    j.f.image[i] = ingot__get_int(image->dtype, image->data, (size_t)i);
    j.f.block[i] = ingot__get_int(block->dtype, block->data, (size_t)i);
    j.count[i] = windows(&j.f, i);
    bool fits = j.count[i] > 0 && j.f.image[i] == out->dim[2 + i] && !__builtin_mul_overflow(j.taps, j.f.block[i], &j.taps) &&
                !__builtin_mul_overflow(j.blocks, j.count[i], &j.blocks);
    if (!fits) {
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "blocks of %lld don't fit an image of %lld", (long long)j.f.block[i], (long long)j.f.image[i]);
    }
    j.plane *= j.f.image[i];
  }
  if (in->dim[1] % j.taps || in->dim[1] / j.taps != out->dim[1] || in->dim[2] != j.blocks || in->dim[0] != out->dim[0]) {
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "%lld columns of %lld aren't %lld blocks of %lld", (long long)in->dim[2], (long long)in->dim[1],
                            (long long)j.blocks, (long long)j.taps);
  }
  if (ingot__view_count(out)) ingot__pool_run(call->pool, work, &j);
  return INGOT_OK;
}
