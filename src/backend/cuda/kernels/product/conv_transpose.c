/* Transposed convolutions as products (product/mma.cu), CHANNELS_LAST, one and two dimensions. The outputs of one phase (their place modulo the
 * stride) are an ordinary convolution over the taps of one class (those at ky modulo the stride), stored with the stride's gaps: 2x2 with
 * stride 2 is four 1x1 convolutions. Nothing is added up in memory.
 *
 * Packed ("classes..."): for each class of taps, y then x, as conv.c has it, for the class's taps alone. */
#include <string.h>
#include "backend/cuda/kernels/conv_transpose/geometry.h"
#include "backend/cuda/kernels/product/conv_transpose.h"
#include "backend/cuda/kernels/product/rows.h"
#include "backend/cuda/kernels/product/weights.h"

typedef struct transposed {
  size_t size;                   /* of an element */
  ingot__window window;          /* of three dims */
  int64_t groups, c, oc, padded; /* channels of each group */
} transposed;

static bool read(const ingot__call *call, transposed *d) {
  *d = (transposed){0};
  ingot__window *w = &d->window;
  if (!ingot__conv_transpose_read(call, w) || call->in[0].rank > 4) return false;
  for (int i = 1; i < 3; i++)
    if ((w->dilation[i] != 1 && w->stride[i] != 1) || w->stride[i] > 256 || w->begin[i] < 0) return false;
  d->size = ingot__dtype_size(call->in[0].dtype);
  d->groups = INGOT__ATTRS(call, ConvTranspose)->group, d->c = call->in[1].dim[0] / d->groups, d->oc = call->in[1].dim[1];
  const int64_t chunk = ingot__product_chunk(d->size);
  d->padded = ingot__divide_up(d->c, chunk) * chunk;
  return true;
}
static bool supports_halves(const ingot__call *call) { transposed d; return read(call, &d) && d.size == 2; }
static bool supports_floats(const ingot__call *call) { transposed d; return read(call, &d) && d.size == 4; }

/* Taps of residue r. */
static int64_t taps_of(int64_t taps, int64_t stride, int64_t r) { return r < taps ? ingot__divide_up(taps - r, stride) : 0; }

size_t ingot__conv_transpose_pack_size(const ingot__call *call) {
  transposed d;
  size_t n;
  if (!read(call, &d)) return 0;
  if (!ingot__mul((size_t)d.groups, (size_t)d.oc, &n) || !ingot__mul(n, (size_t)(d.window.kernel[1] * d.window.kernel[2]), &n) ||
      !ingot__mul(n, (size_t)d.padded, &n) || !ingot__mul(n, d.size, &n)) return SIZE_MAX;
  return n;
}

static void pack(const ingot__call *call, void *packed, bool tf32) {
  transposed d;
  if (!read(call, &d)) return;
  const ingot__window *w = &d.window;
  const int64_t kw = w->kernel[2], taps = w->kernel[1] * kw, sy = w->stride[1], sx = w->stride[2];
  int64_t to = 0;
  for (int64_t r = 0; r < sy * sx; r++)
    for (int64_t o = 0; o < d.groups * d.oc; o++)
      for (int64_t j = 0; j < taps_of(w->kernel[1], sy, r / sx); j++)
        for (int64_t i = 0; i < taps_of(kw, sx, r % sx); i++)
          for (int64_t c = 0; c < d.padded; c++, to++) {
            const int64_t tap = (r / sx + j * sy) * kw + r % sx + i * sx, from = ((o / d.oc * d.c + c) * d.oc + o % d.oc) * taps + tap;
            ingot__put_weight(packed, to, call->in[1].data, c < d.c ? from : -1, d.size, tf32);
          }
}
void ingot__conv_transpose_pack(const ingot__call *call, void *packed) { pack(call, packed, false); }
static void pack_tf32(const ingot__call *call, void *packed) { pack(call, packed, true); }

