/* Inference and reference of all INGOT_ELEMENTWISE rows: broadcasting, and a loop for each row and type out of elementwise.inc. */
#include "ops/known.h"
#include "ops/scalar.h"
#include "ops/steps.h"

typedef void (*loop_fn)(const void *a, const void *b, void *o, size_t n, int64_t sa, int64_t sb, int64_t so, float p0, float p1);

#pragma GCC diagnostic ignored "-Wtype-limits" /* the rows are pasted for unsigned types, too */
#define SAME_VALUE(v) (v)
#define NOT_ZERO(v) ((v) != 0)

#define M float
#define T float
#define S f32
#define N float32
#define LOAD SAME_VALUE
#define STORE(v) (float)(v)
#define IS_FLOAT 1
#define IS_INT 0
#define IS_BOOL 0
#include "ops/elementwise.inc"

#define M double
#define T double
#define S f64
#define N float64
#define LOAD SAME_VALUE
#define STORE(v) (double)(v)
#define IS_FLOAT 1
#define IS_INT 0
#define IS_BOOL 0
#include "ops/elementwise.inc"

#define M uint16_t
#define T float
#define S f32
#define N float16
#define LOAD ingot__f16_to_f32
#define STORE(v) ingot__f32_to_f16((float)(v))
#define IS_FLOAT 1
#define IS_INT 0
#define IS_BOOL 0
#include "ops/elementwise.inc"

#define M uint16_t
#define T float
#define S f32
#define N bfloat16
#define LOAD ingot__bf16_to_f32
#define STORE(v) ingot__f32_to_bf16((float)(v))
#define IS_FLOAT 1
#define IS_INT 0
#define IS_BOOL 0
#include "ops/elementwise.inc"

#define M int8_t
#define T int64_t
#define S i64
#define N int8
#define LOAD SAME_VALUE
#define STORE(v) (int8_t)(v)
#define IS_FLOAT 0
#define IS_INT 1
#define IS_BOOL 0
#include "ops/elementwise.inc"

#define M int16_t
#define T int64_t
#define S i64
#define N int16
#define LOAD SAME_VALUE
#define STORE(v) (int16_t)(v)
#define IS_FLOAT 0
#define IS_INT 1
#define IS_BOOL 0
#include "ops/elementwise.inc"

#define M int32_t
#define T int64_t
#define S i64
#define N int32
#define LOAD SAME_VALUE
#define STORE(v) (int32_t)(v)
#define IS_FLOAT 0
#define IS_INT 1
#define IS_BOOL 0
#include "ops/elementwise.inc"

#define M int64_t
#define T __int128
#define S i128
#define N int64
#define LOAD SAME_VALUE
#define STORE(v) (int64_t)(v)
#define IS_FLOAT 0
#define IS_INT 1
#define IS_BOOL 0
#include "ops/elementwise.inc"

#define M uint8_t
#define T int64_t
#define S i64
#define N uint8
#define LOAD SAME_VALUE
#define STORE(v) (uint8_t)(v)
#define IS_FLOAT 0
#define IS_INT 1
#define IS_BOOL 0
#include "ops/elementwise.inc"

#define M uint16_t
#define T int64_t
#define S i64
#define N uint16
#define LOAD SAME_VALUE
#define STORE(v) (uint16_t)(v)
#define IS_FLOAT 0
#define IS_INT 1
#define IS_BOOL 0
#include "ops/elementwise.inc"

#define M uint32_t
#define T uint64_t
#define S u64
#define N uint32
#define LOAD SAME_VALUE
#define STORE(v) (uint32_t)(v)
#define IS_FLOAT 0
#define IS_INT 1
#define IS_BOOL 0
#include "ops/elementwise.inc"

#define M uint64_t
#define T uint64_t
#define S u64
#define N uint64
#define LOAD SAME_VALUE
#define STORE(v) (uint64_t)(v)
#define IS_FLOAT 0
#define IS_INT 1
#define IS_BOOL 0
#include "ops/elementwise.inc"

#define M uint8_t
#define T bool
#define S bool
#define N boolean
#define LOAD NOT_ZERO
#define STORE(v) (uint8_t)(v)
#define IS_FLOAT 0
#define IS_INT 0
#define IS_BOOL 1
#include "ops/elementwise.inc"

