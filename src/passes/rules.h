/* The rules of simplify_arithmetic, a file for each family of patterns. */
#ifndef INGOT_PASSES_RULES_H
#define INGOT_PASSES_RULES_H
#include "passes/match.h"

ingot_status ingot__rule_units(ingot__node *n, const ingot__pass_context *context, bool *done);       /* simplify_arithmetic.c */
ingot_status ingot__rule_powers(ingot__node *n, const ingot__pass_context *context, bool *done);
ingot_status ingot__rule_doubles(ingot__node *n, const ingot__pass_context *context, bool *done);
ingot_status ingot__rule_bounds(ingot__node *n, const ingot__pass_context *context, bool *done);      /* match_bounds.c */
ingot_status ingot__rule_activations(ingot__node *n, const ingot__pass_context *context, bool *done); /* match_activations.c */
ingot_status ingot__rule_gelu(ingot__node *n, const ingot__pass_context *context, bool *done);        /* match_gelu.c */
ingot_status ingot__rule_divisions(ingot__node *n, const ingot__pass_context *context, bool *done);   /* simplify_arithmetic.c */
ingot_status ingot__rule_norms(ingot__node *n, const ingot__pass_context *context, bool *done);       /* match_norms.c */
ingot_status ingot__rule_norm_affine(ingot__node *n, const ingot__pass_context *context, bool *done);
ingot_status ingot__rule_group_norm(ingot__node *n, const ingot__pass_context *context, bool *done);  /* match_group_norm.c */
ingot_status ingot__rule_products(ingot__node *n, const ingot__pass_context *context, bool *done);    /* match_products.c */
ingot_status ingot__rule_broadcasts(ingot__node *n, const ingot__pass_context *context, bool *done);  /* match_broadcasts.c */
ingot_status ingot__rule_rotary(ingot__node *n, const ingot__pass_context *context, bool *done);      /* match_rotary.c */
#endif
