/* ai.onnx.preview.training's Gradient: the derivatives of a value by others, written out with the operators of the graph itself. What makes y
 * out of xs is gone through backwards (reverse-mode differentiation); each operator adds its part to the derivatives of its inputs. */
#include "import/onnx/convert.h"

typedef struct gradient {
  ingot__onnx_node *n;
  bool *active;              /* by value id: depends on one of xs */
  ingot__value **of;         /* by value id: the derivative so far; NULL: none */
  size_t n_value;
} gradient;

static ingot__value *times(ingot__onnx_node *n, ingot__value *a, ingot__value *b) { return ingot__onnx_binary(n, INGOT__OP_Mul, a, b); }
static ingot__value *over(ingot__onnx_node *n, ingot__value *a, ingot__value *b) { return ingot__onnx_binary(n, INGOT__OP_Div, a, b); }
static ingot__value *negative(ingot__onnx_node *n, ingot__value *a) { return ingot__onnx_unary(n, INGOT__OP_Neg, a); }
static ingot__value *one_less(ingot__onnx_node *n, ingot__value *a) {
  return a ? ingot__onnx_binary(n, INGOT__OP_Sub, ingot__onnx_float_like(n, 1, a), a) : NULL;
}

/* What derivative g of the node's output means for input i; false: there is no rule. */
static bool part(ingot__onnx_node *n, const ingot__node *node, size_t i, ingot__value *g, ingot__value **out) {
  ingot__value *a = node->in[0], *b = node->n_in > 1 ? node->in[1] : NULL, *y = node->out[0];
  switch (node->op) {
    case INGOT__OP_Identity:
    case INGOT__OP_Add: *out = g; return true;
    case INGOT__OP_Sub: *out = i ? negative(n, g) : g; return true;
    case INGOT__OP_Neg: *out = negative(n, g); return true;
    case INGOT__OP_Mul: *out = times(n, g, i ? a : b); return true;
    case INGOT__OP_Div: *out = i ? negative(n, over(n, times(n, g, y), b)) : over(n, g, b); return true;
    case INGOT__OP_Exp: *out = times(n, g, y); return true;
    case INGOT__OP_Log: *out = over(n, g, a); return true;
    case INGOT__OP_Sqrt: *out = over(n, g, ingot__onnx_binary(n, INGOT__OP_Add, y, y)); return true;
    case INGOT__OP_Sin: *out = times(n, g, ingot__onnx_unary(n, INGOT__OP_Cos, a)); return true;
    case INGOT__OP_Cos: *out = negative(n, times(n, g, ingot__onnx_unary(n, INGOT__OP_Sin, a))); return true;
    case INGOT__OP_Tanh: *out = times(n, g, one_less(n, times(n, y, y))); return true;
    case INGOT__OP_Sigmoid: *out = times(n, g, times(n, y, one_less(n, y))); return true;
    default: return false;
  }
}

/* An input that was broadcast gets the sum over what it was spread to: done for scalars; other broadcasts are refused. */
static ingot_status to_input(gradient *d, const ingot__node *node, size_t i, ingot__value **g) {
  ingot__onnx_node *n = d->n;
  ingot__type from = *ingot__onnx_type(n, node->out[0]), to = *ingot__onnx_type(n, node->in[i]);
  bool same = from.rank >= 0 && from.rank == to.rank;
  for (int k = 0; k < from.rank && same; k++) same = from.dim[k] == to.dim[k] && from.dim[k] != INGOT__DIM_UNKNOWN;
  if (same || node->n_in == 1) return INGOT_OK;
  if (to.rank != 0)
    return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "the derivative of node '%.200s' with broadcasting of more than a scalar", node->name);
  ingot__node *sum = ingot__onnx_emit(n, INGOT__OP_ReduceSum, g, 1);
  INGOT__ONNX_NEED(n, sum);
  ((ingot__attrs_ReduceSum *)sum->attrs)->keepdims = 0;
  *g = sum->out[0];
  return INGOT_OK;
}

static ingot_status go_through(gradient *d, const ingot__node *node) {
  ingot__onnx_node *n = d->n;
  ingot__value *g = node->n_out && node->out[0] && node->out[0]->id < d->n_value ? d->of[node->out[0]->id] : NULL;
  if (!g) return INGOT_OK;
  for (size_t i = 0; i < node->n_in; i++) {
    const ingot__value *v = node->in[i];
    if (!v || v->id >= d->n_value || !d->active[v->id]) continue;
    ingot__value *mine = NULL;
    if (!part(n, node, i, g, &mine))
      return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "the derivative of %s (node '%.200s')", ingot__op_get(node->op)->name, node->name);
    INGOT__ONNX_NEED(n, mine);
    INGOT_TRY(to_input(d, node, i, &mine));
    if (d->of[v->id]) INGOT__ONNX_NEED(n, mine = ingot__onnx_binary(n, INGOT__OP_Add, d->of[v->id], mine));
    d->of[v->id] = mine;
  }
  return INGOT_OK;
}

