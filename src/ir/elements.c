/* Elements of constants as text, and random ones. The random ones are computed each from seed and index (splitmix64's finaliser, by
 * Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014), so that they can be checked one by one. */
#include "ir/elements.h"
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void ingot__double_text(double v, int digits, char text[INGOT__ELEMENT_TEXT]) {
  if (isnan(v)) {
    memcpy(text, "nan", 4);
    return;
  }
  snprintf(text, INGOT__ELEMENT_TEXT, "%.*g", digits, v);
  for (char *p = text; *p; p++) { /* whatever the program's locale puts for the point */
    if ((*p < '0' || *p > '9') && !strchr("+-einf", *p)) {
      *p = '.';
      size_t n = 1;
      while (p[n] && (p[n] & 0x80)) n++; /* a point of several bytes */
      memmove(p + 1, p + n, strlen(p + n) + 1);
    }
  }
}

bool ingot__double_parse(const char *text, double *v) {
  char local[INGOT__ELEMENT_TEXT + 8];
  const char *point = localeconv()->decimal_point;
  size_t n = 0, k = strlen(point);
  for (const char *p = text; *p; p++) {
    if (n + k + 1 > sizeof local || (!strchr("+-eE.infa", *p) && (*p < '0' || *p > '9'))) return false;
    if (*p == '.') memcpy(local + n, point, k), n += k;
    else local[n++] = *p;
  }
  local[n] = 0;
  char *end;
  *v = strtod(local, &end);
  return n && !*end;
}

void ingot__element_text(ingot_dtype dtype, const void *data, size_t i, char text[INGOT__ELEMENT_TEXT]) {
  if (dtype == INGOT_UINT64) {
    uint64_t v;
    memcpy(&v, (const char *)data + i * sizeof v, sizeof v);
    snprintf(text, INGOT__ELEMENT_TEXT, "%" PRIu64, v);
  } else if (ingot__dtype_is_float(dtype)) {
    ingot__double_text(ingot__get_double(dtype, data, i), dtype == INGOT_FLOAT64 ? 17 : 9, text);
  } else {
    snprintf(text, INGOT__ELEMENT_TEXT, "%" PRId64, ingot__get_int(dtype, data, i));
  }
}

bool ingot__element_parse(ingot_dtype dtype, void *data, size_t i, const char *text) {
  double v;
  char *end;
  if (ingot__dtype_is_float(dtype)) {
    if (!ingot__double_parse(text, &v)) return false;
    ingot__set_double(dtype, data, i, v);
    return true;
  }
  errno = 0;
  if (dtype == INGOT_UINT64) {
    uint64_t u = strtoull(text, &end, 10);
    if (end == text || *end || errno || *text == '-') return false;
    memcpy((char *)data + i * sizeof u, &u, sizeof u);
    return true;
  }
  int64_t n = strcmp(text, "true") == 0;
  if (!n && strcmp(text, "false")) {
    n = strtoll(text, &end, 10);
    if (end == text || *end || errno) return false;
  }
  ingot__set_int(dtype, data, i, n);
  return ingot__get_int(dtype, data, i) == n;
}

enum { SEED_BITS = 20 }; /* of the seed, in the first elements */

static uint64_t mix(uint64_t z) {
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

static bool is_unsigned(ingot_dtype dtype) {
  return ingot__dtype_is_unsigned(dtype);
}

/* Bits of the seed that one element holds. */
static unsigned digit_bits(ingot_dtype dtype) { return dtype == INGOT_BOOL ? 1 : ingot_dtype_bits(dtype) == 2 ? 2 : 4; }

/* The element that stands for a digit, and back: -1 where it's none. */
static void set_digit(ingot_dtype dtype, void *data, size_t at, int digit) {
  if (dtype == INGOT_FLOAT4E2M1 || dtype == INGOT_INT2) ingot__set_bits(dtype, data, at, (unsigned)digit);
  else if (dtype == INGOT_FLOAT8E8M0) ((uint8_t *)data)[at] = (uint8_t)(120 + digit);
  else if (ingot__dtype_is_float(dtype)) ingot__set_double(dtype, data, at, (double)(digit - 8) / 8);
  else ingot__set_int(dtype, data, at, is_unsigned(dtype) || dtype == INGOT_BOOL ? digit : digit - 8);
}
static int get_digit(ingot_dtype dtype, const void *data, size_t at) {
  if (dtype == INGOT_FLOAT4E2M1 || dtype == INGOT_INT2) return (int)ingot__get_bits(dtype, data, at);
  if (dtype == INGOT_FLOAT8E8M0) return ((const uint8_t *)data)[at] - 120;
  if (dtype == INGOT_BOOL) return (int)(ingot__get_int(dtype, data, at) & 1);
  double v = ingot__get_double(dtype, data, at) * (ingot__dtype_is_float(dtype) ? 8 : 1) + (is_unsigned(dtype) ? 0 : 8);
  return v >= 0 && v <= 15 ? (int)v : -1;
}

void ingot__random_element(ingot_dtype dtype, void *data, size_t at, size_t i, uint32_t seed) {
  uint64_t r = mix(mix((uint64_t)seed + 1) + ((uint64_t)i + 1) * 0x9e3779b97f4a7c15u);
  unsigned bits = digit_bits(dtype);
  bool fine = ingot__dtype_is_float(dtype) && !ingot__dtype_is_packed(dtype) && dtype != INGOT_FLOAT8E8M0;
  if (i < SEED_BITS / bits) set_digit(dtype, data, at, (int)(seed >> (bits * i) & ((1u << bits) - 1)));
  else if (fine) ingot__set_double(dtype, data, at, (double)(r >> 40) * 0x1p-23 - 1);
  else set_digit(dtype, data, at, (int)(r >> (64 - bits)));
}

bool ingot__random_seed(ingot_dtype dtype, const void *data, size_t n, uint32_t *seed) {
  uint32_t s = 0;
  unsigned bits = digit_bits(dtype);
  if (n < SEED_BITS) return false;
  for (size_t i = 0; i < SEED_BITS / bits; i++) {
    int digit = get_digit(dtype, data, i);
    if (digit < 0 || digit > 15) return false;
    s |= (uint32_t)digit << (bits * i);
  }
  for (size_t i = 0; i < n; i++) {
    uint64_t one = 0;
    ingot__random_element(dtype, &one, 0, i, s);
    if (ingot__get_double(dtype, &one, 0) != ingot__get_double(dtype, data, i)) return false;
  }
  *seed = s;
  return true;
}
