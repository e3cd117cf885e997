/* Converting one node after the other: looks up its inputs, reads its attributes, finds who converts it, and binds its outputs. */
#include "import/onnx/convert.h"

static const char *terminated(ingot__onnx *o, ingot__text t) { return ingot__arena_stringn(o->scratch, t.p, t.n < 4096 ? t.n : 4096); }

/* Names the node; one without a name after its first output. */
static ingot_status name_node(ingot__onnx_node *n) {
  const ingot__pb_node *pb = n->pb;
  ingot__text name = pb->name;
  for (size_t i = 0; name.n == 0 && i < pb->out.n; i++) name = pb->out.v[i];
  n->name = n->scope->call ? ingot__arena_printf(n->o->scratch, "%s/%.*s", n->scope->prefix, INGOT__TEXT(name)) : terminated(n->o, name);
  if (n->name && !*n->name) n->name = terminated(n->o, pb->op);
  if (!n->name) return ingot__no_memory(n->o->diag);
  n->where = ingot__arena_printf(n->o->scratch, "%s (%.*s)", n->name, INGOT__TEXT(pb->op));
  return n->where ? INGOT_OK : ingot__no_memory(n->o->diag);
}

/* *failed: some input is of a node that failed; then failed_input tells which. */
static ingot_status find_inputs(ingot__onnx_node *n, bool *failed, bool **failed_input) {
  const ingot__pb_node *pb = n->pb;
  n->in = INGOT_NEW_ARRAY(n->o->scratch, pb->in.n, ingot__value *);
  *failed_input = INGOT_NEW_ARRAY(n->o->scratch, pb->in.n, bool);
  if (!n->in || !*failed_input) return ingot__no_memory(n->o->diag);
  *failed = false;
  ingot_status status = INGOT_OK;
  for (size_t i = 0; i < pb->in.n; i++) {
    ingot__text name = pb->in.v[i];
    if (name.n == 0) continue;
    const ingot__onnx_entry *e = ingot__onnx_find(n->scope, name);
    const char *problem = NULL;
    if (!e) problem = "which no node, input or initializer gives";
    else if (e->state == INGOT__ONNX_LATER) problem = "which is made only later";
    else if (e->state == INGOT__ONNX_TRAINING) problem = "an output that exists in training only";
    if (problem) status = INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "its input %zu is '%.*s', %s", i, INGOT__TEXT(name), problem);
    if (problem || e->state == INGOT__ONNX_FAILED) *failed = (*failed_input)[i] = true;
    else n->in[i] = e->value; /* NULL when the caller of a function left it out */
  }
  n->n_in = pb->in.n;
  while (n->n_in > 0 && !n->in[n->n_in - 1] && !(*failed_input)[n->n_in - 1]) n->n_in--;
  return status;
}

static ingot__onnx_entry *output_entry(const ingot__onnx_node *n, size_t i, size_t index) {
  ingot__text name = n->pb->out.v[i];
  ingot__onnx_entry *e = name.n ? ingot__name_map_get(&n->scope->map, name) : NULL;
  return e && e->produced && e->node == index && e->state == INGOT__ONNX_LATER ? e : NULL;
}

static ingot_status name_outputs(ingot__onnx_node *n, size_t index) {
  n->n_out = n->pb->out.n;
  n->out = INGOT_NEW_ARRAY(n->o->scratch, n->n_out, ingot__value *);
  n->out_name = INGOT_NEW_ARRAY(n->o->scratch, n->n_out, const char *);
  if (!n->out || !n->out_name) return ingot__no_memory(n->o->diag);
  for (size_t i = 0; i < n->n_out; i++) {
    ingot__onnx_entry *e = output_entry(n, i, index);
    if (e && !(n->out_name[i] = ingot__onnx_value_name(n->o, n->scope, e))) return ingot__no_memory(n->o->diag);
  }
  return INGOT_OK;
}

