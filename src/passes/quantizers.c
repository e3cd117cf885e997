/* Questions about quantisers: see quantizers.h. */
#include "passes/quantizers.h"
#include <math.h>

bool ingot__floats_of(const ingot__value *v, size_t *n) {
  return ingot__value_is_const(v) && v->type.dtype == INGOT_FLOAT32 && ingot__type_count(&v->type, n) && *n > 0;
}

ingot__node *ingot__dequantized(const ingot__value *v, size_t channels, size_t *n_scale) {
  ingot__node *d = v ? v->producer : NULL;
  if (!d || d->op != INGOT__OP_DequantizeLinear || ((const ingot__attrs_DequantizeLinear *)d->attrs)->block_size) return NULL;
  if (!ingot__floats_of(d->in[1], n_scale) || (*n_scale != 1 && *n_scale != channels) || v->type.dtype != INGOT_FLOAT32) return NULL;
  for (size_t i = 0; i < *n_scale; i++)
    if (!(ingot__float_at(d->in[1], i, *n_scale) > 0)) return NULL;
  return d;
}

bool ingot__bias_at(const ingot__value *b, size_t channels, size_t i, double *value) {
  size_t n;
  if (ingot__floats_of(b, &n)) {
    *value = (double)ingot__float_at(b, i, n);
    return n == channels;
  }
  const ingot__node *d = ingot__dequantized(b, channels, &n);
  size_t count, zeros;
  if (!d || !ingot__value_is_const(d->in[0]) || !ingot__type_count(&d->in[0]->type, &count) || count != channels) return false;
  double zero = 0;
  if (d->n_in > 2 && d->in[2]) {
    if (!ingot__value_is_const(d->in[2]) || !ingot__type_count(&d->in[2]->type, &zeros) || (zeros != 1 && zeros != channels)) return false;
    zero = ingot__get_double(d->in[2]->type.dtype, d->in[2]->data, zeros == 1 ? 0 : i);
  }
  *value = (ingot__get_double(d->in[0]->type.dtype, d->in[0]->data, i) - zero) * (double)ingot__float_at(d->in[1], i, n);
  return true;
}

double ingot__bias_units(double value, double unit) {
  double exact = value / unit, near = rint(exact);
  return fabs(exact - near) < 1e-3 + 1e-6 * fabs(near) ? near : exact;
}

bool ingot__zero_of(const ingot__node *n, int64_t *zero) {
  const ingot__value *z = n->n_in > 2 ? n->in[2] : NULL;
  size_t count;
  *zero = 0;
  if (!z) return true;
  if (!ingot__value_is_const(z) || !ingot__type_count(&z->type, &count) || count == 0 || ingot__dtype_size(z->type.dtype) != 1) return false;
  *zero = ingot__get_int(z->type.dtype, z->data, 0);
  for (size_t i = 1; i < count; i++)
    if (ingot__get_int(z->type.dtype, z->data, i) != *zero) return false;
  return true;
}
