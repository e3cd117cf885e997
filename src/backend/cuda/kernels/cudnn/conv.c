/* Convolutions of images by cuDNN: one group, dense tensors, channels that fill 16 bytes, so that weights packed for product/mma.cu are what it reads
 * and those rows take the place of these; with a bias, and then a residual and ReLU: for these without a bias it has no engine but those that it
 * would compile. Nor has it one for float32 that isn't rounded to TF32. */
#include <string.h>
#include "backend/cuda/cudnn.h"
#include "backend/cuda/kernels/product/conv.h"

enum { ALIGN = 16 };

static bool takes(const ingot__call *call) {
  if (!call->node || !ingot__conv_takes(call) || call->in[0].rank != 4) return false;
  const ingot__attrs_Conv *attrs = INGOT__ATTRS(call, Conv);
  const int64_t whole = ALIGN / (int64_t)ingot__dtype_size(call->in[0].dtype), *w = call->in[1].dim;
  if (attrs->group != 1 || w[0] % whole || w[1] % whole || (attrs->act != INGOT__ACT_NONE && attrs->act != INGOT__ACT_RELU)) return false;
  if (!ingot__has_in(call, 2) && (ingot__has_in(call, 3) || attrs->act != INGOT__ACT_NONE)) return false;
  if (ingot__has_in(call, 2) && (call->in[2].rank != 1 || call->in[2].dim[0] != w[0])) return false;
  return !ingot__has_in(call, 3) || ingot__type_same(&call->node->in[3]->type, &call->node->out[0]->type);
}

static void copy_dims(const ingot__view *v, int64_t *dim, int64_t *stride) {
  for (int i = 0; i < 4; i++) {
    if (dim) dim[i] = v->dim[i];
    stride[i] = v->stride[i];
  }
}

static bool read(const ingot__call *call, ingot__cudnn_conv *c, ingot__cudnn_operands *o) {
  ingot__window window;
  memset(c, 0, sizeof *c); /* it is compared as bytes */
  if (!ingot__conv_window(call, &window)) return false;
  copy_dims(&call->in[0], c->x_dim, c->x_stride);
  copy_dims(&call->out[0], c->out_dim, c->out_stride);
  memcpy(c->w_dim, call->in[1].dim, sizeof c->w_dim);
  c->w_stride[1] = 1, c->w_stride[3] = c->w_dim[1], c->w_stride[2] = c->w_stride[3] * c->w_dim[3], c->w_stride[0] = c->w_stride[2] * c->w_dim[2];
  for (int i = 0; i < 2; i++)
    c->before[i] = window.begin[i], c->after[i] = window.end[i], c->step[i] = window.stride[i], c->dilation[i] = window.dilation[i];
  c->dtype = (int32_t)call->in[0].dtype;
  c->has_bias = ingot__has_in(call, 2), c->has_residual = ingot__has_in(call, 3), c->relu = INGOT__ATTRS(call, Conv)->act == INGOT__ACT_RELU;
  if (c->has_residual) copy_dims(&call->in[3], NULL, c->residual_stride);
  *o = (ingot__cudnn_operands){.x = call->in[0].data, .w = call->packed, .out = call->out[0].data, .bias = c->has_bias ? call->in[2].data : NULL,
                               .residual = c->has_residual ? call->in[3].data : NULL};
  const uint64_t bits = (uint64_t)(uintptr_t)o->x | (uintptr_t)o->w | (uintptr_t)o->out | (uintptr_t)o->bias | (uintptr_t)o->residual | ALIGN;
  c->align = (int64_t)(bits & -bits);
  return true;
}

static size_t workspace(const ingot__call *call) {
  ingot__cudnn_conv c;
  ingot__cudnn_operands o;
  return read(call, &c, &o) ? ingot__cudnn_workspace(call, &c) : SIZE_MAX;
}

/* As for cuBLASLt: a little more than ours of the same product. The library isn't asked here: plans take time. */
static double cost(const ingot__call *call) {
  ingot__cudnn_conv c;
  ingot__cudnn_operands o;
  if (!read(call, &c, &o)) return INGOT__NEVER;
  return ingot__product_library_cost(call, c.out_dim[0] * c.out_dim[2] * c.out_dim[3], c.w_dim[0], c.w_dim[1] * c.w_dim[2] * c.w_dim[3], 1,
                                     true);
}

static ingot_status run(const ingot__call *call) {
  ingot__cudnn_conv c;
  ingot__cudnn_operands o;
  if (!read(call, &c, &o)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a window that this kernel doesn't take");
  return ingot__cudnn_run(call, &c, &o);
}

static bool supports_halves(const ingot__call *call) { return takes(call) && call->in[0].dtype != INGOT_FLOAT32; }
static bool supports_floats(const ingot__call *call) { return takes(call) && call->in[0].dtype == INGOT_FLOAT32; }

#define FUNCTIONS(types, packing, format) \
  {.supports = types, .cost = cost, .workspace = workspace, .pack_size = ingot__conv_pack_size, .pack = packing, .pack_format = format, \
   .packs_inputs = 1u << 1, .run = run, .library = &ingot__cudnn}
const ingot__kernel_functions ingot__cuda_cudnn_conv = FUNCTIONS(supports_halves, ingot__conv_pack, "taps");
const ingot__kernel_functions ingot__cuda_cudnn_conv_tf32 = FUNCTIONS(supports_floats, ingot__conv_pack_tf32, "taps_tf32");
