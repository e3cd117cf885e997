/* TopK along any axis, of floats and of integers of up to 32 bits; k is the host's, or known when the engine is built. */
#include <stdint.h>
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/detection/topk.h"

enum { CHUNK = 4096, MOST_KEPT = 1024, RUN = 2048 };

static int64_t power_of_two(int64_t n) {
  int64_t p = 1;
  while (p < n) p *= 2;
  return p;
}

static bool supports(const ingot__call *call) {
  const ingot__view *x = &call->in[0];
  if (call->node->op != INGOT__OP_TopK || x->layout != INGOT__PLAIN || !x->dense || x->rank < 1) return false;
  if (!ingot__cuda_is_float(x->dtype) && !(ingot__dtype_is_int(x->dtype) && ingot__dtype_size(x->dtype) >= 1 && ingot__dtype_size(x->dtype) <= 4)) {
    return false;
  }
  for (size_t i = 0; i < call->n_out; i++) {
    if (!ingot__has_out(call, i)) continue;
    const ingot__type *t = &call->node->out[i]->type;
    if (!call->out[i].dense || call->out[i].layout != INGOT__PLAIN || t->rank != x->rank) return false;
    for (int d = 0; d < t->rank; d++)
      if (t->dim[d] == INGOT__DIM_UNKNOWN) return false; /* k depends on data: the host finds the size */
  }
  return ingot__has_out(call, 0) || ingot__has_out(call, 1);
}

/* false: more than a kernel counts. */
static bool prepare(const ingot__call *call, topk_params *p, int64_t *lines) {
  const ingot__attrs_TopK *a = INGOT__ATTRS(call, TopK);
  const ingot__view *x = &call->in[0], *out = ingot__has_out(call, 0) ? &call->out[0] : &call->out[1];
  const int axis = (int)(a->axis < 0 ? a->axis + x->rank : a->axis);
  *p = (topk_params){.x = x->data, .n = x->dim[axis], .inner = 1, .k = out->dim[axis], .largest = a->largest != 0};
  p->values = ingot__has_out(call, 0) ? call->out[0].data : NULL;
  p->indices = ingot__has_out(call, 1) ? call->out[1].data : NULL;
  *lines = 1;
  for (int i = 0; i < x->rank; i++) {
    if (i > axis) p->inner *= x->dim[i];
    if (i != axis) *lines *= x->dim[i];
  }
  p->padded = power_of_two(p->n < RUN ? RUN : p->n);
  return p->n < ((int64_t)1 << 31) && (*lines == 0 || p->padded <= INT32_MAX / *lines * (int64_t)512);
}

static bool by_chunks(const topk_params *p) { return p->k <= MOST_KEPT || p->n <= CHUNK; }
/* Items that a line keeps after one step over `count` of them. */
static int64_t kept(const topk_params *p, int64_t count) { return ingot__divide_up(count, CHUNK) * p->k; }

static size_t workspace(const ingot__call *call) {
  topk_params p;
  int64_t lines;
  if (!prepare(call, &p, &lines)) return 0;
  if (!by_chunks(&p)) return (size_t)lines * (size_t)p.padded * sizeof(uint64_t);
  if (p.n <= CHUNK) return 0;
  const int64_t first = kept(&p, p.n), second = first > CHUNK ? kept(&p, first) : 0;
  return (size_t)lines * (size_t)(first + second) * sizeof(uint64_t);
}

static double cost(const ingot__call *call) {
  topk_params p;
  int64_t lines;
  if (!prepare(call, &p, &lines)) return 1e9;
  const double items = (double)lines * (double)p.padded, steps = by_chunks(&p) ? 78 : 200;
  return ingot__cuda_cost(ingot__cuda_bytes(call), 0, 1) + (by_chunks(&p) ? 10e-6 : 300e-6) + items * steps / 2e12;
}

static void define(const ingot__call *call, ingot__text *text) {
  const ingot_dtype t = call->in[0].dtype;
  ingot__cuda_define_type(text, "TYPE", t);
  ingot__cuda_define(text, "INTEGER", !ingot__dtype_is_float(t));
  ingot__cuda_define(text, "SIGNED", !ingot__dtype_is_unsigned(t));
}

static ingot_status launch(const ingot__call *call, const char *entry, int64_t blocks, int threads, int64_t items, const topk_params *p) {
  if (blocks > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has %lld blocks", (long long)blocks);
  const ingot__cuda_grid grid = {.x = (unsigned)blocks, .threads = (unsigned)threads, .shared = (unsigned)(items * 8), .early = true};
  return ingot__cuda_launch(call, entry, &grid, p, sizeof *p);
}

static ingot_status run_chunks(const ingot__call *call, topk_params *p, int64_t lines) {
  uint64_t *part[2] = {call->workspace, (uint64_t *)call->workspace + lines * (p->n > CHUNK ? kept(p, p->n) : 0)};
  p->count = p->n;
  for (int turn = 0;; turn ^= 1) {
    p->chunks = (int32_t)ingot__divide_up(p->count, CHUNK);
    p->width = (int32_t)power_of_two(p->count < CHUNK ? p->count : CHUNK), p->keep = (int32_t)p->k;
    const bool last = p->chunks == 1;
    p->to = last ? NULL : part[turn];
    const int threads = p->width / 2 < 32 ? 32 : p->width / 2 > 1024 ? 1024 : p->width / 2;
    INGOT_TRY(launch(call, "topk_chunk", lines * p->chunks, threads, p->width, p));
    if (last) return INGOT_OK;
    p->from = p->to, p->count = (int64_t)p->chunks * p->k;
  }
}

static ingot_status run_lines(const ingot__call *call, topk_params *p, int64_t lines) {
  p->to = call->workspace, p->width = RUN;
  const int64_t blocks = lines * (p->padded / RUN);
  INGOT_TRY(launch(call, "topk_fill", blocks, 256, RUN, p));
  for (p->run = RUN * 2; p->run <= p->padded; p->run *= 2) {
    for (p->stride = p->run / 2; p->stride >= RUN; p->stride /= 2) INGOT_TRY(launch(call, "topk_far", lines * (p->padded / 512), 256, 0, p));
    INGOT_TRY(launch(call, "topk_near", blocks, 256, RUN, p));
  }
  p->from = p->to;
  return launch(call, "topk_put", lines * ingot__divide_up(p->k, 256), 256, 0, p);
}

static ingot_status run(const ingot__call *call) {
  topk_params p;
  int64_t lines;
  if (!prepare(call, &p, &lines)) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "too many elements");
  if (p.k > p.n) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "k is %lld, the axis has %lld elements", (long long)p.k, (long long)p.n);
  if (p.k < 1 || lines == 0) return INGOT_OK;
  return by_chunks(&p) ? run_chunks(call, &p, lines) : run_lines(call, &p, lines);
}

const ingot__kernel_functions ingot__cuda_topk = {.supports = supports, .cost = cost, .workspace = workspace, .run = run,
                                                  .source = "detection/topk.cu", .define = define, .host_inputs = 2};
