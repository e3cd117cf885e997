/* base/floats.h, against the conversions of single elements (which base/dtype_test.c holds against the CPU's own) and by hand. INGOT_TEST_ASAN */
#include "testing.h"
#include "base/dtype.h"
#include "base/floats.h"
#include <float.h>
#include <math.h>

enum { ROOM = 1000 };
static float float_of(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }

/* Bits of all kinds: 65521 is prime, so that signs, exponents and low bits come up in all combinations. */
static void as_single_elements(void **state) {
  (void)state;
  float from[ROOM];
  float rounded[ROOM];
  uint16_t half[ROOM + 1], brain[ROOM + 1];
  for (uint64_t u = 0; u <= UINT32_MAX;) {
    const size_t n = 1 + (size_t)(u / 65521) % ROOM; /* whole rows of the loops, and what is left */
    for (size_t i = 0; i < n; i++, u += 65521) from[i] = float_of((uint32_t)u);
    half[n] = brain[n] = 0x1234;
    ingot__floats_to_f16(half, from, n);
    ingot__floats_to_bf16(brain, from, n);
    memcpy(rounded, from, n * sizeof *from);
    ingot__floats_round_f16(rounded, n);
    for (size_t i = 0; i < n; i++) {
      if (half[i] != ingot__f32_to_f16(from[i])) fail_msg("%a: %04x, alone %04x", (double)from[i], half[i], ingot__f32_to_f16(from[i]));
      const float want = ingot__f16_to_f32(half[i]);
      if (isnan(want) ? !isnan(rounded[i]) : memcmp(&want, &rounded[i], 4) != 0) fail_msg("%a: %a as a half", (double)from[i], (double)rounded[i]);
      if (brain[i] != ingot__f32_to_bf16(from[i])) fail_msg("%a: %04x, alone %04x", (double)from[i], brain[i], ingot__f32_to_bf16(from[i]));
    }
    assert_true(half[n] == 0x1234 && brain[n] == 0x1234);
  }
}

/* Around the ends of the range, where cases meet: 2^-25, 2^-14, 65504, 65520. */
static void where_cases_meet(void **state) {
  (void)state;
  static const float at[] = {0x1p-25f, 0x1p-24f, 0x1p-14f, 65504, 65520, FLT_MAX};
  for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
    float from[64];
    uint16_t to[64];
    uint32_t u;
    memcpy(&u, &at[i], 4);
    for (uint32_t k = 0; k < 64; k++) from[k] = float_of((u + k / 2 - 16) | k << 31);
    ingot__floats_to_f16(to, from, 64);
    for (int k = 0; k < 64; k++) assert_int_equal(to[k], ingot__f32_to_f16(from[k]));
  }
}

/* Of weights that all round up: each goes to one of its two neighbours, and the errors add up to less than one of them goes wrong by. */
static void sums_are_kept(void **state) {
  (void)state;
  static float from[5000];
  static uint16_t half[5000], brain[5000];
  static const size_t lengths[] = {1, 2, 9, 576, 5000};
  for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
    const size_t n = lengths[k];
    uint32_t x = 1;
    const float gap = 0x1p-13f, wide = 0x1p-10f; /* between neighbours */
    double error = 0, nearest = 0, brains = 0;
    for (size_t i = 0; i < n; i++) {
      x = x * 1664525u + 1013904223u;
      const float base = ingot__f16_to_f32((uint16_t)((x >> 20 & 0x3ff) + 0x3000 + (x >> 16 & 0x8000))); /* 0.125 to 0.25, and below zero */
      const float up = ingot__f16_to_f32(ingot__f32_to_f16(base + 0x1p-13f));
      from[i] = base + (up - base) * (0.55f + 0.4f * (float)(x & 0xff) / 256);
    }
    ingot__floats_to_f16_sum(half, from, n);
    ingot__floats_to_bf16_sum(brain, from, n);
    for (size_t i = 0; i < n; i++) {
      const float value = ingot__f16_to_f32(half[i]), b = ingot__bf16_to_f32(brain[i]);
      if (!(fabsf(value - from[i]) < gap * 1.0001f) || !(fabsf(b - from[i]) < wide * 1.0001f))
        fail_msg("%a became %a and %a", (double)from[i], (double)value, (double)b);
      error += (double)value - (double)from[i], brains += (double)b - (double)from[i];
      nearest += (double)ingot__f16_to_f32(ingot__f32_to_f16(from[i])) - (double)from[i];
    }
    assert_true(fabs(nearest) >= 0.05 * (double)gap * (double)n); /* they do round up */
    if (!(fabs(error) <= (double)gap / 2 * 1.01) || !(fabs(brains) <= (double)wide / 2 * 1.01)) fail_msg("%zu: %g and %g", n, error, brains);
  }
}

/* What has no error stays; what isn't finite, or next to it, is as alone. */
static void sums_of_others(void **state) {
  (void)state;
  float from[6] = {1, 0.5f, -2, 65504, 0, -0.0f};
  uint16_t to[6];
  ingot__floats_to_f16_sum(to, from, 6);
  for (int i = 0; i < 6; i++) assert_int_equal(to[i], ingot__f32_to_f16(from[i]));
  from[0] = INFINITY, from[1] = 0.1f, from[2] = 70000;
  ingot__floats_to_f16_sum(to, from, 6);
  for (int i = 0; i < 6; i++) assert_int_equal(to[i], ingot__f32_to_f16(from[i]));
  from[0] = 65490, from[1] = 65490, from[2] = 65490; /* down by 2, where up is the largest: not beyond it */
  ingot__floats_to_f16_sum(to, from, 3);
  for (int i = 0; i < 3; i++) assert_true(to[i] == 0x7bfe || to[i] == 0x7bff);
}

static void the_largest(void **state) {
  (void)state;
  float x[200] = {0};
  assert_true(ingot__floats_largest(x, 0) == 0);
  assert_true(ingot__floats_largest(x, 200) == 0);
  x[3] = INFINITY, x[70] = -INFINITY, x[150] = NAN, x[199] = -NAN; /* they are no magnitudes */
  assert_true(ingot__floats_largest(x, 200) == 0);
  for (size_t i = 0; i < 199; i++) { /* in every place of a row and behind the last */
    if (!isfinite(x[i])) continue;
    x[i] = i % 2 ? -2.5f : 2.5f;
    assert_true(ingot__floats_largest(x, 200) == 2.5f);
    assert_true(ingot__floats_largest(x, i + 1) == 2.5f);
    assert_true(ingot__floats_largest(x, i) == 0);
    x[i] = 0;
  }
  x[100] = -FLT_MAX;
  assert_true(ingot__floats_largest(x, 200) == FLT_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(as_single_elements), cmocka_unit_test(where_cases_meet), cmocka_unit_test(sums_are_kept),
                                     cmocka_unit_test(sums_of_others), cmocka_unit_test(the_largest)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
