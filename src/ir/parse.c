/* Networks from text; the language is described in ir/print.c. Anything may come in: the first thing that is wrong ends the reading, with
 * its line. */
#include "ir/elements.h"
#include "ir/network.h"
#include "ir/quote.h"
#include <stdio.h>

enum { MAX_TEXT_DATA = 1 << 30 }; /* bytes of constants, since a short text can ask for any */

typedef struct list { void **v; size_t n, capacity; } list;

typedef struct parser {
  ingot__network *network;
  ingot__diag *diag;
  const char *p, *end;
  unsigned line;
  ingot_status status;
  size_t data_left;
  ingot__node *open[INGOT__MAX_GRAPH_DEPTH]; /* nodes whose subgraphs are being read; their outputs can't be read there */
  size_t n_open;
  list in, out_names, out_types;             /* of the node being read */
} parser;

#define WRONG(p, ...) wrong((p), INGOT_E_FORMAT, __VA_ARGS__)
__attribute__((format(printf, 3, 4))) static bool wrong(parser *p, ingot_status status, const char *format, ...) {
  if (p->status != INGOT_OK) return false;
  char where[32];
  va_list args;
  snprintf(where, sizeof where, "line %u", p->line);
  va_start(args, format);
  p->status = ingot__vfail(p->diag, status, where, format, args);
  va_end(args);
  return false;
}
static bool no_memory(parser *p) {
  if (p->status == INGOT_OK) p->status = ingot__no_memory(p->diag);
  return false;
}

static bool append(parser *p, list *l, void *item) {
  if (!ingot__arena_grow(&p->network->arena, (void **)&l->v, &l->capacity, l->n + 1, sizeof *l->v)) return no_memory(p);
  l->v[l->n++] = item;
  return true;
}

/* ---- Characters and words */

static char peek(parser *p) { /* the next that is no space; 0 at the end */
  for (; p->p < p->end; p->p++) {
    char c = *p->p;
    if (c == '#') {
      while (p->p < p->end && *p->p != '\n') p->p++;
      if (p->p == p->end) break;
      c = '\n';
    }
    if (c == '\n') p->line++;
    else if (c != ' ' && c != '\t' && c != '\r') return c;
  }
  return 0;
}
static bool take(parser *p, char c) {
  if (peek(p) != c || c == 0) return false;
  p->p++;
  return true;
}
static bool need(parser *p, char c) {
  if (take(p, c)) return true;
  char found = peek(p);
  if (!found) return WRONG(p, "'%c' is missing at the end of the text", c);
  int n = 0; /* what stands there instead, to the end of the line */
  while (n < 20 && n < p->end - p->p && p->p[n] != '\n' && p->p[n]) n++;
  return WRONG(p, "'%c' is missing before '%.*s'", c, n, p->p);
}

/* The word at the cursor, of n bytes; 0: there is none. */
static size_t word(parser *p, bool slashes) {
  size_t n = 0, left = 0;
  char c = peek(p);
  if (!ingot__is_name_start(c) && !(slashes && c == '/')) return 0;
  left = (size_t)(p->end - p->p);
  while (n < left && (ingot__is_name_char(p->p[n]) || (slashes && p->p[n] == '/'))) n++;
  return n;
}
static bool is_word(parser *p, const char *text) { return word(p, true) == strlen(text) && memcmp(p->p, text, strlen(text)) == 0; }
static bool take_word(parser *p, const char *text) {
  if (!is_word(p, text)) return false;
  p->p += strlen(text);
  return true;
}

/* A string in the arena, from the quote at the cursor on. Without length it must hold no zeros. */
static bool read_quoted(parser *p, const char **string, size_t *length) {
  const char *close = p->p + 1; /* so that the copy isn't larger than it need be */
  while (close < p->end && *close != '"' && *close != '\n') close += *close == '\\' && p->end - close > 1 ? 2 : 1;
  size_t room = (size_t)(close - p->p) + 1;
  char *text = ingot__arena_alloc(&p->network->arena, room);
  if (!text) return no_memory(p);
  if (!ingot__unquote(&p->p, p->end, text, room, length)) return WRONG(p, "a string without an end or with an unknown escape");
  *string = text;
  return true;
}

/* A name or string in the arena. *name is NULL for _ alone. */
static bool read_name(parser *p, const char **name, bool only_quoted) {
  if (peek(p) == '"') return read_quoted(p, name, NULL);
  size_t n = only_quoted ? 0 : word(p, true);
  if (!n) return WRONG(p, only_quoted ? "a string in quotes is missing" : "a name is missing");
  *name = NULL;
  if (n > 1 || *p->p != '_') {
    if (!(*name = ingot__arena_stringn(&p->network->arena, p->p, n))) return no_memory(p);
  }
  p->p += n;
  return true;
}

