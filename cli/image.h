/* Pictures: reading JPEG and PNG files, and making a network's input of one. */
#ifndef INGOT_CLI_IMAGE_H
#define INGOT_CLI_IMAGE_H
#include "array.h"

typedef struct cli__image {
  int width, height, channels; /* channels: 1 grey or 3 red, green, blue */
  uint8_t *pixels;             /* height * width * channels, owned */
} cli__image;

/* Decides by content. Palettes become colours, 16 bits 8, CMYK becomes RGB; alpha is dropped. At most 2^27 pixels. A cut-off file is an
 * error. EXIF rotation isn't applied. */
ingot_status cli__image_load(const char *path, cli__image *image);
void cli__image_free(cli__image *image);
/* Grey to three equal channels, or colour to grey by ITU-R 601's luma (0.299 R + 0.587 G + 0.114 B). */
ingot_status cli__image_to_channels(cli__image *image, int channels);
/* Bilinear, pixel centres at halves. Without antialias: the four nearest pixels, as OpenCV's INTER_LINEAR. With: a triangle as wide as
 * the step of a shrinking scale, as Pillow's BILINEAR and torchvision's antialias=True. Within one level of those. */
ingot_status cli__image_resize(cli__image *image, int width, int height, bool antialias);
/* The middle; an odd margin is halved to the even side, as torchvision's CenterCrop. */
ingot_status cli__image_crop(cli__image *image, int width, int height);

enum { CLI__LAYOUT_AUTO, CLI__LAYOUT_NCHW, CLI__LAYOUT_NHWC };
/* How a picture becomes an input; the steps run in this order. Zero-initialised does nothing but the conversion. */
typedef struct cli__preprocess {
  int resize_width, resize_height; /* 0: none; a height of 0 alone: the shorter side becomes resize_width */
  int box_width, box_height;       /* letterbox: scaled to fit, the rest filled; 0: none */
  bool box_corner;                 /* the picture at the top left (as YOLOX) instead of the middle */
  int crop_width, crop_height;     /* 0: none */
  bool antialias, bgr;             /* bgr: channels in the order blue, green, red */
  double mean[4], scale[4];        /* value = (pixel - mean) * scale, in the network's order of channels */
  int num_means, num_scales;       /* 0: mean 0, scale 1; 1: for all channels; else one a channel */
  int layout;
} cli__preprocess;

/* Reads the texts of --resize, --crop, --letterbox, --mean, --scale, --layout and --preset (each may be NULL) into *preprocess. */
typedef struct cli__preprocess_texts { const char *resize, *crop, *letterbox, *mean, *scale, *layout, *preset; } cli__preprocess_texts;
ingot_status cli__preprocess_read(const cli__preprocess_texts *texts, cli__preprocess *preprocess);

/* Makes `array` of a file: of type `dtype` and the rank 4 or 3 that is wanted; dims that aren't -1 are held to. A picture that fits
 * them only after scaling is scaled when no step above was asked for, with a remark. */
ingot_status cli__preprocess_run(const cli__preprocess *preprocess, const char *path, const char *name, ingot_dtype dtype, int rank,
                                 const int64_t *dims, cli__array *array);
#endif
