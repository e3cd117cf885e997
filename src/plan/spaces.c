/* On which side of the bus values lie. What a kernel on the device makes is in its memory, what one on the host makes in the host's, what is
 * only seen otherwise (reshapes) lies where its source does; the network's inputs and outputs and those of subgraphs are the host's.
 * Where a value is wanted on the other side, a Transfer copies it, once for all who want it there. */
#include "plan/plan.h"
#include <string.h>

typedef struct spaces {
  ingot__planner *planner;
  ingot_engine *engine;
  ingot__network *net;
  ingot__value **twin;   /* by value id: the value on the other side, for users in its own graph */
  size_t n_value;        /* that `twin` has room for */
} spaces;

static bool made(const ingot__value *v) { return v->producer || v->is_input; }

/* Where an output is brought to the host: after what the device goes on with, so that its steps stay in one row and the copies come together. */
static ingot__node *end_of_row(const spaces *s, const ingot__node *producer) {
  ingot__node *n = producer->next;
  for (; n; n = n->next) {
    const ingot__kernel *kernel = s->engine->step[n->id].kernel;
    if (kernel && !(kernel->flags & INGOT__K_VIEW) && !kernel->on_device) break;
  }
  return n;
}

/* The copy of v on the other side for users in `graph`, as soon as v is there, or for an output of the graph. */
static ingot_status twin_of(spaces *s, ingot__value *v, ingot__graph *graph, bool output, ingot__value **out) {
  ingot_engine *e = s->engine;
  bool inside = v->graph == graph;
  if (inside && v->id < s->n_value && s->twin[v->id]) {
    *out = s->twin[v->id];
    return INGOT_OK;
  }
  bool to_device = !e->place[v->id].on_device;
  ingot__layout layout = (ingot__layout)e->place[v->id].layout;
  const char *name = ingot__arena_printf(&s->net->arena, "%s/%s", v->name, to_device ? "device" : "host");
  ingot__node *before = !inside || !v->producer ? graph->first : output ? end_of_row(s, v->producer) : v->producer->next;
  ingot__node *n = name ? ingot__node_new(graph, INGOT__OP_Transfer, name, before, &v, 1, 1, &name) : NULL;
  if (!n) return ingot__no_memory(s->planner->diag);
  n->out[0]->type = v->type;
  n->out[0]->known = v->known;
  size_t nodes = s->net->n_node, values = s->net->n_value;
  ingot__place *place = INGOT_NEW_ARRAY(&e->arena, values + 1, ingot__place);
  ingot__step *step = INGOT_NEW_ARRAY(&e->arena, nodes + 1, ingot__step);
  if (!place || !step) return ingot__no_memory(s->planner->diag);
  memcpy(place, e->place, (values - 1) * sizeof *place);
  memcpy(step, e->step, (nodes - 1) * sizeof *step);
  e->place = place;
  e->step = step;
  e->place[n->out[0]->id] = (ingot__place){.layout = (uint8_t)layout, .on_device = to_device};
  e->step[n->id].kernel = e->backend->find(layout == INGOT__PLAIN ? "cuda_transfer" : "cuda_transfer_last");
  if (inside && v->id < s->n_value) s->twin[v->id] = n->out[0];
  *out = n->out[0];
  return INGOT_OK;
}

static ingot_status want(spaces *s, ingot__node *n, size_t i, bool on_device) {
  ingot__value *v = n->in[i], *twin;
  if (!v || !made(v) || v->type.kind != INGOT__TENSOR || s->engine->place[v->id].on_device == on_device) return INGOT_OK;
  INGOT_TRY(twin_of(s, v, n->graph, false, &twin));
  return ingot__node_set_input(n, i, twin) ? INGOT_OK : ingot__no_memory(s->planner->diag);
}

/* An output of a graph that is on the device: the host's copy takes its place. */
static ingot_status bring_out(spaces *s, ingot__graph *g, size_t i) {
  ingot__value *v = g->output[i], *twin;
  if (!made(v) || v->type.kind != INGOT__TENSOR || !s->engine->place[v->id].on_device) return INGOT_OK;
  if (v->graph != g) return INGOT_OK; /* an outer value handed on: its readers are told by its place */
  INGOT_TRY(twin_of(s, v, g, true, &twin));
  ingot__node **users = INGOT_NEW_ARRAY(s->planner->arena, v->n_user + 1, ingot__node *);
  if (!users) return ingot__no_memory(s->planner->diag);
  size_t n = v->n_user;
  memcpy(users, v->user, n * sizeof *users);
  if (!ingot__value_replace(v, twin)) return ingot__no_memory(s->planner->diag);
  for (size_t u = 0; u < n; u++) /* those who read it on the device go on doing so */
    for (size_t k = 0; k < users[u]->n_in; k++)
      if (users[u] != twin->producer && users[u]->in[k] == twin && !ingot__node_set_input(users[u], k, v)) return ingot__no_memory(s->planner->diag);
  return INGOT_OK;
}

