/* From sums to outputs: the tile's sums, from this block or from all that had a part of k, times alpha, with what is added, activated, stored. */
#pragma once
#include "product/place.cuh"
#include "cluster.cuh"
#include "act.cuh"

/* Columns n.. of an addend's row that begins at index `row`; those from p.n on are 0. */
DEVICE void load_addend(const product_params &p, const product_addend &from, int64_t row, uint32_t n, float v[VECTOR]) {
  const T *data = (const T *)from.data + row;
  if (from.vector && n + VECTOR <= p.n) {
    const vec<T, VECTOR> x = load<VECTOR>(data + n);
#pragma unroll
    for (int i = 0; i < VECTOR; i++) v[i] = to_float(x[i]);
  } else {
#pragma unroll
    for (int i = 0; i < VECTOR; i++) v[i] = n + i < p.n ? to_float(data[(n + i) * from.column]) : 0;
  }
}
DEVICE void store_outputs(const product_params &p, T *row, uint32_t n, const float v[VECTOR]) {
  if (p.out_vector && n + VECTOR <= p.n) {
    vec<T, VECTOR> x;
#pragma unroll
    for (int i = 0; i < VECTOR; i++) x[i] = from_float<T>(v[i]);
    store(row + n, x);
  } else {
#pragma unroll
    for (int i = 0; i < VECTOR; i++)
      if (n + i < p.n) row[n + i] = from_float<T>(v[i]);
  }
}

/* Where output row m lies, and its addends' rows; false: there is no such output. */
struct row_place { int64_t out, add[2]; };
DEVICE bool find_row(const product_params &p, const block_place &at, uint32_t m, row_place &row) {
  if (m >= p.m) return false;
#if TRANSPOSED
  const product_window &w = p.window;
  const uint32_t q = divided(m, w.out[2]), image = divided(q, w.out[1]);
  const int64_t y = (q - image * w.out[1].by) * w.phases[0].by + at.y, x = (m - q * w.out[2].by) * w.phases[1].by + at.x;
  row.out = at.out + image * w.out_image + y * w.out_line + x * p.out_row;
  for (int i = 0; i < 2; i++) row.add[i] = at.add[i] + image * p.add[i].image + y * p.add[i].line + x * p.add[i].row;
  return y < w.out_dim[0] && x < w.out_dim[1];
#else
  row.out = at.out + m * p.out_row;
  for (int i = 0; i < 2; i++) row.add[i] = at.add[i] + m * p.add[i].row;
  return true;
#endif
}

/* Where a tile's sums are: in this block's shared memory, in that of all blocks of the cluster, or in memory, part by part. */
enum sums_source { OWN, CLUSTER, PARTIALS };
template <sums_source SOURCE> DEVICE void load_sums(const product_params &p, const float *from, float v[VECTOR]) {
  vec<float, 4> x[VECTOR / 4];
#pragma unroll
  for (int j = 0; j < VECTOR / 4; j++) x[j] = SOURCE == CLUSTER ? cluster_load(from + j * 4, 0) : load<4>(from + j * 4);
#pragma unroll
  for (int i = 1; i < (SOURCE == OWN ? 1 : 8); i++) {
    if (i >= p.splits) continue;
#pragma unroll
    for (int j = 0; j < VECTOR / 4; j++) {
      const vec<float, 4> y = SOURCE == CLUSTER ? cluster_load(from + j * 4, i) : load<4>(from + (int64_t)i * (BM * BN) + j * 4);
#pragma unroll
      for (int k = 0; k < 4; k++) x[j][k] += y[k];
    }
  }
#pragma unroll
  for (int i = 0; i < VECTOR; i++) v[i] = x[i / 4][i % 4];
}

/* Until all sums are where they are read. */
template <sums_source SOURCE> DEVICE void wait_for_sums() {
  if (SOURCE == OWN) __syncthreads();
  if (SOURCE == CLUSTER) cluster_barrier();
}

