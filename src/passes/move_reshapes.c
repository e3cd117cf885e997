/* Reshapes: writing them with constants, where they stand beside Transposes, and which dims they keep together. Two in a row are one, computed
 * shapes are constants where constants can say them, and what is put together or taken apart for a Transpose or a product that does without goes. */
#include "passes/pull.h"

bool ingot__is_reshape(const ingot__node *n) {
  return n->op == INGOT__OP_Reshape || n->op == INGOT__OP_Flatten || n->op == INGOT__OP_Squeeze || n->op == INGOT__OP_Unsqueeze;
}

ingot__node *ingot__reshaped_by(const ingot__value *v) { return v && v->producer && ingot__is_reshape(v->producer) ? v->producer : NULL; }

static ingot__type shape_type(ingot_dtype dtype, int rank, const ingot__dim *dims) {
  ingot__type t = {.dtype = dtype, .rank = (int8_t)rank};
  for (int i = 0; i < rank; i++) t.dim[i] = dims[i];
  return t;
}

/* All dims are known, and none is 0. */
static bool is_plain(const ingot__type *t) {
  for (int i = 0; i < t->rank; i++)
    if (t->dim[i] == INGOT__DIM_UNKNOWN || t->dim[i] == 0) return false;
  return t->rank >= 0;
}

/* ---- Writing them */

/* The shape input of a Reshape of x to y; false where more than one dim would have to be -1. */
static bool shape_of(const ingot__type *x, const ingot__type *y, int64_t *shape) {
  int unknown = 0;
  if (x->rank < 0 || !is_plain(y)) return false;
  for (int i = 0; i < y->rank; i++) {
    bool number = ingot__dim_is_number(y->dim[i]), kept = i < x->rank && x->dim[i] == y->dim[i];
    shape[i] = number ? y->dim[i] : kept ? 0 : -1;
    unknown += shape[i] == -1;
  }
  return unknown <= 1;
}

/* x and y differ in dims of 1 alone, which all go (Squeeze) or all come (Unsqueeze): which. */
static ingot__op by_ones(const ingot__type *x, const ingot__type *y, int64_t *axes, size_t *n) {
  int i = 0, j = 0;
  size_t gone = 0, come = 0;
  if (!is_plain(x) || !is_plain(y)) return INGOT__OP_Reshape;
  while (i < x->rank || j < y->rank) {
    if (i < x->rank && j < y->rank && x->dim[i] == y->dim[j]) i++, j++;
    else if (i < x->rank && x->dim[i] == 1) axes[gone++] = i++;
    else if (j < y->rank && y->dim[j] == 1) axes[come++] = j++;
    else return INGOT__OP_Reshape;
  }
  *n = gone + come;
  return gone && come ? INGOT__OP_Reshape : gone ? INGOT__OP_Squeeze : INGOT__OP_Unsqueeze;
}

bool ingot__can_reshape(const ingot__type *x, const ingot__type *y) {
  int64_t shape[INGOT_MAX_RANK];
  size_t n;
  return shape_of(x, y, shape) || by_ones(x, y, shape, &n) != INGOT__OP_Reshape;
}

ingot_status ingot__reshape_to(ingot__value *x, const ingot__type *type, ingot__node *n, ingot__diag *diag, ingot__value **made) {
  int64_t shape[INGOT_MAX_RANK];
  size_t count = type->rank < 0 ? 0 : (size_t)type->rank;
  ingot__op op = INGOT__OP_Reshape;
  *made = NULL;
  if (!shape_of(&x->type, type, shape) && (op = by_ones(&x->type, type, shape, &count)) == INGOT__OP_Reshape) return INGOT_OK;
  ingot__value *in[2] = {x, ingot__constant_int64s(n->graph, NULL, shape, count)};
  if (!in[1]) return ingot__no_memory(diag);
  ingot__node *r = ingot__node_new(n->graph, op, NULL, n, in, 2, 1, NULL);
  INGOT_TRY(ingot__rewrite_finish(r, n, diag));
  if (r->out[0]->type.rank == type->rank && !memcmp(r->out[0]->type.dim, type->dim, (size_t)type->rank * sizeof *type->dim)) *made = r->out[0];
  else ingot__node_remove(r);
  return INGOT_OK;
}

