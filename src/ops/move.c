/* Moving elements of any type; see the header. */
#include "ops/move.h"

/* Drops dims of one and joins dims that are one in both. */
static void simplify(ingot__move *m) {
  int n = 0;
  for (int i = 0; i < m->rank; i++) {
    if (m->dim[i] == 1) continue;
    m->dim[n] = m->dim[i], m->to[n] = m->to[i], m->from[n++] = m->from[i];
  }
  int r = 0;
  for (int i = 0; i < n; i++) {
    if (r && m->to[r - 1] == m->to[i] * m->dim[i] && m->from[r - 1] == m->from[i] * m->dim[i]) {
      m->dim[r - 1] *= m->dim[i], m->to[r - 1] = m->to[i], m->from[r - 1] = m->from[i];
    } else {
      m->dim[r] = m->dim[i], m->to[r] = m->to[i], m->from[r++] = m->from[i];
    }
  }
  m->rank = r;
}

/* Elements by size, of whatever type and alignment. */
typedef uint8_t e1 __attribute__((may_alias));
typedef uint16_t e2 __attribute__((aligned(1), may_alias));
typedef uint32_t e4 __attribute__((aligned(1), may_alias));
typedef uint64_t e8 __attribute__((aligned(1), may_alias));

/* One run of n elements; the compiler sees constant sizes. */
#define RUN(T) \
  static void run_##T(int64_t n, T *to, int64_t ts, const T *from, int64_t fs) { \
    if (fs == 0) { \
      for (int64_t i = 0; i < n; i++) to[i * ts] = *from; \
    } else { \
      for (int64_t i = 0; i < n; i++) to[i * ts] = from[i * fs]; \
    } \
  } \
  /* Rows x columns where the source's rows are contiguous and the destination's columns are: in squares that stay in the cache. */ \
  static void tile_##T(int64_t rows, int64_t columns, T *to, int64_t tr, int64_t tc, const T *from, int64_t fr, int64_t fc) { \
    enum { SIDE = 32 }; \
    for (int64_t r = 0; r < rows; r += SIDE) { \
      int64_t re = r + SIDE < rows ? r + SIDE : rows; \
      for (int64_t c = 0; c < columns; c += SIDE) { \
        int64_t ce = c + SIDE < columns ? c + SIDE : columns; \
        for (int64_t i = r; i < re; i++) \
          for (int64_t j = c; j < ce; j++) to[i * tr + j * tc] = from[i * fr + j * fc]; \
      } \
    } \
  }
RUN(e1)
RUN(e2)
RUN(e4)
RUN(e8)
#undef RUN

static void copy_run(size_t size, int64_t n, char *to, int64_t ts, const char *from, int64_t fs) {
  if (ts == 1 && fs == 1) {
    memcpy(to, from, (size_t)n * size);
    return;
  }
  switch (size) {
  case 1: run_e1(n, (e1 *)to, ts, (const e1 *)from, fs); break;
  case 2: run_e2(n, (e2 *)to, ts, (const e2 *)from, fs); break;
  case 4: run_e4(n, (e4 *)to, ts, (const e4 *)from, fs); break;
  case 8: run_e8(n, (e8 *)to, ts, (const e8 *)from, fs); break;
  default:
    for (int64_t i = 0; i < n; i++) memcpy(to + i * ts * (int64_t)size, from + i * fs * (int64_t)size, size);
  }
}

static void copy_tile(size_t size, const int64_t dim[2], char *to, const int64_t ts[2], const char *from, const int64_t fs[2]) {
  switch (size) {
  case 1: tile_e1(dim[0], dim[1], (e1 *)to, ts[0], ts[1], (const e1 *)from, fs[0], fs[1]); break;
  case 2: tile_e2(dim[0], dim[1], (e2 *)to, ts[0], ts[1], (const e2 *)from, fs[0], fs[1]); break;
  case 4: tile_e4(dim[0], dim[1], (e4 *)to, ts[0], ts[1], (const e4 *)from, fs[0], fs[1]); break;
  case 8: tile_e8(dim[0], dim[1], (e8 *)to, ts[0], ts[1], (const e8 *)from, fs[0], fs[1]); break;
  default:
    for (int64_t i = 0; i < dim[0]; i++)
      copy_run(size, dim[1], to + i * ts[0] * (int64_t)size, ts[1], from + i * fs[0] * (int64_t)size, fs[1]);
  }
}

