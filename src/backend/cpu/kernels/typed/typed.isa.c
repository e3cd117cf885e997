/* Elementwise operators, casts and fused chains on integers, doubles and bools, on any layout and any slices: a block of elements that stays
 * in the cache is taken through the whole program. Inputs are read where they lie if they are neighbours, else gathered into a slot. */
#include "backend/cpu/kernels/elementwise/halves.inc"
#include "backend/cpu/kernels/template.h"
#include "backend/cpu/kernels/typed/double_math.inc"
#include "backend/cpu/kernels/typed/program.h"
#include "ops/scalar.h"

typedef void typed_loop(void *to, const void *a, const void *b, const void *c, size_t n, float p0, float p1);
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtype-limits" /* the rows are pasted for unsigned types, too */
#pragma GCC diagnostic ignored "-Wbool-compare"
#else
#pragma clang diagnostic ignored "-Wtautological-compare"
#endif

/* ---- The loops, type by type */

#define IS_INT 1
#define IS_FLOAT 0
#define IS_BOOL 0
#define REMAINDER remain_u8(a, b, p0 != 0)
#define M uint8_t
#define N u8
#define B 8
#include "backend/cpu/kernels/typed/loops.inc"
#undef REMAINDER

#define IS_INT 1
#define IS_FLOAT 0
#define IS_BOOL 0
#define REMAINDER remain_i8(a, b, p0 != 0)
#define M int8_t
#define N i8
#define B 8
#include "backend/cpu/kernels/typed/loops.inc"
#undef REMAINDER

#define IS_INT 1
#define IS_FLOAT 0
#define IS_BOOL 0
#define REMAINDER remain_u16(a, b, p0 != 0)
#define M uint16_t
#define N u16
#define B 16
#include "backend/cpu/kernels/typed/loops.inc"
#undef REMAINDER

#define IS_INT 1
#define IS_FLOAT 0
#define IS_BOOL 0
#define REMAINDER remain_i16(a, b, p0 != 0)
#define M int16_t
#define N i16
#define B 16
#include "backend/cpu/kernels/typed/loops.inc"
#undef REMAINDER

#define IS_INT 1
#define IS_FLOAT 0
#define IS_BOOL 0
#define REMAINDER remain_u32(a, b, p0 != 0)
#define M uint32_t
#define N u32
#define B 32
#include "backend/cpu/kernels/typed/loops.inc"
#undef REMAINDER

#define IS_INT 1
#define IS_FLOAT 0
#define IS_BOOL 0
#define REMAINDER remain_i32(a, b, p0 != 0)
#define M int32_t
#define N i32
#define B 32
#include "backend/cpu/kernels/typed/loops.inc"
#undef REMAINDER

#define IS_INT 1
#define IS_FLOAT 0
#define IS_BOOL 0
#define REMAINDER remain_u64(a, b, p0 != 0)
#define M uint64_t
#define N u64
#define B 64
#include "backend/cpu/kernels/typed/loops.inc"
#undef REMAINDER

#define IS_INT 1
#define IS_FLOAT 0
#define IS_BOOL 0
#define REMAINDER remain_i64(a, b, p0 != 0)
#define M int64_t
#define N i64
#define B 64
#include "backend/cpu/kernels/typed/loops.inc"
#undef REMAINDER

#define IS_INT 0
#define IS_FLOAT 0
#define IS_BOOL 1
#define M uint8_t
#define N b8
#define B 8
#include "backend/cpu/kernels/typed/loops.inc"

