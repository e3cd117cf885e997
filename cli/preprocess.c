/* From a picture's file to a network's input: the options' texts, and the steps in their order. */
#include "image.h"
#include "options.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The options' texts ---- */

static bool read_side(const char **p, int *side) {
  char *end;
  long n = strtol(*p, &end, 10);
  if (end == *p || n < 1 || n > 16384 || **p == '+' || **p == ' ') return false;
  *side = (int)n;
  *p = end;
  return true;
}

/* "WxH"; or one side alone, which leaves *height as it is. */
static bool read_size(const char *p, int *width, int *height) {
  if (!read_side(&p, width)) return false;
  if (!*p) return true;
  return *p++ == 'x' && read_side(&p, height) && !*p;
}

static ingot_status read_numbers(const char *option, const char *text, double *values, int *count) {
  char part[64];
  *count = 0;
  for (const char *p = text;; p++) {
    size_t n = strcspn(p, ",");
    snprintf(part, sizeof part, "%.*s", (int)(n < sizeof part ? n : 0), p);
    if (*count == 4 || !cli__read_real(part, &values[*count]))
      return cli__fail(INGOT_E_ARGUMENT, "--%s wants one number, or one a channel with commas (127.5 or 104,117,123 or 1/255); got '%s'",
          option, text);
    ++*count;
    p += n;
    if (!*p) return INGOT_OK;
  }
}

static ingot_status preset(const char *name, cli__preprocess *p) {
  if (strcmp(name, "imagenet") != 0) return cli__fail(INGOT_E_ARGUMENT, "--preset %s: there is 'imagenet'", name);
  /* What torchvision's networks were trained for: (x / 255 - mean) / std of the training pictures. */
  static const double mean[3] = {0.485, 0.456, 0.406}, deviation[3] = {0.229, 0.224, 0.225};
  p->resize_width = 256, p->crop_width = p->crop_height = 224, p->antialias = true;
  p->num_means = p->num_scales = 3;
  for (int c = 0; c < 3; c++) p->mean[c] = 255 * mean[c], p->scale[c] = 1 / (255 * deviation[c]);
  return INGOT_OK;
}

ingot_status cli__preprocess_read(const cli__preprocess_texts *texts, cli__preprocess *p) {
  if (texts->preset) CLI_TRY(preset(texts->preset, p)); /* first: the others change it */
  if (texts->resize) {
    p->resize_height = 0;
    if (!read_size(texts->resize, &p->resize_width, &p->resize_height))
      return cli__fail(INGOT_E_ARGUMENT, "--resize wants WIDTHxHEIGHT, or one number for the shorter side; got '%s'", texts->resize);
  }
  if (texts->crop) {
    p->crop_height = 0;
    if (!read_size(texts->crop, &p->crop_width, &p->crop_height))
      return cli__fail(INGOT_E_ARGUMENT, "--crop wants WIDTHxHEIGHT, or one number for a square; got '%s'", texts->crop);
    if (!p->crop_height) p->crop_height = p->crop_width;
  }
  if (texts->letterbox) {
    const char *text = texts->letterbox;
    p->box_corner = strncmp(text, "corner:", 7) == 0;
    if (!read_size(text + 7 * p->box_corner, &p->box_width, &p->box_height) || !p->box_height)
      return cli__fail(INGOT_E_ARGUMENT, "--letterbox wants WIDTHxHEIGHT or corner:WIDTHxHEIGHT; got '%s'", text);
    if (p->resize_width) return cli__fail(INGOT_E_ARGUMENT, "--letterbox and --resize don't go together: the letterbox scales");
  }
  if (texts->mean) CLI_TRY(read_numbers("mean", texts->mean, p->mean, &p->num_means));
  if (texts->scale) CLI_TRY(read_numbers("scale", texts->scale, p->scale, &p->num_scales));
  if (texts->layout) {
    if (strcmp(texts->layout, "nchw") == 0) p->layout = CLI__LAYOUT_NCHW;
    else if (strcmp(texts->layout, "nhwc") == 0) p->layout = CLI__LAYOUT_NHWC;
    else return cli__fail(INGOT_E_ARGUMENT, "--layout wants nchw or nhwc; got '%s'", texts->layout);
  }
  return INGOT_OK;
}

/* ---- The steps ---- */

/* torchvision's rule: the longer side is cut to a whole number. */
static ingot_status resize_shorter(cli__image *image, int shorter, bool antialias) {
  int64_t w = image->width, h = image->height;
  int64_t to_w = w <= h ? shorter : shorter * w / h, to_h = w <= h ? shorter * h / w : shorter;
  if (to_w > 65535 || to_h > 65535) return cli__fail(INGOT_E_LIMIT, "--resize %d would give a picture longer than 65535 pixels", shorter);
  return cli__image_resize(image, (int)to_w, (int)to_h, antialias);
}

/* Scaled to fit without distortion, the rest filled with level 114, as the YOLO family does. */
static ingot_status letterbox(cli__image *image, const cli__preprocess *p) {
  double ratio = fmin((double)p->box_width / image->width, (double)p->box_height / image->height);
  int width = (int)(image->width * ratio + 1e-6), height = (int)(image->height * ratio + 1e-6);
  CLI_TRY(cli__image_resize(image, width < 1 ? 1 : width, height < 1 ? 1 : height, p->antialias));
  size_t c = (size_t)image->channels, row = (size_t)p->box_width * c, size = row * (size_t)p->box_height;
  uint8_t *to = malloc(size);
  if (!to) return cli__no_memory();
  memset(to, 114, size);
  size_t left = p->box_corner ? 0 : (size_t)(p->box_width - image->width) / 2,
      top = p->box_corner ? 0 : (size_t)(p->box_height - image->height) / 2;
  for (size_t y = 0; y < (size_t)image->height; y++)
    memcpy(to + (y + top) * row + left * c, image->pixels + y * (size_t)image->width * c, (size_t)image->width * c);
  free(image->pixels);
  image->pixels = to;
  image->width = p->box_width, image->height = p->box_height;
  return INGOT_OK;
}

