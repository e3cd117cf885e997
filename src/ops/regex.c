/* Patterns are parsed by recursive descent into a tree and the tree is written out as a program for Thompson's simulation (Thompson,
 * Regular expression search algorithm, 1968; Cox, Regular expression matching: the virtual machine approach, 2009): all threads of the program
 * step through the text together, at most one at each instruction. Greed makes no difference to whether the whole text matches. */
#include "ops/regex.h"
#include "ops/utf8.h"
#include <string.h>

enum { MOST_CODE = 20000, MOST_NODES = 20000, DEEPEST = 200, MOST_REPEAT = 1000, LAST = 0x10ffff + 256 /* odd bytes too, see utf8.h */ };

typedef struct range { uint32_t low, high; } range;
typedef struct set { range *range; size_t n, capacity; bool negated, fold; } set;

typedef enum kind { EMPTY, SET, JOIN, EITHER, REPEAT, TEXT_START, TEXT_END, LINE_START, LINE_END, WORD_EDGE, NO_WORD_EDGE } kind;
typedef struct node {
  kind kind;
  const set *set;
  struct node *a, *last; /* JOIN, EITHER: first and last of a list; REPEAT: a */
  struct node *next;     /* in the list that it is in */
  int least, most;      /* REPEAT; most -1: any number */
} node;

typedef enum op { MATCH, TAKE, SPLIT, JUMP, CHECK } op;
typedef struct code { uint8_t op, check; uint32_t x, y; const set *set; } code;
struct ingot__regex { code *code; size_t n; uint32_t *list; /* scratch of the simulation, 4 * n + 8 */ };

typedef struct parser {
  ingot__arena *arena;
  ingot__diag *diag;
  const char *where, *p;
  int depth;
  size_t nodes;
  bool fold, multiline, dot_all; /* the flags i, m, s */
  bool quoted;                   /* between \Q and \E */
  ingot_status status;
} parser;

/* ---- Parsing. NULL: a problem, which is in p->status. */

static void *problem(parser *p, ingot_status status, const char *what) {
  if (p->status == INGOT_OK) p->status = ingot__fail(p->diag, status, p->where, "pattern, near '%.20s': %s", p->p, what);
  return NULL;
}
static void *no_memory(parser *p) {
  if (p->status == INGOT_OK) p->status = ingot__no_memory(p->diag);
  return NULL;
}

static node *make(parser *p, kind k, node *a) {
  if (p->status != INGOT_OK) return NULL;
  if (++p->nodes > MOST_NODES) return problem(p, INGOT_E_LIMIT, "the pattern is too large");
  node *n = INGOT_NEW(p->arena, node);
  if (!n) return no_memory(p);
  *n = (node){.kind = k, .a = a, .last = a};
  return n;
}

static bool append(node *list, node *n) { /* false: there is no n */
  if (!n) return false;
  if (list->last) list->last->next = n;
  else list->a = n;
  list->last = n;
  return true;
}

static bool add(parser *p, set *s, uint32_t low, uint32_t high) {
  if (!ingot__arena_grow(p->arena, (void **)&s->range, &s->capacity, s->n + 1, sizeof *s->range)) return no_memory(p), false;
  s->range[s->n++] = (range){low, high};
  return true;
}

static set *new_set(parser *p, bool negated) {
  set *s = INGOT_NEW(p->arena, set);
  if (!s) return no_memory(p);
  s->negated = negated;
  s->fold = p->fold;
  return s;
}

static node *set_node(parser *p, const set *s) {
  node *n = s ? make(p, SET, NULL) : NULL;
  if (n) n->set = s;
  return n;
}

static node *one(parser *p, uint32_t c) {
  set *s = new_set(p, false);
  return s && add(p, s, c, c) ? set_node(p, s) : NULL;
}

/* What a set lacks, added as ranges: for \D in a class. The ranges must be in order and apart. */
static bool add_rest(parser *p, set *s, const range *r, size_t n) {
  uint32_t from = 0;
  for (size_t i = 0; i < n; i++) {
    if (r[i].low > from && !add(p, s, from, r[i].low - 1)) return false;
    from = r[i].high + 1;
  }
  return add(p, s, from, LAST);
}

static const range digits[] = {{'0', '9'}}, words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}},
                   blanks[] = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}};

/* \d, \w, \s and their opposites: ASCII's, as in RE2. False: c is none of them. */
static bool add_perl(parser *p, set *s, char c) {
  const range *r = NULL;
  size_t n = 0;
  switch (c | 0x20) {
  case 'd': r = digits, n = 1; break;
  case 'w': r = words, n = 4; break;
  case 's': r = blanks, n = 3; break;
  default: return false;
  }
  if (c & 0x20) {
    for (size_t i = 0; i < n; i++)
      if (!add(p, s, r[i].low, r[i].high)) return true;
  } else add_rest(p, s, r, n);
  return true;
}

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

