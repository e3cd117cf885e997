/* Deep copies of networks. Values, nodes, graphs and dims keep their ids and handles. */
#include "ir/names.h"
#include <string.h>

typedef struct cloner {
  const ingot__network *from;
  ingot__network *to;
} cloner;

static void *attr_at(const void *attrs, const ingot__attr_info *a) { return (char *)(uintptr_t)attrs + a->offset; }

static bool copy_array(ingot__arena *arena, size_t n, size_t element, const void *from, const void **to) {
  size_t bytes;
  *to = NULL;
  if (n == 0) return true;
  return ingot__mul(n, element, &bytes) && (*to = ingot__arena_copy(arena, from, bytes));
}

static bool copy_attrs(const cloner *c, const ingot__node *from, ingot__node *to) {
  const ingot__op_info *info = ingot__op_get(from->op);
  ingot__arena *arena = &c->to->arena;
  if (!(to->attrs = ingot__arena_copy(arena, from->attrs, info->attrs_size))) return false;
  for (size_t i = 0; i < info->n_attr; i++) {
    const void *source = attr_at(from->attrs, &info->attr[i]);
    void *field = attr_at(to->attrs, &info->attr[i]);
    switch (info->attr[i].type) {
      case INGOT__ATTR_INT:
      case INGOT__ATTR_FLOAT: break;
      case INGOT__ATTR_STRING: {
        const char *text = *(const char *const *)source;
        if (text && !(*(const char **)field = ingot__arena_string(arena, text))) return false;
        break;
      }
      case INGOT__ATTR_INTS: {
        const ingot__ints *a = source;
        if (!copy_array(arena, a->n, sizeof *a->v, a->v, (const void **)&((ingot__ints *)field)->v)) return false;
        break;
      }
      case INGOT__ATTR_FLOATS: {
        const ingot__floats *a = source;
        if (!copy_array(arena, a->n, sizeof *a->v, a->v, (const void **)&((ingot__floats *)field)->v)) return false;
        break;
      }
      case INGOT__ATTR_STRINGS: {
        const ingot__strings *a = source;
        const char **v = INGOT_NEW_ARRAY(arena, a->n, const char *);
        if (!v) return false;
        for (size_t k = 0; k < a->n; k++) {
          if (!(v[k] = ingot__arena_string(arena, a->v[k]))) return false;
        }
        ((ingot__strings *)field)->v = v;
        break;
      }
      case INGOT__ATTR_TENSOR: {
        const ingot__literal *a = source;
        if (!a->data) break;
        if (a->dtype == INGOT_STRING) {
          if (!(((ingot__literal *)field)->data = ingot__strings_copy(arena, a->data, a->bytes / sizeof(ingot_string)))) return false;
          break;
        }
        if (!(((ingot__literal *)field)->data = ingot__arena_copy(arena, a->data, a->bytes))) return false;
        break;
      }
      case INGOT__ATTR_GRAPH: {
        const ingot__graph *g = *(ingot__graph *const *)source;
        *(ingot__graph **)field = g ? c->to->graph[g->id] : NULL;
        break;
      }
    }
  }
  return true;
}

static bool copy_value(const cloner *c, const ingot__value *from, ingot__value *to) {
  size_t n;
  *to = *from;
  to->graph = c->to->graph[from->graph->id];
  to->producer = from->producer ? c->to->node[from->producer->id] : NULL;
  if (!(to->name = ingot__names_add(c->to, INGOT__NAME_OF_VALUE, from->name, to))) return false;
  if (from->known && ingot__type_count(&from->type, &n) && !copy_array(&c->to->arena, n, sizeof *from->known, from->known, (const void **)&to->known))
    return false;
  to->user_capacity = from->n_user;
  if (!(to->user = INGOT_NEW_ARRAY(&c->to->arena, from->n_user, ingot__node *))) return false;
  for (size_t i = 0; i < from->n_user; i++) to->user[i] = c->to->node[from->user[i]->id];
  return true;
}

