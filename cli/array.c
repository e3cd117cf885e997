/* Arrays: sizes, elements of every type as numbers, conversions. */
#include "array.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cli__array_size(ingot_dtype dtype, int rank, const int64_t *dims, size_t *count, size_t *bytes) {
  size_t n = 1, bits = ingot_dtype_bits(dtype);
  bool empty = false;
  for (int i = 0; i < rank; i++) {
    if (dims[i] < 0) return false;
    if (dims[i] == 0) empty = true;
    else if (__builtin_mul_overflow(n, (size_t)dims[i], &n)) return false;
  }
  size_t total;
  if (__builtin_mul_overflow(n, bits, &total) || total / 8 > PTRDIFF_MAX - 64) return false;
  *count = empty ? 0 : n;
  *bytes = empty ? 0 : total / 8 + (total % 8 != 0);
  return true;
}

ingot_status cli__array_alloc(cli__array *array, const char *name, ingot_dtype dtype, int rank, const int64_t *dims) {
  *array = (cli__array){.dtype = dtype, .rank = rank};
  if (rank < 0 || rank > INGOT_MAX_RANK) return cli__fail(INGOT_E_LIMIT, "an array has %d dims; at most %d are supported", rank, INGOT_MAX_RANK);
  if (ingot_dtype_bits(dtype) == 0) return cli__fail(INGOT_E_UNSUPPORTED, "arrays of type %s aren't supported", ingot_dtype_name(dtype));
  char text[192];
  if (!cli__array_size(dtype, rank, dims, &array->count, &array->bytes))
    return cli__fail(INGOT_E_LIMIT, "an array of %s elements can't exist", cli__dims_text(rank, dims, text));
  for (int i = 0; i < rank; i++) array->dims[i] = dims[i];
  array->data = aligned_alloc(64, (array->bytes + 64) & ~(size_t)63);
  if (name) array->name = strdup(name);
  if (!array->data || (name && !array->name)) {
    size_t bytes = array->bytes;
    cli__array_free(array);
    return cli__fail(INGOT_E_MEMORY, "no memory for an array of %zu bytes", bytes);
  }
  memset(array->data, 0, array->bytes);
  return INGOT_OK;
}

void cli__array_free(cli__array *array) {
  free(array->name);
  free(array->data);
  *array = (cli__array){0};
}

void cli__arrays_free(cli__arrays *arrays) {
  for (size_t i = 0; i < arrays->count; i++) cli__array_free(&arrays->items[i]);
  free(arrays->items);
  *arrays = (cli__arrays){0};
}

ingot_status cli__arrays_add(cli__arrays *arrays, cli__array *array) {
  cli__array *items = realloc(arrays->items, (arrays->count + 1) * sizeof *items);
  if (!items) {
    cli__array_free(array);
    return cli__no_memory();
  }
  arrays->items = items;
  items[arrays->count++] = *array;
  *array = (cli__array){0};
  return INGOT_OK;
}

cli__array *cli__arrays_find(const cli__arrays *arrays, const char *name) {
  for (size_t i = 0; i < arrays->count; i++)
    if (arrays->items[i].name && strcmp(arrays->items[i].name, name) == 0) return &arrays->items[i];
  return NULL;
}

const char *cli__arrays_names(const cli__arrays *arrays, char *text, size_t size) {
  size_t n = 0;
  text[0] = 0;
  for (size_t i = 0; i < arrays->count; i++) {
    const char *name = arrays->items[i].name ? arrays->items[i].name : "(unnamed)";
    if (n + strlen(name) + 8 > size) {
      snprintf(text + n, size - n, ", ...");
      break;
    }
    n += (size_t)snprintf(text + n, size - n, "%s%s", i ? ", " : "", name);
  }
  return text;
}

/* ---- Elements ---- */

static double half_to_double(uint16_t h) {
  int exponent = h >> 10 & 31, fraction = h & 1023;
  double x = exponent == 0 ? ldexp(fraction, -24) : exponent < 31 ? ldexp(1024 + fraction, exponent - 25) : fraction ? NAN : INFINITY;
  return h & 0x8000 ? -x : x;
}

