/* Clip and Relu: out of Min and Max with a number, one out of two in a row. */
#include "passes/rules.h"
#include <float.h>
#include <math.h>

static ingot__value *bound(ingot__graph *graph, float x) {
  float *data;
  ingot__value *v = ingot__constant_floats(graph, NULL, 0, NULL, &data);
  if (v) *data = x;
  return v;
}

/* x between low and high for n; a bound beyond all floats is none. */
static ingot_status put_clip(ingot__node *n, ingot__value *x, float low, float high, const ingot__pass_context *c, bool *done) {
  if (low == 0 && high > FLT_MAX) return ingot__put_unary(n, INGOT__OP_Relu, x, c, done);
  ingot__value *in[3] = {x, NULL, NULL};
  size_t n_in = high > FLT_MAX ? 2 : 3;
  if (low >= -FLT_MAX && !(in[1] = bound(n->graph, low))) return ingot__no_memory(c->diag);
  if (n_in == 3 && !(in[2] = bound(n->graph, high))) return ingot__no_memory(c->diag);
  return ingot__put_node(n, ingot__node_new(n->graph, INGOT__OP_Clip, n->name, n, in, n_in, 1, NULL), c, done);
}

/* Min, Max with a number, and Clip to what Relu does. */
static ingot_status one(ingot__node *n, const ingot__pass_context *c, bool *done) {
  float number, low, high;
  if (n->op == INGOT__OP_Clip) {
    if (!ingot__clip_bounds(n, &low, &high) || low != 0 || high <= FLT_MAX) return INGOT_OK;
    return ingot__put_unary(n, INGOT__OP_Relu, n->in[0], c, done);
  }
  ingot__value *x = ingot__beside_number(n, &number);
  if (!x || isnan(number) || !ingot__is_float32(x) || !ingot__same_type(x, n->out[0])) return INGOT_OK;
  return put_clip(n, x, n->op == INGOT__OP_Max ? number : -INFINITY, n->op == INGOT__OP_Min ? number : INFINITY, c, done);
}

static bool bounds_of(const ingot__node *n, float *low, float *high) {
  *low = 0;
  *high = INFINITY;
  return n->op == INGOT__OP_Relu || (n->op == INGOT__OP_Clip && ingot__clip_bounds(n, low, high));
}

/* Of two in a row: the second's bounds applied to the first's. */
static ingot_status two(ingot__node *n, const ingot__pass_context *c, bool *done) {
  float low, high, first_low, first_high;
  ingot__value *v = n->in[0];
  ingot__node *first = ingot__made_for(v, INGOT__OP_Relu);
  if (!first) first = ingot__made_for(v, INGOT__OP_Clip);
  if (!first || !bounds_of(n, &low, &high) || !bounds_of(first, &first_low, &first_high) || low > high || first_low > first_high) return INGOT_OK;
  first_low = fminf(fmaxf(first_low, low), high);
  first_high = fminf(fmaxf(first_high, low), high);
  return put_clip(n, first->in[0], first_low, first_high, c, done);
}

ingot_status ingot__rule_bounds(ingot__node *n, const ingot__pass_context *context, bool *done) {
  bool clips = n->op == INGOT__OP_Clip || n->op == INGOT__OP_Relu;
  if ((!clips && n->op != INGOT__OP_Min && n->op != INGOT__OP_Max) || !ingot__is_float32(n->out[0])) return INGOT_OK;
  if (clips) INGOT_TRY(two(n, context, done));
  if (!*done && n->op != INGOT__OP_Relu) INGOT_TRY(one(n, context, done));
  return INGOT_OK;
}
