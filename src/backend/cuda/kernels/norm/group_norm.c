/* GroupNormalization and InstanceNormalization on any layout, in three launches: statistics of the groups in parts, so that few groups fill
 * the GPU too; factor and shift of each channel; their use. */
#include <stdint.h>
#include "backend/cuda/kernels/walk.h"
#include "backend/cuda/kernels/norm/group_norm.h"


static bool supports(const ingot__call *call) {
  if (!call->node || call->n_in != 3 || !ingot__has_out(call, 0)) return false;
  if (call->node->op != INGOT__OP_GroupNormalization && call->node->op != INGOT__OP_InstanceNormalization) return false;
  ingot_dtype t = call->in[0].dtype;
  for (size_t i = 0; i < 3; i++) {
    if (!ingot__has_in(call, i) || !ingot__dtype_is_real(call->in[i].dtype)) return false;
    if ((t == INGOT_FLOAT64) != (call->in[i].dtype == INGOT_FLOAT64)) return false;
  }
  return call->in[0].rank >= 2 && call->out[0].dtype == t;
}

static int64_t groups_of(const ingot__call *call) {
  return call->node->op == INGOT__OP_GroupNormalization ? INGOT__ATTRS(call, GroupNormalization)->num_groups : call->in[0].dim[1];
}
static int vector_of(const ingot__call *call) { return (int)(16 / ingot__dtype_size(call->in[0].dtype)); }
static int64_t number_size(const ingot__call *call) { return call->in[0].dtype == INGOT_FLOAT64 ? 8 : 4; }

static void define(const ingot__call *call, ingot__text *text) {
  if (call->in[0].dtype == INGOT_FLOAT64) ingot__cuda_define(text, "WIDE", 1);
  ingot__cuda_define_type(text, "TYPE", call->in[0].dtype);
  ingot__cuda_define_type(text, "SCALE", call->in[1].dtype);
  ingot__cuda_define_type(text, "BIAS", call->in[2].dtype);
  ingot__cuda_define(text, "VECTOR", vector_of(call));
}

typedef struct plan { int64_t images, channels, groups, parts, coefficients_at; } plan;

static plan make_plan(const ingot__call *call) {
  const ingot__view *x = &call->in[0];
  plan p = {.images = x->dim[0], .channels = x->dim[1], .groups = groups_of(call), .parts = 1};
  int64_t all = p.images * p.groups, elements = ingot__view_count(x), sms = ingot__cuda_info_get()->sms;
  if (all > 0) {
    int64_t each = elements / all / (256 * 8), want = ingot__divide_up(2 * sms, all); /* by what a thread reads at a time */
    p.parts = each < 1 ? 1 : each < want ? each : want;
  }
  p.coefficients_at = ingot__divide_up(all * p.parts * 3 * number_size(call), 64) * 64;
  return p;
}

static size_t workspace(const ingot__call *call) {
  plan p = make_plan(call);
  return (size_t)(p.coefficients_at + p.images * p.channels * 4 * number_size(call));
}

static ingot_status gather(const ingot__call *call, const plan *p) {
  const ingot__view *x = &call->in[0];
  ingot__walk w = {.rank = x->rank - 1, .n = 1, .data = {x->data}};
  for (int i = 1; i < x->rank; i++) w.dim[i - 1] = x->dim[i], w.stride[0][i - 1] = x->stride[i];
  w.dim[0] = p->channels / p->groups;
  group_norm_statistics s = {.in = x->data, .partial = call->workspace, .image = x->stride[0], .group = x->stride[1] * w.dim[0],
                             .groups = (int32_t)p->groups, .parts = (int32_t)p->parts};
  ingot__walk_join(&w);
  int vector = vector_of(call), inner = w.rank - 1;
  bool vectors = w.stride[0][inner] == 1 && w.dim[inner] % vector == 0 && (uintptr_t)x->data % 16 == 0 && s.image % vector == 0 &&
                 s.group % vector == 0;
  for (int d = 0; d < inner; d++) vectors = vectors && w.stride[0][d] % vector == 0;
  if (vectors) w.dim[inner] /= vector, w.stride[0][inner] *= vector;
  if (ingot__walk_count(&w) > 1 << 30 || !ingot__walk_dims(&w, &s.gone)) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has too large groups");
  for (int d = 0; d < w.rank; d++) s.stride[d] = w.stride[0][d];
  ingot__cuda_grid grid = {.x = (unsigned)(p->images * p->groups), .y = (unsigned)p->parts, .threads = 256, .shared = 8 * 24, .early = true};
  return ingot__cuda_launch(call, vectors ? "statistics_vectors" : "statistics_elements", &grid, &s, sizeof s);
}