/* An escape that stands for one character; p->p is behind the backslash. */
static bool escaped(parser *p, uint32_t *c) {
  char e = *p->p;
  if (!e) return problem(p, INGOT_E_NETWORK, "a backslash at the end"), false;
  p->p++;
  switch (e) {
  case 'a': *c = 7; return true;
  case 'f': *c = '\f'; return true;
  case 'n': *c = '\n'; return true;
  case 'r': *c = '\r'; return true;
  case 't': *c = '\t'; return true;
  case 'v': *c = '\v'; return true;
  case 'x': {
    bool braces = *p->p == '{';
    int n = 0;
    *c = 0;
    p->p += braces;
    for (; hex(*p->p) >= 0 && n < (braces ? 8 : 2) && *c < LAST; n++) *c = *c * 16 + (uint32_t)hex(*p->p++);
    if (n < (braces ? 1 : 2) || *c > 0x10ffff || (braces && *p->p != '}')) return problem(p, INGOT_E_NETWORK, "a wrong \\x"), false;
    p->p += braces;
    return true;
  }
  case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7':
    if (e != '0' && (*p->p < '0' || *p->p > '7')) return problem(p, INGOT_E_NETWORK, "references to groups aren't regular"), false;
    *c = (uint32_t)(e - '0');
    for (int i = 0; i < 2 && *p->p >= '0' && *p->p <= '7'; i++) *c = *c * 8 + (uint32_t)(*p->p++ - '0');
    return true;
  default: break;
  }
  if (e == 'p' || e == 'P' || e == 'C') return problem(p, INGOT_E_UNSUPPORTED, "Unicode classes (\\p) and \\C aren't had"), false;
  bool letter = (e >= '0' && e <= '9') || (e >= 'A' && e <= 'Z') || (e >= 'a' && e <= 'z') || (e & 0x80);
  if (letter) return problem(p, INGOT_E_NETWORK, "an unknown escape"), false;
  *c = (uint32_t)e;
  return true;
}

static uint32_t character(parser *p) {
  size_t length;
  uint32_t c = ingot__utf8_get(p->p, strlen(p->p), &length);
  p->p += length;
  return c;
}

/* [:alpha:] and the like, of ASCII. */
static bool posix_class(parser *p, set *s) {
  static const struct { const char *name; const char *ranges; } classes[] = {
    {"alnum", "09AZaz"}, {"alpha", "AZaz"}, {"ascii", "\x01\x7f"}, {"blank", "\t\t  "}, {"cntrl", "\x01\x1f\x7f\x7f"}, {"digit", "09"},
    {"graph", "!~"}, {"lower", "az"}, {"print", " ~"}, {"punct", "!/:@[`{~"}, {"space", "\t\r  "}, {"upper", "AZ"}, {"word", "09AZ__az"},
    {"xdigit", "09AFaf"}};
  bool negated = p->p[2] == '^';
  const char *name = p->p + 2 + negated;
  for (size_t k = 0; k < sizeof classes / sizeof *classes; k++) {
    size_t n = strlen(classes[k].name), count = strlen(classes[k].ranges) / 2;
    if (strncmp(name, classes[k].name, n) || strncmp(name + n, ":]", 2)) continue;
    range r[4];
    for (size_t i = 0; i < count; i++) r[i] = (range){(uint8_t)classes[k].ranges[2 * i], (uint8_t)classes[k].ranges[2 * i + 1]};
    if (classes[k].ranges[0] == 1) r[0].low = 0; /* which a C string can't hold */
    p->p = name + n + 2;
    if (negated) return add_rest(p, s, r, count);
    for (size_t i = 0; i < count; i++)
      if (!add(p, s, r[i].low, r[i].high)) return false;
    return true;
  }
  problem(p, INGOT_E_NETWORK, "an unknown class of characters");
  return false;
}