static bool is_view(const spaces *s, const ingot__node *n) {
  const ingot__kernel *kernel = s->engine->step[n->id].kernel;
  return !kernel || (kernel->flags & INGOT__K_VIEW);
}

/* Whether v is for kernels on the device alone, through so many views at most. */
enum { VIEWS = 8 };
static bool for_device(const spaces *s, const ingot__value *v, int views) {
  if (v->is_output || !v->n_user || views < 0) return false;
  for (size_t u = 0; u < v->n_user; u++) {
    const ingot__node *user = v->user[u];
    if (user->graph != v->graph) return false;
    for (size_t i = 0; i < user->n_in; i++) {
      if (user->in[i] != v) continue;
      const ingot__kernel *kernel = s->engine->step[user->id].kernel;
      if (is_view(s, user) ? i > 0 || !user->n_out || !user->out[0] || !for_device(s, user->out[0], views - 1)
                           : !kernel->on_device || (i < 32 && kernel->functions->host_inputs >> i & 1)) return false;
    }
  }
  return true;
}

static ingot_status place_node(spaces *s, ingot__node *n) {
  ingot_engine *e = s->engine;
  ingot__step *step = &e->step[n->id];
  bool view = is_view(s, n), on_device;
  if (view && !(n->in[0] && n->in[0]->graph == n->graph && made(n->in[0])) && step->kernel) { /* of a constant or an outer value: a copy */
    step->kernel = e->backend->find("reference");
    view = false;
  }
  if (view) {
    /* The copy comes before the view: an input that the host only sees otherwise would have to be in its memory. */
    if (n->n_out == 1 && for_device(s, n->out[0], VIEWS)) INGOT_TRY(want(s, n, 0, true));
    if (n->n_out && n->out[0] && e->place[n->out[0]->id].home == INGOT__HOME_VIEW) e->place[n->out[0]->id].of = n->in[0]->id;
    on_device = e->place[n->in[0]->id].on_device;
    for (size_t i = 1; i < n->n_in; i++) INGOT_TRY(want(s, n, i, false)); /* shapes and axes */
  } else {
    on_device = step->kernel->on_device;
    unsigned host = on_device ? step->kernel->functions->host_inputs : 0;
    for (size_t i = 0; i < n->n_in; i++) INGOT_TRY(want(s, n, i, on_device && !(i < 32 && (host >> i & 1))));
  }
  for (size_t i = 0; i < n->n_out; i++)
    if (n->out[i]) e->place[n->out[i]->id].on_device = on_device && n->out[i]->type.kind == INGOT__TENSOR;
  return INGOT_OK;
}

static bool has_plan(const ingot_engine *e, const ingot__graph *g) { /* bodies of Fused nodes have none */
  if (!g->outer) return true;
  for (const ingot__node *n = g->outer->first; n; n = n->next)
    if (n->op == INGOT__OP_Fused && ((const ingot__attrs_Fused *)n->attrs)->body == g) return false;
  return has_plan(e, g->outer);
}

static ingot_status place_graph(spaces *s, ingot__graph *g) {
  for (ingot__node *n = g->first; n; n = n->next) {
    if (n->op == INGOT__OP_Transfer) continue;
    INGOT_TRY(place_node(s, n));
  }
  for (size_t i = 0; i < g->n_output; i++) INGOT_TRY(bring_out(s, g, i));
  return INGOT_OK;
}

ingot_status ingot__plan_spaces(ingot__planner *p) {
  ingot_engine *e = p->engine;
  if (!e->backend->device) return INGOT_OK;
  spaces s = {.planner = p, .engine = e, .net = e->network, .n_value = e->network->n_value};
  s.twin = ingot__arena_array(p->arena, s.n_value + 1, sizeof *s.twin);
  if (!s.twin) return ingot__no_memory(p->diag);
  for (size_t i = 0; i < e->network->n_graph; i++) { /* outer ones first: their ids are smaller */
    ingot__graph *g = e->network->graph[i];
    if (g && !g->removed && has_plan(e, g)) INGOT_TRY(place_graph(&s, g));
  }
  return INGOT_OK;
}