typedef struct state { const ingot__call *call; bool vectors, splat; } state;

static ingot_status launch(const ingot__walk *w, void *user) {
  const state *s = user;
  group_norm_apply p = {.out = w->data[0], .in = w->data[1], .coefficients = (const float *)w->data[2], .splat = s->splat};
  if (!ingot__walk_dims(w, &p.dims)) return INGOT__FAIL_CALL(s->call, INGOT_E_LIMIT, "is spread over too many dims");
  for (int k = 0; k < 3; k++)
    for (int d = 0; d < w->rank; d++) p.stride[k * SPACE_RANK + d] = w->stride[k][d];
  ingot__cuda_grid grid = {.x = (unsigned)ingot__divide_up(p.dims.items, 256), .threads = 256, .early = true};
  return ingot__cuda_launch(s->call, s->vectors ? "apply_vectors" : "apply_elements", &grid, &p, sizeof p);
}

static ingot_status use(const ingot__call *call, const plan *p, char *coefficients) {
  ingot__view c = call->in[0];
  c.data = coefficients;
  for (int i = 0; i < c.rank; i++) c.stride[i] = i == 0 ? p->channels : i == 1;
  ingot__walk w;
  ingot__walk_start(&w, &call->out[0]);
  ingot__walk_add(&w, &call->in[0], -1);
  ingot__walk_add(&w, &c, -1);
  w.size[2] = 4 * number_size(call);
  ingot__walk_join(&w);
  int vector = vector_of(call), inner = w.rank - 1;
  state s = {.call = call, .splat = w.stride[2][inner] == 0};
  s.vectors = w.dim[inner] % vector == 0 && w.stride[0][inner] == 1 && w.stride[1][inner] == 1 &&
              (w.stride[2][inner] == 0 || w.stride[2][inner] == 1);
  for (int k = 0; k < 2; k++) {
    s.vectors = s.vectors && (uintptr_t)w.data[k] % 16 == 0;
    for (int d = 0; d < inner; d++) s.vectors = s.vectors && w.stride[k][d] % vector == 0;
  }
  if (s.vectors) {
    w.dim[inner] /= vector;
    for (int k = 0; k < 3; k++) w.stride[k][inner] *= vector;
  }
  return ingot__walk_launch(&w, launch, &s);
}

static ingot_status run(const ingot__call *call) {
  plan p = make_plan(call);
  if (ingot__view_count(&call->out[0]) == 0) return INGOT_OK;
  if (call->workspace_size < workspace(call)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "has too little workspace");
  INGOT_TRY(gather(call, &p));
  char *coefficients = (char *)call->workspace + p.coefficients_at;
  group_norm_coefficients c = {.partial = call->workspace, .scale = call->in[1].data, .bias = call->in[2].data, .coefficients = (float *)coefficients,
                               .count = p.images * p.channels, .channels = (int32_t)p.channels, .groups = (int32_t)p.groups,
                               .parts = (int32_t)p.parts};
  c.epsilon = call->node->op == INGOT__OP_GroupNormalization ? INGOT__ATTRS(call, GroupNormalization)->epsilon
                                                             : INGOT__ATTRS(call, InstanceNormalization)->epsilon;
  ingot__cuda_grid grid = {.x = (unsigned)ingot__divide_up(c.count, 128), .threads = 128, .early = true};
  INGOT_TRY(ingot__cuda_launch(call, "coefficients", &grid, &c, sizeof c));
  return use(call, &p, coefficients);
}

const ingot__kernel_functions ingot__cuda_group_norm = {
  .supports = supports, .workspace = workspace, .run = run, .source = "norm/group_norm.cu", .define = define,
};
