/* OneHot, Trilu, EyeLike, ConstantOfShape, Range. */
#include <stdint.h>
#include "backend/cuda/kernels/walk.h"
#include "backend/cuda/kernels/move/fill.h"

enum { ONE_HOT, TRILU, EYE, CONSTANT, RANGE, NONE };

static int kind_of(const ingot__call *call) {
  switch (call->node->op) {
  case INGOT__OP_OneHot: return ONE_HOT;
  case INGOT__OP_Trilu: return TRILU;
  case INGOT__OP_EyeLike: return EYE;
  case INGOT__OP_ConstantOfShape: return CONSTANT;
  case INGOT__OP_Range: return RANGE;
  default: return NONE;
  }
}

static bool whole(ingot_dtype t) { return ingot__dtype_is_int(t) && ingot__dtype_size(t); }

static bool supports(const ingot__call *call) {
  if (!call->node || !ingot__has_out(call, 0)) return false;
  ingot_dtype t = call->out[0].dtype;
  size_t size = ingot__dtype_size(t);
  if (size != 1 && size != 2 && size != 4 && size != 8) return false;
  int kind = kind_of(call);
  if (kind == NONE || !ingot__has_in(call, 0)) return false;
  ingot_dtype from = call->in[0].dtype;
  switch (kind) {
  case ONE_HOT: return (from == INGOT_FLOAT32 || whole(from)) && ingot__has_in(call, 2) && call->in[2].dtype == t;
  case TRILU: return from == t && call->in[0].rank >= 2;
  case EYE: return call->out[0].rank == 2;
  case RANGE: return whole(t) || t == INGOT_FLOAT32 || t == INGOT_FLOAT64;
  default: return true;
  }
}

/* Of the operators with numbers in the host's memory alone. */
static bool supports_shaped(const ingot__call *call) { return supports(call) && (kind_of(call) == CONSTANT || kind_of(call) == RANGE); }
static bool supports_filled(const ingot__call *call) { return supports(call) && kind_of(call) != CONSTANT && kind_of(call) != RANGE; }

static void define(const ingot__call *call, ingot__text *text) {
  ingot_dtype t = call->out[0].dtype;
  int kind = kind_of(call);
  ingot__cuda_define(text, "KIND", kind);
  ingot__cuda_define(text, "SIZE", (int64_t)ingot__dtype_size(t));
  if (kind == ONE_HOT) {
    ingot__cuda_define_type(text, "TYPE", call->in[0].dtype);
    if (call->in[0].dtype == INGOT_FLOAT32) ingot__cuda_define(text, "REAL_INDEX", 1);
  } else if (kind == RANGE) {
    ingot__cuda_define_type(text, "TYPE", t);
    if (ingot__dtype_is_float(t)) ingot__cuda_define(text, "REAL", 1);
  } else if (kind == TRILU) {
    ingot__cuda_define(text, "UPPER", INGOT__ATTRS(call, Trilu)->upper != 0);
  }
}

typedef struct state { const ingot__call *call; fill_params params; char *in; } state;

static ingot_status launch(const ingot__walk *w, void *user) {
  state *s = user;
  fill_params *p = &s->params;
  if (!ingot__walk_dims(w, &p->dims)) return INGOT__FAIL_CALL(s->call, INGOT_E_LIMIT, "is spread over too many dims");
  p->out = w->data[0], p->in = w->data[1];
  for (int k = 0; k < 4; k++)
    for (int d = 0; d < w->rank; d++) p->stride[k * SPACE_RANK + d] = w->stride[k][d];
  for (int k = 0; k < 2; k++) p->base[k] = w->data[2 + k] - (char *)s->call->out[0].data; /* they began as the output's */
  ingot__cuda_grid grid = {.threads = p->dims.items < 256u * (unsigned)ingot__cuda_info_get()->sms ? 128 : 256, .early = true};
  grid.x = (unsigned)ingot__divide_up(p->dims.items, grid.threads);
  return ingot__cuda_launch(s->call, "fill", &grid, p, sizeof *p);
}

