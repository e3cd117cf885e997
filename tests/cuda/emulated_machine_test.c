/* The emulated GPU computes as a GPU does: numbers, warps, barriers, clusters, tensor copies; and it finds what a GPU would do wrong. */
#include "emulated_testing.h"

static void *module;

static void converts(void **state) {
  (void)state;
  enum { N = 1 << 16 };
  uint32_t *host = malloc(2 * N * sizeof *host);
  struct { uint64_t from, to; } params = {0, gpu_new(2 * N * 4, NULL)};
  gpu_run(module, "convert_halves", N / 256, 256, 0, &params);
  OK(cuMemcpyDtoH_v2(host, params.to, 2 * N * 4));
  for (uint32_t i = 0; i < N; i++) {
    uint16_t bits = (uint16_t)i, mantissa = i & 0x3ff;
    int exponent = i >> 10 & 31;
    double value = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
    float got;
    memcpy(&got, &host[2 * i], 4);
    if (exponent == 31 && mantissa) {
      assert_true(isnan(got));
      assert_int_equal(host[2 * i + 1], 0x7fff);
      continue;
    }
    if (exponent == 31) value = INFINITY;
    assert_true(got == (float)(i & 0x8000 ? -value : value) && !signbit(got) == !(i & 0x8000));
    assert_int_equal(host[2 * i + 1], bits);
  }
  /* Floats against halves and bfloats around them: the nearest, and of two as near the even one. */
  for (uint32_t i = 0; i < N; i++) host[i] = i < N / 2 ? 0x32000000u + i * 0xB001u : i * 0x1CBF3u;
  for (uint32_t i = 0; i < 2000; i++) host[i] = 0x33000000u + (i / 2 << 22) / 4 + (i % 2); /* halves of last places */
  params.from = gpu_new(N * 4, host);
  gpu_run(module, "convert_floats", N / 256, 256, 0, &params);
  uint32_t *to = malloc(2 * N * 4);
  OK(cuMemcpyDtoH_v2(to, params.to, 2 * N * 4));
  for (uint32_t i = 0; i < N; i++) {
    float x, y;
    memcpy(&x, &host[i], 4);
    uint32_t half = to[i] & 0xffff, brain = to[N + i] & 0xffff0000u;
    assert_int_equal(to[i] >> 16, 0);
    assert_int_equal(to[N + i] & 0xffff, 0);
    if (isnan(x)) {
      assert_int_equal(half, 0x7fff);
      assert_int_equal(brain, 0x7fff0000u);
      continue;
    }
    double size = fabs((double)x), exact = size < ldexp(1, -14) ? ldexp(nearbyint(ldexp(size, 24)), -24) : 0;
    if (size >= ldexp(1, -14)) {
      int exponent;
      frexp(size, &exponent);
      exact = ldexp(nearbyint(ldexp(size, 11 - exponent)), exponent - 11);
    }
    uint32_t h = half & 0x7fff;
    double got = h >> 10 == 31 ? INFINITY : h >> 10 ? ldexp(1024 + (h & 0x3ff), (int)(h >> 10) - 25) : ldexp(h, -24);
    if (got != (exact > 65504 ? INFINITY : exact) || half >> 15 != host[i] >> 31) fail_msg("%a becomes half %04x", x, half);
    memcpy(&y, &brain, 4);
    int exponent;
    frexp(size, &exponent);
    if (exponent < -125) exponent = -125;
    double nearest = ldexp(nearbyint(ldexp(size, 8 - exponent)), exponent - 8);
    if (fabs((double)y) != (nearest >= ldexp(1, 128) ? INFINITY : nearest) || brain >> 31 != host[i] >> 31) fail_msg("%a becomes %a", x, y);
  }
  OK(cuMemFree_v2(params.from));
  OK(cuMemFree_v2(params.to));
  free(host), free(to);
}

static void functions_of_numbers(void **state) {
  (void)state;
  static const int expected[] = {2, INT32_MIN, INT32_MAX, -1, 0, -1, 0, 8, 31, 32, 4, 1, 0x07050301, 10 + 2 * (1 - 1 + 127 - 128), 2,
                                 3, 2, 3, 1, 2, 41, 3, 900};
  enum { N = sizeof expected / sizeof expected[0] };
  int got[N];
  uint64_t to = gpu_new(sizeof got, NULL);
  gpu_run(module, "numbers", 1, 32, 0, &to);
  OK(cuMemcpyDtoH_v2(got, to, sizeof got));
  for (int i = 0; i < N; i++)
    if (got[i] != expected[i]) fail_msg("number %d: %d, not %d", i, got[i], expected[i]);
  OK(cuMemFree_v2(to));
}

