/* Changes to ONNX models that keep the wire format whole, for libFuzzer: fields are dropped, doubled, exchanged, given other numbers and
 * names, or taken from another model, and every length around them is written anew. Bytes alone seldom get past the first wrong length.
 * Include it in one file of a fuzzer. */
#ifndef INGOT_FUZZ_ONNX_MUTATE_H
#define INGOT_FUZZ_ONNX_MUTATE_H
#include "ir/op.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t na, const uint8_t *b, size_t nb, uint8_t *out, size_t most, unsigned int seed);

/* The messages of an ONNX file that hold messages; LEAF is anything else. */
typedef enum kind { LEAF, MODEL, GRAPH, NODE, ATTR, TENSOR, SPARSE, VALUE, TYPE, TENSOR_TYPE, HOLDER_TYPE, SHAPE, DIM, FUNCTION, OPSET } kind;
static const struct { kind of; unsigned number; kind is; } children[] = {
  {MODEL, 7, GRAPH}, {MODEL, 8, OPSET}, {MODEL, 25, FUNCTION}, {GRAPH, 1, NODE}, {GRAPH, 5, TENSOR}, {GRAPH, 11, VALUE}, {GRAPH, 12, VALUE},
  {GRAPH, 13, VALUE}, {GRAPH, 15, SPARSE}, {NODE, 5, ATTR}, {ATTR, 5, TENSOR}, {ATTR, 6, GRAPH}, {ATTR, 10, TENSOR}, {ATTR, 11, GRAPH},
  {ATTR, 22, SPARSE}, {ATTR, 14, TYPE}, {SPARSE, 1, TENSOR}, {SPARSE, 2, TENSOR}, {VALUE, 2, TYPE}, {TYPE, 1, TENSOR_TYPE}, {TYPE, 4, HOLDER_TYPE},
  {TYPE, 9, HOLDER_TYPE}, {HOLDER_TYPE, 1, TYPE}, {TENSOR_TYPE, 2, SHAPE}, {SHAPE, 1, DIM}, {FUNCTION, 7, NODE}, {FUNCTION, 9, OPSET},
  {FUNCTION, 11, ATTR}, {FUNCTION, 12, VALUE}};

enum { MOST_FIELDS = 4000, MOST_DEPTH = 24, MOST_MADE = 1 << 17 };
typedef struct field {
  kind of, is; /* the message it is in, and what it is itself */
  unsigned number, wire;
  uint64_t value;       /* of numbers */
  const uint8_t *bytes; /* of leaves */
  size_t n;
  int first, next; /* fields inside and beside; -1: none */
} field;
typedef struct tree { field f[MOST_FIELDS]; int n; } tree;

static uint64_t mutate_state;
static unsigned below(unsigned n) { /* splitmix64 (Steele, Lea, Flood 2014) */
  uint64_t z = mutate_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return n ? (unsigned)((z ^ (z >> 31)) % n) : 0;
}

static bool read_varint(const uint8_t **p, const uint8_t *end, uint64_t *v) {
  *v = 0;
  for (unsigned shift = 0; shift < 64 && *p < end; shift += 7) {
    uint8_t b = *(*p)++;
    *v |= (uint64_t)(b & 0x7f) << shift;
    if (b < 0x80) return true;
  }
  return false;
}

/* The fields of a message as a list; -1 for none, -2 for bytes that aren't fields. */
static int read_fields(tree *t, kind of, const uint8_t *p, const uint8_t *end, int depth) {
  int first = -1, last = -1;
  while (p < end) {
    uint64_t tag, n;
    if (t->n == MOST_FIELDS || depth > MOST_DEPTH || !read_varint(&p, end, &tag)) return -2;
    int i = t->n++;
    field *f = &t->f[i];
    *f = (field){.of = of, .number = (unsigned)(tag >> 3), .wire = tag & 7, .first = -1, .next = -1};
    if (f->wire == 0) {
      if (!read_varint(&p, end, &f->value)) return -2;
    } else if (f->wire == 2) {
      if (!read_varint(&p, end, &n) || n > (uint64_t)(end - p)) return -2;
      f->bytes = p, f->n = (size_t)n;
      for (size_t k = 0; k < sizeof children / sizeof *children; k++)
        if (children[k].of == of && children[k].number == f->number) f->is = children[k].is;
      int inside = f->is ? read_fields(t, f->is, p, p + n, depth + 1) : -1;
      if (inside == -2) f->is = LEAF, inside = -1;
      f->first = inside;
      p += n;
    } else if (f->wire == 1 || f->wire == 5) {
      size_t size = f->wire == 1 ? 8 : 4;
      if ((size_t)(end - p) < size) return -2;
      f->bytes = p, f->n = size, p += size;
    } else {
      return -2;
    }
    if (last >= 0) t->f[last].next = i;
    else first = i;
    last = i;
  }
  return first;
}

