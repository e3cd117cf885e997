/* GridSample: reads X at positions given as numbers from -1 to 1 (spatial transformer networks, arXiv 1506.02025), in any number of dims.
 * AffineGrid: the positions that an affine matrix sends an image's pixels to. */
#include "ops/grid_sample.h"
#include "ops/ints.h"
#include "ops/move.h"
#include <math.h>

bool ingot__grid_read(const ingot__attrs_GridSample *a, ingot__grid *g) {
  g->align_corners = a->align_corners != 0;
  if (strcmp(a->mode, "linear") == 0 || strcmp(a->mode, "bilinear") == 0) g->mode = INGOT__GRID_LINEAR;
  else if (strcmp(a->mode, "nearest") == 0) g->mode = INGOT__GRID_NEAREST;
  else if (strcmp(a->mode, "cubic") == 0 || strcmp(a->mode, "bicubic") == 0) g->mode = INGOT__GRID_CUBIC;
  else return false;
  if (strcmp(a->padding_mode, "zeros") == 0) g->padding = INGOT__GRID_ZEROS;
  else if (strcmp(a->padding_mode, "border") == 0) g->padding = INGOT__GRID_BORDER;
  else if (strcmp(a->padding_mode, "reflection") == 0) g->padding = INGOT__GRID_REFLECTION;
  else return false;
  return true;
}

/* x mirrored at low and high until it lies between them. */
static double reflect(double x, double low, double high) {
  double span = high - low;
  if (!(span > 0)) return low;
  double d = fmod(fabs(x - low), 2 * span);
  return low + (d > span ? 2 * span - d : d);
}

static double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

/* Keys' kernel with a = -3/4 at distance d. */
static double cubic(double d) {
  const double a = -0.75;
  d = fabs(d);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

void ingot__grid_axis(const ingot__grid *grid, double g, int64_t length, int64_t at[4], double weight[4]) {
  double x, n = (double)length, low = grid->align_corners ? 0 : -0.5, high = grid->align_corners ? n - 1 : n - 0.5;
  int taps = ingot__grid_taps(grid);
  if (grid->wide) x = grid->align_corners ? (g + 1) / 2 * (n - 1) : ((g + 1) * n - 1) / 2;
  else x = (double)(grid->align_corners ? ((float)g + 1) / 2 * (float)(length - 1) : (((float)g + 1) * (float)length - 1) / 2);
  for (int k = 0; k < taps; k++) at[k] = -1, weight[k] = 0;
  if (length < 1) return;
  if (!(fabs(x) < 1e15)) x = grid->padding == INGOT__GRID_ZEROS || x != x ? -8 : x < 0 ? -1e15 : 1e15; /* far out, and NaN */
  if (grid->mode == INGOT__GRID_NEAREST) x = nearbyint(x);
  if (x < low || x > high) { /* for cubic weights border repeats elements, as PyTorch and ONNX Runtime have it, instead of moving the position */
    if (grid->padding == INGOT__GRID_BORDER) x = grid->mode == INGOT__GRID_CUBIC ? clamp(x, -8, n + 8) : clamp(x, 0, n - 1);
    if (grid->padding == INGOT__GRID_REFLECTION) x = reflect(x, low, high);
  }
  double first = floor(x), part = x - first;
  if (taps == 1) part = 0;
  if (taps == 4) first -= 1;
  for (int k = 0; k < taps; k++) {
    double i = first + k;
    if (grid->padding == INGOT__GRID_ZEROS && !(i >= 0 && i < n)) continue;
    if (grid->padding == INGOT__GRID_REFLECTION && (i < 0 || i > n - 1)) i = reflect(i, low, high);
    at[k] = (int64_t)clamp(i, 0, n - 1);
    weight[k] = taps == 1 ? 1 : taps == 2 ? (k ? part : 1 - part) : cubic(part + 1 - k);
  }
}

static bool is_complex(ingot_dtype t) { return t == INGOT_COMPLEX64 || t == INGOT_COMPLEX128; }

ingot_status ingot__infer_GridSample(ingot__infer *f) {
  bool unknown, unknown_grid;
  ingot__grid g;
  INGOT_TRY(ingot__infer_rank(f, 0, 3, -1, &unknown));
  INGOT_TRY(ingot__infer_rank(f, 1, 3, -1, &unknown_grid));
  const ingot__type *x = f->in[0], *grid = f->in[1];
  if (!ingot__grid_read(INGOT__ATTRS(f, GridSample), &g)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "mode or padding_mode is unknown");
  bool number = ingot__dtype_is_real(x->dtype) || ingot__dtype_is_int(x->dtype) || x->dtype == INGOT_BOOL || is_complex(x->dtype);
  if (!number || ingot__move_size(x->dtype) == 0) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(x->dtype));
  if (!ingot__dtype_is_real(grid->dtype)) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the grid is %s", ingot_dtype_name(grid->dtype));
  ingot__type *out = &f->out[0];
  ingot__type_unknown(out, x->dtype);
  if (unknown || unknown_grid) return INGOT_OK;
  if (grid->rank != x->rank) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "the grid has rank %d, the input %d", grid->rank, x->rank);
  ingot__dim last, batch;
  INGOT_TRY(ingot__dim_merge(f, grid->dim[x->rank - 1], x->rank - 2, "the grid's positions", &last));
  INGOT_TRY(ingot__dim_merge(f, x->dim[0], grid->dim[0], "input and grid", &batch));
  out->rank = x->rank;
  out->dim[0] = batch, out->dim[1] = x->dim[1];
  for (int i = 2; i < x->rank; i++) out->dim[i] = grid->dim[i - 1];
  return INGOT_OK;
}

