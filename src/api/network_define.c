/* Networks defined layer by layer. */
#include "api/api.h"
#include "ops/ops.h"
#include <string.h>

static bool valid_dims(int rank, const int64_t *dims) {
  if (rank < 0 || rank > INGOT_MAX_RANK || (rank && !dims)) return false;
  for (int i = 0; i < rank; i++)
    if (dims[i] < -1) return false;
  return true;
}

ingot_status ingot_network_add_input(ingot_network *network, const char *name, ingot_dtype dtype, int rank, const int64_t *dims,
                                     const char *const *symbols, ingot_tensor **tensor) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(network && name && *name && tensor, "an argument is NULL or empty");
  INGOT_REQUIRE(ingot_dtype_bits(dtype) || dtype == INGOT_STRING, "no such data type");
  INGOT_REQUIRE(valid_dims(rank, dims), "rank must be 0 to 8, dims -1 or more");
  INGOT_REQUIRE(!ingot__network_find_value(network, name), "there is a tensor of that name");
  ingot__type type = {.dtype = dtype, .rank = (int8_t)rank};
  for (int i = 0; i < rank; i++) {
    const char *symbol = symbols ? symbols[i] : NULL;
    if (dims[i] < 0 && !symbol && !(symbol = ingot__arena_printf(&network->arena, "%s_%d", name, i))) {
      return ingot__end(&diag, ingot__no_memory(&diag));
    }
    type.dim[i] = dims[i] >= 0 ? dims[i] : ingot__dim_symbol(&network->dims, symbol);
  }
  ingot__value *v = ingot__input_new(network->main, name, &type);
  if (!v) return ingot__end(&diag, ingot__no_memory(&diag));
  *tensor = v;
  return INGOT_OK;
}

ingot_status ingot_network_add_constant(ingot_network *network, const char *name, ingot_dtype dtype, int rank, const int64_t *dims,
                                        const void *data, ingot_tensor **tensor) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(network && tensor && data, "an argument is NULL");
  INGOT_REQUIRE(ingot__dtype_size(dtype) || ingot_dtype_bits(dtype), "no such data type");
  INGOT_REQUIRE(valid_dims(rank, dims), "rank must be 0 to 8, dims 0 or more");
  for (int i = 0; i < rank; i++) INGOT_REQUIRE(dims[i] >= 0, "rank must be 0 to 8, dims 0 or more");
  ingot__type type = {.dtype = dtype, .rank = (int8_t)rank};
  for (int i = 0; i < rank; i++) type.dim[i] = dims[i];
  size_t bytes;
  if (!ingot__type_bytes(&type, &bytes)) return ingot__end(&diag, ingot__fail(&diag, INGOT_E_LIMIT, name, "the constant is too large"));
  const ingot_string *strings = dtype == INGOT_STRING ? data : NULL;
  for (size_t i = 0; strings && i < bytes / sizeof *strings; i++)
    INGOT_REQUIRE(strings[i].data || !strings[i].size, "a string has a size but no data");
  void *copy = strings ? (void *)ingot__strings_copy(&network->arena, strings, bytes / sizeof *strings)
                       : ingot__arena_copy(&network->arena, data, bytes);
  ingot__value *v = copy ? ingot__constant_new(network->main, name, &type, copy, bytes) : NULL;
  if (!v) return ingot__end(&diag, ingot__no_memory(&diag));
  *tensor = v;
  return INGOT_OK;
}

ingot_status ingot_network_add_layer(ingot_network *network, const char *type, const char *name, ingot_tensor *const *inputs, size_t num_inputs,
                                     size_t num_outputs, ingot_layer **layer) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(network && type && layer && (inputs || !num_inputs), "an argument is NULL");
  ingot__op op = ingot__op_find_onnx("", type);
  if (op == INGOT__OP_NONE) op = ingot__op_find(type);
  if (op == INGOT__OP_NONE) return ingot__end(&diag, ingot__fail(&diag, INGOT_E_UNSUPPORTED, name, "there is no operator '%s'", type));
  const ingot__op_info *info = ingot__op_get(op);
  if ((int64_t)num_inputs < info->min_in || (info->max_in >= 0 && (int64_t)num_inputs > info->max_in) || (int64_t)num_outputs < info->min_out ||
      (info->max_out >= 0 && (int64_t)num_outputs > info->max_out))
    return ingot__end(&diag, ingot__fail(&diag, INGOT_E_ARGUMENT, name, "%s takes %d to %d inputs and %d to %d outputs, not %zu and %zu", type,
                                         info->min_in, info->max_in, info->min_out, info->max_out, num_inputs, num_outputs));
  for (size_t i = 0; i < num_inputs; i++)
    INGOT_REQUIRE(!inputs[i] || inputs[i]->graph->network == network, "an input belongs to another network");
  for (size_t i = 0; op != INGOT__OP_Loop && i < num_inputs; i++)
    INGOT_REQUIRE(inputs[i] || (int64_t)i >= info->min_in, "an input that the operator needs is left out");
  ingot__node *node = ingot__node_new(network->main, op, name, NULL, inputs, num_inputs, num_outputs, NULL);
  if (!node) return ingot__end(&diag, ingot__no_memory(&diag));
  for (size_t i = 0; i < num_outputs; i++) node->out[i]->type.rank = -1;
  *layer = node;
  return INGOT_OK;
}

