/* Windows (Hann, Hamming, Blackman) and the matrix that takes a spectrum's bins to bands of the mel scale. */
#include "ops/ints.h"
#include "ops/move.h"
#include <math.h>

static bool number_type(int64_t t) {
  ingot_dtype d = (ingot_dtype)t;
  return t > 0 && t < 64 && ingot__dtype_size(d) && ingot__dtype_size(d) <= 8 && (ingot__dtype_is_int(d) || ingot__dtype_is_float(d));
}

/* A scalar input that counts something. */
static ingot_status count_input(ingot__infer *f, size_t i, const char *what, ingot__dim *out) {
  int64_t number;
  size_t n;
  if (!ingot__infer_has(f, i)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "%s is missing", what);
  if (f->in[i]->dtype != INGOT_INT64 && f->in[i]->dtype != INGOT_INT32) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "%s must be int32 or int64", what);
  if (ingot__type_count(f->in[i], &n) && n != 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "%s has %zu elements", what, n);
  *out = ingot__ints_get(f, i, 0);
  if (ingot__element_number(f, *out, &number) && number < 0) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "%s is %lld", what, (long long)number);
  return INGOT_OK;
}

static ingot_status infer_window(ingot__infer *f) {
  const ingot__attrs_HannWindow *a = f->attrs; /* the three have the same attributes */
  ingot__dim n;
  if (!number_type(a->output_datatype)) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "output_datatype %lld", (long long)a->output_datatype);
  INGOT_TRY(count_input(f, 0, "the size", &n));
  f->out[0] = (ingot__type){.dtype = (ingot_dtype)a->output_datatype, .rank = 1, .dim = {n}};
  return INGOT_OK;
}

/* a0 - a1 cos(2 pi i / N) + a2 cos(4 pi i / N), N the size, or one less for symmetric windows. */
static ingot_status window(const ingot__call *call, double a0, double a1, double a2) {
  const ingot__attrs_HannWindow *a = call->attrs;
  int64_t n = ingot__get_int(call->in[0].dtype, call->in[0].data, 0);
  INGOT_TRY(ingot__check_out(call, 0, 1, &n));
  double period = a->periodic ? (double)n : (double)(n - 1), step = period > 0 ? 2 * 3.14159265358979323846 / period : 0;
  for (int64_t i = 0; i < n; i++) {
    double v = n == 1 ? 1 : a0 - a1 * cos(step * (double)i) + a2 * cos(2 * step * (double)i);
    ingot__set_double(call->out[0].dtype, call->out[0].data, (size_t)i, v);
  }
  return INGOT_OK;
}

ingot_status ingot__infer_HannWindow(ingot__infer *f) { return infer_window(f); }
ingot_status ingot__infer_HammingWindow(ingot__infer *f) { return infer_window(f); }
ingot_status ingot__infer_BlackmanWindow(ingot__infer *f) { return infer_window(f); }
ingot_status ingot__ref_HannWindow(const ingot__call *call) { return window(call, 0.5, 0.5, 0); }
ingot_status ingot__ref_HammingWindow(const ingot__call *call) { return window(call, 25.0 / 46, 21.0 / 46, 0); }
ingot_status ingot__ref_BlackmanWindow(const ingot__call *call) { return window(call, 0.42, 0.5, 0.08); }

/* MelWeightMatrix(bands, length of the DFT, samples a second, lower edge, upper edge) -> [length / 2 + 1, bands]. */
ingot_status ingot__infer_MelWeightMatrix(ingot__infer *f) {
  const ingot__attrs_MelWeightMatrix *a = f->attrs;
  ingot__dim bands, length, rate;
  if (!number_type(a->output_datatype)) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "output_datatype %lld", (long long)a->output_datatype);
  INGOT_TRY(count_input(f, 0, "the number of bands", &bands));
  INGOT_TRY(count_input(f, 1, "the length", &length));
  INGOT_TRY(count_input(f, 2, "the sample rate", &rate));
  for (size_t i = 3; i < 5; i++) {
    size_t n;
    if (!ingot__infer_has(f, i) || !ingot__dtype_is_float(f->in[i]->dtype)) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the edges must be floats");
    if (ingot__type_count(f->in[i], &n) && n != 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "an edge has %zu elements", n);
  }
  ingot__dim bins = ingot__element_do(f, INGOT__EL_ADD, ingot__element_do(f, INGOT__EL_DIV, length, 2), 1);
  f->out[0] = (ingot__type){.dtype = (ingot_dtype)a->output_datatype, .rank = 2, .dim = {bins, bands}};
  return INGOT_OK;
}

static double mel_of(double hertz) { return 2595 * log10(1 + hertz / 700); }
static double hertz_of(double mel) { return 700 * (pow(10, mel / 2595) - 1); }

/* The bin that edge i of the bands + 2 lies in. */
static int64_t bin_of(int64_t i, int64_t bands, double low, double high, int64_t length, double rate) {
  double mel = low + (double)i * ((high - low) / (double)(bands + 2)), bin = floor((double)(length + 1) * hertz_of(mel) / rate);
  return bin > 1e15 ? (int64_t)1e15 : bin < -1e15 ? -(int64_t)1e15 : bin == bin ? (int64_t)bin : 0;
}

ingot_status ingot__ref_MelWeightMatrix(const ingot__call *call) {
  const ingot__view *in = call->in, *out = &call->out[0];
  int64_t bands = ingot__get_int(in[0].dtype, in[0].data, 0), length = ingot__get_int(in[1].dtype, in[1].data, 0), bins = length / 2 + 1;
  double rate = (double)ingot__get_int(in[2].dtype, in[2].data, 0), low = mel_of(ingot__get_double(in[3].dtype, in[3].data, 0));
  double high = mel_of(ingot__get_double(in[4].dtype, in[4].data, 0));
  INGOT_TRY(ingot__check_out(call, 0, 2, (int64_t[]){bins, bands}));
  size_t size = ingot__dtype_size(out->dtype);
  if (bins > 0 && bands > 0) memset(out->data, 0, (size_t)(bins * bands) * size);
  for (int64_t b = 0; b < bands; b++) { /* a triangle from one edge over the next to the one after it */
    int64_t from = bin_of(b, bands, low, high, length, rate), top = bin_of(b + 1, bands, low, high, length, rate);
    int64_t to = bin_of(b + 2, bands, low, high, length, rate);
    for (int64_t k = from < 0 ? 0 : from; k < bins && (k < to || k == top); k++) {
      double v = k < top ? (double)(k - from) / (double)(top - from) : k == top ? 1 : (double)(to - k) / (double)(to - top);
      ingot__set_double(out->dtype, out->data, (size_t)(k * bands + b), v);
    }
  }
  return INGOT_OK;
}
