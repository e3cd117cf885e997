/* From a node, or the body of a Fused node, to an element_program; and from the views to the loops around it. */
#include "backend/cpu/kernels/elementwise/program.h"

/* Which value lies in which slot while a program is built. */
typedef struct builder {
  element_program *p;
  int n_value;
  struct { const ingot__value *value; size_t uses; uint8_t slot; ingot_dtype dtype; } value[ELEMENT_MAX_VALUES];
  bool used[ELEMENT_MAX_SLOTS], single;
} builder;

/* Whether every value of the type is a float exactly, so that any arithmetic of the program on it is right. */
static bool exact_in_float(ingot_dtype t) {
  return t == INGOT_FLOAT32 || t == INGOT_FLOAT16 || t == INGOT_BFLOAT16 || t == INGOT_BOOL || t == INGOT_INT8 || t == INGOT_UINT8 ||
         t == INGOT_INT16 || t == INGOT_UINT16;
}
static bool storable(ingot_dtype t) { return exact_in_float(t) || t == INGOT_INT32 || t == INGOT_INT64 || t == INGOT_FLOAT64; }
static bool computed(ingot_dtype t) { return t == INGOT_FLOAT32 || t == INGOT_BOOL; }

static int new_slot(builder *b) {
  for (int i = 0; i < ELEMENT_MAX_SLOTS; i++)
    if (!b->used[i]) {
      b->used[i] = true;
      if (i >= b->p->n_slot) b->p->n_slot = i + 1;
      return i;
    }
  return -1;
}

static bool bind(builder *b, const ingot__value *value, size_t uses, int slot, ingot_dtype dtype) {
  if (slot < 0 || b->n_value == ELEMENT_MAX_VALUES) return false;
  b->value[b->n_value].value = value;
  b->value[b->n_value].uses = uses;
  b->value[b->n_value].slot = (uint8_t)slot;
  b->value[b->n_value].dtype = dtype;
  b->n_value++;
  return true;
}

static int constant_slot(builder *b, float v) {
  element_program *p = b->p;
  for (int i = 0; i < p->n_constant; i++)
    if (memcmp(&p->constant[i], &v, sizeof v) == 0) return p->n_in + i;
  int slot = p->n_in + p->n_constant;
  if (slot >= ELEMENT_MAX_SLOTS || b->used[slot]) return -1;
  b->used[slot] = true;
  if (slot >= p->n_slot) p->n_slot = slot + 1;
  p->constant[p->n_constant++] = v;
  return slot;
}

/* Where a value is; constants of one element are made on the way. -1: not here. */
static int find(builder *b, const ingot__value *value) {
  for (int i = b->n_value - 1; i >= 0; i--)
    if (b->value[i].value == value) return i;
  return -1;
}

static bool operand(builder *b, const ingot__value *value, uint8_t *slot, ingot_dtype *dtype) {
  int i = value ? find(b, value) : -1;
  if (i < 0) return false;
  *slot = b->value[i].slot;
  *dtype = b->value[i].dtype;
  return true;
}

/* One use of each operand is over: slots that nobody reads any more are free for the results that follow. */
static void release(builder *b, const ingot__node *node) {
  for (size_t k = 0; k < node->n_in; k++) {
    int i = node->in[k] ? find(b, node->in[k]) : -1;
    if (i < 0 || b->value[i].uses == SIZE_MAX || b->value[i].uses == 0) continue;
    if (--b->value[i].uses == 0 && b->value[i].slot >= b->p->n_in + b->p->n_constant) b->used[b->value[i].slot] = false;
  }
}

static bool emit(builder *b, ingot__op op, int out, int x, int y, int z, float p0, float p1) {
  if (b->p->n_op == ELEMENT_MAX_OPS) return false;
  b->p->op[b->p->n_op++] = (element_op){(uint16_t)op, (uint8_t)out, (uint8_t)x, (uint8_t)y, (uint8_t)z, p0, p1};
  return true;
}

