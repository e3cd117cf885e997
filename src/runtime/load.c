/* Kernels for an engine that was read: those it was planned with where the device has them, others that use the same packed weights
 * elsewhere. */
#include "runtime/load.h"
#include <string.h>

/* A view of the value as the engine was tuned for it; symbolic dims count as 1. */
static void view_of(const ingot_engine *e, const ingot__value *v, ingot__view *view) {
  int64_t dim[INGOT_MAX_RANK];
  *view = (ingot__view){.dtype = INGOT_UNDEFINED};
  if (!v || v->type.rank < 0) return;
  for (int d = 0; d < v->type.rank; d++) dim[d] = ingot__dim_is_number(v->type.dim[d]) ? v->type.dim[d] : 1;
  ingot__view_set(view, v->type.dtype, v->type.rank, dim, (ingot__layout)e->place[v->id].layout);
  view->constant = !v->producer && !v->is_input;
  view->data = (void *)v->data;
}

static ingot_status substitute(ingot_engine *e, const ingot__node *n, const char *name, ingot__diag *diag, const ingot__kernel **kernel) {
  ingot__view *in = INGOT_NEW_ARRAY(&e->arena, n->n_in + n->n_out + 1, ingot__view), *out = in + n->n_in;
  if (!in) return ingot__no_memory(diag);
  for (size_t i = 0; i < n->n_in; i++) view_of(e, n->in[i], &in[i]);
  for (size_t i = 0; i < n->n_out; i++) view_of(e, n->out[i], &out[i]);
  ingot__call call = {.node = n, .attrs = n->attrs, .in = in, .out = out, .n_in = n->n_in, .n_out = n->n_out, .threads = e->threads,
                      .packed = e->step[n->id].packed};
  *kernel = e->backend->substitute(name, &call);
  if (*kernel) return INGOT_OK;
  return INGOT__FAIL_NODE(diag, INGOT_E_UNSUPPORTED, n, "was built for kernel %s, which this machine or version can't run; build the engine again",
      name);
}

/* What the runtime relies on and a hostile file could break: places must not run in circles, and steps must have what kernels need. */
static ingot_status check_places(const ingot_engine *e, ingot__diag *diag) {
  const ingot__network *net = e->network;
  for (size_t i = 0; i < net->n_value; i++) {
    const ingot__value *v = net->value[i];
    for (size_t hops = 0; v && e->place[v->id].home != INGOT__HOME_OWN; hops++) {
      const ingot__place *p = &e->place[v->id];
      const ingot__value *of = net->value[p->of];
      const ingot__node *node = !of ? NULL : p->home == INGOT__HOME_CONCAT ? of->producer : v->producer;
      bool good = node && hops < net->n_value && of->graph == v->graph && of->type.kind == INGOT__TENSOR;
      if (good && p->home == INGOT__HOME_CONCAT) good = node->op == INGOT__OP_Concat && p->index < node->n_in && node->in[p->index] == v;
      if (good && p->home == INGOT__HOME_SLICE)
        good = (node->op == INGOT__OP_Split || node->op == INGOT__OP_Slice) && p->index < node->n_out && node->out[p->index] == v &&
            node->in[0] == of;
      if (good && p->home == INGOT__HOME_VIEW) good = node->n_in >= 1 && node->in[0] == of;
      if (!good) return ingot__fail(diag, INGOT_E_FORMAT, v->name, "the engine file is damaged: a tensor's place");
      v = of;
    }
  }
  return INGOT_OK;
}

static ingot_status find_kernels(ingot_engine *e, ingot__diag *diag) {
  size_t replaced = 0;
  for (size_t i = 0; i < e->network->n_node; i++) {
    const char *name = e->planned[i].kernel;
    if (!name || !e->network->node[i]) continue;
    const ingot__kernel *k = e->backend->find(name);
    const char *format = k ? k->functions->pack_format : NULL;
    bool same = k && e->backend->available(k) && (format ? e->planned[i].pack_format && !strcmp(format, e->planned[i].pack_format)
        : !e->step[i].packed);
    if (!same) {
      INGOT_TRY(substitute(e, e->network->node[i], name, diag, &k));
      replaced++;
    }
    if (k->op != INGOT__OP_NONE && k->op != e->network->node[i]->op)
      return INGOT__FAIL_NODE(diag, INGOT_E_FORMAT, e->network->node[i], "the engine file is damaged: kernel %s is for another operator", name);
    e->step[i].kernel = k;
  }
  if (replaced)
    ingot__logf(&e->log, INGOT_LOG_WARNING, "the engine was built on %s, this is %s: %zu kernels were replaced; build it here for best speed",
        e->device,
                e->backend->describe(), replaced);
  return INGOT_OK;
}

static ingot_status make_ready(ingot_engine *e, ingot__diag *diag) {
  INGOT_TRY(check_places(e, diag));
  INGOT_TRY(find_kernels(e, diag));
  return ingot__network_verify(e->network, diag);
}

static ingot_status finish(ingot_engine *e, ingot__diag *diag, ingot_engine **out) {
  ingot_status status = make_ready(e, diag);
  if (status == INGOT_OK) *out = e;
  else ingot__engine_release(e);
  return status;
}

ingot_status ingot__load_file(const ingot_env *env, const char *path, ingot__diag *diag, ingot_engine **engine) {
  ingot_engine *e;
  INGOT_TRY(ingot__engine_read(env, path, diag, &e));
  return finish(e, diag, engine);
}

ingot_status ingot__load_memory(const ingot_env *env, const void *data, size_t size, ingot__diag *diag, ingot_engine **engine) {
  ingot_engine *e;
  INGOT_TRY(ingot__engine_read_memory(env, data, size, diag, &e));
  return finish(e, diag, engine);
}
