/* Gather, GatherElements, GatherND, ScatterElements, ScatterND: indices are data, and may be negative. */
#include <stdint.h>
#include "backend/cuda/kernels/walk.h"
#include "backend/cuda/kernels/move/index.h"

static size_t element(const ingot__call *call) { return ingot__dtype_size(call->in[0].dtype); }

static bool common(const ingot__call *call, size_t inputs) {
  if (!call->node || call->n_in != inputs || !ingot__has_out(call, 0)) return false;
  for (size_t i = 0; i < inputs; i++)
    if (!ingot__has_in(call, i)) return false;
  size_t size = element(call);
  return (size == 1 || size == 2 || size == 4 || size == 8) && (call->in[1].dtype == INGOT_INT64 || call->in[1].dtype == INGOT_INT32) &&
         call->out[0].dtype == call->in[0].dtype && call->in[0].rank >= 1;
}

static bool supports_gather(const ingot__call *call) {
  if (!common(call, 2)) return false;
  ingot__op op = call->node->op;
  if (op == INGOT__OP_GatherND) return call->in[1].rank >= 1;
  return op == INGOT__OP_Gather || op == INGOT__OP_GatherElements;
}

static int reduction(const ingot__call *call) {
  static const char *const names[] = {"none", "add", "mul", "max", "min"};
  bool nd = call->node->op == INGOT__OP_ScatterND;
  const char *text = nd ? INGOT__ATTRS(call, ScatterND)->reduction : INGOT__ATTRS(call, ScatterElements)->reduction;
  for (int i = 0; i < 5; i++)
    if (strcmp(text, names[i]) == 0) return i;
  return -1;
}

static bool supports_scatter(const ingot__call *call) {
  if (!common(call, 3) || (call->node->op != INGOT__OP_ScatterElements && call->node->op != INGOT__OP_ScatterND)) return false;
  ingot_dtype t = call->in[0].dtype;
  int r = reduction(call);
  bool number = ingot__cuda_is_float(t) || t == INGOT_FLOAT64 || (ingot__dtype_is_int(t) && ingot__dtype_size(t)) || t == INGOT_BOOL;
  return call->in[2].dtype == t && call->in[1].rank >= 1 && (r == 0 || (r > 0 && number));
}

static void define_gather(const ingot__call *call, ingot__text *text) {
  ingot__cuda_define(text, "SIZE", (int64_t)element(call));
  ingot__cuda_define_type(text, "INDEX", call->in[1].dtype);
}

static void define_scatter(const ingot__call *call, ingot__text *text) {
  define_gather(call, text);
  ingot__cuda_define(text, "SCATTERS", 1);
  if (reduction(call) == 0) return;
  ingot__cuda_define(text, "REDUCTION", reduction(call));
  if (call->in[0].dtype == INGOT_BOOL) ingot__cuda_define(text, "IS_BOOL", 1);
  ingot__cuda_define_type(text, "TYPE", call->in[0].dtype == INGOT_BOOL ? INGOT_UINT8 : call->in[0].dtype);
}

/* ---- Walks of three tensors: what is written, what is read, the indices. `jump` is the elements' side that indices count along. */

typedef struct plan { const ingot__call *call; ingot__walk walk; index_params params; const char *entry; int64_t bytes; } plan;

static void add(plan *p, int64_t dim, int64_t to, int64_t from, int64_t index) {
  ingot__walk *w = &p->walk;
  w->dim[w->rank] = dim;
  w->stride[0][w->rank] = to, w->stride[1][w->rank] = from, w->stride[2][w->rank++] = index;
}

static void count_along(plan *p, const ingot__view *v, int axis) {
  p->params.dim[p->params.numbers] = v->dim[axis];
  p->params.jump[p->params.numbers++] = v->stride[axis];
}

static void begin(plan *p, const ingot__view *to, const ingot__view *from, const ingot__view *index) {
  int64_t size = (int64_t)ingot__dtype_size(to->dtype);
  p->walk.n = 3;
  p->walk.data[0] = to->data, p->walk.data[1] = from->data, p->walk.data[2] = index->data;
  p->walk.size[0] = p->walk.size[1] = size, p->walk.size[2] = (int64_t)ingot__dtype_size(index->dtype);
}