/* A number, or a word like inf or true, as text. */
static bool read_number(parser *p, char text[INGOT__ELEMENT_TEXT]) {
  size_t n = 0;
  peek(p);
  while (p->p < p->end && (ingot__is_name_char(*p->p) || *p->p == '-' || *p->p == '+')) {
    if (n + 1 == INGOT__ELEMENT_TEXT) return WRONG(p, "a number is too long");
    text[n++] = *p->p++;
  }
  text[n] = 0;
  return n || WRONG(p, "a number is missing");
}

static bool read_int(parser *p, int64_t *v) {
  char text[INGOT__ELEMENT_TEXT];
  if (!read_number(p, text)) return false;
  return ingot__element_parse(INGOT_INT64, v, 0, text) || WRONG(p, "%s is no whole number of 64 bits", text);
}

static bool read_float(parser *p, float *v) {
  char text[INGOT__ELEMENT_TEXT];
  if (!read_number(p, text)) return false;
  return ingot__element_parse(INGOT_FLOAT32, v, 0, text) || WRONG(p, "%s is no number", text);
}

/* ---- Types and data */

static bool read_dtype(parser *p, ingot_dtype *dtype) {
  char name[32];
  size_t n = word(p, false);
  if (!n || n >= sizeof name) return WRONG(p, "a data type is missing");
  memcpy(name, p->p, n);
  name[n] = 0;
  *dtype = ingot__dtype_parse(name);
  if (*dtype == INGOT_UNDEFINED && strcmp(name, "undefined")) return WRONG(p, "there is no data type %s", name);
  p->p += n;
  return true;
}

static bool read_type(parser *p, ingot__type *type) {
  *type = (ingot__type){.rank = 0};
  if (take_word(p, "optional")) type->kind = take_word(p, "sequence") ? INGOT__OPTIONAL_SEQUENCE : INGOT__OPTIONAL;
  else if (take_word(p, "sequence")) type->kind = INGOT__SEQUENCE;
  if (!read_dtype(p, &type->dtype) || !need(p, '[')) return false;
  if (take(p, '*')) {
    type->rank = -1;
    return need(p, ']');
  }
  if (take(p, ']')) return true;
  do {
    ingot__dim d;
    if (type->rank == INGOT_MAX_RANK) return wrong(p, INGOT_E_LIMIT, "more than %d dims", INGOT_MAX_RANK);
    peek(p);
    if (!ingot__dim_parse(&p->network->dims, &p->p, p->end, &d)) return p->network->dims.failed ? no_memory(p) : WRONG(p, "a dim is missing");
    if (p->network->dims.failed) return no_memory(p);
    if (d < 0 && !ingot__dim_is_expr(d) && d != INGOT__DIM_UNKNOWN) return WRONG(p, "a dim is below 0");
    type->dim[type->rank++] = d;
  } while (take(p, ','));
  return need(p, ']');
}

static bool read_strings(parser *p, size_t n, const void **data, size_t *bytes) {
  if (n > (size_t)(p->end - p->p)) return WRONG(p, "%zu strings are missing", n);
  ingot_string *v = INGOT_NEW_ARRAY(&p->network->arena, n, ingot_string);
  if (!v) return no_memory(p);
  if (!need(p, '{')) return false;
  for (size_t i = 0; i < n; i++) {
    if (i && !need(p, ',')) return false;
    if (peek(p) != '"') return WRONG(p, "a string in quotes is missing");
    if (!read_quoted(p, &v[i].data, &v[i].size)) return false;
  }
  *data = v;
  *bytes = n * sizeof *v;
  return need(p, '}');
}

