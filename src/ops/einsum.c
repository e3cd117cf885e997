/* Einsum: the equation is read into loops, one a label; the output's labels outside, those that are summed over inside. */
#include "ops/einsum.h"
#include "ops/ints.h"
#include "ops/rows.h"

enum { OPERANDS = INGOT__EINSUM_OPERANDS, ELLIPSIS = 52, LABELS = INGOT__EINSUM_LOOPS }; /* labels: A-Z, a-z, then the dims under "..." */

typedef struct term { int rank; bool ellipsis; int8_t label[INGOT_MAX_RANK]; } term;
typedef struct equation {
  int n;
  term in[OPERANDS], out;
} equation;

static int label_of(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : -1; }

/* Reads one term up to ',', '-' or the end. `rank` of the operand says how many dims "..." stands for; -1: as many as `wide`. */
static const char *read_term(const char *p, int rank, int wide, term *t) {
  int8_t label[INGOT_MAX_RANK];
  int n = 0, dots = -1;
  t->ellipsis = false;
  for (; *p && *p != ',' && *p != '-'; p++) {
    if (*p == ' ') continue;
    if (p[0] == '.' && p[1] == '.' && p[2] == '.' && !t->ellipsis) {
      t->ellipsis = true;
      dots = n;
      p += 2;
      continue;
    }
    int l = label_of(*p);
    if (l < 0 || n == INGOT_MAX_RANK) return NULL;
    label[n++] = (int8_t)l;
  }
  int hidden = t->ellipsis ? (rank < 0 ? wide : rank - n) : 0;
  if (hidden < 0 || n + hidden > INGOT_MAX_RANK || (rank >= 0 && n + hidden != rank)) return NULL;
  t->rank = n + hidden;
  for (int i = 0, k = 0; i < t->rank;) {
    if (k == dots) {
      for (int h = 0; h < hidden; h++) t->label[i++] = (int8_t)(LABELS - hidden + h); /* aligned to the right, as in broadcasting */
      dots = -1;
      continue;
    }
    t->label[i++] = label[k++];
  }
  return p;
}

/* False when the equation is wrong for operands of these ranks. */
static bool read_equation(const char *text, const int *rank, size_t n_in, equation *e) {
  const char *p = text;
  int seen[LABELS] = {0}, wide = 0;
  if (n_in < 1 || n_in > OPERANDS) return false;
  e->n = (int)n_in;
  for (size_t i = 0; i < n_in; i++) {
    if (i && *p++ != ',') return false;
    if (!(p = read_term(p, rank[i], 0, &e->in[i]))) return false;
    int hidden = 0;
    for (int k = 0; k < e->in[i].rank; k++) {
      seen[e->in[i].label[k]]++;
      hidden += e->in[i].label[k] >= ELLIPSIS;
    }
    if (hidden > wide) wide = hidden;
  }
  if (*p == '-') {
    if (p[1] != '>' || !(p = read_term(p + 2, -1, wide, &e->out)) || *p) return false;
    for (int k = 0; k < e->out.rank; k++) {
      if (!seen[e->out.label[k]]) return false;
      for (int m = 0; m < k; m++)
        if (e->out.label[m] == e->out.label[k]) return false;
    }
    return true;
  }
  if (*p) return false;
  e->out.rank = 0; /* not given: what "..." stands for, then the labels that occur once, in order */
  for (int h = 0; h < wide; h++) e->out.label[e->out.rank++] = (int8_t)(LABELS - wide + h);
  for (int l = 0; l < ELLIPSIS; l++) {
    if (seen[l] != 1) continue;
    if (e->out.rank == INGOT_MAX_RANK) return false;
    e->out.label[e->out.rank++] = (int8_t)l;
  }
  return true;
}

ingot_status ingot__infer_Einsum(ingot__infer *infer) {
  const char *text = INGOT__ATTRS(infer, Einsum)->equation;
  int rank[OPERANDS];
  if (infer->n_in > OPERANDS) return INGOT__FAIL_INFER(infer, INGOT_E_LIMIT, "has %zu operands, at most %d are taken", infer->n_in, OPERANDS);
  for (size_t i = 0; i < infer->n_in; i++) {
    bool unknown;
    INGOT_TRY(ingot__infer_rank(infer, i, 0, -1, &unknown));
    const ingot__type *t = infer->in[i];
    if (t->dtype != infer->in[0]->dtype) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "the operands have different types");
    if (!ingot__dtype_is_float(t->dtype) && !ingot__dtype_is_int(t->dtype)) {
      return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(t->dtype));
    }
    if (unknown) return INGOT_OK;
    rank[i] = t->rank;
  }
  equation e;
  if (!text || !read_equation(text, rank, infer->n_in, &e)) {
    return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "equation '%.80s' is wrong, or not for operands of these ranks", text ? text : "");
  }
  ingot__dim dim[LABELS];
  for (int l = 0; l < LABELS; l++) dim[l] = 1;
  for (int i = 0; i < e.n; i++)
    for (int k = 0; k < e.in[i].rank; k++) {
      ingot__dim *have = &dim[e.in[i].label[k]], d = infer->in[i]->dim[k];
      if (*have == 1) *have = d;
      else if (d != 1) INGOT_TRY(ingot__dim_merge(infer, *have, d, "equation", have));
    }
  infer->out[0] = (ingot__type){.dtype = infer->in[0]->dtype, .rank = (int8_t)e.out.rank};
  for (int k = 0; k < e.out.rank; k++) infer->out[0].dim[k] = dim[e.out.label[k]];
  return INGOT_OK;
}

