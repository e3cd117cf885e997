/* Attributes of nodes: reading them, asking for them by name, and setting those of operators that are taken as they are. */
#include "import/onnx/convert.h"

enum { MAX_ATTRS = 256, FLOATS = 7, INTS = 8, STRINGS = 9 };

static const char *const type_names[] = {"of no type", "a float", "an int", "a string", "a tensor", "a graph", "floats", "ints", "strings",
                                         "tensors", "graphs", "a sparse tensor", "sparse tensors", "a type", "types"};

/* The value that the call around gives to an attribute of its function; NULL: none. */
static const ingot__pb_attr *argument(const ingot__onnx_call *call, ingot__text name) {
  for (size_t i = 0; i < call->n_attr; i++) {
    if (ingot__text_same(call->attr[i].name, name)) return &call->attr[i];
  }
  return NULL;
}

ingot_status ingot__onnx_read_attrs(ingot__onnx_node *n) {
  const ingot__pb_texts *list = &n->pb->attr;
  if (list->n > MAX_ATTRS) return INGOT__ONNX_FAIL(n, INGOT_E_LIMIT, "has %zu attributes; ingot takes up to %d", list->n, MAX_ATTRS);
  if (!(n->attr = INGOT_NEW_ARRAY(n->o->scratch, list->n, ingot__onnx_attr))) return ingot__no_memory(n->o->diag);
  for (size_t i = 0; i < list->n; i++) {
    ingot__pb_attr a;
    INGOT_TRY(ingot__pb_read_attr(&n->o->pb, list->v[i], &a));
    if (a.ref.n) {
      if (!n->scope->call) {
        return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "attribute '%.*s' refers to a function's, outside of one", INGOT__TEXT(a.name));
      }
      const ingot__pb_attr *value = argument(n->scope->call, a.ref);
      if (!value) continue; /* left out in the call: left out here */
      ingot__text name = a.name;
      if (a.type != INGOT__PB_UNDEFINED && a.type != value->type) {
        return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "attribute '%.*s' is %s in the function and %s in the call", INGOT__TEXT(name),
                                type_names[a.type], type_names[value->type]);
      }
      if (value->type == INGOT__PB_GRAPH) return INGOT__ONNX_FAIL(n, INGOT_E_UNSUPPORTED, "a graph given to a function as an attribute");
      a = *value;
      a.name = name;
    }
    for (size_t k = 0; k < n->n_attr; k++) {
      if (ingot__text_same(n->attr[k].pb.name, a.name)) {
        return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "attribute '%.*s' is given twice", INGOT__TEXT(a.name));
      }
    }
    n->attr[n->n_attr++].pb = a;
  }
  return INGOT_OK;
}

static ingot__onnx_attr *find(const ingot__onnx_node *n, const char *name) {
  for (size_t i = 0; i < n->n_attr; i++) {
    if (ingot__text_is(n->attr[i].pb.name, name)) return &n->attr[i];
  }
  return NULL;
}

bool ingot__onnx_has(const ingot__onnx_node *n, const char *name) { return find(n, name) != NULL; }

const ingot__pb_attr *ingot__onnx_get(ingot__onnx_node *n, const char *name) {
  ingot__onnx_attr *a = find(n, name);
  if (!a) return NULL;
  a->used = true;
  return &a->pb;
}

static ingot_status check_type(const ingot__onnx_node *n, const ingot__pb_attr *a, int type) {
  if (a->type == type) return INGOT_OK;
  return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "attribute '%.*s' is %s, and must be %s", INGOT__TEXT(a->name), type_names[a->type], type_names[type]);
}

/* ---- Values, once the type is checked. Lists go to the network's arena. */

static ingot_status read_string(ingot__onnx_node *n, const ingot__pb_attr *a, const char **out) {
  INGOT_TRY(ingot__onnx_spend(n, a->s.n));
  return (*out = ingot__arena_stringn(n->o->arena, a->s.p, a->s.n)) ? INGOT_OK : ingot__no_memory(n->o->diag);
}

