/* Cell segmentation from network to picture, with nothing but ingot.h and libpng: compiles the U-Net, saves the engine, loads it again,
 * segments the samples, compares with their truth, measures images per second and draws overlays. This is `./dev demo`. */
#define _GNU_SOURCE
#include "picture.h"
#include <errno.h>
#include <ingot/ingot.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { SAMPLES = 12, MAX_BATCH = 8, SIDE = 512, PIXELS = SIDE * SIDE };

typedef struct settings {
  const char *network, *samples, *out;
  double budget;  /* seconds for timing kernels */
  double seconds; /* for measuring each batch size */
  int threads;    /* 0: all */
} settings;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool good(ingot_status status) {
  if (status != INGOT_OK) fprintf(stderr, "segment_cells: %s\n", ingot_last_error());
  return status == INGOT_OK;
}

/* ---- Network to engine ---- */

static bool compile(const settings *s, const char *path) {
  static const int64_t min[4] = {1, 1, SIDE, SIDE}, opt[4] = {1, 1, SIDE, SIDE}, max[4] = {MAX_BATCH, 1, SIDE, SIDE};
  ingot_network *network = NULL;
  ingot_config *config = NULL;
  ingot_engine *engine = NULL;
  double start = now();
  bool ok = good(ingot_network_load(NULL, s->network, &network)) && good(ingot_config_create(NULL, &config)) &&
            good(ingot_config_set_profile(config, "input", 4, min, opt, max)) && good(ingot_config_set_budget(config, s->budget)) &&
            good(ingot_config_set_threads(config, s->threads)) && good(ingot_build(network, config, &engine)) && good(ingot_engine_save(engine,
                path));
  struct stat info;
  if (ok && stat(path, &info) == 0)
    printf("compiled %s\n      to %s, %.1f MB, in %.1f s (at most %.0f s of that for timing kernels)\n", s->network, path,
        (double)info.st_size / 1e6,
           now() - start, s->budget);
  ingot_engine_destroy(engine);
  ingot_config_destroy(config);
  ingot_network_destroy(network);
  return ok;
}

/* ---- Segmenting ---- */

static bool set_batch(ingot_context *context, int batch, float *data) {
  const int64_t dims[4] = {batch, 1, SIDE, SIDE};
  return good(ingot_context_set_input_shape(context, "input", 4, dims)) && good(ingot_context_set_address(context, "input", data));
}

/* The network's two scores of each pixel to a mask: cell where the second is higher. */
static void to_mask(const float *scores, uint8_t *mask) {
  for (size_t i = 0; i < PIXELS; i++) mask[i] = scores[PIXELS + i] > scores[i];
}

/* Twice the common area over the sum of the areas. */
static double dice(const uint8_t *mask, const uint8_t *truth) {
  size_t common = 0, sum = 0;
  for (size_t i = 0; i < PIXELS; i++) {
    bool is = mask[i] != 0, should = truth[i] > 127;
    common += is && should;
    sum += (size_t)is + should;
  }
  return sum ? 2.0 * (double)common / (double)sum : 1;
}

static bool load_sample(const char *folder, int i, const char *ending, picture *p) {
  char path[4096];
  snprintf(path, sizeof path, "%s/cell_%02d%s.png", folder, i, ending);
  if (!picture_load_grey(path, p)) return false;
  if (p->width == SIDE && p->height == SIDE) return true;
  fprintf(stderr, "%s: %dx%d, but %dx%d is wanted\n", path, p->width, p->height, SIDE, SIDE);
  free(p->pixels);
  p->pixels = NULL;
  return false;
}

static bool segment_one(const settings *s, ingot_context *context, int i, const picture *sample, float *data, double *score, char path[4096]) {
  static uint8_t mask[PIXELS];
  picture truth, overlay;
  for (size_t k = 0; k < PIXELS; k++) data[k] = (float)sample->pixels[k] / 255; /* what the network was trained on */
  if (!set_batch(context, 1, data) || !good(ingot_context_run(context)) || !load_sample(s->samples, i, "_truth", &truth)) return false;
  to_mask(ingot_context_output(context, "output"), mask);
  *score = dice(mask, truth.pixels);
  free(truth.pixels);
  snprintf(path, 4096, "%s/cell_%02d.png", s->out, i);
  if (!picture_overlay(sample, mask, &overlay)) return false;
  bool ok = picture_save(path, &overlay);
  free(overlay.pixels);
  return ok;
}

static bool segment_all(const settings *s, ingot_context *context, const picture *samples, float *data) {
  double sum = 0;
  char first[4096] = "", path[4096];
  printf("\nDice against the truth\n");
  for (int i = 0; i < SAMPLES; i++) {
    double score;
    if (!segment_one(s, context, i, &samples[i], data, &score, path)) return false;
    if (i == 0) memcpy(first, path, sizeof first);
    printf("  cell_%02d  %.4f   %s\n", i, score, path);
    sum += score;
  }
  printf("  mean     %.4f\n", sum / SAMPLES);
  printf("\nThe pictures show the input, the mask, and the mask's contour on the input; look at %s\n", first);
  return true;
}

