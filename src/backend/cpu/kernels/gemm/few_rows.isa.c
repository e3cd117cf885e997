/* MatMul in float32 of few rows by a matrix that isn't constant: B is read once, where it lies, since packing it would cost more than the
 * product. Columns that lie side by side gather several of B's rows at a time; where B is transposed, its rows are multiplied with A's. */
#include "backend/cpu/kernels/gemm/matmul.h"
#include "backend/cpu/kernels/gemm/tile.h"
#include "backend/cpu/kernels/lanes.inc"
#include "backend/cpu/kernels/template.h"
#include "backend/cpu/kernels/vector_math.inc"

enum { MOST_ROWS = 8, DEPTH = 8, UNIT = 16, BLOCK = 512, WIDE = 2048 };

typedef struct job {
  const ingot__call *call;
  ingot__matmul g;
  ingot__finish finish;
  float alpha;
} job;

/* c += a's next DEPTH elements times as many rows of B. */
static void add_rows(float *restrict c, const float *a, const float *restrict b, size_t b_k, size_t n) {
  const float *b0 = b, *b1 = b0 + b_k, *b2 = b1 + b_k, *b3 = b2 + b_k, *b4 = b3 + b_k, *b5 = b4 + b_k, *b6 = b5 + b_k, *b7 = b6 + b_k;
  for (size_t j = 0; j < n; j++)
    c[j] += ((a[0] * b0[j] + a[1] * b1[j]) + (a[2] * b2[j] + a[3] * b3[j])) + ((a[4] * b4[j] + a[5] * b5[j]) + (a[6] * b6[j] + a[7] * b7[j]));
}

/* Columns [begin, end) of all rows. */
static void by_rows(const job *j, const float *a, const float *b, float *c, size_t begin, size_t end) {
  const ingot__matmul *g = &j->g;
  const size_t block = g->m == 1 ? WIDE : BLOCK; /* of columns, so that DEPTH rows of them stay in L1 for all of A's rows */
  for (size_t first = begin; first < end; first += block) {
    const size_t n = end - first < block ? end - first : block;
    for (size_t i = 0; i < g->m; i++) memset(c + i * g->c_m + first, 0, n * sizeof(float));
    size_t k = 0;
    for (; k + DEPTH <= g->k; k += DEPTH)
      for (size_t i = 0; i < g->m; i++) {
        float x[DEPTH];
        for (size_t d = 0; d < DEPTH; d++) x[d] = a[i * g->a_m + (k + d) * g->a_k] * j->alpha;
        add_rows(c + i * g->c_m + first, x, b + k * g->b_k + first, g->b_k, n);
      }
    for (; k < g->k; k++)
      for (size_t i = 0; i < g->m; i++) {
        const float x = a[i * g->a_m + k * g->a_k] * j->alpha, *from = b + k * g->b_k + first;
        float *to = c + i * g->c_m + first;
        INGOT__VECTORIZE for (size_t q = 0; q < n; q++) to[q] += x * from[q];
      }
  }
}

/* Sums over k of a times four of B's columns, which lie `step` apart. */
static void four_sums(const float *a, const float *b, size_t step, size_t n, float sum[4]) {
  vec s0 = vec_set(0), s1 = s0, s2 = s0, s3 = s0;
  size_t k = 0;
  for (; k + LANES <= n; k += LANES) {
    const vec x = vec_load(a + k);
    s0 += x * vec_load(b + k), s1 += x * vec_load(b + step + k), s2 += x * vec_load(b + 2 * step + k), s3 += x * vec_load(b + 3 * step + k);
  }
  sum[0] = sum[1] = sum[2] = sum[3] = 0;
  for (int l = 0; l < LANES; l++) sum[0] += s0[l], sum[1] += s1[l], sum[2] += s2[l], sum[3] += s3[l];
  for (; k < n; k++)
    for (size_t q = 0; q < 4; q++) sum[q] += a[k] * b[q * step + k];
}
static float one_sum(const float *a, const float *b, size_t n) {
  vec s0 = vec_set(0), s1 = s0;
  size_t k = 0;
  for (; k + 2 * LANES <= n; k += 2 * LANES) s0 += vec_load(a + k) * vec_load(b + k), s1 += vec_load(a + k + LANES) * vec_load(b + k + LANES);
  s0 += s1;
  float sum = 0;
  for (int l = 0; l < LANES; l++) sum += s0[l];
  for (; k < n; k++) sum += a[k] * b[k];
  return sum;
}
static void by_columns(const job *j, const float *a, const float *b, float *c, size_t begin, size_t end) {
  const ingot__matmul *g = &j->g;
  size_t n = begin;
  for (; n + 4 <= end; n += 4)
    for (size_t i = 0; i < g->m; i++) {
      float sum[4];
      four_sums(a + i * g->a_m, b + n * g->b_n, g->b_n, g->k, sum);
      for (size_t q = 0; q < 4; q++) c[i * g->c_m + n + q] = sum[q] * j->alpha;
    }
  for (; n < end; n++)
    for (size_t i = 0; i < g->m; i++) c[i * g->c_m + n] = one_sum(a + i * g->a_m, b + n * g->b_n, g->k) * j->alpha;
}

