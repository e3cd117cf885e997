/* Every operator's shape inference and reference kernel. */
#ifndef INGOT_OPS_OPS_H
#define INGOT_OPS_OPS_H
#include "ops/call.h"

/* Shape inference of one node. Runs when compiling, with dims that may be symbolic, and when a context meets a new shape, with numbers
 * alone (then dims is NULL), so it must be quick and allocate nothing but through its arena. */
typedef struct ingot__infer {
  const ingot__node *node;
  const void *attrs;
  ingot__dims *dims;                   /* NULL: all dims are numbers */
  ingot__arena *arena;                 /* for known elements that are made */
  ingot__diag *diag;
  const ingot__type *const *in;        /* NULL: absent */
  const ingot__view *const *data;      /* in[i]'s elements where they are in host memory (constants, run time), dense PLAIN; else NULL */
  const ingot__dim *const *known;      /* integer tensors: elements, as numbers or expressions; else NULL. Set where data[i] is, too. With
                                        * dims NULL all are plain numbers, negative ones too, or INGOT__DIM_UNKNOWN (see ops/ints.h) */
  size_t n_in, n_out;
  ingot__type *out;                    /* to be filled; rank -1 or INGOT__DIM_UNKNOWN where it depends on data */
  const ingot__dim **out_known;        /* may be filled (see ingot__infer_known) */
  /* Infers the types of a subgraph given its inputs' types (for If, Loop, Scan); writes n_out types. */
  ingot_status (*subgraph)(struct ingot__infer *infer, const ingot__graph *graph, const ingot__type *in, size_t n_in, ingot__type *out,
                           size_t n_out);
  void *user;
} ingot__infer;

typedef ingot_status (*ingot__infer_fn)(ingot__infer *infer);
typedef ingot_status (*ingot__reference_fn)(const ingot__call *call); /* all views dense and PLAIN */
typedef size_t (*ingot__workspace_fn)(const ingot__call *call);      /* bytes; SIZE_MAX: too large */
typedef struct ingot__op_functions {
  ingot__infer_fn infer;
  ingot__reference_fn reference;
  ingot__workspace_fn workspace;       /* of the reference; NULL: none */
} ingot__op_functions;
/* Every row of ops.def names ingot__infer_<Name> and ingot__ref_<Name> (elementwise rows share one pair): a missing one fails at link.
 * A reference that needs a workspace has ingot__workspace_<Name> beside it, in the same file. */
const ingot__op_functions *ingot__op_functions_get(ingot__op op);

/* ---- Kinds: traits.c */
bool ingot__op_has_graphs(ingot__op op); /* control flow */
bool ingot__op_is_random(ingot__op op);
/* Results that jump where arguments differ by a rounding error: levels, comparisons, whole numbers; of a Fused node, any of its nodes. */
bool ingot__node_jumps(const ingot__node *node);

/* ---- For the files in ops/ */
#define INGOT__FAIL_INFER(infer, status, ...) INGOT__FAIL_NODE((infer)->diag, status, (infer)->node, __VA_ARGS__)
#define INGOT__FAIL_CALL(call, status, ...) INGOT__FAIL_NODE((call)->diag, status, (call)->node, __VA_ARGS__)
/* INGOT_E_TYPE where an input is a sequence, an optional or a tensor of strings and the operator doesn't take that there. Every inference
 * begins with it (ops/accepts.c has the table). */
ingot_status ingot__infer_accepts(ingot__infer *infer);
/* out's type = in's. */
ingot_status ingot__infer_same(ingot__infer *infer, size_t out, size_t in);
/* NumPy's broadcasting of two shapes; INGOT_E_SHAPE when they don't fit. */
ingot_status ingot__infer_broadcast(ingot__infer *infer, const ingot__type *a, const ingot__type *b, ingot__type *out);
/* axis in -rank..rank-1 to 0..rank-1; INGOT_E_NETWORK outside. */
ingot_status ingot__infer_axis(ingot__infer *infer, int64_t axis, int rank, int *out);
/* Requires that input i is there and has a known rank between min and max (-1: any); else fails. When its rank is unknown, sets every
 * output to rank -1 with in[0]'s dtype and *unknown = true. */
ingot_status ingot__infer_rank(ingot__infer *infer, size_t i, int min, int max, bool *unknown);
/* Room for n known elements of output i (in the arena); NULL when n > INGOT__MAX_KNOWN or out of memory (then simply not known). */
ingot__dim *ingot__infer_known(ingot__infer *infer, size_t i, size_t n);
/* The elements of integer input i (attribute-like inputs: axes, shape, pads): *values with *n of them. *unknown = true when they are not
 * known as dims; a negative number comes as expression, read it with ingot__dim_value. */
ingot_status ingot__infer_ints(ingot__infer *infer, size_t i, const ingot__dim **values, size_t *n, bool *unknown);

/* Infers types and known elements of the whole network, inputs given; all problems reported at once. */
ingot_status ingot__infer_network(ingot__network *network, ingot__diag *diag);
/* The same for one node, from its inputs' values to its outputs' (types and known elements are written). */
ingot_status ingot__infer_node(ingot__node *node, ingot__diag *diag);
/* The operator's reference on dense PLAIN views, and the bytes of workspace that it needs (SIZE_MAX: too large). */
ingot_status ingot__reference(const ingot__call *call);
size_t ingot__reference_workspace(const ingot__call *call);
/* FLOPs (a multiply-add is two) of a call, 0 where it isn't arithmetic. */
int64_t ingot__op_flops(const ingot__call *call);
#endif
