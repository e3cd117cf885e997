/* The table of dim expressions and the arithmetic on dims. Quotients and remainders are brought to one form by
 *   floor((k*X + c) / k)        = X + floor(c / k)           (whole multiples leave the quotient, coefficient by coefficient)
 *   floor((g*X + c) / (g*k))    = floor((X + floor(c/g)) / k)
 *   floor((floor(X/m) + c) / k) = floor((X + c*m) / (m*k))
 * for integers and k, g, m > 0, which hold for negative X and c too. */
#include "ir/dim_poly.h"
#include <string.h>

void ingot__dims_init(ingot__dims *dims, ingot__arena *arena) { *dims = (ingot__dims){.arena = arena}; }

/* ---- The table */

static size_t hash(ingot__dim_kind kind, const char *symbol, ingot__dim a, ingot__dim b) {
  uint64_t h = (uint64_t)kind * 0x9e3779b97f4a7c15u ^ (uint64_t)a * 0xc2b2ae3d27d4eb4fu ^ (uint64_t)b * 0x165667b19e3779f9u;
  for (; symbol && *symbol; symbol++) h = (h ^ (unsigned char)*symbol) * 0x100000001b3u;
  h ^= h >> 29;
  h *= 0xbf58476d1ce4e5b9u;
  return (size_t)(h ^ h >> 32);
}

static uint32_t size_of(const ingot__dims *dims, ingot__dim d) { return ingot__dim_is_expr(d) ? ingot__dim_get(dims, d)->size : 1; }

static bool make_room(ingot__dims *dims) {
  if (!ingot__arena_grow(dims->arena, (void **)&dims->expr, &dims->capacity, dims->count + 1, sizeof *dims->expr)) return false;
  if (dims->count < dims->n_bucket) return true;
  size_t n = dims->n_bucket ? dims->n_bucket * 2 : 32;
  uint32_t *bucket = INGOT_NEW_ARRAY(dims->arena, n, uint32_t);
  if (!bucket) return false;
  for (size_t i = 0; i < dims->count; i++) {
    ingot__dim_expr *e = &dims->expr[i];
    uint32_t *head = &bucket[hash(e->kind, e->symbol, e->a, e->b) & (n - 1)];
    e->next = *head;
    *head = (uint32_t)i + 1;
  }
  dims->bucket = bucket;
  dims->n_bucket = n;
  return true;
}

ingot__dim ingot__dim_intern(ingot__dims *dims, ingot__dim_kind kind, const char *symbol, ingot__dim a, ingot__dim b) {
  if (!dims) return INGOT__DIM_UNKNOWN;
  size_t h = hash(kind, symbol, a, b);
  for (uint32_t i = dims->n_bucket ? dims->bucket[h & (dims->n_bucket - 1)] : 0; i; i = dims->expr[i - 1].next) {
    const ingot__dim_expr *e = &dims->expr[i - 1];
    if (e->kind == kind && e->a == a && e->b == b && (!symbol || strcmp(e->symbol, symbol) == 0)) return INGOT__DIM_FIRST + (ingot__dim)i - 1;
  }
  uint32_t size = 1 + (symbol ? 0 : size_of(dims, a) + size_of(dims, b));
  if (dims->count == INGOT__MAX_DIMS || size > INGOT__MAX_DIM_SIZE) return INGOT__DIM_UNKNOWN;
  const char *copy = symbol ? ingot__arena_string(dims->arena, symbol) : NULL;
  if ((symbol && !copy) || !make_room(dims)) {
    dims->failed = true;
    return INGOT__DIM_UNKNOWN;
  }
  uint32_t *head = &dims->bucket[h & (dims->n_bucket - 1)];
  dims->expr[dims->count] = (ingot__dim_expr){.kind = kind, .size = size, .next = *head, .symbol = copy, .a = a, .b = b};
  *head = (uint32_t)dims->count + 1;
  return INGOT__DIM_FIRST + (ingot__dim)dims->count++;
}

