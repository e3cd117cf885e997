/* Strings put together, taken apart and put in order: StringConcat, StringSplit, StringNormalizer. */
#include "ops/ints.h"
#include "ops/move.h"
#include "ops/steps.h"
#include "ops/utf8.h"

static ingot_status need_strings(ingot__infer *f, size_t i) {
  if (!ingot__infer_has(f, i)) return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "input %zu is missing", i);
  if (f->in[i]->dtype == INGOT_STRING) return INGOT_OK;
  return INGOT__FAIL_INFER(f, INGOT_E_TYPE, "input %zu must be strings, not %s", i, ingot_dtype_name(f->in[i]->dtype));
}

/* Room for a string in the run's memory; its end is terminated. */
static char *room(const ingot__call *call, size_t size) {
  return call->strings && size < SIZE_MAX ? ingot__arena_alloc(call->strings, size + 1) : NULL;
}

/* ---- StringConcat */

ingot_status ingot__infer_StringConcat(ingot__infer *f) {
  INGOT_TRY(need_strings(f, 0));
  INGOT_TRY(need_strings(f, 1));
  return ingot__infer_broadcast(f, f->in[0], f->in[1], &f->out[0]);
}

ingot_status ingot__ref_StringConcat(const ingot__call *call) {
  const ingot__view *a = &call->in[0], *b = &call->in[1], *out = &call->out[0];
  ingot__steps s;
  ingot__steps_init(&s, out->rank, out->dim);
  ingot__steps_add(&s, out);
  ingot__steps_add(&s, a);
  ingot__steps_add(&s, b);
  if (!ingot__steps_start(&s)) return INGOT_OK;
  do {
    for (int64_t i = 0; i < (int64_t)s.run; i++) {
      ingot_string x = ((const ingot_string *)a->data)[s.at[1] + i * s.step[1]], y = ((const ingot_string *)b->data)[s.at[2] + i * s.step[2]];
      size_t size;
      char *text = ingot__add(x.size, y.size, &size) ? room(call, size) : NULL;
      if (!text) return ingot__no_memory(call->diag);
      if (x.size) memcpy(text, x.data, x.size);
      if (y.size) memcpy(text + x.size, y.data, y.size);
      ((ingot_string *)out->data)[s.at[0] + i * s.step[0]] = (ingot_string){text, size};
    }
  } while (ingot__steps_next(&s));
  return INGOT_OK;
}

/* ---- StringSplit */

ingot_status ingot__infer_StringSplit(ingot__infer *f) {
  INGOT_TRY(need_strings(f, 0));
  const ingot__type *x = f->in[0];
  if (x->rank == INGOT_MAX_RANK) return INGOT__FAIL_INFER(f, INGOT_E_LIMIT, "the result would have rank %d", x->rank + 1);
  f->out[0] = *x;
  if (x->rank >= 0) f->out[0].dim[f->out[0].rank++] = INGOT__DIM_UNKNOWN;
  if (f->n_out > 1) {
    f->out[1] = *x;
    f->out[1].dtype = INGOT_INT64;
  }
  return INGOT_OK;
}

static size_t skip_blanks(ingot_string s, size_t at) {
  size_t length;
  while (at < s.size && ingot__utf8_blank(ingot__utf8_get(s.data + at, s.size - at, &length))) at += length;
  return at;
}

/* The next part of s from *at on; false: there is none. `left` more splits may be made. *at moves past the part and its delimiter; past the
 * string's end by one when that was the last. */
static bool next_part(ingot_string s, ingot_string delimiter, int64_t left, size_t *at, ingot_string *part) {
  if (delimiter.size == 0) { /* runs of blanks divide */
    size_t from = skip_blanks(s, *at), to = from, length;
    if (from >= s.size) return false;
    while (to < s.size && left > 0 && !ingot__utf8_blank(ingot__utf8_get(s.data + to, s.size - to, &length))) to += length;
    if (left <= 0) to = s.size;
    *part = (ingot_string){s.data + from, to - from};
    *at = to;
    return true;
  }
  if (*at > s.size) return false;
  size_t to = *at;
  while (left > 0 && to + delimiter.size <= s.size && memcmp(s.data + to, delimiter.data, delimiter.size)) to++;
  bool found = left > 0 && to + delimiter.size <= s.size;
  if (!found) to = s.size;
  *part = (ingot_string){s.data ? s.data + *at : NULL, to - *at};
  *at = found ? to + delimiter.size : s.size + 1;
  return true;
}

