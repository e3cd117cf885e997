/* Dim expressions as polynomials, for arithmetic: sums of terms, each an integer times a product of factors. A factor is an expression
 * that is no sum, product or number: a symbol, quotient, remainder, minimum or maximum. */
#ifndef INGOT_IR_DIM_POLY_H
#define INGOT_IR_DIM_POLY_H
#include "ir/dim.h"

enum { INGOT__POLY_TERMS = 128, INGOT__POLY_FACTORS = 12 };

typedef struct ingot__term {
  int64_t coefficient;                    /* never 0 in a polynomial */
  uint32_t n;
  uint32_t factor[INGOT__POLY_FACTORS];   /* expression indices, in ingot__dim_order's order */
} ingot__term;

typedef struct ingot__poly {
  size_t n;
  ingot__term term[INGOT__POLY_TERMS];    /* by degree, highest first, then by factors: the constant is last */
} ingot__poly;

/* All return false when a limit is hit or a coefficient overflows. */
bool ingot__poly_from(const ingot__dims *dims, ingot__dim d, ingot__poly *p);
bool ingot__poly_add_term(const ingot__dims *dims, ingot__poly *p, const ingot__term *term); /* p += term */
bool ingot__poly_add_scaled(const ingot__dims *dims, ingot__poly *p, const ingot__poly *q, int64_t factor);    /* p += q * factor */
bool ingot__poly_mul(const ingot__dims *dims, const ingot__poly *a, const ingot__poly *b, ingot__poly *product); /* product is another */
/* a = b * quotient exactly? quotient is another. */
bool ingot__poly_divide(const ingot__dims *dims, const ingot__poly *a, const ingot__poly *b, ingot__poly *quotient);
/* Divides both by what all their terms have in common, numbers included. */
void ingot__poly_cancel(const ingot__dims *dims, ingot__poly *a, ingot__poly *b);
/* True for numbers, 0 (no terms) included. */
static inline bool ingot__poly_number(const ingot__poly *p, int64_t *number) {
  if (p->n > 1 || (p->n == 1 && p->term[0].n)) return false;
  *number = p->n ? p->term[0].coefficient : 0;
  return true;
}
/* The handle; INGOT__DIM_UNKNOWN when a limit is hit. */
ingot__dim ingot__poly_to_dim(ingot__dims *dims, const ingot__poly *p);
#endif