/* Doubles: what networks use in vectors, the rest by the C library. */
INGOT__INLINE double max_f64(double x, double y) { return x < y || y != y ? y : x; }
INGOT__INLINE double min_f64(double x, double y) { return x > y || y != y ? y : x; }
#define MAX(x, y) max_f64((x), (double)(y))
#define MIN(x, y) min_f64((x), (double)(y))
#define ABS(x) __builtin_fabs(x)
#define SIGN(x) ((x) > 0 ? 1.0 : (x) < 0 ? -1.0 : (x))
#define DIV(x, y) ((x) / (y))
#define PLUS(x, p) ((x) + (double)(p))
#define EXP double_exp
#define EXPM1 double_expm1
#define LOG log
#define SQRT __builtin_sqrt
#define POW pow
#define TANH double_tanh
#define SIGMOID double_sigmoid
#define SOFTPLUS ingot__softplus_f64
#define ERF erf
#define FLOOR __builtin_floor
#define CEIL __builtin_ceil
#define ROUND __builtin_rint
#define SIN sin
#define COS cos
#define TAN tan
#define ASIN asin
#define ACOS acos
#define ATAN atan
#define SINH sinh
#define COSH cosh
#define ASINH asinh
#define ACOSH acosh
#define ATANH atanh
#define REMAINDER fmod(a, b)
#define IS_INT 0
#define IS_FLOAT 1
#define IS_BOOL 0
#define M double
#define N f64
#define B 64
#include "backend/cpu/kernels/typed/loops.inc"
#undef MAX
#undef MIN
#undef ABS
#undef SIGN
#undef DIV
#undef PLUS
#undef EXP
#undef EXPM1
#undef LOG
#undef SQRT
#undef POW
#undef TANH
#undef SIGMOID
#undef SOFTPLUS
#undef ERF
#undef FLOOR
#undef CEIL
#undef ROUND
#undef SIN
#undef COS
#undef TAN
#undef ASIN
#undef ACOS
#undef ATAN
#undef SINH
#undef COSH
#undef ASINH
#undef ACOSH
#undef ATANH
#undef REMAINDER

/* Floats as the kernel for floats alone has them. */
INGOT__INLINE float max_of(float x, float y) { return x < y || y != y ? y : x; }
INGOT__INLINE float min_of(float x, float y) { return x > y || y != y ? y : x; }
#define MAX(x, y) max_of((x), (float)(y))
#define MIN(x, y) min_of((x), (float)(y))
#define ABS(x) __builtin_fabsf(x)
#define SIGN(x) ((x) > 0 ? 1.0f : (x) < 0 ? -1.0f : (x))
#define DIV(x, y) ((x) / (y))
#define PLUS(x, p) ((x) + (p))
#define EXP vector_exp
#define EXPM1 vector_expm1
#define LOG vector_log
#define SQRT __builtin_sqrtf
#define POW vector_pow
#define TANH vector_tanh
#define SIGMOID vector_sigmoid
#define SOFTPLUS vector_softplus
#define ERF vector_erf
#define FLOOR __builtin_floorf
#define CEIL __builtin_ceilf
#define ROUND __builtin_rintf
#define SIN sinf
#define COS cosf
#define TAN tanf
#define ASIN asinf
#define ACOS acosf
#define ATAN atanf
#define SINH sinhf
#define COSH coshf
#define ASINH asinhf
#define ACOSH acoshf
#define ATANH atanhf
#define REMAINDER fmodf(a, b)
static typed_loop gelu_f32, gelu_tanh_f32;
#define MORE [INGOT__OP_Gelu] = gelu_f32, [TYPED_GELU_TANH] = gelu_tanh_f32,
#define IS_INT 0
#define IS_FLOAT 1
#define IS_BOOL 0
#define M float
#define N f32
#define B 32
#include "backend/cpu/kernels/typed/loops.inc"
#define GELU(name, f) \
  static void name(void *to, const void *a, const void *b, const void *c, size_t n, float p0, float p1) { \
    (void)b, (void)c, (void)p0, (void)p1; \
    INGOT__VECTORIZE for (size_t i = 0; i < n; i++) ((element_f32 *)to)[i] = f(((const element_f32 *)a)[i]); \
  }
GELU(gelu_f32, vector_gelu)
GELU(gelu_tanh_f32, vector_gelu_tanh)

static typed_loop *const *const rows_of[TYPED_TYPES] = {
    [INGOT_FLOAT32] = loops_f32, [INGOT_FLOAT64] = loops_f64, [INGOT_INT8] = loops_i8,   [INGOT_UINT8] = loops_u8,   [INGOT_INT16] = loops_i16,
    [INGOT_UINT16] = loops_u16,  [INGOT_INT32] = loops_i32,   [INGOT_UINT32] = loops_u32, [INGOT_INT64] = loops_i64, [INGOT_UINT64] = loops_u64,
    [INGOT_BOOL] = loops_b8};

/* ---- Moving and choosing, by size */

