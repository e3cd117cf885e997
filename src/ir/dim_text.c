/* Dims as text and back. Operators are +, -, *, / (floor), % with the usual precedence; min(a,b), max(a,b); ? is unknown. */
#include "ir/dim.h"
#include "ir/quote.h"
#include <string.h>

typedef struct writer { char *text; size_t size, length; } writer;

static void put(writer *w, char c) {
  if (w->length + 1 < w->size) w->text[w->length++] = c;
}
static void puts_(writer *w, const char *s) {
  while (*s) put(w, *s++);
}
static void put_number(writer *w, int64_t v) {
  char digits[24];
  int n = 0;
  uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
  do digits[n++] = (char)('0' + u % 10);
  while (u /= 10);
  if (v < 0) put(w, '-');
  while (n) put(w, digits[--n]);
}

static void put_symbol(writer *w, const char *s) {
  if (ingot__is_plain_name(s, false) && strcmp(s, "min") && strcmp(s, "max")) {
    puts_(w, s);
    return;
  }
  put(w, '"');
  for (; *s; s++) {
    char c[4];
    size_t n = ingot__quote_char(*s, c);
    for (size_t i = 0; i < n; i++) put(w, c[i]);
  }
  put(w, '"');
}

/* Whether its text begins with a minus. */
static bool is_negative(const ingot__dims *dims, ingot__dim d) {
  if (!ingot__dim_is_expr(d)) return d < 0 && d != INGOT__DIM_UNKNOWN;
  const ingot__dim_expr *e = ingot__dim_get(dims, d);
  return e->kind == INGOT__DIM_MUL && !ingot__dim_is_expr(e->b) && e->b < 0;
}

typedef enum place { IN_SUM, IN_PRODUCT, AS_DIVIDEND, AS_DIVISOR } place;

static void put_dim(writer *w, const ingot__dims *dims, ingot__dim d, place where) {
  if (d == INGOT__DIM_UNKNOWN || (!dims && ingot__dim_is_expr(d))) {
    put(w, '?');
    return;
  }
  if (!ingot__dim_is_expr(d)) {
    bool bracket = d < 0 && (where == AS_DIVISOR || where == AS_DIVIDEND);
    if (bracket) put(w, '(');
    put_number(w, d);
    if (bracket) put(w, ')');
    return;
  }
  const ingot__dim_expr *e = ingot__dim_get(dims, d);
  bool bracket = (e->kind == INGOT__DIM_ADD && where != IN_SUM) || (e->kind == INGOT__DIM_MUL && where == AS_DIVISOR) ||
                 (where == AS_DIVIDEND && is_negative(dims, d)) ||
                 ((e->kind == INGOT__DIM_DIV || e->kind == INGOT__DIM_MOD) && (where == IN_PRODUCT || where == AS_DIVISOR));
  if (bracket) put(w, '(');
  switch (e->kind) {
    case INGOT__DIM_SYMBOL: put_symbol(w, e->symbol); break;
    case INGOT__DIM_ADD:
      put_dim(w, dims, e->a, IN_SUM);
      if (!is_negative(dims, e->b)) put(w, '+');
      put_dim(w, dims, e->b, IN_SUM);
      break;
    case INGOT__DIM_MUL:
      if (!ingot__dim_is_expr(e->b) && e->b < 0) put(w, '-'); /* -N*4 for N*-4 */
      put_dim(w, dims, e->a, IN_PRODUCT);
      if (e->b == -1) break;
      put(w, '*');
      if (ingot__dim_is_expr(e->b)) put_dim(w, dims, e->b, IN_PRODUCT);
      else put_number(w, e->b < 0 ? -e->b : e->b);
      break;
    case INGOT__DIM_DIV:
    case INGOT__DIM_MOD:
      put_dim(w, dims, e->a, AS_DIVIDEND);
      put(w, e->kind == INGOT__DIM_DIV ? '/' : '%');
      put_dim(w, dims, e->b, AS_DIVISOR);
      break;
    case INGOT__DIM_MIN:
    case INGOT__DIM_MAX:
      puts_(w, e->kind == INGOT__DIM_MIN ? "min(" : "max(");
      put_dim(w, dims, e->a, IN_SUM);
      put(w, ',');
      put_dim(w, dims, e->b, IN_SUM);
      put(w, ')');
      break;
  }
  if (bracket) put(w, ')');
}

