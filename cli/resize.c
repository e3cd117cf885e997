/* Scaling and cutting pictures. */
#include "image.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

ingot_status cli__image_to_channels(cli__image *image, int channels) {
  if (image->channels == channels) return INGOT_OK;
  size_t pixels = (size_t)image->width * (size_t)image->height;
  uint8_t *to = malloc(pixels * (size_t)channels);
  if (!to) return cli__no_memory();
  const uint8_t *from = image->pixels;
  for (size_t i = 0; i < pixels; i++) {
    if (channels == 3) to[3 * i] = to[3 * i + 1] = to[3 * i + 2] = from[i];
    else to[i] = (uint8_t)((from[3 * i] * 19595u + from[3 * i + 1] * 38470u + from[3 * i + 2] * 7471u + 32768u) >> 16);
  }
  free(image->pixels);
  image->pixels = to;
  image->channels = channels;
  return INGOT_OK;
}

/* The pixels that one output pixel along an axis is made of: weights[0..count) from `first` on. */
typedef struct taps { int first, count; float *weights; } taps;

/* Fills `list` for `to` output pixels out of `from`; weights come from one block, which the caller frees. NULL: no memory. */
static float *make_taps(int from, int to, bool antialias, taps *list) {
  double step = (double)from / to, reach = antialias && step > 1 ? step : 1; /* half the triangle's width */
  size_t most = (size_t)ceil(reach) * 2 + 2;
  float *block = malloc((size_t)to * most * sizeof *block);
  for (int i = 0; i < to && block; i++) {
    double centre = (i + 0.5) * step, sum = 0;
    int first = (int)floor(centre - reach + 0.5), last = (int)floor(centre + reach + 0.5); /* pixels first..last-1 have centres in reach */
    float *w = block + (size_t)i * most;
    int low = first < 0 ? 0 : first, high = last > from ? from : last;
    for (int k = low; k < high; k++) {
      double part = 1 - fabs(k + 0.5 - centre) / reach;
      w[k - low] = part > 0 ? (float)part : 0;
      sum += w[k - low];
    }
    for (int k = low; k < high; k++) w[k - low] = (float)(w[k - low] / sum); /* at the edges what is outside counts as the edge's share */
    list[i] = (taps){low, high - low, w};
  }
  return block;
}

static uint8_t level(float x) { return x <= 0 ? 0 : x >= 255 ? 255 : (uint8_t)(x + 0.5f); }

static void resize_rows(const cli__image *from, const taps *across, int width, float *to) {
  int c = from->channels;
  for (int y = 0; y < from->height; y++)
    for (int x = 0; x < width; x++) {
      const uint8_t *p = from->pixels + ((size_t)y * (size_t)from->width + (size_t)across[x].first) * (size_t)c;
      for (int k = 0; k < c; k++) {
        float sum = 0;
        for (int t = 0; t < across[x].count; t++) sum += across[x].weights[t] * p[t * c + k];
        to[((size_t)y * (size_t)width + (size_t)x) * (size_t)c + (size_t)k] = sum;
      }
    }
}

static void resize_columns(const float *from, const taps *down, int height, size_t row, uint8_t *to) {
  for (int y = 0; y < height; y++)
    for (size_t x = 0; x < row; x++) {
      float sum = 0;
      for (int t = 0; t < down[y].count; t++) sum += down[y].weights[t] * from[(size_t)(down[y].first + t) * row + x];
      to[(size_t)y * row + x] = level(sum);
    }
}

ingot_status cli__image_resize(cli__image *image, int width, int height, bool antialias) {
  if (width == image->width && height == image->height) return INGOT_OK;
  int tallest = height > image->height ? height : image->height;
  if (width < 1 || height < 1 || (int64_t)width * tallest > (int64_t)1 << 27)
    return cli__fail(INGOT_E_LIMIT, "a picture of %dx%d can't be scaled to %dx%d: more than 2^27 pixels, or none", image->width, image->height,
        width,
                     height);
  size_t row = (size_t)width * (size_t)image->channels;
  taps *across = malloc((size_t)width * sizeof *across), *down = malloc((size_t)height * sizeof *down);
  float *weights_across = across ? make_taps(image->width, width, antialias, across) : NULL;
  float *weights_down = down ? make_taps(image->height, height, antialias, down) : NULL;
  float *middle = malloc(row * (size_t)image->height * sizeof *middle);
  uint8_t *to = malloc(row * (size_t)height);
  bool good = weights_across && weights_down && middle && to;
  if (good) {
    resize_rows(image, across, width, middle);
    resize_columns(middle, down, height, row, to);
    free(image->pixels);
    image->pixels = to;
    image->width = width, image->height = height;
  } else {
    free(to);
  }
  free(middle);
  free(weights_down);
  free(weights_across);
  free(down);
  free(across);
  return good ? INGOT_OK : cli__no_memory();
}

ingot_status cli__image_crop(cli__image *image, int width, int height) {
  if (width > image->width || height > image->height)
    return cli__fail(INGOT_E_SHAPE, "--crop %dx%d is larger than the picture of %dx%d; add --resize", width, height, image->width, image->height);
  size_t c = (size_t)image->channels, left = (size_t)nearbyint((image->width - width) / 2.0),
      top = (size_t)nearbyint((image->height - height) / 2.0);
  size_t row = (size_t)width * c, stride = (size_t)image->width * c;
  for (size_t y = 0; y < (size_t)height; y++) memmove(image->pixels + y * row, image->pixels + (y + top) * stride + left * c, row);
  image->width = width, image->height = height;
  return INGOT_OK;
}
