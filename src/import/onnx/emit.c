/* Making network nodes and constants for a node that is being converted. */
#include "import/onnx/convert.h"
#include "ops/ops.h"

ingot__node *ingot__onnx_emit_outputs(ingot__onnx_node *n, ingot__op op, ingot__value *const *in, size_t n_in, size_t n_out) {
  const char *name = ingot__arena_printf(n->o->scratch, "%s/%s", n->name, ingot__op_get(op)->name);
  ingot__node *node = name ? ingot__node_new(n->scope->graph, op, name, NULL, in, n_in, n_out, NULL) : NULL;
  if (node && !(node->origin = ingot__arena_string(n->o->arena, n->name))) return NULL;
  return node;
}

ingot__node *ingot__onnx_emit(ingot__onnx_node *n, ingot__op op, ingot__value *const *in, size_t n_in) {
  return ingot__onnx_emit_outputs(n, op, in, n_in, 1);
}

ingot__value *ingot__onnx_unary(ingot__onnx_node *n, ingot__op op, ingot__value *a) {
  ingot__node *node = a ? ingot__onnx_emit(n, op, &a, 1) : NULL;
  return node ? node->out[0] : NULL;
}

ingot__value *ingot__onnx_binary(ingot__onnx_node *n, ingot__op op, ingot__value *a, ingot__value *b) {
  ingot__value *in[] = {a, b};
  ingot__node *node = a && b ? ingot__onnx_emit(n, op, in, 2) : NULL;
  return node ? node->out[0] : NULL;
}

ingot__node *ingot__onnx_finish(ingot__onnx_node *n, ingot__op op, ingot__value *const *in, size_t n_in) {
  const ingot__op_info *info = ingot__op_get(op);
  size_t count = n->n_out;
  /* Left-out outputs at the end count where their number does (Split). */
  while (info->max_out >= 0 && count > 0 && !n->out_name[count - 1]) count--;
  if (count < (size_t)info->min_out) count = (size_t)info->min_out;
  /* What the operator doesn't give (outputs of training in older opsets) is an error where it is read. */
  if (info->max_out >= 0 && count > (size_t)info->max_out) count = (size_t)info->max_out;
  const char **names = INGOT_NEW_ARRAY(n->o->scratch, count, const char *);
  if (!names) return NULL;
  for (size_t i = 0; i < count; i++) names[i] = i < n->n_out && n->out_name[i] ? n->out_name[i] : ""; /* "": not wanted */
  ingot__node *node = ingot__node_new(n->scope->graph, op, n->name, NULL, in, n_in, count, names);
  for (size_t i = 0; node && i < count && i < n->n_out; i++) n->out[i] = node->out[i];
  return node;
}

ingot__node *ingot__onnx_finish_output(ingot__onnx_node *n, size_t i, ingot__op op, ingot__value *const *in, size_t n_in) {
  const char *name = i < n->n_out && n->out_name[i] ? n->out_name[i] : NULL;
  ingot__node *node = ingot__node_new(n->scope->graph, op, n->name, NULL, in, n_in, 1, &name);
  if (node && name) n->out[i] = node->out[0];
  return node;
}

ingot_status ingot__onnx_build(ingot__onnx_node *n, ingot__op op, ingot__value *const *in, size_t n_in) {
  const ingot__op_info *info = ingot__op_get(op);
  size_t wanted = n->n_out;
  while (wanted > 0 && !n->out_name[wanted - 1]) wanted--;
  if (info->max_out >= 0 ? wanted > (size_t)info->max_out : n->n_out > INGOT__MAX_NODE_OUTPUTS) {
    return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "has %zu outputs, but gives at most %d", wanted,
                            info->max_out >= 0 ? info->max_out : INGOT__MAX_NODE_OUTPUTS);
  }
  /* Attributes first: a node whose subgraphs are still to be read must not stand in the network yet. */
  void *attrs = ingot__arena_alloc(n->o->scratch, info->attrs_size);
  INGOT__ONNX_NEED(n, attrs);
  ingot__attrs_default(op, attrs);
  INGOT_TRY(ingot__onnx_set_attrs(n, op, attrs));
  ingot__node *node = ingot__onnx_finish(n, op, in, n_in);
  INGOT__ONNX_NEED(n, node);
  memcpy(node->attrs, attrs, info->attrs_size);
  return INGOT_OK;
}

ingot__value *ingot__onnx_constant(ingot__onnx_node *n, const char *name, const ingot__literal *l) {
  ingot__type type = {.dtype = l->dtype, .rank = (int8_t)l->rank};
  for (int i = 0; i < l->rank; i++) type.dim[i] = l->dim[i];
  const char *full = name ? ingot__arena_printf(n->o->scratch, "%s/%s", n->name, name) : n->name;
  return full ? ingot__constant_new(n->scope->graph, full, &type, l->data, l->bytes) : NULL;
}

static ingot__value *small(ingot__onnx_node *n, ingot_dtype dtype, int rank, size_t count, const void *data) {
  ingot__literal l = {.dtype = dtype, .rank = rank, .dim = {(int64_t)count}, .bytes = count * ingot__dtype_size(dtype)};
  l.data = ingot__arena_copy(n->o->arena, data, l.bytes);
  return l.data ? ingot__onnx_constant(n, "const", &l) : NULL;
}

ingot__value *ingot__onnx_ints(ingot__onnx_node *n, const int64_t *v, size_t count) { return small(n, INGOT_INT64, 1, count, v); }
ingot__value *ingot__onnx_int(ingot__onnx_node *n, int64_t v) { return small(n, INGOT_INT64, 0, 1, &v); }
ingot__value *ingot__onnx_float(ingot__onnx_node *n, float v) { return small(n, INGOT_FLOAT32, 0, 1, &v); }