/* Bias, residual and activation of columns [begin, end). */
static void finish(const job *j, const ingot__matmul_at *at, size_t begin, size_t end) {
  const ingot__call *call = j->call;
  const ingot__matmul *g = &j->g;
  const size_t n = end - begin;
  const float *bias = g->bias ? (const float *)call->in[2].data + begin : NULL, low = j->finish.low, high = j->finish.high;
  for (size_t i = 0; i < g->m; i++) {
    float *c = (float *)call->out[0].data + at->c + i * g->c_m + begin;
    const float *r = g->residual ? (const float *)call->in[3].data + at->r + i * g->r_m + begin : NULL;
    for (size_t q = 0; bias && q < n; q++) c[q] += bias[q];
    for (size_t q = 0; r && q < n; q++) c[q] += r[q];
    if (j->finish.act == INGOT__ACT_NONE)
      for (size_t q = 0; q < n; q++) {
        const float v = c[q] < low ? low : c[q];
        c[q] = v > high ? high : v;
      }
  }
  if (j->finish.act != INGOT__ACT_NONE)
    INGOT__ISA_FUNCTION(tiles).activate(j->finish.act, j->finish.alpha, j->finish.beta, (float *)call->out[0].data + at->c + begin, g->c_m, g->m, n);
}

static void work(void *arg, int thread, int threads) {
  const job *j = arg;
  const ingot__matmul *g = &j->g;
  const size_t units = (g->n + UNIT - 1) / UNIT;
  size_t begin, end;
  ingot__share(g->batches * units, 4, thread, threads, &begin, &end);
  while (begin < end) {
    const size_t u = begin % units, count = units - u < end - begin ? units - u : end - begin;
    const size_t first = u * UNIT, last = (u + count) * UNIT < g->n ? (u + count) * UNIT : g->n;
    const ingot__matmul_at at = ingot__matmul_place(g, begin / units);
    const float *a = (const float *)j->call->in[0].data + at.a, *b = (const float *)j->call->in[1].data + at.b;
    float *c = (float *)j->call->out[0].data + at.c;
    if (g->b_n == 1) by_rows(j, a, b, c, first, last);
    else by_columns(j, a, b, c, first, last);
    finish(j, &at, first, last);
    begin += count;
  }
}

static bool supports(const ingot__call *call) {
  ingot__matmul g;
  if (!ingot__matmul_get(call, INGOT_FLOAT32, false, &g) || call->in[1].constant || call->in[1].rank < 2 || g.m > MOST_ROWS) return false;
  const ingot__attrs_MatMul *a = INGOT__ATTRS(call, MatMul);
  return a->act != INGOT__ACT_QUANTIZE && (!a->trans_b || !a->trans_a);
}

static double cost(const ingot__call *call) {
  ingot__matmul g;
  if (!ingot__matmul_get(call, INGOT_FLOAT32, false, &g)) return 1e9;
  const ingot__cpu_rates *rates = ingot__cpu_rates_get(INGOT__ISA_FUNCTION(tiles).isa);
  const double threads = call->threads > 1 ? call->threads : 1, b = (double)g.batches * (double)g.k * (double)g.n;
  const double compute = b * (double)g.m * 8 / rates->f32_flops;
  const double move = 4 * b / (4 * b < (double)ingot__cpu_info()->l2 ? rates->l2_bytes : rates->memory_bytes * 2);
  return 1e-6 + (compute > move ? compute : move) / threads;
}

static ingot_status run(const ingot__call *call) {
  const ingot__attrs_MatMul *attrs = INGOT__ATTRS(call, MatMul);
  job j = {.call = call, .alpha = attrs->alpha};
  if (!ingot__matmul_get(call, INGOT_FLOAT32, false, &j.g)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "not a product for this kernel");
  ingot__finish_set(&j.finish, attrs->act, attrs->act_alpha, attrs->act_beta);
  if (j.g.m > 0 && j.g.batches > 0) ingot__pool_run(call->pool, work, &j);
  return INGOT_OK;
}

const ingot__kernel_functions INGOT__KERNEL(matmul_few_f32) = {.supports = supports, .cost = cost, .run = run};
