/* Layouts and kernels together: see plan.h. */
#include "plan/plan.h"
#include <string.h>

enum { SWEEPS = 8 };
#define INFINITE 1e30
#define CONCAT_COPIES 0.1  /* the part of Concats' copying that is left when parts have been placed in their buffers (homes.c) */

typedef struct config { const ingot__kernel *kernel; bool one_thread; double cost; } config;
typedef struct layouts {
  ingot__planner *planner;
  ingot__network *net;
  config (*config)[INGOT__CONFIGS]; /* by node id; kernel NULL: not possible */
  uint8_t *chosen;                  /* by node id: index into config */
  bool *fixed_plain;                /* by value id: graph inputs and outputs, constants, values that subgraphs read */
  double *reformat;                 /* by value id: seconds to copy it into the other layout */
} layouts;

static ingot__layout in_layout(int c) { return (ingot__layout)(c >> 1); }
static ingot__layout out_layout(int c) { return (ingot__layout)(c & 1); }
static bool two_layouts(const ingot__value *v) { return v && v->type.rank >= 3 && (v->producer || v->is_input); }

/* The layout a node's input arrives in under configuration c. */
static ingot__layout wanted(const ingot__node *n, size_t i, int c) {
  bool residual = i == 3 && (n->op == INGOT__OP_Conv || n->op == INGOT__OP_ConvTranspose);
  return residual ? out_layout(c) : in_layout(c);
}

static ingot__layout layout_of(const layouts *l, const ingot__value *v) {
  if (!v->producer || !two_layouts(v)) return INGOT__PLAIN;
  return out_layout(l->chosen[v->producer->id]);
}

static bool planned_graph(const ingot__graph *graph, const ingot__network *net) { /* bodies of Fused nodes have no plan */
  for (; graph->outer; graph = graph->outer) {
    bool fused = false;
    for (const ingot__node *n = graph->outer->first; n && !fused; n = n->next)
      fused = n->op == INGOT__OP_Fused && ((const ingot__attrs_Fused *)n->attrs)->body == graph;
    if (fused) return false;
  }
  return graph == net->main;
}

/* ---- Configurations */

/* The candidates for one configuration, into c; returns how many, and the best. */
static size_t ask_config(layouts *l, const ingot__node *n, int config_index, ingot__view *in, ingot__view *out, ingot__candidate *c, config *best) {
  const ingot__planner *p = l->planner;
  const ingot__backend *backend = p->engine->backend;
  const ingot__kernel *list[INGOT__MAX_CANDIDATES];
  ingot__layout from = in_layout(config_index), to = out_layout(config_index);
  ingot__call call;
  *best = (config){NULL, false, INFINITE};
  if (!ingot__plan_call(p, n, from, to, in, out, &call)) { /* ranks that aren't known: only the reference takes what comes */
    if (config_index) return 0;
    c[0] = (ingot__candidate){.kernel = backend->find("reference"), .estimated = 1e-3, .measured = -1};
    *best = (config){c[0].kernel, false, c[0].estimated};
    return 1;
  }
  size_t k = ingot__plan_kernels(p, &call, list);
  for (size_t i = 0; i < k; i++) c[i] = ingot__plan_candidate(p, list[i], &call, from, to);
  for (size_t i = 0; i < k; i++) c[i].copies = ingot__plan_slice_seconds(p, n, list[i], from, to) + ingot__plan_side_seconds(p, list[i]);
  if (!k) return 0;
  const ingot__candidate *found = ingot__plan_rank(p, &call, c, k);
  *best = (config){found->kernel, found->one_thread, ingot__plan_candidate_seconds(found)};
  if (n->op == INGOT__OP_Concat) best->cost *= CONCAT_COPIES;
  return k;
}

static ingot_status ask(layouts *l, const ingot__node *n) {
  ingot__planner *p = l->planner;
  ingot__view *in = INGOT_NEW_ARRAY(p->arena, n->n_in + n->n_out + 1, ingot__view), *out = in + n->n_in;
  ingot__candidate all[INGOT__MAX_CANDIDATES * INGOT__CONFIGS];
  size_t count = 0;
  if (!in) return ingot__no_memory(p->diag);
  bool images = false, frozen_out = false;
  for (size_t i = 0; i < n->n_in; i++) images |= two_layouts(n->in[i]);
  for (size_t i = 0; i < n->n_out; i++) {
    images |= two_layouts(n->out[i]);
    frozen_out |= n->out[i] && (n->out[i]->type.rank < 3 || l->fixed_plain[n->out[i]->id]);
  }
  for (int c = 0; c < INGOT__CONFIGS && (c == 0 || images); c++) {
    if (in_layout(c) && !(n->n_in && two_layouts(n->in[0]))) continue; /* the first input decides */
    if (out_layout(c) && frozen_out) continue;
    count += ask_config(l, n, c, in, out, all + count, &l->config[n->id][c]);
  }
  ingot__choice *choice = &p->choice[n->id];
  choice->candidate = ingot__arena_copy(p->arena, all, count * sizeof *all);
  choice->n_candidate = count;
  if (!choice->candidate) return ingot__no_memory(p->diag);
  if (!count) return INGOT__FAIL_NODE(p->diag, INGOT_E_INTERNAL, n, "no kernel takes this node");
  return INGOT_OK;
}

