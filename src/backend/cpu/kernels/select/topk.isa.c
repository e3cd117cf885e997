/* TopK of floats. An element and its place become one 64-bit key that grows the earlier it comes in the result: a line's keys above those that
 * are surely out are collected, and thinned to the k greatest by quickselect whenever twice as many have come together. Pivots are drawn at
 * random, so that no order of elements is a bad one. */
#include "backend/cpu/kernels/template.h"
#include "backend/cpu/kernels/vector_math.inc"

enum { STEP = 64, SHORT = 12, GRAIN = 32768 };

typedef struct job {
  const ingot__call *call;
  int64_t outer, n, inner, k, cap; /* cap: of collected keys */
  uint32_t flip;                   /* all ones for the least */
  size_t per_thread;
} job;

/* Floats as unsigned numbers of the same order: -0 as 0, NaN above all. */
INGOT__INLINE uint32_t order(float x) {
  const uint32_t u = bits_of_float(x + 0.0f), mask = (uint32_t)((int32_t)u >> 31) | 0x80000000u;
  return x != x ? UINT32_MAX : u ^ mask;
}

static uint64_t draw(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return *state >> 33;
}

/* Puts keys greater than a drawn one before it and the others behind; returns its place. */
static int64_t part(uint64_t *key, int64_t n, uint64_t *state) {
  const int64_t at = (int64_t)(draw(state) % (uint64_t)n);
  const uint64_t pivot = key[at];
  int64_t place = 0;
  key[at] = key[n - 1];
  for (int64_t i = 0; i < n - 1; i++) { /* without branches: which way one goes can't be foreseen */
    const uint64_t v = key[i], w = key[place];
    key[i] = w, key[place] = v;
    place += v > pivot;
  }
  key[n - 1] = key[place], key[place] = pivot;
  return place;
}

/* The k greatest come first, in any order. */
static void choose(uint64_t *key, int64_t n, int64_t k, uint64_t *state) {
  while (n > 1 && k > 0 && k < n) {
    const int64_t place = part(key, n, state);
    if (place == k || place + 1 == k) return;
    if (place > k) n = place;
    else key += place + 1, n -= place + 1, k -= place + 1;
  }
}

static void sort(uint64_t *key, int64_t n, uint64_t *state) {
  while (n > SHORT) {
    const int64_t place = part(key, n, state), behind = n - place - 1;
    if (place < behind) { /* the shorter side by recursion: its depth is bounded */
      sort(key, place, state);
      key += place + 1, n = behind;
    } else {
      sort(key + place + 1, behind, state);
      n = place;
    }
  }
  for (int64_t i = 1; i < n; i++) {
    const uint64_t v = key[i];
    int64_t at = i;
    for (; at > 0 && key[at - 1] < v; at--) key[at] = key[at - 1];
    key[at] = v;
  }
}

/* The k first keys of a line, sorted, at `key`. */
static void best(const job *j, const uint32_t *line, uint64_t *key) {
  int64_t count = 0;
  uint32_t limit = 0; /* what isn't above it is out */
  bool limited = false;
  uint64_t state = 88172645463325252u;
  for (int64_t i = 0; i < j->n; i += STEP) {
    const int64_t m = j->n - i < STEP ? j->n - i : STEP;
    if (limited) {
      uint32_t any = 0;
      for (int64_t c = 0; c < m; c++) any |= line[i + c] > limit;
      if (!any) continue;
    }
    for (int64_t c = 0; c < m; c++) {
      if (limited && line[i + c] <= limit) continue;
      if (count == j->cap) {
        choose(key, count, j->k, &state);
        count = j->k;
        uint64_t least = UINT64_MAX;
        for (int64_t q = 0; q < count; q++) least = key[q] < least ? key[q] : least;
        limit = (uint32_t)(least >> 32), limited = true;
        if (line[i + c] <= limit) continue;
      }
      key[count++] = (uint64_t)line[i + c] << 32 | (UINT32_MAX - (uint32_t)(i + c));
    }
  }
  choose(key, count, j->k, &state);
  sort(key, j->k, &state);
}