/* A position along a dim of the output (-1: none) as a tensor whose elements are at their own numbers. */
static void add_position(ingot__walk *w, const ingot__view *out, int axis) {
  ingot__view v = *out;
  for (int i = 0; i < v.rank; i++) v.stride[i] = i == axis;
  ingot__walk_add(w, &v, -1);
  w->size[w->n - 1] = 1;
}

static void set_numbers(const ingot__call *call, fill_params *p) {
  const ingot__view *out = &call->out[0];
  switch (kind_of(call)) {
  case ONE_HOT: p->values = call->in[2].data; break;
  case TRILU: {
    int64_t rows = out->dim[out->rank - 2], columns = out->dim[out->rank - 1];
    int64_t k = ingot__has_in(call, 1) ? ingot__get_int(call->in[1].dtype, call->in[1].data, 0) : 0;
    p->k = k > columns ? columns : k < -rows ? -rows : k;
    break;
  }
  case EYE:
    p->k = INGOT__ATTRS(call, EyeLike)->k;
    p->k = p->k > out->dim[1] ? out->dim[1] : p->k < -out->dim[0] ? -out->dim[0] : p->k;
    if (out->dtype == INGOT_BOOL) p->bits = 1;
    else ingot__set_double(out->dtype, &p->bits, 0, 1);
    break;
  case CONSTANT: {
    const ingot__literal *value = &INGOT__ATTRS(call, ConstantOfShape)->value;
    if (value->data) memcpy(&p->bits, value->data, ingot__dtype_size(out->dtype));
    break;
  }
  default:
    if (ingot__dtype_is_int(out->dtype)) {
      p->start = ingot__get_int(out->dtype, call->in[0].data, 0), p->step = ingot__get_int(out->dtype, call->in[2].data, 0);
    } else {
      p->start_real = ingot__get_double(out->dtype, call->in[0].data, 0), p->step_real = ingot__get_double(out->dtype, call->in[2].data, 0);
    }
  }
}

static ingot_status run(const ingot__call *call) {
  const ingot__view *out = &call->out[0], *in = &call->in[0];
  if (ingot__view_count(out) == 0) return INGOT_OK;
  state s = {.call = call};
  set_numbers(call, &s.params);
  ingot__walk w;
  ingot__walk_start(&w, out);
  int first = -1, second = -1;
  switch (kind_of(call)) {
  case ONE_HOT: {
    int64_t a = INGOT__ATTRS(call, OneHot)->axis;
    int axis = (int)(a < 0 ? a + out->rank : a);
    ingot__view indices = *in; /* repeated along the axis */
    indices.rank = out->rank;
    for (int i = 0, j = 0; i < out->rank; i++) {
      indices.dim[i] = out->dim[i];
      indices.stride[i] = i == axis ? 0 : in->stride[j++];
    }
    ingot__walk_add(&w, &indices, -1);
    first = axis;
    s.params.k = out->dim[axis];
    break;
  }
  case TRILU:
    ingot__walk_add(&w, in, -1);
    first = out->rank - 2, second = out->rank - 1;
    break;
  default:
    add_position(&w, out, -1);
    if (kind_of(call) == EYE) first = 0, second = 1;
    if (kind_of(call) == RANGE) first = 0;
  }
  add_position(&w, out, first);
  add_position(&w, out, second);
  ingot__walk_join(&w);
  if (ingot__walk_count(&w) == 1) /* strides are of no use then, and positions 0 */
    for (int k = 0; k < w.n; k++) w.stride[k][0] = 0;
  return ingot__walk_launch(&w, launch, &s);
}

const ingot__kernel_functions ingot__cuda_fill = {
  .supports = supports_filled, .run = run, .source = "move/fill.cu", .define = define, .host_inputs = 2,
};
const ingot__kernel_functions ingot__cuda_fill_shaped = {
  .supports = supports_shaped, .run = run, .source = "move/fill.cu", .define = define, .host_inputs = 7,
};
