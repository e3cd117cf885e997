/* Strips of outputs side by side: the input's rows that they reach over, and the outputs themselves. Places are 32-bit offsets in bytes from the
 * tensors' starts. Defined before: STRIP outputs, SPAN pixels of a row that they reach over, and what channels.cuh and act.cuh want. */
#pragma once
#include "divide.cuh"
#include "depthwise/tensors.h"
#include "depthwise/strips.h"
#include "depthwise/channels.cuh"
#include "act.cuh"

/* Where a strip's pixels lie in a row, in bytes; masks of those, and of rows, that are in the image: the others count as zeros. */
struct place {
  uint32_t offset[SPAN], mask[SPAN];
};
struct row {
  channels x[SPAN];
  uint32_t mask;
};

DEVICE const ELEMENT *element_at(const void *tensor, uint32_t bytes) {
  return reinterpret_cast<const ELEMENT *>(static_cast<const char *>(tensor) + bytes);
}

/* x0: the first column that is reached, which may be left of the image. */
DEVICE void find_place(const depthwise_strips_params &p, uint32_t image, int x0, uint32_t channel, place &at) {
#pragma unroll
  for (int s = 0; s < SPAN; s++) {
    at.offset[s] = image * p.in_image + (uint32_t)nearest_place(x0 + s, p.t.width) * p.in_pixel + channel;
    at.mask[s] = mask_of((uint32_t)(x0 + s) < (uint32_t)p.t.width);
  }
}

/* Loads from the nearest place in the image: what isn't wanted is taken out when it is used. A branch here would wait for the load. */
template <bool VECTOR> DEVICE void load_row(const depthwise_strips_params &p, const place &at, int y, row &r) {
  r.mask = mask_of((uint32_t)y < (uint32_t)p.t.height);
  const uint32_t line = (uint32_t)nearest_place(y, p.t.height) * p.in_line;
#pragma unroll
  for (int s = 0; s < SPAN; s++) r.x[s] = load_channels<VECTOR>(element_at(p.t.in, line + at.offset[s]));
}

DEVICE void load_bias(const depthwise_strips_params &p, int c, float bias[WIDE]) {
#pragma unroll
  for (int i = 0; i < WIDE; i++) bias[i] = p.t.bias ? to_float(static_cast<const ELEMENT *>(p.t.bias)[c + i]) : 0;
}

/* The first `count` of a strip's outputs, complete: residual, activation, rounded. `to` and `from` are where the first one and its residual lie. */
template <bool VECTOR> DEVICE void put_outputs(const depthwise_strips_params &p, const float sums[STRIP][WIDE], int count, uint32_t to,
                                                uint32_t from) {
#pragma unroll
  for (int o = 0; o < STRIP; o++) {
    if (o >= count) break;
    float y[WIDE];
#pragma unroll
    for (int i = 0; i < WIDE; i++) y[i] = sums[o][i];
    if (p.t.residual) {
      float r[WIDE];
      to_floats(load_channels<VECTOR>(element_at(p.t.residual, from + o * p.residual_pixel)), r);
#pragma unroll
      for (int i = 0; i < WIDE; i++) y[i] += r[i];
    }
#pragma unroll
    for (int i = 0; i < WIDE; i++) y[i] = activate(ACT, p.t.act_alpha, p.t.act_beta, y[i]);
    channels z;
    from_floats(y, z);
    ELEMENT *at = const_cast<ELEMENT *>(element_at(p.t.out, to + o * p.out_pixel));
    if (VECTOR) store(at, z);
    else
#pragma unroll
      for (int i = 0; i < WIDE; i++) at[i] = z[i];
  }
}
