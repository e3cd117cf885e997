/* Conversion of Einsum: of two operands, where the equation is a product of matrices, it becomes MatMul with Transposes around, which has fast
 * kernels and is what fusions look for. Other equations stay as they are. */
#include "import/onnx/convert.h"

typedef struct letters { int n; char c[INGOT_MAX_RANK]; } letters;
typedef struct product {
  letters a, b, out;                   /* as the equation has them */
  letters batch, rows, columns, summed; /* in the order of the output */
} product;

static int place(const letters *l, char c) {
  for (int i = 0; i < l->n; i++)
    if (l->c[i] == c) return i;
  return -1;
}
static bool append(letters *l, char c) {
  if (l->n == INGOT_MAX_RANK) return false;
  l->c[l->n++] = c;
  return true;
}

/* One term up to `stop`: letters that occur once. */
static bool read_letters(const char **text, char stop, letters *l) {
  const char *p = *text;
  for (; *p && *p != stop; p++) {
    if (*p == ' ') continue;
    if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')) || place(l, *p) >= 0 || !append(l, *p)) return false;
  }
  *text = *p ? p + 1 : p;
  return *p == stop;
}

/* Whether the equation is batch x rows x summed by batch x summed by columns: one dim of sums and of columns, and of rows if there is a batch. */
static bool is_product(const char *text, product *p) {
  if (!read_letters(&text, ',', &p->a) || !read_letters(&text, '-', &p->b) || *text++ != '>' || !read_letters(&text, '\0', &p->out)) return false;
  for (int i = 0; i < p->out.n; i++) {
    char c = p->out.c[i];
    bool a = place(&p->a, c) >= 0, b = place(&p->b, c) >= 0;
    if ((!a && !b) || !append(a && b ? &p->batch : a ? &p->rows : &p->columns, c)) return false;
  }
  for (int i = 0; i < p->a.n; i++)
    if (place(&p->out, p->a.c[i]) < 0 && (place(&p->b, p->a.c[i]) < 0 || !append(&p->summed, p->a.c[i]))) return false;
  for (int i = 0; i < p->b.n; i++)
    if (place(&p->out, p->b.c[i]) < 0 && place(&p->a, p->b.c[i]) < 0) return false;
  return p->summed.n == 1 && p->columns.n == 1 && (p->rows.n == 1 || (p->rows.n > 1 && p->batch.n == 0));
}

/* v, whose dims are `have`, with its dims in the order of the three lists. */
static ingot__value *ordered(ingot__onnx_node *n, ingot__value *v, const letters *have, const letters *x, const letters *y, const letters *z) {
  const letters *lists[] = {x, y, z};
  int64_t perm[INGOT_MAX_RANK];
  int rank = 0;
  bool same = true;
  for (int l = 0; l < 3; l++)
    for (int i = 0; i < lists[l]->n; i++, rank++) {
      perm[rank] = place(have, lists[l]->c[i]);
      same = same && perm[rank] == rank;
    }
  return same ? v : ingot__onnx_transpose(n, v, perm, (size_t)rank);
}

/* Operands whose ranks are known and fit, and whose summed dims aren't one against many, which Einsum would repeat. */
static bool operands_fit(ingot__onnx_node *n, const product *p) {
  const ingot__type *a = ingot__onnx_type(n, n->in[0]), *b = ingot__onnx_type(n, n->in[1]);
  if (a->rank != p->a.n || b->rank != p->b.n || !ingot__dtype_is_float(a->dtype) || a->dtype != b->dtype) return false;
  ingot__dim da = a->dim[place(&p->a, p->summed.c[0])], db = b->dim[place(&p->b, p->summed.c[0])];
  return (da == 1) == (db == 1);
}

ingot_status ingot__onnx_convert_einsum(ingot__onnx_node *n) {
  const char *text;
  INGOT_TRY(ingot__onnx_inputs(n, 1, SIZE_MAX));
  INGOT_TRY(ingot__onnx_get_string(n, "equation", "", &text));
  product p = {0};
  if (n->n_in != 2 || !is_product(text, &p) || !operands_fit(n, &p)) {
    ingot__node *node = ingot__onnx_finish(n, INGOT__OP_Einsum, n->in, n->n_in);
    INGOT__ONNX_NEED(n, node);
    ingot__attrs_Einsum *attrs = node->attrs;
    INGOT__ONNX_NEED(n, attrs->equation = ingot__arena_string(n->o->arena, text));
    return INGOT_OK;
  }
  ingot__value *in[] = {ordered(n, n->in[0], &p.a, &p.batch, &p.rows, &p.summed), ordered(n, n->in[1], &p.b, &p.batch, &p.summed, &p.columns)};
  INGOT__ONNX_NEED(n, in[0] && in[1]);
  letters made = p.batch;
  for (int i = 0; i < p.rows.n; i++) append(&made, p.rows.c[i]);
  append(&made, p.columns.c[0]);
  int64_t perm[INGOT_MAX_RANK];
  bool same = true;
  for (int i = 0; i < p.out.n; i++) perm[i] = place(&made, p.out.c[i]), same = same && perm[i] == i;
  if (same) {
    INGOT__ONNX_NEED(n, ingot__onnx_finish(n, INGOT__OP_MatMul, in, 2));
    return INGOT_OK;
  }
  ingot__value *v = ingot__onnx_binary(n, INGOT__OP_MatMul, in[0], in[1]);
  ingot__node *turned = v ? ingot__onnx_finish(n, INGOT__OP_Transpose, &v, 1) : NULL;
  INGOT__ONNX_NEED(n, turned);
  int64_t *kept = ingot__arena_copy(n->o->arena, perm, (size_t)p.out.n * sizeof *perm);
  INGOT__ONNX_NEED(n, kept);
  ((ingot__attrs_Transpose *)turned->attrs)->perm = (ingot__ints){(size_t)p.out.n, kept};
  return INGOT_OK;
}
