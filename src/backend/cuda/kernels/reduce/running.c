/* CumSum and CumProd along any axis, forwards and backwards. */
#include <stdint.h>
#include "backend/cuda/kernels/walk.h"
#include "backend/cuda/kernels/reduce/running.h"

/* The two have the same attributes. */
static const ingot__attrs_CumSum *attributes(const ingot__call *call) { return call->attrs; }

static bool supports(const ingot__call *call) {
  if (!call->node || (call->node->op != INGOT__OP_CumSum && call->node->op != INGOT__OP_CumProd)) return false;
  if (call->n_in != 2 || !ingot__has_in(call, 0) || !ingot__has_in(call, 1) || call->in[0].rank < 1) return false;
  ingot_dtype t = call->in[0].dtype;
  bool whole = ingot__dtype_is_int(t) && ingot__dtype_size(t) && t != INGOT_UINT64;
  return (whole || ingot__cuda_is_float(t) || t == INGOT_FLOAT64) && call->out[0].dtype == t;
}

static void define(const ingot__call *call, ingot__text *text) {
  ingot_dtype t = call->in[0].dtype;
  ingot__cuda_define_type(text, "TYPE", t);
  ingot__cuda_define(text, "REAL", t == INGOT_FLOAT64 ? 2 : ingot__cuda_is_float(t));
  ingot__cuda_define(text, "PRODUCT", call->node->op == INGOT__OP_CumProd);
  ingot__cuda_define(text, "EXCLUSIVE", attributes(call)->exclusive != 0);
  unsigned bits = ingot_dtype_bits(t);
  bool is_unsigned = ingot__dtype_is_unsigned(t);
  ingot__text_printf(text, "#define LOWEST (%s)\n#define HIGHEST ((number)(~0ull >> %u))\n", is_unsigned ? "0" : "-HIGHEST - 1",
                     is_unsigned ? 64 - bits : 65 - bits);
}

typedef struct state { const ingot__call *call; running_params params; bool rows; } state;

static ingot_status launch(const ingot__walk *w, void *user) {
  state *s = user;
  running_params *p = &s->params;
  if (!ingot__walk_dims(w, &p->kept)) return INGOT__FAIL_CALL(s->call, INGOT_E_LIMIT, "is spread over too many dims");
  p->out = w->data[0], p->in = w->data[1];
  for (int d = 0; d < w->rank; d++) p->stride[d] = w->stride[1][d], p->stride[SPACE_RANK + d] = w->stride[0][d];
  ingot__cuda_grid grid = {.x = (unsigned)ingot__divide_up(p->kept.items, s->rows ? 4 : 128), .threads = 128, .early = true};
  return ingot__cuda_launch(s->call, s->rows ? "rows" : "columns", &grid, p, sizeof *p);
}

static ingot_status run(const ingot__call *call) {
  ingot__view in = call->in[0], out = call->out[0];
  int64_t axis = ingot__get_int(call->in[1].dtype, call->in[1].data, 0);
  if (ingot__view_count(&out) == 0) return INGOT_OK;
  if (axis < -in.rank || axis >= in.rank)
    return INGOT__FAIL_CALL(call, INGOT_E_NETWORK, "axis %lld is outside %d..%d", (long long)axis, -in.rank, in.rank - 1);
  if (axis < 0) axis += in.rank;
  int64_t length = in.dim[axis];
  if (length > INT32_MAX / 2) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has an axis of %lld elements", (long long)length);
  state s = {.call = call, .params = {.length = (int32_t)length, .step = {in.stride[axis], out.stride[axis]}}};
  s.rows = in.stride[axis] == 1 && length >= 16;
  if (attributes(call)->reverse) { /* from the end */
    size_t size = ingot__dtype_size(in.dtype);
    in.data = (char *)in.data + (size_t)((length - 1) * in.stride[axis]) * size;
    out.data = (char *)out.data + (size_t)((length - 1) * out.stride[axis]) * size;
    s.params.step[0] = -s.params.step[0], s.params.step[1] = -s.params.step[1];
  }
  in.dim[axis] = out.dim[axis] = 1;
  ingot__walk w;
  ingot__walk_start(&w, &out);
  ingot__walk_add(&w, &in, -1);
  ingot__walk_join(&w);
  return ingot__walk_launch(&w, launch, &s);
}

const ingot__kernel_functions ingot__cuda_running = {
  .supports = supports, .run = run, .source = "reduce/running.cu", .define = define, .host_inputs = 2,
};
