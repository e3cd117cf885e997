/* Shape inference when compiling: walks the network's nodes in order, subgraphs too, and writes types and known elements into values.
 *
 * In the main graph a value may come with a type that the model declares; what is inferred wins where it is known, and a contradiction is an
 * error. In subgraphs the inferred type always wins: a Loop's body is inferred more than once, with other shapes. */
#include "ops/ops.h"
#include <stdio.h>

enum { SLOTS = 24, MAX_NESTED = 64 };

static ingot_status infer_subgraph(ingot__infer *infer, const ingot__graph *graph, const ingot__type *in, size_t n_in, ingot__type *out,
                                   size_t n_out);

/* An integer constant's elements, made once. NULL: too many, no integers, no memory. */
static const ingot__dim *known_of(ingot__network *network, ingot__value *v) {
  if (v->known || !v->data) return v->known;
  ingot_dtype t = v->type.dtype;
  size_t n;
  if ((t != INGOT_INT64 && t != INGOT_INT32 && t != INGOT_BOOL) || !ingot__type_count(&v->type, &n) || n > INGOT__MAX_KNOWN) return NULL;
  ingot__dim *known = INGOT_NEW_ARRAY(&network->arena, n ? n : 1, ingot__dim);
  if (!known) return NULL;
  for (size_t i = 0; i < n; i++) {
    int64_t e = t == INGOT_BOOL ? ((const uint8_t *)v->data)[i] != 0 : ingot__get_int(t, v->data, i);
    known[i] = ingot__dim_number(&network->dims, e);
  }
  return v->known = known;
}

static bool view_of(const ingot__value *v, ingot__view *view) {
  if (!v->data || v->type.rank < 0 || !ingot__view_set(view, v->type.dtype, v->type.rank, v->type.dim, INGOT__PLAIN)) return false;
  view->data = (void *)(uintptr_t)v->data;
  view->constant = true;
  return true;
}

static void type_text(const ingot__dims *dims, const ingot__type *t, char *text, size_t size) {
  static const char *const kinds[] = {"", "sequence ", "optional ", "optional sequence "};
  int n = snprintf(text, size, "%s%s", kinds[t->kind], ingot_dtype_name(t->dtype));
  char dim[64];
  for (int i = 0; i < t->rank && n > 0 && (size_t)n < size; i++) {
    n += snprintf(text + n, size - (size_t)n, "%s%s", i ? "," : "[", ingot__dim_text(dims, t->dim[i], dim, sizeof dim));
  }
  if (n > 0 && (size_t)n < size) snprintf(text + n, size - (size_t)n, "%s", t->rank < 0 ? "[..]" : t->rank ? "]" : "[]");
}

static bool contradicts(const ingot__type *declared, const ingot__type *found) {
  if (declared->dtype && found->dtype && declared->dtype != found->dtype) return true;
  if (declared->kind != found->kind) return declared->dtype != INGOT_UNDEFINED;
  if (declared->rank < 0 || found->rank < 0) return false;
  if (declared->rank != found->rank) return true;
  for (int i = 0; i < found->rank; i++)
    if (declared->dim[i] >= 0 && found->dim[i] >= 0 && declared->dim[i] != found->dim[i]) return true;
  return false;
}

/* Puts an output's inferred type into its value. */
static ingot_status settle(ingot__node *node, ingot__value *v, const ingot__type *found, bool strict, ingot__diag *diag) {
  ingot__network *network = node->graph->network;
  ingot__type *t = &v->type;
  if (found->dtype == INGOT_UNDEFINED && t->dtype == INGOT_UNDEFINED) {
    return INGOT__FAIL_NODE(diag, INGOT_E_INTERNAL, node, "has no type for output '%s'", v->name);
  }
  if (strict && contradicts(t, found)) { /* declared shapes go stale when models are edited; a type that is wrong is a fault */
    char a[256], b[256];
    type_text(&network->dims, t, a, sizeof a);
    type_text(&network->dims, found, b, sizeof b);
    if (t->dtype != found->dtype || t->kind != found->kind)
      return INGOT__FAIL_NODE(diag, INGOT_E_TYPE, node, "output '%s' is declared as %s but its inputs make it %s", v->name, a, b);
    ingot__logf(&network->log, INGOT_LOG_WARNING, "%s: output '%s' is declared as %s but its inputs make it %s, which is taken",
                ingot__where(node), v->name, a, b);
  }
  ingot_dtype dtype = found->dtype ? found->dtype : t->dtype;
  if (found->rank >= 0 || !strict) {
    ingot__type declared = *t;
    *t = *found;
    for (int i = 0; strict && declared.rank == found->rank && i < found->rank; i++)
      if (t->dim[i] == INGOT__DIM_UNKNOWN) t->dim[i] = declared.dim[i];
  }
  if (found->dtype) t->kind = found->kind;
  t->dtype = dtype;
  size_t bytes, count;
  bool fixed = t->rank >= 0 && t->kind == INGOT__TENSOR;
  for (int i = 0; i < t->rank; i++) {
    if (t->dim[i] < 0) fixed = false;
  }
  /* Overflow only: whether there is that much memory is the planner's to find. */
  if (fixed && (!ingot__type_count(t, &count) || count > (size_t)INT64_MAX / 16 ||
                (ingot_dtype_bits(t->dtype) && !ingot__type_bytes(t, &bytes)))) {
    char text[256];
    type_text(&network->dims, t, text, sizeof text);
    return INGOT__FAIL_NODE(diag, INGOT_E_LIMIT, node, "output '%s' is too large: %s", v->name, text);
  }
  return INGOT_OK;
}

