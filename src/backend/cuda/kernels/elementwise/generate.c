/* The generator: values get variables v0, v1.., nodes a statement or block each. Half and bfloat are computed in float, and values between
 * nodes stay float; integers are computed in 64 bits and cut to their type after each node. */
#include "backend/cuda/kernels/elementwise/generate.h"
#include <math.h>

enum { MOST_VALUES = 96, MOST_NODES = 64, NODE_IN = 5 };

typedef struct builder {
  const ingot__call *call;
  elementwise_operands *operands;
  ingot__text *text; /* may be NULL */
  int n;
  struct { const ingot__value *value; ingot_dtype dtype; } value[MOST_VALUES]; /* variable v<index> */
} builder;

#define EMIT(b, ...) do { if ((b)->text) ingot__text_printf((b)->text, __VA_ARGS__); } while (0)

/* ---- Types */

static bool whole(ingot_dtype t) { return ingot__dtype_is_int(t) && ingot__dtype_size(t) != 0; }
static bool number(ingot_dtype t) { return ingot__dtype_is_real(t) || whole(t); }

const char *ingot__elementwise_type(ingot_dtype t) {
  switch (t) {
  case INGOT_FLOAT32: return "float";
  case INGOT_FLOAT64: return "double";
  case INGOT_FLOAT16: return "half";
  case INGOT_BFLOAT16: return "bfloat";
  case INGOT_INT8: return "int8_t";
  case INGOT_INT16: return "int16_t";
  case INGOT_INT32: return "int32_t";
  case INGOT_INT64: return "int64_t";
  case INGOT_BOOL:
  case INGOT_UINT8: return "uint8_t";
  case INGOT_UINT16: return "uint16_t";
  case INGOT_UINT32: return "uint32_t";
  case INGOT_UINT64: return "uint64_t";
  default: return NULL;
  }
}
/* Of a variable. */
static const char *variable(ingot_dtype t) { return ingot__dtype_is_half(t) ? "float" : t == INGOT_BOOL ? "bool" : ingot__elementwise_type(t); }
/* That a node computes in. */
static const char *computed(ingot_dtype t) {
  if (t == INGOT_UINT32 || t == INGOT_UINT64) return "uint64_t";
  return whole(t) ? "int64_t" : variable(t);
}

/* ---- The rows of ops.def */

enum { ARITH = 1, FLOAT, INTEGER, LOGIC, COMPARE, EQUAL };
typedef struct row { const char *expression; uint8_t types, arity; } row;
static const row rows[INGOT__OP_COUNT] = {
#define INGOT_OP(name, onnx, domain, aten, min_in, max_in, min_out, max_out, attrs)
#define INGOT_ELEMENTWISE(name, onnx, aten, arity, types, attrs, expression) [INGOT__OP_##name] = {#expression, types, arity},
#include "ops.def"
#undef INGOT_OP
#undef INGOT_ELEMENTWISE
};

static bool row_takes(const row *r, ingot_dtype t, ingot_dtype to) {
  switch (r->types) {
  case ARITH: return number(t) && to == t;
  case FLOAT: return ingot__dtype_is_real(t) && to == t;
  case INTEGER: return whole(t) && to == t;
  case LOGIC: return t == INGOT_BOOL && to == INGOT_BOOL;
  case COMPARE: return number(t) && to == INGOT_BOOL;
  case EQUAL: return (number(t) || t == INGOT_BOOL) && to == INGOT_BOOL;
  default: return false;
  }
}

/* ---- Values */

static int bind(builder *b, const ingot__value *value, ingot_dtype t) {
  if (b->n == MOST_VALUES) return -1;
  b->value[b->n].value = value;
  b->value[b->n].dtype = t;
  return b->n++;
}

static int find(const builder *b, const ingot__value *value) {
  for (int i = b->n - 1; i >= 0; i--)
    if (b->value[i].value == value) return i;
  return -1;
}

