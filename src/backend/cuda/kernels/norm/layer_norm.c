/* LayerNormalization (all outputs) and RMSNormalization, with scale and bias over the normalised dims. */
#include <stdint.h>
#include "backend/cuda/kernels/walk.h"
#include "backend/cuda/kernels/norm/layer_norm.h"

enum { HELD_VECTORS = 4, HELD_ELEMENTS = 8 }; /* as in layer_norm.cu: what a thread holds of a row */

/* The two have the same attributes. */
static void shape(const ingot__call *call, int64_t *rows, int64_t *length) {
  const ingot__view *x = &call->in[0];
  int64_t axis = ((const ingot__attrs_LayerNormalization *)call->attrs)->axis;
  if (axis < 0) axis += x->rank;
  *rows = *length = 1;
  for (int i = 0; i < x->rank; i++) *(i < axis ? rows : length) *= x->dim[i];
}


static bool supports(const ingot__call *call) {
  if (!call->node || !ingot__has_in(call, 0) || !ingot__has_out(call, 0) || !ingot__dtype_is_real(call->in[0].dtype)) return false;
  if (call->node->op != INGOT__OP_LayerNormalization && call->node->op != INGOT__OP_RMSNormalization) return false;
  int64_t rows, length, axis = ((const ingot__attrs_LayerNormalization *)call->attrs)->axis;
  if (axis < 0) axis += call->in[0].rank;
  shape(call, &rows, &length);
  for (size_t i = 1; i < call->n_in && i < 3; i++) {
    if (!ingot__has_in(call, i)) continue;
    const ingot__view *v = &call->in[i];
    if (!ingot__dtype_is_real(v->dtype) || v->rank > call->in[0].rank - axis || ingot__view_count(v) != length) return false;
    if ((v->dtype == INGOT_FLOAT64) != (call->in[0].dtype == INGOT_FLOAT64)) return false;
  }
  for (size_t i = 1; i < call->n_out; i++)
    if (ingot__has_out(call, i) && (i > 2 || call->out[i].dtype != INGOT_FLOAT32)) return false;
  return call->n_in <= 3 && call->out[0].dtype == call->in[0].dtype;
}

static int vector_of(const ingot__call *call) { /* 16 bytes of the widest */
  size_t most = 1;
  for (size_t i = 0; i < call->n_in; i++)
    if (ingot__has_in(call, i) && ingot__dtype_size(call->in[i].dtype) > most) most = ingot__dtype_size(call->in[i].dtype);
  return (int)(16 / most);
}

static void define(const ingot__call *call, ingot__text *text) {
  ingot_dtype t = call->in[0].dtype;
  if (t == INGOT_FLOAT64) ingot__cuda_define(text, "WIDE", 1);
  ingot__cuda_define_type(text, "TYPE", t);
  ingot__cuda_define_type(text, "SCALE", ingot__has_in(call, 1) ? call->in[1].dtype : t);
  ingot__cuda_define_type(text, "BIAS", ingot__has_in(call, 2) ? call->in[2].dtype : t);
  ingot__cuda_define(text, "SCALED", ingot__has_in(call, 1));
  ingot__cuda_define(text, "BIASED", ingot__has_in(call, 2));
  ingot__cuda_define(text, "VECTOR", vector_of(call));
  ingot__cuda_define(text, "RMS", call->node->op == INGOT__OP_RMSNormalization);
}

static bool aligned(const void *p) { return (uintptr_t)p % 16 == 0; }

static ingot_status run(const ingot__call *call) {
  int64_t rows, length, sms = ingot__cuda_info_get()->sms;
  shape(call, &rows, &length);
  if (rows == 0 || length == 0) return INGOT_OK;
  if (length > INT32_MAX / 2 || rows > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has too long or too many rows");
  for (size_t i = 1; i < call->n_in; i++)
    if (ingot__has_in(call, i) && ingot__view_count(&call->in[i]) != length)
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "input %zu isn't of the normalised dims", i);
  layer_norm_params p = {.in = call->in[0].data, .out = call->out[0].data, .rows = rows, .length = (int32_t)length, .share = 1 / (double)length,
                         .epsilon = ((const ingot__attrs_LayerNormalization *)call->attrs)->epsilon};
  if (ingot__has_in(call, 1)) p.scale = call->in[1].data;
  if (ingot__has_in(call, 2)) p.bias = call->in[2].data;
  p.constants = (!p.scale || call->in[1].constant) && (!p.bias || call->in[2].constant);
  if (ingot__has_out(call, 1)) p.mean = call->out[1].data;
  if (ingot__has_out(call, 2)) p.inverse = call->out[2].data;
  int vector = vector_of(call);
  bool vectors = length % vector == 0 && aligned(p.in) && aligned(p.out) && aligned(p.scale) && aligned(p.bias);
  int64_t items = length / (vectors ? vector : 1), most = vectors ? HELD_VECTORS : HELD_ELEMENTS;
  ingot__cuda_grid grid = {.threads = 256, .shared = 32 * 8, .early = true};
  bool held = items <= 256 * most;
  p.lanes = 256;
  if (held) {
    int64_t each = rows > 16 * sms || items > 256 ? most : 1; /* many rows: a thread may hold more of one, so that less is idle */
    for (p.lanes = 1; p.lanes < 256 && p.lanes * each < items; p.lanes *= 2) {}
    grid.threads = p.lanes > 32 ? (unsigned)p.lanes : 128;
  }
  grid.x = (unsigned)ingot__divide_up(rows, grid.threads / (unsigned)p.lanes);
  const char *entry = vectors ? "long_vectors" : "long_elements";
  if (held) entry = !vectors ? "held_elements" : p.lanes >= items ? "held_vector" : "held_vectors";
  return ingot__cuda_launch(call, entry, &grid, &p, sizeof p);
}

const ingot__kernel_functions ingot__cuda_layer_norm = {.supports = supports, .run = run, .source = "norm/layer_norm.cu", .define = define};
