/* Softmax, LogSoftmax and LpNormalization along any axis, on any layout. */
#include <stdint.h>
#include "backend/cuda/kernels/walk.h"
#include "backend/cuda/kernels/softmax/softmax.h"

enum { HELD_VECTORS = 4, HELD_ELEMENTS = 8 }; /* as in softmax.cu: what a thread holds of a row */

static int64_t axis_of(const ingot__call *call) {
  int64_t axis = call->node->op == INGOT__OP_Softmax      ? INGOT__ATTRS(call, Softmax)->axis
                 : call->node->op == INGOT__OP_LogSoftmax ? INGOT__ATTRS(call, LogSoftmax)->axis
                                                          : INGOT__ATTRS(call, LpNormalization)->axis;
  return axis < 0 ? axis + call->in[0].rank : axis;
}

static bool supports(const ingot__call *call) {
  if (!call->node || !ingot__has_in(call, 0) || !ingot__has_out(call, 0) || call->in[0].rank < 1) return false;
  ingot__op op = call->node->op;
  ingot_dtype t = call->in[0].dtype;
  if (op != INGOT__OP_Softmax && op != INGOT__OP_LogSoftmax && op != INGOT__OP_LpNormalization) return false;
  return (ingot__cuda_is_float(t) || t == INGOT_FLOAT64) && call->out[0].dtype == t;
}

static int vector_of(const ingot__call *call) { return (int)(16 / ingot__dtype_size(call->in[0].dtype)); }

static void define(const ingot__call *call, ingot__text *text) {
  ingot__op op = call->node->op;
  if (call->in[0].dtype == INGOT_FLOAT64) ingot__cuda_define(text, "WIDE", 1);
  ingot__cuda_define_type(text, "TYPE", call->in[0].dtype);
  ingot__cuda_define(text, "VECTOR", vector_of(call));
  int64_t mode = op == INGOT__OP_Softmax ? 0 : op == INGOT__OP_LogSoftmax ? 1 : 1 + INGOT__ATTRS(call, LpNormalization)->p;
  ingot__cuda_define(text, "MODE", mode);
}

/* The view without its axis. */
static ingot__view without(const ingot__view *v, int64_t axis) {
  ingot__view r = *v;
  r.rank--;
  for (int i = (int)axis; i < r.rank; i++) r.dim[i] = v->dim[i + 1], r.stride[i] = v->stride[i + 1];
  return r;
}

static unsigned power_of_two(int64_t at_least, unsigned most) {
  unsigned p = 1;
  while (p < at_least && p < most) p *= 2;
  return p;
}

typedef struct state { const ingot__call *call; softmax_params params; bool vectors, rows; int64_t items; } state;

static ingot_status launch(const ingot__walk *w, void *user) {
  state *s = user;
  softmax_params *p = &s->params;
  if (!ingot__walk_dims(w, &p->kept)) return INGOT__FAIL_CALL(s->call, INGOT_E_LIMIT, "is spread over too many dims");
  p->out = w->data[0], p->in = w->data[1];
  for (int d = 0; d < w->rank; d++) p->stride[d] = w->stride[1][d], p->stride[SPACE_RANK + d] = w->stride[0][d];
  int64_t rows = p->kept.items, sms = ingot__cuda_info_get()->sms;
  ingot__cuda_grid grid = {.threads = 256, .early = true, .shared = 64 * 8};
  const char *entry;
  int most = s->vectors ? HELD_VECTORS : HELD_ELEMENTS;
  if (!s->rows) {
    entry = "columns_elements";
    p->lanes = p->length < 32 && rows > 64 * sms ? 128 : p->length < 8 ? 64 : 32;
    grid.shared = 256 * 16;
  } else if (s->items > 256 * most) {
    entry = s->vectors ? "long_vectors" : "long_elements";
    p->lanes = 256;
  } else {
    entry = s->vectors ? "held_vectors" : "held_elements";
    bool many = rows > 16 * sms; /* then a thread may hold more of a row, so that less is idle */
    p->lanes = (int32_t)power_of_two(ingot__divide_up(s->items, many || s->items > 256 ? most : 1), 256);
    grid.threads = p->lanes > 32 ? (unsigned)p->lanes : 128;
  }
  grid.x = (unsigned)ingot__divide_up(rows, s->rows ? grid.threads / (unsigned)p->lanes : (unsigned)p->lanes);
  return ingot__cuda_launch(s->call, entry, &grid, p, sizeof *p);
}

static ingot_status run(const ingot__call *call) {
  const ingot__view *in = &call->in[0], *out = &call->out[0];
  int64_t axis = axis_of(call), length = in->dim[axis];
  if (ingot__view_count(out) == 0) return INGOT_OK;
  if (length > INT32_MAX / 2) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has an axis of %lld elements", (long long)length);
  state s = {.call = call, .params = {.step = {in->stride[axis], out->stride[axis]}, .length = (int32_t)length}};
  s.rows = length == 1 || (in->stride[axis] == 1 && out->stride[axis] == 1);
  ingot__view kept_in = without(in, axis), kept_out = without(out, axis);
  ingot__walk w;
  ingot__walk_start(&w, &kept_out);
  ingot__walk_add(&w, &kept_in, -1);
  ingot__walk_join(&w);
  int vector = vector_of(call);
  s.vectors = s.rows && length % vector == 0;
  for (int k = 0; k < 2; k++) {
    s.vectors = s.vectors && (uintptr_t)w.data[k] % 16 == 0;
    for (int d = 0; d < w.rank; d++) s.vectors = s.vectors && (w.dim[d] == 1 || w.stride[k][d] % vector == 0);
  }
  s.items = length / (s.vectors ? vector : 1);
  return ingot__walk_launch(&w, launch, &s);
}

const ingot__kernel_functions ingot__cuda_softmax = {.supports = supports, .run = run, .source = "softmax/softmax.cu", .define = define};