static bool add_input(builder *b, size_t i, const ingot__value *value, int axis) {
  elementwise_operands *o = b->operands;
  ingot_dtype t = b->call->in[i].dtype;
  const char *type = ingot__elementwise_type(t);
  if (o->n_in == ELEMENTWISE_MOST_IN || !type || i > UINT8_MAX) return false;
  int v = bind(b, value, t);
  if (v < 0) return false;
  EMIT(b, "  const %s v%d = ", variable(t), v);
  if (ingot__dtype_is_half(t)) EMIT(b, "to_float(i%d);\n", o->n_in);
  else EMIT(b, "i%d%s;\n", o->n_in, t == INGOT_BOOL ? " != 0" : "");
  o->in[o->n_in] = (uint8_t)i;
  o->in_axis[o->n_in++] = (int8_t)axis;
  return true;
}

/* A float as code that gives exactly it. */
static void literal(builder *b, float v) {
  uint32_t bits;
  memcpy(&bits, &v, 4);
  if (isfinite(v)) EMIT(b, "%af", (double)v);
  else EMIT(b, "bits_float(0x%08xu)", bits);
}

static bool add_constant(builder *b, const ingot__value *value) {
  ingot_dtype t = value->type.dtype;
  size_t count;
  if (!ingot__elementwise_type(t) || !ingot__type_count(&value->type, &count) || count != 1) return false;
  int v = bind(b, value, t);
  if (v < 0) return false;
  EMIT(b, "  const %s v%d = ", variable(t), v);
  if (t == INGOT_FLOAT64) {
    double d = ingot__get_double(t, value->data, 0);
    uint64_t bits;
    memcpy(&bits, &d, 8);
    if (isfinite(d)) EMIT(b, "%a", d);
    else EMIT(b, "(double)bits_float(0x%08xu)", (unsigned)(bits >> 32 & 0x80000000u) | (d != d ? 0x7fc00000u : 0x7f800000u));
  } else if (ingot__dtype_is_real(t)) {
    literal(b, (float)ingot__get_double(t, value->data, 0));
  } else if (t == INGOT_UINT64) {
    EMIT(b, "%lluull", (unsigned long long)*(const uint64_t *)value->data);
  } else { /* the least int64 is no literal */
    EMIT(b, "(%s)%lluull", variable(t), (unsigned long long)(uint64_t)ingot__get_int(t, value->data, 0));
  }
  EMIT(b, ";\n");
  return true;
}

/* ---- Nodes */

/* The scalar that an input is, where that is known when the engine is built. */
static bool constant_scalar(const builder *b, const ingot__node *n, size_t i, double *scalar) {
  const ingot__value *v = n->in[i];
  if (b->call->node != n) {
    size_t count;
    if (!v->data || !ingot__type_count(&v->type, &count) || count != 1 || !ingot__dtype_is_real(v->type.dtype)) return false;
    *scalar = ingot__get_double(v->type.dtype, v->data, 0);
    return true;
  }
  return false; /* at run the call's data is the device's */
}

static void float_attributes(const ingot__node *node, float p[2]) {
  const ingot__op_info *info = ingot__op_get(node->op);
  p[0] = p[1] = 0;
  for (size_t i = 0, n = 0; i < info->n_attr && n < 2; i++)
    if (info->attr[i].type == INGOT__ATTR_FLOAT) memcpy(&p[n++], (const char *)node->attrs + info->attr[i].offset, sizeof(float));
}

static bool emit_row(builder *b, const ingot__node *node, const int *s, const ingot_dtype *t, ingot_dtype to, int v) {
  const row *r = &rows[node->op];
  if (!r->expression || node->n_in != r->arity || !row_takes(r, t[0], to) || (r->arity > 1 && t[1] != t[0])) return false;
  EMIT(b, "  %s v%d;\n  {\n    typedef %s T;\n    enum { BITS = %u };\n    const T a = v%d", variable(to), v, computed(t[0]),
       ingot_dtype_bits(t[0]), s[0]);
  if (r->arity > 1) EMIT(b, ", b = v%d", s[1]);
  EMIT(b, ";\n");
  if (ingot__op_get(node->op)->n_attr) {
    float p[2];
    float_attributes(node, p);
    EMIT(b, "    const float p0 = ");
    literal(b, p[0]);
    EMIT(b, ", p1 = ");
    literal(b, p[1]);
    EMIT(b, ";\n");
  }
  EMIT(b, "    v%d = (%s)(%s);\n  }\n", v, variable(to), r->expression);
  return true;
}

