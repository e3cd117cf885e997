/* Operators: enum, attribute structs and description tables, all expanded from ops.def. */
#ifndef INGOT_IR_OP_H
#define INGOT_IR_OP_H
#include "base/mem.h"
struct ingot__graph;

/* Attribute values. Arrays and strings live in the network's arena. */
typedef struct ingot__ints { size_t n; const int64_t *v; } ingot__ints;
typedef struct ingot__floats { size_t n; const float *v; } ingot__floats;
typedef struct ingot__strings { size_t n; const char *const *v; } ingot__strings;
typedef struct ingot__literal { /* a tensor attribute; bytes 0 and data NULL: absent */
  ingot_dtype dtype;
  int rank;
  int64_t dim[INGOT_MAX_RANK];
  const void *data;
  size_t bytes;
} ingot__literal;

/* The activations that a fused node applies to its result before it is stored; alpha and beta as in the operator of that name. */
typedef enum ingot__act {
  INGOT__ACT_NONE = 0, INGOT__ACT_RELU, INGOT__ACT_CLIP /* alpha..beta */, INGOT__ACT_LEAKY_RELU, INGOT__ACT_SIGMOID, INGOT__ACT_TANH,
  INGOT__ACT_SILU /* x * sigmoid(x) */, INGOT__ACT_HARD_SIGMOID, INGOT__ACT_HARD_SWISH, INGOT__ACT_GELU /* erf */, INGOT__ACT_GELU_TANH,
  INGOT__ACT_ELU, INGOT__ACT_SOFTPLUS, INGOT__ACT_MISH,
  INGOT__ACT_QUANTIZE /* round(alpha x), half to even, within beta..beta + 255: 8-bit levels less their zero point */, INGOT__ACT_COUNT
} ingot__act;
float ingot__act_apply(ingot__act act, float alpha, float beta, float x); /* the definition, in ir/act.c */
const char *ingot__act_name(ingot__act act);           /* "Relu"; "None" */
bool ingot__act_find(const char *name, ingot__act *act);

#define INGOT__NO_INT INT64_MIN /* the default of an int attribute that has none: 'not given' */

/* ops.def's rows and their attribute lists; see there. */
#define INGOT_OP(name, onnx, domain, aten, min_in, max_in, min_out, max_out, attrs) INGOT__OP_##name,
#define INGOT_ELEMENTWISE(name, onnx, aten, arity, types, attrs, expression) INGOT__OP_##name,
typedef enum ingot__op { INGOT__OP_NONE = 0,
#include "ops.def"
  INGOT__OP_COUNT } ingot__op;
#undef INGOT_OP
#undef INGOT_ELEMENTWISE

#define INGOT__FIELD_INT(field, default_) int64_t field;
#define INGOT__FIELD_FLOAT(field, default_) float field;
#define INGOT__FIELD_STRING(field, default_) const char *field;
#define INGOT__FIELD_INTS(field) ingot__ints field;
#define INGOT__FIELD_FLOATS(field) ingot__floats field;
#define INGOT__FIELD_STRINGS(field) ingot__strings field;
#define INGOT__FIELD_TENSOR(field) ingot__literal field;
#define INGOT__FIELD_GRAPH(field) struct ingot__graph *field;
#define INGOT__STRUCT(name, attrs) \
  typedef struct ingot__attrs_##name { \
    attrs(INGOT__FIELD_INT, INGOT__FIELD_FLOAT, INGOT__FIELD_STRING, INGOT__FIELD_INTS, INGOT__FIELD_FLOATS, INGOT__FIELD_STRINGS, \
          INGOT__FIELD_TENSOR, INGOT__FIELD_GRAPH) \
    char none_; /* so that no struct is empty */ \
  } ingot__attrs_##name;
#define INGOT_OP(name, onnx, domain, aten, min_in, max_in, min_out, max_out, attrs) INGOT__STRUCT(name, attrs)
#define INGOT_ELEMENTWISE(name, onnx, aten, arity, types, attrs, expression) INGOT__STRUCT(name, attrs)
#include "ops.def"
#undef INGOT_OP
#undef INGOT_ELEMENTWISE

typedef enum ingot__attr_type {
  INGOT__ATTR_INT, INGOT__ATTR_FLOAT, INGOT__ATTR_STRING, INGOT__ATTR_INTS, INGOT__ATTR_FLOATS, INGOT__ATTR_STRINGS, INGOT__ATTR_TENSOR,
  INGOT__ATTR_GRAPH
} ingot__attr_type;
typedef struct ingot__attr_info {
  const char *name;
  ingot__attr_type type;
  uint32_t offset;        /* in the attribute struct */
  int64_t default_int;
  float default_float;
  const char *default_string;
} ingot__attr_info;

struct ingot__infer;
struct ingot__call;
typedef struct ingot__op_info {
  const char *name;       /* ours: "Conv" */
  const char *onnx;       /* ONNX's name in `domain`, or "" when ONNX has none */
  const char *domain;     /* "" is ai.onnx; "ingot" for our own */
  const char *aten;       /* PyTorch's, or "" */
  int min_in, max_in, min_out, max_out; /* max -1: any number */
  size_t attrs_size;
  const ingot__attr_info *attr;
  size_t n_attr;
  bool elementwise;       /* an INGOT_ELEMENTWISE row */
} ingot__op_info;
const ingot__op_info *ingot__op_get(ingot__op op);                                   /* NULL when out of range */
ingot__op ingot__op_find(const char *name);                                          /* by our name */
ingot__op ingot__op_find_onnx(const char *domain, const char *name);                 /* INGOT__OP_NONE: unknown */
const ingot__attr_info *ingot__attr_find(ingot__op op, const char *name);
void ingot__attrs_default(ingot__op op, void *attrs);
#endif
