/* Sums of levels without going through floats of their own:
 *
 *     QuantizeLinear(Relu(DequantizeLinear(a, sa, za) + DequantizeLinear(b, sb, zb)), s, z)
 *         = clamp(round(a (sa / s) + (b (sb / s) + c))),   c = z - (sa / s za + sb / s zb),
 *
 * two multiply-adds between loading and storing bytes. The factors and the order of the sum are those of ONNX Runtime's QLinearAdd, so that ties
 * fall as they do there. */
#include "passes/quantizers.h"

typedef struct addend { ingot__node *d; int64_t zero; float scale; } addend;

static bool levels_of(const ingot__value *v, addend *a) {
  size_t n;
  a->d = ingot__dequantized(v, 1, &n);
  if (!a->d || n != 1 || a->d->in[0]->type.dtype != INGOT_UINT8 || !ingot__zero_of(a->d, &a->zero)) return false;
  a->scale = ingot__float_at(a->d->in[1], 0, 1);
  return true;
}

static ingot__value *number(ingot__graph *graph, float x) {
  float *data;
  ingot__value *v = ingot__constant_floats(graph, NULL, 0, NULL, &data);
  if (v) *data = x;
  return v;
}

static ingot_status node(ingot__node *q, ingot__op op, ingot__value *a, ingot__value *b, ingot__value *c, ingot__diag *diag, ingot__value **out) {
  ingot__value *in[3] = {a, b, c};
  size_t n = c ? 3 : b ? 2 : 1;
  if (op != INGOT__OP_Cast && op != INGOT__OP_Round && !b) return ingot__no_memory(diag);
  ingot__node *made = ingot__node_new(q->graph, op, NULL, q, in, n, 1, NULL);
  if (!made) return ingot__no_memory(diag);
  if (op == INGOT__OP_Cast) ((ingot__attrs_Cast *)made->attrs)->to = a->type.dtype == INGOT_UINT8 ? INGOT_FLOAT32 : INGOT_UINT8;
  INGOT_TRY(ingot__rewrite_finish(made, q, diag));
  *out = made->out[0];
  return INGOT_OK;
}

static ingot_status rewrite(ingot__node *q, ingot__diag *diag, bool *changed) {
  size_t n;
  int64_t zero;
  ingot__node *relu = q->in[0]->producer, *add = relu;
  if (relu && relu->op == INGOT__OP_Relu) add = relu->in[0]->producer;
  else relu = NULL;
  if (!add || add->op != INGOT__OP_Add || ingot__follower(add->out[0]) != (relu ? relu : q)) return INGOT_OK;
  if (relu && ingot__follower(relu->out[0]) != q) return INGOT_OK;
  if (q->out[0]->type.dtype != INGOT_UINT8 || ((const ingot__attrs_QuantizeLinear *)q->attrs)->block_size) return INGOT_OK;
  if (!ingot__floats_of(q->in[1], &n) || n != 1 || !ingot__zero_of(q, &zero)) return INGOT_OK;
  addend a, b;
  if (!levels_of(add->in[0], &a) || !levels_of(add->in[1], &b)) return INGOT_OK;
  const float s = ingot__float_at(q->in[1], 0, 1), fa = a.scale / s, fb = b.scale / s;
  const float pa = fa * (float)a.zero, pb = fb * (float)b.zero, rest = (float)zero - (pa + pb);
  if (!(s > 0) || !(rest - rest == 0)) return INGOT_OK; /* not finite */
  ingot__graph *graph = q->graph;
  ingot__value *x, *y;
  INGOT_TRY(node(q, INGOT__OP_Cast, b.d->in[0], NULL, NULL, diag, &y));
  INGOT_TRY(node(q, INGOT__OP_Mul, y, number(graph, fb), NULL, diag, &y));
  INGOT_TRY(node(q, INGOT__OP_Add, y, number(graph, rest), NULL, diag, &y));
  INGOT_TRY(node(q, INGOT__OP_Cast, a.d->in[0], NULL, NULL, diag, &x));
  INGOT_TRY(node(q, INGOT__OP_Mul, x, number(graph, fa), NULL, diag, &x));
  INGOT_TRY(node(q, INGOT__OP_Add, x, y, NULL, diag, &y));
  INGOT_TRY(node(q, INGOT__OP_Round, y, NULL, NULL, diag, &y));
  ingot__value *low = number(graph, relu ? (float)zero : 0), *high = number(graph, 255);
  if (!low || !high) return ingot__no_memory(diag);
  INGOT_TRY(node(q, INGOT__OP_Clip, y, low, high, diag, &y));
  INGOT_TRY(node(q, INGOT__OP_Cast, y, NULL, NULL, diag, &y));
  if (!ingot__node_absorb_origin(y->producer, add)) return ingot__no_memory(diag);
  INGOT_TRY(ingot__rewrite_replace(q, y, diag));
  *changed = true;
  return INGOT_OK;
}

ingot_status ingot__pass_quantize_sums(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  for (ingot__node *n = network->main->first, *next; n; n = next) {
    next = n->next;
    if (n->op == INGOT__OP_QuantizeLinear) INGOT_TRY(rewrite(n, context->diag, changed));
  }
  return INGOT_OK;
}
