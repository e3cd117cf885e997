/* Networks as text:
 *
 *   network {
 *     input x: float32[N,3,224,224]
 *     const w: float32[8,3,3,3] = random(7)
 *     const axes: int64[2] = {2, 3}
 *     y: float32[N,8,224,224] = Conv(x, w) {pads=[1, 1, 1, 1] act=Relu}
 *     @split_1 a, b = Split(y, _) {axis=1 num_outputs=2} from "split, slice_3"
 *     z = If(c) {then_branch={
 *       output a
 *     } else_branch=named {
 *       input i: int64[]
 *       ...
 *     }}
 *     output z
 *   }
 *
 * A node's name stands behind @ where it isn't its first output's. Types may be left out; float32[*] has an unknown rank, ? is an unknown
 * dim, "sequence", "optional" or "optional sequence" may stand before. Attributes that have their default are left out. _ is an input left
 * out or an output nobody wants. Names that aren't identifiers (with slashes), or are words of this language, are in quotes. # begins a comment. */
#include "ir/elements.h"
#include "ir/network.h"
#include "ir/quote.h"
#include <inttypes.h>
#include <stdio.h>

enum { WHOLE = 64 }; /* elements of a constant that is printed whole */

typedef struct printer {
  const ingot__network *network;
  int (*write)(void *user, const char *text, size_t n);
  void *user;
  uint32_t *first_const, *next_const; /* by graph id, by value id; id + 1 */
  int indent;
  bool failed;
  size_t length;
  char text[4096];
} printer;

static void flush(printer *p) {
  if (p->length && !p->failed && p->write(p->user, p->text, p->length) != 0) p->failed = true;
  p->length = 0;
}
static void put(printer *p, char c) {
  if (p->length == sizeof p->text) flush(p);
  p->text[p->length++] = c;
}
static void text(printer *p, const char *s) {
  while (*s) put(p, *s++);
}
static void new_line(printer *p) {
  put(p, '\n');
  for (int i = 0; i < p->indent; i++) text(p, "  ");
}

static void quoted_bytes(printer *p, const char *s, size_t size) {
  put(p, '"');
  for (size_t k = 0; k < size; k++) {
    char c[4];
    size_t n = ingot__quote_char(s[k], c);
    for (size_t i = 0; i < n; i++) put(p, c[i]);
  }
  put(p, '"');
}
static void quoted(printer *p, const char *s) { quoted_bytes(p, s, strlen(s)); }

static void name(printer *p, const char *s) {
  static const char *const words[] = {"network", "input", "output", "const", "from", "random", "sequence", "optional"};
  bool plain = ingot__is_plain_name(s, true);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) plain = plain && strcmp(s, words[i]) != 0;
  if (plain) text(p, s);
  else quoted(p, s);
}

static void int_(printer *p, int64_t v) {
  char s[24];
  snprintf(s, sizeof s, "%" PRId64, v);
  text(p, s);
}
static void float_(printer *p, float v) {
  char s[INGOT__ELEMENT_TEXT];
  ingot__double_text((double)v, 9, s);
  text(p, s);
}

static void type(printer *p, const ingot__type *t) {
  if (t->kind == INGOT__OPTIONAL || t->kind == INGOT__OPTIONAL_SEQUENCE) text(p, "optional ");
  if (t->kind == INGOT__SEQUENCE || t->kind == INGOT__OPTIONAL_SEQUENCE) text(p, "sequence ");
  text(p, ingot_dtype_name(t->dtype));
  put(p, '[');
  if (t->rank < 0) put(p, '*');
  for (int i = 0; i < t->rank; i++) {
    char s[4096];
    if (i) put(p, ',');
    ingot__dim_text(&p->network->dims, t->dim[i], s, sizeof s);
    text(p, strlen(s) + 1 < sizeof s ? s : "?"); /* cut off */
  }
  put(p, ']');
}