static bool copy_values(const cloner *c, ingot__value *const *from, size_t n, ingot__value ***to, size_t *capacity) {
  if (!(*to = INGOT_NEW_ARRAY(&c->to->arena, n, ingot__value *))) return false;
  for (size_t i = 0; i < n; i++) (*to)[i] = from[i] ? c->to->value[from[i]->id] : NULL;
  if (capacity) *capacity = n;
  return true;
}

static bool copy_node(const cloner *c, const ingot__node *from, ingot__node *to) {
  *to = *from;
  to->graph = c->to->graph[from->graph->id];
  to->prev = from->prev ? c->to->node[from->prev->id] : NULL;
  to->next = from->next ? c->to->node[from->next->id] : NULL;
  if (!(to->name = ingot__names_add(c->to, INGOT__NAME_OF_NODE, from->name, to))) return false;
  if (from->origin && !(to->origin = ingot__arena_string(&c->to->arena, from->origin))) return false;
  return copy_values(c, from->in, from->n_in, &to->in, NULL) && copy_values(c, from->out, from->n_out, &to->out, NULL) && copy_attrs(c, from, to);
}

static bool copy_graph(const cloner *c, const ingot__graph *from, ingot__graph *to) {
  *to = *from;
  to->network = c->to;
  to->outer = from->outer ? c->to->graph[from->outer->id] : NULL;
  to->first = from->first ? c->to->node[from->first->id] : NULL;
  to->last = from->last ? c->to->node[from->last->id] : NULL;
  if (!(to->name = ingot__arena_string(&c->to->arena, from->name))) return false;
  if (from->removed) {
    to->n_input = to->n_output = to->input_capacity = to->output_capacity = 0;
    to->input = to->output = NULL;
    return true;
  }
  return copy_values(c, from->input, from->n_input, &to->input, &to->input_capacity) &&
         copy_values(c, from->output, from->n_output, &to->output, &to->output_capacity);
}

static bool copy_all(const cloner *c) {
  const ingot__network *from = c->from;
  ingot__network *to = c->to;
  ingot__arena *arena = &to->arena;
  if (!ingot__dims_copy(&to->dims, &from->dims)) return false;
  if (from->source && !(to->source = ingot__arena_string(arena, from->source))) return false;
  /* First all structs, so that pointers among them can be set in any order. */
  if (!(to->graph = INGOT_NEW_ARRAY(arena, from->n_graph, ingot__graph *)) || !(to->node = INGOT_NEW_ARRAY(arena, from->n_node, ingot__node *)) ||
      !(to->value = INGOT_NEW_ARRAY(arena, from->n_value, ingot__value *)))
    return false;
  to->n_graph = to->graph_capacity = from->n_graph;
  to->n_node = to->node_capacity = from->n_node;
  to->n_value = to->value_capacity = from->n_value;
  for (size_t i = 0; i < from->n_graph; i++) {
    if (!(to->graph[i] = INGOT_NEW(arena, ingot__graph))) return false;
  }
  for (size_t i = 0; i < from->n_node; i++) {
    if (from->node[i] && !(to->node[i] = INGOT_NEW(arena, ingot__node))) return false;
  }
  for (size_t i = 0; i < from->n_value; i++) {
    if (from->value[i] && !(to->value[i] = INGOT_NEW(arena, ingot__value))) return false;
  }
  for (size_t i = 0; i < from->n_graph; i++) {
    if (!copy_graph(c, from->graph[i], to->graph[i])) return false;
  }
  to->main = to->graph[from->main->id];
  for (size_t i = 0; i < from->n_value; i++) {
    if (from->value[i] && !copy_value(c, from->value[i], to->value[i])) return false;
  }
  for (size_t i = 0; i < from->n_node; i++) {
    if (from->node[i] && !copy_node(c, from->node[i], to->node[i])) return false;
  }
  return true;
}

ingot__network *ingot__network_clone(const ingot__network *network, const ingot_env *env) {
  cloner c = {network, ingot__network_new(env)};
  if (!c.to) return NULL;
  if (copy_all(&c)) return c.to;
  ingot__network_free(c.to);
  return NULL;
}
