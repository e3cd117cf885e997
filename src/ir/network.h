/* The network in memory: graphs of nodes (public: layers) and values (public: tensors), in an arena that is freed whole.
 *
 * Invariants, checked by ingot__network_verify: nodes stand in an order in which every value is produced before it is used; a value has
 * one producer or none (inputs and constants); its users list holds each node once for every input slot that reads it; values of an outer
 * graph may be read inside a subgraph, never the reverse; every attribute struct is of its node's operator. */
#ifndef INGOT_IR_NETWORK_H
#define INGOT_IR_NETWORK_H
#include "base/dtype.h"
#include "base/log.h"
#include "base/object.h"
#include "ir/dim.h"
#include "ir/op.h"

enum {
  INGOT__MAX_KNOWN = 1024,      /* elements of an integer tensor that shape inference follows */
  INGOT__MAX_GRAPH_DEPTH = 64,  /* subgraphs in subgraphs; ingot__graph_new gives NULL beyond it, so readers check first */
  INGOT__MAX_NODE_OUTPUTS = 65535
};

typedef struct ingot_tensor ingot__value;
typedef struct ingot_layer ingot__node;
typedef struct ingot__graph ingot__graph;
typedef struct ingot_network ingot__network;

typedef struct ingot__type {
  ingot_dtype dtype;         /* of a sequence or optional: its elements' */
  uint8_t kind;              /* ingot__kind */
  int8_t rank;               /* -1: unknown. Of a sequence or optional: what is known of all its tensors */
  ingot__dim dim[INGOT_MAX_RANK];
} ingot__type;

struct ingot_tensor {
  const char *name;          /* unique in its network; never NULL */
  uint32_t id;               /* index into network->value */
  ingot__type type;
  const void *data;          /* constants: dense row-major elements, else NULL. Strings: const ingot_string * */
  size_t bytes;              /* of data */
  const ingot__dim *known;   /* integer tensors whose elements shape inference knows (count = number of elements), or NULL */
  ingot__graph *graph;       /* where it is defined */
  ingot__node *producer;     /* NULL for inputs and constants */
  ingot__node **user;        /* nodes that read it, once a slot */
  size_t n_user, user_capacity;
  uint16_t output_slot;      /* which output of its producer */
  bool is_input;             /* of its graph */
  bool is_output;            /* of its graph */
};

struct ingot_layer {
  ingot__op op;
  const char *name;          /* unique in its network; never NULL */
  const char *origin;        /* the names of the network's original nodes that it stands for, ", " between; NULL: name alone */
  uint32_t id;               /* index into network->node */
  ingot__graph *graph;
  ingot__node *prev, *next;  /* running order */
  size_t n_in, n_out;
  ingot__value **in;         /* NULL entries: optional inputs left out */
  ingot__value **out;        /* NULL entries: outputs nobody wants */
  void *attrs;               /* ingot__attrs_<Op>, all fields set (defaults filled) */
};

struct ingot__graph {
  ingot__network *network;
  ingot__graph *outer;       /* NULL for the main graph */
  const char *name;
  uint32_t id;               /* index into network->graph */
  uint32_t depth;            /* 0: the main graph */
  bool removed;              /* its node went; what is left of it goes with the next sweep */
  ingot__node *first, *last;
  size_t n_node;
  ingot__value **input, **output;
  size_t n_input, n_output, input_capacity, output_capacity;
};

struct ingot_network {
  ingot__heap heap;
  ingot__arena arena;
  ingot__log log;
  ingot__dims dims;
  ingot__graph *main;
  ingot__node **node;        /* by id; removed ones are NULL */
  ingot__value **value;      /* by id; removed ones are NULL */
  ingot__graph **graph;      /* by id; [0] is main; see `removed` */
  size_t n_node, node_capacity, n_value, value_capacity, n_graph, graph_capacity;
  struct ingot__names *names;       /* name -> value, and the node names in use */
  struct ingot__mapping *mappings;  /* files that constants point into */
  const char *source;        /* the file it came from, or NULL */
};

/* ---- Making and freeing. Functions that return a pointer return NULL when memory runs out. */
ingot__network *ingot__network_new(const ingot_env *env);
void ingot__network_free(ingot__network *network);
/* A deep copy for the compiler to work on; constants' data is shared, so the original must outlive it. Ids and dim handles stay the same. */
ingot__network *ingot__network_clone(const ingot__network *network, const ingot_env *env);
ingot__graph *ingot__graph_new(ingot__network *network, ingot__graph *outer, const char *name);
/* Values and nodes get `name`, or with a suffix if it is taken, or a made-up one if NULL. */
ingot__value *ingot__value_new(ingot__graph *graph, const char *name, const ingot__type *type);
ingot__value *ingot__constant_new(ingot__graph *graph, const char *name, const ingot__type *type, const void *data,
                                  size_t bytes); /* not copied; NULL when there are no elements, or they are kept elsewhere (packed, in engines) */
