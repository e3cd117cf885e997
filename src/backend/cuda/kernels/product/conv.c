/* Convolutions as products (product/mma.cu): CHANNELS_LAST, one to three dimensions, any strides, dilations, pads and groups, float16,
 * bfloat16, and float32 either as it is or rounded to tf32.
 *
 * Packed ("taps..."): for each group and each of its output channels the taps in order, of each its channels, filled up with zeros to 16
 * bytes. Groups of few channels are taken several at once, as one group whose weights are zero between them. */
#include <string.h>
#include "backend/cuda/kernels/product/conv.h"
#include "backend/cuda/kernels/product/rows.h"
#include "backend/cuda/kernels/product/weights.h"

typedef struct conv {
  size_t size;                     /* of an element */
  int64_t groups, c, oc, merged;   /* groups as multiplied, channels of each; groups of the node in one */
  int64_t taps, padded;
} conv;

static bool is_point(const ingot__window *w, int n) { /* each output pixel needs the input's of the same place alone */
  for (int i = 0; i < n; i++)
    if (w->kernel[i] != 1 || w->stride[i] != 1 || w->begin[i] || w->end[i]) return false;
  return true;
}

bool ingot__conv_window(const ingot__call *call, ingot__window *window) {
  const ingot__view *x = &call->in[0], *w = &call->in[1];
  const ingot__window_attrs attrs = INGOT__WINDOW_ATTRS(INGOT__ATTRS(call, Conv));
  if (ingot__window_read(NULL, call->node, &attrs, x->rank - 2, &w->dim[2], window) != INGOT_OK) return false;
  ingot__window_pads(window, &x->dim[2]);
  return true;
}

bool ingot__conv_takes(const ingot__call *call) {
  if (call->n_in < 2 || !ingot__has_out(call, 0)) return false;
  const ingot__view *x = &call->in[0], *w = &call->in[1], *y = &call->out[0];
  if (!ingot__cuda_is_float(x->dtype) || w->dtype != x->dtype || y->dtype != x->dtype || !w->constant) return false;
  if (x->rank < 3 || x->rank > 5 || w->rank != x->rank || y->rank != x->rank || ingot__has_in(call, 4)) return false;
  if (ingot__has_in(call, 2) && (call->in[2].dtype != x->dtype || call->in[2].rank != 1)) return false;
  if (ingot__has_in(call, 3) && (call->in[3].dtype != x->dtype || call->in[3].rank != y->rank)) return false;
  const int64_t group = INGOT__ATTRS(call, Conv)->group;
  if (group < 1 || w->dim[0] < 1 || w->dim[1] < 1 || w->dim[0] % group) return false;
  for (int i = 0; i < w->rank; i++)
    if (w->dim[i] < 1 || w->dim[i] > INT32_MAX / 64) return false;
  ingot__window window;
  return ingot__conv_window(call, &window) && INGOT__ATTRS(call, Conv)->act <= INGOT__ACT_MISH;
}

/* The weights' numbers; the rest if the call has dims. */
static void set_weights(const ingot__call *call, conv *d) {
  const ingot__view *w = &call->in[1];
  const int64_t group = INGOT__ATTRS(call, Conv)->group;
  d->size = ingot__dtype_size(w->dtype);
  d->merged = 1, d->groups = group, d->c = w->dim[1], d->oc = w->dim[0] / group, d->taps = 1;
  while (d->oc * d->merged < 32 && d->groups % 2 == 0) d->merged *= 2, d->groups /= 2;
  d->c *= d->merged, d->oc *= d->merged;
  for (int i = 2; i < w->rank; i++) d->taps *= w->dim[i];
  const int64_t chunk = ingot__product_chunk(d->size);
  d->padded = ingot__divide_up(d->c, chunk) * chunk;
}

static void set_addend(product_addend *add, const ingot__view *v, size_t size, int64_t group) {
  const bool image = v->rank > 1;
  *add = (product_addend){.data = v->data, .column = 1, .row = image ? v->stride[v->rank - 1] : 0};
  add->batch[0] = group;
  const int64_t strides[] = {add->row, group};
  add->vector = ingot__product_align(v->data, size, strides, 2) == 16;
}

