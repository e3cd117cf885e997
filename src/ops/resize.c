/* Resize: shape inference and the setting of scales, sizes and regions of interest. The arithmetic is in resize_run.c, the weights in
 * resize_table.c. */
#include "ops/resize.h"
#include "ops/ints.h"
#include <math.h>

static int find(const char *text, const char *const *names, int n) {
  for (int i = 0; i < n; i++)
    if (strcmp(text, names[i]) == 0) return i;
  return -1;
}

const char *ingot__resize_attrs(const ingot__attrs_Resize *attrs, ingot__resize *r) {
  static const char *const modes[] = {"nearest", "linear", "cubic"};
  static const char *const coordinates[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
                                            "tf_crop_and_resize"};
  static const char *const nearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  int m = find(attrs->mode, modes, 3), c = find(attrs->coordinate_transformation_mode, coordinates, 6), n = find(attrs->nearest_mode, nearest, 4);
  if (m < 0) return "mode is not nearest, linear or cubic";
  if (c < 0) return "coordinate_transformation_mode is none that is known";
  if (n < 0) return "nearest_mode is none that is known";
  r->mode = (ingot__resize_mode)m;
  r->coordinates = (ingot__resize_coordinates)c;
  r->nearest = (ingot__resize_nearest)n;
  r->antialias = attrs->antialias != 0;
  r->exclude_outside = attrs->exclude_outside != 0;
  r->cubic_a = (double)attrs->cubic_coeff_a;
  return NULL;
}

typedef enum policy { STRETCH, NOT_LARGER, NOT_SMALLER } policy;
static int policy_of(const ingot__attrs_Resize *a) {
  static const char *const names[] = {"stretch", "not_larger", "not_smaller"};
  return find(a->keep_aspect_ratio_policy, names, 3);
}

/* The axes that scales, sizes and roi speak of. */
static bool axes_of(const ingot__attrs_Resize *a, int rank, int axis[INGOT_MAX_RANK], int *n) {
  unsigned seen = 0;
  *n = a->axes.n ? (int)a->axes.n : rank;
  if (a->axes.n > (size_t)rank) return false;
  for (int k = 0; k < *n; k++) {
    int64_t v = a->axes.n ? a->axes.v[k] : k;
    if (v < 0) v += rank;
    if (v < 0 || v >= rank || (seen >> v & 1)) return false;
    seen |= 1u << v;
    axis[k] = (int)v;
  }
  return true;
}

/* An output dim by scale. ONNX's inference multiplies in float. */
static bool scaled(int64_t dim, float scale, int64_t *out) {
  float v = floorf((float)dim * scale);
  *out = (int64_t)(v < 9e18f ? v : 0);
  return scale > 0 && v < 9e18f;
}
static ingot__dim scaled_dim(const ingot__infer *f, ingot__dim dim, float scale) {
  for (int64_t q = 1; q <= 32; q++) {
    float p = scale * (float)q;
    if (p < 1 || p > 65536 || p != floorf(p)) continue;
    return ingot__element_do(f, INGOT__EL_DIV, ingot__element_do(f, INGOT__EL_MUL, dim, (int64_t)p), q);
  }
  return INGOT__DIM_UNKNOWN;
}

/* The common scale of keep_aspect_ratio_policy. */
static double common_scale(int policy, int n, const int64_t *size, const int64_t *dim) {
  double scale = 0;
  for (int k = 0; k < n; k++) {
    double s = dim[k] ? (double)size[k] / (double)dim[k] : 1;
    if (k == 0 || (policy == NOT_LARGER ? s < scale : s > scale)) scale = s;
  }
  return scale;
}
static int64_t kept(double scale, int64_t dim) { return (int64_t)floor(scale * (double)dim + 0.5); }

ingot_status ingot__infer_Resize(ingot__infer *f) {
  const ingot__attrs_Resize *a = f->attrs;
  ingot__resize r;
  if (!ingot__infer_has(f, 0)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input 0 is missing");
  const char *wrong = ingot__resize_attrs(a, &r);
  int policy = policy_of(a), axis[INGOT_MAX_RANK], n;
  if (policy < 0) wrong = "keep_aspect_ratio_policy is not stretch, not_larger or not_smaller";
  if (wrong) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "%s", wrong);
  const ingot__type *in = f->in[0];
  ingot__type *out = &f->out[0];
  *out = *in;
  bool number = ingot__dtype_is_float(in->dtype) || ingot__dtype_is_int(in->dtype);
  if (!number && ((in->dtype != INGOT_BOOL && !ingot__dtype_is_complex(in->dtype)) || r.mode != INGOT__RESIZE_NEAREST)) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "%s can't be resized", ingot_dtype_name(in->dtype));
  }
  if (in->rank < 0) return INGOT_OK;
  if (!axes_of(a, in->rank, axis, &n)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "axes don't fit rank %d", in->rank);
  size_t n_scale = 0, n_size = 0;
  bool scales = ingot__infer_has(f, 2) && (!ingot__ints_count(f, 2, &n_scale) || n_scale);
  bool sizes = ingot__infer_has(f, 3) && (!ingot__ints_count(f, 3, &n_size) || n_size);
  if (!scales && !sizes) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "scales or sizes are needed");
  if ((sizes && n_size && n_size != (size_t)n) || (!sizes && n_scale && n_scale != (size_t)n)) {
    return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "%zu %s are given for %d axes", sizes ? n_size : n_scale, sizes ? "sizes" : "scales", n);
  }
  if (!sizes) {
    const ingot__view *v = f->data[2];
    if (v && v->data && ingot__view_count(v) != n) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "scales must be a vector of %d values", n);
    for (int k = 0; k < n; k++) {
      ingot__dim *d = &out->dim[axis[k]];
      float s = v && v->data ? (float)ingot__get_double(v->dtype, v->data, (size_t)k) : 1;
      if (!(s > 0)) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "scale %d is %g", k, (double)s);
      if (!v || !v->data) *d = INGOT__DIM_UNKNOWN;
      else if (!ingot__dim_is_number(*d)) *d = scaled_dim(f, *d, s);
      else if (!scaled(*d, s, d)) return INGOT__FAIL_INFER(f, INGOT_E_LIMIT, "scale %d is %g", k, (double)s);
    }
    return INGOT_OK;
  }
  int64_t size[INGOT_MAX_RANK], dim[INGOT_MAX_RANK];
  bool numbers = true;
  for (int k = 0; k < n; k++) {
    ingot__dim s = ingot__ints_get(f, 3, (size_t)k), *d = &out->dim[axis[k]];
    dim[k] = *d;
    numbers = numbers && ingot__dim_is_number(*d) && ingot__element_number(f, s, &size[k]);
    int64_t number;
    if (ingot__element_number(f, s, &number) && number < 0) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "size %d is %lld", k, (long long)number);
    *d = policy == STRETCH ? s : INGOT__DIM_UNKNOWN;
  }
  if (policy != STRETCH && numbers) {
    double scale = common_scale(policy, n, size, dim);
    for (int k = 0; k < n; k++) {
      if (scale * (double)dim[k] > 9e18) return INGOT__FAIL_INFER(f, INGOT_E_LIMIT, "the sizes are too large");
      out->dim[axis[k]] = kept(scale, dim[k]);
    }
  }
  return INGOT_OK;
}

