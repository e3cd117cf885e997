/* Elementwise nodes and Fused chains of them, of any types and layouts: one read of each input, one write of each output. Where the innermost
 * dim allows, an item is a vector of up to 16 bytes. */
#include <stdint.h>
#include "backend/cuda/kernels/elementwise/generate.h"
#include "backend/cuda/kernels/walk.h"
#include "backend/cuda/kernels/elementwise/elementwise.h"

static size_t size_of(const ingot__call *call, const elementwise_operands *o, int k) {
  return ingot__dtype_size(k < o->n_in ? call->in[o->in[k]].dtype : call->out[o->out[k - o->n_in]].dtype);
}

/* Elements of an item: 16 bytes of the widest type. */
static int vector_of(const ingot__call *call, const elementwise_operands *o) {
  size_t most = 1;
  for (int k = 0; k < o->n_in + o->n_out; k++)
    if (size_of(call, o, k) > most) most = size_of(call, o, k);
  return (int)(16 / most);
}
/* Items that a thread has in flight: few where an item has much to load, or to compute. */
static int unroll_of(const elementwise_operands *o) { return o->nodes > 12 || o->n_in > 3 ? 1 : o->n_in > 1 || o->nodes > 6 ? 2 : 4; }

static bool supports(const ingot__call *call) {
  elementwise_operands o;
  return ingot__elementwise_generate(call, &o, NULL);
}

static void define(const ingot__call *call, ingot__text *text) {
  elementwise_operands o;
  if (!ingot__elementwise_generate(call, &o, NULL)) return;
  bool fast = true;
  for (int k = 0; k < o.n_in + o.n_out; k++) fast = fast && size_of(call, &o, k) <= 2;
  if (fast) ingot__text_printf(text, "#define FAST 1\n");
  ingot__cuda_define(text, "N_IN", o.n_in);
  ingot__cuda_define(text, "N_OUT", o.n_out);
  ingot__cuda_define(text, "VECTOR", vector_of(call, &o));
  ingot__cuda_define(text, "UNROLL", unroll_of(&o));
  ingot__text_printf(text, "#define INPUTS(X)");
  for (int k = 0; k < o.n_in; k++) ingot__text_printf(text, " X(%d, %s)", k, ingot__elementwise_type(call->in[o.in[k]].dtype));
  ingot__text_printf(text, "\n#define OUTPUTS(X)");
  for (int k = 0; k < o.n_out; k++) ingot__text_printf(text, " X(%d, %s)", k, ingot__elementwise_type(call->out[o.out[k]].dtype));
  ingot__text_printf(text, "\n#include \"elementwise/functions.cuh\"\nDEVICE void apply(");
  for (int k = 0; k < o.n_in; k++) ingot__text_printf(text, "const %s &i%d, ", ingot__elementwise_type(call->in[o.in[k]].dtype), k);
  ingot__text_printf(text, "int");
  for (int k = 0; k < o.n_out; k++) ingot__text_printf(text, ", %s &o%d", ingot__elementwise_type(call->out[o.out[k]].dtype), k);
  ingot__text_printf(text, ") {\n");
  ingot__elementwise_generate(call, &o, text);
  ingot__text_printf(text, "}\n");
}

typedef struct state { const ingot__call *call; const elementwise_operands *operands; bool vectors; uint32_t tail, splat; } state;

static ingot_status launch(const ingot__walk *w, void *user) {
  const state *s = user;
  elementwise_params p = {.tail = s->tail, .splat = s->splat};
  if (!ingot__walk_dims(w, &p.dims)) return INGOT__FAIL_CALL(s->call, INGOT_E_LIMIT, "is spread over too many dims");
  int n_in = s->operands->n_in;
  for (int k = 0; k < w->n; k++) { /* the walk has output 0 first */
    int to = k == 0 ? n_in : k <= n_in ? k - 1 : k;
    p.data[to] = w->data[k];
    for (int d = 0; d < w->rank; d++) p.stride[to * SPACE_RANK + d] = w->stride[k][d];
  }
  int64_t sms = ingot__cuda_info_get()->sms, items = p.dims.items ? p.dims.items : 1;
  ingot__cuda_grid grid = {.threads = items < 256 * sms ? 128 : 256, .early = true};
  int64_t blocks = ingot__divide_up(items, grid.threads), full = ingot__divide_up(blocks, unroll_of(s->operands));
  if (blocks > 8 * sms) blocks = full > 8 * sms ? full : 8 * sms; /* several items a thread once every place is taken */
  grid.x = (unsigned)blocks;
  return ingot__cuda_launch(s->call, s->vectors ? "vectors" : "elements", &grid, &p, sizeof p);
}

/* Makes items of a walk's innermost dim, if all tensors pass through it evenly, or not at all, and lie at multiples of an item. */
static bool make_vectors(ingot__walk *w, int vector, state *s) {
  int inner = w->rank - 1;
  if (vector == 1 || (w->dim[inner] % vector != 0 && w->rank > 1) || w->dim[inner] < vector) return false;
  for (int k = 0; k < w->n; k++) {
    int64_t step = w->stride[k][inner];
    if (step == 0) continue;
    if (step != 1 || (uintptr_t)w->data[k] % (size_t)(vector * w->size[k]) != 0) return false;
    for (int d = 0; d < inner; d++)
      if (w->stride[k][d] % vector != 0) return false;
  }
  int n_in = s->operands->n_in;
  for (int k = 0; k < w->n; k++) {
    if (w->stride[k][inner] == 0) s->splat |= 1u << (k <= n_in ? k - 1 : k);
    else w->stride[k][inner] = vector;
  }
  s->tail = (uint32_t)(w->dim[inner] % vector);
  w->dim[inner] /= vector;
  return true;
}

static ingot_status run(const ingot__call *call) {
  elementwise_operands o;
  ingot__walk w;
  if (!ingot__elementwise_generate(call, &o, NULL)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "is no longer what the kernel was made for");
  state s = {.call = call, .operands = &o};
  ingot__walk_start(&w, &call->out[o.out[0]]);
  for (int k = 0; k < o.n_in; k++) ingot__walk_add(&w, &call->in[o.in[k]], o.in_axis[k]);
  for (int k = 1; k < o.n_out; k++) ingot__walk_add(&w, &call->out[o.out[k]], -1);
  ingot__walk_join(&w);
  if (ingot__walk_count(&w) == 0) return INGOT_OK;
  int vector = vector_of(call, &o);
  /* A tail goes with one launch alone. */
  bool split = ingot__walk_count(&w) / vector > 1 << 30 && w.dim[w.rank - 1] % vector != 0;
  s.vectors = !split && make_vectors(&w, vector, &s);
  return ingot__walk_launch(&w, launch, &s);
}

const ingot__kernel_functions ingot__cuda_elementwise = {
  .supports = supports, .run = run, .source = "elementwise/elementwise.cu", .define = define,
};