ingot__value *ingot__input_new(ingot__graph *graph, const char *name, const ingot__type *type);
bool ingot__graph_add_output(ingot__graph *graph, ingot__value *value); /* false: no memory */
/* Makes a node with `n_out` new values before `before` (NULL: at the end). Output i is called out_names[i] ("": an output
 * nobody wants, NULL in node->out; NULL, or out_names NULL: after the node), the node `name` (NULL: as its first output). Attributes have
 * their defaults; set them through node->attrs. */
ingot__node *ingot__node_new(ingot__graph *graph, ingot__op op, const char *name, ingot__node *before, ingot__value *const *in, size_t n_in,
                             size_t n_out, const char *const *out_names);

/* ---- Changing. */
bool ingot__node_set_input(ingot__node *node, size_t slot, ingot__value *value);  /* slot may be n_in: appends; false: no memory */
void ingot__node_remove(ingot__node *node);                                       /* its outputs must have no users; they go too */
/* Puts `now` for `old` in all users, subgraphs too, and graph outputs; false: no memory, nothing changed. `now`'s own producer goes on reading
 * `old` (so a node can be put behind a value). A graph output keeps its public name: the names of the two are exchanged. Where that can't
 * be (`now` is an input or output of the main graph, or of another graph than `old`), the graph gets an Identity node that reads `now`
 * and takes `old`'s place as output: ingot__value_is_public_pair tells before; passes that remove Identity must leave those. */
bool ingot__value_replace(ingot__value *old, ingot__value *now);
bool ingot__value_is_public_pair(const ingot__value *old, const ingot__value *now);
void ingot__node_move(ingot__node *node, ingot__node *before);   /* within its graph */
bool ingot__value_rename(ingot__value *value, const char *name);  /* false: no memory or the name is taken */
/* Adds `from`'s origin (or name) to `node`'s, when `from` is fused into it. */
bool ingot__node_absorb_origin(ingot__node *node, const ingot__node *from);
/* Nodes whose outputs nobody reads, and constants nobody reads, in all graphs. Returns how many nodes went. */
size_t ingot__network_sweep(ingot__network *network);
/* Puts each graph's nodes in running order; INGOT_E_NETWORK when there is a cycle, naming nodes on it. */
ingot_status ingot__network_sort(ingot__network *network, ingot__diag *diag);

/* ---- Asking. */
ingot__value *ingot__network_find_value(const ingot__network *network, const char *name);
ingot_status ingot__network_verify(const ingot__network *network, ingot__diag *diag); /* INGOT_E_INTERNAL with what is wrong */
/* Elements of a type whose dims are all numbers; false otherwise, or on overflow. */
bool ingot__type_count(const ingot__type *type, size_t *count);
bool ingot__type_bytes(const ingot__type *type, size_t *bytes);
bool ingot__type_same(const ingot__type *a, const ingot__type *b);
static inline bool ingot__value_is_const(const ingot__value *v) { return v && v->data; }
/* The one user of a value that is not a graph output, or NULL. */
ingot__node *ingot__value_only_user(const ingot__value *value);
/* "conv_7 (Conv)", in a buffer of the thread's that the next 4 calls leave alone. */
const char *ingot__where(const ingot__node *node);
#define INGOT__FAIL_NODE(diag, status, node, ...) ingot__fail((diag), (status), ingot__where(node), __VA_ARGS__)

/* ---- Text, for people and pass tests; docs in ir/print.c. parse accepts what print writes. Constants of up to 64 elements are printed
 * whole, larger ones as a seed that makes random ones when parsed (the right ones, if they were made so). write returns 0, or printing
 * stops with INGOT_E_IO. parse: INGOT_E_FORMAT with the line, and the network limits' INGOT_E_LIMIT. */
ingot_status ingot__network_print(const ingot__network *network, int (*write)(void *user, const char *text, size_t n), void *user);
ingot_status ingot__network_parse(const ingot_env *env, const char *text, size_t size, ingot__diag *diag, ingot__network **network);

/* ---- A file mapped for as long as the network lives. INGOT_E_IO. */
ingot_status ingot__network_map_file(ingot__network *network, const char *path, ingot__diag *diag, const void **data, size_t *size);
#endif