ingot_status ingot__put_reshape(ingot__node *n, ingot__value *x, const ingot__pass_context *context, bool *done) {
  ingot__value *made;
  if (ingot__same_type(x, n->out[0])) return ingot__put_value(n, x, context, done);
  INGOT_TRY(ingot__reshape_to(x, &n->out[0]->type, n, context->diag, &made));
  if (!made) return INGOT_OK;
  if (!made->known) made->known = n->out[0]->known;
  return ingot__put_value(n, made, context, done);
}

ingot_status ingot__rule_reshapes(ingot__node *n, const ingot__pass_context *context, bool *done) {
  int64_t shape[INGOT_MAX_RANK];
  if (!ingot__is_reshape(n)) return INGOT_OK;
  if (ingot__reshaped_by(n->in[0])) return ingot__put_reshape(n, n->in[0]->producer->in[0], context, done);
  if (n->op != INGOT__OP_Reshape || n->in[1]->data || !shape_of(&n->in[0]->type, &n->out[0]->type, shape)) return INGOT_OK;
  ingot__value *now = ingot__constant_int64s(n->graph, NULL, shape, (size_t)n->out[0]->type.rank); /* what computes the shape may go */
  if (!now || !ingot__node_set_input(n, 1, now)) return ingot__no_memory(context->diag);
  ((ingot__attrs_Reshape *)n->attrs)->allowzero = 0; /* 0 copies a dim */
  *done = true;
  return INGOT_OK;
}

/* ---- What they keep together */

static ingot__dim product(ingot__dims *dims, const ingot__type *t, int from, int to) {
  ingot__dim p = 1;
  for (int i = from; i < to && p != INGOT__DIM_UNKNOWN; i++) p = ingot__dim_mul(dims, p, t->dim[i]);
  return p;
}

/* The dims of x and y in groups of as many elements, as small as can be: group g ends before dim a[g] of x and b[g] of y. 0: not found. */
static int groups_of(ingot__dims *dims, const ingot__type *x, const ingot__type *y, int *a, int *b) {
  int i = 0, j = 0, n = 0;
  while (i < x->rank || j < y->rank) {
    int best = INT32_MAX, di = 0, dj = 0;
    for (int p = i; p <= x->rank; p++)
      for (int q = j; q <= y->rank; q++) {
        int size = p - i == 1 && q - j == 1 ? 0 : p - i + q - j; /* a dim of 1 goes with one of 1 */
        if (p - i + q - j == 0 || size >= best) continue;
        ingot__dim left = product(dims, x, i, p);
        if (left != INGOT__DIM_UNKNOWN && left == product(dims, y, j, q)) best = size, di = p - i, dj = q - j;
      }
    if (best == INT32_MAX) return 0;
    a[n] = i += di, b[n++] = j += dj;
  }
  return n;
}

bool ingot__perm_through(ingot__dims *dims, const ingot__type *from, const ingot__type *to, const ingot__perm *p, ingot__perm *q) {
  int a[2 * INGOT_MAX_RANK], b[2 * INGOT_MAX_RANK];
  if (from->rank != p->rank || !is_plain(from) || !is_plain(to)) return false;
  int n = groups_of(dims, from, to, a, b), i = 0, g = 0;
  q->rank = 0;
  if (!n) return p->rank == 0 && to->rank == 0;
  for (; g < n && a[g] == 0; g++) /* dims of 1 that come before all others */
    while (q->rank < b[g]) q->axis[q->rank] = q->rank, q->rank++;
  while (i < p->rank) {
    for (g = 0; a[g] <= p->axis[i];) g++;
    for (int k = g ? a[g - 1] : 0; k < a[g]; k++)
      if (i == p->rank || p->axis[i++] != k) return false;
    int end = g + 1; /* dims of 1 that come stay behind those they are behind */
    while (end < n && a[end] == a[g]) end++;
    for (int k = g ? b[g - 1] : 0; k < b[end - 1]; k++) q->axis[q->rank++] = k;
  }
  return q->rank == to->rank;
}

/* ---- Beside Transposes */