static ingot_status bind_outputs(ingot__onnx_node *n, size_t index, bool good) {
  for (size_t i = 0; i < n->pb->out.n; i++) {
    ingot__onnx_entry *e = output_entry(n, i, index);
    if (!e) continue;
    e->value = good && i < n->n_out ? n->out[i] : NULL;
    e->state = !good ? INGOT__ONNX_FAILED : e->value ? INGOT__ONNX_READY : INGOT__ONNX_TRAINING;
    if (!e->value || !e->type.n || e->value->type.dtype != INGOT_UNDEFINED || e->value->type.rank >= 0) continue;
    INGOT_TRY(ingot__onnx_read_type(n->o, e->type, NULL, &e->value->type));
  }
  return INGOT_OK;
}

static ingot_status add_unknown(ingot__onnx_node *n) {
  ingot__onnx_unknown **u = &n->o->unknown;
  while (*u && !(ingot__text_same((*u)->op, n->pb->op) && ingot__text_same((*u)->domain, n->pb->domain))) u = &(*u)->next;
  if (!*u) {
    if (!(*u = INGOT_NEW(n->o->scratch, ingot__onnx_unknown))) return ingot__no_memory(n->o->diag);
    (*u)->op = n->pb->op;
    (*u)->domain = n->pb->domain;
  }
  if ((*u)->count < 2) (*u)->example[(*u)->count] = n->name;
  (*u)->count++;
  if (n->o->status == INGOT_OK) n->o->status = INGOT_E_UNSUPPORTED;
  return INGOT_OK;
}

ingot_status ingot__onnx_report_unknown(ingot__onnx *o) {
  char text[4096];
  size_t total = 0, used = 0, left_out = 0;
  if (!o->unknown) return INGOT_OK;
  text[0] = 0;
  for (const ingot__onnx_unknown *u = o->unknown; u; u = u->next) {
    total += u->count;
    if (used + 600 > sizeof text) {
      left_out++;
      continue;
    }
    const char *dot = u->domain.n ? "." : "";
    int n = snprintf(text + used, sizeof text - used, "%s%.*s%s%.*s (node '%.100s'", used ? ", " : "", (int)(u->domain.n < 60 ? u->domain.n : 60),
                     u->domain.p ? u->domain.p : "", dot, (int)(u->op.n < 60 ? u->op.n : 60), u->op.p ? u->op.p : "", u->example[0]);
    used += (size_t)n;
    if (u->count == 2) n = snprintf(text + used, sizeof text - used, " and '%.100s')", u->example[1]);
    else if (u->count > 2) n = snprintf(text + used, sizeof text - used, ", '%.100s' and %zu more)", u->example[1], u->count - 2);
    else n = snprintf(text + used, sizeof text - used, ")");
    used += (size_t)n;
  }
  if (left_out) snprintf(text + used, sizeof text - used, ", and %zu more operators", left_out);
  return ingot__fail(o->diag, INGOT_E_UNSUPPORTED, NULL, "%zu %s that ingot doesn't have: %s", total,
                     total == 1 ? "node uses an operator" : "nodes use operators", text);
}

/* The subgraphs of a node that can't be converted are, for the problems inside. */
static ingot_status look_inside(ingot__onnx_node *n) {
  for (size_t i = 0; i < n->n_attr; i++) {
    ingot__graph *ignored;
    if (n->attr[i].pb.type != INGOT__PB_GRAPH) continue;
    INGOT_TRY(ingot__onnx_collect(n->o, ingot__onnx_subgraph(n, n->attr[i].pb.s, "body", &ignored)));
  }
  return INGOT_OK;
}

ingot_status ingot__onnx_spend(ingot__onnx_node *n, size_t bytes) {
  ingot__onnx *o = n->o;
  if (bytes > o->work_limit - o->work) return INGOT__ONNX_FAIL(n, INGOT_E_LIMIT, "functions are called so often that the model becomes too large");
  o->work += bytes;
  return INGOT_OK;
}

static ingot_status check_limits(ingot__onnx_node *n) {
  if (++n->o->n_node > INGOT__ONNX_NODES) return INGOT__ONNX_FAIL(n, INGOT_E_LIMIT, "the model has more than %d nodes", INGOT__ONNX_NODES);
  return ingot__onnx_spend(n, n->pb->size + strlen(n->name) * (1 + n->pb->out.n));
}

