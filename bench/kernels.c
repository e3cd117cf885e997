/* For those who work on kernels: times every CPU kernel that takes a product, on shapes of known networks or given ones.
 *   kernels [-t threads] [-s seconds] [-k part of a kernel's name] [-i isa] [set | CxHxW:OC:K[:stride[:pad[:group]]] ...]
 * Sets: resnet vgg unet mobilenet densenet stem. Prints the least time of repeated runs, GFLOP/s, and the cost model's guess. */
#include "tests/backend/product_call.h"
#include "base/log.h"

typedef struct bench_set { const char *name; const char *shapes; } bench_set;
static const bench_set sets[] = {
  {"resnet", "64x56x56:64:1 64x56x56:64:3:1:1 64x56x56:256:1 256x56x56:64:1 256x56x56:128:1 128x56x56:128:3:2:1 256x56x56:512:1:2 128x28x28:512:1 "
             "512x28x28:128:1 128x28x28:128:3:1:1 512x28x28:256:1 256x28x28:256:3:2:1 256x14x14:1024:1 1024x14x14:256:1 256x14x14:256:3:1:1 "
             "1024x14x14:512:1 512x14x14:512:3:2:1 512x7x7:2048:1 2048x7x7:512:1 512x7x7:512:3:1:1"},
  {"vgg", "64x224x224:64:3:1:1 64x112x112:128:3:1:1 128x112x112:128:3:1:1 128x56x56:256:3:1:1 256x56x56:256:3:1:1 256x28x28:512:3:1:1 "
          "512x28x28:512:3:1:1 512x14x14:512:3:1:1"},
  {"unet", "64x512x512:64:3:1:1 128x256x256:128:3:1:1 256x128x128:256:3:1:1 512x64x64:512:3:1:1 1024x32x32:1024:3:1:1 1024x64x64:512:3:1:1 "
           "128x512x512:64:3:1:1 64x512x512:2:1"},
  {"mobilenet", "16x112x112:96:1 96x56x56:24:1 24x56x56:144:1 144x56x56:24:1 144x28x28:32:1 32x28x28:192:1 192x14x14:64:1 64x14x14:384:1 "
                "384x14x14:96:1 96x14x14:576:1 576x7x7:160:1 160x7x7:960:1 320x7x7:1280:1"},
  {"densenet", "64x56x56:128:1 128x56x56:32:3:1:1 256x28x28:128:1 128x28x28:32:3:1:1 512x14x14:128:1 128x14x14:32:3:1:1 1024x7x7:128:1 128x7x7:32:3:1:1"},
  {"stem", "3x224x224:64:7:2:3 3x224x224:64:3:1:1 3x224x224:32:3:2:1 3x224x224:64:11:4:2 3x512x512:64:3:1:1 3x300x300:64:3:1:1"},
  {"grouped", "128x56x56:128:3:1:1:32 256x28x28:256:3:1:1:32 512x14x14:512:3:1:1:32 48x56x56:48:3:1:1:6 120x28x28:120:3:1:1:5 240x56x56:240:1:1:0:3"},
};

typedef struct bench_options { int threads; double seconds; const char *kernel; ingot__pool *pool; } bench_options;

static bool bench_shape(const char *text, const bench_options *o) {
  long c, h, w, oc, k, stride = 1, pad = 0, group = 1;
  if (sscanf(text, "%ldx%ldx%ld:%ld:%ld:%ld:%ld:%ld", &c, &h, &w, &oc, &k, &stride, &pad, &group) < 5) return false;
  const conv_shape s = conv_filled((conv_shape){.c = c, .h = h, .w = w, .oc = oc, .kh = k, .kw = k, .sh = stride, .sw = stride, .ph = pad, .pw = pad,
                                                .ph2 = pad, .pw2 = pad, .group = group, .act = INGOT__ACT_RELU});
  for (int layout = 0; layout < (c <= 4 ? 2 : 1); layout++) {
    product_call p;
    product_conv(&p, &s, layout ? INGOT__PLAIN : INGOT__CHANNELS_LAST, INGOT__CHANNELS_LAST);
    const double flops = 2.0 * (double)(ingot__view_count(&p.out[0]) * (c / group) * k * k);
    const ingot__kernel *list[32];
    p.call.threads = o->threads;
    const size_t count = ingot__cpu_backend.candidates(&p.call, list, 32);
    for (size_t i = 0; i < count; i++) {
      if (strcmp(list[i]->name, "reference") == 0 || (o->kernel && !strstr(list[i]->name, o->kernel))) continue;
      const size_t n_memory = p.n_memory;
      product_prepare(&p, list[i], o->threads, o->pool);
      double best = 1e9, spent = 0;
      for (int run = 0; run < 2 || spent < o->seconds; run++) {
        double t = ingot__now();
        if (list[i]->functions->run(&p.call) != INGOT_OK) return false;
        t = ingot__now() - t, spent += t;
        if (t < best) best = t;
      }
      printf("%-28s %-28s %9.1f us  %7.1f GFLOP/s  model %9.1f us\n", text, list[i]->name, best * 1e6, flops / best * 1e-9,
             1e6 * ingot__cpu_backend.cost(list[i], &p.call));
      while (p.n_memory > n_memory) free(p.memory[--p.n_memory]);
    }
    product_free(&p);
  }
  return true;
}

int main(int argc, char **argv) {
  bench_options o = {.threads = 1, .seconds = 0.1};
  int i = 1;
  for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
    if (argv[i][1] == 't') o.threads = atoi(argv[i + 1]);
    else if (argv[i][1] == 's') o.seconds = atof(argv[i + 1]);
    else if (argv[i][1] == 'k') o.kernel = argv[i + 1];
    else if (argv[i][1] == 'i') {
      for (int isa = 0; isa < INGOT__ISA_COUNT; isa++)
        if (strcmp(ingot__isa_name((ingot__isa)isa), argv[i + 1]) == 0) ingot__cpu_force((ingot__isa)isa);
    }
  }
  ingot__heap heap;
  ingot__heap_init(&heap, NULL);
  if (ingot__pool_create(&heap, o.threads, NULL, &o.pool)) return 1;
  for (; i < argc; i++) {
    const char *shapes = argv[i];
    for (size_t j = 0; j < sizeof sets / sizeof sets[0]; j++)
      if (strcmp(sets[j].name, argv[i]) == 0) shapes = sets[j].shapes;
    char *copy = strdup(shapes), *rest = NULL;
    for (char *shape = copy ? strtok_r(copy, " ", &rest) : NULL; shape; shape = strtok_r(NULL, " ", &rest))
      if (!bench_shape(shape, &o)) fprintf(stderr, "%s: not a shape\n", shape);
    free(copy);
  }
  ingot__pool_destroy(o.pool);
  return 0;
}
