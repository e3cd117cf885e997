/* LinearAttention of floats and halves, whose state fits into shared memory 32 columns at a time. */
#include <stdint.h>
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/attention/linear.h"
#include <math.h>
#include <string.h>

enum { QUERY, KEY, VALUE, PAST, DECAY, BETA, COLUMNS = 32, PARTS = 8 };

static size_t shared_of(const ingot__call *call, int64_t d) {
  const ingot__attrs_LinearAttention *a = INGOT__ATTRS(call, LinearAttention);
  return (size_t)(d * COLUMNS + PARTS * COLUMNS + 2 * d + a->q_num_heads / a->kv_num_heads * d) * sizeof(float);
}

static bool supports(const ingot__call *call) {
  if (call->node->op != INGOT__OP_LinearAttention || !ingot__cuda_is_float(call->in[0].dtype)) return false;
  const ingot__attrs_LinearAttention *a = INGOT__ATTRS(call, LinearAttention);
  for (size_t i = 0; i < call->n_in; i++)
    if (ingot__has_in(call, i) && (!call->in[i].dense || call->in[i].layout != INGOT__PLAIN ||
        !ingot__cuda_is_float(call->in[i].dtype))) return false;
  for (size_t i = 0; i < call->n_out; i++)
    if (ingot__has_out(call, i) && (!call->out[i].dense || call->out[i].layout != INGOT__PLAIN)) return false;
  const ingot__type *k = &call->node->in[KEY]->type;
  if (k->rank != 3 || k->dim[2] < 0 || a->kv_num_heads < 1) return false; /* its shared memory must be known */
  return shared_of(call, call->in[KEY].dim[2] / a->kv_num_heads) <= ingot__cuda_info_get()->shared;
}

static double cost(const ingot__call *call) {
  return ingot__cuda_cost(ingot__cuda_bytes(call), 0, 1) + (double)call->in[KEY].dim[1] * 1e-6;
}

static void define(const ingot__call *call, ingot__text *text) {
  const char *rule = INGOT__ATTRS(call, LinearAttention)->update_rule;
  ingot__cuda_define_type(text, "TYPE", call->in[0].dtype);
  ingot__cuda_define_type(text, "STATE", ingot__has_in(call, PAST) ? call->in[PAST].dtype : call->in[0].dtype);
  ingot__cuda_define(text, "GATED", strcmp(rule, "gated") == 0 || strcmp(rule, "gated_delta") == 0);
  ingot__cuda_define(text, "DELTA", strcmp(rule, "delta") == 0 || strcmp(rule, "gated_delta") == 0);
}

static ingot_status run(const ingot__call *call) {
  const ingot__attrs_LinearAttention *a = INGOT__ATTRS(call, LinearAttention);
  const ingot__view *k = &call->in[KEY], *v = &call->in[VALUE];
  const void *in[6] = {NULL};
  for (size_t i = 0; i < 6; i++)
    if (ingot__has_in(call, i)) in[i] = call->in[i].data;
  linear_params p = {.q = in[QUERY], .k = in[KEY], .v = in[VALUE], .past = in[PAST], .decay = in[DECAY], .beta = in[BETA], .length = k->dim[1],
                     .y = ingot__has_out(call, 0) ? call->out[0].data : NULL, .state = ingot__has_out(call, 1) ? call->out[1].data : NULL,
                     .heads = (int32_t)a->kv_num_heads, .group = (int32_t)(a->q_num_heads / a->kv_num_heads),
                     .d = (int32_t)(k->dim[2] / a->kv_num_heads), .e = (int32_t)(v->dim[2] / a->kv_num_heads), .scale = a->scale};
  if (p.scale == 0) p.scale = (float)(1 / sqrt((double)(p.d ? p.d : 1)));
  if (p.decay) p.decay_width = (int32_t)call->in[DECAY].dim[2];
  if (p.beta) p.beta_width = (int32_t)call->in[BETA].dim[2];
  p.tiles = (int32_t)ingot__divide_up(p.e, COLUMNS);
  const int64_t blocks = k->dim[0] * p.heads * p.tiles;
  if (blocks == 0) return INGOT_OK;
  if (blocks > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has %lld blocks", (long long)blocks);
  const ingot__cuda_grid grid = {.x = (unsigned)blocks, .threads = COLUMNS * PARTS, .shared = (unsigned)shared_of(call, p.d), .early = true};
  return ingot__cuda_launch(call, "linear_attention", &grid, &p, sizeof p);
}

const ingot__kernel_functions ingot__cuda_linear_attention = {.supports = supports, .cost = cost, .run = run, .source = "attention/linear.cu",
                                                              .define = define};
