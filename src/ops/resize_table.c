/* Resize: which input elements each output element is made of, one axis at a time, and with what weights. As in ONNX's reference: an output
 * coordinate is mapped to x in the input; n taps lie around x, those outside the input repeat its edge. */
#include "ops/resize.h"
#include <math.h>

static double coordinate(const ingot__resize *r, const ingot__resize_axis *a, int64_t i, bool *outside) {
  double y = (double)i, in = (double)a->in, width = a->scale * in, x;
  *outside = false;
  switch (r->coordinates) {
  case INGOT__RESIZE_ALIGN_CORNERS: return width == 1 || a->out == 1 ? 0 : y * (in - 1) / (width - 1);
  case INGOT__RESIZE_ASYMMETRIC: return y / a->scale;
  case INGOT__RESIZE_PYTORCH_HALF_PIXEL: return a->out == 1 ? 0 : (y + 0.5) / a->scale - 0.5;
  case INGOT__RESIZE_HALF_PIXEL_SYMMETRIC: return in / 2 * (1 - (double)a->out / width) + (y + 0.5) / a->scale - 0.5;
  case INGOT__RESIZE_TF_CROP:
    x = width == 1 || a->out == 1 ? (a->end - a->start) * (in - 1) / 2 : y * (a->end - a->start) * (in - 1) / (width - 1);
    x = (double)(float)(x + a->start * (in - 1)); /* regions are floats: 0.2f of 5 is meant to be 1 */
    *outside = !(x >= 0 && x <= in - 1);
    return x;
  default: return (y + 0.5) / a->scale - 0.5;
  }
}

/* Keys' cubic convolution kernel, with its parameter a. */
static double cubic(double a, double x) {
  x = fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

/* Taps from -reach + 1 to reach around x: reach is the kernel's radius, stretched when shrinking with antialias. */
static int64_t reach(const ingot__resize *r, const ingot__resize_axis *a) {
  double radius = r->mode == INGOT__RESIZE_CUBIC ? 2 : 1;
  if (!r->antialias || a->scale >= 1) return (int64_t)radius;
  return -(int64_t)floor(-radius / a->scale);
}

int64_t ingot__resize_taps(const ingot__resize *r, int axis) {
  int64_t n = 2 * reach(r, &r->axis[axis]), in = r->axis[axis].in;
  return n < in ? n : in;
}

void ingot__resize_table(const ingot__resize *r, int axis, int32_t *first, float *weight) {
  const ingot__resize_axis *a = &r->axis[axis];
  int64_t taps = ingot__resize_taps(r, axis), half = reach(r, a);
  double scale = r->antialias && a->scale < 1 ? a->scale : 1;
  for (int64_t i = 0; i < a->out; i++, weight += taps) {
    bool outside;
    double x = coordinate(r, a, i, &outside), low = floor(x);
    first[i] = -1;
    for (int64_t k = 0; k < taps; k++) weight[k] = 0;
    if (outside) continue;
    /* At an integer x is the right end of its cell, so that the tap left of it exists at the last element, too. */
    double ratio = x == low ? 1 : x - low;
    if (x == low) low -= 1;
    double limit = (double)a->in + (double)half;
    low = low < -limit ? -limit : low > limit ? limit : low;
    int64_t start = (int64_t)low - half + 1, at = start < 0 ? 0 : start > a->in - taps ? a->in - taps : start;
    first[i] = (int32_t)at;
    double sum = 0;
    for (int pass = 0; pass < 2; pass++) {
      for (int64_t k = 0; k < 2 * half; k++) {
        double d = ((double)(k - half + 1) - ratio) * scale;
        double w = r->mode == INGOT__RESIZE_CUBIC ? cubic(r->cubic_a, d) : fabs(d) < 1 ? 1 - fabs(d) : 0;
        int64_t j = start + k;
        if (r->exclude_outside && (j < 0 || j >= a->in)) w = 0;
        if (pass == 0) {
          sum += w;
          continue;
        }
        j = j < 0 ? 0 : j >= a->in ? a->in - 1 : j;
        weight[j - at] += (float)((r->antialias || r->exclude_outside) && sum != 0 ? w / sum : w);
      }
    }
  }
}

void ingot__resize_nearest_table(const ingot__resize *r, int axis, int32_t *index) {
  const ingot__resize_axis *a = &r->axis[axis];
  for (int64_t i = 0; i < a->out; i++) {
    bool outside;
    double x = coordinate(r, a, i, &outside), low = floor(x), ratio = x - low, at = low;
    switch (r->nearest) {
    case INGOT__RESIZE_PREFER_FLOOR: at = ratio > 0.5 ? low + 1 : low; break;
    case INGOT__RESIZE_PREFER_CEIL: at = ratio >= 0.5 ? low + 1 : low; break;
    case INGOT__RESIZE_FLOOR: break;
    case INGOT__RESIZE_CEIL: at = ratio > 0 ? low + 1 : low; break;
    }
    if (a->same) at = (double)i;
    index[i] = outside && !a->same ? -1 : at < 0 ? 0 : at > (double)(a->in - 1) ? (int32_t)(a->in - 1) : (int32_t)at;
  }
}
