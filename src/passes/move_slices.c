/* Slices where they are read as they lie: behind Reshapes, and before the Transposes that attention takes in. Queries, keys and values of one
 * product, which exporters move apart and pick out, are then parts of it in place. A Gather of one index is such a slice. */
#include "passes/pull.h"

enum { MOST_DEPTH = 6, TO_END = INT32_MAX };

/* ---- What reads them */

static bool reads_rows(const ingot__node *n, const ingot__value *v) { /* a product with a matrix, of v's rows */
  if (n->op != INGOT__OP_MatMul || n->in[0] != v || n->in[1] == v || (n->n_in > 3 && n->in[3] == v)) return false;
  return n->in[1]->type.rank == 2 && !((const ingot__attrs_MatMul *)n->attrs)->trans_a;
}

static bool reads_heads(const ingot__node *n, const ingot__value *v) { /* attention that v is the queries, keys or values of */
  for (size_t i = 3; i < n->n_in; i++)
    if (n->in[i] == v) return false;
  return n->op == INGOT__OP_FusedAttention;
}

/* v, as it is or after more Reshapes, Slices and Transposes, is read by nothing but attention, Transposes and products of rows, which take
 * slices. */
static bool read_in_place(const ingot__value *v, bool rows, int depth) {
  if (v->is_output || !v->n_user || depth > MOST_DEPTH) return false;
  for (size_t i = 0; i < v->n_user; i++) {
    const ingot__node *u = v->user[i];
    if (u->graph != v->graph) return false;
    if (reads_heads(u, v) || u->op == INGOT__OP_Transpose || (rows && reads_rows(u, v))) continue;
    if (!ingot__is_reshape(u) && u->op != INGOT__OP_Slice && u->op != INGOT__OP_Split) return false;
    for (size_t k = 0; k < u->n_out; k++)
      if (u->out[k] && (u->in[0] != v || !read_in_place(u->out[k], rows, depth + 1))) return false;
  }
  return true;
}

/* ---- Making them */

ingot_status ingot__slice_along(ingot__value *x, int axis, int64_t begin, int64_t end, ingot__node *n, ingot__diag *diag, ingot__value **made) {
  const int64_t a = axis;
  ingot__value *in[] = {x, ingot__constant_int64s(n->graph, NULL, &begin, 1), ingot__constant_int64s(n->graph, NULL, &end, 1),
                        ingot__constant_int64s(n->graph, NULL, &a, 1)};
  if (!in[1] || !in[2] || !in[3]) return ingot__no_memory(diag);
  ingot__node *slice = ingot__node_new(n->graph, INGOT__OP_Slice, NULL, n, in, 4, 1, NULL);
  INGOT_TRY(ingot__rewrite_finish(slice, n, diag));
  *made = slice->out[0];
  return INGOT_OK;
}

/* One axis, a constant start, step 1, and a number of elements. */
typedef struct part { int axis; int64_t begin, count; } part;
static bool part_of(const ingot__node *s, part *p) {
  int64_t axis = 0, step = 1;
  size_t n;
  const ingot__type *x = &s->in[0]->type, *y = &s->out[0]->type;
  if (!ingot__constant_ints(s->in[1], &p->begin, 1, &n) || n != 1) return false;
  if (s->n_in > 3 && s->in[3] && (!ingot__constant_ints(s->in[3], &axis, 1, &n) || n != 1)) return false;
  if (s->n_in > 4 && s->in[4] && (!ingot__constant_ints(s->in[4], &step, 1, &n) || n != 1)) return false;
  p->axis = (int)(axis < 0 ? axis + x->rank : axis);
  if (step != 1 || p->axis < 0 || p->axis >= x->rank || y->rank != x->rank) return false;
  const ingot__dim dim = x->dim[p->axis];
  if (p->begin < 0 && ingot__dim_is_number(dim)) p->begin += dim;
  p->count = y->dim[p->axis];
  return p->begin >= 0 && ingot__dim_is_number(y->dim[p->axis]) && p->count > 0 && (!ingot__dim_is_number(dim) || p->begin + p->count <= dim);
}