/* [N, C, H, W] to [N, C, HW] to [N, HW, C], and back. In channels-last memory both steps of N, HWC are none. */
ingot_status ingot__rule_flattened(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__perm p;
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
    INGOT_TRY(ingot__reshape_to(t->out[0], rows, n, context->diag, &made));
    return made ? ingot__put_value(n, made, context, done) : INGOT_OK;
  }
  for (int i = 0; i < rank; i++) dims[i] = i == 0 ? image->dim[0] : i == rank - 1 ? image->dim[1] : image->dim[i + 1];
  ingot__type type = shape_type(x->type.dtype, rank, dims);
  INGOT_TRY(ingot__reshape_to(x, &type, n, context->diag, &made));
  return made ? ingot__put_node(n, ingot__transpose_new(made, &p, n), context, done) : INGOT_OK;
}

/* Dims [at, ..) of y that multiply to `dim`: how many; -1: none do. A dim of 1 may be none of them. */
static int run_of(ingot__dims *dims, const ingot__type *y, int at, ingot__dim dim) {
  if (dim == 1 && (at == y->rank || y->dim[at] != 1)) return 0;
  for (int end = at + 1; end <= y->rank; end++)
    if (product(dims, y, at, end) == dim) return end - at;
  return -1;
}

ingot_status ingot__reshape_first(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__node *t = ingot__is_reshape(n) ? ingot__made_for(n->in[0], INGOT__OP_Transpose) : NULL;
  ingot__perm p, now = {.rank = 0};
  if (!t || t->graph != n->graph || !ingot__perm_of(t, &p)) return INGOT_OK;
  const ingot__type *y = &n->out[0]->type, *mid = &t->out[0]->type;
  int begin[INGOT_MAX_RANK], length[INGOT_MAX_RANK], first[INGOT_MAX_RANK], at = 0;
  if (!is_plain(y) || !is_plain(mid)) return INGOT_OK;
  for (int i = 0; i < mid->rank; at += length[i++]) {
    begin[i] = at;
    if ((length[i] = run_of(&n->graph->network->dims, y, at, mid->dim[i])) < 0) return INGOT_OK;
  }
  for (; at < y->rank; at++, length[mid->rank - 1]++) /* dims of 1 at the end */
    if (y->dim[at] != 1 || mid->rank == 0) return INGOT_OK;
  ingot__type type = {.dtype = y->dtype, .rank = 0};
  for (int k = 0; k < p.rank; k++) /* x's dims in their order, each as its run */
    for (int i = 0; i < p.rank; i++) {
      if (p.axis[i] != k) continue;
      first[i] = type.rank;
      for (int j = 0; j < length[i]; j++) type.dim[type.rank++] = y->dim[begin[i] + j];
    }
  for (int i = 0; i < p.rank; i++)
    for (int j = 0; j < length[i]; j++) now.axis[now.rank++] = first[i] + j;
  ingot__value *x = t->in[0], *made = NULL;
  if (ingot__reshaped_by(x) && ingot__type_same(&x->producer->in[0]->type, &type)) made = x->producer->in[0];
  else if (ingot__type_same(&x->type, &type)) made = x;
  else INGOT_TRY(ingot__reshape_to(x, &type, n, context->diag, &made));
  return made ? ingot__put_node(n, ingot__transpose_new(made, &now, n), context, done) : INGOT_OK;
}

/* A Reshape that takes dims of a transposed Reshape apart (batches and heads, as exporters put them together for a product) does so before
 * the Transpose, where the two Reshapes are one or none. */
ingot_status ingot__rule_splits(ingot__node *n, const ingot__pass_context *context, bool *done) {
  if (!ingot__is_reshape(n) || n->out[0]->type.rank <= n->in[0]->type.rank) return INGOT_OK;
  const ingot__node *t = ingot__made_for(n->in[0], INGOT__OP_Transpose);
  return t && ingot__reshaped_by(t->in[0]) ? ingot__reshape_first(n, context, done) : INGOT_OK;
}

/* ---- Around products */