ingot_status ingot__ref_StringSplit(const ingot__call *call) {
  const ingot__attrs_StringSplit *a = INGOT__ATTRS(call, StringSplit);
  const ingot__view *x = &call->in[0];
  const ingot_string *in = x->data;
  ingot_string delimiter = {a->delimiter, strlen(a->delimiter)}, part;
  int64_t most = a->maxsplit < 0 ? INT64_MAX : a->maxsplit, longest = 0, dim[INGOT_MAX_RANK];
  size_t n = (size_t)ingot__view_count(x);
  if (ingot__has_out(call, 1)) INGOT_TRY(ingot__set_out(call, 1, x->rank, x->dim));
  for (size_t i = 0; i < n; i++) {
    size_t at = 0;
    int64_t parts = 0;
    while (next_part(in[i], delimiter, most - parts, &at, &part)) parts++;
    if (ingot__has_out(call, 1)) ((int64_t *)call->out[1].data)[i] = parts;
    if (parts > longest) longest = parts;
  }
  if (!ingot__has_out(call, 0)) return INGOT_OK;
  for (int d = 0; d < x->rank; d++) dim[d] = x->dim[d];
  dim[x->rank] = longest;
  INGOT_TRY(ingot__set_out(call, 0, x->rank + 1, dim));
  ingot_string *out = call->out[0].data;
  for (size_t i = 0; i < n; i++, out += longest) {
    size_t at = 0;
    int64_t parts = 0;
    for (; next_part(in[i], delimiter, most - parts, &at, &part); parts++) {
      if (!call->strings) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "strings can't be made here");
      out[parts] = ingot__string_copy(call->strings, part.data, part.size);
      if (!out[parts].data) return ingot__no_memory(call->diag);
    }
    for (; parts < longest; parts++) out[parts] = (ingot_string){"", 0};
  }
  return INGOT_OK;
}

/* ---- StringNormalizer */

ingot_status ingot__infer_StringNormalizer(ingot__infer *f) {
  const ingot__attrs_StringNormalizer *a = f->attrs;
  bool unknown;
  INGOT_TRY(need_strings(f, 0));
  if (strcmp(a->case_change_action, "NONE") && strcmp(a->case_change_action, "LOWER") && strcmp(a->case_change_action, "UPPER"))
    return INGOT__FAIL_INFER(f, INGOT_E_NETWORK, "case_change_action is '%s', not LOWER, UPPER or NONE", a->case_change_action);
  INGOT_TRY(ingot__infer_rank(f, 0, 1, 2, &unknown));
  if (unknown) return INGOT_OK;
  f->out[0] = *f->in[0];
  if (f->in[0]->rank == 2 && f->in[0]->dim[0] >= 0 && f->in[0]->dim[0] != 1)
    return INGOT__FAIL_INFER(f, INGOT_E_SHAPE, "the input must have one dim, or two of which the first is 1");
  f->out[0].dim[f->out[0].rank - 1] = INGOT__DIM_UNKNOWN;
  return INGOT_OK;
}

static bool same_but_case(ingot_string a, ingot_string b) {
  size_t i = 0, k = 0, na, nb;
  while (i < a.size && k < b.size) {
    uint32_t x = ingot__utf8_get(a.data + i, a.size - i, &na), y = ingot__utf8_get(b.data + k, b.size - k, &nb);
    if (ingot__utf8_lower(x) != ingot__utf8_lower(y)) return false;
    i += na, k += nb;
  }
  return i == a.size && k == b.size;
}

static bool is_stopword(const ingot__attrs_StringNormalizer *a, ingot_string s) {
  for (size_t i = 0; i < a->stopwords.n; i++) {
    ingot_string word = {a->stopwords.v[i], strlen(a->stopwords.v[i])};
    if (a->is_case_sensitive ? ingot__string_same(s, word) : same_but_case(s, word)) return true;
  }
  return false;
}

/* A character's other case may take more bytes: three where two were, at the most two for one. */
static ingot_status change_case(const ingot__call *call, ingot_string s, bool upper, ingot_string *out) {
  size_t most, n = 0, length;
  char *text = ingot__mul(s.size, 2, &most) && ingot__add(most, 4, &most) ? room(call, most) : NULL;
  if (!text) return ingot__no_memory(call->diag);
  for (size_t at = 0; at < s.size && n + 4 <= most; at += length) {
    uint32_t c = ingot__utf8_get(s.data + at, s.size - at, &length);
    n += ingot__utf8_put(upper ? ingot__utf8_upper(c) : ingot__utf8_lower(c), text + n);
  }
  text[n] = 0;
  *out = (ingot_string){text, n};
  return INGOT_OK;
}

ingot_status ingot__ref_StringNormalizer(const ingot__call *call) {
  const ingot__attrs_StringNormalizer *a = INGOT__ATTRS(call, StringNormalizer);
  const ingot__view *x = &call->in[0];
  const ingot_string *in = x->data;
  int64_t n = ingot__view_count(x), kept = 0, dim[2] = {1, 1};
  if (x->rank < 1 || x->rank > 2 || (x->rank == 2 && x->dim[0] != 1))
    return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "the input must have one dim, or two of which the first is 1");
  for (int64_t i = 0; i < n; i++) kept += !is_stopword(a, in[i]);
  dim[x->rank - 1] = kept ? kept : 1;
  INGOT_TRY(ingot__set_out(call, 0, x->rank, dim));
  ingot_string *out = call->out[0].data;
  if (!kept) out[0] = (ingot_string){"", 0};
  for (int64_t i = 0; i < n; i++) {
    if (is_stopword(a, in[i])) continue;
    if (!strcmp(a->case_change_action, "NONE")) *out = in[i];
    else INGOT_TRY(change_case(call, in[i], !strcmp(a->case_change_action, "UPPER"), out));
    out++;
  }
  return INGOT_OK;
}