/* An empty list may come without any field that tells its type. */
static ingot_status read_ints(ingot__onnx_node *n, const ingot__pb_attr *a, ingot__ints *out) {
  if (a->type != INGOT__PB_UNDEFINED) INGOT_TRY(check_type(n, a, INGOT__PB_INTS));
  size_t count;
  INGOT_TRY(ingot__pb_varints(&n->o->pb, a->self, INTS, 8, NULL, &count));
  INGOT_TRY(ingot__onnx_spend(n, count * 8));
  int64_t *v = INGOT_NEW_ARRAY(n->o->arena, count, int64_t);
  if (!v) return ingot__no_memory(n->o->diag);
  *out = (ingot__ints){count, v};
  return ingot__pb_varints(&n->o->pb, a->self, INTS, 8, v, &count);
}

static ingot_status read_floats(ingot__onnx_node *n, const ingot__pb_attr *a, ingot__floats *out) {
  if (a->type != INGOT__PB_UNDEFINED) INGOT_TRY(check_type(n, a, INGOT__PB_FLOATS));
  size_t count;
  INGOT_TRY(ingot__pb_fixed(&n->o->pb, a->self, FLOATS, 4, NULL, &count, NULL));
  INGOT_TRY(ingot__onnx_spend(n, count * 4));
  float *v = INGOT_NEW_ARRAY(n->o->arena, count, float);
  if (!v) return ingot__no_memory(n->o->diag);
  *out = (ingot__floats){count, v};
  return ingot__pb_fixed(&n->o->pb, a->self, FLOATS, 4, v, &count, NULL);
}

ingot_status ingot__onnx_read_strings(ingot__onnx_node *n, const ingot__pb_attr *a, ingot__strings *out) {
  if (a->type != INGOT__PB_UNDEFINED) INGOT_TRY(check_type(n, a, INGOT__PB_STRINGS));
  ingot__pb_texts list;
  INGOT_TRY(ingot__onnx_spend(n, a->self.n * 8)); /* a string takes 2 bytes in the file and a list's place and 16 bytes here */
  INGOT_TRY(ingot__pb_strings(&n->o->pb, a->self, STRINGS, &list));
  const char **v = INGOT_NEW_ARRAY(n->o->arena, list.n, const char *);
  if (!v) return ingot__no_memory(n->o->diag);
  for (size_t i = 0; i < list.n; i++) {
    if (!(v[i] = ingot__arena_stringn(n->o->arena, list.v[i].p, list.v[i].n))) return ingot__no_memory(n->o->diag);
  }
  *out = (ingot__strings){list.n, v};
  return INGOT_OK;
}

/* ---- Asking */

ingot_status ingot__onnx_get_int(ingot__onnx_node *n, const char *name, int64_t absent, int64_t *out) {
  const ingot__pb_attr *a = ingot__onnx_get(n, name);
  *out = a ? a->i : absent;
  return a ? check_type(n, a, INGOT__PB_INT) : INGOT_OK;
}

ingot_status ingot__onnx_get_float(ingot__onnx_node *n, const char *name, float absent, float *out) {
  const ingot__pb_attr *a = ingot__onnx_get(n, name);
  *out = a ? a->f : absent;
  return a ? check_type(n, a, INGOT__PB_FLOAT) : INGOT_OK;
}

ingot_status ingot__onnx_get_string(ingot__onnx_node *n, const char *name, const char *absent, const char **out) {
  const ingot__pb_attr *a = ingot__onnx_get(n, name);
  *out = absent;
  if (!a) return INGOT_OK;
  INGOT_TRY(check_type(n, a, INGOT__PB_STRING));
  return read_string(n, a, out);
}

ingot_status ingot__onnx_get_ints(ingot__onnx_node *n, const char *name, ingot__ints *out, bool *given) {
  const ingot__pb_attr *a = ingot__onnx_get(n, name);
  *out = (ingot__ints){0};
  *given = a != NULL;
  return a ? read_ints(n, a, out) : INGOT_OK;
}

ingot_status ingot__onnx_get_floats(ingot__onnx_node *n, const char *name, ingot__floats *out, bool *given) {
  const ingot__pb_attr *a = ingot__onnx_get(n, name);
  *out = (ingot__floats){0};
  *given = a != NULL;
  return a ? read_floats(n, a, out) : INGOT_OK;
}

/* ---- Setting */