static const loop_fn *const loops[] = {
    [INGOT_FLOAT32] = loops_float32, [INGOT_FLOAT64] = loops_float64, [INGOT_FLOAT16] = loops_float16, [INGOT_BFLOAT16] = loops_bfloat16,
    [INGOT_INT8] = loops_int8,       [INGOT_INT16] = loops_int16,     [INGOT_INT32] = loops_int32,     [INGOT_INT64] = loops_int64,
    [INGOT_UINT8] = loops_uint8,     [INGOT_UINT16] = loops_uint16,   [INGOT_UINT32] = loops_uint32,   [INGOT_UINT64] = loops_uint64,
    [INGOT_BOOL] = loops_boolean};

/* Of strings only Equal. */
static void equal_strings(const void *a, const void *b, void *o, size_t n, int64_t sa, int64_t sb, int64_t so, float p0, float p1) {
  (void)p0, (void)p1;
  for (int64_t i = 0; i < (int64_t)n; i++)
    ((uint8_t *)o)[i * so] = ingot__string_same(((const ingot_string *)a)[i * sa], ((const ingot_string *)b)[i * sb]);
}

static loop_fn find(ingot__op op, ingot_dtype dtype) {
  if (dtype == INGOT_STRING) return op == INGOT__OP_Equal ? equal_strings : NULL;
  return (size_t)dtype < sizeof loops / sizeof *loops && loops[dtype] ? loops[dtype][op] : NULL;
}

/* Whether a row gives bools from numbers. Written out by hand would be forgotten: expanded. */
enum { ARITH_GIVES = 0, FLOAT_GIVES = 0, INTEGER_GIVES = 0, LOGIC_GIVES = 1, COMPARE_GIVES = 1, EQUAL_GIVES = 1 };
static const uint8_t gives_bool[INGOT__OP_COUNT] = {
#define INGOT_OP(name, onnx, domain, aten, min_in, max_in, min_out, max_out, attrs)
#define INGOT_ELEMENTWISE(name, onnx, aten, arity, types, attrs, expression) [INGOT__OP_##name] = types##_GIVES,
#include "ops.def"
#undef INGOT_ELEMENTWISE
#undef INGOT_OP
};

ingot_status ingot__infer_elementwise(ingot__infer *infer) {
  ingot__op op = infer->node->op;
  const ingot__type *a = infer->in[0];
  if (infer->n_in < 1 || !a || (infer->n_in > 1 && !infer->in[1])) return INGOT__FAIL_INFER(infer, INGOT_E_NETWORK, "lacks an input");
  if (a->kind != INGOT__TENSOR) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "input 0 is no tensor");
  if (!find(op, a->dtype)) return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(a->dtype));
  if (infer->n_in > 1) {
    const ingot__type *b = infer->in[1];
    if (a->dtype != b->dtype) {
      return INGOT__FAIL_INFER(infer, INGOT_E_TYPE, "the inputs have different types, %s and %s", ingot_dtype_name(a->dtype),
                               ingot_dtype_name(b->dtype));
    }
    INGOT_TRY(ingot__infer_broadcast(infer, a, b, &infer->out[0]));
    if (infer->known[0] && infer->known[1]) ingot__known_fold(infer, 2);
  } else {
    infer->out[0] = *a;
    if (infer->known[0]) ingot__known_fold(infer, 1);
  }
  if (gives_bool[op]) infer->out[0].dtype = INGOT_BOOL;
  return INGOT_OK;
}

ingot_status ingot__ref_elementwise(const ingot__call *call) {
  const ingot__view *out = &call->out[0], *a = &call->in[0], *b = &call->in[call->n_in > 1 ? 1 : 0];
  ingot__op op = call->node->op;
  loop_fn loop = find(op, a->dtype);
  if (!loop) return INGOT__FAIL_CALL(call, INGOT_E_TYPE, "does not take %s", ingot_dtype_name(a->dtype));
  /* These rows have float attributes alone, which lie in the struct as an array. */
  const ingot__op_info *info = ingot__op_get(op);
  const float *p = (const float *)call->attrs;
  float p0 = info->n_attr > 0 ? p[0] : 0, p1 = info->n_attr > 1 ? p[1] : 0;
  size_t wa = ingot__dtype_size(a->dtype), wo = ingot__dtype_size(out->dtype);
  ingot__steps s;
  ingot__steps_init(&s, out->rank, out->dim);
  ingot__steps_add(&s, out);
  ingot__steps_add(&s, a);
  ingot__steps_add(&s, b);
  if (!ingot__steps_start(&s)) return INGOT_OK;
  do {
    loop((const char *)a->data + (size_t)s.at[1] * wa, (const char *)b->data + (size_t)s.at[2] * wa, (char *)out->data + (size_t)s.at[0] * wo,
         s.run, s.step[1], s.step[2], s.step[0], p0, p1);
  } while (ingot__steps_next(&s));
  return INGOT_OK;
}