typedef ingot__einsum_loops loops;

static void add_loop(loops *l, const ingot__call *call, const equation *e, int label, int64_t dim) {
  l->dim[l->n] = dim;
  l->at[l->n] = 0;
  for (int i = 0; i < e->n; i++) {
    int64_t s = 0; /* a label that stands twice walks the diagonal */
    for (int k = 0; k < e->in[i].rank; k++)
      if (e->in[i].label[k] == label && call->in[i].dim[k] != 1) s += call->in[i].stride[k];
    l->stride[i][l->n] = s;
  }
  l->n++;
}

/* Counts up the loops but for the innermost `keep`; false at the end. */
static bool next(loops *l, int n, int keep, int64_t *offset) {
  for (int d = l->n - 1 - keep; d >= 0; d--) {
    bool more = ++l->at[d] < l->dim[d];
    for (int i = 0; i < n; i++) offset[i] += more ? l->stride[i][d] : -l->stride[i][d] * (l->dim[d] - 1);
    if (more) return true;
    l->at[d] = 0;
  }
  return false;
}

static double sum_row(const ingot__call *call, const loops *in, const int64_t *offset) {
  double product[INGOT__ROW], row[INGOT__ROW], sum = 0;
  int last = in->n - 1;
  for (int64_t c = 0; c < in->dim[last]; c += INGOT__ROW) {
    size_t m = (size_t)(in->dim[last] - c < INGOT__ROW ? in->dim[last] - c : INGOT__ROW);
    for (int i = 0; i < (int)call->n_in; i++) {
      int64_t step = in->stride[i][last];
      ingot__row_load(call->in[i].dtype, call->in[i].data, offset[i] + c * step, step, m, i ? row : product);
      for (size_t k = 0; i && k < m; k++) product[k] *= row[k];
    }
    for (size_t k = 0; k < m; k++) sum += product[k];
  }
  return sum;
}

static uint64_t sum_row_int(const ingot__call *call, const loops *in, const int64_t *offset) {
  uint64_t sum = 0;
  int last = in->n - 1;
  for (int64_t c = 0; c < in->dim[last]; c++) {
    uint64_t product = 1;
    for (int i = 0; i < (int)call->n_in; i++) {
      product *= (uint64_t)ingot__get_int(call->in[i].dtype, call->in[i].data, (size_t)(offset[i] + c * in->stride[i][last]));
    }
    sum += product;
  }
  return sum;
}

bool ingot__einsum_read(const ingot__call *call, loops *outer, loops *inner) {
  int rank[OPERANDS];
  int64_t dim[LABELS];
  bool kept[LABELS] = {0}, used[LABELS] = {0};
  equation e;
  for (size_t i = 0; i < call->n_in && i < OPERANDS; i++) rank[i] = call->in[i].rank;
  if (!read_equation(INGOT__ATTRS(call, Einsum)->equation, rank, call->n_in, &e)) return false;
  for (int l = 0; l < LABELS; l++) dim[l] = 1;
  for (int i = 0; i < e.n; i++)
    for (int k = 0; k < e.in[i].rank; k++) {
      used[e.in[i].label[k]] = true;
      if (call->in[i].dim[k] != 1) dim[e.in[i].label[k]] = call->in[i].dim[k];
    }
  outer->n = inner->n = 0;
  for (int k = 0; k < e.out.rank; k++) {
    kept[e.out.label[k]] = true;
    add_loop(outer, call, &e, e.out.label[k], dim[e.out.label[k]]);
  }
  for (int l = 0; l < LABELS; l++)
    if (used[l] && !kept[l] && dim[l] != 1) add_loop(inner, call, &e, l, dim[l]);
  if (inner->n == 0) add_loop(inner, call, &e, -1, 1);
  return true;
}

ingot_status ingot__ref_Einsum(const ingot__call *call) {
  const ingot__view *out = &call->out[0];
  const int n = (int)call->n_in;
  loops outer, inner;
  if (!ingot__einsum_read(call, &outer, &inner)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "has a wrong equation");
  if (ingot__view_count(out) == 0) return INGOT_OK;
  bool real = ingot__dtype_is_float(out->dtype), empty = false;
  for (int i = 0; i < inner.n; i++) empty = empty || inner.dim[i] == 0;
  int64_t offset[OPERANDS] = {0};
  size_t to = 0;
  do {
    double sum = 0;
    uint64_t whole = 0;
    if (!empty) {
      int64_t at[OPERANDS];
      for (int i = 0; i < n; i++) at[i] = offset[i];
      for (int i = 0; i < inner.n; i++) inner.at[i] = 0;
      do {
        if (real) sum += sum_row(call, &inner, at);
        else whole += sum_row_int(call, &inner, at);
      } while (next(&inner, n, 1, at));
    }
    if (real) ingot__set_double(out->dtype, out->data, to++, sum);
    else ingot__set_int(out->dtype, out->data, to++, (int64_t)whole);
  } while (next(&outer, n, 0, offset));
  return INGOT_OK;
}