static void elements(printer *p, ingot_dtype dtype, const void *data, size_t n, const char *key) {
  bool numbers = dtype != INGOT_STRING && dtype != INGOT_COMPLEX64 && dtype != INGOT_COMPLEX128 && dtype != INGOT_UNDEFINED;
  char s[INGOT__ELEMENT_TEXT];
  uint32_t seed;
  if (dtype == INGOT_STRING || (numbers && n <= WHOLE)) {
    put(p, '{');
    for (size_t i = 0; i < n; i++) {
      if (i) text(p, ", ");
      if (numbers) {
        ingot__element_text(dtype, data, i, s);
        text(p, s);
      } else {
        const ingot_string *s = (const ingot_string *)data + i;
        quoted_bytes(p, s->data, s->size);
      }
    }
    put(p, '}');
    return;
  }
  if (!numbers || !ingot__random_seed(dtype, data, n, &seed)) { /* any, but always the same: from its name */
    seed = 2166136261u;
    for (; *key; key++) seed = (seed ^ (unsigned char)*key) * 16777619u;
    seed = (seed ^ seed >> 20) & INGOT__MAX_SEED;
  }
  text(p, "random(");
  int_(p, seed);
  put(p, ')');
}

static void graph(printer *p, const ingot__graph *g);

static bool is_default(const ingot__attr_info *a, const void *field) {
  switch (a->type) {
    case INGOT__ATTR_INT: return *(const int64_t *)field == a->default_int;
    case INGOT__ATTR_FLOAT: return memcmp(field, &a->default_float, sizeof(float)) == 0;
    case INGOT__ATTR_STRING: return strcmp(*(const char *const *)field, a->default_string) == 0;
    case INGOT__ATTR_INTS: return ((const ingot__ints *)field)->n == 0;
    case INGOT__ATTR_FLOATS: return ((const ingot__floats *)field)->n == 0;
    case INGOT__ATTR_STRINGS: return ((const ingot__strings *)field)->n == 0;
    case INGOT__ATTR_TENSOR: return !((const ingot__literal *)field)->data;
    case INGOT__ATTR_GRAPH: return !*(ingot__graph *const *)field;
  }
  return true;
}

static void literal(printer *p, const ingot__literal *l, const char *key) {
  ingot__type t = {.dtype = l->dtype, .rank = (int8_t)l->rank};
  size_t n;
  for (int i = 0; i < l->rank; i++) t.dim[i] = l->dim[i];
  type(p, &t);
  if (ingot__type_count(&t, &n)) elements(p, l->dtype, l->data, n, key);
}

static void attribute(printer *p, const ingot__attr_info *a, const void *field) {
  text(p, a->name);
  put(p, '=');
  switch (a->type) {
    case INGOT__ATTR_INT: {
      int64_t v = *(const int64_t *)field;
      bool is_type = strcmp(a->name, "to") == 0 || strcmp(a->name, "dtype") == 0 || strcmp(a->name, "output_dtype") == 0;
      if (strcmp(a->name, "act") == 0 && v >= 0 && v < INGOT__ACT_COUNT) text(p, ingot__act_name((ingot__act)v));
      else if (is_type && v > 0 && v < 64 && ingot_dtype_bits((ingot_dtype)v)) text(p, ingot_dtype_name((ingot_dtype)v));
      else int_(p, v);
      break;
    }
    case INGOT__ATTR_FLOAT: float_(p, *(const float *)field); break;
    case INGOT__ATTR_STRING: quoted(p, *(const char *const *)field); break;
    case INGOT__ATTR_INTS:
    case INGOT__ATTR_FLOATS:
    case INGOT__ATTR_STRINGS: {
      size_t n = a->type == INGOT__ATTR_INTS ? ((const ingot__ints *)field)->n : a->type == INGOT__ATTR_FLOATS ? ((const ingot__floats *)field)->n
                                                                                                : ((const ingot__strings *)field)->n;
      put(p, '[');
      for (size_t i = 0; i < n; i++) {
        if (i) text(p, ", ");
        if (a->type == INGOT__ATTR_INTS) int_(p, ((const ingot__ints *)field)->v[i]);
        else if (a->type == INGOT__ATTR_FLOATS) float_(p, ((const ingot__floats *)field)->v[i]);
        else quoted(p, ((const ingot__strings *)field)->v[i]);
      }
      put(p, ']');
      break;
    }
    case INGOT__ATTR_TENSOR: literal(p, field, a->name); break;
    case INGOT__ATTR_GRAPH: {
      const ingot__graph *g = *(ingot__graph *const *)field;
      if (*g->name) {
        name(p, g->name);
        put(p, ' ');
      }
      graph(p, g);
      break;
    }
  }
}

