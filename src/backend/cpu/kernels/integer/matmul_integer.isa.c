/* MatMulInteger: tiles of up to 6 rows and 4 panels of 16 columns. A's bytes count as unsigned, B's as signed (the other kinds are moved by 128);
 * zero points are taken out afterwards: sum (a - za)(b - zb) = sum a b - za sum b - zb sum a + k za zb, all modulo 2^32.
 *
 * With VNNI a byte product is one instruction; otherwise bytes are widened to 16 bits, whose products of pairs are exact. */
#include "backend/cpu/kernels/integer/pack.h"
#include "backend/cpu/kernels/template.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { ROWS = 6, PANELS = 4, COLUMNS = PANELS * INGOT__BYTE_PANEL };

typedef struct tile {
  const uint8_t *a;
  size_t a_stride, k, b_stride; /* bytes between panels */
  uint32_t flip;                /* 0x80808080: a's bytes are signed */
  const char *b;
} tile;
typedef void (*tile_fn)(const tile *t, size_t rows, size_t panels, int32_t (*out)[COLUMNS]);

/* Four bytes of a row, as unsigned; fewer at its end, where B's rows are 0. */
static inline uint32_t four(const tile *t, size_t row, size_t k) {
  uint32_t v = 0;
  const uint8_t *from = t->a + row * t->a_stride + k;
  if (k + 4 <= t->k) memcpy(&v, from, 4);
  else memcpy(&v, from, t->k - k);
  return v ^ t->flip;
}

#if defined(__AVX512BW__)
#define UNROLL _Pragma("GCC unroll 16") /* so that the sums are registers */
/* Inline assembly, because the file is compiled for CPUs without the instruction as well, and since compilers copy the sums of the function
 * that stands for it until they no longer fit the registers. */
static inline __attribute__((always_inline)) __m512i vnni(__m512i sum, __m512i a, __m512i b) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
}
static inline __attribute__((always_inline)) void sums_vnni(const tile *t, const size_t rows, const size_t panels, int32_t (*out)[COLUMNS]) {
  __m512i acc[ROWS][PANELS];
  UNROLL for (size_t r = 0; r < rows; r++)
    UNROLL for (size_t p = 0; p < panels; p++) acc[r][p] = _mm512_setzero_si512();
  const size_t whole = t->k / 4 * 4, stride = t->a_stride, stride3 = 3 * stride, between = t->b_stride, between3 = 3 * between;
  const char *b = t->b + 64;
  const uint8_t *p0 = t->a, *p1 = p0 + (rows > 5 ? 5 * stride : 0);
  const __m512i flip = _mm512_set1_epi32((int)t->flip);
  for (size_t k = 0; k < whole; k += 4, b += 64, p0 += 4, p1 += 4) {
    __asm__("" : "+r"(p0), "+r"(p1), "+r"(b)); /* or compilers make a pointer of each row */
    __m512i v[PANELS];
    UNROLL for (size_t p = 0; p < panels; p++) v[p] = _mm512_loadu_si512(b + (p == 3 ? between3 : p * between));
    UNROLL for (size_t r = 0; r < rows; r++) {
      int32_t w;
      memcpy(&w, r == 5 ? p1 : p0 + (r == 3 ? stride3 : r * stride), 4);
      const __m512i a = _mm512_xor_si512(_mm512_set1_epi32(w), flip);
      UNROLL for (size_t p = 0; p < panels; p++) acc[r][p] = vnni(acc[r][p], a, v[p]);
    }
  }
  if (whole < t->k)
    UNROLL for (size_t r = 0; r < rows; r++) {
      const __m512i a = _mm512_set1_epi32((int)four(t, r, whole));
      UNROLL for (size_t p = 0; p < panels; p++) acc[r][p] = vnni(acc[r][p], a, _mm512_loadu_si512(b + p * between));
    }
  UNROLL for (size_t r = 0; r < rows; r++)
    UNROLL for (size_t p = 0; p < panels; p++) _mm512_storeu_si512(&out[r][p * INGOT__BYTE_PANEL], acc[r][p]);
}
static void tile_vnni(const tile *t, size_t rows, size_t panels, int32_t (*out)[COLUMNS]) {
  if (panels == PANELS) {
    switch (rows) {
    case 1: sums_vnni(t, 1, PANELS, out); return;
    case 2: sums_vnni(t, 2, PANELS, out); return;
    case 3: sums_vnni(t, 3, PANELS, out); return;
    case 4: sums_vnni(t, 4, PANELS, out); return;
    case 5: sums_vnni(t, 5, PANELS, out); return;
    default: sums_vnni(t, 6, PANELS, out); return;
    }
  }
  for (size_t p = 0; p < panels; p++) {
    tile one = *t;
    one.b = t->b + p * t->b_stride;
    int32_t(*to)[COLUMNS] = (int32_t(*)[COLUMNS]) & out[0][p * INGOT__BYTE_PANEL];
    if (rows == ROWS) sums_vnni(&one, ROWS, 1, to);
    else
      for (size_t r = 0; r < rows; r++) {
        one.a = t->a + r * t->a_stride;
        sums_vnni(&one, 1, 1, to + r);
      }
  }
}
#endif

