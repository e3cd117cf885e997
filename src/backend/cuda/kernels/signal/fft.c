/* DFT and STFT of floats and halves, of lengths that are known when the engine is built and fit into a block's shared memory. */
#include <stdint.h>
#include "backend/cuda/kernel.h"
#include "backend/cuda/kernels/signal/fft.h"
#include "ops/fft.h"

enum { LONGEST = 8192 };

static bool takes(const ingot__call *call, unsigned host) {
  const ingot__view *x = &call->in[0], *y = &call->out[0];
  const ingot__type *t = &call->node->out[0]->type;
  if (!ingot__cuda_is_float(x->dtype) || !x->dense || !y->dense || x->layout != INGOT__PLAIN || y->layout != INGOT__PLAIN) return false;
  for (size_t i = 1; i < call->n_in; i++)
    if (ingot__has_in(call, i) && host >> i & 1 && !call->in[i].constant) return false;
  if (t->rank != y->rank || x->rank < 2) return false;
  for (int i = 1; i < t->rank; i++) /* a batch, or a number of frames, may vary */
    if (t->dim[i] < 0 && !(call->node->op == INGOT__OP_STFT && i == 1 && t->dim[i] != INGOT__DIM_UNKNOWN)) return false;
  if (t->dim[0] == INGOT__DIM_UNKNOWN || (call->node->op == INGOT__OP_DFT && t->dim[0] < 0 && x->rank < 3)) return false;
  size_t n, count;
  return ingot__fft_bounds(call, &n, &count) && n <= LONGEST;
}

static double cost(const ingot__call *call) {
  size_t n = 1, count = 1;
  ingot__fft_bounds(call, &n, &count);
  const bool quick = (n & (n - 1)) == 0;
  return ingot__cuda_cost(ingot__cuda_bytes(call), (double)count * (double)n * (quick ? 100 : 8 * (double)n), 5e12);
}

static void define(const ingot__call *call, ingot__text *text) { ingot__cuda_define_type(text, "TYPE", call->in[0].dtype); }

static ingot_status run(const ingot__call *call) {
  ingot__fft f;
  INGOT_TRY(ingot__fft_describe(call, &f));
  if (f.count == 0 || f.out_len == 0) return INGOT_OK;
  const size_t shared = 2 * f.n * 8;
  if (f.count > INT32_MAX || shared > ingot__cuda_info_get()->shared) {
    return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "has %zu transforms of %zu", f.count, f.n);
  }
  fft_params p = {.x = call->in[0].data, .y = call->out[0].data, .window = f.window ? f.window->data : NULL, .per = (int64_t)f.per,
                  .in_outer = (int64_t)f.in_outer, .in_inner = (int64_t)f.in_inner, .out_outer = (int64_t)f.out_outer,
                  .out_inner = (int64_t)f.out_inner, .in_step = (int64_t)f.in_step, .out_step = (int64_t)f.out_step, .n = (int32_t)f.n, .steps = -1,
                  .in_len = (int32_t)f.in_len, .out_len = (int32_t)f.out_len, .in_parts = f.in_parts, .inverse = f.inverse, .to_real = f.to_real};
  if ((f.n & (f.n - 1)) == 0)
    for (p.steps = 0; (size_t)1 << p.steps < f.n;) p.steps++;
  const ingot__cuda_grid grid = {.x = (unsigned)f.count, .threads = f.n <= 64 ? 32 : f.n <= 256 ? 128 : 256, .shared = (unsigned)shared,
      .early = true};
  return ingot__cuda_launch(call, "fft", &grid, &p, sizeof p);
}

static bool supports_dft(const ingot__call *call) { return call->node->op == INGOT__OP_DFT && takes(call, 6); }
static bool supports_stft(const ingot__call *call) { return call->node->op == INGOT__OP_STFT && takes(call, 10); }
const ingot__kernel_functions ingot__cuda_dft = {.supports = supports_dft, .cost = cost, .run = run, .source = "signal/fft.cu", .define = define,
                                                 .host_inputs = 6};
const ingot__kernel_functions ingot__cuda_stft = {.supports = supports_stft, .cost = cost, .run = run, .source = "signal/fft.cu", .define = define,
                                                  .host_inputs = 10};
