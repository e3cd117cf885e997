/* Elements of the emulated libraries' operands, as floats. Types as cudaDataType (2: float16, 14: bfloat16) or cudnnDataType_t (2, 9) have them; 0:
 * float32. */
#ifndef EMULATED_NUMBERS_H
#define EMULATED_NUMBERS_H
#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float emulated_get(int type, const void *data, int64_t i) {
  if (type == 0) return ((const float *)data)[i];
  const uint16_t bits = ((const uint16_t *)data)[i];
  if (type != 2) {
    const uint32_t wide = (uint32_t)bits << 16;
    float x;
    return memcpy(&x, &wide, 4), x;
  }
  _Float16 x;
  return memcpy(&x, &bits, 2), (float)x;
}

static inline void emulated_put(int type, void *data, int64_t i, float x) {
  if (type == 0) {
    ((float *)data)[i] = x;
  } else if (type != 2) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    if (!isnan(x)) bits += 0x7fff + (bits >> 16 & 1);
    ((uint16_t *)data)[i] = (uint16_t)(bits >> 16 | (isnan(x) ? 0x40 : 0));
  } else {
    const _Float16 half = (_Float16)x;
    memcpy((char *)data + 2 * i, &half, 2);
  }
}

static inline float emulated_tf32(float x) { /* rounded to 10 bits of mantissa */
  uint32_t bits;
  if (!isfinite(x)) return x;
  memcpy(&bits, &x, 4);
  bits = (bits + 0x1000) & ~(uint32_t)0x1fff;
  return memcpy(&x, &bits, 4), x;
}
#endif
