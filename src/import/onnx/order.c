/* Puts a graph's nodes into an order in which every value is made before it is read. ONNX demands that of files, and not all keep to it. */
#include "import/onnx/import.h"
#include <stdio.h>

/* What each node waits for: nodes dep[first[i]] .. dep[first[i + 1]]. */
typedef struct waits { size_t *dep, n, capacity, *first; bool sorted; } waits;
/* Names that a subgraph defines hide those outside. */
typedef struct local { const struct local *outer; ingot__name_map map; } local;
typedef struct search {
  ingot__onnx *o;
  const ingot__pb *pb;            /* allocates in an arena that goes when the order is found */
  const ingot__onnx_scope *scope;
  size_t node;
  waits *waits;
} search;

static ingot_status add(const search *s, ingot__text name) {
  const ingot__onnx_entry *e = name.n ? ingot__name_map_get(&s->scope->map, name) : NULL;
  waits *w = s->waits;
  if (!e || !e->produced) return INGOT_OK;
  if (!ingot__arena_grow(s->o->scratch, (void *)&w->dep, &w->capacity, w->n + 1, sizeof *w->dep)) return ingot__no_memory(s->o->diag);
  w->dep[w->n++] = e->node;
  if (e->node >= s->node) w->sorted = false;
  return INGOT_OK;
}

static ingot_status captured(const search *s, const local *inside, ingot__text name) {
  for (; inside; inside = inside->outer) {
    if (ingot__name_map_get(&inside->map, name)) return INGOT_OK;
  }
  const ingot__onnx_entry *e = ingot__name_map_get(&s->scope->map, name);
  return e && e->produced && e->node == s->node ? INGOT_OK : add(s, name); /* its own output can't be meant */
}

static ingot_status hide(const search *s, local *here, ingot__text name) {
  if (ingot__name_map_get(&here->map, name)) return INGOT_OK;
  return ingot__name_map_put(&here->map, name, here) ? INGOT_OK : ingot__no_memory(s->o->diag);
}

static ingot_status captures_of_graph(const search *s, const local *outer, ingot__text message, int depth);

static ingot_status captures_of_node(const search *s, const local *inside, const ingot__pb_node *n, int depth) {
  for (size_t i = 0; i < n->attr.n; i++) {
    ingot__pb_attr attr;
    INGOT_TRY(ingot__pb_read_attr(s->pb, n->attr.v[i], &attr));
    if (attr.type == INGOT__PB_GRAPH) INGOT_TRY(captures_of_graph(s, inside, attr.s, depth + 1));
  }
  return INGOT_OK;
}

static ingot_status captures_of_graph(const search *s, const local *outer, ingot__text message, int depth) {
  if (depth > INGOT__ONNX_DEPTH) {
    return ingot__fail(s->o->diag, INGOT_E_LIMIT, NULL, "subgraphs are nested deeper than %d", INGOT__ONNX_DEPTH);
  }
  ingot__pb_graph g;
  INGOT_TRY(ingot__pb_read_graph(s->pb, message, &g));
  local here = {.outer = outer};
  ingot__name_map_init(&here.map, s->pb->arena);
  for (size_t i = 0; i < g.input.n; i++) INGOT_TRY(hide(s, &here, g.input.v[i].name));
  for (size_t i = 0; i < g.initializer.n; i++) {
    ingot__pb_tensor t;
    INGOT_TRY(ingot__pb_read_tensor(s->pb, g.initializer.v[i], &t));
    INGOT_TRY(hide(s, &here, t.name));
  }
  for (size_t i = 0; i < g.node.n; i++) {
    for (size_t k = 0; k < g.node.v[i].out.n; k++) INGOT_TRY(hide(s, &here, g.node.v[i].out.v[k]));
  }
  for (size_t i = 0; i < g.node.n; i++) {
    for (size_t k = 0; k < g.node.v[i].in.n; k++) INGOT_TRY(captured(s, &here, g.node.v[i].in.v[k]));
    INGOT_TRY(captures_of_node(s, &here, &g.node.v[i], depth));
  }
  for (size_t i = 0; i < g.output.n; i++) INGOT_TRY(captured(s, &here, g.output.v[i].name));
  return INGOT_OK;
}