enum { MOST_TAPS = 4096 }; /* 4 along each of 6 axes */

typedef struct job {
  const ingot__call *call;
  ingot__grid grid;
  int r;                          /* spatial axes */
  int64_t plane, positions;       /* elements of a channel, positions of a batch element */
} job;

/* The taps of one position: offsets in the plane, weights. Returns their number. */
static int find_taps(const job *j, int64_t position, int64_t *offset, double *weight) {
  const ingot__view *x = &j->call->in[0], *grid = &j->call->in[1];
  int each = ingot__grid_taps(&j->grid), n = 1;
  offset[0] = 0, weight[0] = 1;
  for (int i = 0; i < j->r; i++) {
    int64_t at[4], length = x->dim[2 + i];
    double w[4], g = ingot__get_double(grid->dtype, grid->data, (size_t)(position * j->r + (j->r - 1 - i)));
    ingot__grid_axis(&j->grid, g, length, at, w);
    for (int k = n - 1; k >= 0; k--) /* from the back: each tap so far becomes `each` */
      for (int t = each - 1; t >= 0; t--) {
        bool outside = offset[k] < 0 || at[t] < 0;
        double product = outside ? 0 : weight[k] * w[t];
        int64_t to = outside ? -1 : offset[k] * length + at[t];
        offset[k * each + t] = to, weight[k * each + t] = product;
      }
    n *= each;
  }
  return n;
}

static void store(ingot_dtype dtype, void *data, int64_t i, double v) {
  if (dtype == INGOT_BOOL) ((uint8_t *)data)[i] = v != 0;
  else ingot__set_double(dtype, data, (size_t)i, ingot__dtype_is_int(dtype) ? trunc(v) : v);
}

static void work(void *arg, int thread, int threads) {
  const job *j = arg;
  const ingot__view *x = &j->call->in[0], *out = &j->call->out[0];
  ingot_dtype part = x->dtype == INGOT_COMPLEX64 ? INGOT_FLOAT32 : x->dtype == INGOT_COMPLEX128 ? INGOT_FLOAT64 : x->dtype;
  int64_t parts = is_complex(x->dtype) ? 2 : 1, channels = x->dim[1], offset[MOST_TAPS];
  double weight[MOST_TAPS];
  size_t begin, end, size = ingot__move_size(x->dtype);
  ingot__share((size_t)(x->dim[0] * j->positions), 1, thread, threads, &begin, &end);
  for (int64_t p = (int64_t)begin; p < (int64_t)end; p++) {
    int taps = find_taps(j, p, offset, weight);
    int64_t batch = p / j->positions, at = p % j->positions;
    for (int64_t c = 0; c < channels; c++) {
      int64_t from = (batch * channels + c) * j->plane, to = (batch * channels + c) * j->positions + at;
      if (taps == 1) { /* the element itself, exact in any type */
        if (offset[0] < 0) memset((char *)out->data + (size_t)to * size, 0, size);
        else memcpy((char *)out->data + (size_t)to * size, (const char *)x->data + (size_t)(from + offset[0]) * size, size);
        continue;
      }
      for (int64_t q = 0; q < parts; q++) {
        double sum = 0;
        for (int t = 0; t < taps; t++)
          if (offset[t] >= 0) sum += weight[t] * ingot__get_double(part, x->data, (size_t)((from + offset[t]) * parts + q));
        store(part, out->data, to * parts + q, sum);
      }
    }
  }
}

