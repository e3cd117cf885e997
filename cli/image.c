/* Reading pictures: libjpeg with its errors caught by longjmp, libpng through its simplified interface. */
#include "file.h"
#include "image.h"
#include <jerror.h>
#include <jpeglib.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

static const size_t MAX_FILE = (size_t)1 << 30;
static const uint64_t MAX_PIXELS = (uint64_t)1 << 27;

static ingot_status allocate(const char *path, cli__image *image, uint64_t width, uint64_t height, int channels) {
  if (width == 0 || height == 0) return cli__fail(INGOT_E_FORMAT, "%s: an empty picture", path);
  if (width > 65535 || height > 65535 || width * height > MAX_PIXELS)
    return cli__fail(INGOT_E_LIMIT, "%s: a picture of %llux%llu pixels; at most 2^27 in all and 65535 a side are read", path,
                     (unsigned long long)width, (unsigned long long)height);
  image->width = (int)width, image->height = (int)height, image->channels = channels;
  image->pixels = malloc((size_t)width * (size_t)height * (size_t)channels);
  return image->pixels ? INGOT_OK : cli__no_memory();
}

void cli__image_free(cli__image *image) {
  free(image->pixels);
  *image = (cli__image){0};
}

/* ---- JPEG ---- */

typedef struct jpeg {
  struct jpeg_decompress_struct decoder;
  struct jpeg_error_mgr errors; /* libjpeg's; `decoder.err` points here */
  jmp_buf back;
  char text[JMSG_LENGTH_MAX];
  cli__image *image;
  unsigned char *row; /* of CMYK */
} jpeg;

static void jpeg_stop(j_common_ptr decoder) {
  jpeg *j = (jpeg *)(void *)decoder; /* the decoder is its first member */
  decoder->err->format_message(decoder, j->text);
  longjmp(j->back, 1);
}

/* libjpeg fills up a file that ends early with grey and warns; here that is an error. Other warnings pass. */
static void jpeg_warn(j_common_ptr decoder, int level) {
  if (level < 0 && (decoder->err->msg_code == JWRN_JPEG_EOF || decoder->err->msg_code == JWRN_HIT_MARKER)) jpeg_stop(decoder);
}

/* Adobe's CMYK is stored inverted: 255 is no ink. */
static void cmyk_to_rgb(const unsigned char *from, uint8_t *to, int width, bool inverted) {
  for (int x = 0; x < width; x++, from += 4, to += 3)
    for (int c = 0; c < 3; c++) {
      unsigned ink = inverted ? from[c] : 255u - from[c], black = inverted ? from[3] : 255u - from[3];
      to[c] = (uint8_t)((ink * black + 127) / 255);
    }
}

static ingot_status jpeg_decode(jpeg *j, const char *path, const unsigned char *data, size_t size) {
  struct jpeg_decompress_struct *d = &j->decoder;
  jpeg_mem_src(d, data, (unsigned long)size);
  jpeg_read_header(d, TRUE);
  bool cmyk = d->jpeg_color_space == JCS_CMYK || d->jpeg_color_space == JCS_YCCK, grey = d->jpeg_color_space == JCS_GRAYSCALE;
  d->out_color_space = cmyk ? JCS_CMYK : grey ? JCS_GRAYSCALE : JCS_RGB;
  CLI_TRY(allocate(path, j->image, d->image_width, d->image_height, grey ? 1 : 3));
  if (cmyk && !(j->row = malloc((size_t)d->image_width * 4))) return cli__no_memory();
  jpeg_start_decompress(d);
  size_t stride = (size_t)j->image->width * (size_t)j->image->channels;
  while (d->output_scanline < d->output_height) {
    uint8_t *to = j->image->pixels + stride * d->output_scanline;
    JSAMPROW row = cmyk ? j->row : to;
    jpeg_read_scanlines(d, &row, 1);
    if (cmyk) cmyk_to_rgb(j->row, to, j->image->width, d->saw_Adobe_marker);
  }
  jpeg_finish_decompress(d);
  return INGOT_OK;
}

