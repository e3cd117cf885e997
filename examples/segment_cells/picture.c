/* Reading, writing and drawing pictures. */
#include "picture.h"
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool picture_load_grey(const char *path, picture *p) {
  png_image png = {.version = PNG_IMAGE_VERSION};
  *p = (picture){.channels = 1};
  if (!png_image_begin_read_from_file(&png, path)) {
    fprintf(stderr, "%s: %s\n", path, png.message);
    return false;
  }
  png.format = PNG_FORMAT_GRAY;
  p->width = (int)png.width, p->height = (int)png.height;
  p->pixels = malloc(PNG_IMAGE_SIZE(png));
  if (p->pixels && png_image_finish_read(&png, NULL, p->pixels, 0, NULL)) return true;
  fprintf(stderr, "%s: %s\n", path, p->pixels ? png.message : "out of memory");
  png_image_free(&png);
  free(p->pixels);
  *p = (picture){0};
  return false;
}

bool picture_save(const char *path, const picture *p) {
  png_image png = {.version = PNG_IMAGE_VERSION, .width = (png_uint_32)p->width, .height = (png_uint_32)p->height};
  png.format = p->channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  if (png_image_write_to_file(&png, path, 0, p->pixels, 0, NULL)) return true;
  fprintf(stderr, "%s: %s\n", path, png.message);
  remove(path);
  return false;
}

static bool at(const uint8_t *mask, int width, int height, int x, int y) {
  return x >= 0 && y >= 0 && x < width && y < height && mask[(size_t)y * (size_t)width + (size_t)x];
}

/* A cell's pixel at most two away from one that is none. */
static bool on_contour(const uint8_t *mask, int width, int height, int x, int y) {
  if (!at(mask, width, height, x, y)) return false;
  for (int step = 1; step <= 2; step++)
    if (!at(mask, width, height, x - step, y) || !at(mask, width, height, x + step, y) || !at(mask, width, height, x, y - step) ||
        !at(mask, width, height, x, y + step))
      return true;
  return false;
}

bool picture_overlay(const picture *input, const uint8_t *mask, picture *result) {
  enum { GAP = 8 };
  static const uint8_t colour[3] = {255, 200, 0};
  int w = input->width, h = input->height;
  *result = (picture){3 * w + 2 * GAP, h, 3, NULL};
  size_t row = (size_t)result->width * 3;
  result->pixels = malloc(row * (size_t)h);
  if (!result->pixels) return false;
  memset(result->pixels, 255, row * (size_t)h);
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++) {
      size_t i = (size_t)y * (size_t)w + (size_t)x;
      uint8_t *left = result->pixels + (size_t)y * row + (size_t)x * 3, *middle = left + 3 * (w + GAP), *right = middle + 3 * (w + GAP);
      bool contour = on_contour(mask, w, h, x, y);
      for (int c = 0; c < 3; c++) {
        left[c] = input->pixels[i];
        middle[c] = mask[i] ? 255 : 0;
        right[c] = contour ? colour[c] : input->pixels[i];
      }
    }
  return true;
}
