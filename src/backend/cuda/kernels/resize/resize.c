/* Resize: nearest of any elements, linear and cubic of floats and bytes, along up to three axes. */
#include <stdint.h>
#include "backend/cuda/kernels/walk.h"
#include "backend/cuda/kernels/resize/resize.h"
#include "ops/resize.h"
#include <math.h>

static bool read(const ingot__call *call, ingot__resize *r, bool *guess) {
  ingot__call quiet = *call;
  quiet.diag = NULL;
  return ingot__resize_setup(&quiet, r, guess) == INGOT_OK;
}

/* The axes that change, at most three. */
static int changed(const ingot__resize *r, int axis[INGOT_MAX_RANK]) {
  int n = 0;
  for (int i = 0; i < r->rank; i++)
    if (!r->axis[i].same) axis[n++] = i;
  return n;
}

static bool supports(const ingot__call *call) {
  ingot__resize r;
  int axis[INGOT_MAX_RANK];
  bool guess;
  if (!call->node || call->node->op != INGOT__OP_Resize || !ingot__has_in(call, 0) || call->out[0].dtype != call->in[0].dtype) return false;
  if (!read(call, &r, &guess) || guess || changed(&r, axis) > RESIZE_AXES) return false;
  ingot_dtype t = call->in[0].dtype;
  size_t size = ingot__dtype_size(t);
  if (r.mode == INGOT__RESIZE_NEAREST) return size == 1 || size == 2 || size == 4 || size == 8;
  return ingot__cuda_is_float(t) || t == INGOT_UINT8 || t == INGOT_INT8;
}

static int vector_of(const ingot__call *call) {
  int n = (int)(16 / ingot__dtype_size(call->in[0].dtype));
  return n < 8 ? n : 8;
}

static void define(const ingot__call *call, ingot__text *text) {
  static const ingot_dtype words[] = {[1] = INGOT_UINT8, [2] = INGOT_UINT16, [4] = INGOT_UINT32, [8] = INGOT_UINT64};
  ingot__resize r;
  if (ingot__resize_attrs(INGOT__ATTRS(call, Resize), &r)) return;
  ingot_dtype t = call->in[0].dtype;
  ingot__cuda_define(text, "MODE", r.mode);
  ingot__cuda_define_type(text, "TYPE", r.mode == INGOT__RESIZE_NEAREST ? words[ingot__dtype_size(t)] : t);
  ingot__cuda_define(text, "VECTOR", vector_of(call));
}

/* Where an axis's tables lie in the workspace; returns the end. */
static size_t lay_out(const ingot__resize *r, const int *axis, int n, char *memory, resize_axis *to) {
  size_t at = 0;
  for (int k = 0; k < n; k++) {
    const ingot__resize_axis *a = &r->axis[axis[k]];
    bool nearest = r->mode == INGOT__RESIZE_NEAREST;
    int64_t taps = nearest ? 1 : ingot__resize_taps(r, axis[k]);
    double radius = r->mode == INGOT__RESIZE_CUBIC ? 2 : 1;
    if (to) {
      to[k] = (resize_axis){.scale = a->scale, .start = a->start, .end = a->end, .in = (int32_t)a->in, .out = (int32_t)a->out, .taps = (int32_t)taps};
      to[k].reach = (int32_t)(r->antialias && a->scale < 1 ? -floor(-radius / a->scale) : radius);
      to[k].first = (int32_t *)(memory + at);
    }
    at += ((size_t)a->out * 4 + 63) / 64 * 64;
    if (nearest) continue;
    if (to) to[k].weight = (float *)(memory + at);
    at += ((size_t)a->out * (size_t)taps * 4 + 63) / 64 * 64;
  }
  return at;
}

static size_t workspace(const ingot__call *call) {
  ingot__resize r;
  int axis[INGOT_MAX_RANK];
  bool guess;
  if (!read(call, &r, &guess)) return 0;
  int n = changed(&r, axis);
  return lay_out(&r, axis, n < RESIZE_AXES ? n : RESIZE_AXES, NULL, NULL);
}

typedef struct state { const ingot__call *call; resize_params params; bool vectors; } state;

