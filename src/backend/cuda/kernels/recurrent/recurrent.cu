/* LSTM, GRU and RNN. W x + b of all steps is one product (project.cuh); what is left of a step is R h and the units' functions. Where R fits
 * into the shared memory of a cluster of blocks, one launch does all steps: a block keeps the rows of R of its units, and the blocks read
 * each other's new h after each step. Otherwise each step is a launch over the whole device. A warp computes all gates of one unit for up to
 * SEQUENCES sequences. GRU without linear_before_reset needs r h of all units before its candidates: its steps have two halves.
 *
 * Defined before: what project.cuh and cell.cuh name. */
#include "recurrent/project.cuh"
#include "recurrent/cell.cuh"
#include "cluster.cuh"

enum { HALVED = GATES == 3 && !LINEAR_FIRST, ROWS = HALVED ? 2 : GATES, WARPS = 16 };

/* h lies in shared memory so that a lane's PIECE floats are read in conflict-free pieces of four: the second four of eight stand in the second
 * half of the line. */
DEVICE int h_place(int k, int line) { return PIECE == 4 ? k : (k / 4 % 2) * (line / 2) + k / 8 * 4 + k % 4; }
DEVICE int h_line(int hidden) { return (hidden + 7) / 8 * 8; }

/* sum[n * 4 + g] += rows[g] . h[n] for the lane's PIECE of elements k.. */
template <int COUNT, int SEQUENCES> DEVICE void add_products(float (&sum)[4 * SEQUENCES], const vec<TYPE, PIECE> *rows, const float *h, int k,
    int line) {
  float w[COUNT][PIECE];
#pragma unroll
  for (int g = 0; g < COUNT; g++)
#pragma unroll
    for (int i = 0; i < PIECE; i++) w[g][i] = to_float(rows[g][i]);
#pragma unroll
  for (int n = 0; n < SEQUENCES; n++) {
#pragma unroll
    for (int part = 0; part < PIECE / 4; part++) {
      const vec<float, 4> v = load<4>(h + n * line + h_place(k + part * 4, line));
#pragma unroll
      for (int g = 0; g < COUNT; g++)
#pragma unroll
        for (int i = 0; i < 4; i++) sum[n * 4 + g] += w[g][part * 4 + i] * v[i];
    }
  }
}
/* Sums over the warp of 4 * SEQUENCES numbers: lane l gets that of slot l % (4 * SEQUENCES); each step halves what a lane carries on. */
template <int SLOTS, int W = 16> DEVICE float shared_out(float (&sum)[SLOTS]) {
  if constexpr (W >= SLOTS) {
#pragma unroll
    for (int i = 0; i < SLOTS; i++) sum[i] += __shfl_xor_sync(FULL, sum[i], W);
    return shared_out<SLOTS, W / 2>(sum);
  } else if constexpr (W > 0) {
    float half[W];
#pragma unroll
    for (int i = 0; i < W; i++) {
      const float low = sum[i], high = sum[i + W], give = threadIdx.x & W ? low : high;
      half[i] = (threadIdx.x & W ? high : low) + __shfl_xor_sync(FULL, give, W);
    }
    return shared_out<W, W / 2>(half);
  } else {
    return sum[0];
  }
}
/* s[g] for the sequence that the lane finishes, lane n the n-th. */
template <int SEQUENCES> DEVICE void sums_of(float (&sum)[4 * SEQUENCES], float (&s)[4]) {
  const float mine = shared_out(sum);
#pragma unroll
  for (int g = 0; g < 4; g++) s[g] = __shfl_sync(FULL, mine, (threadIdx.x % 32 * 4 + g) % 32);
}

/* A whole unit's step; update: of the halved GRU, computed by the half before, which also scaled h. */
DEVICE cell_state finish(const recurrent_params &p, int direction, int unit, const float *x, const float *s, cell_state old, float update) {
#if GATES == 4
  return cell_step(p, direction, unit, x, s, old);
#elif GATES == 3
  if (HALVED) {
    const float c = act_of(p, direction, 1, x[2] + s[0]);
    return cell_state{(1 - update) * c + update * old.h, 0};
  }
  return cell_step(p, direction, x, s, late_bias(p, direction, unit), old);
#else
  return cell_step(p, direction, x, s, old);
#endif
}