static node *bracket(parser *p) { /* behind the [ */
  bool negated = *p->p == '^';
  p->p += negated;
  set *s = new_set(p, negated);
  for (bool first = true; s && p->status == INGOT_OK && (first || *p->p != ']'); first = false) {
    uint32_t low, high;
    if (!*p->p) return problem(p, INGOT_E_NETWORK, "a [ without its ]");
    if (p->p[0] == '[' && p->p[1] == ':') {
      if (!posix_class(p, s)) return NULL;
      continue;
    }
    if (*p->p == '\\') {
      p->p++;
      if (*p->p && strchr("dDwWsS", *p->p)) {
        add_perl(p, s, *p->p++);
        continue;
      }
      if (!escaped(p, &low)) return NULL;
    } else low = character(p);
    high = low;
    if (p->p[0] == '-' && p->p[1] && p->p[1] != ']') {
      p->p++;
      if (*p->p == '\\') {
        p->p++;
        if (!escaped(p, &high)) return NULL;
      } else high = character(p);
      if (high < low) return problem(p, INGOT_E_NETWORK, "a range from the larger to the smaller");
    }
    if (!add(p, s, low, high)) return NULL;
  }
  if (p->status != INGOT_OK) return NULL;
  p->p++;
  return set_node(p, s);
}

static node *alternatives(parser *p);

/* Behind the (: flags, a name, or nothing. *done: it was flags alone, which hold to the end of the group around. */
static bool group_head(parser *p, bool *done) {
  *done = false;
  if (p->p[0] != '?') return true;
  p->p++;
  if (*p->p == 'P' || (*p->p == '<' && p->p[1] != '=' && p->p[1] != '!')) {
    p->p += *p->p == 'P';
    const char *end = *p->p == '<' ? strchr(p->p, '>') : NULL;
    if (!end || end == p->p + 1) return problem(p, INGOT_E_NETWORK, "a group's name is wrong"), false;
    p->p = end + 1;
    return true;
  }
  for (bool value = true;; p->p++) {
    switch (*p->p) {
    case 'i': p->fold = value; break;
    case 'm': p->multiline = value; break;
    case 's': p->dot_all = value; break;
    case 'U': break; /* greed */
    case '-': value = false; break;
    case ':': p->p++; return true;
    case ')': *done = true; return true;
    default: return problem(p, INGOT_E_NETWORK, "what stands behind (? is unknown"), false;
    }
  }
}

static node *group(parser *p) { /* behind the ( */
  parser before = *p;
  bool flags;
  if (++p->depth > DEEPEST) return problem(p, INGOT_E_LIMIT, "groups are nested too deeply");
  if (!group_head(p, &flags)) return NULL;
  node *n = flags ? make(p, EMPTY, NULL) : alternatives(p);
  if (!n) return NULL;
  if (*p->p != ')') return problem(p, INGOT_E_NETWORK, "a ( without its )");
  p->p++;
  p->depth--;
  if (!flags) p->fold = before.fold, p->multiline = before.multiline, p->dot_all = before.dot_all;
  return n;
}

static node *backslash(parser *p) { /* behind it */
  uint32_t c;
  switch (*p->p) {
  case 'A': p->p++; return make(p, TEXT_START, NULL);
  case 'z': p->p++; return make(p, TEXT_END, NULL);
  case 'b': p->p++; return make(p, WORD_EDGE, NULL);
  case 'B': p->p++; return make(p, NO_WORD_EDGE, NULL);
  case 'd': case 'D': case 'w': case 'W': case 's': case 'S': {
    set *s = new_set(p, false);
    if (s) add_perl(p, s, *p->p++);
    return set_node(p, s);
  }
  default: return escaped(p, &c) ? one(p, c) : NULL;
  }
}

static bool number(const char **at, int *n) {
  const char *q = *at;
  int v = 0;
  for (; *q >= '0' && *q <= '9'; q++)
    if (v <= MOST_REPEAT) v = v * 10 + (*q - '0');
  bool any = q != *at;
  *at = q;
  *n = v;
  return any;
}

/* {n}, {n,}, {n,m}; anything else is a brace and stands for itself. */
static bool braces(parser *p, int *least, int *most) {
  const char *q = p->p + 1;
  if (!number(&q, least)) return false;
  *most = *least;
  if (*q == ',') {
    q++;
    if (!number(&q, most)) *most = -1;
  }
  if (*q != '}') return false;
  p->p = q + 1;
  return true;
}

static node *atom(parser *p) {
  switch (*p->p) {
  case '(': p->p++; return group(p);
  case '[': p->p++; return bracket(p);
  case '\\': p->p++; return backslash(p);
  case '.': {
    set *s = new_set(p, true);
    p->p++;
    if (s && !p->dot_all && !add(p, s, '\n', '\n')) return NULL;
    return set_node(p, s);
  }
  case '^': p->p++; return make(p, p->multiline ? LINE_START : TEXT_START, NULL);
  case '$': p->p++; return make(p, p->multiline ? LINE_END : TEXT_END, NULL);
  case '{': {
    int least, most;
    if (!braces(p, &least, &most)) return one(p, character(p));
    return problem(p, INGOT_E_NETWORK, "nothing to repeat");
  }
  case '*': case '+': case '?': return problem(p, INGOT_E_NETWORK, "nothing to repeat");
  default: return one(p, character(p));
  }
}