static ingot_status launch(const ingot__walk *w, void *user) {
  state *s = user;
  resize_params *p = &s->params;
  if (!ingot__walk_dims(w, &p->dims)) return INGOT__FAIL_CALL(s->call, INGOT_E_LIMIT, "is spread over too many dims");
  p->out = w->data[0], p->in = w->data[1];
  for (int k = 0; k < w->n; k++)
    for (int d = 0; d < w->rank; d++) p->stride[k * SPACE_RANK + d] = w->stride[k][d];
  /* The positions' data began as the input's. */
  for (int k = 0; k < RESIZE_AXES; k++) p->base[k] = w->data[2 + k] - (char *)s->call->in[0].data;
  ingot__cuda_grid grid = {.threads = p->dims.items < 256u * (unsigned)ingot__cuda_info_get()->sms ? 64 : 256, .early = true};
  grid.x = (unsigned)ingot__divide_up(p->dims.items, grid.threads);
  return ingot__cuda_launch(s->call, s->vectors ? "vectors" : "elements", &grid, p, sizeof *p);
}

/* The output's dims; the input without the axes that change, which are positions instead. */
static void make_walk(const ingot__call *call, const int *axis, int n, ingot__walk *w) {
  ingot__view in = call->in[0];
  for (int k = 0; k < n; k++) in.stride[axis[k]] = 0;
  for (int i = 0; i < in.rank; i++) in.dim[i] = call->out[0].dim[i];
  ingot__walk_start(w, &call->out[0]);
  ingot__walk_add(w, &in, -1);
  for (int k = 0; k < RESIZE_AXES; k++) {
    ingot__view position = in;
    for (int i = 0; i < in.rank; i++) position.stride[i] = k < n && i == axis[k];
    ingot__walk_add(w, &position, -1);
    w->size[2 + k] = 1;
  }
  ingot__walk_join(w);
}

static bool make_vectors(ingot__walk *w, int vector) {
  int inner = w->rank - 1;
  if (vector == 1 || w->dim[inner] % vector || w->stride[0][inner] != 1 || w->stride[1][inner] != 1) return false;
  for (int k = 2; k < w->n; k++)
    if (w->stride[k][inner] != 0) return false;
  for (int k = 0; k < 2; k++) {
    if ((uintptr_t)w->data[k] % (size_t)(vector * w->size[k])) return false;
    for (int d = 0; d < inner; d++)
      if (w->stride[k][d] % vector) return false;
    w->stride[k][inner] = vector;
  }
  w->dim[inner] /= vector;
  return true;
}

static ingot_status run(const ingot__call *call) {
  ingot__resize r;
  int axis[INGOT_MAX_RANK];
  bool guess;
  const ingot__view *in = &call->in[0];
  if (ingot__view_count(&call->out[0]) == 0) return INGOT_OK;
  INGOT_TRY(ingot__resize_setup(call, &r, &guess));
  int n = changed(&r, axis), vector = vector_of(call);
  if (guess || n > RESIZE_AXES) return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "changes more than %d axes", RESIZE_AXES);
  state s = {.call = call};
  for (int k = 0; k < RESIZE_AXES; k++) s.params.axis[k] = (resize_axis){.in = 1, .out = 1, .taps = 1};
  if (lay_out(&r, axis, n, call->workspace, s.params.axis) > call->workspace_size)
    return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "has too little workspace");
  resize_table t = {.cubic_a = r.cubic_a, .axes = n, .coordinates = r.coordinates, .nearest = r.nearest, .antialias = r.antialias,
                    .exclude_outside = r.exclude_outside};
  int64_t longest = 0;
  for (int k = 0; k < n; k++) {
    s.params.axis[k].in_stride = in->stride[axis[k]];
    t.axis[k] = s.params.axis[k];
    if (r.axis[axis[k]].out > longest) longest = r.axis[axis[k]].out;
  }
  if (n > 0) {
    ingot__cuda_grid grid = {.x = (unsigned)ingot__divide_up(longest, 64), .y = (unsigned)n, .threads = 64, .early = true};
    INGOT_TRY(ingot__cuda_launch(call, "table", &grid, &t, sizeof t));
  }
  s.params.axes = n;
  s.params.outside_value = INGOT__ATTRS(call, Resize)->extrapolation_value;
  ingot__set_double(in->dtype, &s.params.outside, 0, (double)s.params.outside_value);
  ingot__walk w;
  make_walk(call, axis, n, &w);
  for (int k = 0; k < n; k++) /* vectors need taps that begin at multiples */
    if (in->stride[axis[k]] % vector) vector = 1;
  s.vectors = make_vectors(&w, vector);
  return ingot__walk_launch(&w, launch, &s);
}

const ingot__kernel_functions ingot__cuda_resize = {
  .supports = supports, .workspace = workspace, .run = run, .source = "resize/resize.cu", .define = define, .host_inputs = ~1u,
};
