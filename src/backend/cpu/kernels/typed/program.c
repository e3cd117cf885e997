/* From a node, or the body of a Fused node, to a typed_program. */
#include "backend/cpu/kernels/typed/program.h"

typedef struct builder {
  typed_program *p;
  int n_value;
  struct { const ingot__value *value; uint8_t slot; } value[TYPED_MAX_SLOTS];
} builder;

static bool real(ingot_dtype t) { return t == INGOT_FLOAT32 || t == INGOT_FLOAT64; }
static bool number(ingot_dtype t) { return real(t) || (ingot__dtype_is_int(t) && ingot__dtype_size(t)); }
static bool small(ingot_dtype t) { return t == INGOT_FLOAT32 || t == INGOT_BOOL || (ingot__dtype_is_int(t) && ingot_dtype_bits(t) <= 16); }

/* Whether converting rounds once and no more. */
static bool converts(ingot_dtype from, ingot_dtype to) {
  if (ingot__dtype_is_half(to)) return small(from) && (ingot_dtype_bits(from) >= 8);
  return (number(from) || ingot__dtype_is_half(from) || from == INGOT_BOOL) && (number(to) || to == INGOT_BOOL);
}

enum { ARITH = 1, FLOAT, INTEGER, LOGIC, COMPARE, EQUAL };
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

static bool row_takes(ingot__op op, ingot_dtype t, ingot_dtype to) {
  switch (row_types(op)) {
  case ARITH: return number(t) && to == t;
  case FLOAT: return real(t) && to == t;
  case INTEGER: return number(t) && !real(t) && to == t;
  case LOGIC: return t == INGOT_BOOL && to == INGOT_BOOL;
  case COMPARE: return number(t) && to == INGOT_BOOL;
  case EQUAL: return (number(t) || t == INGOT_BOOL) && to == INGOT_BOOL;
  default: return false;
  }
}

static bool bind(builder *b, const ingot__value *value, int slot) {
  if (b->n_value == TYPED_MAX_SLOTS) return false;
  b->value[b->n_value].value = value;
  b->value[b->n_value++].slot = (uint8_t)slot;
  return true;
}

static int new_slot(builder *b, ingot_dtype t) {
  if (b->p->n_slot == TYPED_MAX_SLOTS) return -1;
  b->p->type[b->p->n_slot] = (uint8_t)t;
  return b->p->n_slot++;
}

static int find(const builder *b, const ingot__value *value) {
  for (int i = 0; value && i < b->n_value; i++)
    if (b->value[i].value == value) return b->value[i].slot;
  return -1;
}

static bool add_input(builder *b, const ingot__call *call, size_t i, const ingot__value *value) {
  element_program *io = &b->p->io;
  ingot_dtype t = call->in[i].dtype;
  if (io->n_in == ELEMENT_MAX_IN || b->p->n_slot != io->n_in || !(number(t) || ingot__dtype_is_half(t) || t == INGOT_BOOL)) return false;
  io->in[io->n_in] = (uint8_t)i;
  io->in_axis[io->n_in++] = -1;
  int slot = new_slot(b, t);
  return slot >= 0 && bind(b, value, slot);
}

static bool add_constant(builder *b, const ingot__value *v) {
  typed_program *p = b->p;
  ingot_dtype t = v->type.dtype;
  if (p->n_constant == TYPED_MAX_CONSTANTS || v->bytes < ingot__dtype_size(t)) return false;
  if (!(number(t) || ingot__dtype_is_half(t) || t == INGOT_BOOL)) return false;
  int slot = new_slot(b, t);
  if (slot < 0) return false;
  memcpy(&p->constant[p->n_constant++], v->data, ingot__dtype_size(t));
  return bind(b, v, slot);
}

static void float_attributes(const ingot__node *node, float *p0, float *p1) {
  const ingot__op_info *info = ingot__op_get(node->op);
  float *p[2] = {p0, p1};
  for (size_t i = 0, n = 0; i < info->n_attr && n < 2; i++)
    if (info->attr[i].type == INGOT__ATTR_FLOAT) memcpy(p[n++], (const char *)node->attrs + info->attr[i].offset, sizeof(float));
}

/* Checks an operation's types t (UNDEFINED: absent) and fills in what depends on the operator. */
static bool read_op(const ingot__node *node, const ingot_dtype t[3], ingot_dtype to, typed_op *op) {
  bool two = t[1] != INGOT_UNDEFINED, same = !two || t[1] == t[0];
  switch (node->op) {
  case INGOT__OP_Identity: return to == t[0];
  case INGOT__OP_Cast: return converts(t[0], to);
  case INGOT__OP_Where: return t[0] == INGOT_BOOL && two && t[1] == t[2] && to == t[1];
  case INGOT__OP_Clip: return number(t[0]) && same && (t[2] == INGOT_UNDEFINED || t[2] == t[0]) && to == t[0];
  case INGOT__OP_Mod:
    op->p0 = INGOT__ATTRS(node, Mod)->fmod != 0;
    return two && same && to == t[0] && number(t[0]) && (op->p0 != 0 || !real(t[0]));
  case INGOT__OP_PRelu:
  case INGOT__OP_Pow: return two && same && to == t[0] && real(t[0]);
  case INGOT__OP_Gelu: {
    const char *form = INGOT__ATTRS(node, Gelu)->approximate;
    if (form && strcmp(form, "tanh") == 0) op->op = TYPED_GELU_TANH;
    return t[0] == INGOT_FLOAT32 && to == t[0];
  }
  case INGOT__OP_IsNaN: return real(t[0]) && to == INGOT_BOOL;
  case INGOT__OP_IsInf:
    op->p0 = INGOT__ATTRS(node, IsInf)->detect_negative != 0;
    op->p1 = INGOT__ATTRS(node, IsInf)->detect_positive != 0;
    return real(t[0]) && to == INGOT_BOOL;
  default:
    float_attributes(node, &op->p0, &op->p1);
    return same && row_takes(node->op, t[0], to);
  }
}

