/* Networks: making, freeing, asking. */
#include "ir/names.h"
#include "ir/mapping.h"
#include <stdio.h>
#include <string.h>

ingot__network *ingot__network_new(const ingot_env *env) {
  ingot__heap heap;
  ingot__heap_init(&heap, env);
  ingot__network *n = ingot__calloc(&heap, 1, sizeof *n);
  if (!n) return NULL;
  ingot__heap_init(&n->heap, env);
  n->heap.used = sizeof *n;
  ingot__arena_init(&n->arena, &n->heap);
  ingot__log_init(&n->log, env);
  ingot__dims_init(&n->dims, &n->arena);
  if (!ingot__names_init(n) || !(n->main = ingot__graph_new(n, NULL, "main"))) {
    ingot__network_free(n);
    return NULL;
  }
  return n;
}

void ingot__network_free(ingot__network *n) {
  if (!n) return;
  ingot__mappings_free(n);
  ingot__names_free(n);
  ingot__arena_free(&n->arena);
  ingot__heap heap = {n->heap.allocator, n->heap.limit, n->heap.used};
  ingot__free(&heap, n, sizeof *n);
}

/* Makes room for one more pointer. */
#define GROW(network, array, count, capacity) \
  ingot__arena_grow(&(network)->arena, (void **)&(array), &(capacity), (count) + 1, sizeof *(array))

ingot__graph *ingot__graph_new(ingot__network *n, ingot__graph *outer, const char *name) {
  if (outer && outer->depth + 1 >= INGOT__MAX_GRAPH_DEPTH) return NULL;
  if (n->n_graph >= UINT32_MAX || !GROW(n, n->graph, n->n_graph, n->graph_capacity)) return NULL;
  ingot__graph *g = INGOT_NEW(&n->arena, ingot__graph);
  if (!g || !(g->name = ingot__arena_string(&n->arena, name ? name : ""))) return NULL;
  g->network = n;
  g->outer = outer;
  g->depth = outer ? outer->depth + 1 : 0;
  g->id = (uint32_t)n->n_graph;
  return n->graph[n->n_graph++] = g;
}

/* `made_up` is what a value without a name is called, before its number. */
static ingot__value *new_value(ingot__graph *g, const char *name, const char *made_up, const ingot__type *type) {
  ingot__network *n = g->network;
  char text[64];
  if (n->n_value >= UINT32_MAX || !GROW(n, n->value, n->n_value, n->value_capacity)) return NULL;
  ingot__value *v = INGOT_NEW(&n->arena, ingot__value);
  if (!v) return NULL;
  if (!name || !*name) {
    snprintf(text, sizeof text, "%s_%zu", made_up, n->n_value);
    name = text;
  }
  if (!(v->name = ingot__names_add(n, INGOT__NAME_OF_VALUE, name, v))) return NULL;
  if (type) v->type = *type;
  else v->type.rank = -1;
  v->graph = g;
  v->id = (uint32_t)n->n_value;
  return n->value[n->n_value++] = v;
}

ingot__value *ingot__value_new(ingot__graph *g, const char *name, const ingot__type *type) { return new_value(g, name, "value", type); }

ingot__value *ingot__constant_new(ingot__graph *g, const char *name, const ingot__type *type, const void *data, size_t bytes) {
  static const char nothing[64]; /* constants without elements have an address all the same */
  size_t n;
  ingot__value *v = new_value(g, name, "const", type);
  if (!v) return NULL;
  v->data = data ? data : ingot__type_count(&v->type, &n) && n == 0 ? nothing : NULL;
  v->bytes = data ? bytes : 0;
  return v;
}

ingot__value *ingot__input_new(ingot__graph *g, const char *name, const ingot__type *type) {
  if (!GROW(g->network, g->input, g->n_input, g->input_capacity)) return NULL;
  ingot__value *v = new_value(g, name, "input", type);
  if (!v) return NULL;
  v->is_input = true;
  return g->input[g->n_input++] = v;
}

bool ingot__graph_add_output(ingot__graph *g, ingot__value *value) {
  if (!GROW(g->network, g->output, g->n_output, g->output_capacity)) return false;
  g->output[g->n_output++] = value;
  value->is_output = true;
  return true;
}

