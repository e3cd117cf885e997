/* Random tensors: RandomNormal(shape), RandomUniform(shape) and Multinomial(log-probabilities).
 *
 * Numbers come from Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011), which is a function of a key and a counter: block k of a tensor needs none of
 * the blocks before it, so threads share the work and results don't depend on their number. With a seed every run gives the same numbers; without
 * one each run takes a new key. */
#include "ops/ints.h"
#include "ops/move.h"
#include <math.h>
#include <stdatomic.h>
#include <time.h>

typedef struct stream { uint32_t key[2]; } stream;

static void philox(const stream *s, uint64_t block, uint32_t out[4]) {
  uint32_t c[4] = {(uint32_t)block, (uint32_t)(block >> 32), 0, 0}, k[2] = {s->key[0], s->key[1]};
  for (int round = 0; round < 10; round++) {
    uint64_t a = (uint64_t)c[0] * 0xD2511F53u, b = (uint64_t)c[2] * 0xCD9E8D57u;
    uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k[0], (uint32_t)b, (uint32_t)(a >> 32) ^ c[3] ^ k[1], (uint32_t)a};
    memcpy(c, next, sizeof c);
    k[0] += 0x9E3779B9u, k[1] += 0xBB67AE85u;
  }
  memcpy(out, c, sizeof c);
}

/* A key for each run without a seed: the time of the process's first, and a count. */
static stream stream_of(bool seeded, float seed) {
  static _Atomic uint64_t count;
  uint64_t z = 0;
  if (seeded) {
    uint32_t bits;
    memcpy(&bits, &seed, sizeof bits);
    z = bits;
  } else {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    z = ((uint64_t)t.tv_sec * 1000000007u + (uint64_t)t.tv_nsec) ^ (atomic_fetch_add(&count, 1) + 1) << 40;
  }
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u; /* splitmix64's end */
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return (stream){{(uint32_t)z, (uint32_t)(z >> 32)}};
}

/* Two numbers in [0, 1) of 53 bits. */
static void pair(const stream *s, uint64_t block, double u[2]) {
  uint32_t w[4];
  philox(s, block, w);
  for (int i = 0; i < 2; i++) u[i] = (double)(((uint64_t)w[2 * i] << 32 | w[2 * i + 1]) >> 11) * 0x1p-53;
}

static ingot_status infer(ingot__infer *f) {
  const ingot__attrs_RandomNormal *a = f->attrs;
  ingot_dtype t = a->dtype > 0 && a->dtype < 64 ? (ingot_dtype)a->dtype : INGOT_UNDEFINED;
  if (t != INGOT_FLOAT32 && t != INGOT_FLOAT64 && t != INGOT_FLOAT16 && t != INGOT_BFLOAT16) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "gives floats, not type %lld", (long long)a->dtype);
  }
  if (!ingot__infer_has(f, 0) || f->in[0]->dtype != INGOT_INT64) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the shape must be int64");
  ingot__type_unknown(&f->out[0], t);
  return ingot__ints_shape(f, 0, &f->out[0]);
}
ingot_status ingot__infer_RandomNormal(ingot__infer *f) { return infer(f); }
ingot_status ingot__infer_RandomUniform(ingot__infer *f) { return infer(f); }

typedef struct job { const ingot__call *call; stream s; bool normal; double a, b; } job;

static void fill(void *arg, int i, int n) {
  const job *j = arg;
  const ingot__view *out = &j->call->out[0];
  size_t begin, end, count = (size_t)ingot__view_count(out);
  ingot__share(count, 1024, i, n, &begin, &end);
  for (size_t at = begin; at < end; at += 2) { /* begin is even */
    double u[2], v[2];
    pair(&j->s, at / 2, u);
    if (j->normal) { /* Box and Muller 1958; 1 - u is never 0 */
      double r = sqrt(-2 * log(1 - u[0])), angle = 2 * 3.14159265358979323846 * u[1];
      v[0] = j->a + j->b * r * cos(angle), v[1] = j->a + j->b * r * sin(angle);
    } else {
      for (int k = 0; k < 2; k++) v[k] = j->a + (j->b - j->a) * u[k];
    }
    for (size_t k = 0; k < 2 && at + k < end; k++) {
      if (out->dtype == INGOT_FLOAT32) ((float *)out->data)[at + k] = (float)v[k];
      else ingot__set_double(out->dtype, out->data, at + k, v[k]);
      /* Rounding to a narrower type must not reach `high`. */
      if (!j->normal && j->b > j->a && ingot__get_double(out->dtype, out->data, at + k) >= j->b) {
        ingot__set_double(out->dtype, out->data, at + k, j->a);
      }
    }
  }
}