bool ingot__dims_copy(ingot__dims *to, const ingot__dims *from) {
  for (size_t i = 0; i < from->count; i++) {
    const ingot__dim_expr *e = &from->expr[i];
    if (ingot__dim_intern(to, e->kind, e->symbol, e->a, e->b) == INGOT__DIM_UNKNOWN) return false;
  }
  return true;
}

int ingot__dim_order(const ingot__dims *dims, ingot__dim a, ingot__dim b) { /* equal parts have equal handles: one path is followed */
  if (a == b) return 0;
  if (!ingot__dim_is_expr(a) || !ingot__dim_is_expr(b)) return ingot__dim_is_expr(b) || (!ingot__dim_is_expr(a) && a < b) ? -1 : 1;
  const ingot__dim_expr *x = ingot__dim_get(dims, a), *y = ingot__dim_get(dims, b);
  if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
  if (x->kind == INGOT__DIM_SYMBOL) return strcmp(x->symbol, y->symbol);
  return x->a != y->a ? ingot__dim_order(dims, x->a, y->a) : ingot__dim_order(dims, x->b, y->b);
}

ingot__dim ingot__dim_symbol(ingot__dims *dims, const char *name) { return ingot__dim_intern(dims, INGOT__DIM_SYMBOL, name, 0, 0); }

ingot__dim ingot__dim_number(ingot__dims *dims, int64_t number) {
  (void)dims;
  return number < INGOT__DIM_FIRST + INGOT__MAX_DIMS ? INGOT__DIM_FIRST + INGOT__MAX_DIMS : number;
}

bool ingot__dim_value(const ingot__dims *dims, ingot__dim d, int64_t *number) {
  (void)dims;
  if (d < INGOT__DIM_FIRST + INGOT__MAX_DIMS) return false;
  *number = d;
  return true;
}

static bool is_unknown(const ingot__dims *dims, ingot__dim a, ingot__dim b) { /* expressions without a table can't be read */
  return a == INGOT__DIM_UNKNOWN || b == INGOT__DIM_UNKNOWN || (!dims && (ingot__dim_is_expr(a) || ingot__dim_is_expr(b)));
}
static bool both_numbers(ingot__dim a, ingot__dim b) { return !ingot__dim_is_expr(a) && !ingot__dim_is_expr(b); }

/* ---- Sums and products */

static ingot__dim add_scaled(ingot__dims *dims, ingot__dim a, ingot__dim b, int64_t factor) {
  ingot__poly p, q;
  if (!ingot__poly_from(dims, a, &p) || !ingot__poly_from(dims, b, &q) || !ingot__poly_add_scaled(dims, &p, &q, factor)) return INGOT__DIM_UNKNOWN;
  return ingot__poly_to_dim(dims, &p);
}

ingot__dim ingot__dim_add(ingot__dims *dims, ingot__dim a, ingot__dim b) {
  if (is_unknown(dims, a, b)) return INGOT__DIM_UNKNOWN;
  if (both_numbers(a, b)) {
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INGOT__DIM_UNKNOWN : ingot__dim_number(dims, sum);
  }
  if (a == 0 || b == 0) return a ? a : b;
  return add_scaled(dims, a, b, 1);
}

ingot__dim ingot__dim_sub(ingot__dims *dims, ingot__dim a, ingot__dim b) {
  if (is_unknown(dims, a, b)) return INGOT__DIM_UNKNOWN;
  if (both_numbers(a, b)) {
    int64_t difference;
    return __builtin_sub_overflow(a, b, &difference) ? INGOT__DIM_UNKNOWN : ingot__dim_number(dims, difference);
  }
  if (a == b) return 0;
  if (b == 0) return a;
  return add_scaled(dims, a, b, -1);
}

