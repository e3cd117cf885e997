/* WIDE channels of a pixel, loaded at once where they are aligned to that. */
#pragma once
#include "types.cuh"
typedef vec<ELEMENT, WIDE> channels;

template <bool VECTOR> DEVICE channels load_channels(const ELEMENT *from) {
  if (VECTOR) return load<WIDE>(from);
  channels x;
#pragma unroll
  for (int i = 0; i < WIDE; i++) x[i] = from[i];
  return x;
}