#if defined(__AVX2__)
/* One row and one panel pair of sums each: four columns to a vector, each as two partial sums. */
static void tile_widened(const tile *t, size_t rows, size_t panels, int32_t (*out)[COLUMNS]) {
  for (size_t p = 0; p < panels; p++)
    for (size_t r = 0; r < rows; r += 2) {
      bool two = r + 1 < rows;
      __m256i acc[2][4];
      const char *b = t->b + p * t->b_stride + 64;
      for (int i = 0; i < 4; i++) acc[0][i] = acc[1][i] = _mm256_setzero_si256();
      for (size_t k = 0; k < t->k; k += 4, b += 64) {
        __m128i low = _mm_cvtsi32_si128((int)four(t, r, k)), high = two ? _mm_cvtsi32_si128((int)four(t, r + 1, k)) : low;
        __m256i a = _mm256_broadcastq_epi64(_mm_cvtepu8_epi16(low)), c = _mm256_broadcastq_epi64(_mm_cvtepu8_epi16(high));
        for (int i = 0; i < 4; i++) {
          __m256i v = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(b + 16 * i)));
          acc[0][i] = _mm256_add_epi32(acc[0][i], _mm256_madd_epi16(a, v));
          acc[1][i] = _mm256_add_epi32(acc[1][i], _mm256_madd_epi16(c, v));
        }
      }
      for (int row = 0; row < (two ? 2 : 1); row++)
        for (int i = 0; i < 4; i++) {
          int32_t pair[8];
          _mm256_storeu_si256((__m256i *)pair, acc[row][i]);
          for (int c = 0; c < 4; c++)
            out[r + (size_t)row][p * INGOT__BYTE_PANEL + (size_t)(4 * i + c)] = (int32_t)((uint32_t)pair[2 * c] + (uint32_t)pair[2 * c + 1]);
        }
    }
}
#else
static void tile_widened(const tile *t, size_t rows, size_t panels, int32_t (*out)[COLUMNS]) {
  for (size_t p = 0; p < panels; p++)
    for (size_t r = 0; r < rows; r++) {
      const int8_t *b = (const int8_t *)t->b + p * t->b_stride + 64;
      int32_t *to = &out[r][p * INGOT__BYTE_PANEL];
      for (int c = 0; c < INGOT__BYTE_PANEL; c++) to[c] = 0;
      for (size_t k = 0; k < t->k; k += 4, b += 64) {
        uint32_t v = four(t, r, k);
        int32_t a[4] = {(int32_t)(v & 255), (int32_t)(v >> 8 & 255), (int32_t)(v >> 16 & 255), (int32_t)(v >> 24)};
        for (int c = 0; c < INGOT__BYTE_PANEL; c++)
          to[c] = (int32_t)((uint32_t)to[c] + (uint32_t)(a[0] * b[4 * c] + a[1] * b[4 * c + 1] + a[2] * b[4 * c + 2] + a[3] * b[4 * c + 3]));
      }
    }
}
#endif

static tile_fn best_tile(void) {
#if defined(__AVX512BW__)
  if (ingot__cpu_info()->avx512_vnni) return tile_vnni;
#endif
  return tile_widened;
}