static const ingot__view *given(const ingot__call *call, size_t i) {
  return ingot__has_in(call, i) && ingot__view_count(&call->in[i]) ? &call->in[i] : NULL;
}

ingot_status ingot__resize_setup(const ingot__call *call, ingot__resize *r, bool *guess) {
  const ingot__attrs_Resize *a = INGOT__ATTRS(call, Resize);
  const ingot__view *in = &call->in[0], *out = &call->out[0], *roi = given(call, 1), *scales = given(call, 2), *sizes = given(call, 3);
  const char *wrong = ingot__resize_attrs(a, r);
  int axis[INGOT_MAX_RANK], n, policy = policy_of(a);
  if (wrong || policy < 0 || !axes_of(a, in->rank, axis, &n)) return INGOT__FAIL_CALL(call, INGOT_E_NETWORK, "%s", wrong ? wrong : "attributes");
  if (sizes) scales = NULL;
  if (in->rank != out->rank || (!sizes && !scales) || ingot__view_count(sizes ? sizes : scales) != n) {
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "scales or sizes for %d axes are needed", n);
  }
  bool crop = r->coordinates == INGOT__RESIZE_TF_CROP;
  *guess = (scales && !scales->data) || (crop && roi && !roi->data) || (sizes && policy != STRETCH && !sizes->data);
  r->rank = in->rank;
  for (int i = 0; i < in->rank; i++) {
    r->axis[i] = (ingot__resize_axis){.in = in->dim[i], .out = out->dim[i], .scale = 1, .end = 1, .same = true};
    if (in->dim[i] > INT32_MAX || out->dim[i] > INT32_MAX) return INGOT__FAIL_CALL(call, INGOT_E_LIMIT, "dim %d is too large", i);
  }
  if (crop && (!roi || ingot__view_count(roi) != 2 * n)) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "tf_crop_and_resize needs roi for %d axes", n);
  double common = 0;
  if (sizes && policy != STRETCH && !*guess) {
    int64_t size[INGOT_MAX_RANK], dim[INGOT_MAX_RANK];
    for (int k = 0; k < n; k++) size[k] = ingot__get_int(sizes->dtype, sizes->data, (size_t)k), dim[k] = in->dim[axis[k]];
    common = common_scale(policy, n, size, dim);
  }
  for (int k = 0; k < n; k++) {
    ingot__resize_axis *x = &r->axis[axis[k]];
    int64_t want = x->out;
    if (x->in == 0 && x->out != 0) return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "axis %d is empty and can't be enlarged", axis[k]);
    if (x->in) x->scale = (double)x->out / (double)x->in; /* what sizes mean, and the guess */
    if (*guess) {
      x->same = false;
      if (x->out) x->scale = ((double)x->out - 0.5) / (double)x->in; /* no real one is smaller */
      continue;
    }
    if (scales) {
      x->scale = ingot__get_double(scales->dtype, scales->data, (size_t)k);
      if (!scaled(x->in, (float)x->scale, &want)) want = -1;
    } else if (policy != STRETCH) {
      x->scale = common;
      want = kept(common, x->in);
    } else if (sizes->data) {
      want = ingot__get_int(sizes->dtype, sizes->data, (size_t)k);
    }
    if (want != x->out) {
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the output has %lld at axis %d instead of %lld", (long long)x->out, axis[k], (long long)want);
    }
    if (crop) {
      x->start = ingot__get_double(roi->dtype, roi->data, (size_t)k);
      x->end = ingot__get_double(roi->dtype, roi->data, (size_t)(n + k));
    }
    x->same = x->out == x->in && fabs(x->scale - 1) <= 1e-9 && fabs(x->start) < 1e-9 && fabs(x->end - 1) < 1e-9;
  }
  return INGOT_OK;
}
