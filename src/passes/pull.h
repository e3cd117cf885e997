/* For the passes that move Transposes, Reshapes and Slices: permutations, what reshapes keep together, nodes that commute with a transposition,
 * and asking for a value in another order of its dims. */
#ifndef INGOT_PASSES_PULL_H
#define INGOT_PASSES_PULL_H
#include "passes/match.h"

/* Dim i of the transposed value is dim axis[i] of the given one. */
typedef struct ingot__perm { int rank; int axis[INGOT_MAX_RANK]; } ingot__perm;
bool ingot__perm_of(const ingot__node *transpose, ingot__perm *perm); /* false: its input's rank is not known */
bool ingot__perm_is_identity(const ingot__perm *p);
bool ingot__perm_same(const ingot__perm *a, const ingot__perm *b);
ingot__perm ingot__perm_then(const ingot__perm *first, const ingot__perm *second);
ingot__perm ingot__perm_inverse(const ingot__perm *p);
ingot__type ingot__perm_type(const ingot__type *t, const ingot__perm *p);
/* Only dims of one element change their places. */
bool ingot__keeps_order(const ingot__type *t, const ingot__perm *p);
/* A Transpose of v before `before`, types not inferred; NULL: no memory. */
ingot__node *ingot__transpose_new(ingot__value *v, const ingot__perm *p, ingot__node *before);

/* ---- Reshapes (move_reshapes.c) */
/* Reshape, Flatten, Squeeze or Unsqueeze. */
bool ingot__is_reshape(const ingot__node *n);
/* Such a node that makes v; NULL: none. */
ingot__node *ingot__reshaped_by(const ingot__value *v);
/* Whether constants can say how x is reshaped to y. */
bool ingot__can_reshape(const ingot__type *x, const ingot__type *y);
/* A Reshape of x to the dims of `type`, before n; *made stays NULL where constants can't say it. */
ingot_status ingot__reshape_to(ingot__value *x, const ingot__type *type, ingot__node *n, ingot__diag *diag, ingot__value **made);
/* Puts x's elements in the same order for n's result. */
ingot_status ingot__put_reshape(ingot__node *n, ingot__value *x, const ingot__pass_context *context, bool *done);
/* `from` reshaped to `to`, both then transposed, by p and q: these have the same elements in the same order. False: p takes apart what the
 * reshape joins, or dims aren't known. */
bool ingot__perm_through(ingot__dims *dims, const ingot__type *from, const ingot__type *to, const ingot__perm *p, ingot__perm *q);
/* A Reshape of a transposed value before the Transpose, whatever is around them. */
ingot_status ingot__reshape_first(ingot__node *n, const ingot__pass_context *context, bool *done);

/* x's part [begin, end) along an axis, before n; end INT32_MAX: the rest (move_slices.c). */
ingot_status ingot__slice_along(ingot__value *x, int axis, int64_t begin, int64_t end, ingot__node *n, ingot__diag *diag, ingot__value **made);

/* ---- Nodes that commute with a transposition of what they read (commute.c): elementwise ones, those that work along axes that can be renamed,
 * products of rows with a matrix, normalisations of rows, reshapes. */
bool ingot__commutes(const ingot__node *n);
/* How many inputs, from the first, are transposed with the result. */
size_t ingot__moved_inputs(const ingot__node *n);
/* How those inputs have to be transposed for the result to be so by p, and the other way round. False: it can't be. */
bool ingot__perm_into(const ingot__node *n, const ingot__perm *p, ingot__perm *in);
bool ingot__perm_out_of(const ingot__node *n, const ingot__perm *in, ingot__perm *p);
/* A copy of n before `before` out of such inputs; its result is n's by p. *made stays NULL where that can't be written. */
ingot_status ingot__commuted(ingot__node *n, ingot__value *const *in, const ingot__perm *p, ingot__node *before, ingot__diag *diag,
                             ingot__value **made);

/* ---- Pulling (pull_transposes.c) and pushing (push_transposes.c) */
/* Elements of a type, for comparing: symbols count as a small number. */
double ingot__weight(const ingot__type *t);
/* The first slot that reads what slot i reads: a value read twice is computed once. */
size_t ingot__same_input(const ingot__node *n, size_t i);
/* What it costs to have v transposed: elements that more Transposes move, less those that fewer do. INFINITY: it can't be. */
double ingot__pull_cost(const ingot__value *v, const ingot__perm *p, const ingot__graph *graph);
/* Makes it, before `before`; types are inferred, origins are those of the nodes it copies. */
ingot_status ingot__pull(ingot__value *v, const ingot__perm *p, ingot__node *before, ingot__diag *diag, ingot__value **made);
/* The same for a node that ingot__commutes: the transposed result out of its inputs, whoever else reads v. *made stays NULL where that can't be
 * written. */
double ingot__pull_node_cost(const ingot__node *n, const ingot__perm *p);
ingot_status ingot__pull_node(ingot__node *n, const ingot__perm *p, ingot__node *before, ingot__diag *diag, ingot__value **made);

/* ---- Rules that passes share */
ingot_status ingot__rule_reshapes(ingot__node *n, const ingot__pass_context *context, bool *done);   /* move_reshapes.c: two in a row */
ingot_status ingot__rule_flattened(ingot__node *n, const ingot__pass_context *context, bool *done);
ingot_status ingot__rule_splits(ingot__node *n, const ingot__pass_context *context, bool *done);
ingot_status ingot__rule_rows(ingot__node *n, const ingot__pass_context *context, bool *done);
ingot_status ingot__rule_transposes(ingot__node *n, const ingot__pass_context *context, bool *done); /* cancel_transposes.c: two in a row, or none */
ingot_status ingot__rule_pull(ingot__node *n, const ingot__pass_context *context, bool *done);
ingot_status ingot__rule_push(ingot__node *n, const ingot__pass_context *context, bool *done);       /* push_transposes.c */
ingot_status ingot__rule_heads(ingot__node *n, const ingot__pass_context *context, bool *done);      /* fuse_attention.c */
#endif