ingot__node *ingot__node_new(ingot__graph *g, ingot__op op, const char *name, ingot__node *before, ingot__value *const *in, size_t n_in,
                             size_t n_out, const char *const *out_names) {
  ingot__network *n = g->network;
  const ingot__op_info *info = ingot__op_get(op);
  char text[96];
  if (!info || n_out > INGOT__MAX_NODE_OUTPUTS || n->n_node >= UINT32_MAX || !GROW(n, n->node, n->n_node, n->node_capacity)) return NULL;
  ingot__node *node = INGOT_NEW(&n->arena, ingot__node);
  if (!node) return NULL;
  node->in = INGOT_NEW_ARRAY(&n->arena, n_in, ingot__value *);
  node->out = INGOT_NEW_ARRAY(&n->arena, n_out, ingot__value *);
  node->attrs = ingot__arena_alloc(&n->arena, info->attrs_size);
  if (!node->in || !node->out || !node->attrs) return NULL;
  ingot__attrs_default(op, node->attrs);
  node->op = op;
  node->graph = g;
  node->id = (uint32_t)n->n_node;
  if ((!name || !*name) && out_names && n_out) name = out_names[0];
  if (!name || !*name) {
    snprintf(text, sizeof text, "%s_%zu", info->name, n->n_node);
    name = text;
  }
  if (!(node->name = ingot__names_add(n, INGOT__NAME_OF_NODE, name, node))) return NULL;
  n->node[n->n_node++] = node;
  g->n_node++;
  node->next = before;
  node->prev = before ? before->prev : g->last;
  *(node->prev ? &node->prev->next : &g->first) = node;
  *(before ? &before->prev : &g->last) = node;
  /* From here on the node is whole, so that a failure can remove it. */
  for (size_t i = 0; i < n_out; i++) {
    const char *out_name = out_names ? out_names[i] : NULL;
    if (out_name && !*out_name) continue;
    node->n_out = i + 1;
    if (!(node->out[i] = new_value(g, out_name ? out_name : node->name, "value", NULL))) goto fail;
    node->out[i]->producer = node;
    node->out[i]->output_slot = (uint16_t)i;
  }
  node->n_out = n_out;
  node->n_in = n_in; /* all absent so far */
  for (size_t i = 0; i < n_in; i++) {
    if (!ingot__node_set_input(node, i, in[i])) goto fail;
  }
  return node;
fail:
  ingot__node_remove(node);
  return NULL;
}

ingot__value *ingot__network_find_value(const ingot__network *n, const char *name) { return ingot__names_find(n, INGOT__NAME_OF_VALUE, name); }

bool ingot__type_count(const ingot__type *type, size_t *count) {
  size_t n = 1;
  bool zero = false;
  if (type->kind != INGOT__TENSOR || type->rank < 0 || type->rank > INGOT_MAX_RANK) return false;
  for (int i = 0; i < type->rank; i++) {
    if (!ingot__dim_is_number(type->dim[i])) return false;
    if (type->dim[i] == 0) zero = true;
    else if (!ingot__mul(n, (size_t)type->dim[i], &n)) return false;
  }
  *count = zero ? 0 : n;
  return true;
}

bool ingot__type_bytes(const ingot__type *type, size_t *bytes) {
  size_t n;
  return ingot__type_count(type, &n) && ingot__dtype_bytes(type->dtype, n, bytes);
}

bool ingot__type_same(const ingot__type *a, const ingot__type *b) {
  if (a->dtype != b->dtype || a->kind != b->kind || a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++) {
    if (a->dim[i] != b->dim[i] || a->dim[i] == INGOT__DIM_UNKNOWN) return false;
  }
  return true;
}

ingot__node *ingot__value_only_user(const ingot__value *value) { return value->n_user == 1 && !value->is_output ? value->user[0] : NULL; }

const char *ingot__where(const ingot__node *node) {
  static _Thread_local char text[5][256];
  static _Thread_local unsigned turn;
  if (!node) return NULL;
  char *t = text[turn++ % 5];
  const ingot__op_info *info = ingot__op_get(node->op);
  snprintf(t, sizeof *text, "%.200s (%s)", node->name ? node->name : "?", info ? info->name : "?");
  return t;
}
