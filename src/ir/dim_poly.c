/* Arithmetic of dim expressions as polynomials. Terms are in graded lexicographic order, which multiplication preserves: division by
 * leading terms needs that. */
#include "ir/dim_poly.h"
#include <string.h>

static int order_factors(const ingot__dims *dims, uint32_t a, uint32_t b) {
  return a == b ? 0 : ingot__dim_order(dims, INGOT__DIM_FIRST + (ingot__dim)a, INGOT__DIM_FIRST + (ingot__dim)b);
}

static int order(const ingot__dims *dims, const ingot__term *a, const ingot__term *b) {
  if (a->n != b->n) return a->n > b->n ? -1 : 1;
  for (uint32_t i = 0; i < a->n; i++) {
    if (a->factor[i] != b->factor[i]) return order_factors(dims, a->factor[i], b->factor[i]);
  }
  return 0;
}

bool ingot__poly_add_term(const ingot__dims *dims, ingot__poly *p, const ingot__term *term) {
  if (term->coefficient == 0) return true;
  size_t low = 0, high = p->n;
  while (low < high) {
    size_t middle = (low + high) / 2;
    int o = order(dims, &p->term[middle], term);
    if (o == 0) {
      if (__builtin_add_overflow(p->term[middle].coefficient, term->coefficient, &p->term[middle].coefficient)) return false;
      if (p->term[middle].coefficient == 0) {
        p->n--;
        memmove(&p->term[middle], &p->term[middle + 1], (p->n - middle) * sizeof *term);
      }
      return true;
    }
    if (o < 0) low = middle + 1;
    else high = middle;
  }
  if (p->n == INGOT__POLY_TERMS) return false;
  memmove(&p->term[low + 1], &p->term[low], (p->n - low) * sizeof *term);
  p->term[low] = *term;
  p->n++;
  return true;
}

bool ingot__poly_add_scaled(const ingot__dims *dims, ingot__poly *p, const ingot__poly *q, int64_t factor) {
  for (size_t i = 0; i < q->n; i++) {
    ingot__term t = q->term[i];
    if (__builtin_mul_overflow(t.coefficient, factor, &t.coefficient) || !ingot__poly_add_term(dims, p, &t)) return false;
  }
  return true;
}

static bool add_factor(const ingot__dims *dims, ingot__term *t, uint32_t factor) {
  if (t->n == INGOT__POLY_FACTORS) return false;
  uint32_t i = t->n++;
  for (; i > 0 && order_factors(dims, t->factor[i - 1], factor) > 0; i--) t->factor[i] = t->factor[i - 1];
  t->factor[i] = factor;
  return true;
}

static bool term_mul(const ingot__dims *dims, const ingot__term *a, const ingot__term *b, ingot__term *product) {
  *product = *a;
  for (uint32_t i = 0; i < b->n; i++) {
    if (!add_factor(dims, product, b->factor[i])) return false;
  }
  return !__builtin_mul_overflow(a->coefficient, b->coefficient, &product->coefficient);
}

/* a / b where it goes without remainder. */
static bool term_divide(const ingot__term *a, const ingot__term *b, ingot__term *quotient) {
  if (b->coefficient == -1 ? a->coefficient == INT64_MIN : a->coefficient % b->coefficient != 0) return false;
  quotient->coefficient = a->coefficient / b->coefficient;
  quotient->n = 0;
  uint32_t j = 0;
  for (uint32_t i = 0; i < a->n; i++) {
    if (j < b->n && a->factor[i] == b->factor[j]) j++;
    else quotient->factor[quotient->n++] = a->factor[i];
  }
  return j == b->n;
}

bool ingot__poly_mul(const ingot__dims *dims, const ingot__poly *a, const ingot__poly *b, ingot__poly *product) {
  product->n = 0;
  for (size_t i = 0; i < a->n; i++) {
    for (size_t j = 0; j < b->n; j++) {
      ingot__term t;
      if (!term_mul(dims, &a->term[i], &b->term[j], &t) || !ingot__poly_add_term(dims, product, &t)) return false;
    }
  }
  return true;
}

bool ingot__poly_divide(const ingot__dims *dims, const ingot__poly *a, const ingot__poly *b, ingot__poly *quotient) {
  ingot__poly rest = *a;
  quotient->n = 0;
  if (b->n == 0) return false;
  /* Each round removes the leading term, but may add lower ones: bounded, since no quotient has more terms than a polynomial may have. */
  for (size_t round = 0; rest.n; round++) {
    ingot__term q;
    if (round == INGOT__POLY_TERMS || !term_divide(&rest.term[0], &b->term[0], &q) || !ingot__poly_add_term(dims, quotient, &q)) return false;
    for (size_t j = 0; j < b->n; j++) {
      ingot__term t;
      if (!term_mul(dims, &q, &b->term[j], &t) || __builtin_sub_overflow((int64_t)0, t.coefficient, &t.coefficient)) return false;
      if (!ingot__poly_add_term(dims, &rest, &t)) return false;
    }
  }
  return true;
}

