/* Less moving of elements: Transposes and Reshapes in a row are one, Transposes are pulled up or pushed down to where they meet another,
 * those before matrix products go into them, and those that move only dims of one element are Reshapes. */
#include "passes/pull.h"
#include <math.h>

static void shape_type(ingot__type *t, ingot_dtype dtype, int rank, const ingot__dim *dims) {
  *t = (ingot__type){.dtype = dtype, .rank = (int8_t)rank};
  for (int i = 0; i < rank; i++) t->dim[i] = dims[i];
}

/* A Reshape of x to the dims of `type`, before n; *made stays NULL where at most one dim that isn't known can't be made to do. */
static ingot_status reshape_to(ingot__value *x, const ingot__type *type, ingot__node *n, ingot__diag *diag, ingot__value **made) {
  int64_t shape[INGOT_MAX_RANK];
  int unknown = 0;
  *made = NULL;
  if (x->type.rank < 0 || type->rank < 0) return INGOT_OK;
  for (int i = 0; i < type->rank; i++) {
    bool number = ingot__dim_is_number(type->dim[i]), kept = i < x->type.rank && x->type.dim[i] == type->dim[i];
    if (type->dim[i] == INGOT__DIM_UNKNOWN || type->dim[i] == 0) return INGOT_OK;
    shape[i] = number ? type->dim[i] : kept ? 0 : -1;
    unknown += shape[i] == -1;
  }
  if (unknown > 1) return INGOT_OK;
  ingot__value *in[2] = {x, ingot__constant_int64s(n->graph, NULL, shape, (size_t)type->rank)};
  if (!in[1]) return ingot__no_memory(diag);
  ingot__node *r = ingot__node_new(n->graph, INGOT__OP_Reshape, NULL, n, in, 2, 1, NULL);
  INGOT_TRY(ingot__rewrite_finish(r, n, diag));
  if (r->out[0]->type.rank == type->rank && !memcmp(r->out[0]->type.dim, type->dim, (size_t)type->rank * sizeof *type->dim)) *made = r->out[0];
  else ingot__node_remove(r);
  return INGOT_OK;
}

/* n's result is x's elements in the same order. */
static ingot_status put_reshape(ingot__node *n, ingot__value *x, const ingot__pass_context *context, bool *done) {
  ingot__value *made;
  if (ingot__same_type(x, n->out[0])) return ingot__put_value(n, x, context, done);
  INGOT_TRY(reshape_to(x, &n->out[0]->type, n, context->diag, &made));
  if (!made) return INGOT_OK;
  if (!made->known) made->known = n->out[0]->known;
  return ingot__put_value(n, made, context, done);
}

static ingot_status reshapes(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__node *first = n->op == INGOT__OP_Reshape ? ingot__made_by(n->in[0], INGOT__OP_Reshape) : NULL;
  return first ? put_reshape(n, first->in[0], context, done) : INGOT_OK;
}

/* Only dims of one element change their places. */
static bool keeps_order(const ingot__type *x, const ingot__perm *p) {
  int last = -1;
  for (int i = 0; i < p->rank; i++) {
    if (x->dim[p->axis[i]] == 1) continue;
    if (p->axis[i] < last) return false;
    last = p->axis[i];
  }
  return true;
}

static ingot_status transposes(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__perm p, first;
  if (n->op != INGOT__OP_Transpose || !ingot__perm_of(n, &p)) return INGOT_OK;
  ingot__value *x = n->in[0];
  if (ingot__perm_is_identity(&p)) return ingot__put_value(n, x, context, done);
  ingot__node *before = ingot__made_by(x, INGOT__OP_Transpose);
  if (before && ingot__perm_of(before, &first)) {
    ingot__perm both = ingot__perm_then(&first, &p);
    if (ingot__perm_is_identity(&both)) return ingot__put_value(n, before->in[0], context, done);
    return ingot__put_node(n, ingot__transpose_new(before->in[0], &both, n), context, done);
  }
  if (keeps_order(&x->type, &p)) return put_reshape(n, x, context, done);
  for (size_t i = 0; i < x->n_user; i++) { /* the same once more */
    ingot__node *twin = x->user[i], *at = n->prev;
    if (twin == n || twin->op != n->op || twin->graph != n->graph || !ingot__perm_of(twin, &first) || !ingot__perm_same(&p, &first)) continue;
    while (at && at != twin) at = at->prev;
    if (at && !twin->out[0]->is_output) return ingot__put_value(n, twin->out[0], context, done);
  }
  return INGOT_OK;
}