ingot_status ingot__ref_GridSample(const ingot__call *call) {
  job j = {.call = call, .r = call->in[0].rank - 2, .plane = 1, .positions = 1};
  if (!ingot__grid_read(INGOT__ATTRS(call, GridSample), &j.grid)) return INGOT__FAIL_CALL(call, INGOT_E_NETWORK, "mode or padding_mode is unknown");
  j.grid.wide = call->in[0].dtype == INGOT_FLOAT64 || call->in[1].dtype == INGOT_FLOAT64;
  if (ingot__view_count(&call->out[0]) == 0) return INGOT_OK;
  if (call->in[1].dim[j.r + 1] != j.r || call->in[1].dim[0] != call->in[0].dim[0]) {
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the grid has %lld positions of %lld numbers for %lld images of %d axes",
                            (long long)call->in[1].dim[0], (long long)call->in[1].dim[j.r + 1], (long long)call->in[0].dim[0], j.r);
  }
  for (int i = 0; i < j.r; i++) j.plane *= call->in[0].dim[2 + i], j.positions *= call->out[0].dim[2 + i];
  ingot__pool_run(call->pool, work, &j);
  return INGOT_OK;
}

/* ---- AffineGrid: theta (N, r, r + 1), size (N, C, dims) to (N, dims, r). */

ingot_status ingot__infer_AffineGrid(ingot__infer *f) {
  bool unknown;
  INGOT_TRY(ingot__infer_rank(f, 0, 3, 3, &unknown));
  size_t n;
  const ingot__type *theta = f->in[0];
  if (!ingot__dtype_is_real(theta->dtype)) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(theta->dtype));
  if (!ingot__infer_has(f, 1)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "size is missing");
  if (f->in[1]->dtype != INGOT_INT64) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "size is %s, not int64", ingot_dtype_name(f->in[1]->dtype));
  ingot__type *out = &f->out[0];
  ingot__type_unknown(out, theta->dtype);
  if (!ingot__ints_count(f, 1, &n)) {
    if (!unknown && theta->dim[1] >= 2 && theta->dim[1] <= 3) n = (size_t)theta->dim[1] + 2;
    else return INGOT_OK;
  }
  if (n != 4 && n != 5) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "size has %zu numbers, not 4 or 5", n);
  int r = (int)n - 2;
  ingot__dim d, batch = INGOT__DIM_UNKNOWN;
  if (!unknown) {
    INGOT_TRY(ingot__dim_merge(f, theta->dim[1], r, "theta and size", &d));
    INGOT_TRY(ingot__dim_merge(f, theta->dim[2], r + 1, "theta and size", &d));
    batch = theta->dim[0];
  }
  out->rank = (int8_t)(r + 2);
  ingot__dim asked = ingot__ints_get(f, 1, 0);
  out->dim[0] = batch == INGOT__DIM_UNKNOWN ? asked : batch;
  out->dim[r + 1] = r;
  for (int i = 0; i < r; i++) out->dim[1 + i] = ingot__ints_get(f, 1, (size_t)(2 + i));
  int64_t number;
  for (int i = 0; i <= r; i++)
    if (ingot__element_number(f, out->dim[i], &number) && number < 0) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "size has %lld", (long long)number);
  return INGOT_OK;
}

ingot_status ingot__ref_AffineGrid(const ingot__call *call) {
  const ingot__view *theta = &call->in[0], *size = &call->in[1];
  ingot__view *out = &call->out[0];
  bool corners = INGOT__ATTRS(call, AffineGrid)->align_corners != 0;
  int r = (int)ingot__view_count(size) - 2;
  if (r < 2 || r > 3 || theta->dim[1] != r || theta->dim[2] != r + 1) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "theta and size don't fit");
  int64_t dim[5] = {theta->dim[0]}, at[3] = {0}, positions = 1;
  for (int i = 0; i < r; i++) dim[1 + i] = ingot__get_int(size->dtype, size->data, (size_t)(2 + i));
  dim[r + 1] = r;
  INGOT_TRY(ingot__check_out(call, 0, r + 2, dim));
  for (int i = 0; i < r; i++) positions *= dim[1 + i];
  for (int64_t n = 0; n < dim[0]; n++)
    for (int64_t p = 0; p < positions; p++) {
      double x[4]; /* x, y(, z), 1: the last axis first */
      for (int i = 0; i < r; i++) {
        double length = (double)dim[1 + i], k = (double)at[i];
        x[r - 1 - i] = corners ? (length > 1 ? 2 * k / (length - 1) - 1 : -1) : (2 * k + 1) / length - 1;
      }
      x[r] = 1;
      for (int i = 0; i < r; i++) {
        double sum = 0;
        for (int k = 0; k <= r; k++) sum += x[k] * ingot__get_double(theta->dtype, theta->data, (size_t)((n * r + i) * (r + 1) + k));
        ingot__set_double(out->dtype, out->data, (size_t)((n * positions + p) * r + i), sum);
      }
      for (int i = r - 1; i >= 0; i--) {
        if (++at[i] < dim[1 + i]) break;
        at[i] = 0;
      }
    }
  return INGOT_OK;
}
