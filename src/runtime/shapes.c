/* Concrete types: shape inference with numbers, for the shapes a context meets. */
#include "runtime/state.h"
#include <string.h>

enum { SMALL = 16 };

static ingot_status infer_graph(ingot__infer *infer, const ingot__graph *graph, const ingot__type *in, size_t n_in, ingot__type *out,
                                size_t n_out);

/* The elements of a constant or of a value that inference has followed. */
static const ingot__dim *known_of(const ingot__instance *inst, const ingot__value *v) {
  bool constant = !v->producer && !v->is_input; /* what the compiler knew of others may be in symbols */
  return constant ? v->known : inst->known[v->id];
}

/* The elements of an integer tensor in memory as dims; NULL when it is none or too large. */
static const ingot__dim *read_known(const ingot__view *view, ingot__arena *arena) {
  int64_t n = ingot__view_count(view);
  if (n > INGOT__MAX_KNOWN || !(ingot__dtype_is_int(view->dtype) || view->dtype == INGOT_BOOL) || !view->data) return NULL;
  ingot__dim *known = INGOT_NEW_ARRAY(arena, (size_t)n + 1, ingot__dim);
  for (int64_t i = 0; known && i < n; i++) known[i] = ingot__dim_number(NULL, ingot__get_int(view->dtype, view->data, (size_t)i));
  return known;
}

static bool type_complete(const ingot__type *type) {
  if (type->kind != INGOT__TENSOR) return true; /* its place needs no size */
  if (type->rank < 0) return false;
  for (int i = 0; i < type->rank; i++)
    if (type->dim[i] < 0) return false;
  return true;
}

/* Kernels were chosen for the types that the engine records; a file that says otherwise than inference is damaged. */
static ingot_status agrees(const ingot__instance *inst, const ingot__node *node, const ingot__value *v, const ingot__type *found) {
  const ingot__type *recorded = &v->type;
  bool same = recorded->dtype == found->dtype || recorded->dtype == INGOT_UNDEFINED || found->dtype == INGOT_UNDEFINED;
  same = same && recorded->kind == found->kind;
  if (recorded->kind == INGOT__TENSOR && recorded->rank >= 0 && found->rank >= 0) same = same && recorded->rank == found->rank;
  if (same) return INGOT_OK;
  return INGOT__FAIL_NODE(inst->diag, INGOT_E_FORMAT, node, "output '%s' has another type than the engine records", v->name);
}

ingot_status ingot__shapes_node(ingot__instance *inst, const ingot__node *node, bool with_data, ingot__arena *arena, bool *complete) {
  struct { const ingot__type *type; const ingot__view *data; const ingot__dim *known; ingot__view view; } in_small[SMALL], *in = in_small;
  const void *pointers_small[3 * SMALL], **pointers = pointers_small;
  ingot__type out_small[SMALL], *out = out_small;
  const ingot__dim *out_known_small[SMALL], **out_known = out_known_small;
  if (node->n_in > SMALL) {
    in = ingot__arena_array(arena, node->n_in, sizeof *in);
    pointers = ingot__arena_array(arena, node->n_in, 3 * sizeof *pointers);
    if (!in || !pointers) return ingot__no_memory(inst->diag);
  }
  if (node->n_out > SMALL) {
    out = INGOT_NEW_ARRAY(arena, node->n_out, ingot__type);
    out_known = ingot__arena_array(arena, node->n_out, sizeof *out_known);
    if (!out || !out_known) return ingot__no_memory(inst->diag);
  }
  const ingot__type **types = (const ingot__type **)pointers;
  const ingot__view **data = (const ingot__view **)(pointers + node->n_in);
  const ingot__dim **known = (const ingot__dim **)(pointers + 2 * node->n_in);
  for (size_t i = 0; i < node->n_in; i++) {
    const ingot__value *v = node->in[i];
    types[i] = NULL, data[i] = NULL, known[i] = NULL;
    if (!v) continue;
    types[i] = &inst->type[v->id];
    known[i] = known_of(inst, v);
    const ingot__view *have = v->data || with_data ? &inst->view[v->id] : NULL;
    if (!have || !have->data || have->dtype == INGOT_UNDEFINED || !ingot__is_tensor(have)) continue;
    if (!have->dense || have->layout != INGOT__PLAIN || inst->context->engine->place[v->id].on_device) continue;
    data[i] = have;
    if (!known[i]) known[i] = read_known(have, arena);
  }
  for (size_t i = 0; i < node->n_out; i++) {
    out[i] = (ingot__type){.rank = -1};
    out_known[i] = NULL;
  }
  ingot__infer infer = {.node = node, .attrs = node->attrs, .dims = NULL, .arena = arena, .diag = inst->diag, .in = types, .data = data,
                        .known = known, .n_in = node->n_in, .n_out = node->n_out, .out = out, .out_known = out_known,
                        .subgraph = infer_graph, .user = inst};
  INGOT_TRY(ingot__infer_accepts(&infer));
  INGOT_TRY(ingot__op_functions_get(node->op)->infer(&infer));
  *complete = true;
  for (size_t i = 0; i < node->n_out; i++) {
    if (!node->out[i]) continue;
    if (out[i].kind != INGOT__TENSOR) out[i].rank = -1; /* what its tensors have in common may be otherwise in the next run */
    INGOT_TRY(agrees(inst, node, node->out[i], &out[i]));
    inst->type[node->out[i]->id] = out[i];
    inst->known[node->out[i]->id] = out_known[i];
    if (!type_complete(&out[i])) *complete = false;
  }
  return INGOT_OK;
}

