/* Conversions of ai.onnx.preview.training: one step of an optimiser for any number of tensors, out of elementwise arithmetic. Inputs: the rate R, the
 * count of steps T, then all X, all gradients, and all of each kind of state; outputs: all new X, then the new states. */
#include "import/onnx/convert.h"

typedef struct step {
  ingot__onnx_node *n;
  size_t tensors, kinds;   /* kinds: X and the states, without the gradients */
  ingot__value *rate, *count, *like;
} step;

static ingot__value *number(const step *s, float v) { return ingot__onnx_float_like(s->n, v, s->like); }
static ingot__value *two(const step *s, ingot__op op, ingot__value *a, ingot__value *b) { return ingot__onnx_binary(s->n, op, a, b); }
static ingot__value *add(const step *s, ingot__value *a, ingot__value *b) { return two(s, INGOT__OP_Add, a, b); }
static ingot__value *sub(const step *s, ingot__value *a, ingot__value *b) { return two(s, INGOT__OP_Sub, a, b); }
static ingot__value *mul(const step *s, ingot__value *a, ingot__value *b) { return two(s, INGOT__OP_Mul, a, b); }
static ingot__value *scaled(const step *s, float f, ingot__value *a) { return f == 1 ? a : mul(s, number(s, f), a); }

/* Input `kind` of tensor i: 0 X, 1 the gradient, 2.. the states. */
static ingot__value *input(const step *s, size_t kind, size_t i) { return s->n->in[2 + kind * s->tensors + i]; }

/* Output `kind` of tensor i, which takes the place of the original's. */
static bool give(const step *s, size_t kind, size_t i, ingot__value *v) {
  size_t slot = kind * s->tensors + i;
  if (!v) return false;
  if (slot >= s->n->n_out || !s->n->out_name[slot]) return true;
  return ingot__onnx_finish_output(s->n, slot, INGOT__OP_Identity, &v, 1) != NULL;
}

static ingot_status begin(ingot__onnx_node *n, size_t states, step *s) {
  *s = (step){.n = n, .tensors = n->n_in > 2 ? (n->n_in - 2) / (2 + states) : 0, .kinds = 1 + states};
  INGOT_TRY(ingot__onnx_inputs(n, n->n_in, SIZE_MAX));
  if (!s->tensors || 2 + s->tensors * (2 + states) != n->n_in || n->n_out > s->tensors * s->kinds) {
    return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "has %zu inputs and %zu outputs, which don't make whole tensors", n->n_in, n->n_out);
  }
  s->like = input(s, 0, 0);
  s->rate = ingot__onnx_binary(n, INGOT__OP_CastLike, n->in[0], s->like);
  s->count = ingot__onnx_binary(n, INGOT__OP_CastLike, n->in[1], s->like);
  INGOT__ONNX_NEED(n, s->rate && s->count);
  return INGOT_OK;
}

/* The gradient and a part of X (L2 regularisation). */
static ingot__value *gradient(const step *s, float coefficient, size_t i) {
  ingot__value *g = input(s, 1, i);
  return coefficient == 0 ? g : add(s, scaled(s, coefficient, input(s, 0, i)), g);
}

/* (Duchi, Hazan, Singer 2011) */
ingot_status ingot__onnx_convert_adagrad(ingot__onnx_node *n) {
  step s;
  float decay, epsilon, coefficient;
  INGOT_TRY(begin(n, 1, &s));
  INGOT_TRY(ingot__onnx_get_float(n, "decay_factor", 0, &decay));
  INGOT_TRY(ingot__onnx_get_float(n, "epsilon", 1e-6f, &epsilon));
  INGOT_TRY(ingot__onnx_get_float(n, "norm_coefficient", 0, &coefficient));
  ingot__value *rate = decay == 0 ? s.rate : two(&s, INGOT__OP_Div, s.rate, add(&s, number(&s, 1), scaled(&s, decay, s.count)));
  for (size_t i = 0; i < s.tensors; i++) {
    ingot__value *g = gradient(&s, coefficient, i), *h = add(&s, input(&s, 2, i), mul(&s, g, g));
    ingot__value *root = add(&s, ingot__onnx_unary(n, INGOT__OP_Sqrt, h), number(&s, epsilon));
    ingot__value *x = sub(&s, input(&s, 0, i), two(&s, INGOT__OP_Div, mul(&s, rate, g), root));
    INGOT__ONNX_NEED(n, give(&s, 0, i, x) && give(&s, 1, i, h));
  }
  return INGOT_OK;
}