static ingot_status prepare(const ingot__call *call, ingot__product *product) {
  const ingot__view *x = &call->in[0], *y = &call->out[0];
  const ingot__attrs_ConvTranspose *attrs = INGOT__ATTRS(call, ConvTranspose);
  transposed d;
  if (!read(call, &d)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a transposed convolution that this kernel doesn't take");
  const ingot__window *w = &d.window;
  *product = (ingot__product){.size = d.size};
  product_params *p = &product->p;
  product_window *at = &p->window;
  const bool image = x->rank == 4;
  const int last = x->rank - 1;
  int64_t phases = 1, pixels = 1, most_taps = 1;
  at->out[0] = ingot__divisor(1);
  at->in[0] = at->kernel[0] = at->stride[0] = at->step[0] = 1;
  for (int i = 1; i < 3; i++) { /* y x */
    const int axis = i == 2 ? last : image ? 2 : -1;
    const int64_t out = axis < 0 ? 1 : y->dim[axis], in = axis < 0 ? 1 : x->dim[axis], lines = ingot__divide_up(out, w->stride[i]);
    if (out > INT32_MAX / 2 || in > INT32_MAX / 2) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "an image is too large for this kernel");
    at->out[i] = ingot__divisor(lines > 0 ? lines : 1);
    at->in[i] = (int32_t)in;
    at->kernel[i] = at->taps[i - 1] = (int32_t)w->kernel[i];
    at->stride[i] = 1, at->step[i] = w->stride[i] == 1 ? -(int32_t)w->dilation[i] : -1;
    at->place[i] = axis < 0 ? 0 : x->stride[axis];
    at->phases[i - 1] = ingot__divisor(w->stride[i]);
    at->out_dim[i - 1] = (int32_t)out, at->pads[i - 1] = (int32_t)w->begin[i];
    phases *= w->stride[i], pixels *= lines, most_taps *= ingot__divide_up(w->kernel[i], w->stride[i]);
  }
  at->image = x->stride[0];
  at->channels = (uint32_t)d.c, at->padded = (uint32_t)d.padded, at->groups = (uint32_t)d.groups;
  at->out_image = y->stride[0], at->out_line = image ? y->stride[2] : 0;
  p->n = (uint32_t)d.oc, p->k = (uint32_t)(most_taps * d.padded);
  p->batch_rank = d.groups > 1, p->batch[0] = ingot__divisor(d.groups), p->batch_inside = 1;
  product->batches = d.groups * phases;
  product->m = x->dim[0] * pixels, product->unit = pixels ? pixels : 1;
  const int64_t group = d.groups > 1 ? d.c : 0, out_group = d.groups > 1 ? d.oc : 0;
  const int64_t strides[] = {at->image, at->place[1], at->place[2], group};
  p->a = (product_operand){.data = x->data, .batch = {group}, .copy = ingot__product_align(x->data, product->size, strides, 4)};
  p->b = (product_operand){.data = call->packed, .copy = 16};
  p->b_early = 1;
  p->out = y->data, p->out_row = y->stride[last], p->out_batch[0] = out_group;
  const int64_t out_strides[] = {p->out_row, at->out_line, at->out_image, out_group};
  p->out_vector = ingot__product_align(y->data, product->size, out_strides, 4) == 16;
  for (int i = 0; i < 2; i++) {
    if (!ingot__has_in(call, (size_t)(2 + i))) continue;
    const ingot__view *v = &call->in[2 + i];
    product_addend *add = &p->add[i];
    *add = (product_addend){.data = v->data, .column = 1, .batch = {out_group}};
    if (i == 1) add->image = v->stride[0], add->line = image ? v->stride[2] : 0, add->row = v->stride[last];
    const int64_t add_strides[] = {add->row, add->line, add->image, out_group};
    add->vector = ingot__product_align(v->data, product->size, add_strides, 4) == 16;
  }
  product->a_unit = at->image, product->out_unit = at->out_image, product->add_unit[1] = p->add[1].image;
  p->alpha = 1, p->act_alpha = attrs->act_alpha, p->act_beta = attrs->act_beta;
  return INGOT_OK;
}

static void define(const ingot__call *call, ingot__text *text, const ingot__product_tile *tile) {
  ingot__product_define(call, text, tile, (int)INGOT__ATTRS(call, ConvTranspose)->act);
  ingot__text_printf(text, "#define WINDOW 2\n#define TRANSPOSED 1\n#define A_STRIDED 0\n#define B_STRIDED 0\n#define B_PACKED 1\n");
}
#define HALVES(...) \
  INGOT__PRODUCT_ROW(conv_transpose_mma, INGOT__MMA, supports_halves, ingot__conv_transpose_pack_size, \
                     ingot__conv_transpose_pack, "classes", __VA_ARGS__)
#define TF32(...) \
  INGOT__PRODUCT_ROW(conv_transpose_tf32, INGOT__MMA, supports_floats, ingot__conv_transpose_pack_size, \
                     pack_tf32, "classes_tf32", __VA_ARGS__)
#define FLOATS(...) \
  INGOT__PRODUCT_ROW(conv_transpose_f32, INGOT__FMA, supports_floats, ingot__conv_transpose_pack_size, \
                     ingot__conv_transpose_pack, "classes", __VA_ARGS__)
HALVES(128, 128, 2, 4, 3, 2)
HALVES(128, 64, 2, 2, 4, 2)
HALVES(64, 64, 2, 2, 4, 3)
HALVES(64, 32, 2, 2, 4, 4)
TF32(128, 64, 2, 2, 4, 2)
TF32(64, 64, 2, 2, 4, 3)
TF32(64, 32, 2, 2, 4, 4)
FLOATS(128, 64, 2, 2, 3, 2)
FLOATS(32, 32, 2, 2, 4, 4)