/* `path` holds the nodes that wait for one another, the last one for `again`. */
static ingot_status report_cycle(ingot__onnx *o, const ingot__pb_nodes *nodes, const size_t *path, size_t n, size_t again) {
  char text[1024];
  size_t used = 0, first = n;
  while (first > 0 && path[first - 1] != again) first--;
  text[0] = 0;
  for (size_t i = first > 0 ? first - 1 : 0; i < n && used + 200 < sizeof text; i++) {
    const ingot__pb_node *node = &nodes->v[path[i]];
    ingot__text name = node->name.n || !node->out.n ? node->name : node->out.v[0];
    int length = snprintf(text + used, sizeof text - used, "%s'%.*s'", used ? ", " : "", (int)(name.n < 100 ? name.n : 100), name.p ? name.p : "");
    used += length > 0 ? (size_t)length : 0;
  }
  return ingot__fail(o->diag, INGOT_E_NETWORK, NULL, "nodes wait for one another in a cycle: %s%s", text, used + 200 < sizeof text ? "" : ", ...");
}

static ingot_status sort(ingot__onnx *o, const ingot__pb_nodes *nodes, const waits *w, size_t *order) {
  size_t n = nodes->n, done = 0, depth = 0;
  uint8_t *state = INGOT_NEW_ARRAY(o->scratch, n, uint8_t); /* 1: on the path, 2: placed */
  size_t *path = INGOT_NEW_ARRAY(o->scratch, n, size_t), *next = INGOT_NEW_ARRAY(o->scratch, n, size_t);
  if (!state || !path || !next) return ingot__no_memory(o->diag);
  for (size_t root = 0; root < n; root++) {
    if (state[root]) continue;
    path[depth] = root, next[depth++] = w->first[root], state[root] = 1;
    while (depth > 0) {
      size_t at = path[depth - 1];
      if (next[depth - 1] == w->first[at + 1]) {
        state[at] = 2;
        order[done++] = at;
        depth--;
        continue;
      }
      size_t dep = w->dep[next[depth - 1]++];
      if (state[dep] == 1) return report_cycle(o, nodes, path, depth, dep);
      if (state[dep] == 0) path[depth] = dep, next[depth++] = w->first[dep], state[dep] = 1;
    }
  }
  return INGOT_OK;
}

static ingot_status find_waits(search *s, const ingot__pb_nodes *nodes) {
  waits *w = s->waits;
  for (size_t i = 0; i < nodes->n; i++) {
    s->node = i;
    w->first[i] = w->n;
    for (size_t k = 0; k < nodes->v[i].in.n; k++) INGOT_TRY(add(s, nodes->v[i].in.v[k]));
    INGOT_TRY(captures_of_node(s, NULL, &nodes->v[i], s->o->depth));
  }
  w->first[nodes->n] = w->n;
  return INGOT_OK;
}

ingot_status ingot__onnx_order(ingot__onnx *o, const ingot__onnx_scope *scope, const ingot__pb_nodes *nodes, size_t *order) {
  waits w = {.sorted = true, .first = INGOT_NEW_ARRAY(o->scratch, nodes->n + 1, size_t)};
  if (!w.first) return ingot__no_memory(o->diag);
  for (size_t i = 0; i < nodes->n; i++) order[i] = i;
  ingot__arena arena;
  ingot__arena_init(&arena, o->scratch->heap);
  ingot__pb pb = {&arena, o->diag, o->pb.base};
  search s = {o, &pb, scope, 0, &w};
  ingot_status status = find_waits(&s, nodes);
  ingot__arena_free(&arena);
  if (status != INGOT_OK) return status;
  return w.sorted ? INGOT_OK : sort(o, nodes, &w, order);
}
