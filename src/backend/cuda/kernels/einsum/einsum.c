/* Einsum of one or two operands of floats or halves. */
#include <stdint.h>
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/einsum/einsum.h"
#include "ops/einsum.h"

enum { SIDE = 64, DEPTH = 16 };

static bool add(einsum_loops *to, const ingot__einsum_loops *from, int i, int64_t y) {
  if (from->dim[i] == 1) return true;
  if (to->n == EINSUM_LOOPS) return false;
  to->dim[to->n] = from->dim[i], to->a[to->n] = from->stride[0][i], to->b[to->n] = from->stride[1][i], to->y[to->n] = y;
  to->n++;
  if (__builtin_mul_overflow(to->items, from->dim[i], &to->items)) return false;
  return true;
}

static bool prepare(const ingot__call *call, einsum_params *p) {
  ingot__einsum_loops outer, inner;
  const ingot__view *y = &call->out[0];
  if (!ingot__einsum_read(call, &outer, &inner)) return false;
  *p = (einsum_params){.a = call->in[0].data, .b = call->n_in > 1 ? call->in[1].data : NULL, .y = y->data};
  p->batch.items = p->rows.items = p->columns.items = p->depth.items = 1;
  for (int i = 0; i < outer.n; i++) {
    const bool a = outer.stride[0][i] != 0, b = call->n_in > 1 && outer.stride[1][i] != 0;
    if (call->n_in == 1) outer.stride[1][i] = 0;
    if (!add(a && b ? &p->batch : b ? &p->columns : &p->rows, &outer, i, y->stride[i])) return false;
  }
  for (int i = 0; i < inner.n; i++) {
    if (call->n_in == 1) inner.stride[1][i] = 0;
    if (!add(&p->depth, &inner, i, 0)) return false;
  }
  p->row_tiles = ingot__divide_up(p->rows.items, SIDE), p->column_tiles = ingot__divide_up(p->columns.items, SIDE);
  return true;
}

static bool supports(const ingot__call *call) {
  einsum_params p;
  if (call->node->op != INGOT__OP_Einsum || call->n_in < 1 || call->n_in > 2 || !ingot__cuda_is_float(call->in[0].dtype)) return false;
  for (size_t i = 0; i < call->n_in; i++)
    if (call->in[i].layout != INGOT__PLAIN || call->in[i].dtype != call->in[0].dtype) return false;
  return call->out[0].layout == INGOT__PLAIN && prepare(call, &p);
}

static double cost(const ingot__call *call) {
  einsum_params p;
  if (!prepare(call, &p)) return 1e9;
  const double tiles = (double)p.batch.items * (double)p.row_tiles * (double)p.column_tiles;
  return ingot__cuda_cost(ingot__cuda_bytes(call), tiles * SIDE * SIDE * 2 * (double)p.depth.items, 10e12);
}

static void define(const ingot__call *call, ingot__text *text) { ingot__cuda_define_type(text, "TYPE", call->in[0].dtype); }

static ingot_status run(const ingot__call *call) {
  einsum_params p;
  if (!prepare(call, &p)) return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "an equation that this kernel doesn't take");
  if (ingot__view_count(&call->out[0]) == 0) return INGOT_OK;
  const int64_t tiles = p.row_tiles * p.column_tiles;
  if (p.batch.items > INT32_MAX / tiles) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has %lld x %lld blocks", (long long)p.batch.items,
      (long long)tiles);
  const ingot__cuda_grid grid = {.x = (unsigned)(p.batch.items * tiles), .threads = 256,
                                 .shared = 2 * DEPTH * (SIDE + 4) * 4 + (2 * SIDE + 2 * DEPTH) * 8, .early = true};
  return ingot__cuda_launch(call, "einsum", &grid, &p, sizeof p);
}

const ingot__kernel_functions ingot__cuda_einsum = {.supports = supports, .cost = cost, .run = run, .source = "einsum/einsum.cu", .define = define};