/* {1, 2} or random(7). */
static bool read_data(parser *p, const ingot__type *type, const void **data, size_t *bytes) {
  size_t n;
  char text[INGOT__ELEMENT_TEXT];
  int64_t seed;
  if (!ingot__type_count(type, &n)) return WRONG(p, "a constant's dims must be numbers, with a product that can be stored");
  if (type->dtype == INGOT_STRING) return read_strings(p, n, data, bytes);
  if (!ingot__dtype_bytes(type->dtype, n, bytes)) return WRONG(p, "constants of type %s have no text", ingot_dtype_name(type->dtype));
  if (*bytes > p->data_left) return wrong(p, INGOT_E_LIMIT, "more than %d bytes of constants", MAX_TEXT_DATA);
  p->data_left -= *bytes;
  bool random = take_word(p, "random"), complex = type->dtype == INGOT_COMPLEX64 || type->dtype == INGOT_COMPLEX128;
  if (!random && n > (size_t)(p->end - p->p)) return WRONG(p, "%zu elements are missing", n);
  void *v = ingot__arena_alloc(&p->network->arena, *bytes);
  if (!v) return no_memory(p);
  *data = v;
  if (random) {
    if (!need(p, '(') || !read_int(p, &seed) || !need(p, ')')) return false;
    if (seed < 0 || seed > INGOT__MAX_SEED) return WRONG(p, "a seed is 0 to %d", INGOT__MAX_SEED);
    for (size_t i = 0; i < n && !complex; i++) ingot__random_element(type->dtype, v, i, i, (uint32_t)seed);
    return true;
  }
  if (complex) return WRONG(p, "constants of type %s have no text", ingot_dtype_name(type->dtype));
  if (!need(p, '{')) return false;
  for (size_t i = 0; i < n; i++) {
    if ((i && !need(p, ',')) || !read_number(p, text)) return false;
    if (!ingot__element_parse(type->dtype, v, i, text)) return WRONG(p, "%s is no %s", text, ingot_dtype_name(type->dtype));
  }
  return need(p, '}');
}

/* ---- Attributes */

static bool read_graph(parser *p, ingot__graph *g);

static bool read_list(parser *p, const ingot__attr_info *a, void *field) {
  list items = {0}; /* int64_t and float fit a pointer's place */
  _Static_assert(sizeof(void *) >= sizeof(int64_t), "lists hold 64-bit numbers in pointers' places");
  if (!need(p, '[')) return false;
  while (!take(p, ']')) {
    const char *text;
    if (items.n && !need(p, ',')) return false;
    if (!append(p, &items, NULL)) return false;
    if (a->type == INGOT__ATTR_INTS) {
      int64_t v;
      if (!read_int(p, &v)) return false;
      ((int64_t *)(void *)items.v)[items.n - 1] = v;
    } else if (a->type == INGOT__ATTR_FLOATS) {
      float v; /* half as large as a place: fills from the front */
      if (!read_float(p, &v)) return false;
      ((float *)(void *)items.v)[items.n - 1] = v;
    } else {
      if (!read_name(p, &text, true)) return false;
      items.v[items.n - 1] = (void *)(uintptr_t)text;
    }
  }
  if (a->type == INGOT__ATTR_INTS) *(ingot__ints *)field = (ingot__ints){items.n, (const int64_t *)(void *)items.v};
  else if (a->type == INGOT__ATTR_FLOATS) *(ingot__floats *)field = (ingot__floats){items.n, (const float *)(void *)items.v};
  else *(ingot__strings *)field = (ingot__strings){items.n, (const char *const *)(void *)items.v};
  return true;
}

static bool read_word_int(parser *p, const ingot__attr_info *a, int64_t *v) { /* activations and data types by name */
  char text[INGOT__ELEMENT_TEXT];
  ingot__act act;
  if (!read_number(p, text)) return false;
  if (strcmp(a->name, "act") == 0) {
    if (!ingot__act_find(text, &act)) return WRONG(p, "there is no activation %s", text);
    *v = act;
  } else {
    *v = ingot__dtype_parse(text);
    if (*v == INGOT_UNDEFINED) return WRONG(p, "%s is neither a number nor a data type", text);
  }
  return true;
}

