/* Whether a network keeps its invariants (see ir/network.h). Linear in its size; meant for after each pass in debug builds and for tests. */
#include "ir/names.h"
#include <string.h>

typedef struct verifier {
  const ingot__network *network;
  ingot__diag *diag;
  ingot_status status;
  uint8_t *ready;     /* by value id: produced by now */
  uint8_t *visited;   /* by graph id */
  uint8_t *placed;    /* by node id */
  uint64_t *reads;    /* by value id: a sum over its readers, against its list of users */
  size_t *outputs;    /* by value id: how often it is an output */
  size_t *inputs;
} verifier;

#define WRONG(v, where, ...) ((v)->status = ingot__fail((v)->diag, INGOT_E_INTERNAL, (where), __VA_ARGS__))

static uint64_t reader(const ingot__node *node) { /* sums of these are equal only for equal lists, but for very odd luck */
  uint64_t h = (node->id + 1) * 0x9e3779b97f4a7c15u;
  return (h ^ h >> 31) * 0xbf58476d1ce4e5b9u | 1;
}

static bool is_alive(const verifier *v, const ingot__value *value) {
  return value->id < v->network->n_value && v->network->value[value->id] == value;
}

static void check_type(verifier *v, const ingot__value *value) {
  const ingot__type *t = &value->type;
  if (t->rank < -1 || t->rank > INGOT_MAX_RANK || t->kind > INGOT__OPTIONAL_SEQUENCE) {
    WRONG(v, value->name, "rank %d, kind %d", t->rank, t->kind);
    return;
  }
  for (int i = 0; i < t->rank; i++) {
    ingot__dim d = t->dim[i];
    bool expr = ingot__dim_is_expr(d) && (size_t)(d - INGOT__DIM_FIRST) < v->network->dims.count;
    if (d < 0 && d != INGOT__DIM_UNKNOWN && !expr) WRONG(v, value->name, "dim %d is no dim: %lld", i, (long long)d);
  }
}

static void check_value(verifier *v, const ingot__value *value) {
  size_t bytes, count;
  uint64_t readers = 0;
  if (ingot__names_find(v->network, INGOT__NAME_OF_VALUE, value->name) != value) WRONG(v, value->name, "its name doesn't find it");
  check_type(v, value);
  for (size_t i = 0; i < value->n_user; i++) {
    const ingot__node *user = value->user[i];
    if (user->id >= v->network->n_node || v->network->node[user->id] != user) WRONG(v, value->name, "a removed node is a user");
    else readers += reader(user);
  }
  if (readers != v->reads[value->id]) WRONG(v, value->name, "its list of users isn't that of the nodes that read it");
  if (value->is_input != (v->inputs[value->id] > 0)) WRONG(v, value->name, "is_input is %d, its graph says otherwise", value->is_input);
  if (value->is_output != (v->outputs[value->id] > 0)) WRONG(v, value->name, "is_output is %d, its graph says otherwise", value->is_output);
  if (v->inputs[value->id] > 1) WRONG(v, value->name, "an input more than once");
  if (!value->graph->outer && v->outputs[value->id] > 1) WRONG(v, value->name, "an output of the network more than once");
  bool away = !value->producer && !value->is_input && !value->data && ingot__type_count(&value->type, &count); /* a constant of an engine */
  if (!away && (value->producer != NULL) + value->is_input + (value->data != NULL) != 1)
    WRONG(v, value->name, "must be one of input, constant and node's output");
  if (value->producer && (value->output_slot >= value->producer->n_out || value->producer->out[value->output_slot] != value))
    WRONG(v, value->name, "its producer doesn't produce it");
  if (value->producer && value->producer->graph != value->graph) WRONG(v, value->name, "its producer is in another graph");
  if (value->data) {
    if (!ingot__type_count(&value->type, &count)) WRONG(v, value->name, "a constant must have a size");
    else if (value->type.kind != INGOT__TENSOR) WRONG(v, value->name, "a constant must be a tensor");
    else if (!ingot__type_bytes(&value->type, &bytes) || value->bytes < bytes)
      WRONG(v, value->name, "%zu bytes of data, its type has %zu elements of %s", value->bytes, count, ingot_dtype_name(value->type.dtype));
  }
}