ingot__dim ingot__dim_mul(ingot__dims *dims, ingot__dim a, ingot__dim b) {
  if (is_unknown(dims, a, b)) return INGOT__DIM_UNKNOWN;
  if (both_numbers(a, b)) {
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? INGOT__DIM_UNKNOWN : ingot__dim_number(dims, product);
  }
  if (a == 0 || b == 0) return 0;
  if (a == 1 || b == 1) return a == 1 ? b : a;
  ingot__poly p, q, product;
  if (!ingot__poly_from(dims, a, &p) || !ingot__poly_from(dims, b, &q) || !ingot__poly_mul(dims, &p, &q, &product)) return INGOT__DIM_UNKNOWN;
  return ingot__poly_to_dim(dims, &product);
}

/* ---- Quotients and remainders */

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); } /* not INT64_MIN / -1 */
static int64_t floor_mod(int64_t a, int64_t b) {                                                       /* sign of b */
  int64_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

/* The factor of a sum of one factor and a number, and the number. */
static const ingot__dim_expr *single_factor(const ingot__dims *dims, const ingot__poly *p, int64_t *constant) {
  if (p->n == 0 || p->n > 2 || p->term[0].n != 1 || p->term[0].coefficient != 1 || (p->n == 2 && p->term[1].n != 0)) return NULL;
  *constant = p->n == 2 ? p->term[1].coefficient : 0;
  return &dims->expr[p->term[0].factor[0]];
}

static int64_t gcd(int64_t a, int64_t b) {
  while (b) {
    int64_t r = a % b;
    a = b, b = r;
  }
  return a < 0 ? -a : a;
}

/* floor(p / k) for k > 0. */
static ingot__dim divide_by_number(ingot__dims *dims, ingot__poly *p, int64_t k) {
  ingot__poly whole = {.n = 0}, rest = {.n = 0};
  if (k == 1) return ingot__poly_to_dim(dims, p);
  for (size_t i = 0; i < p->n; i++) { /* both get the terms in order */
    ingot__term q = p->term[i], r = q;
    q.coefficient = floor_div(q.coefficient, k);
    r.coefficient = floor_mod(r.coefficient, k);
    if (!ingot__poly_add_term(dims, &whole, &q) || !ingot__poly_add_term(dims, &rest, &r)) return INGOT__DIM_UNKNOWN;
  }
  int64_t number, g = k;
  ingot__dim quotient = INGOT__DIM_UNKNOWN;
  if (ingot__poly_number(&rest, &number)) return ingot__poly_to_dim(dims, &whole); /* 0 <= number < k */
  for (size_t i = 0; i < rest.n; i++) {
    if (rest.term[i].n) g = gcd(g, rest.term[i].coefficient);
  }
  if (g > 1) {
    size_t n = 0;
    for (size_t i = 0; i < rest.n; i++) {
      rest.term[n] = rest.term[i];
      rest.term[n].coefficient /= g;
      if (rest.term[n].coefficient) n++;
    }
    rest.n = n;
    k /= g; /* > 1: every coefficient is below k, so g is not k */
  }
  const ingot__dim_expr *inner = single_factor(dims, &rest, &number);
  int64_t divisor, product;
  if (inner && inner->kind == INGOT__DIM_DIV && ingot__dim_value(dims, inner->b, &divisor) && divisor > 0 &&
      !__builtin_mul_overflow(divisor, k, &product) && !__builtin_mul_overflow(divisor, number, &number)) {
    ingot__dim x = ingot__dim_add(dims, inner->a, ingot__dim_number(dims, number));
    quotient = ingot__dim_div(dims, x, ingot__dim_number(dims, product)); /* one quotient less: ends */
  } else {
    ingot__dim x = ingot__poly_to_dim(dims, &rest);
    if (x != INGOT__DIM_UNKNOWN) quotient = ingot__dim_intern(dims, INGOT__DIM_DIV, NULL, x, ingot__dim_number(dims, k));
  }
  return ingot__dim_add(dims, ingot__poly_to_dim(dims, &whole), quotient);
}

ingot__dim ingot__dim_div(ingot__dims *dims, ingot__dim a, ingot__dim b) {
  if (is_unknown(dims, a, b) || b == 0) return INGOT__DIM_UNKNOWN;
  if (both_numbers(a, b)) return ingot__dim_number(dims, floor_div(a, b)); /* numbers are above INT64_MIN */
  if (a == b) return 1;
  if (a == 0) return 0;
  ingot__poly p, q, quotient;
  int64_t number;
  if (!ingot__poly_from(dims, a, &p) || !ingot__poly_from(dims, b, &q)) return INGOT__DIM_UNKNOWN;
  if (!ingot__poly_number(&q, &number)) {
    if (ingot__poly_divide(dims, &p, &q, &quotient)) return ingot__poly_to_dim(dims, &quotient);
    ingot__poly_cancel(dims, &p, &q);
  }
  if (ingot__poly_number(&q, &number)) {
    if (number < 0) {
      quotient.n = 0;
      if (!ingot__poly_add_scaled(dims, &quotient, &p, -1)) return INGOT__DIM_UNKNOWN;
      return divide_by_number(dims, &quotient, -number);
    }
    return divide_by_number(dims, &p, number);
  }
  a = ingot__poly_to_dim(dims, &p);
  b = ingot__poly_to_dim(dims, &q);
  if (is_unknown(dims, a, b)) return INGOT__DIM_UNKNOWN;
  return ingot__dim_intern(dims, INGOT__DIM_DIV, NULL, a, b);
}

ingot__dim ingot__dim_mod(ingot__dims *dims, ingot__dim a, ingot__dim b) {
  if (is_unknown(dims, a, b) || b == 0) return INGOT__DIM_UNKNOWN;
  if (both_numbers(a, b)) return floor_mod(a, b);
  if (a == b || a == 0 || b == 1 || b == -1) return 0;
  ingot__poly p, q, rest = {.n = 0};
  int64_t k, number, divisor;
  if (!ingot__poly_from(dims, a, &p) || !ingot__poly_from(dims, b, &q)) return INGOT__DIM_UNKNOWN;
  if (!ingot__poly_number(&q, &k)) {
    if (ingot__poly_divide(dims, &p, &q, &rest)) return 0;
    return ingot__dim_intern(dims, INGOT__DIM_MOD, NULL, a, b);
  }
  if (k < 0) return ingot__dim_sub(dims, 0, ingot__dim_mod(dims, ingot__dim_sub(dims, 0, a), -k));
  for (size_t i = 0; i < p.n; i++) {
    ingot__term t = p.term[i];
    t.coefficient = floor_mod(t.coefficient, k);
    if (!ingot__poly_add_term(dims, &rest, &t)) return INGOT__DIM_UNKNOWN;
  }
  if (ingot__poly_number(&rest, &number)) return number;
  const ingot__dim_expr *inner = single_factor(dims, &rest, &number);
  if (inner && number == 0 && inner->kind == INGOT__DIM_MOD && ingot__dim_value(dims, inner->b, &divisor) && divisor > 0) {
    if (divisor <= k) return INGOT__DIM_FIRST + (ingot__dim)(inner - dims->expr);
    if (divisor % k == 0) return ingot__dim_mod(dims, inner->a, k);
  }
  a = ingot__poly_to_dim(dims, &rest);
  return a == INGOT__DIM_UNKNOWN ? a : ingot__dim_intern(dims, INGOT__DIM_MOD, NULL, a, b);
}

/* ---- Minimum and maximum */

/* A bound that d never falls below, from symbols being >= 1; false when there is none. Bounded by the expression's size. */
static bool lower_bound(const ingot__dims *dims, ingot__dim d, int64_t *bound) {
  if (d == INGOT__DIM_UNKNOWN) return false;
  if (!ingot__dim_is_expr(d)) {
    *bound = d;
    return true;
  }
  const ingot__dim_expr *e = ingot__dim_get(dims, d);
  int64_t a = 0, b = 0;
  if (e->kind == INGOT__DIM_SYMBOL) {
    *bound = 1;
    return true;
  }
  if (e->kind == INGOT__DIM_MOD) {
    *bound = 0;
    return lower_bound(dims, e->b, &b) && b > 0;
  }
  bool has_a = lower_bound(dims, e->a, &a), has_b = lower_bound(dims, e->b, &b);
  switch (e->kind) {
    case INGOT__DIM_ADD: return has_a && has_b && !__builtin_add_overflow(a, b, bound);
    case INGOT__DIM_MUL: return has_a && has_b && a >= 0 && b >= 0 && !__builtin_mul_overflow(a, b, bound);
    case INGOT__DIM_DIV:
      if (!has_a || !has_b || a < 0 || b <= 0) return false;
      *bound = ingot__dim_is_expr(e->b) ? 0 : a / b;
      return true;
    case INGOT__DIM_MIN:
      *bound = a < b ? a : b;
      return has_a && has_b;
    case INGOT__DIM_MAX:
      *bound = has_a && (!has_b || a > b) ? a : b;
      return has_a || has_b;
    default: return false;
  }
}

static bool at_least(ingot__dims *dims, ingot__dim a, ingot__dim b) {
  int64_t bound;
  return lower_bound(dims, ingot__dim_sub(dims, a, b), &bound) && bound >= 0;
}

static ingot__dim extreme(ingot__dims *dims, ingot__dim_kind kind, ingot__dim a, ingot__dim b) {
  bool min = kind == INGOT__DIM_MIN;
  if (is_unknown(dims, a, b)) return INGOT__DIM_UNKNOWN;
  if (a == b) return a;
  if (both_numbers(a, b)) return (a < b) == min ? a : b;
  if (at_least(dims, a, b)) return min ? b : a;
  if (at_least(dims, b, a)) return min ? a : b;
  if (!ingot__dim_is_expr(a) || (ingot__dim_is_expr(b) && ingot__dim_order(dims, a, b) > 0)) { /* a number stands last */
    ingot__dim t = a;
    a = b, b = t;
  }
  for (int i = 0; i < 2; i++) { /* min(min(x, y), y) */
    ingot__dim x = i ? b : a, y = i ? a : b;
    const ingot__dim_expr *e = ingot__dim_is_expr(x) ? ingot__dim_get(dims, x) : NULL;
    if (!e || e->kind != kind) continue;
    if (e->a == y || e->b == y) return x;
    if (both_numbers(e->b, y)) return extreme(dims, kind, e->a, extreme(dims, kind, e->b, y));
  }
  return ingot__dim_intern(dims, kind, NULL, a, b);
}

ingot__dim ingot__dim_min(ingot__dims *dims, ingot__dim a, ingot__dim b) { return extreme(dims, INGOT__DIM_MIN, a, b); }
ingot__dim ingot__dim_max(ingot__dims *dims, ingot__dim a, ingot__dim b) { return extreme(dims, INGOT__DIM_MAX, a, b); }

bool ingot__dim_evaluate(const ingot__dims *dims, ingot__dim d, bool (*value)(void *user, const char *symbol, int64_t *number), void *user,
                         int64_t *number) {
  if (ingot__dim_value(dims, d, number)) return true;
  if (d == INGOT__DIM_UNKNOWN || !dims) return false;
  const ingot__dim_expr *e = ingot__dim_get(dims, d);
  if (e->kind == INGOT__DIM_SYMBOL) return value(user, e->symbol, number);
  int64_t a, b;
  if (!ingot__dim_evaluate(dims, e->a, value, user, &a) || !ingot__dim_evaluate(dims, e->b, value, user, &b)) return false;
  switch (e->kind) {
    case INGOT__DIM_ADD: return !__builtin_add_overflow(a, b, number);
    case INGOT__DIM_MUL: return !__builtin_mul_overflow(a, b, number);
    case INGOT__DIM_DIV:
    case INGOT__DIM_MOD:
      if (b == 0 || (a == INT64_MIN && b == -1)) return false;
      *number = e->kind == INGOT__DIM_DIV ? floor_div(a, b) : floor_mod(a, b);
      return true;
    case INGOT__DIM_MIN: *number = a < b ? a : b; return true;
    case INGOT__DIM_MAX: *number = a > b ? a : b; return true;
    default: return false;
  }
}
