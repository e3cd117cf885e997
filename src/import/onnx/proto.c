/* Reading ModelProto, GraphProto, NodeProto, FunctionProto and AttributeProto; field numbers are those of onnx.proto. */
#include "import/onnx/proto.h"
#include <string.h>

enum { MAX_NODES = 1000000 };

ingot_status ingot__pb_damaged(const ingot__pb *pb, const void *at, const char *what) {
  return ingot__fail(pb->diag, INGOT_E_FORMAT, NULL, "not an ONNX file, or a damaged or truncated one: can't read a %s near byte %zu", what,
                     (size_t)((const char *)at - pb->base));
}

/* The field as bytes, or a damaged wire when the file has another kind of field there. */
static bool bytes(ingot__wire *w, const ingot__wire_field *f, ingot__text *out) {
  if (f->type != INGOT__WIRE_BYTES) return w->damaged = true, false;
  *out = f->bytes;
  return true;
}

/* A name: with a zero byte inside it would be another one as C's text. */
static bool name(ingot__wire *w, const ingot__wire_field *f, ingot__text *out) {
  if (!bytes(w, f, out)) return false;
  if (out->n && memchr(out->p, 0, out->n)) return w->damaged = true, false;
  return true;
}

static bool varint(ingot__wire *w, const ingot__wire_field *f, int64_t *out) {
  if (f->type != INGOT__WIRE_VARINT) return w->damaged = true, false;
  *out = (int64_t)f->value;
  return true;
}

static bool grow(const ingot__pb *pb, void *list, size_t *n, size_t *capacity, size_t element) {
  return ingot__arena_grow(pb->arena, list, capacity, *n + 1, element);
}
#define PUSH(pb, list, item) \
  (grow((pb), (void *)&(list)->v, &(list)->n, &(list)->capacity, sizeof *(list)->v) ? ((list)->v[(list)->n++] = (item), true) : false)

/* Appends the field's bytes to a list. */
static ingot_status push_bytes(const ingot__pb *pb, ingot__wire *w, const ingot__wire_field *f, ingot__pb_texts *list) {
  ingot__text t;
  if (!bytes(w, f, &t)) return INGOT_OK;
  return PUSH(pb, list, t) ? INGOT_OK : ingot__no_memory(pb->diag);
}

static ingot_status push_name(const ingot__pb *pb, ingot__wire *w, const ingot__wire_field *f, ingot__pb_texts *list) {
  ingot__text t;
  if (!name(w, f, &t)) return INGOT_OK;
  return PUSH(pb, list, t) ? INGOT_OK : ingot__no_memory(pb->diag);
}

static ingot_status read_opset(const ingot__pb *pb, ingot__text message, ingot__pb_opsets *list) {
  ingot__wire w = ingot__wire_open(message);
  ingot__wire_field f;
  ingot__pb_opset o = {0};
  while (ingot__wire_next(&w, &f)) {
    if (f.number == 1) name(&w, &f, &o.domain);
    else if (f.number == 2) varint(&w, &f, &o.version);
  }
  if (w.damaged) return ingot__pb_damaged(pb, w.p, "OperatorSetIdProto");
  return PUSH(pb, list, o) ? INGOT_OK : ingot__no_memory(pb->diag);
}

ingot_status ingot__pb_read_model(const ingot__pb *pb, ingot__text message, ingot__pb_model *out) {
  *out = (ingot__pb_model){0};
  ingot__wire w = ingot__wire_open(message);
  ingot__wire_field f;
  ingot__text t;
  while (ingot__wire_next(&w, &f)) {
    switch (f.number) {
    case 1: varint(&w, &f, &out->ir_version); break;
    case 7:
      if (out->has_graph) return ingot__fail(pb->diag, INGOT_E_FORMAT, NULL, "the file holds two graphs");
      out->has_graph = bytes(&w, &f, &out->graph);
      break;
    case 8:
      if (bytes(&w, &f, &t)) INGOT_TRY(read_opset(pb, t, &out->opset));
      break;
    case 25: INGOT_TRY(push_bytes(pb, &w, &f, &out->function)); break;
    default: break; /* producer, documentation, metadata, training, devices */
    }
  }
  return w.damaged ? ingot__pb_damaged(pb, w.p, "ModelProto") : INGOT_OK;
}

static ingot_status read_node(const ingot__pb *pb, ingot__text message, ingot__pb_nodes *list) {
  ingot__wire w = ingot__wire_open(message);
  ingot__wire_field f;
  ingot__pb_node node = {.size = message.n};
  while (ingot__wire_next(&w, &f)) {
    switch (f.number) {
    case 1: INGOT_TRY(push_name(pb, &w, &f, &node.in)); break;
    case 2: INGOT_TRY(push_name(pb, &w, &f, &node.out)); break;
    case 3: name(&w, &f, &node.name); break;
    case 4: name(&w, &f, &node.op); break;
    case 5: INGOT_TRY(push_bytes(pb, &w, &f, &node.attr)); break;
    case 7: name(&w, &f, &node.domain); break;
    case 8: name(&w, &f, &node.overload); break;
    default: break;
    }
  }
  if (w.damaged) return ingot__pb_damaged(pb, w.p, "NodeProto");
  if (list->n == MAX_NODES) return ingot__fail(pb->diag, INGOT_E_LIMIT, NULL, "more than %d nodes in one graph", MAX_NODES);
  return PUSH(pb, list, node) ? INGOT_OK : ingot__no_memory(pb->diag);
}

