/* For cancel_transposes: permutations, and asking for a value in another order of its dims. */
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
/* A Transpose of v before `before`, types not inferred; NULL: no memory. */
ingot__node *ingot__transpose_new(ingot__value *v, const ingot__perm *p, ingot__node *before);

/* Elements of a type, for comparing: symbols count as a small number. */
double ingot__weight(const ingot__type *t);
/* Nodes that commute with a transposition of what they read: elementwise ones, and those that work along axes that can be renamed. */
bool ingot__commutes(const ingot__node *n);
/* What it costs to have v transposed: elements that more Transposes move, less those that fewer do. INFINITY: it can't be. */
double ingot__pull_cost(const ingot__value *v, const ingot__perm *p, const ingot__graph *graph);
/* Makes it, before `before`; types are inferred, origins are those of the nodes it copies. */
ingot_status ingot__pull(ingot__value *v, const ingot__perm *p, ingot__node *before, ingot__diag *diag, ingot__value **made);
/* The same for a node that ingot__commutes: the transposed result out of its inputs, whoever else reads v. */
double ingot__pull_node_cost(const ingot__node *n, const ingot__perm *p);
ingot_status ingot__pull_node(ingot__node *n, const ingot__perm *p, ingot__node *before, ingot__diag *diag, ingot__value **made);
#endif