/* ---- Measuring ---- */

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void print_machine(int threads) {
  char line[256], name[128] = "unknown CPU";
  FILE *file = fopen("/proc/cpuinfo", "r");
  while (file && fgets(line, sizeof line, file)) {
    const char *colon = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || !colon) continue;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
    break;
  }
  if (file) fclose(file);
  cpu_set_t set;
  if (threads == 0) threads = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  printf("\nSpeed on %s, %d thread%s\n", name, threads, threads == 1 ? "" : "s");
}

/* Runs of each batch size for so many seconds, three runs at least; the first, which plans the shapes, isn't counted. */
static bool measure(const settings *s, ingot_context *context, const picture *samples, float *data) {
  enum { MOST = 1000 };
  static double times[MOST];
  for (size_t n = 0; n < MAX_BATCH; n++)
    for (size_t k = 0; k < PIXELS; k++) data[n * PIXELS + k] = (float)samples[n].pixels[k] / 255;
  print_machine(s->threads);
  printf("  batch   ms, least   ms, median   images/s, best   images/s, median\n");
  for (int batch = 1; batch <= MAX_BATCH; batch *= 2) {
    if (!set_batch(context, batch, data) || !good(ingot_context_run(context))) return false;
    size_t count = 0;
    for (double began = now(); count < MOST && (count < 3 || now() - began < s->seconds);) {
      double start = now();
      if (!good(ingot_context_run(context))) return false;
      times[count++] = now() - start;
    }
    qsort(times, count, sizeof *times, by_size);
    double median = (times[(count - 1) / 2] + times[count / 2]) / 2;
    printf("  %5d   %9.1f   %10.1f   %14.2f   %16.2f\n", batch, times[0] * 1e3, median * 1e3, batch / times[0], batch / median);
  }
  return true;
}

/* ---- The whole ---- */

static bool make_folder(const char *path) {
  char part[4096];
  snprintf(part, sizeof part, "%s", path);
  for (char *p = part + 1;; p++) {
    if (*p && *p != '/') continue;
    char c = *p;
    *p = 0;
    if (mkdir(part, 0777) != 0 && errno != EEXIST) {
      fprintf(stderr, "%s: %s\n", part, strerror(errno));
      return false;
    }
    if (!c) return true;
    *p = c;
  }
}

static bool demo(const settings *s, picture *samples, float *data) {
  char path[4096];
  snprintf(path, sizeof path, "%s/unet_cells.ingot", s->out);
  if (!make_folder(s->out) || !compile(s, path)) return false;
  for (int i = 0; i < SAMPLES; i++)
    if (!load_sample(s->samples, i, "", &samples[i])) return false;
  ingot_engine *engine = NULL;
  ingot_context *context = NULL;
  double start = now();
  bool ok = good(ingot_engine_load(NULL, path, &engine));
  if (ok) printf("loaded it again in %.1f ms\n", (now() - start) * 1e3);
  ingot_context_options options = {.threads = s->threads};
  ok = ok && good(ingot_context_create(engine, &options, &context)) && measure(s, context, samples, data) && segment_all(s, context, samples, data);
  ingot_context_destroy(context);
  ingot_engine_destroy(engine);
  return ok;
}

int main(int argc, char **argv) {
  settings s = {"models/unet_cells/unet_cells.onnx", "models/unet_cells/samples", "build/demo", 5, 2, 0};
  for (int i = 1; i < argc; i++) {
    bool value = i + 1 < argc;
    if (value && strcmp(argv[i], "--network") == 0) s.network = argv[++i];
    else if (value && strcmp(argv[i], "--samples") == 0) s.samples = argv[++i];
    else if (value && strcmp(argv[i], "--out") == 0) s.out = argv[++i];
    else if (value && strcmp(argv[i], "--budget") == 0) s.budget = atof(argv[++i]);
    else if (value && strcmp(argv[i], "--seconds") == 0) s.seconds = atof(argv[++i]);
    else if (value && strcmp(argv[i], "--threads") == 0) s.threads = atoi(argv[++i]);
    else {
      fprintf(stderr, "usage: segment_cells [--network unet_cells.onnx] [--samples FOLDER] [--out FOLDER] [--budget SECONDS]\n"
                      "                     [--seconds MEASURING] [--threads N]\n");
      return 2;
    }
  }
  picture samples[SAMPLES] = {0};
  float *data = malloc((size_t)MAX_BATCH * PIXELS * sizeof *data);
  bool ok = data && demo(&s, samples, data);
  for (int i = 0; i < SAMPLES; i++) free(samples[i].pixels);
  free(data);
  return ok ? 0 : 1;
}
