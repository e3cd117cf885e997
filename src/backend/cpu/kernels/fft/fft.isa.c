/* DFT and STFT of float32: ops/fft.inc, up to sixteen signals side by side. */
#include "backend/cpu/kernels/template.h"

#define FFT_REAL float
static inline float fft_load(const ingot__view *v, size_t i) { return ((const float *)v->data)[i]; }
static inline void fft_store(const ingot__view *v, size_t i, float x) { ((float *)v->data)[i] = x; }
#include "ops/fft.inc"

static bool supports(const ingot__call *call) {
  if (call->node->op != INGOT__OP_DFT && call->node->op != INGOT__OP_STFT) return false;
  return ingot__has_in(call, 0) && call->in[0].dtype == INGOT_FLOAT32 && ingot__has_out(call, 0);
}

const ingot__kernel_functions INGOT__KERNEL(fft_f32) = {.supports = supports, .workspace = fft_workspace, .run = fft_run};
