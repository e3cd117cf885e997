/* Runs a network given as text by inference and the operators' references alone, node by node, in memory of its own: for tests of src/ops
 * that need no planner and no runtime. Inputs of the network are constants in the text. */
#ifndef INGOT_TESTS_OPS_RUN_TEXT_H
#define INGOT_TESTS_OPS_RUN_TEXT_H
#include "testing.h"
#include "ops/ops.h"

enum { RUN_SLOTS = 16, RUN_KNOWN = 64 };

typedef struct run_text {
  ingot__network *network;
  ingot__diag diag;
  ingot__view *view;  /* by value id */
  void **memory;      /* to free */
  size_t n_memory;
  ingot__pool *pool;
} run_text;

static inline void *run_memory(run_text *r, size_t size) {
  r->memory = realloc(r->memory, (r->n_memory + 1) * sizeof *r->memory);
  void *p = aligned_alloc(64, ingot__align(size + 64, 64));
  memset(p, 0xee, ingot__align(size + 64, 64)); /* what is not written shows */
  return r->memory[r->n_memory++] = p;
}

/* Sizes in bytes as allocated exactly, so that AddressSanitizer sees what goes past the end; none for nothing, as a caller may give. */
static inline void run_give_memory(run_text *r, ingot__view *v) {
  size_t bytes = 0;
  assert_true(ingot__dtype_bytes(v->dtype, (size_t)ingot__view_count(v), &bytes));
  r->memory = realloc(r->memory, (r->n_memory + 1) * sizeof *r->memory);
  v->data = r->memory[r->n_memory++] = bytes ? malloc(bytes) : NULL;
  if (bytes) memset(v->data, 0xee, bytes);
}

static inline ingot_status run_resize(void *user, ingot__call *call, size_t i, int rank, const int64_t *dim) {
  ingot__view was = call->out[i];
  assert_true(ingot__view_set(&call->out[i], was.dtype, rank, dim, INGOT__PLAIN));
  run_give_memory(user, &call->out[i]);
  size_t before = 0, now = 0; /* what it held stays */
  if (was.data && ingot__dtype_bytes(was.dtype, (size_t)ingot__view_count(&was), &before) &&
      ingot__dtype_bytes(was.dtype, (size_t)ingot__view_count(&call->out[i]), &now)) {
    memcpy(call->out[i].data, was.data, before < now ? before : now);
  }
  return INGOT_OK;
}

static inline ingot_status run_graph(run_text *r, const ingot__graph *graph);
static inline ingot_status run_subgraph(void *user, ingot__call *call, const ingot__graph *graph, const ingot__view *in, size_t n_in,
                                        ingot__view *out, size_t n_out) {
  run_text *r = user;
  (void)call;
  for (size_t i = 0; i < n_in; i++) r->view[graph->input[i]->id] = in[i];
  INGOT_TRY(run_graph(r, graph));
  for (size_t i = 0; i < n_out; i++) out[i] = r->view[graph->output[i]->id];
  return INGOT_OK;
}

/* The view of a value: a constant's is made from its type. */
static inline ingot__view run_view(const run_text *r, const ingot__value *v) {
  ingot__view view = r->view[v->id];
  if (!v->data) return view;
  memset(&view, 0, sizeof view);
  assert_true(ingot__view_set(&view, v->type.dtype, v->type.rank, v->type.dim, INGOT__PLAIN));
  view.data = (void *)(uintptr_t)v->data;
  view.constant = true;
  return view;
}