char *ingot__dim_text(const ingot__dims *dims, ingot__dim d, char *text, size_t size) {
  writer w = {text, size, 0};
  if (!size) return text;
  put_dim(&w, dims, d, IN_SUM);
  text[w.length] = 0;
  return text;
}

/* ---- Reading */

typedef struct reader {
  ingot__dims *dims;
  const char *p, *end;
  int depth;
  bool ok;
} reader;

static char peek(reader *r) {
  while (r->p < r->end && (*r->p == ' ' || *r->p == '\t')) r->p++;
  return r->p < r->end ? *r->p : 0;
}
static bool take(reader *r, char c) {
  if (peek(r) != c) return false;
  r->p++;
  return true;
}
static ingot__dim fail(reader *r) {
  r->ok = false;
  return INGOT__DIM_UNKNOWN;
}

static ingot__dim read_sum(reader *r);

/* In a function of its own so that the recursion doesn't carry the buffer. */
__attribute__((noinline)) static ingot__dim read_symbol(reader *r, bool *min, bool *max) {
  char name[4096];
  size_t n = 0;
  if (*r->p == '"') return ingot__unquote(&r->p, r->end, name, sizeof name, NULL) && *name ? ingot__dim_symbol(r->dims, name) : fail(r);
  for (; r->p < r->end && ingot__is_name_char(*r->p); r->p++) {
    if (n + 1 == sizeof name) return fail(r);
    name[n++] = *r->p;
  }
  name[n] = 0;
  *min = strcmp(name, "min") == 0;
  *max = strcmp(name, "max") == 0;
  return *min || *max ? 0 : ingot__dim_symbol(r->dims, name);
}

static ingot__dim read_factor(reader *r) {
  char c = peek(r);
  if (!r->ok || r->depth >= 64) return fail(r);
  if (c >= '0' && c <= '9') {
    int64_t v = 0;
    for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++) {
      if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *r->p - '0', &v)) return fail(r);
    }
    return v;
  }
  ingot__dim d;
  if (take(r, '?')) return INGOT__DIM_UNKNOWN;
  r->depth++;
  if (take(r, '-')) {
    d = ingot__dim_sub(r->dims, 0, read_factor(r));
  } else if (take(r, '(')) {
    d = read_sum(r);
    if (!take(r, ')')) fail(r);
  } else if (c == '"' || ingot__is_name_start(c)) {
    bool min = false, max = false;
    d = read_symbol(r, &min, &max);
    if (min || max) {
      if (!take(r, '(')) return fail(r);
      ingot__dim a = read_sum(r);
      if (!take(r, ',')) return fail(r);
      ingot__dim b = read_sum(r);
      if (!take(r, ')')) return fail(r);
      d = min ? ingot__dim_min(r->dims, a, b) : ingot__dim_max(r->dims, a, b);
    }
  } else {
    return fail(r);
  }
  r->depth--;
  return d;
}

static ingot__dim read_product(reader *r) {
  ingot__dim d = read_factor(r);
  while (r->ok) {
    if (take(r, '*')) d = ingot__dim_mul(r->dims, d, read_factor(r));
    else if (take(r, '/')) d = ingot__dim_div(r->dims, d, read_factor(r));
    else if (take(r, '%')) d = ingot__dim_mod(r->dims, d, read_factor(r));
    else break;
  }
  return d;
}

static ingot__dim read_sum(reader *r) {
  ingot__dim d = read_product(r);
  while (r->ok) {
    if (take(r, '+')) d = ingot__dim_add(r->dims, d, read_product(r));
    else if (take(r, '-')) d = ingot__dim_sub(r->dims, d, read_product(r));
    else break;
  }
  return d;
}

bool ingot__dim_parse(ingot__dims *dims, const char **cursor, const char *end, ingot__dim *d) {
  reader r = {dims, *cursor, end, 0, true};
  ingot__dim result = read_sum(&r);
  if (!r.ok) return false;
  *cursor = r.p;
  *d = result;
  return true;
}
