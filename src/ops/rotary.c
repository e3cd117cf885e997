/* RotaryEmbedding (Su et al., RoFormer, 2021): turns pairs of a head's features by angles that grow with the position; pairs lie half of the
 * turned features apart, or side by side. X is (batch, heads, position, width) or (batch, position, heads * width); the cosines and sines
 * are rows of a table that positions select, or given for each batch element and position. */
#include "ops/ints.h"
#include "ops/rows.h"

static bool is_table(ingot_dtype t) { return t == INGOT_FLOAT32 || t == INGOT_FLOAT16 || t == INGOT_BFLOAT16; }

/* The width of a head and how many of its features are turned; unknown where dims are. */
static ingot_status widths(ingot__infer *infer, ingot__dim *width, ingot__dim *turned) {
  const ingot__attrs_RotaryEmbedding *attrs = INGOT__ATTRS(infer, RotaryEmbedding);
  const ingot__type *x = infer->in[0];
  *width = x->dim[x->rank - 1];
  if (x->rank == 3) {
    if (attrs->num_heads < 1) return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "needs num_heads for an input of rank 3");
    if (*width >= 0 && *width % attrs->num_heads) {
      return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "%lld features on %lld heads", (long long)*width, (long long)attrs->num_heads);
    }
    *width = *width >= 0 ? *width / attrs->num_heads : INGOT__DIM_UNKNOWN;
  }
  *turned = attrs->rotary_embedding_dim ? attrs->rotary_embedding_dim : *width;
  bool bad = attrs->rotary_embedding_dim < 0 || (*turned >= 0 && *turned % 2) || (*turned >= 0 && *width >= 0 && *turned > *width);
  return bad ? INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "turns %lld features of %lld", (long long)*turned, (long long)*width) : INGOT_OK;
}

static ingot_status check_dim(ingot__infer *infer, const char *what, ingot__dim have, ingot__dim want) {
  if (have < 0 || want < 0 || have == want) return INGOT_OK;
  return INGOT__FAIL_INFER(infer, INGOT_E_SHAPE, "%s: %lld instead of %lld", what, (long long)have, (long long)want);
}

ingot_status ingot__infer_RotaryEmbedding(ingot__infer *infer) {
  bool unknown, table_unknown, positions = ingot__infer_has(infer, 3);
  ingot__dim width = INGOT__DIM_UNKNOWN, turned = INGOT__DIM_UNKNOWN;
  INGOT_TRY(ingot__infer_rank(infer, 0, 3, 4, &unknown));
  const ingot__type *x = infer->in[0], *p = positions ? infer->in[3] : NULL;
  for (size_t i = 0; i < 3; i++) {
    if (!ingot__infer_has(infer, i) || !is_table(infer->in[i]->dtype) || infer->in[i]->dtype != x->dtype) {
      return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "takes X, cosines and sines of one type: float32, float16 or bfloat16");
    }
  }
  if (p && (p->kind != INGOT__TENSOR || (p->dtype != INGOT_INT64 && p->dtype != INGOT_INT32) || (p->rank >= 0 && p->rank != 2))) {
    return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "positions must be a matrix of integers");
  }
  infer->out[0] = *x;
  if (unknown) return INGOT_OK;
  INGOT_TRY(widths(infer, &width, &turned));
  ingot__dim batch = x->dim[0], length = x->dim[x->rank - 2];
  for (size_t i = 1; i < 3; i++) {
    INGOT_TRY(ingot__infer_rank(infer, i, positions ? 2 : 3, positions ? 2 : 3, &table_unknown));
    infer->out[0] = *x;
    if (table_unknown) continue;
    const ingot__type *t = infer->in[i];
    INGOT_TRY(check_dim(infer, "angles of a position", t->dim[t->rank - 1], turned >= 0 ? turned / 2 : INGOT__DIM_UNKNOWN));
    if (positions) continue;
    if (t->dim[0] != 1) INGOT_TRY(check_dim(infer, "batch elements with angles", t->dim[0], batch)); /* 1: the same for all */
    INGOT_TRY(check_dim(infer, "positions with angles", t->dim[1], length));
  }
  if (!positions || p->rank < 0) return INGOT_OK;
  INGOT_TRY(check_dim(infer, "batch elements with positions", p->dim[0], batch));
  return check_dim(infer, "positions", p->dim[1], length);
}

