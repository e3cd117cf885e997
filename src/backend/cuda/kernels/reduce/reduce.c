/* The reductions, ArgMax and ArgMin, and the global pools, over any axes and layouts. */
#include <stdint.h>
#include "backend/cuda/kernels/walk.h"
#include "backend/cuda/kernels/reduce/reduce.h"

enum { SUM, MEAN, MAX, MIN, PROD, L1, L2, LOG_SUM, LOG_SUM_EXP, SUM_SQUARE, ARG_MAX, ARG_MIN, NONE }; /* as in state.cuh */

static int op_of(const ingot__call *call) {
  switch (call->node->op) {
  case INGOT__OP_ReduceSum: return SUM;
  case INGOT__OP_ReduceMean: return MEAN;
  case INGOT__OP_ReduceMax: return MAX;
  case INGOT__OP_ReduceMin: return MIN;
  case INGOT__OP_ReduceProd: return PROD;
  case INGOT__OP_ReduceL1: return L1;
  case INGOT__OP_ReduceL2: return L2;
  case INGOT__OP_ReduceLogSum: return LOG_SUM;
  case INGOT__OP_ReduceLogSumExp: return LOG_SUM_EXP;
  case INGOT__OP_ReduceSumSquare: return SUM_SQUARE;
  case INGOT__OP_ArgMax: return ARG_MAX;
  case INGOT__OP_ArgMin: return ARG_MIN;
  case INGOT__OP_GlobalAveragePool: return MEAN;
  case INGOT__OP_GlobalMaxPool: return MAX;
  case INGOT__OP_GlobalLpPool: {
    int64_t p = INGOT__ATTRS(call, GlobalLpPool)->p;
    return p == 1 ? L1 : p == 2 ? L2 : NONE;
  }
  default: return NONE;
  }
}

static bool whole(ingot_dtype t) { return ingot__dtype_is_int(t) && ingot__dtype_size(t); }

static bool supports(const ingot__call *call) {
  if (!call->node || !ingot__has_in(call, 0) || !ingot__has_out(call, 0) || call->in[0].rank < 1) return false;
  int op = op_of(call);
  ingot_dtype t = call->in[0].dtype;
  bool real = ingot__cuda_is_float(t) || t == INGOT_FLOAT64;
  /* The plan needs the axes. */
  if (op < ARG_MAX && ingot__has_in(call, 1) && !(call->in[1].constant && call->in[1].data)) return false;
  if (op == NONE || !(real || (whole(t) && op != LOG_SUM_EXP) || (t == INGOT_BOOL && (op == MAX || op == MIN)))) return false;
  return call->out[0].dtype == (op == ARG_MAX || op == ARG_MIN ? INGOT_INT64 : t);
}

static int vector_of(ingot_dtype t) { return t == INGOT_BOOL || ingot_dtype_bits(t) <= 16 ? 8 : (int)(16 / ingot__dtype_size(t)); }
/* No less than what a state takes. */
static unsigned state_size(const ingot__call *call) {
  int op = op_of(call);
  return op >= LOG_SUM_EXP && op != SUM_SQUARE ? 16 : ingot__cuda_is_float(call->in[0].dtype) ? 4 : 8;
}

static void define(const ingot__call *call, ingot__text *text) {
  ingot_dtype t = call->in[0].dtype;
  int op = op_of(call);
  ingot_dtype memory = t == INGOT_BOOL ? INGOT_UINT8 : t;
  ingot__cuda_define(text, "OP", op);
  ingot__cuda_define_type(text, "TYPE", memory);
  ingot__cuda_define_type(text, "OUT", op == ARG_MAX || op == ARG_MIN ? INGOT_INT64 : memory);
  ingot__cuda_define(text, "REAL", t == INGOT_FLOAT64 ? 2 : ingot__cuda_is_float(t));
  ingot__cuda_define(text, "UNSIGNED", ingot__dtype_is_unsigned(memory));
  ingot__cuda_define(text, "IS_BOOL", t == INGOT_BOOL);
  ingot__cuda_define(text, "VECTOR", vector_of(t));
  ingot__cuda_define(text, "LAST_INDEX", (op == ARG_MAX || op == ARG_MIN) && ((const ingot__attrs_ArgMax *)call->attrs)->select_last_index != 0);
  unsigned bits = t == INGOT_BOOL ? 1 : ingot_dtype_bits(t);
  if (ingot__dtype_is_unsigned(memory)) {
    ingot__text_printf(text, "#define LOWEST 0\n#define HIGHEST (~0ull >> %u)\n", 64 - bits);
  } else {
    ingot__text_printf(text, "#define LOWEST ((int64_t)(~0ull << %u))\n#define HIGHEST ((int64_t)~(~0ull << %u))\n", bits - 1, bits - 1);
  }
}