/* "convert" functions are named after the type they give; see functions.cuh. */
static const char *conversion(ingot_dtype from, ingot_dtype to) {
  if (to == INGOT_FLOAT16) return from == INGOT_FLOAT16 ? "" : "as_half";
  if (to == INGOT_BFLOAT16) return from == INGOT_BFLOAT16 ? "" : "as_bfloat";
  if (to == INGOT_FLOAT32) return "(float)";
  if (to == INGOT_FLOAT64) return "(double)";
  if (to == INGOT_BOOL) return "0 != ";
  if (!ingot__dtype_is_real(from)) return "";
  if (to == INGOT_UINT64) return "whole_unsigned";
  return to == INGOT_INT64 || to == INGOT_UINT32 ? "whole" : "whole_32";
}

static bool emit_pow(builder *b, const ingot__node *node, const int *s, const ingot_dtype *t, ingot_dtype to, int v) {
  double e = 0;
  if (to != t[0] || !number(t[0]) || !number(t[1])) return false;
  if (whole(t[0]) && whole(t[1])) {
    EMIT(b, "  const %s v%d = (%s)power((int64_t)v%d, (int64_t)v%d);\n", variable(to), v, variable(to), s[0], s[1]);
    return true;
  }
  if (whole(t[0])) {
    EMIT(b, "  const %s v%d = saturated<%s>(power((double)v%d, (double)v%d));\n", variable(to), v, variable(to), s[0], s[1]);
    return true;
  }
  if (constant_scalar(b, node, 1, &e) && t[0] != INGOT_FLOAT64 && (e == 2 || e == 3 || e == 0.5 || e == -0.5 || e == -1)) {
    EMIT(b, "  const float v%d = ", v);
    if (e == 2) EMIT(b, "v%d * v%d", s[0], s[0]);
    else if (e == 3) EMIT(b, "v%d * v%d * v%d", s[0], s[0], s[0]);
    else EMIT(b, "%s(v%d)", e == 0.5 ? "root" : e == -1 ? "1 / " : "1 / root", s[0]);
    EMIT(b, ";\n");
    return true;
  }
  bool wide = t[0] == INGOT_FLOAT64 || t[1] == INGOT_FLOAT64 || whole(t[1]);
  EMIT(b, "  const %s v%d = (%s)power((%s)v%d, (%s)v%d);\n", variable(to), v, variable(to), wide ? "double" : "float", s[0],
       wide ? "double" : "float", s[1]);
  return true;
}

static bool emit_quantize(builder *b, const ingot__node *node, const int *s, const ingot_dtype *t, ingot_dtype to, int v) {
  const ingot__attrs_QuantizeLinear *a = node->attrs;
  int64_t low, high;
  if (!ingot__cuda_is_float(t[0]) || !ingot__cuda_is_float(t[1]) || a->block_size != 0) return false;
  if (!whole(to) || ingot_dtype_bits(to) > 16 || (t[2] != INGOT_UNDEFINED && t[2] != to) || !ingot__dtype_range(to, &low, &high)) return false;
  ingot_dtype precision = (ingot_dtype)a->precision; /* that the quotient is rounded to, as ops/quantize.c has it */
  if (precision == INGOT_UNDEFINED) precision = t[0] == t[1] ? t[1] : INGOT_FLOAT32;
  if (precision == INGOT_FLOAT64) return false;
  const char *rounded = precision == INGOT_FLOAT16 ? "as_half" : precision == INGOT_BFLOAT16 ? "as_bfloat" : "";
  EMIT(b, "  const %s v%d = quantized<%s>(%s(v%d / v%d), ", variable(to), v, variable(to), rounded, s[0], s[1]);
  if (t[2] != INGOT_UNDEFINED) EMIT(b, "(float)v%d, ", s[2]);
  else EMIT(b, "0.0f, ");
  EMIT(b, "%lld.0f, %lld.0f);\n", (long long)low, (long long)high);
  return true;
}

