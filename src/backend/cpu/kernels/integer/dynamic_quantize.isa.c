/* DynamicQuantizeLinear: the range first, then the levels; as the reference, to the last bit. */
#include "backend/cpu/kernels/template.h"
#include <math.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { MOST_THREADS = 256, BLOCK = 4096 };
typedef struct job {
  const ingot__call *call;
  size_t n;
  float low[MOST_THREADS], high[MOST_THREADS];
  float scale, zero;
} job;

/* low and high of 16 places over whole vectors from `begin` on; returns where they end. The instructions' min and max give their second
 * operand where one is NaN, which so is passed over. */
static size_t range_of_vectors(const float *x, size_t begin, size_t end, float *low, float *high) {
  size_t k = begin;
#if defined(__AVX512F__)
  __m512 l = _mm512_setzero_ps(), h = l, l2 = l, h2 = l;
  for (; k + 32 <= end; k += 32) {
    __m512 a = _mm512_loadu_ps(x + k), b = _mm512_loadu_ps(x + k + 16);
    l = _mm512_min_ps(a, l), h = _mm512_max_ps(a, h), l2 = _mm512_min_ps(b, l2), h2 = _mm512_max_ps(b, h2);
  }
  _mm512_storeu_ps(low, _mm512_min_ps(l, l2));
  _mm512_storeu_ps(high, _mm512_max_ps(h, h2));
#elif defined(__AVX2__)
  __m256 l = _mm256_setzero_ps(), h = l, l2 = l, h2 = l;
  for (; k + 16 <= end; k += 16) {
    __m256 a = _mm256_loadu_ps(x + k), b = _mm256_loadu_ps(x + k + 8);
    l = _mm256_min_ps(a, l), h = _mm256_max_ps(a, h), l2 = _mm256_min_ps(b, l2), h2 = _mm256_max_ps(b, h2);
  }
  _mm256_storeu_ps(low, l), _mm256_storeu_ps(low + 8, l2);
  _mm256_storeu_ps(high, h), _mm256_storeu_ps(high + 8, h2);
#else
  for (; k + 16 <= end; k += 16)
    for (size_t i = 0; i < 16; i++) {
      float v = x[k + i];
      low[i] = v < low[i] ? v : low[i], high[i] = v > high[i] ? v : high[i];
    }
#endif
  return k;
}

static void find_range(void *arg, int i, int threads) {
  job *j = arg;
  const float *x = j->call->in[0].data;
  size_t begin, end;
  float low[16] = {0}, high[16] = {0};
  ingot__share(j->n, BLOCK, i, threads, &begin, &end);
  size_t k = range_of_vectors(x, begin, end, low, high);
  for (; k < end; k++) low[0] = x[k] < low[0] ? x[k] : low[0], high[0] = x[k] > high[0] ? x[k] : high[0];
  for (int l = 1; l < 16; l++) low[0] = low[l] < low[0] ? low[l] : low[0], high[0] = high[l] > high[0] ? high[l] : high[0];
  j->low[i] = low[0], j->high[i] = high[0];
}

static void quantize(void *arg, int i, int threads) {
  const job *j = arg;
  const float *restrict x = j->call->in[0].data;
  uint8_t *restrict y = j->call->out[0].data;
  float scale = j->scale, zero = j->zero;
  size_t begin, end;
  ingot__share(j->n, BLOCK, i, threads, &begin, &end);
  for (size_t k = begin; k < end; k++) {
    float v = rintf(x[k] / scale) + zero;
    v = v > 0 ? v : 0;
    v = v < 255 ? v : 255;
    y[k] = (uint8_t)(int32_t)v;
  }
}

static bool supports(const ingot__call *call) { return ingot__has_out(call, 0) && call->threads <= MOST_THREADS; }

static ingot_status run(const ingot__call *call) {
  job j = {.call = call, .n = (size_t)ingot__view_count(&call->in[0])};
  float low = 0, high = 0;
  ingot__pool_run(call->pool, find_range, &j);
  int threads = ingot__pool_threads(call->pool);
  for (int i = 0; i < threads && i < MOST_THREADS; i++) low = j.low[i] < low ? j.low[i] : low, high = j.high[i] > high ? j.high[i] : high;
  j.scale = high - low == 0 ? 1 : (high - low) / 255;
  j.zero = rintf(fminf(fmaxf(-low / j.scale, 0), 255));
  ingot__pool_run(call->pool, quantize, &j);
  if (ingot__has_out(call, 1)) memcpy(call->out[1].data, &j.scale, sizeof j.scale);
  if (ingot__has_out(call, 2)) *(uint8_t *)call->out[2].data = (uint8_t)j.zero;
  return INGOT_OK;
}

const ingot__kernel_functions INGOT__KERNEL(dynamic_quantize) = {.supports = supports, .run = run};