static ingot_status check_slots(const ingot__node *node, ingot__diag *diag) {
  const ingot__op_info *info = ingot__op_get(node->op);
  if (!info) return INGOT__FAIL_NODE(diag, INGOT_E_INTERNAL, node, "has no operator");
  if (node->n_in < (size_t)info->min_in || (info->max_in >= 0 && node->n_in > (size_t)info->max_in)) {
    return INGOT__FAIL_NODE(diag, INGOT_E_NETWORK, node, "has %zu inputs, %s takes %d to %d", node->n_in, info->name, info->min_in, info->max_in);
  }
  if (node->n_out < (size_t)info->min_out || (info->max_out >= 0 && node->n_out > (size_t)info->max_out)) {
    return INGOT__FAIL_NODE(diag, INGOT_E_NETWORK, node, "has %zu outputs, %s has %d to %d", node->n_out, info->name, info->min_out,
                            info->max_out);
  }
  for (size_t i = 0; i < (size_t)info->min_in && node->op != INGOT__OP_Loop; i++) { /* Loop: trip count and condition are optional */
    if (!node->in[i]) return INGOT__FAIL_NODE(diag, INGOT_E_NETWORK, node, "lacks input %zu", i);
  }
  return INGOT_OK;
}

/* A convolution's weights tell what its input's rank and channels are where nothing else does: kernels are chosen by them. */
static void learn_from_weights(ingot__node *node) {
  ingot__op op = node->op;
  if (op != INGOT__OP_Conv && op != INGOT__OP_ConvTranspose && op != INGOT__OP_DeformConv) return;
  const ingot__type *w = &node->in[1]->type;
  ingot__type *x = &node->in[0]->type;
  if (!node->in[0]->producer || w->rank < 3 || x->kind != INGOT__TENSOR) return;
  if (x->rank < 0) {
    x->rank = w->rank;
    for (int i = 0; i < w->rank; i++) x->dim[i] = INGOT__DIM_UNKNOWN;
  }
  int64_t channels, groups = 1;
  if (op == INGOT__OP_Conv) groups = INGOT__ATTRS(node, Conv)->group;
  if (op == INGOT__OP_DeformConv) groups = INGOT__ATTRS(node, DeformConv)->group;
  if (x->rank != w->rank || x->dim[1] != INGOT__DIM_UNKNOWN) return;
  if (op == INGOT__OP_ConvTranspose) channels = w->dim[0];
  else if (w->dim[1] < 0 || groups < 1 || __builtin_mul_overflow(w->dim[1], groups, &channels)) return;
  if (channels >= 0) x->dim[1] = channels;
}

static ingot_status infer_node(ingot__node *node, bool strict, ingot__diag *diag) {
  INGOT_TRY(check_slots(node, diag));
  learn_from_weights(node);
  ingot__network *network = node->graph->network;
  ingot__arena *arena = &network->arena;
  const ingot__type *in_room[SLOTS];
  const ingot__view *data_room[SLOTS];
  const ingot__dim *known_room[SLOTS], *out_known_room[SLOTS];
  ingot__view view_room[SLOTS];
  ingot__type out_room[SLOTS];
  size_t n_in = node->n_in, n_out = node->n_out;
  bool small_in = n_in <= SLOTS, small_out = n_out <= SLOTS;
  const ingot__type **in = small_in ? in_room : INGOT_NEW_ARRAY(arena, n_in, const ingot__type *);
  const ingot__view **data = small_in ? data_room : INGOT_NEW_ARRAY(arena, n_in, const ingot__view *);
  const ingot__dim **known = small_in ? known_room : INGOT_NEW_ARRAY(arena, n_in, const ingot__dim *);
  ingot__view *view = small_in ? view_room : INGOT_NEW_ARRAY(arena, n_in, ingot__view);
  const ingot__dim **out_known = small_out ? out_known_room : INGOT_NEW_ARRAY(arena, n_out, const ingot__dim *);
  ingot__type *out = small_out ? out_room : INGOT_NEW_ARRAY(arena, n_out, ingot__type);
  if (!in || !data || !known || !view || !out_known || !out) return ingot__no_memory(diag);
  for (size_t i = 0; i < n_in; i++) {
    ingot__value *v = node->in[i];
    in[i] = v ? &v->type : NULL;
    data[i] = v && view_of(v, &view[i]) ? &view[i] : NULL;
    known[i] = v ? known_of(network, v) : NULL;
  }
  for (size_t i = 0; i < n_out; i++) {
    out[i] = (ingot__type){.rank = -1};
    out_known[i] = NULL;
  }
  ingot__infer infer = {.node = node, .attrs = node->attrs, .dims = &network->dims, .arena = arena, .diag = diag, .in = in, .data = data,
                        .known = known, .n_in = n_in, .n_out = n_out, .out = out, .out_known = out_known, .subgraph = infer_subgraph};
  INGOT_TRY(ingot__infer_accepts(&infer));
  INGOT_TRY(ingot__op_functions_get(node->op)->infer(&infer));
  for (size_t i = 0; i < n_out; i++) {
    if (!node->out[i]) continue;
    INGOT_TRY(settle(node, node->out[i], &out[i], strict, diag));
    node->out[i]->known = out_known[i];
  }
  return INGOT_OK;
}