/* Rows [first, end) of the tile. What is added is asked for before the sums are waited for. */
template <sums_source SOURCE>
DEVICE void finish_rows(const product_params &p, const block_place &at, const float *sums, uint32_t first, uint32_t end) {
  enum { COLUMNS = BN / VECTOR, PASS = THREADS / COLUMNS, UNROLL = SOURCE == OWN ? 2 : 1, ROW = SOURCE == PARTIALS ? BN : LINE };
  const uint32_t column = threadIdx.x % COLUMNS * VECTOR, n = at.n + column;
  if (n >= p.n) end = 0;
  float bias[VECTOR];
  uint32_t by_row = 0; /* bit s: addend s differs from row to row */
#pragma unroll
  for (int i = 0; i < VECTOR; i++) bias[i] = 0;
#pragma unroll 1
  for (int s = 0; s < 2; s++) {
    const product_addend &a = p.add[s];
    if (!a.data || n >= p.n) continue;
    if (a.row || a.image) {
      by_row |= 1u << s;
      continue;
    }
    float v[VECTOR];
    load_addend(p, a, s ? at.add[1] : at.add[0], n, v);
#pragma unroll
    for (int i = 0; i < VECTOR; i++) bias[i] += v[i];
  }
  const bool early = (by_row & 2) && p.add[1].vector && n + VECTOR <= p.n; /* a residual, as it usually is */
  if (early) by_row &= 1;
  bool waited = false;
#pragma unroll 1
  for (uint32_t row = first + threadIdx.x / COLUMNS; !waited || row < end; row += PASS * UNROLL) {
    float add[UNROLL][VECTOR];
    vec<T, VECTOR> residual[UNROLL];
    row_place place[UNROLL];
    bool there[UNROLL];
#pragma unroll
    for (int u = 0; u < UNROLL; u++) { /* all loads before the first store, which they might depend on for all the compiler knows */
      there[u] = row + u * PASS < end && find_row(p, at, at.m + row + u * PASS, place[u]);
      if (there[u] && early) residual[u] = load<VECTOR>((const T *)p.add[1].data + place[u].add[1] + n);
#pragma unroll
      for (int i = 0; i < VECTOR; i++) add[u][i] = bias[i];
    }
    if (!waited) wait_for_sums<SOURCE>(); /* each thread comes here once */
    waited = true;
#pragma unroll
    for (int u = 0; u < UNROLL; u++)
#pragma unroll
      for (int i = 0; i < VECTOR; i++)
        if (early && there[u]) add[u][i] += to_float(residual[u][i]);
#pragma unroll 1
    for (int s = 0; s < 2; s++) {
      if (!(by_row >> s & 1)) continue;
#pragma unroll
      for (int u = 0; u < UNROLL; u++) {
        if (!there[u]) continue;
        float v[VECTOR];
        load_addend(p, p.add[s], s ? place[u].add[1] : place[u].add[0], n, v);
#pragma unroll
        for (int i = 0; i < VECTOR; i++) add[u][i] += v[i];
      }
    }
#pragma unroll
    for (int u = 0; u < UNROLL; u++) {
      if (!there[u]) continue;
      float v[VECTOR];
      load_sums<SOURCE>(p, sums + (row + u * PASS) * ROW + column, v);
#pragma unroll
      for (int i = 0; i < VECTOR; i++) v[i] = activate(ACT, p.act_alpha, p.act_beta, p.alpha * v[i] + add[u][i]);
      store_outputs(p, (T *)p.out + place[u].out, n, v);
    }
  }
}

/* All blocks of a tile come here with their sums in `tile`. */
DEVICE void finish(const product_params &p, const block_place &at, float *tile) {
  if (p.splits == 1) {
    finish_rows<OWN>(p, at, tile, 0, BM);
    return;
  }
#if defined INGOT_EMULATED || __CUDA_ARCH__ >= 900
  if (!p.partials) { /* each block of the cluster does some rows */
    finish_rows<CLUSTER>(p, at, tile, BM * at.part / p.splits, BM * (at.part + 1) / p.splits);
    cluster_meet(); /* the others may still be reading */
    return;
  }
#endif
#if defined INGOT_EMULATED || __CUDA_ARCH__ < 900
  __syncthreads(); /* the last one does all */
  float *sums = p.partials + (int64_t)at.tile * p.splits * (BM * BN);
  float *to = sums + at.part * (BM * BN);
  for (uint32_t i = threadIdx.x * 4; i < BM * BN; i += THREADS * 4) store(to + i, load<4>(tile + i / BN * LINE + i % BN));
  __threadfence();
  __syncthreads();
  uint32_t *count = (uint32_t *)tile;
  if (threadIdx.x == 0) *count = atomicAdd(p.arrived + at.tile, 1u);
  __syncthreads();
  if (*count != p.splits - 1) return;
  __threadfence();
  finish_rows<PARTIALS>(p, at, sums, 0, BM);
#endif
}
