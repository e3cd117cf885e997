/* Dims: numbers, or expressions over named symbols. Expressions are interned in a table, so equal ones have equal handles.
 *
 * Expressions are kept as sums of products with integer coefficients, sorted and with equal terms collected; divisions, remainders, minima
 * and maxima that can't be resolved are factors in them like symbols. So N*4/4, N+N-N and N are one handle. Symbols are taken to be >= 1
 * (max(N, 1) is N), and what is divided by is taken not to be 0 (N*C/N is C). */
#ifndef INGOT_IR_DIM_H
#define INGOT_IR_DIM_H
#include "base/mem.h"

/* A number is itself; the lowest INGOT__MAX_DIMS values above INT64_MIN are expressions' handles; INT64_MIN is INGOT__DIM_UNKNOWN. Negative
 * numbers appear as elements of shape tensors (the -1 of Reshape); those in the handles' range saturate just above it. So numbers need
 * no table, and `dims` may be NULL in every function below as long as all arguments are numbers: that is how shapes are inferred at run
 * time. A dim of a tensor is a number exactly when it is >= 0; read elements with ingot__dim_value, make them with ingot__dim_number. */
typedef int64_t ingot__dim;
enum { INGOT__MAX_DIMS = 65536, INGOT__MAX_DIM_SIZE = 1024 }; /* expressions in a table; nodes of one written out as a tree */
#define INGOT__DIM_UNKNOWN INT64_MIN /* depends on data; equal to nothing, not even itself */
static inline bool ingot__dim_is_number(ingot__dim d) { return d >= 0; }

typedef enum ingot__dim_kind {
  INGOT__DIM_SYMBOL, INGOT__DIM_ADD, INGOT__DIM_MUL, INGOT__DIM_DIV /* floor */, INGOT__DIM_MOD /* sign of divisor */,
  INGOT__DIM_MIN, INGOT__DIM_MAX
} ingot__dim_kind;
typedef struct ingot__dim_expr {
  ingot__dim_kind kind;
  uint32_t size;       /* nodes of its tree: bounds depth and time of evaluation */
  uint32_t next;       /* index + 1 of the next in its hash bucket */
  const char *symbol;  /* SYMBOL */
  ingot__dim a, b;     /* ADD: b is one term. MUL: b is a number or a factor. Numbers or earlier expressions */
} ingot__dim_expr;

typedef struct ingot__dims {
  ingot__arena *arena;
  ingot__dim_expr *expr;
  size_t count, capacity;
  uint32_t *bucket;    /* index + 1 */
  size_t n_bucket;     /* a power of two */
  bool failed; /* memory ran out: results are INGOT__DIM_UNKNOWN from then on; check once at the end */
} ingot__dims;

void ingot__dims_init(ingot__dims *dims, ingot__arena *arena);
ingot__dim ingot__dim_symbol(ingot__dims *dims, const char *name);  /* the same handle for the same name */
ingot__dim ingot__dim_number(ingot__dims *dims, int64_t number);    /* any number; dims may be NULL */
/* dims may be NULL where both arguments are numbers. INGOT__DIM_UNKNOWN when an argument is, on division by 0, on overflow of a
 * coefficient, and when an expression or the table would grow too large. */
ingot__dim ingot__dim_add(ingot__dims *dims, ingot__dim a, ingot__dim b);
ingot__dim ingot__dim_sub(ingot__dims *dims, ingot__dim a, ingot__dim b);
ingot__dim ingot__dim_mul(ingot__dims *dims, ingot__dim a, ingot__dim b);
ingot__dim ingot__dim_div(ingot__dims *dims, ingot__dim a, ingot__dim b); /* floor */
ingot__dim ingot__dim_mod(ingot__dims *dims, ingot__dim a, ingot__dim b);
ingot__dim ingot__dim_min(ingot__dims *dims, ingot__dim a, ingot__dim b);
ingot__dim ingot__dim_max(ingot__dims *dims, ingot__dim a, ingot__dim b);
/* True and the number where d is one, negative ones too; dims may be NULL. */
bool ingot__dim_value(const ingot__dims *dims, ingot__dim d, int64_t *number);
/* Puts numbers for symbols: value(user, symbol, &number) returns false where it has none. False if any is missing or on overflow. */
bool ingot__dim_evaluate(const ingot__dims *dims, ingot__dim d, bool (*value)(void *user, const char *symbol, int64_t *number), void *user,
                         int64_t *number);
/* "3", "N", "N*4+1", "(N+1)/2", "N%8", "min(N,8)", "?"; returns text, cut off at size. Symbols that aren't identifiers are in quotes. */
char *ingot__dim_text(const ingot__dims *dims, ingot__dim d, char *text, size_t size);
/* Reads such a text from *cursor, which is left after it, at most to `end`; false when there is none. */
bool ingot__dim_parse(ingot__dims *dims, const char **cursor, const char *end, ingot__dim *d);
/* Makes `to`, fresh from ingot__dims_init, the same table with the same handles; false when memory runs out. */
bool ingot__dims_copy(ingot__dims *to, const ingot__dims *from);

/* For the files dim*.c */
#define INGOT__DIM_FIRST (INT64_MIN + 1) /* the handle of expression 0 */
static inline bool ingot__dim_is_expr(ingot__dim d) { return d >= INGOT__DIM_FIRST && d < INGOT__DIM_FIRST + INGOT__MAX_DIMS; }
static inline const ingot__dim_expr *ingot__dim_get(const ingot__dims *dims, ingot__dim d) { return &dims->expr[d - INGOT__DIM_FIRST]; }
/* < 0, 0, > 0: an order by structure and names, not by handles, so that the same network always has the same text. */
int ingot__dim_order(const ingot__dims *dims, ingot__dim a, ingot__dim b);
/* The handle of an expression as it is, no simplification; a symbol has a = b = 0. */
ingot__dim ingot__dim_intern(ingot__dims *dims, ingot__dim_kind kind, const char *symbol, ingot__dim a, ingot__dim b);
#endif
