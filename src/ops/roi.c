/* Features of regions of an image: RoiAlign (Mask R-CNN, arXiv 1703.06870: means or maxima of interpolated samples) and MaxRoiPool (Fast
 * R-CNN, arXiv 1504.08083: maxima over whole pixels). */
#include "ops/roi.h"
#include "ops/ints.h"
#include <math.h>

enum { MOST_SAMPLES = 1 << 12, MOST_BINS = 1 << 16 };


/* What both share: X of rank 4, rois of `width` numbers, bins. */
static ingot_status infer_regions(ingot__infer *f, ingot__dim width, int64_t height, int64_t across) {
  bool unknown, unknown_rois;
  INGOT_TRY(ingot__infer_rank(f, 0, 4, 4, &unknown));
  INGOT_TRY(ingot__infer_rank(f, 1, 2, 2, &unknown_rois));
  const ingot__type *x = f->in[0], *rois = f->in[1];
  if (!ingot__dtype_is_real(x->dtype) || rois->dtype != x->dtype) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "does not take %s and rois of %s", ingot_dtype_name(x->dtype), ingot_dtype_name(rois->dtype));
  }
  if (height < 1 || height > MOST_BINS || across < 1 || across > MOST_BINS) {
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "asks for %lld x %lld bins", (long long)height, (long long)across);
  }
  ingot__dim d;
  if (!unknown_rois) INGOT_TRY(ingot__dim_merge(f, rois->dim[1], width, "rois", &d));
  f->out[0] = (ingot__type){.dtype = x->dtype, .rank = 4, .dim = {INGOT__DIM_UNKNOWN, INGOT__DIM_UNKNOWN, height, across}};
  if (!unknown_rois) f->out[0].dim[0] = rois->dim[0];
  if (!unknown) f->out[0].dim[1] = x->dim[1];
  return INGOT_OK;
}

bool ingot__roi_is_max(const ingot__attrs_RoiAlign *a, bool *known) {
  bool max = strcmp(a->mode, "max") == 0;
  *known = max || strcmp(a->mode, "avg") == 0;
  return max;
}

ingot_status ingot__infer_RoiAlign(ingot__infer *f) {
  const ingot__attrs_RoiAlign *a = INGOT__ATTRS(f, RoiAlign);
  bool known;
  ingot__roi_is_max(a, &known);
  const char *mode = a->coordinate_transformation_mode;
  if (!known || (strcmp(mode, "half_pixel") != 0 && strcmp(mode, "output_half_pixel") != 0)) {
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "mode or coordinate_transformation_mode is unknown");
  }
  if (a->sampling_ratio < 0 || a->sampling_ratio > MOST_SAMPLES) {
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "sampling_ratio is %lld", (long long)a->sampling_ratio);
  }
  INGOT_TRY(infer_regions(f, 4, a->output_height, a->output_width));
  if (!ingot__infer_has(f, 2)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "batch_indices are missing");
  const ingot__type *index = f->in[2];
  if (index->dtype != INGOT_INT64 && index->dtype != INGOT_INT32) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "batch_indices are no integers");
  if (index->rank < 0) return INGOT_OK;
  if (index->rank != 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "batch_indices have rank %d", index->rank);
  return ingot__dim_merge(f, f->out[0].dim[0], index->dim[0], "rois and batch_indices", &f->out[0].dim[0]);
}

ingot_status ingot__infer_MaxRoiPool(ingot__infer *f) {
  const ingot__attrs_MaxRoiPool *a = INGOT__ATTRS(f, MaxRoiPool);
  if (a->pooled_shape.n != 2) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "pooled_shape must have 2 values");
  return infer_regions(f, 5, a->pooled_shape.v[0], a->pooled_shape.v[1]);
}

bool ingot__roi_axes(const ingot__call *call, int64_t r, ingot__roi_axis axis[2], int64_t *image) {
  const ingot__attrs_RoiAlign *a = INGOT__ATTRS(call, RoiAlign);
  const ingot__view *x = &call->in[0], *rois = &call->in[1], *index = &call->in[2];
  bool half = strcmp(a->coordinate_transformation_mode, "half_pixel") == 0;
  *image = ingot__get_int(index->dtype, index->data, (size_t)r);
  if (*image < 0 || *image >= x->dim[0]) return false;
  for (int i = 0; i < 2; i++) {
    double low = ingot__get_double(rois->dtype, rois->data, (size_t)(4 * r + 1 - i)) * (double)a->spatial_scale - (half ? 0.5 : 0);
    double high = ingot__get_double(rois->dtype, rois->data, (size_t)(4 * r + 3 - i)) * (double)a->spatial_scale - (half ? 0.5 : 0);
    double size = high - low;
    if (!half && !(size >= 1)) size = 1;
    double bin = size / (double)(i ? a->output_width : a->output_height), samples = a->sampling_ratio > 0 ? (double)a->sampling_ratio : ceil(bin);
    if (!(fabs(low) < 1e9) || !(fabs(size) < 1e9)) low = -1e9, bin = 1, samples = 1; /* not in any image */
    if (samples < 0) samples = 0;
    axis[i] = (ingot__roi_axis){.start = low, .bin = bin, .samples = (int64_t)samples, .length = x->dim[2 + i]};
    axis[i].step = samples > 0 ? bin / samples : 0;
  }
  return true;
}