static void warps_work_together(void **state) {
  (void)state;
  int got[64][16];
  uint64_t to = gpu_new(sizeof got, NULL);
  gpu_run(module, "warps", 1, 64, 0, &to);
  OK(cuMemcpyDtoH_v2(got, to, sizeof got));
  for (int t = 0; t < 64; t++) {
    int base = 100 + t / 32 * 32, lane = t % 32, x = base + lane;
    assert_int_equal(got[t][0], base + (lane ^ 5));
    assert_int_equal(got[t][1], base + (lane + 3) % 32);
    assert_int_equal(got[t][2], lane < 2 ? x : x - 2);
    assert_int_equal(got[t][3], lane % 8 > 5 ? x : x + 2);
    assert_int_equal(got[t][4], base + lane / 8 * 8 + 3);
    assert_int_equal(got[t][5], 0x49249249);
    assert_int_equal(got[t][6], t >= 32);
    assert_int_equal(got[t][7], t < 32);
    assert_int_equal(got[t][8], lane % 2 ? base + (lane ^ 2) : 0x55);
    assert_int_equal(got[t][9], base + (lane ^ 1));
    assert_int_equal(got[t][10], 496);
    assert_int_equal(got[t][11], base + 31);
    assert_int_equal(got[t][12], base + (lane + 1) % 32);
    assert_int_equal(got[t][13], 64);
    assert_int_equal(got[t][14], lane < 20 ? 0xfffff : -1); /* -1: fresh memory */
    assert_int_equal(got[t][15], lane < 20 ? 0 : -1);
  }
  OK(cuMemFree_v2(to));
}

static void barriers_hold(void **state) {
  (void)state;
  int got[256];
  uint64_t to = gpu_new(sizeof got, NULL);
  gpu_run(module, "barriers", 3, 256, 64, &to);
  OK(cuMemcpyDtoH_v2(got, to, sizeof got));
  for (int t = 0; t < 192; t++) assert_int_equal(got[t], got[0]);
  assert_true(got[0] >= 128 && got[0] <= 128 + 64 * 64);
  gpu_run(module, "groups", 1, 256, 0, &to);
  OK(cuMemcpyDtoH_v2(got, to, sizeof got));
  for (int t = 0; t < 256; t++) assert_int_equal(got[t], t / 128 * 128 + (t + 3) % 128 + 1000);
  gpu_run(module, "ring", 2, 64, 32, &to);
  OK(cuMemcpyDtoH_v2(got, to, sizeof got));
  assert_int_equal(got[0], 499500);
  OK(cuMemFree_v2(to));

  enum { BLOCKS = 7, N = 1000 };
  float *from = malloc(BLOCKS * N * sizeof *from), sum[BLOCKS];
  for (int i = 0; i < BLOCKS * N; i++) from[i] = (float)(i % 97);
  struct { uint64_t from, to; int n; } params = {gpu_new(BLOCKS * N * 4, from), gpu_new(sizeof sum, NULL), N};
  gpu_run(module, "sum_blocks", BLOCKS, 256, 128, &params);
  OK(cuMemcpyDtoH_v2(sum, params.to, sizeof sum));
  for (int b = 0; b < BLOCKS; b++) {
    float expected = 0;
    for (int i = 0; i < N; i++) expected += from[b * N + i];
    assert_true(sum[b] == expected);
  }
  free(from);
  OK(cuMemFree_v2(params.from));
  OK(cuMemFree_v2(params.to));
}

/* A missing barrier shows in one of the two orders. */
static void orders_differ(void **state) {
  (void)state;
  int got[128];
  bool backwards = getenv("INGOT_EMULATED_ORDER");
  uint64_t to = gpu_new(sizeof got, NULL);
  gpu_run(module, "lacks_a_barrier", 2, 64, 256, &to);
  OK(cuMemcpyDtoH_v2(got, to, sizeof got));
  for (int i = 0; i < 64; i++) assert_int_equal(got[i], (i == 63) == backwards ? -1 : (i + 1) % 64);
  assert_int_equal(got[64], !backwards);
  OK(cuMemFree_v2(to));
}

