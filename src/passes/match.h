/* Recognising patterns of nodes: walking the network, products of several factors, constants. */
#ifndef INGOT_PASSES_MATCH_H
#define INGOT_PASSES_MATCH_H
#include "passes/rewrite.h"

/* A rule looks at one node, and may replace it: then *done is set and the node is gone (or changed). */
typedef ingot_status (*ingot__rule)(ingot__node *node, const ingot__pass_context *context, bool *done);
/* Tries the rules in order on every node in running order, subgraphs too but not the bodies of Fused nodes, again until none applies. Then
 * sweeps. */
ingot_status ingot__rewrite_walk(ingot__network *network, const ingot__rule *rules, size_t n, const ingot__pass_context *context, bool *changed);

/* v's producer if it is of that operator, else NULL. made_for: and v has no other user than one node (which may read it twice). */
ingot__node *ingot__made_by(const ingot__value *v, ingot__op op);
ingot__node *ingot__made_for(const ingot__value *v, ingot__op op);
/* A constant of one value, within float rounding of x. */
bool ingot__is_number(const ingot__value *v, float x);
static inline bool ingot__nearly(float a, float b) { return a == b || (a - b < 4e-6f * (b < 0 ? -b : b) && b - a < 4e-6f * (b < 0 ? -b : b)); }
/* Same type and all dims known to be equal. */
bool ingot__same_type(const ingot__value *a, const ingot__value *b);
/* The other input of a node with two when one is a float constant of one value, and that; NULL when none is. */
ingot__value *ingot__beside_number(const ingot__node *node, float *number);
/* Whether n is the one operator with a float constant close to x on either side: the other side. */
ingot__value *ingot__with_number(const ingot__value *v, ingot__op op, float x);

/* v as a product: a number times up to INGOT__MAX_FACTORS values. Multiplications by constants of one value, divisions by them and nested
 * multiplications are taken apart where nobody else reads them. False when it is too long. */
enum { INGOT__MAX_FACTORS = 6 };
typedef struct ingot__product { double number; size_t n; ingot__value *factor[INGOT__MAX_FACTORS]; } ingot__product;
bool ingot__product_of(const ingot__node *root, ingot__product *product);
/* The index of a factor, or SIZE_MAX. */
size_t ingot__product_find(const ingot__product *product, const ingot__value *factor);

/* Axes of a reduction as a set of bits; false when they aren't constant. */
bool ingot__reduced_axes(const ingot__node *node, unsigned *axes);
/* The bounds of a Clip of constants, infinite where there are none. */
bool ingot__clip_bounds(const ingot__node *node, float *low, float *high);

/* May old be replaced by now, without names or subgraphs' outputs in the way? */
bool ingot__can_stand_for(const ingot__value *old, const ingot__value *now);
/* Puts op(in ..) for n's only output; the new node's attributes can be set before: made by ingot__node_new before n. */
ingot_status ingot__put_node(ingot__node *n, ingot__node *made, const ingot__pass_context *context, bool *done);
ingot_status ingot__put_unary(ingot__node *n, ingot__op op, ingot__value *x, const ingot__pass_context *context, bool *done);
ingot_status ingot__put_value(ingot__node *n, ingot__value *now, const ingot__pass_context *context, bool *done);
#endif
