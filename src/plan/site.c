/* Calls to ask kernels about: a node's views at the shapes the engine is tuned for. */
#include "plan/plan.h"
#include <string.h>

typedef struct symbols { const ingot_engine *engine; } symbols;

/* A symbol's optimum: that of the first input dim which is that symbol. */
static bool symbol_value(void *user, const char *symbol, int64_t *number) {
  const ingot_engine *engine = ((const symbols *)user)->engine;
  const ingot__dims *dims = &engine->network->dims;
  for (size_t i = 0; i < engine->network->main->n_input; i++) {
    const ingot__type *type = &engine->network->main->input[i]->type;
    for (int d = 0; d < type->rank; d++) {
      ingot__dim dim = type->dim[d];
      if (!ingot__dim_is_expr(dim)) continue;
      const ingot__dim_expr *e = ingot__dim_get(dims, dim);
      if (e->kind == INGOT__DIM_SYMBOL && !strcmp(e->symbol, symbol)) {
        *number = engine->profile[i].opt[d];
        return true;
      }
    }
  }
  return false;
}

static bool sizes_told(const ingot_engine *engine, const ingot__value *v) {
  symbols s = {engine};
  int64_t number;
  for (int d = 0; v && d < v->type.rank; d++)
    if (!ingot__dim_evaluate(&engine->network->dims, v->type.dim[d], symbol_value, &s, &number) || number < 0) return false;
  return true;
}

bool ingot__plan_sizes_told(const ingot_engine *engine, const ingot__node *node) {
  for (size_t i = 0; i < node->n_in; i++)
    if (!sizes_told(engine, node->in[i])) return false;
  for (size_t i = 0; i < node->n_out; i++)
    if (!sizes_told(engine, node->out[i])) return false;
  return true;
}

bool ingot__plan_view(const ingot_engine *engine, const ingot__value *v, ingot__layout layout, ingot__view *view) {
  symbols s = {engine};
  int64_t dim[INGOT_MAX_RANK];
  if (v->type.rank < 0 || v->type.kind != INGOT__TENSOR) return false;
  for (int d = 0; d < v->type.rank; d++) {
    if (!ingot__dim_evaluate(&engine->network->dims, v->type.dim[d], symbol_value, &s, &dim[d]) || dim[d] < 0) dim[d] = 16;
  }
  if (v->type.rank < 3) layout = INGOT__PLAIN;
  if (!ingot__view_set(view, v->type.dtype, v->type.rank, dim, layout)) return false;
  view->constant = !v->producer && !v->is_input;
  view->data = (void *)v->data;
  return true;
}

bool ingot__plan_call(const ingot__planner *planner, const ingot__node *node, ingot__layout in_layout, ingot__layout out_layout,
                      ingot__view *in, ingot__view *out, ingot__call *call) {
  const ingot_engine *engine = planner->engine;
  for (size_t i = 0; i < node->n_in; i++) {
    const ingot__value *v = node->in[i];
    in[i] = (ingot__view){.dtype = INGOT_UNDEFINED};
    if (!v) continue;
    bool constant = !v->producer && !v->is_input;
    bool residual = i == 3 && (node->op == INGOT__OP_Conv || node->op == INGOT__OP_ConvTranspose);
    if (!ingot__plan_view(engine, v, constant ? INGOT__PLAIN : residual ? out_layout : in_layout, &in[i])) return false;
  }
  for (size_t i = 0; i < node->n_out; i++) {
    out[i] = (ingot__view){.dtype = INGOT_UNDEFINED};
    if (node->out[i] && !ingot__plan_view(engine, node->out[i], out_layout, &out[i])) return false;
  }
  *call = (ingot__call){.node = node, .attrs = node->attrs, .in = in, .out = out, .n_in = node->n_in, .n_out = node->n_out,
                        .threads = engine->threads};
  return true;
}

bool ingot__plan_same_memory(const ingot__type *type) {
  if (type->rank < 3 || type->dim[1] == 1) return true;
  for (int d = 2; d < type->rank; d++)
    if (type->dim[d] != 1) return false;
  return true;
}
