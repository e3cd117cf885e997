/* Col2Im and MaxUnpool of floats and halves. */
#include <stdint.h>
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/vision/fold.h"
#include "ops/window.h"

static bool takes(const ingot__call *call) {
  const ingot__view *x = &call->in[0], *y = &call->out[0];
  if (!ingot__cuda_is_float(x->dtype) || x->layout != INGOT__PLAIN || y->layout != INGOT__PLAIN || !x->dense || !y->dense) return false;
  const ingot__type *t = &call->node->out[0]->type;
  for (int i = 0; i < t->rank; i++)
    if (t->dim[i] == INGOT__DIM_UNKNOWN) return false; /* the host finds the size */
  return true;
}
static bool supports_fold(const ingot__call *call) {
  return call->node->op == INGOT__OP_Col2Im && takes(call) && call->out[0].rank - 2 <= FOLD_AXES && call->in[2].dtype == INGOT_INT64;
}
static bool supports_unpool(const ingot__call *call) {
  return call->node->op == INGOT__OP_MaxUnpool && takes(call) && call->in[1].dtype == INGOT_INT64 && call->in[1].dense &&
         call->in[1].layout == INGOT__PLAIN && call->in[0].rank <= 2 + INGOT__WINDOW_DIMS;
}

static double cost(const ingot__call *call) { return ingot__cuda_cost(ingot__cuda_bytes(call), (double)ingot__view_count(&call->in[0]) * 20, 5e12); }
static void define(const ingot__call *call, ingot__text *text) { ingot__cuda_define_type(text, "TYPE", call->in[0].dtype); }

static ingot_status launch(const ingot__call *call, const char *entry, const fold_params *p) {
  const int64_t blocks = ingot__divide_up(p->items, 256);
  if (blocks == 0) return INGOT_OK;
  if (blocks > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has %lld blocks", (long long)blocks);
  const ingot__cuda_grid grid = {.x = (unsigned)blocks, .threads = 256, .early = true};
  return ingot__cuda_launch(call, entry, &grid, p, sizeof *p);
}

static ingot_status run_fold(const ingot__call *call) {
  const ingot__attrs_Col2Im *a = INGOT__ATTRS(call, Col2Im);
  const ingot__view *x = &call->in[0], *y = &call->out[0];
  fold_params p = {.x = x->data, .y = y->data, .items = ingot__view_count(y), .axes = y->rank - 2, .taps = 1, .blocks = x->dim[2]};
  int64_t blocks = 1;
  for (int i = 0; i < p.axes; i++) {
    p.image[i] = y->dim[2 + i], p.block[i] = ingot__get_int(INGOT_INT64, call->in[2].data, (size_t)i);
    p.stride[i] = a->strides.n ? a->strides.v[i] : 1, p.dilation[i] = a->dilations.n ? a->dilations.v[i] : 1;
    p.begin[i] = a->pads.n ? a->pads.v[i] : 0;
    const int64_t end = a->pads.n ? a->pads.v[p.axes + i] : 0, room = p.image[i] + p.begin[i] + end - p.dilation[i] * (p.block[i] - 1) - 1;
    if (p.block[i] < 1 || room < 0) {
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "blocks of %lld don't fit an image of %lld", (long long)p.block[i], (long long)p.image[i]);
    }
    p.count[i] = room / p.stride[i] + 1, p.taps *= p.block[i], blocks *= p.count[i];
  }
  if (blocks != p.blocks || x->dim[1] != y->dim[1] * p.taps) {
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "%lld columns of %lld aren't %lld blocks of %lld", (long long)x->dim[2], (long long)x->dim[1],
                            (long long)blocks, (long long)p.taps);
  }
  return launch(call, "col2im", &p);
}

static ingot_status run_unpool(const ingot__call *call) {
  const ingot__attrs_MaxUnpool *a = INGOT__ATTRS(call, MaxUnpool);
  const ingot__view *x = &call->in[0], *y = &call->out[0];
  const ingot__window_attrs attrs = {"NOTSET", a->kernel_shape, a->strides, a->pads, (ingot__ints){0}};
  ingot__window w;
  INGOT_TRY(ingot__window_read(call->diag, call->node, &attrs, x->rank - 2, NULL, &w));
  fold_params p = {.x = x->data, .indices = call->in[1].data, .y = y->data, .items = ingot__view_count(x), .rank = x->rank, .total = 1};
  for (int i = 0; i < x->rank; i++) { /* the output as its window gives it: what indices count over */
    p.dim[i] = i < 2 ? x->dim[i] : (x->dim[i] - 1) * w.stride[i - 2] + w.kernel[i - 2] - w.begin[i - 2] - w.end[i - 2];
    if (p.dim[i] < 0) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "dim %d of the output is %lld", i, (long long)p.dim[i]);
    p.out_dim[i] = y->dim[i], p.out_stride[i] = y->stride[i], p.total *= p.dim[i];
  }
  if (ingot__view_count(y) == 0) return INGOT_OK;
  INGOT_TRY(ingot__cuda_clear(call, y->data, (size_t)ingot__view_count(y) * ingot__dtype_size(y->dtype)));
  return launch(call, "max_unpool", &p);
}

const ingot__kernel_functions ingot__cuda_col2im = {.supports = supports_fold, .cost = cost, .run = run_fold, .source = "vision/fold.cu",
                                                    .define = define, .host_inputs = 6};
const ingot__kernel_functions ingot__cuda_max_unpool = {.supports = supports_unpool, .cost = cost, .run = run_unpool, .source = "vision/fold.cu",
                                                        .define = define, .host_inputs = 4};