static int axis_of(int64_t axis, int rank) { return (int)(axis < 0 ? axis + rank : axis); }

static void plan_gather(plan *p) {
  const ingot__view *in = &p->call->in[0], *index = &p->call->in[1], *out = &p->call->out[0];
  begin(p, out, in, index);
  int o = 0;
  switch (p->call->node->op) {
  case INGOT__OP_Gather: {
    int axis = axis_of(INGOT__ATTRS(p->call, Gather)->axis, in->rank);
    for (int i = 0; i < axis; i++, o++) add(p, out->dim[o], out->stride[o], in->stride[i], 0);
    for (int i = 0; i < index->rank; i++, o++) add(p, out->dim[o], out->stride[o], 0, index->stride[i]);
    for (int i = axis + 1; i < in->rank; i++, o++) add(p, out->dim[o], out->stride[o], in->stride[i], 0);
    count_along(p, in, axis);
    return;
  }
  case INGOT__OP_GatherElements: {
    int axis = axis_of(INGOT__ATTRS(p->call, GatherElements)->axis, in->rank);
    for (int i = 0; i < in->rank; i++) add(p, out->dim[i], out->stride[i], i == axis ? 0 : in->stride[i], index->stride[i]);
    count_along(p, in, axis);
    return;
  }
  default: {
    int batch = (int)INGOT__ATTRS(p->call, GatherND)->batch_dims, last = index->rank - 1, k = (int)index->dim[last];
    for (int i = 0; i < last; i++, o++) add(p, out->dim[o], out->stride[o], i < batch ? in->stride[i] : 0, index->stride[i]);
    for (int i = batch + k; i < in->rank; i++, o++) add(p, out->dim[o], out->stride[o], in->stride[i], 0);
    for (int i = 0; i < k; i++) count_along(p, in, batch + i);
    p->params.step = index->stride[last];
  }
  }
}

static void plan_scatter(plan *p) {
  const ingot__view *index = &p->call->in[1], *updates = &p->call->in[2], *out = &p->call->out[0];
  begin(p, out, updates, index);
  if (p->call->node->op == INGOT__OP_ScatterElements) {
    int axis = axis_of(INGOT__ATTRS(p->call, ScatterElements)->axis, out->rank);
    for (int i = 0; i < out->rank; i++) add(p, index->dim[i], i == axis ? 0 : out->stride[i], updates->stride[i], index->stride[i]);
    count_along(p, out, axis);
    return;
  }
  int last = index->rank - 1, k = (int)index->dim[last];
  for (int i = 0; i < last; i++) add(p, index->dim[i], 0, updates->stride[i], index->stride[i]);
  for (int i = k; i < out->rank; i++) add(p, out->dim[i], out->stride[i], updates->stride[last + i - k], 0);
  for (int i = 0; i < k; i++) count_along(p, out, i);
  p->params.step = index->stride[last];
}

/* Items of 16 (or 4) bytes where the innermost dim is contiguous on both sides and everything lies at multiples. */
static void make_items(plan *p, bool four) {
  ingot__walk *w = &p->walk;
  int inner = w->rank - 1;
  int64_t size = w->size[0];
  p->bytes = size;
  if (w->stride[0][inner] != 1 || w->stride[1][inner] != 1 || (w->n > 2 && w->stride[2][inner] != 0)) return;
  for (int64_t bytes = 16; bytes > size && bytes >= (four ? 4 : 16); bytes /= 4) {
    bool fits = w->dim[inner] * size % bytes == 0;
    for (int k = 0; k < 2; k++) {
      fits = fits && (uintptr_t)w->data[k] % (size_t)bytes == 0;
      for (int d = 0; d < inner; d++) fits = fits && w->stride[k][d] * size % bytes == 0;
    }
    for (int i = 0; i < p->params.numbers; i++) fits = fits && p->params.jump[i] * size % bytes == 0;
    if (!fits) continue;
    int64_t n = bytes / size;
    w->dim[inner] /= n;
    for (int k = 0; k < 2; k++) {
      for (int d = 0; d < inner; d++) w->stride[k][d] /= n;
      w->size[k] = bytes;
    }
    for (int i = 0; i < p->params.numbers; i++) p->params.jump[i] /= n;
    p->bytes = bytes;
    return;
  }
}

