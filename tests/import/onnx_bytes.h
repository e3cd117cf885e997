/* Writes ONNX models by hand, byte for byte, so that the importer's tests need no other writer and can write nonsense. */
#ifndef INGOT_TESTS_ONNX_BYTES_H
#define INGOT_TESTS_ONNX_BYTES_H
#include "testing.h"

typedef struct msg { uint8_t *p; size_t n, capacity; } msg;

static void *msg_blocks[65536]; /* all messages' memory; msg_free_all at the end of a test */
static size_t n_msg_blocks;

static void msg_free_all(void) {
  while (n_msg_blocks > 0) free(msg_blocks[--n_msg_blocks]);
}

static void put_bytes(msg *m, const void *data, size_t n) {
  if (m->n + n > m->capacity) {
    size_t capacity = (m->n + n) * 2 + 16;
    uint8_t *p = malloc(capacity);
    assert_true(p && n_msg_blocks < sizeof msg_blocks / sizeof *msg_blocks);
    msg_blocks[n_msg_blocks++] = p;
    if (m->n) memcpy(p, m->p, m->n);
    m->p = p;
    m->capacity = capacity;
  }
  if (n) memcpy(m->p + m->n, data, n);
  m->n += n;
}
static void put_varint(msg *m, uint64_t v) {
  do {
    uint8_t byte = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
    put_bytes(m, &byte, 1);
    v >>= 7;
  } while (v);
}
static void put_int(msg *m, uint32_t field, int64_t v) { put_varint(m, field << 3), put_varint(m, (uint64_t)v); }
static void put_data(msg *m, uint32_t field, const void *data, size_t n) {
  put_varint(m, field << 3 | 2), put_varint(m, n), put_bytes(m, data, n);
}
static void put_text(msg *m, uint32_t field, const char *text) { put_data(m, field, text, strlen(text)); }
static void put_msg(msg *m, uint32_t field, msg inner) { put_data(m, field, inner.p, inner.n); }
static void put_float(msg *m, uint32_t field, float v) { put_varint(m, field << 3 | 5), put_bytes(m, &v, 4); }

/* Each word of `words` as a string field; "-" is the empty string. */
static void put_words(msg *m, uint32_t field, const char *words) {
  for (; *words; words += *words == ' ') {
    size_t n = strcspn(words, " ");
    if (n == 1 && *words == '-') put_data(m, field, "", 0);
    else put_data(m, field, words, n);
    words += n;
  }
}

/* ---- Attributes */
static inline msg attr_begin(const char *name, int type) {
  msg a = {0};
  put_text(&a, 1, name);
  put_int(&a, 20, type);
  return a;
}
static inline msg attr_int(const char *name, int64_t v) {
  msg a = attr_begin(name, 2);
  put_int(&a, 3, v);
  return a;
}
static inline msg attr_float(const char *name, float v) {
  msg a = attr_begin(name, 1);
  put_float(&a, 2, v);
  return a;
}
static inline msg attr_text(const char *name, const char *v) {
  msg a = attr_begin(name, 3);
  put_text(&a, 4, v);
  return a;
}
static inline msg attr_msg(const char *name, int type, uint32_t field, msg v) {
  msg a = attr_begin(name, type);
  put_msg(&a, field, v);
  return a;
}
static inline msg attr_tensor(const char *name, msg tensor) { return attr_msg(name, 4, 5, tensor); }
static inline msg attr_graph(const char *name, msg graph) { return attr_msg(name, 5, 6, graph); }
static inline msg attr_ints(const char *name, const int64_t *v, size_t n) {
  msg a = attr_begin(name, 7);
  for (size_t i = 0; i < n; i++) put_int(&a, 8, v[i]);
  return a;
}
static inline msg attr_ref(const char *name, int type, const char *of) {
  msg a = attr_begin(name, type);
  put_text(&a, 21, of);
  return a;
}

/* ---- Nodes: node_attr adds attributes to one. */
static msg node(const char *op, const char *name, const char *in, const char *out) {
  msg m = {0};
  put_words(&m, 1, in);
  put_words(&m, 2, out);
  put_text(&m, 3, name);
  put_text(&m, 4, op);
  return m;
}
static inline msg node_attr(msg n, msg attr) {
  put_msg(&n, 5, attr);
  return n;
}
static inline msg node_domain(msg n, const char *domain) {
  put_text(&n, 7, domain);
  return n;
}

/* ---- Tensors */
static msg tensor_begin(const char *name, int dtype, int rank, const int64_t *dim) {
  msg t = {0};
  for (int i = 0; i < rank; i++) put_int(&t, 1, dim[i]);
  put_int(&t, 2, dtype);
  put_text(&t, 8, name);
  return t;
}
static inline msg tensor(const char *name, int dtype, int rank, const int64_t *dim, const void *data, size_t bytes) {
  msg t = tensor_begin(name, dtype, rank, dim);
  put_data(&t, 9, data, bytes);
  return t;
}
static inline msg entry(const char *key, const char *value) {
  msg e = {0};
  put_text(&e, 1, key);
  put_text(&e, 2, value);
  return e;
}
static inline msg tensor_external(const char *name, int64_t n, const char *location, const char *offset, const char *length) {
  msg t = tensor_begin(name, INGOT_FLOAT32, 1, &n);
  put_int(&t, 14, 1);
  put_msg(&t, 13, entry("location", location));
  if (offset) put_msg(&t, 13, entry("offset", offset));
  if (length) put_msg(&t, 13, entry("length", length));
  return t;
}

/* ---- Graphs: a value's dims are words, numbers or names, "_" for none; dims NULL: no shape. */
static msg value(const char *name, int dtype, const char *dims) {
  msg v = {0}, type = {0}, t = {0}, shape = {0};
  put_int(&t, 1, dtype);
  for (const char *d = dims; d && *d; d += *d == ' ') {
    size_t n = strcspn(d, " ");
    msg dim = {0};
    if (*d >= '0' && *d <= '9') put_int(&dim, 1, strtoll(d, NULL, 10));
    else if (*d != '_') put_data(&dim, 2, d, n);
    put_msg(&shape, 1, dim);
    d += n;
  }
  if (dims) put_msg(&t, 2, shape);
  put_msg(&type, 1, t);
  put_text(&v, 1, name);
  put_msg(&v, 2, type);
  return v;
}
enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12, GRAPH_INFO = 13, GRAPH_SPARSE = 15 };

static msg opset(const char *domain, int64_t version) {
  msg o = {0};
  if (*domain) put_text(&o, 1, domain);
  put_int(&o, 2, version);
  return o;
}
static msg model(msg graph, int64_t version) {
  msg m = {0};
  put_int(&m, 1, 8);
  put_msg(&m, 7, graph);
  put_msg(&m, 8, opset("", version));
  return m;
}
/* A graph of nodes from input "x" (N, 4) to output "y", both float32; extra fields may be put into it. */
static msg graph_of(const msg *nodes, size_t n) {
  msg g = {0};
  for (size_t i = 0; i < n; i++) put_msg(&g, GRAPH_NODE, nodes[i]);
  put_text(&g, 2, "g");
  put_msg(&g, GRAPH_INPUT, value("x", INGOT_FLOAT32, "N 4"));
  put_msg(&g, GRAPH_OUTPUT, value("y", INGOT_FLOAT32, NULL));
  return g;
}
#endif