/* [N, C, H, W] to [N, C, HW] to [N, HW, C], and back. In channels-last memory both steps of N, HWC are none. */
static ingot_status flattened(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__perm p;
  ingot__type type;
  ingot__value *made;
  ingot__dim dims[INGOT_MAX_RANK];
  const ingot__perm swap = {3, {0, 2, 1}};
  bool flattens = n->op == INGOT__OP_Transpose;
  if (!flattens && n->op != INGOT__OP_Reshape) return INGOT_OK;
  ingot__node *first = ingot__made_for(n->in[0], flattens ? INGOT__OP_Reshape : INGOT__OP_Transpose), *t = flattens ? n : first;
  if (!first || first->graph != n->graph || !ingot__perm_of(t, &p) || !ingot__perm_same(&p, &swap)) return INGOT_OK;
  ingot__value *x = first->in[0], *y = n->out[0];
  const ingot__type *image = flattens ? &x->type : &y->type, *rows = flattens ? &y->type : &x->type;
  int rank = image->rank;
  if (rank < 4 || image->dim[0] == INGOT__DIM_UNKNOWN || image->dim[0] != rows->dim[0] || image->dim[1] != rows->dim[2]) return INGOT_OK;
  p.rank = rank;
  for (int i = 0; i < rank; i++) p.axis[i] = flattens ? i == 0 ? 0 : i == rank - 1 ? 1 : i + 1 : i == 0 ? 0 : i == 1 ? rank - 1 : i - 1;
  if (flattens) {
    t = ingot__transpose_new(x, &p, n);
    INGOT_TRY(ingot__rewrite_finish(t, n, context->diag));
    INGOT_TRY(reshape_to(t->out[0], rows, n, context->diag, &made));
    return made ? ingot__put_value(n, made, context, done) : INGOT_OK;
  }
  for (int i = 0; i < rank; i++) dims[i] = i == 0 ? image->dim[0] : i == rank - 1 ? image->dim[1] : image->dim[i + 1];
  shape_type(&type, x->type.dtype, rank, dims);
  INGOT_TRY(reshape_to(x, &type, n, context->diag, &made));
  return made ? ingot__put_node(n, ingot__transpose_new(made, &p, n), context, done) : INGOT_OK;
}

/* Dims [*at, ..) of y that multiply to `dim`: how many; 0: none. */
static int run_of(ingot__dims *dims, const ingot__type *y, int at, ingot__dim dim) {
  ingot__dim product = 1;
  for (int i = at; i < y->rank; i++) {
    if (y->dim[i] == INGOT__DIM_UNKNOWN || (product = ingot__dim_mul(dims, product, y->dim[i])) == INGOT__DIM_UNKNOWN) return 0;
    if (product == dim) return i - at + 1;
  }
  return 0;
}

/* A Reshape that takes dims of a transposed Reshape apart (batches and heads, as exporters put them together for a product) does so before
 * the Transpose, where the two Reshapes are one or none. */
static ingot_status splits(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__node *t = n->op == INGOT__OP_Reshape ? ingot__made_for(n->in[0], INGOT__OP_Transpose) : NULL;
  ingot__perm p, now = {.rank = 0};
  if (!t || t->graph != n->graph || !ingot__made_by(t->in[0], INGOT__OP_Reshape) || !ingot__perm_of(t, &p)) return INGOT_OK;
  const ingot__type *y = &n->out[0]->type, *mid = &t->out[0]->type;
  int begin[INGOT_MAX_RANK], length[INGOT_MAX_RANK], first[INGOT_MAX_RANK], at = 0;
  if (y->rank <= mid->rank) return INGOT_OK;
  for (int i = 0; i < mid->rank; at += length[i++]) {
    begin[i] = at;
    if (mid->dim[i] == INGOT__DIM_UNKNOWN || !(length[i] = run_of(&n->graph->network->dims, y, at, mid->dim[i]))) return INGOT_OK;
  }
  if (at != y->rank) return INGOT_OK;
  ingot__type type = {.dtype = y->dtype, .rank = 0};
  for (int k = 0; k < p.rank; k++) /* x's dims in their order, each as its run */
    for (int i = 0; i < p.rank; i++) {
      if (p.axis[i] != k) continue;
      first[i] = type.rank;
      for (int j = 0; j < length[i]; j++) type.dim[type.rank++] = y->dim[begin[i] + j];
    }
  for (int i = 0; i < p.rank; i++)
    for (int j = 0; j < length[i]; j++) now.axis[now.rank++] = first[i] + j;
  ingot__value *x = t->in[0], *from = x->producer->in[0], *made = NULL;
  if (ingot__type_same(&from->type, &type)) made = from;
  else INGOT_TRY(reshape_to(x, &type, n, context->diag, &made));
  return made ? ingot__put_node(n, ingot__transpose_new(made, &now, n), context, done) : INGOT_OK;
}

