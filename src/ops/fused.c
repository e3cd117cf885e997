/* Fused: a chain of elementwise nodes as one node. The reference interprets the body node by node, on one slice of the outputs at a time, so
 * that its workspace stays small: the slices of the first dim that isn't 1. Between nodes, float16 and bfloat16 are kept as float32, as kernels
 * keep them in registers: a power of a sum of angles would otherwise multiply roundings that no kernel makes. */
#include "ops/ints.h"
#include "ops/steps.h"

enum { NODE_INPUTS = 8, MAX_INPUTS = 32 };

ingot_status ingot__infer_Fused(ingot__infer *infer) {
  const ingot__graph *body = INGOT__ATTRS(infer, Fused)->body;
  if (!body || body->n_output != infer->n_out || body->n_input != infer->n_in) {
    return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "has a body with other inputs or outputs than its own");
  }
  ingot__type wide = {.rank = 0};
  for (size_t i = 0; i < infer->n_in; i++) {
    if (!infer->in[i]) return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "lacks input %zu", i);
    INGOT_TRY(ingot__infer_broadcast(infer, &wide, infer->in[i], &wide));
  }
  if (infer->dims && infer->subgraph) { /* compiling: the body's values get their types, too */
    ingot__type types[MAX_INPUTS];
    if (infer->n_in > MAX_INPUTS) return INGOT__FAIL_INFER(infer, INGOT_E_LIMIT, "has %zu inputs", infer->n_in);
    for (size_t i = 0; i < infer->n_in; i++) types[i] = *infer->in[i];
    return infer->subgraph(infer, body, types, infer->n_in, infer->out, infer->n_out);
  }
  for (const ingot__node *node = body->first; node; node = node->next)
    for (size_t i = 0; i < node->n_in; i++)
      if (ingot__value_is_const(node->in[i])) INGOT_TRY(ingot__infer_broadcast(infer, &wide, &node->in[i]->type, &wide));
  for (size_t i = 0; i < infer->n_out; i++) {
    infer->out[i] = wide;
    infer->out[i].dtype = body->output[i]->type.dtype;
  }
  return INGOT_OK;
}

typedef struct entry {
  const ingot__value *value;
  ingot__view view;  /* in float32 where */
  ingot_dtype dtype; /* its type is a narrower float */
} entry;

static size_t count_values(const ingot__graph *body) {
  size_t n = 0;
  for (const ingot__node *node = body->first; node; node = node->next) n += node->n_out;
  return n;
}

/* The dim that slices are taken along; -1: there is one element. */
static int slice_dim(const ingot__view *out) {
  for (int i = 0; i < out->rank; i++)
    if (out->dim[i] > 1) return i;
  return -1;
}

static bool slice_bytes(const ingot__call *call, size_t *bytes) {
  int d = slice_dim(&call->out[0]);
  size_t n = 1;
  for (int i = 0; i < call->out[0].rank; i++)
    if (i != d && !ingot__mul(n, (size_t)call->out[0].dim[i], &n)) return false;
  return ingot__mul(n, 8, bytes) && *bytes < SIZE_MAX / 2 && (*bytes = ingot__align(*bytes, 64), true);
}

size_t ingot__workspace_Fused(const ingot__call *call) {
  size_t values = count_values(INGOT__ATTRS(call, Fused)->body), bytes, table;
  if (!slice_bytes(call, &bytes) || !ingot__mul(bytes, values + NODE_INPUTS, &bytes)) return SIZE_MAX;
  if (!ingot__mul(values, sizeof(entry), &table) || !ingot__add(bytes, table + 64, &bytes)) return SIZE_MAX;
  return bytes;
}

/* Index `at` of dim d of the outputs: that of an input, which may be broadcast. */
static ingot__view slice(const ingot__view *v, int out_rank, int d, int64_t at) {
  ingot__view r = *v;
  int k = d - (out_rank - v->rank);
  if (d < 0 || k < 0 || v->dim[k] == 1) return r;
  r.data = (char *)v->data + (size_t)(at * v->stride[k]) * ingot__dtype_size(v->dtype);
  r.dim[k] = 1;
  return r;
}

typedef struct run_state {
  const ingot__call *call;
  const ingot__graph *body;
  entry *table;
  size_t n, slice_bytes;
  char *memory; /* a slice for each value, and for each input of a node that is converted */
  char *converted;
  int d;
  int64_t at;
} run_state;