static bool read_attribute(parser *p, ingot__node *node) {
  char key[64];
  size_t n = word(p, false);
  if (!n || n >= sizeof key) return WRONG(p, "an attribute's name is missing");
  memcpy(key, p->p, n);
  key[n] = 0;
  const ingot__attr_info *a = ingot__attr_find(node->op, key);
  if (!a) return WRONG(p, "%s has no attribute %s", ingot__op_get(node->op)->name, key);
  p->p += n;
  void *field = (char *)node->attrs + a->offset;
  if (!need(p, '=')) return false;
  switch (a->type) {
    case INGOT__ATTR_INT: {
      bool is_name = ingot__is_name_start(peek(p));
      if (!(is_name ? read_word_int(p, a, field) : read_int(p, field))) return false;
      int64_t v = *(int64_t *)field;
      if (strcmp(key, "act") == 0 && (v < 0 || v >= INGOT__ACT_COUNT)) return WRONG(p, "there is no activation %lld", (long long)v);
      return true;
    }
    case INGOT__ATTR_FLOAT: return read_float(p, field);
    case INGOT__ATTR_STRING: return read_name(p, field, true);
    case INGOT__ATTR_INTS:
    case INGOT__ATTR_FLOATS:
    case INGOT__ATTR_STRINGS: return read_list(p, a, field);
    case INGOT__ATTR_TENSOR: {
      ingot__type type;
      ingot__literal *l = field;
      size_t bytes;
      const void *data;
      if (!read_type(p, &type) || !read_data(p, &type, &data, &bytes)) return false;
      *l = (ingot__literal){.dtype = type.dtype, .rank = type.rank, .data = data, .bytes = bytes};
      for (int i = 0; i < type.rank; i++) l->dim[i] = type.dim[i];
      return true;
    }
    case INGOT__ATTR_GRAPH: {
      const char *name = NULL;
      if (*(ingot__graph **)field) return WRONG(p, "attribute %s is given twice", key);
      if (peek(p) != '{' && !read_name(p, &name, false)) return false;
      if (p->n_open + 1 >= INGOT__MAX_GRAPH_DEPTH) return wrong(p, INGOT_E_LIMIT, "subgraphs nest deeper than %d", INGOT__MAX_GRAPH_DEPTH);
      ingot__graph *g = ingot__graph_new(p->network, node->graph, name);
      if (!g) return no_memory(p);
      *(ingot__graph **)field = g;
      p->open[p->n_open++] = node;
      bool ok = read_graph(p, g);
      p->n_open--;
      return ok;
    }
  }
  return false;
}

/* ---- Statements */

/* A name for a new value. */
static bool read_new_name(parser *p, const char **name, bool optional) {
  if (!read_name(p, name, false)) return false;
  if (!*name) return optional || WRONG(p, "_ is no name");
  if (!**name) return WRONG(p, "an empty name");
  if (ingot__network_find_value(p->network, *name)) return WRONG(p, "%s is there already", *name);
  return true;
}

static bool read_value(parser *p, const ingot__graph *g, ingot__value **value, bool optional) {
  const char *name;
  *value = NULL;
  if (!read_name(p, &name, false)) return false;
  if (!name) return optional || WRONG(p, "_ stands for no value");
  ingot__value *v = ingot__network_find_value(p->network, name);
  for (size_t i = 0; v && i < p->n_open; i++) {
    if (v->producer == p->open[i]) v = NULL;
  }
  while (v && g && g != v->graph) g = g->outer;
  if (!v || !g) return WRONG(p, "no value %s is known here", name);
  *value = v;
  return true;
}

static bool read_input(parser *p, ingot__graph *g) {
  const char *name;
  ingot__type type;
  if (!read_new_name(p, &name, false) || !need(p, ':') || !read_type(p, &type)) return false;
  return ingot__input_new(g, name, &type) || no_memory(p);
}

static bool read_const(parser *p, ingot__graph *g) {
  const char *name;
  ingot__type type;
  const void *data;
  size_t bytes;
  if (!read_new_name(p, &name, false) || !need(p, ':') || !read_type(p, &type) || !need(p, '=')) return false;
  if (type.kind != INGOT__TENSOR) return WRONG(p, "constants are tensors");
  return read_data(p, &type, &data, &bytes) && (ingot__constant_new(g, name, &type, data, bytes) || no_memory(p));
}

static bool read_output(parser *p, ingot__graph *g) {
  do {
    ingot__value *v;
    if (!read_value(p, g, &v, false)) return false;
    if (v->graph != g) return WRONG(p, "output %s is of an outer graph: put an Identity between", v->name);
    if (!g->outer && v->is_output) return WRONG(p, "%s is an output already", v->name);
    if (!ingot__graph_add_output(g, v)) return no_memory(p);
  } while (take(p, ','));
  return true;
}

static bool read_op(parser *p, ingot__op *op) {
  char name[64];
  size_t n = word(p, false);
  if (!n || n >= sizeof name) return WRONG(p, "an operator's name is missing");
  memcpy(name, p->p, n);
  name[n] = 0;
  if ((*op = ingot__op_find(name)) == INGOT__OP_NONE) return WRONG(p, "there is no operator %s", name);
  p->p += n;
  return true;
}

