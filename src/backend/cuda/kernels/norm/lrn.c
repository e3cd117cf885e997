/* LRN on any layout. */
#include <stdint.h>
#include "backend/cuda/kernels/walk.h"
#include "backend/cuda/kernels/norm/lrn.h"

static bool supports(const ingot__call *call) {
  ingot_dtype t = call->n_in ? call->in[0].dtype : INGOT_UNDEFINED;
  return call->node && call->node->op == INGOT__OP_LRN && (ingot__cuda_is_float(t) || t == INGOT_FLOAT64) && call->in[0].rank >= 2 &&
         call->out[0].dtype == t;
}

static void define(const ingot__call *call, ingot__text *text) {
  if (call->in[0].dtype == INGOT_FLOAT64) ingot__cuda_define(text, "WIDE", 1);
  ingot__cuda_define_type(text, "TYPE", call->in[0].dtype);
}

typedef struct state { const ingot__call *call; lrn_params params; } state;

static ingot_status launch(const ingot__walk *w, void *user) {
  state *s = user;
  lrn_params *p = &s->params;
  if (!ingot__walk_dims(w, &p->dims)) return INGOT__FAIL_CALL(s->call, INGOT_E_LIMIT, "is spread over too many dims");
  p->out = w->data[0], p->in = w->data[1];
  for (int k = 0; k < 3; k++)
    for (int d = 0; d < w->rank; d++) p->stride[k * SPACE_RANK + d] = w->stride[k][d];
  ingot__cuda_grid grid = {.x = (unsigned)ingot__divide_up(p->dims.items, 256), .threads = 256, .early = true};
  return ingot__cuda_launch(s->call, "elements", &grid, p, sizeof *p);
}

static ingot_status run(const ingot__call *call) {
  const ingot__attrs_LRN *a = INGOT__ATTRS(call, LRN);
  const ingot__view *x = &call->in[0];
  int64_t before = (a->size - 1) / 2;
  if (x->dim[1] > INT32_MAX / 2) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has %lld channels", (long long)x->dim[1]);
  state s = {.call = call, .params = {.step = x->stride[1], .channels = (int32_t)x->dim[1], .alpha = a->alpha / (float)a->size, .beta = a->beta,
                                      .bias = a->bias}};
  s.params.before = (int32_t)(before < x->dim[1] ? before : x->dim[1]);
  s.params.after = (int32_t)(a->size - 1 - before < x->dim[1] ? a->size - 1 - before : x->dim[1]);
  ingot__view numbers = *x;
  for (int i = 0; i < x->rank; i++) numbers.stride[i] = i == 1;
  ingot__walk w;
  ingot__walk_start(&w, &call->out[0]);
  ingot__walk_add(&w, x, -1);
  ingot__walk_add(&w, &numbers, -1);
  w.size[2] = 0; /* the channels' numbers are no addresses; parts are of whole images, whose numbers begin alike */
  if (x->dim[0] > 0 && ingot__walk_count(&w) / x->dim[0] > 1 << 30) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has too large images");
  ingot__walk_join(&w);
  return ingot__walk_launch(&w, launch, &s);
}

const ingot__kernel_functions ingot__cuda_lrn = {.supports = supports, .run = run, .source = "norm/lrn.cu", .define = define};