static bool at_escape(const parser *p, char c) { return p->p[0] == '\\' && p->p[1] == c; }

/* A character of \Q...\E; the last one may be repeated: *more. */
static node *quoted(parser *p, bool *more) {
  node *n = *p->p && !at_escape(p, 'E') ? one(p, character(p)) : make(p, EMPTY, NULL);
  *more = n && n->kind == SET && at_escape(p, 'E');
  if (at_escape(p, 'E')) p->p += 2, p->quoted = false;
  else if (!*p->p) p->quoted = false;
  return n;
}

static node *repeated(parser *p) {
  bool more = true;
  if (!p->quoted && at_escape(p, 'Q')) p->p += 2, p->quoted = true;
  node *n = p->quoted ? quoted(p, &more) : atom(p);
  if (!more) return n;
  for (int times = 0; n; times++) {
    int least = 0, most = -1;
    char c = *p->p;
    if (c == '*') p->p++;
    else if (c == '+') least = 1, p->p++;
    else if (c == '?') most = 1, p->p++;
    else if (c != '{' || !braces(p, &least, &most)) return n;
    if (times) return problem(p, INGOT_E_NETWORK, "two repetitions one after the other");
    if (least > MOST_REPEAT || most > MOST_REPEAT || (most >= 0 && most < least))
      return problem(p, INGOT_E_NETWORK, "a repetition's numbers are wrong");
    if (*p->p == '?') p->p++; /* lazily: the same here */
    if (!(n = make(p, REPEAT, n))) return NULL;
    n->least = least, n->most = most;
  }
  return NULL;
}

static node *sequence(parser *p) {
  node *n = make(p, JOIN, NULL);
  while (n && *p->p && (p->quoted || (*p->p != '|' && *p->p != ')')))
    if (!append(n, repeated(p))) n = NULL;
  return n;
}

static node *alternatives(parser *p) {
  node *n = sequence(p);
  if (!n || *p->p != '|') return n;
  n = make(p, EITHER, n);
  while (n && *p->p == '|') {
    p->p++;
    if (!append(n, sequence(p))) n = NULL;
  }
  return n;
}

/* ---- Writing the program */

typedef struct writer { ingot__arena *arena; code *code; size_t n, capacity; bool full, failed; } writer;

static size_t put(writer *w, op o, uint32_t x, uint32_t y) {
  if (w->n == MOST_CODE) w->full = true;
  else if (!ingot__arena_grow(w->arena, (void **)&w->code, &w->capacity, w->n + 1, sizeof *w->code)) w->full = w->failed = true;
  if (w->full) return 0;
  w->code[w->n] = (code){.op = (uint8_t)o, .x = x, .y = y};
  return w->n++;
}

static void emit(writer *w, const node *n) {
  size_t at, ends = 0; /* jumps and splits to the end: chained by their targets, which are set when it is known */
  switch (n->kind) {
  case EMPTY: return;
  case SET:
    at = put(w, TAKE, 0, 0);
    if (!w->full) w->code[at].set = n->set;
    return;
  case JOIN:
    for (const node *part = n->a; part && !w->full; part = part->next) emit(w, part);
    return;
  case EITHER:
    for (const node *part = n->a; part && !w->full; part = part->next) {
      at = put(w, part->next ? SPLIT : JUMP, (uint32_t)w->n + 1, 0);
      emit(w, part);
      if (part->next) ends = put(w, JUMP, (uint32_t)ends, 0) + 1;
      if (!w->full) w->code[at].y = (uint32_t)w->n;
    }
    while (ends && !w->full) {
      at = ends - 1;
      ends = w->code[at].x;
      w->code[at].x = (uint32_t)w->n;
    }
    return;
  case REPEAT:
    for (int i = 0; i < n->least && !w->full; i++) emit(w, n->a);
    if (n->most < 0) { /* L: split on to the body and past it; body; back to L */
      at = put(w, SPLIT, (uint32_t)w->n + 1, 0);
      emit(w, n->a);
      put(w, JUMP, (uint32_t)at, 0);
      if (!w->full) w->code[at].y = (uint32_t)w->n;
      return;
    }
    for (int i = n->least; i < n->most && !w->full; i++) { /* each may be the end */
      at = put(w, SPLIT, (uint32_t)w->n + 1, (uint32_t)ends);
      ends = at + 1;
      emit(w, n->a);
    }
    while (ends && !w->full) {
      at = ends - 1;
      ends = w->code[at].y;
      w->code[at].y = (uint32_t)w->n;
    }
    return;
  default:
    at = put(w, CHECK, 0, 0);
    if (!w->full) w->code[at].check = (uint8_t)n->kind;
    return;
  }
}