/* ---- All steps in one launch. */
template <int SEQUENCES> DEVICE void all_steps(const recurrent_params &p) {
  SHARED(float, shared);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, clusters = p.blocks, rank = (int)blockIdx.x % clusters;
  const int group = (int)blockIdx.x / clusters, direction = group % p.directions, n0 = group / p.directions * SEQUENCES;
  const int hidden = p.hidden, unit0 = rank * p.units, left = hidden - unit0, units = left < 0 ? 0 : left < p.units ? left : p.units;
  const int line = h_line(hidden), sequences = p.part - n0 < SEQUENCES ? p.part - n0 : SEQUENCES;
  /* h of all units, then (halved) r h; this block's new h, twice; c, z; x of this step and the next; rows of R. */
  float *h = shared, *scaled = h + SEQUENCES * line, *part = scaled + (HALVED ? SEQUENCES * line : 0), *c = part + 2 * SEQUENCES * p.units;
  float *update = c + SEQUENCES * p.units, *x = update + (HALVED ? SEQUENCES * p.units : 0);
  TYPE *rows = reinterpret_cast<TYPE *>(x + 2 * SEQUENCES * GATES * p.units);

  const TYPE *from = static_cast<const TYPE *>(p.r) + (int64_t)direction * GATES * hidden * hidden;
  for (int i = threadIdx.x; i < units * GATES * (line / PIECE); i += WARPS * 32) { /* constants: before the wait */
    const int k = i % (line / PIECE) * PIECE, row = i / (line / PIECE), gate = row % GATES, u = row / GATES;
    project_piece(rows + row * line + k, from + ((int64_t)gate * hidden + unit0 + u) * hidden, k, hidden, true, p.r_whole);
  }
  grid_wait();
  grid_launch();
  for (int i = threadIdx.x; i < SEQUENCES * line; i += WARPS * 32) {
    const int n = i / line, k = i % line;
    h[n * line + h_place(k, line)] = n < sequences && k < hidden ? initial(p, p.h0, direction, p.first + n0 + n, k) : 0;
    if (HALVED) scaled[i] = 0; /* what pads a line stays zero */
  }
  for (int i = threadIdx.x; i < SEQUENCES * p.units; i += WARPS * 32) {
    const int n = i / p.units, u = i % p.units;
    c[i] = n < sequences && u < units ? initial(p, p.c0, direction, p.first + n0 + n, unit0 + u) : 0;
  }
  auto fetch = [&](int s) {
    for (int i = threadIdx.x; s < p.steps && i < sequences * GATES * units; i += WARPS * 32) {
      const int u = i % units, g = i / units % GATES, n = i / units / GATES, t = time_of(p, direction, p.first + n0 + n, s);
      if (t >= 0) copy_async4(x + ((s % 2 * SEQUENCES + n) * GATES + g) * p.units + u, projected_at(p, direction, n0 + n, t) + g * hidden + unit0 +
          u, 4);
    }
    copy_async_commit();
  };
  fetch(0);
  copy_async_wait<0>();
  __syncthreads();
  int exchanges = 0;
  /* All blocks' parts to every block's lines. */
  auto exchange = [&](float *to) {
    const float *mine = part + exchanges++ % 2 * SEQUENCES * p.units;
    copy_async_wait<0>();
    cluster_barrier();
    for (int i = threadIdx.x; i < sequences * clusters * (p.units / 4); i += WARPS * 32) {
      const int u = i % (p.units / 4) * 4, from_rank = i / (p.units / 4) % clusters, n = i / (p.units / 4) / clusters, k = from_rank * p.units + u;
      if (k >= line) continue;
      store(to + n * line + h_place(k, line), cluster_load(mine + n * p.units + u, (uint32_t)from_rank));
    }
    __syncthreads();
  };

  for (int s = 0; s < p.steps; s++) {
    fetch(s + 1);
    for (int half_step = HALVED ? 0 : 1; half_step < 2; half_step++) {
      float *mine = part + exchanges % 2 * SEQUENCES * p.units;
      for (int u = warp; u < p.units; u += WARPS) {
        if (u >= units) { /* what pads a line */
          if (lane < SEQUENCES) mine[lane * p.units + u] = 0;
          continue;
        }
        float sum[4 * SEQUENCES] = {}, gate[4];
        if (HALVED && half_step == 1) {
#pragma unroll 1
          for (int k = lane * PIECE; k < line; k += 32 * PIECE) {
            const vec<TYPE, PIECE> w[1] = {load<PIECE>(rows + (u * GATES + 2) * line + k)};
            add_products<1, SEQUENCES>(sum, w, scaled, k, line);
          }
        } else {
          for (int k = lane * PIECE; k < line; k += 32 * PIECE) {
            vec<TYPE, PIECE> w[ROWS];
#pragma unroll
            for (int g = 0; g < ROWS; g++) w[g] = load<PIECE>(rows + (u * GATES + g) * line + k);
            add_products<ROWS, SEQUENCES>(sum, w, h, k, line);
          }
        }
        sums_of<SEQUENCES>(sum, gate);
        if (lane >= SEQUENCES) continue;
        const int n = lane, sequence = p.first + n0 + n, t = n < sequences ? time_of(p, direction, sequence, s) : -1, at = n * p.units + u;
        const float old = h[n * line + h_place(unit0 + u, line)];
        float xs[4];
#pragma unroll
        for (int g = 0; g < GATES; g++) xs[g] = x[((s % 2 * SEQUENCES + n) * GATES + g) * p.units + u];
        if (HALVED && half_step == 0) {
          update[at] = act_of(p, direction, 0, xs[0] + gate[0]);
          mine[at] = t < 0 ? 0 : act_of(p, direction, 0, xs[1] + gate[1]) * old;
          continue;
        }
        cell_state now = {old, c[at]};
        if (t >= 0) now = finish(p, direction, unit0 + u, xs, gate, now, HALVED ? update[at] : 0);
        mine[at] = now.h, c[at] = now.c;
        if (n < sequences) put_output(p, direction, sequence, s, t, unit0 + u, now.h);
      }
      exchange(HALVED && half_step == 0 ? scaled : h);
    }
  }
  for (int i = threadIdx.x; i < sequences * units; i += WARPS * 32) {
    const int n = i / units, u = i % units;
    put_state(p, direction, p.first + n0 + n, unit0 + u, cell_state{h[n * line + h_place(unit0 + u, line)], c[n * p.units + u]});
  }
  cluster_meet(); /* others may still read this block's part */
}
KERNEL(recurrent_all_1, recurrent_params, 512, 1) { all_steps<1>(p); }
KERNEL(recurrent_all_8, recurrent_params, 512, 1) { all_steps<8>(p); }

