/* WIDE channels of a pixel, loaded at once where they are aligned to that. */
#pragma once
#include "types.cuh"
typedef vec<ELEMENT, WIDE> channels;

/* What is outside of the image is zeros: by words, before they are made numbers of. The masks are all bits or none, of a column and of a row. */
DEVICE channels wanted(channels x, uint32_t column, uint32_t row) {
  uint32_t *words = reinterpret_cast<uint32_t *>(&x);
#pragma unroll
  for (int i = 0; i < (int)(sizeof x / 4); i++) words[i] &= column & row;
  return x;
}
DEVICE uint32_t mask_of(bool inside) { return inside ? ~0u : 0; }
DEVICE int nearest_place(int at, int size) { return min(max(at, 0), size - 1); }

template <bool VECTOR> DEVICE channels load_channels(const ELEMENT *from) {
  if (VECTOR) return load<WIDE>(from);
  channels x;
#pragma unroll
  for (int i = 0; i < WIDE; i++) x[i] = from[i];
  return x;
}