static uint64_t magnitude(int64_t v) { return v < 0 ? 0 - (uint64_t)v : (uint64_t)v; }
static uint64_t gcd(uint64_t a, uint64_t b) {
  while (b) {
    uint64_t r = a % b;
    a = b, b = r;
  }
  return a;
}

static void common(const ingot__dims *dims, const ingot__poly *p, ingot__term *g, uint64_t *number) {
  for (size_t i = 0; i < p->n; i++) {
    const ingot__term *t = &p->term[i];
    *number = gcd(*number, magnitude(t->coefficient));
    uint32_t n = 0;
    for (uint32_t j = 0, k = 0; j < g->n; j++) {
      while (k < t->n && order_factors(dims, t->factor[k], g->factor[j]) < 0) k++;
      if (k < t->n && t->factor[k] == g->factor[j]) g->factor[n++] = g->factor[j], k++;
    }
    g->n = n;
  }
}

static void divide_all(ingot__poly *p, const ingot__term *g) { /* the order of terms stays */
  for (size_t i = 0; i < p->n; i++) {
    ingot__term q;
    if (term_divide(&p->term[i], g, &q)) p->term[i] = q;
  }
}

void ingot__poly_cancel(const ingot__dims *dims, ingot__poly *a, ingot__poly *b) {
  if (!a->n || !b->n) return;
  ingot__term g = b->term[0];
  uint64_t number = 0;
  common(dims, a, &g, &number);
  common(dims, b, &g, &number);
  if (number == 0 || number > INT64_MAX) return;
  g.coefficient = (int64_t)number;
  divide_all(a, &g);
  divide_all(b, &g);
}

bool ingot__poly_from(const ingot__dims *dims, ingot__dim d, ingot__poly *p) {
  p->n = 0;
  for (bool more = true; more;) {
    ingot__dim rest = d;
    more = ingot__dim_is_expr(d) && ingot__dim_get(dims, d)->kind == INGOT__DIM_ADD;
    if (more) rest = ingot__dim_get(dims, d)->b, d = ingot__dim_get(dims, d)->a;
    ingot__term t = {.coefficient = 1};
    while (ingot__dim_is_expr(rest) && ingot__dim_get(dims, rest)->kind == INGOT__DIM_MUL) {
      const ingot__dim_expr *e = ingot__dim_get(dims, rest);
      if (!ingot__dim_is_expr(e->b)) t.coefficient = e->b;
      else if (!add_factor(dims, &t, (uint32_t)(e->b - INGOT__DIM_FIRST))) return false;
      rest = e->a;
    }
    if (!ingot__dim_is_expr(rest)) t.coefficient = rest;
    else if (!add_factor(dims, &t, (uint32_t)(rest - INGOT__DIM_FIRST))) return false;
    if (!ingot__poly_add_term(dims, p, &t)) return false;
  }
  return true;
}

ingot__dim ingot__poly_to_dim(ingot__dims *dims, const ingot__poly *p) {
  int64_t number;
  if (ingot__poly_number(p, &number)) return ingot__dim_number(dims, number);
  ingot__dim sum = 0;
  for (size_t i = 0; i < p->n; i++) {
    const ingot__term *t = &p->term[i];
    ingot__dim product = t->n ? INGOT__DIM_FIRST + (ingot__dim)t->factor[0] : ingot__dim_number(dims, t->coefficient);
    for (uint32_t j = 1; j < t->n; j++) {
      product = ingot__dim_intern(dims, INGOT__DIM_MUL, NULL, product, INGOT__DIM_FIRST + (ingot__dim)t->factor[j]);
      if (product == INGOT__DIM_UNKNOWN) return product;
    }
    if (t->n && t->coefficient != 1) product = ingot__dim_intern(dims, INGOT__DIM_MUL, NULL, product, ingot__dim_number(dims, t->coefficient));
    if (product == INGOT__DIM_UNKNOWN) return product;
    sum = i ? ingot__dim_intern(dims, INGOT__DIM_ADD, NULL, sum, product) : product;
    if (sum == INGOT__DIM_UNKNOWN) return sum;
  }
  return sum;
}
