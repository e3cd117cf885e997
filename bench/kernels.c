/* For those who work on kernels: times every CPU kernel that takes a product, on shapes of known networks or given ones.
 *   kernels [-t threads] [-s seconds] [-k part of a kernel's name] [-i isa] [-c 1] [set | shape ...]
 * Shapes: CxHxW:OC:K[:stride[:pad[:group]]] a convolution, tCxHxW:OC:K:stride[:pad] a transposed one, mMxKxN a product with a constant,
 * dBxMxKxN a batch of products of two variables (dt..: the second transposed),
 * aHEADSxLxSxD attention.
 * -c 1: with cold caches, as weights are within a large network. Sets: see below. Prints the least time of repeated runs, GFLOP/s,
 * and the cost model's guess. */
#include "tests/backend/product_call.h"
#include "base/log.h"
#include <time.h>

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
  {"densenet",
      "64x56x56:128:1 128x56x56:32:3:1:1 256x28x28:128:1 128x28x28:32:3:1:1 512x14x14:128:1 128x14x14:32:3:1:1 1024x7x7:128:1 128x7x7:32:3:1:1"},
  {"stem", "3x224x224:64:7:2:3 3x224x224:64:3:1:1 3x224x224:32:3:2:1 3x224x224:64:11:4:2 3x512x512:64:3:1:1 3x300x300:64:3:1:1"},
  {"grouped", "128x56x56:128:3:1:1:32 256x28x28:256:3:1:1:32 512x14x14:512:3:1:1:32 48x56x56:48:3:1:1:6 120x28x28:120:3:1:1:5 240x56x56:240:1:1:0:3"},
  {"up", "t1024x32x32:512:2:2 t512x64x64:256:2:2 t256x128x128:128:2:2 t128x256x256:64:2:2 t128x32x32:64:4:2:1"},
  {"fc", "m1x25088x4096 m1x4096x4096 m1x2048x1000 m8x4096x4096"},
  {"vit", "m197x768x2304 m197x768x768 m197x768x3072 m197x3072x768 dt12x197x64x197 d12x197x197x64 a12x197x197x64 a3x49x49x32"},
};

typedef struct bench_options { int threads; double seconds; const char *kernel; ingot__pool *pool; bool cold; } bench_options;

/* One thread's own time, so that other work on the machine counts less; the wall's for several. */
static double bench_clock(const bench_options *o) {
  struct timespec t;
  if (o->threads > 1 || clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t)) return ingot__now();
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void bench_cool(void) {
  enum { BYTES = 96 << 20 };
  static unsigned char *memory;
  if (!memory && !(memory = malloc(BYTES))) abort();
  for (size_t i = 0; i < BYTES; i += 64) memory[i]++;
}

static bool bench_call(const char *text, product_call *p, double flops, const bench_options *o) {
  const ingot__kernel *list[32];
  p->call.threads = o->threads;
  const size_t count = ingot__cpu_backend.candidates(&p->call, list, 32), n_memory = p->n_memory;
  for (size_t i = 0; i < count; i++) {
    if (strcmp(list[i]->name, "reference") == 0 || (o->kernel && !strstr(list[i]->name, o->kernel))) continue;
    double packing = bench_clock(o);
    product_prepare(p, list[i], o->threads, o->pool);
    packing = bench_clock(o) - packing;
    double best = 1e9, spent = 0;
    for (int run = 0; run < 4 || spent < o->seconds; run++) {
      if (o->cold) bench_cool();
      double t = bench_clock(o);
      if (list[i]->functions->run(&p->call) != INGOT_OK) return false;
      t = bench_clock(o) - t, spent += t;
      if (t < best) best = t;
    }
    printf("%-28s %-32s %9.1f us  %7.1f GFLOP/s  model %9.1f us  packing %6.1f ms\n", text, list[i]->name, best * 1e6, flops / best * 1e-9,
           1e6 * ingot__cpu_backend.cost(list[i], &p->call), packing * 1e3);
    while (p->n_memory > n_memory) free(p->memory[--p->n_memory]);
  }
  product_free(p);
  return true;
}

static bool bench_shape(const char *text, const bench_options *o) {
  long c, h, w, oc, k, stride = 1, pad = 0, group = 1;
  product_call p;
  if (text[0] == 'm' || text[0] == 'd') {
    const bool variable = text[0] == 'd', transposed = text[1] == 't';
    long batch = 1, m, inner, n;
    if (variable ? sscanf(text + 1 + transposed, "%ldx%ldx%ldx%ld", &batch, &m, &inner, &n) < 4 : sscanf(text + 1, "%ldx%ldx%ld", &m, &inner,
        &n) < 3) return false;
    const matmul_shape s = {.a_rank = variable ? 3 : 2, .b_rank = variable ? 3 : 2, .a_batch = {batch}, .b_batch = {batch}, .m = m, .k = inner,
        .n = n,
                            .trans_b = transposed, .constant = !variable, .bias = !variable};
    product_matmul(&p, &s);
    return bench_call(text, &p, 2.0 * (double)(batch * m * n) * (double)inner, o);
  }
  if (text[0] == 'a') {
    long heads, l, s, d;
    if (sscanf(text + 1, "%ldx%ldx%ldx%ld", &heads, &l, &s, &d) < 4) return false;
    const attention_shape shape = {.batch = 1, .heads = heads, .l = l, .s = s, .d = d, .e = d};
    product_attention(&p, &shape);
    return bench_call(text, &p, 4.0 * (double)(heads * l * s) * (double)d, o);
  }
  const bool up = text[0] == 't';
  if (sscanf(text + up, "%ldx%ldx%ld:%ld:%ld:%ld:%ld:%ld", &c, &h, &w, &oc, &k, &stride, &pad, &group) < 5) return false;
  const conv_shape s = conv_filled((conv_shape){.c = c, .h = h, .w = w, .oc = oc, .kh = k, .kw = k, .sh = stride, .sw = stride, .ph = pad, .pw = pad,
                                                .ph2 = pad, .pw2 = pad, .group = group, .act = INGOT__ACT_RELU});
  if (up) {
    product_transposed(&p, &s);
    return bench_call(text, &p, 2.0 * (double)(c * h * w * k * k) * (double)(oc / group), o);
  }
  for (int layout = 0; layout < (c <= 4 ? 2 : 1); layout++) {
    product_conv(&p, &s, layout ? INGOT__PLAIN : INGOT__CHANNELS_LAST, INGOT__CHANNELS_LAST);
    if (!bench_call(text, &p, 2.0 * (double)(ingot__view_count(&p.out[0]) * (c / group) * k * k), o)) return false;
  }
  return true;
}

int main(int argc, char **argv) {
  bench_options o = {.threads = 1, .seconds = 0.1};
  int i = 1;
  for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
    if (argv[i][1] == 't') o.threads = atoi(argv[i + 1]);
    else if (argv[i][1] == 's') o.seconds = atof(argv[i + 1]);
    else if (argv[i][1] == 'c') o.cold = atoi(argv[i + 1]) != 0;
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