/* A tensor like another, full of a number. */
static ingot__value *full_like(ingot__onnx_node *n, ingot__value *like, const float *number) {
  ingot__value *shape = ingot__onnx_unary(n, INGOT__OP_Shape, like);
  ingot__node *full = shape ? ingot__onnx_emit(n, INGOT__OP_ConstantOfShape, &shape, 1) : NULL;
  if (!full) return NULL;
  ((ingot__attrs_ConstantOfShape *)full->attrs)->value =
      (ingot__literal){.dtype = INGOT_FLOAT32, .rank = 1, .dim = {1}, .data = number, .bytes = sizeof *number};
  return ingot__onnx_binary(n, INGOT__OP_CastLike, full->out[0], like);
}

static ingot_status names_of(ingot__onnx_node *n, const char *attribute, ingot__strings *out) {
  const ingot__pb_attr *a = ingot__onnx_get(n, attribute);
  *out = (ingot__strings){0};
  return a ? ingot__onnx_read_strings(n, a, out) : INGOT_OK;
}

ingot_status ingot__onnx_convert_gradient(ingot__onnx_node *n) {
  static const float zero = 0, one = 1;
  ingot__strings xs, zs;
  const char *name;
  INGOT_TRY(names_of(n, "xs", &xs));
  INGOT_TRY(names_of(n, "zs", &zs));
  INGOT_TRY(ingot__onnx_get_string(n, "y", "", &name));
  if (n->n_in != xs.n + zs.n || n->n_out > xs.n)
    return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "has %zu inputs and %zu outputs for %zu names in xs and %zu in zs", n->n_in, n->n_out, xs.n, zs.n);
  const ingot__onnx_entry *y = ingot__onnx_find(n->scope, (ingot__text){name, strlen(name)});
  if (!y || y->state != INGOT__ONNX_READY || !y->value || y->value->graph != n->scope->graph)
    return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "y is '%.200s', which isn't a value of this graph that is computed before it", name);
  for (size_t i = 0; i < n->n_in; i++) {
    const char *x = i < xs.n ? xs.v[i] : zs.v[i - xs.n];
    const ingot__onnx_entry *e = ingot__onnx_find(n->scope, (ingot__text){x, strlen(x)});
    if (!e || !n->in[i] || e->value != n->in[i])
      return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "input %zu isn't '%.200s' itself: derivatives elsewhere than at the graph's own values", i, x);
  }
  gradient d = {.n = n, .n_value = n->scope->graph->network->n_value};
  d.active = INGOT_NEW_ARRAY(n->o->scratch, d.n_value + 1, bool);
  d.of = ingot__arena_array(n->o->scratch, d.n_value + 1, sizeof *d.of);
  INGOT__ONNX_NEED(n, d.active && d.of);
  memset(d.of, 0, (d.n_value + 1) * sizeof *d.of);
  for (size_t i = 0; i < xs.n; i++) d.active[n->in[i]->id] = true;
  ingot__node *last = n->scope->graph->last;
  for (const ingot__node *node = n->scope->graph->first; node; node = node->next) {
    bool any = false;
    for (size_t i = 0; i < node->n_in; i++) any = any || (node->in[i] && d.active[node->in[i]->id]);
    for (size_t i = 0; i < node->n_out && any; i++)
      if (node->out[i]) d.active[node->out[i]->id] = true;
  }
  INGOT__ONNX_NEED(n, d.of[y->value->id] = full_like(n, y->value, &one));
  for (const ingot__node *node = last; node; node = node->prev) INGOT_TRY(go_through(&d, node));
  for (size_t i = 0; i < n->n_out; i++) {
    ingot__value *g = d.of[n->in[i]->id];
    if (!n->out_name[i]) continue;
    if (!g) INGOT__ONNX_NEED(n, g = full_like(n, n->in[i], &zero));
    INGOT__ONNX_NEED(n, ingot__onnx_finish_output(n, i, INGOT__OP_Identity, &g, 1));
  }
  return INGOT_OK;
}