/* Written from the end to the front, so that lengths are known when they are written. */
typedef struct writer { uint8_t *p, *begin; bool full; } writer;
static void put_bytes(writer *w, const void *bytes, size_t n) {
  if ((size_t)(w->p - w->begin) < n) {
    w->full = true;
    return;
  }
  w->p -= n;
  if (n && bytes) memcpy(w->p, bytes, n);
}
static void put_varint(writer *w, uint64_t v) {
  uint8_t b[10];
  size_t n = 0;
  do b[n++] = (uint8_t)(v | 0x80), v >>= 7;
  while (v);
  b[n - 1] &= 0x7f;
  put_bytes(w, b, n);
}
static void put_fields(writer *w, const tree *t, int first, int depth) {
  static int list[MOST_DEPTH + 4][MOST_FIELDS];
  int n = 0;
  if (depth > MOST_DEPTH + 2) return;
  for (int i = first; i >= 0 && n < MOST_FIELDS; i = t->f[i].next) list[depth][n++] = i;
  while (n > 0 && !w->full) {
    const field *f = &t->f[list[depth][--n]];
    if (f->wire == 0) {
      put_varint(w, f->value);
    } else {
      const uint8_t *end = w->p;
      if (f->is) put_fields(w, t, f->first, depth + 1);
      else put_bytes(w, f->bytes, f->n);
      if (f->wire == 2) put_varint(w, (uint64_t)(end - w->p));
    }
    put_varint(w, (uint64_t)f->number << 3 | f->wire);
  }
}
static size_t write_tree(const tree *t, int first, uint8_t *out, size_t most) {
  static uint8_t made[MOST_MADE];
  writer w = {made + sizeof made, made, false};
  put_fields(&w, t, first, 0);
  size_t n = (size_t)(made + sizeof made - w.p);
  if (w.full || n > most) return 0;
  memcpy(out, w.p, n);
  return n;
}

/* A field of the kind that `like` is (NULL: any), of a tree; -1: none found. */
static int pick(const tree *t, const field *like, int other_than) {
  for (int tries = 0; tries < 40 && t->n; tries++) {
    int i = (int)below((unsigned)t->n);
    if (i == other_than) continue;
    const field *f = &t->f[i];
    if (!like || (f->wire == like->wire && f->is == like->is && (like->is || (f->of == like->of && f->number == like->number)))) return i;
  }
  return -1;
}

static uint64_t number(uint64_t was) {
  static const int64_t odd[] = {0, 1, -1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 18, 21, 22, 31, 64, 255, 1024, 65536, INT32_MAX, INT32_MIN,
                                (int64_t)1 << 32, (int64_t)1 << 40, (int64_t)1 << 61, INT64_MAX, INT64_MIN, -2, -3};
  switch (below(4)) {
  case 0: return was + 1;
  case 1: return was - 1;
  case 2: return below(24);
  default: return (uint64_t)odd[below(sizeof odd / sizeof *odd)];
  }
}

/* Another name or other data for a leaf. */
static void other_bytes(tree *t, field *f) {
  static uint8_t room[64][1 << 12]; /* of the last ones made; a tree is written before as many are */
  static unsigned at;
  uint8_t *made = room[at++ % 64];
  int other = -1;
  if (f->of == NODE && f->number == 4 && below(2)) { /* an operator */
    const char *name = ingot__op_get((ingot__op)(1 + below(INGOT__OP_COUNT - 1)))->onnx;
    f->bytes = (const uint8_t *)name, f->n = strlen(name);
    return;
  }
  if (f->of == ATTR && f->number == 1 && below(2)) { /* an attribute's name, of any operator */
    const ingot__op_info *info = ingot__op_get((ingot__op)(1 + below(INGOT__OP_COUNT - 1)));
    const char *name = info->n_attr ? info->attr[below((unsigned)info->n_attr)].name : "to";
    f->bytes = (const uint8_t *)name, f->n = strlen(name);
    return;
  }
  if (f->of == NODE && (f->number == 1 || f->number == 2) && below(4)) { /* a value's name from anywhere */
    for (int tries = 0; tries < 60 && other < 0; tries++) {
      int i = (int)below((unsigned)t->n);
      const field *g = &t->f[i];
      bool name = (g->of == NODE && g->number <= 2) || (g->of == VALUE && g->number == 1) || (g->of == TENSOR && g->number == 8);
      if (g->wire == 2 && !g->is && name) other = i;
    }
  } else if (below(2)) {
    other = pick(t, f, -1);
  }
  if (other >= 0) {
    f->bytes = t->f[other].bytes, f->n = t->f[other].n;
    return;
  }
  size_t n = f->n < sizeof room[0] ? f->n : sizeof room[0];
  if (n && f->bytes) memcpy(made, f->bytes, n);
  if (n >= 8 && n % 8 == 0 && below(2)) { /* such as the int64 of shapes and axes */
    uint64_t v;
    size_t k = 8 * below((unsigned)n / 8);
    memcpy(&v, made + k, 8);
    v = number(v);
    memcpy(made + k, &v, 8);
  } else {
    n = LLVMFuzzerMutate(made, n, sizeof room[0]);
  }
  f->bytes = made, f->n = n;
}

