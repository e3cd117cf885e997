/* Device code for the steps that run on one: compiled, or out of the caches, and kept in the engine. */
#include "plan/plan.h"

/* As far as define() goes, the views at the optimum tell all. */
static ingot_status compile(ingot__planner *p, const ingot__node *n, ingot__step *step) {
  ingot_engine *e = p->engine;
  if (!step->kernel || !step->kernel->on_device || !step->kernel->functions->source) return INGOT_OK;
  ingot__view *in = INGOT_NEW_ARRAY(p->arena, n->n_in + n->n_out + 1, ingot__view), *out = in + n->n_in;
  ingot__call call;
  if (!in) return ingot__no_memory(p->diag);
  ingot__layout to = n->n_out && n->out[0] ? (ingot__layout)e->place[n->out[0]->id].layout : INGOT__PLAIN;
  ingot__layout from = n->in[0] ? (ingot__layout)e->place[n->in[0]->id].layout : INGOT__PLAIN;
  if (!ingot__plan_call(p, n, from, to, in, out, &call)) return INGOT__FAIL_NODE(p->diag, INGOT_E_INTERNAL, n, "its types aren't known");
  return e->backend->device->compile(e->opened, step->kernel, &call, p->diag, &step->code, &step->code_size);
}

ingot_status ingot__plan_code(ingot__planner *p) {
  const ingot__network *net = p->engine->network;
  if (!p->engine->backend->device) return INGOT_OK;
  for (size_t i = 0; i < net->n_node; i++) {
    ingot__step *step = &p->engine->step[i];
    if (!net->node[i]) continue;
    INGOT_TRY(compile(p, net->node[i], step));
    for (uint8_t k = 0; k < step->n_other; k++) INGOT_TRY(compile(p, net->node[i], &step->other[k]));
    if (!ingot__progressed(p->progress, "compiling kernels", i + 1, net->n_node))
      return ingot__fail(p->diag, INGOT_E_CANCELLED, NULL, "the build was cancelled");
  }
  return INGOT_OK;
}
