/* What the importer's files share: the state of one import, scopes of names, and the node that is being converted.
 *
 * An import reads the main graph's messages, and for each graph: defines every name, makes inputs and constants, orders the nodes and
 * converts one after the other. Problems are collected: a node that fails leaves its outputs 'failed', nodes that read those are passed
 * over in silence, and the import fails at its end. Only lack of memory, limits and damage end it at once. */
#ifndef INGOT_IMPORT_ONNX_IMPORT_H
#define INGOT_IMPORT_ONNX_IMPORT_H
#include "import/onnx/names.h"
#include "import/onnx/proto.h"
#include "ir/network.h"

enum {
  INGOT__ONNX_DEPTH = 32,       /* of subgraphs and function calls within one another */
  INGOT__ONNX_NODES = 1000000,  /* with those of inlined functions */
  INGOT__ONNX_NEWEST = 28,      /* the newest opset of ai.onnx that is known */
  INGOT__ONNX_IR = 14           /* and the newest IR version */
};

typedef struct ingot__onnx_file { /* an external data file */
  struct ingot__onnx_file *next;
  ingot__text location;
  const char *data;
  size_t size;
} ingot__onnx_file;

typedef struct ingot__onnx_unknown { /* an operator that ingot lacks */
  struct ingot__onnx_unknown *next;
  ingot__text domain, op;
  size_t count;
  const char *example[2];
} ingot__onnx_unknown;

typedef struct ingot__onnx {
  ingot__network *network;   /* NULL when only a tensor is read */
  ingot__arena *arena;       /* where constants' data is made when it can't stay in the file */
  ingot__arena *scratch;     /* freed at the end of the import */
  ingot__pb pb;
  ingot__diag *diag;
  const char *folder;        /* of external data; NULL: none allowed */
  bool copy;                 /* constants must not point into the file's bytes */
  ingot_status status;       /* of the first problem that didn't end the import */
  size_t n_node;             /* converted so far */
  size_t work, work_limit;   /* what functions that are called many times may multiply, in bytes: see ingot__onnx_spend */
  int depth;
  ingot__name_map function;  /* "domain\nname\noverload" -> ingot__pb_function */
  ingot__name_map copied;    /* the file's bytes of a tensor, by address -> their copy */
  ingot__onnx_file *file;
  ingot__onnx_unknown *unknown;
} ingot__onnx;

/* ---- Scopes (scope.c) */
typedef enum ingot__onnx_state {
  INGOT__ONNX_LATER = 0,  /* defined in this graph, but not made yet */
  INGOT__ONNX_READY,
  INGOT__ONNX_FAILED,     /* its node failed, which has been reported */
  INGOT__ONNX_ABSENT,     /* an optional input of a function that the call leaves out */
  INGOT__ONNX_TRAINING    /* an output that exists in training only */
} ingot__onnx_state;

typedef struct ingot__onnx_entry {
  ingot__text name;
  ingot__onnx_state state;
  ingot__value *value;
  bool is_input;
  bool is_output;            /* of its graph */
  bool produced;             /* by a node */
  size_t node;               /* index of the node that makes it, when `produced` */
  ingot__text type;          /* TypeProto declared for it; or empty */
  const char *alias;         /* of a function's output: what the caller calls it */
} ingot__onnx_entry;

/* The values a call gives to a function's attributes. */
typedef struct ingot__onnx_call {
  const struct ingot__onnx_call *outer; /* the call around this one, for refusing recursion */
  const ingot__pb_function *function;
  const ingot__pb_attr *attr;
  size_t n_attr;
} ingot__onnx_call;

typedef struct ingot__onnx_scope {
  ingot__name_map map;                 /* name -> ingot__onnx_entry */
  struct ingot__onnx_scope *outer;     /* whose names are seen here too; NULL for the main graph and functions */
  struct ingot__onnx_scope *caller;    /* for functions: the scope of the call */
  ingot__graph *graph;                 /* where nodes go */
  const char *prefix;                  /* put before the names of values; NULL in the main graph */
  const ingot__pb_opsets *opset;
  const ingot__onnx_call *call;        /* NULL outside functions */
  bool inlined;                        /* a subgraph whose nodes go into the graph around it */
  ingot__node *inferred;               /* the last node of `graph` that ingot__onnx_type has been to; in the graph's own scope */
} ingot__onnx_scope;