/* The type that a node is given an input in: a quantiser's quotient has its operands' precision, and CastLike's second is there for its type. */
static ingot_dtype taken(ingot__op op, size_t i, ingot_dtype declared) {
  const bool exact = op == INGOT__OP_QuantizeLinear || op == INGOT__OP_DequantizeLinear || (op == INGOT__OP_CastLike && i == 1);
  return ingot__dtype_is_half(declared) && !exact ? INGOT_FLOAT32 : declared;
}

/* A value of the body, and its type. */
static bool find(const run_state *r, const ingot__value *v, ingot__view *view, ingot_dtype *dtype) {
  int rank = r->call->out[0].rank;
  for (size_t i = 0; i < r->body->n_input; i++) {
    if (r->body->input[i] != v) continue;
    *view = slice(&r->call->in[i], rank, r->d, r->at);
    *dtype = view->dtype;
    return true;
  }
  if (v->data) {
    ingot__view whole = {.constant = true};
    if (!ingot__view_set(&whole, v->type.dtype, v->type.rank, v->type.dim, INGOT__PLAIN)) return false;
    whole.data = (void *)(uintptr_t)v->data;
    *view = slice(&whole, rank, r->d, r->at);
    *dtype = view->dtype;
    return true;
  }
  for (size_t i = r->n; i-- > 0;) {
    if (r->table[i].value != v) continue;
    *view = r->table[i].view;
    *dtype = r->table[i].dtype;
    return true;
  }
  return false;
}

/* Of the same shape; floats where the types differ. */
static void copy(const ingot__view *to, const ingot__view *from) {
  size_t size = ingot__dtype_size(to->dtype);
  ingot__steps s;
  ingot__steps_init(&s, to->rank, to->dim);
  ingot__steps_add(&s, to);
  ingot__steps_add(&s, from);
  if (!ingot__steps_start(&s)) return;
  do {
    if (from->dtype != to->dtype) {
      for (size_t i = 0; i < s.run; i++)
        ingot__set_double(to->dtype, to->data, (size_t)(s.at[0] + (int64_t)i * s.step[0]),
                          ingot__get_double(from->dtype, from->data, (size_t)(s.at[1] + (int64_t)i * s.step[1])));
      continue;
    }
    char *t = (char *)to->data + (size_t)s.at[0] * size;
    const char *f = (const char *)from->data + (size_t)s.at[1] * size;
    if (s.step[0] == 1 && s.step[1] == 1) memcpy(t, f, s.run * size);
    else for (size_t i = 0; i < s.run; i++) memcpy(t + i * (size_t)s.step[0] * size, f + i * (size_t)s.step[1] * size, size);
  } while (ingot__steps_next(&s));
}

/* The view in dtype `to`, in a slice's memory. */
static bool convert(const run_state *r, ingot__view *view, ingot_dtype to, char *memory) {
  ingot__view made = {0};
  if (!ingot__view_set(&made, to, view->rank, view->dim, INGOT__PLAIN)) return false;
  if ((size_t)ingot__view_count(&made) > r->slice_bytes / ingot__dtype_size(to)) return false;
  made.data = memory;
  made.constant = view->constant;
  copy(&made, view);
  *view = made;
  return true;
}

/* A value's own memory, which has room for more, from the back. */
static void widen(ingot__view *view) {
  const ingot_dtype from = view->dtype;
  for (size_t i = (size_t)ingot__view_count(view); i-- > 0;) ((float *)view->data)[i] = (float)ingot__get_double(from, view->data, i);
  view->dtype = INGOT_FLOAT32;
}

