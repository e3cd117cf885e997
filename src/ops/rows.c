/* Rows of elements as doubles. */
#include "ops/rows.h"

void ingot__row_load(ingot_dtype dtype, const void *data, int64_t at, int64_t step, size_t n, double *row) {
  if (dtype == INGOT_FLOAT32) {
    const float *p = (const float *)data + at;
    if (step == 1)
      for (size_t i = 0; i < n; i++) row[i] = (double)p[i];
    else
      for (size_t i = 0; i < n; i++) row[i] = (double)p[(int64_t)i * step];
  } else if (dtype == INGOT_FLOAT64) {
    const double *p = (const double *)data + at;
    for (size_t i = 0; i < n; i++) row[i] = p[(int64_t)i * step];
  } else {
    for (size_t i = 0; i < n; i++) row[i] = ingot__get_double(dtype, data, (size_t)(at + (int64_t)i * step));
  }
}

void ingot__row_store(ingot_dtype dtype, void *data, int64_t at, int64_t step, size_t n, const double *row) {
  if (dtype == INGOT_FLOAT32) {
    float *p = (float *)data + at;
    for (size_t i = 0; i < n; i++) p[(int64_t)i * step] = (float)row[i];
  } else if (dtype == INGOT_FLOAT64) {
    double *p = (double *)data + at;
    for (size_t i = 0; i < n; i++) p[(int64_t)i * step] = row[i];
  } else {
    for (size_t i = 0; i < n; i++) ingot__set_double(dtype, data, (size_t)(at + (int64_t)i * step), row[i]);
  }
}

double ingot__row_round(ingot_dtype t, double v) {
  if (t == INGOT_FLOAT16) return (double)ingot__f16_to_f32(ingot__f32_to_f16((float)v));
  return t == INGOT_BFLOAT16 ? (double)ingot__bf16_to_f32(ingot__f32_to_bf16((float)v)) : v;
}

double ingot__row_act(ingot_dtype dtype, int64_t act, float alpha, float beta, double x) {
  if (act == INGOT__ACT_NONE) return x;
  if (dtype == INGOT_FLOAT64 && act == INGOT__ACT_RELU) return x < 0 ? 0 : x;
  return (double)ingot__act_apply((ingot__act)act, alpha, beta, (float)x);
}
