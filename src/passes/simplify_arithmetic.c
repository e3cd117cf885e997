/* Arithmetic that can be written shorter: neutral elements, powers, constant divisors, operators that undo themselves; with the rules of
 * match_*.c for what exporters spell out. */
#include "passes/rules.h"
#include <float.h>
#include <math.h>

static bool all_are(const ingot__value *v, double x) {
  size_t n;
  if (!ingot__value_is_const(v) || v->type.dtype == INGOT_STRING || !ingot__type_count(&v->type, &n) || n > 65536) return false;
  if (!ingot__dtype_is_float(v->type.dtype) && !ingot__dtype_is_int(v->type.dtype)) return false;
  for (size_t i = 0; i < n; i++)
    if (ingot__get_double(v->type.dtype, v->data, i) != x) return false;
  return true;
}

static bool all_bits(const ingot__value *v, bool x) {
  size_t n;
  if (!ingot__value_is_const(v) || v->type.dtype != INGOT_BOOL || !ingot__type_count(&v->type, &n)) return false;
  for (size_t i = 0; i < n; i++)
    if ((((const uint8_t *)v->data)[i] != 0) != x) return false;
  return true;
}

/* x + 0, x - 0, x * 1, x / 1, Where of one choice; 0 - x, x * -1 */
ingot_status ingot__rule_units(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__value *y = n->n_out ? n->out[0] : NULL, *x = NULL, *negated = NULL;
  switch (n->op) {
  case INGOT__OP_Add: x = all_are(n->in[1], 0) ? n->in[0] : all_are(n->in[0], 0) ? n->in[1] : NULL; break;
  case INGOT__OP_Sub:
    x = all_are(n->in[1], 0) ? n->in[0] : NULL;
    negated = all_are(n->in[0], 0) ? n->in[1] : NULL;
    break;
  case INGOT__OP_Mul:
    x = all_are(n->in[1], 1) ? n->in[0] : all_are(n->in[0], 1) ? n->in[1] : NULL;
    negated = all_are(n->in[1], -1) ? n->in[0] : all_are(n->in[0], -1) ? n->in[1] : NULL;
    break;
  case INGOT__OP_Div: x = all_are(n->in[1], 1) ? n->in[0] : NULL; break;
  case INGOT__OP_Where: x = all_bits(n->in[0], true) ? n->in[1] : all_bits(n->in[0], false) ? n->in[2] : NULL; break;
  default: return INGOT_OK;
  }
  if (x && y && ingot__same_type(x, y)) return ingot__put_value(n, x, context, done);
  if (negated && y && ingot__is_float32(y) && ingot__same_type(negated, y)) return ingot__put_unary(n, INGOT__OP_Neg, negated, context, done);
  return INGOT_OK;
}

/* Pow with a number that has an operator, or that is a product of two or three. */
ingot_status ingot__rule_powers(ingot__node *n, const ingot__pass_context *context, bool *done) {
  float p;
  if (n->op != INGOT__OP_Pow || !ingot__is_float32(n->in[0]) || !ingot__same_type(n->in[0], n->out[0])) return INGOT_OK;
  ingot__value *x = n->in[0], *in[2] = {x, x};
  if (!ingot__constant_scalar(n->in[1], &p)) {
    int64_t whole; /* an integer exponent */
    size_t count;
    if (!ingot__constant_ints(n->in[1], &whole, 1, &count) || count != 1) return INGOT_OK;
    p = (float)whole;
  }
  if (p == 1) return ingot__put_value(n, x, context, done);
  if (p == 0.5f) return ingot__put_unary(n, INGOT__OP_Sqrt, x, context, done);
  if (p == -1) return ingot__put_unary(n, INGOT__OP_Reciprocal, x, context, done);
  if (p != 2 && p != 3 && p != -0.5f) return INGOT_OK;
  ingot__node *first = p == -0.5f ? ingot__node_new(n->graph, INGOT__OP_Sqrt, NULL, n, &x, 1, 1, NULL)
                                  : ingot__node_new(n->graph, INGOT__OP_Mul, p == 2 ? n->name : NULL, n, in, 2, 1, NULL);
  if (p == 2) return ingot__put_node(n, first, context, done);
  INGOT_TRY(ingot__rewrite_finish(first, n, context->diag));
  if (p == -0.5f) return ingot__put_unary(n, INGOT__OP_Reciprocal, first->out[0], context, done);
  in[0] = first->out[0];
  return ingot__put_node(n, ingot__node_new(n->graph, INGOT__OP_Mul, n->name, n, in, 2, 1, NULL), context, done);
}