/* The types of an elementwise row, as far as floats and bools go. */
#define ARITH 1
#define FLOAT 1
#define INTEGER 0
#define LOGIC 2
#define COMPARE 3
#define EQUAL 4
static int row_types(ingot__op op) {
  switch (op) {
#define INGOT_OP(name, onnx, domain, aten, min_in, max_in, min_out, max_out, attrs)
#define INGOT_ELEMENTWISE(name, onnx, aten, arity, types, attrs, expression) case INGOT__OP_##name: return types;
#include "ops.def"
#undef INGOT_OP
#undef INGOT_ELEMENTWISE
    default: return 0;
  }
}

static void float_attributes(const ingot__node *node, float *p0, float *p1) {
  const ingot__op_info *info = ingot__op_get(node->op);
  float *p[2] = {p0, p1};
  for (size_t i = 0, n = 0; i < info->n_attr && n < 2; i++)
    if (info->attr[i].type == INGOT__ATTR_FLOAT) memcpy(p[n++], (const char *)node->attrs + info->attr[i].offset, sizeof(float));
}

/* Adds one node of a body, or the whole of a single-node program; result is the slot that `dtype` names the type of. */
static bool add_node(builder *b, const ingot__node *node, ingot_dtype to, int *result) {
  uint8_t s[3] = {0, 0, 0};
  ingot_dtype t[3] = {INGOT_UNDEFINED, INGOT_UNDEFINED, INGOT_UNDEFINED};
  if (node->n_in > 3 || node->n_in < 1) return false;
  for (size_t i = 0; i < node->n_in; i++)
    if (node->in[i] && !operand(b, node->in[i], &s[i], &t[i])) return false;
  if (t[0] == INGOT_UNDEFINED) return false;
  for (int i = 1; i < 3; i++)
    if (t[i] == INGOT_UNDEFINED) s[i] = s[0]; /* unused, but it keeps a unary operation's operands all of one kind */
  float p0 = 0, p1 = 0;
  ingot__op op = node->op;
  bool floats = true;
  for (size_t i = 0; i < node->n_in; i++) floats = floats && (t[i] == INGOT_FLOAT32 || t[i] == INGOT_UNDEFINED);
  switch (op) {
    case INGOT__OP_Identity:
      if (to != t[0]) return false;
      break;
    case INGOT__OP_Cast:
      /* Integers lose high bits, which floats don't know: those are another kernel's. In chains the numbers fit: they are levels. */
      if (ingot__dtype_is_int(to) && (b->single || ingot__dtype_is_int(t[0]))) return false;
      if (!storable(to) || !(exact_in_float(t[0]) || to == INGOT_FLOAT32)) return false;
      if (to != INGOT_BOOL) op = INGOT__OP_Identity; /* loading and storing convert */
      break;
    case INGOT__OP_Where:
      if (node->n_in != 3 || t[0] != INGOT_BOOL || t[1] != t[2] || to != t[1] || !exact_in_float(to)) return false;
      break;
    case INGOT__OP_Clip:
    case INGOT__OP_PRelu:
    case INGOT__OP_Pow:
      if (!floats || to != INGOT_FLOAT32 || (op != INGOT__OP_Clip && t[1] == INGOT_UNDEFINED)) return false;
      break;
    case INGOT__OP_Gelu: {
      const char *form = ((const ingot__attrs_Gelu *)node->attrs)->approximate;
      if (!floats || to != INGOT_FLOAT32) return false;
      p0 = form && strcmp(form, "tanh") == 0;
      break;
    }
    case INGOT__OP_IsNaN:
      if (!floats || to != INGOT_BOOL) return false;
      break;
    case INGOT__OP_IsInf:
      if (!floats || to != INGOT_BOOL) return false;
      p0 = ((const ingot__attrs_IsInf *)node->attrs)->detect_negative != 0;
      p1 = ((const ingot__attrs_IsInf *)node->attrs)->detect_positive != 0;
      break;
    case INGOT__OP_QuantizeLinear:
      if (t[0] != INGOT_FLOAT32 || t[1] != INGOT_FLOAT32 || !exact_in_float(to) || ingot__dtype_is_float(to) || to == INGOT_BOOL) return false;
      if (t[2] != INGOT_UNDEFINED && t[2] != to) return false;
      break;
    case INGOT__OP_DequantizeLinear:
      if (t[1] != INGOT_FLOAT32 || to != INGOT_FLOAT32 || ingot__dtype_is_float(t[0]) || t[0] == INGOT_BOOL) return false;
      if (!exact_in_float(t[0]) && !(t[0] == INGOT_INT32 && t[2] == INGOT_UNDEFINED)) return false;
      if (t[2] != INGOT_UNDEFINED && t[2] != t[0]) return false;
      break;
    default: {
      int types = row_types(op);
      bool bools = t[0] == INGOT_BOOL && (node->n_in < 2 || t[1] == INGOT_BOOL);
      if (types == 0 || !(types == LOGIC ? bools : floats || (types == EQUAL && bools))) return false;
      if (to != (types == ARITH ? INGOT_FLOAT32 : INGOT_BOOL)) return false;
      float_attributes(node, &p0, &p1);
    }
  }
  if ((op == INGOT__OP_QuantizeLinear || op == INGOT__OP_DequantizeLinear) && t[2] == INGOT_UNDEFINED) {
    int zero = constant_slot(b, 0);
    if (zero < 0) return false;
    s[2] = (uint8_t)zero;
  }
  release(b, node);
  int out = new_slot(b);
  if (out < 0) return false;
  *result = out;
  if (op != INGOT__OP_Clip) return emit(b, op, out, s[0], s[1], s[2], p0, p1);
  bool low = t[1] != INGOT_UNDEFINED, high = t[2] != INGOT_UNDEFINED;
  if (low && high) return emit(b, INGOT__OP_Clip, out, s[0], s[1], s[2], 0, 0);
  if (low) return emit(b, INGOT__OP_Max, out, s[0], s[1], s[1], 0, 0);
  if (high) return emit(b, INGOT__OP_Min, out, s[0], s[2], s[2], 0, 0);
  return emit(b, INGOT__OP_Identity, out, s[0], s[0], s[0], 0, 0);
}