static void check_graph(verifier *v, const ingot__graph *g);

static void check_attrs(verifier *v, const ingot__node *node, const ingot__op_info *info) {
  for (size_t i = 0; i < info->n_attr; i++) {
    const ingot__attr_info *a = &info->attr[i];
    const void *field = (const char *)node->attrs + a->offset;
    bool bad = false;
    switch (a->type) {
      case INGOT__ATTR_INT: bad = strcmp(a->name, "act") == 0 && (*(const int64_t *)field < 0 || *(const int64_t *)field >= INGOT__ACT_COUNT); break;
      case INGOT__ATTR_FLOAT: break;
      case INGOT__ATTR_STRING: bad = !*(const char *const *)field; break;
      case INGOT__ATTR_INTS: bad = ((const ingot__ints *)field)->n && !((const ingot__ints *)field)->v; break;
      case INGOT__ATTR_FLOATS: bad = ((const ingot__floats *)field)->n && !((const ingot__floats *)field)->v; break;
      case INGOT__ATTR_STRINGS: {
        const ingot__strings *s = field;
        bad = s->n && !s->v;
        for (size_t k = 0; !bad && k < s->n; k++) bad = !s->v[k];
        break;
      }
      case INGOT__ATTR_TENSOR: {
        const ingot__literal *l = field;
        bad = l->rank < 0 || l->rank > INGOT_MAX_RANK || (l->bytes && !l->data);
        break;
      }
      case INGOT__ATTR_GRAPH: {
        const ingot__graph *g = *(ingot__graph *const *)field;
        bad = !g || g->removed || g->outer != node->graph || g->id >= v->network->n_graph || v->network->graph[g->id] != g;
        if (!bad) check_graph(v, g);
        break;
      }
    }
    if (bad) WRONG(v, ingot__where(node), "attribute %s is missing or damaged", a->name);
  }
}

static void check_node(verifier *v, const ingot__node *node) {
  const ingot__op_info *info = ingot__op_get(node->op);
  if (!info) {
    WRONG(v, node->name, "has no operator");
    return;
  }
  if (ingot__names_find(v->network, INGOT__NAME_OF_NODE, node->name) != node) WRONG(v, ingot__where(node), "its name doesn't find it");
  if (node->n_in < (size_t)info->min_in || (info->max_in >= 0 && node->n_in > (size_t)info->max_in))
    WRONG(v, ingot__where(node), "%zu inputs, the operator takes %d to %d", node->n_in, info->min_in, info->max_in);
  if (node->n_out < (size_t)info->min_out || (info->max_out >= 0 && node->n_out > (size_t)info->max_out))
    WRONG(v, ingot__where(node), "%zu outputs, the operator has %d to %d", node->n_out, info->min_out, info->max_out);
  for (size_t i = 0; i < node->n_in; i++) {
    const ingot__value *value = node->in[i];
    if (!value) {
      if (i < (size_t)info->min_in && node->op != INGOT__OP_Loop) WRONG(v, ingot__where(node), "input %zu must not be left out", i);
      continue;
    }
    if (!is_alive(v, value)) {
      WRONG(v, ingot__where(node), "input %zu is a removed value", i);
      continue;
    }
    const ingot__graph *g = node->graph;
    while (g && g != value->graph) g = g->outer;
    if (!g) WRONG(v, ingot__where(node), "input %zu (%s) is in a graph that it can't see", i, value->name);
    else if (value->producer && !v->ready[value->id]) WRONG(v, ingot__where(node), "input %zu (%s) is produced later", i, value->name);
    v->reads[value->id] += reader(node);
  }
  check_attrs(v, node, info);
  for (size_t i = 0; i < node->n_out; i++) {
    const ingot__value *value = node->out[i];
    if (!value) continue;
    if (!is_alive(v, value)) WRONG(v, ingot__where(node), "output %zu is a removed value", i);
    else if (value->producer != node || value->output_slot != i) WRONG(v, ingot__where(node), "output %zu (%s) has another producer", i, value->name);
    else v->ready[value->id] = 1;
  }
}

