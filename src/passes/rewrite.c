/* What passes share. */
#include "passes/rewrite.h"

bool ingot__is_float32(const ingot__value *v) { return v && v->type.dtype == INGOT_FLOAT32 && v->type.kind == INGOT__TENSOR; }

bool ingot__constant_scalar(const ingot__value *v, float *x) {
  size_t n;
  if (!ingot__value_is_const(v) || !ingot__dtype_is_float(v->type.dtype) || !ingot__type_count(&v->type, &n) || n == 0 || n > 65536) return false;
  *x = (float)ingot__get_double(v->type.dtype, v->data, 0);
  for (size_t i = 1; i < n; i++)
    if ((float)ingot__get_double(v->type.dtype, v->data, i) != *x) return false;
  return true;
}

bool ingot__constant_ints(const ingot__value *v, int64_t *x, size_t max, size_t *n) {
  if (!ingot__value_is_const(v) || !ingot__dtype_is_int(v->type.dtype) || !ingot__type_count(&v->type, n) || *n > max) return false;
  for (size_t i = 0; i < *n; i++) x[i] = ingot__get_int(v->type.dtype, v->data, i);
  return true;
}

ingot__value *ingot__constant_floats(ingot__graph *graph, const char *name, int rank, const int64_t *dims, float **data) {
  ingot__type type = {.dtype = INGOT_FLOAT32, .rank = (int8_t)rank};
  size_t bytes;
  for (int i = 0; i < rank; i++) type.dim[i] = dims[i];
  if (!ingot__type_bytes(&type, &bytes) || !(*data = ingot__arena_alloc(&graph->network->arena, bytes))) return NULL;
  return ingot__constant_new(graph, name, &type, *data, bytes);
}

ingot__value *ingot__constant_int64s(ingot__graph *graph, const char *name, const int64_t *x, size_t n) {
  ingot__type type = {.dtype = INGOT_INT64, .rank = 1, .dim = {(int64_t)n}};
  int64_t *copy = ingot__arena_copy(&graph->network->arena, x, n * sizeof *x);
  return copy ? ingot__constant_new(graph, name, &type, copy, n * sizeof *x) : NULL;
}

ingot_status ingot__rewrite_finish(ingot__node *made, const ingot__node *for_node, ingot__diag *diag) {
  if (!made) return ingot__no_memory(diag);
  made->origin = for_node->origin ? for_node->origin : for_node->name;
  return ingot__infer_node(made, diag);
}

ingot_status ingot__rewrite_replace(ingot__node *old, ingot__value *now, ingot__diag *diag) {
  const char *name = old->out[0]->name; /* in the network's arena: it outlives the value */
  bool take_name = now->producer && now->graph == old->graph && !now->is_output && !old->out[0]->is_output;
  if (!ingot__value_replace(old->out[0], now)) return ingot__no_memory(diag);
  ingot__node_remove(old);
  return !take_name || ingot__value_rename(now, name) ? INGOT_OK : ingot__no_memory(diag);
}