/* A Gather of one index known to be there. */
static ingot_status gathers(ingot__node *n, const ingot__pass_context *context, bool *done) {
  int64_t index;
  size_t count;
  ingot__value *x = n->in[0], *slice;
  if (n->op != INGOT__OP_Gather || x->data || x->type.rank < 2 || !ingot__constant_ints(n->in[1], &index, 1, &count) || count != 1) return INGOT_OK;
  int64_t axis = ((const ingot__attrs_Gather *)n->attrs)->axis;
  axis = axis < 0 ? axis + x->type.rank : axis;
  if (n->in[1]->type.rank > 1 || axis < 0 || axis >= x->type.rank || !ingot__dtype_size(x->type.dtype)) return INGOT_OK;
  const ingot__dim dim = x->type.dim[axis];
  if (ingot__dim_is_number(dim) ? index < -dim || index >= dim : dim == INGOT__DIM_UNKNOWN || (index != 0 && index != -1)) return INGOT_OK;
  if (n->in[1]->type.rank == 0) { /* the dim goes */
    ingot__type whole = x->type;
    whole.dim[axis] = 1;
    if (!ingot__can_reshape(&whole, &n->out[0]->type)) return INGOT_OK;
  }
  INGOT_TRY(ingot__slice_along(x, (int)axis, index, index == -1 ? TO_END : index + 1, n, context->diag, &slice));
  return ingot__put_reshape(n, slice, context, done);
}

/* A Split whose parts are to be moved on, each on its way. */
static ingot_status splits(ingot__node *n, const ingot__pass_context *context, bool *done) {
  if (n->op != INGOT__OP_Split || n->in[0]->type.rank < 1) return INGOT_OK;
  int64_t axis = ((const ingot__attrs_Split *)n->attrs)->axis, begin = 0;
  axis = axis < 0 ? axis + n->in[0]->type.rank : axis;
  bool moved = ingot__made_by(n->in[0], INGOT__OP_Transpose) != NULL;
  for (size_t i = 0; i < n->n_out; i++) {
    const ingot__value *v = n->out[i];
    if (!v || !ingot__dim_is_number(v->type.dim[axis]) || !read_in_place(v, false, 0)) return INGOT_OK;
    for (size_t k = 0; k < v->n_user; k++) moved |= ingot__is_reshape(v->user[k]);
  }
  if (!moved) return INGOT_OK;
  const size_t count = n->n_out;
  ingot__value **made = INGOT_NEW_ARRAY(&n->graph->network->arena, count + 1, ingot__value *);
  const char **name = INGOT_NEW_ARRAY(&n->graph->network->arena, count + 1, const char *);
  if (!made || !name) return ingot__no_memory(context->diag);
  for (size_t i = 0; i < count; i++) {
    const int64_t end = begin + n->out[i]->type.dim[axis];
    name[i] = n->out[i]->name;
    INGOT_TRY(ingot__slice_along(n->in[0], (int)axis, begin, end, n, context->diag, &made[i]));
    if (!ingot__value_replace(n->out[i], made[i])) return ingot__no_memory(context->diag);
    begin = end;
  }
  ingot__node_remove(n);
  for (size_t i = 0; i < count; i++)
    if (!ingot__value_rename(made[i], name[i])) return ingot__no_memory(context->diag);
  *done = true;
  return INGOT_OK;
}

/* ---- Moving them */