static ingot_status run_node(run_state *r, const ingot__node *node) {
  const ingot__call *call = r->call;
  const ingot__op_functions *f = ingot__op_functions_get(node->op);
  ingot__view in[NODE_INPUTS] = {0}, out[NODE_INPUTS] = {0};
  ingot__type in_type[NODE_INPUTS], out_type[NODE_INPUTS];
  const ingot__type *in_types[NODE_INPUTS];
  const ingot__view *data[NODE_INPUTS] = {0};
  const ingot__dim *known[NODE_INPUTS] = {0}, *out_known[NODE_INPUTS] = {0};
  ingot_dtype between = INGOT_UNDEFINED; /* what float32 stands for */
  const bool casts = node->op == INGOT__OP_Cast || node->op == INGOT__OP_CastLike || node->op == INGOT__OP_DequantizeLinear;
  const size_t first = r->n;
  if (!f || node->n_in > NODE_INPUTS || node->n_out > NODE_INPUTS || f->workspace) {
    return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "has a %s in its body", f ? ingot__op_get(node->op)->name : "unknown operator");
  }
  for (size_t i = 0; i < node->n_in; i++) {
    in_types[i] = NULL;
    ingot_dtype dtype;
    if (!node->in[i]) continue;
    if (!find(r, node->in[i], &in[i], &dtype)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "lacks '%s' in its body", node->in[i]->name);
    if (ingot__dtype_is_half(dtype) && !casts) between = dtype;
    const ingot_dtype wanted = taken(node->op, i, dtype);
    if (in[i].dtype != wanted && !convert(r, &in[i], wanted, r->converted + i * r->slice_bytes))
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "has a value in its body that is larger than its outputs");
    in_type[i] = (ingot__type){.dtype = in[i].dtype, .rank = (int8_t)in[i].rank};
    for (int k = 0; k < in[i].rank; k++) in_type[i].dim[k] = in[i].dim[k];
    in_types[i] = &in_type[i];
  }
  ingot__infer infer = {.node = node, .attrs = node->attrs, .diag = call->diag, .in = in_types, .data = data, .known = known,
                        .n_in = node->n_in, .n_out = node->n_out, .out = out_type, .out_known = out_known};
  INGOT_TRY(f->infer(&infer));
  for (size_t i = 0; i < node->n_out; i++) {
    if (!node->out[i]) continue;
    if (out_type[i].rank < 0 || !ingot__view_set(&out[i], out_type[i].dtype, out_type[i].rank, out_type[i].dim, INGOT__PLAIN) ||
        (size_t)ingot__view_count(&out[i]) > r->slice_bytes / (ingot__dtype_is_half(out_type[i].dtype) ? 4 : ingot__dtype_size(out_type[i].dtype))) {
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "has a value in its body that is larger than its outputs");
    }
    out[i].data = r->memory + r->n * r->slice_bytes;
    r->table[r->n++] = (entry){node->out[i], out[i], out[i].dtype == INGOT_FLOAT32 && between ? between : out[i].dtype};
  }
  ingot__call inner = {.node = node, .attrs = node->attrs, .in = in, .out = out, .n_in = node->n_in, .n_out = node->n_out, .pool = call->pool,
                       .threads = call->threads, .diag = call->diag};
  INGOT_TRY(ingot__reference(&inner));
  for (size_t k = first; k < r->n; k++)
    if (ingot__dtype_is_half(r->table[k].view.dtype)) widen(&r->table[k].view);
  return INGOT_OK;
}

ingot_status ingot__ref_Fused(const ingot__call *call) {
  run_state r = {.call = call, .body = INGOT__ATTRS(call, Fused)->body};
  const ingot__view *out = &call->out[0];
  size_t values = count_values(r.body), table;
  if (ingot__view_count(out) == 0) return INGOT_OK;
  if (call->workspace_size < ingot__workspace_Fused(call) || !slice_bytes(call, &r.slice_bytes) || !ingot__mul(values, sizeof(entry), &table)) {
    return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "has too little workspace");
  }
  r.table = (entry *)call->workspace;
  r.memory = (char *)call->workspace + ingot__align(table, 64);
  r.converted = r.memory + values * r.slice_bytes;
  r.d = slice_dim(out);
  for (r.at = 0; r.at < (r.d < 0 ? 1 : out->dim[r.d]); r.at++) {
    r.n = 0;
    for (const ingot__node *node = r.body->first; node; node = node->next) INGOT_TRY(run_node(&r, node));
    for (size_t i = 0; i < call->n_out; i++) {
      ingot__view from, to;
      ingot_dtype dtype;
      if (!ingot__has_out(call, i)) continue;
      if (!find(&r, r.body->output[i], &from, &dtype)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "lacks an output in its body");
      to = slice(&call->out[i], out->rank, r.d, r.at);
      if (from.rank > to.rank || dtype != to.dtype) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "has a body that gives another shape");
      copy(&to, &from);
    }
  }
  return INGOT_OK;
}
