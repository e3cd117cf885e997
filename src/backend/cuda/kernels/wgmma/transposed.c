/* Transposed convolutions whose strides are their kernel's sizes, as U-Nets widen with: each tap makes outputs of its own, so each is a product of
 * all pixels (M) with the tap's matrix, K being the input's channels. The taps are the batches, whose outputs lie a pixel or a line apart, and a row
 * of the product, a pixel of the input, is `taps_x` pixels of the output on; the next line of them is `taps_y` lines on. */
#include "backend/cuda/kernels/conv_transpose/geometry.h"
#include "backend/cuda/kernels/wgmma/shape.h"

bool ingot__product_read_transposed(const ingot__call *call, ingot__product_shape *s) {
  ingot__window w;
  if (!ingot__conv_transpose_read(call, &w) || call->in[0].rank > 4 || ingot__has_in(call, 3)) return false;
  const ingot__attrs_ConvTranspose *attrs = INGOT__ATTRS(call, ConvTranspose);
  if (attrs->group != 1) return false;
  const ingot__view *x = &call->in[0], *y = &call->out[0];
  const bool image = x->rank == 4;
  const int last = x->rank - 1;
  ingot__product *p = &s->p;
  for (int i = 1; i < 3; i++) { /* y x: the attributes alone, since dims may vary */
    if (w.kernel[i] != w.stride[i] || w.begin[i] != 0 || w.end[i] != 0 || (w.dilation[i] != 1 && w.kernel[i] != 1)) return false;
    if (attrs->output_padding.n > (size_t)(i - 1) && attrs->output_padding.v[i - 1] != 0) return false;
  }
  if (attrs->output_shape.n) return false;
  const int64_t kx = w.kernel[2], ky = image ? w.kernel[1] : 1, width = x->dim[last], height = image ? x->dim[2] : 1;
  const int64_t out_line = image ? y->stride[2] : 0, line = image ? x->stride[2] : x->stride[last] * width;
  s->rows_even = y->dim[last] == width * kx && (!image || y->dim[2] == height * ky) && (y->dim[1] <= 1 || y->stride[1] == 1) &&
                 (x->dim[1] <= 1 || x->stride[1] == 1) && (height <= 1 || line == x->stride[last] * width) &&
                 (x->dim[0] <= 1 || (x->stride[0] == line * height && (!image || y->stride[0] == out_line * height * ky)));
  p->n = (int32_t)call->in[1].dim[1];
  p->channels = (int32_t)call->in[1].dim[0];
  p->m = x->dim[0] * height * width;
  s->k = p->channels;
  s->b_row = ingot__divide_up(p->channels, 8) * 8;
  s->b_packed = true, s->b_copies = kx * ky;
  s->a_row = x->stride[last];
  p->batch[0] = (int32_t)kx, p->batch[1] = (int32_t)ky;
  p->b_batch[0] = p->n * s->b_row, p->b_batch[1] = kx * p->n * s->b_row;
  p->b_moves[0] = kx > 1, p->b_moves[1] = ky > 1;
  p->out_batch[0] = kx > 1 ? y->stride[last] : 0, p->out_batch[1] = ky > 1 ? out_line : 0;
  p->out_row = kx * y->stride[last];
  p->line = (int32_t)width;
  p->line_out = image ? ky * out_line : y->stride[0];
  s->slice = 64;
  p->taps_x = p->taps_y = p->step_x = p->step_y = p->grow_x = p->grow_y = 1;
  p->out_x = p->in_x = (int32_t)width, p->out_y = p->in_y = (int32_t)height;
  p->a_x = s->a_row, p->a_y = line, p->a_image = x->stride[0], p->a_k = x->stride[1];
  p->b_n = s->b_row, p->b_k = 1;
  p->out_pixel = p->out_row, p->out_line = ky * out_line, p->out_image = y->stride[0];
  p->tap_k = p->channels;
  p->alpha = 1;
  ingot__product_read_act(s, attrs->act, attrs->act_alpha, attrs->act_beta);
  if (!ingot__has_in(call, 2)) return true;
  p->bias = call->in[2].data;
  return call->in[2].dim[0] == p->n && call->in[2].dense;
}