static bool add_output(element_program *p, size_t out, int slot) {
  if (p->n_out == ELEMENT_MAX_OUT) return false;
  p->out[p->n_out] = (uint8_t)out;
  p->out_slot[p->n_out++] = (uint8_t)slot;
  return true;
}

static bool add_input(builder *b, const ingot__call *call, size_t i, const ingot__value *value) {
  element_program *p = b->p;
  ingot_dtype t = call->in[i].dtype;
  if (p->n_in == ELEMENT_MAX_IN || !storable(t)) return false;
  int slot = p->n_in;
  p->in[slot] = (uint8_t)i;
  p->in_axis[slot] = -1;
  b->used[slot] = true;
  p->n_slot = ++p->n_in;
  return bind(b, value, SIZE_MAX, slot, t);
}

/* Whether a quantiser of a body has one scale and zero point for all; true for other nodes. */
static bool one_scale(const ingot__node *n) {
  if (n->op != INGOT__OP_QuantizeLinear && n->op != INGOT__OP_DequantizeLinear) return true;
  for (size_t i = 1; i < n->n_in; i++)
    if (n->in[i] && n->in[i]->type.rank != 0) return false;
  return true;
}

/* Bodies are elementwise throughout, so values between must be floats or bools; others only as what is loaded or stored by a Cast. */
static bool build_body(builder *b, const ingot__call *call, const ingot__graph *body) {
  if (body->n_input != call->n_in || body->n_output != call->n_out) return false;
  for (size_t i = 0; i < call->n_in; i++)
    if (!ingot__has_in(call, i) || !add_input(b, call, i, body->input[i])) return false;
  for (const ingot__node *node = body->first; node; node = node->next) { /* constants first: their slots follow the inputs' */
    for (size_t k = 0; k < node->n_in; k++) {
      const ingot__value *v = node->in[k];
      size_t count;
      if (!v || !v->data || find(b, v) >= 0) continue;
      if (!ingot__type_count(&v->type, &count) || count != 1 || !exact_in_float(v->type.dtype)) return false;
      if (!bind(b, v, SIZE_MAX, constant_slot(b, (float)ingot__get_double(v->type.dtype, v->data, 0)), v->type.dtype)) return false;
    }
  }
  for (const ingot__node *node = body->first; node; node = node->next) {
    int slot = 0;
    if (node->n_out != 1 || !node->out[0] || node->op == INGOT__OP_Fused || !one_scale(node)) return false;
    const ingot__value *v = node->out[0];
    if (!add_node(b, node, v->type.dtype, &slot)) return false;
    if (!computed(v->type.dtype) && v->n_user) return false;
    if (!bind(b, v, v->is_output || !v->n_user ? SIZE_MAX : v->n_user, slot, v->type.dtype)) return false;
  }
  for (size_t i = 0; i < call->n_out; i++) {
    uint8_t slot;
    ingot_dtype t;
    if (!ingot__has_out(call, i)) continue;
    if (!operand(b, body->output[i], &slot, &t) || t != call->out[i].dtype || !add_output(b->p, i, slot)) return false;
  }
  return true;
}