/* Whether sample i of a bin that begins at `base` lies in the image. */
static bool inside(const ingot__roi_axis *x, double base, int64_t i) {
  double at = base + ((double)i + 0.5) * x->step;
  return at >= -1 && at <= (double)x->length;
}

/* No sample lies more than a pixel outside: so few are looked at, whatever size a region claims. */
void ingot__roi_bin(const ingot__roi_axis *x, int64_t p, int64_t *from, int64_t *to) {
  double base = x->start + (double)p * x->bin, length = (double)x->length;
  *from = 0, *to = x->length ? x->samples : 0;
  if (x->step > 0) { /* skip those that are far out */
    double low = floor((-1 - base) / x->step) - 2, high = ceil((length - base) / x->step) + 2;
    if (low > 0) *from = low > (double)*to ? *to : (int64_t)low;
    if (high < (double)*to) *to = high < 0 ? 0 : (int64_t)high;
  }
  while (*from < *to && !inside(x, base, *from)) ++*from;
  while (*from < *to && !inside(x, base, *to - 1)) --*to;
  if (*from > *to) *from = *to;
}

void ingot__roi_sample(const ingot__roi_axis *x, int64_t p, int64_t i, int64_t *low, int64_t *high, double *part) {
  double at = x->start + (double)p * x->bin + ((double)i + 0.5) * x->step;
  if (at < 0) at = 0;
  *low = (int64_t)at;
  *part = at - (double)*low;
  *high = *low + 1;
  if (*low >= x->length - 1) *low = *high = x->length - 1, *part = 0;
}

typedef struct job {
  const ingot__call *call;
  bool max;
} job;

/* One bin of one channel. */
static double bin(const job *j, const ingot__roi_axis axis[2], int64_t plane, int64_t py, int64_t px) {
  const ingot__view *x = &j->call->in[0];
  int64_t y0, y1, x0, x1, width = x->dim[3];
  double sum = 0;
  bool any = false;
  ingot__roi_bin(&axis[0], py, &y0, &y1);
  ingot__roi_bin(&axis[1], px, &x0, &x1);
  if (j->max && axis[0].samples * axis[1].samples > (y1 - y0) * (x1 - x0)) any = true; /* samples outside are zeros */
  for (int64_t iy = y0; iy < y1; iy++)
    for (int64_t ix = x0; ix < x1; ix++) {
      int64_t at[2][2];
      double part[2], corner[4];
      ingot__roi_sample(&axis[0], py, iy, &at[0][0], &at[0][1], &part[0]);
      ingot__roi_sample(&axis[1], px, ix, &at[1][0], &at[1][1], &part[1]);
      for (int k = 0; k < 4; k++) {
        double weight = (k >> 1 ? part[0] : 1 - part[0]) * (k & 1 ? part[1] : 1 - part[1]);
        corner[k] = weight * ingot__get_double(x->dtype, x->data, (size_t)(plane + at[0][k >> 1] * width + at[1][k & 1]));
      }
      if (j->max) { /* of the weighted corners: so ONNX's reference and ONNX Runtime have it */
        for (int k = 0; k < 4; k++)
          if (!any || corner[k] > sum) sum = corner[k], any = true;
      } else {
        sum += corner[0] + corner[1] + corner[2] + corner[3];
      }
    }
  double count = (double)axis[0].samples * (double)axis[1].samples;
  return j->max ? sum : sum / (count > 1 ? count : 1);
}

static void align(void *arg, int thread, int threads) {
  const job *j = arg;
  const ingot__view *x = &j->call->in[0], *out = &j->call->out[0];
  int64_t plane = x->dim[2] * x->dim[3], image;
  size_t begin, end;
  ingot__share((size_t)out->dim[0], 1, thread, threads, &begin, &end);
  for (int64_t r = (int64_t)begin; r < (int64_t)end; r++) {
    ingot__roi_axis axis[2];
    if (!ingot__roi_axes(j->call, r, axis, &image)) continue; /* checked before */
    for (int64_t c = 0; c < out->dim[1]; c++)
      for (int64_t i = 0; i < out->dim[2] * out->dim[3]; i++) {
        double v = bin(j, axis, (image * x->dim[1] + c) * plane, i / out->dim[3], i % out->dim[3]);
        ingot__set_double(out->dtype, out->data, (size_t)((r * out->dim[1] + c) * out->dim[2] * out->dim[3] + i), v);
      }
  }
}