/* Slices of a transposed value, of all of it at most, are taken before. */
static ingot_status before_transposes(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__node *t = n->op == INGOT__OP_Slice && ingot__commutes(n) ? ingot__made_by(n->in[0], INGOT__OP_Transpose) : NULL;
  ingot__perm p, back;
  ingot__value *made;
  double parts = 0;
  if (!t || t->graph != n->graph || t->out[0]->is_output || !ingot__perm_of(t, &p)) return INGOT_OK;
  for (size_t i = 0; i < t->out[0]->n_user; i++) {
    const ingot__node *u = t->out[0]->user[i];
    if (u->op != INGOT__OP_Slice || !read_in_place(u->out[0], false, 0)) return INGOT_OK;
    parts += ingot__weight(&u->out[0]->type);
  }
  if (parts > ingot__weight(&t->out[0]->type)) return INGOT_OK;
  back = ingot__perm_inverse(&p);
  INGOT_TRY(ingot__pull_node(n, &back, n, context->diag, &made));
  return made ? ingot__put_node(n, ingot__transpose_new(made, &p, n), context, done) : INGOT_OK;
}

static int64_t elements(const ingot__type *t, int from) { /* of dims from there on; 0: not known */
  int64_t n = 1;
  for (int i = from; i < t->rank; i++) {
    if (!ingot__dim_is_number(t->dim[i]) || (t->dim[i] && n > INT32_MAX / t->dim[i])) return 0;
    n *= t->dim[i];
  }
  return n;
}

/* The part p of x, reshaped to y, as a part of x reshaped: that Reshape's type and the part of it. */
static bool reshaped_part(ingot__dims *dims, const ingot__type *x, const ingot__type *y, const part *p, ingot__type *whole, part *now) {
  const int64_t behind = elements(x, p->axis + 1);
  ingot__dim before = 1, have = 1;
  for (int i = 0; i < p->axis; i++) before = ingot__dim_mul(dims, before, x->dim[i]);
  if (before == INGOT__DIM_UNKNOWN || behind == 0) return false;
  for (int j = 0; j < y->rank && have != INGOT__DIM_UNKNOWN; have = ingot__dim_mul(dims, have, y->dim[j++])) {
    const int64_t rest = elements(y, j + 1);
    if (have != before || rest == 0 || !ingot__dim_is_number(y->dim[j])) continue;
    *whole = *y;
    *now = (part){.axis = j, .count = y->dim[j]};
    if (behind % rest == 0) { /* each of the part's slots is some of the new ones */
      if (now->count != p->count * (behind / rest)) continue;
      now->begin = p->begin * (behind / rest);
      whole->dim[j] = ingot__dim_mul(dims, x->dim[p->axis], behind / rest);
      return whole->dim[j] != INGOT__DIM_UNKNOWN;
    }
    const int64_t slots = rest / behind; /* or some of them one */
    if (rest % behind || !ingot__dim_is_number(x->dim[p->axis]) || x->dim[p->axis] % slots || p->begin % slots || p->count % slots) continue;
    now->begin = p->begin / slots;
    whole->dim[j] = x->dim[p->axis] / slots;
    return true;
  }
  return false;
}

/* x as the type, by a Reshape that is there already or a new one. */
static ingot_status reshaped(ingot__value *x, const ingot__type *type, ingot__node *n, ingot__diag *diag, ingot__value **made) {
  *made = x;
  if (ingot__type_same(&x->type, type)) return INGOT_OK;
  for (size_t i = 0; i < x->n_user; i++) {
    ingot__node *twin = x->user[i], *at = n->prev;
    *made = ingot__is_reshape(twin) && twin->graph == n->graph ? twin->out[0] : NULL;
    if (!*made || !ingot__type_same(&twin->out[0]->type, type) || twin->out[0]->is_output) continue;
    while (at && at != twin) at = at->prev;
    if (at) return INGOT_OK;
  }
  return ingot__reshape_to(x, type, n, diag, made);
}