static void atomics_add_up(void **state) {
  (void)state;
  int got[8] = {0};
  uint64_t to = gpu_new(sizeof got, got);
  gpu_run(module, "atomics", 5, 128, 0, &to);
  OK(cuMemcpyDtoH_v2(got, to, sizeof got));
  float half;
  memcpy(&half, &got[4], 4);
  assert_int_equal(got[0], 640);
  assert_int_equal(got[1], 639);
  assert_int_equal(got[3], 640);
  assert_true(half == 320);
  assert_int_equal(got[5], 7);
  assert_int_equal(got[6], 1);
  assert_int_equal(got[7], 0);
  OK(cuMemFree_v2(to));
}

static void clusters_share(void **state) {
  (void)state;
  int got[12 * 64];
  uint64_t to = gpu_new(sizeof got, NULL);
  OK(gpu_launch_in(module, "clusters", 12, 64, 256, 4, &to, NULL));
  OK(cuStreamSynchronize(NULL));
  OK(cuMemcpyDtoH_v2(got, to, sizeof got));
  for (int b = 0; b < 12; b++)
    for (int t = 0; t < 64; t++) assert_int_equal(got[b * 64 + t], (b / 4 * 4 + (b + 1) % 4) * 1000 + 63 - t);
  assert_int_equal(gpu_launch_in(module, "clusters", 10, 64, 256, 4, &to, NULL), 912);
  assert_int_equal(gpu_launch_in(module, "clusters", 16, 64, 256, 16, &to, NULL), 912);
  OK(cuMemFree_v2(to));
}

/* ---- Tensor copies, against their description written again. */
typedef struct tensors {
  _Alignas(64) unsigned char map[128];
  _Alignas(64) unsigned char other[128];
  uint64_t to;
  int bytes, at[5], offset[2], windows;
} tensors;
static size_t mixed(size_t at, int swizzle) { /* the place of a byte in a swizzled box */
  return at ^ (at >> 3 & (swizzle == 128 ? 0x70 : swizzle == 64 ? 0x30 : swizzle == 32 ? 0x10 : 0));
}

static void tiles_are_gathered(void **state) {
  (void)state;
  enum { X = 72, Y = 10, Z = 3, PITCH = 80 }; /* 16-bit elements */
  uint16_t host[Z * Y * PITCH], got[128 * 64];
  for (int i = 0; i < Z * Y * PITCH; i++) host[i] = (uint16_t)(i + 1);
  uint64_t base = gpu_new(sizeof host, host), dim[] = {X, Y, Z}, stride[] = {PITCH * 2, PITCH * 2 * Y};
  uint32_t step[] = {1, 1, 1};
  tensors params = {.to = gpu_new(sizeof got, NULL)};
  static const int swizzles[] = {0, 32, 64, 128};
  for (int s = 0; s < 4; s++) {
    uint32_t box[] = {s ? (uint32_t)swizzles[s] / 2 : 24, 8, 2};
    OK(cuTensorMapEncodeTiled(params.map, 6, 3, (void *)(uintptr_t)base, dim, stride, box, step, 0, s, 0, 0));
    static const int places[][3] = {{0, 0, 0}, {64, 5, 2}, {-8, -3, -1}, {3, 1, 1}, {100, 0, 0}, {0, 0, 7}};
    for (size_t k = 0; k < sizeof places / sizeof places[0]; k++) {
      memcpy(params.at, places[k], sizeof places[k]);
      params.bytes = (int)(box[0] * box[1] * box[2] * 2);
      gpu_run(module, "load_tensor", 1, 32, 32 << 10, &params);
      OK(cuMemcpyDtoH_v2(got, params.to, (size_t)params.bytes));
      for (int z = 0; z < (int)box[2]; z++)
        for (int y = 0; y < (int)box[1]; y++)
          for (int x = 0; x < (int)box[0]; x++) {
            int gx = x + places[k][0], gy = y + places[k][1], gz = z + places[k][2];
            bool in = gx >= 0 && gx < X && gy >= 0 && gy < Y && gz >= 0 && gz < Z;
            size_t at = (size_t)((z * (int)box[1] + y) * (int)box[0] + x) * 2;
            assert_int_equal(got[mixed(at, swizzles[s]) / 2], in ? host[(gz * Y + gy) * PITCH + gx] : 0);
          }
    }
  }
  /* Out again, into a smaller one: what lies outside isn't written. */
  uint16_t small[Y * 40], before[Y * 40];
  memset(before, 0xee, sizeof before);
  uint64_t target = gpu_new(sizeof small, before), small_dim[] = {36, 6, 1}, small_stride[] = {80, 800};
  uint32_t box[] = {64, 8, 1};
  OK(cuTensorMapEncodeTiled(params.map, 6, 3, (void *)(uintptr_t)base, dim, stride, box, step, 0, 3, 0, 0));
  OK(cuTensorMapEncodeTiled(params.other, 6, 3, (void *)(uintptr_t)target, small_dim, small_stride, box, step, 0, 3, 0, 0));
  memset(params.at, 0, sizeof params.at);
  gpu_run(module, "copy_tensor", 1, 32, 8192, &params);
  OK(cuMemcpyDtoH_v2(small, target, sizeof small));
  for (int y = 0; y < Y; y++)
    for (int x = 0; x < 40; x++) assert_int_equal(small[y * 40 + x], y < 6 && x < 36 ? host[y * PITCH + x] : 0xeeee);
  /* What no GPU takes. */
  assert_int_equal(cuTensorMapEncodeTiled(params.map, 6, 3, (void *)(uintptr_t)(base + 8), dim, stride, box, step, 0, 3, 0, 0), 1);
  assert_int_equal(cuTensorMapEncodeTiled(params.map, 6, 3, host, dim, stride, box, step, 0, 3, 0, 0), 1);
  uint64_t odd[] = {PITCH * 2 + 2, PITCH * 2 * Y};
  assert_int_equal(cuTensorMapEncodeTiled(params.map, 6, 3, (void *)(uintptr_t)base, dim, odd, box, step, 0, 3, 0, 0), 1);
  assert_int_equal(cuTensorMapEncodeTiled(params.map, 6, 3, (void *)(uintptr_t)base, dim, stride, box, step, 0, 2, 0, 0), 1);
  OK(cuMemFree_v2(base));
  OK(cuMemFree_v2(target));
  OK(cuMemFree_v2(params.to));
}