void ingot__move_run(const ingot__move *move, size_t size, void *to, const void *from) {
  ingot__move m = *move;
  for (int i = 0; i < m.rank; i++)
    if (m.dim[i] <= 0) return;
  simplify(&m);
  if (m.rank == 0) {
    memcpy(to, from, size);
    return;
  }
  /* The dim along which the source is contiguous goes beside the last, so that a transposed copy works on tiles. */
  int inner = 1;
  if (m.rank >= 2 && m.from[m.rank - 1] != 1 && m.from[m.rank - 1] != 0) {
    for (int i = 0; i < m.rank - 1; i++) {
      if (m.from[i] != 1) continue;
      int64_t d = m.dim[i], t = m.to[i];
      for (int j = i; j < m.rank - 2; j++) m.dim[j] = m.dim[j + 1], m.to[j] = m.to[j + 1], m.from[j] = m.from[j + 1];
      m.dim[m.rank - 2] = d, m.to[m.rank - 2] = t, m.from[m.rank - 2] = 1;
      inner = 2;
      break;
    }
  }
  int outer = m.rank - inner;
  int64_t at[INGOT__MOVE_RANK] = {0};
  char *t = to;
  const char *f = from;
  const int64_t s = (int64_t)size;
  for (;;) {
    if (inner == 2) copy_tile(size, m.dim + outer, t, m.to + outer, f, m.from + outer);
    else copy_run(size, m.dim[outer], t, m.to[outer], f, m.from[outer]);
    int i = outer - 1;
    for (; i >= 0; i--) {
      t += m.to[i] * s, f += m.from[i] * s;
      if (++at[i] < m.dim[i]) break;
      t -= m.to[i] * s * m.dim[i], f -= m.from[i] * s * m.dim[i];
      at[i] = 0;
    }
    if (i < 0) return;
  }
}

ingot_status ingot__move_check(const ingot__call *call, size_t i, size_t *size) {
  ingot_dtype dtype = call->in[i].dtype;
  if (ingot__has_out(call, 0) && call->out[0].dtype != dtype) {
    return INGOT__FAIL_CALL(call, INGOT_E_TYPE, "input is %s, output is %s", ingot_dtype_name(dtype), ingot_dtype_name(call->out[0].dtype));
  }
  *size = ingot__move_size(dtype);
  if (*size == 0) return INGOT__FAIL_CALL(call, INGOT_E_UNSUPPORTED, "elements of type %s can't be moved here; Cast first", ingot_dtype_name(dtype));
  return INGOT_OK;
}

ingot_status ingot__move_all(const ingot__call *call) {
  if (!ingot__has_out(call, 0)) return INGOT_OK;
  const ingot__view *in = &call->in[0], *out = &call->out[0];
  size_t n = (size_t)ingot__view_count(in), bytes;
  if (out->dtype != in->dtype || n != (size_t)ingot__view_count(out)) {
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "%zu elements of %s can't become %lld of %s", n, ingot_dtype_name(in->dtype),
                            (long long)ingot__view_count(out), ingot_dtype_name(out->dtype));
  }
  if (!ingot__dtype_bytes(in->dtype, n, &bytes)) return INGOT__FAIL_CALL(call, INGOT_E_TYPE, "%s has no size", ingot_dtype_name(in->dtype));
  if (bytes && out->data != in->data) memmove(out->data, in->data, bytes);
  return INGOT_OK;
}

void ingot__move_fill(void *to, size_t n, size_t size, const void *value) {
  if (n == 0) return;
  ingot__move m = {.rank = 1, .dim = {(int64_t)n}, .to = {1}, .from = {0}};
  uint64_t hold = 0; /* aligned for the typed loops */
  if (size <= 8) memcpy(&hold, value, size);
  ingot__move_run(&m, size, to, size <= 8 ? &hold : value);
}

static bool same_dims(const ingot__view *v, int rank, const int64_t *dim) {
  if (v->rank != rank) return false;
  for (int i = 0; i < rank; i++)
    if (v->dim[i] != dim[i]) return false;
  return true;
}

ingot_status ingot__set_out(const ingot__call *call, size_t i, int rank, const int64_t *dim) {
  ingot__view *out = &call->out[i];
  if (out->data && same_dims(out, rank, dim)) return INGOT_OK;
  if (!call->resize) {
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the shape of output %zu depends on data and isn't what was planned", i);
  }
  return call->resize(call->user, (ingot__call *)call, i, rank, dim);
}

ingot_status ingot__check_out(const ingot__call *call, size_t i, int rank, const int64_t *dim) {
  if (same_dims(&call->out[i], rank, dim)) return INGOT_OK;
  return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "output %zu has another shape than its inputs' values ask for", i);
}