/* Attributes of a row that are our own (see ops.def), not for files to set. */
static bool is_ours(ingot__op op, const char *name) {
  if (strcmp(name, "act") == 0 || strcmp(name, "act_alpha") == 0 || strcmp(name, "act_beta") == 0) return true;
  if (op == INGOT__OP_Scan) return strcmp(name, "batched") == 0;
  if (op == INGOT__OP_Multinomial) return strcmp(name, "seeded") == 0;
  if (op == INGOT__OP_TreeEnsemble) return strcmp(name, "leaf_first") == 0 || strcmp(name, "base_values") == 0;
  return op == INGOT__OP_MatMul || (op == INGOT__OP_CastLike && strcmp(name, "to") == 0);
}

/* Attributes that change nothing here: which inputs may be overwritten (opsets 1 to 5), and the precision that Range counts in. */
static bool is_harmless(ingot__op op, ingot__text name) {
  if (op == INGOT__OP_Range && ingot__text_is(name, "stash_type")) return true;
  return ingot__text_is(name, "consumed_inputs");
}

/* Attributes without a default in ONNX, which rows must give one. */
static const struct { ingot__op op; const char *name; } required[] = {
    {INGOT__OP_Cast, "to"}, {INGOT__OP_BitCast, "to"},
    {INGOT__OP_Concat, "axis"}, {INGOT__OP_MaxPool, "kernel_shape"}, {INGOT__OP_AveragePool, "kernel_shape"},
    {INGOT__OP_DepthToSpace, "blocksize"}, {INGOT__OP_SpaceToDepth, "blocksize"}, {INGOT__OP_GroupNormalization, "num_groups"},
    {INGOT__OP_LRN, "size"}, {INGOT__OP_Einsum, "equation"}, {INGOT__OP_If, "then_branch"}, {INGOT__OP_If, "else_branch"},
    {INGOT__OP_Loop, "body"}, {INGOT__OP_Scan, "body"}, {INGOT__OP_SequenceMap, "body"}, {INGOT__OP_Scan, "num_scan_inputs"}};

static ingot_status set_attr(ingot__onnx_node *n, const ingot__pb_attr *a, const ingot__attr_info *info, void *field) {
  static const int types[] = {[INGOT__ATTR_INT] = INGOT__PB_INT, [INGOT__ATTR_FLOAT] = INGOT__PB_FLOAT, [INGOT__ATTR_STRING] = INGOT__PB_STRING,
                              [INGOT__ATTR_TENSOR] = INGOT__PB_TENSOR, [INGOT__ATTR_GRAPH] = INGOT__PB_GRAPH};
  ingot__text ignored;
  switch (info->type) {
  case INGOT__ATTR_INTS: return read_ints(n, a, field);
  case INGOT__ATTR_FLOATS: return read_floats(n, a, field);
  case INGOT__ATTR_STRINGS: return ingot__onnx_read_strings(n, a, field);
  default: break;
  }
  INGOT_TRY(check_type(n, a, types[info->type]));
  switch (info->type) {
  case INGOT__ATTR_INT: return *(int64_t *)field = a->i, INGOT_OK;
  case INGOT__ATTR_FLOAT: return *(float *)field = a->f, INGOT_OK;
  case INGOT__ATTR_STRING: return read_string(n, a, field);
  case INGOT__ATTR_TENSOR: return ingot__onnx_read_tensor(n->o, a->s, field, &ignored);
  default: return ingot__onnx_subgraph(n, a->s, info->name, field);
  }
}

ingot_status ingot__onnx_set_attrs(ingot__onnx_node *n, ingot__op op, void *attrs) {
  for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
    if (required[i].op == op && !ingot__onnx_has(n, required[i].name)) {
      return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "the attribute '%s' is missing", required[i].name);
    }
  }
  for (size_t i = 0; i < n->n_attr; i++) {
    ingot__onnx_attr *a = &n->attr[i];
    if (a->used) continue;
    if (is_harmless(op, a->pb.name)) continue;
    char name[64] = "";
    if (a->pb.name.n && a->pb.name.n < sizeof name) memcpy(name, a->pb.name.p, a->pb.name.n);
    const ingot__attr_info *info = is_ours(op, name) ? NULL : ingot__attr_find(op, name);
    if (!info) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "has an attribute '%.*s', which this operator doesn't", INGOT__TEXT(a->pb.name));
    INGOT_TRY(set_attr(n, &a->pb, info, (char *)attrs + info->offset));
    a->used = true;
  }
  return INGOT_OK;
}
