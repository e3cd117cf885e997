/* Dropout as networks in training have it: elements are kept with the probability 1 - ratio and divided by it; a mask tells which. Without
 * training_mode nothing happens to them. Random numbers are those of the Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), 53 bits
 * each, so that a seed gives what NumPy's RandomState and with it ONNX's reference give. */
#include "ops/ints.h"
#include "ops/move.h"
#include <stdatomic.h>
#include <time.h>

enum { STATE = 624 };
typedef struct twister {
  uint32_t state[STATE];
  int next;
} twister;

static void seed(twister *t, uint32_t s) {
  for (uint32_t i = 0; i < STATE; i++) {
    t->state[i] = s;
    s = 1812433253u * (s ^ s >> 30) + i + 1;
  }
  t->next = STATE;
}

static uint32_t draw(twister *t) {
  if (t->next == STATE) {
    for (int i = 0; i < STATE; i++) {
      uint32_t y = (t->state[i] & 0x80000000u) | (t->state[(i + 1) % STATE] & 0x7fffffffu);
      t->state[i] = t->state[(i + 397) % STATE] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    t->next = 0;
  }
  uint32_t y = t->state[t->next++];
  y ^= y >> 11;
  y ^= y << 7 & 0x9d2c5680u;
  y ^= y << 15 & 0xefc60000u;
  return y ^ y >> 18;
}

static double uniform(twister *t) {
  uint32_t a = draw(t) >> 5, b = draw(t) >> 6;
  return ((double)a * 67108864 + (double)b) / 9007199254740992.0;
}

ingot_status ingot__infer_Dropout(ingot__infer *f) {
  if (!ingot__infer_has(f, 0)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "lacks its input");
  if (!ingot__dtype_is_float(f->in[0]->dtype) || !ingot__dtype_size(f->in[0]->dtype)) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(f->in[0]->dtype));
  }
  for (size_t i = 1; i < f->n_in; i++) {
    size_t n;
    if (!f->in[i]) continue;
    if (ingot__type_count(f->in[i], &n) && n != 1) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "input %zu must be one number", i);
    bool right = i == 1 ? ingot__dtype_is_float(f->in[i]->dtype) : f->in[i]->dtype == INGOT_BOOL;
    if (!right) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "input %zu is %s", i, ingot_dtype_name(f->in[i]->dtype));
  }
  f->out[0] = *f->in[0];
  if (f->n_out > 1) {
    f->out[1] = *f->in[0];
    f->out[1].dtype = INGOT_BOOL;
  }
  return INGOT_OK;
}

ingot_status ingot__ref_Dropout(const ingot__call *call) {
  static _Atomic uint32_t count;
  const ingot__view *in = &call->in[0], *out = &call->out[0];
  size_t n = (size_t)ingot__view_count(in);
  bool training = ingot__has_in(call, 2) && *(const uint8_t *)call->in[2].data;
  double ratio = ingot__has_in(call, 1) ? ingot__get_double(call->in[1].dtype, call->in[1].data, 0) : 0.5;
  int64_t given = INGOT__ATTRS(call, Dropout)->seed;
  uint8_t *mask = ingot__has_out(call, 1) ? call->out[1].data : NULL;
  if (!training || ratio == 0) {
    if (mask) memset(mask, 1, n);
    return ingot__move_all(call);
  }
  if (!(ratio > 0 && ratio < 1)) return INGOT__FAIL_CALL(call, INGOT_E_NETWORK, "ratio is %g, not between 0 and 1", ratio);
  twister t;
  seed(&t, given != INGOT__NO_INT ? (uint32_t)given : (uint32_t)time(NULL) ^ 2654435769u * ++count);
  for (size_t i = 0; i < n; i++) {
    bool keep = uniform(&t) >= ratio;
    if (mask) mask[i] = keep;
    if (ingot__has_out(call, 0)) {
      ingot__set_double(out->dtype, out->data, i, keep ? ingot__get_double(in->dtype, in->data, i) * (1 / (1 - ratio)) : 0);
    }
  }
  return INGOT_OK;
}