static bool build_single(builder *b, const ingot__call *call) {
  const ingot__node *node = call->node;
  b->single = true;
  if (call->n_out != 1 || call->n_in > 3 || call->n_in != node->n_in) return false;
  int slot;
  for (size_t i = 0; i < call->n_in; i++)
    if (ingot__has_in(call, i) && find(b, node->in[i]) < 0 && !add_input(b, call, i, node->in[i])) return false;
  ingot_dtype to = call->out[0].dtype;
  if (!add_node(b, node, to, &slot)) return false;
  if (node->op == INGOT__OP_QuantizeLinear || node->op == INGOT__OP_DequantizeLinear) {
    /* Both structs have the same first fields. */
    int64_t axis = node->op == INGOT__OP_QuantizeLinear ? INGOT__ATTRS(call, QuantizeLinear)->axis : INGOT__ATTRS(call, DequantizeLinear)->axis;
    int64_t block = node->op == INGOT__OP_QuantizeLinear ? INGOT__ATTRS(call, QuantizeLinear)->block_size
                                                         : INGOT__ATTRS(call, DequantizeLinear)->block_size;
    int rank = call->in[0].rank;
    if (axis < 0) axis += rank;
    if (block != 0) return false;
    for (int i = 1; i < b->p->n_in; i++) {
      const ingot__view *v = &call->in[b->p->in[i]];
      if (v->rank > 1 || (v->rank == 1 && (axis < 0 || axis >= rank))) return false;
      if (v->rank == 1) b->p->in_axis[i] = (int8_t)axis;
    }
  }
  return add_output(b->p, 0, slot);
}

bool ingot__element_program(const ingot__call *call, element_program *program) {
  if (!call->node || !ingot__has_in(call, 0)) return false;
  builder b = {.p = program};
  memset(program, 0, offsetof(element_program, constant));
  if (call->node->op == INGOT__OP_Fused) {
    const ingot__graph *body = INGOT__ATTRS(call, Fused)->body;
    return body && build_body(&b, call, body) && program->n_out > 0;
  }
  return build_single(&b, call) && program->n_out > 0;
}