static ingot_status convert(ingot__onnx_node *n) {
  bool failed = false, *failed_input = NULL;
  const ingot__pb_function *function = ingot__onnx_find_function(n->o, n->pb);
  const char *op_name = terminated(n->o, n->pb->op), *domain = terminated(n->o, n->pb->domain);
  if (!op_name || !domain) return ingot__no_memory(n->o->diag);
  bool is_default = ingot__onnx_is_default(n->pb->domain);
  n->version = ingot__onnx_opset(n->scope->opset, n->pb->domain);
  if (n->version < 1) n->version = 1;
  ingot__onnx_convert_fn fn = function ? NULL : ingot__onnx_find_conversion(is_default ? "" : domain, op_name, n->version);
  bool ours = strcmp(domain, "ingot") == 0; /* what passes make isn't for files to give */
  ingot__op op = function || fn || ours ? INGOT__OP_NONE : ingot__op_find_onnx(is_default ? "" : domain, op_name);
  bool known = function || fn || op != INGOT__OP_NONE;
  if (!known) INGOT_TRY(add_unknown(n));
  ingot_status status = find_inputs(n, &failed, &failed_input);
  if (status == INGOT_E_MEMORY) return status;
  INGOT_TRY(ingot__onnx_read_attrs(n));
  bool wanted = false;
  for (size_t i = 0; i < n->n_out; i++) wanted = wanted || n->out_name[i];
  if (!wanted && status == INGOT_OK) status = INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "has no outputs");
  if (function) {
    ingot_status inside = ingot__onnx_inline(n, function, failed_input);
    return status != INGOT_OK ? status : inside;
  }
  if (failed || !known || status != INGOT_OK) {
    INGOT_TRY(look_inside(n));
    return status != INGOT_OK ? status : INGOT_E_NETWORK; /* reported where it began */
  }
  return fn ? fn(n) : ingot__onnx_straight(n, op);
}

static ingot_status convert_one(ingot__onnx *o, ingot__onnx_scope *scope, const ingot__pb_node *pb, size_t index) {
  ingot__onnx_node n = {.o = o, .scope = scope, .pb = pb};
  INGOT_TRY(name_node(&n));
  INGOT_TRY(check_limits(&n));
  INGOT_TRY(name_outputs(&n, index));
  ingot_status status = convert(&n);
  INGOT_TRY(ingot__onnx_collect(o, status));
  return ingot__onnx_collect(o, bind_outputs(&n, index, status == INGOT_OK));
}

ingot_status ingot__onnx_convert_nodes(ingot__onnx *o, ingot__onnx_scope *scope, const ingot__pb_nodes *nodes) {
  size_t *order = INGOT_NEW_ARRAY(o->scratch, nodes->n, size_t);
  if (!order) return ingot__no_memory(o->diag);
  INGOT_TRY(ingot__onnx_order(o, scope, nodes, order));
  for (size_t i = 0; i < nodes->n; i++) INGOT_TRY(convert_one(o, scope, &nodes->v[order[i]], order[i]));
  return INGOT_OK;
}

ingot_status ingot__onnx_inputs(ingot__onnx_node *n, size_t min, size_t max) {
  if (n->n_in > max) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "has %zu inputs, but takes at most %zu", n->n_in, max);
  for (size_t i = 0; i < min; i++) {
    if (!INGOT__ONNX_IN(n, i)) return INGOT__ONNX_FAIL(n, INGOT_E_NETWORK, "its input %zu is left out, but is needed", i);
  }
  return INGOT_OK;
}

/* Rows whose inputs past these are our own. */
static int most_inputs(ingot__op op, const ingot__op_info *info) {
  if (op == INGOT__OP_Conv || op == INGOT__OP_ConvTranspose) return 3;
  return op == INGOT__OP_MatMul ? 2 : op == INGOT__OP_MatMulInteger ? 4 : info->max_in;
}

ingot_status ingot__onnx_straight(ingot__onnx_node *n, ingot__op op) {
  const ingot__op_info *info = ingot__op_get(op);
  int most = most_inputs(op, info);
  INGOT_TRY(ingot__onnx_inputs(n, (size_t)info->min_in, most < 0 ? SIZE_MAX : (size_t)most));
  return ingot__onnx_build(n, op, n->in, n->n_in);
}
