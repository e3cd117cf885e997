/* Depthwise convolutions of windows up to 3x3, down columns of outputs (depthwise/columns.cu); the rows differ in a thread's channels. */
#include "backend/cuda/kernels/depthwise/call.h"
#include "backend/cuda/kernels/divide_host.h"
#include "backend/cuda/kernels/depthwise/columns.h"

enum { STRIP = 4, MOST_ROWS = 32 };

static bool read(const ingot__call *call, ingot__cuda_dw *d, int wide) {
  if (!ingot__cuda_dw_read(call, d) || d->channels % wide) return false;
  for (int i = 0; i < 2; i++)
    if (d->window.kernel[i] > 3 || d->window.dilation[i] != 1 || d->window.stride[i] > 2) return false;
  return d->window.kernel[0] >= d->window.stride[0];
}

static void define(const ingot__call *call, ingot__text *text, int wide) {
  ingot__cuda_dw d;
  if (!read(call, &d, wide)) return;
  const ingot__window *w = &d.window;
  ingot__cuda_define_type(text, "ELEMENT", call->in[0].dtype);
  ingot__cuda_define(text, "KH", w->kernel[0]);
  ingot__cuda_define(text, "KW", w->kernel[1]);
  ingot__cuda_define(text, "STRIDE_Y", w->stride[0]);
  ingot__cuda_define(text, "STRIDE_X", w->stride[1]);
  ingot__cuda_define(text, "WIDE", wide);
  const int64_t act = INGOT__ATTRS(call, Conv)->act; /* some take registers that three blocks haven't, so do floats, and strides of 1 by 2 */
  const bool large = ingot__cuda_act_is_long(act) || call->in[0].dtype == INGOT_FLOAT32 || w->stride[0] != w->stride[1];
  ingot__cuda_define(text, "BLOCKS", wide != 4 ? 4 : large ? 2 : 3);
  ingot__cuda_define(text, "ACT", act);
}

/* Memory's time, and a little more than the general kernel's least. */
static double cost(const ingot__call *call) {
  return 2e-6 + ingot__cuda_bytes(call) / 3e12;
}

/* Strides in bytes; returns how many images lie within 32 bits of them. */
static int64_t set_strides(depthwise_columns_params *p, const ingot__cuda_dw *d) {
  const depthwise_tensors *t = &p->t;
  const int64_t size = (int64_t)d->size;
  int64_t largest = t->in_image > t->out_image ? t->in_image : t->out_image;
  if (t->residual_image > largest) largest = t->residual_image;
  if (largest > UINT32_MAX / size) return 0;
  p->in_image = (uint32_t)(t->in_image * size), p->in_line = (uint32_t)(t->in_line * size), p->in_pixel = (uint32_t)(t->in_pixel * size);
  p->out_image = (uint32_t)(t->out_image * size), p->out_line = (uint32_t)(t->out_line * size), p->out_pixel = (uint32_t)(t->out_pixel * size);
  p->residual_image = (uint32_t)(t->residual_image * size), p->residual_line = (uint32_t)(t->residual_line * size);
  p->residual_pixel = (uint32_t)(t->residual_pixel * size);
  return largest ? UINT32_MAX / (largest * size) : INT32_MAX;
}

static ingot_status run_wide(const ingot__call *call, int wide) {
  ingot__cuda_dw d;
  depthwise_columns_params p = {0};
  if (!read(call, &d, wide)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a convolution that this kernel doesn't take");
  if (ingot__view_count(&call->out[0]) == 0) return INGOT_OK;
  INGOT_TRY(ingot__cuda_dw_tensors(call, &d, &p.t));
  const size_t bytes = (size_t)wide * d.size;
  const bool vector = ingot__cuda_dw_aligned(&p.t, &d, bytes) && ingot__cuda_dw_residual_aligned(&p.t, &d, bytes);
  /* Columns are as long as leaves every multiprocessor 1,000 threads. */
  const ingot__cuda_info *info = ingot__cuda_info_get();
  const int64_t vectors = d.channels / wide, strips = ingot__divide_up(p.t.out_width, STRIP), images = call->out[0].dim[0];
  const int64_t enough = (int64_t)(info->sms > 0 ? info->sms : 108) * 1024;
  int64_t rows = MOST_ROWS;
  while (rows > 1 && vectors * strips * ingot__divide_up(p.t.out_height, rows) * images < enough) rows /= 2;
  const int64_t chunks = ingot__divide_up(p.t.out_height, rows), image_threads = vectors * strips * chunks;
  p.rows = (int32_t)rows;
  p.vectors = ingot__divisor(vectors), p.strips = ingot__divisor(strips), p.chunks = ingot__divisor(chunks);
  if (strips * chunks > INT32_MAX / vectors) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "images are too large for this kernel");
  const int64_t most = set_strides(&p, &d); /* images, whose bytes 32 bits count */
  if (most < 1) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "images are too large for this kernel");
  return ingot__cuda_dw_launch(call, &d, vector ? "depthwise_columns" : "depthwise_columns_narrow", &p.t, &p.threads, image_threads, most, &p,
                               sizeof p);
}

#define COLUMNS(wide) \
  static bool supports_##wide(const ingot__call *call) { \
    ingot__cuda_dw d; \
    return read(call, &d, wide); \
  } \
  static void define_##wide(const ingot__call *call, ingot__text *text) { define(call, text, wide); } \
  static ingot_status run_##wide(const ingot__call *call) { return run_wide(call, wide); } \
  const ingot__kernel_functions ingot__cuda_depthwise_columns_##wide = { \
    .supports = supports_##wide, .cost = cost, .pack_size = ingot__cuda_dw_pack_size, .pack = ingot__cuda_dw_pack, \
    .pack_format = "depthwise", .packs_inputs = 1u << 1, .run = run_##wide, .source = "depthwise/columns.cu", .define = define_##wide};
COLUMNS(4)
COLUMNS(2)