typedef struct job {
  const ingot__call *call;
  ingot__byte_product p;
  tile_fn tile;
  char *packed;             /* B's panels */
  int32_t *row_sum;         /* of A as unsigned; NULL: B has no zero points */
  size_t row_blocks, column_blocks, panels, panel_size;
  bool pack;
} job;

/* Zero points as those of unsigned A and signed B. */
static int32_t zero_of(const ingot__call *call, size_t slot, size_t at) {
  int32_t move = slot == 2 ? (call->in[0].dtype == INGOT_INT8 ? 128 : 0) : call->in[1].dtype == INGOT_UINT8 ? -128 : 0;
  if (!ingot__has_in(call, slot)) return move;
  const ingot__view *z = &call->in[slot];
  size_t n = (size_t)ingot__view_count(z), i = n == 1 ? 0 : at % n;
  return move + (z->dtype == INGOT_UINT8 ? ((const uint8_t *)z->data)[i] : ((const int8_t *)z->data)[i]);
}

static void prepare(void *arg, int i, int threads) {
  const job *j = arg;
  const ingot__byte_product *p = &j->p;
  size_t begin, end;
  if (j->pack) {
    ingot__share(j->panels * p->batch, 1, i, threads, &begin, &end);
    for (size_t u = begin; u < end; u++) {
      size_t m = u / j->panels, at = u % j->panels;
      ingot__pack_bytes(j->call->in[1].dtype, (const char *)j->call->in[1].data + m * p->k * p->n, p->k, p->n, at, at + 1,
                        j->packed + m * j->panels * j->panel_size);
    }
  }
  if (!j->row_sum) return;
  uint8_t flip = j->call->in[0].dtype == INGOT_INT8 ? 0x80 : 0;
  ingot__share(p->m * p->batch, 1, i, threads, &begin, &end);
  for (size_t r = begin; r < end; r++) {
    const uint8_t *a = (const uint8_t *)j->call->in[0].data + r * p->k;
    uint32_t sum = 0;
    for (size_t k = 0; k < p->k; k++) sum += (uint8_t)(a[k] ^ flip);
    j->row_sum[r] = (int32_t)sum;
  }
}

/* One number for all columns, or theirs. */
static void spread(const ingot__view *v, size_t first, size_t columns, float *to) {
  const float *from = v->data;
  bool one = ingot__view_count(v) == 1;
  if (!one) memcpy(to, from + first, columns * sizeof *to);
  for (size_t c = 0; one && c < columns; c++) to[c] = *from;
}

/* A tile's sums become outputs. */
static void finish(const job *j, size_t m, size_t row, size_t rows, size_t panel, size_t panels, int32_t (*sum)[COLUMNS]) {
  const ingot__call *call = j->call;
  const ingot__byte_product *p = &j->p;
  size_t first = panel * INGOT__BYTE_PANEL, columns = panels * INGOT__BYTE_PANEL;
  int32_t column_sum[COLUMNS], zero[COLUMNS];
  float scale[COLUMNS], bias[COLUMNS];
  if (columns > p->n - first) columns = p->n - first;
  for (size_t q = 0; q < panels; q++)
    memcpy(column_sum + q * INGOT__BYTE_PANEL, j->packed + (m * j->panels + panel + q) * j->panel_size, 64);
  for (size_t c = 0; j->row_sum && c < columns; c++) zero[c] = zero_of(call, 3, first + c);
  bool scaled = ingot__has_in(call, 4), biased = ingot__has_in(call, 5);
  if (scaled) spread(&call->in[4], first, columns, scale);
  if (biased) spread(&call->in[5], first, columns, bias);
  for (size_t c = 0; !biased && c < columns; c++) bias[c] = 0;
  for (size_t r = 0; r < rows; r++) {
    size_t at = m * p->m + row + r;
    uint32_t za = (uint32_t)zero_of(call, 2, at);
    uint32_t *s = (uint32_t *)sum[r];
    for (size_t c = 0; c < columns; c++) s[c] -= za * (uint32_t)column_sum[c];
    if (j->row_sum) {
      uint32_t k_za = (uint32_t)p->k * za - (uint32_t)j->row_sum[at];
      for (size_t c = 0; c < columns; c++) s[c] += k_za * (uint32_t)zero[c];
    }
    if (!scaled) {
      memcpy((int32_t *)call->out[0].data + at * p->n + first, s, columns * sizeof *s);
      continue;
    }
    float *y = (float *)call->out[0].data + at * p->n + first;
    for (size_t c = 0; c < columns; c++) y[c] = (float)sum[r][c] * scale[c] + bias[c];
  }
}

