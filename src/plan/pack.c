/* Constants rearranged for the kernels that were chosen. */
#include "plan/plan.h"

static ingot_status pack(ingot__planner *p, const ingot__node *n) {
  ingot_engine *e = p->engine;
  ingot__step *step = &e->step[n->id];
  const ingot__kernel_functions *f = step->kernel->functions;
  if (!f->pack_size) return INGOT_OK;
  ingot__view *in = INGOT_NEW_ARRAY(p->arena, n->n_in + n->n_out + 1, ingot__view), *out = in + n->n_in;
  ingot__call call;
  if (!in) return ingot__no_memory(p->diag);
  ingot__layout to = n->n_out && n->out[0] ? (ingot__layout)e->place[n->out[0]->id].layout : INGOT__PLAIN;
  ingot__layout from = n->in[0] ? (ingot__layout)e->place[n->in[0]->id].layout : INGOT__PLAIN;
  if (!ingot__plan_call(p, n, from, to, in, out, &call)) return INGOT_OK;
  size_t size = f->pack_size(&call);
  if (!size) return INGOT_OK;
  char *packed = size < SIZE_MAX - 64 ? ingot__arena_alloc(&e->arena, size + 64) : NULL;
  if (!packed) return ingot__no_memory(p->diag);
  packed = (char *)ingot__align((size_t)packed, 64);
  f->pack(&call, packed);
  step->packed = packed;
  step->packed_size = size;
  return INGOT_OK;
}

ingot_status ingot__plan_pack(ingot__planner *p) {
  const ingot__network *net = p->engine->network;
  for (size_t i = 0; i < net->n_node; i++) {
    if (net->node[i] && p->engine->step[i].kernel) INGOT_TRY(pack(p, net->node[i]));
    if (!ingot__progressed(p->progress, "packing weights", i + 1, net->n_node))
      return ingot__fail(p->diag, INGOT_E_CANCELLED, NULL, "the build was cancelled");
  }
  return INGOT_OK;
}

ingot_status ingot__plan(ingot__planner *p) {
  INGOT_TRY(ingot__plan_layouts(p));
  INGOT_TRY(ingot__plan_homes(p));
  return ingot__plan_pack(p);
}
