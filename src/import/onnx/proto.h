/* ONNX's messages as light structs that point into the file. Reading one message allocates its lists in a scratch arena; attributes,
 * tensors and subgraphs inside stay unread bytes until they are asked for, so that nesting costs no recursion here. */
#ifndef INGOT_IMPORT_ONNX_PROTO_H
#define INGOT_IMPORT_ONNX_PROTO_H
#include "base/mem.h"
#include "import/onnx/wire.h"

typedef struct ingot__pb {
  ingot__arena *arena;  /* for lists; lives as long as the import */
  ingot__diag *diag;
  const char *base;     /* the file's first byte, for messages that name an offset */
} ingot__pb;

typedef struct ingot__pb_texts { ingot__text *v; size_t n, capacity; } ingot__pb_texts;

typedef struct ingot__pb_node {
  ingot__text name, op, domain, overload;
  ingot__pb_texts in, out, attr; /* attr: AttributeProto messages */
  size_t size;                   /* bytes of the message */
} ingot__pb_node;
typedef struct ingot__pb_nodes { ingot__pb_node *v; size_t n, capacity; } ingot__pb_nodes;

typedef struct ingot__pb_value { ingot__text name, type; } ingot__pb_value; /* ValueInfoProto; type: a TypeProto message, empty if none */
typedef struct ingot__pb_values { ingot__pb_value *v; size_t n, capacity; } ingot__pb_values;

typedef struct ingot__pb_graph {
  ingot__text name;
  ingot__pb_nodes node;
  ingot__pb_texts initializer, sparse; /* TensorProto, SparseTensorProto messages */
  ingot__pb_values input, output, info;
} ingot__pb_graph;

typedef struct ingot__pb_opset { ingot__text domain; int64_t version; } ingot__pb_opset;
typedef struct ingot__pb_opsets { ingot__pb_opset *v; size_t n, capacity; } ingot__pb_opsets;

typedef struct ingot__pb_function {
  ingot__text name, domain, overload;
  ingot__pb_texts in, out, attr; /* attr: names of attributes without a default */
  ingot__pb_texts defaults;      /* AttributeProto messages */
  ingot__pb_nodes node;
  ingot__pb_values info;
  ingot__pb_opsets opset;
  size_t size;
} ingot__pb_function;

typedef struct ingot__pb_model {
  int64_t ir_version;
  ingot__text graph;          /* a GraphProto message */
  bool has_graph;
  ingot__pb_opsets opset;
  ingot__pb_texts function;   /* FunctionProto messages */
} ingot__pb_model;

/* AttributeProto.AttributeType */
enum {
  INGOT__PB_UNDEFINED, INGOT__PB_FLOAT, INGOT__PB_INT, INGOT__PB_STRING, INGOT__PB_TENSOR, INGOT__PB_GRAPH, INGOT__PB_FLOATS, INGOT__PB_INTS,
  INGOT__PB_STRINGS, INGOT__PB_TENSORS, INGOT__PB_GRAPHS, INGOT__PB_SPARSE, INGOT__PB_SPARSES, INGOT__PB_TYPE, INGOT__PB_TYPES
};
typedef struct ingot__pb_attr {
  ingot__text name, ref;  /* ref: the attribute of the enclosing function that it takes its value from; or empty */
  int type;               /* INGOT__PB_... */
  int64_t i;
  float f;
  ingot__text s;          /* string, or TensorProto, GraphProto, SparseTensorProto, TypeProto message, by type */
  ingot__text self;       /* the message, for reading lists */
} ingot__pb_attr;

typedef struct ingot__pb_tensor {
  ingot__text name, raw, self;
  int32_t dtype;          /* TensorProto.DataType, unchecked */
  int rank;
  int64_t dim[INGOT_MAX_RANK];
  bool has_raw, is_external;
  ingot__pb_texts external; /* StringStringEntryProto messages */
} ingot__pb_tensor;

typedef struct ingot__pb_sparse { ingot__text values, indices; int rank; int64_t dim[INGOT_MAX_RANK]; } ingot__pb_sparse;

ingot_status ingot__pb_read_model(const ingot__pb *pb, ingot__text message, ingot__pb_model *out);
ingot_status ingot__pb_read_graph(const ingot__pb *pb, ingot__text message, ingot__pb_graph *out);
ingot_status ingot__pb_read_function(const ingot__pb *pb, ingot__text message, ingot__pb_function *out);
ingot_status ingot__pb_read_attr(const ingot__pb *pb, ingot__text message, ingot__pb_attr *out);
ingot_status ingot__pb_read_tensor(const ingot__pb *pb, ingot__text message, ingot__pb_tensor *out);
ingot_status ingot__pb_read_sparse(const ingot__pb *pb, ingot__text message, ingot__pb_sparse *out);
ingot_status ingot__pb_read_entry(const ingot__pb *pb, ingot__text message, ingot__text *key, ingot__text *value);

/* ---- Repeated numbers of a message, packed or not, in file order. With out NULL they are only counted. */
/* Each as its low `width` bytes (1, 2, 4 or 8). *n: how many. */
ingot_status ingot__pb_varints(const ingot__pb *pb, ingot__text message, uint32_t field, size_t width, void *out, size_t *n);
/* Numbers of `width` 4 or 8 bytes. *packed (may be NULL) is set to their bytes in the file when they lie together there. */
ingot_status ingot__pb_fixed(const ingot__pb *pb, ingot__text message, uint32_t field, size_t width, void *out, size_t *n,
                             ingot__text *packed);
/* Repeated strings. */
ingot_status ingot__pb_strings(const ingot__pb *pb, ingot__text message, uint32_t field, ingot__pb_texts *out);

/* INGOT_E_FORMAT with the place where reading stopped. */
ingot_status ingot__pb_damaged(const ingot__pb *pb, const void *at, const char *what);
#endif