ingot_status ingot__ref_RoiAlign(const ingot__call *call) {
  bool known;
  job j = {.call = call, .max = ingot__roi_is_max(INGOT__ATTRS(call, RoiAlign), &known)};
  ingot__roi_axis axis[2];
  int64_t image;
  const ingot__view *out = &call->out[0];
  if (call->in[1].dim[0] != out->dim[0] || call->in[2].dim[0] != out->dim[0] || call->in[1].dim[1] != 4) {
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "rois and batch_indices don't fit");
  }
  for (int64_t r = 0; r < out->dim[0]; r++)
    if (!ingot__roi_axes(call, r, axis, &image)) {
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "region %lld is of image %lld, not one of %lld", (long long)r, (long long)image,
                              (long long)call->in[0].dim[0]);
    }
  if (ingot__view_count(out)) ingot__pool_run(call->pool, align, &j);
  return INGOT_OK;
}

/* ---- MaxRoiPool: regions (image, x1, y1, x2, y2), both ends within. */

/* The pixels [*from, *to) of bin p. */
static void whole_bin(double low, double high, int64_t bins, int64_t p, int64_t length, int64_t *from, int64_t *to) {
  double size = high - low + 1 < 1 ? 1 : high - low + 1, bin = size / (double)bins;
  double a = low + floor((double)p * bin), b = low + ceil((double)(p + 1) * bin), n = (double)length;
  *from = (int64_t)(a < 0 ? 0 : a > n ? n : a);
  *to = (int64_t)(b < 0 ? 0 : b > n ? n : b);
}

static void pool(void *arg, int thread, int threads) {
  const job *j = arg;
  const ingot__view *x = &j->call->in[0], *rois = &j->call->in[1], *out = &j->call->out[0];
  double scale = (double)INGOT__ATTRS(j->call, MaxRoiPool)->spatial_scale;
  size_t begin, end;
  ingot__share((size_t)out->dim[0], 1, thread, threads, &begin, &end);
  for (int64_t r = (int64_t)begin; r < (int64_t)end; r++) {
    double edge[4];
    for (int k = 0; k < 4; k++) { /* x1, y1, x2, y2 */
      edge[k] = round(ingot__get_double(rois->dtype, rois->data, (size_t)(5 * r + 1 + k)) * scale);
      edge[k] = edge[k] > 1e9 ? 1e9 : edge[k] >= -1e9 ? edge[k] : -1e9;
    }
    int64_t image = (int64_t)ingot__get_double(rois->dtype, rois->data, (size_t)(5 * r));
    for (int64_t c = 0; c < out->dim[1]; c++)
      for (int64_t i = 0; i < out->dim[2] * out->dim[3]; i++) {
        int64_t y0, y1, x0, x1;
        whole_bin(edge[1], edge[3], out->dim[2], i / out->dim[3], x->dim[2], &y0, &y1);
        whole_bin(edge[0], edge[2], out->dim[3], i % out->dim[3], x->dim[3], &x0, &x1);
        double best = 0; /* of an empty bin */
        bool any = false;
        for (int64_t y = y0; y < y1; y++)
          for (int64_t z = x0; z < x1; z++) {
            double v = ingot__get_double(x->dtype, x->data, (size_t)(((image * x->dim[1] + c) * x->dim[2] + y) * x->dim[3] + z));
            if (!any || v > best) best = v, any = true;
          }
        ingot__set_double(out->dtype, out->data, (size_t)((r * out->dim[1] + c) * out->dim[2] * out->dim[3] + i), best);
      }
  }
}

ingot_status ingot__ref_MaxRoiPool(const ingot__call *call) {
  const ingot__view *x = &call->in[0], *rois = &call->in[1], *out = &call->out[0];
  job j = {.call = call};
  if (rois->dim[1] != 5 || rois->dim[0] != out->dim[0]) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "rois must have 5 numbers each");
  for (int64_t r = 0; r < rois->dim[0]; r++) {
    double image = ingot__get_double(rois->dtype, rois->data, (size_t)(5 * r));
    if (!(image >= 0 && image < (double)x->dim[0])) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "region %lld is of image %g", (long long)r, image);
  }
  if (ingot__view_count(out)) ingot__pool_run(call->pool, pool, &j);
  return INGOT_OK;
}
