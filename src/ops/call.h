/* What a kernel gets: views of its inputs and outputs, its node's attributes, memory to work in and threads. The same struct asks about a
 * kernel before there is data (supports, cost, pack: `data` is NULL but for constants) and runs it. */
#ifndef INGOT_OPS_CALL_H
#define INGOT_OPS_CALL_H
#include "base/pool.h"
#include "ir/network.h"

/* How a tensor's elements lie in memory. Dims are always logical (NCHW); only strides tell layouts apart. */
typedef enum ingot__layout {
  INGOT__PLAIN = 0,         /* row-major in the order of the dims */
  INGOT__CHANNELS_LAST = 1, /* rank >= 3: N, spatial dims, C (NHWC for images) */
  INGOT__ANY_LAYOUT = 255   /* in kernel rows: whichever the first input has */
} ingot__layout;

typedef struct ingot__view {
  void *data;                          /* the first element */
  ingot_dtype dtype;
  uint8_t rank, layout;                /* layout: ingot__layout */
  bool constant;                       /* known when the engine is built */
  bool dense;                          /* strides are exactly those of dims and layout (not a slice of a larger buffer) */
  uint8_t kind;                        /* ingot__kind; but for tensors rank is 0 and data an ingot__object **: where the object is kept */
  int64_t dim[INGOT_MAX_RANK];
  int64_t stride[INGOT_MAX_RANK];      /* in elements */
} ingot__view;

/* Fills strides for dims and layout; returns false on overflow. */
bool ingot__view_set(ingot__view *view, ingot_dtype dtype, int rank, const int64_t *dim, ingot__layout layout);
/* Copies the elements of `from` to `to`, of the same type and dims, whatever the strides. Not fast. */
void ingot__view_copy(const ingot__view *to, const ingot__view *from);
static inline int64_t ingot__view_count(const ingot__view *v) {
  int64_t n = 1;
  for (int i = 0; i < v->rank; i++) n *= v->dim[i];
  return n;
}

typedef struct ingot__call ingot__call;
struct ingot__call {
  const ingot__node *node;
  const void *attrs;                   /* node->attrs: cast to const ingot__attrs_<Op> * */
  const ingot__view *in;               /* an absent optional input has data NULL and dtype INGOT_UNDEFINED */
  ingot__view *out;                    /* an output nobody wants has dtype INGOT_UNDEFINED */
  size_t n_in, n_out;
  const void *packed;                  /* what the kernel's pack made of its constants, 64-byte aligned; NULL if it has no pack */
  void *workspace;                     /* 64-byte aligned, of the size that workspace() asked for */
  size_t workspace_size;
  ingot__pool *pool;                   /* NULL: one thread */
  int threads;                         /* of the pool; also set when asking */
  void *queue;                         /* kernels on a device: where work goes; NULL when asking */
  void *code;                          /* kernels on a device: as the backend has loaded it; NULL when asking */
  ingot__diag *diag;                   /* may be NULL */
  ingot__store *store;                 /* where objects (sequences, optionals) are made; NULL when asking and when folding constants */
  ingot__arena *strings;               /* where characters of new strings go: they live until the run's end at least; NULL as store */
  /* For outputs whose dims depend on data: sets the dims of output i and gives it memory (PLAIN); updates out[i]. NULL when asking. What it
   * held stays as far as it fits (as with realloc): Loop grows its scan outputs. Works for an output nobody wants too, once the caller has
   * set its out[i].dtype: Loop keeps its carried values there. Not called when out[i] has data and the right dims already, so out[i].data
   * must be NULL before the call where there is no memory of that size. */
  ingot_status (*resize)(void *user, ingot__call *call, size_t i, int rank, const int64_t *dim);
  /* For If, Loop, Scan: runs a subgraph with these values for its inputs; its outputs stay valid until the next run of it or the call's end. */
  ingot_status (*subgraph)(void *user, ingot__call *call, const ingot__graph *graph, const ingot__view *in, size_t n_in, ingot__view *out,
                           size_t n_out);
  void *user;
};
static inline bool ingot__is_tensor(const ingot__view *v) { return v->kind == INGOT__TENSOR; }
static inline bool ingot__has_in(const ingot__call *c, size_t i) { return i < c->n_in && c->in[i].dtype != INGOT_UNDEFINED; }
static inline bool ingot__has_out(const ingot__call *c, size_t i) { return i < c->n_out && c->out[i].dtype != INGOT_UNDEFINED; }
#define INGOT__ATTRS(call, Op) ((const ingot__attrs_##Op *)(call)->attrs)
#endif