static bool emit_dequantize(builder *b, const ingot__node *node, const int *s, const ingot_dtype *t, ingot_dtype to, int v) {
  const ingot__attrs_DequantizeLinear *a = node->attrs;
  if (!whole(t[0]) || ingot_dtype_bits(t[0]) > 32 || t[0] == INGOT_UINT32 || !ingot__dtype_is_real(t[1]) || t[1] == INGOT_FLOAT64) return false;
  if (!ingot__dtype_is_real(to) || to == INGOT_FLOAT64 || a->block_size != 0 || (t[2] != INGOT_UNDEFINED && t[2] != t[0])) return false;
  EMIT(b, "  const float v%d = ", v);
  if (t[2] != INGOT_UNDEFINED) EMIT(b, "((float)v%d - (float)v%d) * v%d;\n", s[0], s[2], s[1]);
  else EMIT(b, "(float)v%d * v%d;\n", s[0], s[1]);
  return true;
}

static bool emit_clip(builder *b, const int *s, const ingot_dtype *t, ingot_dtype to, int v) {
  if (!number(t[0]) || to != t[0] || (t[1] != INGOT_UNDEFINED && t[1] != to) || (t[2] != INGOT_UNDEFINED && t[2] != to)) return false;
  EMIT(b, "  %s v%d = v%d;\n", variable(to), v, s[0]);
  if (t[1] != INGOT_UNDEFINED) EMIT(b, "  v%d = v%d < v%d ? v%d : v%d;\n", v, v, s[1], s[1], v);
  if (t[2] != INGOT_UNDEFINED) EMIT(b, "  v%d = v%d > v%d ? v%d : v%d;\n", v, v, s[2], s[2], v);
  return true;
}

/* Inputs scale, bias, mean, variance. */
static bool emit_batch_norm(builder *b, const ingot__node *node, const int *s, const ingot_dtype *t, ingot_dtype to, int v) {
  const ingot__attrs_BatchNormalization *a = node->attrs;
  const char *type = t[0] == INGOT_FLOAT64 ? "double" : "float";
  for (int i = 0; i < 5; i++)
    if (!ingot__dtype_is_real(t[i])) return false;
  if (to != t[0]) return false;
  EMIT(b, "  const %s v%d = ((%s)v%d - (%s)v%d) * ((%s)v%d / sqrt_of((%s)v%d + ", type, v, type, s[0], type, s[3], type, s[1], type, s[4]);
  literal(b, a->epsilon);
  EMIT(b, ")) + (%s)v%d;\n", type, s[2]);
  return true;
}