/* Whether operation i is the only reader of what operation i - 1 leaves in `slot`, and that isn't an output. */
static bool passes_on(const element_program *p, int i, uint8_t slot) {
  if (slot < p->n_in + p->n_constant) return false;
  for (int k = i + 1; k < p->n_op; k++) {
    if (p->op[k].a == slot || p->op[k].b == slot || p->op[k].c == slot) return false;
    if (p->op[k].out == slot) return true;
  }
  for (int k = 0; k < p->n_out; k++)
    if (p->out_slot[k] == slot) return p->op[i].out == slot;
  return true;
}

static void drop(element_program *p, int i) {
  memmove(&p->op[i], &p->op[i + 1], (size_t)(p->n_op - i - 1) * sizeof p->op[0]);
  p->n_op--;
}

void ingot__element_join(element_program *p) {
  for (int i = 1; i < p->n_op; i++) {
    element_op *before = &p->op[i - 1], *now = &p->op[i];
    uint8_t s = before->out;
    if (before->op == INGOT__OP_Mul && now->op == INGOT__OP_Add && (now->a == s) != (now->b == s) && passes_on(p, i, s)) {
      *now = (element_op){ELEMENT_MULTIPLY_ADD, now->out, before->a, before->b, now->a == s ? now->b : now->a, 0, 0};
      drop(p, --i);
    } else if (before->op == ELEMENT_MULTIPLY_ADD && now->op == INGOT__OP_Relu && now->a == s && passes_on(p, i, s)) {
      before->op = ELEMENT_MULTIPLY_ADD_RELU;
      before->out = now->out;
      drop(p, i--);
    }
  }
}

/* An operand's stride in bytes for axis `i` of the result. */
static int64_t operand_stride(const ingot__view *v, int axis, int rank, int i) {
  int64_t size = (int64_t)ingot__dtype_size(v->dtype);
  int j = axis >= 0 ? (i == axis ? 0 : -1) : i - (rank - v->rank);
  return j < 0 || v->dim[j] == 1 ? 0 : v->stride[j] * size;
}

static bool joinable(const element_program *p, const element_space *s, int outer, int inner) {
  for (int k = 0; k < p->n_in; k++)
    if (s->in_stride[k][outer] != s->in_stride[k][inner] * s->dim[inner]) return false;
  for (int k = 0; k < p->n_out; k++)
    if (s->out_stride[k][outer] != s->out_stride[k][inner] * s->dim[inner]) return false;
  return true;
}

void ingot__element_space(const ingot__call *call, const element_program *p, element_space *s) {
  const ingot__view *out = &call->out[p->out[0]];
  int order[INGOT_MAX_RANK], n = 0;
  for (int i = 0; i < out->rank; i++) { /* by the output's strides, largest first */
    if (out->dim[i] == 1) continue;
    int at = n++;
    for (; at > 0 && out->stride[order[at - 1]] < out->stride[i]; at--) order[at] = order[at - 1];
    order[at] = i;
  }
  s->rank = 0;
  for (int j = 0; j < n; j++) {
    int r = s->rank++;
    s->dim[r] = out->dim[order[j]];
    for (int k = 0; k < p->n_in; k++) s->in_stride[k][r] = operand_stride(&call->in[p->in[k]], p->in_axis[k], out->rank, order[j]);
    for (int k = 0; k < p->n_out; k++) s->out_stride[k][r] = operand_stride(&call->out[p->out[k]], -1, out->rank, order[j]);
    if (r == 0 || !joinable(p, s, r - 1, r)) continue;
    s->dim[r - 1] *= s->dim[r];
    for (int k = 0; k < p->n_in; k++) s->in_stride[k][r - 1] = s->in_stride[k][r];
    for (int k = 0; k < p->n_out; k++) s->out_stride[k][r - 1] = s->out_stride[k][r];
    s->rank--;
  }
  if (s->rank > 0) return;
  s->rank = 1;
  s->dim[0] = 1;
  for (int k = 0; k < p->n_in; k++) s->in_stride[k][0] = 0;
  for (int k = 0; k < p->n_out; k++) s->out_stride[k][0] = 0;
}
