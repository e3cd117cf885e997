/* Nodes that compute what another one before them computes: the same operator and attributes on the same inputs. Exporters write shapes,
 * masks and positions out again for every layer. Small constants of the same bytes count as the same. */
#include "passes/rewrite.h"

enum { SMALL = 1024 }; /* bytes of a constant that is compared */

typedef struct table {
  void **slot;             /* nodes or values; NULL: free */
  size_t size;             /* a power of two, more than twice what comes in */
} table;

static uint64_t mix(uint64_t h, uint64_t v) {
  h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
  return h ^ h >> 29;
}

static uint64_t mix_bytes(uint64_t h, const void *data, size_t n) {
  const unsigned char *p = data;
  for (size_t i = 0; i < n; i++) h = mix(h, p[i]);
  return h;
}

static bool is_small_constant(const ingot__value *v, const ingot__graph *graph) {
  return ingot__value_is_const(v) && v->graph == graph && v->bytes <= SMALL && v->type.dtype != INGOT_STRING && v->type.kind == INGOT__TENSOR;
}

static bool same_constant(const ingot__value *a, const ingot__value *b) {
  return a->bytes == b->bytes && ingot__type_same(&a->type, &b->type) && !memcmp(a->data, b->data, a->bytes);
}

static bool same_text(const char *a, const char *b) { return a == b || (a && b && !strcmp(a, b)); }

static bool same_field(ingot__attr_type type, const void *a, const void *b) {
  switch (type) {
  case INGOT__ATTR_INT: return *(const int64_t *)a == *(const int64_t *)b;
  case INGOT__ATTR_FLOAT: return !memcmp(a, b, sizeof(float));
  case INGOT__ATTR_STRING: return same_text(*(const char *const *)a, *(const char *const *)b);
  case INGOT__ATTR_INTS: {
    const ingot__ints *x = a, *y = b;
    return x->n == y->n && (x->n == 0 || !memcmp(x->v, y->v, x->n * sizeof *x->v));
  }
  case INGOT__ATTR_FLOATS: {
    const ingot__floats *x = a, *y = b;
    return x->n == y->n && (x->n == 0 || !memcmp(x->v, y->v, x->n * sizeof *x->v));
  }
  case INGOT__ATTR_STRINGS: {
    const ingot__strings *x = a, *y = b;
    for (size_t i = 0; i < x->n && x->n == y->n; i++)
      if (!same_text(x->v[i], y->v[i])) return false;
    return x->n == y->n;
  }
  case INGOT__ATTR_TENSOR: {
    const ingot__literal *x = a, *y = b;
    if (x->dtype != y->dtype || x->rank != y->rank || x->bytes != y->bytes || x->bytes > SMALL || x->dtype == INGOT_STRING) return false;
    for (int i = 0; i < x->rank; i++)
      if (x->dim[i] != y->dim[i]) return false;
    return x->bytes == 0 || !memcmp(x->data, y->data, x->bytes);
  }
  default: return false; /* subgraphs */
  }
}

static bool same_node(const ingot__node *a, const ingot__node *b) {
  if (a->op != b->op || a->n_in != b->n_in || a->n_out != b->n_out) return false;
  for (size_t i = 0; i < a->n_in; i++)
    if (a->in[i] != b->in[i]) return false;
  for (size_t i = 0; i < a->n_out; i++)
    if (!a->out[i] != !b->out[i] || (a->out[i] && !ingot__type_same(&a->out[i]->type, &b->out[i]->type))) return false;
  const ingot__op_info *info = ingot__op_get(a->op);
  for (size_t i = 0; i < info->n_attr; i++) {
    const uint32_t at = info->attr[i].offset;
    if (!same_field(info->attr[i].type, (const char *)a->attrs + at, (const char *)b->attrs + at)) return false;
  }
  return true;
}

static uint64_t hash_node(const ingot__node *n) {
  uint64_t h = mix(n->op, n->n_in);
  for (size_t i = 0; i < n->n_in; i++) h = mix(h, n->in[i] ? n->in[i]->id + UINT64_C(1) : 0);
  return h;
}

/* Gives the same every time, and tensors alone. */
static bool is_function(const ingot__node *n) {
  static const char *const chance[] = {"Random", "Bernoulli", "Multinomial", "Dropout"};
  const ingot__op_info *info = ingot__op_get(n->op);
  for (size_t i = 0; i < sizeof chance / sizeof *chance; i++)
    if (!strncmp(info->name, chance[i], strlen(chance[i]))) return false;
  for (size_t i = 0; i < info->n_attr; i++)
    if (info->attr[i].type == INGOT__ATTR_GRAPH) return false;
  for (size_t i = 0; i < n->n_out; i++)
    if (n->out[i] && (n->out[i]->type.kind != INGOT__TENSOR || n->out[i]->is_output)) return false;
  return n->n_in > 0;
}

static ingot_status share_constants(ingot__node *n, table *t, ingot__diag *diag) {
  for (size_t i = 0; i < n->n_in; i++) {
    ingot__value *v = n->in[i];
    if (!v || !is_small_constant(v, n->graph)) continue;
    size_t at = mix_bytes(mix(v->type.dtype, v->bytes), v->data, v->bytes) & (t->size - 1);
    while (t->slot[at] && !same_constant(t->slot[at], v)) at = (at + 1) & (t->size - 1);
    if (!t->slot[at]) t->slot[at] = v;
    else if (t->slot[at] != v && !ingot__node_set_input(n, i, t->slot[at])) return ingot__no_memory(diag);
  }
  return INGOT_OK;
}

static ingot_status share_node(ingot__node *n, table *t, ingot__diag *diag, bool *changed) {
  if (!is_function(n)) return INGOT_OK;
  size_t at = hash_node(n) & (t->size - 1);
  while (t->slot[at] && !same_node(t->slot[at], n)) at = (at + 1) & (t->size - 1);
  if (!t->slot[at]) {
    t->slot[at] = n;
    return INGOT_OK;
  }
  ingot__node *first = t->slot[at];
  for (size_t i = 0; i < n->n_out; i++)
    if (n->out[i] && !ingot__value_replace(n->out[i], first->out[i])) return ingot__no_memory(diag);
  ingot__node_remove(n);
  *changed = true;
  return INGOT_OK;
}

ingot_status ingot__pass_share_repeated(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  ingot__graph *graph = network->main; /* the bodies of loops and branches are left as they are */
  size_t inputs = 0, size = 16;
  for (const ingot__node *n = graph->first; n; n = n->next) inputs += n->n_in + 1;
  while (size < 2 * inputs + 2) size *= 2;
  table constants = {INGOT_NEW_ARRAY(&network->arena, size, void *), size}, nodes = {INGOT_NEW_ARRAY(&network->arena, size, void *), size};
  if (!constants.slot || !nodes.slot) return ingot__no_memory(context->diag);
  for (ingot__node *n = graph->first, *next; n; n = next) {
    next = n->next;
    INGOT_TRY(share_constants(n, &constants, context->diag));
    INGOT_TRY(share_node(n, &nodes, context->diag, changed));
  }
  if (*changed) ingot__network_sweep(network);
  return INGOT_OK;
}
