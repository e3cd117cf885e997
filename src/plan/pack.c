/* Constants rearranged for the kernels that were chosen. */
#include "plan/plan.h"
#include <string.h>

/* Whether `step` reads what `other` has packed already. */
static bool shares(const ingot__step *step, const ingot__step *other) {
  const ingot__kernel_functions *a = step->kernel->functions, *b = other->kernel->functions;
  return other->packed && a->pack_format && b->pack_format && !strcmp(a->pack_format, b->pack_format);
}

static ingot_status pack(ingot__planner *p, const ingot__node *n, ingot__step *step) {
  ingot_engine *e = p->engine;
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
  ingot__step *base = &e->step[n->id];
  for (int i = -1; i < base->n_other; i++) {
    const ingot__step *other = i < 0 ? base : &base->other[i];
    if (other == step || !shares(step, other) || other->packed_size != size) continue;
    step->packed = other->packed;
    step->packed_size = size;
    return INGOT_OK;
  }
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
    ingot__step *step = &p->engine->step[i];
    if (net->node[i] && step->kernel) INGOT_TRY(pack(p, net->node[i], step));
    for (uint8_t k = 0; net->node[i] && k < step->n_other; k++) INGOT_TRY(pack(p, net->node[i], &step->other[k]));
    if (!ingot__progressed(p->progress, "packing weights", i + 1, net->n_node))
      return ingot__fail(p->diag, INGOT_E_CANCELLED, NULL, "the build was cancelled");
  }
  return INGOT_OK;
}

ingot_status ingot__plan(ingot__planner *p) {
  INGOT_TRY(ingot__plan_layouts(p));
  INGOT_TRY(ingot__plan_homes(p));
  INGOT_TRY(ingot__plan_sizes(p));
  return ingot__plan_pack(p);
}