/* ---- One step, or half of it: SECOND the candidates of the halved GRU. */
enum { STEP_WARPS = 4, CHUNK = 1024, AHEAD = 2 };
template <int SEQUENCES, bool SECOND> DEVICE void one_step(const recurrent_params &p) {
  SHARED(float, h);
  enum { COUNT = SECOND ? 1 : ROWS, FIRST_ROW = SECOND ? 2 : 0 };
  const int lane = threadIdx.x % 32, unit = (int)blockIdx.x * STEP_WARPS + (int)threadIdx.x / 32, n0 = blockIdx.y * SEQUENCES, direction = blockIdx.z;
  const int hidden = p.hidden, sequences = p.part - n0 < SEQUENCES ? p.part - n0 : SEQUENCES, s = p.late;
  const bool there = unit < hidden;
  const TYPE *rows[COUNT];
#pragma unroll
  for (int g = 0; g < COUNT; g++)
    rows[g] = static_cast<const TYPE *>(p.r) + (((int64_t)direction * GATES + FIRST_ROW + g) * hidden + (there ? unit : 0)) * hidden;
  auto weights = [&](vec<TYPE, PIECE> *w, int k) {
#pragma unroll
    for (int g = 0; g < COUNT; g++) {
      if (p.r_whole && k < hidden) w[g] = load<PIECE>(rows[g] + k);
      else
#pragma unroll
        for (int i = 0; i < PIECE; i++) w[g][i] = k + i < hidden ? rows[g][k + i] : from_float<TYPE>(0);
    }
  };
  vec<TYPE, PIECE> ahead[AHEAD][COUNT]; /* constants: before the wait */
#pragma unroll
  for (int i = 0; i < AHEAD; i++) weights(ahead[i], (i * 32 + lane) * PIECE);
  grid_wait();
  grid_launch();

  const int64_t all = (int64_t)p.part * hidden, base = (int64_t)direction * all;
  const float *now = p.h + s % 2 * p.directions * all + base, *scaled = p.scaled + base;
  float *next = p.h + (s + 1) % 2 * p.directions * all + base;
  auto before = [&](int n, int k) { return s == 0 ? initial(p, p.h0, direction, p.first + n, k) : now[(int64_t)n * hidden + k]; };
  float sum[4 * SEQUENCES] = {}, gate[4];
  for (int k0 = 0; k0 < hidden; k0 += CHUNK) {
    if (k0) __syncthreads();
    for (int i = threadIdx.x; i < SEQUENCES * CHUNK; i += STEP_WARPS * 32) {
      const int n = i / CHUNK, k = i % CHUNK;
      if (k >= hidden - k0 + PIECE) continue;
      const bool have = n < sequences && k0 + k < hidden;
      h[n * CHUNK + h_place(k, CHUNK)] = !have ? 0 : SECOND ? scaled[(int64_t)(n0 + n) * hidden + k0 + k] : before(n0 + n, k0 + k);
    }
    __syncthreads();
    int k = lane * PIECE;
    if (k0 == 0) {
#pragma unroll
      for (int i = 0; i < AHEAD; i++, k += 32 * PIECE)
        if (k < hidden) add_products<COUNT, SEQUENCES>(sum, ahead[i], h, k, CHUNK);
    }
    for (; k < CHUNK && k0 + k < hidden; k += 32 * PIECE) {
      vec<TYPE, PIECE> w[COUNT];
      weights(w, k0 + k);
      add_products<COUNT, SEQUENCES>(sum, w, h, k, CHUNK);
    }
  }
  sums_of<SEQUENCES>(sum, gate);
  if (!there || lane >= sequences) return;
  const int n = n0 + lane, sequence = p.first + n, t = time_of(p, direction, sequence, s);
  const int64_t at = (int64_t)n * hidden + unit;
  cell_state state = {before(n, unit), GATES != 4 ? 0 : s == 0 ? initial(p, p.c0, direction, sequence, unit) : p.c[base + at]};
  if (t >= 0) {
    const float *x = projected_at(p, direction, n, t) + unit;
    float xs[4];
#pragma unroll
    for (int g = 0; g < GATES; g++) xs[g] = x[g * hidden];
    if (HALVED && !SECOND) {
      p.update[base + at] = act_of(p, direction, 0, xs[0] + gate[0]);
      p.scaled[base + at] = act_of(p, direction, 0, xs[1] + gate[1]) * state.h;
      return;
    }
    state = finish(p, direction, unit, xs, gate, state, HALVED ? p.update[base + at] : 0);
  } else if (HALVED && !SECOND) {
    p.scaled[base + at] = 0;
    return;
  }
  next[at] = state.h;
  if (GATES == 4) p.c[base + at] = state.c;
  put_output(p, direction, sequence, s, t, unit, state.h);
  if (s == p.steps - 1) put_state(p, direction, sequence, unit, state);
}
KERNEL(recurrent_step_1, recurrent_params, 128, 3) { one_step<1, false>(p); }
KERNEL(recurrent_step_8, recurrent_params, 128, 3) { one_step<8, false>(p); }
#if GATES == 3 && !LINEAR_FIRST
KERNEL(recurrent_second_1, recurrent_params, 128, 3) { one_step<1, true>(p); }
KERNEL(recurrent_second_8, recurrent_params, 128, 3) { one_step<8, true>(p); }
#endif

/* Of no steps: the state as it is. */
KERNEL(recurrent_none, recurrent_params, 128, 1) {
  grid_wait();
  grid_launch();
  const int unit = (int)blockIdx.x * 128 + (int)threadIdx.x, n = p.first + (int)blockIdx.y, direction = blockIdx.z;
  if (unit >= p.hidden) return;
  put_state(p, direction, n, unit, cell_state{initial(p, p.h0, direction, n, unit), initial(p, p.c0, direction, n, unit)});
}