/* The operators that are no rows. */
static bool emit_other(builder *b, const ingot__node *node, const int *s, const ingot_dtype *t, ingot_dtype to, int v) {
  bool two = t[1] != INGOT_UNDEFINED, same = two && t[1] == t[0] && to == t[0];
  switch (node->op) {
  case INGOT__OP_Identity:
    if (to != t[0]) return false;
    EMIT(b, "  const %s v%d = v%d;\n", variable(to), v, s[0]);
    return true;
  case INGOT__OP_Cast:
  case INGOT__OP_CastLike:
    if (!(number(t[0]) || t[0] == INGOT_BOOL) || !(number(to) || to == INGOT_BOOL)) return false;
    EMIT(b, "  const %s v%d = (%s)(%s(v%d));\n", variable(to), v, variable(to), conversion(t[0], to), s[0]);
    return true;
  case INGOT__OP_Where:
    if (t[0] != INGOT_BOOL || !two || t[1] != t[2] || to != t[1]) return false;
    EMIT(b, "  const %s v%d = v%d ? v%d : v%d;\n", variable(to), v, s[0], s[1], s[2]);
    return true;
  case INGOT__OP_Clip: return emit_clip(b, s, t, to, v);
  case INGOT__OP_PRelu:
    if (!same || !number(t[0])) return false;
    EMIT(b, "  const %s v%d = ", variable(to), v);
    if (ingot__dtype_is_real(t[0])) EMIT(b, "v%d < 0 ? v%d * v%d : v%d;\n", s[0], s[0], s[1], s[0]);
    else if (ingot__dtype_is_unsigned(t[0])) EMIT(b, "v%d;\n", s[0]);
    else EMIT(b, "v%d < 0 ? clamped_to<%s>((int64_t)((uint64_t)v%d * (uint64_t)v%d)) : v%d;\n", s[0], variable(to), s[0], s[1], s[0]);
    return true;
  case INGOT__OP_Pow: return two && emit_pow(b, node, s, t, to, v);
  case INGOT__OP_Mod: {
    bool c_like = ((const ingot__attrs_Mod *)node->attrs)->fmod != 0;
    if (!same || !number(t[0])) return false;
    EMIT(b, "  const %s v%d = (%s)%s((%s)v%d, (%s)v%d);\n", variable(to), v, variable(to), c_like ? "modulo_c" : "modulo", computed(t[0]), s[0],
         computed(t[0]), s[1]);
    return true;
  }
  case INGOT__OP_Gelu: {
    const char *form = ((const ingot__attrs_Gelu *)node->attrs)->approximate;
    if (!ingot__dtype_is_real(t[0]) || to != t[0]) return false;
    EMIT(b, "  const %s v%d = %s(v%d);\n", variable(to), v, form && strcmp(form, "tanh") == 0 ? "gelu_tanh" : "gelu", s[0]);
    return true;
  }
  case INGOT__OP_IsNaN:
    if (!ingot__dtype_is_real(t[0]) || to != INGOT_BOOL) return false;
    EMIT(b, "  const bool v%d = v%d != v%d;\n", v, s[0], s[0]);
    return true;
  case INGOT__OP_IsInf: {
    const ingot__attrs_IsInf *a = node->attrs;
    if (!ingot__dtype_is_real(t[0]) || to != INGOT_BOOL) return false;
    EMIT(b, "  const bool v%d = infinite(v%d) && (v%d > 0 ? %d : %d);\n", v, s[0], s[0], a->detect_positive != 0, a->detect_negative != 0);
    return true;
  }
  case INGOT__OP_BatchNormalization: return emit_batch_norm(b, node, s, t, to, v);
  case INGOT__OP_QuantizeLinear: return two && emit_quantize(b, node, s, t, to, v);
  case INGOT__OP_DequantizeLinear: return two && emit_dequantize(b, node, s, t, to, v);
  default: return false;
  }
}

static int weight(ingot__op op) { /* beside an addition */
  const char *e = rows[op].expression;
  if (op == INGOT__OP_Pow || op == INGOT__OP_Gelu || op == INGOT__OP_Mod || op == INGOT__OP_BatchNormalization) return 6;
  return e && strchr(e, '(') && op != INGOT__OP_Max && op != INGOT__OP_Min && op != INGOT__OP_Relu && op != INGOT__OP_Abs ? 4 : 1;
}

static bool add_node(builder *b, const ingot__node *node, ingot_dtype to) {
  int s[NODE_IN] = {0};
  ingot_dtype t[NODE_IN] = {INGOT_UNDEFINED, INGOT_UNDEFINED, INGOT_UNDEFINED, INGOT_UNDEFINED, INGOT_UNDEFINED};
  if (node->n_in < 1 || node->n_in > NODE_IN || !node->out[0] || b->operands->nodes > MOST_NODES * 6 || !variable(to)) return false;
  for (size_t i = 0; i < node->n_in; i++) {
    if (!node->in[i] || (i == 1 && node->op == INGOT__OP_CastLike)) continue;
    if ((s[i] = find(b, node->in[i])) < 0) return false;
    t[i] = b->value[s[i]].dtype;
  }
  if (t[0] == INGOT_UNDEFINED) return false;
  int v = bind(b, node->out[0], to);
  if (v < 0) return false;
  b->operands->nodes += weight(node->op);
  return rows[node->op].expression ? emit_row(b, node, s, t, to, v) : emit_other(b, node, s, t, to, v);
}

