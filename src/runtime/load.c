/* Kernels for an engine that was read: those it was planned with where the device has them, others that use the same packed weights
 * elsewhere. */
#include "runtime/load.h"
#include <string.h>

/* A view of the value as the engine was tuned for it; dims that can't be told count as 1. */
static void view_of(const ingot_engine *e, const ingot__value *v, ingot__view *view) {
  int64_t dim[INGOT_MAX_RANK];
  if (ingot__load_view(e, v, view)) return;
  *view = (ingot__view){.dtype = INGOT_UNDEFINED};
  if (!v || v->type.rank < 0 || v->type.kind != INGOT__TENSOR) return;
  for (int d = 0; d < v->type.rank; d++) dim[d] = ingot__dim_is_number(v->type.dim[d]) ? v->type.dim[d] : 1;
  ingot__view_set(view, v->type.dtype, v->type.rank, dim, (ingot__layout)e->place[v->id].layout);
  view->constant = !v->producer && !v->is_input;
  view->data = (void *)v->data;
}

/* The vendor's library that the kernel calls and that isn't here; NULL: nothing is missing. */
static const ingot__library *missing_library(const ingot__kernel *k) {
  const ingot__library *library = k ? k->functions->library : NULL;
  return library && !library->version(NULL) ? library : NULL;
}