/* The attribute's place, or NULL with the error said. */
static void *attribute(ingot_layer *layer, const char *name, ingot__attr_type type, ingot__diag *diag) {
  const ingot__attr_info *info = ingot__attr_find(layer->op, name);
  if (!info) {
    ingot__fail(diag, INGOT_E_ARGUMENT, ingot__where(layer), "there is no attribute '%s'", name);
    return NULL;
  }
  if (info->type != type) {
    ingot__fail(diag, INGOT_E_TYPE, ingot__where(layer), "attribute '%s' is of another type", name);
    return NULL;
  }
  return (char *)layer->attrs + info->offset;
}

/* What was told of the types of the layer's outputs, and of what comes after it, no longer holds. */
static void forget_types(ingot_layer *layer) {
  bool told = false;
  for (size_t i = 0; i < layer->n_out; i++) told |= layer->out[i] && layer->out[i]->type.dtype != INGOT_UNDEFINED;
  for (ingot__node *n = told ? layer : NULL; n; n = n->next)
    for (size_t i = 0; i < n->n_out; i++) {
      if (!n->out[i]) continue;
      n->out[i]->type = (ingot__type){.rank = -1};
      n->out[i]->known = NULL;
    }
}

#define SETTER_BEGIN(kind) \
  INGOT_CALL(NULL); \
  INGOT_REQUIRE(layer && name, "an argument is NULL"); \
  void *p = attribute(layer, name, kind, &diag); \
  if (!p) return ingot__end(&diag, diag.status)

ingot_status ingot_layer_set_int(ingot_layer *layer, const char *name, int64_t value) {
  SETTER_BEGIN(INGOT__ATTR_INT);
  *(int64_t *)p = value;
  forget_types(layer);
  return INGOT_OK;
}

ingot_status ingot_layer_set_float(ingot_layer *layer, const char *name, float value) {
  SETTER_BEGIN(INGOT__ATTR_FLOAT);
  *(float *)p = value;
  forget_types(layer);
  return INGOT_OK;
}

ingot_status ingot_layer_set_string(ingot_layer *layer, const char *name, const char *value) {
  SETTER_BEGIN(INGOT__ATTR_STRING);
  INGOT_REQUIRE(value, "the value is NULL");
  char *copy = ingot__arena_string(&layer->graph->network->arena, value);
  if (!copy) return ingot__end(&diag, ingot__no_memory(&diag));
  *(const char **)p = copy;
  forget_types(layer);
  return INGOT_OK;
}

ingot_status ingot_layer_set_ints(ingot_layer *layer, const char *name, const int64_t *values, size_t n) {
  SETTER_BEGIN(INGOT__ATTR_INTS);
  INGOT_REQUIRE(values || !n, "values is NULL");
  int64_t *copy = INGOT_NEW_ARRAY(&layer->graph->network->arena, n, int64_t);
  if (!copy) return ingot__end(&diag, ingot__no_memory(&diag));
  if (n) memcpy(copy, values, n * sizeof *values);
  *(ingot__ints *)p = (ingot__ints){n, copy};
  forget_types(layer);
  return INGOT_OK;
}

ingot_status ingot_layer_set_floats(ingot_layer *layer, const char *name, const float *values, size_t n) {
  SETTER_BEGIN(INGOT__ATTR_FLOATS);
  INGOT_REQUIRE(values || !n, "values is NULL");
  float *copy = INGOT_NEW_ARRAY(&layer->graph->network->arena, n, float);
  if (!copy) return ingot__end(&diag, ingot__no_memory(&diag));
  if (n) memcpy(copy, values, n * sizeof *values);
  *(ingot__floats *)p = (ingot__floats){n, copy};
  forget_types(layer);
  return INGOT_OK;
}

ingot_status ingot_network_mark_output(ingot_network *network, ingot_tensor *tensor) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(network && tensor, "an argument is NULL");
  INGOT_REQUIRE(tensor->graph == network->main, "the tensor is not of this network's main graph");
  if (tensor->is_output) return INGOT_OK;
  if (!ingot__graph_add_output(network->main, tensor)) return ingot__end(&diag, ingot__no_memory(&diag));
  return INGOT_OK;
}

ingot_status ingot_network_unmark_output(ingot_network *network, ingot_tensor *tensor) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(network && tensor, "an argument is NULL");
  INGOT_REQUIRE(tensor->graph == network->main, "the tensor is not of this network's main graph");
  ingot__graph *g = network->main;
  size_t kept = 0;
  for (size_t i = 0; i < g->n_output; i++)
    if (g->output[i] != tensor) g->output[kept++] = g->output[i];
  g->n_output = kept;
  tensor->is_output = false;
  return INGOT_OK;
}
