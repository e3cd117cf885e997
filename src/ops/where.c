/* Where: elements of one tensor or another, any type, with broadcasting of all three. */
#include "ops/known.h"
#include "ops/move.h"
#include "ops/steps.h"

ingot_status ingot__infer_Where(ingot__infer *infer) {
  for (size_t i = 0; i < 3; i++)
    if (!ingot__infer_has(infer, i)) return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "lacks input %zu", i);
  const ingot__type *c = infer->in[0], *a = infer->in[1], *b = infer->in[2];
  if (c->dtype != INGOT_BOOL) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "the condition is %s, not bool", ingot_dtype_name(c->dtype));
  if (a->dtype != b->dtype) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "chooses between %s and %s", ingot_dtype_name(a->dtype), ingot_dtype_name(b->dtype));
  }
  if (!ingot_dtype_bits(a->dtype) && a->dtype != INGOT_STRING)
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(a->dtype));
  ingot__type values;
  INGOT_TRY(ingot__infer_broadcast(infer, a, b, &values));
  INGOT_TRY(ingot__infer_broadcast(infer, &values, c, &infer->out[0]));
  if (infer->known[0] && infer->known[1] && infer->known[2]) ingot__known_fold(infer, 3);
  return INGOT_OK;
}

#define CHOOSE(type) \
  for (size_t i = 0; i < s.run; i++) \
    ((type *)o)[(int64_t)i * s.step[0]] = c[(int64_t)i * s.step[1]] ? ((const type *)a)[(int64_t)i * s.step[2]] \
                                                                    : ((const type *)b)[(int64_t)i * s.step[3]];

ingot_status ingot__ref_Where(const ingot__call *call) {
  const ingot__view *out = &call->out[0];
  size_t width = ingot__move_size(out->dtype);
  ingot__steps s;
  ingot__steps_init(&s, out->rank, out->dim);
  ingot__steps_add(&s, out);
  for (int i = 0; i < 3; i++) ingot__steps_add(&s, &call->in[i]);
  if (!ingot__steps_start(&s)) return INGOT_OK;
  do {
    char *o = (char *)out->data + (size_t)s.at[0] * width;
    const uint8_t *c = (const uint8_t *)call->in[0].data + s.at[1];
    const char *a = (const char *)call->in[1].data + (size_t)s.at[2] * width, *b = (const char *)call->in[2].data + (size_t)s.at[3] * width;
    switch (width) {
    case 1: CHOOSE(uint8_t) break;
    case 2: CHOOSE(uint16_t) break;
    case 4: CHOOSE(uint32_t) break;
    case 8: CHOOSE(uint64_t) break;
    case 16: CHOOSE(unsigned __int128) break;
    default: return INGOT__FAIL_CALL(call, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(out->dtype));
    }
  } while (ingot__steps_next(&s));
  return INGOT_OK;
}