static ingot_status substitute(ingot_engine *e, const ingot__node *n, const char *name, ingot__diag *diag, const ingot__kernel **kernel) {
  ingot__view *in = INGOT_NEW_ARRAY(&e->arena, n->n_in + n->n_out + 1, ingot__view), *out = in + n->n_in;
  if (!in) return ingot__no_memory(diag);
  for (size_t i = 0; i < n->n_in; i++) view_of(e, n->in[i], &in[i]);
  for (size_t i = 0; i < n->n_out; i++) view_of(e, n->out[i], &out[i]);
  ingot__call call = {.node = n, .attrs = n->attrs, .in = in, .out = out, .n_in = n->n_in, .n_out = n->n_out, .threads = e->threads,
                      .packed = e->step[n->id].packed};
  const ingot__library *missing = missing_library(e->backend->find(name));
  const char *why = "";
  *kernel = e->backend->substitute(name, &call);
  if (*kernel) return INGOT_OK;
  if (missing) {
    missing->version(&why);
    return INGOT__FAIL_NODE(diag, INGOT_E_UNSUPPORTED, n, "was built for kernel %s of %s, which isn't here (%s), and no other takes its place; build "
                            "the engine again", name, missing->name, why);
  }
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
      bool good = v->type.kind == INGOT__TENSOR && node && hops < net->n_value && of->graph == v->graph && of->type.kind == INGOT__TENSOR;
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

typedef struct missed { const ingot__library *library; size_t kernels; } missed; /* the last library that is missing; kernels of all that are */

/* The kernel that a step was planned with, if it is there and reads what was packed; NULL otherwise. */
static const ingot__kernel *as_planned(const ingot_engine *e, const ingot__planned *planned, const ingot__step *step, missed *m) {
  const ingot__kernel *k = e->backend->find(planned->kernel);
  const ingot__library *library = missing_library(k);
  if (library) m->library = library, m->kernels++;
  if (!k || !e->backend->available(k)) return NULL;
  const char *format = k->functions->pack_format;
  return (format ? planned->pack_format && !strcmp(format, planned->pack_format) : !step->packed) ? k : NULL;
}

/* Kernels for other shapes must read what the first one does in the same layouts; on another device they are left out, for their times don't
 * hold there. */
static void find_others(ingot_engine *e, const ingot__node *n, bool replaced, missed *m) {
  ingot__step *step = &e->step[n->id];
  uint8_t kept = 0;
  for (uint8_t i = 0; i < step->n_other && !replaced; i++) {
    const ingot__kernel *k = as_planned(e, &e->planned[n->id].other[i], &step->other[i], m);
    if (!k || (k->flags & step->kernel->flags) != step->kernel->flags || (k->flags & INGOT__K_VIEW)) continue;
    if (k->op != INGOT__OP_NONE && k->op != n->op) continue;
    step->other[kept] = step->other[i];
    step->other[kept++].kernel = k;
  }
  step->n_other = kept;
}

/* One of those for other shapes in the place of the first, whose library is missing: the nearest to its size, with its code. NULL: there is none. */
static const ingot__kernel *stand_in(ingot_engine *e, const ingot__node *n) {
  ingot__step *step = &e->step[n->id];
  ingot__planned *planned = &e->planned[n->id];
  const ingot__kernel *best = NULL;
  float least = 0;
  uint8_t at = 0;
  for (uint8_t i = 0; i < step->n_other; i++) {
    missed ignored = {0};
    const ingot__kernel *k = as_planned(e, &planned->other[i], &step->other[i], &ignored), *first = e->backend->find(planned->kernel);
    const float a = step->other[i].size + 1, b = step->size + 1, ratio = a > b ? a / b : b / a;
    if (!k || k->in_layout != first->in_layout || k->out_layout != first->out_layout || (k->flags & first->flags) != first->flags) continue;
    if (!best || ratio < least) best = k, least = ratio, at = i;
  }
  if (!best) return NULL;
  const ingot__step *from = &step->other[at];
  *planned = (ingot__planned){.kernel = planned->other[at].kernel, .pack_format = planned->other[at].pack_format, .other = planned->other};
  *step = (ingot__step){.kernel = best, .packed = from->packed, .packed_size = from->packed_size, .code = from->code, .code_size = from->code_size,
                        .one_thread = from->one_thread, .microseconds = from->microseconds, .size = step->size, .n_other = step->n_other,
                        .other = step->other};
  return best;
}

static ingot_status find_kernels(ingot_engine *e, ingot__diag *diag) {
  size_t replaced = 0;
  missed m = {0};
  for (size_t i = 0; i < e->network->n_node; i++) {
    const char *name = e->planned[i].kernel;
    const ingot__node *n = e->network->node[i];
    if (!name || !n) continue;
    const size_t before = m.kernels;
    const ingot__kernel *k = as_planned(e, &e->planned[i], &e->step[i], &m);
    if (!k && m.kernels > before) k = stand_in(e, n);
    const bool same = k != NULL;
    if (!same) {
      INGOT_TRY(substitute(e, n, name, diag, &k));
      replaced += m.kernels == before;
    }
    if (k->op != INGOT__OP_NONE && k->op != n->op)
      return INGOT__FAIL_NODE(diag, INGOT_E_FORMAT, n, "the engine file is damaged: kernel %s is for another operator", name);
    e->step[i].kernel = k;
    find_others(e, n, !same, &m);
  }
  const char *why = "";
  if (m.library && m.library->version(&why)) why = "";
  if (m.library)
    ingot__logf(&e->log, INGOT_LOG_WARNING, "the engine was built with %s, which isn't here (%s): others take the place of %zu of its kernels; build "
                "it here for best speed", m.library->name, why, m.kernels);
  if (replaced)
    ingot__logf(&e->log, INGOT_LOG_WARNING, "the engine was built on %s, this is %s: %zu kernels were replaced; build it here for best speed",
                e->device, e->opened ? e->backend->device->describe(e->opened) : e->backend->describe(), replaced);
  return INGOT_OK;
}

/* ---- A kernel runs without looking: what it is given must be what it supports. */

typedef struct optimum { const ingot_engine *engine; } optimum;

/* The number that a symbol has at the shapes the engine was tuned for. */
static bool symbol_number(void *user, const char *symbol, int64_t *number) {
  const ingot_engine *e = ((const optimum *)user)->engine;
  const ingot__graph *g = e->network->main;
  for (size_t i = 0; i < g->n_input; i++)
    for (int d = 0; d < g->input[i]->type.rank; d++) {
      ingot__dim dim = g->input[i]->type.dim[d];
      if (!ingot__dim_is_expr(dim) || ingot__dim_get(&e->network->dims, dim)->kind != INGOT__DIM_SYMBOL) continue;
      if (strcmp(ingot__dim_get(&e->network->dims, dim)->symbol, symbol)) continue;
      *number = e->profile[i].opt[d];
      return true;
    }
  return false;
}

/* As plan/site.c had it: dims that can't be told count as 16. */
bool ingot__load_view(const ingot_engine *e, const ingot__value *v, ingot__view *view) {
  int64_t dim[INGOT_MAX_RANK];
  optimum o = {e};
  *view = (ingot__view){.dtype = INGOT_UNDEFINED};
  if (!v) return true;
  if (v->type.rank < 0 || v->type.kind != INGOT__TENSOR) return false;
  for (int d = 0; d < v->type.rank; d++)
    if (!ingot__dim_evaluate(&e->network->dims, v->type.dim[d], symbol_number, &o, &dim[d]) || dim[d] < 0) dim[d] = 16;
  if (e->place[v->id].layout != INGOT__PLAIN && v->type.rank < 3) return false;
  if (!ingot__view_set(view, v->type.dtype, v->type.rank, dim, (ingot__layout)e->place[v->id].layout)) return false;
  view->constant = !v->producer && !v->is_input;
  view->data = (void *)v->data;
  return true;
}

static bool no_work(const ingot_engine *e, const ingot__node *n) { /* every output is in another's memory, or made of parts in place */
  if (n->op == INGOT__OP_Concat) {
    for (size_t i = 0; i < n->n_in; i++) {
      const ingot__place *p = n->in[i] ? &e->place[n->in[i]->id] : NULL;
      if (!p || p->home != INGOT__HOME_CONCAT || p->of != n->out[0]->id || p->index != i) return false;
    }
    return true;
  }
  for (size_t i = 0; i < n->n_out; i++)
    if (n->out[i] && e->place[n->out[i]->id].home != INGOT__HOME_VIEW && e->place[n->out[i]->id].home != INGOT__HOME_SLICE) return false;
  return true;
}

static bool in_fused_body(const ingot_engine *e, const ingot__graph *g) {
  if (!g->outer) return false;
  for (const ingot__node *n = g->outer->first; n; n = n->next)
    if (n->op == INGOT__OP_Fused && ((const ingot__attrs_Fused *)n->attrs)->body == g) return true;
  return in_fused_body(e, g->outer);
}

static bool lacks_data(const ingot__value *v) { /* a constant with elements but without their values */
  size_t count;
  return v && !v->producer && !v->is_input && !v->data && !(ingot__type_count(&v->type, &count) && count == 0);
}

/* Constants come with their data, or are in the packed form that the kernel reads instead. */
static bool has_constants(const ingot__node *n, const ingot__step *step) {
  for (size_t i = 0; i < n->n_in; i++) {
    const ingot__value *v = n->in[i];
    if (!lacks_data(v)) continue;
    if (!step->packed || i > 31 || !(step->kernel->functions->packs_inputs >> i & 1)) return false;
  }
  return true;
}

static ingot_status check_step(ingot_engine *e, const ingot__node *n, bool body, ingot__diag *diag) {
  const ingot__step *step = &e->step[n->id];
  const ingot__kernel *k = step->kernel;
  if (body) {
    for (size_t i = 0; i < n->n_in; i++)
      if (lacks_data(n->in[i]))
        return INGOT__FAIL_NODE(diag, INGOT_E_FORMAT, n, "the engine file is damaged: a constant without data");
  }
  if (body) return k ? INGOT__FAIL_NODE(diag, INGOT_E_FORMAT, n, "the engine file is damaged: a step in a Fused node's body") : INGOT_OK;
  if (!k || (k->flags & INGOT__K_VIEW)) {
    if (no_work(e, n)) return INGOT_OK;
    return INGOT__FAIL_NODE(diag, INGOT_E_FORMAT, n, "the engine file is damaged: nothing computes it");
  }
  ingot__arena scratch;
  ingot__arena_init(&scratch, &e->heap);
  ingot__view *in = INGOT_NEW_ARRAY(&scratch, n->n_in + n->n_out + 1, ingot__view), *out = in + n->n_in;
  bool known = true, fits = has_constants(n, step);
  ingot_status status = in ? INGOT_OK : ingot__no_memory(diag);
  for (size_t i = 0; in && i < n->n_in; i++) known = ingot__load_view(e, n->in[i], &in[i]) && known;
  for (size_t i = 0; in && i < n->n_out; i++) known = ingot__load_view(e, n->out[i], &out[i]) && known;
  if (in) {
    ingot__call call = {.node = n, .attrs = n->attrs, .in = in, .out = out, .n_in = n->n_in, .n_out = n->n_out, .threads = e->threads};
    bool reference = !strcmp(k->name, "reference");
    fits = fits && (known ? e->backend->fits(k, &call) : reference) && (known || !step->n_other);
    if (fits && known && k->functions->pack_size && k->functions->pack_size(&call) != step->packed_size) fits = false;
    for (uint8_t i = 0; fits && i < step->n_other; i++) {
      const ingot__step *o = &step->other[i];
      fits = has_constants(n, o) && e->backend->fits(o->kernel, &call) &&
             (!o->kernel->functions->pack_size || o->kernel->functions->pack_size(&call) == o->packed_size);
      if (!fits) k = o->kernel;
    }
  }
  ingot__arena_free(&scratch);
  if (status == INGOT_OK && !fits) {
    status = INGOT__FAIL_NODE(diag, INGOT_E_FORMAT, n, "the engine file is damaged: kernel %s doesn't take it", k->name);
  }
  return status;
}

static ingot_status check_steps(ingot_engine *e, ingot__diag *diag) {
  const ingot__network *net = e->network;
  const ingot__graph *graph = NULL;
  bool body = false;
  for (size_t i = 0; i < net->n_node; i++) {
    const ingot__node *n = net->node[i];
    if (!n) continue;
    if (n->graph != graph) graph = n->graph, body = in_fused_body(e, graph);
    INGOT_TRY(check_step(e, n, body, diag));
  }
  for (size_t i = 0; i < net->n_value; i++) {
    const ingot__value *v = net->value[i];
    if (v && (v->is_input || v->is_output || !v->producer) && e->place[v->id].layout != INGOT__PLAIN)
      return ingot__fail(diag, INGOT_E_FORMAT, v->name, "the engine file is damaged: an input's, output's or constant's layout");
    if (v && v->is_output && lacks_data(v)) return ingot__fail(diag, INGOT_E_FORMAT, v->name, "the engine file is damaged: a constant without data");
    if (v && (v->is_input || !v->producer) && e->place[v->id].home != INGOT__HOME_OWN)
      return ingot__fail(diag, INGOT_E_FORMAT, v->name, "the engine file is damaged: an input's place");
  }
  return INGOT_OK;
}

static ingot_status make_ready(ingot_engine *e, const ingot__target *target, ingot__diag *diag) {
  if (target && strcmp(target->backend, e->backend->name))
    return ingot__fail(diag, INGOT_E_DEVICE, NULL, "the engine was built for %s: for %s build it again", e->backend->name, target->backend);
  if (target) e->device_index = target->index;
  if (e->backend->device) INGOT_TRY(e->backend->device->open(e->device_index, diag, &e->opened)); /* what it can run depends on it */
  ingot_status status = ingot__network_verify(e->network, diag);
  if (status == INGOT_E_INTERNAL) return diag->status = INGOT_E_FORMAT; /* what would be our fault elsewhere is the file's here */
  INGOT_TRY(status);
  INGOT_TRY(check_places(e, diag));
  INGOT_TRY(find_kernels(e, diag));
  INGOT_TRY(check_steps(e, diag));
  INGOT_TRY(ingot__load_check_sides(e, diag));
  INGOT_TRY(ingot__load_renew_code(e, diag));
  return ingot__engine_make_resident(e, diag);
}

static ingot_status finish(ingot_engine *e, const ingot__target *target, ingot__diag *diag, ingot_engine **out) {
  ingot_status status = make_ready(e, target, diag);
  if (status == INGOT_OK) *out = e;
  else ingot__engine_release(e);
  return status;
}

ingot_status ingot__load_file(const ingot_env *env, const char *path, const ingot__target *target, ingot__diag *diag, ingot_engine **engine) {
  ingot_engine *e;
  INGOT_TRY(ingot__engine_read(env, path, diag, &e));
  return finish(e, target, diag, engine);
}

ingot_status ingot__load_memory(const ingot_env *env, const void *data, size_t size, const ingot__target *target, ingot__diag *diag,
                                ingot_engine **engine) {
  ingot_engine *e;
  INGOT_TRY(ingot__engine_read_memory(env, data, size, diag, &e));
  return finish(e, target, diag, engine);
}
