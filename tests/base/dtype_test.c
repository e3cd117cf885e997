/* Conversions against independent sources: the CPU's own half conversions, tables from the ml_dtypes package, and brute force. INGOT_TEST_ASAN */
#include "testing.h"
#include "base/dtype.h"
#include "float8_table.h"
#include <float.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

static uint32_t bits_of(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
static float float_of(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }
static bool same(float a, float b) { return isnan(a) ? isnan(b) : bits_of(a) == bits_of(b); }

static void table_is_complete(void **state) {
  (void)state;
  static const struct { ingot_dtype dtype; const char *name; unsigned bits; } rows[] = {
    {INGOT_FLOAT32, "float32", 32}, {INGOT_UINT8, "uint8", 8}, {INGOT_INT8, "int8", 8}, {INGOT_UINT16, "uint16", 16}, {INGOT_INT16, "int16", 16},
    {INGOT_INT32, "int32", 32}, {INGOT_INT64, "int64", 64}, {INGOT_STRING, "string", 0}, {INGOT_BOOL, "bool", 8}, {INGOT_FLOAT16, "float16", 16},
    {INGOT_FLOAT64, "float64", 64}, {INGOT_UINT32, "uint32", 32}, {INGOT_UINT64, "uint64", 64}, {INGOT_COMPLEX64, "complex64", 64},
    {INGOT_COMPLEX128, "complex128", 128}, {INGOT_BFLOAT16, "bfloat16", 16}, {INGOT_FLOAT8E4M3FN, "float8e4m3fn", 8},
    {INGOT_FLOAT8E4M3FNUZ, "float8e4m3fnuz", 8}, {INGOT_FLOAT8E5M2, "float8e5m2", 8}, {INGOT_FLOAT8E5M2FNUZ, "float8e5m2fnuz", 8},
    {INGOT_UINT4, "uint4", 4}, {INGOT_INT4, "int4", 4}, {INGOT_FLOAT4E2M1, "float4e2m1", 4},
    {INGOT_FLOAT8E8M0, "float8e8m0", 8}, {INGOT_UINT2, "uint2", 2}, {INGOT_INT2, "int2", 2}, {INGOT_FLOAT6E2M3, "float6e2m3", 8},
    {INGOT_FLOAT6E3M2, "float6e3m2", 8},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_string_equal(ingot_dtype_name(rows[i].dtype), rows[i].name);
    assert_int_equal(ingot_dtype_bits(rows[i].dtype), rows[i].bits);
    assert_int_equal(ingot__dtype_parse(rows[i].name), rows[i].dtype);
  }
  assert_string_equal(ingot_dtype_name((ingot_dtype)99), "undefined");
  assert_string_equal(ingot_dtype_name((ingot_dtype)-1), "undefined");
  assert_int_equal(ingot_dtype_bits((ingot_dtype)99), 0);
  assert_int_equal(ingot__dtype_parse("undefined"), INGOT_UNDEFINED);
  assert_int_equal(ingot__dtype_parse(""), INGOT_UNDEFINED);
  assert_int_equal(ingot__dtype_parse(NULL), INGOT_UNDEFINED);
  assert_true(ingot__dtype_is_float(INGOT_FLOAT4E2M1) && ingot__dtype_is_float(INGOT_BFLOAT16) && !ingot__dtype_is_float(INGOT_COMPLEX64));
  assert_true(ingot__dtype_is_int(INGOT_UINT4) && ingot__dtype_is_int(INGOT_INT64) && !ingot__dtype_is_int(INGOT_BOOL));
}

static void bytes_are_checked(void **state) {
  (void)state;
  size_t n = 77;
  assert_true(ingot__dtype_bytes(INGOT_FLOAT32, 3, &n) && n == 12);
  assert_true(ingot__dtype_bytes(INGOT_INT4, 3, &n) && n == 2);
  assert_true(ingot__dtype_bytes(INGOT_UINT4, SIZE_MAX, &n) && n == SIZE_MAX / 2 + 1);
  assert_true(ingot__dtype_bytes(INGOT_INT2, 5, &n) && n == 2);
  assert_true(ingot__dtype_bytes(INGOT_UINT2, SIZE_MAX, &n) && n == SIZE_MAX / 4 + 1);
  assert_true(ingot__dtype_bytes(INGOT_COMPLEX128, 0, &n) && n == 0);
  assert_false(ingot__dtype_bytes(INGOT_FLOAT64, SIZE_MAX / 8 + 1, &n));
  assert_true(ingot__dtype_bytes(INGOT_FLOAT64, SIZE_MAX / 8, &n));
  assert_true(ingot__dtype_bytes(INGOT_STRING, 2, &n) && n == 2 * sizeof(ingot_string));
  assert_false(ingot__dtype_bytes(INGOT_UNDEFINED, 1, &n));
}

static void half_by_hand(void **state) {
  (void)state;
  static const struct { float f; uint16_t h; } rows[] = { /* the format's corners: IEEE 754 binary16 */
    {0.0f, 0x0000}, {-0.0f, 0x8000}, {1.0f, 0x3c00}, {-2.0f, 0xc000}, {65504.0f, 0x7bff}, {65519.996f, 0x7bff}, {65520.0f, 0x7c00},
    {INFINITY, 0x7c00}, {-INFINITY, 0xfc00}, {0x1p-14f, 0x0400}, {0x1p-24f, 0x0001}, {0x1p-25f, 0x0000}, {0x1.000002p-25f, 0x0001},
    {0x1.8p-24f, 0x0002}, {0x1.ffcp-15f, 0x0400}, {0x1.ff8p-15f, 0x03ff}, {0x1.002p0f, 0x3c00}, {0x1.006p0f, 0x3c02}, {-0x1p-26f, 0x8000},
    {FLT_MAX, 0x7c00}, {FLT_MIN, 0}, {0x1p-149f, 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) assert_int_equal(ingot__f32_to_f16(rows[i].f), rows[i].h);
  for (uint32_t h = 0; h < 65536; h++) { /* there and back; NaNs stay NaNs of the same sign */
    float f = ingot__f16_to_f32((uint16_t)h);
    uint16_t back = ingot__f32_to_f16(f);
    if ((h & 0x7fff) > 0x7c00) assert_true(isnan(f) && (back & 0x7fff) > 0x7c00 && (back & 0x8000) == (h & 0x8000));
    else assert_int_equal(back, h);
  }
}

#if defined(__x86_64__)
__attribute__((target("f16c"))) static void half_against_the_cpu_(void) {
  for (uint32_t h = 0; h < 65536; h++) assert_true(same(ingot__f16_to_f32((uint16_t)h), _cvtsh_ss((uint16_t)h)));
  for (uint64_t u = 0; u <= UINT32_MAX; u += 251) { /* 251 is prime to all powers of two: all low bits come up */
    float f = float_of((uint32_t)u);
    uint16_t mine = ingot__f32_to_f16(f), theirs = (uint16_t)_cvtss_sh(f, 0);
    if (mine != theirs) fail_msg("%a: %04x, the CPU says %04x", (double)f, mine, theirs);
  }
  for (uint32_t h = 0; h < 0x7c00; h++) { /* every tie and its neighbours */
    float low = _cvtsh_ss((uint16_t)h), high = h == 0x7bff ? 65536.0f : _cvtsh_ss((uint16_t)(h + 1)), mid = low + (high - low) / 2;
    float three[] = {nextafterf(mid, 0), mid, nextafterf(mid, INFINITY)};
    for (int i = 0; i < 3; i++) assert_int_equal(ingot__f32_to_f16(-three[i]), (uint16_t)_cvtss_sh(-three[i], 0));
  }
}
static void half_against_the_cpu(void **state) {
  (void)state;
  if (__builtin_cpu_supports("avx2")) half_against_the_cpu_();
  else skip();
}
#else
static void half_against_the_cpu(void **state) { (void)state; skip(); }
#endif

static void bfloat16(void **state) {
  (void)state;
  static const struct { float f; uint16_t h; } rows[] = { /* truncation of float32; ties to even by hand */
    {1.0f, 0x3f80}, {0x1.01p0f, 0x3f80}, {0x1.03p0f, 0x3f82}, {0x1.010002p0f, 0x3f81}, {FLT_MAX, 0x7f80}, {0x1.fep127f, 0x7f7f},
    {-0.0f, 0x8000}, {INFINITY, 0x7f80}, {-INFINITY, 0xff80}, {0x1p-149f, 0}, {0x1p-133f, 1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) assert_int_equal(ingot__f32_to_bf16(rows[i].f), rows[i].h);
  assert_true(isnan(ingot__bf16_to_f32(ingot__f32_to_bf16(NAN))));
  assert_true(isnan(ingot__bf16_to_f32(ingot__f32_to_bf16(float_of(0x7f800001)))));
  for (uint32_t h = 0; h < 65536; h++)
    if ((h & 0x7fff) <= 0x7f80) assert_int_equal(ingot__f32_to_bf16(ingot__bf16_to_f32((uint16_t)h)), h);
}

static const struct { ingot_dtype dtype; const float *table; bool fnuz; float max; } eights[] = {
  {INGOT_FLOAT8E4M3FN, e4m3fn, false, 448}, {INGOT_FLOAT8E4M3FNUZ, e4m3fnuz, true, 240}, {INGOT_FLOAT8E5M2, e5m2, false, 57344},
  {INGOT_FLOAT8E5M2FNUZ, e5m2fnuz, true, 57344},
};

/* The code whose value is nearest, the even one of two; the caller keeps out what rounds beyond the largest. */
static int nearest(const float *table, float f) {
  int best = -1;
  for (int c = 0; c < 128; c++) { /* the positive codes; the sign is added by the caller */
    if (!isfinite(table[c])) continue;
    double d = fabs((double)table[c] - fabs((double)f)), e = best < 0 ? INFINITY : fabs((double)table[best] - fabs((double)f));
    if (d < e || (d == e && c % 2 == 0)) best = c;
  }
  return best;
}

static void eight_bits(void **state) {
  (void)state;
  for (size_t k = 0; k < 4; k++) {
    ingot_dtype t = eights[k].dtype;
    for (int c = 0; c < 256; c++) {
      float v = ingot__narrow_to_f32(t, (uint8_t)c);
      if (!same(v, eights[k].table[c])) fail_msg("%s %02x: %a, not %a", ingot_dtype_name(t), c, (double)v, (double)eights[k].table[c]);
      if (isfinite(v)) {
        assert_int_equal(ingot__f32_to_narrow(t, v, true), c);
        assert_int_equal(ingot__f32_to_narrow(t, v, false), c);
      } else if (isnan(v)) {
        assert_true(isnan(ingot__narrow_to_f32(t, ingot__f32_to_narrow(t, v, true)))
                    && isnan(ingot__narrow_to_f32(t, ingot__f32_to_narrow(t, v, false))));
      }
    }
    /* The table of ONNX's Cast: saturated, everything above is the largest; else NaN, but infinity for E5M2. */
    float tie = t == INGOT_FLOAT8E4M3FN ? 464.0f : t == INGOT_FLOAT8E4M3FNUZ ? 248.0f : 61440.0f; /* between the largest and the next */
    float beyond[] = {INFINITY, 1e30f, eights[k].max * 2, nextafterf(tie, INFINITY)};
    for (int i = 0; i < 4; i++)
      for (int s = -1; s <= 1; s += 2) {
        float f = (float)s * beyond[i];
        assert_true(ingot__narrow_to_f32(t, ingot__f32_to_narrow(t, f, true)) == (float)s * eights[k].max);
        float wild = ingot__narrow_to_f32(t, ingot__f32_to_narrow(t, f, false));
        if (t == INGOT_FLOAT8E5M2) assert_true(wild == (float)s * INFINITY);
        else assert_true(isnan(wild));
      }
    assert_int_equal(ingot__f32_to_narrow(t, -0.0f, true), eights[k].fnuz ? 0 : 0x80);
    uint64_t random = 7;
    for (int i = 0; i < 20000; i++) { /* random magnitudes, ties and their neighbours */
      float f = ldexpf((float)testing_random(&random), (int)(testing_random(&random) * 40) - 24);
      if (i % 2) {
        int c = (int)(testing_random(&random) * 126);
        if (!isfinite(eights[k].table[c + 1])) continue;
        f = (eights[k].table[c] + eights[k].table[c + 1]) / 2;
        f = i % 4 == 1 ? f : i % 8 == 3 ? nextafterf(f, 0) : nextafterf(f, INFINITY);
      }
      if (i % 3 == 0) f = -f;
      if (fabsf(f) > eights[k].max) continue;
      int c = nearest(eights[k].table, f);
      if (f < 0 && !(eights[k].fnuz && c == 0)) c |= 0x80;
      int got = ingot__f32_to_narrow(t, f, i % 5 == 0);
      if (got != c) fail_msg("%s of %a: %02x, not %02x", ingot_dtype_name(t), (double)f, got, c);
    }
  }
}

static void four_bits(void **state) {
  (void)state;
  uint8_t data[8] = {0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe}; /* element i is i: the low half comes first */
  for (size_t i = 0; i < 16; i++) {
    assert_int_equal(ingot__get_int(INGOT_UINT4, data, i), i);
    assert_int_equal(ingot__get_int(INGOT_INT4, data, i), i < 8 ? (int)i : (int)i - 16);
    assert_true(same((float)ingot__get_double(INGOT_FLOAT4E2M1, data, i), e2m1[i]));
  }
  uint8_t out[2] = {0xff, 0xff};
  ingot__set_int(INGOT_UINT4, out, 1, 99);
  ingot__set_int(INGOT_UINT4, out, 0, -5);
  ingot__set_int(INGOT_INT4, out, 2, -100);
  ingot__set_int(INGOT_INT4, out, 3, 100);
  assert_int_equal(out[0], 0xf0);
  assert_int_equal(out[1], 0x78);
  static const struct { double v; uint8_t code; } rows[] = {
    {0.25, 0}, {0.75, 2}, {2.5, 4}, {3.5, 6}, {5, 6}, {5.01, 7}, {100, 7}, {-7, 15}, {INFINITY, 7}, {1.25, 2},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    ingot__set_double(INGOT_FLOAT4E2M1, out, 0, rows[i].v);
    assert_int_equal(out[0] & 15, rows[i].code);
  }
}

static void two_bits(void **state) {
  (void)state;
  uint8_t data[2] = {0xe4, 0xff}; /* 0, 1, 2, 3: the lowest bits come first */
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(ingot__get_int(INGOT_UINT2, data, i), i);
    assert_int_equal(ingot__get_int(INGOT_INT2, data, i), i < 2 ? (int)i : (int)i - 4);
  }
  ingot__set_int(INGOT_UINT2, data, 5, -1);
  ingot__set_int(INGOT_INT2, data, 6, -9);
  ingot__set_int(INGOT_INT2, data, 7, 9);
  assert_int_equal(data[1], 0x63);
}

/* OCP Microscaling Formats (MX) v1.0: E2M3 has steps of 1/8 below 2, up to 7.5; E3M2 of 1/16 below 1/2, up to 28. */
static void six_bits(void **state) {
  (void)state;
  static const struct { ingot_dtype dtype; float v; uint8_t code; } rows[] = {
    {INGOT_FLOAT6E2M3, 0.125f, 1}, {INGOT_FLOAT6E2M3, 1, 8}, {INGOT_FLOAT6E2M3, 1.875f, 15}, {INGOT_FLOAT6E2M3, 2.25f, 17},
    {INGOT_FLOAT6E2M3, 7.5f, 31}, {INGOT_FLOAT6E2M3, -4, 56}, {INGOT_FLOAT6E3M2, 0.0625f, 1}, {INGOT_FLOAT6E3M2, 0.25f, 4},
    {INGOT_FLOAT6E3M2, 1, 12}, {INGOT_FLOAT6E3M2, 28, 31}, {INGOT_FLOAT6E3M2, -0.3125f, 37},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_true(same(ingot__narrow_to_f32(rows[i].dtype, rows[i].code), rows[i].v));
    assert_int_equal(ingot__f32_to_narrow(rows[i].dtype, rows[i].v, false), rows[i].code);
  }
  for (unsigned c = 0; c < 64; c++)
    for (int d = INGOT_FLOAT6E2M3; d <= INGOT_FLOAT6E3M2; d++)
      assert_int_equal(ingot__f32_to_narrow((ingot_dtype)d, ingot__narrow_to_f32((ingot_dtype)d, (uint8_t)c), true), c);
  for (int saturate = 0; saturate < 2; saturate++) { /* there is nothing but the largest to go to */
    assert_int_equal(ingot__f32_to_narrow(INGOT_FLOAT6E2M3, 100, saturate), 31);
    assert_int_equal(ingot__f32_to_narrow(INGOT_FLOAT6E3M2, -INFINITY, saturate), 63);
    assert_int_equal(ingot__f32_to_narrow(INGOT_FLOAT4E2M1, INFINITY, saturate), 7);
  }
  assert_int_equal(ingot__f32_to_narrow(INGOT_FLOAT6E2M3, 1.0625f, true), 8); /* halfway: to even */
  assert_int_equal(ingot__f32_to_narrow(INGOT_FLOAT6E2M3, 1.1875f, true), 10);
}

/* ONNX's table of casts to float8e8m0. */
static void powers_of_two(void **state) {
  (void)state;
  enum { UP = INGOT__E8M0_UP, DOWN = INGOT__E8M0_DOWN, NEAREST = INGOT__E8M0_NEAREST };
  static const struct { float v; bool saturate; int round; int code; } rows[] = {
    {1, true, UP, 127}, {1.0001f, true, UP, 128}, {1.9f, true, DOWN, 127}, {1.4999f, true, NEAREST, 127}, {1.5f, true, NEAREST, 128},
    {0, true, UP, 0}, {0, false, NEAREST, 255}, {NAN, true, UP, 255}, {INFINITY, true, UP, 254}, {INFINITY, false, NEAREST, 255},
    {0x1.8p127f, true, UP, 254}, {0x1.8p127f, false, NEAREST, 255}, {0x1.4p127f, false, NEAREST, 254}, {0x1p-127f, false, UP, 0},
    {0x1p-130f, true, UP, 0}, {0x1p-130f, false, UP, 255}, {0x1.8p-127f, true, UP, 1}, {-1, true, UP, 255},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_int_equal(ingot__f32_to_e8m0(rows[i].v, rows[i].saturate, (ingot__e8m0_round)rows[i].round), rows[i].code);
  assert_true(ingot__e8m0_to_f32(127) == 1 && ingot__e8m0_to_f32(254) == 0x1p127f && ingot__e8m0_to_f32(0) == 0x1p-127f);
  assert_true(isnan(ingot__e8m0_to_f32(255)));
}

static void elements(void **state) {
  (void)state;
  static const struct { ingot_dtype dtype; double low, high; } ints[] = {
    {INGOT_INT8, -128, 127}, {INGOT_UINT8, 0, 255}, {INGOT_INT16, -32768, 32767}, {INGOT_UINT16, 0, 65535},
    {INGOT_INT32, -2147483648.0, 2147483647.0}, {INGOT_UINT32, 0, 4294967295.0},
  };
  char room[17 * 8];
  for (size_t k = 0; k < sizeof ints / sizeof *ints; k++)
    for (size_t shift = 0; shift < 2; shift++) { /* any address will do */
      void *p = room + shift;
      const double v[] = {-1e30, -INFINITY, -2.9, -0.5, 0, 0.5, 2.9, 100, 1e30, INFINITY, NAN, 1e10};
      for (size_t i = 0; i < 12; i++) ingot__set_double(ints[k].dtype, p, i, v[i]);
      for (size_t i = 0; i < 12; i++) {
        double want = isnan(v[i]) ? 0 : trunc(fmin(fmax(v[i], ints[k].low), ints[k].high));
        assert_true(ingot__get_double(ints[k].dtype, p, i) == want);
        assert_true((double)ingot__get_int(ints[k].dtype, p, i) == want);
      }
    }
  ingot__set_double(INGOT_INT64, room, 1, 1e30);
  assert_true(ingot__get_int(INGOT_INT64, room, 1) == INT64_MAX);
  ingot__set_double(INGOT_INT64, room, 1, -1e30);
  assert_true(ingot__get_int(INGOT_INT64, room, 1) == INT64_MIN);
  ingot__set_double(INGOT_UINT64, room, 1, 0x1.8p63);
  assert_true(ingot__get_double(INGOT_UINT64, room, 1) == 0x1.8p63);
  assert_true(ingot__get_int(INGOT_UINT64, room, 1) == INT64_MAX);
  ingot__set_int(INGOT_UINT64, room, 1, -3);
  assert_true(ingot__get_int(INGOT_UINT64, room, 1) == 0);
  ingot__set_double(INGOT_BOOL, room, 3, -0.25);
  assert_int_equal(ingot__get_int(INGOT_BOOL, room, 3), 1);
  ingot__set_int(INGOT_FLOAT64, room, 2, INT64_C(1) << 53);
  assert_true(ingot__get_int(INGOT_FLOAT64, room, 2) == INT64_C(1) << 53);
  ingot__set_double(INGOT_FLOAT32, room, 2, NAN);
  assert_int_equal(ingot__get_int(INGOT_FLOAT32, room, 2), 0);
}

/* A double is rounded once. By way of float these would be rounded twice: first onto a tie, then away from the nearest. */
static void doubles_are_rounded_once(void **state) {
  (void)state;
  uint16_t h;
  ingot__set_double(INGOT_FLOAT16, &h, 0, 1 + 0x1p-11 + 0x1p-40);
  assert_int_equal(h, 0x3c01);
  ingot__set_double(INGOT_FLOAT16, &h, 0, 1 + 0x3p-11 - 0x1p-40);
  assert_int_equal(h, 0x3c01);
  ingot__set_double(INGOT_FLOAT16, &h, 0, -65520 + 0x1p-30);
  assert_int_equal(h, 0xfbff);
  ingot__set_double(INGOT_FLOAT16, &h, 0, 1e300);
  assert_int_equal(h, 0x7c00);
  ingot__set_double(INGOT_FLOAT16, &h, 0, 1e-300);
  assert_int_equal(h, 0);
  ingot__set_double(INGOT_BFLOAT16, &h, 0, 1 + 0x1p-8 + 0x1p-50);
  assert_int_equal(h, 0x3f81);
  ingot__set_int(INGOT_BFLOAT16, &h, 0, (INT64_C(1) << 62) + (INT64_C(1) << 54) + 1);
  assert_int_equal(h, 0x5e81);
  uint8_t v;
  ingot__set_double(INGOT_FLOAT8E4M3FN, &v, 0, 1 + 0x1p-4 + 0x1p-50);
  assert_int_equal(v, 0x39);
  ingot__set_double(INGOT_FLOAT8E4M3FN, &v, 0, 1e300);
  assert_int_equal(v, 0x7e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(table_is_complete), cmocka_unit_test(bytes_are_checked), cmocka_unit_test(half_by_hand), cmocka_unit_test(half_against_the_cpu),
    cmocka_unit_test(bfloat16), cmocka_unit_test(eight_bits), cmocka_unit_test(four_bits), cmocka_unit_test(two_bits),
    cmocka_unit_test(six_bits), cmocka_unit_test(powers_of_two), cmocka_unit_test(elements),
    cmocka_unit_test(doubles_are_rounded_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
