/* Kernels that call a vendor's library may be missed where an engine is loaded: the library needn't be there. Each layer that has such a kernel and
 * none of ours beside it keeps one of ours, with its code, that reads the same packed weights: a step for the size of the first, which comes before
 * it wherever it can run. */
#include "plan/plan.h"
#include <string.h>

static bool calls_library(const ingot__step *step) { return step->kernel && step->kernel->functions->library; }

static bool needs_one(const ingot__step *base) {
  if (!base->kernel || !base->kernel->on_device || !calls_library(base)) return false;
  for (uint8_t i = 0; i < base->n_other; i++)
    if (!calls_library(&base->other[i])) return false;
  return base->n_other < INGOT__MAX_OTHERS;
}

static ingot_status add(ingot__planner *p, const ingot__node *n, ingot__step *base) {
  ingot_engine *e = p->engine;
  ingot__view *in = INGOT_NEW_ARRAY(p->arena, n->n_in + n->n_out + 1, ingot__view), *out = in + n->n_in;
  ingot__step *others = INGOT_NEW_ARRAY(&e->arena, base->n_other + 1, ingot__step);
  ingot__call call;
  if (!in || !others) return ingot__no_memory(p->diag);
  ingot__layout to = n->n_out && n->out[0] ? (ingot__layout)e->place[n->out[0]->id].layout : INGOT__PLAIN;
  ingot__layout from = n->n_in && n->in[0] ? (ingot__layout)e->place[n->in[0]->id].layout : INGOT__PLAIN;
  if (!ingot__plan_call(p, n, from, to, in, out, &call)) return INGOT_OK;
  const ingot__kernel *ours = e->backend->substitute(base->kernel->name, &call);
  if (!ours) return INGOT_OK;
  if (base->n_other) memcpy(others, base->other, base->n_other * sizeof *others);
  others[base->n_other] = (ingot__step){.kernel = ours, .one_thread = base->one_thread, .size = base->size};
  base->other = others;
  base->n_other++;
  return INGOT_OK;
}

ingot_status ingot__plan_stand_ins(ingot__planner *p) {
  const ingot__network *net = p->engine->network;
  for (size_t i = 0; i < net->n_node; i++)
    if (net->node[i] && needs_one(&p->engine->step[i])) INGOT_TRY(add(p, net->node[i], &p->engine->step[i]));
  return INGOT_OK;
}