static ingot_status prepare(const ingot__call *call, ingot__product *product) {
  const ingot__view *x = &call->in[0], *w = &call->in[1], *y = &call->out[0];
  conv d;
  set_weights(call, &d);
  *product = (ingot__product){.size = d.size};
  ingot__window window;
  if (!ingot__conv_window(call, &window)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "a window that this kernel doesn't take");
  const int n = x->rank - 2;
  product_params *p = &product->p;
  product_window *at = &p->window;
  const ingot__attrs_Conv *attrs = INGOT__ATTRS(call, Conv);
  int64_t pixels = 1;
  for (int i = 0; i < 3; i++) { /* z y x */
    const int k = i - (3 - n);
    const int64_t out = k < 0 ? 1 : y->dim[2 + k], in = k < 0 ? 1 : x->dim[2 + k];
    if (out > INT32_MAX / 2 || in > INT32_MAX / 2) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "an image is too large for this kernel");
    pixels *= out;
    at->out[i] = ingot__divisor(out > 0 ? out : 1);
    at->in[i] = (int32_t)in;
    at->kernel[i] = k < 0 ? 1 : (int32_t)w->dim[2 + k];
    at->stride[i] = k < 0 ? 1 : (int32_t)window.stride[k];
    at->step[i] = k < 0 ? 1 : (int32_t)window.dilation[k];
    at->pad[i] = k < 0 ? 0 : (int32_t)window.begin[k];
    at->place[i] = k < 0 ? 0 : x->stride[2 + k];
  }
  at->image = x->stride[0];
  at->channels = (uint32_t)d.c, at->padded = (uint32_t)d.padded;
  p->n = (uint32_t)d.oc, p->k = (uint32_t)(d.taps * d.padded);
  product->batches = d.groups, p->batch_rank = d.groups > 1, p->batch[0] = ingot__divisor(d.groups), p->batch_inside = 1;
  product->m = x->dim[0] * pixels, product->unit = pixels ? pixels : 1;
  const int64_t group = d.groups > 1 ? d.c : 0, out_group = d.groups > 1 ? d.oc : 0, last = x->rank - 1;
  p->a = (product_operand){.data = x->data, .row = x->stride[last], .batch = {group}};
  p->b = (product_operand){.data = call->packed, .row = p->k, .batch = {d.oc * p->k}, .copy = 16};
  p->b_early = 1;
  const int64_t strides[] = {at->image, at->place[0], at->place[1], at->place[2], group};
  p->a.copy = ingot__product_align(x->data, product->size, strides, 5);
  p->out = y->data, p->out_row = y->stride[last], p->out_batch[0] = out_group;
  const int64_t out_strides[] = {p->out_row, out_group};
  p->out_vector = ingot__product_align(y->data, product->size, out_strides, 2) == 16;
  for (int i = 0; i < 2; i++)
    if (ingot__has_in(call, (size_t)(2 + i))) set_addend(&p->add[i], &call->in[2 + i], product->size, out_group);
  product->a_unit = x->stride[0], product->out_unit = pixels * p->out_row, product->add_unit[1] = pixels * p->add[1].row;
  p->alpha = 1, p->act_alpha = attrs->act_alpha, p->act_beta = attrs->act_beta;
  return INGOT_OK;
}

static bool supports_halves(const ingot__call *call) { return ingot__conv_takes(call) && call->in[0].dtype != INGOT_FLOAT32; }
static bool supports_floats(const ingot__call *call) { return ingot__conv_takes(call) && call->in[0].dtype == INGOT_FLOAT32; }

size_t ingot__conv_pack_size(const ingot__call *call) {
  conv d;
  size_t n;
  set_weights(call, &d);
  if (!ingot__mul((size_t)d.groups, (size_t)d.oc, &n) || !ingot__mul(n, (size_t)d.taps, &n) || !ingot__mul(n, (size_t)d.padded, &n) ||
      !ingot__mul(n, d.size, &n)) return SIZE_MAX;
  return n;
}

static void pack(const ingot__call *call, void *packed, bool tf32) {
  const ingot__view *w = &call->in[1];
  conv d;
  set_weights(call, &d);
  const int64_t c = w->dim[1], oc = d.oc / d.merged;
  int64_t to = 0;
  for (int64_t o = 0; o < d.groups * d.oc; o++) /* o: of the node, too */
    for (int64_t tap = 0; tap < d.taps; tap++)
      for (int64_t i = 0; i < d.padded; i++, to++) {
        const bool own = i < d.c && i / c == o % d.oc / oc;
        ingot__put_weight(packed, to, w->data, own ? (o * c + i % c) * d.taps + tap : -1, d.size, tf32);
      }
}
void ingot__conv_pack(const ingot__call *call, void *packed) { pack(call, packed, false); }
void ingot__conv_pack_tf32(const ingot__call *call, void *packed) { pack(call, packed, true); }

bool ingot__conv_has_points(const ingot__call *call) {
  ingot__window window;
  return ingot__conv_window(call, &window) && is_point(&window, call->in[0].rank - 2);
}

static void define(const ingot__call *call, ingot__text *text, const ingot__product_tile *tile) {
  const ingot__view *x = &call->in[0];
  ingot__product_define(call, text, tile, (int)INGOT__ATTRS(call, Conv)->act);
  ingot__cuda_define(text, "WINDOW", ingot__conv_has_points(call) ? 0 : x->rank == 5 ? 3 : 2);
  ingot__text_printf(text, "#define TRANSPOSED 0\n#define A_STRIDED 0\n#define B_STRIDED 0\n#define B_PACKED 1\n");
}

/* Lines follow each other as their pixels do: the other rows find an input's pixel by its line. */
static bool lines_even(const ingot__view *v) {
  for (int i = 2; i < v->rank - 1; i++)
    if (v->dim[i] > 1 && v->stride[i] != v->stride[i + 1] * v->dim[i + 1]) return false;
  return true;
}

bool ingot__conv_is_point(const ingot__call *call) {
  return ingot__conv_takes(call) && INGOT__ATTRS(call, Conv)->group == 1 && ingot__conv_has_points(call) && lines_even(&call->in[0]);
}

ingot_status ingot__conv_point(const ingot__call *call, ingot__product *product) { return prepare(call, product); }

#define HALVES(...) INGOT__PRODUCT_ROW(conv_mma, INGOT__MMA, supports_halves, ingot__conv_pack_size, ingot__conv_pack, "taps", __VA_ARGS__)
#define TF32(...) INGOT__PRODUCT_ROW(conv_tf32, INGOT__MMA, supports_floats, ingot__conv_pack_size, ingot__conv_pack_tf32, "taps_tf32", __VA_ARGS__)
#define FLOATS(...) INGOT__PRODUCT_ROW(conv_f32, INGOT__FMA, supports_floats, ingot__conv_pack_size, ingot__conv_pack, "taps", __VA_ARGS__)
INGOT__PRODUCT_TILES(HALVES)
INGOT__PRODUCT_TILES(TF32)
FLOATS(128, 128, 2, 4, 3, 1)
FLOATS(128, 64, 2, 2, 3, 2)
FLOATS(64, 64, 2, 2, 3, 3)
FLOATS(32, 32, 2, 2, 4, 4)