/* A product of rows with a matrix, whose rows may be put together or apart: the Reshape of them before it. */
static ingot__node *reshaped_rows(const ingot__node *m) {
  const ingot__attrs_MatMul *a = m->attrs;
  if (m->op != INGOT__OP_MatMul || a->trans_a || m->in[0]->type.rank < 2 || m->in[1]->type.rank != 2 || m->in[0] == m->in[1]) return NULL;
  if ((m->n_in > 2 && m->in[2] && m->in[2]->type.rank != 1) || (m->n_in > 3 && m->in[3])) return NULL;
  return ingot__reshaped_by(m->in[0]);
}

static ingot__dim last_dim(const ingot__type *t) { return t->rank < 1 ? INGOT__DIM_UNKNOWN : t->dim[t->rank - 1]; }

static ingot__node *product_of(ingot__value *rows, const ingot__node *m, ingot__node *before) {
  ingot__value *in[] = {rows, m->in[1], m->n_in > 2 ? m->in[2] : NULL};
  ingot__node *now = ingot__node_new(before->graph, m->op, m->name, before, in, in[2] ? 3 : 2, 1, NULL);
  if (now) *(ingot__attrs_MatMul *)now->attrs = *(const ingot__attrs_MatMul *)m->attrs;
  return now;
}

/* Rows that are put together for a product with a matrix, and taken apart behind it, are multiplied as they are: n is the Reshape behind. */
static ingot_status rows_between(ingot__node *n, ingot__node *m, const ingot__pass_context *context, bool *done) {
  const ingot__node *r = m->graph == n->graph ? reshaped_rows(m) : NULL;
  const ingot__type *y = &n->out[0]->type;
  if (!r || !is_plain(y) || y->rank < 2 || last_dim(y) != last_dim(&m->out[0]->type)) return INGOT_OK;
  if (y->rank > m->in[0]->type.rank && m->in[0]->type.rank != 2) return INGOT_OK;
  ingot__type type = shape_type(y->dtype, y->rank, y->dim);
  type.dim[y->rank - 1] = last_dim(&m->in[0]->type);
  ingot__value *made = NULL;
  if (ingot__type_same(&r->in[0]->type, &type)) made = r->in[0];
  else INGOT_TRY(ingot__reshape_to(r->in[0], &type, n, context->diag, &made));
  if (!made) return INGOT_OK;
  ingot__node *now = product_of(made, m, n);
  INGOT_TRY(ingot__rewrite_finish(now, m, context->diag));
  *done = true;
  return ingot__rewrite_replace(n, now->out[0], context->diag);
}

/* Rows put together for a product with a matrix whose result is reshaped anyway are put together behind it. */
static ingot_status rows_behind(ingot__node *m, const ingot__pass_context *context, bool *done) {
  ingot__value *x, *made;
  const ingot__node *r = m->out[0]->is_output || !m->out[0]->n_user ? NULL : reshaped_rows(m);
  if (!r || r->in[0]->type.rank < 2 || r->in[0]->type.rank > (m->in[0]->type.rank > 3 ? m->in[0]->type.rank : 3)) return INGOT_OK;
  x = r->in[0];
  if (!is_plain(&x->type) || !is_plain(&m->out[0]->type) || last_dim(&x->type) != last_dim(&m->in[0]->type)) return INGOT_OK;
  for (size_t i = 0; i < m->out[0]->n_user; i++)
    if (!ingot__is_reshape(m->out[0]->user[i]) || m->out[0]->user[i]->graph != m->graph) return INGOT_OK;
  ingot__type type = x->type;
  type.dim[type.rank - 1] = last_dim(&m->out[0]->type);
  if (!ingot__can_reshape(&type, &m->out[0]->type)) return INGOT_OK;
  ingot__node *now = product_of(x, m, m);
  INGOT_TRY(ingot__rewrite_finish(now, m, context->diag));
  INGOT_TRY(ingot__reshape_to(now->out[0], &m->out[0]->type, m, context->diag, &made));
  return made ? ingot__put_value(m, made, context, done) : INGOT_OK;
}

ingot_status ingot__rule_rows(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__node *m = ingot__is_reshape(n) ? ingot__made_for(n->in[0], INGOT__OP_MatMul) : NULL;
  if (m) return rows_between(n, m, context, done);
  return n->op == INGOT__OP_MatMul ? rows_behind(n, context, done) : INGOT_OK;
}