static void check_graph(verifier *v, const ingot__graph *g) { /* recurses INGOT__MAX_GRAPH_DEPTH deep at most */
  size_t count = 0;
  const ingot__node *prev = NULL;
  if (v->visited[g->id]++) {
    WRONG(v, g->name, "a graph that stands in two places");
    return;
  }
  if (g->outer ? g->depth != g->outer->depth + 1 || g->depth >= INGOT__MAX_GRAPH_DEPTH : g != v->network->main) WRONG(v, g->name, "wrong depth");
  for (size_t i = 0; i < g->n_input; i++) {
    if (!is_alive(v, g->input[i]) || g->input[i]->graph != g) WRONG(v, g->name, "input %zu is no value of this graph", i);
    else v->inputs[g->input[i]->id]++;
  }
  for (const ingot__node *node = g->first; node; prev = node, node = node->next) {
    if (node->prev != prev || node->graph != g || node->id >= v->network->n_node || v->network->node[node->id] != node || v->placed[node->id]++) {
      WRONG(v, g->name, "its list of nodes is damaged at %s", node->name);
      return;
    }
    count++;
    check_node(v, node);
  }
  if (g->last != prev || g->n_node != count) WRONG(v, g->name, "%zu nodes in the list, %zu counted", count, g->n_node);
  for (size_t i = 0; i < g->n_output; i++) {
    const ingot__value *value = g->output[i];
    if (!is_alive(v, value) || value->graph != g) WRONG(v, g->name, "output %zu is no value of this graph", i);
    else v->outputs[value->id]++;
  }
}

ingot_status ingot__network_verify(const ingot__network *n, ingot__diag *diag) {
  ingot__heap *heap = (ingot__heap *)(uintptr_t)&n->heap; /* the count of bytes is all that changes */
  size_t nodes = n->n_node, values = n->n_value, graphs = n->n_graph;
  verifier v = {.network = n, .diag = diag, .status = INGOT_OK};
  v.ready = ingot__calloc(heap, values, sizeof *v.ready);
  v.visited = ingot__calloc(heap, graphs, sizeof *v.visited);
  v.placed = ingot__calloc(heap, nodes, sizeof *v.placed);
  v.reads = ingot__calloc(heap, values, sizeof *v.reads);
  v.outputs = ingot__calloc(heap, values, sizeof *v.outputs);
  v.inputs = ingot__calloc(heap, values, sizeof *v.inputs);
  if (!v.ready || !v.visited || !v.placed || !v.reads || !v.outputs || !v.inputs) {
    v.status = ingot__no_memory(diag);
  } else {
    check_graph(&v, n->main);
    for (size_t i = 0; i < graphs; i++) {
      if (!n->graph[i]->removed && !v.visited[i]) WRONG(&v, n->graph[i]->name, "a graph that belongs to no node");
    }
    for (size_t i = 0; i < nodes; i++) {
      if (n->node[i] && !v.placed[i]) WRONG(&v, n->node[i]->name, "a node that is in no graph");
    }
    for (size_t i = 0; i < values; i++) {
      if (n->value[i] && !n->value[i]->graph->removed) check_value(&v, n->value[i]);
    }
  }
  ingot__free(heap, v.ready, values * sizeof *v.ready);
  ingot__free(heap, v.visited, graphs * sizeof *v.visited);
  ingot__free(heap, v.placed, nodes * sizeof *v.placed);
  ingot__free(heap, v.reads, values * sizeof *v.reads);
  ingot__free(heap, v.outputs, values * sizeof *v.outputs);
  ingot__free(heap, v.inputs, values * sizeof *v.inputs);
  return v.status;
}