static void unlink_field(tree *t, int *root, int i) {
  if (*root == i) *root = t->f[i].next;
  for (int k = 0; k < t->n; k++) {
    if (t->f[k].next == i && k != i) t->f[k].next = t->f[i].next;
    if (t->f[k].first == i) t->f[k].first = t->f[i].next;
  }
}

static void change(tree *t, int *root) {
  int i = pick(t, NULL, -1), other;
  if (i < 0) return;
  field *f = &t->f[i];
  switch (below(8)) {
  case 0: unlink_field(t, root, i); return;
  case 1: /* twice */
    if (t->n == MOST_FIELDS) return;
    other = t->n++;
    t->f[other] = *f;
    f->next = other;
    return;
  case 2: /* contents change places, or are taken over */
    if ((other = pick(t, f, i)) < 0) return;
    field held = *f, *g = &t->f[other];
    f->value = g->value, f->bytes = g->bytes, f->n = g->n, f->first = f->is ? g->first : -1;
    if (below(2)) g->value = held.value, g->bytes = held.bytes, g->n = held.n, g->first = held.first;
    return;
  default:
    if (f->wire == 0) f->value = number(f->value);
    else if (f->wire == 2 && !f->is) other_bytes(t, f);
    else if (f->wire == 1 || f->wire == 5) other_bytes(t, f), f->n = f->wire == 1 ? 8 : 4;
    else if (f->first >= 0) { /* inside this message rather */
      int inside = f->first;
      for (unsigned k = below(6); k > 0 && t->f[inside].next >= 0; k--) inside = t->f[inside].next;
      if (t->f[inside].wire == 0) t->f[inside].value = number(t->f[inside].value);
      else if (t->f[inside].wire == 2 && !t->f[inside].is) other_bytes(t, &t->f[inside]);
    }
  }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
  static tree t;
  static uint8_t copy[MOST_MADE];
  mutate_state = seed;
  t.n = 0;
  if (size > sizeof copy || below(16) == 0) return LLVMFuzzerMutate(data, size, max_size);
  memcpy(copy, data, size); /* the tree's leaves point into it */
  int root = read_fields(&t, MODEL, copy, copy + size, 0);
  if (root == -2) return LLVMFuzzerMutate(data, size, max_size);
  for (unsigned k = 1 + below(3); k > 0; k--) change(&t, &root);
  size_t n = write_tree(&t, root, data, max_size);
  return n ? n : LLVMFuzzerMutate(data, size, max_size);
}

/* A message of a is replaced by one of its kind from b, or followed by it. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t na, const uint8_t *b, size_t nb, uint8_t *out, size_t most, unsigned int seed) {
  static tree t, u;
  mutate_state = seed;
  t.n = u.n = 0;
  int root = read_fields(&t, MODEL, a, a + na, 0), i = root == -2 ? -1 : pick(&t, NULL, -1);
  if (i < 0 || read_fields(&u, MODEL, b, b + nb, 0) == -2) return 0;
  int other = pick(&u, &t.f[i], -1), moved = t.n;
  if (other < 0 || t.n + u.n > MOST_FIELDS) return 0;
  for (int k = 0; k < u.n; k++) { /* all of b's fields, of which one is reached */
    t.f[t.n] = u.f[k];
    if (t.f[t.n].first >= 0) t.f[t.n].first += moved;
    if (t.f[t.n].next >= 0) t.f[t.n].next += moved;
    t.n++;
  }
  field *f = &t.f[i], *g = &t.f[moved + other];
  if (below(2)) {
    g->next = f->next, g->number = f->number, f->next = moved + other;
  } else {
    f->value = g->value, f->bytes = g->bytes, f->n = g->n, f->first = g->first;
  }
  return write_tree(&t, root, out, most);
}
#endif
