/* RotaryEmbedding of floats and halves. */
#include <stdint.h>
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/attention/rotary.h"

static bool supports(const ingot__call *call) {
  if (call->node->op != INGOT__OP_RotaryEmbedding || !ingot__cuda_is_float(call->in[0].dtype)) return false;
  for (size_t i = 0; i < call->n_in; i++)
    if (ingot__has_in(call, i) && (!call->in[i].dense || call->in[i].layout != INGOT__PLAIN)) return false;
  return call->out[0].dense && call->out[0].layout == INGOT__PLAIN;
}

static double cost(const ingot__call *call) { return ingot__cuda_cost(ingot__cuda_bytes(call), 0, 1); }
static void define(const ingot__call *call, ingot__text *text) { ingot__cuda_define_type(text, "TYPE", call->in[0].dtype); }

static ingot_status run(const ingot__call *call) {
  const ingot__attrs_RotaryEmbedding *a = INGOT__ATTRS(call, RotaryEmbedding);
  const ingot__view *x = &call->in[0];
  const bool flat = x->rank == 3, positions = ingot__has_in(call, 3);
  if (ingot__view_count(x) == 0) return INGOT_OK;
  rotary_params p = {.x = x->data, .cosines = call->in[1].data, .sines = call->in[2].data, .positions = positions ? call->in[3].data : NULL,
                     .y = call->out[0].data, .batch = x->dim[0], .heads = flat ? a->num_heads : x->dim[1], .length = x->dim[x->rank - 2],
                     .width = flat ? x->dim[2] / a->num_heads : x->dim[3], .rows = call->in[1].dim[0], .side_by_side = a->interleaved != 0,
                     .wide = positions && call->in[3].dtype == INGOT_INT64, .shared = call->in[1].dim[0] == 1};
  p.half = (a->rotary_embedding_dim ? a->rotary_embedding_dim : p.width) / 2;
  p.head_step = flat ? p.width : p.length * p.width;
  p.row_step = flat ? x->dim[2] : p.width;
  const int64_t blocks = ingot__divide_up(p.batch * p.length * p.heads * (p.width - p.half), 256);
  if (blocks > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has %lld blocks", (long long)blocks);
  const ingot__cuda_grid grid = {.x = (unsigned)blocks, .threads = 256, .early = true};
  return ingot__cuda_launch(call, "rotary", &grid, &p, sizeof p);
}

const ingot__kernel_functions ingot__cuda_rotary = {.supports = supports, .cost = cost, .run = run, .source = "attention/rotary.cu",
    .define = define};
