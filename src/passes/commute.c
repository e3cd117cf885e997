/* Nodes that commute with a transposition of what they read: which do, how permutations come through them, and their copies. */
#include "passes/pull.h"

typedef enum kind { OTHER, ELEMENTWISE /* all inputs */, FIRST /* the first input; others are scalars */, AXIS, CONCAT, QUANTISED, REDUCE, SLICE,
                    PAD, ROWS /* by a matrix, the same for all */, NORM /* of the last dims */, RESHAPE } kind;

static bool constant_input(const ingot__node *n, size_t i) {
  int64_t x[2 * INGOT_MAX_RANK];
  size_t count;
  return i >= n->n_in || !n->in[i] || ingot__constant_ints(n->in[i], x, 2 * INGOT_MAX_RANK, &count);
}

static bool has_input(const ingot__node *n, size_t i) { return i < n->n_in && n->in[i]; }

/* A product of rows with one matrix, and what is added the same to each. */
static bool is_rows(const ingot__node *n) {
  return !((const ingot__attrs_MatMul *)n->attrs)->trans_a && n->in[0]->type.rank >= 2 && n->in[1]->type.rank == 2 &&
         (!has_input(n, 2) || (n->in[2]->type.rank >= 0 && n->in[2]->type.rank <= 1)) && !has_input(n, 3);
}

/* The first dim that is normalised; scale and bias lie along those dims alone. */
static int norm_axis(const ingot__node *n) {
  int rank = n->in[0]->type.rank;
  int64_t axis = ((const ingot__attrs_LayerNormalization *)n->attrs)->axis;
  axis = axis < 0 ? axis + rank : axis;
  if (rank < 1 || axis < 0 || axis >= rank) return -1;
  for (size_t i = 1; i < n->n_in; i++)
    if (n->in[i] && (n->in[i]->type.rank < 0 || n->in[i]->type.rank > rank - axis)) return -1;
  return (int)axis;
}

static kind kind_of(const ingot__node *n) {
  const ingot__op_info *info = ingot__op_get(n->op);
  if (info->elementwise) return ELEMENTWISE;
  switch (n->op) {
  case INGOT__OP_Where: case INGOT__OP_Pow: case INGOT__OP_PRelu: case INGOT__OP_Mod: return ELEMENTWISE;
  case INGOT__OP_Clip: case INGOT__OP_Gelu: case INGOT__OP_Cast: case INGOT__OP_IsInf: case INGOT__OP_IsNaN: case INGOT__OP_Identity: return FIRST;
  case INGOT__OP_Softmax: case INGOT__OP_LogSoftmax: return AXIS;
  case INGOT__OP_Concat: return CONCAT;
  case INGOT__OP_QuantizeLinear: case INGOT__OP_DequantizeLinear:
    return ((const ingot__attrs_DequantizeLinear *)n->attrs)->block_size ? OTHER : QUANTISED; /* both begin with axis and block_size */
  case INGOT__OP_ReduceSum: case INGOT__OP_ReduceMean: case INGOT__OP_ReduceMax: case INGOT__OP_ReduceMin: case INGOT__OP_ReduceProd:
  case INGOT__OP_ReduceL1: case INGOT__OP_ReduceL2: case INGOT__OP_ReduceSumSquare: case INGOT__OP_ReduceLogSumExp:
    return ((const ingot__attrs_ReduceMean *)n->attrs)->keepdims && n->n_in > 1 && n->in[1] && constant_input(n, 1) ? REDUCE : OTHER;
  case INGOT__OP_Slice: return constant_input(n, 1) && constant_input(n, 3) ? SLICE : OTHER;
  case INGOT__OP_Pad: return constant_input(n, 1) && (n->n_in < 4 || !n->in[3]) ? PAD : OTHER;
  case INGOT__OP_MatMul: return is_rows(n) ? ROWS : OTHER;
  case INGOT__OP_LayerNormalization: case INGOT__OP_RMSNormalization: return norm_axis(n) >= 0 ? NORM : OTHER; /* attributes begin alike */
  case INGOT__OP_Reshape: case INGOT__OP_Flatten: case INGOT__OP_Squeeze: case INGOT__OP_Unsqueeze: return RESHAPE;
  default: return OTHER;
  }
}

bool ingot__commutes(const ingot__node *n) { return n->n_out == 1 && n->out[0] && kind_of(n) != OTHER; }

size_t ingot__moved_inputs(const ingot__node *n) {
  kind k = kind_of(n);
  return k == ELEMENTWISE || k == CONCAT ? n->n_in : 1;
}

/* Dims from `axis` on stay. */
static bool keeps_last(const ingot__perm *p, int axis) {
  for (int i = axis; i < p->rank; i++)
    if (p->axis[i] != i) return false;
  return true;
}