static void multiply(void *arg, int i, int threads) {
  const job *j = arg;
  const ingot__byte_product *p = &j->p;
  size_t begin, end;
  ingot__share(p->batch * j->column_blocks * j->row_blocks, 1, i, threads, &begin, &end);
  for (size_t u = begin; u < end; u++) {
    size_t m = u / (j->column_blocks * j->row_blocks), rest = u % (j->column_blocks * j->row_blocks);
    size_t panel = rest / j->row_blocks * PANELS, row = rest % j->row_blocks * ROWS;
    size_t panels = j->panels - panel < PANELS ? j->panels - panel : PANELS, rows = p->m - row < ROWS ? p->m - row : ROWS;
    int32_t sum[ROWS][COLUMNS];
    tile t = {.a = (const uint8_t *)j->call->in[0].data + (m * p->m + row) * p->k, .a_stride = p->k, .k = p->k, .b_stride = j->panel_size,
              .flip = j->call->in[0].dtype == INGOT_INT8 ? 0x80808080u : 0, .b = j->packed + (m * j->panels + panel) * j->panel_size};
    j->tile(&t, rows, panels, sum);
    finish(j, m, row, rows, panel, panels, sum);
  }
}

static bool supports(const ingot__call *call) {
  ingot__byte_product p;
  return ingot__byte_product_get(call, &p) && call->in[1].constant && call->in[1].rank == 2;
}
static bool supports_dynamic(const ingot__call *call) {
  ingot__byte_product p;
  return ingot__byte_product_get(call, &p) && !call->in[1].constant;
}

static size_t workspace(const ingot__call *call) {
  ingot__byte_product p;
  size_t bytes, total;
  if (!ingot__byte_product_get(call, &p)) return 0;
  if (!ingot__mul(p.m * p.batch, sizeof(int32_t), &total)) return SIZE_MAX;
  total = ingot__align(total, 64);
  if (call->in[1].constant) return total;
  if (!ingot__mul(ingot__byte_panels(p.n), ingot__byte_panel_size(p.k), &bytes) || !ingot__mul(bytes, p.batch, &bytes) ||
      !ingot__add(total, bytes, &total))
    return SIZE_MAX;
  return total;
}

static ingot_status run(const ingot__call *call) {
  job j = {.call = call, .tile = best_tile()};
  if (!ingot__byte_product_get(call, &j.p)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "not a product that this kernel takes");
  if (j.p.m == 0 || j.p.n == 0 || j.p.batch == 0) return INGOT_OK;
  j.panels = ingot__byte_panels(j.p.n), j.panel_size = ingot__byte_panel_size(j.p.k);
  j.row_blocks = (j.p.m + ROWS - 1) / ROWS, j.column_blocks = (j.panels + PANELS - 1) / PANELS;
  j.pack = !call->in[1].constant;
  j.packed = j.pack ? (char *)call->workspace + ingot__align(j.p.m * j.p.batch * sizeof(int32_t), 64) : (char *)(uintptr_t)call->packed;
  bool zeros = false;
  size_t n = ingot__has_in(call, 3) ? (size_t)ingot__view_count(&call->in[3]) : 1;
  for (size_t c = 0; c < n && !zeros; c++) zeros = zero_of(call, 3, c) != 0;
  j.row_sum = zeros ? call->workspace : NULL;
  if (j.pack || j.row_sum) ingot__pool_run(call->pool, prepare, &j);
  ingot__pool_run(call->pool, multiply, &j);
  return INGOT_OK;
}

const ingot__kernel_functions INGOT__KERNEL(matmul_integer) = {
  .supports = supports, .workspace = workspace, .pack_size = ingot__byte_product_pack_size, .pack = ingot__byte_product_pack,
  .pack_format = "bytes16x4", .packs_inputs = 1u << 1, .run = run};
const ingot__kernel_functions INGOT__KERNEL(matmul_integer_dynamic) = {.supports = supports_dynamic, .workspace = workspace, .run = run};