ingot_status ingot__infer_node(ingot__node *node, ingot__diag *diag) {
  INGOT_TRY(infer_node(node, !node->graph->outer, diag));
  return node->graph->network->dims.failed ? ingot__no_memory(diag) : INGOT_OK;
}

/* Every node of a graph. A node that reads what a failed one should have made is passed over: its problem is that one's. Returns the first
 * problem's status. */
static ingot_status infer_graph(ingot__graph *graph, bool strict, ingot__diag *diag) {
  ingot_status first = INGOT_OK;
  for (ingot__node *node = graph->first; node; node = node->next) {
    bool ready = true;
    for (size_t i = 0; i < node->n_in; i++) {
      ingot__value *v = node->in[i];
      if (v && v->type.dtype == INGOT_UNDEFINED && v->type.kind == INGOT__TENSOR) ready = false;
    }
    if (!ready && first != INGOT_OK) continue;
    if (!ready) {
      first = INGOT__FAIL_NODE(diag, INGOT_E_TYPE, node, "reads a value without a type");
      continue;
    }
    ingot_status status = infer_node(node, strict, diag);
    if (status == INGOT_E_MEMORY) return status;
    if (first == INGOT_OK) first = status;
    for (size_t i = 0; status != INGOT_OK && !strict && i < node->n_out; i++) { /* a branch of If that can't run stays whole */
      ingot__value *v = node->out[i];
      if (!v) continue;
      ingot_dtype dtype = v->type.dtype ? v->type.dtype : node->n_in && node->in[0] ? node->in[0]->type.dtype : INGOT_UNDEFINED;
      v->type = (ingot__type){.dtype = dtype, .rank = -1};
      v->known = NULL;
    }
  }
  return first;
}

static ingot_status infer_subgraph(ingot__infer *infer, const ingot__graph *graph, const ingot__type *in, size_t n_in, ingot__type *out,
                                   size_t n_out) {
  int depth = 0;
  for (const ingot__graph *g = graph; g; g = g->outer) depth++;
  if (depth > MAX_NESTED) return INGOT__FAIL_INFER(infer, INGOT_E_LIMIT, "subgraphs are nested deeper than %d", MAX_NESTED);
  if (n_in != graph->n_input || n_out != graph->n_output) {
    return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "subgraph '%s' has %zu inputs and %zu outputs, %zu and %zu are needed", graph->name,
                             graph->n_input, graph->n_output, n_in, n_out);
  }
  for (size_t i = 0; i < n_in; i++) {
    graph->input[i]->type = in[i];
    graph->input[i]->known = NULL;
  }
  ingot__graph *inside = graph->network == infer->node->graph->network ? (ingot__graph *)(uintptr_t)graph : NULL;
  if (!inside) return INGOT__FAIL_INFER(infer, INGOT_E_INTERNAL, "has a subgraph of another network");
  INGOT_TRY(infer_graph(inside, false, infer->diag));
  for (size_t i = 0; i < n_out; i++) out[i] = graph->output[i]->type;
  return INGOT_OK;
}

ingot_status ingot__infer_network(ingot__network *network, ingot__diag *diag) {
  ingot__graph *graph = network->main;
  for (size_t i = 0; i < graph->n_input; i++) {
    const ingot__value *v = graph->input[i];
    if (v->type.dtype == INGOT_UNDEFINED) return ingot__fail(diag, INGOT_E_TYPE, v->name, "this input has no type");
    for (int k = 0; k < v->type.rank; k++) {
      int64_t n;
      if (v->type.dim[k] < 0 && ingot__dim_value(&network->dims, v->type.dim[k], &n)) {
        return ingot__fail(diag, INGOT_E_SHAPE, v->name, "this input has a dim of %lld", (long long)n);
      }
    }
  }
  INGOT_TRY(infer_graph(graph, true, diag));
  return network->dims.failed ? ingot__no_memory(diag) : INGOT_OK;
}
