/* Pixels of a batch of images by their numbers, CHANNELS_LAST. */
#pragma once
#include "divide.cuh"

struct pixel {
  uint32_t image, y, x;
  bool there; /* beyond the last pixel it is that one again */
};

DEVICE pixel pixel_of(uint32_t number, uint32_t pixels, const divisor &width, const divisor &height) {
  pixel p;
  p.there = number < pixels;
  p.image = p.there ? number : pixels - 1;
  p.x = divide_rest(p.image, width), p.y = divide_rest(p.image, height);
  return p;
}

/* Its first channel in a tensor, by the tensor's strides. */
DEVICE int64_t place_of(const pixel &p, int64_t image, int64_t line, int64_t pixel) { return p.image * image + p.y * line + p.x * pixel; }
