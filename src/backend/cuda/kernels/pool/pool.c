/* MaxPool (without indices), AveragePool and LpPool: a thread for each output, of channels-last images for 16 bytes of channels. */
#include <stdint.h>
#include "backend/cuda/kernels/walk.h"
#include "backend/cuda/kernels/pool/pool.h"
#include "ops/window.h"

enum { MAXIMUM, AVERAGE, POWERS };

static ingot__window_attrs attributes(const ingot__call *call) {
  switch (call->node->op) {
  case INGOT__OP_MaxPool: return INGOT__WINDOW_ATTRS(INGOT__ATTRS(call, MaxPool));
  case INGOT__OP_AveragePool: return INGOT__WINDOW_ATTRS(INGOT__ATTRS(call, AveragePool));
  default: return INGOT__WINDOW_ATTRS(INGOT__ATTRS(call, LpPool));
  }
}

static bool supports(const ingot__call *call) {
  if (!call->node || !ingot__has_in(call, 0) || !ingot__has_out(call, 0) || ingot__has_out(call, 1)) return false;
  ingot__op op = call->node->op;
  ingot_dtype t = call->in[0].dtype;
  if (op != INGOT__OP_MaxPool && op != INGOT__OP_AveragePool && op != INGOT__OP_LpPool) return false;
  if (call->in[0].rank < 3 || call->in[0].rank > 5 || call->out[0].dtype != t) return false;
  bool real = ingot__cuda_is_float(t) || t == INGOT_FLOAT64;
  if (!real && !(op == INGOT__OP_MaxPool && (t == INGOT_INT8 || t == INGOT_UINT8))) return false;
  ingot__window_attrs a = attributes(call);
  ingot__window w;
  if (ingot__window_read(NULL, call->node, &a, call->in[0].rank - 2, NULL, &w) != INGOT_OK) return false;
  ingot__window_3d(&w);
  return w.kernel[0] * w.kernel[1] * w.kernel[2] <= 1 << 16;
}

static int vector_of(const ingot__call *call) {
  return call->in[0].layout == INGOT__CHANNELS_LAST ? (int)(16 / ingot__dtype_size(call->in[0].dtype)) : 1;
}

static void define(const ingot__call *call, ingot__text *text) {
  ingot__window_attrs a = attributes(call);
  ingot__window w;
  if (ingot__window_read(NULL, call->node, &a, call->in[0].rank - 2, NULL, &w) != INGOT_OK) return;
  ingot__window_3d(&w);
  ingot__op op = call->node->op;
  ingot__cuda_define_type(text, "TYPE", call->in[0].dtype);
  if (call->in[0].dtype == INGOT_FLOAT64) ingot__cuda_define(text, "WIDE", 1);
  ingot__cuda_define(text, "KIND", op == INGOT__OP_MaxPool ? MAXIMUM : op == INGOT__OP_AveragePool ? AVERAGE : POWERS);
  ingot__cuda_define(text, "LAST", call->in[0].layout == INGOT__CHANNELS_LAST);
  ingot__cuda_define(text, "VECTOR", vector_of(call));
  for (int i = 0; i < 3; i++)
    ingot__text_printf(text, "#define KERNEL_%d %lld\n#define STRIDE_%d %lld\n#define DILATION_%d %lld\n", i, (long long)w.kernel[i], i,
                       (long long)w.stride[i], i, (long long)w.dilation[i]);
  ingot__cuda_define(text, "WITH_PAD", op == INGOT__OP_AveragePool && INGOT__ATTRS(call, AveragePool)->count_include_pad != 0);
  ingot__cuda_define(text, "POWER", op == INGOT__OP_LpPool ? INGOT__ATTRS(call, LpPool)->p : 0);
}

/* Strides as the kernel has them, for a view of one to three spatial dims. */
static void strides(const ingot__view *v, int64_t stride[5], int vector) {
  int lead = 5 - v->rank;
  stride[0] = v->stride[0], stride[1] = v->stride[1] * vector;
  for (int i = 0; i < 3; i++) stride[2 + i] = i < lead ? 0 : v->stride[2 + i - lead];
}
static int64_t spatial(const ingot__view *v, int i) {
  int lead = 5 - v->rank;
  return i < lead ? 1 : v->dim[2 + i - lead];
}

static bool aligned(const ingot__view *v, int vector) {
  if (v->stride[1] != 1 || v->dim[1] % vector || (uintptr_t)v->data % 16) return false;
  for (int i = 0; i < v->rank; i++)
    if (i != 1 && v->dim[i] > 1 && v->stride[i] % vector) return false;
  return true;
}

static ingot_status run(const ingot__call *call) {
  const ingot__view *in = &call->in[0], *out = &call->out[0];
  ingot__window_attrs a = attributes(call);
  ingot__window w;
  if (ingot__view_count(out) == 0) return INGOT_OK;
  INGOT_TRY(ingot__window_read(call->diag, call->node, &a, in->rank - 2, NULL, &w));
  ingot__window_pads(&w, &in->dim[2]);
  ingot__window_3d(&w);
  int vector = vector_of(call);
  bool last = in->layout == INGOT__CHANNELS_LAST, vectors = vector > 1 && aligned(in, vector) && aligned(out, vector);
  if (!vectors) vector = 1;
  pool_params p = {.in = in->data, .out = out->data};
  int64_t in_stride[5], image = out->dim[1] / vector, reach = 0;
  strides(in, in_stride, vector), strides(out, p.out_stride, vector);
  memcpy(p.in_stride, in_stride, sizeof p.in_stride);
  for (int i = 0; i < 3; i++) {
    p.in_step[i] = (int32_t)in_stride[2 + i];
    reach += (spatial(in, i) + 1) * in_stride[2 + i];
    if (spatial(in, i) > INT32_MAX / 4) reach = INT64_MAX / 2;
    p.size[i] = (int32_t)spatial(in, i), p.begin[i] = (int32_t)w.begin[i], p.end[i] = (int32_t)w.end[i];
    image *= spatial(out, i);
    p.inner[(last ? 3 : 2) - i] = ingot__walk_divisor(spatial(out, i));
  }
  p.inner[last ? 0 : 3] = ingot__walk_divisor(out->dim[1] / vector);
  if (image > 1 << 30 || reach > INT32_MAX / 2) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has images of too many elements");
  int64_t images = (1 << 30) / image; /* of a launch */
  for (int64_t n = 0; n < out->dim[0]; n += images) {
    int64_t count = out->dim[0] - n < images ? out->dim[0] - n : images, size = (int64_t)ingot__dtype_size(in->dtype);
    p.items = (uint32_t)(count * image);
    p.in = (const char *)in->data + n * in->stride[0] * size;
    p.out = (char *)out->data + n * out->stride[0] * size;
    ingot__cuda_grid grid = {.threads = p.items < 256u * (unsigned)ingot__cuda_info_get()->sms ? 64 : 256, .early = true};
    grid.x = (unsigned)ingot__divide_up(p.items, grid.threads);
    INGOT_TRY(ingot__cuda_launch(call, vectors ? "vectors" : "elements", &grid, &p, sizeof p));
  }
  return INGOT_OK;
}

const ingot__kernel_functions ingot__cuda_pool = {.supports = supports, .run = run, .source = "pool/pool.cu", .define = define};