static void work(void *arg, int thread, int threads) {
  const job *j = arg;
  const ingot__call *call = j->call;
  uint64_t *key = (uint64_t *)(void *)((char *)call->workspace + (size_t)thread * j->per_thread);
  uint32_t *line = (uint32_t *)(void *)(key + j->n);
  size_t begin, end;
  ingot__share((size_t)(j->outer * j->inner), 1, thread, threads, &begin, &end);
  for (size_t u = begin; u < end; u++) {
    const int64_t o = (int64_t)u / j->inner, in = (int64_t)u % j->inner;
    const float *x = (const float *)call->in[0].data + o * j->n * j->inner + in;
    if (j->inner == 1)
      for (int64_t i = 0; i < j->n; i++) line[i] = order(x[i]) ^ j->flip;
    else
      for (int64_t i = 0; i < j->n; i++) line[i] = order(x[i * j->inner]) ^ j->flip;
    best(j, line, key);
    const int64_t to = o * j->k * j->inner + in;
    for (int64_t i = 0; i < j->k; i++) {
      const int64_t from = (int64_t)(UINT32_MAX - (uint32_t)key[i]);
      if (ingot__has_out(call, 0)) ((float *)call->out[0].data)[to + i * j->inner] = x[from * j->inner];
      if (ingot__has_out(call, 1)) ((int64_t *)call->out[1].data)[to + i * j->inner] = from;
    }
  }
}

static bool prepare(const ingot__call *call, job *j) {
  *j = (job){.call = call, .outer = 1, .n = 1, .inner = 1};
  if (!ingot__has_in(call, 0) || !ingot__has_in(call, 1) || call->in[0].dtype != INGOT_FLOAT32 || call->in[0].rank < 1) return false;
  if (call->in[0].layout != INGOT__PLAIN) return false;
  const ingot__attrs_TopK *a = INGOT__ATTRS(call, TopK);
  const ingot__view *x = &call->in[0];
  const int64_t axis = a->axis < 0 ? a->axis + x->rank : a->axis;
  if (axis < 0 || axis >= x->rank || x->dim[axis] >= INT32_MAX) return false;
  for (int i = 0; i < x->rank; i++) *(i < axis ? &j->outer : i == axis ? &j->n : &j->inner) *= x->dim[i];
  for (size_t i = 0; i < call->n_out; i++) {
    if (!ingot__has_out(call, i)) continue;
    if (call->out[i].rank != x->rank || call->out[i].layout != INGOT__PLAIN) return false;
    j->k = call->out[i].dim[axis];
  }
  j->flip = a->largest ? 0 : UINT32_MAX;
  j->cap = 2 * j->k < STEP ? STEP : 2 * j->k;
  if (j->cap > j->n) j->cap = j->n;
  size_t bytes;
  if (!ingot__mul((size_t)j->n, sizeof(uint64_t) + sizeof(uint32_t), &bytes)) return false;
  j->per_thread = ingot__align(bytes, 64);
  return j->k >= 0 && j->k <= j->n;
}

static bool supports(const ingot__call *call) {
  job j;
  return prepare(call, &j) && call->in[1].constant; /* k is known: the outputs' sizes are */
}
static size_t workspace(const ingot__call *call) {
  job j;
  size_t bytes;
  if (!prepare(call, &j)) return 0;
  return ingot__mul(j.per_thread, call->threads > 1 ? (size_t)call->threads : 1, &bytes) ? bytes : SIZE_MAX;
}
static ingot_status run(const ingot__call *call) {
  job j;
  if (!prepare(call, &j)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "not a selection for this kernel");
  if (j.k == 0 || j.outer * j.inner == 0) return INGOT_OK;
  if (j.outer * j.inner * j.n < GRAIN) work(&j, 0, 1);
  else ingot__pool_run(call->pool, work, &j);
  return INGOT_OK;
}

const ingot__kernel_functions INGOT__KERNEL(topk_f32) = {.supports = supports, .workspace = workspace, .run = run};