ingot__onnx_entry *ingot__onnx_find(const ingot__onnx_scope *scope, ingot__text name); /* outer scopes too; NULL: nowhere */
/* A new entry; NULL: no memory. */
ingot__onnx_entry *ingot__onnx_define(ingot__onnx_scope *scope, ingot__text name);
/* The name for a value of this scope in the network, terminated; NULL: no memory. */
const char *ingot__onnx_value_name(ingot__onnx *o, const ingot__onnx_scope *scope, const ingot__onnx_entry *entry);
int64_t ingot__onnx_opset(const ingot__pb_opsets *opsets, ingot__text domain); /* 0: not imported */
bool ingot__onnx_is_default(ingot__text domain); /* "" and "ai.onnx" */

/* ---- Types (types.c). What a TypeProto says. With `owner`, an input's name, dims that aren't fixed become symbols: of the name given, or
 * fresh ones after the owner. Without, they are INGOT__DIM_UNKNOWN: inference finds what can be found, and a symbol that no input has would
 * never get a number. An empty message gives an unknown type. */
ingot_status ingot__onnx_read_type(ingot__onnx *o, ingot__text message, const char *owner, ingot__type *type);

/* ---- Tensors (tensor.c, external.c) */
/* The elements stay in the file where they can; `out` of strings holds ingot_string. */
ingot_status ingot__onnx_read_tensor(ingot__onnx *o, ingot__text message, ingot__literal *out, ingot__text *name);
ingot_status ingot__onnx_read_sparse(ingot__onnx *o, ingot__text message, ingot__literal *out, ingot__text *name);
/* The bytes of an external tensor. */
ingot_status ingot__onnx_external(ingot__onnx *o, const ingot__pb_tensor *tensor, ingot__text *bytes);

/* ---- Nodes. One that is being converted. */
typedef struct ingot__onnx_attr { ingot__pb_attr pb; bool used; } ingot__onnx_attr;
typedef struct ingot__onnx_node {
  ingot__onnx *o;
  ingot__onnx_scope *scope;
  const ingot__pb_node *pb;
  const char *name, *where;     /* "conv_7", "conv_7 (Conv)" */
  int64_t version;              /* of its domain's opset */
  ingot__value **in;            /* NULL: left out; trailing ones are cut off */
  size_t n_in, n_out;
  const char **out_name;        /* in the network; NULL: not wanted */
  ingot__value **out;           /* for the conversion to fill in; NULL where not wanted or made in training only */
  ingot__onnx_attr *attr;
  size_t n_attr;
} ingot__onnx_node;
#define INGOT__ONNX_FAIL(n, status, ...) ingot__fail((n)->o->diag, (status), (n)->where, __VA_ARGS__)

/* graph.c */
ingot_status ingot__onnx_main_graph(ingot__onnx *o, const ingot__pb_model *model);
/* A subgraph of the node; messages name it by `attribute`. */
ingot_status ingot__onnx_subgraph(ingot__onnx_node *node, ingot__text message, const char *attribute, ingot__graph **out);
/* The same, with its nodes put into the node's own graph and `in` for its inputs; the values it gives come into `out`. */
ingot_status ingot__onnx_inline_graph(ingot__onnx_node *node, ingot__text message, const char *attribute, ingot__value *const *in, size_t n_in,
                                      ingot__value **out, size_t n_out);
/* Adds the outputs of `nodes` to the scope, refusing names that are there already. */
ingot_status ingot__onnx_define_nodes(ingot__onnx *o, ingot__onnx_scope *scope, const ingot__pb_nodes *nodes);
/* Remembers a problem that doesn't end the import: returns INGOT_OK to go on, or the status if it must end. */
ingot_status ingot__onnx_collect(ingot__onnx *o, ingot_status status);

/* order.c: an order (indices) in which every value is made before it is read, the file's where that is one. */
ingot_status ingot__onnx_order(ingot__onnx *o, const ingot__onnx_scope *scope, const ingot__pb_nodes *nodes, size_t *order);

/* node.c */
/* Adds to the import's work, of which a file's size allows so much: INGOT_E_LIMIT beyond. Bytes of messages converted, of names made, of
 * attributes' lists copied. */
ingot_status ingot__onnx_spend(ingot__onnx_node *node, size_t bytes);
ingot_status ingot__onnx_convert_nodes(ingot__onnx *o, ingot__onnx_scope *scope, const ingot__pb_nodes *nodes);
ingot_status ingot__onnx_report_unknown(ingot__onnx *o);
/* A network node of the same name, inputs and attributes. */
ingot_status ingot__onnx_straight(ingot__onnx_node *node, ingot__op op);

/* function.c */
ingot_status ingot__onnx_read_functions(ingot__onnx *o, const ingot__pb_model *model);
const ingot__pb_function *ingot__onnx_find_function(ingot__onnx *o, const ingot__pb_node *node);
ingot_status ingot__onnx_inline(ingot__onnx_node *node, const ingot__pb_function *function, const bool *failed_input);
#endif