/* ---- Descent */

static bool needs_copy(const layouts *l, const ingot__value *v, ingot__layout have) {
  for (size_t u = 0; u < v->n_user; u++) {
    const ingot__node *user = v->user[u];
    if (user->graph != v->graph) continue;
    for (size_t i = 0; i < user->n_in; i++)
      if (user->in[i] == v && wanted(user, i, l->chosen[user->id]) != have) return true;
  }
  return false;
}

/* A value from outside of the node's graph: it comes PLAIN, and is copied inside for the nodes that want it otherwise. */
static bool captured(const ingot__node *n, const ingot__value *v) { return two_layouts(v) && v->graph != n->graph; }

/* The cost of node n under configuration c, everything else as chosen: its kernel and the Reformats of its inputs and outputs. */
static double local_cost(layouts *l, const ingot__node *n, int c) {
  if (!l->config[n->id][c].kernel) return INFINITE;
  double cost = l->config[n->id][c].cost;
  uint8_t before = l->chosen[n->id];
  l->chosen[n->id] = (uint8_t)c;
  for (size_t i = 0; i < n->n_in; i++) /* layouts that are one in memory need no copy, and no view goes into another graph: PLAIN it is */
    if (captured(n, n->in[i]) && wanted(n, i, c) != INGOT__PLAIN && ingot__plan_same_memory(&n->in[i]->type)) cost = INFINITE;
  for (size_t i = 0; i < n->n_in; i++)
    if (captured(n, n->in[i]) ? wanted(n, i, c) != INGOT__PLAIN : two_layouts(n->in[i]) && needs_copy(l, n->in[i], layout_of(l, n->in[i])))
      cost += l->reformat[n->in[i]->id];
  for (size_t i = 0; i < n->n_out; i++)
    if (two_layouts(n->out[i]) && needs_copy(l, n->out[i], out_layout(c))) cost += l->reformat[n->out[i]->id];
  l->chosen[n->id] = before;
  return cost;
}

static bool improve(layouts *l, const ingot__node *n) {
  int best = l->chosen[n->id];
  double least = local_cost(l, n, best);
  for (int c = 0; c < INGOT__CONFIGS; c++) {
    if (c == l->chosen[n->id]) continue;
    double cost = local_cost(l, n, c);
    if (cost < least * (1 - 1e-9)) best = c, least = cost;
  }
  if (best == l->chosen[n->id]) return false;
  l->chosen[n->id] = (uint8_t)best;
  return true;
}

static void start(layouts *l, const ingot__node *n) {
  static const uint8_t preference[INGOT__CONFIGS] = {3, 1, 2, 0};
  if ((n->op == INGOT__OP_Slice || n->op == INGOT__OP_Split) && layout_of(l, n->in[0]) == INGOT__PLAIN) { /* where it may be read in place */
    const config *c = &l->config[n->id][0];
    if (c->kernel && strcmp(c->kernel->name, "reference")) {
      l->chosen[n->id] = 0;
      return;
    }
  }
  for (int i = 0; i < INGOT__CONFIGS; i++) {
    const config *c = &l->config[n->id][preference[i]];
    if (c->kernel && strcmp(c->kernel->name, "reference")) {
      l->chosen[n->id] = preference[i];
      return;
    }
  }
  for (int i = 0; i < INGOT__CONFIGS; i++)
    if (l->config[n->id][preference[i]].kernel) l->chosen[n->id] = preference[i];
}

static void descend(layouts *l, const bool *planned) {
  bool changed = true;
  for (int sweep = 0; sweep < SWEEPS && changed; sweep++) {
    changed = false;
    for (size_t i = 0, n = l->planner->n_choice; i < n; i++) {
      const size_t at = sweep % 2 ? n - 1 - i : i;
      if (planned[at]) changed |= improve(l, l->net->node[at]);
    }
  }
}

/* ---- Parts */

static bool is_parted(const ingot__node *n) { return n->op == INGOT__OP_Slice || n->op == INGOT__OP_Split; }