static void node(printer *p, const ingot__node *n) {
  const ingot__op_info *info = ingot__op_get(n->op);
  new_line(p);
  if (!n->n_out || !n->out[0] || strcmp(n->out[0]->name, n->name) != 0) {
    put(p, '@');
    name(p, n->name);
    put(p, ' ');
  }
  for (size_t i = 0; i < n->n_out; i++) {
    const ingot__value *v = n->out[i];
    if (i) text(p, ", ");
    if (!v) {
      put(p, '_');
      continue;
    }
    name(p, v->name);
    if (v->type.rank < 0 && v->type.dtype == INGOT_UNDEFINED && v->type.kind == INGOT__TENSOR) continue;
    text(p, ": ");
    type(p, &v->type);
  }
  text(p, n->n_out ? " = " : "= ");
  text(p, info->name);
  put(p, '(');
  for (size_t i = 0; i < n->n_in; i++) {
    if (i) text(p, ", ");
    if (n->in[i]) name(p, n->in[i]->name);
    else put(p, '_');
  }
  put(p, ')');
  bool any = false;
  for (size_t i = 0; i < info->n_attr; i++) {
    const void *field = (const char *)n->attrs + info->attr[i].offset;
    if (is_default(&info->attr[i], field)) continue;
    text(p, any ? " " : " {");
    attribute(p, &info->attr[i], field);
    any = true;
  }
  if (any) put(p, '}');
  if (n->origin) {
    text(p, " from ");
    quoted(p, n->origin);
  }
}

static void graph(printer *p, const ingot__graph *g) { /* recurses INGOT__MAX_GRAPH_DEPTH deep at most */
  put(p, '{');
  p->indent++;
  for (size_t i = 0; i < g->n_input; i++) {
    new_line(p);
    text(p, "input ");
    name(p, g->input[i]->name);
    text(p, ": ");
    type(p, &g->input[i]->type);
  }
  for (uint32_t id = p->first_const[g->id]; id; id = p->next_const[id - 1]) {
    const ingot__value *v = p->network->value[id - 1];
    size_t n;
    new_line(p);
    text(p, "const ");
    name(p, v->name);
    text(p, ": ");
    type(p, &v->type);
    text(p, " = ");
    if (!ingot__type_count(&v->type, &n)) n = 0;
    elements(p, v->type.dtype, v->data, n, v->name);
  }
  for (const ingot__node *n = g->first; n && !p->failed; n = n->next) node(p, n);
  for (size_t i = 0; i < g->n_output; i++) {
    new_line(p);
    text(p, "output ");
    name(p, g->output[i]->name);
  }
  p->indent--;
  new_line(p);
  put(p, '}');
}

ingot_status ingot__network_print(const ingot__network *n, int (*write)(void *user, const char *text, size_t n), void *user) {
  ingot__heap *heap = (ingot__heap *)(uintptr_t)&n->heap; /* the count of bytes is all that changes */
  ingot_status status = INGOT_E_MEMORY;
  size_t graphs = n->n_graph, values = n->n_value;
  printer *p = ingot__alloc(heap, sizeof *p);
  uint32_t *first = ingot__calloc(heap, graphs, sizeof *first), *next = ingot__calloc(heap, values, sizeof *next);
  if (p && first && next) {
    *p = (printer){.network = n, .write = write, .user = user, .first_const = first, .next_const = next};
    for (size_t i = values; i-- > 0;) {
      const ingot__value *v = n->value[i];
      if (!v || !v->data || v->graph->removed) continue;
      next[i] = first[v->graph->id];
      first[v->graph->id] = (uint32_t)i + 1;
    }
    text(p, "network ");
    graph(p, n->main);
    put(p, '\n');
    flush(p);
    status = p->failed ? INGOT_E_IO : INGOT_OK;
  }
  ingot__free(heap, first, graphs * sizeof *first);
  ingot__free(heap, next, values * sizeof *next);
  ingot__free(heap, p, sizeof *p);
  return status;
}