/* The matrix of a convolution: 3x3 of stride `s`, dilation `d`, padding 1, over images of 9 x 7. */
static void check_windows(int s, int d) {
  enum { C = 40, W = 9, H = 7, N = 3, CHANNELS = 64, PIXELS = 32 };
  static uint16_t host[N * H * W * C], got[PIXELS * CHANNELS];
  for (int i = 0; i < N * H * W * C; i++) host[i] = (uint16_t)(i + 1);
  int out_w = (W + 2 - 2 * d - 1) / s + 1, out_h = (H + 2 - 2 * d - 1) / s + 1, total = N * out_h * out_w;
  uint64_t base = gpu_new(sizeof host, host), dim[] = {C, W, H, N}, stride[] = {C * 2, W * C * 2, H * W * C * 2};
  /* The upper corner: where the last window begins, from the image's last pixel. */
  int lower[] = {-1, -1}, upper[] = {(out_w - 1) * s - 1 - (W - 1), (out_h - 1) * s - 1 - (H - 1)};
  uint32_t step[] = {1, (uint32_t)s, (uint32_t)s, 1};
  tensors params = {.to = gpu_new(sizeof got, NULL), .bytes = sizeof got, .windows = 1};
  OK(cuTensorMapEncodeIm2col(params.map, 6, 4, (void *)(uintptr_t)base, dim, stride, lower, upper, CHANNELS, PIXELS, step, 0, 3, 0, 0));
  for (int first = 0; first < total; first += PIXELS)
    for (int tap = 0; tap < 9; tap++) {
      int at[] = {0, first % out_w * s - 1, first / out_w % out_h * s - 1, first / out_w / out_h};
      memcpy(params.at, at, sizeof at);
      params.offset[0] = tap % 3 * d, params.offset[1] = tap / 3 * d;
      gpu_run(module, "load_tensor", 1, 32, 8192, &params);
      OK(cuMemcpyDtoH_v2(got, params.to, sizeof got));
      for (int i = 0; i < PIXELS; i++)
        for (int c = 0; c < CHANNELS; c++) {
          int pixel = first + i, n = pixel / out_w / out_h;
          int y = pixel / out_w % out_h * s - 1 + tap / 3 * d, x = pixel % out_w * s - 1 + tap % 3 * d;
          bool in = n < N && x >= 0 && x < W && y >= 0 && y < H && c < C;
          assert_int_equal(got[mixed((size_t)(i * CHANNELS + c) * 2, 128) / 2], in ? host[((n * H + y) * W + x) * C + c] : 0);
        }
    }
  OK(cuMemFree_v2(base));
  OK(cuMemFree_v2(params.to));
}
static void windows_are_gathered(void **state) {
  (void)state;
  check_windows(1, 1);
  check_windows(2, 1);
  check_windows(1, 2);
}