static ingot_status fit_size(cli__image *image, const cli__preprocess *p, const char *path, int64_t height, int64_t width) {
  bool asked = p->resize_width || p->box_width || p->crop_width;
  if ((height < 0 || height == image->height) && (width < 0 || width == image->width)) return INGOT_OK;
  int64_t w = width < 0 ? image->width : width, h = height < 0 ? image->height : height;
  if (asked)
    return cli__fail(INGOT_E_SHAPE, "%s: the picture is %dx%d after --resize, --letterbox and --crop; the network takes %lldx%lld", path,
        image->width,
                     image->height, (long long)w, (long long)h);
  if (w < 1 || h < 1 || w > 16384 || h > 16384)
    return cli__fail(INGOT_E_SHAPE, "%s: the network's input of %lldx%lld isn't a picture's size", path, (long long)w, (long long)h);
  cli__note("%s: scaled from %dx%d to the network's %lldx%lld (--resize, --crop or --letterbox say otherwise)", path, image->width, image->height,
            (long long)w, (long long)h);
  return cli__image_resize(image, (int)w, (int)h, p->antialias);
}

static void fill(const cli__image *image, const cli__preprocess *p, bool nhwc, cli__array *array) {
  size_t c = (size_t)image->channels, pixels = (size_t)image->width * (size_t)image->height;
  for (size_t k = 0; k < c; k++) {
    double mean = p->num_means ? p->mean[p->num_means == 1 ? 0 : k] : 0, scale = p->num_scales ? p->scale[p->num_scales == 1 ? 0 : k] : 1;
    const uint8_t *from = image->pixels + (p->bgr ? c - 1 - k : k);
    for (size_t i = 0; i < pixels; i++) cli__array_set(array, nhwc ? i * c + k : k * pixels + i, (from[i * c] - mean) * scale);
  }
}

static ingot_status run(const cli__preprocess *p, cli__image *image, const char *path, const char *name, ingot_dtype dtype, int rank,
                        const int64_t *dims, cli__array *array) {
  const int64_t *d = dims + rank - 3;
  bool nhwc = p->layout == CLI__LAYOUT_NHWC || (p->layout == CLI__LAYOUT_AUTO && d[0] != 1 && d[0] != 3 && (d[2] == 1 || d[2] == 3));
  int64_t channels = nhwc ? d[2] : d[0], height = nhwc ? d[0] : d[1], width = nhwc ? d[1] : d[2];
  if (channels != 1 && channels != 3 && channels != -1)
    return cli__fail(INGOT_E_SHAPE, "%s: input '%s' has %lld channels; pictures give 1 or 3 (--layout nchw or nhwc says where they are)", path,
        name,
                     (long long)channels);
  if (rank == 4 && dims[0] != -1 && dims[0] != 1)
    return cli__fail(INGOT_E_SHAPE, "%s: input '%s' takes %lld pictures at once; give a .npy file with all of them", path, name,
        (long long)dims[0]);
  if (channels > 0) CLI_TRY(cli__image_to_channels(image, (int)channels));
  int c = image->channels;
  if ((p->num_means > 1 && p->num_means != c) || (p->num_scales > 1 && p->num_scales != c))
    return cli__fail(INGOT_E_ARGUMENT, "--mean or --scale has another number of values than the picture has channels, %d", c);
  if (p->resize_width && p->resize_height) CLI_TRY(cli__image_resize(image, p->resize_width, p->resize_height, p->antialias));
  else if (p->resize_width) CLI_TRY(resize_shorter(image, p->resize_width, p->antialias));
  if (p->box_width) CLI_TRY(letterbox(image, p));
  if (p->crop_width) CLI_TRY(cli__image_crop(image, p->crop_width, p->crop_height));
  CLI_TRY(fit_size(image, p, path, height, width));
  int64_t h = image->height, w = image->width, shape[4] = {1, nhwc ? h : c, nhwc ? w : h, nhwc ? c : w};
  CLI_TRY(cli__array_alloc(array, name, dtype, rank, shape + 4 - rank));
  fill(image, p, nhwc, array);
  return INGOT_OK;
}

ingot_status cli__preprocess_run(const cli__preprocess *preprocess, const char *path, const char *name, ingot_dtype dtype, int rank,
                                 const int64_t *dims, cli__array *array) {
  if (rank != 3 && rank != 4)
    return cli__fail(INGOT_E_SHAPE, "%s: input '%s' isn't a picture: it has %d dims where pictures have 3 or 4", path, name, rank);
  if (!cli__is_float(dtype) && dtype != INGOT_UINT8 && dtype != INGOT_INT8)
    return cli__fail(INGOT_E_TYPE, "%s: input '%s' has type %s, pictures give floats or 8-bit integers", path, name, ingot_dtype_name(dtype));
  cli__image image;
  CLI_TRY(cli__image_load(path, &image));
  ingot_status status = run(preprocess, &image, path, name, dtype, rank, dims, array);
  cli__image_free(&image);
  return status;
}