ingot__value *ingot__onnx_float_like(ingot__onnx_node *n, float v, ingot__value *like) {
  ingot_dtype dtype = like ? ingot__onnx_type(n, like)->dtype : INGOT_UNDEFINED;
  if (!like) return NULL;
  if (dtype == INGOT_FLOAT32) return ingot__onnx_float(n, v);
  if (dtype == INGOT_UNDEFINED || dtype == INGOT_STRING || ingot_dtype_bits(dtype) < 8 || ingot_dtype_bits(dtype) > 64 ||
      dtype == INGOT_COMPLEX64) {
    return ingot__onnx_binary(n, INGOT__OP_CastLike, ingot__onnx_float(n, v), like);
  }
  double data[1];
  ingot__set_double(dtype, data, 0, (double)v);
  return small(n, dtype, 0, 1, data);
}

ingot_status ingot__onnx_bind_constant(ingot__onnx *o, ingot__onnx_scope *scope, ingot__onnx_entry *e, const ingot__literal *l) {
  ingot__type type = {.dtype = l->dtype, .rank = (int8_t)l->rank};
  for (int i = 0; i < l->rank; i++) type.dim[i] = l->dim[i];
  const char *public_name = ingot__onnx_value_name(o, scope, e), *name = public_name;
  bool is_output = e->is_output || e->alias; /* a constant can't be one: a node passes it on under the public name */
  if (public_name && is_output) name = ingot__arena_printf(o->scratch, "%s/value", public_name);
  ingot__value *v = name ? ingot__constant_new(scope->graph, name, &type, l->data, l->bytes) : NULL;
  if (v && is_output) {
    ingot__node *node = ingot__node_new(scope->graph, INGOT__OP_Identity, public_name, NULL, &v, 1, 1, &public_name);
    v = node ? node->out[0] : NULL;
  }
  if (!v) return ingot__no_memory(o->diag);
  e->value = v;
  e->state = INGOT__ONNX_READY;
  return INGOT_OK;
}

const ingot__type *ingot__onnx_type(ingot__onnx_node *n, const ingot__value *value) {
  ingot__onnx_scope *chain[2 * INGOT__ONNX_DEPTH + 2];
  size_t depth = 0;
  if (ingot__value_is_const(value) || value->is_input) return &value->type;
  for (ingot__onnx_scope *s = n->scope; s && depth < sizeof chain / sizeof *chain; s = s->outer ? s->outer : s->caller) chain[depth++] = s;
  const ingot__graph *last = NULL;
  while (depth-- > 0) { /* outermost first; the scopes of functions share their caller's graph */
    ingot__onnx_scope *s = chain[depth];
    if (s->graph == last) continue;
    last = s->graph;
    for (ingot__node *node = s->inferred ? s->inferred->next : s->graph->first; node; node = node->next) {
      if (ingot__infer_node(node, NULL) != INGOT_OK) { /* the whole network's inference will say why */ }
      s->inferred = node;
    }
  }
  return &value->type;
}

ingot__value *ingot__onnx_reshape(ingot__onnx_node *n, ingot__value *v, const int64_t *shape, size_t rank) {
  return ingot__onnx_binary(n, INGOT__OP_Reshape, v, ingot__onnx_ints(n, shape, rank));
}

ingot__value *ingot__onnx_transpose(ingot__onnx_node *n, ingot__value *v, const int64_t *perm, size_t rank) {
  ingot__node *node = v ? ingot__onnx_emit(n, INGOT__OP_Transpose, &v, 1) : NULL;
  if (!node) return NULL;
  ingot__attrs_Transpose *a = node->attrs;
  a->perm = (ingot__ints){rank, ingot__arena_copy(n->o->arena, perm, rank * sizeof *perm)};
  return a->perm.v ? node->out[0] : NULL;
}

ingot__value *ingot__onnx_slice(ingot__onnx_node *n, ingot__value *v, int64_t from, int64_t to, int64_t axis) {
  ingot__value *in[] = {v, ingot__onnx_ints(n, &from, 1), ingot__onnx_ints(n, &to, 1), ingot__onnx_ints(n, &axis, 1)};
  ingot__node *node = v && in[1] && in[2] && in[3] ? ingot__onnx_emit(n, INGOT__OP_Slice, in, 4) : NULL;
  return node ? node->out[0] : NULL;
}

ingot__value *ingot__onnx_shape_of(ingot__onnx_node *n, ingot__value *v, int64_t from, int64_t to) {
  ingot__node *node = v ? ingot__onnx_emit(n, INGOT__OP_Shape, &v, 1) : NULL;
  if (!node) return NULL;
  *(ingot__attrs_Shape *)node->attrs = (ingot__attrs_Shape){.start = from, .end = to};
  return node->out[0];
}

ingot__value *ingot__onnx_cast(ingot__onnx_node *n, ingot__value *v, ingot_dtype to) {
  ingot__node *node = v ? ingot__onnx_emit(n, INGOT__OP_Cast, &v, 1) : NULL;
  if (!node) return NULL;
  ((ingot__attrs_Cast *)node->attrs)->to = to;
  return node->out[0];
}

int64_t ingot__onnx_known_dim(ingot__onnx_node *n, const ingot__value *v, int axis) {
  const ingot__type *t = ingot__onnx_type(n, v);
  if (axis < 0) axis += t->rank;
  return t->rank >= 0 && axis >= 0 && axis < t->rank && ingot__dim_is_number(t->dim[axis]) ? t->dim[axis] : -1;
}