static ingot_status read_value(const ingot__pb *pb, ingot__text message, ingot__pb_values *list) {
  ingot__wire w = ingot__wire_open(message);
  ingot__wire_field f;
  ingot__pb_value value = {0};
  while (ingot__wire_next(&w, &f)) {
    if (f.number == 1) name(&w, &f, &value.name);
    else if (f.number == 2) bytes(&w, &f, &value.type);
  }
  if (w.damaged) return ingot__pb_damaged(pb, w.p, "ValueInfoProto");
  return PUSH(pb, list, value) ? INGOT_OK : ingot__no_memory(pb->diag);
}

ingot_status ingot__pb_read_graph(const ingot__pb *pb, ingot__text message, ingot__pb_graph *out) {
  *out = (ingot__pb_graph){0};
  ingot__wire w = ingot__wire_open(message);
  ingot__wire_field f;
  ingot__text t;
  while (ingot__wire_next(&w, &f)) {
    switch (f.number) {
    case 1:
      if (bytes(&w, &f, &t)) INGOT_TRY(read_node(pb, t, &out->node));
      break;
    case 2: name(&w, &f, &out->name); break;
    case 5: INGOT_TRY(push_bytes(pb, &w, &f, &out->initializer)); break;
    case 11:
      if (bytes(&w, &f, &t)) INGOT_TRY(read_value(pb, t, &out->input));
      break;
    case 12:
      if (bytes(&w, &f, &t)) INGOT_TRY(read_value(pb, t, &out->output));
      break;
    case 13:
      if (bytes(&w, &f, &t)) INGOT_TRY(read_value(pb, t, &out->info));
      break;
    case 15: INGOT_TRY(push_bytes(pb, &w, &f, &out->sparse)); break;
    default: break; /* documentation, metadata, quantisation annotations */
    }
  }
  return w.damaged ? ingot__pb_damaged(pb, w.p, "GraphProto") : INGOT_OK;
}

ingot_status ingot__pb_read_function(const ingot__pb *pb, ingot__text message, ingot__pb_function *out) {
  *out = (ingot__pb_function){.size = message.n};
  ingot__wire w = ingot__wire_open(message);
  ingot__wire_field f;
  ingot__text t;
  while (ingot__wire_next(&w, &f)) {
    switch (f.number) {
    case 1: name(&w, &f, &out->name); break;
    case 4: INGOT_TRY(push_name(pb, &w, &f, &out->in)); break;
    case 5: INGOT_TRY(push_name(pb, &w, &f, &out->out)); break;
    case 6: INGOT_TRY(push_name(pb, &w, &f, &out->attr)); break;
    case 7:
      if (bytes(&w, &f, &t)) INGOT_TRY(read_node(pb, t, &out->node));
      break;
    case 9:
      if (bytes(&w, &f, &t)) INGOT_TRY(read_opset(pb, t, &out->opset));
      break;
    case 10: name(&w, &f, &out->domain); break;
    case 11: INGOT_TRY(push_bytes(pb, &w, &f, &out->defaults)); break;
    case 12:
      if (bytes(&w, &f, &t)) INGOT_TRY(read_value(pb, t, &out->info));
      break;
    case 13: name(&w, &f, &out->overload); break;
    default: break;
    }
  }
  return w.damaged ? ingot__pb_damaged(pb, w.p, "FunctionProto") : INGOT_OK;
}

ingot_status ingot__pb_read_attr(const ingot__pb *pb, ingot__text message, ingot__pb_attr *out) {
  *out = (ingot__pb_attr){.self = message};
  ingot__wire w = ingot__wire_open(message);
  ingot__wire_field f;
  ingot__text s = {0}, t = {0}, g = {0}, sparse = {0}, tp = {0}, ignored;
  int64_t type = 0;
  int seen = INGOT__PB_UNDEFINED; /* what the oldest files, which don't write the type, leave to be seen */
  while (ingot__wire_next(&w, &f)) {
    switch (f.number) {
    case 1: name(&w, &f, &out->name); break;
    case 2:
      if (f.type != INGOT__WIRE_FIXED32) w.damaged = true;
      uint32_t word = (uint32_t)f.value;
      memcpy(&out->f, &word, 4);
      seen = INGOT__PB_FLOAT;
      break;
    case 3: varint(&w, &f, &out->i), seen = INGOT__PB_INT; break;
    case 4: bytes(&w, &f, &s), seen = INGOT__PB_STRING; break;
    case 5: bytes(&w, &f, &t), seen = INGOT__PB_TENSOR; break;
    case 6: bytes(&w, &f, &g), seen = INGOT__PB_GRAPH; break;
    case 7: seen = INGOT__PB_FLOATS; break;
    case 8: seen = INGOT__PB_INTS; break;
    case 9: bytes(&w, &f, &ignored), seen = INGOT__PB_STRINGS; break;
    case 14: bytes(&w, &f, &tp), seen = INGOT__PB_TYPE; break;
    case 20: varint(&w, &f, &type); break;
    case 21: name(&w, &f, &out->ref); break;
    case 22: bytes(&w, &f, &sparse), seen = INGOT__PB_SPARSE; break;
    default: break;
    }
  }
  if (w.damaged) return ingot__pb_damaged(pb, w.p, "AttributeProto");
  out->type = type > 0 && type <= INGOT__PB_TYPES ? (int)type : seen;
  switch (out->type) {
  case INGOT__PB_TENSOR: out->s = t; break;
  case INGOT__PB_GRAPH: out->s = g; break;
  case INGOT__PB_SPARSE: out->s = sparse; break;
  case INGOT__PB_TYPE: out->s = tp; break;
  default: out->s = s; break;
  }
  return INGOT_OK;
}
