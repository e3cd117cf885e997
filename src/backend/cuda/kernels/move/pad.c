/* Pad: constant, reflect, edge, wrap; negative pads crop. */
#include <stdint.h>
#include "backend/cuda/kernels/walk.h"
#include "backend/cuda/kernels/move/pad.h"

static int mode_of(const ingot__call *call) {
  static const char *const names[] = {"constant", "reflect", "edge", "wrap"};
  for (int i = 0; i < 4; i++)
    if (strcmp(INGOT__ATTRS(call, Pad)->mode, names[i]) == 0) return i;
  return -1;
}

static bool supports(const ingot__call *call) {
  if (!call->node || call->node->op != INGOT__OP_Pad || !ingot__has_in(call, 0) || !ingot__has_in(call, 1) || mode_of(call) < 0) return false;
  size_t size = ingot__dtype_size(call->in[0].dtype);
  bool same_layout = call->out[0].rank < 3 || call->in[0].layout == call->out[0].layout;
  return (size == 1 || size == 2 || size == 4 || size == 8) && same_layout && call->out[0].dtype == call->in[0].dtype && call->in[0].rank >= 1;
}

static void define(const ingot__call *call, ingot__text *text) { ingot__cuda_define(text, "SIZE", (int64_t)ingot__dtype_size(call->in[0].dtype)); }

/* `nothing` of the input is left: all is padding. */
typedef struct sides { bool nothing; int64_t first[INGOT_MAX_RANK], size[INGOT_MAX_RANK], crop[INGOT_MAX_RANK]; bool padded[INGOT_MAX_RANK]; } sides;

static ingot_status read(const ingot__call *call, sides *s) {
  const ingot__view *in = &call->in[0], *out = &call->out[0], *pads = &call->in[1], *axes = ingot__has_in(call, 3) ? &call->in[3] : NULL;
  int64_t n = axes ? ingot__view_count(axes) : in->rank, begin[INGOT_MAX_RANK] = {0};
  if (ingot__view_count(pads) != 2 * n) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "pads doesn't hold two numbers for each axis");
  for (int64_t k = 0; k < n; k++) {
    int64_t axis = axes ? ingot__get_int(axes->dtype, axes->data, (size_t)k) : k;
    if (axis < 0) axis += in->rank;
    if (axis < 0 || axis >= in->rank) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "an axis is outside rank %d", in->rank);
    begin[axis] = ingot__get_int(pads->dtype, pads->data, (size_t)k);
  }
  for (int d = 0; d < in->rank; d++) {
    s->crop[d] = begin[d] < 0 ? -begin[d] : 0;
    s->first[d] = begin[d] > 0 ? begin[d] : 0;
    s->size[d] = in->dim[d] - s->crop[d];
    if (s->size[d] > out->dim[d] - s->first[d]) s->size[d] = out->dim[d] - s->first[d];
    s->padded[d] = s->size[d] != out->dim[d];
    s->nothing = s->nothing || s->size[d] < 1;
    if (s->padded[d] && s->size[d] < 1 && out->dim[d] > 0 && mode_of(call) != 0)
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "axis %d has nothing to pad with", d);
  }
  return INGOT_OK;
}

/* Padded dims are marked by strides of a third tensor, which keep them from being joined with others: smaller ones further out. */
static void make_walk(const ingot__call *call, const sides *s, ingot__walk *w) {
  const ingot__view *in = &call->in[0], *out = &call->out[0];
  ingot__walk_start(w, out);
  w->n = 3;
  w->data[1] = in->data, w->data[2] = NULL;
  w->size[1] = w->size[0], w->size[2] = 0;
  for (int d = 0; d < in->rank; d++) {
    int further_out = 0;
    for (int k = 0; k < in->rank; k++) further_out += out->stride[k] > out->stride[d];
    w->data[1] += s->crop[d] * in->stride[d] * w->size[0];
    w->stride[1][d] = in->stride[d];
    w->stride[2][d] = s->padded[d] ? (further_out + 1) * INGOT_MAX_RANK + d : 0;
  }
  ingot__walk_join(w);
}

static bool make_items(ingot__walk *w) {
  int inner = w->rank - 1;
  int64_t n = 16 / w->size[0];
  if (n == 1 || w->stride[0][inner] != 1 || w->stride[1][inner] != 1 || w->stride[2][inner] != 0 || w->dim[inner] % n) return false;
  for (int k = 0; k < 2; k++) {
    if ((uintptr_t)w->data[k] % 16) return false;
    for (int d = 0; d < inner; d++)
      if (w->stride[k][d] % n) return false;
  }
  w->dim[inner] /= n;
  for (int k = 0; k < 2; k++)
    for (int d = 0; d < inner; d++) w->stride[k][d] /= n;
  return true;
}

static ingot_status run(const ingot__call *call) {
  sides s = {0};
  ingot__walk w;
  if (ingot__view_count(&call->out[0]) == 0) return INGOT_OK;
  INGOT_TRY(read(call, &s));
  make_walk(call, &s, &w);
  bool single = ingot__walk_count(&w) == 1, items = make_items(&w);
  pad_params p = {.out = w.data[0], .in = w.data[1], .mode = mode_of(call)};
  if (ingot__has_in(call, 2)) p.value = call->in[2].data;
  /* One launch: parts would have to know where they begin. */
  if (ingot__walk_count(&w) > INT32_MAX || !ingot__walk_dims(&w, &p.dims)) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "is too large");
  if (s.nothing) p.padded = 1; /* with a size of 0 */
  for (int d = 0; d < w.rank; d++) {
    p.stride[d] = w.stride[0][d], p.stride[SPACE_RANK + d] = w.stride[1][d];
    if (!w.stride[2][d] || s.nothing || single) continue;
    int from = (int)(w.stride[2][d] % INGOT_MAX_RANK);
    p.padded |= 1u << d;
    p.first[d] = s.first[from], p.size[d] = s.size[from];
  }
  ingot__cuda_grid grid = {.threads = p.dims.items < 256u * (unsigned)ingot__cuda_info_get()->sms ? 128 : 256, .early = true};
  grid.x = (unsigned)ingot__divide_up(p.dims.items, grid.threads);
  return ingot__cuda_launch(call, items ? "pad_16" : "pad_elements", &grid, &p, sizeof p);
}

const ingot__kernel_functions ingot__cuda_pad = {
  .supports = supports, .run = run, .source = "move/pad.cu", .define = define, .host_inputs = 2 | 8,
};
