/* TfIdfVectorizer: counts of known n-grams, whose tokens may stand apart by up to a number of others. */
#include "ops/ints.h"
#include "ops/lookup.h"
#include "ops/move.h"

typedef const ingot__attrs_TfIdfVectorizer attrs;

static size_t pool_size(attrs *a) { return a->pool_int64s.n ? a->pool_int64s.n : a->pool_strings.n; }

/* Where the pool's n-grams of `length` tokens start and end, in tokens. */
static void slice(attrs *a, size_t length, size_t *from, size_t *to) {
  size_t n = a->ngram_counts.n;
  *from = length - 1 < n ? (size_t)a->ngram_counts.v[length - 1] : pool_size(a);
  *to = length < n ? (size_t)a->ngram_counts.v[length] : pool_size(a);
}

static ingot_status check(ingot__infer *f, attrs *a, int64_t *width) {
  size_t grams = 0;
  if (strcmp(a->mode, "TF") && strcmp(a->mode, "IDF") && strcmp(a->mode, "TFIDF"))
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "mode is '%s', not TF, IDF or TFIDF", a->mode);
  if ((a->pool_int64s.n != 0) == (a->pool_strings.n != 0))
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "either pool_int64s or pool_strings must be given");
  if (a->min_gram_length < 1 || a->max_gram_length < a->min_gram_length || a->max_skip_count < 0)
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "n-grams of %lld to %lld tokens with up to %lld skipped", (long long)a->min_gram_length,
                             (long long)a->max_gram_length, (long long)a->max_skip_count);
  if (a->ngram_counts.n == 0 || a->max_gram_length > (int64_t)a->ngram_counts.n)
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "ngram_counts has %zu numbers for n-grams of up to %lld tokens", a->ngram_counts.n,
                             (long long)a->max_gram_length);
  for (size_t i = 0; i < a->ngram_counts.n; i++) {
    int64_t from = a->ngram_counts.v[i], to = i + 1 < a->ngram_counts.n ? a->ngram_counts.v[i + 1] : (int64_t)pool_size(a);
    if (from < 0 || to < from || to > (int64_t)pool_size(a) || (to - from) % (int64_t)(i + 1))
      return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "ngram_counts[%zu] is %lld, which the pool can't have", i, (long long)from);
    grams += (size_t)(to - from) / (i + 1);
  }
  if (a->ngram_indexes.n != grams || (a->weights.n && a->weights.n != grams))
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "%zu n-grams have %zu indexes and %zu weights", grams, a->ngram_indexes.n, a->weights.n);
  *width = 0;
  for (size_t i = 0; i < grams; i++) {
    int64_t index = a->ngram_indexes.v[i];
    if (index < 0 || index >= INT32_MAX) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "ngram_indexes[%zu] is %lld", i, (long long)index);
    if (index >= *width) *width = index + 1;
  }
  return INGOT_OK;
}

ingot_status ingot__infer_TfIdfVectorizer(ingot__infer *f) {
  attrs *a = f->attrs;
  int64_t width = 0;
  bool unknown;
  INGOT_TRY(check(f, a, &width));
  INGOT_TRY(ingot__infer_rank(f, 0, 1, 2, &unknown));
  ingot_dtype t = f->in[0]->dtype;
  if (a->pool_strings.n ? t != INGOT_STRING : t != INGOT_INT32 && t != INGOT_INT64)
    return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "the pool isn't of the input's type, %s", ingot_dtype_name(t));
  f->out[0] = *f->in[0];
  f->out[0].dtype = INGOT_FLOAT32;
  if (!unknown) f->out[0].dim[f->out[0].rank - 1] = width;
  return INGOT_OK;
}

typedef struct counter {
  attrs *a;
  ingot__lookup *lookup; /* by length less min_gram_length */
  size_t *first;         /* the number of the first n-gram of each length */
} counter;

static bool prepare(counter *c, ingot__arena *arena) {
  attrs *a = c->a;
  size_t lengths = (size_t)(a->max_gram_length - a->min_gram_length) + 1, n = pool_size(a), grams = 0;
  ingot__key *keys = INGOT_NEW_ARRAY(arena, n, ingot__key);
  c->lookup = INGOT_NEW_ARRAY(arena, lengths, ingot__lookup);
  c->first = INGOT_NEW_ARRAY(arena, lengths, size_t);
  if (!keys || !c->lookup || !c->first) return false;
  for (size_t i = 0; i < n; i++)
    keys[i] = a->pool_strings.n ? ingot__key_of_text(a->pool_strings.v[i]) : ingot__key_of(INGOT_INT64, a->pool_int64s.v, i);
  for (size_t length = 1; length <= (size_t)a->max_gram_length; length++) {
    size_t from, to, count;
    slice(a, length, &from, &to);
    count = (to - from) / length;
    if (length >= (size_t)a->min_gram_length) {
      size_t at = length - (size_t)a->min_gram_length;
      if (!ingot__lookup_init(&c->lookup[at], arena, count, length)) return false;
      for (size_t i = 0; i < count; i++) ingot__lookup_add(&c->lookup[at], keys + from, i);
      c->first[at] = grams;
    }
    grams += count;
  }
  return true;
}

static void count_row(const counter *c, const ingot__key *token, size_t n, float *out) {
  attrs *a = c->a;
  bool idf = !strcmp(a->mode, "IDF"), weigh = a->weights.n && strcmp(a->mode, "TF");
  for (size_t length = (size_t)a->min_gram_length; length <= (size_t)a->max_gram_length && length <= n; length++) {
    const ingot__lookup *lookup = &c->lookup[length - (size_t)a->min_gram_length];
    for (size_t skip = 0; skip <= (size_t)a->max_skip_count; skip++) {
      size_t reach = (length - 1) * (skip + 1);
      if (reach >= n || (length == 1 && skip > 0)) break;
      for (size_t i = 0; i + reach < n; i++) {
        int64_t found = ingot__lookup_find(lookup, token + i, skip + 1);
        if (found < 0) continue;
        size_t gram = c->first[length - (size_t)a->min_gram_length] + (size_t)found;
        float weight = weigh ? a->weights.v[gram] : 1;
        float *to = &out[a->ngram_indexes.v[gram]];
        *to = idf ? weight : *to + weight;
      }
    }
  }
}

ingot_status ingot__ref_TfIdfVectorizer(const ingot__call *call) {
  const ingot__view *x = &call->in[0], *y = &call->out[0];
  if (!call->store) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "can't be run here");
  ingot__arena scratch;
  ingot__arena_init(&scratch, &call->store->heap);
  counter c = {.a = call->attrs};
  size_t rows = x->rank == 2 ? (size_t)x->dim[0] : 1, n = (size_t)x->dim[x->rank - 1], width = (size_t)y->dim[y->rank - 1];
  ingot__key *token = INGOT_NEW_ARRAY(&scratch, n, ingot__key);
  bool good = token && prepare(&c, &scratch);
  for (size_t r = 0; good && r < rows; r++) {
    float *out = (float *)y->data + r * width;
    memset(out, 0, width * sizeof *out);
    for (size_t i = 0; i < n; i++) token[i] = ingot__key_of(x->dtype, x->data, r * n + i);
    count_row(&c, token, n, out);
  }
  ingot__arena_free(&scratch);
  return good ? INGOT_OK : ingot__no_memory(call->diag);
}
