/* Queries, keys and values that are products of the same rows with a matrix each become parts of one product with all of the columns: on an H200
 * 197 rows of 768 times 2304 columns take 4.4 us, times 768 columns 4.2. Attention reads the parts where they lie. Keys and values alone where
 * queries come of other rows. On a CPU it makes no difference (BERT's layers, 128 rows, within 2% either way), and is done all the same: values have
 * the names then that they have for a device, as measuring for float16 counts on. Other products of the same rows stay as they are: their readers
 * would want dense tensors, or have activations in them. */
#include "passes/pull.h"
#include <string.h>

enum { PARTS = 3 };

/* An input of attention: a product with a matrix, in heads. */
typedef struct part {
  ingot__node *product, *reshape; /* NULL: it is none */
  int64_t heads, columns;
} part;

static const ingot__value *bias_of(const ingot__node *product) { return product->n_in > 2 ? product->in[2] : NULL; }

static bool is_product(const ingot__node *n) {
  const ingot__attrs_MatMul *a = n->attrs;
  const ingot__value *w = n->in[1], *b = bias_of(n);
  const ingot__type *x = &n->in[0]->type;
  if (a->act || a->trans_a || (n->n_in > 3 && n->in[3]) || x->dtype != INGOT_FLOAT32 || x->rank < 2 || n->out[0]->type.rank != x->rank) return false;
  if (!ingot__is_float32(w) || !w->data || w->type.rank != 2 || w->n_user != 1) return false;
  return !b || (ingot__is_float32(b) && b->data && b->type.rank == 1 && b->type.dim[0] == w->type.dim[a->trans_b ? 0 : 1]);
}

static bool find_part(const ingot__node *attention, int i, part *p) {
  ingot__node *reshape = ingot__made_for(attention->in[i], INGOT__OP_Reshape);
  ingot__node *product = reshape ? ingot__made_for(reshape->in[0], INGOT__OP_MatMul) : NULL;
  if (!product || product->graph != attention->graph || !is_product(product)) return false;
  for (int k = 0; k < PARTS; k++)
    if (k != i && attention->in[k] == attention->in[i]) return false; /* it would be there twice */
  const ingot__type *y = &product->out[0]->type, *in_heads = &reshape->out[0]->type;
  if (in_heads->rank != y->rank + 1) return false;
  for (int d = 0; d < y->rank - 1; d++)
    if (y->dim[d] != in_heads->dim[d] || y->dim[d] == INGOT__DIM_UNKNOWN) return false;
  const ingot__dim heads = in_heads->dim[y->rank - 1], width = in_heads->dim[y->rank], columns = y->dim[y->rank - 1];
  if (!ingot__dim_is_number(heads) || !ingot__dim_is_number(width) || heads < 1 || width < 1 || heads * width != columns) return false;
  *p = (part){.product = product, .reshape = reshape, .heads = heads, .columns = columns};
  return true;
}

static bool alike(const part *p, const part *q) {
  const ingot__attrs_MatMul *a = p->product->attrs, *b = q->product->attrs;
  return p->product != q->product && p->product->in[0] == q->product->in[0] && a->trans_b == b->trans_b && a->alpha == b->alpha &&
         p->columns / p->heads == q->columns / q->heads;
}

/* The matrices side by side, or one below the other where they are transposed. */
static ingot__value *join_matrices(const part *const *parts, size_t n, int64_t columns) {
  const ingot__node *first = parts[0]->product;
  const bool rows = ((const ingot__attrs_MatMul *)first->attrs)->trans_b != 0;
  const int64_t depth = first->in[1]->type.dim[rows], dims[2] = {rows ? columns : depth, rows ? depth : columns};
  float *to;
  ingot__value *made = ingot__constant_floats(first->graph, first->in[1]->name, 2, dims, &to);
  for (size_t i = 0; made && i < n; i++) {
    const float *from = parts[i]->product->in[1]->data;
    const int64_t own = parts[i]->columns;
    if (rows) {
      memcpy(to, from, (size_t)(own * depth) * sizeof *to);
      to += own * depth;
    } else {
      for (int64_t k = 0; k < depth; k++) memcpy(to + k * columns, from + k * own, (size_t)own * sizeof *to);
      to += own;
    }
  }
  return made;
}

