/* Networks: making, loading, asking. */
#include "api/api.h"
#include "import/onnx/onnx.h"
#include "ops/ops.h"
#include <string.h>

ingot_status ingot_network_create(const ingot_env *env, ingot_network **network) {
  INGOT_CALL(NULL);
  INGOT_REQUIRE(network, "network is NULL");
  ingot__network *n = ingot__network_new(env);
  if (!n) return ingot__end(&diag, ingot__no_memory(&diag));
  *network = n;
  return INGOT_OK;
}

ingot_status ingot_network_load(const ingot_env *env, const char *path, ingot_network **network) {
  INGOT_CALL(path);
  INGOT_REQUIRE(path && network, "path or network is NULL");
  return ingot__end(&diag, ingot__onnx_load(env, path, &diag, network));
}

ingot_status ingot_network_load_memory(const ingot_env *env, const void *data, size_t size, const char *folder, ingot_network **network) {
  INGOT_CALL("model in memory");
  INGOT_REQUIRE((data || !size) && network, "data or network is NULL");
  return ingot__end(&diag, ingot__onnx_load_memory(env, data, size, folder, &diag, network));
}

void ingot_network_destroy(ingot_network *network) { ingot__network_free(network); }

size_t ingot_network_num_layers(const ingot_network *network) { return network ? network->main->n_node : 0; }

ingot_layer *ingot_network_layer(const ingot_network *network, size_t i) {
  if (!network || i >= network->main->n_node) return NULL;
  ingot__node *n = network->main->first;
  while (n && i--) n = n->next;
  return n;
}

size_t ingot_network_num_inputs(const ingot_network *network) { return network ? network->main->n_input : 0; }
ingot_tensor *ingot_network_input(const ingot_network *network, size_t i) {
  return network && i < network->main->n_input ? network->main->input[i] : NULL;
}
size_t ingot_network_num_outputs(const ingot_network *network) { return network ? network->main->n_output : 0; }
ingot_tensor *ingot_network_output(const ingot_network *network, size_t i) {
  return network && i < network->main->n_output ? network->main->output[i] : NULL;
}
ingot_tensor *ingot_network_find_tensor(const ingot_network *network, const char *name) {
  return network && name ? ingot__network_find_value(network, name) : NULL;
}

const char *ingot_layer_name(const ingot_layer *layer) { return layer ? layer->name : NULL; }
const char *ingot_layer_type(const ingot_layer *layer) { return layer ? ingot__op_get(layer->op)->name : NULL; }
size_t ingot_layer_num_inputs(const ingot_layer *layer) { return layer ? layer->n_in : 0; }
ingot_tensor *ingot_layer_input(const ingot_layer *layer, size_t i) { return layer && i < layer->n_in ? layer->in[i] : NULL; }
size_t ingot_layer_num_outputs(const ingot_layer *layer) { return layer ? layer->n_out : 0; }
ingot_tensor *ingot_layer_output(const ingot_layer *layer, size_t i) { return layer && i < layer->n_out ? layer->out[i] : NULL; }

/* Tensors of a network that is being defined get their types when they are asked for. */
static const ingot__type *type_of(const ingot_tensor *tensor) {
  ingot_tensor *t = (ingot_tensor *)tensor;
  if (t->type.dtype != INGOT_UNDEFINED || !t->producer) return &t->type;
  for (ingot__node *n = t->graph->first; n; n = n->next) { /* layers stand in an order in which their inputs come first */
    if (n->n_out && n->out[0] && n->out[0]->type.dtype == INGOT_UNDEFINED) ingot__infer_node(n, NULL);
    if (n == t->producer) break;
  }
  return &t->type;
}

const char *ingot_tensor_name(const ingot_tensor *tensor) { return tensor ? tensor->name : NULL; }
ingot_dtype ingot_tensor_dtype(const ingot_tensor *tensor) { return tensor ? type_of(tensor)->dtype : INGOT_UNDEFINED; }
ingot_kind ingot_tensor_kind(const ingot_tensor *tensor) { return tensor ? (ingot_kind)type_of(tensor)->kind : INGOT_KIND_TENSOR; }
int ingot_tensor_rank(const ingot_tensor *tensor) { return tensor ? type_of(tensor)->rank : -1; }
void ingot_tensor_dims(const ingot_tensor *tensor, int64_t dims[INGOT_MAX_RANK]) {
  if (!tensor || !dims) return;
  const ingot__type *type = type_of(tensor);
  for (int i = 0; i < type->rank; i++) dims[i] = ingot__dim_is_number(type->dim[i]) ? type->dim[i] : -1;
}
const char *ingot_tensor_dim_text(const ingot_tensor *tensor, int axis) {
  static _Thread_local char text[256];
  if (!tensor || axis < 0 || axis >= type_of(tensor)->rank) return "?";
  return ingot__dim_text(&tensor->graph->network->dims, tensor->type.dim[axis], text, sizeof text);
}