static bool add_node(builder *b, const ingot__node *node, ingot_dtype to, int *result) {
  typed_program *p = b->p;
  int s[3] = {0, 0, 0};
  ingot_dtype t[3] = {INGOT_UNDEFINED, INGOT_UNDEFINED, INGOT_UNDEFINED};
  if (node->n_in > 3 || node->n_in < 1 || p->n_op == ELEMENT_MAX_OPS) return false;
  for (size_t i = 0; i < node->n_in; i++) {
    if (!node->in[i]) continue;
    if ((s[i] = find(b, node->in[i])) < 0) return false;
    t[i] = (ingot_dtype)p->type[s[i]];
  }
  typed_op op = {.op = (uint16_t)node->op, .to = (uint8_t)to};
  if (t[0] == INGOT_UNDEFINED || !read_op(node, t, to, &op)) return false;
  op.from = (uint8_t)(node->op == INGOT__OP_Where ? t[1] : t[0]);
  if (node->op == INGOT__OP_Clip) { /* one bound alone */
    if (t[1] == INGOT_UNDEFINED) op.op = t[2] == INGOT_UNDEFINED ? INGOT__OP_Identity : INGOT__OP_Min, s[1] = s[2];
    else if (t[2] == INGOT_UNDEFINED) op.op = INGOT__OP_Max;
  }
  *result = new_slot(b, to);
  if (*result < 0) return false;
  op.a = (uint8_t)s[0], op.b = (uint8_t)s[1], op.c = (uint8_t)s[2], op.out = (uint8_t)*result;
  p->op[p->n_op++] = op;
  return true;
}

static bool add_output(typed_program *p, size_t out, int slot) {
  if (p->io.n_out == ELEMENT_MAX_OUT || out > UINT8_MAX) return false;
  p->io.out[p->io.n_out] = (uint8_t)out;
  p->io.out_slot[p->io.n_out++] = (uint8_t)slot;
  return true;
}

static bool build_body(builder *b, const ingot__call *call, const ingot__graph *body) {
  if (body->n_input != call->n_in || body->n_output != call->n_out) return false;
  for (size_t i = 0; i < call->n_in; i++)
    if (!ingot__has_in(call, i) || !add_input(b, call, i, body->input[i])) return false;
  for (const ingot__node *node = body->first; node; node = node->next)
    for (size_t k = 0; k < node->n_in; k++) {
      const ingot__value *v = node->in[k];
      size_t count;
      if (!v || !v->data || find(b, v) >= 0) continue;
      if (!ingot__type_count(&v->type, &count) || count != 1 || !add_constant(b, v)) return false;
    }
  for (const ingot__node *node = body->first; node; node = node->next) {
    int slot;
    if (node->n_out != 1 || !node->out[0] || node->op == INGOT__OP_Fused) return false;
    if (!add_node(b, node, node->out[0]->type.dtype, &slot) || !bind(b, node->out[0], slot)) return false;
  }
  for (size_t i = 0; i < call->n_out; i++) {
    if (!ingot__has_out(call, i)) continue;
    int slot = find(b, body->output[i]);
    if (slot < b->p->io.n_in + b->p->n_constant || b->p->type[slot] != call->out[i].dtype || !add_output(b->p, i, slot)) return false;
  }
  return true;
}

static bool build_single(builder *b, const ingot__call *call) {
  const ingot__node *node = call->node;
  int slot;
  if (call->n_out != 1 || call->n_in > 3 || call->n_in != node->n_in) return false;
  for (size_t i = 0; i < call->n_in; i++)
    if (ingot__has_in(call, i) && find(b, node->in[i]) < 0 && !add_input(b, call, i, node->in[i])) return false;
  return add_node(b, node, call->out[0].dtype, &slot) && add_output(b->p, 0, slot);
}

bool ingot__typed_program(const ingot__call *call, typed_program *program) {
  if (!call->node || !ingot__has_in(call, 0)) return false;
  builder b = {.p = program};
  memset(program, 0, sizeof *program);
  if (call->node->op == INGOT__OP_Fused) {
    const ingot__graph *body = INGOT__ATTRS(call, Fused)->body;
    return body && build_body(&b, call, body) && program->io.n_out > 0;
  }
  return build_single(&b, call) && program->io.n_out > 0;
}