/* To nearest, ties to even, as IEEE 754 says. */
static uint16_t double_to_half(double x) {
  uint16_t sign = signbit(x) ? 0x8000 : 0;
  x = fabs(x);
  if (x == 0) return sign;
  if (isnan(x)) return sign | 0x7e00;
  if (x >= 65520) return sign | 0x7c00;
  int exponent;
  frexp(x, &exponent); /* x = [0.5, 1) * 2^exponent */
  if (exponent < -13) return sign | (uint16_t)nearbyint(ldexp(x, 24)); /* subnormal; rounding up to 1024 gives the smallest normal */
  return sign | (uint16_t)((exponent + 14) * 1024 + (int)nearbyint(ldexp(x, 11 - exponent)) - 1024); /* a carry raises the exponent */
}

static float from_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static uint16_t to_bfloat(double value) {
  float x = (float)value;
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  if (isnan(x)) return (uint16_t)(bits >> 16 | 64);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

double cli__array_get(const cli__array *a, size_t i) {
  const void *p = a->data;
  switch (a->dtype) {
    case INGOT_FLOAT32: return ((const float *)p)[i];
    case INGOT_FLOAT64: return ((const double *)p)[i];
    case INGOT_FLOAT16: return half_to_double(((const uint16_t *)p)[i]);
    case INGOT_BFLOAT16: return from_bits((uint32_t)((const uint16_t *)p)[i] << 16);
    case INGOT_INT8: return ((const int8_t *)p)[i];
    case INGOT_UINT8: return ((const uint8_t *)p)[i];
    case INGOT_BOOL: return ((const uint8_t *)p)[i] != 0;
    case INGOT_INT16: return ((const int16_t *)p)[i];
    case INGOT_UINT16: return ((const uint16_t *)p)[i];
    case INGOT_INT32: return ((const int32_t *)p)[i];
    case INGOT_UINT32: return ((const uint32_t *)p)[i];
    case INGOT_INT64: return (double)((const int64_t *)p)[i];
    case INGOT_UINT64: return (double)((const uint64_t *)p)[i];
    case INGOT_UINT4: return ((const uint8_t *)p)[i / 2] >> 4 * (i % 2) & 15;
    case INGOT_UINT2: return ((const uint8_t *)p)[i / 4] >> 2 * (i % 4) & 3;
    case INGOT_INT2: return ((((const uint8_t *)p)[i / 4] >> 2 * (i % 4) & 3) ^ 2) - 2;
    case INGOT_INT4: return ((((const uint8_t *)p)[i / 2] >> 4 * (i % 2) & 15) ^ 8) - 8;
    default: return NAN;
  }
}

static double hold(double x, double low, double high) {
  x = nearbyint(x);
  return x >= low ? (x <= high ? x : high) : low; /* NaN becomes `low` */
}

void cli__array_set(cli__array *a, size_t i, double x) {
  void *p = a->data;
  switch (a->dtype) {
    case INGOT_FLOAT32: ((float *)p)[i] = (float)x; break;
    case INGOT_FLOAT64: ((double *)p)[i] = x; break;
    case INGOT_FLOAT16: ((uint16_t *)p)[i] = double_to_half(x); break;
    case INGOT_BFLOAT16: ((uint16_t *)p)[i] = to_bfloat(x); break;
    case INGOT_INT8: ((int8_t *)p)[i] = (int8_t)hold(x, INT8_MIN, INT8_MAX); break;
    case INGOT_UINT8: ((uint8_t *)p)[i] = (uint8_t)hold(x, 0, UINT8_MAX); break;
    case INGOT_BOOL: ((uint8_t *)p)[i] = x != 0; break;
    case INGOT_INT16: ((int16_t *)p)[i] = (int16_t)hold(x, INT16_MIN, INT16_MAX); break;
    case INGOT_UINT16: ((uint16_t *)p)[i] = (uint16_t)hold(x, 0, UINT16_MAX); break;
    case INGOT_INT32: ((int32_t *)p)[i] = (int32_t)hold(x, INT32_MIN, INT32_MAX); break;
    case INGOT_UINT32: ((uint32_t *)p)[i] = (uint32_t)hold(x, 0, UINT32_MAX); break;
    case INGOT_INT64: ((int64_t *)p)[i] = (int64_t)hold(x, -0x1p63, 0x1.fffffffffffffp62); break;
    case INGOT_UINT64: ((uint64_t *)p)[i] = (uint64_t)hold(x, 0, 0x1.fffffffffffffp63); break;
    default: break;
  }
}

bool cli__is_float(ingot_dtype d) { return d == INGOT_FLOAT32 || d == INGOT_FLOAT64 || d == INGOT_FLOAT16 || d == INGOT_BFLOAT16; }
static bool is_signed(ingot_dtype d) { return d == INGOT_INT8 || d == INGOT_INT16 || d == INGOT_INT32 || d == INGOT_INT64; }
static bool is_int(ingot_dtype d) {
  return is_signed(d) || d == INGOT_UINT8 || d == INGOT_UINT16 || d == INGOT_UINT32 || d == INGOT_UINT64;
}

/* Integers pass as 64 bits, so that no value is rounded. */
static uint64_t get_int(const cli__array *a, size_t i) {
  if (a->dtype == INGOT_INT64 || a->dtype == INGOT_UINT64) return ((const uint64_t *)a->data)[i];
  return (uint64_t)(int64_t)cli__array_get(a, i);
}

static ingot_status set_int(cli__array *to, size_t i, uint64_t value, bool from_signed, const char *who) {
  bool negative = from_signed && (int64_t)value < 0;
  if (to->dtype == INGOT_INT64 || to->dtype == INGOT_UINT64) {
    if (to->dtype == INGOT_UINT64 ? !negative : negative || value <= INT64_MAX) {
      ((uint64_t *)to->data)[i] = value;
      return INGOT_OK;
    }
  } else {
    double x = negative ? (double)(int64_t)value : (double)value;
    cli__array_set(to, i, x);
    if (cli__array_get(to, i) == x) return INGOT_OK;
  }
  if (negative) return cli__fail(INGOT_E_TYPE, "%s: %lld doesn't fit %s", who, (long long)value, ingot_dtype_name(to->dtype));
  return cli__fail(INGOT_E_TYPE, "%s: %llu doesn't fit %s", who, (unsigned long long)value, ingot_dtype_name(to->dtype));
}

ingot_status cli__array_convert(cli__array *array, ingot_dtype dtype, const char *who) {
  if (array->dtype == dtype) return INGOT_OK;
  bool floats = cli__is_float(array->dtype) && cli__is_float(dtype), ints = is_int(array->dtype) && is_int(dtype);
  if (!floats && !ints) return cli__fail(INGOT_E_TYPE, "%s has type %s, but %s is wanted; convert it where it is made", who,
                                         ingot_dtype_name(array->dtype), ingot_dtype_name(dtype));
  cli__array to;
  CLI_TRY(cli__array_alloc(&to, array->name, dtype, array->rank, array->dims));
  for (size_t i = 0; i < to.count; i++) {
    if (floats) {
      cli__array_set(&to, i, cli__array_get(array, i));
      continue;
    }
    ingot_status status = set_int(&to, i, get_int(array, i), is_signed(array->dtype), who);
    if (status != INGOT_OK) {
      cli__array_free(&to);
      return status;
    }
  }
  cli__array_free(array);
  *array = to;
  return INGOT_OK;
}

const char *cli__dims_text(int rank, const int64_t *dims, char text[192]) {
  size_t n = 0;
  snprintf(text, 192, "scalar");
  for (int i = 0; i < rank; i++) {
    if (dims[i] < 0) n += (size_t)snprintf(text + n, 192 - n, "%s?", i ? "x" : "");
    else n += (size_t)snprintf(text + n, 192 - n, "%s%lld", i ? "x" : "", (long long)dims[i]);
  }
  return text;
}
