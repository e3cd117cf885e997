/* An engine that was read: whether its values lie on the side of the bus where those who make and read them run. Kernels don't look: one on the
 * host that is handed an address of the device's memory faults, and so does one on the device with the host's. plan/spaces.c makes it so;
 * a file may say anything. */
#include "runtime/load.h"

static bool made(const ingot__value *v) { return v->producer || v->is_input; }

static bool lies(const ingot_engine *e, const ingot__value *v, bool on_device) {
  return !v || !made(v) || v->type.kind != INGOT__TENSOR || e->place[v->id].on_device == on_device;
}

static unsigned host_inputs(const ingot__kernel *kernel) { return kernel->on_device ? kernel->functions->host_inputs : ~0u; }

/* Nothing runs: outputs are seen in the first input's memory, or inputs were written into the output's. */
static bool view_holds(const ingot_engine *e, const ingot__node *n) {
  for (size_t i = 0; i < n->n_out; i++) {
    const ingot__value *v = n->out[i], *of = v && e->place[v->id].home != INGOT__HOME_OWN ? e->network->value[e->place[v->id].of] : NULL;
    if (of && made(of) && !lies(e, v, e->place[of->id].on_device)) return false;
  }
  for (size_t i = 0; i < n->n_in; i++) {
    const ingot__value *v = n->in[i];
    if (v && made(v) && e->place[v->id].home == INGOT__HOME_CONCAT && !lies(e, v, e->place[e->place[v->id].of].on_device)) return false;
  }
  return true;
}

static bool step_holds(const ingot_engine *e, const ingot__node *n) {
  const ingot__step *step = &e->step[n->id];
  const ingot__kernel *k = step->kernel;
  if (!view_holds(e, n)) return false;
  if (!k || (k->flags & INGOT__K_VIEW)) return true;
  for (uint8_t i = 0; i < step->n_other; i++)
    if (step->other[i].kernel->on_device != k->on_device || host_inputs(step->other[i].kernel) != host_inputs(k)) return false;
  if (n->op == INGOT__OP_Transfer && e->backend->device) { /* from one side to the other, by the device's queue */
    const ingot__value *from = n->in[0], *to = n->out[0];
    return k->on_device && from && to && made(from) && from->type.kind == INGOT__TENSOR && to->type.kind == INGOT__TENSOR &&
           e->place[from->id].on_device != e->place[to->id].on_device;
  }
  for (size_t i = 0; i < n->n_in; i++)
    if (!lies(e, n->in[i], k->on_device && !(i < 32 && host_inputs(k) >> i & 1))) return false;
  for (size_t i = 0; i < n->n_out; i++)
    if (!lies(e, n->out[i], k->on_device)) return false;
  return true;
}

static bool in_fused_body(const ingot__graph *g) {
  for (; g->outer; g = g->outer)
    for (const ingot__node *n = g->outer->first; n; n = n->next)
      if (n->op == INGOT__OP_Fused && ((const ingot__attrs_Fused *)n->attrs)->body == g) return true;
  return false;
}

ingot_status ingot__load_check_sides(const ingot_engine *e, ingot__diag *diag) {
  const ingot__network *net = e->network;
  for (size_t i = 0; i < net->n_value; i++) {
    const ingot__value *v = net->value[i];
    if (v && e->place[i].on_device && (!e->backend->device || !v->producer || v->is_input))
      return ingot__fail(diag, INGOT_E_FORMAT, v->name, "the engine file is damaged: an input or a constant in the device's memory");
  }
  for (size_t i = 0; i < net->n_graph; i++) {
    const ingot__graph *g = net->graph[i];
    for (size_t k = 0; g && !g->removed && k < g->n_output; k++)
      if (g->output[k]->graph == g && e->place[g->output[k]->id].on_device)
        return ingot__fail(diag, INGOT_E_FORMAT, g->output[k]->name, "the engine file is damaged: an output in the device's memory");
  }
  const ingot__graph *graph = NULL;
  bool body = false;
  for (size_t i = 0; i < net->n_node; i++) {
    const ingot__node *n = net->node[i];
    if (!n) continue;
    if (n->graph != graph) graph = n->graph, body = in_fused_body(graph);
    if (!body && !step_holds(e, n))
      return INGOT__FAIL_NODE(diag, INGOT_E_FORMAT, n, "the engine file is damaged: its tensors aren't where its kernel runs");
  }
  return INGOT_OK;
}
