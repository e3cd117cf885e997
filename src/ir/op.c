/* The operators' descriptions, expanded from ops.def. */
#include "ir/op.h"
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#define ROW_INT(field, default_) {#field, INGOT__ATTR_INT, offsetof(attrs, field), (default_), 0, NULL},
#define ROW_FLOAT(field, default_) {#field, INGOT__ATTR_FLOAT, offsetof(attrs, field), 0, (default_), NULL},
#define ROW_STRING(field, default_) {#field, INGOT__ATTR_STRING, offsetof(attrs, field), 0, 0, (default_)},
#define ROW_INTS(field) {#field, INGOT__ATTR_INTS, offsetof(attrs, field), 0, 0, NULL},
#define ROW_FLOATS(field) {#field, INGOT__ATTR_FLOATS, offsetof(attrs, field), 0, 0, NULL},
#define ROW_STRINGS(field) {#field, INGOT__ATTR_STRINGS, offsetof(attrs, field), 0, 0, NULL},
#define ROW_TENSOR(field) {#field, INGOT__ATTR_TENSOR, offsetof(attrs, field), 0, 0, NULL},
#define ROW_GRAPH(field) {#field, INGOT__ATTR_GRAPH, offsetof(attrs, field), 0, 0, NULL},
#define ROWS(list) list(ROW_INT, ROW_FLOAT, ROW_STRING, ROW_INTS, ROW_FLOATS, ROW_STRINGS, ROW_TENSOR, ROW_GRAPH)

/* The tables lie inside a function because there each operator's attribute struct can have the one name that the rows need. */
#define INFO(name_, onnx_, domain_, aten_, min_in_, max_in_, min_out_, max_out_, list, elementwise_) \
  case INGOT__OP_##name_: { \
    typedef ingot__attrs_##name_ attrs; \
    static const ingot__attr_info rows[] = {ROWS(list) {NULL, 0, 0, 0, 0, NULL}}; \
    static const ingot__op_info info = {#name_, onnx_, domain_, aten_, min_in_, max_in_, min_out_, max_out_, sizeof(attrs), rows, \
                                        sizeof rows / sizeof *rows - 1, elementwise_}; \
    return &info; \
  }
#define INGOT_OP(name, onnx, domain, aten, min_in, max_in, min_out, max_out, list) \
  INFO(name, onnx, domain, aten, min_in, max_in, min_out, max_out, list, false)
#define INGOT_ELEMENTWISE(name, onnx, aten, arity, types, list, expression) \
  INFO(name, onnx, (onnx)[0] ? "" : "ingot", aten, arity, arity, 1, 1, list, true)

const ingot__op_info *ingot__op_get(ingot__op op) {
  switch (op) {
#include "ops.def"
    default: return NULL;
  }
}

/* ---- Names: two open hash tables, made at the first question. */

enum { SLOTS = 1024 };
_Static_assert(INGOT__OP_COUNT * 2 < SLOTS, "the name tables of ir/op.c need more slots");
static uint16_t by_name[SLOTS], by_onnx[SLOTS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static size_t hash(const char *name) {
  uint32_t h = 2166136261u;
  for (; *name; name++) h = (h ^ (unsigned char)*name) * 16777619u;
  return h ^ h >> 15;
}

static void fill(void) {
  for (int op = 1; op < INGOT__OP_COUNT; op++) {
    const ingot__op_info *info = ingot__op_get((ingot__op)op);
    size_t i = hash(info->name);
    while (by_name[i % SLOTS]) i++;
    by_name[i % SLOTS] = (uint16_t)op;
    i = hash(info->onnx);
    if (!info->onnx[0]) continue;
    while (by_onnx[i % SLOTS]) i++;
    by_onnx[i % SLOTS] = (uint16_t)op;
  }
}

ingot__op ingot__op_find(const char *name) {
  pthread_once(&once, fill);
  for (size_t i = hash(name); by_name[i % SLOTS]; i++) {
    ingot__op op = (ingot__op)by_name[i % SLOTS];
    if (strcmp(ingot__op_get(op)->name, name) == 0) return op;
  }
  return INGOT__OP_NONE;
}

ingot__op ingot__op_find_onnx(const char *domain, const char *name) {
  pthread_once(&once, fill);
  if (!domain || strcmp(domain, "ai.onnx") == 0) domain = "";
  for (size_t i = hash(name); by_onnx[i % SLOTS]; i++) {
    ingot__op op = (ingot__op)by_onnx[i % SLOTS];
    const ingot__op_info *info = ingot__op_get(op);
    if (strcmp(info->onnx, name) == 0 && strcmp(info->domain, domain) == 0) return op;
  }
  if (strcmp(domain, "ingot") == 0) { /* our own operators, as we write them to ONNX */
    ingot__op op = ingot__op_find(name);
    const ingot__op_info *info = ingot__op_get(op);
    if (info && strcmp(info->domain, "ingot") == 0) return op;
  }
  return INGOT__OP_NONE;
}

/* ---- Attributes */

const ingot__attr_info *ingot__attr_find(ingot__op op, const char *name) {
  const ingot__op_info *info = ingot__op_get(op);
  for (size_t i = 0; info && i < info->n_attr; i++) {
    if (strcmp(info->attr[i].name, name) == 0) return &info->attr[i];
  }
  return NULL;
}

void ingot__attrs_default(ingot__op op, void *attrs) {
  const ingot__op_info *info = ingot__op_get(op);
  if (!info) return;
  memset(attrs, 0, info->attrs_size);
  for (size_t i = 0; i < info->n_attr; i++) {
    const ingot__attr_info *a = &info->attr[i];
    char *field = (char *)attrs + a->offset;
    if (a->type == INGOT__ATTR_INT) *(int64_t *)(void *)field = a->default_int;
    if (a->type == INGOT__ATTR_FLOAT) *(float *)(void *)field = a->default_float;
    if (a->type == INGOT__ATTR_STRING) *(const char **)(void *)field = a->default_string;
  }
}
