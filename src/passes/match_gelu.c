/* Gelu, exact and by tanh, in any order of its factors: x * 0.5 * (1 + erf(x / sqrt 2)) and
 * x * 0.5 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))). */
#include "passes/rules.h"

static const double half_root = 0.70710678118654752, root = 0.79788456080286536, cubic = 0.044715;

static bool is_close(double a, double b) { return ingot__nearly((float)a, (float)b); }

static bool is_power(const ingot__product *p, const ingot__value *x, size_t power) {
  for (size_t i = 0; i < p->n; i++)
    if (p->factor[i] != x) return false;
  return p->n == power;
}

/* v = number * x^power? */
static bool is_term(const ingot__value *v, const ingot__value *x, double number, size_t power) {
  ingot__product p;
  ingot__node *n = ingot__made_for(v, INGOT__OP_Mul);
  if (!n) n = ingot__made_for(v, INGOT__OP_Div);
  return n && ingot__product_of(n, &p) && is_close(p.number, number) && is_power(&p, x, power);
}

static bool is_erf(const ingot__value *v, const ingot__value *x) {
  ingot__node *erf = ingot__made_for(v, INGOT__OP_Erf);
  return erf && is_term(erf->in[0], x, half_root, 1);
}

static bool is_tanh(const ingot__value *v, const ingot__value *x) {
  ingot__product p;
  ingot__node *tanh = ingot__made_for(v, INGOT__OP_Tanh), *mul = tanh ? ingot__made_for(tanh->in[0], INGOT__OP_Mul) : NULL, *add;
  if (!mul || !ingot__product_of(mul, &p) || !is_close(p.number, root) || p.n < 1 || p.n > 2) return false;
  if (p.n == 1) { /* x + c x^3 */
    if (!(add = ingot__made_for(p.factor[0], INGOT__OP_Add))) return false;
    for (int i = 0; i < 2; i++)
      if (add->in[i] == x && is_term(add->in[1 - i], x, cubic, 3)) return true;
    return false;
  }
  size_t at = ingot__product_find(&p, x); /* x (1 + c x^2) */
  const ingot__value *square = at < 2 ? ingot__with_number(p.factor[1 - at], INGOT__OP_Add, 1) : NULL;
  return square && is_term(square, x, cubic, 2);
}

ingot_status ingot__rule_gelu(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__product p;
  if (n->op != INGOT__OP_Mul && n->op != INGOT__OP_Div) return INGOT_OK;
  if (!ingot__product_of(n, &p) || p.n != 2 || !is_close(p.number, 0.5)) return INGOT_OK;
  for (size_t i = 0; i < 2; i++) {
    ingot__value *x = p.factor[i], *f = ingot__with_number(p.factor[1 - i], INGOT__OP_Add, 1);
    if (!f || !ingot__same_type(x, n->out[0])) continue;
    bool by_tanh = is_tanh(f, x);
    if (!by_tanh && !is_erf(f, x)) continue;
    ingot__node *gelu = ingot__node_new(n->graph, INGOT__OP_Gelu, n->name, n, &x, 1, 1, NULL);
    if (!gelu) return ingot__no_memory(context->diag);
    if (by_tanh) ((ingot__attrs_Gelu *)gelu->attrs)->approximate = "tanh";
    return ingot__put_node(n, gelu, context, done);
  }
  return INGOT_OK;
}