static ingot_status load_jpeg(const char *path, const unsigned char *data, size_t size, cli__image *image) {
  jpeg *j = calloc(1, sizeof *j); /* on the heap: nothing here may live in registers across setjmp */
  if (!j) return cli__no_memory();
  j->image = image;
  j->decoder.err = jpeg_std_error(&j->errors);
  j->errors.error_exit = jpeg_stop;
  j->errors.emit_message = jpeg_warn;
  ingot_status status;
  if (setjmp(j->back)) {
    bool memory = j->errors.msg_code == JERR_OUT_OF_MEMORY;
    status = memory ? cli__no_memory() : cli__fail(INGOT_E_FORMAT, "%s: damaged or cut off: %s", path, j->text);
  } else {
    jpeg_create_decompress(&j->decoder);
    j->decoder.mem->max_memory_to_use = 1L << 30;
    status = jpeg_decode(j, path, data, size);
  }
  jpeg_destroy_decompress(&j->decoder);
  free(j->row);
  free(j);
  return status;
}

/* ---- PNG ---- */

/* Whether the chunks reach IEND within the file: the simplified interface stops reading before the last ones. */
static bool png_is_whole(const unsigned char *data, size_t size) {
  for (size_t at = 8; size - at >= 12;) {
    size_t length = (size_t)data[at] << 24 | (size_t)data[at + 1] << 16 | (size_t)data[at + 2] << 8 | data[at + 3];
    if (memcmp(data + at + 4, "IEND", 4) == 0) return true;
    if (length > size - at - 12) return false;
    at += 12 + length;
  }
  return false;
}

static ingot_status png_failed(const char *path, const png_image *png) {
  if (strstr(png->message, "memory")) return cli__no_memory(); /* the simplified interface has no codes */
  return cli__fail(INGOT_E_FORMAT, "%s: damaged or cut off: %s", path, png->message);
}

static ingot_status load_png(const char *path, const unsigned char *data, size_t size, cli__image *image) {
  if (!png_is_whole(data, size)) return cli__fail(INGOT_E_FORMAT, "%s: damaged or cut off: the PNG has no end", path);
  png_image png = {.version = PNG_IMAGE_VERSION};
  if (!png_image_begin_read_from_memory(&png, data, size)) return png_failed(path, &png);
  png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB; /* 16-bit files that say nothing of their gamma are like 8-bit ones, not linear */
  int channels = png.format & PNG_FORMAT_FLAG_COLOR ? 3 : 1;
  bool alpha = png.format & PNG_FORMAT_FLAG_ALPHA;
  png.format = channels == 3 ? (alpha ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB) : (alpha ? PNG_FORMAT_GA : PNG_FORMAT_GRAY);
  ingot_status status = allocate(path, image, png.width, png.height, channels + alpha);
  if (status != INGOT_OK) {
    png_image_free(&png);
    return status;
  }
  bool good = png_image_finish_read(&png, NULL, image->pixels, 0, NULL);
  if (!good || png.warning_or_error & PNG_IMAGE_ERROR) return png_failed(path, &png);
  if (!alpha) return INGOT_OK;
  size_t pixels = (size_t)image->width * (size_t)image->height, with = (size_t)channels + 1, without = (size_t)channels;
  for (size_t i = 0; i < pixels; i++) memmove(image->pixels + i * without, image->pixels + i * with, without);
  image->channels = channels;
  return INGOT_OK;
}

ingot_status cli__image_load(const char *path, cli__image *image) {
  *image = (cli__image){0};
  unsigned char *data;
  size_t size;
  CLI_TRY(cli__read_file(path, MAX_FILE, &data, &size));
  ingot_status status;
  if (size >= 3 && memcmp(data, "\xff\xd8\xff", 3) == 0) status = load_jpeg(path, data, size, image);
  else if (size >= 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0) status = load_png(path, data, size, image);
  else status = cli__fail(INGOT_E_FORMAT, "%s: neither a JPEG nor a PNG file; convert it to one of these", path);
  free(data);
  if (status != INGOT_OK) cli__image_free(image);
  return status;
}