/* The same for the nodes whose inputs are permuted as their result is. */
static bool stays_same(const ingot__node *n, const ingot__perm *p) {
  switch (kind_of(n)) {
  case OTHER: case RESHAPE: return false;
  case ELEMENTWISE: return n->out[0]->type.rank == p->rank;
  case ROWS: return keeps_last(p, p->rank - 1);
  case NORM: return keeps_last(p, norm_axis(n));
  default: return true;
  }
}

bool ingot__perm_into(const ingot__node *n, const ingot__perm *p, ingot__perm *in) {
  if (kind_of(n) != RESHAPE) {
    *in = *p;
    return stays_same(n, p);
  }
  if (!ingot__perm_through(&n->graph->network->dims, &n->out[0]->type, &n->in[0]->type, p, in)) return false;
  const ingot__type x = ingot__perm_type(&n->in[0]->type, in), y = ingot__perm_type(&n->out[0]->type, p);
  return ingot__type_same(&x, &y) || ingot__can_reshape(&x, &y);
}

bool ingot__perm_out_of(const ingot__node *n, const ingot__perm *in, ingot__perm *p) {
  if (kind_of(n) != RESHAPE) {
    *p = *in;
    return stays_same(n, in);
  }
  if (!ingot__perm_through(&n->graph->network->dims, &n->in[0]->type, &n->out[0]->type, in, p)) return false;
  const ingot__type x = ingot__perm_type(&n->in[0]->type, in), y = ingot__perm_type(&n->out[0]->type, p);
  return ingot__type_same(&x, &y) || ingot__can_reshape(&x, &y);
}

static int64_t renamed(int64_t axis, const ingot__perm *inverse) {
  return axis >= -inverse->rank && axis < inverse->rank ? inverse->axis[axis < 0 ? axis + inverse->rank : axis] : axis;
}

/* The copy's axes as they are after the transposition; false: no memory. */
static bool rename_axes(ingot__node *copy, const ingot__node *n, kind k, const ingot__perm *p) {
  ingot__perm inverse = ingot__perm_inverse(p);
  int64_t x[2 * INGOT_MAX_RANK], now[2 * INGOT_MAX_RANK];
  size_t count = 0, slot = k == SLICE ? 3 : 1;
  switch (k) {
  case AXIS: case CONCAT: case QUANTISED: {
    const ingot__attr_info *info = ingot__attr_find(n->op, "axis");
    int64_t *axis = (int64_t *)(void *)((char *)copy->attrs + info->offset);
    *axis = renamed(*axis, &inverse);
    return true;
  }
  case REDUCE: case SLICE:
    if (slot < n->n_in && n->in[slot]) {
      ingot__constant_ints(n->in[slot], x, INGOT_MAX_RANK, &count);
    } else {
      ingot__constant_ints(n->in[1], x, INGOT_MAX_RANK, &count); /* as many as starts */
      for (size_t i = 0; i < count; i++) x[i] = (int64_t)i;
    }
    for (size_t i = 0; i < count; i++) now[i] = renamed(x[i], &inverse);
    break;
  case PAD:
    ingot__constant_ints(n->in[1], x, 2 * INGOT_MAX_RANK, &count);
    for (int i = 0; i < p->rank && count == 2 * (size_t)p->rank; i++) {
      now[i] = x[p->axis[i]];
      now[i + p->rank] = x[p->axis[i] + p->rank];
    }
    break;
  default: return true;
  }
  ingot__value *c = ingot__constant_int64s(copy->graph, NULL, now, count);
  return c && ingot__node_set_input(copy, slot, c);
}

ingot_status ingot__commuted(ingot__node *n, ingot__value *const *in, const ingot__perm *p, ingot__node *before, ingot__diag *diag,
                             ingot__value **made) {
  kind k = kind_of(n);
  *made = NULL;
  if (k == RESHAPE) {
    const ingot__type type = ingot__perm_type(&n->out[0]->type, p);
    if (!ingot__type_same(&in[0]->type, &type)) return ingot__reshape_to(in[0], &type, before, diag, made);
    *made = in[0];
    return INGOT_OK;
  }
  ingot__node *copy = ingot__node_new(n->graph, n->op, n->name, before, in, n->n_in, 1, NULL);
  if (!copy) return ingot__no_memory(diag);
  memcpy(copy->attrs, n->attrs, ingot__op_get(n->op)->attrs_size);
  if (!rename_axes(copy, n, k, p)) return ingot__no_memory(diag);
  *made = copy->out[0];
  return ingot__rewrite_finish(copy, n, diag);
}