/* A Transpose that swaps the last two dims of what a matrix product reads is its trans_a or trans_b; of one that does so among others, the
 * rest stays, so that whole rows are moved. */
static ingot_status products(ingot__node *n, const ingot__pass_context *context, bool *done) {
  if (n->op != INGOT__OP_MatMul) return INGOT_OK;
  ingot__attrs_MatMul *a = n->attrs;
  for (size_t side = 0; side < 2; side++) {
    ingot__perm p;
    ingot__node *t = ingot__made_by(n->in[side], INGOT__OP_Transpose);
    if (!t || !ingot__perm_of(t, &p) || p.rank < 2 || n->in[0] == n->in[1]) continue;
    int last = p.rank - 1, swap = p.axis[last];
    p.axis[last] = p.axis[last - 1];
    p.axis[last - 1] = swap;
    bool whole = ingot__perm_is_identity(&p);
    if (!whole && (p.axis[last] != last || !ingot__made_for(n->in[side], t->op) || t->graph != n->graph)) continue;
    ingot__value *now = t->in[0];
    if (!whole) {
      ingot__node *rest = ingot__transpose_new(now, &p, n);
      INGOT_TRY(ingot__rewrite_finish(rest, t, context->diag));
      now = rest->out[0];
    }
    if (!ingot__node_set_input(n, side, now)) return ingot__no_memory(context->diag);
    int64_t *flag = side ? &a->trans_b : &a->trans_a;
    *flag = !*flag;
    *done = true;
    return INGOT_OK;
  }
  return INGOT_OK;
}

/* A Transpose whose input can be computed transposed with less moved. */
static ingot_status pull_up(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__perm p;
  ingot__value *made, *x = n->in[0];
  if (n->op != INGOT__OP_Transpose || !ingot__perm_of(n, &p) || !x->producer || !ingot__commutes(x->producer)) return INGOT_OK;
  if (ingot__pull_cost(x, &p, n->graph) >= ingot__weight(&x->type)) return INGOT_OK;
  INGOT_TRY(ingot__pull(x, &p, n, context->diag, &made));
  return ingot__put_value(n, made, context, done);
}

/* A Transpose that v is computed from, through nodes that commute. */
static const ingot__node *source(const ingot__node *n, int depth) {
  for (size_t i = 0; i < n->n_in; i++) {
    const ingot__node *p = n->in[i] ? n->in[i]->producer : NULL;
    if (!p || n->in[i]->type.rank != n->out[0]->type.rank) continue;
    if (p->op == INGOT__OP_Transpose) return p;
    if (depth < 8 && ingot__commutes(p) && (p = source(p, depth + 1))) return p;
  }
  return NULL;
}

/* A node of several transposed inputs, or one that makes less of them, is computed before and its result transposed, where less is moved. */
static ingot_status push_down(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__perm p, back;
  ingot__value *made;
  if (!ingot__commutes(n)) return INGOT_OK;
  const ingot__node *t = source(n, 0);
  if (!t || !ingot__perm_of(t, &p) || p.rank != n->out[0]->type.rank) return INGOT_OK;
  back = ingot__perm_inverse(&p);
  if (ingot__pull_node_cost(n, &back) + ingot__weight(&n->out[0]->type) >= 0) return INGOT_OK;
  INGOT_TRY(ingot__pull_node(n, &back, n, context->diag, &made));
  return ingot__put_node(n, ingot__transpose_new(made, &p, n), context, done);
}

ingot_status ingot__pass_cancel_transposes(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  static const ingot__rule rules[] = {reshapes, transposes, flattened, splits, pull_up, push_down, products};
  return ingot__rewrite_walk(network, rules, sizeof rules / sizeof *rules, context, changed);
}