/* Zeros where there is none. */
static ingot__value *join_biases(const part *const *parts, size_t n, int64_t columns) {
  float *to;
  ingot__value *made = ingot__constant_floats(parts[0]->product->graph, NULL, 1, &columns, &to);
  for (size_t i = 0; made && i < n; to += parts[i++]->columns) {
    const ingot__value *bias = bias_of(parts[i]->product);
    if (bias) memcpy(to, bias->data, (size_t)parts[i]->columns * sizeof *to);
    else memset(to, 0, (size_t)parts[i]->columns * sizeof *to);
  }
  return made;
}

static ingot_status merge(ingot__node *attention, const part *const *parts, const size_t *input, size_t n, ingot__diag *diag, bool *done) {
  const ingot__node *first = parts[0]->product;
  ingot__type in_heads = parts[0]->reshape->out[0]->type, flat = first->out[0]->type;
  const int axis = in_heads.rank - 2;
  int64_t columns = 0, heads = 0, at = 0;
  bool biased = false;
  for (size_t i = 0; i < n; i++) columns += parts[i]->columns, heads += parts[i]->heads, biased = biased || bias_of(parts[i]->product);
  in_heads.dim[axis] = heads;
  flat.dim[flat.rank - 1] = columns;
  if (!ingot__can_reshape(&flat, &in_heads)) return INGOT_OK;
  ingot__value *in[3] = {first->in[0], join_matrices(parts, n, columns), biased ? join_biases(parts, n, columns) : NULL}, *y, *own;
  if (!in[1] || (biased && !in[2])) return ingot__no_memory(diag);
  ingot__node *product = ingot__node_new(attention->graph, INGOT__OP_MatMul, NULL, attention, in, biased ? 3 : 2, 1, NULL);
  if (!product) return ingot__no_memory(diag);
  *(ingot__attrs_MatMul *)product->attrs = *(const ingot__attrs_MatMul *)first->attrs;
  INGOT_TRY(ingot__rewrite_finish(product, first, diag));
  for (size_t i = 1; i < n; i++)
    if (!ingot__node_absorb_origin(product, parts[i]->product)) return ingot__no_memory(diag);
  INGOT_TRY(ingot__reshape_to(product->out[0], &in_heads, attention, diag, &y));
  for (size_t i = 0; i < n; at += parts[i++]->heads) {
    INGOT_TRY(ingot__slice_along(y, axis, at, at + parts[i]->heads, attention, diag, &own));
    if (!ingot__node_set_input(attention, input[i], own)) return ingot__no_memory(diag);
  }
  *done = true;
  return INGOT_OK;
}

static ingot_status merge_inputs(ingot__node *n, const ingot__pass_context *context, bool *done) {
  part parts[PARTS] = {0};
  if (n->op != INGOT__OP_FusedAttention) return INGOT_OK;
  const int64_t behind = ((const ingot__attrs_FusedAttention *)n->attrs)->swapped; /* heads behind positions, as products make them */
  for (int i = 0; i < PARTS; i++)
    if (behind >> i & 1) find_part(n, i, &parts[i]);
  for (size_t lead = 0; lead < PARTS - 1; lead++) {
    const part *same[PARTS];
    size_t input[PARTS], count = 0;
    for (size_t i = lead; parts[lead].product && i < PARTS; i++)
      if (i == lead || (parts[i].product && alike(&parts[lead], &parts[i]))) same[count] = &parts[i], input[count++] = i;
    if (count > 1) return merge(n, same, input, count, context->diag, done);
  }
  return INGOT_OK;
}

ingot_status ingot__pass_merge_products(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  static const ingot__rule rules[] = {merge_inputs};
  return ingot__rewrite_walk(network, rules, sizeof rules / sizeof *rules, context, changed);
}