/* The types of a subgraph's outputs, as far as they can be told without running it. */
static ingot_status infer_graph(ingot__infer *infer, const ingot__graph *graph, const ingot__type *in, size_t n_in, ingot__type *out,
                                size_t n_out) {
  ingot__instance *inst = infer->user;
  for (size_t i = 0; i < graph->n_input && i < n_in; i++) {
    inst->type[graph->input[i]->id] = in[i];
    inst->known[graph->input[i]->id] = NULL;
  }
  ingot_status status = INGOT_OK;
  inst->stamp++;
  ingot__diag *diag = inst->diag;
  inst->diag = infer->diag; /* If tries branches without telling of their problems */
  for (const ingot__node *n = graph->first; n && status == INGOT_OK; n = n->next) {
    bool known; /* what isn't may not matter to the outputs */
    status = ingot__shapes_node(inst, n, false, infer->arena, &known);
  }
  inst->diag = diag;
  if (status != INGOT_OK) return status;
  for (size_t i = 0; i < n_out && i < graph->n_output; i++) {
    out[i] = inst->type[graph->output[i]->id];
    if (out[i].dtype == INGOT_UNDEFINED) out[i].dtype = graph->output[i]->type.dtype, out[i].kind = graph->output[i]->type.kind;
  }
  return INGOT_OK;
}

/* ---- Values that a subgraph reads from outside. */

static const ingot__graph *graph_attr(const ingot__node *node, const ingot__attr_info *attr) {
  return attr->type == INGOT__ATTR_GRAPH ? *(struct ingot__graph *const *)((const char *)node->attrs + attr->offset) : NULL;
}

static bool inside(const ingot__graph *graph, const ingot__graph *of) {
  for (; graph; graph = graph->outer)
    if (graph == of) return true;
  return false;
}

typedef struct collect { ingot__arena *arena; ingot__value **value; size_t n, capacity; bool failed; } collect;

static void collect_value(collect *c, const ingot__graph *top, ingot__value *v) {
  if (!v || inside(v->graph, top) || (!v->producer && !v->is_input)) return;
  for (size_t i = 0; i < c->n; i++)
    if (c->value[i] == v) return;
  if (!ingot__arena_grow(c->arena, (void **)&c->value, &c->capacity, c->n + 1, sizeof *c->value)) c->failed = true;
  else c->value[c->n++] = v;
}

static void collect_graph(collect *c, const ingot__graph *top, const ingot__graph *graph) {
  for (const ingot__node *n = graph->first; n; n = n->next) {
    for (size_t i = 0; i < n->n_in; i++) collect_value(c, top, n->in[i]);
    const ingot__op_info *info = ingot__op_get(n->op);
    for (size_t a = 0; a < info->n_attr; a++) {
      const ingot__graph *sub = graph_attr(n, &info->attr[a]);
      if (sub) collect_graph(c, top, sub);
    }
  }
  for (size_t i = 0; i < graph->n_output; i++) collect_value(c, top, graph->output[i]);
}

ingot_status ingot__shapes_captured(ingot__arena *arena, const ingot__graph *graph, ingot__value ***captured, size_t *n) {
  collect c = {.arena = arena};
  collect_graph(&c, graph, graph);
  *captured = c.value;
  *n = c.n;
  return c.failed ? INGOT_E_MEMORY : INGOT_OK;
}