ingot_status ingot__ref_RandomNormal(const ingot__call *call) {
  const ingot__attrs_RandomNormal *a = INGOT__ATTRS(call, RandomNormal);
  job j = {.call = call, .s = stream_of(a->seeded != 0, a->seed), .normal = true, .a = (double)a->mean, .b = (double)a->scale};
  ingot__pool_run(call->pool, fill, &j);
  return INGOT_OK;
}
ingot_status ingot__ref_RandomUniform(const ingot__call *call) {
  const ingot__attrs_RandomUniform *a = INGOT__ATTRS(call, RandomUniform);
  job j = {.call = call, .s = stream_of(a->seeded != 0, a->seed), .a = (double)a->low, .b = (double)a->high};
  ingot__pool_run(call->pool, fill, &j);
  return INGOT_OK;
}

ingot_status ingot__infer_Multinomial(ingot__infer *f) {
  const ingot__attrs_Multinomial *a = f->attrs;
  bool unknown;
  INGOT_TRY(ingot__infer_rank(f, 0, 2, 2, &unknown));
  if (!ingot__dtype_is_float(f->in[0]->dtype)) return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(f->in[0]->dtype));
  if (a->dtype != INGOT_INT32 && a->dtype != INGOT_INT64) {
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "gives int32 or int64, not type %lld", (long long)a->dtype);
  }
  if (a->sample_size < 0) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "sample_size is %lld", (long long)a->sample_size);
  if (!unknown && f->in[0]->dim[1] == 0) return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "there is no class to draw");
  f->out[0] = (ingot__type){.dtype = (ingot_dtype)a->dtype, .rank = 2, .dim = {unknown ? INGOT__DIM_UNKNOWN : f->in[0]->dim[0], a->sample_size}};
  return INGOT_OK;
}

size_t ingot__workspace_Multinomial(const ingot__call *call) {
  size_t bytes;
  return ingot__mul((size_t)(call->in[0].rank == 2 ? call->in[0].dim[1] : 0), sizeof(double), &bytes) ? bytes : SIZE_MAX;
}

/* Row by row: the running sums of exp(x - max), and for each sample the first that is above u times the last. */
ingot_status ingot__ref_Multinomial(const ingot__call *call) {
  const ingot__attrs_Multinomial *a = INGOT__ATTRS(call, Multinomial);
  const ingot__view *x = &call->in[0], *out = &call->out[0];
  size_t rows = (size_t)x->dim[0], classes = (size_t)x->dim[1], samples = (size_t)out->dim[1];
  stream s = stream_of(a->seeded != 0, a->seed);
  double *sum = call->workspace;
  if (call->workspace_size < classes * sizeof *sum) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "the workspace is too small");
  for (size_t r = 0; r < rows; r++) {
    double most = -INFINITY, total = 0;
    for (size_t c = 0; c < classes; c++) most = fmax(most, ingot__get_double(x->dtype, x->data, r * classes + c));
    for (size_t c = 0; c < classes; c++) {
      double e = exp(ingot__get_double(x->dtype, x->data, r * classes + c) - most);
      sum[c] = total += e == e ? e : 0;
    }
    for (size_t k = 0; k < samples; k++) {
      double u[2];
      size_t at = r * samples + k, low = 0, high = classes - 1;
      pair(&s, at / 2, u);
      while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sum[middle] > u[at % 2] * total) high = middle;
        else low = middle + 1;
      }
      ingot__set_int(out->dtype, out->data, at, (int64_t)low);
    }
  }
  return INGOT_OK;
}