/* x / c is x * (1 / c), which goes into weights; 1 / x is Reciprocal. */
ingot_status ingot__rule_divisions(ingot__node *n, const ingot__pass_context *context, bool *done) {
  size_t count;
  if (n->op != INGOT__OP_Div || !ingot__is_float32(n->out[0])) return INGOT_OK;
  ingot__value *x = n->in[0], *c = n->in[1];
  if (all_are(x, 1) && ingot__same_type(c, n->out[0])) return ingot__put_unary(n, INGOT__OP_Reciprocal, c, context, done);
  if (!ingot__value_is_const(c) || ingot__value_is_const(x) || !ingot__type_count(&c->type, &count)) return INGOT_OK;
  const float *old = c->data;
  float *now;
  for (size_t i = 0; i < count; i++)
    if (!(fabsf(old[i]) > 1e-37f && fabsf(old[i]) < 1e37f)) return INGOT_OK; /* neither it nor its inverse is exact enough */
  ingot__value *in[2] = {x, ingot__constant_floats(n->graph, NULL, c->type.rank, c->type.dim, &now)};
  if (!in[1]) return ingot__no_memory(context->diag);
  for (size_t i = 0; i < count; i++) now[i] = (float)(1.0 / (double)old[i]);
  return ingot__put_node(n, ingot__node_new(n->graph, INGOT__OP_Mul, n->name, n, in, 2, 1, NULL), context, done);
}

/* Every number of `from` is one of `to`. */
static bool is_wider(ingot_dtype from, ingot_dtype to) {
  bool integer = ingot__dtype_is_int(to), sign = to == INGOT_INT8 || to == INGOT_INT16 || to == INGOT_INT32 || to == INGOT_INT64;
  size_t bits = ingot_dtype_bits(to), have = ingot_dtype_bits(from);
  switch (from) {
  case INGOT_BOOL: return to != INGOT_STRING && (integer || to == INGOT_FLOAT32 || to == INGOT_FLOAT64 || to == INGOT_FLOAT16);
  case INGOT_UINT8: case INGOT_UINT16: case INGOT_UINT32:
    return integer ? bits > have || (bits == have && !sign) : to == INGOT_FLOAT64 || (to == INGOT_FLOAT32 && have < 32);
  case INGOT_INT8: case INGOT_INT16: case INGOT_INT32:
    return integer ? sign && bits >= have : to == INGOT_FLOAT64 || (to == INGOT_FLOAT32 && have < 32);
  case INGOT_FLOAT16: case INGOT_BFLOAT16: return to == INGOT_FLOAT32 || to == INGOT_FLOAT64;
  case INGOT_FLOAT32: return to == INGOT_FLOAT64;
  default: return false;
  }
}

/* Not(Not), Neg(Neg); Cast of a Cast that lost nothing; a mean of a mean over other axes. */
ingot_status ingot__rule_doubles(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__node *first = n->n_in && n->in[0] ? ingot__made_by(n->in[0], n->op) : NULL;
  if (!first) return INGOT_OK;
  unsigned inner, outer;
  switch (n->op) {
  case INGOT__OP_Not: case INGOT__OP_Neg: return ingot__put_value(n, first->in[0], context, done);
  case INGOT__OP_Cast: {
    ingot__value *x = first->in[0];
    if (!is_wider(x->type.dtype, first->out[0]->type.dtype)) return INGOT_OK;
    if (x->type.dtype == n->out[0]->type.dtype) return ingot__put_value(n, x, context, done);
    if (!ingot__node_set_input(n, 0, x)) return ingot__no_memory(context->diag);
    *done = true;
    return INGOT_OK;
  }
  case INGOT__OP_ReduceMean: {
    if (!ingot__made_for(n->in[0], n->op) || !ingot__reduced_axes(first, &inner) || !ingot__reduced_axes(n, &outer) || (inner & outer)) {
      return INGOT_OK;
    }
    const ingot__attrs_ReduceMean *a = n->attrs, *b = first->attrs;
    if (!a->keepdims || !b->keepdims) return INGOT_OK;
    int64_t axes[INGOT_MAX_RANK];
    size_t count = 0;
    for (int i = 0; i < n->in[0]->type.rank; i++)
      if ((inner | outer) >> i & 1) axes[count++] = i;
    ingot__value *in[2] = {first->in[0], ingot__constant_int64s(n->graph, NULL, axes, count)};
    if (!in[1]) return ingot__no_memory(context->diag);
    return ingot__put_node(n, ingot__node_new(n->graph, INGOT__OP_ReduceMean, n->name, n, in, 2, 1, NULL), context, done);
  }
  default: return INGOT_OK;
  }
}

ingot_status ingot__pass_simplify_arithmetic(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  static const ingot__rule rules[] = {
    ingot__rule_units, ingot__rule_powers, ingot__rule_doubles, ingot__rule_bounds, ingot__rule_activations, ingot__rule_gelu, ingot__rule_norms,
    ingot__rule_norm_affine, ingot__rule_group_norm, ingot__rule_divisions, ingot__rule_products, ingot__rule_broadcasts,
    ingot__rule_rotary,
  };
  return ingot__rewrite_walk(network, rules, sizeof rules / sizeof *rules, context, changed);
}