/* What everything costs as chosen. */
static double total_cost(const layouts *l, const bool *planned) {
  double cost = 0;
  for (size_t i = 0; i < l->planner->n_choice; i++)
    if (planned[i]) cost += l->config[i][l->chosen[i]].cost;
  for (size_t i = 0; i < l->net->n_value; i++) {
    const ingot__value *v = l->net->value[i];
    if (v && two_layouts(v) && (!v->producer || planned[v->producer->id]) && needs_copy(l, v, layout_of(l, v))) cost += l->reformat[i];
  }
  return cost;
}

/* The parts that are taken of a value have its layout for the better or the worse: all of them and the value in the other one. No single node
 * gains by going there alone. */
static bool improve_parts(layouts *l, const ingot__value *v, const bool *planned) {
  uint8_t before[1 + 16];
  const ingot__node *node[1 + 16];
  size_t n = 0;
  if (!two_layouts(v) || !v->producer || !planned[v->producer->id]) return false;
  const int to = layout_of(l, v) == INGOT__PLAIN;
  node[n++] = v->producer;
  for (size_t u = 0; u < v->n_user && n < 1 + 16; u++)
    if (is_parted(v->user[u]) && v->user[u]->in[0] == v && planned[v->user[u]->id]) node[n++] = v->user[u];
  const double least = n > 1 ? total_cost(l, planned) : 0;
  bool possible = n > 1;
  for (size_t i = 0; i < n; i++) {
    const int c = i ? 3 * to : (l->chosen[node[0]->id] & 2) | to;
    before[i] = l->chosen[node[i]->id];
    possible = possible && l->config[node[i]->id][c].kernel && strcmp(l->config[node[i]->id][c].kernel->name, "reference");
    l->chosen[node[i]->id] = (uint8_t)c;
  }
  if (possible && total_cost(l, planned) < least * (1 - 1e-9)) return true;
  for (size_t i = n; i-- > 0;) l->chosen[node[i]->id] = before[i];
  return false;
}

/* ---- Reformats */

/* A copy of v for its users in `graph` that want another layout than it has. */
static ingot_status insert_reformat(layouts *l, ingot__value *v, ingot__graph *graph, ingot__layout have) {
  ingot__planner *p = l->planner;
  ingot__node *before = graph != v->graph || !v->producer ? graph->first : v->producer->next;
  const char *name = ingot__arena_printf(&l->net->arena, "%s/%s", v->name, have == INGOT__PLAIN ? "channels_last" : "plain");
  ingot__node *r = name ? ingot__node_new(graph, INGOT__OP_Reformat, name, before, &v, 1, 1, &name) : NULL;
  if (!r) return ingot__no_memory(p->diag);
  r->out[0]->type = v->type;
  r->out[0]->known = v->known;
  for (size_t u = 0; u < v->n_user;) {
    ingot__node *user = v->user[u];
    bool changed = false;
    for (size_t i = 0; i < user->n_in && user != r && user->graph == graph; i++)
      if (user->in[i] == v && wanted(user, i, l->chosen[user->id]) != have) {
        if (!ingot__node_set_input(user, i, r->out[0])) return ingot__no_memory(p->diag);
        changed = true;
      }
    if (!changed) u++; else u = 0;
  }
  p->reformats++;
  return INGOT_OK;
}

/* The first user of v in another graph than its own that wants it in another layout than PLAIN; NULL: none. */
static ingot__node *captured_by(const layouts *l, const ingot__value *v) {
  for (size_t u = 0; u < v->n_user; u++) {
    ingot__node *n = v->user[u];
    if (!captured(n, v) || n->op == INGOT__OP_Reformat || !planned_graph(n->graph, l->net)) continue;
    for (size_t i = 0; i < n->n_in; i++)
      if (n->in[i] == v && wanted(n, i, l->chosen[n->id]) != INGOT__PLAIN) return n;
  }
  return NULL;
}

static ingot_status choose_reformat(ingot__planner *p, const ingot__node *n, ingot__layout from, ingot__layout to) {
  const ingot__kernel *list[INGOT__MAX_CANDIDATES];
  ingot__view in, out;
  ingot__call call;
  ingot_engine *e = p->engine;
  if (ingot__plan_same_memory(&n->out[0]->type) && n->in[0]->graph == n->graph) {
    e->step[n->id].kernel = NULL;
    e->place[n->out[0]->id] = (ingot__place){.layout = (uint8_t)to, .home = INGOT__HOME_VIEW, .of = n->in[0]->id};
    return INGOT_OK;
  }
  if (!ingot__plan_call(p, n, from, to, &in, &out, &call) || !e->backend->candidates(&call, list, INGOT__MAX_CANDIDATES))
    return INGOT__FAIL_NODE(p->diag, INGOT_E_INTERNAL, n, "no kernel changes this layout");
  e->step[n->id].kernel = list[0];
  return INGOT_OK;
}

