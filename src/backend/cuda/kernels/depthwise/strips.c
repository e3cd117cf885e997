/* Launches of depthwise convolutions whose threads have strips of outputs side by side (depthwise/columns.cu, lines.cu). */
#include "backend/cuda/kernels/depthwise/call.h"
#include "backend/cuda/kernels/divide_host.h"
#include "backend/cuda/kernels/depthwise/strips.h"

/* Strides in bytes; returns how many images lie within 32 bits of them. */
static int64_t set_strides(depthwise_strips_params *p, const ingot__cuda_dw *d) {
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

/* Memory's time, and a little more than the general kernel's least. */
double ingot__cuda_dw_strips_cost(const ingot__call *call) { return 2e-6 + ingot__cuda_bytes(call) / 3e12; }

ingot_status ingot__cuda_dw_run_strips(const ingot__call *call, const ingot__cuda_dw *d, int wide, int strip, int64_t rows, const char *entry,
                                       const char *narrow) {
  depthwise_strips_params p = {0};
  if (ingot__view_count(&call->out[0]) == 0) return INGOT_OK;
  INGOT_TRY(ingot__cuda_dw_tensors(call, d, &p.t));
  const size_t bytes = (size_t)wide * d->size;
  const bool vector = ingot__cuda_dw_aligned(&p.t, d, bytes) && ingot__cuda_dw_residual_aligned(&p.t, d, bytes);
  const ingot__cuda_info *info = ingot__cuda_info_get();
  const int64_t vectors = d->channels / wide, strips = ingot__divide_up(p.t.out_width, strip), images = call->out[0].dim[0];
  const int64_t enough = (int64_t)(info->sms > 0 ? info->sms : 108) * 1024;
  while (rows > 1 && vectors * strips * ingot__divide_up(p.t.out_height, rows) * images < enough) rows /= 2;
  const int64_t chunks = ingot__divide_up(p.t.out_height, rows);
  const int64_t most = set_strides(&p, d); /* images, whose bytes 32 bits count */
  if (most < 1 || strips * chunks > INT32_MAX / vectors) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "images are too large for this kernel");
  p.rows = (int32_t)rows;
  p.vectors = ingot__divisor(vectors), p.strips = ingot__divisor(strips), p.chunks = ingot__divisor(chunks);
  return ingot__cuda_dw_launch(call, d, vector ? entry : narrow, &p.t, &p.threads, vectors * strips * chunks, most, &p, sizeof p);
}