/* ---- The plan */

typedef struct plan {
  ingot__walk kept, gone;
  bool rows, vectors;
  int vector;
  int64_t outputs, count; /* elements */
  unsigned lanes, threads, blocks, parts;
} plan;

/* The axes that go, as bits. */
static ingot_status read_axes(const ingot__call *call, unsigned *mask) {
  int rank = call->in[0].rank;
  switch (call->node->op) {
  case INGOT__OP_GlobalAveragePool:
  case INGOT__OP_GlobalMaxPool:
  case INGOT__OP_GlobalLpPool: *mask = ((1u << rank) - 1) & ~3u; return INGOT_OK;
  case INGOT__OP_ArgMax:
  case INGOT__OP_ArgMin: {
    int64_t axis = ((const ingot__attrs_ArgMax *)call->attrs)->axis;
    *mask = 1u << (axis < 0 ? axis + rank : axis);
    return INGOT_OK;
  }
  default: break;
  }
  int64_t n = ingot__has_in(call, 1) ? ingot__view_count(&call->in[1]) : 0;
  *mask = n == 0 && !((const ingot__attrs_ReduceSum *)call->attrs)->noop_with_empty_axes ? (1u << rank) - 1 : 0;
  for (int64_t k = 0; k < n; k++) {
    int64_t axis = ingot__get_int(call->in[1].dtype, call->in[1].data, (size_t)k);
    if (axis < -rank || axis >= rank) return INGOT__FAIL_CALL(call, INGOT_E_NETWORK, "axis %lld is outside %d..%d", (long long)axis, -rank, rank - 1);
    *mask |= 1u << (axis < 0 ? axis + rank : axis);
  }
  return INGOT_OK;
}

/* Kept dims in both tensors, those that go in the input; both sorted by the input's strides. */
static void part_dims(const ingot__call *call, unsigned mask, plan *p) {
  const ingot__view *in = &call->in[0], *out = &call->out[0];
  bool same_rank = in->rank == out->rank;
  p->kept = (ingot__walk){.n = 2, .data = {in->data, out->data}};
  p->kept.size[0] = (int64_t)ingot__dtype_size(in->dtype), p->kept.size[1] = (int64_t)ingot__dtype_size(out->dtype);
  p->gone = (ingot__walk){.n = 1, .data = {in->data}, .size = {p->kept.size[0]}};
  for (int i = 0, o = 0; i < in->rank; i++) {
    if (mask >> i & 1) {
      p->gone.dim[p->gone.rank] = in->dim[i];
      p->gone.stride[0][p->gone.rank++] = in->stride[i];
    } else {
      int to = same_rank ? i : o;
      p->kept.dim[p->kept.rank] = in->dim[i];
      p->kept.stride[0][p->kept.rank] = in->stride[i];
      p->kept.stride[1][p->kept.rank++] = out->stride[to];
      o++;
    }
  }
  ingot__walk_join(&p->kept), ingot__walk_join(&p->gone);
  p->outputs = ingot__walk_count(&p->kept), p->count = ingot__walk_count(&p->gone);
}

static bool even(const ingot__walk *w, int vector, int from) {
  for (int d = 0; d < from; d++)
    if (w->stride[0][d] % vector) return false;
  return true;
}

/* Makes vectors of the input's innermost dim where it is contiguous and everything lies at multiples. */
static void make_vectors(plan *p, int vector) {
  ingot__walk *w = p->rows ? &p->gone : &p->kept, *other = p->rows ? &p->kept : &p->gone;
  int inner = w->rank - 1;
  p->vectors = vector > 1 && w->stride[0][inner] == 1 && w->dim[inner] % vector == 0 && w->dim[inner] > 0 && even(w, vector, inner) &&
               even(other, vector, other->rank) && (uintptr_t)w->data[0] % 16 == 0;
  p->vector = p->vectors ? vector : 1;
  if (!p->vectors) return;
  w->dim[inner] /= vector;
  for (int k = 0; k < w->n; k++) w->stride[k][inner] *= vector;
}

static unsigned power_of_two(int64_t at_least, unsigned most) {
  unsigned p = 1;
  while (p < at_least && p < most) p *= 2;
  return p;
}