#define SIZED(S, N) \
  static void copy_##S(void *to, const void *a, const void *b, const void *c, size_t n, float p0, float p1) { \
    (void)b, (void)c, (void)p0, (void)p1; \
    memmove(to, a, n * S); \
  } \
  static void where_##S(void *to, const void *a, const void *b, const void *c, size_t n, float p0, float p1) { \
    element_##N *o = to; \
    const element_##N *yes = b, *no = c; \
    const element_b8 *which = a; \
    (void)p0, (void)p1; \
    INGOT__VECTORIZE for (size_t i = 0; i < n; i++) { \
      const element_##N y = yes[i], x = no[i]; \
      o[i] = which[i] ? y : x; \
    } \
  } \
  static void gather_##S(char *to, const char *from, int64_t stride, int64_t n) { \
    for (int64_t i = 0; i < n; i++) ((element_##N *)to)[i] = *(const element_##N *)(from + i * stride); \
  } \
  static void scatter_##S(char *to, const char *from, int64_t stride, int64_t n) { \
    for (int64_t i = 0; i < n; i++) *(element_##N *)(to + i * stride) = ((const element_##N *)from)[i]; \
  } \
  static void fill_##S(char *to, const char *from, int64_t n) { \
    const element_##N v = *(const element_##N *)from; \
    for (int64_t i = 0; i < n; i++) ((element_##N *)to)[i] = v; \
  }
SIZED(1, u8)
SIZED(2, u16)
SIZED(4, u32)
SIZED(8, u64)
static int log_of(size_t size) { return size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3; }
static typed_loop *const copies[] = {copy_1, copy_2, copy_4, copy_8}, *const wheres[] = {where_1, where_2, where_4, where_8};
typedef void strided_fn(char *to, const char *from, int64_t stride, int64_t n);
static strided_fn *const gathers[] = {gather_1, gather_2, gather_4, gather_8}, *const scatters[] = {scatter_1, scatter_2, scatter_4, scatter_8};
typedef void fill_fn(char *to, const char *from, int64_t n);
static fill_fn *const fills[] = {fill_1, fill_2, fill_4, fill_8};

/* ---- Casts, as the reference has them: floats are cut towards zero, what no integer can hold becomes the smallest one, and narrower integers
 * lose their high bits. */

#define NOT_NARROW(x) ((x) > -2147483649.0 && (x) < 2147483648.0 ? (int32_t)(x) : INT32_MIN)
#define NARROW_F(x) ((x) >= -2147483648.0f && (x) < 2147483648.0f ? (int32_t)(x) : INT32_MIN)
#define WHOLE(x) ((x) >= -0x1p63f && (x) < 0x1p63f ? (int64_t)(x) : INT64_MIN)
#define UNSIGNED(x) ((x) < 0x1p63f ? (uint64_t)WHOLE(x) : (x) < 0x1p64f ? (uint64_t)(x) : UINT64_MAX)
#define SAME(x) (x)
#define CAST(F, load, T, convert) \
  static void cast_##F##_##T(void *to, const void *from, const void *b, const void *c, size_t n, float p0, float p1) { \
    const element_##F *s = from; \
    element_##T *o = to; \
    (void)b, (void)c, (void)p0, (void)p1; \
    INGOT__VECTORIZE for (size_t i = 0; i < n; i++) o[i] = (element_##T)convert(load(s[i])); \
  }
#define TRUTH(x) ((x) != 0)
/* From F; NARROW, LONG, LARGE: to integers of up to 32 bits, to int64 and uint32, to uint64. */
#define CASTS(F, load, NARROW, LONG, LARGE) \
  CAST(F, load, f32, SAME) CAST(F, load, f64, SAME) CAST(F, load, i8, NARROW) CAST(F, load, u8, NARROW) CAST(F, load, i16, NARROW) \
  CAST(F, load, u16, NARROW) CAST(F, load, i32, NARROW) CAST(F, load, u32, LONG) CAST(F, load, i64, LONG) CAST(F, load, u64, LARGE) \
  CAST(F, load, b8, TRUTH)
#define TO_HALVES(F) CAST(F, SAME, f16, f16_of_f32) CAST(F, SAME, bf16, bf16_of_f32)
typedef uint16_t element_f16 __attribute__((may_alias, aligned(1)));
typedef element_f16 element_bf16;
CASTS(f32, SAME, NARROW_F, WHOLE, UNSIGNED)
CASTS(f64, SAME, NOT_NARROW, WHOLE, UNSIGNED)
CASTS(f16, f32_of_f16, NARROW_F, WHOLE, UNSIGNED)
CASTS(bf16, f32_of_bf16, NARROW_F, WHOLE, UNSIGNED)
CASTS(i8, SAME, SAME, SAME, SAME)
CASTS(u8, SAME, SAME, SAME, SAME)
CASTS(i16, SAME, SAME, SAME, SAME)
CASTS(u16, SAME, SAME, SAME, SAME)
CASTS(i32, SAME, SAME, SAME, SAME)
CASTS(u32, SAME, SAME, SAME, SAME)
CASTS(i64, SAME, SAME, SAME, SAME)
CASTS(u64, SAME, SAME, SAME, SAME)
CASTS(b8, SAME, SAME, SAME, SAME)
TO_HALVES(f32)
TO_HALVES(i8)
TO_HALVES(u8)
TO_HALVES(i16)
TO_HALVES(u16)
TO_HALVES(b8)
/* Rows of half floats by their own instructions. */
static void halves_of_floats(void *to, const void *from, const void *b, const void *c, size_t n, float p0, float p1) {
  (void)b, (void)c, (void)p0, (void)p1;
  f16_of_f32_row(to, from, (int64_t)n);
}
static void floats_of_halves(void *to, const void *from, const void *b, const void *c, size_t n, float p0, float p1) {
  (void)b, (void)c, (void)p0, (void)p1;
  f32_of_f16_row(to, from, (int64_t)n);
}
#define CAST_ROW(F) \
  [INGOT_FLOAT32] = cast_##F##_f32, [INGOT_FLOAT64] = cast_##F##_f64, [INGOT_INT8] = cast_##F##_i8, [INGOT_UINT8] = cast_##F##_u8, \
  [INGOT_INT16] = cast_##F##_i16, [INGOT_UINT16] = cast_##F##_u16, [INGOT_INT32] = cast_##F##_i32, [INGOT_UINT32] = cast_##F##_u32, \
  [INGOT_INT64] = cast_##F##_i64, [INGOT_UINT64] = cast_##F##_u64, [INGOT_BOOL] = cast_##F##_b8
#define HALF_ROW(F) CAST_ROW(F), [INGOT_FLOAT16] = cast_##F##_f16, [INGOT_BFLOAT16] = cast_##F##_bf16
static typed_loop *const casts[TYPED_TYPES][TYPED_TYPES] = {
    [INGOT_FLOAT32] = {HALF_ROW(f32)}, [INGOT_FLOAT64] = {CAST_ROW(f64)}, [INGOT_FLOAT16] = {CAST_ROW(f16)}, [INGOT_BFLOAT16] = {CAST_ROW(bf16)},
    [INGOT_INT8] = {HALF_ROW(i8)},     [INGOT_UINT8] = {HALF_ROW(u8)},    [INGOT_INT16] = {HALF_ROW(i16)},   [INGOT_UINT16] = {HALF_ROW(u16)},
    [INGOT_INT32] = {CAST_ROW(i32)},   [INGOT_UINT32] = {CAST_ROW(u32)},  [INGOT_INT64] = {CAST_ROW(i64)},   [INGOT_UINT64] = {CAST_ROW(u64)},
    [INGOT_BOOL] = {HALF_ROW(b8)}};

static typed_loop *loop_of(const typed_op *op) {
  ingot_dtype from = (ingot_dtype)op->from, to = (ingot_dtype)op->to;
  if (op->op == INGOT__OP_Identity || (op->op == INGOT__OP_Cast && from == to)) return copies[log_of(ingot__dtype_size(to))];
  if (op->op == INGOT__OP_Where) return wheres[log_of(ingot__dtype_size(to))];
  if (op->op == INGOT__OP_Cast && from == INGOT_FLOAT16 && to == INGOT_FLOAT32) return floats_of_halves;
  if (op->op == INGOT__OP_Cast && from == INGOT_FLOAT32 && to == INGOT_FLOAT16) return halves_of_floats;
  if (op->op == INGOT__OP_Cast) return casts[from][to];
  return rows_of[from] ? rows_of[from][op->op] : NULL;
}

/* ---- The walk, as elementwise.inc has it */

enum { SLOT_BYTES = 48 * 1024, LARGEST_BLOCK = 1024, TYPED_GRAIN = 32768 };

typedef struct job {
  const ingot__call *call;
  const typed_program *program;
  const element_space *space;
  typed_loop *loop[ELEMENT_MAX_OPS];
  int64_t block, rows, pieces, groups, outer;
} job;

typedef struct lane {
  const job *j;
  char *slot[TYPED_MAX_SLOTS];
  const char *at[TYPED_MAX_SLOTS];
  const char *held[ELEMENT_MAX_IN];
  int64_t held_rows[ELEMENT_MAX_IN], held_n[ELEMENT_MAX_IN];
} lane;

static void fetch(lane *l, int k, const char *p, int64_t rows, int64_t n) {
  const element_space *s = l->j->space;
  size_t size = ingot__dtype_size((ingot_dtype)l->j->program->type[k]);
  int64_t inner = s->in_stride[k][s->rank - 1], mid = s->rank > 1 ? s->in_stride[k][s->rank - 2] : 0;
  if (inner == (int64_t)size && (rows == 1 || mid == n * (int64_t)size)) {
    l->at[k] = p;
    return;
  }
  char *slot = l->slot[k];
  l->at[k] = slot;
  if (l->held[k] == p && l->held_n[k] == n && l->held_rows[k] >= rows) return;
  l->held[k] = p, l->held_n[k] = n, l->held_rows[k] = rows;
  int which = log_of(size);
  for (int64_t r = 0; r < rows; r++) {
    if (inner == 0 && mid == 0) {
      fills[which](slot, p, rows * n);
      return;
    }
    if (r && mid == 0) {
      memcpy(slot + (size_t)(r * n) * size, slot, (size_t)n * size);
    } else if (inner == 0) {
      fills[which](slot + (size_t)(r * n) * size, p + r * mid, n);
    } else if (inner == (int64_t)size) {
      memcpy(slot + (size_t)(r * n) * size, p + r * mid, (size_t)n * size);
    } else {
      gathers[which](slot + (size_t)(r * n) * size, p + r * mid, inner, n);
    }
  }
}

static void run_block(lane *l, char *const *out, int64_t rows, int64_t n) {
  const typed_program *p = l->j->program;
  const element_space *s = l->j->space;
  size_t count = (size_t)(rows * n);
  int direct = -1;
  for (int i = 0; i < p->n_op; i++) {
    const typed_op *op = &p->op[i];
    char *to = l->slot[op->out];
    for (int k = 0; i == p->n_op - 1 && k < p->io.n_out && direct < 0; k++) {
      int64_t size = (int64_t)ingot__dtype_size((ingot_dtype)op->to);
      int64_t inner = s->out_stride[k][s->rank - 1], mid = s->rank > 1 ? s->out_stride[k][s->rank - 2] : 0;
      if (p->io.out_slot[k] == op->out && inner == size && (rows == 1 || mid == n * size)) direct = k;
    }
    if (direct >= 0) to = out[direct];
    l->j->loop[i](to, l->at[op->a], l->at[op->b], l->at[op->c], count, op->p0, op->p1);
    l->at[op->out] = to;
  }
  for (int k = 0; k < p->io.n_out; k++) {
    if (k == direct) continue;
    int64_t size = (int64_t)ingot__dtype_size((ingot_dtype)p->type[p->io.out_slot[k]]);
    int64_t inner = s->out_stride[k][s->rank - 1], mid = s->rank > 1 ? s->out_stride[k][s->rank - 2] : 0;
    const char *from = l->at[p->io.out_slot[k]];
    for (int64_t r = 0; r < rows; r++) {
      if (inner == size) memcpy(out[k] + r * mid, from + r * n * size, (size_t)(n * size));
      else scatters[log_of((size_t)size)](out[k] + r * mid, from + r * n * size, inner, n);
    }
  }
}

static void work(void *arg, int thread, int threads) {
  const job *j = arg;
  const typed_program *p = j->program;
  const element_space *s = j->space;
  _Alignas(64) char slots[SLOT_BYTES];
  lane l = {.j = j};
  for (int i = 0; i < p->n_slot; i++) l.at[i] = l.slot[i] = slots + i * j->block * 8;
  for (int i = 0; i < p->n_constant; i++) {
    int slot = p->io.n_in + i;
    fills[log_of(ingot__dtype_size((ingot_dtype)p->type[slot]))](l.slot[slot], (const char *)&p->constant[i], j->block);
  }
  int64_t n_inner = s->dim[s->rank - 1], n_mid = s->rank > 1 ? s->dim[s->rank - 2] : 1, per_outer = j->groups * j->pieces;
  size_t begin, end;
  ingot__share((size_t)(j->outer * per_outer), 1, thread, threads, &begin, &end);
  for (int64_t u = (int64_t)begin; u < (int64_t)end;) {
    int64_t o = u / per_outer, in_plane = u % per_outer, last = in_plane + ((int64_t)end - u);
    if (last > per_outer) last = per_outer;
    int64_t in_at[ELEMENT_MAX_IN] = {0}, out_at[ELEMENT_MAX_OUT] = {0};
    for (int d = s->rank - 3; d >= 0; d--) {
      int64_t x = o % s->dim[d];
      o /= s->dim[d];
      for (int k = 0; k < p->io.n_in; k++) in_at[k] += x * s->in_stride[k][d];
      for (int k = 0; k < p->io.n_out; k++) out_at[k] += x * s->out_stride[k][d];
    }
    for (int64_t g = in_plane; g < last; g++, u++) {
      int64_t row = g / j->pieces * j->rows, first = g % j->pieces * j->block;
      int64_t rows = n_mid - row < j->rows ? n_mid - row : j->rows, n = n_inner - first < j->block ? n_inner - first : j->block;
      char *out[ELEMENT_MAX_OUT];
      for (int k = 0; k < p->io.n_in; k++) {
        int64_t mid = s->rank > 1 ? s->in_stride[k][s->rank - 2] : 0;
        fetch(&l, k, (const char *)j->call->in[p->io.in[k]].data + in_at[k] + row * mid + first * s->in_stride[k][s->rank - 1], rows, n);
      }
      for (int k = 0; k < p->io.n_out; k++) {
        int64_t mid = s->rank > 1 ? s->out_stride[k][s->rank - 2] : 0;
        out[k] = (char *)j->call->out[p->io.out[k]].data + out_at[k] + row * mid + first * s->out_stride[k][s->rank - 1];
      }
      run_block(&l, out, rows, n);
    }
  }
}

/* Floats alone, and floats with bools, are another kernel's. */
static bool other_types(const typed_program *p) {
  bool floats = false;
  for (int i = 0; i < p->n_slot; i++) {
    if (p->type[i] != INGOT_FLOAT32 && p->type[i] != INGOT_BOOL) return true;
    floats |= p->type[i] == INGOT_FLOAT32;
  }
  return !floats;
}

static bool supports(const ingot__call *call) {
  typed_program program;
  if (!ingot__typed_program(call, &program) || !other_types(&program)) return false;
  for (int i = 0; i < program.n_op; i++)
    if (!loop_of(&program.op[i])) return false;
  return true;
}

static ingot_status run(const ingot__call *call) {
  typed_program program;
  element_space space;
  if (!ingot__typed_program(call, &program)) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "not a program of elementwise operations");
  ingot__element_space(call, &program.io, &space);
  int64_t total = ingot__view_count(&call->out[program.io.out[0]]);
  if (total == 0) return INGOT_OK;
  job j = {.call = call, .program = &program, .space = &space, .rows = 1, .pieces = 1, .outer = 1};
  for (int i = 0; i < program.n_op; i++)
    if (!(j.loop[i] = loop_of(&program.op[i]))) return INGOT__FAIL_CALL(call, INGOT_E_INTERNAL, "has an operation without a loop");
  j.block = SLOT_BYTES / 8 / program.n_slot / 64 * 64;
  if (j.block > LARGEST_BLOCK) j.block = LARGEST_BLOCK;
  int64_t inner = space.dim[space.rank - 1], mid = space.rank > 1 ? space.dim[space.rank - 2] : 1;
  if (inner <= j.block) j.rows = j.block / inner < mid ? j.block / inner : mid;
  else j.pieces = (inner + j.block - 1) / j.block;
  j.groups = (mid + j.rows - 1) / j.rows;
  for (int d = 0; d < space.rank - 2; d++) j.outer *= space.dim[d];
  if (total * program.n_op < TYPED_GRAIN) work(&j, 0, 1);
  else ingot__pool_run(call->pool, work, &j);
  return INGOT_OK;
}

const ingot__kernel_functions INGOT__KERNEL(typed) = {.supports = supports, .run = run};
