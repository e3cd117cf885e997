/* Sigmoid, HardSigmoid, Softplus, and what multiplies x by one of them: SiLU, HardSwish, Mish. */
#include "passes/rules.h"

/* x where v is min(max(x + shift, 0), high). */
static ingot__value *clipped(const ingot__value *v, float shift, float high) {
  float low, top;
  ingot__node *clip = ingot__made_for(v, INGOT__OP_Clip);
  if (!clip || !ingot__clip_bounds(clip, &low, &top) || low != 0 || top != high) return NULL;
  return ingot__with_number(clip->in[0], INGOT__OP_Add, shift);
}

static ingot_status put_hard_sigmoid(ingot__node *n, ingot__value *x, float alpha, float beta, const ingot__pass_context *c, bool *done) {
  ingot__node *made = ingot__node_new(n->graph, INGOT__OP_HardSigmoid, n->name, n, &x, 1, 1, NULL);
  if (!made) return ingot__no_memory(c->diag);
  ingot__attrs_HardSigmoid *a = made->attrs;
  a->alpha = alpha;
  a->beta = beta;
  return ingot__put_node(n, made, c, done);
}

/* What f is as a function of x that x is multiplied with; NONE: nothing known. Also the number that must come with it. */
static ingot__op gate(const ingot__value *f, const ingot__value *x, float *number) {
  ingot__node *n;
  *number = 1;
  if ((n = ingot__made_for(f, INGOT__OP_Sigmoid)) && n->in[0] == x) return INGOT__OP_Silu;
  if ((n = ingot__made_for(f, INGOT__OP_HardSigmoid)) && n->in[0] == x) {
    const ingot__attrs_HardSigmoid *a = n->attrs;
    return ingot__nearly(a->alpha, 1.0f / 6) && a->beta == 0.5f ? INGOT__OP_HardSwish : INGOT__OP_NONE;
  }
  if ((n = ingot__made_for(f, INGOT__OP_Tanh)) && (n = ingot__made_for(n->in[0], INGOT__OP_Softplus)) && n->in[0] == x) return INGOT__OP_Mish;
  *number = 1.0f / 6;
  return clipped(f, 3, 6) == x ? INGOT__OP_HardSwish : INGOT__OP_NONE;
}

/* 1 / (1 + exp(-x)): x */
static ingot__value *logistic(const ingot__node *n) {
  const ingot__value *below = n->op == INGOT__OP_Reciprocal ? n->in[0] : n->op == INGOT__OP_Div && ingot__is_number(n->in[0], 1) ? n->in[1] : NULL;
  ingot__node *exp = below ? ingot__made_for(ingot__with_number(below, INGOT__OP_Add, 1), INGOT__OP_Exp) : NULL;
  ingot__node *neg = exp ? ingot__made_for(exp->in[0], INGOT__OP_Neg) : NULL;
  return neg ? neg->in[0] : exp ? ingot__with_number(exp->in[0], INGOT__OP_Mul, -1) : NULL;
}

ingot_status ingot__rule_activations(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__product p;
  ingot__value *x;
  float number;
  if (n->n_out < 1 || !n->out[0] || !ingot__is_float32(n->out[0])) return INGOT_OK;
  switch (n->op) {
  case INGOT__OP_Log:
    x = ingot__with_number(n->in[0], INGOT__OP_Add, 1);
    x = ingot__made_for(x, INGOT__OP_Exp) ? x->producer->in[0] : NULL;
    return x && ingot__same_type(x, n->out[0]) ? ingot__put_unary(n, INGOT__OP_Softplus, x, context, done) : INGOT_OK;
  case INGOT__OP_Reciprocal: case INGOT__OP_Div:
    if ((x = logistic(n)) && ingot__same_type(x, n->out[0])) return ingot__put_unary(n, INGOT__OP_Sigmoid, x, context, done);
    if (n->op == INGOT__OP_Reciprocal) return INGOT_OK;
    break;
  case INGOT__OP_Mul: break;
  default: return INGOT_OK;
  }
  if (!ingot__product_of(n, &p)) return INGOT_OK;
  if (p.n == 1 && ingot__nearly((float)p.number, 1.0f / 6) && (x = clipped(p.factor[0], 3, 6)) && ingot__same_type(x, n->out[0]))
    return put_hard_sigmoid(n, x, 1.0f / 6, 0.5f, context, done);
  for (size_t i = 0; p.n == 2 && i < 2; i++) {
    x = p.factor[1 - i];
    ingot__op op = ingot__same_type(x, n->out[0]) ? gate(p.factor[i], x, &number) : INGOT__OP_NONE;
    if (op && ingot__nearly((float)p.number, number)) return ingot__put_unary(n, op, x, context, done);
  }
  return INGOT_OK;
}