static ingot_status make_plan(const ingot__call *call, plan *p) {
  unsigned mask;
  INGOT_TRY(read_axes(call, &mask));
  part_dims(call, mask, p);
  int64_t sms = ingot__cuda_info_get()->sms;
  p->rows = p->count > 1 && p->gone.stride[0][p->gone.rank - 1] == 1 && p->gone.dim[p->gone.rank - 1] > 1;
  if (p->outputs == 1) p->rows = true;
  make_vectors(p, vector_of(call->in[0].dtype));
  int64_t items = ingot__walk_count(&p->gone), kept = ingot__walk_count(&p->kept);
  if (items > 1 << 30 || kept > 1 << 30 || p->outputs > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has too many elements");
  p->threads = 256;
  p->parts = 1;
  if (p->rows) {
    bool block = items > 128 && (kept < 64 * sms || items > 2048);
    p->lanes = block ? 256 : power_of_two(ingot__divide_up(items, 4), 32);
    if (!block && kept * p->lanes < 256 * sms) p->threads = 64;
  } else {
    p->lanes = p->vectors ? 8 : 32;
    if (kept > 32 * sms && items <= 64) p->lanes = p->vectors ? 32 : 128; /* no need of many threads for an output */
    if (items <= 4) p->lanes = 256;
    if (p->lanes > p->threads) p->lanes = p->threads;
  }
  unsigned across = p->rows ? p->threads / p->lanes : p->lanes, deep = p->rows ? p->lanes : p->threads / p->lanes;
  p->blocks = (unsigned)ingot__divide_up(kept, across);
  int64_t each = ingot__divide_up(items, deep); /* of a thread */
  if (p->blocks && p->blocks < sms && each > 16) {
    int64_t parts = ingot__divide_up(2 * sms, p->blocks), most = ingot__divide_up(each, 8);
    p->parts = (unsigned)(parts < most ? parts : most);
  }
  return INGOT_OK;
}

static size_t workspace(const ingot__call *call) {
  plan p;
  if (make_plan(call, &p) != INGOT_OK || p.parts == 1) return 0;
  return (size_t)p.parts * (size_t)p.outputs * state_size(call);
}

static ingot_status run(const ingot__call *call) {
  plan p;
  INGOT_TRY(make_plan(call, &p));
  if (p.outputs == 0) return INGOT_OK;
  reduce_params r = {.in = call->in[0].data, .out = call->out[0].data, .partial = call->workspace, .count = p.count, .lanes = p.lanes,
                     .outputs = (uint32_t)p.outputs, .parts = p.parts};
  if (p.parts > 1 && call->workspace_size < (size_t)p.parts * (size_t)p.outputs * state_size(call))
    return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "has too little workspace");
  if (!ingot__walk_dims(&p.kept, &r.kept) || !ingot__walk_dims(&p.gone, &r.gone))
    return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "is spread over too many dims");
  int inner = p.kept.rank - 1;
  for (int d = 0; d <= inner; d++) r.kept_stride[d] = p.kept.stride[0][d], r.kept_stride[SPACE_RANK + d] = p.kept.stride[1][d];
  for (int d = 0; d < p.gone.rank; d++) r.gone_stride[d] = p.gone.stride[0][d];
  r.out_step = p.rows ? 0 : p.kept.stride[1][inner] / p.vector;
  ingot__cuda_grid grid = {.x = p.blocks, .y = p.parts, .threads = p.threads, .early = true};
  grid.shared = (p.rows ? 32 : p.threads * (unsigned)p.vector) * state_size(call);
  const char *entry = p.rows ? p.vectors ? "rows_vectors" : "rows_elements" : p.vectors ? "columns_vectors" : "columns_elements";
  INGOT_TRY(ingot__cuda_launch(call, entry, &grid, &r, sizeof r));
  if (p.parts == 1) return INGOT_OK;
  if (!p.rows && p.vectors) { /* single outputs again */
    p.kept.dim[inner] *= p.vector;
    for (int k = 0; k < 2; k++) p.kept.stride[k][inner] /= p.vector;
    ingot__walk_dims(&p.kept, &r.kept);
    r.kept_stride[inner] = p.kept.stride[0][inner], r.kept_stride[SPACE_RANK + inner] = p.kept.stride[1][inner];
  }
  ingot__cuda_grid last = {.x = (unsigned)ingot__divide_up(p.outputs, 8), .threads = 256, .early = true};
  return ingot__cuda_launch(call, "finish", &last, &r, sizeof r);
}

const ingot__kernel_functions ingot__cuda_reduce = {
  .supports = supports, .workspace = workspace, .run = run, .source = "reduce/reduce.cu", .define = define, .host_inputs = 2,
};
const ingot__kernel_functions ingot__cuda_reduce_to_plain = {
  .supports = supports, .workspace = workspace, .run = run, .source = "reduce/reduce.cu", .define = define, .host_inputs = 2,
};