ingot_status ingot__regex_compile(ingot__arena *arena, const char *pattern, const char *where, ingot__diag *diag, ingot__regex **regex) {
  parser p = {.arena = arena, .diag = diag, .where = where, .p = pattern};
  node *n = alternatives(&p);
  if (n && *p.p) problem(&p, INGOT_E_NETWORK, "a ) without its (");
  if (p.status != INGOT_OK) return p.status;
  writer w = {.arena = arena};
  *regex = INGOT_NEW(arena, ingot__regex);
  if (!*regex) return ingot__no_memory(diag);
  emit(&w, n);
  put(&w, MATCH, 0, 0);
  if (w.failed) return ingot__no_memory(diag);
  if (w.full) {
    problem(&p, INGOT_E_LIMIT, "the pattern is too large");
    return p.status;
  }
  **regex = (ingot__regex){.code = w.code, .n = w.n, .list = INGOT_NEW_ARRAY(arena, 4 * w.n + 8, uint32_t)};
  return (*regex)->list ? INGOT_OK : ingot__no_memory(diag);
}

/* ---- Matching */

static bool in_ranges(const set *s, uint32_t c) {
  for (size_t i = 0; i < s->n; i++)
    if (c >= s->range[i].low && c <= s->range[i].high) return true;
  return false;
}

static bool in_set(const set *s, uint32_t c) {
  bool in = in_ranges(s, c);
  if (!in && s->fold) in = in_ranges(s, ingot__utf8_lower(c)) || in_ranges(s, ingot__utf8_upper(c));
  return in != s->negated;
}

static bool is_word(uint32_t c) {
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (c >= words[i].low && c <= words[i].high) return true;
  return false;
}

enum { NOTHING = 0xffffffffu }; /* before the text and behind it */

static bool holds(uint8_t check, uint32_t before, uint32_t behind) {
  switch (check) {
  case TEXT_START: return before == NOTHING;
  case TEXT_END: return behind == NOTHING;
  case LINE_START: return before == NOTHING || before == '\n';
  case LINE_END: return behind == NOTHING || behind == '\n';
  case WORD_EDGE: return is_word(before) != is_word(behind);
  default: return is_word(before) == is_word(behind);
  }
}

/* Adds an instruction to a list and all that follow it without taking a character. mark[pc] holds the step of its last visit; so each puts
 * two on the stack at most, once, and takes one off. */
static size_t follow(const ingot__regex *r, uint32_t pc, uint32_t *list, size_t n, uint32_t *stack, uint32_t *mark, uint32_t step, uint32_t before,
                     uint32_t behind) {
  size_t depth = 0;
  stack[depth++] = pc;
  while (depth) {
    pc = stack[--depth];
    if (mark[pc] == step) continue;
    mark[pc] = step;
    const code *c = &r->code[pc];
    switch (c->op) {
    case JUMP: stack[depth++] = c->x; break;
    case SPLIT: stack[depth++] = c->y, stack[depth++] = c->x; break;
    case CHECK:
      if (holds(c->check, before, behind)) stack[depth++] = pc + 1;
      break;
    default: list[n++] = pc; break;
    }
  }
  return n;
}

bool ingot__regex_match(const ingot__regex *r, const char *text, size_t size) {
  uint32_t *now = r->list, *next = now + r->n, *mark = next + r->n, *stack = mark + r->n;
  size_t n_now, length, at = 0;
  uint32_t before = NOTHING, c = size ? ingot__utf8_get(text, size, &length) : NOTHING, step = 1;
  memset(mark, 0, r->n * sizeof *mark);
  n_now = follow(r, 0, now, 0, stack, mark, step, before, c);
  while (at < size && n_now) {
    at += length;
    before = c;
    uint32_t behind = at < size ? ingot__utf8_get(text + at, size - at, &length) : NOTHING;
    size_t n_next = 0;
    if (++step == 0) memset(mark, 0, r->n * sizeof *mark), step = 1;
    for (size_t i = 0; i < n_now; i++) {
      const code *k = &r->code[now[i]];
      if (k->op == TAKE && in_set(k->set, c)) n_next = follow(r, now[i] + 1, next, n_next, stack, mark, step, before, behind);
    }
    uint32_t *swap = now;
    now = next, next = swap, n_now = n_next;
    c = behind;
  }
  for (size_t i = 0; at >= size && i < n_now; i++)
    if (r->code[now[i]].op == MATCH) return true;
  return false;
}