typedef struct job {
  const ingot__call *call;
  int64_t batch, heads, length, width, half; /* half: pairs that are turned */
  int64_t head_step, row_step;               /* elements from a head, from a position to the next */
  bool side_by_side;
} job;

static void turn_f32(const job *j, const float *x, const float *c, const float *s, float *y) {
  const int64_t half = j->half;
  if (j->side_by_side) {
    for (int64_t i = 0; i < half; i++) {
      float a = x[2 * i], b = x[2 * i + 1];
      y[2 * i] = c[i] * a - s[i] * b;
      y[2 * i + 1] = s[i] * a + c[i] * b;
    }
  } else {
    for (int64_t i = 0; i < half; i++) {
      float a = x[i], b = x[i + half];
      y[i] = c[i] * a - s[i] * b;
      y[i + half] = s[i] * a + c[i] * b;
    }
  }
  memcpy(y + 2 * half, x + 2 * half, (size_t)(j->width - 2 * half) * sizeof *y);
}

static void turn(const job *j, int64_t at, int64_t angle) {
  const ingot__call *call = j->call;
  const ingot_dtype t = call->out[0].dtype;
  const void *x = call->in[0].data;
  void *y = call->out[0].data;
  if (t == INGOT_FLOAT32) {
    turn_f32(j, (const float *)x + at, (const float *)call->in[1].data + angle, (const float *)call->in[2].data + angle, (float *)y + at);
    return;
  }
  for (int64_t i = 0; i < j->half; i++) {
    int64_t first = at + (j->side_by_side ? 2 * i : i), second = first + (j->side_by_side ? 1 : j->half);
    double a = ingot__get_double(t, x, (size_t)first), b = ingot__get_double(t, x, (size_t)second);
    double c = ingot__get_double(t, call->in[1].data, (size_t)(angle + i)), s = ingot__get_double(t, call->in[2].data, (size_t)(angle + i));
    ingot__set_double(t, y, (size_t)first, c * a - s * b);
    ingot__set_double(t, y, (size_t)second, s * a + c * b);
  }
  size_t size = ingot__dtype_size(t), rest = (size_t)(at + 2 * j->half) * size;
  memcpy((char *)y + rest, (const char *)x + rest, (size_t)(j->width - 2 * j->half) * size);
}

static void work(void *arg, int index, int n) {
  const job *j = arg;
  const ingot__call *call = j->call;
  size_t begin, end;
  ingot__share((size_t)(j->batch * j->length), 1, index, n, &begin, &end);
  for (size_t u = begin; u < end; u++) {
    int64_t b = (int64_t)u / j->length, s = (int64_t)u % j->length, row = call->in[1].dim[0] == 1 ? s : (int64_t)u;
    if (ingot__has_in(call, 3)) row = ingot__get_int(call->in[3].dtype, call->in[3].data, u);
    for (int64_t h = 0; h < j->heads; h++) {
      turn(j, b * j->heads * j->length * j->width + h * j->head_step + s * j->row_step, row * j->half);
    }
  }
}

ingot_status ingot__ref_RotaryEmbedding(const ingot__call *call) {
  const ingot__attrs_RotaryEmbedding *attrs = INGOT__ATTRS(call, RotaryEmbedding);
  const ingot__view *x = &call->in[0];
  bool flat = x->rank == 3;
  job j = {.call = call, .batch = x->dim[0], .heads = flat ? attrs->num_heads : x->dim[1], .length = x->dim[x->rank - 2],
           .width = flat ? x->dim[2] / attrs->num_heads : x->dim[3], .side_by_side = attrs->interleaved != 0};
  j.half = (attrs->rotary_embedding_dim ? attrs->rotary_embedding_dim : j.width) / 2;
  j.head_step = flat ? j.width : j.length * j.width;
  j.row_step = flat ? x->dim[2] : j.width;
  int64_t rows = call->in[1].dim[0];
  for (int64_t i = 0; ingot__has_in(call, 3) && i < j.batch * j.length; i++) {
    int64_t at = ingot__get_int(call->in[3].dtype, call->in[3].data, (size_t)i);
    if (at < 0 || at >= rows) {
      return INGOT__FAIL_CALL(call, INGOT_E_SHAPE, "position %lld is outside the table's %lld", (long long)at, (long long)rows);
    }
  }
  ingot__pool_run(call->pool, work, &j);
  return INGOT_OK;
}
