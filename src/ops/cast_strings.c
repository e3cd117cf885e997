/* Numbers as text and back. The C library's conversions follow the process's locale, which isn't ours to set: texts are read in the locale
 * "C", and what is written has its point put right. */
#define _GNU_SOURCE
#include "ops/cast_strings.h"
#include <ctype.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { LONGEST = 400 }; /* characters of a number; the largest double takes 309 in plain notation */

static locale_t c_locale;
static void make_locale(void) { c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); }
static bool has_locale(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_locale);
  return c_locale != (locale_t)0;
}

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static ingot_status parse(const ingot__call *call, ingot_string s, void *out, size_t i) {
  char text[LONGEST + 1], *end;
  ingot_dtype to = call->out[0].dtype;
  size_t from = 0, n = s.size;
  while (from < n && is_blank(s.data[from])) from++;
  while (n > from && is_blank(s.data[n - 1])) n--;
  bool good = n > from && n - from <= LONGEST && !memchr(s.data + from, 0, n - from);
  if (good) {
    memcpy(text, s.data + from, n - from);
    text[n - from] = 0;
    good = !strpbrk(text, "xX("); /* hexadecimal, and NaN's payload */
  }
  if (good && ingot__dtype_is_int(to) && !strpbrk(text, ".eEnN")) { /* whole numbers exactly */
    if (to == INGOT_UINT64 && *text != '-') {
      uint64_t v = strtoull_l(text, &end, 10, c_locale);
      if (!*end) return memcpy((char *)out + i * sizeof v, &v, sizeof v), INGOT_OK;
    }
    int64_t v = strtoll_l(text, &end, 10, c_locale);
    if (!*end) return ingot__set_int(to, out, i, v), INGOT_OK;
  }
  double v = good ? strtod_l(text, &end, c_locale) : 0;
  if (good && end != text && !*end) return ingot__set_double(to, out, i, v), INGOT_OK;
  return INGOT__FAIL_CALL(call, INGOT_E_TYPE, "'%.*s' is no number", (int)(s.size < 64 ? s.size : 64), s.data ? s.data : "");
}

ingot_status ingot__cast_from_strings(const ingot__call *call) {
  if (!has_locale()) return ingot__no_memory(call->diag);
  const ingot_string *s = call->in[0].data;
  size_t n = (size_t)ingot__view_count(&call->in[0]);
  for (size_t i = 0; i < n; i++) INGOT_TRY(parse(call, s[i], call->out[0].data, i));
  return INGOT_OK;
}

/* The text of digits and exponent as printf's %e gives them: plain for exponents of -5 to 15, as NumPy and Python have it. */
static size_t notation(char *text, size_t size, const char *digits, int n_digits, int exponent, bool negative) {
  size_t at = 0;
  if (negative) text[at++] = '-';
  if (exponent < -5 || exponent > 15) {
    text[at++] = digits[0];
    if (n_digits > 1) text[at++] = '.';
    for (int i = 1; i < n_digits; i++) text[at++] = digits[i];
    return at + (size_t)snprintf(text + at, size - at, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
  }
  if (exponent < 0) {
    text[at++] = '0';
    text[at++] = '.';
    for (int i = -1; i > exponent; i--) text[at++] = '0';
  }
  for (int i = 0; i < n_digits || i <= exponent; i++) {
    if (exponent >= 0 && i == exponent + 1) text[at++] = '.';
    text[at++] = i < n_digits ? digits[i] : '0';
  }
  text[at] = 0;
  return at;
}

static size_t float_text(char *text, size_t size, ingot_dtype dtype, double v) {
  if (isnan(v)) return (size_t)snprintf(text, size, "NaN");
  if (isinf(v)) return (size_t)snprintf(text, size, v < 0 ? "-INF" : "INF");
  for (int precision = 0;; precision++) {
    char scientific[48], digits[24], back[8];
    int n = 0;
    snprintf(scientific, sizeof scientific, "%.*e", precision, fabs(v));
    const char *p = scientific;
    for (; *p != 'e'; p++)
      if (isdigit((unsigned char)*p)) digits[n++] = *p;
    int exponent = atoi(p + 1);
    char again[48]; /* the same number with a point, whatever the locale writes */
    snprintf(again, sizeof again, "%c.%.*se%d", digits[0], n - 1, digits + 1, exponent);
    ingot__set_double(dtype, back, 0, strtod_l(again, NULL, c_locale));
    if (precision < 16 && ingot__get_double(dtype, back, 0) != fabs(v)) continue;
    return notation(text, size, digits, n, exponent, signbit(v));
  }
}

ingot_status ingot__cast_to_strings(const ingot__call *call) {
  const ingot__view *in = &call->in[0];
  ingot_string *out = call->out[0].data;
  size_t n = (size_t)ingot__view_count(in);
  if (!call->strings) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "strings can't be made here");
  if (!has_locale()) return ingot__no_memory(call->diag);
  for (size_t i = 0; i < n; i++) {
    char text[64];
    size_t length;
    if (ingot__dtype_is_float(in->dtype)) length = float_text(text, sizeof text, in->dtype, ingot__get_double(in->dtype, in->data, i));
    else if (in->dtype == INGOT_UINT64) length = (size_t)snprintf(text, sizeof text, "%" PRIu64, ((const uint64_t *)in->data)[i]);
    else length = (size_t)snprintf(text, sizeof text, "%" PRId64, ingot__get_int(in->dtype, in->data, i));
    out[i] = ingot__string_copy(call->strings, text, length);
    if (!out[i].data) return ingot__no_memory(call->diag);
  }
  return INGOT_OK;
}