static ingot_status behind_reshapes(ingot__node *n, const ingot__pass_context *context, bool *done) {
  const ingot__node *s = ingot__is_reshape(n) ? ingot__made_for(n->in[0], INGOT__OP_Slice) : NULL;
  part p, now;
  ingot__type whole;
  ingot__value *x, *made;
  if (!s || s->graph != n->graph || ingot__made_by(s->in[0], INGOT__OP_Transpose) || !part_of(s, &p)) return INGOT_OK;
  if (!read_in_place(n->out[0], true, 0)) return INGOT_OK;
  if (!reshaped_part(&n->graph->network->dims, &s->in[0]->type, &n->out[0]->type, &p, &whole, &now)) return INGOT_OK;
  INGOT_TRY(reshaped(s->in[0], &whole, n, context->diag, &x));
  if (!x) return INGOT_OK;
  INGOT_TRY(ingot__slice_along(x, now.axis, now.begin, now.begin + now.count, n, context->diag, &made));
  if (!ingot__same_type(made, n->out[0])) return INGOT_OK;
  return ingot__put_value(n, made, context, done);
}

/* A Reshape of what was transposed comes before the Transpose where that is then before attention or another Transpose. */
static ingot_status reshapes_first(ingot__node *n, const ingot__pass_context *context, bool *done) {
  if (!ingot__is_reshape(n) || !read_in_place(n->out[0], false, 0)) return INGOT_OK;
  return ingot__reshape_first(n, context, done);
}

/* Queries, keys and values that are parts of one value, transposed alike but for heads and positions (a batch behind the positions): that value is
 * transposed instead, once, and what makes it may come so with less moved. */
static ingot_status together(ingot__node *n, const ingot__pass_context *context, bool *done) {
  ingot__perm p[3], swap = {.rank = n->op == INGOT__OP_FusedAttention ? n->in[0]->type.rank : 0};
  part parts[3];
  ingot__value *x = NULL;
  double all = 0;
  if (swap.rank < 3) return INGOT_OK;
  for (int i = 0; i < swap.rank; i++) swap.axis[i] = i == swap.rank - 2 ? i - 1 : i == swap.rank - 3 ? i + 1 : i;
  ingot__attrs_FusedAttention *a = n->attrs;
  for (int i = 0; i < 3; i++) {
    const ingot__node *t = ingot__made_for(n->in[i], INGOT__OP_Transpose), *s = t ? ingot__made_for(t->in[0], INGOT__OP_Slice) : NULL;
    if (!s || !part_of(s, &parts[i]) || (x && s->in[0] != x) || !ingot__perm_of(t, &p[i]) || p[i].rank != swap.rank) return INGOT_OK;
    if (!(a->swapped >> i & 1)) p[i] = ingot__perm_then(&p[i], &swap);
    if (!ingot__perm_same(&p[0], &p[i]) || p[i].axis[p[i].rank - 1] != p[i].rank - 1) return INGOT_OK;
    x = s->in[0];
    all += ingot__weight(&s->out[0]->type);
  }
  if (x->graph != n->graph || x->is_output || x->n_user != 3 || all < ingot__weight(&x->type)) return INGOT_OK;
  ingot__node *t = ingot__transpose_new(x, &p[0], n);
  INGOT_TRY(ingot__rewrite_finish(t, n, context->diag));
  const ingot__perm back = ingot__perm_inverse(&p[0]);
  for (size_t i = 0; i < 3; i++) {
    ingot__value *made;
    INGOT_TRY(ingot__slice_along(t->out[0], back.axis[parts[i].axis], parts[i].begin, parts[i].begin + parts[i].count, n, context->diag, &made));
    if (!ingot__node_set_input(n, i, made)) return ingot__no_memory(context->diag);
  }
  a->swapped |= 7;
  *done = true;
  return INGOT_OK;
}

ingot_status ingot__pass_move_slices(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  static const ingot__rule rules[] = {ingot__rule_reshapes, ingot__rule_rows, ingot__rule_transposes, gathers, splits, before_transposes,
                                      behind_reshapes, reshapes_first, ingot__rule_pull, ingot__rule_push, ingot__rule_heads, together};
  return ingot__rewrite_walk(network, rules, sizeof rules / sizeof *rules, context, changed);
}
