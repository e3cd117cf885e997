/* x * cos + concat(-x2, x1) * sin, where x1 and x2 are the halves of x's last dim: RotaryEmbedding, as exporters write it out. The cosines'
 * two halves are the same, and the sines'; where that can be seen, the first ones are taken. */
#include "passes/rules.h"

enum { DEPTH = 8 };

/* The dim in the middle of x's last: x is (batch, heads, positions, 2 * half). */
static int64_t half_of(const ingot__value *x) {
  const ingot__type *t = &x->type;
  if (!ingot__is_float32(x) || t->rank != 4 || !ingot__dim_is_number(t->dim[3]) || t->dim[3] < 2 || t->dim[3] % 2) return 0;
  return t->dim[3] / 2;
}

/* Which half of x a slice is: 1 or 2; 0: none. */
static int which_half(const ingot__value *v, const ingot__value *x, int64_t half) {
  const ingot__node *n = v->producer;
  int64_t start, axis, step = 1;
  size_t count;
  if (!n || n->in[0] != x || v->type.rank != 4 || v->type.dim[3] != half) return 0;
  if (n->op == INGOT__OP_Split) {
    int64_t a = ((const ingot__attrs_Split *)n->attrs)->axis;
    return (a == 3 || a == -1) && n->n_out == 2 ? v->output_slot + 1 : 0;
  }
  if (n->op != INGOT__OP_Slice || n->n_in < 4 || !n->in[3]) return 0;
  if (!ingot__constant_ints(n->in[1], &start, 1, &count) || count != 1 || !ingot__constant_ints(n->in[3], &axis, 1, &count) || count != 1) return 0;
  if (n->n_in > 4 && n->in[4] && (!ingot__constant_ints(n->in[4], &step, 1, &count) || count != 1)) return 0;
  if (step != 1 || (axis != 3 && axis != -1)) return 0;
  return start == 0 || start == -2 * half ? 1 : start == half || start == -half ? 2 : 0;
}

/* concat(-x2, x1) of x. */
static bool is_turned(const ingot__value *v, const ingot__value *x, int64_t half) {
  const ingot__node *c = ingot__made_for(v, INGOT__OP_Concat);
  if (!c || c->n_in != 2) return false;
  int64_t axis = ((const ingot__attrs_Concat *)c->attrs)->axis;
  const ingot__node *neg = ingot__made_for(c->in[0], INGOT__OP_Neg);
  return (axis == 3 || axis == -1) && neg && which_half(neg->in[0], x, half) == 2 && which_half(c->in[1], x, half) == 1;
}

static bool equal_constant(const ingot__value *v) {
  size_t n, width = (size_t)v->type.dim[v->type.rank - 1] / 2;
  if (v->type.dtype != INGOT_FLOAT32 || !ingot__type_count(&v->type, &n)) return false;
  for (size_t row = 0; row < n; row += 2 * width)
    if (memcmp((const float *)v->data + row, (const float *)v->data + row + width, width * sizeof(float)) != 0) return false;
  return true;
}

/* The halves of v's last dim are seen to be equal. */
static bool repeats(const ingot__value *v, int depth) {
  const ingot__type *t = &v->type;
  if (depth > DEPTH || t->rank < 1 || !ingot__dim_is_number(t->dim[t->rank - 1]) || t->dim[t->rank - 1] < 2 || t->dim[t->rank - 1] % 2) return false;
  if (ingot__value_is_const(v)) return equal_constant(v);
  const ingot__node *n = v->producer;
  if (!n) return false;
  const ingot__value *x = n->n_in ? n->in[0] : NULL;
  float number;
  switch (n->op) {
  case INGOT__OP_Concat: {
    int64_t axis = ((const ingot__attrs_Concat *)n->attrs)->axis;
    return n->n_in == 2 && n->in[0] == n->in[1] && (axis == -1 || axis == t->rank - 1);
  }
  case INGOT__OP_Gather: {
    int64_t axis = ((const ingot__attrs_Gather *)n->attrs)->axis, rank = x->type.rank;
    return rank > 1 && axis >= -rank && (axis < 0 ? axis + rank : axis) < rank - 1 && repeats(x, depth + 1);
  }
  case INGOT__OP_Reshape: case INGOT__OP_Unsqueeze: case INGOT__OP_Squeeze:
    return x->type.rank > 0 && x->type.dim[x->type.rank - 1] == t->dim[t->rank - 1] && repeats(x, depth + 1);
  case INGOT__OP_Mul: {
    const ingot__value *other = ingot__beside_number(n, &number);
    return other && ingot__same_type(other, v) && repeats(other, depth + 1);
  }
  case INGOT__OP_Cos: case INGOT__OP_Sin: case INGOT__OP_Cast: case INGOT__OP_Identity: return repeats(x, depth + 1);
  default: return false;
  }
}