/* ---- All of it */

ingot_status ingot__plan_layouts(ingot__planner *p) {
  ingot_engine *e = p->engine;
  ingot__network *net = e->network;
  INGOT_TRY(ingot__plan_free_outputs(p));
  size_t n_node = net->n_node, n_value = net->n_value;
  layouts l = {.planner = p, .net = net};
  l.config = ingot__arena_array(p->arena, n_node + 1, sizeof *l.config);
  l.chosen = INGOT_NEW_ARRAY(p->arena, n_node + 1, uint8_t);
  l.fixed_plain = INGOT_NEW_ARRAY(p->arena, n_value + 1, bool);
  l.reformat = INGOT_NEW_ARRAY(p->arena, n_value + 1, double);
  bool *planned = INGOT_NEW_ARRAY(p->arena, n_node + 1, bool);
  p->choice = INGOT_NEW_ARRAY(p->arena, n_node + 1, ingot__choice);
  p->n_choice = n_node;
  if (!l.config || !l.chosen || !l.fixed_plain || !l.reformat || !p->choice || !planned) return ingot__no_memory(p->diag);
  for (size_t i = 0; i < n_value; i++) {
    const ingot__value *v = net->value[i];
    if (!v) continue;
    l.fixed_plain[i] = v->is_output || !v->producer;
    for (size_t u = 0; u < v->n_user; u++) l.fixed_plain[i] |= v->user[u]->graph != v->graph;
    l.reformat[i] = ingot__plan_copy_seconds(p, v);
    if (ingot__plan_same_memory(&v->type)) l.reformat[i] = 1e-9;
  }
  size_t done = 0;
  for (size_t i = 0; i < n_node; i++) {
    ingot__node *n = net->node[i];
    if (!n || !planned_graph(n->graph, net)) continue;
    planned[i] = true;
    INGOT_TRY(ask(&l, n));
    if (!ingot__progressed(p->progress, "choosing kernels", ++done, net->n_node))
      return ingot__fail(p->diag, INGOT_E_CANCELLED, NULL, "the build was cancelled");
  }
  for (size_t g = 0; g < net->n_graph; g++) /* in running order: a value's producer comes before its readers */
    for (const ingot__node *n = net->graph[g] && !net->graph[g]->removed ? net->graph[g]->first : NULL; n; n = n->next)
      if (planned[n->id]) start(&l, n);
  descend(&l, planned);
  bool changed = false;
  for (size_t i = 0; i < n_value; i++)
    if (net->value[i]) changed |= improve_parts(&l, net->value[i], planned);
  if (changed) descend(&l, planned);
  /* Write it down: layouts in temporary arrays by value id, since Reformats make new values. */
  for (size_t i = 0; i < n_value; i++) {
    ingot__value *v = net->value[i];
    if (!v || !two_layouts(v) || !planned_graph(v->graph, net)) continue;
    ingot__layout have = layout_of(&l, v);
    if (needs_copy(&l, v, have)) INGOT_TRY(insert_reformat(&l, v, v->graph, have));
    for (ingot__node *inner; (inner = captured_by(&l, v)) != NULL;) INGOT_TRY(insert_reformat(&l, v, inner->graph, INGOT__PLAIN));
  }
  e->place = INGOT_NEW_ARRAY(&e->arena, net->n_value + 1, ingot__place);
  e->step = INGOT_NEW_ARRAY(&e->arena, net->n_node + 1, ingot__step);
  if (!e->place || !e->step) return ingot__no_memory(p->diag);
  for (size_t i = 0; i < n_value; i++)
    if (net->value[i] && planned_graph(net->value[i]->graph, net)) e->place[i].layout = (uint8_t)layout_of(&l, net->value[i]);
  for (size_t i = 0; i < n_node; i++) {
    if (!planned[i]) continue;
    const config *c = &l.config[i][l.chosen[i]];
    e->step[i].kernel = c->kernel;
    e->step[i].microseconds = (float)(c->cost * 1e6);
    e->step[i].one_thread = c->one_thread;
    p->choice[i].cost = c->cost;
  }
  for (size_t i = n_node; i < net->n_node; i++) {
    const ingot__node *r = net->node[i];
    ingot__layout from = layout_of(&l, r->in[0]), to = from == INGOT__PLAIN ? INGOT__CHANNELS_LAST : INGOT__PLAIN;
    e->place[r->out[0]->id].layout = (uint8_t)to;
    INGOT_TRY(choose_reformat(p, r, from, to));
  }
  return INGOT_OK;
}