static ingot_status launch(const ingot__walk *w, void *user) {
  plan *p = user;
  if (!ingot__walk_dims(w, &p->params.dims)) return INGOT__FAIL_CALL(p->call, INGOT_E_LIMIT, "is spread over too many dims");
  p->params.to = w->data[0], p->params.from = w->data[1], p->params.index = w->data[2];
  for (int k = 0; k < w->n; k++)
    for (int d = 0; d < w->rank; d++) p->params.stride[k * SPACE_RANK + d] = w->stride[k][d];
  ingot__cuda_grid grid = {.threads = p->params.dims.items < 256u * (unsigned)ingot__cuda_info_get()->sms ? 128 : 256, .early = true};
  grid.x = (unsigned)ingot__divide_up(p->params.dims.items, grid.threads);
  return ingot__cuda_launch(p->call, p->entry, &grid, &p->params, sizeof p->params);
}

static ingot_status run_gather(const ingot__call *call) {
  plan p = {.call = call};
  if (ingot__view_count(&call->out[0]) == 0 || ingot__view_count(&call->in[0]) == 0) return INGOT_OK;
  if (call->node->op == INGOT__OP_GatherND && call->in[1].dim[call->in[1].rank - 1] > INDEX_MOST)
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "has indices of too many numbers");
  plan_gather(&p);
  ingot__walk_join(&p.walk);
  make_items(&p, true);
  p.entry = p.bytes == 16 ? "gather_16" : p.bytes == 4 ? "gather_4" : "gather_elements";
  return ingot__walk_launch(&p.walk, launch, &p);
}

static ingot_status run_scatter(const ingot__call *call) {
  const ingot__view *in = &call->in[0], *out = &call->out[0];
  if (ingot__view_count(out) == 0) return INGOT_OK;
  if (in->data != out->data) {
    plan p = {.call = call};
    ingot__walk_start(&p.walk, out);
    ingot__walk_add(&p.walk, in, -1);
    ingot__walk_join(&p.walk);
    make_items(&p, false);
    p.entry = p.bytes == 16 ? "copy_16" : "copy_elements";
    p.walk.data[2] = NULL;
    INGOT_TRY(ingot__walk_launch(&p.walk, launch, &p));
  }
  if (ingot__view_count(&call->in[1]) == 0 || ingot__view_count(&call->in[2]) == 0) return INGOT_OK;
  if (call->node->op == INGOT__OP_ScatterND && call->in[1].dim[call->in[1].rank - 1] > INDEX_MOST)
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "has indices of too many numbers");
  plan p = {.call = call};
  plan_scatter(&p);
  /* The output's strides may be 0 along indices: the updates' order the dims. */
  ingot__walk *w = &p.walk;
  ingot__walk turned = *w;
  memcpy(turned.stride[0], w->stride[1], sizeof turned.stride[0]);
  memcpy(turned.stride[1], w->stride[0], sizeof turned.stride[1]);
  ingot__walk_join(&turned);
  memcpy(w->dim, turned.dim, sizeof w->dim);
  memcpy(w->stride[0], turned.stride[1], sizeof w->stride[0]);
  memcpy(w->stride[1], turned.stride[0], sizeof w->stride[1]);
  memcpy(w->stride[2], turned.stride[2], sizeof w->stride[2]);
  w->rank = turned.rank;
  if (reduction(call) == 0) make_items(&p, false);
  p.entry = reduction(call) != 0 ? "combine" : p.bytes == 16 ? "scatter_16" : "scatter_elements";
  return ingot__walk_launch(w, launch, &p);
}

const ingot__kernel_functions ingot__cuda_gather = {
  .supports = supports_gather, .run = run_gather, .source = "move/index.cu", .define = define_gather,
};
const ingot__kernel_functions ingot__cuda_scatter = {
  .supports = supports_scatter, .run = run_scatter, .source = "move/index.cu", .define = define_scatter,
};
