/* The network's outputs, before layouts are chosen. */
#include "plan/plan.h"
#include <string.h>

/* Whether a kernel takes the node's input CHANNELS_LAST and leaves its result PLAIN. */
static bool turns(ingot__planner *p, const ingot__node *n) {
  const ingot__kernel *list[INGOT__MAX_CANDIDATES];
  ingot__view *in = INGOT_NEW_ARRAY(p->arena, n->n_in + n->n_out + 1, ingot__view);
  ingot__call call;
  if (!in || !ingot__plan_call(p, n, INGOT__CHANNELS_LAST, INGOT__PLAIN, in, in + n->n_in, &call)) return false;
  const size_t count = ingot__plan_kernels(p, &call, list);
  for (size_t i = 0; i < count; i++)
    if (strcmp(list[i]->name, "reference")) return true;
  return false;
}

/* The network's outputs are PLAIN, but what has fast kernels for CHANNELS_LAST results alone shouldn't fall back to the reference for it: such an
 * output becomes a Reformat's. */
ingot_status ingot__plan_free_outputs(ingot__planner *p) {
  ingot__network *net = p->engine->network;
  for (size_t i = 0; i < net->main->n_output; i++) {
    ingot__value *v = net->main->output[i];
    ingot__node *n = v->producer;
    if (!n || v->type.rank < 3 || n->graph != net->main) continue;
    if (n->op != INGOT__OP_Conv && n->op != INGOT__OP_ConvTranspose && n->op != INGOT__OP_DeformConv && n->op != INGOT__OP_MaxPool &&
        n->op != INGOT__OP_AveragePool)
      continue;
    bool stays = turns(p, n);
    for (size_t u = 0; u < v->n_user; u++) stays |= v->user[u]->graph != net->main;
    if (stays) continue;
    const char *name = ingot__arena_printf(&net->arena, "%s/channels_last", v->name);
    ingot__node *r = name ? ingot__node_new(net->main, INGOT__OP_Reformat, name, n->next, &v, 1, 1, &name) : NULL;
    if (!r) return ingot__no_memory(p->diag);
    ingot__value *plain = r->out[0];
    plain->type = v->type;
    plain->known = v->known;
    if (!ingot__value_replace(v, plain)) return ingot__no_memory(p->diag);
    for (size_t u = 0; u < plain->n_user;) { /* the network's nodes go on reading the value itself */
      ingot__node *user = plain->user[u];
      for (size_t k = 0; k < user->n_in; k++)
        if (user->in[k] == plain && !ingot__node_set_input(user, k, v)) return ingot__no_memory(p->diag);
    }
  }
  return INGOT_OK;
}