/* (batch or 1, 1, positions, 2 * half) to (batch or 1, positions, half). */
static ingot_status table(ingot__value *v, int64_t half, ingot__node *before, ingot__diag *diag, ingot__value **out) {
  ingot__graph *graph = before->graph;
  const int64_t zero = 0, last = -1, shape[] = {0, -1, half};
  ingot__value *in[] = {v, ingot__constant_int64s(graph, NULL, &zero, 1), ingot__constant_int64s(graph, NULL, &half, 1),
                        ingot__constant_int64s(graph, NULL, &last, 1)};
  if (!in[1] || !in[2] || !in[3]) return ingot__no_memory(diag);
  ingot__node *slice = ingot__node_new(graph, INGOT__OP_Slice, NULL, before, in, 4, 1, NULL);
  INGOT_TRY(ingot__rewrite_finish(slice, before, diag));
  ingot__value *reshaped[] = {slice->out[0], ingot__constant_int64s(graph, NULL, shape, 3)};
  if (!reshaped[1]) return ingot__no_memory(diag);
  ingot__node *reshape = ingot__node_new(graph, INGOT__OP_Reshape, NULL, before, reshaped, 2, 1, NULL);
  INGOT_TRY(ingot__rewrite_finish(reshape, before, diag));
  *out = reshape->out[0];
  return INGOT_OK;
}

static bool is_table(const ingot__value *v, const ingot__value *x) {
  const ingot__type *t = &v->type, *of = &x->type;
  if (!ingot__is_float32(v) || t->rank != 4 || t->dim[1] != 1 || (t->dim[0] != 1 && t->dim[0] != of->dim[0])) return false;
  return t->dim[2] != INGOT__DIM_UNKNOWN && t->dim[2] == of->dim[2] && t->dim[3] == of->dim[3] && repeats(v, 0);
}

ingot_status ingot__rule_rotary(ingot__node *n, const ingot__pass_context *context, bool *done) {
  if (n->op != INGOT__OP_Add || !n->out[0]) return INGOT_OK;
  for (int side = 0; side < 8; side++) { /* which product comes first, and their factors */
    ingot__node *straight = ingot__made_for(n->in[side & 1], INGOT__OP_Mul), *turned = ingot__made_for(n->in[1 - (side & 1)], INGOT__OP_Mul);
    if (!straight || !turned || straight == turned) return INGOT_OK;
    ingot__value *x = straight->in[side >> 1 & 1], *cos = straight->in[1 - (side >> 1 & 1)], *sin = turned->in[1 - (side >> 2)];
    const int64_t half = half_of(x);
    if (!half || !ingot__same_type(x, n->out[0]) || !is_turned(turned->in[side >> 2], x, half) || !is_table(cos, x) || !is_table(sin, x)) continue;
    ingot__value *in[] = {x, NULL, NULL};
    INGOT_TRY(table(cos, half, n, context->diag, &in[1]));
    INGOT_TRY(table(sin, half, n, context->diag, &in[2]));
    return ingot__put_node(n, ingot__node_new(n->graph, INGOT__OP_RotaryEmbedding, n->name, n, in, 3, 1, NULL), context, done);
  }
  return INGOT_OK;
}