static bool add_output(builder *b, size_t i, const ingot__value *value) {
  elementwise_operands *o = b->operands;
  ingot_dtype t = b->call->out[i].dtype;
  int v = find(b, value);
  if (v < 0 || o->n_out == ELEMENTWISE_MOST_OUT || b->value[v].dtype != t || !ingot__elementwise_type(t) || i > UINT8_MAX) return false;
  EMIT(b, "  o%d = ", o->n_out);
  if (ingot__dtype_is_half(t)) EMIT(b, "from_float<%s>(v%d);\n", ingot__elementwise_type(t), v);
  else EMIT(b, "%sv%d;\n", t == INGOT_BOOL ? "(uint8_t)" : "", v);
  o->out[o->n_out++] = (uint8_t)i;
  return true;
}

/* Whether a quantiser in a body has one scale and zero point for all. */
static bool one_scale(const ingot__node *n) {
  if (n->op != INGOT__OP_QuantizeLinear && n->op != INGOT__OP_DequantizeLinear) return true;
  for (size_t i = 1; i < n->n_in; i++)
    if (n->in[i] && n->in[i]->type.rank != 0) return false;
  return true;
}

static bool build_body(builder *b, const ingot__graph *body) {
  const ingot__call *call = b->call;
  if (!body || body->n_input != call->n_in || body->n_output != call->n_out) return false;
  for (size_t i = 0; i < call->n_in; i++)
    if (!ingot__has_in(call, i) || !add_input(b, i, body->input[i], -1)) return false;
  for (const ingot__node *node = body->first; node; node = node->next) {
    if (node->n_out != 1 || !node->out[0] || !one_scale(node)) return false;
    for (size_t k = 0; k < node->n_in; k++)
      if (ingot__value_is_const(node->in[k]) && find(b, node->in[k]) < 0 && !add_constant(b, node->in[k])) return false;
    if (!add_node(b, node, node->out[0]->type.dtype)) return false;
  }
  for (size_t i = 0; i < call->n_out; i++)
    if (ingot__has_out(call, i) && !add_output(b, i, body->output[i])) return false;
  return true;
}

/* Scales and zero points of an axis, or single ones. */
static bool quantizer_axis(const ingot__call *call, int *axis) {
  bool quantizes = call->node->op == INGOT__OP_QuantizeLinear;
  *axis = (int)(quantizes ? INGOT__ATTRS(call, QuantizeLinear)->axis : INGOT__ATTRS(call, DequantizeLinear)->axis);
  int rank = call->in[0].rank;
  if (*axis < 0) *axis += rank;
  for (size_t i = 1; i < call->n_in; i++)
    if (ingot__has_in(call, i) && (call->in[i].rank > 1 || (call->in[i].rank == 1 && (*axis < 0 || *axis >= rank)))) return false;
  return true;
}

static bool build_single(builder *b) {
  const ingot__call *call = b->call;
  const ingot__node *node = call->node;
  int axis = -1;
  if (call->n_out != 1 || call->n_in > NODE_IN || call->n_in != node->n_in || !ingot__has_out(call, 0)) return false;
  bool quantizer = node->op == INGOT__OP_QuantizeLinear || node->op == INGOT__OP_DequantizeLinear;
  if (quantizer && !quantizer_axis(call, &axis)) return false;
  bool channels = node->op == INGOT__OP_BatchNormalization;
  if (channels) axis = 1;
  for (size_t i = 0; i < call->n_in; i++) {
    if (!ingot__has_in(call, i) || find(b, node->in[i]) >= 0 || (i == 1 && node->op == INGOT__OP_CastLike)) continue;
    if (!add_input(b, i, node->in[i], i > 0 && (quantizer || channels) && call->in[i].rank == 1 ? axis : -1)) return false;
  }
  return add_node(b, node, call->out[0].dtype) && add_output(b, 0, node->out[0]);
}

bool ingot__elementwise_generate(const ingot__call *call, elementwise_operands *operands, ingot__text *text) {
  builder b = {.call = call, .operands = operands, .text = text};
  memset(operands, 0, sizeof *operands);
  if (!call->node || !ingot__has_in(call, 0)) return false;
  bool fused = call->node->op == INGOT__OP_Fused;
  return (fused ? build_body(&b, INGOT__ATTRS(call, Fused)->body) : build_single(&b)) && operands->n_out > 0;
}