/* Types as at run time: numbers alone, integer elements known as far as they are in host memory. */
static inline ingot_status run_node(run_text *r, ingot__node *node) {
  const ingot__op_functions *f = ingot__op_functions_get(node->op);
  ingot__view in[RUN_SLOTS] = {0}, out[RUN_SLOTS] = {0};
  ingot__type in_type[RUN_SLOTS], out_type[RUN_SLOTS];
  const ingot__type *in_types[RUN_SLOTS] = {0};
  const ingot__view *data[RUN_SLOTS] = {0};
  const ingot__dim *known[RUN_SLOTS] = {0}, *out_known[RUN_SLOTS] = {0};
  static ingot__dim elements[RUN_SLOTS][RUN_KNOWN];
  assert_true(node->n_in <= RUN_SLOTS && node->n_out <= RUN_SLOTS);
  for (size_t i = 0; i < node->n_in; i++) {
    if (!node->in[i]) continue;
    in[i] = run_view(r, node->in[i]);
    in_type[i] = (ingot__type){.dtype = in[i].dtype, .rank = (int8_t)in[i].rank};
    for (int k = 0; k < in[i].rank; k++) in_type[i].dim[k] = in[i].dim[k];
    in_types[i] = &in_type[i];
    data[i] = &in[i];
    int64_t n = ingot__view_count(&in[i]);
    if (ingot__dtype_is_int(in[i].dtype) && n <= RUN_KNOWN) {
      for (int64_t k = 0; k < n; k++) elements[i][k] = ingot__get_int(in[i].dtype, in[i].data, (size_t)k);
      known[i] = elements[i];
    }
  }
  bool control = node->op == INGOT__OP_If || node->op == INGOT__OP_Loop;
  if (!control) {
    for (size_t i = 0; i < node->n_out; i++) out_type[i] = (ingot__type){.rank = -1};
    ingot__infer infer = {.node = node, .attrs = node->attrs, .arena = &r->network->arena, .diag = &r->diag, .in = in_types, .data = data,
                          .known = known, .n_in = node->n_in, .n_out = node->n_out, .out = out_type, .out_known = out_known};
    INGOT_TRY(f->infer(&infer));
  }
  for (size_t i = 0; i < node->n_out; i++) {
    if (!node->out[i]) continue;
    const ingot__type *t = control ? &node->out[i]->type : &out_type[i];
    bool fixed = t->rank >= 0;
    for (int k = 0; k < t->rank; k++) fixed = fixed && t->dim[k] >= 0;
    out[i].dtype = t->dtype;
    if (!fixed) continue;
    assert_true(ingot__view_set(&out[i], t->dtype, t->rank, t->dim, INGOT__PLAIN));
    run_give_memory(r, &out[i]);
  }
  ingot__call call = {.node = node, .attrs = node->attrs, .in = in, .out = out, .n_in = node->n_in, .n_out = node->n_out, .pool = r->pool,
                      .threads = ingot__pool_threads(r->pool), .diag = &r->diag, .resize = run_resize, .subgraph = run_subgraph, .user = r};
  if (ingot__reference_workspace(&call)) {
    call.workspace_size = ingot__reference_workspace(&call);
    call.workspace = run_memory(r, call.workspace_size);
  }
  INGOT_TRY(ingot__reference(&call));
  for (size_t i = 0; i < node->n_out; i++) {
    if (!node->out[i]) continue;
    r->view[node->out[i]->id] = out[i];
    if (!out_known[i] || !ingot__dtype_is_int(out[i].dtype)) continue;
    for (int64_t k = 0; k < ingot__view_count(&out[i]); k++) { /* what inference knows is what comes out */
      if (out_known[i][k] == INGOT__DIM_UNKNOWN) continue;
      assert_int_equal(out_known[i][k], ingot__get_int(out[i].dtype, out[i].data, (size_t)k));
    }
  }
  return INGOT_OK;
}

static inline ingot_status run_graph(run_text *r, const ingot__graph *graph) {
  for (ingot__node *node = graph->first; node; node = node->next) INGOT_TRY(run_node(r, node));
  return INGOT_OK;
}

static inline void run_text_free(run_text *r) {
  for (size_t i = 0; i < r->n_memory; i++) free(r->memory[i]);
  free(r->memory);
  free(r->view);
  ingot__network_free(r->network);
  memset(r, 0, sizeof *r);
}

/* Parses, infers and runs; r must be zeroed but for pool. */
static inline ingot_status run_text_run(run_text *r, const char *text) {
  ingot__diag_init(&r->diag, NULL);
  INGOT_TRY(ingot__network_parse(NULL, text, strlen(text), &r->diag, &r->network));
  INGOT_TRY(ingot__infer_network(r->network, &r->diag));
  r->view = calloc(r->network->n_value + 1, sizeof *r->view);
  return run_graph(r, r->network->main);
}

/* Output i, also where it is a constant. */
static inline ingot__view run_text_output(const run_text *r, size_t i) {
  assert_true(i < r->network->main->n_output);
  return run_view(r, r->network->main->output[i]);
}
#endif