/* (Kingma, Ba 2014) */
ingot_status ingot__onnx_convert_adam(ingot__onnx_node *n) {
  step s;
  float alpha, beta, epsilon, before, after;
  INGOT_TRY(begin(n, 2, &s));
  INGOT_TRY(ingot__onnx_get_float(n, "alpha", 0.9f, &alpha));
  INGOT_TRY(ingot__onnx_get_float(n, "beta", 0.999f, &beta));
  INGOT_TRY(ingot__onnx_get_float(n, "epsilon", 1e-6f, &epsilon));
  INGOT_TRY(ingot__onnx_get_float(n, "norm_coefficient", 0, &before));
  INGOT_TRY(ingot__onnx_get_float(n, "norm_coefficient_post", 0, &after));
  /* From the first step on: the rate times sqrt(1 - beta^T) / (1 - alpha^T). */
  ingot__value *one = number(&s, 1), *b = sub(&s, one, two(&s, INGOT__OP_Pow, number(&s, beta), s.count));
  ingot__value *a = sub(&s, one, two(&s, INGOT__OP_Pow, number(&s, alpha), s.count));
  ingot__value *adjusted = two(&s, INGOT__OP_Div, mul(&s, s.rate, ingot__onnx_unary(n, INGOT__OP_Sqrt, b)), a);
  ingot__value *choice[] = {two(&s, INGOT__OP_Greater, s.count, number(&s, 0)), adjusted, s.rate};
  ingot__node *rate = choice[0] && choice[1] ? ingot__onnx_emit(n, INGOT__OP_Where, choice, 3) : NULL;
  INGOT__ONNX_NEED(n, rate);
  for (size_t i = 0; i < s.tensors; i++) {
    ingot__value *g = gradient(&s, before, i), *v = add(&s, scaled(&s, alpha, input(&s, 2, i)), scaled(&s, 1 - alpha, g));
    ingot__value *h = add(&s, scaled(&s, beta, input(&s, 3, i)), scaled(&s, 1 - beta, mul(&s, g, g)));
    ingot__value *root = add(&s, ingot__onnx_unary(n, INGOT__OP_Sqrt, h), number(&s, epsilon));
    ingot__value *x = sub(&s, input(&s, 0, i), two(&s, INGOT__OP_Div, mul(&s, rate->out[0], v), root));
    INGOT__ONNX_NEED(n, give(&s, 0, i, scaled(&s, 1 - after, x)) && give(&s, 1, i, v) && give(&s, 2, i, h));
  }
  return INGOT_OK;
}

ingot_status ingot__onnx_convert_momentum(ingot__onnx_node *n) {
  step s;
  float alpha, beta, coefficient;
  const char *mode;
  INGOT_TRY(begin(n, 1, &s));
  INGOT_TRY(ingot__onnx_get_float(n, "alpha", 0, &alpha));
  INGOT_TRY(ingot__onnx_get_float(n, "beta", 0, &beta));
  INGOT_TRY(ingot__onnx_get_float(n, "norm_coefficient", 0, &coefficient));
  INGOT_TRY(ingot__onnx_get_string(n, "mode", "", &mode));
  bool nesterov = strcmp(mode, "nesterov") == 0;
  if (!nesterov && strcmp(mode, "standard") != 0) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "mode '%.40s' is no momentum", mode);
  ingot__value *choice[] = {two(&s, INGOT__OP_Greater, s.count, number(&s, 0)), number(&s, beta), number(&s, 1)}; /* the first step counts whole */
  ingot__node *weight = choice[0] && choice[1] && choice[2] ? ingot__onnx_emit(n, INGOT__OP_Where, choice, 3) : NULL;
  INGOT__ONNX_NEED(n, weight);
  for (size_t i = 0; i < s.tensors; i++) {
    ingot__value *g = gradient(&s, coefficient, i), *v = add(&s, scaled(&s, alpha, input(&s, 2, i)), mul(&s, weight->out[0], g));
    ingot__value *x = sub(&s, input(&s, 0, i), mul(&s, s.rate, nesterov ? add(&s, g, scaled(&s, alpha, v)) : v));
    INGOT__ONNX_NEED(n, give(&s, 0, i, x) && give(&s, 1, i, v));
  }
  return INGOT_OK;
}