/* ---- What must be found out, each in a child. */
typedef struct wrong { const char *kernel; unsigned threads; bool early; } wrong;
static void do_wrong(void *user) {
  const wrong *w = user;
  int zero[64] = {0};
  uint64_t to = gpu_new(sizeof zero + 8 - 8, zero);
  struct { uint64_t to; uint64_t rest; } params = {to, 0};
  gpu_attribute attribute = {.id = 6, .value.flag = 1};
  gpu_launch launch = {{1, 1, 1}, {w->threads, 1, 1}, 128, NULL, &attribute, w->early};
  void *function, *list[] = {&params};
  if (!strcmp(w->kernel, "uses_much_stack")) params.to = 1000;
  if (cuModuleGetFunction(&function, module, w->kernel) || cuLaunchKernelEx(&launch, function, list, NULL)) return;
  cuStreamSynchronize(NULL);
  cuMemFree_v2(to);
}
static void wrongs_are_found(void **state) {
  (void)state;
  static const struct { wrong what; const char *words; } cases[] = {
    {{"never_meets", 64, false}, "kernel never_meets, block (0, 0, 0), thread ("},
    {{"never_meets", 64, false}, "warp 1, lanes ffffffff: wait at barrier 3, where 32 of 64 are"},
    {{"never_comes", 64, false}, "wait for something in memory"},
    {{"parts", 32, false}, "lanes of a warp meet in "},
    {{"beyond", 32, false}, "768 bytes past the end of an allocation of 256 bytes"},
    {{"beyond_shared", 32, false}, "a write past the block's 128 bytes of shared memory, at byte 132"},
    {{"misaligned", 32, false}, "isn't aligned for its type"},
    {{"shifts_too_far", 32, false}, "a shift is too large"},
    {{"indexes_too_far", 32, false}, "an index or a shift is too large"},
    {{"doesnt_wait", 32, true}, "without grid_wait()"},
    {{"uses_much_stack", 32, false}, "the thread's stack is used up"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) gpu_dies(do_wrong, (void *)&cases[i].what, cases[i].words);
  do_wrong(&(wrong){"waits", 32, true});
  do_wrong(&(wrong){"doesnt_wait", 32, false});
}
static void write_just_beyond(void *user) {
  (void)user;
  uint64_t to = gpu_new(65 * 4, NULL);
  gpu_run(module, "just_beyond", 1, 32, 0, &to);
  cuMemFree_v2(to);
}
static void touch(void *user) { *(volatile int *)user = 1; }
static void host_code_cant(void **state) {
  (void)state;
  uint64_t to = gpu_new(1000, NULL);
  gpu_dies(write_just_beyond, NULL, "the byte 260 after the begin of an allocation of 260 bytes was written to");
  gpu_dies(touch, (void *)(uintptr_t)(to + 8), "host code: touches");
  OK(cuMemFree_v2(to));
  gpu_dies(touch, (void *)(uintptr_t)(to + 8), "host code: touches");
}

int main(void) {
  int skip = gpu_open();
  if (skip) return skip;
  module = gpu_load_file("emulated_test.cu");
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(converts),        cmocka_unit_test(functions_of_numbers), cmocka_unit_test(warps_work_together),
    cmocka_unit_test(barriers_hold),   cmocka_unit_test(atomics_add_up),       cmocka_unit_test(clusters_share),
    cmocka_unit_test(tiles_are_gathered), cmocka_unit_test(windows_are_gathered), cmocka_unit_test(wrongs_are_found),
    cmocka_unit_test(host_code_cant),  cmocka_unit_test(orders_differ),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  setenv("INGOT_EMULATED_ORDER", "backwards", 1);
  failed += cmocka_run_group_tests(tests, NULL, NULL);
  OK(cuModuleUnload(module));
  OK(cuDevicePrimaryCtxRelease_v2(0));
  return failed;
}