static bool check_counts(parser *p, const ingot__op_info *info) {
  if (p->in.n < (size_t)info->min_in || (info->max_in >= 0 && p->in.n > (size_t)info->max_in))
    return WRONG(p, "%s can't have %zu inputs", info->name, p->in.n);
  if (p->out_names.n < (size_t)info->min_out || (info->max_out >= 0 && p->out_names.n > (size_t)info->max_out))
    return WRONG(p, "%s can't have %zu outputs", info->name, p->out_names.n);
  if (p->out_names.n > INGOT__MAX_NODE_OUTPUTS) return wrong(p, INGOT_E_LIMIT, "more than %d outputs", INGOT__MAX_NODE_OUTPUTS);
  for (size_t i = 0; i < (size_t)info->min_in && strcmp(info->name, "Loop"); i++) {
    if (!p->in.v[i]) return WRONG(p, "input %zu of %s must not be left out", i, info->name);
  }
  return true;
}

static bool read_node(parser *p, ingot__graph *g) {
  const char *node_name = NULL, *name;
  ingot__op op;
  if (take(p, '@') && !read_name(p, &node_name, false)) return false;
  p->in.n = p->out_names.n = p->out_types.n = 0;
  while (p->out_names.n ? take(p, ',') : peek(p) != '=') {
    ingot__type *type = NULL;
    if (!read_new_name(p, &name, true)) return false;
    if (take(p, ':')) {
      if (!(type = INGOT_NEW(&p->network->arena, ingot__type))) return no_memory(p);
      if (!read_type(p, type)) return false;
    }
    if (!append(p, &p->out_names, (void *)(uintptr_t)(name ? name : "")) || !append(p, &p->out_types, type)) return false;
  }
  if (!need(p, '=') || !read_op(p, &op) || !need(p, '(')) return false;
  while (!take(p, ')')) {
    ingot__value *v;
    if (p->in.n && !need(p, ',')) return false;
    if (!read_value(p, g, &v, true) || !append(p, &p->in, v)) return false;
  }
  const ingot__op_info *info = ingot__op_get(op);
  if (!check_counts(p, info)) return false;
  ingot__node *node = ingot__node_new(g, op, node_name, NULL, (ingot__value **)(void *)p->in.v, p->in.n, p->out_names.n,
                                      (const char *const *)(void *)p->out_names.v);
  if (!node) return no_memory(p);
  for (size_t i = 0; i < node->n_out; i++) {
    const ingot__type *type = p->out_types.v[i];
    if (!node->out[i]) continue;
    if (strcmp(node->out[i]->name, p->out_names.v[i])) return WRONG(p, "%s is there twice", (const char *)p->out_names.v[i]);
    if (type) node->out[i]->type = *type;
  }
  if (take(p, '{')) {
    while (!take(p, '}')) {
      if (!read_attribute(p, node)) return false;
      take(p, ',');
    }
  }
  for (size_t i = 0; i < info->n_attr; i++) {
    if (info->attr[i].type == INGOT__ATTR_GRAPH && !*(ingot__graph **)(void *)((char *)node->attrs + info->attr[i].offset))
      return WRONG(p, "%s needs its attribute %s", info->name, info->attr[i].name);
  }
  return !take_word(p, "from") || read_name(p, &node->origin, true);
}

/* A word that begins a statement, unless it turns out to be a value's name. */
static bool take_statement(parser *p, const char *text) {
  const char *start = p->p;
  unsigned line = p->line;
  if (!take_word(p, text)) return false;
  char next = peek(p);
  if (next != '=' && next != ',' && next != ':') return true;
  p->p = start;
  p->line = line;
  return false;
}

static bool read_graph(parser *p, ingot__graph *g) { /* recurses INGOT__MAX_GRAPH_DEPTH deep at most */
  if (!need(p, '{')) return false;
  while (!take(p, '}')) {
    if (peek(p) == 0) return need(p, '}');
    bool ok = take_statement(p, "input") ? read_input(p, g) : take_statement(p, "const") ? read_const(p, g)
            : take_statement(p, "output") ? read_output(p, g) : read_node(p, g);
    if (!ok) return false;
  }
  return true;
}

ingot_status ingot__network_parse(const ingot_env *env, const char *text, size_t size, ingot__diag *diag, ingot__network **network) {
  parser p = {.diag = diag, .p = text, .end = text + size, .line = 1, .data_left = MAX_TEXT_DATA};
  p.network = ingot__network_new(env);
  if (!p.network) return ingot__no_memory(diag);
  bool ok = take_word(&p, "network") || WRONG(&p, "the text must begin with the word network");
  ok = ok && read_graph(&p, p.network->main);
  if (ok && peek(&p) != 0) ok = WRONG(&p, "something stands behind the network");
  if (ok && p.network->dims.failed) ok = no_memory(&p);
  if (!ok) {
    ingot__network_free(p.network);
    return p.status;
  }
  *network = p.network;
  return INGOT_OK;
}
